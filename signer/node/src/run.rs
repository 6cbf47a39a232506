//! A running signer: one thread owns the state machine and its store, one task keeps the stream to the coordinator open.
//! Between them go frames; the order "persist, send, publish" is the thread's.

use std::{
    convert::Infallible,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bauta_log::{CosignatureVerifier, SignedCheckpoint, tile::TileFile};
use bauta_signer_protocol::{
    attended::{Approval, SESSION},
    ledger_rulebook::LedgerRulebook,
    messages::{Cosigned, Message as _, ToCoordinator, ToNode},
    node::{DurableHead, Node, NodeConfig, NodeEvent, Output, Record, RestoreError},
    rulebook::{Rulebook, Store as _},
};
use rand::rngs::OsRng;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    approve::{self, Ordered, Reply, Request, Visit},
    config::{Checked, ConfigError, Mode, SignerConfig},
    keys::{self, Keys, KeysError},
    seal::{self, PassphraseSeal, SealError, SealKind, Vault},
    store::{DiskStore, Publisher, StoreError},
    tls,
    token::{self, Opening, Token, TokenConfig},
    transport::{self, Backoff, HEARTBEAT, Session, TransportError},
};

/// Frames that wait for the node.
const INBOX: usize = 16;
/// How long the public copy may lag behind.
const COPY_DELAY: Duration = Duration::from_millis(50);
/// A stream that lived so long was a good one: the next failure begins a new row.
const GOOD: Duration = Duration::from_secs(30);

/// Why a signer does not start, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Production mode and a passphrase.
    #[error(
        "production mode refuses keys that a passphrase seals: keep them under a token's key, or set \"mode\": \"development\" for a trial"
    )]
    SealTooWeak,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine refuses what the store holds.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The address is wrong: trying again is no use.
    #[error(transparent)]
    Address(TransportError),
    /// The configured name or keys.
    #[error("the signer's own key in signer.json is damaged: {0}")]
    OwnKey(bauta_log::key::KeyError),
    /// The thread of the state machine ended.
    #[error("the signer's state machine ended unexpectedly; its last log lines say why")]
    Ended,
}

impl RunError {
    /// The exit status that fits: the token's own ([`token::TokenError::exit_status`]), else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Keys(error) => error.exit_status(),
            _ => 1,
        }
    }
}

/// Runs a signer until `shutdown`: keys in a token, or sealed by a passphrase (from the configured file, else from the
/// terminal); rules as the ledger has them.
///
/// # Errors
/// As of [`run_with`]. A PIN that the token refused ends it, and must not be tried again by whoever started it
/// ([`RunError::exit_status`]).
pub async fn run(config: SignerConfig, shutdown: CancellationToken) -> Result<(), RunError> {
    let checked = config.check()?;
    let production = checked.mode == Mode::Production;
    let (keys, token) = match config.token.clone() {
        Some(token) => {
            let opened = tokio::task::spawn_blocking(move || unlock(&checked, &token));
            let (keys, token) = opened.await.map_err(|_| RunError::Ended)??;
            (keys, Some(token))
        }
        None if production => return Err(RunError::SealTooWeak),
        None => (unseal(&config)?, None),
    };
    let reopen = reopen(&config);
    // A node whose own mode is development has perhaps no locked memory, whatever seals its keys.
    let rules = |pinned| {
        let rules = LedgerRulebook::new(pinned);
        if production {
            rules
        } else {
            rules.for_development()
        }
    };
    let Some(token) = token else {
        return run_with(config, keys, reopen, rules, shutdown).await;
    };
    let stop = shutdown.child_token();
    let refusal = token.refusal();
    let mut running = std::pin::pin!(run_with(config, keys, reopen, rules, stop.clone()));
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = refusal.cancelled() => {
            stop.cancel();
            running.await
        }
    };
    match token.refused() {
        Some(refused) => Err(KeysError::Token(refused).into()),
        None => ended,
    }
}

/// Opens the token and the keys in it.
fn unlock(config: &Checked, token: &TokenConfig) -> Result<(Keys, Arc<Token>), KeysError> {
    let opening = Opening {
        serial: token::serial(&config.keys)?,
        strict: config.mode == Mode::Production,
        ..Opening::default()
    };
    let token = Token::open(token, opening)?;
    Ok((token::load(&config.keys, &token)?, token))
}

/// Opens the keys that a passphrase seals.
fn unseal(config: &SignerConfig) -> Result<Keys, KeysError> {
    let passphrase = seal::find_passphrase(config.passphrase_file.as_deref(), false)?;
    let seal = PassphraseSeal::new(passphrase.as_str(), seal::WORK_FACTOR);
    keys::load(&config.keys_folder(), &seal)
}

/// Opens the data key again by what a holder typed: a PIN or a passphrase, and whether it may be tried although one failed.
pub type Reopen = Box<dyn Fn(&str, bool) -> Result<Vault, KeysError> + Send>;

fn reopen(config: &SignerConfig) -> Reopen {
    let (folder, token, mode) = (config.keys_folder(), config.token.clone(), config.mode);
    Box::new(move |pin, despite_failed_pins| match &token {
        Some(token) => {
            let opening = Opening {
                serial: token::serial(&folder)?,
                strict: mode == Mode::Production,
                despite_failed_pins,
                ..Opening::default()
            };
            token::vault(&folder, &Token::open_with(token, opening, pin)?)
        }
        None => Ok(Vault::open(
            &folder,
            &PassphraseSeal::new(pin, seal::WORK_FACTOR),
        )?),
    })
}

/// Runs a signer until `shutdown`, with its keys, under the rules that `rulebook` makes of the pinned authority digest.
///
/// # Errors
/// [`RunError`]: what is wrong before it starts, or a store that failed. A coordinator that is away is no error; it is dialled
/// again for as long as it takes.
pub async fn run_with<B: Rulebook + Send + 'static>(
    config: SignerConfig,
    keys: Keys,
    reopen: Reopen,
    rulebook: impl FnOnce([u8; 32]) -> B,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let config = config.check()?;
    if config.mode == Mode::Production && keys.vault.kind() != SealKind::Token {
        return Err(RunError::SealTooWeak);
    }
    let Keys {
        node: node_keys,
        identity,
        vault,
        public,
    } = keys;
    let tls = Arc::new(tls::client_config(config.pin, identity)?);
    let node_config = NodeConfig {
        name: public.name.clone(),
        log: config.log.clone(),
        cosignature: public.cosignature.parse().map_err(RunError::OwnKey)?,
        attended: config.attended,
    };
    let rulebook = rulebook(config.authority);
    let data = config.data.clone();
    // Replaying a long log takes a while, and the store blocks: neither belongs on the runtime's threads.
    let shell = tokio::task::spawn_blocking(move || -> Result<Shell<B>, RunError> {
        let mut store = DiskStore::open(&data, vault)?;
        let head = store.head()?;
        let shares = if node_config.attended {
            store.lock();
            Vec::new()
        } else {
            store.shares()?
        };
        let cosignature = node_config.cosignature.clone();
        let node = Node::restore(
            node_config,
            node_keys,
            rulebook,
            head,
            shares,
            &store,
            &mut OsRng,
        )?;
        let (publisher, copies) = publish_behind(store.publisher());
        Ok(Shell {
            node,
            store,
            cosignature,
            publisher,
            copies,
            reopen,
        })
    })
    .await
    .map_err(|_| RunError::Ended)??;
    info!(
        name = public.name,
        size = shell.node.head().size,
        "signer is up"
    );

    let (inbox, commands) = mpsc::channel(INBOX);
    let _listening = config
        .attended
        .then(|| approve::listen(&config.data, inbox.downgrade(), Command::Visit))
        .transpose()
        .map_err(StoreError::File)?;
    if config.attended {
        tokio::spawn(tick(inbox.downgrade()));
    }
    let mut worker = tokio::task::spawn_blocking(move || shell.work(commands));
    let dialling = dial_for_ever(&config, tls, inbox, &shutdown);
    let result = tokio::select! {
        ended = &mut worker => return ended.map_err(|_| RunError::Ended)?.map_err(RunError::Store),
        failed = dialling => failed,
    };
    // The inbox is gone with `dialling`: the worker finishes what it is at, and ends.
    worker.await.map_err(|_| RunError::Ended)??;
    info!(name = public.name, "signer has stopped");
    result
}

/// So that a session ends in time though nobody asks for anything.
async fn tick(inbox: mpsc::WeakSender<Command>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Some(inbox) = inbox.upgrade() else { return };
        if inbox.send(Command::Tick).await.is_err() {
            return;
        }
    }
}

enum Command {
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
struct Shell<B> {
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
    /// Works until there are no more commands; then waits for the public copy.
    fn work(mut self, commands: mpsc::Receiver<Command>) -> Result<(), StoreError> {
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

/// Keeps a stream open until `shutdown`.
async fn dial_for_ever(
    config: &Checked,
    tls: Arc<rustls::ClientConfig>,
    inbox: mpsc::Sender<Command>,
    shutdown: &CancellationToken,
) -> Result<(), RunError> {
    let mut backoff = Backoff::default();
    let mut last = String::new();
    loop {
        let session = async {
            let session = tokio::select! {
                () = shutdown.cancelled() => return Err(stopping()),
                session = transport::dial(&config.coordinator, tls.clone()) => session?,
            };
            info!(coordinator = config.coordinator, "connected");
            let since = tokio::time::Instant::now();
            let ended = serve(session, &inbox, shutdown).await;
            if since.elapsed() >= GOOD {
                backoff.reset();
            }
            Err(ended)
        };
        let ended: Result<Infallible, TransportError> = session.await;
        let Err(problem) = ended;
        if shutdown.is_cancelled() {
            return Ok(());
        }
        if matches!(problem, TransportError::Address(_)) {
            return Err(RunError::Address(problem));
        }
        let wait = backoff.next(&mut OsRng);
        // The same reason again and again is said once.
        if problem.to_string() == last {
            debug!(%problem, ?wait, "no stream");
        } else {
            warn!(%problem, "no stream; trying again");
        }
        last = problem.to_string();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn stopping() -> TransportError {
    TransportError::Ended("the signer is stopping".to_owned())
}

/// Carries frames both ways until the stream ends. At `shutdown` nothing more is read; the worker answers what it has
/// begun and says goodbye, all of it is written, and only then does the stream end.
async fn serve(
    mut session: Session,
    inbox: &mpsc::Sender<Command>,
    shutdown: &CancellationToken,
) -> TransportError {
    let gone = stopping;
    let (outbox, mut answers) = mpsc::channel(INBOX);
    if inbox.send(Command::Connected(outbox)).await.is_err() {
        return gone();
    }
    let sender = session.sender();
    let write = async {
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            let frame = tokio::select! {
                answer = answers.recv() => match answer {
                    Some(frame) => frame,
                    None => return gone(),
                },
                _ = beat.tick() => Vec::new(),
            };
            if let Err(problem) = sender.send(frame).await {
                return problem;
            }
        }
    };
    let read = async {
        loop {
            let received = tokio::select! {
                () = shutdown.cancelled() => break,
                received = session.receive() => received,
            };
            match received {
                Ok(frame) => {
                    if inbox.send(Command::Frame(frame)).await.is_err() {
                        return gone();
                    }
                }
                Err(problem) => return problem,
            }
        }
        if inbox.send(Command::Stop).await.is_err() {
            return gone();
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        problem = write => problem,
        problem = read => problem,
    };
    if shutdown.is_cancelled() {
        drop(sender);
        session.finish().await;
    }
    ended
}

/// Unix seconds. A clock before 1970 counts as 1970, at which nothing is in force.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_log::LogSigner;
    use bauta_signer_protocol::{
        keys::NodeKeys,
        messages::{SharedKey, Stage},
    };
    use ed25519_dalek::SigningKey;

    /// A worker over a fresh disk, of a log that has not begun.
    fn shell(folder: &std::path::Path, attended: bool) -> Shell<LedgerRulebook> {
        let seal = PassphraseSeal::new("p", 2);
        let keys = folder.join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        let vault = Vault::create(&keys, &seal).unwrap();
        let reopen: Reopen = {
            let keys = keys.clone();
            Box::new(move |pin, _| Ok(Vault::open(&keys, &PassphraseSeal::new(pin, 2))?))
        };
        let mut store = DiskStore::open(&folder.join("data"), vault).unwrap();
        let key = SigningKey::from_bytes(&[1; 32]);
        let cosignature =
            CosignatureVerifier::new("signer-1", &key.verifying_key().to_bytes()).unwrap();
        let log = LogSigner::from_seed("log.example", &[2; 32]).unwrap();
        let config = NodeConfig {
            name: "signer-1".into(),
            log: log.verifier().clone(),
            cosignature: cosignature.clone(),
            attended,
        };
        if attended {
            store.lock();
        }
        let keys = NodeKeys::in_memory(key, SigningKey::from_bytes(&[3; 32]));
        let rules = LedgerRulebook::new([0; 32]);
        let node =
            Node::restore(config, keys, rules, None, Vec::new(), &store, &mut OsRng).unwrap();
        let (publisher, copies) = publish_behind(store.publisher());
        Shell {
            node,
            store,
            cosignature,
            publisher,
            copies,
            reopen,
        }
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
        let (inbox, commands) = mpsc::channel(INBOX);
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
