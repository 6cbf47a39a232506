//! The verifying key of a relation: Groth16 with γ = 1, in a type of its own, because arkworks' has neither δ₁ nor the
//! certainty that γ is the generator. Both the holder (who must not be tricked into a key that hides nothing) and the
//! verifier (who must not accept a key with which anyone can forge) call [`VerifyingKey::validate`].

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use sha2::{Digest as _, Sha256};

use crate::group::{
    G1_BYTES, G2_BYTES, PointError, g1_from_bytes, g1_to_bytes, g2_from_bytes, g2_to_bytes,
};

/// A Groth16 verifying key with γ = 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// α in G1; the same for all relations of a parameter set.
    pub alpha_g1: G1Affine,
    /// β in G2; the same for all relations of a parameter set.
    pub beta_g2: G2Affine,
    /// δ in G1, the base that hides hidden inputs.
    pub delta_g1: G1Affine,
    /// δ in G2; never common to two relations.
    pub delta_g2: G2Affine,
    /// L₀ (the constant one) and one point per public input, the hidden ones first.
    pub l: Vec<G1Affine>,
}

/// Bytes of α₁, β₂, δ₁ and δ₂.
const FIXED_BYTES: usize = 2 * (G1_BYTES + G2_BYTES);

/// Why bytes are not a verifying key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyDecodeError {
    /// Too short, too long, or a count that does not fit the length.
    #[error("the verifying key has the wrong length; fetch the parameter set again")]
    Length,
    /// A point is refused.
    #[error(
        "point {index} of the verifying key is refused ({source}); fetch the parameter set again"
    )]
    Point {
        /// Position among the key's points: 0 α₁, 1 β₂, 2 δ₁, 3 δ₂, then L.
        index: usize,
        /// What is wrong with it.
        source: PointError,
    },
}

/// Why a well-formed verifying key is not to be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeKey {
    /// An element is the point at infinity.
    #[error("the verifying key's {0} is the point at infinity; do not use these parameters")]
    Infinity(&'static str),
    /// δ is the generator or its negative, so γ = ±δ, and anyone can forge (A = α, B = β, C = ∓ΣL).
    #[error(
        "the verifying key has γ = ±δ, with which anyone can forge; do not use these parameters"
    )]
    DeltaIsGamma,
    /// α or β is the generator or its negative.
    #[error(
        "the verifying key's {0} is the generator or its negative: its logarithm is known; do not use these parameters"
    )]
    Generator(&'static str),
    /// δ₁ and δ₂ are not of one δ, so a show would not hide.
    #[error("δ₁ and δ₂ of the verifying key do not match; do not use these parameters")]
    DeltaMismatch,
    /// Two inputs have the same base, or one the other's negative, so one could be traded for the other.
    #[error(
        "inputs {0} and {1} of the verifying key have the same base up to sign; do not use these parameters"
    )]
    RepeatedInput(usize, usize),
    /// A wrong number of input bases for the relation.
    #[error(
        "the verifying key has {found} input bases where the relation has {expected}; use the relation's own key"
    )]
    InputCount {
        /// 1 + number of public inputs of the relation.
        expected: usize,
        /// What the key has.
        found: usize,
    },
    /// A parameter set shares α and β, and never δ.
    #[error("the verifying keys are not of one parameter set ({0}); use keys of one set")]
    NotOneSet(&'static str),
}

impl VerifyingKey {
    /// The encoding: α₁ ‖ β₂ ‖ δ₁ ‖ δ₂ ‖ number of L as 16 bits big-endian ‖ L₀ ‖ L₁ ‖ …, points compressed.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_BYTES + 2 + self.l.len() * G1_BYTES);
        out.extend(g1_to_bytes(&self.alpha_g1));
        out.extend(g2_to_bytes(&self.beta_g2));
        out.extend(g1_to_bytes(&self.delta_g1));
        out.extend(g2_to_bytes(&self.delta_g2));
        debug_assert!(
            self.l.len() <= usize::from(u16::MAX),
            "a relation has few public inputs"
        );
        out.extend((self.l.len() as u16).to_be_bytes());
        for point in &self.l {
            out.extend(g1_to_bytes(point));
        }
        out
    }

    /// Reads [`Self::encode`]'s bytes: exact length, every point in its one encoding, in the subgroup, not infinity.
    /// Call [`Self::validate`] before use.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyDecodeError> {
        // The length first: no point is read, and nothing set aside, for a count that is not there.
        let (head, points) = bytes
            .split_at_checked(FIXED_BYTES)
            .ok_or(KeyDecodeError::Length)?;
        let (count, points) = points
            .split_first_chunk::<2>()
            .ok_or(KeyDecodeError::Length)?;
        let count = usize::from(u16::from_be_bytes(*count));
        if count == 0 || points.len() != count * G1_BYTES {
            return Err(KeyDecodeError::Length);
        }
        let mut reader = PointReader {
            rest: head,
            index: 0,
        };
        let alpha_g1 = reader.g1()?;
        let beta_g2 = reader.g2()?;
        let delta_g1 = reader.g1()?;
        let delta_g2 = reader.g2()?;
        reader.rest = points;
        let l = (0..count).map(|_| reader.g1()).collect::<Result<_, _>>()?;
        Ok(Self {
            alpha_g1,
            beta_g2,
            delta_g1,
            delta_g2,
            l,
        })
    }

    /// SHA-256 of the encoding: what policies and the log name a key by, and its address under `objects/`.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// Number of public inputs, hidden ones included.
    pub fn inputs(&self) -> usize {
        self.l.len().saturating_sub(1)
    }

    /// Checks all that can be checked of a key alone: nothing is infinity, γ ≠ ±δ, δ₁ and δ₂ are of one δ, α and β are not
    /// the generators, no two inputs share a base (all up to sign), and there are `inputs` of them.
    pub fn validate(&self, inputs: usize) -> Result<(), UnsafeKey> {
        if self.l.len() != inputs + 1 {
            return Err(UnsafeKey::InputCount {
                expected: inputs + 1,
                found: self.l.len(),
            });
        }
        for (name, zero) in [
            ("α₁", self.alpha_g1.is_zero()),
            ("β₂", self.beta_g2.is_zero()),
            ("δ₁", self.delta_g1.is_zero()),
            ("δ₂", self.delta_g2.is_zero()),
            ("L", self.l.iter().any(|point| point.is_zero())),
        ] {
            if zero {
                return Err(UnsafeKey::Infinity(name));
            }
        }
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        if same(self.delta_g2, g2) || same(self.delta_g1, g1) {
            return Err(UnsafeKey::DeltaIsGamma);
        }
        if same(self.alpha_g1, g1) {
            return Err(UnsafeKey::Generator("α₁"));
        }
        if same(self.beta_g2, g2) {
            return Err(UnsafeKey::Generator("β₂"));
        }
        for (i, first) in self.l.iter().enumerate() {
            for (j, second) in self.l.iter().enumerate().skip(i + 1) {
                if same(*first, *second) {
                    return Err(UnsafeKey::RepeatedInput(i, j));
                }
            }
        }
        if Bn254::pairing(self.delta_g1, g2) != Bn254::pairing(g1, self.delta_g2) {
            return Err(UnsafeKey::DeltaMismatch);
        }
        Ok(())
    }

    /// Checks that keys are of one parameter set: α and β common to all, no δ twice.
    pub fn of_one_set(keys: &[&Self]) -> Result<(), UnsafeKey> {
        for (i, first) in keys.iter().enumerate() {
            for second in keys.iter().skip(i + 1) {
                if first.alpha_g1 != second.alpha_g1 || first.beta_g2 != second.beta_g2 {
                    return Err(UnsafeKey::NotOneSet("α or β differs"));
                }
                if same(first.delta_g2, second.delta_g2) {
                    return Err(UnsafeKey::NotOneSet("δ is used twice"));
                }
            }
        }
        Ok(())
    }

    /// L₀ + Σ kᵢ·L₁₊ₛₖᵢₚ₊ᵢ: the part of the input sum that known inputs make, when the first `skip` inputs are hidden.
    /// `None` if the inputs are not exactly those that remain.
    pub fn known_part(&self, skip: usize, known: &[Fr]) -> Option<G1Affine> {
        let (constant, bases) = self.l.split_first()?;
        let bases = bases.get(skip..)?;
        if bases.len() != known.len() {
            return None;
        }
        let terms: Vec<_> = bases.iter().copied().zip(known.iter().copied()).collect();
        Some((crate::group::sum_of_products(&terms) + constant).into())
    }
}

/// Whether two points are the same up to sign.
fn same<P: AffineRepr>(one: P, other: P) -> bool {
    one == other || one.into_group() == -other.into_group()
}

struct PointReader<'a> {
    rest: &'a [u8],
    index: usize,
}

impl PointReader<'_> {
    fn g1(&mut self) -> Result<G1Affine, KeyDecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(KeyDecodeError::Length)?;
        self.rest = rest;
        self.index += 1;
        g1_from_bytes(bytes).map_err(|source| KeyDecodeError::Point {
            index: self.index - 1,
            source,
        })
    }

    fn g2(&mut self) -> Result<G2Affine, KeyDecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(KeyDecodeError::Length)?;
        self.rest = rest;
        self.index += 1;
        g2_from_bytes(bytes).map_err(|source| KeyDecodeError::Point {
            index: self.index - 1,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::CurveGroup;
    use ark_ff::UniformRand;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn key(inputs: usize) -> VerifyingKey {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let delta = Fr::rand(&mut rng);
        let mut g1 = || (G1Affine::generator() * Fr::rand(&mut rng)).into_affine();
        VerifyingKey {
            alpha_g1: g1(),
            l: (0..=inputs).map(|_| g1()).collect(),
            beta_g2: (G2Affine::generator() * Fr::from(99u64)).into_affine(),
            delta_g1: (G1Affine::generator() * delta).into_affine(),
            delta_g2: (G2Affine::generator() * delta).into_affine(),
        }
    }

    #[test]
    fn a_key_is_read_back_and_its_digest_follows_it() {
        let good = key(3);
        let bytes = good.encode();
        assert_eq!(VerifyingKey::decode(&bytes), Ok(good.clone()));
        let mut other = good.clone();
        other.l.swap(0, 1);
        assert_ne!(good.digest(), other.digest());
    }

    #[test]
    fn a_length_other_than_exact_is_refused() {
        let mut bytes = key(2).encode();
        for cut in [0, 1, 31, 193, 194, bytes.len() - 1] {
            assert_eq!(
                VerifyingKey::decode(&bytes[..cut]),
                Err(KeyDecodeError::Length),
                "{cut}"
            );
        }
        bytes.push(0);
        assert_eq!(VerifyingKey::decode(&bytes), Err(KeyDecodeError::Length));
    }

    #[test]
    fn infinity_in_a_key_is_refused() {
        let mut bad = key(1);
        bad.l[1] = G1Affine::identity();
        assert_eq!(bad.validate(1), Err(UnsafeKey::Infinity("L")));
        assert_eq!(
            VerifyingKey::decode(&bad.encode()),
            Err(KeyDecodeError::Point {
                index: 5,
                source: PointError::Infinity
            })
        );
        let mut bad = key(1);
        bad.delta_g1 = G1Affine::identity();
        assert_eq!(bad.validate(1), Err(UnsafeKey::Infinity("δ₁")));
    }

    #[test]
    fn a_key_with_which_one_can_forge_or_that_does_not_hide_is_refused() {
        assert_eq!(key(4).validate(4), Ok(()));
        assert_eq!(
            key(4).validate(5),
            Err(UnsafeKey::InputCount {
                expected: 6,
                found: 5
            })
        );
        let mut bad = key(4);
        (bad.delta_g1, bad.delta_g2) = (G1Affine::generator(), G2Affine::generator());
        assert_eq!(bad.validate(4), Err(UnsafeKey::DeltaIsGamma));
        // δ = −1 is known as well: A = α, B = β, C = ΣL.
        bad.delta_g1 = -bad.delta_g1;
        bad.delta_g2 = -bad.delta_g2;
        assert_eq!(bad.validate(4), Err(UnsafeKey::DeltaIsGamma));
        let mut bad = key(4);
        bad.delta_g1 = (bad.delta_g1 + G1Affine::generator()).into_affine();
        assert_eq!(bad.validate(4), Err(UnsafeKey::DeltaMismatch));
        let mut bad = key(4);
        bad.l[4] = bad.l[2];
        assert_eq!(bad.validate(4), Err(UnsafeKey::RepeatedInput(2, 4)));
        bad.l[4] = -bad.l[2];
        assert_eq!(bad.validate(4), Err(UnsafeKey::RepeatedInput(2, 4)));
        let mut bad = key(4);
        bad.alpha_g1 = -G1Affine::generator();
        assert_eq!(bad.validate(4), Err(UnsafeKey::Generator("α₁")));
        let mut bad = key(4);
        bad.beta_g2 = -G2Affine::generator();
        assert_eq!(bad.validate(4), Err(UnsafeKey::Generator("β₂")));
    }

    #[test]
    fn keys_of_two_sets_do_not_mix() {
        let first = key(2);
        let mut second = key(3);
        assert_eq!(
            VerifyingKey::of_one_set(&[&first, &second]),
            Err(UnsafeKey::NotOneSet("δ is used twice"))
        );
        second.delta_g2 = -second.delta_g2;
        assert_eq!(
            VerifyingKey::of_one_set(&[&first, &second]),
            Err(UnsafeKey::NotOneSet("δ is used twice"))
        );
        second.delta_g2 = (second.delta_g2 + second.delta_g2).into_affine();
        assert_eq!(VerifyingKey::of_one_set(&[&first, &second]), Ok(()));
        second.alpha_g1 = second.delta_g1;
        assert!(VerifyingKey::of_one_set(&[&first, &second]).is_err());
    }

    #[test]
    fn the_known_part_takes_exactly_the_inputs_that_remain() {
        let vk = key(3);
        let known = [Fr::from(5u64), Fr::from(6u64)];
        let expected = vk.l[0] + vk.l[2] * known[0] + vk.l[3] * known[1];
        assert_eq!(vk.known_part(1, &known), Some(expected.into_affine()));
        assert_eq!(vk.known_part(1, &known[..1]), None);
        assert_eq!(vk.known_part(2, &known), None);
        assert_eq!(vk.known_part(9, &[]), None);
    }
}
