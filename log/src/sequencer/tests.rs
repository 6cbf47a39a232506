//! Failures are injected at every write, as "failed" and as "failed but persisted", singly and in pairs (as Sunlight's
//! `TestSequenceErrors` does); after each the world is recovered from what is durable and must end in the same log.

use std::collections::HashMap;

use super::*;
use crate::reader::AuditError;
use crate::storage::{CHECKPOINT_PATH, MemoryStorage, Storage, TileSource};
use crate::tree::prove_consistency;
use crate::{
    Checkpoint, CosignatureSigner, Hash, LogPolicy, LogReader, LogSigner, SignedCheckpoint,
};

const ORIGIN: &str = "log.example/2026h2";
const INVALID: &[u8] = b"an invalid epoch entry";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Failed,
    FailedButPersisted,
}

/// The driver's side crashed; all that is left is what is durable.
#[derive(Debug, PartialEq)]
struct Crash;

/// What is durable, and a plan of faults: at which write, and of which kind.
struct World {
    locked: Head,
    staged: HashMap<Hash, Vec<u8>>,
    storage: MemoryStorage,
    published: Vec<Head>,
    writes: usize,
    faults: Vec<(usize, Fault)>,
    log: LogSigner,
    cosigners: Vec<CosignatureSigner>,
    policy: LogPolicy,
}

impl World {
    fn new(faults: &[(usize, Fault)]) -> Self {
        let log = LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
        let cosigners: Vec<_> = (1..=5u8)
            .map(|i| CosignatureSigner::from_seed(&format!("signer-{i}"), &[i + 1; 32]).unwrap())
            .collect();
        let keys: Vec<_> = cosigners.iter().map(|c| c.verifier().clone()).collect();
        let policy = LogPolicy::quorum_of(log.verifier().clone(), &keys, 4).unwrap();
        World {
            locked: Head::EMPTY,
            staged: HashMap::new(),
            storage: MemoryStorage::new(),
            published: Vec::new(),
            writes: 0,
            faults: faults.to_vec(),
            log,
            cosigners,
            policy,
        }
    }

    /// One durable write: done, not done, or done although it looks failed.
    fn write(&mut self, write: impl FnOnce(&mut Self)) -> Result<(), Crash> {
        let number = self.writes;
        self.writes += 1;
        match self.faults.iter().find(|(at, _)| *at == number) {
            None => write(self),
            Some((_, Fault::Failed)) => return Err(Crash),
            Some((_, Fault::FailedButPersisted)) => {
                write(self);
                return Err(Crash);
            }
        }
        Ok(())
    }

    fn recover(&self) -> Sequencer {
        let published = match self.storage.get(CHECKPOINT_PATH).unwrap() {
            Some(note) => self
                .policy
                .check(&SignedCheckpoint::parse(&note).unwrap())
                .unwrap()
                .head(),
            None => Head::EMPTY,
        };
        let staged = self
            .staged
            .get(&self.locked.root)
            .map(|bytes| Batch::from_bytes(bytes).unwrap());
        Sequencer::recover(
            Edge::load(&self.storage, &published).unwrap(),
            self.locked,
            staged,
        )
        .unwrap()
    }

    fn cosign(&self, batch: &Batch) -> Report {
        if batch.entries.iter().any(|entry| entry == INVALID) {
            return Report::Refused;
        }
        let mut signed = self
            .log
            .sign(Checkpoint::new(ORIGIN, batch.to).unwrap())
            .unwrap();
        for cosigner in &self.cosigners[..4] {
            let line = cosigner.cosign(signed.checkpoint(), 1_800_000_000).unwrap();
            signed.add(line);
        }
        Report::Cosigned(self.policy.check(&signed).unwrap())
    }

    /// Does one action; a lost swap is a crash as well.
    fn perform(&mut self, action: Action) -> Result<Report, Crash> {
        match action {
            Action::Stage(batch) => self.write(|w| {
                w.staged.insert(batch.to.root, batch.to_bytes().unwrap());
            })?,
            Action::SwapHead { from, to } => {
                if self.locked != from {
                    return Err(Crash);
                }
                self.write(|w| w.locked = to)?;
            }
            Action::WriteTiles(_, files) => {
                for file in files {
                    self.write(|w| {
                        w.storage
                            .put_immutable(&file.tile.path(), &file.bytes)
                            .unwrap()
                    })?;
                }
            }
            Action::Cosign(batch) => return Ok(self.cosign(&batch)),
            Action::Publish(cosigned) => self.write(|w| {
                w.storage
                    .put_checkpoint(&cosigned.signed().to_bytes())
                    .unwrap();
                w.published.push(cosigned.head());
            })?,
            Action::Prune(paths) | Action::Discard(paths) => {
                for path in paths {
                    self.write(|w| w.storage.discard(&path).unwrap())?;
                }
            }
        }
        Ok(Report::Done)
    }

    fn run(&mut self, sequencer: &mut Sequencer) -> Result<Option<Outcome>, Crash> {
        let mut last = None;
        while let Some(action) = sequencer.action() {
            let report = self.perform(action)?;
            last = Some(sequencer.report(report).unwrap());
        }
        Ok(last)
    }

    /// What a service does: gets every entry into the log once, in order, through any number of crashes. `INVALID` ones are
    /// dropped when the quorum refuses them.
    fn sequence(&mut self, batches: &[Vec<Vec<u8>>]) {
        for batch in batches {
            let mut pool = batch.clone();
            loop {
                let mut sequencer = self.recover();
                // Finishing what was under way may publish this batch, or drop it.
                if self.run(&mut sequencer).is_err() {
                    continue;
                }
                let logged = self.entries();
                let wanted: Vec<_> = pool
                    .iter()
                    .filter(|e| !logged.contains(e))
                    .cloned()
                    .collect();
                if wanted.is_empty() {
                    break;
                }
                sequencer.begin(wanted).unwrap();
                if let Ok(Some(Outcome::DroppedBack(refused))) = self.run(&mut sequencer) {
                    assert!(refused.entries.iter().any(|e| e == INVALID));
                    pool.retain(|e| e != INVALID);
                }
            }
        }
    }

    /// The published log, audited.
    fn entries(&self) -> Vec<Vec<u8>> {
        let Some(head) = self.published.last() else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        LogReader::new(&self.storage)
            .audit(head, |_, entry| {
                entries.push(entry.to_vec());
                Ok::<(), AuditError>(())
            })
            .unwrap();
        entries
    }

    fn check(&self, expected: &[Vec<u8>]) {
        assert_eq!(self.entries(), expected);
        let head = *self.published.last().unwrap();
        assert_eq!(self.locked, head);
        for old in &self.published {
            let proof = prove_consistency(&self.storage, &head, old.size, head.size).unwrap();
            crate::merkle::check_consistency(old, &head, &proof).unwrap();
        }
    }
}

fn batches(sizes: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let mut next = 0;
    sizes
        .iter()
        .map(|size| {
            next += size;
            (next - size..next)
                .map(|i| format!("entry {i}").into_bytes())
                .collect()
        })
        .collect()
}

/// Runs a scenario with every single fault and every pair of faults close to each other.
fn with_faults(batches: &[Vec<Vec<u8>>]) {
    let expected: Vec<_> = batches
        .concat()
        .into_iter()
        .filter(|e| e != INVALID)
        .collect();
    let mut calm = World::new(&[]);
    calm.sequence(batches);
    calm.check(&expected);
    let kinds = [Fault::Failed, Fault::FailedButPersisted];
    for first in 0..calm.writes {
        for kind in kinds {
            let mut world = World::new(&[(first, kind)]);
            world.sequence(batches);
            world.check(&expected);
            for distance in 1..6 {
                for second in kinds {
                    let mut world = World::new(&[(first, kind), (first + distance, second)]);
                    world.sequence(batches);
                    world.check(&expected);
                }
            }
        }
    }
}

#[test]
fn every_failed_write_ends_in_the_same_log() {
    with_faults(&batches(&[1, 2, 3]));
}

#[test]
fn every_failed_write_ends_in_the_same_log_across_a_full_tile() {
    with_faults(&batches(&[254, 4, 1]));
}

#[test]
fn every_failed_write_while_a_head_is_refused() {
    let mut batches = batches(&[2, 2, 1]);
    batches[1].insert(1, INVALID.to_vec());
    with_faults(&batches);
}

#[test]
fn a_refused_head_leaves_no_trace_and_nothing_of_it_was_published() {
    let mut world = World::new(&[]);
    world.sequence(&batches(&[3]));
    let (before, published) = (world.storage.clone(), world.published.clone());
    let mut sequencer = world.recover();
    assert_eq!(
        sequencer
            .begin(vec![b"good".to_vec(), INVALID.to_vec()])
            .unwrap(),
        3
    );
    let Some(Outcome::DroppedBack(batch)) = world.run(&mut sequencer).unwrap() else {
        panic!("not dropped")
    };
    assert_eq!(batch.entries.len(), 2);
    assert!(sequencer.is_idle());
    assert_eq!(sequencer.published(), world.locked);
    assert_eq!(world.published, published);
    assert!(world.storage.paths().eq(before.paths()));
    // The same positions are taken by other entries.
    sequencer
        .begin(vec![b"good".to_vec(), b"another".to_vec()])
        .unwrap();
    assert!(matches!(
        world.run(&mut sequencer).unwrap(),
        Some(Outcome::Published(_))
    ));
}

#[test]
fn of_two_sequencers_one_wins_the_swap() {
    let mut world = World::new(&[]);
    world.sequence(&batches(&[1]));
    let (mut one, mut two) = (world.recover(), world.recover());
    one.begin(vec![b"one".to_vec()]).unwrap();
    two.begin(vec![b"two".to_vec()]).unwrap();
    for sequencer in [&mut one, &mut two] {
        let stage = world.perform(sequencer.action().unwrap()).unwrap();
        sequencer.report(stage).unwrap();
    }
    assert!(world.run(&mut one).is_ok());
    assert_eq!(world.run(&mut two), Err(Crash));
    let mut two = world.recover();
    assert_eq!(world.run(&mut two).unwrap(), None);
    assert_eq!(world.entries(), [b"entry 0".to_vec(), b"one".to_vec()]);
}

#[test]
fn partial_tiles_go_once_the_full_one_is_published() {
    let mut world = World::new(&[]);
    world.sequence(&batches(&[100, 100, 57]));
    assert!(
        !world
            .storage
            .paths()
            .any(|path| path.starts_with("tile/0/000.p") || path.starts_with("tile/entries/000.p"))
    );
    assert!(world.storage.paths().any(|path| path == "tile/0/001.p/1"));
}

#[test]
fn bad_recovery_states_are_refused() {
    let mut world = World::new(&[]);
    world.sequence(&batches(&[2]));
    let edge = Edge::load(&world.storage, world.published.last().unwrap()).unwrap();
    let ahead = Head {
        size: 3,
        root: [7; 32],
    };
    assert!(matches!(
        Sequencer::recover(edge.clone(), ahead, None),
        Err(SequencerError::NotStaged { size: 3 })
    ));
    let lying = Batch {
        from: edge.head(),
        to: ahead,
        entries: vec![b"x".to_vec()],
    };
    assert!(matches!(
        Sequencer::recover(edge.clone(), ahead, Some(lying.clone())),
        Err(SequencerError::WrongBatch { size: 3 })
    ));
    let elsewhere = Batch {
        from: Head::EMPTY,
        ..lying.clone()
    };
    assert!(matches!(
        Sequencer::recover(edge, ahead, Some(elsewhere)),
        Err(SequencerError::WrongBatch { .. })
    ));
    let bytes = lying.to_bytes().unwrap();
    assert_eq!(Batch::from_bytes(&bytes).unwrap(), lying);
    assert!(Batch::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    assert!(Batch::from_bytes(&bytes[..80]).is_err());
}

#[test]
fn reports_must_fit_the_action() {
    let mut world = World::new(&[]);
    let mut sequencer = world.recover();
    assert!(matches!(
        sequencer.begin(Vec::new()),
        Err(SequencerError::EmptyBatch)
    ));
    assert!(matches!(
        sequencer.report(Report::Done),
        Err(SequencerError::Unexpected)
    ));
    sequencer.begin(vec![b"a".to_vec()]).unwrap();
    assert!(matches!(
        sequencer.begin(vec![b"b".to_vec()]),
        Err(SequencerError::Busy)
    ));
    assert!(matches!(
        sequencer.report(Report::Refused),
        Err(SequencerError::Unexpected)
    ));

    // A cosigned checkpoint of another head is never published.
    world.sequence(&batches(&[1]));
    let note = world.storage.get(CHECKPOINT_PATH).unwrap().unwrap();
    let old = world
        .policy
        .check(&SignedCheckpoint::parse(&note).unwrap())
        .unwrap();
    let mut sequencer = world.recover();
    sequencer.begin(vec![b"b".to_vec()]).unwrap();
    for _ in 0..3 {
        let report = world.perform(sequencer.action().unwrap()).unwrap();
        sequencer.report(report).unwrap();
    }
    assert!(matches!(
        sequencer.report(Report::Cosigned(old)),
        Err(SequencerError::WrongCheckpoint { wanted: 2, got: 1 })
    ));
}
