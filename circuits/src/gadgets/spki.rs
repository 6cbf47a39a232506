//! SubjectPublicKeyInfo of an RSA key with the exponent 65537 (RFC 3279, 2.3.1): all of it but the modulus is constant.

use bauta_statement::field::Fr;

use super::{der::Element, natural::Natural, window::read};
use crate::system::{Lc, System};

/// rsaEncryption with NULL: AlgorithmIdentifier.
const RSA_ENCRYPTION: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// 65537: INTEGER.
const EXPONENT: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// The modulus of the key whose SubjectPublicKeyInfo is this element: a modulus with its highest bit, of `octets` octets. 5,564 constraints
/// for 256 octets in 1,079 bytes.
///
/// The contents are read whole and compared: what comes before the modulus and after it are constants, and so is their length.
pub fn rsa_modulus(system: &mut System, bytes: &[Lc], key: &Element, octets: usize) -> Natural {
    let before = before(octets);
    let end = before.len() + octets;
    let whole = end + EXPONENT.len();
    system.enforce_equal(&key.length, &Lc::constant(Fr::from(whole as u64)));
    let contents = read(system, bytes, &key.start, whole);
    contents.part(0..before.len()).is(system, &before);
    contents.part(end..whole).is(system, &EXPONENT);
    Natural::of_bytes(contents.part(before.len()..end).values())
}

/// The contents up to the modulus: AlgorithmIdentifier, BIT STRING without unused bits, SEQUENCE, INTEGER with an octet of 0 before its
/// highest bit.
fn before(octets: usize) -> Vec<u8> {
    let integer = octets + 1;
    let sequence = header(integer).len() + integer + EXPONENT.len();
    let string = 1 + header(sequence).len() + sequence;
    [
        &RSA_ENCRYPTION[..],
        &[0x03],
        &header(string)[1..],
        &[0x00, 0x30],
        &header(sequence)[1..],
        &[0x02],
        &header(integer)[1..],
        &[0x00],
    ]
    .concat()
}

/// A tag to be put in, and a length of at most 65,535 in the fewest octets.
fn header(length: usize) -> Vec<u8> {
    let [_, _, .., high, low] = (length as u32).to_be_bytes();
    match (high, low) {
        (0, 0..=0x7f) => vec![0, low],
        (0, _) => vec![0, 0x81, low],
        _ => vec![0, 0x82, high, low],
    }
}

/// The same natively, of the contents: the modulus, the highest octet first.
pub fn modulus(contents: &[u8], octets: usize) -> Option<&[u8]> {
    let rest = contents.strip_prefix(before(octets).as_slice())?;
    let modulus = rest.strip_suffix(&EXPONENT)?;
    (modulus.len() == octets).then_some(modulus)
}

#[cfg(test)]
#[path = "spki_tests.rs"]
mod tests;
