//! BN254's scalar field, in which every attribute, hash and proof input lives, and its one byte encoding.

use ark_ff::{BigInt, PrimeField};
use thiserror::Error;

pub use ark_bn254::Fr;

/// Length of an encoded field element, in bytes.
pub const ENCODED_LEN: usize = 32;

/// The bytes are not those of a field element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a canonical field element: the 32 little-endian bytes must be below the field's modulus; send the reduced value"
)]
pub struct NonCanonical;

/// The canonical encoding: 32 bytes, little-endian.
pub fn to_bytes(value: &Fr) -> [u8; ENCODED_LEN] {
    integer_to_bytes(value.into_bigint())
}

/// An integer's 32 bytes, little-endian.
pub(crate) fn integer_to_bytes(integer: BigInt<4>) -> [u8; ENCODED_LEN] {
    let mut bytes = [0; ENCODED_LEN];
    for (piece, limb) in bytes.as_chunks_mut().0.iter_mut().zip(integer.0) {
        *piece = limb.to_le_bytes();
    }
    bytes
}

/// Decodes 32 little-endian bytes.
///
/// # Errors
/// [`NonCanonical`] if the integer is not below the modulus: x and x + r would otherwise be two encodings of one value.
pub fn from_bytes(bytes: &[u8; ENCODED_LEN]) -> Result<Fr, NonCanonical> {
    // `None` at the modulus and above.
    Fr::from_bigint(integer(bytes)).ok_or(NonCanonical)
}

/// The integer of 32 little-endian bytes.
pub(crate) fn integer(bytes: &[u8; ENCODED_LEN]) -> BigInt<4> {
    let mut limbs = [0; 4];
    for (limb, piece) in limbs.iter_mut().zip(bytes.as_chunks().0) {
        *limb = u64::from_le_bytes(*piece);
    }
    BigInt::new(limbs)
}

/// The field element of an ASCII tag of at most 31 bytes (its little-endian integer): domain constants of hashes.
/// Longer tags are cut, which the callers' constants never are.
pub(crate) fn from_tag(tag: &str) -> Fr {
    let short: Vec<u8> = tag.bytes().take(31).collect();
    Fr::from_le_bytes_mod_order(&short)
}

/// The low 64 bits of the canonical integer.
pub fn low_u64(value: &Fr) -> u64 {
    value.into_bigint().0.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{BigInteger as _, One, Zero};

    #[test]
    fn encodes_both_ends_of_the_field() {
        for value in [Fr::zero(), Fr::one(), -Fr::one(), Fr::from(u64::MAX)] {
            assert_eq!(from_bytes(&to_bytes(&value)), Ok(value));
        }
    }

    #[test]
    fn refuses_the_modulus_and_above() {
        let mut modulus = [0; 32];
        modulus.copy_from_slice(&Fr::MODULUS.to_bytes_le());
        assert_eq!(from_bytes(&modulus), Err(NonCanonical));
        modulus[0] += 1; // the alias of 1, which is r + 1
        assert_eq!(from_bytes(&modulus), Err(NonCanonical));
        assert_eq!(from_bytes(&[0xff; 32]), Err(NonCanonical));
    }
}
