//! A certificate that another CA made for one of our keys: read, and checked for all that would make a chain over it useless to
//! those who trust that CA. Its signature is verified by whoever trusts the CA, and by the operator's tool before it is logged.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::asn1::{AnyRef, BitStringRef, OctetString};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use thiserror::Error;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints};

use super::ca::distinguished_name;
use super::{ProfileError, TbsCertificate, ed25519_spki, key_identifier};
use crate::csr::{PublicKey, RequestError};
use crate::file::key_operation::CaSubject;

/// Extensions that TLS libraries understand; any other one, marked critical, makes them refuse the chain.
const UNDERSTOOD: [ObjectIdentifier; 5] = [
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_NAME_CONSTRAINTS,
    rfc5280::ID_CE_EXT_KEY_USAGE,
];

/// What a certificate of any CA says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideCertificate {
    /// The subject's name, DER.
    pub subject: Vec<u8>,
    /// The issuer's name, DER.
    pub issuer: Vec<u8>,
    /// The certified key, SubjectPublicKeyInfo in DER.
    pub key: Vec<u8>,
    /// First second, Unix seconds.
    pub not_before: u64,
    /// Last second.
    pub not_after: u64,
    /// How many CAs may stand between it and a leaf, if it is a CA's and says so.
    pub path_length: Option<u8>,
    /// What was signed, DER.
    pub signed: Vec<u8>,
    /// The content of the signature's AlgorithmIdentifier (without tag and length).
    pub signature_algorithm: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Why a certificate cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum InstallError {
    #[error("{0} is not one X.509 certificate of version 3 in DER")]
    Malformed(&'static str),
    #[error(
        "the certificate is for another key: install the one that was made for this CA's request"
    )]
    OtherKey,
    #[error(
        "the certificate's subject is not the CA's own: leaves name their issuer by it, so let it be as in the request"
    )]
    OtherSubject,
    #[error(
        "the certificate is self-issued: install what another CA made, and order the CA's own by sign_ca_certificate"
    )]
    SelfIssued,
    #[error("the certificate is no CA's: its basicConstraints must say CA:TRUE")]
    NotACa,
    #[error("the certificate's key may not sign certificates: its keyUsage must have keyCertSign")]
    KeyUsage,
    #[error(
        "the certificate's subjectKeyIdentifier is not that of the request, by which leaves name their issuer: let the CA copy the request's extensions"
    )]
    KeyIdentifier,
    #[error(
        "the certificate's extKeyUsage excludes clientAuth or serverAuth, which leaves have: leave the extension out"
    )]
    ExtendedKeyUsage,
    #[error(
        "the certificate constrains URI names: rustls refuses every leaf under it; leave URI constraints out"
    )]
    NameConstraints,
    #[error("the certificate has a critical extension ({0}) that TLS libraries refuse")]
    Critical(String),
    #[error(
        "certificate {0} of the chain does not follow: each is followed by the one whose subject is its issuer"
    )]
    Chain(usize),
    #[error("the certificate's validity is empty")]
    Validity,
}

impl OutsideCertificate {
    /// Reads a certificate of any algorithm in DER; nothing may follow it.
    ///
    /// # Errors
    /// [`ProfileError::Encoding`] if it is none of version 3.
    pub fn from_der(certificate: &[u8]) -> Result<Self, ProfileError> {
        parse(certificate).map(|(parsed, _)| parsed)
    }

    /// The certified key, if it is of a kind whose signatures are verified here.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn public_key(&self) -> Result<PublicKey, RequestError> {
        PublicKey::from_spki(&self.key)
    }
}

fn parse(certificate: &[u8]) -> Result<(OutsideCertificate, TbsCertificate), ProfileError> {
    let malformed = || der::Error::from(der::ErrorKind::Failed);
    let mut reader = SliceReader::new(certificate)?;
    let (signed, algorithm, signature) = reader.sequence(|r| -> der::Result<_> {
        Ok((r.tlv_bytes()?, AnyRef::decode(r)?, BitStringRef::decode(r)?))
    })?;
    reader.finish()?;
    let tbs = TbsCertificate::from_der(signed)?;
    if tbs.version != 2 || algorithm.tag() != Tag::Sequence {
        return Err(malformed().into());
    }
    let constraints = tbs
        .extensions
        .iter()
        .find(|one| one.extn_id == rfc5280::ID_CE_BASIC_CONSTRAINTS)
        .map(|one| BasicConstraints::from_der(one.extn_value.as_bytes()))
        .transpose()?;
    let parsed = OutsideCertificate {
        subject: tbs.subject.to_der()?,
        issuer: tbs.issuer.to_der()?,
        key: tbs.key.to_der()?,
        not_before: tbs.validity.not_before.to_unix_duration().as_secs(),
        not_after: tbs.validity.not_after.to_unix_duration().as_secs(),
        path_length: constraints.and_then(|one| one.path_len_constraint),
        signed: signed.to_vec(),
        signature_algorithm: algorithm.value().to_vec(),
        signature: signature.as_bytes().ok_or_else(malformed)?.to_vec(),
    };
    Ok((parsed, tbs))
}

/// Checks a certificate (DER), and the CAs above it, for one of our keys under one of our names.
///
/// # Errors
/// [`InstallError`], by what is wrong.
pub fn check(
    certificate: &[u8],
    chain: &[&[u8]],
    subject: &CaSubject,
    key: &[u8; 32],
) -> Result<OutsideCertificate, InstallError> {
    const IT: &str = "the certificate";
    let malformed = |_: ProfileError| InstallError::Malformed(IT);
    let encoding = |_: der::Error| InstallError::Malformed(IT);
    let (parsed, tbs) = parse(certificate).map_err(malformed)?;
    if parsed.key != ed25519_spki(key).map_err(encoding)? {
        return Err(InstallError::OtherKey);
    }
    if parsed.subject != distinguished_name(subject).map_err(encoding)? {
        return Err(InstallError::OtherSubject);
    }
    if parsed.issuer == parsed.subject {
        return Err(InstallError::SelfIssued);
    }
    if parsed.not_before >= parsed.not_after {
        return Err(InstallError::Validity);
    }
    let mut seen = Vec::new();
    let mut a_ca = false;
    let mut may_sign = false;
    for extension in &tbs.extensions {
        let value = extension.extn_value.as_bytes();
        // One that stands twice is read one way here and another way elsewhere.
        if seen.contains(&extension.extn_id) {
            return Err(InstallError::Malformed(IT));
        }
        seen.push(extension.extn_id);
        match extension.extn_id {
            rfc5280::ID_CE_BASIC_CONSTRAINTS => {
                a_ca = BasicConstraints::from_der(value).map_err(encoding)?.ca;
            }
            rfc5280::ID_CE_KEY_USAGE => {
                may_sign = KeyUsage::from_der(value).map_err(encoding)?.key_cert_sign();
            }
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                let found = OctetString::from_der(value).map_err(encoding)?;
                if found != key_identifier(key).map_err(encoding)? {
                    return Err(InstallError::KeyIdentifier);
                }
            }
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                let uses = ExtendedKeyUsage::from_der(value).map_err(encoding)?.0;
                let needed = [rfc5912::ID_KP_CLIENT_AUTH, rfc5912::ID_KP_SERVER_AUTH];
                if !needed.iter().all(|one| uses.contains(one)) {
                    return Err(InstallError::ExtendedKeyUsage);
                }
            }
            rfc5280::ID_CE_NAME_CONSTRAINTS => {
                let constraints = NameConstraints::from_der(value).map_err(encoding)?;
                let trees = [
                    constraints.permitted_subtrees,
                    constraints.excluded_subtrees,
                ];
                let of_uris = trees
                    .iter()
                    .flatten()
                    .flatten()
                    .any(|tree| matches!(tree.base, GeneralName::UniformResourceIdentifier(_)));
                if of_uris {
                    return Err(InstallError::NameConstraints);
                }
            }
            _ => {}
        }
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
            return Err(InstallError::Critical(extension.extn_id.to_string()));
        }
    }
    if !a_ca {
        return Err(InstallError::NotACa);
    }
    if !may_sign {
        return Err(InstallError::KeyUsage);
    }
    let mut issuer = parsed.issuer.clone();
    for (above, number) in chain.iter().zip(1..) {
        let above = OutsideCertificate::from_der(above)
            .map_err(|_| InstallError::Malformed("a certificate of the chain"))?;
        if above.subject != issuer {
            return Err(InstallError::Chain(number));
        }
        issuer = above.issuer;
    }
    Ok(parsed)
}
