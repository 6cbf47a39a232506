//! Messages of runs that nodes do together: key generation, resharing, repair.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

pub use bauta_statement::run::{DkgRound1, DkgRun};

use super::{Bytes, DecodeError, Digest, MAX_SIGNERS, bound, name, part};

/// Begin what a logged key operation orders: generating a key, sharing one anew, repairing a share. The messages of all
/// these runs have the same form; the run's name says which operation, and the node reads there what is to be done.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgStart {
    /// Which run: a failed run is repeated under another random name, and nothing of it is mixed with another.
    pub run: DkgRun,
    /// C2SP tlog-proof of the entry that names the operation's file, under q cosignatures.
    pub proof: Bytes,
}

/// All round-1 messages, one per participant.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgRound1s {
    /// Which run.
    pub run: DkgRun,
    /// In order of name.
    pub round1: Vec<DkgRound1>,
}

/// One secret share, sealed by HPKE so that the coordinator does not read it.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct SealedPackage {
    /// For whom.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub to: String,
    /// HPKE encapsulated key.
    pub encapsulated: Bytes,
    /// The sealed share, or part of one.
    pub ciphertext: Bytes,
}

/// A node's second message, or its third of a repair, signed by its approval key.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgRound2 {
    /// Which run.
    pub run: DkgRun,
    /// The node.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub name: String,
    /// Echo: hash of all round-1 messages as this node saw them.
    pub echo: Digest,
    /// One sealed share for each other node that gets one.
    pub packages: Vec<SealedPackage>,
    /// Ed25519 by the node's approval key, over all of the above.
    pub signature: [u8; 64],
}

/// All round-2 messages, one per participant.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgRound2s {
    /// Which run.
    pub run: DkgRun,
    /// In order of name.
    pub round2: Vec<DkgRound2>,
}

/// A node's signature on the next authority file, which holds the group key and the new verifying shares. It is given
/// after the share is durable.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgAgreement {
    /// Which run.
    pub run: DkgRun,
    /// The group key.
    pub group_key: [u8; 32],
    /// The authority file's signed text, as every node computes it.
    pub text: Bytes,
    /// Ed25519 by the node's approval key over `text`, which becomes a line of the signed note.
    pub signature: [u8; 64],
}

/// Checks the bounds of its fields.
pub(super) fn check_round1(message: &DkgRound1) -> Result<(), DecodeError> {
    name(&message.name)?;
    part(&message.package, "round-1 package")
}

impl DkgRound2 {
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        name(&self.name)?;
        bound(self.packages.len() <= MAX_SIGNERS, "participants")?;
        self.packages.iter().try_for_each(|package| {
            name(&package.to)?;
            part(&package.encapsulated, "encapsulated key")?;
            part(&package.ciphertext, "sealed package")
        })
    }
}
