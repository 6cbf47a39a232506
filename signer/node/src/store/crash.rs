//! Power lost at every write: the database lies on a disk in memory that stops at its k-th write or sync, and comes back
//! without what was not synced, with all of it, or with every other write of it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

use super::*;
use crate::seal::PassphraseSeal;

#[derive(Debug, Default)]
struct Disk {
    /// As the process sees it.
    now: Vec<u8>,
    /// As of the last sync.
    synced: Vec<u8>,
    /// What was written since.
    unsynced: Vec<(u64, Vec<u8>)>,
    /// How many writes, resizings and syncs are left; `None`: no end.
    left: Option<usize>,
    done: usize,
}

impl Disk {
    fn spend(&mut self) -> io::Result<()> {
        if self.left == Some(0) {
            return Err(io::Error::other("the power is gone"));
        }
        self.left = self.left.map(|left| left - 1);
        self.done += 1;
        Ok(())
    }
}

fn write(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = offset as usize;
    let end = start + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(data);
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Disk>>);

impl Shared {
    fn holding(bytes: Vec<u8>, left: Option<usize>) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            now: bytes.clone(),
            synced: bytes,
            left,
            ..Disk::default()
        })))
    }

    /// What may be on the disk when the power comes back.
    fn after_power_loss(&self) -> [Vec<u8>; 3] {
        let disk = self.0.lock().unwrap();
        let mut torn = disk.synced.clone();
        // A resizing is metadata; the file is as long as it was made, or grows with what is written.
        torn.resize(disk.now.len().max(torn.len()), 0);
        for (offset, data) in disk.unsynced.iter().step_by(2) {
            write(&mut torn, *offset, data);
        }
        [disk.synced.clone(), disk.now.clone(), torn]
    }
}

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        let start = offset as usize;
        let part = disk.now.get(start..start + out.len());
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.spend()?;
        disk.now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.spend()?;
        disk.synced = disk.now.clone();
        disk.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.spend()?;
        write(&mut disk.now, offset, data);
        disk.unsynced.push((offset, data.to_vec()));
        Ok(())
    }
}

fn open(folder: &Path, disk: &Shared) -> Result<DiskStore, StoreError> {
    let keys = folder.join("keys");
    let seal = PassphraseSeal::new("p", 2);
    std::fs::create_dir_all(&keys).unwrap();
    let vault = Vault::open(&keys, &seal)
        .or_else(|_| Vault::create(&keys, &seal))
        .unwrap();
    let database = Database::builder().create_with_backend(disk.clone())?;
    DiskStore::with(database, &folder.join("data"), vault)
}

const STEPS: u64 = 4;

fn slot(step: u64) -> Record {
    Record::Burnt {
        key: SharedKey {
            group_key: [1; 32],
            sharing: [3; 32],
        },
        slot: Slot {
            boot: [2; 16],
            number: step,
        },
    }
}

fn entry(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}

/// The head with entries 0 to `step`.
fn durable(step: u64) -> DurableHead {
    let entries: Vec<_> = (0..=step).map(entry).collect();
    let (edge, _) = Edge::new().extend(&entries).unwrap();
    DurableHead {
        head: edge.head(),
        checkpoint: format!("checkpoint {step}").into_bytes(),
    }
}

/// What a signer makes durable before it answers: an entry with its head and the note that it is cosigned, then the one TBS
/// of the entry with the nonce that is spent on it.
fn outputs(step: u64) -> [Vec<Record>; 2] {
    let cosigned = Record::Remember {
        name: Memory::Cosigned,
        value: durable(step).head.root.to_vec(),
    };
    let head = Record::Head(durable(step));
    let entries = Record::Entries {
        first: step,
        entries: vec![entry(step)],
    };
    let bound = Record::Bound {
        index: step,
        tbs_digest: [step as u8; 32],
    };
    [vec![entries, head, cosigned], vec![bound, slot(step)]]
}

/// Works from output number `from` on; gives how many were made durable: the answers of those have left.
fn work(store: &mut DiskStore, from: u64) -> u64 {
    for number in from..2 * STEPS {
        let [cosigning, signing] = outputs(number / 2);
        let output = if number % 2 == 0 { cosigning } else { signing };
        if store.persist(&output).is_err() {
            return number;
        }
    }
    2 * STEPS
}

/// How many outputs are there: each of them whole.
fn found(store: &DiskStore) -> u64 {
    let heads = (0..STEPS).take_while(|step| {
        let head = store.head().unwrap();
        head.is_some_and(|head| head.head.size > *step)
    });
    let heads = heads.count() as u64;
    for index in 0..STEPS {
        assert_eq!(store.entry(index), (index < heads).then(|| entry(index)));
    }
    let last = heads.checked_sub(1).map(durable);
    assert_eq!(store.head().unwrap(), last);
    assert_eq!(
        store.remembered(&Memory::Cosigned),
        last.map(|last| last.head.root.to_vec())
    );
    let mut signed = 0;
    for step in 0..STEPS {
        let Record::Burnt { key, slot } = slot(step) else {
            unreachable!()
        };
        let burnt = store.burnt(&key, &slot);
        assert_eq!(
            store.bound(step).is_some(),
            burnt,
            "a TBS without its nonce"
        );
        signed += u64::from(burnt);
    }
    assert!(
        signed == heads || signed + 1 == heads,
        "{signed} of {heads}"
    );
    heads + signed
}

#[test]
fn whatever_was_answered_is_there_after_power_is_lost_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Shared::default();
    let mut store = open(folder.path(), &whole).unwrap();
    let opened = whole.0.lock().unwrap().done;
    assert_eq!(work(&mut store, 0), 2 * STEPS);
    let all = whole.0.lock().unwrap().done;
    drop(store);
    assert!(all > opened + 16, "{all} writes");
    for left in opened..=all {
        let disk = Shared::holding(Vec::new(), Some(left));
        let mut store = open(folder.path(), &disk).unwrap();
        let answered = work(&mut store, 0);
        drop(store);
        for image in disk.after_power_loss() {
            let disk = Shared::holding(image, None);
            let mut store = open(folder.path(), &disk).unwrap();
            let there = found(&store);
            // What was answered, or that and the one whose answer never left.
            assert!(
                there == answered || there == answered + 1,
                "{answered} answered, {there} there, after {left} writes"
            );
            // No nonce that was answered for is spent again; and the work goes on.
            for step in 0..there / 2 {
                assert!(matches!(
                    store.persist(&[slot(step)]),
                    Err(StoreError::Burnt)
                ));
            }
            assert_eq!(work(&mut store, there), 2 * STEPS);
            assert_eq!(found(&store), 2 * STEPS);
        }
    }
}
