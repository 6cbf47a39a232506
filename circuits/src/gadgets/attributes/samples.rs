//! DER by hand, right and wrong, for tests.

use bauta_statement::schema::{Attribute, AttributeType, Oid, SanKind, Source};
use const_oid::ObjectIdentifier;

use crate::gadgets::tbs::SHA256_WITH_RSA;
pub(crate) use crate::hunt::samples::tlv;

/// organizationName, organizationalUnitName, commonName, emailAddress.
pub(crate) const O: &[u8] = &[0x55, 0x04, 0x0a];
pub(crate) const OU: &[u8] = &[0x55, 0x04, 0x0b];
pub(crate) const CN: &[u8] = &[0x55, 0x04, 0x03];
/// 1.3.6.1.4.1.32473.9, an extension and an attribute type for documentation.
pub(crate) const LEVEL: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xfd, 0x59, 0x09];
pub(crate) const SAN: &[u8] = &[0x55, 0x1d, 0x11];

/// AttributeTypeAndValue.
pub(crate) fn attribute(identifier: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    let value = tlv(tag, value);
    tlv(0x30, &[tlv(0x06, identifier), value].concat())
}

/// A set of one.
pub(crate) fn alone(identifier: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(0x31, &attribute(identifier, tag, value))
}

pub(crate) fn extension(identifier: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    let all = [tlv(0x06, identifier), critical.to_vec(), tlv(0x04, content)];
    tlv(0x30, &all.concat())
}

/// subjectAltName of these names.
pub(crate) fn alternative(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<u8> = names
        .iter()
        .flat_map(|(tag, name)| tlv(*tag, name))
        .collect();
    extension(SAN, false, &tlv(0x30, &names))
}

/// A TBSCertificate with this subject and these extensions.
pub(crate) fn tbs(subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    let time = tlv(0x17, b"260101000000Z");
    let all = [
        vec![0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x07],
        SHA256_WITH_RSA.to_vec(),
        tlv(0x30, &alone(CN, 0x0c, b"CA")),
        tlv(0x30, &[time.clone(), time].concat()),
        tlv(0x30, subject),
        // A key of a made-up algorithm.
        vec![
            0x30, 0x0a, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03, 0x03, 0x02, 0x00, 0x05,
        ],
        tlv(0xa3, &tlv(0x30, extensions)),
    ];
    tlv(0x30, &all.concat())
}

fn oid(identifier: &[u8]) -> Oid {
    Oid(ObjectIdentifier::from_bytes(identifier).unwrap())
}

fn of(slot: u8, kind: AttributeType, source: Source) -> Attribute {
    Attribute {
        slot,
        name: format!("slot {slot}"),
        kind,
        source,
        occurrence: None,
        required: false,
    }
}

pub(crate) fn subject(slot: u8, kind: AttributeType, identifier: &[u8]) -> Attribute {
    of(slot, kind, Source::Subject(oid(identifier)))
}

pub(crate) fn from_extension(slot: u8, kind: AttributeType, identifier: &[u8]) -> Attribute {
    of(slot, kind, Source::Extension(oid(identifier)))
}

pub(crate) fn from_name(slot: u8, kind: SanKind) -> Attribute {
    of(slot, AttributeType::Text, Source::San(kind))
}

/// The one of this number.
pub(crate) fn nth(attribute: Attribute, occurrence: u8) -> Attribute {
    Attribute {
        occurrence: Some(occurrence),
        ..attribute
    }
}
