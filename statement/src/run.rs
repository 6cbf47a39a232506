//! What a run of signers says in public: the first messages of key generation, resharing and repair, each signed by its
//! sender's approval key. Together they are the run's **transcript**: [`echo`] hashes it, every node signs that hash with its
//! second message, and what comes of the run names it in the authority file, so that auditors recompute the key's public side
//! from what its makers committed to.
use tls_codec::{
    DeserializeBytes as _, Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize,
};

use crate::codec::Bytes;
use crate::note::{Digest, MAX_NOTE_BYTES, sha256};

const ROUND_1: &str = "bauta/v1/dkg-round-1";
const ECHO: &str = "bauta/v1/dkg-echo";

/// One run of distributed key generation, resharing or repair.
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
pub struct DkgRun {
    /// Digest of the operation's file.
    pub operation: Digest,
    /// Index of its entry.
    pub index: u64,
    /// Random, chosen by the coordinator.
    pub attempt: [u8; 16],
}

/// A node's first message of a run, signed by its approval key.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct DkgRound1 {
    /// Which run.
    pub run: DkgRun,
    /// The node.
    #[tls_codec(with = "crate::codec::text")]
    pub name: String,
    /// In key generation the FROST round-1 package, commitments and proof of knowledge; in a resharing a dealer's
    /// commitment; else nothing.
    pub package: Bytes,
    /// X25519 key, made for this run alone, to which the others seal this node's shares.
    pub sealing_key: [u8; 32],
    /// Ed25519 by the node's approval key.
    pub signature: [u8; 64],
}

/// What an approval key signs in a run: a length-prefixed domain tag, then the message with its signature field zero. The other
/// thing that this key signs, an authority file, begins with other bytes.
///
/// # Errors
/// A field that is too long for its length prefix.
pub fn signed_bytes(
    domain: &str,
    message: &impl tls_codec::Serialize,
) -> Result<Vec<u8>, tls_codec::Error> {
    let mut bytes = Bytes::from(domain.as_bytes().to_vec()).tls_serialize_detached()?;
    message.tls_serialize(&mut bytes)?;
    Ok(bytes)
}

impl DkgRound1 {
    /// What its sender signed.
    ///
    /// # Errors
    /// A field that is too long for its length prefix.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, tls_codec::Error> {
        signed_bytes(
            ROUND_1,
            &Self {
                signature: [0; 64],
                ..self.clone()
            },
        )
    }
}

/// The transcript of a run: a domain tag, the run's name, then every first message in the order given.
///
/// # Errors
/// A field that is too long for its length prefix.
pub fn transcript(run: &DkgRun, round1: &[DkgRound1]) -> Result<Vec<u8>, tls_codec::Error> {
    let mut bytes = signed_bytes(ECHO, run)?;
    for message in round1 {
        message.tls_serialize(&mut bytes)?;
    }
    Ok(bytes)
}

/// The hash of a transcript, which every node signs with its second message.
///
/// # Errors
/// A field that is too long for its length prefix.
pub fn echo(run: &DkgRun, round1: &[DkgRound1]) -> Result<Digest, tls_codec::Error> {
    transcript(run, round1).map(|bytes| sha256(&bytes))
}

/// Why bytes are no transcript.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no transcript of a run: {0}")]
pub struct TranscriptError(&'static str);

/// Reads a transcript: of one run, its messages in order of their senders' names, each once. No signature is checked.
///
/// # Errors
/// [`TranscriptError`].
pub fn decode_transcript(bytes: &[u8]) -> Result<(DkgRun, Vec<DkgRound1>), TranscriptError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(TranscriptError("it is too long"));
    }
    let malformed = |_| TranscriptError("it is malformed");
    let (domain, rest) = Bytes::tls_deserialize_bytes(bytes).map_err(malformed)?;
    if domain.as_slice() != ECHO.as_bytes() {
        return Err(TranscriptError("it begins otherwise"));
    }
    let (run, mut rest) = DkgRun::tls_deserialize_bytes(rest).map_err(malformed)?;
    let mut round1: Vec<DkgRound1> = Vec::new();
    while !rest.is_empty() {
        let (message, after) = DkgRound1::tls_deserialize_bytes(rest).map_err(malformed)?;
        if message.run != run {
            return Err(TranscriptError("a message is of another run"));
        }
        if round1.last().is_some_and(|last| last.name >= message.name) {
            return Err(TranscriptError("its messages are not in order of names"));
        }
        round1.push(message);
        rest = after;
    }
    Ok((run, round1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(run: DkgRun, name: &str) -> DkgRound1 {
        DkgRound1 {
            run,
            name: name.into(),
            package: vec![1, 2, 3].into(),
            sealing_key: [4; 32],
            signature: [5; 64],
        }
    }

    #[test]
    fn a_transcript_reads_back_in_one_order_and_of_one_run() {
        let run = DkgRun {
            operation: [1; 32],
            index: 2,
            attempt: [3; 16],
        };
        let said = [message(run, "a"), message(run, "b")];
        let bytes = transcript(&run, &said).unwrap();
        assert_eq!(decode_transcript(&bytes), Ok((run, said.to_vec())));
        assert_eq!(echo(&run, &said).unwrap(), sha256(&bytes));
        // Pinned: the log keeps it, and authority files name its hash.
        assert_eq!(
            data_encoding::HEXLOWER.encode(&sha256(&bytes)),
            "c3bb2d64b2b2b661578cc33d5d9b29f782ac65039b745652e2f67b2a371106ec"
        );
        for cut in 0..bytes.len() {
            let read = decode_transcript(&bytes[..cut]);
            // Whole messages may be missing at the end: who must be there is the ledger's to say.
            assert!(read.is_err() || read.unwrap().1.len() < 2, "{cut}");
        }
        let [first, second] = said;
        for wrong in [
            vec![second.clone(), first.clone()],
            vec![first.clone(), first.clone()],
            vec![first.clone(), message(DkgRun { index: 3, ..run }, "b")],
        ] {
            assert!(decode_transcript(&transcript(&run, &wrong).unwrap()).is_err());
        }
        let mut other = bytes.clone();
        other[5] ^= 1;
        assert!(decode_transcript(&other).is_err());
        assert!(decode_transcript(&vec![0; MAX_NOTE_BYTES + 1]).is_err());
        // What is signed is all but the signature, under a tag of its own.
        let signed = first.signed_bytes().unwrap();
        let other = DkgRound1 {
            signature: [6; 64],
            ..first.clone()
        };
        assert_eq!(other.signed_bytes().unwrap(), signed);
        assert_ne!(second.signed_bytes().unwrap(), signed);
        assert!(signed.windows(20).any(|part| part == ROUND_1.as_bytes()));
    }
}
