//! What people read to each other before they trust a key: 160 bits, in groups that survive a telephone.
use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;

use super::authority::Signer;
use crate::note::sha256;

/// The first 160 bits of a SHA-256 over a domain tag and length-prefixed parts, written as eight groups of four letters
/// and digits (RFC 4648 base32). Nobody finds other keys with the same one: that would be a second preimage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 20]);

/// Text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 letters and digits (A to Z, 2 to 7), with spaces wherever you like")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// Of these parts, for one purpose.
    pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::new();
        for part in [domain.as_bytes()].iter().chain(parts) {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        let mut first = [0; 20];
        first
            .iter_mut()
            .zip(sha256(&bytes))
            .for_each(|(to, from)| *to = from);
        Self(first)
    }
}

impl Signer {
    /// Of a signer's name and all of its public keys: what its operator reads out, and the others compare with the
    /// authority file before they sign it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(
            "bauta/v1/signer-fingerprint",
            &[
                self.name.as_bytes(),
                self.cosignature.to_string().as_bytes(),
                &self.tls,
                self.approval.to_string().as_bytes(),
            ],
        )
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, letter) in BASE32_NOPAD.encode(&self.0).chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// As people type it: with or without spaces, in either case.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let letters: String = text
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        BASE32_NOPAD
            .decode(letters.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(NotAFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{CosignatureKey, NoteSigner};

    fn signer(seed: u8) -> Signer {
        let key = |seed| NoteSigner::from_secret("signer-1", &[seed; 32]).unwrap();
        let (cosignature, approval) = (key(seed), key(seed + 1));
        Signer {
            name: "signer-1".into(),
            cosignature: CosignatureKey::new("signer-1", &cosignature.verifier().public()).unwrap(),
            tls: [seed; 32],
            approval: approval.verifier().into(),
        }
    }

    #[test]
    fn it_changes_with_the_name_and_each_key() {
        let one = signer(1);
        let other = signer(9);
        let all = [
            one.clone(),
            Signer {
                name: "signer-2".into(),
                ..one.clone()
            },
            Signer {
                cosignature: other.cosignature,
                ..one.clone()
            },
            Signer {
                tls: other.tls,
                ..one.clone()
            },
            Signer {
                approval: other.approval,
                ..one
            },
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().map(Signer::fingerprint).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn it_is_read_as_people_type_it() {
        let fingerprint = signer(1).fingerprint();
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 32 + 7);
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(
            text.to_lowercase().replace(' ', "").parse(),
            Ok(fingerprint)
        );
        for bad in ["", &text[1..], "1", &format!("{text}A")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(NotAFingerprint), "{bad}");
        }
    }

    /// A part cannot lend its end to the next.
    #[test]
    fn parts_have_their_lengths() {
        assert_ne!(
            Fingerprint::of("d", &[b"ab", b"c"]),
            Fingerprint::of("d", &[b"a", b"bc"])
        );
        assert_ne!(Fingerprint::of("d", &[b"e"]), Fingerprint::of("de", &[]));
    }
}
