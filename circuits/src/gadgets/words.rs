//! 32-bit words in constraints: sums modulo 2^32 and functions of bits.
//!
//! For booleans x, y, z with s = x + y + z, one constraint each, which has one solution because 2s − 3 ∈ {±1, ±3}:
//!
//! - x ⊕ y ⊕ z = o: (2s − 3)(2o − s) = −s
//! - Maj(x, y, z) = o: (2s − 3)(4o − s) = s
//! - Ch(x, y, z) = z + x(y − z)
//!
//! *Only for booleans*: for other inputs the output is some other element of the field, and from there on nothing is said of
//! anything. So every bit that gets here must be proven to be one; a [`Word`] is made of nothing else. A sum is reduced
//! modulo 2^32 by its bits, the carry's included; a word that is only ever added needs none, and is carried as a [`Summand`] with
//! its bound.

use ark_ff::Field;
use bauta_statement::field::Fr;

use super::compare;
use crate::system::{Lc, System};

/// Bits of a word.
pub(crate) const BITS: usize = 32;
/// The greatest word.
pub(crate) const MASK: u64 = u32::MAX as u64;

/// 32 bits, the lowest first, each proven to be 0 or 1; and the number that they are.
#[derive(Clone)]
pub struct Word {
    pub(crate) bits: Vec<Lc>,
    pub(crate) number: Lc,
}

/// A number modulo 2^32 of which no bit is needed.
#[derive(Clone)]
pub struct Summand {
    pub(crate) number: Lc,
    /// What it is at most, as an integer.
    pub(crate) most: u64,
}

/// A sum modulo 2^32, in as many constraints as the sum has bits. The carry's bits are proven and forgotten.
pub fn reduce(system: &mut System, sum: &Summand) -> Word {
    let width = u64::BITS - sum.most.leading_zeros();
    let mut bits = compare::bits(system, &sum.number, width.max(BITS as u32));
    bits.truncate(BITS);
    Word::of(bits)
}

impl Word {
    /// Of a constant.
    pub fn constant(value: u32) -> Self {
        let bits = (0..BITS).map(|bit| Lc::constant(Fr::from(value >> bit & 1)));
        Self::of(bits.collect())
    }

    /// A number, which is shown to be below 2^32. 32 constraints.
    pub fn new(system: &mut System, number: &Lc) -> Self {
        Self {
            bits: compare::bits(system, number, BITS as u32),
            number: number.clone(),
        }
    }

    /// Of 32 bits, which the caller has proven to be bits.
    pub(crate) fn of(bits: Vec<Lc>) -> Self {
        let number = recompose(&bits);
        Self { bits, number }
    }

    /// A bit of the word rotated to the right.
    pub(crate) fn rotated(&self, bit: usize, by: usize) -> &Lc {
        &self.bits[(bit + by) % BITS]
    }
}

impl Summand {
    pub(crate) fn zero() -> Self {
        Self {
            number: Lc::constant(Fr::from(0)),
            most: 0,
        }
    }

    pub(crate) fn of_bits(bits: &[Lc]) -> Self {
        Self {
            number: recompose(bits),
            most: MASK,
        }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            number: &self.number + &other.number,
            most: self.most + other.most,
        }
    }

    /// The difference, with as many times 2^32 as keep it from being negative.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let lift = other.most.next_multiple_of(1 << BITS);
        Self {
            number: &(&self.number - &other.number) + Fr::from(lift),
            most: self.most + lift,
        }
    }
}

impl From<&Word> for Summand {
    fn from(word: &Word) -> Self {
        let constant = word.number.is_constant();
        let value = word.bits.iter().rev();
        Self {
            number: word.number.clone(),
            most: match constant {
                true => value.fold(0, |sum, bit| 2 * sum + u64::from(bit.value() == Fr::ONE)),
                false => MASK,
            },
        }
    }
}

/// Σ 2ⁱ·bᵢ.
fn recompose(bits: &[Lc]) -> Lc {
    let weights = (0..bits.len()).map(|bit| Fr::from(1u64 << bit));
    Lc::combine(bits.iter().zip(weights))
}

/// x ⊕ y ⊕ z of booleans, in one constraint; none where one of them is left, or none.
pub(crate) fn xor(system: &mut System, x: &Lc, y: &Lc, z: &Lc) -> Lc {
    let mut odd = false;
    let mut open: Vec<&Lc> = Vec::with_capacity(3);
    for bit in [x, y, z] {
        match bit.is_constant() {
            true => odd ^= bit.value() == Fr::ONE,
            false => open.push(bit),
        }
    }
    let parity = match open.as_slice() {
        [x, y, z] => {
            // (2s − 3)(2o − s) = −s
            let sum = &(*x + *y) + *z;
            let factor = &(&sum * Fr::from(2)) - Fr::from(3);
            let value = match small(&sum) {
                Some(ones) => Fr::from(ones % 2),
                None => (sum.value() - over(&sum, &factor)) / Fr::from(2),
            };
            let parity = system.hint("parity", value);
            system.enforce(&factor, &(&(&parity * Fr::from(2)) - &sum), &-&sum);
            parity
        }
        [x, y] => {
            // 2xy = x + y − o
            let (sum, twice) = (*x + *y, *x * Fr::from(2));
            let parity = system.hint("parity", sum.value() - twice.value() * y.value());
            system.enforce(&twice, y, &(&sum - &parity));
            parity
        }
        [x] => (*x).clone(),
        _ => Lc::constant(Fr::from(0)),
    };
    if odd { &-&parity + Fr::ONE } else { parity }
}

/// The value that two of three booleans have at least, in one constraint; none where a constant decides it.
pub(crate) fn majority(system: &mut System, x: &Lc, y: &Lc, z: &Lc) -> Lc {
    let constant = |bit: &Lc| bit.is_constant();
    let mut bits = [x, y, z];
    bits.sort_by_key(|bit| constant(bit));
    let [x, y, z] = bits;
    if constant(y) {
        return match y.value() == z.value() {
            true => y.clone(),
            false => x.clone(),
        };
    }
    if constant(z) {
        // And, or or.
        let both = system.product(x, y);
        return match z.value() == Fr::ONE {
            true => &(x + y) - &both,
            false => both,
        };
    }
    // (2s − 3)(4o − s) = s
    let sum = &(x + y) + z;
    let factor = &(&sum * Fr::from(2)) - Fr::from(3);
    let value = match small(&sum) {
        Some(ones) => Fr::from(ones / 2),
        None => (sum.value() + over(&sum, &factor)) / Fr::from(4),
    };
    let most = system.hint("majority", value);
    system.enforce(&factor, &(&(&most * Fr::from(4)) - &sum), &sum);
    most
}

/// y if x, else z: z + x(y − z), in one constraint; none where x is constant, or both others are.
pub(crate) fn choose(system: &mut System, x: &Lc, y: &Lc, z: &Lc) -> Lc {
    let step = system.product(x, &(y - z));
    z + &step
}

/// The sum of three booleans, if it is one.
fn small(sum: &Lc) -> Option<u64> {
    (0..=3).find(|ones| sum.value() == Fr::from(*ones))
}

/// What satisfies the row for a prover whose bits are none.
fn over(sum: &Lc, factor: &Lc) -> Fr {
    sum.value() * factor.value().inverse().unwrap_or_default()
}
