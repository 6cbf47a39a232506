//! A string of bytes of any length up to a capacity, in a buffer whose shape does not depend on the length.

use bauta_statement::field::Fr;

use super::compare;
use crate::system::{Lc, System};

/// A string in a buffer: bytes with the bits that prove them, zero from the string's end on.
pub struct Bytes {
    /// Each a number below 2^8.
    values: Vec<Lc>,
    /// The bits of each, the lowest first.
    bits: Vec<Vec<Lc>>,
    /// One for each length from 0 to the capacity: 1 at the string's, 0 elsewhere.
    ends: Vec<Lc>,
    length: Lc,
}

/// Bytes between two sums that are witnesses, so that no row has many more terms than this.
const STRIDE: usize = 32;

impl Bytes {
    /// The string of the first `length` of these bytes: 9 constraints a byte, one for every 32 beyond the first, and two.
    ///
    /// Each byte is shown to be below 2^8, the length to be at most their number, and all bytes from the length on to be 0.
    /// With Tⱼ the sum of the bytes from j on: eⱼ(eⱼ − 1 − Tⱼ) = 0, Σ eⱼ = 1, Σ j·eⱼ = length.
    pub fn new(system: &mut System, values: &[Lc], length: &Lc) -> Self {
        let bits = values
            .iter()
            .map(|byte| compare::bits(system, byte, 8))
            .collect();
        let one = Lc::constant(Fr::from(1));
        let end = length.value();
        let mut ends: Vec<Lc> = (0..values.len())
            .map(|position| {
                let here = end == Fr::from(position as u64);
                system.hint("end of a string", Fr::from(here))
            })
            .collect();
        // From the back, for the sums.
        let mut sum = Lc::constant(Fr::from(0));
        for (chunk, ends) in values.chunks(STRIDE).zip(ends.chunks(STRIDE)).rev() {
            if !sum.is_constant() {
                let after = system.hint("sum of bytes", sum.value());
                system.enforce_equal(&after, &sum);
                sum = after;
            }
            for (byte, end) in chunk.iter().zip(ends).rev() {
                sum = &sum + byte;
                system.enforce(end, &(&(end - &one) - &sum), &Lc::constant(Fr::from(0)));
            }
        }
        // The last end is what is left of 1.
        let mut last = one.clone();
        for end in &ends {
            last.add_scaled(end, -Fr::from(1));
        }
        system.enforce(&last, &(&last - &one), &Lc::constant(Fr::from(0)));
        ends.push(last);
        let places = (0..ends.len() as u64).map(Fr::from);
        let place = Lc::combine(ends.iter().zip(places));
        system.enforce_equal(&place, length);
        Self {
            values: values.to_vec(),
            bits,
            ends,
            length: length.clone(),
        }
    }

    /// Of wires that are what a test says they are.
    #[cfg(test)]
    pub(crate) fn of(values: Vec<Lc>, length: Lc) -> Self {
        Self {
            values,
            bits: Vec::new(),
            ends: Vec::new(),
            length,
        }
    }

    /// How many bytes there is room for.
    pub fn capacity(&self) -> usize {
        self.values.len()
    }

    /// All bytes, 0 from the string's end on.
    pub fn values(&self) -> &[Lc] {
        &self.values
    }

    /// The string's length.
    pub fn length(&self) -> &Lc {
        &self.length
    }

    /// The byte at a place, 0 from the string's end on; none beyond the capacity.
    pub fn value(&self, place: usize) -> Option<&Lc> {
        self.values.get(place)
    }

    /// Its bits, the lowest first.
    pub fn bits(&self, place: usize) -> Option<&[Lc]> {
        self.bits.get(place).map(Vec::as_slice)
    }

    /// 1 if the string has this length, else 0; none beyond the capacity.
    pub fn ends_at(&self, length: usize) -> Option<&Lc> {
        self.ends.get(length)
    }
}
