//! Reading a log again, as an auditor or a wallet does: from tiles that nobody vouches for, under a head that somebody does.

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::merkle::{Head, ProofError};
use crate::storage::{CHECKPOINT_PATH, ReadError, StorageError, TileSource, read_entries};
use crate::tile::{Content, FULL_WIDTH, Tile, new_tiles};
use crate::tree::{Edge, TreeError, head_at, prove_consistency, prove_inclusion};
use crate::{CosignedCheckpoint, Hash, LoggedEntry};

/// Why reading a log ended.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A tile is missing, damaged or not this tree's.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A hash tile is not what the entries hash to.
    #[error("{0} is not what the log's entries hash to; compare with a signer's copy")]
    WrongTile(String),
}

impl From<ReadError> for AuditError {
    fn from(error: ReadError) -> Self {
        AuditError::Tree(error.into())
    }
}

/// A reader over a tile folder, a mirror, or anything else that files can be had from.
#[derive(Debug)]
pub struct LogReader<S> {
    source: S,
}

impl<S: TileSource> LogReader<S> {
    /// A reader of this source.
    pub fn new(source: S) -> Self {
        LogReader { source }
    }

    /// Where it reads.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The newest checkpoint, unverified; `None` before the first one.
    ///
    /// # Errors
    /// [`StorageError`] if the medium fails; the inner error if the file is no checkpoint.
    pub fn checkpoint(
        &self,
    ) -> Result<Option<Result<SignedCheckpoint, CheckpointError>>, StorageError> {
        Ok(self
            .source
            .get(CHECKPOINT_PATH)?
            .map(|note| SignedCheckpoint::parse(&note)))
    }

    /// Reads every entry of the tree `head`, in order, recomputes all its tiles and its root, and compares them with what is
    /// stored, full tiles and partial ones. `visit` sees each entry *before* the root is checked: what it made of them counts
    /// only if this returns `Ok`. Memory: one bundle at a time.
    ///
    /// # Errors
    /// [`AuditError`] by what is wrong; an error of `visit` ends the reading with itself.
    pub fn audit<E: From<AuditError>>(
        &self,
        head: &Head,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut edge = Edge::new();
        for tile in new_tiles(0, head.size)
            .into_iter()
            .filter(|t| t.content == Content::Entries)
        {
            let entries =
                read_entries(&self.source, tile.index, tile.width).map_err(AuditError::from)?;
            for (index, entry) in (tile.index.saturating_mul(u64::from(FULL_WIDTH))..).zip(&entries)
            {
                visit(index, entry)?;
            }
            let (next, files) = edge.extend(&entries).map_err(AuditError::from)?;
            let last = next.size() == head.size;
            for file in files.iter().filter(|f| last || f.tile.width == FULL_WIDTH) {
                self.compare(&file.tile, &file.bytes)?;
            }
            edge = next;
        }
        // Partial tiles of upper levels that the last bundle did not touch.
        for tile in new_tiles(0, head.size) {
            if let Content::Hashes(level) = tile.content
                && level > 0
                && tile.width < FULL_WIDTH
            {
                self.compare(&tile, &edge.partial_hashes(level))?;
            }
        }
        if edge.head() != *head {
            return Err(AuditError::from(TreeError::WrongRoot { size: head.size }).into());
        }
        Ok(())
    }

    fn compare(&self, tile: &Tile, expected: &[u8]) -> Result<(), AuditError> {
        let path = tile.path();
        let stored = match tile.content {
            Content::Entries => return Ok(()),
            Content::Hashes(level) => {
                crate::storage::read_hashes(&self.source, level, tile.index, tile.width)?
            }
        };
        if stored.concat() == expected {
            Ok(())
        } else {
            Err(AuditError::WrongTile(path))
        }
    }

    /// The head that the tree `head` had at `size`, checked.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn head_at(&self, head: &Head, size: u64) -> Result<Head, TreeError> {
        head_at(&self.source, head, size)
    }

    /// Proof that the tree `head` begins with what it was at `old`, checked.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn consistency(&self, head: &Head, old: u64) -> Result<Vec<Hash>, TreeError> {
        prove_consistency(&self.source, head, old, head.size)
    }

    /// One entry by its index, with its inclusion checked under a cosigned checkpoint, and the proof.
    ///
    /// # Errors
    /// [`TreeError`] if it is not there or not included.
    pub fn entry(
        &self,
        index: u64,
        checkpoint: &CosignedCheckpoint,
    ) -> Result<(LoggedEntry, Vec<Hash>), TreeError> {
        let head = checkpoint.head();
        if index >= head.size {
            return Err(ProofError::OutsideTree {
                index,
                size: head.size,
            }
            .into());
        }
        let full = u64::from(FULL_WIDTH);
        let width = (head.size - index / full * full).min(full) as u16;
        let entries = read_entries(&self.source, index / full, width)?;
        let entry = entries
            .into_iter()
            .nth((index % full) as usize)
            .unwrap_or_default();
        let proof = prove_inclusion(&self.source, &head, index, head.size)?;
        let logged = LoggedEntry::check(entry, index, &proof, checkpoint)
            .map_err(|_| TreeError::WrongRoot { size: head.size })?;
        Ok((logged, proof))
    }
}

/// Every file below the log's prefix that a tree of `size` entries consists of, entry bundles first: what to fetch to have the
/// whole log. A partial one may be gone once it is full; then the path without `.p/…` has it.
pub fn paths(size: u64) -> impl Iterator<Item = String> {
    new_tiles(0, size).into_iter().map(|tile| tile.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tree;
    use crate::storage::{MemoryStorage, Storage};

    fn log(sizes: &[u64]) -> (MemoryStorage, Head) {
        let mut tree = Tree::new(MemoryStorage::new());
        let mut next = 0u64;
        for size in sizes {
            tree.append(
                &(next..next + size)
                    .map(|i| i.to_be_bytes().to_vec())
                    .collect::<Vec<_>>(),
            )
            .unwrap();
            next += size;
        }
        let head = tree.head();
        (tree.storage().clone(), head)
    }

    fn audit(source: &MemoryStorage, head: &Head) -> Result<u64, AuditError> {
        let mut seen = 0;
        LogReader::new(source).audit(head, |index, entry| {
            assert_eq!(entry, index.to_be_bytes());
            seen += 1;
            Ok::<(), AuditError>(())
        })?;
        Ok(seen)
    }

    #[test]
    fn a_log_reads_back_whatever_its_batches_were() {
        for sizes in [
            &[][..],
            &[1],
            &[256],
            &[100, 156],
            &[255, 2, 300],
            &[512, 1],
            &[700],
        ] {
            let (storage, head) = log(sizes);
            assert_eq!(audit(&storage, &head).unwrap(), head.size, "{sizes:?}");
        }
    }

    #[test]
    fn partial_tiles_that_were_pruned_are_cut_from_the_full_ones() {
        let (mut storage, _) = log(&[100, 200]);
        let old = LogReader::new(&storage)
            .head_at(&log(&[100, 200]).1, 100)
            .unwrap();
        storage.discard("tile/0/000.p").unwrap();
        storage.discard("tile/entries/000.p").unwrap();
        assert_eq!(audit(&storage, &old).unwrap(), 100);
    }

    #[test]
    fn bad_every_stored_file_matters() {
        let (good, head) = log(&[300, 300]);
        let needed: Vec<String> = paths(head.size).collect();
        for path in &needed {
            let mut bad = good.clone();
            bad.discard(path).unwrap();
            assert!(audit(&bad, &head).is_err(), "{path} missing");
            let mut bytes = good.get(path).unwrap().unwrap();
            // Flip the last bit of a hash, or of an entry's content.
            *bytes.last_mut().unwrap() ^= 1;
            bad.put_immutable(path, &bytes).unwrap();
            let read = LogReader::new(&bad).audit(&head, |_, _| Ok::<(), AuditError>(()));
            assert!(read.is_err(), "{path} altered");
        }
        assert!(matches!(
            audit(
                &good,
                &Head {
                    root: [0; 32],
                    ..head
                }
            ),
            Err(AuditError::Tree(TreeError::WrongRoot { .. }))
        ));
    }
}
