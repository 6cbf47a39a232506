//! CRLs that openssl made, good and bad, and what openssl would not make.
use super::*;
use der::asn1::{BitString, OctetString};
use x509_cert::crl::TbsCertList;
use x509_cert::serial_number::SerialNumber;

fn vector(name: &str) -> Vec<u8> {
    let path = format!("{}/../vectors/crl/{name}.der", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn list(name: &str) -> CertificateList {
    CertificateList::from_der(&vector(name)).unwrap()
}

/// What the change makes of the list with two entries, or of its parts; nobody signs it again, since that is not looked at here.
fn changed(change: impl FnOnce(&mut CertificateList)) -> Result<Crl, CrlError> {
    let mut list = list("two");
    change(&mut list);
    Crl::from_der(&list.to_der().unwrap())
}

fn tbs(change: impl FnOnce(&mut TbsCertList)) -> Result<Crl, CrlError> {
    changed(|list| change(&mut list.tbs_cert_list))
}

fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
    Extension {
        extn_id: oid,
        critical,
        extn_value: OctetString::new(value).unwrap(),
    }
}

fn with_extension(oid: &str, critical: bool, value: &[u8]) -> Result<Crl, CrlError> {
    let added = extension(ObjectIdentifier::new_unwrap(oid), critical, value);
    tbs(|tbs| tbs.crl_extensions.as_mut().unwrap().push(added))
}

/// The first entry with these extensions alone.
fn with_entry(extensions: Vec<Extension>) -> Result<Crl, CrlError> {
    tbs(|tbs| {
        let entries = tbs.revoked_certificates.as_mut().unwrap();
        entries[0].crl_entry_extensions = Some(extensions);
    })
}

/// The DER with bytes put in, and the lengths around them grown.
fn inserted(good: &[u8], at: usize, added: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let mut start = 0;
    while start < at {
        let (content, length) = match good[start + 1..] {
            [0x81, length, ..] => (start + 3, usize::from(length)),
            [0x82, high, low, ..] => (start + 4, usize::from(high) << 8 | usize::from(low)),
            [length, ..] => (start + 2, usize::from(length)),
            [] => panic!("no element at {start}"),
        };
        if at < content + length {
            bytes[content - 1] += u8::try_from(added.len()).unwrap();
            start = content;
        } else {
            start = content + length;
        }
    }
    bytes.splice(at..at, added.iter().copied());
    bytes
}

#[test]
fn what_openssl_made_is_read() {
    let two = Crl::from_der(&vector("two")).unwrap();
    let mut long = [0; 20];
    (long[0], long[19]) = (0xfe, 1);
    assert_eq!(
        two.serials,
        [&[0x0a][..], &long].map(|bytes| Serial::from_be_bytes(bytes).unwrap())
    );
    assert_eq!(
        (two.number, two.this_update, two.next_update, two.hash),
        (2, 1_728_000_000, 1_753_920_000, SignatureHash::Sha256)
    );
    assert_eq!(two.signature.len(), 256);
    let key = Fr::from(5);
    assert_eq!(
        two.handles(key),
        two.serials
            .iter()
            .map(|serial| vector::handle(key, serial))
            .collect::<Vec<_>>()
    );
    for (name, number, revoked, hash) in [
        ("empty", 1, 0, SignatureHash::Sha256),
        ("dropped", 3, 2, SignatureHash::Sha256),
        ("users_only", 4, 1, SignatureHash::Sha256),
        ("sha384", 5, 1, SignatureHash::Sha384),
        ("sha512", 6, 1, SignatureHash::Sha512),
        ("other", 7, 1, SignatureHash::Sha256),
    ] {
        let crl = Crl::from_der(&vector(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            (crl.number, crl.serials.len(), crl.hash),
            (number, revoked, hash)
        );
        assert!(Crl::is_one(&vector(name)));
    }
    assert!(!Crl::is_one(b"bauta/v1/revocation-list\n"));
}

#[test]
fn what_openssl_made_wrong_is_refused() {
    use CrlError as E;
    type Expected = fn(&CrlError) -> bool;
    let cases: [(&str, Expected); 13] = [
        ("version1", |e| matches!(e, E::NotCrl(_))),
        ("no_number", |e| *e == E::Number),
        ("number_of_65_bits", |e| *e == E::Number),
        ("sha1", |e| matches!(e, E::Algorithm(_))),
        ("pss", |e| matches!(e, E::Algorithm(_))),
        ("critical", |e| matches!(e, E::Critical(_))),
        ("delta", |e| *e == E::Delta),
        ("indirect", |e| *e == E::Indirect),
        ("shard", |e| *e == E::Shard),
        ("some_reasons", |e| *e == E::Partial("onlySomeReasons")),
        ("cas_only", |e| *e == E::Partial("onlyContainsCACerts")),
        ("attributes_only", |e| {
            *e == E::Partial("onlyContainsAttributeCerts")
        }),
        ("removed", |e| *e == E::Removed("0a".to_owned())),
    ];
    for (name, expected) in cases {
        let error = Crl::from_der(&vector(&format!("bad_{name}"))).unwrap_err();
        assert!(expected(&error), "{name}: {error}");
    }
}

#[test]
fn it_is_der_and_nothing_after_it() {
    let good = vector("two");
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(Crl::from_der(&longer), Err(CrlError::NotCrl(_))));
    for end in 0..good.len() {
        assert!(Crl::from_der(&good[..end]).is_err(), "{end}");
    }
    // `critical` written out, though FALSE is its default, in an entry's reason: another encoding of the same list.
    let reason = [0x06, 0x03, 0x55, 0x1d, 0x15];
    let at = good.windows(5).position(|one| one == reason).unwrap() + 5;
    let verbose = inserted(&good, at, &[0x01, 0x01, 0x00]);
    assert_eq!(Crl::from_der(&verbose), Err(CrlError::NotDer));
    assert_eq!(
        Crl::from_der(&vec![0x30; MAX_OBJECT_BYTES as usize + 1]),
        Err(CrlError::TooLong(MAX_OBJECT_BYTES as usize + 1))
    );
}

#[test]
fn version_times_and_algorithms() {
    assert_eq!(tbs(|tbs| tbs.version = Version::V3), Err(CrlError::Version));
    assert_eq!(tbs(|tbs| tbs.version = Version::V1), Err(CrlError::Version));
    assert_eq!(
        tbs(|tbs| tbs.next_update = None),
        Err(CrlError::NoNextUpdate)
    );
    assert!(matches!(
        tbs(|tbs| tbs.next_update = Some(tbs.this_update)),
        Err(CrlError::Times { .. })
    ));
    assert_eq!(
        changed(|list| list.signature_algorithm.oid = SHA_384_WITH_RSA_ENCRYPTION),
        Err(CrlError::TwoAlgorithms)
    );
    let no_null = |list: &mut CertificateList| {
        list.signature_algorithm.parameters = None;
        list.tbs_cert_list.signature.parameters = None;
    };
    assert!(matches!(changed(no_null), Err(CrlError::Algorithm(_))));
    assert_eq!(
        changed(|list| list.signature = BitString::new(7, [0x80]).unwrap()),
        Err(CrlError::NotDer)
    );
}

#[test]
fn extensions_that_change_the_meaning() {
    // Which others there are does not matter, unless they are critical.
    assert!(with_extension("2.5.29.46", false, &[5, 0]).is_ok());
    assert!(matches!(
        with_extension("2.5.29.46", true, &[5, 0]),
        Err(CrlError::Critical(_))
    ));
    // Whether critical or not.
    assert_eq!(
        with_extension("2.5.29.27", false, &[2, 1, 7]),
        Err(CrlError::Delta)
    );
    let point = |value: &[u8]| with_extension("2.5.29.28", false, value);
    assert_eq!(point(&[0x30, 3, 0x84, 1, 0xff]), Err(CrlError::Indirect));
    assert!(point(&[0x30, 0]).is_ok());
    assert!(point(&[0x30, 3, 0x81, 1, 0xff]).is_ok());
    // FALSE written out, TRUE as another number than 255, trailing bytes.
    for value in [
        &[0x30, 3, 0x84, 1, 0][..],
        &[0x30, 3, 0x84, 1, 1],
        &[0x30, 0, 0],
    ] {
        assert!(
            matches!(point(value), Err(CrlError::Extension(_))),
            "{value:?}"
        );
    }
    assert!(matches!(
        with_extension("2.5.29.20", false, &[2, 1, 9]),
        Err(CrlError::Repeated(_))
    ));
    let number = |value: &'static [u8], critical| {
        tbs(|tbs| {
            let extensions = tbs.crl_extensions.as_mut().unwrap();
            extensions.retain(|one| one.extn_id != ID_CE_CRL_NUMBER);
            extensions.push(extension(ID_CE_CRL_NUMBER, critical, value));
        })
        .map(|crl| crl.number)
    };
    assert_eq!(number(&[2, 1, 0], false), Ok(0));
    let largest = [2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(number(Vec::leak(largest.to_vec()), false), Ok(u64::MAX));
    assert_eq!(
        number(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0], false),
        Err(CrlError::Number)
    );
    for negative_or_long in [&[2, 1, 0x80][..], &[2, 2, 0, 1], &[2, 1, 1, 0]] {
        assert!(matches!(
            number(negative_or_long, false),
            Err(CrlError::Extension(_))
        ));
    }
    assert!(matches!(
        number(&[2, 1, 9], true),
        Err(CrlError::Critical(_))
    ));
}

#[test]
fn entries_say_what_is_revoked_and_nothing_else() {
    let reason =
        |value: u8| with_entry(vec![extension(ID_CE_CRL_REASONS, false, &[0x0a, 1, value])]);
    for value in 0..=11 {
        let counts = !matches!(value, 7 | 8 | 11);
        assert_eq!(reason(value).is_ok(), counts, "{value}");
    }
    assert!(matches!(reason(8), Err(CrlError::Removed(_))));
    // An entry of another CA, critical or not.
    for critical in [true, false] {
        let issuer = extension(ID_CE_CERTIFICATE_ISSUER, critical, &[0x30, 0]);
        assert_eq!(with_entry(vec![issuer]), Err(CrlError::Indirect));
    }
    let date = ObjectIdentifier::new_unwrap("2.5.29.24");
    assert!(with_entry(vec![extension(date, false, &[5, 0])]).is_ok());
    let critical = with_entry(vec![extension(date, true, &[5, 0])]);
    assert!(matches!(critical, Err(CrlError::Entry { .. })));
    let twice = vec![extension(ID_CE_CRL_REASONS, false, &[0x0a, 1, 1]); 2];
    assert!(matches!(with_entry(twice), Err(CrlError::Repeated(_))));
}

#[test]
fn serials_are_positive_short_and_once() {
    let twice = tbs(|tbs| {
        let entries = tbs.revoked_certificates.as_mut().unwrap();
        entries[1].serial_number = entries[0].serial_number.clone();
    });
    assert_eq!(twice, Err(CrlError::Duplicate("0a".to_owned())));
    let zero = tbs(|tbs| {
        let entries = tbs.revoked_certificates.as_mut().unwrap();
        entries[1].serial_number = SerialNumber::new(&[0]).unwrap();
    });
    assert!(matches!(zero, Err(CrlError::Serial { position: 1, .. })));
    // In the list's bytes: the first serial is 0A.
    let with = |serial: &[u8]| {
        let mut bytes = vector("two");
        let at = bytes
            .windows(3)
            .position(|one| one == [0x02, 0x01, 0x0a])
            .unwrap();
        bytes[at..at + 3].copy_from_slice(serial);
        Crl::from_der(&bytes)
    };
    assert!(with(&[0x02, 0x01, 0x7f]).is_ok());
    // Negative.
    assert!(with(&[0x02, 0x01, 0x8a]).is_err());
}
