//! One signer: what it holds, what it is told, what it answers. [`Node::handle`] takes a message and gives an
//! [`Output`]; the handlers themselves are in `cosign`, `key_generation` and `signing`.

use std::collections::{BTreeMap, BTreeSet};

use bauta_log::{CosignatureVerifier, Edge, Head, LogVerifier, tile::TileFile};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    attended::Attendance,
    cosign::Staging,
    key_generation::Run,
    keys::{KeyError, KeyShare, NodeKeys, PublicShares},
    memory::Memory,
    messages::{
        BootId, Code, Digest, DkgAgreement, DkgRun, GroupKey, Hello, NonceCommitments,
        NumberedCommitment, Refused, SharedKey, Slot, Stage, Subject, ToCoordinator, ToNode,
    },
    nonces::{LOW_WATER, NonceStock, STOCK},
    rulebook::{ExtendError, Rulebook, Store},
    settling::Settling,
    welcome::Standing,
};

/// How far an entry's time may lie from a node's clock: ahead for a cosignature, either way for a share. Seconds.
pub const CLOCK_WINDOW: u64 = 120;

/// What a node is configured with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The node's name in `authority`.
    pub name: String,
    /// The log's origin and key, as the operator was given it (DIR/log-policy).
    pub log: LogVerifier,
    /// The public side of the node's cosignature key, with its name.
    pub cosignature: CosignatureVerifier,
    /// Whether shares are used only while the holder is there ([`crate::attended`]).
    pub attended: bool,
}

/// What the shell must make durable, all of one output in one transaction, before it sends anything of that output.
#[derive(Debug)]
pub enum Record {
    /// An object that an entry names.
    Object {
        /// SHA-256.
        digest: Digest,
        /// The object.
        bytes: Vec<u8>,
    },
    /// Entries of the log; they stand before the head that covers them in [`Output::persist`].
    Entries {
        /// Index of the first.
        first: u64,
        /// In order.
        entries: Vec<Vec<u8>>,
    },
    /// The same entries as C2SP tiles, for the node's public copy. They can be made again from the entries.
    Tiles(Vec<TileFile>),
    /// The newest head that this node cosigned. Replaces the one before.
    Head(DurableHead),
    /// This entry's one TBS. A store that holds another digest at this index must fail.
    Bound {
        /// Index of the entry.
        index: u64,
        /// SHA-256 of the TBS.
        tbs_digest: Digest,
    },
    /// This nonce is spent. A store that holds the record already must fail: the process is a copy of another.
    Burnt {
        /// Whose nonce.
        key: SharedKey,
        /// Which.
        slot: Slot,
    },
    /// A share of a new key or sharing, or a repaired one: to be sealed, never written as it is.
    KeyShare {
        /// The key, and which sharing of it.
        key: SharedKey,
        /// [`StoredShare::born`].
        born: u64,
        /// [`KeyShare::to_bytes`].
        secret: Zeroizing<Vec<u8>>,
    },
    /// Something that the node knows beside its log. Replaces what was under the name.
    Remember {
        /// Which row.
        name: Memory,
        /// Its value.
        value: Vec<u8>,
    },
    /// A share whose place another sharing has taken, or of a key that was taken away: to be erased for good.
    Erased(SharedKey),
}

/// A share as it comes out of the store.
#[derive(Debug)]
pub struct StoredShare {
    /// Of which key, in which sharing.
    pub key: SharedKey,
    /// Size of the node's log when it got the share. The authority file that its sharing waits for is the next one: an
    /// authority entry at this index or later, by which it is not in force, leaves it worthless for good.
    pub born: u64,
    /// The share.
    pub share: KeyShare,
}

/// The newest head that a node cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableHead {
    /// Size and root.
    pub head: Head,
    /// The checkpoint note with the log's signature: evidence, should the log fork.
    pub checkpoint: Vec<u8>,
}

/// What happened, for the operator's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// A head was cosigned.
    Cosigned(Head),
    /// This head has q cosignatures of the old and q of the new signers: the change has taken effect.
    SignersChanged(Head),
    /// So many other signers say that this one goes on from where it was: from now on it signs.
    Welcomed {
        /// How many.
        by: usize,
    },
    /// Other signers proved that this one was put back or copied: it signs nothing any more.
    Out {
        /// What to do.
        reason: String,
    },
    /// A start of another signer does not go on from where this one saw it (or is an old one, told again); it was sent
    /// the proof.
    PutBack {
        /// Which.
        name: String,
    },
    /// Another signer has started so often since this one saw it that this one cannot tell whether it goes on from there.
    TooManyStarts {
        /// Which.
        name: String,
        /// How often.
        counter: u64,
    },
    /// A share was given for this entry.
    ShareGiven {
        /// Index of the entry.
        index: u64,
    },
    /// A key was made or shared anew; the new share waits for the authority entry.
    KeyMade(SharedKey),
    /// A key, or a new sharing of it, came into force here.
    KeyInForce(SharedKey),
    /// A share was erased: a new sharing took its place, or its key was taken away, by an authority that is settled.
    ShareErased(SharedKey),
    /// This node's share was made again by others.
    ShareRepaired(SharedKey),
    /// The authority says that this node holds a share of this key, and it holds none that fits: it must be repaired.
    WrongShare(GroupKey),
    /// Two checkpoints that the log signed exclude each other: keep both, and tell the other operators.
    Fork {
        /// The checkpoint that this node cosigned.
        ours: Vec<u8>,
        /// The other one.
        theirs: Vec<u8>,
    },
    /// The holder opened the shares, until this time (Unix seconds).
    Attended {
        /// When they are erased from memory.
        until: u64,
    },
    /// The holder left, or the session is over: no share is in memory.
    Left,
    /// A message was refused.
    Refused(Refused),
}

/// What the shell does next, in this order: persist, then send, then tell.
#[derive(Debug, Default)]
pub struct Output {
    /// To be durable first.
    pub persist: Vec<Record>,
    /// To the coordinator.
    pub send: Vec<ToCoordinator>,
    /// For the operator.
    pub events: Vec<NodeEvent>,
}

impl Output {
    pub(crate) fn refuse(&mut self, subject: Subject, code: Code, reason: impl ToString) {
        let refused = Refused {
            subject,
            code,
            reason: reason.to_string(),
        };
        self.events.push(NodeEvent::Refused(refused.clone()));
        self.send.push(ToCoordinator::Refused(refused));
    }
}

/// Why a node does not start.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RestoreError {
    /// An entry below the head is gone.
    #[error(
        "entry {0} is missing below the cosigned head: restore the store, or re-enrol this signer under a new key"
    )]
    EntryMissing(u64),
    /// The entries do not hash to the head.
    #[error(
        "the stored entries do not give the cosigned root at size {0}: the store is damaged; re-enrol this signer under a new key"
    )]
    Root(u64),
    /// The rules refuse what was cosigned.
    #[error("the stored log does not pass the rules it was cosigned under: {0}")]
    Rules(#[from] ExtendError),
    /// What is remembered of a change of signers does not belong to the entries.
    #[error(
        "a checkpoint that settled a change of signers is not of the stored log: the store is damaged; re-enrol this signer under a new key"
    )]
    Settled,
    /// What is remembered cannot be read.
    #[error(
        "what this signer remembers of its starts is damaged: restore the store, or re-enrol this signer under a new key"
    )]
    Memory,
    /// The approval key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The cosignature key is not the configured one.
    #[error("the cosignature key that was loaded is not the configured {0}")]
    CosignatureKey(String),
}

/// One share of one sharing of a key.
pub(crate) struct HeldKey {
    pub(crate) share: KeyShare,
    /// [`StoredShare::born`].
    pub(crate) born: u64,
    pub(crate) stock: NonceStock,
    /// There while the authority in force lists the sharing and the share fits it.
    pub(crate) public: Option<PublicShares>,
    /// There while the share waits, in the process that got it: the one thing that it may sign.
    pub(crate) test: Option<Test>,
}

/// The authority file that would put a new sharing in force. The new shares sign it once, so that a sharing which cannot sign
/// is never in force.
pub(crate) struct Test {
    pub(crate) public: PublicShares,
    pub(crate) text: String,
}

impl HeldKey {
    pub(crate) fn new(share: KeyShare, born: u64, boot: [u8; 16]) -> Self {
        Self {
            share,
            born,
            stock: NonceStock::new(boot),
            public: None,
            test: None,
        }
    }
}

/// A signer as a state machine. It is single-threaded and synchronous; memory runs ahead of the store by one output,
/// so a shell that cannot persist must drop it and start again from what is durable.
pub struct Node<B> {
    pub(crate) config: NodeConfig,
    pub(crate) keys: NodeKeys,
    pub(crate) rulebook: B,
    pub(crate) edge: Edge,
    pub(crate) head: Head,
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) staging: Option<Staging>,
    pub(crate) held: BTreeMap<SharedKey, HeldKey>,
    pub(crate) joint: Option<Run>,
    pub(crate) agreements: BTreeMap<DkgRun, DkgAgreement>,
    /// Repairs that gave this node its share back, in this process.
    pub(crate) repaired: BTreeSet<DkgRun>,
    pub(crate) boot: BootId,
    pub(crate) settling: Settling,
    pub(crate) standing: Standing,
    pub(crate) attendance: Attendance,
}

impl<B: Rulebook> Node<B> {
    /// A node as its store left it: `rulebook` is empty, `head` and `shares` are what was persisted last. All entries
    /// below the head are read from the store, judged and hashed again, by the code that judged them first.
    pub fn restore<R: RngCore + CryptoRng>(
        config: NodeConfig,
        keys: NodeKeys,
        rulebook: B,
        head: Option<DurableHead>,
        shares: Vec<StoredShare>,
        store: &dyn Store,
        rng: &mut R,
    ) -> Result<Self, RestoreError> {
        if *config.cosignature.public_key() != keys.cosignature.public_key() {
            return Err(RestoreError::CosignatureKey(config.cosignature.to_string()));
        }
        let mut boot = [0; 16];
        rng.fill_bytes(&mut boot);
        let attendance = if config.attended {
            Attendance::Away
        } else {
            Attendance::NotNeeded
        };
        // Whoever opens them for an attended node opens them by `attend`.
        let held = shares
            .into_iter()
            .filter(|_| !config.attended)
            .map(|stored| (stored.key, HeldKey::new(stored.share, stored.born, boot)))
            .collect();
        let standing = Standing::begin(
            &config.name,
            config.log.name(),
            boot,
            &*keys.approval,
            store,
        )?;
        let mut node = Self {
            config,
            keys,
            rulebook,
            edge: Edge::new(),
            head: Head::EMPTY,
            checkpoint: Vec::new(),
            staging: None,
            held,
            joint: None,
            agreements: BTreeMap::new(),
            repaired: BTreeSet::new(),
            boot,
            settling: Settling::default(),
            standing,
            attendance,
        };
        if let Some(durable) = head {
            node.replay(&durable, store)?;
        }
        node.activate(&mut Output::default());
        Ok(node)
    }

    fn replay(&mut self, durable: &DurableHead, store: &dyn Store) -> Result<(), RestoreError> {
        const CHUNK: u64 = 1024;
        let size = durable.head.size;
        let mut settled = self.next_settled(store)?;
        while self.edge.size() < size {
            let first = self.edge.size();
            let stop = settled
                .as_ref()
                .map_or(size, |signed| signed.checkpoint().head().size);
            let entries = (first..size.min(stop).min(first + CHUNK))
                .map(|index| store.entry(index).ok_or(RestoreError::EntryMissing(index)))
                .collect::<Result<Vec<_>, _>>()?;
            let (edge, _) = self
                .edge
                .extend(&entries)
                .map_err(|_| RestoreError::Root(size))?;
            self.rulebook.extend(&entries, store)?;
            self.mark_change(&self.edge.clone(), &entries);
            self.edge = edge;
            if let Some(signed) = settled.take_if(|_| self.edge.size() >= stop) {
                self.settle_again(&signed)?;
                settled = self.next_settled(store)?;
            }
        }
        if self.edge.head() != durable.head {
            return Err(RestoreError::Root(size));
        }
        self.head = durable.head;
        self.checkpoint.clone_from(&durable.checkpoint);
        Ok(())
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The newest head that it holds; it has cosigned it, unless it waits to be welcomed.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Where it stands with the other signers.
    pub fn standing(&self) -> Stage {
        self.standing.stage
    }

    /// Its rules, and so the state of its log.
    pub fn rulebook(&self) -> &B {
        &self.rulebook
    }

    /// The first words on a new connection: where the node is, and commitments to all unspent nonces.
    pub fn connected<R: RngCore + CryptoRng>(&mut self, rng: &mut R) -> Output {
        let mut output = Output::default();
        self.record_start(&mut output);
        output.send.push(self.hello());
        self.ask_for_welcome(&mut output);
        self.fill_stocks(rng, &mut Output::default());
        self.offer_nonces(&mut output);
        output
    }

    pub(crate) fn hello(&self) -> ToCoordinator {
        ToCoordinator::Hello(Hello {
            name: self.config.name.clone(),
            boot: self.boot,
            stage: self.standing.stage,
            size: self.head.size,
            root: self.head.root,
            keys: self.group_keys(),
        })
    }

    /// Commitments to all unspent nonces, if this node signs.
    pub(crate) fn offer_nonces(&self, output: &mut Output) {
        if self.standing.stage != Stage::Welcome {
            return;
        }
        for (key, held) in &self.held {
            let offered = held.stock.offered();
            if !offered.is_empty() {
                output.send.push(nonces(*key, self.boot, offered));
            }
        }
    }

    /// The last words, when the process is stopped in good order.
    pub fn goodbye(&mut self) -> Output {
        let mut output = Output::default();
        self.save_seen(&mut output);
        output.send.push(ToCoordinator::Goodbye);
        output
    }

    fn group_keys(&self) -> Vec<GroupKey> {
        let mut keys: Vec<GroupKey> = self.held.keys().map(|key| key.group_key).collect();
        keys.dedup();
        keys
    }

    /// One message in, one output out. `now` is Unix seconds.
    pub fn handle<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        store: &dyn Store,
        message: ToNode,
    ) -> Output {
        let mut output = self.end_session(now);
        self.record_start(&mut output);
        match message {
            ToNode::Ping => {
                let answer = self.connected(rng);
                output.persist.extend(answer.persist);
                output.send.extend(answer.send);
                output.events.extend(answer.events);
                return output;
            }
            ToNode::Append(append) => self.append(now, store, append, &mut output),
            ToNode::Object(object) => self.object(now, store, object, &mut output),
            ToNode::DkgStart(start) => self.dkg_start(now, rng, store, start, &mut output),
            ToNode::DkgRound1s(all) => self.dkg_round1s(rng, &all, &mut output),
            ToNode::DkgRound2s(all) => self.dkg_round2s(rng, &all, &mut output),
            ToNode::RepairRound3s(all) => self.repair_round3s(&all, &mut output),
            ToNode::Sign(request) => self.sign(now, store, &request, &mut output),
            ToNode::Published(published) => self.published(store, &published, &mut output),
            ToNode::Boot(boot) => self.other_started(store, boot, &mut output),
            ToNode::Welcome(welcome) => self.welcomed(now, rng, store, &welcome, &mut output),
            ToNode::NotWelcome(not_welcome) => self.not_welcome(not_welcome.proof, &mut output),
        }
        // A log that has grown, or signers that have changed, may be what a welcome waited for.
        self.consider(now, rng, &mut output);
        self.erase_retired(&mut output);
        self.fill_stocks(rng, &mut output);
        if !output.persist.is_empty() {
            self.save_seen(&mut output);
        }
        output
    }

    /// A frame that could not be decoded: said aloud, so that a version mismatch does not look like silence.
    pub fn malformed(&self, reason: &str) -> Output {
        let mut output = Output::default();
        output.refuse(Subject::Frame, Code::Malformed, reason);
        output
    }

    /// Puts keys into and out of force as the rules say now. A share that is out of force has no nonces any more.
    pub(crate) fn activate(&mut self, output: &mut Output) {
        let in_force = self.rulebook.keys();
        for (key, held) in &mut self.held {
            let public = in_force.iter().find(|public| public.id() == *key);
            let fits = public.filter(|public| held.share.matches(&self.config.name, public));
            match (&held.public, fits) {
                (None, Some(_)) => {
                    held.test = None;
                    output.events.push(NodeEvent::KeyInForce(*key));
                }
                (Some(_), None) => held.stock = NonceStock::new(self.boot),
                _ => {}
            }
            held.public = fits.cloned();
        }
        for public in in_force {
            if public.of(&self.config.name).is_some() && self.in_force(&public.id()).is_none() {
                output.events.push(NodeEvent::WrongShare(public.group_key));
            }
        }
    }

    /// The share of this sharing, if it is in force.
    pub(crate) fn in_force(&self, key: &SharedKey) -> Option<&HeldKey> {
        self.held.get(key).filter(|held| held.public.is_some())
    }

    /// Shares of other sharings of the keys in force, made before the authority entry: what is left of those when a head
    /// that covers the entry is published, for then no head without it can ever have its quorums. Until then an old share is
    /// kept, and not used: were the new sharing's entry never published, it would be all that is left of the key.
    pub(crate) fn old_shares(&self, published: u64) -> Vec<SharedKey> {
        let Some(authority) = self.rulebook.authority_index().filter(|at| *at < published) else {
            return Vec::new();
        };
        let in_force: Vec<SharedKey> = self.rulebook.keys().iter().map(PublicShares::id).collect();
        let is_old = |held: &SharedKey| {
            let mut others = in_force.iter();
            others.any(|key| key.group_key == held.group_key && key.sharing != held.sharing)
        };
        self.held
            .iter()
            .filter(|(key, held)| held.born <= authority && is_old(key))
            .map(|(key, _)| *key)
            .collect()
    }

    /// Drops shares from memory, and from the store with this output.
    pub(crate) fn erase(&mut self, keys: Vec<SharedKey>, output: &mut Output) {
        for key in keys {
            if self.held.remove(&key).is_some() {
                output.persist.push(Record::Erased(key));
                output.events.push(NodeEvent::ShareErased(key));
            }
        }
    }

    /// Drops and erases shares of keys that are gone for good. Not before the head that says so has its quorums: a head without
    /// them may be taken back. After a crash before the record is durable the share is there again, out of force, and is
    /// erased with the next quorum that is seen.
    fn erase_retired(&mut self, output: &mut Output) {
        let retired = self.rulebook.retired_keys();
        let held = self.held.keys();
        let gone = held.filter(|key| retired.contains(&key.group_key));
        let gone = gone.copied().collect();
        self.erase(gone, output);
    }

    /// Fills the stocks of keys in force, and offers what is new. A sharing that is to be tested has one nonce at a time.
    pub(crate) fn fill_stocks<R: RngCore + CryptoRng>(&mut self, rng: &mut R, output: &mut Output) {
        if self.standing.stage != Stage::Welcome {
            return;
        }
        for (key, held) in &mut self.held {
            let (low, full) = match (&held.public, &held.test) {
                (Some(_), _) => (LOW_WATER, STOCK),
                (None, Some(_)) => (1, 1),
                (None, None) => continue,
            };
            if held.stock.len() >= low {
                continue;
            }
            match held.stock.refill(&held.share, full, rng) {
                Ok(fresh) => output.send.push(nonces(*key, self.boot, fresh)),
                Err(_) => output.events.push(NodeEvent::WrongShare(key.group_key)),
            }
        }
    }
}

fn nonces(key: SharedKey, boot: [u8; 16], commitments: Vec<NumberedCommitment>) -> ToCoordinator {
    ToCoordinator::Nonces(NonceCommitments {
        key,
        boot,
        commitments,
    })
}
