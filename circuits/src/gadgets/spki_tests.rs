//! The modulus of a certificate's key, against x509-cert; keys of other kinds.

use ark_ff::AdditiveGroup;
use num_bigint::BigUint;

use super::*;
use crate::{gadgets::der::element, hunt::assert_determined, system::R1cs};

const ROOM: usize = 400;

fn build(bytes: &[u8], [start, length]: [usize; 2], recording: bool) -> (System, Natural) {
    let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
    inputs.resize(ROOM, Fr::ZERO);
    inputs.extend([start, length].map(|number| Fr::from(number as u64)));
    let mut system = System::new(&inputs, recording);
    let wires: Vec<Lc> = (0..ROOM).map(|place| system.instance(place)).collect();
    let [start, length] = [0, 1].map(|index| system.instance(ROOM + index));
    let element = Element {
        tag: Lc::constant(Fr::from(0x30)),
        end: &start + &length,
        start,
        length,
    };
    let modulus = rsa_modulus(&mut system, &wires, &element, 256);
    (system, modulus)
}

fn shape() -> &'static R1cs {
    static SHAPE: std::sync::LazyLock<R1cs> =
        std::sync::LazyLock::new(|| build(&[], [0, 290], true).0.into_r1cs());
    &SHAPE
}

/// Circuit and twin, which must agree, of contents somewhere in a buffer.
fn found(contents: &[u8], offset: usize) -> Option<BigUint> {
    let buffer = [&vec![0x55; offset][..], contents, &[0x66; 20]].concat();
    let (system, number) = build(&buffer, [offset, contents.len()], false);
    let value = number.value();
    let holds = shape().check(&system.into_assignment()).is_ok();
    let twin = modulus(contents, 256).map(BigUint::from_bytes_be);
    assert_eq!(holds.then_some(value), twin);
    twin
}

/// SubjectPublicKeyInfo's contents of a certificate of openssl, by x509-cert.
fn contents() -> (Vec<u8>, BigUint) {
    use der::{Decode, Encode};
    let certificate = include_bytes!("../../../vectors/tbs/serial_1_octet.der");
    let certificate = x509_cert::Certificate::from_der(certificate).unwrap();
    let key = certificate.tbs_certificate().subject_public_key_info();
    let encoded = key.to_der().unwrap();
    let (_, start, end) = element(&encoded, 0).unwrap();
    // RSAPublicKey: SEQUENCE, INTEGER.
    let public = key.subject_public_key.raw_bytes();
    let (_, inside, _) = element(public, 0).unwrap();
    let (_, first, last) = element(public, inside).unwrap();
    let modulus = BigUint::from_bytes_be(&public[first..last]);
    (encoded[start..end].to_vec(), modulus)
}

#[test]
fn the_modulus_is_that_of_x509_cert() {
    let (contents, expected) = contents();
    assert_eq!(contents.len(), 290);
    for offset in [0, 1, 7, 31, 32, 90] {
        assert_eq!(found(&contents, offset), Some(expected.clone()));
    }
}

#[test]
fn every_octet_but_the_modulus_is_constant() {
    let (contents, expected) = contents();
    for place in 0..contents.len() {
        if place > 30 && place < 283 && place % 50 != 0 {
            continue;
        }
        let mut other = contents.clone();
        other[place] ^= 1;
        let read = found(&other, 3);
        let in_modulus = (29..285).contains(&place);
        assert_eq!(read.is_some(), in_modulus, "octet {place}");
        assert!(read != Some(expected.clone()));
    }
}

/// What openssl makes of other keys: 1,024 and 4,096 bits, e = 3, and no NULL.
#[test]
fn other_keys_are_refused() {
    let (contents, _) = contents();
    for octets in [128, 255, 257] {
        let modulus = vec![0xa5; octets];
        let other = [&before(octets)[..], &modulus, &EXPONENT].concat();
        assert_eq!(found(&other, 2), None, "{octets} octets");
    }
    let mut cube = contents.clone();
    cube.truncate(285);
    cube.extend_from_slice(&[0x02, 0x01, 0x03]);
    assert_eq!(found(&cube, 2), None);
    let long = [&contents[..285], &[0x02, 0x04, 0x00, 0x01, 0x00, 0x01]].concat();
    assert_eq!(found(&long, 2), None);
    let without_null = [&[0x30, 0x0b], &contents[2..13], &contents[15..]].concat();
    assert_eq!(found(&without_null, 2), None);
    // An octet more, an octet less.
    assert_eq!(found(&[&contents[..], &[0]].concat(), 2), None);
    assert_eq!(found(&contents[..289], 2), None);
}

#[test]
fn headers_are_those_of_der() {
    for octets in [64, 96, 128, 256, 512] {
        let contents = [&before(octets)[..], &vec![0xa5; octets], &EXPONENT].concat();
        let (_, _, algorithm) = element(&contents, 0).unwrap();
        let (tag, start, end) = element(&contents, algorithm).unwrap();
        assert_eq!((tag, end, contents[start]), (3, contents.len(), 0));
        let (tag, inside, end) = element(&contents, start + 1).unwrap();
        assert_eq!((tag, end), (0x30, contents.len()));
        let (tag, first, last) = element(&contents, inside).unwrap();
        assert_eq!((tag, last - first, contents[first]), (2, octets + 1, 0));
        assert_eq!(
            element(&contents, last),
            Some((2, last + 2, contents.len()))
        );
    }
}

#[test]
fn nothing_is_left_open() {
    let (contents, _) = contents();
    assert_determined(
        shape(),
        &build(&contents, [0, 290], false).0.into_assignment(),
    );
}

#[test]
fn a_key_costs_what_is_written() {
    let mut system = System::new(&[Fr::ZERO], true);
    let zero = system.instance(0);
    let element = Element {
        tag: zero.clone(),
        start: zero.clone(),
        length: zero.clone(),
        end: zero.clone(),
    };
    rsa_modulus(&mut system, &vec![zero; 1079], &element, 256);
    assert_eq!(system.into_r1cs().rows.len(), 5564);
}
