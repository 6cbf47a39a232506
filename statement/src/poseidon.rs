//! Poseidon over BN254's scalar field with circomlib's parameters: x⁵, 8 full rounds, widths t = 2..=17, and
//! constants from the Grain LFSR (Grassi et al., ePrint 2019/458, appendix E and F). A hash of N inputs is one
//! permutation of width N + 1 over (0, inputs…), of which the first element is the result.
//!
//! The native permutation does its partial rounds with sparse matrices (appendix B of the paper); the plain constants
//! and matrix are what the circuits use, and a test holds the two against each other.
#![allow(
    clippy::indexing_slicing,
    reason = "square matrices and states of one width, made in this file; every index is below that width"
)]

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField, Zero};

use crate::field::{Fr, from_tag};

/// What the chain of [`hash_bytes`] begins with, as `from_tag` makes it an element.
pub const BYTES_TAG: &str = "bauta/v1/bytes";

/// Number of full rounds, half of them before the partial ones.
pub const FULL_ROUNDS: usize = 8;
/// The widest permutation: 16 inputs.
pub const MAX_WIDTH: usize = 17;
/// Partial rounds for t = 2, 3, …, 17, as circomlib has them.
const PARTIAL_ROUNDS: [usize; 16] = [
    56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68,
];

type Matrix = Vec<Vec<Fr>>;

/// Constants of one width.
pub struct Parameters {
    /// t, the number of state elements.
    pub width: usize,
    /// Number of partial rounds, between the two halves of full rounds.
    pub partial_rounds: usize,
    /// Constants added at the start of each round: (8 + partial rounds) × t, round by round.
    pub round_constants: Vec<Fr>,
    /// The t × t matrix of the linear layer: new\[i\] = Σⱼ mds\[i\]\[j\]·old\[j\].
    pub mds: Matrix,
    fast: Fast,
}

/// The same permutation with sparse partial rounds.
struct Fast {
    /// Constants of the first half of full rounds, round by round.
    first: Vec<Fr>,
    /// Added to the whole state before the partial rounds.
    before: Vec<Fr>,
    /// The dense matrix applied before the partial rounds.
    dense: Matrix,
    /// Per partial round: the constant added after its S-box, its first row, and its first column below the corner.
    partial: Vec<(Fr, Vec<Fr>, Vec<Fr>)>,
    /// Constants of the second half of full rounds.
    last: Vec<Fr>,
}

/// The constants of width t.
///
/// `None` unless 2 ≤ t ≤ 17. They are made at the first use of each width (a few milliseconds) and kept.
pub fn parameters(width: usize) -> Option<&'static Parameters> {
    static CACHE: [OnceLock<Parameters>; 16] = [const { OnceLock::new() }; 16];
    let position = width.checked_sub(2)?;
    let partial_rounds = *PARTIAL_ROUNDS.get(position)?;
    Some(
        CACHE
            .get(position)?
            .get_or_init(|| generate(width, partial_rounds)),
    )
}

/// Poseidon of N inputs, N = 1..=16, as circomlib computes it.
pub fn hash<const N: usize>(inputs: &[Fr; N]) -> Fr {
    const { assert!(N >= 1 && N < MAX_WIDTH, "Poseidon takes 1 to 16 inputs") };
    let mut state = [Fr::ZERO; MAX_WIDTH];
    state[1..=N].copy_from_slice(inputs);
    if let Some(parameters) = parameters(N + 1) {
        parameters.permute(&mut state[..=N]);
    }
    state[0]
}

/// Poseidon of bytes under a tag: a chain of four-input hashes over both lengths, the tag and the bytes, 31 bytes to
/// an element. The lengths stand first, so no two (tag, bytes) give one sequence.
pub fn hash_bytes(tag: &str, bytes: &[u8]) -> Fr {
    let lengths = Fr::from(((tag.len() as u128) << 64) | bytes.len() as u128);
    let elements: Vec<Fr> = std::iter::once(lengths)
        .chain(tag.as_bytes().chunks(31).map(Fr::from_le_bytes_mod_order))
        .chain(bytes.chunks(31).map(Fr::from_le_bytes_mod_order))
        .collect();
    elements.chunks(3).fold(from_tag(BYTES_TAG), |chain, part| {
        let at = |i: usize| part.get(i).copied().unwrap_or_default();
        hash(&[chain, at(0), at(1), at(2)])
    })
}

impl Parameters {
    /// The permutation, in place, on a state of `width` elements.
    fn permute(&self, state: &mut [Fr]) {
        let t = self.width;
        let mut scratch = [Fr::ZERO; MAX_WIDTH];
        let full =
            |state: &mut [Fr], scratch: &mut [Fr; MAX_WIDTH], constants: &[Fr], matrix: &Matrix| {
                for (element, constant) in state.iter_mut().zip(constants) {
                    *element += constant;
                    *element = fifth_power(*element);
                }
                multiply_into(matrix, state, scratch);
            };
        let half = FULL_ROUNDS / 2;
        for (round, constants) in self.fast.first.chunks(t).enumerate() {
            // The last of them is followed by the dense matrix that makes the partial rounds sparse, after the
            // constants that were moved up to here.
            full(state, &mut scratch, constants, &self.mds);
            if round + 1 == half {
                for (element, constant) in state.iter_mut().zip(&self.fast.before) {
                    *element += constant;
                }
                multiply_into(&self.fast.dense, state, &mut scratch);
            }
        }
        for (constant, row, column) in &self.fast.partial {
            state[0] = fifth_power(state[0]) + constant;
            let corner = inner_product(row, state);
            let first = state[0];
            for (element, factor) in state[1..].iter_mut().zip(column) {
                *element += first * factor;
            }
            state[0] = corner;
        }
        for constants in self.fast.last.chunks(t) {
            full(state, &mut scratch, constants, &self.mds);
        }
    }
}

fn fifth_power(x: Fr) -> Fr {
    let square = x.square();
    square.square() * x
}

fn multiply_into(matrix: &Matrix, state: &mut [Fr], scratch: &mut [Fr; MAX_WIDTH]) {
    for (result, row) in scratch.iter_mut().zip(matrix) {
        *result = inner_product(row, state);
    }
    let width = state.len();
    state.copy_from_slice(&scratch[..width]);
}

/// The inner product of two slices of one length. (arkworks' `sum_of_products`, with one reduction for several products,
/// was slower here.)
fn inner_product(a: &[Fr], b: &[Fr]) -> Fr {
    a.iter().zip(b).map(|(a, b)| *a * b).sum()
}

fn generate(width: usize, partial_rounds: usize) -> Parameters {
    let mut grain = Grain::new(width, partial_rounds);
    let round_constants: Vec<Fr> = (0..(FULL_ROUNDS + partial_rounds) * width)
        .map(|_| grain.element_by_rejection())
        .collect();
    // circomlib's matrix is the first Cauchy matrix that the generator gives: 1/(xᵢ + yⱼ).
    let points: Vec<Fr> = (0..2 * width).map(|_| grain.element_reduced()).collect();
    let mds = (0..width)
        .map(|i| {
            (0..width)
                .map(|j| {
                    (points[i] + points[width + j])
                        .inverse()
                        .unwrap_or_default()
                })
                .collect()
        })
        .collect();
    let fast = optimise(width, partial_rounds, &round_constants, &mds);
    Parameters {
        width,
        partial_rounds,
        round_constants,
        mds,
        fast,
    }
}

/// Rewrites the partial rounds (appendix B of the paper). A round is: add constants, S-box on the first element,
/// matrix M. Two rewritings, both exact:
///
/// 1. a round's constants are carried backwards through M⁻¹ into the round before, where all but the first commute
///    with the S-box and go on: one constant per round remains, after its S-box, and one whole set at the start;
/// 2. M = M''·M' with M'' sparse and M' = diag(1, M̂): M' commutes with an S-box on the first element and is merged
///    into the round before, which leaves one dense matrix ahead of all sparse ones.
fn optimise(t: usize, partial_rounds: usize, constants: &[Fr], mds: &Matrix) -> Fast {
    let half = FULL_ROUNDS / 2 * t;
    let middle = &constants[half..half + partial_rounds * t];

    // 1. Backwards: the constants of round i other than the first pass M⁻¹ into round i−1's end, and on.
    let inverse = invert(mds);
    let mut carried = vec![Fr::ZERO; t];
    let mut single = vec![Fr::ZERO; partial_rounds];
    for round in (0..partial_rounds).rev() {
        // What must be added to the state before this round's S-box.
        let here: Vec<Fr> = (0..t).map(|i| middle[round * t + i] + carried[i]).collect();
        if round == 0 {
            carried = here;
        } else {
            // In front of M of the round before: M⁻¹·here. Its first element stays there, after the S-box; the others
            // commute with that S-box and go on into that round's own constants.
            let before = multiply(&inverse, &here);
            single[round - 1] = before[0];
            carried = before;
            carried[0] = Fr::ZERO;
        }
    }
    let before = carried;

    // 2. Backwards over the rounds: `current` is what this round's matrix has become.
    let mut current = mds.clone();
    let mut partial = Vec::with_capacity(partial_rounds);
    let mut dense = Matrix::new();
    for round in (0..partial_rounds).rev() {
        let (block, row, column) = factor(&current);
        partial.push((single[round], row, column));
        if round == 0 {
            dense = block;
        } else {
            current = product(&block, mds);
        }
    }
    partial.reverse();
    Fast {
        first: constants[..half].to_vec(),
        before,
        dense,
        partial,
        last: constants[half + partial_rounds * t..].to_vec(),
    }
}

/// Splits C = \[\[c, v·Ĉ\], \[w, Ĉ\]\] into the block diag(1, Ĉ), applied first, and the sparse rest (row (c, v), column w).
fn factor(matrix: &Matrix) -> (Matrix, Vec<Fr>, Vec<Fr>) {
    let t = matrix.len();
    let corner: Matrix = matrix[1..].iter().map(|row| row[1..].to_vec()).collect();
    let inverse = invert(&corner);
    let mut row = vec![matrix[0][0]];
    row.extend((0..t - 1).map(|j| {
        (0..t - 1)
            .map(|i| matrix[0][i + 1] * inverse[i][j])
            .sum::<Fr>()
    }));
    let column = matrix[1..].iter().map(|row| row[0]).collect();
    let mut block = matrix.clone();
    for (i, line) in block.iter_mut().enumerate() {
        line[0] = Fr::ZERO;
        if i == 0 {
            line.fill(Fr::ZERO);
            line[0] = Fr::ONE;
        }
    }
    (block, row, column)
}

fn multiply(matrix: &Matrix, vector: &[Fr]) -> Vec<Fr> {
    matrix
        .iter()
        .map(|row| inner_product(row, vector))
        .collect()
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let columns = b.first().map_or(0, Vec::len);
    a.iter()
        .map(|row| {
            (0..columns)
                .map(|j| row.iter().zip(b).map(|(x, line)| *x * line[j]).sum())
                .collect()
        })
        .collect()
}

/// Gauss-Jordan. The matrices met here are regular: Cauchy matrices, and blocks that a test compares in effect.
fn invert(matrix: &Matrix) -> Matrix {
    let n = matrix.len();
    let mut left = matrix.clone();
    let mut right: Matrix = (0..n)
        .map(|i| {
            (0..n)
                .map(|j| if i == j { Fr::ONE } else { Fr::ZERO })
                .collect()
        })
        .collect();
    for pivot in 0..n {
        if let Some(found) = (pivot..n).find(|row| !left[*row][pivot].is_zero()) {
            left.swap(pivot, found);
            right.swap(pivot, found);
        }
        let scale = left[pivot][pivot].inverse().unwrap_or_default();
        for j in 0..n {
            left[pivot][j] *= scale;
            right[pivot][j] *= scale;
        }
        let (pivot_left, pivot_right) = (left[pivot].clone(), right[pivot].clone());
        for row in (0..n).filter(|row| *row != pivot) {
            let factor = left[row][pivot];
            for j in 0..n {
                left[row][j] -= factor * pivot_left[j];
                right[row][j] -= factor * pivot_right[j];
            }
        }
    }
    right
}

/// The Grain LFSR in self-shrinking mode (ePrint 2019/458, appendix E).
struct Grain {
    /// The last 80 bits, the oldest at the top.
    state: u128,
}

impl Grain {
    fn new(width: usize, partial_rounds: usize) -> Self {
        let mut state: u128 = 1; // prime field, 2 bits
        for (value, bits) in [
            (0, 4),
            (254, 12),
            (width, 12),
            (FULL_ROUNDS, 10),
            (partial_rounds, 10),
        ] {
            state = (state << bits) | value as u128;
        }
        state = (state << 30) | ((1 << 30) - 1);
        let mut grain = Self { state };
        for _ in 0..160 {
            grain.step();
        }
        grain
    }

    fn step(&mut self) -> bool {
        let at = |i: u32| (self.state >> (79 - i)) & 1;
        let new = at(62) ^ at(51) ^ at(38) ^ at(23) ^ at(13) ^ at(0);
        self.state = ((self.state << 1) | new) & ((1 << 80) - 1);
        new == 1
    }

    /// 254 output bits as an integer, the first bit highest.
    fn integer(&mut self) -> BigInt<4> {
        let mut value = BigInt::<4>::zero();
        for _ in 0..254 {
            // Self-shrinking: of each pair of bits, the second is put out if the first is 1.
            while !self.step() {
                self.step();
            }
            let bit = self.step();
            value.mul2();
            value.0[0] |= u64::from(bit);
        }
        value
    }

    fn element_by_rejection(&mut self) -> Fr {
        loop {
            if let Some(element) = Fr::from_bigint(self.integer()) {
                return element;
            }
        }
    }

    fn element_reduced(&mut self) -> Fr {
        Fr::from_le_bytes_mod_order(&self.integer().to_bytes_le())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::UniformRand;
    use light_poseidon::PoseidonHasher;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    /// The textbook permutation: the definition that the sparse one is held against.
    fn plain(parameters: &Parameters, state: &mut [Fr]) {
        for (round, constants) in parameters
            .round_constants
            .chunks(parameters.width)
            .enumerate()
        {
            for (element, constant) in state.iter_mut().zip(constants) {
                *element += constant;
            }
            let partial =
                round >= FULL_ROUNDS / 2 && round < FULL_ROUNDS / 2 + parameters.partial_rounds;
            let powers = if partial { 1 } else { parameters.width };
            for element in &mut state[..powers] {
                *element = fifth_power(*element);
            }
            let next = multiply(&parameters.mds, state);
            state.copy_from_slice(&next);
        }
    }

    #[test]
    fn sparse_rounds_equal_the_definition() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for width in 2..=MAX_WIDTH {
            let parameters = parameters(width).unwrap();
            let mut a: Vec<Fr> = (0..width).map(|_| Fr::rand(&mut rng)).collect();
            let mut b = a.clone();
            plain(parameters, &mut a);
            parameters.permute(&mut b);
            assert_eq!(a, b, "width {width}");
        }
    }

    #[test]
    fn equals_light_poseidon() {
        fn check<const N: usize>(rng: &mut ChaCha20Rng) {
            let inputs: [Fr; N] = std::array::from_fn(|_| Fr::rand(rng));
            let oracle = light_poseidon::Poseidon::<Fr>::new_circom(N)
                .unwrap()
                .hash(&inputs)
                .unwrap();
            assert_eq!(hash(&inputs), oracle, "{N} inputs");
        }
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        check::<1>(&mut rng);
        check::<2>(&mut rng);
        check::<3>(&mut rng);
        check::<4>(&mut rng);
        check::<5>(&mut rng);
        check::<8>(&mut rng);
        check::<12>(&mut rng);
    }

    #[test]
    fn equals_circomlibjs_at_every_width() {
        fn check<const N: usize>(inputs: &[Fr], output: Fr) {
            let inputs: [Fr; N] = inputs.try_into().unwrap();
            assert_eq!(hash(&inputs), output, "{N} inputs");
        }
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../vectors/circomlib.json")).unwrap();
        let element = |value: &serde_json::Value| value.as_str().unwrap().parse::<Fr>().unwrap();
        let mut widths = std::collections::BTreeSet::new();
        for vector in vectors["hashes"].as_array().unwrap() {
            let inputs: Vec<Fr> = vector["inputs"]
                .as_array()
                .unwrap()
                .iter()
                .map(element)
                .collect();
            let output = element(&vector["output"]);
            widths.insert(inputs.len());
            macro_rules! by_length {
                ($($n:literal)*) => {
                    match inputs.len() {
                        $($n => check::<$n>(&inputs, output),)*
                        other => panic!("{other} inputs"),
                    }
                };
            }
            by_length!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
        }
        assert_eq!(widths.len(), 16);
    }

    #[test]
    fn bytes_are_hashed_with_their_length() {
        let all = [
            hash_bytes("a", b""),
            hash_bytes("a", b"\0"),
            hash_bytes("a", b"b"),
            hash_bytes("ab", b""),
            hash_bytes("a", &[0; 31]),
            hash_bytes("a", &[0; 32]),
            hash_bytes("a", &[0; 62]),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }
}
