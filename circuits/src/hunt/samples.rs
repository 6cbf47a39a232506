//! What the tests of more than one gadget do with a certificate.

use bauta_statement::field::Fr;
use num_bigint::BigUint;

use crate::{
    gadgets::{
        der::element,
        spki,
        tbs::{SHA256_WITH_RSA, fields},
    },
    system::{Lc, System},
};

/// TBSCertificate, cut out of the certificate.
pub(crate) fn tbs(certificate: &[u8]) -> &[u8] {
    let (_, start, _) = element(certificate, 0).unwrap();
    let (_, _, end) = element(certificate, start).unwrap();
    &certificate[start..end]
}

/// The modulus of the key in a TBSCertificate.
pub(crate) fn modulus(tbs: &[u8]) -> BigUint {
    let (start, end) = fields(tbs, &SHA256_WITH_RSA).unwrap().key;
    BigUint::from_bytes_be(spki::modulus(&tbs[start..end], 256).unwrap())
}

/// An element in DER.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut all = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    all.extend_from_slice(content);
    all
}

/// These bytes and zeros as wires that nothing is proved of.
pub(crate) fn hinted(system: &mut System, bytes: &[u8], room: usize) -> Vec<Lc> {
    (0..room)
        .map(|place| {
            let byte = bytes.get(place).copied().unwrap_or_default();
            system.hint("byte", Fr::from(byte))
        })
        .collect()
}
