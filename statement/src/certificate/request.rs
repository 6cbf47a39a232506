//! A CA's request for a certificate by another CA: PKCS#10 (RFC 2986), signed by the threshold key. What is signed is a function
//! of the key operation, so every signer makes the same bytes.

use const_oid::ObjectIdentifier;
use der::asn1::{Any, AnyRef, SetOfVec};
use der::{Decode, Encode, Sequence, SliceReader};
use thiserror::Error;
use x509_cert::attr::Attribute;

use super::ca::{distinguished_name, extensions};
use super::{ProfileError, ed25519_spki};
use crate::csr::{Request, RequestError};
use crate::file::hierarchy::RequestCaCertificate;
use crate::file::key_operation::CaSubject;
use crate::note::strict_ed25519;

/// extensionRequest (RFC 2985, 5.4.2).
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// A CertificationRequestInfo in DER, made by [`info`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo(Vec<u8>);

impl RequestInfo {
    /// The bytes that are signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// RFC 2986, 4.1.
#[derive(Sequence)]
struct Info {
    version: u8,
    subject: Any,
    key: Any,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    attributes: SetOfVec<Attribute>,
}

/// What is signed for a request: name and key, and the extensions that the certificate should have. The subjectKeyIdentifier
/// among them matters: leaves name their issuer by it.
///
/// # Errors
/// [`ProfileError::Encoding`] if the name or the trust domain cannot be encoded.
pub fn info(
    operation: &RequestCaCertificate,
    trust_domain: &str,
) -> Result<RequestInfo, ProfileError> {
    let asked = extensions(&operation.group_key, operation.path_length, trust_domain)?;
    let mut values = SetOfVec::new();
    values.insert(Any::encode_from(&asked)?)?;
    let mut attributes = SetOfVec::new();
    attributes.insert(Attribute {
        oid: EXTENSION_REQUEST,
        values,
    })?;
    let info = Info {
        version: 0,
        subject: Any::from_der(&distinguished_name(&operation.subject)?)?,
        key: Any::from_der(&ed25519_spki(&operation.group_key)?)?,
        attributes,
    };
    Ok(RequestInfo(info.to_der()?))
}

/// Why a request is no proof that a CA holds its key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum PossessionError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the request is for another key than the file names: take key and request from one CA")]
    OtherKey,
    #[error(
        "the request is for another subject than the file names: write the subject as the request has it"
    )]
    OtherSubject,
    #[error(
        "the request's signature does not verify under its key: whoever made it does not hold that key"
    )]
    Signature,
}

/// Checks that a PKCS#10 request (DER) is for this name and this Ed25519 key, and signed by it, strictly (RFC 8032).
///
/// # Errors
/// [`PossessionError`].
pub fn check(request: &[u8], subject: &CaSubject, key: &[u8; 32]) -> Result<(), PossessionError> {
    let malformed = |_| PossessionError::Request(RequestError::NotPkcs10);
    let request = Request::from_der(request)?;
    if request.key.spki() != ed25519_spki(key).map_err(malformed)? {
        return Err(PossessionError::OtherKey);
    }
    if subject_of(&request.signed).map_err(malformed)?
        != distinguished_name(subject).map_err(malformed)?
    {
        return Err(PossessionError::OtherSubject);
    }
    let signature = request
        .signature
        .as_slice()
        .try_into()
        .map_err(|_| PossessionError::Signature)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    strict_ed25519(key)
        .filter(|key| key.verify_strict(&request.signed, &signature).is_ok())
        .map(drop)
        .ok_or(PossessionError::Signature)
}

/// The subject of a CertificationRequestInfo, as it stands there.
fn subject_of(info: &[u8]) -> Result<Vec<u8>, der::Error> {
    let info = AnyRef::from_der(info)?;
    let mut reader = SliceReader::new(info.value())?;
    u8::decode(&mut reader)?;
    AnyRef::decode(&mut reader)?.to_der()
}

/// The name in a CA's request, for whoever writes the order to certify it: country, organisation and common name, each at most
/// once and in that order, and nothing else.
///
/// # Errors
/// [`PossessionError`] as [`check`]; [`PossessionError::OtherSubject`] for a name of another form.
pub fn read(request: &[u8]) -> Result<(CaSubject, [u8; 32]), PossessionError> {
    let malformed = |_| PossessionError::Request(RequestError::NotPkcs10);
    let parsed = Request::from_der(request)?;
    let key: [u8; 32] = parsed
        .key
        .bits()
        .try_into()
        .map_err(|_| PossessionError::OtherKey)?;
    let subject = super::ca::read_name(&subject_of(&parsed.signed).map_err(malformed)?)
        .ok_or(PossessionError::OtherSubject)?;
    check(request, &subject, &key)?;
    Ok((subject, key))
}
