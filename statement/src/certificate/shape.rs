//! The two things that a CA key signs, and how they are told apart: a certificate and a request have the same outer form, so a
//! signature under one must never be one under the other.

use der::asn1::AnyRef;
use der::{Decode, Tag, Tagged};

use super::request::RequestInfo;
use super::{ProfileError, Tbs, assemble_bytes, ca, request, to_pem, to_pem_as};
use crate::file::KeyOperation;
use crate::note::{Digest, sha256};

/// What bytes that a CA key is to sign are, by their first element: a certificate's version is tagged `[0]` and is v3, a
/// request's is the INTEGER 0. So no bytes are both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A TBSCertificate (RFC 5280, 4.1).
    Certificate,
    /// A CertificationRequestInfo (RFC 2986, 4.1).
    Request,
}

impl Shape {
    /// The shape of one whole DER sequence; `None` for anything else.
    pub fn of(to_be_signed: &[u8]) -> Option<Self> {
        let whole = AnyRef::from_der(to_be_signed).ok()?;
        if whole.tag() != Tag::Sequence {
            return None;
        }
        let content = whole.value();
        if content.starts_with(&[0xa0, 3, 2, 1, 2]) {
            Some(Self::Certificate)
        } else if content.starts_with(&[2, 1, 0]) {
            Some(Self::Request)
        } else {
            None
        }
    }
}

/// What a key operation orders the CA key to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A certificate: the CA's own, or another CA's.
    Certificate(Tbs),
    /// A request for one.
    Request(RequestInfo),
}

impl Document {
    /// What is signed for a key operation: a function of its file (body, digest and trust domain) and of nothing else. `None`
    /// for an operation that orders no signature.
    ///
    /// # Errors
    /// [`ProfileError::Encoding`], which a checked file never leads to.
    pub fn ordered(
        operation: &KeyOperation,
        digest: &Digest,
        trust_domain: &str,
    ) -> Result<Option<Self>, ProfileError> {
        Ok(Some(match operation {
            KeyOperation::SignCaCertificate(sign) => {
                Self::Certificate(ca::tbs(sign, digest, trust_domain)?)
            }
            KeyOperation::SignSubordinateCa(sign) => {
                Self::Certificate(ca::subordinate_tbs(sign, digest)?)
            }
            KeyOperation::RequestCaCertificate(asked) => {
                Self::Request(request::info(asked, trust_domain)?)
            }
            KeyOperation::GenerateKey(_)
            | KeyOperation::InstallCaCertificate(_)
            | KeyOperation::ReshareKey(_)
            | KeyOperation::RepairShare(_) => {
                return Ok(None);
            }
        }))
    }

    /// The bytes that are signed.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Certificate(tbs) => tbs.as_bytes(),
            Self::Request(info) => info.as_bytes(),
        }
    }

    /// SHA-256 of the bytes that are signed.
    pub fn digest(&self) -> Digest {
        sha256(self.as_bytes())
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Certificate(_) => Shape::Certificate,
            Self::Request(_) => Shape::Request,
        }
    }

    /// The signed document, DER. The signature is not verified here.
    ///
    /// # Errors
    /// [`ProfileError::Encoding`], which no signature leads to.
    pub fn assemble(&self, signature: &[u8; 64]) -> Result<Vec<u8>, ProfileError> {
        assemble_bytes(self.as_bytes(), signature)
    }

    /// The signed document (DER) in PEM, under its own label.
    pub fn to_pem(&self, signed: &[u8]) -> String {
        match self {
            Self::Certificate(_) => to_pem(signed),
            Self::Request(_) => to_pem_as("CERTIFICATE REQUEST", signed),
        }
    }
}
