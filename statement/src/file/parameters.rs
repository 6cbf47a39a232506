//! `parameters`: the verifying key of each relation, by digest and length; the keys themselves are objects of the log.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FileError, text};
use crate::note::Digest;
use crate::policy::RelationName;

/// The name that every parameters file has.
pub const NAME: &str = "parameters";
/// The longest verifying key that is taken: a point per input, at 32 bytes each, with room to spare.
pub const MAX_VERIFYING_KEY_BYTES: u32 = 65_536;

/// Body of a `parameters` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// One per relation.
    pub relations: Vec<RelationParameters>,
}

/// Verifying key of one relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationParameters {
    /// The relation's name.
    pub relation: RelationName,
    /// SHA-256 of the encoded verifying key, which lies under `objects/<sha256>`.
    #[serde(with = "text::hex")]
    pub verifying_key: Digest,
    /// Its length in bytes.
    pub length: u32,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Where a parameter set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Made from a fixed public seed: anyone can forge proofs under it.
    Development,
    /// Made by a multi-party ceremony.
    Ceremony,
}

impl Parameters {
    /// Verifying-key digest of a relation.
    pub fn verifying_key(&self, relation: RelationName) -> Option<&RelationParameters> {
        self.relations.iter().find(|one| one.relation == relation)
    }

    pub(super) fn check(&self, name: &str) -> Result<(), FileError> {
        let wrong = |what: &str| Err(FileError::Parameters(what.to_owned()));
        if name != NAME {
            return wrong("its name is not \"parameters\"");
        }
        let mut relations = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for one in &self.relations {
            if !relations.insert(one.relation) {
                return wrong("a relation stands twice");
            }
            if !keys.insert(one.verifying_key) {
                return wrong("two relations share a verifying key");
            }
            if one.length == 0 || one.length > MAX_VERIFYING_KEY_BYTES {
                return wrong("a verifying key's length is out of bounds");
            }
        }
        if self.relations.is_empty() {
            return wrong("no relation is there");
        }
        Ok(())
    }
}
