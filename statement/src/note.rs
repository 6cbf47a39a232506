//! C2SP signed notes, the form of every signed file: Ed25519 keys as `vkey` and `skey` strings, signing, and the count
//! of known keys that signed a text. (<https://c2sp.org/signed-note>)
use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use signed_note::{Note, Verifier, Verifiers};
use zeroize::Zeroizing;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The most bytes that a signed note may have (the bound of `signed_note`, and of Bauta's signed files).
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// Signature type of a plain Ed25519 note signature.
pub const ED25519: u8 = 0x01;
/// Signature type of a timestamped Ed25519 cosignature (<https://c2sp.org/tlog-cosignature>).
pub const COSIGNATURE: u8 = 0x04;

/// Why a key string is no key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not `<name>+<8 hex digits>+<base64>`.
    #[error("malformed key string: it has the form <name>+<8 hex digits>+<base64>")]
    Form,
    /// The name is empty, or has a space or a plus.
    #[error("a key's name is not empty and has neither spaces nor '+'")]
    Name,
    /// The key is of another signature type.
    #[error("the key has signature type {found:#04x}, expected {expected:#04x}")]
    Algorithm {
        /// Type byte in the string.
        found: u8,
        /// Type byte that this place needs.
        expected: u8,
    },
    /// The bytes are no key of their type, or an Ed25519 key of small order.
    #[error("the key's bytes are no public key in use")]
    Bytes,
    /// The key id is not the hash of name and key.
    #[error("the key id does not fit the name and the key; copy the whole string again")]
    Id,
}

/// A verifier key (`vkey`) of one signature type: a name, a key id and an Ed25519 public key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey<const ALGORITHM: u8> {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// The key of an administrator, of an issuer's revocation lists, of a signer's approvals, or of the log.
pub type NoteKey = VerifierKey<ED25519>;
/// The key of a signer's cosignatures.
pub type CosignatureKey = VerifierKey<COSIGNATURE>;

/// A key whose bytes are its only encoding. Another encoding of the same point (y at or above the field's order 2^255 − 19)
/// would be a second name for one key; a key of small order verifies much. (The other double encoding, a sign on x = 0, is of
/// two points of small order.)
pub(crate) fn strict_ed25519(public: &[u8; 32]) -> Option<VerifyingKey> {
    let [first, middle @ .., last] = public;
    let reduced = *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff);
    let key = reduced.then(|| VerifyingKey::from_bytes(public).ok())??;
    (!key.is_weak()).then_some(key)
}

pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
        return Err(KeyError::Name);
    }
    Ok(())
}

impl<const ALGORITHM: u8> VerifierKey<ALGORITHM> {
    /// A key from its name and its 32 public bytes.
    ///
    /// # Errors
    /// [`KeyError::Name`] and [`KeyError::Bytes`].
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let key = strict_ed25519(public).ok_or(KeyError::Bytes)?;
        let mut typed = vec![ALGORITHM];
        typed.extend_from_slice(public);
        Ok(Self {
            name: name.to_owned(),
            id: signed_note::key_id(name, &typed),
            key,
        })
    }

    /// Reads a `vkey` string.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| KeyError::Form)?;
        let (&algorithm, public) = bytes.split_first().ok_or(KeyError::Form)?;
        if algorithm != ALGORITHM {
            return Err(KeyError::Algorithm {
                found: algorithm,
                expected: ALGORITHM,
            });
        }
        let public: &[u8; 32] = public.try_into().map_err(|_| KeyError::Bytes)?;
        // A hash is cheaper than a point: what was mistyped or altered is refused before the point is read.
        check_name(name)?;
        if format!("{:08x}", signed_note::key_id(name, &bytes)) != id {
            return Err(KeyError::Id);
        }
        // The decoder of base64 takes padded pieces one after the other: only the one form is a key.
        if BASE64.encode(&bytes) != key {
            return Err(KeyError::Form);
        }
        Self::new(name, public)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The 32 public bytes.
    pub fn public(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Whether `signature` (64 bytes) is this key's over `message`, by the strict rule of RFC 8032 that every
    /// implementation agrees on.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl<const ALGORITHM: u8> fmt::Display for VerifierKey<ALGORITHM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ALGORITHM];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(&typed))
    }
}

impl<const ALGORITHM: u8> fmt::Debug for VerifierKey<ALGORITHM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const ALGORITHM: u8> Serialize for VerifierKey<ALGORITHM> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const ALGORITHM: u8> Deserialize<'de> for VerifierKey<ALGORITHM> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Verifier for NoteKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> u32 {
        self.id
    }
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Self::verify(self, message, signature)
    }
}

/// An Ed25519 key that signs notes. Its secret is erased on drop.
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({}, secret)", self.name)
    }
}

impl NoteSigner {
    /// A fresh key with this name.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn generate(rng: &mut (impl RngCore + CryptoRng), name: &str) -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(secret.as_mut());
        Self::from_secret(name, &secret)
    }

    /// A key from its 32 secret bytes (RFC 8032's seed).
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_secret(name: &str, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(secret);
        NoteKey::new(name, &key.verifying_key().to_bytes())?;
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// Reads a `skey` string, `PRIVATE+KEY+<name>+<id>+<base64>`.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Form)?;
        let (name, rest) = rest.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let bytes = Zeroizing::new(BASE64.decode(key.as_bytes()).map_err(|_| KeyError::Form)?);
        let (&algorithm, secret) = bytes.split_first().ok_or(KeyError::Form)?;
        if algorithm != ED25519 {
            return Err(KeyError::Algorithm {
                found: algorithm,
                expected: ED25519,
            });
        }
        let secret: Zeroizing<[u8; 32]> =
            Zeroizing::new(secret.try_into().map_err(|_| KeyError::Bytes)?);
        let signer = Self::from_secret(name, &secret)?;
        if format!("{:08x}", signer.id()) != id {
            return Err(KeyError::Id);
        }
        if signer.to_skey().as_str() != text {
            return Err(KeyError::Form);
        }
        Ok(signer)
    }

    /// The `skey` string. It is the secret: keep it where secrets are kept.
    pub fn to_skey(&self) -> Zeroizing<String> {
        let mut typed = Zeroizing::new(vec![ED25519]);
        typed.extend_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64.encode(&typed));
        Zeroizing::new(format!(
            "PRIVATE+KEY+{}+{:08x}+{}",
            self.name,
            self.id(),
            *encoded
        ))
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The verifier key that belongs to it.
    pub fn verifier(&self) -> NoteKey {
        NoteKey {
            name: self.name.clone(),
            id: self.id(),
            key: self.key.verifying_key(),
        }
    }

    /// The signature line over `text` ("— name base64\n"), to be collected from several signers by [`assemble`].
    pub fn signature_line(&self, text: &str) -> String {
        let mut signature = self.id().to_be_bytes().to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(&signature))
    }

    fn id(&self) -> u32 {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(self.key.verifying_key().as_bytes());
        signed_note::key_id(&self.name, &typed)
    }
}

/// Why bytes are no signed note, or not one signed as it must be.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// The bytes are no signed note.
    #[error("not a signed note: text, a blank line, and lines \"— name signature\"")]
    Malformed,
    /// A signature that names a known key is wrong.
    #[error("the signature of {name} does not fit the text; it was changed after signing")]
    BadSignature {
        /// Name of the key.
        name: String,
    },
    /// Fewer of the known keys signed than must.
    #[error("{found} of {needed} needed signatures are there")]
    TooFew {
        /// Valid signatures by distinct known keys.
        found: usize,
        /// Signatures needed.
        needed: usize,
    },
}

/// A parsed signed note. Nothing about its signatures is known until [`SignedNote::require`].
#[derive(Debug)]
pub struct SignedNote {
    note: Note,
    text: String,
}

/// A key whose signatures are counted.
pub trait SigningParty: Verifier {
    /// Its public bytes: two keys that share them are one party.
    fn public_bytes(&self) -> Vec<u8>;
}

impl SigningParty for NoteKey {
    fn public_bytes(&self) -> Vec<u8> {
        self.public().to_vec()
    }
}

struct Known<'a, K>(&'a [K]);

impl<K: Verifier> Verifiers for Known<'_, K> {
    fn verifier(
        &self,
        name: &str,
        id: u32,
    ) -> Result<&dyn Verifier, signed_note::VerificationError> {
        self.0
            .iter()
            .find(|key| key.name() == name && key.key_id() == id)
            .map(|key| key as &dyn Verifier)
            .ok_or_else(|| signed_note::VerificationError::UnknownKey {
                name: name.to_owned(),
                id,
            })
    }
}

impl SignedNote {
    /// Reads a signed note of at most [`MAX_NOTE_BYTES`].
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::from_bytes(bytes).map_err(|_| NoteError::Malformed)?;
        let text = String::from_utf8(note.text().to_vec()).map_err(|_| NoteError::Malformed)?;
        Ok(Self { note, text })
    }

    /// The signed text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the signed text: the digest by which a file is named. It does not depend on who signed.
    pub fn digest(&self) -> Digest {
        sha256(self.text.as_bytes())
    }

    /// How many of `keys` signed.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a line that names one of `keys` is wrong.
    pub fn count<K: SigningParty>(&self, keys: &[K]) -> Result<usize, NoteError> {
        match self.note.verify(&Known(keys)) {
            Ok((verified, _)) => {
                // Two names over one public key are one signer.
                let mut publics: Vec<Vec<u8>> = verified
                    .iter()
                    .filter_map(|signature| {
                        keys.iter().find(|key| {
                            key.name() == signature.name() && key.key_id() == signature.id()
                        })
                    })
                    .map(SigningParty::public_bytes)
                    .collect();
                publics.sort_unstable();
                publics.dedup();
                Ok(publics.len())
            }
            Err(signed_note::NoteError::UnverifiedNote) => Ok(0),
            Err(signed_note::NoteError::InvalidSignature { name, .. }) => {
                Err(NoteError::BadSignature { name })
            }
            Err(_) => Err(NoteError::Malformed),
        }
    }

    /// Demands that at least `needed` of `keys` signed.
    ///
    /// # Errors
    /// [`NoteError::TooFew`] and [`NoteError::BadSignature`].
    pub fn require<K: SigningParty>(&self, keys: &[K], needed: usize) -> Result<(), NoteError> {
        let found = self.count(keys)?;
        if found < needed {
            return Err(NoteError::TooFew { found, needed });
        }
        Ok(())
    }
}

/// Signs `text` (which ends in a newline) with all of `signers`.
///
/// # Errors
/// [`NoteError::Malformed`] if the text has a control character, no last newline, or is too long.
pub fn sign(text: &str, signers: &[&NoteSigner]) -> Result<Vec<u8>, NoteError> {
    let lines: Vec<String> = signers
        .iter()
        .map(|signer| signer.signature_line(text))
        .collect();
    assemble(text, &lines)
}

/// A signed note from a text and signature lines that several signers made apart.
///
/// # Errors
/// [`NoteError::Malformed`] if text or a line is not well formed, or no line is there.
pub fn assemble(text: &str, lines: &[String]) -> Result<Vec<u8>, NoteError> {
    let mut note = format!("{text}\n");
    for line in lines {
        note.push_str(line);
    }
    let parsed = SignedNote::parse(note.as_bytes())?;
    if parsed.text() != text {
        return Err(NoteError::Malformed);
    }
    Ok(note.into_bytes())
}

/// The same note with the signatures of `signers` added (administrators sign one after the other).
///
/// # Errors
/// [`NoteError::Malformed`].
pub fn add_signatures(note: &[u8], signers: &[&NoteSigner]) -> Result<Vec<u8>, NoteError> {
    let parsed = SignedNote::parse(note)?;
    let mut out = note.to_vec();
    for signer in signers {
        // A key that signed already adds nothing.
        if parsed.count(&[signer.verifier()])? == 0 {
            out.extend_from_slice(signer.signature_line(parsed.text()).as_bytes());
        }
    }
    SignedNote::parse(&out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "bauta/v1/test\n\n{}\n";

    fn signer(seed: u8) -> NoteSigner {
        NoteSigner::from_secret(&format!("key-{seed}"), &[seed; 32]).unwrap()
    }

    #[test]
    fn keys_survive_their_strings() {
        let signer = signer(1);
        let again = NoteSigner::parse(&signer.to_skey()).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        let vkey = signer.verifier().to_string();
        assert_eq!(NoteKey::parse(&vkey).unwrap(), signer.verifier());
        // The crate that Go's sumdb/note was ported to reads the same strings.
        signed_note::StandardVerifier::new(&vkey).unwrap();
        signed_note::StandardSigner::new(&signer.to_skey()).unwrap();
        assert_eq!(
            CosignatureKey::parse(&vkey),
            Err(KeyError::Algorithm {
                found: 1,
                expected: 4
            })
        );
        let renamed = vkey.replacen("key-1", "key-2", 1);
        assert_eq!(NoteKey::parse(&renamed), Err(KeyError::Id));
    }

    /// The fuzz target `note_keys` demands it.
    #[test]
    fn a_key_has_one_form() {
        // y = 3 and y = p + 3 are of one point.
        let mut public = [0xff; 32];
        (public[0], public[31]) = (0xed + 3, 0x7f);
        let point = VerifyingKey::from_bytes(&public).unwrap();
        assert!(!point.is_weak() && point.to_bytes() == public);
        assert_eq!(NoteKey::new("key", &public), Err(KeyError::Bytes));
        let one = point.to_edwards().compress().to_bytes();
        assert!(one != public && NoteKey::new("key", &one).is_ok());
        // Base64 in two padded pieces.
        let signer = signer(1);
        for (whole, typed) in [
            (signer.verifier().to_string(), signer.verifier().public()),
            (signer.to_skey().to_string(), [1; 32]),
        ] {
            let (head, _) = whole.rsplit_once('+').unwrap();
            let pieces = format!("{head}+AQ=={}", BASE64.encode(&typed));
            assert!(NoteKey::parse(&whole).is_ok() || NoteSigner::parse(&whole).is_ok());
            assert_eq!(NoteKey::parse(&pieces).err(), Some(KeyError::Form));
            assert_eq!(NoteSigner::parse(&pieces).err(), Some(KeyError::Form));
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(NoteKey::new("weak", &identity), Err(KeyError::Bytes));
    }

    /// Every y from 2^255 − 39 on, with both signs, and some more: refused exactly if it is no point, of small order, or
    /// encoded anew as other bytes.
    #[test]
    fn the_strict_rule_is_what_encoding_anew_says() {
        let ends = (0xd9..=0xff).map(|first| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (first, 0x7f);
            bytes
        });
        let others = (0..=0xff).map(|first| {
            let mut bytes = [0; 32];
            bytes[0] = first;
            bytes
        });
        let mut taken = 0;
        for mut public in ends.chain(others) {
            for sign in [0, 0x80] {
                public[31] = (public[31] & 0x7f) | sign;
                let anew = VerifyingKey::from_bytes(&public).ok().filter(|key| {
                    !key.is_weak() && key.to_edwards().compress().as_bytes() == &public
                });
                assert_eq!(strict_ed25519(&public), anew, "{public:x?}");
                taken += usize::from(anew.is_some());
            }
        }
        assert!(taken > 200);
    }

    #[test]
    fn an_altered_key_string_is_refused_by_its_id() {
        // The point of y = 2 is none; the id is asked first.
        let mut public = [0; 32];
        public[0] = 2;
        assert_eq!(NoteKey::new("key", &public), Err(KeyError::Bytes));
        let typed = [&[ED25519][..], &public].concat();
        let key = BASE64.encode(&typed);
        let id = signed_note::key_id("key", &typed);
        let parse = |id| NoteKey::parse(&format!("key+{id:08x}+{key}")).err();
        assert_eq!(parse(id), Some(KeyError::Bytes));
        assert_eq!(parse(id ^ 1), Some(KeyError::Id));
    }

    #[test]
    fn signatures_are_counted_once_per_key() {
        let (a, b, c) = (signer(1), signer(2), signer(3));
        let keys = [a.verifier(), b.verifier(), c.verifier()];
        let note = sign(TEXT, &[&a, &a, &b]).unwrap();
        let parsed = SignedNote::parse(&note).unwrap();
        assert_eq!(parsed.count(&keys), Ok(2));
        assert_eq!(
            parsed.require(&keys, 3),
            Err(NoteError::TooFew {
                found: 2,
                needed: 3
            })
        );
        let note = add_signatures(&note, &[&c, &a]).unwrap();
        let parsed = SignedNote::parse(&note).unwrap();
        assert_eq!(parsed.require(&keys, 3), Ok(()));
        assert_eq!(parsed.count(&[signer(9).verifier()]), Ok(0));
        assert_eq!(parsed.text(), TEXT);
        assert_eq!(parsed.digest(), sha256(TEXT.as_bytes()));
    }

    #[test]
    fn one_key_under_two_names_counts_once() {
        let a = NoteSigner::from_secret("a", &[7; 32]).unwrap();
        let b = NoteSigner::from_secret("b", &[7; 32]).unwrap();
        let note = sign(TEXT, &[&a, &b]).unwrap();
        let keys = [a.verifier(), b.verifier()];
        assert_eq!(SignedNote::parse(&note).unwrap().count(&keys), Ok(1));
    }

    #[test]
    fn a_changed_text_is_a_bad_signature() {
        let a = signer(1);
        let note = String::from_utf8(sign(TEXT, &[&a]).unwrap()).unwrap();
        let forged = note.replace("{}", "[]");
        assert_eq!(
            SignedNote::parse(forged.as_bytes())
                .unwrap()
                .count(&[a.verifier()]),
            Err(NoteError::BadSignature {
                name: "key-1".into()
            })
        );
    }

    #[test]
    fn malformed_notes_are_refused() {
        for bad in ["", "text\n", "text\n\n", "a\tb\n\n\u{2014} x AAAAAAAA\n"] {
            assert_eq!(
                SignedNote::parse(bad.as_bytes()).err(),
                Some(NoteError::Malformed),
                "{bad:?}"
            );
        }
        assert!(sign("no newline", &[&signer(1)]).is_err());
    }
}
