//! The bodies of the desk's requests and answers, and the holder's checks of what the desk hands out.

use bauta_statement::credential::{
    CredentialError, HolderSecret, IssuedCredential, NativeCredential,
};
use bauta_statement::file::text;
use bauta_statement::schema::{AttributeType, Schema};
use bauta_statement::vector::{self, AttributeValue, FIRST_ATTRIBUTE, Serial};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

/// What a holder sends to enrol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// Poseidon(secret, blinding), canonical little-endian bytes.
    #[serde(with = "text::hex")]
    pub commitment: [u8; 32],
    /// The wallet was lost: revoke what was issued, and begin with this commitment.
    #[serde(default)]
    pub reset: bool,
}

/// What a holder of a leaked secret, or whoever found it, sends to have it revoked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakReport {
    /// The holder secret.
    #[serde(with = "text::hex")]
    pub secret: [u8; 32],
    /// The blinding of its commitment.
    #[serde(with = "text::hex")]
    pub blinding: [u8; 32],
}

/// What the desk is, for administrators who admit it to an issuer set and for wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerProfile {
    /// The issuer's name.
    pub name: String,
    /// The trust domain it issues for.
    pub trust_domain: String,
    /// Always `native`.
    pub format: String,
    /// The credential key, packed as circomlib does, in hex as an issuer set has it.
    pub public_key: String,
    /// Proof that its secret is known, in hex.
    pub proof_of_possession: String,
    /// The verifier key of its revocation lists (`vkey`).
    pub note_key: String,
    /// Its schema.
    pub schema: Schema,
    /// The schema's rule, canonical little-endian bytes in hex.
    pub schema_rule: String,
}

/// What the desk hands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The issuer's name.
    pub issuer: String,
    /// The trust domain it issues for.
    pub trust_domain: String,
    /// Serial number, lower-case hex in its shortest form: by it the issuer revokes.
    pub serial: String,
    /// The schema by which the attributes were read; it names the slots.
    pub schema: Schema,
    /// [`IssuedCredential::encode`]'s bytes in base64.
    pub credential: String,
}

/// Why a credential that a desk sent is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnrolmentError {
    /// A field does not decode.
    #[error("the issuer sent a credential whose {0} does not decode: report it to the issuer")]
    Malformed(&'static str),
    /// Rule or attributes are not those of the schema that came with it.
    #[error("the issuer sent a credential that does not fit its schema: report it to the issuer")]
    Schema,
    /// The handle is not that of the serial.
    #[error(
        "the issuer sent a credential whose revocation handle is not that of its serial number: report it to the issuer"
    )]
    Handle,
    /// Not signed, or for another secret.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

impl Enrolment {
    /// The credential, before any check but decoding.
    ///
    /// # Errors
    /// [`EnrolmentError::Malformed`] and [`EnrolmentError::Credential`].
    pub fn credential(&self) -> Result<IssuedCredential, EnrolmentError> {
        let bytes = BASE64
            .decode(self.credential.as_bytes())
            .map_err(|_| EnrolmentError::Malformed("base64"))?;
        Ok(IssuedCredential::decode(&bytes)?)
    }

    /// The holder's side: checks that the credential is signed, for this secret, and says what schema and serial say.
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn accept(&self, holder: HolderSecret) -> Result<NativeCredential, EnrolmentError> {
        let issued = self.credential()?;
        self.schema
            .check()
            .map_err(|_| EnrolmentError::Malformed("schema"))?;
        let serial = HEXLOWER
            .decode(self.serial.as_bytes())
            .ok()
            .and_then(|bytes| Serial::from_be_bytes(&bytes).ok())
            .ok_or(EnrolmentError::Malformed("serial number"))?;
        // A handle of the issuer's free choice would be a tag that survives the serial numbers it publishes.
        if issued.handle != vector::handle(issued.issuer.digest(), &serial) {
            return Err(EnrolmentError::Handle);
        }
        let fits = |(slot, value): (usize, &AttributeValue)| {
            let rule = u8::try_from(slot)
                .ok()
                .and_then(|slot| self.schema.in_slot(slot));
            match (value, rule) {
                (AttributeValue::Integer(_), Some(rule)) => rule.kind == AttributeType::Integer,
                (AttributeValue::Text(_), Some(rule)) => rule.kind == AttributeType::Text,
                (AttributeValue::Absent, rule) => rule.is_none_or(|rule| !rule.required),
                (_, None) => false,
            }
        };
        let slots = (FIRST_ATTRIBUTE..).zip(&issued.attributes);
        if issued.rule != self.schema.rule() || !slots.into_iter().all(fits) {
            return Err(EnrolmentError::Schema);
        }
        Ok(issued.accept(holder)?)
    }
}
