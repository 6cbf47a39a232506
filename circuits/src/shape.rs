//! The shape of a relation: its rows, kept compactly, since a large relation has half a million with some ten million terms.

use std::ops::Range;

use ark_ff::{AdditiveGroup, Field, One, Zero};
use ark_relations::gr1cs::{ConstraintSystemRef, LinearCombination, SynthesisError, Variable};
use bauta_statement::field::{self, Fr};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::system::Assignment;

/// A column of the assignment: 0 is the constant one, then the instances, then the witnesses.
pub type Column = u32;

/// A column and its coefficient.
pub type Term = (Column, Fr);

/// Constraints: 8 bytes a term, 12 a row, and a table of the coefficients that occur, of which there are few.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Distinct; 1 and −1 come first.
    coefficients: Vec<Fr>,
    /// Row by row, A, B and C one after the other: column and place of the coefficient.
    terms: Vec<(Column, u32)>,
    /// Of each row, where A, B and C end.
    ends: Vec<[u32; 3]>,
}

/// Where every table of coefficients has 1 and −1.
const ONE: u32 = 0;
const MINUS_ONE: u32 = 1;

/// One constraint: ⟨a, z⟩·⟨b, z⟩ = ⟨c, z⟩.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Left factor.
    pub a: Terms<'a>,
    /// Right factor.
    pub b: Terms<'a>,
    /// Product.
    pub c: Terms<'a>,
}

/// One side of a constraint: ascending columns with their coefficients, none of which is zero.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    terms: &'a [(Column, u32)],
    coefficients: &'a [Fr],
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Terms of all rows together.
    pub fn terms(&self) -> usize {
        self.terms.len()
    }

    /// The row with this index; beyond the last one, the empty row, which holds always.
    pub fn at(&self, index: usize) -> Row<'_> {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |[_, _, end]| *end),
            None => 0,
        };
        let [a, b, c] = self.ends.get(index).copied().unwrap_or([start; 3]);
        let side = |start: u32, end: u32| Terms {
            terms: self
                .terms
                .get(start as usize..end as usize)
                .unwrap_or_default(),
            coefficients: &self.coefficients,
        };
        Row {
            a: side(start, a),
            b: side(a, b),
            c: side(b, c),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Row<'_>> + ExactSizeIterator {
        self.range(0..self.len())
    }

    /// Those with these indices.
    pub fn range(
        &self,
        range: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Row<'_>> + ExactSizeIterator {
        range.map(|index| self.at(index))
    }
}

impl<'a> Row<'a> {
    /// A, B and C.
    pub fn sides(&self) -> [Terms<'a>; 3] {
        [self.a, self.b, self.c]
    }

    /// Whether it holds.
    pub fn holds(&self, values: &[Fr]) -> bool {
        self.a.evaluate(values) * self.b.evaluate(values) == self.c.evaluate(values)
    }
}

impl<'a> Terms<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether there are none: the constant 0.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Columns with their coefficients.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Term> + ExactSizeIterator + use<'a> {
        let coefficients = self.coefficients;
        self.terms.iter().map(move |(column, place)| {
            let coefficient = coefficients.get(*place as usize);
            (*column, coefficient.copied().unwrap_or_default())
        })
    }

    /// The inner product with the values of all columns. Time depends on how many of these are 0.
    pub fn evaluate(&self, values: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        for (column, place) in self.terms {
            let value = match values.get(*column as usize) {
                Some(value) if !value.is_zero() => value,
                _ => continue,
            };
            match *place {
                ONE => sum += value,
                MINUS_ONE => sum -= value,
                place => {
                    if let Some(coefficient) = self.coefficients.get(place as usize) {
                        sum += *coefficient * value;
                    }
                }
            }
        }
        sum
    }

    /// Adds `factor` times each coefficient to its column's sum: what a set-up does, the transpose of [`Terms::evaluate`].
    pub fn spread(&self, factor: &Fr, sums: &mut [Fr]) {
        for (column, place) in self.terms {
            let Some(sum) = sums.get_mut(*column as usize) else {
                continue;
            };
            match *place {
                ONE => *sum += factor,
                MINUS_ONE => *sum -= factor,
                place => {
                    if let Some(coefficient) = self.coefficients.get(place as usize) {
                        *sum += *coefficient * factor;
                    }
                }
            }
        }
    }
}

impl PartialEq for Terms<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Terms<'_> {}

/// Rows on their way, with the places of their coefficients.
#[derive(Debug)]
pub(crate) struct Recorder {
    rows: Rows,
    places: FxHashMap<Fr, u32>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let coefficients = vec![Fr::ONE, -Fr::ONE];
        let places = coefficients.iter().copied().zip(0..).collect();
        let rows = Rows {
            coefficients,
            ..Rows::default()
        };
        Self { rows, places }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// A further row: A, B and C.
    pub(crate) fn push(&mut self, sides: [impl Iterator<Item = Term>; 3]) {
        let Rows {
            coefficients,
            terms,
            ends,
        } = &mut self.rows;
        ends.push(sides.map(|side| {
            for (column, coefficient) in side {
                let place = if coefficient.is_one() {
                    ONE
                } else {
                    *self.places.entry(coefficient).or_insert_with(|| {
                        coefficients.push(coefficient);
                        coefficients.len() as u32 - 1
                    })
                };
                terms.push((column, place));
            }
            debug_assert!(terms.len() <= u32::MAX as usize, "2^32 terms are 34 GB");
            terms.len() as u32
        }));
    }

    pub(crate) fn finish(mut self) -> Rows {
        self.rows.coefficients.shrink_to_fit();
        self.rows.terms.shrink_to_fit();
        self.rows.ends.shrink_to_fit();
        self.rows
    }
}

/// The assignment does not satisfy the constraint system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the witness does not satisfy constraint {row} ({region}); run its native check, which names the reason"
)]
pub struct Unsatisfied {
    /// Index of the first row that fails.
    pub row: usize,
    /// The part of the relation that it belongs to.
    pub region: &'static str,
}

/// A relation's shape.
#[derive(Debug, Clone)]
pub struct R1cs {
    /// Number of instances, the constant one included.
    pub instances: usize,
    /// Number of witnesses.
    pub witnesses: usize,
    /// The constraints.
    pub rows: Rows,
    /// Where each part of the relation begins, by row.
    pub regions: Vec<(usize, &'static str)>,
    /// Witnesses that the constraints need not determine, each with the reason.
    pub free: Vec<(Column, &'static str)>,
    /// What each witness is called, in order: a hint's name, [`PRODUCT`], the reason of a free one.
    pub names: Vec<&'static str>,
}

impl R1cs {
    /// Constraints and instances together: what decides the size of the FFT domain.
    pub fn size(&self) -> usize {
        self.rows.len() + self.instances
    }

    /// The part of the relation that a row belongs to.
    pub fn region_of(&self, row: usize) -> &'static str {
        self.regions
            .iter()
            .rev()
            .find(|(start, _)| *start <= row)
            .map_or("", |(_, name)| name)
    }

    /// Number of rows of each part, in order of first appearance.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for (position, (start, name)) in self.regions.iter().enumerate() {
            let end = self
                .regions
                .get(position + 1)
                .map_or(self.rows.len(), |(start, _)| *start);
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += end - start,
                None => counts.push((name, end - start)),
            }
        }
        counts
    }

    /// Checks every row. A prover does this before proving: ark-groth16 only does in debug builds.
    ///
    /// # Errors
    /// [`Unsatisfied`] names the first row that fails, and its part of the relation.
    pub fn check(&self, assignment: &Assignment) -> Result<(), Unsatisfied> {
        match self.failing(assignment).next() {
            Some(row) => Err(self.unsatisfied(row)),
            None => Ok(()),
        }
    }

    /// The error that a row does not hold.
    pub fn unsatisfied(&self, row: usize) -> Unsatisfied {
        Unsatisfied {
            row,
            region: self.region_of(row),
        }
    }

    /// The rows that do not hold. An assignment of the wrong form fails every row.
    pub fn failing<'a>(&'a self, assignment: &'a Assignment) -> impl Iterator<Item = usize> + 'a {
        let fits = self.fits(assignment);
        self.rows
            .iter()
            .enumerate()
            .filter(move |(_, row)| !(fits && row.holds(assignment.values())))
            .map(|(index, _)| index)
    }

    /// Whether an assignment has a value for each column, and 1 for the first.
    pub fn fits(&self, assignment: &Assignment) -> bool {
        let values = assignment.values();
        values.len() == self.instances + self.witnesses && values.first() == Some(&Fr::one())
    }

    /// SHA-256 over the shape: what a parameter set is made for.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"bauta/v1/r1cs");
        for count in [self.instances, self.witnesses, self.rows.len()] {
            hash.update((count as u64).to_le_bytes());
        }
        let coefficients: Vec<_> = self.rows.coefficients.iter().map(field::to_bytes).collect();
        for side in self.rows.iter().flat_map(|row| row.sides()) {
            hash.update((side.len() as u64).to_le_bytes());
            for (column, place) in side.terms {
                hash.update(column.to_le_bytes());
                hash.update(coefficients.get(*place as usize).unwrap_or(&[0; 32]));
            }
        }
        hash.finalize().into()
    }

    /// Writes the shape, and the values unless this is a set-up, into an arkworks constraint system.
    ///
    /// # Errors
    /// Those of arkworks.
    pub fn emit(
        &self,
        assignment: Option<&Assignment>,
        cs: &ConstraintSystemRef<Fr>,
    ) -> Result<(), SynthesisError> {
        let value = |column: usize| {
            assignment
                .and_then(|assignment| assignment.values().get(column).copied())
                .ok_or(SynthesisError::AssignmentMissing)
        };
        let mut variables = vec![Variable::One];
        for column in 1..self.instances {
            variables.push(cs.new_input_variable(|| value(column))?);
        }
        for column in self.instances..self.instances + self.witnesses {
            variables.push(cs.new_witness_variable(|| value(column))?);
        }
        let convert = |terms: Terms<'_>| {
            LinearCombination(
                terms
                    .iter()
                    .map(|(column, factor)| (factor, variables[column as usize]))
                    .collect(),
            )
        };
        for row in self.rows.iter() {
            cs.enforce_r1cs_constraint(|| convert(row.a), || convert(row.b), || convert(row.c))?;
        }
        Ok(())
    }
}

/// Rows as tests take them apart and change them.
#[cfg(test)]
pub(crate) mod editing {
    use super::{Recorder, Row, Rows, Term, Terms};

    /// A row by itself.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Draft {
        pub(crate) a: Vec<Term>,
        pub(crate) b: Vec<Term>,
        pub(crate) c: Vec<Term>,
    }

    impl From<Row<'_>> for Draft {
        fn from(row: Row<'_>) -> Self {
            let [a, b, c] = row.sides().map(|side| side.iter().collect());
            Self { a, b, c }
        }
    }

    impl Rows {
        /// Changes them.
        pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Vec<Draft>)) {
            let mut drafts = self.iter().map(Draft::from).collect();
            change(&mut drafts);
            let mut recorder = Recorder::new();
            for Draft { a, b, c } in drafts {
                recorder.push([a, b, c].map(Vec::into_iter));
            }
            *self = recorder.finish();
        }
    }

    impl Terms<'_> {
        /// The first column of a side that is not empty.
        pub(crate) fn first(&self) -> u32 {
            self.terms[0].0
        }
    }
}
