//! Stateless challenges: the service authenticates what it gave out with a key of its own and stores only what was spent, so
//! nobody can fill its memory by asking (DESIGN 4). What the log later sees of a challenge is nonce and expiry.

use std::fmt;

use hmac::{Hmac, Mac};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use thiserror::Error;
use tls_codec::{
    DeserializeBytes as _, Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize,
};
use zeroize::Zeroizing;

/// The longest life of a challenge, in seconds; an entry whose time is earlier than this before the expiry is invalid.
pub const LONGEST_LIFE: u64 = 300;

/// The length of an encoded challenge in bytes.
pub const ENCODED_LENGTH: usize = 1 + 32 + 8 + 32 + 32;

const VERSION: u8 = 1;
const TAG: &[u8] = b"bauta/v1/challenge";

/// A challenge, as the service hands it out and as the holder sends it back.
#[derive(Clone, Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Challenge {
    version: u8,
    /// Random, and spent once.
    pub nonce: [u8; 32],
    /// Unix seconds; the last second at which it is good.
    pub expiry: u64,
    /// SHA-256 of the signed text of the policy it was asked for.
    pub policy_digest: [u8; 32],
    authenticator: [u8; 32],
}

/// Why a challenge is refused. Nothing is spent by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum ChallengeError {
    #[error("the challenge does not decode: send back the bytes that the service gave, unchanged")]
    Malformed,
    #[error("the challenge was not given by this service: ask it for a new one")]
    Forged,
    #[error("the challenge expired at {expiry} (Unix seconds), and it is {now}: ask for a new one")]
    Expired { expiry: u64, now: u64 },
    #[error("the challenge was given for another policy: ask for one for this policy")]
    OtherPolicy,
}

impl Challenge {
    /// The bytes that travel: [`ENCODED_LENGTH`] of them.
    pub fn encode(&self) -> Vec<u8> {
        // Writing fixed-length fields to a vector cannot fail.
        self.tls_serialize_detached().unwrap_or_default()
    }

    /// Reads a challenge; it is not yet authenticated.
    ///
    /// # Errors
    /// [`ChallengeError::Malformed`]: wrong length or version.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChallengeError> {
        match Self::tls_deserialize_exact_bytes(bytes) {
            Ok(challenge) if challenge.version == VERSION => Ok(challenge),
            _ => Err(ChallengeError::Malformed),
        }
    }
}

/// The service's challenge key. It stays in the service (its replicas share it) and is erased on drop.
pub struct ChallengeKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(redacted)")
    }
}

impl ChallengeKey {
    /// The key with these bytes, which must be random and used for nothing else.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh challenge for a policy. `life` in seconds, at most [`LONGEST_LIFE`] (more is shortened to it).
    pub fn issue(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        now: u64,
        life: u64,
        policy_digest: [u8; 32],
    ) -> Challenge {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let expiry = now.saturating_add(life.min(LONGEST_LIFE));
        let authenticator = self
            .mac(&nonce, expiry, &policy_digest)
            .finalize()
            .into_bytes()
            .into();
        Challenge {
            version: VERSION,
            nonce,
            expiry,
            policy_digest,
            authenticator,
        }
    }

    /// Checks that this service gave the challenge, for this policy, and that it is still good. Whether it was spent is the
    /// store's to say.
    ///
    /// # Errors
    /// [`ChallengeError`], by culprit. The authenticator is compared in constant time, and first.
    pub fn check(
        &self,
        challenge: &Challenge,
        now: u64,
        policy_digest: &[u8; 32],
    ) -> Result<(), ChallengeError> {
        self.mac(&challenge.nonce, challenge.expiry, &challenge.policy_digest)
            .verify_slice(&challenge.authenticator)
            .map_err(|_| ChallengeError::Forged)?;
        // A clock set back must not lengthen a challenge's life: the log refuses such an entry too.
        if now > challenge.expiry || challenge.expiry - now > LONGEST_LIFE {
            return Err(ChallengeError::Expired {
                expiry: challenge.expiry,
                now,
            });
        }
        if challenge.policy_digest != *policy_digest {
            return Err(ChallengeError::OtherPolicy);
        }
        Ok(())
    }

    /// HMAC-SHA-256 over tag and fields, all of fixed length.
    fn mac(&self, nonce: &[u8; 32], expiry: u64, policy_digest: &[u8; 32]) -> Hmac<Sha256> {
        let key: &[u8; 32] = &self.0;
        let mut block = Zeroizing::new([0u8; 64]);
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        // A key padded with zeros to the block length is the same HMAC key, and `new` of that length cannot fail.
        let mut mac = <Hmac<Sha256> as Mac>::new((&*block).into());
        for part in [TAG, &[VERSION], nonce, &expiry.to_be_bytes(), policy_digest] {
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    fn issued() -> (ChallengeKey, Challenge) {
        let key = ChallengeKey::new([7; 32]);
        let challenge = key.issue(&mut ChaCha20Rng::seed_from_u64(1), 1_000, 300, [9; 32]);
        (key, challenge)
    }

    #[test]
    fn good_until_its_expiry_and_only_then() {
        let (key, challenge) = issued();
        assert_eq!(challenge.expiry, 1_300);
        assert_eq!(key.check(&challenge, 1_000, &[9; 32]), Ok(()));
        assert_eq!(key.check(&challenge, 1_300, &[9; 32]), Ok(()));
        assert!(matches!(
            key.check(&challenge, 1_301, &[9; 32]),
            Err(ChallengeError::Expired { .. })
        ));
        assert!(matches!(
            key.check(&challenge, 999, &[9; 32]),
            Err(ChallengeError::Expired { .. })
        ));
        assert_eq!(
            key.check(&challenge, 1_000, &[8; 32]),
            Err(ChallengeError::OtherPolicy)
        );
        assert_eq!(
            ChallengeKey::new([8; 32]).check(&challenge, 1_000, &[9; 32]),
            Err(ChallengeError::Forged)
        );
    }

    #[test]
    fn a_life_is_at_most_five_minutes_and_nonces_differ() {
        let key = ChallengeKey::new([7; 32]);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (a, b) = (
            key.issue(&mut rng, 0, 9_999, [0; 32]),
            key.issue(&mut rng, 0, 9_999, [0; 32]),
        );
        assert_eq!(a.expiry, LONGEST_LIFE);
        assert_ne!(a.nonce, b.nonce);
    }

    #[test]
    fn each_changed_bit_is_refused() {
        let (key, challenge) = issued();
        let bytes = challenge.encode();
        assert_eq!(bytes.len(), ENCODED_LENGTH);
        assert_eq!(Challenge::decode(&bytes), Ok(challenge));
        // Miri interprets: there, a few bits of each field.
        for bit in (0..bytes.len() * 8).step_by(if cfg!(miri) { 61 } else { 1 }) {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let verdict = Challenge::decode(&bad).and_then(|c| key.check(&c, 1_000, &[9; 32]));
            assert!(verdict.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn trailing_and_missing_bytes_are_refused() {
        let bytes = issued().1.encode();
        let longer = [bytes.as_slice(), &[0]].concat();
        for bad in [&[][..], &bytes[..bytes.len() - 1], &longer] {
            assert_eq!(Challenge::decode(bad), Err(ChallengeError::Malformed));
        }
    }

    #[test]
    fn the_key_does_not_show() {
        assert_eq!(
            format!("{:?}", ChallengeKey::new([7; 32])),
            "ChallengeKey(redacted)"
        );
    }
}
