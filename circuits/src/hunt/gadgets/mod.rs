//! Every gadget by itself: the one table of them. A test compares it with the source: a public function that takes a
//! `system` and has no case here fails it.

use ark_ff::{AdditiveGroup, Field, PrimeField, UniformRand};
use bauta_statement::{
    field::Fr,
    tree::{ARITY, NonMembership, Path, QuaternaryTree, RevocationTree, VALUE_SET_DEPTH},
    vector::absent,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::case::{Case, Forgery, Gadget};
use crate::{
    gadgets::{compare, merkle, poseidon},
    policy::{self, PredicateWires},
    system::{Lc, R1cs, System},
};

mod attributes;
mod curve;
mod der;
mod handle;
mod rsa;
mod sha256;
mod spki;
mod time;
mod usage;

use der::{choices, place};

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(basic());
    all.extend(hashes());
    all.extend(integers());
    all.extend(trees());
    all.extend(curve::all());
    all.extend(predicates());
    all.extend(sha256::all());
    all.extend(rsa::all());
    all.extend(der::all());
    all.extend(attributes::all());
    all.extend(time::all());
    all.extend(spki::all());
    all.extend(handle::all());
    all.extend(usage::all());
    all
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn none<H>(_: &Gadget<H>, _: &R1cs) -> Vec<Forgery> {
    Vec::new()
}

/// A gadget without forgeries and without knowledge beside its inputs.
fn plain(
    name: &'static str,
    variant: &str,
    inputs: fn(u64) -> (Vec<Fr>, ()),
    build: fn(&mut System, &[Lc], &()),
) -> Case {
    Gadget {
        name,
        variant: variant.into(),
        inputs,
        build,
        forgeries: none,
    }
    .case()
}

fn random(seed: u64, count: usize) -> Vec<Fr> {
    let mut rng = rng(seed);
    let mut all: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
    // Edges: all 0, all alike, one 0.
    match seed % 8 {
        1 => all.fill(Fr::ZERO),
        2 => all.fill(Fr::ONE),
        3 => all[0] = Fr::ZERO,
        _ => {}
    }
    all
}

fn basic() -> Vec<Case> {
    vec![
        plain(
            "system::product",
            "",
            |seed| (random(seed, 2), ()),
            |system, inputs, ()| {
                system.product(&inputs[0], &inputs[1]);
            },
        ),
        plain(
            "system::quotient",
            "",
            |seed| {
                let inputs = random(seed, 2);
                (vec![inputs[0], inputs[1].square() + Fr::from(5)], ())
            },
            |system, inputs, ()| {
                system.quotient("quotient", &inputs[0], &inputs[1]);
            },
        ),
        plain(
            "system::boolean",
            "of an input",
            |seed| (vec![Fr::from(seed % 2)], ()),
            |system, inputs, ()| {
                let bit = system.boolean("bit", inputs[0].value() == Fr::ONE);
                system.enforce_equal(&bit, &inputs[0]);
            },
        ),
        plain(
            "system::enforce_equal",
            "",
            |seed| {
                let inputs = random(seed, 1);
                (vec![inputs[0], inputs[0]], ())
            },
            |system, inputs, ()| system.enforce_equal(&inputs[0], &inputs[1]),
        ),
        plain(
            "poseidon::fifth_power",
            "",
            |seed| (random(seed, 1), ()),
            |system, inputs, ()| {
                poseidon::fifth_power(system, &inputs[0]);
            },
        ),
    ]
}

fn hash<const N: usize>() -> Case {
    plain(
        "poseidon::hash",
        &format!("{N} inputs"),
        |seed| (random(seed, N), ()),
        |system, inputs, ()| {
            let inputs: &[Lc; N] = inputs.try_into().unwrap();
            poseidon::hash(system, inputs);
        },
    )
}

/// Every width that there is, 2 to 17.
fn hashes() -> Vec<Case> {
    macro_rules! widths {
        ($($inputs:literal)+) => { vec![$(hash::<$inputs>()),+] };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// An integer below 2^bits: the ends, then any.
fn integer(seed: u64, bits: u32) -> Fr {
    let end = Fr::from(2u64).pow([u64::from(bits)]);
    match seed % 8 {
        0 => Fr::ZERO,
        1 => end - Fr::ONE,
        2 => (end - Fr::ONE) * Fr::from(2u64).inverse().unwrap(),
        _ => {
            let mut limbs = Fr::rand(&mut rng(seed)).into_bigint();
            for position in 0..4u32 {
                let keep = bits.saturating_sub(64 * position).min(64);
                let mask = 1u64.checked_shl(keep).map_or(u64::MAX, |bit| bit - 1);
                limbs.0[position as usize] &= mask;
            }
            Fr::from_bigint(limbs).unwrap()
        }
    }
}

fn bits<const BITS: u32>() -> Case {
    plain(
        "compare::range",
        &format!("{BITS} bits"),
        |seed| (vec![whole(seed, BITS)], ()),
        |system, inputs, ()| compare::range(system, &inputs[0], BITS),
    )
}

/// [`integer`], without the one that need not be one.
fn whole(seed: u64, bits: u32) -> Fr {
    let halved = seed % 8 == 2;
    integer(if halved { seed + 1 } else { seed }, bits)
}

/// (low, value, high) with low ≤ value ≤ high < 2^64.
fn ascending(seed: u64) -> [u64; 3] {
    let mut rng = rng(seed);
    let mut three = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
    three.sort_unstable();
    match seed % 8 {
        0 => [0, 0, 0],
        1 => [0, 0, u64::MAX],
        2 => [0, u64::MAX, u64::MAX],
        3 => [u64::MAX; 3],
        _ => three,
    }
}

/// (low, value, next) with low < value < next ≤ 2^64.
fn gap(seed: u64) -> [Fr; 3] {
    let end = Fr::from(1u128 << 64);
    let [low, value, next] = ascending(seed + 4);
    match seed % 8 {
        0 => [Fr::ZERO, Fr::ONE, end],
        1 => [Fr::ZERO, end - Fr::ONE, end],
        2 => [Fr::from(4), Fr::from(5), Fr::from(6)],
        _ => [
            Fr::from(low / 2),
            Fr::from(value / 2 + 1),
            Fr::from(next / 2 + 2),
        ],
    }
}

fn integers() -> Vec<Case> {
    vec![
        bits::<1>(),
        bits::<2>(),
        bits::<32>(),
        bits::<64>(),
        bits::<253>(),
        plain(
            "compare::at_most",
            "",
            |seed| {
                let [low, _, high] = ascending(seed);
                (vec![Fr::from(low), Fr::from(high)], ())
            },
            |system, inputs, ()| compare::at_most(system, &inputs[0], &inputs[1]),
        ),
        plain(
            "compare::within",
            "",
            |seed| {
                let [_, value, high] = ascending(seed);
                (vec![Fr::from(value), Fr::from(high)], ())
            },
            |system, inputs, ()| compare::within(system, &inputs[0], &inputs[1]),
        ),
        plain(
            "compare::within_bits",
            "8 bits",
            |seed| {
                let [_, value, high] = ascending(seed);
                (vec![Fr::from(value >> 56), Fr::from(high >> 56)], ())
            },
            |system, inputs, ()| compare::within_bits(system, &inputs[0], &inputs[1], 8),
        ),
        plain(
            "compare::strictly_between",
            "",
            |seed| (gap(seed).to_vec(), ()),
            |system, inputs, ()| {
                compare::strictly_between(system, &inputs[0], &inputs[1], &inputs[2]);
            },
        ),
        plain(
            "compare::strictly_between_bits",
            "8 bits",
            |seed| {
                let [low, value, high] = ascending(seed).map(|x| x >> 57);
                (
                    vec![Fr::from(low), Fr::from(value + 1), Fr::from(high + 2)],
                    (),
                )
            },
            |system, inputs, ()| {
                compare::strictly_between_bits(system, &inputs[0], &inputs[1], &inputs[2], 8);
            },
        ),
    ]
}

/// A leaf of a random tree of this depth, and its path.
fn leaf(seed: u64, depth: usize) -> (Vec<Fr>, Path) {
    let mut rng = rng(seed);
    let count = 1 + rng.next_u64() as usize % ARITY.pow(depth as u32);
    let members: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
    let tree = QuaternaryTree::of_members(&members, depth).unwrap();
    let index = rng.next_u64() as usize % count;
    (vec![members[index]], tree.path(index).unwrap())
}

fn membership<const DEPTH: usize>() -> Case {
    Gadget {
        name: "merkle::root",
        variant: format!("depth {DEPTH}"),
        inputs: |seed| leaf(seed, DEPTH),
        build: |system, inputs, path| {
            merkle::root(system, &inputs[0], path, DEPTH);
        },
        forgeries: none,
    }
    .case()
}

fn trees() -> Vec<Case> {
    vec![
        plain(
            "merkle::one_of",
            "",
            |seed| {
                let mut values = random(seed.wrapping_mul(8) + 4, 5);
                values[0] = values[1 + seed as usize % 4];
                (values, ())
            },
            |system, inputs, ()| {
                let family: &[Lc; ARITY] = inputs[1..].try_into().unwrap();
                merkle::one_of(system, &inputs[0], family);
            },
        ),
        membership::<1>(),
        membership::<3>(),
        Gadget {
            name: "policy::not_revoked",
            variant: String::new(),
            inputs: |seed| {
                let mut rng = rng(seed);
                let handle = match seed % 4 {
                    0 => 1,
                    1 => u64::MAX - 1,
                    _ => 5 + (rng.next_u64() >> 1),
                };
                let mut revoked = RevocationTree::new();
                for _ in 0..seed % 6 {
                    revoked.insert(2 + (rng.next_u64() >> 1)).unwrap();
                }
                if seed % 4 > 1 {
                    revoked.extend(&[handle - 1, handle + 1]).unwrap();
                }
                (vec![Fr::from(handle)], revoked.witness(handle).unwrap())
            },
            build: |system, inputs, gap: &NonMembership| {
                policy::not_revoked(system, &inputs[0], gap);
            },
            forgeries: none,
        }
        .case(),
    ]
}

/// The inputs of a predicate: enforced, flag, operand, low, span.
fn wires(inputs: &[Lc]) -> PredicateWires {
    PredicateWires {
        low: inputs[3].clone(),
        span: inputs[4].clone(),
        range: inputs[1].clone(),
        not_equal: inputs[1].clone(),
        any_of: Lc::constant(Fr::ZERO),
        member: None,
    }
}

fn predicates() -> Vec<Case> {
    vec![
        plain(
            "policy::range",
            "",
            |seed| {
                let [low, value, high] = ascending(seed);
                let (low, value) = (Fr::from(low), Fr::from(value));
                let mut inputs = vec![Fr::ONE, Fr::ONE, value, low, Fr::from(high) - low];
                match seed % 5 {
                    3 => inputs[0] = Fr::ZERO,
                    4 => inputs[1] = Fr::ZERO,
                    _ => {}
                }
                (inputs, ())
            },
            |system, inputs, ()| wires(inputs).range(system, &inputs[2], &inputs[0]),
        ),
        plain(
            "policy::not_equal",
            "",
            |seed| {
                let [low, value] = [0, 1].map(|index| random(seed * 8 + 4, 2)[index]);
                let mut inputs = vec![Fr::ONE, Fr::ONE, value, low, Fr::ZERO];
                match seed % 4 {
                    1 => inputs[0] = Fr::ZERO,
                    2 => (inputs[1], inputs[2]) = (Fr::ZERO, absent()),
                    3 => (inputs[1], inputs[2]) = (Fr::ZERO, low),
                    _ => {}
                }
                (inputs, ())
            },
            |system, inputs, ()| wires(inputs).not_equal(system, &inputs[2], &inputs[0]),
        ),
        Gadget {
            name: "policy::membership",
            variant: String::new(),
            inputs: |seed| {
                let (mut inputs, path) = leaf(seed, VALUE_SET_DEPTH);
                let root = path.root(inputs[0]).unwrap();
                let asked = seed % 3 != 1;
                // Operand, member, root, enforced.
                inputs.extend([Fr::from(asked), root, Fr::ONE]);
                (inputs, asked.then_some(path))
            },
            build: |system, inputs, path: &Option<Path>| {
                let [operand, member, root, enforced] = [0, 1, 2, 3].map(|index| &inputs[index]);
                policy::membership(system, operand, path.as_ref(), member, root, enforced);
            },
            forgeries: none,
        }
        .case(),
    ]
}

#[cfg(test)]
mod tests {
    use super::all;
    use std::{collections::BTreeSet, path::Path};

    /// `file::function` of each public function of this crate's source that takes a `system`.
    fn in_source(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                // Hunters and forgers are no gadgets, nor are the parts of a relation, which its own tests put together.
                if !["hunt", "counterfactual", "possession"].contains(&stem.as_str()) {
                    in_source(&path, found);
                }
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let tests = ["\n#[cfg(test)]\nmod ", "\n#[cfg(test)]\npub(crate) mod "];
            let end = tests.iter().filter_map(|start| source.find(start)).min();
            let code = &source[..end.unwrap_or(source.len())];
            for (place, _) in code.match_indices("fn ") {
                let line = code[..place].rfind('\n').map_or(0, |newline| newline + 1);
                let signature = code[place..].split('{').next().unwrap();
                let name = signature[3..].split(['(', '<']).next().unwrap();
                if code[line..place].trim_start().starts_with("pub")
                    && signature.contains("system: &mut System")
                {
                    found.insert(format!("{stem}::{name}"));
                }
            }
        }
    }

    #[test]
    fn every_gadget_has_a_case() {
        let mut source = BTreeSet::new();
        in_source(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut source,
        );
        assert!(source.contains("poseidon::hash") && source.len() > 10);
        let cases: BTreeSet<String> = all()
            .into_iter()
            .filter_map(|case| Some(case.name.split(' ').next()?.to_owned()))
            .collect();
        let missing: Vec<&String> = source.difference(&cases).collect();
        assert!(
            missing.is_empty(),
            "gadgets without a case in circuits/src/hunt/gadgets.rs: {missing:?}"
        );
        let gone: Vec<&String> = cases
            .difference(&source)
            .filter(|name| !name.starts_with("system::"))
            .collect();
        assert!(
            gone.is_empty(),
            "cases of gadgets that are no more: {gone:?}"
        );
    }
}
