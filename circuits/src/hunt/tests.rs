//! The hunt over everything, and what shows that it catches what it is there for.

use std::{borrow::Cow, time::Instant};

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field, PrimeField, Zero};
use bauta_statement::{
    babyjubjub::{Scalar, base},
    field::Fr,
    relation::Relation,
};

use super::{
    case::Case,
    deletion::{Effort, Findings, GADGET, RELATION, hunt},
    gadget_findings,
    jacobian::Elimination,
    relation_findings,
};
use crate::{
    gadgets::babyjubjub::{Montgomery, is_provable, montgomery, response},
    hunt::{assert_determined, assert_rigid, dispensable, undetermined},
    relation,
    shape::editing::Draft,
    system::{Assignment, Column, Lc, R1cs, System},
};

#[test]
fn every_gadget() {
    silent(gadget_findings().iter().map(|(_, findings)| findings));
}

#[test]
fn every_relation() {
    silent(relation_findings().iter());
    for findings in relation_findings() {
        assert!(findings.mutations >= 100_000, "{}", findings.name);
    }
}

/// Fails with all complaints, if there are any.
fn silent<'a>(all: impl Iterator<Item = &'a Findings>) {
    let complaints: Vec<String> = all
        .flat_map(|findings| {
            let said = findings.complaints.iter();
            said.map(|complaint| format!("{}: {complaint}", findings.name))
        })
        .collect();
    assert!(
        complaints.is_empty(),
        "{} complaints; the first: {:#?}",
        complaints.len(),
        &complaints[..complaints.len().min(40)]
    );
}

/// Other seeds, ten times as many.
#[test]
#[ignore = "takes minutes"]
fn every_relation_and_gadget_at_length() {
    let effort = |effort: Effort| Effort {
        witnesses: 10 * effort.witnesses,
        mutations: 10 * effort.mutations,
        seed: 1_000_000,
    };
    for (case, _) in gadget_findings() {
        silent([&hunt(case, effort(GADGET), gadget_findings())].into_iter());
    }
    for case in relation::hunted() {
        silent([&hunt(&case, effort(RELATION), gadget_findings())].into_iter());
    }
}

fn build(gadget: impl Fn(&mut System)) -> (R1cs, Assignment) {
    let mut shape = System::new(&[Fr::from(6)], true);
    gadget(&mut shape);
    let mut values = System::new(&[Fr::from(6)], false);
    gadget(&mut values);
    (shape.into_r1cs(), values.into_assignment())
}

#[test]
fn finds_a_planted_free_variable() {
    // x·y = 6 with both unknown.
    let (shape, values) = build(|system| {
        let (x, y) = (system.witness(Fr::from(2)), system.witness(Fr::from(3)));
        let six = system.instance(0);
        system.enforce(&x, &y, &six);
    });
    assert_eq!(undetermined(&shape, &values).len(), 1);
    // A hint that is multiplied by zero.
    let (shape, values) = build(|system| {
        let hint = system.witness(Fr::from(9));
        system.enforce(&hint, &Lc::constant(Fr::ZERO), &Lc::constant(Fr::ZERO));
    });
    assert_eq!(undetermined(&shape, &values), [2]);
}

#[test]
fn the_core_is_eliminated() {
    // x + y = 6, x + y = 6 again (dependent), then x − y = −2.
    let pair = |second: bool| {
        build(move |system| {
            let (x, y) = (system.witness(Fr::from(2)), system.witness(Fr::from(4)));
            let six = system.instance(0);
            system.enforce_equal(&(&x + &y), &six);
            system.enforce_equal(&(&(&x + &y) * Fr::from(2)), &(&six * Fr::from(2)));
            if second {
                system.enforce_equal(&(&x - &y), &Lc::constant(-Fr::from(2)));
            }
        })
    };
    let (shape, values) = pair(false);
    assert_eq!(undetermined(&shape, &values).len(), 1);
    let (shape, values) = pair(true);
    assert!(undetermined(&shape, &values).is_empty());
    assert_determined(&shape, &values);
}

#[test]
fn a_listed_variable_is_fixed() {
    let (shape, values) = build(|system| {
        let x = system.free(Fr::from(2), "test");
        let y = system.witness(Fr::from(3));
        let six = system.instance(0);
        system.enforce(&x, &y, &six);
    });
    assert_determined(&shape, &values);
}

#[test]
fn a_constraint_that_nothing_needs_is_found() {
    let (shape, values) = build(|system| {
        let x = system.witness(Fr::from(6));
        let six = system.instance(0);
        system.enforce_equal(&x, &six);
        system.enforce_equal(&(&x * Fr::from(2)), &(&six * Fr::from(2)));
    });
    let each_given_the_other = [0, 1];
    assert_eq!(dispensable(&shape, &values, &[]), each_given_the_other);
    assert_eq!(needless(&shape, &values), each_given_the_other);
}

#[test]
#[should_panic(expected = "unnoticed")]
fn a_change_that_nothing_notices_is_found() {
    let (shape, values) = build(|system| {
        let hint = system.witness(Fr::from(9));
        system.enforce(&hint, &Lc::constant(Fr::ZERO), &Lc::constant(Fr::ZERO));
    });
    assert_rigid(&shape, &values, 1);
}

/// Rows that are in some linear dependency, by the one elimination.
fn needless(shape: &R1cs, values: &Assignment) -> Vec<usize> {
    let needed = Elimination::new(shape, values).analyse(1).needed;
    (0..needed.len()).filter(|row| !needed[*row]).collect()
}

/// The rank of the Jacobian without some row, by elimination as in a textbook.
fn textbook_rank(shape: &R1cs, values: &[Fr], without: Option<usize>) -> usize {
    let mut matrix: Vec<Vec<Fr>> = Vec::new();
    for (index, row) in shape.rows.iter().enumerate() {
        if Some(index) == without {
            continue;
        }
        let mut dense = vec![Fr::ZERO; shape.witnesses];
        let (a, b) = (row.a.evaluate(values), row.b.evaluate(values));
        for (terms, factor) in [(row.a, b), (row.b, a), (row.c, -Fr::ONE)] {
            for (column, entry) in terms.iter() {
                if let Some(index) = (column as usize).checked_sub(shape.instances) {
                    dense[index] += entry * factor;
                }
            }
        }
        matrix.push(dense);
    }
    let mut rank = 0;
    for column in 0..shape.witnesses {
        let Some(found) = (rank..matrix.len()).find(|row| !matrix[*row][column].is_zero()) else {
            continue;
        };
        matrix.swap(rank, found);
        let (upper, lower) = matrix.split_at_mut(rank + 1);
        let pivot = &upper[rank];
        let inverse = pivot[column].inverse().unwrap();
        for row in lower.iter_mut().filter(|row| !row[column].is_zero()) {
            let factor = row[column] * inverse;
            for (entry, from) in row.iter_mut().zip(pivot).skip(column) {
                *entry -= factor * from;
            }
        }
        rank += 1;
    }
    rank
}

/// "In no dependency" is "the rank is less without it", row by row, in each small gadget; and again with its inputs fixed, where
/// rows do depend on each other.
#[test]
fn one_elimination_says_what_deleting_each_row_says() {
    let (mut needed, mut needless) = (0, 0);
    for (case, _) in gadget_findings() {
        if case.shape.rows.len() > 70 {
            continue;
        }
        for (seed, fixed) in [(0, false), (4, false), (1, true), (5, true)] {
            let mut shape = case.shape.clone().into_owned();
            if fixed {
                // Inputs are the first witnesses.
                let inputs = shape.free.drain(..).count();
                shape.instances += inputs;
                shape.witnesses -= inputs;
                shape.names.drain(..inputs);
            }
            let assignment = (case.sample)(seed);
            let elimination = Elimination::new(&shape, &assignment).analyse(seed);
            let rank = textbook_rank(&shape, assignment.values(), None);
            assert_eq!(elimination.freedom, shape.witnesses - rank, "{}", case.name);
            for row in 0..shape.rows.len() {
                let without = textbook_rank(&shape, assignment.values(), Some(row));
                let is_needed = without < rank;
                assert_eq!(elimination.needed[row], is_needed, "{}, {row}", case.name);
                *if is_needed {
                    &mut needed
                } else {
                    &mut needless
                } += 1;
            }
        }
    }
    assert!(needed > 300 && needless > 300, "{needed}, {needless}");
}

/// Native has a core and listed columns: each row of a sample taken out of it, and the whole done again.
#[test]
fn deleting_rows_of_a_relation_says_the_same() {
    let case = case_of(Relation::PossessionNative);
    let assignment = (case.sample)(5);
    let whole = Elimination::new(&case.shape, &assignment).analyse(1);
    for row in (0..case.shape.rows.len()).step_by(191) {
        let without = Elimination::new(&without(&case.shape, row), &assignment).analyse(1);
        let grows = without.freedom > whole.freedom;
        assert_eq!(whole.needed[row], grows, "row {row}");
    }
}

fn case_of(relation: Relation) -> Case {
    let named = |case: &Case| case.name == relation.name();
    relation::hunted().into_iter().find(named).unwrap()
}

fn without(shape: &R1cs, row: usize) -> R1cs {
    let mut shape = shape.clone();
    shape.rows.edit(|rows| drop(rows.remove(row)));
    shape
}

const LITTLE: Effort = Effort {
    witnesses: 3,
    mutations: 20_000,
    seed: 0,
};

/// The nullifier relation with another shape and the columns of `extra` after the others.
fn weakened(change: impl Fn(&mut R1cs), extra: &'static [u64]) -> Vec<String> {
    let Case {
        name,
        shape,
        sample,
        ..
    } = case_of(Relation::Nullifier);
    let mut shape = shape.into_owned();
    change(&mut shape);
    let case = Case {
        name,
        shape: Cow::Owned(shape),
        sample: Box::new(move |seed| sample(seed).with(extra)),
        forgeries: Box::new(|_| Vec::new()),
        excuses: Vec::new(),
        copies: Vec::new(),
    };
    hunt(&case, LITTLE, &[]).complaints
}

impl Assignment {
    fn with(&self, extra: &[u64]) -> Self {
        let mut system = System::new(&self.values()[1..self.instances()], false);
        for value in &self.values()[self.instances()..] {
            system.witness(*value);
        }
        for value in extra {
            system.witness(Fr::from(*value));
        }
        system.into_assignment()
    }
}

fn says(complaints: &[String], what: &str) -> bool {
    complaints.iter().any(|complaint| complaint.contains(what))
}

/// What is planted into a whole relation is told, each by the part of the hunt that is there for it.
#[test]
fn what_is_planted_in_a_relation_is_found() {
    let one = |column: Column| vec![(column, Fr::ONE)];
    let sound = weakened(|_| {}, &[]);
    assert!(
        !says(&sound, "nothing determines")
            && !says(&sound, "is not, at any")
            && !says(&sound, "accepted though")
            && says(&sound, "359 rows that nothing shows to be needed"),
        "without its forgeries; all rows of hash and ranges depend on each other: {sound:#?}"
    );

    // A free variable, first in no row at all, then in one that asks nothing of it.
    let grow = |shape: &mut R1cs| {
        shape.witnesses += 1;
        shape.names.push("planted");
    };
    let loose = weakened(grow, &[5]);
    assert!(
        says(&loose, "nothing determines column 362 (planted"),
        "{loose:#?}"
    );
    assert!(says(&loose, "accepted though changed"), "{loose:#?}");
    let asked_nothing = weakened(
        |shape| {
            grow(shape);
            let (a, b, c) = (one(362), Vec::new(), Vec::new());
            shape.rows.edit(|rows| rows.push(Draft { a, b, c }));
        },
        &[5],
    );
    assert!(says(&asked_nothing, "nothing determines column 362"));
    assert!(
        says(&asked_nothing, "360 rows that nothing shows"),
        "{asked_nothing:#?}"
    );

    // A column listed as free that is not.
    let listed = weakened(|shape| shape.free.push((5, "so it is said")), &[]);
    assert!(says(
        &listed,
        "column 5 is listed as free (so it is said) and is not"
    ));

    // A discrete freedom that rank does not see: s² = 9, and s is 3 or −3.
    let root = weakened(
        |shape| {
            grow(shape);
            let c = vec![(0, Fr::from(9))];
            let (a, b) = (one(362), one(362));
            shape.rows.edit(|rows| rows.push(Draft { a, b, c }));
        },
        &[3],
    );
    assert!(!says(&root, "nothing determines"), "{root:#?}");
    assert!(
        says(&root, "accepted though changed: negative: 362 (planted"),
        "{root:#?}"
    );

    // A sample that is refused.
    let refused = weakened(
        |shape| shape.rows.edit(|rows| rows[0].a.push((0, Fr::ONE))),
        &[],
    );
    assert!(says(&refused, "sample 0"));
}

/// A constraint taken out of a relation: the ways to move are more, or a forgery is accepted.
#[test]
fn a_constraint_that_is_missing_in_a_relation_is_noticed() {
    let case = case_of(Relation::Policy);
    let shape = case.shape.as_ref();
    let assignment = (case.sample)(3);
    let whole = Elimination::new(shape, &assignment).analyse(1);
    let mut noticed = 0;
    for row in (0..shape.rows.len()).step_by(1201) {
        if whole.needed[row] {
            let weak = without(shape, row);
            assert!(Elimination::new(&weak, &assignment).analyse(1).freedom > whole.freedom);
            noticed += 1;
        }
    }
    assert!(noticed > 3);
    let mut accepted = 0;
    for forgery in (case.forgeries)(shape).into_iter().step_by(7) {
        let mut bad = forgery.base.clone();
        for (column, value) in &forgery.changes[0].1 {
            bad.values_mut()[*column as usize] = *value;
        }
        let failing: Vec<usize> = shape.failing(&bad).collect();
        assert_eq!(failing.len(), 1);
        let weak = without(shape, failing[0]);
        assert_eq!(weak.check(&bad), Ok(()), "without that row it is accepted");
        accepted += 1;
    }
    assert!(accepted > 3);
}

/// A system of the size of possession by an X.509 certificate, with a core of a quarter of it: what the rank of such a
/// one costs. Prints the times.
#[test]
#[ignore = "a measurement: 3 s and half a gigabyte"]
fn half_a_million_constraints() {
    let many = |recording: bool| {
        let point = (base() * Scalar::from(12_345u64)).into_affine();
        let [x, y] = montgomery(&point);
        let mut system = System::new(&[x, y], recording);
        let q = Montgomery {
            u: system.instance(0),
            v: system.instance(1),
        };
        let mut h = Fr::from(3).square();
        for _ in 0..240 {
            let ([x, _], _) = response(&mut system, &q, &h.into_bigint(), &Scalar::from(99u64));
            h = x.value();
            assert!(is_provable(&h));
        }
        system
    };
    let (shape, values) = (many(true).into_r1cs(), many(false).into_assignment());
    assert!(shape.rows.len() > 500_000);
    assert_eq!(shape.check(&values), Ok(()));
    let start = Instant::now();
    let elimination = Elimination::new(&shape, &values);
    let core = elimination.core;
    let eliminated = start.elapsed();
    let analysis = elimination.analyse(1);
    println!(
        "{} constraints, {core} of them in the core: eliminated in {eliminated:?}, analysed in {:?}",
        shape.rows.len(),
        start.elapsed()
    );
    assert!(analysis.loose.is_empty() && core > 100_000);
}
