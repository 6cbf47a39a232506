//! The coordinator: drives the signers from where each of them is. It is trusted for liveness only; every node checks
//! for itself, and nothing that the coordinator forgets or invents makes a signature for an entry that is not logged.
//!
//! It is a state machine like a node, and keeps nothing that a restart loses for good: nodes say where they are, and
//! offer their nonces again. Heads are in `appends`, signatures in `sessions`, keys in `generation`.
//!
//! Times here are Unix *milliseconds*: its deadlines are shorter than a second.

use std::collections::{BTreeMap, VecDeque};

use bauta_log::{CosignatureVerifier, CosignedCheckpoint, LogPolicy};
use rand_core::{CryptoRng, RngCore};

use crate::{
    appends::Target,
    boot::Boot,
    frost_scheme,
    generation::Generation,
    keys::PublicShares,
    messages::{
        Code, Commitment, Digest, DkgRun, GroupKey, Hello, MAX_COMMITMENTS, NonceCommitments,
        SharedKey, Slot, Stage, Subject, ToCoordinator, ToNode,
    },
    rulebook::Objects,
    sessions::Task,
};

/// How patient the coordinator is, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until entries are sent to a silent node again.
    pub append: u64,
    /// Until a head without its quorum is reported.
    pub quorum: u64,
    /// Until a silent signer is replaced.
    pub share: u64,
    /// Until a key-generation message is sent again.
    pub generation: u64,
    /// What callers are told to wait before they ask again.
    pub retry_after: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            append: 5_000,
            quorum: 5_000,
            share: 2_000,
            generation: 5_000,
            retry_after: 5_000,
        }
    }
}

/// A signer, as the coordinator knows it.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Its name in `authority`.
    pub name: String,
    /// Its cosignature key.
    pub cosignature: CosignatureVerifier,
}

/// Who signs, as the newest authority says.
#[derive(Debug, Clone)]
pub struct Membership {
    /// All signers.
    pub signers: Vec<Signer>,
    /// Signers of a former authority, while the change waits for its quorums: they are needed for that head.
    pub leaving: Vec<Signer>,
    /// The log's key, the signers' and the quorum. All must be satisfied: there is more than one while a change of
    /// authority waits for its quorums.
    pub policies: Vec<LogPolicy>,
    /// How many cosignatures the newest policy asks for: tells when a head can no longer have them.
    pub quorum: usize,
    /// CA keys in force.
    pub keys: Vec<PublicShares>,
}

impl Membership {
    /// The signer of this name, if it takes part in what is cosigned now.
    pub(crate) fn signer(&self, name: &str) -> Option<&Signer> {
        let all = self.signers.iter().chain(&self.leaving);
        all.into_iter().find(|signer| signer.name == name)
    }
}

/// The service's log, as far as the coordinator reads it.
pub trait Archive: Objects {
    /// The entry at `index`.
    fn entry(&self, index: u64) -> Option<Vec<u8>>;

    /// A checkpoint note of this log, signed by its key, of a size above `after` and not above `limit`; the larger the
    /// better. It lets a node that is far behind catch up in steps. Any prefix of the log will do: the log may sign one
    /// for the purpose.
    fn checkpoint_between(&self, after: u64, limit: u64) -> Option<Vec<u8>>;

    /// The first checkpoint above this size that settled a change of signers, with its quorums' lines. It is kept for
    /// good: those who cosigned it may be gone, and a node that was away needs it to go on.
    fn change_after(&self, size: u64) -> Option<Vec<u8>>;

    /// The newest such checkpoint of at most this size.
    fn change_up_to(&self, size: u64) -> Option<Vec<u8>>;
}

/// What the caller learns.
#[derive(Debug)]
pub enum Event {
    /// The head has its quorum: it may be published.
    Quorum(CosignedCheckpoint),
    /// The head has no quorum yet. It is driven on; callers answer 503 and Retry-After.
    QuorumMissing {
        /// The head's size.
        size: u64,
        /// Who cosigned.
        have: Vec<String>,
        /// Milliseconds.
        retry_after: u64,
    },
    /// A node will not cosign this head.
    HeadRefused {
        /// The node.
        node: String,
        /// The head's size.
        size: u64,
        /// Which rule.
        code: Code,
        /// In its words.
        reason: String,
    },
    /// So many nodes refuse this head that it will never have its quorum, and one of them at least is honest: go back to
    /// the last head that has one.
    HeadImpossible {
        /// The head's size.
        size: u64,
    },
    /// A signature, verified strictly under the group key.
    Signed {
        /// The caller's number for the task.
        task: u64,
        /// RFC 8032.
        signature: [u8; 64],
    },
    /// Too few signers are there with nonces. The task waits; callers answer 503 and Retry-After.
    SignersMissing {
        /// The caller's number for the task.
        task: u64,
        /// How many could sign.
        available: usize,
        /// How many must.
        needed: usize,
        /// Milliseconds.
        retry_after: u64,
    },
    /// So many signers refuse that the task will never be done.
    SignRefused {
        /// The caller's number for the task.
        task: u64,
        /// Which rule the last of them named.
        code: Code,
        /// In its words.
        reason: String,
    },
    /// The task's deadline went by: the entry has lapsed.
    Lapsed {
        /// The caller's number for the task.
        task: u64,
    },
    /// A node did what no honest node does.
    Culprit {
        /// The node.
        node: String,
        /// What.
        what: String,
    },
    /// A key is made or shared anew, and all participants signed the authority file that says so. It is to be logged.
    KeyAgreed {
        /// Which run.
        run: DkgRun,
        /// The key.
        group_key: GroupKey,
        /// The authority file's text.
        text: String,
        /// Each participant's signature over it.
        signatures: BTreeMap<String, [u8; 64]>,
        /// After a resharing, the key's own signature over it, by the new shares.
        key_signature: Option<[u8; 64]>,
        /// The run's transcript, which the text names by its SHA-256: an object to be kept in the log.
        transcript: Vec<u8>,
    },
    /// A node has its share back.
    ShareRepaired {
        /// Which run.
        run: DkgRun,
        /// The node.
        node: String,
    },
    /// A run waits for these members; all of them must take part.
    GenerationWaits {
        /// Which run.
        run: DkgRun,
        /// For whom.
        missing: Vec<String>,
    },
    /// A run ended without a result. It may be started again.
    GenerationFailed {
        /// Which run.
        run: DkgRun,
        /// Who said so.
        node: String,
        /// Which rule.
        code: Code,
        /// In its words.
        reason: String,
    },
    /// A node was proved to be put back or copied. It signs nothing until it is re-enrolled under new keys.
    SignerOut {
        /// The node.
        node: String,
    },
    /// A node refused something, for the operator's eyes; what follows from it comes as an event of its own.
    Refused {
        /// The node.
        node: String,
        /// About what.
        subject: Subject,
        /// Which rule.
        code: Code,
        /// In its words.
        reason: String,
    },
}

/// What the shell does next: send, then tell. Nothing here needs to be durable first.
#[derive(Debug, Default)]
pub struct CoordinatorOutput {
    /// To whom, what.
    pub send: Vec<(String, ToNode)>,
    /// For the caller.
    pub events: Vec<Event>,
}

impl CoordinatorOutput {
    pub(crate) fn to(&mut self, node: &str, message: ToNode) {
        self.send.push((node.into(), message));
    }

    pub(crate) fn culprit(&mut self, node: &str, what: impl ToString) {
        self.events.push(Event::Culprit {
            node: node.into(),
            what: what.to_string(),
        });
    }
}

/// A node as the coordinator sees it. A node that is not connected has none of this.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Where it said it is; `None` until its first Hello.
    pub(crate) hello: Option<Hello>,
    /// Size of the log that it cosigned.
    pub(crate) size: u64,
    /// Index of the entry that it wants next.
    pub(crate) next: u64,
    /// When what was sent last is sent again; `None`: nothing is under way.
    pub(crate) resend: Option<u64>,
    /// The head that it was sent entries for last.
    pub(crate) sent: Option<(u64, Digest)>,
    /// The head that it will not cosign.
    pub(crate) refuses: Option<(u64, Digest)>,
    /// Nonces that it offered and that nobody used, by key and sharing.
    pub(crate) pool: BTreeMap<SharedKey, VecDeque<(Slot, Commitment)>>,
    /// Bad shares and silences, so that others are asked first.
    pub(crate) strikes: u32,
    /// While it waits to be welcomed: when the others are asked again.
    pub(crate) greet: Option<u64>,
}

/// The most nonces that are kept per node and sharing.
const MAX_POOL: usize = 1024;
/// The most sharings for which nonces of one node are kept.
const MAX_POOLS: usize = 64;

/// The coordinator as a state machine.
pub struct Coordinator {
    pub(crate) membership: Membership,
    pub(crate) patience: Patience,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) target: Option<Target>,
    pub(crate) tasks: BTreeMap<u64, Task>,
    pub(crate) generation: Option<Generation>,
    /// The newest start of each node.
    pub(crate) boots: BTreeMap<String, Boot>,
}

impl Coordinator {
    /// A coordinator of these signers. It begins to know nodes when they connect.
    pub fn new(membership: Membership, patience: Patience) -> Self {
        Self {
            membership,
            patience,
            peers: BTreeMap::new(),
            target: None,
            tasks: BTreeMap::new(),
            generation: None,
            boots: BTreeMap::new(),
        }
    }

    /// After an authority entry: who signs now. Connections of nodes that are no signers any more are the shell's to end.
    pub fn set_membership(&mut self, membership: Membership) {
        self.membership = membership;
        let membership = &self.membership;
        self.peers
            .retain(|name, _| membership.signer(name).is_some());
        self.boots
            .retain(|name, _| membership.signer(name).is_some());
    }

    /// Who signs now.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Nodes that are connected, with the size that each has cosigned.
    pub fn connected_nodes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.peers
            .iter()
            .map(|(name, peer)| (name.as_str(), peer.size))
    }

    /// Where a connected node says that it stands with the others.
    pub fn stage(&self, node: &str) -> Option<Stage> {
        let hello = self.peers.get(node)?.hello.as_ref()?;
        Some(hello.stage)
    }

    /// A node's stream is up. The transport has authenticated it.
    pub fn connected(&mut self, now: u64, node: &str) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        if self.membership.signer(node).is_some() {
            let peer = Peer {
                resend: Some(now.saturating_add(self.patience.append)),
                ..Peer::default()
            };
            self.peers.insert(node.into(), peer);
            output.to(node, ToNode::Ping);
        }
        output
    }

    /// A node's stream is down. Sessions that wait for it go on without it.
    pub fn disconnected<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        node: &str,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        self.peers.remove(node);
        self.replace_silent(now, rng, Some(node), &mut output);
        self.take_test(&mut output);
        output
    }

    /// One message from a node; `node` is whom the transport authenticated.
    pub fn handle<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        archive: &dyn Archive,
        node: &str,
        message: ToCoordinator,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        if !self.peers.contains_key(node) {
            return output;
        }
        match message {
            ToCoordinator::Hello(hello) => self.hello(now, archive, node, hello, &mut output),
            ToCoordinator::Received(received) => {
                self.received(now, archive, node, &received, &mut output)
            }
            ToCoordinator::Cosigned(cosigned) => {
                self.cosigned(now, archive, node, &cosigned, &mut output)
            }
            ToCoordinator::ObjectWanted(wanted) => {
                self.object_wanted(now, archive, node, &wanted, &mut output)
            }
            ToCoordinator::DkgRound1(round1) => self.dkg_round1(now, node, round1, &mut output),
            ToCoordinator::DkgRound2(round2) => self.dkg_round2(now, node, round2, &mut output),
            ToCoordinator::DkgAgreement(agreement) => {
                self.dkg_agreement(now, rng, node, agreement, &mut output)
            }
            ToCoordinator::RepairRound3(round3) => {
                self.repair_round3(now, node, round3, &mut output)
            }
            ToCoordinator::Repaired(run) => self.repaired(node, run, &mut output),
            ToCoordinator::Nonces(nonces) => self.nonces(node, &nonces),
            ToCoordinator::Boot(boot) => self.started(now, node, boot, &mut output),
            ToCoordinator::Welcome(welcome) => {
                let to = welcome.to.clone();
                self.pass_on(&to, ToNode::Welcome(welcome), &mut output);
            }
            ToCoordinator::NotWelcome(not_welcome) => {
                let to = not_welcome.to.clone();
                self.pass_on(&to, ToNode::NotWelcome(not_welcome), &mut output);
            }
            ToCoordinator::Goodbye => return self.disconnected(now, rng, node),
            ToCoordinator::Share(share) => self.share(now, rng, node, &share, &mut output),
            ToCoordinator::Refused(refused) => match refused.subject {
                Subject::Append(size) => {
                    self.append_refused(now, archive, node, size, refused, &mut output)
                }
                Subject::Session(session) => {
                    self.session_refused(now, rng, node, session, refused, &mut output)
                }
                Subject::Dkg(run) => self.dkg_refused(now, rng, node, run, refused, &mut output),
                subject @ (Subject::Frame | Subject::Object(_)) => {
                    output.events.push(Event::Refused {
                        node: node.into(),
                        subject,
                        code: refused.code,
                        reason: refused.reason,
                    })
                }
            },
        }
        self.start_waiting(now, rng, &mut output);
        self.take_test(&mut output);
        output
    }

    /// To be called when time has passed: at [`Self::next_deadline`], or some times a second.
    pub fn tick<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        archive: &dyn Archive,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        for (name, peer) in &mut self.peers {
            if peer.hello.is_none() && peer.resend.is_some_and(|at| at <= now) {
                peer.resend = Some(now.saturating_add(self.patience.append));
                output.to(name, ToNode::Ping);
            }
        }
        self.tick_relay(now, &mut output);
        self.tick_appends(now, archive, &mut output);
        self.tick_generation(now, &mut output);
        self.replace_silent(now, rng, None, &mut output);
        self.start_waiting(now, rng, &mut output);
        self.take_test(&mut output);
        output
    }

    /// When [`Self::tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<u64> {
        let peers = self.peers.values();
        let peers = peers.flat_map(|peer| peer.resend.into_iter().chain(peer.greet));
        let target = self.target.as_ref().and_then(Target::deadline);
        let tasks = self.tasks.values().map(Task::deadline);
        let generation = self.generation.as_ref().map(Generation::deadline);
        peers.chain(target).chain(tasks).chain(generation).min()
    }

    fn hello(
        &mut self,
        now: u64,
        archive: &dyn Archive,
        node: &str,
        hello: Hello,
        output: &mut CoordinatorOutput,
    ) {
        if hello.name != node {
            return output.culprit(node, format!("calls itself {}", hello.name));
        }
        if let Some(peer) = self.peers.get_mut(node) {
            if peer
                .hello
                .as_ref()
                .is_none_or(|before| before.boot != hello.boot)
            {
                // Its memory is new, and the old nonces went with the old one.
                peer.pool.clear();
                peer.refuses = None;
            }
            // Shares that it has put away, and their nonces with them.
            peer.pool
                .retain(|key, _| hello.keys.contains(&key.group_key));
            peer.size = hello.size;
            peer.next = hello.size;
            peer.resend = None;
            if hello.stage == Stage::Out {
                output.events.push(Event::SignerOut { node: node.into() });
            }
            peer.hello = Some(hello);
        }
        self.may_have_decided(node);
        self.introduce(now, node, output);
        self.tell_published(archive, node, output);
        self.feed(now, archive, node, output);
        self.resume_generation(node, output);
    }

    fn nonces(&mut self, node: &str, nonces: &NonceCommitments) {
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        if peer
            .hello
            .as_ref()
            .is_none_or(|hello| hello.boot != nonces.boot)
        {
            return;
        }
        if !peer.pool.contains_key(&nonces.key) && peer.pool.len() >= MAX_POOLS {
            // Sharings come and go; those of keys in force stay.
            let keys = &self.membership.keys;
            peer.pool
                .retain(|held, _| keys.iter().any(|key| key.id() == *held));
        }
        let pool = peer.pool.entry(nonces.key).or_default();
        for offered in nonces.commitments.iter().take(MAX_COMMITMENTS) {
            let slot = Slot {
                boot: nonces.boot,
                number: offered.number,
            };
            // Offered twice is one nonce; a malformed one would stop a session.
            let known = pool.iter().any(|(known, _)| *known == slot);
            if !known && pool.len() < MAX_POOL && frost_scheme::is_sound(&offered.commitment) {
                pool.push_back((slot, offered.commitment));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bauta_log::{CosignatureSigner, LogSigner};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::messages::NumberedCommitment;

    struct Nothing;
    impl Objects for Nothing {
        fn object(&self, _: &Digest) -> Option<Vec<u8>> {
            None
        }
    }
    impl Archive for Nothing {
        fn entry(&self, _: u64) -> Option<Vec<u8>> {
            None
        }
        fn checkpoint_between(&self, _: u64, _: u64) -> Option<Vec<u8>> {
            None
        }
        fn change_after(&self, _: u64) -> Option<Vec<u8>> {
            None
        }
        fn change_up_to(&self, _: u64) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn a_node_that_offers_nonces_of_ever_new_sharings_fills_no_memory() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let log = LogSigner::from_seed("log.example", &[1; 32]).unwrap();
        let cosignature = CosignatureSigner::from_seed("signer.example", &[2; 32]).unwrap();
        let cosignature = cosignature.verifier().clone();
        let policy = LogPolicy::quorum_of(
            log.verifier().clone(),
            std::slice::from_ref(&cosignature),
            1,
        );
        let in_force = PublicShares {
            group_key: [7; 32],
            threshold: 2,
            shares: Vec::new(),
        };
        let mut coordinator = Coordinator::new(
            Membership {
                signers: vec![Signer {
                    name: "signer".into(),
                    cosignature,
                }],
                leaving: Vec::new(),
                policies: vec![policy.unwrap()],
                quorum: 1,
                keys: vec![in_force.clone()],
            },
            Patience::default(),
        );
        coordinator.connected(0, "signer");
        let mut tell = |message| {
            coordinator.handle(0, &mut rng, &Nothing, "signer", message);
            coordinator.peers["signer"].pool.clone()
        };
        tell(ToCoordinator::Hello(Hello {
            name: "signer".into(),
            boot: [1; 16],
            stage: Stage::Welcome,
            size: 0,
            root: [0; 32],
            keys: Vec::new(),
        }));
        let point = *log.verifier().public_key();
        let offer = |key| {
            ToCoordinator::Nonces(NonceCommitments {
                key,
                boot: [1; 16],
                commitments: vec![NumberedCommitment {
                    number: 1,
                    commitment: Commitment {
                        hiding: point,
                        binding: point,
                    },
                }],
            })
        };
        tell(offer(in_force.id()));
        for number in 0..=255 {
            let pool = tell(offer(SharedKey {
                group_key: [7; 32],
                sharing: [number; 32],
            }));
            assert!(pool.len() <= MAX_POOLS);
            assert_eq!(pool[&in_force.id()].len(), 1);
        }
    }
}
