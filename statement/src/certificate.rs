//! The certificate profile. What is signed is a function of the log's entry, byte for byte, so that every signer makes the
//! same bytes without being told them, and whoever has the entry can make them again (DESIGN 4; RFC 5280).
//!
//! [`leaf`] is the holder's certificate, [`ca`] the CA's own and another CA's, [`request`] what a CA asks another one to
//! certify, [`outside`] what comes back, [`shape`] how certificates and requests are told apart before they are signed,
//! [`identity`] what a relying party reads from a leaf, and [`evidence`] what travels beside a tlog-proof so that a certificate
//! can be checked offline.

pub mod ca;
pub mod evidence;
#[cfg(test)]
mod hierarchy_tests;
pub mod identity;
pub mod leaf;
pub mod outside;
pub mod request;
pub mod shape;
#[cfg(test)]
mod tests;

use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc8410};
use der::asn1::{Any, BitString, OctetString};
use der::{DateTime, Decode, Encode, Sequence};
use sha2::{Digest as _, Sha256};
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use x509_cert::ext::{Extension, Extensions};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

pub use self::ca::Ca;
pub use self::evidence::Evidence;
pub use self::identity::PresentedIdentity;
pub use self::leaf::{LeafFacts, Pseudonym};
pub use self::outside::OutsideCertificate;
pub use self::shape::{Document, Shape};
use crate::note::Digest;

/// noRevAvail (RFC 9608): no revocation information will ever be published for this certificate.
const NO_REV_AVAIL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.56");

/// The largest arc of an object identifier that Go and const-oid can read.
const LARGEST_ARC: u32 = 0x7fff_ffff;

/// Why no certificate can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum ProfileError {
    #[error("time {time} is outside the CA certificate's validity: rotate the CA key")]
    OutsideCa { time: u64 },
    #[error(
        "the enterprise number {0} is 0 or above 2147483647, which some readers of certificates refuse: correct it in authority"
    )]
    EnterpriseNumber(u32),
    #[error(
        "the openings are not those of the attributes that the policy discloses, in its order: send one for each"
    )]
    Openings,
    #[error(
        "attribute {0:?} is absent from the credential, and the policy discloses it: use another credential"
    )]
    Absent(String),
    #[error(
        "the opening of {0:?} does not open its commitment, or is not of the policy's type: send the openings of this presentation"
    )]
    Opening(String),
    #[error(
        "a root certifies CAs and no holders: use the certificate of an issuing CA (path length 0)"
    )]
    Root,
    #[error("the entry is no issuance that can be certified: {0}")]
    Entry(String),
    #[error("the certificate cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

/// A TBSCertificate in DER. It is made by [`leaf::tbs`], [`ca::tbs`] and [`ca::subordinate_tbs`]. Beside these a CA key signs
/// [`request::RequestInfo`], and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tbs(Vec<u8>);

impl Tbs {
    /// The bytes that are signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the bytes that are signed: a signer gives shares for one of these per entry.
    pub fn digest(&self) -> Digest {
        Sha256::digest(&self.0).into()
    }
}

/// A certificate from its TBS and an Ed25519 signature, in DER. The signature is not verified here.
///
/// # Errors
/// [`ProfileError::Encoding`], which no signature leads to.
pub fn assemble(tbs: &Tbs, signature: &[u8; 64]) -> Result<Vec<u8>, ProfileError> {
    assemble_bytes(tbs.as_bytes(), signature)
}

/// A certificate or a request: the outer form is the same.
fn assemble_bytes(signed: &[u8], signature: &[u8; 64]) -> Result<Vec<u8>, ProfileError> {
    let certificate = Certificate {
        tbs: Any::from_der(signed)?,
        algorithm: ed25519(),
        signature: BitString::from_bytes(signature)?,
    };
    Ok(certificate.to_der()?)
}

/// Splits a certificate in DER into TBS and Ed25519 signature; nothing may follow it. A request, too: [`Shape::of`] tells which
/// of the two the first part is.
///
/// # Errors
/// [`ProfileError::Encoding`] if it is no such certificate.
pub fn disassemble(certificate: &[u8]) -> Result<(Vec<u8>, [u8; 64]), ProfileError> {
    let malformed = || der::Error::from(der::ErrorKind::Failed);
    let parsed = Certificate::from_der(certificate)?;
    if parsed.algorithm != ed25519() || parsed.to_der()? != certificate {
        return Err(malformed().into());
    }
    let signature = parsed
        .signature
        .as_bytes()
        .and_then(|s| s.try_into().ok())
        .ok_or_else(malformed)?;
    Ok((parsed.tbs.to_der()?, signature))
}

/// A certificate in PEM (RFC 7468), with a line feed after each line of 64 characters.
pub fn to_pem(certificate: &[u8]) -> String {
    to_pem_as("CERTIFICATE", certificate)
}

fn to_pem_as(label: &str, der: &[u8]) -> String {
    let encoded = data_encoding::BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (i, character) in encoded.chars().enumerate() {
        if i > 0 && i % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// RFC 5280, 4.1, with what is fixed already taken as encoded.
#[derive(Sequence)]
struct Certificate {
    tbs: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    validity: Validity,
    subject: Any,
    key: Any,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Extensions,
}

/// What the two profiles differ in.
struct Parts<'a> {
    serial: SerialNumber,
    issuer: &'a [u8],
    not_before: u64,
    not_after: u64,
    subject: &'a [u8],
    key: &'a [u8],
    extensions: Extensions,
}

impl Parts<'_> {
    fn into_tbs(self) -> Result<Tbs, ProfileError> {
        let tbs = TbsCertificate {
            version: 2, // v3
            serial: self.serial,
            signature: ed25519(),
            issuer: Any::from_der(self.issuer)?,
            validity: Validity::new(time(self.not_before)?, time(self.not_after)?),
            subject: Any::from_der(self.subject)?,
            key: Any::from_der(self.key)?,
            extensions: self.extensions,
        };
        Ok(Tbs(tbs.to_der()?))
    }
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5).
fn time(seconds: u64) -> Result<Time, der::Error> {
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::from)
}

/// id-Ed25519, whose parameters are absent (RFC 8410).
fn ed25519() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: rfc8410::ID_ED_25519,
        parameters: None,
    }
}

/// The SubjectPublicKeyInfo of an Ed25519 key.
fn ed25519_spki(key: &[u8; 32]) -> Result<Vec<u8>, der::Error> {
    spki::SubjectPublicKeyInfoOwned {
        algorithm: ed25519(),
        subject_public_key: BitString::from_bytes(key)?,
    }
    .to_der()
}

/// SHA-256 over a domain tag, which is length-prefixed, and parts, of which all but the last have a fixed length.
fn tagged(tag: &str, parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    hash.update((tag.len() as u64).to_be_bytes());
    hash.update(tag);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// A serial of 159 bits of a digest: positive (so at most 20 bytes in DER) and not 0.
fn serial(digest: &Digest) -> Result<SerialNumber, der::Error> {
    let mut bytes = [0; 20];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    let [first, .., last] = &mut bytes;
    *first &= 0x7f;
    if *first == 0 && *last == 0 {
        // Only so that 0 is impossible rather than improbable.
        *last = 1;
    }
    SerialNumber::new(&bytes)
}

/// A key identifier: 160 bits of SHA-256 of the key's BIT STRING (RFC 7093, method 1).
fn key_identifier(key_bits: &[u8]) -> Result<OctetString, der::Error> {
    OctetString::new(Sha256::digest(key_bits).get(..20).unwrap_or_default())
}

fn extension(
    oid: ObjectIdentifier,
    critical: bool,
    value: &impl Encode,
) -> Result<Extension, der::Error> {
    Ok(Extension {
        extn_id: oid,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}

/// keyUsage, critical; bits are numbered from the most significant of the first byte.
fn key_usage(bits: u8) -> Result<Extension, der::Error> {
    // DER drops trailing zero bits of a named bit list.
    let value = BitString::new(bits.trailing_zeros() as u8, [bits])?;
    extension(rfc5280::ID_CE_KEY_USAGE, true, &value)
}

/// The two extensions of ours: 1.3.6.1.4.1.N.1.1 is the policy's digest, 1.3.6.1.4.1.N.1.2 the disclosed attributes.
fn enterprise_oid(enterprise: u32, which: u32) -> Result<ObjectIdentifier, ProfileError> {
    if enterprise == 0 || enterprise > LARGEST_ARC {
        return Err(ProfileError::EnterpriseNumber(enterprise));
    }
    ObjectIdentifier::from_arcs([1, 3, 6, 1, 4, 1, enterprise, 1, which])
        .map_err(|_| ProfileError::EnterpriseNumber(enterprise))
}

/// The value of the extension of disclosed attributes: SEQUENCE OF this.
#[derive(Sequence)]
struct DisclosedAttribute {
    /// The attribute's name in the schema.
    name: String,
    /// INTEGER or UTF8String.
    value: Any,
}
