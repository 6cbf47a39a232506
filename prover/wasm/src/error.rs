//! Why the module does not do what it was asked: one enum, since JavaScript sees the text alone. Each text names who is at
//! fault and what helps.

use bauta_prover::keys::KeyError;
use bauta_prover::prepare::PrepareError;
use bauta_prover::show::ShowError;
use bauta_prover::wallet::WalletError;
use bauta_setup::LoadError;
use bauta_statement::challenge::ChallengeError;
use bauta_statement::csr::RequestError;
use bauta_statement::epoch::BoundsError;
use bauta_statement::file::FileError;
use bauta_statement::tree::TreeError;
use bauta_statement::verifying_key::KeyDecodeError;

/// Why the module refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No `crypto.getRandomValues`.
    #[error(
        "there is no randomness: crypto.getRandomValues is missing or fails here; use a current browser, or Node 20 or later"
    )]
    Randomness,
    /// A name that is no relation's.
    #[error("{0:?} is no relation; name one of possession-native, policy, nullifier")]
    Relation(String),
    /// A parameter set.
    #[error(transparent)]
    Parameters(#[from] LoadError),
    /// A key that hides nothing, or not the relation's.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The bytes of a verifying key.
    #[error(transparent)]
    VerifyingKey(#[from] KeyDecodeError),
    /// A relation whose parameters were not given.
    #[error("the parameters of {0} were not given; fetch them and add them")]
    NoParameters(&'static str),
    /// A key that the epoch does not name.
    #[error(
        "the parameters of {relation} are not those that the epoch names ({named}); fetch the CA's parameters"
    )]
    OtherParameters {
        /// The relation.
        relation: &'static str,
        /// Digest of the verifying key that the epoch names; or nothing.
        named: String,
    },
    /// The policy names other keys than the epoch.
    #[error(
        "the policy names other parameters for {0} than the epoch's; do not prove for this service"
    )]
    PolicyParameters(String),
    /// Development parameters in production.
    #[error(
        "the parameters are of a development set, with which anyone can forge, and this CA is in production; do not prove for this service"
    )]
    DevelopmentParameters,
    /// The bytes are no epoch entry.
    #[error("the entry is not an epoch's ({0}); fetch it again, then report the service")]
    Entry(String),
    /// An epoch off the standard bounds.
    #[error("{0}; do not prove for this service")]
    Bounds(#[from] BoundsError),
    /// Another time than the epoch's.
    #[error(
        "epoch {number} is not in force at {now} (Unix seconds); correct this machine's clock, or fetch the epoch of now"
    )]
    Epoch {
        /// The epoch's number.
        number: u64,
        /// The host's time.
        now: u64,
    },
    /// A file that the epoch does not name.
    #[error(
        "the {0} file is not the one that the epoch names; fetch it again, then report the service"
    )]
    Object(&'static str),
    /// A file that cannot be read, or of another type.
    #[error("the {what} file is malformed ({reason}); report the service")]
    File {
        /// Which.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A file that ends before the epoch, or is for another trust domain.
    #[error("the {what} file {reason}; report the service")]
    Unfit {
        /// Which.
        what: &'static str,
        /// What does not fit.
        reason: &'static str,
    },
    /// The trees made from what was given have other roots than the epoch.
    #[error("{0} given are not those of the epoch; fetch them again, then report the service")]
    Root(&'static str),
    /// A list that makes no tree.
    #[error("{what} make no tree ({source}); fetch them again")]
    Tree {
        /// Which list.
        what: &'static str,
        /// Why.
        source: TreeError,
    },
    /// The wallet's bytes.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The credential does not meet the policy.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A predicate that does not hold, by the attribute's name.
    #[error(
        "the credential does not meet what policy {policy:?} asks of {attribute:?}; use a credential that does, or another policy"
    )]
    Unmet {
        /// The policy's name.
        policy: String,
        /// The attribute's name in the schema.
        attribute: String,
    },
    /// No proof was made.
    #[error("{0}")]
    Unproved(String),
    /// A use of a policy that counts none, or beyond its bound.
    #[error("policy {policy:?} {reason}")]
    Use {
        /// The policy's name.
        policy: String,
        /// What is wrong.
        reason: String,
    },
    /// A proof that was not made.
    #[error("the wallet has no {0} proof for this; prove it first")]
    Missing(&'static str),
    /// A show that cannot be made.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// A challenge that is refused.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// A challenge that is good for longer than any may be: its expiry is logged, and would be a mark.
    #[error(
        "the challenge expires at {0} (Unix seconds), later than any may; correct this machine's clock, or do not prove for this service"
    )]
    LongChallenge(u64),
    /// The key to be certified.
    #[error("the key to be certified is refused: {0}")]
    PublicKey(#[from] RequestError),
    /// A disclosed attribute that the credential does not have.
    #[error(
        "the policy discloses slot {0}, which the credential does not have; use another credential"
    )]
    Absent(u8),
}

impl Refusal {
    pub(crate) fn file(what: &'static str) -> impl Fn(FileError) -> Self {
        move |error| Self::File {
            what,
            reason: error.to_string(),
        }
    }
}
