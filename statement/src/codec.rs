//! Byte strings and texts of the signers' messages: a length of four bytes, then the bytes.
//!
//! tls_codec's own (`VLBytes`, and `String` over it) panic on a truncated input where debug assertions are on, and a
//! frame comes from the network: so these are ours.

use std::io::Write;

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

/// A byte string, bounded by its frame.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, by value.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl core::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

fn write_bytes<W: Write>(bytes: &[u8], writer: &mut W) -> Result<usize, Error> {
    let length = u32::try_from(bytes.len()).map_err(|_| Error::InvalidVectorLength)?;
    writer.write_all(&length.to_be_bytes())?;
    writer.write_all(bytes)?;
    Ok(4 + bytes.len())
}

fn read_bytes(input: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = input.split_first_chunk::<4>().ok_or(Error::EndOfStream)?;
    let length =
        usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::InvalidVectorLength)?;
    rest.split_at_checked(length).ok_or(Error::EndOfStream)
}

impl Size for Bytes {
    fn tls_serialized_len(&self) -> usize {
        4 + self.0.len()
    }
}

impl Serialize for Bytes {
    fn tls_serialize<W: Write>(&self, writer: &mut W) -> Result<usize, Error> {
        write_bytes(&self.0, writer)
    }
}

impl DeserializeBytes for Bytes {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (bytes, rest) = read_bytes(bytes)?;
        Ok((Self(bytes.to_vec()), rest))
    }
}

/// `#[tls_codec(with = "bauta_statement::codec::text")]`: a UTF-8 string.
pub mod text {
    use std::io::Write;

    use tls_codec::Error;

    /// Bytes of its encoding.
    pub fn tls_serialized_len(text: &str) -> usize {
        4 + text.len()
    }

    /// Writes it.
    pub fn tls_serialize<W: Write>(text: &str, writer: &mut W) -> Result<usize, Error> {
        super::write_bytes(text.as_bytes(), writer)
    }

    /// Reads it; gives what follows.
    pub fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(String, &[u8]), Error> {
        let (text, rest) = super::read_bytes(bytes)?;
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| Error::DecodingError("not UTF-8".into()))?;
        Ok((text, rest))
    }
}
