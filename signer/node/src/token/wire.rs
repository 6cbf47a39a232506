//! What a signer and its module process say to each other: a request, a reply, one at a time, each a frame of four bytes
//! of length and a body in RFC 8446's presentation language, as the signers' other messages are.

use std::io::{self, Read, Write};

use bauta_signer_protocol::messages::Bytes;
use tls_codec::{
    DeserializeBytes, Error, Serialize, Size, TlsDeserializeBytes, TlsSerialize, TlsSize,
};
use zeroize::Zeroizing;

/// The longest frame: the longest thing that is signed in a token is an authority file or a message of key generation.
pub(super) const MAX_FRAME: usize = 1 << 20;

/// Bytes that are erased when they are dropped, and shown to nobody.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Secret(pub(super) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl Size for Secret {
    fn tls_serialized_len(&self) -> usize {
        4 + self.0.len()
    }
}

impl Serialize for Secret {
    fn tls_serialize<W: Write>(&self, writer: &mut W) -> Result<usize, Error> {
        let length = u32::try_from(self.0.len()).map_err(|_| Error::InvalidVectorLength)?;
        writer.write_all(&length.to_be_bytes())?;
        writer.write_all(&self.0)?;
        Ok(4 + self.0.len())
    }
}

impl DeserializeBytes for Secret {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(Error::EndOfStream)?;
        let length =
            usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::InvalidVectorLength)?;
        let (secret, rest) = rest.split_at_checked(length).ok_or(Error::EndOfStream)?;
        Ok((Self::from(secret), rest))
    }
}

/// A text, as bytes: what a module says of itself may be no UTF-8.
pub(super) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes.as_slice()).into_owned()
}

pub(super) fn bytes(text: impl AsRef<[u8]>) -> Bytes {
    text.as_ref().to_vec().into()
}

/// To the module process.
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub(super) enum Request {
    /// Load the module: the first request, once.
    #[tls_codec(discriminant = 1)]
    Load(Load),
    /// Which tokens are there? Needs no PIN.
    #[tls_codec(discriminant = 2)]
    List,
    /// Choose a token and log in to it, once.
    #[tls_codec(discriminant = 3)]
    LogIn(LogIn),
    /// Make each kind of key for the session alone, use it, and say what came of it.
    #[tls_codec(discriminant = 4)]
    Probe,
    /// Make a key that stays.
    #[tls_codec(discriminant = 5)]
    Generate(Key),
    /// Is the key there, and what it should be?
    #[tls_codec(discriminant = 6)]
    Find(Key),
    /// Sign with a key.
    #[tls_codec(discriminant = 7)]
    Sign(Sign),
    /// AES-256-GCM with a key that seals.
    #[tls_codec(discriminant = 8)]
    Seal(Seal),
    /// The other direction.
    #[tls_codec(discriminant = 9)]
    Unseal(Unseal),
    /// ECDH with a key that agrees.
    #[tls_codec(discriminant = 10)]
    Agree(Agree),
    /// Destroy a key that this process made: the signer's others could not be made.
    #[tls_codec(discriminant = 11)]
    Destroy(Key),
}

/// See [`Request::Load`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Load {
    /// Path of the module.
    pub(super) module: Bytes,
    /// 1 in production mode: no module of others', and no start without locked memory.
    pub(super) strict: u8,
}

/// See [`Request::LogIn`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct LogIn {
    /// 1 if `slot` is a serial number, 0 if it is a label.
    pub(super) by_serial: u8,
    /// The token's label or serial number.
    pub(super) slot: Bytes,
    /// The serial number that the token had when its keys were made; empty if any will do.
    pub(super) serial: Bytes,
    /// The user's PIN.
    pub(super) pin: Secret,
    /// 1 to log in although a PIN failed before.
    pub(super) despite_failures: u8,
    /// 1 to be able to make keys.
    pub(super) write: u8,
}

/// What a key is for, which decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub(super) enum KeyKind {
    /// AES-256 that encrypts with GCM and nothing else.
    Aes = 1,
    /// P-256 that agrees by ECDH and nothing else.
    Ecdh = 2,
    /// Ed25519 that signs.
    Ed25519 = 3,
    /// P-256 that signs.
    P256 = 4,
}

/// A key, by what it is for and its label.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Key {
    pub(super) kind: KeyKind,
    pub(super) label: Bytes,
}

/// See [`Request::Sign`]. P-256 signs SHA-256 of the message, hashed outside the token.
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Sign {
    pub(super) key: Key,
    pub(super) message: Bytes,
}

/// See [`Request::Seal`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Seal {
    pub(super) key: Key,
    pub(super) aad: Bytes,
    pub(super) secret: Secret,
}

/// See [`Request::Unseal`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Unseal {
    pub(super) key: Key,
    pub(super) aad: Bytes,
    pub(super) iv: [u8; 12],
    pub(super) sealed: Bytes,
}

/// See [`Request::Agree`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Agree {
    pub(super) key: Key,
    /// The other side's point, uncompressed (65 bytes).
    pub(super) point: Bytes,
}

/// From the module process.
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub(super) enum Reply {
    /// It was not done.
    #[tls_codec(discriminant = 1)]
    Failed(Failed),
    /// It was done, and there is nothing to say.
    #[tls_codec(discriminant = 2)]
    Done,
    /// The tokens, as JSON ([`super::check`]).
    #[tls_codec(discriminant = 3)]
    Tokens(Bytes),
    /// The token's serial number.
    #[tls_codec(discriminant = 4)]
    LoggedIn(Bytes),
    /// What came of each kind of key, as JSON ([`super::check`]).
    #[tls_codec(discriminant = 5)]
    Probed(Bytes),
    /// A key's public half: 32 bytes of Ed25519, an uncompressed point of P-256, nothing of AES.
    #[tls_codec(discriminant = 6)]
    Public(Bytes),
    /// A signature: 64 bytes, r ‖ s of P-256.
    #[tls_codec(discriminant = 7)]
    Signature(Bytes),
    /// What was sealed, under this nonce.
    #[tls_codec(discriminant = 8)]
    Sealed(Sealed),
    /// What was opened or agreed.
    #[tls_codec(discriminant = 9)]
    Secret(Secret),
}

/// See [`Reply::Sealed`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Sealed {
    pub(super) iv: [u8; 12],
    pub(super) text: Bytes,
}

/// See [`Reply::Failed`].
#[derive(Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) reason: Bytes,
}

/// What kind of failure it is: what the caller does about it, and the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
#[repr(u8)]
pub enum Failure {
    /// The module's file is not there or cannot be loaded.
    Module = 1,
    /// No such token is plugged in now.
    Absent = 2,
    /// More than one token, or another than the one that holds the keys.
    OtherToken = 3,
    /// The token refused the PIN, or trying it might lock the token. Never tried again by itself.
    Pin = 4,
    /// A key is missing.
    NoKey = 5,
    /// A key of this label is there already.
    KeyExists = 6,
    /// The token made, or holds, a key that may do more than was asked for.
    WeakKey = 7,
    /// The token cannot do this.
    Unsupported = 8,
    /// The token refused, or lost its session. Worth another try with a fresh module process.
    Refused = 9,
    /// The module process ended or did not answer.
    Process = 10,
    /// The operating system does not lock the memory.
    NotHardened = 11,
    /// The configuration, or a PIN that cannot be had.
    Setup = 12,
}

/// Writes one frame.
pub(super) fn write(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = Zeroizing::new(Vec::with_capacity(4 + message.tls_serialized_len()));
    frame.extend_from_slice(&[0; 4]);
    message
        .tls_serialize(&mut *frame)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!(
            "{length} bytes are too many for the token's process"
        )));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame)?;
    stream.flush()
}

/// Reads one frame; `None` if the stream ended before it began.
pub(super) fn read<M: DeserializeBytes>(stream: &mut impl Read) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(io::Error::other("a frame is too long"));
    }
    let mut body = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut body)?;
    M::tls_deserialize_exact_bytes(&body)
        .map(Some)
        .map_err(|error| io::Error::other(format!("no message: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Request> {
        let key = || Key {
            kind: KeyKind::Ed25519,
            label: bytes("label"),
        };
        vec![
            Request::List,
            Request::Load(Load {
                module: bytes("/m.so"),
                strict: 1,
            }),
            Request::LogIn(LogIn {
                by_serial: 0,
                slot: bytes("label"),
                serial: bytes(""),
                pin: Secret::from(b"1234".as_slice()),
                despite_failures: 0,
                write: 1,
            }),
            Request::Sign(Sign {
                key: key(),
                message: bytes([7; 300]),
            }),
            Request::Unseal(Unseal {
                key: key(),
                aad: bytes("aad"),
                iv: [1; 12],
                sealed: bytes([2; 48]),
            }),
        ]
    }

    #[test]
    fn a_request_comes_back_and_a_broken_one_is_an_error() {
        for request in samples() {
            let mut frame = Vec::new();
            write(&mut frame, &request).unwrap();
            assert_eq!(
                read::<Request>(&mut frame.as_slice()).unwrap(),
                Some(request)
            );
            for cut in 1..frame.len() {
                assert!(
                    read::<Request>(&mut &frame[..cut]).is_ok_and(|read| read.is_none() && cut < 4)
                        || read::<Request>(&mut &frame[..cut]).is_err(),
                    "cut at {cut}"
                );
            }
            for at in 0..frame.len() {
                // Changed lengths and kinds are refused or give another message; nothing panics.
                let mut changed = frame.clone();
                changed[at] ^= 0x81;
                let _ = read::<Request>(&mut changed.as_slice());
                let _ = read::<Reply>(&mut changed.as_slice());
            }
        }
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_before_it_is_read() {
        let frame = (u32::try_from(MAX_FRAME).unwrap() + 1).to_be_bytes();
        assert!(read::<Request>(&mut frame.as_slice()).is_err());
        let long = Request::Sign(Sign {
            key: Key {
                kind: KeyKind::P256,
                label: bytes(""),
            },
            message: bytes(vec![0; MAX_FRAME]),
        });
        assert!(write(&mut Vec::new(), &long).is_err());
    }

    #[test]
    fn a_secret_is_not_printed() {
        let request = &samples()[2];
        assert!(!format!("{request:?}").contains("49"));
        assert!(format!("{request:?}").contains("redacted"));
    }
}
