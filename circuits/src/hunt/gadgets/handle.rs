//! Handles: the integer of a serial number, and low bits.

use ark_ff::{Field, PrimeField, UniformRand};
use bauta_statement::field::Fr;
use rand_chacha::rand_core::RngCore;

use super::{
    bits,
    der::{choices, place},
    plain, random, rng,
};
use crate::{
    gadgets::{
        der::Element,
        handle::{low_u64, number, off_both_ends, revocation_handle, serial_number},
    },
    hunt::case::{Case, Forgery, Gadget, named},
    system::R1cs,
};

/// Octets of the longest serial number.
const OCTETS: usize = 20;

pub(super) fn all() -> Vec<Case> {
    vec![
        bits::<126>(),
        choices::<31, OCTETS>(),
        Gadget {
            name: "handle::number",
            variant: String::new(),
            inputs: |seed| (octets(length(seed), seed), ()),
            build: |system, inputs, ()| {
                let (length, octets) = inputs.split_last().unwrap();
                number(system, octets, length);
            },
            forgeries: others,
        }
        .case(),
        Case {
            copies: vec![
                "window::choose (31 of 20 bytes)",
                "system::enforce_equal",
                "handle::number",
            ],
            ..plain(
                "handle::serial_number",
                "",
                |seed| {
                    let start = [7, 9, 11][seed as usize % 3];
                    let mut bytes = [0; 31];
                    rng(seed).fill_bytes(&mut bytes);
                    let mut inputs = place(&bytes, start);
                    inputs.push(Fr::from(length(seed)));
                    (inputs, ())
                },
                |system, inputs, ()| {
                    let (bytes, place) = inputs.split_at(31);
                    let serial = Element {
                        tag: place[0].clone(),
                        start: place[0].clone(),
                        length: place[1].clone(),
                        end: &place[0] + &place[1],
                    };
                    serial_number(system, bytes, &serial);
                },
            )
        },
        Gadget {
            name: "handle::low_u64",
            variant: String::new(),
            inputs: |seed| (vec![hash(seed)], ()),
            build: |system, inputs, ()| {
                low_u64(system, &inputs[0]);
            },
            forgeries: tops,
        }
        .case(),
        plain(
            "handle::off_both_ends",
            "",
            |seed| {
                let handle = [0, u64::MAX, 1, u64::MAX - 1, 1 << 63, 7, 8, 9][seed as usize % 8];
                (vec![Fr::from(handle)], ())
            },
            |system, inputs, ()| {
                off_both_ends(system, &inputs[0]);
            },
        ),
        Case {
            copies: vec![
                "poseidon::hash (2 inputs)",
                "handle::low_u64",
                "tbs::is_zero",
            ],
            ..plain(
                "handle::revocation_handle",
                "",
                |seed| (random(seed, 2), ()),
                |system, inputs, ()| {
                    revocation_handle(system, &inputs[0], &inputs[1]);
                },
            )
        },
    ]
}

fn length(seed: u64) -> u64 {
    [1, 20, 2, 19, 8, 16, 3, 11][seed as usize % 8]
}

/// Octets and, last, how many of them are the number's.
fn octets(length: u64, seed: u64) -> Vec<Fr> {
    let mut bytes = [0; OCTETS];
    rng(seed).fill_bytes(&mut bytes);
    bytes[0] |= 1;
    place(&bytes, length as usize)
}

/// Another integer, of each length: the row of that length alone refuses it.
fn others(gadget: &Gadget<()>, _: &R1cs) -> Vec<Forgery> {
    let forged = |length: u64| {
        let forger = named("serial number", |_, honest| honest + Fr::ONE);
        let name = format!("one more than {length} octets say");
        Forgery::of(name, gadget.forged(&(octets(length, 3), ()), forger))
    };
    (1..=OCTETS as u64).map(forged).collect()
}

/// One with a decomposition: the ends, any.
fn hash(seed: u64) -> Fr {
    match seed % 8 {
        0 => Fr::from(0),
        1 => end() - Fr::ONE,
        _ => Fr::rand(&mut rng(seed)),
    }
}

/// 2^190·⌊r/2^190⌋, the first element that has none.
fn end() -> Fr {
    let [_, _, third, highest] = Fr::MODULUS.0;
    Fr::from(u128::from(highest) << 2 | u128::from(third >> 62)) * Fr::from(2).pow([190u64])
}

/// Top bits that are out of either range alone: −1, and those of r itself.
fn tops(gadget: &Gadget<()>, shape: &R1cs) -> Vec<Forgery> {
    let five = Fr::from(5);
    let negative = move |_: u32, name: &'static str, honest: Fr| match name {
        "low bits of a hash" => five,
        "top bits of a hash" => -Fr::ONE,
        _ => honest,
    };
    let below = vec![five - Fr::from(2).pow([190u64])];
    let below = gadget.forged(&(below, ()), Box::new(negative));
    let above = gadget.forged(&(vec![end() + five], ()), Box::new(|_, _, honest| honest));
    vec![
        Forgery::overflow(shape, below, 64, 64, "top bits of −1"),
        Forgery::overflow(shape, above, 128, 64, "top bits of r"),
    ]
}
