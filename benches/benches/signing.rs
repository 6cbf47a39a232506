//! Threshold signatures: the real coordinator and five real signers, 3-of-5, over TLS 1.3 on loopback in one process. The signers'
//! shares are sealed by SoftHSM2 tokens, which sign their TLS handshakes and cosignatures too; each module has a process of its own.
//! One at a time gives latencies, many at once signatures per second. Prints a table of its own.
//!
//! What is signed are CA certificates that administrators order: the log and its proof are those of issuances, and each signer
//! checks the proof under its quorum, parses the order, computes the certificate and burns a nonce on disk before its share leaves.
//! What an issuance adds is the presentation, which `issuance` measures.

#![allow(missing_docs, reason = "a program")]

// The world that the service's integration tests run in.
#[path = "../../service/tests/integration/world.rs"]
#[allow(dead_code, reason = "the tests use parts that the bench does not")]
mod world;

use std::{
    path::Path,
    process::{Command, ExitCode},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bauta_benches::{load, quantile};
use bauta_service::{
    coordinator::{CoordinatorHandle, Parts},
    log_store::LogStore,
    sequencer::{self, LedgerRules, Signing, SigningTask},
    store::Store,
};
use bauta_signer::token::{self, Opening, SlotName, Token, TokenConfig};
use bauta_statement::{certificate, file::KeyOperation};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use world::{World, now};

/// Where Debian has the module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "31415926";
/// The key of the CA.
const KEY: &str = "key-1";

/// How much is measured.
struct Amount {
    /// Certificates that are ordered: one cannot be signed twice at once.
    orders: usize,
    warm_up: usize,
    /// Signatures one after another.
    alone: usize,
    /// Signatures in flight, and how many in all.
    together: &'static [(usize, usize)],
}

const FULL: Amount = Amount {
    orders: 64,
    warm_up: 100,
    alone: 1000,
    together: &[(4, 1000), (16, 2000), (64, 4000)],
};
/// Run as a test, it only has to work.
const QUICK: Amount = Amount {
    orders: 4,
    warm_up: 1,
    alone: 4,
    together: &[(4, 16)],
};

/// A SoftHSM2 token beside the keys, and the keys in it.
fn keys_in_token(keys: &Path, name: &str) -> TokenConfig {
    let folder = keys.parent().expect("the signer's folder");
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).expect("a folder");
    let conf = folder.join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\n", tokens.display());
    std::fs::write(&conf, text).expect("softhsm2.conf");
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            name,
            "--so-pin",
            PIN,
            "--pin",
            PIN,
        ])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .expect("softhsm2-util: apt install softhsm2");
    assert!(made.status.success(), "{made:?}");
    let pin_file = folder.join("pin");
    std::fs::write(&pin_file, PIN).expect("PIN");
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&pin_file, owner).expect("mode");
    let config = TokenConfig {
        module: Some(MODULE.into()),
        slot: Some(SlotName::Label(name.to_owned())),
        pin_file: Some(pin_file),
        environment: [("SOFTHSM2_CONF".to_owned(), conf.display().to_string())].into(),
        shared: None,
    };
    let opening = Opening {
        write: true,
        ..Opening::default()
    };
    let token = Token::open(&config, opening).expect("a token");
    token::create(keys, name, &token).expect("keys");
    config
}

/// What is to be signed, and who has it signed.
struct Bench {
    coordinator: CoordinatorHandle,
    tasks: Vec<SigningTask>,
}

/// A CA whose orders are logged; then its coordinator alone, with the same signers.
async fn ready(orders: usize) -> (World, Bench) {
    let world = World::found_with(&|_, keys, name| Some(keys_in_token(keys, name)));
    let mut world = world.begin().await;
    world.make_ca().await;
    let client = world.client();
    let group_key = client.status().await.unwrap().ca_keys[0].group_key;
    for number in 0..orders {
        let order = world.certificate_order_as(&format!("again-{number}"), KEY, group_key);
        client.submit_file(&order).await.unwrap();
    }
    world.stop_service().await;

    let logs = LogStore::open(&world.config.log).unwrap();
    let pinned = data_encoding::HEXLOWER
        .decode(world.config.authority_sha256.as_bytes())
        .unwrap();
    let rules = LedgerRules::new(pinned.try_into().unwrap(), logs.clone());
    let ledger = rules.ledger();
    let keys = bauta_service::keys::load(&world.config.keys).unwrap();
    let parts = Parts {
        listener: TcpListener::bind(world.config.coordinator).await.unwrap(),
        identity: keys.coordinator,
        logs: logs.clone(),
        log_key: bauta_service::keys::load(&world.config.keys).unwrap().log,
        ledger: ledger.clone(),
    };
    let coordinator = CoordinatorHandle::start(parts, CancellationToken::new()).unwrap();
    // The sequencer replays the log; it has nothing to log any more.
    let (sequencer, _driver) = sequencer::start(
        sequencer::Config::default(),
        Store::open(&world.config.data.join("service.sqlite"))
            .await
            .unwrap(),
        logs.clone(),
        keys.log,
        rules,
        coordinator.orders(),
        Arc::new(now),
        CancellationToken::new(),
    );
    sequencer.replayed().await;
    let tasks = {
        let ledger = ledger.read().unwrap();
        let domain = ledger.authority().unwrap().trust_domain.clone();
        let orders = ledger.key_operations().filter_map(|logged| {
            let KeyOperation::SignCaCertificate(sign) = logged.body.as_ref() else {
                return None;
            };
            let tbs = certificate::ca::tbs(sign, &logged.digest, &domain).unwrap();
            Some(SigningTask {
                index: logged.index,
                proof: logs.tlog_proof(logged.index, None).unwrap().to_bytes(),
                csr: Vec::new(),
                openings: Vec::new(),
                tbs: tbs.as_bytes().to_vec(),
                group_key,
                deadline: now() + 3_600,
            })
        });
        orders.collect()
    };
    let size = Some(logs.size());
    world
        .until("all signers are there", async || {
            let signers = coordinator.signers();
            signers.len() == 5 && signers.iter().all(|signer| signer.size == size)
        })
        .await;
    (world, Bench { coordinator, tasks })
}

impl Bench {
    /// From the order to the signature, which the coordinator has verified under the CA's key.
    async fn sign(&self, task: &SigningTask) -> Duration {
        let (reply, answer) = oneshot::channel();
        let start = Instant::now();
        let task = task.clone();
        self.coordinator
            .orders()
            .send(sequencer::Command::Sign { task, reply })
            .await
            .unwrap();
        match answer.await.unwrap() {
            Signing::Signed(_) => start.elapsed(),
            other => panic!("{other:?}"),
        }
    }
}

fn print_row(what: &str, times: &[Duration]) {
    println!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        quantile(times.iter().copied(), 0.5),
        quantile(times.iter().copied(), 0.99),
        quantile(times.iter().copied(), 1.0)
    );
}

async fn measure(amount: &Amount) {
    let (world, bench) = ready(amount.orders).await;
    let bench = Arc::new(bench);
    println!("load {}", load());
    let mut turn = bench.tasks.iter().cycle();
    for task in turn.by_ref().take(amount.warm_up) {
        bench.sign(task).await;
    }
    let mut times = Vec::new();
    for task in turn.by_ref().take(amount.alone) {
        times.push(bench.sign(task).await);
    }
    print_row(&format!("one at a time ({})", times.len()), &times);
    for (in_flight, count) in amount.together {
        // Each worker has orders of its own, so that none is signed twice at once.
        let left = Arc::new(Mutex::new(*count));
        let mut workers = JoinSet::new();
        let start = Instant::now();
        for worker in 0..*in_flight {
            let (bench, left) = (Arc::clone(&bench), Arc::clone(&left));
            workers.spawn(async move {
                let task = bench.tasks[worker].clone();
                let mut times = Vec::new();
                loop {
                    {
                        let mut left = left.lock().unwrap();
                        if *left == 0 {
                            return times;
                        }
                        *left -= 1;
                    }
                    times.push(bench.sign(&task).await);
                }
            });
        }
        let times: Vec<Duration> = workers.join_all().await.concat();
        let rate = f64::from(u32::try_from(times.len()).unwrap()) / start.elapsed().as_secs_f64();
        print_row(
            &format!(
                "{in_flight} in flight ({}): {rate:.0} signatures/s",
                times.len()
            ),
            &times,
        );
    }
    println!("load {}", load());
    drop(world);
}

fn main() -> ExitCode {
    // The signers' module processes are this program again.
    if std::env::args().nth(1).as_deref() == Some(token::SUBCOMMAND) {
        return token::serve();
    }
    // `cargo bench` says so; `cargo test --benches` does not.
    let amount = if std::env::args().any(|argument| argument == "--bench") {
        FULL
    } else {
        QUICK
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(&amount));
    ExitCode::SUCCESS
}
