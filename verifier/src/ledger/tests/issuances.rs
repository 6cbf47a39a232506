//! Issuances: what makes one invalid, and that an invalid one changes nothing.
use bauta_statement::entry::{Body, Entry, Issuance};
use bauta_statement::file::Kind;
use bauta_statement::file::parameters::Provenance;

use super::world::{HOUR, World, ed25519_spki};
use crate::ledger::{InvalidIssuance, Refusal, Verdict};
use crate::presentation::Refusal as Unverified;

fn reason(verdict: Verdict) -> InvalidIssuance {
    match verdict {
        Verdict::InvalidIssuance(reason) => reason,
        other => panic!("expected an invalid issuance: {other:?}"),
    }
}

#[track_caller]
fn assert_valid(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Issuance(_)), "{verdict:?}");
}

#[test]
fn a_good_issuance_is_valid_and_remembered() {
    let mut world = World::running();
    for policy in ["staff", "guests"] {
        let issuance = world.show(policy, &ed25519_spki(1), 7, 0);
        let dry = world.ledger.check_issuance(world.time, &issuance).unwrap();
        let index = world.ledger.size();
        assert_eq!(dry.index, index);
        let verdict = world.issue(issuance.clone());
        assert_valid(&verdict);
        let valid = world.ledger.valid_issuance(index).unwrap();
        assert_eq!(valid.entry, dry.entry);
        assert_eq!(valid.issuance, issuance);
        assert_eq!(valid.policy.name, policy);
        assert_eq!(valid.nullifier().is_some(), policy == "staff");
        assert_eq!(
            valid.claim.disclosed().count(),
            usize::from(policy == "staff")
        );
        assert!(world.ledger.valid_issuance(index + 1).is_none());
    }
}

/// Every way in which an issuance that would be good is not, each followed by one that is.
#[test]
fn a_bad_issuance_spends_nothing_and_never_halts_the_log() {
    let mut world = World::running();
    let key = ed25519_spki(1);
    let tamper = |at: usize| move |issuance: &mut Issuance| issuance.presentation[at] ^= 1;
    type Change = Box<dyn Fn(&mut Issuance)>;
    type Expected = fn(&InvalidIssuance) -> bool;
    let other_spki = ed25519_spki(2);
    let cases: Vec<(&str, Change, Expected)> = vec![
        ("unknown policy", Box::new(|i| i.policy[0] ^= 1), |r| {
            matches!(r, InvalidIssuance::UnknownPolicy)
        }),
        ("unknown epoch", Box::new(|i| i.epoch += 1), |r| {
            matches!(r, InvalidIssuance::Epoch(_))
        }),
        ("epoch gone by", Box::new(|i| i.epoch -= 1), |r| {
            matches!(r, InvalidIssuance::Epoch(_))
        }),
        ("another CA key", Box::new(|i| i.ca_key[0] ^= 1), |r| {
            matches!(r, InvalidIssuance::CaKey)
        }),
        ("another nonce", Box::new(|i| i.nonce[0] ^= 1), |r| {
            matches!(r, InvalidIssuance::Presentation(Unverified::Unproven))
        }),
        ("another expiry", Box::new(|i| i.expiry += 1), |r| {
            matches!(r, InvalidIssuance::Presentation(Unverified::Unproven))
        }),
        (
            "another key",
            Box::new(move |i| i.key.clone_from(&other_spki)),
            |r| matches!(r, InvalidIssuance::Presentation(Unverified::Unproven)),
        ),
        (
            "a key type that the policy does not certify",
            Box::new(|i| {
                let mut p256 = vec![
                    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
                    0x04,
                ];
                p256.extend([1; 64]);
                i.key = p256;
            }),
            |r| matches!(r, InvalidIssuance::KeyType(_)),
        ),
        ("no key", Box::new(|i| i.key.clear()), |r| {
            matches!(r, InvalidIssuance::Key(_))
        }),
        (
            "no presentation",
            Box::new(|i| i.presentation.clear()),
            |r| matches!(r, InvalidIssuance::Decode(_)),
        ),
        (
            "trailing bytes",
            Box::new(|i| i.presentation.push(0)),
            |r| matches!(r, InvalidIssuance::Decode(_)),
        ),
        (
            "an X.509 format under a scope",
            Box::new(|i| i.presentation[1] = 2),
            |r| {
                matches!(
                    r,
                    InvalidIssuance::Presentation(Unverified::FormatUnderScope(_))
                )
            },
        ),
        (
            "a tampered response",
            Box::new({
                let last = usize::MAX;
                move |i: &mut Issuance| {
                    let at = last.min(i.presentation.len() - 32);
                    tamper(at)(i);
                }
            }),
            |r| matches!(r, InvalidIssuance::Presentation(Unverified::Unproven)),
        ),
        (
            "past the challenge's expiry",
            Box::new(|i| i.expiry -= 201),
            |r| matches!(r, InvalidIssuance::ChallengeExpired { .. }),
        ),
        (
            "more than 5 min before the challenge's expiry",
            Box::new(|i| i.expiry += 101),
            |r| matches!(r, InvalidIssuance::ChallengeEarly { .. }),
        ),
    ];
    for (counter, (what, change, expected)) in cases.into_iter().enumerate() {
        world.time += 1;
        let good = world.show("staff", &key, 1000 + counter as u64, 0);
        let mut bad = good.clone();
        change(&mut bad);
        let dry = world.ledger.check_issuance(world.time, &bad);
        let found = reason(world.issue(bad));
        assert!(expected(&found), "{what}: {found}");
        assert_eq!(dry.err(), Some(found), "{what}: the dry run agrees");
        // Nonce and nullifier of the bad one were not spent.
        assert_valid(&world.issue(good));
    }
}

#[test]
fn a_presentation_for_another_policy_is_refused() {
    let mut world = World::running();
    let mut issuance = world.show("guests", &ed25519_spki(1), 7, 0);
    issuance.policy = world.policy_digest("staff");
    assert!(matches!(
        reason(world.issue(issuance)),
        InvalidIssuance::Presentation(Unverified::NullifierMissing)
    ));
}

#[test]
fn time_goes_neither_back_nor_out_of_the_epoch() {
    let mut world = World::running();
    let key = ed25519_spki(1);
    world.time += 100;
    let first = world.show("guests", &key, 1, 0);
    assert_valid(&world.issue(first));
    let late = world.show("guests", &key, 2, 0);
    world.time -= 1;
    assert!(matches!(
        reason(world.issue(late.clone())),
        InvalidIssuance::TimeBack { .. }
    ));
    world.time += 1;
    // The same time is not back.
    assert_valid(&world.issue(late));
    let end = world.ledger.epoch_at(world.time).unwrap().epoch.end();
    let issuance = world.show_at("guests", &key, 3, 0, [9; 32], end - 1);
    world.time = end;
    assert!(matches!(
        reason(world.issue(issuance.clone())),
        InvalidIssuance::TimeOutsideEpoch { .. }
    ));
    world.time = end - 1;
    assert_valid(&world.issue(issuance));
}

#[test]
fn a_nonce_is_spent_once() {
    let mut world = World::running();
    let issuance = world.show("staff", &ed25519_spki(1), 7, 0);
    assert_valid(&world.issue(issuance.clone()));
    assert_eq!(
        reason(world.issue(issuance.clone())),
        InvalidIssuance::NonceSpent
    );
    // Not with another key or policy either, while the first challenge lives.
    let again = world.show_at(
        "guests",
        &ed25519_spki(2),
        8,
        0,
        issuance.nonce,
        world.time + 200,
    );
    world.time += 200;
    assert_eq!(reason(world.issue(again)), InvalidIssuance::NonceSpent);
    // Afterwards it is another challenge.
    let later = world.show_at(
        "guests",
        &ed25519_spki(2),
        8,
        0,
        issuance.nonce,
        world.time + 1,
    );
    world.time += 1;
    assert_valid(&world.issue(later));
}

#[test]
fn a_nullifier_is_spent_on_one_policy_and_key() {
    let mut world = World::running();
    let note = world.by_administrators(&world.policy_text("interns", 1));
    world.submit(note).unwrap();
    world.turn();
    let key = ed25519_spki(1);
    let first = world.show("staff", &key, 7, 0);
    assert_valid(&world.issue(first));
    // Malleability gives nothing: another showing of the same nullifier, for another key.
    let other_key = world.show("staff", &ed25519_spki(2), 7, 0);
    assert_eq!(
        reason(world.issue(other_key)),
        InvalidIssuance::NullifierSpent
    );
    // Another policy that shares the scope counts with it.
    let other_policy = world.show("interns", &key, 7, 0);
    assert_eq!(
        reason(world.issue(other_policy)),
        InvalidIssuance::NullifierSpent
    );
    // The same key again uses up nothing more, and the next counter is another nullifier.
    let repeat = world.show("staff", &key, 7, 0);
    assert_valid(&world.issue(repeat));
    let next = world.show("staff", &ed25519_spki(2), 7, 1);
    assert_valid(&world.issue(next));
}

#[test]
fn a_new_policy_version_does_not_free_a_nullifier() {
    let mut world = World::running();
    let first = world.show("staff", &ed25519_spki(1), 7, 0);
    assert_valid(&world.issue(first));
    let note = world.by_administrators(&world.policy_text("staff", 2));
    world.submit(note).unwrap();
    world.turn();
    let again = world.show("staff", &ed25519_spki(2), 7, 0);
    assert_eq!(reason(world.issue(again)), InvalidIssuance::NullifierSpent);
}

#[test]
fn forgetting_what_is_past_changes_no_verdict() {
    let mut kept = World::running();
    let mut pruned = World::running();
    for round in 0..30 {
        let mut verdicts = Vec::new();
        for world in [&mut kept, &mut pruned] {
            let first = world.show("staff", &ed25519_spki(1), 7, 0);
            let twin = world.show("staff", &ed25519_spki(2), 7, 0);
            let pair = [first, twin].map(|one| matches!(world.issue(one), Verdict::Issuance(_)));
            verdicts.push(pair);
        }
        pruned.ledger.settle();
        assert_eq!(verdicts[0], [true, false], "round {round}");
        assert_eq!(verdicts[0], verdicts[1]);
        kept.turn();
        pruned.turn();
    }
    assert_eq!(
        pruned.ledger.spent.len().1,
        1,
        "two days, one nullifier left"
    );
    assert_eq!(kept.ledger.spent.len().1, 2);
}

#[test]
fn a_tombstone_works_at_once() {
    for (kind, name) in [
        (Kind::Policy, "staff"),
        (Kind::Schema, "employee"),
        (Kind::IssuerSet, "members"),
    ] {
        let mut world = World::running();
        let issuance = world.show("staff", &ed25519_spki(1), 7, 0);
        assert!(world.ledger.policy_at("staff", world.time).is_some());
        let note = world.by_administrators(&World::tombstone_text(kind, name));
        world.submit(note).unwrap();
        assert_eq!(
            reason(world.issue(issuance)),
            InvalidIssuance::Retired(name.into())
        );
        assert!(world.ledger.policy_at("staff", world.time).is_none());
        let epoch = world.turn();
        assert_eq!(epoch.policies.len(), usize::from(kind == Kind::Policy));
    }
}

#[test]
fn a_ca_key_taken_away_signs_no_more() {
    let mut world = World::running();
    let issuance = world.show("staff", &ed25519_spki(1), 7, 0);
    let mut authority = world.ledger.authority().unwrap().as_ref().clone();
    authority.version += 1;
    authority.ca_keys.clear();
    let note = world.by_administrators(&authority.to_text().unwrap());
    world.submit(note).unwrap();
    assert_eq!(reason(world.issue(issuance)), InvalidIssuance::CaKey);
}

#[test]
fn a_certificate_stays_within_the_cas() {
    let mut world = World::running();
    let end = world.ledger.epoch_at(world.time).unwrap().epoch.end();
    // A renewed CA certificate that ends 300 s after the next epoch: the last certificates would outlive it.
    let last = bauta_statement::file::text::format_time(end + HOUR + 300).unwrap();
    let far = bauta_statement::file::text::format_time(super::world::FAR).unwrap();
    let text = world.certificate_text(2).replace(
        &format!("\"not_after\": \"{far}"),
        &format!("\"not_after\": \"{last}"),
    );
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    world.turn();
    world.time = end + HOUR - 300;
    let good = world.show("staff", &ed25519_spki(1), 7, 0);
    world.time += 1;
    let late = world.show("staff", &ed25519_spki(1), 8, 0);
    world.time -= 1;
    assert_valid(&world.issue(good));
    world.time += 1;
    assert_eq!(reason(world.issue(late)), InvalidIssuance::OutsideCa);
}

#[test]
fn a_head_that_is_refused_is_undone() {
    let mut world = World::running();
    let key = ed25519_spki(1);
    let issuance = world.show("staff", &key, 7, 0);
    let mark = world.ledger.mark();
    let size = world.ledger.size();
    assert_valid(&world.issue(issuance.clone()));
    let other = world.show("staff", &ed25519_spki(2), 7, 0);
    assert_eq!(
        reason(world.issue(other.clone())),
        InvalidIssuance::NullifierSpent
    );
    let ahead = world.ledger.mark();
    world.ledger.rollback(&mark).unwrap();
    assert_eq!(world.ledger.size(), size);
    assert!(
        world.ledger.rollback(&ahead).is_err(),
        "what is undone stays undone"
    );
    assert!(world.ledger.valid_issuance(size).is_none());
    // Nothing was spent: now the other one is first.
    assert_valid(&world.issue(other));
    world.ledger.settle();
    assert!(world.ledger.rollback(&mark).is_err(), "settled is settled");
    assert_eq!(
        reason(world.issue(issuance)),
        InvalidIssuance::NullifierSpent
    );
}

#[test]
fn a_batch_is_all_or_nothing_and_names_its_bad_ones() {
    let mut world = World::running();
    let mut entries = Vec::new();
    for i in 0..4u8 {
        let mut issuance = world.show("staff", &ed25519_spki(i), u64::from(i) + 7, 0);
        if i == 2 {
            let at = issuance.presentation.len() - 32;
            issuance.presentation[at] ^= 1;
        }
        entries.push(
            Entry::new(world.time, Body::Issuance(issuance))
                .encode()
                .unwrap(),
        );
    }
    let tombstone = world.by_administrators(&World::tombstone_text(Kind::Policy, "guests"));
    entries.insert(1, world.entry(tombstone));
    let verdicts = world.ledger.append_all(&entries, &world.objects).unwrap();
    let good: Vec<bool> = verdicts
        .iter()
        .map(|one| !matches!(one, Verdict::InvalidIssuance(_)))
        .collect();
    assert_eq!(good, [true, true, true, false, true]);

    let size = world.ledger.size();
    let fresh = world.show("staff", &ed25519_spki(9), 99, 0);
    let good = Entry::new(world.time, Body::Issuance(fresh))
        .encode()
        .unwrap();
    let batch = [good.clone(), vec![1, 2, 3]];
    let (at, refusal) = world.ledger.append_all(&batch, &world.objects).unwrap_err();
    assert_eq!(at, 1);
    assert!(matches!(refusal, Refusal::Entry(_)));
    assert_eq!(world.ledger.size(), size);
    // The nonce of the good one was not spent.
    assert_valid(&world.append(&good).unwrap());
}

#[test]
fn proofs_under_other_parameters_are_refused_after_a_change() {
    let mut world = World::running();
    // New parameters with other provenance but equal keys leave proofs good; the epoch names the new file.
    let note = world.parameters(2, Provenance::Ceremony);
    world.submit(note).unwrap();
    let before = world.ledger.epoch_at(world.time).unwrap().epoch.parameters;
    let issuance = world.show("guests", &ed25519_spki(1), 7, 0);
    assert_valid(&world.issue(issuance));
    let epoch = world.turn();
    assert_ne!(epoch.parameters, before);
    assert_eq!(epoch.start % HOUR, 0);
    let issuance = world.show("guests", &ed25519_spki(1), 8, 0);
    assert_valid(&world.issue(issuance));
}
