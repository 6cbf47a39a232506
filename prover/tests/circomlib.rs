//! A credential that circomlibjs signed, over a message that circomlibjs hashed, is proved, shown and verified here like any
//! other. `vectors/circomlib-credential.mjs` made it; `cargo xtask test` makes it again and compares.

#[allow(dead_code, reason = "the other tests use parts that this one does not")]
mod common;

use ark_bn254::Fr;
use bauta_prover::prepare::{native_witness, policy_witness};
use bauta_prover::prove::prove;
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_statement::credential::{
    CredentialError, HolderSecret, IssuedCredential, NativeCredential,
};
use bauta_statement::eddsa::{PublicKey, Signature};
use bauta_statement::relation::{Mode, PolicyPublic, PredicatePublic, PredicateTest};
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use bauta_statement::vector::{AttributeValue, Format, ORIGIN};
use bauta_verifier::presentation::verify_bytes;
use common::{context, rng, story};
use serde_json::Value;

fn vector() -> Value {
    serde_json::from_str(include_str!("../../vectors/circomlib-credential.json")).unwrap()
}

fn element(value: &Value) -> Fr {
    value.as_str().unwrap().parse().unwrap()
}

fn holder(vector: &Value) -> HolderSecret {
    HolderSecret {
        secret: element(&vector["holder"]["secret"]),
        blinding: element(&vector["holder"]["blinding"]),
    }
}

fn issued(vector: &Value) -> IssuedCredential {
    let credential = &vector["credential"];
    let number = |name: &str| vector[name].as_u64().unwrap();
    let packed = vector["signature"].as_str().unwrap();
    let packed = data_encoding::HEXLOWER.decode(packed.as_bytes()).unwrap();
    IssuedCredential {
        issuer: PublicKey::from_coordinates(
            element(&credential["issuer"][0]),
            element(&credential["issuer"][1]),
        )
        .unwrap(),
        rule: element(&credential["rule"]),
        not_before: number("notBefore"),
        not_after: number("notAfter"),
        handle: number("handle"),
        attributes: std::array::from_fn(|slot| match &vector["attributes"][slot] {
            Value::Null => AttributeValue::Absent,
            Value::String(text) => AttributeValue::Text(text.clone()),
            other => AttributeValue::Integer(other.as_u64().unwrap()),
        }),
        commitment: element(&credential["commitment"]),
        signature: Signature::from_bytes(packed.as_slice().try_into().unwrap()).unwrap(),
    }
}

#[test]
fn both_read_the_same_vector() {
    let vector = vector();
    let issued = issued(&vector);
    assert_eq!(issued.message(), element(&vector["message"]));
    assert_eq!(issued.commitment, holder(&vector).commitment());
    let slots = issued.accept(holder(&vector)).unwrap().vector();
    for (slot, theirs) in vector["credential"]["slots"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        if !theirs.is_null() {
            assert_eq!(slots.get(slot), element(theirs), "slot {slot}");
        }
    }
}

#[test]
fn a_credential_signed_by_circomlibjs_is_proved_shown_and_verified() {
    let story = story();
    let mut rng = rng(7);
    let vector = vector();
    let credential: NativeCredential = issued(&vector).accept(holder(&vector)).unwrap();

    // Level 7 or above, and the department is disclosed.
    let slots = credential.vector();
    let issuers = QuaternaryTree::of_members(&[slots.get(ORIGIN)], ISSUER_SET_DEPTH).unwrap();
    let revoked = RevocationTree::new();
    let operands = [Some(6), None, None, None];
    let level = PredicatePublic {
        test: PredicateTest::Range {
            low: 7,
            high: u64::MAX,
        },
        mode: Mode::Required,
    };
    let none = PredicatePublic::NONE;
    let predicates = [level, none, none, none];
    let (issuer_root, revocation_root) = (issuers.root(), revoked.root());
    let public = PolicyPublic::new(predicates, 2000, 8000, issuer_root, revocation_root).unwrap();
    let witness =
        policy_witness(&slots, &operands, &public, &issuers, &revoked, [None, None]).unwrap();
    let possession = prove(&story.native, &native_witness(&credential), &mut rng).unwrap();
    let satisfied = prove(&story.policy_prover, &witness, &mut rng).unwrap();

    // To an ordinary verifier the hidden inputs are public: what `bauta export` checks before it writes.
    let key = story.native.verifying_key();
    assert!(possession.verifies(key, &slots.0));
    let mut other = slots.0;
    other[5] += Fr::from(1);
    assert!(!possession.verifies(key, &other) && !possession.verifies(key, &slots.0[1..]));
    assert!(!possession.verifies(story.policy_prover.verifying_key(), &slots.0));

    let disclosed = vec![5];
    let policy = story
        .context_for(operands, disclosed.clone(), &public, false)
        .unwrap();
    let (presentation, openings) = Prepared::new(
        &story.holder_keys,
        Holding::from(&credential),
        &possession,
        &satisfied,
        None,
        SlotMap {
            operands,
            disclosed,
        },
    )
    .unwrap()
    .show(&mut rng, &story.holder_keys, &context())
    .unwrap();
    let claim = verify_bytes(&policy, &context(), &presentation.encode(), None).unwrap();
    assert_eq!(claim.format(), Format::Native);
    assert_eq!(claim.open(&openings), Ok(()));
    assert_eq!(openings[0].value, AttributeValue::Text("Research".into()));
}

#[test]
fn what_circomlibjs_did_not_sign_is_refused() {
    let vector = vector();
    let refused = |change: fn(&mut IssuedCredential)| {
        let mut issued = issued(&vector);
        change(&mut issued);
        issued.accept(holder(&vector)).err()
    };
    let signature = Some(CredentialError::Signature);
    assert_eq!(refused(|one| one.rule += Fr::from(1)), signature);
    assert_eq!(refused(|one| one.not_after += 1), signature);
    assert_eq!(refused(|one| one.handle += 1), signature);
    assert_eq!(
        refused(|one| one.attributes[1] = AttributeValue::Integer(8)),
        signature
    );
    assert_eq!(
        refused(|one| one.attributes[4] = AttributeValue::Integer(0)),
        signature
    );
    assert_eq!(
        refused(|one| one.commitment += Fr::from(1)),
        Some(CredentialError::OtherSecret)
    );
}
