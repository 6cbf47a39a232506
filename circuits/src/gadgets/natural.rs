//! Integers of RSA's size as limbs of 16 bits, and their order.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_statement::field::Fr;
use num_bigint::BigUint;

use super::compare;
use crate::system::{Lc, System};

/// Bits of a limb.
pub const LIMB: u32 = 16;

/// Limbs of the words that are compared: what a word costs in bits it saves in choices, and five are the least.
const WORD: usize = 5;

/// An integer from 0 on: limbs, the lowest first, each proven to be below 2^16.
#[derive(Clone)]
pub struct Natural {
    limbs: Vec<Lc>,
}

impl Natural {
    /// Of these limbs, which are shown to be below 2^16: 16 constraints each.
    pub fn new(system: &mut System, limbs: Vec<Lc>) -> Self {
        for limb in &limbs {
            compare::range(system, limb, LIMB);
        }
        Self { limbs }
    }

    /// One that the prover chooses, of so many limbs; what is above them is left out. 16 constraints a limb.
    pub fn witness(system: &mut System, name: &'static str, value: &BigUint, limbs: usize) -> Self {
        let bytes = value.to_bytes_le();
        let limbs = (0..limbs).map(|limb| {
            let byte = |place: usize| bytes.get(place).copied().unwrap_or_default();
            let value = u16::from_le_bytes([byte(2 * limb), byte(2 * limb + 1)]);
            system.hint(name, Fr::from(value))
        });
        let limbs = limbs.collect();
        Self::new(system, limbs)
    }

    /// Of limbs that the caller has proven to be below 2^16, at no cost.
    pub(crate) fn of(limbs: Vec<Lc>) -> Self {
        Self { limbs }
    }

    /// Of proven bytes, the highest first, at no cost. Of an odd number the first is a limb by itself.
    pub fn of_bytes(bytes: &[Lc]) -> Self {
        let weights = [Fr::ONE, Fr::from(256)];
        let limbs = bytes
            .rchunks(2)
            .map(|pair| Lc::combine(pair.iter().rev().zip(weights)));
        Self::of(limbs.collect())
    }

    /// The limbs, the lowest first.
    pub fn limbs(&self) -> &[Lc] {
        &self.limbs
    }

    /// The value under the current assignment.
    pub fn value(&self) -> BigUint {
        let mut value = BigUint::ZERO;
        for limb in self.limbs.iter().rev() {
            value = (value << LIMB) + BigUint::from(limb.value().into_bigint());
        }
        value
    }
}

/// low < high, of equally many limbs. 157 constraints for 128 limbs.
///
/// By words of 80 bits, the highest first, with dᵢ = highᵢ − lowᵢ: one word is chosen, Σ pᵢ = 1 over booleans; those above it
/// are equal, dᵢ·(1 − Σ_{j≤i} pⱼ) = 0; and it is greater, Σ pᵢ·dᵢ − 1 ∈ \[0, 2^80).
pub fn less_than(system: &mut System, low: &Natural, high: &Natural) {
    assert_eq!(low.limbs.len(), high.limbs.len(), "as many limbs");
    let word = |limbs: &[Lc]| {
        let weights =
            (0..limbs.len()).map(|limb| Fr::from(2u64).pow([u64::from(LIMB) * limb as u64]));
        Lc::combine(limbs.iter().zip(weights))
    };
    let pairs = low.limbs.chunks(WORD).zip(high.limbs.chunks(WORD)).rev();
    let steps: Vec<Lc> = pairs.map(|(low, high)| &word(high) - &word(low)).collect();
    let differs = |step: &Lc| step.value() != Fr::ZERO;
    let first = steps.iter().position(differs);

    let zero = Lc::constant(Fr::ZERO);
    // What is left of 1 when the words so far are passed.
    let mut open = Lc::constant(Fr::ONE);
    let mut difference = zero.clone();
    for (position, step) in steps.iter().enumerate() {
        let chosen = if position + 1 < steps.len() {
            let chosen = system.boolean("first word that differs", first == Some(position));
            open = &open - &chosen;
            system.enforce(step, &open, &zero);
            chosen
        } else {
            system.enforce(&open, &(&open - Fr::ONE), &zero);
            open.clone()
        };
        difference = &difference + &system.product(&chosen, step);
    }
    compare::range(system, &(&difference - Fr::ONE), LIMB * WORD as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(low: &BigUint, high: &BigUint, limbs: usize, recording: bool) -> System {
        let mut system = System::new(&[], recording);
        let low = Natural::witness(&mut system, "low", low, limbs);
        let high = Natural::witness(&mut system, "high", high, limbs);
        system.region("order");
        less_than(&mut system, &low, &high);
        system
    }

    #[test]
    fn order_is_that_of_integers() {
        let limbs = 13;
        let shape = compared(&BigUint::ZERO, &BigUint::ZERO, limbs, true).into_r1cs();
        let holds = |low: &BigUint, high: &BigUint| {
            let values = compared(low, high, limbs, false).into_assignment();
            shape.check(&values).is_ok()
        };
        let one = BigUint::from(1u8);
        let end = (&one << (16 * limbs)) - &one;
        let mut numbers = vec![
            BigUint::ZERO,
            one.clone(),
            end.clone(),
            &end - &one,
            &end >> 1usize,
        ];
        for bit in [15, 16, 79, 80, 81, 159, 160, 207] {
            numbers.extend([&one << bit, (&one << bit) - &one, &end - (&one << bit)]);
        }
        for low in &numbers {
            for high in &numbers {
                assert_eq!(holds(low, high), low < high, "{low} {high}");
            }
        }
    }

    #[test]
    fn order_costs_157_for_2048_bits() {
        let shape = compared(&BigUint::ZERO, &BigUint::ZERO, 128, true).into_r1cs();
        assert_eq!(shape.counts().last(), Some(&("order", 157)));
    }

    /// The word that is chosen must be the first that differs, and one.
    #[test]
    fn no_other_word_decides() {
        let limbs = 15;
        let shape = compared(&BigUint::ZERO, &BigUint::ZERO, limbs, true).into_r1cs();
        let chosen = |low: &BigUint, high: &BigUint, choice: [Fr; 2]| {
            let mut system = System::new(&[], false);
            let mut met = 0;
            system.forge(Box::new(move |_, name, honest| {
                if name != "first word that differs" {
                    return honest;
                }
                met += 1;
                choice[met - 1]
            }));
            let low = Natural::witness(&mut system, "low", low, limbs);
            let high = Natural::witness(&mut system, "high", high, limbs);
            less_than(&mut system, &low, &high);
            shape.check(&system.into_assignment()).is_ok()
        };
        let at = |word: usize| BigUint::from(3u8) << (80 * word);
        let [zero, one] = [Fr::ZERO, Fr::ONE];
        let (low, high) = (at(2) + at(0), at(2) + at(1));
        assert!(chosen(&low, &high, [zero, one]));
        for choice in [
            [one, zero],
            [zero, zero],
            [one, one],
            [Fr::from(2), -one],
            [-one, one],
        ] {
            assert!(!chosen(&low, &high, choice));
            for (low, high) in [(&high, &low), (&high, &high)] {
                assert!(!chosen(low, high, choice));
            }
        }
    }

    #[test]
    fn bytes_are_big_endian() {
        let bytes = [1, 2, 3, 4].map(|byte: u8| Lc::constant(Fr::from(byte)));
        let number = Natural::of_bytes(&bytes);
        assert_eq!(number.value(), BigUint::from(0x01020304u32));
        assert_eq!(number.limbs()[0].value(), Fr::from(0x0304));
        let number = Natural::of_bytes(&bytes[1..]);
        assert_eq!(number.value(), BigUint::from(0x020304u32));
    }

    #[test]
    fn a_limb_is_below_2_to_the_16() {
        let shape = {
            let mut system = System::new(&[Fr::ZERO], true);
            let limb = system.instance(0);
            Natural::new(&mut system, vec![limb]);
            system.into_r1cs()
        };
        for (value, holds) in [
            (Fr::ZERO, true),
            (Fr::from(65_535), true),
            (Fr::from(65_536), false),
            (-Fr::ONE, false),
        ] {
            let mut system = System::new(&[value], false);
            let limb = system.instance(0);
            Natural::new(&mut system, vec![limb]);
            assert_eq!(shape.check(&system.into_assignment()).is_ok(), holds);
        }
    }
}
