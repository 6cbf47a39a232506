//! The life of a key: refresh, another signer set and threshold, repair; with crashes at every step, members that cheat or say
//! nothing, and a coordinator that lies. The key stays what it is throughout.

use std::collections::{BTreeMap, BTreeSet};

use bauta_signer_protocol::{
    coordinator::Event,
    generation::GenerationTask,
    key_generation::MAX_WAITING_SHARES,
    messages::{
        Append, Code, DkgAgreement, DkgRound1, DkgRound1s, DkgRound2, DkgRound2s, DkgRun, DkgStart,
        FrostPackage, FrostSigner, GroupKey, NonceCommitments, Published, Refused, SharedKey,
        SignRequest, Slot, Stage, Subject, ToCoordinator, ToNode,
    },
    node::NodeEvent,
};
use frost_ed25519::keys::{KeyPackage, reconstruct};
use sha2::{Digest as _, Sha256};

use crate::{
    toy,
    world::{Behaviour, World},
};

const THREE: [&str; 3] = ["signer-1", "signer-2", "signer-4"];
const FIVE: [&str; 5] = ["signer-1", "signer-2", "signer-3", "signer-4", "signer-5"];

/// Each node's share of this sharing, as its store has it.
fn shares(world: &World, key: SharedKey) -> Vec<Option<KeyPackage>> {
    let nodes = world.nodes.iter();
    nodes
        .map(|node| {
            let (_, bytes) = node.store.shares.get(&key)?;
            Some(KeyPackage::deserialize(bytes).unwrap())
        })
        .collect()
}

/// The key that these shares are of, if one takes them for shares of one key.
fn key_of(packages: &[&KeyPackage]) -> GroupKey {
    let packages: Vec<KeyPackage> = packages.iter().map(|package| (*package).clone()).collect();
    let key = reconstruct(&packages).unwrap();
    let public = frost_ed25519::VerifyingKey::from(&key).serialize().unwrap();
    public.try_into().unwrap()
}

/// Issues a certificate; when its head is published, every node has nothing but the sharing in force.
fn issue_and_erase(world: &mut World, group_key: GroupKey) {
    world.issue(group_key);
    let new = world.key().id();
    let clean = |w: &World| {
        let mut nodes = w.nodes.iter();
        nodes.all(|n| n.store.shares.keys().all(|key| *key == new))
    };
    assert!(world.run(60, clean), "an old share is left");
}

#[test]
fn a_refresh_leaves_the_key_and_makes_old_shares_worthless() {
    let mut world = World::new(20, 5, 3, 4);
    let group_key = world.make_key();
    let before = world.issue(group_key);
    let old_key = world.key();
    let old = shares(&world, old_key.id());
    world.reshare(&THREE, &FIVE, 3);
    let new_key = world.key();
    assert_eq!(new_key.group_key, group_key);
    assert_ne!(new_key.id().sharing, old_key.id().sharing);
    assert!(
        old_key
            .shares
            .iter()
            .zip(&new_key.shares)
            .all(|(old, new)| {
                old.signer == new.signer
                    && old.identifier == new.identifier
                    && old.share != new.share
            })
    );
    let new = shares(&world, new_key.id());
    let (old, new): (Vec<_>, Vec<_>) = old.iter().flatten().zip(new.iter().flatten()).unzip();
    assert_eq!((old.len(), new.len()), (5, 5));

    // Any three of one sharing are shares of the key. Two old ones with a new one, one with two: of another.
    for (i, j, k) in [(0, 1, 2), (0, 2, 4), (1, 3, 4)] {
        assert_eq!(key_of(&[new[i], new[j], new[k]]), group_key);
        assert_ne!(key_of(&[old[i], new[j], new[k]]), group_key);
        assert_ne!(key_of(&[old[i], old[j], new[k]]), group_key);
    }
    // And a signature share made with an old one is none under the new public side: its sender is named.
    mixed_signature_names_the_old_share(&new_key, &old, &new);

    // The old ones are erased where it is known that the new sharing is published.
    issue_and_erase(&mut world, group_key);
    for node in &world.nodes {
        let held: Vec<_> = node.store.shares.keys().copied().collect();
        assert_eq!(held, [new_key.id()], "{}", node.name);
        let erased = NodeEvent::ShareErased(old_key.id());
        assert!(node.events.contains(&erased), "{}", node.name);
    }
    // What was signed before and after verifies under the one key (`issue` looked); and nobody is suspected.
    assert!(world.signature(before).is_some());
    assert!(world.culprits().is_empty());
    // A node that is started anew has the new share in force.
    for i in 0..5 {
        world.restart(i);
    }
    world.issue(group_key);
    // And once more.
    world.reshare(&["signer-2", "signer-3", "signer-5"], &FIVE, 3);
    world.issue(group_key);
}

fn mixed_signature_names_the_old_share(
    public: &bauta_signer_protocol::keys::PublicShares,
    old: &[&KeyPackage],
    new: &[&KeyPackage],
) {
    use bauta_signer_protocol::{
        frost_scheme::{FrostError, aggregate, signing_package},
        messages::Commitment,
    };
    use rand_chacha::rand_core::SeedableRng as _;
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let chosen = [new[0], new[1], old[2]];
    let mut signers = Vec::new();
    let mut nonces = Vec::new();
    for (number, package) in (0..).zip(chosen) {
        let (nonce, commitments) = frost_ed25519::round1::commit(package.signing_share(), &mut rng);
        let point = |bytes: Vec<u8>| -> [u8; 32] { bytes.try_into().unwrap() };
        signers.push(FrostSigner {
            name: FIVE[number as usize].into(),
            slot: Slot {
                boot: [0; 16],
                number,
            },
            commitment: Commitment {
                hiding: point(commitments.hiding().serialize().unwrap()),
                binding: point(commitments.binding().serialize().unwrap()),
            },
        });
        nonces.push(nonce);
    }
    let package = FrostPackage { signers };
    let to_sign = signing_package(&package, public, b"message").unwrap();
    let made: BTreeMap<String, Vec<u8>> = chosen
        .iter()
        .zip(&nonces)
        .zip(FIVE)
        .map(|((share, nonce), name)| {
            let share = frost_ed25519::round2::sign(&to_sign, nonce, share).unwrap();
            (name.to_owned(), share.serialize())
        })
        .collect();
    assert_eq!(
        aggregate(&package, public, b"message", &made),
        Err(FrostError::Culprits {
            culprits: vec!["signer-3".into()]
        })
    );
}

#[test]
fn until_its_entry_is_published_the_old_share_is_kept_and_not_used() {
    let mut world = World::new(21, 5, 3, 4);
    let group_key = world.make_key();
    let old = world.key();
    let index = world.issue(group_key);
    let proof = world
        .log
        .proof(index, world.cosigned.as_ref().unwrap().signed());
    let nonces = |world: &mut World, key: SharedKey| -> Option<NonceCommitments> {
        let answers = world.tell(0, ToNode::Ping);
        answers.into_iter().find_map(|answer| match answer {
            ToCoordinator::Nonces(nonces) if nonces.key == key => Some(nonces),
            _ => None,
        })
    };
    let of_old = nonces(&mut world, old.id()).unwrap();
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    world.begin(task);
    assert!(world.run(60, World::is_over));
    let (text, _) = world.result().unwrap();
    let new = toy::read_key(&text);
    // The entry reaches this node alone.
    let first = world.log.entries.len() as u64;
    let entry = toy::entry(b'G', now, text.as_bytes());
    let signed = world.log.append(std::slice::from_ref(&entry));
    let append = ToNode::Append(Append {
        first,
        entries: vec![entry.into()],
        objects: vec![],
        checkpoint: signed.to_bytes().into(),
    });
    let answers = world.tell(0, append);
    let cosigned = |answer: &ToCoordinator| matches!(answer, ToCoordinator::Cosigned(_));
    assert!(answers.iter().any(cosigned), "{answers:?}");
    let held = |world: &World| {
        let mut held: Vec<_> = world.nodes[0].store.shares.keys().copied().collect();
        held.sort_by_key(|key| *key == new.id());
        held
    };
    assert_eq!(held(&world), [old.id(), new.id()]);

    // The old share's nonces are gone: none are offered, and one that was offered signs nothing, in either sharing.
    assert_eq!(nonces(&mut world, old.id()), None);
    let fresh = nonces(&mut world, new.id()).unwrap();
    let tbs = toy::tbs(&world.log.entries[index as usize], &group_key, b"");
    let request = |key: SharedKey, nonces: &NonceCommitments| {
        let sixth = nonces.commitments.iter().find(|one| one.number == 5);
        let sixth = sixth.unwrap();
        let own = |name: &str| FrostSigner {
            name: name.into(),
            slot: Slot {
                boot: nonces.boot,
                number: sixth.number,
            },
            commitment: sixth.commitment,
        };
        let signers = FIVE[..3].iter().map(|name| own(name)).collect();
        ToNode::Sign(SignRequest {
            session: [3; 16],
            index,
            proof: proof.clone().into(),
            csr: vec![].into(),
            openings: vec![].into(),
            key,
            tbs_digest: Sha256::digest(&tbs).into(),
            scheme: 1,
            round: 1,
            payload: FrostPackage { signers }.encode().unwrap().into(),
        })
    };
    let told = |world: &mut World, message| code(&world.tell(0, message));
    assert_eq!(
        told(&mut world, request(old.id(), &of_old)),
        Some(Code::NoKey)
    );
    // The slot exists in the new stock too, and its commitment is another: FROST refuses, and the nonce is burnt.
    assert_eq!(
        told(&mut world, request(new.id(), &of_old)),
        Some(Code::Malformed)
    );
    assert_eq!(
        told(&mut world, request(new.id(), &fresh)),
        Some(Code::NonceSpent)
    );

    // The log's signature alone, too few cosignatures, or a quorum on a head before the entry show nothing.
    let published = |signed: &bauta_log::SignedCheckpoint| {
        ToNode::Published(Published {
            checkpoint: signed.to_bytes().into(),
        })
    };
    let before = world.cosigned.as_ref().unwrap().signed().clone();
    let few = world.collude(signed.clone(), &[0, 1, 2]);
    for signed in [&signed, &few, &before] {
        world.tell(0, published(signed));
        assert_eq!(held(&world), [old.id(), new.id()]);
    }
    let enough = world.collude(signed, &[0, 1, 2, 3]);
    world.tell(0, published(&enough));
    assert_eq!(held(&world), [new.id()]);
    assert!(
        world.nodes[0]
            .events
            .contains(&NodeEvent::ShareErased(old.id()))
    );
}

#[test]
fn another_threshold_and_more_signers() {
    let mut world = World::with_holders(22, 7, 5, 3, 5);
    let group_key = world.make_key();
    world.issue(group_key);
    let old = shares(&world, world.key().id());
    let all: Vec<String> = (1..=7).map(|i| format!("signer-{i}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world.reshare(&THREE, &all, 4);
    assert_eq!(world.key().threshold, 4);
    assert_eq!(world.key().shares.len(), 7);
    let new = shares(&world, world.key().id());
    let new: Vec<_> = new.iter().flatten().collect();
    // Three new ones are too few, four are the key; three old ones and a new one are another.
    let three: Vec<KeyPackage> = new[..3].iter().map(|one| (*one).clone()).collect();
    assert!(reconstruct(&three).is_err());
    assert_eq!(key_of(&[new[0], new[2], new[5], new[6]]), group_key);
    let old: Vec<_> = old.iter().flatten().collect();
    assert_ne!(key_of(&[new[0], old[1], old[2], old[3]]), group_key);
    world.issue(group_key);
    // The two that came later sign with two others when the rest is away.
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[toy::entry(b'I', now, b"")]);
    for i in 0..3 {
        world.stop(i);
    }
    world.sign(index, group_key);
    assert!(world.run(60, |w| w.signature(index).is_some()));
}

#[test]
fn five_others() {
    let mut world = World::with_holders(23, 10, 5, 3, 7);
    let group_key = world.make_key();
    world.issue(group_key);
    let others = ["signer-6", "signer-7", "signer-8", "signer-9", "signer-10"];
    world.reshare(&THREE, &others, 3);
    issue_and_erase(&mut world, group_key);
    let new = world.key().id();
    for (i, node) in world.nodes.iter().enumerate() {
        let held: Vec<_> = node.store.shares.keys().copied().collect();
        let expected = if i < 5 { vec![] } else { vec![new] };
        assert_eq!(held, expected, "{}", node.name);
    }
    assert!(world.culprits().is_empty());
}

#[test]
fn a_member_that_is_away_or_silent_is_named_and_waited_for() {
    let mut world = World::new(24, 5, 3, 4);
    let group_key = world.make_key();
    for behaviour in [None, Some(Behaviour::SilentInRuns)] {
        let (now, from) = (world.seconds(), world.key());
        let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
        match behaviour {
            None => world.stop(4),
            Some(behaviour) => world.nodes[4].behaviour = behaviour,
        }
        let run_before = world.events.len();
        world.begin(task);
        assert!(world.run(30, |w| w.events[run_before..].iter().any(
            |event| matches!(event, Event::GenerationWaits { missing, .. } if missing == &["signer-5"])
        )));
        match behaviour {
            None => world.start(4),
            Some(_) => world.nodes[4].behaviour = Behaviour::Honest,
        }
        assert!(world.run(60, World::is_over));
        let (text, _) = world.result().unwrap();
        world.record(&text);
        world.issue(group_key);
    }
}

#[test]
fn new_shares_that_sign_badly_are_named_and_others_sign() {
    let mut world = World::new(25, 5, 3, 4);
    let group_key = world.make_key();
    world.nodes[0].behaviour = Behaviour::BadShares;
    world.nodes[1].behaviour = Behaviour::SilentSigner;
    world.reshare(&THREE, &FIVE, 3);
    world.issue(group_key);
    assert!(world.culprits().iter().eq(["signer-1"]));

    // With three of them the new shares cannot sign: the run fails, and the sharing in force stays.
    world.nodes[2].behaviour = Behaviour::BadShares;
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    let events = world.events.len();
    world.begin(task);
    assert!(world.run(600, World::is_over));
    let failed = |event: &Event| matches!(event, Event::GenerationFailed { .. });
    assert!(world.events[events..].iter().any(failed));
    assert_eq!(world.key(), from);
}

/// The key signs the text that all agreed to, and nothing else of what a waiting sharing is asked.
#[test]
fn a_waiting_sharing_signs_the_authority_file_alone() {
    let mut world = World::new(26, 5, 3, 4);
    let group_key = world.make_key();
    let (task, agreements) = agreed_by_hand(&mut world);
    let text = agreements[0].text.as_slice().to_vec();
    let waiting: SharedKey = toy::read_key(std::str::from_utf8(&text).unwrap()).id();
    let mut signers = Vec::new();
    for i in 0..3 {
        let answers = world.tell(i, ToNode::Ping);
        let nonces = answers
            .iter()
            .find_map(|answer| match answer {
                ToCoordinator::Nonces(nonces) if nonces.key == waiting => Some(nonces.clone()),
                _ => None,
            })
            .unwrap();
        assert_eq!(nonces.commitments.len(), 1, "one nonce at a time");
        signers.push(FrostSigner {
            name: world.nodes[i].name.clone(),
            slot: Slot {
                boot: nonces.boot,
                number: nonces.commitments[0].number,
            },
            commitment: nonces.commitments[0].commitment,
        });
    }
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[toy::entry(b'I', now, b"")]);
    assert!(world.run(60, |w| {
        let size = w.size();
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == size)
    }));
    let proof = world
        .log
        .proof(index, world.cosigned.as_ref().unwrap().signed());
    let tbs = toy::tbs(&world.log.entries[index as usize], &group_key, b"");
    let good = SignRequest {
        session: [3; 16],
        index: task.index,
        proof: task.proof.clone().into(),
        csr: vec![].into(),
        openings: vec![].into(),
        key: waiting,
        tbs_digest: Sha256::digest(&text).into(),
        scheme: 1,
        round: 1,
        payload: FrostPackage {
            signers: signers.clone(),
        }
        .encode()
        .unwrap()
        .into(),
    };
    let certificate = SignRequest {
        index,
        proof: proof.into(),
        tbs_digest: Sha256::digest(&tbs).into(),
        ..good.clone()
    };
    assert_eq!(
        code(&world.tell(0, ToNode::Sign(certificate))),
        Some(Code::TbsDiffers)
    );
    let too_few = SignRequest {
        payload: FrostPackage {
            signers: signers[..2].to_vec(),
        }
        .encode()
        .unwrap()
        .into(),
        ..good.clone()
    };
    assert_eq!(
        code(&world.tell(0, ToNode::Sign(too_few))),
        Some(Code::Malformed)
    );
    let answers = world.tell(0, ToNode::Sign(good.clone()));
    assert!(matches!(answers[0], ToCoordinator::Share(_)), "{answers:?}");
    assert_eq!(
        code(&world.tell(0, ToNode::Sign(good.clone()))),
        Some(Code::NonceSpent)
    );
    // A node that is started anew holds its waiting share, and forgot what it may sign.
    world.restart(1);
    assert!(world.nodes[1].store.shares.contains_key(&waiting));
    assert_eq!(code(&world.tell(1, ToNode::Sign(good))), Some(Code::NoKey));
}

/// Were the rules to give a text that could be a TBS, the new shares would not sign it.
#[test]
fn new_shares_sign_nothing_that_could_be_a_certificate() {
    let mut world = World::new(33, 5, 3, 4);
    world.make_key();
    world.prefix = "0\n";
    for i in 0..5 {
        world.restart(i);
    }
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    world.begin(task);
    assert!(world.run(600, World::is_over));
    assert!(
        world
            .result()
            .is_none_or(|(text, _)| text.starts_with(toy::PREFIX))
    );
    assert!(world.failure().is_some());
}

#[test]
fn who_is_not_in_a_run_does_not_end_it() {
    let mut world = World::with_holders(34, 7, 5, 3, 5);
    let group_key = world.make_key();
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    let (now, log) = (world.now, &world.log);
    let output = world
        .coordinator
        .generate_key(now, &mut world.rng, task.clone());
    let run = match &output.send[0].1 {
        ToNode::DkgStart(start) => start.run,
        other => panic!("{other:?}"),
    };
    let refused = ToCoordinator::Refused(Refused {
        subject: Subject::Dkg(run),
        code: Code::Cheater,
        reason: "because".into(),
    });
    let mut end = |name: &str| {
        let message = refused.clone();
        world
            .coordinator
            .handle(now, &mut world.rng, log, name, message);
        world.coordinator.is_generating()
    };
    assert!(end("signer-7"));
    assert!(!end("signer-5"));
    world.begin(task);
    assert!(world.run(600, World::is_over));
    let (text, _) = world.result().unwrap();
    world.record(&text);
    world.issue(group_key);
}

/// Two runs for one operation: whichever of the two results is logged, the shares are there.
#[test]
fn an_earlier_result_may_still_be_logged() {
    let mut world = World::new(27, 5, 3, 4);
    let group_key = world.make_key();
    let (_, agreements) = agreed_by_hand(&mut world);
    let first = String::from_utf8(agreements[0].text.as_slice().to_vec()).unwrap();
    let entry = world.log.entries.last().unwrap().clone();
    let index = world.log.entries.len() as u64 - 1;
    let task = GenerationTask {
        operation: toy::operation(&entry),
        index,
        proof: world
            .log
            .proof(index, world.cosigned.as_ref().unwrap().signed()),
        order: toy::order_of(world.newest(), &entry).unwrap(),
    };
    world.begin(task);
    assert!(world.run(60, World::is_over));
    let (second, _) = world.result().unwrap();
    assert_ne!(first, second);
    assert_eq!(world.nodes[0].store.shares.len(), 3);
    world.record(&first);
    issue_and_erase(&mut world, group_key);
    // What is left of the other is erased with the old.
    assert!(world.nodes.iter().all(|node| node.store.shares.len() == 1));
}

#[test]
fn a_run_needs_a_logged_operation_of_the_sharing_in_force() {
    let mut world = World::new(28, 5, 3, 4);
    let group_key = world.make_key();
    let (now, from) = (world.seconds(), world.key());
    let entry = toy::reshare(now, &from, &THREE, &FIVE, 3);
    let task = world.order(entry.clone());
    let start = |operation, index, proof: Vec<u8>| {
        ToNode::DkgStart(DkgStart {
            run: DkgRun {
                operation,
                index,
                attempt: [1; 16],
            },
            proof: proof.into(),
        })
    };
    let asked = start([9; 32], task.index, task.proof.clone());
    assert_eq!(code(&world.tell(0, asked)), Some(Code::Operation));
    let bare = world
        .log
        .proof(task.index, &world.log.sign(world.log.tree.head()));
    let asked = start(task.operation, task.index, bare);
    assert_eq!(code(&world.tell(0, asked)), Some(Code::NotLogged));
    // The whole run, and its replay: the sharing that it names is in force no more.
    world.begin(task.clone());
    assert!(world.run(60, World::is_over));
    let (text, _) = world.result().unwrap();
    world.record(&text);
    let asked = start(task.operation, task.index, task.proof.clone());
    for i in 0..5 {
        assert_eq!(code(&world.tell(i, asked.clone())), Some(Code::Operation));
    }
    world.issue(group_key);
}

#[test]
fn a_repaired_share_is_the_published_one() {
    let mut world = World::new(29, 5, 3, 4);
    let group_key = world.make_key();
    let key = world.key();
    let lost = shares(&world, key.id())[3].clone().unwrap();
    world.stop(3);
    world.nodes[3].store.shares.clear();
    world.start(3);
    // It says so itself, at the next head.
    world.issue(group_key);
    let missing = NodeEvent::WrongShare(group_key);
    assert!(world.run(60, |w| w.nodes[3].events.contains(&missing)));
    let now = world.seconds();
    let task = world.order(toy::repair(
        now,
        &key,
        "signer-4",
        &["signer-1", "signer-2", "signer-5"],
    ));
    world.begin(task.clone());
    assert!(world.run(60, World::is_over), "{:?}", world.events.last());
    assert!(matches!(
        world.events.last(),
        Some(Event::ShareRepaired { node, .. }) if node == "signer-4"
    ));
    assert_eq!(shares(&world, key.id())[3].as_ref(), Some(&lost));
    assert!(
        world.nodes[3]
            .events
            .contains(&NodeEvent::KeyInForce(key.id()))
    );
    // It signs again, with the two others that are left.
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[toy::entry(b'I', now, b"")]);
    world.stop(0);
    world.stop(1);
    world.sign(index, group_key);
    assert!(world.run(60, |w| w.signature(index).is_some()));
    // There is nothing to repair any more.
    world.start(0);
    world.start(1);
    world.begin(task);
    assert!(world.run(60, World::is_over));
    assert_eq!(world.failure(), Some(("signer-4".into(), Code::Operation)));
}

/// Whatever a disk gives back: what is not the published share is none.
#[test]
fn a_share_that_is_not_the_published_one_is_none() {
    let mut world = World::new(30, 5, 3, 4);
    let group_key = world.make_key();
    let key = world.key().id();
    world.stop(0);
    let of_another = world.nodes[1].store.shares[&key].clone();
    world.nodes[0].store.shares.insert(key, of_another);
    world.nodes[0].events.clear();
    world.start(0);
    assert!(world.run(60, |w| w.standing(0) == Stage::Welcome));
    let offers = world.tell(0, ToNode::Ping);
    let nonces = |answer: &ToCoordinator| matches!(answer, ToCoordinator::Nonces(_));
    assert!(!offers.iter().any(nonces), "{offers:?}");
    // The others sign without it, and it has its share back by them.
    world.issue(group_key);
    let now = world.seconds();
    let helpers = ["signer-2", "signer-3", "signer-4"];
    let repair = toy::repair(now, &world.key(), "signer-1", &helpers);
    let task = world.order(repair);
    world.begin(task);
    assert!(world.run(60, World::is_over));
    assert!(world.tell(0, ToNode::Ping).iter().any(nonces));
}

#[test]
fn a_helper_without_its_share_says_so() {
    let mut world = World::new(30, 5, 3, 4);
    world.make_key();
    let key = world.key();
    for i in [2, 3] {
        world.stop(i);
        world.nodes[i].store.shares.clear();
        world.start(i);
    }
    let now = world.seconds();
    let helpers = ["signer-1", "signer-2", "signer-3"];
    let task = world.order(toy::repair(now, &key, "signer-4", &helpers));
    world.begin(task);
    assert!(world.run(60, World::is_over));
    assert_eq!(world.failure(), Some(("signer-3".into(), Code::NoKey)));
    let task = world.order(toy::reshare(now, &key, &helpers, &FIVE, 3));
    world.begin(task);
    assert!(world.run(60, World::is_over));
    assert_eq!(world.failure(), Some(("signer-3".into(), Code::NoKey)));
}

/// One node crashes at one output, before or after it persists, for every output that there is from the operation's logging to
/// the first signature with the new shares.
#[test]
fn a_crash_at_any_step_leaves_one_sharing_in_force() {
    for before in [true, false] {
        for step in 0.. {
            let mut world = World::new(31, 4, 2, 3);
            let group_key = world.make_key();
            let (now, from) = (world.seconds(), world.key());
            let task = world.order(toy::reshare(now, &from, &THREE[..2], &FIVE[..4], 2));
            world.crash_in = Some((step, before));
            reshared_at_last(&mut world, &task);
            world.issue(group_key);
            // The counter has gone below zero, or not.
            let crashed = world.crash_in.is_some_and(|(left, _)| left > step);
            for i in 0..4 {
                world.restart(i);
            }
            issue_and_erase(&mut world, group_key);
            let new = world.key().id();
            for node in &world.nodes {
                let held: Vec<_> = node.store.shares.keys().copied().collect();
                assert_eq!(held, [new], "{} at step {step}", node.name);
            }
            if !crashed {
                assert!(step > 20, "the run has more outputs than {step}");
                break;
            }
        }
    }
}

/// Begins the run until it has a result, and logs that.
fn reshared_at_last(world: &mut World, task: &GenerationTask) {
    for _ in 0..8 {
        let events = world.events.len();
        world.begin(task.clone());
        assert!(world.run(600, World::is_over));
        let agreed = |event: &Event| matches!(event, Event::KeyAgreed { .. });
        if world.events[events..].iter().any(agreed) {
            let (text, _) = world.result().unwrap();
            return world.record(&text);
        }
    }
    panic!("no result: {:?}", world.events.last());
}

#[test]
fn loss_reordering_and_crashes_delay_a_resharing_and_break_nothing() {
    for seed in 40..48 {
        let mut world = World::new(seed, 5, 3, 4);
        let group_key = world.make_key();
        world.loss = 5;
        world.delay = 300;
        world.crashes = 10;
        for _ in 0..2 {
            let (now, from) = (world.seconds(), world.key());
            let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
            reshared_at_last(&mut world, &task);
            world.issue(group_key);
            assert_eq!(world.key().group_key, group_key);
        }
        assert!(world.culprits().is_empty(), "seed {seed}");
    }
}

fn code(answers: &[ToCoordinator]) -> Option<Code> {
    answers.iter().find_map(|answer| match answer {
        ToCoordinator::Refused(Refused { code, .. }) => Some(*code),
        _ => None,
    })
}

/// A resharing up to everybody's agreement, with messages carried by hand.
fn agreed_by_hand(world: &mut World) -> (GenerationTask, Vec<DkgAgreement>) {
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    let size = world.size();
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == size)
    }));
    let run = DkgRun {
        operation: task.operation,
        index: task.index,
        attempt: [1; 16],
    };
    let start = ToNode::DkgStart(DkgStart {
        run,
        proof: task.proof.clone().into(),
    });
    let round1: Vec<DkgRound1> = (0..5)
        .map(|i| match world.tell(i, start.clone()).into_iter().next() {
            Some(ToCoordinator::DkgRound1(round1)) => round1,
            other => panic!("{other:?}"),
        })
        .collect();
    let dealers: BTreeSet<&str> = round1
        .iter()
        .filter(|message| !message.package.as_slice().is_empty())
        .map(|message| message.name.as_str())
        .collect();
    assert!(dealers.iter().copied().eq(THREE));
    let all = ToNode::DkgRound1s(DkgRound1s {
        run,
        round1: round1.clone(),
    });
    let round2: Vec<DkgRound2> = (0..5)
        .map(|i| match world.tell(i, all.clone()).into_iter().next() {
            Some(ToCoordinator::DkgRound2(round2)) => round2,
            other => panic!("{other:?}"),
        })
        .collect();
    let all = ToNode::DkgRound2s(DkgRound2s { run, round2 });
    let agreements = (0..5)
        .map(|i| match world.tell(i, all.clone()).into_iter().next() {
            Some(ToCoordinator::DkgAgreement(agreement)) => agreement,
            other => panic!("{other:?}"),
        })
        .collect();
    (task, agreements)
}

/// A coordinator cannot fill a node's disk with shares of sharings that it never has logged.
#[test]
fn shares_that_wait_for_their_entry_are_so_many_and_no_more() {
    let mut world = World::new(29, 5, 3, 4);
    world.make_key();
    for _ in 0..MAX_WAITING_SHARES {
        agreed_by_hand(&mut world);
    }
    let held = |world: &World| world.nodes[0].store.shares.len();
    assert_eq!(held(&world), MAX_WAITING_SHARES + 1);
    let (now, from) = (world.seconds(), world.key());
    let task = world.order(toy::reshare(now, &from, &THREE, &FIVE, 3));
    let size = world.size();
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == size)
    }));
    let start = ToNode::DkgStart(DkgStart {
        run: DkgRun {
            operation: task.operation,
            index: task.index,
            attempt: [2; 16],
        },
        proof: task.proof.into(),
    });
    assert_eq!(code(&world.tell(0, start)), Some(Code::Operation));
}
