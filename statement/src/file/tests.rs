//! Files by themselves: headers, bodies, and what each type refuses.
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::file::authority::{
    Administrators, CaKey, LogIdentity, Mode, Quorum, Signer, VerifyingShare,
};
use crate::file::custody::Custodian;
use crate::file::hierarchy::Purpose;
use crate::file::key_operation::{
    CaSubject, GenerateKey, Participant, RepairShare, ReshareKey, SignCaCertificate,
};
use crate::note::{CosignatureKey, NoteSigner, sign};

/// What is broken, and how.
type Case<T> = (&'static str, fn(&mut T));

const EXPIRES: u64 = 1_795_305_600;

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_secret(name, &[seed; 32]).unwrap()
}

fn authority() -> Authority {
    Authority {
        trust_domain: "example.org".into(),
        version: 1,
        expires: EXPIRES,
        ca_name: "Example CA".into(),
        mode: Mode::Development,
        enterprise_number: 32473,
        epoch_seconds: 3600,
        log: LogIdentity {
            origin: "log.example.org".into(),
            key: signer("log.example.org", 1).verifier(),
        },
        administrators: Administrators {
            k: 1,
            keys: vec![
                signer("admin-1", 2).verifier(),
                signer("admin-2", 3).verifier(),
            ],
        },
        signers: (0..5u8)
            .map(|i| Signer {
                name: format!("signer-{i}"),
                cosignature: CosignatureKey::new(
                    &format!("signer-{i}.example.org"),
                    &signer("x", 10 + i).verifier().public(),
                )
                .unwrap(),
                tls: [i; 32],
                approval: signer(&format!("signer-{i}"), 20 + i).verifier().into(),
            })
            .collect(),
        quorum: Quorum::FIVE,
        custodians: Vec::new(),
        ca_keys: Vec::new(),
    }
}

fn ca_key() -> CaKey {
    CaKey {
        purpose: Purpose::Issuing,
        name: "ca-1".into(),
        group_key: [7; 32],
        t: 3,
        verifying_shares: (0..5u8)
            .map(|i| VerifyingShare {
                identifier: u16::from(i) + 1,
                signer: format!("signer-{i}"),
                share: [i; 32],
            })
            .collect(),
        operation: [9; 32],
        transcript: [8; 32],
    }
}

fn read(text: &str) -> Result<(Header, Body), FileError> {
    parse_text(text)
}

#[test]
fn an_authority_reads_back() {
    let authority = authority();
    let text = authority.to_text().unwrap();
    let note = sign(&text, &[&signer("admin-1", 2)]).unwrap();
    let file = SignedFile::parse(&note).unwrap();
    assert_eq!(file.header, authority.header());
    assert_eq!(file.body, Body::Authority(Box::new(authority)));
    assert_eq!(file.digest(), crate::note::sha256(text.as_bytes()));
}

#[test]
fn the_version_with_a_ca_key_is_one_text() {
    let text = authority().with_ca_key(ca_key()).unwrap();
    let (header, Body::Authority(read)) = read(&text).unwrap() else {
        panic!("an authority");
    };
    assert_eq!(header.version, 2);
    assert_eq!(read.ca_keys, vec![ca_key()]);
    assert_eq!(read.to_text().unwrap(), text);
    assert!(read.ca_key(&ca_key().id()).is_some());
    // The same key twice is refused.
    assert!(read.with_ca_key(ca_key()).is_err());
}

#[test]
fn the_version_with_a_new_sharing_is_one_text() {
    let mut authority = authority();
    authority.ca_keys = vec![ca_key()];
    let mut key = ca_key();
    key.operation = [8; 32];
    for share in &mut key.verifying_shares {
        share.share[0] ^= 0x55;
    }
    let text = authority.with_sharing(key.clone()).unwrap();
    let (header, Body::Authority(read)) = read(&text).unwrap() else {
        panic!("an authority");
    };
    assert_eq!(header.version, 2);
    assert_eq!(read.ca_keys, vec![key.clone()]);
    assert_eq!(read.ca_keys[0].id(), authority.ca_keys[0].id());
    // Only a key that there is gets new shares.
    for change in [(|key| key.name.push('x')) as fn(&mut CaKey), |key| {
        key.group_key = [6; 32]
    }] {
        let mut other = key.clone();
        change(&mut other);
        assert!(authority.with_sharing(other).is_err());
    }
}

/// Pinned: signers store their shares by it, and administrators sign it.
#[test]
fn a_sharing_is_named_by_all_of_its_public_side() {
    let key = ca_key();
    assert_eq!(
        data_encoding::HEXLOWER.encode(&key.sharing()),
        "307029efe2a8f3b68833f018a8e31c7d90cdbfdb3ea1ba1e6ed4ba62a70484f1"
    );
    for change in [
        (|key| key.group_key[0] ^= 1) as fn(&mut CaKey),
        |key| key.t = 4,
        |key| key.verifying_shares[0].identifier = 9,
        |key| key.verifying_shares[0].signer.push('x'),
        |key| key.verifying_shares[0].share[0] ^= 1,
        |key| {
            key.verifying_shares.pop();
        },
        |key| key.verifying_shares.swap(0, 1),
    ] {
        let mut other = ca_key();
        change(&mut other);
        assert_ne!(other.sharing(), key.sharing());
    }
    // Neither its name nor the operation that made it belong to it.
    let mut same = ca_key();
    same.name = "ca-2".into();
    same.operation = [1; 32];
    assert_eq!(same.sharing(), key.sharing());
}

#[test]
fn a_key_keeps_its_threshold_within_the_quorum_s_inequalities() {
    let with = |t: usize, quorum: Quorum| {
        let mut authority = authority();
        authority.quorum = quorum;
        authority.ca_keys = vec![CaKey { t, ..ca_key() }];
        authority.to_text()
    };
    let five = Quorum::FIVE;
    assert!(with(3, five).is_ok() && with(4, five).is_ok());
    for t in [0, 1, 2, 5] {
        let refusal = with(t, five).unwrap_err();
        assert!(matches!(refusal, FileError::Quorum(_)), "{t}: {refusal}");
    }
    // f = 1 is what two shares are enough for.
    let quorum = Quorum { f: 1, ..five };
    assert!(with(2, quorum).is_ok());
}

#[test]
fn a_contradictory_resharing_or_repair_is_refused() {
    let participants: Vec<Participant> = (0..4u8)
        .map(|i| Participant {
            identifier: u16::from(i) + 1,
            signer: format!("signer-{i}"),
            approval: signer("approval", 40 + i).verifier().into(),
        })
        .collect();
    let names = |range: std::ops::Range<u8>| range.map(|i| format!("signer-{i}")).collect();
    let reshare = ReshareKey {
        key: "ca-1".into(),
        group_key: [7; 32],
        from: [8; 32],
        dealers: names(0..3),
        participants,
        n: 4,
        t: 3,
        q: 4,
    };
    let header = Header {
        kind: Kind::KeyOperation,
        trust_domain: "example.org".into(),
        name: "one".into(),
        version: 1,
        expires: 9,
    };
    let refused = |operation: KeyOperation, what: &str| {
        let text = to_text(&header, &operation).unwrap();
        let result = read(&text);
        assert!(matches!(result, Err(FileError::KeyOperation(_))), "{what}");
    };
    let good = KeyOperation::ReshareKey(reshare.clone());
    let text = to_text(&header, &good).unwrap();
    assert_eq!(read(&text).unwrap().1, Body::KeyOperation(Box::new(good)));
    let cases: [Case<ReshareKey>; 9] = [
        ("an ill-named key", |one| one.key = "a/b".into()),
        ("another n", |one| one.n = 5),
        ("identifiers that do not run", |one| {
            one.participants[1].identifier = 3;
        }),
        ("a participant twice", |one| {
            one.participants[1].signer = one.participants[0].signer.clone();
        }),
        ("an approval key twice", |one| {
            one.participants[1].approval = one.participants[0].approval.clone();
        }),
        ("t of 1", |one| one.t = 1),
        ("t above n", |one| one.t = 5),
        ("a dealer twice", |one| {
            one.dealers[1] = one.dealers[0].clone();
        }),
        ("one dealer", |one| one.dealers.truncate(1)),
    ];
    for (what, change) in cases {
        let mut bad = reshare.clone();
        change(&mut bad);
        refused(KeyOperation::ReshareKey(bad), what);
    }
    let repair = RepairShare {
        key: "ca-1".into(),
        group_key: [7; 32],
        sharing: [8; 32],
        signer: "signer-3".into(),
        helpers: names(0..3),
    };
    let good = KeyOperation::RepairShare(repair.clone());
    assert!(read(&to_text(&header, &good).unwrap()).is_ok());
    let cases: [Case<RepairShare>; 4] = [
        ("an ill-named key", |one| one.key.clear()),
        ("a helper twice", |one| {
            one.helpers[1] = one.helpers[0].clone();
        }),
        ("one helper", |one| one.helpers.truncate(1)),
        ("a signer that helps itself", |one| {
            one.signer = one.helpers[0].clone();
        }),
    ];
    for (what, change) in cases {
        let mut bad = repair.clone();
        change(&mut bad);
        refused(KeyOperation::RepairShare(bad), what);
    }
}

#[test]
fn a_contradictory_authority_is_refused() {
    let cases: [Case<Authority>; 15] = [
        ("epoch length", |a| a.epoch_seconds = 7000),
        ("epoch of 0", |a| a.epoch_seconds = 0),
        ("empty name", |a| a.ca_name.clear()),
        ("k above m", |a| a.administrators.k = 3),
        ("k of 0", |a| a.administrators.k = 0),
        ("arc too large", |a| a.enterprise_number = 1 << 31),
        ("example number in production", |a| {
            a.mode = Mode::Production
        }),
        ("origin is not the key's name", |a| {
            a.log.origin = "other".into()
        }),
        ("n is not the number of signers", |a| a.quorum.n = 6),
        ("an inequality", |a| a.quorum.q = 3),
        ("a key twice", |a| {
            a.signers[1].approval = a.signers[0].approval.clone()
        }),
        ("one key for two roles", |a| {
            a.administrators.keys[1] = NoteKeyOf::of(&a.signers[0].cosignature);
        }),
        ("a name twice", |a| {
            a.signers[1].name = a.signers[0].name.clone()
        }),
        ("a TLS key twice", |a| a.signers[1].tls = a.signers[0].tls),
        ("holders who left", |a| {
            let mut key = ca_key();
            for share in &mut key.verifying_shares[..3] {
                share.signer.push_str("-gone");
            }
            a.ca_keys.push(key);
        }),
    ];
    authority().to_text().unwrap();
    for (what, change) in cases {
        let mut bad = authority();
        change(&mut bad);
        assert!(bad.to_text().is_err(), "{what}");
    }
}

struct NoteKeyOf;
impl NoteKeyOf {
    fn of(key: &CosignatureKey) -> crate::note::NoteKey {
        crate::note::NoteKey::new("twin", &key.public()).unwrap()
    }
}

#[test]
fn headers_have_one_form() {
    let good = authority().to_text().unwrap();
    for (from, to) in [
        ("version: 1", "version: 01"),
        ("version: 1", "version: +1"),
        ("version: 1", "version: 0"),
        ("version: 1", "version: 18446744073709551616"),
        ("name: authority", "name: other"),
        ("name: authority", "name: ../x"),
        ("name: ", "Name: "),
        ("trust-domain: example.org", "trust-domain: Example.org"),
        ("expires: 2026-11-22T00:00:00Z", "expires: 2026-11-22"),
        (
            "expires: 2026-11-22T00:00:00Z",
            "expires: 2026-11-22T00:00:00Z\nmore: 1",
        ),
        ("bauta/v1/authority", "bauta/v2/authority"),
        ("bauta/v1/authority", "bauta/v1/unknown"),
        ("bauta/v1/authority", "bauta/v1/policy"),
        ("\"ca_name\"", "\"unknown\": 1, \"ca_name\""),
        (
            "\"mode\": \"development\"",
            "\"mode\": \"development\", \"mode\": \"production\"",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        assert!(read(&good.replacen(from, to, 1)).is_err(), "{from} → {to}");
    }
    assert!(read(&format!("{good}{{}}\n")).is_err(), "trailing body");
}

#[test]
fn key_operations_are_checked() {
    let header = Header {
        kind: Kind::KeyOperation,
        trust_domain: "example.org".into(),
        name: "generate-ca-1".into(),
        version: 1,
        expires: EXPIRES,
    };
    let generate = GenerateKey {
        purpose: Purpose::Issuing,
        key: "ca-1".into(),
        participants: (0..5u8)
            .map(|i| Participant {
                identifier: u16::from(i) + 1,
                signer: format!("signer-{i}"),
                approval: signer(&format!("signer-{i}"), 20 + i).verifier().into(),
            })
            .collect(),
        n: 5,
        t: 3,
        q: 4,
    };
    let text = |operation: &KeyOperation| to_text(&header, operation).unwrap();
    let good = KeyOperation::GenerateKey(generate.clone());
    let (_, Body::KeyOperation(again)) = read(&text(&good)).unwrap() else {
        panic!("a key operation");
    };
    assert_eq!(*again, good);
    for (what, change) in [
        (
            "identifiers",
            (|g: &mut GenerateKey| g.participants.swap(0, 1)) as fn(&mut GenerateKey),
        ),
        ("n", |g| g.n = 4),
        ("t of 1", |g| g.t = 1),
        ("q above n", |g| g.q = 6),
        ("name", |g| g.key = "a b".into()),
    ] {
        let mut bad = generate.clone();
        change(&mut bad);
        assert!(
            read(&text(&KeyOperation::GenerateKey(bad))).is_err(),
            "{what}"
        );
    }
    let certificate = SignCaCertificate {
        path_length: 0,
        key: "ca-1".into(),
        group_key: [7; 32],
        subject: CaSubject {
            country: Some("IT".into()),
            organization: None,
            common_name: "Example CA".into(),
        },
        not_before: 5,
        not_after: 6,
    };
    read(&text(&KeyOperation::SignCaCertificate(certificate.clone()))).unwrap();
    for (what, change) in [
        (
            "dates",
            (|s: &mut SignCaCertificate| s.not_after = 5) as fn(&mut SignCaCertificate),
        ),
        ("country", |s| s.subject.country = Some("it".into())),
        ("name", |s| s.subject.common_name = "x".repeat(65)),
    ] {
        let mut bad = certificate.clone();
        change(&mut bad);
        assert!(
            read(&text(&KeyOperation::SignCaCertificate(bad))).is_err(),
            "{what}"
        );
    }
}

#[test]
fn revocation_lists_name_each_serial_once() {
    let head = "bauta/v1/revocation-list\ntrust-domain: example.org\nname: desk\nversion: 1\nexpires: 2026-11-22T00:00:00Z\n\n";
    let key = data_encoding::HEXLOWER.encode(
        &crate::eddsa::SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(1))
            .public_key()
            .to_bytes(),
    );
    let list = |serials: &str| {
        read(&format!(
            "{head}{{\"issuer_key\": \"{key}\", \"serials\": [{serials}]}}\n"
        ))
    };
    list("").unwrap();
    let (_, Body::RevocationList(two)) = list("\"01\", \"0200\"").unwrap() else {
        panic!("a list");
    };
    let (_, Body::RevocationList(three)) = list("\"01\", \"0200\", \"03\"").unwrap() else {
        panic!("a list");
    };
    assert!(three.extends(&two) && three.extends(&three) && !two.extends(&three));
    for bad in [
        "\"01\", \"01\"",
        "\"00\"",
        "\"0001\"",
        "\"\"",
        "\"0A\"",
        "1",
    ] {
        assert!(list(bad).is_err(), "{bad}");
    }
}

#[test]
fn tombstones_retire_names_only() {
    let text = |kind: &str| {
        format!(
            "bauta/v1/tombstone\ntrust-domain: example.org\nname: old\nversion: 1\nexpires: 2026-11-22T00:00:00Z\n\n{{\"retires\": \"{kind}\", \"reason\": \"test\"}}\n"
        )
    };
    read(&text("policy")).unwrap();
    for kind in ["authority", "revocation-list", "parameters", "tombstone"] {
        assert_eq!(
            read(&text(kind)).err(),
            Some(FileError::Tombstone(Kind::parse(kind).unwrap()))
        );
    }
}

/// A recipient of the right form.
fn recipient(last: char) -> String {
    format!("age1{}{last}", "q".repeat(57))
}

fn custodian(name: &str, last: char, signers: &[u8]) -> Custodian {
    Custodian {
        name: name.into(),
        recipient: recipient(last),
        signers: signers.iter().map(|i| format!("signer-{i}")).collect(),
    }
}

#[test]
fn no_custodian_keeps_t_backups() {
    let with = |custodians: &[Custodian]| {
        let mut authority = authority();
        authority.ca_keys = vec![ca_key()];
        authority.custodians = custodians.to_vec();
        authority.to_text()
    };
    let two = [
        custodian("paris", 'p', &[0, 1]),
        custodian("lyon", 'z', &[2, 4]),
    ];
    let text = with(&two).unwrap();
    let (_, Body::Authority(read)) = read(&text).unwrap() else {
        panic!("an authority");
    };
    assert_eq!(read.custodians, two);
    assert_eq!(read.custodian("signer-4").unwrap().name, "lyon");
    assert!(read.custodian("signer-3").is_none());
    assert!(read.custodian_of(["signer-0", "signer-2"], 2).is_none());
    assert_eq!(
        read.custodian_of(["signer-2", "signer-4"], 2).unwrap().name,
        "lyon"
    );
    for (what, wrong) in [
        ("t signers", vec![custodian("paris", 'p', &[0, 1, 2])]),
        ("a signer twice", {
            vec![
                custodian("paris", 'p', &[0, 1]),
                custodian("lyon", 'z', &[1]),
            ]
        }),
        ("a signer that is none", vec![custodian("paris", 'p', &[7])]),
        ("one name", {
            vec![custodian("paris", 'p', &[0]), custodian("paris", 'z', &[1])]
        }),
        ("one recipient", {
            vec![custodian("paris", 'p', &[0]), custodian("lyon", 'p', &[1])]
        }),
        ("an ill name", vec![custodian("a b", 'p', &[0])]),
        ("no recipient", vec![custodian("paris", 'b', &[0])]),
        ("a short recipient", {
            let mut short = custodian("paris", 'p', &[0]);
            short.recipient.pop();
            vec![short]
        }),
    ] {
        assert!(with(&wrong).is_err(), "{what}");
    }
    // A key keeps its threshold when the quorum's is raised: three are still that key.
    let mut raised = authority();
    raised.quorum.t = 4;
    raised.custodians = vec![custodian("paris", 'p', &[0, 1, 2])];
    assert!(raised.to_text().is_ok());
    raised.ca_keys = vec![ca_key()];
    assert!(raised.to_text().is_err());
}
