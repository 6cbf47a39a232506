//! What all handlers share.

use std::sync::{Arc, PoisonError, RwLockReadGuard};

use bauta_log::LogPolicy;
use bauta_signer_protocol::ledger_rulebook;
use bauta_statement::challenge::ChallengeKey;
use bauta_verifier::ledger::Ledger;

use crate::{
    ca::CaDocuments,
    clock,
    config::ServiceConfig,
    coordinator::CoordinatorHandle,
    issue::Issuer,
    log_store::LogStore,
    sequencer::{Handle, SharedLedger},
};

/// The parts of a running service.
pub struct State {
    /// As the operator wrote it.
    pub config: ServiceConfig,
    /// Tiles, objects, the published checkpoint.
    pub logs: LogStore,
    /// Authenticates challenges.
    pub challenge_key: ChallengeKey,
    /// Issues certificates.
    pub issuer: Arc<Issuer>,
    /// The way into the log.
    pub sequencer: Handle,
    /// The way to the signers.
    pub coordinator: CoordinatorHandle,
    /// The CA's certificates, and what else its keys signed by key operations.
    pub certificates: CaDocuments,
    pub(crate) ledger: SharedLedger,
}

impl State {
    /// The state that the log gives. Not to be held across an await. A batch that is being cosigned may be in it: what has an
    /// index at or above [`LogStore::size`] does not count yet.
    pub fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The own certificates of the authority's CA keys, oldest key first: group key and DER. A key that was taken away is not
    /// among them, and so soon trusted by nobody.
    pub fn ca_certificates(&self) -> Vec<([u8; 32], Vec<u8>)> {
        let ledger = self.ledger();
        let keys = ledger.authority().map(|authority| &authority.ca_keys);
        keys.into_iter()
            .flatten()
            .filter_map(|key| {
                let own = self.certificates.own(&ledger, &key.group_key)?;
                Some((key.group_key, own))
            })
            .collect()
    }

    /// Whose cosignatures a checkpoint must bear, by the newest authority.
    pub fn log_policy(&self) -> Option<LogPolicy> {
        let ledger = self.ledger();
        ledger_rulebook::log_policy(ledger.authority()?).ok()
    }

    /// Whether a certificate could be issued now.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<(), String> {
        let ledger = self.ledger();
        let authority = ledger.authority().ok_or("the log has not begun")?;
        if ledger.epoch_at(clock::now()).is_none() {
            return Err("no epoch is in force".to_owned());
        }
        let connected = self
            .coordinator
            .signers()
            .iter()
            .filter(|signer| signer.size.is_some())
            .count();
        let thresholds = authority.ca_keys.iter().map(|key| key.t);
        let needed = thresholds.fold(authority.quorum.q, usize::max);
        if connected < needed {
            return Err(format!(
                "{connected} of the {needed} signers needed are connected"
            ));
        }
        Ok(())
    }
}
