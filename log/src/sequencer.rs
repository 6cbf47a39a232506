//! One batch after the other, crash-safe: stage → compare-and-swap → tiles → cosignatures → publish.
//!
//! A pure state machine. [`Sequencer::action`] says what must be done next, its driver does it and reports; a driver that
//! crashed, or does not know whether a write happened, forgets the sequencer and makes a new one from what is durable
//! ([`Sequencer::recover`]), which resumes by the very same actions. What a crash leaves behind:
//!
//! | crash after | durable then | recovery |
//! | --- | --- | --- |
//! | staging | a staged batch that no head names | idle; the batch is forgotten, its entries are still in the pool |
//! | the swap | locked head ahead of the published one, its batch staged | writes the tiles again (alike), cosigns, publishes |
//! | some or all tiles | the same | the same |
//! | cosignatures | the same | asks again: signers cosign one head any number of times |
//! | publishing | locked = published | idle |
//!
//! The swap is the one moment at which a batch enters the log: two sequencers that hold the same head cannot both win it.
//! If a quorum *refuses* a head (an entry other than an issuance is invalid), the log goes back to the last cosigned head:
//! tiles that only the refused head has are discarded, then the locked head is swapped back. Nothing was published.

use crate::merkle::{Head, ProofError};
use crate::policy::CosignedCheckpoint;
use crate::tile::{FULL_WIDTH, TileError, TileFile, decode_bundle, encode_bundle, new_tiles};
use crate::tree::{Edge, TreeError};

/// Entries that take the log from one head to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The head that the entries follow.
    pub from: Head,
    /// The head with them.
    pub to: Head,
    /// The entries, in order; never empty.
    pub entries: Vec<Vec<u8>>,
}

/// Why the sequencer cannot go on. In every case: stop, look, then recover from what is durable.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// A batch is under way.
    #[error("a batch is being sequenced already")]
    Busy,
    /// A batch without entries.
    #[error("a batch needs at least one entry")]
    EmptyBatch,
    /// A report that no action asked for.
    #[error("a report came that nothing was asked for; recover from what is durable")]
    Unexpected,
    /// The locked head is ahead, and no staged batch leads to it.
    #[error(
        "the locked head of size {size} has no staged batch; restore the database and the log folder from one moment"
    )]
    NotStaged {
        /// Size of the locked head.
        size: u64,
    },
    /// The staged batch does not lead from the published head to the locked one.
    #[error(
        "the staged batch for size {size} does not lead there from the published head; restore the database and the log folder from one moment"
    )]
    WrongBatch {
        /// Size of the locked head.
        size: u64,
    },
    /// Cosigned was another head than the one that is to be published.
    #[error(
        "cosignatures came for a checkpoint of size {got}, not for the one of size {wanted} that is to be published"
    )]
    WrongCheckpoint {
        /// Size to be published.
        wanted: u64,
        /// Size cosigned.
        got: u64,
    },
    /// The tree cannot take the entries, or its tiles are not what they should be.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// What the driver must do next. Each is done durably before [`Sequencer::report`]; each may be done again.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Keep the batch where recovery finds it, under its `to` head.
    Stage(Batch),
    /// Set the locked head to `to` if it is `from`; otherwise somebody else holds the log: stop.
    SwapHead {
        /// What the locked head must be.
        from: Head,
        /// What it becomes.
        to: Head,
    },
    /// Store these tiles of `batch` (immutable: compared, never overwritten).
    WriteTiles(Batch, Vec<TileFile>),
    /// Sign the checkpoint of `batch.to` as the log, and gather cosignatures until the policy is satisfied, or until so many
    /// signers refuse it that it never can be.
    Cosign(Batch),
    /// Publish this checkpoint.
    Publish(CosignedCheckpoint),
    /// Remove partial tiles whose full versions are published now. Failing to is harmless.
    Prune(Vec<String>),
    /// Remove tiles that only the refused head has.
    Discard(Vec<String>),
}

/// How an action went. A failed action has no report: recover instead.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Done, durably.
    Done,
    /// [`Action::Cosign`] succeeded.
    Cosigned(CosignedCheckpoint),
    /// [`Action::Cosign`] can never succeed: more signers refused the head than the quorum can spare.
    Refused,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// More is to be done: ask [`Sequencer::action`].
    Working,
    /// The batch is published.
    Published(CosignedCheckpoint),
    /// The batch was refused and the log is back at the head before it; its entries are not in the log.
    DroppedBack(Batch),
}

#[derive(Debug)]
enum State {
    Idle,
    Staging(Step),
    Swapping(Step),
    Writing(Step),
    Cosigning(Step),
    Publishing(Step, CosignedCheckpoint),
    Pruning(CosignedCheckpoint, Vec<String>),
    Discarding(Step),
    SwappingBack(Step),
}

#[derive(Debug)]
struct Step {
    batch: Batch,
    edge: Edge,
    files: Vec<TileFile>,
}

/// The sequencer of one log.
#[derive(Debug)]
pub struct Sequencer {
    /// Right edge of the tree at the published head.
    edge: Edge,
    state: State,
}

impl Sequencer {
    /// Takes up the log from what is durable: the edge of the *published* head (loaded from its tiles, or new), the locked
    /// head, and the batch that is staged under it, if any.
    ///
    /// # Errors
    /// [`SequencerError::NotStaged`] or [`SequencerError::WrongBatch`] if they do not fit together.
    pub fn recover(
        published: Edge,
        locked: Head,
        staged: Option<Batch>,
    ) -> Result<Self, SequencerError> {
        if published.head() == locked {
            return Ok(Sequencer {
                edge: published,
                state: State::Idle,
            });
        }
        let batch = staged.ok_or(SequencerError::NotStaged { size: locked.size })?;
        if batch.from != published.head() || batch.to != locked {
            return Err(SequencerError::WrongBatch { size: locked.size });
        }
        let (edge, files) = published.extend(&batch.entries)?;
        if edge.head() != locked {
            return Err(SequencerError::WrongBatch { size: locked.size });
        }
        let step = Step { batch, edge, files };
        Ok(Sequencer {
            edge: published,
            state: State::Writing(step),
        })
    }

    /// The published head.
    pub fn published(&self) -> Head {
        self.edge.head()
    }

    /// Whether a batch can begin.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Begins a batch and returns the index of its first entry.
    ///
    /// # Errors
    /// [`SequencerError::Busy`], [`SequencerError::EmptyBatch`], [`SequencerError::Tree`] for an entry that is too long.
    pub fn begin(&mut self, entries: Vec<Vec<u8>>) -> Result<u64, SequencerError> {
        if !self.is_idle() {
            return Err(SequencerError::Busy);
        }
        if entries.is_empty() {
            return Err(SequencerError::EmptyBatch);
        }
        let (edge, files) = self.edge.extend(&entries)?;
        let batch = Batch {
            from: self.edge.head(),
            to: edge.head(),
            entries,
        };
        self.state = State::Staging(Step { batch, edge, files });
        Ok(self.edge.size())
    }

    /// What must be done next; `None` when idle. Asking again gives the same answer.
    pub fn action(&self) -> Option<Action> {
        Some(match &self.state {
            State::Idle => return None,
            State::Staging(step) => Action::Stage(step.batch.clone()),
            State::Swapping(step) => Action::SwapHead {
                from: step.batch.from,
                to: step.batch.to,
            },
            State::Writing(step) => Action::WriteTiles(step.batch.clone(), step.files.clone()),
            State::Cosigning(step) => Action::Cosign(step.batch.clone()),
            State::Publishing(_, cosigned) => Action::Publish(cosigned.clone()),
            State::Pruning(_, folders) => Action::Prune(folders.clone()),
            State::Discarding(step) => Action::Discard(only_in_new(&step.batch)),
            State::SwappingBack(step) => Action::SwapHead {
                from: step.batch.to,
                to: step.batch.from,
            },
        })
    }

    /// Takes the report of the action that [`Sequencer::action`] named.
    ///
    /// # Errors
    /// [`SequencerError::Unexpected`], [`SequencerError::WrongCheckpoint`]. The sequencer is of no more use then: recover.
    pub fn report(&mut self, report: Report) -> Result<Outcome, SequencerError> {
        let (state, outcome) = match (std::mem::replace(&mut self.state, State::Idle), report) {
            (State::Staging(step), Report::Done) => (State::Swapping(step), Outcome::Working),
            (State::Swapping(step), Report::Done) => (State::Writing(step), Outcome::Working),
            (State::Writing(step), Report::Done) => (State::Cosigning(step), Outcome::Working),
            (State::Cosigning(step), Report::Cosigned(cosigned)) => {
                if cosigned.head() != step.batch.to {
                    let (wanted, got) = (step.batch.to.size, cosigned.head().size);
                    return Err(SequencerError::WrongCheckpoint { wanted, got });
                }
                (State::Publishing(step, cosigned), Outcome::Working)
            }
            (State::Cosigning(step), Report::Refused) => {
                (State::Discarding(step), Outcome::Working)
            }
            (State::Publishing(step, cosigned), Report::Done) => {
                let folders = now_full(&step.batch);
                self.edge = step.edge;
                if folders.is_empty() {
                    (State::Idle, Outcome::Published(cosigned))
                } else {
                    (State::Pruning(cosigned, folders), Outcome::Working)
                }
            }
            (State::Pruning(cosigned, _), Report::Done) => {
                (State::Idle, Outcome::Published(cosigned))
            }
            (State::Discarding(step), Report::Done) => {
                (State::SwappingBack(step), Outcome::Working)
            }
            (State::SwappingBack(step), Report::Done) => {
                (State::Idle, Outcome::DroppedBack(step.batch))
            }
            _ => return Err(SequencerError::Unexpected),
        };
        self.state = state;
        Ok(outcome)
    }
}

/// Files that the refused head has and the head before it has not.
fn only_in_new(batch: &Batch) -> Vec<String> {
    new_tiles(batch.from.size, batch.to.size)
        .iter()
        .map(|tile| tile.path())
        .collect()
}

/// Folders of partial tiles that this batch made full.
fn now_full(batch: &Batch) -> Vec<String> {
    new_tiles(batch.from.size, batch.to.size)
        .iter()
        .filter(|tile| tile.width == FULL_WIDTH)
        .map(|tile| tile.partials_folder())
        .collect()
}

impl Batch {
    /// The batch as bytes, for staging: both heads, then the entries as a bundle.
    ///
    /// # Errors
    /// [`TileError::EntryTooLong`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, TileError> {
        let mut bytes = Vec::new();
        for head in [&self.from, &self.to] {
            bytes.extend(head.size.to_be_bytes());
            bytes.extend(head.root);
        }
        bytes.extend(encode_bundle(&self.entries)?);
        Ok(bytes)
    }

    /// Reads it back. Whether it leads where it says is checked by [`Sequencer::recover`].
    ///
    /// # Errors
    /// [`TreeError`] if it is cut or counts wrongly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TreeError> {
        fn head(bytes: &[u8]) -> Result<(Head, &[u8]), TileError> {
            let (size, rest) = bytes.split_first_chunk::<8>().ok_or(TileError::Truncated)?;
            let (root, rest) = rest.split_first_chunk::<32>().ok_or(TileError::Truncated)?;
            Ok((
                Head {
                    size: u64::from_be_bytes(*size),
                    root: *root,
                },
                rest,
            ))
        }
        let (from, rest) = head(bytes)?;
        let (to, rest) = head(rest)?;
        let entries = decode_bundle(rest)?;
        if from.size.checked_add(entries.len() as u64) != Some(to.size) || entries.is_empty() {
            return Err(ProofError::WentBack {
                old: from.size,
                new: to.size,
            }
            .into());
        }
        Ok(Batch { from, to, entries })
    }
}

#[cfg(test)]
mod tests;
