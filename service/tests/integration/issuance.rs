//! Certificates: issued, repeated, resumed; and what bad requests get, with nothing spent or logged by them.

use bauta_statement::{
    certificate::PresentedIdentity,
    eddsa::SigningKey,
    entry::{Body, Entry},
    file::{
        self, Kind, SignedFile,
        issuer_set::{Issuer, IssuerFormat, IssuerSet},
        parameters::{Parameters, Provenance, RelationParameters},
    },
    note::NoteSigner,
    policy::{Policy, RelationName},
    relation::Relation,
    schema::Schema,
};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::{
    holder::{Holder, csr, parameters},
    world::World,
};

/// A CA with an epoch in force, and a holder who is prepared for its policy.
struct Issuing {
    world: World,
    holder: Holder,
    policy: Policy,
}

impl Issuing {
    async fn ready() -> Self {
        let world = World::begun().await;
        world.make_ca().await;
        let client = world.client();
        let mut relations = Vec::new();
        for relation in Relation::ALL {
            let key = parameters(relation).verifying_key().encode();
            client.submit_object(&key).await.unwrap();
            relations.push(RelationParameters {
                relation: RelationName(relation),
                verifying_key: parameters(relation).verifying_key().digest(),
                length: u32::try_from(key.len()).unwrap(),
                provenance: Provenance::Development,
            });
        }
        let desk = NoteSigner::generate(&mut OsRng, "desk").unwrap();
        let issuer = SigningKey::generate(&mut OsRng);
        let set = IssuerSet {
            issuers: vec![Issuer {
                name: "desk".to_owned(),
                format: IssuerFormat::Native,
                public_key: issuer.public_key().to_bytes(),
                proof_of_possession: issuer.prove_possession(&mut OsRng).to_bytes(),
                schema: "employee".to_owned(),
                note_key: desk.verifier(),
                revocation_quota: 3,
            }],
        };
        let schema = json!({
            "name": "employee", "subject_key": "organisation",
            "attributes": [
                {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}, "required": true},
                {"slot": 6, "name": "level", "type": "integer", "source": {"subject": "2.5.4.5"}}
            ]
        });
        let policy = json!({
            "name": "staff", "issuer_set": "members", "schema": "employee",
            "predicates": [
                {"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"},
                {"attribute": "level", "slot": 6, "type": "integer", "at_least": 5}
            ],
            "disclose": [{"attribute": "level", "slot": 6, "type": "integer"}],
            "scope": {"name": "daily", "period_seconds": 86400, "bound": 5},
            "certificate": {"lifetime_seconds": 600, "keys": ["p256"]}
        });
        let list = json!({ "issuer_key": HEXLOWER.encode(&issuer.public_key().to_bytes()), "serials": [] });
        let policy_note = world.sign(Kind::Policy, "staff", &policy);
        for note in [
            world.sign(Kind::Parameters, "parameters", &Parameters { relations }),
            world.sign(Kind::Schema, "employee", &schema),
            world.sign(Kind::IssuerSet, "members", &set),
            policy_note.clone(),
            world.sign_as(&desk, Kind::RevocationList, "desk", &list),
        ] {
            client.submit_file(&note).await.unwrap();
        }
        client.publish_epoch().await.unwrap();
        let (status, epochs) = world.request("GET", "/v1/epochs", "").await;
        assert_eq!(status, 200, "{epochs}");
        let epochs: Value = serde_json::from_str(&epochs).unwrap();
        let entry = BASE64.decode(epochs["current"]["entry"].as_str().unwrap().as_bytes()).unwrap();
        let Body::Epoch(epoch) = Entry::decode(&entry).unwrap().body else { panic!("no epoch") };
        let file::Body::Policy(policy) = SignedFile::parse(&policy_note).unwrap().body else { panic!("no policy") };
        let schema: Schema = serde_json::from_value(schema).unwrap();
        let holder = Holder::enrolled(&issuer, &schema, &policy, &epoch);
        Self { world, holder, policy: *policy }
    }

    async fn challenge(&self) -> Value {
        let (status, body) = self.world.request("POST", "/v1/challenges", r#"{"policy":"staff"}"#).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn request(&self, counter: u32, csr: &[u8]) -> Value {
        self.holder.request(&self.policy, &self.challenge().await, counter, csr)
    }

    async fn send(&self, request: &Value) -> (u16, Value) {
        let (status, body) = self.world.request("POST", "/v1/certificates", &request.to_string()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn issued(&self, request: &Value) -> Value {
        let (status, answer) = self.send(request).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The request is refused with this problem, and the log has not grown.
    async fn refused(&self, request: &Value, problem: &str) {
        let size = self.size().await;
        let (status, answer) = self.send(request).await;
        assert!(status >= 400, "{problem}: {answer}");
        assert_eq!(answer["type"], format!("urn:bauta:problem:{problem}"), "{answer}");
        assert_eq!(self.size().await, size, "{problem}: something was logged");
    }

    async fn size(&self) -> u64 {
        self.world.client().status().await.unwrap().size
    }
}

fn edited(request: &Value, field: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut bytes = BASE64.decode(request[field].as_str().unwrap().as_bytes()).unwrap();
    edit(&mut bytes);
    let mut request = request.clone();
    request[field] = BASE64.encode(&bytes).into();
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_issued_once_resumed_and_never_for_bad_requests() {
    let mut issuing = Issuing::ready().await;

    // The way it should go; and the byte-identical request again gives the same.
    let first_csr = csr();
    let first = issuing.request(0, &first_csr).await;
    let answer = issuing.issued(&first).await;
    let chain = answer["certificate_chain"].as_str().unwrap();
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
    assert_eq!(certificates.len(), 2);
    let identity = PresentedIdentity::from_der(&certificates[0]).unwrap();
    assert_eq!(identity.policy, "staff");
    let size = issuing.size().await;
    assert_eq!(issuing.issued(&first).await, answer);
    assert_eq!(issuing.size().await, size, "a repeated request was logged again");

    // Bad requests, each for its own reason.
    issuing.refused(&edited(&issuing.request(1, &csr()).await, "challenge", |token| token[40] ^= 1), "challenge-forged").await;
    let mut other_key = issuing.request(1, &csr()).await;
    other_key["csr"] = BASE64.encode(&csr()).into();
    issuing.refused(&other_key, "presentation-refused").await;
    let good = issuing.request(1, &csr()).await;
    let last = BASE64.decode(good["presentation"].as_str().unwrap().as_bytes()).unwrap().len() - 40;
    let (status, _) = issuing.send(&edited(&good, "presentation", |bytes| bytes[last] ^= 1)).await;
    assert!(status == 400 || status == 403);
    let csr_length = BASE64.decode(good["csr"].as_str().unwrap().as_bytes()).unwrap().len();
    let (status, _) = issuing.send(&edited(&good, "csr", |bytes| bytes[csr_length - 3] ^= 1)).await;
    assert_eq!(status, 400);
    let mut opened = good.clone();
    opened["openings"][0]["value"] = json!({ "integer": 8 });
    issuing.refused(&opened, "openings-refused").await;
    let mut later = good.clone();
    later["epoch"] = (good["epoch"].as_u64().unwrap() + 5).into();
    issuing.refused(&later, "epoch-gone").await;
    // Nothing was spent by any of them.
    issuing.issued(&good).await;

    // A use is spent on its key: another key is refused, the same key with a new challenge is not.
    issuing.refused(&issuing.request(0, &csr()).await, "nullifier-spent").await;
    let again = issuing.request(0, &first_csr).await;
    let renewed = issuing.issued(&again).await;
    assert_ne!(renewed["index"], answer["index"]);

    // A nonce is spent once.
    let challenge = issuing.challenge().await;
    let one = issuing.holder.request(&issuing.policy, &challenge, 2, &csr());
    let two = issuing.holder.request(&issuing.policy, &challenge, 3, &csr());
    issuing.issued(&one).await;
    issuing.refused(&two, "nonce-spent").await;

    // Without a quorum: 503; when the signers are back, the same request resumes the same entry, across a restart, too.
    for number in [4, 5] {
        issuing.world.stop_signer(number).await;
    }
    let request = issuing.request(3, &csr()).await;
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
}
