//! The thread that owns the state machine and its store: whatever comes in, it persists, then sends, then publishes.

use std::{
    path::Path,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bauta_log::{CosignatureVerifier, SignedCheckpoint, tile::TileFile};
use bauta_signer_protocol::{
    attended::{Approval, SESSION},
    keys::NodeKeys,
    messages::{Cosigned, Message as _, ToCoordinator, ToNode},
    node::{DurableHead, Node, NodeConfig, NodeEvent, Output, Record},
    rulebook::{Rulebook, Store as _},
};
use rand::rngs::OsRng;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::{
    approve::{Ordered, Reply, Request, Visit},
    keys::KeysError,
    run::{Reopen, RunError},
    seal::{SealError, Vault},
    store::{DiskStore, Publisher, StoreError},
    token,
};

/// How long the public copy may lag behind.
const COPY_DELAY: Duration = Duration::from_millis(50);

/// What the thread is told.
pub(crate) enum Command {
    /// A stream is up; answers go to this sender.
    Connected(mpsc::Sender<Vec<u8>>),
    /// A frame of it.
    Frame(Vec<u8>),
    /// The holder's program asks.
    Visit(Visit),
    /// A second went by.
    Tick,
    /// Say goodbye: the process stops in good order.
    Stop,
}

/// The state machine with its store.
pub(crate) struct Shell<B> {
    node: Node<B>,
    store: DiskStore,
    cosignature: CosignatureVerifier,
    publisher: JoinHandle<Result<(), StoreError>>,
    copies: std::sync::mpsc::Sender<Copy>,
    reopen: Reopen,
}

/// What the public copy is to be brought up to.
struct Copy {
    tiles: Vec<TileFile>,
    size: u64,
    checkpoint: Vec<u8>,
}

/// Writes public copies on a thread of its own, until the sender is gone; those that came meanwhile are written as one.
fn publish_behind(
    mut publisher: Publisher,
) -> (
    JoinHandle<Result<(), StoreError>>,
    std::sync::mpsc::Sender<Copy>,
) {
    let (sender, copies) = std::sync::mpsc::channel::<Copy>();
    let thread = std::thread::spawn(move || {
        while let Ok(mut copy) = copies.recv() {
            // The share that is asked for next wants the disk first.
            std::thread::sleep(COPY_DELAY);
            while let Ok(newer) = copies.try_recv() {
                copy.tiles.extend(newer.tiles);
                (copy.size, copy.checkpoint) = (newer.size, newer.checkpoint);
            }
            publisher.publish(&copy.tiles, copy.size, &copy.checkpoint)?;
        }
        Ok(())
    });
    (thread, sender)
}

impl<B: Rulebook> Shell<B> {
    /// Opens what is durable, and judges the log again. An attended node's shares stay closed.
    pub(crate) fn open(
        data: &Path,
        config: NodeConfig,
        keys: NodeKeys,
        vault: Vault,
        rulebook: B,
        reopen: Reopen,
    ) -> Result<Self, RunError> {
        let mut store = DiskStore::open(data, vault)?;
        let head = store.head()?;
        let shares = if config.attended {
            store.lock();
            Vec::new()
        } else {
            store.shares()?
        };
        let cosignature = config.cosignature.clone();
        let node = Node::restore(config, keys, rulebook, head, shares, &store, &mut OsRng)?;
        let (publisher, copies) = publish_behind(store.publisher());
        Ok(Self {
            node,
            store,
            cosignature,
            publisher,
            copies,
            reopen,
        })
    }

    /// Size of the log that it holds.
    pub(crate) fn size(&self) -> u64 {
        self.node.head().size
    }

    /// Works until there are no more commands; then waits for the public copy.
    pub(crate) fn work(mut self, commands: mpsc::Receiver<Command>) -> Result<(), StoreError> {
        let worked = self.obey(commands);
        drop(self.copies);
        let published = match self.publisher.join() {
            Ok(published) => published,
            Err(_) => Err(StoreError::Database(
                "the thread of the public copy ended".to_owned(),
            )),
        };
        worked.and(published)
    }

    fn obey(&mut self, mut commands: mpsc::Receiver<Command>) -> Result<(), StoreError> {
        let mut outbox: Option<mpsc::Sender<Vec<u8>>> = None;
        while let Some(command) = commands.blocking_recv() {
            if self.publisher.is_finished() {
                break;
            }
            let output = match command {
                Command::Connected(sender) => {
                    outbox = Some(sender);
                    self.node.connected(&mut OsRng)
                }
                Command::Frame(frame) => match ToNode::decode(&frame) {
                    Ok(message) => self
                        .node
                        .handle(unix_now(), &mut OsRng, &self.store, message),
                    Err(problem) => self.node.malformed(&problem.to_string()),
                },
                Command::Visit(visit) => {
                    let (output, reply) = self.visited(visit.request);
                    self.carry_out(output, outbox.as_ref())?;
                    // Whoever asked may be gone.
                    let _ = visit.reply.send(reply);
                    continue;
                }
                Command::Tick => self.node.end_session(unix_now()),
                Command::Stop => {
                    let goodbye = self.node.goodbye();
                    self.carry_out(goodbye, outbox.as_ref())?;
                    // Whoever writes the stream ends it when this is gone.
                    outbox = None;
                    continue;
                }
            };
            self.carry_out(output, outbox.as_ref())?;
        }
        Ok(())
    }

    /// The holder's program asked for something.
    fn visited(&mut self, request: Request) -> (Output, Reply) {
        let now = unix_now();
        let refused = |reason: String, pin| (Output::default(), Reply::Refused { reason, pin });
        match request {
            Request::Orders => match self.orders(now) {
                Ok(orders) => (Output::default(), Reply::Orders(orders)),
                Err(error) => refused(error.to_string(), false),
            },
            Request::Approve(agreement) => {
                let opened = (self.reopen)(&agreement.pin.0, agreement.despite_failed_pins);
                let shares = opened.map_err(|error| {
                    let pin = error.exit_status() == token::PIN_EXIT_STATUS
                        || matches!(error, KeysError::Seal(SealError::Passphrase));
                    (error.to_string(), pin)
                });
                let shares = shares.and_then(|vault| {
                    self.store.unlock(vault);
                    self.store
                        .shares()
                        .map_err(|error| (error.to_string(), false))
                });
                match shares {
                    Ok(shares) => {
                        let approval = Approval {
                            operations: agreement.operations.iter().copied().collect(),
                            issuances: agreement.issuances.clone(),
                        };
                        let output = self.node.attend(now, &mut OsRng, shares, approval);
                        (output, Reply::Approved(now.saturating_add(SESSION)))
                    }
                    Err((reason, pin)) => {
                        if !self.node.holder_is_there() {
                            self.store.lock();
                        }
                        refused(reason, pin)
                    }
                }
            }
        }
    }

    /// What is ordered, concerns a share that is held here or a key that is to be made, and was not done.
    fn orders(&self, now: u64) -> Result<Vec<Ordered>, StoreError> {
        let held = self.store.share_keys()?;
        let orders = self.node.rulebook().orders(now).into_iter();
        Ok(orders
            .filter(|order| {
                let concerns = order.group_key.is_none_or(|key| held.contains(&key));
                concerns && self.store.bound(order.index).is_none()
            })
            .map(|order| Ordered {
                index: order.index,
                file: order.file,
                what: order.what,
            })
            .collect())
    }

    fn carry_out(
        &mut self,
        output: Output,
        outbox: Option<&mpsc::Sender<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        // A crash before the next line forgets the output; one after it only delays the answer, which is asked for again.
        self.store.persist(&output.persist)?;
        for message in &output.send {
            match message.encode() {
                // A stream that ended loses the answer; the coordinator asks again on the next one.
                Ok(frame) => drop(outbox.map(|outbox| outbox.blocking_send(frame))),
                Err(problem) => error!(%problem, "an answer of ours is too long to be sent"),
            }
        }
        output.events.iter().for_each(tell);
        if output.events.contains(&NodeEvent::Left) {
            self.store.lock();
        }
        self.publish(output);
        Ok(())
    }

    /// The public copy, behind the answer: it can be made again from what is durable.
    fn publish(&mut self, output: Output) {
        let mut tiles: Vec<TileFile> = Vec::new();
        let mut head: Option<DurableHead> = None;
        for record in output.persist {
            match record {
                Record::Tiles(files) => tiles.extend(files),
                Record::Head(durable) => head = Some(durable),
                _ => {}
            }
        }
        let Some(durable) = head else { return };
        let own_line = output.send.iter().find_map(|message| match message {
            ToCoordinator::Cosigned(cosigned) if cosigned.size == durable.head.size => {
                Some(cosigned)
            }
            _ => None,
        });
        let checkpoint = with_own_line(&durable.checkpoint, own_line, &self.cosignature);
        let copy = Copy {
            tiles,
            size: durable.head.size,
            checkpoint,
        };
        // A thread that failed is gone, and `obey` ends with it.
        let _ = self.copies.send(copy);
    }
}

/// The log's checkpoint note with this signer's cosignature beside the log's signature.
fn with_own_line(note: &[u8], cosigned: Option<&Cosigned>, own: &CosignatureVerifier) -> Vec<u8> {
    let joined = cosigned.map(|cosigned| [note, cosigned.line.as_slice()].concat());
    joined
        .filter(|joined| {
            SignedCheckpoint::parse(joined).is_ok_and(|signed| {
                signed
                    .signatures()
                    .iter()
                    .any(|line| own.verify(signed.checkpoint(), line).is_ok())
            })
        })
        .unwrap_or_else(|| note.to_vec())
}

fn tell(event: &NodeEvent) {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    match event {
        NodeEvent::Cosigned(head) => info!(size = head.size, root = hex(&head.root), "cosigned"),
        NodeEvent::ShareGiven { index } => info!(index, "gave a share"),
        NodeEvent::KeyMade(key) => info!(
            key = hex(&key.group_key),
            sharing = hex(&key.sharing),
            "took part in making shares of a key"
        ),
        NodeEvent::KeyInForce(key) => info!(
            key = hex(&key.group_key),
            sharing = hex(&key.sharing),
            "the share of a key is in force"
        ),
        NodeEvent::ShareErased(key) => info!(
            key = hex(&key.group_key),
            sharing = hex(&key.sharing),
            "erased a share: another has taken its place, or its key was retired"
        ),
        NodeEvent::ShareRepaired(key) => info!(
            key = hex(&key.group_key),
            sharing = hex(&key.sharing),
            "other signers made this one's share again"
        ),
        NodeEvent::WrongShare(key) => {
            error!(
                key = hex(key),
                "no share is held here that fits the published one: have it repaired (bauta ca repair)"
            );
        }
        NodeEvent::Fork { ours, theirs } => error!(
            ours = %String::from_utf8_lossy(ours),
            theirs = %String::from_utf8_lossy(theirs),
            "the log signed two histories: keep both notes, and tell the other operators"
        ),
        NodeEvent::SignersChanged(head) => {
            info!(size = head.size, "a change of signers has taken effect");
        }
        NodeEvent::Welcomed { by } => info!(by, "the other signers welcome this one: it signs"),
        NodeEvent::Out { reason } => error!(reason, "this signer signs nothing any more"),
        NodeEvent::PutBack { name } => warn!(
            signer = name,
            "a start of another signer does not go on from where this one saw it: its disk was put back or copied, or the \
             coordinator repeats an old start; it was sent the proof"
        ),
        NodeEvent::TooManyStarts { name, counter } => warn!(
            signer = name,
            starts = counter,
            "another signer started so often since this one saw it that this one cannot welcome it"
        ),
        NodeEvent::Attended { until } => info!(until, "its holder is there: the shares are open"),
        NodeEvent::Left => info!("its holder has left: no share is in memory"),
        NodeEvent::Refused(refused) => {
            warn!(subject = ?refused.subject, code = ?refused.code, reason = refused.reason, "refused");
        }
    }
}

/// Unix seconds. A clock before 1970 counts as 1970, at which nothing is in force.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use bauta_log::LogSigner;
    use bauta_signer_protocol::{
        ledger_rulebook::LedgerRulebook,
        messages::{SharedKey, Stage},
    };
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::{approve, seal::PassphraseSeal};

    /// A worker over a fresh disk, of a log that has not begun.
    fn shell(folder: &Path, attended: bool) -> Shell<LedgerRulebook> {
        let keys = folder.join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        let vault = Vault::create(&keys, &PassphraseSeal::new("p", 2)).unwrap();
        let reopen: Reopen =
            Box::new(move |pin, _| Ok(Vault::open(&keys, &PassphraseSeal::new(pin, 2))?));
        let key = SigningKey::from_bytes(&[1; 32]);
        let log = LogSigner::from_seed("log.example", &[2; 32]).unwrap();
        let config = NodeConfig {
            name: "signer-1".into(),
            log: log.verifier().clone(),
            cosignature: CosignatureVerifier::new("signer-1", &key.verifying_key().to_bytes())
                .unwrap(),
            attended,
        };
        let keys = NodeKeys::in_memory(key, SigningKey::from_bytes(&[3; 32]));
        let rules = LedgerRulebook::new([0; 32]);
        Shell::open(&folder.join("data"), config, keys, vault, rules, reopen).unwrap()
    }

    #[test]
    fn an_attended_signer_s_data_key_is_there_in_a_session_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = shell(folder.path(), true);
        // Only a data key that is there seals: this is what a share of a new key needs.
        let seals = |shell: &mut Shell<LedgerRulebook>| {
            let share = Record::KeyShare {
                key: SharedKey {
                    group_key: [9; 32],
                    sharing: [8; 32],
                },
                born: 1,
                secret: zeroize::Zeroizing::new(vec![1, 2, 3]),
            };
            match shell.store.persist(&[share]) {
                Ok(()) => true,
                Err(StoreError::Seal(SealError::Locked)) => false,
                Err(other) => panic!("{other}"),
            }
        };
        let approve = |shell: &mut Shell<LedgerRulebook>, pin: &str| {
            let (output, reply) = shell.visited(Request::Approve(approve::Agreement {
                operations: vec![4],
                issuances: None,
                pin: approve::Pin(pin.to_owned()),
                despite_failed_pins: false,
            }));
            shell.carry_out(output, None).unwrap();
            reply
        };
        assert!(!seals(&mut shell));
        assert!(matches!(
            approve(&mut shell, "wrong"),
            Reply::Refused { pin: true, .. }
        ));
        assert!(!seals(&mut shell));
        assert!(matches!(approve(&mut shell, "p"), Reply::Approved(_)));
        assert!(seals(&mut shell) && shell.node.holder_is_there());
        // Three bytes are no share: what does not open leaves nothing open, once the session is over.
        let left = shell.node.leave();
        shell.carry_out(left, None).unwrap();
        assert!(!seals(&mut shell));
        assert!(matches!(
            approve(&mut shell, "p"),
            Reply::Refused { pin: false, .. }
        ));
        assert!(!seals(&mut shell) && !shell.node.holder_is_there());
    }

    #[test]
    fn a_stop_answers_what_has_come_and_says_goodbye_last() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell(folder.path(), false);
        let (inbox, commands) = mpsc::channel(16);
        let (outbox, mut answers) = mpsc::channel(64);
        inbox.try_send(Command::Connected(outbox)).ok().unwrap();
        for _ in 0..3 {
            let ping = ToNode::Ping.encode().unwrap();
            inbox.try_send(Command::Frame(ping)).ok().unwrap();
        }
        inbox.try_send(Command::Stop).ok().unwrap();
        drop(inbox);
        shell.work(commands).unwrap();
        let mut said = Vec::new();
        while let Ok(frame) = answers.try_recv() {
            said.push(ToCoordinator::decode(&frame).unwrap());
        }
        let hellos = said
            .iter()
            .filter(|message| {
                matches!(message, ToCoordinator::Hello(hello) if hello.stage == Stage::Waiting)
            })
            .count();
        assert_eq!(hellos, 4, "{said:?}");
        assert_eq!(said.last(), Some(&ToCoordinator::Goodbye));
        // Nothing more is written, so that the stream can end.
        assert!(answers.is_closed());
    }
}
