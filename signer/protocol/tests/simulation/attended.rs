//! Nodes that people attend.

use bauta_signer_protocol::{
    attended::{Approval, SESSION},
    coordinator::Event,
    messages::{Code, DkgRound1s, DkgRun, DkgStart, Hello, ToCoordinator, ToNode},
    node::NodeEvent,
};

use crate::{
    shares::{issued, request, verdict},
    toy::{OPERATION, entry},
    world::World,
};

fn operations<const N: usize>(indices: [u64; N]) -> Approval {
    Approval {
        operations: indices.into(),
        issuances: None,
    }
}

fn issuances(policy: &str, most: u32) -> Approval {
    Approval {
        issuances: Some((policy.into(), most)),
        ..Approval::default()
    }
}

/// What node 0 says of itself, and whether it offers nonces.
fn present(world: &mut World) -> (Hello, bool) {
    let answers = world.tell(0, ToNode::Ping);
    let hello = answers.iter().find_map(|answer| match answer {
        ToCoordinator::Hello(hello) => Some(hello.clone()),
        _ => None,
    });
    let nonces = answers
        .iter()
        .any(|answer| matches!(answer, ToCoordinator::Nonces(_)));
    (hello.unwrap(), nonces)
}

/// A world with a logged issuance and a logged key operation, in which node 0 is attended.
fn attended() -> (World, [u8; 32], u64, u64) {
    let (mut world, group_key, issuance, _) = issued(b'I');
    let operation = issuance + 1;
    world.nodes[0].attended = true;
    world.restart(0);
    let now = world.seconds();
    world.log(&[entry(b'C', now, b"")]);
    let reached = |w: &World| {
        let heads = w.nodes.iter().map(|n| n.node.as_ref().unwrap().head().size);
        heads.min() == Some(operation + 1)
    };
    assert!(world.run(60, reached));
    (world, group_key, issuance, operation)
}

fn ask(world: &mut World, group_key: [u8; 32], index: u64) -> Option<Code> {
    let proof = world
        .log
        .proof(index, world.cosigned.as_ref().unwrap().signed());
    let asked = request(world, index, group_key, proof, b"");
    verdict(world, asked)
}

#[test]
fn an_attended_node_cosigns_alone_and_signs_nothing_while_its_holder_is_away() {
    let (mut world, group_key, issuance, operation) = attended();
    // It cosigned the head that it reached; its keys and nonces are put away.
    assert!(matches!(
        world.nodes[0].events.last(),
        Some(NodeEvent::Cosigned(_))
    ));
    let (hello, nonces) = present(&mut world);
    assert!(hello.keys.is_empty() && !nonces);
    // Nonces of the start before are no good either: a request is made while it was unattended.
    world.nodes[0].attended = false;
    world.restart(0);
    for index in [issuance, operation] {
        let proof = world
            .log
            .proof(index, world.cosigned.as_ref().unwrap().signed());
        let asked = request(&mut world, index, group_key, proof, b"");
        world.nodes[0].attended = true;
        world.restart(0);
        assert_eq!(verdict(&mut world, asked), Some(Code::Away));
        world.nodes[0].attended = false;
        world.restart(0);
    }
}

#[test]
fn a_holder_s_word_covers_what_it_names_as_often_as_it_says_and_while_the_session_lasts() {
    let (mut world, group_key, issuance, operation) = attended();
    let verdicts =
        |world: &mut World| [issuance, operation].map(|index| ask(world, group_key, index));
    let no = Some(Code::NotApproved);
    for (approval, expected) in [
        (Approval::default(), [no, no]),
        (operations([operation + 1, issuance]), [no, no]),
        (issuances("another", 9), [no, no]),
        (issuances("toy", 0), [no, no]),
        (operations([operation]), [no, None]),
        (issuances("toy", 1), [None, no]),
    ] {
        world.attend(0, approval);
        assert_eq!(verdicts(&mut world), expected);
    }
    // The same issuance again, after an answer that was lost, is not one more.
    assert_eq!(ask(&mut world, group_key, issuance), None);
    let now = world.seconds();
    world.log(&[entry(b'I', now, b"another")]);
    let next = operation + 1;
    let held = |w: &World| w.nodes[0].node.as_ref().unwrap().head().size > next;
    assert!(world.run(60, held));
    assert_eq!(ask(&mut world, group_key, next), no);
    world.attend(0, issuances("toy", 1));
    assert_eq!(ask(&mut world, group_key, next), None);

    // One second before the end, and at it.
    world.attend(0, operations([operation]));
    world.now += 1000 * (SESSION - 1);
    assert_eq!(ask(&mut world, group_key, operation), None);
    let proof = world
        .log
        .proof(operation, world.cosigned.as_ref().unwrap().signed());
    let late = request(&mut world, operation, group_key, proof, b"");
    world.now += 1000;
    assert_eq!(verdict(&mut world, late), Some(Code::Away));
    let (hello, nonces) = present(&mut world);
    assert!(hello.keys.is_empty() && !nonces);
    assert!(world.nodes[0].events.contains(&NodeEvent::Left));
}

/// With three of five shares put away there are too few signers, until one holder comes.
#[test]
fn a_signature_waits_for_holders() {
    let (mut world, group_key, _, operation) = attended();
    for i in [1, 2] {
        world.nodes[i].attended = true;
        world.restart(i);
    }
    world.events.clear();
    world.sign(operation, group_key);
    assert!(world.run(60, |w| w.events.iter().any(|event| matches!(
        event,
        Event::SignersMissing {
            available: 2,
            needed: 3,
            ..
        }
    ))));
    assert!(world.signature(operation).is_none());
    // Two are there, and have agreed to something else: the signature waits for their word, it does not end.
    for i in [0, 1] {
        world.attend(i, operations([operation + 1]));
    }
    assert!(!world.run(60, |w| w.signature(operation).is_some()));
    let refused = |event: &Event| matches!(event, Event::SignRefused { .. });
    assert!(!world.events.iter().any(refused));
    world.attend(1, operations([operation]));
    assert!(world.run(60, |w| w.signature(operation).is_some()));
    assert!(world.culprits().is_empty());
}

/// A key is made when every holder has agreed to it, and not before.
#[test]
fn a_key_waits_for_every_holder() {
    let mut world = World::new(7, 5, 3, 4);
    for i in 0..5 {
        world.nodes[i].attended = true;
        world.stop(i);
        world.start(i);
    }
    let now = world.seconds();
    world.log(&[entry(b'K', now, b"")]);
    let index = world.size() - 1;
    world.generate(index);
    assert!(!world.run(60, |w| w.agreed().is_some()));
    for i in 0..4 {
        world.attend(i, operations([index]));
    }
    world.attend(4, operations([index + 1]));
    assert!(!world.run(60, |w| w.agreed().is_some()));
    world.attend(4, operations([index]));
    assert!(world.run(60, |w| w.agreed().is_some()));
    assert!(world.culprits().is_empty());
}

/// A run's secrets are in memory alone, and not in a node whose holder is away: it begins anew.
#[test]
fn what_a_node_made_of_a_run_goes_with_its_holder() {
    let mut world = World::new(7, 5, 3, 4);
    for i in 0..5 {
        world.nodes[i].attended = true;
        world.restart(i);
    }
    let now = world.seconds();
    world.log(&[entry(b'K', now, b"")]);
    let index = world.size() - 1;
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == index + 1)
    }));
    let run = DkgRun {
        operation: OPERATION,
        index,
        attempt: [1; 16],
    };
    let cosigned = world.cosigned.clone().unwrap();
    let proof = world.log.proof(index, cosigned.signed());
    let mut round1 = Vec::new();
    for i in 0..5 {
        world.attend(i, operations([index]));
        let start = DkgStart {
            run,
            proof: proof.clone().into(),
        };
        match world.tell(i, ToNode::DkgStart(start)).as_slice() {
            [ToCoordinator::DkgRound1(said)] => round1.push(said.clone()),
            other => panic!("{other:?}"),
        }
    }
    let node = world.nodes[0].node.as_mut().unwrap();
    let left = node.leave();
    assert!(left.events.contains(&NodeEvent::Left));
    world.attend(0, operations([index]));
    let all = ToNode::DkgRound1s(DkgRound1s { run, round1 });
    assert!(matches!(
        world.tell(0, all.clone()).as_slice(),
        [ToCoordinator::Refused(refused)] if refused.code == Code::OutOfTurn
    ));
    assert!(matches!(
        world.tell(1, all).as_slice(),
        [ToCoordinator::DkgRound2(_)]
    ));
}
