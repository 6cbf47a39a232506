//! The driver with a coordinator and rules of the test's own: crashes after every step, races, refusals, lapses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bauta_log::reader::AuditError;
use bauta_log::{Checkpoint, CosignatureSigner, LogPolicy, LogReader, TlogProof};
use bauta_statement::entry::{Body, Entry, Issuance, ObjectRef};

use super::driver::Driver;
use super::*;

const ORIGIN: &str = "log.example/2026h2";
const START: u64 = 1_800_000_000;
/// An epoch that the test's rules do not know.
const NO_EPOCH: u64 = 666;
/// An object that the test's signers do not accept.
const REFUSED: [u8; 32] = [66; 32];

fn log_signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn cosigners() -> Vec<CosignatureSigner> {
    (1..=5u8)
        .map(|i| CosignatureSigner::from_seed(&format!("signer-{i}"), &[i + 1; 32]).unwrap())
        .collect()
}

fn policy() -> LogPolicy {
    let keys: Vec<_> = cosigners().iter().map(|c| c.verifier().clone()).collect();
    LogPolicy::quorum_of(log_signer().verifier().clone(), &keys, 4).unwrap()
}

/// Accepts everything but issuances of [`NO_EPOCH`]; knows the entries taken in, as the ledger does.
#[derive(Default)]
struct TestRules {
    settled: BTreeMap<u64, Vec<u8>>,
    drafted: Vec<Vec<u8>>,
}

impl Rules for TestRules {
    fn reset(&mut self) {
        *self = TestRules::default();
    }
    fn replay(&mut self, entries: &[Vec<u8>]) -> Result<(), String> {
        self.drafted.extend_from_slice(entries);
        Ok(())
    }
    fn draft(&mut self, entries: &[Vec<u8>]) -> Vec<Option<String>> {
        let misfits: Vec<_> = entries
            .iter()
            .map(|entry| match Entry::decode(entry).unwrap().body {
                Body::Issuance(issuance) if issuance.epoch == NO_EPOCH => {
                    Some("the epoch is over".to_owned())
                }
                _ => None,
            })
            .collect();
        if misfits.iter().all(Option::is_none) {
            self.drafted.extend_from_slice(entries);
        }
        misfits
    }
    fn changes_signers(&self) -> bool {
        false
    }

    fn settle(&mut self) {
        let next = self.settled.len() as u64;
        self.settled.extend((next..).zip(self.drafted.drain(..)));
    }
    fn withdraw(&mut self) {
        self.drafted.clear();
    }
    fn policy(&self) -> Option<LogPolicy> {
        (!self.settled.is_empty()).then(policy)
    }
    fn to_sign(&self, index: u64, _openings: &[u8]) -> Result<ToSign, String> {
        let entry = self.settled.get(&index).ok_or("not taken in")?.clone();
        let tbs = entry.clone();
        Ok(ToSign {
            tbs,
            group_key: [8; 32],
            extra: entry.clone(),
            assemble: Box::new(move |signature| Ok([&entry[..], signature].concat())),
        })
    }
}

/// Signers that are all there, unless told otherwise.
#[derive(Default)]
struct Signers {
    /// Answer nothing to requests for signatures.
    silent: AtomicBool,
    /// Answer that the time is over.
    late: AtomicBool,
    cosigned: AtomicU64,
}

fn coordinator(log: LogStore, signers: Arc<Signers>) -> mpsc::Sender<Command> {
    let (sender, mut commands) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Some(command) = commands.recv().await {
            match command {
                Command::Cosign {
                    mut checkpoint,
                    reply,
                } => {
                    let size = checkpoint.checkpoint().head().size;
                    let newest = Entry::decode(&log.locked_entry(size - 1).unwrap()).unwrap();
                    if matches!(newest.body, Body::Parameters(object) if object.digest == REFUSED) {
                        let _ = reply.send(Cosigning::Impossible {
                            reason: "not by the administrators".to_owned(),
                        });
                        continue;
                    }
                    for cosigner in &cosigners()[..4] {
                        let line = cosigner.cosign(checkpoint.checkpoint(), START).unwrap();
                        checkpoint.add(line);
                    }
                    signers.cosigned.fetch_add(1, Ordering::Relaxed);
                    let _ = reply.send(Cosigning::Cosigned(policy().check(&checkpoint).unwrap()));
                }
                Command::Sign { reply, .. } if signers.silent.load(Ordering::Relaxed) => {
                    open.push(reply)
                }
                Command::Sign { reply, .. } if signers.late.load(Ordering::Relaxed) => {
                    let _ = reply.send(Signing::Lapsed);
                }
                Command::Sign { task, reply } => {
                    // As signers do: nothing without inclusion under the quorum.
                    let proof = TlogProof::parse(&task.proof).unwrap();
                    proof.verify(task.tbs.clone(), &policy()).unwrap();
                    let _ = reply.send(Signing::Signed([7; 64]));
                }
            }
        }
    });
    sender
}

/// What a process of the service is, and what is left of it in `folder`.
struct World {
    folder: PathBuf,
    clock: Arc<AtomicU64>,
    signers: Arc<Signers>,
}

impl World {
    fn new(folder: &Path) -> Self {
        World {
            folder: folder.to_owned(),
            clock: Arc::new(AtomicU64::new(START)),
            signers: Arc::default(),
        }
    }

    async fn parts(&self) -> Parts<TestRules> {
        let store = Store::open(&self.folder.join("service.sqlite"))
            .await
            .unwrap();
        let log = LogStore::open(&self.folder.join("log")).unwrap();
        let clock = Arc::clone(&self.clock);
        Parts {
            config: Config {
                batch_delay: Duration::from_millis(5),
                ..Config::default()
            },
            commands: coordinator(log.clone(), Arc::clone(&self.signers)),
            store,
            log,
            signer: Arc::new(log_signer()),
            rules: Arc::default(),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            waiters: Arc::default(),
            wake: Arc::default(),
            signing: Arc::default(),
            replayed: tokio::sync::watch::Sender::new(false),
        }
    }

    async fn start(&self) -> Running {
        let parts = self.parts().await;
        let shutdown = CancellationToken::new();
        let handle = parts.handle();
        let task = tokio::spawn(driver::run(parts.clone(), shutdown.clone()));
        Running {
            handle,
            parts,
            shutdown,
            task,
        }
    }
}

struct Running {
    handle: Handle,
    parts: Parts<TestRules>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), DriverError>>,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        self.parts.store.close().await;
    }

    /// The published log, audited.
    fn entries(&self) -> Vec<Entry> {
        let Some(published) = self.parts.log.published() else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        LogReader::new(bauta_log::FolderStorage::read_only(self.folder()))
            .audit(&published.head(), |_, entry| {
                entries.push(Entry::decode(entry).unwrap());
                Ok::<(), AuditError>(())
            })
            .unwrap();
        entries
    }

    fn folder(&self) -> PathBuf {
        self.parts.log.root().to_owned()
    }
}

fn admission(number: u32, nullifier: Option<u8>, key: u8) -> Admission {
    let mut request = [0; 32];
    request[..4].copy_from_slice(&number.to_be_bytes());
    Admission {
        request,
        issuance: Issuance {
            policy: [1; 32],
            epoch: 7,
            ca_key: [2; 32],
            nonce: request,
            expiry: START + 300,
            key: vec![key; 91],
            presentation: vec![9; 1300],
        },
        nullifier: nullifier.map(|byte| ([byte; 32], START + 86_400)),
        policy_name: "members".to_owned(),
        csr: vec![3; 200],
        openings: vec![0],
    }
}

fn parameters(digest: u8) -> Body {
    Body::Parameters(ObjectRef {
        digest: [digest; 32],
        length: 9,
    })
}

fn assert_signed(outcome: &Outcome, number: u32) -> u64 {
    let Outcome::Signed {
        index,
        certificate,
        proof,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    let proof = TlogProof::parse(proof).unwrap();
    let entry = proof.extra.clone().unwrap();
    let logged = proof.verify(entry.clone(), &policy()).unwrap();
    assert_eq!(logged.index(), *index);
    assert_eq!(*certificate, [&entry[..], &[7; 64]].concat());
    let Body::Issuance(issuance) = Entry::decode(&entry).unwrap().body else {
        panic!("no issuance")
    };
    assert_eq!(issuance.nonce[..4], number.to_be_bytes());
    *index
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_logged_and_issuances_certified() {
    let folder = tempfile::tempdir().unwrap();
    let service = World::new(folder.path()).start().await;
    assert_eq!(service.handle.submit(parameters(1)).await.unwrap(), 0);
    let id = service
        .handle
        .admit(&admission(1, Some(1), 1))
        .await
        .unwrap();
    assert_eq!(
        assert_signed(&service.handle.outcome(id).await.unwrap(), 1),
        1
    );
    // The same request again is the same entry.
    assert_eq!(
        service
            .handle
            .admit(&admission(1, Some(1), 1))
            .await
            .unwrap(),
        id
    );
    assert_eq!(service.handle.submit(parameters(2)).await.unwrap(), 2);
    assert_eq!(service.entries().len(), 3);
    // Nobody waits, and nobody is remembered as waiting.
    service.handle.outcome(id).await.unwrap();
    assert!(service.handle.waiters.is_empty());
    // A signer that catches up in steps is given any prefix.
    let prefix = service.parts.log.prefix(2, &log_signer()).unwrap();
    assert_eq!(
        SignedCheckpoint::parse(&prefix)
            .unwrap()
            .checkpoint()
            .head()
            .size,
        2
    );
    assert!(service.parts.log.prefix(4, &log_signer()).is_err());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_identical_requests_are_one_entry() {
    let folder = tempfile::tempdir().unwrap();
    let service = World::new(folder.path()).start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let handle = service.handle.clone();
            tokio::spawn(async move {
                let id = handle.admit(&admission(1, Some(1), 1)).await.unwrap();
                handle.outcome(id).await.unwrap()
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    assert_eq!(assert_signed(&outcomes[0], 1), 1);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(service.entries().len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_batches_and_a_limit_holds() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let service = world.start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    // Five uses, each raced for by forty keys.
    let tasks: Vec<_> = (0..200u32)
        .map(|number| {
            let handle = service.handle.clone();
            tokio::spawn(async move {
                let admission = admission(number, Some((number % 5) as u8), (number / 5) as u8);
                match handle.admit(&admission).await {
                    Ok(id) => Some((number, handle.outcome(id).await.unwrap())),
                    Err(AdmitError::NullifierSpent) => None,
                    Err(error) => panic!("{error}"),
                }
            })
        })
        .collect();
    let mut signed = 0;
    for task in tasks {
        if let Some((number, outcome)) = task.await.unwrap() {
            assert_signed(&outcome, number);
            signed += 1;
        }
    }
    assert_eq!(signed, 5);
    assert_eq!(service.entries().len(), 6);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_step_loses_and_doubles_nothing() {
    // Closing, staging, swapping, writing, cosigning, publishing, for each of three batches; then some.
    for steps in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path());
        let parts = world.parts().await;
        let handle = parts.handle();
        parts
            .store
            .submit([1; 32], parameters(1), START)
            .await
            .unwrap();
        let id = handle.admit(&admission(1, Some(1), 1)).await.unwrap();
        parts
            .store
            .submit([2; 32], parameters(2), START)
            .await
            .unwrap();
        let mut driver = Driver::recover(parts.clone()).await.unwrap();
        for _ in 0..steps {
            let step = tokio::time::timeout(Duration::from_millis(500), driver.step()).await;
            if step.is_err() {
                break;
            }
            step.unwrap().unwrap();
        }
        drop(driver);
        parts.store.close().await;

        let service = world.start().await;
        let outcome = service.handle.outcome(id).await.unwrap();
        assert_eq!(assert_signed(&outcome, 1), 1, "after {steps} steps");
        assert_eq!(
            service.handle.submit(parameters(3)).await.unwrap(),
            3,
            "after {steps} steps"
        );
        let entries = service.entries();
        assert_eq!(entries.len(), 4, "after {steps} steps");
        for (index, digest) in [(0, 1), (2, 2), (3, 3)] {
            assert_eq!(entries[index].body, parameters(digest));
        }
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_longer_fits_is_dropped_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let service = World::new(folder.path()).start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    let mut late = admission(1, Some(1), 1);
    late.issuance.epoch = NO_EPOCH;
    let late = service.handle.admit(&late).await.unwrap();
    let good = service
        .handle
        .admit(&admission(2, Some(2), 1))
        .await
        .unwrap();
    let outcome = service.handle.outcome(late).await.unwrap();
    assert_eq!(
        outcome,
        Outcome::Dropped {
            reason: "the epoch is over".to_owned()
        }
    );
    assert_signed(&service.handle.outcome(good).await.unwrap(), 2);
    assert_eq!(service.entries().len(), 2);
    // Nothing was spent but the nonce: the use is free for any key.
    let again = service
        .handle
        .admit(&admission(3, Some(1), 9))
        .await
        .unwrap();
    assert_signed(&service.handle.outcome(again).await.unwrap(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_head_goes_back_and_halts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let service = world.start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    let refused = service
        .handle
        .submit(Body::Parameters(ObjectRef {
            digest: REFUSED,
            length: 9,
        }))
        .await;
    assert!(
        matches!(refused, Err(SubmitError::Refused(reason)) if reason.contains("administrators"))
    );
    assert_eq!(service.handle.submit(parameters(2)).await.unwrap(), 1);
    let id = service.handle.admit(&admission(1, None, 1)).await.unwrap();
    assert_eq!(
        assert_signed(&service.handle.outcome(id).await.unwrap(), 1),
        2
    );
    assert_eq!(service.entries().len(), 3);
    service.stop().await;
    // And it reads back.
    let service = world.start().await;
    assert_eq!(service.handle.submit(parameters(3)).await.unwrap(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_without_signers_resumes_within_its_time_and_lapses_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    world.signers.silent.store(true, Ordering::Relaxed);
    let service = world.start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    let first = service
        .handle
        .admit(&admission(1, Some(1), 1))
        .await
        .unwrap();
    let second = service
        .handle
        .admit(&admission(2, Some(2), 1))
        .await
        .unwrap();
    let wait =
        tokio::time::timeout(Duration::from_millis(300), service.handle.outcome(first)).await;
    assert!(wait.is_err(), "{wait:?}");
    service.stop().await;

    // Within 120 s the signers are back: the same entry is signed.
    world.signers.silent.store(false, Ordering::Relaxed);
    world.clock.store(START + 60, Ordering::Relaxed);
    let service = world.start().await;
    assert_signed(&service.handle.outcome(first).await.unwrap(), 1);
    assert_signed(&service.handle.outcome(second).await.unwrap(), 2);

    // The coordinator says that the time is over; the same key and use again costs nothing more.
    world.signers.late.store(true, Ordering::Relaxed);
    let third = service
        .handle
        .admit(&admission(3, Some(3), 1))
        .await
        .unwrap();
    assert!(matches!(
        service.handle.outcome(third).await.unwrap(),
        Outcome::Lapsed { .. }
    ));
    world.signers.late.store(false, Ordering::Relaxed);
    let again = service
        .handle
        .admit(&admission(4, Some(3), 1))
        .await
        .unwrap();
    assert_signed(&service.handle.outcome(again).await.unwrap(), 4);
    let spent = service.handle.admit(&admission(5, Some(3), 2)).await;
    assert!(matches!(spent, Err(AdmitError::NullifierSpent)));

    // After 120 s without the service it lapses at the next start.
    world.signers.silent.store(true, Ordering::Relaxed);
    let fourth = service
        .handle
        .admit(&admission(6, Some(4), 1))
        .await
        .unwrap();
    let wait =
        tokio::time::timeout(Duration::from_millis(300), service.handle.outcome(fourth)).await;
    assert!(wait.is_err(), "{wait:?}");
    service.stop().await;
    world
        .clock
        .store(START + 60 + LAPSES_AFTER + 1, Ordering::Relaxed);
    let service = world.start().await;
    assert!(matches!(
        service.handle.outcome(fourth).await.unwrap(),
        Outcome::Lapsed { .. }
    ));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let service = world.start().await;
    for (digest, time) in [(1, START), (2, START - 50), (3, START + 5)] {
        world.clock.store(time, Ordering::Relaxed);
        service.handle.submit(parameters(digest)).await.unwrap();
    }
    service.stop().await;
    world.clock.store(START - 9, Ordering::Relaxed);
    let service = world.start().await;
    service.handle.submit(parameters(4)).await.unwrap();
    let times: Vec<_> = service.entries().iter().map(|entry| entry.time).collect();
    assert_eq!(times, [START, START, START + 5, START + 5]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_services_on_one_database_one_stops() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let (one, two) = (world.parts().await, world.parts().await);
    one.store
        .submit([1; 32], parameters(1), START)
        .await
        .unwrap();
    let mut first = Driver::recover(one).await.unwrap();
    let mut second = Driver::recover(two).await.unwrap();
    // Both close a batch; the first stages and swaps.
    second.step().await.unwrap();
    for _ in 0..3 {
        first.step().await.unwrap();
    }
    world.clock.store(START + 1, Ordering::Relaxed);
    second.step().await.unwrap();
    assert!(matches!(second.step().await, Err(DriverError::Lost)));
    for _ in 0..3 {
        first.step().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_stored_states_stop_the_service_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let service = world.start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    service.stop().await;

    // The log's folder without its database.
    let moved = folder.path().join("elsewhere");
    std::fs::create_dir(&moved).unwrap();
    let copy = World::new(&moved);
    std::fs::rename(folder.path().join("log"), moved.join("log")).unwrap();
    let error = Driver::recover(copy.parts().await).await.err().unwrap();
    assert!(matches!(error, DriverError::Sequencer(_)), "{error}");
    assert!(error.to_string().contains("restore"), "{error}");

    // A database without its folder.
    let error = Driver::recover(world.parts().await).await.err().unwrap();
    assert!(matches!(error, DriverError::Sequencer(_)), "{error}");

    // A changed tile.
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    std::fs::rename(moved.join("log"), folder.path().join("log")).unwrap();
    let bundle = folder.path().join("log/tile/entries/000.p/1");
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let error = Driver::recover(world.parts().await).await.err().unwrap();
    assert!(matches!(error, DriverError::Audit(_)), "{error}");
}

#[tokio::test]
async fn an_unsigned_checkpoint_is_never_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path());
    let service = world.start().await;
    service.handle.submit(parameters(1)).await.unwrap();
    let head = service.parts.log.published().unwrap().head();
    service.stop().await;
    let bare = log_signer()
        .sign(Checkpoint::new(ORIGIN, head).unwrap())
        .unwrap();
    std::fs::write(folder.path().join("log/checkpoint"), bare.to_bytes()).unwrap();
    let error = Driver::recover(world.parts().await).await.err().unwrap();
    assert!(matches!(error, DriverError::Checkpoint(_)), "{error}");
}
