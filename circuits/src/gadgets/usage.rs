//! What a certificate may be used for: an end-entity certificate whose key signs and whose holder is a client. The certificates that the same
//! CA issues to servers, to other CAs and to its OCSP responder are none, although their holders have their keys.
//!
//! Each gadget takes the contents of an extension's OCTET STRING as an element of proven bytes that is shown to lie in the certificate, and a
//! wire that is shown to be 1 where the extension is and 0 where it is not; then the element is not looked at. `twin.rs` says the same natively.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{field::Fr, schema::LONGEST_OID};

use super::{
    attributes::packed,
    compare::either_is_zero,
    der::Element,
    tbs::is_zero,
    window::{Window, read},
};
use crate::system::{Lc, System};

pub mod twin;

const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Purposes that are looked at.
pub const PURPOSES: usize = 8;
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2 (RFC 5280, 4.2.1.12): contents.
const CLIENT_AUTH: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// Microsoft's smart card logon, 1.3.6.1.4.1.311.20.2.2: contents.
const SMART_CARD_LOGON: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x02];

/// keyUsage (RFC 5280, 4.2.1.3): where there, digitalSignature is 1 and keyCertSign is 0. 290 constraints in 1,079 bytes.
///
/// A BIT STRING of one or two octets in the one form that DER has for named bits (X.690, 11.2): the last bit that is not called unused is 1, and the
/// unused ones are 0. With p = present, t = 1 for two octets (nine bits, of which the last is decipherOnly), o the octets and b the bits of the
/// first of them:
///
/// - p·length = 4p + t, t(t − 1) = 0: so t = 0 where the extension is not.
/// - p(o₀ − 3) = 0, p(o₁ − 2 − t) = 0: tag and length.
/// - p(1 − b₇ + b₂) = 0: neither term is negative.
/// - t(o₂ − 7) = 0, t(o₄ − 0x80) = 0.
/// - u_k·(Σ_{i<k} bᵢ + 1 − b_k) = 0 for k from 0 to 7, Σ u_k = p − t, Σ k·u_k = (p − t)·o₂. The second factor is 0 for one k at most, that of the
///   lowest bit that is 1.
pub fn key_usage(system: &mut System, bytes: &[Lc], contents: &Element, present: &Lc) {
    let start = system.product(present, &contents.start);
    let length = system.product(present, &contents.length);
    let octets = read(system, bytes, &start, 5);
    let two = &length - &(present * Fr::from(4));
    system.enforce(&two, &(&two - Fr::ONE), &Lc::constant(Fr::ZERO));
    let one = present - &two;

    let zero = Lc::constant(Fr::ZERO);
    let octet = |place: usize| octets.value(place).unwrap_or(&zero);
    let bits = octets.bits(3).unwrap_or_default();
    let bit = |place: usize| bits.get(place).unwrap_or(&zero);
    either_is_zero(system, present, &(octet(0) - Fr::from(BIT_STRING)));
    let rest = &(octet(1) - &two) - Fr::from(2);
    either_is_zero(system, present, &rest);
    // digitalSignature is the highest bit, keyCertSign the sixth.
    let forbidden = &(&Lc::constant(Fr::ONE) - bit(7)) + bit(2);
    either_is_zero(system, present, &forbidden);
    either_is_zero(system, &two, &(octet(2) - Fr::from(7)));
    either_is_zero(system, &two, &(octet(4) - Fr::from(0x80)));

    let mut unused: Vec<Lc> = (0..7u64)
        .map(|count| {
            let here = octet(2).value() == Fr::from(count) && one.value() == Fr::ONE;
            system.hint("unused bits", Fr::from(here))
        })
        .collect();
    let sum = Lc::combine(unused.iter().map(|choice| (choice, Fr::ONE)));
    unused.push(&one - &sum);
    let mut below = Lc::constant(Fr::ONE);
    for (place, choice) in unused.iter().enumerate() {
        either_is_zero(system, choice, &(&below - bit(place)));
        below = &below + bit(place);
    }
    let counts = (0..8u64).map(Fr::from);
    let count = Lc::combine(unused.iter().zip(counts));
    system.enforce(&one, octet(2), &count);
}

/// basicConstraints (RFC 5280, 4.2.1.9): where there, an empty SEQUENCE, so cA is FALSE, which is its default and therefore not written (X.690,
/// 11.5), and there is no pathLenConstraint. 228 constraints in 1,079 bytes.
pub fn basic_constraints(system: &mut System, bytes: &[Lc], contents: &Element, present: &Lc) {
    let start = system.product(present, &contents.start);
    either_is_zero(system, present, &(&contents.length - Fr::from(2)));
    let octets = read(system, bytes, &start, 2);
    either_is_zero(system, present, &differs(&octets, &[SEQUENCE, 0]));
}

/// extKeyUsage (RFC 5280, 4.2.1.12): it is there, and of its at most eight purposes one is the one that the schema names, or where that names
/// none, clientAuth or smart card logon. 2,904 constraints in 1,079 bytes.
///
/// `named` is the purpose that the schema names, as `Schema::purpose` has it, or 0; the result is 1 if it is 0, and else 0.
///
/// The SEQUENCE is all of the contents, and its OBJECT IDENTIFIERs are walked from the first to its end, each with a length of one octet. With p_k
/// where the k-th begins and a_k = 1 unless that is the end: a_k(tag − 6) = 0, a_k·(bit 7 of the length) = 0, p_{k+1} = p_k + a_k(2 + length), and p₈
/// is the end. One of them is picked: m_k·(place − p_k + 2^32(1 − a_k)) = 0, Σ m_k = 1. Places are below 2^32 and those with a = 1 all different, so
/// one m_k at most is not 0, and its a_k is 1. What is picked is the one that counts ([`identifier`]): with n = 1 unless the named one is 0,
/// n(named − x) = 0 and (1 − n)(x − clientAuth)(x − smart card logon) = 0.
pub fn client_purpose(
    system: &mut System,
    bytes: &[Lc],
    contents: &Element,
    present: &Lc,
    named: &Lc,
) -> Lc {
    let one = Lc::constant(Fr::ONE);
    system.enforce_equal(present, &one);
    let sequence = Element::read(system, bytes, &contents.start);
    sequence.has_tag(system, SEQUENCE);
    system.enforce_equal(&sequence.end, &contents.end);

    let mut steps = Vec::with_capacity(PURPOSES);
    let mut next = sequence.start.clone();
    for _ in 0..PURPOSES {
        let (step, after) = step(system, bytes, &next, &sequence.end);
        steps.push(step);
        next = after;
    }
    system.enforce_equal(&next, &sequence.end);

    // The honest prover's: the first that counts.
    let counts =
        |step: &Step| step.active.value() == Fr::ONE && is_meant(bytes, &step.place, named.value());
    let chosen = steps.iter().position(counts);
    let place = chosen.and_then(|chosen| steps.get(chosen));
    let place = place.map_or(Fr::ZERO, |step| step.place.value());
    let place = system.hint("place of a purpose", place);
    let mut picks: Vec<Lc> = (1..steps.len())
        .map(|step| system.hint("purpose that counts", Fr::from(chosen == Some(step - 1))))
        .collect();
    let sum = Lc::combine(picks.iter().map(|pick| (pick, Fr::ONE)));
    picks.push(&one - &sum);
    for (pick, step) in picks.iter().zip(&steps) {
        let idle = &(&one - &step.active) * Fr::from(1u64 << 32);
        either_is_zero(system, pick, &(&(&place - &step.place) + &idle));
    }
    let octets = read(system, bytes, &place, 2 + LONGEST_OID);
    let purpose = identifier(system, &octets.part(1..2 + LONGEST_OID));
    let unnamed = is_zero(system, named);
    either_is_zero(system, &(&one - &unnamed), &(named - &purpose));
    let [client, logon] = standard().map(|standard| &purpose - standard);
    let neither = system.product(&client, &logon);
    either_is_zero(system, &unnamed, &neither);
    unnamed
}

/// An identifier of 1 to 27 octets as one element, its length + 256 times the octets, little-endian: of proven bytes, the length's first. 29
/// constraints.
///
/// Of the 27 elements that the first L octets make, with L below them, one is chosen: e_L(xₗ − x) = 0, Σ e_L = 1, and Σ L·e_L is the length. They are
/// below 2^224 and differ in their lowest octet, which is L: so one e_L at most is not 0.
fn identifier(system: &mut System, octets: &Window) -> Lc {
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::ONE));
    let length = octets.values().first().unwrap_or(&zero);
    let mut sum = zero.clone();
    let mut weight = Fr::from(256);
    let lengths = (1..=LONGEST_OID as u64).map(Fr::from);
    let elements: Vec<Lc> = octets
        .values()
        .iter()
        .skip(1)
        .zip(lengths.clone())
        .map(|(octet, length)| {
            sum.add_scaled(octet, weight);
            weight *= Fr::from(256);
            &sum + length
        })
        .collect();
    let chosen = lengths.clone().position(|other| other == length.value());
    let value = chosen.and_then(|chosen| elements.get(chosen));
    let value = system.hint("identifier of a purpose", value.map_or(Fr::ZERO, Lc::value));
    let mut choices: Vec<Lc> = (1..elements.len())
        .map(|place| {
            let here = chosen == Some(place - 1);
            system.hint("octets of a purpose", Fr::from(here))
        })
        .collect();
    let others = Lc::combine(choices.iter().map(|choice| (choice, Fr::ONE)));
    choices.push(&one - &others);
    for (choice, element) in choices.iter().zip(&elements) {
        either_is_zero(system, choice, &(element - &value));
    }
    let place = Lc::combine(choices.iter().zip(lengths));
    system.enforce_equal(&place, length);
    value
}

/// The two that count where the schema names none.
fn standard() -> [Fr; 2] {
    [packed(&CLIENT_AUTH), packed(&SMART_CARD_LOGON)]
}

/// One place of the walk.
struct Step {
    place: Lc,
    /// 1 if there is a purpose, 0 at the end.
    active: Lc,
}

/// The purpose at `place`, if that is not the end, and the place after it.
fn step(system: &mut System, bytes: &[Lc], place: &Lc, end: &Lc) -> (Step, Lc) {
    let zero = Lc::constant(Fr::ZERO);
    let active = &Lc::constant(Fr::ONE) - &is_zero(system, &(end - place));
    // The end may be that of the buffer, where nothing can be read.
    let here = system.product(&active, place);
    let header = read(system, bytes, &here, 2);
    let octet = |place: usize| header.value(place).unwrap_or(&zero);
    either_is_zero(system, &active, &(octet(0) - Fr::from(OBJECT_IDENTIFIER)));
    let long = header.bits(1).and_then(|bits| bits.get(7)).unwrap_or(&zero);
    either_is_zero(system, &active, long);
    let passed = system.product(&active, &(octet(1) + Fr::from(2)));
    let next = place + &passed;
    let place = place.clone();
    (Step { place, active }, next)
}

/// 0 if the first octets read are these: the difference of both as integers, of at most 30 octets.
fn differs(octets: &Window, expected: &[u8]) -> Lc {
    let (mut difference, mut weight) = (Lc::constant(Fr::ZERO), Fr::ONE);
    for (octet, expected) in octets.values().iter().zip(expected) {
        difference.add_scaled(&(octet - Fr::from(*expected)), weight);
        weight *= Fr::from(256);
    }
    difference
}

/// Whether the purpose at a place is the one that is asked for, for the honest prover.
fn is_meant(bytes: &[Lc], place: &Lc, named: Fr) -> bool {
    use ark_ff::PrimeField;
    let octet = |place: usize| Some(bytes.get(place)?.value().into_bigint().0[0] as u8);
    let found = || {
        let place = usize::try_from(place.value().into_bigint().0[0]).ok()?;
        let length = usize::from(octet(place + 1)?);
        let octets: Option<Vec<u8>> = (place + 2..place + 2 + length).map(octet).collect();
        octets.filter(|octets| octets.len() <= LONGEST_OID)
    };
    found().is_some_and(|identifier| counts(packed(&identifier), named))
}

/// Whether a purpose is the one that the schema names, or where that names none (0), one of the two.
pub(crate) fn counts(purpose: Fr, named: Fr) -> bool {
    match named == Fr::ZERO {
        true => standard().contains(&purpose),
        false => purpose == named,
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
