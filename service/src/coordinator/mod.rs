//! The coordinator's shell: one task owns the pure state machine, signers' streams feed it, and [`CoordinatorHandle`] asks it
//! for cosignatures, signatures and keys. It keeps nothing: after a restart the signers say where they are.

mod actor;
#[rustfmt::skip] // as `cargo xtask codegen` wrote it
#[allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)] // generated
mod generated;
mod streams;

use std::{collections::BTreeMap, time::Duration};

use bauta_log::LogSigner;
use bauta_signer_protocol::{generation::GenerationTask, messages::Stage};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    log_store::LogStore,
    sequencer::{self, SharedLedger},
    tls::{self, Pins, TlsError},
};

/// Key generation, resharing and repair take several rounds among all members.
const GENERATION_PATIENCE: Duration = Duration::from_secs(60);
/// Requests that wait for the actor.
const QUEUE: usize = 256;

/// Why a run has no result.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum GenerationError {
    /// All members must take part.
    #[error("the run waits for {}: start them, then ask again", list(.0))]
    Waits(Vec<String>),
    /// A member failed or cheated.
    #[error("the run failed{}: {reason}", at(.node))]
    Failed {
        /// Who; nobody in particular if empty.
        node: String,
        /// Why.
        reason: String,
    },
    /// It took too long; it goes on.
    #[error("the run is not done after {} s; ask again, and look at the signers' logs", GENERATION_PATIENCE.as_secs())]
    Slow,
    /// The service is stopping.
    #[error("the coordinator has stopped")]
    Stopped,
}

fn at(node: &str) -> String {
    if node.is_empty() {
        String::new()
    } else {
        format!(" at {node}")
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A key or a new sharing.
    Agreed(AgreedKey),
    /// A signer has its share back.
    Repaired,
}

/// A key or new sharing that all participants agreed on, and the authority file that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedKey {
    /// The group key.
    pub group_key: [u8; 32],
    /// The authority file's text.
    pub text: String,
    /// Each participant's signature over it.
    pub signatures: BTreeMap<String, [u8; 64]>,
    /// After a resharing, the key's own, by its new shares.
    pub key_signature: Option<[u8; 64]>,
    /// The run's transcript, which the text names by its SHA-256.
    pub transcript: Vec<u8>,
}

/// One signer as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerStatus {
    /// Its name.
    pub name: String,
    /// Size of the log that it holds, if it is connected.
    pub size: Option<u64>,
    /// Where it stands with the other signers, once it has said so.
    pub stage: Option<Stage>,
}

/// What the actor is told beside the sequencer's commands.
pub(crate) enum Command {
    /// Have a key made or shared anew, or a share repaired.
    Generate(
        Box<GenerationTask>,
        oneshot::Sender<Result<Outcome, GenerationError>>,
    ),
    /// Something happened on a signer's stream.
    Stream(streams::Event),
}

/// Asks the coordinator. Clones ask the same one.
#[derive(Clone)]
pub struct CoordinatorHandle {
    commands: mpsc::UnboundedSender<Command>,
    orders: mpsc::Sender<sequencer::Command>,
    status: watch::Receiver<Vec<SignerStatus>>,
}

/// What the coordinator works with.
pub struct Parts {
    /// Where signers dial in.
    pub listener: TcpListener,
    /// Its certificate and key, which signers pin.
    pub identity: (CertificateDer<'static>, PrivateKeyDer<'static>),
    /// The log, for signers that lack entries or objects.
    pub logs: LogStore,
    /// Signs prefixes of the log, by which a signer that is far behind catches up in steps.
    pub log_key: LogSigner,
    /// Says who the signers are.
    pub ledger: SharedLedger,
}

impl CoordinatorHandle {
    /// Starts the coordinator. It knows no signers until the ledger has an authority, and does nothing by itself: its orders come
    /// through [`Self::orders`].
    ///
    /// # Errors
    /// [`TlsError`] if the identity is refused.
    pub fn start(parts: Parts, shutdown: CancellationToken) -> Result<Self, TlsError> {
        let Parts {
            listener,
            identity,
            logs,
            log_key,
            ledger,
        } = parts;
        let pins = Pins::default();
        let config = tls::coordinator(vec![identity.0], identity.1, pins.clone())?;
        // Unbounded, but each sender is bounded: a stream by its places, a caller by waiting for its answer.
        let (commands, inbox) = mpsc::unbounded_channel();
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (publish, status) = watch::channel(Vec::new());
        tokio::spawn(streams::serve(
            listener,
            config,
            commands.clone(),
            shutdown.clone(),
        ));
        let actor = actor::Actor::new(actor::Records::new(logs, log_key), ledger, pins, publish);
        tokio::spawn(actor.run(inbox, ordered, shutdown));
        Ok(Self {
            commands,
            orders,
            status,
        })
    }

    /// Where the sequencer sends what it wants cosigned and signed.
    pub fn orders(&self) -> mpsc::Sender<sequencer::Command> {
        self.orders.clone()
    }

    /// Has the members of a run do what it orders: make a key, share it anew, repair a share.
    ///
    /// # Errors
    /// [`GenerationError`].
    pub async fn generate_key(&self, task: GenerationTask) -> Result<Outcome, GenerationError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(Command::Generate(Box::new(task), reply))
            .map_err(|_| GenerationError::Stopped)?;
        match tokio::time::timeout(GENERATION_PATIENCE, answer).await {
            Ok(answer) => answer.unwrap_or(Err(GenerationError::Stopped)),
            Err(_) => Err(GenerationError::Slow),
        }
    }

    /// All signers of the authority, and where each is.
    pub fn signers(&self) -> Vec<SignerStatus> {
        self.status.borrow().clone()
    }
}
