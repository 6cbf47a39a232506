//! Reading some bytes at a hidden place, without a machine that passes over every byte.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_statement::field::Fr;

use super::compare::{self, either_is_zero};
use crate::system::{Lc, System};

/// Bytes that were read, each proven to be one.
#[derive(Clone)]
pub struct Window {
    values: Vec<Lc>,
    bits: Vec<Vec<Lc>>,
}

/// Bytes that fit into an element below a tag, 2^240 times a number.
const PACK: usize = 30;

impl Window {
    /// The byte at a place of the window.
    pub fn value(&self, place: usize) -> Option<&Lc> {
        self.values.get(place)
    }

    /// Its bits, the lowest first.
    pub fn bits(&self, place: usize) -> Option<&[Lc]> {
        self.bits.get(place).map(Vec::as_slice)
    }

    /// All bytes.
    pub fn values(&self) -> &[Lc] {
        &self.values
    }

    /// Some of the bytes; fewer where there are not so many.
    pub fn part(&self, places: std::ops::Range<usize>) -> Self {
        let end = places.end.min(self.values.len());
        let places = places.start.min(end)..end;
        Self {
            values: self.values.get(places.clone()).unwrap_or_default().to_vec(),
            bits: self.bits.get(places).unwrap_or_default().to_vec(),
        }
    }

    /// Shows that these are the bytes, in one constraint for every 30.
    pub fn is(&self, system: &mut System, expected: &[u8]) {
        assert_eq!(
            self.values.len(),
            expected.len(),
            "as many bytes as were read"
        );
        for (found, expected) in self.values.chunks(PACK).zip(expected.chunks(PACK)) {
            let found = Lc::combine(packed(found.iter()));
            let expected: Vec<Lc> = expected
                .iter()
                .map(|byte| Lc::constant(Fr::from(*byte)))
                .collect();
            let expected = Lc::combine(packed(expected.iter()));
            system.enforce_equal(&found, &expected);
        }
    }

    /// Of wires that are proven bytes otherwise, or what a test says they are.
    pub(crate) fn of(values: Vec<Lc>, bits: Vec<Vec<Lc>>) -> Self {
        Self { values, bits }
    }

    /// Bytes that are hints, shown to be below 2^8.
    fn witness(system: &mut System, values: &[Fr]) -> Self {
        let values: Vec<Lc> = values
            .iter()
            .map(|value| system.hint("byte read", *value))
            .collect();
        let bits = values
            .iter()
            .map(|byte| compare::bits(system, byte, 8))
            .collect();
        Self { values, bits }
    }
}

/// How a read of `count` bytes is done: from rows of `width` bytes, one of which begins at every `stride`, so that every window is
/// whole in some row.
#[derive(Debug, Clone, Copy)]
struct Plan {
    stride: usize,
    width: usize,
    rows: usize,
}

impl Plan {
    /// The cheapest.
    fn new(capacity: usize, count: usize) -> Self {
        let plan = |stride: usize| Self {
            stride,
            width: stride + count.saturating_sub(1),
            rows: capacity.div_ceil(stride).max(1),
        };
        let cost = |plan: &Self| {
            let rows = plan.rows * plan.width.div_ceil(PACK) + 8 * plan.width;
            // A window that begins where its row does is the row.
            let places = plan.stride * count.div_ceil(PACK) + 8 * count + 1;
            rows + if plan.stride == 1 { 0 } else { places }
        };
        let all = (1..=capacity.max(1)).map(plan);
        all.min_by_key(cost).unwrap_or(plan(1))
    }
}

/// The `count` bytes at `offset`, which is shown to be a place of the buffer. Beyond the buffer's end there are zeros. 257
/// constraints for 4 of 1,079 bytes.
///
/// The bytes must be proven to be below 2^8. Of the rows one is chosen, and of the windows in it one: sᵣ·(rowᵣ + r·2^240 − F) = 0 with
/// Σ sᵣ = 1 and F = row + Σ r·sᵣ·2^240; o_q·(window_q + q·2^240 − V) = 0 alike; and offset = stride·r + q. Near the start of a buffer
/// there is a row for every place.
pub fn read(system: &mut System, bytes: &[Lc], offset: &Lc, count: usize) -> Window {
    let plan = Plan::new(bytes.len(), count);
    let place = offset.value().into_bigint();
    let place = place.0.first().map_or(0, |low| *low as usize);
    let (row, shift) = (place / plan.stride, place % plan.stride);
    let zero = Lc::constant(Fr::ZERO);

    let rows: Vec<Vec<&Lc>> = (0..plan.rows)
        .map(|row| {
            let start = plan.stride * row;
            let places = start..start + plan.width;
            places
                .map(|place| bytes.get(place).unwrap_or(&zero))
                .collect()
        })
        .collect();
    let Choice {
        number,
        window: whole,
        ..
    } = choose(system, ["row of a window", "number of a row"], &rows, row);
    if plan.stride == 1 {
        system.enforce_equal(&number, offset);
        return whole;
    }
    let windows: Vec<Vec<&Lc>> = (0..plan.stride)
        .map(|shift| whole.values.iter().skip(shift).take(count).collect())
        .collect();
    let Choice {
        number: shift,
        window,
        ..
    } = choose(
        system,
        ["place in a row", "number of a place"],
        &windows,
        shift,
    );
    let sum = Lc::combine([(&number, Fr::from(plan.stride as u64)), (&shift, Fr::ONE)]);
    system.enforce_equal(&sum, offset);
    window
}

/// One of several strings.
pub(crate) struct Choice {
    /// Which one, counted from 0.
    pub(crate) number: Lc,
    /// Its bytes.
    pub(crate) window: Window,
    /// For each string 1 if it is the one, else 0.
    pub(crate) choices: Vec<Lc>,
}

/// One of these strings of equally many bytes, and its number: a constraint for each and each 30 bytes, 8 for a byte, one.
///
/// Strings with their numbers above them are all different, so one choice at most can be other than 0, and the sum makes it 1.
pub(crate) fn choose(
    system: &mut System,
    [choice, name]: [&'static str; 2],
    strings: &[Vec<&Lc>],
    chosen: usize,
) -> Choice {
    assert!(strings.len() < 1 << 12, "numbers that fit above 2^240");
    let one = Lc::constant(Fr::ONE);
    let mut choices: Vec<Lc> = (1..strings.len())
        .map(|other| system.hint(choice, Fr::from(other - 1 == chosen)))
        .collect();
    let sum = Lc::combine(choices.iter().map(|choice| (choice, Fr::ONE)));
    choices.push(&one - &sum);

    let numbers = (0..choices.len() as u64).map(Fr::from);
    let sum = Lc::combine(choices.iter().zip(numbers));
    let number = system.hint(name, sum.value());
    system.enforce_equal(&number, &sum);

    let values: Vec<Fr> = match strings.get(chosen).or(strings.first()) {
        Some(string) => string.iter().map(|byte| byte.value()).collect(),
        None => Vec::new(),
    };
    let window = Window::witness(system, &values);
    let tag = Fr::from(2).pow([8 * PACK as u64]);
    for (chunk, values) in window.values.chunks(PACK).enumerate() {
        // Only the first has the number above it: it fixes the choice.
        let tag = if chunk == 0 { tag } else { Fr::ZERO };
        let found = Lc::combine(packed(values.iter()).chain([(&number, tag)]));
        for (position, (string, choice)) in strings.iter().zip(&choices).enumerate() {
            let bytes = string.iter().copied().skip(PACK * chunk).take(PACK);
            let mut difference = Lc::combine(packed(bytes));
            difference = &difference + tag * Fr::from(position as u64);
            difference.add_scaled(&found, -Fr::ONE);
            either_is_zero(system, choice, &difference);
        }
    }
    Choice {
        number,
        window,
        choices,
    }
}

/// Σ 256ⁱ·bᵢ.
pub(super) fn packed<'a>(
    bytes: impl Iterator<Item = &'a Lc>,
) -> impl Iterator<Item = (&'a Lc, Fr)> {
    let mut weight = Fr::ONE;
    bytes.map(move |byte| {
        let here = weight;
        weight *= Fr::from(256);
        (byte, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hunt::{assert_determined, assert_rigid},
        system::{Assignment, R1cs},
    };

    /// A read of a buffer of constants-to-be: bytes and offset are instances.
    fn build(bytes: &[u8], offset: Fr, count: usize, recording: bool) -> System {
        let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
        inputs.push(offset);
        run(System::new(&inputs, recording), bytes.len(), count).0
    }

    fn run(mut system: System, capacity: usize, count: usize) -> (System, Window) {
        let bytes: Vec<Lc> = (0..capacity).map(|place| system.instance(place)).collect();
        let offset = system.instance(capacity);
        let window = read(&mut system, &bytes, &offset, count);
        (system, window)
    }

    fn shape(capacity: usize, count: usize) -> R1cs {
        build(&vec![0; capacity], Fr::ZERO, count, true).into_r1cs()
    }

    fn values(bytes: &[u8], offset: usize, count: usize) -> Assignment {
        build(bytes, Fr::from(offset as u64), count, false).into_assignment()
    }

    fn content(capacity: usize) -> Vec<u8> {
        (0..capacity)
            .map(|place| (place * place * 7 + 1) as u8)
            .collect()
    }

    #[test]
    fn every_place_of_a_buffer_can_be_read() {
        for (capacity, count) in [(1, 1), (5, 4), (40, 1), (40, 4), (61, 33), (100, 64)] {
            let (shape, bytes) = (shape(capacity, count), content(capacity));
            for offset in 0..capacity {
                let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
                inputs.push(Fr::from(offset as u64));
                let (system, window) = run(System::new(&inputs, false), capacity, count);
                let expected: Vec<Fr> = (offset..offset + count)
                    .map(|place| Fr::from(bytes.get(place).copied().unwrap_or_default()))
                    .collect();
                let found: Vec<Fr> = window.values().iter().map(Lc::value).collect();
                assert_eq!(found, expected);
                assert_eq!(
                    shape.check(&system.into_assignment()),
                    Ok(()),
                    "{offset} of {capacity}"
                );
            }
        }
    }

    #[test]
    fn reads_cost_what_is_written() {
        let cost = |capacity, count| shape(capacity, count).rows.len();
        assert_eq!(
            (cost(1079, 4), cost(1079, 64), cost(2935, 4)),
            (257, 1397, 385)
        );
    }

    #[test]
    fn nothing_is_left_open() {
        let (shape, bytes) = (shape(40, 4), content(40));
        for offset in [0, 7, 38, 39] {
            let assignment = values(&bytes, offset, 4);
            assert_determined(&shape, &assignment);
            assert_rigid(&shape, &assignment, offset as u64);
        }
    }

    /// A place that is none: behind the buffer, before it, between two.
    #[test]
    fn another_place_is_refused() {
        let (shape, bytes) = (shape(40, 4), content(40));
        for offset in [
            Fr::from(60),
            Fr::from(1u64 << 40),
            -Fr::ONE,
            Fr::ONE / Fr::from(2),
        ] {
            let system = build(&bytes, offset, 4, false);
            assert!(shape.check(&system.into_assignment()).is_err());
        }
    }

    /// Dishonest readers of a buffer in which everything is alike: only the numbers tell rows and windows apart.
    #[test]
    fn rows_that_are_alike_are_told_apart() {
        let (capacity, count) = (200, 4);
        let shape = shape(capacity, count);
        let choices = |name: &str| shape.names.iter().filter(|other| **other == name).count();
        let (rows, places) = (choices("row of a window"), choices("place in a row"));
        assert!(rows > 1 && places > 1);
        let half = Fr::from(2).inverse().unwrap();
        let tried: [Vec<Fr>; 4] = [
            vec![half, half],
            vec![Fr::from(2), -Fr::ONE],
            vec![Fr::ONE, Fr::ONE],
            vec![Fr::ZERO, half],
        ];
        for name in ["row of a window", "place in a row"] {
            for chosen in &tried {
                for offset in (0..capacity as u64).step_by(7) {
                    let mut inputs = vec![Fr::from(9); capacity];
                    inputs.push(Fr::from(offset));
                    let mut system = System::new(&inputs, false);
                    let (chosen, mut met) = (chosen.clone(), 0);
                    system.forge(Box::new(move |_, other, honest| {
                        if other != name {
                            return honest;
                        }
                        met += 1;
                        chosen.get(met - 1).copied().unwrap_or_default()
                    }));
                    let (system, _) = run(system, capacity, count);
                    assert!(
                        shape.check(&system.into_assignment()).is_err(),
                        "{name}, {offset}"
                    );
                }
            }
        }
    }

    /// Bytes that pack to the same: 256 more in one, one less in the next. Their ranges refuse it.
    #[test]
    fn a_byte_has_one_form() {
        let (shape, bytes) = (shape(40, 4), content(40));
        let assignment = values(&bytes, 11, 4);
        let named = shape
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| **name == "byte read");
        let columns: Vec<usize> = named.map(|(index, _)| shape.instances + index).collect();
        for pair in columns.windows(2).filter(|pair| pair[1] == pair[0] + 1) {
            let mut forged = assignment.clone();
            forged.values_mut()[pair[0]] += Fr::from(256);
            forged.values_mut()[pair[1]] -= Fr::ONE;
            assert!(shape.check(&forged).is_err());
        }
    }
}
