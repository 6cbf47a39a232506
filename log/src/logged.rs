//! An entry that is known to be in the log.

use crate::Hash;
use crate::merkle::{ProofError, check_inclusion, leaf_hash};
use crate::policy::CosignedCheckpoint;

/// An entry with its index, under a checkpoint that a policy's quorum cosigned.
///
/// There is one way to get one: [`LoggedEntry::check`], a checked inclusion proof under a [`CosignedCheckpoint`], which in its
/// turn comes only from a policy. So "no log entry, no certificate" is a matter of types: what signs takes a `LoggedEntry`.
#[derive(Debug)]
pub struct LoggedEntry {
    index: u64,
    entry: Vec<u8>,
    checkpoint: CosignedCheckpoint,
}

impl LoggedEntry {
    /// Checks that `entry` is entry `index` of the log at `checkpoint`.
    ///
    /// # Errors
    /// [`ProofError`] if the proof does not show it.
    pub fn check(
        entry: Vec<u8>,
        index: u64,
        proof: &[Hash],
        checkpoint: &CosignedCheckpoint,
    ) -> Result<Self, ProofError> {
        check_inclusion(index, &leaf_hash(&entry), proof, &checkpoint.head())?;
        Ok(LoggedEntry {
            index,
            entry,
            checkpoint: checkpoint.clone(),
        })
    }

    /// Position in the log, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The entry's bytes.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The cosigned checkpoint that covers it.
    pub fn checkpoint(&self) -> &CosignedCheckpoint {
        &self.checkpoint
    }
}
