//! Heads: each node is sent the entries from where it is, and the cosignatures are gathered until the policy is
//! satisfied.

use bauta_log::{CosignedCheckpoint, Head, NoteSignature, SignedCheckpoint};

use crate::{
    coordinator::{Archive, Coordinator, CoordinatorOutput, Event, Membership},
    messages::{
        Append, Code, Cosigned, MAX_ENTRIES, OBJECT_PART, Object, ObjectWanted, Published,
        Received, Refused, Stage, ToNode,
    },
};

/// How many bytes of entries travel in one message.
const APPEND_BYTES: usize = 1 << 20;
/// How far behind a node may be before it is led there in steps.
const STEP: u64 = 4096;

/// The head that is being cosigned.
pub(crate) struct Target {
    signed: SignedCheckpoint,
    note: Vec<u8>,
    head: Head,
    have: Vec<String>,
    complete: bool,
    impossible: bool,
    report: u64,
}

impl Target {
    pub(crate) fn deadline(&self) -> Option<u64> {
        (!self.complete).then_some(self.report)
    }
}

/// The checkpoint, if every policy is satisfied.
fn quorum(membership: &Membership, signed: &SignedCheckpoint) -> Option<CosignedCheckpoint> {
    let checked: Result<Vec<_>, _> = membership
        .policies
        .iter()
        .map(|policy| policy.check(signed))
        .collect();
    checked.ok()?.pop()
}

impl Coordinator {
    /// A new head, staged and locked by the sequencer, signed by the log: bring it to all nodes. It takes the place of
    /// the one before, whose entries it has.
    pub fn propose(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        signed: SignedCheckpoint,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        let head = signed.checkpoint().head();
        match self.target.as_ref().filter(|target| target.head == head) {
            // The same head again: whoever asks may have missed the answer.
            Some(target) if target.complete => {
                output
                    .events
                    .extend(quorum(&self.membership, &target.signed).map(Event::Quorum));
            }
            Some(target) if target.impossible => {
                output
                    .events
                    .push(Event::HeadImpossible { size: head.size });
            }
            Some(_) => {}
            None => {
                self.target = Some(Target {
                    note: signed.to_bytes(),
                    signed,
                    head,
                    have: Vec::new(),
                    complete: false,
                    impossible: false,
                    report: now.saturating_add(self.patience.quorum),
                });
            }
        }
        let nodes: Vec<String> = self.peers.keys().cloned().collect();
        for node in nodes {
            self.feed(now, archive, &node, &mut output);
        }
        output
    }

    /// The sequencer went back: this head is driven no more.
    pub fn retract(&mut self) {
        self.target = None;
    }

    /// Sends a node what it needs next, unless something is under way.
    pub(crate) fn feed(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        output: &mut CoordinatorOutput,
    ) {
        let Some(target) = &self.target else { return };
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        let current = (target.head.size, target.head.root);
        let busy = peer.resend.is_some_and(|at| at > now);
        // A node that cosigned may have lost its store since, and come back as it says it is.
        let done = target.has(node) && peer.size >= target.head.size;
        let hello = peer.hello.as_ref();
        let signs_no_more = hello.is_none_or(|hello| hello.stage == Stage::Out);
        if signs_no_more || busy || peer.refuses == Some(current) || done {
            return;
        }
        if peer.size > target.head.size {
            // It cosigned more than is proposed; it may catch up with itself when the log does.
            return;
        }
        let parse = |note: Vec<u8>| Some((SignedCheckpoint::parse(&note).ok()?, note));
        let size_of = |signed: &SignedCheckpoint| signed.checkpoint().head().size;
        // A change of signers is taken with its quorums, before anything that comes after it.
        let change = archive
            .change_after(peer.size)
            .and_then(parse)
            .filter(|(signed, _)| (peer.size + 1..=target.head.size).contains(&size_of(signed)));
        let next = change
            .as_ref()
            .map_or(target.head.size, |(signed, _)| size_of(signed));
        let step = if next - peer.size > STEP {
            archive
                .checkpoint_between(peer.size, peer.size + STEP)
                .and_then(parse)
                .filter(|(signed, _)| (peer.size + 1..target.head.size).contains(&size_of(signed)))
        } else {
            change
        };
        let (size, note) = match step {
            Some((signed, note)) => (signed.checkpoint().head().size, note),
            None => (target.head.size, target.note.clone()),
        };
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut index = peer.next.min(size);
        let first = index;
        while index < size && entries.len() < MAX_ENTRIES {
            let Some(entry) = archive.entry(index) else {
                break;
            };
            bytes += entry.len();
            if bytes > APPEND_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(entry.into());
            index += 1;
        }
        peer.resend = Some(now.saturating_add(self.patience.append));
        peer.sent = Some(current);
        output.to(
            node,
            ToNode::Append(Append {
                first,
                entries,
                objects: Vec::new(),
                checkpoint: note.into(),
            }),
        );
    }

    pub(crate) fn received(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        received: &Received,
        output: &mut CoordinatorOutput,
    ) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.next = received.next;
            peer.resend = None;
        }
        self.feed(now, archive, node, output);
    }

    pub(crate) fn cosigned(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        cosigned: &Cosigned,
        output: &mut CoordinatorOutput,
    ) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.resend = None;
            peer.size = peer.size.max(cosigned.size);
            peer.next = peer.size;
        }
        if let Some(target) = &mut self.target
            && target.head.size == cosigned.size
            && !target.has(node)
        {
            let line = cosigned.line.as_slice();
            let signer = self.membership.signer(node);
            let verified = NoteSignature::from_bytes(line.strip_suffix(b"\n").unwrap_or(line))
                .ok()
                .filter(|line| {
                    signer.is_some_and(|s| {
                        s.cosignature
                            .verify(target.signed.checkpoint(), line)
                            .is_ok()
                    })
                });
            match verified {
                Some(line) => {
                    target.signed.add(line);
                    target.have.push(node.into());
                    if target.complete {
                        // It comes after the quorum, and has not heard of it.
                        output.to(node, target.published());
                    } else if let Some(checkpoint) = quorum(&self.membership, &target.signed) {
                        target.complete = true;
                        // Whoever is sent it from now on has the quorum's lines with it.
                        target.note = target.signed.to_bytes();
                        for (name, peer) in &self.peers {
                            if peer.hello.is_some() {
                                output.to(name, target.published());
                            }
                        }
                        output.events.push(Event::Quorum(checkpoint));
                    }
                }
                None => {
                    if let Some(peer) = self.peers.get_mut(node) {
                        peer.refuses = Some((target.head.size, target.head.root));
                        peer.strikes += 1;
                    }
                    output.culprit(node, "a cosignature that does not verify");
                }
            }
        }
        self.feed(now, archive, node, output);
    }

    /// What a node that just said where it is may not have heard: that its head is published, and that the last change of
    /// signers in its log has taken effect.
    pub(crate) fn tell_published(
        &self,
        archive: &dyn Archive,
        node: &str,
        output: &mut CoordinatorOutput,
    ) {
        let Some(peer) = self.peers.get(node) else {
            return;
        };
        if let Some(note) = archive.change_up_to(peer.size) {
            let checkpoint = note.into();
            output.to(node, ToNode::Published(Published { checkpoint }));
        }
        if let Some(target) = &self.target
            && target.complete
        {
            output.to(node, target.published());
        }
    }

    pub(crate) fn object_wanted(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        wanted: &ObjectWanted,
        output: &mut CoordinatorOutput,
    ) {
        let Some(object) = archive.object(&wanted.digest) else {
            return;
        };
        let start = usize::try_from(wanted.offset)
            .unwrap_or(usize::MAX)
            .min(object.len());
        let end = start.saturating_add(OBJECT_PART).min(object.len());
        let bytes = object.get(start..end).unwrap_or_default().to_vec();
        if let Some(peer) = self.peers.get_mut(node) {
            peer.resend = Some(now.saturating_add(self.patience.append));
        }
        output.to(
            node,
            ToNode::Object(Object {
                digest: wanted.digest,
                length: object.len() as u64,
                offset: wanted.offset,
                bytes: bytes.into(),
            }),
        );
    }

    pub(crate) fn append_refused(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        size: u64,
        refused: Refused,
        output: &mut CoordinatorOutput,
    ) {
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        // What it staged is gone; it goes on from what it cosigned.
        peer.next = peer.size;
        // A refusal names no root: one of a head that was retracted says nothing of the one proposed since.
        let sent = peer.sent;
        let stale = |target: &Target| sent != Some((target.head.size, target.head.root));
        if self.target.as_ref().is_some_and(stale) {
            peer.resend = Some(now);
        }
        let target = self
            .target
            .as_mut()
            .filter(|target| target.head.size == size && !stale(target));
        let for_good = match refused.code {
            Code::Unwelcome => {
                // It holds the head, and cosigns it once it is welcome: others may know its keys now, and it theirs.
                peer.size = peer.size.max(size);
                peer.next = peer.size;
                peer.resend = None;
                self.relay(now, node, output);
                return self.feed_waiting(now, archive, node, output);
            }
            Code::LogSignature | Code::Forked | Code::WrongRoot | Code::InvalidEntry => true,
            Code::GoesBack | Code::Malformed | Code::Behind => {
                // It is elsewhere than was thought.
                peer.resend = None;
                peer.hello = None;
                output.to(node, ToNode::Ping);
                false
            }
            Code::Out => false,
            // The clock goes on, a token comes back: the next deadline tries again.
            _ => {
                peer.resend = Some(now.saturating_add(self.patience.append));
                false
            }
        };
        if for_good && let Some(target) = target {
            peer.resend = None;
            peer.refuses = Some((target.head.size, target.head.root));
            let current = peer.refuses;
            let signers = &self.membership.signers;
            let refusing = signers
                .iter()
                .filter(|signer| {
                    self.peers
                        .get(&signer.name)
                        .is_some_and(|peer| peer.refuses == current)
                })
                .count();
            // Whoever might still cosign, does so in thought: is the policy satisfiable? And is one of those who refuse
            // honest? 2q − n − 1 bad signers are the most that q is fork-safe for. If they alone could send the service
            // back, the honest ones who cosigned would hold a head that the log has left, and never cosign again.
            let quorum = self.membership.quorum;
            let bad = (2 * quorum).saturating_sub(signers.len() + 1);
            let unreachable = signers.len() - refusing < quorum && refusing > bad;
            if unreachable && !target.complete && !target.impossible {
                target.impossible = true;
                output.events.push(Event::HeadImpossible { size });
            }
        }
        output.events.push(Event::HeadRefused {
            node: node.into(),
            size,
            code: refused.code,
            reason: refused.reason,
        });
    }

    /// A node that may not cosign yet goes on to the newest head, and is asked for its cosignature when it may.
    fn feed_waiting(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        output: &mut CoordinatorOutput,
    ) {
        let reached = |size| {
            self.target
                .as_ref()
                .is_some_and(|target| size >= target.head.size)
        };
        if let Some(peer) = self.peers.get_mut(node)
            && reached(peer.size)
        {
            peer.resend = Some(now.saturating_add(self.patience.append));
        }
        self.feed(now, archive, node, output);
    }

    pub(crate) fn tick_appends(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        output: &mut CoordinatorOutput,
    ) {
        let late: Vec<String> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.hello.is_some() && peer.resend.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for node in late {
            if let Some(peer) = self.peers.get_mut(&node) {
                peer.resend = None;
                peer.next = peer.size;
            }
            self.feed(now, archive, &node, output);
        }
        if let Some(target) = &mut self.target
            && !target.complete
            && target.report <= now
        {
            target.report = now.saturating_add(self.patience.quorum);
            if !target.impossible {
                // Whoever refused is asked again: an answer to an older head may have been taken for one to this.
                for peer in self.peers.values_mut() {
                    if peer.refuses.take().is_some() {
                        peer.resend = Some(now);
                    }
                }
            }
            output.events.push(Event::QuorumMissing {
                size: target.head.size,
                have: target.have.clone(),
                retry_after: self.patience.retry_after,
            });
        }
    }
}

impl Target {
    /// The checkpoint as it got its quorum.
    fn published(&self) -> ToNode {
        ToNode::Published(Published {
            checkpoint: self.note.clone().into(),
        })
    }

    fn has(&self, node: &str) -> bool {
        self.have.iter().any(|name| name == node)
    }
}
