//! Validity of `issuance` entries, and what the valid ones spent.
use std::collections::BTreeMap;
use std::sync::Arc;

use bauta_statement::certificate::leaf::BACKDATING;
use bauta_statement::certificate::{Ca, ProfileError, Tbs};
use bauta_statement::challenge::LONGEST_LIFE;
use bauta_statement::context::{Context, key_digest};
use bauta_statement::csr::PublicKey;
use bauta_statement::entry::Issuance;
use bauta_statement::field;
use bauta_statement::file::{Authority, Kind};
use bauta_statement::note::Digest;
use bauta_statement::policy::Policy;
use bauta_statement::presentation::{Opening, Presentation, Usage};
use bauta_statement::scope;

use super::error::InvalidIssuance;
use super::state::{CaInForce, EpochInForce, Files, PolicyInEpoch};
use crate::certificate::EarnError;
use crate::presentation::{Item, VerifiedClaim};

/// An issuance that is valid: what a certificate is a function of.
#[derive(Debug)]
pub struct ValidIssuance {
    /// Index of its entry.
    pub index: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The entry's time.
    pub time: u64,
    /// The entry's body.
    pub issuance: Issuance,
    /// The certified key.
    pub key: PublicKey,
    /// The policy satisfied.
    pub policy: Arc<Policy>,
    /// The authority of the epoch.
    pub authority: Arc<Authority>,
    /// The CA that signs.
    pub ca: Arc<CaInForce>,
    /// What the presentation claims.
    pub claim: VerifiedClaim,
}

impl ValidIssuance {
    /// The nullifier as it is written, if the policy has a scope.
    pub fn nullifier(&self) -> Option<[u8; 32]> {
        self.claim.nullifier().map(field::to_bytes)
    }

    /// The CA as the certificate's profile needs it.
    ///
    /// # Errors
    /// [`ProfileError`] if the CA's name cannot be encoded.
    pub fn ca(&self) -> Result<Ca, ProfileError> {
        Ca::new(
            &self.ca.certificate,
            &self.authority.trust_domain,
            self.authority.enterprise_number,
        )
    }

    /// What is signed for this entry. The openings are checked against the presentation's commitments.
    ///
    /// # Errors
    /// [`EarnError`]: the openings do not fit, and no share may be given.
    pub fn tbs(&self, openings: &[Opening]) -> Result<Tbs, EarnError> {
        crate::certificate::tbs(self, openings)
    }
}

/// An issuance that fits everything but perhaps its proof and what was spent before it.
pub(super) struct Candidate {
    pub(super) epoch: Arc<EpochInForce>,
    pub(super) policy: Arc<PolicyInEpoch>,
    pub(super) key: PublicKey,
    pub(super) context: Context,
    pub(super) presentation: Presentation,
    pub(super) usage: Option<Usage>,
    /// End of the scope's period.
    period_end: u64,
}

impl Candidate {
    pub(super) fn item(&self) -> Item<'_> {
        Item {
            policy: &self.policy.context,
            context: &self.context,
            presentation: &self.presentation,
            usage: self.usage,
        }
    }

    pub(super) fn into_valid(
        self,
        index: u64,
        entry: &[u8],
        time: u64,
        issuance: Issuance,
        claim: VerifiedClaim,
    ) -> ValidIssuance {
        ValidIssuance {
            index,
            entry: entry.to_vec(),
            time,
            issuance,
            key: self.key,
            policy: Arc::clone(&self.policy.policy),
            authority: Arc::clone(&self.epoch.authority),
            ca: Arc::clone(&self.epoch.ca),
            claim,
        }
    }
}

/// Everything about an issuance that is decided by the files and epochs before it, and by its own bytes.
pub(super) fn examine(
    files: &Files,
    time: u64,
    issuance: &Issuance,
) -> Result<Candidate, InvalidIssuance> {
    let epoch = files
        .epochs
        .iter()
        .find(|one| one.epoch.number == issuance.epoch)
        .ok_or(InvalidIssuance::Epoch(issuance.epoch))?;
    if !epoch.epoch.contains(time) {
        return Err(InvalidIssuance::TimeOutsideEpoch {
            time,
            epoch: issuance.epoch,
        });
    }
    let policy = epoch
        .policies
        .get(&issuance.policy)
        .ok_or(InvalidIssuance::UnknownPolicy)?;
    // A tombstone works at once, inside the epoch.
    for (kind, name) in [
        (Kind::Policy, &policy.policy.name),
        (Kind::Schema, &policy.policy.schema),
        (Kind::IssuerSet, &policy.policy.issuer_set),
    ] {
        if files.retired(kind, name) {
            return Err(InvalidIssuance::Retired(name.clone()));
        }
    }
    // So does taking a CA key away.
    let kept = files
        .authority
        .as_ref()
        .is_some_and(|authority| authority.body.ca_key(&issuance.ca_key).is_some());
    if issuance.ca_key != epoch.epoch.ca_key || !kept {
        return Err(InvalidIssuance::CaKey);
    }
    let ca = &epoch.ca.certificate;
    let lifetime = policy.policy.certificate.lifetime_seconds;
    if time < ca.not_before.saturating_add(BACKDATING)
        || time
            .checked_add(lifetime)
            .is_none_or(|end| end > ca.not_after)
    {
        return Err(InvalidIssuance::OutsideCa);
    }
    let key = PublicKey::from_spki(&issuance.key)
        .map_err(|error| InvalidIssuance::Key(error.to_string()))?;
    if !policy.policy.certificate.keys.contains(&key.kind()) {
        return Err(InvalidIssuance::KeyType(key.kind().to_string()));
    }
    let expiry = issuance.expiry;
    if time > expiry {
        return Err(InvalidIssuance::ChallengeExpired { expiry, time });
    }
    if expiry - time > LONGEST_LIFE {
        return Err(InvalidIssuance::ChallengeEarly { expiry, time });
    }
    let presentation = Presentation::decode(&issuance.presentation)?;
    let authority = &epoch.authority;
    let context = Context {
        policy_digest: issuance.policy,
        nonce: issuance.nonce,
        expiry,
        trust_domain: authority.trust_domain.clone(),
        ca_name: authority.ca_name.clone(),
        log_origin: authority.log.origin.clone(),
        spki_sha256: key_digest(&issuance.key),
    };
    // The scope is computed from the entry's time: that the time is inside the scope's period is that the proof verifies.
    let (usage, period_end) = match &policy.policy.scope {
        Some(one) => {
            let start = scope::period_start(time, one.period_seconds);
            let usage = Usage {
                scope: scope::scope(&authority.trust_domain, &one.name, start),
                bound: one.bound,
            };
            (Some(usage), start.saturating_add(one.period_seconds))
        }
        None => (None, 0),
    };
    Ok(Candidate {
        epoch: Arc::clone(epoch),
        policy: Arc::clone(policy),
        key,
        context,
        presentation,
        usage,
        period_end,
    })
}

/// What a nullifier was spent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpentOn {
    policy: Arc<Policy>,
    key: Digest,
    /// End of the scope's period: from then on the nullifier cannot come again.
    until: u64,
}

/// Nonces and nullifiers of valid issuances.
///
/// Memory: a nonce (about 60 bytes) is kept for at most 300 s of the log's time; a nullifier (about 200 bytes with its
/// bookkeeping) until its scope's period ends, so at a million issuances a day under a daily scope some 200 MB. Dropping
/// them changes no verdict: the rules below do not look at what is past.
#[derive(Clone, Default)]
pub(super) struct Spent {
    nonces: BTreeMap<[u8; 32], u64>,
    nullifiers: BTreeMap<[u8; 32], SpentOn>,
    /// Nullifiers by the end of their period, to drop them without a scan.
    ends: BTreeMap<u64, Vec<[u8; 32]>>,
}

/// How to take back one change of [`Spent`].
#[derive(Debug, Clone)]
pub(super) enum Undo {
    Nonce([u8; 32], Option<u64>),
    Nullifier([u8; 32], Option<SpentOn>, u64),
}

impl Spent {
    /// Whether an issuance may spend its nonce and nullifier.
    pub(super) fn check(
        &self,
        time: u64,
        issuance: &Issuance,
        candidate: &Candidate,
    ) -> Result<(), InvalidIssuance> {
        // Of a challenge that expired before this time no entry can be valid again, so its nonce need not be remembered.
        if self
            .nonces
            .get(&issuance.nonce)
            .is_some_and(|expiry| *expiry >= time)
        {
            return Err(InvalidIssuance::NonceSpent);
        }
        let Some(nullifier) = candidate.presentation.nullifier() else {
            return Ok(());
        };
        match self.nullifiers.get(&field::to_bytes(nullifier)) {
            Some(spent)
                if spent.until > time
                    && (spent.policy.name != candidate.policy.policy.name
                        || spent.key != candidate.context.spki_sha256) =>
            {
                Err(InvalidIssuance::NullifierSpent)
            }
            _ => Ok(()),
        }
    }

    /// Spends the nonce and nullifier of a valid issuance.
    pub(super) fn spend(
        &mut self,
        issuance: &Issuance,
        candidate: &Candidate,
        journal: &mut Vec<Undo>,
    ) {
        let before = self.nonces.insert(issuance.nonce, issuance.expiry);
        journal.push(Undo::Nonce(issuance.nonce, before));
        if let Some(nullifier) = candidate.presentation.nullifier() {
            let nullifier = field::to_bytes(nullifier);
            let before = self.nullifiers.get(&nullifier).cloned();
            let until = before.as_ref().map_or(candidate.period_end, |spent| {
                spent.until.max(candidate.period_end)
            });
            self.nullifiers.insert(
                nullifier,
                SpentOn {
                    policy: Arc::clone(&candidate.policy.policy),
                    key: candidate.context.spki_sha256,
                    until,
                },
            );
            self.ends.entry(until).or_default().push(nullifier);
            journal.push(Undo::Nullifier(nullifier, before, until));
        }
    }

    pub(super) fn undo(&mut self, change: Undo) {
        match change {
            Undo::Nonce(nonce, Some(expiry)) => {
                self.nonces.insert(nonce, expiry);
            }
            Undo::Nonce(nonce, None) => {
                self.nonces.remove(&nonce);
            }
            Undo::Nullifier(nullifier, before, until) => {
                match before {
                    Some(spent) => self.nullifiers.insert(nullifier, spent),
                    None => self.nullifiers.remove(&nullifier),
                };
                if let Some(ends) = self.ends.get_mut(&until) {
                    ends.pop();
                }
            }
        }
    }

    /// Drops what cannot matter to an entry at `time` or later.
    pub(super) fn prune(&mut self, time: u64) {
        self.nonces.retain(|_, expiry| *expiry >= time);
        let later = self.ends.split_off(&time.saturating_add(1));
        for (_, nullifiers) in std::mem::replace(&mut self.ends, later) {
            for nullifier in nullifiers {
                if self
                    .nullifiers
                    .get(&nullifier)
                    .is_some_and(|spent| spent.until <= time)
                {
                    self.nullifiers.remove(&nullifier);
                }
            }
        }
    }

    pub(super) fn len(&self) -> (usize, usize) {
        (self.nonces.len(), self.nullifiers.len())
    }
}
