//! Under-constraint, hunted by machine (DESIGN 3.3): tests of a constraint system at a satisfied assignment.
//!
//! *Rank*: with the instances fixed, the Jacobian diag(Bz)·A + diag(Az)·B − C of the other columns must have full column
//! rank. A column that is in its kernel can be moved, to first order, without any constraint noticing: a free variable.
//! Columns that the relation lists as free, each with its reason, count as fixed; and each of them must be listed rightly.
//! Rank sees no discrete alternative (another root, x + r): those are tried one by one in each gadget's tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ark_ff::{AdditiveGroup, Field, Zero};
use bauta_statement::field::Fr;

use crate::system::{Assignment, Column, R1cs, Row, evaluate};

/// The columns that no constraint determines at this assignment, besides those listed as free. Empty if the relation
/// is not under-constrained there.
pub(crate) fn undetermined(shape: &R1cs, assignment: &Assignment) -> Vec<Column> {
    let listed: BTreeSet<Column> = shape.free.iter().map(|(column, _)| *column).collect();
    let unknown = |column: Column| column as usize >= shape.instances && !listed.contains(&column);
    let rows = shape
        .rows
        .iter()
        .map(|row| gradient(row, assignment.values(), &unknown))
        .collect();
    let columns = (shape.instances as Column..(shape.instances + shape.witnesses) as Column)
        .filter(|c| unknown(*c));
    kernel_columns(rows, columns.collect())
}

/// d(a·b − c) at this assignment, over the unknown columns.
fn gradient(row: &Row, values: &[Fr], unknown: &impl Fn(Column) -> bool) -> HashMap<Column, Fr> {
    let (a, b) = (evaluate(&row.a, values), evaluate(&row.b, values));
    let mut gradient: HashMap<Column, Fr> = HashMap::new();
    for (terms, factor) in [(&row.a, b), (&row.b, a), (&row.c, -Fr::ONE)] {
        for (column, coefficient) in terms.iter().filter(|(column, _)| unknown(*column)) {
            *gradient.entry(*column).or_default() += *coefficient * factor;
        }
    }
    gradient.retain(|_, coefficient| !coefficient.is_zero());
    gradient
}

/// Columns without a pivot. First every row with one unknown column settles that column, which leaves a small core;
/// then elimination on the core, the shortest rows first.
fn kernel_columns(
    mut rows: Vec<HashMap<Column, Fr>>,
    mut columns: BTreeSet<Column>,
) -> Vec<Column> {
    let mut rows_of: HashMap<Column, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        for column in row.keys() {
            rows_of.entry(*column).or_default().push(index);
        }
    }
    let mut ready: Vec<usize> = (0..rows.len())
        .filter(|index| rows[*index].len() == 1)
        .collect();
    while let Some(index) = ready.pop() {
        let Some(column) = rows[index].keys().next().copied() else {
            continue;
        };
        columns.remove(&column);
        for other in rows_of.remove(&column).unwrap_or_default() {
            rows[other].remove(&column);
            if rows[other].len() == 1 {
                ready.push(other);
            }
        }
    }
    let mut pivots: BTreeMap<Column, HashMap<Column, Fr>> = BTreeMap::new();
    rows.retain(|row| !row.is_empty());
    rows.sort_by_key(HashMap::len);
    for mut row in rows {
        // Reduce by the pivots met, smallest column first; each pivot row has only columns at or above its own.
        while let Some(column) = row.keys().copied().min() {
            let Some(pivot) = pivots.get(&column) else {
                break;
            };
            let factor = row[&column];
            for (other, coefficient) in pivot {
                let entry = row.entry(*other).or_default();
                *entry -= factor * coefficient;
                if entry.is_zero() {
                    row.remove(other);
                }
            }
        }
        if let Some(column) = row.keys().copied().min()
            && let Some(scale) = row[&column].inverse()
        {
            row.values_mut()
                .for_each(|coefficient| *coefficient *= scale);
            columns.remove(&column);
            pivots.insert(column, row);
        }
    }
    columns.into_iter().collect()
}

/// Fails a test unless the assignment is satisfied and nothing but the listed columns is free.
///
/// # Panics
/// With the columns that are free and not listed, and the first rows that they are in.
pub(crate) fn assert_determined(shape: &R1cs, assignment: &Assignment) {
    assert_eq!(
        shape.check(assignment),
        Ok(()),
        "the assignment must be satisfied"
    );
    let free = undetermined(shape, assignment);
    let places: Vec<(Column, Option<&str>)> = free
        .iter()
        .map(|column| {
            let mentions = |terms: &[(Column, Fr)]| terms.iter().any(|(other, _)| other == column);
            let row = shape
                .rows
                .iter()
                .position(|row| mentions(&row.a) || mentions(&row.b) || mentions(&row.c));
            (*column, row.map(|row| shape.region_of(row)))
        })
        .collect();
    assert!(
        places.is_empty(),
        "undetermined columns and the parts that they are in: {places:?}"
    );
}

/// Fails a test if some change of a single witness that is not listed as free goes unnoticed: its value off by one, its
/// negative, 0, 1, and a value drawn from the seed.
///
/// # Panics
/// With the column and the replacement.
pub(crate) fn assert_rigid(shape: &R1cs, assignment: &Assignment, seed: u64) {
    let rows_of = rows_by_column(shape);
    let mut values = assignment.values().to_vec();
    let mut drawn = Fr::from(seed) + Fr::from(0x9e37_79b9_7f4a_7c15u64);
    let listed: BTreeSet<Column> = shape.free.iter().map(|(column, _)| *column).collect();
    for column in shape.instances..values.len() {
        if listed.contains(&(column as Column)) {
            continue;
        }
        drawn = drawn.square() + Fr::ONE;
        let original = values[column];
        for replacement in [
            original + Fr::ONE,
            original - Fr::ONE,
            -original,
            Fr::ZERO,
            Fr::ONE,
            drawn,
        ] {
            if replacement == original {
                continue;
            }
            values[column] = replacement;
            let noticed = rows_of.get(&(column as Column)).is_some_and(|rows| {
                rows.iter().any(|row| {
                    let row = &shape.rows[*row];
                    evaluate(&row.a, &values) * evaluate(&row.b, &values)
                        != evaluate(&row.c, &values)
                })
            });
            assert!(
                noticed,
                "column {column}: {original:?} may be {replacement:?} unnoticed"
            );
        }
        values[column] = original;
    }
}

/// Rows that could be removed without anything noticing: with the row gone, every column is still determined at the good
/// assignment, and none of the bad assignments becomes satisfied. Empty if each constraint of a gadget is needed and
/// tested. Every row costs a rank computation, so this is for gadgets.
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
        shape.rows.remove(removed);
        undetermined(&shape, good).is_empty()
    };
    (0..shape.rows.len())
        .filter(|row| !caught.contains(row) && without(*row))
        .collect()
}

/// Which rows mention each column.
fn rows_by_column(shape: &R1cs) -> HashMap<Column, Vec<usize>> {
    let mut rows_of: HashMap<Column, Vec<usize>> = HashMap::new();
    for (index, row) in shape.rows.iter().enumerate() {
        let columns: BTreeSet<Column> = [&row.a, &row.b, &row.c]
            .into_iter()
            .flatten()
            .map(|(column, _)| *column)
            .collect();
        for column in columns {
            rows_of.entry(column).or_default().push(index);
        }
    }
    rows_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Lc, System};

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
        let gadget = |system: &mut System| {
            let x = system.witness(Fr::from(6));
            let six = system.instance(0);
            system.enforce_equal(&x, &six);
            system.enforce_equal(&(&x * Fr::from(2)), &(&six * Fr::from(2)));
        };
        let (shape, values) = build(gadget);
        assert_eq!(
            dispensable(&shape, &values, &[]),
            [0, 1],
            "each, given the other"
        );
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
}
