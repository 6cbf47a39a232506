//! Does what the pure sequencer says, one action at a time, and begins again from what is durable when one fails.

use std::sync::PoisonError;
use std::time::Duration;

use bauta_log::checkpoint::{CheckpointError, SignatureError};
use bauta_log::merkle::Head;
use bauta_log::policy::Unsatisfied;
use bauta_log::reader::AuditError;
use bauta_log::sequencer::{Action, Batch, Outcome, Report, SequencerError};
use bauta_log::{Checkpoint, Sequencer};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::rules::Rules;
use super::{Command, Cosigning, Parts, signing};
use crate::log_store::LogStoreError;
use crate::store::{EntryId, Pooled, StoreError};

/// How long until a failed step is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often what has expired is deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How many entries are replayed at once.
const REPLAY: usize = 256;

/// Why the sequencer stopped or began again.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's folder.
    #[error(transparent)]
    Log(#[from] LogStoreError),
    /// Database and folder do not belong together.
    #[error(transparent)]
    Sequencer(#[from] SequencerError),
    /// The stored log is not what its checkpoint says.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An entry of the published log is not valid.
    #[error(
        "the published log has an invalid entry: {0}; was the service given another first authority?"
    )]
    Replay(String),
    /// The published checkpoint does not satisfy the authority in force.
    #[error("the published checkpoint is not cosigned as the authority demands: {0}")]
    Checkpoint(#[from] Unsatisfied),
    /// The log's key does not fit its origin, or the origin is none.
    #[error("the log key does not sign this log: {0}")]
    Key(String),
    /// Another process swapped the head.
    #[error("another process holds this log; stop one of the two")]
    Lost,
    /// The coordinator's task is gone.
    #[error("the coordinator is not running")]
    NoCoordinator,
    /// A task of ours ended in a panic.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<CheckpointError> for DriverError {
    fn from(error: CheckpointError) -> Self {
        DriverError::Key(error.to_string())
    }
}

impl From<SignatureError> for DriverError {
    fn from(error: SignatureError) -> Self {
        DriverError::Key(error.to_string())
    }
}

impl DriverError {
    /// Whether beginning again may mend it.
    fn is_passing(&self) -> bool {
        match self {
            DriverError::Store(StoreError::Database { .. })
            | DriverError::Log(LogStoreError::Storage(_) | LogStoreError::NotPublished { .. })
            | DriverError::NoCoordinator
            | DriverError::Task(_) => true,
            DriverError::Store(_)
            | DriverError::Log(_)
            | DriverError::Sequencer(_)
            | DriverError::Audit(_)
            | DriverError::Replay(_)
            | DriverError::Checkpoint(_)
            | DriverError::Key(_)
            | DriverError::Lost => false,
        }
    }
}

/// Works until `shutdown`, and recovers from what passes.
pub(super) async fn run<R: Rules>(
    parts: Parts<R>,
    shutdown: CancellationToken,
) -> Result<(), DriverError> {
    loop {
        let work = async {
            let mut driver = Driver::recover(parts.clone()).await?;
            loop {
                driver.step().await?;
            }
        };
        let result: Result<std::convert::Infallible, DriverError> = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            result = work => result,
        };
        let Err(error) = result;
        if !error.is_passing() {
            tracing::error!(%error, "the sequencer stops");
            return Err(error);
        }
        tracing::error!(%error, "the sequencer begins again");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// A batch that has closed.
struct Closed {
    ids: Vec<EntryId>,
    entries: Vec<Vec<u8>>,
    time: u64,
}

pub(super) struct Driver<R> {
    parts: Parts<R>,
    sequencer: Sequencer,
    /// The batch under way, if this driver closed it.
    closed: Option<(Vec<EntryId>, u64)>,
    /// Time of the newest entry.
    time: u64,
    last_close: Option<Instant>,
    last_prune: Option<Instant>,
    /// What the signers said of the head that they refused.
    refusal: String,
    /// Ended with the driver: what they were about is taken up again after recovery.
    signing: JoinSet<()>,
}

impl<R: Rules> Driver<R> {
    /// Takes up the log from database and folder. This is all that a start does, after a calm end and after a crash alike.
    pub(super) async fn recover(parts: Parts<R>) -> Result<Self, DriverError> {
        parts
            .signing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let locked = parts.store.locked_head().await?;
        let staged = parts.store.staged(&locked.head).await?;
        let replay = parts.clone();
        let sequencer =
            tokio::task::spawn_blocking(move || replay.replay(locked.head, staged)).await??;
        // What was published just before the crash may not be noted yet.
        let published = sequencer.published();
        for id in parts.store.published(published.size).await? {
            parts.waiters.done(id);
        }
        let mut driver = Driver {
            parts,
            sequencer,
            closed: None,
            time: locked.time,
            last_close: None,
            last_prune: None,
            refusal: String::new(),
            signing: JoinSet::new(),
        };
        signing::start_all(&driver.parts, &mut driver.signing).await?;
        Ok(driver)
    }

    /// One action, or, when idle, the closing of the next batch.
    pub(super) async fn step(&mut self) -> Result<(), DriverError> {
        // Finished tasks are taken from the set, which would otherwise grow.
        while self.signing.try_join_next().is_some() {}
        match self.sequencer.action() {
            Some(action) => {
                let report = self.perform(action).await?;
                match self.sequencer.report(report)? {
                    Outcome::Working => {}
                    Outcome::Published(checkpoint) => {
                        self.closed = None;
                        tracing::debug!(size = checkpoint.head().size, "published");
                    }
                    Outcome::DroppedBack(batch) => {
                        self.closed = None;
                        tracing::warn!(
                            size = batch.from.size,
                            reason = self.refusal,
                            "went back to the last cosigned head"
                        );
                    }
                }
            }
            None => {
                let closed = self.close_batch().await?;
                self.sequencer.begin(closed.entries)?;
                self.time = closed.time;
                self.closed = Some((closed.ids, closed.time));
            }
        }
        Ok(())
    }

    async fn perform(&mut self, action: Action) -> Result<Report, DriverError> {
        match action {
            Action::Stage(batch) => self.parts.store.stage(&batch).await?,
            Action::SwapHead { from, to } if to.size > from.size => {
                let (ids, time) = self.closed.as_ref().ok_or(SequencerError::Unexpected)?;
                if !self.parts.store.swap_head(from, to, ids, *time).await? {
                    return Err(DriverError::Lost);
                }
            }
            Action::SwapHead { from, to } => {
                let dropped = self
                    .parts
                    .store
                    .swap_head_back(from, to, &self.refusal)
                    .await?;
                let dropped = dropped.ok_or(DriverError::Lost)?;
                self.blocking(|parts| {
                    parts.lock_rules().withdraw();
                    Ok(())
                })
                .await?;
                for id in dropped {
                    self.parts.waiters.done(id);
                }
            }
            Action::WriteTiles(batch, files) => {
                self.blocking(move |parts| {
                    Ok(parts
                        .log
                        .write_tiles(&files, batch.from.size, &batch.entries)?)
                })
                .await?;
            }
            Action::Cosign(batch) => return self.cosign(&batch).await,
            Action::Publish(checkpoint) => {
                let size = checkpoint.head().size;
                self.blocking(move |parts| {
                    if parts.lock_rules().changes_signers() {
                        parts.log.keep_change(&checkpoint)?;
                    }
                    parts.log.publish(&checkpoint)?;
                    parts.lock_rules().settle();
                    Ok(())
                })
                .await?;
                for id in self.parts.store.published(size).await? {
                    self.parts.waiters.done(id);
                }
                signing::start_all(&self.parts, &mut self.signing).await?;
            }
            Action::Prune(paths) => {
                let pruned = self
                    .blocking(move |parts| Ok(parts.log.discard(&paths)?))
                    .await;
                if let Err(error) = pruned {
                    tracing::warn!(%error, "old partial tiles stay");
                }
            }
            Action::Discard(paths) => {
                self.blocking(move |parts| Ok(parts.log.discard(&paths)?))
                    .await?
            }
        }
        Ok(Report::Done)
    }

    async fn cosign(&mut self, batch: &Batch) -> Result<Report, DriverError> {
        let signer = &self.parts.signer;
        let checkpoint = signer.sign(Checkpoint::new(signer.verifier().name(), batch.to)?)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Cosign { checkpoint, reply };
        self.parts
            .commands
            .send(command)
            .await
            .map_err(|_| DriverError::NoCoordinator)?;
        match answer.await.map_err(|_| DriverError::NoCoordinator)? {
            Cosigning::Cosigned(checkpoint) => Ok(Report::Cosigned(checkpoint)),
            Cosigning::Impossible { reason } => {
                self.refusal = format!("the signers refused it: {reason}");
                Ok(Report::Refused)
            }
        }
    }

    /// Waits for entries, and closes a batch of those that fit.
    async fn close_batch(&mut self) -> Result<Closed, DriverError> {
        loop {
            if self.last_prune.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                self.parts.store.prune((self.parts.clock)()).await?;
                self.last_prune = Some(Instant::now());
            }
            let mut pooled = self
                .parts
                .store
                .pooled(self.parts.config.batch_limit)
                .await?;
            if pooled.is_empty() {
                // What woke us before may have been taken into the last batch already.
                let _ = tokio::time::timeout(PRUNE_EVERY, self.parts.wake.notified()).await;
                continue;
            }
            let delay = self.parts.config.batch_delay;
            let since = self.last_close.map_or(delay, |at| at.elapsed());
            let full = pooled.len() as u64 >= u64::from(self.parts.config.batch_limit);
            if since < delay && !full && pooled.iter().all(|one| one.issuance) {
                tokio::time::sleep(delay - since).await;
                pooled = self
                    .parts
                    .store
                    .pooled(self.parts.config.batch_limit)
                    .await?;
            }
            if let Some(closed) = self.draft(pooled).await? {
                self.last_close = Some(Instant::now());
                return Ok(closed);
            }
        }
    }

    /// Gives the batch its time, and drops what the rules do not have in it. `None`: something was dropped, look again.
    async fn draft(&mut self, pooled: Vec<Pooled>) -> Result<Option<Closed>, DriverError> {
        // Anything but issuances goes alone.
        let issuances = pooled.iter().take_while(|one| one.issuance).count();
        let taken = issuances.max(1);
        let time = (self.parts.clock)().max(self.time);
        let mut ids = Vec::with_capacity(taken);
        let mut entries = Vec::with_capacity(taken);
        for one in pooled.into_iter().take(taken) {
            let mut entry = one.entry;
            entry.time = time;
            ids.push(one.id);
            entries.push(entry.encode().map_err(StoreError::from)?);
        }
        let (misfits, entries) = self
            .blocking(move |parts| Ok((parts.lock_rules().draft(&entries), entries)))
            .await?;
        let mut dropped = false;
        for (id, misfit) in ids.iter().zip(misfits) {
            if let Some(reason) = misfit {
                dropped = true;
                self.parts.store.drop_pooled(*id, &reason).await?;
                self.parts.waiters.done(*id);
            }
        }
        Ok((!dropped).then_some(Closed { ids, entries, time }))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts<R>) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let parts = self.parts.clone();
        tokio::task::spawn_blocking(move || work(&parts)).await?
    }
}

impl<R: Rules> Parts<R> {
    fn lock_rules(&self) -> std::sync::MutexGuard<'_, R> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the published log again, checks it, lets the rules take it in, and puts the sequencer where it was.
    fn replay(&self, locked: Head, staged: Option<Batch>) -> Result<Sequencer, DriverError> {
        let mut rules = self.lock_rules();
        rules.reset();
        let on_disk = self.log.checkpoint_on_disk()?;
        let head = on_disk
            .as_ref()
            .map_or(Head::EMPTY, |signed| signed.checkpoint().head());
        let mut run: Vec<Vec<u8>> = Vec::new();
        self.log.read_all(&head, |_, entry| {
            run.push(entry.to_vec());
            if run.len() >= REPLAY {
                rules
                    .replay(&std::mem::take(&mut run))
                    .map_err(DriverError::Replay)?;
                // Bounds what the rules remember to take back.
                rules.settle();
            }
            Ok::<(), DriverError>(())
        })?;
        rules.replay(&run).map_err(DriverError::Replay)?;
        rules.settle();
        let published = match on_disk {
            None => None,
            Some(signed) => {
                let policy = rules
                    .policy()
                    .ok_or_else(|| DriverError::Replay("it names no authority".to_owned()))?;
                Some(policy.check(&signed)?)
            }
        };
        self.log.resume(published);
        let sequencer = Sequencer::recover(self.log.edge(&head)?, locked, staged)?;
        if let Some(Action::WriteTiles(batch, _)) = sequencer.action()
            && let Err(reason) = rules.replay(&batch.entries)
        {
            // The signers judge the same, refuse the head, and the log goes back.
            tracing::warn!(reason, "the batch under way does not fit any more");
        }
        self.replayed.send_replace(true);
        Ok(sequencer)
    }
}
