//! Products in Fp12, made of sums of products in Fp2 that are reduced once ([`bauta_statement::fp2`]). On arkworks' own types; its
//! generic tower reduces each product, and a pairing takes twice the time with it.

use ark_bn254::{Fq2, Fq6, Fq12};
use ark_ff::AdditiveGroup;

use bauta_statement::fp2::{by_xi, dot, square};

/// f·(1 + aw + bvw), a line's sparse value.
pub(crate) fn multiply_by_line(f: &mut Fq12, a: &Fq2, b: &Fq2) {
    let (xa, xb) = (by_xi(a), by_xi(b));
    let (g, h) = (f.c0, f.c1);
    f.c0.c0 += dot([(&h.c1, &xb), (&h.c2, &xa)]);
    f.c0.c1 += dot([(&h.c0, a), (&h.c2, &xb)]);
    f.c0.c2 += dot([(&h.c0, b), (&h.c1, a)]);
    f.c1.c0 += dot([(&g.c0, a), (&g.c2, &xb)]);
    f.c1.c1 += dot([(&g.c0, b), (&g.c1, a)]);
    f.c1.c2 += dot([(&g.c1, b), (&g.c2, a)]);
}

fn product6(a: &Fq6, b: &Fq6) -> Fq6 {
    let (x1, x2) = (by_xi(&b.c1), by_xi(&b.c2));
    Fq6::new(
        dot([(&a.c0, &b.c0), (&a.c1, &x2), (&a.c2, &x1)]),
        dot([(&a.c0, &b.c1), (&a.c1, &b.c0), (&a.c2, &x2)]),
        dot([(&a.c0, &b.c2), (&a.c1, &b.c1), (&a.c2, &b.c0)]),
    )
}

/// va in Fp6.
fn by_v(a: &Fq6) -> Fq6 {
    Fq6::new(by_xi(&a.c2), a.c0, a.c1)
}

/// f·g in Fp12 (Karatsuba over Fp6).
pub(crate) fn product12(f: &Fq12, g: &Fq12) -> Fq12 {
    let low = product6(&f.c0, &g.c0);
    let high = product6(&f.c1, &g.c1);
    let crossed = product6(&(f.c0 + f.c1), &(g.c0 + g.c1));
    Fq12::new(low + by_v(&high), crossed - low - high)
}

/// f² in Fp12 (complex squaring).
pub(crate) fn square12(f: &Fq12) -> Fq12 {
    let half = product6(&f.c0, &f.c1);
    let all = product6(&(f.c0 + f.c1), &(f.c0 + by_v(&f.c1)));
    Fq12::new(all - half - by_v(&half), half.double())
}

/// f² for f of the cyclotomic subgroup, where every value is after the easy part of the final exponentiation: Granger and
/// Scott, ePrint 2009/565, section 3.2.
pub(crate) fn cyclotomic_square(f: &Fq12) -> Fq12 {
    // (a + bs)² in Fp4 = Fp2[s]/(s² − ξ).
    let square4 = |a: &Fq2, b: &Fq2| {
        let (a2, b2) = (square(a), square(b));
        (a2 + by_xi(&b2), square(&(*a + b)) - a2 - b2)
    };
    let (t0, t1) = square4(&f.c0.c0, &f.c1.c1);
    let (t2, t3) = square4(&f.c1.c0, &f.c0.c2);
    let (t4, t5) = square4(&f.c0.c1, &f.c1.c2);
    let minus = |t: Fq2, z: &Fq2| (t - z).double() + t;
    let plus = |t: Fq2, z: &Fq2| (t + z).double() + t;
    Fq12::new(
        Fq6::new(
            minus(t0, &f.c0.c0),
            minus(t2, &f.c0.c1),
            minus(t4, &f.c0.c2),
        ),
        Fq6::new(
            plus(by_xi(&t5), &f.c1.c0),
            plus(t1, &f.c1.c1),
            plus(t3, &f.c1.c2),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::pairing::{MillerLoopOutput, Pairing};
    use ark_ff::{CyclotomicMultSubgroup, Field, UniformRand, Zero};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn the_tower_agrees_with_arkworks() {
        let mut rng = ChaCha20Rng::seed_from_u64(52);
        for _ in 0..50 {
            let (f, g) = (Fq12::rand(&mut rng), Fq12::rand(&mut rng));
            assert_eq!(product12(&f, &g), f * g);
            assert_eq!(square12(&f), f.square());
            let (a, b) = (Fq2::rand(&mut rng), Fq2::rand(&mut rng));
            let line = Fq12::new(Fq6::ONE, Fq6::new(a, b, Fq2::zero()));
            let mut product = f;
            multiply_by_line(&mut product, &a, &b);
            assert_eq!(product, f * line);
            let cyclotomic = ark_bn254::Bn254::final_exponentiation(MillerLoopOutput(f))
                .unwrap()
                .0;
            assert_eq!(
                cyclotomic_square(&cyclotomic),
                cyclotomic.cyclotomic_square()
            );
        }
    }
}
