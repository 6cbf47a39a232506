//! That the holder has the key of the certificate: a signature by it of one fixed message.

use bauta_statement::{field::Fr, rsa_key::possession_digest};
use num_bigint::BigUint;

use super::{
    natural::Natural,
    rsa::{PublicKey, is_signature, verify},
};
use crate::system::{Lc, System};

/// The prover knows a signature by this key of `rsa_key::POSSESSION_MESSAGE`: RSASSA-PKCS1-v1_5 with SHA-256, e = 65537, s < N. 76,036 constraints
/// for 2,048 bits, of which 2,048 for the ranges of the signature.
///
/// The digest's words are constants, and nothing of the encoded message is a wire.
///
/// # Panics
/// As [`PublicKey::new`] does; the signature is taken by as many limbs as the modulus has, and what is above them left out.
pub fn has_signed(system: &mut System, key: &PublicKey, signature: &BigUint) {
    let limbs = key.modulus().limbs().len();
    let signature = Natural::witness(system, "holder's signature", signature, limbs);
    verify(system, key, &signature, &digest_words());
}

/// The digest of the message as eight constant words, the first one first.
fn digest_words() -> [Lc; 8] {
    let digest = possession_digest();
    let (words, _) = digest.as_chunks::<4>();
    std::array::from_fn(|word| {
        let word = words.get(word).copied().unwrap_or_default();
        Lc::constant(Fr::from(u32::from_be_bytes(word)))
    })
}

/// The same natively, for RSA-2048.
pub fn is_possession(modulus: &BigUint, signature: &BigUint) -> bool {
    is_signature(modulus, signature, &possession_digest())
}

#[cfg(test)]
#[path = "holder_tests.rs"]
mod tests;
