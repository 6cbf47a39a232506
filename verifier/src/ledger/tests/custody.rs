//! Custody: over all versions of the authority, nobody may have backups of t shares of one sharing.
use bauta_statement::file::authority::{Authority, CaKey, Mode};
use bauta_statement::file::custody::Custodian;
use bauta_statement::file::key_operation::ReshareKey;
use bauta_statement::file::{KeyOperation, Kind, to_text};
use bauta_statement::note::{NoteSigner, sign};

use super::super::Refusal;
use super::world::{FAR, World, ca_signer};

fn custodian(name: &str, last: char, signers: &[u8]) -> Custodian {
    Custodian {
        name: name.into(),
        recipient: format!("age1{}{last}", "q".repeat(57)),
        signers: signers.iter().map(|i| format!("signer-{i}")).collect(),
    }
}

fn world() -> World {
    let mut world = World::begun(Mode::Development);
    let note = world.by_administrators(&world.generate_text("ca-1", 1));
    world.submit(note).unwrap();
    let text = world.ca_key_text("ca-1");
    let note = world.by_participants(&text);
    world.submit(note).unwrap();
    world
}

/// Logs the next version, changed by its administrators.
fn change(world: &mut World, change: impl FnOnce(&mut Authority)) -> Result<(), Refusal> {
    let mut next = world.ledger.authority().unwrap().as_ref().clone();
    next.version += 1;
    change(&mut next);
    let note = world.by_administrators(&next.to_text().unwrap());
    world.submit(note).map(drop)
}

fn assign(world: &mut World, custodians: &[Custodian]) -> Result<(), Refusal> {
    change(world, |next| next.custodians = custodians.to_vec())
}

fn order(world: &mut World, reshare: &ReshareKey) -> Result<String, Refusal> {
    let header = World::header(
        Kind::KeyOperation,
        &format!("reshare-{}", world.ledger.size()),
        1,
        FAR,
    );
    let text = to_text(&header, &KeyOperation::ReshareKey(reshare.clone())).unwrap();
    let note = world.by_administrators(&text);
    world.submit(note).map(|_| text)
}

fn reshare(world: &mut World, t: usize) -> CaKey {
    let before = world.ledger.authority().unwrap().ca_keys[0].clone();
    let reshare = ReshareKey {
        t,
        dealers: (0..before.t).map(|i| format!("signer-{i}")).collect(),
        ..world.reshare(&before)
    };
    let text = order(world, &reshare).unwrap();
    let key = world.reshared(&reshare, &before, &text);
    let authority = world.ledger.authority().unwrap();
    let text = authority.with_sharing(key.clone()).unwrap();
    let ca = ca_signer();
    let mut signers: Vec<&NoteSigner> = world.approvals.iter().collect();
    signers.push(&ca);
    let note = sign(&text, &signers).unwrap();
    world.submit(note).unwrap();
    key
}

#[test]
fn what_a_custodian_has_from_before_counts_until_a_new_sharing() {
    let mut world = world();
    let paris = custodian("paris", 'p', &[0, 1]);
    assign(&mut world, &[paris]).unwrap();
    let custody = |r: &Refusal| matches!(r, Refusal::Custody { key, .. } if key == "ca-1");
    // The backups of signer-0 and signer-1 are still in Paris, under whatever name or recipient.
    let moved = [
        custodian("paris", 'p', &[2]),
        custodian("lyon", 'z', &[0, 1]),
    ];
    let refused = assign(&mut world, &moved).unwrap_err();
    assert!(custody(&refused), "{refused}");
    let renamed = assign(&mut world, &[custodian("paris-2", 'p', &[2])]).unwrap_err();
    assert!(custody(&renamed), "{renamed}");
    let rekeyed = assign(&mut world, &[custodian("paris", 'r', &[2])]).unwrap_err();
    assert!(custody(&rekeyed), "{rekeyed}");
    // Nobody's for a while changes nothing.
    assign(&mut world, &[]).unwrap();
    assert!(assign(&mut world, &[custodian("paris", 'p', &[2])]).is_err());
    assign(&mut world, &[custodian("lyon", 'z', &[0, 1])]).unwrap();
    // After a refresh the backups of before are worthless.
    reshare(&mut world, 3);
    assign(&mut world, &moved).unwrap();
    assert!(assign(&mut world, &[custodian("paris", 'p', &[0, 1])]).is_err());
}

#[test]
fn a_lower_threshold_counts_custody_too() {
    let mut world = world();
    reshare(&mut world, 4);
    change(&mut world, |next| {
        next.quorum.t = 4;
        next.custodians = vec![custodian("paris", 'p', &[0, 1, 2])];
    })
    .unwrap();
    let key = world.ledger.authority().unwrap().ca_keys[0].clone();
    let lower = ReshareKey {
        dealers: (0..4).map(|i| format!("signer-{i}")).collect(),
        ..world.reshare(&key)
    };
    assert!(matches!(
        order(&mut world, &lower).unwrap_err(),
        Refusal::KeyOperation(reason) if reason.contains("custodian")
    ));
}
