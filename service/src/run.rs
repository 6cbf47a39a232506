//! A running service: opens what lasts, starts the parts in the order in which they need each other, and stops them together.

use std::{path::Path, sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    admin,
    ca::CaDocuments,
    clock,
    config::{ConfigError, ServiceConfig},
    coordinator::{CoordinatorHandle, Parts},
    epochs::Epochs,
    http,
    issue::Issuer,
    keys::{self, KeysError},
    log_store::{LogStore, LogStoreError},
    sequencer::{self, DriverError, LedgerRules},
    state::State,
    store::{Store, StoreError},
    tls::{self, TlsError},
};

/// How long requests under way may take after a stop was asked for.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);

/// Why a service does not start, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service's keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's folder.
    #[error(transparent)]
    Log(#[from] LogStoreError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address or a socket that cannot be had.
    #[error("cannot listen on {place}: {source}; is another service running there?")]
    Listen {
        /// Where.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that cannot be made.
    #[error("cannot make {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The sequencer.
    #[error(transparent)]
    Sequencer(#[from] DriverError),
    /// A task that ended by itself.
    #[error("{0} ended unexpectedly; the last lines of the service's log say why")]
    Ended(&'static str),
}

/// Runs a service until `shutdown`. Ending it at any moment loses nothing that was accepted.
///
/// # Errors
/// [`RunError`]: what is wrong at the start, or a part that cannot go on.
pub async fn run(config: ServiceConfig, shutdown: CancellationToken) -> Result<(), RunError> {
    let pinned = config.check()?;
    make_folder(&config.data)?;
    let keys = keys::load(&config.keys)?;
    // The coordinator signs prefixes of the log by a copy of its own.
    let log_key = keys::load(&config.keys)?.log;
    let https = tls::https(&config.tls_certificate, &config.tls_key)?;
    let store = Store::open(&config.data.join("service.sqlite")).await?;
    let logs = LogStore::open(&config.log)?;
    let api = listen(config.listen).await?;
    let signers = listen(config.coordinator).await?;
    let admin_listener = admin::bind(&config.admin_socket).map_err(|source| RunError::Listen {
        place: config.admin_socket.display().to_string(),
        source,
    })?;

    // Ends the parts when this function returns, whatever the reason.
    let parts = shutdown.child_token();
    let _guard = parts.clone().drop_guard();
    let rules = LedgerRules::new(pinned, logs.clone());
    let ledger = rules.ledger();
    let identity = keys.coordinator;
    let coordinator = CoordinatorHandle::start(
        Parts {
            listener: signers,
            identity,
            logs: logs.clone(),
            log_key,
            ledger: ledger.clone(),
        },
        parts.clone(),
    )?;
    let tuning = sequencer::Config {
        batch_limit: u32::try_from(config.batch_entries).unwrap_or(u32::MAX),
        batch_delay: Duration::from_millis(config.batch_delay_milliseconds),
        ..sequencer::Config::default()
    };
    let (handle, mut driver) = sequencer::start(
        tuning,
        store.clone(),
        logs.clone(),
        keys.log,
        rules,
        coordinator.orders(),
        Arc::new(clock::now),
        parts.clone(),
    );
    // Nobody is answered from a ledger that is behind its log.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        ended = &mut driver => {
            return match ended {
                Ok(result) => result.map_err(RunError::from).and(Err(RunError::Ended("the sequencer"))),
                Err(_) => Err(RunError::Ended("the sequencer")),
            };
        }
        () = handle.replayed() => {}
    }
    let certificates = CaDocuments::load(store.clone()).await?;
    let issuer = Issuer::new(
        handle.clone(),
        ledger.clone(),
        certificates.clone(),
        config.ca_chain,
        config.queue,
    );
    let epochs = Epochs::new(handle.clone(), ledger.clone());
    tokio::spawn(epochs.clone().run(parts.clone()));
    let state = Arc::new(State {
        logs,
        challenge_key: keys.challenge,
        issuer: Arc::new(issuer),
        sequencer: handle,
        coordinator,
        certificates,
        ledger,
        config,
    });
    let mut admin_server = tokio::spawn(admin::serve(
        admin_listener,
        state.clone(),
        epochs,
        parts.clone(),
    ));
    let server = axum_server::Handle::new();
    let mut api_server = tokio::spawn(serve_api(api, https, server.clone(), state.clone())?);
    info!(api = %state.config.listen, signers = %state.config.coordinator, "service is up");

    let result = tokio::select! {
        // The parts end by the same token: a stop that was asked for is looked at first.
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = &mut driver => match ended {
            Ok(result) => result.map_err(RunError::from).and(Err(RunError::Ended("the sequencer"))),
            Err(_) => Err(RunError::Ended("the sequencer")),
        },
        _ = &mut admin_server => Err(RunError::Ended("the admin socket")),
        _ = &mut api_server => Err(RunError::Ended("the HTTPS server")),
    };
    server.graceful_shutdown(Some(GRACE));
    if !api_server.is_finished() {
        let _ = api_server.await;
    }
    parts.cancel();
    if !driver.is_finished() {
        let _ = tokio::time::timeout(GRACE, driver).await;
    }
    let _ = std::fs::remove_file(&state.config.admin_socket);
    store.close().await;
    info!("service has stopped");
    result
}

fn make_folder(path: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(path).map_err(|source| RunError::Folder {
        path: path.display().to_string(),
        source,
    })
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| RunError::Listen {
            place: address.to_string(),
            source,
        })
}

/// The HTTPS server as a future; slow clients are cut off at the headers.
fn serve_api(
    listener: TcpListener,
    config: rustls::ServerConfig,
    handle: axum_server::Handle<std::net::SocketAddr>,
    state: Arc<State>,
) -> Result<impl Future<Output = std::io::Result<()>>, RunError> {
    let place = state.config.listen.to_string();
    let listener = listener.into_std().map_err(|source| RunError::Listen {
        place: place.clone(),
        source,
    })?;
    let mut server =
        axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config)))
            .map_err(|source| RunError::Listen { place, source })?
            .handle(handle);
    server
        .http_builder()
        .http1()
        .header_read_timeout(HEADERS)
        .timer(hyper_util::rt::TokioTimer::new());
    server
        .http_builder()
        .http2()
        .keep_alive_interval(HEADERS)
        .timer(hyper_util::rt::TokioTimer::new())
        .max_concurrent_streams(64);
    Ok(server.serve(http::router(state).into_make_service()))
}
