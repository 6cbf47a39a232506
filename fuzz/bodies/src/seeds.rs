//! Good inputs of every target, from `vectors/` where they exist and made from fixed seeds otherwise. `cargo run -p
//! bauta-fuzz-bodies --example seeds` writes them to `fuzz/seeds/`; a test compares.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "only known inputs come here"
)]

use std::collections::BTreeMap;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use bauta_log::merkle::leaf_hash;
use bauta_log::sequencer::Batch;
use bauta_log::tile::{encode_bundle, encode_hashes};
use bauta_log::{
    Checkpoint, CosignatureSigner, Head, LogPolicy, LogSigner, MemoryStorage, TlogProof, Tree,
};
use bauta_prover::credential::Credential;
use bauta_prover::prove::RelationProof;
use bauta_prover::wallet::{Stored, StoredPolicy, StoredUse};
use bauta_signer_protocol::boot::{Boot, NotWelcome, Proof, Welcome};
use bauta_signer_protocol::messages::{
    Append, Bytes, Code, Commitment, Cosigned, DkgAgreement, DkgRound1, DkgRound1s, DkgRound2,
    DkgRound2s, DkgRun, DkgStart, FrostPackage, FrostSigner, Hello, Message, NonceCommitments,
    NumberedCommitment, Object, ObjectWanted, Published, Received, Refused, SealedPackage,
    SharedKey, SignRequest, SignatureShare, Slot, Stage, Subject, ToCoordinator, ToNode,
};
use bauta_statement::certificate::{Ca, Evidence, assemble, ca};
use bauta_statement::challenge::ChallengeKey;
use bauta_statement::credential::{HolderSecret, IssuedCredential};
use bauta_statement::csr::Request;
use bauta_statement::eddsa::SigningKey;
use bauta_statement::entry::{Body, Entry, Issuance};
use bauta_statement::field::to_bytes;
use bauta_statement::file::hierarchy::{
    Der, InstallCaCertificate, RequestCaCertificate, SignSubordinateCa,
};
use bauta_statement::file::issuer_set::{Issuer, X509RsaIssuer};
use bauta_statement::file::key_operation::{CaSubject, KeyOperation, SignCaCertificate};
use bauta_statement::file::{Kind, authority::Mode};
use bauta_statement::group::{g1_to_bytes, g2_to_bytes};
use bauta_statement::note::{NoteSigner, sha256, sign};
use bauta_statement::presentation::Opening;
use bauta_statement::relation::Relation;
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::vector::AttributeValue;
use bauta_statement::verifying_key::VerifyingKey;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::world::World;

/// The key of [`challenge`].
pub(crate) const CHALLENGE_KEY: [u8; 32] = [7; 32];
/// The text of the seeds of `note`.
pub(crate) const NOTE_TEXT: &str = "bauta/v1/test\n\n{}\n";
/// When the certificate of `certificate` is made.
const NOW: u64 = 1_795_305_600;
const POLICY: &str = "bauta/v1/policy\ntrust-domain: example.org\nname: open\nversion: 1\n\
    expires: 2027-11-22T00:00:00Z\n\n\
    {\"name\":\"open\",\"issuer_set\":\"members\",\"schema\":\"employee\",\"unbounded\":true}\n";

macro_rules! vector {
    ($path:literal) => {
        include_bytes!(concat!("../../../vectors/", $path)).to_vec()
    };
}

macro_rules! hex_vector {
    ($path:literal) => {
        from_hex(include_str!(concat!("../../../vectors/", $path)))
    };
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(20_261_122)
}

fn g1(k: u64) -> G1Affine {
    (G1Affine::generator() * Fr::from(k)).into_affine()
}

fn g2(k: u64) -> G2Affine {
    (G2Affine::generator() * Fr::from(k)).into_affine()
}

pub(crate) fn verifying_key() -> Vec<u8> {
    VerifyingKey {
        alpha_g1: g1(11),
        beta_g2: g2(12),
        delta_g1: g1(13),
        delta_g2: g2(13),
        l: (20..25).map(g1).collect(),
    }
    .encode()
}

/// Presentation and openings of a vector.
fn shown(vector: &str) -> [Vec<u8>; 2] {
    let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
    ["presentation", "openings"].map(|part| from_hex(vector[part].as_str().unwrap()))
}

const SHOWN: [(&str, &str); 3] = [
    (
        "scope",
        include_str!("../../../vectors/presentation/good_scope_one_disclosure.json"),
    ),
    (
        "plain",
        include_str!("../../../vectors/presentation/good_no_scope_no_disclosure.json"),
    ),
    (
        "all",
        include_str!("../../../vectors/presentation/good_all_disclosed.json"),
    ),
];

pub(crate) fn presentation() -> Vec<u8> {
    let [presentation, _] = shown(SHOWN[0].1);
    presentation
}

pub(crate) fn challenge() -> Vec<u8> {
    ChallengeKey::new(CHALLENGE_KEY)
        .issue(&mut rng(), 1_000, 300, [9; 32])
        .encode()
}

pub(crate) fn note_signers() -> Vec<NoteSigner> {
    (1..4u8)
        .map(|i| NoteSigner::from_secret(&format!("key-{i}"), &[i; 32]).unwrap())
        .collect()
}

fn openings() -> Vec<Opening> {
    let values = [
        AttributeValue::Integer(7),
        AttributeValue::Text("IT".into()),
        AttributeValue::Absent,
    ];
    values
        .into_iter()
        .zip(5..)
        .map(|(value, slot)| Opening {
            slot,
            value,
            blinding: Fr::from(slot),
        })
        .collect()
}

fn issued() -> (IssuedCredential, HolderSecret) {
    let mut rng = rng();
    let key = SigningKey::generate(&mut rng);
    let holder = HolderSecret::generate(&mut rng);
    let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
    attributes[0] = AttributeValue::Text("Example".into());
    attributes[1] = AttributeValue::Integer(5);
    let credential = IssuedCredential::sign(
        &key,
        &mut rng,
        Fr::from(3),
        1,
        1 << 40,
        77,
        attributes,
        holder.commitment(),
    );
    (credential, holder)
}

fn proof(relation: Relation) -> RelationProof {
    RelationProof {
        relation,
        key: [relation.code(); 32],
        public: (0..relation.public_inputs() as u64).map(Fr::from).collect(),
        a: g1(2),
        b: g2(3),
        c: g1(4),
    }
}

pub(crate) fn relation_proof() -> Vec<u8> {
    proof(Relation::Nullifier).encode()
}

/// An ordinary client certificate.
pub(crate) fn client_certificate() -> Vec<u8> {
    crate::certificates::der(include_str!("../../../vectors/x509_rsa/openssl.pem"))
}

pub(crate) fn wallet() -> Vec<u8> {
    let (issued, holder) = issued();
    Stored {
        credential: Credential::Native(issued.accept(holder).unwrap()),
        possession: Some(proof(Relation::PossessionNative)),
        policies: vec![StoredPolicy {
            policy: [1; 32],
            epoch: 2,
            proof: proof(Relation::Policy),
        }],
        uses: vec![StoredUse {
            counter: 3,
            proof: proof(Relation::Nullifier),
        }],
    }
    .encode()
    .to_vec()
}

/// A policy "the log under one of two cosigners", a proof of an entry under it, and the entry.
pub(crate) fn tlog_proof() -> (LogPolicy, TlogProof, Vec<u8>) {
    let log = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
    let cosigners =
        [2, 3].map(|i| CosignatureSigner::from_seed(&format!("signer-{i}"), &[i; 32]).unwrap());
    let mut tree = Tree::new(MemoryStorage::new());
    tree.append(&(0..7u8).map(|i| [i]).collect::<Vec<_>>())
        .unwrap();
    let mut checkpoint = log
        .sign(Checkpoint::new("log.example", tree.head()).unwrap())
        .unwrap();
    for cosigner in &cosigners {
        checkpoint.add(cosigner.cosign(checkpoint.checkpoint(), 5).unwrap());
    }
    let keys = cosigners.map(|cosigner| cosigner.verifier().clone());
    let policy = LogPolicy::quorum_of(log.verifier().clone(), &keys, 1).unwrap();
    let proof = TlogProof {
        extra: Some(b"openings".to_vec()),
        index: 3,
        hashes: tree.prove_inclusion(3, 7).unwrap(),
        checkpoint,
    };
    (policy, proof, vec![3])
}

/// A leaf, its CA's certificate, and the extra data of its proof.
pub(crate) fn certificate() -> [Vec<u8>; 3] {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let operation = SignCaCertificate {
        key: "2026".into(),
        group_key: key.verifying_key().to_bytes(),
        subject: CaSubject {
            country: Some("IT".into()),
            organization: Some("Example".into()),
            common_name: "Bauta example CA".into(),
        },
        not_before: NOW - 86_400,
        not_after: NOW + 86_400,
        path_length: 0,
    };
    let request = Request::from_der(&vector!("csr/p256.der")).unwrap();
    let issuance = Issuance {
        policy: sha256(POLICY.as_bytes()),
        epoch: 1,
        ca_key: [0; 32],
        nonce: [9; 32],
        expiry: NOW + 100,
        key: request.key.spki().to_vec(),
        presentation: vector!("certificate/presentation.bin"),
    };
    let evidence = Evidence {
        entry: Entry::new(NOW, Body::Issuance(issuance)).encode().unwrap(),
        openings: vec![],
        policy: POLICY.to_owned(),
    };
    let signed = |tbs| {
        use ed25519_dalek::Signer as _;
        let tbs: bauta_statement::certificate::Tbs = tbs;
        assemble(&tbs, &key.sign(tbs.as_bytes()).to_bytes()).unwrap()
    };
    let authority = Ca::new(&operation, "example.org", 32_473).unwrap();
    [
        signed(evidence.tbs(&authority).unwrap()),
        signed(ca::tbs(&operation, &[6; 32], "example.org").unwrap()),
        evidence.encode(),
    ]
}

/// Key operations of the vectors' root and of the CA that it certifies.
fn hierarchy() -> [KeyOperation; 4] {
    let public = |seed| {
        ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
            .verifying_key()
            .to_bytes()
    };
    let name = |common_name: &str| CaSubject {
        country: Some("IT".into()),
        organization: Some("Example Organisation".into()),
        common_name: common_name.into(),
    };
    let (root, ca) = (name("Bauta example root"), name("Bauta example CA"));
    [
        KeyOperation::SignCaCertificate(SignCaCertificate {
            key: "root-1".into(),
            group_key: public(11),
            subject: root.clone(),
            not_before: NOW - 86_400,
            not_after: NOW + 86_400,
            path_length: 1,
        }),
        KeyOperation::RequestCaCertificate(RequestCaCertificate {
            key: "2026".into(),
            group_key: public(3),
            subject: ca.clone(),
            path_length: 0,
        }),
        KeyOperation::SignSubordinateCa(SignSubordinateCa {
            key: "root-1".into(),
            group_key: public(11),
            issuer: root,
            subject: ca.clone(),
            subject_key: public(3),
            trust_domain: "example.org".into(),
            request: Der(hex_vector!("certificate/request.hex")),
            not_before: NOW,
            not_after: NOW + 86_400,
            path_length: 0,
        }),
        KeyOperation::InstallCaCertificate(InstallCaCertificate {
            key: "2026".into(),
            group_key: public(3),
            subject: ca,
            certificate: Der(hex_vector!("certificate/subordinate.hex")),
            chain: vec![Der(hex_vector!("certificate/root.hex"))],
        }),
    ]
}

/// The text of a good file of each type, some in two forms.
pub(crate) fn file_texts() -> Vec<String> {
    let mut world = World::begun(Mode::Development);
    let key = world.ca_key("ca-1");
    let parameters = {
        let mut world = World::begun(Mode::Development);
        let note = world.parameters(
            1,
            bauta_statement::file::parameters::Provenance::Development,
        );
        bauta_statement::note::SignedNote::parse(&note)
            .unwrap()
            .text()
            .to_owned()
    };
    let named = |kind, json: &str| {
        let body: serde_json::Value = serde_json::from_str(json).unwrap();
        let name = body["name"].as_str().unwrap().to_owned();
        World::json_text(kind, &name, 1, &body)
    };
    let rich = r#"{"name": "rich", "description": "every test", "issuer_set": "members", "schema": "employee",
        "unbounded": true, "certificate": {"keys": ["ed25519"]},
        "predicates": [
            {"attribute": "level", "slot": 7, "type": "integer", "between": [2, 9], "any_of": true},
            {"attribute": "organisation", "slot": 5, "type": "text", "one_of": ["A", "B"], "any_of": true},
            {"attribute": "country", "slot": 9, "type": "text", "not_equals": "XX"},
            {"attribute": "level", "slot": 7, "type": "integer", "at_most": 100}],
        "parameters": {"policy": "0101010101010101010101010101010101010101010101010101010101010101"}}"#;
    let [root, request, subordinate, install] = hierarchy();
    let operation = |name: &str, operation| {
        let header = World::header(Kind::KeyOperation, name, 1, crate::world::FAR);
        bauta_statement::file::to_text(&header, &operation).unwrap()
    };
    vec![
        World::authority(Mode::Development).to_text().unwrap(),
        world.ca_key_text("ca-1"),
        world.policy_text("staff", 1),
        named(
            Kind::Policy,
            include_str!("../../../docs/examples/policy.json"),
        ),
        named(Kind::Policy, rich),
        world.schema_text(1),
        named(
            Kind::Schema,
            include_str!("../../../docs/examples/schema.json"),
        ),
        world.issuer_set_text(1, &world.issuer),
        World::issuers_text(
            1,
            &[
                Issuer::Native(world.issuer.clone()),
                Issuer::X509Rsa(X509RsaIssuer {
                    name: "acme".into(),
                    public_key: RsaPublicKey::from_be_bytes(&[0xc1; 256]).unwrap(),
                    schema: "employee".into(),
                    revocation_quota: 1_000,
                }),
            ],
        ),
        world.list_text(1, crate::world::FAR, &["01", "ff02"]),
        world.generate_text("ca-1", 1),
        world.certificate_text(1),
        operation("certify-root-1", root),
        operation("request-ca-1", request),
        operation("certify-2026", subordinate),
        operation("install-2026", install),
        operation(
            "reshare-ca-1",
            KeyOperation::ReshareKey(world.reshare(&key)),
        ),
        operation(
            "repair-ca-1",
            KeyOperation::RepairShare(World::repair(&key)),
        ),
        parameters,
        World::tombstone_text(Kind::Policy, "old"),
    ]
}

/// The transcript of a key generation among five.
fn transcript() -> Vec<u8> {
    let mut world = World::begun(Mode::Development);
    let key = world.ca_key("ca-1");
    world.objects[&key.transcript].clone()
}

fn run() -> DkgRun {
    DkgRun {
        operation: [1; 32],
        index: 2,
        attempt: [3; 16],
    }
}

fn shared_key() -> SharedKey {
    SharedKey {
        group_key: [2; 32],
        sharing: [6; 32],
    }
}

fn commitment() -> Commitment {
    Commitment {
        hiding: [4; 32],
        binding: [5; 32],
    }
}

fn bytes(of: &[u8]) -> Bytes {
    of.to_vec().into()
}

fn round1() -> DkgRound1 {
    DkgRound1 {
        run: run(),
        name: "signer-1".into(),
        package: bytes(b"package"),
        sealing_key: [6; 32],
        signature: [7; 64],
    }
}

fn round2() -> DkgRound2 {
    DkgRound2 {
        run: run(),
        name: "signer-1".into(),
        echo: [8; 32],
        packages: vec![SealedPackage {
            to: "signer-2".into(),
            encapsulated: bytes(b"key"),
            ciphertext: bytes(b"sealed"),
        }],
        signature: [9; 64],
    }
}

fn to_node() -> Vec<ToNode> {
    vec![
        ToNode::Ping,
        ToNode::Append(Append {
            first: 1,
            entries: vec![bytes(b"one"), bytes(b"")],
            objects: vec![bytes(b"object")],
            checkpoint: bytes(b"note"),
        }),
        ToNode::Object(Object {
            digest: [1; 32],
            length: 9,
            offset: 3,
            bytes: bytes(b"part"),
        }),
        ToNode::DkgStart(DkgStart {
            run: run(),
            proof: bytes(b"proof"),
        }),
        ToNode::DkgRound1s(DkgRound1s {
            run: run(),
            round1: vec![round1(), round1()],
        }),
        ToNode::DkgRound2s(DkgRound2s {
            run: run(),
            round2: vec![round2()],
        }),
        ToNode::Sign(SignRequest {
            session: [1; 16],
            index: 2,
            proof: bytes(b"proof"),
            csr: bytes(b"csr"),
            openings: bytes(b""),
            key: shared_key(),
            tbs_digest: [3; 32],
            scheme: 1,
            round: 1,
            payload: bytes(&frost_package()),
        }),
        ToNode::Published(Published {
            checkpoint: bytes(b"note"),
        }),
        ToNode::Boot(boot()),
        ToNode::Welcome(welcome()),
        ToNode::NotWelcome(NotWelcome {
            to: "signer-1".into(),
            proof: Proof::Boot(boot()),
        }),
        ToNode::RepairRound3s(DkgRound2s {
            run: run(),
            round2: vec![round2()],
        }),
    ]
}

fn boot() -> Boot {
    Boot {
        name: "signer-1".into(),
        counter: 3,
        boot: [3; 16],
        before: vec![[1; 16], [2; 16]],
        size: 7,
        root: [4; 32],
        signature: [5; 64],
    }
}

fn welcome() -> Welcome {
    Welcome {
        name: "signer-2".into(),
        to: "signer-1".into(),
        boot: [3; 16],
        size: 7,
        root: [4; 32],
        signature: [5; 64],
    }
}

fn to_coordinator() -> Vec<ToCoordinator> {
    vec![
        ToCoordinator::Hello(Hello {
            name: "signer-1".into(),
            boot: [1; 16],
            stage: Stage::Waiting,
            size: 2,
            root: [3; 32],
            keys: vec![[4; 32]],
        }),
        ToCoordinator::Received(Received { next: 7 }),
        ToCoordinator::Cosigned(Cosigned {
            size: 7,
            root: [1; 32],
            line: bytes("— signer-1 AAAA\n".as_bytes()),
        }),
        ToCoordinator::ObjectWanted(ObjectWanted {
            digest: [1; 32],
            offset: 3,
        }),
        ToCoordinator::DkgRound1(round1()),
        ToCoordinator::DkgRound2(round2()),
        ToCoordinator::DkgAgreement(DkgAgreement {
            run: run(),
            group_key: [2; 32],
            text: bytes(b"text"),
            signature: [3; 64],
        }),
        ToCoordinator::Nonces(NonceCommitments {
            key: shared_key(),
            boot: [1; 16],
            commitments: vec![NumberedCommitment {
                number: 1,
                commitment: commitment(),
            }],
        }),
        ToCoordinator::Share(SignatureShare {
            session: [1; 16],
            round: 1,
            payload: bytes(&[5; 32]),
        }),
        ToCoordinator::Refused(Refused {
            subject: Subject::Dkg(run()),
            code: Code::Cheater,
            reason: "no".into(),
        }),
        ToCoordinator::Boot(boot()),
        ToCoordinator::Welcome(welcome()),
        ToCoordinator::NotWelcome(NotWelcome {
            to: "signer-1".into(),
            proof: Proof::Checkpoint(bytes(b"note")),
        }),
        ToCoordinator::Goodbye,
        ToCoordinator::RepairRound3(round2()),
        ToCoordinator::Repaired(run()),
    ]
}

fn frost_package() -> Vec<u8> {
    let signer = |name: &str| FrostSigner {
        name: name.into(),
        slot: Slot {
            boot: [1; 16],
            number: 9,
        },
        commitment: commitment(),
    };
    FrostPackage {
        signers: vec![signer("signer-1"), signer("signer-2")],
    }
    .encode()
    .unwrap()
}

fn key_share() -> Vec<u8> {
    let (shares, _) = frost_ed25519::keys::generate_with_dealer(
        3,
        2,
        frost_ed25519::keys::IdentifierList::Default,
        rng(),
    )
    .unwrap();
    let share = shares.into_values().next().unwrap();
    frost_ed25519::keys::KeyPackage::try_from(share)
        .unwrap()
        .serialize()
        .unwrap()
}

/// Every seed: target, then names and bytes.
pub fn all() -> BTreeMap<&'static str, Vec<(String, Vec<u8>)>> {
    let mut seeds: BTreeMap<&'static str, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    let mut add = |target: &'static str, name: &str, bytes: Vec<u8>| {
        seeds
            .entry(target)
            .or_default()
            .push((name.to_owned(), bytes));
    };
    // After a first byte that says how the rest is read: 0 raw, 1 as edits of a good object.
    let raw = |bytes: Vec<u8>| [vec![0], bytes].concat();
    let key = SigningKey::generate(&mut rng());
    let signature = key.sign(&mut rng(), &Fr::from(5));
    let [x, y] = key.public_key().coordinates();

    add("field", "last", to_bytes(&-Fr::from(1)).to_vec());
    add(
        "babyjubjub_point",
        "packed",
        key.public_key().to_bytes().to_vec(),
    );
    add(
        "babyjubjub_point",
        "coordinates",
        [to_bytes(&x), to_bytes(&y)].concat(),
    );
    add("eddsa", "public_key", key.public_key().to_bytes().to_vec());
    add("eddsa", "secret_key", key.to_bytes().to_vec());
    add("eddsa", "signature", signature.to_bytes().to_vec());
    add("x509_credential", "good", raw(client_certificate()));
    add("x509_credential", "edits", vec![1, 7, 1, 3, 9, 2, 20, 4, 1]);
    add("rsa_key", "highest", [0xff; 256].to_vec());
    add("rsa_key", "counted", (0..=255).rev().collect());
    add("group_points", "g1", g1_to_bytes(&g1(5)).to_vec());
    add("group_points", "g2", g2_to_bytes(&g2(5)).to_vec());
    add("codes", "one", vec![1]);
    for relation in Relation::BASIC {
        add("codes", relation.name(), relation.name().into());
    }
    add("serial", "short", vec![1]);
    add("serial", "signed", vec![0, 0x80, 1]);
    add("text", "time", b"2026-11-22T00:00:00Z".to_vec());
    add("text", "hex", b"00ff10ab".to_vec());
    add("text", "name", b"example.org".to_vec());
    add(
        "text",
        "fingerprint",
        b"ABCD EFGH 2345 ijkl MNOP QRST UVWX YZ67".to_vec(),
    );
    add("verifying_key", "good", raw(verifying_key()));
    add("verifying_key", "edits", vec![0xff, 4, 3, 9, 2, 1, 1]);
    for (name, vector) in SHOWN {
        let [presentation, openings] = shown(vector);
        add("presentation", name, raw(presentation));
        add("openings", name, openings);
    }
    add("presentation", "edits", vec![1, 7, 1, 3, 9, 2, 20, 4, 1]);
    add("openings", "good", Opening::encode_list(&openings()));
    let (credential, holder) = issued();
    add("credential", "issued", credential.encode());
    add(
        "credential",
        "kept",
        credential.clone().accept(holder).unwrap().encode().to_vec(),
    );
    add("challenge", "given", challenge());
    let requests: [(&str, Vec<u8>); 6] = [
        ("p256", vector!("csr/p256.der")),
        ("p384", vector!("csr/p384.der")),
        ("ed25519", vector!("csr/ed25519.der")),
        ("rsa2048", vector!("csr/rsa2048.der")),
        ("rsa2048_pss", vector!("csr/rsa2048_pss.der")),
        (
            "asks_for_everything",
            vector!("csr/asks_for_everything.der"),
        ),
    ];
    for (name, request) in requests {
        let spki = Request::from_der(&request).unwrap().key.spki().to_vec();
        add("public_key", name, spki);
        add("csr", name, request);
    }
    for (name, crl) in [
        ("empty", vector!("crl/empty.der")),
        ("two", vector!("crl/two.der")),
        ("users_only", vector!("crl/users_only.der")),
        ("shard", vector!("crl/bad_shard.der")),
        ("delta", vector!("crl/bad_delta.der")),
        ("removed", vector!("crl/bad_removed.der")),
    ] {
        add("crl", name, crl);
    }
    add("leaf", "plain", hex_vector!("certificate/leaf.hex"));
    add(
        "leaf",
        "disclosing",
        hex_vector!("certificate/leaf-disclosing.hex"),
    );
    for (name, document) in [
        ("ca", hex_vector!("certificate/ca.hex")),
        ("root", hex_vector!("certificate/root.hex")),
        ("subordinate", hex_vector!("certificate/subordinate.hex")),
        ("request", hex_vector!("certificate/request.hex")),
    ] {
        add("ca_certificate", name, document.clone());
        add("outside_certificate", name, document);
    }
    add(
        "pseudonym",
        "good",
        b"aebagbafaydqqcikbmga2dqpcaireeyu".to_vec(),
    );
    add("evidence", "good", certificate()[2].clone());
    let entries: [(&str, Vec<u8>); 5] = [
        ("authority", hex_vector!("entry/authority.hex")),
        ("parameters", hex_vector!("entry/parameters.hex")),
        ("file", hex_vector!("entry/file.hex")),
        ("epoch", hex_vector!("entry/epoch.hex")),
        ("issuance", hex_vector!("entry/issuance.hex")),
    ];
    for (name, entry) in entries {
        if name == "epoch" {
            add("epoch", name, entry[10..].to_vec());
        }
        add("entry", name, entry);
    }
    let signers = note_signers();
    add(
        "note",
        "three",
        sign(NOTE_TEXT, &signers.iter().collect::<Vec<_>>()).unwrap(),
    );
    let log = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
    let cosigner = CosignatureSigner::from_seed("signer-2", &[2; 32]).unwrap();
    for (name, written) in [
        ("log", log.verifier().to_string()),
        ("cosigner", cosigner.verifier().to_string()),
        ("log_secret", log.to_secret_string().to_string()),
        ("cosigner_secret", cosigner.to_secret_string().to_string()),
        (
            "approval_p256",
            // Of the private key of thirty-two bytes 1.
            "signer-1+f857ae4e+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABG/wO5SSQc4drdQ1GeaWDgqFtBppoFwygQOqK84VlMoWPE91OlW/AdxT9sCwx+7ni0DG/30lqW4igrmJzvccFEo="
                .to_owned(),
        ),
    ] {
        add("note_keys", name, written.into_bytes());
    }
    for text in file_texts() {
        let (header, _) = bauta_statement::file::parse_text(&text).unwrap();
        let (_, json) = text.split_once("\n\n").unwrap();
        let target = match header.kind {
            Kind::Authority => "authority",
            Kind::Policy => "policy",
            Kind::Schema => "schema",
            Kind::IssuerSet => "issuer_set",
            Kind::RevocationList => "revocation_list",
            Kind::KeyOperation => "key_operation",
            Kind::Parameters => "parameters",
            Kind::Tombstone => "tombstone",
        };
        let name = format!("{}-{}", header.name, json.len());
        add(target, &name, raw(json.as_bytes().to_vec()));
        add(target, "edits", vec![1, 3, 2, 9, 3, 5, 0, 1]);
        if matches!(header.kind, Kind::Tombstone | Kind::Policy) {
            add("signed_file", &name, text.clone().into_bytes());
        }
        if header.kind == Kind::Tombstone {
            add(
                "signed_file",
                "signed",
                sign(&text, &signers.iter().collect::<Vec<_>>()).unwrap(),
            );
        }
    }
    add(
        "policy_check",
        "some",
        (0..=200).map(|i: u8| i.wrapping_mul(37)).collect(),
    );
    let (policy, proof, _) = tlog_proof();
    add(
        "checkpoint",
        "text",
        proof.checkpoint.checkpoint().text().into_bytes(),
    );
    add("checkpoint", "note", proof.checkpoint.to_bytes());
    add("cosigned", "edits", vec![9, 0, 3]);
    add("log_policy", "quorum", policy.to_bytes());
    add("tlog_proof", "good", raw(proof.to_bytes()));
    add("tlog_proof", "edits", vec![1, 40, 1, 9]);
    for (name, path) in [
        ("hashes", "tile/0/x001/x234/067"),
        ("partial", "tile/1/000.p/17"),
        ("entries", "tile/entries/273.p/112"),
    ] {
        add("tile_path", name, path.into());
    }
    let entries = [b"one".to_vec(), vec![], b"three".to_vec()];
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    add("tiles", "entries", encode_bundle(&entries).unwrap());
    add("tiles", "hashes", encode_hashes(&leaves));
    let batch = Batch {
        from: Head::EMPTY,
        to: Head {
            size: 3,
            root: [1; 32],
        },
        entries: entries.to_vec(),
    };
    add("batch", "three", batch.to_bytes().unwrap());
    add("merkle_proofs", "good", vec![20, 7, 11, 0, 0, 0, 0]);
    add("stored_log", "edits", vec![2, 9, 0, 1]);
    add("verify_bytes", "fields", vec![0, 3, 5, 3, 2]);
    add("verify_bytes", "context", vec![1, 0, 4, 2, 1]);
    for target in ["ledger_append", "audit_entries"] {
        add(target, "edits", vec![1, 1, 9, 0, 3]);
        add(target, "as_it_is", vec![]);
    }
    add("certificate", "edits", vec![0, 9, 1, 3]);
    add("wallet", "good", raw(wallet()));
    add("wallet", "edits", vec![1, 9, 1, 3]);
    add("relation_proof", "good", raw(relation_proof()));
    add("relation_proof", "edits", vec![1, 9, 1, 3]);
    for (i, message) in to_node().iter().enumerate() {
        add("to_node", &i.to_string(), message.encode().unwrap());
    }
    for (i, message) in to_coordinator().iter().enumerate() {
        add("to_coordinator", &i.to_string(), message.encode().unwrap());
    }
    add("frost_package", "two", frost_package());
    add("key_share", "dealt", key_share());
    add("transcript", "generated", transcript());
    seeds
}
