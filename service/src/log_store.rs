//! The log's folder as the service uses it: tiles, objects and the newest checkpoint, for the sequencer that writes them, the
//! coordinator that sends entries to signers, and the handlers that serve them.
//!
//! Growth: an issuance entry takes about 2 kB for good, in its bundle and its hashes. While a bundle fills up, each head leaves
//! a partial copy of it, on average 250 kB; they are removed when it is full, so at most 256 of them (some 60 MB) are there at
//! a time. A million issuances a day are 2 GB a day.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bauta_log::checkpoint::{Checkpoint, CheckpointError, SignatureError};
use bauta_log::storage::{self, CHECKPOINT_PATH, StorageError, object_path};
use bauta_log::tile::TileFile;
use bauta_log::tree::{Edge, TreeError, prove_inclusion};
use bauta_log::{
    CosignedCheckpoint, FolderStorage, LogReader, LogSigner, SignedCheckpoint, Storage, Tile,
    TileSource as _, TlogProof,
};

/// How many of the newest entries are kept in memory: what signers are sent when they are not far behind.
const RECENT: usize = 4096;

/// The folder of checkpoints at which a change of signers took effect, by size. They are the signers' affair, and not served.
const CHANGES: &str = "changes";

fn read_changes(root: &Path) -> Result<BTreeMap<u64, Vec<u8>>, StorageError> {
    let unavailable = |error: std::io::Error| StorageError::Unavailable {
        path: CHANGES.to_owned(),
        reason: error.to_string(),
    };
    let mut changes = BTreeMap::new();
    let folder = match std::fs::read_dir(root.join(CHANGES)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(changes),
        folder => folder.map_err(unavailable)?,
    };
    for file in folder {
        let file = file.map_err(unavailable)?;
        if let Some(size) = file.file_name().to_str().and_then(|name| name.parse().ok()) {
            changes.insert(size, std::fs::read(file.path()).map_err(unavailable)?);
        }
    }
    Ok(changes)
}

/// Why the log's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// A tile is missing, damaged, or not this log's.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The folder cannot be read or written, or holds another log.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The published checkpoint is none.
    #[error("the log's checkpoint file is damaged: {0}; copy it from a signer's log")]
    Checkpoint(#[from] CheckpointError),
    /// The key is another log's.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// The entry is not published.
    #[error("entry {index} is not published yet")]
    NotPublished {
        /// Its index.
        index: u64,
    },
}

/// The log's folder. Clones share it.
#[derive(Clone, Debug)]
pub struct LogStore {
    folder: FolderStorage,
    published: Arc<RwLock<Option<CosignedCheckpoint>>>,
    /// Checkpoints that settled a change of signers, by size.
    changes: Arc<RwLock<BTreeMap<u64, Vec<u8>>>>,
    /// The newest entries by index, those of a batch that is not published yet among them.
    recent: Arc<Mutex<BTreeMap<u64, Arc<[u8]>>>>,
}

impl LogStore {
    /// Opens the folder; makes it if it is not there.
    ///
    /// # Errors
    /// [`LogStoreError::Storage`].
    pub fn open(folder: &Path) -> Result<Self, LogStoreError> {
        let folder = FolderStorage::open(folder)?;
        let changes = read_changes(folder.root())?;
        Ok(LogStore {
            folder,
            published: Arc::default(),
            changes: Arc::new(RwLock::new(changes)),
            recent: Arc::default(),
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// The newest checkpoint that has its cosignatures; `None` in an empty log.
    pub fn published(&self) -> Option<CosignedCheckpoint> {
        self.published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many entries are published.
    pub fn size(&self) -> u64 {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        published
            .as_ref()
            .map_or(0, |checkpoint| checkpoint.head().size)
    }

    /// An entry, published or in the batch that is being cosigned.
    pub fn locked_entry(&self, index: u64) -> Option<Vec<u8>> {
        let recent = self.recent().get(&index).cloned();
        recent
            .map(|entry| entry.to_vec())
            .or_else(|| self.entry(index))
    }

    /// A published entry.
    pub fn entry(&self, index: u64) -> Option<Vec<u8>> {
        let published = self.published()?;
        if index >= published.head().size {
            return None;
        }
        if let Some(entry) = self.recent().get(&index) {
            return Some(entry.to_vec());
        }
        match LogReader::new(&self.folder).entry(index, &published) {
            Ok((logged, _)) => Some(logged.entry().to_vec()),
            Err(error) => {
                tracing::error!(index, %error, "a published entry cannot be read");
                None
            }
        }
    }

    /// The proof file of a published entry, under the newest checkpoint.
    ///
    /// # Errors
    /// [`LogStoreError::NotPublished`], [`LogStoreError::Tree`].
    pub fn tlog_proof(
        &self,
        index: u64,
        extra: Option<Vec<u8>>,
    ) -> Result<TlogProof, LogStoreError> {
        let published = self
            .published()
            .filter(|checkpoint| index < checkpoint.head().size)
            .ok_or(LogStoreError::NotPublished { index })?;
        let head = published.head();
        let hashes = prove_inclusion(&self.folder, &head, index, head.size)?;
        Ok(TlogProof {
            extra,
            index,
            hashes,
            checkpoint: published.signed().clone(),
        })
    }

    /// A checkpoint of the published log as it was at `size`, signed by the log alone: for a signer that catches up in steps.
    ///
    /// # Errors
    /// [`LogStoreError::NotPublished`], [`LogStoreError::Tree`], [`LogStoreError::Key`].
    pub fn prefix(&self, size: u64, signer: &LogSigner) -> Result<Vec<u8>, LogStoreError> {
        let published = self
            .published()
            .filter(|checkpoint| (1..=checkpoint.head().size).contains(&size))
            .ok_or(LogStoreError::NotPublished {
                index: size.saturating_sub(1),
            })?;
        let head = LogReader::new(&self.folder).head_at(&published.head(), size)?;
        let checkpoint = Checkpoint::new(published.checkpoint().origin(), head)?;
        Ok(signer.sign(checkpoint)?.to_bytes())
    }

    /// A file to serve: the checkpoint, a tile, or an object; nothing else is in the folder for anybody. A tile of a head that
    /// is not published may be among them: clients ask for what a checkpoint covers (C2SP tlog-tiles, "Partial Tiles").
    ///
    /// # Errors
    /// [`LogStoreError::Storage`] if the disk fails.
    pub fn file(&self, path: &str) -> Result<Option<Vec<u8>>, LogStoreError> {
        let object = path.strip_prefix("objects/").is_some_and(|digest| {
            digest.len() == 64
                && digest
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if path != CHECKPOINT_PATH && !object && Tile::parse(path).is_none() {
            return Ok(None);
        }
        Ok(self.folder.get(path)?)
    }

    /// An object by its SHA-256.
    pub fn object(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        match storage::get_object(&self.folder, digest) {
            Ok(object) => object,
            Err(error) => {
                tracing::error!(path = object_path(digest), %error, "an object cannot be read");
                None
            }
        }
    }

    /// Stores an object beside the tiles, durably, and gives its SHA-256. It syncs the disk: not for an async task's thread.
    ///
    /// # Errors
    /// [`LogStoreError::Storage`].
    pub fn put_object(&self, bytes: &[u8]) -> Result<[u8; 32], LogStoreError> {
        Ok(storage::put_object(&mut self.folder.clone(), bytes)?)
    }

    /// The checkpoint on disk, of which nothing is verified. Recovery alone reads it.
    pub(crate) fn checkpoint_on_disk(&self) -> Result<Option<SignedCheckpoint>, LogStoreError> {
        let note = self.folder.get(CHECKPOINT_PATH)?;
        Ok(note
            .map(|note| SignedCheckpoint::parse(&note))
            .transpose()?)
    }

    /// The right edge of the tree at a head.
    pub(crate) fn edge(&self, head: &bauta_log::Head) -> Result<Edge, LogStoreError> {
        Ok(Edge::load(&self.folder, head)?)
    }

    /// Takes up the published checkpoint after a start.
    pub(crate) fn resume(&self, checkpoint: Option<CosignedCheckpoint>) {
        *self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner) = checkpoint;
    }

    /// Reads the whole log of this head, checked against it, for the ledger to replay.
    pub(crate) fn read_all<E: From<bauta_log::reader::AuditError>>(
        &self,
        head: &bauta_log::Head,
        visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        LogReader::new(&self.folder).audit(head, visit)
    }

    /// Writes tiles; `entries` from `first` on are those that they add.
    pub(crate) fn write_tiles(
        &self,
        files: &[TileFile],
        first: u64,
        entries: &[Vec<u8>],
    ) -> Result<(), LogStoreError> {
        self.folder.clone().put_tiles(files)?;
        let mut recent = self.recent();
        // What a dropped head had here goes.
        recent.split_off(&first);
        recent.extend((first..).zip(entries.iter().map(|entry| Arc::from(entry.as_slice()))));
        while recent.len() > RECENT {
            recent.pop_first();
        }
        Ok(())
    }

    /// Replaces the checkpoint.
    pub(crate) fn publish(&self, checkpoint: &CosignedCheckpoint) -> Result<(), LogStoreError> {
        self.folder
            .clone()
            .put_checkpoint(&checkpoint.signed().to_bytes())?;
        self.resume(Some(checkpoint.clone()));
        Ok(())
    }

    /// Keeps the checkpoint of a head that a change of signers took effect at, for good, before it is published: a signer
    /// that was away needs it when those who cosigned it may be gone.
    pub(crate) fn keep_change(&self, checkpoint: &CosignedCheckpoint) -> Result<(), LogStoreError> {
        let size = checkpoint.head().size;
        let path = format!("{CHANGES}/{size}");
        // One that a crash left from an earlier try has its quorums too, with other lines perhaps.
        let note = match self.folder.get(&path)? {
            Some(note) => note,
            None => {
                let note = checkpoint.signed().to_bytes();
                self.folder.clone().put_immutable(&path, &note)?;
                note
            }
        };
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        changes.insert(size, note);
        Ok(())
    }

    /// The first checkpoint above this size at which a change of signers took effect.
    pub(crate) fn change_after(&self, size: u64) -> Option<Vec<u8>> {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let mut after = changes.range(size.checked_add(1)?..);
        after.next().map(|(_, note)| note.clone())
    }

    /// The newest such checkpoint of at most this size.
    pub(crate) fn change_up_to(&self, size: u64) -> Option<Vec<u8>> {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let mut until = changes.range(..=size);
        until.next_back().map(|(_, note)| note.clone())
    }

    /// Removes tiles of a refused head, or partial ones that are full now.
    pub(crate) fn discard(&self, paths: &[String]) -> Result<(), LogStoreError> {
        let mut folder = self.folder.clone();
        paths.iter().try_for_each(|path| folder.discard(path))?;
        let size = self.size();
        // Only a refused head has entries beyond the published size by now.
        self.recent().retain(|index, _| *index < size);
        Ok(())
    }

    fn recent(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<[u8]>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
