//! Custody over time: who was ever the custodian of which holders' backups while a sharing was in force. A backup that was made for
//! the custodian of before is still there when a signer gets another one; only a new sharing makes it worthless.
use std::collections::{BTreeMap, BTreeSet};

use bauta_statement::file::authority::Authority;
use bauta_statement::note::Digest;

use super::error::Refusal;

/// The holders whose backups each custodian may have, by its name and by its recipient: one that changes either has what it had.
type Kept = BTreeMap<String, BTreeSet<String>>;

/// What custodians may have of each sharing in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Custody(BTreeMap<Digest, Kept>);

impl Custody {
    /// Takes a new version of the authority in.
    ///
    /// # Errors
    /// [`Refusal::Custody`] if a custodian could have t shares of a sharing by it.
    pub(super) fn take_in(&mut self, authority: &Authority) -> Result<(), Refusal> {
        let mut before = std::mem::take(&mut self.0);
        for key in &authority.ca_keys {
            let sharing = key.sharing();
            let mut kept = before.remove(&sharing).unwrap_or_default();
            for custodian in &authority.custodians {
                let mine = |signer: &&String| {
                    let mut holders = key.verifying_shares.iter();
                    holders.any(|share| share.signer == **signer)
                };
                for bearer in [&custodian.name, &custodian.recipient] {
                    let had = kept.entry(bearer.clone()).or_default();
                    had.extend(custodian.signers.iter().filter(mine).cloned());
                    if had.len() >= key.t {
                        return Err(Refusal::Custody {
                            custodian: custodian.name.clone(),
                            key: key.name.clone(),
                        });
                    }
                }
            }
            self.0.insert(sharing, kept);
        }
        Ok(())
    }
}
