//! SHA-256 (FIPS 180-4) in 17,380 constraints a block, over words of proven bits.

use ark_ff::Field;
use bauta_statement::field::Fr;

use super::{
    bytes::Bytes,
    words::{BITS, MASK, Summand, Word, choose, majority, reduce, xor},
};
use crate::system::{Lc, System};

/// The hash value between two blocks.
pub struct State {
    /// H₀, H₁, H₂.
    a: [Word; 3],
    d: Summand,
    /// H₄, H₅, H₆.
    e: [Word; 3],
    h: Summand,
}

/// Bytes of a block.
const BLOCK: usize = 64;
/// Bytes of the length at the end of the last block.
const LENGTH: usize = 8;

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// FIPS 180-4, 4.2.2.
const CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The digest of a string: eight words, the first one first, each below 2^32. 17,380 constraints a block and 8 to choose it.
///
/// Every block that there is room for is hashed. 0x80 is added to the byte at the string's end, and the length to the last
/// word of its last block, which are 0 there because all bytes from the end on are; the digest is the hash value after that block.
pub fn hash(system: &mut System, string: &Bytes) -> [Lc; 8] {
    let mut state = State::initial();
    let mut digest: [Summand; 8] = std::array::from_fn(|_| Summand::zero());
    for block in 0..=last_block(string.capacity()) {
        let words: [Word; 16] = std::array::from_fn(|word| padded(string, block, word));
        state = compress(system, &state, &words);
        // 1 if this is the last block.
        let ends = (0..=string.capacity()).filter(|end| last_block(*end) == block);
        let here = Lc::combine(
            ends.filter_map(|end| string.ends_at(end))
                .map(|end| (end, Fr::ONE)),
        );
        for (chosen, word) in digest.iter_mut().zip(state.numbers()) {
            let share = system.product(&here, &word.number);
            chosen.number = &chosen.number + &share;
            chosen.most = chosen.most.max(word.most);
        }
    }
    digest.map(|word| {
        if word.most > MASK {
            reduce(system, &word).number
        } else {
            word.number
        }
    })
}

/// Which block has the length in it, if the string has this length.
fn last_block(length: usize) -> usize {
    (length + LENGTH) / BLOCK
}

/// A word of the padded message (FIPS 180-4, 5.1.1). Each bit is proven to be one: it is a bit of the string, or is where the
/// string has ended, so that the string's is 0, and then one of a choice of which one at most is 1.
fn padded(string: &Bytes, block: usize, word: usize) -> Word {
    let bits = (0..BITS).map(|bit| {
        // Big-endian.
        let in_block = 4 * word + (3 - bit / 8);
        let (place, bit) = (BLOCK * block + in_block, bit % 8);
        let mut sum = match string.bits(place) {
            Some(bits) => bits[bit].clone(),
            None => Lc::constant(Fr::from(0)),
        };
        if bit == 7
            && let Some(end) = string.ends_at(place)
        {
            sum = &sum + end;
        }
        if let Some(byte) = in_block.checked_sub(BLOCK - LENGTH) {
            // The string's length in bits has a 1 here.
            let is_one = |length: usize| (8 * length as u64).to_be_bytes()[byte] >> bit & 1 == 1;
            let ends = (0..=string.capacity())
                .filter(|length| last_block(*length) == block && is_one(*length))
                .filter_map(|length| string.ends_at(length));
            sum = &sum + &Lc::combine(ends.map(|end| (end, Fr::ONE)));
        }
        sum
    });
    Word::of(bits.collect())
}

/// The compression function (FIPS 180-4, 6.2.2): 17,380 constraints, fewer where the state is constant.
pub fn compress(system: &mut System, state: &State, block: &[Word; 16]) -> State {
    let schedule = schedule(system, block);
    let mut working = State {
        a: state.a.clone(),
        d: state.d.clone(),
        e: state.e.clone(),
        h: state.h.clone(),
    };
    let mut rounds = CONSTANTS.iter().zip(&schedule);
    let last = rounds.next_back();
    for (constant, word) in rounds {
        working = working.round(system, *constant, word);
    }
    // The last a and e are only added to H₀ and H₄.
    let (a, e) = match last {
        Some((constant, word)) => {
            let (first, second) = working.sums(system, *constant, word);
            (first.plus(&second), first.plus(&working.d))
        }
        None => (Summand::zero(), Summand::zero()),
    };
    let [b, c, d] = working.a;
    let [f, g, h] = working.e;
    let mut next = |old: &Word, new: &Summand| reduce(system, &Summand::from(old).plus(new));
    State {
        a: [
            next(&state.a[0], &a),
            next(&state.a[1], &Summand::from(&b)),
            next(&state.a[2], &Summand::from(&c)),
        ],
        d: state.d.plus(&Summand::from(&d)),
        e: [
            next(&state.e[0], &e),
            next(&state.e[1], &Summand::from(&f)),
            next(&state.e[2], &Summand::from(&g)),
        ],
        h: state.h.plus(&Summand::from(&h)),
    }
}

/// The message schedule W₀ … W₆₃. No σ reads the last two, so they are only added.
fn schedule(system: &mut System, block: &[Word; 16]) -> Vec<Summand> {
    let mut words: Vec<Word> = block.to_vec();
    let mut all: Vec<Summand> = block.iter().map(Summand::from).collect();
    for round in 16..CONSTANTS.len() {
        let small = |system: &mut System, word: &Word, [first, second, shift]: [usize; 3]| {
            let zero = Lc::constant(Fr::from(0));
            let bits = (0..BITS).map(|bit| {
                let shifted = word.bits.get(bit + shift).unwrap_or(&zero);
                xor(
                    system,
                    word.rotated(bit, first),
                    word.rotated(bit, second),
                    shifted,
                )
            });
            Summand::of_bits(&bits.collect::<Vec<_>>())
        };
        let sum = small(system, &words[round - 15], [7, 18, 3])
            .plus(&all[round - 16])
            .plus(&all[round - 7]);
        // W₆₂ is the first without bits, and W₆₁ the last that a σ reads.
        let sum = sum.plus(&small(system, &words[round - 2], [17, 19, 10]));
        if round + 2 < CONSTANTS.len() {
            let word = reduce(system, &sum);
            all.push(Summand::from(&word));
            words.push(word);
        } else {
            all.push(sum);
        }
    }
    all
}

impl State {
    /// H⁽⁰⁾.
    pub fn initial() -> Self {
        Self::of(INITIAL.map(Word::constant))
    }

    /// Of eight words.
    pub fn of([a, b, c, d, e, f, g, h]: [Word; 8]) -> Self {
        Self {
            a: [a, b, c],
            d: Summand::from(&d),
            e: [e, f, g],
            h: Summand::from(&h),
        }
    }

    fn numbers(&self) -> [Summand; 8] {
        let [a, b, c] = [0, 1, 2].map(|word| Summand::from(&self.a[word]));
        let [e, f, g] = [0, 1, 2].map(|word| Summand::from(&self.e[word]));
        [a, b, c, self.d.clone(), e, f, g, self.h.clone()]
    }

    /// T₁ = h + Σ₁(e) + Ch(e, f, g) + K + W, T₂ = Σ₀(a) + Maj(a, b, c): 128 constraints.
    fn sums(&self, system: &mut System, constant: u32, word: &Summand) -> (Summand, Summand) {
        let ([a, b, c], [e, f, g]) = (&self.a, &self.e);
        let choice: Vec<Lc> = (0..BITS)
            .map(|bit| choose(system, &e.bits[bit], &f.bits[bit], &g.bits[bit]))
            .collect();
        let first = self
            .h
            .plus(&big(system, e, [6, 11, 25]))
            .plus(&Summand::of_bits(&choice))
            .plus(&Summand::from(&Word::constant(constant)))
            .plus(word);
        let most: Vec<Lc> = (0..BITS)
            .map(|bit| majority(system, &a.bits[bit], &b.bits[bit], &c.bits[bit]))
            .collect();
        let second = big(system, a, [2, 13, 22]).plus(&Summand::of_bits(&most));
        (first, second)
    }

    /// One round: e' = d + T₁ and a' = T₁ + T₂ = e' − d + T₂ modulo 2^32. 35 and 34 constraints beside [`State::sums`].
    fn round(self, system: &mut System, constant: u32, word: &Summand) -> Self {
        let (first, second) = self.sums(system, constant, word);
        let new_e = reduce(system, &first.plus(&self.d));
        let new_a = reduce(system, &Summand::from(&new_e).plus(&second).minus(&self.d));
        let ([a, b, c], [e, f, g]) = (self.a, self.e);
        Self {
            a: [new_a, a, b],
            d: Summand::from(&c),
            e: [new_e, e, f],
            h: Summand::from(&g),
        }
    }
}

/// Σ₀ or Σ₁, by its three rotations.
fn big(system: &mut System, word: &Word, [first, second, third]: [usize; 3]) -> Summand {
    let bits = (0..BITS).map(|bit| {
        let turned = |by| word.rotated(bit, by);
        xor(system, turned(first), turned(second), turned(third))
    });
    Summand::of_bits(&bits.collect::<Vec<_>>())
}

#[cfg(test)]
#[path = "sha256_tests.rs"]
mod tests;
