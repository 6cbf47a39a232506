//! Dishonest provers of the policy relation: strangers, revoked and expired credentials, predicates that do not hold.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{
    field::Fr,
    relation::{Mode, PolicyPublic, PredicatePublic, PredicateTest},
    tree::{
        ARITY, ISSUER_SET_DEPTH, NonMembership, Path, QuaternaryTree, REVOCATION_DEPTH,
        RevocationTree, VALUE_SET_DEPTH,
    },
    vector::absent,
};

use super::{Hint, Table, alias_bits, carried, forged, heaped};
use crate::{Circuit, policy::PolicyWitness, system::Column};

mod predicates;

use predicates::{not_equal, picks, ranges, value_set};

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
