//! The enrolment desk of an organisation, a process apart from the service: it reads a person's X.509 certificate by a
//! schema and signs a native credential for a holder secret of which it sees only a commitment. It also revokes.
//!
//! Nothing that the desk knows reaches the service: neither who enrolled nor when. What links the two is the issuer's
//! public key, in the administrators' issuer set, and the issuer's revocation lists, which name serial numbers.

use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub mod chain;
pub mod config;
pub mod desk;
mod http;
pub mod issued;
pub mod keys;
pub mod reading;
pub mod store;
pub mod tls;

pub use config::Config;
pub use desk::{Desk, Target};
pub use issued::{Enrolment, EnrolmentRequest, IssuerProfile, LeakReport};
pub use keys::IssuerKeys;

/// Why the desk does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`desk::OpenError`].
    #[error(transparent)]
    Open(#[from] desk::OpenError),
    /// The desk's own TLS files.
    #[error("{path}: {reason}: the desk needs its TLS certificate chain and key in PEM")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The first revocation list.
    #[error(transparent)]
    List(#[from] desk::RevokeError),
    /// The socket.
    #[error("the desk cannot listen: {0}: choose another address or port")]
    Listen(#[from] std::io::Error),
}

/// Runs the desk on `listener` until `shutdown` is done, then lets open requests finish for two seconds.
///
/// # Errors
/// [`RunError`] if the desk cannot start, or the socket fails.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let tls = tls_config(&config.tls_certificate, &config.tls_key)?;
    let desk = Arc::new(Desk::open(config, &mut rand::rngs::OsRng).await?);
    listener.set_nonblocking(true)?;
    let handle = axum_server::Handle::new();
    let stop = handle.clone();
    let watch = tokio::spawn(async move {
        shutdown.await;
        stop.graceful_shutdown(Some(Duration::from_secs(2)));
    });
    let served = axum_server::from_tcp(listener)?
        .acceptor(tls::PeerAcceptor::new(tls))
        .first_request_timeout(Duration::from_secs(30))
        .handle(handle)
        .serve(http::router(desk.clone()).into_make_service())
        .await;
    watch.abort();
    desk.close().await;
    Ok(served?)
}

fn tls_config(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, RunError> {
    let failed = |path: &Path, reason: String| RunError::Tls {
        path: path.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(certificate, e.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| failed(key, e.to_string()))?;
    tls::server_config(chain, secret).map_err(|e| failed(key, e.to_string()))
}
