//! What the protocol asks of the rules: which entries are valid, who the signers are, what is to be signed. The
//! answers are functions of the log alone, so that honest nodes never differ; clocks stay outside, with the node.

use bauta_log::{CosignatureVerifier, CosignedCheckpoint, Edge, LogPolicy, LoggedEntry};
use bauta_statement::{approval::ApprovalPublicKey, certificate::Shape};
use thiserror::Error;

use crate::{
    attended::Order,
    keys::PublicShares,
    memory::Memory,
    messages::{Digest, GroupKey, SharedKey, Slot},
    order::RunOrder,
};

/// The objects that entries name, by SHA-256.
pub trait Objects {
    /// The object, if it is held.
    fn object(&self, digest: &Digest) -> Option<Vec<u8>>;
}

/// What a node's store answers.
pub trait Store: Objects {
    /// The entry at `index`, if it is held.
    fn entry(&self, index: u64) -> Option<Vec<u8>>;
    /// The TBS digest that this entry is bound to ([`crate::node::Record::Bound`]).
    fn bound(&self, index: u64) -> Option<Digest>;
    /// Is this nonce recorded as spent ([`crate::node::Record::Burnt`])?
    fn burnt(&self, key: &SharedKey, slot: &Slot) -> bool;
    /// What was remembered under this name ([`crate::node::Record::Remember`]).
    fn remembered(&self, name: &Memory) -> Option<Vec<u8>>;
    /// The root that the stored log had at `size`, if so many entries are held. A store that keeps tiles answers from
    /// them; nothing rests on the answer but whether another signer's head is part of this log.
    fn root_at(&self, size: u64) -> Option<Digest> {
        const CHUNK: u64 = 1024;
        let mut edge = Edge::new();
        while edge.size() < size {
            let first = edge.size();
            let entries = (first..size.min(first + CHUNK))
                .map(|index| self.entry(index))
                .collect::<Option<Vec<_>>>()?;
            (edge, _) = edge.extend(&entries).ok()?;
        }
        Some(edge.root())
    }
}

/// Who signs under one authority.
#[derive(Debug, Clone)]
pub struct AuthoritySigners {
    /// q: how many of them cosign a head.
    pub quorum: usize,
    /// All of them.
    pub signers: Vec<SignerKeys>,
}

/// A signer's public keys.
#[derive(Debug, Clone)]
pub struct SignerKeys {
    /// Its name.
    pub name: String,
    /// Its Ed25519 approval key: who it is, for the other signers.
    pub approval: ApprovalPublicKey,
    /// Its cosignature key.
    pub cosignature: CosignatureVerifier,
}

/// How an entry was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// A valid issuance, of this time (Unix seconds).
    ValidIssuance {
        /// The entry's time.
        time: u64,
    },
    /// An issuance that earns no share; it stays in the log and halts nothing.
    InvalidIssuance {
        /// Why.
        reason: String,
    },
    /// A valid entry of another kind.
    Other,
}

/// Why entries cannot be appended.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ExtendError {
    /// Objects that the entries name are not held.
    #[error("{} objects that the entries name are missing", .0.len())]
    Missing(Vec<Digest>),
    /// An entry other than an issuance is not valid: no head that holds it is cosigned.
    #[error("entry {index} is not valid: {reason}")]
    Invalid {
        /// Which entry.
        index: u64,
        /// Why.
        reason: String,
    },
}

/// Why nothing is signed for an entry.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RuleError {
    /// The entry earns no certificate.
    #[error("entry {index} earns no certificate: {reason}")]
    Earns {
        /// Which entry.
        index: u64,
        /// Why.
        reason: String,
    },
    /// What travels beside the entry (CSR, openings) does not belong to it.
    #[error("what came with entry {index} does not belong to it: {reason}")]
    Beside {
        /// Which entry.
        index: u64,
        /// Why.
        reason: String,
    },
    /// No such key operation.
    #[error("no key operation of this kind at entry {index}: {reason}")]
    Operation {
        /// Which entry.
        index: u64,
        /// Why.
        reason: String,
    },
}

/// What is signed for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToBeSigned {
    /// DER of the TBSCertificate, or of the CertificationRequestInfo.
    pub tbs: Vec<u8>,
    /// Which of the two the entry orders: the node looks at the bytes itself.
    pub shape: Shape,
    /// The entry's time, where it is bound to the clock (an issuance); a key operation is not.
    pub time: Option<u64>,
    /// The name of an issuance's policy; a key operation has none.
    pub policy: Option<String>,
}

/// What is asked beside an entry.
#[derive(Debug, Clone, Copy)]
pub struct CertificateRequest<'a> {
    /// The CSR (DER); empty for a key operation.
    pub csr: &'a [u8],
    /// The openings, encoded; empty for a key operation or where nothing is disclosed.
    pub openings: &'a [u8],
    /// The key that is to sign.
    pub group_key: GroupKey,
    /// Unix seconds: whether a key operation has expired.
    pub now: u64,
}

/// The rules of the log: the state that its entries give, and the questions that a node asks of it.
pub trait Rulebook {
    /// Appends `entries` in order: all of them, or none. An invalid issuance is appended; any other invalid entry, or
    /// a missing object, leaves the rulebook as it was.
    fn extend(
        &mut self,
        entries: &[Vec<u8>],
        objects: &dyn Objects,
    ) -> Result<Vec<Ruling>, ExtendError>;

    /// How many entries have been appended.
    fn size(&self) -> u64;

    /// The time that an entry claims (Unix seconds), if its kind bears one; asked before it is judged.
    fn claimed_time(&self, entry: &[u8]) -> Option<u64>;

    /// Whose cosignatures a proof needs: all of these policies must be satisfied. There is none while no authority is
    /// logged, and more than one while a change of authority waits for its quorums.
    fn log_policies(&self) -> Vec<LogPolicy>;

    /// Who signs, under each authority that [`Self::log_policies`] speaks of and in the same order: the one that is
    /// settled first, the newest last.
    fn authorities(&self) -> Vec<AuthoritySigners>;

    /// Does the log's first authority name a signer with this approval key?
    fn is_founder(&self, approval: &ApprovalPublicKey) -> bool;

    /// While a change of signers waits for its quorums: the smallest size of a head that holds it.
    fn unsettled(&self) -> Option<u64>;

    /// A checkpoint of this very log satisfied all of [`Self::log_policies`]: what it covers is settled.
    fn quorum_seen(&mut self, checkpoint: &CosignedCheckpoint);

    /// Public sides of all CA keys in force.
    fn keys(&self) -> Vec<PublicShares>;

    /// Does something besides a change of signers wait for a head with its quorums (the erasure of retired keys)? While
    /// nothing does, published checkpoints are not counted again.
    fn awaits_quorum(&self) -> bool;

    /// CA keys that an authority took away for good, under a head that has its quorums: shares of them are erased.
    fn retired_keys(&self) -> Vec<GroupKey>;

    /// Index of the authority entry that put the keys in force.
    fn authority_index(&self) -> Option<u64>;

    /// What entry `index` has the nodes do together, if it is such a key operation, unexpired at `now`, and not done yet.
    fn run_order(&self, index: u64, operation: &Digest, now: u64) -> Result<RunOrder, RuleError>;

    /// Key operations that are logged, unexpired at `now` and order a signature, a key or new shares, in the order of the log:
    /// what a node's holder is shown.
    fn orders(&self, now: u64) -> Vec<Order>;

    /// The text of the authority file that records the key just made, or its new sharing: the one in force, and that, with
    /// the hash of the run's transcript.
    fn next_authority(
        &self,
        operation: &Digest,
        key: &PublicShares,
        transcript: &Digest,
    ) -> Result<String, RuleError>;

    /// What is to be signed for a logged entry: the certificate that a valid issuance earns (its CSR and openings
    /// checked), or the CA certificate or request that a key operation orders.
    fn to_be_signed(
        &self,
        index: u64,
        logged: &LoggedEntry,
        request: &CertificateRequest<'_>,
    ) -> Result<ToBeSigned, RuleError>;
}
