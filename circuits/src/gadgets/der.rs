//! Headers of DER (X.690, 8.1 and 10.1): a tag of one octet, and a definite length in the fewest octets that hold it.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;

use super::window::{Window, read};
use crate::system::{Lc, System};

/// Octets of the longest header here: tag, 0x82 and two of length. Longer contents than 65,535 octets are in no buffer.
pub const HEADER: usize = 4;

/// Where an element is.
#[derive(Clone)]
pub struct Element {
    /// The identifier octet.
    pub tag: Lc,
    /// Its first content octet.
    pub start: Lc,
    /// Octets of content.
    pub length: Lc,
    /// The octet after it.
    pub end: Lc,
}

impl Element {
    /// Of a header's octets the bits that its form is read from: octet and position.
    pub(crate) const FORM: [(usize, usize); 3] = [(1, 7), (1, 1), (2, 7)];

    /// The element at `offset` of proven bytes: a read of four, and 7 constraints.
    ///
    /// It may be longer than the buffer. What it is part of must end exactly where its elements do: then no sum of lengths, of
    /// which none is negative, leads out of it.
    pub fn read(system: &mut System, bytes: &[Lc], offset: &Lc) -> Self {
        let octets = read(system, bytes, offset, HEADER);
        Self::parse(system, &octets, offset)
    }

    /// The element whose first octets were read. 7 constraints.
    ///
    /// With a = 1 for the long form and d = 1 for two octets of length:
    ///
    /// - a(l₀ − 129 − bit 1 of l₀) = 0: the long form is 0x81 or 0x82. So 0x80, the indefinite one, and longer ones are refused.
    /// - d = a·(bit 1 of l₀); length = l₀ + a(l₁ − l₀) + d(255·l₁ + l₂).
    /// - (a − d)(1 − bit 7 of l₁) = 0, and l₁·y = d with y(1 − d) = 0: no length that fits into fewer octets.
    pub(crate) fn parse(system: &mut System, octets: &Window, offset: &Lc) -> Self {
        let zero = Lc::constant(Fr::ZERO);
        let octet = |place| octets.value(place).unwrap_or(&zero);
        let bit = |place, bit: usize| {
            octets
                .bits(place)
                .and_then(|bits| bits.get(bit))
                .unwrap_or(&zero)
        };
        let (long, second) = (bit(1, 7), bit(1, 1));

        let rest = &(octet(1) - second) - Fr::from(129);
        system.enforce(long, &rest, &zero);
        let two = system.product(long, second);
        let replaced = system.product(long, &(octet(2) - octet(1)));
        let both = Lc::combine([(octet(2), Fr::from(255)), (octet(3), Fr::ONE)]);
        let added = system.product(&two, &both);
        let length = &(octet(1) + &replaced) + &added;

        let one = Lc::constant(Fr::ONE);
        system.enforce(&(long - &two), &(&one - bit(2, 7)), &zero);
        let inverse = octet(2).value().inverse().unwrap_or_default() * two.value();
        let inverse = system.hint("inverse of a length's first octet", inverse);
        system.enforce(octet(2), &inverse, &two);
        system.enforce(&inverse, &(&one - &two), &zero);

        let start = &(&(offset + long) + &two) + Fr::from(2);
        Self {
            tag: octet(0).clone(),
            end: &start + &length,
            start,
            length,
        }
    }

    /// Shows that this is the tag.
    pub fn has_tag(&self, system: &mut System, tag: u8) {
        system.enforce_equal(&self.tag, &Lc::constant(Fr::from(tag)));
    }
}

/// The same natively: tag, first content octet, and the octet after the element. None where a header is not minimal, or ends after the
/// bytes; contents may.
pub fn element(bytes: &[u8], offset: usize) -> Option<(u8, usize, usize)> {
    let octet = |place: usize| bytes.get(offset.checked_add(place)?).copied();
    let (header, length) = match octet(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => match octet(2)? {
            0..=0x7f => return None,
            length => (3, usize::from(length)),
        },
        0x82 => match u16::from_be_bytes([octet(2)?, octet(3)?]) {
            0..=0xff => return None,
            length => (4, usize::from(length)),
        },
        _ => return None,
    };
    let start = offset.checked_add(header)?;
    Some((octet(0)?, start, start.checked_add(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hunt::{assert_determined, assert_rigid},
        system::R1cs,
    };
    use ark_ff::PrimeField;

    fn build(bytes: &[u8], offset: usize, recording: bool) -> (System, Element) {
        let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
        inputs.push(Fr::from(offset as u64));
        let mut system = System::new(&inputs, recording);
        let wires: Vec<Lc> = (0..bytes.len())
            .map(|place| system.instance(place))
            .collect();
        let offset = system.instance(bytes.len());
        let element = Element::read(&mut system, &wires, &offset);
        (system, element)
    }

    fn shape(capacity: usize) -> R1cs {
        build(&vec![0; capacity], 0, true).0.into_r1cs()
    }

    fn small(number: &Lc) -> usize {
        number.value().into_bigint().0[0] as usize
    }

    /// Every pair of length octets after a tag, in the circuit where the twin and der differ from none.
    #[test]
    fn lengths_are_minimal_and_definite() {
        use der::{Decode, Header, Reader, SliceReader};
        let shape = shape(6);
        let seconds = [
            0u8, 1, 2, 3, 4, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x88, 0xfe, 0xff,
        ];
        for first in 0..=255u8 {
            for second in seconds {
                for third in [0, 1, 0x7f, 0x80, 0xff] {
                    let bytes = [7, 0x30, first, second, third, 9];
                    let theirs = SliceReader::new(&bytes[1..]).ok().and_then(|mut reader| {
                        let header = Header::decode(&mut reader).ok()?;
                        let start = 1 + u32::from(reader.position()) as usize;
                        let length = u32::from(header.length()) as usize;
                        // Three octets of length and more are longer than any buffer.
                        (first <= 0x82).then_some((0x30, start, start + length))
                    });
                    assert_eq!(element(&bytes, 1), theirs, "{bytes:02x?}");
                    let (system, found) = build(&bytes, 1, false);
                    let holds = shape.check(&system.into_assignment()).is_ok();
                    assert_eq!(holds, theirs.is_some(), "{bytes:02x?}");
                    if let Some((tag, start, end)) = theirs {
                        let found = [&found.tag, &found.start, &found.end].map(small);
                        assert_eq!(found, [usize::from(tag), start, end]);
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_left_open() {
        let bytes = [
            0x30, 0x05, 0x04, 0x03, 1, 2, 3, 0x04, 0x81, 0x80, 0x30, 0x82, 0x01, 0x00,
        ];
        let shape = shape(bytes.len());
        for offset in [0, 2, 7, 10] {
            let assignment = build(&bytes, offset, false).0.into_assignment();
            assert_determined(&shape, &assignment);
            assert_rigid(&shape, &assignment, offset as u64);
        }
        // Elements that are none, because of their lengths.
        for offset in [1, 8] {
            let holds = shape.check(&build(&bytes, offset, false).0.into_assignment());
            assert_eq!(holds.is_ok(), element(&bytes, offset).is_some(), "{offset}");
        }
    }

    #[test]
    fn a_header_costs_7_beside_the_read() {
        assert_eq!(shape(1079).rows.len(), 257 + 7);
    }
}
