//! Who keeps backups of signers' shares. A signer's backup is its shares, encrypted to its custodian (an age recipient), and the
//! authority file is where a signer learns who that is. t backups of one sharing are the key: so no custodian may have t of them,
//! which the file's own check sees to, and the ledger over all versions of the file as long as a sharing is in force.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::authority::{Authority, MAX_SIGNERS};
use super::{FileError, text};

/// One who keeps backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custodian {
    /// Who: a person or a vault.
    pub name: String,
    /// To whom backups are encrypted: an age recipient (X25519, `age1…`).
    pub recipient: String,
    /// Whose backups it keeps.
    pub signers: Vec<String>,
}

/// Whether a text has the form of an X25519 recipient (C2SP age, Bech32): its checksum is tried by whoever encrypts to it.
fn is_recipient(text: &str) -> bool {
    const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    text.strip_prefix("age1")
        .is_some_and(|data| data.len() == 58 && data.chars().all(|c| BECH32.contains(c)))
}

impl Authority {
    /// The custodian of this signer's backups.
    pub fn custodian(&self, signer: &str) -> Option<&Custodian> {
        let mut all = self.custodians.iter();
        all.find(|one| one.signers.iter().any(|name| name == signer))
    }

    /// The custodian, if there is one, that keeps the backups of t of these holders.
    pub fn custodian_of<'a>(
        &self,
        holders: impl IntoIterator<Item = &'a str>,
        t: usize,
    ) -> Option<&Custodian> {
        let holders: BTreeSet<&str> = holders.into_iter().collect();
        self.custodians.iter().find(|custodian| {
            let kept = custodian.signers.iter();
            kept.filter(|name| holders.contains(name.as_str())).count() >= t
        })
    }

    pub(super) fn check_custodians(&self) -> Result<(), FileError> {
        let wrong = |custodian: &Custodian, what: &str| {
            Err(FileError::Authority(format!(
                "custodian {:?}: {what}",
                custodian.name
            )))
        };
        if self.custodians.len() > MAX_SIGNERS {
            return Err(FileError::Authority(format!(
                "more than {MAX_SIGNERS} custodians"
            )));
        }
        let (mut names, mut recipients) = (BTreeSet::new(), BTreeSet::new());
        let mut kept = BTreeSet::new();
        for custodian in &self.custodians {
            if !text::is_name(&custodian.name) || !names.insert(&custodian.name) {
                return wrong(custodian, "its name is not allowed or not its own");
            }
            if !is_recipient(&custodian.recipient) || !recipients.insert(&custodian.recipient) {
                return wrong(
                    custodian,
                    "its recipient is no age recipient (age1…) or not its own",
                );
            }
            for signer in &custodian.signers {
                if !kept.insert(signer) || !self.signers.iter().any(|one| one.name == *signer) {
                    return wrong(
                        custodian,
                        "it keeps backups of a signer that is none, or has another custodian",
                    );
                }
            }
        }
        let all = self.signers.iter().map(|signer| signer.name.as_str());
        if let Some(custodian) = self.custodian_of(all, self.quorum.t) {
            return wrong(
                custodian,
                "it would keep the backups of t signers, which are the key",
            );
        }
        for key in &self.ca_keys {
            let holders = key.verifying_shares.iter();
            let holders = holders.map(|share| share.signer.as_str());
            if let Some(custodian) = self.custodian_of(holders, key.t) {
                return wrong(
                    custodian,
                    &format!(
                        "it would keep t shares of {:?}, which are the key",
                        key.name
                    ),
                );
            }
        }
        Ok(())
    }
}
