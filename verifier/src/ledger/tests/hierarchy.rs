//! Roots, certificates of other CAs, and one CA key after the other.
use bauta_statement::certificate::{Document, OutsideCertificate};
use bauta_statement::entry::{Body, Entry};
use bauta_statement::file::authority::{Authority, Mode, ca_key_id};
use bauta_statement::file::hierarchy::{
    Der, InstallCaCertificate, Purpose, RequestCaCertificate, SignSubordinateCa,
};
use bauta_statement::file::key_operation::{CaSubject, GenerateKey, SignCaCertificate};
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{KeyOperation, Kind, to_text};
use bauta_statement::note::sha256;
use ed25519_dalek::{Signer as _, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose,
};

use super::files::refused;
use super::world::{DOMAIN, FAR, HOUR, START, World, ed25519_spki, group_key};
use crate::ledger::{EpochUnavailable, InvalidIssuance, Refusal, Verdict};

const DAY: u64 = 86_400;

/// Why it is refused, or nothing, and what makes it so.
type Case<T> = (&'static str, fn(&mut T));

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

fn name(common_name: &str) -> CaSubject {
    CaSubject {
        country: None,
        organization: None,
        common_name: common_name.into(),
    }
}

fn generate(world: &World, name: &str, purpose: Purpose) -> GenerateKey {
    GenerateKey {
        purpose,
        ..world.generate(name)
    }
}

/// Logs a key operation as version 1.
fn log(world: &mut World, name: &str, operation: &KeyOperation) -> Result<Verdict, Refusal> {
    log_version(world, name, 1, operation)
}

fn log_version(
    world: &mut World,
    name: &str,
    version: u64,
    operation: &KeyOperation,
) -> Result<Verdict, Refusal> {
    let header = World::header(Kind::KeyOperation, name, version, FAR);
    let note = world.by_administrators(&to_text(&header, operation).unwrap());
    world.submit(note)
}

/// The authority with one key more, whose generation was logged under `generate-<name>`.
fn with_key(world: &mut World, name: &str, purpose: Purpose, seed: u8) -> String {
    let generate = generate(world, name, purpose);
    let header = World::header(Kind::KeyOperation, &format!("generate-{name}"), 1, FAR);
    let text = to_text(&header, &KeyOperation::GenerateKey(generate.clone())).unwrap();
    let key = world.generated(&generate, &text, seed);
    world.ledger.authority().unwrap().with_ca_key(key).unwrap()
}

fn make_key(world: &mut World, name: &str, purpose: Purpose, seed: u8) {
    let operation = KeyOperation::GenerateKey(generate(world, name, purpose));
    log(world, &format!("generate-{name}"), &operation).unwrap();
    let text = with_key(world, name, purpose, seed);
    let note = world.by_participants(&text);
    world.submit(note).unwrap();
}

fn own(key: &str, seed: u8, common_name: &str, path_length: u8) -> SignCaCertificate {
    SignCaCertificate {
        key: key.into(),
        group_key: public(seed),
        subject: name(common_name),
        not_before: START - DAY,
        not_after: FAR - DAY,
        path_length,
    }
}

fn request(seed: u8, common_name: &str) -> RequestCaCertificate {
    RequestCaCertificate {
        key: "ca-2".into(),
        group_key: public(seed),
        subject: name(common_name),
        path_length: 0,
    }
}

/// The request of another CA, or of this log's, as its signers would sign it.
fn signed_request(seed: u8, common_name: &str) -> Der {
    let operation = KeyOperation::RequestCaCertificate(request(seed, common_name));
    let document = Document::ordered(&operation, &[0; 32], DOMAIN)
        .unwrap()
        .unwrap();
    let signature = key(seed).sign(document.as_bytes()).to_bytes();
    Der(document.assemble(&signature).unwrap())
}

fn subordinate(seed: u8, common_name: &str) -> SignSubordinateCa {
    SignSubordinateCa {
        key: "root-1".into(),
        group_key: public(40),
        issuer: name("Example root"),
        subject: name(common_name),
        subject_key: public(seed),
        trust_domain: DOMAIN.into(),
        request: signed_request(seed, common_name),
        not_before: START,
        not_after: START + 30 * DAY,
        path_length: 0,
    }
}

/// A log with an issuing key (ca-2, of seed 41) and a root (root-1, of seed 40), each with its own certificate.
fn with_root() -> World {
    let mut world = World::running();
    make_key(&mut world, "ca-2", Purpose::Issuing, 41);
    let own_2 = KeyOperation::SignCaCertificate(own("ca-2", 41, "Example CA", 0));
    log(&mut world, "certify-ca-2", &own_2).unwrap();
    make_key(&mut world, "root-1", Purpose::Root, 40);
    let own_root = KeyOperation::SignCaCertificate(own("root-1", 40, "Example root", 1));
    log(&mut world, "certify-root-1", &own_root).unwrap();
    world
}

/// Submits under a fresh name, and says why it is refused.
fn why(world: &mut World, operation: &KeyOperation) -> Option<&'static str> {
    match log(world, "tried", operation) {
        Ok(_) => None,
        Err(Refusal::KeyOperation(reason)) => Some(reason),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_key_is_a_root_from_its_generation_on() {
    let mut world = World::begun(Mode::Development);
    let operation = KeyOperation::GenerateKey(generate(&world, "root-1", Purpose::Root));
    log(&mut world, "generate-root-1", &operation).unwrap();
    // The signers computed another purpose than the administrators ordered.
    let text = with_key(&mut world, "root-1", Purpose::Root, 40);
    let mut issuing = text.clone();
    let at = text.find("      \"purpose\": \"root\",\n").unwrap();
    issuing.replace_range(at..at + 25, "");
    assert_ne!(issuing, text);
    let note = world.by_participants(&issuing);
    assert!(world.submit(note).is_err());
    let note = world.by_participants(&text);
    world.submit(note).unwrap();
    // Administrators cannot make it another thing later.
    let mut changed: Authority = world.ledger.authority().unwrap().as_ref().clone();
    changed.version += 1;
    changed.ca_keys[0].purpose = Purpose::Issuing;
    let note = world.by_administrators(&changed.to_text().unwrap());
    refused(&mut world, note, |r| {
        matches!(r, Refusal::AuthorityChange(_))
    });
    for (version, path_length, good) in [(1, 0, false), (1, 1, true), (2, 4, true)] {
        let sign = own("root-1", 40, "Example root", path_length);
        let verdict = log_version(
            &mut world,
            "certify-root-1",
            version,
            &KeyOperation::SignCaCertificate(sign),
        );
        assert_eq!(verdict.is_ok(), good, "{path_length}: {verdict:?}");
    }
}

#[test]
fn nothing_is_issued_under_a_root() {
    // A log that has a root alone has no epochs.
    let mut world = World::begun(Mode::Development);
    let parameters = world.parameters(1, Provenance::Development);
    world.submit(parameters).unwrap();
    make_key(&mut world, "root-1", Purpose::Root, 40);
    let own_root = KeyOperation::SignCaCertificate(own("root-1", 40, "Example root", 1));
    log(&mut world, "certify-root-1", &own_root).unwrap();
    assert_eq!(
        world.ledger.next_epoch_entry(world.time).unwrap_err(),
        EpochUnavailable::Ca
    );
    // Beside an issuing key, it is never the one that issues, though it is the newest.
    let mut world = with_root();
    let epoch = world.turn();
    assert_eq!(epoch.ca_key, ca_key_id(&public(41)));
    let inside = world.time;
    let mut entry = epoch;
    entry.number += 1;
    entry.start += HOUR;
    entry.ca_key = ca_key_id(&public(40));
    world.time = entry.start - HOUR / 5;
    let entry = Entry::new(world.time, Body::Epoch(entry)).encode().unwrap();
    assert!(matches!(
        world.append(&entry),
        Err(Refusal::EpochContent("CA key"))
    ));
    world.time = inside;
    let key = ed25519_spki(1);
    let mut issuance = world.show("guests", &key, 7, 0);
    issuance.ca_key = ca_key_id(&public(40));
    assert!(matches!(
        world.issue(issuance),
        Verdict::InvalidIssuance(InvalidIssuance::CaKey)
    ));
}

#[test]
fn an_issuing_key_has_path_length_0_and_the_ca_s_name_and_certifies_no_ca() {
    let mut world = with_root();
    let sign = |path_length, common_name| {
        KeyOperation::SignCaCertificate(own("ca-2", 41, common_name, path_length))
    };
    assert!(
        why(&mut world, &sign(1, "Example CA"))
            .unwrap()
            .contains("path length")
    );
    assert!(
        why(&mut world, &sign(0, "Example root"))
            .unwrap()
            .contains("ca_name")
    );
    let mut by_issuing = subordinate(50, "Other CA");
    by_issuing.key = "ca-2".into();
    by_issuing.group_key = public(41);
    by_issuing.issuer = name("Example CA");
    let refused = why(&mut world, &KeyOperation::SignSubordinateCa(by_issuing)).unwrap();
    assert!(refused.contains("certifies no CA"), "{refused}");
}

#[test]
fn a_root_certifies_within_its_own_certificate() {
    let mut world = with_root();
    let cases: [Case<SignSubordinateCa>; 9] = [
        ("no CA key of this name", |s| s.key = "root-9".into()),
        ("another one", |s| s.group_key = public(41)),
        ("not that of its own certificate", |s| {
            s.issuer = name("Another root")
        }),
        ("path length is not below", |s| s.path_length = 1),
        ("not within", |s| s.not_before = START - 2 * DAY),
        ("not within", |s| s.not_after = FAR),
        ("would have expired", |s| {
            (s.not_before, s.not_after) = (START - DAY, START);
        }),
        // A key of this log, which is issuing, in a trust domain that is not this log's.
        ("trust domain is not", |s| {
            *s = SignSubordinateCa {
                trust_domain: "example.com".into(),
                ..subordinate(41, "Example CA")
            };
        }),
        ("", |s| *s = subordinate(41, "Example CA")),
    ];
    for (expected, change) in cases {
        let mut order = subordinate(50, "Other CA");
        change(&mut order);
        let refused = why(&mut world, &KeyOperation::SignSubordinateCa(order));
        match refused {
            None => assert_eq!(expected, ""),
            Some(reason) => assert!(
                !expected.is_empty() && reason.contains(expected),
                "{expected:?}: {reason}"
            ),
        }
    }
    // Another CA's key, of which only the request is known.
    let other = KeyOperation::SignSubordinateCa(subordinate(50, "Other CA"));
    log(&mut world, "certify-other", &other).unwrap();
    // Once the root's own certificate is retired, it has no name to certify under.
    let stone = World::tombstone_text(Kind::KeyOperation, "certify-root-1");
    let note = world.by_administrators(&stone);
    world.submit(note).unwrap();
    let refused = log_version(&mut world, "certify-other", 2, &other).unwrap_err();
    assert!(refused.to_string().contains("no certificate of its own"));
}

#[test]
fn a_root_of_this_log_is_certified_as_a_root_alone() {
    let mut world = World::running();
    make_key(&mut world, "root-1", Purpose::Root, 40);
    let sign = KeyOperation::SignCaCertificate(own("root-1", 40, "Example root", 3));
    log(&mut world, "certify-root-1", &sign).unwrap();
    make_key(&mut world, "root-2", Purpose::Root, 42);
    let mut order = subordinate(42, "Lower root");
    let refused = why(&mut world, &KeyOperation::SignSubordinateCa(order.clone())).unwrap();
    assert!(refused.contains("path length"), "{refused}");
    order.path_length = 2;
    assert_eq!(
        why(&mut world, &KeyOperation::SignSubordinateCa(order)),
        None
    );
}

#[test]
fn a_request_is_for_a_key_with_a_name_and_says_that_name() {
    let mut world = with_root();
    let cases: [Case<RequestCaCertificate>; 5] = [
        ("no CA key of this name", |r| r.key = "ca-9".into()),
        ("another one", |r| r.group_key = public(40)),
        ("path length", |r| r.path_length = 1),
        ("not that of its own certificate", |r| {
            r.subject = name("Example root")
        }),
        ("", |_| ()),
    ];
    for (expected, change) in cases {
        let mut asked = request(41, "Example CA");
        change(&mut asked);
        let refused = why(&mut world, &KeyOperation::RequestCaCertificate(asked));
        assert!(
            refused.unwrap_or_default().contains(expected),
            "{refused:?}"
        );
        assert_eq!(refused.is_none(), expected.is_empty());
    }
    make_key(&mut world, "ca-3", Purpose::Issuing, 43);
    let mut nameless = request(43, "Example CA");
    nameless.key = "ca-3".into();
    let refused = log_version(
        &mut world,
        "tried",
        2,
        &KeyOperation::RequestCaCertificate(nameless),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("order that first")
    );
}

/// A certificate by an organisation's P-256 root, and the root's: DER.
fn outside(seed: u8, common_name: &str, until: u64) -> (Vec<u8>, Vec<u8>) {
    outside_with(seed, common_name, until, BasicConstraints::Constrained(0))
}

fn outside_with(
    seed: u8,
    common_name: &str,
    until: u64,
    constraints: BasicConstraints,
) -> (Vec<u8>, Vec<u8>) {
    let time =
        |seconds: u64| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let root_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name
        .push(DnType::CommonName, "Organisation root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(root, root_key);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.key_identifier_method = KeyIdMethod::PreSpecified(sha256(&public(seed))[..20].to_vec());
    (params.not_before, params.not_after) = (time(START - DAY).into(), time(until).into());
    let spki = spki_of(seed);
    let subject = rcgen::SubjectPublicKeyInfo::from_der(&spki).unwrap();
    let made = params.signed_by(&subject, &issuer).unwrap();
    (made.der().to_vec(), root_certificate.der().to_vec())
}

/// RFC 8410: a fixed head, and the key.
fn spki_of(seed: u8) -> Vec<u8> {
    let mut spki = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    spki.extend(public(seed));
    spki
}

fn install(seed: u8, until: u64) -> InstallCaCertificate {
    let (certificate, root) = outside(seed, "Example CA", until);
    InstallCaCertificate {
        key: "ca-2".into(),
        group_key: public(seed),
        subject: name("Example CA"),
        certificate: Der(certificate),
        chain: vec![Der(root)],
    }
}

#[test]
fn an_installed_certificate_is_of_a_key_that_there_is_under_its_own_name() {
    let mut world = with_root();
    let cases: [Case<InstallCaCertificate>; 5] = [
        ("no CA key of this name", |i| i.key = "ca-9".into()),
        ("another one", |i| i.key = "root-1".into()),
        ("has expired", |i| *i = install(41, START)),
        ("not that of its own certificate", |i| {
            i.subject = name("Another CA");
            i.certificate = Der(outside(41, "Another CA", FAR).0);
            i.chain.clear();
        }),
        ("", |_| ()),
    ];
    for (expected, change) in cases {
        let mut one = install(41, FAR);
        change(&mut one);
        let refused = why(&mut world, &KeyOperation::InstallCaCertificate(one));
        assert!(
            refused.unwrap_or_default().contains(expected),
            "{refused:?}"
        );
        assert_eq!(refused.is_none(), expected.is_empty());
    }
    let installed = |world: &World| world.ledger.installed_certificates(&public(41)).len();
    assert_eq!(installed(&world), 1);
    let later = KeyOperation::InstallCaCertificate(install(41, FAR + DAY));
    log(&mut world, "later", &later).unwrap();
    let newest = world.ledger.installed_certificates(&public(41));
    assert_eq!(newest[0].0.header.name, "later");
    assert_eq!(newest[0].1.read().unwrap().not_after, FAR + DAY);
    let stone = World::tombstone_text(Kind::KeyOperation, "tried");
    let note = world.by_administrators(&stone);
    world.submit(note).unwrap();
    assert_eq!(installed(&world), 1);
    assert!(world.ledger.installed_certificates(&public(40)).is_empty());
}

/// A root that another CA certifies with room for no CA below would certify in vain.
#[test]
fn an_installed_certificate_leaves_a_root_its_path_length() {
    let mut world = with_root();
    for (constraint, good) in [
        (BasicConstraints::Constrained(0), false),
        (BasicConstraints::Constrained(1), true),
        (BasicConstraints::Unconstrained, true),
    ] {
        let (certificate, _) = outside_with(40, "Example root", FAR, constraint);
        let operation = KeyOperation::InstallCaCertificate(InstallCaCertificate {
            key: "root-1".into(),
            group_key: public(40),
            subject: name("Example root"),
            certificate: Der(certificate),
            chain: vec![],
        });
        let version = world.ledger.size();
        let verdict = log_version(&mut world, "install-root-1", version, &operation);
        assert_eq!(verdict.is_ok(), good, "{constraint:?}: {verdict:?}");
        if let Err(refusal) = verdict {
            assert!(refusal.to_string().contains("path length"), "{refusal}");
        }
    }
}

#[test]
fn an_outside_signature_verifies_under_its_issuer_alone() {
    use crate::certificate::is_issued_by;
    let read = |der: &[u8]| OutsideCertificate::from_der(der).unwrap();
    let (certificate, root) = outside(41, "Example CA", FAR);
    assert!(is_issued_by(&read(&certificate), &read(&root)));
    assert!(is_issued_by(&read(&root), &read(&root)));
    assert!(
        !is_issued_by(&read(&root), &read(&certificate)),
        "the names do not follow"
    );
    let mut misnamed = read(&certificate);
    misnamed.issuer.clone_from(&misnamed.subject);
    assert!(!is_issued_by(&misnamed, &read(&root)), "nor do these");
    // Another root of the same name.
    let (_, other) = outside(41, "Example CA", FAR);
    assert!(!is_issued_by(&read(&certificate), &read(&other)));
    let mut changed = certificate;
    let at = changed.len() - 100;
    changed[at] ^= 1;
    assert!(
        OutsideCertificate::from_der(&changed).is_err()
            || !is_issued_by(&read(&changed), &read(&root))
    );
}

/// The new key is in the log, with its certificate, before it signs anything; it takes over in the first epoch that its
/// certificate covers; the old one's certificates end by themselves; then it is taken away.
#[test]
fn a_new_key_takes_over_when_its_certificate_begins() {
    let mut world = World::running();
    let spki = ed25519_spki(1);
    make_key(&mut world, "ca-2", Purpose::Issuing, 41);
    let hour = |time: u64| time / HOUR * HOUR;
    let takeover = hour(START) + 2 * HOUR + 60;
    let mut sign = own("ca-2", 41, "Example CA", 0);
    sign.not_before = takeover;
    log(
        &mut world,
        "certify-ca-2",
        &KeyOperation::SignCaCertificate(sign),
    )
    .unwrap();
    let (old, new) = (ca_key_id(&group_key()), ca_key_id(&public(41)));

    // The epoch after this one, and the one in which the certificate begins, are still the old key's.
    assert_eq!(world.turn().ca_key, old);
    let early = world.show("guests", &spki, 1, 0);
    let mut by_new = early.clone();
    by_new.ca_key = new;
    assert!(matches!(
        world.issue(by_new),
        Verdict::InvalidIssuance(InvalidIssuance::CaKey)
    ));
    assert!(matches!(world.issue(early), Verdict::Issuance(_)));
    assert_eq!(world.turn().ca_key, old);
    let epoch = world.turn();
    assert_eq!((epoch.ca_key, epoch.start), (new, hour(takeover) + HOUR));
    let by_old = world.show("guests", &spki, 2, 0);
    assert!(matches!(
        world.issue(by_old.clone()),
        Verdict::InvalidIssuance(InvalidIssuance::CaKey)
    ));
    let mut by_new = world.show("guests", &spki, 3, 0);
    by_new.ca_key = new;
    assert!(matches!(world.issue(by_new), Verdict::Issuance(_)));

    // Taking the old key away is final, and leaves the new one in force.
    assert_eq!(world.ledger.retired_keys().count(), 0);
    let mut without: Authority = world.ledger.authority().unwrap().as_ref().clone();
    without.version += 1;
    without.ca_keys.remove(0);
    let index = world.ledger.size();
    let note = world.by_administrators(&without.to_text().unwrap());
    world.submit(note).unwrap();
    assert_eq!(
        world.ledger.retired_keys().collect::<Vec<_>>(),
        [(&group_key(), index)]
    );
    let mut back = without;
    back.version += 1;
    back.ca_keys.insert(0, world.ca_key("ca-1"));
    let note = world.by_administrators(&back.to_text().unwrap());
    refused(&mut world, note, |r| {
        matches!(r, Refusal::AuthorityChange(_))
    });
    assert_eq!(world.turn().ca_key, new);
}
