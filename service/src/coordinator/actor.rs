//! The task that owns the coordinator's state machine: commands and frames in, frames and answers out, one after the other.

use std::{
    collections::{BTreeMap, HashMap},
    sync::PoisonError,
    time::Duration,
};

use bauta_log::{Head, LogSigner, SignedCheckpoint};
use bauta_signer_protocol::{
    coordinator::{Archive, Coordinator, CoordinatorOutput, Event, Patience},
    ledger_rulebook,
    messages::{Digest, Message as _, ToCoordinator},
    rulebook::Objects,
    sessions::SignTask,
};
use rand::rngs::OsRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{
    AgreedKey, Command, GenerationError, Outcome, SignerStatus,
    streams::{self, Outbox},
};
use crate::{
    clock,
    log_store::LogStore,
    sequencer::{self, Cosigning, SharedLedger, Signing, SigningTask},
    tls::{Pin, Pins},
};

/// The longest sleep: a clock that was set, and an authority that was replayed, are noticed within it.
const IDLE: Duration = Duration::from_millis(500);

/// The log as the state machine reads it.
pub(crate) struct Records {
    logs: LogStore,
    log_key: LogSigner,
}

impl Records {
    pub(crate) fn new(logs: LogStore, log_key: LogSigner) -> Self {
        Self { logs, log_key }
    }
}

impl Objects for Records {
    fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.logs.object(digest)
    }
}

impl Archive for Records {
    fn entry(&self, index: u64) -> Option<Vec<u8>> {
        self.logs.locked_entry(index)
    }

    /// A prefix of the published log is signed for the purpose.
    fn checkpoint_between(&self, after: u64, limit: u64) -> Option<Vec<u8>> {
        let size = limit.min(self.logs.size());
        if size <= after {
            return None;
        }
        let signed = self.logs.prefix(size, &self.log_key);
        signed
            .map_err(|error| error!(%error, size, "a prefix of the log could not be signed"))
            .ok()
    }

    fn change_after(&self, size: u64) -> Option<Vec<u8>> {
        self.logs.change_after(size)
    }

    fn change_up_to(&self, size: u64) -> Option<Vec<u8>> {
        self.logs.change_up_to(size)
    }
}

struct Stream {
    pin: Pin,
    outbox: Outbox,
    /// The signer, once the authority names its key.
    name: Option<String>,
}

pub(crate) struct Actor {
    records: Records,
    ledger: SharedLedger,
    admitted: Pins,
    /// `None` until the ledger has an authority.
    coordinator: Option<Coordinator>,
    /// Digest of the authority that signers, quorum and keys are from, and how many authorities' quorums a head needs.
    authority: Option<(Digest, usize)>,
    pins: Vec<(Pin, String)>,
    streams: HashMap<u64, Stream>,
    /// The newest stream of each signer.
    current: BTreeMap<String, u64>,
    proposed: Option<Proposed>,
    signing: HashMap<u64, Vec<oneshot::Sender<Signing>>>,
    generating: Vec<oneshot::Sender<Result<Outcome, GenerationError>>>,
    status: watch::Sender<Vec<SignerStatus>>,
}

struct Proposed {
    head: Head,
    reply: oneshot::Sender<Cosigning>,
    refusals: Vec<String>,
}

impl Actor {
    pub(crate) fn new(
        records: Records,
        ledger: SharedLedger,
        admitted: Pins,
        status: watch::Sender<Vec<SignerStatus>>,
    ) -> Self {
        Self {
            records,
            ledger,
            admitted,
            coordinator: None,
            authority: None,
            pins: Vec::new(),
            streams: HashMap::new(),
            current: BTreeMap::new(),
            proposed: None,
            signing: HashMap::new(),
            generating: Vec::new(),
            status,
        }
    }

    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Command>,
        mut orders: mpsc::Receiver<sequencer::Command>,
        shutdown: CancellationToken,
    ) {
        loop {
            let deadline = self
                .coordinator
                .as_ref()
                .and_then(Coordinator::next_deadline);
            let wait = deadline
                .map_or(IDLE, |at| {
                    Duration::from_millis(at.saturating_sub(clock::now_milliseconds()))
                })
                .min(IDLE);
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(order) = orders.recv() => self.obey(order),
                Some(command) = inbox.recv() => match command {
                    Command::Generate(task, reply) => {
                        self.refresh_members();
                        self.generating.push(reply);
                        self.drive(|coordinator, now, _| coordinator.generate_key(now, &mut OsRng, *task));
                    }
                    Command::Stream(event) => self.stream(event),
                },
                () = tokio::time::sleep(wait) => {
                    self.refresh_members();
                    self.drive(|coordinator, now, records| coordinator.tick(now, &mut OsRng, records));
                }
            }
            self.publish_status();
        }
    }

    /// Runs the state machine once and carries out what it says.
    fn drive(&mut self, step: impl FnOnce(&mut Coordinator, u64, &Records) -> CoordinatorOutput) {
        let Some(coordinator) = &mut self.coordinator else {
            return;
        };
        let output = step(coordinator, clock::now_milliseconds(), &self.records);
        for (name, message) in output.send {
            let Some(stream) = self.current.get(&name) else {
                continue;
            };
            match message.encode() {
                Ok(frame) => {
                    if !self
                        .streams
                        .get(stream)
                        .is_some_and(|stream| stream.outbox.send(frame))
                    {
                        warn!(
                            signer = name,
                            "a signer does not read; its stream is closed"
                        );
                        self.streams.remove(stream);
                    }
                }
                Err(problem) => {
                    error!(signer = name, %problem, "a message of ours is too long to be sent")
                }
            }
        }
        output
            .events
            .into_iter()
            .for_each(|event| self.answer(event));
    }

    fn obey(&mut self, order: sequencer::Command) {
        // An authority that the head to be cosigned brings counts for it already.
        self.refresh_members();
        match order {
            sequencer::Command::Cosign { checkpoint, reply } => self.cosign(checkpoint, reply),
            sequencer::Command::Sign { task, reply } => self.sign(task, reply),
        }
    }

    /// Takes signers, quorum and keys from the ledger, if its authority is another than before.
    fn refresh_members(&mut self) {
        let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = ledger.authority_file() else {
            return;
        };
        // A change of signers that took effect is a change for us too: those who leave are needed no more.
        let authority = (file.digest, ledger.quorums().len());
        if self.authority == Some(authority) {
            return;
        }
        let Some(membership) = ledger_rulebook::membership(&ledger) else {
            return;
        };
        self.authority = Some(authority);
        self.pins.clear();
        // The newest first: a name that stays, with another key, is the newest one's.
        for signer in ledger.quorums().iter().rev().flat_map(|one| &one.signers) {
            if !self.pins.iter().any(|(_, name)| *name == signer.name) {
                self.pins.push((signer.tls, signer.name.clone()));
            }
        }
        drop(ledger);
        self.admitted
            .set(self.pins.iter().map(|(pin, _)| *pin).collect());
        match &mut self.coordinator {
            Some(coordinator) => coordinator.set_membership(membership),
            None => self.coordinator = Some(Coordinator::new(membership, Patience::default())),
        }
        // Those whose key is not named any more go; those who waited for it to be named begin.
        let pins = &self.pins;
        self.streams
            .retain(|_, stream| pins.iter().any(|(pin, _)| *pin == stream.pin));
        let waiting: Vec<u64> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.name.is_none())
            .map(|(number, _)| *number)
            .collect();
        waiting
            .into_iter()
            .for_each(|number| self.introduce(number));
    }

    /// A newer head takes the place of the one that is proposed; whoever waited for that sees its channel closed.
    fn cosign(&mut self, signed: SignedCheckpoint, reply: oneshot::Sender<Cosigning>) {
        self.proposed = Some(Proposed {
            head: signed.checkpoint().head(),
            reply,
            refusals: Vec::new(),
        });
        self.drive(|coordinator, now, records| coordinator.propose(now, records, signed));
    }

    fn sign(&mut self, task: SigningTask, reply: oneshot::Sender<Signing>) {
        let number = task.index;
        let task = SignTask {
            index: task.index,
            proof: task.proof,
            csr: task.csr,
            openings: task.openings,
            tbs: task.tbs,
            group_key: task.group_key,
            deadline: task.deadline.saturating_mul(1000),
        };
        self.signing.entry(number).or_default().push(reply);
        self.drive(|coordinator, now, _| coordinator.sign(now, &mut OsRng, number, task));
    }

    fn stream(&mut self, event: streams::Event) {
        match event {
            streams::Event::Opened {
                stream,
                pin,
                outbox,
            } => {
                self.streams.insert(
                    stream,
                    Stream {
                        pin,
                        outbox,
                        name: None,
                    },
                );
                self.introduce(stream);
            }
            streams::Event::Frame {
                stream,
                message,
                place: _place,
            } => {
                let Some(name) = self
                    .streams
                    .get(&stream)
                    .and_then(|stream| stream.name.clone())
                else {
                    return;
                };
                // What an old stream of this signer still says belongs to a connection that is over.
                if self.current.get(&name) != Some(&stream) {
                    return;
                }
                match ToCoordinator::decode(&message) {
                    Ok(message) => {
                        self.drive(|coordinator, now, records| {
                            coordinator.handle(now, &mut OsRng, records, &name, message)
                        });
                    }
                    Err(problem) => {
                        warn!(signer = name, %problem, "a signer sent what cannot be read; its stream is closed");
                        self.streams.remove(&stream);
                    }
                }
            }
            streams::Event::Closed { stream } => {
                let Some(name) = self.streams.remove(&stream).and_then(|stream| stream.name) else {
                    // Removed by us before; the state machine may still count on it.
                    let gone: Vec<_> = self
                        .current
                        .iter()
                        .filter(|(_, number)| **number == stream)
                        .map(|(name, _)| name.clone())
                        .collect();
                    gone.into_iter().for_each(|name| self.gone(&name));
                    return;
                };
                if self.current.get(&name) == Some(&stream) {
                    self.gone(&name);
                }
            }
        }
    }

    fn gone(&mut self, name: &str) {
        info!(signer = name, "a signer is gone");
        self.current.remove(name);
        self.drive(|coordinator, now, _| coordinator.disconnected(now, &mut OsRng, name));
    }

    /// Ties a stream to the signer whose key it has, if the authority names that key.
    fn introduce(&mut self, number: u64) {
        if self.coordinator.is_none() {
            return;
        }
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let Some((_, name)) = self.pins.iter().find(|(pin, _)| *pin == stream.pin) else {
            // The authority changed between the handshake and now.
            self.streams.remove(&number);
            return;
        };
        let name = name.clone();
        stream.name = Some(name.clone());
        // A signer that comes back before its old stream is noticed as dead.
        if let Some(old) = self.current.insert(name.clone(), number) {
            self.streams.remove(&old);
            self.drive(|coordinator, now, _| coordinator.disconnected(now, &mut OsRng, &name));
        }
        info!(signer = name, "a signer is connected");
        self.drive(|coordinator, now, _| coordinator.connected(now, &name));
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::Quorum(cosigned) => {
                if let Some(proposed) = self
                    .proposed
                    .take_if(|proposed| proposed.head == cosigned.head())
                {
                    let _ = proposed.reply.send(Cosigning::Cosigned(cosigned));
                }
            }
            Event::QuorumMissing { size, have, .. } => {
                warn!(size, have = have.join(", "), "a head waits for its quorum")
            }
            Event::HeadRefused {
                node,
                size,
                code,
                reason,
            } => {
                warn!(
                    signer = node,
                    size,
                    ?code,
                    reason,
                    "a signer refuses a head"
                );
                if let Some(proposed) = self
                    .proposed
                    .as_mut()
                    .filter(|proposed| proposed.head.size == size)
                {
                    proposed.refusals.push(format!("{node}: {reason}"));
                }
            }
            Event::HeadImpossible { size } => {
                error!(
                    size,
                    "so many signers refuse this head that it will never have its quorum"
                );
                if let Some(proposed) = self.proposed.take_if(|proposed| proposed.head.size == size)
                {
                    let _ = proposed.reply.send(Cosigning::Impossible {
                        reason: proposed.refusals.join("; "),
                    });
                }
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.retract();
                }
            }
            Event::Signed { task, signature } => self.signed(task, &Signing::Signed(signature)),
            Event::SignersMissing {
                task,
                available,
                needed,
                ..
            } => {
                warn!(
                    index = task,
                    available, needed, "a certificate waits for signers"
                );
            }
            Event::SignRefused { task, code, reason } => {
                warn!(index = task, ?code, reason, "the signers refuse to sign");
                self.signed(task, &Signing::Refused { reason });
            }
            Event::Lapsed { task } => self.signed(task, &Signing::Lapsed),
            Event::Culprit { node, what } => error!(
                signer = node,
                what, "a signer did what no honest signer does"
            ),
            Event::SignerOut { node } => error!(
                signer = node,
                "a signer's disk was put back or copied, the others proved it: it signs nothing until it is re-enrolled \
                 under new keys by an authority entry"
            ),
            Event::KeyAgreed {
                group_key,
                text,
                signatures,
                key_signature,
                transcript,
                ..
            } => {
                self.generated(&Ok(Outcome::Agreed(AgreedKey {
                    group_key,
                    text,
                    signatures,
                    key_signature,
                    transcript,
                })));
            }
            Event::ShareRepaired { node, .. } => {
                info!(signer = node, "a signer has its share back");
                self.generated(&Ok(Outcome::Repaired));
            }
            Event::GenerationWaits { missing, .. } => {
                // One that is there only lags behind the log, and is asked again; whoever asked is told after its patience.
                let away: Vec<String> = missing
                    .iter()
                    .filter(|name| !self.current.contains_key(*name))
                    .cloned()
                    .collect();
                if away.is_empty() {
                    info!(signers = missing.join(", "), "a run waits");
                } else {
                    self.generated(&Err(GenerationError::Waits(away)));
                }
            }
            Event::GenerationFailed {
                node, code, reason, ..
            } => {
                warn!(signer = node, ?code, reason, "a run failed");
                self.generated(&Err(GenerationError::Failed { node, reason }));
            }
            Event::Refused {
                node,
                subject,
                code,
                reason,
            } => {
                debug!(
                    signer = node,
                    ?subject,
                    ?code,
                    reason,
                    "a signer refuses what is no longer under way"
                );
            }
        }
    }

    fn signed(&mut self, number: u64, signing: &Signing) {
        let waiting = self.signing.remove(&number).unwrap_or_default();
        waiting
            .into_iter()
            .for_each(|reply| drop(reply.send(signing.clone())));
    }

    fn generated(&mut self, result: &Result<Outcome, GenerationError>) {
        self.generating
            .drain(..)
            .for_each(|reply| drop(reply.send(result.clone())));
    }

    fn publish_status(&self) {
        let Some(coordinator) = &self.coordinator else {
            return;
        };
        let sizes: BTreeMap<&str, u64> = coordinator.connected_nodes().collect();
        let signers = coordinator
            .membership()
            .signers
            .iter()
            .map(|signer| SignerStatus {
                name: signer.name.clone(),
                size: sizes.get(signer.name.as_str()).copied(),
                stage: coordinator.stage(&signer.name),
            });
        let signers: Vec<_> = signers.collect();
        self.status.send_if_modified(|before| {
            let changed = *before != signers;
            *before = signers;
            changed
        });
    }
}
