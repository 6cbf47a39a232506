//! `authority`: who decides, who signs, in what quorums, for which trust domain, and the CA keys there are.
//!
//! Version 1 is signed by all administrators and pinned by its digest. Later versions are signed by k of the old and k
//! of the new administrators; only the version that records the result of a key generation or of a resharing is signed by
//! all n participants instead, and it is a function of the version before it ([`Authority::with_ca_key`],
//! [`Authority::with_sharing`]), so that each of them computes the text itself.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::custody::Custodian;
use super::hierarchy::Purpose;
use super::{FileError, Header, Kind, text};
use crate::approval::ApprovalKey;
use crate::note::{CosignatureKey, Digest, NoteKey, sha256};

/// The name that every authority file has.
pub const NAME: &str = "authority";
/// RFC 5612's example enterprise number: fit for a demonstration, refused in production.
pub const EXAMPLE_ENTERPRISE_NUMBER: u32 = 32473;
/// The most signers that one CA may have.
pub const MAX_SIGNERS: usize = 64;
/// The most administrators.
pub const MAX_ADMINISTRATORS: usize = 64;
/// The most CA keys that an authority file lists.
pub const MAX_CA_KEYS: usize = 16;

/// Body of an `authority` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// SPIFFE trust domain; it stands in the header, and is filled in from there.
    #[serde(skip)]
    pub trust_domain: String,
    /// Version; it stands in the header.
    #[serde(skip)]
    pub version: u64,
    /// Expiry, Unix seconds; it stands in the header.
    #[serde(skip)]
    pub expires: u64,
    /// The CA's name: common name of its certificates, part of the audience that a presentation is bound to.
    pub ca_name: String,
    /// Whether what is known to be unsafe (development parameters, example numbers) is let through.
    pub mode: Mode,
    /// The operator's enterprise number, under which Bauta's certificate extensions stand (1.3.6.1.4.1.N).
    pub enterprise_number: u32,
    /// Length of an epoch in seconds; it divides a day.
    pub epoch_seconds: u32,
    /// The log of this CA.
    pub log: LogIdentity,
    /// Who signs policies, issuer sets and key operations.
    pub administrators: Administrators,
    /// The nodes that cosign and hold shares.
    pub signers: Vec<Signer>,
    /// In what numbers they must agree.
    pub quorum: Quorum,
    /// Who keeps backups of whose shares; a signer without a custodian makes none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custodians: Vec<Custodian>,
    /// CA keys, oldest first.
    pub ca_keys: Vec<CaKey>,
}

/// Development or production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Demonstrations: development parameters are accepted.
    Development,
    /// Nothing that is known to be unsafe is accepted.
    Production,
}

/// Origin and verifier key of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIdentity {
    /// First line of its checkpoints; also its key's name.
    pub origin: String,
    /// Ed25519 note key of the service for this origin.
    pub key: NoteKey,
}

/// k of m administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrators {
    /// How many must sign.
    pub k: usize,
    /// All m keys.
    pub keys: Vec<NoteKey>,
}

/// One signer's public keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Its name, one per CA, never given to another.
    pub name: String,
    /// Key of its cosignatures (C2SP cosignature/v1).
    pub cosignature: CosignatureKey,
    /// SHA-256 of the SubjectPublicKeyInfo that its TLS client certificate carries.
    #[serde(with = "text::hex")]
    pub tls: Digest,
    /// Key by which it agrees to the result of a key generation.
    pub approval: ApprovalKey,
}

/// The numbers of section 4, "Quorums".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Signers.
    pub n: usize,
    /// Signature threshold.
    pub t: usize,
    /// Cosignatures that make a checkpoint count.
    pub q: usize,
    /// Byzantine signers tolerated.
    pub f: usize,
    /// Signers that may be down without a stop.
    pub c: usize,
}

/// Which inequality a quorum breaks.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum QuorumError {
    /// No certificate without an honest check.
    #[error(
        "t ≥ f+1 does not hold (t={0}, f={1}): {1} bad signers could sign alone; raise t or lower f"
    )]
    Threshold(usize, usize),
    /// No fork.
    #[error(
        "2q > n+f does not hold (q={0}, n={1}, f={2}): two heads of one size could both be cosigned; raise q or lower f"
    )]
    Fork(usize, usize, usize),
    /// Live with c down.
    #[error(
        "max(q,t) ≤ n−c does not hold (q={0}, t={1}, n={2}, c={3}): the CA would stop with {3} down; lower q, t or c"
    )]
    Liveness(usize, usize, usize, usize),
    /// A threshold of one is a key held whole.
    #[error("t ≥ 2 does not hold (t={0}): one signer would hold the key whole")]
    Whole(usize),
    /// n is not the number of signers, or too many.
    #[error("n={0} does not fit the {1} signers listed (at most {MAX_SIGNERS})")]
    Signers(usize, usize),
}

impl Quorum {
    /// n=5, t=3, q=4: fork-safe for f ≤ 2, live with one down.
    pub const FIVE: Self = Self {
        n: 5,
        t: 3,
        q: 4,
        f: 2,
        c: 1,
    };
    /// n=7, t=3, q=5: where two may be down.
    pub const SEVEN: Self = Self {
        n: 7,
        t: 3,
        q: 5,
        f: 2,
        c: 2,
    };

    /// Checks the three inequalities of section 4 (and t ≥ 2, without which there is no sharing).
    ///
    /// # Errors
    /// The inequality that does not hold.
    pub fn check(&self) -> Result<(), QuorumError> {
        let Self { n, t, q, f, c } = *self;
        if n == 0 || n > MAX_SIGNERS {
            return Err(QuorumError::Signers(n, n));
        }
        // Nothing below overflows: a number above n breaks its inequality here already.
        if q > n || t > n || c > n {
            return Err(QuorumError::Liveness(q, t, n, c));
        }
        if f >= n || t < f + 1 {
            return Err(QuorumError::Threshold(t, f));
        }
        if 2 * q <= n + f {
            return Err(QuorumError::Fork(q, n, f));
        }
        if q.max(t) > n - c {
            return Err(QuorumError::Liveness(q, t, n, c));
        }
        if t < 2 {
            return Err(QuorumError::Whole(t));
        }
        Ok(())
    }
}

/// A CA key that distributed key generation made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaKey {
    /// Its name, as the key operation gave it; never given twice.
    pub name: String,
    /// What it is for, as the key operation says; a root issues nothing to holders.
    #[serde(default, skip_serializing_if = "Purpose::is_issuing")]
    pub purpose: Purpose,
    /// Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// Signature threshold of its shares.
    pub t: usize,
    /// Verifying share of each participant, in the order of their identifiers.
    pub verifying_shares: Vec<VerifyingShare>,
    /// Digest of the key operation that asked for it, or for its present shares.
    #[serde(with = "text::hex")]
    pub operation: Digest,
    /// SHA-256 of the transcript of the run that made the present shares ([`crate::run`]), an object of the log.
    #[serde(with = "text::hex")]
    pub transcript: Digest,
}

/// The public part of one participant's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyingShare {
    /// FROST identifier, from 1.
    pub identifier: u16,
    /// The signer that holds the share.
    pub signer: String,
    /// Ed25519 point, 32 bytes.
    #[serde(with = "text::hex")]
    pub share: [u8; 32],
}

impl CaKey {
    /// The key's id in issuance entries: SHA-256 over a domain tag and the group key.
    pub fn id(&self) -> Digest {
        ca_key_id(&self.group_key)
    }

    /// Which sharing of the key this is.
    pub fn sharing(&self) -> Digest {
        let shares = self.verifying_shares.iter();
        sharing_id(
            &self.group_key,
            self.t,
            shares.map(|one| (one.identifier, one.signer.as_str(), &one.share)),
        )
    }

    /// The note key under which the CA key signs the authority file that records a new sharing of it: proof that the new
    /// shares can sign.
    ///
    /// # Errors
    /// [`FileError`] if the group key is no Ed25519 key in use.
    pub fn note_key(&self) -> Result<NoteKey, FileError> {
        NoteKey::new(&self.name, &self.group_key)
            .map_err(|error| FileError::Authority(format!("CA key {:?}: {error}", self.name)))
    }
}

/// The id of one sharing of a CA key: SHA-256 over a domain tag, the group key, the threshold, and each share's public side
/// (identifier, signer, verifying share). It is a function of the public side and not of the key operation, since two runs
/// for one operation give different shares, and a signer may hold those of both until one of them is logged.
pub fn sharing_id<'a>(
    group_key: &[u8; 32],
    t: usize,
    shares: impl Iterator<Item = (u16, &'a str, &'a [u8; 32])>,
) -> Digest {
    let mut bytes = b"bauta/v1/sharing/ed25519\0".to_vec();
    bytes.extend_from_slice(group_key);
    bytes.extend_from_slice(&(t as u64).to_be_bytes());
    for (identifier, signer, share) in shares {
        bytes.extend_from_slice(&identifier.to_be_bytes());
        bytes.extend_from_slice(&(signer.len() as u64).to_be_bytes());
        bytes.extend_from_slice(signer.as_bytes());
        bytes.extend_from_slice(share);
    }
    sha256(&bytes)
}

/// The id of the CA key with this Ed25519 group key.
pub fn ca_key_id(group_key: &[u8; 32]) -> Digest {
    let mut bytes = b"bauta/v1/ca-key/ed25519\0".to_vec();
    bytes.extend_from_slice(group_key);
    sha256(&bytes)
}

impl Authority {
    /// Checks everything that can be checked without the version before.
    pub(super) fn check(&mut self, header: &Header) -> Result<(), FileError> {
        self.trust_domain.clone_from(&header.trust_domain);
        self.version = header.version;
        self.expires = header.expires;
        let wrong = |what: &str| Err(FileError::Authority(what.to_owned()));
        if header.name != NAME {
            return wrong("its name is not \"authority\"");
        }
        if self.ca_name.is_empty()
            || self.ca_name.len() > 64
            || self.ca_name.trim() != self.ca_name
            || self.ca_name.chars().any(char::is_control)
        {
            return wrong("ca_name has 1 to 64 bytes, no control characters, no space at its ends");
        }
        if self.epoch_seconds < 10 || 86_400 % self.epoch_seconds != 0 {
            return wrong("epoch_seconds divides a day (86400) and is at least 10");
        }
        // Every arc below 2^31, or Go and const-oid refuse the certificate.
        if self.enterprise_number == 0 || self.enterprise_number >= 1 << 31 {
            return wrong("enterprise_number is from 1 to 2147483647");
        }
        if self.mode == Mode::Production && self.enterprise_number == EXAMPLE_ENTERPRISE_NUMBER {
            return wrong(
                "production needs an enterprise number of the operator's own: 32473 is RFC 5612's example",
            );
        }
        if self.log.origin != self.log.key.name() {
            return wrong("the log key's name is not the log's origin");
        }
        if self.administrators.keys.len() > MAX_ADMINISTRATORS
            || self.administrators.k == 0
            || self.administrators.k > self.administrators.keys.len()
        {
            return wrong("administrators: 1 ≤ k ≤ m ≤ 64 does not hold");
        }
        if self.quorum.n != self.signers.len() {
            return Err(QuorumError::Signers(self.quorum.n, self.signers.len()).into());
        }
        self.quorum.check()?;
        self.check_distinct()?;
        self.check_ca_keys()?;
        self.check_custodians()
    }

    /// Keys have one purpose each, and names one bearer.
    fn check_distinct(&self) -> Result<(), FileError> {
        let mut keys = BTreeSet::from([self.log.key.public().to_vec()]);
        let mut names = BTreeSet::new();
        let mut distinct = true;
        for key in &self.administrators.keys {
            distinct &= keys.insert(key.public().to_vec());
        }
        let mut tls = BTreeSet::new();
        let mut cosigners = BTreeSet::new();
        for signer in &self.signers {
            distinct &= keys.insert(signer.cosignature.public().to_vec());
            distinct &= keys.insert(signer.approval.public().as_bytes().to_vec());
            distinct &= tls.insert(signer.tls);
            distinct &= tls.insert(sha256(&signer.approval.public().spki()));
            if !text::is_name(&signer.name)
                || !names.insert(signer.name.as_str())
                || !cosigners.insert(signer.cosignature.name())
            {
                return Err(FileError::Authority(format!(
                    "the name {:?} of a signer is not allowed or not its own",
                    signer.name
                )));
            }
        }
        if !distinct {
            return Err(FileError::Authority(
                "a key stands in two places: each key has one purpose".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_ca_keys(&self) -> Result<(), FileError> {
        let wrong = |what: String| Err(FileError::Authority(what));
        if self.ca_keys.len() > MAX_CA_KEYS {
            return wrong(format!("more than {MAX_CA_KEYS} CA keys"));
        }
        let mut names = BTreeSet::new();
        let mut groups = BTreeSet::new();
        for key in &self.ca_keys {
            if !text::is_name(&key.name)
                || !names.insert(&key.name)
                || !groups.insert(key.group_key)
            {
                return wrong(format!(
                    "CA key {:?} is listed twice or ill-named",
                    key.name
                ));
            }
            let mut holders = BTreeSet::new();
            for (index, share) in key.verifying_shares.iter().enumerate() {
                if usize::from(share.identifier) != index + 1
                    || !holders.insert(share.signer.as_str())
                {
                    return wrong(format!(
                        "verifying shares of {:?} do not run from 1 over distinct signers",
                        key.name
                    ));
                }
            }
            // A key keeps its t when the quorum changes, until it is shared anew; but the inequalities hold for it always.
            Quorum {
                t: key.t,
                ..self.quorum
            }
            .check()?;
            let present = self
                .signers
                .iter()
                .filter(|signer| holders.contains(signer.name.as_str()))
                .count();
            if present < key.t {
                return wrong(format!(
                    "only {present} holders of CA key {:?} are among the signers; {} must be",
                    key.name, key.t
                ));
            }
        }
        Ok(())
    }

    /// The header of this version.
    pub fn header(&self) -> Header {
        Header {
            kind: Kind::Authority,
            trust_domain: self.trust_domain.clone(),
            name: NAME.to_owned(),
            version: self.version,
            expires: self.expires,
        }
    }

    /// The text that is signed.
    ///
    /// # Errors
    /// [`FileError`] if this authority would be refused when read.
    pub fn to_text(&self) -> Result<String, FileError> {
        self.clone().check(&self.header())?;
        super::to_text(&self.header(), self)
    }

    /// The next version, which lists `key` after the others and differs in nothing else: what all n participants of a
    /// key generation compute, compare and sign.
    ///
    /// # Errors
    /// [`FileError`] if the key does not fit this authority.
    pub fn with_ca_key(&self, key: CaKey) -> Result<String, FileError> {
        let mut next = self.clone();
        next.version = self
            .version
            .checked_add(1)
            .ok_or_else(|| FileError::Authority("no version is left".to_owned()))?;
        next.ca_keys.push(key);
        next.to_text()
    }

    /// The next version, in which `key` stands in the place of the same key in its present sharing; it differs in nothing
    /// else: what all participants of a resharing compute, compare and sign.
    ///
    /// # Errors
    /// [`FileError`] if there is no such key, or its new sharing does not fit this authority.
    pub fn with_sharing(&self, key: CaKey) -> Result<String, FileError> {
        let mut next = self.clone();
        next.version = self
            .version
            .checked_add(1)
            .ok_or_else(|| FileError::Authority("no version is left".to_owned()))?;
        let before = next
            .ca_keys
            .iter_mut()
            .find(|before| before.name == key.name && before.group_key == key.group_key)
            .ok_or_else(|| FileError::Authority(format!("no CA key {:?} to share", key.name)))?;
        *before = key;
        next.to_text()
    }

    /// The CA key with this id.
    pub fn ca_key(&self, id: &Digest) -> Option<&CaKey> {
        self.ca_keys.iter().find(|key| key.id() == *id)
    }

    /// Approval keys of all signers, in their order.
    pub fn approval_keys(&self) -> Vec<ApprovalKey> {
        self.signers
            .iter()
            .map(|signer| signer.approval.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_inequality_is_named() {
        assert_eq!(Quorum::FIVE.check(), Ok(()));
        assert_eq!(Quorum::SEVEN.check(), Ok(()));
        let five = Quorum::FIVE;
        for (quorum, inequality) in [
            (Quorum { t: 2, ..five }, "t ≥ f+1"),
            (Quorum { f: 3, ..five }, "t ≥ f+1"),
            (
                Quorum {
                    f: usize::MAX,
                    ..five
                },
                "t ≥ f+1",
            ),
            (Quorum { q: 3, ..five }, "2q > n+f"),
            (Quorum { c: 2, ..five }, "max(q,t) ≤ n−c"),
            (Quorum { q: 6, ..five }, "max(q,t) ≤ n−c"),
            (Quorum { t: 5, ..five }, "max(q,t) ≤ n−c"),
            (Quorum { t: 1, f: 0, ..five }, "t ≥ 2"),
            (Quorum { n: 0, ..five }, "n=0"),
        ] {
            let refusal = quorum.check().unwrap_err().to_string();
            assert!(refusal.starts_with(inequality), "{refusal}");
        }
    }
}
