//! The key of a certificate: the same rows at a size that shows all of them.

use bauta_statement::field::Fr;

use super::{bits, plain};
use crate::{
    gadgets::{der::Element, spki::rsa_modulus},
    hunt::case::Case,
    system::Lc,
};

/// Octets of the modulus here.
const OCTETS: usize = 2;

pub(super) fn all() -> Vec<Case> {
    let key = plain(
        "spki::rsa_modulus",
        "2 octets among 40",
        |seed| {
            // AlgorithmIdentifier, BIT STRING, SEQUENCE, INTEGER; the modulus; the exponent.
            let mut contents = vec![
                0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
                0x00, 0x03, 0x0d, 0x00, 0x30, 0x0a, 0x02, 0x03, 0x00,
            ];
            contents.extend([0xc0, seed as u8]);
            contents.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
            let length = contents.len() as u64;
            let offset = seed % 8;
            let mut inputs = vec![Fr::from(7); offset as usize];
            inputs.extend(contents.into_iter().map(|octet: u8| Fr::from(octet)));
            inputs.resize(40, Fr::from(9));
            inputs.extend([Fr::from(offset), Fr::from(length)]);
            (inputs, ())
        },
        |system, inputs, ()| {
            let (bytes, place) = inputs.split_at(40);
            let element = Element {
                tag: Lc::constant(Fr::from(0x30)),
                start: place[0].clone(),
                length: place[1].clone(),
                end: &place[0] + &place[1],
            };
            rsa_modulus(system, bytes, &element, OCTETS);
        },
    );
    vec![
        bits::<8>(),
        // The rows of places that no sample reads are excused as what they are.
        Case {
            copies: vec![
                "compare::either_is_zero",
                "compare::range (8 bits)",
                "system::enforce_equal",
            ],
            ..key
        },
    ]
}
