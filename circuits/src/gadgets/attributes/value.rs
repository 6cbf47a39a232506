//! The value of an attribute: a string as its hash, a number, or *absent*.

use ark_ff::{AdditiveGroup, PrimeField};
use bauta_statement::{
    field::Fr,
    poseidon::BYTES_TAG,
    vector::{TEXT_TAG, absent},
};

use crate::{
    gadgets::{compare, poseidon, tbs::is_zero, window::Window},
    system::{Lc, System},
};

/// The most bytes of a text that are read.
pub const LONGEST_VALUE: usize = 64;
/// What is read of a value: a tag, a length below 128, and contents.
pub(super) const READ: usize = 2 + LONGEST_VALUE;

const INTEGER: u8 = 0x02;
/// UTF8String, PrintableString, IA5String.
pub(super) const STRINGS: [u8; 3] = [0x0c, 0x13, 0x16];
/// Digits of 2^64 − 1.
const DIGITS: usize = 20;
/// Octets of a DER INTEGER of 64 bits that is not negative.
const OCTETS: usize = 9;
/// Bytes of an element of a hash.
const ELEMENT: usize = 31;
const DELETE: u8 = 0x7f;

/// What a reader knows of the value that it found.
pub(crate) struct Asked<'a> {
    /// 1 for text, 0 for an integer.
    pub(crate) text: &'a Lc,
    /// 1 if there is a value, else 0, and then all of what was read is of no matter.
    pub(crate) found: &'a Lc,
    /// 1 if it is a name of the subject alternative name, whose tag says no type. Not more than `found`.
    pub(crate) name: &'a Lc,
    /// 1 if it is an extension, which may be a DER INTEGER. Not more than `found`.
    pub(crate) extension: &'a Lc,
}

/// The element of a slot, and the length of the contents that were read.
///
/// Of what is found:
///
/// - eⱼ(L − j) = 0 for j = 1 … 64 and Σ eⱼ = f: the length L is one of these. mᵢ = Σ_{j>i} eⱼ says whether octet i is in it.
/// - A DER INTEGER (D = 1) is taken where the tag says so, the rule asks for an integer, and the source is an extension:
///   D(t − 2) = 0, D(1 − extension + text) = 0. Any other value is a string: its tag is one of three, or the name's.
/// - Octets of a string are not below 0x20, and not 0x7f: (b₅ + b₆ + b₇ + 1 − sᵢ) and (sᵢ·b − 127) have inverses, with sᵢ = mᵢ in a string.
/// - A decimal number has at most 20 octets, each 0x30 to 0x39, no leading zero but alone, and is below 2^64.
/// - A DER INTEGER has at most nine, the first below 0x80, and no leading zero that is not needed; below 2^64 too.
pub(crate) fn value(system: &mut System, octets: &Window, asked: &Asked<'_>) -> (Lc, Lc) {
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::from(1)));
    let octet = |place: usize| octets.value(place).unwrap_or(&zero);
    let bit = |place: usize, bit: usize| {
        let bits = octets.bits(2 + place);
        bits.and_then(|bits| bits.get(bit)).unwrap_or(&zero)
    };
    let (tag, length) = (octet(0), octet(1));
    let content = |place: usize| octet(2 + place);

    // The length.
    let mut ends: Vec<Lc> = (1..LONGEST_VALUE as u64)
        .map(|end| {
            let here = length.value() == Fr::from(end) && asked.found.value() != Fr::ZERO;
            system.hint("end of a value", Fr::from(here))
        })
        .collect();
    let others = Lc::combine(ends.iter().map(|end| (end, Fr::from(1))));
    ends.push(asked.found - &others);
    for (end, place) in ends.iter().zip(1u64..) {
        compare::either_is_zero(system, end, &(length - Fr::from(place)));
    }
    let mut inside = vec![zero.clone(); LONGEST_VALUE];
    let mut after = zero.clone();
    for (inside, end) in inside.iter_mut().zip(&ends).rev() {
        after = &after + end;
        *inside = after.clone();
    }
    let is_in = |place: usize| inside.get(place).unwrap_or(&zero);
    let longer = asked.found - ends.first().unwrap_or(&zero);

    // What it is.
    let is_integer = tag.value() == Fr::from(INTEGER)
        && asked.text.value() == Fr::ZERO
        && asked.extension.value() != Fr::ZERO;
    let der = system.boolean("whether it is a DER INTEGER", is_integer);
    compare::either_is_zero(system, &der, &(tag - Fr::from(INTEGER)));
    let other = &(&one - asked.extension) + asked.text;
    compare::either_is_zero(system, &der, &other);
    let string = asked.found - &der;
    let typed = &string - asked.name;
    let [utf8, printable, ia5] = STRINGS.map(|string| tag - Fr::from(string));
    let either = system.product(&utf8, &printable);
    let any = system.product(&either, &ia5);
    compare::either_is_zero(system, &typed, &any);
    let number = system.product(&string, &(&one - asked.text));

    // Octets of a string.
    let mut masked = Vec::new();
    for place in 0..LONGEST_VALUE {
        let mut in_string = is_in(place).clone();
        if place < OCTETS {
            in_string = &in_string - &system.product(&der, is_in(place));
        }
        let octet = system.product(&in_string, content(place));
        let high = &(bit(place, 5) + bit(place, 6)) + bit(place, 7);
        for nowhere_zero in [&(&high + &one) - &in_string, &octet - Fr::from(DELETE)] {
            system.quotient(
                "inverse of what is no control character",
                &one,
                &nowhere_zero,
            );
        }
        masked.push(octet);
    }
    let text = text(system, length, &masked, ends.get(ELEMENT..).unwrap_or(&[]));

    // A number: decimal or binary, of which the first octets are the same.
    compare::either_is_zero(system, &number, is_in(DIGITS));
    let mut decimal = zero.clone();
    for place in 0..DIGITS {
        let checked = system.product(&number, is_in(place));
        let (low, high) = low_and_high(&(0..8).map(|b| bit(place, b).clone()).collect::<Vec<_>>());
        let beyond_nine = system.product(bit(place, 3), &(bit(place, 1) + bit(place, 2)));
        let wrong = Lc::combine([
            (&high, Fr::from(1)),
            (&one, -Fr::from(3)),
            (&beyond_nine, Fr::from(16)),
        ]);
        compare::either_is_zero(system, &checked, &wrong);
        let step = &(&decimal * Fr::from(9)) + &low;
        decimal = &decimal + &system.product(is_in(place), &step);
    }
    compare::either_is_zero(system, &der, is_in(OCTETS));
    let mut binary = zero.clone();
    for place in 0..OCTETS {
        let step = &(&binary * Fr::from(255)) + content(place);
        binary = &binary + &system.product(is_in(place), &step);
    }
    let long_number = system.product(&number, &longer);
    let leading = is_zero(system, &(content(0) - Fr::from(b'0')));
    compare::either_is_zero(system, &long_number, &leading);
    compare::either_is_zero(system, &der, bit(0, 7));
    let long_der = system.product(&der, &longer);
    let leading = is_zero(system, content(0));
    let padded = system.product(&long_der, &leading);
    compare::either_is_zero(system, &padded, &(&one - bit(1, 7)));
    let integer = &system.product(&number, &decimal) + &system.product(&der, &binary);
    compare::range(system, &integer, 64);

    let text = system.product(&(&string - &number), &text);
    let nothing = &(&one - asked.found) * absent();
    (&(&text + &integer) + &nothing, length.clone())
}

/// The lower and the upper half of an octet.
fn low_and_high(bits: &[Lc]) -> (Lc, Lc) {
    let (low, high) = bits.split_at(4);
    let half = |bits: &[Lc]| Lc::combine(bits.iter().zip([1u64, 2, 4, 8].map(Fr::from)));
    (half(low), half(high))
}

/// `hash_bytes` of a text under the tag of texts: one hash, or two where it has more bytes than an element. `long` has the ends of those that do.
fn text(system: &mut System, length: &Lc, masked: &[Lc], long: &[Lc]) -> Lc {
    const { assert!(TEXT_TAG.len() <= ELEMENT && LONGEST_VALUE <= 3 * ELEMENT) };
    let lengths = length + Fr::from((TEXT_TAG.len() as u128) << 64);
    let tag = Lc::constant(Fr::from_le_bytes_mod_order(TEXT_TAG.as_bytes()));
    let mut elements = masked.chunks(ELEMENT).map(|octets| {
        let mut weight = Fr::from(1);
        Lc::combine(octets.iter().map(|octet| {
            let here = weight;
            weight *= Fr::from(256);
            (octet, here)
        }))
    });
    let zero = Lc::constant(Fr::ZERO);
    let mut element = || elements.next().unwrap_or(zero.clone());
    let start = Lc::constant(Fr::from_le_bytes_mod_order(BYTES_TAG.as_bytes()));
    let first = poseidon::hash(system, &[start, lengths, tag, element()]);
    let (second, third) = (element(), element());
    let both = poseidon::hash(system, &[first.clone(), second, third, zero.clone()]);
    let long = Lc::combine(long.iter().map(|end| (end, Fr::from(1))));
    &first + &system.product(&long, &(&both - &first))
}
