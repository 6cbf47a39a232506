//! The product of pairings, and with it the subgroup test of its points.
//!
//! All pairs walk the Miller loop in step. Points of G2 are affine, because the inversions of one step cost one inversion
//! for all of them; lines are scaled to 1 + aw + bvw (a factor of the base field is gone after the final exponentiation), which
//! is a third cheaper to multiply by; and there is one chain of squarings, and one final exponentiation.
//!
//! The loop of the optimal ate pairing ends at `[6x+2]Q + ψ(Q) − ψ²(Q)`, with ψ the twisted Frobenius. For Q of the twist that
//! is −ψ³(Q) *if and only if* Q is in G2, so the loop tests its own points:
//! the twist has r·ℓ₁ℓ₂ℓ₃ℓ₄ points, five different primes (`OTHER_PRIMES` in the tests below), so it is the sum of cyclic subgroups
//! of these orders, which ψ, a homomorphism, maps to themselves. On a cyclic group of prime order 6x+2 + ψ − ψ² + ψ³ is a
//! multiplication: it kills all points or only zero. G2 it kills, since ψ is there multiplication by p, and
//! 6x+2 + p − p² + p³ ≡ 0 modulo r (Vercauteren, "Optimal pairings", section IV-A). That it does not kill the four others is shown
//! by one point of each, in a test. The method is that of ePrint 2022/348, with another short vector.
//!
//! A chord or tangent without a slope is met by no point of G2: in the loop T is a multiple of Q by 2 to 6x+2 < r, and so neither
//! infinity nor ±Q, nor in the last steps ±ψ(Q) or ±ψ²(Q), which are other multiples. Whoever meets one is not in G2 either.

use ark_bn254::{Bn254, Config, Fq, Fq2, Fq12, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::bn::BnConfig;
use ark_ec::pairing::PairingOutput;
use ark_ff::fields::serial_batch_inversion_and_mul;
use ark_ff::{AdditiveGroup, CyclotomicMultSubgroup, Field, Zero};

use bauta_statement::fp2::{product, square};

use crate::tower::{cyclotomic_square, multiply_by_line, product12, square12};

/// A line λX − Y + c through points of the twist, c = λx − y for each of them.
#[derive(Debug, Clone, Copy)]
struct Line {
    slope: Fq2,
    intercept: Fq2,
}

/// The lines of a fixed point of G2, in the order of the Miller loop.
#[derive(Debug)]
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// The lines of a point that is known to be in G2 and not infinity.
    pub(crate) fn new(point: &G2Affine) -> Self {
        let mut walk = Walk::new(std::iter::once(*point));
        let mut lines = Vec::with_capacity(90);
        for step in steps() {
            lines.extend_from_slice(walk.lines(step));
        }
        debug_assert!(walk.outside().is_empty(), "a point of G2");
        Self(lines)
    }
}

/// Places of the points that are not in G2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outside(pub(crate) Vec<usize>);

/// What a Miller loop makes of pairs; [`Self::finish`] makes the product of pairings of it.
pub(crate) struct MillerProduct(Fq12);

impl MillerProduct {
    /// The final exponentiation.
    pub(crate) fn finish(&self) -> PairingOutput<Bn254> {
        PairingOutput(final_exponentiation(&self.0))
    }
}

/// Π e(Pᵢ, Qᵢ), but for the final exponentiation, over `pairs`, whose Q are on the twist and are tested to be in G2 and not
/// infinity, and over `fixed`, whose Q are known to be. A pair with P at infinity is one, as it should be.
pub(crate) fn miller_loop(
    pairs: &[(G1Affine, G2Affine)],
    fixed: &[(G1Affine, &Lines)],
) -> Result<MillerProduct, Outside> {
    let points = evaluation_points(
        pairs
            .iter()
            .map(|(p, _)| p)
            .chain(fixed.iter().map(|(p, _)| p)),
    );
    let (points, fixed_points) = points.split_at(pairs.len());
    let mut walk = Walk::new(pairs.iter().map(|(_, q)| *q));
    let mut fixed: Vec<_> = fixed
        .iter()
        .map(|(_, lines)| lines.0.iter())
        .zip(fixed_points)
        .collect();
    let mut f = Fq12::ONE;
    for (number, step) in steps().enumerate() {
        if step == Step::Double && number > 0 {
            f = square12(&f);
        }
        for (line, point) in walk.lines(step).iter().zip(points) {
            point.multiply(&mut f, line);
        }
        for (lines, point) in &mut fixed {
            if let Some(line) = lines.next() {
                point.multiply(&mut f, line);
            }
        }
    }
    let outside = walk.outside();
    if outside.is_empty() {
        Ok(MillerProduct(f))
    } else {
        Err(Outside(outside))
    }
}

/// −x/y and 1/y of a point of G1; zeros for infinity, which make every line 1.
struct EvaluationPoint {
    minus_x_over_y: Fq,
    one_over_y: Fq,
}

fn evaluation_points<'a>(
    points: impl Iterator<Item = &'a G1Affine> + Clone,
) -> Vec<EvaluationPoint> {
    // No point of G1 has y = 0: the order is odd.
    let mut inverses: Vec<Fq> = points
        .clone()
        .map(|p| if p.is_zero() { Fq::ZERO } else { p.y })
        .collect();
    serial_batch_inversion_and_mul(&mut inverses, &Fq::ONE);
    inverses
        .into_iter()
        .zip(points)
        .map(|(one_over_y, p)| EvaluationPoint {
            minus_x_over_y: -p.x * one_over_y,
            one_over_y,
        })
        .collect()
}

impl EvaluationPoint {
    /// Multiplies by the line at this point, divided by y: 1 − λ(x/y)w + (c/y)vw. The twist is of type D.
    fn multiply(&self, f: &mut Fq12, line: &Line) {
        let (mut a, mut b) = (line.slope, line.intercept);
        a.mul_assign_by_fp(&self.minus_x_over_y);
        b.mul_assign_by_fp(&self.one_over_y);
        multiply_by_line(f, &a, &b);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Double,
    Add,
    Subtract,
    /// ψ(Q) is added.
    AddFrobenius,
    /// ψ²(Q) is subtracted.
    SubtractFrobeniusTwice,
}

/// The digits of 6x + 2 from the top, where the first only starts the chain; then the two Frobenius steps. BN254's x is
/// positive.
fn steps() -> impl Iterator<Item = Step> {
    Config::ATE_LOOP_COUNT
        .iter()
        .rev()
        .skip(1)
        .flat_map(|digit| {
            let addition = match digit {
                0 => None,
                1.. => Some(Step::Add),
                _ => Some(Step::Subtract),
            };
            std::iter::once(Step::Double).chain(addition)
        })
        .chain([Step::AddFrobenius, Step::SubtractFrobeniusTwice])
}

/// Points of the twist on their way through the Miller loop.
struct Walk {
    points: Vec<Walker>,
    /// Scratch: the denominators' norms, then their inverses; and the lines of the step.
    norms: Vec<Fq>,
    lines: Vec<Line>,
}

struct Walker {
    q: G2Affine,
    x: Fq2,
    y: Fq2,
    /// The slope's parts in this step.
    numerator: Fq2,
    denominator: Fq2,
    /// Infinity, or met a line without a slope.
    lost: bool,
}

impl Walk {
    fn new(points: impl Iterator<Item = G2Affine>) -> Self {
        Self {
            points: points
                .map(|q| Walker {
                    q,
                    x: q.x,
                    y: q.y,
                    numerator: Fq2::ZERO,
                    denominator: Fq2::ZERO,
                    lost: q.is_zero(),
                })
                .collect(),
            norms: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Takes a step with all points; the lines that it goes along.
    fn lines(&mut self, step: Step) -> &[Line] {
        self.norms.clear();
        for walker in &mut self.points {
            walker.set_slope(step);
            let Fq2 { c0, c1, .. } = walker.denominator;
            self.norms.push(c0 * c0 + c1 * c1);
        }
        // 1/(a + bu) = (a − bu)/(a² + b²): the inversions are in the base field. −1 is no square, so a norm is 0 only if its
        // element is; such are left out, and stay 0.
        serial_batch_inversion_and_mul(&mut self.norms, &Fq::ONE);
        self.lines.clear();
        for (walker, inverse) in self.points.iter_mut().zip(&self.norms) {
            self.lines.push(walker.advance(step, inverse));
        }
        &self.lines
    }

    /// At the end of the loop: who is not in G2.
    fn outside(&self) -> Vec<usize> {
        let missed = |walker: &Walker| {
            let goal = -frobenius(&frobenius(&frobenius(&walker.q)));
            walker.lost || walker.x != goal.x || walker.y != goal.y
        };
        self.points
            .iter()
            .enumerate()
            .filter(|(_, walker)| missed(walker))
            .map(|(place, _)| place)
            .collect()
    }
}

impl Walker {
    /// What is added in a step other than a doubling.
    fn addend(&self, step: Step) -> G2Affine {
        match step {
            Step::Subtract => -self.q,
            Step::AddFrobenius => frobenius(&self.q),
            Step::SubtractFrobeniusTwice => -frobenius(&frobenius(&self.q)),
            Step::Double | Step::Add => self.q,
        }
    }

    fn set_slope(&mut self, step: Step) {
        if step == Step::Double {
            let square = square(&self.x);
            self.numerator = square + square + square;
            self.denominator = self.y + self.y;
        } else {
            let addend = self.addend(step);
            self.numerator = self.y - addend.y;
            self.denominator = self.x - addend.x;
        }
    }

    /// Goes to the sum, given the inverse of the denominator's norm.
    fn advance(&mut self, step: Step, inverse: &Fq) -> Line {
        self.lost |= inverse.is_zero();
        let mut inverse_denominator = self.denominator;
        inverse_denominator.conjugate_in_place();
        inverse_denominator.mul_assign_by_fp(inverse);
        let slope = product(&self.numerator, &inverse_denominator);
        let intercept = product(&slope, &self.x) - self.y;
        let other = if step == Step::Double {
            self.x
        } else {
            self.addend(step).x
        };
        let x = square(&slope) - self.x - other;
        self.y = intercept - product(&slope, &x);
        self.x = x;
        Line { slope, intercept }
    }
}

/// ψ: untwist, Frobenius, twist.
fn frobenius(q: &G2Affine) -> G2Affine {
    let mut image = *q;
    image.x.conjugate_in_place();
    image.y.conjugate_in_place();
    image.x = product(&image.x, &Config::TWIST_MUL_BY_Q_X);
    image.y = product(&image.y, &Config::TWIST_MUL_BY_Q_Y);
    image
}

/// f^((p¹² − 1)/r·s) with arkworks' s, 2x(6x² + 3x + 1): Fuentes-Castañeda, Knapp, Rodríguez-Henríquez, "Faster hashing to G2",
/// as arkworks has it, with this crate's faster products. A Miller loop's output is not zero.
fn final_exponentiation(f: &Fq12) -> Fq12 {
    let conjugate = |f: &Fq12| {
        let mut f = *f;
        f.conjugate_in_place();
        f
    };
    let frobenius = |f: &Fq12, power| {
        let mut f = *f;
        f.frobenius_map_in_place(power);
        f
    };
    let easy = product12(&conjugate(f), &f.inverse().unwrap_or(Fq12::ZERO));
    let r = product12(&frobenius(&easy, 2), &easy);
    let y0 = power_of_minus_x(&r);
    let y1 = cyclotomic_square(&y0);
    let y2 = cyclotomic_square(&y1);
    let y3 = product12(&y2, &y1);
    let y4 = power_of_minus_x(&y3);
    let y5 = cyclotomic_square(&y4);
    let y6 = conjugate(&power_of_minus_x(&y5));
    let y3 = conjugate(&y3);
    let y7 = product12(&y6, &y4);
    let y8 = product12(&y7, &y3);
    let y9 = product12(&y8, &y1);
    let y10 = product12(&y8, &y4);
    let y11 = product12(&y10, &r);
    let y13 = product12(&frobenius(&y9, 1), &y11);
    let y14 = product12(&frobenius(&y8, 2), &y13);
    let y15 = frobenius(&product12(&conjugate(&r), &y9), 3);
    product12(&y15, &y14)
}

/// f⁻ˣ in the cyclotomic subgroup, where inverses are conjugates, by the curve's 63-bit x in signed windows.
fn power_of_minus_x(f: &Fq12) -> Fq12 {
    // f, f³, f⁵, f⁷.
    let square = cyclotomic_square(f);
    let mut odd = [*f; 4];
    let mut last = *f;
    for power in odd.iter_mut().skip(1) {
        last = product12(&last, &square);
        *power = last;
    }
    let mut result: Option<Fq12> = None;
    for digit in X_DIGITS.iter().rev() {
        if let Some(result) = &mut result {
            *result = cyclotomic_square(result);
        }
        if *digit != 0
            && let Some(power) = odd.get(usize::from(digit.unsigned_abs()) / 2)
        {
            let mut power = *power;
            if *digit < 0 {
                power.conjugate_in_place();
            }
            result = Some(result.map_or(power, |result| product12(&result, &power)));
        }
    }
    let mut result = result.unwrap_or(Fq12::ONE);
    result.cyclotomic_inverse_in_place();
    result
}

/// Width-4 non-adjacent digits of x, lowest first.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which has no iterators there"
)]
const X_DIGITS: [i8; 64] = {
    let mut digits = [0; 64];
    let mut rest = Config::X[0];
    let mut place = 0;
    while rest != 0 {
        if rest & 1 == 1 {
            let low = (rest & 15) as i8;
            digits[place] = if low > 8 { low - 16 } else { low };
            rest = rest.wrapping_sub(digits[place] as u64);
        }
        rest >>= 1;
        place += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fr, G1Projective, G2Projective};
    use ark_ec::pairing::{MillerLoopOutput, Pairing};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::{PrimeField, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(31)
    }

    fn pairings(
        pairs: &[(G1Affine, G2Affine)],
        fixed: &[(G1Affine, &Lines)],
    ) -> Result<PairingOutput<Bn254>, Outside> {
        miller_loop(pairs, fixed).map(|product| product.finish())
    }

    #[test]
    fn agrees_with_arkworks_for_any_number_of_pairs() {
        let mut rng = rng();
        for count in 0..7 {
            let p: Vec<_> = (0..count)
                .map(|_| G1Projective::rand(&mut rng).into_affine())
                .collect();
            let q: Vec<_> = (0..count)
                .map(|_| G2Projective::rand(&mut rng).into_affine())
                .collect();
            let expected = Bn254::multi_pairing(&p, &q);
            for fixed in 0..=count {
                let lines: Vec<_> = q[..fixed].iter().map(Lines::new).collect();
                let fixed_pairs: Vec<_> = p.iter().copied().zip(&lines).collect();
                let pairs: Vec<_> = p.iter().copied().zip(q.clone()).skip(fixed).collect();
                assert_eq!(pairings(&pairs, &fixed_pairs), Ok(expected));
            }
        }
    }

    #[test]
    fn the_final_exponentiation_is_arkworks() {
        let mut rng = rng();
        for _ in 0..10 {
            let f = Fq12::rand(&mut rng);
            let expected = Bn254::final_exponentiation(MillerLoopOutput(f)).unwrap().0;
            assert_eq!(final_exponentiation(&f), expected);
        }
    }

    #[test]
    fn infinity_in_g1_pairs_to_one_and_in_g2_is_refused() {
        let (g, h) = (G1Affine::generator(), G2Affine::generator());
        let lines = Lines::new(&h);
        let one = PairingOutput::ZERO;
        assert_eq!(pairings(&[(G1Affine::identity(), h)], &[]), Ok(one));
        assert_eq!(pairings(&[], &[(G1Affine::identity(), &lines)]), Ok(one));
        assert_eq!(pairings(&[], &[]), Ok(one));
        assert_eq!(
            pairings(&[(g, h), (g, G2Affine::identity())], &[]),
            Err(Outside(vec![1]))
        );
    }

    /// The primes beside r that divide the number of points of the twist, 2p − r of them times r.
    const OTHER_PRIMES: [&[u64]; 4] = [
        &[10069],
        &[5_864_401],
        &[1_875_725_156_269],
        &[
            0x9b6e_0b35_8e0d_894d,
            0xe9da_b924_0f0c_6ab8,
            0x0002_1031_5729_f570,
        ],
    ];

    /// A point of each of these orders.
    fn points_of_small_order(rng: &mut ChaCha20Rng) -> [G2Affine; 4] {
        let others = |order: usize| {
            OTHER_PRIMES
                .into_iter()
                .enumerate()
                .filter(move |(other, _)| *other != order)
        };
        std::array::from_fn(|order| {
            loop {
                let Some(q) = G2Affine::get_point_from_x_unchecked(Fq2::rand(rng), false) else {
                    continue;
                };
                let point = others(order).fold(q.mul_bigint(Fr::MODULUS), |point, (_, prime)| {
                    point.mul_bigint(prime)
                });
                assert!(point.mul_bigint(OTHER_PRIMES[order]).is_zero());
                if !point.is_zero() {
                    return point.into_affine();
                }
            }
        })
    }

    /// The proof that the loop's test is right needs one point of each prime order that divides the cofactor.
    #[test]
    fn the_loop_does_not_end_as_in_g2_for_the_other_prime_orders() {
        let mut rng = rng();
        let end = |q: &G2Affine| {
            // By definition, without the loop.
            let x = q.mul_bigint(Config::X);
            let once = frobenius(q);
            let twice = frobenius(&once);
            x.double().double() + x.double() + q + q + once - twice + frobenius(&twice)
        };
        assert!(end(&G2Affine::generator()).is_zero());
        for q in points_of_small_order(&mut rng) {
            assert!(q.is_on_curve() && !end(&q).is_zero());
        }
    }

    /// Points of the twist: outside G2; of the cofactor's order and of each of its primes', which are a multiple of Q by less than
    /// 6x+2 for three; and these added to a point of G2.
    #[test]
    fn points_outside_the_subgroup_are_found_and_named() {
        let mut rng = rng();
        let g = G1Affine::generator();
        for _ in 0..10 {
            let Some(q) = G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), false) else {
                continue;
            };
            let inside = q.clear_cofactor();
            let cofactor = q.mul_bigint(Fr::MODULUS).into_affine();
            let mut points = vec![inside, q, cofactor, inside];
            points.extend(points_of_small_order(&mut rng));
            for position in 1..points.len() {
                points.push((points[position] + inside).into_affine());
            }
            let outside: Vec<_> = points
                .iter()
                .enumerate()
                .filter(|(_, q)| !q.is_in_correct_subgroup_assuming_on_curve())
                .map(|(place, _)| place)
                .collect();
            assert!(
                !outside.contains(&0) && !outside.contains(&3) && outside.len() == points.len() - 3
            );
            let pairs: Vec<_> = points.iter().map(|q| (g, *q)).collect();
            assert_eq!(pairings(&pairs, &[]), Err(Outside(outside)));
        }
    }
}
