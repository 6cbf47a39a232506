//! Targets of the verifier: what was changed is not accepted, and what is refused changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arbitrary::Unstructured;
use bauta_statement::certificate::evidence::Evidence;
use bauta_statement::context::{Context, key_digest};
use bauta_statement::entry::{Body, Entry, Issuance, ObjectRef};
use bauta_statement::field::Fr;
use bauta_statement::note::Digest;
use bauta_statement::presentation::Usage;
use bauta_statement::scope;
use bauta_verifier::audit::Audit;
use bauta_verifier::ledger::{PolicyInEpoch, Verdict};
use bauta_verifier::presentation::verify_bytes as verify;

use crate::edit::{self, below, byte};
use crate::seeds;
use crate::statement::presentation_layout;
use crate::world::{DOMAIN, HOUR, World, ed25519_spki};

/// A presentation that verifies, and all that it is verified against.
struct Shown {
    policy: Arc<PolicyInEpoch>,
    context: Context,
    usage: Option<Usage>,
    bytes: Vec<u8>,
    layout: Vec<edit::Field>,
}

/// One under a policy that counts uses and discloses, one under a policy that does neither.
static SHOWN: LazyLock<[Shown; 2]> = LazyLock::new(|| {
    let mut world = World::running();
    ["staff", "guests"].map(|name| {
        let key = ed25519_spki(9);
        let issuance = world.show(name, &key, 7, 0);
        let (_, policy) = world.ledger.policy_at(name, world.time).expect("in force");
        let usage = policy.policy.scope.as_ref().map(|one| Usage {
            scope: scope::scope(
                DOMAIN,
                &one.name,
                scope::period_start(world.time, one.period_seconds),
            ),
            bound: one.bound,
        });
        Shown {
            policy: Arc::clone(policy),
            context: Context {
                policy_digest: policy.digest,
                nonce: issuance.nonce,
                expiry: issuance.expiry,
                trust_domain: DOMAIN.into(),
                ca_name: "Example CA".into(),
                log_origin: "log.example.org".into(),
                spki_sha256: key_digest(&key),
            },
            usage,
            layout: presentation_layout(
                issuance.presentation[2] == 1,
                usize::from(issuance.presentation[3]),
            ),
            bytes: issuance.presentation,
        }
    })
});

/// Only the presentation as it was made, in the context for which it was made, is accepted.
pub(crate) fn verify_bytes(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let shown = &SHOWN[below(&mut input, 2)];
    let (mut bytes, mut context, mut usage) =
        (shown.bytes.clone(), shown.context.clone(), shown.usage);
    match byte(&mut input) % 8 {
        0 => edit_context(&mut context, &mut input),
        1 => edit_usage(&mut usage, &mut input),
        2 => edit::bytes(&mut bytes, &mut input),
        _ => edit::fields(&mut bytes, &shown.layout, &mut input),
    }
    let same = bytes == shown.bytes && context == shown.context && usage == shown.usage;
    let verified = verify(&shown.policy.context, &context, &bytes, usage);
    assert_eq!(verified.is_ok(), same, "{:?}", verified.err());
    if let Ok(claim) = verified {
        assert_eq!(claim.context(), &shown.context);
        assert_eq!(claim.nullifier().is_some(), shown.usage.is_some());
        assert!(claim.open(&[]).is_ok() == shown.policy.policy.disclose.is_empty());
    }
}

fn edit_context(context: &mut Context, input: &mut Unstructured<'_>) {
    let at = below(input, 32);
    let flip = 1 << (byte(input) & 7);
    match byte(input) % 7 {
        0 => context.policy_digest[at] ^= flip,
        1 => context.nonce[at] ^= flip,
        2 => context.expiry ^= u64::from(flip),
        3 => context.trust_domain.push(char::from(byte(input))),
        4 => drop(context.ca_name.pop()),
        5 => context.log_origin.insert(0, char::from(byte(input))),
        _ => context.spki_sha256[at] ^= flip,
    }
}

fn edit_usage(usage: &mut Option<Usage>, input: &mut Unstructured<'_>) {
    *usage = match (*usage, byte(input) % 3) {
        (Some(usage), 0) => Some(Usage {
            scope: usage.scope + Fr::from(1 + u64::from(byte(input))),
            ..usage
        }),
        (Some(usage), 1) => Some(Usage {
            bound: usage.bound ^ (1 + u32::from(byte(input))),
            ..usage
        }),
        (Some(_), _) => None,
        (None, _) => Some(Usage {
            scope: Fr::from(byte(input)),
            bound: 1,
        }),
    };
}

/// A ledger, and entries that may come next: two issuances, files of several types, the next epoch.
struct Next {
    world: World,
    entries: Vec<Vec<u8>>,
}

impl Next {
    fn new() -> Self {
        let mut world = World::running();
        let mut entries = Vec::new();
        for (policy, key) in [("guests", 1), ("staff", 2)] {
            let issuance = world.show(policy, &ed25519_spki(key), 7, 0);
            entries.push(
                Entry::new(world.time, Body::Issuance(issuance))
                    .encode()
                    .expect("it fits"),
            );
        }
        for note in [
            world.by_administrators(&world.schema_text(2)),
            world.by_administrators(&world.policy_text("staff", 2)),
            world.by_administrators(&world.certificate_text(2)),
            world.by_administrators(&World::tombstone_text(
                bauta_statement::file::Kind::Policy,
                "guests",
            )),
            world.by_desk(&world.list_text(2, crate::world::FAR, &["01"])),
        ] {
            let entry = world.entry(note);
            entries.push(entry);
        }
        let end = world
            .ledger
            .epoch_at(world.time)
            .expect("an epoch")
            .epoch
            .end();
        let epoch = world
            .ledger
            .next_epoch_entry(end - HOUR / 5)
            .expect("computed")
            .expect("due");
        entries.push(epoch);
        Self { world, entries }
    }
}

/// An entry with edits, or whose object has edits: dry run and append agree, a refusal changes nothing, and after taking
/// it back the good entry is still taken.
pub(crate) fn ledger_append(data: &[u8]) {
    thread_local!(static NEXT: RefCell<Next> = RefCell::new(Next::new()));
    let mut input = Unstructured::new(data);
    NEXT.with_borrow_mut(|next| {
        let Next { world, entries } = next;
        let good = &entries[below(&mut input, entries.len())];
        let mut decoded = Entry::decode(good).expect("a good entry decodes");
        let mut objects = Objects {
            good: &world.objects,
            edited: None,
        };
        let how = byte(&mut input) % 4;
        let entry = match (&mut decoded.body, how) {
            // The object changes and the entry names what it became.
            (Body::File(object), 0 | 1) => {
                let mut note = world.objects[&object.digest].clone();
                edit::bytes(&mut note, &mut input);
                if let Ok(edited) = ObjectRef::of(&note) {
                    *object = edited;
                    objects.edited = Some((edited.digest, note));
                }
                decoded.encode().expect("it fits")
            }
            (Body::Issuance(issuance), 0) => {
                edit::bytes(&mut issuance.key, &mut input);
                decoded.encode().expect("it fits")
            }
            (Body::Issuance(issuance), 1) => {
                let scoped = issuance.presentation[2] == 1;
                let layout = presentation_layout(scoped, usize::from(issuance.presentation[3]));
                edit::fields(&mut issuance.presentation, &layout, &mut input);
                decoded.encode().expect("it fits")
            }
            (_, 2) => {
                decoded.time = decoded
                    .time
                    .wrapping_add(u64::from(byte(&mut input)))
                    .wrapping_sub(100);
                decoded.encode().expect("it fits")
            }
            _ => {
                let mut entry = good.clone();
                edit::bytes(&mut entry, &mut input);
                entry
            }
        };
        let ledger = &mut world.ledger;
        let (mark, size, time) = (ledger.mark(), ledger.size(), ledger.last_time());
        let (dry, real) = (
            ledger.check(&entry, &objects),
            ledger.append(&entry, &objects),
        );
        match (&dry, &real) {
            (Ok(Verdict::Accepted), Ok(Verdict::Accepted))
            | (Ok(Verdict::Issuance(_)), Ok(Verdict::Issuance(_))) => {}
            // Why may differ where several things are wrong: the dry run asks first what costs nothing.
            (Ok(Verdict::InvalidIssuance(_)), Ok(Verdict::InvalidIssuance(_))) => {}
            (Err(dry), Err(real)) => assert_eq!(dry.to_string(), real.to_string()),
            _ => panic!("dry run {dry:?}, append {real:?}"),
        }
        assert_eq!(ledger.size(), size + u64::from(real.is_ok()));
        // Whatever is valid says what the good entry says, but for its time: files are signed, presentations bound, and
        // epochs computed.
        if !matches!(real, Err(_) | Ok(Verdict::InvalidIssuance(_))) {
            let accepted = Entry::decode(&entry).expect("an accepted entry decodes");
            let good = Entry::decode(good).expect("a good entry decodes");
            assert_same(&accepted.body, &good.body, &objects);
        }
        ledger.rollback(&mark).expect("nothing was settled");
        assert_eq!((ledger.size(), ledger.last_time()), (size, time));
        if how == 3 {
            assert!(matches!(
                ledger.append(good, &world.objects),
                Ok(Verdict::Accepted | Verdict::Issuance(_))
            ));
            ledger.rollback(&mark).expect("nothing was settled");
        }
    });
}

/// Good objects, and an edited one.
struct Objects<'a> {
    good: &'a BTreeMap<Digest, Vec<u8>>,
    edited: Option<(Digest, Vec<u8>)>,
}

impl bauta_verifier::ledger::Objects for Objects<'_> {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        match &self.edited {
            Some((edited, note)) if edited == digest => Some(note.clone()),
            _ => self.good.get(digest).cloned(),
        }
    }
}

fn assert_same(accepted: &Body, good: &Body, objects: &Objects) {
    match (accepted, good) {
        (Body::File(accepted), Body::File(good)) => {
            // Signatures may be left out or stand twice; the text is what was signed.
            let text = |object: &ObjectRef| {
                let note = bauta_verifier::ledger::Objects::get(objects, &object.digest);
                bauta_statement::note::SignedNote::parse(&note.expect("it was found"))
                    .expect("accepted")
                    .text()
                    .to_owned()
            };
            assert_eq!(text(accepted), text(good));
        }
        (accepted, good) => assert_eq!(accepted, good),
    }
}

/// A recorded log with entries left out, doubled, exchanged or edited: an audit ends or names faults, and never finds a
/// certificate that was not issued.
pub(crate) fn audit_entries(data: &[u8]) {
    // And the audit of each beginning of the log, which an edit further on does not change.
    static LOG: LazyLock<(World, Vec<Issuance>, Vec<Audit>)> = LazyLock::new(|| {
        let mut world = World::running();
        let issued: Vec<_> = [("guests", 1), ("staff", 2)]
            .map(|(policy, key)| world.show(policy, &ed25519_spki(key), 7, 0))
            .into();
        for issuance in &issued {
            world.issue(issuance.clone());
        }
        let mut audits = vec![Audit::new(*world.ledger.pinned())];
        for entry in &world.entries {
            let mut audit = audits[audits.len() - 1].clone();
            audit
                .next_entries(&[entry], &world.objects)
                .expect("a good log");
            audits.push(audit);
        }
        (world, issued, audits)
    });
    let mut input = Unstructured::new(data);
    let (world, issued, audits) = &*LOG;
    let mut entries: Vec<&[u8]> = world.entries.iter().map(Vec::as_slice).collect();
    let mut edited;
    let at = below(&mut input, entries.len());
    let to = below(&mut input, entries.len());
    match byte(&mut input) % 5 {
        0 => drop(entries.remove(at)),
        1 => entries.insert(to, entries[at]),
        2 => entries.swap(at, to),
        3 => entries.truncate(at),
        _ => {
            edited = entries[at].to_vec();
            edit::bytes(&mut edited, &mut input);
            entries[at] = &edited;
        }
    }
    let alike = entries.iter().zip(&world.entries);
    let beginning = alike.take_while(|(one, good)| *one == good).count();
    // Some audits begin at the first entry nevertheless.
    let beginning = if byte(&mut input) == 1 { 0 } else { beginning };
    let mut audit = audits[beginning].clone();
    // An entry that may not be in the log ends it; what was before stands.
    let ended = audit
        .next_entries(&entries[beginning..], &world.objects)
        .is_err();
    assert_eq!(audit.summary().broken.is_some(), ended);
    let summary = audit.summary();
    assert!(summary.issued <= issued.len() as u64);
    if entries == world.entries {
        assert!(summary.is_clean() && summary.issued == issued.len() as u64);
    }
}

/// A certificate, its CA's and the extra data of its proof, one of them edited: what is accepted is what was issued.
pub(crate) fn certificate(data: &[u8]) {
    static GOOD: LazyLock<[Vec<u8>; 3]> = LazyLock::new(seeds::certificate);
    let mut input = Unstructured::new(data);
    let mut edited = GOOD.clone();
    edit::bytes(&mut edited[below(&mut input, 3)], &mut input);
    let [leaf, ca, extra] = &edited;
    match bauta_verifier::certificate::verify(leaf, ca, extra) {
        Ok(verified) => {
            let evidence = Evidence::decode(extra).expect("it was read");
            let good = Evidence::decode(&GOOD[2]).expect("it is good");
            assert_eq!((leaf, ca, evidence), (&GOOD[0], &GOOD[1], good));
            assert_eq!(verified.identity().trust_domain, "example.org");
        }
        Err(_) => assert_ne!(edited, *GOOD),
    }
}
