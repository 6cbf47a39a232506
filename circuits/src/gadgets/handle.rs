//! Slot 4 of an X.509 credential: from a certificate's serial number to the handle by which it is revoked, as `vector::handle` says.
//!
//! A second handle for the same certificate would dodge its revocation, so every step has one result: the integer of the octets, its hash,
//! and the low 64 bits of that hash's one integer below r.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_statement::{
    field::{Fr, low_u64 as native_low_u64},
    vector::Serial,
};

use super::{
    compare::{either_is_zero, range},
    der::Element,
    poseidon,
    tbs::{LONGEST_SERIAL, SERIAL_END, is_zero},
    window::read,
};
use crate::system::{Lc, System};

/// Bits of a handle.
const HANDLE: u32 = 64;
/// Bits above this place are compared with r's.
const TOP: u32 = 190;
/// How many they are: r is below 2^254.
const TOP_BITS: u32 = 64;

/// The integer of a serial number, which is shown not to be 0. 215 constraints.
///
/// `bytes` are proven, `serial` is the element that [`tbs::walk`](super::tbs::walk) finds: 1 to 20 octets, not negative, none too many. Vⱼ is
/// the integer of the first j octets, one of which the prover chooses: eⱼ·(Vⱼ + j·2^160 − (v + length·2^160)) = 0, Σ eⱼ = 1, Σ j·eⱼ = length;
/// and v·y = 1.
pub fn serial_number(system: &mut System, bytes: &[Lc], serial: &Element) -> Lc {
    let near = bytes.get(..SERIAL_END).unwrap_or(bytes);
    let octets = read(system, near, &serial.start, LONGEST_SERIAL);
    number(system, octets.values(), &serial.length)
}

/// The integer of the first `length` of these proven bytes, at most 20, which is shown not to be 0. 22 constraints.
pub(crate) fn number(system: &mut System, octets: &[Lc], length: &Lc) -> Lc {
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::ONE));
    let mut sums = Vec::with_capacity(octets.len());
    let mut sum = zero.clone();
    for octet in octets {
        sum = &(&sum * Fr::from(256)) + octet;
        sums.push(sum.clone());
    }
    let lengths = (1..=octets.len() as u64).map(Fr::from);
    let chosen = lengths.clone().position(|other| other == length.value());
    let value = chosen.and_then(|chosen| sums.get(chosen)).map(Lc::value);
    let value = system.hint("serial number", value.unwrap_or_default());

    let mut choices: Vec<Lc> = (1..octets.len())
        .map(|place| {
            let here = chosen == Some(place - 1);
            system.hint("octets of a serial number", Fr::from(here))
        })
        .collect();
    let sum = Lc::combine(choices.iter().map(|choice| (choice, Fr::ONE)));
    choices.push(&one - &sum);
    // Above every integer of 20 octets.
    let tag = Fr::from(2).pow([8 * LONGEST_SERIAL as u64]);
    let found = Lc::combine([(&value, Fr::ONE), (length, tag)]);
    for ((choice, sum), place) in choices.iter().zip(&sums).zip(lengths.clone()) {
        either_is_zero(system, choice, &(&(sum + tag * place) - &found));
    }
    let place = Lc::combine(choices.iter().zip(lengths));
    system.enforce_equal(&place, length);
    system.quotient("inverse of a serial number", &one, &value);
    value
}

/// The low 64 bits of Poseidon(key digest, serial number), moved off 0 and 2^64 − 1, which are no handles. 564 constraints.
pub fn revocation_handle(system: &mut System, key_digest: &Lc, serial: &Lc) -> Lc {
    let hash = poseidon::hash(system, &[key_digest.clone(), serial.clone()]);
    let low = low_u64(system, &hash);
    off_both_ends(system, &low)
}

/// The low 64 bits of an element's integer below r. 318 constraints.
///
/// x = low + 2^64·middle + 2^190·top with low, top ∈ \[0, 2^64) and middle ∈ \[0, 2^126), and top < ⌊r/2^190⌋: so the integer is below r, and not
/// that of x + r. Elements from 2^190·⌊r/2^190⌋ on, fewer than one of 2^63, have no proof ([`has_handle`]).
pub(crate) fn low_u64(system: &mut System, x: &Lc) -> Lc {
    let low = system.hint("low bits of a hash", Fr::from(native_low_u64(&x.value())));
    range(system, &low, HANDLE);
    let top = system.hint("top bits of a hash", Fr::from(top(x.value().into_bigint())));
    range(system, &top, TOP_BITS);
    let most = Fr::from(greatest_top());
    range(system, &(&Lc::constant(most) - &top), TOP_BITS);
    let above = Lc::combine([
        (x, Fr::ONE),
        (&low, -Fr::ONE),
        (&top, -Fr::from(2).pow([u64::from(TOP)])),
    ]);
    let weight = Fr::from(1u128 << HANDLE).inverse().unwrap_or_default();
    range(system, &(&above * weight), TOP - HANDLE);
    low
}

/// 0 becomes 1 and 2^64 − 1 becomes 2^64 − 2; any other handle stays. 6 constraints.
pub(crate) fn off_both_ends(system: &mut System, handle: &Lc) -> Lc {
    let least = is_zero(system, handle);
    let most = is_zero(system, &(handle - Fr::from(u64::MAX)));
    &(handle + &least) - &most
}

/// Whether a certificate's handle can be proved: fewer than one of 2^63 cannot, and must be issued anew with another serial number.
pub fn has_handle(key_digest: Fr, serial: &Serial) -> bool {
    let hash = bauta_statement::poseidon::hash(&[key_digest, serial.to_field()]);
    top(hash.into_bigint()) <= greatest_top()
}

/// ⌊integer/2^190⌋ of an integer below 2^254.
fn top(integer: <Fr as PrimeField>::BigInt) -> u64 {
    let [_, _, third, highest] = integer.0;
    highest << (192 - TOP) | third >> (TOP - 128)
}

/// ⌊r/2^190⌋ − 1.
fn greatest_top() -> u64 {
    top(Fr::MODULUS) - 1
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
