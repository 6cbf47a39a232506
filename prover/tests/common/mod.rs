//! One holder's story, made once for all tests: parameters, a credential, a policy, the stored proofs.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use ark_bn254::{Bn254, Fr};
use ark_groth16::ProvingKey;
use bauta_circuits::Circuit;
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::PolicyWitness;
use bauta_circuits::possession::native::NativeWitness;
use bauta_prover::keys::{HolderKeys, Prover, Tables};
use bauta_prover::prepare::{native_witness, policy_witness};
use bauta_prover::prove::{RelationProof, prove};
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_statement::context::Context;
use bauta_statement::credential::{HolderSecret, IssuedCredential, NativeCredential};
use bauta_statement::eddsa::SigningKey;
use bauta_statement::presentation::Usage;
use bauta_statement::relation::{Mode, PolicyPublic, PredicatePublic, PredicateTest};
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree, VALUE_SET_DEPTH};
use bauta_statement::vector::{AttributeValue, Format, ORIGIN};
use bauta_verifier::keys::Keys;
use bauta_verifier::presentation::{PolicyContext, PolicyError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) struct Story {
    pub(crate) native: Prover<NativeWitness>,
    pub(crate) policy_prover: Prover<PolicyWitness>,
    pub(crate) nullifier: Prover<NullifierWitness>,
    pub(crate) holder_keys: HolderKeys,
    pub(crate) keys: Arc<Keys>,
    pub(crate) credential: NativeCredential,
    pub(crate) operands: [Option<usize>; 4],
    pub(crate) public: PolicyPublic,
    pub(crate) usage: Usage,
    pub(crate) possession: RelationProof,
    pub(crate) policy_proof: RelationProof,
    pub(crate) use_proof: RelationProof,
    pub(crate) policy_witness: PolicyWitness,
    pub(crate) use_witness: NullifierWitness,
    pub(crate) prepared: Prepared,
    pub(crate) policy: PolicyContext,
}

pub(crate) struct Holder {
    pub(crate) credential: NativeCredential,
    pub(crate) possession: RelationProof,
    pub(crate) use_proof: RelationProof,
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn context() -> Context {
    Context {
        policy_digest: [4; 32],
        nonce: [5; 32],
        expiry: 1_800_000_000,
        trust_domain: "example.org".into(),
        ca_name: "Bauta".into(),
        log_origin: "log.example.org/2026h2".into(),
        spki_sha256: [7; 32],
    }
}

/// The development parameters, made once and cached under `target/`.
pub(crate) fn parameters<C: Circuit>() -> ProvingKey<Bn254> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    bauta_setup::load_or_make(cache, C::RELATION, &mut |_| ())
        .unwrap()
        .into_proving_key()
}

const SCOPE: u64 = 4242;
const BOUND: u32 = 5;

fn credential(issuer: &SigningKey, seed: u64) -> NativeCredential {
    let mut rng = rng(seed);
    let holder = HolderSecret::generate(&mut rng);
    let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
    attributes[0] = AttributeValue::Text("Arsenale".into());
    attributes[1] = AttributeValue::Integer(3);
    attributes[2] = AttributeValue::Text("carpenter".into());
    attributes[4] = AttributeValue::Text("carpenter".into());
    let commitment = holder.commitment();
    IssuedCredential::sign(
        issuer,
        &mut rng,
        Fr::from(8u64),
        1000,
        9000,
        5_000 + seed,
        attributes,
        commitment,
    )
    .accept(holder)
    .unwrap()
}

pub(crate) fn story() -> &'static Story {
    static STORY: LazyLock<Story> = LazyLock::new(make);
    &STORY
}

pub(crate) fn second_holder() -> Holder {
    let story = story();
    let mut rng = rng(60);
    let credential = credential(&SigningKey::generate(&mut super::common::rng(1)), 61);
    let use_ = NullifierWitness::new(credential.holder().secret, Fr::from(SCOPE), 0, BOUND);
    Holder {
        possession: prove(&story.native, &native_witness(&credential), &mut rng).unwrap(),
        use_proof: prove(&story.nullifier, &use_, &mut rng).unwrap(),
        credential,
    }
}

impl Story {
    pub(crate) fn slots(&self) -> SlotMap {
        SlotMap {
            operands: self.operands,
            disclosed: vec![5],
        }
    }

    pub(crate) fn context_for(
        &self,
        operands: [Option<usize>; 4],
        disclosed: Vec<usize>,
        public: &PolicyPublic,
        scoped: bool,
    ) -> Result<PolicyContext, PolicyError> {
        PolicyContext::new(
            self.keys.clone(),
            &[Format::Native],
            operands,
            disclosed,
            public,
            scoped,
        )
    }
}

fn make() -> Story {
    let mut rng = rng(1);
    let issuer = SigningKey::generate(&mut rng);
    let native = Prover::<NativeWitness>::new(parameters::<NativeWitness>()).unwrap();
    let policy_prover = Prover::<PolicyWitness>::new(parameters::<PolicyWitness>()).unwrap();
    let nullifier = Prover::<NullifierWitness>::new(parameters::<NullifierWitness>()).unwrap();
    let verifying = [
        native.verifying_key(),
        policy_prover.verifying_key(),
        nullifier.verifying_key(),
    ]
    .map(Clone::clone);
    let [native_key, policy_key, nullifier_key] = verifying;
    let possession_keys = vec![(Format::Native, native_key)];
    let holder_keys =
        HolderKeys::new(&possession_keys, &policy_key, &nullifier_key, Tables::Small).unwrap();
    let keys = Keys::new(possession_keys, policy_key, nullifier_key).unwrap();

    // Member of the organisation; a carpenter, or of level 7 or above.
    let credential = credential(&issuer, 2);
    let vector = credential.vector();
    let text = |text: &str| AttributeValue::Text(text.into()).to_field();
    let guild =
        QuaternaryTree::of_members(&[text("Rialto"), text("Arsenale")], VALUE_SET_DEPTH).unwrap();
    let issuers =
        QuaternaryTree::of_members(&[Fr::from(1u64), vector.get(ORIGIN)], ISSUER_SET_DEPTH)
            .unwrap();
    let mut revoked = RevocationTree::new();
    revoked.extend(&[77, 1_000_000, 3_000]).unwrap();
    let operands = [Some(5), Some(6), Some(7), None];
    let public = PolicyPublic::new(
        [
            PredicatePublic {
                test: PredicateTest::Member { root: guild.root() },
                mode: Mode::Required,
            },
            PredicatePublic {
                test: PredicateTest::Range {
                    low: 7,
                    high: u64::MAX,
                },
                mode: Mode::AnyOf,
            },
            PredicatePublic {
                test: PredicateTest::Equal(text("carpenter")),
                mode: Mode::AnyOf,
            },
            PredicatePublic::NONE,
        ],
        2000,
        8000,
        issuers.root(),
        revoked.root(),
    )
    .unwrap();
    let witness = policy_witness(
        &vector,
        &operands,
        &public,
        &issuers,
        &revoked,
        [Some(&guild), None],
    )
    .unwrap();
    let use_ = NullifierWitness::new(credential.holder().secret, Fr::from(SCOPE), 2, BOUND);
    let possession = prove(&native, &native_witness(&credential), &mut rng).unwrap();
    let policy_proof = prove(&policy_prover, &witness, &mut rng).unwrap();
    let use_proof = prove(&nullifier, &use_, &mut rng).unwrap();
    let slots = SlotMap {
        operands,
        disclosed: vec![5],
    };
    let holding = Holding::from(&credential);
    let prepared = Prepared::new(
        &holder_keys,
        holding,
        &possession,
        &policy_proof,
        Some(&use_proof),
        slots,
    )
    .unwrap();
    let usage = Usage {
        scope: Fr::from(SCOPE),
        bound: BOUND,
    };
    let policy = PolicyContext::new(
        keys.clone(),
        &[Format::Native],
        operands,
        vec![5],
        &public,
        true,
    )
    .unwrap();
    Story {
        native,
        policy_prover,
        nullifier,
        holder_keys,
        keys,
        credential,
        operands,
        public,
        usage,
        possession,
        policy_proof,
        use_proof,
        policy_witness: witness,
        use_witness: use_,
        prepared,
        policy,
    }
}
