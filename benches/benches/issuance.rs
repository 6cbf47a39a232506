//! Certificates through HTTPS: the real service and five real signers, with their TLS, databases and logs, on loopback in one
//! process; a holder who opens a connection, asks for a challenge, shows, and waits for the certificate. One at a time gives
//! latencies, many at once certificates per second. Prints a table of its own.
//!
//! What a holder does beforehand is not counted: possession and policy proofs, the nullifier proof of each use, the CSR.

#![allow(missing_docs, reason = "a program")]

// The world that the service's integration tests run in.
#[path = "../../service/tests/integration/world.rs"]
#[allow(dead_code, reason = "the tests use parts that the bench does not")]
mod world;

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bauta_benches::{load, quantile};
use bauta_circuits::Circuit;
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::PolicyWitness;
use bauta_circuits::possession::native::NativeWitness;
use bauta_prover::keys::{HolderKeys, Prover, Tables};
use bauta_prover::prepare::{native_witness, policy_witness};
use bauta_prover::prove::{RelationProof, prove};
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_setup::ParameterSet;
use bauta_statement::challenge::Challenge;
use bauta_statement::context::{Context, key_digest};
use bauta_statement::credential::{HolderSecret, IssuedCredential, NativeCredential};
use bauta_statement::csr;
use bauta_statement::eddsa::SigningKey;
use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::Epoch;
use bauta_statement::field;
use bauta_statement::file::issuer_set::{Issuer, IssuerSet, NativeIssuer};
use bauta_statement::file::parameters::{Parameters, Provenance, RelationParameters};
use bauta_statement::file::{self, Kind, SignedFile};
use bauta_statement::note::NoteSigner;
use bauta_statement::policy::{EpochRoots, Policy, RelationName};
use bauta_statement::relation::Relation;
use bauta_statement::schema::Schema;
use bauta_statement::scope;
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use bauta_statement::vector::{AttributeValue, Format, ORIGIN, Serial, handle};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use world::{CA_NAME, DAY, ORIGIN as LOG_ORIGIN, TRUST_DOMAIN, World, now};

/// An epoch's length in the tests' world, and how much of it the measurement wants for itself.
const EPOCH: u64 = 3_600;
const NEEDED: u64 = 240;

/// How much is measured.
struct Amount {
    warm_up: usize,
    /// Certificates one after another, of each policy.
    alone: usize,
    /// Certificates in flight, and how many in all.
    together: &'static [(usize, usize)],
}

const FULL: Amount = Amount {
    warm_up: 10,
    alone: 100,
    together: &[(4, 128), (16, 256), (64, 384)],
};
/// Run as a test, it only has to work.
const QUICK: Amount = Amount {
    warm_up: 1,
    alone: 2,
    together: &[(4, 8)],
};

/// What a holder has, ready for both policies.
struct Holder {
    keys: HolderKeys,
    credential: NativeCredential,
    possession: RelationProof,
    /// By name.
    claims: Vec<(Policy, RelationProof)>,
    nullifier: Prover<NullifierWitness>,
    csrs: Vec<Vec<u8>>,
    next_csr: AtomicUsize,
}

fn parameters(relation: Relation) -> ParameterSet {
    bauta_setup::load_or_make(
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        relation,
        &mut |_| (),
    )
    .unwrap()
}

fn prover<C: Circuit>() -> Prover<C> {
    Prover::new(parameters(C::RELATION).into_proving_key()).unwrap()
}

fn schema() -> Value {
    json!({
        "name": "employee", "subject_key": "organisation",
        "attributes": [
            {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}, "required": true},
            {"slot": 6, "name": "level", "type": "integer", "source": {"subject": "2.5.4.5"}}
        ]
    })
}

/// The same predicates with a scope (three proofs) and without (two).
fn policy(name: &str) -> Value {
    let mut policy = json!({
        "name": name, "issuer_set": "members", "schema": "employee",
        "predicates": [
            {"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"},
            {"attribute": "level", "slot": 6, "type": "integer", "at_least": 5}
        ],
        "disclose": [{"attribute": "level", "slot": 6, "type": "integer"}],
        "certificate": {"lifetime_seconds": 600, "keys": ["p256"]}
    });
    match name {
        "counted" => {
            policy["scope"] = json!({"name": "daily", "period_seconds": DAY, "bound": 1_000_000})
        }
        _ => policy["unbounded"] = json!(true),
    }
    policy
}

/// A CA with an epoch in force, and who is ready to be certified by it.
async fn ready(csrs: usize) -> (World, Holder) {
    let world = World::begun().await;
    world.make_ca().await;
    let client = world.client();
    let mut relations = Vec::new();
    for relation in Relation::BASIC {
        let key = parameters(relation).verifying_key().encode();
        client.submit_object(&key).await.unwrap();
        relations.push(RelationParameters {
            relation: RelationName(relation),
            verifying_key: parameters(relation).verifying_key().digest(),
            length: u32::try_from(key.len()).unwrap(),
            provenance: Provenance::Development,
        });
    }
    let lists = NoteSigner::generate(&mut OsRng, "desk").unwrap();
    let desk = SigningKey::generate(&mut OsRng);
    let set = IssuerSet {
        issuers: vec![Issuer::Native(NativeIssuer {
            name: "desk".to_owned(),
            public_key: desk.public_key().to_bytes(),
            proof_of_possession: desk.prove_possession(&mut OsRng).to_bytes(),
            schema: "employee".to_owned(),
            note_key: lists.verifier(),
            revocation_quota: 3,
        })],
    };
    let issuer_key = HEXLOWER.encode(&desk.public_key().to_bytes());
    let list = json!({ "issuer_key": issuer_key, "serials": [] });
    let mut policies = Vec::new();
    let mut notes = vec![
        world.sign(Kind::Parameters, "parameters", &Parameters { relations }),
        world.sign(Kind::Schema, "employee", &schema()),
        world.sign(Kind::IssuerSet, "members", &set),
        world.sign_as(
            &lists,
            Kind::RevocationList,
            "desk",
            (1, world.authority.expires),
            &list,
        ),
    ];
    for name in ["uncounted", "counted"] {
        let note = world.sign(Kind::Policy, name, &policy(name));
        let file::Body::Policy(policy) = SignedFile::parse(&note).unwrap().body else {
            panic!("no policy")
        };
        policies.push(*policy);
        notes.push(note);
    }
    for note in notes {
        client.submit_file(&note).await.unwrap();
    }
    client.publish_epoch().await.unwrap();
    let (status, epochs) = world.request("GET", "/v1/epochs", "").await;
    assert_eq!(status, 200, "{epochs}");
    let epochs: Value = serde_json::from_str(&epochs).unwrap();
    let entry = BASE64
        .decode(epochs["current"]["entry"].as_str().unwrap().as_bytes())
        .unwrap();
    let Body::Epoch(epoch) = Entry::decode(&entry).unwrap().body else {
        panic!("no epoch")
    };
    let holder = Holder::new(&desk, policies, &epoch, csrs);
    (world, holder)
}

impl Holder {
    fn new(desk: &SigningKey, policies: Vec<Policy>, epoch: &Epoch, csrs: usize) -> Self {
        let secret = HolderSecret::generate(&mut OsRng);
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        attributes[0] = AttributeValue::Text("Example".to_owned());
        attributes[1] = AttributeValue::Integer(7);
        let schema: Schema = serde_json::from_value(schema()).unwrap();
        let serial = Serial::from_be_bytes(&[0x2a]).unwrap();
        let today = now() / DAY * DAY;
        let commitment = secret.commitment();
        let credential = IssuedCredential::sign(
            desk,
            &mut OsRng,
            schema.rule(),
            today,
            today + 30 * DAY,
            handle(desk.public_key().digest(), &serial),
            attributes,
            commitment,
        )
        .accept(secret)
        .unwrap();

        let (native, policy, nullifier) = (
            prover::<NativeWitness>(),
            prover::<PolicyWitness>(),
            prover::<NullifierWitness>(),
        );
        let formats = [(Format::Native, native.verifying_key().clone())];
        let keys = HolderKeys::new(
            &formats,
            policy.verifying_key(),
            nullifier.verifying_key(),
            Tables::Small,
        )
        .unwrap();
        let vector = credential.vector();
        let issuers = QuaternaryTree::of_members(&[vector.get(ORIGIN)], ISSUER_SET_DEPTH).unwrap();
        let revoked = RevocationTree::new();
        let roots = EpochRoots {
            start: epoch.start,
            end: epoch.end(),
            issuer_root: issuers.root(),
            revocation_root: revoked.root(),
        };
        let claims = policies.into_iter().map(|body| {
            let (public, slots) = (body.public(&roots), body.slot_map());
            let witness =
                policy_witness(&vector, &slots, &public, &issuers, &revoked, [None, None]).unwrap();
            let proof = prove(&policy, &witness, &mut OsRng).unwrap();
            (body, proof)
        });
        let claims = claims.collect();
        let possession = prove(&native, &native_witness(&credential), &mut OsRng).unwrap();
        let csr = || {
            let key = rcgen::KeyPair::generate().unwrap();
            rcgen::CertificateParams::default()
                .serialize_request(&key)
                .unwrap()
                .der()
                .to_vec()
        };
        Self {
            keys,
            possession,
            claims,
            nullifier,
            csrs: (0..csrs).map(|_| csr()).collect(),
            next_csr: AtomicUsize::new(0),
            credential,
        }
    }

    /// Everything ready to be shown, and a CSR for it. The number of the CSR is the counter of the use.
    fn prepare(&self, name: &str) -> (Prepared, Vec<u8>) {
        let number = self.next_csr.fetch_add(1, Ordering::Relaxed);
        let (policy, claim) = self
            .claims
            .iter()
            .find(|(policy, _)| policy.name == name)
            .unwrap();
        let used = policy.scope.as_ref().map(|wanted| {
            let start = scope::period_start(now(), wanted.period_seconds);
            let element = scope::scope(TRUST_DOMAIN, &wanted.name, start);
            let counter = u32::try_from(number).unwrap();
            let witness = NullifierWitness::new(
                self.credential.holder().secret,
                element,
                counter,
                wanted.bound,
            );
            prove(&self.nullifier, &witness, &mut OsRng).unwrap()
        });
        let slots = SlotMap::from(policy);
        let holding = Holding::from(&self.credential);
        let prepared = Prepared::new(
            &self.keys,
            holding,
            &self.possession,
            claim,
            used.as_ref(),
            slots,
        )
        .unwrap();
        (prepared, self.csrs[number].clone())
    }

    /// The body of a request under the challenge that was given.
    fn show(&self, prepared: &Prepared, csr: &[u8], given: &Value) -> String {
        let token = BASE64
            .decode(given["challenge"].as_str().unwrap().as_bytes())
            .unwrap();
        let challenge = Challenge::decode(&token).unwrap();
        let context = Context {
            policy_digest: challenge.policy_digest,
            nonce: challenge.nonce,
            expiry: challenge.expiry,
            trust_domain: TRUST_DOMAIN.to_owned(),
            ca_name: CA_NAME.to_owned(),
            log_origin: LOG_ORIGIN.to_owned(),
            spki_sha256: key_digest(csr::Request::from_der(csr).unwrap().key.spki()),
        };
        let (presentation, openings) = prepared.show(&mut OsRng, &self.keys, &context).unwrap();
        let openings = openings.iter().map(|opening| {
            let AttributeValue::Integer(value) = &opening.value else {
                panic!("the level is an integer")
            };
            let blinding = HEXLOWER.encode(&field::to_bytes(&opening.blinding));
            json!({ "slot": opening.slot, "value": { "integer": value }, "blinding": blinding })
        });
        json!({
            "challenge": given["challenge"],
            "epoch": given["epoch"],
            "csr": BASE64.encode(csr),
            "presentation": BASE64.encode(&presentation.encode()),
            "openings": openings.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// HTTP/1.1 over one TLS 1.3 connection, no more than the bench needs.
struct Connection(tokio_rustls::client::TlsStream<tokio::net::TcpStream>);

impl Connection {
    async fn open(world: &World, connector: &TlsConnector) -> Self {
        let stream = tokio::net::TcpStream::connect(world.config.listen)
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        Self(connector.connect(name, stream).await.unwrap())
    }

    async fn post(&mut self, path: &str, body: &str) -> Value {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        let mut answer = Vec::new();
        loop {
            assert!(
                self.0.read_buf(&mut answer).await.unwrap() > 0,
                "the service closed the connection"
            );
            let text = std::str::from_utf8(&answer).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                assert!(head.starts_with("HTTP/1.1 200"), "{text}");
                return serde_json::from_str(body).unwrap();
            }
        }
    }
}

/// How long each part of one issuance took.
#[derive(Clone, Copy)]
struct Times {
    connect: Duration,
    challenge: Duration,
    show: Duration,
    certificate: Duration,
}

impl Times {
    fn all(&self) -> Duration {
        self.connect + self.challenge + self.show + self.certificate
    }
}

/// What a measurement needs.
struct Bench {
    world: World,
    holder: Holder,
    connector: TlsConnector,
}

async fn certify(bench: &Bench, ready: (Prepared, Vec<u8>), name: &str) -> Times {
    let (prepared, csr) = ready;
    let start = Instant::now();
    let mut connection = Connection::open(&bench.world, &bench.connector).await;
    let connected = Instant::now();
    let given = connection
        .post("/v1/challenges", &json!({ "policy": name }).to_string())
        .await;
    let challenged = Instant::now();
    let body = tokio::task::block_in_place(|| bench.holder.show(&prepared, &csr, &given));
    let shown = Instant::now();
    let issued = connection.post("/v1/certificates", &body).await;
    let certified = Instant::now();
    assert!(
        issued["certificate_chain"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE")
    );
    Times {
        connect: connected - start,
        challenge: challenged - connected,
        show: shown - challenged,
        certificate: certified - shown,
    }
}

/// What the disk takes to make 4 KiB durable, beside which the latencies are to be read.
fn disk(folder: &Path) -> Vec<Duration> {
    let mut file = std::fs::File::create(folder.join("disk")).unwrap();
    let append = |file: &mut std::fs::File| {
        let start = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    };
    (0..200).map(|_| append(&mut file)).collect()
}

fn print_row(what: &str, times: &[Times]) {
    type Part = fn(&Times) -> Duration;
    let parts: [(&str, Part); 5] = [
        ("connect", |times| times.connect),
        ("challenge", |times| times.challenge),
        ("show", |times| times.show),
        ("certificate", |times| times.certificate),
        ("all", Times::all),
    ];
    print!("{what}, p50/p99 ms:");
    for (name, part) in parts {
        let at = |share| quantile(times.iter().map(part), share);
        print!("  {name} {:.1}/{:.1}", at(0.5), at(0.99));
    }
    println!();
}

#[tokio::main(flavor = "multi_thread", worker_threads = 8)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` does not.
    let amount = if std::env::args().any(|argument| argument == "--bench") {
        FULL
    } else {
        QUICK
    };
    let left = EPOCH - now() % EPOCH;
    if left < NEEDED {
        println!(
            "the epoch ends in {left} s, and with it what the holder prepared: waiting for the next one"
        );
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
    let together: usize = amount.together.iter().map(|(_, count)| count).sum();
    let (world, holder) = ready(2 * (amount.warm_up + amount.alone + together)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(world.path().join("tls.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // As wallets: a ticket would link one show to another.
    config.resumption = rustls::client::Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let bench = Arc::new(Bench {
        world,
        holder,
        connector,
    });

    println!("load {}", load());
    let synced = disk(bench.world.path());
    let sync = |share| quantile(synced.iter().copied(), share);
    println!(
        "4 KiB to this disk, durably, p50/p99 ms: {:.2}/{:.2}",
        sync(0.5),
        sync(0.99)
    );
    for (name, what) in [("uncounted", "two proofs"), ("counted", "three proofs")] {
        let ready = |count: usize| {
            (0..count)
                .map(|_| bench.holder.prepare(name))
                .collect::<Vec<_>>()
        };
        for one in ready(amount.warm_up) {
            certify(&bench, one, name).await;
        }
        let prepared = ready(amount.alone);
        // What the service and the signers still do for the last one is no part of the next.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut times = Vec::new();
        for one in prepared {
            times.push(certify(&bench, one, name).await);
        }
        print_row(&format!("{what}, one at a time ({})", times.len()), &times);

        for (in_flight, count) in amount.together {
            let waiting = Arc::new(Mutex::new(ready(*count)));
            let mut workers = JoinSet::new();
            let start = Instant::now();
            for _ in 0..*in_flight {
                let (bench, waiting) = (Arc::clone(&bench), Arc::clone(&waiting));
                workers.spawn(async move {
                    let mut times = Vec::new();
                    loop {
                        let one = waiting.lock().unwrap().pop();
                        let Some(one) = one else { return times };
                        times.push(certify(&bench, one, name).await);
                    }
                });
            }
            let times: Vec<Times> = workers.join_all().await.concat();
            let rate =
                f64::from(u32::try_from(times.len()).unwrap()) / start.elapsed().as_secs_f64();
            print_row(
                &format!(
                    "{what}, {in_flight} in flight ({}): {rate:.1} certificates/s",
                    times.len()
                ),
                &times,
            );
        }
    }
    println!("load {}", load());
}
