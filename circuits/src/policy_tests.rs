use super::*;
use crate::{compiled, system::Assignment};
use ark_ff::{BigInteger, UniformRand};
use bauta_statement::tree::{QuaternaryTree, RevocationTree};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

const START: u64 = 1_000_000;
const UNTIL: u64 = 1_004_200;

/// A holder and a world in which the predicates hold of the operands.
struct World {
    issuers: QuaternaryTree,
    revoked: RevocationTree,
    values: QuaternaryTree,
    origin: Fr,
    handle: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let members: Vec<Fr> = (0..5).map(|_| Fr::rand(&mut rng)).collect();
        let values: Vec<Fr> = (100..110).map(Fr::from).collect();
        let mut revoked = RevocationTree::new();
        let handles: Vec<u64> = (0..20).map(|_| rng.next_u64() >> 1).collect();
        revoked.extend(&handles).unwrap();
        let origin = members[seed as usize % 5];
        let handle = rng.next_u64() >> 1;
        Self {
            issuers: QuaternaryTree::of_members(&members, ISSUER_SET_DEPTH).unwrap(),
            revoked,
            values: QuaternaryTree::of_members(&values, VALUE_SET_DEPTH).unwrap(),
            origin,
            handle,
        }
    }

    fn witness(
        &self,
        predicates: [PredicatePublic; 4],
        operands: [Fr; 4],
        picked: Option<usize>,
    ) -> PolicyWitness {
        let public = PolicyPublic::new(
            predicates,
            START,
            UNTIL,
            self.issuers.root(),
            self.revoked.root(),
        )
        .unwrap();
        let value_path = |operand: Fr| self.values.path(self.values.position(operand)?);
        PolicyWitness {
            origin: self.origin,
            not_before: Fr::from(START - 5),
            not_after: Fr::from(UNTIL + 5),
            handle: Fr::from(self.handle),
            operands,
            issuer_path: self
                .issuers
                .path(self.issuers.position(self.origin).unwrap())
                .unwrap(),
            gap: self.revoked.witness(self.handle).unwrap(),
            value_paths: [value_path(operands[0]), value_path(operands[1])],
            picked,
            public,
        }
    }

    fn member(&self, mode: Mode) -> PredicatePublic {
        PredicatePublic {
            test: PredicateTest::Member {
                root: self.values.root(),
            },
            mode,
        }
    }
}

fn required(test: PredicateTest) -> PredicatePublic {
    PredicatePublic {
        test,
        mode: Mode::Required,
    }
}

fn any_of(test: PredicateTest) -> PredicatePublic {
    PredicatePublic {
        test,
        mode: Mode::AnyOf,
    }
}

/// Both say the same; which is returned.
fn agree(witness: &PolicyWitness) -> bool {
    let native = witness.check();
    let constraints = compiled::<PolicyWitness>().check(&witness.assignment());
    assert_eq!(
        native.is_ok(),
        constraints.is_ok(),
        "native {native:?}, constraints {constraints:?}"
    );
    native.is_ok()
}

fn range(low: u64, high: u64) -> PredicateTest {
    PredicateTest::Range { low, high }
}

fn four(seed: u64) -> PolicyWitness {
    let world = World::new(seed);
    world.witness(
        [
            world.member(Mode::Required),
            any_of(PredicateTest::Equal(Fr::from(7))),
            any_of(range(10, 20)),
            required(PredicateTest::NotEqual(Fr::from(3))),
        ],
        [Fr::from(103), Fr::from(8), Fr::from(15), Fr::from(4)],
        Some(2),
    )
}

#[test]
fn good_witnesses_satisfy_both() {
    for seed in 0..3 {
        assert!(agree(&four(seed)));
    }
    let world = World::new(9);
    assert!(agree(&world.witness(
        [PredicatePublic::NONE; 4],
        [Fr::ZERO; 4],
        None
    )));
}

#[test]
fn issuer_revocation_and_validity() {
    let good = four(1);
    let one = Fr::ONE;
    let refused = |change: &dyn Fn(&mut PolicyWitness), expected: PolicyError| {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!agree(&bad), "{expected:?}");
        assert_eq!(bad.check(), Err(expected));
    };
    refused(&|w| w.origin += one, PolicyError::Issuer);
    refused(&|w| w.origin = Fr::ZERO, PolicyError::Issuer);
    refused(&|w| w.public.issuer_root += one, PolicyError::Issuer);
    refused(
        &|w| w.issuer_path.families[2][1] += one,
        PolicyError::Issuer,
    );
    refused(&|w| w.public.revocation_root += one, PolicyError::Revoked);
    refused(&|w| w.handle = Fr::from(w.gap.low), PolicyError::Revoked);
    refused(&|w| w.handle = w.gap.next_field(), PolicyError::Revoked);
    refused(
        &|w| w.handle = w.gap.next_field() + one,
        PolicyError::Revoked,
    );
    refused(&|w| w.handle = Fr::ZERO, PolicyError::Revoked);
    refused(&|w| w.handle = Fr::from(1u128 << 64), PolicyError::Revoked);
    refused(
        &|w| w.gap.low = w.gap.low.wrapping_sub(1),
        PolicyError::Revoked,
    );
    refused(&|w| w.gap.next = None, PolicyError::Revoked);
    refused(
        &|w| w.not_before = Fr::from(START + 1),
        PolicyError::NotYetValid,
    );
    refused(
        &|w| w.public.epoch_start = START - 6,
        PolicyError::NotYetValid,
    );
    refused(&|w| w.not_after = Fr::from(UNTIL - 1), PolicyError::Expired);
    refused(&|w| w.public.valid_until = UNTIL + 6, PolicyError::Expired);
    for (before, after) in [(START, UNTIL), (0, u64::MAX)] {
        let mut edge = good.clone();
        (edge.not_before, edge.not_after) = (Fr::from(before), Fr::from(after));
        assert!(agree(&edge), "{before}..{after}");
    }
}

#[test]
fn a_revoked_handle_has_no_gap() {
    let mut world = World::new(2);
    let before = world.witness([PredicatePublic::NONE; 4], [Fr::ZERO; 4], None);
    assert!(agree(&before));
    world.revoked.insert(world.handle).unwrap();
    // The old gap under the new root, and each of the two new ones.
    let mut stale = before.clone();
    stale.public.revocation_root = world.revoked.root();
    assert!(!agree(&stale));
    for neighbour in [world.handle - 1, world.handle + 1] {
        let mut bad = stale.clone();
        bad.gap = world.revoked.witness(neighbour).unwrap();
        assert!(!agree(&bad));
    }
    // An empty leaf of the tree, whose path is that of its neighbours: it is there, but nothing lies in it.
    let mut bad = stale.clone();
    bad.gap = world.revoked.witness(world.handle + 1).unwrap();
    (bad.gap.low, bad.gap.next) = (u64::MAX, None);
    assert_eq!(
        bad.gap.path.root(bad.gap.leaf()),
        Some(world.revoked.root()),
        "the empty leaf is in the tree"
    );
    assert!(!agree(&bad));
}

#[test]
fn every_kind_of_predicate_at_its_edges() {
    let world = World::new(3);
    let text = Fr::rand(&mut ChaCha20Rng::seed_from_u64(77));
    let cases: Vec<(PredicateTest, Fr, bool)> = vec![
        (PredicateTest::None, Fr::from(5), true),
        (PredicateTest::None, absent(), true),
        (PredicateTest::Equal(Fr::from(7)), Fr::from(7), true),
        (PredicateTest::Equal(Fr::from(7)), Fr::from(8), false),
        (PredicateTest::Equal(Fr::from(7)), Fr::from(6), false),
        (PredicateTest::Equal(Fr::from(7)), absent(), false),
        (PredicateTest::Equal(text), text, true),
        (PredicateTest::Equal(text), text + Fr::ONE, false),
        (PredicateTest::Equal(text), -text, false),
        (PredicateTest::NotEqual(Fr::from(7)), Fr::from(8), true),
        (PredicateTest::NotEqual(Fr::from(7)), Fr::from(7), false),
        (PredicateTest::NotEqual(Fr::from(7)), absent(), false),
        (PredicateTest::NotEqual(text), Fr::ZERO, true),
        (range(10, 20), Fr::from(9), false),
        (range(10, 20), Fr::from(10), true),
        (range(10, 20), Fr::from(20), true),
        (range(10, 20), Fr::from(21), false),
        (range(10, 20), -Fr::ONE, false),
        (range(10, 20), text, false),
        (range(10, 20), absent(), false),
        (range(0, u64::MAX), absent(), false),
        (range(0, u64::MAX), Fr::from(u64::MAX), true),
        (range(0, u64::MAX), Fr::ZERO, true),
        (range(u64::MAX, u64::MAX), absent(), false),
        (range(0, 0), Fr::ZERO, true),
        (range(0, 0), Fr::ONE, false),
    ];
    for position in 0..4 {
        for (test, operand, holds) in &cases {
            let mut predicates = [PredicatePublic::NONE; 4];
            predicates[position] = required(*test);
            let mut operands = [absent(); 4];
            operands[position] = *operand;
            let witness = world.witness(predicates, operands, None);
            assert_eq!(
                agree(&witness),
                *holds,
                "{test:?} of {operand} at {position}"
            );
        }
    }
}

#[test]
fn value_sets_hold_their_members_only() {
    let world = World::new(4);
    for position in 0..2 {
        for (operand, holds) in [
            (Fr::from(100), true),
            (Fr::from(109), true),
            (Fr::from(110), false),
            (Fr::ZERO, false),
            (absent(), false),
        ] {
            let mut predicates = [PredicatePublic::NONE; 4];
            predicates[position] = world.member(Mode::Required);
            let mut operands = [absent(); 4];
            operands[position] = operand;
            let mut witness = world.witness(predicates, operands, None);
            assert_eq!(agree(&witness), holds);
            // With the path of 103, only what is of its family, 100 to 103, is a member.
            witness.value_paths[position] = world.values.path(3);
            assert_eq!(agree(&witness), operand == Fr::from(100));
        }
    }
}

#[test]
fn any_of_wants_one_that_holds() {
    let world = World::new(5);
    let predicates = [
        world.member(Mode::AnyOf),
        any_of(PredicateTest::Equal(Fr::from(7))),
        any_of(range(10, 20)),
        any_of(PredicateTest::NotEqual(Fr::from(3))),
    ];
    let holding = [Fr::from(103), Fr::from(7), Fr::from(15), Fr::from(4)];
    let failing = [Fr::from(99), Fr::from(8), Fr::from(21), Fr::from(3)];
    for picked in 0..4 {
        let mut operands = failing;
        operands[picked] = holding[picked];
        assert!(agree(&world.witness(predicates, operands, Some(picked))));
        assert!(!agree(&world.witness(predicates, failing, Some(picked))));
        let mut others = holding;
        others[picked] = failing[picked];
        assert!(
            !agree(&world.witness(predicates, others, Some(picked))),
            "the picked one must hold"
        );
    }
    assert!(
        !agree(&world.witness(predicates, holding, None)),
        "one must be picked"
    );
    // A required predicate is enforced whatever is picked, and cannot be picked.
    let mut mixed = predicates;
    mixed[3] = required(PredicateTest::NotEqual(Fr::from(3)));
    let mut operands = holding;
    assert!(agree(&world.witness(mixed, operands, Some(1))));
    assert!(!agree(&world.witness(mixed, operands, Some(3))));
    operands[3] = failing[3];
    assert!(!agree(&world.witness(mixed, operands, Some(1))));
    // Without a group nothing may be picked.
    let single = [
        required(range(0, 500)),
        PredicatePublic::NONE,
        PredicatePublic::NONE,
        PredicatePublic::NONE,
    ];
    assert!(agree(&world.witness(single, holding, None)));
    assert!(!agree(&world.witness(single, holding, Some(1))));
}

/// The counterfactual prover of the any-of flags: values that are no booleans but add up to one.
#[test]
fn fractional_and_negative_picks_are_refused() {
    let world = World::new(6);
    let predicates = [
        any_of(range(10, 20)),
        any_of(range(10, 20)),
        PredicatePublic::NONE,
        PredicatePublic::NONE,
    ];
    let witness = world.witness(predicates, [Fr::from(1); 4], Some(0));
    let shape = compiled::<PolicyWitness>();
    let good = witness.assignment();
    let half = Fr::from(2).inverse().unwrap();
    // The columns of the four picks: those of the rows "any-of" whose left factor is one witness.
    let columns: Vec<usize> = shape
        .rows
        .iter()
        .enumerate()
        .filter(|(row, shape_row)| {
            shape.region_of(*row) == "any-of" && shape_row.a.len() == 1 && !shape_row.b.is_empty()
        })
        .map(|(_, row)| row.a.first() as usize)
        .step_by(2)
        .take(4)
        .collect();
    assert_eq!(columns.len(), 4);
    for picks in [
        [half, half, Fr::ZERO, Fr::ZERO],
        [Fr::from(2), -Fr::ONE, Fr::ZERO, Fr::ZERO],
        [Fr::ZERO, Fr::ZERO, Fr::ONE, Fr::ZERO],
    ] {
        let mut bad: Assignment = good.clone();
        for (column, pick) in columns.iter().zip(picks) {
            bad.values_mut()[*column] = pick;
        }
        assert!(shape.check(&bad).is_err());
    }
}

#[test]
fn integers_of_the_modulus_are_no_aliases() {
    // 15 + r is the same element as 15: what must not pass is a decomposition of it, which 64 bits cannot hold.
    let mut alias = Fr::MODULUS;
    alias.add_with_carry(&15u64.into());
    assert!(alias.num_bits() > 64);
}

/// Deletion of whole parts: for each, a bad witness that everything else accepts.
#[test]
fn no_part_is_carried_by_another() {
    let shape = compiled::<PolicyWitness>();
    let world = World::new(8);
    let only = |region: &str, witness: &PolicyWitness| {
        let assignment = witness.assignment();
        let parts: std::collections::BTreeSet<&str> = shape
            .failing(&assignment)
            .map(|row| shape.region_of(row))
            .collect();
        assert_eq!(parts.into_iter().collect::<Vec<_>>(), [region]);
        assert!(witness.check().is_err());
    };
    let good = four(8);
    let changed = |change: &dyn Fn(&mut PolicyWitness)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad
    };
    only("issuer set", &changed(&|w| w.origin += Fr::ONE));
    only("issuer set", &changed(&|w| w.public.issuer_root += Fr::ONE));
    only("revocation", &changed(&|w| w.handle = Fr::from(w.gap.low)));
    only("revocation", &changed(&|w| w.handle = w.gap.next_field()));
    only(
        "revocation",
        &changed(&|w| w.public.revocation_root += Fr::ONE),
    );
    only(
        "validity",
        &changed(&|w| w.not_before = Fr::from(START + 1)),
    );
    only("validity", &changed(&|w| w.not_after = Fr::from(UNTIL - 1)));
    only("value set", &changed(&|w| w.operands[0] = Fr::from(99)));
    only("range", &changed(&|w| w.operands[2] = Fr::from(21)));
    only("not equal", &changed(&|w| w.operands[3] = Fr::from(3)));
    only("not equal", &changed(&|w| w.operands[3] = absent()));
    only("any-of", &changed(&|w| w.picked = None));
    let nothing = world.witness([PredicatePublic::NONE; 4], [Fr::ZERO; 4], Some(0));
    only("any-of", &nothing);
}

mod random {
    use super::*;
    use proptest::prelude::*;

    /// Operands and bounds from a small range, so that every outcome is met, and from the ends of what is allowed.
    fn element() -> impl Strategy<Value = Fr> {
        prop_oneof![
            4 => (0u64..6).prop_map(Fr::from),
            1 => Just(Fr::from(u64::MAX)),
            1 => Just(absent()),
            1 => (1u64..3).prop_map(|low| -Fr::from(low)),
            1 => any::<u64>().prop_map(|low| Fr::from(low).square().square().square()),
        ]
    }

    fn test() -> impl Strategy<Value = PredicateTest> {
        prop_oneof![
            1 => Just(PredicateTest::None),
            2 => element().prop_map(PredicateTest::Equal),
            2 => element().prop_map(PredicateTest::NotEqual),
            3 => (0u64..6, 0u64..6).prop_map(|(low, width)| PredicateTest::Range { low, high: low + width }),
            1 => (0u64..6).prop_map(|low| PredicateTest::Range { low, high: u64::MAX }),
            1 => Just(PredicateTest::Member { root: Fr::ZERO }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn native_check_and_constraints_agree(
            tests in prop::array::uniform4(test()),
            any_of in prop::array::uniform4(any::<bool>()),
            operands in prop::array::uniform4(element()),
            picked in prop::option::of(0usize..4),
            (before, after) in (START - 2..START + 2, UNTIL - 2..UNTIL + 2),
        ) {
            static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(|| World::new(11));
            let world = &*WORLD;
            let mut predicates = [PredicatePublic::NONE; 4];
            for (position, predicate) in predicates.iter_mut().enumerate() {
                predicate.test = match tests[position] {
                    PredicateTest::Member { .. } if position < 2 => world.member(Mode::Required).test,
                    PredicateTest::Member { .. } => PredicateTest::None,
                    PredicateTest::Equal(value) | PredicateTest::NotEqual(value) if value == absent() => PredicateTest::None,
                    other => other,
                };
                if any_of[position] && predicate.test != PredicateTest::None {
                    predicate.mode = Mode::AnyOf;
                }
            }
            let mut operands = operands;
            for operand in operands.iter_mut().take(2) {
                // Half of the small ones become members of the value set.
                if *operand == Fr::from(1) || *operand == Fr::from(4) {
                    *operand += Fr::from(100);
                }
            }
            let mut witness = world.witness(predicates, operands, picked);
            (witness.not_before, witness.not_after) = (Fr::from(before), Fr::from(after));
            agree(&witness);
        }
    }
}
