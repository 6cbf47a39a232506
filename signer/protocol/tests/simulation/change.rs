//! Signers that change, under the real rules: a change takes effect at a head that q of the old and q of the new have
//! cosigned, whoever restarts and whoever is away meanwhile, and nobody waits for those who left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bauta_log::{CosignatureSigner, CosignatureVerifier, Head, SignedCheckpoint};
use bauta_signer_protocol::{
    boot::Welcome,
    coordinator::{Coordinator, CoordinatorOutput, Event, Patience},
    keys::NodeKeys,
    ledger_rulebook::{LedgerRulebook, membership},
    memory::Memory,
    messages::{Append, Code, Published, Refused, Stage, ToCoordinator, ToNode},
    node::{Node, NodeConfig, NodeEvent, Output, RestoreError},
    rulebook::Rulebook as _,
};
use bauta_statement::{
    entry::{Body, Entry, ObjectRef},
    file::{Authority, authority::Signer},
    note::{self, NoteSigner, sha256},
};
use bauta_verifier::ledger::Ledger;
use ed25519_dalek::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    kept::{Log, MemoryStore},
    ledger::{EXPIRES, approval, approval_key, authority, cosignature, note_signer},
    world::{ORIGIN, START},
};

/// A signer's keys are made of its number; two numbers may have one name.
type Id = u8;

/// The number from which on keys are second ones: 12 is signer-2 under new keys.
const SECOND: Id = 10;

fn name(id: Id) -> String {
    format!("signer-{}", id % SECOND)
}

fn signer(id: Id) -> Signer {
    Signer {
        name: name(id),
        cosignature: cosignature(id),
        tls: [id; 32],
        approval: approval_key(id),
    }
}

/// The log, the service's side of it, and signers that come and go.
struct Signers {
    rng: ChaCha20Rng,
    now: u64,
    log: Log,
    ledger: Ledger,
    authority: Authority,
    coordinator: Coordinator,
    online: BTreeMap<Id, Node<LedgerRulebook>>,
    stores: BTreeMap<Id, MemoryStore>,
    queue: VecDeque<(String, ToNode)>,
    events: Vec<Event>,
    delivered: usize,
    /// At which delivery which signer is started anew.
    restart: Option<(usize, Id)>,
}

impl Signers {
    /// Signers 1 to 5, whose log has begun.
    fn begun() -> Self {
        let log = Log::new(1);
        let authority = authority(&log);
        let pinned = sha256(authority.to_text().unwrap().as_bytes());
        let mut ledger = Ledger::new(pinned);
        let mut log = log;
        let entry = file(&mut log, START, &authority, &note_signer("admin", 2));
        ledger.append(&entry, &log.objects).unwrap();
        let members = membership(&ledger).unwrap();
        let mut signers = Self {
            rng: ChaCha20Rng::seed_from_u64(2),
            now: START,
            log,
            ledger,
            authority,
            coordinator: Coordinator::new(members, Patience::default()),
            online: BTreeMap::new(),
            stores: BTreeMap::new(),
            queue: VecDeque::new(),
            events: Vec::new(),
            delivered: 0,
            restart: None,
        };
        (1..=5).for_each(|id| signers.start(id));
        assert!(signers.propose(&entry));
        signers
    }

    fn restored(&mut self, id: Id) -> Node<LedgerRulebook> {
        self.try_restored(id).unwrap()
    }

    fn try_restored(&mut self, id: Id) -> Result<Node<LedgerRulebook>, RestoreError> {
        let key = cosignature(id);
        let store = self.stores.entry(id).or_default();
        Node::restore(
            NodeConfig {
                name: name(id),
                log: self.log.signer.verifier().clone(),
                cosignature: CosignatureVerifier::new(key.name(), &key.public()).unwrap(),
                attended: false,
            },
            NodeKeys {
                cosignature: Box::new(SigningKey::from_bytes(&[50 + id; 32])),
                approval: Box::new(approval(id)),
            },
            LedgerRulebook::new(*self.ledger.pinned()),
            store.head.clone(),
            Vec::new(),
            store,
            &mut self.rng,
        )
    }

    fn start(&mut self, id: Id) {
        let mut node = self.restored(id);
        let output = node.connected(&mut self.rng);
        self.online.insert(id, node);
        let connected = self.coordinator.connected(self.now * 1000, &name(id));
        self.take(connected);
        self.answer(id, output);
    }

    fn stop(&mut self, id: Id) {
        self.online.remove(&id);
        let gone = self
            .coordinator
            .disconnected(self.now * 1000, &mut self.rng, &name(id));
        self.take(gone);
    }

    fn take(&mut self, output: CoordinatorOutput) {
        self.queue.extend(output.send);
        self.events.extend(output.events);
    }

    fn answer(&mut self, id: Id, output: Output) -> Vec<NodeEvent> {
        self.stores.get_mut(&id).unwrap().persist(output.persist);
        for message in output.send {
            let output = self.coordinator.handle(
                self.now * 1000,
                &mut self.rng,
                &self.log,
                &name(id),
                message,
            );
            self.take(output);
        }
        output.events
    }

    /// Everything that is on its way arrives; then time goes on for a while.
    fn run(&mut self) {
        for _ in 0..8 {
            while let Some((to, message)) = self.queue.pop_front() {
                self.delivered += 1;
                if let Some((_, id)) = self.restart.take_if(|(at, _)| *at == self.delivered)
                    && self.online.contains_key(&id)
                {
                    self.stop(id);
                    self.start(id);
                }
                let Some(id) = self.online.keys().copied().find(|id| name(*id) == to) else {
                    continue;
                };
                let store = &self.stores[&id];
                let node = self.online.get_mut(&id).unwrap();
                let output = node.handle(self.now, &mut self.rng, store, message);
                self.answer(id, output);
            }
            self.now += 1;
            let output = self
                .coordinator
                .tick(self.now * 1000, &mut self.rng, &self.log);
            self.take(output);
        }
    }

    /// Tells a node something behind the coordinator's back.
    fn tell(&mut self, id: Id, message: ToNode) -> Vec<ToCoordinator> {
        let node = self.online.get_mut(&id).unwrap();
        let output = node.handle(self.now, &mut self.rng, &self.stores[&id], message);
        self.stores.get_mut(&id).unwrap().persist(output.persist);
        output.send
    }

    /// Has a head cosigned, whatever it holds; whether it got its quorums.
    fn propose(&mut self, entry: &[u8]) -> bool {
        let signed = self.log.append(std::slice::from_ref(&entry.to_vec()));
        let size = signed.checkpoint().head().size;
        let output = self.coordinator.propose(self.now * 1000, &self.log, signed);
        self.take(output);
        self.run();
        let note = self.events.iter().rev().find_map(|event| match event {
            Event::Quorum(cosigned) if cosigned.head().size == size => {
                Some(cosigned.signed().to_bytes())
            }
            _ => None,
        });
        let Some(note) = note else { return false };
        if self.ledger.quorums().len() > 1 {
            self.log.changes.insert(size, note);
        }
        self.ledger.settle();
        self.coordinator
            .set_membership(membership(&self.ledger).unwrap());
        // What the new membership sets free is on its way.
        self.run();
        true
    }

    /// The next authority: these signers, signed by the administrator.
    fn name_signers(&mut self, ids: &[Id]) -> Vec<u8> {
        self.authority.version += 1;
        self.authority.signers = ids.iter().map(|id| signer(*id)).collect();
        file(
            &mut self.log,
            self.now,
            &self.authority,
            &note_signer("admin", 2),
        )
    }

    /// Logs the next authority, with signers that are online or not.
    fn change(&mut self, ids: &[Id]) -> bool {
        let entry = self.name_signers(ids);
        self.ledger.append(&entry, &self.log.objects).unwrap();
        self.coordinator
            .set_membership(membership(&self.ledger).unwrap());
        // Those who waited for their key to be named dial in.
        for id in ids {
            if self.online.contains_key(id)
                && !self
                    .coordinator
                    .connected_nodes()
                    .any(|(known, _)| known == name(*id))
            {
                self.online.remove(id);
                self.start(*id);
            }
        }
        self.propose(&entry)
    }

    /// A head that changes nobody: the same signers again.
    fn go_on(&mut self) -> bool {
        let ids: Vec<Id> = self
            .authority
            .signers
            .iter()
            .map(|signer| signer.tls[0])
            .collect();
        self.change(&ids)
    }

    fn policies(&self, id: Id) -> usize {
        self.online[&id].rulebook().log_policies().len()
    }

    fn cosigners(&self) -> BTreeSet<String> {
        self.events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Quorum(cosigned) => Some(
                    cosigned
                        .cosigners()
                        .iter()
                        .map(|(cosigner, _)| cosigner.name().to_owned())
                        .collect(),
                ),
                _ => None,
            })
            .unwrap()
    }
}

/// An entry that names this authority file, signed by `by`; the file lies beside the log.
fn file(log: &mut Log, now: u64, authority: &Authority, by: &NoteSigner) -> Vec<u8> {
    let note = note::sign(&authority.to_text().unwrap(), &[by]).unwrap();
    let object = ObjectRef::of(&note).unwrap();
    log.objects.insert(object.digest, note);
    Entry::new(now, Body::Authority(object)).encode().unwrap()
}

#[test]
fn a_change_of_signers_takes_effect_whoever_restarts_at_whatever_message() {
    let outcome = |restart: Option<(usize, Id)>| {
        let mut signers = Signers::begun();
        signers.stores.entry(6).or_default();
        let node = signers.restored(6);
        signers.online.insert(6, node);
        let before = signers.delivered;
        signers.restart = restart.map(|(at, id)| (before + at, id));
        assert!(signers.change(&[1, 2, 3, 4, 6]), "{restart:?}: no quorums");
        let delivered = signers.delivered - before;
        // Signer 5 is gone for good, and everybody is started anew.
        signers.stop(5);
        signers.stores.remove(&5);
        for id in [1, 2, 3, 4, 6] {
            signers.stop(id);
        }
        for id in [1, 2, 3, 4, 6] {
            signers.start(id);
        }
        signers.run();
        for id in [1, 2, 3, 4, 6] {
            assert_eq!(
                signers.policies(id),
                1,
                "{restart:?}: signer {id} waits for the old ones"
            );
            assert_eq!(
                signers.online[&id].standing(),
                Stage::Welcome,
                "{restart:?}: signer {id}"
            );
        }
        // The new one is needed now.
        signers.stop(4);
        assert!(signers.go_on(), "{restart:?}: no quorum without signer 5");
        assert!(signers.cosigners().contains("signer-6.example.org"));
        delivered
    };
    let messages = outcome(None);
    assert!(messages > 30, "{messages}");
    for at in (1..messages).step_by(2) {
        for id in [1, 5, 6] {
            outcome(Some((at, id)));
        }
    }
}

#[test]
fn without_q_of_the_old_there_is_no_change() {
    let mut signers = Signers::begun();
    // 3 of the old are left, and 4 of the new are there.
    signers.stop(4);
    signers.stop(5);
    for id in [6, 7] {
        let node = signers.restored(id);
        signers.online.insert(id, node);
    }
    assert!(!signers.change(&[1, 2, 3, 6, 7]));
    // The new ones are not welcome without q of the old, and cosign nothing.
    assert_eq!(signers.online[&6].standing(), Stage::Waiting);
    signers.start(4);
    signers.run();
    let size = signers.log.entries.len() as u64;
    assert!(
        signers
            .events
            .iter()
            .any(|event| matches!(event, Event::Quorum(done) if done.head().size == size))
    );
}

#[test]
fn a_signer_that_was_away_for_two_changes_follows_them_without_those_who_left() {
    let mut signers = Signers::begun();
    signers.stop(3);
    signers.start(6);
    assert!(signers.change(&[1, 2, 3, 4, 6]));
    signers.stop(5);
    assert!(signers.go_on());
    signers.start(3);
    signers.run();
    assert_eq!(signers.policies(3), 1);
    signers.stop(3);
    signers.start(7);
    assert!(signers.change(&[1, 2, 3, 6, 7]));
    signers.stop(4);
    assert!(signers.go_on());
    // An older image of it, of before either change, could not follow: this one is of between.
    signers.start(3);
    signers.run();
    assert_eq!(signers.policies(3), 1);
    assert_eq!(signers.online[&3].standing(), Stage::Welcome);
    // It is needed, and cosigns.
    signers.stop(7);
    assert!(signers.go_on());
    assert!(signers.cosigners().contains("signer-3.example.org"));
}

#[test]
fn both_changes_in_one_step_are_refused_and_each_with_its_quorums_is_not() {
    let mut signers = Signers::begun();
    let away = 3;
    signers.stop(away);
    signers.start(6);
    assert!(signers.change(&[1, 2, 3, 4, 6]));
    signers.start(7);
    assert!(signers.change(&[1, 2, 3, 6, 7]));
    // Told behind the coordinator's back: everything at once.
    let node = signers.restored(away);
    signers.online.insert(away, node);
    let append = |signers: &Signers, note: Vec<u8>| {
        ToNode::Append(Append {
            first: 1,
            entries: signers.log.entries[1..]
                .iter()
                .map(|e| e.clone().into())
                .collect(),
            objects: signers
                .log
                .objects
                .values()
                .map(|o| o.clone().into())
                .collect(),
            checkpoint: note.into(),
        })
    };
    let last = signers.log.changes[&3].clone();
    let all = append(&signers, last.clone());
    let answers = signers.tell(away, all);
    assert!(
        matches!(&answers[..], [ToCoordinator::Refused(Refused { code: Code::InvalidEntry, reason, .. })]
            if reason.contains("change of signers")),
        "{answers:?}"
    );
    // The first change without its quorums: the entries are held, and both quorums are needed from now on.
    let bare = signers
        .log
        .sign(signers.log.tree.head_at(2).unwrap())
        .to_bytes();
    let first = append(&signers, bare);
    signers.tell(away, first);
    assert_eq!(signers.policies(away), 2);
    // A checkpoint without q of the old is not enough; one of another history neither.
    let published = |note: Vec<u8>| {
        ToNode::Published(Published {
            checkpoint: note.into(),
        })
    };
    let change = SignedCheckpoint::parse(&signers.log.changes[&2].clone()).unwrap();
    let mut fewer = signers.log.sign(change.checkpoint().head());
    for line in change.signatures().iter().skip(1).take(3) {
        fewer.add(line.clone());
    }
    signers.tell(away, published(fewer.to_bytes()));
    assert_eq!(signers.policies(away), 2);
    signers.tell(away, published(last.clone()));
    assert_eq!(signers.policies(away), 2);
    // One of another history is not, whoever cosigned it: were it taken, the change would count where q never saw it.
    let mut other = signers.log.sign(Head {
        size: 2,
        root: [9; 32],
    });
    for id in 1..=6 {
        let key = cosignature(id);
        let signer = CosignatureSigner::from_seed(key.name(), &[50 + id; 32]).unwrap();
        let line = signer.cosign(&other.checkpoint().clone(), signers.now);
        other.add(line.unwrap());
    }
    signers.tell(away, published(other.to_bytes()));
    assert_eq!(signers.policies(away), 2);
    signers.tell(away, published(change.to_bytes()));
    assert_eq!(signers.policies(away), 1);
    let second = append(&signers, last);
    signers.tell(away, second);
    assert_eq!(signers.policies(away), 1);
    // And started anew it knows all of it.
    let again = signers.restored(away);
    assert_eq!(again.rulebook().log_policies().len(), 1);
    assert_eq!(again.head().size, 3);
    // A disk on which the checkpoint that settled a change is not of this log does not start.
    let settled = Memory::Settled(0);
    let store = signers.stores.get_mut(&away).unwrap();
    assert!(store.memory.insert(settled, other.to_bytes()).is_some());
    assert_eq!(
        signers.try_restored(away).err(),
        Some(RestoreError::Settled)
    );
}

/// A node crashed before it had settled the change, and the coordinator was started anew since: nothing is proposed now.
#[test]
fn the_checkpoint_of_a_change_is_shown_again_to_whoever_comes_back() {
    let mut signers = Signers::begun();
    assert!(signers.change(&[1, 2, 3, 4, 6]));
    signers.stop(3);
    let store = signers.stores.get_mut(&3).unwrap();
    assert!(store.memory.remove(&Memory::Settled(0)).is_some());
    signers.coordinator =
        Coordinator::new(membership(&signers.ledger).unwrap(), Patience::default());
    signers.start(3);
    assert_eq!(signers.policies(3), 2);
    signers.run();
    assert_eq!(signers.policies(3), 1);
}

#[test]
fn a_new_signer_takes_its_starting_head_from_q_signers() {
    let mut signers = Signers::begun();
    assert!(signers.change(&[1, 2, 3, 4, 6]));
    signers.stop(5);
    // The coordinator and the log's key show it another history, in which it is named too.
    let mut other = Log::new(1);
    other.append(&signers.log.entries[..1]);
    let objects = signers.log.objects.clone();
    let forged = Entry::decode(&signers.log.entries[1]).unwrap();
    let forged = Entry::new(forged.time + 1, forged.body).encode().unwrap();
    let fork = other.append(std::slice::from_ref(&forged));
    let mut node = signers.restored(6);
    let hello = node.connected(&mut signers.rng);
    let boot = hello.send.iter().find_map(|message| match message {
        ToCoordinator::Boot(boot) => Some(boot.clone()),
        _ => None,
    });
    let boot = boot.unwrap();
    signers.online.insert(6, node);
    signers.stores.get_mut(&6).unwrap().persist(hello.persist);
    let append = |entries: &[Vec<u8>], checkpoint: &SignedCheckpoint| {
        ToNode::Append(Append {
            first: 0,
            entries: entries.iter().map(|entry| entry.clone().into()).collect(),
            objects: objects
                .values()
                .map(|object| object.clone().into())
                .collect(),
            checkpoint: checkpoint.to_bytes().into(),
        })
    };
    let welcomes: Vec<Welcome> = (1..=4)
        .map(
            |id| match &signers.tell(id, ToNode::Boot(boot.clone()))[..] {
                [ToCoordinator::Welcome(welcome)] => welcome.clone(),
                other => panic!("{other:?}"),
            },
        )
        .collect();
    let forked = append(&[signers.log.entries[0].clone(), forged], &fork);
    signers.tell(6, forked);
    for welcome in &welcomes {
        signers.tell(6, ToNode::Welcome(welcome.clone()));
    }
    assert_eq!(signers.online[&6].head(), fork.checkpoint().head());
    assert_eq!(signers.online[&6].standing(), Stage::Waiting);
}

#[test]
fn a_new_signer_needs_one_welcome_more_than_one_that_comes_back() {
    let mut signers = Signers::begun();
    assert!(signers.change(&[1, 2, 3, 4, 6]));
    signers.stop(5);
    signers.stop(4);
    signers.start(6);
    signers.run();
    assert_eq!(signers.online[&6].head().size, 2);
    assert_eq!(signers.online[&6].standing(), Stage::Waiting);
    signers.start(4);
    signers.run();
    assert_eq!(signers.online[&6].standing(), Stage::Welcome);
    signers.stop(1);
    assert!(signers.go_on());
    assert!(signers.cosigners().contains("signer-6.example.org"));
    // Once welcome, it comes back with q − 1 others like anybody.
    signers.stop(6);
    signers.start(6);
    signers.run();
    assert_eq!(signers.online[&6].standing(), Stage::Welcome);
}

#[test]
fn who_was_put_back_comes_back_under_new_keys_by_an_authority_that_administrators_signed() {
    let mut signers = Signers::begun();
    let image = signers.stores[&2].clone();
    signers.stop(2);
    signers.start(2);
    signers.run();
    signers.stop(2);
    signers.stores.insert(2, image);
    signers.start(2);
    signers.run();
    assert_eq!(signers.online[&2].standing(), Stage::Out);
    signers.stop(2);

    // A re-enrolment that no administrator signed gets no cosignature.
    let before = (signers.authority.clone(), signers.log.entries.clone());
    signers.authority.version += 1;
    signers.authority.signers = [1, 12, 3, 4, 5].map(signer).to_vec();
    let text = signers.authority.clone();
    let forged = file(
        &mut signers.log,
        signers.now,
        &text,
        &note_signer("admin", 9),
    );
    assert!(
        signers
            .ledger
            .append(&forged, &signers.log.objects)
            .is_err()
    );
    assert!(!signers.propose(&forged));
    let size = signers.log.entries.len() as u64;
    assert!(
        signers
            .events
            .iter()
            .any(|event| matches!(event, Event::HeadImpossible { size: at } if *at == size))
    );
    // The service goes back.
    let objects = std::mem::take(&mut signers.log.objects);
    signers.log = Log::new(1);
    signers.log.objects = objects;
    signers.authority = before.0;
    signers.log.append(&before.1);
    signers.coordinator.retract();

    // One that they signed does, with the old disk and new keys.
    let image = signers.stores.remove(&2).unwrap();
    signers.stores.insert(12, image);
    let node = signers.restored(12);
    signers.online.insert(12, node);
    assert!(signers.change(&[1, 12, 3, 4, 5]));
    signers.run();
    assert_eq!(signers.online[&12].standing(), Stage::Welcome);
    signers.stop(5);
    assert!(signers.go_on());
    assert_eq!(signers.cosigners().len(), 4);
    assert_eq!(signers.authority.expires, EXPIRES);
    assert_eq!(signers.log.signer.verifier().name(), ORIGIN);
}
