//! TBSCertificate walked in RFC 5280's order (4.1): where each field is, from the first octet to the last.
//!
//! Each element begins where the one before it ends, and the last one ends where the whole does, which is the length that was
//! hashed. No length is negative, so nothing that is read as part of a field lies outside of it, and no offset is the prover's choice.
//! The signature algorithm is a constant; what a public key looks like is for the signature's relation.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;
use thiserror::Error;

use super::{
    bytes::Bytes,
    compare,
    der::{Element, HEADER, element},
    time::{seconds, unix_seconds},
    window::read,
};
use crate::system::{Lc, System};

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// \[3\] EXPLICIT.
const EXTENSIONS: u8 = 0xa3;
/// \[0\] EXPLICIT INTEGER 2: version 3, as a certificate with extensions has.
const VERSION_3: [u8; 5] = [0xa0, 0x03, 0x02, 0x01, 0x02];
/// RFC 5280, 4.1.2.2.
pub(crate) const LONGEST_SERIAL: usize = 20;
/// The octet after the serial number is this one at the latest: the longest header, the version, the longest serial number.
pub(crate) const SERIAL_END: usize = HEADER + VERSION_3.len() + 2 + LONGEST_SERIAL;

/// sha256WithRSAEncryption with NULL (RFC 4055, 5): AlgorithmIdentifier.
pub const SHA256_WITH_RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

/// The fields of a TBSCertificate that are read on.
#[derive(Debug)]
pub struct Fields<E> {
    /// The serial number, 1 to 20 octets, not negative, in the fewest octets.
    pub serial: E,
    /// Name of the issuer.
    pub issuer: E,
    /// Both times.
    pub validity: E,
    /// Name of the subject.
    pub subject: E,
    /// SubjectPublicKeyInfo.
    pub key: E,
    /// The SEQUENCE of extensions.
    pub extensions: E,
}

/// Walks the string, from its first octet to its last. Unique identifiers are refused, and so is whatever follows the extensions.
pub fn walk(system: &mut System, string: &Bytes, algorithm: &[u8]) -> Fields<Element> {
    let zero = Lc::constant(Fr::ZERO);
    let bytes = string.values();
    // The version, the serial number and the algorithm are near the start: the longest header, the version, and the longest serial
    // number say how near. A read of fewer bytes is cheaper, and none of these can reach beyond them.
    let near = |octets: usize| bytes.get(..octets).unwrap_or(bytes);
    let beginning = HEADER + VERSION_3.len();

    let whole = Element::read(system, near(HEADER), &zero);
    whole.has_tag(system, SEQUENCE);
    system.enforce_equal(&whole.end, string.length());
    let version = read(system, near(beginning), &whole.start, VERSION_3.len());
    version.is(system, &VERSION_3);

    let start = &whole.start + Fr::from(VERSION_3.len() as u64);
    let serial = serial(system, near(beginning + HEADER), &start);
    let near_algorithm = near(SERIAL_END + algorithm.len());
    let found = read(system, near_algorithm, &serial.end, algorithm.len());
    found.is(system, algorithm);

    let mut next = &serial.end + Fr::from(algorithm.len() as u64);
    let mut field = |system: &mut System, tag: u8| {
        let field = Element::read(system, bytes, &next);
        field.has_tag(system, tag);
        next = field.end.clone();
        field
    };
    let [issuer, validity, subject, key] = [SEQUENCE; 4].map(|tag| field(system, tag));
    let wrapper = field(system, EXTENSIONS);
    system.enforce_equal(&wrapper.end, &whole.end);
    let extensions = Element::read(system, bytes, &wrapper.start);
    extensions.has_tag(system, SEQUENCE);
    system.enforce_equal(&extensions.end, &wrapper.end);
    Fields {
        serial,
        issuer,
        validity,
        subject,
        key,
        extensions,
    }
}

/// An INTEGER from 0 on, of 1 to 20 octets, in the fewest.
///
/// Its first octet is below 0x80; where that is 0, either it is alone, or the next one is not below 0x80.
fn serial(system: &mut System, bytes: &[Lc], offset: &Lc) -> Element {
    let octets = read(system, bytes, offset, HEADER);
    let serial = Element::parse(system, &octets, offset);
    serial.has_tag(system, INTEGER);
    let more = &serial.length - Fr::ONE;
    compare::within_bits(
        system,
        &more,
        &Lc::constant(Fr::from(LONGEST_SERIAL as u64 - 1)),
        5,
    );
    // So the length has one octet, and the contents begin at the third.
    let zero = Lc::constant(Fr::ZERO);
    let top = |place: usize| {
        octets
            .bits(place)
            .and_then(|bits| bits.get(7))
            .unwrap_or(&zero)
    };
    system.enforce_equal(top(2), &zero);
    let first = octets.value(2).unwrap_or(&zero);
    let (empty, alone) = (is_zero(system, first), is_zero(system, &more));
    let padded = system.product(&empty, &(&Lc::constant(Fr::ONE) - &alone));
    let needed = system.product(&padded, top(3));
    system.enforce_equal(&needed, &padded);
    serial
}

/// 1 if the value is 0, else 0: value·y = 1 − z, value·z = 0, and y·z = 0 so that y is determined.
pub(crate) fn is_zero(system: &mut System, value: &Lc) -> Lc {
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::ONE));
    let inverse = value.value().inverse().unwrap_or_default();
    let inverse = system.hint("inverse of what may be 0", inverse);
    let is_zero = system.hint("whether it is 0", Fr::from(value.value() == Fr::ZERO));
    system.enforce(value, &inverse, &(&one - &is_zero));
    system.enforce(value, &is_zero, &zero);
    system.enforce(&inverse, &is_zero, &zero);
    is_zero
}

/// The two times of a validity, in Unix seconds: the contents are these two and nothing more. Two reads of a time, and one constraint.
pub fn validity(system: &mut System, string: &Bytes, validity: &Element) -> [Lc; 2] {
    let first = unix_seconds(system, string.values(), &validity.start);
    let last = unix_seconds(system, string.values(), &first.end);
    system.enforce_equal(&last.end, &validity.end);
    [first.seconds, last.seconds]
}

/// The same natively, of the contents' places.
pub fn times(tbs: &[u8], (start, end): (usize, usize)) -> Option<[u64; 2]> {
    let (first, next) = seconds(tbs, start)?;
    let (last, found) = seconds(tbs, next)?;
    (found == end).then_some([first, last])
}

/// Why a TBSCertificate is not walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TbsError {
    /// It is no SEQUENCE of all the octets.
    #[error("what is signed is no TBSCertificate in DER; have the certificate issued again")]
    Whole,
    /// Version 1 or 2, which have no extensions.
    #[error(
        "the certificate is not of version 3 and so cannot say what it is for; have it issued again as version 3"
    )]
    Version,
    /// The serial number.
    #[error(
        "the serial number is no INTEGER from 0 on, in DER, of at most 20 bytes (RFC 5280, 4.1.2.2); have the certificate issued again"
    )]
    Serial,
    /// Another signature algorithm.
    #[error(
        "the certificate is signed with another algorithm than this relation verifies; use one that is signed with it"
    )]
    Algorithm,
    /// Another field.
    #[error(
        "the certificate's {0} is not where or what it must be in DER; have the certificate issued again"
    )]
    Field(&'static str),
    /// Something between the key and the extensions, or after them.
    #[error(
        "the certificate has unique identifiers, or no extensions, or something after them; have it issued again without"
    )]
    Extensions,
}

/// The same natively: each field as the places of its first content octet and of the octet after it.
///
/// # Errors
/// [`TbsError`]: which field is not as it must be.
pub fn fields(tbs: &[u8], algorithm: &[u8]) -> Result<Fields<(usize, usize)>, TbsError> {
    let field = |offset: usize, tag: u8| {
        let (found, start, end) = element(tbs, offset)?;
        (found == tag && end <= tbs.len()).then_some((start, end))
    };
    let is = |offset: usize, expected: &[u8]| {
        let found = tbs.get(offset..offset.checked_add(expected.len())?)?;
        (found == expected).then_some(offset + expected.len())
    };
    let whole = field(0, SEQUENCE).filter(|(_, end)| *end == tbs.len());
    let (start, end) = whole.ok_or(TbsError::Whole)?;
    let serial = is(start, &VERSION_3).ok_or(TbsError::Version)?;
    let serial = field(serial, INTEGER).ok_or(TbsError::Serial)?;
    let octets = tbs.get(serial.0..serial.1).unwrap_or_default();
    let padded = |first: u8| first == 0 && octets.get(1).is_some_and(|second| *second < 0x80);
    let minimal = octets
        .first()
        .is_some_and(|first| *first < 0x80 && !padded(*first));
    if !minimal || octets.len() > LONGEST_SERIAL {
        return Err(TbsError::Serial);
    }
    let next = is(serial.1, algorithm).ok_or(TbsError::Algorithm)?;
    let sequence = |offset: usize, name| field(offset, SEQUENCE).ok_or(TbsError::Field(name));
    let issuer = sequence(next, "issuer")?;
    let validity = sequence(issuer.1, "validity")?;
    let subject = sequence(validity.1, "subject")?;
    let key = sequence(subject.1, "public key")?;
    let wrapper = field(key.1, EXTENSIONS).ok_or(TbsError::Extensions)?;
    let extensions = field(wrapper.0, SEQUENCE).ok_or(TbsError::Extensions)?;
    if wrapper.1 != end || extensions.1 != end {
        return Err(TbsError::Extensions);
    }
    Ok(Fields {
        serial,
        issuer,
        validity,
        subject,
        key,
        extensions,
    })
}

#[cfg(test)]
#[path = "tbs_tests.rs"]
mod tests;
