//! The ledger: the state that the log before an entry gives, and whether the entry is valid in it. Service, signers and
//! auditors run the same function over the same entries, so they always agree. `docs/spec/log.md` lists the rules.
//!
//! An invalid *issuance* changes nothing and is reported ([`Verdict::InvalidIssuance`]). Any other invalid entry is a
//! [`Refusal`], changes nothing either, and must not stay in the log. A head that its quorum refused is undone by
//! [`Ledger::rollback`] to a [`Mark`]; one that got its quorum is made final by [`Ledger::settle`].
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bauta_statement::entry::{Body, Entry, Issuance, ObjectRef};
use bauta_statement::epoch::Epoch;
use bauta_statement::file::hierarchy::InstallCaCertificate;
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::key_operation::{GenerateKey, SignCaCertificate};
use bauta_statement::file::{Authority, KeyOperation, Kind};
use bauta_statement::note::Digest;
use bauta_statement::policy::Policy;
use bauta_statement::rsa_key::RsaPublicKey;

use crate::batch::verify_batch;
use crate::presentation::{Refusal as PresentationRefusal, VerifiedClaim};

mod authority;
mod custody;
mod epochs;
mod error;
mod files;
mod hierarchy;
mod issuance;
mod revocations;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod transcript;

pub use epochs::LeftOut;
pub use error::{CrlRefusal, EpochUnavailable, InvalidIssuance, Refusal};
pub use issuance::ValidIssuance;
pub use revocations::{CrlHistory, IssuerLists};
pub use state::{CaInForce, EpochInForce, Logged, PolicyInEpoch};

/// Seconds for which a valid issuance can be asked for by its index: longer than a share may be given for it.
pub const REMEMBERED: u64 = 600;

/// Things too large for entries, by SHA-256.
pub trait Objects {
    /// The object's bytes, if they are here. They need not be checked.
    fn get(&self, digest: &Digest) -> Option<Vec<u8>>;
}

impl Objects for BTreeMap<Digest, Vec<u8>> {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        BTreeMap::get(self, digest).cloned()
    }
}

/// What an entry is.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// A valid entry of a file or an epoch.
    Accepted,
    /// A valid issuance: signers may give shares for it.
    Issuance(Arc<ValidIssuance>),
    /// An issuance that is not valid: it stays in the log, earns no share, spends nothing, and is the service's fault.
    InvalidIssuance(InvalidIssuance),
}

/// A point to which the ledger can go back.
#[derive(Clone)]
pub struct Mark {
    files: Arc<state::Files>,
    journal: usize,
    size: u64,
    last_time: u64,
    settled: u64,
}

/// The mark is of before the last [`Ledger::settle`], or of entries that were taken back since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mark is not of this ledger's past since it was settled; a head with its quorum is never undone"
)]
pub struct Settled;

#[derive(Clone)]
enum Change {
    Spent(issuance::Undo),
    Remembered,
}

/// The state that a log gives.
///
/// Memory: files are bounded by the limits of an epoch entry, the revocation tree by 2^20 handles (about 100 MB when full),
/// valid issuances are remembered for [`REMEMBERED`] seconds of the log's time; nullifiers grow with issuances until their
/// scope's period ends (some 200 bytes each). Cloning copies nonces and nullifiers; a [`Mark`] copies nothing.
#[derive(Clone)]
pub struct Ledger {
    pinned: Digest,
    files: Arc<state::Files>,
    spent: issuance::Spent,
    /// Valid issuances in the order of their indices.
    recent: VecDeque<Arc<ValidIssuance>>,
    journal: Vec<Change>,
    size: u64,
    last_time: u64,
    /// Size at the last settling.
    settled: u64,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (nonces, nullifiers) = self.spent.len();
        write!(
            f,
            "Ledger(size {}, time {}, {nonces} nonces, {nullifiers} nullifiers)",
            self.size, self.last_time
        )
    }
}

impl Ledger {
    /// The ledger of an empty log whose first authority file has this digest (of the signed text).
    pub fn new(pinned: Digest) -> Self {
        Self {
            pinned,
            files: Arc::default(),
            spent: issuance::Spent::default(),
            recent: VecDeque::new(),
            journal: Vec::new(),
            size: 0,
            last_time: 0,
            settled: 0,
        }
    }

    /// Appends one entry.
    ///
    /// # Errors
    /// [`Refusal`]: the entry must not be in the log, and nothing has changed. After [`Refusal::MissingObject`] fetch it
    /// and append again.
    pub fn append(&mut self, entry: &[u8], objects: &dyn Objects) -> Result<Verdict, Refusal> {
        let mut verdicts = self
            .append_all(&[entry], objects)
            .map_err(|(_, refusal)| refusal)?;
        // One entry in, one verdict out.
        verdicts.pop().ok_or(Refusal::NotPinned)
    }

    /// Appends entries, verifying the presentations of neighbouring issuances together.
    ///
    /// # Errors
    /// The position of the first refused entry and why; nothing has changed then, not by the entries before it either.
    pub fn append_all<E: AsRef<[u8]>>(
        &mut self,
        entries: &[E],
        objects: &dyn Objects,
    ) -> Result<Vec<Verdict>, (usize, Refusal)> {
        let mark = self.mark();
        let mut verdicts = Vec::with_capacity(entries.len());
        match self.try_append_all(entries, objects, &mut verdicts) {
            Ok(()) => Ok(verdicts),
            Err(refusal) => {
                self.restore(&mark);
                Err((verdicts.len(), refusal))
            }
        }
    }

    fn try_append_all<E: AsRef<[u8]>>(
        &mut self,
        entries: &[E],
        objects: &dyn Objects,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Refusal> {
        let mut run: Vec<(&[u8], u64, Issuance)> = Vec::new();
        for entry in entries {
            let bytes = entry.as_ref();
            let decoded = match Entry::decode(bytes) {
                Ok(decoded) => decoded,
                Err(error) => {
                    self.append_issuances(std::mem::take(&mut run), verdicts);
                    return Err(error.into());
                }
            };
            if let Body::Issuance(issuance) = decoded.body {
                // Before the first authority there is nothing that an issuance could be judged by.
                if self.files.authority.is_none() {
                    return Err(Refusal::NotPinned);
                }
                run.push((bytes, decoded.time, issuance));
                continue;
            }
            self.append_issuances(std::mem::take(&mut run), verdicts);
            self.append_other(&decoded, objects)?;
            verdicts.push(Verdict::Accepted);
        }
        self.append_issuances(run, verdicts);
        Ok(())
    }

    /// A file or an epoch.
    fn append_other(&mut self, entry: &Entry, objects: &dyn Objects) -> Result<(), Refusal> {
        let time = entry.time;
        if time < self.last_time {
            return Err(Refusal::TimeBack {
                time,
                last: self.last_time,
            });
        }
        let mut files = state::Files::clone(&self.files);
        let place = |object: &ObjectRef| files::Place {
            object: *object,
            time,
            index: self.size,
            objects,
        };
        match &entry.body {
            Body::Authority(object) if files.authority.is_none() => {
                authority::first_authority(&mut files, &self.pinned, &place(object))?;
            }
            _ if files.authority.is_none() => return Err(Refusal::NotPinned),
            Body::Authority(object) => authority::authority(&mut files, &place(object))?,
            Body::Parameters(object) => files::parameters(&mut files, &place(object))?,
            Body::File(object) => files::file(&mut files, &place(object))?,
            Body::Epoch(epoch) => epochs::append(&mut files, epoch, time, self.size)?,
            // The caller takes issuances another way.
            Body::Issuance(_) => return Ok(()),
        }
        self.files = Arc::new(files);
        self.last_time = time;
        self.size += 1;
        Ok(())
    }

    /// A run of neighbouring issuances: what files and epochs decide first, all presentations in one equation, then, one
    /// after the other, what those before have spent.
    fn append_issuances(&mut self, run: Vec<(&[u8], u64, Issuance)>, verdicts: &mut Vec<Verdict>) {
        let examined: Vec<_> = run
            .iter()
            .map(|(_, time, issuance)| issuance::examine(&self.files, *time, issuance))
            .collect();
        let items: Vec<_> = examined
            .iter()
            .filter_map(|one| one.as_ref().ok().map(issuance::Candidate::item))
            .collect();
        let mut claims = verify_batch(&items).into_iter();
        drop(items);
        for ((bytes, time, issuance), candidate) in run.into_iter().zip(examined) {
            let verdict = candidate.and_then(|candidate| {
                let claim = claims
                    .next()
                    .unwrap_or(Err(PresentationRefusal::Unproven))?;
                self.check_spent(time, &issuance, &candidate)?;
                Ok(self.spend(bytes, time, issuance, candidate, claim))
            });
            verdicts.push(match verdict {
                Ok(valid) => Verdict::Issuance(valid),
                Err(reason) => Verdict::InvalidIssuance(reason),
            });
            self.size += 1;
        }
    }

    fn check_spent(
        &self,
        time: u64,
        issuance: &Issuance,
        candidate: &issuance::Candidate,
    ) -> Result<(), InvalidIssuance> {
        if time < self.last_time {
            return Err(InvalidIssuance::TimeBack {
                time,
                last: self.last_time,
            });
        }
        self.spent.check(time, issuance, candidate)
    }

    fn spend(
        &mut self,
        bytes: &[u8],
        time: u64,
        issuance: Issuance,
        candidate: issuance::Candidate,
        claim: VerifiedClaim,
    ) -> Arc<ValidIssuance> {
        let mut changes = Vec::new();
        self.spent.spend(&issuance, &candidate, &mut changes);
        self.journal.extend(changes.into_iter().map(Change::Spent));
        let valid = Arc::new(candidate.into_valid(self.size, bytes, time, issuance, claim));
        self.recent.push_back(Arc::clone(&valid));
        self.journal.push(Change::Remembered);
        self.last_time = time;
        valid
    }

    /// Dry run: what [`Ledger::append`] would say of this issuance as the next entry. Nothing changes.
    ///
    /// # Errors
    /// Why it is not valid.
    pub fn check_issuance(
        &self,
        time: u64,
        issuance: &Issuance,
    ) -> Result<ValidIssuance, InvalidIssuance> {
        let candidate = issuance::examine(&self.files, time, issuance)?;
        // What costs nothing first; the verdict is the same.
        self.check_spent(time, issuance, &candidate)?;
        let claim = verify_batch(&[candidate.item()])
            .pop()
            .unwrap_or(Err(PresentationRefusal::Unproven))?;
        let entry = Entry::new(time, Body::Issuance(issuance.clone())).encode()?;
        Ok(candidate.into_valid(self.size, &entry, time, issuance.clone(), claim))
    }

    /// Dry run: what [`Ledger::append`] would say of this entry, for files and epochs too.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn check(&self, entry: &[u8], objects: &dyn Objects) -> Result<Verdict, Refusal> {
        // Only the shared references are copied: an entry's own changes are made on copies.
        let mut trial = Self {
            pinned: self.pinned,
            files: Arc::clone(&self.files),
            spent: issuance::Spent::default(),
            recent: VecDeque::new(),
            journal: Vec::new(),
            size: self.size,
            last_time: self.last_time,
            settled: self.settled,
        };
        if let Ok(Entry {
            time,
            body: Body::Issuance(issuance),
            ..
        }) = Entry::decode(entry)
        {
            if self.files.authority.is_none() {
                return Err(Refusal::NotPinned);
            }
            return Ok(match self.check_issuance(time, &issuance) {
                Ok(valid) => Verdict::Issuance(Arc::new(valid)),
                Err(reason) => Verdict::InvalidIssuance(reason),
            });
        }
        trial.append(entry, objects)
    }

    /// A point to come back to by [`Ledger::rollback`]. It copies nothing.
    pub fn mark(&self) -> Mark {
        Mark {
            files: Arc::clone(&self.files),
            journal: self.journal.len(),
            size: self.size,
            last_time: self.last_time,
            settled: self.settled,
        }
    }

    /// Takes back every entry since the mark.
    ///
    /// # Errors
    /// [`Settled`] if the ledger was settled since, or is behind the mark; nothing has changed then.
    pub fn rollback(&mut self, mark: &Mark) -> Result<(), Settled> {
        if mark.settled != self.settled
            || mark.size > self.size
            || mark.journal > self.journal.len()
        {
            return Err(Settled);
        }
        self.restore(mark);
        Ok(())
    }

    fn restore(&mut self, mark: &Mark) {
        while self.journal.len() > mark.journal {
            match self.journal.pop() {
                Some(Change::Spent(change)) => self.spent.undo(change),
                Some(Change::Remembered) => {
                    self.recent.pop_back();
                }
                None => break,
            }
        }
        self.files = Arc::clone(&mark.files);
        self.size = mark.size;
        self.last_time = mark.last_time;
    }

    /// Makes all entries so far final: their head has its quorums. Marks of before are void, and what no later entry can
    /// depend on is forgotten.
    pub fn settle(&mut self) {
        self.journal.clear();
        self.settled = self.size;
        if self.files.quorums.len() > 1 {
            let files = Arc::make_mut(&mut self.files);
            files.quorums = files.quorums.pop().into_iter().collect();
        }
        self.spent.prune(self.last_time);
        let old = self.last_time.saturating_sub(REMEMBERED);
        while self.recent.front().is_some_and(|one| one.time < old) {
            self.recent.pop_front();
        }
    }

    /// Number of entries, invalid issuances included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Time of the last valid entry; 0 in an empty log. No later entry may have an earlier time.
    pub fn last_time(&self) -> u64 {
        self.last_time
    }

    /// Digest of the pinned authority.
    pub fn pinned(&self) -> &Digest {
        &self.pinned
    }

    /// The newest authority: current signers' keys, log key, quorum, CA keys.
    pub fn authority(&self) -> Option<&Arc<Authority>> {
        self.files.authority.as_ref().map(|logged| &logged.body)
    }

    /// The newest authority as it is logged.
    pub fn authority_file(&self) -> Option<&Logged<Authority>> {
        self.files.authority.as_ref()
    }

    /// The first authority as it is logged.
    pub fn first_authority_file(&self) -> Option<&Logged<Authority>> {
        self.files.first_authority.as_ref()
    }

    /// Whose cosignatures a head of this size needs: q of the signers of *each* of these authorities. There is more than
    /// one while a change of authority has not been settled.
    pub fn quorums(&self) -> &[Arc<Authority>] {
        &self.files.quorums
    }

    /// The epoch that a time is in, if the log names it.
    pub fn epoch_at(&self, time: u64) -> Option<&Arc<EpochInForce>> {
        self.files.epoch_at(time)
    }

    /// The epoch of this number, if it is in force or comes next.
    pub fn epoch(&self, number: u64) -> Option<&Arc<EpochInForce>> {
        self.files
            .epochs
            .iter()
            .find(|one| one.epoch.number == number)
    }

    /// The logged epoch that starts after a time, if there is one.
    pub fn epoch_after(&self, time: u64) -> Option<&Arc<EpochInForce>> {
        self.files.epochs.iter().find(|one| one.epoch.start > time)
    }

    /// A policy of this name in force at a time: not retired, and its epoch is logged.
    pub fn policy_at(
        &self,
        name: &str,
        time: u64,
    ) -> Option<(&Arc<EpochInForce>, &Arc<PolicyInEpoch>)> {
        let epoch = self.epoch_at(time)?;
        let policy = epoch.policy_named(name)?;
        let retired = self.files.retired(Kind::Policy, name)
            || self.files.retired(Kind::Schema, &policy.policy.schema)
            || self
                .files
                .retired(Kind::IssuerSet, &policy.policy.issuer_set);
        (!retired).then_some((epoch, policy))
    }

    /// The policy and epoch that a presentation is verified against.
    pub fn policy_context(&self, policy: &Digest, epoch: u64) -> Option<&Arc<PolicyInEpoch>> {
        self.epoch(epoch)?.policies.get(policy)
    }

    /// The newest logged version of a policy, in force or not.
    pub fn newest_policy(&self, name: &str) -> Option<&Logged<Policy>> {
        self.files.policies.get(name)
    }

    /// The newest logged versions of all policies, by name, in force or not.
    pub fn newest_policies(&self) -> impl Iterator<Item = &Logged<Policy>> {
        self.files.policies.values()
    }

    /// What counts of the logged revocation lists of an issuer.
    pub fn revocation_lists(&self, issuer: &str) -> Option<&IssuerLists> {
        self.files.lists.get(issuer)
    }

    /// What the newest logged issuer set that names it says of an issuer.
    pub fn issuer(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.files.issuers.get(name)
    }

    /// The keys of the X.509 CAs that have logged a CRL, in any issuer set or in none any more: with them a wallet computes the
    /// handles of the CRLs that an epoch names.
    pub fn revoking_keys(&self) -> impl Iterator<Item = &RsaPublicKey> {
        self.files
            .lists
            .keys()
            .filter_map(|name| match &**self.files.issuers.get(name)? {
                Issuer::X509Rsa(ca) => Some(&ca.public_key),
                Issuer::Native(_) => None,
            })
    }

    /// Every revoked handle, in the order in which the tree of an epoch has them: the first `revocation_count` of them.
    pub fn revoked_handles(&self) -> &[u64] {
        &self.files.handles
    }

    /// The newest version of a key operation, unless it was retired.
    pub fn key_operation(&self, name: &str) -> Option<&Logged<KeyOperation>> {
        self.files
            .operations
            .get(name)
            .filter(|_| !self.files.retired(Kind::KeyOperation, name))
    }

    /// The key operation with this file digest, unless it was retired or superseded.
    pub fn key_operation_by_digest(&self, digest: &Digest) -> Option<&Logged<KeyOperation>> {
        self.files
            .operations
            .values()
            .find(|one| one.digest == *digest)
            .filter(|one| !self.files.retired(Kind::KeyOperation, &one.header.name))
    }

    /// All key operations that were not retired.
    pub fn key_operations(&self) -> impl Iterator<Item = &Logged<KeyOperation>> {
        self.files.key_operations()
    }

    /// Key generations that were asked for and not done, unexpired at `now`.
    pub fn pending_generations(&self, now: u64) -> Vec<(&Logged<KeyOperation>, &GenerateKey)> {
        self.key_operations()
            .filter(|one| {
                one.header.expires > now && !self.files.used_operations.contains(&one.digest)
            })
            .filter_map(|one| match one.body.as_ref() {
                KeyOperation::GenerateKey(generate) => Some((one, generate)),
                _ => None,
            })
            .collect()
    }

    /// Key operations that have signers do something together (key generation, resharing, repair), not done and unexpired at
    /// `now`, and of a sharing that is still in force. A repair leaves no trace in the log, and stays until it expires.
    pub fn pending_operations(&self, now: u64) -> Vec<&Logged<KeyOperation>> {
        let Some(authority) = self.authority() else {
            return Vec::new();
        };
        self.key_operations()
            .filter(|one| {
                one.header.expires > now && !self.files.used_operations.contains(&one.digest)
            })
            .filter(|one| match one.body.as_ref() {
                KeyOperation::GenerateKey(_) => true,
                KeyOperation::ReshareKey(reshare) => {
                    authority::check_resharing(authority, reshare).is_ok()
                }
                KeyOperation::RepairShare(repair) => {
                    authority::check_repair(authority, repair).is_ok()
                }
                _ => false,
            })
            .collect()
    }

    /// What a CA key's own certificate says, as it was ordered last, with the order.
    pub fn own_certificate(
        &self,
        group_key: &[u8; 32],
    ) -> Option<(&Logged<KeyOperation>, &SignCaCertificate)> {
        hierarchy::own_certificate(&self.files, group_key)
    }

    /// The certificates that other CAs made for a CA key, the last one logged first; those retired are not among them.
    pub fn installed_certificates(
        &self,
        group_key: &[u8; 32],
    ) -> Vec<(&Logged<KeyOperation>, &InstallCaCertificate)> {
        hierarchy::installed(&self.files, group_key)
    }

    /// CA keys that an authority took away, with the index of its entry. None ever comes back.
    pub fn retired_keys(&self) -> impl Iterator<Item = (&[u8; 32], u64)> {
        self.files
            .retired_keys
            .iter()
            .map(|(key, index)| (key, *index))
    }

    /// The valid issuance at this index, if it is not older than [`REMEMBERED`] seconds.
    pub fn valid_issuance(&self, index: u64) -> Option<&Arc<ValidIssuance>> {
        let at = self
            .recent
            .binary_search_by_key(&index, |one| one.index)
            .ok()?;
        self.recent.get(at)
    }

    /// The epoch entry that the service should log now, if one is due: the current epoch where none is in force, and the
    /// next one from a quarter of an epoch before its start (so that it names the newest lists, with time to spare before
    /// the latest moment, a tenth).
    ///
    /// # Errors
    /// [`EpochUnavailable`] says what is missing for an epoch that is due.
    pub fn next_epoch_entry(&self, now: u64) -> Result<Option<Vec<u8>>, EpochUnavailable> {
        let time = now.max(self.last_time);
        let length = match self.authority() {
            Some(authority) => u64::from(authority.epoch_seconds),
            None => return Ok(None),
        };
        let Some(current) = time.checked_div(length) else {
            return Ok(None);
        };
        let number = match self.epoch_at(time) {
            None => current,
            Some(_) => current.saturating_add(1),
        };
        let start = number.saturating_mul(length);
        let above = self
            .files
            .last_epoch()
            .is_none_or(|last| number > last.epoch.number);
        let due = start <= time || start - time <= length / 4;
        let length = u32::try_from(length).map_err(|_| EpochUnavailable::Clock)?;
        if !above || !due || !epochs::timely(&self.files, start, length, time) {
            return Ok(None);
        }
        let epoch = epochs::compute(&self.files, number, self.size)?
            .in_force
            .epoch;
        Ok(Some(Entry::new(time, Body::Epoch(epoch)).encode()?))
    }

    /// What an epoch of this number would be if it were logged now, and which policies it would leave out, with reasons:
    /// for operators.
    ///
    /// # Errors
    /// [`EpochUnavailable`].
    pub fn preview_epoch(&self, number: u64) -> Result<(Epoch, Vec<LeftOut>), EpochUnavailable> {
        let computed = epochs::compute(&self.files, number, self.size)?;
        Ok((computed.in_force.epoch, computed.left_out))
    }
}
