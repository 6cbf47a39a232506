//! Trust policies (C2SP tlog-policy): which logs, which cosigners ("witnesses"), and how many of them make a quorum.
//!
//! A [`CosignedCheckpoint`] is a checkpoint that satisfied a policy. It is minted here and nowhere else, so whoever holds one
//! knows that the log signed it and that the quorum cosigned it.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{Checkpoint, SignatureError, SignedCheckpoint};
use crate::key::{CosignatureVerifier, KeyError, LogVerifier};
use crate::merkle::Head;

/// The largest policy file that is read, and the most logs, witnesses or groups.
const MAX_POLICY_LEN: usize = 1 << 20;
const MAX_ITEMS: usize = 1024;

/// Why a policy cannot be read or made. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A control character other than tab and line feed.
    #[error("line {0}: control characters are not allowed in a log policy")]
    ControlCharacter(usize),
    /// Not a line of the format.
    #[error(
        "line {0}: expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K MEMBER…` or `quorum NAME`"
    )]
    Malformed(usize),
    /// A key that cannot be used.
    #[error("line {line}: {error}")]
    Key {
        /// Line number.
        line: usize,
        /// What is wrong with the key.
        error: KeyError,
    },
    /// The same public key twice.
    #[error(
        "line {0}: this public key stands in the policy already; each log and each witness has a key of its own"
    )]
    DuplicateKey(usize),
    /// The same name twice, or `none`.
    #[error("line {0}: this name is taken")]
    DuplicateName(usize),
    /// A name that no line before defines.
    #[error("line {0}: it refers to a name that no line before it defines")]
    UnknownName(usize),
    /// A witness or group in two groups, or twice in one, would count twice.
    #[error("line {0}: a witness or group can be a member of one group only, once")]
    MemberTwice(usize),
    /// A threshold below 1 or above the number of members.
    #[error("line {0}: a group's threshold must be a decimal from 1 to its number of members")]
    BadThreshold(usize),
    /// None, or more than one, quorum line.
    #[error("a policy needs exactly one quorum line")]
    Quorum,
    /// The file or one of its lists is too large.
    #[error("the policy is too large")]
    TooLarge,
}

/// Why a checkpoint does not satisfy a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsatisfied {
    /// No log of the policy has this origin and signed.
    #[error(
        "no log of the policy signed the checkpoint of {0}; check that the policy and the URL belong together"
    )]
    UnknownLog(String),
    /// A signature by a known key is wrong, which spoils the note (C2SP signed-note, "Signatures").
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Too few witnesses.
    #[error("only {present} of the policy's witnesses cosigned, and its quorum is not met")]
    NoQuorum {
        /// Witnesses with a valid cosignature.
        present: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct LogLine {
    key: LogVerifier,
    url: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WitnessLine {
    name: Vec<u8>,
    key: CosignatureVerifier,
    url: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GroupLine {
    name: Vec<u8>,
    threshold: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// A parsed trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPolicy {
    logs: Vec<LogLine>,
    witnesses: Vec<WitnessLine>,
    groups: Vec<GroupLine>,
    /// `None` is `quorum none`: no cosignature is needed.
    quorum: Option<Member>,
}

impl LogPolicy {
    /// The policy "this log, cosigned by `quorum` of these witnesses". Each witness is named as its key is.
    ///
    /// # Errors
    /// [`PolicyError`], with line numbers of the file that [`LogPolicy::to_bytes`] would write.
    pub fn quorum_of(
        log: LogVerifier,
        witnesses: &[CosignatureVerifier],
        quorum: usize,
    ) -> Result<Self, PolicyError> {
        let mut file = format!("log {log}\n");
        let mut names = String::new();
        for key in witnesses {
            file.push_str(&format!("witness {} {key}\n", key.name()));
            names.push(' ');
            names.push_str(key.name());
        }
        // A group must not have the name of a witness.
        let mut group = "signers".to_owned();
        while witnesses.iter().any(|w| w.name() == group) {
            group.push('_');
        }
        file.push_str(&format!("group {group} {quorum}{names}\nquorum {group}\n"));
        Self::parse(file.as_bytes())
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`], naming the line.
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        if file.len() > MAX_POLICY_LEN {
            return Err(PolicyError::TooLarge);
        }
        let mut policy = LogPolicy {
            logs: Vec::new(),
            witnesses: Vec::new(),
            groups: Vec::new(),
            quorum: None,
        };
        let mut names: BTreeMap<&[u8], Member> = BTreeMap::new();
        let mut used: BTreeSet<Member> = BTreeSet::new();
        let mut seen_quorum = false;
        for (number, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let number = number + 1;
            if line
                .iter()
                .any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f)
            {
                return Err(PolicyError::ControlCharacter(number));
            }
            let items: Vec<&[u8]> = line
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|item| !item.is_empty())
                .collect();
            let key_error = |error| PolicyError::Key {
                line: number,
                error,
            };
            let text = |item| std::str::from_utf8(item).map_err(|_| key_error(KeyError::Malformed));
            match items.as_slice() {
                [] => {}
                [first, ..] if first.starts_with(b"#") => {}
                [b"log", key, url @ ..] if url.len() <= 1 => {
                    let key: LogVerifier = text(key)?.parse().map_err(key_error)?;
                    if policy
                        .logs
                        .iter()
                        .any(|l| l.key.public_key() == key.public_key())
                    {
                        return Err(PolicyError::DuplicateKey(number));
                    }
                    policy.logs.push(LogLine {
                        key,
                        url: url.first().map(|u| u.to_vec()),
                    });
                }
                [b"witness", name, key, url @ ..] if url.len() <= 1 => {
                    let key: CosignatureVerifier = text(key)?.parse().map_err(key_error)?;
                    if policy
                        .witnesses
                        .iter()
                        .any(|w| w.key.public_key() == key.public_key())
                    {
                        return Err(PolicyError::DuplicateKey(number));
                    }
                    define(
                        &mut names,
                        name,
                        Member::Witness(policy.witnesses.len()),
                        number,
                    )?;
                    policy.witnesses.push(WitnessLine {
                        name: name.to_vec(),
                        key,
                        url: url.first().map(|u| u.to_vec()),
                    });
                }
                [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                    let threshold = read_threshold(threshold, members.len())
                        .ok_or(PolicyError::BadThreshold(number))?;
                    let members = members
                        .iter()
                        .map(|member| {
                            let member =
                                *names.get(member).ok_or(PolicyError::UnknownName(number))?;
                            if used.insert(member) {
                                Ok(member)
                            } else {
                                Err(PolicyError::MemberTwice(number))
                            }
                        })
                        .collect::<Result<Vec<_>, _>>()?;
                    define(&mut names, name, Member::Group(policy.groups.len()), number)?;
                    policy.groups.push(GroupLine {
                        name: name.to_vec(),
                        threshold,
                        members,
                    });
                }
                [b"quorum", name] => {
                    if seen_quorum {
                        return Err(PolicyError::Quorum);
                    }
                    seen_quorum = true;
                    if *name != b"none" {
                        policy.quorum =
                            Some(*names.get(name).ok_or(PolicyError::UnknownName(number))?);
                    }
                }
                _ => return Err(PolicyError::Malformed(number)),
            }
            if policy
                .logs
                .len()
                .max(policy.witnesses.len())
                .max(policy.groups.len())
                > MAX_ITEMS
            {
                return Err(PolicyError::TooLarge);
            }
        }
        if seen_quorum {
            Ok(policy)
        } else {
            Err(PolicyError::Quorum)
        }
    }

    /// The policy as a file: logs, witnesses, groups, quorum. Comments are not kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let with_url = |mut line: Vec<u8>, url: &Option<Vec<u8>>| {
            if let Some(url) = url {
                line.push(b' ');
                line.extend(url);
            }
            line
        };
        for log in &self.logs {
            lines.push(with_url(format!("log {}", log.key).into_bytes(), &log.url));
        }
        for witness in &self.witnesses {
            let line = [
                b"witness ",
                witness.name.as_slice(),
                b" ",
                witness.key.to_string().as_bytes(),
            ]
            .concat();
            lines.push(with_url(line, &witness.url));
        }
        for group in &self.groups {
            let mut line = [
                b"group ",
                group.name.as_slice(),
                format!(" {}", group.threshold).as_bytes(),
            ]
            .concat();
            for member in &group.members {
                line.push(b' ');
                line.extend(self.name_of(*member));
            }
            lines.push(line);
        }
        let quorum = self
            .quorum
            .map_or(&b"none"[..], |member| self.name_of(member));
        lines.push([b"quorum ", quorum].concat());
        lines.push(Vec::new());
        lines.join(&b'\n')
    }

    /// The keys of the policy's logs.
    pub fn logs(&self) -> impl Iterator<Item = &LogVerifier> {
        self.logs.iter().map(|l| &l.key)
    }

    /// The keys of the policy's witnesses, in the file's order.
    pub fn witnesses(&self) -> impl Iterator<Item = &CosignatureVerifier> {
        self.witnesses.iter().map(|w| &w.key)
    }

    /// Checks a checkpoint: signed by one of the logs under its own origin, every signature by a known key valid, and the
    /// quorum met. A witness counts once, however many lines it has.
    ///
    /// # Errors
    /// [`Unsatisfied`] by what is missing.
    pub fn check(&self, signed: &SignedCheckpoint) -> Result<CosignedCheckpoint, Unsatisfied> {
        let mut by_log = false;
        for log in &self.logs {
            match log.key.verify(signed) {
                Ok(()) => by_log = true,
                Err(SignatureError::OtherKey(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !by_log {
            return Err(Unsatisfied::UnknownLog(
                signed.checkpoint().origin().to_owned(),
            ));
        }
        let mut present = BTreeSet::new();
        let mut cosigners = Vec::new();
        for (number, witness) in self.witnesses.iter().enumerate() {
            let Ok(line) = signed.signature(witness.key.name(), witness.key.id()) else {
                continue;
            };
            let time = witness.key.verify(signed.checkpoint(), line)?;
            present.insert(number);
            cosigners.push((witness.key.clone(), time));
        }
        if !self
            .quorum
            .is_none_or(|member| self.witnessed(member, &present))
        {
            return Err(Unsatisfied::NoQuorum {
                present: present.len(),
            });
        }
        Ok(CosignedCheckpoint {
            signed: signed.clone(),
            cosigners,
        })
    }

    /// Whether this member has cosigned. Groups only refer to earlier ones, so this ends.
    fn witnessed(&self, member: Member, present: &BTreeSet<usize>) -> bool {
        match member {
            Member::Witness(number) => present.contains(&number),
            Member::Group(number) => self.groups.get(number).is_some_and(|group| {
                group
                    .members
                    .iter()
                    .filter(|m| self.witnessed(**m, present))
                    .count()
                    >= group.threshold
            }),
        }
    }

    fn name_of(&self, member: Member) -> &[u8] {
        let name = match member {
            Member::Witness(number) => self.witnesses.get(number).map(|w| &w.name),
            Member::Group(number) => self.groups.get(number).map(|g| &g.name),
        };
        name.map(Vec::as_slice).unwrap_or_default()
    }
}

fn define<'a>(
    names: &mut BTreeMap<&'a [u8], Member>,
    name: &'a [u8],
    member: Member,
    line: usize,
) -> Result<(), PolicyError> {
    if name == b"none" || names.insert(name, member).is_some() {
        return Err(PolicyError::DuplicateName(line));
    }
    Ok(())
}

fn read_threshold(text: &[u8], members: usize) -> Option<usize> {
    match text {
        b"all" => Some(members),
        b"any" => Some(1),
        _ if text.iter().all(u8::is_ascii_digit) => std::str::from_utf8(text)
            .ok()?
            .parse()
            .ok()
            .filter(|k| (1..=members).contains(k)),
        _ => None,
    }
}

/// A checkpoint that its log signed and a policy's quorum cosigned. Minted only by [`LogPolicy::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct CosignedCheckpoint {
    signed: SignedCheckpoint,
    cosigners: Vec<(CosignatureVerifier, u64)>,
}

impl CosignedCheckpoint {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// Its size and root.
    pub fn head(&self) -> Head {
        self.signed.checkpoint().head()
    }

    /// The whole note.
    pub fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// The policy's witnesses that cosigned, each with the time of its cosignature.
    pub fn cosigners(&self) -> &[(CosignatureVerifier, u64)] {
        &self.cosigners
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CosignatureSigner, LogSigner};

    const LOG: &str = "log.example/2026h2";

    fn log() -> LogSigner {
        LogSigner::from_seed(LOG, &[1; 32]).unwrap()
    }

    fn cosigner(i: u8) -> CosignatureSigner {
        CosignatureSigner::from_seed(&format!("signer-{i}"), &[100 + i; 32]).unwrap()
    }

    fn keys(n: u8) -> Vec<CosignatureVerifier> {
        (1..=n).map(|i| cosigner(i).verifier().clone()).collect()
    }

    fn signed(by: &[u8]) -> SignedCheckpoint {
        let mut signed = log()
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
            .unwrap();
        for i in by {
            let line = cosigner(*i)
                .cosign(signed.checkpoint(), 1_800_000_000)
                .unwrap();
            signed.add(line);
        }
        signed
    }

    #[test]
    fn a_quorum_counts_each_witness_once() {
        let policy = LogPolicy::quorum_of(log().verifier().clone(), &keys(5), 4).unwrap();
        assert_eq!(
            policy.check(&signed(&[1, 2, 3])),
            Err(Unsatisfied::NoQuorum { present: 3 })
        );
        assert_eq!(
            policy.check(&signed(&[1, 2, 3, 3, 9])),
            Err(Unsatisfied::NoQuorum { present: 3 })
        );
        let cosigned = policy.check(&signed(&[1, 2, 3, 5, 9])).unwrap();
        assert_eq!(cosigned.cosigners().len(), 4);

        // The same line repeated in the file itself.
        let note = signed(&[1, 2, 3]).to_bytes();
        let last = note
            .split_inclusive(|b| *b == b'\n')
            .next_back()
            .unwrap()
            .to_vec();
        let repeated = SignedCheckpoint::parse(&[note, last].concat()).unwrap();
        assert_eq!(repeated.signatures().len(), 5);
        assert_eq!(
            policy.check(&repeated),
            Err(Unsatisfied::NoQuorum { present: 3 })
        );
    }

    #[test]
    fn bad_signatures_spoil_the_note() {
        let policy = LogPolicy::quorum_of(log().verifier().clone(), &keys(5), 2).unwrap();
        let mut spoiled = signed(&[1, 2]);
        let other = Checkpoint::new(
            LOG,
            Head {
                size: 4,
                root: [5; 32],
            },
        )
        .unwrap();
        spoiled.add(cosigner(3).cosign(&other, 7).unwrap());
        assert_eq!(
            policy.check(&spoiled),
            Err(Unsatisfied::Signature(SignatureError::Invalid(
                "signer-3".into()
            )))
        );

        let stranger = LogSigner::from_seed("other.example", &[1; 32]).unwrap();
        let elsewhere = stranger
            .sign(Checkpoint::new("other.example", Head::EMPTY).unwrap())
            .unwrap();
        assert_eq!(
            policy.check(&elsewhere),
            Err(Unsatisfied::UnknownLog("other.example".into()))
        );
        // Cosigned, but not signed by the log.
        let mut unsigned = LogSigner::from_seed(LOG, &[2; 32])
            .unwrap()
            .sign(signed(&[]).checkpoint().clone())
            .unwrap();
        for i in [1, 2] {
            unsigned.add(cosigner(i).cosign(unsigned.checkpoint(), 7).unwrap());
        }
        assert_eq!(
            policy.check(&unsigned),
            Err(Unsatisfied::UnknownLog(LOG.into()))
        );
    }

    #[test]
    fn the_specification_s_nested_example() {
        let key = |i: u8| cosigner(i).verifier().to_string();
        let file = format!(
            "# two organisations\nlog {} https://log.example/\n\nwitness X1 {}\nwitness X2\t{}\n  witness X3 {} https://x3.example\n\
             group X-witnesses 2 X1 X2 X3\n\nwitness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\ngroup Y-witnesses any Y1 Y2 Y3\n\
             group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
            log().verifier(),
            key(1),
            key(2),
            key(3),
            key(4),
            key(5),
            key(6)
        );
        let policy = LogPolicy::parse(file.as_bytes()).unwrap();
        for (by, good) in [
            (&[1, 2, 4][..], true),
            (&[1, 3, 6], true),
            (&[1, 2, 3], false),
            (&[1, 4, 5, 6], false),
        ] {
            assert_eq!(policy.check(&signed(by)).is_ok(), good, "{by:?}");
        }
        assert_eq!(LogPolicy::parse(&policy.to_bytes()).unwrap(), policy);
    }

    #[test]
    fn names_are_octets_and_quorum_none_needs_no_witness() {
        let mut file = format!("log {}\nwitness ", log().verifier()).into_bytes();
        file.extend([0xe2, 0x84, 0xaa, 0xff]);
        file.extend(format!(" {}\nquorum none\n", cosigner(1).verifier()).into_bytes());
        let policy = LogPolicy::parse(&file).unwrap();
        assert!(policy.check(&signed(&[])).is_ok());
        assert_eq!(policy.to_bytes(), file);
    }

    #[test]
    fn bad_policies() {
        let (a, b, l) = (
            cosigner(1).verifier().to_string(),
            cosigner(2).verifier().to_string(),
            log().verifier().to_string(),
        );
        let renamed = CosignatureSigner::from_seed("other-name", &[101; 32])
            .unwrap()
            .verifier()
            .to_string();
        for (file, error) in [
            (format!("log {l}\n"), PolicyError::Quorum),
            ("quorum none\nquorum none\n".to_owned(), PolicyError::Quorum),
            (
                format!("witness a {a}\nquorum b\n"),
                PolicyError::UnknownName(2),
            ),
            (
                format!("quorum a\nwitness a {a}\n"),
                PolicyError::UnknownName(1),
            ),
            (
                format!("witness a {a}\nwitness a {b}\nquorum a\n"),
                PolicyError::DuplicateName(2),
            ),
            (
                format!("witness none {a}\nquorum none\n"),
                PolicyError::DuplicateName(1),
            ),
            (
                format!("witness a {a}\nwitness b {renamed}\nquorum a\n"),
                PolicyError::DuplicateKey(2),
            ),
            (
                format!("log {l}\nlog {l}\nquorum none\n"),
                PolicyError::DuplicateKey(2),
            ),
            (
                format!("witness a {a}\ngroup g 1 a a\nquorum g\n"),
                PolicyError::MemberTwice(2),
            ),
            (
                format!("witness a {a}\ngroup g 1 a\ngroup h any a g\nquorum h\n"),
                PolicyError::MemberTwice(3),
            ),
            (
                format!("witness a {a}\ngroup g 1 none\nquorum g\n"),
                PolicyError::UnknownName(2),
            ),
            (
                format!("witness a {a}\ngroup g 1 g\nquorum g\n"),
                PolicyError::UnknownName(2),
            ),
            (
                format!("witness a {a}\ngroup g 2 a\nquorum g\n"),
                PolicyError::BadThreshold(2),
            ),
            (
                format!("witness a {a}\ngroup g 0 a\nquorum g\n"),
                PolicyError::BadThreshold(2),
            ),
            (
                format!("witness a {a}\ngroup g +1 a\nquorum g\n"),
                PolicyError::BadThreshold(2),
            ),
            (
                format!("witness a {a}\ngroup g any\nquorum g\n"),
                PolicyError::Malformed(2),
            ),
            (
                format!("witness a {a} u v\nquorum a\n"),
                PolicyError::Malformed(1),
            ),
            ("Quorum none\n".to_owned(), PolicyError::Malformed(1)),
            (
                "quorum none\r\n".to_owned(),
                PolicyError::ControlCharacter(1),
            ),
            (
                format!("log {a}\nquorum none\n"),
                PolicyError::Key {
                    line: 1,
                    error: KeyError::WrongType {
                        expected: 1,
                        found: 4,
                    },
                },
            ),
        ] {
            assert_eq!(LogPolicy::parse(file.as_bytes()), Err(error), "{file}");
        }
    }
}
