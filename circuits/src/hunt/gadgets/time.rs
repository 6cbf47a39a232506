//! Times of a certificate: each row of a whole one is one of a digit's, a month's, a range's.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;

use super::{bits, none, plain};
use crate::{
    gadgets::{
        bytes::Bytes,
        compare,
        der::Element,
        tbs::validity,
        time::{days, digit, months, parse, unix_seconds},
        window::Window,
    },
    hunt::case::{Case, Forgery, Gadget, named},
    system::{Lc, R1cs, System},
};

pub(super) fn all() -> Vec<Case> {
    vec![
        bits::<5>(),
        bits::<6>(),
        bits::<13>(),
        plain(
            "compare::within_bits",
            "6 bits",
            |seed| (vec![Fr::from(7 * (seed % 8)), Fr::from(59)], ()),
            |system, inputs, ()| compare::within_bits(system, &inputs[0], &inputs[1], 6),
        ),
        Gadget {
            name: "time::digit",
            variant: String::new(),
            inputs: |seed| (vec![Fr::from(48 + seed % 10)], ()),
            build: |system, inputs, ()| {
                digit(system, &inputs[0]);
            },
            forgeries: |gadget, _| {
                let forged =
                    gadget.forged(&(vec![Fr::from(b':')], ()), Box::new(|_, _, honest| honest));
                vec![Forgery::of("ten", forged)]
            },
        }
        .case(),
        Gadget {
            name: "time::months",
            variant: String::new(),
            inputs: |seed| {
                (
                    vec![Fr::from([1, 12, 2, 3, 6, 7, 8, 11][seed as usize % 8])],
                    (),
                )
            },
            build: |system, inputs, ()| {
                months(system, &inputs[0]);
            },
            forgeries: choices,
        }
        .case(),
        made_of(
            "time::days",
            "",
            |seed| (date(seed).map(Fr::from).to_vec(), ()),
            |system, inputs, ()| {
                days(system, &inputs[0], &inputs[1], &inputs[2]);
            },
        ),
        made_of(
            "time::parse",
            "",
            |seed| (octets(seed), ()),
            |system, inputs, ()| {
                parse(
                    system,
                    &Window::of(inputs.to_vec(), Vec::new()),
                    &Lc::constant(Fr::ZERO),
                );
            },
        ),
        // Its read, at a place for every row.
        {
            let case = made_of(
                "time::unix_seconds",
                "17 of 20 bytes",
                |seed| {
                    let mut inputs = vec![Fr::from(9), Fr::from(9)];
                    inputs.extend(octets(seed));
                    inputs.extend([Fr::from(9), Fr::from(2)]);
                    (inputs, ())
                },
                |system, inputs, ()| {
                    let (offset, bytes) = inputs.split_last().unwrap();
                    unix_seconds(system, bytes, offset);
                },
            );
            let copies = [&case.copies[..], &["window::choose (20 of 17 bytes)"]].concat();
            Case { copies, ..case }
        },
        {
            let case = made_of(
                "tbs::validity",
                "40 bytes",
                |seed| {
                    let times = [octets(seed), octets(seed + 3)];
                    let lengths = times.clone().map(|time| match time[0] == Fr::from(0x17) {
                        true => 15,
                        false => 17,
                    });
                    let mut inputs = vec![Fr::from(9); 2];
                    for (time, length) in times.into_iter().zip(lengths) {
                        inputs.extend(time.into_iter().take(length));
                    }
                    inputs.resize(40, Fr::from(9));
                    inputs.extend(
                        [2, 2 + lengths[0] + lengths[1]].map(|place| Fr::from(place as u64)),
                    );
                    (inputs, ())
                },
                |system, inputs, ()| {
                    let (bytes, ends) = inputs.split_at(40);
                    let zero = Lc::constant(Fr::ZERO);
                    let element = Element {
                        tag: zero.clone(),
                        start: ends[0].clone(),
                        length: zero.clone(),
                        end: ends[1].clone(),
                    };
                    validity(system, &Bytes::of(bytes.to_vec(), zero), &element);
                },
            );
            let copies = [&case.copies[..], &["window::choose (40 of 17 bytes)"]].concat();
            Case { copies, ..case }
        },
    ]
}

/// A gadget that is made of smaller ones.
fn made_of(
    name: &'static str,
    variant: &str,
    inputs: fn(u64) -> (Vec<Fr>, ()),
    build: fn(&mut System, &[Lc], &()),
) -> Case {
    let case = Gadget {
        name,
        variant: variant.into(),
        inputs,
        build,
        forgeries: none,
    }
    .case();
    let mut copies = vec![
        "system::product",
        "system::enforce_equal",
        "compare::range (2 bits)",
        "compare::range (5 bits)",
        "compare::range (13 bits)",
        "compare::within_bits (5 bits)",
        "time::months",
    ];
    if name != "time::days" {
        copies.extend([
            "time::digit",
            "compare::range (1 bits)",
            "compare::range (6 bits)",
            "compare::within_bits (6 bits)",
        ]);
    }
    Case { copies, ..case }
}

/// Year, month, day: the ends of what can be said, leap days and what they follow.
fn date(seed: u64) -> [u64; 3] {
    [
        [1970, 1, 1],
        [9999, 12, 31],
        [2000, 2, 29],
        [2100, 2, 28],
        [2024, 2, 29],
        [2023, 2, 28],
        [2049, 3, 1],
        [2400, 2, 29],
    ][seed as usize % 8]
}

fn octets(seed: u64) -> Vec<Fr> {
    let [year, month, day] = date(seed);
    let text = match year {
        ..2050 => format!("\x17\x0d{:02}{month:02}{day:02}235959Zend", year % 100),
        _ => format!("\x18\x0f{year:04}{month:02}{day:02}000000Z"),
    };
    let octets = text.bytes().take(17);
    octets.map(Fr::from).collect()
}

/// Each choice −1 beside two that are 1, whatever number that makes: the row of that choice alone refuses it.
fn choices(gadget: &Gadget<()>, _: &R1cs) -> Vec<Forgery> {
    let forged = |wrong: usize| {
        let mut chosen = vec![Fr::ZERO; 12];
        chosen[(wrong + 1) % 12] = Fr::ONE;
        chosen[(wrong + 2) % 12] = Fr::ONE;
        chosen[wrong] = -Fr::ONE;
        let numbers = (1..=12u64).map(Fr::from);
        let number = chosen
            .iter()
            .zip(numbers)
            .map(|(choice, number)| *choice * number);
        let inputs = (vec![number.sum()], ());
        let forger = named("month", move |month, _| chosen[month]);
        let name = format!("the choice of month {} is −1", wrong + 1);
        Forgery::of(name, gadget.forged(&inputs, forger))
    };
    (0..12).map(forged).collect()
}
