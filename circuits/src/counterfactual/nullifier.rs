//! Dishonest provers of the nullifier relation: one use more.

use ark_ff::Field;
use bauta_statement::{
    field::Fr,
    poseidon,
    relation::{Relation, nullifier_domain},
};

use super::{Hint, Layout, Table, alias_bits, carried, forged, heaped};
use crate::{Circuit, nullifier::NullifierWitness, system::Column};

const COUNTER: Hint = ("hash", "counter");
const BIT: Hint = ("bound", "bit");
const BOUND: u32 = 5;

pub(super) fn honest() -> NullifierWitness {
    NullifierWitness::new(Fr::from(77), Fr::from(88), 3, BOUND)
}

/// The instances of somebody who hashes another counter.
fn instances(counter: Fr) -> Vec<Fr> {
    let mut instances = honest().instances();
    instances[1] = poseidon::hash(&[nullifier_domain(), instances[0], instances[2], counter]);
    instances
}

pub(super) fn table() -> Table {
    let witness = honest();
    let mut table = Table::new(&witness);
    let layout = Layout::of(Relation::Nullifier);
    let counter: Column = layout.columns(COUNTER.0, COUNTER.1)[0];
    let bits = layout.columns(BIT.0, BIT.1).to_vec();
    let (lower, upper) = bits.split_at(31);

    let bound = Fr::from(BOUND);
    let two_32 = Fr::from(1u64 << 32);
    for (what, value) in [
        ("counter = bound", bound),
        ("counter = bound + 1", bound + Fr::ONE),
        ("counter = −1", -Fr::ONE),
        ("counter = 2^32", two_32),
        ("counter = 2^32 + 1", two_32 + Fr::ONE),
        // bound − counter − 1 = 2^32 − 1 is in range here.
        ("counter = bound − 2^32", bound - two_32),
        ("counter = ½", Fr::from(2).inverse().unwrap_or_default()),
    ] {
        let run = |mut more: Vec<(Column, Fr)>| {
            more.push((counter, value));
            forged(&witness, &instances(value), more)
        };
        table.refused(what, &[COUNTER], &["bound"], run(Vec::new()));
        let alias = alias_bits(lower, value);
        table.refused(
            format!("{what}, its bits those of counter + r"),
            &[COUNTER, BIT],
            &["bound"],
            run(alias),
        );
        let alias = alias_bits(upper, bound - value - Fr::ONE);
        table.refused(
            format!("{what}, the difference's bits those of it + r"),
            &[COUNTER, BIT],
            &["bound"],
            run(alias),
        );
    }
    for position in [0, 30] {
        let mut values = heaped(lower, two_32, position);
        values.push((counter, two_32));
        table.refused(
            format!("counter = 2^32, all of it in bit {position}"),
            &[COUNTER, BIT],
            &["bound"],
            forged(&witness, &instances(two_32), values),
        );
    }
    let honest = witness.assignment();
    table.refused(
        "two bits that carry into each other",
        &[BIT],
        &["bound"],
        forged(&witness, &witness.instances(), carried(lower, &honest)),
    );
    // The last S-box gives whatever makes the nullifier one more.
    let shape = table.layout.shape;
    let column = *table.layout.products["hash"].last().unwrap();
    let comparison = (0..shape.rows.len()).rfind(|row| shape.region_of(*row) == "hash");
    let terms = shape.rows.at(comparison.unwrap()).a;
    let factor = terms.iter().find(|(other, _)| *other == column).unwrap().1;
    let mut chosen = witness.instances();
    chosen[1] += Fr::ONE;
    let output = honest.values()[column as usize] + Fr::ONE / factor;
    table.refused(
        "an S-box whose output is chosen for a nullifier",
        &[],
        &["hash"],
        forged(&witness, &chosen, vec![(column, output)]),
    );
    table.refused(
        "another counter for the same nullifier",
        &[COUNTER],
        &["hash"],
        forged(&witness, &witness.instances(), vec![(counter, Fr::from(4))]),
    );
    table
}
