//! Log entries: five kinds, each at most 65,535 bytes, in the presentation language of RFC 8446. One encoding per entry:
//! trailing bytes, an unknown kind or version, and anything that does not encode to the same bytes again are refused.
use tls_codec::{Deserialize as _, Serialize as _, TlsDeserialize, TlsSerialize, TlsSize};

use crate::epoch::Epoch;
use crate::note::{Digest, sha256};

/// The version that this page describes.
pub const VERSION: u8 = 1;
/// The most bytes of an entry.
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// The most bytes of an object that an entry names.
pub const MAX_OBJECT_BYTES: u32 = crate::note::MAX_NOTE_BYTES as u32;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Entry {
    /// [`VERSION`].
    pub version: u8,
    /// When the service logged it, Unix seconds; it never goes back.
    pub time: u64,
    /// What it says.
    pub body: Body,
}

/// The five kinds. The kind is one byte before the body.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
#[repr(u8)]
pub enum Body {
    /// An `authority` file.
    #[tls_codec(discriminant = 1)]
    Authority(ObjectRef),
    /// A `parameters` file.
    #[tls_codec(discriminant = 2)]
    Parameters(ObjectRef),
    /// Any other signed file.
    #[tls_codec(discriminant = 3)]
    File(ObjectRef),
    /// What is in force in an epoch.
    #[tls_codec(discriminant = 4)]
    Epoch(Epoch),
    /// An issuance.
    #[tls_codec(discriminant = 5)]
    Issuance(Issuance),
}

/// A thing too large for an entry: it lies under `objects/<sha256>` beside the tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ObjectRef {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes they are.
    pub length: u32,
}

impl ObjectRef {
    /// The reference to these bytes.
    ///
    /// # Errors
    /// [`EntryError::Long`] beyond [`MAX_OBJECT_BYTES`].
    pub fn of(bytes: &[u8]) -> Result<Self, EntryError> {
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length <= MAX_OBJECT_BYTES)
            .ok_or(EntryError::Long(bytes.len(), MAX_OBJECT_BYTES as usize))?;
        Ok(Self {
            digest: sha256(bytes),
            length,
        })
    }

    /// Whether `bytes` are the object.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length as usize && sha256(bytes) == self.digest
    }
}

/// An issuance: everything that the presentation is checked under, and the presentation. Values disclosed, the CSR and
/// the certificate are not in the log.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Issuance {
    /// File digest of the policy.
    pub policy: Digest,
    /// Number of the epoch that the policy proof was made for.
    pub epoch: u64,
    /// Id of the CA key that is to sign.
    pub ca_key: Digest,
    /// The challenge's nonce.
    pub nonce: [u8; 32],
    /// The challenge's expiry, Unix seconds.
    pub expiry: u64,
    /// SubjectPublicKeyInfo of the certified key, DER.
    #[tls_codec(with = "crate::entry::bytes16")]
    pub key: Vec<u8>,
    /// The presentation, encoded.
    #[tls_codec(with = "crate::entry::bytes16")]
    pub presentation: Vec<u8>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    /// Too long.
    #[error("{0} bytes are more than the {1} allowed")]
    Long(usize, usize),
    /// A version that this program does not know.
    #[error("entry version {0} is unknown; update Bauta")]
    Version(u8),
    /// Not an entry.
    #[error("not an entry: {0}")]
    Codec(String),
    /// Another encoding of an entry.
    #[error("not the one encoding of this entry")]
    NotCanonical,
}

impl From<tls_codec::Error> for EntryError {
    fn from(error: tls_codec::Error) -> Self {
        Self::Codec(error.to_string())
    }
}

impl Entry {
    /// An entry of this version.
    pub fn new(time: u64, body: Body) -> Self {
        Self {
            version: VERSION,
            time,
            body,
        }
    }

    /// The bytes that are logged.
    ///
    /// # Errors
    /// [`EntryError::Long`], or [`EntryError::Codec`] if a vector is too long for its length prefix.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let bytes = self.tls_serialize_detached()?;
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::Long(bytes.len(), MAX_ENTRY_BYTES));
        }
        Ok(bytes)
    }

    /// Reads exactly one entry.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::Long(bytes.len(), MAX_ENTRY_BYTES));
        }
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&other) => return Err(EntryError::Version(other)),
            None => return Err(EntryError::Codec("no bytes".to_owned())),
        }
        let mut rest = bytes;
        let entry = Self::tls_deserialize(&mut rest)?;
        if !rest.is_empty() {
            return Err(EntryError::Codec("trailing bytes".to_owned()));
        }
        if entry.encode()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}

/// `#[tls_codec(with = …)]`: bytes under a two-byte length.
pub(crate) mod bytes16 {
    use std::io::{Read, Write};

    use tls_codec::{
        Deserialize as _, Error, Serialize as _, Size as _, TlsByteSliceU16, TlsByteVecU16,
    };

    pub(crate) fn tls_serialized_len(bytes: &[u8]) -> usize {
        TlsByteSliceU16(bytes).tls_serialized_len()
    }

    pub(crate) fn tls_serialize<W: Write>(bytes: &[u8], writer: &mut W) -> Result<usize, Error> {
        TlsByteSliceU16(bytes).tls_serialize(writer)
    }

    pub(crate) fn tls_deserialize<R: Read>(reader: &mut R) -> Result<Vec<u8>, Error> {
        TlsByteVecU16::tls_deserialize(reader).map(Into::into)
    }
}

#[cfg(test)]
mod tests;
