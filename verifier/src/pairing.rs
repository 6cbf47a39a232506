//! The product of pairings: one Miller loop for all pairs with one chain of squarings (arkworks restarts it every four
//! pairs), and one final exponentiation.

use ark_bn254::{Bn254, Fq12, G1Affine};
use ark_ec::AffineRepr;
use ark_ec::bn::{BnConfig, G2Prepared};
use ark_ec::pairing::{MillerLoopOutput, Pairing, PairingOutput};
use ark_ff::Field;

type Config = ark_bn254::Config;

/// Π e(Pᵢ, Qᵢ). Pairs with the point at infinity are one, as they should be. `None` is never seen: a Miller loop's output
/// is not zero.
pub(crate) fn product(pairs: &[(G1Affine, &G2Prepared<Config>)]) -> Option<PairingOutput<Bn254>> {
    let mut lines: Vec<_> = pairs
        .iter()
        .filter(|(p, q)| !p.is_zero() && !q.infinity)
        .map(|(p, q)| (p, q.ell_coeffs.iter()))
        .collect();
    let mut f = Fq12::ONE;
    // The digits of 6x + 2 from the top; the first only starts the chain. BN254's x is positive.
    for (step, digit) in Config::ATE_LOOP_COUNT.iter().rev().skip(1).enumerate() {
        if step > 0 {
            f.square_in_place();
        }
        for _ in 0..if *digit == 0 { 1 } else { 2 } {
            multiply_by_lines(&mut f, &mut lines);
        }
    }
    multiply_by_lines(&mut f, &mut lines);
    multiply_by_lines(&mut f, &mut lines);
    Bn254::final_exponentiation(MillerLoopOutput(f))
}

type Lines<'a> = (
    &'a G1Affine,
    std::slice::Iter<'a, ark_ec::bn::g2::EllCoeff<Config>>,
);

/// Multiplies by each pair's next line, evaluated at its G1 point. The twist is of type D.
fn multiply_by_lines(f: &mut Fq12, lines: &mut [Lines<'_>]) {
    for (p, coefficients) in lines {
        if let Some((c0, c1, c2)) = coefficients.next() {
            let (mut c0, mut c1) = (*c0, *c1);
            c0.mul_assign_by_fp(&p.y);
            c1.mul_assign_by_fp(&p.x);
            f.mul_by_034(&c0, &c1, c2);
        }
    }
}

/// Whether a target-group element is another's equal; `None` is equal to nothing.
pub(crate) fn equals(
    product: Option<PairingOutput<Bn254>>,
    expected: &PairingOutput<Bn254>,
) -> bool {
    product.is_some_and(|product| product == *expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Projective, G2Affine, G2Projective};
    use ark_ec::CurveGroup;
    use ark_ff::{AdditiveGroup, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn agrees_with_arkworks_for_any_number_of_pairs() {
        let mut rng = ChaCha20Rng::seed_from_u64(31);
        for count in 0..7 {
            let p: Vec<_> = (0..count)
                .map(|_| G1Projective::rand(&mut rng).into_affine())
                .collect();
            let q: Vec<_> = (0..count)
                .map(|_| G2Projective::rand(&mut rng).into_affine())
                .collect();
            let prepared: Vec<G2Prepared<Config>> = q.iter().map(|q| (*q).into()).collect();
            let pairs: Vec<_> = p.iter().copied().zip(&prepared).collect();
            assert_eq!(product(&pairs), Some(Bn254::multi_pairing(p, q)));
        }
    }

    #[test]
    fn infinity_pairs_to_one() {
        let q: G2Prepared<Config> = G2Affine::generator().into();
        let zero: G2Prepared<Config> = G2Affine::identity().into();
        let g = G1Affine::generator();
        assert_eq!(
            product(&[(G1Affine::identity(), &q)]),
            Some(PairingOutput::ZERO)
        );
        assert_eq!(
            product(&[(g, &zero), (g, &q)]),
            Some(Bn254::pairing(g, G2Affine::generator()))
        );
        assert!(!equals(None, &PairingOutput::ZERO));
    }
}
