//! A holder with a native credential: proofs, shows and requests, without a wallet's caution and, where a test wants it, without
//! its honesty.

use std::{path::Path, sync::LazyLock};

use bauta_circuits::{
    Circuit, nullifier::NullifierWitness, policy::PolicyWitness, possession::native::NativeWitness,
};
use bauta_prover::{
    keys::{HolderKeys, Prover, Tables},
    prepare::{native_witness, satisfies},
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
    field::{self, Fr},
    policy::{Policy, Scope},
    relation::{PolicyPublic, Relation},
    scope,
    tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree},
    vector::{AttributeValue, Format, ORIGIN, Serial, handle},
};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use serde_json::{Value, json};

use super::world::{CA_NAME, ORIGIN as LOG_ORIGIN, TRUST_DOMAIN, now};

/// Development parameters of one relation, cached between runs.
pub(crate) fn parameters(relation: Relation) -> ParameterSet {
    bauta_setup::load_or_make(
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        relation,
        &mut |_| (),
    )
    .unwrap()
}

struct Provers {
    keys: HolderKeys,
    native: Prover<NativeWitness>,
    policy: Prover<PolicyWitness>,
    nullifier: Prover<NullifierWitness>,
}

static PROVERS: LazyLock<Provers> = LazyLock::new(|| {
    fn prover<C: Circuit>() -> Prover<C> {
        Prover::new(parameters(C::RELATION).into_proving_key()).unwrap()
    }
    let (native, policy, nullifier) = (
        prover::<NativeWitness>(),
        prover::<PolicyWitness>(),
        prover::<NullifierWitness>(),
    );
    let possession = [(Format::Native, native.verifying_key().clone())];
    let keys = HolderKeys::new(
        &possession,
        policy.verifying_key(),
        nullifier.verifying_key(),
        Tables::Small,
    )
    .unwrap();
    Provers {
        keys,
        native,
        policy,
        nullifier,
    }
});

/// What an issuer writes into a credential.
pub(crate) struct Written<'a> {
    pub(crate) issuer: &'a SigningKey,
    pub(crate) rule: Fr,
    pub(crate) serial: u8,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
}

/// A credential with its proof of possession.
pub(crate) struct Holder {
    credential: NativeCredential,
    possession: RelationProof,
}

/// A proof that a policy, or whatever its public inputs say, is satisfied.
pub(crate) struct Claim {
    proof: RelationProof,
    slots: SlotMap,
}

/// What one show is bound to.
pub(crate) struct Show<'a> {
    pub(crate) claim: &'a Claim,
    /// Scope, as the policy or a liar has it, and counter.
    pub(crate) usage: Option<(&'a Scope, u32)>,
    pub(crate) ca_name: &'a str,
    pub(crate) csr: &'a [u8],
}

impl Holder {
    /// A member of "Example" at level 7, without a grade.
    pub(crate) fn enrolled(written: &Written<'_>) -> Self {
        let holder = HolderSecret::generate(&mut OsRng);
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        attributes[0] = AttributeValue::Text("Example".to_owned());
        attributes[1] = AttributeValue::Integer(7);
        let serial = Serial::from_be_bytes(&[written.serial]).unwrap();
        let credential = IssuedCredential::sign(
            written.issuer,
            &mut OsRng,
            written.rule,
            written.not_before,
            written.not_after,
            handle(written.issuer.public_key().digest(), &serial),
            attributes,
            holder.commitment(),
        )
        .accept(holder)
        .unwrap();
        let possession = prove(&PROVERS.native, &native_witness(&credential), &mut OsRng).unwrap();
        Self {
            credential,
            possession,
        }
    }

    /// The origin, as it stands in an issuer set.
    pub(crate) fn origin(&self) -> Fr {
        self.credential.vector().get(ORIGIN)
    }

    /// Proves a policy under these public inputs, if that is true.
    pub(crate) fn claim(
        &self,
        policy: &Policy,
        public: &PolicyPublic,
        issuers: &QuaternaryTree,
        revoked: &RevocationTree,
    ) -> Result<Claim, String> {
        let vector = self.credential.vector();
        let witness = satisfies(&vector, policy, public, issuers, revoked)
            .map_err(|error| error.to_string())?;
        let proof =
            prove(&PROVERS.policy, &witness, &mut OsRng).map_err(|error| error.to_string())?;
        let slots = SlotMap::from(policy);
        Ok(Claim { proof, slots })
    }

    /// Proves one use of a scope, if the counter is below its bound.
    pub(crate) fn used(&self, scope: &Scope, counter: u32) -> Result<RelationProof, String> {
        let start = scope::period_start(now(), scope.period_seconds);
        let element = scope::scope(TRUST_DOMAIN, &scope.name, start);
        let witness = NullifierWitness::new(
            self.credential.holder().secret,
            element,
            counter,
            scope.bound,
        );
        prove(&PROVERS.nullifier, &witness, &mut OsRng).map_err(|error| error.to_string())
    }

    /// The body of a request under a challenge.
    pub(crate) fn request(&self, show: &Show<'_>, challenge: &[u8], epoch: u64) -> Value {
        let decoded = Challenge::decode(challenge).unwrap();
        let used = show
            .usage
            .map(|(scope, counter)| self.used(scope, counter).unwrap());
        let holding = Holding::from(&self.credential);
        let Claim { proof, slots } = show.claim;
        let prepared = Prepared::new(
            &PROVERS.keys,
            holding,
            &self.possession,
            proof,
            used.as_ref(),
            slots.clone(),
        )
        .unwrap();
        let context = Context {
            policy_digest: decoded.policy_digest,
            nonce: decoded.nonce,
            expiry: decoded.expiry,
            trust_domain: TRUST_DOMAIN.to_owned(),
            ca_name: show.ca_name.to_owned(),
            log_origin: LOG_ORIGIN.to_owned(),
            // What is no certifiable key is shown for as it is.
            spki_sha256: csr::Request::from_der(show.csr)
                .map_or([0; 32], |request| key_digest(request.key.spki())),
        };
        let (presentation, openings) = prepared.show(&mut OsRng, &PROVERS.keys, &context).unwrap();
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
            "challenge": BASE64.encode(challenge),
            "epoch": epoch,
            "csr": BASE64.encode(show.csr),
            "presentation": BASE64.encode(&presentation.encode()),
            "openings": openings,
        })
    }
}

impl<'a> Show<'a> {
    /// An honest show.
    pub(crate) fn new(claim: &'a Claim, usage: Option<(&'a Scope, u32)>, csr: &'a [u8]) -> Self {
        Self {
            claim,
            usage,
            ca_name: CA_NAME,
            csr,
        }
    }
}

/// The tree of one issuer set.
pub(crate) fn issuers(origins: &[Fr]) -> QuaternaryTree {
    QuaternaryTree::of_members(origins, ISSUER_SET_DEPTH).unwrap()
}

/// A CSR for a fresh P-256 key.
pub(crate) fn csr() -> Vec<u8> {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap()
        .der()
        .to_vec()
}
