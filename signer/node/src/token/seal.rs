//! The token as a [`KeySeal`]: the data key is sealed under a key that the token does not let out, by AES-256-GCM in the token,
//! or, where the token has none, by ECDH with a key of the token and AES-256-GCM outside (as HPKE does it, with P-256).
//!
//! The signer's name and the key's label are bound to what is sealed, the token's serial number is not: a token that its vendor's
//! backup was restored to has another one.

use std::sync::Arc;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
    rand::SystemRandom,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    client::{Token, unexpected},
    error::{Answer, Failure, TokenError, fail},
    wire::{Agree, Key, KeyKind, Reply, Request, Seal, Secret, Unseal, bytes},
};
use crate::seal::{DataKey, KeySeal, SealError, SealKind};

/// Name of the sealed data key in a signer's key folder.
pub(super) const FILE: &str = "dek.token";
const AES_TAG: &[u8] = b"bauta/v1/dek/aes-256-gcm\n";
const ECDH_TAG: &[u8] = b"bauta/v1/dek/ecdh-p256\n";
/// An uncompressed point of P-256.
const POINT: usize = 65;

/// By what the data key is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealBy {
    /// AES-256-GCM in the token.
    AesGcm,
    /// P-256 ECDH in the token; HKDF-SHA-256 and AES-256-GCM outside.
    Ecdh,
}

impl SealBy {
    pub(super) fn kind(self) -> KeyKind {
        match self {
            Self::AesGcm => KeyKind::Aes,
            Self::Ecdh => KeyKind::Ecdh,
        }
    }
}

/// Seals under a token's key.
pub(super) struct TokenSeal {
    token: Arc<Token>,
    key: Key,
    /// The key's public half, where it has one.
    public: Vec<u8>,
    /// The signer's name.
    name: String,
}

impl TokenSeal {
    pub(super) fn new(token: Arc<Token>, key: Key, public: Vec<u8>, name: &str) -> Self {
        Self {
            token,
            key,
            public,
            name: name.to_owned(),
        }
    }

    /// What is bound to the sealed key.
    fn context(&self, tag: &[u8]) -> Vec<u8> {
        [
            tag,
            self.name.as_bytes(),
            b"\n",
            self.key.label.as_slice(),
            b"\n",
        ]
        .concat()
    }

    fn wrap_in_token(&self, data_key: &DataKey) -> Answer<Vec<u8>> {
        let request = Request::Seal(Seal {
            key: self.key.clone(),
            aad: self.context(AES_TAG).into(),
            secret: Secret::from(data_key.as_slice()),
        });
        match self.token.call(&request)? {
            Reply::Sealed(sealed) => {
                Ok([AES_TAG, sealed.iv.as_slice(), sealed.text.as_slice()].concat())
            }
            _ => Err(unexpected()),
        }
    }

    fn unwrap_in_token(&self, sealed: &[u8]) -> Answer<Zeroizing<Vec<u8>>> {
        let (iv, text) = sealed.split_first_chunk().ok_or_else(damaged)?;
        let request = Request::Unseal(Unseal {
            key: self.key.clone(),
            aad: self.context(AES_TAG).into(),
            iv: *iv,
            sealed: bytes(text),
        });
        secret(self.token.call(&request))
    }

    fn wrap_by_ecdh(&self, data_key: &DataKey) -> Answer<Vec<u8>> {
        let failed = |_| TokenError::new(Failure::Refused, "ECDH failed outside the token");
        let private =
            EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(failed)?;
        let point = private.compute_public_key().map_err(failed)?;
        let peer = UnparsedPublicKey::new(&ECDH_P256, &self.public);
        let key = agree_ephemeral(private, peer, aws_lc_rs::error::Unspecified, |shared| {
            self.derive(shared, point.as_ref())
        })
        .map_err(failed)?;
        let mut text = Zeroizing::new(data_key.to_vec());
        text.reserve_exact(AES_256_GCM.tag_len());
        key.seal_in_place_append_tag(once(), Aad::empty(), &mut *text)
            .map_err(failed)?;
        Ok([ECDH_TAG, point.as_ref(), text.as_slice()].concat())
    }

    fn unwrap_by_ecdh(&self, sealed: &[u8]) -> Answer<Zeroizing<Vec<u8>>> {
        let (point, text) = sealed.split_at_checked(POINT).ok_or_else(damaged)?;
        let request = Request::Agree(Agree {
            key: self.key.clone(),
            point: bytes(point),
        });
        let shared = secret(self.token.call(&request))?;
        let key = self.derive(&shared, point).map_err(|_| damaged())?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = key
            .open_in_place(once(), Aad::empty(), &mut text)
            .map_err(|_| damaged())?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// HKDF of what was agreed on, bound to both points, the signer and the key.
    fn derive(
        &self,
        shared: &[u8],
        ephemeral: &[u8],
    ) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
        let context = self.context(ECDH_TAG);
        let info = [context.as_slice(), ephemeral, &self.public];
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(shared)
            .expand(&info, HKDF_SHA256)?
            .fill(key.as_mut_slice())?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new)
    }
}

/// The key is of one ephemeral point, and seals once.
fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn secret(reply: Answer<Reply>) -> Answer<Zeroizing<Vec<u8>>> {
    match reply {
        Ok(Reply::Secret(secret)) => Ok(secret.0),
        Ok(_) => Err(unexpected()),
        Err(error) if error.failure() == Failure::Refused => fail(
            Failure::Refused,
            format!(
                "{error}; if the token is well, {FILE} was changed or is another signer's: restore it from its backup"
            ),
        ),
        Err(error) => Err(error),
    }
}

fn damaged() -> TokenError {
    TokenError::new(
        Failure::OtherToken,
        format!(
            "{FILE} was changed, or is another signer's or token's: restore it from its backup, or re-enrol this signer"
        ),
    )
}

impl KeySeal for TokenSeal {
    fn kind(&self) -> SealKind {
        SealKind::Token
    }

    fn file(&self) -> &'static str {
        FILE
    }

    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, SealError> {
        let sealed = match self.key.kind {
            KeyKind::Aes => self.wrap_in_token(key)?,
            _ => self.wrap_by_ecdh(key)?,
        };
        // A token that opens something else than it sealed is found out while nothing depends on it.
        if self.unwrap(&sealed)? != *key {
            return Err(
                TokenError::new(Failure::Unsupported, "it does not open what it sealed").into(),
            );
        }
        Ok(sealed)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, SealError> {
        let opened = match self.key.kind {
            KeyKind::Aes => {
                self.unwrap_in_token(wrapped.strip_prefix(AES_TAG).ok_or_else(damaged)?)
            }
            _ => self.unwrap_by_ecdh(wrapped.strip_prefix(ECDH_TAG).ok_or_else(damaged)?),
        }?;
        let mut key = DataKey::default();
        if opened.len() != key.len() {
            return Err(damaged().into());
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{fake, objects, wire::Sealed};

    #[test]
    fn a_token_that_does_not_open_what_it_sealed_is_found_out_at_once() {
        let opens = |opened: &'static [u8]| {
            fake::token(move |request| match request {
                Request::Seal(_) => Reply::Sealed(Sealed {
                    iv: [1; 12],
                    text: bytes([2; 48]),
                }),
                _ => Reply::Secret(Secret::from(opened)),
            })
        };
        let wrap = |token: &Arc<Token>| {
            let key = objects::key(KeyKind::Aes, "label");
            TokenSeal::new(token.clone(), key, Vec::new(), "one").wrap(&DataKey::new([7; 32]))
        };
        let (_folder, honest) = opens(&[7; 32]);
        assert!(wrap(&honest).is_ok());
        for wrong in [[8; 32].as_slice(), &[7; 31], &[]] {
            let (_folder, token) = opens(wrong);
            assert!(wrap(&token).is_err());
        }
    }
}
