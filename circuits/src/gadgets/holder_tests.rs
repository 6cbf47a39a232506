//! Possession by a signature of openssl, for a certificate of openssl; what it is of, and whose.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::*;
use crate::{
    gadgets::rsa::LIMBS_2048,
    hunt::{
        assert_determined,
        samples::{modulus, tbs},
    },
    system::{Assignment, R1cs},
};

fn holder() -> BigUint {
    modulus(tbs(include_bytes!("../../../vectors/usage/client.der")))
}

/// `openssl dgst -sha256 -sign` of the message, by the holder's key.
fn signature() -> BigUint {
    BigUint::from_bytes_be(include_bytes!("../../../vectors/usage/possession.sig"))
}

fn build(modulus: &BigUint, signature: &BigUint, recording: bool) -> System {
    let mut system = System::new(&[], recording);
    let modulus = Natural::witness(&mut system, "modulus", modulus, LIMBS_2048);
    let key = PublicKey::new(&mut system, &modulus);
    system.region("holder");
    has_signed(&mut system, &key, signature);
    system
}

fn shape() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> =
        LazyLock::new(|| build(&BigUint::ZERO, &BigUint::ZERO, true).into_r1cs());
    &SHAPE
}

fn assignment(modulus: &BigUint, signature: &BigUint) -> Assignment {
    build(modulus, signature, false).into_assignment()
}

/// Circuit and native check, which must agree.
fn accepts(modulus: &BigUint, signature: &BigUint) -> bool {
    let circuit = shape().check(&assignment(modulus, signature)).is_ok();
    assert_eq!(circuit, is_possession(modulus, signature));
    circuit
}

#[test]
fn a_possession_costs_what_a_signature_and_its_ranges_do() {
    assert_eq!(
        shape().counts().last(),
        Some(&("holder", 2048 + 157 + 73_831))
    );
}

#[test]
fn a_signature_of_openssl_is_a_possession() {
    assert!(accepts(&holder(), &signature()));
    assert_determined(shape(), &assignment(&holder(), &signature()));
}

#[test]
fn nothing_else_is_one() {
    let (modulus, signature) = (holder(), signature());
    for wrong in [
        BigUint::ZERO,
        BigUint::from(1u8),
        &signature ^ BigUint::from(1u8),
        &signature ^ (BigUint::from(1u8) << 2000),
        &modulus - &signature,
    ] {
        assert!(!accepts(&modulus, &wrong));
    }
    // By the key of someone else, of something else.
    let other = include_bytes!("../../../vectors/tbs/serial_1_octet.der");
    assert!(!accepts(&self::modulus(tbs(other)), &signature));
    let message = include_bytes!("../../../vectors/usage/bad_other_message.sig");
    let signature = BigUint::from_bytes_be(message);
    assert!(!accepts(&modulus, &signature));
    let digest = Sha256::digest(b"bauta/v1/x509-possessions").into();
    assert!(is_signature(&modulus, &signature, &digest));
}
