//! Loss, reordering, crashes, nodes that come late.

use bauta_signer_protocol::coordinator::Event;

use crate::{toy::entry, world::World};

#[test]
fn from_an_empty_log_to_signatures() {
    let mut world = World::new(3, 5, 3, 4);
    let group_key = world.make_key();
    for _ in 0..5 {
        world.issue(group_key);
    }
    // The CA's own certificate is signed for a logged key operation, whatever the clock says of its age.
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[entry(b'C', now, b"")]);
    world.now += 3_600_000;
    world.sign(index, group_key);
    assert!(world.run(60, |w| w.signature(index).is_some()));
    assert!(world.culprits().is_empty());
}

#[test]
fn loss_reordering_and_crashes_delay_and_break_nothing() {
    for seed in 0..12 {
        let mut world = World::new(seed, 5, 3, 4);
        world.loss = 5;
        world.delay = 300;
        world.crashes = 10;
        let group_key = world.make_key();
        for _ in 0..4 {
            world.issue(group_key);
        }
        assert!(
            world.culprits().is_empty(),
            "seed {seed}: {:?}",
            world.culprits()
        );
    }
}

#[test]
fn a_node_that_was_away_catches_up_in_steps() {
    let mut world = World::new(4, 5, 3, 4);
    let group_key = world.make_key();
    world.stop(4);
    let now = world.seconds();
    let many: Vec<Vec<u8>> = (0..9000u32)
        .map(|i| entry(b'i', now, &i.to_be_bytes()))
        .collect();
    for batch in many.chunks(3000) {
        world.log(batch);
    }
    world.start(4);
    let size = world.size();
    assert!(world.run(120, |w| {
        w.nodes[4].node.as_ref().unwrap().head().size == size
    }));
    assert!(world.log.steps.get() > 0);
    assert!(world.nodes[4].store.tiles > 0);
    // With the first away, node 4 is needed.
    world.stop(0);
    assert!(world.cosigned.is_some());
    world.issue(group_key);
}

#[test]
fn a_quorum_that_is_not_there_is_said_and_comes_back() {
    let mut world = World::new(5, 5, 3, 4);
    let group_key = world.make_key();
    world.stop(0);
    world.stop(1);
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    let size = world.propose(&[entry(b'I', now, b"")]);
    assert!(world.run(60, |w| w.events.iter().any(
        |e| matches!(e, Event::QuorumMissing { have, .. } if have.len() == 3)
    )));
    world.start(0);
    assert!(world.run(60, |w| w.size() == size));
    // Two of five can sign nothing.
    world.stop(0);
    world.stop(2);
    world.sign(index, group_key);
    assert!(world.run(5, |w| w.events.iter().any(|e| matches!(
        e,
        Event::SignersMissing {
            available: 2,
            needed: 3,
            ..
        }
    ))));
    // And one that starts signs nothing before three others have welcomed it.
    world.start(1);
    assert!(!world.run(20, |w| w.signature(index).is_some()));
    world.start(0);
    assert!(world.run(60, |w| w.signature(index).is_some()));
}

#[test]
fn a_head_proposed_again_is_answered_again() {
    let mut world = World::new(16, 5, 3, 4);
    let now = world.seconds();
    let cosigned = world.log(&[entry(b'I', now, b"")]);
    let bare = world.log.sign(cosigned.head());
    let output = world.coordinator.propose(world.now, &world.log, bare);
    assert!(
        matches!(&output.events[..], [Event::Quorum(again)] if again.head() == cosigned.head())
    );
}

#[test]
fn an_entry_that_nobody_could_sign_in_time_lapses() {
    let mut world = World::new(6, 5, 3, 4);
    let group_key = world.make_key();
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[entry(b'I', now, b"")]);
    for i in 0..3 {
        world.stop(i);
    }
    world.sign(index, group_key);
    assert!(world.run(130, |w| {
        w.events
            .iter()
            .any(|e| matches!(e, Event::Lapsed { task } if *task == index))
    }));
    for i in 0..3 {
        world.start(i);
    }
    world.issue(group_key);
}

/// Killed at every write, before it is durable and after: what left a node is on its disk, no nonce signs twice, no two
/// roots of one size are cosigned (`Said` looks at every message), and the work is done all the same.
#[test]
fn killed_at_every_write_a_node_contradicts_nothing_that_it_said() {
    let run = |crash_at: Option<(usize, bool)>| {
        let mut world = World::new(21, 5, 3, 4);
        let group_key = world.make_key();
        let before = world.writes;
        world.crash_at = crash_at.map(|(at, after)| (before + at, after));
        // One signer is away, so that the one that is killed is needed.
        world.stop(4);
        world.issue(group_key);
        world.issue(group_key);
        world.writes - before
    };
    let writes = run(None);
    assert!(writes > 12, "{writes}");
    for at in 1..=writes {
        run(Some((at, false)));
        run(Some((at, true)));
    }
}

#[test]
fn a_signer_that_stops_in_good_order_in_the_middle_of_a_session_is_replaced_at_once() {
    let mut world = World::new(22, 5, 3, 4);
    let group_key = world.make_key();
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[entry(b'I', now, b"")]);
    world.nodes[0].behaviour = crate::world::Behaviour::SilentSigner;
    world.sign(index, group_key);
    let asked = world.now;
    assert!(!world.run(1, |w| w.signature(index).is_some()));
    world.stop_in_good_order(0);
    assert!(world.run(10, |w| w.signature(index).is_some()));
    // Not only when its patience for a silent signer ends.
    let patience = bauta_signer_protocol::coordinator::Patience::default().share;
    assert!(world.now < asked + patience);
    assert!(
        world
            .coordinator
            .connected_nodes()
            .all(|(name, _)| name != "signer-1")
    );
}
