//! A credential of any format, as a wallet keeps it.

use bauta_circuits::possession::x509_rsa::{
    Parts, Readable, Variant, X509RsaError, X509RsaWitness,
};
use bauta_statement::credential::{CredentialError, NativeCredential};
use bauta_statement::rsa_key::{MODULUS_LEN, RsaPublicKey};
use bauta_statement::schema::Schema;
use bauta_statement::vector::{AttributeValue, AttributeVector, FIRST_ATTRIBUTE, Format, SLOTS};
use zeroize::{Zeroize, Zeroizing};

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // a wallet has one credential, so nothing is saved by a box
pub enum Credential {
    /// Of a Bauta issuer.
    Native(NativeCredential),
    /// An ordinary certificate.
    X509Rsa(Box<X509RsaCredential>),
}

impl Credential {
    /// Its format, which says by which relation it is possessed.
    pub fn format(&self) -> Format {
        match self {
            Self::Native(_) => Format::Native,
            Self::X509Rsa(credential) => credential.format,
        }
    }

    /// Its vector.
    pub fn vector(&self) -> AttributeVector {
        match self {
            Self::Native(credential) => credential.vector(),
            Self::X509Rsa(credential) => credential.vector,
        }
    }

    /// Slots 5 to 15.
    pub fn attributes(&self) -> Vec<AttributeValue> {
        match self {
            Self::Native(credential) => credential.issued().attributes.to_vec(),
            Self::X509Rsa(credential) => credential.attributes.clone(),
        }
    }

    /// The native one, which has a holder secret; none of another format.
    pub fn native(&self) -> Option<&NativeCredential> {
        match self {
            Self::Native(credential) => Some(credential),
            Self::X509Rsa(_) => None,
        }
    }

    /// The certificate; none of another format.
    pub fn x509(&self) -> Option<&X509RsaCredential> {
        match self {
            Self::Native(_) => None,
            Self::X509Rsa(credential) => Some(credential),
        }
    }
}

/// A certificate that an RSA key signed, with what it says by a schema. The signature that shows possession is not kept: it is as good
/// as the holder's key, and the proof that is made of it is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct X509RsaCredential {
    certificate: Vec<u8>,
    issuer: RsaPublicKey,
    schema: Schema,
    format: Format,
    vector: AttributeVector,
    attributes: Vec<AttributeValue>,
    modulus: [u8; MODULUS_LEN],
}

impl std::fmt::Debug for X509RsaCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("X509RsaCredential")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Drop for X509RsaCredential {
    fn drop(&mut self) {
        self.certificate.zeroize();
        self.vector.0.zeroize();
        for attribute in &mut self.attributes {
            if let AttributeValue::Text(text) = attribute {
                text.zeroize();
            }
        }
    }
}

/// Why bytes are no certificate that a wallet keeps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum X509DecodeError {
    /// Their form.
    #[error("the stored certificate is malformed; prepare again with the certificate")]
    Malformed,
    /// What the certificate is.
    #[error(transparent)]
    Certificate(#[from] X509RsaError),
}

impl X509RsaCredential {
    /// Reads a certificate (DER) that this issuer signed by its schema, as the relation will.
    ///
    /// # Errors
    /// [`X509RsaError`]: what it is instead.
    pub fn read(
        certificate: Vec<u8>,
        issuer: RsaPublicKey,
        schema: Schema,
    ) -> Result<Self, X509RsaError> {
        let parts = Parts::of(&certificate)?;
        let format = parts.format();
        let readable = Readable::of(&parts, &issuer, &schema)?;
        let mut attributes = vec![AttributeValue::Absent; SLOTS - FIRST_ATTRIBUTE];
        for (slot, value) in readable.attributes {
            let place = usize::from(slot).checked_sub(FIRST_ATTRIBUTE);
            if let Some(place) = place.and_then(|place| attributes.get_mut(place)) {
                *place = value;
            }
        }
        Ok(Self {
            vector: readable.vector,
            modulus: readable.modulus,
            certificate,
            issuer,
            schema,
            format,
            attributes,
        })
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The schema by which it was read.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The modulus of the holder's key, big-endian.
    pub fn modulus(&self) -> &[u8; MODULUS_LEN] {
        &self.modulus
    }

    /// The witness of possession, for the relation of its [`format`](Credential::format). `possession` is the signature of
    /// `rsa_key::POSSESSION_MESSAGE` by the certificate's key.
    ///
    /// # Errors
    /// Those of [`Parts::of`], which a certificate that was read does not have.
    pub fn witness<V: Variant>(
        &self,
        possession: Zeroizing<[u8; MODULUS_LEN]>,
    ) -> Result<X509RsaWitness<V>, X509RsaError> {
        let parts = Parts::of(&self.certificate)?;
        let (issuer, schema) = (self.issuer.clone(), self.schema.clone());
        Ok(X509RsaWitness::new(
            &parts,
            self.vector,
            issuer,
            possession,
            schema,
        ))
    }

    /// The issuer's modulus (256 bytes), the schema's JSON with its length before it (32 bits, big-endian), the certificate.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let schema = self.schema.to_json();
        let length = MODULUS_LEN + 4 + schema.len() + self.certificate.len();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.extend(self.issuer.modulus());
        out.extend((schema.len() as u32).to_be_bytes());
        out.extend(schema);
        out.extend(&self.certificate);
        out
    }

    /// Reads [`Self::encode`]'s bytes; the certificate is verified and read again.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, X509DecodeError> {
        const MALFORMED: X509DecodeError = X509DecodeError::Malformed;
        let (modulus, rest) = bytes.split_at_checked(MODULUS_LEN).ok_or(MALFORMED)?;
        let issuer = RsaPublicKey::from_be_bytes(modulus).map_err(|_| MALFORMED)?;
        let (length, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| MALFORMED)?;
        let (schema, certificate) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        let schema = Schema::from_json(schema).map_err(|_| MALFORMED)?;
        Ok(Self::read(certificate.to_vec(), issuer, schema)?)
    }
}

/// Why bytes are no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialDecodeError {
    /// A native one.
    #[error(transparent)]
    Native(#[from] CredentialError),
    /// A certificate.
    #[error(transparent)]
    X509(#[from] X509DecodeError),
}
