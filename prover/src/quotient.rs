//! The quotient h = (u·v − w)/t that Groth16 proves by (ePrint 2016/260, section 3.2), as `ark_groth16::r1cs_to_qap::LibsnarkReduction`
//! has it, from the compact shape, in place, and with one transform less.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, FftField, Field};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
#[cfg(feature = "parallel")]
use rayon::prelude::*;
use zeroize::Zeroizing;

use bauta_circuits::system::{Assignment, R1cs, Unsatisfied};

type Domain = Radix2EvaluationDomain<Fr>;

/// Values over the domain, or coefficients; secret.
type Buffer = Zeroizing<Vec<Fr>>;

/// Rows that a thread takes at a time: few, because rows differ from one term to thousands.
const CHUNK: usize = 64;

/// A witness's Az, Bz and Cz over the domain: the constraints, then the instances in A, then zeros.
pub(crate) struct Sides {
    domain: Domain,
    a: Buffer,
    b: Buffer,
    c: Buffer,
}

impl Sides {
    /// Evaluates every row, and checks it on the way: a proof of a row that does not hold would not verify.
    ///
    /// # Errors
    /// [`Unsatisfied`] names the first row that fails; every row does if the assignment is of another form, or if there are more
    /// rows than the field has roots of unity for (2^28).
    pub(crate) fn of(shape: &R1cs, assignment: &Assignment) -> Result<Self, Unsatisfied> {
        let domain = Domain::new(shape.size())
            .filter(|_| shape.fits(assignment))
            .ok_or_else(|| shape.unsatisfied(0))?;
        let values = assignment.values();
        let zeros = || Zeroizing::new(vec![Fr::ZERO; domain.size()]);
        let (mut a, mut b, mut c) = (zeros(), zeros(), zeros());
        #[cfg(feature = "parallel")]
        a.par_chunks_mut(CHUNK)
            .zip(b.par_chunks_mut(CHUNK))
            .zip(c.par_chunks_mut(CHUNK))
            .enumerate()
            .for_each(|(chunk, ((a, b), c))| evaluate(shape, values, chunk, [a, b, c]));
        #[cfg(not(feature = "parallel"))]
        a.chunks_mut(CHUNK)
            .zip(b.chunks_mut(CHUNK))
            .zip(c.chunks_mut(CHUNK))
            .enumerate()
            .for_each(|(chunk, ((a, b), c))| evaluate(shape, values, chunk, [a, b, c]));
        let mut all = a.iter().zip(b.iter()).zip(c.iter());
        if let Some(row) = all.position(|((a, b), c)| *a * b != *c) {
            return Err(shape.unsatisfied(row));
        }
        let instances = values.iter().take(shape.instances);
        for (place, value) in a.iter_mut().skip(shape.rows.len()).zip(instances) {
            *place = *value;
        }
        Ok(Self { domain, a, b, c })
    }

    /// The coefficients of h, of which the last is 0.
    ///
    /// On a coset of the domain t is a constant, so h is u·v taken back to coefficients, less w's, over that constant: w need not
    /// go to the coset.
    pub(crate) fn quotient(self) -> Buffer {
        let Self {
            domain,
            mut a,
            mut b,
            mut c,
        } = self;
        let shift = Fr::GENERATOR;
        // The generator of the whole group is in no domain: there is such a coset, and t is not 0 on it.
        let coset = domain.get_coset(shift).unwrap_or(domain);
        let scale = domain.evaluate_vanishing_polynomial(shift).inverse();
        let scale = scale.unwrap_or_default();
        for side in [&mut a, &mut b] {
            domain.ifft_in_place(&mut **side);
            coset.fft_in_place(&mut **side);
        }
        for (a, b) in a.iter_mut().zip(b.iter()) {
            *a *= b;
        }
        drop(b);
        coset.ifft_in_place(&mut *a);
        domain.ifft_in_place(&mut *c);
        for (h, w) in a.iter_mut().zip(c.iter()) {
            *h = (*h - w) * scale;
        }
        a
    }
}

/// The sides of a chunk's rows, as far as there are any.
fn evaluate(shape: &R1cs, values: &[Fr], chunk: usize, [a, b, c]: [&mut [Fr]; 3]) {
    let start = chunk * CHUNK;
    let end = shape.rows.len().min(start + CHUNK);
    for (row, ((a, b), c)) in shape.rows.range(start..end).zip(a.iter_mut().zip(b).zip(c)) {
        *a = row.a.evaluate(values);
        *b = row.b.evaluate(values);
        *c = row.c.evaluate(values);
    }
}
