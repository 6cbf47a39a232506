//! Reads at hidden places, headers of DER, and the walk of a TBSCertificate over bytes that are free: every row of it is one of the
//! smaller gadgets'.

use ark_ff::AdditiveGroup;
use bauta_statement::field::Fr;
use rand_chacha::rand_core::RngCore;

use super::{none, plain, rng};
use crate::{
    gadgets::{
        bytes::Bytes,
        compare,
        der::Element,
        tbs::{SHA256_WITH_RSA, is_zero, walk},
        window::{Window, choose, read},
    },
    hunt::{
        case::{Case, Gadget},
        samples,
    },
    system::{Lc, System},
};

pub(super) fn all() -> Vec<Case> {
    vec![
        // What the walk reads is chosen among; then its reads, and one of more bytes than fit into an element.
        choices::<4, 4>(),
        choices::<9, 5>(),
        choices::<13, 4>(),
        choices::<46, 15>(),
        choices::<83, 11>(),
        choices::<8, 4>(),
        choices::<7, 33>(),
        choices::<20, 17>(),
        choices::<40, 17>(),
        reads::<4, 4>(&["window::choose (4 of 4 bytes)"]),
        reads::<9, 5>(&["window::choose (9 of 5 bytes)"]),
        reads::<13, 4>(&["window::choose (13 of 4 bytes)"]),
        reads::<46, 15>(&["window::choose (46 of 15 bytes)"]),
        reads::<ROOM, 4>(&[
            "window::choose (83 of 11 bytes)",
            "window::choose (8 of 4 bytes)",
        ]),
        reads::<7, 33>(&["window::choose (7 of 33 bytes)"]),
        Case {
            copies: vec!["window::choose (13 of 4 bytes)", "system::enforce_equal"],
            ..plain(
                "window::is",
                "4 of 13 bytes",
                |_| (place(&[7; 13], 5), ()),
                |system, inputs, ()| {
                    let (offset, bytes) = inputs.split_last().unwrap();
                    read(system, bytes, offset, 4).is(system, &[7; 4]);
                },
            )
        },
        plain("der::parse", "", headers, |system, inputs, ()| {
            parse(system, inputs);
        }),
        plain(
            "der::has_tag",
            "",
            |seed| {
                let (mut inputs, ()) = headers(seed);
                inputs[0] = Fr::from(48);
                (inputs, ())
            },
            |system, inputs, ()| parse(system, inputs).has_tag(system, 48),
        ),
        Case {
            copies: vec![
                "window::choose (13 of 4 bytes)",
                "der::parse",
                "system::enforce_equal",
            ],
            ..plain(
                "der::read",
                "13 bytes",
                |seed| {
                    let bytes = [
                        0x30, 0x81, 0x80, 0x04, 0x05, 0, 0x30, 0x82, 0x01, 0, 0x05, 0, 9,
                    ];
                    (place(&bytes, [0, 3, 6, 10][seed as usize % 4]), ())
                },
                |system, inputs, ()| {
                    let (offset, bytes) = inputs.split_last().unwrap();
                    Element::read(system, bytes, offset);
                },
            )
        },
        plain(
            "compare::within_bits",
            "5 bits",
            |seed| (vec![Fr::from(seed % 4), Fr::from(4 + seed % 8)], ()),
            |system, inputs, ()| compare::within_bits(system, &inputs[0], &inputs[1], 5),
        ),
        plain(
            "tbs::is_zero",
            "",
            |seed| (vec![Fr::from([0, 1, 255][seed as usize % 3])], ()),
            |system, inputs, ()| {
                is_zero(system, &inputs[0]);
            },
        ),
        whole(),
    ]
}

/// Bytes and, last, a place in them.
pub(super) fn place(bytes: &[u8], offset: usize) -> Vec<Fr> {
    let bytes = bytes.iter().map(|byte| Fr::from(*byte));
    bytes.chain([Fr::from(offset as u64)]).collect()
}

/// One of so many strings, the first, the last, any.
pub(super) fn choices<const STRINGS: usize, const BYTES: usize>() -> Case {
    Gadget {
        name: "window::choose",
        variant: format!("{STRINGS} of {BYTES} bytes"),
        inputs: |seed| {
            let mut bytes = vec![0; STRINGS * BYTES];
            rng(seed).fill_bytes(&mut bytes);
            let bytes = bytes.into_iter().map(Fr::from);
            (bytes.collect(), some(seed, STRINGS))
        },
        build: |system, inputs, chosen| {
            let strings: Vec<Vec<&Lc>> = inputs.chunks(BYTES).map(|s| s.iter().collect()).collect();
            choose(system, ["choice", "number"], &strings, *chosen);
        },
        forgeries: none,
    }
    .case()
}

fn some(seed: u64, count: usize) -> usize {
    match seed as usize % 8 {
        0 => 0,
        1 => count - 1,
        other => (other - 1) * count / 7,
    }
}

fn reads<const CAPACITY: usize, const COUNT: usize>(copies: &[&'static str]) -> Case {
    let case = plain(
        "window::read",
        &format!("{COUNT} of {CAPACITY} bytes"),
        |seed| {
            let mut bytes = [0; CAPACITY];
            rng(seed).fill_bytes(&mut bytes);
            (place(&bytes, some(seed, CAPACITY)), ())
        },
        |system, inputs, ()| {
            let (offset, bytes) = inputs.split_last().unwrap();
            read(system, bytes, offset, COUNT);
        },
    );
    let copies = [copies, &["system::enforce_equal"]].concat();
    Case { copies, ..case }
}

/// Four octets, and the three bits that a header's form is read from: short, with and without an octet of 0 after it, long with one
/// octet and with two.
fn headers(seed: u64) -> (Vec<Fr>, ()) {
    let octets = [
        [0x30u64, 0x05, 0x00, 9],
        [0x30, 0x05, 0x44, 9],
        [0x30, 0x81, 0x85, 9],
        [0x30, 0x82, 0x01, 9],
    ][seed as usize % 4];
    let bits = [octets[1] >> 1 & 1, octets[1] >> 7, octets[2] >> 7];
    (octets.into_iter().chain(bits).map(Fr::from).collect(), ())
}

fn parse(system: &mut System, inputs: &[Lc]) -> Element {
    let (octets, bits) = inputs.split_at(4);
    let zero = Lc::constant(Fr::ZERO);
    let mut all = vec![vec![zero.clone(); 8]; 4];
    all[1][1] = bits[0].clone();
    all[1][7] = bits[1].clone();
    all[2][7] = bits[2].clone();
    Element::parse(system, &Window::of(octets.to_vec(), all), &zero)
}

/// Room for the shortest of the certificates.
const ROOM: usize = 660;

fn whole() -> Case {
    let case = plain(
        "tbs::walk",
        "660 bytes",
        |seed| {
            let certificates: [&[u8]; 3] = [
                include_bytes!("../../../../vectors/tbs/serial_0.der"),
                include_bytes!("../../../../vectors/tbs/serial_1_octet.der"),
                include_bytes!("../../../../vectors/tbs/serial_of_a_high_octet.der"),
            ];
            let certificate = certificates[seed as usize % 3];
            let mut tbs = samples::tbs(certificate).to_vec();
            let length = tbs.len();
            tbs.resize(ROOM, 0);
            (place(&tbs, length), ())
        },
        |system, inputs, ()| {
            let (length, bytes) = inputs.split_last().unwrap();
            let string = Bytes::of(bytes.to_vec(), length.clone());
            walk(system, &string, &SHA256_WITH_RSA);
        },
    );
    let copies = vec![
        "window::choose (4 of 4 bytes)",
        "window::choose (9 of 5 bytes)",
        "window::choose (13 of 4 bytes)",
        "window::choose (46 of 15 bytes)",
        "window::choose (83 of 11 bytes)",
        "window::choose (8 of 4 bytes)",
        "der::parse",
        "compare::within_bits (5 bits)",
        "tbs::is_zero",
        "system::product",
        "system::enforce_equal",
    ];
    Case { copies, ..case }
}
