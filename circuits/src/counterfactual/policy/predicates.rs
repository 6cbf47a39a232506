//! Predicates that do not hold, and picks that are none.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{
    field::Fr,
    relation::{PolicyPublic, PolicyPublicError, PredicatePublic, PredicateTest},
    tree::{Path, QuaternaryTree, VALUE_SET_DEPTH},
    vector::absent,
};

use super::{
    INVERSE, PICK, RANGE_BIT, REVOCATION_BIT, START, UNTIL, VALIDITY_BIT, VALUE_CHILD, any_of,
    changed, honest, lifted, own_tree, range, required, values, witness, wrong_bits,
};
use crate::{
    Circuit,
    counterfactual::{Hint, Table, alias_bits, carried, forged},
};

/// Two of a group, both intervals of one value: whatever its weight, a predicate that holds stays held.
pub(super) fn picks(table: &mut Table) {
    let by = &["any-of"];
    let columns = table.layout.columns(PICK.0, PICK.1).to_vec();
    let group = [
        PredicatePublic::NONE,
        any_of(range(10, 10)),
        any_of(range(20, 20)),
        PredicatePublic::NONE,
    ];
    let holds = [Fr::ZERO, Fr::from(10), Fr::from(20), Fr::ZERO];
    let fails = [Fr::ZERO, Fr::from(11), Fr::from(21), Fr::ZERO];
    let half = Fr::from(2).inverse().unwrap_or_default();
    let (zero, one, two) = (Fr::ZERO, Fr::ONE, Fr::from(2));
    for (what, operands, picks) in [
        ("a half of each", holds, [zero, half, half, zero]),
        ("two of one, less the other", holds, [zero, two, -one, zero]),
        ("both", holds, [zero, one, one, zero]),
        ("none, and neither holds", fails, [zero, zero, zero, zero]),
        (
            "one outside the group, and neither holds",
            fails,
            [one, zero, zero, zero],
        ),
        (
            "two of one outside, less another",
            fails,
            [two, zero, zero, -one],
        ),
        ("none, and both hold", holds, [zero, zero, zero, zero]),
    ] {
        let mut bad = witness(group, holds, Some(1));
        bad.operands = operands;
        let values = columns.iter().copied().zip(picks).collect();
        let assignment = forged(&bad, &bad.instances(), values);
        table.refused(format!("picks: {what}"), &[PICK], by, assignment);
    }
    // Three of a group, all of which hold: one more than one, less one.
    let three = [
        PredicatePublic::NONE,
        any_of(range(10, 10)),
        any_of(range(20, 20)),
        any_of(range(30, 30)),
    ];
    let all = witness(three, [0, 10, 20, 30].map(Fr::from), Some(1));
    let values = columns
        .iter()
        .copied()
        .zip([zero, -one, one, one])
        .collect();
    table.refused(
        "picks: two, less one",
        &[PICK],
        by,
        forged(&all, &all.instances(), values),
    );
    // A required predicate is switched off by a pick of −1.
    let bad = changed(|w| w.operands[3] = Fr::from(3));
    let values = columns
        .iter()
        .copied()
        .zip([zero, two, zero, -one])
        .collect();
    // The inverse's row asks nothing then, nor does the rest of ≠; two of the member's gate, which holds.
    table.refused(
        "picks: −1 of a required predicate",
        &[PICK],
        by,
        forged(&bad, &bad.instances(), values),
    );
    // No group, and yet a pick.
    let none = witness([PredicatePublic::NONE; 4], holds, None);
    let values = vec![(columns[2], one)];
    table.refused(
        "picks: one without a group",
        &[PICK],
        by,
        forged(&none, &none.instances(), values),
    );
}

pub(super) fn ranges(table: &mut Table) {
    let by = &["range"];
    let columns = table.layout.columns(RANGE_BIT.0, RANGE_BIT.1).to_vec();
    // Those of the first predicate: its value above low, its distance from high.
    let (above, below) = (&columns[..63], &columns[63..126]);
    let none = PredicatePublic::NONE;
    let far = Fr::from(3).pow([200]);
    let one = |test, operand: Fr| {
        let mut operands = [Fr::ZERO; 4];
        operands[0] = operand;
        witness([required(test), none, none, none], operands, None)
    };
    for (what, test, operand) in [
        ("below", range(10, 20), Fr::from(9)),
        ("above", range(10, 20), Fr::from(21)),
        ("absent in an interval", range(10, 20), absent()),
        (
            "absent in the whole of integers",
            range(0, u64::MAX),
            absent(),
        ),
        ("a string's hash", range(0, u64::MAX), far),
        ("−1", range(0, u64::MAX), -Fr::ONE),
        (
            "not equal to an integer",
            PredicateTest::Equal(Fr::from(7)),
            Fr::from(8),
        ),
        (
            "not equal to a hash",
            PredicateTest::Equal(far),
            far + Fr::ONE,
        ),
        (
            "2^64 away from a hash",
            PredicateTest::Equal(far),
            far + absent(),
        ),
        ("absent for a hash", PredicateTest::Equal(far), absent()),
    ] {
        let bad = one(test, operand);
        let (low, span) = match test {
            PredicateTest::Range { low, high } => (Fr::from(low), Fr::from(high - low)),
            PredicateTest::Equal(value) => (value, Fr::ZERO),
            _ => unreachable!("ranges alone"),
        };
        table.refused(format!("range: {what}"), &[], by, bad.assignment());
        let mut values = alias_bits(above, operand - low);
        values.extend(alias_bits(below, span - (operand - low)));
        table.refused(
            format!("range: {what}, with the bits of the differences + r"),
            &[RANGE_BIT],
            by,
            forged(&bad, &bad.instances(), values),
        );
    }
    let bad = one(range(10, 20), Fr::from(9));
    for (kind, values) in wrong_bits(above, -Fr::ONE) {
        let assignment = forged(&bad, &bad.instances(), values);
        let what = format!("range: below, the difference's bits being {kind}");
        table.refused(what, &[RANGE_BIT], by, assignment);
    }
    let gate = table.layout.products["range"][0];
    let off = forged(&bad, &bad.instances(), vec![(gate, Fr::ZERO)]);
    table.refused("range: switched off", &[], by, off);
    let good = one(range(10, 20), Fr::from(15));
    table.refused(
        "range: two bits that carry into each other",
        &[RANGE_BIT],
        by,
        forged(&good, &good.instances(), carried(above, &good.assignment())),
    );
    // No such policy is made; and if it were, it would hold of nothing.
    let empty = [required(range(10, 5)), none, none, none];
    assert_eq!(
        PolicyPublic::new(empty, START, UNTIL, Fr::ZERO, Fr::ZERO),
        Err(PolicyPublicError::EmptyRange(0))
    );
    for operand in [4, 5, 7, 10, 11].map(Fr::from) {
        let bad = one(range(10, 20), operand);
        let mut instances = bad.instances();
        // Hidden inputs are 8; then low and span of the first predicate after seven.
        assert_eq!(instances[8 + 7 + 1], Fr::from(10), "the span");
        instances[8 + 7 + 1] = -Fr::from(5);
        table.refused(
            format!("range: from 10 to 5, {operand}"),
            &[],
            by,
            forged(&bad, &instances, Vec::new()),
        );
    }
}

pub(super) fn not_equal(table: &mut Table) {
    let by = &["not equal"];
    let columns = table.layout.columns(INVERSE.0, INVERSE.1).to_vec();
    for (what, operand) in [("the value", Fr::from(3)), ("absent", absent())] {
        for hint in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(9)] {
            let bad = changed(|w| w.operands[3] = operand);
            table.refused(
                format!("≠: {what}, inverse {hint}"),
                &[INVERSE],
                by,
                forged(&bad, &bad.instances(), vec![(columns[3], hint)]),
            );
        }
    }
    let good = honest();
    let none = witness([PredicatePublic::NONE; 4], [absent(); 4], None);
    table.refused(
        "≠: an inverse that nothing asks for",
        &[INVERSE],
        by,
        forged(&none, &none.instances(), vec![(columns[0], Fr::from(9))]),
    );
    let bad = changed(|w| w.operands[3] = Fr::from(3));
    let gate = table.layout.products["not equal"][6];
    let off = forged(&bad, &bad.instances(), vec![(gate, Fr::ZERO)]);
    table.refused("≠: switched off", &[], by, off);
    for (position, what) in [(0, "no inverse is asked for"), (3, "another inverse")] {
        table.refused(
            format!("≠: {what}"),
            &[INVERSE],
            by,
            forged(
                &good,
                &good.instances(),
                vec![(columns[position], Fr::from(9))],
            ),
        );
    }
    for test in [
        PredicateTest::Equal(absent()),
        PredicateTest::NotEqual(absent()),
    ] {
        let none = PredicatePublic::NONE;
        let refused =
            PolicyPublic::new([required(test), none, none, none], 0, 0, Fr::ZERO, Fr::ZERO);
        assert_eq!(refused, Err(PolicyPublicError::Absent(0)));
    }
}

pub(super) fn value_set(table: &mut Table) {
    let by = &["value set"];
    let tree = values();
    // Position 0 is required; position 1 is picked.
    for position in 0..2 {
        let mut attempt = |what: &str, operand: Fr, path: Path| {
            let bad = changed(|w| {
                w.operands[position] = operand;
                w.value_paths[position] = Some(path);
            });
            let what = format!("value set {position}: {what}");
            table.refused(what, &[VALUE_CHILD], by, bad.assignment());
        };
        let path = tree.path(9).unwrap();
        let mut widened = path.clone();
        widened.families[0][0] = Fr::from(99);
        attempt("a stranger put into a family", Fr::from(99), widened);
        let own = own_tree(Fr::from(99), VALUE_SET_DEPTH).0;
        attempt("a stranger's own tree", Fr::from(99), own);
        let zero = own_tree(Fr::ZERO, VALUE_SET_DEPTH).0;
        attempt("zero in a tree of zeros", Fr::ZERO, zero);
        attempt("zero for padding", Fr::ZERO, tree.path(255).unwrap());
        attempt("absent", absent(), path.clone());
        let node = path.families[1][0];
        attempt("an inner node as a leaf", node, lifted(&path, tree.root()));
        attempt("a member in the place of another", Fr::from(101), path);
        let bad = changed(|w| {
            w.operands[position] = Fr::from(99);
            w.value_paths[position] = None;
        });
        // Each position's first product is its gate.
        let products = &table.layout.products["value set"];
        let gate = products[position * products.len() / 2];
        let off = forged(&bad, &bad.instances(), vec![(gate, Fr::ZERO)]);
        table.refused(format!("value set {position}: switched off"), &[], by, off);
    }
    assert!(QuaternaryTree::of_members(&[Fr::ONE, absent()], VALUE_SET_DEPTH).is_err());
}

/// Columns of one predicate's bits are as many as are taken for granted above.
#[test]
fn bits_are_where_they_are_looked_for() {
    let table = Table::new(&honest());
    let count = |hint: Hint| table.layout.columns(hint.0, hint.1).len();
    let expected: [(Hint, usize); 5] = [
        (REVOCATION_BIT, 126),
        (VALIDITY_BIT, 126),
        (RANGE_BIT, 4 * 126),
        (PICK, 4),
        (INVERSE, 4),
    ];
    for (hint, columns) in expected {
        assert_eq!(count(hint), columns, "{hint:?}");
    }
}
