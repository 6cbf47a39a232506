//! Random and structured changes of satisfied assignments, which some row must refuse.
//!
//! What this cannot see: rank misses what is discrete (another root, x + r instead of x), and a change of a few columns at
//! random misses what only holds in combination (all the bits of x + r, a point of low order with all that follows from
//! it). The counterfactual provers (`counterfactual/`) try those one by one.

use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, UniformRand};
use bauta_statement::field::Fr;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::{
    case::Case,
    probe::{Mentions, Probe},
};
use crate::system::Column;

/// What came of it.
pub(crate) struct Mutations {
    /// Changes tried, none of which left everything as it was.
    pub(crate) tried: usize,
    /// Accepted ones that move no listed column: holes. What was done, and to which columns.
    pub(crate) holes: Vec<String>,
    /// Accepted ones that move a listed column too.
    pub(crate) listed: usize,
    /// Inputs that may be changed unnoticed in every one of the assignments.
    pub(crate) idle_inputs: BTreeSet<Column>,
}

/// How many satisfied assignments are changed, and lend values to each other.
const POOL: u64 = 8;

/// Changes satisfied assignments of a case `count` times: every column as often, each time in another way.
pub(crate) fn mutate(case: &Case, mentions: &Mentions, count: usize, seed: u64) -> Mutations {
    let shape = case.shape.as_ref();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut pool: Vec<Probe<'_>> = (0..POOL)
        .map(|index| Probe::new(shape, mentions, &(case.sample)(seed + index)))
        .collect();
    // Samples that are refused are complained of elsewhere.
    pool.retain(|probe| probe.failing().is_empty());
    let listed: BTreeSet<Column> = shape.free.iter().map(|(column, _)| *column).collect();
    let mut found = Mutations {
        tried: 0,
        holes: Vec::new(),
        listed: 0,
        idle_inputs: (1..shape.instances as Column).collect(),
    };
    for probe in &pool {
        found.idle_inputs.retain(|column| {
            let other = probe.values[*column as usize] + Fr::ONE;
            probe.failing_with(&[(*column, other)]).is_empty()
        });
    }
    if shape.witnesses == 0 || pool.is_empty() {
        return found;
    }
    // A gadget with a few columns has not so many changes that change something: give up after as many draws again.
    let mut draws = 0;
    while found.tried < count && draws < 2 * count {
        let (probe, lender) = (
            &pool[draws % pool.len()],
            &pool[rng.next_u64() as usize % pool.len()],
        );
        let first = shape.instances + (draws / pool.len()) % shape.witnesses;
        draws += 1;
        let (kind, mut changes) = change(probe, lender, shape.instances, first, &mut rng);
        changes.retain(|(column, value)| probe.values[*column as usize] != *value);
        if changes.is_empty() {
            continue;
        }
        found.tried += 1;
        if !probe.failing_with(&changes).is_empty() {
            continue;
        }
        if changes.iter().any(|(column, _)| listed.contains(column)) {
            found.listed += 1;
        } else {
            let columns: Vec<String> = changes
                .iter()
                .map(|(column, _)| super::rank::describe(shape, *column))
                .collect();
            found.holes.push(format!("{kind}: {}", columns.join(", ")));
        }
    }
    found
}

/// One change, of the column `first` at least.
fn change(
    probe: &Probe<'_>,
    lender: &Probe<'_>,
    instances: usize,
    first: usize,
    rng: &mut ChaCha20Rng,
) -> (&'static str, Vec<(Column, Fr)>) {
    let values = &probe.values;
    let value = values[first];
    let end = values.len();
    let mut other = || instances + rng.next_u64() as usize % (end - instances);
    let (next, any) = ((first + 1).min(end - 1), other());
    let column = first as Column;
    let one = |value: Fr| vec![(column, value)];
    let two = |at: usize, here: Fr, there: Fr| match at == first {
        true => vec![(column, here)],
        false => vec![(column, here), (at as Column, there)],
    };
    match rng.next_u32() % 20 {
        0 => ("one more", one(value + Fr::ONE)),
        1 => ("one less", one(value - Fr::ONE)),
        2 => ("negative", one(-value)),
        3 => ("zero", one(Fr::ZERO)),
        4 => ("one", one(Fr::ONE)),
        5 => ("2^64 more", one(value + Fr::from(1u128 << 64))),
        6 => ("2^64 less", one(value - Fr::from(1u128 << 64))),
        7 => {
            let mut integer = value.into_bigint();
            integer.0[rng.next_u32() as usize % 4] ^= 1 << (rng.next_u32() % 64);
            let bytes = integer.to_bytes_le();
            ("a bit flipped", one(Fr::from_le_bytes_mod_order(&bytes)))
        }
        8 => ("double", one(value.double())),
        9 => ("square", one(value.square())),
        10 => ("inverse", one(value.inverse().unwrap_or_default())),
        11 => ("random", one(Fr::rand(rng))),
        12 => ("one minus", one(Fr::ONE - value)),
        13 => ("that of another witness", one(lender.values[first])),
        14 => ("that of another column", one(values[any])),
        15 => ("swapped with another", two(any, values[any], value)),
        16 => ("swapped with the next", two(next, values[next], value)),
        17 => (
            "two neighbours with one sum",
            two(next, value + Fr::ONE, values[next] - Fr::ONE),
        ),
        18 => (
            "two neighbours as bits: two here for one there",
            two(next, value + Fr::from(2), values[next] - Fr::ONE),
        ),
        _ => {
            let length = 2 + rng.next_u32() as usize % 15;
            let block = first..(first + length).min(end);
            let taken = block.map(|column| (column as Column, lender.values[column]));
            ("a block of another witness", taken.collect())
        }
    }
}
