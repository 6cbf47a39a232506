//! What a node remembers beside its log, row by row: what was settled, and what the other signers said. The store keeps
//! the rows as they are; what they mean is read here and in the files that write them.

use bauta_statement::approval::ApprovalPublicKey;

/// The name of a row. A later value replaces the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Memory {
    /// The checkpoint that settled a change of signers, under q cosignatures of the old and q of the new: numbered from
    /// 0, in the order of the log. There is one for each change that administrators signed.
    Settled(u64),
    /// The largest checkpoint on which this node saw the valid cosignature of the signer with this approval key, with
    /// that line: proof of what the signer held. One row per signer that an authority named.
    Seen(ApprovalPublicKey),
    /// This node's own starts under this approval key.
    Starts(ApprovalPublicKey),
    /// The largest head that this node has cosigned: it may hold more.
    Cosigned,
    /// The newest start of the signer with this approval key that this node welcomed.
    Peer(ApprovalPublicKey),
    /// Proof that this node, under this approval key, is not what it was: it signs nothing any more.
    Out(ApprovalPublicKey),
}

impl Memory {
    /// The row's name in a store.
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Settled(number) => [&[1][..], &number.to_be_bytes()].concat(),
            Self::Seen(approval) => [&[2][..], approval.as_bytes()].concat(),
            Self::Starts(approval) => [&[3][..], approval.as_bytes()].concat(),
            Self::Cosigned => vec![4],
            Self::Peer(approval) => [&[5][..], approval.as_bytes()].concat(),
            Self::Out(approval) => [&[6][..], approval.as_bytes()].concat(),
        }
    }
}
