//! Signature scheme 1: FROST-Ed25519 (RFC 9591) with preprocessed nonces, one round on line. The signature is an
//! ordinary RFC 8032 one.
//!
//! What the rest of the crate knows of a scheme is its number, its rounds, and bytes; a second scheme is a second file
//! like this one, beside it in `signing` and `sessions`.

use std::collections::{BTreeMap, BTreeSet};

use frost_ed25519 as frost;
use thiserror::Error;

use crate::{
    keys::{PublicShares, PublicSharesError, identifier, verify_ed25519},
    messages::{Commitment, FrostPackage},
};

/// The scheme's number in [`crate::messages::SignRequest`].
pub const FROST_ED25519: u8 = 1;

/// Why a session cannot go on.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum FrostError {
    /// A signer is named twice, or holds no share of the key.
    #[error("{0} is named twice or is no signer of this key")]
    Signer(String),
    /// A commitment is no element of the group.
    #[error("the nonce commitment of {0} is malformed")]
    Commitment(String),
    /// The key's public side does not hold together.
    #[error(transparent)]
    Public(#[from] PublicSharesError),
    /// Signature shares that do not verify; who sent them.
    #[error("bad signature shares from {culprits:?}")]
    Culprits {
        /// By name.
        culprits: Vec<String>,
    },
    /// The crate refused for another reason.
    #[error("FROST: {0}")]
    Frost(String),
    /// All shares verify and the signature does not: never seen, and never let out.
    #[error("the aggregate does not verify under the group key")]
    Signature,
}

fn other(error: frost::Error) -> FrostError {
    FrostError::Frost(error.to_string())
}

fn id_of(public: &PublicShares, signer: &str) -> Result<frost::Identifier, FrostError> {
    let share = public
        .of(signer)
        .ok_or_else(|| FrostError::Signer(signer.into()))?;
    identifier(share.identifier).map_err(other)
}

fn commitments(commitment: &Commitment) -> Result<frost::round1::SigningCommitments, frost::Error> {
    Ok(frost::round1::SigningCommitments::new(
        frost::round1::NonceCommitment::deserialize(&commitment.hiding)?,
        frost::round1::NonceCommitment::deserialize(&commitment.binding)?,
    ))
}

/// Is this a commitment that a session can use? Asked when it arrives, so that a malformed one stops no session.
pub(crate) fn is_sound(commitment: &Commitment) -> bool {
    commitments(commitment).is_ok()
}

/// The signing package of a session (RFC 9591 section 5.2) over `message`.
pub fn signing_package(
    package: &FrostPackage,
    public: &PublicShares,
    message: &[u8],
) -> Result<frost::SigningPackage, FrostError> {
    let mut all = BTreeMap::new();
    for signer in &package.signers {
        let id = id_of(public, &signer.name)?;
        let commitments = commitments(&signer.commitment)
            .map_err(|_| FrostError::Commitment(signer.name.clone()))?;
        if all.insert(id, commitments).is_some() {
            return Err(FrostError::Signer(signer.name.clone()));
        }
    }
    Ok(frost::SigningPackage::new(all, message))
}

/// Joins the shares; names every sender of a bad one. The result has been verified strictly (RFC 8032, canonical
/// encodings, no small order) under the group key.
pub fn aggregate(
    package: &FrostPackage,
    public: &PublicShares,
    message: &[u8],
    shares: &BTreeMap<String, Vec<u8>>,
) -> Result<[u8; 64], FrostError> {
    let frost_public = public.to_frost()?;
    let signing_package = signing_package(package, public, message)?;
    let mut culprits = BTreeSet::new();
    let mut names = BTreeMap::new();
    let mut decoded = BTreeMap::new();
    for (name, bytes) in shares {
        let id = id_of(public, name)?;
        names.insert(id, name.clone());
        match frost::round2::SignatureShare::deserialize(bytes) {
            Ok(share) => {
                decoded.insert(id, share);
            }
            Err(_) => {
                culprits.insert(name.clone());
            }
        }
    }
    if !culprits.is_empty() {
        // The others can be judged without the undecodable ones.
        for (id, share) in &decoded {
            let sound = frost_public
                .verifying_shares()
                .get(id)
                .is_some_and(|verifying| {
                    frost_core::verify_signature_share(
                        *id,
                        verifying,
                        share,
                        &signing_package,
                        frost_public.verifying_key(),
                    )
                    .is_ok()
                });
            if !sound {
                culprits.extend(names.get(id).cloned());
            }
        }
        return Err(FrostError::Culprits {
            culprits: culprits.into_iter().collect(),
        });
    }
    let signature = frost::aggregate_custom(
        &signing_package,
        &decoded,
        &frost_public,
        frost::CheaterDetection::AllCheaters,
    )
    .map_err(|error| {
        let culprits: Vec<String> = error
            .culprits()
            .iter()
            .filter_map(|id| names.get(id).cloned())
            .collect();
        if culprits.is_empty() {
            other(error)
        } else {
            FrostError::Culprits { culprits }
        }
    })?;
    let signature: [u8; 64] = signature
        .serialize()
        .map_err(other)?
        .try_into()
        .map_err(|_| FrostError::Signature)?;
    if !verify_ed25519(&public.group_key, message, &signature) {
        return Err(FrostError::Signature);
    }
    Ok(signature)
}
