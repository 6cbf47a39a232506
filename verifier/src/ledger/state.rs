//! What the files and epochs of a log have set so far. It changes rarely and is shared by reference: a [`super::Mark`]
//! keeps the state before by keeping the reference.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bauta_statement::entry::ObjectRef;
use bauta_statement::epoch::Epoch;
use bauta_statement::file::authority::CaKey;
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::key_operation::SignCaCertificate;
use bauta_statement::file::{Authority, Header, IssuerSet, KeyOperation, Kind, Parameters};
use bauta_statement::note::Digest;
use bauta_statement::policy::{Policy, RelationName};
use bauta_statement::schema::Schema;
use bauta_statement::tree::RevocationTree;

use super::revocations::IssuerLists;
use crate::keys::Keys;
use crate::presentation::PolicyContext;

/// A logged signed file.
#[derive(Debug)]
pub struct Logged<T> {
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: Arc<T>,
    /// SHA-256 of the signed text.
    pub digest: Digest,
    /// The note, under `objects/`.
    pub object: ObjectRef,
    /// Index of its entry.
    pub index: u64,
}

impl<T> Clone for Logged<T> {
    fn clone(&self) -> Self {
        Self {
            header: self.header.clone(),
            body: Arc::clone(&self.body),
            digest: self.digest,
            object: self.object,
            index: self.index,
        }
    }
}

impl<T> Logged<T> {
    /// Whether the file still counts at `end`.
    pub(super) fn lasts(&self, end: u64) -> bool {
        self.header.expires >= end
    }
}

/// The parameters in force with their decoded keys.
#[derive(Clone)]
pub(super) struct LoggedParameters {
    pub(super) file: Logged<Parameters>,
    pub(super) keys: Arc<Keys>,
    /// Digest by which policies name each relation's key.
    pub(super) digests: BTreeMap<RelationName, Digest>,
}

/// The CA of an epoch: its key and what its certificate is made from.
#[derive(Debug)]
pub struct CaInForce {
    /// The key.
    pub key: CaKey,
    /// What its certificate says.
    pub certificate: SignCaCertificate,
    /// File digest of the key operation.
    pub operation: Digest,
}

/// A policy in force in an epoch, with everything that verifies presentations for it.
pub struct PolicyInEpoch {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its file digest.
    pub digest: Digest,
    /// Public inputs and verifying keys, precomputed.
    pub context: PolicyContext,
}

/// An epoch that the log named.
pub struct EpochInForce {
    /// The entry's body.
    pub epoch: Epoch,
    /// Index of the entry.
    pub index: u64,
    /// The authority that it names.
    pub authority: Arc<Authority>,
    /// The CA that signs in it.
    pub ca: Arc<CaInForce>,
    /// Policies by file digest.
    pub policies: BTreeMap<Digest, Arc<PolicyInEpoch>>,
}

impl EpochInForce {
    /// The policy of this name.
    pub fn policy_named(&self, name: &str) -> Option<&Arc<PolicyInEpoch>> {
        self.policies.values().find(|one| one.policy.name == name)
    }
}

/// Everything but nonces and nullifiers.
#[derive(Clone, Default)]
pub(super) struct Files {
    pub(super) authority: Option<Logged<Authority>>,
    /// File digest of the first authority.
    pub(super) first_authority: Option<Logged<Authority>>,
    /// Authorities since the last head that had its quorums, that one's first: a head needs q of each.
    pub(super) quorums: Vec<Arc<Authority>>,
    pub(super) parameters: Option<LoggedParameters>,
    pub(super) policies: BTreeMap<String, Logged<Policy>>,
    /// The period of each scope that a logged policy ever named.
    pub(super) periods: BTreeMap<String, u64>,
    pub(super) schemas: BTreeMap<String, Logged<Schema>>,
    pub(super) issuer_sets: BTreeMap<String, Logged<IssuerSet>>,
    pub(super) operations: BTreeMap<String, Logged<KeyOperation>>,
    /// Key operations that made a key, and names of the keys: neither is used twice.
    pub(super) used_operations: BTreeSet<Digest>,
    pub(super) used_key_names: BTreeSet<String>,
    /// Who may have which backups.
    pub(super) custody: super::custody::Custody,
    /// CA keys that an authority took away, with the index of its entry. None ever comes back.
    pub(super) retired_keys: BTreeMap<[u8; 32], u64>,
    /// What the newest logged set says of each issuer.
    pub(super) issuers: BTreeMap<String, Arc<Issuer>>,
    /// What counts of each issuer's revocation lists.
    pub(super) lists: BTreeMap<String, IssuerLists>,
    pub(super) tombstones: BTreeSet<(Kind, String)>,
    pub(super) revoked: Arc<RevocationTree>,
    /// Handles in order of insertion.
    pub(super) handles: Arc<Vec<u64>>,
    /// The last epochs, oldest first: those that may be in force or come next.
    pub(super) epochs: Vec<Arc<EpochInForce>>,
}

impl Files {
    pub(super) fn retired(&self, kind: Kind, name: &str) -> bool {
        self.tombstones.contains(&(kind, name.to_owned()))
    }

    /// Key operations that were not retired.
    pub(super) fn key_operations(&self) -> impl Iterator<Item = &Logged<KeyOperation>> {
        self.operations
            .values()
            .filter(|one| !self.retired(Kind::KeyOperation, &one.header.name))
    }

    pub(super) fn epoch_at(&self, time: u64) -> Option<&Arc<EpochInForce>> {
        self.epochs
            .iter()
            .rev()
            .find(|one| one.epoch.contains(time))
    }

    pub(super) fn last_epoch(&self) -> Option<&Arc<EpochInForce>> {
        self.epochs.last()
    }
}
