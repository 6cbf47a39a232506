//! A CA on paper, honest at first; then each lie that a hostile service could tell, and the refusal that it gets.

use bauta_log::checkpoint::Checkpoint;
use bauta_log::{CosignatureSigner, LogSigner, MemoryStorage, Tree};
use bauta_statement::crl::Crl;
use bauta_statement::eddsa::SigningKey;
use bauta_statement::entry::ObjectRef;
use bauta_statement::epoch::PolicyInForce;
use bauta_statement::file::authority::{
    Administrators, CaKey, LogIdentity, Quorum, Signer, VerifyingShare,
};
use bauta_statement::file::hierarchy::Purpose;
use bauta_statement::file::issuer_set::NativeIssuer;
use bauta_statement::file::key_operation::{CaSubject, SignCaCertificate};
use bauta_statement::file::parameters::RelationParameters;
use bauta_statement::file::{Header, Kind, RevocationList, to_text};
use bauta_statement::note::{CosignatureKey, NoteSigner, sign};
use bauta_statement::policy::RelationName;
use bauta_statement::relation::Relation;
use bauta_statement::tree;
use rand::rngs::OsRng;
use serde_json::json;

use super::*;

const DAY: u64 = 86_400;
const START: u64 = 20_000 * DAY;
const NOW: u64 = START + 600;
const FAR: u64 = START + 100 * DAY;
const DOMAIN: &str = "example.org";
const ORIGIN: &str = "log.example.org";
const GROUP_KEY: [u8; 32] = [7; 32];

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_secret(name, &[seed; 32]).unwrap()
}

fn cosigner(number: u8) -> CosignatureSigner {
    CosignatureSigner::from_seed(&format!("signer-{number}.example.org"), &[20 + number; 32])
        .unwrap()
}

fn crl_vector(name: &str) -> Vec<u8> {
    let path = format!("{}/../vectors/crl/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// The key of the CA that signed the CRLs in `vectors/crl`.
fn ca_key() -> RsaPublicKey {
    let pem = String::from_utf8(crl_vector("ca.key")).unwrap();
    let key = rcgen::KeyPair::from_pem(&pem).unwrap();
    RsaPublicKey::from_pkcs1(key.public_key_raw()).unwrap()
}

/// Everything that a service serves, before it is signed; a test changes a part and serves that.
struct World {
    authority: Authority,
    parameters: Parameters,
    schema: String,
    set: IssuerSet,
    policy: String,
    list: RevocationList,
    list_expires: u64,
    operation: KeyOperation,
    /// Who signs as administrator.
    administrators: Vec<NoteSigner>,
    desk: NoteSigner,
    expires: u64,
    /// Changes the epoch's entry after it was computed.
    epoch: fn(&mut Epoch),
    number: u64,
    /// Entries between the first and the epoch's.
    between: usize,
    cosigners: u8,
    handles: Option<Vec<u64>>,
    /// CRLs that the epoch names beside the list.
    crls: Vec<Vec<u8>>,
    /// Keys of CAs that the service names.
    ca_keys: Vec<RsaPublicKey>,
    first: Option<Vec<u8>>,
}

/// What a wallet fetches, and the pins that belong to it.
struct Served {
    pins: Pins,
    offered: Vec<Offered>,
    everything: Fetched,
}

impl World {
    fn new() -> Self {
        let key = SigningKey::generate(&mut OsRng);
        let desk = signer("desk", 50);
        let administrators: Vec<NoteSigner> = (0..3)
            .map(|i| signer(&format!("admin-{i}"), 10 + i))
            .collect();
        let authority = Authority {
            trust_domain: DOMAIN.into(),
            version: 2,
            expires: FAR,
            ca_name: "Example CA".into(),
            mode: Mode::Development,
            enterprise_number: 32473,
            epoch_seconds: 3600,
            log: LogIdentity {
                origin: ORIGIN.into(),
                key: signer(ORIGIN, 1).verifier(),
            },
            administrators: Administrators {
                k: 2,
                keys: administrators.iter().map(NoteSigner::verifier).collect(),
            },
            signers: (0..5u8)
                .map(|i| Signer {
                    name: format!("signer-{i}"),
                    cosignature: CosignatureKey::new(
                        cosigner(i).verifier().name(),
                        cosigner(i).verifier().public_key(),
                    )
                    .unwrap(),
                    tls: [i; 32],
                    approval: signer(&format!("signer-{i}"), 30 + i).verifier().into(),
                })
                .collect(),
            quorum: Quorum::FIVE,
            custodians: Vec::new(),
            ca_keys: vec![CaKey {
                purpose: Purpose::Issuing,
                name: "ca-1".into(),
                group_key: GROUP_KEY,
                t: 3,
                verifying_shares: (0..5u8)
                    .map(|i| VerifyingShare {
                        identifier: u16::from(i) + 1,
                        signer: format!("signer-{i}"),
                        share: [i + 1; 32],
                    })
                    .collect(),
                operation: [9; 32],
                transcript: [8; 32],
            }],
        };
        Self {
            authority,
            parameters: Parameters {
                relations: Relation::BASIC
                    .into_iter()
                    .map(|relation| RelationParameters {
                        relation: RelationName(relation),
                        verifying_key: [relation.code(); 32],
                        length: 1000,
                        provenance: Provenance::Development,
                    })
                    .collect(),
            },
            schema: include_str!("../../../../docs/examples/schema.json").into(),
            set: IssuerSet {
                issuers: vec![Issuer::Native(NativeIssuer {
                    name: "desk".into(),
                    public_key: key.public_key().to_bytes(),
                    proof_of_possession: key.prove_possession(&mut OsRng).to_bytes(),
                    schema: "employee".into(),
                    note_key: desk.verifier(),
                    revocation_quota: 10,
                })],
            },
            policy: include_str!("../../../../docs/examples/policy.json").into(),
            list: RevocationList {
                issuer_key: key.public_key().to_bytes(),
                serials: [1u8, 2, 3]
                    .iter()
                    .map(|i| bauta_statement::vector::Serial::from_be_bytes(&[*i]).unwrap())
                    .collect(),
            },
            list_expires: FAR,
            operation: KeyOperation::SignCaCertificate(SignCaCertificate {
                key: "ca-1".into(),
                group_key: GROUP_KEY,
                subject: CaSubject {
                    country: None,
                    organization: None,
                    common_name: "Example CA".into(),
                },
                not_before: START - DAY,
                not_after: FAR,
                path_length: 0,
            }),
            administrators,
            desk,
            expires: FAR,
            epoch: |_| {},
            number: START / 3600,
            between: 3,
            cosigners: 4,
            handles: None,
            crls: Vec::new(),
            ca_keys: Vec::new(),
            first: None,
        }
    }

    fn signed(&self, kind: Kind, name: &str, expires: u64, body: &impl Serialize) -> Vec<u8> {
        let header = Header {
            kind,
            trust_domain: DOMAIN.into(),
            name: name.into(),
            version: 1,
            expires,
        };
        let text = to_text(&header, body).unwrap();
        sign(
            &text,
            &self.administrators.iter().take(2).collect::<Vec<_>>(),
        )
        .unwrap()
    }

    /// Signs, computes and logs everything.
    fn serve(&self) -> Served {
        let mut everything = Fetched::default();
        let mut keep = |note: Vec<u8>| {
            let digest = sha256(&note);
            everything.objects.insert(digest, note);
            digest
        };
        let schema_value: serde_json::Value = serde_json::from_str(&self.schema).unwrap();
        let policy_value: serde_json::Value = serde_json::from_str(&self.policy).unwrap();
        let policy_note = self.signed(
            Kind::Policy,
            policy_value["name"].as_str().unwrap(),
            self.expires,
            &policy_value,
        );
        let policy_digest = SignedFile::parse(&policy_note).unwrap().digest();
        let list_header = Header {
            kind: Kind::RevocationList,
            trust_domain: DOMAIN.into(),
            name: "desk".into(),
            version: 1,
            expires: self.list_expires,
        };
        let list_note = sign(&to_text(&list_header, &self.list).unwrap(), &[&self.desk]).unwrap();

        let schema: Schema = serde_json::from_value(schema_value.clone()).unwrap();
        let policy: Policy = serde_json::from_value(policy_value).unwrap();
        let by_name = BTreeMap::from([(schema.name.clone(), &schema)]);
        let origins = epoch::accepted_origins(&policy, &self.set, &by_name, &|_| true).unwrap();
        let mut handles = self.list.handles().unwrap();
        for crl in &self.crls {
            for handle in Crl::from_der(crl).unwrap().handles(ca_key().digest()) {
                if !handles.contains(&handle) {
                    handles.push(handle);
                }
            }
        }
        let mut revoked = RevocationTree::new();
        revoked.extend(&handles).unwrap();

        let authority_note = sign(
            &self.authority.to_text().unwrap(),
            &self.administrators.iter().collect::<Vec<_>>(),
        )
        .unwrap();
        let first_note = self.first.clone().unwrap_or_else(|| {
            let first = Authority {
                version: 1,
                custodians: Vec::new(),
                ca_keys: Vec::new(),
                ..self.authority.clone()
            };
            sign(
                &first.to_text().unwrap(),
                &self.administrators.iter().collect::<Vec<_>>(),
            )
            .unwrap()
        });
        let first = ObjectRef::of(&first_note).unwrap();
        let pinned = SignedFile::parse(&first_note).unwrap().digest();
        keep(first_note);
        let mut body = Epoch {
            number: self.number,
            start: self.number * 3600,
            length: 3600,
            authority: keep(authority_note),
            parameters: keep(self.signed(
                Kind::Parameters,
                "parameters",
                self.expires,
                &self.parameters,
            )),
            ca_key: ca_key_id(&GROUP_KEY),
            ca_certificate: keep(self.signed(
                Kind::KeyOperation,
                "certify",
                START + 1,
                &self.operation,
            )),
            schemas: vec![keep(self.signed(
                Kind::Schema,
                &schema.name,
                self.expires,
                &schema_value,
            ))],
            issuer_sets: vec![keep(self.signed(
                Kind::IssuerSet,
                "members",
                self.expires,
                &self.set,
            ))],
            policies: vec![PolicyInForce {
                policy: policy_digest,
                object: keep(policy_note),
                issuer_root: encode_root(&tree::members_root(&origins, ISSUER_SET_DEPTH).unwrap()),
            }],
            revocation_lists: self
                .crls
                .iter()
                .cloned()
                .chain([list_note])
                .map(&mut keep)
                .collect(),
            revocation_root: encode_root(&revoked.root()),
            revocation_count: u32::try_from(handles.len()).unwrap(),
        };
        (self.epoch)(&mut body);
        let entry = Entry::new(START - 600, Body::Epoch(body)).encode().unwrap();
        let hint = RevokedHint {
            in_order: self.handles.clone().unwrap_or(handles),
            ca_keys: self.ca_keys.clone(),
        };
        everything.revoked.insert(self.number, hint);

        let mut tree = Tree::new(MemoryStorage::new());
        let mut entries = vec![
            Entry::new(START - 1000, Body::Authority(first))
                .encode()
                .unwrap(),
        ];
        entries.extend((0..self.between).map(|i| vec![i as u8; 40]));
        entries.push(entry.clone());
        tree.append(&entries).unwrap();
        let log = LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
        let mut checkpoint = log
            .sign(Checkpoint::new(ORIGIN, tree.head()).unwrap())
            .unwrap();
        for number in 0..self.cosigners {
            checkpoint.add(
                cosigner(number)
                    .cosign(checkpoint.checkpoint(), NOW)
                    .unwrap(),
            );
        }
        let index = entries.len() as u64 - 1;
        let proof = TlogProof {
            extra: None,
            index,
            hashes: tree.prove_inclusion(index, tree.head().size).unwrap(),
            checkpoint,
        };
        for path in tree.storage().paths() {
            everything
                .files
                .insert(path.to_owned(), tree.storage().get(path).unwrap());
        }
        let keys: Vec<_> = (0..5).map(|i| cosigner(i).verifier().clone()).collect();
        Served {
            pins: Pins {
                authority: pinned,
                log_policy: LogPolicy::quorum_of(log.verifier().clone(), &keys, 4).unwrap(),
            },
            offered: vec![Offered {
                entry,
                proof: proof.to_bytes(),
            }],
            everything,
        }
    }

    fn check(&self) -> Result<Checked, GuardError> {
        self.serve().check(None, NOW)
    }

    /// What the change makes of an honest world.
    fn with(change: impl FnOnce(&mut Self)) -> Result<Checked, GuardError> {
        let mut world = Self::new();
        change(&mut world);
        world.check()
    }
}

impl Served {
    /// As the wallet does: fetches what is asked for, and nothing else.
    fn check(&self, seen: Option<&Seen>, now: u64) -> Result<Checked, GuardError> {
        let mut fetched = Fetched::default();
        for _ in 0..50 {
            match check(
                &self.pins,
                seen,
                &self.offered,
                "research-or-senior",
                &fetched,
                now,
            )? {
                Outcome::Checked(checked) => return Ok(*checked),
                Outcome::Missing(Missing::Objects(digests)) => {
                    for digest in digests {
                        fetched
                            .objects
                            .insert(digest, self.everything.objects[&digest].clone());
                    }
                }
                Outcome::Missing(Missing::Files(paths)) => {
                    for path in paths {
                        let found = self.everything.files.get(&path).cloned().flatten();
                        fetched.files.insert(path, found);
                    }
                }
                Outcome::Missing(Missing::Revoked(epoch)) => {
                    fetched
                        .revoked
                        .insert(epoch, self.everything.revoked[&epoch].clone());
                }
            }
        }
        panic!("it fetches without end");
    }
}

macro_rules! refused {
    ($result:expr, $pattern:pat) => {{
        let error = $result.map(|_| ()).unwrap_err();
        assert!(matches!(error, $pattern), "{error:?}");
    }};
}

#[test]
fn an_honest_service_is_believed() {
    let checked = World::new().check().unwrap();
    assert_eq!(checked.policy.name, "research-or-senior");
    assert_eq!(checked.revoked.len(), 3);
    assert_eq!(checked.seen.size, 5);
    assert!(ca_of(&checked.ca_text, DOMAIN, 32473).is_ok());
    // A large log costs a few more tiles.
    let checked = World::with(|world| world.between = 700).unwrap();
    assert_eq!(checked.seen.size, 702);
    // The key operation's own expiry bounds its carrying out, not the certificate: `serve` lets it expire at once.
}

#[test]
fn an_epoch_must_be_logged_under_the_quorum() {
    refused!(
        World::with(|world| world.cosigners = 3),
        GuardError::NotLogged(_)
    );
    let mut served = World::new().serve();
    // Another entry under the same proof.
    let mut entry = Entry::decode(&served.offered[0].entry).unwrap();
    entry.time += 1;
    served.offered[0].entry = entry.encode().unwrap();
    refused!(served.check(None, NOW), GuardError::NotLogged(_));
    served.offered[0].proof = b"nothing".to_vec();
    refused!(served.check(None, NOW), GuardError::NotLogged(_));
    served.offered.clear();
    refused!(served.check(None, NOW), GuardError::NoEpoch(_));
}

#[test]
fn bounds_are_the_standard_ones_and_fit_the_clock() {
    let served = World::new().serve();
    refused!(served.check(None, START - 1), GuardError::NoEpoch(_));
    refused!(served.check(None, START + 3600), GuardError::NoEpoch(_));
    assert!(served.check(None, START).is_ok());
    // A period of a holder's own.
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.length = 7200),
        GuardError::Bounds(_)
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.start += 1),
        GuardError::Bounds(_)
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.number += 1),
        GuardError::Bounds(_)
    );
}

#[test]
fn nothing_older_than_seen_is_taken() {
    let world = World::new();
    let served = world.serve();
    let seen = served.check(None, NOW).unwrap().seen;
    assert_eq!(served.check(Some(&seen), NOW).unwrap().seen, seen);
    let later = Seen {
        epoch: seen.epoch + 1,
        ..seen.clone()
    };
    refused!(served.check(Some(&later), NOW), GuardError::Older { .. });
    let other = Seen {
        entry: [1; 32],
        ..seen.clone()
    };
    refused!(served.check(Some(&other), NOW), GuardError::Changed(_));
    // A smaller log, a log of the same size with another root, and a log that does not contain the one seen.
    let smaller = Seen {
        size: seen.size + 1,
        ..seen.clone()
    };
    refused!(served.check(Some(&smaller), NOW), GuardError::Forked(_));
    let root = Seen {
        root: [1; 32],
        ..seen.clone()
    };
    refused!(served.check(Some(&root), NOW), GuardError::Forked(_));
    let forked = Seen {
        size: seen.size - 1,
        root: [1; 32],
        ..seen.clone()
    };
    refused!(served.check(Some(&forked), NOW), GuardError::Forked(_));
    // One that does contain it.
    let mut tree = Tree::new(MemoryStorage::new());
    let reader_entries = |size: u64| {
        let mut entries = Vec::new();
        let bundle = served
            .everything
            .files
            .get("tile/entries/000.p/5")
            .cloned()
            .flatten()
            .unwrap();
        let mut rest = bundle.as_slice();
        for _ in 0..size {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            entries.push(rest[2..2 + length].to_vec());
            rest = &rest[2 + length..];
        }
        entries
    };
    tree.append(&reader_entries(3)).unwrap();
    let before = Seen {
        size: 3,
        root: tree.head().root,
        epoch: seen.epoch - 1,
        entry: [1; 32],
    };
    assert_eq!(served.check(Some(&before), NOW).unwrap().seen, seen);
}

#[test]
fn the_log_begins_with_the_pinned_authority() {
    let mut served = World::new().serve();
    served.pins.authority = [1; 32];
    refused!(served.check(None, NOW), GuardError::OtherAuthority(_));
    // Another log of the same operator, whose key is not the authority's.
    let result = World::with(|world| {
        let key = signer("other.example.org", 2).verifier();
        world.authority.log = LogIdentity {
            origin: "other.example.org".into(),
            key,
        };
    });
    refused!(result, GuardError::LogKey);
    let result = World::with(|world| {
        let mut first = Authority {
            version: 1,
            custodians: Vec::new(),
            ca_keys: Vec::new(),
            ..world.authority.clone()
        };
        first.trust_domain = "other.org".into();
        world.first = Some(
            sign(
                &first.to_text().unwrap(),
                &world.administrators.iter().collect::<Vec<_>>(),
            )
            .unwrap(),
        );
    });
    refused!(result, GuardError::TrustDomain { .. });
}

#[test]
fn objects_are_what_the_epoch_names() {
    let served = World::new().serve();
    for digest in served.everything.objects.keys() {
        let mut lying = World::new().serve();
        lying.pins = Pins {
            authority: served.pins.authority,
            log_policy: served.pins.log_policy.clone(),
        };
        lying.offered = served
            .offered
            .iter()
            .map(|one| Offered {
                entry: one.entry.clone(),
                proof: one.proof.clone(),
            })
            .collect();
        lying.everything = Fetched {
            objects: served.everything.objects.clone(),
            files: served.everything.files.clone(),
            revoked: served.everything.revoked.clone(),
        };
        lying
            .everything
            .objects
            .get_mut(digest)
            .unwrap()
            .push(b'\n');
        refused!(lying.check(None, NOW), GuardError::Object { .. });
    }
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.policies[0].policy = [1; 32]),
        GuardError::Object { what: "policy", .. }
    );
    // One kind of file in another's place.
    refused!(
        World::with(|world| world.epoch =
            |epoch| std::mem::swap(&mut epoch.schemas, &mut epoch.issuer_sets)),
        GuardError::Malformed { .. }
    );
}

#[test]
fn files_are_the_administrators() {
    let unsigned = |world: &mut World| {
        world.administrators = (0..3)
            .map(|i| signer(&format!("admin-{i}"), 90 + i))
            .collect();
    };
    refused!(World::with(unsigned), GuardError::Unsigned { .. });
    // One of the two that are needed.
    let result = World::with(|world| {
        world.administrators[1] = signer("admin-1", 90);
    });
    refused!(result, GuardError::Unsigned { .. });
    refused!(
        World::with(|world| world.expires = START + 3599),
        GuardError::Expired { .. }
    );
    let result =
        World::with(|world| world.policy = world.policy.replace("research-or-senior", "another"));
    refused!(result, GuardError::PolicyNotInForce(_));
}

#[test]
fn roots_are_what_the_files_give() {
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.policies[0].issuer_root[0] ^= 1),
        GuardError::Root("the policy's issuer root")
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.revocation_root[0] ^= 1),
        GuardError::Root("the revocation root")
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.revocation_count += 1),
        GuardError::Root("the revocation root")
    );
    // An issuer whose list has expired is in no root; an honest epoch would leave it out.
    refused!(
        World::with(|world| world.list_expires = START),
        GuardError::Root("the policy's issuer root")
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.ca_key[0] ^= 1),
        GuardError::Root("the CA key")
    );
    // A root certifies CAs, and issues to nobody.
    refused!(
        World::with(|world| world.authority.ca_keys[0].purpose = Purpose::Root),
        GuardError::Root("the CA key")
    );
    for handles in [vec![], vec![1, 2, 3]] {
        refused!(
            World::with(|world| world.handles = Some(handles)),
            GuardError::Root("the list of revoked handles")
        );
    }
    // The same handles in another order give another tree.
    let result = World::with(|world| {
        let mut handles = world.list.handles().unwrap();
        handles.reverse();
        world.handles = Some(handles);
    });
    refused!(result, GuardError::Root("the revocation root"));
}

#[test]
fn revocation_lists_are_their_issuers() {
    refused!(
        World::with(|world| world.desk = signer("desk", 51)),
        GuardError::ListUnsigned { .. }
    );
    let result = World::with(|world| {
        world.list.issuer_key = SigningKey::generate(&mut OsRng).public_key().to_bytes();
    });
    refused!(result, GuardError::ListUnsigned { .. });
}

#[test]
fn parameters_are_the_policys_and_fit_the_mode() {
    let result = World::with(|world| {
        let mut policy: serde_json::Value = serde_json::from_str(&world.policy).unwrap();
        policy["parameters"] = json!({"policy": "00".repeat(32)});
        world.policy = policy.to_string();
    });
    refused!(result, GuardError::Parameters(_));
    let production = |world: &mut World| {
        world.authority.mode = Mode::Production;
        world.authority.enterprise_number = 4711;
    };
    refused!(World::with(production), GuardError::DevelopmentParameters);
    // Those known to everyone, whatever the file calls them.
    let result = World::with(|world| {
        production(world);
        for one in &mut world.parameters.relations {
            one.provenance = Provenance::Ceremony;
        }
        world.parameters.relations[0].verifying_key = DEVELOPMENT_VERIFYING_KEYS[0].1;
    });
    refused!(result, GuardError::DevelopmentParameters);
    let result = World::with(|world| {
        production(world);
        for one in &mut world.parameters.relations {
            one.provenance = Provenance::Ceremony;
        }
    });
    assert!(result.is_ok());
}

#[test]
fn what_a_policy_needs_must_be_named() {
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.schemas.clear()),
        GuardError::Incomplete(_)
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.issuer_sets.clear()),
        GuardError::Incomplete(_)
    );
    refused!(
        World::with(|world| world.epoch = |epoch| epoch.policies.clear()),
        GuardError::PolicyNotInForce(_)
    );
}

mod crls;
