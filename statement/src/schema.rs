//! A schema says which attribute is in which slot of the vector and where in a certificate it comes from. It is the JSON
//! body of a signed file; its *rule*, a Poseidon hash of what it says of each slot, is bound into every credential's
//! origin, so that no slot can be read under another schema (DESIGN 3.1).

use std::collections::BTreeSet;
use std::fmt;

use ark_ff::PrimeField;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::field::Fr;
use crate::poseidon;

/// The slots of the vector that a schema may give to attributes; those below have a fixed meaning.
pub const ATTRIBUTE_SLOTS: std::ops::RangeInclusive<u8> = 5..=15;

/// The longest OBJECT IDENTIFIER (DER content bytes) that a source may name: it is packed into one field element.
pub const LONGEST_OID: usize = 27;

/// The longest text that an attribute may have, in bytes of UTF-8.
pub const LONGEST_TEXT: usize = 256;

/// Which attribute is in which slot, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The schema's name; the same as in the signed file's header.
    pub name: String,
    /// What the schema is for, in a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The attribute by which an enrolment desk knows a subject (an employee number, an e-mail address): one subject has
    /// one holder secret, whatever certificates it brings. It must be a required attribute.
    pub subject_key: String,
    /// The purpose (extKeyUsage) that a certificate must have; without it, TLS client authentication or Microsoft's smart card logon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_key_usage: Option<Oid>,
    /// The attributes, in any order.
    pub attributes: Vec<Attribute>,
}

/// One attribute of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The slot of the vector, 5 to 15.
    pub slot: u8,
    /// The name by which policies call it.
    pub name: String,
    /// How its value becomes a field element.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Where in an X.509 certificate it is found.
    pub source: Source,
    /// Which one, counted from 0, where the certificate has the source more than once. Without it, more than one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<u8>,
    /// Whether a certificate without it is refused; otherwise the slot is then *absent*.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
}

/// How an attribute's value becomes a field element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// An unsigned 64-bit integer, written in decimal in a certificate.
    Integer,
    /// A UTF-8 string, hashed with its length.
    Text,
}

/// Where in an X.509 certificate an attribute is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// An attribute type of the subject's distinguished name, such as 2.5.4.10 (organisation).
    Subject(Oid),
    /// An entry of the subject alternative name.
    San(SanKind),
    /// An extension whose value is one DER string or integer.
    Extension(Oid),
}

/// A kind of subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SanKind {
    /// rfc822Name: an e-mail address.
    Email,
    /// dNSName: a host name.
    Dns,
}

/// An OBJECT IDENTIFIER, written with dots in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub ObjectIdentifier);

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ObjectIdentifier::new(&text).map(Oid).map_err(|_| {
            de::Error::custom(format!(
                "{text:?} is not an object identifier: write it with dots, such as 2.5.4.10"
            ))
        })
    }
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum SchemaError {
    #[error(
        "the schema's name {0:?} is not allowed: use 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', and neither \".\" nor \"..\""
    )]
    Name(String),
    #[error("the schema has no attribute: give it at least the subject key")]
    Empty,
    #[error("attribute {name:?} is in slot {slot}: attributes are in slots 5 to 15")]
    SlotOutOfRange { name: String, slot: u8 },
    #[error("slot {0} is given twice: give each attribute a slot of its own")]
    SlotTwice(u8),
    #[error("attribute {0:?} is named twice: give each attribute a name of its own")]
    NameTwice(String),
    #[error("attribute name {0:?} is not allowed: use 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'")]
    AttributeName(String),
    #[error(
        "attribute {name:?} comes from {oid}, which is longer than {LONGEST_OID} bytes in DER: use a shorter identifier"
    )]
    LongIdentifier { name: String, oid: Oid },
    #[error(
        "the extended key usage {0} is longer than {LONGEST_OID} bytes in DER: use a shorter identifier"
    )]
    LongPurpose(Oid),
    #[error("the subject key {0:?} is no attribute of the schema: name one of its attributes")]
    SubjectKeyUnknown(String),
    #[error(
        "the subject key {0:?} is not required: add \"required\": true to it, so that every subject has one"
    )]
    SubjectKeyOptional(String),
    #[error(
        "attribute {0:?} comes from an extension and names an occurrence: a certificate has each extension once, leave it out"
    )]
    ExtensionOccurrence(String),
    #[error("attribute {0:?} names occurrence 255: use 0 to 254")]
    Occurrence(String),
}

impl Schema {
    /// Reads a schema from JSON and checks it.
    ///
    /// # Errors
    /// The parse error's text, or the first [`SchemaError`].
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let schema: Self =
            serde_json::from_slice(json).map_err(|e| format!("the schema does not parse: {e}"))?;
        schema.check().map_err(|e| e.to_string())?;
        Ok(schema)
    }

    /// Its JSON, in one line.
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of strings and numbers has JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Checks what serde cannot.
    ///
    /// # Errors
    /// The first [`SchemaError`].
    pub fn check(&self) -> Result<(), SchemaError> {
        if !is_name(&self.name) {
            return Err(SchemaError::Name(self.name.clone()));
        }
        if self.attributes.is_empty() {
            return Err(SchemaError::Empty);
        }
        if let Some(purpose) = self.extended_key_usage
            && purpose.0.as_bytes().len() > LONGEST_OID
        {
            return Err(SchemaError::LongPurpose(purpose));
        }
        let (mut slots, mut names) = (BTreeSet::new(), BTreeSet::new());
        for attribute in &self.attributes {
            let name = || attribute.name.clone();
            if !is_name(&attribute.name) {
                return Err(SchemaError::AttributeName(name()));
            }
            if !ATTRIBUTE_SLOTS.contains(&attribute.slot) {
                return Err(SchemaError::SlotOutOfRange {
                    name: name(),
                    slot: attribute.slot,
                });
            }
            if !slots.insert(attribute.slot) {
                return Err(SchemaError::SlotTwice(attribute.slot));
            }
            if !names.insert(&attribute.name) {
                return Err(SchemaError::NameTwice(name()));
            }
            if let Source::Subject(oid) | Source::Extension(oid) = attribute.source
                && oid.0.as_bytes().len() > LONGEST_OID
            {
                return Err(SchemaError::LongIdentifier { name: name(), oid });
            }
            if attribute.occurrence == Some(u8::MAX) {
                return Err(SchemaError::Occurrence(name()));
            }
            if attribute.occurrence.is_some() && matches!(attribute.source, Source::Extension(_)) {
                return Err(SchemaError::ExtensionOccurrence(name()));
            }
        }
        match self.attribute(&self.subject_key) {
            None => Err(SchemaError::SubjectKeyUnknown(self.subject_key.clone())),
            Some(key) if !key.required => {
                Err(SchemaError::SubjectKeyOptional(self.subject_key.clone()))
            }
            Some(_) => Ok(()),
        }
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The attribute in that slot.
    pub fn in_slot(&self, slot: u8) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.slot == slot)
    }

    /// The schema rule: Poseidon over eleven field elements, one per attribute slot from 5 to 15, each 0 for an unused slot
    /// or else [`Attribute::rule`]. Names and `required` are not in it, so a schema may be signed again with other names and
    /// keep its credentials; and a relation can compute it from what it reads, slot by slot. A schema that names a purpose
    /// has Poseidon(that, [`purpose`](Self::purpose)).
    pub fn rule(&self) -> Fr {
        let mut rules = [Fr::from(0u64); 11];
        for (rule, slot) in rules.iter_mut().zip(ATTRIBUTE_SLOTS) {
            if let Some(attribute) = self.in_slot(slot) {
                *rule = attribute.rule();
            }
        }
        let rule = poseidon::hash(&rules);
        match self.extended_key_usage {
            None => rule,
            Some(_) => poseidon::hash(&[rule, self.purpose()]),
        }
    }

    /// The purpose that it names, as a field element: the identifier's length and its DER content, as bytes, little-endian; 0 if it names
    /// none.
    pub fn purpose(&self) -> Fr {
        let Some(Oid(purpose)) = self.extended_key_usage else {
            return Fr::from(0u64);
        };
        let content = purpose.as_bytes();
        Fr::from_le_bytes_mod_order(&[&[content.len() as u8], content].concat())
    }

    /// Whether this schema and the other read a slot alike: from the same source, as the same type. The issuers of an issuer
    /// set may have schemas of their own, if they agree on every slot that a policy reads.
    pub fn slot_agrees(&self, other: &Self, slot: u8) -> bool {
        match (self.in_slot(slot), other.in_slot(slot)) {
            (Some(a), Some(b)) => a.rule() == b.rule(),
            _ => false,
        }
    }
}

impl Attribute {
    /// What the schema says of one slot, packed into a field element below 2^248, never 0: bytes, little-endian,
    /// type (1 integer, 2 text) ‖ source (1 subject, 2 extension, 3 SAN e-mail, 4 SAN DNS) ‖ occurrence + 1, or 0 ‖ length of
    /// the object identifier ‖ its DER content.
    pub fn rule(&self) -> Fr {
        let (source, identifier): (u8, &[u8]) = match &self.source {
            Source::Subject(oid) => (1, oid.0.as_bytes()),
            Source::Extension(oid) => (2, oid.0.as_bytes()),
            Source::San(SanKind::Email) => (3, &[]),
            Source::San(SanKind::Dns) => (4, &[]),
        };
        let kind = match self.kind {
            AttributeType::Integer => 1,
            AttributeType::Text => 2,
        };
        let occurrence = self.occurrence.map_or(0, |n| n.saturating_add(1));
        let mut bytes = vec![kind, source, occurrence, identifier.len() as u8];
        bytes.extend_from_slice(identifier);
        Fr::from_le_bytes_mod_order(&bytes)
    }
}

/// The integer that a certificate writes in plain decimal: no sign, no space, no leading zero, so that one number has one writing.
pub fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Whether a name is one that a file, an attribute or a path segment of a SPIFFE ID may have: 1 to 64 of
/// `[a-zA-Z0-9._-]`, and neither `.` nor `..`.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::policy::tests::accepts;

    pub(crate) const EXAMPLE: &str = include_str!("../../docs/examples/schema.json");
    const PUBLISHED: &str = include_str!("../../docs/schema/schema.json");

    pub(crate) fn example() -> Schema {
        Schema::from_json(EXAMPLE.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_is_accepted_by_serde_and_by_the_published_schema() {
        let schema = example();
        assert_eq!(schema.subject_key, "email");
        assert_eq!(
            schema.attribute("level").unwrap().kind,
            AttributeType::Integer
        );
        accepts(PUBLISHED, &serde_json::from_str(EXAMPLE).unwrap()).unwrap();
        let written = serde_json::to_value(&schema).unwrap();
        accepts(PUBLISHED, &written).unwrap();
        assert_eq!(serde_json::from_value::<Schema>(written).unwrap(), schema);
    }

    #[test]
    fn what_one_refuses_the_other_refuses() {
        let published =
            |json: &str| accepts(PUBLISHED, &serde_json::from_str(json).unwrap()).is_ok();
        let replaced = |from: &str, to: &str| {
            assert!(EXAMPLE.contains(from), "{from}");
            EXAMPLE.replacen(from, to, 1)
        };
        for bad in [
            replaced("\"slot\": 5", "\"slot\": 4"),
            replaced("\"slot\": 5", "\"slot\": 16"),
            replaced("\"integer\"", "\"float\""),
            replaced("\"2.5.4.10\"", "\"organisation\""),
            replaced("\"subject\"", "\"issuer\""),
            replaced("\"subject_key\"", "\"subject_kee\""),
            replaced("\"required\": true", "\"required\": 1"),
            replaced("\"name\": \"level\"", "\"name\": \"a level\""),
        ] {
            assert!(Schema::from_json(bad.as_bytes()).is_err(), "{bad}");
            assert!(!published(&bad), "{bad}");
        }
    }

    #[test]
    fn every_check_refuses() {
        type Change = fn(&mut Schema);
        let cases: [(Change, SchemaError); 9] = [
            (|s| s.name = "..".into(), SchemaError::Name("..".into())),
            (|s| s.attributes.clear(), SchemaError::Empty),
            (
                |s| s.attributes[0].slot = 4,
                SchemaError::SlotOutOfRange {
                    name: "organisation".into(),
                    slot: 4,
                },
            ),
            (|s| s.attributes[1].slot = 5, SchemaError::SlotTwice(5)),
            (
                |s| s.attributes[1].name = "organisation".into(),
                SchemaError::NameTwice("organisation".into()),
            ),
            (
                |s| s.subject_key = "nobody".into(),
                SchemaError::SubjectKeyUnknown("nobody".into()),
            ),
            (
                |s| s.subject_key = "department".into(),
                SchemaError::SubjectKeyOptional("department".into()),
            ),
            (
                |s| s.attributes[0].occurrence = Some(255),
                SchemaError::Occurrence("organisation".into()),
            ),
            (
                |s| {
                    s.attributes[1].source =
                        Source::Extension(Oid(ObjectIdentifier::new_unwrap("1.2.3")));
                    s.attributes[1].occurrence = Some(0);
                },
                SchemaError::ExtensionOccurrence("department".into()),
            ),
        ];
        for (change, error) in cases {
            let mut schema = example();
            change(&mut schema);
            assert_eq!(schema.check(), Err(error));
        }
        let mut schema = example();
        let long = "1.3.6.1.4.1.32473.1000000000.1000000000.1000000000.1000000000.1000000000";
        schema.attributes[0].source = Source::Subject(Oid(ObjectIdentifier::new(long).unwrap()));
        assert!(matches!(
            schema.check(),
            Err(SchemaError::LongIdentifier { .. })
        ));
        let mut schema = example();
        schema.extended_key_usage = Some(Oid(ObjectIdentifier::new(long).unwrap()));
        assert!(matches!(
            schema.check(),
            Err(SchemaError::LongPurpose(purpose)) if purpose.to_string() == long
        ));
    }

    #[test]
    fn a_purpose_is_in_the_rule() {
        let named = |purpose: &str| {
            let mut json: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
            json["extended_key_usage"] = purpose.into();
            accepts(PUBLISHED, &json).unwrap();
            Schema::from_json(json.to_string().as_bytes()).unwrap()
        };
        let (plain, one, other) = (example(), named("1.2.3"), named("1.2.3.4"));
        assert_eq!(plain.purpose(), Fr::from(0u64));
        assert_eq!(one.purpose(), Fr::from(0x03_2a_02u64));
        assert_ne!(one.rule(), plain.rule());
        assert_ne!(one.rule(), other.rule());
        assert_eq!(one.rule(), poseidon::hash(&[plain.rule(), one.purpose()]));
        let written = serde_json::to_string(&one).unwrap();
        assert_eq!(Schema::from_json(written.as_bytes()), Ok(one));
        assert!(
            Schema::from_json(
                EXAMPLE
                    .replacen('{', "{\"extended_key_usage\": \"client\",", 1)
                    .as_bytes()
            )
            .is_err()
        );
    }

    #[test]
    fn the_rule_covers_source_type_and_occurrence_and_nothing_else() {
        let schema = example();
        let rule = schema.rule();
        let changed = |change: fn(&mut Schema)| {
            let mut other = schema.clone();
            change(&mut other);
            other
        };
        for other in [
            changed(|s| s.attributes[0].kind = AttributeType::Integer),
            changed(|s| s.attributes[0].source = Source::San(SanKind::Dns)),
            changed(|s| s.attributes[0].source = Source::San(SanKind::Email)),
            changed(|s| {
                s.attributes[0].source =
                    Source::Extension(Oid(ObjectIdentifier::new_unwrap("2.5.4.10")))
            }),
            changed(|s| s.attributes[0].occurrence = Some(0)),
        ] {
            assert_ne!(other.rule(), rule);
            assert!(!schema.slot_agrees(&other, 5));
            assert!(schema.slot_agrees(&other, 6));
        }
        assert_ne!(changed(|s| s.attributes[0].slot = 15).rule(), rule);
        assert_ne!(changed(|s| s.attributes.truncate(2)).rule(), rule);
        for other in [
            changed(|s| s.attributes[0].name = "organization".into()),
            changed(|s| s.attributes[0].required = false),
            changed(|s| s.subject_key = "organisation".into()),
            changed(|s| s.attributes.reverse()),
        ] {
            assert_eq!(other.rule(), rule);
        }
        assert!(
            !schema.slot_agrees(&schema, 15),
            "an unused slot agrees with nothing"
        );
    }
}
