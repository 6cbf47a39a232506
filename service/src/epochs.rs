//! Logging epochs: the next one in its window, by itself; the first one, or one after a stop, when an operator says that the
//! files it should name are there.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use bauta_statement::entry::{Body, Entry};
use bauta_verifier::ledger::EpochUnavailable;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock,
    sequencer::{Handle, SharedLedger, SubmitError},
};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long the same trouble is said once.
const REPEAT: Duration = Duration::from_secs(60);

/// Why no epoch was logged.
#[derive(Debug, Error)]
pub enum EpochError {
    /// Something that it must name is missing.
    #[error(transparent)]
    Unavailable(#[from] EpochUnavailable),
    /// The log did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// No epoch is in force and none is due.
    #[error(
        "no epoch is due: the log has no authority yet, or its last epoch is ahead of this clock"
    )]
    NotDue,
}

/// Logs epochs, one at a time. Clones share the turn.
#[derive(Clone)]
pub struct Epochs {
    sequencer: Handle,
    ledger: SharedLedger,
    turn: Arc<Mutex<()>>,
}

impl Epochs {
    /// Logs through `sequencer` what `ledger` says is due.
    pub fn new(sequencer: Handle, ledger: SharedLedger) -> Self {
        Self {
            sequencer,
            ledger,
            turn: Arc::default(),
        }
    }

    /// Logs the epoch that is due, if one is; gives the number of the epoch that was logged, or else of the one in force.
    ///
    /// # Errors
    /// [`EpochError`].
    pub async fn publish(&self) -> Result<u64, EpochError> {
        let _turn = self.turn.lock().await;
        match self.due()? {
            Some(epoch) => self.log(epoch).await,
            None => self.current().ok_or(EpochError::NotDue),
        }
    }

    /// The number of the epoch in force.
    pub fn current(&self) -> Option<u64> {
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        ledger.epoch_at(clock::now()).map(|one| one.epoch.number)
    }

    fn due(&self) -> Result<Option<Body>, EpochUnavailable> {
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        let entry = ledger.next_epoch_entry(clock::now())?;
        // The bytes are our own; the time in them is replaced when the batch closes.
        Ok(entry
            .and_then(|bytes| Entry::decode(&bytes).ok())
            .map(|entry| entry.body))
    }

    /// Whether the log ever had an epoch: the first one waits for an operator.
    fn begun(&self) -> bool {
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        ledger.epoch_after(0).is_some()
    }

    async fn log(&self, epoch: Body) -> Result<u64, EpochError> {
        let number = match &epoch {
            Body::Epoch(epoch) => epoch.number,
            _ => return Err(EpochError::NotDue),
        };
        let index = self.sequencer.submit(epoch).await?;
        info!(number, index, "an epoch is logged");
        Ok(number)
    }

    /// Logs each next epoch in its window, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut said: Option<(String, tokio::time::Instant)> = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
            if !self.begun() {
                continue;
            }
            let logged = async {
                let _turn = self.turn.lock().await;
                match self.due()? {
                    Some(epoch) => self.log(epoch).await.map(drop),
                    None => Ok(()),
                }
            };
            let result = tokio::select! {
                () = shutdown.cancelled() => return,
                result = logged => result,
            };
            if let Err(problem) = result {
                let problem = problem.to_string();
                if said
                    .as_ref()
                    .is_none_or(|(text, when)| *text != problem || when.elapsed() > REPEAT)
                {
                    warn!(problem, "the next epoch could not be logged; trying again");
                    said = Some((problem, tokio::time::Instant::now()));
                }
            }
        }
    }
}
