//! `issuer-set`: the issuers whose credentials a policy accepts, each with its key, its schema, the key of its revocation
//! lists and how much it may revoke.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FileError, revocation_list::MAX_QUOTA, text};
use crate::eddsa;
use crate::field::Fr;
use crate::note::NoteKey;
use crate::vector::{self, Format};

/// The most issuers in a set: 4^5, the leaves of its tree.
pub const MAX_ISSUERS: usize = 1024;

/// Body of an `issuer-set` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSet {
    /// Its members, in any order.
    pub issuers: Vec<Issuer>,
}

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its name, the same in every set, and the name of its revocation lists.
    pub name: String,
    /// Format of its credentials.
    pub format: IssuerFormat,
    /// Its Baby Jubjub key, 32 bytes in circomlib's packing.
    #[serde(with = "text::hex")]
    pub public_key: [u8; 32],
    /// Its signature over its own key ([`eddsa::SigningKey::prove_possession`]): the circuit's incomplete additions rely on it.
    #[serde(with = "text::hex")]
    pub proof_of_possession: [u8; 64],
    /// Name of the schema that it signs under.
    pub schema: String,
    /// Key that signs its revocation lists.
    pub note_key: NoteKey,
    /// How many serials it may revoke in one log.
    pub revocation_quota: u32,
}

/// Credential formats whose issuers may stand in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerFormat {
    /// EdDSA-Poseidon over Baby Jubjub.
    Native,
}

impl IssuerFormat {
    /// The format's number in the vector's origin.
    pub fn format(self) -> Format {
        match self {
            Self::Native => Format::Native,
        }
    }
}

impl Issuer {
    /// The issuer's key, checked to be on the curve and in the subgroup.
    ///
    /// # Errors
    /// [`FileError::IssuerSet`].
    pub fn key(&self) -> Result<eddsa::PublicKey, FileError> {
        eddsa::PublicKey::from_bytes(&self.public_key)
            .map_err(|error| FileError::IssuerSet(format!("the key of {:?}: {error}", self.name)))
    }

    /// Slot 0 of the credentials that this issuer signs under a schema with this rule.
    ///
    /// # Errors
    /// [`FileError::IssuerSet`].
    pub fn origin(&self, schema_rule: Fr) -> Result<Fr, FileError> {
        Ok(vector::origin(
            self.format.format(),
            self.key()?.digest(),
            schema_rule,
        ))
    }
}

impl IssuerSet {
    pub(super) fn check(&self) -> Result<(), FileError> {
        let wrong = |what: String| Err(FileError::IssuerSet(what));
        if self.issuers.is_empty() || self.issuers.len() > MAX_ISSUERS {
            return wrong(format!("a set has 1 to {MAX_ISSUERS} issuers"));
        }
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for issuer in &self.issuers {
            if !text::is_name(&issuer.name) || !names.insert(&issuer.name) {
                return wrong(format!("{:?} stands twice or is no name", issuer.name));
            }
            let key = issuer.key()?;
            if !keys.insert(issuer.public_key) {
                return wrong(format!("{:?} shares its key with another", issuer.name));
            }
            if !text::is_name(&issuer.schema) {
                return wrong(format!("{:?} names no schema", issuer.name));
            }
            if issuer.revocation_quota > MAX_QUOTA {
                return wrong(format!(
                    "the quota of {:?} is above {MAX_QUOTA}",
                    issuer.name
                ));
            }
            let proved = eddsa::Signature::from_bytes(&issuer.proof_of_possession)
                .is_ok_and(|proof| key.verify_possession(&proof).is_ok());
            if !proved {
                return wrong(format!(
                    "{:?} has not proved possession of its key; let its desk make the proof again",
                    issuer.name
                ));
            }
        }
        Ok(())
    }
}
