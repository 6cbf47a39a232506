//! The SEQUENCE of extensions (RFC 5280, 4.2), walked.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;

use super::{
    Candidate, NEVER,
    entry::{Before, Entry, entry},
    source::EXTENSION,
};
use crate::{
    gadgets::{
        compare,
        der::{Element, HEADER, element},
        tbs::is_zero,
        window::Window,
    },
    system::{Lc, System},
};

/// critical, where it is TRUE; DER does not write FALSE, which is the default (X.690, 11.5).
const CRITICAL: [u8; 3] = [0x01, 0x01, 0xff];
const OCTET_STRING: u8 = 0x04;

/// An extension: where its contents are, the contents of the OCTET STRING.
pub(crate) struct Extension {
    pub(crate) candidate: Candidate,
    pub(crate) end: Lc,
    /// 1 if it is critical.
    pub(crate) critical: Lc,
}

/// The extensions, in order, at most `most` of them, from the first octet of the SEQUENCE to its end. There must be one. A step that is
/// not active reads the first one again; what it finds is no candidate, and not critical.
pub(crate) fn walk(
    system: &mut System,
    bytes: &[Lc],
    [start, end]: [&Lc; 2],
    most: usize,
) -> Vec<Extension> {
    let one = Lc::constant(Fr::from(1));
    let mut next = start.clone();
    let mut found = Vec::new();
    for _ in 0..most {
        let active = &one - &is_zero(system, &(&next - end));
        let moved = system.product(&active, &(&next - start));
        let tail = CRITICAL.len() + HEADER;
        let entry = Entry::read(system, bytes, &(start + &moved), Before::Nothing, tail);
        let (critical, value) = contents(system, &entry.after, &entry.place);
        system.enforce_equal(&value.end, &entry.sequence.end);
        next = &next + &system.product(&active, &(&value.end - &next));
        found.push(Extension {
            candidate: Candidate::new(system, EXTENSION, &active, &entry.identifier, &value.start),
            end: value.end,
            critical: system.product(&active, &critical),
        });
    }
    system.enforce_equal(&next, end);
    found
}

/// Whether it is critical, and the OCTET STRING, from the octets behind the identifier.
///
/// The first is 0x04, or 0x01 and two more that are those of TRUE: critical = (4 − first)/3 is a bit. Then the header's octets, and
/// the three of their bits that a header's form is read from, are those here or those three further on.
pub(crate) fn contents(system: &mut System, octets: &Window, place: &Lc) -> (Lc, Element) {
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::from(1)));
    let octet = |place| octets.value(place).unwrap_or(&zero);
    let critical = &(&Lc::constant(Fr::from(OCTET_STRING)) - octet(0))
        * Fr::from(OCTET_STRING - CRITICAL[0])
            .inverse()
            .unwrap_or_default();
    compare::either_is_zero(system, &critical, &(&critical - &one));
    let two = Lc::combine([(octet(1), Fr::from(1)), (octet(2), Fr::from(256))]);
    let expected = Fr::from(u16::from_le_bytes([CRITICAL[1], CRITICAL[2]]));
    compare::either_is_zero(system, &critical, &(&two - expected));

    let further = CRITICAL.len();
    let mut either = |here: &Lc, there: &Lc| here + &system.product(&critical, &(there - here));
    let values: Vec<Lc> = (0..HEADER)
        .map(|place| either(octet(place), octet(place + further)))
        .collect();
    let bit = |place: usize, bit: usize| {
        octets
            .bits(place)
            .and_then(|bits| bits.get(bit))
            .unwrap_or(&zero)
    };
    let mut bits = vec![vec![zero.clone(); 8]; HEADER];
    for (place, position) in Element::FORM {
        if let Some(chosen) = bits.get_mut(place).and_then(|bits| bits.get_mut(position)) {
            *chosen = either(bit(place, position), bit(place + further, position));
        }
    }
    let start = place + &(&critical * Fr::from(further as u64));
    let element = Element::parse(system, &Window::of(values, bits), &start);
    element.has_tag(system, OCTET_STRING);
    (critical, element)
}

/// The same natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) identifier: (usize, usize),
    pub(super) critical: bool,
    pub(super) contents: (usize, usize),
}

/// The extensions; none where they are not walked, or more than `most`.
pub(super) fn extensions(
    bytes: &[u8],
    (start, end): (usize, usize),
    most: usize,
) -> Option<Vec<Found>> {
    let mut next = start;
    let mut found = Vec::new();
    while next != end {
        let entry = entry(bytes, next, Before::Nothing)?;
        let after = entry.identifier.1;
        let critical = bytes.get(after..)?.starts_with(&CRITICAL);
        let header = after + if critical { CRITICAL.len() } else { 0 };
        let (tag, from, to) = element(bytes, header)?;
        if tag != OCTET_STRING || to != entry.end || to > end || found.len() == most {
            return None;
        }
        found.push(Found {
            identifier: entry.identifier,
            critical,
            contents: (from, to),
        });
        next = to;
    }
    (!found.is_empty()).then_some(found)
}

const _: () = assert!(NEVER != EXTENSION);
