//! Keys made and shared by signers whose every secret the test knows, with the transcripts of the runs.
use std::collections::BTreeMap;

use bauta_statement::file::authority::{CaKey, VerifyingShare};
use bauta_statement::file::key_operation::{GenerateKey, Participant, ReshareKey};
use bauta_statement::note::{Digest, sha256};
use bauta_statement::run::{DkgRound1, DkgRun, transcript};
use ed25519_dalek::Signer as _;
use frost_core::Field as _;
use frost_core::keys::dkg::compute_proof_of_knowledge;
use frost_ed25519::keys::dkg::round1::Package;
use frost_ed25519::keys::{IdentifierList, SecretShare, split};
use frost_ed25519::{Ed25519ScalarField, Ed25519Sha512, Identifier, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) type Scalar = frost_core::Scalar<Ed25519Sha512>;
/// Shares by signers' names.
pub(crate) type Shares = BTreeMap<String, Scalar>;

/// What came of a run.
pub(crate) struct Made {
    pub(crate) key: CaKey,
    pub(crate) transcript: Vec<u8>,
    pub(crate) shares: Shares,
}

/// The secret scalar of the Ed25519 key with this seed.
pub(crate) fn secret(seed: &[u8; 32]) -> Scalar {
    ed25519_dalek::SigningKey::from_bytes(seed).to_scalar()
}

pub(crate) fn id(number: u16) -> Identifier {
    Identifier::try_from(number).unwrap()
}

/// A first message of a run, signed with the key of that seed.
pub(crate) fn say(run: DkgRun, name: &str, package: Vec<u8>, seed: u8) -> DkgRound1 {
    let mut message = DkgRound1 {
        run,
        name: name.into(),
        package: package.into(),
        sealing_key: [1; 32],
        signature: [0; 64],
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    message.signature = key.sign(&message.signed_bytes().unwrap()).to_bytes();
    message
}

/// Seed of the approval key of `signer-i`.
fn approval(name: &str) -> u8 {
    30 + name.rsplit('-').next().unwrap().parse::<u8>().unwrap()
}

/// Splits a part of the secret among the holders.
pub(crate) fn deal(
    part: Scalar,
    t: usize,
    holders: &[Participant],
    rng: &mut ChaCha20Rng,
) -> BTreeMap<Identifier, SecretShare> {
    let ids: Vec<Identifier> = holders.iter().map(|one| id(one.identifier)).collect();
    let key = SigningKey::from_scalar(part).unwrap();
    let list = IdentifierList::Custom(&ids);
    let (shares, _) = split(&key, ids.len() as u16, t as u16, list, rng).unwrap();
    shares
}

/// Parts by dealers' names, each dealt to all holders.
type Dealt = BTreeMap<String, BTreeMap<Identifier, SecretShare>>;

/// The run's result: `key` with the holders' shares, and the transcript of these messages.
fn result(
    key: CaKey,
    run: &DkgRun,
    holders: &[Participant],
    dealt: &Dealt,
    mut said: Vec<DkgRound1>,
) -> Made {
    said.sort_by(|a, b| a.name.cmp(&b.name));
    let transcript = transcript(run, &said).unwrap();
    let mut shares = Shares::new();
    let mut verifying_shares = Vec::new();
    for holder in holders {
        let share = dealt
            .values()
            .map(|dealt| dealt[&id(holder.identifier)].signing_share().to_scalar())
            .fold(Ed25519ScalarField::zero(), |sum, one| sum + one);
        let public = frost_ed25519::keys::VerifyingShare::from(
            frost_ed25519::keys::SigningShare::new(share),
        );
        verifying_shares.push(VerifyingShare {
            identifier: holder.identifier,
            signer: holder.signer.clone(),
            share: public.serialize().unwrap().try_into().unwrap(),
        });
        shares.insert(holder.signer.clone(), share);
    }
    Made {
        key: CaKey {
            verifying_shares,
            operation: run.operation,
            transcript: sha256(&transcript),
            ..key
        },
        transcript,
        shares,
    }
}

fn run(operation: Digest, index: u64) -> DkgRun {
    DkgRun {
        operation,
        index,
        attempt: [7; 16],
    }
}

/// A key generation that comes to the Ed25519 key of `seed`.
pub(crate) fn generated(generate: &GenerateKey, operation: Digest, index: u64, seed: u8) -> Made {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed.into());
    let run = run(operation, index);
    let whole = secret(&[seed; 32]);
    let group_key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key();
    let mut rest = whole;
    let (mut dealt, mut said) = (Dealt::new(), Vec::new());
    for (at, participant) in generate.participants.iter().enumerate() {
        let last = at + 1 == generate.participants.len();
        let part = if last {
            rest
        } else {
            Ed25519ScalarField::random(&mut *rng)
        };
        rest -= part;
        let shares = deal(part, generate.t, &generate.participants, rng);
        let commitment = shares[&id(1)].commitment().clone();
        let own = id(participant.identifier);
        let proof = compute_proof_of_knowledge(own, &[part], &commitment, &mut *rng).unwrap();
        let package = Package::new(commitment, proof).serialize().unwrap();
        let name = &participant.signer;
        said.push(say(run, name, package, approval(name)));
        dealt.insert(name.clone(), shares);
    }
    let key = CaKey {
        name: generate.key.clone(),
        purpose: generate.purpose,
        group_key: group_key.to_bytes(),
        t: generate.t,
        verifying_shares: Vec::new(),
        operation,
        transcript: [0; 32],
    };
    result(key, &run, &generate.participants, &dealt, said)
}

/// A resharing of `before`, whose shares are known.
pub(crate) fn reshared(
    reshare: &ReshareKey,
    before: &CaKey,
    shares: &Shares,
    operation: Digest,
    index: u64,
) -> Made {
    let rng = &mut ChaCha20Rng::seed_from_u64(index);
    let run = run(operation, index);
    let number = |name: &String| {
        let mut all = before.verifying_shares.iter();
        id(all.find(|share| share.signer == *name).unwrap().identifier)
    };
    let dealers = reshare.dealers.iter().map(number).collect();
    let (mut dealt, mut said) = (Dealt::new(), Vec::new());
    for name in &reshare.dealers {
        let lambda =
            frost_core::compute_lagrange_coefficient(&dealers, None, number(name)).unwrap();
        let parts = deal(lambda * shares[name], reshare.t, &reshare.participants, rng);
        let commitment = parts.values().next().unwrap().commitment();
        let package = commitment.serialize_whole().unwrap();
        said.push(say(run, name, package, approval(name)));
        dealt.insert(name.clone(), parts);
    }
    for participant in &reshare.participants {
        let name = &participant.signer;
        if !reshare.dealers.contains(name) {
            said.push(say(run, name, Vec::new(), approval(name)));
        }
    }
    let key = CaKey {
        t: reshare.t,
        ..before.clone()
    };
    result(key, &run, &reshare.participants, &dealt, said)
}
