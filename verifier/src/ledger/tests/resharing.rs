//! Resharing and repair: what the operations must name, and what may follow from them.

use bauta_statement::file::authority::{Authority, CaKey};
use bauta_statement::file::key_operation::{Participant, RepairShare, ReshareKey};
use bauta_statement::file::{KeyOperation, Kind, to_text};
use bauta_statement::note::{NoteSigner, sha256, sign};

use super::super::Refusal;
use super::world::{FAR, World, ca_signer};

/// A world whose CA key's secret is known, so that it can sign as its shares would.
struct Life {
    world: World,
    ca: NoteSigner,
}

fn life() -> Life {
    let mut world = World::begun(bauta_statement::file::authority::Mode::Development);
    let ca = ca_signer();
    let note = world.by_administrators(&world.generate_text("ca-1", 1));
    world.submit(note).unwrap();
    let text = world.ca_key_text("ca-1");
    let note = world.by_participants(&text);
    world.submit(note).unwrap();
    Life { world, ca }
}

impl Life {
    fn authority(&self) -> Authority {
        self.world.ledger.authority().unwrap().as_ref().clone()
    }

    fn key(&self) -> CaKey {
        self.authority().ca_keys[0].clone()
    }

    /// A refresh by the first three.
    fn reshare(&self) -> ReshareKey {
        self.world.reshare(&self.key())
    }

    fn text(operation: &KeyOperation, name: &str, version: u64, expires: u64) -> String {
        to_text(
            &World::header(Kind::KeyOperation, name, version, expires),
            operation,
        )
        .unwrap()
    }

    /// Logs an operation, and gives the key with other shares as it would come of it.
    fn log(&mut self, reshare: &ReshareKey, version: u64, expires: u64) -> CaKey {
        let text = Self::text(
            &KeyOperation::ReshareKey(reshare.clone()),
            "reshare-ca-1",
            version,
            expires,
        );
        let note = self.world.by_administrators(&text);
        self.world.submit(note).unwrap();
        let before = self.key();
        self.world.reshared(reshare, &before, &text)
    }

    /// Signed by the first so many participants, and by the key itself or not.
    fn signed(&self, text: &str, participants: usize, by_key: bool) -> Vec<u8> {
        let mut signers: Vec<&NoteSigner> =
            self.world.approvals.iter().take(participants).collect();
        if by_key {
            signers.push(&self.ca);
        }
        sign(text, &signers).unwrap()
    }

    fn submit(&mut self, note: Vec<u8>) -> Result<(), Refusal> {
        self.world.submit(note).map(drop)
    }
}

#[test]
fn new_shares_follow_from_their_key_operation_and_sign_for_themselves() {
    let mut life = life();
    let before = life.key();
    let reshare = life.reshare();
    let key = life.log(&reshare, 1, FAR);
    let authority = life.authority();
    let good = authority.with_sharing(key.clone()).unwrap();

    // All participants and the key, or nothing.
    for (participants, by_key) in [(4, true), (5, false), (0, true)] {
        let note = life.signed(&good, participants, by_key);
        assert!(
            matches!(life.submit(note), Err(Refusal::Unsigned { .. })),
            "{participants} {by_key}"
        );
    }
    // Another key of the same name is not the CA's; administrators' signatures stand for nobody's.
    let stranger = NoteSigner::from_secret("ca-1", &[91; 32]).unwrap();
    let mut signers: Vec<&NoteSigner> = life.world.approvals.iter().collect();
    signers.push(&stranger);
    let note = sign(&good, &signers).unwrap();
    assert!(matches!(life.submit(note), Err(Refusal::Unsigned { .. })));
    let note = life.world.by_administrators(&good);
    assert!(matches!(life.submit(note), Err(Refusal::Unsigned { .. })));

    // Nothing but the shares may differ, and they are as ordered.
    type Change = fn(&mut CaKey);
    let changes: [(&str, Change); 5] = [
        ("a threshold", |key| key.t = 4),
        ("a holder less", |key| {
            key.verifying_shares.pop();
        }),
        ("another holder", |key| {
            key.verifying_shares[4].signer = "signer-9".into();
        }),
        ("another operation", |key| key.operation = [1; 32]),
        ("the operation of before", |_| {}),
    ];
    for (what, change) in changes {
        let mut key = key.clone();
        change(&mut key);
        if what == "the operation of before" {
            key.operation = before.operation;
        }
        let text = authority.with_sharing(key).unwrap();
        let note = life.signed(&text, 5, true);
        assert!(
            matches!(life.submit(note), Err(Refusal::CaKey(_))),
            "{what}"
        );
    }
    let mut more = authority.clone();
    more.version += 1;
    more.ca_keys[0] = key.clone();
    more.administrators.k = 1;
    let note = life.signed(&more.to_text().unwrap(), 5, true);
    assert!(matches!(life.submit(note), Err(Refusal::CaKey(_))));
    let mut renamed = authority.clone();
    renamed.version += 1;
    renamed.ca_keys[0] = CaKey {
        group_key: stranger.verifier().public(),
        ..key.clone()
    };
    let note = life.signed(&renamed.to_text().unwrap(), 5, true);
    assert!(life.submit(note).is_err());

    let note = life.signed(&good, 5, true);
    life.submit(note.clone()).unwrap();
    assert_eq!(life.key(), key);
    assert_ne!(life.key().sharing(), before.sharing());
    assert_eq!(life.key().id(), before.id());
    // The signers and their numbers are the same, so is the quorum.
    assert_eq!(life.world.ledger.quorums().len(), 1);
    // An operation is used once: by its sharing it fits no more, and the log says so at once.
    assert!(life.submit(note).is_err());
    assert!(
        life.world
            .ledger
            .pending_operations(life.world.time)
            .is_empty()
    );
    let again = life.authority().with_sharing(CaKey {
        operation: key.operation,
        ..before
    });
    let note = life.signed(&again.unwrap(), 5, true);
    assert!(matches!(life.submit(note), Err(Refusal::CaKey(_))));
}

#[test]
fn a_resharing_that_does_not_fit_is_not_logged() {
    let mut life = life();
    type Change = fn(&mut ReshareKey);
    let changes: [(&str, Change); 11] = [
        ("another key", |one| one.key = "ca-9".into()),
        ("another group key", |one| one.group_key = [7; 32]),
        ("a sharing that is none", |one| one.from = [7; 32]),
        ("too few dealers", |one| {
            one.dealers.pop();
        }),
        ("too many dealers", |one| {
            one.dealers.push("signer-3".into())
        }),
        ("a dealer without a share", |one| {
            one.dealers[0] = "signer-9".into();
        }),
        ("a participant with another key", |one| {
            one.participants[0].approval = NoteSigner::from_secret("signer-0", &[92; 32])
                .unwrap()
                .verifier()
                .into();
        }),
        ("a stranger", |one| {
            one.participants[0].signer = "signer-9".into()
        }),
        ("a threshold that f can reach", |one| one.t = 2),
        ("a threshold that c breaks", |one| one.t = 5),
        ("another quorum", |one| one.q = 5),
    ];
    for (what, change) in changes {
        let mut reshare = life.reshare();
        change(&mut reshare);
        let operation = KeyOperation::ReshareKey(reshare);
        let text = Life::text(&operation, "reshare-ca-1", 1, FAR);
        let note = life.world.by_administrators(&text);
        assert!(
            matches!(life.submit(note), Err(Refusal::KeyOperation(_))),
            "{what}"
        );
    }
    // One administrator is not k.
    let operation = KeyOperation::ReshareKey(life.reshare());
    let text = Life::text(&operation, "reshare-ca-1", 1, FAR);
    let note = sign(&text, &[&life.world.administrators[0]]).unwrap();
    assert!(matches!(life.submit(note), Err(Refusal::Unsigned { .. })));
    // Fewer holders and another threshold, within the inequalities.
    let mut reshare = life.reshare();
    reshare.participants.truncate(4);
    reshare.n = 4;
    life.log(&reshare, 1, FAR);
    assert_eq!(
        life.world.ledger.pending_operations(life.world.time).len(),
        1
    );
}

#[test]
fn expiry_and_a_resharing_before_it_end_a_resharing() {
    let mut life = life();
    let reshare = life.reshare();
    let expires = life.world.time + 100;
    let first = life.log(&reshare, 1, expires);
    let authority = life.authority();
    let text = authority.with_sharing(first).unwrap();
    let note = life.signed(&text, 5, true);
    life.world.time += 100;
    assert!(
        life.world
            .ledger
            .pending_operations(life.world.time)
            .is_empty()
    );
    assert!(matches!(life.submit(note), Err(Refusal::CaKey(_))));
    // Two operations of one sharing: the first that is recorded ends the other.
    let text = Life::text(
        &KeyOperation::ReshareKey(reshare.clone()),
        "another",
        1,
        FAR,
    );
    let note = life.world.by_administrators(&text);
    life.submit(note).unwrap();
    let second = life.log(&reshare, 2, FAR);
    assert_eq!(
        life.world.ledger.pending_operations(life.world.time).len(),
        2
    );
    let recorded = life.authority().with_sharing(second.clone()).unwrap();
    let note = life.signed(&recorded, 5, true);
    life.submit(note).unwrap();
    assert!(
        life.world
            .ledger
            .pending_operations(life.world.time)
            .is_empty()
    );
    let other = CaKey {
        operation: sha256(text.as_bytes()),
        t: 3,
        ..second
    };
    let text = life.authority().with_sharing(other).unwrap();
    let note = life.signed(&text, 5, true);
    assert!(matches!(life.submit(note), Err(Refusal::CaKey(_))));
}

#[test]
fn a_key_keeps_its_threshold_within_the_inequalities() {
    let mut life = life();
    let mut reshare = life.reshare();
    reshare.t = 4;
    let key = life.log(&reshare, 1, FAR);
    let text = life.authority().with_sharing(key).unwrap();
    let note = life.signed(&text, 5, true);
    life.submit(note).unwrap();
    assert_eq!((life.key().t, life.authority().quorum.t), (4, 3));
    // Numbers under which it could not be live, or bad signers could sign, are refused.
    let mut next = life.authority();
    next.version += 1;
    next.quorum.c = 2;
    assert!(next.to_text().is_err());
    let mut next = life.authority();
    next.quorum.f = 4;
    assert!(next.to_text().is_err());
}

#[test]
fn a_repair_names_a_holder_and_t_others() {
    let mut life = life();
    let good = World::repair(&life.key());
    type Change = fn(&mut RepairShare);
    let changes: [(&str, Change); 6] = [
        ("another key", |one| one.key = "ca-9".into()),
        ("another group key", |one| one.group_key = [7; 32]),
        ("a sharing that is none", |one| one.sharing = [7; 32]),
        ("one without a share", |one| one.signer = "signer-9".into()),
        ("too few helpers", |one| {
            one.helpers.pop();
        }),
        ("a helper without a share", |one| {
            one.helpers[0] = "signer-9".into();
        }),
    ];
    for (what, change) in changes {
        let mut repair = good.clone();
        change(&mut repair);
        let text = Life::text(&KeyOperation::RepairShare(repair), "repair", 1, FAR);
        let note = life.world.by_administrators(&text);
        assert!(
            matches!(life.submit(note), Err(Refusal::KeyOperation(_))),
            "{what}"
        );
    }
    let text = Life::text(&KeyOperation::RepairShare(good), "repair", 1, FAR);
    let note = life.world.by_administrators(&text);
    life.submit(note).unwrap();
    assert_eq!(
        life.world.ledger.pending_operations(life.world.time).len(),
        1
    );
    // A new sharing ends it.
    let reshare = life.reshare();
    let key = life.log(&reshare, 1, FAR);
    let text = life.authority().with_sharing(key).unwrap();
    let note = life.signed(&text, 5, true);
    life.submit(note).unwrap();
    assert!(
        life.world
            .ledger
            .pending_operations(life.world.time)
            .is_empty()
    );
}

/// A participant may be a signer that holds no share yet.
#[test]
fn participants_may_be_signers_without_a_share() {
    let mut life = life();
    let mut reshare = life.reshare();
    reshare.participants = (1..=4)
        .zip(life.world.approvals.iter().rev())
        .map(|(identifier, signer)| Participant {
            identifier,
            signer: signer.name().into(),
            approval: signer.verifier().into(),
        })
        .collect();
    reshare.n = 4;
    let key = life.log(&reshare, 1, FAR);
    let text = life.authority().with_sharing(key.clone()).unwrap();
    let mut signers: Vec<&NoteSigner> = life.world.approvals.iter().skip(1).collect();
    signers.push(&life.ca);
    let note = sign(&text, &signers).unwrap();
    life.submit(note).unwrap();
    assert_eq!(life.key(), key);
    // Now signer-0 holds none, and does not deal.
    let operation = KeyOperation::ReshareKey(ReshareKey {
        from: key.sharing(),
        ..reshare
    });
    let text = Life::text(&operation, "reshare-ca-1", 2, FAR);
    let note = life.world.by_administrators(&text);
    assert!(matches!(life.submit(note), Err(Refusal::KeyOperation(_))));
}
