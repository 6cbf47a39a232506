//! The `epoch` entry: what is in force in an epoch. Nobody signs it; it is valid by computation, and every signer, wallet
//! and auditor computes the same roots from the signed files that it names.
use std::collections::{BTreeMap, BTreeSet};

use tls_codec::{TlsDeserialize, TlsSerialize, TlsSize};

use crate::field::{self, Fr};
use crate::file::{FileError, IssuerSet, issuer_set::Issuer};
use crate::note::Digest;
use crate::policy::Policy;
use crate::schema::Schema;
use crate::tree::{self, RevocationTree};

/// The most policies in force in an epoch.
pub const MAX_POLICIES: usize = 128;
/// The most schemas in force in an epoch.
pub const MAX_SCHEMAS: usize = 128;
/// The most issuer sets in force in an epoch.
pub const MAX_ISSUER_SETS: usize = 128;
/// The most issuers, and so newest revocation lists, that one log knows.
pub const MAX_ISSUERS: usize = 1024;
/// The most earlier CRLs that an epoch names besides each CA's newest. With [`MAX_ISSUERS`] lists it still fits an entry.
pub const MAX_EARLIER_CRLS: usize = 256;
/// The most of them that are of one CA: none alone can use them up.
pub const MAX_EARLIER_CRLS_OF_ONE: usize = 128;
/// The most revoked handles of one log: a tree of 4^10 leaves, less the one it starts with.
pub const MAX_REVOKED: u32 = (1 << 20) - 1;

/// What is in force in an epoch. Files are named by their *object* digest, so that each is found under
/// `objects/<sha256>`; a policy also by its file digest, which challenges and issuances name.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Epoch {
    /// start ÷ length.
    pub number: u64,
    /// Unix seconds.
    pub start: u64,
    /// Seconds; it divides a day.
    pub length: u32,
    /// The `authority` file.
    pub authority: Digest,
    /// The `parameters` file.
    pub parameters: Digest,
    /// Id of the CA key that signs.
    pub ca_key: Digest,
    /// The key operation that its CA certificate is made from.
    pub ca_certificate: Digest,
    /// Schemas in force, by name ascending.
    #[tls_codec(with = "crate::epoch::list16")]
    pub schemas: Vec<Digest>,
    /// Issuer sets in force, by name ascending.
    #[tls_codec(with = "crate::epoch::list16")]
    pub issuer_sets: Vec<Digest>,
    /// Policies in force, by name ascending.
    #[tls_codec(with = "crate::epoch::list16")]
    pub policies: Vec<PolicyInForce>,
    /// The newest revocation list of each issuer that ever logged one, by the issuer's name ascending. An expired one
    /// still counts in the tree; its issuer is in no issuer root. Before a CA's newest CRL stand, in the order of logging, earlier
    /// ones with what later ones dropped: it stays revoked.
    #[tls_codec(with = "crate::epoch::list16")]
    pub revocation_lists: Vec<Digest>,
    /// Root of the tree of revoked handles.
    pub revocation_root: [u8; 32],
    /// How many handles it holds.
    pub revocation_count: u32,
}

/// A policy in force in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct PolicyInForce {
    /// File digest: SHA-256 of the signed text.
    pub policy: Digest,
    /// Object digest: SHA-256 of the signed note.
    pub object: Digest,
    /// Root over the origins of the issuers that the policy accepts in this epoch.
    pub issuer_root: [u8; 32],
}

impl Epoch {
    /// The first second that is not in the epoch.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.length))
    }

    /// Whether a time is in the epoch.
    pub fn contains(&self, time: u64) -> bool {
        self.start <= time && time < self.end()
    }

    /// The policy in force with this file digest.
    pub fn policy(&self, file_digest: &Digest) -> Option<&PolicyInForce> {
        self.policies.iter().find(|one| one.policy == *file_digest)
    }
}

/// Why an epoch is off the standard bounds.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BoundsError {
    /// The length is not the authority's, or does not divide a day.
    #[error("an epoch of this CA is {expected} s long, not {found} s")]
    Length {
        /// In the entry.
        found: u32,
        /// In the authority file.
        expected: u32,
    },
    /// The start is no multiple of the length, or the number not start ÷ length.
    #[error("epoch {number} does not start at number × length")]
    Start {
        /// In the entry.
        number: u64,
    },
}

/// Checks the standard bounds: the length is the authority's and divides a day, and number = start ÷ length.
///
/// # Errors
/// See [`BoundsError`].
pub fn check_bounds(
    number: u64,
    start: u64,
    length: u32,
    expected: u32,
) -> Result<(), BoundsError> {
    if length != expected || length == 0 || 86_400 % length != 0 {
        return Err(BoundsError::Length {
            found: length,
            expected,
        });
    }
    if number.checked_mul(u64::from(length)) != Some(start)
        || start.checked_add(u64::from(length)).is_none()
    {
        return Err(BoundsError::Start { number });
    }
    Ok(())
}

/// Why roots cannot be computed, or are not what the files give.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum RootError {
    /// No issuer of the set is accepted.
    #[error(
        "no issuer of the set is accepted for the policy: see their schemas and revocation lists"
    )]
    NoIssuer,
    /// The handles are not those of the lists.
    #[error(
        "the handles given are not those of the revocation lists that the epoch names; fetch them again or report the service"
    )]
    Handles,
    /// More handles than the tree holds.
    #[error("more than {MAX_REVOKED} handles are revoked; start a new log")]
    Full,
    /// An issuer's key does not decode.
    #[error("{0}")]
    File(String),
}

impl From<FileError> for RootError {
    fn from(error: FileError) -> Self {
        Self::File(error.to_string())
    }
}

/// The origins that a policy accepts: those of the issuers of its set whose schema is in force, agrees with the policy's
/// on every slot that the policy reads, and whose revocation list is `current` (logged, and unexpired at the epoch's
/// end). A policy with a scope takes no X.509 formats.
///
/// # Errors
/// [`RootError::File`] if a key does not decode (which no parsed issuer set holds).
pub fn accepted_origins(
    policy: &Policy,
    set: &IssuerSet,
    schemas: &BTreeMap<String, &Schema>,
    current: &dyn Fn(&Issuer) -> bool,
) -> Result<Vec<Fr>, RootError> {
    let Some(own) = schemas.get(&policy.schema) else {
        return Ok(Vec::new());
    };
    let slots = policy.slots_read();
    let mut origins = Vec::new();
    for issuer in &set.issuers {
        let Some(schema) = schemas.get(issuer.schema()) else {
            continue;
        };
        if current(issuer) && slots.iter().all(|slot| own.slot_agrees(schema, *slot)) {
            origins.push(issuer.origin(schema.rule())?);
        }
    }
    Ok(origins)
}

/// The issuer root of a policy, over [`accepted_origins`].
///
/// # Errors
/// [`RootError::NoIssuer`] if none is accepted: the policy is then not in force.
pub fn issuer_root(
    policy: &Policy,
    set: &IssuerSet,
    schemas: &BTreeMap<String, &Schema>,
    current: &dyn Fn(&Issuer) -> bool,
) -> Result<Fr, RootError> {
    let origins = accepted_origins(policy, set, schemas, current)?;
    if origins.is_empty() {
        return Err(RootError::NoIssuer);
    }
    tree::members_root(&origins, tree::ISSUER_SET_DEPTH).map_err(|_| RootError::NoIssuer)
}

/// The tree of revoked handles, rebuilt by whoever does not follow the log: `in_order` is an untrusted hint of the order
/// of insertion, which must name exactly the handles of the lists that the epoch names, in whatever order `named` has them.
///
/// # Errors
/// [`RootError::Handles`] if the hint has another handle, misses one or repeats one; [`RootError::Full`].
pub fn check_revocations(
    in_order: &[u64],
    named: impl IntoIterator<Item = u64>,
) -> Result<RevocationTree, RootError> {
    let named: BTreeSet<u64> = named.into_iter().collect();
    let given: BTreeSet<u64> = in_order.iter().copied().collect();
    if given.len() != in_order.len() || given != named {
        return Err(RootError::Handles);
    }
    let mut tree = RevocationTree::new();
    tree.extend(in_order).map_err(|_| RootError::Full)?;
    Ok(tree)
}

/// Root of a tree of revoked handles as the entry writes it.
pub fn encode_root(root: &Fr) -> [u8; 32] {
    field::to_bytes(root)
}

/// `#[tls_codec(with = …)]`: a list under a two-byte length.
pub(crate) mod list16 {
    use std::io::{Read, Write};

    use tls_codec::{Deserialize, Error, Serialize, Size, TlsSliceU16, TlsVecU16};

    pub(crate) fn tls_serialized_len<T: Size>(list: &[T]) -> usize {
        list.iter().map(Size::tls_serialized_len).sum::<usize>() + 2
    }

    pub(crate) fn tls_serialize<T: Serialize + std::fmt::Debug, W: Write>(
        list: &[T],
        writer: &mut W,
    ) -> Result<usize, Error> {
        TlsSliceU16(list).tls_serialize(writer)
    }

    pub(crate) fn tls_deserialize<T: Deserialize + Serialize + Size + std::fmt::Debug, R: Read>(
        reader: &mut R,
    ) -> Result<Vec<T>, Error> {
        TlsVecU16::tls_deserialize(reader).map(TlsVecU16::into_vec)
    }
}
