//! What gets no cosignature.

use bauta_log::Head;
use bauta_signer_protocol::{
    messages::{Append, Code, Refused, ToCoordinator, ToNode},
    node::{NodeEvent, RestoreError},
};

use crate::{kept::Log, toy::entry, world::World};

fn append(first: u64, entries: &[Vec<u8>], checkpoint: &bauta_log::SignedCheckpoint) -> ToNode {
    ToNode::Append(Append {
        first,
        entries: entries.iter().map(|entry| entry.clone().into()).collect(),
        objects: vec![],
        checkpoint: checkpoint.to_bytes().into(),
    })
}

fn refused(answers: &[ToCoordinator]) -> Option<Code> {
    answers.iter().find_map(|answer| match answer {
        ToCoordinator::Refused(Refused { code, .. }) => Some(*code),
        _ => None,
    })
}

fn is_cosigned(answers: &[ToCoordinator]) -> bool {
    answers
        .iter()
        .any(|answer| matches!(answer, ToCoordinator::Cosigned(_)))
}

/// A world with three entries that everybody holds.
fn three() -> World {
    let mut world = World::new(1, 5, 3, 4);
    let now = world.seconds();
    world.log(&[
        entry(b'I', now, b"a"),
        entry(b'I', now, b"b"),
        entry(b'I', now, b"c"),
    ]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == 3)
    }));
    world
}

#[test]
fn a_second_checkpoint_of_one_size_is_evidence() {
    let mut world = three();
    let now = world.seconds();
    let ours = world.nodes[0].store.head.clone().unwrap().checkpoint;
    // The same log key signs another history of the same length.
    let mut other = Log::new(1);
    let entries = [
        entry(b'I', now, b"a"),
        entry(b'I', now, b"b"),
        entry(b'I', now, b"other"),
    ];
    let forked = other.append(&entries);
    let answers = world.tell(0, append(0, &entries, &forked));
    assert_eq!(refused(&answers), Some(Code::Forked));
    let evidence = NodeEvent::Fork {
        ours,
        theirs: forked.to_bytes(),
    };
    assert!(world.nodes[0].events.contains(&evidence));
    // Its own head it cosigns again: the first answer may have been lost.
    let again = world.log.sign(world.log.tree.head());
    assert!(is_cosigned(&world.tell(0, append(3, &[], &again))));
    // And the next good entry goes on.
    world.log(&[entry(b'I', now, b"d")]);
}

#[test]
fn a_fork_that_is_longer_does_not_hash() {
    let mut world = three();
    let now = world.seconds();
    let mut other = Log::new(1);
    let entries = [b"a", b"x", b"c", b"d"].map(|rest| entry(b'I', now, rest));
    let forked = other.append(&entries);
    for first in [0, 3] {
        let sent = &entries[first as usize..];
        let answers = world.tell(0, append(first, sent, &forked));
        assert_eq!(refused(&answers), Some(Code::WrongRoot), "from {first}");
    }
    world.log(&[entry(b'I', now, b"d")]);
}

#[test]
fn the_log_does_not_go_back_and_nobody_else_signs_for_it() {
    let mut world = three();
    let back = world.log.sign(world.log.tree.head_at(2).unwrap());
    assert_eq!(
        refused(&world.tell(0, append(2, &[], &back))),
        Some(Code::GoesBack)
    );
    let stranger = Log::new(2).sign(Head {
        size: 4,
        root: [1; 32],
    });
    assert_eq!(
        refused(&world.tell(0, append(3, &[], &stranger))),
        Some(Code::LogSignature)
    );
}

#[test]
fn entries_ahead_of_the_clock_wait() {
    let mut world = three();
    let now = world.seconds();
    let ahead = entry(b'I', now + 121, b"ahead");
    let signed = world.log.append(std::slice::from_ref(&ahead));
    assert_eq!(
        refused(&world.tell(0, append(3, std::slice::from_ref(&ahead), &signed))),
        Some(Code::Ahead)
    );
    world.now += 1000;
    assert!(is_cosigned(&world.tell(0, append(3, &[ahead], &signed))));
}

#[test]
fn an_invalid_entry_gets_no_quorum_and_halts_nothing() {
    let mut world = three();
    let now = world.seconds();
    let good = world.log.tree.head();
    world.propose(&[entry(b'X', now, b"")]);
    let impossible = |w: &World| {
        w.events.iter().any(|e| {
            matches!(
                e,
                bauta_signer_protocol::coordinator::Event::HeadImpossible { size: 4 }
            )
        })
    };
    assert!(world.run(60, impossible));
    assert_eq!(world.size(), 3);
    // The service goes back to the last head that has its quorum, and on from there.
    let mut log = Log::new(1);
    log.append(&world.log.entries[..3]);
    assert_eq!(log.tree.head(), good);
    world.log = log;
    world.coordinator.retract();
    assert_eq!(
        world
            .log(&[entry(b'i', now, b"an invalid issuance stays")])
            .head()
            .size,
        4
    );
}

#[test]
fn a_missing_object_is_fetched_in_parts_and_kept() {
    use sha2::Digest as _;
    let mut world = three();
    let now = world.seconds();
    let object: Vec<u8> = (0..2_500_000u32).map(|i| i as u8).collect();
    let digest: [u8; 32] = sha2::Sha256::digest(&object).into();
    world.log.objects.insert(digest, object.clone());
    world.log(&[entry(b'O', now, &digest)]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.store.objects.get(&digest) == Some(&object))
    }));
}

#[test]
fn an_object_of_another_digest_is_refused() {
    use bauta_signer_protocol::messages::Object;
    let mut world = three();
    let now = world.seconds();
    let wanted = entry(b'O', now, &[5; 32]);
    let signed = world.log.append(std::slice::from_ref(&wanted));
    let answers = world.tell(0, append(3, &[wanted], &signed));
    assert!(matches!(answers[..], [ToCoordinator::ObjectWanted(_)]));
    let wrong = Object {
        digest: [5; 32],
        length: 3,
        offset: 0,
        bytes: b"bad".to_vec().into(),
    };
    assert_eq!(
        refused(&world.tell(0, ToNode::Object(wrong))),
        Some(Code::Object)
    );
    assert!(world.nodes[0].store.objects.is_empty());
}

#[test]
fn a_store_that_lost_or_changed_something_does_not_start() {
    let mut world = three();
    world.nodes[0].store.entries[1] = entry(b'I', 0, b"changed");
    assert_eq!(world.restore(0).err(), Some(RestoreError::Root(3)));
    world.nodes[1].store.entries.pop();
    assert_eq!(world.restore(1).err(), Some(RestoreError::EntryMissing(2)));
}
