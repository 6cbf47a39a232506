//! What a certificate may be used for, over bytes that are free.

use bauta_statement::field::Fr;

use super::der::choices;
use crate::{
    gadgets::{
        attributes::packed,
        der::Element,
        usage::{basic_constraints, client_purpose, key_usage},
    },
    hunt::case::{Case, Forgery, Gadget, honest, named},
    system::{Lc, R1cs, System},
};

/// Room for key usage and basic constraints.
const SMALL: usize = 12;
/// Room for eight purposes.
const ROOM: usize = 40;

pub(super) fn all() -> Vec<Case> {
    vec![
        choices::<SMALL, 5>(),
        choices::<ROOM, 4>(),
        choices::<ROOM, 2>(),
        choices::<ROOM, 29>(),
        {
            let case = Gadget {
                name: "usage::key_usage",
                variant: "12 bytes".into(),
                inputs: |seed| {
                    let contents: &[u8] = match seed % 8 {
                        0 => &[],
                        1 => &[3, 2, 7, 0x80],
                        2 => &[3, 2, 0, 0xf9],
                        3 => &[3, 3, 7, 0x88, 0x80],
                        4 => &[3, 2, 5, 0xa0],
                        5 => &[3, 2, 6, 0xc0],
                        6 => &[3, 3, 7, 0x80, 0x80],
                        _ => &[3, 2, 3, 0x98],
                    };
                    (extension(contents, seed as usize % 7, SMALL), ())
                },
                build: |system, inputs, ()| build(key_usage, system, inputs),
                forgeries: bits,
            }
            .case();
            let copies = vec!["window::choose (12 of 5 bytes)", "system::product"];
            Case { copies, ..case }
        },
        {
            let case = Gadget {
                name: "usage::basic_constraints",
                variant: "12 bytes".into(),
                inputs: |seed| {
                    let contents: &[u8] = if seed % 4 == 0 { &[] } else { &[0x30, 0] };
                    (extension(contents, seed as usize, SMALL), ())
                },
                build: |system, inputs, ()| build(basic_constraints, system, inputs),
                forgeries: |gadget, _| vec![forged(gadget, "an octet inside", &[0x30, 1])],
            }
            .case();
            let copies = vec!["window::choose (12 of 2 bytes)"];
            Case { copies, ..case }
        },
        {
            let case = Gadget {
                name: "usage::client_purpose",
                variant: "40 bytes".into(),
                inputs: |seed| (purposes(seed), ()),
                build: |system, inputs, ()| {
                    let (named, inputs) = inputs.split_last().expect("inputs");
                    let purpose =
                        |system: &mut System, bytes: &[Lc], contents: &Element, present: &Lc| {
                            client_purpose(system, bytes, contents, present, named);
                        };
                    build(purpose, system, inputs);
                },
                forgeries: other_purposes,
            }
            .case();
            let copies = vec![
                "window::choose (40 of 4 bytes)",
                "window::choose (40 of 2 bytes)",
                "window::choose (40 of 29 bytes)",
                "der::parse",
                "tbs::is_zero",
                "compare::either_is_zero",
                "system::product",
                "system::enforce_equal",
            ];
            Case { copies, ..case }
        },
    ]
}

/// A buffer with the contents at `offset`; then offset, length, and whether there are any.
fn extension(contents: &[u8], offset: usize, room: usize) -> Vec<Fr> {
    let present = !contents.is_empty();
    let mut inputs: Vec<Fr> = (0..offset as u64).map(|byte| Fr::from(byte + 60)).collect();
    inputs.extend(contents.iter().map(|byte| Fr::from(*byte)));
    let filled = inputs.len() as u64;
    inputs.extend((filled..room as u64).map(|byte| Fr::from(byte + 70)));
    inputs.extend([offset as u64, contents.len() as u64, u64::from(present)].map(Fr::from));
    inputs
}

fn build(gadget: impl Fn(&mut System, &[Lc], &Element, &Lc), system: &mut System, inputs: &[Lc]) {
    let (bytes, place) = inputs.split_at(inputs.len() - 3);
    let contents = Element {
        tag: place[0].clone(),
        start: place[0].clone(),
        length: place[1].clone(),
        end: &place[0] + &place[1],
    };
    gadget(system, bytes, &contents, &place[2]);
}

/// The inputs with a purpose that the schema names, or 0.
fn with_named(mut inputs: Vec<Fr>, named: Fr) -> Vec<Fr> {
    inputs.push(named);
    inputs
}

/// One that counts at each of the eight places, and all eight; for some, by its name.
fn purposes(seed: u64) -> Vec<Fr> {
    let client: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    let logon: &[u8] = &[6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 2];
    let other: &[u8] = &[6, 1, 0x2a];
    let counts = if seed.is_multiple_of(2) {
        client
    } else {
        logon
    };
    let place = seed as usize % 8;
    let mut purposes = vec![other; if seed.is_multiple_of(3) { place } else { 7 }];
    purposes.insert(place.min(purposes.len()), counts);
    let inside = purposes.concat();
    let contents = [&[0x30, inside.len() as u8][..], &inside].concat();
    let named = match seed % 4 {
        2 | 3 => packed(&counts[2..]),
        _ => Fr::from(0),
    };
    with_named(extension(&contents, seed as usize % 5, ROOM), named)
}

/// Another tag at each of the places of the walk, and at the last one a purpose that does not count, or nothing, but is picked.
fn other_purposes(gadget: &Gadget<()>, _: &R1cs) -> Vec<Forgery> {
    let client: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    let eight = |wrong: usize| {
        let mut purposes = vec![vec![6, 1, 0x2a]; 8];
        purposes[if wrong == 0 { 1 } else { 0 }] = client.to_vec();
        purposes[wrong][0] = 4;
        purposes
    };
    let sequence = |purposes: &[Vec<u8>]| {
        let inside = purposes.concat();
        let contents = [&[0x30, inside.len() as u8][..], &inside].concat();
        (with_named(extension(&contents, 0, ROOM), Fr::from(0)), ())
    };
    let mut all: Vec<Forgery> = (0..8)
        .map(|wrong| {
            let assignment = gadget.forged(&sequence(&eight(wrong)), honest());
            Forgery::of(format!("purpose {wrong} has another tag"), assignment)
        })
        .collect();
    // The honest prover of none picks the last; only its place is missing.
    let others = vec![vec![6, 1, 0x2a]; 8];
    let place = named("place of a purpose", |_, _| Fr::from(2 + 7 * 3));
    let assignment = gadget.forged(&sequence(&others), place);
    all.push(Forgery::of("the last purpose does not count", assignment));
    // Behind the end of the SEQUENCE stands what would count.
    let (mut inputs, ()) = sequence(&others[..2]);
    for (byte, octet) in inputs.iter_mut().skip(8).zip(client) {
        *byte = Fr::from(*octet);
    }
    let place = named("place of a purpose", |_, _| Fr::from(8));
    let assignment = gadget.forged(&(inputs, ()), place);
    all.push(Forgery::of("nothing is picked", assignment));
    all
}

/// An extension whose octets are these, read by the honest prover's code.
fn forged(gadget: &Gadget<()>, name: &str, contents: &[u8]) -> Forgery {
    let inputs = extension(contents, 3, SMALL);
    Forgery::of(name, gadget.forged(&(inputs, ()), honest()))
}

/// Unused bits that are more or fewer than the octet has zeros at its end, a key that signs nothing, one that signs certificates, another tag,
/// another length, three octets, ten bits.
fn bits(gadget: &Gadget<()>, _: &R1cs) -> Vec<Forgery> {
    let mut all: Vec<Forgery> = (0..8)
        .map(|unused: u8| {
            let octet = if unused == 0 { 0x80 } else { 0x81 };
            let name = format!("{unused} unused bits");
            forged(gadget, &name, &[3, 2, unused, octet])
        })
        .collect();
    let others: [(&str, &[u8]); 8] = [
        ("no digitalSignature", &[3, 2, 6, 0x40]),
        ("keyCertSign", &[3, 2, 2, 0x84]),
        ("an OCTET STRING", &[4, 2, 7, 0x80]),
        ("a length of one octet less", &[3, 1, 7, 0x80]),
        ("three octets", &[3, 4, 7, 0x80, 0x80, 0]),
        ("ten bits", &[3, 3, 6, 0x80, 0x80]),
        ("nine bits and one more", &[3, 3, 7, 0x80, 0xc0]),
        ("nine bits of which the last is 0", &[3, 3, 7, 0x80, 0]),
    ];
    all.extend(others.map(|(name, contents)| forged(gadget, name, contents)));
    all
}
