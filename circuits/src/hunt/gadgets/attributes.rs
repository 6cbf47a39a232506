//! Attributes of a certificate: each part of the walk and of a reader by itself with free inputs, and all of it within small bounds, over
//! bytes that are free.

use ark_ff::AdditiveGroup;
use bauta_statement::{
    field::Fr,
    schema::{
        Attribute,
        AttributeType::{Integer, Text},
        SanKind,
    },
};

use super::{choices, none, place, plain, random};
use crate::{
    gadgets::{
        attributes::{
            Bounds, Candidate, Slots, critical,
            entry::{Before, Entry, packed},
            extensions::{self, Extension},
            find, names, read,
            reader::{self, Rule},
            samples::*,
            subject as rdns,
            value::{Asked, value},
        },
        bytes::Bytes,
        compare,
        der::{Element, HEADER},
        tbs::Fields,
        window::Window,
    },
    hunt::case::{Case, Gadget},
    system::Lc,
};

mod parts;

/// Bytes in which each part is.
const ROOM: usize = 120;

pub(super) fn all() -> Vec<Case> {
    let mut all = vec![
        plain(
            "compare::either_is_zero",
            "",
            |seed| {
                let one = Fr::from(seed % 2);
                (vec![one, Fr::from(1) - one], ())
            },
            |system, inputs, ()| compare::either_is_zero(system, &inputs[0], &inputs[1]),
        ),
        plain(
            "compare::range",
            "224 bits",
            |seed| (vec![super::whole(seed, 224)], ()),
            |system, inputs, ()| compare::range(system, &inputs[0], 224),
        ),
    ];
    all.extend([choices::<12, 2>(), choices::<41, 4>()]);
    all.extend([choices::<8, 2>(), choices::<37, 7>()]);
    all.extend([choices::<30, 7>()]);
    all.extend(parts::all());
    all.extend([entry(), some_sets()]);
    all.extend([some_extensions(), some_names(), whole()]);
    all
}

/// With the cases whose rows these are.
fn made_of(case: Case, parts: &[&[&'static str]]) -> Case {
    let copies = parts.concat();
    Case { copies, ..case }
}

const EITHER: &[&str] = &["compare::either_is_zero"];
const PRODUCTS: &[&str] = &["system::product"];
const ZERO: &[&str] = &["tbs::is_zero"];
const OCTETS: &[&str] = &["compare::bits (8 bits)"];
const HEADERS: &[&str] = &["der::parse", "system::enforce_equal"];
const READ: &[&str] = &[
    "window::choose (30 of 7 bytes)",
    "window::choose (4 of 4 bytes)",
];
const ENTRY: &[&str] = &[
    "window::choose (4 of 4 bytes)",
    "window::choose (8 of 4 bytes)",
    "window::choose (12 of 2 bytes)",
    "window::choose (41 of 4 bytes)",
    "compare::within_bits (5 bits)",
];
const EXTENSION: &[&str] = &[
    "window::choose (4 of 4 bytes)",
    "window::choose (8 of 2 bytes)",
    "window::choose (37 of 7 bytes)",
    "compare::within_bits (5 bits)",
];
const READER: &[&str] = &[
    "system::quotient",
    "compare::range (224 bits)",
    "compare::range (64 bits)",
    "compare::range (2 bits)",
    "poseidon::hash (11 inputs)",
];

fn constant(value: u64) -> Lc {
    Lc::constant(Fr::from(value))
}

fn entry() -> Case {
    let case = plain(
        "entry::read",
        "120 bytes",
        |seed| {
            let mut bytes = [alone(O, 0x0c, b"Acme"), alone(&[0x2a; 27], 0x0c, b"x")].concat();
            bytes.resize(ROOM, 0);
            (place(&bytes, [0, 2, 15, 17][seed as usize % 4]), ())
        },
        |system, inputs, ()| {
            let (offset, bytes) = inputs.split_last().unwrap();
            Entry::read(system, bytes, offset, Before::Set, HEADER);
        },
    );
    made_of(case, &[EITHER, PRODUCTS, OCTETS, HEADERS, ENTRY])
}

/// Bytes, and where something is.
fn span(bytes: &[u8], room: usize, places: &[usize]) -> Vec<Fr> {
    let mut bytes: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
    bytes.resize(room, Fr::ZERO);
    bytes.extend(places.iter().map(|place| Fr::from(*place as u64)));
    bytes
}

fn some_sets() -> Case {
    let case = plain(
        "subject::walk",
        "2 attributes in 120 bytes",
        |seed| {
            let issuer = alone(CN, 0x0c, b"CA");
            let both = [attribute(O, 0x0c, b"Acme"), attribute(CN, 0x0c, b"A")];
            let subject = [
                vec![],
                alone(O, 0x0c, b"Acme"),
                tlv(0x31, &both.concat()),
                [alone(O, 0x0c, b"Acme"), alone(CN, 0x0c, b"A")].concat(),
            ][seed as usize % 4]
                .clone();
            let ends = [issuer.len(), issuer.len() + subject.len(), 0];
            (span(&[issuer, subject].concat(), ROOM, &ends), ())
        },
        |system, inputs, ()| {
            let (bytes, ends) = inputs.split_at(ROOM);
            rdns::walk(system, bytes, [&ends[0], &ends[1]], &ends[2], 2);
        },
    );
    made_of(case, &[EITHER, PRODUCTS, ZERO, OCTETS, HEADERS, ENTRY])
}

fn some_extensions() -> Case {
    let case = plain(
        "extensions::walk",
        "2 extensions in 120 bytes",
        |seed| {
            let both = [
                extension(O, seed % 4 == 1, &[5, 0]),
                extension(LEVEL, true, &[2, 1, 1]),
            ];
            let all = both[..1 + seed as usize % 2].concat();
            let ends = [3, 3 + all.len()];
            (span(&[vec![9; 3], all].concat(), ROOM, &ends), ())
        },
        |system, inputs, ()| {
            let (bytes, ends) = inputs.split_at(ROOM);
            extensions::walk(system, bytes, [&ends[0], &ends[1]], 2);
        },
    );
    made_of(case, &[EITHER, PRODUCTS, ZERO, OCTETS, HEADERS, EXTENSION])
}

fn some_names() -> Case {
    let case = plain(
        "names::walk",
        "2 names in 120 bytes",
        |seed| {
            let names = [tlv(0x82, b"a.b"), tlv(0x81, b"a@b")];
            let names = tlv(0x30, &names[..seed as usize % 3].concat());
            let there = seed % 4 != 3;
            let ends = match there {
                true => [1, 2, 2 + names.len(), 2],
                false => [0, 0, 0, 2],
            };
            (span(&[vec![7; 2], names].concat(), ROOM, &ends), ())
        },
        |system, inputs, ()| {
            let (bytes, rest) = inputs.split_at(ROOM);
            let ends = [&rest[1], &rest[2]];
            names::walk(system, bytes, &rest[0], ends, &rest[3], 2);
        },
    );
    made_of(case, &[EITHER, PRODUCTS, ZERO, HEADERS, READ])
}

const BOUNDS: Bounds = Bounds {
    attributes: 2,
    extensions: 2,
    names: 1,
    readers: 1,
};

fn whole() -> Case {
    let case = Gadget {
        name: "attributes::read",
        variant: "120 bytes".into(),
        inputs: |seed| {
            let names = alternative(&[(0x81, b"a@b")]);
            // It must be read where it is critical.
            let number = extension(LEVEL, seed % 4 < 2, &[2, 1, 9]);
            let extensions = [number.clone(), names].concat();
            let set = [attribute(O, 0x0c, b"Acme"), attribute(CN, 0x0c, b"1")];
            let sets = match seed % 2 {
                0 => tlv(0x31, &set.concat()),
                _ => alone(CN, 0x13, b"22"),
            };
            let extensions = match seed % 2 {
                0 => extensions,
                _ => number,
            };
            let issuer = alone(CN, 0x0c, b"C");
            let places = [issuer.len(), issuer.len() + sets.len()];
            let end = places[1] + extensions.len();
            let read: [Option<Attribute>; 4] = [
                Some(from_extension(15, Integer, LEVEL)),
                Some(subject(5, Text, CN)),
                Some(from_name(9, SanKind::Email)),
                None,
            ];
            let ends = [places[0], places[1], places[1], end, 0, places[0]];
            let all = [issuer, sets, extensions].concat();
            let read = read[match seed % 4 {
                1 => 0,
                other => other as usize,
            }]
            .clone();
            let schema: Vec<(u8, Fr)> = read.iter().map(|a| (a.slot, a.rule())).collect();
            (span(&all, ROOM, &ends), schema)
        },
        build: |system, inputs, schema| {
            let (bytes, ends) = inputs.split_at(ROOM);
            let element = |from: usize| Element {
                tag: constant(0),
                start: ends[from].clone(),
                length: constant(0),
                end: ends[from + 1].clone(),
            };
            let fields = Fields {
                serial: element(0),
                issuer: element(4),
                validity: element(0),
                subject: element(0),
                key: element(0),
                extensions: element(2),
            };
            let string = Bytes::of(bytes.to_vec(), constant(0));
            read(system, &string, &fields, schema, &BOUNDS);
        },
        forgeries: none,
    }
    .case();
    made_of(
        case,
        &[
            EITHER, PRODUCTS, ZERO, OCTETS, HEADERS, READ, ENTRY, EXTENSION, READER,
        ],
    )
}
