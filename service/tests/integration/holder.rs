//! A holder with a native credential: proofs, shows and requests, without a wallet's caution.

use std::path::Path;

use bauta_circuits::{Circuit, nullifier::NullifierWitness, policy::PolicyWitness, possession::native::NativeWitness};
use bauta_prover::{
    keys::{HolderKeys, Prover, Tables},
    prepare::{native_witness, policy_witness},
    prove::{RelationProof, prove},
    show::{Holding, Prepared, SlotMap},
};
use bauta_setup::ParameterSet;
use bauta_statement::{
    challenge::Challenge,
    context::{Context, key_digest},
    credential::{HolderSecret, IssuedCredential, NativeCredential},
    csr,
    eddsa::SigningKey,
    epoch::Epoch,
    field::{self, Fr},
    policy::{EpochRoots, Policy},
    relation::Relation,
    schema::Schema,
    scope,
    tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree},
    vector::{AttributeValue, Format, ORIGIN, Serial, handle},
};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use super::world::{DAY, TRUST_DOMAIN, now};

/// Development parameters of one relation, cached between runs.
pub(crate) fn parameters(relation: Relation) -> ParameterSet {
    bauta_setup::load_or_make(Path::new(env!("CARGO_TARGET_TMPDIR")), relation, &mut |_| ()).unwrap()
}

pub(crate) struct Holder {
    keys: HolderKeys,
    nullifier: Prover<NullifierWitness>,
    pub(crate) credential: NativeCredential,
    possession: RelationProof,
    policy: RelationProof,
    slots: SlotMap,
}

fn prover<C: Circuit>() -> Prover<C> {
    Prover::new(parameters(C::RELATION).into_proving_key()).unwrap()
}

impl Holder {
    /// Enrols with `issuer` and prepares for a policy in an epoch with no revoked credential.
    pub(crate) fn enrolled(issuer: &SigningKey, schema: &Schema, policy: &Policy, epoch: &Epoch) -> Self {
        let holder = HolderSecret::generate(&mut OsRng);
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        attributes[0] = AttributeValue::Text("Example".to_owned());
        attributes[1] = AttributeValue::Integer(7);
        let digest = issuer.public_key().digest();
        let commitment = holder.commitment();
        let serial = Serial::from_be_bytes(&[0x2a]).unwrap();
        let today = now() / DAY * DAY;
        let credential = IssuedCredential::sign(
            issuer,
            &mut OsRng,
            schema.rule(),
            today,
            today + 30 * DAY,
            handle(digest, &serial),
            attributes,
            commitment,
        )
        .accept(holder)
        .unwrap();

        let native = prover::<NativeWitness>();
        let policy_prover = prover::<PolicyWitness>();
        let nullifier = prover::<NullifierWitness>();
        let possession_keys = [(Format::Native, native.verifying_key().clone())];
        let keys =
            HolderKeys::new(&possession_keys, policy_prover.verifying_key(), nullifier.verifying_key(), Tables::Small)
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
        let public = policy.public(&roots);
        let witness =
            policy_witness(&vector, &policy.slot_map(), &public, &issuers, &revoked, [None, None]).unwrap();
        let slots = SlotMap {
            operands: policy.slot_map(),
            disclosed: policy.disclose.iter().map(|one| usize::from(one.slot)).collect(),
        };
        Self {
            possession: prove(&native, &native_witness(&credential), &mut OsRng).unwrap(),
            policy: prove(&policy_prover, &witness, &mut OsRng).unwrap(),
            keys,
            nullifier,
            credential,
            slots,
        }
    }

    /// The body of a request: a show with this counter for the key of this CSR, under the challenge that was answered.
    pub(crate) fn request(&self, policy: &Policy, challenge: &Value, counter: u32, csr: &[u8]) -> Value {
        let token = BASE64.decode(challenge["challenge"].as_str().unwrap().as_bytes()).unwrap();
        let decoded = Challenge::decode(&token).unwrap();
        let wanted = policy.scope.as_ref().unwrap();
        let element: Fr =
            scope::scope(TRUST_DOMAIN, &wanted.name, scope::period_start(now(), wanted.period_seconds));
        let witness = NullifierWitness::new(self.credential.holder().secret, element, counter, wanted.bound);
        let used = prove(&self.nullifier, &witness, &mut OsRng).unwrap();
        let prepared = Prepared::new(
            &self.keys,
            Holding::from(&self.credential),
            &self.possession,
            &self.policy,
            Some(&used),
            self.slots.clone(),
        )
        .unwrap();
        let key = csr::Request::from_der(csr).unwrap().key;
        let context = Context {
            policy_digest: decoded.policy_digest,
            nonce: decoded.nonce,
            expiry: decoded.expiry,
            trust_domain: TRUST_DOMAIN.to_owned(),
            ca_name: "Example Bauta CA".to_owned(),
            log_origin: super::world::ORIGIN.to_owned(),
            spki_sha256: key_digest(key.spki()),
        };
        let (presentation, openings) = prepared.show(&mut OsRng, &self.keys, &context).unwrap();
        let openings: Vec<Value> = openings
            .iter()
            .map(|opening| {
                let value = match &opening.value {
                    AttributeValue::Integer(value) => json!({ "integer": value }),
                    AttributeValue::Text(text) => json!({ "text": text }),
                    AttributeValue::Absent => Value::Null,
                };
                let blinding = HEXLOWER.encode(&field::to_bytes(&opening.blinding));
                json!({ "slot": opening.slot, "value": value, "blinding": blinding })
            })
            .collect();
        json!({
            "challenge": challenge["challenge"],
            "epoch": challenge["epoch"],
            "csr": BASE64.encode(csr),
            "presentation": BASE64.encode(&presentation.encode()),
            "openings": openings,
        })
    }
}

/// A CSR for a fresh P-256 key.
pub(crate) fn csr() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::default().serialize_request(&key).unwrap().der().to_vec()
}
