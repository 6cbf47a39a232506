//! Public keys that may be certified, and PKCS#10 requests (RFC 2986). Of a request only the SubjectPublicKeyInfo and the
//! signature matter: whatever else it asks for (names, extensions, CA = true) is never looked at, since the certificate is a
//! function of the log's entry. The self-signature is verified in `bauta-verifier`.

use std::fmt;

use crate::note::strict_ed25519;
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, Null, UintRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use serde::{Deserialize, Serialize};
use spki::SubjectPublicKeyInfoRef;
use thiserror::Error;

/// The longest request that is read, in bytes.
pub const LONGEST_REQUEST: usize = 16_384;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A kind of key that may be certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA with a modulus of 2048 to 4096 bits.
    Rsa,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        })
    }
}

/// Why a public key or a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum RequestError {
    #[error(
        "the request is longer than {LONGEST_REQUEST} bytes: send a PKCS#10 request with a key and nothing else"
    )]
    TooLong,
    #[error("the request is not PKCS#10 in DER: make it with `openssl req -new -outform DER`")]
    NotPkcs10,
    #[error("the public key is not a SubjectPublicKeyInfo in DER: encode it anew")]
    NotDer,
    #[error("keys of algorithm {0} are not certified: use P-256, P-384, Ed25519 or RSA")]
    UnknownKeyType(String),
    #[error(
        "the {0} key is not encoded as its standard says (uncompressed points, exact parameters): encode it anew"
    )]
    Encoding(KeyType),
    #[error(
        "the Ed25519 key is no canonically encoded point of the curve, or of small order: make a new key"
    )]
    WeakPoint,
    #[error("the RSA modulus has {0} bits or is even: use 2048 to 4096 bits")]
    RsaModulus(usize),
    #[error("the RSA public exponent is even, below 65537 or above 33 bits: use 65537")]
    RsaExponent,
}

/// A public key that may be certified: its SubjectPublicKeyInfo is the one DER encoding of a key of a known kind and of
/// sufficient strength. That an ECDSA point is on its curve shows when a signature by it verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyType,
    spki: Vec<u8>,
    algorithm: Vec<u8>,
    bits: Vec<u8>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// [`RequestError`]: anything but the one encoding of a P-256, P-384, Ed25519 or RSA 2048–4096 key.
    pub fn from_spki(spki: &[u8]) -> Result<Self, RequestError> {
        let parsed = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| RequestError::NotDer)?;
        let bits = parsed
            .subject_public_key
            .as_bytes()
            .ok_or(RequestError::NotDer)?;
        let parameters = parsed.algorithm.parameters;
        let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        let kind = match parsed.algorithm.oid {
            EC_PUBLIC_KEY if curve == Some(SECP256R1) => KeyType::P256,
            EC_PUBLIC_KEY if curve == Some(SECP384R1) => KeyType::P384,
            ED25519 => KeyType::Ed25519,
            RSA_ENCRYPTION => KeyType::Rsa,
            other => {
                return Err(RequestError::UnknownKeyType(
                    curve.unwrap_or(other).to_string(),
                ));
            }
        };
        let malformed = RequestError::Encoding(kind);
        match kind {
            KeyType::P256 => check_point(bits, 64).ok_or(malformed)?,
            KeyType::P384 => check_point(bits, 96).ok_or(malformed)?,
            KeyType::Ed25519 if parameters.is_some() => return Err(malformed),
            KeyType::Ed25519 => check_ed25519(bits)?,
            KeyType::Rsa if parameters != Some(AnyRef::from(Null)) => return Err(malformed),
            KeyType::Rsa => check_rsa(bits)?,
        }
        // DER has one encoding of each value; whatever a lenient parser let through does not come out the same.
        let reencoded = parsed.to_der().map_err(|_| RequestError::NotDer)?;
        let algorithm = parsed
            .algorithm
            .to_der()
            .map_err(|_| RequestError::NotDer)?;
        if reencoded != spki {
            return Err(RequestError::Encoding(kind));
        }
        let algorithm = AnyRef::from_der(&algorithm)
            .map_err(|_| RequestError::NotDer)?
            .value()
            .to_vec();
        Ok(Self {
            kind,
            spki: reencoded,
            algorithm,
            bits: bits.to_vec(),
        })
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The content of the AlgorithmIdentifier (without tag and length), by which webpki names algorithms.
    pub fn algorithm(&self) -> &[u8] {
        &self.algorithm
    }

    /// The content of the key's BIT STRING, without the count of unused bits.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

/// An uncompressed point: 0x04 and both coordinates.
fn check_point(bits: &[u8], coordinates: usize) -> Option<()> {
    (bits.first() == Some(&4) && bits.len() == coordinates + 1).then_some(())
}

fn check_ed25519(bits: &[u8]) -> Result<(), RequestError> {
    let bytes: &[u8; 32] = bits
        .try_into()
        .map_err(|_| RequestError::Encoding(KeyType::Ed25519))?;
    strict_ed25519(bytes)
        .map(|_| ())
        .ok_or(RequestError::WeakPoint)
}

fn check_rsa(bits: &[u8]) -> Result<(), RequestError> {
    let malformed = |_| RequestError::Encoding(KeyType::Rsa);
    let mut reader = SliceReader::new(bits).map_err(malformed)?;
    let (modulus, exponent) = reader
        .sequence(|r| -> der::Result<_> { Ok((UintRef::decode(r)?, UintRef::decode(r)?)) })
        .map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    let (modulus, exponent) = (modulus.as_bytes(), exponent.as_bytes());
    let leading = modulus.first().map_or(0, |b| b.leading_zeros() as usize);
    let length = (modulus.len() * 8).saturating_sub(leading);
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|b| b & 1 == 1);
    if !(2048..=4096).contains(&length) || !odd(modulus) {
        return Err(RequestError::RsaModulus(length));
    }
    let value = exponent
        .iter()
        .try_fold(0u64, |sum, b| Some(sum.checked_mul(256)? + u64::from(*b)));
    match value {
        Some(e) if odd(exponent) && (65_537..1 << 33).contains(&e) => Ok(()),
        _ => Err(RequestError::RsaExponent),
    }
}

/// A PKCS#10 request whose self-signature is yet to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key that it asks a certificate for.
    pub key: PublicKey,
    /// What was signed: the CertificationRequestInfo, DER.
    pub signed: Vec<u8>,
    /// The content of the signature's AlgorithmIdentifier (without tag and length).
    pub signature_algorithm: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Request {
    /// Reads a request in DER: the outermost structure exactly to its end, the key strictly, and names and attributes, which
    /// mean nothing here, only as far as their lengths.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_der(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > LONGEST_REQUEST {
            return Err(RequestError::TooLong);
        }
        let bad = |_| RequestError::NotPkcs10;
        let mut reader = SliceReader::new(bytes).map_err(bad)?;
        let (signed, algorithm, signature) = reader
            .sequence(|r| -> der::Result<_> {
                Ok((r.tlv_bytes()?, AnyRef::decode(r)?, BitStringRef::decode(r)?))
            })
            .map_err(bad)?;
        reader.finish().map_err(bad)?;
        let mut reader = SliceReader::new(signed).map_err(bad)?;
        let (version, subject, spki) = reader
            .sequence(|r| -> der::Result<_> {
                let head = (u8::decode(r)?, AnyRef::decode(r)?, r.tlv_bytes()?);
                while !r.is_finished() {
                    r.tlv_bytes()?;
                }
                Ok(head)
            })
            .map_err(bad)?;
        reader.finish().map_err(bad)?;
        let signature = signature.as_bytes().ok_or(RequestError::NotPkcs10)?;
        if version != 0 || subject.tag() != Tag::Sequence || algorithm.tag() != Tag::Sequence {
            return Err(RequestError::NotPkcs10);
        }
        Ok(Self {
            key: PublicKey::from_spki(spki)?,
            signed: signed.to_vec(),
            signature_algorithm: algorithm.value().to_vec(),
            signature: signature.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/../vectors/csr/{name}.der", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    #[test]
    fn every_kind_of_key_is_read() {
        for (name, kind) in [
            ("p256", KeyType::P256),
            ("p256_sha512", KeyType::P256),
            ("p384", KeyType::P384),
            ("ed25519", KeyType::Ed25519),
            ("rsa2048", KeyType::Rsa),
            ("rsa2048_pss", KeyType::Rsa),
            ("rsa4096", KeyType::Rsa),
            ("asks_for_everything", KeyType::P256),
        ] {
            let request = Request::from_der(&fixture(name)).unwrap();
            assert_eq!(request.key.kind(), kind, "{name}");
            assert_eq!(
                PublicKey::from_spki(request.key.spki()).as_ref(),
                Ok(&request.key)
            );
        }
    }

    /// BUGS 20: what a request asks for is not even kept.
    #[test]
    fn what_is_asked_beside_the_key_leaves_no_trace() {
        let (plain, greedy) = (fixture("p256"), fixture("asks_for_everything"));
        let (plain, greedy) = (
            Request::from_der(&plain).unwrap(),
            Request::from_der(&greedy).unwrap(),
        );
        assert_eq!(plain.key, greedy.key);
    }

    #[test]
    fn weak_and_unknown_keys_are_refused() {
        for (name, error) in [
            ("bad_rsa1024", RequestError::RsaModulus(1024)),
            ("bad_rsa2047", RequestError::RsaModulus(2047)),
            ("bad_rsa4104", RequestError::RsaModulus(4104)),
            ("bad_rsa_exponent3", RequestError::RsaExponent),
            (
                "bad_p521",
                RequestError::UnknownKeyType("1.3.132.0.35".into()),
            ),
            (
                "bad_secp256k1",
                RequestError::UnknownKeyType("1.3.132.0.10".into()),
            ),
            (
                "bad_ed448",
                RequestError::UnknownKeyType("1.3.101.113".into()),
            ),
            (
                "bad_explicit_curve",
                RequestError::UnknownKeyType(EC_PUBLIC_KEY.to_string()),
            ),
            ("bad_compressed", RequestError::Encoding(KeyType::P256)),
        ] {
            assert_eq!(Request::from_der(&fixture(name)), Err(error), "{name}");
        }
    }

    #[test]
    fn rsa_numbers_must_be_odd_and_the_exponent_large() {
        let spki = Request::from_der(&fixture("rsa2048"))
            .unwrap()
            .key
            .spki()
            .to_vec();
        let end = spki.len();
        for (exponent, good) in [
            ([1, 0, 1], true),
            ([1, 0, 3], true),
            ([1, 0, 0], false),
            ([0, 0xff, 0xff], false), // 65535 with a byte too many: not DER
            ([0x7f, 0xff, 0xff], true),
        ] {
            let mut other = spki.clone();
            other[end - 3..].copy_from_slice(&exponent);
            assert_eq!(PublicKey::from_spki(&other).is_ok(), good, "{exponent:?}");
        }
        let mut even = spki;
        even[end - 6] &= 0xfe; // the modulus ends before 02 03 01 00 01
        assert_eq!(
            PublicKey::from_spki(&even),
            Err(RequestError::RsaModulus(2048))
        );
    }

    #[test]
    fn points_of_the_wrong_length_or_of_small_order_are_refused() {
        for (name, kind) in [
            ("p256", KeyType::P256),
            ("p384", KeyType::P384),
            ("ed25519", KeyType::Ed25519),
        ] {
            let key = Request::from_der(&fixture(name)).unwrap().key;
            let parsed = SubjectPublicKeyInfoRef::from_der(key.spki()).unwrap();
            for length in [0, 1, key.bits().len() - 1] {
                let short = SubjectPublicKeyInfoRef {
                    algorithm: parsed.algorithm,
                    subject_public_key: BitStringRef::from_bytes(&key.bits()[..length]).unwrap(),
                };
                let error = PublicKey::from_spki(&short.to_der().unwrap()).unwrap_err();
                assert_eq!(error, RequestError::Encoding(kind));
            }
        }
        let mut identity = Request::from_der(&fixture("ed25519"))
            .unwrap()
            .key
            .spki()
            .to_vec();
        let at = identity.len() - 32;
        identity[at..].fill(0);
        identity[at] = 1;
        assert_eq!(
            PublicKey::from_spki(&identity),
            Err(RequestError::WeakPoint)
        );
    }

    /// Of the two encodings of one Ed25519 point, y = 3 and y = p + 3, only the canonical one is a key.
    #[test]
    fn a_second_encoding_of_a_point_is_refused() {
        let mut spki = Request::from_der(&fixture("ed25519"))
            .unwrap()
            .key
            .spki()
            .to_vec();
        let at = spki.len() - 32;
        spki[at..].fill(0xff);
        (spki[at], spki[at + 31]) = (0xed + 3, 0x7f);
        assert_eq!(PublicKey::from_spki(&spki), Err(RequestError::WeakPoint));
        spki[at..].fill(0);
        spki[at] = 3;
        assert!(PublicKey::from_spki(&spki).is_ok());
    }

    #[test]
    fn trailing_and_missing_bytes_are_refused() {
        for name in ["p256", "ed25519", "rsa2048"] {
            let bytes = fixture(name);
            for cut in 0..bytes.len() {
                assert!(Request::from_der(&bytes[..cut]).is_err(), "{name} {cut}");
            }
            assert!(Request::from_der(&[bytes.as_slice(), &[0]].concat()).is_err());
            let spki = Request::from_der(&bytes).unwrap().key.spki().to_vec();
            assert!(PublicKey::from_spki(&[spki.as_slice(), &[0]].concat()).is_err());
        }
        assert_eq!(
            Request::from_der(&vec![0x30; LONGEST_REQUEST + 1]),
            Err(RequestError::TooLong)
        );
    }
}
