//! The real rules: from the pinned authority through key generation to a CA certificate, with the verifier's ledger in
//! every node, and what it refuses on the way.

use std::collections::{BTreeMap, VecDeque};

use bauta_log::{CosignatureVerifier, CosignedCheckpoint};
use bauta_signer_protocol::{
    coordinator::{Coordinator, CoordinatorOutput, Event, Patience},
    generation::GenerationTask,
    keys::{Approver as _, NodeKeys},
    ledger_rulebook::{self, LedgerRulebook, authority_note, membership, participants},
    messages::{Code, Digest, GroupKey, ToNode},
    node::{Node, NodeConfig},
    order::RunOrder,
    rulebook::{Objects, Rulebook as _},
    sessions::SignTask,
};
use bauta_statement::{
    approval::ApprovalKey,
    certificate::{self, Document, ca},
    entry::{Body, Entry, Issuance, ObjectRef},
    file::{
        Authority, Header, Kind,
        authority::{Administrators, LogIdentity, Mode, Quorum, Signer},
        hierarchy::{Purpose, RequestCaCertificate},
        key_operation::{
            CaSubject, GenerateKey, KeyOperation, Participant, RepairShare, ReshareKey,
            SignCaCertificate,
        },
    },
    note::{self, CosignatureKey, NoteSigner, sha256},
};
use bauta_verifier::ledger::Ledger;
use ed25519_dalek::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    approvals::ApprovalSecret,
    kept::{Log, MemoryStore},
    world::{ORIGIN, START},
};

pub(crate) const EXPIRES: u64 = START + 365 * 86_400;

pub(crate) fn note_signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_secret(name, &[seed; 32]).unwrap()
}

pub(crate) fn approval(i: u8) -> ApprovalSecret {
    ApprovalSecret::of(i.into(), &[100 + i; 32])
}

pub(crate) fn approval_key(i: u8) -> ApprovalKey {
    ApprovalKey::new(&format!("signer-{i}-approval"), approval(i).approval_key()).unwrap()
}

pub(crate) fn cosignature(i: u8) -> CosignatureKey {
    let public = SigningKey::from_bytes(&[50 + i; 32])
        .verifying_key()
        .to_bytes();
    CosignatureKey::new(&format!("signer-{i}.example.org"), &public).unwrap()
}

pub(crate) fn authority(log: &Log) -> Authority {
    Authority {
        trust_domain: "example.org".into(),
        version: 1,
        expires: EXPIRES,
        ca_name: "Example CA".into(),
        mode: Mode::Development,
        enterprise_number: 32473,
        epoch_seconds: 3600,
        log: LogIdentity {
            origin: ORIGIN.into(),
            key: note::NoteKey::new(ORIGIN, log.signer.verifier().public_key()).unwrap(),
        },
        administrators: Administrators {
            k: 1,
            keys: vec![note_signer("admin", 2).verifier()],
        },
        signers: (1..=5)
            .map(|i| Signer {
                name: format!("signer-{i}"),
                cosignature: cosignature(i),
                tls: [i; 32],
                approval: approval_key(i),
            })
            .collect(),
        quorum: Quorum::FIVE,
        custodians: Vec::new(),
        ca_keys: Vec::new(),
    }
}

struct Real {
    rng: ChaCha20Rng,
    now: u64,
    log: Log,
    ledger: Ledger,
    pinned: Digest,
    nodes: Vec<(Node<LedgerRulebook>, MemoryStore)>,
    coordinator: Option<Coordinator>,
    events: Vec<Event>,
    queue: VecDeque<(String, ToNode)>,
}

impl Real {
    fn new() -> Self {
        let log = Log::new(1);
        let pinned = sha256(authority(&log).to_text().unwrap().as_bytes());
        let mut real = Self {
            rng: ChaCha20Rng::seed_from_u64(1),
            now: START,
            ledger: Ledger::new(pinned),
            log,
            pinned,
            nodes: Vec::new(),
            coordinator: None,
            events: Vec::new(),
            queue: VecDeque::new(),
        };
        for i in 1..=5 {
            let node = real.node(i, MemoryStore::default());
            real.nodes.push((node, MemoryStore::default()));
        }
        real
    }

    fn node(&mut self, i: u8, store: MemoryStore) -> Node<LedgerRulebook> {
        let key = cosignature(i);
        Node::restore(
            NodeConfig {
                name: format!("signer-{i}"),
                log: self.log.signer.verifier().clone(),
                cosignature: CosignatureVerifier::new(key.name(), &key.public()).unwrap(),
                attended: false,
            },
            NodeKeys {
                cosignature: Box::new(SigningKey::from_bytes(&[50 + i; 32])),
                approval: Box::new(approval(i)),
            },
            LedgerRulebook::new(self.pinned),
            store.head.clone(),
            store.stored_shares(),
            &store,
            &mut self.rng,
        )
        .unwrap()
    }

    fn take(&mut self, output: CoordinatorOutput) {
        self.queue.extend(output.send);
        self.events.extend(output.events);
    }

    /// Everything that is on its way arrives.
    fn settle(&mut self) {
        while let Some((name, message)) = self.queue.pop_front() {
            let at = self
                .nodes
                .iter()
                .position(|(node, _)| node.name() == name)
                .unwrap();
            let (node, store) = &mut self.nodes[at];
            let output = node.handle(self.now, &mut self.rng, store, message);
            store.persist(output.persist);
            for message in output.send {
                let coordinator = self.coordinator.as_mut().unwrap();
                let output =
                    coordinator.handle(self.now * 1000, &mut self.rng, &self.log, &name, message);
                self.take(output);
            }
        }
    }

    /// Logs entries without asking the service's own ledger first: what a bad service would do.
    fn propose(&mut self, entries: &[Vec<u8>]) -> u64 {
        let signed = self.log.append(entries);
        let size = signed.checkpoint().head().size;
        let coordinator = self.coordinator.as_mut().unwrap();
        let output = coordinator.propose(self.now * 1000, &self.log, signed);
        self.take(output);
        self.settle();
        size
    }

    fn file(&mut self, body: fn(ObjectRef) -> Body, note: Vec<u8>) -> Vec<u8> {
        let object = ObjectRef::of(&note).unwrap();
        self.log.objects.insert(object.digest, note);
        Entry::new(self.now, body(object)).encode().unwrap()
    }

    /// Logs a good entry; gives its index and the checkpoint.
    fn log(&mut self, body: fn(ObjectRef) -> Body, note: Vec<u8>) -> (u64, CosignedCheckpoint) {
        let entry = self.file(body, note);
        self.ledger.append(&entry, &self.log.objects).unwrap();
        let members = membership(&self.ledger).unwrap();
        match &mut self.coordinator {
            Some(coordinator) => coordinator.set_membership(members),
            None => {
                self.coordinator = Some(Coordinator::new(members, Patience::default()));
                for i in 1..=5 {
                    let coordinator = self.coordinator.as_mut().unwrap();
                    let output = coordinator.connected(self.now * 1000, &format!("signer-{i}"));
                    self.take(output);
                }
                self.settle();
            }
        }
        let size = self.propose(&[entry]);
        let cosigned = self.events.iter().rev().find_map(|event| match event {
            Event::Quorum(cosigned) if cosigned.head().size == size => Some(cosigned.clone()),
            _ => None,
        });
        self.ledger.settle();
        (
            size - 1,
            cosigned.unwrap_or_else(|| panic!("{:?}", self.events.last())),
        )
    }

    fn operation(
        &self,
        name: &str,
        operation: &KeyOperation,
        by: &NoteSigner,
        expires: u64,
    ) -> (Digest, Vec<u8>) {
        let header = Header {
            kind: Kind::KeyOperation,
            trust_domain: "example.org".into(),
            name: name.into(),
            version: 1,
            expires,
        };
        let text = bauta_statement::file::to_text(&header, operation).unwrap();
        (sha256(text.as_bytes()), note::sign(&text, &[by]).unwrap())
    }

    fn generate(&self) -> GenerateKey {
        GenerateKey {
            purpose: Purpose::Issuing,
            key: "ca-1".into(),
            participants: (1..=5)
                .map(|i| Participant {
                    identifier: u16::from(i),
                    signer: format!("signer-{i}"),
                    approval: approval_key(i),
                })
                .collect(),
            n: 5,
            t: 3,
            q: 4,
        }
    }

    fn begin(&mut self) {
        let text = authority(&self.log).to_text().unwrap();
        let note = note::sign(&text, &[&note_signer("admin", 2)]).unwrap();
        self.log(Body::Authority, note);
    }

    /// Key generation by file, and the authority file that records it.
    fn make_key(&mut self) -> GroupKey {
        let generate = self.generate();
        let admin = note_signer("admin", 2);
        let (operation, note) = self.operation(
            "make-ca-1",
            &KeyOperation::GenerateKey(generate.clone()),
            &admin,
            EXPIRES,
        );
        let (index, cosigned) = self.log(Body::File, note);
        let task = GenerationTask {
            operation,
            index,
            proof: self.log.proof(index, cosigned.signed()),
            order: RunOrder::Generate(participants(&generate).unwrap()),
        };
        let output =
            self.coordinator
                .as_mut()
                .unwrap()
                .generate_key(self.now * 1000, &mut self.rng, task);
        self.take(output);
        self.settle();
        let (group_key, text, signatures, transcript) = match self.events.last() {
            Some(Event::KeyAgreed {
                group_key,
                text,
                signatures,
                transcript,
                ..
            }) => (
                *group_key,
                text.clone(),
                signatures.clone(),
                transcript.clone(),
            ),
            other => panic!("{other:?}"),
        };
        self.keep(transcript);
        assert!(authority_note(&text, &BTreeMap::new(), None).is_err());
        let mut swapped = signatures.clone();
        swapped.insert("signer-1".into(), signatures["signer-2"]);
        assert!(authority_note(&text, &swapped, None).is_err());
        let note = authority_note(&text, &signatures, None).unwrap();
        self.log(Body::Authority, note);
        assert!(
            self.nodes.iter().all(|(node, _)| node
                .rulebook()
                .ledger()
                .authority()
                .unwrap()
                .ca_keys
                .len()
                == 1)
        );
        group_key
    }

    /// Keeps a transcript beside the log, where nodes fetch it when they read the authority that names it.
    fn keep(&mut self, transcript: Vec<u8>) {
        self.log.objects.insert(sha256(&transcript), transcript);
    }

    /// Logs an operation that signers carry out together, and has them do it; gives what the run came to.
    fn run(&mut self, name: &str, operation: &KeyOperation) -> Event {
        let admin = note_signer("admin", 2);
        let (digest, note) = self.operation(name, operation, &admin, EXPIRES);
        let (index, cosigned) = self.log(Body::File, note);
        let task = GenerationTask {
            operation: digest,
            index,
            proof: self.log.proof(index, cosigned.signed()),
            order: ledger_rulebook::order(self.ledger.authority().unwrap(), operation).unwrap(),
        };
        let output =
            self.coordinator
                .as_mut()
                .unwrap()
                .generate_key(self.now * 1000, &mut self.rng, task);
        self.take(output);
        self.settle();
        self.events.pop().unwrap()
    }

    fn reshare(&self) -> ReshareKey {
        let key = &self.ledger.authority().unwrap().ca_keys[0];
        ReshareKey {
            key: key.name.clone(),
            group_key: key.group_key,
            from: key.sharing(),
            dealers: ["signer-2", "signer-3", "signer-5"]
                .map(String::from)
                .into(),
            participants: self.generate().participants,
            n: 5,
            t: 3,
            q: 4,
        }
    }

    /// Has the CA certificate signed by a logged order, and checks it.
    fn certify(&mut self, name: &str, group_key: GroupKey) {
        let certificate = self.certificate(group_key);
        let order = KeyOperation::SignCaCertificate(certificate.clone());
        let (digest, note) = self.operation(name, &order, &note_signer("admin", 2), EXPIRES);
        let (index, cosigned) = self.log(Body::File, note);
        let tbs = ca::tbs(&certificate, &digest, "example.org").unwrap();
        let Event::Signed { signature, .. } = self.sign(index, &cosigned, group_key, &tbs) else {
            panic!("{:?}", self.events.last())
        };
        let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
        key.verify_strict(
            tbs.as_bytes(),
            &ed25519_dalek::Signature::from_bytes(&signature),
        )
        .unwrap();
    }

    fn certificate(&self, group_key: GroupKey) -> SignCaCertificate {
        SignCaCertificate {
            key: "ca-1".into(),
            group_key,
            subject: CaSubject {
                country: None,
                organization: Some("Example".into()),
                common_name: "Example CA".into(),
            },
            not_before: START,
            not_after: START + 86_400,
            path_length: 0,
        }
    }

    fn sign(
        &mut self,
        index: u64,
        cosigned: &CosignedCheckpoint,
        group_key: GroupKey,
        tbs: &certificate::Tbs,
    ) -> Event {
        self.sign_document(
            index,
            cosigned,
            group_key,
            &Document::Certificate(tbs.clone()),
        )
    }

    fn sign_document(
        &mut self,
        index: u64,
        cosigned: &CosignedCheckpoint,
        group_key: GroupKey,
        document: &Document,
    ) -> Event {
        let task = SignTask {
            index,
            proof: self.log.proof(index, cosigned.signed()),
            csr: Vec::new(),
            openings: Vec::new(),
            tbs: document.as_bytes().to_vec(),
            group_key,
            deadline: (self.now + 120) * 1000,
        };
        let output =
            self.coordinator
                .as_mut()
                .unwrap()
                .sign(self.now * 1000, &mut self.rng, index, task);
        self.take(output);
        self.settle();
        let position = self
            .events
            .iter()
            .rposition(|event| matches!(event, Event::Signed { .. } | Event::SignRefused { .. }));
        self.events
            .remove(position.unwrap_or_else(|| panic!("{:?}", self.events.last())))
    }
}

#[test]
fn from_the_pinned_authority_to_a_ca_certificate() {
    let mut real = Real::new();
    real.begin();
    let group_key = real.make_key();
    let certificate = real.certificate(group_key);
    let order = KeyOperation::SignCaCertificate(certificate.clone());
    let (digest, note) = real.operation("sign-ca-1", &order, &note_signer("admin", 2), EXPIRES);
    let (index, cosigned) = real.log(Body::File, note);
    let tbs = ca::tbs(&certificate, &digest, "example.org").unwrap();
    let Event::Signed { signature, .. } = real.sign(index, &cosigned, group_key, &tbs) else {
        panic!("{:?}", real.events.last())
    };
    let der = certificate::assemble(&tbs, &signature).unwrap();
    assert_eq!(
        certificate::disassemble(&der).unwrap(),
        (tbs.as_bytes().to_vec(), signature)
    );
    let key = ed25519_dalek::VerifyingKey::from_bytes(&group_key).unwrap();
    key.verify_strict(
        tbs.as_bytes(),
        &ed25519_dalek::Signature::from_bytes(&signature),
    )
    .unwrap();

    // Another TBS for the same order, an entry that orders none, and the order once it has expired.
    let mut later = certificate.clone();
    later.not_after += 1;
    let other = ca::tbs(&later, &digest, "example.org").unwrap();
    assert!(matches!(
        real.sign(index, &cosigned, group_key, &other),
        Event::SignRefused {
            code: Code::TbsDiffers,
            ..
        }
    ));
    assert!(matches!(
        real.sign(1, &cosigned, group_key, &tbs),
        Event::SignRefused {
            code: Code::Operation,
            ..
        }
    ));
    assert!(matches!(
        real.sign(0, &cosigned, group_key, &tbs),
        Event::SignRefused {
            code: Code::InvalidIssuance,
            ..
        }
    ));
    real.now = EXPIRES;
    assert!(matches!(
        real.sign(index, &cosigned, group_key, &tbs),
        Event::SignRefused {
            code: Code::Operation,
            ..
        }
    ));

    // A node that is started anew has its log, its share, and the same state.
    let store = real.nodes[0].1.clone();
    let node = real.node(1, store);
    assert_eq!(node.head(), cosigned.head());
    assert_eq!(node.rulebook().ledger().size(), 4);
}

/// A request is signed like a certificate, by its own order; what orders no signature gets none, and no order serves for
/// another key than its own.
#[test]
fn a_request_is_signed_by_its_own_order_alone() {
    let mut real = Real::new();
    real.begin();
    let group_key = real.make_key();
    let own = real.certificate(group_key);
    let admin = note_signer("admin", 2);
    let log = |real: &mut Real, name: &str, operation: &KeyOperation| {
        let (digest, note) = real.operation(name, operation, &admin, EXPIRES);
        let (index, cosigned) = real.log(Body::File, note);
        (digest, index, cosigned)
    };
    let own_order = KeyOperation::SignCaCertificate(own.clone());
    let (digest, own_index, _) = log(&mut real, "sign-ca-1", &own_order);
    let own_document = Document::ordered(&own_order, &digest, "example.org")
        .unwrap()
        .unwrap();
    let asked = KeyOperation::RequestCaCertificate(RequestCaCertificate {
        key: "ca-1".into(),
        group_key,
        subject: own.subject.clone(),
        path_length: 0,
    });
    let (digest, index, cosigned) = log(&mut real, "request-ca-1", &asked);
    let document = Document::ordered(&asked, &digest, "example.org")
        .unwrap()
        .unwrap();
    // The coordinator means the certificate at the request's entry, and the other way round.
    for (index, document) in [(index, &own_document), (own_index, &document)] {
        assert!(matches!(
            real.sign_document(index, &cosigned, group_key, document),
            Event::SignRefused {
                code: Code::TbsDiffers,
                ..
            }
        ));
    }
    let Event::Signed { signature, .. } =
        real.sign_document(index, &cosigned, group_key, &document)
    else {
        panic!("{:?}", real.events.last())
    };
    let request = document.assemble(&signature).unwrap();
    assert_eq!(
        certificate::request::read(&request).unwrap(),
        (own.subject, group_key)
    );
    // A key generation orders no signature.
    assert!(matches!(
        real.sign_document(1, &cosigned, group_key, &document),
        Event::SignRefused {
            code: Code::Operation,
            ..
        }
    ));
}

#[test]
fn a_file_that_the_administrators_did_not_sign_gets_no_cosignature() {
    let mut real = Real::new();
    real.begin();
    let operation = KeyOperation::GenerateKey(real.generate());
    for (name, by, expires) in [
        ("forged", note_signer("admin", 9), EXPIRES),
        ("expired", note_signer("admin", 2), START - 1),
    ] {
        let (_, note) = real.operation(name, &operation, &by, expires);
        let good = real.log.entries.clone();
        let entry = real.file(Body::File, note);
        let size = real.propose(&[entry]);
        assert!(
            real.events
                .iter()
                .any(|event| matches!(event, Event::HeadImpossible { size: at } if *at == size)),
            "{name}"
        );
        assert!(
            real.nodes
                .iter()
                .all(|(node, _)| node.head().size == size - 1)
        );
        // Back to the last head that has its quorum.
        let objects = std::mem::take(&mut real.log.objects);
        real.log = Log::new(1);
        real.log.objects = objects;
        real.log.append(&good);
        real.coordinator.as_mut().unwrap().retract();
        real.events.clear();
    }
    // And the next good one goes on.
    real.make_key();
}

/// A service that is wholly bad logs an issuance of a policy that no signer holds, for an epoch that is none: it stays in
/// the log, and nobody gives a share for it.
#[test]
fn an_issuance_of_a_policy_and_epoch_that_are_not_in_force_earns_no_share() {
    let mut real = Real::new();
    real.begin();
    let group_key = real.make_key();
    let issuance = Issuance {
        policy: [1; 32],
        epoch: real.now / 3600 - 1,
        ca_key: sha256(&group_key),
        nonce: [2; 32],
        expiry: real.now + 60,
        key: vec![3; 40],
        presentation: vec![4; 400],
    };
    let entry = Entry::new(real.now, Body::Issuance(issuance))
        .encode()
        .unwrap();
    let size = real.propose(std::slice::from_ref(&entry));
    let cosigned = real.events.iter().rev().find_map(|event| match event {
        Event::Quorum(cosigned) if cosigned.head().size == size => Some(cosigned.clone()),
        _ => None,
    });
    let cosigned = cosigned.expect("an invalid issuance halts nothing");
    let order = real.certificate(group_key);
    let tbs = ca::tbs(&order, &[0; 32], "example.org").unwrap();
    assert!(matches!(
        real.sign(size - 1, &cosigned, group_key, &tbs),
        Event::SignRefused {
            code: Code::InvalidIssuance,
            ..
        }
    ));
}

#[test]
fn a_node_begins_with_the_pinned_authority_alone() {
    let mut real = Real::new();
    let mut other = authority(&real.log);
    other.ca_name = "Another CA".into();
    let note = note::sign(&other.to_text().unwrap(), &[&note_signer("admin", 2)]).unwrap();
    let members = {
        let mut ledger = Ledger::new(sha256(other.to_text().unwrap().as_bytes()));
        let entry = real.file(Body::Authority, note.clone());
        ledger.append(&entry, &real.log.objects).unwrap();
        membership(&ledger).unwrap()
    };
    real.coordinator = Some(Coordinator::new(members, Patience::default()));
    for i in 1..=5 {
        let output = real
            .coordinator
            .as_mut()
            .unwrap()
            .connected(real.now * 1000, &format!("signer-{i}"));
        real.take(output);
    }
    real.settle();
    let entry = real.file(Body::Authority, note);
    real.propose(&[entry]);
    assert!(
        real.events
            .iter()
            .any(|event| matches!(event, Event::HeadImpossible { size: 1 }))
    );
    assert!(
        real.nodes
            .iter()
            .all(|(node, store)| node.head().size == 0 && store.entries.is_empty())
    );
}

#[test]
fn keys_sealed_for_development_serve_no_production_ca() {
    let log = Log::new(1);
    let authority = Authority {
        mode: Mode::Production,
        enterprise_number: 12345,
        ..authority(&log)
    };
    let text = authority.to_text().unwrap();
    let note = note::sign(&text, &[&note_signer("admin", 2)]).unwrap();
    let object = ObjectRef::of(&note).unwrap();
    let entries = [Entry::new(START, Body::Authority(object)).encode().unwrap()];
    struct One(Digest, Vec<u8>);
    impl Objects for One {
        fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
            (*digest == self.0).then(|| self.1.clone())
        }
    }
    let objects = One(object.digest, note);
    let pinned = sha256(text.as_bytes());

    let mut weak = LedgerRulebook::new(pinned).for_development();
    let refused = weak.extend(&entries, &objects).unwrap_err();
    assert!(refused.to_string().contains("production mode"), "{refused}");
    assert_eq!(weak.ledger().size(), 0);
    assert!(
        LedgerRulebook::new(pinned)
            .extend(&entries, &objects)
            .is_ok()
    );
}

#[test]
fn a_refresh_under_the_real_rules() {
    let mut real = Real::new();
    real.begin();
    let group_key = real.make_key();
    real.certify("before", group_key);
    let old = real.ledger.authority().unwrap().ca_keys[0].clone();
    let event = real.run("refresh", &KeyOperation::ReshareKey(real.reshare()));
    let Event::KeyAgreed {
        group_key: same,
        text,
        signatures,
        key_signature: Some(own),
        transcript,
        ..
    } = event
    else {
        panic!("{event:?}")
    };
    real.keep(transcript);
    assert_eq!(same, group_key);
    assert_eq!(signatures.len(), 5);
    // Without the key's own signature no node takes it, whatever the service's ledger would say.
    let unsigned = authority_note(&text, &signatures, None).unwrap();
    let good = real.log.entries.clone();
    let entry = real.file(Body::Authority, unsigned);
    let size = real.propose(&[entry]);
    assert!(
        real.events
            .iter()
            .any(|event| matches!(event, Event::HeadImpossible { size: at } if *at == size))
    );
    let objects = std::mem::take(&mut real.log.objects);
    real.log = Log::new(1);
    real.log.objects = objects;
    real.log.append(&good);
    real.coordinator.as_mut().unwrap().retract();
    // The sharing in force is still the old one, and signs.
    real.certify("between", group_key);
    // Meanwhile nothing changed the authority: what all agreed to still follows from it.
    let mut forged = own;
    forged[0] ^= 1;
    assert!(authority_note(&text, &signatures, Some((&group_key, &forged))).is_err());
    let note = authority_note(&text, &signatures, Some((&group_key, &own))).unwrap();
    real.log(Body::Authority, note);
    let new = real.ledger.authority().unwrap().ca_keys[0].clone();
    assert_eq!((new.id(), new.t), (old.id(), old.t));
    assert_ne!(new.sharing(), old.sharing());
    real.certify("after", group_key);
    // The three that signed have seen the quorum's cosignatures over the entry, and erased what they had before.
    let erased = real.nodes.iter().filter(|(_, store)| {
        let mut held = store.shares.keys();
        held.all(|key| key.sharing == new.sharing())
    });
    assert!(erased.count() >= 3);
    // A node that is started anew goes on with the new share.
    let store = real.nodes[0].1.clone();
    let node = real.node(1, store);
    assert_eq!(node.rulebook().keys()[0].id().sharing, new.sharing());
}

#[test]
fn a_repair_under_the_real_rules() {
    let mut real = Real::new();
    real.begin();
    let group_key = real.make_key();
    let mut store = real.nodes[3].1.clone();
    let had = std::mem::take(&mut store.shares);
    let node = real.node(4, store.clone());
    real.nodes[3] = (node, store);
    let coordinator = real.coordinator.as_mut().unwrap();
    let output = coordinator.connected(real.now * 1000, "signer-4");
    real.take(output);
    real.settle();
    let key = real.ledger.authority().unwrap().ca_keys[0].clone();
    let repair = RepairShare {
        key: key.name.clone(),
        group_key,
        sharing: key.sharing(),
        signer: "signer-4".into(),
        helpers: ["signer-1", "signer-3", "signer-5"]
            .map(String::from)
            .into(),
    };
    let event = real.run("repair", &KeyOperation::RepairShare(repair));
    assert!(
        matches!(&event, Event::ShareRepaired { node, .. } if node == "signer-4"),
        "{event:?}"
    );
    let bytes = |shares: &BTreeMap<_, (u64, Vec<u8>)>| {
        let mut shares = shares.values();
        shares.next().unwrap().1.clone()
    };
    assert_eq!(bytes(&real.nodes[3].1.shares), bytes(&had));
    real.certify("after", group_key);
}

/// Of two keys that the same signers hold, an order is for the one that it names.
#[test]
fn no_key_signs_what_another_is_ordered_to() {
    let mut real = Real::new();
    real.begin();
    let first = real.make_key();
    let event = real.run(
        "make-ca-2",
        &KeyOperation::GenerateKey(GenerateKey {
            key: "ca-2".into(),
            ..real.generate()
        }),
    );
    let Event::KeyAgreed {
        group_key: second,
        text,
        signatures,
        transcript,
        ..
    } = event
    else {
        panic!("{event:?}")
    };
    real.keep(transcript);
    let note = authority_note(&text, &signatures, None).unwrap();
    real.log(Body::Authority, note);
    let certificate = real.certificate(first);
    let order = KeyOperation::SignCaCertificate(certificate.clone());
    let (digest, note) = real.operation("sign-ca-1", &order, &note_signer("admin", 2), EXPIRES);
    let (index, cosigned) = real.log(Body::File, note);
    let tbs = ca::tbs(&certificate, &digest, "example.org").unwrap();
    assert!(matches!(
        real.sign(index, &cosigned, second, &tbs),
        Event::SignRefused {
            code: Code::Operation,
            ..
        }
    ));
    assert!(matches!(
        real.sign(index, &cosigned, first, &tbs),
        Event::Signed { .. }
    ));
}
