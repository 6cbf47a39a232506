//! The attribute vector: sixteen field elements that every credential, whatever its format, is read into.

use std::fmt;

use thiserror::Error;

use crate::{
    field::{self, Fr},
    poseidon,
};

/// K, the number of slots.
pub const SLOTS: usize = 16;
/// Slot of the origin: format, issuer's key and schema rule in one hash.
pub const ORIGIN: usize = 0;
/// Slot of the holder secret, from which nullifiers are made; 0 in X.509 formats.
pub const SECRET: usize = 1;
/// Slot of the first second of validity (Unix).
pub const NOT_BEFORE: usize = 2;
/// Slot of the last second of validity (Unix).
pub const NOT_AFTER: usize = 3;
/// Slot of the revocation handle.
pub const HANDLE: usize = 4;
/// First of the slots that a schema gives meaning to; the last is 15.
pub const FIRST_ATTRIBUTE: usize = 5;

/// The tag under which a text is hashed.
pub const TEXT_TAG: &str = "bauta/v1/text";

/// The constant *absent*, 2^64: no integer, and no hash of a string that anyone can find.
pub fn absent() -> Fr {
    Fr::from(1u128 << 64)
}

/// The sixteen slots. `Debug` shows none of them: slot 1 is the holder secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AttributeVector(pub [Fr; SLOTS]);

impl fmt::Debug for AttributeVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttributeVector(redacted)")
    }
}

impl AttributeVector {
    /// The element in a slot; *absent* beyond the last one.
    pub fn get(&self, slot: usize) -> Fr {
        self.0.get(slot).copied().unwrap_or_else(absent)
    }
}

/// How the credential was signed and encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Format {
    /// A Bauta issuer's EdDSA-Poseidon signature of the vector.
    Native = 1,
    /// An X.509 certificate signed with RSA-2048, PKCS#1 v1.5, SHA-256.
    X509Rsa = 2,
    /// An X.509 certificate signed with ECDSA on P-256, SHA-256.
    X509P256 = 3,
    /// One like [`X509Rsa`](Self::X509Rsa)'s, with more bytes than that relation has room for.
    X509RsaLong = 4,
}

impl Format {
    /// The byte that stands for the format in encodings and origins.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The format of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Native),
            2 => Some(Self::X509Rsa),
            3 => Some(Self::X509P256),
            4 => Some(Self::X509RsaLong),
            _ => None,
        }
    }

    /// The format in origins. How long a certificate is does not matter there: its issuer is one.
    pub fn of_origin(self) -> Self {
        match self {
            Self::X509RsaLong => Self::X509Rsa,
            other => other,
        }
    }
}

impl TryFrom<u8> for Format {
    type Error = UnknownFormat;

    fn try_from(code: u8) -> Result<Self, UnknownFormat> {
        Self::from_code(code).ok_or(UnknownFormat(code))
    }
}

/// No credential format has this code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{0} is no credential format of this version; known are 1 (native), 2 (X.509 RSA), 3 (X.509 P-256) and 4 (X.509 RSA, long)"
)]
pub struct UnknownFormat(pub u8);

/// What an attribute slot holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeValue {
    /// An unsigned integer.
    Integer(u64),
    /// A UTF-8 string, of which the slot holds the hash. Compared as bytes: nothing is normalised.
    Text(String),
    /// Nothing.
    Absent,
}

impl AttributeValue {
    /// The field element in the slot.
    pub fn to_field(&self) -> Fr {
        match self {
            Self::Integer(value) => Fr::from(*value),
            Self::Text(text) => poseidon::hash_bytes(TEXT_TAG, text.as_bytes()),
            Self::Absent => absent(),
        }
    }
}

/// Slot 0: Poseidon(format, digest of the issuer's public key, schema rule). It is computed inside the possession
/// relation, so no credential can be read under a schema other than its issuer's.
pub fn origin(format: Format, issuer_key_digest: Fr, schema_rule: Fr) -> Fr {
    let format = format.of_origin().code();
    poseidon::hash(&[Fr::from(format), issuer_key_digest, schema_rule])
}

/// Slot 4: the low 64 bits of Poseidon(digest of the issuer's public key, serial), moved off 0 and 2^64 − 1, which are
/// no handles.
pub fn handle(issuer_key_digest: Fr, serial: &Serial) -> u64 {
    field::low_u64(&poseidon::hash(&[issuer_key_digest, serial.to_field()])).clamp(1, u64::MAX - 1)
}

/// The message that the issuer of a native credential signs: Poseidon of the vector, with the holder secret's
/// commitment in the secret's place, so that the issuer never sees the secret.
pub fn native_message(vector: &AttributeVector, commitment: Fr) -> Fr {
    let mut elements = vector.0;
    if let Some(slot) = elements.get_mut(SECRET) {
        *slot = commitment;
    }
    poseidon::hash(&elements)
}

/// Poseidon(secret, blinding): what an issuer learns of a holder secret.
pub fn commitment(secret: Fr, blinding: Fr) -> Fr {
    poseidon::hash(&[secret, blinding])
}

/// A certificate's serial number: a positive integer of 1 to 20 bytes, big-endian, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

/// The bytes are no serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SerialError {
    /// Zero, or no byte at all.
    #[error(
        "a serial number must be positive (RFC 5280, section 4.1.2.2); have the certificate issued anew"
    )]
    NotPositive,
    /// A leading zero byte.
    #[error("the serial number has leading zeros; give it in its shortest form")]
    NotMinimal,
    /// More than 20 bytes.
    #[error("the serial number is longer than 20 bytes (RFC 5280, section 4.1.2.2)")]
    TooLong,
}

impl Serial {
    /// From the integer's big-endian bytes, without sign byte.
    ///
    /// # Errors
    /// [`SerialError`] names what is wrong.
    pub fn from_be_bytes(bytes: &[u8]) -> Result<Self, SerialError> {
        match bytes.first() {
            None => Err(SerialError::NotPositive),
            Some(0) if bytes.iter().all(|byte| *byte == 0) => Err(SerialError::NotPositive),
            Some(0) => Err(SerialError::NotMinimal),
            Some(_) if bytes.len() > 20 => Err(SerialError::TooLong),
            Some(_) => Ok(Self(bytes.to_vec())),
        }
    }

    /// From the contents of a DER INTEGER, where a zero byte stands before a set top bit.
    ///
    /// # Errors
    /// [`SerialError`]; a set top bit means a negative number.
    pub fn from_der_contents(bytes: &[u8]) -> Result<Self, SerialError> {
        match bytes {
            [0, rest @ ..] if rest.first().is_some_and(|top| top & 0x80 != 0) => {
                Self::from_be_bytes(rest)
            }
            [top, ..] if top & 0x80 != 0 => Err(SerialError::NotPositive),
            _ => Self::from_be_bytes(bytes),
        }
    }

    /// The integer's big-endian bytes, without sign byte.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The integer as a field element: at most 160 bits, so no two are the same.
    pub fn to_field(&self) -> Fr {
        use ark_ff::PrimeField;
        Fr::from_be_bytes_mod_order(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn serials_have_one_form() {
        assert_eq!(Serial::from_be_bytes(&[]), Err(SerialError::NotPositive));
        assert_eq!(
            Serial::from_be_bytes(&[0, 0]),
            Err(SerialError::NotPositive)
        );
        assert_eq!(Serial::from_be_bytes(&[0, 1]), Err(SerialError::NotMinimal));
        assert_eq!(Serial::from_be_bytes(&[1; 21]), Err(SerialError::TooLong));
        assert_eq!(
            Serial::from_der_contents(&[0x80]),
            Err(SerialError::NotPositive)
        );
        assert_eq!(
            Serial::from_der_contents(&[0, 0x80]),
            Serial::from_be_bytes(&[0x80])
        );
        assert_eq!(
            Serial::from_der_contents(&[0, 0x7f]),
            Err(SerialError::NotMinimal)
        );
        assert!(Serial::from_be_bytes(&[0xff; 20]).is_ok());
    }

    #[test]
    fn debug_shows_no_slot() {
        let shown = format!("{:?}", AttributeVector([Fr::from(421_337); SLOTS]));
        assert!(!shown.contains("421337"), "{shown}");
    }

    #[test]
    fn absent_is_no_integer_and_no_text() {
        assert_ne!(AttributeValue::Integer(u64::MAX).to_field(), absent());
        assert_ne!(AttributeValue::Text(String::new()).to_field(), absent());
        assert_eq!(AttributeValue::Absent.to_field(), absent());
    }

    #[test]
    fn origin_depends_on_each_part() {
        let (key, rule) = (Fr::from(5), Fr::from(6));
        let origins = [
            origin(Format::Native, key, rule),
            origin(Format::X509Rsa, key, rule),
            origin(Format::Native, rule, rule),
            origin(Format::Native, key, key),
        ];
        for (i, a) in origins.iter().enumerate() {
            assert!(origins[i + 1..].iter().all(|b| a != b));
        }
        for code in 0..=255 {
            assert!(Format::from_code(code).is_none_or(|format| format.code() == code));
        }
    }

    proptest! {
        #[test]
        fn texts_hash_apart(a in "\\PC{0,80}", b in "\\PC{0,80}") {
            let same = AttributeValue::Text(a.clone()).to_field() == AttributeValue::Text(b.clone()).to_field();
            prop_assert_eq!(same, a == b);
        }

        #[test]
        fn handles_keep_off_both_ends(bytes in prop::collection::vec(1u8.., 1..=20)) {
            let handle = handle(Fr::from(1), &Serial::from_be_bytes(&bytes).unwrap());
            prop_assert!(handle > 0 && handle < u64::MAX);
        }

        #[test]
        fn serials_hash_apart(a in prop::collection::vec(1u8.., 1..=20), b in prop::collection::vec(1u8.., 1..=20)) {
            let field = |bytes: &[u8]| Serial::from_be_bytes(bytes).unwrap().to_field();
            prop_assert_eq!(field(&a) == field(&b), a == b);
        }
    }
}
