//! A signer that starts asks the others whether it goes on from where it was. Until enough of them say so it gives no
//! cosignature and no share: its disk may have been put back, or be a copy, and then it has forgotten what it said.
//!
//! - **Asking.** The start is durable before it is told. The statement names it, the starts before it, and the largest
//!   head that this node has cosigned.
//! - **Answering.** A node remembers the newest start of every other signer, and the largest head that it saw the other
//!   cosign. It welcomes a start that comes after the remembered one in the statement's own row, and that knows of that
//!   head. It remembers before it answers.
//! - **Counting.** Welcomes are for one boot; each names a head, and counts once this node's log holds that head. Of the q
//!   signers whose quorum is settled, q − 1 others are needed; q by a signer that was not there from the beginning and has
//!   never been welcomed: so it takes its starting head from q signers, and not from the coordinator.
//! - **Not welcome.** The answer carries what the node itself signed and does not know of. Nobody else can make that, so
//!   neither a peer nor the coordinator can keep a node out by a lie.

use std::collections::BTreeMap;

use bauta_log::{Edge, Head, SignedCheckpoint};
use rand_core::{CryptoRng, RngCore};

use bauta_statement::approval::ApprovalPublicKey;

use crate::{
    boot::{Boot, NotWelcome, Proof, Starts, Welcome},
    memory::Memory,
    messages::{BootId, Code, Digest, Stage, ToCoordinator},
    node::{Node, NodeEvent, Output, Record, RestoreError},
    rulebook::{AuthoritySigners, Rulebook, SignerKeys, Store},
};

/// Where a node stands with the other signers.
pub(crate) struct Standing {
    starts: Starts,
    /// The statement of this start.
    statement: Boot,
    /// Whether the start is durable, so that it may be spoken of.
    told: bool,
    pub(crate) stage: Stage,
    /// The largest head that this node has cosigned, which may be behind the one that it holds.
    pub(crate) cosigned: Head,
    /// The head that each signer named when it welcomed this boot, by approval key.
    welcomes: BTreeMap<ApprovalPublicKey, Head>,
    /// The roots that this log had at the sizes of those heads, as far as it reaches.
    roots: BTreeMap<u64, Digest>,
}

fn remember(name: Memory, value: Vec<u8>) -> Record {
    Record::Remember { name, value }
}

pub(crate) fn encode_head(head: &Head) -> Vec<u8> {
    [&head.size.to_be_bytes()[..], &head.root].concat()
}

fn decode_head(bytes: &[u8]) -> Option<Head> {
    let (size, root) = bytes.split_first_chunk::<8>()?;
    Some(Head {
        size: u64::from_be_bytes(*size),
        root: root.try_into().ok()?,
    })
}

impl Standing {
    /// A new start, after those that the store remembers.
    pub(crate) fn begin(
        name: &str,
        origin: &str,
        boot: BootId,
        approval: &dyn crate::keys::Approver,
        store: &dyn Store,
    ) -> Result<Self, RestoreError> {
        let own = approval.approval_key();
        let mut starts = match store.remembered(&Memory::Starts(own)) {
            Some(bytes) => Starts::read(&bytes).ok_or(RestoreError::Memory)?,
            None => Starts::default(),
        };
        let cosigned = match store.remembered(&Memory::Cosigned) {
            Some(bytes) => decode_head(&bytes).ok_or(RestoreError::Memory)?,
            None => Head::EMPTY,
        };
        starts.begin(boot);
        let before = starts.boots.len().saturating_sub(1);
        let statement = Boot {
            name: name.into(),
            counter: starts.counter,
            boot,
            before: starts.boots.get(..before).unwrap_or_default().to_vec(),
            size: cosigned.size,
            root: cosigned.root,
            signature: [0; 64],
        }
        .sign(origin, approval)?;
        let out = store.remembered(&Memory::Out(own)).is_some();
        Ok(Self {
            starts,
            statement,
            told: false,
            stage: if out { Stage::Out } else { Stage::Waiting },
            cosigned,
            welcomes: BTreeMap::new(),
            roots: BTreeMap::new(),
        })
    }
}

/// What a node that is out says to everything.
const OUT: &str = "the other signers hold proof that this signer's disk was put back or copied: stop it, make new keys for it \
                   (`bauta-signer keys new`), and re-enrol it by an authority entry";

impl<B: Rulebook> Node<B> {
    /// The start is durable before anything is said under it.
    pub(crate) fn record_start(&mut self, output: &mut Output) {
        if std::mem::replace(&mut self.standing.told, true) {
            return;
        }
        self.save_starts(output);
    }

    fn save_starts(&self, output: &mut Output) {
        // It serialized when it was read, or is a few bytes more than empty.
        if let Ok(value) = self.standing.starts.to_bytes() {
            let own = self.keys.approval.approval_key();
            output.persist.push(remember(Memory::Starts(own), value));
        }
    }

    /// What is said on a new connection, while there is something to ask.
    pub(crate) fn ask_for_welcome(&self, output: &mut Output) {
        if self.standing.stage == Stage::Waiting {
            let statement = self.standing.statement.clone();
            output.send.push(ToCoordinator::Boot(statement));
        }
    }

    /// May this node cosign and give shares?
    pub(crate) fn require_welcome(&self) -> Result<(), (Code, String)> {
        match self.standing.stage {
            Stage::Welcome => Ok(()),
            Stage::Waiting => Err((
                Code::Unwelcome,
                "this signer has just started, and waits for the other signers to say that it goes on from where it was"
                    .into(),
            )),
            Stage::Out => Err((Code::Out, OUT.into())),
        }
    }

    /// The keys that `name` has now, under one authority or, while the signers change, under two.
    fn keys_of(&self, name: &str) -> Vec<SignerKeys> {
        let authorities = self.rulebook.authorities().into_iter();
        authorities
            .flat_map(|authority| authority.signers)
            .filter(|signer| signer.name == name)
            .collect()
    }

    /// Another signer has started.
    pub(crate) fn other_started(&mut self, store: &dyn Store, boot: Boot, output: &mut Output) {
        let origin = self.config.log.name();
        let own = self.keys.approval.approval_key();
        if boot.is_signed_by(origin, &own) {
            // Its own start comes back. One that it does not know of is a copy's.
            return self.not_welcome(Proof::Boot(boot), output);
        }
        if self.standing.stage == Stage::Out || !boot.is_sound() {
            return;
        }
        // Whose authority is not known here yet is asked about again.
        let Some(signer) = self
            .keys_of(&boot.name)
            .into_iter()
            .find(|signer| boot.is_signed_by(origin, &signer.approval))
        else {
            return;
        };
        let not_welcome = |proof| {
            ToCoordinator::NotWelcome(NotWelcome {
                to: boot.name.clone(),
                proof,
            })
        };
        let name = Memory::Peer(signer.approval);
        // A row that cannot be read is not one that is not there.
        let remembered = match store.remembered(&name) {
            None => None,
            Some(bytes) => match Boot::read(&bytes) {
                Some(boot) => Some(boot),
                None => return,
            },
        };
        let Ok(seen) = self.seen(store, &signer.approval) else {
            return;
        };
        let known = remembered.as_ref() == Some(&boot);
        if let Some(remembered) = remembered.filter(|_| !known) {
            match boot.at(remembered.counter) {
                Some(id) if *id == remembered.boot && boot.counter > remembered.counter => {}
                // Too many starts ago: neither welcome nor proof.
                None if boot.counter > remembered.counter => {
                    let counter = boot.counter - remembered.counter;
                    let name = boot.name;
                    return output
                        .events
                        .push(NodeEvent::TooManyStarts { name, counter });
                }
                _ => {
                    let name = boot.name.clone();
                    output.send.push(not_welcome(Proof::Boot(remembered)));
                    return output.events.push(NodeEvent::PutBack { name });
                }
            }
        }
        let held = Head {
            size: boot.size,
            root: boot.root,
        };
        // A start that is known was asked about before it could cosign; what it cosigned since says nothing.
        if let Some(seen) = seen.filter(|_| !known) {
            let head = seen.checkpoint().head();
            if head.size > held.size || (head.size == held.size && head.root != held.root) {
                let name = boot.name.clone();
                let proof = Proof::Checkpoint(seen.to_bytes().into());
                output.send.push(not_welcome(proof));
                return output.events.push(NodeEvent::PutBack { name });
            }
        }
        let welcome = Welcome {
            name: self.config.name.clone(),
            to: boot.name.clone(),
            boot: boot.boot,
            size: self.standing.cosigned.size,
            root: self.standing.cosigned.root,
            signature: [0; 64],
        };
        let (Ok(welcome), Ok(value)) =
            (welcome.sign(origin, &*self.keys.approval), boot.to_bytes())
        else {
            // The token is gone: it is asked again.
            return;
        };
        if !known {
            output.persist.push(remember(name, value));
        }
        output.send.push(ToCoordinator::Welcome(welcome));
    }

    /// Another signer's welcome.
    pub(crate) fn welcomed<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        store: &dyn Store,
        welcome: &Welcome,
        output: &mut Output,
    ) {
        if self.standing.stage != Stage::Waiting || welcome.boot != self.boot {
            return;
        }
        let origin = self.config.log.name();
        let Some(signer) = self
            .keys_of(&welcome.name)
            .into_iter()
            .find(|signer| welcome.is_signed_by(origin, &signer.approval))
        else {
            return;
        };
        let head = Head {
            size: welcome.size,
            root: welcome.root,
        };
        self.standing.welcomes.insert(signer.approval, head);
        if head.size < self.head.size
            && !self.standing.roots.contains_key(&head.size)
            && let Some(root) = store.root_at(head.size)
        {
            self.standing.roots.insert(head.size, root);
        }
        // A signer that names one head after the other does not fill the memory.
        let named = &self.standing.welcomes;
        self.standing
            .roots
            .retain(|size, _| named.values().any(|head| head.size == *size));
        self.consider(now, rng, output);
    }

    /// Entries were appended: the roots at the sizes that welcomes name.
    pub(crate) fn mark_roots(&mut self, before: &Edge, entries: &[Vec<u8>]) {
        let size = before.size() + entries.len() as u64;
        let named = self.standing.welcomes.values().map(|head| head.size);
        let within: Vec<u64> = named
            .filter(|named| (before.size()..size).contains(named))
            .collect();
        for size in within {
            let count = usize::try_from(size - before.size()).unwrap_or(usize::MAX);
            if let Ok((edge, _)) = before.extend(entries.get(..count).unwrap_or_default()) {
                self.standing.roots.insert(size, edge.root());
            }
        }
    }

    /// The signers whose welcomes count, and how many of them are needed.
    fn hosts(&self) -> Option<(AuthoritySigners, usize)> {
        let mut settled = self.rulebook.authorities().into_iter().next()?;
        let own = self.keys.approval.approval_key();
        let all = settled.signers.len();
        settled.signers.retain(|signer| signer.approval != own);
        let seated = settled.signers.len() < all;
        let known = self.standing.starts.welcomed == 1 || self.rulebook.is_founder(&own);
        let needed = settled.quorum - usize::from(seated && known && settled.quorum > 0);
        let needed = needed.min(settled.signers.len());
        Some((settled, needed))
    }

    /// Are there enough welcomes, for a log that reaches as far as they say?
    pub(crate) fn consider<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        output: &mut Output,
    ) {
        if self.standing.stage != Stage::Waiting {
            return;
        }
        let Some((hosts, needed)) = self.hosts() else {
            return;
        };
        let holds = |head: &Head| {
            let root = self.standing.roots.get(&head.size);
            head.size == 0 || *head == self.head || root == Some(&head.root)
        };
        let counted = hosts
            .signers
            .iter()
            .filter_map(|host| self.standing.welcomes.get(&host.approval))
            .filter(|head| holds(head))
            .count();
        if counted < needed {
            return;
        }
        self.standing.stage = Stage::Welcome;
        self.standing.welcomes.clear();
        self.standing.roots.clear();
        if self.standing.starts.welcomed == 0 {
            self.standing.starts.welcomed = 1;
            self.save_starts(output);
        }
        output.events.push(NodeEvent::Welcomed { by: counted });
        output.send.push(self.hello());
        self.fill_stocks(rng, &mut Output::default());
        self.offer_nonces(output);
        if self.head.size > self.standing.cosigned.size
            && let Ok(signed) = SignedCheckpoint::parse(&self.checkpoint)
        {
            self.cosign(now, &signed, output);
        }
    }

    /// Somebody says that this node does not go on from where it was.
    pub(crate) fn not_welcome(&mut self, proof: Proof, output: &mut Output) {
        if self.standing.stage == Stage::Out || !self.convicts(&proof) {
            return;
        }
        let own = self.keys.approval.approval_key();
        let Ok(value) = proof.to_bytes() else { return };
        output.persist.push(remember(Memory::Out(own), value));
        self.standing.stage = Stage::Out;
        self.joint = None;
        output.events.push(NodeEvent::Out {
            reason: OUT.to_owned(),
        });
        output.send.push(self.hello());
    }

    /// Did this node sign it, and does not know of it?
    fn convicts(&self, proof: &Proof) -> bool {
        match proof {
            Proof::Boot(boot) => {
                let own = &self.standing.statement;
                boot.is_signed_by(self.config.log.name(), &self.keys.approval.approval_key())
                    && (boot.counter > own.counter
                        || own.at(boot.counter).is_some_and(|id| *id != boot.boot))
            }
            Proof::Checkpoint(note) => self.own_log(note.as_slice()).is_ok_and(|signed| {
                let head = signed.checkpoint().head();
                let cosigned = &self.standing.cosigned;
                let own = &self.config.cosignature;
                (head.size > cosigned.size
                    || (head.size == cosigned.size && head.root != cosigned.root))
                    && signed
                        .signatures()
                        .iter()
                        .any(|line| own.verify(signed.checkpoint(), line).is_ok())
            }),
        }
    }
}
