//! The real rules: the verifier's ledger over the log, asked as the protocol asks.
//!
//! [`LedgerRulebook`] is a node's. What the coordinator needs of the same ledger (who signs, who takes part, the note
//! to be logged once a key is agreed on) is beside it, for the service has a ledger of its own.

use std::collections::BTreeMap;

use bauta_log::{
    CosignatureVerifier, CosignedCheckpoint, LogPolicy, LogVerifier, LoggedEntry, NoteSignature,
};
use bauta_statement::{
    approval::{ApprovalKey, ApprovalPublicKey},
    certificate::{Document, Shape},
    entry::{Body, Entry},
    file::{
        self, Authority, KeyOperation,
        authority::{CaKey, Mode, VerifyingShare},
        hierarchy::Purpose,
        key_operation::{self, GenerateKey, RepairShare, ReshareKey},
    },
    note::{self, Digest, NoteError, SignedNote},
    presentation::Opening,
};
use bauta_verifier::{
    csr,
    ledger::{self, Ledger, Refusal, Verdict},
};
use thiserror::Error;

use crate::{
    attended::Order,
    coordinator::{Membership, Signer},
    dkg::{Participant, Participants},
    keys::{PublicShare, PublicShares},
    messages::GroupKey,
    order::{Repair, Reshare, RunOrder},
    rulebook::{
        AuthoritySigners, CertificateRequest, ExtendError, Objects, RuleError, Rulebook, Ruling,
        SignerKeys, ToBeSigned,
    },
};

/// A ledger as a [`Rulebook`].
pub struct LedgerRulebook {
    ledger: Ledger,
    /// Whether a log in production mode is refused.
    development_only: bool,
    /// Size of the largest head that was seen with its quorums since the start.
    seen: u64,
}

impl LedgerRulebook {
    /// The rules of the log that begins with the authority file of this digest.
    pub fn new(pinned: Digest) -> Self {
        Self {
            ledger: Ledger::new(pinned),
            development_only: false,
            seen: 0,
        }
    }

    /// The same for a node whose keys are sealed too weakly for production: it refuses a log whose authority says
    /// `production`, whatever the node's own configuration says.
    #[must_use]
    pub fn for_development(self) -> Self {
        Self {
            development_only: true,
            ..self
        }
    }

    /// The state that the log gives.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// An authority whose keys or numbers cannot be used. Files are checked when they are logged, so this is a defect.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("the authority in force cannot be used: {0}")]
pub struct UnusableAuthority(String);

fn unusable(error: impl core::fmt::Display) -> UnusableAuthority {
    UnusableAuthority(error.to_string())
}

/// The ledger reads objects by another name.
struct Adapter<'a>(&'a dyn Objects);

impl ledger::Objects for Adapter<'_> {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.0.object(digest)
    }
}

/// Who signs, as an authority says.
fn signers(authority: &Authority) -> Result<Vec<Signer>, UnusableAuthority> {
    authority
        .signers
        .iter()
        .map(|signer| {
            let key = &signer.cosignature;
            Ok(Signer {
                name: signer.name.clone(),
                cosignature: CosignatureVerifier::new(key.name(), &key.public())
                    .map_err(unusable)?,
            })
        })
        .collect()
}

/// "This authority's log, cosigned by q of its signers."
pub fn log_policy(authority: &Authority) -> Result<LogPolicy, UnusableAuthority> {
    let log =
        LogVerifier::new(&authority.log.origin, &authority.log.key.public()).map_err(unusable)?;
    let cosigners: Vec<CosignatureVerifier> = signers(authority)?
        .into_iter()
        .map(|signer| signer.cosignature)
        .collect();
    LogPolicy::quorum_of(log, &cosigners, authority.quorum.q).map_err(unusable)
}

/// The CA keys that an authority lists.
pub fn public_shares(authority: &Authority) -> Vec<PublicShares> {
    authority.ca_keys.iter().filter_map(shares_of).collect()
}

/// The public side of one key. A threshold beyond 16 bits is beyond the number of signers, and the file was refused.
fn shares_of(key: &CaKey) -> Option<PublicShares> {
    Some(PublicShares {
        group_key: key.group_key,
        threshold: u16::try_from(key.t).ok()?,
        shares: key
            .verifying_shares
            .iter()
            .map(|share| PublicShare {
                identifier: share.identifier,
                signer: share.signer.clone(),
                share: share.share,
            })
            .collect(),
    })
}

/// What the coordinator is told after every authority entry; `None` while none is logged.
pub fn membership(ledger: &Ledger) -> Option<Membership> {
    let authority = ledger.authority()?;
    // Files are checked when they are logged: an authority that is in force can be used.
    let signing = signers(authority).ok()?;
    let mut leaving: Vec<Signer> = Vec::new();
    for former in ledger.quorums() {
        for signer in signers(former).ok()? {
            let named = |other: &Signer| other.name == signer.name;
            if !signing.iter().any(named) && !leaving.iter().any(named) {
                leaving.push(signer);
            }
        }
    }
    Some(Membership {
        signers: signing,
        leaving,
        policies: policies(ledger).ok()?,
        quorum: authority.quorum.q,
        keys: public_shares(authority),
    })
}

/// A head needs q of the signers of each authority since the last head that had its quorums.
fn policies(ledger: &Ledger) -> Result<Vec<LogPolicy>, UnusableAuthority> {
    let mut policies = Vec::new();
    for authority in ledger.quorums() {
        let policy = log_policy(authority)?;
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    Ok(policies)
}

/// Who takes part in a key generation.
pub fn participants(generate: &GenerateKey) -> Option<Participants> {
    those(&generate.participants, generate.t)
}

fn those(participants: &[key_operation::Participant], t: usize) -> Option<Participants> {
    Some(Participants {
        list: participants
            .iter()
            .map(|participant| Participant {
                identifier: participant.identifier,
                name: participant.signer.clone(),
                approval_key: participant.approval.public(),
            })
            .collect(),
        threshold: u16::try_from(t).ok()?,
    })
}

/// The holder of a share, by its identifier in the sharing and its approval key in the authority.
fn holder(authority: &Authority, shares: &PublicShares, name: &str) -> Option<Participant> {
    let signer = authority.signers.iter().find(|one| one.name == name)?;
    Some(Participant {
        identifier: shares.of(name)?.identifier,
        name: name.to_owned(),
        approval_key: signer.approval.public(),
    })
}

fn holders(
    authority: &Authority,
    shares: &PublicShares,
    names: &[String],
) -> Option<Vec<Participant>> {
    names
        .iter()
        .map(|name| holder(authority, shares, name))
        .collect()
}

/// The sharing of this id that the authority lists.
fn sharing(authority: &Authority, sharing: &Digest) -> Option<PublicShares> {
    let key = authority
        .ca_keys
        .iter()
        .find(|key| key.sharing() == *sharing)?;
    shares_of(key)
}

/// What a key operation has the signers of this authority do together, if anything.
pub fn order(authority: &Authority, operation: &KeyOperation) -> Option<RunOrder> {
    match operation {
        KeyOperation::GenerateKey(generate) => participants(generate).map(RunOrder::Generate),
        KeyOperation::ReshareKey(reshare) => {
            reshare_order(authority, reshare).map(RunOrder::Reshare)
        }
        KeyOperation::RepairShare(repair) => repair_order(authority, repair).map(RunOrder::Repair),
        _ => None,
    }
}

fn reshare_order(authority: &Authority, reshare: &ReshareKey) -> Option<Reshare> {
    let from = sharing(authority, &reshare.from)?;
    Some(Reshare {
        dealers: holders(authority, &from, &reshare.dealers)?,
        receivers: those(&reshare.participants, reshare.t)?,
        from,
    })
}

fn repair_order(authority: &Authority, repair: &RepairShare) -> Option<Repair> {
    let public = sharing(authority, &repair.sharing)?;
    Some(Repair {
        patient: holder(authority, &public, &repair.signer)?,
        helpers: holders(authority, &public, &repair.helpers)?,
        public,
    })
}

/// The signed note of the authority file that all participants agreed to: its text, and their signatures as
/// [`crate::coordinator::Event::KeyAgreed`] brings them; after a resharing also the key's own, with its group key. It is
/// what gets logged.
///
/// # Errors
/// [`NoteError`] if the text is no authority file, or a signature is missing, wrong or of nobody it names.
pub fn authority_note(
    text: &str,
    signatures: &BTreeMap<String, [u8; 64]>,
    own: Option<(&[u8; 32], &[u8; 64])>,
) -> Result<Vec<u8>, NoteError> {
    let Ok((_, file::Body::Authority(authority))) = file::parse_text(text) else {
        return Err(NoteError::Malformed);
    };
    let mut lines = Vec::new();
    let mut keys = Vec::new();
    let mut add = |key: ApprovalKey, signature: &[u8; 64]| {
        let signature = key.public().note_signature(signature);
        let line = NoteSignature::new(key.name().to_owned(), key.id(), signature)
            .map_err(|_| NoteError::Malformed)?;
        lines.push(String::from_utf8(line.to_bytes()).map_err(|_| NoteError::Malformed)?);
        keys.push(key);
        Ok::<(), NoteError>(())
    };
    for (name, signature) in signatures {
        let signer = authority.signers.iter().find(|signer| signer.name == *name);
        add(
            signer.ok_or(NoteError::Malformed)?.approval.clone(),
            signature,
        )?;
    }
    if let Some((group_key, signature)) = own {
        let key = authority
            .ca_keys
            .iter()
            .find(|key| key.group_key == *group_key)
            .ok_or(NoteError::Malformed)?;
        let key = key.note_key().map_err(|_| NoteError::Malformed)?;
        add(key.into(), signature)?;
    }
    let bytes = note::assemble(text, &lines)?;
    SignedNote::parse(&bytes)?.require(&keys, keys.len())?;
    Ok(bytes)
}

impl Rulebook for LedgerRulebook {
    fn extend(
        &mut self,
        entries: &[Vec<u8>],
        objects: &dyn Objects,
    ) -> Result<Vec<Ruling>, ExtendError> {
        let objects = Adapter(objects);
        let before = self.ledger.mark();
        let verdicts = self.ledger.append_all(entries, &objects).map_err(
            |(position, refusal)| match refusal {
                // Whatever else is missing is asked for in the same breath.
                Refusal::MissingObject(digest) => {
                    ExtendError::Missing(missing(digest, entries, &objects))
                }
                refusal => ExtendError::Invalid {
                    index: self.ledger.size() + position as u64,
                    reason: refusal.to_string(),
                },
            },
        )?;
        let production = self
            .ledger
            .authority()
            .is_some_and(|authority| authority.mode == Mode::Production);
        if self.development_only && production {
            // A log's mode never changes, so this is its beginning, and nothing was settled yet.
            let _ = self.ledger.rollback(&before);
            return Err(ExtendError::Invalid {
                index: 0,
                reason: "the CA is in production mode, and this signer's keys are sealed for development only: \
                         make them in a token"
                    .to_owned(),
            });
        }
        if self.ledger.quorums().len() > 2 {
            let index = self.ledger.authority_file().map_or(0, |file| file.index);
            let _ = self.ledger.rollback(&before);
            return Err(ExtendError::Invalid {
                index,
                reason: "a second change of signers before the first has its quorums: the head that settled the first \
                         is needed before"
                    .to_owned(),
            });
        }
        // What a node cosigned it never takes back, so it needs no way back. A change of authority alone waits for its
        // head to have its quorums: until then a proof needs those of before, too.
        if self.ledger.quorums().len() <= 1 {
            self.ledger.settle();
        }
        Ok(verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Accepted => Ruling::Other,
                Verdict::Issuance(valid) => Ruling::ValidIssuance { time: valid.time },
                Verdict::InvalidIssuance(reason) => Ruling::InvalidIssuance {
                    reason: reason.to_string(),
                },
            })
            .collect())
    }

    fn size(&self) -> u64 {
        self.ledger.size()
    }

    fn claimed_time(&self, entry: &[u8]) -> Option<u64> {
        Entry::decode(entry).ok().map(|entry| entry.time)
    }

    fn log_policies(&self) -> Vec<LogPolicy> {
        policies(&self.ledger).unwrap_or_default()
    }

    fn authorities(&self) -> Vec<AuthoritySigners> {
        let authorities = self.ledger.quorums().iter();
        authorities
            .filter_map(|authority| {
                let cosignatures = signers(authority).ok()?.into_iter();
                Some(AuthoritySigners {
                    quorum: authority.quorum.q,
                    signers: authority
                        .signers
                        .iter()
                        .zip(cosignatures)
                        .map(|(signer, known)| SignerKeys {
                            name: known.name,
                            approval: signer.approval.public(),
                            cosignature: known.cosignature,
                        })
                        .collect(),
                })
            })
            .collect()
    }

    fn is_founder(&self, approval: &ApprovalPublicKey) -> bool {
        self.ledger.first_authority_file().is_some_and(|file| {
            let mut signers = file.body.signers.iter();
            signers.any(|signer| signer.approval.public() == *approval)
        })
    }

    fn unsettled(&self) -> Option<u64> {
        let file = self.ledger.authority_file()?;
        (self.ledger.quorums().len() > 1).then_some(file.index + 1)
    }

    fn quorum_seen(&mut self, checkpoint: &CosignedCheckpoint) {
        self.seen = self.seen.max(checkpoint.head().size);
        if self
            .unsettled()
            .is_some_and(|size| checkpoint.head().size >= size)
        {
            self.ledger.settle();
        }
    }

    fn keys(&self) -> Vec<PublicShares> {
        self.ledger
            .authority()
            .map(|authority| public_shares(authority))
            .unwrap_or_default()
    }

    fn awaits_quorum(&self) -> bool {
        self.ledger
            .retired_keys()
            .any(|(_, index)| index >= self.seen)
    }

    fn retired_keys(&self) -> Vec<GroupKey> {
        self.ledger
            .retired_keys()
            .filter(|(_, index)| *index < self.seen)
            .map(|(key, _)| *key)
            .collect()
    }

    fn authority_index(&self) -> Option<u64> {
        self.ledger.authority_file().map(|file| file.index)
    }

    fn run_order(&self, index: u64, operation: &Digest, now: u64) -> Result<RunOrder, RuleError> {
        let pending = self.ledger.pending_operations(now);
        pending
            .into_iter()
            .find(|logged| logged.digest == *operation && logged.index == index)
            .zip(self.ledger.authority())
            .and_then(|(logged, authority)| order(authority, &logged.body))
            .ok_or_else(|| RuleError::Operation {
                index,
                reason: "it asks for nothing that signers do together, has expired or was superseded, is done, or names a sharing that is not in force"
                    .into(),
            })
    }

    fn orders(&self, now: u64) -> Vec<Order> {
        let pending: Vec<u64> = self
            .ledger
            .pending_operations(now)
            .into_iter()
            .map(|logged| logged.index)
            .collect();
        let mut orders: Vec<Order> = self
            .ledger
            .key_operations()
            .filter(|logged| logged.header.expires > now)
            .filter_map(|logged| {
                let is_run = matches!(
                    *logged.body,
                    KeyOperation::GenerateKey(_)
                        | KeyOperation::ReshareKey(_)
                        | KeyOperation::RepairShare(_)
                );
                if is_run && !pending.contains(&logged.index) {
                    return None;
                }
                Some(Order {
                    index: logged.index,
                    file: format!("{}, version {}", logged.header.name, logged.header.version),
                    what: logged.body.in_words(&logged.header.trust_domain)?,
                    // Who gets a share has none yet.
                    group_key: logged.body.group_key().copied().filter(|_| !is_run),
                })
            })
            .collect();
        orders.sort_by_key(|order| order.index);
        orders
    }

    fn next_authority(
        &self,
        operation: &Digest,
        key: &PublicShares,
        transcript: &Digest,
    ) -> Result<String, RuleError> {
        let refuse = |index, reason: String| RuleError::Operation { index, reason };
        let logged = self
            .ledger
            .key_operation_by_digest(operation)
            .ok_or_else(|| refuse(self.ledger.size(), "it was superseded or retired".into()))?;
        let authority = self
            .ledger
            .authority()
            .ok_or_else(|| refuse(logged.index, "no authority is logged".into()))?;
        let named = |name: &str, purpose: Purpose| CaKey {
            name: name.to_owned(),
            purpose,
            group_key: key.group_key,
            t: usize::from(key.threshold),
            verifying_shares: key
                .shares
                .iter()
                .map(|share| VerifyingShare {
                    identifier: share.identifier,
                    signer: share.signer.clone(),
                    share: share.share,
                })
                .collect(),
            operation: *operation,
            transcript: *transcript,
        };
        match logged.body.as_ref() {
            KeyOperation::GenerateKey(generate) => {
                authority.with_ca_key(named(&generate.key, generate.purpose))
            }
            KeyOperation::ReshareKey(reshare) => {
                let mut keys = authority.ca_keys.iter();
                let purpose = keys
                    .find(|key| key.name == reshare.key)
                    .map(|key| key.purpose)
                    .unwrap_or_default();
                authority.with_sharing(named(&reshare.key, purpose))
            }
            _ => return Err(refuse(logged.index, "it makes no shares".into())),
        }
        .map_err(|error| refuse(logged.index, error.to_string()))
    }

    fn to_be_signed(
        &self,
        index: u64,
        logged: &LoggedEntry,
        request: &CertificateRequest<'_>,
    ) -> Result<ToBeSigned, RuleError> {
        match Entry::decode(logged.entry()).map(|entry| entry.body) {
            Ok(Body::Issuance(_)) => self.leaf(index, logged, request),
            Ok(Body::File(_)) => self.ordered(index, request),
            _ => Err(RuleError::Earns {
                index,
                reason: "it is neither an issuance nor a key operation".into(),
            }),
        }
    }
}

impl LedgerRulebook {
    fn leaf(
        &self,
        index: u64,
        logged: &LoggedEntry,
        request: &CertificateRequest<'_>,
    ) -> Result<ToBeSigned, RuleError> {
        let earns = |reason: &str| RuleError::Earns {
            index,
            reason: reason.into(),
        };
        let beside = |reason: String| RuleError::Beside { index, reason };
        let valid = self
            .ledger
            .valid_issuance(index)
            .filter(|valid| valid.entry == logged.entry())
            .ok_or_else(|| earns("the issuance is not valid, or long past"))?;
        if valid.ca.key.group_key != request.group_key {
            return Err(earns("it names another CA key"));
        }
        csr::verify_for(request.csr, &valid.issuance.key)
            .map_err(|error| beside(error.to_string()))?;
        let openings =
            Opening::decode_list(request.openings).map_err(|error| beside(error.to_string()))?;
        let tbs = valid
            .tbs(&openings)
            .map_err(|error| beside(error.to_string()))?;
        Ok(ToBeSigned {
            tbs: tbs.as_bytes().to_vec(),
            shape: Shape::Certificate,
            time: Some(valid.time),
            policy: Some(valid.policy.name.clone()),
        })
    }

    /// The CA certificate or request that a key operation orders.
    fn ordered(
        &self,
        index: u64,
        request: &CertificateRequest<'_>,
    ) -> Result<ToBeSigned, RuleError> {
        let refuse = |reason: String| RuleError::Operation { index, reason };
        let logged = self
            .ledger
            .key_operations()
            .find(|logged| logged.index == index)
            .ok_or_else(|| refuse("no key operation, or it was superseded or retired".into()))?;
        if logged.header.expires <= request.now {
            return Err(refuse("it has expired: log a newer version".into()));
        }
        let document = Document::ordered(&logged.body, &logged.digest, &logged.header.trust_domain)
            .map_err(|error| refuse(error.to_string()))?
            .ok_or_else(|| refuse("it orders no signature".into()))?;
        if logged.body.group_key() != Some(&request.group_key) {
            return Err(refuse("it is for another CA key".into()));
        }
        Ok(ToBeSigned {
            tbs: document.as_bytes().to_vec(),
            shape: document.shape(),
            time: None,
            policy: None,
        })
    }
}

/// The first missing object, and all others that these entries name and that are not held.
fn missing(first: Digest, entries: &[Vec<u8>], objects: &dyn ledger::Objects) -> Vec<Digest> {
    let mut digests = vec![first];
    for entry in entries {
        let object = match Entry::decode(entry).map(|entry| entry.body) {
            Ok(Body::Authority(object) | Body::Parameters(object) | Body::File(object)) => object,
            _ => continue,
        };
        if !digests.contains(&object.digest) && objects.get(&object.digest).is_none() {
            digests.push(object.digest);
        }
    }
    digests
}
