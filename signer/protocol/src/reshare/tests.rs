//! Resharing among nodes in one room: what a dealer alone can do wrong.

use ed25519_dalek::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::dkg::Participants;

const RUN: DkgRun = DkgRun {
    operation: [1; 32],
    index: 3,
    attempt: [2; 16],
};

fn approval(i: u16) -> SigningKey {
    SigningKey::from_bytes(&[i as u8; 32])
}

fn participant(identifier: u16, number: u16) -> Participant {
    Participant {
        identifier,
        name: format!("signer-{number}"),
        approval_key: approval(number).approval_key(),
    }
}

struct Room {
    rng: ChaCha20Rng,
    order: Reshare,
    shares: BTreeMap<String, KeyShare>,
}

/// Signers 1 to 4 hold shares, any two of which sign; 1 and 3 deal. Signers 2 to 5 get new ones, any three of which sign.
fn room(seed: u64) -> Room {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (dealt, package) =
        frost::keys::generate_with_dealer(4, 2, frost::keys::IdentifierList::Default, &mut rng)
            .unwrap();
    let names: Vec<String> = (1..=4).map(|i| format!("signer-{i}")).collect();
    let from =
        PublicShares::from_frost(&package, (1..).zip(names.iter().map(String::as_str)), 2).unwrap();
    let shares = names
        .iter()
        .cloned()
        .zip(
            dealt
                .into_values()
                .map(|share| KeyShare::new(share.try_into().unwrap())),
        )
        .collect();
    let order = Reshare {
        from,
        dealers: vec![participant(1, 1), participant(3, 3)],
        receivers: Participants {
            list: (1..=4).map(|i| participant(i, i + 1)).collect(),
            threshold: 3,
        },
    };
    Room { rng, order, shares }
}

impl Room {
    fn start(&mut self) -> (Vec<Resharing>, Vec<DkgRound1>) {
        (1..=5)
            .map(|i| {
                let name = format!("signer-{i}");
                let resharing = Resharing::start(
                    RUN,
                    &name,
                    self.order.clone(),
                    self.shares.get(&name),
                    &approval(i),
                    &mut self.rng,
                )
                .unwrap();
                let round1 = resharing.station.round1().unwrap().clone();
                (resharing, round1)
            })
            .unzip()
    }

    fn round2(&mut self, nodes: &mut [Resharing], round1: &[DkgRound1]) -> Vec<DkgRound2> {
        nodes
            .iter_mut()
            .zip(1..)
            .map(|(node, i)| node.round2(round1, &approval(i), &mut self.rng).unwrap())
            .collect()
    }
}

fn sign1(message: &mut DkgRound1, i: u16) {
    message.signature =
        ed25519_dalek::Signer::sign(&approval(i), &message.signed_bytes().unwrap()).to_bytes();
}

fn sign2(message: &mut DkgRound2, i: u16) {
    let bytes = message.signed_bytes(Round::Two).unwrap();
    message.signature = ed25519_dalek::Signer::sign(&approval(i), &bytes).to_bytes();
}

fn culprit<T>(result: Result<T, RunError>) -> (String, String) {
    match result {
        Err(RunError::Cheater { name, what }) => (name, what),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a cheater passed"),
    }
}

#[test]
fn everybody_computes_the_same_public_side_and_the_key_stays() {
    let mut room = room(1);
    let (mut nodes, round1) = room.start();
    let all = room.round2(&mut nodes, &round1);
    let public = public_shares(&room.order, &round1).unwrap();
    assert_eq!(public.group_key, room.order.from.group_key);
    assert_ne!(public.id(), room.order.from.id());
    for (i, node) in nodes.iter_mut().enumerate().skip(1) {
        let (share, own_public) = node.finish(&all).unwrap();
        assert_eq!(own_public, public);
        assert!(share.matches(&format!("signer-{}", i + 1), &public));
        assert_eq!(share.threshold(), 3);
        assert_eq!(node.finish(&all).err(), Some(RunError::OutOfTurn));
    }
    // A dealer that gets no share has nothing to finish.
    assert!(nodes[0].finish(&all).is_err());
    // Asked again, a node says the same again, for the same messages only.
    let (mut nodes, round1) = room.start();
    let first = nodes[2]
        .round2(&round1, &approval(3), &mut room.rng)
        .unwrap();
    assert_eq!(
        nodes[2]
            .round2(&round1, &approval(3), &mut room.rng)
            .unwrap(),
        first
    );
    let mut swapped = round1.clone();
    swapped.swap(0, 1);
    assert_eq!(
        nodes[2].round2(&swapped, &approval(3), &mut room.rng).err(),
        Some(RunError::OutOfTurn)
    );
}

/// A commitment to a fresh polynomial of this degree with this constant term.
fn commitment(
    constant: frost_core::Scalar<frost::Ed25519Sha512>,
    t: u16,
    rng: &mut ChaCha20Rng,
) -> Vec<u8> {
    let key = frost::SigningKey::from_scalar(constant).unwrap();
    let ids = frost::keys::IdentifierList::Default;
    let (shares, _) = frost::keys::split(&key, 4, t, ids, rng).unwrap();
    let share = shares.into_values().next().unwrap();
    share.commitment().serialize_whole().unwrap()
}

#[test]
fn a_dealer_of_another_secret_or_degree_is_named() {
    let mut room = room(2);
    let (mut nodes, round1) = room.start();
    let share = room.shares["signer-3"].package().clone();
    let dealers = ids(&room.order.dealers).unwrap();
    let lambda =
        frost_core::compute_lagrange_coefficient(&dealers, None, *share.identifier()).unwrap();
    let right = lambda * share.signing_share().to_scalar();
    let other_share = room.shares["signer-2"]
        .package()
        .signing_share()
        .to_scalar();
    let bad = |package: Vec<u8>| {
        let mut bad = round1.clone();
        bad[2].package = package.into();
        sign1(&mut bad[2], 3);
        bad
    };
    let cases = [
        // The share itself, a stranger's, and the whole again by another dealer's commitment.
        (
            commitment(share.signing_share().to_scalar(), 3, &mut room.rng),
            "another secret",
        ),
        (
            commitment(lambda * other_share, 3, &mut room.rng),
            "another secret",
        ),
        (round1[0].package.as_slice().to_vec(), "another secret"),
        // A degree that raises the threshold for everybody, and one that lowers it.
        (commitment(right, 4, &mut room.rng), "degree"),
        (commitment(right, 2, &mut room.rng), "degree"),
        (vec![1; 96], "malformed"),
        (vec![], "degree"),
    ];
    for (package, what) in cases {
        let messages = bad(package);
        let named = culprit(nodes[1].round2(&messages, &approval(2), &mut room.rng));
        assert_eq!(named.0, "signer-3");
        assert!(named.1.contains(what), "{} is not {what}", named.1);
        assert_eq!(culprit(public_shares(&room.order, &messages)).0, "signer-3");
    }
    // The right secret by a polynomial of its own choice is what a dealer may commit to; then its shares must be of that.
    let messages = bad(commitment(right, 3, &mut room.rng));
    nodes[1]
        .round2(&messages, &approval(2), &mut room.rng)
        .unwrap();
    assert!(public_shares(&room.order, &messages).is_ok());
}

#[test]
fn who_is_no_dealer_deals_nothing() {
    let mut room = room(3);
    let (mut nodes, round1) = room.start();
    let mut stranger = round1.clone();
    stranger[3].package = round1[0].package.clone();
    sign1(&mut stranger[3], 4);
    let named = culprit(nodes[1].round2(&stranger, &approval(2), &mut room.rng));
    assert_eq!(named, ("signer-4".into(), "deals, and is no dealer".into()));
    // One who is not in the run at all.
    let mut more = round1.clone();
    let mut sixth = round1[3].clone();
    sixth.name = "signer-6".into();
    sign1(&mut sixth, 6);
    more.push(sixth);
    assert_eq!(
        nodes[1].round2(&more, &approval(2), &mut room.rng).err(),
        Some(RunError::Participants)
    );
}

#[test]
fn a_share_off_its_polynomial_is_named() {
    let mut room = room(4);
    let (mut nodes, round1) = room.start();
    let all = room.round2(&mut nodes, &round1);
    let keys = nodes[2].station.sealing_keys(&round1[2], &round1).unwrap();
    let one = <frost::Ed25519ScalarField as frost_core::Field>::one();
    let plain = frost::keys::SigningShare::new(one).serialize();
    for plain in [plain, vec![0xff; 32], vec![1; 31]] {
        let sealed = nodes[2]
            .station
            .seal("signer-2", &keys, &plain, &mut room.rng)
            .unwrap();
        let mut bad = all.clone();
        let at = bad[2]
            .packages
            .iter()
            .position(|one| one.to == "signer-2")
            .unwrap();
        bad[2].packages[at] = sealed;
        sign2(&mut bad[2], 3);
        assert_eq!(culprit(nodes[1].finish(&bad)).0, "signer-3");
    }
    // Another receiver's share, sealed for that one: it does not open here.
    let mut swapped = all.clone();
    let other = swapped[2]
        .packages
        .iter()
        .position(|one| one.to == "signer-4")
        .unwrap();
    let at = swapped[2]
        .packages
        .iter()
        .position(|one| one.to == "signer-2")
        .unwrap();
    swapped[2].packages[at] = swapped[2].packages[other].clone();
    swapped[2].packages[at].to = "signer-2".into();
    sign2(&mut swapped[2], 3);
    assert_eq!(culprit(nodes[1].finish(&swapped)).0, "signer-3");
    // Nothing for this node.
    let mut none = all.clone();
    none[2].packages.retain(|one| one.to != "signer-2");
    sign2(&mut none[2], 3);
    assert_eq!(culprit(nodes[1].finish(&none)).0, "signer-3");
    // What the coordinator altered is nobody's fault but its own.
    let mut altered = all.clone();
    altered[2].packages.pop();
    assert_eq!(
        nodes[1].finish(&altered).err(),
        Some(RunError::Signature("signer-3".into()))
    );
    nodes[1].finish(&all).unwrap();
}

#[test]
fn two_commitments_of_one_dealer_are_noticed_before_anything_is_opened() {
    let mut room = room(5);
    let (mut nodes, round1) = room.start();
    // Signer 3 is another process under the same key, and tells signers 2 and 4 other things.
    let other = Resharing::start(
        RUN,
        "signer-3",
        room.order.clone(),
        room.shares.get("signer-3"),
        &approval(3),
        &mut room.rng,
    )
    .unwrap();
    let mut to_2 = round1.clone();
    to_2[2] = other.station.round1().unwrap().clone();
    let mut all = Vec::new();
    for (i, node) in (1..).zip(&mut nodes) {
        let messages = if i == 2 { &to_2 } else { &round1 };
        all.push(node.round2(messages, &approval(i), &mut room.rng).unwrap());
    }
    assert_eq!(
        nodes[1].finish(&all).err(),
        Some(RunError::Equivocation("signer-1".into()))
    );
    for node in &mut nodes[2..] {
        assert_eq!(
            node.finish(&all).err(),
            Some(RunError::Equivocation("signer-2".into()))
        );
    }
}

#[test]
fn nothing_of_another_run_counts_in_this_one() {
    let mut room = room(6);
    let (mut nodes, round1) = room.start();
    let run = DkgRun {
        attempt: [3; 16],
        ..RUN
    };
    let other = Resharing::start(
        run,
        "signer-3",
        room.order.clone(),
        room.shares.get("signer-3"),
        &approval(3),
        &mut room.rng,
    )
    .unwrap();
    for rename in [false, true] {
        let mut replayed = round1.clone();
        replayed[2] = other.station.round1().unwrap().clone();
        if rename {
            replayed[2].run = RUN;
        }
        assert_eq!(
            nodes[1]
                .round2(&replayed, &approval(2), &mut room.rng)
                .err(),
            Some(RunError::Signature("signer-3".into()))
        );
    }
}

#[test]
fn a_dealer_needs_its_own_share_of_the_sharing_in_force() {
    let mut room = room(7);
    let start = |room: &mut Room, share: &str| {
        let shares = std::mem::take(&mut room.shares);
        let result = Resharing::start(
            RUN,
            "signer-3",
            room.order.clone(),
            shares.get(share),
            &approval(3),
            &mut room.rng,
        );
        room.shares = shares;
        result.err()
    };
    assert!(start(&mut room, "signer-3").is_none());
    assert!(start(&mut room, "signer-1").is_some());
    assert!(start(&mut room, "nobody").is_some());
    // The share is not the one whose public half is published.
    let first = room.order.from.shares[0].share;
    let third = std::mem::replace(&mut room.order.from.shares[2].share, first);
    assert!(start(&mut room, "signer-3").is_some());
    // Published shares that are not the key's are not believed.
    room.order.from.shares[2].share = third;
    let (_, round1) = room.start();
    room.order.from.group_key = first;
    assert!(matches!(
        public_shares(&room.order, &round1),
        Err(RunError::Frost(_))
    ));
}
