//! The same natively, with reasons for people.

use bauta_statement::{
    field::Fr,
    poseidon,
    schema::{Attribute, decimal},
    vector::{AttributeValue, TEXT_TAG, absent},
};
use thiserror::Error;

use super::{
    BASIC_CONSTRAINTS, Bounds, CERTIFICATE_POLICIES, COUNT, EXTENDED_KEY_USAGE, Found, KEY_USAGE,
    Known, LONGEST_VALUE, SUBJECT_ALTERNATIVE_NAME, extensions, names, source, subject,
    value::STRINGS,
};
use crate::gadgets::tbs::Fields;

/// Why a certificate's attributes are not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum AttributesError {
    #[error(
        "{0} attributes are read from a certificate, and this relation reads {1}: use a schema with fewer"
    )]
    TooManyReaders(usize, usize),
    #[error(
        "slot {0} is read twice or is no attribute's slot: give each attribute a slot of its own, 5 to 15"
    )]
    Slot(u8),
    #[error(
        "the certificate's subject has more than {0} attributes, which is more than this relation reads: use a certificate with fewer"
    )]
    LongSubject(usize),
    #[error(
        "the certificate's subject is no sequence of sets of attributes, or has an attribute type of more than 27 bytes: have it issued again"
    )]
    Subject,
    #[error("the certificate's issuer has no name that begins as names do: have it issued again")]
    Issuer,
    #[error(
        "the certificate has no extension, more than {0}, or one that is not encoded in DER: have it issued again"
    )]
    Extensions(usize),
    #[error("the certificate has the extension {0} twice: have it issued again")]
    ExtensionTwice(String),
    #[error(
        "the certificate has the critical extension {0}, which neither this relation nor the schema reads: it may restrict what the certificate is for"
    )]
    Critical(String),
    #[error(
        "the certificate's subject alternative name is not encoded in DER, or has more than {0} names: have it issued again with fewer"
    )]
    Names(usize),
    #[error(
        "the certificate has {count} values for {attribute}, and the schema does not say which counts: use a certificate with one, or have the schema name an `occurrence`"
    )]
    Twice { attribute: String, count: usize },
    #[error(
        "{attribute} has tag {tag:#04x}, which this relation does not read: have it issued as a UTF8String"
    )]
    Encoding { attribute: String, tag: u8 },
    #[error("{0} is empty or longer than {LONGEST_VALUE} bytes, the most that this relation reads")]
    Length(String),
    #[error("{0} holds a control character such as NUL: have the certificate issued without it")]
    ControlCharacter(String),
    #[error(
        "{0} is no integer from 0 to 18446744073709551615 in plain decimal digits, nor a DER INTEGER of these in an extension"
    )]
    Integer(String),
    #[error(
        "the extension of {0} has more than one value in it: have the certificate issued with one"
    )]
    Trailing(String),
}

/// A slot's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer.
    Integer(u64),
    /// A text's bytes: UTF-8, if the certificate is well-formed.
    Text(Vec<u8>),
    /// Nothing at the source.
    Absent,
}

impl Value {
    /// The element in the slot, as `AttributeValue::to_field` has it.
    pub fn to_field(&self) -> Fr {
        match self {
            Self::Integer(value) => Fr::from(*value),
            Self::Text(text) => poseidon::hash_bytes(TEXT_TAG, text),
            Self::Absent => absent(),
        }
    }

    /// As people and policies have it; none for a text that is not UTF-8, or has a control character beyond ASCII's. The relation
    /// hashes bytes and knows neither: whoever prepares a credential refuses it here.
    pub fn to_attribute(&self) -> Option<AttributeValue> {
        match self {
            Self::Integer(value) => Some(AttributeValue::Integer(*value)),
            Self::Text(text) => {
                let text = std::str::from_utf8(text).ok()?;
                let plain = !text.chars().any(char::is_control);
                plain.then(|| AttributeValue::Text(text.to_owned()))
            }
            Self::Absent => Some(AttributeValue::Absent),
        }
    }
}

/// What was read.
pub struct Reading {
    /// Slots 5 to 15.
    pub values: [Value; COUNT],
    /// The extensions that others read: 0 or 1, and places.
    pub known: Known<usize>,
}

type Span = (usize, usize);

/// Reads what [`super::read`] does: the same bytes are accepted, and the same values come of them.
///
/// # Errors
/// [`AttributesError`] says what is not as it must be.
pub fn attributes(
    tbs: &[u8],
    fields: &Fields<Span>,
    schema: &[&Attribute],
) -> Result<Reading, AttributesError> {
    within(tbs, fields, schema, &Bounds::STANDARD)
}

pub(super) fn within(
    tbs: &[u8],
    fields: &Fields<Span>,
    schema: &[&Attribute],
    bounds: &Bounds,
) -> Result<Reading, AttributesError> {
    if schema.len() > bounds.readers {
        return Err(AttributesError::TooManyReaders(
            schema.len(),
            bounds.readers,
        ));
    }
    let certificate = Certificate::walk(tbs, fields, bounds)?;
    let known = Known {
        key_usage: certificate.extension(&KEY_USAGE)?,
        extended_key_usage: certificate.extension(&EXTENDED_KEY_USAGE)?,
        basic_constraints: certificate.extension(&BASIC_CONSTRAINTS)?,
        subject_alternative_name: certificate.extension(&SUBJECT_ALTERNATIVE_NAME)?,
    };
    certificate.extension(&CERTIFICATE_POLICIES)?;
    let mut values = [const { Value::Absent }; COUNT];
    let mut taken = Vec::new();
    for attribute in schema {
        let slot = usize::from(attribute.slot).checked_sub(super::FIRST);
        let slot = slot.and_then(|slot| values.get_mut(slot));
        match slot.filter(|_| !taken.contains(&attribute.slot)) {
            Some(slot) => *slot = certificate.read(attribute)?,
            None => return Err(AttributesError::Slot(attribute.slot)),
        }
        taken.push(attribute.slot);
    }
    certificate.understood(schema)?;
    Ok(Reading { values, known })
}

/// Everything that was walked.
struct Certificate<'a> {
    tbs: &'a [u8],
    subject: Vec<Span>,
    extensions: Vec<extensions::Found>,
    names: Vec<(u8, usize)>,
}

/// What a rule says of its source.
struct Wanted {
    source: u8,
    identifier: Vec<u8>,
    text: bool,
    /// The occurrence + 1, or 0.
    occurrence: u8,
}

impl Wanted {
    fn of(attribute: &Attribute) -> Self {
        use ark_ff::{BigInteger, PrimeField};
        let bytes = attribute.rule().into_bigint().to_bytes_le();
        let at = |place: usize| bytes.get(place).copied().unwrap_or_default();
        let end = 4 + usize::from(at(3));
        Self {
            source: at(1),
            identifier: bytes.get(4..end).unwrap_or_default().to_vec(),
            text: at(0) == 2,
            occurrence: at(2),
        }
    }
}

impl<'a> Certificate<'a> {
    fn walk(
        tbs: &'a [u8],
        fields: &Fields<Span>,
        bounds: &Bounds,
    ) -> Result<Self, AttributesError> {
        let most = bounds.attributes;
        let subject = subject::attributes(tbs, fields.subject, fields.issuer.0, most);
        let subject = subject.map_err(|refused| match refused {
            subject::Refused::TooMany => AttributesError::LongSubject(most),
            subject::Refused::NotWalked => AttributesError::Subject,
            subject::Refused::Elsewhere => AttributesError::Issuer,
        })?;
        let most = bounds.extensions;
        let extensions = extensions::extensions(tbs, fields.extensions, most)
            .ok_or(AttributesError::Extensions(most))?;
        let mut certificate = Self {
            tbs,
            subject,
            extensions,
            names: Vec::new(),
        };
        let names = certificate.extension(&SUBJECT_ALTERNATIVE_NAME)?;
        if names.there == 1 {
            let most = bounds.names;
            certificate.names = names::names(tbs, (names.start, names.end), most)
                .ok_or(AttributesError::Names(most))?;
        }
        Ok(certificate)
    }

    fn octets(&self, (start, end): Span) -> &[u8] {
        self.tbs.get(start..end).unwrap_or_default()
    }

    fn extension(&self, identifier: &[u8]) -> Result<Found<usize>, AttributesError> {
        let mut found = self
            .extensions
            .iter()
            .filter(|extension| self.octets(extension.identifier) == identifier);
        let first = found.next();
        if found.next().is_some() {
            return Err(AttributesError::ExtensionTwice(dotted(identifier)));
        }
        let (start, end) = first.map_or((0, 0), |extension| extension.contents);
        Ok(Found {
            there: usize::from(first.is_some()),
            start,
            end,
        })
    }

    /// The places of all values with this source, and where each must end, if that is not yet shown.
    fn places(&self, wanted: &Wanted) -> Vec<(usize, Option<usize>)> {
        let is = |identifier: &Span| self.octets(*identifier) == wanted.identifier;
        match wanted.source {
            source::SUBJECT => {
                let found = self.subject.iter().filter(|identifier| is(identifier));
                found.map(|(_, value)| (*value, None)).collect()
            }
            source::EXTENSION => {
                let found = self.extensions.iter().filter(|found| is(&found.identifier));
                found
                    .map(|found| (found.contents.0, Some(found.contents.1)))
                    .collect()
            }
            kind => {
                let found = self.names.iter().filter(|(other, _)| *other == kind);
                found.map(|(_, place)| (*place, None)).collect()
            }
        }
    }

    fn read(&self, attribute: &Attribute) -> Result<Value, AttributesError> {
        let name = || attribute.name.clone();
        let wanted = Wanted::of(attribute);
        let places = self.places(&wanted);
        let index = match wanted.occurrence {
            0 if places.len() > 1 => {
                return Err(AttributesError::Twice {
                    attribute: name(),
                    count: places.len(),
                });
            }
            0 => 0,
            occurrence => usize::from(occurrence) - 1,
        };
        let Some((place, end)) = places.get(index).copied() else {
            return Ok(Value::Absent);
        };
        let (Some(tag), Some(length)) = (self.tbs.get(place), self.tbs.get(place + 1)) else {
            return Err(AttributesError::Length(name()));
        };
        let (tag, length) = (*tag, usize::from(*length));
        if !(1..=LONGEST_VALUE).contains(&length) {
            return Err(AttributesError::Length(name()));
        }
        let after = place + 2 + length;
        if end.is_some_and(|end| end != after) {
            return Err(AttributesError::Trailing(name()));
        }
        let octets = self.octets((place + 2, after));
        let integer = |value: Option<u64>| {
            let value = value.ok_or(AttributesError::Integer(name()));
            value.map(Value::Integer)
        };
        if wanted.source == source::EXTENSION && !wanted.text && tag == 0x02 {
            return integer(der_integer(octets));
        }
        let of_name = [source::SAN_EMAIL, source::SAN_DNS].contains(&wanted.source);
        if !of_name && !STRINGS.contains(&tag) {
            return Err(AttributesError::Encoding {
                attribute: name(),
                tag,
            });
        }
        if octets.iter().any(u8::is_ascii_control) {
            return Err(AttributesError::ControlCharacter(name()));
        }
        match wanted.text {
            true => Ok(Value::Text(octets.to_vec())),
            false => integer(std::str::from_utf8(octets).ok().and_then(decimal)),
        }
    }

    /// RFC 5280, 4.2: whoever does not know a critical extension must reject the certificate.
    fn understood(&self, schema: &[&Attribute]) -> Result<(), AttributesError> {
        let wanted: Vec<Wanted> = schema.iter().map(|a| Wanted::of(a)).collect();
        let known = [
            KEY_USAGE,
            EXTENDED_KEY_USAGE,
            BASIC_CONSTRAINTS,
            SUBJECT_ALTERNATIVE_NAME,
            CERTIFICATE_POLICIES,
        ];
        for extension in self
            .extensions
            .iter()
            .filter(|extension| extension.critical)
        {
            let identifier = self.octets(extension.identifier);
            let read = wanted
                .iter()
                .any(|w| w.source == source::EXTENSION && w.identifier == identifier);
            if !read && !known.iter().any(|known| known == identifier) {
                return Err(AttributesError::Critical(dotted(identifier)));
            }
        }
        Ok(())
    }
}

/// Contents of an INTEGER that is not negative, in the fewest octets, below 2^64.
fn der_integer(octets: &[u8]) -> Option<u64> {
    let rest = match octets {
        [0] => octets,
        [0, second, ..] if *second < 0x80 => return None,
        [0, rest @ ..] => rest,
        [first, ..] if *first >= 0x80 => return None,
        _ => octets,
    };
    let fold = |sum: u64, octet: &u8| sum << 8 | u64::from(*octet);
    (rest.len() <= 8).then(|| rest.iter().fold(0, fold))
}

/// An identifier as people write it.
fn dotted(identifier: &[u8]) -> String {
    const_oid::ObjectIdentifier::from_bytes(identifier)
        .map_or_else(|_| format!("{identifier:02x?}"), |oid| oid.to_string())
}
