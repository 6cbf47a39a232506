//! Re-checks a whole log from its entries and objects alone: every file, every epoch, the presentation in every issuance,
//! and, where a policy discloses nothing, the very bytes that were signed. What the log's checkpoints and cosignatures say is
//! `bauta-log`'s to check; comparing the copies of several signers is the caller's.
use bauta_statement::certificate::Pseudonym;
use bauta_statement::entry::Entry;
use bauta_statement::note::Digest;

use crate::ledger::{InvalidIssuance, Ledger, Objects, Refusal, ValidIssuance, Verdict};

/// What one entry turned out to be.
#[derive(Debug, Clone)]
pub enum Finding {
    /// A valid entry of a file or an epoch.
    Valid(Box<Entry>),
    /// A valid issuance.
    Issued(Issued),
    /// An issuance that is not valid: the service should not have logged it, and no certificate may exist for it.
    Fault(InvalidIssuance),
}

/// What the log says of one certificate. Values disclosed are not in the log, and not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Index of the entry.
    pub index: u64,
    /// The entry's time, Unix seconds.
    pub time: u64,
    /// The policy's name.
    pub policy: String,
    /// The epoch's number.
    pub epoch: u64,
    /// SHA-256 of the certified SubjectPublicKeyInfo.
    pub key: Digest,
    /// The holder's pseudonym, as the certificate writes it.
    pub pseudonym: String,
    /// SHA-256 of the certificate's TBS, where it follows from the log alone: the policy discloses nothing.
    pub tbs: Option<Digest>,
}

/// What an audit found over all.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Entries checked.
    pub entries: u64,
    /// Valid issuances among them.
    pub issued: u64,
    /// Invalid issuances, which are the service's fault, by index.
    pub faults: Vec<(u64, InvalidIssuance)>,
    /// The entry at which the log stops being one that signers may cosign.
    pub broken: Option<(u64, Refusal)>,
}

impl Summary {
    /// Whether nothing is wrong with the log.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.broken.is_none()
    }
}

/// An audit in progress: entries go in, in their order.
#[derive(Debug, Clone)]
pub struct Audit {
    ledger: Ledger,
    summary: Summary,
}

impl Audit {
    /// An audit of a log from its first entry, whose authority file has this digest.
    pub fn new(pinned: Digest) -> Self {
        Self {
            ledger: Ledger::new(pinned),
            summary: Summary::default(),
        }
    }

    /// Checks the next entries; presentations are verified together, so hand in many at once (some hundreds).
    ///
    /// # Errors
    /// The index of an entry that must not be in the log, and why. What follows it cannot be judged, and the audit ends
    /// there: every later call returns the same.
    pub fn next_entries<E: AsRef<[u8]>>(
        &mut self,
        entries: &[E],
        objects: &dyn Objects,
    ) -> Result<Vec<Finding>, (u64, Refusal)> {
        if let Some(broken) = &self.summary.broken {
            return Err(broken.clone());
        }
        let first = self.ledger.size();
        let verdicts = match self.ledger.append_all(entries, objects) {
            Ok(verdicts) => verdicts,
            Err((at, refusal)) => {
                let broken = (first.saturating_add(at as u64), refusal);
                self.summary.broken = Some(broken.clone());
                return Err(broken);
            }
        };
        // The caller checked the head that covers these entries, so nothing of them is ever undone.
        self.ledger.settle();
        let mut findings = Vec::with_capacity(verdicts.len());
        for ((verdict, entry), index) in verdicts.into_iter().zip(entries).zip(first..) {
            self.summary.entries += 1;
            findings.push(match verdict {
                Verdict::Issuance(valid) => {
                    self.summary.issued += 1;
                    Finding::Issued(issued(&valid))
                }
                Verdict::InvalidIssuance(reason) => {
                    self.summary.faults.push((index, reason.clone()));
                    Finding::Fault(reason)
                }
                Verdict::Accepted => match Entry::decode(entry.as_ref()) {
                    Ok(entry) => Finding::Valid(Box::new(entry)),
                    Err(error) => return Err((index, error.into())),
                },
            });
        }
        Ok(findings)
    }

    /// What was found so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The ledger at this point of the log.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn issued(valid: &ValidIssuance) -> Issued {
    let pseudonym = match valid.claim.nullifier() {
        Some(nullifier) => Pseudonym::from_nullifier(nullifier),
        None => Pseudonym::from_key(&valid.issuance.nonce, &valid.issuance.key),
    };
    let follows = valid.policy.disclose.is_empty();
    let tbs = follows.then(|| valid.tbs(&[]).ok()).flatten();
    Issued {
        index: valid.index,
        time: valid.time,
        policy: valid.policy.name.clone(),
        epoch: valid.issuance.epoch,
        key: valid.claim.context().spki_sha256,
        pseudonym: pseudonym.to_string(),
        tbs: tbs.map(|tbs| tbs.digest()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::world::{World, ed25519_spki};
    use bauta_statement::entry::Body;

    #[test]
    fn an_audit_agrees_with_the_ledger_and_names_faults() {
        let (mut world, mut entries) = World::recorded();
        let mut bad = world.show("staff", &ed25519_spki(3), 8, 0);
        bad.presentation[10] ^= 1;
        for issuance in [
            world.show("guests", &ed25519_spki(1), 7, 0),
            bad,
            world.show("staff", &ed25519_spki(2), 7, 0),
        ] {
            entries.push(
                Entry::new(world.time, Body::Issuance(issuance))
                    .encode()
                    .unwrap(),
            );
        }
        let mut audit = Audit::new(*world.ledger.pinned());
        let findings = audit.next_entries(&entries, &world.objects).unwrap();
        let [.., first, fault, last] = findings.as_slice() else {
            panic!("three issuances");
        };
        assert!(matches!(fault, Finding::Fault(_)));
        let (Finding::Issued(first), Finding::Issued(last)) = (first, last) else {
            panic!("two certificates");
        };
        assert_eq!(
            (first.policy.as_str(), last.policy.as_str()),
            ("guests", "staff")
        );
        // What "staff" discloses is not in the log, so its TBS is not either.
        assert!(first.tbs.is_some() && last.tbs.is_none());
        assert_eq!(first.pseudonym.len(), 32);
        let summary = audit.summary();
        assert_eq!(summary.entries, entries.len() as u64);
        assert_eq!((summary.issued, summary.faults.len()), (2, 1));
        assert!(!summary.is_clean());

        // An entry that no signer may cosign ends the audit.
        let broken = audit.next_entries(&[vec![9]], &world.objects).unwrap_err();
        assert_eq!(broken.0, entries.len() as u64);
        let none: [Vec<u8>; 0] = [];
        assert_eq!(
            audit.next_entries(&none, &world.objects).unwrap_err(),
            broken
        );
    }
}
