//! Checkpoints (C2SP tlog-checkpoint): a tree head as a signed note, and cosignatures on it (C2SP tlog-cosignature).
//!
//! [`Checkpoint`] is the signed text, [`SignedCheckpoint`] a note as it arrived, of which nothing has been verified yet.
//! What counts is [`crate::policy::CosignedCheckpoint`], which only a policy hands out.

use std::fmt;

use data_encoding::BASE64;

use crate::merkle::{Head, MAX_TREE_SIZE};
use crate::{CosignatureSigner, CosignatureVerifier, LogSigner, LogVerifier};

/// One signature line of a note: key name, key id and signature.
pub use signed_note::Signature as NoteSignature;

/// The longest checkpoint note that is read: room for a hundred signatures.
pub const MAX_NOTE_LEN: usize = 65_536;

/// Why a checkpoint cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error("not a signed note (text, an empty line, then signature lines)")]
    NotANote,
    /// The text is not origin, size, root and extension lines, each written in the one way.
    #[error("not a checkpoint: origin, decimal size and base64 root, one per line")]
    NotACheckpoint,
    /// The origin has a line break or a control character, or is empty.
    #[error("a log's origin must be one non-empty line without control characters")]
    BadOrigin,
    /// Larger than anything sensible.
    #[error("the checkpoint is too large")]
    TooLarge,
}

/// Why a signature or cosignature was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The line names another key.
    #[error("no signature by {0} on this checkpoint")]
    OtherKey(String),
    /// It does not verify.
    #[error("the signature by {0} does not verify: the checkpoint was altered, or is another one")]
    Invalid(String),
    /// The time does not fit the format (63 bits).
    #[error("a cosignature's time must be below 2^63 seconds")]
    TimeOutOfRange,
}

/// A tree head of a named log: the text that log and cosigners sign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    origin: String,
    head: Head,
    extension: String,
}

impl Checkpoint {
    /// The checkpoint of the log `origin` at `head`.
    ///
    /// # Errors
    /// [`CheckpointError::BadOrigin`], [`CheckpointError::TooLarge`].
    pub fn new(origin: &str, head: Head) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(CheckpointError::BadOrigin);
        }
        if head.size > MAX_TREE_SIZE {
            return Err(CheckpointError::TooLarge);
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            head,
            extension: String::new(),
        })
    }

    /// Reads the text of a checkpoint, without signatures. Only the exact form that is written is read.
    ///
    /// # Errors
    /// [`CheckpointError`] by what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, CheckpointError> {
        let parsed = tlog_tiles::Checkpoint::from_bytes(text)
            .map_err(|_| CheckpointError::NotACheckpoint)?;
        let head = Head {
            size: parsed.size(),
            root: parsed.hash().0,
        };
        let mut checkpoint = Checkpoint::new(parsed.origin(), head)?;
        parsed.extension().clone_into(&mut checkpoint.extension);
        if checkpoint.text().as_bytes() != text {
            return Err(CheckpointError::NotACheckpoint);
        }
        Ok(checkpoint)
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Extension lines, each with its line feed; Bauta's logs have none, and its signers cosign none.
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// The text that is signed, with its final line feed.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}",
            self.origin,
            self.head.size,
            BASE64.encode(&self.head.root),
            self.extension
        )
    }

    /// What a cosigner signs: `cosignature/v1`, the time, and the checkpoint's text.
    pub fn cosignature_message(&self, time: u64) -> Vec<u8> {
        format!("cosignature/v1\ntime {time}\n{}", self.text()).into_bytes()
    }
}

impl LogSigner {
    /// Signs a checkpoint as the log. Only the sequencer's driver calls it, after the head is locked: a log that signs two
    /// heads which do not follow from each other has forked.
    ///
    /// # Errors
    /// [`SignatureError::OtherKey`] if the checkpoint's origin is not the key's name.
    pub fn sign(&self, checkpoint: Checkpoint) -> Result<SignedCheckpoint, SignatureError> {
        let name = self.verifier().name();
        if checkpoint.origin != name {
            return Err(SignatureError::OtherKey(name.to_owned()));
        }
        let signature = self.sign_message(checkpoint.text().as_bytes());
        let signature = line(name, self.verifier().id(), signature.to_vec())?;
        Ok(SignedCheckpoint {
            checkpoint,
            signatures: vec![signature],
        })
    }
}

impl LogVerifier {
    /// Checks that the log signed this checkpoint.
    ///
    /// # Errors
    /// [`SignatureError::OtherKey`] if the origin is not the key's name or no line is by this key; [`SignatureError::Invalid`].
    pub fn verify(&self, signed: &SignedCheckpoint) -> Result<(), SignatureError> {
        if signed.checkpoint.origin != self.name() {
            return Err(SignatureError::OtherKey(self.name().to_owned()));
        }
        let signature = signed.signature(self.name(), self.id())?;
        if self.verifies(signed.checkpoint.text().as_bytes(), signature.signature()) {
            Ok(())
        } else {
            Err(SignatureError::Invalid(self.name().to_owned()))
        }
    }
}

impl CosignatureSigner {
    /// Cosigns a checkpoint at `now` (Unix seconds). What that states is for the caller to have made true, and durable,
    /// beforehand.
    ///
    /// # Errors
    /// [`SignatureError::TimeOutOfRange`].
    pub fn cosign(
        &self,
        checkpoint: &Checkpoint,
        now: u64,
    ) -> Result<NoteSignature, SignatureError> {
        let signature = self.sign_message(&checkpoint.cosignature_message(now));
        self.verifier().cosignature(now, &signature)
    }
}

impl CosignatureVerifier {
    /// The signature line for an Ed25519 signature made elsewhere (in a token) over
    /// [`Checkpoint::cosignature_message`] at `time`.
    ///
    /// # Errors
    /// [`SignatureError::TimeOutOfRange`].
    pub fn cosignature(
        &self,
        time: u64,
        signature: &[u8; 64],
    ) -> Result<NoteSignature, SignatureError> {
        if time >= 1 << 63 {
            return Err(SignatureError::TimeOutOfRange);
        }
        line(
            self.name(),
            self.id(),
            [&time.to_be_bytes()[..], signature].concat(),
        )
    }

    /// Checks one cosignature line, and gives the time at which it was made.
    ///
    /// # Errors
    /// [`SignatureError`] by what is wrong.
    pub fn verify(
        &self,
        checkpoint: &Checkpoint,
        signature: &NoteSignature,
    ) -> Result<u64, SignatureError> {
        if signature.name() != self.name() || signature.id() != self.id() {
            return Err(SignatureError::OtherKey(self.name().to_owned()));
        }
        let invalid = || SignatureError::Invalid(self.name().to_owned());
        let (time, signature) = signature
            .signature()
            .split_first_chunk::<8>()
            .ok_or_else(invalid)?;
        let time = u64::from_be_bytes(*time);
        if time >= 1 << 63 {
            return Err(SignatureError::TimeOutOfRange);
        }
        if self.verifies(&checkpoint.cosignature_message(time), signature) {
            Ok(time)
        } else {
            Err(invalid())
        }
    }
}

fn line(name: &str, id: u32, signature: Vec<u8>) -> Result<NoteSignature, SignatureError> {
    NoteSignature::new(name.to_owned(), id, signature)
        .map_err(|_| SignatureError::Invalid(name.to_owned()))
}

/// A checkpoint note as it arrived: text and signature lines, of which *nothing is verified yet*.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

impl SignedCheckpoint {
    /// Reads a note.
    ///
    /// # Errors
    /// [`CheckpointError`] by what is wrong.
    pub fn parse(note: &[u8]) -> Result<Self, CheckpointError> {
        if note.len() > MAX_NOTE_LEN {
            return Err(CheckpointError::TooLarge);
        }
        let parsed = signed_note::Note::from_bytes(note).map_err(|_| CheckpointError::NotANote)?;
        let checkpoint = Checkpoint::parse(parsed.text())?;
        let lines = note
            .get(parsed.text().len() + 1..)
            .ok_or(CheckpointError::NotANote)?;
        let signatures = lines
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| NoteSignature::from_bytes(line.strip_suffix(b"\n").unwrap_or(line)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| CheckpointError::NotANote)?;
        let signed = SignedCheckpoint {
            checkpoint,
            signatures,
        };
        if signed.to_bytes() != note {
            return Err(CheckpointError::NotANote);
        }
        Ok(signed)
    }

    /// The note's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.checkpoint.text().into_bytes();
        bytes.push(b'\n');
        for signature in &self.signatures {
            bytes.extend(signature.to_bytes());
        }
        bytes
    }

    /// The text that the lines claim to sign.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// All signature lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line, in the place of an older one by the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        let same = |s: &NoteSignature| s.name() == signature.name() && s.id() == signature.id();
        match self.signatures.iter_mut().find(|s| same(s)) {
            Some(older) => *older = signature,
            None => self.signatures.push(signature),
        }
    }

    /// The first line by this key.
    pub(crate) fn signature(&self, name: &str, id: u32) -> Result<&NoteSignature, SignatureError> {
        self.signatures
            .iter()
            .find(|s| s.name() == name && s.id() == id)
            .ok_or_else(|| SignatureError::OtherKey(name.to_owned()))
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "log.example/2026h2";

    fn signed() -> SignedCheckpoint {
        let signer = LogSigner::from_seed(LOG, &[1; 32]).unwrap();
        signer
            .sign(
                Checkpoint::new(
                    LOG,
                    Head {
                        size: 3,
                        root: [5; 32],
                    },
                )
                .unwrap(),
            )
            .unwrap()
    }

    #[test]
    fn a_real_cosignature_of_the_specification_s_example_is_read() {
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
            — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let signed = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        assert_eq!(signed.checkpoint().head().size, 20_852_163);
        assert_eq!(signed.signatures().len(), 2);
        assert_eq!(signed.to_string(), note);
        let cosigned = &signed.signatures()[1];
        assert_eq!(
            u64::from_be_bytes(cosigned.signature()[..8].try_into().unwrap()),
            1_679_315_147
        );
        assert_eq!(
            signed.checkpoint().cosignature_message(1_679_315_147),
            b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        );
    }

    #[test]
    fn the_log_signs_under_its_own_origin_only() {
        let signed = signed();
        let verifier = LogSigner::from_seed(LOG, &[1; 32])
            .unwrap()
            .verifier()
            .clone();
        assert_eq!(
            verifier.verify(&SignedCheckpoint::parse(&signed.to_bytes()).unwrap()),
            Ok(())
        );

        let other = LogSigner::from_seed("other.example", &[1; 32]).unwrap();
        assert!(other.sign(signed.checkpoint().clone()).is_err());
        assert!(matches!(
            other.verifier().verify(&signed),
            Err(SignatureError::OtherKey(_))
        ));
        let same_name = LogSigner::from_seed(LOG, &[2; 32]).unwrap();
        assert!(matches!(
            same_name.verifier().verify(&signed),
            Err(SignatureError::OtherKey(_))
        ));
    }

    #[test]
    fn bad_every_altered_byte_of_the_text_is_noticed() {
        let note = signed().to_bytes();
        let verifier = LogSigner::from_seed(LOG, &[1; 32])
            .unwrap()
            .verifier()
            .clone();
        for position in 0..note.len() {
            let mut altered = note.clone();
            altered[position] ^= 1;
            let accepted =
                SignedCheckpoint::parse(&altered).is_ok_and(|s| verifier.verify(&s).is_ok());
            assert!(!accepted, "byte {position}");
        }
    }

    #[test]
    fn bad_notes() {
        let root = "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=";
        for text in [
            format!("\n3\n{root}\n"),
            format!("o\n03\n{root}\n"),
            format!("o\n+3\n{root}\n"),
            format!("o\n3\n{}\n", &root[..43]),
            format!("o\n3\n{root}"),
            format!("o\n3\n{root}\n\n"),
            format!("o\r\n3\n{root}\n"),
            format!("o\n3\n{}1=\n", &root[..42]),
            format!("o\n{}\n{root}\n", u64::MAX),
        ] {
            assert!(Checkpoint::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Checkpoint::parse(format!("o\n3\n{root}\nan extension\n").as_bytes()).is_ok());
        assert_eq!(
            SignedCheckpoint::parse(format!("o\n3\n{root}\n").as_bytes()),
            Err(CheckpointError::NotANote)
        );
    }

    #[test]
    fn a_cosignature_states_its_time_and_checkpoint() {
        let signed = signed();
        let cosigner = CosignatureSigner::from_seed("signer-1", &[3; 32]).unwrap();
        let line = cosigner.cosign(signed.checkpoint(), 1_800_000_000).unwrap();
        assert_eq!(
            cosigner.verifier().verify(signed.checkpoint(), &line),
            Ok(1_800_000_000)
        );

        let other = Checkpoint::new(
            LOG,
            Head {
                size: 3,
                root: [6; 32],
            },
        )
        .unwrap();
        assert!(matches!(
            cosigner.verifier().verify(&other, &line),
            Err(SignatureError::Invalid(_))
        ));
        let mut later = line.signature().to_vec();
        later[7] ^= 1;
        let later = NoteSignature::new("signer-1".into(), line.id(), later).unwrap();
        assert!(matches!(
            cosigner.verifier().verify(signed.checkpoint(), &later),
            Err(SignatureError::Invalid(_))
        ));
        assert_eq!(
            cosigner.cosign(signed.checkpoint(), 1 << 63),
            Err(SignatureError::TimeOutOfRange)
        );

        // A log signature by the same key bytes is no cosignature, and the other way round.
        let log = LogSigner::from_seed("signer-1", &[3; 32]).unwrap();
        assert_ne!(log.verifier().id(), cosigner.verifier().id());
        let plain = NoteSignature::new(
            "signer-1".into(),
            line.id(),
            log.sign_message(signed.checkpoint().text().as_bytes())
                .to_vec(),
        )
        .unwrap();
        assert!(
            cosigner
                .verifier()
                .verify(signed.checkpoint(), &plain)
                .is_err()
        );
    }
}
