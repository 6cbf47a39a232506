//! The sequencer's driver: takes admitted entries from the pool into the log, and each logged issuance to its certificate.
//!
//! A batch closes at a count or after a short delay, at once when nothing is going on. It is given one time, which never goes
//! back; then the rules that signers and auditors apply are run over it, and what no longer fits is dropped rather than logged.
//! An entry other than an issuance is a batch of its own, so that a quorum's refusal of the head names its culprit. From there
//! on the order is that of [`bauta_log::sequencer`], and after any failure the driver begins again from what is durable.
//!
//! The coordinator is reached by [`Command`]s, each with a channel for its answer; whoever runs it is not known here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bauta_log::{CosignedCheckpoint, LogSigner, SignedCheckpoint};
use bauta_statement::entry;
use rand::RngCore as _;
use rand::rngs::OsRng;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::log_store::LogStore;
pub use crate::store::{Admission, EntryId};
use crate::store::{Admitted, Status, Store, StoreError};
use waiters::Waiters;

mod driver;
mod rules;
mod signing;
mod waiters;

/// What [`waiters`] is built on; its model has shuttle's in this place.
mod sync {
    pub(super) use std::sync::{Arc, Mutex, PoisonError};
}
#[cfg(test)]
mod tests;

pub use driver::DriverError;
pub use rules::{Assemble, LedgerRules, Rules, SharedLedger, ToSign};

/// The time in Unix seconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Seconds within which a logged issuance must be signed: a signer gives no share later.
pub const LAPSES_AFTER: u64 = 120;

/// How the sequencer is tuned.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The most entries of a batch.
    pub batch_limit: u32,
    /// How long a batch stays open after the one before it closed, so that the next ones share its cosignatures.
    pub batch_delay: Duration,
    /// The most entries that wait; beyond it requests are refused at once.
    pub pool_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            batch_limit: 64,
            batch_delay: Duration::from_millis(20),
            pool_limit: 4096,
        }
    }
}

/// What the coordinator is asked for.
#[derive(Debug)]
pub enum Command {
    /// Cosignatures on this checkpoint, whose entries [`LogStore::locked_entry`] has. A newer one takes its place.
    Cosign {
        /// Signed by the log.
        checkpoint: SignedCheckpoint,
        /// Answered once the quorum is there, or never can be; until then it stays open.
        reply: oneshot::Sender<Cosigning>,
    },
    /// A threshold signature for a logged entry.
    Sign {
        /// What is to be signed.
        task: SigningTask,
        /// Answered once it is there, is refused, or its time is over.
        reply: oneshot::Sender<Signing>,
    },
}

/// How a checkpoint fared.
#[derive(Clone, Debug)]
pub enum Cosigning {
    /// The quorum is there.
    Cosigned(CosignedCheckpoint),
    /// So many signers refuse the head that it will never have its quorum.
    Impossible {
        /// What they say.
        reason: String,
    },
}

/// A signature that is wanted.
#[derive(Clone, Debug)]
pub struct SigningTask {
    /// Index of the entry.
    pub index: u64,
    /// The tlog-proof of the entry, without extra data.
    pub proof: Vec<u8>,
    /// The CSR, DER; empty for a key operation.
    pub csr: Vec<u8>,
    /// The openings, encoded; empty for a key operation.
    pub openings: Vec<u8>,
    /// The TBSCertificate, DER.
    pub tbs: Vec<u8>,
    /// By which key.
    pub group_key: [u8; 32],
    /// Unix seconds: after this the entry has lapsed.
    pub deadline: u64,
}

/// How a signature fared.
#[derive(Clone, Debug)]
pub enum Signing {
    /// The signature, verified under the group key.
    Signed([u8; 64]),
    /// Too many signers refuse.
    Refused {
        /// What they say.
        reason: String,
    },
    /// The deadline went by.
    Lapsed,
}

/// What became of an issuance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is certified.
    Signed {
        /// Index of its entry.
        index: u64,
        /// The leaf certificate, DER.
        certificate: Vec<u8>,
        /// The tlog-proof file, with entry and openings as extra data.
        proof: Vec<u8>,
    },
    /// It is logged and was not signed in time. Shown again with the same key it uses up nothing more.
    Lapsed {
        /// Why.
        reason: String,
    },
    /// It did not fit any more when its batch closed, and is not logged. To be shown again.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// Why a request was not admitted; nothing is spent by it.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// Its challenge has been used.
    #[error(
        "the challenge has been used by another request; ask for a new one and show again with the same key"
    )]
    NonceSpent,
    /// Its nullifier is spent on another key, or under another policy.
    #[error(
        "this use is spent on another key; take the next counter, or the key that it was spent on"
    )]
    NullifierSpent,
    /// Too much is going on.
    #[error("too many requests are waiting; send the same request again in some seconds")]
    Full,
    /// The store failed; the same request again finds out whether it was admitted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an entry other than an issuance is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The rules refuse it, or the signers do.
    #[error("the entry was not logged: {0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The way into the log. Clones share it.
#[derive(Clone)]
pub struct Handle {
    store: Store,
    waiters: Arc<Waiters<EntryId>>,
    wake: Arc<Notify>,
    clock: Clock,
    pool_limit: u32,
    replayed: watch::Receiver<bool>,
}

impl Handle {
    /// Waits until the log was read again after the start: before that the ledger is behind the log.
    pub async fn replayed(&self) {
        // An error means that the driver ended, which its own task tells.
        let _ = self.replayed.clone().wait_for(|replayed| *replayed).await;
    }

    /// The entry of a byte-identical request, if it was admitted before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known(&self, request: &[u8; 32]) -> Result<Option<EntryId>, StoreError> {
        self.store.known(request).await
    }

    /// Admits a request that is verified. The byte-identical request again gives the entry that it has.
    ///
    /// # Errors
    /// [`AdmitError`] by what is spent; nothing is spent by the refused request.
    pub async fn admit(&self, admission: &Admission) -> Result<EntryId, AdmitError> {
        match self
            .store
            .admit(admission, (self.clock)(), self.pool_limit)
            .await?
        {
            Admitted::New(id) => {
                self.wake.notify_one();
                Ok(id)
            }
            Admitted::Known(id) => Ok(id),
            Admitted::NonceSpent => Err(AdmitError::NonceSpent),
            Admitted::NullifierSpent => Err(AdmitError::NullifierSpent),
            Admitted::Full => Err(AdmitError::Full),
        }
    }

    /// What becomes of an issuance; waits until it is done with. Not to wait any longer harms nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outcome(&self, id: EntryId) -> Result<Outcome, StoreError> {
        loop {
            // Waiting begins before the look, so that what happens between them is not missed.
            let done = self.waiters.wait(id);
            match self.store.status(id).await? {
                Some(Status::Signed {
                    index,
                    certificate,
                    proof,
                }) => {
                    return Ok(Outcome::Signed {
                        index,
                        certificate,
                        proof,
                    });
                }
                Some(Status::Lapsed { reason }) => return Ok(Outcome::Lapsed { reason }),
                Some(Status::Dropped { reason }) => return Ok(Outcome::Dropped { reason }),
                None => {
                    return Ok(Outcome::Lapsed {
                        reason: "the request is older than a day".to_owned(),
                    });
                }
                Some(Status::Waiting | Status::Logged { .. }) => done.done().await,
            }
        }
    }

    /// Logs an entry other than an issuance, whose objects lie beside the tiles already; returns its index once it is published
    /// under its cosignatures.
    ///
    /// # Errors
    /// [`SubmitError::Refused`] says why the rules or the signers do not have it.
    pub async fn submit(&self, body: entry::Body) -> Result<u64, SubmitError> {
        // Each call is a request of its own: what was refused may be submitted again when its cause is gone.
        let mut request = [0; 32];
        OsRng.fill_bytes(&mut request);
        let id = self.store.submit(request, body, (self.clock)()).await?;
        self.wake.notify_one();
        loop {
            let done = self.waiters.wait(id);
            match self.store.status(id).await? {
                Some(Status::Logged { index }) => return Ok(index),
                Some(Status::Dropped { reason }) => return Err(SubmitError::Refused(reason)),
                Some(Status::Waiting) => done.done().await,
                _ => return Err(StoreError::Damaged("an entry of the wrong kind").into()),
            }
        }
    }
}

/// What the driver works with.
struct Parts<R> {
    config: Config,
    store: Store,
    log: LogStore,
    signer: Arc<LogSigner>,
    rules: Arc<Mutex<R>>,
    commands: mpsc::Sender<Command>,
    clock: Clock,
    waiters: Arc<Waiters<EntryId>>,
    wake: Arc<Notify>,
    /// Entries whose signature is being waited for.
    signing: Arc<Mutex<BTreeSet<EntryId>>>,
    /// Becomes true when the log was read again after the start.
    replayed: watch::Sender<bool>,
}

impl<R> Clone for Parts<R> {
    fn clone(&self) -> Self {
        Parts {
            config: self.config,
            store: self.store.clone(),
            log: self.log.clone(),
            signer: Arc::clone(&self.signer),
            rules: Arc::clone(&self.rules),
            commands: self.commands.clone(),
            clock: Arc::clone(&self.clock),
            waiters: Arc::clone(&self.waiters),
            wake: Arc::clone(&self.wake),
            signing: Arc::clone(&self.signing),
            replayed: self.replayed.clone(),
        }
    }
}

/// Starts the sequencer. Its task ends when `shutdown` is cancelled, or with an error that a restart does not mend: another
/// process holds the log, or database and folder do not belong together. Ending it at any moment loses nothing.
#[allow(clippy::too_many_arguments)] // the parts of a service, each of which the caller made; a struct would name them twice
pub fn start<R: Rules>(
    config: Config,
    store: Store,
    log: LogStore,
    signer: LogSigner,
    rules: R,
    commands: mpsc::Sender<Command>,
    clock: Clock,
    shutdown: CancellationToken,
) -> (Handle, JoinHandle<Result<(), DriverError>>) {
    let parts = Parts {
        config,
        store,
        log,
        signer: Arc::new(signer),
        rules: Arc::new(Mutex::new(rules)),
        commands,
        clock,
        waiters: Arc::default(),
        wake: Arc::default(),
        signing: Arc::default(),
        replayed: watch::Sender::new(false),
    };
    let handle = parts.handle();
    (handle, tokio::spawn(driver::run(parts, shutdown)))
}

impl<R> Parts<R> {
    fn handle(&self) -> Handle {
        Handle {
            store: self.store.clone(),
            waiters: Arc::clone(&self.waiters),
            wake: Arc::clone(&self.wake),
            clock: Arc::clone(&self.clock),
            pool_limit: self.config.pool_limit,
            replayed: self.replayed.subscribe(),
        }
    }
}
