//! Rules simple enough to see through, over a real log: an entry is one letter and what belongs to it.
//!
//! | letter | entry |
//! | --- | --- |
//! | `I` time | a valid issuance |
//! | `i` time | an invalid issuance |
//! | `K` | a key-generation file for all signers |
//! | `S` order | a resharing of the key, see [`reshare`] |
//! | `P` order | a repair of a share, see [`repair`] |
//! | `C` | a key operation that has a CA certificate signed |
//! | `G` text | the authority file that records a key, or its new sharing |
//! | `R` key | the authority file that takes a key away |
//! | `O` digest | an entry that names an object |
//! | `X` | an entry of another kind that is not valid |

use bauta_log::{CosignatureVerifier, CosignedCheckpoint, LogPolicy, LogVerifier, LoggedEntry};
use bauta_signer_protocol::{
    attended::Order,
    dkg::{Participant, Participants},
    keys::{PublicShare, PublicShares},
    messages::{Digest, GroupKey},
    order::{Repair, Reshare, RunOrder},
    rulebook::{
        AuthoritySigners, CertificateRequest, ExtendError, Objects, RuleError, Rulebook, Ruling,
        SignerKeys, ToBeSigned,
    },
};
use bauta_statement::{approval::ApprovalPublicKey, certificate::Shape};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// How the text of an authority file begins.
pub(crate) const PREFIX: &str = "bauta/v1/authority\n";

/// The digest of every `K` file.
pub(crate) const OPERATION: Digest = [7; 32];

#[derive(Clone)]
pub(crate) struct Toy {
    pub(crate) policy: LogPolicy,
    pub(crate) signers: AuthoritySigners,
    /// All nodes, each with its approval key; who makes the first key.
    pub(crate) nodes: Vec<Participant>,
    pub(crate) participants: Participants,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) keys: Vec<PublicShares>,
    /// Keys taken away, with the index of the entry that did it.
    pub(crate) retired: Vec<(GroupKey, u64)>,
    /// Size of the largest head that was seen with its quorum.
    pub(crate) seen: u64,
    /// Index of the newest `G`.
    pub(crate) authority: Option<u64>,
    /// How the texts of `G` begin.
    pub(crate) prefix: &'static str,
}

impl Toy {
    pub(crate) fn new(
        log: &LogVerifier,
        cosigners: &[CosignatureVerifier],
        q: usize,
        nodes: Vec<Participant>,
        participants: Participants,
    ) -> Self {
        Self {
            policy: LogPolicy::quorum_of(log.clone(), cosigners, q).unwrap(),
            signers: AuthoritySigners {
                quorum: q,
                signers: nodes
                    .iter()
                    .zip(cosigners)
                    .map(|(participant, cosignature)| SignerKeys {
                        name: participant.name.clone(),
                        approval: participant.approval_key,
                        cosignature: cosignature.clone(),
                    })
                    .collect(),
            },
            nodes,
            participants,
            entries: Vec::new(),
            keys: Vec::new(),
            retired: Vec::new(),
            seen: 0,
            authority: None,
            prefix: PREFIX,
        }
    }

    fn node(&self, name: &str, identifier: u16) -> Participant {
        let node = self.nodes.iter().find(|node| node.name == name).unwrap();
        Participant {
            identifier,
            ..node.clone()
        }
    }

    fn holder(&self, key: &PublicShares, name: &str) -> Participant {
        self.node(name, key.of(name).unwrap().identifier)
    }
}

/// An `S` entry: from which sharing, who deals, who receives, with which threshold.
pub(crate) fn reshare(
    time: u64,
    from: &PublicShares,
    dealers: &[&str],
    receivers: &[&str],
    threshold: u16,
) -> Vec<u8> {
    let text = format!(
        "{} {} {} {threshold}",
        HEXLOWER.encode(&from.id().sharing),
        dealers.join(","),
        receivers.join(",")
    );
    entry(b'S', time, text.as_bytes())
}

/// A `P` entry: of which sharing, whose share, who helps.
pub(crate) fn repair(time: u64, of: &PublicShares, patient: &str, helpers: &[&str]) -> Vec<u8> {
    let text = format!(
        "{} {patient} {}",
        HEXLOWER.encode(&of.id().sharing),
        helpers.join(",")
    );
    entry(b'P', time, text.as_bytes())
}

/// The digest of the file that an `S` or `P` stands for.
pub(crate) fn operation(entry: &[u8]) -> Digest {
    Sha256::digest(entry).into()
}

/// What an `S` or `P` entry orders, if the sharing that it names is in force.
pub(crate) fn order_of(toy: &Toy, entry: &[u8]) -> Option<RunOrder> {
    let text = std::str::from_utf8(&entry[9..]).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    let key = toy
        .keys
        .iter()
        .find(|key| HEXLOWER.encode(&key.id().sharing) == words[0])?;
    let those = |names: &str| {
        names
            .split(',')
            .map(|name| toy.holder(key, name))
            .collect::<Vec<_>>()
    };
    Some(match entry[0] {
        b'S' => RunOrder::Reshare(Reshare {
            from: key.clone(),
            dealers: those(words[1]),
            receivers: Participants {
                list: (1..)
                    .zip(words[2].split(','))
                    .map(|(identifier, name)| toy.node(name, identifier))
                    .collect(),
                threshold: words[3].parse().unwrap(),
            },
        }),
        _ => RunOrder::Repair(Repair {
            public: key.clone(),
            patient: toy.holder(key, words[1]),
            helpers: those(words[2]),
        }),
    })
}

pub(crate) fn entry(letter: u8, time: u64, rest: &[u8]) -> Vec<u8> {
    let mut entry = vec![letter];
    entry.extend_from_slice(&time.to_be_bytes());
    entry.extend_from_slice(rest);
    entry
}

fn time_of(entry: &[u8]) -> u64 {
    u64::from_be_bytes(entry[1..9].try_into().unwrap())
}

pub(crate) fn tbs(entry: &[u8], group_key: &GroupKey, openings: &[u8]) -> Vec<u8> {
    let content = [b"certificate of ", entry, group_key, openings].concat();
    // The least that has a certificate's shape, and is long enough for a two-byte length.
    let mut der = vec![0x30, 0x82, 0, 0, 0xa0, 3, 2, 1, 2];
    der.extend(content);
    der.extend([0; 256]);
    let [high, low] = u16::try_from(der.len() - 4).unwrap().to_be_bytes();
    (der[2], der[3]) = (high, low);
    der
}

fn write_key(prefix: &str, key: &PublicShares) -> String {
    let mut text = format!(
        "{prefix}{} {}\n",
        HEXLOWER.encode(&key.group_key),
        key.threshold
    );
    for share in &key.shares {
        text.push_str(&format!(
            "{} {} {}\n",
            share.identifier,
            share.signer,
            HEXLOWER.encode(&share.share)
        ));
    }
    text
}

pub(crate) fn read_key(text: &str) -> PublicShares {
    let point =
        |hex: &str| -> [u8; 32] { HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap() };
    let mut lines = text.lines().skip(1);
    let (group_key, threshold) = lines.next().unwrap().split_once(' ').unwrap();
    PublicShares {
        group_key: point(group_key),
        threshold: threshold.parse().unwrap(),
        shares: lines
            .map(|line| {
                let mut parts = line.split(' ');
                PublicShare {
                    identifier: parts.next().unwrap().parse().unwrap(),
                    signer: parts.next().unwrap().into(),
                    share: point(parts.next().unwrap()),
                }
            })
            .collect(),
    }
}

impl Rulebook for Toy {
    fn extend(
        &mut self,
        entries: &[Vec<u8>],
        objects: &dyn Objects,
    ) -> Result<Vec<Ruling>, ExtendError> {
        let mut next = self.clone();
        let mut missing = Vec::new();
        let mut rulings = Vec::new();
        for entry in entries {
            let index = next.entries.len() as u64;
            rulings.push(match entry[0] {
                b'I' => Ruling::ValidIssuance {
                    time: time_of(entry),
                },
                b'i' => Ruling::InvalidIssuance {
                    reason: "small i".into(),
                },
                b'K' | b'C' | b'S' | b'P' => Ruling::Other,
                b'O' => {
                    let digest = entry[9..41].try_into().unwrap();
                    if objects.object(&digest).is_none() {
                        missing.push(digest);
                    }
                    Ruling::Other
                }
                b'G' => {
                    let key = read_key(std::str::from_utf8(&entry[9..]).unwrap());
                    next.keys.retain(|old| old.group_key != key.group_key);
                    next.keys.push(key);
                    next.authority = Some(index);
                    Ruling::Other
                }
                b'R' => {
                    let group_key: GroupKey = entry[9..41].try_into().unwrap();
                    next.keys.retain(|key| key.group_key != group_key);
                    next.retired.push((group_key, index));
                    next.authority = Some(index);
                    Ruling::Other
                }
                _ => {
                    let reason = "not a letter of ours".into();
                    return Err(ExtendError::Invalid { index, reason });
                }
            });
            next.entries.push(entry.clone());
        }
        if !missing.is_empty() {
            return Err(ExtendError::Missing(missing));
        }
        *self = next;
        Ok(rulings)
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn claimed_time(&self, entry: &[u8]) -> Option<u64> {
        matches!(entry[0], b'I' | b'i').then(|| time_of(entry))
    }

    fn log_policies(&self) -> Vec<LogPolicy> {
        vec![self.policy.clone()]
    }

    fn authorities(&self) -> Vec<AuthoritySigners> {
        vec![self.signers.clone()]
    }

    fn is_founder(&self, approval: &ApprovalPublicKey) -> bool {
        let mut signers = self.signers.signers.iter();
        signers.any(|signer| signer.approval == *approval)
    }

    fn unsettled(&self) -> Option<u64> {
        None
    }

    fn quorum_seen(&mut self, checkpoint: &CosignedCheckpoint) {
        self.seen = self.seen.max(checkpoint.head().size);
    }

    fn keys(&self) -> Vec<PublicShares> {
        self.keys.clone()
    }

    fn orders(&self, _now: u64) -> Vec<Order> {
        unreachable!("asked by the shell alone")
    }

    fn awaits_quorum(&self) -> bool {
        self.retired.iter().any(|(_, index)| *index >= self.seen)
    }

    fn retired_keys(&self) -> Vec<GroupKey> {
        self.retired
            .iter()
            .filter(|(_, index)| *index < self.seen)
            .map(|(key, _)| *key)
            .collect()
    }

    fn authority_index(&self) -> Option<u64> {
        self.authority
    }

    fn run_order(&self, index: u64, digest: &Digest, _now: u64) -> Result<RunOrder, RuleError> {
        let entry = self.entries.get(index as usize);
        let order = entry.and_then(|entry| match entry[0] {
            b'K' if *digest == OPERATION && self.keys.is_empty() => {
                Some(RunOrder::Generate(self.participants.clone()))
            }
            b'S' | b'P' if *digest == operation(entry) => order_of(self, entry),
            _ => None,
        });
        order.ok_or(RuleError::Operation {
            index,
            reason: "not to be done".into(),
        })
    }

    fn next_authority(
        &self,
        _operation: &Digest,
        key: &PublicShares,
        _transcript: &Digest,
    ) -> Result<String, RuleError> {
        Ok(write_key(self.prefix, key))
    }

    fn to_be_signed(
        &self,
        index: u64,
        logged: &LoggedEntry,
        request: &CertificateRequest<'_>,
    ) -> Result<ToBeSigned, RuleError> {
        assert_eq!(
            logged.entry(),
            self.entries[index as usize],
            "the node proves what it holds"
        );
        let entry = logged.entry();
        match entry[0] {
            b'I' => Ok(ToBeSigned {
                tbs: tbs(entry, &request.group_key, request.openings),
                shape: Shape::Certificate,
                time: Some(time_of(entry)),
                policy: Some("toy".into()),
            }),
            b'C' => Ok(ToBeSigned {
                tbs: tbs(entry, &request.group_key, &[]),
                // A defect, so that there is something to refuse: what it gives is a certificate.
                shape: if entry.ends_with(b"request") {
                    Shape::Request
                } else {
                    Shape::Certificate
                },
                time: None,
                policy: None,
            }),
            _ => Err(RuleError::Earns {
                index,
                reason: "small i".into(),
            }),
        }
    }
}

pub(crate) fn participants(
    approval: &[(String, ApprovalPublicKey)],
    threshold: u16,
) -> Participants {
    Participants {
        list: approval
            .iter()
            .enumerate()
            .map(|(i, (name, key))| Participant {
                identifier: i as u16 + 1,
                name: name.clone(),
                approval_key: *key,
            })
            .collect(),
        threshold,
    }
}
