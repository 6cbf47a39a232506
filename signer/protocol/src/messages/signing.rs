//! Messages of signing: nonces, requests, shares, and the payload of FROST-Ed25519.

use tls_codec::{
    DeserializeBytes as _, Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize,
};

use super::{Bytes, DecodeError, Digest, MAX_SIGNERS, SharedKey, bound, name};

/// One FROST commitment pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Commitment {
    /// To the hiding nonce.
    pub hiding: [u8; 32],
    /// To the binding nonce.
    pub binding: [u8; 32],
}

/// One nonce of one boot of a node: used once, then never again.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    TlsSerialize,
    TlsDeserializeBytes,
    TlsSize,
)]
pub struct Slot {
    /// The boot it belongs to.
    pub boot: [u8; 16],
    /// Its number.
    pub number: u64,
}

/// Commitments to nonces that the node holds in memory.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct NonceCommitments {
    /// For which key, in which sharing.
    pub key: SharedKey,
    /// The boot they belong to.
    pub boot: [u8; 16],
    /// Each with its slot's number.
    pub commitments: Vec<NumberedCommitment>,
}

/// A commitment and its slot's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct NumberedCommitment {
    /// The slot's number.
    pub number: u64,
    /// The commitment.
    pub commitment: Commitment,
}

/// Ask for a share of the certificate that one logged entry earns: an issuance, or a key operation that has a CA
/// certificate signed; or, of a sharing that is not in force yet, for a share over the authority file that would put it
/// in force.
///
/// `scheme`, `round` and `payload` belong to the signature scheme: FROST-Ed25519 is scheme 1, has one round, and its
/// payload is a [`FrostPackage`]. A scheme of several rounds repeats the request with the same session and the next round.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct SignRequest {
    /// Random; names this try.
    pub session: [u8; 16],
    /// Index of the entry.
    pub index: u64,
    /// C2SP tlog-proof of the entry, under q cosignatures.
    pub proof: Bytes,
    /// The certificate signing request (DER), for an issuance.
    pub csr: Bytes,
    /// The openings of disclosed attributes, as the statement crate encodes them.
    pub openings: Bytes,
    /// Which key signs, in which sharing.
    pub key: SharedKey,
    /// SHA-256 of what is to be signed, as the coordinator computes it: a difference is told before a nonce is spent.
    pub tbs_digest: Digest,
    /// Signature scheme; 1 is FROST-Ed25519.
    pub scheme: u8,
    /// The scheme's round, from 1.
    pub round: u8,
    /// The scheme's message.
    pub payload: Bytes,
}

/// Payload of scheme 1: the commitments of all signers of this session.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct FrostPackage {
    /// One per signer.
    pub signers: Vec<FrostSigner>,
}

/// One signer of a session.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct FrostSigner {
    /// The signer.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub name: String,
    /// The nonce it is to use.
    pub slot: Slot,
    /// The commitment to it.
    pub commitment: Commitment,
}

/// A node's answer to one round of a session.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct SignatureShare {
    /// The session.
    pub session: [u8; 16],
    /// The scheme's round.
    pub round: u8,
    /// The scheme's answer: for FROST-Ed25519 the share, 32 bytes.
    pub payload: Bytes,
}

impl FrostPackage {
    /// The payload of a [`SignRequest`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.tls_serialize_detached()
            .map_err(|e| DecodeError::Malformed(e.to_string()))
    }

    /// Reads a payload; trailing bytes are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let package = Self::tls_deserialize_exact_bytes(bytes)
            .map_err(|e| DecodeError::Malformed(e.to_string()))?;
        bound(package.signers.len() <= MAX_SIGNERS, "signers")?;
        package.signers.iter().try_for_each(|s| name(&s.name))?;
        if package.encode()? != bytes {
            return Err(DecodeError::Malformed("another encoding of it".into()));
        }
        Ok(package)
    }
}
