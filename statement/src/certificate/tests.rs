//! Golden bytes, that every input matters, and OpenSSL as an oracle. (webpki is the other one, in `bauta-verifier`.)

use std::io::Write as _;
use std::process::{Command, Stdio};

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::entry::{Body, Entry, Issuance};
use crate::field::Fr;
use crate::file::key_operation::{CaSubject, SignCaCertificate};
use crate::group::Pedersen;
use crate::note::sha256;
use crate::policy::Policy;
use crate::presentation::{Opening, tests::sample};
use crate::vector::AttributeValue;

pub(super) const NOW: u64 = 1_795_305_600; // 2026-11-22T00:00:00Z
const ED25519_SPKI: &str =
    "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn key() -> crate::csr::PublicKey {
    crate::csr::PublicKey::from_spki(
        &data_encoding::HEXLOWER
            .decode(ED25519_SPKI.as_bytes())
            .unwrap(),
    )
    .unwrap()
}

fn ca_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn operation() -> SignCaCertificate {
    SignCaCertificate {
        key: "2026".into(),
        group_key: ca_key().verifying_key().to_bytes(),
        subject: CaSubject {
            country: Some("IT".into()),
            organization: Some("Example Organisation".into()),
            common_name: "Bauta example CA".into(),
        },
        not_before: NOW - 86_400,
        not_after: NOW + 10 * 365 * 86_400,
        path_length: 0,
    }
}

fn ca() -> Ca {
    Ca::new(&operation(), "example.org", 32_473).unwrap()
}

fn facts(key: &crate::csr::PublicKey) -> LeafFacts<'_> {
    LeafFacts {
        entry: b"an entry",
        time: NOW,
        policy: "research-or-senior",
        policy_digest: [5; 32],
        lifetime: 600,
        pseudonym: Pseudonym::from_nullifier(&Fr::from(77u64)),
        key,
        disclosed: vec![],
    }
}

/// What `bauta-verifier`'s tests certify: well-formed, and proving nothing.
#[test]
fn the_presentation_of_the_verifiers_tests_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../vectors/certificate/presentation.bin"
    );
    if std::env::var_os("BAUTA_BLESS").is_some() {
        std::fs::write(path, sample(false, 0).encode()).unwrap();
    }
    assert_eq!(std::fs::read(path).unwrap(), sample(false, 0).encode());
}

fn signed(tbs: &Tbs) -> Vec<u8> {
    assemble(tbs, &ca_key().sign(tbs.as_bytes()).to_bytes()).unwrap()
}

/// Compares with the golden file; `BAUTA_BLESS=1` writes it, and the change then shows in review.
pub(super) fn golden(name: &str, bytes: &[u8]) {
    let path = format!(
        "{}/../vectors/certificate/{name}.hex",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("BAUTA_BLESS").is_some() {
        std::fs::write(&path, hex(bytes) + "\n").unwrap();
    }
    assert_eq!(
        hex(bytes),
        std::fs::read_to_string(&path).unwrap().trim(),
        "{name}"
    );
}

#[test]
fn certificates_are_the_golden_bytes() {
    golden(
        "ca",
        &signed(&ca::tbs(&operation(), &[6; 32], "example.org").unwrap()),
    );
    let key = key();
    golden("leaf", &signed(&facts(&key).tbs(&ca()).unwrap()));
    let (level, city) = (
        AttributeValue::Integer(u64::MAX),
        AttributeValue::Text("Città".into()),
    );
    let disclosing = LeafFacts {
        disclosed: vec![("level", &level), ("city", &city)],
        ..facts(&key)
    };
    golden("leaf-disclosing", &signed(&disclosing.tbs(&ca()).unwrap()));
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_each_input_matters() {
    let key = key();
    let expected = facts(&key).tbs(&ca()).unwrap();
    assert_eq!(facts(&key).tbs(&ca()).unwrap(), expected);
    let seven = AttributeValue::Integer(7);
    let changes: [fn(&mut LeafFacts<'_>); 6] = [
        |f| f.entry = b"another entry",
        |f| f.time += 1,
        |f| f.policy = "research",
        |f| f.policy_digest[31] ^= 1,
        |f| f.lifetime += 1,
        |f| f.pseudonym.0[0] ^= 1,
    ];
    for change in changes {
        let mut other = facts(&key);
        change(&mut other);
        assert_ne!(other.tbs(&ca()).unwrap().digest(), expected.digest());
    }
    assert_ne!(
        LeafFacts {
            disclosed: vec![("level", &seven)],
            ..facts(&key)
        }
        .tbs(&ca())
        .unwrap(),
        expected
    );
    let other_key = ed25519_spki(&ca_key().verifying_key().to_bytes()).unwrap();
    let other_key = crate::csr::PublicKey::from_spki(&other_key).unwrap();
    assert_ne!(facts(&other_key).tbs(&ca()).unwrap(), expected);
    let of_ca: [fn(&mut SignCaCertificate); 3] = [
        |o| o.group_key[0] ^= 1,
        |o| o.subject.common_name = "Other CA".into(),
        |o| o.not_after = NOW + 300,
    ];
    for change in of_ca {
        let mut other = operation();
        change(&mut other);
        let other = Ca::new(&other, "example.org", 32_473).unwrap();
        assert_ne!(facts(&key).tbs(&other).unwrap(), expected);
    }
    for other in [
        Ca::new(&operation(), "example.com", 32_473),
        Ca::new(&operation(), "example.org", 32_474),
    ] {
        assert_ne!(facts(&key).tbs(&other.unwrap()).unwrap(), expected);
    }
}

#[test]
fn every_input_of_the_ca_certificate_matters() {
    let expected = ca::tbs(&operation(), &[6; 32], "example.org").unwrap();
    let changes: [fn(&mut SignCaCertificate); 6] = [
        |o| o.group_key[0] ^= 1,
        |o| o.subject.common_name.push('x'),
        |o| o.subject.country = None,
        |o| o.subject.organization = None,
        |o| o.not_before += 1,
        |o| o.not_after += 1,
    ];
    for change in changes {
        let mut other = operation();
        change(&mut other);
        assert_ne!(ca::tbs(&other, &[6; 32], "example.org").unwrap(), expected);
    }
    assert_ne!(
        ca::tbs(&operation(), &[7; 32], "example.org").unwrap(),
        expected
    );
    assert_ne!(
        ca::tbs(&operation(), &[6; 32], "example.com").unwrap(),
        expected
    );
}

#[test]
fn a_certificate_lies_within_its_ca() {
    let key = key();
    let validity = |time, ca: &Ca| {
        let tbs = LeafFacts {
            time,
            ..facts(&key)
        }
        .tbs(ca)?;
        let identity = PresentedIdentity::from_der(&signed(&tbs)).unwrap();
        Ok((identity.not_before, identity.not_after))
    };
    let ca = ca();
    assert_eq!(validity(NOW, &ca), Ok((NOW - 60, NOW + 600)));
    assert_eq!(
        validity(ca.not_before, &ca),
        Ok((ca.not_before, ca.not_before + 600))
    );
    assert_eq!(
        validity(ca.not_after, &ca),
        Ok((ca.not_after - 60, ca.not_after))
    );
    for time in [0, ca.not_before - 1, ca.not_after + 1, u64::MAX] {
        assert_eq!(validity(time, &ca), Err(ProfileError::OutsideCa { time }));
    }
}

/// BUGS 18: UTCTime ends with 2049.
#[test]
fn years_from_2050_are_generalized_time() {
    const Y2050: u64 = 2_524_608_000;
    let der = |seconds| time(seconds).unwrap().to_der().unwrap();
    assert_eq!(der(Y2050 - 1), b"\x17\x0d491231235959Z");
    assert_eq!(der(Y2050), b"\x18\x0f20500101000000Z");
    assert_eq!(der(951_782_400), b"\x17\x0d000229000000Z");
    let key = key();
    let ca = Ca::new(
        &SignCaCertificate {
            not_after: Y2050 + 600,
            ..operation()
        },
        "example.org",
        32_473,
    )
    .unwrap();
    let tbs = LeafFacts {
        time: Y2050 - 1,
        ..facts(&key)
    }
    .tbs(&ca)
    .unwrap();
    let identity = PresentedIdentity::from_der(&signed(&tbs)).unwrap();
    assert_eq!(
        (identity.not_before, identity.not_after),
        (Y2050 - 61, Y2050 + 599)
    );
}

#[test]
fn serials_are_positive_and_at_most_20_bytes() {
    assert_eq!(serial(&[0; 32]).unwrap().as_bytes(), [1]);
    assert_eq!(
        serial(&[0xff; 32]).unwrap().to_der().unwrap()[..3],
        [2, 20, 0x7f]
    );
    let mut small = [0; 32];
    small[1] = 0x80;
    // 2^151 needs a leading zero byte: 20 bytes, not 21.
    assert_eq!(
        serial(&small).unwrap().to_der().unwrap()[..4],
        [2, 20, 0, 0x80]
    );
}

#[test]
fn enterprise_numbers_that_readers_refuse_are_refused() {
    let key = key();
    for (number, good) in [
        (0, false),
        (1, true),
        (LARGEST_ARC, true),
        (LARGEST_ARC + 1, false),
        (u32::MAX, false),
    ] {
        let ca = Ca::new(&operation(), "example.org", number).unwrap();
        assert_eq!(facts(&key).tbs(&ca).is_ok(), good, "{number}");
    }
}

#[test]
fn a_relying_party_reads_what_was_certified() {
    let key = key();
    let (level, city) = (
        AttributeValue::Integer(1 << 63),
        AttributeValue::Text("Città".into()),
    );
    let disclosing = LeafFacts {
        disclosed: vec![("level", &level), ("city", &city)],
        ..facts(&key)
    };
    let identity = PresentedIdentity::from_der(&signed(&disclosing.tbs(&ca()).unwrap())).unwrap();
    assert_eq!(identity.trust_domain, "example.org");
    assert_eq!(identity.policy, "research-or-senior");
    assert_eq!(
        identity.pseudonym,
        Pseudonym::from_nullifier(&Fr::from(77u64))
    );
    assert_eq!(identity.policy_digest, [5; 32]);
    assert_eq!(
        identity.disclosed,
        [("level".to_owned(), level), ("city".to_owned(), city)]
    );
    assert_eq!(identity.enterprise_number, 32_473);
    let text = identity.pseudonym.to_string();
    assert_eq!(
        (text.len(), Pseudonym::parse(&text)),
        (32, Some(identity.pseudonym))
    );
    assert_eq!(Pseudonym::parse(&text.to_ascii_uppercase()), None);

    let ca_certificate = signed(&ca::tbs(&operation(), &[6; 32], "example.org").unwrap());
    assert!(PresentedIdentity::from_der(&ca_certificate).is_err());
    assert!(PresentedIdentity::from_der(b"").is_err());
    assert_eq!(Ca::from_certificate(&ca_certificate, 32_473).unwrap(), ca());
    let leaf = signed(&facts(&key).tbs(&ca()).unwrap());
    assert!(Ca::from_certificate(&leaf, 32_473).is_err());
    let longer = [leaf.as_slice(), &[0]].concat();
    assert!(PresentedIdentity::from_der(&longer).is_err());
}

#[test]
fn pseudonyms_follow_nullifier_or_nonce_and_key() {
    let nullifier = Pseudonym::from_nullifier(&Fr::from(1u64));
    assert_ne!(nullifier, Pseudonym::from_nullifier(&Fr::from(2u64)));
    let unbounded = Pseudonym::from_key(&[1; 32], b"key");
    assert_ne!(unbounded, Pseudonym::from_key(&[2; 32], b"key"));
    assert_ne!(unbounded, Pseudonym::from_key(&[1; 32], b"kez"));
}

const POLICY: &str = "bauta/v1/policy\ntrust-domain: example.org\nname: open\nversion: 1\nexpires: 2027-11-22T00:00:00Z\n\n\
{\"name\":\"open\",\"issuer_set\":\"members\",\"schema\":\"employee\",\"unbounded\":true,\"disclose\":[\
{\"attribute\":\"level\",\"slot\":7,\"type\":\"integer\"},{\"attribute\":\"country\",\"slot\":9,\"type\":\"text\"}]}\n";

/// An entry that discloses level and country, its policy, and the openings.
fn disclosing_entry() -> (Vec<u8>, Policy, Vec<Opening>) {
    let openings = vec![
        Opening {
            slot: 7,
            value: AttributeValue::Integer(6),
            blinding: Fr::from(11u64),
        },
        Opening {
            slot: 9,
            value: AttributeValue::Text("IT".into()),
            blinding: Fr::from(12u64),
        },
    ];
    let mut presentation = sample(false, 2);
    for (disclosure, opening) in presentation.disclosures.iter_mut().zip(&openings) {
        disclosure.commitment =
            Pedersen::get().commit(&opening.value.to_field(), &opening.blinding);
    }
    let issuance = Issuance {
        policy: sha256(POLICY.as_bytes()),
        epoch: 1,
        ca_key: [0; 32],
        nonce: [9; 32],
        expiry: NOW + 100,
        key: key().spki().to_vec(),
        presentation: presentation.encode(),
    };
    let entry = Entry::new(NOW, Body::Issuance(issuance)).encode().unwrap();
    let crate::file::Body::Policy(policy) = crate::file::parse_text(POLICY).unwrap().1 else {
        panic!()
    };
    (entry, *policy, openings)
}

#[test]
fn an_entry_earns_one_certificate_and_only_with_its_openings() {
    let (entry, policy, openings) = disclosing_entry();
    let tbs = leaf::tbs(&entry, &policy, &openings, &ca()).unwrap();
    let identity = PresentedIdentity::from_der(&signed(&tbs)).unwrap();
    assert_eq!(
        identity.pseudonym,
        Pseudonym::from_key(&[9; 32], key().spki())
    );
    assert_eq!(identity.policy_digest, sha256(POLICY.as_bytes()));
    assert_eq!(
        identity.disclosed[0],
        ("level".into(), AttributeValue::Integer(6))
    );

    type Change = fn(&mut Vec<Opening>);
    let cases: [(Change, ProfileError); 7] = [
        (|o| o.truncate(1), ProfileError::Openings),
        (|o| o.swap(0, 1), ProfileError::Openings),
        (|o| o.push(o[0].clone()), ProfileError::Openings),
        (
            |o| o[0].value = AttributeValue::Integer(7),
            ProfileError::Opening("level".into()),
        ),
        (
            |o| o[0].blinding += Fr::from(1u64),
            ProfileError::Opening("level".into()),
        ),
        (
            |o| o[0].value = AttributeValue::Text("6".into()),
            ProfileError::Opening("level".into()),
        ),
        (
            |o| o[1].value = AttributeValue::Absent,
            ProfileError::Absent("country".into()),
        ),
    ];
    for (change, error) in cases {
        let mut other = openings.clone();
        change(&mut other);
        assert_eq!(leaf::tbs(&entry, &policy, &other, &ca()), Err(error));
    }
}

#[test]
fn a_nullifier_and_a_scope_go_together() {
    let (entry, policy, _) = disclosing_entry();
    let Body::Issuance(issuance) = Entry::decode(&entry).unwrap().body else {
        panic!()
    };
    let scoped = Issuance {
        presentation: sample(true, 2).encode(),
        ..issuance
    };
    let scoped = Entry::new(NOW, Body::Issuance(scoped)).encode().unwrap();
    assert!(matches!(
        leaf::tbs(&scoped, &policy, &[], &ca()),
        Err(ProfileError::Entry(_))
    ));
    assert!(matches!(
        leaf::tbs(b"", &policy, &[], &ca()),
        Err(ProfileError::Entry(_))
    ));
}

#[test]
fn evidence_gives_the_certificate_again_and_no_other() {
    let (entry, policy, openings) = disclosing_entry();
    let evidence = Evidence {
        entry,
        openings,
        policy: POLICY.to_owned(),
    };
    let bytes = evidence.encode();
    assert_eq!(Evidence::decode(&bytes), Ok(evidence.clone()));
    assert_eq!(
        evidence.tbs(&ca()).unwrap(),
        leaf::tbs(&evidence.entry, &policy, &evidence.openings, &ca()).unwrap()
    );
    let other_policy = Evidence {
        policy: POLICY.replace("unbounded", "unboundee"),
        ..evidence.clone()
    };
    assert_eq!(
        other_policy.tbs(&ca()),
        Err(evidence::EvidenceError::OtherPolicy)
    );
    let other_domain = Ca::new(&operation(), "example.com", 32_473).unwrap();
    assert_eq!(
        evidence.tbs(&other_domain),
        Err(evidence::EvidenceError::OtherPolicy)
    );
    for bad in [
        &bytes[..bytes.len() - 1],
        &[bytes.as_slice(), &[0]].concat(),
        &[&[2], &bytes[1..]].concat(),
        &[],
    ] {
        assert_eq!(
            Evidence::decode(bad),
            Err(evidence::EvidenceError::Malformed)
        );
    }
}

#[test]
fn pem_is_wrapped_at_64_characters() {
    let pem = to_pem(&[7; 100]);
    let lines: Vec<&str> = pem.lines().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        (lines[1].len(), lines[2].len(), lines[3].len()),
        (64, 64, 8)
    );
    let whole = to_pem(&[7; 96]);
    assert_eq!(
        whole.lines().count(),
        4,
        "a full last line has no empty one after it"
    );
}

pub(super) fn openssl(arguments: &[&str], input: &[u8]) -> Option<String> {
    let child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("no openssl on this machine: this oracle is left out");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn openssl_reads_what_the_profile_says() {
    let key = key();
    let city = AttributeValue::Text("Città".into());
    let leaf = LeafFacts {
        disclosed: vec![("city", &city)],
        ..facts(&key)
    };
    let leaf = signed(&leaf.tbs(&ca()).unwrap());
    let ca_certificate = signed(&ca::tbs(&operation(), &[6; 32], "example.org").unwrap());
    let Some(text) = openssl(&["x509", "-text", "-noout"], to_pem(&leaf).as_bytes()) else {
        return;
    };
    let spiffe = format!(
        "URI:spiffe://example.org/research-or-senior/{}",
        Pseudonym::from_nullifier(&Fr::from(77u64))
    );
    for expected in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ED25519",
        "Issuer: C = IT, O = Example Organisation, CN = Bauta example CA",
        "Not Before: Nov 21 23:59:00 2026 GMT",
        "Not After : Nov 22 00:10:00 2026 GMT",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "TLS Web Client Authentication, TLS Web Server Authentication",
        "X509v3 Subject Alternative Name: critical",
        &spiffe,
        "1.3.6.1.4.1.32473.1.1",
        "1.3.6.1.4.1.32473.1.2",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let subject = openssl(&["x509", "-subject", "-noout"], to_pem(&leaf).as_bytes()).unwrap();
    assert_eq!(subject.trim_end(), "subject=");

    let text = openssl(
        &["x509", "-text", "-noout"],
        to_pem(&ca_certificate).as_bytes(),
    )
    .unwrap();
    for expected in [
        "Subject: C = IT, O = Example Organisation, CN = Bauta example CA",
        "CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "URI:spiffe://example.org\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(!text.contains("Name Constraints"));
}
