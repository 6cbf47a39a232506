//! A small builder of rank-1 constraint systems: linear combinations that carry their value, and rows A·B = C.
//!
//! A relation is synthesised twice: once for its shape, with rows recorded, which is kept for the process's lifetime;
//! and per proof for its values alone, which is fast because no row is built and no column looked at. Both runs execute the
//! same code.

use std::ops::{Add, Mul, Neg, Sub};

use ark_ff::{AdditiveGroup, Field, One, Zero};
use bauta_statement::field::Fr;
use zeroize::Zeroize;

use crate::shape::Recorder;
pub use crate::shape::{Column, R1cs, Row, Rows, Term, Terms, Unsatisfied};

/// A linear combination of columns, with its value.
#[derive(Debug, Clone)]
pub struct Lc {
    value: Fr,
    form: Form,
}

/// What a linear combination is made of, as far as it is kept.
#[derive(Debug, Clone)]
enum Form {
    /// Its value, in every assignment.
    Constant,
    /// Columns, which a synthesis for values alone does not keep.
    Unrecorded,
    /// Ascending columns, no zero coefficients.
    Recorded(Vec<Term>),
}

impl Lc {
    /// A constant.
    pub fn constant(value: Fr) -> Self {
        Self {
            value,
            form: Form::Constant,
        }
    }

    /// The value under the current assignment.
    pub fn value(&self) -> Fr {
        self.value
    }

    /// Whether it is the same in every assignment.
    pub fn is_constant(&self) -> bool {
        matches!(self.form, Form::Constant)
    }

    /// Columns and coefficients, if rows are recorded.
    pub fn terms(&self) -> impl Iterator<Item = Term> {
        let constant = matches!(self.form, Form::Constant).then(|| constant_term(&self.value));
        let recorded = match &self.form {
            Form::Recorded(terms) => terms.as_slice(),
            Form::Constant | Form::Unrecorded => &[],
        };
        constant
            .flatten()
            .into_iter()
            .chain(recorded.iter().copied())
    }

    /// The sum of these, each times its factor: what many of [`Lc::add_scaled`] make, in one pass.
    pub fn combine<'a>(parts: impl IntoIterator<Item = (&'a Lc, Fr)>) -> Self {
        let (mut value, mut constant) = (Fr::ZERO, Fr::ZERO);
        let mut form = Form::Constant;
        for (part, factor) in parts {
            if factor.is_zero() {
                continue;
            }
            let share = scaled(part.value, factor);
            value += share;
            match (&mut form, &part.form) {
                (_, Form::Constant) => constant += share,
                (Form::Recorded(sum), Form::Recorded(terms)) => {
                    sum.extend(all_scaled(terms, factor))
                }
                (_, Form::Recorded(terms)) => {
                    form = Form::Recorded(all_scaled(terms, factor).collect())
                }
                (_, Form::Unrecorded) => form = Form::Unrecorded,
            }
        }
        if let Form::Recorded(sum) = &mut form {
            sum.extend(constant_term(&constant));
            sum.sort_by_key(|(column, _)| *column);
            sum.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            sum.retain(|(_, entry)| !entry.is_zero());
        }
        Self { value, form }
    }

    /// Adds `factor`·`other`.
    pub fn add_scaled(&mut self, other: &Self, factor: Fr) {
        *self = self.plus(other, factor);
    }

    /// `self` + `factor`·`other`.
    fn plus(&self, other: &Self, factor: Fr) -> Self {
        if factor.is_zero() {
            return self.clone();
        }
        let form = match (&self.form, &other.form) {
            (Form::Constant, Form::Constant) => Form::Constant,
            (Form::Unrecorded, _) | (_, Form::Unrecorded) => Form::Unrecorded,
            (Form::Recorded(left), Form::Recorded(right)) => {
                Form::Recorded(merged(left, right, factor))
            }
            (Form::Recorded(left), Form::Constant) => {
                let right = constant_term(&other.value);
                Form::Recorded(merged(left, right.as_slice(), factor))
            }
            (Form::Constant, Form::Recorded(right)) => {
                let left = constant_term(&self.value);
                Form::Recorded(merged(left.as_slice(), right, factor))
            }
        };
        Self {
            value: self.value + scaled(other.value, factor),
            form,
        }
    }
}

/// A constant as a term, of which 0 has none.
fn constant_term(value: &Fr) -> Option<Term> {
    (!value.is_zero()).then_some((0, *value))
}

/// A product whose factor is mostly 1 or −1.
fn scaled(value: Fr, factor: Fr) -> Fr {
    if factor.is_one() {
        value
    } else if factor == -Fr::ONE {
        -value
    } else {
        value * factor
    }
}

fn all_scaled(terms: &[Term], factor: Fr) -> impl Iterator<Item = Term> {
    terms
        .iter()
        .map(move |(column, entry)| (*column, scaled(*entry, factor)))
}

/// `left` + `factor`·`right`, both by ascending column.
fn merged(left: &[Term], right: &[Term], factor: Fr) -> Vec<Term> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (
        left.iter().copied().peekable(),
        all_scaled(right, factor).peekable(),
    );
    loop {
        match (left.peek(), right.peek()) {
            (Some((a, x)), Some((b, y))) if a == b => {
                let sum = *x + *y;
                if !sum.is_zero() {
                    merged.push((*a, sum));
                }
                left.next();
                right.next();
            }
            (Some((a, _)), Some((b, _))) if a < b => merged.extend(left.next()),
            (Some(_), None) => merged.extend(left.next()),
            (_, Some(_)) => merged.extend(right.next()),
            (None, None) => return merged,
        }
    }
}

impl Add for &Lc {
    type Output = Lc;
    fn add(self, other: &Lc) -> Lc {
        self.plus(other, Fr::ONE)
    }
}

impl Sub for &Lc {
    type Output = Lc;
    fn sub(self, other: &Lc) -> Lc {
        self.plus(other, -Fr::ONE)
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
        Lc::constant(Fr::ZERO).plus(self, factor)
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

/// A relation being synthesised.
pub struct System {
    instances: usize,
    values: Vec<Fr>,
    /// The rows, in a synthesis for the shape.
    recorder: Option<Recorder>,
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
            recorder: recording.then(Recorder::new),
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
        if let Some(recorder) = &self.recorder {
            self.regions.push((recorder.len(), name));
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
        if self.recorder.is_some() {
            self.names.push(name);
        }
        self.variable(column)
    }

    /// A new witness that the constraints alone need not determine; the reason says what does, or why none has to.
    pub fn free(&mut self, value: Fr, reason: &'static str) -> Lc {
        let variable = self.hint(reason, value);
        if self.recorder.is_some() {
            self.free.push((self.values.len() as Column - 1, reason));
        }
        variable
    }

    fn variable(&self, column: usize) -> Lc {
        let value = self.values.get(column).copied().unwrap_or_default();
        let form = match &self.recorder {
            Some(_) => Form::Recorded(vec![(column as Column, Fr::ONE)]),
            None => Form::Unrecorded,
        };
        Lc { value, form }
    }

    /// a·b = c.
    pub fn enforce(&mut self, a: &Lc, b: &Lc, c: &Lc) {
        if let Some(recorder) = &mut self.recorder {
            recorder.push([a, b, c].map(Lc::terms));
        }
    }

    /// a = b.
    pub fn enforce_equal(&mut self, a: &Lc, b: &Lc) {
        self.enforce(&(a - b), &Lc::constant(Fr::ONE), &Lc::constant(Fr::ZERO));
    }

    /// a·b, at no cost where one of them is a constant.
    pub fn product(&mut self, a: &Lc, b: &Lc) -> Lc {
        if a.is_constant() {
            return b * a.value;
        }
        if b.is_constant() {
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
            rows: self
                .recorder
                .take()
                .map(Recorder::finish)
                .unwrap_or_default(),
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
            sum.terms().map(|(column, _)| column).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        let nothing = &(&sum - &sum) * Fr::from(3);
        assert!(nothing.terms().next().is_none() && nothing.value().is_zero());
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
        assert!(sum.terms().eq(slowly.terms()));
        assert_eq!((sum.value(), sum.is_constant()), (Fr::from(32), false));
        // y cancels.
        assert!(sum.terms().eq([(0, Fr::from(20)), (1, Fr::from(3))]));
        let constants = [(&parts[3], Fr::from(2))];
        assert!(Lc::combine(constants).is_constant());
    }
}
