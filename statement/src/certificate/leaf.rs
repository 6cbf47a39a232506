//! The holder's certificate: an empty subject, and a SPIFFE ID of trust domain, policy and pseudonym for a name.

use std::fmt;

use const_oid::db::{rfc5280, rfc5912};
use der::Tag;
use der::asn1::{Any, Ia5String, Null, OctetString};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage};

use super::{
    Ca, DisclosedAttribute, NO_REV_AVAIL, Parts, ProfileError, Tbs, enterprise_oid, extension,
    key_identifier, key_usage, serial, tagged,
};
use crate::csr::PublicKey;
use crate::entry::{Body, Entry};
use crate::field::{self, Fr};
use crate::note::Digest;
use crate::policy::{Disclosure, Policy};
use crate::presentation::{Opening, Presentation};
use crate::schema::AttributeType;
use crate::vector::AttributeValue;

/// How long before the entry's time a certificate is good already, in seconds: for relying parties whose clocks are late.
pub const BACKDATING: u64 = 60;

/// keyUsage digitalSignature: bit 0.
const DIGITAL_SIGNATURE: u8 = 0x80;

/// The name of a holder in a certificate: 160 bits, the same for the same nullifier, and otherwise without meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(pub [u8; 20]);

impl Pseudonym {
    /// Under a policy with a scope: of the nullifier.
    pub fn from_nullifier(nullifier: &Fr) -> Self {
        Self::from_digest(&tagged(
            "bauta/v1/pseudonym/nullifier",
            &[&field::to_bytes(nullifier)],
        ))
    }

    /// Under a policy without a scope: of the challenge's nonce and the key (SubjectPublicKeyInfo, DER), so it is used once.
    pub fn from_key(nonce: &[u8; 32], spki: &[u8]) -> Self {
        Self::from_digest(&tagged("bauta/v1/pseudonym/key", &[nonce, spki]))
    }

    fn from_digest(digest: &Digest) -> Self {
        let mut bytes = [0; 20];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Reads what [`fmt::Display`] wrote: 32 characters of lower-case base32.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        let bytes = data_encoding::BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &data_encoding::BASE32_NOPAD
                .encode(&self.0)
                .to_ascii_lowercase(),
        )
    }
}

/// All that a leaf is made of, beside the CA. [`tbs`] takes them from the entry.
#[derive(Clone, Debug)]
pub struct LeafFacts<'a> {
    /// The entry's bytes, as logged: the serial is of them.
    pub entry: &'a [u8],
    /// The entry's time, Unix seconds.
    pub time: u64,
    /// The policy's name.
    pub policy: &'a str,
    /// SHA-256 of the policy's signed text.
    pub policy_digest: Digest,
    /// The policy's certificate lifetime in seconds.
    pub lifetime: u64,
    /// The holder's pseudonym.
    pub pseudonym: Pseudonym,
    /// The certified key.
    pub key: &'a PublicKey,
    /// The disclosed attributes, name and value, in the policy's order.
    pub disclosed: Vec<(&'a str, &'a AttributeValue)>,
}

/// The TBS of the certificate that an entry earns. `policy` must be the one whose file digest the entry names, and the entry
/// valid; the ledger sees to both. The openings are checked against the commitments in the entry's presentation.
///
/// # Errors
/// [`ProfileError`]; an entry with which this fails earns no share.
pub fn tbs(
    entry: &[u8],
    policy: &Policy,
    openings: &[Opening],
    ca: &Ca,
) -> Result<Tbs, ProfileError> {
    let wrong = |why: String| ProfileError::Entry(why);
    let decoded = Entry::decode(entry).map_err(|e| wrong(e.to_string()))?;
    let Body::Issuance(issuance) = &decoded.body else {
        return Err(wrong("it is of another kind".to_owned()));
    };
    let key = PublicKey::from_spki(&issuance.key).map_err(|e| wrong(e.to_string()))?;
    let presentation =
        Presentation::decode(&issuance.presentation).map_err(|e| wrong(e.to_string()))?;
    let pseudonym = match (presentation.nullifier(), &policy.scope) {
        (Some(nullifier), Some(_)) => Pseudonym::from_nullifier(nullifier),
        (None, None) => Pseudonym::from_key(&issuance.nonce, key.spki()),
        _ => {
            return Err(wrong(
                "a nullifier goes with a policy that has a scope, and only with one".to_owned(),
            ));
        }
    };
    let facts = LeafFacts {
        entry,
        time: decoded.time,
        policy: &policy.name,
        policy_digest: issuance.policy,
        lifetime: policy.certificate.lifetime_seconds,
        pseudonym,
        key: &key,
        disclosed: disclosed(&presentation, &policy.disclose, openings)?,
    };
    facts.tbs(ca)
}

/// Checks the openings against commitments and policy, and gives each value its name.
fn disclosed<'a>(
    presentation: &Presentation,
    asked: &'a [Disclosure],
    openings: &'a [Opening],
) -> Result<Vec<(&'a str, &'a AttributeValue)>, ProfileError> {
    let values = named(asked, openings)?;
    if presentation.disclosures.len() != asked.len() {
        return Err(ProfileError::Openings);
    }
    for ((name, _), (opening, disclosure)) in values
        .iter()
        .zip(openings.iter().zip(&presentation.disclosures))
    {
        if !opening.opens(&disclosure.commitment) {
            return Err(ProfileError::Opening((*name).to_owned()));
        }
    }
    Ok(values)
}

/// Gives each opened value its name: the openings must be those of the attributes asked for, in order, each present and
/// of its type. That they open the presentation's commitments is checked apart.
///
/// # Errors
/// [`ProfileError::Openings`], [`ProfileError::Absent`] or [`ProfileError::Opening`].
pub fn named<'a>(
    asked: &'a [Disclosure],
    openings: &'a [Opening],
) -> Result<Vec<(&'a str, &'a AttributeValue)>, ProfileError> {
    if openings.len() != asked.len() {
        return Err(ProfileError::Openings);
    }
    let mut values = Vec::with_capacity(asked.len());
    for (attribute, opening) in asked.iter().zip(openings) {
        if opening.slot != attribute.slot {
            return Err(ProfileError::Openings);
        }
        let name = &attribute.attribute;
        match (&opening.value, attribute.kind) {
            (AttributeValue::Integer(_), AttributeType::Integer)
            | (AttributeValue::Text(_), AttributeType::Text) => {
                values.push((name.as_str(), &opening.value));
            }
            (AttributeValue::Absent, _) => return Err(ProfileError::Absent(name.clone())),
            _ => return Err(ProfileError::Opening(name.clone())),
        }
    }
    Ok(values)
}

impl LeafFacts<'_> {
    /// The TBS, a pure function of these facts and the CA.
    ///
    /// # Errors
    /// [`ProfileError`] if the time is outside the CA certificate's validity, or a value cannot be encoded.
    pub fn tbs(&self, ca: &Ca) -> Result<Tbs, ProfileError> {
        if !(ca.not_before..=ca.not_after).contains(&self.time) {
            return Err(ProfileError::OutsideCa { time: self.time });
        }
        let issuer = ca.name();
        let parts = Parts {
            serial: serial(&tagged("bauta/v1/serial", &[self.entry]))?,
            issuer,
            not_before: self.time.saturating_sub(BACKDATING).max(ca.not_before),
            not_after: self.time.saturating_add(self.lifetime).min(ca.not_after),
            subject: &[0x30, 0x00],
            key: self.key.spki(),
            extensions: self.extensions(ca)?,
        };
        parts.into_tbs()
    }

    fn extensions(&self, ca: &Ca) -> Result<x509_cert::ext::Extensions, ProfileError> {
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(key_identifier(&ca.key)?),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        };
        let uses = ExtendedKeyUsage(vec![rfc5912::ID_KP_CLIENT_AUTH, rfc5912::ID_KP_SERVER_AUTH]);
        let name = format!(
            "spiffe://{}/{}/{}",
            ca.trust_domain, self.policy, self.pseudonym
        );
        let names = vec![GeneralName::UniformResourceIdentifier(Ia5String::new(
            &name,
        )?)];
        let end_entity = BasicConstraints {
            ca: false,
            path_len_constraint: None,
        };
        let mut extensions = vec![
            extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority)?,
            extension(
                rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
                false,
                &key_identifier(self.key.bits())?,
            )?,
            key_usage(DIGITAL_SIGNATURE)?,
            extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &end_entity)?,
            extension(rfc5280::ID_CE_EXT_KEY_USAGE, false, &uses)?,
            // Critical, because the subject is empty (RFC 5280, 4.2.1.6).
            extension(rfc5280::ID_CE_SUBJECT_ALT_NAME, true, &names)?,
            extension(NO_REV_AVAIL, false, &Null)?,
            extension(
                enterprise_oid(ca.enterprise_number, 1)?,
                false,
                &OctetString::new(self.policy_digest)?,
            )?,
        ];
        if !self.disclosed.is_empty() {
            let values = self
                .disclosed
                .iter()
                .map(|(name, value)| disclosed_attribute(name, value))
                .collect::<Result<Vec<_>, _>>()?;
            extensions.push(extension(
                enterprise_oid(ca.enterprise_number, 2)?,
                false,
                &values,
            )?);
        }
        Ok(extensions)
    }
}

fn disclosed_attribute(
    name: &str,
    value: &AttributeValue,
) -> Result<DisclosedAttribute, ProfileError> {
    let value = match value {
        AttributeValue::Integer(value) => Any::encode_from(value)?,
        AttributeValue::Text(text) => Any::new(Tag::Utf8String, text.as_bytes())?,
        AttributeValue::Absent => return Err(ProfileError::Absent(name.to_owned())),
    };
    Ok(DisclosedAttribute {
        name: name.to_owned(),
        value,
    })
}
