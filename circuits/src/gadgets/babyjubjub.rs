//! Baby Jubjub in constraints, on its Montgomery form v² = u³ + 168698·u² + u, with additions that are incomplete:
//! they fail, or leave the slope free, where both points have one u. Every sum here starts from an offset O whose
//! logarithm nobody knows, so to reach such a case is to find a discrete logarithm. That rests on what admits an issuer's key
//! to an issuer set: it is on the curve, in the subgroup, and its owner proved to know the secret.
//!
//! Twisted Edwards (x, y) to Montgomery (u, v), with B = 1: u = (1 + y)/(1 − y), v = u/x; back: x = u/v, y = (u − 1)/(u + 1).

use std::sync::OnceLock;

use ark_ec::{CurveGroup, twisted_edwards::MontCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
use bauta_statement::{
    babyjubjub::{Config, Point, Scalar, base, hash_to_point},
    field::Fr,
};

use crate::{
    gadgets::compare,
    system::{Lc, System},
};

/// A = 168698 of the Montgomery form.
const A: Fr = <Config as MontCurveConfig>::COEFF_A;
/// Bits of a challenge.
const CHALLENGE_BITS: usize = 254;
/// How many of its top bits decide that it is canonical.
const TOP_BITS: usize = 64;
/// Windows of four bits in a response.
const WINDOWS: usize = 63;

/// A point in Montgomery coordinates.
#[derive(Debug, Clone)]
pub struct Montgomery {
    /// First coordinate.
    pub u: Lc,
    /// Second coordinate.
    pub v: Lc,
}

impl Montgomery {
    fn constant([u, v]: [Fr; 2]) -> Self {
        Self {
            u: Lc::constant(u),
            v: Lc::constant(v),
        }
    }

    fn negated(&self) -> Self {
        Self {
            u: self.u.clone(),
            v: -&self.v,
        }
    }

    /// The Montgomery form of Edwards coordinates, which are shown to be on the curve. 5 constraints.
    ///
    /// y(u + 1) = u − 1 · x·v = u · v² = u³ + A·u² + u. It is no proof of this for y = −1, when u = v = 0 and x is anything:
    /// [`Self::double`] has no solution for v = 0.
    pub fn from_edwards(system: &mut System, x: &Lc, y: &Lc) -> Self {
        let value = (Fr::ONE + y.value()) * inverse(Fr::ONE - y.value());
        let u = system.hint("u of a key", value);
        system.enforce(y, &(&u + Fr::ONE), &(&u - Fr::ONE));
        let v = system.quotient("v of a key", &u, x);
        let square = system.product(&u, &u);
        let cube = system.product(&square, &u);
        system.enforce(&v, &v, &curve(&cube, &square, &u));
        Self { u, v }
    }

    /// Edwards coordinates. 2 constraints: x·v = u, y(u + 1) = u − 1. Neither v = 0 nor u = −1 is met: the former is of
    /// order two, and no point has the latter (A − 2 = 168696 is no square).
    pub fn to_edwards(&self, system: &mut System) -> [Lc; 2] {
        let x = system.quotient("x of a commitment", &self.u, &self.v);
        let (above, below) = (&self.u - Fr::ONE, &self.u + Fr::ONE);
        let y = system.quotient("y of a commitment", &above, &below);
        [x, y]
    }

    /// P + Q for u_P ≠ u_Q. 3 constraints: λ(u_Q − u_P) = v_Q − v_P · λ² = u + A + u_P + u_Q · λ(u_P − u) = v + v_P.
    pub fn add(&self, system: &mut System, other: &Self) -> Self {
        let (rise, run) = (&other.v - &self.v, &other.u - &self.u);
        let slope = system.quotient("slope", &rise, &run);
        self.finish(system, &slope, &other.u)
    }

    /// 2P for v ≠ 0. 4 constraints: s = u² · 2λv = 3s + 2A·u + 1 · then as for a sum.
    pub fn double(&self, system: &mut System) -> Self {
        let square = system.product(&self.u, &self.u);
        let numerator = &(&(&square * Fr::from(3)) + &(&self.u * (A + A))) + Fr::ONE;
        let slope = system.quotient("slope of a tangent", &numerator, &(&self.v * Fr::from(2)));
        self.finish(system, &slope, &self.u)
    }

    fn finish(&self, system: &mut System, slope: &Lc, other_u: &Lc) -> Self {
        let known = &(&self.u + other_u) + A;
        let u = system.hint("u of a sum", slope.value().square() - known.value());
        system.enforce(slope, slope, &(&u + &known));
        let value = slope.value() * (self.u.value() - u.value()) - self.v.value();
        let v = system.hint("v of a sum", value);
        system.enforce(slope, &(&self.u - &u), &(&v + &self.v));
        Self { u, v }
    }

    /// 2P + T in 5 constraints, as (P + T) + P without the second coordinate of P + T:
    /// λ(u_T − u) = v_T − v · λ² = u' + A + u + u_T · (λ + μ)(u − u') = 2v · μ² = u'' + A + u + u' · μ(u − u'') = v'' + v.
    pub(crate) fn double_and_add(&self, system: &mut System, other: &Self) -> Self {
        let (rise, run) = (&other.v - &self.v, &other.u - &self.u);
        let slope = system.quotient("slope", &rise, &run);
        let known = &(&self.u + &other.u) + A;
        let value = slope.value().square() - known.value();
        let middle = system.hint("u of a middle sum", value);
        system.enforce(&slope, &slope, &(&middle + &known));
        let twice = &self.v * Fr::from(2);
        let gap = &self.u - &middle;
        let value = twice.value() * inverse(gap.value()) - slope.value();
        let second = system.hint("second slope", value);
        system.enforce(&(&slope + &second), &gap, &twice);
        self.finish(system, &second, &middle)
    }
}

/// u³ + A·u² + u from the powers.
fn curve(cube: &Lc, square: &Lc, u: &Lc) -> Lc {
    let mut right = cube + u;
    right.add_scaled(square, A);
    right
}

/// What ladder and fixed base start from: O, and 2^254·O, which the ladder makes of it.
pub struct Offsets {
    /// Montgomery coordinates of O.
    start: [Fr; 2],
    /// Montgomery coordinates of 2^254·O.
    end: [Fr; 2],
}

/// The offsets, hashed to the curve.
pub fn offsets() -> &'static Offsets {
    static OFFSETS: OnceLock<Offsets> = OnceLock::new();
    OFFSETS.get_or_init(|| {
        let start = hash_to_point("bauta/v1/offset");
        let end = start * Scalar::from(2u64).pow([CHALLENGE_BITS as u64]);
        Offsets {
            start: montgomery(&start),
            end: montgomery(&end.into_affine()),
        }
    })
}

/// What the ladder hands back.
pub struct Ladder {
    /// (2h + 1)·Q + 2^254·O.
    pub point: Montgomery,
    /// v_Q·(2h + 1), of which h is to be shown.
    pub digits: Lc,
}

/// (2h + 1)·Q for 254-bit h, 6 constraints a bit; shows that the h whose digits these are is below the field's modulus, if
/// v_Q ≠ 0.
///
/// Digit i is ±1 (2hᵢ − 1) and appears as Tᵢ = (u_Q, ±v_Q): v_T² = v_Q². So Σᵢ 2ⁱ·v_Tᵢ + 2^254·v_Q = v_Q(2h + 1), which the
/// caller ties to the challenge in one constraint. That determines h modulo r only; so the top 64 bits, in the
/// same way v_Q(2h' + 1), are shown to be *below* those of r. (A challenge whose top bits equal those of r, one in
/// 2^62, cannot be proved: see [`is_provable`].)
pub fn ladder(system: &mut System, q: &Montgomery, h: &BigInt<4>) -> Ladder {
    let v_squared = system.product(&q.v, &q.v);
    let mut accumulator = Montgomery::constant(offsets().start).add(system, q);
    let mut digits = q.v.clone();
    for position in (0..CHALLENGE_BITS).rev() {
        let sign = if h.get_bit(position) {
            Fr::ONE
        } else {
            -Fr::ONE
        };
        let v = system.hint("digit of h", q.v.value() * sign);
        system.enforce(&v, &v, &v_squared);
        digits = &(&digits * Fr::from(2)) + &v;
        accumulator = accumulator.double_and_add(system, &Montgomery { u: q.u.clone(), v });
        if position == CHALLENGE_BITS - TOP_BITS {
            let top = system.hint("top of h", Fr::from(top_bits(h)));
            system.enforce(&q.v, &(&(&top * Fr::from(2)) + Fr::ONE), &digits);
            let limit = Lc::constant(Fr::from(top_bits(&Fr::MODULUS)) - Fr::ONE);
            compare::at_most(system, &top, &limit);
        }
    }
    Ladder {
        point: accumulator,
        digits,
    }
}

/// Whether a challenge's top bits are below those of the modulus, as all but one in 2^62 are.
pub fn is_provable(challenge: &Fr) -> bool {
    top_bits(&challenge.into_bigint()) < top_bits(&Fr::MODULUS)
}

fn top_bits(integer: &BigInt<4>) -> u64 {
    let shift = CHALLENGE_BITS - TOP_BITS;
    (0..TOP_BITS).fold(0, |bits, position| {
        bits | (u64::from(integer.get_bit(shift + position)) << position)
    })
}

/// start + 2^254·O + S·B8, 8 constraints for each of 63 windows and 3 to begin.
///
/// S, or S + l if S is even, is Σ dᵢ·16ⁱ with odd digits |dᵢ| ≤ 15. The u of |d|·16ⁱ·B8 is a root of a polynomial of degree
/// eight, evaluated in u, u², u³, u⁴ with four constraints; the curve's equation leaves exactly the two signs. So the
/// sum is some multiple of B8 and needs no bits of S: which multiple is the prover's choice, as S is.
pub fn fixed_base(system: &mut System, start: &Montgomery, s: &Scalar) -> Montgomery {
    let digits = odd_digits(s);
    let mut sum = Montgomery::constant(offsets().end).add(system, start);
    for (window, digit) in windows().iter().zip(digits) {
        let [u_value, v_value] = window.points[usize::from(digit.unsigned_abs()) / 2];
        let u = system.hint("u of a table point", u_value);
        let square = system.product(&u, &u);
        let cube = system.product(&square, &u);
        let fourth = system.product(&square, &square);
        let powers = [
            Lc::constant(Fr::ONE),
            u.clone(),
            square.clone(),
            cube.clone(),
        ];
        let combine = |coefficients: &[Fr]| {
            let mut sum = Lc::constant(Fr::ZERO);
            for (power, coefficient) in powers.iter().zip(coefficients) {
                sum.add_scaled(power, *coefficient);
            }
            sum
        };
        // u⁴·(u⁴ + c₇u³ + c₆u² + c₅u + c₄) = −(c₃u³ + c₂u² + c₁u + c₀)
        let upper = &fourth + &combine(&window.polynomial[4..]);
        system.enforce(&fourth, &upper, &-&combine(&window.polynomial[..4]));
        let value = if digit < 0 { -v_value } else { v_value };
        let v = system.hint("v of a table point", value);
        system.enforce(&v, &v, &curve(&cube, &square, &u));
        sum = sum.add(system, &Montgomery { u, v });
    }
    sum
}

/// R8 = S·B8 − 8h·A, in Edwards coordinates, with the digits of h. `q` is 4A:
/// (2^254·O + Q + S·B8) − ((2h + 1)·Q + 2^254·O) = S·B8 − 2h·Q.
pub fn response(system: &mut System, q: &Montgomery, h: &BigInt<4>, s: &Scalar) -> ([Lc; 2], Lc) {
    let ladder = ladder(system, q, h);
    let sum = fixed_base(system, q, s);
    let r8 = sum.add(system, &ladder.point.negated());
    (r8.to_edwards(system), ladder.digits)
}

/// One window's points |d|·16ⁱ·B8, d = 1, 3, …, 15, in Montgomery coordinates.
struct Window {
    points: [[Fr; 2]; 8],
    /// Coefficients c₀..c₇ of the monic polynomial whose roots are the u's.
    polynomial: [Fr; 8],
}

fn windows() -> &'static [Window] {
    static WINDOWS_TABLE: OnceLock<Vec<Window>> = OnceLock::new();
    WINDOWS_TABLE.get_or_init(|| {
        let mut unit = base();
        let mut table = Vec::with_capacity(WINDOWS);
        for _ in 0..WINDOWS {
            let twice = (unit + unit).into_affine();
            let mut multiple = unit;
            let points = std::array::from_fn(|_| {
                let point = montgomery(&multiple);
                multiple = (multiple + twice).into_affine();
                point
            });
            let mut polynomial = [Fr::ZERO; 9];
            polynomial[0] = Fr::ONE;
            for [root, _] in &points {
                // Multiply by (X − root), the highest coefficient first.
                for degree in (0..9).rev() {
                    let below = if degree == 0 {
                        Fr::ZERO
                    } else {
                        polynomial[degree - 1]
                    };
                    polynomial[degree] = below - polynomial[degree] * root;
                }
            }
            let mut coefficients = [Fr::ZERO; 8];
            coefficients.copy_from_slice(&polynomial[..8]);
            table.push(Window {
                points,
                polynomial: coefficients,
            });
            // 16·unit is the next odd multiple's neighbour: 17·unit − unit.
            unit = (multiple - unit).into_affine();
        }
        table
    })
}

/// Odd digits of S or S + l to base 16, the lowest first, each in ±1..±15.
fn odd_digits(s: &Scalar) -> [i8; WINDOWS] {
    let mut integer = s.into_bigint();
    if integer.is_even() {
        integer.add_with_carry(&Scalar::MODULUS);
    }
    digits_of_odd(integer)
}

fn digits_of_odd(mut rest: BigInt<4>) -> [i8; WINDOWS] {
    std::array::from_fn(|window| {
        if window == WINDOWS - 1 {
            return (rest.0[0] & 15) as i8;
        }
        // Odd modulo 32, less 16: what remains is odd again after the division by 16.
        let digit = (rest.0[0] & 31) as i8 - 16;
        rest.0[0] &= !31;
        rest >>= 4;
        rest.0[0] |= 1;
        digit
    })
}

pub(crate) fn montgomery(point: &Point) -> [Fr; 2] {
    let u = (Fr::ONE + point.y) * inverse(Fr::ONE - point.y);
    [u, u * inverse(point.x)]
}

fn inverse(value: Fr) -> Fr {
    value.inverse().unwrap_or_default()
}

/// The points, with their signs, of which the fixed base makes an odd integer below 16^63: what a prover with another
/// integer for the same scalar would put there.
#[cfg(test)]
pub(crate) fn table_points(odd: BigInt<4>) -> Vec<[Fr; 2]> {
    windows()
        .iter()
        .zip(digits_of_odd(odd))
        .map(|(window, digit)| {
            let [u, v] = window.points[usize::from(digit.unsigned_abs()) / 2];
            [u, if digit < 0 { -v } else { v }]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt;
    use ark_ec::twisted_edwards::TECurveConfig;
    use ark_ff::UniformRand;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    fn wires(point: &Point) -> Montgomery {
        Montgomery::constant(montgomery(point))
    }

    fn coordinates(point: &Montgomery) -> [Fr; 2] {
        [point.u.value(), point.v.value()]
    }

    #[test]
    fn the_forms_correspond() {
        assert_eq!(A, Fr::from(168_698));
        // With B = 4/(a − d) = 1 the maps need no scaling.
        assert_eq!(
            <Config as TECurveConfig>::COEFF_A - Config::COEFF_D,
            Fr::from(4)
        );
        // No point has u = −1.
        assert!(!(A - Fr::from(2)).legendre().is_qr());
        let point = (base() * Scalar::from(12345u64)).into_affine();
        let [u, v] = montgomery(&point);
        assert_eq!(v.square(), u * u * u + A * u * u + u);
        let mut system = System::new(&[], true);
        let [x, y] = wires(&point).to_edwards(&mut system);
        assert_eq!([x.value(), y.value()], [point.x, point.y]);
    }

    #[test]
    fn additions_agree_with_the_curve() {
        let mut system = System::new(&[], false);
        let p = (base() * Scalar::from(7u64)).into_affine();
        let q = (base() * Scalar::from(1000u64)).into_affine();
        let sum = wires(&p).add(&mut system, &wires(&q));
        assert_eq!(coordinates(&sum), montgomery(&(p + q).into_affine()));
        let double = wires(&p).double(&mut system);
        assert_eq!(coordinates(&double), montgomery(&(p + p).into_affine()));
        let both = wires(&p).double_and_add(&mut system, &wires(&q));
        assert_eq!(coordinates(&both), montgomery(&(p + p + q).into_affine()));
    }

    #[test]
    fn digits_recompose() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for s in [
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            Scalar::rand(&mut rng),
            Scalar::rand(&mut rng),
        ] {
            let digits = odd_digits(&s);
            assert!(
                digits
                    .iter()
                    .all(|digit| digit % 2 != 0 && digit.abs() <= 15)
            );
            let value = digits.iter().rev().fold(Scalar::ZERO, |sum, digit| {
                let magnitude = Scalar::from(u64::from(digit.unsigned_abs()));
                sum * Scalar::from(16u64) + if *digit < 0 { -magnitude } else { magnitude }
            });
            assert_eq!(value, s);
        }
    }

    #[test]
    fn ladder_and_fixed_base_compute_multiples() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let q = (base() * Scalar::rand(&mut rng)).into_affine();
        let h = Fr::rand(&mut rng);
        let s = Scalar::rand(&mut rng);
        let mut system = System::new(&[], true);
        let ([x, y], digits) = response(&mut system, &wires(&q), &h.into_bigint(), &s);
        let expected = (base() * s
            - bauta_statement::babyjubjub::multiply_by_integer(&(q + q).into_affine(), &h))
        .into_affine();
        assert_eq!([x.value(), y.value()], [expected.x, expected.y]);
        assert_eq!(digits.value(), montgomery(&q)[1] * (h + h + Fr::ONE));
    }

    #[test]
    fn the_window_polynomials_vanish_on_their_points_only() {
        for window in windows() {
            let at = |u: Fr| {
                window
                    .polynomial
                    .iter()
                    .rev()
                    .fold(Fr::ONE, |sum, c| sum * u + c)
            };
            assert!(window.points.iter().all(|[u, _]| at(*u) == Fr::ZERO));
            let mut us: Vec<Fr> = window.points.iter().map(|[u, _]| *u).collect();
            us.sort();
            us.dedup();
            assert_eq!(
                us.len(),
                8,
                "a polynomial of degree eight with eight roots has no other"
            );
        }
    }

    #[test]
    fn nearly_all_challenges_are_provable() {
        assert!(is_provable(&Fr::ZERO) && !is_provable(&-Fr::ONE));
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        assert!((0..1000).all(|_| is_provable(&Fr::rand(&mut rng))));
    }

    /// Constraint deletion: as many constraints as unknowns, of full rank, so that each is needed.
    #[test]
    fn every_constraint_of_the_curve_gadgets_is_needed() {
        let p = montgomery(&(base() * Scalar::from(7u64)).into_affine());
        let q = montgomery(&(base() * Scalar::from(1000u64)).into_affine());
        type Gadget = fn(&mut System, &Montgomery, &Montgomery);
        let gadgets: [(&str, Gadget); 5] = [
            ("add", |system, p, q| {
                p.add(system, q);
            }),
            ("double", |system, p, _| {
                p.double(system);
            }),
            ("double and add", |system, p, q| {
                p.double_and_add(system, q);
            }),
            ("to Edwards", |system, p, _| {
                p.to_edwards(system);
            }),
            ("fixed base", |system, p, _| {
                fixed_base(system, p, &Scalar::from(123_456_789u64));
            }),
        ];
        for (name, gadget) in gadgets {
            let build = |recording| {
                let mut system = System::new(&[p[0], p[1], q[0], q[1]], recording);
                let [pu, pv, qu, qv] = std::array::from_fn(|index| system.instance(index));
                gadget(
                    &mut system,
                    &Montgomery { u: pu, v: pv },
                    &Montgomery { u: qu, v: qv },
                );
                system
            };
            let (shape, good) = (build(true).into_r1cs(), build(false).into_assignment());
            assert_eq!(shape.rows.len(), shape.witnesses, "{name}");
            hunt::assert_determined(&shape, &good);
            hunt::assert_rigid(&shape, &good, 1);
        }
    }

    /// Points of the table's form but not in it, and the two signs, are what a window's constraints tell apart.
    #[test]
    fn a_window_holds_its_sixteen_points_only() {
        let start = (base() * Scalar::from(5u64)).into_affine();
        let build = |recording| {
            let mut system = System::new(&[], recording);
            fixed_base(&mut system, &wires(&start), &Scalar::from(99u64));
            system
        };
        let (shape, good) = (build(true).into_r1cs(), build(false).into_assignment());
        shape.check(&good).unwrap();
        // The first window's columns: u, u², u³, u⁴, v after the three of the first sum (slope, u, v).
        let columns = 4..9;
        for point in [
            (base() * Scalar::from(2u64)).into_affine(),
            (base() * Scalar::from(17u64)).into_affine(),
        ] {
            let [u, v] = montgomery(&point);
            let mut bad = good.clone();
            let square = u.square();
            let values = [u, square, square * u, square.square(), v];
            bad.values_mut()[columns.clone()].copy_from_slice(&values);
            let error = shape.check(&bad).unwrap_err();
            assert_eq!(
                error.row, 6,
                "the polynomial: rows 0 to 2 are the first sum, 3 to 5 the powers"
            );
        }
    }
}
