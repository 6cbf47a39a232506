//! `key-operation`: what administrators let the signers do with CA keys. Every one is signed by k of m.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::hierarchy::{
    InstallCaCertificate, MAX_PATH_LENGTH, Purpose, RequestCaCertificate, SignSubordinateCa,
};
use super::{FileError, authority::Quorum, text};
use crate::approval::{ApprovalKey, ApprovalPublicKey};
use crate::note::Digest;

/// Body of a `key-operation` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyOperation {
    /// Distributed key generation.
    GenerateKey(GenerateKey),
    /// A self-signed CA certificate under a generated key.
    SignCaCertificate(SignCaCertificate),
    /// A request by which another CA, an organisation's or a Bauta root, certifies a generated key.
    RequestCaCertificate(RequestCaCertificate),
    /// A root's certificate for another CA.
    SignSubordinateCa(SignSubordinateCa),
    /// The certificate that another CA made for a generated key.
    InstallCaCertificate(InstallCaCertificate),
    /// New shares of a CA key, to the same signers (a refresh) or to others, with the same threshold or another.
    ReshareKey(ReshareKey),
    /// A share that its signer lost, made again by others.
    RepairShare(RepairShare),
}

/// Who makes which key, and in what numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateKey {
    /// Name of the CA key to be made.
    pub key: String,
    /// What the key is for, for as long as it lives.
    #[serde(default, skip_serializing_if = "Purpose::is_issuing")]
    pub purpose: Purpose,
    /// All participants, in the order of their identifiers.
    pub participants: Vec<Participant>,
    /// Participants.
    pub n: usize,
    /// Signature threshold.
    pub t: usize,
    /// Cosignature quorum.
    pub q: usize,
}

/// Who gives and who gets shares of which key, and in what numbers. The key stays what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReshareKey {
    /// Name of the CA key.
    pub key: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// The sharing that is in force ([`super::authority::CaKey::sharing`]).
    #[serde(with = "text::hex")]
    pub from: Digest,
    /// The signers whose present shares the new ones are made of: as many as the present threshold.
    pub dealers: Vec<String>,
    /// All who get a new share, in the order of their identifiers.
    pub participants: Vec<Participant>,
    /// Participants.
    pub n: usize,
    /// Signature threshold of the new shares.
    pub t: usize,
    /// Cosignature quorum.
    pub q: usize,
}

/// Whose share is made again, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairShare {
    /// Name of the CA key.
    pub key: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// The sharing that is in force ([`super::authority::CaKey::sharing`]).
    #[serde(with = "text::hex")]
    pub sharing: Digest,
    /// The signer whose share is lost.
    pub signer: String,
    /// The signers that make it again: as many as the threshold, and not that one.
    pub helpers: Vec<String>,
}

/// One participant of a key generation or resharing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// FROST identifier: 1, 2, …, n.
    pub identifier: u16,
    /// The signer's name in `authority`.
    pub signer: String,
    /// Its approval key.
    pub approval: ApprovalKey,
}

/// What stands in the CA certificate; the rest is fixed by the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignCaCertificate {
    /// Name of the CA key.
    pub key: String,
    /// Its Ed25519 group key: the object that is certified.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
    /// Subject and issuer.
    pub subject: CaSubject,
    /// Unix seconds.
    #[serde(with = "text::time")]
    pub not_before: u64,
    /// Unix seconds, inclusive.
    #[serde(with = "text::time")]
    pub not_after: u64,
    /// How many CAs may stand between this one and a leaf: 0 for an issuing key, more for a root.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub path_length: u8,
}

/// Distinguished name of the CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaSubject {
    /// ISO 3166 code, two capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The CA's name as in `authority`.
    pub common_name: String,
}

impl KeyOperation {
    pub(super) fn check(&self) -> Result<(), FileError> {
        let wrong = |what: &str| Err(FileError::KeyOperation(what.to_owned()));
        match self {
            Self::GenerateKey(generate) => {
                if !text::is_name(&generate.key) {
                    return wrong("the key's name is not allowed");
                }
                if !run_from_one(&generate.participants) {
                    return wrong("participants do not run from 1 over distinct signers");
                }
                if generate.participants.len() != generate.n {
                    return wrong("n is not the number of participants");
                }
                // What f and c are is the authority's matter: these are the weakest for which t and q make sense.
                Quorum {
                    n: generate.n,
                    t: generate.t,
                    q: generate.q,
                    f: 0,
                    c: 0,
                }
                .check()?;
                Ok(())
            }
            Self::SignCaCertificate(sign) => {
                if !text::is_name(&sign.key) {
                    return wrong("the key's name is not allowed");
                }
                sign.subject.check()?;
                if sign.not_before >= sign.not_after {
                    return wrong("not_before is not before not_after");
                }
                if sign.path_length > MAX_PATH_LENGTH {
                    return wrong("path_length is at most 4");
                }
                Ok(())
            }
            Self::RequestCaCertificate(request) => request.check(),
            Self::SignSubordinateCa(sign) => sign.check(),
            Self::InstallCaCertificate(install) => install.check(),
            Self::ReshareKey(reshare) => {
                if !text::is_name(&reshare.key) {
                    return wrong("the key's name is not allowed");
                }
                if !run_from_one(&reshare.participants) {
                    return wrong("participants do not run from 1 over distinct signers");
                }
                if reshare.participants.len() != reshare.n {
                    return wrong("n is not the number of participants");
                }
                // q is the authority's matter: its signers may be more than those who get a share.
                if reshare.t < 2 || reshare.t > reshare.n {
                    return wrong("2 ≤ t ≤ n does not hold");
                }
                if !distinct(&reshare.dealers) || reshare.dealers.len() < 2 {
                    return wrong("dealers are two distinct signers or more");
                }
                Ok(())
            }
            Self::RepairShare(repair) => {
                if !text::is_name(&repair.key) {
                    return wrong("the key's name is not allowed");
                }
                if !distinct(&repair.helpers) || repair.helpers.len() < 2 {
                    return wrong("helpers are two distinct signers or more");
                }
                if repair.helpers.contains(&repair.signer) {
                    return wrong("a signer does not help itself to a share that it lost");
                }
                Ok(())
            }
        }
    }

    /// The CA key that this operation is about, by name.
    pub fn key(&self) -> &str {
        match self {
            Self::GenerateKey(one) => &one.key,
            Self::SignCaCertificate(one) => &one.key,
            Self::RequestCaCertificate(one) => &one.key,
            Self::SignSubordinateCa(one) => &one.key,
            Self::InstallCaCertificate(one) => &one.key,
            Self::ReshareKey(one) => &one.key,
            Self::RepairShare(one) => &one.key,
        }
    }

    /// The key that is to sign, or is certified; a key that is yet to be made has none.
    pub fn group_key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::GenerateKey(_) => None,
            Self::SignCaCertificate(one) => Some(&one.group_key),
            Self::RequestCaCertificate(one) => Some(&one.group_key),
            Self::SignSubordinateCa(one) => Some(&one.group_key),
            Self::InstallCaCertificate(one) => Some(&one.group_key),
            Self::ReshareKey(one) => Some(&one.group_key),
            Self::RepairShare(one) => Some(&one.group_key),
        }
    }
}

impl CaSubject {
    pub(super) fn check(&self) -> Result<(), FileError> {
        let wrong = |what: &str| Err(FileError::KeyOperation(what.to_owned()));
        let fits = |text: &str| {
            !text.is_empty()
                && text.chars().count() <= 64
                && text.trim() == text
                && !text.chars().any(char::is_control)
        };
        if self.country.as_ref().is_some_and(|country| {
            country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase())
        }) {
            return wrong("country is two capital letters");
        }
        if !fits(&self.common_name) || !self.organization.as_deref().is_none_or(fits) {
            return wrong(
                "common_name and organization have 1 to 64 characters (RFC 5280's bounds)",
            );
        }
        Ok(())
    }
}

pub(super) fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// Whether identifiers run from 1, over distinct signers with distinct keys.
fn run_from_one(participants: &[Participant]) -> bool {
    let mut signers = BTreeSet::new();
    let mut keys: BTreeSet<ApprovalPublicKey> = BTreeSet::new();
    participants.iter().enumerate().all(|(index, participant)| {
        usize::from(participant.identifier) == index + 1
            && signers.insert(&participant.signer)
            && keys.insert(participant.approval.public())
    })
}

fn distinct(signers: &[String]) -> bool {
    let all: BTreeSet<&String> = signers.iter().collect();
    all.len() == signers.len()
}
