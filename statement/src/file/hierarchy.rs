//! A CA among CAs: what a CA key is for, and the key operations by which one CA certifies another.
//!
//! A *root* certifies CAs and nothing else; an *issuing* key certifies holders and nothing else. Every key has a certificate
//! that it signed itself ([`super::key_operation::SignCaCertificate`]), which fixes its name; what other CAs say of it comes on
//! top. The way is one, whoever the other CA is: a request goes out ([`RequestCaCertificate`]), a certificate comes in
//! ([`InstallCaCertificate`]); a Bauta root makes one by [`SignSubordinateCa`].
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FileError, key_operation::CaSubject, key_operation::is_zero, text};
use crate::certificate::{outside, request};

/// The largest path length: no library follows much longer chains.
pub const MAX_PATH_LENGTH: u8 = 4;
/// The longest certificate that is carried in a file, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 16_384;
/// The most certificates above an installed one.
pub const MAX_CHAIN: usize = 4;

/// What a CA key is for. It is said when the key is asked for, stands in `authority`, and never changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It signs what issuances earn: path length 0.
    #[default]
    Issuing,
    /// It signs CAs' certificates: path length 1 or more. No epoch has it, so nothing is issued under it.
    Root,
}

impl Purpose {
    /// Whether the key issues to holders; what is not said in a file is this.
    pub fn is_issuing(&self) -> bool {
        *self == Self::Issuing
    }

    /// Whether a certificate of a key of this purpose may have this path length.
    pub fn fits(self, path_length: u8) -> bool {
        match self {
            Self::Issuing => path_length == 0,
            Self::Root => (1..=MAX_PATH_LENGTH).contains(&path_length),
        }
    }
}

/// DER, in base64 with padding (RFC 4648, section 4) where it stands in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Der(pub Vec<u8>);

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).ok();
        // The decoder takes padded pieces one after the other: one form only.
        match bytes.filter(|bytes| data_encoding::BASE64.encode(bytes) == text) {
            Some(bytes) if bytes.len() <= MAX_CERTIFICATE_BYTES => Ok(Self(bytes)),
            _ => Err(de::Error::custom(format!(
                "expected at most {MAX_CERTIFICATE_BYTES} bytes in base64 with padding"
            ))),
        }
    }
}

/// A PKCS#10 request for a certificate of a generated key, to be signed by that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestCaCertificate {
    /// Name of the CA key.
    pub key: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// The subject, as in its own certificate.
    pub subject: CaSubject,
    /// The path length that is asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub path_length: u8,
}

/// A root's order to certify another CA. What its administrators read is in the fields; the request is the proof that the
/// other CA holds the key, and must say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignSubordinateCa {
    /// Name of the root key that signs.
    pub key: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// The root's name, as in its own certificate.
    pub issuer: CaSubject,
    /// The certified CA's name, as in its request.
    pub subject: CaSubject,
    /// The certified CA's Ed25519 key, as in its request.
    #[serde(with = "text::hex")]
    pub subject_key: [u8; 32],
    /// The SPIFFE trust domain that it issues for.
    pub trust_domain: String,
    /// Its PKCS#10 request.
    pub request: Der,
    /// Unix seconds.
    #[serde(with = "text::time")]
    pub not_before: u64,
    /// Unix seconds, inclusive.
    #[serde(with = "text::time")]
    pub not_after: u64,
    /// How many CAs may stand between the certified one and a leaf.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub path_length: u8,
}

/// A certificate that another CA made for a generated key, with what leads from it towards that CA's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallCaCertificate {
    /// Name of the CA key.
    pub key: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// The subject, as in its own certificate.
    pub subject: CaSubject,
    /// The certificate.
    pub certificate: Der,
    /// The CAs above it, each followed by its issuer, as far as they are given; the root may be left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Der>,
}

fn wrong<T>(what: impl Into<String>) -> Result<T, FileError> {
    Err(FileError::KeyOperation(what.into()))
}

fn named(key: &str) -> Result<(), FileError> {
    if text::is_name(key) {
        Ok(())
    } else {
        wrong("the key's name is not allowed")
    }
}

impl RequestCaCertificate {
    pub(super) fn check(&self) -> Result<(), FileError> {
        named(&self.key)?;
        self.subject.check()?;
        if self.path_length > MAX_PATH_LENGTH {
            return wrong("path_length is at most 4");
        }
        Ok(())
    }
}

impl SignSubordinateCa {
    pub(super) fn check(&self) -> Result<(), FileError> {
        named(&self.key)?;
        self.issuer.check()?;
        self.subject.check()?;
        if !text::is_trust_domain(&self.trust_domain) {
            return wrong("trust_domain is of [a-z0-9._-]");
        }
        if self.subject_key == self.group_key {
            return wrong("a root does not certify itself so: order its self-signed certificate");
        }
        // A certificate whose issuer and subject have one name is self-issued: libraries do not count it in path lengths, and
        // may look for its issuer in itself.
        if self.subject == self.issuer {
            return wrong("issuer and subject have the same name; a root needs a name of its own");
        }
        if self.not_before >= self.not_after {
            return wrong("not_before is not before not_after");
        }
        if self.path_length >= MAX_PATH_LENGTH {
            return wrong("path_length is below the root's, which is at most 4");
        }
        request::check(&self.request.0, &self.subject, &self.subject_key)
            .or_else(|error| wrong(error.to_string()))
    }
}

impl InstallCaCertificate {
    pub(super) fn check(&self) -> Result<(), FileError> {
        named(&self.key)?;
        self.subject.check()?;
        if self.chain.len() > MAX_CHAIN {
            return wrong(format!("the chain has more than {MAX_CHAIN} certificates"));
        }
        self.read().map(drop)
    }

    /// The certificate, read and checked against key and name.
    ///
    /// # Errors
    /// [`FileError::KeyOperation`], which a parsed file never gives.
    pub fn read(&self) -> Result<outside::OutsideCertificate, FileError> {
        let chain: Vec<&[u8]> = self.chain.iter().map(|one| one.0.as_slice()).collect();
        outside::check(&self.certificate.0, &chain, &self.subject, &self.group_key)
            .or_else(|error| wrong(error.to_string()))
    }
}
