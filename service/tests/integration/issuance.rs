//! Certificates: issued, repeated, resumed; and what bad requests get through HTTPS, with nothing spent or logged by them.

mod bad;

use std::collections::BTreeMap;

use bauta_statement::{
    certificate::PresentedIdentity,
    eddsa::SigningKey,
    entry::{Body, Entry},
    epoch::Epoch,
    field::Fr,
    file::{
        self, Kind, SignedFile,
        issuer_set::{Issuer, IssuerSet, NativeIssuer},
        parameters::{Parameters, Provenance, RelationParameters},
    },
    note::{Digest, NoteSigner},
    policy::{EpochRoots, Policy, RelationName},
    relation::{PolicyPublic, Relation},
    schema::Schema,
    tree::RevocationTree,
};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::{
    holder::{Claim, Holder, Show, Written, csr, issuers, parameters},
    world::{DAY, World, now},
};

/// A serial number that the issuer has revoked.
const REVOKED: u8 = 0x2b;

/// A CA with an epoch in force, and a member of the organisation.
struct Issuing {
    world: World,
    desk: SigningKey,
    schema: Schema,
    policies: BTreeMap<String, (Policy, Digest)>,
    superseded: Digest,
    epoch: Epoch,
    revoked: RevocationTree,
    holder: Holder,
    staff: Claim,
}

fn schema() -> Value {
    json!({
        "name": "employee", "subject_key": "organisation",
        "attributes": [
            {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}, "required": true},
            {"slot": 6, "name": "level", "type": "integer", "source": {"subject": "2.5.4.5"}},
            {"slot": 7, "name": "grade", "type": "integer", "source": {"subject": "2.5.4.12"}}
        ]
    })
}

/// "Member of Example at level 5 or above, five keys a day", which discloses the level.
fn staff(lifetime: u64) -> Value {
    json!({
        "name": "staff", "issuer_set": "members", "schema": "employee",
        "predicates": [
            {"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"},
            {"attribute": "level", "slot": 6, "type": "integer", "at_least": 5}
        ],
        "disclose": [{"attribute": "level", "slot": 6, "type": "integer"}],
        "scope": {"name": "daily", "period_seconds": 86400, "bound": 5},
        "certificate": {"lifetime_seconds": lifetime, "keys": ["p256"]}
    })
}

/// A policy without a scope.
fn unbounded(name: &str, predicates: Value) -> Value {
    json!({ "name": name, "issuer_set": "members", "schema": "employee", "unbounded": true, "predicates": predicates })
}

impl Issuing {
    /// `more` are policies beside `staff`.
    async fn ready(more: &[Value]) -> Self {
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
        let list = json!({ "issuer_key": issuer_key, "serials": [HEXLOWER.encode(&[REVOKED])] });
        let superseded = world.sign(Kind::Policy, "staff", &staff(300));
        let expires = world.authority.expires;
        let mut notes = vec![
            world.sign(Kind::Parameters, "parameters", &Parameters { relations }),
            world.sign(Kind::Schema, "employee", &schema()),
            world.sign(Kind::IssuerSet, "members", &set),
            world.sign_as(&lists, Kind::RevocationList, "desk", (1, expires), &list),
            superseded.clone(),
        ];
        let mut policies = BTreeMap::new();
        let named = more
            .iter()
            .map(|body| (body["name"].as_str().unwrap(), 1, body.clone()));
        for (name, version, body) in named.chain([("staff", 2, staff(600))]) {
            // One that ends before its epoch does: no epoch names it.
            let expires = if name == "brief" { now() + 60 } else { expires };
            let note = world.sign_version(Kind::Policy, name, (version, expires), &body);
            let file = SignedFile::parse(&note).unwrap();
            let file::Body::Policy(policy) = &file.body else {
                panic!("no policy")
            };
            policies.insert(name.to_owned(), ((**policy).clone(), file.digest()));
            notes.push(note);
        }
        for note in notes {
            client.submit_file(&note).await.unwrap();
        }
        client.publish_epoch().await.unwrap();

        let get = async |path: &str| -> Value {
            let (status, body) = world.request("GET", path, "").await;
            assert_eq!(status, 200, "{path}: {body}");
            serde_json::from_str(&body).unwrap()
        };
        let epochs = get("/v1/epochs").await;
        let entry = BASE64
            .decode(epochs["current"]["entry"].as_str().unwrap().as_bytes())
            .unwrap();
        let Body::Epoch(epoch) = Entry::decode(&entry).unwrap().body else {
            panic!("no epoch")
        };
        let handles = get(&format!("/v1/epochs/{}/revocations", epoch.number)).await;
        let mut revoked = RevocationTree::new();
        for handle in handles["handles"].as_array().unwrap() {
            revoked
                .insert(handle.as_str().unwrap().parse().unwrap())
                .unwrap();
        }
        assert_eq!(revoked.len(), 1);
        // No X.509 CA is among the issuers.
        assert_eq!(handles["ca_keys"], json!([]));
        let schema: Schema = serde_json::from_value(schema()).unwrap();
        let holder = Holder::enrolled(&Written {
            issuer: &desk,
            rule: schema.rule(),
            serial: 0x2a,
            not_before: now() / DAY * DAY,
            not_after: now() / DAY * DAY + 30 * DAY,
        });
        let policy = &policies["staff"].0;
        let set = issuers(&[holder.origin()]);
        let public = policy.public(&EpochRoots {
            start: epoch.start,
            end: epoch.end(),
            issuer_root: set.root(),
            revocation_root: revoked.root(),
        });
        let staff = holder.claim(policy, &public, &set, &revoked).unwrap();
        let superseded = SignedFile::parse(&superseded).unwrap().digest();
        Self {
            world,
            desk,
            schema,
            policies,
            superseded,
            epoch,
            revoked,
            holder,
            staff,
        }
    }

    fn policy(&self, name: &str) -> &Policy {
        &self.policies[name].0
    }

    /// The public inputs of a policy in the epoch in force.
    fn public(&self, name: &str, origins: &[Fr], revoked: &RevocationTree) -> PolicyPublic {
        self.policy(name).public(&EpochRoots {
            start: self.epoch.start,
            end: self.epoch.end(),
            issuer_root: issuers(origins).root(),
            revocation_root: revoked.root(),
        })
    }

    async fn challenge(&self, policy: &str) -> Vec<u8> {
        let asked = json!({ "policy": policy }).to_string();
        let (status, body) = self.world.request("POST", "/v1/challenges", &asked).await;
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        BASE64
            .decode(answer["challenge"].as_str().unwrap().as_bytes())
            .unwrap()
    }

    /// An honest request for `staff`.
    async fn request(&self, counter: u32, csr: &[u8]) -> Value {
        let scope = self.policy("staff").scope.clone().unwrap();
        let show = Show::new(&self.staff, Some((&scope, counter)), csr);
        self.holder
            .request(&show, &self.challenge("staff").await, self.epoch.number)
    }

    async fn send(&self, request: &Value) -> (u16, Value) {
        let (status, body) = self
            .world
            .request("POST", "/v1/certificates", &request.to_string())
            .await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn issued(&self, request: &Value) -> Value {
        let (status, answer) = self.send(request).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The request is refused with one of these problems, says why, and the log has not grown.
    async fn refused(&self, what: &str, request: &Value, problem: &str) {
        let size = self.size().await;
        let (status, answer) = self.send(request).await;
        assert!((400..500).contains(&status), "{what}: {answer}");
        assert_eq!(
            answer["type"],
            format!("urn:bauta:problem:{problem}"),
            "{what}: {answer}"
        );
        assert!(
            answer["detail"].as_str().unwrap().len() > 20,
            "{what}: {answer}"
        );
        assert_eq!(self.size().await, size, "{what}: something was logged");
    }

    async fn size(&self) -> u64 {
        self.world.client().status().await.unwrap().size
    }
}

fn edited(request: &Value, field: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut bytes = BASE64
        .decode(request[field].as_str().unwrap().as_bytes())
        .unwrap();
    edit(&mut bytes);
    let mut request = request.clone();
    request[field] = BASE64.encode(&bytes).into();
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_issued_once_and_resumed() {
    let mut issuing = Issuing::ready(&[]).await;

    // The way it should go; and the byte-identical request again gives the same.
    let first_csr = csr();
    let first = issuing.request(0, &first_csr).await;
    let answer = issuing.issued(&first).await;
    let chain = answer["certificate_chain"].as_str().unwrap();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(certificates.len(), 2);
    assert_eq!(
        PresentedIdentity::from_der(&certificates[0])
            .unwrap()
            .policy,
        "staff"
    );
    let size = issuing.size().await;
    assert_eq!(issuing.issued(&first).await, answer);
    assert_eq!(
        issuing.size().await,
        size,
        "a repeated request was logged again"
    );

    // A use is spent on its key: another key is refused, the same key with a new challenge is not.
    issuing
        .refused(
            "another key",
            &issuing.request(0, &csr()).await,
            "nullifier-spent",
        )
        .await;
    let renewed = issuing.issued(&issuing.request(0, &first_csr).await).await;
    assert_ne!(renewed["index"], answer["index"]);

    // A nonce is spent once; nonce and key are public, and another request with them gets nothing.
    let challenge = issuing.challenge("staff").await;
    let scope = issuing.policy("staff").scope.clone().unwrap();
    let (one_csr, other_csr) = (csr(), csr());
    let with = |counter, csr| {
        issuing.holder.request(
            &Show::new(&issuing.staff, Some((&scope, counter)), csr),
            &challenge,
            issuing.epoch.number,
        )
    };
    issuing.issued(&with(1, &one_csr)).await;
    issuing
        .refused("the nonce again", &with(2, &other_csr), "nonce-spent")
        .await;
    issuing
        .refused("nonce and key again", &with(1, &one_csr), "nonce-spent")
        .await;

    // Many at once for one use: one key gets it.
    let requests = [
        issuing.request(2, &csr()).await,
        issuing.request(2, &csr()).await,
        issuing.request(2, &csr()).await,
    ];
    let answers =
        futures_util::future::join_all(requests.iter().map(|request| issuing.send(request))).await;
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 200).count(),
        1,
        "{answers:?}"
    );

    // Without a quorum: 503; when the signers are back, the same request resumes the same entry, across a restart, too.
    for number in [4, 5] {
        issuing.world.stop_signer(number).await;
    }
    let last_csr = csr();
    let request = issuing.request(3, &last_csr).await;
    let (status, waiting) = issuing.send(&request).await;
    assert_eq!(status, 503, "{waiting}");
    issuing.world.stop_service().await;
    issuing.world.start_service();
    for number in [4, 5] {
        issuing.world.start_signer(number);
    }
    issuing.world.until_connected(5).await;
    let resumed = issuing.issued(&request).await;
    assert!(resumed["index"].as_u64() > renewed["index"].as_u64());
    // A new challenge with the same key spends nothing more.
    issuing.issued(&issuing.request(3, &last_csr).await).await;
}

/// Certificates of before and after a refresh verify under the one CA certificate; nothing else of the CA is new either.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_between_two_certificates() {
    let issuing = Issuing::ready(&[]).await;
    let (world, client) = (&issuing.world, issuing.world.client());
    let group_key = client.status().await.unwrap().ca_keys[0].group_key;
    let issue = async |counter| -> Vec<Vec<u8>> {
        let request = issuing.request(counter, &csr()).await;
        let answer = issuing.issued(&request).await;
        let chain = answer["certificate_chain"].as_str().unwrap();
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes());
        chain.map(|der| der.unwrap().to_vec()).collect()
    };
    let before = issue(0).await;
    assert!(client.reshare_key().await.is_err(), "nothing is ordered");
    let authority = client.ca().await.unwrap().authority;
    client.submit_file(&world.refresh().await).await.unwrap();
    client.reshare_key().await.unwrap();
    assert_ne!(client.ca().await.unwrap().authority, authority);
    assert!(client.reshare_key().await.is_err(), "it is done");
    let after = issue(1).await;
    assert_eq!(
        client.status().await.unwrap().ca_keys[0].group_key,
        group_key
    );
    assert_eq!(before[1], after[1], "another CA certificate");
    let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
    for chain in [&before, &after] {
        let (tbs, signature) = bauta_statement::certificate::disassemble(&chain[0]).unwrap();
        key.verify_strict(&tbs, &ed25519_dalek::Signature::from_bytes(&signature))
            .unwrap();
    }
}
