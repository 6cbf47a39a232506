//! Keys by which signers approve: what comes of a key generation, and what they say to each other. Ed25519 where the signer's token
//! has it, ECDSA P-256 where it has not. Both are note keys (<https://c2sp.org/signed-note>, types 0x01 and 0x02), both sign
//! in 64 bytes.
use std::fmt;

use data_encoding::BASE64;
use p256::ecdsa::signature::Verifier as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use signed_note::Verifier;

use crate::note::{ED25519, KeyError, NoteKey, SigningParty, check_name, sha256, strict_ed25519};

/// Signature type of an ECDSA note signature: ASN.1 DER, over SHA-256 of the text; the key is a DER SubjectPublicKeyInfo, and the
/// first four bytes of its SHA-256 are the key id.
pub const ECDSA: u8 = 0x02;

/// The public half of an approval key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovalPublicKey {
    /// RFC 8032.
    Ed25519([u8; 32]),
    /// A compressed point (SEC 1).
    P256([u8; 33]),
}

/// An ECDSA P-256 signature r ‖ s with s in the lower half: of the two that any signer can make of one, the one that counts. What is
/// no signature comes back as it is.
pub fn in_lower_half(signature: [u8; 64]) -> [u8; 64] {
    p256::ecdsa::Signature::from_slice(&signature)
        .ok()
        .and_then(|signature| signature.normalize_s())
        .map_or(signature, |lower| lower.to_bytes().into())
}

impl ApprovalPublicKey {
    /// The key at a P-256 point (SEC 1, compressed or not).
    pub fn from_sec1(point: &[u8]) -> Option<Self> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
        let point = key.to_encoded_point(true);
        point.as_bytes().try_into().ok().map(Self::P256)
    }

    /// Whether `signature` is this key's over `message`: Ed25519 by the strict rule, ECDSA as r ‖ s over SHA-256 with s in the lower
    /// half, so that nobody makes a second signature of one.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::Ed25519(key) => strict_ed25519(key).is_some_and(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(message, &signature).is_ok()
            }),
            Self::P256(key) => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key);
                let signature = p256::ecdsa::Signature::from_slice(signature);
                key.ok()
                    .zip(signature.ok())
                    .is_some_and(|(key, signature)| {
                        signature.normalize_s().is_none() && key.verify(message, &signature).is_ok()
                    })
            }
        }
    }

    /// The bytes: 32 of an Ed25519 key, 33 of a P-256 point.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key,
            Self::P256(key) => key,
        }
    }

    /// The SubjectPublicKeyInfo, DER (RFC 8410, RFC 5480).
    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [ED25519_SPKI, key].concat(),
            // A point that is none has no key, and was refused.
            Self::P256(point) => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(|key| [P256_SPKI, key.to_encoded_point(false).as_bytes()].concat())
                .unwrap_or_default(),
        }
    }

    /// A signature as it stands in a note's line: of ECDSA in DER.
    pub fn note_signature(&self, signature: &[u8; 64]) -> Vec<u8> {
        match self {
            Self::Ed25519(_) => signature.to_vec(),
            // Zero is no r or s; then the line verifies as little as the signature does.
            Self::P256(_) => p256::ecdsa::Signature::from_slice(signature)
                .map(|signature| signature.to_der().as_bytes().to_vec())
                .unwrap_or_default(),
        }
    }

    /// The signature in a note's line, if that is its one encoding.
    fn of_note(&self, line: &[u8]) -> Option<[u8; 64]> {
        match self {
            Self::Ed25519(_) => line.try_into().ok(),
            Self::P256(_) => {
                let signature = p256::ecdsa::Signature::from_der(line).ok()?;
                let bytes: [u8; 64] = signature.to_bytes().into();
                (self.note_signature(&bytes) == line).then_some(bytes)
            }
        }
    }
}

/// An approval key with its name.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalKey {
    name: String,
    id: u32,
    public: ApprovalPublicKey,
}

impl ApprovalKey {
    /// A key from its name and its public half.
    ///
    /// # Errors
    /// [`KeyError::Name`] and [`KeyError::Bytes`].
    pub fn new(name: &str, public: ApprovalPublicKey) -> Result<Self, KeyError> {
        match public {
            ApprovalPublicKey::Ed25519(key) => NoteKey::new(name, &key).map(Self::from),
            ApprovalPublicKey::P256(point) => {
                check_name(name)?;
                // SEC 1 has more than one compressed form; a key has one.
                if ApprovalPublicKey::from_sec1(&point) != Some(public) {
                    return Err(KeyError::Bytes);
                }
                Ok(Self {
                    name: name.to_owned(),
                    id: ecdsa_id(&public.spki()),
                    public,
                })
            }
        }
    }

    /// Reads a `vkey` string of type 0x01 or 0x02.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| KeyError::Form)?;
        let Some((&ECDSA, spki)) = bytes.split_first() else {
            return NoteKey::parse(text).map(Self::from);
        };
        check_name(name)?;
        if format!("{:08x}", ecdsa_id(spki)) != id {
            return Err(KeyError::Id);
        }
        let read = Self::new(name, p256_point(spki).ok_or(KeyError::Bytes)?)?;
        // Another encoding of the same key, or base64 in pieces.
        if read.to_string() != text {
            return Err(KeyError::Form);
        }
        Ok(read)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The public half.
    pub fn public(&self) -> ApprovalPublicKey {
        self.public
    }
}

/// An Ed25519 SubjectPublicKeyInfo (RFC 8410) up to its key, in DER.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// A P-256 SubjectPublicKeyInfo (RFC 5480) up to its uncompressed point, in DER.
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key in a SubjectPublicKeyInfo.
fn p256_point(spki: &[u8]) -> Option<ApprovalPublicKey> {
    let point = spki
        .strip_prefix(P256_SPKI)
        .filter(|point| point.len() == 65)?;
    ApprovalPublicKey::from_sec1(point)
}

fn ecdsa_id(spki: &[u8]) -> u32 {
    let [a, b, c, d, ..] = sha256(spki);
    u32::from_be_bytes([a, b, c, d])
}

impl From<NoteKey> for ApprovalKey {
    fn from(key: NoteKey) -> Self {
        Self {
            name: key.name().to_owned(),
            id: key.id(),
            public: ApprovalPublicKey::Ed25519(key.public()),
        }
    }
}

impl fmt::Display for ApprovalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = match &self.public {
            ApprovalPublicKey::Ed25519(key) => [&[ED25519], key.as_slice()].concat(),
            ApprovalPublicKey::P256(_) => [&[ECDSA], self.public.spki().as_slice()].concat(),
        };
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(&typed))
    }
}

impl fmt::Debug for ApprovalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ApprovalKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApprovalKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Verifier for ApprovalKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> u32 {
        self.id
    }
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = self.public.of_note(signature);
        signature.is_some_and(|signature| self.public.verify(message, &signature))
    }
}

impl SigningParty for ApprovalKey {
    fn public_bytes(&self) -> Vec<u8> {
        self.public.as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer as _;
    use p256::ecdsa::{Signature, SigningKey};

    use super::*;
    use crate::note::{NoteSigner, SignedNote, assemble};

    fn signer(seed: u8) -> (SigningKey, ApprovalPublicKey) {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let point = key.verifying_key().to_encoded_point(false);
        let public = ApprovalPublicKey::from_sec1(point.as_bytes()).unwrap();
        (key, public)
    }

    fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
        let signature: Signature = key.sign(message);
        in_lower_half(signature.to_bytes().into())
    }

    #[test]
    fn a_p256_key_reads_back_in_its_one_form() {
        let (_, public) = signer(1);
        let key = ApprovalKey::new("signer-1", public).unwrap();
        let text = key.to_string();
        assert_eq!(ApprovalKey::parse(&text).unwrap(), key);
        // By openssl, of the private key of thirty-two bytes 1, and by C2SP's rule: the id is the hash of the SPKI alone.
        assert_eq!(
            text,
            "signer-1+f857ae4e+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABG/wO5SSQc4drdQ1GeaWDgqFtBppoFwygQOqK84VlMoWPE91OlW/AdxT9sCwx+7ni0DG/30lqW4igrmJzvccFEo="
        );
        let wrong = [
            text.replace("signer-1+", "signer-1+0"),
            text.replace("signer-1", "signer 1"),
            text.replace("+AjBZ", "+AzBZ"),
            format!("{text}="),
            text[..text.len() - 4].to_owned(),
        ];
        for wrong in wrong {
            assert!(ApprovalKey::parse(&wrong).is_err(), "{wrong}");
        }
        // The same key with its point compressed is another text, and none.
        let ApprovalPublicKey::P256(point) = public else {
            unreachable!()
        };
        let spki = [P256_SPKI, point.as_slice()].concat();
        let typed = [&[ECDSA], spki.as_slice()].concat();
        let other = format!("signer-1+{:08x}+{}", ecdsa_id(&spki), BASE64.encode(&typed));
        assert!(ApprovalKey::parse(&other).is_err());
        // A point that is none.
        assert!(ApprovalKey::new("signer-1", ApprovalPublicKey::P256([5; 33])).is_err());
        assert!(ApprovalKey::new("signer-1", ApprovalPublicKey::Ed25519([0; 32])).is_err());
    }

    #[test]
    fn an_ed25519_key_is_the_note_key_that_it_was() {
        let note = NoteSigner::from_secret("signer-1", &[4; 32])
            .unwrap()
            .verifier();
        let key = ApprovalKey::from(note.clone());
        assert_eq!(key.to_string(), note.to_string());
        assert_eq!(ApprovalKey::parse(&note.to_string()).unwrap(), key);
        assert_eq!((key.name(), key.id()), (note.name(), note.id()));
        assert_eq!(key.public().as_bytes(), note.public());
    }

    #[test]
    fn an_ecdsa_signature_has_one_form() {
        let (key, public) = signer(1);
        let good = sign(&key, b"message");
        assert!(public.verify(b"message", &good));
        assert!(!public.verify(b"another", &good));
        assert!(!signer(2).1.verify(b"message", &good));
        // n − s verifies by ECDSA, and is not taken.
        let (r, s) = Signature::from_slice(&good).unwrap().split_scalars();
        let high = Signature::from_scalars(r, -s).unwrap();
        assert!(key.verifying_key().verify(b"message", &high).is_ok());
        let high_bytes: [u8; 64] = high.to_bytes().into();
        assert!(!public.verify(b"message", &high_bytes));
        assert_eq!(in_lower_half(high_bytes), good);
        assert!(!public.verify(b"message", &[0; 64]));
        // In a note's line: DER, and nothing after it.
        let named = ApprovalKey::new("signer-1", public).unwrap();
        let line = public.note_signature(&good);
        assert!(Verifier::verify(&named, b"message", &line));
        let mut longer = line.clone();
        longer.push(0);
        for wrong in [longer, good.to_vec(), high.to_der().as_bytes().to_vec()] {
            assert!(!Verifier::verify(&named, b"message", &wrong));
        }
    }

    #[test]
    fn a_note_counts_approvals_of_both_kinds() {
        let text = "approved\n";
        let (key, public) = signer(1);
        let named = ApprovalKey::new("signer-1", public).unwrap();
        let other = NoteSigner::from_secret("signer-2", &[4; 32]).unwrap();
        let line = |signature: &[u8]| {
            let bytes = [&named.id().to_be_bytes(), signature].concat();
            format!("\u{2014} signer-1 {}\n", BASE64.encode(&bytes))
        };
        let good = line(&public.note_signature(&sign(&key, text.as_bytes())));
        let lines = [good, other.signature_line(text)];
        let note = SignedNote::parse(&assemble(text, &lines).unwrap()).unwrap();
        let keys = [named.clone(), other.verifier().into()];
        assert_eq!(note.count(&keys), Ok(2));
        assert_eq!(note.count(&keys[..1]), Ok(1));
        let forged = line(&public.note_signature(&sign(&key, b"otherwise")));
        let note = SignedNote::parse(&assemble(text, &[forged]).unwrap()).unwrap();
        assert!(note.count(&keys).is_err());
    }
}
