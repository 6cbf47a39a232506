//! What the coefficients of a product can be, and how many of them may be looked at together. All of it depends on the circuit
//! alone, and is computed as exact integers when it is built.

use ark_ff::PrimeField;
use bauta_statement::field::Fr;
use num_bigint::{BigInt, BigUint, Sign};

use super::natural::LIMB;

/// Bounds of a coefficient, both included.
pub(crate) type Bounds = (i128, i128);
/// Bounds of a sum of coefficients at 2^16, both included.
pub(crate) type Wide = (BigInt, BigInt);

/// What the coefficients of a product can be.
///
/// # Panics
/// If the sums could overflow. Bounds depend on the circuit alone, not on what is proved.
pub(crate) fn convolve(x: &[Bounds], y: &[Bounds]) -> Vec<Bounds> {
    let small = |bounds: &[Bounds]| {
        let all = bounds.iter().flat_map(|(low, high)| [*low, *high]);
        all.max_by_key(|bound| bound.unsigned_abs())
            .is_none_or(|most| most.unsigned_abs() < 1 << 56)
    };
    assert!(
        small(x) && small(y) && x.len() < 1 << 12,
        "too large to add up"
    );
    let mut sums = vec![(0, 0); (x.len() + y.len()).saturating_sub(1)];
    for (i, (x_low, x_high)) in x.iter().enumerate() {
        for ((y_low, y_high), (low, high)) in y.iter().zip(&mut sums[i..]) {
            let corners = [
                x_low * y_low,
                x_low * y_high,
                x_high * y_low,
                x_high * y_high,
            ];
            *low += corners.iter().min().unwrap_or(&0);
            *high += corners.iter().max().unwrap_or(&0);
        }
    }
    sums
}

/// What the sum of coefficients can be at 2^16.
pub(crate) fn weigh(bounds: &[Bounds]) -> Wide {
    let mut sum = (BigInt::ZERO, BigInt::ZERO);
    for (low, high) in bounds.iter().rev() {
        sum = ((sum.0 << LIMB) + *low, (sum.1 << LIMB) + *high);
    }
    sum
}

/// The least interval from `low` that holds `high` and has a power of two of members, and which power.
pub(crate) fn interval(low: &BigInt, high: &BigInt) -> (Wide, u32) {
    let width = (high - low).bits().max(1) as u32;
    let end = low + (BigInt::from(1) << width) - 1;
    ((low.clone(), end), width)
}

/// Coefficients whose sum is looked at together.
pub(crate) struct Group {
    pub(crate) coefficients: usize,
    /// What the carry after it can be, and in how many bits that is ranged; after the last one there is none.
    pub(crate) carry: Option<(Wide, u32)>,
}

/// As many coefficients at a time as keep every sum of them, with the carry before and less the carry after, between −r and r:
/// equal in F is then equal.
///
/// # Panics
/// If there are no such groups. Bounds depend on the circuit alone, not on what is proved.
pub(crate) fn groups(bounds: &[Bounds]) -> Vec<Group> {
    let r = BigInt::from(BigUint::from(Fr::MODULUS));
    let fits = |(low, high): &Wide| *high < r && -low < r;
    let mut groups = Vec::new();
    let mut rest = bounds;
    let mut carry = (BigInt::ZERO, BigInt::ZERO);
    while !rest.is_empty() {
        let mut found = None;
        for coefficients in 1..=rest.len() {
            let (low, high) = weigh(&rest[..coefficients]);
            let sum = (low + &carry.0, high + &carry.1);
            let step = LIMB * coefficients as u32;
            let after = (coefficients < rest.len())
                .then(|| interval(&floor(&sum.0, step), &floor(&sum.1, step)));
            let total = match &after {
                Some(((low, high), _)) => (&sum.0 - (high << step), &sum.1 - (low << step)),
                None => sum,
            };
            if !fits(&total) {
                break;
            }
            found = Some(Group {
                coefficients,
                carry: after,
            });
        }
        assert!(found.is_some(), "coefficients too large for the field");
        let Some(group) = found else { break };
        rest = &rest[group.coefficients..];
        if let Some((bounds, _)) = &group.carry {
            carry = bounds.clone();
        }
        groups.push(group);
    }
    groups
}

/// ⌊value/2^bits⌋: num-bigint's shift rounds down.
pub(crate) fn floor(value: &BigInt, bits: u32) -> BigInt {
    value >> bits
}

/// # Panics
/// If it does not fit. Bounds depend on the circuit alone, not on what is proved.
pub(crate) fn narrow(value: &BigInt) -> i128 {
    let narrow = i128::try_from(value);
    assert!(narrow.is_ok(), "a word");
    narrow.unwrap_or_default()
}

/// An integer modulo r.
pub(crate) fn element(value: &BigInt) -> Fr {
    let magnitude = Fr::from(value.magnitude().clone());
    match value.sign() {
        Sign::Minus => -magnitude,
        _ => magnitude,
    }
}
