//! Products and powers against num-bigint, at the ends of what limbs can be; bounds, counts, and what another quotient does.

use ark_ff::{PrimeField, UniformRand};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::*;
use crate::{
    hunt::assert_determined,
    system::{Assignment, R1cs},
};

fn end(limbs: usize) -> BigUint {
    BigUint::from(1u8) << (16 * limbs)
}

fn random(rng: &mut ChaCha20Rng, limbs: usize) -> BigUint {
    let mut bytes = vec![0; 2 * limbs];
    rng.fill_bytes(&mut bytes);
    BigUint::from_bytes_le(&bytes)
}

fn constants(value: &BigUint, limbs: usize) -> Vec<Bounded> {
    let bytes = value.to_bytes_le();
    let byte = |place: usize| u64::from(bytes.get(place).copied().unwrap_or_default());
    let limbs = 0..limbs;
    limbs
        .map(|limb| Bounded::constant(byte(2 * limb) + 256 * byte(2 * limb + 1)))
        .collect()
}

/// base^65537 ≡ result, all three witnesses but the result, which is limbs that the caller has ranged.
fn power(
    [modulus, base, result]: [&BigUint; 3],
    limbs: usize,
    recording: bool,
    forger: impl FnMut(u32, &'static str, Fr) -> Fr + 'static,
) -> System {
    let mut system = System::new(&[], recording);
    system.forge(Box::new(forger));
    let modulus = Natural::witness(&mut system, "modulus", modulus, limbs);
    let base = Natural::witness(&mut system, "base", base, limbs);
    let result = Natural::witness(&mut system, "result", result, limbs);
    let result: Vec<Bounded> = result
        .limbs()
        .iter()
        .map(|limb| Bounded::of_bits(limb, LIMB))
        .collect();
    system.region("power");
    Modulus::new(&modulus).power_65537_is(&mut system, &base, &result);
    system
}

fn honest(_: u32, _: &'static str, value: Fr) -> Fr {
    value
}

fn shape(limbs: usize) -> R1cs {
    let zero = BigUint::ZERO;
    power([&zero, &zero, &zero], limbs, true, honest).into_r1cs()
}

fn values(numbers: [&BigUint; 3], limbs: usize) -> Assignment {
    power(numbers, limbs, false, honest).into_assignment()
}

/// Moduli with their highest bit: the least, the greatest, even, odd, any.
fn moduli(rng: &mut ChaCha20Rng, limbs: usize) -> Vec<BigUint> {
    let (end, half) = (end(limbs), end(limbs) >> 1usize);
    let mut all = vec![
        half.clone(),
        &half + 1u8,
        &end - 1u8,
        &end - 2u8,
        &end - 65_536u32,
    ];
    all.extend((0..4).map(|_| random(rng, limbs) | &half));
    all.retain(|modulus| *modulus >= half);
    all
}

#[test]
fn powers_are_those_of_integers() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for limbs in [2usize, 4, 8, 16] {
        let shape = shape(limbs);
        for modulus in moduli(&mut rng, limbs) {
            let mut bases = vec![
                BigUint::ZERO,
                1u8.into(),
                2u8.into(),
                &modulus - 1u8,
                &modulus - 2u8,
                &modulus >> 1usize,
            ];
            bases.extend((0..2).map(|_| random(&mut rng, limbs) % &modulus));
            for base in bases {
                let result = base.modpow(&65_537u32.into(), &modulus);
                let check =
                    |result: &BigUint| shape.check(&values([&modulus, &base, result], limbs));
                assert_eq!(check(&result), Ok(()), "{base} modulo {modulus}");
                let wrong = (&result + 1u8) % &modulus;
                assert!(check(&wrong).is_err());
            }
        }
    }
}

/// At RSA's size, at the ends.
#[test]
fn powers_of_2048_bits() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let shape = shape(128);
    let half = end(128) >> 1usize;
    for (modulus, base) in [
        (half.clone(), &half - 1u8),
        (end(128) - 1u8, end(128) - 2u8),
        (end(128) - 1u8, end(128) >> 1usize),
        (
            random(&mut rng, 128) | &half | BigUint::from(1u8),
            random(&mut rng, 127),
        ),
    ] {
        let result = base.modpow(&65_537u32.into(), &modulus);
        let check = |result: &BigUint| shape.check(&values([&modulus, &base, result], 128));
        assert_eq!(check(&result), Ok(()));
        assert!(check(&(result ^ (BigUint::from(1u8) << 2000))).is_err());
    }
}

/// What is shown is a congruence: a result that is not reduced passes if it has room. Who needs the least one must say so.
#[test]
fn a_result_that_is_not_reduced_is_congruent() {
    let limbs = 2;
    let modulus = (end(limbs) >> 1usize) + 5u8;
    let base = BigUint::from(77u8);
    let result = base.modpow(&65_537u32.into(), &modulus);
    let other = &result + &modulus;
    assert!(other < end(limbs));
    let shape = shape(limbs);
    assert!(
        shape
            .check(&values([&modulus, &base, &other], limbs))
            .is_err()
    );
    let mut quotient = quotient(16, limbs, |limb| limb - Fr::ONE);
    let forged = power(
        [&modulus, &base, &other],
        limbs,
        false,
        move |_, name, value| quotient(name, value),
    );
    assert_eq!(shape.check(&forged.into_assignment()), Ok(()));
}

/// Changes the lowest limb of a product's quotient.
fn quotient(
    product: usize,
    limbs: usize,
    change: fn(Fr) -> Fr,
) -> impl FnMut(&'static str, Fr) -> Fr {
    let mut met = 0;
    move |name, value| {
        if name != "limb of a quotient" {
            return value;
        }
        met += 1;
        if met - 1 == limbs * product {
            change(value)
        } else {
            value
        }
    }
}

#[test]
fn nothing_is_left_open() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let limbs = 8;
    let modulus = random(&mut rng, limbs) | (end(limbs) >> 1usize);
    let base = random(&mut rng, limbs) % &modulus;
    let result = base.modpow(&65_537u32.into(), &modulus);
    let mut shape = shape(limbs);
    // Modulus and base are inputs.
    let inputs = |name: &str| name == "modulus" || name == "base";
    let listed = shape
        .names
        .iter()
        .enumerate()
        .filter(|(_, name)| inputs(name));
    let listed: Vec<u32> = listed.map(|(index, _)| 1 + index as u32).collect();
    assert_eq!(listed.len(), 2 * limbs);
    shape
        .free
        .extend(listed.into_iter().map(|column| (column, "input")));
    assert_determined(&shape, &values([&modulus, &base, &result], limbs));
}

#[test]
fn products_cost_what_is_written() {
    let mut system = System::new(&[], true);
    let zero = BigUint::ZERO;
    let [modulus, x] = ["modulus", "x"].map(|name| Natural::witness(&mut system, name, &zero, 128));
    let modulus = Modulus::new(&modulus);
    let x = modulus.factor(&x);
    system.region("lazy square");
    let lazy = modulus.square_lazily(&mut system, &x);
    system.region("square");
    modulus.square(&mut system, &lazy);
    system.region("product");
    modulus.product_is(&mut system, &x, &x, &constants(&zero, 128));
    assert_eq!(
        system.into_r1cs().counts(),
        [
            ("lazy square", 2_788),
            ("square", 6_069),
            ("product", 2_975)
        ]
    );
    assert_eq!(shape(128).counts(), [("power", 73_831)]);
}

/// Coefficients of XY − QN, from its values at the roots, are those of the integers.
#[test]
fn coefficients_come_out_of_the_values() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let k = 8;
    let mut system = System::new(&[], true);
    let numbers = [0, 1].map(|_| random(&mut rng, k));
    let [n, x] = numbers
        .clone()
        .map(|number| Natural::witness(&mut system, "x", &number, k));
    let modulus = Modulus::new(&n);
    let x = modulus.factor(&x);
    let difference = modulus.difference(&mut system, &x, &x);
    let limbs = |number: &BigUint| {
        let mut limbs: Vec<i128> = number
            .iter_u32_digits()
            .flat_map(|d| [d & 0xffff, d >> 16])
            .map(i128::from)
            .collect();
        limbs.resize(k, 0);
        limbs
    };
    let quotient = &numbers[1] * &numbers[1] / &numbers[0];
    let [n, x, q] = [&numbers[0], &numbers[1], &quotient].map(limbs);
    for i in 0..2 * k {
        let at = |x: &[i128], y: &[i128]| -> i128 {
            let pairs = (0..k).flat_map(|a| (0..k).map(move |b| (a, b)));
            pairs
                .filter(|(a, b)| a + b == i)
                .map(|(a, b)| x[a] * y[b])
                .sum()
        };
        let expected = at(&x, &x) - at(&q, &n);
        let found = modulus.window(&difference, i..i + 1, Fr::from(1));
        assert_eq!(found.value(), element(&expected.into()), "coefficient {i}");
        if let Some((low, high)) = difference.bounds.get(i) {
            assert!((*low..=*high).contains(&expected));
        }
    }
    // And the lazy factor's values are those of the polynomial that it says it is.
    let lazy = modulus.square_lazily(&mut system, &x_factor(&modulus, &numbers[1], k));
    let remainder = BigInt::from(numbers[1].pow(2) % &numbers[0]);
    assert_eq!(lazy.integer, remainder);
}

fn x_factor(modulus: &Modulus, value: &BigUint, k: usize) -> Factor {
    let mut system = System::new(&[], false);
    modulus.factor(&Natural::witness(&mut system, "x", value, k))
}

/// No sum that is compared can reach r, with the widest that each carry may be, in every group of every product.
#[test]
fn no_sum_reaches_the_order_of_the_field() {
    let r = BigInt::from(BigUint::from(Fr::MODULUS));
    let small = vec![(0, 65_535); 128];
    let product = convolve(&small, &small);
    let lazy: Vec<Bounds> = product[..128]
        .iter()
        .map(|(_, most)| (-most - (1 << 41), most + (1 << 41)))
        .collect();
    for bounds in [product.clone(), convolve(&lazy, &lazy)] {
        let bounds: Vec<Bounds> = bounds
            .iter()
            .zip(&product)
            .map(|((l, h), (_, q))| (l - q, *h))
            .collect();
        let mut start = 0;
        let mut before = (BigInt::ZERO, BigInt::ZERO);
        for group in groups(&bounds) {
            let (mut low, mut high) = before.clone();
            for (place, bound) in bounds[start..start + group.coefficients].iter().enumerate() {
                low += BigInt::from(bound.0) << (16 * place);
                high += BigInt::from(bound.1) << (16 * place);
            }
            start += group.coefficients;
            if let Some(((least, most), width)) = group.carry {
                let step = 16 * group.coefficients;
                assert_eq!(&most - &least + 1, BigInt::from(1) << width);
                // Every carry that an honest prover can meet is in its range.
                assert!(&least << step <= low && high < (&most + 1) << step);
                low -= &most << step;
                high -= &least << step;
                before = (least, most);
            }
            assert!(low > -&r && high < r);
        }
        assert_eq!(start, bounds.len());
    }
}

/// Wider coefficients, fewer at a time.
#[test]
fn groups_shrink_with_what_is_in_them() {
    for (bits, most) in [(20, 15), (60, 12), (100, 10), (126, 8)] {
        let bounds = vec![(-(1i128 << bits), 1i128 << bits); 64];
        let sizes = groups(&bounds).into_iter().map(|group| group.coefficients);
        assert_eq!(sizes.max(), Some(most), "{bits}");
    }
}

#[test]
#[should_panic(expected = "too large to add up")]
fn bounds_that_overflow_are_no_circuit() {
    convolve(&[(0, 1 << 56)], &[(0, 1)]);
}

/// One limb has no upper half: what is folded would be free.
#[test]
#[should_panic(expected = "limbs as a power of two")]
fn one_limb_is_no_circuit() {
    shape(1);
}

/// floor is downwards for negative numbers too: a carry's range must hold its least value.
#[test]
fn floor_is_downwards() {
    for (value, bits, floored) in [
        (-1, 4, -1),
        (-16, 4, -1),
        (-17, 4, -2),
        (15, 4, 0),
        (16, 4, 1),
    ] {
        assert_eq!(floor(&BigInt::from(value), bits), BigInt::from(floored));
    }
}

/// Dishonest provers: each kind of hint changed in several ways and places, and everything after it computed anew. With a wrong
/// result nothing is accepted; with the right one nothing but another quotient of a product that has room for it (below).
#[test]
fn no_hint_can_be_another() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let limbs = 4;
    let modulus = random(&mut rng, limbs) | (end(limbs) >> 1usize);
    let base = random(&mut rng, limbs) % &modulus;
    let right = base.modpow(&65_537u32.into(), &modulus);
    let wrong = (&right + 1u8) % &modulus;
    let shape = shape(limbs);
    let mut tried = 0;
    for name in [
        "limb of a quotient",
        "limb of a remainder",
        "upper half",
        "bit",
        "product",
    ] {
        let named = shape.names.iter().enumerate();
        let named = named.filter(|(_, other)| **other == name);
        // What is made of the inputs comes first.
        let columns: Vec<u32> = named
            .map(|(index, _)| 1 + index as u32)
            .filter(|column| *column > 192)
            .collect();
        let some = columns
            .iter()
            .step_by(columns.len().div_ceil(12))
            .chain(columns.last());
        for column in some {
            for change in [
                |value: Fr| value + Fr::ONE,
                |value: Fr| value - Fr::ONE,
                |value: Fr| value + Fr::from(65_536),
                |value: Fr| value - Fr::from(65_536),
                |value: Fr| -value - Fr::ONE,
            ] {
                let column = *column;
                let accepted = |result: &BigUint| {
                    let forged = power(
                        [&modulus, &base, result],
                        limbs,
                        false,
                        move |at, _, value| {
                            if at == column { change(value) } else { value }
                        },
                    );
                    shape.check(&forged.into_assignment()).is_ok()
                };
                assert!(!accepted(&wrong), "{name}, column {column}");
                assert!(
                    name == "limb of a quotient" || !accepted(&right),
                    "{name}, column {column}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

/// Another quotient with another remainder is the same integer, and harmless, where there is room for that remainder: below 0 in a
/// lazy square; above the modulus if the next quotient, or the limbs, have room; never in the last product, whose result is given.
#[test]
fn a_quotient_is_right_up_to_the_modulus() {
    let limbs = 4;
    let modulus = (end(limbs) >> 1usize) + 12_345u32;
    let shape = shape(limbs);
    let base = &modulus / 7u8 * 3u8;
    let result = base.modpow(&65_537u32.into(), &modulus);
    let accepted = |change: fn(Fr) -> Fr, product: usize| {
        let mut quotient = quotient(product, limbs, change);
        let forged = power(
            [&modulus, &base, &result],
            limbs,
            false,
            move |_, name, value| quotient(name, value),
        );
        shape.check(&forged.into_assignment()).is_ok()
    };
    let mut with_room = 0;
    for product in 0..16 {
        let lazy = product % 2 == 0;
        assert_eq!(
            accepted(|limb| limb + Fr::ONE, product),
            lazy,
            "product {product}"
        );
        with_room += usize::from(accepted(|limb| limb - Fr::ONE, product));
        assert!(!accepted(|limb| limb + Fr::from(1u64 << 32), product));
    }
    assert!(with_room > 0 && with_room < 16, "{with_room}");
    for change in [|limb: Fr| limb + Fr::ONE, |limb: Fr| limb - Fr::ONE] {
        assert!(!accepted(change, 16));
    }
}

/// Values that are no integers: random elements in place of a quotient.
#[test]
fn a_quotient_of_random_elements_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let limbs = 4;
    let modulus = random(&mut rng, limbs) | (end(limbs) >> 1usize);
    let base = random(&mut rng, limbs) % &modulus;
    let shape = shape(limbs);
    for _ in 0..20 {
        let wrong = BigUint::from(rng.next_u64());
        let forged = power([&modulus, &base, &wrong], limbs, false, {
            let mut rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
            move |_, name, value| match name {
                "limb of a quotient" => Fr::rand(&mut rng),
                _ => value,
            }
        });
        assert!(shape.check(&forged.into_assignment()).is_err());
    }
}
