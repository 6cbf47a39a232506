//! Keys of signed notes: the log's (Ed25519, type 0x01) and its cosigners' (`cosignature/v1`, type 0x04).
//!
//! The two are distinct types, because a signature of one kind must never be taken for the other. Written forms are C2SP
//! signed-note's verifier keys, `<name>+<id>+<base64(type ‖ key)>`, and Go's signer keys, `PRIVATE+KEY+<name>+<id>+<base64(type
//! ‖ seed)>`; the id is the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// Why a written key was refused. Messages never contain key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form of a key.
    #[error(
        "not a note key; a verifier key is `name+id+base64`, a signer key begins with `PRIVATE+KEY+`"
    )]
    Malformed,
    /// The name is empty, or has a space, a plus or a control character.
    #[error(
        "a key's name must be non-empty, without spaces, `+` or control characters (a schema-less URL, for instance)"
    )]
    BadName,
    /// Another type of key than is wanted here.
    #[error(
        "a key of type {found:#04x} stands where one of type {expected:#04x} is wanted (0x01 is a log's, 0x04 a cosigner's)"
    )]
    WrongType {
        /// Type byte wanted.
        expected: u8,
        /// Type byte found.
        found: u8,
    },
    /// The id is not that of name and key.
    #[error("the key's id does not belong to its name and key; it was mistyped or altered")]
    WrongId,
    /// The bytes are no Ed25519 public key, or one of small order, under which anything verifies.
    #[error("not a usable Ed25519 public key")]
    BadPoint,
}

const LOG: u8 = 0x01;
const COSIGNATURE: u8 = 0x04;

/// What both kinds of verifier key are made of.
#[derive(Clone, PartialEq, Eq)]
struct NoteKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

fn check_name(name: &str) -> Result<(), KeyError> {
    if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
        return Err(KeyError::BadName);
    }
    Ok(())
}

impl NoteKey {
    fn new(kind: u8, name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        check_name(name)?;
        // A second encoding of a point (y at or above the field's order) would be a second name for one key; a key of small
        // order verifies much. `as_bytes` gives back what was read, so the point is encoded anew.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(KeyError::BadPoint);
        }
        let id = signed_note::key_id(name, &[&[kind][..], key.as_bytes()].concat());
        Ok(NoteKey {
            name: name.to_owned(),
            id,
            key,
        })
    }

    fn parse(kind: u8, text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(written)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Malformed);
        };
        let data = BASE64
            .decode(written.as_bytes())
            .map_err(|_| KeyError::Malformed)?;
        let (&found, key) = data.split_first().ok_or(KeyError::Malformed)?;
        if found != kind {
            return Err(KeyError::WrongType {
                expected: kind,
                found,
            });
        }
        let key: &[u8; 32] = key.try_into().map_err(|_| KeyError::Malformed)?;
        // A hash is cheaper than a point: what was mistyped or altered is refused before the point is read.
        check_name(name)?;
        if format!("{:08x}", signed_note::key_id(name, &data)) != id {
            return Err(KeyError::WrongId);
        }
        // The decoder of base64 takes padded pieces one after the other: only the one form is a key.
        if BASE64.encode(&data) != written {
            return Err(KeyError::Malformed);
        }
        let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::BadPoint)?;
        NoteKey::new(kind, name, key)
    }

    fn write(&self, kind: u8) -> String {
        let data = BASE64.encode(&[&[kind][..], self.key.as_bytes()].concat());
        format!("{}+{:08x}+{data}", self.name, self.id)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|s| self.key.verify_strict(message, &s).is_ok())
    }
}

fn parse_signer(kind: u8, text: &str) -> Result<(NoteKey, SigningKey), KeyError> {
    let rest = text
        .strip_prefix("PRIVATE+KEY+")
        .ok_or(KeyError::Malformed)?;
    let mut parts = rest.splitn(3, '+');
    let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    let data = Zeroizing::new(
        BASE64
            .decode(data.as_bytes())
            .map_err(|_| KeyError::Malformed)?,
    );
    let (&found, seed) = data.split_first().ok_or(KeyError::Malformed)?;
    if found != kind {
        return Err(KeyError::WrongType {
            expected: kind,
            found,
        });
    }
    let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::Malformed)?;
    let key = SigningKey::from_bytes(seed);
    let public = NoteKey::new(kind, name, key.verifying_key())?;
    if format!("{:08x}", public.id) != id {
        return Err(KeyError::WrongId);
    }
    if write_signer(kind, &public, &key).as_str() != text {
        return Err(KeyError::Malformed);
    }
    Ok((public, key))
}

fn write_signer(kind: u8, public: &NoteKey, key: &SigningKey) -> Zeroizing<String> {
    let seed = Zeroizing::new(key.to_bytes());
    let data = Zeroizing::new([&[kind][..], seed.as_slice()].concat());
    let data = Zeroizing::new(BASE64.encode(&data));
    Zeroizing::new(format!(
        "PRIVATE+KEY+{}+{:08x}+{}",
        public.name,
        public.id,
        data.as_str()
    ))
}

macro_rules! note_keys {
    ($kind:expr, $verifier:ident, $verifier_doc:literal, $signer:ident, $signer_doc:literal) => {
        #[doc = $verifier_doc]
        #[derive(Clone, PartialEq, Eq)]
        pub struct $verifier(NoteKey);

        impl $verifier {
            /// The key for this name and Ed25519 public key.
            ///
            /// # Errors
            /// [`KeyError::BadName`], [`KeyError::BadPoint`].
            pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, KeyError> {
                let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::BadPoint)?;
                NoteKey::new($kind, name, key).map(Self)
            }

            /// The key's name, as in its signature lines.
            pub fn name(&self) -> &str {
                &self.0.name
            }

            /// The key's id, as in its signature lines.
            pub fn id(&self) -> u32 {
                self.0.id
            }

            /// The Ed25519 public key.
            pub fn public_key(&self) -> &[u8; 32] {
                self.0.key.as_bytes()
            }

            /// Whether `signature` is this key's over exactly `message`.
            pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
                self.0.verify(message, signature)
            }
        }

        impl fmt::Display for $verifier {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.write($kind))
            }
        }

        impl fmt::Debug for $verifier {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($verifier))
            }
        }

        impl FromStr for $verifier {
            type Err = KeyError;
            fn from_str(text: &str) -> Result<Self, KeyError> {
                NoteKey::parse($kind, text).map(Self)
            }
        }

        #[doc = $signer_doc]
        pub struct $signer {
            public: $verifier,
            key: SigningKey,
        }

        impl $signer {
            /// A new key from the caller's generator.
            ///
            /// # Errors
            /// [`KeyError::BadName`].
            pub fn generate(
                name: &str,
                rng: &mut (impl RngCore + CryptoRng),
            ) -> Result<Self, KeyError> {
                let mut seed = Zeroizing::new([0u8; 32]);
                rng.fill_bytes(seed.as_mut_slice());
                Self::from_seed(name, &seed)
            }

            /// The key of this RFC 8032 seed.
            ///
            /// # Errors
            /// [`KeyError::BadName`].
            pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
                let key = SigningKey::from_bytes(seed);
                let public = NoteKey::new($kind, name, key.verifying_key()).map($verifier)?;
                Ok(Self { public, key })
            }

            /// The written signer key. It is the secret itself: for a sealed file only.
            pub fn to_secret_string(&self) -> Zeroizing<String> {
                write_signer($kind, &self.public.0, &self.key)
            }

            /// The public side.
            pub fn verifier(&self) -> &$verifier {
                &self.public
            }

            pub(crate) fn sign_message(&self, message: &[u8]) -> [u8; 64] {
                self.key.sign(message).to_bytes()
            }
        }

        impl FromStr for $signer {
            type Err = KeyError;
            fn from_str(text: &str) -> Result<Self, KeyError> {
                let (public, key) = parse_signer($kind, text)?;
                Ok(Self {
                    public: $verifier(public),
                    key,
                })
            }
        }

        impl fmt::Debug for $signer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}, secret)", stringify!($signer), self.public)
            }
        }
    };
}

note_keys!(
    LOG,
    LogVerifier,
    "A log's verifier key (Ed25519, type 0x01). Its name is the log's origin.",
    LogSigner,
    "A log's signer key: secret, erased on drop, never to leave the service. One per origin."
);
note_keys!(
    COSIGNATURE,
    CosignatureVerifier,
    "A cosigner's verifier key (Ed25519 `cosignature/v1`, type 0x04).",
    CosignatureSigner,
    "A cosigner's signer key: secret, erased on drop, never to leave the signer. For one CA's logs alone."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_s_signer_key_signs_as_go_does() {
        // golang.org/x/mod/sumdb/note, TestSign.
        let signer: LogSigner =
            "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
                .parse()
                .unwrap();
        assert_eq!(
            signer.verifier().to_string(),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
        let text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let line = [
            &signer.verifier().id().to_be_bytes()[..],
            &signer.sign_message(text),
        ]
        .concat();
        assert_eq!(
            BASE64.encode(&line),
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
        );
    }

    #[test]
    fn keys_round_trip_and_kinds_stay_apart() {
        let log = LogSigner::from_seed("log.example", &[7; 32]).unwrap();
        let cosigner = CosignatureSigner::from_seed("log.example", &[7; 32]).unwrap();
        assert_ne!(log.verifier().id(), cosigner.verifier().id());
        assert_eq!(
            log.verifier().to_string().parse::<LogVerifier>().unwrap(),
            *log.verifier()
        );
        let again: CosignatureSigner = cosigner.to_secret_string().parse().unwrap();
        assert_eq!(again.verifier(), cosigner.verifier());
        assert_eq!(
            cosigner.verifier().to_string().parse::<LogVerifier>(),
            Err(KeyError::WrongType {
                expected: 1,
                found: 4
            })
        );
        assert!(!format!("{log:?}").contains(log.to_secret_string().rsplit('+').next().unwrap()));
    }

    /// The fuzz target `note_keys` demands it.
    #[test]
    fn a_key_has_one_form() {
        // y = 3 and y = p + 3 are of one point.
        let mut public = [0xff; 32];
        (public[0], public[31]) = (0xed + 3, 0x7f);
        let point = VerifyingKey::from_bytes(&public).unwrap();
        assert!(!point.is_weak() && point.to_bytes() == public);
        assert_eq!(LogVerifier::new("log", &public), Err(KeyError::BadPoint));
        assert!(LogVerifier::new("log", point.to_edwards().compress().as_bytes()).is_ok());
        // Base64 in two padded pieces.
        let log = LogSigner::from_seed("log.example", &[7; 32]).unwrap();
        let pieces = |whole: &str, key: &[u8; 32]| {
            let (head, _) = whole.rsplit_once('+').unwrap();
            format!("{head}+AQ=={}", BASE64.encode(key))
        };
        let verifier = pieces(&log.verifier().to_string(), log.verifier().public_key());
        assert_eq!(verifier.parse::<LogVerifier>(), Err(KeyError::Malformed));
        let signer = pieces(&log.to_secret_string(), &[7; 32]);
        assert_eq!(signer.parse::<LogSigner>().err(), Some(KeyError::Malformed));
    }

    #[test]
    fn bad_keys_are_refused_by_name() {
        let good = LogSigner::from_seed("log.example", &[7; 32])
            .unwrap()
            .verifier()
            .to_string();
        assert_eq!(
            "log.example".parse::<LogVerifier>(),
            Err(KeyError::Malformed)
        );
        assert_eq!(
            good.replace("log.example", "log.exampl3")
                .parse::<LogVerifier>(),
            Err(KeyError::WrongId)
        );
        assert_eq!(
            good.replace("log.example", "").parse::<LogVerifier>(),
            Err(KeyError::BadName)
        );
        assert_eq!(
            good.replace("log.example", "a b").parse::<LogVerifier>(),
            Err(KeyError::BadName)
        );
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(LogVerifier::new("x", &identity), Err(KeyError::BadPoint));
    }
}
