//! Transcripts: a key, or new shares of one, are what their makers committed to in public.
use bauta_statement::file::KeyOperation;
use bauta_statement::file::authority::{CaKey, Mode};
use bauta_statement::note::sha256;
use bauta_statement::run::{DkgRound1, DkgRun, decode_transcript, transcript};
use frost_ed25519::keys::dkg::round1::Package;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::Refusal;
use super::world::World;
use super::world::dealing::{Scalar, deal, id, say, secret};

type Said = Vec<DkgRound1>;

/// A message's package, signed as its sender signs.
fn again(message: &DkgRound1, package: Vec<u8>) -> DkgRound1 {
    let number: u8 = message.name.rsplit('-').next().unwrap().parse().unwrap();
    say(message.run, &message.name, package, 30 + number)
}

/// What a dealer of this secret would commit to.
fn committed(part: Scalar, t: usize) -> frost_ed25519::keys::VerifiableSecretSharingCommitment {
    let world = World::begun(Mode::Development);
    let holders = world.generate("ca-1").participants;
    let shares = deal(part, t, &holders, &mut ChaCha20Rng::seed_from_u64(5));
    shares[&id(1)].commitment().clone()
}

/// A log that waits for the key `ca-1`, and the key as its makers said.
fn waiting() -> (World, CaKey) {
    let mut world = World::begun(Mode::Development);
    let note = world.by_administrators(&world.generate_text("ca-1", 1));
    world.submit(note).unwrap();
    let key = world.ca_key("ca-1");
    (world, key)
}

/// The refusal of a key with this transcript, which is among the objects.
fn refusal(world: &mut World, key: &CaKey, bytes: Vec<u8>) -> Refusal {
    let key = CaKey {
        transcript: sha256(&bytes),
        ..key.clone()
    };
    world.objects.insert(key.transcript, bytes);
    submit(world, &key).unwrap_err()
}

fn submit(world: &mut World, key: &CaKey) -> Result<(), Refusal> {
    let authority = world.ledger.authority().unwrap();
    let text = authority.with_ca_key(key.clone()).unwrap();
    let note = world.by_participants(&text);
    world.submit(note).map(drop)
}

fn read(world: &World, key: &CaKey) -> (DkgRun, Said) {
    decode_transcript(&world.objects[&key.transcript]).unwrap()
}

#[test]
fn a_key_needs_the_transcript_that_it_names() {
    let (mut world, key) = waiting();
    let good = world.objects.remove(&key.transcript).unwrap();
    let missing = submit(&mut world, &key).unwrap_err();
    assert_eq!(missing, Refusal::MissingObject(key.transcript));
    let mut other = good.clone();
    other.push(0);
    world.objects.insert(key.transcript, other);
    let wrong = submit(&mut world, &key).unwrap_err();
    assert_eq!(wrong, Refusal::WrongObject(key.transcript));
    world.objects.insert(key.transcript, good);
    submit(&mut world, &key).unwrap();
}

#[test]
fn a_key_is_what_all_its_makers_committed_to() {
    let (mut world, key) = waiting();
    let (run, good) = read(&world, &key);
    type Change = fn(&mut Said);
    let changes: [(&str, Change); 8] = [
        ("not one message", |said| {
            said.pop();
        }),
        ("not one message", |said| {
            said[4] = say(said[4].run, "signer-9", Vec::new(), 39);
        }),
        ("approval key's signature", |said| {
            said[2].sealing_key[0] ^= 1
        }),
        ("approval key's signature", |said| {
            said[2] = say(
                said[2].run,
                "signer-2",
                said[2].package.as_slice().into(),
                33,
            );
        }),
        ("malformed", |said| said[2] = again(&said[2], vec![1; 40])),
        ("another degree", |said| {
            let package = Package::deserialize(said[2].package.as_slice()).unwrap();
            let commitment = committed(secret(&[1; 32]), 2);
            let package = Package::new(commitment, *package.proof_of_knowledge());
            said[2] = again(&said[2], package.serialize().unwrap());
        }),
        // Its proof is of another secret, or of another's.
        ("knows its secret", |said| {
            let package = Package::deserialize(said[2].package.as_slice()).unwrap();
            let commitment = committed(secret(&[1; 32]), 3);
            let package = Package::new(commitment, *package.proof_of_knowledge());
            said[2] = again(&said[2], package.serialize().unwrap());
        }),
        ("knows its secret", |said| {
            said[2] = again(&said[2], said[1].package.as_slice().into());
        }),
    ];
    for (why, change) in changes {
        let mut said = good.clone();
        change(&mut said);
        let refused = refusal(&mut world, &key, transcript(&run, &said).unwrap());
        assert!(
            matches!(&refused, Refusal::Transcript(reason) if reason.contains(why)),
            "{why}: {refused}"
        );
    }
    // Of another run: an operation that is none, or another place in the log.
    for other in [
        DkgRun {
            operation: [1; 32],
            ..run
        },
        DkgRun { index: 0, ..run },
    ] {
        let said: Said = good
            .iter()
            .map(|message| {
                let message = DkgRound1 {
                    run: other,
                    ..message.clone()
                };
                again(&message, message.package.as_slice().into())
            })
            .collect();
        let refused = refusal(&mut world, &key, transcript(&other, &said).unwrap());
        assert!(matches!(refused, Refusal::Transcript(reason) if reason.contains("operation")));
    }
    // Other shares, or another key, than what was committed to.
    let mut shares = key.clone();
    shares.verifying_shares.swap(0, 1);
    shares.verifying_shares[0].identifier = 1;
    shares.verifying_shares[1].identifier = 2;
    for share in [0, 1] {
        shares.verifying_shares[share].signer = format!("signer-{share}");
    }
    let mut group = key.clone();
    group.group_key = shares.verifying_shares[0].share;
    for wrong in [shares, group] {
        let refused = submit(&mut world, &wrong).unwrap_err();
        assert!(
            matches!(&refused, Refusal::Transcript(reason) if reason.contains("other shares")),
            "{refused}"
        );
    }
    submit(&mut world, &key).unwrap();
}

#[test]
fn new_shares_are_what_the_dealers_of_the_old_ones_committed_to() {
    let (mut world, before) = waiting();
    submit(&mut world, &before).unwrap();
    let reshare = world.reshare(&before);
    let header = World::header(
        bauta_statement::file::Kind::KeyOperation,
        "reshare-ca-1",
        1,
        super::world::FAR,
    );
    let operation = KeyOperation::ReshareKey(reshare.clone());
    let text = bauta_statement::file::to_text(&header, &operation).unwrap();
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    let key = world.reshared(&reshare, &before, &text);
    let (run, good) = read(&world, &key);
    let sharing = |world: &mut World, key: &CaKey| {
        let authority = world.ledger.authority().unwrap();
        let text = authority.with_sharing(key.clone()).unwrap();
        let ca = super::world::ca_signer();
        let mut signers: Vec<_> = world.approvals.iter().collect();
        signers.push(&ca);
        let note = bauta_statement::note::sign(&text, &signers).unwrap();
        world.submit(note).map(drop)
    };
    type Change = fn(&mut Said);
    let whole = |t| committed(secret(&[1; 32]), t).serialize_whole().unwrap();
    let changes: [(&str, Change); 6] = [
        ("not one message", |said| {
            said.remove(4);
        }),
        ("approval key's signature", |said| {
            said[3].sealing_key[0] ^= 1
        }),
        ("is no dealer", |said| {
            said[4] = again(&said[4], said[1].package.as_slice().into());
        }),
        ("malformed", |said| said[1] = again(&said[1], vec![1; 40])),
        ("another degree", |said| {
            said[1] = again(&said[1], Vec::new())
        }),
        ("another secret", |said| {
            said[1] = again(&said[1], said[2].package.as_slice().into());
        }),
    ];
    let mut cases: Vec<(&str, Said)> = Vec::new();
    for (why, change) in changes {
        let mut said = good.clone();
        change(&mut said);
        cases.push((why, said));
    }
    for (why, t) in [("another degree", 2), ("another secret", 3)] {
        let mut said = good.clone();
        said[1] = again(&said[1], whole(t));
        cases.push((why, said));
    }
    for (why, said) in cases {
        let bytes = transcript(&run, &said).unwrap();
        let key = CaKey {
            transcript: sha256(&bytes),
            ..key.clone()
        };
        world.objects.insert(key.transcript, bytes);
        let refused = sharing(&mut world, &key).unwrap_err();
        assert!(
            matches!(&refused, Refusal::Transcript(reason) if reason.contains(why)),
            "{why}: {refused}"
        );
    }
    let mut wrong = key.clone();
    wrong.verifying_shares[3].share = key.verifying_shares[4].share;
    let refused = sharing(&mut world, &wrong).unwrap_err();
    assert!(matches!(refused, Refusal::Transcript(_)), "{refused}");
    sharing(&mut world, &key).unwrap();
}
