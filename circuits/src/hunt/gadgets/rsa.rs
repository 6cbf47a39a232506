//! Integers of many limbs, products modulo one, and RSA. Each by itself with free inputs, of as few limbs as have all that it is made of
//! (several groups of coefficients, with carries between); RSA with 512 bits. The size is a number in the same code.

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{field::Fr, rsa_key::possession_digest};
use num_bigint::BigUint;
use rand_chacha::rand_core::RngCore;
use sha2::{Digest, Sha256};

use super::{bits, none, plain, rng};
use crate::{
    gadgets::{
        holder::has_signed,
        modular::{Bounded, Modulus},
        natural::{LIMB, Natural, less_than},
        rsa::{EXPONENT, PublicKey, verify},
        rsa_key::digest,
    },
    hunt::case::{Case, Forgery, Gadget, named},
    system::{Lc, R1cs, System},
};

pub(super) fn all() -> Vec<Case> {
    let mut all = ranges();
    all.extend([
        plain(
            "natural::new",
            "2 limbs",
            |seed| (limbs(&number(seed, 2), 2), ()),
            |system, inputs, ()| {
                Natural::new(system, inputs.to_vec());
            },
        ),
        Gadget {
            name: "natural::witness",
            variant: "2 limbs".into(),
            inputs: |seed| (limbs(&number(seed, 2), 2), number(seed, 2)),
            build: |system, inputs, value| {
                let number = Natural::witness(system, "limb", value, 2);
                for (limb, input) in number.limbs().iter().zip(inputs) {
                    system.enforce_equal(limb, input);
                }
            },
            forgeries: none,
        }
        .case(),
        order::<13>(),
        order::<32>(),
        plain(
            "modular::square_lazily",
            "32 limbs",
            |seed| (factors::<32>(seed).0, ()),
            |system, inputs, ()| {
                let [modulus, x] = halves(inputs);
                let modulus = Modulus::new(&modulus);
                modulus.square_lazily(system, &modulus.factor(&x));
            },
        ),
        plain(
            "modular::square",
            "8 limbs",
            |seed| (factors::<8>(seed).0, ()),
            |system, inputs, ()| {
                let [modulus, x] = halves(inputs);
                let modulus = Modulus::new(&modulus);
                modulus.square(system, &modulus.factor(&x));
            },
        ),
        plain(
            "modular::square",
            "8 limbs, of a lazy one",
            |seed| (factors::<8>(seed).0, ()),
            |system, inputs, ()| {
                let [modulus, x] = halves(inputs);
                let modulus = Modulus::new(&modulus);
                let lazy = modulus.square_lazily(system, &modulus.factor(&x));
                modulus.square(system, &lazy);
            },
        ),
        plain(
            "modular::product_is",
            "16 limbs",
            |seed| {
                let (mut inputs, [modulus, x]) = factors::<16>(seed);
                inputs.extend(limbs(&(&x * &x % modulus), 16));
                (inputs, ())
            },
            |system, inputs, ()| {
                let [modulus, x] = halves(&inputs[..32]);
                let modulus = Modulus::new(&modulus);
                let x = modulus.factor(&x);
                modulus.product_is(system, &x, &x, &bounded(&inputs[32..]));
            },
        ),
        plain(
            "rsa_key::digest",
            "",
            |seed| {
                let highest = BigUint::from(1u8) << 2047;
                (limbs(&(number(seed, 128) | highest), 128), ())
            },
            |system, inputs, ()| {
                let key = PublicKey::new(system, &Natural::of(inputs.to_vec()));
                digest(system, &key);
            },
        ),
        plain(
            "rsa::new",
            "a key",
            |seed| {
                let mut limbs = vec![Fr::from(seed); 32];
                limbs[31] = Fr::from([32_768, 65_535, 40_000][seed as usize % 3]);
                (limbs, ())
            },
            |system, inputs, ()| {
                PublicKey::new(system, &Natural::of(inputs.to_vec()));
            },
        ),
    ]);
    all.push(power());
    all.push(signature());
    all.push(possession());
    all
}

/// The widths of carries and of what is folded, for 8 and for 32 limbs.
fn ranges() -> Vec<Case> {
    macro_rules! widths {
        ($($width:literal)+) => { vec![$(bits::<$width>()),+] };
    }
    widths!(15 16 19 20 21 22 57 58 61 62 63)
}

/// An integer of so many limbs: 0, all ones, any.
fn number(seed: u64, limbs: usize) -> BigUint {
    let mut bytes = vec![0; 2 * limbs];
    match seed % 8 {
        0 => {}
        1 => bytes.fill(0xff),
        _ => rng(seed).fill_bytes(&mut bytes),
    }
    BigUint::from_bytes_le(&bytes)
}

fn limbs(number: &BigUint, count: usize) -> Vec<Fr> {
    let bytes = number.to_bytes_le();
    let byte = |place: usize| u64::from(bytes.get(place).copied().unwrap_or_default());
    let limbs = (0..count).map(|limb| Fr::from(byte(2 * limb) + 256 * byte(2 * limb + 1)));
    limbs.collect()
}

/// A modulus with its highest bit, and a factor below it.
fn factors<const LIMBS: usize>(seed: u64) -> (Vec<Fr>, [BigUint; 2]) {
    let half = BigUint::from(1u8) << (16 * LIMBS - 1);
    let modulus = number(seed, LIMBS) | half;
    let x = number(seed + 100, LIMBS) % &modulus;
    let inputs = [limbs(&modulus, LIMBS), limbs(&x, LIMBS)].concat();
    (inputs, [modulus, x])
}

fn halves(inputs: &[Lc]) -> [Natural; 2] {
    let (modulus, x) = inputs.split_at(inputs.len() / 2);
    [modulus, x].map(|limbs| Natural::of(limbs.to_vec()))
}

fn bounded(limbs: &[Lc]) -> Vec<Bounded> {
    let bounded = limbs.iter().map(|limb| Bounded::of_bits(limb, LIMB));
    bounded.collect()
}

/// Two integers of which the second is greater, first in each word in turn.
fn order<const LIMBS: usize>() -> Case {
    Gadget {
        name: "natural::less_than",
        variant: format!("{LIMBS} limbs"),
        inputs: |seed| {
            let word = (LIMBS.div_ceil(5) as u64 - 1 - seed % LIMBS.div_ceil(5) as u64) as usize;
            let top = number(seed + 2, LIMBS);
            let low = (&top >> (80 * (word + 1))) << (80 * (word + 1));
            let high = &low + (BigUint::from(1 + seed % 8) << (80 * word));
            let low = low + (number(seed + 3, LIMBS) % (BigUint::from(1u8) << (80 * word)));
            ([limbs(&low, LIMBS), limbs(&high, LIMBS)].concat(), ())
        },
        build: |system, inputs, ()| {
            let [low, high] = halves(inputs);
            less_than(system, &low, &high);
        },
        forgeries: choices,
    }
    .case()
}

/// Each choice −1 beside two that are 1, for numbers of which the first is not below the second: the row of that choice alone
/// refuses it.
fn choices(gadget: &Gadget<()>, shape: &R1cs) -> Vec<Forgery> {
    let count = shape.free.len() / 2;
    let words = count.div_ceil(5);
    let last = words - 1;
    // From the highest word to the lowest.
    let forged = |wrong: usize| {
        let mut chosen = vec![Fr::ZERO; words];
        // One at the last word, or where the last is wrong, two before it, so that none is open there.
        let others = match wrong {
            _ if wrong == last => [0, 1],
            0 => [1, last],
            _ => [0, last],
        };
        for other in others {
            chosen[other] = Fr::ONE;
        }
        chosen[wrong] = -Fr::ONE;
        // Where nothing is open the words may differ.
        let mut open = Fr::ONE;
        let mut inputs = vec![Fr::ZERO; 2 * count];
        let mut placed = false;
        for word in 0..words {
            open -= chosen[word];
            if !placed && (open == Fr::ZERO || word == last) && chosen[word] != Fr::ZERO {
                // dᵢ·pᵢ = 1.
                inputs[count + 5 * (last - word)] = chosen[word];
                placed = true;
            }
        }
        let forger = named("first word that differs", move |word, _| chosen[word]);
        let name = format!("the choice of word {wrong} from the top is −1");
        Forgery::of(name, gadget.forged(&(inputs, ()), forger))
    };
    (0..words).map(forged).collect()
}

const PARTS: [&str; 2] = ["system::product", "system::enforce_equal"];

/// Ranges of these widths.
macro_rules! ranged {
    ($($width:literal)+) => { [$(concat!("compare::range (", $width, " bits)")),+] };
}

fn power() -> Case {
    let case = plain(
        "modular::power_65537_is",
        "8 limbs",
        |seed| {
            let (mut inputs, [modulus, x]) = factors::<8>(seed);
            inputs.extend(limbs(&x.modpow(&EXPONENT.into(), &modulus), 8));
            (inputs, ())
        },
        |system, inputs, ()| {
            let [modulus, x] = halves(&inputs[..16]);
            let result = bounded(&inputs[16..]);
            Modulus::new(&modulus).power_65537_is(system, &x, &result);
        },
    );
    let copies = [&PARTS[..], &ranged!(16 20 57)].concat();
    Case { copies, ..case }
}

/// A key of 512 bits made for this (openssl genrsa 512).
fn key() -> [BigUint; 2] {
    let primes = [
        "d9c2c93c47f40030d7a512d4a81365625d0e114276e1f6e1cea91c04c047645b",
        "d7eed3879640696c605b5300a9db1e82d335e79f9932f846c584b802b0182df7",
    ];
    let [p, q] = primes.map(|prime| BigUint::parse_bytes(prime.as_bytes(), 16).unwrap());
    let order = (&p - 1u8) * (&q - 1u8);
    [p * q, BigUint::from(EXPONENT).modinv(&order).unwrap()]
}

/// What the key signs a message with this digest by.
fn sign(digest: &[u8]) -> BigUint {
    let encoded = [
        &[0x00, 0x01][..],
        &[0xff; 10],
        &[0x00, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09],
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        &[0x05, 0x00, 0x04, 0x20],
        digest,
    ];
    let [modulus, secret] = key();
    BigUint::from_bytes_be(&encoded.concat()).modpow(&secret, &modulus)
}

fn signature() -> Case {
    let case = Gadget {
        name: "rsa::verify",
        variant: "512 bits".into(),
        inputs: |seed| {
            let digest = Sha256::digest(seed.to_be_bytes());
            let words = digest.chunks(4).map(|word| {
                let word = word.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                Fr::from(word)
            });
            (words.collect(), sign(&digest))
        },
        build: |system: &mut System, inputs, signature: &BigUint| {
            let words: &[Lc; 8] = inputs.try_into().unwrap();
            let [modulus, _] = key();
            let modulus = Natural::witness(system, "modulus", &modulus, 32);
            let signature = Natural::witness(system, "signature", signature, 32);
            let key = PublicKey::new(system, &modulus);
            verify(system, &key, &signature, words);
        },
        forgeries: none,
    }
    .case();
    let copies = signature_parts();
    Case { copies, ..case }
}

fn signature_parts() -> Vec<&'static str> {
    let ranges = ranged!(15 16 19 20 22 58 61 62 63);
    [&PARTS[..], &ranges, &["natural::less_than (32 limbs)"]].concat()
}

/// The same of a constant message: the modulus is what is free.
fn possession() -> Case {
    let case = Gadget {
        name: "holder::has_signed",
        variant: "512 bits".into(),
        inputs: |_| {
            let [modulus, _] = key();
            (limbs(&modulus, 32), sign(&possession_digest()))
        },
        build: |system: &mut System, inputs, signature: &BigUint| {
            let key = PublicKey::new(system, &Natural::of(inputs.to_vec()));
            has_signed(system, &key, signature);
        },
        forgeries: none,
    }
    .case();
    // Of the digest's carry no bit is needed by rank: its words are constants.
    let copies = [&signature_parts()[..], &ranged!(21)].concat();
    Case { copies, ..case }
}
