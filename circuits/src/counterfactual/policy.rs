//! Dishonest provers of the policy relation: strangers, revoked and expired credentials, predicates that do not hold.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{
    field::Fr,
    relation::{Mode, PolicyPublic, PolicyPublicError, PredicatePublic, PredicateTest},
    tree::{
        ARITY, ISSUER_SET_DEPTH, NonMembership, Path, QuaternaryTree, REVOCATION_DEPTH,
        RevocationTree, VALUE_SET_DEPTH,
    },
    vector::absent,
};

use super::{Hint, Table, alias_bits, carried, forged, heaped};
use crate::{Circuit, policy::PolicyWitness, system::Column};

const START: u64 = 1_000_000;
const UNTIL: u64 = 1_004_200;
const HANDLE: u64 = 5_000;
const CHILD: &str = "child of a tree node";

const ISSUER_CHILD: Hint = ("issuer set", CHILD);
const REVOCATION_CHILD: Hint = ("revocation", CHILD);
const VALUE_CHILD: Hint = ("value set", CHILD);
const GAP_END: Hint = ("revocation", "end of a gap");
const REVOCATION_BIT: Hint = ("revocation", "bit");
const VALIDITY_BIT: Hint = ("validity", "bit");
const RANGE_BIT: Hint = ("range", "bit");
const PICK: Hint = ("any-of", "pick");
const INVERSE: Hint = ("not equal", "inverse of ≠");

fn issuers() -> QuaternaryTree {
    let members: Vec<Fr> = (1..=7)
        .map(|seed| Fr::from(seed).square() + Fr::ONE)
        .collect();
    QuaternaryTree::of_members(&members, ISSUER_SET_DEPTH).unwrap()
}

fn values() -> QuaternaryTree {
    let members: Vec<Fr> = (100..110).map(Fr::from).collect();
    QuaternaryTree::of_members(&members, VALUE_SET_DEPTH).unwrap()
}

fn revoked() -> RevocationTree {
    let mut tree = RevocationTree::new();
    tree.extend(&[40, 4_000, 6_000, 9_000]).unwrap();
    tree
}

fn required(test: PredicateTest) -> PredicatePublic {
    let mode = Mode::Required;
    PredicatePublic { test, mode }
}

fn any_of(test: PredicateTest) -> PredicatePublic {
    let mode = Mode::AnyOf;
    PredicatePublic { test, mode }
}

fn range(low: u64, high: u64) -> PredicateTest {
    PredicateTest::Range { low, high }
}

fn witness(
    predicates: [PredicatePublic; 4],
    operands: [Fr; 4],
    picked: Option<usize>,
) -> PolicyWitness {
    let (issuers, revoked, values) = (issuers(), revoked(), values());
    let public =
        PolicyPublic::new(predicates, START, UNTIL, issuers.root(), revoked.root()).unwrap();
    let path = |operand| values.path(values.position(operand)?);
    PolicyWitness {
        origin: Fr::from(2),
        not_before: Fr::from(START - 5),
        not_after: Fr::from(UNTIL + 5),
        handle: Fr::from(HANDLE),
        operands,
        issuer_path: issuers.path(0).unwrap(),
        gap: revoked.witness(HANDLE).unwrap(),
        value_paths: [path(operands[0]), path(operands[1])],
        picked,
        public,
    }
}

/// One of each kind, with both value sets used.
pub(super) fn honest() -> PolicyWitness {
    let member = PredicateTest::Member {
        root: values().root(),
    };
    witness(
        [
            required(member),
            any_of(member),
            any_of(range(10, 20)),
            required(PredicateTest::NotEqual(Fr::from(3))),
        ],
        [Fr::from(103), Fr::from(105), Fr::from(15), Fr::from(4)],
        Some(1),
    )
}

/// Values of free witnesses are given with the witness: paths, ends of gaps.
fn changed(change: impl FnOnce(&mut PolicyWitness)) -> PolicyWitness {
    let mut bad = honest();
    change(&mut bad);
    bad
}

/// A path of full depth in somebody's own tree.
fn own_tree(leaf: Fr, depth: usize) -> (Path, Fr) {
    let tree = QuaternaryTree::of_members(&[leaf], depth).unwrap();
    (tree.path(0).unwrap(), tree.root())
}

/// The path of a node as if it were a leaf: one level is left out below, and one put on top.
fn lifted(path: &Path, root: Fr) -> Path {
    let mut families = path.families[1..].to_vec();
    families.push([root; ARITY]);
    Path { families }
}

pub(super) fn table() -> Table {
    let mut table = Table::new(&honest());
    issuer_set(&mut table);
    revocation(&mut table);
    validity(&mut table);
    picks(&mut table);
    ranges(&mut table);
    not_equal(&mut table);
    value_set(&mut table);
    table
}

/// Bits for a range that its value is not in.
fn wrong_bits(columns: &[Column], value: Fr) -> [(&'static str, Vec<(Column, Fr)>); 4] {
    let zero = columns.iter().map(|column| (*column, Fr::ZERO)).collect();
    [
        ("those of it + r", alias_bits(columns, value)),
        ("zero", zero),
        ("it, in the first", heaped(columns, value, 0)),
        ("it, in the last", heaped(columns, value, 62)),
    ]
}

fn issuer_set(table: &mut Table) {
    let (stranger, tree) = (Fr::from(666), issuers());
    let by = &["issuer set"];
    let mut attempt = |what: &str, change: &dyn Fn(&mut PolicyWitness)| {
        let bad = changed(change);
        table.refused(what, &[ISSUER_CHILD], by, bad.assignment());
    };
    attempt("a stranger put into the first family", &|w| {
        w.origin = stranger;
        w.issuer_path.families[0][0] = stranger;
    });
    attempt("a stranger in a tree of its own", &|w| {
        w.origin = stranger;
        w.issuer_path = own_tree(stranger, ISSUER_SET_DEPTH).0;
    });
    attempt(
        "a stranger's tree with the true root in its last family",
        &|w| {
            w.origin = stranger;
            w.issuer_path = own_tree(stranger, ISSUER_SET_DEPTH).0;
            w.issuer_path.families[ISSUER_SET_DEPTH - 1] =
                tree.path(0).unwrap().families[ISSUER_SET_DEPTH - 1];
        },
    );
    attempt("an inner node as a leaf", &|w| {
        w.origin = w.issuer_path.families[1][0];
        w.issuer_path = lifted(&w.issuer_path, tree.root());
    });
    attempt("the root as a leaf", &|w| {
        w.origin = tree.root();
        w.issuer_path.families = vec![[tree.root(); ARITY]; ISSUER_SET_DEPTH];
    });
    attempt("a member in the place of another", &|w| {
        w.issuer_path = tree.path(5).unwrap();
    });
    attempt("families in another order", &|w| {
        w.issuer_path.families.swap(0, 1)
    });
    // The path of a member, and a product that is none.
    let bad = changed(|w| w.origin = stranger);
    let products = table.layout.products["issuer set"].clone();
    for (what, column) in [("first", products[0]), ("second", products[1])] {
        let assignment = forged(&bad, &bad.instances(), vec![(column, Fr::ZERO)]);
        table.refused(
            format!("a stranger, the {what} product 0"),
            &[],
            by,
            assignment,
        );
    }
    let zero = changed(|w| w.origin = Fr::ZERO);
    table.refused("zero, which pads no set", &[], by, zero.assignment());
}

fn revocation(table: &mut Table) {
    let by = &["revocation"];
    let bits = table
        .layout
        .columns(REVOCATION_BIT.0, REVOCATION_BIT.1)
        .to_vec();
    let (lower, upper) = bits.split_at(63);
    let below = revoked().witness(39).unwrap();
    let above = revoked().witness(4_001).unwrap();
    // 4,000 is revoked: in neither gap beside it, whatever the bits.
    for (what, gap, columns, difference) in [
        (
            "next is the handle",
            revoked().witness(3_999).unwrap(),
            upper,
            -Fr::ONE,
        ),
        ("low is the handle", above, lower, -Fr::ONE),
        (
            "a gap far below",
            below,
            upper,
            Fr::from(40) - Fr::from(4_001),
        ),
    ] {
        let bad = changed(|w| {
            w.handle = Fr::from(4_000);
            w.gap = gap;
        });
        table.refused(what, &[], by, bad.assignment());
        for (kind, values) in wrong_bits(columns, difference) {
            table.refused(
                format!("{what}, the difference's bits being {kind}"),
                &[REVOCATION_BIT],
                by,
                forged(&bad, &bad.instances(), values),
            );
        }
    }
    let good = honest();
    table.refused(
        "two bits that carry into each other",
        &[REVOCATION_BIT],
        by,
        forged(&good, &good.instances(), carried(lower, &good.assignment())),
    );
    // A gap of the revoked handle's own making.
    let gap = NonMembership {
        low: 3_999,
        next: Some(4_001),
        path: good.gap.path.clone(),
    };
    let invented = changed(|w| {
        w.handle = Fr::from(4_000);
        w.gap = gap;
    });
    table.refused(
        "ends that no leaf has",
        &[GAP_END],
        by,
        invented.assignment(),
    );
    let own = changed(|w| {
        w.handle = Fr::from(4_000);
        w.gap.low = 0;
        w.gap.next = None;
        w.gap.path = own_tree(w.gap.leaf(), REVOCATION_DEPTH).0;
    });
    table.refused(
        "a tree in which nothing is revoked",
        &[GAP_END, REVOCATION_CHILD],
        by,
        own.assignment(),
    );
    let moved = changed(|w| w.gap.path = revoked().witness(9_500).unwrap().path);
    table.refused(
        "a leaf in the place of another",
        &[],
        by,
        moved.assignment(),
    );
    let lifted = changed(|w| w.gap.path = lifted(&w.gap.path, revoked().root()));
    table.refused(
        "one level left out",
        &[REVOCATION_CHILD],
        by,
        lifted.assignment(),
    );
    // Leaves that no tree of ours has, in a tree whose root the verifier would believe; and the padding leaf, which ours have.
    let top = u64::MAX;
    for (what, low, next, handle) in [
        ("end of list 0", 5, Some(0), Fr::from(HANDLE)),
        ("the empty leaf (0, 0)", 0, Some(0), Fr::from(HANDLE)),
        ("the empty leaf (0, 0), handle 0", 0, Some(0), Fr::ZERO),
        ("the padding leaf", top, None, Fr::from(top)),
        ("the padding leaf, beyond", top, None, absent()),
        (
            "the padding leaf, far beyond",
            top,
            None,
            absent() + Fr::ONE,
        ),
        ("a handle of 65 bits", 5, None, absent()),
        ("a negative handle", 0, None, -Fr::ONE),
        ("the start of the list", 0, None, Fr::ZERO),
        ("ends exchanged", 6_000, Some(4_000), Fr::from(HANDLE)),
    ] {
        let bad = changed(|w| {
            w.handle = handle;
            (w.gap.low, w.gap.next) = (low, next);
            (w.gap.path, w.public.revocation_root) = own_tree(w.gap.leaf(), REVOCATION_DEPTH);
        });
        table.refused(
            format!("{what}, in a believed root"),
            &[GAP_END],
            by,
            bad.assignment(),
        );
    }
}

fn validity(table: &mut Table) {
    let by = &["validity"];
    let bits = table
        .layout
        .columns(VALIDITY_BIT.0, VALIDITY_BIT.1)
        .to_vec();
    let (begin, end) = bits.split_at(63);
    for (what, bad, columns) in [
        (
            "not yet valid",
            changed(|w| w.not_before = Fr::from(START + 1)),
            begin,
        ),
        (
            "expired",
            changed(|w| w.not_after = Fr::from(UNTIL - 1)),
            end,
        ),
    ] {
        table.refused(what, &[], by, bad.assignment());
        for (kind, values) in wrong_bits(columns, -Fr::ONE) {
            table.refused(
                format!("{what}, the difference's bits being {kind}"),
                &[VALIDITY_BIT],
                by,
                forged(&bad, &bad.instances(), values),
            );
        }
    }
    let good = honest();
    table.refused(
        "two bits that carry into each other",
        &[VALIDITY_BIT],
        by,
        forged(&good, &good.instances(), carried(end, &good.assignment())),
    );
}

/// Two of a group, both intervals of one value: whatever its weight, a predicate that holds stays held.
fn picks(table: &mut Table) {
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

fn ranges(table: &mut Table) {
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

fn not_equal(table: &mut Table) {
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

fn value_set(table: &mut Table) {
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
