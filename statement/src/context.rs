//! What a presentation is made for. The transcript absorbs all of it before any challenge is drawn, so a presentation is
//! worth nothing for another policy, challenge, audience, log or key (DESIGN 3.2).

use sha2::{Digest as _, Sha256};

/// The context of one presentation. Holder and verifier each build it from what they know themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// SHA-256 of the policy's signed text.
    pub policy_digest: [u8; 32],
    /// The challenge's nonce.
    pub nonce: [u8; 32],
    /// The challenge's expiry, Unix seconds.
    pub expiry: u64,
    /// The audience: the trust domain,
    pub trust_domain: String,
    /// and the CA's name as `authority` gives it.
    pub ca_name: String,
    /// The origin of the log that the entry goes to.
    pub log_origin: String,
    /// SHA-256 of the CSR's SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
}

impl Context {
    /// Every field under its label, in the order in which the transcript absorbs them.
    pub fn fields(&self) -> [(&'static [u8], Vec<u8>); 7] {
        [
            (b"policy-digest", self.policy_digest.to_vec()),
            (b"nonce", self.nonce.to_vec()),
            (b"expiry", self.expiry.to_be_bytes().to_vec()),
            (b"trust-domain", self.trust_domain.clone().into_bytes()),
            (b"ca-name", self.ca_name.clone().into_bytes()),
            (b"log-origin", self.log_origin.clone().into_bytes()),
            (b"spki-sha256", self.spki_sha256.to_vec()),
        ]
    }
}

/// SHA-256 of a SubjectPublicKeyInfo in DER, as the context names a key.
pub fn key_digest(spki: &[u8]) -> [u8; 32] {
    Sha256::digest(spki).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use merlin::Transcript;

    fn context() -> Context {
        Context {
            policy_digest: [1; 32],
            nonce: [2; 32],
            expiry: 3,
            trust_domain: "example.org".into(),
            ca_name: "Bauta".into(),
            log_origin: "log.example.org/2026h2".into(),
            spki_sha256: [4; 32],
        }
    }

    fn challenge(context: &Context) -> [u8; 32] {
        let mut transcript = Transcript::new(b"test");
        for (label, value) in context.fields() {
            transcript.append_message(label, &value);
        }
        let mut out = [0; 32];
        transcript.challenge_bytes(b"challenge", &mut out);
        out
    }

    #[test]
    fn each_bit_of_each_field_changes_the_challenge() {
        let expected = challenge(&context());
        let changes: [fn(&mut Context, u8, usize); 4] = [
            |c, bit, byte| c.policy_digest[byte] ^= bit,
            |c, bit, byte| c.nonce[byte] ^= bit,
            |c, bit, byte| c.spki_sha256[byte] ^= bit,
            |c, bit, byte| c.expiry ^= u64::from(bit) << (8 * (byte % 8)),
        ];
        for change in changes {
            // Miri interprets: there, a few bits of each field.
            for bit in (0..256).step_by(if cfg!(miri) { 127 } else { 1 }) {
                let mut other = context();
                change(&mut other, 1 << (bit % 8), bit / 8);
                assert_ne!(challenge(&other), expected);
            }
        }
        let texts: [fn(&mut Context) -> &mut String; 3] = [
            |c| &mut c.trust_domain,
            |c| &mut c.ca_name,
            |c| &mut c.log_origin,
        ];
        for text in texts {
            let mut other = context();
            text(&mut other).push('x');
            assert_ne!(challenge(&other), expected);
        }
        let mut moved = context();
        moved.trust_domain = "example.or".into();
        moved.ca_name = "gBauta".into();
        assert_ne!(challenge(&moved), expected);
    }
}
