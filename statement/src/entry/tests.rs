//! The codec against golden vectors (`vectors/entry`), and against bytes that are no entry.
use super::*;
use crate::epoch::{
    Epoch, MAX_EARLIER_CRLS, MAX_ISSUER_SETS, MAX_ISSUERS, MAX_POLICIES, MAX_SCHEMAS, PolicyInForce,
};

/// Miri interprets: of the cuts and flips it takes a few.
const STEP: usize = if cfg!(miri) { 61 } else { 1 };

fn object(byte: u8) -> ObjectRef {
    ObjectRef {
        digest: [byte; 32],
        length: 1000 + u32::from(byte),
    }
}

/// One entry of each kind, with the golden file that holds its bytes.
fn examples() -> Vec<(&'static str, Entry, &'static str)> {
    let epoch = Epoch {
        number: 498_696,
        start: 1_795_305_600,
        length: 3600,
        authority: [1; 32],
        parameters: [2; 32],
        ca_key: [3; 32],
        ca_certificate: [4; 32],
        schemas: vec![[5; 32]],
        issuer_sets: vec![[6; 32]],
        policies: vec![PolicyInForce {
            policy: [7; 32],
            object: [8; 32],
            issuer_root: [9; 32],
        }],
        revocation_lists: vec![[10; 32], [11; 32]],
        revocation_root: [12; 32],
        revocation_count: 13,
    };
    let issuance = Issuance {
        policy: [1; 32],
        epoch: 498_696,
        ca_key: [2; 32],
        nonce: [3; 32],
        expiry: 1_795_305_900,
        key: vec![0x30, 0x00],
        presentation: vec![4; 5],
    };
    let entry = |body| Entry::new(1_795_305_601, body);
    vec![
        (
            "authority",
            entry(Body::Authority(object(1))),
            include_str!("../../../vectors/entry/authority.hex"),
        ),
        (
            "parameters",
            entry(Body::Parameters(object(2))),
            include_str!("../../../vectors/entry/parameters.hex"),
        ),
        (
            "file",
            entry(Body::File(object(3))),
            include_str!("../../../vectors/entry/file.hex"),
        ),
        (
            "epoch",
            entry(Body::Epoch(epoch)),
            include_str!("../../../vectors/entry/epoch.hex"),
        ),
        (
            "issuance",
            entry(Body::Issuance(issuance)),
            include_str!("../../../vectors/entry/issuance.hex"),
        ),
    ]
}

#[test]
fn entries_are_the_golden_bytes() {
    for (name, entry, golden) in examples() {
        let bytes = entry.encode().unwrap();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&bytes),
            golden.trim(),
            "vectors/entry/{name}.hex"
        );
        assert_eq!(Entry::decode(&bytes), Ok(entry), "{name}");
    }
}

#[test]
fn no_byte_is_left_over_or_missing() {
    for (name, entry, _) in examples() {
        let bytes = entry.encode().unwrap();
        for end in (0..bytes.len()).step_by(STEP) {
            assert!(Entry::decode(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Entry::decode(&longer).is_err(), "{name} with a byte more");
    }
}

#[test]
fn whatever_decodes_is_the_one_encoding() {
    for (name, entry, _) in examples() {
        let bytes = entry.encode().unwrap();
        for bit in (0..bytes.len() * 8).step_by(STEP) {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = Entry::decode(&other) {
                assert_eq!(decoded.encode().unwrap(), other, "{name}, bit {bit}");
                assert_ne!(decoded, entry, "{name}, bit {bit}");
            }
        }
    }
}

#[test]
fn unknown_versions_and_kinds_are_refused() {
    let mut bytes = examples()[0].1.encode().unwrap();
    bytes[0] = 2;
    assert_eq!(Entry::decode(&bytes), Err(EntryError::Version(2)));
    bytes[0] = 1;
    for kind in (0..=u8::MAX).filter(|kind| !(1..=5).contains(kind)) {
        bytes[9] = kind;
        assert!(Entry::decode(&bytes).is_err(), "kind {kind}");
    }
}

#[test]
fn entries_stay_below_64_kibibytes() {
    let (_, mut entry, _) = examples().remove(4);
    if let Body::Issuance(issuance) = &mut entry.body {
        issuance.presentation = vec![0; 65_535];
    }
    assert!(matches!(entry.encode(), Err(EntryError::Long(_, 65_535))));
    assert!(matches!(
        Entry::decode(&[1; 65_536]),
        Err(EntryError::Long(65_536, _))
    ));
}

#[test]
fn an_object_is_known_by_digest_and_length() {
    let reference = ObjectRef::of(b"object").unwrap();
    assert!(reference.fits(b"object"));
    assert!(!reference.fits(b"Object"));
    let longer = ObjectRef {
        length: 7,
        ..reference
    };
    assert!(!longer.fits(b"object"));
    assert!(ObjectRef::of(&vec![0; 1_000_001]).is_err());
}

#[test]
fn an_epoch_with_all_that_may_be_in_force_fits() {
    let policy = PolicyInForce {
        policy: [7; 32],
        object: [8; 32],
        issuer_root: [9; 32],
    };
    let examples = examples();
    let epoch = examples.iter().find_map(|(_, entry, _)| match &entry.body {
        Body::Epoch(epoch) => Some(epoch.clone()),
        _ => None,
    });
    let full = Epoch {
        schemas: vec![[5; 32]; MAX_SCHEMAS],
        issuer_sets: vec![[6; 32]; MAX_ISSUER_SETS],
        policies: vec![policy; MAX_POLICIES],
        revocation_lists: vec![[10; 32]; MAX_ISSUERS + MAX_EARLIER_CRLS],
        ..epoch.unwrap()
    };
    let bytes = Entry::new(1, Body::Epoch(full)).encode().unwrap();
    assert!(Entry::decode(&bytes).is_ok());
}
