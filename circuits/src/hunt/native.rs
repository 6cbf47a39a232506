//! The hunt in possession of a native credential, and the forgeries of its ladder.

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, UniformRand};
use bauta_statement::{
    babyjubjub::{Scalar, base},
    eddsa::{self, Signature, SigningKey},
    field::Fr,
    vector::{self, AttributeVector, Format, ORIGIN, SECRET, absent},
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::case::{Excuse, Forgery, Hunted, forged, hints, named};
use crate::{
    possession::native::NativeWitness,
    relation::Circuit,
    system::{Assignment, R1cs, Row},
};

/// Bits of a challenge.
const CHALLENGE: u32 = 254;
/// How many of its top bits are compared with the modulus.
pub(super) const TOP: usize = 64;

impl Hunted for NativeWitness {
    fn sample(seed: u64) -> Self {
        let (key, mut witness) = unsigned(seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 1);
        witness.signature = key.sign(&mut rng, &message(&witness));
        witness
    }

    fn forgeries(shape: &R1cs) -> Vec<Forgery> {
        let forger = named("top of h", |_, honest| honest - Fr::ONE);
        let good = Self::sample(1);
        let lower = forged(&good, &good.instances(), forger);
        let first = top_row(shape) + 1;
        vec![
            Forgery::of("the top of h is one less than its digits say", lower),
            Forgery::overflow(shape, alias(), first, TOP, "the digits of h + r"),
        ]
    }

    fn excuses() -> Vec<Excuse> {
        vec![Excuse {
            case: "babyjubjub::ladder",
            reason: "a digit that is none makes another R8, so another challenge, so other digits: whoever forges this in \
                     the whole relation has inverted Poseidon",
            rows: |shape| {
                // The square of v, then the 64 digits that also fix the top of h.
                let digits = digit_rows(shape);
                let square = shape.rows.at(digits[0]).c.first();
                let defines =
                    |row: Row<'_>| row.c.len() == 1 && row.c.first() == square && row.a == row.b;
                let square_row = shape.rows.iter().position(defines);
                square_row
                    .into_iter()
                    .chain(digits.into_iter().take(TOP))
                    .collect()
            },
        }]
    }
}

/// The rows v_T² = v_Q², the highest digit first.
pub(super) fn digit_rows(shape: &R1cs) -> Vec<usize> {
    let digits = hints(shape, "digit of h");
    let squares = |column: &u32| {
        let is_square =
            |row: Row<'_>| row.a == row.b && row.a.len() == 1 && row.a.first() == *column;
        shape.rows.iter().position(is_square)
    };
    digits.iter().filter_map(squares).collect()
}

/// The row that ties the top of h to its digits; the range follows.
pub(super) fn top_row(shape: &R1cs) -> usize {
    let top = hints(shape, "top of h")[0];
    let is_it = |row: Row<'_>| row.b.iter().any(|(column, _)| column == top);
    shape.rows.iter().position(is_it).unwrap()
}

/// A credential with a signature yet to be made, and the issuer's key.
fn unsigned(seed: u64) -> (SigningKey, NativeWitness) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let key = match seed % 9 {
        // The key B8 itself, and its negative.
        3 => SigningKey::from_bytes(&scalar_bytes(Scalar::ONE)).unwrap(),
        5 => SigningKey::from_bytes(&scalar_bytes(-Scalar::ONE)).unwrap(),
        _ => SigningKey::generate(&mut rng),
    };
    let schema_rule = Fr::rand(&mut rng);
    let slots = std::array::from_fn(|_| match rng.next_u32() % 6 {
        0 => Fr::ZERO,
        1 => Fr::ONE,
        2 => Fr::from(u64::MAX),
        3 => absent(),
        _ => Fr::rand(&mut rng),
    });
    let mut vector = AttributeVector(slots);
    vector.0[ORIGIN] = vector::origin(Format::Native, key.public_key().digest(), schema_rule);
    let witness = NativeWitness {
        vector,
        issuer_key: key.public_key(),
        signature: NativeWitness::blank().signature,
        blinding: match seed % 8 {
            7 => Fr::ZERO,
            _ => Fr::rand(&mut rng),
        },
        schema_rule,
    };
    (key, witness)
}

fn message(witness: &NativeWitness) -> Fr {
    let commitment = vector::commitment(witness.vector.get(SECRET), witness.blinding);
    vector::native_message(&witness.vector, commitment)
}

fn scalar_bytes(scalar: Scalar) -> [u8; 32] {
    let bytes = scalar.into_bigint().to_bytes_le();
    std::array::from_fn(|index| bytes[index])
}

/// A signature for the integer h + r instead of h, which is another multiple of the key but the same field element. Only the
/// issuer can make it; the top of h is then out of range, and nothing else is wrong.
fn alias() -> Assignment {
    let (key, mut witness) = unsigned(2);
    let secret = Scalar::from_le_bytes_mod_order(key.to_bytes().as_ref());
    for attempt in 1u64.. {
        let nonce = Scalar::from(attempt);
        let r8 = (base() * nonce).into_affine();
        let h = eddsa::challenge(&r8, &witness.issuer_key, &message(&witness)).into_bigint();
        let mut other = h;
        other.add_with_carry(&Fr::MODULUS);
        // Three of ten challenges have an alias of 254 bits.
        if other.num_bits() > CHALLENGE {
            continue;
        }
        let multiplier = Scalar::from_le_bytes_mod_order(&other.to_bytes_le());
        witness.signature = Signature {
            r8,
            s: nonce + Scalar::from(8u64) * multiplier * secret,
        };
        let mut digit = named("digit of h", move |index, value| {
            let position = CHALLENGE as usize - 1 - index;
            if h.get_bit(position) == other.get_bit(position) {
                value
            } else {
                -value
            }
        });
        let top = other.0;
        let forger = Box::new(move |column, name: &'static str, value| match name {
            "top of h" => top_of(&top),
            _ => digit(column, name, value),
        });
        return forged(&witness, &witness.instances(), forger);
    }
    unreachable!("some challenge has an alias")
}

/// The top 64 of 254 bits.
fn top_of(limbs: &[u64; 4]) -> Fr {
    Fr::from((limbs[3] << 2) | (limbs[2] >> 62))
}
