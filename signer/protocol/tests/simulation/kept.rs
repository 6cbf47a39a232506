//! What is kept: a node's store, in memory, which holds the shell to its duties; and the service's log.

use std::collections::{BTreeMap, BTreeSet};

use bauta_log::{Checkpoint, Head, LogSigner, MemoryStorage, SignedCheckpoint, TlogProof, Tree};
use bauta_signer_protocol::{
    coordinator::Archive,
    keys::KeyShare,
    memory::Memory,
    messages::{Digest, SharedKey, Slot},
    node::{DurableHead, Record, StoredShare},
    rulebook::{Objects, Store},
};
use sha2::{Digest as _, Sha256};

use crate::world::ORIGIN;

/// What a node persisted.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore {
    pub(crate) objects: BTreeMap<Digest, Vec<u8>>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) head: Option<DurableHead>,
    pub(crate) bound: BTreeMap<u64, Digest>,
    pub(crate) burnt: BTreeSet<(SharedKey, Slot)>,
    pub(crate) shares: BTreeMap<SharedKey, (u64, Vec<u8>)>,
    pub(crate) tiles: usize,
    pub(crate) memory: BTreeMap<Memory, Vec<u8>>,
}

impl MemoryStore {
    /// What a shell's one transaction does.
    pub(crate) fn persist(&mut self, records: Vec<Record>) {
        for record in records {
            match record {
                Record::Object { digest, bytes } => {
                    assert_eq!(<[u8; 32]>::from(Sha256::digest(&bytes)), digest);
                    self.objects.insert(digest, bytes);
                }
                Record::Entries { first, entries } => {
                    assert_eq!(
                        first,
                        self.entries.len() as u64,
                        "entries follow each other"
                    );
                    self.entries.extend(entries);
                }
                Record::Tiles(tiles) => self.tiles += tiles.len(),
                Record::Head(head) => {
                    assert_eq!(
                        head.head.size,
                        self.entries.len() as u64,
                        "a head covers what is held"
                    );
                    self.head = Some(head);
                }
                Record::Bound { index, tbs_digest } => {
                    let before = self.bound.insert(index, tbs_digest);
                    assert!(
                        before.is_none_or(|before| before == tbs_digest),
                        "two TBS for one entry"
                    );
                }
                Record::Burnt { key, slot } => {
                    assert!(self.burnt.insert((key, slot)), "a nonce spent twice");
                }
                Record::KeyShare { key, born, secret } => {
                    self.shares.insert(key, (born, secret.to_vec()));
                }
                Record::Erased(key) => {
                    assert!(self.shares.remove(&key).is_some(), "nothing to erase");
                }
                Record::Remember { name, value } => {
                    self.memory.insert(name, value);
                }
            }
        }
    }
}

impl MemoryStore {
    /// The shares, opened.
    pub(crate) fn stored_shares(&self) -> Vec<StoredShare> {
        let shares = self.shares.iter();
        shares
            .map(|(key, (born, bytes))| StoredShare {
                key: *key,
                born: *born,
                share: KeyShare::from_bytes(bytes).unwrap(),
            })
            .collect()
    }
}

impl Objects for MemoryStore {
    fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.objects.get(digest).cloned()
    }
}

impl Store for MemoryStore {
    fn entry(&self, index: u64) -> Option<Vec<u8>> {
        self.entries.get(index as usize).cloned()
    }
    fn bound(&self, index: u64) -> Option<Digest> {
        self.bound.get(&index).copied()
    }
    fn burnt(&self, key: &SharedKey, slot: &Slot) -> bool {
        self.burnt.contains(&(*key, *slot))
    }
    fn remembered(&self, name: &Memory) -> Option<Vec<u8>> {
        self.memory.get(name).cloned()
    }
}

/// The service's log.
pub(crate) struct Log {
    pub(crate) signer: LogSigner,
    pub(crate) tree: Tree<MemoryStorage>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) objects: BTreeMap<Digest, Vec<u8>>,
    pub(crate) steps: std::cell::Cell<usize>,
    /// Checkpoints that settled a change of signers.
    pub(crate) changes: BTreeMap<u64, Vec<u8>>,
}

impl Log {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            signer: LogSigner::from_seed(ORIGIN, &[seed; 32]).unwrap(),
            tree: Tree::new(MemoryStorage::new()),
            entries: Vec::new(),
            objects: BTreeMap::new(),
            steps: std::cell::Cell::new(0),
            changes: BTreeMap::new(),
        }
    }

    pub(crate) fn append(&mut self, entries: &[Vec<u8>]) -> SignedCheckpoint {
        self.entries.extend_from_slice(entries);
        let head = self.tree.append(entries).unwrap();
        self.sign(head)
    }

    pub(crate) fn sign(&self, head: Head) -> SignedCheckpoint {
        self.signer
            .sign(Checkpoint::new(ORIGIN, head).unwrap())
            .unwrap()
    }

    /// A tlog-proof of an entry under this checkpoint.
    pub(crate) fn proof(&self, index: u64, checkpoint: &SignedCheckpoint) -> Vec<u8> {
        TlogProof {
            extra: None,
            index,
            hashes: self
                .tree
                .prove_inclusion(index, checkpoint.checkpoint().head().size)
                .unwrap(),
            checkpoint: checkpoint.clone(),
        }
        .to_bytes()
    }
}

impl Objects for Log {
    fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.objects.get(digest).cloned()
    }
}

impl Archive for Log {
    fn entry(&self, index: u64) -> Option<Vec<u8>> {
        self.entries.get(index as usize).cloned()
    }
    fn checkpoint_between(&self, after: u64, limit: u64) -> Option<Vec<u8>> {
        let size = limit.min(self.entries.len() as u64);
        (size > after).then(|| {
            self.steps.set(self.steps.get() + 1);
            self.sign(self.tree.head_at(size).unwrap()).to_bytes()
        })
    }
    fn change_after(&self, size: u64) -> Option<Vec<u8>> {
        self.changes
            .range(size + 1..)
            .next()
            .map(|(_, note)| note.clone())
    }
    fn change_up_to(&self, size: u64) -> Option<Vec<u8>> {
        self.changes
            .range(..=size)
            .next_back()
            .map(|(_, note)| note.clone())
    }
}
