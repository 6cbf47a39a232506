//! Starts and welcomes: disks that were put back, copies, losses, liars on both sides, and that honest nodes come back
//! whatever happens to the others.

use bauta_log::{Checkpoint, Head};
use bauta_signer_protocol::{
    boot::{Boot, MAX_BOOTS, NotWelcome, Proof, Welcome},
    coordinator::Event,
    memory::Memory,
    messages::{
        Append, Code, DkgRun, DkgStart, Refused, SharedKey, SignRequest, Stage, ToCoordinator,
        ToNode,
    },
    node::NodeEvent,
};
use ed25519_dalek::SigningKey;

use crate::{
    approvals::ApprovalSecret,
    kept::MemoryStore,
    toy::{OPERATION, entry},
    world::{ORIGIN, World},
};

fn head(world: &World, i: usize) -> Head {
    world.nodes[i].node.as_ref().unwrap().head()
}

/// Five signers with a key, of whom the last takes no part in what the tests do.
fn made() -> (World, [u8; 32]) {
    let mut world = World::new(20, 5, 3, 4);
    let group_key = world.make_key();
    (world, group_key)
}

/// The log goes on by one entry, and everybody has it.
fn go_on(world: &mut World, nodes: &[usize]) {
    let now = world.seconds();
    world.log(&[entry(b'I', now, b"")]);
    let size = world.size();
    assert!(world.run(60, |w| nodes.iter().all(|i| head(w, *i).size == size)));
}

fn put_back(world: &mut World, i: usize, image: MemoryStore) {
    world.stop(i);
    world.nodes[i].store = image;
    world.nodes[i].events.clear();
    world.start(i);
}

/// Node `i` is out, says so, has signed nothing since it started, and stays out when it is started again.
fn is_out(world: &mut World, i: usize) {
    for _ in 0..2 {
        assert!(
            world.run(60, |w| w.standing(i) == Stage::Out),
            "node {i} is not out: {:?} {:?}",
            world.nodes[i].events,
            world.nodes[1].events
        );
        let signed = |event: &NodeEvent| {
            matches!(
                event,
                NodeEvent::Cosigned(_) | NodeEvent::ShareGiven { .. } | NodeEvent::Welcomed { .. }
            )
        };
        assert!(!world.nodes[i].events.iter().any(signed));
        let name = world.nodes[i].name.clone();
        assert!(world.run(10, |w| {
            w.events
                .iter()
                .any(|event| matches!(event, Event::SignerOut { node } if *node == name))
        }));
        let at = world.log.sign(world.log.tree.head());
        let answers = world.tell(
            i,
            ToNode::Append(Append {
                first: 0,
                entries: vec![],
                objects: vec![],
                checkpoint: at.to_bytes().into(),
            }),
        );
        assert!(
            matches!(&answers[..], [ToCoordinator::Refused(Refused { code: Code::Out, reason, .. })]
                if reason.contains("re-enrol"))
        );
        world.stop(i);
        world.start(i);
    }
}

#[test]
fn an_image_of_before_the_last_start_is_found_by_the_number_of_starts() {
    let (mut world, group_key) = made();
    let image = world.nodes[0].store.clone();
    world.restart(0);
    // It has cosigned nothing since: only its starts tell.
    put_back(&mut world, 0, image);
    is_out(&mut world, 0);
    world.issue(group_key);
}

#[test]
fn an_image_that_starts_often_is_found_by_the_row_of_its_starts() {
    let (mut world, _) = made();
    let mut image = world.nodes[0].store.clone();
    world.restart(0);
    // The image starts in secret until its number is higher than any that was seen.
    world.stop(0);
    for _ in 0..3 {
        world.nodes[0].store = image;
        let mut node = world.restore(0).unwrap();
        let output = node.connected(&mut world.rng);
        world.nodes[0].store.persist(output.persist);
        image = world.nodes[0].store.clone();
    }
    // Each of the others knows it by itself: the boot that it remembers is not in the row.
    let boot = start_unseen(&mut world, 0);
    for by in 1..5 {
        let answers = ask(&mut world, by, &boot);
        assert!(
            matches!(&answers[..], [ToCoordinator::NotWelcome(no)]
                if matches!(&no.proof, Proof::Boot(seen) if seen.counter < boot.counter)),
            "{answers:?}"
        );
    }
    world.stop(0);
    world.nodes[0].events.clear();
    world.start(0);
    is_out(&mut world, 0);
}

#[test]
fn an_image_of_a_running_disk_is_found_by_what_was_cosigned() {
    let (mut world, group_key) = made();
    let image = world.nodes[0].store.clone();
    go_on(&mut world, &[0, 1, 2, 3, 4]);
    // The others have seen its cosignature: the head is published, or was cosigned by it late.
    go_on(&mut world, &[0, 1, 2, 3, 4]);
    put_back(&mut world, 0, image);
    is_out(&mut world, 0);
    world.issue(group_key);
}

#[test]
fn a_signer_that_lost_its_disk_is_out() {
    let (mut world, group_key) = made();
    put_back(&mut world, 2, MemoryStore::default());
    is_out(&mut world, 2);
    world.issue(group_key);
}

#[test]
fn of_a_disk_and_its_copy_one_goes_out() {
    let (mut world, _) = made();
    let mut copy = world.restore(0).unwrap();
    let output = copy.connected(&mut world.rng);
    let start = output.send.iter().find_map(|message| match message {
        ToCoordinator::Boot(boot) => Some(boot.clone()),
        _ => None,
    });
    // The copy is one start ahead, so the others cannot tell it from a restart. The original can.
    world.tell(0, ToNode::Boot(start.unwrap()));
    assert_eq!(world.standing(0), Stage::Out);
    assert!(
        world.nodes[0]
            .store
            .memory
            .keys()
            .any(|name| matches!(name, Memory::Out(_)))
    );
}

#[test]
fn all_at_once_and_with_one_down() {
    let (mut world, group_key) = made();
    go_on(&mut world, &[0, 1, 2, 3, 4]);
    for _ in 0..3 {
        (0..5).for_each(|i| world.stop(i));
        (0..5).for_each(|i| world.start(i));
        assert!(world.run(60, |w| (0..5).all(|i| w.standing(i) == Stage::Welcome)));
        world.issue(group_key);
    }
    (0..5).for_each(|i| world.stop(i));
    (1..5).for_each(|i| world.start(i));
    assert!(world.run(60, |w| (1..5).all(|i| w.standing(i) == Stage::Welcome)));
    world.issue(group_key);
    // Who was down comes back after that, as often as it likes.
    world.start(0);
    for _ in 0..3 {
        assert!(world.run(60, |w| w.standing(0) == Stage::Welcome));
        world.restart(0);
    }
}

#[test]
fn honest_starts_under_loss_and_crashes_are_never_taken_for_others() {
    for seed in 0..6 {
        let mut world = World::new(seed, 5, 3, 4);
        world.loss = 10;
        world.delay = 300;
        world.crashes = 15;
        for _ in 0..6 {
            let now = world.seconds();
            world.log(&[entry(b'I', now, b"")]);
        }
        for i in 0..5 {
            assert_ne!(world.standing(i), Stage::Out, "seed {seed}");
        }
    }
}

/// The answers that node `i` would get to its statement from node `by`.
fn ask(world: &mut World, by: usize, boot: &Boot) -> Vec<ToCoordinator> {
    world.tell(by, ToNode::Boot(boot.clone()))
}

/// Starts node `i` from its disk, out of the coordinator's sight.
fn start_unseen(world: &mut World, i: usize) -> Boot {
    world.stop(i);
    let mut node = world.restore(i).unwrap();
    let output = node.connected(&mut world.rng);
    world.nodes[i].store.persist(output.persist);
    world.nodes[i].node = Some(node);
    match &output.send[..] {
        [ToCoordinator::Hello(hello), ToCoordinator::Boot(boot)] => {
            assert_eq!(hello.stage, Stage::Waiting);
            boot.clone()
        }
        other => panic!("{other:?}"),
    }
}

fn welcome_of(answers: &[ToCoordinator]) -> Welcome {
    match answers {
        [ToCoordinator::Welcome(welcome)] => welcome.clone(),
        other => panic!("{other:?}"),
    }
}

fn approval(world: &World, i: usize) -> ApprovalSecret {
    ApprovalSecret::of(i, &world.nodes[i].seeds.1)
}

#[test]
fn it_takes_q_less_one_welcomes_of_others_for_this_boot() {
    let (mut world, _) = made();
    let before = start_unseen(&mut world, 0);
    let old: Vec<Welcome> = (1..4)
        .map(|by| welcome_of(&ask(&mut world, by, &before)))
        .collect();
    let boot = start_unseen(&mut world, 0);
    let fresh: Vec<Welcome> = (1..4)
        .map(|by| welcome_of(&ask(&mut world, by, &boot)))
        .collect();
    let tell = |world: &mut World, welcome: Welcome| {
        world.tell(0, ToNode::Welcome(welcome));
        world.standing(0)
    };
    // Replayed ones of the boot before, the same ones with another name of the boot, and one's own.
    for welcome in &old {
        assert_eq!(tell(&mut world, welcome.clone()), Stage::Waiting);
        let mut renamed = welcome.clone();
        renamed.boot = boot.boot;
        assert_eq!(tell(&mut world, renamed), Stage::Waiting);
    }
    let own = Welcome {
        name: "signer-1".into(),
        ..fresh[0].clone()
    };
    let own = own.sign(ORIGIN, &approval(&world, 0)).unwrap();
    assert_eq!(tell(&mut world, own), Stage::Waiting);
    let stranger = Welcome {
        name: "mallory".into(),
        ..fresh[0].clone()
    };
    let stranger = stranger.sign(ORIGIN, &SigningKey::from_bytes(&[9; 32]));
    assert_eq!(tell(&mut world, stranger.unwrap()), Stage::Waiting);
    let of_another_log = fresh[0]
        .clone()
        .sign("log.example.org/2027h1", &approval(&world, 1));
    assert_eq!(tell(&mut world, of_another_log.unwrap()), Stage::Waiting);
    // The same signer twice is one.
    for _ in 0..3 {
        assert_eq!(tell(&mut world, fresh[0].clone()), Stage::Waiting);
    }
    assert_eq!(tell(&mut world, fresh[1].clone()), Stage::Waiting);
    // Until the last of them it cosigns nothing, gives no share, and takes no part in making a key.
    let at = world.log.sign(world.log.tree.head());
    let refused = |answers: &[ToCoordinator]| match answers {
        [ToCoordinator::Refused(refused)] => Some(refused.code),
        _ => None,
    };
    let append = Append {
        first: 0,
        entries: vec![],
        objects: vec![],
        checkpoint: at.to_bytes().into(),
    };
    assert_eq!(
        refused(&world.tell(0, ToNode::Append(append.clone()))),
        Some(Code::Unwelcome)
    );
    let start = DkgStart {
        run: DkgRun {
            operation: OPERATION,
            index: 0,
            attempt: [0; 16],
        },
        proof: vec![].into(),
    };
    assert_eq!(
        refused(&world.tell(0, ToNode::DkgStart(start))),
        Some(Code::Unwelcome)
    );
    let sign = SignRequest {
        session: [0; 16],
        index: 0,
        proof: vec![].into(),
        csr: vec![].into(),
        openings: vec![].into(),
        key: SharedKey {
            group_key: [0; 32],
            sharing: [0; 32],
        },
        tbs_digest: [0; 32],
        scheme: 1,
        round: 1,
        payload: vec![].into(),
    };
    assert_eq!(
        refused(&world.tell(0, ToNode::Sign(sign))),
        Some(Code::Unwelcome)
    );
    assert_eq!(tell(&mut world, fresh[2].clone()), Stage::Welcome);
    assert!(matches!(
        world.tell(0, ToNode::Append(append))[..],
        [ToCoordinator::Cosigned(_)]
    ));
}

#[test]
fn a_welcome_counts_once_the_log_holds_the_head_it_names() {
    let (mut world, _) = made();
    go_on(&mut world, &[0, 1, 2, 3, 4]);
    world.stop(0);
    go_on(&mut world, &[1, 2, 3, 4]);
    let boot = start_unseen(&mut world, 0);
    // A liar names a head that nobody has; two honest ones name one that this node does not have yet.
    let lie = Welcome {
        size: 1 << 40,
        ..welcome_of(&ask(&mut world, 4, &boot))
    };
    let lie = lie.sign(ORIGIN, &approval(&world, 4)).unwrap();
    world.tell(0, ToNode::Welcome(lie));
    for by in 1..4 {
        let welcome = welcome_of(&ask(&mut world, by, &boot));
        assert_eq!(welcome.size, world.size());
        world.tell(0, ToNode::Welcome(welcome));
    }
    assert_eq!(world.standing(0), Stage::Waiting);
    let append = |world: &World, size: u64| {
        ToNode::Append(Append {
            first: size - 1,
            entries: vec![world.log.entries[size as usize - 1].clone().into()],
            objects: vec![],
            checkpoint: world
                .log
                .sign(world.log.tree.head_at(size).unwrap())
                .to_bytes()
                .into(),
        })
    };
    // It stores the entry, is welcome by that, and cosigns.
    let catch_up = append(&world, world.size());
    let answers = world.tell(0, catch_up);
    assert_eq!(world.standing(0), Stage::Welcome);
    assert!(
        answers
            .iter()
            .any(|answer| matches!(answer, ToCoordinator::Cosigned(_)))
    );
}

#[test]
fn a_head_of_another_history_is_no_starting_head() {
    let (mut world, _) = made();
    let boot = start_unseen(&mut world, 0);
    for by in 1..4 {
        let size = 1;
        let other = Welcome {
            size,
            root: [6; 32],
            ..welcome_of(&ask(&mut world, by, &boot))
        };
        let other = other.sign(ORIGIN, &approval(&world, by)).unwrap();
        world.tell(0, ToNode::Welcome(other));
    }
    assert_eq!(world.standing(0), Stage::Waiting);
    // The same size with this log's root, which lies below its head.
    let root = world.log.tree.head_at(1).unwrap().root;
    for by in 1..4 {
        let same = Welcome {
            size: 1,
            root,
            ..welcome_of(&ask(&mut world, by, &boot))
        };
        let same = same.sign(ORIGIN, &approval(&world, by)).unwrap();
        world.tell(0, ToNode::Welcome(same));
    }
    assert_eq!(world.standing(0), Stage::Welcome);
}

#[test]
fn no_lie_keeps_an_honest_node_out() {
    let (mut world, _) = made();
    go_on(&mut world, &[0, 1, 2, 3, 4]);
    let first = start_unseen(&mut world, 0);
    let boot = start_unseen(&mut world, 0);
    let foreign = Boot {
        counter: boot.counter + 5,
        ..boot.clone()
    };
    let now = world.seconds();
    let size = head(&world, 0).size;
    let checkpoint = |head: Head, by: usize, world: &World| {
        let signed = world.collude(world.log.sign(head), &[by]);
        Proof::Checkpoint(signed.to_bytes().into())
    };
    let beyond = Head {
        size: size + 1,
        root: [8; 32],
    };
    let lies = [
        // Its own starts, of before and of now.
        Proof::Boot(first.clone()),
        Proof::Boot(boot.clone()),
        // A start that somebody else signed, or nobody.
        Proof::Boot(foreign.clone().sign(ORIGIN, &approval(&world, 1)).unwrap()),
        Proof::Boot(foreign.clone()),
        // A start of its own in another log.
        Proof::Boot(
            foreign
                .sign("log.example.org/2027h1", &approval(&world, 0))
                .unwrap(),
        ),
        // What it cosigned, and what another signer did.
        checkpoint(head(&world, 0), 0, &world),
        checkpoint(world.log.tree.head_at(1).unwrap(), 0, &world),
        checkpoint(beyond, 1, &world),
        // A checkpoint of another log.
        {
            let other = crate::kept::Log::new(2);
            let mut signed = other.sign(beyond);
            let line = world
                .cosignature(0)
                .cosign(&Checkpoint::new(ORIGIN, beyond).unwrap(), now)
                .unwrap();
            signed.add(line);
            Proof::Checkpoint(signed.to_bytes().into())
        },
        Proof::Checkpoint(b"nonsense".to_vec().into()),
    ];
    for proof in lies {
        let not_welcome = NotWelcome {
            to: "signer-1".into(),
            proof: proof.clone(),
        };
        assert!(world.tell(0, ToNode::NotWelcome(not_welcome)).is_empty());
        assert_eq!(world.standing(0), Stage::Waiting, "{proof:?}");
    }
    // The truth does: a cosignature of its own beyond what it knows of.
    let truth = NotWelcome {
        to: "signer-1".into(),
        proof: checkpoint(beyond, 0, &world),
    };
    world.tell(0, ToNode::NotWelcome(truth));
    assert_eq!(world.standing(0), Stage::Out);
}

#[test]
fn a_start_told_late_or_again_changes_nothing() {
    let (mut world, _) = made();
    let first = start_unseen(&mut world, 0);
    let second = start_unseen(&mut world, 0);
    let once = welcome_of(&ask(&mut world, 1, &second));
    assert_eq!(welcome_of(&ask(&mut world, 1, &second)), once);
    // The older one is answered with the newer, which is no proof to the node that made both.
    let answers = ask(&mut world, 1, &first);
    assert!(
        matches!(&answers[..], [ToCoordinator::NotWelcome(no)] if no.proof == Proof::Boot(second.clone()))
    );
    assert_eq!(welcome_of(&ask(&mut world, 1, &second)), once);
    // Nor is what the node did not sign answered, or what names too few starts.
    let mut altered = second.clone();
    altered.size += 1;
    assert!(ask(&mut world, 1, &altered).is_empty());
    let mut short = Boot {
        counter: second.counter + 1,
        boot: [7; 16],
        before: vec![second.boot],
        ..second
    };
    short = short.sign(ORIGIN, &approval(&world, 0)).unwrap();
    assert!(ask(&mut world, 1, &short).is_empty());
}

#[test]
fn a_signer_that_was_away_for_too_many_starts_says_nothing_and_the_others_do() {
    let (mut world, _) = made();
    world.stop(4);
    for _ in 0..=MAX_BOOTS {
        world.restart(0);
    }
    let boot = start_unseen(&mut world, 0);
    world.start(4);
    assert!(ask(&mut world, 4, &boot).is_empty());
    assert!(
        world.nodes[4]
            .events
            .iter()
            .any(|event| matches!(event, NodeEvent::TooManyStarts { .. }))
    );
    world.restart(0);
}

#[test]
fn what_is_remembered_does_not_grow() {
    let (mut world, _) = made();
    for _ in 0..4 {
        world.restart(0);
        go_on(&mut world, &[0, 1, 2, 3, 4]);
    }
    // Its starts, what it cosigned, and of each signer a start and a cosignature.
    for node in &world.nodes {
        assert!(
            node.store.memory.len() <= 2 + 4 + 5,
            "{:?}",
            node.store.memory.keys()
        );
    }
}
