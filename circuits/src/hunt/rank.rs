//! Assertions for single tests, beside the hunt that runs over everything.

use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;

use super::{
    jacobian::Elimination,
    probe::{Mentions, Probe},
};
use crate::system::{Assignment, Column, R1cs, Terms};

/// The columns that no constraint determines at this assignment, besides those listed as free. Empty if the relation
/// is not under-constrained there.
pub(crate) fn undetermined(shape: &R1cs, assignment: &Assignment) -> Vec<Column> {
    Elimination::new(shape, assignment).loose
}

/// Fails a test unless the assignment is satisfied and nothing but the listed columns is free.
///
/// # Panics
/// With the columns that are free and not listed, their names, and the part of the relation of the first row that they are in.
pub(crate) fn assert_determined(shape: &R1cs, assignment: &Assignment) {
    assert_eq!(
        shape.check(assignment),
        Ok(()),
        "the assignment must be satisfied"
    );
    let places: Vec<String> = undetermined(shape, assignment)
        .into_iter()
        .map(|column| describe(shape, column))
        .collect();
    assert!(places.is_empty(), "undetermined columns: {places:?}");
}

/// A column's number, name and the part of the relation that mentions it first.
pub(crate) fn describe(shape: &R1cs, column: Column) -> String {
    let mentions = |side: &Terms<'_>| side.iter().any(|(other, _)| other == column);
    let row = shape
        .rows
        .iter()
        .position(|row| row.sides().iter().any(mentions));
    let name = (column as usize)
        .checked_sub(shape.instances)
        .and_then(|index| shape.names.get(index))
        .map_or("input", |name| name);
    let place = row.map_or("no row", |row| shape.region_of(row));
    format!("{column} ({name}; {place})")
}

/// Fails a test if some change of a single witness that is not listed as free goes unnoticed: its value off by one, its
/// negative, 0, 1, and a value drawn from the seed. The hunt tries many more kinds.
///
/// # Panics
/// With the column and the replacement.
pub(crate) fn assert_rigid(shape: &R1cs, assignment: &Assignment, seed: u64) {
    let all = shape.instances..shape.instances + shape.witnesses;
    assert_rigid_at(shape, assignment, all, seed);
}

/// [`assert_rigid`] of these witnesses.
pub(crate) fn assert_rigid_at(
    shape: &R1cs,
    assignment: &Assignment,
    columns: impl IntoIterator<Item = usize>,
    seed: u64,
) {
    let mentions = Mentions::new(shape);
    let probe = Probe::new(shape, &mentions, assignment);
    let mut drawn = Fr::from(seed) + Fr::from(0x9e37_79b9_7f4a_7c15u64);
    let listed: BTreeSet<Column> = shape.free.iter().map(|(column, _)| *column).collect();
    for column in columns {
        if listed.contains(&(column as Column)) {
            continue;
        }
        drawn = drawn.square() + Fr::ONE;
        let original = probe.values[column];
        for replacement in [
            original + Fr::ONE,
            original - Fr::ONE,
            -original,
            Fr::ZERO,
            Fr::ONE,
            drawn,
        ] {
            let noticed = replacement == original
                || !probe
                    .failing_with(&[(column as Column, replacement)])
                    .is_empty();
            assert!(
                noticed,
                "column {}: {original:?} may be {replacement:?} unnoticed",
                describe(shape, column as Column)
            );
        }
    }
}

/// Rows that could be removed without anything noticing, found by removing each: with the row gone, every column is still
/// determined at the good assignment, the listed ones held fixed, and none of the bad assignments becomes satisfied. The
/// hunt does the same in one elimination; this is for small gadgets, and to check it.
///
/// # Panics
/// If an assignment that is given as bad satisfies everything.
pub(crate) fn dispensable(shape: &R1cs, good: &Assignment, bad: &[Assignment]) -> Vec<usize> {
    assert_eq!(
        shape.check(good),
        Ok(()),
        "the assignment must be satisfied"
    );
    let mut caught = BTreeSet::new();
    for assignment in bad {
        let failing: Vec<usize> = shape.failing(assignment).collect();
        assert!(!failing.is_empty(), "a bad assignment is satisfied");
        if let [only] = failing.as_slice() {
            caught.insert(*only);
        }
    }
    let without = |removed: usize| {
        let mut shape = shape.clone();
        shape.rows.edit(|rows| drop(rows.remove(removed)));
        undetermined(&shape, good).is_empty()
    };
    (0..shape.rows.len())
        .filter(|row| !caught.contains(row) && without(*row))
        .collect()
}
