//! A small builder of rank-1 constraint systems: linear combinations that carry their value, and rows A·B = C.
//!
//! A relation is synthesised twice: once for its shape, with rows recorded, which is kept for the process's lifetime;
//! and per proof for its values alone, which is fast because no row is built. Both runs execute the same code.

use std::ops::{Add, Mul, Neg, Sub};

use ark_ff::{AdditiveGroup, Field, One, Zero};
use ark_relations::gr1cs::{
    ConstraintSystemRef, LinearCombination, Matrix, SynthesisError, Variable,
};
use bauta_statement::field::{self, Fr};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroize;

/// A column of the assignment: 0 is the constant one, then the instances, then the witnesses.
pub type Column = u32;

/// A linear combination of columns, with its value.
#[derive(Debug, Clone)]
pub struct Lc {
    /// Ascending columns, no zero coefficients; empty while only values are computed.
    terms: Vec<(Column, Fr)>,
    value: Fr,
    constant: bool,
}

impl Lc {
    /// A constant.
    pub fn constant(value: Fr) -> Self {
        let terms = if value.is_zero() {
            Vec::new()
        } else {
            vec![(0, value)]
        };
        Self {
            terms,
            value,
            constant: true,
        }
    }

    /// The value under the current assignment.
    pub fn value(&self) -> Fr {
        self.value
    }

    /// Whether it is the same in every assignment.
    pub fn is_constant(&self) -> bool {
        self.constant
    }

    /// Columns and coefficients.
    pub fn terms(&self) -> &[(Column, Fr)] {
        &self.terms
    }

    /// The sum of these, each times its factor: what many of [`Lc::add_scaled`] make, in one pass.
    pub fn combine<'a>(parts: impl IntoIterator<Item = (&'a Lc, Fr)>) -> Self {
        let mut sum = Self::constant(Fr::ZERO);
        for (part, factor) in parts {
            if factor.is_zero() {
                continue;
            }
            sum.value += part.value * factor;
            sum.constant &= part.constant;
            let scaled = part
                .terms
                .iter()
                .map(|(column, entry)| (*column, *entry * factor));
            sum.terms.extend(scaled);
        }
        sum.terms.sort_by_key(|(column, _)| *column);
        sum.terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        sum.terms.retain(|(_, entry)| !entry.is_zero());
        sum
    }

    /// Adds `factor`·`other`.
    pub fn add_scaled(&mut self, other: &Self, factor: Fr) {
        if factor.is_zero() {
            return;
        }
        self.value += other.value * factor;
        self.constant &= other.constant;
        if other.terms.is_empty() {
            return;
        }
        let mut merged = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            match (left.peek(), right.peek()) {
                (Some((a, x)), Some((b, y))) if a == b => {
                    let sum = *x + *y * factor;
                    if !sum.is_zero() {
                        merged.push((*a, sum));
                    }
                    left.next();
                    right.next();
                }
                (Some((a, x)), Some((b, _))) if a < b => {
                    merged.push((*a, *x));
                    left.next();
                }
                (Some((a, x)), None) => {
                    merged.push((*a, *x));
                    left.next();
                }
                (_, Some((b, y))) => {
                    merged.push((*b, *y * factor));
                    right.next();
                }
                (None, None) => break,
            }
        }
        self.terms = merged;
    }
}

impl Add for &Lc {
    type Output = Lc;
    fn add(self, other: &Lc) -> Lc {
        let mut sum = self.clone();
        sum.add_scaled(other, Fr::ONE);
        sum
    }
}

impl Sub for &Lc {
    type Output = Lc;
    fn sub(self, other: &Lc) -> Lc {
        let mut difference = self.clone();
        difference.add_scaled(other, -Fr::ONE);
        difference
    }
}

impl Add<Fr> for &Lc {
    type Output = Lc;
    fn add(self, constant: Fr) -> Lc {
        self + &Lc::constant(constant)
    }
}

impl Sub<Fr> for &Lc {
    type Output = Lc;
    fn sub(self, constant: Fr) -> Lc {
        self + &Lc::constant(-constant)
    }
}

impl Mul<Fr> for &Lc {
    type Output = Lc;
    fn mul(self, factor: Fr) -> Lc {
        let mut product = Lc::constant(Fr::ZERO);
        product.add_scaled(self, factor);
        product
    }
}

impl Neg for &Lc {
    type Output = Lc;
    fn neg(self) -> Lc {
        self * -Fr::ONE
    }
}

/// The name of every witness that is the product of two others: its own row determines it, whatever they are.
pub const PRODUCT: &str = "product";

/// One constraint: ⟨a, z⟩·⟨b, z⟩ = ⟨c, z⟩.
#[derive(Debug, Clone)]
pub struct Row {
    /// Left factor.
    pub a: Vec<(Column, Fr)>,
    /// Right factor.
    pub b: Vec<(Column, Fr)>,
    /// Product.
    pub c: Vec<(Column, Fr)>,
}

/// A relation being synthesised.
pub struct System {
    instances: usize,
    values: Vec<Fr>,
    recording: bool,
    rows: Vec<Row>,
    regions: Vec<(usize, &'static str)>,
    free: Vec<(Column, &'static str)>,
    names: Vec<&'static str>,
    #[cfg(test)]
    forger: Option<Forger>,
}

/// Replaces the value of a witness as it is made (column, name, honest value), so that all that follows from it is computed
/// from the replacement: how a dishonest prover runs this very code.
#[cfg(test)]
pub(crate) type Forger = Box<dyn FnMut(Column, &'static str, Fr) -> Fr>;

impl System {
    /// Starts with the instance values (hidden inputs, then public ones). `recording` builds the rows.
    pub fn new(instances: &[Fr], recording: bool) -> Self {
        let mut values = vec![Fr::ONE];
        values.extend_from_slice(instances);
        Self {
            instances: values.len(),
            values,
            recording,
            rows: Vec::new(),
            regions: Vec::new(),
            free: Vec::new(),
            names: Vec::new(),
            #[cfg(test)]
            forger: None,
        }
    }

    /// Makes this run a dishonest prover's.
    #[cfg(test)]
    pub(crate) fn forge(&mut self, forger: Forger) {
        self.forger = Some(forger);
    }

    /// The rows that follow belong to this part of the relation.
    pub fn region(&mut self, name: &'static str) {
        if self.recording {
            self.regions.push((self.rows.len(), name));
        }
    }

    /// The instance with this index (0 is the first hidden input).
    pub fn instance(&self, index: usize) -> Lc {
        self.variable(index + 1)
    }

    /// A new witness, which the constraints must determine.
    pub fn witness(&mut self, value: Fr) -> Lc {
        self.hint("", value)
    }

    /// A new witness with a name: a value that the prover chooses and the constraints must determine. For each name there are
    /// counterfactual provers (`counterfactual/`), which choose another.
    pub fn hint(&mut self, name: &'static str, value: Fr) -> Lc {
        let column = self.values.len();
        #[cfg(test)]
        let value = match &mut self.forger {
            Some(forge) => forge(column as Column, name, value),
            None => value,
        };
        self.values.push(value);
        if self.recording {
            self.names.push(name);
        }
        self.variable(column)
    }

    /// A new witness that the constraints alone need not determine; the reason says what does, or why none has to.
    pub fn free(&mut self, value: Fr, reason: &'static str) -> Lc {
        let variable = self.hint(reason, value);
        if self.recording {
            self.free.push((self.values.len() as Column - 1, reason));
        }
        variable
    }

    fn variable(&self, column: usize) -> Lc {
        let value = self.values.get(column).copied().unwrap_or_default();
        let terms = if self.recording {
            vec![(column as Column, Fr::ONE)]
        } else {
            Vec::new()
        };
        Lc {
            terms,
            value,
            constant: false,
        }
    }

    /// a·b = c.
    pub fn enforce(&mut self, a: &Lc, b: &Lc, c: &Lc) {
        if self.recording {
            self.rows.push(Row {
                a: a.terms.clone(),
                b: b.terms.clone(),
                c: c.terms.clone(),
            });
        }
    }

    /// a = b.
    pub fn enforce_equal(&mut self, a: &Lc, b: &Lc) {
        self.enforce(&(a - b), &Lc::constant(Fr::ONE), &Lc::constant(Fr::ZERO));
    }

    /// a·b, at no cost where one of them is a constant.
    pub fn product(&mut self, a: &Lc, b: &Lc) -> Lc {
        if a.constant {
            return b * a.value;
        }
        if b.constant {
            return a * b.value;
        }
        let product = self.hint(PRODUCT, a.value * b.value);
        self.enforce(a, b, &product);
        product
    }

    /// A new witness that is 0 or 1.
    pub fn boolean(&mut self, name: &'static str, value: bool) -> Lc {
        let bit = self.hint(name, Fr::from(value));
        self.enforce(&bit, &(&bit - Fr::ONE), &Lc::constant(Fr::ZERO));
        bit
    }

    /// a/b as a witness with (a/b)·b = a. Where b may be 0 the caller must show that it is not, or that the quotient
    /// does not matter then.
    pub fn quotient(&mut self, name: &'static str, a: &Lc, b: &Lc) -> Lc {
        let quotient = self.hint(name, a.value * b.value.inverse().unwrap_or_default());
        self.enforce(&quotient, b, a);
        quotient
    }

    /// The values.
    pub fn into_assignment(mut self) -> Assignment {
        Assignment {
            instances: self.instances,
            values: std::mem::take(&mut self.values),
        }
    }

    /// The shape, if it was recorded.
    pub fn into_r1cs(mut self) -> R1cs {
        R1cs {
            instances: self.instances,
            witnesses: self.values.len() - self.instances,
            rows: std::mem::take(&mut self.rows),
            regions: std::mem::take(&mut self.regions),
            free: std::mem::take(&mut self.free),
            names: std::mem::take(&mut self.names),
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

/// A value for every column: the constant one, the instances, the witnesses. Erased when dropped.
#[derive(Clone)]
pub struct Assignment {
    instances: usize,
    values: Vec<Fr>,
}

impl Assignment {
    /// All values, as ark-groth16 wants its full assignment.
    pub fn values(&self) -> &[Fr] {
        &self.values
    }

    /// For tests that tamper with single values.
    pub fn values_mut(&mut self) -> &mut [Fr] {
        &mut self.values
    }

    /// Number of instances, the constant one included.
    pub fn instances(&self) -> usize {
        self.instances
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl std::fmt::Debug for Assignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assignment")
            .field("columns", &self.values.len())
            .finish_non_exhaustive()
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
    pub rows: Vec<Row>,
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

    /// Checks every row. A prover calls this before proving: ark-groth16 only does in debug builds.
    ///
    /// # Errors
    /// [`Unsatisfied`] names the first row that fails, and its part of the relation.
    pub fn check(&self, assignment: &Assignment) -> Result<(), Unsatisfied> {
        match self.failing(assignment).next() {
            Some(row) => Err(Unsatisfied {
                row,
                region: self.region_of(row),
            }),
            None => Ok(()),
        }
    }

    /// The rows that do not hold. An assignment of the wrong form fails every row.
    pub fn failing<'a>(&'a self, assignment: &'a Assignment) -> impl Iterator<Item = usize> + 'a {
        let values = assignment.values();
        let malformed =
            values.len() != self.instances + self.witnesses || values.first() != Some(&Fr::one());
        let holds = move |row: &Row| {
            !malformed
                && evaluate(&row.a, values) * evaluate(&row.b, values) == evaluate(&row.c, values)
        };
        self.rows
            .iter()
            .enumerate()
            .filter(move |(_, row)| !holds(row))
            .map(|(index, _)| index)
    }

    /// A, B and C as ark-groth16 takes them.
    pub fn matrices(&self) -> Vec<Matrix<Fr>> {
        let convert = |pick: fn(&Row) -> &Vec<(Column, Fr)>| -> Matrix<Fr> {
            self.rows
                .iter()
                .map(|row| {
                    pick(row)
                        .iter()
                        .map(|(column, factor)| (*factor, *column as usize))
                        .collect()
                })
                .collect()
        };
        vec![
            convert(|row| &row.a),
            convert(|row| &row.b),
            convert(|row| &row.c),
        ]
    }

    /// SHA-256 over the shape: what a parameter set is made for.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"bauta/v1/r1cs");
        for count in [self.instances, self.witnesses, self.rows.len()] {
            hash.update((count as u64).to_le_bytes());
        }
        for row in &self.rows {
            for terms in [&row.a, &row.b, &row.c] {
                hash.update((terms.len() as u64).to_le_bytes());
                for (column, factor) in terms {
                    hash.update(column.to_le_bytes());
                    hash.update(field::to_bytes(factor));
                }
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
        let convert = |terms: &[(Column, Fr)]| {
            LinearCombination(
                terms
                    .iter()
                    .map(|(column, factor)| (*factor, variables[*column as usize]))
                    .collect(),
            )
        };
        for row in &self.rows {
            cs.enforce_r1cs_constraint(|| convert(&row.a), || convert(&row.b), || convert(&row.c))?;
        }
        Ok(())
    }
}

/// The inner product of a row's terms with the values.
pub(crate) fn evaluate(terms: &[(Column, Fr)], values: &[Fr]) -> Fr {
    terms
        .iter()
        .map(|(column, factor)| *factor * values[*column as usize])
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(value: u64, recording: bool) -> System {
        let mut system = System::new(&[Fr::from(9)], recording);
        system.region("square");
        let (x, nine) = (system.witness(Fr::from(value)), system.instance(0));
        system.enforce(&x, &x, &nine);
        system
    }

    #[test]
    fn the_first_failing_row_is_named() {
        let shape = square(0, true).into_r1cs();
        assert_eq!(shape.check(&square(3, false).into_assignment()), Ok(()));
        let error = Unsatisfied {
            row: 0,
            region: "square",
        };
        assert_eq!(shape.check(&square(4, false).into_assignment()), Err(error));
    }

    #[test]
    fn an_assignment_of_another_form_is_refused() {
        let shape = square(0, true).into_r1cs();
        let mut longer = square(3, false);
        longer.witness(Fr::ZERO);
        assert!(shape.check(&longer.into_assignment()).is_err());
        // With another "one" every constant could be another.
        let mut scaled = square(3, false).into_assignment();
        scaled.values_mut()[0] = Fr::from(2);
        assert!(shape.check(&scaled).is_err());
    }

    #[test]
    fn linear_combinations_merge_and_cancel() {
        let mut system = System::new(&[Fr::from(4)], true);
        let (x, y) = (system.instance(0), system.witness(Fr::from(5)));
        let sum = &(&x + &y) + Fr::from(6);
        assert_eq!(sum.value(), Fr::from(15));
        assert_eq!(
            sum.terms()
                .iter()
                .map(|(column, _)| *column)
                .collect::<Vec<_>>(),
            [0, 1, 2]
        );
        let nothing = &(&sum - &sum) * Fr::from(3);
        assert!(nothing.terms().is_empty() && nothing.value().is_zero());
        assert!(!sum.is_constant() && (&Lc::constant(Fr::ONE) * Fr::from(2)).is_constant());
    }

    #[test]
    fn combining_many_is_adding_each() {
        let mut system = System::new(&[Fr::from(4)], true);
        let (x, y) = (system.instance(0), system.witness(Fr::from(5)));
        let parts = [&y + Fr::from(6), x.clone(), &x - &y, Lc::constant(Fr::ONE)];
        let factors = [3u64, 0, 3, 2].map(Fr::from);
        let mut slowly = Lc::constant(Fr::ZERO);
        for (part, factor) in parts.iter().zip(factors) {
            slowly.add_scaled(part, factor);
        }
        let sum = Lc::combine(parts.iter().zip(factors));
        assert_eq!(sum.terms(), slowly.terms());
        assert_eq!((sum.value(), sum.is_constant()), (Fr::from(32), false));
        // y cancels.
        assert_eq!(sum.terms(), [(0, Fr::from(20)), (1, Fr::from(3))]);
        let constants = [(&parts[3], Fr::from(2))];
        assert!(Lc::combine(constants).is_constant());
    }
}
