//! A network of nodes and a coordinator in one thread: every frame is encoded, delayed, perhaps lost or reordered, and
//! decoded; nodes crash before or after they persist, and come back from what they persisted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use bauta_log::{CosignatureSigner, CosignedCheckpoint, Head, SignedCheckpoint};
use bauta_signer_protocol::{
    attended::Approval,
    coordinator::{Coordinator, CoordinatorOutput, Event, Membership, Patience, Signer},
    dkg::{Participant, Participants},
    generation::GenerationTask,
    keys::{Approver as _, NodeKeys, PublicShares},
    memory::Memory,
    messages::{
        Digest, FrostPackage, GroupKey, Message, SharedKey, SignRequest, Slot, Stage,
        ToCoordinator, ToNode,
    },
    node::{Node, NodeConfig, NodeEvent, Output},
    order::RunOrder,
    rulebook::Store,
    sessions::SignTask,
};
use bauta_statement::approval::ApprovalPublicKey;
use ed25519_dalek::SigningKey;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use crate::{
    approvals::ApprovalSecret,
    kept::{Log, MemoryStore},
    toy::{self, OPERATION, Toy},
};

pub(crate) const ORIGIN: &str = "log.example.org/2026h2";
pub(crate) const START: u64 = 1_800_000_000;

/// How a node misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    Honest,
    /// Its shares are wrong.
    BadShares,
    /// It never answers a request for a share.
    SilentSigner,
    /// It refuses every request for a share.
    RefusesToSign,
    /// Its cosignatures do not verify.
    BadCosignatures,
    /// It answers nothing of a run.
    SilentInRuns,
}

pub(crate) struct SimNode {
    pub(crate) name: String,
    pub(crate) seeds: ([u8; 32], [u8; 32]),
    pub(crate) store: MemoryStore,
    pub(crate) node: Option<Node<Toy>>,
    pub(crate) behaviour: Behaviour,
    /// Added to its clock, seconds.
    pub(crate) skew: i64,
    /// From its next start on, its shares are open only while its holder is there.
    pub(crate) attended: bool,
    pub(crate) events: Vec<NodeEvent>,
    pub(crate) said: Said,
}

/// What left a node, over all its starts: what it said must be on its disk by then, and never contradict itself.
#[derive(Default)]
pub(crate) struct Said {
    /// The nonce that each session asks for.
    asked: BTreeMap<[u8; 16], (SharedKey, Slot, u64)>,
    /// Nonces that signed.
    signed: BTreeSet<(SharedKey, Slot)>,
    /// Roots that were cosigned.
    cosigned: BTreeMap<u64, Digest>,
}

impl Said {
    fn ask(&mut self, name: &str, request: &SignRequest) {
        let package = FrostPackage::decode(request.payload.as_slice()).unwrap();
        if let Some(own) = package.signers.iter().find(|signer| signer.name == name) {
            let asked = (request.key, own.slot, request.index);
            self.asked.insert(request.session, asked);
        }
    }

    /// Checked as it leaves.
    fn leaves(&mut self, store: &MemoryStore, message: &ToCoordinator) {
        match message {
            ToCoordinator::Cosigned(cosigned) => {
                let disk = store.head.as_ref().unwrap().head;
                assert!(disk.size >= cosigned.size, "cosigned before it was durable");
                assert_eq!(store.root_at(cosigned.size), Some(cosigned.root));
                let remembered = &store.memory[&Memory::Cosigned];
                assert!(remembered[..8] >= cosigned.size.to_be_bytes()[..]);
                let before = self.cosigned.insert(cosigned.size, cosigned.root);
                assert!(
                    before.is_none_or(|root| root == cosigned.root),
                    "two roots of one size"
                );
            }
            ToCoordinator::Share(share) => {
                let (key, slot, index) = self.asked[&share.session];
                assert!(store.burnt.contains(&(key, slot)), "a nonce not burnt");
                // New shares are tested over an authority file: any number of results may follow from one operation.
                let is_test = store.entries[index as usize][0] == b'S';
                let bound = store.bound.contains_key(&index);
                assert!(bound != is_test, "a TBS not bound");
                assert!(self.signed.insert((key, slot)), "a nonce signed twice");
            }
            _ => {}
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Envelope {
    at: u64,
    number: u64,
    node: usize,
    to_node: bool,
    frame: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) log: Log,
    pub(crate) nodes: Vec<SimNode>,
    pub(crate) coordinator: Coordinator,
    pub(crate) quorum: usize,
    pub(crate) approvals: Vec<Participant>,
    pub(crate) participants: Participants,
    pub(crate) events: Vec<Event>,
    pub(crate) cosigned: Option<CosignedCheckpoint>,
    /// Per cent of frames that are lost.
    pub(crate) loss: u32,
    /// Frames take from 1 to this many milliseconds.
    pub(crate) delay: u64,
    /// Per thousand of a node's outputs at which it crashes.
    pub(crate) crashes: u32,
    /// How many outputs had something to be made durable.
    pub(crate) writes: usize,
    /// The write at which its node crashes: before it is durable, or after and before anything leaves.
    pub(crate) crash_at: Option<(usize, bool)>,
    /// The node whose output it is crashes at this many outputs from now; before it persists (`true`) or after.
    pub(crate) crash_in: Option<(u32, bool)>,
    /// How authority texts begin, for nodes that start from now on.
    pub(crate) prefix: &'static str,
    queue: BinaryHeap<Reverse<Envelope>>,
    number: u64,
}

impl World {
    pub(crate) fn new(seed: u64, n: usize, t: u16, q: usize) -> Self {
        Self::with_holders(seed, n, n, t, q)
    }

    /// A world of n nodes, the first of which make the first key.
    pub(crate) fn with_holders(seed: u64, n: usize, holders: usize, t: u16, q: usize) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let nodes: Vec<SimNode> = (0..n)
            .map(|i| SimNode {
                name: format!("signer-{}", i + 1),
                seeds: ([10 + i as u8; 32], [100 + i as u8; 32]),
                store: MemoryStore::default(),
                node: None,
                behaviour: Behaviour::Honest,
                skew: 0,
                attended: false,
                events: Vec::new(),
                said: Said::default(),
            })
            .collect();
        let approvals: Vec<(String, ApprovalPublicKey)> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| {
                let approval = ApprovalSecret::of(i, &node.seeds.1);
                (node.name.clone(), approval.approval_key())
            })
            .collect();
        let participants = toy::participants(&approvals[..holders], t);
        let approvals = toy::participants(&approvals, t).list;
        let log = Log::new(1);
        let membership = membership(&log, &nodes, q, &[]);
        let mut world = Self {
            now: START * 1000,
            rng,
            log,
            nodes,
            coordinator: Coordinator::new(membership, Patience::default()),
            quorum: q,
            approvals,
            participants,
            events: Vec::new(),
            cosigned: None,
            loss: 0,
            delay: 5,
            crashes: 0,
            writes: 0,
            crash_at: None,
            crash_in: None,
            prefix: toy::PREFIX,
            queue: BinaryHeap::new(),
            number: 0,
        };
        for i in 0..n {
            world.start(i);
        }
        world
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.now / 1000
    }

    pub(crate) fn cosignature(&self, i: usize) -> CosignatureSigner {
        cosignature(&self.nodes[i])
    }

    pub(crate) fn restore(
        &mut self,
        i: usize,
    ) -> Result<Node<Toy>, bauta_signer_protocol::node::RestoreError> {
        let cosigners: Vec<_> = self
            .nodes
            .iter()
            .map(|n| cosignature(n).verifier().clone())
            .collect();
        let mut rulebook = Toy::new(
            self.log.signer.verifier(),
            &cosigners,
            self.quorum,
            self.approvals.clone(),
            self.participants.clone(),
        );
        rulebook.prefix = self.prefix;
        let node = &self.nodes[i];
        let keys = NodeKeys {
            cosignature: Box::new(SigningKey::from_bytes(&node.seeds.0)),
            approval: Box::new(ApprovalSecret::of(i, &node.seeds.1)),
        };
        let shares = node.store.stored_shares();
        Node::restore(
            NodeConfig {
                name: node.name.clone(),
                log: self.log.signer.verifier().clone(),
                cosignature: cosigners[i].clone(),
                attended: node.attended,
            },
            keys,
            rulebook,
            node.store.head.clone(),
            shares,
            &node.store,
            &mut self.rng,
        )
    }

    /// The process starts from what is durable, and dials in.
    pub(crate) fn start(&mut self, i: usize) {
        let mut node = self.restore(i).unwrap();
        let hello = node.connected(&mut self.rng);
        self.nodes[i].node = Some(node);
        let name = self.nodes[i].name.clone();
        let output = self.coordinator.connected(self.now, &name);
        self.coordinator_output(output);
        self.node_output(i, hello);
    }

    /// The process starts again, and the others welcome it.
    pub(crate) fn restart(&mut self, i: usize) {
        self.stop(i);
        self.start(i);
        assert!(
            self.run(60, |w| w.standing(i) == Stage::Welcome),
            "not welcome: {:?}",
            self.nodes[i].store.memory
        );
    }

    /// The holder opens the shares of an attended node.
    pub(crate) fn attend(&mut self, i: usize, approval: Approval) {
        let now = self.node_time(i);
        let node = &mut self.nodes[i];
        let shares = node.store.stored_shares();
        let output = node
            .node
            .as_mut()
            .unwrap()
            .attend(now, &mut self.rng, shares, approval);
        self.node_output(i, output);
    }

    pub(crate) fn standing(&self, i: usize) -> Stage {
        self.nodes[i].node.as_ref().unwrap().standing()
    }

    pub(crate) fn stop(&mut self, i: usize) {
        self.nodes[i].node = None;
        let name = self.nodes[i].name.clone();
        let output = self
            .coordinator
            .disconnected(self.now, &mut self.rng, &name);
        self.coordinator_output(output);
    }

    /// The process is stopped in good order.
    pub(crate) fn stop_in_good_order(&mut self, i: usize) {
        let goodbye = self.nodes[i].node.as_mut().unwrap().goodbye();
        self.node_output(i, goodbye);
        self.nodes[i].node = None;
    }

    fn post(&mut self, node: usize, to_node: bool, frame: Vec<u8>) {
        if self.rng.next_u32() % 100 < self.loss {
            return;
        }
        self.number += 1;
        let at = self.now + 1 + self.rng.next_u64() % self.delay;
        let number = self.number;
        self.queue.push(Reverse(Envelope {
            at,
            number,
            node,
            to_node,
            frame,
        }));
    }

    fn coordinator_output(&mut self, output: CoordinatorOutput) {
        for (name, message) in output.send {
            let node = self
                .nodes
                .iter()
                .position(|node| node.name == name)
                .unwrap();
            self.post(node, true, message.encode().unwrap());
        }
        for event in output.events {
            if let Event::Quorum(checkpoint) = &event {
                self.cosigned = Some(checkpoint.clone());
            }
            self.events.push(event);
        }
    }

    fn node_output(&mut self, i: usize, output: Output) {
        let node = &mut self.nodes[i];
        // A crash before the transaction, or after it and before anything leaves.
        let dice = self.rng.next_u32() % 2000;
        let mut crash = dice < 2 * self.crashes;
        let mut durable = !crash || dice.is_multiple_of(2);
        if !output.persist.is_empty() {
            self.writes += 1;
            if let Some((_, after)) = self.crash_at.filter(|(at, _)| *at == self.writes) {
                (crash, durable) = (true, after);
            }
        }
        if let Some((outputs, before)) = &mut self.crash_in {
            if *outputs == 0 {
                (crash, durable) = (true, !*before);
            }
            *outputs = outputs.wrapping_sub(1);
        }
        if durable {
            node.store.persist(output.persist);
        }
        if crash {
            self.stop(i);
            self.start(i);
            return;
        }
        node.events.extend(output.events);
        for message in &output.send {
            node.said.leaves(&node.store, message);
        }
        for mut message in output.send {
            match (self.nodes[i].behaviour, &mut message) {
                (Behaviour::BadShares, ToCoordinator::Share(share)) => {
                    let mut bytes = share.payload.as_slice().to_vec();
                    // Not in the same place as another's: two errors could make up for each other.
                    bytes[i] ^= 1;
                    share.payload = bytes.into();
                }
                (Behaviour::BadCosignatures, ToCoordinator::Cosigned(cosigned)) => {
                    let other = self.log.sign(Head {
                        size: cosigned.size,
                        root: [9; 32],
                    });
                    let line = self
                        .cosignature(i)
                        .cosign(other.checkpoint(), self.seconds())
                        .unwrap();
                    cosigned.line = line.to_bytes().into();
                }
                _ => {}
            }
            self.post(i, false, message.encode().unwrap());
        }
    }

    /// Hands a message to a node, as if it came from the coordinator, and gives its answers (persisted, not posted).
    pub(crate) fn tell(&mut self, i: usize, message: ToNode) -> Vec<ToCoordinator> {
        let now = self.node_time(i);
        let node = &mut self.nodes[i];
        let output = node
            .node
            .as_mut()
            .unwrap()
            .handle(now, &mut self.rng, &node.store, message);
        node.store.persist(output.persist);
        node.events.extend(output.events);
        output.send
    }

    fn node_time(&self, i: usize) -> u64 {
        self.seconds()
            .checked_add_signed(self.nodes[i].skew)
            .unwrap()
    }

    fn step(&mut self) {
        let due = self
            .queue
            .peek()
            .map_or(u64::MAX, |Reverse(envelope)| envelope.at);
        let deadline = self.coordinator.next_deadline().unwrap_or(u64::MAX);
        self.now = self
            .now
            .max(due.min(deadline.max(self.now + 1)).min(self.now + 1000));
        if due <= self.now {
            let Reverse(envelope) = self.queue.pop().unwrap();
            let i = envelope.node;
            if envelope.to_node {
                let message = ToNode::decode(&envelope.frame).unwrap();
                let silent = match message {
                    ToNode::Sign(_) => Behaviour::SilentSigner,
                    ToNode::DkgStart(_) | ToNode::DkgRound1s(_) | ToNode::DkgRound2s(_) => {
                        Behaviour::SilentInRuns
                    }
                    _ => Behaviour::Honest,
                };
                if silent != Behaviour::Honest && self.nodes[i].behaviour == silent {
                    return;
                }
                let now = self.node_time(i);
                let node = &mut self.nodes[i];
                let Some(machine) = &mut node.node else {
                    return;
                };
                if let (ToNode::Sign(request), Behaviour::RefusesToSign) =
                    (&message, node.behaviour)
                {
                    use bauta_signer_protocol::messages::{Code, Refused, Subject};
                    let refused = Refused {
                        subject: Subject::Session(request.session),
                        code: Code::InvalidIssuance,
                        reason: "because".into(),
                    };
                    let frame = ToCoordinator::Refused(refused).encode().unwrap();
                    return self.post(i, false, frame);
                }
                if let ToNode::Sign(request) = &message {
                    node.said.ask(&node.name, request);
                }
                let output = machine.handle(now, &mut self.rng, &node.store, message);
                self.node_output(i, output);
            } else {
                let message = ToCoordinator::decode(&envelope.frame).unwrap();
                let name = self.nodes[i].name.clone();
                let output =
                    self.coordinator
                        .handle(self.now, &mut self.rng, &self.log, &name, message);
                self.coordinator_output(output);
            }
        } else {
            let output = self.coordinator.tick(self.now, &mut self.rng, &self.log);
            self.coordinator_output(output);
        }
    }

    /// Runs until `done`, or for `seconds`.
    pub(crate) fn run(&mut self, seconds: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + seconds * 1000;
        while !done(self) && self.now < end {
            self.step();
        }
        done(self)
    }

    /// Appends to the log, and waits for the quorum.
    pub(crate) fn log(&mut self, entries: &[Vec<u8>]) -> CosignedCheckpoint {
        let size = self.propose(entries);
        assert!(
            self.run(600, |w| w.size() == size),
            "no quorum for size {size}"
        );
        self.cosigned.clone().unwrap()
    }

    pub(crate) fn propose(&mut self, entries: &[Vec<u8>]) -> u64 {
        let signed = self.log.append(entries);
        let size = signed.checkpoint().head().size;
        let output = self.coordinator.propose(self.now, &self.log, signed);
        self.coordinator_output(output);
        size
    }

    pub(crate) fn size(&self) -> u64 {
        self.cosigned.as_ref().map_or(0, |c| c.head().size)
    }

    /// A newly proposed head, cosigned by hand with these nodes' keys: what colluding nodes could make.
    pub(crate) fn collude(
        &self,
        mut signed: SignedCheckpoint,
        nodes: &[usize],
    ) -> SignedCheckpoint {
        for i in nodes {
            signed.add(
                self.cosignature(*i)
                    .cosign(&signed.checkpoint().clone(), self.seconds())
                    .unwrap(),
            );
        }
        signed
    }

    /// From an empty log to a key in force.
    pub(crate) fn make_key(&mut self) -> GroupKey {
        let now = self.seconds();
        let cosigned = self.log(&[toy::entry(b'K', now, b"")]);
        self.generate(cosigned.head().size - 1);
        assert!(
            self.run(600, |w| w.agreed().is_some()),
            "no key: {:?}",
            self.events.last()
        );
        let (group_key, text) = self.agreed().unwrap();
        self.log(&[toy::entry(b'G', now, text.as_bytes())]);
        self.set_keys();
        let full = |w: &Self| {
            w.nodes
                .iter()
                .all(|n| n.node.as_ref().is_some_and(|n| n.head().size == w.size()))
        };
        assert!(self.run(600, full));
        group_key
    }

    /// Has the signers make the key that the entry at `index` asks for.
    pub(crate) fn generate(&mut self, index: u64) {
        let signed = self.cosigned.as_ref().unwrap().signed();
        let task = GenerationTask {
            operation: OPERATION,
            index,
            proof: self.log.proof(index, signed),
            order: RunOrder::Generate(self.participants.clone()),
        };
        let output = self.coordinator.generate_key(self.now, &mut self.rng, task);
        self.coordinator_output(output);
    }

    /// The rules of the node that is farthest.
    pub(crate) fn newest(&self) -> &Toy {
        self.nodes
            .iter()
            .filter_map(|node| node.node.as_ref())
            .map(Node::rulebook)
            .max_by_key(|toy| toy.entries.len())
            .unwrap()
    }

    /// The sharing in force.
    pub(crate) fn key(&self) -> PublicShares {
        self.newest().keys[0].clone()
    }

    /// Logs an `S` or `P`; gives the task.
    pub(crate) fn order(&mut self, entry: Vec<u8>) -> GenerationTask {
        let operation = toy::operation(&entry);
        let order = toy::order_of(self.newest(), &entry).unwrap();
        let index = self.log.entries.len() as u64;
        let cosigned = self.log(&[entry]);
        GenerationTask {
            operation,
            index,
            proof: self.log.proof(index, cosigned.signed()),
            order,
        }
    }

    /// Begins a run.
    pub(crate) fn begin(&mut self, task: GenerationTask) {
        let output = self.coordinator.generate_key(self.now, &mut self.rng, task);
        self.coordinator_output(output);
    }

    /// Whether the run is over, one way or the other.
    pub(crate) fn is_over(&self) -> bool {
        !self.coordinator.is_generating()
    }

    /// The newest result: the authority's text and the key's own signature over it.
    pub(crate) fn result(&self) -> Option<(String, Option<[u8; 64]>)> {
        self.events.iter().rev().find_map(|event| match event {
            Event::KeyAgreed {
                text,
                key_signature,
                ..
            } => Some((text.clone(), *key_signature)),
            _ => None,
        })
    }

    /// Why the newest run failed: whom it names, and how.
    pub(crate) fn failure(&self) -> Option<(String, bauta_signer_protocol::messages::Code)> {
        self.events.iter().rev().find_map(|event| match event {
            Event::GenerationFailed { node, code, .. } => Some((node.clone(), *code)),
            _ => None,
        })
    }

    /// Logs the authority that was agreed on. The coordinator knows it before the nodes do, as the service's does.
    pub(crate) fn record(&mut self, text: &str) {
        let now = self.seconds();
        let key = toy::read_key(text);
        let membership = membership(&self.log, &self.nodes, self.quorum, &[key]);
        self.coordinator.set_membership(membership);
        self.log(&[toy::entry(b'G', now, text.as_bytes())]);
        let size = self.size();
        assert!(self.run(600, |w| {
            w.nodes
                .iter()
                .all(|n| n.node.as_ref().is_none_or(|n| n.head().size >= size))
        }));
    }

    /// A whole resharing.
    pub(crate) fn reshare(&mut self, dealers: &[&str], receivers: &[&str], threshold: u16) {
        let (now, from) = (self.seconds(), self.key());
        let task = self.order(toy::reshare(now, &from, dealers, receivers, threshold));
        let before = self.events.len();
        self.begin(task);
        assert!(self.run(600, Self::is_over), "the run goes on for ever");
        let events = &self.events[before..];
        let agreed = events.iter().any(|e| matches!(e, Event::KeyAgreed { .. }));
        assert!(agreed, "{events:?}");
        let (text, _) = self.result().unwrap();
        self.record(&text);
    }

    /// The coordinator learns the keys that its own reading of the log gives.
    pub(crate) fn set_keys(&mut self) {
        let keys = self.newest().keys.clone();
        let membership = membership(&self.log, &self.nodes, self.quorum, &keys);
        self.coordinator.set_membership(membership);
    }

    pub(crate) fn agreed(&self) -> Option<(GroupKey, String)> {
        self.events.iter().find_map(|event| match event {
            Event::KeyAgreed {
                group_key,
                text,
                signatures,
                ..
            } => {
                assert_eq!(signatures.len(), self.participants.list.len());
                Some((*group_key, text.clone()))
            }
            _ => None,
        })
    }

    pub(crate) fn task(&self, index: u64, group_key: GroupKey, openings: &[u8]) -> SignTask {
        SignTask {
            index,
            proof: self
                .log
                .proof(index, self.cosigned.as_ref().unwrap().signed()),
            csr: Vec::new(),
            openings: openings.to_vec(),
            tbs: toy::tbs(&self.log.entries[index as usize], &group_key, openings),
            group_key,
            deadline: self.now + 120_000,
        }
    }

    pub(crate) fn sign(&mut self, index: u64, group_key: GroupKey) {
        let task = self.task(index, group_key, b"");
        let output = self.coordinator.sign(self.now, &mut self.rng, index, task);
        self.coordinator_output(output);
    }

    pub(crate) fn signature(&self, index: u64) -> Option<[u8; 64]> {
        self.events.iter().find_map(|event| match event {
            Event::Signed { task, signature } if *task == index => Some(*signature),
            _ => None,
        })
    }

    /// Logs an issuance and has it signed; the signature is checked by an independent verifier.
    pub(crate) fn issue(&mut self, group_key: GroupKey) -> u64 {
        let now = self.seconds();
        let index = self.log.entries.len() as u64;
        self.log(&[toy::entry(b'I', now, b"")]);
        self.sign(index, group_key);
        assert!(
            self.run(100, |w| w.signature(index).is_some()),
            "no signature: {:?}",
            self.events.last()
        );
        let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature(index).unwrap());
        let tbs = toy::tbs(&self.log.entries[index as usize], &group_key, b"");
        key.verify_strict(&tbs, &signature).unwrap();
        index
    }

    pub(crate) fn culprits(&self) -> BTreeSet<String> {
        let culprit = |event: &Event| match event {
            Event::Culprit { node, .. } => Some(node.clone()),
            _ => None,
        };
        self.events.iter().filter_map(culprit).collect()
    }
}

fn cosignature(node: &SimNode) -> CosignatureSigner {
    CosignatureSigner::from_seed(&format!("{}.example.org", node.name), &node.seeds.0).unwrap()
}

fn membership(
    log: &Log,
    nodes: &[SimNode],
    quorum: usize,
    keys: &[bauta_signer_protocol::keys::PublicShares],
) -> Membership {
    let signers: Vec<Signer> = nodes
        .iter()
        .map(|node| Signer {
            name: node.name.clone(),
            cosignature: cosignature(node).verifier().clone(),
        })
        .collect();
    let cosigners: Vec<_> = signers.iter().map(|s| s.cosignature.clone()).collect();
    Membership {
        policies: vec![
            bauta_log::LogPolicy::quorum_of(log.signer.verifier().clone(), &cosigners, quorum)
                .unwrap(),
        ],
        signers,
        leaving: Vec::new(),
        quorum,
        keys: keys.to_vec(),
    }
}
