//! Key generation among nodes in one room: what a participant alone can do wrong.

use ed25519_dalek::SigningKey;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use hpke::{
    Deserializable as _, OpModeS, Serializable as _, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};

use super::*;
use crate::exchange::{SealingPublicKey, seal_info};
use crate::keys::identifier;

const RUN: DkgRun = DkgRun {
    operation: [1; 32],
    index: 3,
    attempt: [2; 16],
};

fn approval(i: u16) -> SigningKey {
    SigningKey::from_bytes(&[i as u8; 32])
}

fn participants() -> Participants {
    Participants {
        list: (1..=3)
            .map(|i| Participant {
                identifier: i,
                name: format!("signer-{i}"),
                approval_key: approval(i).approval_key(),
            })
            .collect(),
        threshold: 2,
    }
}

fn start(rng: &mut ChaCha20Rng) -> (Vec<KeyGeneration>, Vec<DkgRound1>) {
    (1..=3)
        .map(|i| {
            let generation = KeyGeneration::start(
                RUN,
                &format!("signer-{i}"),
                participants(),
                &approval(i),
                rng,
            )
            .unwrap();
            let round1 = generation.station.round1().unwrap().clone();
            (generation, round1)
        })
        .unzip()
}

fn round2(
    nodes: &mut [KeyGeneration],
    round1: &[DkgRound1],
    rng: &mut ChaCha20Rng,
) -> Vec<DkgRound2> {
    nodes
        .iter_mut()
        .zip(1..)
        .map(|(node, i)| node.round2(round1, &approval(i), rng).unwrap())
        .collect()
}

fn sign1(message: &mut DkgRound1, i: u16) {
    message.signature =
        ed25519_dalek::Signer::sign(&approval(i), &message.signed_bytes().unwrap()).to_bytes();
}

fn sign2(message: &mut DkgRound2, i: u16) {
    message.signature =
        ed25519_dalek::Signer::sign(&approval(i), &message.signed_bytes(Round::Two).unwrap())
            .to_bytes();
}

fn culprit<T>(result: Result<T, RunError>) -> String {
    match result {
        Err(RunError::Cheater { name, .. }) => name,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a cheater passed"),
    }
}

#[test]
fn everybody_gets_the_same_key_and_a_share_of_it() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut nodes, round1) = start(&mut rng);
    let all = round2(&mut nodes, &round1, &mut rng);
    // Asked again, a node says the same again, for the same messages only.
    assert_eq!(
        nodes[0].round2(&round1, &approval(1), &mut rng).unwrap(),
        all[0]
    );
    let mut other = round1.clone();
    other.swap(0, 1);
    assert_eq!(
        nodes[0].round2(&other, &approval(1), &mut rng),
        Err(RunError::OutOfTurn)
    );
    let made: Vec<_> = nodes
        .iter_mut()
        .map(|node| node.finish(&all).unwrap())
        .collect();
    for (i, (share, public)) in made.iter().enumerate() {
        assert_eq!(*public, made[0].1);
        assert!(share.matches(&format!("signer-{}", i + 1), public));
        assert!(!share.matches("signer-9", public));
        // The share survives sealing, and nothing else passes for it.
        let bytes = share.to_bytes().unwrap();
        assert!(
            KeyShare::from_bytes(&bytes)
                .unwrap()
                .matches(&format!("signer-{}", i + 1), public)
        );
        assert!(KeyShare::from_bytes(&bytes[1..]).is_err());
        let longer = [bytes.as_slice(), b"\0"].concat();
        assert!(KeyShare::from_bytes(&longer).is_err());
        assert_eq!(format!("{share:?}"), "KeyShare(redacted)");
    }
    // A share restored in the wrong place is noticed before it is used.
    assert!(!made[0].0.matches("signer-2", &made[0].1));
    assert_eq!(nodes[0].finish(&all).err(), Some(RunError::OutOfTurn));
}

/// What a node said in the same run before it was started anew is signed by it, and made of secrets that it lost.
#[test]
fn a_node_goes_on_with_what_it_said_itself_alone() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let (_, before) = start(&mut rng);
    let (mut nodes, mut round1) = start(&mut rng);
    round1[0] = before[0].clone();
    assert_eq!(
        nodes[0].round2(&round1, &approval(1), &mut rng),
        Err(RunError::Signature("signer-1".into()))
    );
    assert!(nodes[1].round2(&round1, &approval(2), &mut rng).is_ok());
}

#[test]
fn a_wrong_proof_or_degree_is_named() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (mut nodes, round1) = start(&mut rng);
    // Signer 2 passes signer 3's polynomial off as its own (a rogue key).
    let mut stolen = round1.clone();
    stolen[1].package = round1[2].package.clone();
    sign1(&mut stolen[1], 2);
    assert_eq!(
        culprit(nodes[0].round2(&stolen, &approval(1), &mut rng)),
        "signer-2"
    );
    // A polynomial of a higher degree would raise the threshold for everybody (the "dkg threshold raise" bug).
    let (_, raised) = dkg::part1(identifier(2).unwrap(), 3, 3, &mut rng).unwrap();
    let mut high = round1.clone();
    high[1].package = raised.serialize().unwrap().into();
    sign1(&mut high[1], 2);
    assert_eq!(
        culprit(nodes[0].round2(&high, &approval(1), &mut rng)),
        "signer-2"
    );
    let mut garbage = round1.clone();
    garbage[1].package = b"garbage".to_vec().into();
    sign1(&mut garbage[1], 2);
    assert_eq!(
        culprit(nodes[0].round2(&garbage, &approval(1), &mut rng)),
        "signer-2"
    );
}

#[test]
fn a_wrong_share_is_named() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (mut nodes, round1) = start(&mut rng);
    let all = round2(&mut nodes, &round1, &mut rng);
    // A well-sealed share of another polynomial.
    let receiver = SealingPublicKey::from_bytes(&round1[0].sealing_key).unwrap();
    let (_, wrong) = dkg::part1(identifier(2).unwrap(), 3, 2, &mut rng)
        .map(|(secret, _)| {
            let others = round1
                .iter()
                .filter(|m| m.name != "signer-2")
                .zip([1, 3])
                .map(|(m, i)| {
                    let package = dkg::round1::Package::deserialize(m.package.as_slice()).unwrap();
                    (identifier(i).unwrap(), package)
                })
                .collect();
            dkg::part2(secret, &others).unwrap()
        })
        .unwrap();
    let seal = |info: &[u8], rng: &mut ChaCha20Rng| {
        let plain = wrong[&identifier(1).unwrap()].serialize().unwrap();
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Base,
            &receiver,
            info,
            &plain,
            &[],
            rng,
        )
        .unwrap()
    };
    let info = seal_info(&RUN, "signer-2", "signer-1").unwrap();
    let other_info = seal_info(&RUN, "signer-3", "signer-1").unwrap();
    for info in [info, other_info] {
        let (encapsulated, ciphertext) = seal(&info, &mut rng);
        let mut bad = all.clone();
        bad[1].packages[0].encapsulated = encapsulated.to_bytes().to_vec().into();
        bad[1].packages[0].ciphertext = ciphertext.into();
        sign2(&mut bad[1], 2);
        assert_eq!(bad[1].packages[0].to, "signer-1");
        assert_eq!(culprit(nodes[0].finish(&bad)), "signer-2");
    }
    // None for this node, or two.
    for packages in [
        vec![],
        vec![all[1].packages[0].clone(), all[1].packages[0].clone()],
    ] {
        let mut bad = all.clone();
        bad[1].packages = packages;
        sign2(&mut bad[1], 2);
        assert_eq!(culprit(nodes[0].finish(&bad)), "signer-2");
    }
    // What the sender did not sign is not the sender's fault, and not opened.
    let mut altered = all.clone();
    altered[1].packages[0].ciphertext = all[2].packages[0].ciphertext.clone();
    assert_eq!(
        nodes[0].finish(&altered).err(),
        Some(RunError::Signature("signer-2".into()))
    );
    nodes[0].finish(&all).unwrap();
}

#[test]
fn a_node_does_not_take_part_under_another_key() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let other = KeyGeneration::start(RUN, "signer-1", participants(), &approval(2), &mut rng).err();
    assert_eq!(other, Some(RunError::Participants));
}
