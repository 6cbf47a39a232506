//! An OBJECT IDENTIFIER with what stands before and after it, in one read: an AttributeTypeAndValue of a name, an Extension.

use ark_ff::{Field, PrimeField};
use bauta_statement::{field::Fr, schema::LONGEST_OID};

use crate::{
    gadgets::{
        compare,
        der::{Element, HEADER, element},
        window::{Choice, Window, choose},
    },
    system::{Lc, System},
};

pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// One more than a SEQUENCE's: a header before an entry's own may be there or not, and its tag says which.
pub(super) const SET: u8 = 0x31;
/// Of an identifier's own header: its tag and a length below 128.
const SHORT: usize = 2;

/// What is read at once: a SEQUENCE that begins with an identifier.
pub(crate) struct Entry {
    /// 1 if a SET begins here, in which the SEQUENCE is the first; 0 if the SEQUENCE begins here.
    pub(crate) set: Lc,
    /// The SET, or else the SEQUENCE.
    pub(crate) first: Element,
    /// The SEQUENCE.
    pub(crate) sequence: Element,
    /// The identifier's length + 256 times its octets, little-endian, as [`packed`] has it.
    pub(crate) identifier: Lc,
    /// Where the identifier ends.
    pub(crate) place: Lc,
    /// The octets from there on.
    pub(crate) after: Window,
}

/// Whether a SET may stand before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Set,
    Nothing,
}

/// An identifier of at most 27 octets as one element: its length, then its octets. The length is in it, so no two are the same
/// element, one a prefix of the other included.
pub(crate) fn packed(identifier: &[u8]) -> Fr {
    let octets = Fr::from_le_bytes_mod_order(identifier);
    Fr::from(256) * octets + Fr::from(identifier.len() as u64)
}

impl Entry {
    /// The entry at `offset` of proven bytes, with `tail` octets after the identifier.
    ///
    /// One row holds all of it: ranged once, chosen from the buffer as [`choose`] does. In it the headers, the identifier and what
    /// follows are at places that are sums of what the headers say, each shown to be the place of the window that is taken. The
    /// identifier's octets are those of the row from its place on and before the next: products with an indicator that is linear in the
    /// two choices. Shifted to the start by Σ 256^(−j)·cⱼ, which is the power of the one place, they are an integer below 256^27.
    pub(crate) fn read(
        system: &mut System,
        bytes: &[Lc],
        offset: &Lc,
        before: Before,
        tail: usize,
    ) -> Self {
        let headers = match before {
            Before::Set => 2 * HEADER,
            Before::Nothing => HEADER,
        };
        let row = Row::read(system, bytes, offset, headers + SHORT + LONGEST_OID + tail);
        let (zero, one) = (Lc::constant(Fr::from(0)), Lc::constant(Fr::from(1)));

        let begin = row.begin.clone();
        let header = row.take(system, &begin, row.stride, HEADER);
        let first = Element::parse(system, &header.window, offset);
        let (set, sequence, before_sequence) = match before {
            Before::Nothing => (zero.clone(), first.clone(), begin),
            Before::Set => {
                let set = &first.tag - Fr::from(SEQUENCE);
                compare::either_is_zero(system, &set, &(&set - &one));
                let skipped = system.product(&set, &(&first.start - offset));
                let place = &begin + &skipped;
                let header = row.take(system, &place, row.stride + HEADER, HEADER);
                let sequence = Element::parse(system, &header.window, &(offset + &skipped));
                (set, sequence, place)
            }
        };
        sequence.has_tag(system, SEQUENCE);

        let at =
            &before_sequence + &(&sequence.start - &(offset + &(&before_sequence - &row.begin)));
        let own = row.take(system, &at, row.stride + headers, SHORT);
        let octet = |place| own.window.value(place).unwrap_or(&zero);
        system.enforce_equal(octet(0), &Lc::constant(Fr::from(OBJECT_IDENTIFIER)));
        let length = octet(1).clone();
        let most = Lc::constant(Fr::from(LONGEST_OID as u64 - 1));
        compare::within_bits(system, &(&length - &one), &most, 5);

        let place = &(&at + &length) + Fr::from(SHORT as u64);
        let places = row.stride + headers + SHORT + LONGEST_OID;
        let next = row.take(system, &place, places, tail);
        let identifier = row.between(system, &own.choices, &next.choices);
        let identifier = Lc::combine([(&identifier, Fr::from(256)), (&length, Fr::from(1))]);
        Self {
            set,
            first,
            identifier,
            place: &(&sequence.start + &length) + Fr::from(SHORT as u64),
            sequence,
            after: next.window,
        }
    }
}

/// A row of the buffer in which a read is whole.
struct Row {
    window: Window,
    stride: usize,
    /// Where in the row the read begins; below the stride if what is taken there is.
    begin: Lc,
}

impl Row {
    fn read(system: &mut System, bytes: &[Lc], offset: &Lc, count: usize) -> Self {
        // Rows in pieces of 30 octets; a range for each octet; a place for each shift, of four windows or so.
        let cost = |stride: &usize| {
            let width = stride + count - 1;
            bytes.len().div_ceil(*stride) * width.div_ceil(30) + 8 * width + 5 * stride
        };
        let stride = (1..=bytes.len().max(1)).min_by_key(cost).unwrap_or(1);
        let zero = Lc::constant(Fr::from(0));
        let rows: Vec<Vec<&Lc>> = (0..bytes.len().div_ceil(stride).max(1))
            .map(|row| {
                let places = stride * row..stride * (row + 1) + count - 1;
                places
                    .map(|place| bytes.get(place).unwrap_or(&zero))
                    .collect()
            })
            .collect();
        let chosen = number(offset) / stride;
        let names = ["row of an entry", "number of an entry's row"];
        let row = choose(system, names, &rows, chosen);
        let start = &row.number * Fr::from(stride as u64);
        Self {
            window: row.window,
            stride,
            begin: offset - &start,
        }
    }

    /// The octets at a place of the row, which is shown to be one of the first `places`.
    fn take(&self, system: &mut System, place: &Lc, places: usize, count: usize) -> Choice {
        let windows: Vec<Vec<&Lc>> = self
            .window
            .values()
            .windows(count)
            .take(places)
            .map(|window| window.iter().collect())
            .collect();
        let names = ["place in an entry", "number of a place in an entry"];
        let choice = choose(system, names, &windows, number(place));
        system.enforce_equal(&choice.number, place);
        choice
    }

    /// The octets that begin a header behind the one place and end before the other, as an integer, little-endian.
    fn between(&self, system: &mut System, header: &[Lc], end: &[Lc]) -> Lc {
        let mut inside = Lc::constant(Fr::from(0));
        let mut octets = Vec::new();
        let mut weight = Fr::from(1);
        // From the end of all identifiers on nothing is inside.
        for (place, octet) in self.window.values().iter().enumerate().take(end.len() - 1) {
            if let Some(start) = place.checked_sub(SHORT).and_then(|start| header.get(start)) {
                inside = &inside + start;
            }
            if let Some(end) = end.get(place) {
                inside = &inside - end;
            }
            if place >= SHORT {
                octets.push((system.product(&inside, octet), weight));
                weight *= Fr::from(256);
            }
        }
        let octets = Lc::combine(octets.iter().map(|(octet, weight)| (octet, *weight)));
        let down = Fr::from(256).inverse().unwrap_or_default();
        let mut power = Fr::from(1);
        let mut shift = Lc::constant(Fr::from(0));
        for start in header {
            shift.add_scaled(start, power);
            power *= down;
        }
        system.product(&octets, &shift)
    }
}

/// A place, as far as one can tell.
pub(super) fn number(place: &Lc) -> usize {
    place.value().into_bigint().0[0] as usize
}

/// The same natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) set: bool,
    /// Where the SET ends, or else the SEQUENCE.
    pub(crate) first_end: usize,
    /// Where the SEQUENCE ends.
    pub(crate) end: usize,
    /// The identifier.
    pub(crate) identifier: (usize, usize),
}

/// The entry at an offset; none where its headers are not what they must be, or the identifier too long.
pub(crate) fn entry(bytes: &[u8], offset: usize, before: Before) -> Option<Place> {
    let (tag, start, first_end) = element(bytes, offset)?;
    let set = before == Before::Set && tag == SET;
    let (tag, start, end) = match set {
        true => element(bytes, start)?,
        false => (tag, start, first_end),
    };
    let [own, length] = [*bytes.get(start)?, *bytes.get(start + 1)?];
    let length = usize::from(length);
    let identifier = (start + SHORT, start + SHORT + length);
    (tag == SEQUENCE && own == OBJECT_IDENTIFIER && (1..=LONGEST_OID).contains(&length)).then_some(
        Place {
            set,
            first_end,
            end,
            identifier,
        },
    )
}
