//! SHA-256 and its buffer: each small gadget with free inputs; a whole block and a whole hash, in which every row is one of theirs.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::field::Fr;
use rand_chacha::rand_core::RngCore;

use super::{none, plain, rng, whole};
use crate::{
    gadgets::{
        bytes::Bytes,
        compare,
        sha256::{State, compress, hash},
        words::{self, Summand, Word, choose, majority, xor},
    },
    hunt::case::{Case, Forgery, Gadget, named},
    system::{Lc, R1cs, System},
};

pub(super) fn all() -> Vec<Case> {
    let mut all = vec![
        bits::<8>(),
        bits::<33>(),
        bits::<34>(),
        bits::<35>(),
        bits::<36>(),
        bits::<37>(),
        plain(
            "words::new",
            "",
            |seed| (vec![whole(seed, 32)], ()),
            |system, inputs, ()| {
                Word::new(system, &inputs[0]);
            },
        ),
        plain(
            "words::reduce",
            "34 bits",
            |seed| (vec![whole(seed, 34)], ()),
            |system, inputs, ()| {
                let number = inputs[0].clone();
                let most = (1 << 34) - 1;
                words::reduce(system, &Summand { number, most });
            },
        ),
        plain("words::xor", "three", booleans, |system, inputs, ()| {
            xor(system, &inputs[0], &inputs[1], &inputs[2]);
        }),
        plain("words::xor", "two", booleans, |system, inputs, ()| {
            xor(system, &inputs[0], &inputs[1], &Lc::constant(Fr::ZERO));
        }),
        plain(
            "words::majority",
            "three",
            booleans,
            |system, inputs, ()| {
                majority(system, &inputs[0], &inputs[1], &inputs[2]);
            },
        ),
        plain("words::majority", "and", booleans, |system, inputs, ()| {
            majority(system, &Lc::constant(Fr::ZERO), &inputs[1], &inputs[2]);
        }),
        plain("words::choose", "", booleans, |system, inputs, ()| {
            choose(system, &inputs[0], &inputs[1], &inputs[2]);
        }),
    ];
    all.push(buffer::<4>());
    all.push(buffer::<20>());
    all.push(buffer::<57>());
    all.push(block());
    // One block, and two.
    all.push(string::<20>("bytes::new (20 bytes)"));
    all.push(string::<57>("bytes::new (57 bytes)"));
    all
}

fn bits<const BITS: u32>() -> Case {
    plain(
        "compare::bits",
        &format!("{BITS} bits"),
        |seed| (vec![whole(seed, BITS)], ()),
        |system, inputs, ()| {
            compare::bits(system, &inputs[0], BITS);
        },
    )
}

/// All eight of three bits, in eight seeds.
fn booleans(seed: u64) -> (Vec<Fr>, ()) {
    let bits = (0..3).map(|bit| Fr::from(seed >> bit & 1));
    (bits.collect(), ())
}

/// Bytes and, last, the length of a string in them: empty, full, of any length, of zeros, of ones.
fn content(seed: u64, capacity: usize) -> Vec<Fr> {
    let mut rng = rng(seed);
    let length = match seed % 8 {
        0 => 0,
        1 | 3 | 4 => capacity,
        _ => rng.next_u64() as usize % (capacity + 1),
    };
    let mut bytes: Vec<Fr> = (0..length)
        .map(|_| match seed % 8 {
            3 => Fr::ZERO,
            4 => Fr::from(255),
            _ => Fr::from(rng.next_u32() & 255),
        })
        .collect();
    bytes.resize(capacity, Fr::ZERO);
    bytes.push(Fr::from(length as u64));
    bytes
}

fn read(system: &mut System, inputs: &[Lc]) -> Bytes {
    match inputs.split_last() {
        Some((length, bytes)) => Bytes::new(system, bytes, length),
        None => Bytes::new(system, &[], &Lc::constant(Fr::ZERO)),
    }
}

fn buffer<const CAPACITY: usize>() -> Case {
    Gadget {
        name: "bytes::new",
        variant: format!("{CAPACITY} bytes"),
        inputs: |seed| (content(seed, CAPACITY), ()),
        build: |system, inputs, ()| {
            read(system, inputs);
        },
        forgeries: ends,
    }
    .case()
}

/// One end for each place that is none, with two ends that are, in a string of zeros, whatever the length then is: refused by the
/// row of that end alone, the last one's included.
fn ends(gadget: &Gadget<()>, shape: &R1cs) -> Vec<Forgery> {
    let capacity = shape.free.len() - 1;
    let forged = |name: String, chosen: Vec<Fr>| {
        let places = (0..=capacity as u64).map(Fr::from);
        let last = Fr::ONE - chosen.iter().sum::<Fr>();
        let length = chosen.iter().chain([&last]).zip(places);
        let length = length.map(|(end, place)| *end * place).sum();
        let mut inputs = vec![Fr::ZERO; capacity];
        inputs.push(length);
        let forger = named("end of a string", move |place, _| chosen[place]);
        Forgery::of(name, gadget.forged(&(inputs, ()), forger))
    };
    let mut all: Vec<Forgery> = (0..capacity)
        .map(|place| {
            let mut chosen = vec![Fr::ZERO; capacity];
            chosen[(place + 1) % capacity] = Fr::ONE;
            chosen[(place + 2) % capacity] = Fr::ONE;
            chosen[place] = -Fr::ONE;
            forged(format!("end {place} is negative"), chosen)
        })
        .collect();
    let mut two = vec![Fr::ZERO; capacity];
    two[0] = Fr::ONE;
    two[capacity - 1] = Fr::ONE;
    all.push(forged("two ends, and the last is negative".into(), two));
    all
}

/// What a block's rows are.
const PARTS: [&str; 8] = [
    "words::xor (three)",
    "words::xor (two)",
    "words::majority (three)",
    "system::product",
    "compare::bits (33 bits)",
    "compare::bits (34 bits)",
    "compare::bits (35 bits)",
    "compare::bits (36 bits)",
];

fn block() -> Case {
    let case = Gadget {
        name: "sha256::compress",
        variant: String::new(),
        inputs: |seed| {
            // All zeros, all ones, any.
            let words = (0..24).map(|index| match seed % 8 {
                0 | 1 => whole(seed, 32),
                _ => whole(8 * (24 * seed + index) + 3, 32),
            });
            (words.collect(), ())
        },
        build: |system, inputs, ()| {
            let words: [Word; 16] = std::array::from_fn(|word| Word::new(system, &inputs[word]));
            let state = std::array::from_fn(|word| Word::new(system, &inputs[16 + word]));
            compress(system, &State::of(state), &words);
        },
        forgeries: none,
    }
    .case();
    let copies = [&PARTS[..], &["words::new"]].concat();
    Case { copies, ..case }
}

fn string<const CAPACITY: usize>(buffer: &'static str) -> Case {
    let case = Gadget {
        name: "sha256::hash",
        variant: format!("{CAPACITY} bytes"),
        inputs: |seed| (content(seed, CAPACITY), ()),
        build: |system, inputs, ()| {
            let string = read(system, inputs);
            hash(system, &string);
        },
        forgeries: none,
    }
    .case();
    let copies = [&PARTS[..], &[buffer]].concat();
    Case { copies, ..case }
}
