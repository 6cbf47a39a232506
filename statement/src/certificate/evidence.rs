//! What travels as the extra data of a tlog-proof, so that a certificate can be checked offline: the entry, the openings that
//! are not in the log, and the signed text of the policy, of which the entry has the digest. With its openings it is not for
//! publication.

use thiserror::Error;
use tls_codec::{
    DeserializeBytes as _, Serialize as _, TlsByteVecU32, TlsDeserializeBytes, TlsSerialize,
    TlsSize,
};

use super::{Ca, ProfileError, Tbs, leaf};
use crate::entry::{Body, Entry};
use crate::file;
use crate::note::{Digest, sha256};
use crate::policy::Policy;
use crate::presentation::Opening;

const VERSION: u8 = 1;

/// Entry, openings and policy of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The entry's bytes, as logged.
    pub entry: Vec<u8>,
    /// The openings of the disclosed attributes, in the policy's order.
    pub openings: Vec<Opening>,
    /// The signed text of the policy's file, without its signatures.
    pub policy: String,
}

/// Why evidence is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum EvidenceError {
    #[error(
        "the proof's extra data is not Bauta's: use the .tlog-proof file that came with the certificate"
    )]
    Malformed,
    #[error(
        "the policy in the proof is not the one that the entry names: use the .tlog-proof file that came with the certificate"
    )]
    OtherPolicy,
    #[error("the policy in the proof does not parse: {0}")]
    Policy(String),
    #[error("the entry in the proof is no issuance: {0}")]
    Entry(String),
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// Not with VLByteVec, whose decoding panics on a short input in debug builds (tls_codec 0.5).
#[derive(TlsSerialize, TlsDeserializeBytes, TlsSize)]
struct Encoded {
    version: u8,
    entry: TlsByteVecU32,
    openings: TlsByteVecU32,
    policy: TlsByteVecU32,
}

impl Evidence {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = Encoded {
            version: VERSION,
            entry: self.entry.clone().into(),
            openings: Opening::encode_list(&self.openings).into(),
            policy: self.policy.clone().into_bytes().into(),
        };
        // Lengths below 2^32 always fit.
        encoded.tls_serialize_detached().unwrap_or_default()
    }

    /// Reads [`Self::encode`]'s bytes; nothing may follow.
    ///
    /// # Errors
    /// [`EvidenceError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let encoded =
            Encoded::tls_deserialize_exact_bytes(bytes).map_err(|_| EvidenceError::Malformed)?;
        if encoded.version != VERSION {
            return Err(EvidenceError::Malformed);
        }
        Ok(Self {
            entry: encoded.entry.into(),
            openings: Opening::decode_list(encoded.openings.as_slice())
                .map_err(|_| EvidenceError::Malformed)?,
            policy: String::from_utf8(encoded.policy.into())
                .map_err(|_| EvidenceError::Malformed)?,
        })
    }

    /// The TBS that the entry earns under this CA: the certificate's, if the certificate is the entry's. The policy counts only
    /// by its digest, which the entry names; whether the entry is logged is the tlog-proof's to say.
    ///
    /// # Errors
    /// [`EvidenceError`], by culprit.
    pub fn tbs(&self, ca: &Ca) -> Result<Tbs, EvidenceError> {
        let policy = self.checked_policy(&ca.trust_domain)?;
        Ok(leaf::tbs(&self.entry, &policy, &self.openings, ca)?)
    }

    fn checked_policy(&self, trust_domain: &str) -> Result<Policy, EvidenceError> {
        if sha256(self.policy.as_bytes()) != self.policy_digest()? {
            return Err(EvidenceError::OtherPolicy);
        }
        match file::parse_text(&self.policy) {
            Ok((header, file::Body::Policy(policy))) if header.trust_domain == trust_domain => {
                Ok(*policy)
            }
            Ok(_) => Err(EvidenceError::OtherPolicy),
            Err(error) => Err(EvidenceError::Policy(error.to_string())),
        }
    }

    /// The policy digest that the entry names.
    fn policy_digest(&self) -> Result<Digest, EvidenceError> {
        let entry = Entry::decode(&self.entry).map_err(|e| EvidenceError::Entry(e.to_string()))?;
        match entry.body {
            Body::Issuance(issuance) => Ok(issuance.policy),
            _ => Err(EvidenceError::Entry("it is of another kind".to_owned())),
        }
    }
}
