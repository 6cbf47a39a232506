//! What gets no signature share.

use bauta_signer_protocol::messages::{
    Code, FrostPackage, FrostSigner, GroupKey, Refused, SharedKey, SignRequest, ToCoordinator,
    ToNode,
};
use sha2::{Digest as _, Sha256};

use crate::{
    toy::{entry, tbs},
    world::World,
};

/// A request to node 0 with nodes 0, 1 and 2 as signers, on their oldest unspent nonces.
pub(crate) fn request(
    world: &mut World,
    index: u64,
    group_key: GroupKey,
    proof: Vec<u8>,
    openings: &[u8],
) -> SignRequest {
    let signers = (0..3)
        .map(|i| {
            let answers = world.tell(i, ToNode::Ping);
            let nonces = answers
                .iter()
                .find_map(|answer| match answer {
                    ToCoordinator::Nonces(nonces) => Some(nonces.clone()),
                    _ => None,
                })
                .unwrap();
            FrostSigner {
                name: world.nodes[i].name.clone(),
                slot: bauta_signer_protocol::messages::Slot {
                    boot: nonces.boot,
                    number: nonces.commitments[0].number,
                },
                commitment: nonces.commitments[0].commitment,
            }
        })
        .collect();
    SignRequest {
        session: [3; 16],
        index,
        proof: proof.into(),
        csr: vec![].into(),
        openings: openings.to_vec().into(),
        key: world.key().id(),
        tbs_digest: Sha256::digest(tbs(
            &world.log.entries[index as usize],
            &group_key,
            openings,
        ))
        .into(),
        scheme: 1,
        round: 1,
        payload: FrostPackage { signers }.encode().unwrap().into(),
    }
}

/// What node 0 says: `None` is a share.
pub(crate) fn verdict(world: &mut World, request: SignRequest) -> Option<Code> {
    let answers = world.tell(0, ToNode::Sign(request));
    answers.iter().find_map(|answer| match answer {
        ToCoordinator::Share(_) => Some(None),
        ToCoordinator::Refused(Refused { code, .. }) => Some(Some(*code)),
        _ => None,
    })?
}

pub(crate) fn issued(letter: u8) -> (World, GroupKey, u64, Vec<u8>) {
    let mut world = World::new(2, 5, 3, 4);
    let group_key = world.make_key();
    let now = world.seconds();
    let index = world.log.entries.len() as u64;
    world.log(&[entry(letter, now, b"")]);
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == index + 1)
    }));
    let proof = world
        .log
        .proof(index, world.cosigned.as_ref().unwrap().signed());
    (world, group_key, index, proof)
}

#[test]
fn before_q_cosignatures_there_is_no_share() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let bare = world.log.sign(world.log.tree.head());
    for cosigners in [&[][..], &[0, 1, 2], &[1, 2, 4]] {
        let signed = world.collude(bare.clone(), cosigners);
        let early = world.log.proof(index, &signed);
        let request = request(&mut world, index, group_key, early, b"");
        assert_eq!(
            verdict(&mut world, request),
            Some(Code::NotLogged),
            "{cosigners:?}"
        );
    }
    // A proof of another entry does not do either, nor an index that the node does not hold.
    let other = world
        .log
        .proof(0, world.cosigned.as_ref().unwrap().signed());
    let asked = request(&mut world, index, group_key, other, b"");
    assert_eq!(verdict(&mut world, asked.clone()), Some(Code::NotLogged));
    assert_eq!(
        verdict(
            &mut world,
            SignRequest {
                index: index + 1,
                ..asked
            }
        ),
        Some(Code::Behind)
    );
    let good = request(&mut world, index, group_key, proof, b"");
    assert_eq!(verdict(&mut world, good), None);
}

#[test]
fn an_entry_has_one_certificate_even_after_a_restart() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let first = request(&mut world, index, group_key, proof.clone(), b"");
    assert_eq!(verdict(&mut world, first), None);
    let second = request(&mut world, index, group_key, proof.clone(), b"another");
    assert_eq!(verdict(&mut world, second), Some(Code::AnotherTbs));
    world.restart(0);
    let second = request(&mut world, index, group_key, proof.clone(), b"another");
    assert_eq!(verdict(&mut world, second), Some(Code::AnotherTbs));
    // The same certificate again, with fresh nonces, any number of times.
    for _ in 0..3 {
        let again = request(&mut world, index, group_key, proof.clone(), b"");
        assert_eq!(verdict(&mut world, again), None);
    }
}

#[test]
fn a_nonce_is_spent_once() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let asked = request(&mut world, index, group_key, proof.clone(), b"");
    assert_eq!(verdict(&mut world, asked.clone()), None);
    assert_eq!(verdict(&mut world, asked.clone()), Some(Code::NonceSpent));
    // Crash after the share left, restart, the same request again (keep #933).
    world.restart(0);
    assert_eq!(verdict(&mut world, asked), Some(Code::NonceSpent));
    // A copy of the running process: its memory has the nonce, the store knows better.
    let copied = request(&mut world, index, group_key, proof, b"");
    let slot = FrostPackage::decode(copied.payload.as_slice())
        .unwrap()
        .signers[0]
        .slot;
    let key = world.key().id();
    world.nodes[0].store.burnt.insert((key, slot));
    assert_eq!(verdict(&mut world, copied), Some(Code::NonceSpent));
}

#[test]
fn what_is_not_valid_or_not_in_time_earns_nothing() {
    let (mut world, group_key, index, proof) = issued(b'i');
    let asked = request(&mut world, index, group_key, proof, b"");
    assert_eq!(verdict(&mut world, asked), Some(Code::InvalidIssuance));

    let (mut world, group_key, index, proof) = issued(b'I');
    let asked = request(&mut world, index, group_key, proof, b"");
    for (skew, verdict_then) in [
        (121, Some(Code::OutsideClock)),
        (-121, Some(Code::OutsideClock)),
        (-119, None),
    ] {
        world.nodes[0].skew = skew;
        assert_eq!(verdict(&mut world, asked.clone()), verdict_then, "{skew}");
    }
}

#[test]
fn a_request_that_does_not_fit_costs_no_nonce() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let good = request(&mut world, index, group_key, proof, b"");
    let package = FrostPackage::decode(good.payload.as_slice()).unwrap();
    let with = |signers: Vec<FrostSigner>| SignRequest {
        payload: FrostPackage { signers }.encode().unwrap().into(),
        ..good.clone()
    };
    let mut twice = package.signers.clone();
    twice[2] = twice[1].clone();
    let mut stranger = package.signers.clone();
    stranger[1].name = "mallory".into();
    let mut swapped = package.signers.clone();
    swapped[1].commitment.hiding = [0xff; 32];
    for (request, code) in [
        (
            SignRequest {
                key: SharedKey {
                    group_key: [9; 32],
                    ..good.key
                },
                ..good.clone()
            },
            Code::NoKey,
        ),
        (
            SignRequest {
                key: SharedKey {
                    sharing: [9; 32],
                    ..good.key
                },
                ..good.clone()
            },
            Code::NoKey,
        ),
        (
            SignRequest {
                scheme: 2,
                ..good.clone()
            },
            Code::Scheme,
        ),
        (
            SignRequest {
                round: 2,
                ..good.clone()
            },
            Code::Scheme,
        ),
        (
            SignRequest {
                tbs_digest: [0; 32],
                ..good.clone()
            },
            Code::TbsDiffers,
        ),
        (with(package.signers[..2].to_vec()), Code::Malformed),
        (with(package.signers[1..].to_vec()), Code::Malformed),
        (with(twice), Code::Malformed),
        (with(stranger), Code::Malformed),
        (with(swapped), Code::Malformed),
    ] {
        assert_eq!(verdict(&mut world, request), Some(code));
    }
    assert_eq!(verdict(&mut world, good), None);
}

/// A request and a certificate have one outer form: a node looks at what it signs, whatever the rules gave it.
#[test]
fn what_has_another_shape_than_was_ordered_is_not_signed() {
    let (mut world, group_key, _, _) = issued(b'I');
    let now = world.seconds();
    for (rest, code) in [
        (&b"request"[..], Some(Code::TbsDiffers)),
        (b"certificate", None),
    ] {
        let index = world.log.entries.len() as u64;
        world.log(&[entry(b'C', now, rest)]);
        assert!(world.run(60, |w| {
            w.nodes
                .iter()
                .all(|n| n.node.as_ref().unwrap().head().size == index + 1)
        }));
        let proof = world
            .log
            .proof(index, world.cosigned.as_ref().unwrap().signed());
        let asked = request(&mut world, index, group_key, proof, b"");
        assert_eq!(verdict(&mut world, asked), code);
    }
}

/// A share of a key that was taken away is erased, but not before the head that says so has its quorum: the log may still go
/// back to the head before.
#[test]
fn a_retired_key_s_share_is_erased_once_that_is_settled() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let asked = request(&mut world, index, group_key, proof.clone(), b"");
    let now = world.seconds();
    world.log(&[entry(b'R', now, &group_key), entry(b'I', now, b"")]);
    let size = index + 3;
    assert!(world.run(60, |w| {
        w.nodes
            .iter()
            .all(|n| n.node.as_ref().unwrap().head().size == size)
    }));
    let holds = |world: &World, group_key| {
        let mut held = world.nodes[0].store.shares.keys();
        held.any(|key| key.group_key == group_key)
    };
    let held = |world: &World| holds(world, group_key);
    // Out of force at once; the node cosigned the head, and knows of no quorum for it.
    assert_eq!(verdict(&mut world, asked.clone()), Some(Code::NoKey));
    assert!(held(&world));
    world.stop(0);
    world.start(0);
    assert!(held(&world), "nor does a restart tell it of one");
    // The head's quorum tells it, as the coordinator passes it on or a proof brings it.
    world.events.clear();
    let next = world.make_key();
    assert!(!held(&world));
    assert!(holds(&world, next));
    world.restart(0);
    assert_eq!(verdict(&mut world, asked), Some(Code::NoKey));
}

/// The slot of node 0 in a request.
fn own_slot(request: &SignRequest) -> bauta_signer_protocol::messages::Slot {
    let package = FrostPackage::decode(request.payload.as_slice()).unwrap();
    package.signers[0].slot
}

#[test]
fn one_slot_does_not_serve_two_messages() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let now = world.seconds();
    world.log(&[entry(b'I', now, b"another")]);
    assert!(world.run(60, |w| {
        w.nodes[0].node.as_ref().unwrap().head().size == index + 2
    }));
    let other_proof = world
        .log
        .proof(index + 1, world.cosigned.as_ref().unwrap().signed());
    let first = request(&mut world, index, group_key, proof, b"");
    // The same nonces for the certificate of another entry: with both shares one would have the key share.
    let second = SignRequest {
        payload: first.payload.clone(),
        session: [4; 16],
        ..request(&mut world, index + 1, group_key, other_proof.clone(), b"")
    };
    assert_eq!(own_slot(&first), own_slot(&second));
    assert_eq!(verdict(&mut world, first), None);
    assert_eq!(verdict(&mut world, second), Some(Code::NonceSpent));
    let fresh = request(&mut world, index + 1, group_key, other_proof, b"");
    assert_eq!(verdict(&mut world, fresh), None);
}

#[test]
fn a_replayed_session_gets_no_second_share_with_other_commitments_either() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let asked = request(&mut world, index, group_key, proof.clone(), b"");
    assert_eq!(verdict(&mut world, asked.clone()), None);
    // The same slot of node 0, and other commitments of the others: another binding factor.
    let mut package = FrostPackage::decode(asked.payload.as_slice()).unwrap();
    let fresh = request(&mut world, index, group_key, proof, b"");
    let other = FrostPackage::decode(fresh.payload.as_slice()).unwrap();
    package.signers[1] = FrostSigner {
        commitment: other.signers[0].commitment,
        ..package.signers[1].clone()
    };
    let replayed = SignRequest {
        payload: package.encode().unwrap().into(),
        ..asked
    };
    assert_eq!(verdict(&mut world, replayed), Some(Code::NonceSpent));
}

#[test]
fn a_commitment_that_is_not_the_slots_own_gets_no_share_and_costs_the_nonce() {
    let (mut world, group_key, index, proof) = issued(b'I');
    let good = request(&mut world, index, group_key, proof.clone(), b"");
    let mut package = FrostPackage::decode(good.payload.as_slice()).unwrap();
    // A sound commitment, of another signer's nonce: the group commitment would be another.
    package.signers[0].commitment = package.signers[1].commitment;
    let wrong = SignRequest {
        payload: package.encode().unwrap().into(),
        ..good.clone()
    };
    assert_eq!(verdict(&mut world, wrong), Some(Code::Malformed));
    assert!(
        world.nodes[0]
            .store
            .burnt
            .contains(&(good.key, own_slot(&good)))
    );
    assert_eq!(verdict(&mut world, good), Some(Code::NonceSpent));
    let fresh = request(&mut world, index, group_key, proof, b"");
    assert_eq!(verdict(&mut world, fresh), None);
}
