//! Approval keys of both kinds: in every simulated CA some signers have tokens without EdDSA, and approve by ECDSA P-256.

use bauta_signer_protocol::keys::{Approver, KeyError};
use bauta_statement::approval::{ApprovalPublicKey, in_lower_half};
use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::Signer as _;

pub(crate) enum ApprovalSecret {
    Ed25519(SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl ApprovalSecret {
    /// That of a signer by its number: of P-256 where that is even.
    pub(crate) fn of(number: usize, seed: &[u8; 32]) -> Self {
        if number.is_multiple_of(2) {
            Self::P256(p256::ecdsa::SigningKey::from_slice(seed).unwrap())
        } else {
            Self::Ed25519(SigningKey::from_bytes(seed))
        }
    }
}

impl Approver for ApprovalSecret {
    fn approval_key(&self) -> ApprovalPublicKey {
        match self {
            Self::Ed25519(key) => key.approval_key(),
            Self::P256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                ApprovalPublicKey::from_sec1(point.as_bytes()).unwrap()
            }
        }
    }

    fn approve(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        match self {
            Self::Ed25519(key) => key.approve(message),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(in_lower_half(signature.to_bytes().into()))
            }
        }
    }
}
