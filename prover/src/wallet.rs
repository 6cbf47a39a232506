//! The wallet's bytes: one credential and the proofs prepared with it. They hold the holder secret or a certificate: erase them from memory
//! (the buffer does so itself) and seal them at rest.

use zeroize::Zeroizing;

use bauta_statement::credential::NativeCredential;
use bauta_statement::relation::Relation;

use crate::credential::{Credential, CredentialDecodeError, X509RsaCredential};
use crate::prove::{ProofDecodeError, RelationProof};

/// First byte of the encoding with a native credential.
const NATIVE: u8 = 1;
/// First byte of the encoding with an X.509 certificate.
const X509_RSA: u8 = 2;

/// A policy proof, and which policy and epoch it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The policy's digest.
    pub policy: [u8; 32],
    /// The epoch's number.
    pub epoch: u64,
    /// The proof.
    pub proof: RelationProof,
}

/// A nullifier proof in stock, and the counter that it is for; scope and bound are in its public inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUse {
    /// The counter, below the bound.
    pub counter: u32,
    /// The proof.
    pub proof: RelationProof,
}

/// What a wallet keeps of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The credential, of a native one the holder secret with it.
    pub credential: Credential,
    /// The possession proof, once made.
    pub possession: Option<RelationProof>,
    /// Policy proofs.
    pub policies: Vec<StoredPolicy>,
    /// Nullifier proofs not yet used.
    pub uses: Vec<StoredUse>,
}

/// Why bytes are not a wallet's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// Lengths, counts, version, or a proof in the wrong place.
    #[error("the wallet's bytes are malformed ({0}); restore the wallet or enrol again")]
    Malformed(&'static str),
    /// The credential.
    #[error(transparent)]
    Credential(#[from] CredentialDecodeError),
    /// A proof.
    #[error(transparent)]
    Proof(#[from] ProofDecodeError),
}

impl Stored {
    /// Format of the credential (1 native, 2 X.509); credential; possession proof (empty if none); count (16 bits) and per policy: digest (32), epoch (8),
    /// proof; count (16 bits) and per use: counter (4), proof. Variable parts have a 32-bit length; all big-endian.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (format, credential) = match &self.credential {
            Credential::Native(credential) => (NATIVE, credential.encode()),
            Credential::X509Rsa(credential) => (X509_RSA, credential.encode()),
        };
        // Room for everything at once: a buffer that grows leaves copies of the secret behind.
        let proofs = 1 + self.policies.len() + self.uses.len();
        let mut out = Zeroizing::new(Vec::with_capacity(64 + credential.len() + proofs * 2048));
        out.push(format);
        put(&mut out, &credential);
        put(
            &mut out,
            &self
                .possession
                .as_ref()
                .map(RelationProof::encode)
                .unwrap_or_default(),
        );
        debug_assert!(
            self.policies.len().max(self.uses.len()) <= usize::from(u16::MAX),
            "a wallet holds few"
        );
        out.extend((self.policies.len() as u16).to_be_bytes());
        for stored in &self.policies {
            out.extend(stored.policy);
            out.extend(stored.epoch.to_be_bytes());
            put(&mut out, &stored.proof.encode());
        }
        out.extend((self.uses.len() as u16).to_be_bytes());
        for stored in &self.uses {
            out.extend(stored.counter.to_be_bytes());
            put(&mut out, &stored.proof.encode());
        }
        out
    }

    /// Reads [`Self::encode`]'s bytes; nothing may follow. The credential's signature is checked again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WalletError> {
        let mut reader = Reader { rest: bytes };
        let [format] = reader.take()?;
        let bytes = reader.piece()?;
        let credential = match format {
            NATIVE => NativeCredential::decode(bytes)
                .map(Credential::Native)
                .map_err(CredentialDecodeError::from)?,
            X509_RSA => X509RsaCredential::decode(bytes)
                .map(|credential| Credential::X509Rsa(Box::new(credential)))
                .map_err(CredentialDecodeError::from)?,
            _ => return Err(WalletError::Malformed("unknown version")),
        };
        let relation = Relation::possession(credential.format())
            .ok_or(WalletError::Malformed("unknown format"))?;
        let possession = match reader.piece()? {
            [] => None,
            bytes => Some(of(RelationProof::decode(bytes)?, relation)?),
        };
        let count = u16::from_be_bytes(reader.take()?);
        let policies = (0..count)
            .map(|_| {
                Ok(StoredPolicy {
                    policy: reader.take()?,
                    epoch: u64::from_be_bytes(reader.take()?),
                    proof: of(RelationProof::decode(reader.piece()?)?, Relation::Policy)?,
                })
            })
            .collect::<Result<_, WalletError>>()?;
        let count = u16::from_be_bytes(reader.take()?);
        let uses = (0..count)
            .map(|_| {
                Ok(StoredUse {
                    counter: u32::from_be_bytes(reader.take()?),
                    proof: of(RelationProof::decode(reader.piece()?)?, Relation::Nullifier)?,
                })
            })
            .collect::<Result<_, WalletError>>()?;
        if !reader.rest.is_empty() {
            return Err(WalletError::Malformed("trailing bytes"));
        }
        Ok(Self {
            credential,
            possession,
            policies,
            uses,
        })
    }
}

fn put(out: &mut Vec<u8>, piece: &[u8]) {
    debug_assert!(u32::try_from(piece.len()).is_ok(), "a piece is small");
    out.extend((piece.len() as u32).to_be_bytes());
    out.extend(piece);
}

fn of(proof: RelationProof, relation: Relation) -> Result<RelationProof, WalletError> {
    if proof.relation == relation {
        Ok(proof)
    } else {
        Err(WalletError::Malformed("a proof of another relation"))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WalletError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(WalletError::Malformed("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn piece(&mut self) -> Result<&'a [u8], WalletError> {
        let length = u32::from_be_bytes(self.take()?);
        let length = usize::try_from(length).map_err(|_| WalletError::Malformed("too long"))?;
        let (piece, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(WalletError::Malformed("too short"))?;
        self.rest = rest;
        Ok(piece)
    }
}
