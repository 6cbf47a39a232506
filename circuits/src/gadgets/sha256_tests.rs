//! SHA-256 against its vectors and the sha2 crate; its length, padding and words against what a dishonest prover could say.

use ark_ff::PrimeField;
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::hunt::samples::hinted;
use crate::system::{Assignment, Column, R1cs};

/// The gadget over a buffer, length as an instance.
fn build(content: &[u8], capacity: usize, length: Fr, recording: bool) -> (System, [Lc; 8]) {
    let mut system = System::new(&[length], recording);
    let bytes = hinted(&mut system, content, capacity);
    let length = system.instance(0);
    let string = Bytes::new(&mut system, &bytes, &length);
    let digest = hash(&mut system, &string);
    (system, digest)
}

fn shape(capacity: usize) -> R1cs {
    build(&[], capacity, Fr::from(0), true).0.into_r1cs()
}

/// What the gadget says, and its assignment.
fn run(content: &[u8], capacity: usize) -> (Vec<u8>, Assignment) {
    let length = Fr::from(content.len() as u64);
    let (system, digest) = build(content, capacity, length, false);
    let words = digest.iter().flat_map(|word| {
        let integer = word.value().into_bigint().0;
        assert!(integer[0] <= MASK && integer[1..] == [0, 0, 0]);
        (integer[0] as u32).to_be_bytes()
    });
    (words.collect(), system.into_assignment())
}

/// Capacity for three blocks.
const ROOM: usize = 130;

/// Constraints of the compression function alone, with this state.
fn block(initial: bool) -> usize {
    let mut system = System::new(&[Fr::from(7)], true);
    let number = system.instance(0);
    let words: [Word; 16] = std::array::from_fn(|_| Word::new(&mut system, &number));
    let state = match initial {
        true => State::initial(),
        false => State::of(std::array::from_fn(|_| Word::new(&mut system, &number))),
    };
    system.region("block");
    compress(&mut system, &state, &words);
    let counts = system.into_r1cs().counts();
    counts.iter().map(|(_, count)| count).sum()
}

#[test]
fn a_block_costs_17380() {
    // Published: 25,538 (xJsnark), 29,380 (circomlib).
    assert_eq!(block(false), 17_380);
    assert_eq!(block(true), 17_187);
    let rows = |capacity| shape(capacity).rows.len();
    // With the buffer, and the choice of the last block.
    assert_eq!((rows(55), rows(119), rows(183)), (17_634, 35_605, 53_575));
}

/// NIST's examples for FIPS 180-4 ("abc", 448 and 896 bits: SHA256.pdf; the others: SHA2_Additional.pdf), and a CAVP response file
/// (SHA256ShortMsg.rsp, CAVS 21.3 of 2 August 2018) at the lengths where padding and blocks change.
fn vectors() -> Vec<(Vec<u8>, &'static str)> {
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    vec![
        (
            b"abc".to_vec(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_vec(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu".to_vec(),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (
            hex("bd"),
            "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b",
        ),
        (
            hex("c98c8e55"),
            "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504",
        ),
        (
            vec![0; 55],
            "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7",
        ),
        (
            vec![0; 56],
            "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb",
        ),
        (
            vec![0; 57],
            "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785",
        ),
        (
            vec![0; 64],
            "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
        ),
        (
            hex(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            hex("9e"),
            "35af2d15ebde4d67b29569ec19749e813c76f02286afc5a2a9871c2bfbdaab32",
        ),
        (
            hex("3ea674"),
            "ca5d7e63e0fd1b0472d2d02c75639b32f18c101956bbd5fd278c6f41651e2068",
        ),
        (
            hex("d0ccbf1f852c5f43525f3b90fedd7ae8fa262b6bf0077cdf9e192d55e58c44091d22018bac7e141cd79f0e5bd8a8162130e2dda93e03"),
            "c8dd8ee1be963934da13d68453234463d189917cc43151cf3d6ff0c41d7f99e6",
        ),
        (
            hex("177df9f1768f798c8ec59a1f36ed02856a62b090403090511e794d932b1867a90383856aaff60c79d4cef0ca2a33cb6130f92c5d1fc831"),
            "34416b20eef5474b6602ef98fb0b5f018086805b7b2df3ef1d4635502f631642",
        ),
        (
            hex("08f645ff0f9a765593bd419ff60a308d3b4e70e816388577455d3c1f237ee14d7b0eb3999aef95a3a87d064138cd53dd1d360b187f11b4b3"),
            "76f082a9a8e45c02a376ee1b42629cfb5db30e0ba1632f19cd28c96363f9da66",
        ),
        (
            hex("e17116dc56b4ac41fa94e356cb2c3932d959ecacf0c9be117755f5189891a717a2a13476ab4e14647959d3caa30e597df31d6fb80fa67fc958"),
            "32821cf9348d03b17b13a163b6d84a9819ddfa6da9afdd911f8e3aa7d4f18db0",
        ),
        (
            hex("c3e81f34b716b165addda4fce195ba39e3a496ccf44f3746b3d0c0cef9a87a1501361b8ccc8949d4c3735a759fde5ed486635f5f7619e70be7abc300acae07"),
            "2775a3f9bb46a4fda00eef650b45db52a8e8c948b6eff3b7a8206544de4f3ba0",
        ),
        (
            hex("3d007ab1483de3511ce9a7edc7a9610bcacac0ec6f3d7cb45de08fcc6a00a185b01bc4fee3ea6147e29e72c68b6bf2dad44392bf17e4aeb2ae147f55c02b9254"),
            "b9e850d487a74e6b8e07330b7648b6c1aa84cdcc16b238c96d47613de313e2f9",
        ),
    ]
}

#[test]
fn equals_the_published_vectors() {
    let shape = shape(ROOM);
    for (message, digest) in vectors() {
        let (found, assignment) = run(&message, ROOM);
        assert_eq!(HEXLOWER.encode(&found), digest, "{} bytes", message.len());
        assert_eq!(shape.check(&assignment), Ok(()), "{} bytes", message.len());
    }
}

/// At every length around the ends of blocks, also where the buffer is full.
#[test]
fn equals_the_native_hash_at_every_length_that_matters() {
    for capacity in [0, 1, 55, 56, 63, 64, 119, 120, ROOM] {
        let shape = shape(capacity);
        for length in [
            0, 1, 2, 54, 55, 56, 57, 62, 63, 64, 65, 118, 119, 120, 121, 127, 128, 129, 130,
        ] {
            if length > capacity {
                continue;
            }
            let message: Vec<u8> = (0..length).map(|i| (i * i + 7 * length) as u8).collect();
            let (found, assignment) = run(&message, capacity);
            assert_eq!(
                found,
                Sha256::digest(&message).to_vec(),
                "{length} of {capacity}"
            );
            assert_eq!(shape.check(&assignment), Ok(()), "{length} of {capacity}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn equals_the_native_hash(message in proptest::collection::vec(any::<u8>(), 0..ROOM), room in 0usize..70) {
        let (found, _) = run(&message, message.len() + room);
        prop_assert_eq!(found, Sha256::digest(&message).to_vec());
    }
}

/// Columns of the hints of a name.
fn columns(shape: &R1cs, name: &str) -> Vec<usize> {
    let named = shape
        .names
        .iter()
        .enumerate()
        .filter(|(_, other)| **other == name);
    named.map(|(index, _)| shape.instances + index).collect()
}

/// Everything computed anew from these ends and this length.
fn with_ends(content: &[u8], capacity: usize, length: Fr, ends: &[Fr]) -> Assignment {
    let mut system = System::new(&[length], false);
    let ends = ends.to_vec();
    let mut met = 0;
    system.forge(Box::new(move |_: Column, name, honest| {
        if name != "end of a string" {
            return honest;
        }
        met += 1;
        ends[met - 1]
    }));
    let bytes = hinted(&mut system, content, capacity);
    let wire = system.instance(0);
    let string = Bytes::new(&mut system, &bytes, &wire);
    hash(&mut system, &string);
    system.into_assignment()
}

/// 1 at these places.
fn ones(capacity: usize, places: &[usize]) -> Vec<Fr> {
    (0..capacity)
        .map(|place| Fr::from(places.contains(&place)))
        .collect()
}

#[test]
fn a_string_ends_once_and_nothing_follows() {
    let room = 40;
    let shape = shape(room);
    let accepted = |content: &[u8], length: Fr, ends: &[Fr]| {
        shape.check(&with_ends(content, room, length, ends)).is_ok()
    };
    let number = |length: usize| Fr::from(length as u64);
    assert!(accepted(b"abc", number(3), &ones(room, &[3])));
    // Zeros at the end belong to it or not, as the length says.
    assert!(accepted(b"abc", number(4), &ones(room, &[4])));
    assert!(accepted(b"abc", number(room), &ones(room, &[])));
    // Bytes after the end.
    assert!(!accepted(b"abc", number(2), &ones(room, &[2])));
    assert!(!accepted(b"abc", number(0), &ones(room, &[0])));
    // With the end that the row of such a byte lets pass, 1 + T, alone and with what makes the sum 1 again.
    let mut more = ones(room, &[]);
    more[2] = Fr::from(1 + u64::from(b'c'));
    assert!(!accepted(b"abc", number(2), &more));
    more[9] = -Fr::from(u64::from(b'c'));
    assert!(!accepted(b"abc", number(2), &more));
    // Two ends, none, halves, one that is none.
    assert!(!accepted(b"abc", number(8), &ones(room, &[3, 5])));
    assert!(!accepted(b"abc", number(3), &ones(room, &[])));
    let mut halves = ones(room, &[]);
    halves[3] = Fr::from(2).inverse().unwrap();
    halves[5] = halves[3];
    assert!(!accepted(b"abc", number(4), &halves));
    let mut signed = ones(room, &[4, 6]);
    signed[5] = -Fr::ONE;
    assert!(!accepted(b"abc", number(5), &signed));
    // Another length than the end's, one beyond the buffer, a negative one.
    assert!(!accepted(b"abc", number(4), &ones(room, &[3])));
    assert!(!accepted(b"abc", number(room + 1), &ones(room, &[])));
    assert!(!accepted(b"abc", -Fr::ONE, &ones(room, &[])));
}

/// More than there is room for satisfies nothing.
#[test]
fn a_string_that_is_too_long_is_refused() {
    let shape = shape(8);
    let (system, _) = build(b"123456789", 8, Fr::from(9), false);
    assert!(shape.check(&system.into_assignment()).is_err());
}

/// A byte is below 2^8, or σ and Σ would read bits that are none.
#[test]
fn a_byte_is_a_byte() {
    let shape = shape(4);
    for wrong in [Fr::from(256), -Fr::ONE, Fr::from(3) / Fr::from(2)] {
        let mut system = System::new(&[Fr::from(4)], false);
        let bytes: Vec<Lc> = (0..4).map(|_| system.hint("byte", wrong)).collect();
        let length = system.instance(0);
        let string = Bytes::new(&mut system, &bytes, &length);
        hash(&mut system, &string);
        assert!(shape.check(&system.into_assignment()).is_err());
    }
}

/// What one row says of booleans, and why bits must be proven: of others it says something else.
#[test]
fn parity_and_majority_are_unique_for_bits() {
    let build = |inputs: [Fr; 3], output: Option<Fr>, recording: bool| {
        let mut system = System::new(&inputs, recording);
        if let Some(output) = output {
            system.forge(Box::new(move |_, _, _| output));
        }
        let [x, y, z] = [0, 1, 2].map(|index| system.instance(index));
        xor(&mut system, &x, &y, &z);
        majority(&mut system, &x, &y, &z);
        system
    };
    let shape = build([Fr::ONE; 3], None, true).into_r1cs();
    let holds = |inputs, output| {
        shape
            .check(&build(inputs, output, false).into_assignment())
            .is_ok()
    };
    // For booleans there is exactly one solution.
    for bits in 0..8u64 {
        let inputs = [0, 1, 2].map(|bit| Fr::from(bits >> bit & 1));
        assert!(holds(inputs, None));
        let ones = bits.count_ones() as u64;
        for output in 0..3u64 {
            let both = output == ones % 2 && output == ones / 2;
            assert_eq!(holds(inputs, Some(Fr::from(output))), both);
        }
    }
    // Where 2s = 3 there is none: 0 = ∓s.
    let half = Fr::from(2).inverse().unwrap();
    assert!(!holds([half; 3], None) && !holds([half; 3], Some(Fr::from(5))));
    // For others there is one, and it is no bit.
    let assignment = build([Fr::from(5), Fr::ONE, Fr::ONE], None, false).into_assignment();
    assert_eq!(shape.check(&assignment), Ok(()));
    let parity = assignment.values()[columns(&shape, "parity")[0]];
    assert!(parity != Fr::from(0) && parity != Fr::ONE);
}

/// Dishonest provers: of each kind of hint the first, the last and one between, chosen otherwise in several ways, with everything
/// after it computed anew.
#[test]
fn no_hint_alone_can_be_another() {
    let (message, room) = (b"a message", 60);
    let shape = shape(room);
    let run = |column: Column, change: fn(Fr) -> Fr| {
        let mut system = System::new(&[Fr::from(message.len() as u64)], false);
        system.forge(Box::new(move |other, _, honest| {
            if other == column {
                change(honest)
            } else {
                honest
            }
        }));
        let bytes = hinted(&mut system, message, room);
        let length = system.instance(0);
        let string = Bytes::new(&mut system, &bytes, &length);
        hash(&mut system, &string);
        system.into_assignment()
    };
    for name in [
        "bit",
        "parity",
        "majority",
        "product",
        "end of a string",
        "sum of bytes",
    ] {
        let columns = columns(&shape, name);
        for column in [
            columns[0],
            columns[columns.len() / 2],
            columns[columns.len() - 1],
        ] {
            for change in [
                |value: Fr| value + Fr::ONE,
                |value: Fr| Fr::ONE - value,
                |value: Fr| value + Fr::from(5),
            ] {
                let assignment = run(column as Column, change);
                assert!(shape.check(&assignment).is_err(), "{name}, column {column}");
            }
        }
    }
}
