//! Rows of a larger gadget that are a smaller one's: what is shown of those by themselves holds here.
//!
//! In a hash or a modular power everything is a bit in the end, and every range's last row follows, to first order, from
//! those before it: no row is needed by rank, nor is there a forgery for the boolean of an inner bit, because what comes after it
//! would have to be bits as well. But each row is one of a small gadget's, by which alone, its inputs free, it is needed.
//! That it is the *same* row is looked up here, not believed: there is a substitution of the gadget's inputs that makes its rows
//! these rows.

use std::collections::{BTreeMap, BTreeSet};

use ark_ff::{AdditiveGroup, Field, Zero};
use bauta_statement::field::Fr;

use super::case::INPUT;
use crate::system::{Column, R1cs, Row};

type Sparse = BTreeMap<Column, Fr>;

/// The rows of `whole` that are a copy of all of `part`'s, in one piece, with other wires as inputs.
pub(crate) fn copies(part: &R1cs, whole: &R1cs) -> BTreeSet<usize> {
    let length = part.rows.len();
    let starts = 0..(whole.rows.len() + 1).saturating_sub(length);
    let found = starts.filter(|start| is_copy(part, whole, *start));
    found.flat_map(|start| start..start + length).collect()
}

fn is_copy(part: &R1cs, whole: &R1cs, start: usize) -> bool {
    let rows = || whole.rows.range(start..start + part.rows.len());
    let inputs = part.free.iter().filter(|(_, reason)| *reason == INPUT);
    let inputs = inputs.count();
    // The gadget's own columns, here and there. They are made one after the other, after all inputs.
    let (first, end) = (part.instances + inputs, part.instances + part.witnesses);
    let own_column = |row: Row<'_>| highest(row).filter(|column| *column >= first);
    let shift =
        part.rows.iter().zip(rows()).find_map(|(mine, theirs)| {
            Some(highest(theirs)? as isize - own_column(mine)? as isize)
        });
    let shift = match shift {
        Some(shift) => shift,
        None if first == end => 0,
        None => return false,
    };
    if (first as isize) < -shift {
        return false;
    }
    let moved = |column: usize| column.saturating_add_signed(shift) as Column;
    let mut substitution = Substitution::default();
    part.rows.iter().zip(rows()).all(|(mine, theirs)| {
        let mut sides = mine.sides().into_iter().zip(theirs.sides());
        sides.all(|(mine, theirs)| {
            let mut rest: Sparse = theirs.iter().collect();
            let mut factors = vec![Fr::ZERO; inputs];
            for (column, factor) in mine.iter() {
                let column = column as usize;
                if (part.instances..first).contains(&column) {
                    factors[column - part.instances] = factor;
                } else {
                    let own = column >= first;
                    let place = if own { moved(column) } else { column as Column };
                    add(&mut rest, place, -factor);
                }
            }
            rest.range(moved(first)..moved(end)).next().is_none()
                && substitution.takes(factors, rest)
        })
    })
}

fn highest(row: Row<'_>) -> Option<usize> {
    let terms = row.sides().into_iter().flat_map(|side| side.iter());
    terms.map(|(column, _)| column as usize).max()
}

fn add(sum: &mut Sparse, column: Column, term: Fr) {
    let entry = sum.entry(column).or_insert(Fr::ZERO);
    *entry += term;
    if entry.is_zero() {
        sum.remove(&column);
    }
}

/// What the inputs must be, as linear equations in echelon form: a pivot, factors of the inputs, and what they add up to.
#[derive(Default)]
struct Substitution(Vec<(usize, Vec<Fr>, Sparse)>);

impl Substitution {
    /// Whether the inputs can add up to this too.
    fn takes(&mut self, mut factors: Vec<Fr>, mut sum: Sparse) -> bool {
        for (pivot, known, known_sum) in &self.0 {
            let share = factors[*pivot];
            if !share.is_zero() {
                for (factor, other) in factors.iter_mut().zip(known) {
                    *factor -= share * other;
                }
                for (column, term) in known_sum {
                    add(&mut sum, *column, -share * term);
                }
            }
        }
        let Some(pivot) = factors.iter().position(|factor| !factor.is_zero()) else {
            return sum.is_empty();
        };
        let scale = factors[pivot].inverse().unwrap_or_default();
        factors.iter_mut().for_each(|factor| *factor *= scale);
        sum.values_mut().for_each(|term| *term *= scale);
        self.0.push((pivot, factors, sum));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gadgets::{compare, words},
        shape::editing::Draft,
        system::{Lc, System},
    };

    fn part<const N: usize>(gadget: impl Fn(&mut System, [Lc; N])) -> R1cs {
        let mut system = System::new(&[], true);
        let inputs = std::array::from_fn(|_| system.free(Fr::ONE, INPUT));
        gadget(&mut system, inputs);
        system.into_r1cs()
    }

    #[test]
    fn a_copy_is_found_and_nothing_else() {
        let parity = part(|system, [x, y, z]| {
            words::xor(system, &x, &y, &z);
        });
        let most = part(|system, [x, y, z]| {
            words::majority(system, &x, &y, &z);
        });
        let range = part(|system, [value]| compare::range(system, &value, 5));
        let longer = part(|system, [value]| compare::range(system, &value, 6));
        let equal = part(|system, [x, y]| system.enforce_equal(&x, &y));
        let whole = part(|system, [x, y]| {
            let z = &(&x * Fr::from(3)) - Fr::from(4);
            let o = words::xor(system, &x, &y, &z);
            compare::range(system, &(&o + &x), 5);
            words::majority(system, &(&o - &x), &y, &z);
            compare::range(system, &z, 5);
            system.enforce_equal(&x, &z);
        });
        let rows = |part: &R1cs| copies(part, &whole).into_iter().collect::<Vec<_>>();
        assert_eq!(rows(&parity), [0]);
        assert_eq!(rows(&range), [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]);
        assert_eq!(rows(&longer), [0; 0]);
        assert_eq!(rows(&most), [6]);
        assert_eq!(rows(&equal), [12]);
        // A factor, a constant, a side that is another: no copy.
        for change in [
            |row: &mut Draft| row.a[0].1 = Fr::from(7),
            |row: &mut Draft| row.b.push((90, Fr::ONE)),
            |row: &mut Draft| row.c.push((0, Fr::ONE)),
        ] {
            let mut other = whole.clone();
            other.rows.edit(|rows| change(&mut rows[0]));
            assert!(copies(&parity, &other).is_empty());
            other.rows.edit(|rows| change(&mut rows[3]));
            assert_eq!(copies(&range, &other).len(), 5);
        }
    }
}
