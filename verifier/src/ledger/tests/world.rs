//! A whole CA on paper: administrators, signers, an issuer, and parameters whose trapdoors the test knows, so that it makes
//! presentations that verify without a circuit.
use std::collections::BTreeMap;

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, UniformRand};
use bauta_statement::context::{Context, key_digest};
use bauta_statement::eddsa::SigningKey;
use bauta_statement::entry::{Body, Entry, Issuance, ObjectRef};
use bauta_statement::epoch::Epoch;
use bauta_statement::field::Fr;
use bauta_statement::file::authority::{
    Administrators, Authority, CaKey, LogIdentity, Mode, Quorum, Signer, ca_key_id,
};
use bauta_statement::file::hierarchy::Purpose;
use bauta_statement::file::issuer_set::{Issuer, IssuerSet, NativeIssuer};
use bauta_statement::file::key_operation::{
    CaSubject, GenerateKey, KeyOperation, Participant, RepairShare, ReshareKey, SignCaCertificate,
};
use bauta_statement::file::parameters::{Parameters, Provenance, RelationParameters};
use bauta_statement::file::{Header, Kind, SignedFile, to_text};
use bauta_statement::group::Pedersen;
use bauta_statement::note::{CosignatureKey, Digest, NoteSigner, sha256, sign};
use bauta_statement::policy::RelationName;
use bauta_statement::presentation::{
    Disclosure, HiddenProof, NULLIFIER_SLOTS, NullifierProof, POSSESSION_SLOTS, Presentation,
    Usage, policy_slots,
};
use bauta_statement::relation::{NullifierPublic, Relation, nullifier};
use bauta_statement::scope;
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::{Format, SLOTS};
use bauta_statement::verifying_key::VerifyingKey;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

use crate::ledger::{Ledger, Refusal, Verdict};

#[path = "dealing.rs"]
pub(crate) mod dealing;

/// A whole day and ten minutes: inside an epoch, not at its start.
pub(crate) const START: u64 = 20_000 * 86_400 + 600;
pub(crate) const HOUR: u64 = 3600;
pub(crate) const FAR: u64 = START + 300 * 86_400;
pub(crate) const DOMAIN: &str = "example.org";
/// Seeds of the CA keys `ca-1` and of others.
pub(crate) const CA_SEED: u8 = 90;
const OTHER_CA_SEED: u8 = 95;

/// The key `ca-1`, whole, to sign as its shares would.
pub(crate) fn ca_signer() -> NoteSigner {
    note_signer("ca-1", CA_SEED)
}

/// Its public side.
pub(crate) fn group_key() -> [u8; 32] {
    ca_signer().verifier().public()
}

/// A relation's key with the logarithms of its points.
struct Trapdoor {
    alpha: Fr,
    beta: Fr,
    delta: Fr,
    l: Vec<Fr>,
}

impl Trapdoor {
    fn key(&self) -> VerifyingKey {
        let g1 = |k: &Fr| (G1Affine::generator() * k).into_affine();
        let g2 = |k: &Fr| (G2Affine::generator() * k).into_affine();
        VerifyingKey {
            alpha_g1: g1(&self.alpha),
            beta_g2: g2(&self.beta),
            delta_g1: g1(&self.delta),
            delta_g2: g2(&self.delta),
            l: self.l.iter().map(g1).collect(),
        }
    }
}

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) objects: BTreeMap<Digest, Vec<u8>>,
    pub(crate) time: u64,
    pub(crate) administrators: Vec<NoteSigner>,
    pub(crate) approvals: Vec<NoteSigner>,
    pub(crate) desk: NoteSigner,
    pub(crate) issuer: NativeIssuer,
    /// Every accepted entry.
    pub(crate) entries: Vec<Vec<u8>>,
    /// The shares of each sharing.
    shares: BTreeMap<Digest, dealing::Shares>,
    trapdoors: Vec<(Relation, Trapdoor)>,
    rng: ChaCha20Rng,
}

fn note_signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_secret(name, &[seed; 32]).unwrap()
}

pub(crate) fn ed25519_spki(seed: u8) -> Vec<u8> {
    let mut spki = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    spki.extend(note_signer("key", seed).verifier().public());
    spki
}

impl World {
    /// An authority as administrators would first sign it.
    pub(crate) fn authority(mode: Mode) -> Authority {
        Authority {
            trust_domain: DOMAIN.into(),
            version: 1,
            expires: FAR,
            ca_name: "Example CA".into(),
            mode,
            enterprise_number: if mode == Mode::Production {
                4711
            } else {
                32473
            },
            epoch_seconds: 3600,
            log: LogIdentity {
                origin: "log.example.org".into(),
                key: note_signer("log.example.org", 1).verifier(),
            },
            administrators: Administrators {
                k: 2,
                keys: (0..3)
                    .map(|i| note_signer(&format!("admin-{i}"), 10 + i).verifier())
                    .collect(),
            },
            signers: (0..5u8)
                .map(|i| Signer {
                    name: format!("signer-{i}"),
                    cosignature: CosignatureKey::new(
                        &format!("signer-{i}.example.org"),
                        &note_signer("x", 20 + i).verifier().public(),
                    )
                    .unwrap(),
                    tls: [i; 32],
                    approval: note_signer(&format!("signer-{i}"), 30 + i)
                        .verifier()
                        .into(),
                })
                .collect(),
            quorum: Quorum::FIVE,
            custodians: Vec::new(),
            ca_keys: Vec::new(),
        }
    }

    /// A log with nothing but its first authority.
    pub(crate) fn begun(mode: Mode) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (alpha, beta) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let trapdoors = Relation::ALL
            .into_iter()
            .map(|relation| {
                let trapdoor = Trapdoor {
                    alpha,
                    beta,
                    delta: Fr::rand(&mut rng),
                    l: (0..relation.key_points())
                        .map(|_| Fr::rand(&mut rng))
                        .collect(),
                };
                (relation, trapdoor)
            })
            .collect();
        let key = SigningKey::generate(&mut rng);
        let desk = note_signer("desk", 50);
        let issuer = NativeIssuer {
            name: "desk".into(),
            public_key: key.public_key().to_bytes(),
            proof_of_possession: key.prove_possession(&mut rng).to_bytes(),
            schema: "employee".into(),
            note_key: desk.verifier(),
            revocation_quota: 3,
        };
        let administrators: Vec<NoteSigner> = (0..3)
            .map(|i| note_signer(&format!("admin-{i}"), 10 + i))
            .collect();
        let text = Self::authority(mode).to_text().unwrap();
        let mut world = Self {
            ledger: Ledger::new(sha256(text.as_bytes())),
            objects: BTreeMap::new(),
            time: START,
            approvals: (0..5u8)
                .map(|i| note_signer(&format!("signer-{i}"), 30 + i))
                .collect(),
            administrators,
            desk,
            issuer,
            entries: Vec::new(),
            shares: BTreeMap::new(),
            trapdoors,
            rng,
        };
        let all: Vec<&NoteSigner> = world.administrators.iter().collect();
        let note = sign(&text, &all).unwrap();
        world.submit(note).unwrap();
        world
    }

    /// A log with a CA key, its certificate and parameters, and no other files.
    pub(crate) fn with_ca(mode: Mode, provenance: Provenance) -> Self {
        let mut world = Self::begun(mode);
        world
            .submit(world.by_administrators(&world.generate_text("ca-1", 1)))
            .unwrap();
        let text = world.ca_key_text("ca-1");
        world.submit(world.by_participants(&text)).unwrap();
        world
            .submit(world.by_administrators(&world.certificate_text(1)))
            .unwrap();
        let note = world.parameters(1, provenance);
        world.submit(note).unwrap();
        world
    }

    /// A development log in its first epoch, with a policy that has a scope and discloses the country.
    pub(crate) fn running() -> Self {
        let mut world = Self::with_ca(Mode::Development, Provenance::Development);
        for note in [
            world.by_administrators(&world.schema_text(1)),
            world.by_administrators(&world.issuer_set_text(1, &world.issuer)),
            world.by_administrators(&world.policy_text("staff", 1)),
            world.by_administrators(&world.unbounded_text("guests", 1)),
            world.by_desk(&world.list_text(1, FAR, &[])),
        ] {
            world.submit(note).unwrap();
        }
        world.next_epoch().unwrap();
        world
    }

    /// The same, with its entries.
    pub(crate) fn recorded() -> (Self, Vec<Vec<u8>>) {
        let world = Self::running();
        let entries = world.entries.clone();
        (world, entries)
    }

    pub(crate) fn header(kind: Kind, name: &str, version: u64, expires: u64) -> Header {
        Header {
            kind,
            trust_domain: DOMAIN.into(),
            name: name.into(),
            version,
            expires,
        }
    }

    pub(crate) fn json_text(kind: Kind, name: &str, version: u64, body: &Value) -> String {
        to_text(&Self::header(kind, name, version, FAR), body).unwrap()
    }

    pub(crate) fn generate(&self, key: &str) -> GenerateKey {
        GenerateKey {
            purpose: Purpose::Issuing,
            key: key.into(),
            participants: self
                .approvals
                .iter()
                .zip(1..)
                .map(|(signer, identifier)| Participant {
                    identifier,
                    signer: signer.name().into(),
                    approval: signer.verifier().into(),
                })
                .collect(),
            n: 5,
            t: 3,
            q: 4,
        }
    }

    /// A refresh of this key by the first three.
    pub(crate) fn reshare(&self, key: &CaKey) -> ReshareKey {
        ReshareKey {
            key: key.name.clone(),
            group_key: key.group_key,
            from: key.sharing(),
            dealers: (0..3).map(|i| format!("signer-{i}")).collect(),
            participants: self.generate(&key.name).participants,
            n: 5,
            t: 3,
            q: 4,
        }
    }

    /// A repair of the last one's share by the first three.
    pub(crate) fn repair(key: &CaKey) -> RepairShare {
        RepairShare {
            key: key.name.clone(),
            group_key: key.group_key,
            sharing: key.sharing(),
            signer: "signer-4".into(),
            helpers: (0..3).map(|i| format!("signer-{i}")).collect(),
        }
    }

    pub(crate) fn generate_text(&self, key: &str, version: u64) -> String {
        to_text(
            &Self::header(Kind::KeyOperation, &format!("generate-{key}"), version, FAR),
            &KeyOperation::GenerateKey(self.generate(key)),
        )
        .unwrap()
    }

    /// The key that comes of its generation.
    pub(crate) fn ca_key(&mut self, key: &str) -> CaKey {
        let seed = if key == "ca-1" {
            CA_SEED
        } else {
            OTHER_CA_SEED
        };
        let text = self.generate_text(key, 1);
        self.generated(&self.generate(key), &text, seed)
    }

    /// What comes of the key generation that this text orders: the Ed25519 key of this seed.
    pub(crate) fn generated(&mut self, generate: &GenerateKey, text: &str, seed: u8) -> CaKey {
        let operation = sha256(text.as_bytes());
        let made = dealing::generated(generate, operation, self.index_of(&operation), seed);
        self.keep(made)
    }

    /// What comes of the resharing that this text orders.
    pub(crate) fn reshared(&mut self, reshare: &ReshareKey, before: &CaKey, text: &str) -> CaKey {
        let operation = sha256(text.as_bytes());
        let index = self.index_of(&operation);
        let shares = &self.shares[&before.sharing()];
        let made = dealing::reshared(reshare, before, shares, operation, index);
        self.keep(made)
    }

    fn index_of(&self, operation: &Digest) -> u64 {
        let mut logged = self.ledger.key_operations();
        logged
            .find(|one| one.digest == *operation)
            .map_or(0, |one| one.index)
    }

    fn keep(&mut self, made: dealing::Made) -> CaKey {
        self.objects.insert(made.key.transcript, made.transcript);
        self.shares.insert(made.key.sharing(), made.shares);
        made.key
    }

    pub(crate) fn ca_key_text(&mut self, key: &str) -> String {
        let key = self.ca_key(key);
        let authority = self.ledger.authority().unwrap();
        authority.with_ca_key(key).unwrap()
    }

    pub(crate) fn certificate_text(&self, version: u64) -> String {
        to_text(
            &Self::header(Kind::KeyOperation, "certify-ca-1", version, FAR),
            &KeyOperation::SignCaCertificate(SignCaCertificate {
                key: "ca-1".into(),
                group_key: group_key(),
                subject: CaSubject {
                    country: None,
                    organization: None,
                    common_name: "Example CA".into(),
                },
                not_before: START - 86_400,
                not_after: FAR,
                path_length: 0,
            }),
        )
        .unwrap()
    }

    /// Other issuers with keys of their own.
    pub(crate) fn issuers(&mut self, count: usize) -> Vec<NativeIssuer> {
        (0..count)
            .map(|i| {
                let key = SigningKey::generate(&mut self.rng);
                NativeIssuer {
                    name: format!("issuer-{i}"),
                    public_key: key.public_key().to_bytes(),
                    proof_of_possession: key.prove_possession(&mut self.rng).to_bytes(),
                    ..self.issuer.clone()
                }
            })
            .collect()
    }

    /// The key of another issuer.
    pub(crate) fn foreign_key() -> [u8; 32] {
        SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(2))
            .public_key()
            .to_bytes()
    }

    /// Object digests of the verifying keys.
    pub(crate) fn verifying_keys(&self) -> Vec<Digest> {
        self.trapdoors
            .iter()
            .map(|(_, trapdoor)| sha256(&trapdoor.key().encode()))
            .collect()
    }

    /// Object digest of the verifying key of a relation.
    pub(crate) fn verifying_key(&self, relation: Relation) -> Digest {
        let mut all = self.trapdoors.iter().zip(self.verifying_keys());
        let found = all.find(|((one, _), _)| *one == relation);
        found.unwrap().1
    }

    /// Forgets the keys of all other relations.
    pub(crate) fn keep_keys(&mut self, keep: impl Fn(Relation) -> bool) {
        self.trapdoors.retain(|(relation, _)| keep(*relation));
    }

    /// Signed parameters, with their keys among the objects.
    pub(crate) fn parameters(&mut self, version: u64, provenance: Provenance) -> Vec<u8> {
        let mut relations = Vec::new();
        for (relation, trapdoor) in &self.trapdoors {
            let bytes = trapdoor.key().encode();
            relations.push(RelationParameters {
                relation: RelationName(*relation),
                verifying_key: sha256(&bytes),
                length: bytes.len() as u32,
                provenance,
            });
            self.objects.insert(sha256(&bytes), bytes);
        }
        let text = to_text(
            &Self::header(Kind::Parameters, "parameters", version, FAR),
            &Parameters { relations },
        )
        .unwrap();
        self.by_administrators(&text)
    }

    pub(crate) fn schema_text(&self, version: u64) -> String {
        Self::json_text(
            Kind::Schema,
            "employee",
            version,
            &json!({
                "name": "employee", "subject_key": "email",
                "attributes": [
                    {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}, "required": true},
                    {"slot": 8, "name": "email", "type": "text", "source": {"san": "email"}, "required": true},
                    {"slot": 9, "name": "country", "type": "text", "source": {"subject": "2.5.4.6"}}
                ]
            }),
        )
    }

    pub(crate) fn issuer_set_text(&self, version: u64, issuer: &NativeIssuer) -> String {
        Self::issuers_text(version, &[Issuer::Native(issuer.clone())])
    }

    pub(crate) fn issuers_text(version: u64, issuers: &[Issuer]) -> String {
        let set = IssuerSet {
            issuers: issuers.to_vec(),
        };
        to_text(
            &Self::header(Kind::IssuerSet, "members", version, FAR),
            &set,
        )
        .unwrap()
    }

    pub(crate) fn policy_body(name: &str) -> Value {
        json!({
            "name": name, "issuer_set": "members", "schema": "employee",
            "predicates": [{"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"}],
            "disclose": [{"attribute": "country", "slot": 9, "type": "text"}],
            "scope": {"name": "daily", "period_seconds": 86400, "bound": 5},
            "certificate": {"lifetime_seconds": 600, "keys": ["ed25519"]}
        })
    }

    pub(crate) fn policy_text(&self, name: &str, version: u64) -> String {
        Self::json_text(Kind::Policy, name, version, &Self::policy_body(name))
    }

    pub(crate) fn unbounded_text(&self, name: &str, version: u64) -> String {
        let body = json!({
            "name": name, "issuer_set": "members", "schema": "employee", "unbounded": true,
            "predicates": [{"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"}]
        });
        Self::json_text(Kind::Policy, name, version, &body)
    }

    pub(crate) fn list_text(&self, version: u64, expires: u64, serials: &[&str]) -> String {
        to_text(
            &Self::header(Kind::RevocationList, "desk", version, expires),
            &json!({
                "issuer_key": data_encoding::HEXLOWER.encode(&self.issuer.public_key),
                "serials": serials,
            }),
        )
        .unwrap()
    }

    pub(crate) fn tombstone_text(kind: Kind, name: &str) -> String {
        Self::json_text(
            Kind::Tombstone,
            name,
            1,
            &json!({"retires": kind, "reason": "test"}),
        )
    }

    /// Signed by two of the three administrators.
    pub(crate) fn by_administrators(&self, text: &str) -> Vec<u8> {
        sign(text, &[&self.administrators[0], &self.administrators[2]]).unwrap()
    }

    pub(crate) fn by_participants(&self, text: &str) -> Vec<u8> {
        sign(text, &self.approvals.iter().collect::<Vec<_>>()).unwrap()
    }

    pub(crate) fn by_desk(&self, text: &str) -> Vec<u8> {
        sign(text, &[&self.desk]).unwrap()
    }

    /// The entry of a signed file, whose note becomes an object.
    pub(crate) fn entry(&mut self, note: Vec<u8>) -> Vec<u8> {
        let object = ObjectRef::of(&note).unwrap();
        let body = match SignedFile::parse(&note).map(|file| file.header.kind) {
            Ok(Kind::Authority) => Body::Authority(object),
            Ok(Kind::Parameters) => Body::Parameters(object),
            _ => Body::File(object),
        };
        self.objects.insert(object.digest, note);
        Entry::new(self.time, body).encode().unwrap()
    }

    pub(crate) fn submit(&mut self, note: Vec<u8>) -> Result<Verdict, Refusal> {
        let entry = self.entry(note);
        self.append(&entry)
    }

    pub(crate) fn append(&mut self, entry: &[u8]) -> Result<Verdict, Refusal> {
        let size = self.ledger.size();
        let verdict = self.ledger.append(entry, &self.objects);
        assert_eq!(
            self.ledger.size(),
            size + u64::from(verdict.is_ok()),
            "a refusal changes nothing"
        );
        if verdict.is_ok() {
            self.entries.push(entry.to_vec());
        }
        verdict
    }

    /// Logs the epoch that is due.
    pub(crate) fn next_epoch(&mut self) -> Result<Epoch, Refusal> {
        let entry = self
            .ledger
            .next_epoch_entry(self.time)?
            .expect("an epoch is due");
        self.append(&entry)?;
        match Entry::decode(&entry).unwrap().body {
            Body::Epoch(epoch) => Ok(epoch),
            other => panic!("{other:?}"),
        }
    }

    /// Sets the clock to where the next epoch is due, logs it, and sets the clock into it.
    pub(crate) fn turn(&mut self) -> Epoch {
        let end = self.ledger.epoch_at(self.time).unwrap().epoch.end();
        self.time = end - HOUR / 5;
        let epoch = self.next_epoch().unwrap();
        self.time = end + 60;
        epoch
    }

    pub(crate) fn policy_digest(&self, name: &str) -> Digest {
        self.ledger.newest_policy(name).unwrap().digest
    }

    /// What a holder with this secret sends for a policy in the epoch of the clock, with a fresh nonce.
    pub(crate) fn show(&mut self, policy: &str, key: &[u8], secret: u64, counter: u32) -> Issuance {
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        self.show_at(policy, key, secret, counter, nonce, self.time)
    }

    /// The same for a nonce and a time of the caller's.
    pub(crate) fn show_at(
        &mut self,
        policy: &str,
        key: &[u8],
        secret: u64,
        counter: u32,
        nonce: [u8; 32],
        time: u64,
    ) -> Issuance {
        let epoch = self.ledger.epoch_at(time).expect("an epoch").clone();
        let in_epoch = epoch.policy_named(policy).expect("in force").clone();
        let usage = in_epoch.policy.scope.as_ref().map(|one| Usage {
            scope: scope::scope(
                DOMAIN,
                &one.name,
                scope::period_start(time, one.period_seconds),
            ),
            bound: one.bound,
        });
        let expiry = time + 200;
        let context = Context {
            policy_digest: in_epoch.digest,
            nonce,
            expiry,
            trust_domain: DOMAIN.into(),
            ca_name: "Example CA".into(),
            log_origin: "log.example.org".into(),
            spki_sha256: key_digest(key),
        };
        let statement = in_epoch
            .context
            .statement(Format::Native, usage)
            .expect("native");
        let presentation = self.prove(&statement, &context, Fr::from(secret), counter);
        Issuance {
            policy: in_epoch.digest,
            epoch: epoch.epoch.number,
            ca_key: ca_key_id(&group_key()),
            nonce,
            expiry,
            key: key.to_vec(),
            presentation: presentation.encode(),
        }
    }

    /// A presentation for any statement, by the trapdoors: what only a broken ceremony could do.
    fn prove(
        &mut self,
        statement: &bauta_statement::presentation::Statement,
        context: &Context,
        secret: Fr,
        counter: u32,
    ) -> Presentation {
        let rng = &mut self.rng;
        let mut vector: [Fr; SLOTS] = std::array::from_fn(|_| Fr::rand(rng));
        vector[1] = secret;
        let masks: [Fr; SLOTS] = std::array::from_fn(|_| Fr::rand(rng));
        let used = statement.usage.map(|usage| NullifierPublic {
            nullifier: nullifier(secret, usage.scope, counter),
            scope: usage.scope,
            bound: usage.bound,
        });
        let mut blindings = Vec::new();
        let mut proof = |trapdoor: &Trapdoor, slots: &[Option<usize>], known: &[Fr]| {
            let (x, y) = (Fr::rand(rng), Fr::rand(rng));
            let (z, z_mask) = (Fr::rand(rng), Fr::rand(rng));
            let over = |values: &[Fr; SLOTS]| -> Fr {
                slots
                    .iter()
                    .zip(&trapdoor.l[1..])
                    .filter_map(|(slot, l)| slot.map(|slot| values[slot] * l))
                    .sum()
            };
            let v = over(&vector) + z * trapdoor.delta;
            let public: Fr = trapdoor.l[0]
                + known
                    .iter()
                    .zip(&trapdoor.l[1 + slots.len()..])
                    .map(|(k, l)| *k * l)
                    .sum::<Fr>();
            let c = (x * y - trapdoor.alpha * trapdoor.beta - public - v)
                * trapdoor.delta.inverse().unwrap();
            let t = over(&masks) + z_mask * trapdoor.delta;
            let g1 = |k: Fr| (G1Affine::generator() * k).into_affine();
            blindings.push((z, z_mask));
            HiddenProof {
                a: g1(x),
                b: (G2Affine::generator() * y).into_affine(),
                c: g1(c),
                v: g1(v),
                t: g1(t),
                z_response: Fr::ZERO,
            }
        };
        let trapdoor = |relation: Relation| {
            &self
                .trapdoors
                .iter()
                .find(|(one, _)| *one == relation)
                .unwrap()
                .1
        };
        let possession = proof(trapdoor(Relation::PossessionNative), &POSSESSION_SLOTS, &[]);
        let policy = proof(
            trapdoor(Relation::Policy),
            &policy_slots(&statement.operands),
            &statement.policy_inputs,
        );
        let nullifier = used.map(|public| NullifierProof {
            nullifier: public.nullifier,
            proof: proof(
                trapdoor(Relation::Nullifier),
                &NULLIFIER_SLOTS,
                &public.to_inputs(),
            ),
        });
        let generators = Pedersen::get();
        let mut openings = Vec::new();
        let disclosures = statement
            .disclosed
            .iter()
            .map(|slot| {
                let (blinding, mask) = (Fr::rand(rng), Fr::rand(rng));
                openings.push((blinding, mask));
                let commit = |value: Fr, blinding: Fr| {
                    (generators.value * value + generators.blinding * blinding).into_affine()
                };
                Disclosure {
                    commitment: commit(vector[*slot], blinding),
                    first_message: commit(masks[*slot], mask),
                    blinding_response: Fr::ZERO,
                }
            })
            .collect();
        let mut presentation = Presentation {
            format: Format::Native,
            possession,
            policy,
            nullifier,
            disclosures,
            responses: [Fr::ZERO; SLOTS],
        };
        let challenge = PresentationTranscript::new(statement, presentation.nullifier(), context)
            .challenge(&presentation)
            .challenge();
        presentation.responses = std::array::from_fn(|i| masks[i] + challenge * vector[i]);
        let respond = |(secret, mask): &(Fr, Fr)| *mask + challenge * secret;
        presentation.possession.z_response = respond(&blindings[0]);
        presentation.policy.z_response = respond(&blindings[1]);
        if let Some(used) = &mut presentation.nullifier {
            used.proof.z_response = respond(&blindings[2]);
        }
        for (disclosure, opening) in presentation.disclosures.iter_mut().zip(&openings) {
            disclosure.blinding_response = respond(opening);
        }
        presentation
    }

    /// Appends an issuance at the clock's time.
    pub(crate) fn issue(&mut self, issuance: Issuance) -> Verdict {
        let entry = Entry::new(self.time, Body::Issuance(issuance))
            .encode()
            .unwrap();
        self.append(&entry).unwrap()
    }
}
