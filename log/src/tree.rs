//! Growing a tree, and proving things from its tiles.
//!
//! [`Edge`] is the growing side: it remembers only the partial tiles at the right of the tree, which is all that is needed to
//! append. It is pure: appending gives the next edge and the tiles to write, and whoever drives it decides when they are
//! written. [`Tree`] is an edge with a storage, for those who write at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tlog_tiles::{HashReader, tlog};

use crate::Hash;
use crate::merkle::{
    EMPTY_ROOT, Head, MAX_TREE_SIZE, ProofError, check_consistency, check_inclusion, leaf_hash,
    node_hash,
};
use crate::storage::{ReadError, Storage, StorageError, TileSource, read_entries, read_hashes};
use crate::tile::{
    Content, FULL_WIDTH, Tile, TileError, TileFile, encode_bundle, encode_hashes, hashes_at,
};

/// Why a tree could not be loaded, grown or proved from.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A tile could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A tile could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What is stored does not have the root that it should have.
    #[error(
        "the stored tiles do not give the root of size {size}; they were changed: compare with a signer's copy"
    )]
    WrongRoot {
        /// Size of the tree.
        size: u64,
    },
    /// An entry is too long.
    #[error(transparent)]
    Entry(#[from] TileError),
    /// The index or size asked for is not in the tree.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// The right edge of a tree: its partial tiles and its partial entry bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Per level of the tiling, the hashes of its rightmost tile while that is partial (0 to 255 of them).
    levels: Vec<Vec<Hash>>,
    /// The entries of the rightmost bundle while that is partial.
    bundle: Vec<Vec<u8>>,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// The edge of the tree without entries.
    pub fn new() -> Self {
        Edge {
            size: 0,
            levels: Vec::new(),
            bundle: Vec::new(),
        }
    }

    /// Reads the edge of the tree `head` from its tiles, and checks that they give its root and that the newest bundle's
    /// entries are those that were hashed.
    ///
    /// # Errors
    /// [`TreeError::Read`] if a tile is missing or damaged, [`TreeError::WrongRoot`] if they are not this tree's.
    pub fn load(source: &(impl TileSource + ?Sized), head: &Head) -> Result<Self, TreeError> {
        if head.size > MAX_TREE_SIZE {
            return Err(ProofError::TooLarge(head.size).into());
        }
        let full = u64::from(FULL_WIDTH);
        let mut edge = Edge {
            size: head.size,
            levels: Vec::new(),
            bundle: Vec::new(),
        };
        for level in 0..8 {
            let count = hashes_at(head.size, level);
            if count == 0 {
                break;
            }
            let width = (count % full) as u16;
            edge.levels.push(if width == 0 {
                Vec::new()
            } else {
                read_hashes(source, level, count / full, width)?
            });
        }
        let width = (head.size % full) as u16;
        if width > 0 {
            edge.bundle = read_entries(source, head.size / full, width)?;
        }
        let leaves: Vec<Hash> = edge.bundle.iter().map(|e| leaf_hash(e)).collect();
        let stored = edge.levels.first().map(Vec::as_slice).unwrap_or_default();
        if edge.root() != head.root || leaves != stored {
            return Err(TreeError::WrongRoot { size: head.size });
        }
        Ok(edge)
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        Head {
            size: self.size,
            root: self.root(),
        }
    }

    /// The root of the whole tree: the perfect subtrees that the edge is made of, folded from the smallest (RFC 6962, 2.1).
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for level in &self.levels {
            // Within a tile, the perfect subtrees from right to left have the sizes of the set bits of its width, rising.
            let mut end = level.len();
            while end > 0 {
                let size = 1usize << end.trailing_zeros();
                let subtree = perfect_root(level.get(end - size..end).unwrap_or_default());
                root = Some(match root {
                    Some(right) => node_hash(&subtree, &right),
                    None => subtree,
                });
                end -= size;
            }
        }
        root.unwrap_or(EMPTY_ROOT)
    }

    /// The edge after `entries`, and the tiles to write for it: those of [`crate::tile::new_tiles`], in that tree.
    /// The edge itself stays as it is, so that a batch which fails leaves nothing behind.
    ///
    /// # Errors
    /// [`TreeError::Entry`] for an entry over 65,535 bytes; [`TreeError::Proof`] if the tree would be too large.
    pub fn extend<E: AsRef<[u8]>>(
        &self,
        entries: &[E],
    ) -> Result<(Edge, Vec<TileFile>), TreeError> {
        let size = self.size.saturating_add(entries.len() as u64);
        if size > MAX_TREE_SIZE {
            return Err(ProofError::TooLarge(size).into());
        }
        let mut edge = self.clone();
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            edge.bundle.push(entry.to_vec());
            edge.size += 1;
            edge.push(0, leaf_hash(entry), &mut files)?;
        }
        let full = u64::from(FULL_WIDTH);
        for (level, hashes) in edge.levels.iter().enumerate() {
            let level = level as u8;
            let count = hashes_at(size, level);
            if count != hashes_at(self.size, level) && !hashes.is_empty() {
                let tile = Tile {
                    content: Content::Hashes(level),
                    index: count / full,
                    width: hashes.len() as u16,
                };
                files.push(TileFile {
                    tile,
                    bytes: encode_hashes(hashes),
                });
            }
        }
        if !entries.is_empty() && !edge.bundle.is_empty() {
            let tile = Tile {
                content: Content::Entries,
                index: size / full,
                width: edge.bundle.len() as u16,
            };
            files.push(TileFile {
                tile,
                bytes: encode_bundle(&edge.bundle)?,
            });
        }
        Ok((edge, files))
    }

    /// The rightmost tile of a level while it is partial, as bytes.
    pub(crate) fn partial_hashes(&self, level: u8) -> Vec<u8> {
        self.levels
            .get(usize::from(level))
            .map(|hashes| encode_hashes(hashes))
            .unwrap_or_default()
    }

    /// Adds a hash to a level; a tile that becomes full is written, and its root goes one level up.
    fn push(&mut self, level: u8, hash: Hash, files: &mut Vec<TileFile>) -> Result<(), TreeError> {
        let position = usize::from(level);
        if self.levels.len() <= position {
            self.levels.push(Vec::new());
        }
        let Some(hashes) = self.levels.get_mut(position) else {
            return Ok(());
        };
        hashes.push(hash);
        if hashes.len() < usize::from(FULL_WIDTH) {
            return Ok(());
        }
        let hashes = std::mem::take(hashes);
        let index = (hashes_at(self.size, level) / u64::from(FULL_WIDTH)).saturating_sub(1);
        if level == 0 {
            let tile = Tile {
                content: Content::Entries,
                index,
                width: FULL_WIDTH,
            };
            files.push(TileFile {
                tile,
                bytes: encode_bundle(&std::mem::take(&mut self.bundle))?,
            });
        }
        let tile = Tile {
            content: Content::Hashes(level),
            index,
            width: FULL_WIDTH,
        };
        files.push(TileFile {
            tile,
            bytes: encode_hashes(&hashes),
        });
        self.push(level + 1, perfect_root(&hashes), files)
    }
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

/// A tree in a storage: appends at once, and proves.
#[derive(Debug)]
pub struct Tree<S> {
    storage: S,
    edge: Edge,
}

impl<S: Storage> Tree<S> {
    /// A new tree without entries.
    pub fn new(storage: S) -> Self {
        Tree {
            storage,
            edge: Edge::new(),
        }
    }

    /// The tree `head` that `storage` holds; see [`Edge::load`].
    ///
    /// # Errors
    /// As [`Edge::load`].
    pub fn load(storage: S, head: &Head) -> Result<Self, TreeError> {
        let edge = Edge::load(&storage, head)?;
        Ok(Tree { storage, edge })
    }

    /// Appends `entries` and writes their tiles, leaves first. Fails without having grown; what was written by then is
    /// written again, alike, when it is tried again.
    ///
    /// # Errors
    /// [`TreeError::Entry`], [`TreeError::Storage`].
    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) -> Result<Head, TreeError> {
        let (edge, files) = self.edge.extend(entries)?;
        self.storage.put_tiles(&files)?;
        self.edge = edge;
        Ok(self.edge.head())
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        self.edge.head()
    }

    /// The right edge.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The storage, for objects and checkpoint.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// The head that the tree had at `size`.
    ///
    /// # Errors
    /// As [`head_at`].
    pub fn head_at(&self, size: u64) -> Result<Head, TreeError> {
        head_at(&self.storage, &self.head(), size)
    }

    /// Proof that entry `index` is in the tree as it was at `size`.
    ///
    /// # Errors
    /// As [`prove_inclusion`].
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        prove_inclusion(&self.storage, &self.head(), index, size)
    }

    /// Proof that the tree as it was at `new` begins with what it was at `old`.
    ///
    /// # Errors
    /// As [`prove_consistency`].
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        prove_consistency(&self.storage, &self.head(), old, new)
    }
}

/// The head that the stored tree `head` had at `size`, checked against `head`.
///
/// # Errors
/// [`TreeError::Proof`] if `size` is beyond the tree; [`TreeError::Read`]; [`TreeError::WrongRoot`] if the tiles are not its.
pub fn head_at(
    source: &(impl TileSource + ?Sized),
    head: &Head,
    size: u64,
) -> Result<Head, TreeError> {
    if size == head.size {
        return Ok(*head);
    }
    if size > head.size {
        return Err(ProofError::WentBack {
            old: size,
            new: head.size,
        }
        .into());
    }
    let root = TileHashes::new(source, head.size).run(|r| tlog::tree_hash(size, r))?;
    let old = Head { size, root: root.0 };
    let proof = prove_consistency_unchecked(source, head.size, size, head.size)?;
    check_consistency(&old, head, &proof).map_err(|_| TreeError::WrongRoot { size })?;
    Ok(old)
}

/// Proof that entry `index` is in the tree as it was at `size`, from the tiles of the stored tree `head`, checked.
///
/// # Errors
/// [`TreeError::Proof`] if it is not; [`TreeError::Read`]; [`TreeError::WrongRoot`] if the tiles are not this tree's.
pub fn prove_inclusion(
    source: &(impl TileSource + ?Sized),
    head: &Head,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, TreeError> {
    let at = head_at(source, head, size)?;
    if index >= size {
        return Err(ProofError::OutsideTree { index, size }.into());
    }
    let hashes = TileHashes::new(source, head.size);
    let leaf = hashes.run(|r| r.read_hashes(&[tlog::stored_hash_index(0, index)]))?;
    let proof: Vec<Hash> = hashes
        .run(|r| tlog::prove_record(size, index, r))?
        .iter()
        .map(|h| h.0)
        .collect();
    let leaf = leaf.first().map(|h| h.0).unwrap_or_default();
    check_inclusion(index, &leaf, &proof, &at).map_err(|_| TreeError::WrongRoot { size })?;
    Ok(proof)
}

/// Proof that the tree as it was at `new` begins with what it was at `old`, from the tiles of the stored tree `head`, checked.
///
/// # Errors
/// [`TreeError::Proof`] if a size is out of order; [`TreeError::Read`]; [`TreeError::WrongRoot`].
pub fn prove_consistency(
    source: &(impl TileSource + ?Sized),
    head: &Head,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, TreeError> {
    if old > new {
        return Err(ProofError::WentBack { old, new }.into());
    }
    let new_head = head_at(source, head, new)?;
    let old_head = head_at(source, head, old)?;
    let proof = prove_consistency_unchecked(source, head.size, old, new)?;
    check_consistency(&old_head, &new_head, &proof)
        .map_err(|_| TreeError::WrongRoot { size: old })?;
    Ok(proof)
}

fn prove_consistency_unchecked(
    source: &(impl TileSource + ?Sized),
    stored: u64,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, TreeError> {
    if old == 0 {
        return Ok(Vec::new());
    }
    let proof = TileHashes::new(source, stored).run(|r| tlog::prove_tree(new, old, r))?;
    Ok(proof.iter().map(|h| h.0).collect())
}

/// The complete nodes of a stored tree, read from its tiles. Nothing read is trusted: callers check the proof it becomes.
struct TileHashes<'a, T: ?Sized> {
    source: &'a T,
    size: u64,
    cache: RefCell<BTreeMap<(u8, u64), Vec<u8>>>,
    failure: RefCell<Option<ReadError>>,
}

impl<'a, T: TileSource + ?Sized> TileHashes<'a, T> {
    fn new(source: &'a T, size: u64) -> Self {
        TileHashes {
            source,
            size,
            cache: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Runs one of tlog's functions over these hashes and gives back our own error where reading failed.
    fn run<R>(&self, f: impl FnOnce(&Self) -> Result<R, tlog::Error>) -> Result<R, TreeError> {
        f(self).map_err(|_| match self.failure.borrow_mut().take() {
            Some(error) => TreeError::Read(error),
            None => TreeError::WrongRoot { size: self.size },
        })
    }

    fn tile(&self, level: u8, index: u64) -> Result<Vec<u8>, tlog::Error> {
        if let Some(bytes) = self.cache.borrow().get(&(level, index)) {
            return Ok(bytes.clone());
        }
        let left =
            hashes_at(self.size, level).saturating_sub(index.saturating_mul(u64::from(FULL_WIDTH)));
        let width = left.min(u64::from(FULL_WIDTH)) as u16;
        if width == 0 {
            return Err(tlog::Error::IndexesNotInTree);
        }
        match read_hashes(self.source, level, index, width) {
            Ok(hashes) => {
                let bytes = encode_hashes(&hashes);
                self.cache
                    .borrow_mut()
                    .insert((level, index), bytes.clone());
                Ok(bytes)
            }
            Err(error) => {
                *self.failure.borrow_mut() = Some(error);
                Err(tlog::Error::InvalidTile)
            }
        }
    }
}

impl<T: TileSource + ?Sized> HashReader for TileHashes<'_, T> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        indexes
            .iter()
            .map(|&index| {
                let tile = tlog_tiles::Tile::from_index(8, index);
                tile.hash_at_index(&self.tile(tile.level(), tile.level_index())?, index)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;
    use crate::tile::new_tiles;

    fn entry(i: u64) -> Vec<u8> {
        format!("entry {i}").into_bytes()
    }

    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => *one,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..split]), &naive_root(&leaves[split..]))
            }
        }
    }

    #[test]
    fn roots_tiles_and_reloads_agree_at_every_size() {
        let mut tree = Tree::new(MemoryStorage::new());
        let mut leaves = Vec::new();
        assert_eq!(tree.head(), Head::EMPTY);
        let mut next = 0u64;
        for batch in [1u64, 2, 3, 1, 249, 1, 1, 254, 256, 300, 1] {
            let entries: Vec<_> = (next..next + batch).map(entry).collect();
            leaves.extend(entries.iter().map(|e| leaf_hash(e)));
            let (_, files) = tree.edge().extend(&entries).unwrap();
            let mut written: Vec<_> = files.iter().map(|f| f.tile).collect();
            let mut expected = new_tiles(next, next + batch);
            written.sort();
            expected.sort();
            assert_eq!(written, expected, "after {next}");
            let head = tree.append(&entries).unwrap();
            next += batch;
            assert_eq!(
                head,
                Head {
                    size: next,
                    root: naive_root(&leaves)
                }
            );
            assert_eq!(Edge::load(tree.storage(), &head).unwrap(), *tree.edge());
        }
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 700, next] {
            assert_eq!(
                tree.head_at(size).unwrap().root,
                naive_root(&leaves[..size as usize]),
                "size {size}"
            );
            for old in [0, 1, 3, 200, 256, 500] {
                if old <= size {
                    tree.prove_consistency(old, size).unwrap();
                }
            }
            for index in [0, 1, 255, 256, 600] {
                assert_eq!(tree.prove_inclusion(index, size).is_ok(), index < size);
            }
        }
        assert!(tree.head_at(next + 1).is_err());
        assert!(tree.prove_consistency(3, 2).is_err());
    }

    #[test]
    fn an_entry_that_is_too_long_changes_nothing() {
        let mut tree = Tree::new(MemoryStorage::new());
        tree.append(&[entry(0)]).unwrap();
        let head = tree.head();
        assert!(matches!(
            tree.append(&[vec![0; 65_536]]),
            Err(TreeError::Entry(_))
        ));
        assert_eq!(tree.head(), head);
        assert_eq!(tree.append(&[vec![0; 65_535]]).unwrap().size, 2);
    }

    #[test]
    fn bad_stored_tiles_are_noticed() {
        let mut tree = Tree::new(MemoryStorage::new());
        let head = tree
            .append(&(0..300).map(entry).collect::<Vec<_>>())
            .unwrap();
        let good = tree.storage().clone();
        for path in [
            "tile/0/000",
            "tile/0/001.p/44",
            "tile/1/000.p/1",
            "tile/entries/001.p/44",
        ] {
            let mut bad = MemoryStorage::new();
            for stored in good.paths() {
                let mut bytes = good.get(stored).unwrap().unwrap();
                if stored == path {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                bad.put_immutable(stored, &bytes).unwrap();
            }
            let loads = Edge::load(&bad, &head).is_ok();
            let proves = prove_inclusion(&bad, &head, 3, 300).is_ok()
                && prove_inclusion(&bad, &head, 299, 300).is_ok();
            assert!(!(loads && proves), "{path}");
        }
    }
}
