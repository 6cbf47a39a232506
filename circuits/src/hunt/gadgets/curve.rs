//! The curve's gadgets, and what a dishonest ladder could be.

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField, UniformRand};
use bauta_statement::{
    babyjubjub::{Point, Scalar, base},
    field::Fr,
};
use rand_chacha::ChaCha20Rng;

use super::{none, plain, rng};
use crate::{
    gadgets::babyjubjub::{Montgomery, fixed_base, ladder, montgomery, response},
    hunt::{
        case::{Case, Forgery, Gadget, honest, named},
        native::{TOP, digit_rows, top_row},
    },
    system::{Lc, R1cs},
};

/// Montgomery coordinates of random points of the subgroup.
fn points(seed: u64, count: usize) -> Vec<Fr> {
    let mut rng = rng(seed);
    let points = (0..count).flat_map(|_| montgomery(&point(&mut rng)));
    points.collect()
}

fn point(rng: &mut ChaCha20Rng) -> Point {
    (base() * Scalar::rand(rng)).into_affine()
}

fn at(inputs: &[Lc], index: usize) -> Montgomery {
    Montgomery {
        u: inputs[2 * index].clone(),
        v: inputs[2 * index + 1].clone(),
    }
}

/// Digits of a challenge: small, random, the greatest that can be proved.
fn challenge(seed: u64) -> BigInt<4> {
    match seed % 8 {
        0 => BigInt::from(0u64),
        1 => BigInt::from(1u64),
        2 => {
            let mut greatest = Fr::MODULUS;
            greatest.0[3] -= 1;
            greatest
        }
        _ => Fr::rand(&mut rng(seed)).into_bigint(),
    }
}

fn scalar(seed: u64) -> Scalar {
    match seed % 8 {
        0 => Scalar::ZERO,
        1 => Scalar::ONE,
        2 => -Scalar::ONE,
        _ => Scalar::rand(&mut rng(seed + 1)),
    }
}

pub(super) fn all() -> Vec<Case> {
    vec![
        plain(
            "babyjubjub::from_edwards",
            "",
            |seed| {
                let point = point(&mut rng(seed));
                (vec![point.x, point.y], ())
            },
            |system, inputs, ()| {
                Montgomery::from_edwards(system, &inputs[0], &inputs[1]);
            },
        ),
        plain(
            "babyjubjub::to_edwards",
            "",
            |seed| (points(seed, 1), ()),
            |system, inputs, ()| {
                at(inputs, 0).to_edwards(system);
            },
        ),
        plain(
            "babyjubjub::add",
            "",
            |seed| (points(seed, 2), ()),
            |system, inputs, ()| {
                at(inputs, 0).add(system, &at(inputs, 1));
            },
        ),
        plain(
            "babyjubjub::double",
            "",
            |seed| (points(seed, 1), ()),
            |system, inputs, ()| {
                at(inputs, 0).double(system);
            },
        ),
        plain(
            "babyjubjub::double_and_add",
            "",
            |seed| (points(seed, 2), ()),
            |system, inputs, ()| {
                at(inputs, 0).double_and_add(system, &at(inputs, 1));
            },
        ),
        Gadget {
            name: "babyjubjub::ladder",
            variant: String::new(),
            inputs: |seed| (points(seed, 1), challenge(seed)),
            build: |system, inputs, digits| {
                ladder(system, &at(inputs, 0), digits);
            },
            forgeries: ladder_forgeries,
        }
        .case(),
        Gadget {
            name: "babyjubjub::fixed_base",
            variant: String::new(),
            inputs: |seed| (points(seed, 1), scalar(seed)),
            build: |system, inputs, s| {
                fixed_base(system, &at(inputs, 0), s);
            },
            forgeries: none,
        }
        .case(),
        Gadget {
            name: "babyjubjub::response",
            variant: String::new(),
            inputs: |seed| (points(seed, 1), (challenge(seed), scalar(seed + 1))),
            build: |system, inputs, (digits, s)| {
                response(system, &at(inputs, 0), digits, s);
            },
            forgeries: ladder_forgeries,
        }
        .case(),
    ]
}

/// Digits that are none, a wrong square, and a top that is another or out of range.
fn ladder_forgeries<H: Challenge + 'static>(gadget: &Gadget<H>, shape: &R1cs) -> Vec<Forgery> {
    let first = top_row(shape) + 1;
    let mut all = Vec::new();
    let (inputs, known) = (gadget.inputs)(4);
    let v = inputs[1];
    let small = (inputs.clone(), known.with(BigInt::from(0u64)));

    let lower = named("top of h", |_, honest| honest + Fr::ONE);
    all.push(Forgery::of(
        "the top is one more",
        gadget.forged(&small, lower),
    ));

    // The top of r itself: one above the limit.
    let canonical = (inputs.clone(), known.with(Fr::MODULUS));
    let base = gadget.forged(&canonical, honest());
    all.push(Forgery::overflow(
        shape,
        base,
        first,
        TOP,
        "the digits of r",
    ));

    // A digit −1 + 6/2^i: its point is off the curve, and the top is 3 more.
    for index in 0..TOP {
        let weight = Fr::from(1u64 << (TOP - 1 - index));
        let digit = Fr::from(6u64) * weight.inverse().unwrap() - Fr::ONE;
        let mut digits = named("digit of h", move |other, honest| {
            if other == index { v * digit } else { honest }
        });
        let forger = Box::new(move |column, name: &'static str, value| match name {
            "top of h" => value + Fr::from(3u64),
            _ => digits(column, name, value),
        });
        let name = format!("digit {index} from the top is no sign");
        all.push(Forgery::of(name, gadget.forged(&small, forger)));
    }

    // All digits ±t·v with t chosen so that the top is 5: 2^64 + t·Σ ±2^i = 11, where all signs are −1.
    let total = Fr::from(1u128 << TOP) - Fr::ONE;
    let t = (Fr::from(1u128 << TOP) - Fr::from(11u64)) * total.inverse().unwrap();
    let square = (v * t).square();
    let is_square = shape.rows.at(digit_rows(shape)[0]).c.first();
    let forger = Box::new(move |column, name: &'static str, value: Fr| match name {
        _ if column == is_square => square,
        "digit of h" => value * t,
        "top of h" => Fr::from(5u64),
        _ => value,
    });
    all.push(Forgery::of(
        "the square of v is another",
        gadget.forged(&small, forger),
    ));
    all
}

/// Knowledge with a challenge in it.
trait Challenge {
    fn with(&self, challenge: BigInt<4>) -> Self;
}

impl Challenge for BigInt<4> {
    fn with(&self, challenge: BigInt<4>) -> Self {
        challenge
    }
}

impl Challenge for (BigInt<4>, Scalar) {
    fn with(&self, challenge: BigInt<4>) -> Self {
        (challenge, self.1)
    }
}
