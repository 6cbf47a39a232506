//! One signer: what it holds, what it is told, what it answers. [`Node::handle`] takes a message and gives an
//! [`Output`]; the handlers themselves are in `cosign`, `key_generation` and `signing`.

use std::collections::BTreeMap;

use bauta_log::{CosignatureVerifier, Edge, Head, LogVerifier, tile::TileFile};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    cosign::Staging,
    dkg::KeyGeneration,
    keys::{KeyShare, NodeKeys, PublicShares},
    messages::{
        Code, Digest, DkgAgreement, DkgRun, GroupKey, Hello, NonceCommitments, NumberedCommitment,
        Refused, Slot, Subject, ToCoordinator, ToNode,
    },
    nonces::NonceStock,
    rulebook::{ExtendError, Rulebook, Store},
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
        group_key: GroupKey,
        /// Which.
        slot: Slot,
    },
    /// A share of a new key: to be sealed, never written as it is.
    KeyShare {
        /// The key.
        group_key: GroupKey,
        /// [`KeyShare::to_bytes`].
        secret: Zeroizing<Vec<u8>>,
    },
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
    /// A share was given for this entry.
    ShareGiven {
        /// Index of the entry.
        index: u64,
    },
    /// A key was made; its share waits for the authority entry.
    KeyMade(GroupKey),
    /// A key came into force here.
    KeyInForce(GroupKey),
    /// A share is held that does not fit what the authority publishes: it must be repaired, and is not used.
    WrongShare(GroupKey),
    /// Two checkpoints that the log signed exclude each other: keep both, and tell the other operators.
    Fork {
        /// The checkpoint that this node cosigned.
        ours: Vec<u8>,
        /// The other one.
        theirs: Vec<u8>,
    },
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
    /// The cosignature key is not the configured one.
    #[error("the cosignature key that was loaded is not the configured {0}")]
    CosignatureKey(String),
}

pub(crate) struct HeldKey {
    pub(crate) share: KeyShare,
    pub(crate) stock: NonceStock,
    /// There while the authority in force lists the key and the share fits it.
    pub(crate) public: Option<PublicShares>,
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
    pub(crate) held: BTreeMap<GroupKey, HeldKey>,
    pub(crate) generation: Option<KeyGeneration>,
    pub(crate) agreements: BTreeMap<DkgRun, DkgAgreement>,
    pub(crate) boot: [u8; 16],
}

impl<B: Rulebook> Node<B> {
    /// A node as its store left it: `rulebook` is empty, `head` and `shares` are what was persisted last. All entries
    /// below the head are read from the store, judged and hashed again, by the code that judged them first.
    pub fn restore<R: RngCore + CryptoRng>(
        config: NodeConfig,
        keys: NodeKeys,
        rulebook: B,
        head: Option<DurableHead>,
        shares: Vec<KeyShare>,
        store: &dyn Store,
        rng: &mut R,
    ) -> Result<Self, RestoreError> {
        if *config.cosignature.public_key() != keys.cosignature.public_key() {
            return Err(RestoreError::CosignatureKey(config.cosignature.to_string()));
        }
        let mut boot = [0; 16];
        rng.fill_bytes(&mut boot);
        let held = shares
            .into_iter()
            .map(|share| {
                let stock = NonceStock::new(boot);
                (
                    share.group_key(),
                    HeldKey {
                        share,
                        stock,
                        public: None,
                    },
                )
            })
            .collect();
        let mut node = Self {
            config,
            keys,
            rulebook,
            edge: Edge::new(),
            head: Head::EMPTY,
            checkpoint: Vec::new(),
            staging: None,
            held,
            generation: None,
            agreements: BTreeMap::new(),
            boot,
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
        while self.edge.size() < size {
            let first = self.edge.size();
            let entries = (first..size.min(first + CHUNK))
                .map(|index| store.entry(index).ok_or(RestoreError::EntryMissing(index)))
                .collect::<Result<Vec<_>, _>>()?;
            (self.edge, _) = self
                .edge
                .extend(&entries)
                .map_err(|_| RestoreError::Root(size))?;
            self.rulebook.extend(&entries, store)?;
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

    /// The newest head that it cosigned.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Its rules, and so the state of its log.
    pub fn rulebook(&self) -> &B {
        &self.rulebook
    }

    /// The first words on a new connection: where the node is, and commitments to all unspent nonces.
    pub fn connected<R: RngCore + CryptoRng>(&mut self, rng: &mut R) -> Output {
        let mut output = Output::default();
        output.send.push(ToCoordinator::Hello(Hello {
            name: self.config.name.clone(),
            boot: self.boot,
            size: self.head.size,
            root: self.head.root,
            keys: self.held.keys().copied().collect(),
        }));
        self.fill_stocks(rng, &mut Output::default());
        for (group_key, held) in &self.held {
            let offered = held.stock.offered();
            if !offered.is_empty() {
                output.send.push(nonces(*group_key, self.boot, offered));
            }
        }
        output
    }

    /// One message in, one output out. `now` is Unix seconds.
    pub fn handle<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        store: &dyn Store,
        message: ToNode,
    ) -> Output {
        let mut output = Output::default();
        match message {
            ToNode::Ping => return self.connected(rng),
            ToNode::Append(append) => self.append(now, store, append, &mut output),
            ToNode::Object(object) => self.object(now, store, object, &mut output),
            ToNode::DkgStart(start) => self.dkg_start(now, rng, store, start, &mut output),
            ToNode::DkgRound1s(all) => self.dkg_round1s(rng, &all, &mut output),
            ToNode::DkgRound2s(all) => self.dkg_round2s(&all, &mut output),
            ToNode::Sign(request) => self.sign(now, store, &request, &mut output),
        }
        self.fill_stocks(rng, &mut output);
        output
    }

    /// A frame that could not be decoded: said aloud, so that a version mismatch does not look like silence.
    pub fn malformed(&self, reason: &str) -> Output {
        let mut output = Output::default();
        output.refuse(Subject::Frame, Code::Malformed, reason);
        output
    }

    /// Puts keys into and out of force as the rules say now.
    pub(crate) fn activate(&mut self, output: &mut Output) {
        let in_force = self.rulebook.keys();
        for (group_key, held) in &mut self.held {
            let public = in_force
                .iter()
                .find(|public| public.group_key == *group_key);
            let fits = public.filter(|public| held.share.matches(&self.config.name, public));
            if public.is_some() && fits.is_none() {
                output.events.push(NodeEvent::WrongShare(*group_key));
            }
            if held.public.is_none() && fits.is_some() {
                output.events.push(NodeEvent::KeyInForce(*group_key));
            }
            held.public = fits.cloned();
        }
    }

    /// Fills the stocks of keys in force, and offers what is new.
    fn fill_stocks<R: RngCore + CryptoRng>(&mut self, rng: &mut R, output: &mut Output) {
        for (group_key, held) in &mut self.held {
            if held.public.is_none() || !held.stock.is_low() {
                continue;
            }
            match held.stock.refill(&held.share, rng) {
                Ok(fresh) => output.send.push(nonces(*group_key, self.boot, fresh)),
                Err(_) => output.events.push(NodeEvent::WrongShare(*group_key)),
            }
        }
    }
}

fn nonces(
    group_key: GroupKey,
    boot: [u8; 16],
    commitments: Vec<NumberedCommitment>,
) -> ToCoordinator {
    ToCoordinator::Nonces(NonceCommitments {
        group_key,
        boot,
        commitments,
    })
}
