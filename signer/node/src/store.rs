//! What a signer must never forget: the head it cosigned and the entries below it, the one TBS of each entry, spent nonces,
//! and its sealed shares. All of it is in one redb database, where one transaction holds all of one output; each is durable,
//! and read back, before anything of that output is sent.
//!
//! The tile folder beside it is the signer's public copy. A [`Publisher`] writes it behind the answers, since it can be made again:
//! entries stay in the database until the folder has them, and [`DiskStore::open`] writes what a crash left out. Objects are
//! named by their hash, so they go straight into the folder, before the transaction.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bauta_log::{
    Edge, FolderStorage, Head, SignedCheckpoint, TileSource as _,
    storage::{
        CHECKPOINT_PATH, ReadError, Storage as _, StorageError, get_object, put_object,
        read_entries,
    },
    tile::{FULL_WIDTH, TileFile},
    tree::{TreeError, head_at},
};
use bauta_signer_protocol::{
    keys::KeyShare,
    memory::Memory,
    messages::{Digest, GroupKey, SharedKey, Slot},
    node::{DurableHead, Record, StoredShare},
    rulebook::{Objects, Store},
};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use thiserror::Error;
use tracing::error;

use crate::{
    files::{self, FileError},
    seal::{SealError, Vault},
};

/// Name of the database in a signer's data folder.
const DATABASE: &str = "state.redb";

/// `"head"` → size (8 bytes, big-endian) ‖ root ‖ checkpoint note.
const HEAD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("head");
const HEAD_KEY: &str = "head";
/// Entries that the tile folder may not hold yet, by index.
const PENDING: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("pending");
/// The TBS digest of each entry that a share was given for.
const BOUND: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bound");
/// Spent nonces: group key ‖ sharing ‖ boot ‖ number.
const BURNT: TableDefinition<'_, &[u8], ()> = TableDefinition::new("burnt");
/// Shares by group key ‖ sharing: size of the log when it was made (8 bytes, big-endian) ‖ sealed share.
const SHARES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("shares");

/// What the signer remembers beside its log, by name.
const MEMORY: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("memory");

/// Entries per bundle.
const BUNDLE: u64 = FULL_WIDTH as u64;

/// Why the store failed. After any of these the signer stops: memory has run ahead of the disk.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database.
    #[error("the signer's database failed: {0}; check the disk, then start again")]
    Database(String),
    /// The tile folder.
    #[error(transparent)]
    Folder(#[from] StorageError),
    /// A tile of the folder cannot be read.
    #[error(transparent)]
    Tile(#[from] ReadError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The folder around it all.
    #[error(transparent)]
    File(#[from] FileError),
    /// What came back is not what was written.
    #[error(
        "{0} was read back with other bytes than were written: the disk or memory is faulty; replace it, and re-enrol this signer under a new key"
    )]
    ReadBack(&'static str),
    /// Another TBS is recorded for this entry.
    #[error("entry {0} is bound to another certificate already")]
    Bound(u64),
    /// The nonce is recorded as spent: two processes share one store.
    #[error(
        "a nonce was spent before: is this signer running twice on a copy of its folder? Stop both, and re-enrol it under a new key"
    )]
    Burnt,
    /// The database holds something that this program did not write.
    #[error(
        "{0} in the signer's database is damaged: restore it, or re-enrol this signer under a new key"
    )]
    Damaged(&'static str),
    /// Entries below the head are missing, or do not hash to it.
    #[error("the log's copy cannot be completed: {0}")]
    Incomplete(#[from] TreeError),
}

macro_rules! database_errors {
    ($($error:ident),*) => { $(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.to_string())
            }
        }
    )* };
}
database_errors!(
    DatabaseError,
    TransactionError,
    TableError,
    StorageError,
    CommitError,
    SetDurabilityError
);

/// The store of one signer.
pub struct DiskStore {
    database: Database,
    folder: FolderStorage,
    vault: Vault,
    /// Size of the log that the folder holds whole.
    published: Arc<AtomicU64>,
    /// The bundle that was read last: its number, width and entries.
    bundle: Mutex<(u64, u16, Vec<Vec<u8>>)>,
}

/// Opens `data`/state.redb, or makes it: under another name, and when it is whole under its own, so that a process that is killed
/// meanwhile leaves none that cannot be opened.
fn open_database(data: &Path) -> Result<Database, StoreError> {
    let path = data.join(DATABASE);
    let failed = |verb, path: &Path, error: &std::io::Error| {
        StoreError::File(FileError::new(verb, path, error))
    };
    let fresh = format!("{DATABASE}.new-");
    let entries = std::fs::read_dir(data).map_err(|error| failed("read", data, &error))?;
    for entry in entries.flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(fresh.as_bytes())
        {
            let left = entry.path();
            std::fs::remove_file(&left).map_err(|error| failed("remove", &left, &error))?;
        }
    }
    if path.exists() {
        return Ok(Database::create(path)?);
    }
    let made = data.join(format!("{fresh}{}", std::process::id()));
    let database = Database::create(&made)?;
    make_tables(&database)?;
    // Never in the place of one that another process made meanwhile.
    std::fs::hard_link(&made, &path).map_err(|error| failed("make", &path, &error))?;
    std::fs::remove_file(&made).map_err(|error| failed("remove", &made, &error))?;
    std::fs::File::open(data)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| failed("write", data, &error))?;
    Ok(database)
}

fn make_tables(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    transaction.open_table(HEAD)?;
    transaction.open_table(PENDING)?;
    transaction.open_table(BOUND)?;
    transaction.open_table(BURNT)?;
    transaction.open_table(SHARES)?;
    transaction.open_table(MEMORY)?;
    transaction.commit()?;
    Ok(())
}

impl DiskStore {
    /// Opens `data`/state.redb and `data`/log, makes them if they are not there, and completes the folder after a crash. The
    /// database locks itself: a second process on the same folder is refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(data: &Path, vault: Vault) -> Result<Self, StoreError> {
        files::private_folder(data)?;
        Self::with(open_database(data)?, data, vault)
    }

    /// The same over a database that is open already.
    fn with(database: Database, data: &Path, vault: Vault) -> Result<Self, StoreError> {
        make_tables(&database)?;
        let mut store = Self {
            database,
            folder: FolderStorage::open(data.join("log"))?,
            vault,
            published: Arc::default(),
            bundle: Mutex::default(),
        };
        store.recover()?;
        Ok(store)
    }

    /// The newest head that was cosigned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self) -> Result<Option<DurableHead>, StoreError> {
        let table = self.database.begin_read()?.open_table(HEAD)?;
        table
            .get(HEAD_KEY)?
            .map(|value| decode_head(value.value()))
            .transpose()
    }

    /// Forgets the data key: shares are neither opened nor kept until [`Self::unlock`].
    pub fn lock(&mut self) {
        self.vault.lock();
    }

    /// Takes the vault that the holder opened.
    pub fn unlock(&mut self, vault: Vault) {
        self.vault = vault;
    }

    /// The group keys of which there are shares; nothing is opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn share_keys(&self) -> Result<Vec<GroupKey>, StoreError> {
        let table = self.database.begin_read()?.open_table(SHARES)?;
        table
            .iter()?
            .map(|row| {
                let (key, _) = row?;
                read_share_key(key.value())
                    .map(|key| key.group_key)
                    .ok_or(StoreError::Damaged("the key of a share"))
            })
            .collect()
    }

    /// All shares, opened.
    ///
    /// # Errors
    /// [`StoreError::Seal`] if one was sealed elsewhere, [`StoreError::Damaged`].
    pub fn shares(&self) -> Result<Vec<StoredShare>, StoreError> {
        let table = self.database.begin_read()?.open_table(SHARES)?;
        let mut shares = Vec::new();
        for row in table.iter()? {
            let (key, value) = row?;
            let damaged = || StoreError::Damaged("a key share");
            let key = read_share_key(key.value()).ok_or_else(damaged)?;
            let (born, sealed) = value.value().split_first_chunk::<8>().ok_or_else(damaged)?;
            let secret = self.vault.open_sealed(&share_purpose(&key), sealed)?;
            let share = KeyShare::from_bytes(&secret).map_err(|_| damaged())?;
            if share.group_key() != key.group_key {
                return Err(damaged());
            }
            shares.push(StoredShare {
                key,
                born: u64::from_be_bytes(*born),
                share,
            });
        }
        Ok(shares)
    }

    /// Makes the records of one output durable, in one transaction, and reads back what a signature will rest on. Tiles are not
    /// written here; give them to [`Self::publish`] afterwards.
    ///
    /// # Errors
    /// [`StoreError`]; the signer must then send nothing and stop.
    pub fn persist(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let rows = || {
            records
                .iter()
                .filter(|record| !matches!(record, Record::Object { .. } | Record::Tiles(_)))
        };
        for record in records {
            if let Record::Object { digest, bytes } = record
                && put_object(&mut self.folder, bytes)? != *digest
            {
                return Err(StoreError::ReadBack("an object"));
            }
        }
        if rows().next().is_none() {
            return Ok(());
        }
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut head = transaction.open_table(HEAD)?;
            let mut pending = transaction.open_table(PENDING)?;
            let mut bound = transaction.open_table(BOUND)?;
            let mut burnt = transaction.open_table(BURNT)?;
            let mut shares = transaction.open_table(SHARES)?;
            let mut memory = transaction.open_table(MEMORY)?;
            for record in rows() {
                match record {
                    Record::Entries { first, entries } => {
                        for (index, entry) in (*first..).zip(entries) {
                            pending.insert(index, entry.as_slice())?;
                        }
                    }
                    Record::Head(durable) => {
                        head.insert(HEAD_KEY, encode_head(durable).as_slice())?;
                    }
                    Record::Bound { index, tbs_digest } => {
                        let before = bound.insert(index, tbs_digest.as_slice())?;
                        if before.is_some_and(|before| before.value() != tbs_digest) {
                            return Err(StoreError::Bound(*index));
                        }
                    }
                    Record::Burnt { key, slot } => {
                        if burnt.insert(nonce_key(key, slot).as_slice(), ())?.is_some() {
                            return Err(StoreError::Burnt);
                        }
                    }
                    Record::KeyShare { key, born, secret } => {
                        let sealed = self.vault.seal(&share_purpose(key), secret)?;
                        let value = [&born.to_be_bytes(), sealed.as_slice()].concat();
                        shares.insert(share_key(key).as_slice(), value.as_slice())?;
                    }
                    Record::Erased(key) => {
                        shares.remove(share_key(key).as_slice())?;
                    }
                    Record::Remember { name, value } => {
                        memory.insert(name.to_bytes().as_slice(), value.as_slice())?;
                    }
                    Record::Object { .. } | Record::Tiles(_) => {}
                }
            }
            pending.retain_in(..self.published(), |_, _| false)?;
        }
        transaction.commit()?;
        rows().try_for_each(|record| self.read_back(record))
    }

    fn read_back(&self, record: &Record) -> Result<(), StoreError> {
        let read = self.database.begin_read()?;
        let (same, what) = match record {
            Record::Entries { first, entries } => {
                let pending = read.open_table(PENDING)?;
                let mut same = true;
                for (index, entry) in (*first..).zip(entries) {
                    same &= pending
                        .get(index)?
                        .is_some_and(|stored| stored.value() == entry);
                }
                (same, "an entry")
            }
            Record::Head(durable) => (self.head()?.as_ref() == Some(durable), "the head"),
            Record::Bound { index, tbs_digest } => (
                self.bound_checked(*index)?.as_ref() == Some(tbs_digest),
                "a TBS digest",
            ),
            Record::Burnt { key, slot } => (self.burnt_checked(key, slot)?, "a spent nonce"),
            Record::Erased(key) => {
                let shares = read.open_table(SHARES)?;
                let gone = shares.get(share_key(key).as_slice())?.is_none();
                (gone, "an erased share")
            }
            Record::KeyShare { key, born, secret } => {
                let shares = read.open_table(SHARES)?;
                let value = shares.get(share_key(key).as_slice())?;
                let opened = value
                    .as_ref()
                    .and_then(|value| value.value().strip_prefix(&born.to_be_bytes()))
                    .map(|sealed| self.vault.open_sealed(&share_purpose(key), sealed));
                (
                    opened.transpose()?.as_deref() == Some(&**secret),
                    "a key share",
                )
            }
            Record::Remember { name, value } => (
                self.remembered_checked(name)?.as_ref() == Some(value),
                "what it remembers",
            ),
            Record::Object { .. } | Record::Tiles(_) => (true, ""),
        };
        if same {
            Ok(())
        } else {
            Err(StoreError::ReadBack(what))
        }
    }

    /// Size of the log that the folder holds whole.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// What writes the public copy, on whatever thread: the folder's disk is no reason to answer late.
    pub fn publisher(&self) -> Publisher {
        Publisher {
            folder: self.folder.clone(),
            published: self.published.clone(),
        }
    }

    /// Reads how far the folder is, and writes what it lacks of the head.
    fn recover(&mut self) -> Result<(), StoreError> {
        let Some(durable) = self.head()? else {
            return Ok(());
        };
        let checkpoint = self.folder.get(CHECKPOINT_PATH)?;
        let folder_head = checkpoint
            .and_then(|note| SignedCheckpoint::parse(&note).ok())
            .map_or(Head::EMPTY, |signed| signed.checkpoint().head());
        // An edge that does not load means damage in the newest tiles: they are compared with the entries, from the start.
        let edge = Edge::load(&self.folder, &folder_head)
            .ok()
            .filter(|edge| edge.size() <= durable.head.size)
            .unwrap_or_default();
        self.published.store(edge.size(), Ordering::Release);
        if edge.head() == durable.head {
            return Ok(());
        }
        let entries = (edge.size()..durable.head.size)
            .map(|index| {
                self.entry(index)
                    .ok_or_else(|| ReadError::Missing(format!("entry {index}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (edge, tiles) = edge.extend(&entries)?;
        if edge.head() != durable.head {
            return Err(TreeError::WrongRoot {
                size: durable.head.size,
            }
            .into());
        }
        self.publisher()
            .publish(&tiles, durable.head.size, &durable.checkpoint)
    }

    fn pending(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.database.begin_read()?.open_table(PENDING)?;
        Ok(table.get(index)?.map(|entry| entry.value().to_vec()))
    }

    /// An entry from the folder. What it says is checked by whoever asks: the replay hashes all entries up to the head's root.
    fn published_entry(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let published = self.published();
        if index >= published {
            return Ok(None);
        }
        let number = index / BUNDLE;
        let width = (published - number * BUNDLE).min(BUNDLE) as u16;
        let mut bundle = self
            .bundle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if (bundle.0, bundle.1) != (number, width) {
            *bundle = (number, width, read_entries(&self.folder, number, width)?);
        }
        Ok(bundle.2.get((index % BUNDLE) as usize).cloned())
    }

    fn bound_checked(&self, index: u64) -> Result<Option<Digest>, StoreError> {
        let table = self.database.begin_read()?.open_table(BOUND)?;
        let Some(stored) = table.get(index)? else {
            return Ok(None);
        };
        let digest = stored
            .value()
            .try_into()
            .map_err(|_| StoreError::Damaged("a TBS digest"))?;
        Ok(Some(digest))
    }

    fn burnt_checked(&self, key: &SharedKey, slot: &Slot) -> Result<bool, StoreError> {
        let table = self.database.begin_read()?.open_table(BURNT)?;
        Ok(table.get(nonce_key(key, slot).as_slice())?.is_some())
    }
}

impl DiskStore {
    fn remembered_checked(&self, name: &Memory) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.database.begin_read()?.open_table(MEMORY)?;
        let value = table.get(name.to_bytes().as_slice())?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// From the public copy's tiles, or for its newest part from the entries that the copy does not have yet.
    fn root_at_checked(&self, size: u64) -> Result<Option<Digest>, StoreError> {
        let note = self.folder.get(CHECKPOINT_PATH)?;
        let copied = note
            .and_then(|note| SignedCheckpoint::parse(&note).ok())
            .map_or(Head::EMPTY, |signed| signed.checkpoint().head());
        if size <= copied.size {
            return Ok(Some(head_at(&self.folder, &copied, size)?.root));
        }
        let mut edge = Edge::load(&self.folder, &copied)?;
        for index in copied.size..size {
            let Some(entry) = self.entry(index) else {
                return Ok(None);
            };
            (edge, _) = edge.extend(&[entry])?;
        }
        Ok(Some(edge.root()))
    }
}

/// Writes the public copy: one at a time per store.
pub struct Publisher {
    folder: FolderStorage,
    published: Arc<AtomicU64>,
}

impl Publisher {
    /// Brings the public copy up to a head that was persisted: its tiles, then its checkpoint with this signer's own
    /// cosignature line. A crash before or in this leaves the folder behind, and [`DiskStore::open`] completes it.
    ///
    /// # Errors
    /// [`StoreError::Folder`].
    pub fn publish(
        &mut self,
        tiles: &[TileFile],
        size: u64,
        checkpoint: &[u8],
    ) -> Result<(), StoreError> {
        self.folder.put_tiles(tiles)?;
        self.folder.put_checkpoint(checkpoint)?;
        self.published.store(size, Ordering::Release);
        Ok(())
    }
}

impl Objects for DiskStore {
    fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        get_object(&self.folder, digest).unwrap_or_else(|problem| {
            error!(%problem, "an object could not be read");
            None
        })
    }
}

impl Store for DiskStore {
    fn entry(&self, index: u64) -> Option<Vec<u8>> {
        let found = match self.pending(index) {
            Ok(None) => self.published_entry(index),
            found => found,
        };
        found.unwrap_or_else(|problem| {
            error!(%problem, index, "an entry could not be read");
            None
        })
    }

    /// A database that fails answers with a digest that no TBS has, so that nothing is signed.
    fn bound(&self, index: u64) -> Option<Digest> {
        self.bound_checked(index).unwrap_or_else(|problem| {
            error!(%problem, index, "a bound TBS could not be read");
            Some([0; 32])
        })
    }

    /// A database that fails answers "spent", so that nothing is signed.
    fn burnt(&self, key: &SharedKey, slot: &Slot) -> bool {
        self.burnt_checked(key, slot).unwrap_or_else(|problem| {
            error!(%problem, "the record of spent nonces could not be read");
            true
        })
    }

    /// A database that fails answers with what is no value of any row, so that nothing counts as never seen.
    fn remembered(&self, name: &Memory) -> Option<Vec<u8>> {
        self.remembered_checked(name).unwrap_or_else(|problem| {
            error!(%problem, ?name, "what this signer remembers could not be read");
            Some(Vec::new())
        })
    }

    fn root_at(&self, size: u64) -> Option<Digest> {
        self.root_at_checked(size).unwrap_or_else(|problem| {
            error!(%problem, size, "the log's copy could not be read");
            None
        })
    }
}

fn share_purpose(key: &SharedKey) -> String {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    format!("share/{}/{}", hex(&key.group_key), hex(&key.sharing))
}

fn share_key(key: &SharedKey) -> Vec<u8> {
    [key.group_key, key.sharing].concat()
}

fn read_share_key(bytes: &[u8]) -> Option<SharedKey> {
    let (group_key, sharing) = bytes.split_first_chunk::<32>()?;
    Some(SharedKey {
        group_key: *group_key,
        sharing: sharing.try_into().ok()?,
    })
}

fn nonce_key(key: &SharedKey, slot: &Slot) -> Vec<u8> {
    [
        share_key(key).as_slice(),
        &slot.boot,
        &slot.number.to_be_bytes(),
    ]
    .concat()
}

fn encode_head(durable: &DurableHead) -> Vec<u8> {
    [
        &durable.head.size.to_be_bytes(),
        durable.head.root.as_slice(),
        &durable.checkpoint,
    ]
    .concat()
}

fn decode_head(bytes: &[u8]) -> Result<DurableHead, StoreError> {
    let damaged = StoreError::Damaged("the head");
    let Some((size, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(damaged);
    };
    let Some((root, checkpoint)) = rest.split_first_chunk::<32>() else {
        return Err(damaged);
    };
    let head = Head {
        size: u64::from_be_bytes(*size),
        root: *root,
    };
    Ok(DurableHead {
        head,
        checkpoint: checkpoint.to_vec(),
    })
}

#[cfg(test)]
mod crash;

#[cfg(test)]
mod tests;
