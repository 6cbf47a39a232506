//! What nodes and the coordinator say to each other: [`ToNode`] and [`ToCoordinator`], in RFC 8446's presentation
//! language. A frame is one version byte and one message; nothing may follow it.
//!
//! Every list and byte string is bounded by the frame ([`MAX_FRAME`]), and each field again by its own bound here, so
//! that a peer cannot make the other hold more than a message is worth. The transport (one mutually authenticated
//! stream per node) says who is speaking: names inside messages are claims that are checked against it.

use thiserror::Error;
use tls_codec::{DeserializeBytes, Serialize, TlsDeserializeBytes, TlsSerialize, TlsSize};

use crate::boot::{Boot, MAX_BOOTS, NotWelcome, Proof, Welcome};
pub use bauta_statement::codec::Bytes;

mod runs;
mod signing;

pub use runs::*;
pub use signing::*;

/// SHA-256.
pub type Digest = [u8; 32];
/// One start of a node's process, drawn at random.
pub type BootId = [u8; 16];

/// The protocol's version: the first byte of every frame.
pub const VERSION: u8 = 1;
/// The longest frame, in bytes; the transport's message limit must not be below it.
pub const MAX_FRAME: usize = 4 << 20;
/// The longest log entry (DESIGN section 4).
pub const MAX_ENTRY: usize = 65_535;
/// How many bytes of an object travel in one [`Object`] message.
pub const OBJECT_PART: usize = 1 << 20;
/// The longest object a node fetches.
pub const MAX_OBJECT: u64 = 128 << 20;
/// The most entries in one [`Append`].
pub const MAX_ENTRIES: usize = 4096;
/// The longest signer name.
pub const MAX_NAME: usize = 128;
/// The most signers of a CA.
pub const MAX_SIGNERS: usize = 64;
/// The most nonce commitments in one [`NonceCommitments`].
pub const MAX_COMMITMENTS: usize = 256;
/// The longest checkpoint, tlog-proof, CSR, list of openings or signing payload.
pub const MAX_PART: usize = 256 << 10;

/// Why a frame was refused.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
    /// Another protocol version.
    #[error("protocol version {0}, this program speaks version {VERSION}: upgrade the older side")]
    Version(u8),
    /// Not a message, or something follows it.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// A field beyond its bound.
    #[error("{field} is beyond its bound")]
    Bound {
        /// Which field.
        field: &'static str,
    },
}

/// A message that fits in a frame.
pub trait Message: Sized + Serialize + DeserializeBytes {
    /// Checks the bounds of each field.
    fn check(&self) -> Result<(), DecodeError>;

    /// The frame: version, then the message.
    fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let mut frame = vec![VERSION];
        self.tls_serialize(&mut frame)
            .map_err(|e| DecodeError::Malformed(e.to_string()))?;
        if frame.len() > MAX_FRAME {
            return Err(DecodeError::TooLong(frame.len()));
        }
        Ok(frame)
    }

    /// Reads a frame: version, length, bounds; trailing bytes are refused.
    fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        if frame.len() > MAX_FRAME {
            return Err(DecodeError::TooLong(frame.len()));
        }
        let (version, body) = frame
            .split_first()
            .ok_or_else(|| DecodeError::Malformed("empty frame".into()))?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let message = Self::tls_deserialize_exact_bytes(body)
            .map_err(|e| DecodeError::Malformed(e.to_string()))?;
        // Writing checks the bounds. tls_codec reads lengths of lists in more bytes than they need; only the one encoding is a message.
        if message.encode()? != frame {
            return Err(DecodeError::Malformed("another encoding of it".into()));
        }
        Ok(message)
    }
}

/// From the coordinator to one node.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum ToNode {
    /// "Say where you are": answered by [`ToCoordinator::Hello`] and all unspent commitments.
    #[tls_codec(discriminant = 1)]
    Ping,
    /// Entries, and the checkpoint that covers them.
    #[tls_codec(discriminant = 2)]
    Append(Append),
    /// A part of an object that the node wanted.
    #[tls_codec(discriminant = 3)]
    Object(Object),
    /// Begin distributed key generation, or another run that nodes do together: a resharing, the repair of a share.
    #[tls_codec(discriminant = 4)]
    DkgStart(DkgStart),
    /// Everybody's round 1.
    #[tls_codec(discriminant = 5)]
    DkgRound1s(DkgRound1s),
    /// Everybody's round 2.
    #[tls_codec(discriminant = 6)]
    DkgRound2s(DkgRound2s),
    /// Ask for a signature share.
    #[tls_codec(discriminant = 7)]
    Sign(SignRequest),
    /// A checkpoint has its quorums.
    #[tls_codec(discriminant = 16)]
    Published(Published),
    /// Another node has started, and asks whether it goes on from where it was.
    #[tls_codec(discriminant = 17)]
    Boot(Boot),
    /// Another node's yes to that.
    #[tls_codec(discriminant = 18)]
    Welcome(Welcome),
    /// Another node's no.
    #[tls_codec(discriminant = 19)]
    NotWelcome(NotWelcome),
    /// Everybody's round 3 of a repair, for whom it is made.
    #[tls_codec(discriminant = 24)]
    RepairRound3s(DkgRound2s),
}

/// From one node to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum ToCoordinator {
    /// Where the node is; sent first on every connection.
    #[tls_codec(discriminant = 1)]
    Hello(Hello),
    /// Entries are held; more are needed to reach the checkpoint.
    #[tls_codec(discriminant = 2)]
    Received(Received),
    /// A cosignature.
    #[tls_codec(discriminant = 3)]
    Cosigned(Cosigned),
    /// An object that an entry names is not held here.
    #[tls_codec(discriminant = 4)]
    ObjectWanted(ObjectWanted),
    /// This node's round 1.
    #[tls_codec(discriminant = 5)]
    DkgRound1(DkgRound1),
    /// This node's round 2.
    #[tls_codec(discriminant = 6)]
    DkgRound2(DkgRound2),
    /// The key is made or shared anew, and this node agrees to the next authority file.
    #[tls_codec(discriminant = 7)]
    DkgAgreement(DkgAgreement),
    /// Fresh nonce commitments.
    #[tls_codec(discriminant = 8)]
    Nonces(NonceCommitments),
    /// A signature share.
    #[tls_codec(discriminant = 9)]
    Share(SignatureShare),
    /// "No", and why.
    #[tls_codec(discriminant = 10)]
    Refused(Refused),
    /// This node has started: for all others.
    #[tls_codec(discriminant = 17)]
    Boot(Boot),
    /// It welcomes another's start: for that one.
    #[tls_codec(discriminant = 18)]
    Welcome(Welcome),
    /// It does not, and has proof: for that one.
    #[tls_codec(discriminant = 19)]
    NotWelcome(NotWelcome),
    /// It stops in good order: whatever waits for it need wait no longer.
    #[tls_codec(discriminant = 20)]
    Goodbye,
    /// A helper's round 3 of a repair.
    #[tls_codec(discriminant = 24)]
    RepairRound3(DkgRound2),
    /// The share is made again: it is durable, and the one whose public half is published.
    #[tls_codec(discriminant = 25)]
    Repaired(DkgRun),
}

/// Entries from `first`, and a checkpoint signed by the log, of a size not below what the entries reach. While the
/// entries do not reach it, the node holds them back and answers [`Received`].
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Append {
    /// Index of the first entry.
    pub first: u64,
    /// The entries, each at most [`MAX_ENTRY`] bytes.
    pub entries: Vec<Bytes>,
    /// Small objects that the entries name, to save a round trip.
    pub objects: Vec<Bytes>,
    /// The checkpoint: a signed note with the log's signature.
    pub checkpoint: Bytes,
}

/// A checkpoint that has its quorums, with their lines: what tells a node that a change of signers has taken effect, and
/// what each signer holds.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Published {
    /// The signed note.
    pub checkpoint: Bytes,
}

/// A part of an object, at most [`OBJECT_PART`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Object {
    /// SHA-256 of the whole.
    pub digest: Digest,
    /// Length of the whole.
    pub length: u64,
    /// Where this part begins.
    pub offset: u64,
    /// The part.
    pub bytes: Bytes,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Hello {
    /// The node's name.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub name: String,
    /// Random at each start of the process: nonces of another boot are gone.
    pub boot: BootId,
    /// Whether it signs.
    pub stage: Stage,
    /// Size of the log that it holds.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// Group keys that it holds a share of, in force or waiting for their authority entry.
    pub keys: Vec<GroupKey>,
}

/// Where a node stands with the other signers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum Stage {
    /// It has started, and waits for the others to say that it goes on from where it was: it signs nothing yet.
    Waiting = 1,
    /// It signs.
    Welcome = 2,
    /// The others proved that it does not go on from where it was: it signs nothing until it is re-enrolled.
    Out = 3,
}

/// A group's Ed25519 public key.
pub type GroupKey = [u8; 32];

/// A CA key in one of its sharings. A node may hold a share of the one in force and of others that wait; shares of two
/// sharings make no signature together.
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
pub struct SharedKey {
    /// The key.
    pub group_key: GroupKey,
    /// Which sharing: [`bauta_statement::file::authority::sharing_id`].
    pub sharing: Digest,
}

/// Entries up to `next` are held; not cosigned yet.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Received {
    /// Index of the entry that is wanted next.
    pub next: u64,
}

/// A cosignature/v1 of one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Cosigned {
    /// The checkpoint's size.
    pub size: u64,
    /// The checkpoint's root.
    pub root: Digest,
    /// The signed-note signature line, its newline included.
    pub line: Bytes,
}

/// "Send me this object from `offset` on."
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct ObjectWanted {
    /// SHA-256 of the object.
    pub digest: Digest,
    /// From where.
    pub offset: u64,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum Subject {
    /// The frame itself.
    #[tls_codec(discriminant = 1)]
    Frame,
    /// An append whose checkpoint has this size (0: it could not be read).
    #[tls_codec(discriminant = 2)]
    Append(u64),
    /// An object.
    #[tls_codec(discriminant = 3)]
    Object(Digest),
    /// A run of key generation, resharing or repair.
    #[tls_codec(discriminant = 4)]
    Dkg(DkgRun),
    /// A signing session.
    #[tls_codec(discriminant = 5)]
    Session([u8; 16]),
}

/// "No."
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Refused {
    /// About what.
    pub subject: Subject,
    /// Which rule.
    pub code: Code,
    /// In words, for the operator.
    #[tls_codec(with = "bauta_statement::codec::text")]
    pub reason: String,
}

/// The rule that a refusal rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum Code {
    /// A message that cannot be read.
    Malformed = 1,
    /// The checkpoint does not bear the log's signature, or names another log.
    LogSignature = 2,
    /// A checkpoint below the node's own head: the log would go back.
    GoesBack = 3,
    /// Another root at a size that the node cosigned.
    Forked = 4,
    /// The entries do not hash to the checkpoint's root.
    WrongRoot = 5,
    /// An entry lies more than 120 s ahead of the node's clock.
    Ahead = 6,
    /// An entry other than an issuance is not valid.
    InvalidEntry = 7,
    /// The node does not hold the entries before these; see its [`Hello`].
    Behind = 8,
    /// The object is not what its digest says, or too long.
    Object = 9,
    /// No q cosignatures, or no inclusion.
    NotLogged = 10,
    /// The logged issuance is not valid.
    InvalidIssuance = 11,
    /// The entry's time is more than 120 s away from the node's clock.
    OutsideClock = 12,
    /// This entry already bound another TBS.
    AnotherTbs = 13,
    /// The TBS that the node computes is another than the coordinator's.
    TbsDiffers = 14,
    /// The nonce is spent, or of another boot.
    NonceSpent = 15,
    /// The node holds no share of this key, or the key is not in force.
    NoKey = 16,
    /// No such logged key operation, or it is of another kind, expired, or done.
    Operation = 17,
    /// A message of a run out of turn.
    OutOfTurn = 18,
    /// A participant told others another round 1.
    Equivocation = 19,
    /// A participant's message of a run is wrong; the reason names it.
    Cheater = 20,
    /// A signature scheme or round that this node does not know.
    Scheme = 21,
    /// The node's own key or store failed.
    Internal = 22,
    /// The node has started and the others have not welcomed it yet. Of a checkpoint it says that it holds the entries.
    Unwelcome = 32,
    /// The node was put back or copied, and signs nothing until it is re-enrolled under new keys.
    Out = 33,
    /// The node is attended, and its holder is away.
    Away = 48,
    /// The node is attended, and its holder did not agree to this.
    NotApproved = 49,
}

fn bound(ok: bool, field: &'static str) -> Result<(), DecodeError> {
    if ok {
        Ok(())
    } else {
        Err(DecodeError::Bound { field })
    }
}

fn part(bytes: &Bytes, field: &'static str) -> Result<(), DecodeError> {
    bound(bytes.as_slice().len() <= MAX_PART, field)
}

fn name(name: &str) -> Result<(), DecodeError> {
    bound(!name.is_empty() && name.len() <= MAX_NAME, "name")
}

impl Message for ToNode {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Ping => Ok(()),
            Self::Append(append) => {
                bound(append.entries.len() <= MAX_ENTRIES, "entries")?;
                bound(append.objects.len() <= MAX_ENTRIES, "objects")?;
                for entry in &append.entries {
                    bound(entry.as_slice().len() <= MAX_ENTRY, "entry")?;
                }
                part(&append.checkpoint, "checkpoint")
            }
            Self::Object(object) => {
                bound(object.bytes.as_slice().len() <= OBJECT_PART, "object part")?;
                bound(object.length <= MAX_OBJECT, "object")
            }
            Self::DkgStart(start) => part(&start.proof, "proof"),
            Self::DkgRound1s(all) => {
                bound(all.round1.len() <= MAX_SIGNERS, "participants")?;
                all.round1.iter().try_for_each(check_round1)
            }
            Self::DkgRound2s(all) | Self::RepairRound3s(all) => {
                bound(all.round2.len() <= MAX_SIGNERS, "participants")?;
                all.round2.iter().try_for_each(DkgRound2::check)
            }
            Self::Sign(request) => {
                part(&request.proof, "proof")?;
                part(&request.csr, "CSR")?;
                part(&request.openings, "openings")?;
                part(&request.payload, "payload")
            }
            Self::Published(published) => part(&published.checkpoint, "checkpoint"),
            Self::Boot(boot) => boot.check(),
            Self::Welcome(welcome) => welcome.check(),
            Self::NotWelcome(not_welcome) => not_welcome.check(),
        }
    }
}

impl Boot {
    fn check(&self) -> Result<(), DecodeError> {
        name(&self.name)?;
        bound(self.before.len() <= MAX_BOOTS, "boots")
    }
}

impl Welcome {
    fn check(&self) -> Result<(), DecodeError> {
        name(&self.name)?;
        name(&self.to)
    }
}

impl NotWelcome {
    fn check(&self) -> Result<(), DecodeError> {
        name(&self.to)?;
        match &self.proof {
            Proof::Boot(boot) => boot.check(),
            Proof::Checkpoint(note) => part(note, "checkpoint"),
        }
    }
}

impl Message for ToCoordinator {
    fn check(&self) -> Result<(), DecodeError> {
        match self {
            Self::Hello(hello) => {
                name(&hello.name)?;
                bound(hello.keys.len() <= MAX_SIGNERS, "keys")
            }
            Self::Received(_) | Self::ObjectWanted(_) | Self::Repaired(_) => Ok(()),
            Self::Cosigned(cosigned) => part(&cosigned.line, "signature line"),
            Self::DkgRound1(round1) => check_round1(round1),
            Self::DkgRound2(round2) | Self::RepairRound3(round2) => round2.check(),
            Self::DkgAgreement(agreement) => part(&agreement.text, "authority text"),
            Self::Nonces(nonces) => {
                bound(nonces.commitments.len() <= MAX_COMMITMENTS, "commitments")
            }
            Self::Share(share) => part(&share.payload, "share"),
            Self::Refused(refused) => bound(refused.reason.len() <= MAX_PART, "reason"),
            Self::Boot(boot) => boot.check(),
            Self::Welcome(welcome) => welcome.check(),
            Self::NotWelcome(not_welcome) => not_welcome.check(),
            Self::Goodbye => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(entry: usize) -> ToNode {
        ToNode::Append(Append {
            first: 7,
            entries: vec![vec![1; entry].into()],
            objects: vec![],
            checkpoint: b"checkpoint".to_vec().into(),
        })
    }

    #[test]
    fn a_frame_comes_back_and_nothing_may_follow_it() {
        let frame = append(9).encode().unwrap();
        assert_eq!(ToNode::decode(&frame).unwrap(), append(9));
        let mut longer = frame.clone();
        longer.push(0);
        assert!(matches!(
            ToNode::decode(&longer),
            Err(DecodeError::Malformed(_))
        ));
        for cut in 0..frame.len() {
            assert!(ToNode::decode(&frame[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut frame = append(9).encode().unwrap();
        frame[0] = 2;
        assert_eq!(ToNode::decode(&frame), Err(DecodeError::Version(2)));
    }

    #[test]
    fn bounds_hold_for_writer_and_reader() {
        assert_eq!(
            append(MAX_ENTRY + 1).encode(),
            Err(DecodeError::Bound { field: "entry" })
        );
        let mut frame = vec![VERSION];
        append(MAX_ENTRY + 1).tls_serialize(&mut frame).unwrap();
        assert_eq!(
            ToNode::decode(&frame),
            Err(DecodeError::Bound { field: "entry" })
        );
        assert_eq!(
            ToNode::decode(&vec![VERSION; MAX_FRAME + 1]),
            Err(DecodeError::TooLong(MAX_FRAME + 1))
        );
    }

    /// Found by the fuzz targets `frost_package` and `to_node`.
    #[test]
    fn a_length_in_more_bytes_than_it_needs_is_refused() {
        assert!(FrostPackage::decode(&[0]).is_ok());
        assert!(FrostPackage::decode(&[0x40, 0]).is_err());
        // An append without entries and objects: its lists' lengths are at 10 and 11.
        let frame = ToNode::Append(Append {
            first: 7,
            entries: vec![],
            objects: vec![],
            checkpoint: b"checkpoint".to_vec().into(),
        })
        .encode()
        .unwrap();
        let mut longer = frame.clone();
        longer.insert(10, 0x40);
        assert_eq!(longer[9..13], [7, 0x40, 0, 0]);
        assert!(ToNode::decode(&frame).is_ok() && ToNode::decode(&longer).is_err());
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        // Byte strings, texts and lists that announce more than the frame has.
        for kind in 1..=25 {
            for byte in [0x3f, 0x7f, 0xbf, 0xff] {
                let mut frame = vec![VERSION, kind];
                frame.extend([byte; 300]);
                assert!(ToCoordinator::decode(&frame).is_err());
                assert!(ToNode::decode(&frame).is_err());
            }
        }
        assert!(ToCoordinator::decode(&[VERSION, 3, 0xbf, 0xff, 0xff, 0xff, 0, 0, 0]).is_err());
    }
}
