//! Nodes that cheat, and a coordinator that cheats with them.

use bauta_signer_protocol::{
    coordinator::Event,
    messages::{
        Append, Code, DkgRound1, DkgRound1s, DkgRound2s, DkgRun, DkgStart, Refused, SharedKey,
        SignRequest, Subject, ToCoordinator, ToNode,
    },
};
use bauta_statement::file::authority::Quorum;

use crate::{
    kept::Log,
    toy::{OPERATION, entry},
    world::{Behaviour, World},
};

#[test]
fn a_bad_share_is_named_and_replaced() {
    let mut world = World::new(7, 5, 3, 4);
    let group_key = world.make_key();
    world.nodes[0].behaviour = Behaviour::BadShares;
    world.nodes[1].behaviour = Behaviour::BadShares;
    for _ in 0..3 {
        world.issue(group_key);
    }
    assert!(
        world.culprits().iter().eq(["signer-1", "signer-2"]),
        "{:?}",
        world.culprits()
    );
}

#[test]
fn silent_and_refusing_signers_are_replaced() {
    for behaviour in [Behaviour::SilentSigner, Behaviour::RefusesToSign] {
        let mut world = World::new(8, 5, 3, 4);
        let group_key = world.make_key();
        world.nodes[0].behaviour = behaviour;
        world.nodes[1].behaviour = behaviour;
        for _ in 0..3 {
            world.issue(group_key);
        }
        assert!(world.culprits().is_empty());
    }
}

#[test]
fn bad_signers_alone_do_not_send_the_log_back() {
    let mut world = World::new(17, 5, 3, 4);
    world.run(1, |_| false);
    let now = world.seconds();
    let size = world.propose(&[entry(b'I', now, b"")]);
    // A refusal counts from whoever was sent the head.
    let mut impossible = |name: &str| {
        let refused = ToCoordinator::Refused(Refused {
            subject: Subject::Append(size),
            code: Code::InvalidEntry,
            reason: "so they say".into(),
        });
        let output = world
            .coordinator
            .handle(world.now, &mut world.rng, &world.log, name, refused);
        output
            .events
            .iter()
            .any(|event| matches!(event, Event::HeadImpossible { .. }))
    };
    // f = 2: the three honest ones may have cosigned, and could follow no other head of this size.
    assert!(!impossible("signer-1"));
    assert!(!impossible("signer-2"));
    assert!(impossible("signer-3"));
}

#[test]
fn when_too_many_refuse_the_task_ends_with_their_reason() {
    let mut world = World::new(9, 5, 3, 4);
    let group_key = world.make_key();
    for i in 0..3 {
        world.nodes[i].behaviour = Behaviour::RefusesToSign;
    }
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[entry(b'I', now, b"")]);
    world.sign(index, group_key);
    let refused = |w: &World| {
        w.events.iter().any(|e| {
            matches!(
                e,
                Event::SignRefused {
                    code: Code::InvalidIssuance,
                    ..
                }
            )
        })
    };
    assert!(world.run(60, refused));
    for i in 0..3 {
        world.nodes[i].behaviour = Behaviour::Honest;
    }
    world.issue(group_key);
}

#[test]
fn a_bad_cosignature_is_named_and_not_counted() {
    let mut world = World::new(10, 5, 3, 4);
    world.nodes[2].behaviour = Behaviour::BadCosignatures;
    let now = world.seconds();
    let cosigned = world.log(&[entry(b'I', now, b"")]);
    assert_eq!(cosigned.cosigners().len(), 4);
    assert!(world.culprits().iter().eq(["signer-3"]));
}

/// f signers, the coordinator and the log's key together, against the honest rest: for an entry that the honest
/// majority's log does not have, there is no share of an honest node, so never t of them.
#[test]
fn f_bad_signers_and_the_coordinator_get_no_unlogged_signature() {
    f_bad_signers_get_nothing(Quorum::FIVE);
}

#[test]
fn f_bad_signers_of_seven_and_the_coordinator_get_no_unlogged_signature() {
    f_bad_signers_get_nothing(Quorum::SEVEN);
}

fn f_bad_signers_get_nothing(quorum: Quorum) {
    let Quorum { n, t, q, f, .. } = quorum;
    quorum.check().unwrap();
    let mut world = World::new(11, n, t as u16, q);
    let group_key = world.make_key();
    let key = world.key().id();
    let now = world.seconds();
    let base = world.log.entries.clone();
    let bad: Vec<usize> = (0..f).collect();
    let honest: Vec<usize> = (f..n).collect();

    // Two histories after the same beginning; the log's key signs both.
    let fork = |rest: &[u8]| {
        let mut log = Log::new(1);
        log.append(&base);
        let signed = log.append(&[entry(b'I', now, rest)]);
        (log, signed)
    };
    let index = base.len() as u64;
    let histories = [fork(b"shown"), fork(b"hidden")];

    // Every way to split the honest nodes between the two, of those that differ in more than names.
    let splits = (0..=honest.len()).map(|other| (1u32 << other) - 1);
    for split in splits {
        let mut world_ = World::new(11, n, t as u16, q);
        assert_eq!(world_.make_key(), group_key);
        let side = |i: usize| (split >> (i - f) & 1) as usize;
        let mut cosigned = [Vec::new(), Vec::new()];
        for i in &honest {
            let (log, signed) = &histories[side(*i)];
            for (which, (_, other)) in histories.iter().enumerate() {
                let first = if which == side(*i) { signed } else { other };
                let append = |checkpoint: &bauta_log::SignedCheckpoint, log: &Log| {
                    ToNode::Append(Append {
                        first: index,
                        entries: vec![log.entries[index as usize].clone().into()],
                        objects: vec![],
                        checkpoint: checkpoint.to_bytes().into(),
                    })
                };
                // Its own side first, then the other one.
                let own = world_.tell(*i, append(signed, log));
                if own.iter().any(|a| matches!(a, ToCoordinator::Cosigned(_))) && which == side(*i)
                {
                    cosigned[side(*i)].push(*i);
                }
                if which != side(*i) {
                    let answers = world_.tell(*i, append(first, &histories[which].0));
                    let forked = |a: &ToCoordinator| {
                        matches!(
                            a,
                            ToCoordinator::Refused(Refused {
                                code: Code::Forked,
                                ..
                            })
                        )
                    };
                    assert!(answers.iter().any(forked), "an honest node cosigned both");
                }
            }
        }
        let mut winners = 0;
        for (which, (log, signed)) in histories.iter().enumerate() {
            let all: Vec<usize> = bad.iter().chain(&cosigned[which]).copied().collect();
            let proof = log.proof(index, &world_.collude(signed.clone(), &all));
            let mut shares = 0;
            for i in &honest {
                let answers = world_.tell(
                    *i,
                    ToNode::Sign(ask(&mut world.rng, index, key, &proof, log)),
                );
                // Nonces are refused here; what counts is whether the node got so far as to look at them.
                let willing = answers.iter().any(|a| {
                    matches!(
                        a,
                        ToCoordinator::Refused(Refused {
                            code: Code::Malformed,
                            ..
                        })
                    )
                });
                shares += usize::from(willing);
            }
            let reaches = f + shares >= t;
            assert!(
                !reaches || all.len() >= q,
                "split {split:b}: shares without a quorum"
            );
            winners += usize::from(reaches);
        }
        assert!(
            winners <= 1,
            "split {split:b}: two histories of one size are signed"
        );
    }
}

/// A request that is right but for its empty list of nonces.
fn ask(
    rng: &mut impl rand_chacha::rand_core::RngCore,
    index: u64,
    key: SharedKey,
    proof: &[u8],
    log: &Log,
) -> SignRequest {
    use sha2::Digest as _;
    let mut session = [0; 16];
    rng.fill_bytes(&mut session);
    let tbs = crate::toy::tbs(&log.entries[index as usize], &key.group_key, b"");
    SignRequest {
        session,
        index,
        proof: proof.to_vec().into(),
        csr: vec![].into(),
        openings: vec![].into(),
        key,
        tbs_digest: sha2::Sha256::digest(&tbs).into(),
        scheme: 1,
        round: 1,
        payload: vec![].into(),
    }
}

/// Key generation driven by hand up to everybody's round 1.
fn round_1(world: &mut World) -> (DkgRun, Vec<DkgRound1>) {
    let now = world.seconds();
    let cosigned = world.log(&[entry(b'K', now, b"")]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == 1)
    }));
    let run = DkgRun {
        operation: OPERATION,
        index: 0,
        attempt: [1; 16],
    };
    let proof = world.log.proof(0, cosigned.signed());
    let round1 = start(world, run, proof);
    (run, round1)
}

fn start(world: &mut World, run: DkgRun, proof: Vec<u8>) -> Vec<DkgRound1> {
    (0..world.nodes.len())
        .map(|i| {
            let start = DkgStart {
                run,
                proof: proof.clone().into(),
            };
            match world.tell(i, ToNode::DkgStart(start)).as_slice() {
                [ToCoordinator::DkgRound1(round1)] => round1.clone(),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

fn code(answers: &[ToCoordinator]) -> Option<Code> {
    match answers {
        [ToCoordinator::Refused(refused)] => Some(refused.code),
        _ => None,
    }
}

#[test]
fn equivocation_in_key_generation_is_caught() {
    let mut world = World::new(12, 5, 3, 4);
    let (run, round1) = round_1(&mut world);
    // Signer 1 starts afresh in secret, and signs another round 1 for the same run; the coordinator shows it to signer 2.
    world.restart(0);
    let proof = world
        .log
        .proof(0, world.cosigned.as_ref().unwrap().signed());
    let another = match world
        .tell(
            0,
            ToNode::DkgStart(DkgStart {
                run,
                proof: proof.into(),
            }),
        )
        .as_slice()
    {
        [ToCoordinator::DkgRound1(round1)] => round1.clone(),
        other => panic!("{other:?}"),
    };
    assert_ne!(another, round1[0]);
    let mut shown_to_2 = round1.clone();
    shown_to_2[0] = another.clone();
    let mut shown_to_1 = shown_to_2.clone();
    let mut round2 = Vec::new();
    for i in 0..5 {
        let round1 = match i {
            0 => std::mem::take(&mut shown_to_1),
            1 => shown_to_2.clone(),
            _ => round1.clone(),
        };
        match world
            .tell(i, ToNode::DkgRound1s(DkgRound1s { run, round1 }))
            .as_slice()
        {
            [ToCoordinator::DkgRound2(message)] => round2.push(message.clone()),
            other => panic!("{other:?}"),
        }
    }
    for i in 0..5 {
        let all = DkgRound2s {
            run,
            round2: round2.clone(),
        };
        assert_eq!(
            code(&world.tell(i, ToNode::DkgRound2s(all))),
            Some(Code::Equivocation),
            "signer {}",
            i + 1
        );
        assert!(world.nodes[i].store.shares.is_empty());
    }
    // The coordinator cannot hide it by altering an echo: it is signed.
    let mut altered = round2.clone();
    altered[0].echo = round2[2].echo;
    altered[1].echo = round2[2].echo;
    let all = DkgRound2s {
        run,
        round2: altered,
    };
    assert_eq!(
        code(&world.tell(2, ToNode::DkgRound2s(all))),
        Some(Code::Cheater)
    );
}

#[test]
fn what_the_coordinator_alters_in_key_generation_is_noticed() {
    let mut world = World::new(13, 5, 3, 4);
    let (run, round1) = round_1(&mut world);
    let tell = |world: &mut World, round1: Vec<DkgRound1>| {
        let answers = world.tell(1, ToNode::DkgRound1s(DkgRound1s { run, round1 }));
        code(&answers)
    };
    let mut own_key = round1.clone();
    own_key[0].sealing_key = [9; 32];
    assert_eq!(tell(&mut world, own_key), Some(Code::Cheater));
    let mut mine_changed = round1.clone();
    mine_changed[1].sealing_key = [9; 32];
    assert_eq!(tell(&mut world, mine_changed), Some(Code::Cheater));
    assert_eq!(
        tell(&mut world, round1[..4].to_vec()),
        Some(Code::Malformed)
    );
    let mut doubled = round1.clone();
    doubled[4] = round1[3].clone();
    assert_eq!(tell(&mut world, doubled), Some(Code::Malformed));
    // A message of another run, properly signed for that one.
    let proof = world
        .log
        .proof(0, world.cosigned.as_ref().unwrap().signed());
    let other_run = DkgRun {
        attempt: [2; 16],
        ..run
    };
    world.restart(0);
    let other = match world
        .tell(
            0,
            ToNode::DkgStart(DkgStart {
                run: other_run,
                proof: proof.into(),
            }),
        )
        .as_slice()
    {
        [ToCoordinator::DkgRound1(round1)] => round1.clone(),
        other => panic!("{other:?}"),
    };
    let mut mixed = round1.clone();
    mixed[0] = other;
    assert_eq!(tell(&mut world, mixed), Some(Code::Cheater));
    // After all that the run still works, for those who kept their part.
    let answers = world.tell(1, ToNode::DkgRound1s(DkgRound1s { run, round1 }));
    assert!(matches!(answers[..], [ToCoordinator::DkgRound2(_)]));
}

#[test]
fn no_key_is_made_without_a_logged_file() {
    let mut world = World::new(14, 5, 3, 4);
    let now = world.seconds();
    let cosigned = world.log(&[entry(b'I', now, b""), entry(b'K', now, b"")]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == 2)
    }));
    let start = |index, operation, proof: Vec<u8>| {
        ToNode::DkgStart(DkgStart {
            run: DkgRun {
                operation,
                index,
                attempt: [1; 16],
            },
            proof: proof.into(),
        })
    };
    let proof = |index| world.log.proof(index, cosigned.signed());
    let bare = world.log.proof(1, &world.log.sign(world.log.tree.head()));
    for (message, expected) in [
        (start(0, OPERATION, proof(0)), Code::Operation),
        (start(1, [8; 32], proof(1)), Code::Operation),
        (start(1, OPERATION, proof(0)), Code::NotLogged),
        (start(1, OPERATION, bare), Code::NotLogged),
        (start(2, OPERATION, proof(1)), Code::Behind),
    ] {
        assert_eq!(code(&world.tell(0, message)), Some(expected));
    }
}

#[test]
fn a_participant_that_says_nothing_in_key_generation_is_named_and_no_key_is_made() {
    let mut world = World::new(18, 5, 3, 4);
    let now = world.seconds();
    let cosigned = world.log(&[entry(b'K', now, b"")]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == 1)
    }));
    world.stop(2);
    assert_eq!(cosigned.head().size, 1);
    world.generate(0);
    let waits = |w: &World| {
        w.events.iter().any(
            |e| matches!(e, Event::GenerationWaits { missing, .. } if *missing == ["signer-3"]),
        )
    };
    assert!(world.run(60, waits));
    assert!(world.agreed().is_none());
    assert!(world.nodes.iter().all(|node| node.store.shares.is_empty()));
    world.start(2);
    assert!(world.run(60, |w| w.agreed().is_some()));
}

#[test]
fn a_node_that_restarts_in_the_middle_makes_everybody_begin_again() {
    let mut world = World::new(15, 5, 3, 4);
    world.delay = 50;
    let now = world.seconds();
    world.log(&[entry(b'I', now, b"")]);
    world.crashes = 20;
    let group_key = world.make_key();
    world.crashes = 0;
    world.issue(group_key);
}

/// What the inequalities are for: with each of them broken, some split of the honest nodes gives a fork or a signature
/// that no honest node checked, or the loss of c nodes stops everything; and the configuration is refused by its name.
#[test]
fn a_configuration_that_breaks_an_inequality_is_refused_by_its_name() {
    // The best that f bad nodes can do is to show either part of the honest ones its own history.
    let fork = |Quorum { n, q, f, .. }: Quorum| {
        (0..=n - f).any(|side| side + f >= q && n - f - side + f >= q)
    };
    let unchecked = |Quorum { t, f, .. }: Quorum| f >= t;
    let stops = |Quorum { n, t, q, c, .. }: Quorum| n - c < q || n - c < t;
    for n in 1..=9 {
        for (t, q) in (0..=n + 1).flat_map(|t| (0..=n + 1).map(move |q| (t, q))) {
            for (f, c) in (0..n).flat_map(|f| (0..n).map(move |c| (f, c))) {
                let quorum = Quorum { n, t, q, f, c };
                let broken = fork(quorum) || unchecked(quorum) || stops(quorum) || t < 2;
                let Err(error) = quorum.check() else {
                    assert!(!broken, "{quorum:?} is taken");
                    continue;
                };
                let named = match error.to_string() {
                    text if text.starts_with("t ≥ f+1") => unchecked(quorum),
                    text if text.starts_with("2q > n+f") => fork(quorum),
                    text if text.starts_with("max(q,t) ≤ n−c") => stops(quorum),
                    text => text.starts_with("t ≥ 2") && t < 2,
                };
                assert!(named, "{quorum:?}: {error}");
            }
        }
    }
}
