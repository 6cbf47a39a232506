//! Files and epochs: each a refusal that changes nothing.
use std::collections::BTreeMap;

use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::{self, Epoch, RootError};
use bauta_statement::file::authority::{Authority, Mode};
use bauta_statement::file::issuer_set::{Issuer, IssuerSet, NativeIssuer};
use bauta_statement::file::key_operation::KeyOperation;
use bauta_statement::file::parameters::{Parameters, Provenance, RelationParameters};
use bauta_statement::file::{Kind, to_text};
use bauta_statement::note::{NoteSigner, sha256, sign};
use bauta_statement::policy::RelationName;
use bauta_statement::relation::Relation;
use serde_json::json;

use super::world::{FAR, HOUR, START, World};
use crate::ledger::{EpochUnavailable, IssuerLists, Ledger, Refusal, Verdict};

/// What is broken, and how.
type Case<T> = (&'static str, fn(&mut T));

#[track_caller]
pub(super) fn refused(world: &mut World, note: Vec<u8>, expected: impl Fn(&Refusal) -> bool) {
    match world.submit(note) {
        Err(refusal) => assert!(expected(&refusal), "{refusal}"),
        Ok(verdict) => panic!("accepted: {verdict:?}"),
    }
}

fn stranger() -> NoteSigner {
    NoteSigner::from_secret("admin-0", &[99; 32]).unwrap()
}

#[test]
fn the_log_begins_with_the_pinned_authority() {
    let text = World::authority(Mode::Development).to_text().unwrap();
    let mut world = World::begun(Mode::Development);
    let all: Vec<&NoteSigner> = world.administrators.iter().collect();
    let good = sign(&text, &all).unwrap();
    let two = sign(&text, &all[..2]).unwrap();
    let mut begin = |note: Vec<u8>, pinned: &str| {
        world.ledger = Ledger::new(sha256(pinned.as_bytes()));
        world.submit(note)
    };
    assert!(begin(good.clone(), &text).is_ok());
    assert!(matches!(begin(good, "another"), Err(Refusal::NotPinned)));
    // All m sign the first one, not k.
    assert!(matches!(begin(two, &text), Err(Refusal::Unsigned { .. })));
    let schema = world.by_administrators(&world.schema_text(1));
    world.ledger = Ledger::new(sha256(text.as_bytes()));
    refused(&mut world, schema, |r| matches!(r, Refusal::NotPinned));
}

#[test]
fn what_the_administrators_did_not_sign_is_refused() {
    let mut world = World::running();
    let one_only = |world: &World, text: &str| sign(text, &[&world.administrators[0]]).unwrap();
    let texts = [
        world.policy_text("staff", 2),
        world.issuer_set_text(2, &world.issuer),
        world.schema_text(2),
        world.generate_text("ca-2", 1),
        World::tombstone_text(Kind::Policy, "staff"),
    ];
    for text in texts {
        let note = one_only(&world, &text);
        refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
        let note = sign(&text, &[&stranger(), &world.desk]).unwrap();
        refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
        let note = world.by_administrators(&text);
        world.submit(note).unwrap();
    }
    // A list is its issuer's alone: not even the administrators can revoke for it.
    let text = world.list_text(2, FAR, &["01"]);
    let note = world.by_administrators(&text);
    refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
    let note = world.by_desk(&text);
    world.submit(note).unwrap();
}

#[test]
fn versions_only_go_up() {
    let mut world = World::running();
    for version in [0u64, 1] {
        let texts = [
            world.policy_text("staff", 1),
            world.schema_text(1),
            world.issuer_set_text(1, &world.issuer),
            world.generate_text("ca-1", 1),
        ];
        for text in texts {
            let note = world.by_administrators(&text);
            refused(&mut world, note, |r| {
                matches!(r, Refusal::Version { .. } | Refusal::KeyOperation(_))
            });
        }
        let note = world.by_desk(&world.list_text(1, FAR, &[]));
        refused(&mut world, note, |r| matches!(r, Refusal::Version { .. }));
        let note = world.parameters(1, Provenance::Development);
        refused(&mut world, note, |r| matches!(r, Refusal::Version { .. }));
        // A version in between, after a higher one, is lower too.
        if version == 0 {
            let note = world.by_administrators(&world.policy_text("staff", 5));
            world.submit(note).unwrap();
            let note = world.by_administrators(&world.policy_text("staff", 4));
            refused(&mut world, note, |r| {
                matches!(
                    r,
                    Refusal::Version {
                        found: 4,
                        last: 5,
                        ..
                    }
                )
            });
        }
    }
}

#[test]
fn expired_files_and_other_domains_are_refused() {
    let mut world = World::running();
    let mut header = World::header(Kind::Policy, "late", 1, world.time);
    let body = World::policy_body("late");
    let note = world.by_administrators(&to_text(&header, &body).unwrap());
    refused(&mut world, note, |r| matches!(r, Refusal::Expired { .. }));
    header.expires += 1;
    let note = world.by_administrators(&to_text(&header, &body).unwrap());
    world.submit(note).unwrap();
    header.trust_domain = "example.net".into();
    header.version = 2;
    let note = world.by_administrators(&to_text(&header, &body).unwrap());
    refused(&mut world, note, |r| matches!(r, Refusal::TrustDomain(_)));
}

#[test]
fn a_retired_name_never_comes_back() {
    let mut world = World::running();
    let note = world.by_administrators(&World::tombstone_text(Kind::Policy, "staff"));
    world.submit(note.clone()).unwrap();
    refused(&mut world, note, |r| matches!(r, Refusal::Retired { .. }));
    let note = world.by_administrators(&world.policy_text("staff", 9));
    refused(&mut world, note, |r| matches!(r, Refusal::Retired { .. }));
    // A name that was never used can be retired too.
    let note = world.by_administrators(&World::tombstone_text(Kind::Schema, "unused"));
    world.submit(note).unwrap();
}

#[test]
fn objects_are_fetched_and_checked() {
    let mut world = World::running();
    let note = world.by_administrators(&world.policy_text("more", 1));
    let entry = world.entry(note.clone());
    world.objects.remove(&sha256(&note));
    assert!(matches!(
        world.append(&entry),
        Err(Refusal::MissingObject(digest)) if digest == sha256(&note)
    ));
    world.objects.insert(sha256(&note), b"other".to_vec());
    assert!(matches!(world.append(&entry), Err(Refusal::WrongObject(_))));
    world.objects.insert(sha256(&note), note);
    assert!(matches!(world.append(&entry), Ok(Verdict::Accepted)));
}

#[test]
fn a_file_stands_in_an_entry_of_its_kind() {
    let mut world = World::running();
    let note = world.by_administrators(&world.policy_text("more", 1));
    let entry = world.entry(note);
    let Body::File(object) = Entry::decode(&entry).unwrap().body else {
        panic!("a file");
    };
    for body in [Body::Authority(object), Body::Parameters(object)] {
        let entry = Entry::new(world.time, body).encode().unwrap();
        assert!(matches!(
            world.append(&entry),
            Err(Refusal::WrongKind(Kind::Policy))
        ));
    }
    let mut authority = world.ledger.authority().unwrap().as_ref().clone();
    authority.version += 1;
    let note = world.by_administrators(&authority.to_text().unwrap());
    let entry = world.entry(note);
    let Body::Authority(object) = Entry::decode(&entry).unwrap().body else {
        panic!("an authority");
    };
    let entry = Entry::new(world.time, Body::File(object)).encode().unwrap();
    assert!(matches!(
        world.append(&entry),
        Err(Refusal::WrongKind(Kind::Authority))
    ));
}

#[test]
fn time_does_not_go_back() {
    let mut world = World::running();
    world.time -= 1;
    let note = world.by_administrators(&world.policy_text("more", 1));
    refused(&mut world, note, |r| matches!(r, Refusal::TimeBack { .. }));
}

#[test]
fn an_authority_changes_only_as_allowed() {
    let mut world = World::running();
    let current = world.ledger.authority().unwrap().as_ref().clone();
    let cases: [Case<Authority>; 7] = [
        ("the CA's name", |a| a.ca_name.push('x')),
        ("the mode", |a| {
            a.mode = Mode::Production;
            a.enterprise_number = 4711;
        }),
        ("the epoch's length", |a| a.epoch_seconds = 1800),
        ("the log", |a| {
            a.log.key = NoteSigner::from_secret("other.example.org", &[60; 32])
                .unwrap()
                .verifier();
            a.log.origin = "other.example.org".into();
        }),
        ("a CA key altered", |a| {
            a.ca_keys[0].verifying_shares[0].share = [9; 32]
        }),
        ("a CA key added by administrators", |a| {
            let mut key = a.ca_keys[0].clone();
            key.name = "ca-2".into();
            key.group_key = [3; 32];
            a.ca_keys.insert(0, key);
        }),
        ("the same version", |a| a.version -= 1),
    ];
    for (what, change) in cases {
        let mut next = current.clone();
        next.version += 1;
        change(&mut next);
        let note = world.by_administrators(&next.to_text().unwrap());
        assert!(world.submit(note).is_err(), "{what}");
    }
    // New administrators: both the old and the new must sign.
    let new: Vec<NoteSigner> = (0..2u8)
        .map(|i| NoteSigner::from_secret(&format!("new-{i}"), &[70 + i; 32]).unwrap())
        .collect();
    let mut next = current;
    next.version += 1;
    next.administrators.keys = new.iter().map(NoteSigner::verifier).collect();
    let text = next.to_text().unwrap();
    let note = world.by_administrators(&text);
    refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
    let note = sign(&text, &[&new[0], &new[1]]).unwrap();
    refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
    let note = sign(
        &text,
        &[
            &new[0],
            &new[1],
            &world.administrators[0],
            &world.administrators[1],
        ],
    )
    .unwrap();
    let mark = world.ledger.mark();
    world.ledger.settle();
    assert_eq!(world.ledger.quorums().len(), 1);
    assert!(world.ledger.rollback(&mark).is_err());
    world.submit(note).unwrap();
    // The signers are the same, so is the quorum.
    assert_eq!(world.ledger.quorums().len(), 1);
    assert_eq!(world.ledger.quorums()[0].version, next.version);
    // A signer with a new key: the head with the change needs the quorums of both, the next one only the new.
    next.version += 1;
    next.signers[0].cosignature = bauta_statement::note::CosignatureKey::new(
        "signer-0.example.org",
        &NoteSigner::from_secret("x", &[80; 32])
            .unwrap()
            .verifier()
            .public(),
    )
    .unwrap();
    let note = sign(&next.to_text().unwrap(), &[&new[0], &new[1]]).unwrap();
    world.submit(note).unwrap();
    assert_eq!(world.ledger.quorums().len(), 2);
    world.ledger.settle();
    assert_eq!(world.ledger.quorums().len(), 1);
    assert_eq!(world.ledger.quorums()[0].version, next.version);
}

#[test]
fn a_ca_key_follows_from_its_key_operation() {
    let mut world = World::begun(Mode::Development);
    let authority = world.ledger.authority().unwrap().clone();
    let good = authority.with_ca_key(world.ca_key("ca-1")).unwrap();
    let note = world.by_participants(&good);
    refused(&mut world, note, |r| matches!(r, Refusal::CaKey(_)));
    // Key operations that do not fit the authority.
    for (what, change) in [
        (
            "a threshold",
            (|g| g.t = 4) as fn(&mut bauta_statement::file::key_operation::GenerateKey),
        ),
        ("a stranger", |g| {
            g.participants[0].approval = stranger().verifier().into();
        }),
    ] {
        let mut generate = world.generate("ca-1");
        change(&mut generate);
        let text = to_text(
            &World::header(Kind::KeyOperation, "generate-ca-1", 1, FAR),
            &KeyOperation::GenerateKey(generate),
        )
        .unwrap();
        let note = world.by_administrators(&text);
        assert!(
            matches!(world.submit(note), Err(Refusal::KeyOperation(_))),
            "{what}"
        );
    }
    let note = world.by_administrators(&world.generate_text("ca-1", 1));
    world.submit(note).unwrap();
    assert_eq!(world.ledger.pending_generations(world.time).len(), 1);
    // Its makers say where its operation stands, now that it does.
    let good = authority.with_ca_key(world.ca_key("ca-1")).unwrap();
    // Administrators cannot put the key in, nor all participants but one.
    let note = world.by_administrators(&good);
    refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
    let note = sign(&good, &world.approvals[..4].iter().collect::<Vec<_>>()).unwrap();
    refused(&mut world, note, |r| matches!(r, Refusal::Unsigned { .. }));
    // Nor do participants change anything else.
    let mut more = authority.as_ref().clone();
    more.version += 1;
    more.administrators.k = 1;
    more.ca_keys.push(world.ca_key("ca-1"));
    let note = world.by_participants(&more.to_text().unwrap());
    refused(&mut world, note, |r| matches!(r, Refusal::CaKey(_)));
    let mut other = world.ca_key("ca-1");
    other.verifying_shares.pop();
    let note = world.by_participants(&authority.with_ca_key(other).unwrap());
    refused(&mut world, note, |r| matches!(r, Refusal::CaKey(_)));

    let note = world.by_participants(&good);
    world.submit(note).unwrap();
    assert!(world.ledger.pending_generations(world.time).is_empty());
    // One operation makes one key.
    let mut twin = world.ca_key("ca-1");
    twin.name = "ca-2".into();
    twin.group_key = [5; 32];
    let authority = world.ledger.authority().unwrap().clone();
    let note = world.by_participants(&authority.with_ca_key(twin).unwrap());
    refused(&mut world, note, |r| matches!(r, Refusal::CaKey(_)));
}

#[test]
fn an_expired_or_retired_generation_makes_no_key() {
    let mut world = World::begun(Mode::Development);
    let header = World::header(Kind::KeyOperation, "generate-ca-1", 1, world.time + 100);
    let operation = KeyOperation::GenerateKey(world.generate("ca-1"));
    let text = to_text(&header, &operation).unwrap();
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    let key = world.generated(&world.generate("ca-1"), &text, super::world::CA_SEED);
    let authority = world.ledger.authority().unwrap().clone();
    let result = world.by_participants(&authority.with_ca_key(key).unwrap());
    let entry = world.entry(result.clone());
    assert!(world.ledger.check(&entry, &world.objects).is_ok());
    world.time += 100;
    assert!(world.ledger.pending_generations(world.time).is_empty());
    refused(&mut world, result.clone(), |r| {
        matches!(r, Refusal::CaKey(_))
    });
    world.time -= 1;
    let stone = World::tombstone_text(Kind::KeyOperation, "generate-ca-1");
    let note = world.by_administrators(&stone);
    world.submit(note).unwrap();
    refused(&mut world, result, |r| matches!(r, Refusal::CaKey(_)));
}

#[test]
fn a_ca_certificate_is_of_a_key_that_there_is() {
    let mut world = World::running();
    let good = world.certificate_text(2);
    let group_key = data_encoding::HEXLOWER.encode(&super::world::group_key());
    for (from, to) in [
        ("\"key\": \"ca-1\"", "\"key\": \"ca-9\""),
        (group_key.as_str(), &"12".repeat(32)),
        ("Example CA", "Another CA"),
        ("\"not_after\": \"2025", "\"not_after\": \"2024"),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good, "{from}");
        let note = world.by_administrators(&text);
        assert!(world.submit(note).is_err(), "{from}");
    }
    let note = world.by_administrators(&good);
    world.submit(note).unwrap();
    // Retired, it takes the CA out of the next epoch.
    let number = world.time / HOUR + 1;
    assert!(world.ledger.preview_epoch(number).is_ok());
    let stone = World::tombstone_text(Kind::KeyOperation, "certify-ca-1");
    let note = world.by_administrators(&stone);
    world.submit(note).unwrap();
    assert_eq!(
        world.ledger.preview_epoch(number).unwrap_err(),
        EpochUnavailable::Ca
    );
}

#[test]
fn an_epoch_needs_authority_parameters_and_ca() {
    let mut world = World::begun(Mode::Development);
    let missing = |world: &World| world.ledger.next_epoch_entry(world.time).err();
    assert_eq!(missing(&world), Some(EpochUnavailable::Parameters));
    let note = world.parameters(1, Provenance::Development);
    world.submit(note).unwrap();
    assert_eq!(missing(&world), Some(EpochUnavailable::Ca));
    let note = world.by_administrators(&world.generate_text("ca-1", 1));
    world.submit(note).unwrap();
    let text = world.ca_key_text("ca-1");
    let note = world.by_participants(&text);
    world.submit(note).unwrap();
    assert_eq!(missing(&world), Some(EpochUnavailable::Ca));
    let note = world.by_administrators(&world.certificate_text(1));
    world.submit(note).unwrap();
    world.next_epoch().unwrap();
    // The authority's own expiry ends epochs.
    world.time = FAR;
    assert_eq!(missing(&world), Some(EpochUnavailable::Authority));
}

#[test]
fn an_epoch_is_what_the_log_gives() {
    let mut world = World::running();
    world.time = START - 600 + HOUR - HOUR / 5;
    let entry = world.ledger.next_epoch_entry(world.time).unwrap().unwrap();
    let Body::Epoch(good) = Entry::decode(&entry).unwrap().body else {
        panic!("an epoch");
    };
    let cases: Vec<Case<Epoch>> = vec![
        ("authority", |e| e.authority[0] ^= 1),
        ("parameters", |e| e.parameters[0] ^= 1),
        ("CA key", |e| e.ca_key[0] ^= 1),
        ("CA certificate", |e| e.ca_certificate[0] ^= 1),
        ("list of schemas", |e| e.schemas.clear()),
        ("list of issuer sets", |e| e.issuer_sets.clear()),
        ("list of policies and issuer roots", |e| {
            e.policies[0].issuer_root[0] ^= 1;
        }),
        ("list of policies and issuer roots", |e| {
            e.policies.pop();
        }),
        ("list of revocation lists", |e| e.revocation_lists.clear()),
        ("revocation root", |e| e.revocation_root[0] ^= 1),
        ("count of revoked handles", |e| e.revocation_count += 1),
    ];
    for (part, change) in cases {
        let mut bad = good.clone();
        change(&mut bad);
        let entry = Entry::new(world.time, Body::Epoch(bad)).encode().unwrap();
        assert_eq!(
            world.append(&entry).unwrap_err(),
            Refusal::EpochContent(part)
        );
    }
    world.append(&entry).unwrap();
}

#[test]
fn an_epoch_keeps_its_bounds_and_its_time() {
    let mut world = World::running();
    let start = START - 600 + HOUR;
    let number = start / HOUR;
    let (current, _) = world.ledger.preview_epoch(number).unwrap();
    let mut at = |time: u64, change: fn(&mut Epoch)| {
        let mut epoch = current.clone();
        change(&mut epoch);
        world.time = time;
        let entry = Entry::new(time, Body::Epoch(epoch)).encode().unwrap();
        let verdict = world.ledger.check(&entry, &world.objects);
        verdict.map(|_| ())
    };
    let due = start - HOUR / 5;
    let bounds = |r: Result<(), Refusal>| matches!(r, Err(Refusal::Bounds(_)));
    assert!(bounds(at(due, |e| e.length = 1800)));
    assert!(bounds(at(due, |e| e.start += 1)));
    assert!(bounds(at(due, |e| e.number += 1)));
    assert!(matches!(
        at(due, |e| {
            e.number -= 1;
            e.start -= HOUR;
        }),
        Err(Refusal::EpochNumber { .. })
    ));
    let untimely = |r: Result<(), Refusal>| matches!(r, Err(Refusal::EpochTime { .. }));
    // A tenth of an epoch before its start is the latest, a whole one the earliest.
    assert!(untimely(at(start - 359, |_| ())));
    assert_eq!(at(start - 360, |_| ()), Ok(()));
    assert!(untimely(at(due, |e| {
        e.number += 1;
        e.start += HOUR;
    })));
    // Where none is in force, at once; and no other than the current one.
    assert_eq!(at(start, |_| ()), Ok(()));
    assert_eq!(at(start + HOUR - 1, |_| ()), Ok(()));
    assert!(untimely(at(start + HOUR, |_| ())));
}

#[test]
fn epochs_follow_each_other_and_come_back_after_a_stop() {
    let mut world = World::running();
    let first = world.ledger.epoch_at(world.time).unwrap().epoch.clone();
    assert_eq!(world.ledger.next_epoch_entry(world.time).unwrap(), None);
    let second = world.turn();
    assert_eq!(second.number, first.number + 1);
    assert!(world.ledger.epoch_after(world.time).is_none());
    // A stop of some hours: none is in force, then the current one at once.
    world.time += 5 * HOUR;
    assert!(world.ledger.epoch_at(world.time).is_none());
    let after = world.next_epoch().unwrap();
    assert_eq!(after.start, world.time / HOUR * HOUR);
    assert!(after.contains(world.time));
}

#[test]
fn a_policy_without_its_files_is_left_out() {
    let mut world = World::running();
    let number = world.time / HOUR + 1;
    let mut policy = World::policy_body("lonely");
    policy["issuer_set"] = json!("nowhere");
    let text = World::json_text(Kind::Policy, "lonely", 1, &policy);
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    let mut policy = World::policy_body("elsewhere");
    policy["schema"] = json!("nowhere");
    let text = World::json_text(Kind::Policy, "elsewhere", 1, &policy);
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    let mut policy = World::policy_body("other-keys");
    policy["parameters"] = json!({"policy": "00".repeat(32)});
    let text = World::json_text(Kind::Policy, "other-keys", 1, &policy);
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
    let body = World::policy_body("staff");
    // A new version that expires before the epoch's end does not bring the old one back.
    let header = World::header(Kind::Policy, "staff", 2, world.time + HOUR);
    let note = world.by_administrators(&to_text(&header, &body).unwrap());
    world.submit(note).unwrap();
    let (epoch, left_out) = world.ledger.preview_epoch(number).unwrap();
    let names: Vec<&str> = left_out.iter().map(|one| one.policy.as_str()).collect();
    assert_eq!(names, ["elsewhere", "lonely", "other-keys", "staff"]);
    assert_eq!(epoch.policies.len(), 1);
}

#[test]
fn a_list_is_appended_to_and_keeps_its_quota() {
    let mut world = World::running();
    let list = |world: &World, version, serials: &[&str]| {
        world.by_desk(&world.list_text(version, FAR, serials))
    };
    let note = list(&world, 2, &["01", "02"]);
    world.submit(note).unwrap();
    for (serials, what) in [
        (&["01"][..], "shorter"),
        (&["02", "01"], "reordered"),
        (&["01", "03", "02"], "inserted"),
    ] {
        let note = list(&world, 3, serials);
        assert!(
            matches!(world.submit(note), Err(Refusal::NotAppended(_))),
            "{what}"
        );
    }
    let note = list(&world, 3, &["01", "02", "03", "04"]);
    refused(&mut world, note, |r| {
        matches!(
            r,
            Refusal::Quota {
                found: 4,
                quota: 3,
                ..
            }
        )
    });
    let note = list(&world, 3, &["01", "02", "03"]);
    world.submit(note).unwrap();
    assert_eq!(world.ledger.revoked_handles().len(), 3);
    let text = to_text(
        &World::header(Kind::RevocationList, "nobody", 1, FAR),
        &json!({
            "issuer_key": data_encoding::HEXLOWER.encode(&world.issuer.public_key),
            "serials": [],
        }),
    )
    .unwrap();
    let note = world.by_desk(&text);
    refused(&mut world, note, |r| matches!(r, Refusal::UnknownIssuer(_)));
}

#[test]
fn an_issuer_revokes_only_its_own() {
    let mut world = World::running();
    let own = world.list_text(2, FAR, &["01"]);
    let foreign = World::foreign_key();
    let text = own.replace(
        &data_encoding::HEXLOWER.encode(&world.issuer.public_key),
        &data_encoding::HEXLOWER.encode(&foreign),
    );
    let note = world.by_desk(&text);
    refused(&mut world, note, |r| matches!(r, Refusal::ForeignKey(_)));
}

#[test]
fn schemas_of_a_set_agree_on_what_the_policy_reads() {
    // The desk signs under a schema of its own. Slots 5 and 9 are what the policy reads; 8 is not.
    for (from, to, accepted) in [
        ("\"san\": \"email\"", "\"san\": \"dns\"", true),
        ("2.5.4.10", "2.5.4.11", false),
        ("2.5.4.6", "2.5.4.7", false),
    ] {
        let mut world = World::with_ca(Mode::Development, Provenance::Development);
        let other = world
            .schema_text(1)
            .replace("employee", "own")
            .replace(from, to);
        assert_ne!(
            other,
            world.schema_text(1).replace("employee", "own"),
            "{from}"
        );
        let mut issuer = world.issuer.clone();
        issuer.schema = "own".into();
        for note in [
            world.by_administrators(&world.schema_text(1)),
            world.by_administrators(&other),
            world.by_administrators(&world.issuer_set_text(1, &issuer)),
            world.by_administrators(&world.policy_text("staff", 1)),
            world.by_desk(&world.list_text(1, FAR, &[])),
        ] {
            world.submit(note).unwrap();
        }
        let (epoch, _) = world.ledger.preview_epoch(world.time / HOUR).unwrap();
        assert_eq!(epoch.policies.len(), usize::from(accepted), "{from}");
    }
}

#[test]
fn a_missing_or_expired_list_takes_its_issuer_out() {
    let mut world = World::with_ca(Mode::Development, Provenance::Development);
    for note in [
        world.by_administrators(&world.schema_text(1)),
        world.by_administrators(&world.issuer_set_text(1, &world.issuer)),
        world.by_administrators(&world.policy_text("staff", 1)),
    ] {
        world.submit(note).unwrap();
    }
    let number = world.time / HOUR;
    assert!(
        world
            .ledger
            .preview_epoch(number)
            .unwrap()
            .0
            .policies
            .is_empty()
    );
    let end = (number + 1) * HOUR;
    let note = world.by_desk(&world.list_text(1, end - 1, &["01"]));
    world.submit(note).unwrap();
    let (epoch, left_out) = world.ledger.preview_epoch(number).unwrap();
    assert!(epoch.policies.is_empty());
    assert_eq!(left_out.len(), 1);
    // What the expired list revoked stays revoked.
    assert_eq!(
        (epoch.revocation_count, epoch.revocation_lists.len()),
        (1, 1)
    );
    let note = world.by_desk(&world.list_text(2, end, &["01"]));
    world.submit(note).unwrap();
    assert_eq!(
        world.ledger.preview_epoch(number).unwrap().0.policies.len(),
        1
    );
}

#[test]
fn the_wallet_computes_the_same_roots() {
    let mut world = World::running();
    let note = world.by_desk(&world.list_text(2, FAR, &["05", "01", "03"]));
    world.submit(note).unwrap();
    let epoch = world.turn();
    let Some(IssuerLists::Native(list)) = world.ledger.revocation_lists("desk") else {
        panic!("a native list");
    };
    let named = list.body.handles().unwrap();
    let handles = world.ledger.revoked_handles().to_vec();
    let tree = epoch::check_revocations(&handles, named.clone()).unwrap();
    assert_eq!(epoch::encode_root(&tree.root()), epoch.revocation_root);
    assert_eq!(handles.len(), epoch.revocation_count as usize);
    // The hint is untrusted: one missing, one more, one twice.
    let mut more = handles.clone();
    more.push(77);
    let twice = [handles[0], handles[1], handles[2], handles[0]];
    for hint in [&handles[..2], &more, &twice] {
        assert_eq!(
            epoch::check_revocations(hint, named.clone()).err(),
            Some(RootError::Handles)
        );
    }
    let schema = serde_json::from_str(world.schema_text(1).split_once("\n\n").unwrap().1).unwrap();
    let schemas = BTreeMap::from([("employee".to_owned(), &schema)]);
    let policy = world.ledger.newest_policy("staff").unwrap().body.clone();
    let set = IssuerSet {
        issuers: vec![Issuer::Native(world.issuer.clone())],
    };
    let root = epoch::issuer_root(&policy, &set, &schemas, &|_| true).unwrap();
    let digest = world.policy_digest("staff");
    assert_eq!(
        epoch.policy(&digest).unwrap().issuer_root,
        epoch::encode_root(&root)
    );
    assert_eq!(
        epoch::issuer_root(&policy, &set, &schemas, &|_| false),
        Err(RootError::NoIssuer)
    );
}

#[test]
fn an_issuer_keeps_its_key_and_quotas_fit_the_tree() {
    let mut world = World::running();
    let mut other = world.issuer.clone();
    other.name = "desk-2".into();
    let note = world.by_administrators(&world.issuer_set_text(2, &other));
    refused(&mut world, note, |r| matches!(r, Refusal::IssuerSet(_)));
    let twin = World::begun(Mode::Development);
    let mut other = world.issuer.clone();
    other.revocation_quota = 20_001;
    let note = world.by_administrators(&world.issuer_set_text(2, &other));
    refused(&mut world, note, |r| matches!(r, Refusal::File(_)));
    // A forged proof of possession.
    let mut forged = twin.issuer.clone();
    forged.proof_of_possession[40] ^= 1;
    let note = world.by_administrators(&world.issuer_set_text(2, &forged));
    refused(&mut world, note, |r| matches!(r, Refusal::File(_)));
}

#[test]
fn quotas_of_all_issuers_fit_the_tree() {
    let mut world = World::running();
    let mut issuers = world.issuers(53);
    for issuer in &mut issuers {
        issuer.revocation_quota = 20_000;
    }
    let text = |version, issuers: &[NativeIssuer]| {
        let set = IssuerSet {
            issuers: issuers.iter().cloned().map(Issuer::Native).collect(),
        };
        to_text(&World::header(Kind::IssuerSet, "all", version, FAR), &set).unwrap()
    };
    let note = world.by_administrators(&text(1, &issuers));
    refused(
        &mut world,
        note,
        |r| matches!(r, Refusal::IssuerSet(reason) if reason.contains("1060003")),
    );
    let note = world.by_administrators(&text(1, &issuers[..52]));
    world.submit(note).unwrap();
    // The sum is over all sets of the log.
    let note = world.by_administrators(&text(2, &issuers[52..]));
    refused(&mut world, note, |r| matches!(r, Refusal::IssuerSet(_)));
    // A name means one key, a key has one name.
    issuers[0].name = "desk".into();
    let note = world.by_administrators(&text(2, &issuers[..1]));
    refused(&mut world, note, |r| matches!(r, Refusal::IssuerSet(_)));
}

#[test]
fn what_is_in_force_fits_an_epoch_entry() {
    let mut world = World::running();
    let policy = |world: &World, i: usize| {
        world.by_administrators(&world.unbounded_text(&format!("policy-{i}"), 1))
    };
    for i in 0..126 {
        let note = policy(&world, i);
        world.submit(note).unwrap();
    }
    let note = policy(&world, 126);
    refused(&mut world, note.clone(), |r| {
        matches!(r, Refusal::TooMany("policies", 128))
    });
    // A new version of a known one is no policy more, and a retired one makes room.
    let more = world.by_administrators(&world.unbounded_text("policy-0", 2));
    world.submit(more).unwrap();
    let stone = world.by_administrators(&World::tombstone_text(Kind::Policy, "policy-1"));
    world.submit(stone).unwrap();
    world.submit(note).unwrap();
    assert_eq!(world.turn().policies.len(), 128);
}

#[test]
fn a_first_authority_is_version_1_without_keys() {
    for change in [
        (|a: &mut Authority| a.version = 2) as fn(&mut Authority),
        |a| {
            a.ca_keys
                .push(World::begun(Mode::Development).ca_key("ca-1"));
        },
    ] {
        let mut authority = World::authority(Mode::Development);
        change(&mut authority);
        let text = authority.to_text().unwrap();
        let mut world = World::begun(Mode::Development);
        world.ledger = Ledger::new(sha256(text.as_bytes()));
        let all: Vec<&NoteSigner> = world.administrators.iter().collect();
        let note = sign(&text, &all).unwrap();
        refused(&mut world, note, |r| matches!(r, Refusal::FirstAuthority));
    }
}

#[test]
fn production_refuses_the_known_development_keys_whatever_a_file_calls_them() {
    let proving = bauta_setup::development(Relation::Nullifier).unwrap();
    let bytes = bauta_setup::verifying_key(&proving).unwrap().encode();
    for (mode, refusal) in [
        (Mode::Production, "development parameters"),
        (Mode::Development, "is missing"),
    ] {
        let mut world = World::begun(mode);
        world.objects.insert(sha256(&bytes), bytes.clone());
        let parameters = Parameters {
            relations: vec![RelationParameters {
                relation: RelationName(Relation::Nullifier),
                verifying_key: sha256(&bytes),
                length: bytes.len() as u32,
                provenance: Provenance::Ceremony,
            }],
        };
        let header = World::header(Kind::Parameters, "parameters", 1, FAR);
        let note = world.by_administrators(&to_text(&header, &parameters).unwrap());
        refused(&mut world, note, |r| r.to_string().contains(refusal));
    }
}

/// Two periods with one start would be one scope, and a nullifier spent in the shorter could be spent again in the longer.
#[test]
fn a_scope_has_one_period_throughout_the_log() {
    let mut world = World::running();
    let with = |name: &str, version, period: u64| {
        let mut policy = World::policy_body(name);
        policy["scope"]["period_seconds"] = json!(period);
        World::json_text(Kind::Policy, name, version, &policy)
    };
    for text in [with("staff", 2, 3_600), with("visitors", 1, 7 * 86_400)] {
        let note = world.by_administrators(&text);
        refused(&mut world, note, |r| matches!(r, Refusal::Policy(_)));
    }
    let note = world.by_administrators(&with("visitors", 1, 86_400));
    world.submit(note).unwrap();
    // Nor after the policy has moved to another scope.
    let mut policy = World::policy_body("staff");
    policy["scope"] = json!({"name": "hourly", "period_seconds": 3_600, "bound": 5});
    let note = world.by_administrators(&World::json_text(Kind::Policy, "staff", 2, &policy));
    world.submit(note).unwrap();
    let note = world.by_administrators(&with("visitors", 2, 3_600));
    refused(&mut world, note, |r| matches!(r, Refusal::Policy(_)));
}

#[test]
fn production_refuses_what_is_known_to_be_unsafe() {
    let mut world = World::begun(Mode::Production);
    let note = world.parameters(1, Provenance::Development);
    refused(&mut world, note, |r| matches!(r, Refusal::Parameters(_)));
    let note = world.parameters(1, Provenance::Ceremony);
    world.submit(note).unwrap();
    // A policy that does not pin its parameters.
    let note = world.by_administrators(&world.policy_text("staff", 1));
    refused(&mut world, note, |r| matches!(r, Refusal::Policy(_)));
    let note = world.by_administrators(&world.unbounded_text("guests", 1));
    refused(&mut world, note, |r| matches!(r, Refusal::Policy(_)));
    let mut policy = World::policy_body("staff");
    let key = "11".repeat(32);
    policy["parameters"] = json!({"possession-native": key, "policy": key, "nullifier": key});
    let note = world.by_administrators(&World::json_text(Kind::Policy, "staff", 1, &policy));
    world.submit(note).unwrap();
}

#[test]
fn parameters_come_with_sound_keys() {
    let mut world = World::begun(Mode::Development);
    let note = world.parameters(1, Provenance::Development);
    let entry = world.entry(note.clone());
    let objects = world.objects.clone();
    for key in world.verifying_keys() {
        world.objects.remove(&key);
        assert!(matches!(
            world.append(&entry),
            Err(Refusal::MissingObject(_))
        ));
        world.objects.clone_from(&objects);
    }
    // Keys of the wrong relations.
    let text = String::from_utf8(note).unwrap();
    let text = text.split_once("\n\n\u{2014}").unwrap().0;
    let swapped = text
        .replace("\"policy\"", "\"swap\"")
        .replace("\"nullifier\"", "\"policy\"")
        .replace("\"swap\"", "\"nullifier\"");
    let note = world.by_administrators(&format!("{swapped}\n"));
    refused(&mut world, note, |r| matches!(r, Refusal::Parameters(_)));
    world.append(&entry).unwrap();
}
