//! Proof files (C2SP tlog-proof): that an entry is logged, checked offline with nothing but a policy.

use data_encoding::BASE64;

use crate::Hash;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::logged::LoggedEntry;
use crate::merkle::ProofError;
use crate::policy::{LogPolicy, Unsatisfied};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The largest proof file that is read: an entry and openings as extra data, a checkpoint, and 48 hashes fit many times over.
pub const MAX_PROOF_LEN: usize = 1 << 20;

/// Why a proof file cannot be read or does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not the format.
    #[error("not a tlog-proof: {0}")]
    Malformed(&'static str),
    /// Its checkpoint cannot be read.
    #[error("the proof's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Its checkpoint does not satisfy the policy.
    #[error("the proof's checkpoint: {0}")]
    Unsatisfied(#[from] Unsatisfied),
    /// The entry is not included.
    #[error("the entry is not the one that the proof is about: {0}")]
    Proof(#[from] ProofError),
}

/// A proof file, of which nothing is verified until [`TlogProof::verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct TlogProof {
    /// The application's own data; *unauthenticated*, whatever is verified.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// Inclusion proof, from the leaf's sibling upwards (RFC 6962, section 2.1.1).
    pub hashes: Vec<Hash>,
    /// The checkpoint note.
    pub checkpoint: SignedCheckpoint,
}

impl TlogProof {
    /// Writes the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", BASE64.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            text.push_str(&BASE64.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend(self.checkpoint.to_bytes());
        bytes
    }

    /// Reads a file; only the exact form that is written is read.
    ///
    /// # Errors
    /// [`TlogProofError::Malformed`], [`TlogProofError::Checkpoint`].
    pub fn parse(file: &[u8]) -> Result<Self, TlogProofError> {
        use TlogProofError::Malformed;
        if file.len() > MAX_PROOF_LEN {
            return Err(Malformed("it is too large"));
        }
        let text = std::str::from_utf8(file).map_err(|_| Malformed("it is not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(Malformed("an empty line must follow the hashes"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(Malformed("its first line must be `c2sp.org/tlog-proof@v1`"));
        }
        let decode = |data: &str| BASE64.decode(data.as_bytes()).ok();
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(data) => {
                lines.next();
                Some(decode(data).ok_or(Malformed("its extra data is not base64"))?)
            }
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(|digits| {
                digits
                    .parse::<u64>()
                    .ok()
                    .filter(|n| n.to_string() == digits)
            })
            .ok_or(Malformed("a line `index N` must follow"))?;
        let hashes = lines
            .map(|line| decode(line).and_then(|hash| hash.try_into().ok()))
            .collect::<Option<Vec<Hash>>>()
            .ok_or(Malformed(
                "a line of its inclusion proof is not a base64 SHA-256 hash",
            ))?;
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())?;
        let proof = TlogProof {
            extra,
            index,
            hashes,
            checkpoint,
        };
        // The decoder of base64 takes padded pieces one after the other, "AA==AA==": a second form of the same bytes.
        if proof.to_bytes() != file {
            return Err(Malformed("it is not in its one form"));
        }
        Ok(proof)
    }

    /// Checks that `entry` is logged, by a log and under a quorum of `policy`.
    ///
    /// # Errors
    /// [`TlogProofError::Unsatisfied`], [`TlogProofError::Proof`].
    pub fn verify(
        &self,
        entry: Vec<u8>,
        policy: &LogPolicy,
    ) -> Result<LoggedEntry, TlogProofError> {
        let checkpoint = policy.check(&self.checkpoint)?;
        Ok(LoggedEntry::check(
            entry,
            self.index,
            &self.hashes,
            &checkpoint,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::storage::MemoryStorage;
    use crate::{CosignatureSigner, LogSigner, Tree};

    fn proof() -> (TlogProof, LogPolicy) {
        let log = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
        let cosigner = CosignatureSigner::from_seed("signer-1", &[2; 32]).unwrap();
        let mut tree = Tree::new(MemoryStorage::new());
        tree.append(&(0..7u8).map(|i| vec![i]).collect::<Vec<_>>())
            .unwrap();
        let mut checkpoint = log
            .sign(Checkpoint::new("log.example", tree.head()).unwrap())
            .unwrap();
        checkpoint.add(cosigner.cosign(checkpoint.checkpoint(), 5).unwrap());
        let policy =
            LogPolicy::quorum_of(log.verifier().clone(), &[cosigner.verifier().clone()], 1)
                .unwrap();
        let hashes = tree.prove_inclusion(3, 7).unwrap();
        (
            TlogProof {
                extra: Some(b"openings".to_vec()),
                index: 3,
                hashes,
                checkpoint,
            },
            policy,
        )
    }

    #[test]
    fn a_proof_round_trips_and_mints_a_logged_entry() {
        let (proof, policy) = proof();
        for extra in [None, Some(vec![]), Some(vec![1, 2, 3])] {
            let proof = TlogProof {
                extra,
                ..proof.clone()
            };
            assert_eq!(TlogProof::parse(&proof.to_bytes()).unwrap(), proof);
            let logged = proof.verify(vec![3], &policy).unwrap();
            assert_eq!(
                (
                    logged.index(),
                    logged.entry(),
                    logged.checkpoint().head().size
                ),
                (3, &[3u8][..], 7)
            );
        }
    }

    #[test]
    fn bad_proofs() {
        let (proof, policy) = proof();
        assert!(matches!(
            proof.verify(vec![4], &policy),
            Err(TlogProofError::Proof(ProofError::Mismatch))
        ));
        let moved = TlogProof {
            index: 4,
            ..proof.clone()
        };
        assert!(matches!(
            moved.verify(vec![3], &policy),
            Err(TlogProofError::Proof(ProofError::Mismatch))
        ));
        let stranger = CosignatureSigner::from_seed("signer-1", &[3; 32]).unwrap();
        let log = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
        let other = LogPolicy::quorum_of(log.verifier().clone(), &[stranger.verifier().clone()], 1)
            .unwrap();
        assert!(matches!(
            proof.verify(vec![3], &other),
            Err(TlogProofError::Unsatisfied(Unsatisfied::NoQuorum {
                present: 0
            }))
        ));

        let file = String::from_utf8(proof.to_bytes()).unwrap();
        for (from, to) in [
            ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
            ("index 3\n", "index 03\n"),
            ("index 3\n", ""),
            ("extra ", "extras "),
            ("index 3\n", "index 3\nAAAA\n"),
            ("\n\n", "\n"),
            ("extra b", "extra !"),
            // Base64 in two padded pieces (found by the fuzz target tlog_proof).
            ("extra b3BlbmluZ3M=", "extra b3BlbmluZw==cw=="),
        ] {
            assert!(file.contains(from), "{from:?}");
            assert!(
                TlogProof::parse(file.replacen(from, to, 1).as_bytes()).is_err(),
                "{from:?} → {to:?}"
            );
        }
        assert!(TlogProof::parse(&file.as_bytes()[..file.len() - 1]).is_err());
    }

    #[test]
    fn bad_every_altered_byte_is_refused_or_is_extra_data() {
        let (proof, policy) = proof();
        let file = proof.to_bytes();
        for position in 0..file.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut altered = file.clone();
                altered[position] ^= bit;
                let Ok(parsed) = TlogProof::parse(&altered) else {
                    continue;
                };
                // What is read is written back alike: there is one form of each proof.
                assert_eq!(parsed.to_bytes(), altered);
                if parsed.verify(vec![3], &policy).is_ok() {
                    assert_ne!(parsed.extra, proof.extra, "byte {position}");
                }
            }
        }
    }
}
