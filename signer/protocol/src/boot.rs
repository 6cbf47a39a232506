//! What a signer says when its process starts, and what the other signers answer: the statements, byte for byte, and
//! the node's own list of starts. What is done with them is in `welcome`.
//!
//! Each start has a number and a random name, the *boot*. A start statement names the boots before it, so that whoever
//! remembers one of them can tell a signer that goes on from one whose disk was put back, or copied: those have the same
//! number twice, or another boot at a number that is remembered. Two statements of one signer that cannot both be of one
//! row are proof of it, for anybody.

use bauta_statement::approval::ApprovalPublicKey;
use tls_codec::{
    DeserializeBytes as _, Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize,
};

use crate::{
    keys::{Approver, KeyError},
    messages::{BootId, Bytes, Digest},
};

const BOOT: &str = "bauta/v1/boot";
const WELCOME: &str = "bauta/v1/welcome";

/// How many boots before its own a statement names. A signer that was away for more starts of another cannot tell any
/// more, and does not answer it.
pub const MAX_BOOTS: usize = 128;

/// "This process has started": signed by the node's approval key.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Boot {
    /// The node.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub name: String,
    /// How often it started, this start included.
    pub counter: u64,
    /// This start, drawn at random.
    pub boot: BootId,
    /// The starts before it, the newest last: all of them, or the last [`MAX_BOOTS`].
    pub before: Vec<BootId>,
    /// Size of the largest head that it has cosigned.
    pub size: u64,
    /// The root of that head.
    pub root: Digest,
    /// Ed25519 by the node's approval key, over the log's origin and all of the above.
    pub signature: [u8; 64],
}

/// "You go on from where I saw you last": signed by the approval key of the one who says it.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Welcome {
    /// Who says it.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub name: String,
    /// To whom.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub to: String,
    /// For this start of it alone.
    pub boot: BootId,
    /// Size of the largest head that the one who says it has cosigned.
    pub size: u64,
    /// The root of that head.
    pub root: Digest,
    /// Ed25519 by the approval key of `name`, over the log's origin and all of the above.
    pub signature: [u8; 64],
}

/// "You do not go on from where you were." It is not signed: the proof stands for itself, or it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct NotWelcome {
    /// To whom.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub to: String,
    /// Why.
    pub proof: Proof,
}

/// Proof that a signer's disk was put back or copied: something that it signed, and does not know of.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum Proof {
    /// A start that is not among its own.
    #[tls_codec(discriminant = 1)]
    Boot(Boot),
    /// A checkpoint with its cosignature, beyond what it has cosigned: a signed note.
    #[tls_codec(discriminant = 2)]
    Checkpoint(Bytes),
}

/// What an approval key signs here: a domain tag and the log's origin with their lengths, then the message with its
/// signature field zero. An approval key may serve a CA's next log too, and says nothing about one in the other.
fn signed_bytes(
    domain: &str,
    origin: &str,
    message: &impl tls_codec::Serialize,
) -> Result<Vec<u8>, tls_codec::Error> {
    let mut bytes = Vec::new();
    for text in [domain, origin] {
        Bytes::from(text.as_bytes().to_vec()).tls_serialize(&mut bytes)?;
    }
    message.tls_serialize(&mut bytes)?;
    Ok(bytes)
}

macro_rules! signed_by_approval {
    ($statement:ident, $domain:expr) => {
        impl $statement {
            fn signed_bytes(&self, origin: &str) -> Result<Vec<u8>, tls_codec::Error> {
                let unsigned = Self {
                    signature: [0; 64],
                    ..self.clone()
                };
                signed_bytes($domain, origin, &unsigned)
            }

            /// Signs it, in place of whatever signature was there.
            pub fn sign(mut self, origin: &str, approval: &dyn Approver) -> Result<Self, KeyError> {
                let bytes = self
                    .signed_bytes(origin)
                    .map_err(|error| KeyError::Unavailable(error.to_string()))?;
                self.signature = approval.approve(&bytes)?;
                Ok(self)
            }

            /// Is it this key's, for this log?
            pub fn is_signed_by(&self, origin: &str, approval: &ApprovalPublicKey) -> bool {
                self.signed_bytes(origin)
                    .is_ok_and(|bytes| approval.verify(&bytes, &self.signature))
            }
        }
    };
}
signed_by_approval!(Boot, BOOT);
signed_by_approval!(Welcome, WELCOME);

impl Boot {
    /// Are as many starts named as there must be?
    pub(crate) fn is_sound(&self) -> bool {
        self.counter > 0 && self.before.len() as u64 == (self.counter - 1).min(MAX_BOOTS as u64)
    }

    /// The boot of this number: `None` if it is not named here.
    pub(crate) fn at(&self, counter: u64) -> Option<&BootId> {
        if counter == self.counter {
            return Some(&self.boot);
        }
        let back = usize::try_from(self.counter.checked_sub(counter)?).ok()?;
        self.before.get(self.before.len().checked_sub(back)?)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, tls_codec::Error> {
        self.tls_serialize_detached()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Self::tls_deserialize_exact_bytes(bytes).ok()
    }
}

impl Proof {
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, tls_codec::Error> {
        self.tls_serialize_detached()
    }
}

/// A node's own starts, durable before it says anything under the newest of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(crate) struct Starts {
    /// How many there were.
    pub(crate) counter: u64,
    /// The last of them, the newest last: [`MAX_BOOTS`] and the present one.
    pub(crate) boots: Vec<BootId>,
    /// 1 once the other signers have welcomed this approval key.
    pub(crate) welcomed: u8,
}

impl Starts {
    /// One more.
    pub(crate) fn begin(&mut self, boot: BootId) {
        self.counter = self.counter.saturating_add(1);
        self.boots.push(boot);
        let excess = self.boots.len().saturating_sub(MAX_BOOTS + 1);
        self.boots.drain(..excess);
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, tls_codec::Error> {
        self.tls_serialize_detached()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Self::tls_deserialize_exact_bytes(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn statement(starts: &Starts) -> Boot {
        let (boot, before) = starts.boots.split_last().unwrap();
        Boot {
            name: "signer-1".into(),
            counter: starts.counter,
            boot: *boot,
            before: before.to_vec(),
            size: 7,
            root: [7; 32],
            signature: [0; 64],
        }
    }

    #[test]
    fn a_statement_names_the_boots_before_it_each_at_its_number() {
        let mut starts = Starts::default();
        for number in 1..=200u8 {
            starts.begin([number; 16]);
            let boot = statement(&starts);
            assert!(boot.is_sound());
            for asked in 0..=u64::from(number) + 1 {
                let named = asked > 0
                    && asked <= u64::from(number)
                    && u64::from(number) - asked <= MAX_BOOTS as u64;
                let expected = named.then_some([asked as u8; 16]);
                assert_eq!(boot.at(asked), expected.as_ref(), "{asked} of {number}");
            }
        }
        let mut short = statement(&starts);
        short.before.pop();
        assert!(!short.is_sound());
        assert_eq!(Starts::read(&starts.to_bytes().unwrap()), Some(starts));
    }

    #[test]
    fn a_statement_is_of_one_key_and_one_log() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let approval = key.approval_key();
        let other = SigningKey::from_bytes(&[2; 32]).approval_key();
        let mut starts = Starts::default();
        starts.begin([1; 16]);
        let boot = statement(&starts).sign("log.example", &key).unwrap();
        assert!(boot.is_signed_by("log.example", &approval));
        assert!(!boot.is_signed_by("log.example/2", &approval));
        assert!(!boot.is_signed_by("log.example", &other));
        let mut altered = boot;
        altered.size += 1;
        assert!(!altered.is_signed_by("log.example", &approval));
    }
}
