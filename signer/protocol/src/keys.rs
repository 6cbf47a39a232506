//! A node's keys: the two keys that it signs with under its own name, and its shares of the CA's keys.

use std::collections::BTreeMap;

use bauta_statement::{approval::ApprovalPublicKey, file::authority::sharing_id};
use ed25519_dalek::{SigningKey, VerifyingKey};
use frost_ed25519 as frost;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::messages::{GroupKey, SharedKey};

/// An Ed25519 key that may live in a token: the seam for PKCS#11.
pub trait Ed25519Key {
    /// Its public half.
    fn public_key(&self) -> [u8; 32];
    /// Signs `message` (RFC 8032, not pre-hashed).
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// A token or store that did not do its part.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The token refused or is gone.
    #[error("the signing key did not answer: {0}; check the token, then restart the signer")]
    Unavailable(String),
}

/// An approval key, of either kind, that may live in a token.
pub trait Approver {
    /// Its public half.
    fn approval_key(&self) -> ApprovalPublicKey;
    /// Signs `message`, so that [`ApprovalPublicKey::verify`] takes it.
    fn approve(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

impl<K: Ed25519Key> Approver for K {
    fn approval_key(&self) -> ApprovalPublicKey {
        ApprovalPublicKey::Ed25519(self.public_key())
    }

    fn approve(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.sign(message)
    }
}

impl Ed25519Key for SigningKey {
    fn public_key(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok(ed25519_dalek::Signer::sign(self, message).to_bytes())
    }
}

/// The keys of one node, each with one purpose (DESIGN section 5).
pub struct NodeKeys {
    /// Cosigns checkpoints of this CA's logs, and nothing else.
    pub cosignature: Box<dyn Ed25519Key + Send>,
    /// Signs what this node says to other signers (runs of key generation, resharing and repair; starts, welcomes) and
    /// authority files, and nothing else. They are told apart by their first bytes: a domain tag with its length in the
    /// messages, `bauta/v1/authority` and a line feed in the files.
    pub approval: Box<dyn Approver + Send>,
}

impl NodeKeys {
    /// Keys held in memory.
    pub fn in_memory(cosignature: SigningKey, approval: SigningKey) -> Self {
        Self {
            cosignature: Box::new(cosignature),
            approval: Box::new(approval),
        }
    }
}

impl core::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NodeKeys(redacted)")
    }
}

/// Checks an Ed25519 signature strictly (RFC 8032 with canonical encodings and no small-order points).
pub fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}

/// A signer's FROST identifier in one sharing of a key: its number in the key operation, from 1.
pub(crate) fn identifier(number: u16) -> Result<frost::Identifier, frost::Error> {
    frost::Identifier::try_from(number)
}

/// The public side of a CA key in one sharing: the group key and each participant's verifying share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicShares {
    /// The CA's Ed25519 public key.
    pub group_key: GroupKey,
    /// How many shares make a signature.
    pub threshold: u16,
    /// One per participant.
    pub shares: Vec<PublicShare>,
}

/// The public part of one participant's share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicShare {
    /// FROST identifier, from 1.
    pub identifier: u16,
    /// The signer's name.
    pub signer: String,
    /// Ed25519 point.
    pub share: [u8; 32],
}

/// A key whose public side does not hold together.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PublicSharesError {
    /// A share or the group key is no point of the prime-order group.
    #[error("{0} is not a valid Ed25519 element")]
    Element(String),
    /// The threshold fits no number of shares.
    #[error("threshold {threshold} of {shares} shares: it must be between 2 and their number")]
    Threshold {
        /// As given.
        threshold: u16,
        /// How many shares there are.
        shares: usize,
    },
}

impl PublicShares {
    /// The key, and which sharing of it this is.
    pub fn id(&self) -> SharedKey {
        let shares = self.shares.iter();
        SharedKey {
            group_key: self.group_key,
            sharing: sharing_id(
                &self.group_key,
                usize::from(self.threshold),
                shares.map(|one| (one.identifier, one.signer.as_str(), &one.share)),
            ),
        }
    }

    /// The share of this signer.
    pub fn of(&self, signer: &str) -> Option<&PublicShare> {
        self.shares.iter().find(|share| share.signer == signer)
    }

    /// As FROST wants it.
    pub fn to_frost(&self) -> Result<frost::keys::PublicKeyPackage, PublicSharesError> {
        let shares = self.shares.len();
        if usize::from(self.threshold) > shares || self.threshold < 2 {
            return Err(PublicSharesError::Threshold {
                threshold: self.threshold,
                shares,
            });
        }
        let mut verifying_shares = BTreeMap::new();
        for share in &self.shares {
            let bad =
                |_| PublicSharesError::Element(format!("the verifying share of {}", share.signer));
            verifying_shares.insert(
                identifier(share.identifier).map_err(bad)?,
                frost::keys::VerifyingShare::deserialize(&share.share).map_err(bad)?,
            );
        }
        let group_key = frost::VerifyingKey::deserialize(&self.group_key)
            .map_err(|_| PublicSharesError::Element("the group key".into()))?;
        Ok(frost::keys::PublicKeyPackage::new(
            verifying_shares,
            group_key,
            Some(self.threshold),
        ))
    }

    /// From FROST's form, for the numbered signers named.
    pub(crate) fn from_frost<'a>(
        package: &frost::keys::PublicKeyPackage,
        signers: impl Iterator<Item = (u16, &'a str)>,
        threshold: u16,
    ) -> Result<Self, frost::Error> {
        let shares = signers
            .map(|(number, name)| {
                let share = package
                    .verifying_shares()
                    .get(&identifier(number)?)
                    .ok_or(frost::Error::UnknownIdentifier)?;
                Ok(PublicShare {
                    identifier: number,
                    signer: name.into(),
                    share: array(&share.serialize()?)?,
                })
            })
            .collect::<Result<_, frost::Error>>()?;
        Ok(Self {
            group_key: array(&package.verifying_key().serialize()?)?,
            threshold,
            shares,
        })
    }
}

pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], frost::Error> {
    bytes
        .try_into()
        .map_err(|_| frost::Error::SerializationError)
}

/// A node's share of one CA key, in one sharing. It leaves this type only as bytes for sealing ([`KeyShare::to_bytes`]), and those are
/// zeroized on drop; at rest they are sealed by the node's process, never written as they are.
pub struct KeyShare {
    package: frost::keys::KeyPackage,
}

/// Bytes that are no key share.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("not a key share of FROST-Ed25519: the sealed file is damaged or of another program")]
pub struct NotAKeyShare;

impl KeyShare {
    pub(crate) fn new(package: frost::keys::KeyPackage) -> Self {
        Self { package }
    }

    pub(crate) fn package(&self) -> &frost::keys::KeyPackage {
        &self.package
    }

    /// The group key that this is a share of.
    pub fn group_key(&self) -> GroupKey {
        // An element that came out of the group serializes; the all-zero key of the other arm belongs to no group.
        self.package
            .verifying_key()
            .serialize()
            .ok()
            .and_then(|bytes| array(&bytes).ok())
            .unwrap_or([0; 32])
    }

    /// How many shares make a signature.
    pub fn threshold(&self) -> u16 {
        *self.package.min_signers()
    }

    /// Does this share belong to `name`, and is it the one whose public half is published? A share that was repaired
    /// or restored is compared so before it is used (PKCS11-FROST: a wrong share is not noticed by the crate).
    pub fn matches(&self, name: &str, public: &PublicShares) -> bool {
        let own = frost::keys::VerifyingShare::from(*self.package.signing_share()).serialize();
        public.group_key == self.group_key()
            && public.threshold == self.threshold()
            && public.of(name).is_some_and(|published| {
                identifier(published.identifier).is_ok_and(|id| id == *self.package.identifier())
                    && own.is_ok_and(|own| own == published.share)
            })
    }

    /// The secret, for sealing.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, NotAKeyShare> {
        self.package
            .serialize()
            .map(Zeroizing::new)
            .map_err(|_| NotAKeyShare)
    }

    /// Reads what [`Self::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAKeyShare> {
        let package = frost::keys::KeyPackage::deserialize(bytes).map_err(|_| NotAKeyShare)?;
        let share = Self { package };
        // Trailing bytes, and a public half that is not of this secret, do not come back the same.
        let own = frost::keys::VerifyingShare::from(*share.package.signing_share());
        if own != *share.package.verifying_share() || share.to_bytes()?.as_slice() != bytes {
            return Err(NotAKeyShare);
        }
        Ok(share)
    }
}

impl core::fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "KeyShare(redacted)")
    }
}
