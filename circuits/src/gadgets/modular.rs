//! Products modulo an integer of RSA's size.
//!
//! X·Y = Q·N + R over the integers, in three steps.
//!
//! 1. *Coefficients.* X, Y, Q, N are polynomials with their limbs as coefficients, at 2^16 the integers. With k limbs, a
//!    power of two, XY − QN has a degree below 2k − 1, so its values at the 2k roots of unity of order 2k are as good as its
//!    coefficients cᵢ: two constraints a root, uⱼ = X(ωʲ)·Y(ωʲ) and vⱼ = Q(ωʲ)·N(ωʲ), and each cᵢ is a linear combination of
//!    them. The cᵢ are small integers, because limbs are.
//! 2. *Carries.* Σ (cᵢ − rᵢ)·2^(16i) = 0 is shown from the lowest up, several coefficients at a time: their sum and the carry
//!    before is the carry after times a power of two. Each carry is ranged. All bounds are computed as exact integers when the
//!    circuit is built, and no sum can reach r, so that equal in F is equal.
//! 3. *Every other remainder is lazy.* It need not have small limbs to be a factor again: its cᵢ will do, the upper half
//!    of them folded into the top one as a single ranged word.
//!
//! Witness values are computed with num-bigint, which does not erase its memory.

use std::ops::Range;

use ark_ff::{AdditiveGroup, FftField, Field};
use bauta_statement::field::Fr;
use num_bigint::{BigInt, BigUint};

use super::{
    bounds::{Bounds, convolve, element, floor, groups, interval, narrow, weigh},
    compare,
    natural::{LIMB, Natural},
};
use crate::system::{Lc, System};

/// A polynomial in 2^16, by its values at the roots of unity.
#[derive(Clone)]
pub struct Factor {
    /// At 1, ω, ω², ….
    values: Vec<Lc>,
    /// Of each coefficient.
    bounds: Vec<Bounds>,
    /// What it is at 2^16, under the current assignment.
    integer: BigInt,
}

/// A modulus, with what all products need of it.
pub struct Modulus {
    factor: Factor,
    limbs: usize,
    /// 1, ω, ω², …: the 2k-th roots of unity, for k limbs.
    roots: Vec<Fr>,
    /// Σ_{i<k} ω^(id)/2k for each d: what the value at one root adds, at another, to the value of the lower half.
    lower: Vec<Fr>,
}

/// A number with its bounds, taken away from a coefficient.
pub struct Bounded {
    number: Lc,
    bounds: Bounds,
}

/// XY − QN.
struct Difference {
    values: Vec<Lc>,
    bounds: Vec<Bounds>,
    integer: BigInt,
}

impl Modulus {
    /// Of as many limbs as a power of two, and not one alone.
    ///
    /// # Panics
    /// If it has not so many: the circuit's fault, and not what is proved.
    pub fn new(modulus: &Natural) -> Self {
        let limbs = modulus.limbs().len();
        // One alone has no upper half to fold.
        assert!(
            limbs.is_power_of_two() && limbs > 1,
            "limbs as a power of two"
        );
        let root = Fr::get_root_of_unity(2 * limbs as u64).unwrap_or_default();
        // Of the whole order, or values would not determine coefficients.
        assert_eq!(root.pow([limbs as u64]), -Fr::ONE);
        let mut roots = vec![Fr::ONE];
        while roots.len() < 2 * limbs {
            roots.extend(roots.last().map(|last| *last * root));
        }
        let scale = Fr::from(2 * limbs as u64).inverse().unwrap_or_default();
        let lower = (0..2 * limbs).map(|d| {
            let powers = (0..limbs).map(|i| roots[i * d % (2 * limbs)]);
            powers.sum::<Fr>() * scale
        });
        Self {
            factor: Factor::at(&roots, modulus),
            limbs,
            lower: lower.collect(),
            roots,
        }
    }

    /// An integer as a factor.
    pub fn factor(&self, number: &Natural) -> Factor {
        Factor::at(&self.roots, number)
    }

    /// x^65537 is congruent to `result` modulo this one: 73,831 constraints for 128 limbs.
    pub fn power_65537_is(&self, system: &mut System, base: &Natural, result: &[Bounded]) {
        let base = self.factor(base);
        let mut power = base.clone();
        for _ in 0..8 {
            let lazy = self.square_lazily(system, &power);
            power = self.factor(&self.square(system, &lazy));
        }
        self.product_is(system, &power, &base, result);
    }

    /// The square of a factor, as one with small limbs. 6,069 constraints for 128 limbs, if the factor is a lazy square.
    pub fn square(&self, system: &mut System, x: &Factor) -> Natural {
        let difference = self.difference(system, x, x);
        let value = difference.integer.to_biguint().unwrap_or_default();
        let remainder = Natural::witness(system, "limb of a remainder", &value, self.limbs);
        let small = remainder.limbs().iter();
        let small: Vec<Bounded> = small.map(|limb| Bounded::of_bits(limb, LIMB)).collect();
        self.vanishes(system, &difference, 0..2 * self.limbs - 1, &small);
        remainder
    }

    /// The square of a factor, by its coefficients alone. 2,788 constraints for 128 limbs, if the factor has small limbs.
    ///
    /// P = X² − QN of degree below 2k − 1 is L + 2^(16k)·U at 2^16, L of degree below k. U(2^16) is shown to be a small
    /// word h. What is handed on is L + h·2^16·t^(k−1), the same at 2^16. h fits for every Q that leaves a remainder from 0 to below
    /// 2^(16k).
    pub fn square_lazily(&self, system: &mut System, x: &Factor) -> Factor {
        let k = self.limbs;
        let difference = self.difference(system, x, x);
        let mut bounds = difference.bounds.clone();
        bounds.truncate(k);
        let (low, high) = weigh(&bounds);
        let size = LIMB * k as u32;
        let end = BigInt::from(1) << size;
        let ((first, last), width) = interval(&floor(&-high, size), &floor(&(end - low), size));
        let word = (narrow(&first), narrow(&last));

        let base = Fr::from(1u64 << LIMB);
        let fold = self.window(&difference, k..2 * k - 1, base);
        let fold = system.hint("upper half", fold.value());
        compare::range(system, &(&fold - element(&first)), width);
        let folded = Bounded::new(&fold, word);
        self.vanishes(system, &difference, k..2 * k - 1, &[folded]);

        if let Some(top) = bounds.last_mut() {
            top.0 += word.0 << LIMB;
            top.1 += word.1 << LIMB;
        }
        // L at each root, and what is folded in.
        let values = self.roots.iter().enumerate().map(|(place, root)| {
            let weights = (0..2 * k).map(|j| self.lower[(2 * k + place - j) % (2 * k)]);
            let low = difference.values.iter().zip(weights);
            let folded = (&fold, base * root.pow([k as u64 - 1]));
            Lc::combine(low.chain([folded]))
        });
        Factor {
            values: values.collect(),
            bounds,
            integer: difference.integer,
        }
    }

    /// x·y is congruent modulo this one to the integer that these numbers are at 2^16, from the lowest up. 2,975 constraints for 128
    /// limbs, if the factors have small limbs.
    pub fn product_is(&self, system: &mut System, x: &Factor, y: &Factor, result: &[Bounded]) {
        let difference = self.difference(system, x, y);
        self.vanishes(system, &difference, 0..2 * self.limbs - 1, result);
    }

    /// xy − qn with a quotient that the prover chooses: 16 constraints a limb for its range, and four for the values.
    fn difference(&self, system: &mut System, x: &Factor, y: &Factor) -> Difference {
        let values = [x, y].map(|factor| factor.values.len());
        assert_eq!(values, [self.roots.len(); 2], "factors of this modulus");
        let product = &x.integer * &y.integer;
        let quotient = match self.factor.integer.to_biguint() {
            Some(modulus) if modulus != BigUint::ZERO => {
                product.to_biguint().unwrap_or_default() / modulus
            }
            _ => BigUint::ZERO,
        };
        let quotient = Natural::witness(system, "limb of a quotient", &quotient, self.limbs);
        let quotient = self.factor(&quotient);
        let mut products = |x: &Factor, y: &Factor| -> Vec<Lc> {
            let pairs = x.values.iter().zip(&y.values);
            pairs.map(|(x, y)| system.product(x, y)).collect()
        };
        let (plus, minus) = (products(x, y), products(&quotient, &self.factor));
        let mut bounds = convolve(&x.bounds, &y.bounds);
        for (bounds, minus) in bounds
            .iter_mut()
            .zip(convolve(&quotient.bounds, &self.factor.bounds))
        {
            bounds.0 -= minus.1;
            bounds.1 -= minus.0;
        }
        Difference {
            values: plus
                .iter()
                .zip(&minus)
                .map(|(plus, minus)| plus - minus)
                .collect(),
            bounds,
            integer: product - quotient.integer * &self.factor.integer,
        }
    }

    /// Σ_{i in window} cᵢ·y^(i − start), with cᵢ = Σⱼ ω^(−ij)·(value at ωʲ)/2k.
    fn window(&self, difference: &Difference, window: Range<usize>, y: Fr) -> Lc {
        let order = self.roots.len();
        let scale = Fr::from(order as u64).inverse().unwrap_or_default();
        let weights = (0..order).map(|j| {
            // Horner, from the highest.
            let mut weight = Fr::ZERO;
            for i in window.clone().rev() {
                weight = weight * y + self.roots[(order - i * j % order) % order];
            }
            weight * scale
        });
        Lc::combine(difference.values.iter().zip(weights))
    }

    /// Σ_{i in window} (cᵢ − bᵢ)·2^(16(i − start)) = 0 over the integers, where bᵢ are the numbers given, from the window's start.
    fn vanishes(
        &self,
        system: &mut System,
        difference: &Difference,
        window: Range<usize>,
        minus: &[Bounded],
    ) {
        assert!(minus.len() <= window.len(), "a coefficient for each");
        let base = Fr::from(1u64 << LIMB);
        let bounds: Vec<Bounds> = difference.bounds[window.clone()]
            .iter()
            .enumerate()
            .map(|(index, (low, high))| match minus.get(index) {
                Some(minus) => (low - minus.bounds.1, high - minus.bounds.0),
                None => (*low, *high),
            })
            .collect();
        let mut carry = Lc::constant(Fr::ZERO);
        let mut start = 0;
        for group in groups(&bounds) {
            let end = start + group.coefficients;
            let mut sum = self.window(difference, window.start + start..window.start + end, base);
            for (index, minus) in minus.iter().enumerate().take(end).skip(start) {
                let weight = base.pow([(index - start) as u64]);
                sum.add_scaled(&minus.number, -weight);
            }
            sum = &sum + &carry;
            match group.carry {
                Some((bounds, width)) => {
                    let step = base.pow([group.coefficients as u64]);
                    carry = &sum * step.inverse().unwrap_or_default();
                    compare::range(system, &(&carry - element(&bounds.0)), width);
                }
                None => system.enforce_equal(&sum, &Lc::constant(Fr::ZERO)),
            }
            start = end;
        }
    }
}

impl Factor {
    fn at(roots: &[Fr], number: &Natural) -> Self {
        assert_eq!(
            2 * number.limbs().len(),
            roots.len(),
            "as many limbs as the modulus"
        );
        let values = (0..roots.len()).map(|j| {
            let powers = (0..number.limbs().len()).map(|i| roots[i * j % roots.len()]);
            Lc::combine(number.limbs().iter().zip(powers))
        });
        Self {
            values: values.collect(),
            bounds: vec![(0, (1 << LIMB) - 1); number.limbs().len()],
            integer: number.value().into(),
        }
    }
}

impl Bounded {
    fn new(number: &Lc, bounds: Bounds) -> Self {
        Self {
            number: number.clone(),
            bounds,
        }
    }

    /// A number from 0 to 2^bits − 1, which the caller has shown to be.
    pub fn of_bits(number: &Lc, bits: u32) -> Self {
        assert!(bits <= 64, "numbers of at most 64 bits");
        Self::new(number, (0, (1 << bits) - 1))
    }

    /// A constant.
    pub fn constant(value: u64) -> Self {
        let number = Lc::constant(Fr::from(value));
        Self::new(&number, (value.into(), value.into()))
    }
}

#[cfg(test)]
#[path = "modular_tests.rs"]
mod tests;
