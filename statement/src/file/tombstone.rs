//! `tombstone`: retires the name of a policy, schema, issuer set or key operation for good, at once. The file's own name
//! is the retired one.
use serde::{Deserialize, Serialize};

use super::{FileError, Kind};

/// Body of a `tombstone` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// Type of the file whose name is retired.
    pub retires: Kind,
    /// Why, for whoever reads the log.
    pub reason: String,
}

impl Tombstone {
    pub(super) fn check(&self) -> Result<(), FileError> {
        match self.retires {
            Kind::Policy | Kind::Schema | Kind::IssuerSet | Kind::KeyOperation => Ok(()),
            Kind::Authority | Kind::RevocationList | Kind::Parameters | Kind::Tombstone => {
                Err(FileError::Tombstone(self.retires))
            }
        }
    }
}
