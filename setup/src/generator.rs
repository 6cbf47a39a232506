//! Groth16's generator (ePrint 2016/260, section 3.2) with γ = 1, for rows as `bauta-circuits` keeps them.
//!
//! It gives byte for byte what `ark_groth16::Groth16::generate_parameters_with_qap` and `ProvingKey`'s uncompressed form give, and writes
//! it as it goes: what stays in memory is three field elements for each column, and two tables. arkworks' would take some
//! gigabytes for half a million rows.

use std::io::{self, Write};

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::{
    AffineRepr, CurveGroup, PrimeGroup,
    scalar_mul::BatchMulPreprocessing,
    short_weierstrass::{Affine, Projective, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_serialize::{CanonicalSerialize, SerializationError};
use bauta_circuits::system::R1cs;
use bauta_statement::{
    additions::{Coordinate, Lists},
    verifying_key::VerifyingKey,
};
use rand_chacha::rand_core::RngCore;
#[cfg(feature = "parallel")]
use rayon::prelude::*;

use crate::development::MakeError;

/// How far the making of a key is: points written, of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Points written.
    pub done: usize,
    /// Points of the whole key.
    pub total: usize,
}

/// What a key is made of. Whoever knows these can forge; a key for use comes from a ceremony, in which nobody does.
pub struct Trapdoor<R> {
    /// α.
    pub alpha: Fr,
    /// β.
    pub beta: Fr,
    /// δ, which is not 0.
    pub delta: Fr,
    /// Where the evaluation point τ is drawn from: the first that is not in the relation's domain.
    pub tau: R,
}

/// Points between two calls of `progress`.
const CHUNK: usize = 1 << 14;

/// Points that share their inversions: as many as stay in the cache with what they are summed from.
const TOGETHER: usize = 1 << 8;

/// Writes the proving key of a shape.
///
/// # Errors
/// [`MakeError::TooLarge`] beyond 2^28 rows; [`MakeError::Write`] if `out` fails.
pub fn generate<R: RngCore>(
    shape: &R1cs,
    trapdoor: Trapdoor<R>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyingKey, MakeError> {
    let Trapdoor {
        alpha,
        beta,
        delta,
        mut tau,
    } = trapdoor;
    let domain =
        Radix2EvaluationDomain::<Fr>::new(shape.size()).ok_or(MakeError::TooLarge(shape.size()))?;
    let tau = domain.sample_element_outside_domain(&mut tau);
    let Columns { a, b, c } = Columns::at(shape, &domain, tau);
    let delta_inverse = delta.inverse().unwrap_or_default();
    // Column by column βu + αv + w, in w's place.
    let mut sums = c;
    for ((sum, a), b) in sums.iter_mut().zip(&a).zip(&b) {
        *sum += beta * a + alpha * b;
    }
    let (inputs, hidden) = sums.split_at(shape.instances);
    let powers = domain.size() - 1;
    let mut next = domain.evaluate_vanishing_polynomial(tau) * delta_inverse;
    let h = (0..powers).map(|_| {
        let power = next;
        next *= tau;
        power
    });

    let total = inputs.len() + a.len() + 2 * b.len() + powers + hidden.len();
    let mut key = Output {
        out,
        progress,
        state: Progress { done: 0, total },
    };
    let g1 = BatchMulPreprocessing::new(G1Projective::generator(), total - b.len());
    let single = |scalar: Fr| (G1Projective::generator() * scalar).into_affine();
    let single_g2 = |scalar: Fr| (G2Projective::generator() * scalar).into_affine();
    let verifying = VerifyingKey {
        alpha_g1: single(alpha),
        beta_g2: single_g2(beta),
        delta_g1: single(delta),
        delta_g2: single_g2(delta),
        l: multiples(&g1, inputs),
    };
    key.write(&verifying.alpha_g1)?;
    key.write(&verifying.beta_g2)?;
    key.write(&single_g2(Fr::ONE))?;
    key.write(&verifying.delta_g2)?;
    key.query(&g1, inputs.iter().copied())?;
    key.write(&single(beta))?;
    key.write(&verifying.delta_g1)?;
    key.query(&g1, a.into_iter())?;
    key.query(&g1, b.iter().copied())?;
    let g2 = BatchMulPreprocessing::new(G2Projective::generator(), b.len());
    key.query(&g2, b.into_iter())?;
    key.query(&g1, h)?;
    key.query(&g1, hidden.iter().map(|sum| *sum * delta_inverse))?;
    Ok(verifying)
}

/// The polynomials u, v and w of each column at τ.
struct Columns {
    a: Vec<Fr>,
    b: Vec<Fr>,
    c: Vec<Fr>,
}

impl Columns {
    /// As `LibsnarkReduction::instance_map_with_evaluation` has them: row i by the i-th Lagrange polynomial, and after the rows each
    /// instance by itself in u, so that the instances' polynomials are independent.
    fn at(shape: &R1cs, domain: &Radix2EvaluationDomain<Fr>, tau: Fr) -> Self {
        let lagrange = domain.evaluate_all_lagrange_coefficients(tau);
        let zeros = || vec![Fr::ZERO; shape.instances + shape.witnesses];
        let (mut a, mut b, mut c) = (zeros(), zeros(), zeros());
        let instances = lagrange.iter().skip(shape.rows.len()).take(shape.instances);
        for (sum, value) in a.iter_mut().zip(instances) {
            *sum = *value;
        }
        for (row, value) in shape.rows.iter().zip(&lagrange) {
            for (side, sums) in row.sides().into_iter().zip([&mut a, &mut b, &mut c]) {
                side.spread(value, sums);
            }
        }
        Self { a, b, c }
    }
}

/// The key on its way out.
struct Output<'a> {
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(Progress),
    state: Progress,
}

impl Output<'_> {
    fn write(&mut self, what: &impl CanonicalSerialize) -> Result<(), MakeError> {
        let written = what.serialize_uncompressed(&mut *self.out);
        written.map_err(|error| {
            MakeError::Write(match error {
                SerializationError::IoError(error) => error,
                other => io::Error::other(other),
            })
        })
    }

    /// The generator times each scalar, as a `Vec` is written: its length, then its elements.
    fn query<P>(
        &mut self,
        table: &BatchMulPreprocessing<Projective<P>>,
        scalars: impl ExactSizeIterator<Item = Fr>,
    ) -> Result<(), MakeError>
    where
        P: SWCurveConfig<ScalarField = Fr>,
        P::BaseField: Coordinate,
    {
        self.write(&(scalars.len() as u64))?;
        let mut scalars = scalars.peekable();
        while scalars.peek().is_some() {
            let chunk: Vec<_> = scalars.by_ref().take(CHUNK).collect();
            for point in multiples(table, &chunk) {
                self.write(&point)?;
            }
            self.state.done += chunk.len();
            (self.progress)(self.state);
        }
        Ok(())
    }
}

/// The table's point times each scalar, by affine additions: half the products of the table's own way.
fn multiples<P>(table: &BatchMulPreprocessing<Projective<P>>, scalars: &[Fr]) -> Vec<Affine<P>>
where
    P: SWCurveConfig<ScalarField = Fr>,
    P::BaseField: Coordinate,
{
    let sums = |scalars: &[Fr]| {
        let mut lists = Lists::with_capacity(scalars.len() * table.table.len());
        for scalar in scalars {
            let limbs = scalar.into_bigint().0;
            for (window, multiples) in table.table.iter().enumerate() {
                let digit = bits(&limbs, window * table.window, table.window);
                if let Some(point) = multiples.get(digit).filter(|point| !point.is_zero()) {
                    lists.push(*point);
                }
            }
            lists.close();
        }
        lists.sums()
    };
    #[cfg(feature = "parallel")]
    return scalars.par_chunks(TOGETHER).flat_map_iter(sums).collect();
    #[cfg(not(feature = "parallel"))]
    scalars.chunks(TOGETHER).flat_map(sums).collect()
}

/// `count` bits, fewer than 64, from bit `start`.
fn bits(limbs: &[u64; 4], start: usize, count: usize) -> usize {
    let (limb, offset) = (start / 64, start % 64);
    let low = limbs.get(limb).copied().unwrap_or(0) >> offset;
    let high = match offset {
        0 => 0,
        _ => limbs.get(limb + 1).copied().unwrap_or(0) << (64 - offset),
    };
    ((low | high) & ((1 << count) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Bn254;
    use ark_groth16::Groth16;
    use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
    use bauta_circuits::constraint_system;
    use bauta_statement::relation::Relation;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    struct Shape(&'static R1cs);

    impl ConstraintSynthesizer<Fr> for Shape {
        fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
            self.0.emit(None, &cs)
        }
    }

    #[test]
    fn arkworks_gives_the_same_bytes() {
        let shape = constraint_system(Relation::Nullifier);
        let [alpha, beta, delta] = [3u64, 5, 7].map(Fr::from);
        let tau = || ChaCha20Rng::seed_from_u64(9);
        let theirs = Groth16::<Bn254>::generate_parameters_with_qap(
            Shape(shape),
            alpha,
            beta,
            Fr::ONE,
            delta,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut tau(),
        )
        .unwrap();
        let mut expected = Vec::new();
        theirs.serialize_uncompressed(&mut expected).unwrap();

        let trapdoor = Trapdoor {
            alpha,
            beta,
            delta,
            tau: tau(),
        };
        let (mut written, mut heard) = (Vec::new(), Vec::new());
        let verifying = generate(shape, trapdoor, &mut written, &mut |state| {
            heard.push(state)
        })
        .unwrap();
        assert!(written == expected);
        assert_eq!(crate::verifying_key(&theirs).unwrap(), verifying);
        assert!(heard.is_sorted_by_key(|state| state.done));
        let last = heard.last().unwrap();
        assert_eq!(last.done, last.total);
    }

    /// A disk that is full.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told() {
        let trapdoor = Trapdoor {
            alpha: Fr::ONE,
            beta: Fr::ONE,
            delta: Fr::ONE,
            tau: ChaCha20Rng::seed_from_u64(1),
        };
        let shape = constraint_system(Relation::Nullifier);
        let error = generate(shape, trapdoor, &mut Full, &mut |_| ()).unwrap_err();
        assert!(
            matches!(error, MakeError::Write(error) if error.kind() == io::ErrorKind::StorageFull)
        );
    }
}
