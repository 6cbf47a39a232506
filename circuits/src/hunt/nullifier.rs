//! The hunt in the nullifier relation.

use ark_ff::{AdditiveGroup, Field, UniformRand};
use bauta_statement::field::Fr;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::case::{Forgery, Hunted, columns, forged, honest, named, starts};
use crate::{
    nullifier::NullifierWitness,
    relation::Circuit,
    system::{Assignment, Forger, R1cs},
};

impl Hunted for NullifierWitness {
    fn sample(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = match seed % 7 {
            0 => Fr::ZERO,
            _ => Fr::rand(&mut rng),
        };
        let random = u32::rand(&mut rng);
        let (counter, bound) = match seed % 6 {
            0 => (0, 1),
            1 => (0, u32::MAX),
            2 => (u32::MAX - 1, u32::MAX),
            3 => (random >> 1, (random >> 1) + 1),
            4 => (random % 10, 10),
            _ => (random >> 8, u32::MAX),
        };
        Self::new(secret, Fr::rand(&mut rng), counter, bound)
    }

    fn forgeries(shape: &R1cs) -> Vec<Forgery> {
        let witness = Self::new(Fr::from(7), Fr::from(8), 3, 9);
        let mut all = Vec::new();

        let hash = starts(shape, "hash")[0];
        let bound = starts(shape, "bound")[0];
        let equality = bound - 1;
        let mut other = witness.instances();
        other[1] += Fr::ONE;
        all.push(Forgery::of(
            "another nullifier",
            forged(&witness, &other, honest()),
        ));

        // A second nullifier of one use: the same secret, scope and counter, and one S-box that computes something else.
        let values = witness.assignment();
        for row in hash..equality {
            let column = shape.rows.at(row).c.first();
            let wrong = values.values()[column as usize] + Fr::ONE;
            let forger = || columns(vec![(column, wrong)]);
            all.push(Forgery::of(
                format!("S-box row {row} computes one more"),
                fitted(shape, &witness, equality, forger),
            ));
        }

        // A use beyond the bound, by a counter that is "below" every bound.
        let forger = || named("counter", |_, _| -Fr::ONE);
        let negative = fitted(shape, &witness, equality, forger);
        all.push(Forgery::overflow(shape, negative, bound, 32, "counter −1"));
        let spent = Self::new(Fr::from(7), Fr::from(8), 9, 9).assignment();
        all.push(Forgery::overflow(
            shape,
            spent,
            bound + 32,
            32,
            "the counter is the bound",
        ));
        all
    }
}

/// A dishonest run with the nullifier that it computes.
fn fitted(
    shape: &R1cs,
    witness: &NullifierWitness,
    equality: usize,
    forger: impl Fn() -> Forger,
) -> Assignment {
    let mut instances = witness.instances();
    let first = forged(witness, &instances, forger());
    // The row is (hash − nullifier)·1 = 0.
    instances[1] += shape.rows.at(equality).a.evaluate(first.values());
    forged(witness, &instances, forger())
}
