//! What every relation of an X.509 certificate has in common: from the bytes that were signed to the slots, whatever key signed them.
//!
//! One pass over the bytes: they are hashed, walked field by field, and what stands in the fields is read by the schema. A relation adds the
//! two signatures, of the issuer and of the holder, and the origin, in which the issuer's key is.

use ark_ff::AdditiveGroup;
use bauta_statement::{
    field::Fr,
    schema::{Attribute, Schema},
    vector::{
        AttributeValue, AttributeVector, FIRST_ATTRIBUTE, Format, HANDLE, NOT_AFTER, NOT_BEFORE,
        ORIGIN, SECRET, SLOTS, Serial, SerialError, absent, handle, origin,
    },
};
use thiserror::Error;
use zeroize::Zeroize;

use crate::{
    gadgets::{
        attributes::{self, AttributesError, Bounds, COUNT, Found, Value},
        bytes::Bytes,
        der::Element,
        handle::{has_handle, revocation_handle, serial_number},
        poseidon, sha256,
        tbs::{self, Fields, TbsError},
        usage::{
            basic_constraints, client_purpose, key_usage,
            twin::{UsageError, is_for_clients},
        },
    },
    system::{Lc, System},
};

/// What the relation finds in a certificate.
pub(super) struct Body {
    /// SHA-256 of all its bytes.
    pub(super) digest: [Lc; 8],
    /// The bytes.
    pub(super) string: Bytes,
    /// SubjectPublicKeyInfo.
    pub(super) key: Element,
    serial: Lc,
    times: [Lc; 2],
    attributes: [Lc; COUNT],
    rule: Lc,
}

impl Body {
    /// Hashes and reads a TBSCertificate, of at most `room` bytes, that says of itself that it is signed with this algorithm.
    pub(super) fn new(
        system: &mut System,
        tbs: &[u8],
        room: usize,
        algorithm: &[u8],
        schema: &Schema,
    ) -> Self {
        system.region("bytes");
        let bytes: Vec<Lc> = (0..room)
            .map(|place| {
                let byte = tbs.get(place).copied().unwrap_or_default();
                system.hint("byte of the certificate", Fr::from(byte))
            })
            .collect();
        let length = system.hint("length of the certificate", Fr::from(tbs.len() as u64));
        let string = Bytes::new(system, &bytes, &length);
        system.region("hash");
        let digest = sha256::hash(system, &string);

        system.region("fields");
        let fields = tbs::walk(system, &string, algorithm);
        system.region("validity");
        let times = tbs::validity(system, &string, &fields.validity);
        system.region("serial number");
        let serial = serial_number(system, string.values(), &fields.serial);
        let sources: Vec<(u8, Fr)> = schema.attributes.iter().map(source).collect();
        let read = attributes::read(system, &string, &fields, &sources, &Bounds::STANDARD);

        system.region("usage");
        let place = |found: &Found<Lc>| Element {
            tag: Lc::constant(Fr::ZERO),
            start: found.start.clone(),
            length: &found.end - &found.start,
            end: found.end.clone(),
        };
        let (values, known) = (string.values(), &read.known);
        key_usage(
            system,
            values,
            &place(&known.key_usage),
            &known.key_usage.there,
        );
        let constraints = &known.basic_constraints;
        basic_constraints(system, values, &place(constraints), &constraints.there);
        let purpose = system.hint("purpose that the schema names", schema.purpose());
        let purposes = &known.extended_key_usage;
        let unnamed = client_purpose(system, values, &place(purposes), &purposes.there, &purpose);

        system.region("schema rule");
        let named = poseidon::hash(system, &[read.rule.clone(), purpose]);
        // The one of all slots where the schema names no purpose, and else the hash of both.
        let rule = &named + &system.product(&unnamed, &(&read.rule - &named));
        Self {
            digest,
            string,
            key: fields.key,
            serial,
            times,
            attributes: read.values,
            rule,
        }
    }

    /// The slots, under the issuer's key of this digest.
    pub(super) fn slots(&self, system: &mut System, format: Format, issuer: &Lc) -> [Lc; SLOTS] {
        system.region("origin");
        let format = Lc::constant(Fr::from(format.code()));
        let origin = poseidon::hash(system, &[format, issuer.clone(), self.rule.clone()]);
        system.region("revocation handle");
        let handle = revocation_handle(system, issuer, &self.serial);
        let [first, last] = self.times.clone();
        // No nullifier rests on an X.509 certificate.
        let secret = Lc::constant(Fr::ZERO);
        let fixed = [
            (ORIGIN, origin),
            (SECRET, secret),
            (NOT_BEFORE, first),
            (NOT_AFTER, last),
            (HANDLE, handle),
        ];
        let mut slots = std::array::from_fn(|_| Lc::constant(absent()));
        let attributes = (FIRST_ATTRIBUTE..).zip(self.attributes.iter().cloned());
        for (slot, value) in fixed.into_iter().chain(attributes) {
            if let Some(place) = slots.get_mut(slot) {
                *place = value;
            }
        }
        slots
    }
}

/// What a reader is told of an attribute.
fn source(attribute: &Attribute) -> (u8, Fr) {
    (attribute.slot, attribute.rule())
}

/// Why a certificate is no credential of this format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than there is room for.
    #[error(
        "what is signed of the certificate has {length} bytes, and this relation takes {most} at most: use a certificate with fewer or shorter names and extensions"
    )]
    Long {
        /// How many it has.
        length: usize,
        /// How many there is room for.
        most: usize,
    },
    /// It is not walked.
    #[error(transparent)]
    Fields(#[from] TbsError),
    /// The times.
    #[error(
        "the certificate's validity is no two times from 1970 on in the forms of RFC 5280, 4.1.2.5 (UTC, whole seconds); have it issued again"
    )]
    Validity,
    /// The serial number is 0.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// The attributes.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// It is for something else.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A text that nobody can name.
    #[error(
        "{0} is not UTF-8 or holds a control character: have the certificate issued without it"
    )]
    Text(String),
    /// The schema requires it.
    #[error("the certificate has no {0}, which the schema requires: use one that has it")]
    Missing(String),
    /// One of 2^63 serial numbers.
    #[error(
        "the revocation handle of this serial number is of a kind, rarer than one in 2^62, that cannot be proved; have the certificate issued again"
    )]
    Handle,
}

/// The same natively.
pub(super) struct Reading {
    times: [u64; 2],
    serial: Serial,
    /// Slots 5 to 15.
    attributes: [Value; COUNT],
    rule: Fr,
    /// Contents of SubjectPublicKeyInfo.
    pub(super) key: (usize, usize),
}

impl Drop for Reading {
    fn drop(&mut self) {
        for value in &mut self.attributes {
            if let Value::Text(text) = value {
                text.zeroize();
            }
        }
    }
}

impl Reading {
    /// Reads a TBSCertificate; what is accepted has an assignment.
    pub(super) fn new(
        tbs: &[u8],
        room: usize,
        algorithm: &[u8],
        schema: &Schema,
    ) -> Result<Self, BodyError> {
        if tbs.len() > room {
            return Err(BodyError::Long {
                length: tbs.len(),
                most: room,
            });
        }
        let fields: Fields<(usize, usize)> = tbs::fields(tbs, algorithm)?;
        let times = tbs::times(tbs, fields.validity).ok_or(BodyError::Validity)?;
        let (start, end) = fields.serial;
        let serial = Serial::from_der_contents(tbs.get(start..end).unwrap_or_default())?;

        let sources: Vec<&Attribute> = schema.attributes.iter().collect();
        let read = attributes::attributes(tbs, &fields, &sources)?;
        let contents = |found: &Found<usize>| {
            let contents = tbs.get(found.start..found.end);
            contents.filter(|_| found.there == 1)
        };
        is_for_clients(
            contents(&read.known.key_usage),
            contents(&read.known.basic_constraints),
            contents(&read.known.extended_key_usage),
            schema.purpose(),
        )?;
        Ok(Self {
            times,
            serial,
            attributes: read.values,
            rule: schema.rule(),
            key: fields.key,
        })
    }

    /// The vector under the issuer's key of this digest.
    pub(super) fn vector(&self, format: Format, issuer: Fr) -> Result<AttributeVector, BodyError> {
        if !has_handle(issuer, &self.serial) {
            return Err(BodyError::Handle);
        }
        let mut slots = [absent(); SLOTS];
        let fixed = [
            (ORIGIN, origin(format, issuer, self.rule)),
            (SECRET, Fr::ZERO),
            (NOT_BEFORE, Fr::from(self.times[0])),
            (NOT_AFTER, Fr::from(self.times[1])),
            (HANDLE, Fr::from(handle(issuer, &self.serial))),
        ];
        let attributes = (FIRST_ATTRIBUTE..).zip(self.attributes.each_ref().map(Value::to_field));
        for (slot, value) in fixed.into_iter().chain(attributes) {
            if let Some(place) = slots.get_mut(slot) {
                *place = value;
            }
        }
        Ok(AttributeVector(slots))
    }

    /// What the relation does not ask and people do: the schema's required attributes are there, and each text is one that a policy can
    /// name. By slot.
    pub(super) fn attributes(
        &self,
        schema: &Schema,
    ) -> Result<Vec<(u8, AttributeValue)>, BodyError> {
        let read = |attribute: &Attribute| {
            let slot = usize::from(attribute.slot).checked_sub(FIRST_ATTRIBUTE);
            let value = slot.and_then(|slot| self.attributes.get(slot));
            let value = value.unwrap_or(&Value::Absent).to_attribute();
            match value.ok_or_else(|| BodyError::Text(attribute.name.clone()))? {
                AttributeValue::Absent if attribute.required => {
                    Err(BodyError::Missing(attribute.name.clone()))
                }
                value => Ok((attribute.slot, value)),
            }
        };
        schema.attributes.iter().map(read).collect()
    }
}
