//! The gadgets together, as a relation will have them: a certificate of openssl is hashed, its signature verified by the CA's key, and its
//! fields are found. No relation yet: no slot is filled.

use std::sync::LazyLock;

use ark_ff::PrimeField;
use bauta_statement::field::Fr;
use num_bigint::BigUint;

use super::{
    bytes::Bytes,
    der::element,
    natural::Natural,
    rsa::{LIMBS_2048, PublicKey, verify},
    sha256, spki, tbs,
};
use crate::{
    hunt::{
        assert_determined,
        samples::{self, hinted, modulus},
    },
    system::{Assignment, Lc, R1cs, System},
};

/// Room for eleven blocks.
const ROOM: usize = 695;

struct Certificate {
    tbs: Vec<u8>,
    signature: BigUint,
}

fn read(certificate: &[u8]) -> Certificate {
    let (_, start, _) = element(certificate, 0).unwrap();
    let tbs = samples::tbs(certificate);
    let (_, _, next) = element(certificate, start + tbs.len()).unwrap();
    let (_, bits, last) = element(certificate, next).unwrap();
    Certificate {
        tbs: tbs.to_vec(),
        signature: BigUint::from_bytes_be(&certificate[bits + 1..last]),
    }
}

fn client() -> Certificate {
    read(include_bytes!("../../../vectors/tbs/serial_1_octet.der"))
}

fn authority() -> BigUint {
    modulus(&read(include_bytes!("../../../vectors/tbs/ca.der")).tbs)
}

/// What the circuit says of a certificate: its times and the modulus of its key.
fn build(
    certificate: &Certificate,
    issuer: &BigUint,
    recording: bool,
) -> (System, [Lc; 2], Natural) {
    let length = Fr::from(certificate.tbs.len() as u64);
    let mut system = System::new(&[length], recording);
    let bytes = hinted(&mut system, &certificate.tbs, ROOM);
    let length = system.instance(0);
    system.region("hash");
    let string = Bytes::new(&mut system, &bytes, &length);
    let digest = sha256::hash(&mut system, &string);
    system.region("signature");
    let issuer = Natural::witness(&mut system, "modulus", issuer, LIMBS_2048);
    let signature = Natural::witness(&mut system, "signature", &certificate.signature, LIMBS_2048);
    let key = PublicKey::new(&mut system, &issuer);
    verify(&mut system, &key, &signature, &digest);
    system.region("fields");
    let fields = tbs::walk(&mut system, &string, &tbs::SHA256_WITH_RSA);
    let times = tbs::validity(&mut system, &string, &fields.validity);
    let holder = spki::rsa_modulus(&mut system, string.values(), &fields.key, 256);
    (system, times, holder)
}

fn shape() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> =
        LazyLock::new(|| build(&client(), &authority(), true).0.into_r1cs());
    &SHAPE
}

fn assignment(certificate: &Certificate, issuer: &BigUint) -> Assignment {
    build(certificate, issuer, false).0.into_assignment()
}

#[test]
fn a_certificate_of_openssl_is_accepted_and_read() {
    let (certificate, issuer) = (client(), authority());
    let (system, times, holder) = build(&certificate, &issuer, false);
    let fields = tbs::fields(&certificate.tbs, &tbs::SHA256_WITH_RSA).unwrap();
    let found = times.map(|time| time.value().into_bigint().0[0]);
    assert_eq!(Some(found), tbs::times(&certificate.tbs, fields.validity));
    assert_eq!(holder.value(), modulus(&certificate.tbs));
    assert_determined(shape(), &system.into_assignment());
    let counts = shape().counts();
    assert_eq!(
        counts,
        [("hash", 197_336), ("signature", 78_099), ("fields", 8_319)]
    );
}

/// A bit anywhere: in each field, in what is signed for nothing but itself, in the signature; and the key of another CA.
#[test]
fn what_the_authority_did_not_sign_is_refused() {
    let issuer = authority();
    let refused = |certificate: &Certificate, issuer: &BigUint, regions: &[&str]| {
        let assignment = assignment(certificate, issuer);
        let failing: Vec<&str> = shape()
            .failing(&assignment)
            .map(|row| shape().region_of(row))
            .collect();
        assert!(!failing.is_empty());
        assert!(
            failing.iter().all(|region| regions.contains(region)),
            "{failing:?}"
        );
    };
    let end = client().tbs.len();
    for place in [0, 4, 11, 60, 105, 135, 300, 500, end - 1] {
        let mut other = client();
        other.tbs[place] ^= 4;
        // What is no certificate any more is not found in, either.
        refused(&other, &issuer, &["signature", "fields"]);
    }
    let mut longer = client();
    longer.tbs.push(0);
    refused(&longer, &issuer, &["signature", "fields"]);
    for bit in [0, 1000, 2040] {
        let mut other = client();
        other.signature ^= BigUint::from(1u8) << bit;
        refused(&other, &issuer, &["signature"]);
    }
    refused(&client(), &modulus(&client().tbs), &["signature"]);
}
