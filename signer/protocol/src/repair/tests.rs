//! Repair among nodes in one room: what a helper alone can do wrong.

use ed25519_dalek::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{exchange::Participant, keys::PublicShares};

const RUN: DkgRun = DkgRun {
    operation: [1; 32],
    index: 3,
    attempt: [2; 16],
};
/// Whose share is lost, and where it stands in the list of members.
const PATIENT: usize = 3;

fn approval(i: usize) -> SigningKey {
    SigningKey::from_bytes(&[i as u8 + 1; 32])
}

fn participant(i: usize) -> Participant {
    Participant {
        identifier: i as u16 + 1,
        name: format!("signer-{}", i + 1),
        approval_key: approval(i).approval_key(),
    }
}

struct Room {
    rng: ChaCha20Rng,
    nodes: Vec<Repairing>,
    round1: Vec<DkgRound1>,
    lost: KeyShare,
    order: Repair,
}

/// Three of five; signers 1 to 3 help signer 4.
fn room(seed: u64) -> Room {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let ids = frost::keys::IdentifierList::Default;
    let (dealt, package) = frost::keys::generate_with_dealer(5, 3, ids, &mut rng).unwrap();
    let mut shares: Vec<KeyShare> = dealt
        .into_values()
        .map(|share| KeyShare::new(share.try_into().unwrap()))
        .collect();
    let names: Vec<String> = (0..5).map(|i| participant(i).name).collect();
    let numbered = (1..).zip(names.iter().map(String::as_str));
    let order = Repair {
        public: PublicShares::from_frost(&package, numbered, 3).unwrap(),
        patient: participant(PATIENT),
        helpers: (0..3).map(participant).collect(),
    };
    let (nodes, round1) = (0..4)
        .map(|i| {
            let share = shares.get(i).filter(|_| i != PATIENT);
            let name = participant(i).name;
            let node =
                Repairing::start(RUN, &name, order.clone(), share, &approval(i), &mut rng).unwrap();
            let round1 = node.station.round1().unwrap().clone();
            (node, round1)
        })
        .unzip();
    Room {
        rng,
        nodes,
        round1,
        lost: shares.remove(PATIENT),
        order,
    }
}

impl Room {
    fn round2(&mut self) -> Vec<DkgRound2> {
        let nodes = self.nodes.iter_mut().enumerate();
        nodes
            .map(|(i, node)| {
                node.round2(&self.round1, &approval(i), &mut self.rng)
                    .unwrap()
            })
            .collect()
    }

    fn round3(&mut self, round2: &[DkgRound2]) -> Vec<DkgRound2> {
        let helpers = self.nodes[..PATIENT].iter_mut().enumerate();
        helpers
            .map(|(i, node)| node.round3(round2, &approval(i), &mut self.rng).unwrap())
            .collect()
    }

    /// Node i's message with another content for `to`, properly signed.
    fn forge(
        &mut self,
        message: &DkgRound2,
        i: usize,
        round: Round,
        to: &str,
        plain: &[u8],
    ) -> DkgRound2 {
        let keys = self.nodes[i]
            .station
            .sealing_keys(&self.round1[i], &self.round1)
            .unwrap();
        let mut forged = message.clone();
        let sealed = self.nodes[i]
            .station
            .seal(to, &keys, plain, &mut self.rng)
            .unwrap();
        let at = forged.packages.iter().position(|one| one.to == to).unwrap();
        forged.packages[at] = sealed;
        let bytes = forged.signed_bytes(round).unwrap();
        forged.signature = ed25519_dalek::Signer::sign(&approval(i), &bytes).to_bytes();
        forged
    }
}

fn one() -> Vec<u8> {
    let one = <frost::Ed25519ScalarField as frost_core::Field>::one();
    frost::keys::SigningShare::new(one).serialize()
}

#[test]
fn the_share_comes_back() {
    let mut room = room(1);
    let round2 = room.round2();
    assert_eq!(room.round2(), round2);
    let round3 = room.round3(&round2);
    assert_eq!(room.round3(&round2), round3);
    let share = room.nodes[PATIENT].finish(&round3).unwrap();
    assert_eq!(share.to_bytes().unwrap(), room.lost.to_bytes().unwrap());
    // Nobody but the patient is told anything that gives it.
    assert!(
        round2
            .iter()
            .all(|message| { message.packages.iter().all(|one| one.to != "signer-4") })
    );
    assert!(
        round3
            .iter()
            .all(|message| { message.packages.len() == 1 && message.packages[0].to == "signer-4" })
    );
    assert!(room.nodes[PATIENT].finish(&round3).is_err());
    assert!(room.nodes[0].finish(&round3).is_err());
}

/// frost-core returns Ok with a share of nothing: the published verifying share tells.
#[test]
fn a_helper_that_lies_gives_no_share() {
    for lie in [Round::Two, Round::Three] {
        let mut room = room(2);
        let mut round2 = room.round2();
        if lie == Round::Two {
            round2[1] = room.forge(&round2[1].clone(), 1, lie, "signer-1", &one());
        }
        let mut round3 = room.round3(&round2);
        if lie == Round::Three {
            round3[1] = room.forge(&round3[1].clone(), 1, lie, "signer-4", &one());
        }
        let helpers = vec!["signer-1".into(), "signer-2".into(), "signer-3".into()];
        assert_eq!(
            room.nodes[PATIENT].finish(&round3).err(),
            Some(RunError::WrongShare { helpers }),
            "{lie:?}"
        );
    }
}

#[test]
fn a_repair_towards_another_key_or_place_gives_no_share() {
    // The helpers together make another signer's share: they all took the patient for signer 5.
    let mut room = room(3);
    let round2 = room.round2();
    let round3 = room.round3(&round2);
    let public = &mut room.nodes[PATIENT].order.public;
    public.shares[PATIENT].share = public.shares[4].share;
    assert!(matches!(
        room.nodes[PATIENT].finish(&round3),
        Err(RunError::WrongShare { .. })
    ));
}

#[test]
fn a_stranger_in_the_patient_s_place_is_told_nothing() {
    // The coordinator puts another key in the patient's message: it is not signed by the patient.
    let mut room = room(3);
    let mut round1 = room.round1.clone();
    round1[PATIENT].sealing_key = round1[0].sealing_key;
    assert_eq!(
        room.nodes[0]
            .round2(&round1, &approval(0), &mut room.rng)
            .err(),
        Some(RunError::Signature("signer-4".into()))
    );
}

#[test]
fn malformed_parts_and_other_rounds_are_named() {
    let mut room = room(4);
    let round2 = room.round2();
    let mut bad = round2.clone();
    bad[1] = room.forge(&round2[1], 1, Round::Two, "signer-1", &[0xff; 32]);
    assert!(matches!(
        room.nodes[0].round3(&bad, &approval(0), &mut room.rng),
        Err(RunError::Cheater { name, .. }) if name == "signer-2"
    ));
    let round3 = room.round3(&round2);
    let mut bad = round3.clone();
    bad[2] = room.forge(&round3[2], 2, Round::Three, "signer-4", &[0xff; 32]);
    assert!(matches!(
        room.nodes[PATIENT].finish(&bad),
        Err(RunError::Cheater { name, .. }) if name == "signer-3"
    ));
    // A message of round 2 is none of round 3, though it has the same form.
    let helpers: Vec<DkgRound2> = round2[..PATIENT].to_vec();
    assert!(matches!(
        room.nodes[PATIENT].finish(&helpers),
        Err(RunError::Signature(_))
    ));
    assert_eq!(
        room.nodes[PATIENT].finish(&round3[..2]).err(),
        Some(RunError::Participants)
    );
    room.nodes[PATIENT].finish(&round3).unwrap();
}

#[test]
fn a_helper_that_saw_another_round_1_stops_it() {
    let mut room = room(5);
    let other = Repairing::start(
        RUN,
        "signer-4",
        room.order.clone(),
        None,
        &approval(PATIENT),
        &mut room.rng,
    )
    .unwrap();
    let mut shown = room.round1.clone();
    shown[PATIENT] = other.station.round1().unwrap().clone();
    let mut round2 = Vec::new();
    for (i, node) in room.nodes.iter_mut().enumerate() {
        let messages = if i == 0 { &shown } else { &room.round1 };
        round2.push(node.round2(messages, &approval(i), &mut room.rng).unwrap());
    }
    assert_eq!(
        room.nodes[1]
            .round3(&round2, &approval(1), &mut room.rng)
            .err(),
        Some(RunError::Equivocation("signer-1".into()))
    );
}

#[test]
fn a_helper_needs_its_own_share_of_the_sharing_in_force() {
    let mut room = room(6);
    // Of signer 1, and of another key; and the patient's own.
    let ids = frost::keys::IdentifierList::Default;
    let (dealt, _) = frost::keys::generate_with_dealer(5, 3, ids, &mut room.rng).unwrap();
    let of_another = KeyShare::new(dealt.into_values().next().unwrap().try_into().unwrap());
    let lost = room.lost;
    let mut help = |share: Option<&KeyShare>| {
        let (order, key) = (room.order.clone(), approval(0));
        Repairing::start(RUN, "signer-1", order, share, &key, &mut room.rng).err()
    };
    for share in [None, Some(&of_another), Some(&lost)] {
        assert!(matches!(help(share), Some(RunError::Frost(_))));
    }
}
