//! RSA signatures, e = 65537, RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2). RSA-2048 has 128 limbs; every other power of two
//! from 32 on works alike.

use bauta_statement::{field::Fr, rsa_key::SHA256_DIGEST_INFO};
use num_bigint::BigUint;

use super::{
    compare,
    modular::{Bounded, Modulus},
    natural::{LIMB, Natural, less_than},
};
use crate::system::{Lc, System};

/// Limbs of modulus and signature of RSA-2048.
pub const LIMBS_2048: usize = 128;
/// The one exponent.
pub const EXPONENT: u32 = 65537;

/// Bytes of a digest.
const DIGEST: usize = 32;

/// EM of so many bytes without the digest, which is its end: 00 01 ff … ff 00 DigestInfo.
fn padding(bytes: usize) -> Vec<u8> {
    let ones = bytes.saturating_sub(DIGEST + SHA256_DIGEST_INFO.len() + 3);
    [
        &[0x00, 0x01],
        &vec![0xff; ones][..],
        &[0x00],
        &SHA256_DIGEST_INFO,
    ]
    .concat()
}

/// A public key: a modulus of as many bits as its limbs have.
pub struct PublicKey {
    number: Natural,
    modulus: Modulus,
}

impl PublicKey {
    /// Of a modulus, which is shown to have its highest bit: 15 constraints.
    ///
    /// So every padded message is below it, and 0 and 1 are no modulus.
    ///
    /// # Panics
    /// If its limbs are no power of two, or fewer than 32: the circuit's fault, and not what is proved.
    pub fn new(system: &mut System, modulus: &Natural) -> Self {
        assert!(
            modulus.limbs().len() >= 32,
            "room for eight bytes of padding"
        );
        if let Some(top) = modulus.limbs().last() {
            let half = Fr::from(1u64 << (LIMB - 1));
            compare::range(system, &(top - half), LIMB - 1);
        }
        Self {
            number: modulus.clone(),
            modulus: Modulus::new(modulus),
        }
    }

    /// The modulus, which has its highest bit.
    pub fn modulus(&self) -> &Natural {
        &self.number
    }
}

/// The signature is this key's, of the message whose SHA-256 digest has these eight words: 73,988 constraints for 2,048 bits.
///
/// s < N, and s^65537 = EM modulo N, where EM is the message as it must be padded, every byte of it. The words, the first one
/// first, must be proven to be below 2^32.
///
/// # Panics
/// If the signature has not as many limbs as the modulus: the circuit's fault, and not what is proved.
pub fn verify(system: &mut System, key: &PublicKey, signature: &Natural, digest: &[Lc; 8]) {
    less_than(system, signature, &key.number);
    let encoded = encoded(digest, 2 * signature.limbs().len());
    key.modulus.power_65537_is(system, signature, &encoded);
}

/// EM as coefficients of powers of 2^16, the lowest first: each word of the digest stands at its lower limb.
fn encoded(digest: &[Lc; 8], bytes: usize) -> Vec<Bounded> {
    let words = digest.iter().rev();
    let words = words.flat_map(|word| [Bounded::of_bits(word, 32), Bounded::constant(0)]);
    let padding = padding(bytes);
    let limbs = padding.rchunks(2).map(|pair| {
        let limb = pair.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Bounded::constant(limb)
    });
    words.chain(limbs).collect()
}

/// The same natively, for RSA-2048.
pub fn is_signature(modulus: &BigUint, signature: &BigUint, digest: &[u8; DIGEST]) -> bool {
    let bytes = 2 * LIMBS_2048;
    if modulus.bits() != 8 * bytes as u64 || signature >= modulus {
        return false;
    }
    let encoded = [&padding(bytes)[..], digest].concat();
    signature.modpow(&BigUint::from(EXPONENT), modulus) == BigUint::from_bytes_be(&encoded)
}

#[cfg(test)]
#[path = "rsa_tests.rs"]
mod tests;
