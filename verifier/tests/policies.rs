//! An arbitrary policy and an arbitrary credential: what the policy says in words, what the relation's native check says of
//! its public inputs, and what the numbers of those inputs say, are one and the same.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_circuits::policy::PolicyWitness;
use bauta_statement::field::Fr;
use bauta_statement::policy::{
    CertificateProfile, EpochRoots, Literal, Policy, PolicyBody, Predicate, Test,
};
use bauta_statement::relation::{MEMBER_PREDICATES, PREDICATES, PredicatePublic, Selectors};
use bauta_statement::schema::AttributeType;
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree, VALUE_SET_DEPTH};
use bauta_statement::vector::{AttributeValue, absent};
use proptest::prelude::*;

/// Few numbers and texts, so that predicates hold as often as not.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..5, Just(u64::MAX), any::<u64>()]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), "[a-c]{1,3}"]
}

fn test() -> impl Strategy<Value = (AttributeType, Test)> {
    use AttributeType::{Integer, Text};
    prop_oneof![
        number().prop_map(|n| (Integer, Test::Equals(Literal::Integer(n)))),
        number().prop_map(|n| (Integer, Test::NotEquals(Literal::Integer(n)))),
        number().prop_map(|n| (Integer, Test::AtLeast(n))),
        number().prop_map(|n| (Integer, Test::AtMost(n))),
        (number(), number()).prop_map(|(a, b)| (Integer, Test::Between(a.min(b), a.max(b)))),
        word().prop_map(|w| (Text, Test::Equals(Literal::Text(w)))),
        word().prop_map(|w| (Text, Test::NotEquals(Literal::Text(w)))),
        prop::collection::btree_set(word(), 1..5).prop_map(|words| (
            Text,
            Test::OneOf(words.into_iter().map(Literal::Text).collect())
        )),
        prop::collection::btree_set(number(), 1..5).prop_map(|numbers| (
            Integer,
            Test::OneOf(numbers.into_iter().map(Literal::Integer).collect())
        )),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    (5u8..16, test(), any::<bool>()).prop_map(|(slot, (kind, test), any_of)| Predicate {
        attribute: format!("slot-{slot}"),
        slot,
        kind,
        test,
        any_of,
    })
}

fn body() -> impl Strategy<Value = PolicyBody> {
    prop::collection::vec(predicate(), 0..=PREDICATES + 1).prop_map(|predicates| PolicyBody {
        name: "p".into(),
        description: None,
        issuer_set: "i".into(),
        schema: "s".into(),
        predicates,
        disclose: vec![],
        scope: None,
        unbounded: true,
        certificate: CertificateProfile::default(),
        parameters: Default::default(),
    })
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        3 => number().prop_map(AttributeValue::Integer),
        3 => word().prop_map(AttributeValue::Text),
        1 => Just(AttributeValue::Absent),
    ]
}

/// In words.
fn says(test: &Test, value: &AttributeValue) -> bool {
    let same = |literal: &Literal| match (literal, value) {
        (Literal::Integer(a), AttributeValue::Integer(b)) => a == b,
        (Literal::Text(a), AttributeValue::Text(b)) => a == b,
        _ => false,
    };
    match (test, value) {
        (_, AttributeValue::Absent) => false,
        (Test::Equals(literal), _) => same(literal),
        (Test::NotEquals(literal), _) => !same(literal),
        (Test::AtLeast(low), AttributeValue::Integer(n)) => n >= low,
        (Test::AtMost(high), AttributeValue::Integer(n)) => n <= high,
        (Test::Between(low, high), AttributeValue::Integer(n)) => low <= n && n <= high,
        (Test::OneOf(literals), _) => literals.iter().any(same),
        _ => false,
    }
}

/// In numbers, as the relation's page has it; membership by the set's values, of which the root is checked apart.
fn numbers_say(s: &Selectors, operand: Fr, member: bool) -> bool {
    let in_range = {
        let difference = (operand - s.low).into_bigint();
        difference <= s.span.into_bigint()
    };
    (s.range == Fr::ZERO || in_range)
        && (s.not_equal == Fr::ZERO || (operand - s.low) * (operand - absent()) != Fr::ZERO)
        && (s.member == Fr::ZERO || member)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn words_numbers_and_the_native_check_agree(body in body(), values in prop::collection::vec(value(), 11)) {
        let findings = body.check();
        let policy = match Policy::try_from(body) {
            Ok(policy) => policy,
            Err(error) => {
                prop_assert_eq!(findings.errors.first(), Some(&error));
                return Ok(());
            }
        };
        prop_assert_eq!(findings.errors, vec![]);
        let written = serde_json::to_vec(&policy).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<Policy>(&written).unwrap(), &policy);

        let of_slot = |slot: u8| &values[usize::from(slot) - 5];
        let places = policy.places();
        let operand = |place: Option<&Predicate>| place.map_or(Fr::ZERO, |p| of_slot(p.slot).to_field());
        let issuers = QuaternaryTree::of_members(&[Fr::ONE], ISSUER_SET_DEPTH).unwrap();
        let revoked = RevocationTree::new();
        let public = policy.public(&EpochRoots {
            start: 3600,
            end: 7200,
            issuer_root: issuers.root(),
            revocation_root: revoked.root(),
        });
        let mut witness = PolicyWitness {
            origin: Fr::ONE,
            not_before: Fr::from(3600),
            not_after: Fr::from(u64::MAX),
            handle: Fr::from(5),
            operands: places.map(operand),
            issuer_path: issuers.path(0).unwrap(),
            gap: revoked.witness(5).unwrap(),
            value_paths: std::array::from_fn(|_| None),
            picked: None,
            public,
        };
        let mut members = [false; PREDICATES];
        for (position, place) in places.iter().enumerate().take(MEMBER_PREDICATES) {
            let Some(Predicate { test: Test::OneOf(literals), .. }) = place else {
                continue;
            };
            let fields: Vec<Fr> = literals.iter().map(Literal::to_field).collect();
            let tree = QuaternaryTree::of_members(&fields, VALUE_SET_DEPTH).unwrap();
            members[position] = fields.contains(&witness.operands[position]);
            witness.value_paths[position] =
                tree.position(witness.operands[position]).and_then(|leaf| tree.path(leaf));
        }
        for (position, place) in places.iter().enumerate() {
            let words = place.is_none_or(|p| says(&p.test, of_slot(p.slot)));
            prop_assert_eq!(witness.holds(position), words, "native, predicate {}", position);
            let public: &PredicatePublic = &public.predicates()[position];
            let numbers = numbers_say(&public.selectors(), witness.operands[position], members[position]);
            prop_assert_eq!(numbers, words, "numbers, predicate {}", position);
            prop_assert_eq!(public.selectors().any_of == Fr::ONE, place.is_some_and(|p| p.any_of));
            prop_assert_eq!(policy.slot_map()[position], place.map(|p| usize::from(p.slot)));
        }
    }
}
