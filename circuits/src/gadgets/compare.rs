//! Ranges and orders.

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use bauta_statement::field::Fr;

use crate::system::{Lc, System};

/// value ∈ \[0, 2^width), in `width` constraints.
///
/// The bits below the last are witnesses, each b·(b − 1) = 0; the last is not a witness but (value − Σ 2ⁱbᵢ)/2^(width−1),
/// with the same constraint. So value = Σ 2ⁱbᵢ over booleans, and below 2^253 that integer is unique.
pub fn range(system: &mut System, value: &Lc, width: u32) {
    bits(system, value, width);
}

/// [`range`], with the bits that it proves, the lowest first. The last one is no column of its own.
pub fn bits(system: &mut System, value: &Lc, width: u32) -> Vec<Lc> {
    debug_assert!(
        (1..=253).contains(&width),
        "beyond 253 bits a second decomposition exists"
    );
    let integer = value.value().into_bigint();
    let mut all = Vec::with_capacity(width as usize);
    let mut weight = Fr::ONE;
    let mut weights = Vec::with_capacity(width as usize);
    for position in 0..width - 1 {
        all.push(system.boolean("bit", integer.get_bit(position as usize)));
        weights.push(-weight);
        weight.double_in_place();
    }
    let rest = Lc::combine(
        all.iter()
            .zip(weights)
            .chain(std::iter::once((value, Fr::ONE))),
    );
    let last = &rest * weight.inverse().unwrap_or_default();
    system.enforce(&last, &(&last - Fr::ONE), &Lc::constant(Fr::ZERO));
    all.push(last);
    all
}

/// a·b = 0: one of them is 0, or both. A field has no zero divisors.
pub fn either_is_zero(system: &mut System, a: &Lc, b: &Lc) {
    system.enforce(a, b, &Lc::constant(Fr::ZERO));
}

/// low ≤ high as 64-bit integers, if both are: high − low ∈ \[0, 2^64).
pub fn at_most(system: &mut System, low: &Lc, high: &Lc) {
    range(system, &(high - low), WIDTH);
}

/// 0 ≤ value ≤ span < 2^64: value and span − value both in \[0, 2^64), which add up to the span without wrapping. No range
/// check of the value is needed if span < 2^64.
pub fn within(system: &mut System, value: &Lc, span: &Lc) {
    within_bits(system, value, span, WIDTH);
}

/// low < value < next: value − low − 1 and next − value − 1 both in \[0, 2^64). No range check of the value is needed if
/// low < 2^64 and next ≤ 2^64.
pub fn strictly_between(system: &mut System, low: &Lc, value: &Lc, next: &Lc) {
    strictly_between_bits(system, low, value, next, WIDTH);
}

/// Bits of integers and times.
const WIDTH: u32 = 64;

/// [`within`] for integers of any width: a small one is proved by machine (`circuits/smt/`).
pub(crate) fn within_bits(system: &mut System, value: &Lc, span: &Lc, bits: u32) {
    range(system, value, bits);
    range(system, &(span - value), bits);
}

/// [`strictly_between`] for integers of any width.
pub(crate) fn strictly_between_bits(
    system: &mut System,
    low: &Lc,
    value: &Lc,
    next: &Lc,
    bits: u32,
) {
    range(system, &(&(value - low) - Fr::ONE), bits);
    range(system, &(&(next - value) - Fr::ONE), bits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt;

    fn satisfied(instances: &[Fr], gadget: impl Fn(&mut System)) -> bool {
        let mut system = System::new(instances, true);
        gadget(&mut system);
        let mut values = System::new(instances, false);
        gadget(&mut values);
        system.into_r1cs().check(&values.into_assignment()).is_ok()
    }

    #[test]
    fn ranges_end_where_they_say() {
        for bits in [1u32, 2, 32, 64] {
            let in_range = |value: Fr| {
                satisfied(&[value], |s| {
                    let v = s.instance(0);
                    range(s, &v, bits)
                })
            };
            let end = Fr::from(1u128 << bits);
            assert!(in_range(Fr::ZERO) && in_range(end - Fr::ONE), "{bits}");
            assert!(
                !in_range(end) && !in_range(-Fr::ONE) && !in_range(end + Fr::ONE),
                "{bits}"
            );
        }
    }

    #[test]
    fn the_gap_excludes_both_neighbours() {
        let between = |low: u128, value: Fr, next: u128| {
            satisfied(&[Fr::from(low), value, Fr::from(next)], |s| {
                let (low, value, next) = (s.instance(0), s.instance(1), s.instance(2));
                strictly_between(s, &low, &value, &next);
            })
        };
        let end = 1u128 << 64;
        assert!(
            between(5, Fr::from(6), 7)
                && between(0, Fr::from(1), end)
                && between(0, Fr::from(end - 1), end)
        );
        assert!(
            !between(5, Fr::from(5), 7)
                && !between(5, Fr::from(7), 7)
                && !between(5, Fr::from(6), 6)
        );
        assert!(
            !between(0, Fr::ZERO, end)
                && !between(0, Fr::from(end), end)
                && !between(0, -Fr::ONE, end)
        );
        // The empty leaf of the revocation tree: nothing lies in it.
        assert!(!between(end - 1, Fr::from(end - 1), end) && !between(end - 1, Fr::from(end), end));
        // With next = 0 as the end, as some trees have it, everything would be refused rather than accepted here.
        assert!(!between(0, Fr::from(3), 0));
    }

    /// The counterfactual prover: bits of the alias value + r, and bits that are none.
    #[test]
    fn other_decompositions_do_not_satisfy() {
        let shape = {
            let mut system = System::new(&[Fr::from(5)], true);
            let value = system.instance(0);
            range(&mut system, &value, 8);
            system.into_r1cs()
        };
        let mut system = System::new(&[Fr::from(5)], false);
        let value = system.instance(0);
        range(&mut system, &value, 8);
        let good = system.into_assignment();
        shape.check(&good).unwrap();
        for column in 2..good.values().len() {
            for replacement in [
                Fr::from(2),
                -Fr::ONE,
                Fr::from(3),
                good.values()[column] + Fr::ONE,
            ] {
                let mut bad = good.clone();
                bad.values_mut()[column] = replacement;
                assert!(shape.check(&bad).is_err() || bad.values() == good.values());
            }
        }
        let mut alias = good.clone();
        for position in 0..7 {
            // 5 + r, low bits.
            let mut integer = Fr::MODULUS;
            integer.add_with_carry(&5u64.into());
            alias.values_mut()[2 + position] = Fr::from(integer.get_bit(position));
        }
        assert!(shape.check(&alias).is_err());
    }

    /// Constraint deletion: without any one of the booleans, some value out of range passes.
    #[test]
    fn every_constraint_of_a_range_is_needed() {
        let bits = 8;
        let build = |value: u64, recording: bool| {
            let mut system = System::new(&[Fr::from(value)], recording);
            let value = system.instance(0);
            range(&mut system, &value, bits);
            system
        };
        let shape = build(0, true).into_r1cs();
        // 256, with one bit's place taken by all of it, and with none.
        let mut bad = vec![build(256, false).into_assignment()];
        for position in 0..bits - 1 {
            let mut tampered = build(256, false).into_assignment();
            tampered.values_mut()[2 + position as usize] = Fr::from(256u64 >> position);
            bad.push(tampered);
        }
        let none: Vec<usize> = Vec::new();
        assert_eq!(
            hunt::dispensable(&shape, &build(77, false).into_assignment(), &bad),
            none
        );
        assert_eq!(
            hunt::dispensable(&shape, &build(77, false).into_assignment(), &bad[1..]).len(),
            1
        );
    }
}
