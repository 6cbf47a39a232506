//! Signing keys in a token: Ed25519 for cosignatures, Ed25519 or P-256 for approvals and TLS. Every signature is verified before
//! it leaves: a token, or the process between, that answers with anything else is noticed here and not by a peer.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use bauta_signer_protocol::keys::{Approver, Ed25519Key, KeyError, verify_ed25519};
use bauta_statement::approval::{ApprovalPublicKey, in_lower_half};
use der::{Encode as _, asn1::UintRef};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::{
    client::{Token, unexpected},
    error::{Answer, Failure, TokenError, fail},
    wire::{Key, KeyKind, Reply, Request, Sign, bytes},
};

/// Whether a signature of 64 bytes (r ‖ s of P-256) is the key's.
pub(super) fn verify(kind: KeyKind, public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    match kind {
        KeyKind::Ed25519 => public
            .try_into()
            .ok()
            .zip(signature.try_into().ok())
            .is_some_and(|(public, signature)| verify_ed25519(public, message, signature)),
        KeyKind::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(message, signature)
            .is_ok(),
        KeyKind::Aes | KeyKind::Ecdh => false,
    }
}

/// A key that signs in the token.
pub(super) struct TokenKey {
    token: Arc<Token>,
    key: Key,
    public: Vec<u8>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TokenKey").field(&self.key).finish()
    }
}

impl TokenKey {
    pub(super) fn new(token: Arc<Token>, key: Key, public: Vec<u8>) -> Self {
        Self { token, key, public }
    }

    /// Signs something that means nothing.
    pub(super) fn try_out(&self) -> Answer<()> {
        self.signature(b"bauta/v1/test-of-a-new-key\n").map(drop)
    }

    /// 64 bytes, verified.
    fn signature(&self, message: &[u8]) -> Answer<[u8; 64]> {
        let request = Request::Sign(Sign {
            key: self.key.clone(),
            message: bytes(message),
        });
        let Reply::Signature(signature) = self.token.call(&request)? else {
            return Err(unexpected());
        };
        match <[u8; 64]>::try_from(signature.as_slice()) {
            Ok(signature) if verify(self.key.kind, &self.public, message, &signature) => {
                Ok(signature)
            }
            _ => fail(
                Failure::Refused,
                format!(
                    "its signature does not verify under the public key of {:?}",
                    super::wire::text(&self.key.label)
                ),
            ),
        }
    }
}

impl Ed25519Key for TokenKey {
    fn public_key(&self) -> [u8; 32] {
        // Of an Ed25519 key, which alone is used so ([`super::keys`]).
        self.public.as_slice().try_into().unwrap_or_default()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok(self.signature(message)?)
    }
}

/// A P-256 key as an approval key.
pub(super) struct P256Approval {
    key: TokenKey,
    public: ApprovalPublicKey,
}

impl P256Approval {
    pub(super) fn new(key: TokenKey) -> Answer<Self> {
        match ApprovalPublicKey::from_sec1(&key.public) {
            Some(public) => Ok(Self { key, public }),
            None => fail(Failure::Refused, "its P-256 key is no point of the curve"),
        }
    }
}

impl Approver for P256Approval {
    fn approval_key(&self) -> ApprovalPublicKey {
        self.public
    }

    fn approve(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok(in_lower_half(self.key.signature(message)?))
    }
}

/// A token's key as a TLS identity's.
#[derive(Debug, Clone)]
pub(super) struct TlsKey(Arc<TokenKey>);

impl TlsKey {
    pub(super) fn new(key: TokenKey) -> Self {
        Self(Arc::new(key))
    }

    /// As X.509 and TLS have signatures.
    fn sign(&self, message: &[u8]) -> Answer<Vec<u8>> {
        let signature = self.0.signature(message)?;
        match self.0.key.kind {
            KeyKind::Ed25519 => Ok(signature.to_vec()),
            _ => in_der(&signature)
                .map_err(|error| TokenError::new(Failure::Refused, error.to_string())),
        }
    }
}

/// r ‖ s as ECDSA-Sig-Value (RFC 3279).
fn in_der(signature: &[u8; 64]) -> der::Result<Vec<u8>> {
    #[derive(der::Sequence)]
    struct EcdsaSigValue<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    let (r, s) = signature.split_at(32);
    EcdsaSigValue {
        r: UintRef::new(r)?,
        s: UintRef::new(s)?,
    }
    .to_der()
}

impl rcgen::PublicKeyData for TlsKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.0.key.kind {
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl rcgen::SigningKey for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        // rcgen's error has no room for the token's words; those are said when the new key signs the first time ([`TokenKey::try_out`]).
        self.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl rustls::sign::SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&rustls::sign::Signer::scheme(self))
            .then(|| Box::new(self.clone()) as Box<dyn rustls::sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.key.kind {
            KeyKind::Ed25519 => SignatureAlgorithm::ED25519,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl rustls::sign::Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.sign(message)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        match self.0.key.kind {
            KeyKind::Ed25519 => SignatureScheme::ED25519,
            _ => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{
            ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        },
    };

    use super::*;

    #[test]
    fn a_signature_of_p256_is_the_same_in_der() {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = key.public_key().as_ref();
        // Enough of them that r and s are seen with and without a leading zero.
        for number in 0..600_u32 {
            let message = number.to_be_bytes();
            let signature: [u8; 64] = key
                .sign(&random, &message)
                .unwrap()
                .as_ref()
                .try_into()
                .unwrap();
            assert!(verify(KeyKind::P256, public, &message, &signature));
            assert!(!verify(KeyKind::P256, public, b"another", &signature));
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public)
                .verify(&message, &in_der(&signature).unwrap())
                .unwrap();
        }
    }

    #[test]
    fn a_signature_that_does_not_verify_never_leaves() {
        let right = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let public = right.verifying_key().to_bytes().to_vec();
        let signs = |message: &'static [u8]| {
            let right = right.clone();
            crate::token::fake::token(move |_| {
                let signature = ed25519_dalek::Signer::sign(&right, message);
                Reply::Signature(bytes(signature.to_bytes()))
            })
        };
        let sign = |token: &Arc<Token>| {
            let key = crate::token::objects::key(KeyKind::Ed25519, "label");
            Ed25519Key::sign(
                &TokenKey::new(token.clone(), key, public.clone()),
                b"message",
            )
        };
        let (_folder, honest) = signs(b"message");
        assert!(sign(&honest).is_ok());
        let (_folder, another) = signs(b"another message");
        assert!(sign(&another).is_err());
        let (_folder, short) = crate::token::fake::token(|_| Reply::Signature(bytes([0; 63])));
        assert!(sign(&short).is_err());
        let (_folder, off) = crate::token::fake::token(|_| Reply::Done);
        assert!(sign(&off).is_err());
    }
}
