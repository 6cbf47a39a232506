//! A running signer: what it opens at its start, and the task that keeps the stream to the coordinator open. The state machine and
//! its store are another thread's ([`crate::worker`]); between the two go frames.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bauta_signer_protocol::{
    ledger_rulebook::LedgerRulebook,
    node::{NodeConfig, RestoreError},
    rulebook::Rulebook,
};
use rand::rngs::OsRng;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    approve,
    config::{Checked, ConfigError, Mode, SignerConfig},
    keys::{self, Keys, KeysError},
    seal::{self, PassphraseSeal, SealKind, Vault},
    store::StoreError,
    tls,
    token::{self, Opening, Token, TokenConfig, marker},
    transport::{self, Backoff, HEARTBEAT, Session, TransportError},
    worker::{Command, Shell},
};

/// Frames that wait for the node.
const INBOX: usize = 16;
/// A stream that lived so long was a good one: the next failure begins a new row.
const GOOD: Duration = Duration::from_secs(30);

/// Why a signer does not start, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Production mode and a passphrase.
    #[error(
        "production mode refuses keys that a passphrase seals: keep them under a token's key, or set \"mode\": \"development\" for a trial"
    )]
    SealTooWeak,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine refuses what the store holds.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The address is wrong: trying again is no use.
    #[error(transparent)]
    Address(TransportError),
    /// The configured name or keys.
    #[error("the signer's own key in signer.json is damaged: {0}")]
    OwnKey(bauta_log::key::KeyError),
    /// The thread of the state machine ended.
    #[error("the signer's state machine ended unexpectedly; its last log lines say why")]
    Ended,
}

impl RunError {
    /// The exit status that fits: the token's own ([`token::TokenError::exit_status`]), else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Keys(error) => error.exit_status(),
            _ => 1,
        }
    }
}

/// Runs a signer until `shutdown`: keys in a token, or sealed by a passphrase (from the configured file, else from the
/// terminal); rules as the ledger has them.
///
/// # Errors
/// As of [`run_with`]. A PIN that the token refused ends it, and must not be tried again by whoever started it
/// ([`RunError::exit_status`]).
pub async fn run(config: SignerConfig, shutdown: CancellationToken) -> Result<(), RunError> {
    let checked = config.check()?;
    let production = checked.mode == Mode::Production;
    if production && config.token.is_none() {
        return Err(RunError::SealTooWeak);
    }
    let opening = config.clone();
    let opened = tokio::task::spawn_blocking(move || open_keys(&opening, &checked));
    let (keys, token) = opened.await.map_err(|_| RunError::Ended)??;
    let reopen = reopen(&config);
    // A node whose own mode is development has perhaps no locked memory, whatever seals its keys.
    let rules = |pinned| {
        let rules = LedgerRulebook::new(pinned);
        if production {
            rules
        } else {
            rules.for_development()
        }
    };
    let Some(token) = token else {
        return run_with(config, keys, reopen, rules, shutdown).await;
    };
    let (token_config, keys_folder) = (config.token.clone(), config.keys_folder());
    let stop = shutdown.child_token();
    let refusal = token.refusal();
    let mut running = std::pin::pin!(run_with(config, keys, reopen, rules, stop.clone()));
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = refusal.cancelled() => {
            stop.cancel();
            running.await
        }
    };
    match token.refused() {
        Some(refused) => {
            if let Some(config) = &token_config {
                marker::remember(&keys_folder, config, &refused);
            }
            Err(KeysError::Token(refused).into())
        }
        None => ended,
    }
}

/// Opens a signer's keys, in a token or sealed by a passphrase; with the token, if there is one.
pub(crate) fn open_keys(
    config: &SignerConfig,
    checked: &Checked,
) -> Result<(Keys, Option<Arc<Token>>), KeysError> {
    match &config.token {
        Some(token) => unlock(checked, token).map(|(keys, token)| (keys, Some(token))),
        None => Ok((unseal(config)?, None)),
    }
}

/// Opens the token and the keys in it.
fn unlock(config: &Checked, token: &TokenConfig) -> Result<(Keys, Arc<Token>), KeysError> {
    let opening = Opening {
        serial: token::serial(&config.keys)?,
        strict: config.mode == Mode::Production,
        ..Opening::default()
    };
    marker::check(&config.keys, token)?;
    let opened = Token::open(token, opening)
        .inspect_err(|error| marker::remember(&config.keys, token, error))?;
    Ok((token::load(&config.keys, &opened)?, opened))
}

/// Opens the keys that a passphrase seals.
fn unseal(config: &SignerConfig) -> Result<Keys, KeysError> {
    let passphrase = seal::find_passphrase(config.passphrase_file.as_deref(), false)?;
    let seal = PassphraseSeal::new(passphrase.as_str(), seal::WORK_FACTOR);
    keys::load(&config.keys_folder(), &seal)
}

/// Opens the data key again by what a holder typed: a PIN or a passphrase, and whether it may be tried although one failed.
pub type Reopen = Box<dyn Fn(&str, bool) -> Result<Vault, KeysError> + Send>;

fn reopen(config: &SignerConfig) -> Reopen {
    let (folder, token, mode) = (config.keys_folder(), config.token.clone(), config.mode);
    Box::new(move |pin, despite_failed_pins| match &token {
        Some(token) => {
            let opening = Opening {
                serial: token::serial(&folder)?,
                strict: mode == Mode::Production,
                despite_failed_pins,
                ..Opening::default()
            };
            token::vault(&folder, &Token::open_with(token, opening, pin)?)
        }
        None => Ok(Vault::open(
            &folder,
            &PassphraseSeal::new(pin, seal::WORK_FACTOR),
        )?),
    })
}

/// Runs a signer until `shutdown`, with its keys, under the rules that `rulebook` makes of the pinned authority digest.
///
/// # Errors
/// [`RunError`]: what is wrong before it starts, or a store that failed. A coordinator that is away is no error; it is dialled
/// again for as long as it takes.
pub async fn run_with<B: Rulebook + Send + 'static>(
    config: SignerConfig,
    keys: Keys,
    reopen: Reopen,
    rulebook: impl FnOnce([u8; 32]) -> B,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let config = config.check()?;
    if config.mode == Mode::Production && keys.vault.kind() != SealKind::Token {
        return Err(RunError::SealTooWeak);
    }
    let Keys {
        node: node_keys,
        identity,
        vault,
        public,
    } = keys;
    let tls = Arc::new(tls::client_config(config.pin, identity)?);
    let node_config = NodeConfig {
        name: public.name.clone(),
        log: config.log.clone(),
        cosignature: public.cosignature.parse().map_err(RunError::OwnKey)?,
        attended: config.attended,
    };
    let rulebook = rulebook(config.authority);
    let data = config.data.clone();
    // Replaying a long log takes a while, and the store blocks: neither belongs on the runtime's threads.
    let shell = tokio::task::spawn_blocking(move || {
        Shell::open(&data, node_config, node_keys, vault, rulebook, reopen)
    })
    .await
    .map_err(|_| RunError::Ended)??;
    info!(name = public.name, size = shell.size(), "signer is up");

    let (inbox, commands) = mpsc::channel(INBOX);
    let _listening = config
        .attended
        .then(|| approve::listen(&config.data, inbox.downgrade(), Command::Visit))
        .transpose()
        .map_err(StoreError::File)?;
    if config.attended {
        tokio::spawn(tick(inbox.downgrade()));
    }
    let mut worker = tokio::task::spawn_blocking(move || shell.work(commands));
    let dialling = dial_for_ever(&config, tls, inbox, &shutdown);
    let result = tokio::select! {
        ended = &mut worker => return ended.map_err(|_| RunError::Ended)?.map_err(RunError::Store),
        failed = dialling => failed,
    };
    // The inbox is gone with `dialling`: the worker finishes what it is at, and ends.
    worker.await.map_err(|_| RunError::Ended)??;
    info!(name = public.name, "signer has stopped");
    result
}

/// So that a session ends in time though nobody asks for anything.
async fn tick(inbox: mpsc::WeakSender<Command>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Some(inbox) = inbox.upgrade() else { return };
        if inbox.send(Command::Tick).await.is_err() {
            return;
        }
    }
}

/// Keeps a stream open until `shutdown`.
async fn dial_for_ever(
    config: &Checked,
    tls: Arc<rustls::ClientConfig>,
    inbox: mpsc::Sender<Command>,
    shutdown: &CancellationToken,
) -> Result<(), RunError> {
    let mut backoff = Backoff::default();
    let mut last = String::new();
    loop {
        let session = async {
            let session = tokio::select! {
                () = shutdown.cancelled() => return Err(stopping()),
                session = transport::dial(&config.coordinator, tls.clone()) => session?,
            };
            info!(coordinator = config.coordinator, "connected");
            let since = tokio::time::Instant::now();
            let ended = serve(session, &inbox, shutdown).await;
            if since.elapsed() >= GOOD {
                backoff.reset();
            }
            Err(ended)
        };
        let ended: Result<Infallible, TransportError> = session.await;
        let Err(problem) = ended;
        if shutdown.is_cancelled() {
            return Ok(());
        }
        if matches!(problem, TransportError::Address(_)) {
            return Err(RunError::Address(problem));
        }
        let wait = backoff.next(&mut OsRng);
        // The same reason again and again is said once.
        if problem.to_string() == last {
            debug!(%problem, ?wait, "no stream");
        } else {
            warn!(%problem, "no stream; trying again");
        }
        last = problem.to_string();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn stopping() -> TransportError {
    TransportError::Ended("the signer is stopping".to_owned())
}

/// Carries frames both ways until the stream ends. At `shutdown` nothing more is read; the worker answers what it has
/// begun and says goodbye, all of it is written, and only then does the stream end.
async fn serve(
    mut session: Session,
    inbox: &mpsc::Sender<Command>,
    shutdown: &CancellationToken,
) -> TransportError {
    let gone = stopping;
    let (outbox, mut answers) = mpsc::channel(INBOX);
    if inbox.send(Command::Connected(outbox)).await.is_err() {
        return gone();
    }
    let sender = session.sender();
    let write = async {
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            let frame = tokio::select! {
                answer = answers.recv() => match answer {
                    Some(frame) => frame,
                    None => return gone(),
                },
                _ = beat.tick() => Vec::new(),
            };
            if let Err(problem) = sender.send(frame).await {
                return problem;
            }
        }
    };
    let read = async {
        loop {
            let received = tokio::select! {
                () = shutdown.cancelled() => break,
                received = session.receive() => received,
            };
            match received {
                Ok(frame) => {
                    if inbox.send(Command::Frame(frame)).await.is_err() {
                        return gone();
                    }
                }
                Err(problem) => return problem,
            }
        }
        if inbox.send(Command::Stop).await.is_err() {
            return gone();
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        problem = write => problem,
        problem = read => problem,
    };
    if shutdown.is_cancelled() {
        drop(sender);
        session.finish().await;
    }
    ended
}
