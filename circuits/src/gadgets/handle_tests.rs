//! Handles against `vector::handle`; the second handles that a dishonest prover would have.

use std::sync::LazyLock;

use ark_ff::BigInteger;
use bauta_statement::vector;
use num_bigint::BigUint;
use proptest::prelude::*;

use super::*;
use crate::{
    gadgets::{bytes::Bytes, tbs},
    hunt::{assert_determined, assert_rigid, samples},
    system::{Forger, R1cs},
};

/// Where a serial number begins in the shortest of certificates, and in the longest.
const PLACES: [usize; 3] = [7, 9, 11];

/// Instances: key digest, start and length of the serial number. The bytes are ranged, as a buffer's are.
fn build(
    key: Fr,
    before: usize,
    contents: &[u8],
    recording: bool,
    forger: Option<Forger>,
) -> (System, Lc) {
    let place = [before, contents.len()].map(|number| Fr::from(number as u64));
    let mut system = System::new(&[key, place[0], place[1]], recording);
    if let Some(forger) = forger {
        system.forge(forger);
    }
    let mut bytes = vec![0x5a; before];
    bytes.extend_from_slice(contents);
    bytes.resize(SERIAL_END, 0x77);
    let bytes: Vec<Lc> = bytes
        .into_iter()
        .map(|byte: u8| {
            let byte = system.hint("byte", Fr::from(byte));
            range(&mut system, &byte, 8);
            byte
        })
        .collect();
    let [key, start, length] = [0, 1, 2].map(|index| system.instance(index));
    let element = Element {
        tag: Lc::constant(Fr::from(2)),
        end: &start + &length,
        start,
        length,
    };
    system.region("serial number");
    let serial = serial_number(&mut system, &bytes, &element);
    system.region("handle");
    let handle = revocation_handle(&mut system, &key, &serial);
    (system, handle)
}

fn shape() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> =
        LazyLock::new(|| build(Fr::ZERO, 9, &[1], true, None).0.into_r1cs());
    &SHAPE
}

/// The parts that refuse, and the handle that would be proved.
fn refused(key: Fr, contents: &[u8], forger: Option<Forger>) -> (Vec<&'static str>, Fr) {
    let (system, handle) = build(key, 9, contents, false, forger);
    let assignment = system.into_assignment();
    let failing = shape().failing(&assignment);
    let mut parts: Vec<_> = failing.map(|row| shape().region_of(row)).collect();
    parts.dedup();
    (parts, handle.value())
}

/// A dishonest prover who chooses these hints.
fn chooses(choices: Vec<(&'static str, Fr)>) -> Option<Forger> {
    Some(Box::new(move |_, name, honest| {
        let chosen = choices.iter().find(|(other, _)| *other == name);
        chosen.map_or(honest, |(_, value)| *value)
    }))
}

#[test]
fn costs_are_as_written() {
    let counts = shape().counts();
    assert_eq!(counts, [("serial number", 215), ("handle", 240 + 318 + 6)]);
}

#[test]
fn nothing_is_left_open() {
    for (before, length) in [(7, 1), (9, 2), (9, 19), (11, 20)] {
        let contents: Vec<u8> = (1..=length).collect();
        let (system, _) = build(Fr::from(77), before, &contents, false, None);
        let assignment = system.into_assignment();
        assert_determined(shape(), &assignment);
        assert_rigid(shape(), &assignment, u64::from(length));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn it_is_the_native_handle(
        key in any::<u64>(), place in 0..3usize, mut contents in prop::collection::vec(any::<u8>(), 1..=20)
    ) {
        contents[0] = (contents[0] & 0x7f).max(1);
        let (key, serial) = (Fr::from(key), Serial::from_der_contents(&contents).unwrap());
        let (system, handle) = build(key, PLACES[place], &contents, false, None);
        prop_assert_eq!(shape().check(&system.into_assignment()), Ok(()));
        prop_assert_eq!(handle.value(), Fr::from(vector::handle(key, &serial)));
        prop_assert!(has_handle(key, &serial));
    }
}

/// Every length, and DER's octet of 0 before a high one.
#[test]
fn serials_are_integers_whatever_their_length() {
    let key = Fr::from(5);
    let mut serials: Vec<Vec<u8>> = (1..=20).map(|length| vec![0x7f; length]).collect();
    serials.extend((2..=20).map(|length| [&[0, 0x80][..], &vec![0; length - 2]].concat()));
    for contents in serials {
        let serial = Serial::from_der_contents(&contents).unwrap();
        let (parts, handle) = refused(key, &contents, None);
        assert_eq!(parts, [""; 0], "{contents:?}");
        assert_eq!(handle, Fr::from(vector::handle(key, &serial)));
    }
}

#[test]
fn zero_is_no_serial_number() {
    assert!(Serial::from_der_contents(&[0]).is_err());
    let (parts, _) = refused(Fr::from(5), &[0], None);
    assert_eq!(parts, ["serial number"]);
    let inverse = chooses(vec![("inverse of a serial number", Fr::ONE)]);
    assert_eq!(refused(Fr::from(5), &[0], inverse).0, ["serial number"]);
}

/// Another integer for the same octets, fewer of them, more of them, two at once: no handle that is not the certificate's.
#[test]
fn a_serial_number_is_one_integer() {
    let contents: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let honest = refused(Fr::from(5), &contents, None);
    assert!(honest.0.is_empty());
    let of = |octets: &[u8]| Fr::from_be_bytes_mod_order(octets);
    let picked = |picks: Vec<(usize, Fr)>, value: Fr| -> Option<Forger> {
        let mut met = 0;
        Some(Box::new(move |_, name, honest| match name {
            "serial number" => value,
            "octets of a serial number" => {
                met += 1;
                let pick = picks.iter().find(|(length, _)| *length == met);
                pick.map_or(Fr::ZERO, |(_, pick)| *pick)
            }
            _ => honest,
        }))
    };
    let tag = Fr::from(2).pow([160u64]);
    let two = Fr::from(2);
    for (what, picks, value) in [
        ("one more", vec![(4, Fr::ONE)], of(&contents) + Fr::ONE),
        ("three octets", vec![(3, Fr::ONE)], of(&contents[..3])),
        (
            "three octets, and the tag's difference",
            vec![(3, Fr::ONE)],
            of(&contents[..3]) - tag,
        ),
        (
            "five octets",
            vec![(5, Fr::ONE)],
            of(&[&contents[..], &[0x77]].concat()),
        ),
        ("none, so twenty", vec![], of(&contents)),
        (
            "halves of three and of five",
            vec![(3, two.inverse().unwrap()), (5, two.inverse().unwrap())],
            of(&contents) + Fr::ONE,
        ),
        (
            "two less one, of three",
            vec![(4, two), (3, -Fr::ONE)],
            of(&contents) + Fr::ONE,
        ),
    ] {
        let (parts, handle) = refused(Fr::from(5), &contents, picked(picks, value));
        assert_eq!(parts, ["serial number"], "{what}");
        assert!(handle != honest.1 || value == of(&contents), "{what}");
    }
}

/// The low bits of x + r are another handle, which is on no revocation list. The bound on the top bits alone refuses it.
#[test]
fn a_hash_has_one_decomposition() {
    let key = Fr::from(5);
    let r = BigUint::from(Fr::MODULUS);
    let mut found = 0;
    for serial in 1..=40u8 {
        let hash = bauta_statement::poseidon::hash(&[key, Fr::from(serial)]);
        let alias = BigUint::from(hash.into_bigint()) + &r;
        if alias.bits() > 254 {
            continue;
        }
        found += 1;
        let mask = BigUint::from(u64::MAX);
        let low = Fr::from(&alias & &mask);
        let top = Fr::from(&alias >> TOP);
        let forger = chooses(vec![
            ("low bits of a hash", low),
            ("top bits of a hash", top),
        ]);
        let (system, handle) = build(key, 9, &[serial], false, forger);
        assert_eq!(handle.value(), low);
        assert_ne!(
            handle.value(),
            Fr::from(vector::handle(
                key,
                &Serial::from_be_bytes(&[serial]).unwrap()
            ))
        );
        let assignment = system.into_assignment();
        let failing: Vec<usize> = shape().failing(&assignment).collect();
        let start = shape().regions.last().unwrap().0 + 240;
        let bound = start + 128..start + 192;
        assert!(!failing.is_empty());
        assert!(failing.iter().all(|row| bound.contains(row)), "{failing:?}");
    }
    // 2^254 − r of r: about a third.
    assert!(found > 5);
}

/// Low bits that are others, with all that follows from them: the middle is no integer then.
#[test]
fn low_and_top_bits_are_those_of_the_hash() {
    let key = Fr::from(5);
    let hash = bauta_statement::poseidon::hash(&[key, Fr::from(9)]);
    let low = Fr::from(native_low_u64(&hash));
    let step = Fr::from(1u128 << 64);
    for (name, value) in [
        ("low bits of a hash", low + Fr::ONE),
        ("low bits of a hash", low + step),
        ("low bits of a hash", low - step),
        ("low bits of a hash", Fr::ZERO),
        ("top bits of a hash", Fr::ZERO),
        (
            "top bits of a hash",
            Fr::from(top(hash.into_bigint())) + Fr::ONE,
        ),
        ("top bits of a hash", -Fr::ONE),
    ] {
        let (parts, _) = refused(key, &[9], chooses(vec![(name, value)]));
        assert_eq!(parts, ["handle"], "{name}");
    }
}

fn decomposed(x: Fr, recording: bool) -> (System, Lc) {
    let mut system = System::new(&[x], recording);
    let x = system.instance(0);
    let low = low_u64(&mut system, &x);
    (system, low)
}

/// Up to the last element below 2^190·⌊r/2^190⌋; from there on there is no proof, and none of a wrong handle.
#[test]
fn low_bits_are_right_wherever_there_is_a_proof() {
    let shape = decomposed(Fr::ZERO, true).0.into_r1cs();
    let end = Fr::from(greatest_top() + 1) * Fr::from(2).pow([u64::from(TOP)]);
    for (x, provable) in [
        (Fr::ZERO, true),
        (Fr::ONE, true),
        (Fr::from(u64::MAX), true),
        (Fr::from(u128::MAX), true),
        (end - Fr::ONE, true),
        (end, false),
        (-Fr::ONE, false),
    ] {
        let (system, low) = decomposed(x, false);
        let assignment = system.into_assignment();
        assert_eq!(shape.check(&assignment).is_ok(), provable);
        assert_eq!(low.value(), Fr::from(native_low_u64(&x)));
        if provable {
            assert_determined(&shape, &assignment);
        }
    }
    let mut most = Fr::MODULUS;
    assert!(!most.sub_with_borrow(&end.into_bigint()));
    assert!(most.num_bits() <= TOP);
}

#[test]
fn both_ends_are_moved_and_nothing_else() {
    let build = |handle: u64, recording, forger: Option<Forger>| {
        let mut system = System::new(&[Fr::from(handle)], recording);
        if let Some(forger) = forger {
            system.forge(forger);
        }
        let handle = system.instance(0);
        let moved = off_both_ends(&mut system, &handle);
        (system, moved)
    };
    let shape = build(5, true, None).0.into_r1cs();
    assert_eq!(shape.rows.len(), 6);
    for handle in [0, 1, 2, 1 << 63, u64::MAX - 2, u64::MAX - 1, u64::MAX] {
        let (system, moved) = build(handle, false, None);
        assert_eq!(moved.value(), Fr::from(handle.clamp(1, u64::MAX - 1)));
        assert_determined(&shape, &system.into_assignment());
        // Moved where it must not be, and not moved where it must: a second handle for the same certificate.
        for place in 0..2 {
            let mut met = 0;
            let forger: Forger = Box::new(move |_, name, honest| match name {
                "whether it is 0" => {
                    met += 1;
                    if met - 1 == place {
                        Fr::ONE - honest
                    } else {
                        honest
                    }
                }
                _ => honest,
            });
            let (system, other) = build(handle, false, Some(forger));
            assert_ne!(other.value(), moved.value());
            assert!(shape.check(&system.into_assignment()).is_err(), "{handle}");
        }
    }
}

/// From the walk of certificates of openssl on: the handle is that of the serial number that x509-cert reads, and 0 has none.
#[test]
fn handles_are_those_of_certificates() {
    use der::Decode;
    let certificates: [&[u8]; 5] = [
        include_bytes!("../../../vectors/tbs/serial_20_octets.der"),
        include_bytes!("../../../vectors/tbs/serial_1_octet.der"),
        include_bytes!("../../../vectors/tbs/serial_of_a_high_octet.der"),
        include_bytes!("../../../vectors/tbs/generalized_time.der"),
        include_bytes!("../../../vectors/tbs/serial_0.der"),
    ];
    const ROOM: usize = 900;
    let build = |certificate: &[u8], recording| {
        let tbs = samples::tbs(certificate);
        let mut system = System::new(&[Fr::from(tbs.len() as u64)], recording);
        let bytes = samples::hinted(&mut system, tbs, ROOM);
        let length = system.instance(0);
        let string = Bytes::new(&mut system, &bytes, &length);
        let fields = tbs::walk(&mut system, &string, &tbs::SHA256_WITH_RSA);
        let serial = serial_number(&mut system, string.values(), &fields.serial);
        let key = Lc::constant(Fr::from(11));
        let handle = revocation_handle(&mut system, &key, &serial);
        (system, handle)
    };
    let shape = build(certificates[0], true).0.into_r1cs();
    for certificate in certificates {
        let theirs = x509_cert::Certificate::from_der(certificate).unwrap();
        let serial = theirs.tbs_certificate().serial_number().as_bytes().to_vec();
        let serial = Serial::from_der_contents(&serial);
        let (system, handle) = build(certificate, false);
        let holds = shape.check(&system.into_assignment()).is_ok();
        assert_eq!(holds, serial.is_ok());
        if let Ok(serial) = serial {
            let expected = vector::handle(Fr::from(11), &serial);
            assert_eq!(handle.value(), Fr::from(expected));
        }
    }
}
