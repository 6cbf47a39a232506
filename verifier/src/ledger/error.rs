//! What the ledger refuses, and why: [`Refusal`] for entries that must not be in a log at all, [`InvalidIssuance`] for
//! issuances that may stay there and earn nothing.
use bauta_statement::crl::CrlError;
use bauta_statement::entry::EntryError;
use bauta_statement::epoch::{BoundsError, MAX_EARLIER_CRLS, MAX_EARLIER_CRLS_OF_ONE, RootError};
use bauta_statement::file::revocation_list::MAX_QUOTA;
use bauta_statement::file::{FileError, Kind};
use bauta_statement::note::{Digest, NoteError};

use crate::presentation::Refusal as PresentationRefusal;

/// Why an entry that is no issuance is not valid. A head with such an entry gets no cosignature, and the log goes back to
/// the last head that has q.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes are no entry.
    #[error("the entry does not decode: {0}")]
    Entry(#[from] EntryError),
    /// The object that it names is not here (yet): fetch it, then append again.
    #[error("object {} is missing; fetch it from objects/ first", data_encoding::HEXLOWER.encode(.0))]
    MissingObject(Digest),
    /// The object's bytes are not those that the entry names.
    #[error("object {} has other bytes than the entry names", data_encoding::HEXLOWER.encode(.0))]
    WrongObject(Digest),
    /// The object is no signed file.
    #[error("the file is refused: {0}")]
    File(#[from] FileError),
    /// Those who must sign did not.
    #[error("the file is not signed by {who}: {source}")]
    Unsigned {
        /// Who must sign.
        who: &'static str,
        /// What is missing or wrong.
        source: NoteError,
    },
    /// The first entry is no `authority`, or another than the pinned one.
    #[error("the log does not begin with the pinned authority")]
    NotPinned,
    /// Version 1 of `authority` may not have CA keys.
    #[error("the first authority has version 1 and no CA keys")]
    FirstAuthority,
    /// What the makers of a key or sharing committed to does not give it.
    #[error("the transcript of the key's making is refused: {0}")]
    Transcript(String),
    /// A custodian could have enough backups to make the key.
    #[error(
        "custodian {custodian:?} would keep, with what it may have from before, backups of t shares of {key:?}: refresh the key first, or give it fewer signers"
    )]
    Custody {
        /// Which custodian.
        custodian: String,
        /// Which CA key.
        key: String,
    },
    /// A file of another trust domain.
    #[error("the file is for trust domain {0:?}, not this log's")]
    TrustDomain(String),
    /// The entry's kind is not the file's.
    #[error("a {0:?} file does not belong into an entry of this kind")]
    WrongKind(Kind),
    /// Time went back.
    #[error("the entry's time {time} is before {last}, that of the last valid entry")]
    TimeBack {
        /// The entry's time.
        time: u64,
        /// Time of the last valid entry.
        last: u64,
    },
    /// Versions only go up.
    #[error("version {found} of {name:?} is not above version {last}; versions only go up")]
    Version {
        /// The file's name.
        name: String,
        /// Its version.
        found: u64,
        /// The newest version in the log.
        last: u64,
    },
    /// The file has expired.
    #[error("{name:?} expired at {expires}, before the entry's time")]
    Expired {
        /// The file's name.
        name: String,
        /// Its expiry.
        expires: u64,
    },
    /// The name was retired by a tombstone.
    #[error("{name:?} was retired by a tombstone; take a name that was never used")]
    Retired {
        /// The retired name.
        name: String,
    },
    /// An authority change that is not allowed.
    #[error("the authority may not change so: {0}")]
    AuthorityChange(&'static str),
    /// A CA key that no key operation asked for, or not so.
    #[error("the new CA key does not follow from its key operation: {0}")]
    CaKey(&'static str),
    /// A key operation that does not fit the authority in force.
    #[error("the key operation does not fit the authority: {0}")]
    KeyOperation(&'static str),
    /// A policy that may not be in force here.
    #[error("the policy is refused: {0}")]
    Policy(String),
    /// An issuer set that contradicts the log.
    #[error("the issuer set is refused: {0}")]
    IssuerSet(String),
    /// A revocation list of nobody known.
    #[error("no logged issuer set has an issuer {0:?}")]
    UnknownIssuer(String),
    /// A revocation list for another key than its issuer's.
    #[error(
        "the revocation list of {0:?} is for another key than the issuer sets name; an issuer revokes only its own"
    )]
    ForeignKey(String),
    /// A revocation list that does not begin with the serials of the one before.
    #[error("the revocation list of {0:?} does not begin with the serials of its last version")]
    NotAppended(String),
    /// A revocation list beyond its issuer's quota.
    #[error("the revocation list of {name:?} has {found} serials; its quota is {quota}")]
    Quota {
        /// The issuer.
        name: String,
        /// Serials in the list.
        found: usize,
        /// Serials allowed.
        quota: u32,
    },
    /// A CRL that says itself that it is no complete list.
    #[error("{0}")]
    Crl(#[from] CrlError),
    /// A CRL of nobody known.
    #[error(
        "no X.509 CA of a logged issuer set has the key that signed this CRL; log an issuer set with the CA's key (`bauta issuer x509` prints it), or have that key sign the CRL"
    )]
    UnknownCa,
    /// A CRL that its CA's place in this log does not allow.
    #[error("the CRL of {name:?} is refused: {reason}")]
    CrlOf {
        /// The issuer.
        name: String,
        /// Why.
        reason: CrlRefusal,
    },
    /// A signed note in place of a CRL.
    #[error("the issuer {0:?} is an X.509 CA, whose revocation list is its CRL; log that, in DER")]
    NoCrl(String),
    /// Verifying keys that may not be used.
    #[error("the parameters are refused: {0}")]
    Parameters(String),
    /// Too many of a kind for an epoch entry to name.
    #[error("more than {1} {0} would be in force; retire some by tombstones")]
    TooMany(&'static str, usize),
    /// An epoch off the standard bounds.
    #[error("the epoch is off its bounds: {0}")]
    Bounds(#[from] BoundsError),
    /// Epoch numbers only go up.
    #[error("epoch {number} is not above the last one, {last}")]
    EpochNumber {
        /// The entry's number.
        number: u64,
        /// The last logged number.
        last: u64,
    },
    /// An epoch logged too early or too late.
    #[error(
        "an epoch is logged between a tenth of its length and its length before its start, or, where none is in force, while it runs; {time} is neither for the one that starts at {start}"
    )]
    EpochTime {
        /// The entry's time.
        time: u64,
        /// The epoch's start.
        start: u64,
    },
    /// Nothing can be in force.
    #[error("no epoch can be in force: {0}")]
    EpochUnavailable(#[from] EpochUnavailable),
    /// The epoch names other files or roots than the log gives.
    #[error("the epoch's {0} is not what the log gives")]
    EpochContent(&'static str),
}

/// Why a CA's CRL may not be logged now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlRefusal {
    /// From the future.
    #[error(
        "its thisUpdate {this_update} is more than 120 s after the entry's time {time}; correct the CA's clock, or log it later"
    )]
    Early {
        /// Unix seconds.
        this_update: u64,
        /// The entry's time.
        time: u64,
    },
    /// Past its nextUpdate.
    #[error(
        "its nextUpdate {next_update} is not after the entry's time {time}; log the CA's newest CRL, or have it issue one"
    )]
    Expired {
        /// Unix seconds.
        next_update: u64,
        /// The entry's time.
        time: u64,
    },
    /// An older CRL, or another of the same number.
    #[error(
        "its cRLNumber {found} is not above {last}, that of the last logged one; log a newer CRL of the CA"
    )]
    Number {
        /// Its cRLNumber.
        found: u64,
        /// Of the last logged one.
        last: u64,
    },
    /// More serials than the issuer may revoke.
    #[error(
        "with it the CA has revoked {found} serials in this log, those included that have left its CRLs since, and its quota is {quota}; log an issuer set with a higher quota (at most {MAX_QUOTA})"
    )]
    Quota {
        /// Serials revoked with it.
        found: usize,
        /// Serials allowed.
        quota: u32,
    },
    /// More earlier CRLs than an epoch can name would be needed.
    #[error(
        "it drops what only earlier CRLs have, and an epoch names at most {MAX_EARLIER_CRLS_OF_ONE} earlier CRLs of one CA and {MAX_EARLIER_CRLS} of all; have the CA keep expired certificates on its CRLs, or begin the next log"
    )]
    Drops,
}

/// What is missing for an epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EpochUnavailable {
    /// No authority, or an expired one.
    #[error(
        "the authority file expires before the epoch ends; let the administrators sign a new version"
    )]
    Authority,
    /// No parameters, or expired ones.
    #[error("no unexpired parameters file is logged")]
    Parameters,
    /// No issuing key with a certificate that is good for the whole epoch.
    #[error(
        "no issuing CA key has a logged certificate operation that covers the epoch; run `bauta ca init` or `bauta ca rotate`"
    )]
    Ca,
    /// No time is representable.
    #[error("the clock is out of range")]
    Clock,
    /// What is in force does not fit an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A root cannot be computed.
    #[error("{0}")]
    Root(#[from] RootError),
    /// The verifying keys do not make a policy's context.
    #[error("policy {name:?} cannot be verified under the parameters: {reason}")]
    Context {
        /// The policy.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Why an issuance is not valid. It stays in the log as the service's fault, earns no share, and spends nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIssuance {
    /// It does not fit an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// No such epoch, or one gone by.
    #[error("epoch {0} is not in force; prepare for the current one")]
    Epoch(u64),
    /// The time is outside the epoch that it names.
    #[error("the entry's time {time} is outside epoch {epoch}; show again")]
    TimeOutsideEpoch {
        /// The entry's time.
        time: u64,
        /// The epoch named.
        epoch: u64,
    },
    /// Time went back.
    #[error("the entry's time {time} is before {last}, that of the last valid entry")]
    TimeBack {
        /// The entry's time.
        time: u64,
        /// Time of the last valid entry.
        last: u64,
    },
    /// The policy is not in force in the epoch.
    #[error("the policy is not in force in this epoch; fetch the policies again")]
    UnknownPolicy,
    /// The policy, its schema or its issuer set was retired.
    #[error("{0:?} was retired by a tombstone")]
    Retired(String),
    /// The CA key is not the one in force.
    #[error("the CA key is not in force in this epoch")]
    CaKey,
    /// The certificate would not fit into the CA certificate's validity.
    #[error("the certificate would not be within the CA certificate's validity")]
    OutsideCa,
    /// The key is none that may be certified.
    #[error("the public key is refused: {0}")]
    Key(String),
    /// The policy does not certify this type of key.
    #[error("the policy does not certify keys of type {0}")]
    KeyType(String),
    /// Past the challenge's expiry.
    #[error("the challenge expired at {expiry}, before the entry's time {time}; show again")]
    ChallengeExpired {
        /// The challenge's expiry.
        expiry: u64,
        /// The entry's time.
        time: u64,
    },
    /// More than 5 minutes before the challenge's expiry.
    #[error("the challenge's expiry {expiry} is more than 300 s after the entry's time {time}")]
    ChallengeEarly {
        /// The challenge's expiry.
        expiry: u64,
        /// The entry's time.
        time: u64,
    },
    /// The nonce was spent.
    #[error("the challenge's nonce is spent; ask for a new challenge")]
    NonceSpent,
    /// The nullifier was spent on another key or policy.
    #[error(
        "the nullifier is spent on another key or policy; show with the next counter, or wait for the next period"
    )]
    NullifierSpent,
    /// The presentation does not decode.
    #[error("{0}")]
    Decode(#[from] bauta_statement::presentation::DecodeError),
    /// The presentation does not verify.
    #[error("the presentation is refused: {0}")]
    Presentation(#[from] PresentationRefusal),
}
