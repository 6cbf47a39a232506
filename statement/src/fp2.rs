//! Products in Fp2 with lazy reduction: sums of products are kept in 512 bits and reduced once. On arkworks' own type, whose
//! generic product takes a third longer.
//!
//! Bounds. p = 0.189·2²⁵⁶, so p² = 0.0357·2⁵¹². A sum of at most three products in Fp2 has both coefficients in [0, 6p²) once
//! 3p² is added to the real one, and 6p² < 2⁵¹². Montgomery reduction of T < 6p² gives less than T/2²⁵⁶ + p < 2.14p: at most two
//! subtractions of p make it canonical, which every result here is.

use ark_bn254::{Fq, Fq2};
use ark_ff::{AdditiveGroup, BigInt, Fp, PrimeField};

type Limbs = [u64; 4];
type Wide = [u64; 8];

const P: Limbs = Fq::MODULUS.0;
/// −p⁻¹ modulo 2⁶⁴.
const INVERSE: u64 = negated_inverse(P[0]);
/// p².
const P_SQUARED: Wide = multiply(&P, &P);

const fn negated_inverse(p: u64) -> u64 {
    // Newton: each round doubles the bits that are right, from the five of p·(3p ⊕ 2).
    let mut inverse = p.wrapping_mul(3) ^ 2;
    let mut round = 0;
    while round < 4 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
        round += 1;
    }
    inverse.wrapping_neg()
}

/// a + b·c + carry, in two words.
#[inline(always)]
const fn multiply_add(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let t = a as u128 + (b as u128) * (c as u128) + carry as u128;
    (t as u64, (t >> 64) as u64)
}

#[inline(always)]
#[allow(
    clippy::indexing_slicing,
    reason = "constant bounds; const fn has no iterators"
)]
const fn multiply(a: &Limbs, b: &Limbs) -> Wide {
    let mut out = [0; 8];
    let mut i = 0;
    while i < 4 {
        let mut carry = 0;
        let mut j = 0;
        while j < 4 {
            (out[i + j], carry) = multiply_add(out[i + j], a[i], b[j], carry);
            j += 1;
        }
        out[i + 4] = carry;
        i += 1;
    }
    out
}

/// a + b, below 2^(64·N) by the bounds above.
#[inline(always)]
fn add<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let mut out = *a;
    let mut carry = false;
    for (out, b) in out.iter_mut().zip(b) {
        let (sum, first) = out.overflowing_add(*b);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        *out = sum;
        carry = first | second;
    }
    out
}

/// a − b modulo 2^(64·N), and whether it borrowed.
#[inline(always)]
fn subtract<const N: usize>(a: &[u64; N], b: &[u64; N]) -> ([u64; N], bool) {
    let mut out = *a;
    let mut borrow = false;
    for (out, b) in out.iter_mut().zip(b) {
        let (difference, first) = out.overflowing_sub(*b);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *out = difference;
        borrow = first | second;
    }
    (out, borrow)
}

#[inline(always)]
fn subtract_p(a: Limbs) -> Limbs {
    let (less, borrow) = subtract(&a, &P);
    if borrow { a } else { less }
}

/// Montgomery reduction of T < 6p².
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "constant bounds, unrolled")]
fn reduce(mut t: Wide) -> Fq {
    let mut top = 0;
    for i in 0..4 {
        let k = t[i].wrapping_mul(INVERSE);
        let mut carry = 0;
        for j in 0..4 {
            (t[i + j], carry) = multiply_add(t[i + j], k, P[j], carry);
        }
        let (sum, first) = t[i + 4].overflowing_add(carry);
        let (sum, second) = sum.overflowing_add(top);
        t[i + 4] = sum;
        top = u64::from(first | second);
    }
    let [_, _, _, _, a, b, c, d] = t;
    Fp::new_unchecked(BigInt(subtract_p(subtract_p([a, b, c, d]))))
}

/// Σ aᵢbᵢ in Fp2, of at most three products: three multiplications each (Karatsuba), and two reductions in all.
#[inline(always)]
pub fn dot<const N: usize>(terms: [(&Fq2, &Fq2); N]) -> Fq2 {
    const { assert!(N >= 1 && N <= 3, "the bounds above") };
    let mut real = [0; 8];
    let mut imaginary = [0; 8];
    let mut crossed = [0; 8];
    for (a, b) in terms {
        let (a0, a1) = (&a.c0.0.0, &a.c1.0.0);
        let (b0, b1) = (&b.c0.0.0, &b.c1.0.0);
        real = add(&real, &multiply(a0, b0));
        imaginary = add(&imaginary, &multiply(a1, b1));
        crossed = add(&crossed, &multiply(&add(a0, a1), &add(b0, b1)));
    }
    let crossed = subtract(&subtract(&crossed, &real).0, &imaginary).0;
    let mut difference = subtract(&real, &imaginary).0;
    for _ in 0..N {
        difference = add(&difference, &P_SQUARED);
    }
    Fq2::new(reduce(difference), reduce(crossed))
}

/// a·b in Fp2.
#[inline(always)]
pub fn product(a: &Fq2, b: &Fq2) -> Fq2 {
    dot([(a, b)])
}

/// a² in Fp2: two multiplications.
#[inline(always)]
pub fn square(a: &Fq2) -> Fq2 {
    Fq2::new((a.c0 + a.c1) * (a.c0 - a.c1), (a.c0 * a.c1).double())
}

/// ξa, with ξ = 9 + u, the non-residue that Fp6 is made with.
#[inline(always)]
pub fn by_xi(a: &Fq2) -> Fq2 {
    let nine = |x: Fq| x.double().double().double() + x;
    Fq2::new(nine(a.c0) - a.c1, nine(a.c1) + a.c0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{Field, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    /// Random elements, and the ones with the largest coefficients.
    fn elements() -> Vec<Fq2> {
        let mut rng = ChaCha20Rng::seed_from_u64(51);
        let corner = [Fq::ZERO, Fq::ONE, -Fq::ONE, Fq::from(2u64)];
        // −1 in Montgomery form is not the largest representative: this one is.
        let largest = Fp::new_unchecked(BigInt(subtract(&P, &[1, 0, 0, 0]).0));
        let mut all: Vec<Fq2> = corner
            .into_iter()
            .chain([largest])
            .flat_map(|a| {
                corner
                    .into_iter()
                    .chain([largest])
                    .map(move |b| Fq2::new(a, b))
            })
            .collect();
        all.extend((0..20).map(|_| Fq2::rand(&mut rng)));
        all
    }

    #[test]
    fn products_agree_with_arkworks() {
        let all = elements();
        for (i, a) in all.iter().enumerate() {
            assert_eq!(square(a), a.square());
            assert_eq!(by_xi(a), *a * Fq2::new(Fq::from(9u64), Fq::ONE));
            for (j, b) in all.iter().enumerate() {
                let (c, d) = (&all[(i * 7 + j) % all.len()], &all[(i + 3 * j) % all.len()]);
                assert_eq!(product(a, b), *a * b);
                assert_eq!(dot([(a, b), (c, d)]), *a * b + *c * d);
                assert_eq!(dot([(a, b), (c, d), (b, c)]), *a * b + *c * d + *b * c);
                assert_eq!(dot([(a, b), (a, b), (a, b)]), *a * b * Fq2::from(3u64));
            }
        }
    }
}
