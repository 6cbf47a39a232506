//! The rules of the log as the driver asks them. [`LedgerRules`] is the real thing: the same ledger that signers and auditors
//! run, over the same entries.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bauta_log::LogPolicy;
use bauta_signer_protocol::ledger_rulebook::log_policy;
use bauta_statement::certificate::{self, Evidence};
use bauta_statement::file::SignedFile;
use bauta_statement::note::Digest;
use bauta_statement::presentation::Opening;
use bauta_verifier::ledger::{Ledger, Mark, Objects, Verdict};

use crate::log_store::LogStore;

/// Makes a certificate, DER, from its signature.
pub type Assemble = Box<dyn FnOnce(&[u8; 64]) -> Result<Vec<u8>, String> + Send>;

/// What is to be signed for a logged issuance, and what becomes of it.
pub struct ToSign {
    /// The TBSCertificate, DER.
    pub tbs: Vec<u8>,
    /// By which key.
    pub group_key: [u8; 32],
    /// The tlog-proof's extra data.
    pub extra: Vec<u8>,
    /// Makes the certificate, DER, from the signature.
    pub assemble: Assemble,
}

/// What the driver asks of the log's rules. All of it is synchronous, and runs where it may take its time.
pub trait Rules: Send + 'static {
    /// Forgets everything: the log is about to be replayed.
    fn reset(&mut self);

    /// Takes in entries that are in the log whatever they are.
    ///
    /// # Errors
    /// Why an entry other than an issuance is not valid; nothing is taken in then.
    fn replay(&mut self, entries: &[Vec<u8>]) -> Result<(), String>;

    /// Tries entries as the next batch: for each, why it does not fit. If all fit they are taken in, otherwise none is.
    fn draft(&mut self, entries: &[Vec<u8>]) -> Vec<Option<String>>;

    /// Does what was taken in since the last settling change who signs?
    fn changes_signers(&self) -> bool;

    /// What was taken in since the last call is published.
    fn settle(&mut self);

    /// What was taken in since the last [`Rules::settle`] is out of the log again.
    fn withdraw(&mut self);

    /// Whose cosignatures the newest settled head has. `None` in an empty log.
    fn policy(&self) -> Option<LogPolicy>;

    /// What is to be signed for the valid issuance at `index`, whose openings came beside it.
    ///
    /// # Errors
    /// Why nothing is.
    fn to_sign(&self, index: u64, openings: &[u8]) -> Result<ToSign, String>;
}

/// The ledger, which the driver writes and handlers read. A batch that is not published yet may be in it: what has an index
/// at or above [`LogStore::size`] does not count yet. Readers hold it shortly, and never across an await.
pub type SharedLedger = Arc<RwLock<Ledger>>;

/// The rules that the ledger gives.
pub struct LedgerRules {
    pinned: Digest,
    ledger: SharedLedger,
    log: LogStore,
    /// Before what is not published yet.
    mark: Option<Mark>,
}

struct Beside<'a>(&'a LogStore);

impl Objects for Beside<'_> {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.0.object(digest)
    }
}

impl LedgerRules {
    /// The rules of the log whose first authority file has the digest `pinned`; objects are read beside its tiles.
    pub fn new(pinned: Digest, log: LogStore) -> Self {
        LedgerRules {
            pinned,
            ledger: Arc::new(RwLock::new(Ledger::new(pinned))),
            log,
            mark: None,
        }
    }

    /// The ledger, for handlers.
    pub fn ledger(&self) -> SharedLedger {
        Arc::clone(&self.ledger)
    }

    fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes entries in, and remembers where to go back to.
    fn append(&mut self, entries: &[Vec<u8>]) -> Result<Vec<Verdict>, (usize, String)> {
        let mut ledger = write(&self.ledger);
        let mark = ledger.mark();
        let verdicts = ledger
            .append_all(entries, &Beside(&self.log))
            .map_err(|(position, refusal)| (position, refusal.to_string()))?;
        self.mark.get_or_insert(mark);
        Ok(verdicts)
    }
}

fn write(ledger: &SharedLedger) -> RwLockWriteGuard<'_, Ledger> {
    ledger.write().unwrap_or_else(PoisonError::into_inner)
}

impl Rules for LedgerRules {
    fn reset(&mut self) {
        *write(&self.ledger) = Ledger::new(self.pinned);
        self.mark = None;
    }

    fn replay(&mut self, entries: &[Vec<u8>]) -> Result<(), String> {
        self.append(entries)
            .map(|_| ())
            .map_err(|(_, reason)| reason)
    }

    fn draft(&mut self, entries: &[Vec<u8>]) -> Vec<Option<String>> {
        let mut misfits = vec![None; entries.len()];
        match self.append(entries) {
            Err((position, reason)) => {
                if let Some(misfit) = misfits.get_mut(position) {
                    *misfit = Some(reason);
                }
            }
            Ok(verdicts) => {
                for (misfit, verdict) in misfits.iter_mut().zip(verdicts) {
                    if let Verdict::InvalidIssuance(reason) = verdict {
                        *misfit = Some(reason.to_string());
                    }
                }
                // Drafts follow a settled head, so the mark is the draft's own.
                if misfits.iter().any(Option::is_some) {
                    self.withdraw();
                }
            }
        }
        misfits
    }

    fn changes_signers(&self) -> bool {
        self.read().quorums().len() > 1
    }

    fn settle(&mut self) {
        write(&self.ledger).settle();
        self.mark = None;
    }

    fn withdraw(&mut self) {
        if let Some(mark) = self.mark.take()
            && let Err(error) = write(&self.ledger).rollback(&mark)
        {
            // The mark is always of after the last settling; were it not, the next draft would be judged too strictly.
            tracing::error!(%error, "the ledger could not go back");
        }
    }

    fn policy(&self) -> Option<LogPolicy> {
        let ledger = self.read();
        let authority = ledger.authority()?;
        log_policy(authority)
            .inspect_err(|error| tracing::error!(%error, "the authority in force is unusable"))
            .ok()
    }

    fn to_sign(&self, index: u64, openings: &[u8]) -> Result<ToSign, String> {
        // The ledger is let go before anything is computed.
        let (valid, policy_object) = {
            let ledger = self.read();
            let valid = ledger
                .valid_issuance(index)
                .cloned()
                .ok_or("the entry earns no certificate, or is too old")?;
            let epoch = ledger
                .epoch(valid.issuance.epoch)
                .ok_or("the entry's epoch is over")?;
            let object = epoch
                .epoch
                .policies
                .iter()
                .find(|one| one.policy == valid.issuance.policy)
                .map(|one| one.object);
            (
                valid,
                object.ok_or("the entry's policy is not in its epoch")?,
            )
        };
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let openings = Opening::decode_list(openings).map_err(|e| text(&e))?;
        let tbs = valid.tbs(&openings).map_err(|e| text(&e))?;
        let note = self
            .log
            .object(&policy_object)
            .ok_or("the policy's file is missing beside the tiles")?;
        let policy = SignedFile::parse(&note)
            .map_err(|e| text(&e))?
            .note
            .text()
            .to_owned();
        let extra = Evidence {
            entry: valid.entry.clone(),
            openings,
            policy,
        }
        .encode();
        Ok(ToSign {
            tbs: tbs.as_bytes().to_vec(),
            group_key: valid.ca.key.group_key,
            extra,
            assemble: Box::new(move |signature| {
                certificate::assemble(&tbs, signature).map_err(|error| error.to_string())
            }),
        })
    }
}
