//! `revocation-list`: the serials that one issuer revoked, signed by that issuer's note key. The file's name is the
//! issuer's. Within a log a list only grows: a new version begins with the serials of the one before, in their order.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FileError, text};
use crate::eddsa;
use crate::field::Fr;
use crate::vector::{self, Serial};

/// The most serials that one issuer may revoke in one log: with 20-byte serials, what fits a signed note.
pub const MAX_QUOTA: u32 = 20_000;

/// Body of a `revocation-list` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationList {
    /// The issuer's credential key, as in the issuer sets: with it the handles follow from the list alone, also when no
    /// issuer set names the issuer any more.
    #[serde(with = "text::hex")]
    pub issuer_key: [u8; 32],
    /// Revoked serials in the order in which they were revoked, as lower-case hex, big-endian, without leading zero bytes.
    #[serde(with = "serials")]
    pub serials: Vec<Serial>,
}

impl RevocationList {
    /// Whether this list is of the same key as `former` and begins with all of it.
    pub fn extends(&self, former: &Self) -> bool {
        self.issuer_key == former.issuer_key && self.serials.starts_with(&former.serials)
    }

    /// The handles that it revokes, in its order.
    ///
    /// # Errors
    /// [`FileError::RevocationList`] if the key does not decode, which that of no parsed list does.
    pub fn handles(&self) -> Result<Vec<u64>, FileError> {
        let key = self.key_digest()?;
        Ok(self
            .serials
            .iter()
            .map(|serial| vector::handle(key, serial))
            .collect())
    }

    fn key_digest(&self) -> Result<Fr, FileError> {
        eddsa::PublicKey::from_bytes(&self.issuer_key)
            .map(|key| key.digest())
            .map_err(|error| FileError::RevocationList(format!("the issuer's key: {error}")))
    }

    pub(super) fn check(&self) -> Result<(), FileError> {
        if self.serials.len() > MAX_QUOTA as usize {
            return Err(FileError::RevocationList(format!(
                "more than {MAX_QUOTA} serials"
            )));
        }
        self.key_digest()?;
        let mut seen = BTreeSet::new();
        for serial in &self.serials {
            if !seen.insert(serial.as_be_bytes()) {
                return Err(FileError::RevocationList(
                    "a serial stands twice".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

mod serials {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::vector::Serial;

    pub(super) fn serialize<S: Serializer>(
        serials: &[Serial],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            serials
                .iter()
                .map(|serial| data_encoding::HEXLOWER.encode(serial.as_be_bytes())),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Serial>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|text| {
                let bytes = data_encoding::HEXLOWER
                    .decode(text.as_bytes())
                    .map_err(de::Error::custom)?;
                Serial::from_be_bytes(&bytes).map_err(de::Error::custom)
            })
            .collect()
    }
}
