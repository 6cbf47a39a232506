//! Where tiles, objects and the checkpoint are kept.
//!
//! Everything but the checkpoint is immutable: writing the same bytes again is fine (that is what recovery does), writing
//! others is an error that halts the log rather than rewriting history.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::Hash;
use crate::tile::{Content, FULL_WIDTH, Tile, TileError, TileFile, decode_bundle, decode_hashes};

/// The path of the newest published checkpoint, the one file that is replaced.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Why a storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Other bytes are already stored under this path.
    #[error(
        "{path} is already stored with other bytes; the log's files were changed or two logs share this place: stop, and compare with a signer's copy"
    )]
    Conflict {
        /// Path below the log's prefix.
        path: String,
    },
    /// The medium failed; the write may or may not have happened.
    #[error(
        "{path} could not be read or written: {reason}; check the disk or the connection, then start again: the log resumes where it was"
    )]
    Unavailable {
        /// Path below the log's prefix.
        path: String,
        /// What the medium said.
        reason: String,
    },
}

/// Why a tile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The tile is not there, neither at its width nor full.
    #[error("{0} is missing; copy it from the service or from a signer's log")]
    Missing(String),
    /// The tile is there, but is not of its shape.
    #[error("{path} is damaged: {error}; copy it from the service or from a signer's log")]
    Damaged {
        /// Path below the log's prefix.
        path: String,
        /// What is wrong with it.
        error: TileError,
    },
    /// The medium failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Something that tiles can be read from: the log's own storage, a mirror, or files fetched beforehand.
pub trait TileSource {
    /// The bytes under `path`, or `None` if there are none.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the medium fails.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError>;
}

/// A place that a log is written to. Each operation is durable before it returns.
pub trait Storage: TileSource {
    /// Stores `bytes` under `path` for good. The same bytes again succeed; others never overwrite.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if other bytes are there; [`StorageError::Unavailable`] if the medium fails.
    fn put_immutable(&mut self, path: &str, bytes: &[u8]) -> Result<(), StorageError>;

    /// Stores several tiles, in order; a storage that can sync once for all of them does.
    ///
    /// # Errors
    /// As [`Storage::put_immutable`]; some may have been stored by then.
    fn put_tiles(&mut self, files: &[TileFile]) -> Result<(), StorageError> {
        files
            .iter()
            .try_for_each(|file| self.put_immutable(&file.tile.path(), &file.bytes))
    }

    /// Replaces the checkpoint, atomically: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the medium fails.
    fn put_checkpoint(&mut self, note: &[u8]) -> Result<(), StorageError>;

    /// Removes a tile that no published checkpoint covers (a head that the quorum refused), or every partial version of a tile
    /// whose full version is stored (`tile` then names that folder, [`Tile::partials_folder`]). Nothing there is no error.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the medium fails.
    fn discard(&mut self, path: &str) -> Result<(), StorageError>;
}

impl<T: TileSource + ?Sized> TileSource for &T {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        (**self).get(path)
    }
}

impl<T: TileSource + ?Sized> TileSource for &mut T {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        (**self).get(path)
    }
}

impl<T: Storage + ?Sized> Storage for &mut T {
    fn put_immutable(&mut self, path: &str, bytes: &[u8]) -> Result<(), StorageError> {
        (**self).put_immutable(path, bytes)
    }
    fn put_tiles(&mut self, files: &[TileFile]) -> Result<(), StorageError> {
        (**self).put_tiles(files)
    }
    fn put_checkpoint(&mut self, note: &[u8]) -> Result<(), StorageError> {
        (**self).put_checkpoint(note)
    }
    fn discard(&mut self, path: &str) -> Result<(), StorageError> {
        (**self).discard(path)
    }
}

/// The path of an object beside the tiles: `objects/<sha256, lower-case hex>`.
pub fn object_path(digest: &[u8; 32]) -> String {
    format!("objects/{}", data_encoding::HEXLOWER.encode(digest))
}

/// Stores an object beside the tiles and returns its digest.
///
/// # Errors
/// [`StorageError`], as of [`Storage::put_immutable`].
pub fn put_object(
    storage: &mut (impl Storage + ?Sized),
    bytes: &[u8],
) -> Result<[u8; 32], StorageError> {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    storage.put_immutable(&object_path(&digest), bytes)?;
    Ok(digest)
}

/// Reads an object by its digest; `None` also if what is stored there has another digest.
///
/// # Errors
/// [`StorageError::Unavailable`] if the medium fails.
pub fn get_object(
    source: &(impl TileSource + ?Sized),
    digest: &[u8; 32],
) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(source
        .get(&object_path(digest))?
        .filter(|bytes| Sha256::digest(bytes).as_slice() == digest))
}

/// Reads a tile's bytes; a partial tile that is gone is cut from the full one (C2SP tlog-tiles, "Partial Tiles").
fn read(source: &(impl TileSource + ?Sized), tile: &Tile) -> Result<(Vec<u8>, bool), ReadError> {
    if let Some(bytes) = source.get(&tile.path())? {
        return Ok((bytes, false));
    }
    let full = Tile {
        width: FULL_WIDTH,
        ..*tile
    };
    match source.get(&full.path())? {
        Some(bytes) if tile.width < FULL_WIDTH => Ok((bytes, true)),
        _ => Err(ReadError::Missing(tile.path())),
    }
}

fn cut<T>(tile: &Tile, mut items: Vec<T>, from_full: bool) -> Result<Vec<T>, TileError> {
    let expected = if from_full { FULL_WIDTH } else { tile.width };
    if items.len() != usize::from(expected) {
        return Err(TileError::WrongWidth {
            expected,
            found: items.len(),
        });
    }
    items.truncate(usize::from(tile.width));
    Ok(items)
}

/// Reads the hashes of a level's tile number `index`, of the given width.
///
/// # Errors
/// [`ReadError`] if it is missing or damaged. Nothing says yet that these are the right hashes.
pub fn read_hashes(
    source: &(impl TileSource + ?Sized),
    level: u8,
    index: u64,
    width: u16,
) -> Result<Vec<Hash>, ReadError> {
    let tile = Tile {
        content: Content::Hashes(level),
        index,
        width,
    };
    let (bytes, from_full) = read(source, &tile)?;
    decode_hashes(&bytes)
        .and_then(|hashes| cut(&tile, hashes, from_full))
        .map_err(|error| ReadError::Damaged {
            path: tile.path(),
            error,
        })
}

/// Reads the entries of bundle number `index`, of the given width.
///
/// # Errors
/// [`ReadError`] if it is missing or damaged. Nothing says yet that these are the right entries.
pub fn read_entries(
    source: &(impl TileSource + ?Sized),
    index: u64,
    width: u16,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let tile = Tile {
        content: Content::Entries,
        index,
        width,
    };
    let (bytes, from_full) = read(source, &tile)?;
    decode_bundle(&bytes)
        .and_then(|entries| cut(&tile, entries, from_full))
        .map_err(|error| ReadError::Damaged {
            path: tile.path(),
            error,
        })
}

/// A log kept in memory: tests, simulations, and tiles that were fetched before they are checked.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// The paths of all stored files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

impl TileSource for MemoryStorage {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.files.get(path).cloned())
    }
}

impl Storage for MemoryStorage {
    fn put_immutable(&mut self, path: &str, bytes: &[u8]) -> Result<(), StorageError> {
        match self.files.get(path) {
            Some(stored) if stored == bytes => Ok(()),
            Some(_) => Err(StorageError::Conflict {
                path: path.to_owned(),
            }),
            None => {
                self.files.insert(path.to_owned(), bytes.to_vec());
                Ok(())
            }
        }
    }

    fn put_checkpoint(&mut self, note: &[u8]) -> Result<(), StorageError> {
        self.files.insert(CHECKPOINT_PATH.to_owned(), note.to_vec());
        Ok(())
    }

    fn discard(&mut self, path: &str) -> Result<(), StorageError> {
        let folder = format!("{path}/");
        self.files
            .retain(|stored, _| stored != path && !stored.starts_with(&folder));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutable_files_are_compared_never_overwritten() {
        let mut storage = MemoryStorage::new();
        storage.put_immutable("tile/0/000.p/1", &[1; 32]).unwrap();
        storage.put_immutable("tile/0/000.p/1", &[1; 32]).unwrap();
        assert!(matches!(
            storage.put_immutable("tile/0/000.p/1", &[2; 32]),
            Err(StorageError::Conflict { .. })
        ));
        assert_eq!(storage.get("tile/0/000.p/1").unwrap().unwrap(), [1; 32]);
        storage.discard("tile/0/000.p").unwrap();
        assert_eq!(storage.get("tile/0/000.p/1").unwrap(), None);
    }

    #[test]
    fn objects_are_read_only_under_their_own_digest() {
        let mut storage = MemoryStorage::new();
        let digest = put_object(&mut storage, b"a file").unwrap();
        assert_eq!(get_object(&storage, &digest).unwrap().unwrap(), b"a file");
        let mut damaged = MemoryStorage::new();
        damaged
            .put_immutable(&object_path(&digest), b"another")
            .unwrap();
        assert_eq!(get_object(&damaged, &digest).unwrap(), None);
    }

    #[test]
    fn a_partial_tile_is_cut_from_the_full_one() {
        let mut storage = MemoryStorage::new();
        let hashes: Vec<Hash> = (0..=255).map(|i| [i; 32]).collect();
        storage
            .put_immutable("tile/0/000", &hashes.concat())
            .unwrap();
        assert_eq!(read_hashes(&storage, 0, 0, 3).unwrap(), hashes[..3]);
        assert!(matches!(
            read_hashes(&storage, 0, 1, 3),
            Err(ReadError::Missing(_))
        ));
        storage
            .put_immutable("tile/0/001.p/3", &hashes[..2].concat())
            .unwrap();
        assert!(matches!(
            read_hashes(&storage, 0, 1, 3),
            Err(ReadError::Damaged {
                error: TileError::WrongWidth {
                    expected: 3,
                    found: 2
                },
                ..
            })
        ));
    }
}
