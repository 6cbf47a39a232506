//! The rows of small gadgets, as this crate's own code makes them, for the proofs of `circuits/smt/prove.py`.
//! `circuits/smt/rows.json` is committed; a test here fails if it is not what the code makes now.
//!
//! Where a gadget is part of a larger circuit, its rows are cut out of that one. Weakened copies stand beside the gadgets:
//! the same question asked of them must find the way in.

use std::{collections::BTreeMap, fmt::Write};

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use bauta_statement::{
    babyjubjub::{Scalar, base},
    field::Fr,
    tree::ARITY,
};

use crate::{
    compiled,
    gadgets::{
        babyjubjub::{Montgomery, fixed_base, ladder},
        compare, merkle, poseidon, words,
    },
    policy::PolicyWitness,
    system::{Column, Lc, R1cs, System, Terms},
};

/// Bits of the integers of which ranges and orders are proved; in the relations they have 32 or 64.
const SMALL: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A gadget by itself: its inputs are instances.
fn alone<const N: usize>(gadget: impl Fn(&mut System, [Lc; N])) -> R1cs {
    let mut system = System::new(&[Fr::ONE; N], true);
    let inputs = std::array::from_fn(|index| system.instance(index));
    gadget(&mut system, inputs);
    system.into_r1cs()
}

fn point(u: Lc, v: Lc) -> Montgomery {
    Montgomery { u, v }
}

/// Only these rows.
fn cut(mut shape: R1cs, keep: impl Fn(usize) -> bool) -> R1cs {
    let mut indices = 0..;
    shape
        .rows
        .edit(|rows| rows.retain(|_| indices.next().is_some_and(&keep)));
    shape
}

/// Without this row.
fn without(shape: &R1cs, row: usize) -> R1cs {
    cut(shape.clone(), |index| index != row)
}

fn gadgets() -> Vec<(String, R1cs)> {
    let mut all: Vec<(String, R1cs)> = Vec::new();
    let mut add = |name: &str, shape: R1cs| all.push((name.into(), shape));

    add(
        "boolean",
        alone(|system, []| {
            system.boolean("bit", false);
        }),
    );
    for bits in SMALL {
        let range = alone(|system, [value]| compare::range(system, &value, bits));
        if bits > 1 {
            add(
                &format!("range {bits} without its last row"),
                without(&range, bits as usize - 1),
            );
        }
        add(&format!("range {bits}"), range);
    }
    let range = alone(|system, [value]| compare::range(system, &value, 4));
    add("range 4 with a bit that is none", without(&range, 1));
    for bits in [1, 2, 3] {
        let within =
            alone(|system, [value, span]| compare::within_bits(system, &value, &span, bits));
        let first = cut(within.clone(), |row| row < bits as usize);
        let second = cut(within.clone(), |row| row >= bits as usize);
        add(&format!("interval {bits} without its upper half"), first);
        add(&format!("interval {bits} without its lower half"), second);
        add(&format!("interval {bits}"), within);
        let between = alone(|system, [low, value, next]| {
            compare::strictly_between_bits(system, &low, &value, &next, bits);
        });
        let first = cut(between.clone(), |row| row < bits as usize);
        add(&format!("between {bits} without its upper half"), first);
        let weak = alone(|system, [low, value, next]: [Lc; 3]| {
            compare::range(system, &(&value - &low), bits);
            compare::range(system, &(&(&next - &value) - Fr::ONE), bits);
        });
        add(&format!("between {bits} with the low end"), weak);
        add(&format!("between {bits}"), between);
    }

    let family = alone(|system, [node, a, b, c, d]: [Lc; ARITY + 1]| {
        merkle::one_of(system, &node, &[a, b, c, d]);
    });
    add("one of four without its last row", without(&family, 2));
    add("one of four without its first row", without(&family, 0));
    add("one of four", family);
    add(
        "one of four with a path bit that is none",
        alone(|system, [node, a, b, root]: [Lc; 4]| {
            // Two children and a bit that chooses: the form that other circuits have.
            let bit = system.hint("bit", Fr::ZERO);
            let step = system.product(&bit, &(&b - &a));
            system.enforce_equal(&(&a + &step), &node);
            system.enforce_equal(&(&a + &b), &root);
        }),
    );

    let policy = compiled::<PolicyWitness>();
    // The first predicate's of four; the group's rows are about all.
    let first_rows = |region: &str, count: usize| {
        let rows: Vec<usize> = (0..policy.rows.len())
            .filter(|row| policy.region_of(*row) == region)
            .take(count)
            .collect();
        cut(policy.clone(), |row| rows.contains(&row))
    };
    let not_equal = first_rows("not equal", 4);
    add("not equal", not_equal.clone());
    add(
        "not equal without its inverse's row",
        without(&not_equal, 2),
    );
    add("not equal without its last row", without(&not_equal, 3));
    let group = first_rows("any-of", usize::MAX);
    add("any-of", group.clone());
    add("any-of with a pick that is no bit", without(&group, 0));
    add("any-of with a pick from outside", without(&group, 1));
    add("any-of without its sum", without(&group, 8));

    add(
        "fifth power",
        alone(|system, [x]| {
            poseidon::fifth_power(system, &x);
        }),
    );
    add(
        "parity",
        alone(|system, [x, y, z]| {
            words::xor(system, &x, &y, &z);
        }),
    );
    add(
        "parity of two",
        alone(|system, [x, y]| {
            words::xor(system, &x, &y, &Lc::constant(Fr::ZERO));
        }),
    );
    add(
        "majority",
        alone(|system, [x, y, z]| {
            words::majority(system, &x, &y, &z);
        }),
    );
    let key = alone(|system, [x, y]| {
        Montgomery::from_edwards(system, &x, &y);
    });
    add("from Edwards without the curve", without(&key, 4));
    add("from Edwards without its first row", without(&key, 0));
    add("from Edwards", key);
    let commitment = alone(|system, [u, v]| {
        point(u, v).to_edwards(system);
    });
    add("to Edwards without its last row", without(&commitment, 1));
    add("to Edwards", commitment);
    let sum = alone(|system, [pu, pv, qu, qv]| {
        point(pu, pv).add(system, &point(qu, qv));
    });
    add("sum without its last row", without(&sum, 2));
    add("sum", sum);
    let double = alone(|system, [u, v]| {
        point(u, v).double(system);
    });
    add("double without its slope", without(&double, 1));
    add("double", double);
    let both = alone(|system, [pu, pv, qu, qv]| {
        point(pu, pv).double_and_add(system, &point(qu, qv));
    });
    add("double and add without its second slope", without(&both, 2));
    add("double and add", both);

    // The top digit: the square of v_Q, then three rows of the first sum, then the digit's.
    let digit = cut(
        alone(|system, [u, v]| {
            ladder(system, &point(u, v), &BigInteger::from_bits_le(&[]));
        }),
        |row| row == 0 || row == 4,
    );
    add("digit without its row", without(&digit, 1));
    add("digit", digit);
    // The first window: three rows of the first sum, then powers, polynomial and curve.
    let window = cut(
        alone(|system, [u, v]| {
            fixed_base(system, &point(u, v), &Scalar::ONE);
        }),
        |row| (3..8).contains(&row),
    );
    add("window without its polynomial", without(&window, 3));
    add("window without the curve", without(&window, 4));
    add("window", window);
    all
}

/// Decimal, negative above r/2.
fn decimal(value: &Fr) -> String {
    let (positive, negative) = (value.into_bigint(), (-*value).into_bigint());
    if negative < positive {
        format!("-{negative}")
    } else {
        positive.to_string()
    }
}

fn json() -> String {
    let sum = |terms: Terms<'_>| {
        let terms: Vec<String> = terms
            .iter()
            .map(|(column, factor)| format!("\"{column}\": \"{}\"", decimal(&factor)))
            .collect();
        format!("{{{}}}", terms.join(", "))
    };
    let mut text = format!("{{\n\"modulus\": \"{}\",\n", Fr::MODULUS);
    let odd_multiples: Vec<String> = (0..8u64)
        .map(|half| {
            use ark_ec::CurveGroup;
            let multiple = (base() * Scalar::from(2 * half + 1)).into_affine();
            let [u, v] = crate::gadgets::babyjubjub::montgomery(&multiple);
            format!("[\"{}\", \"{}\"]", decimal(&u), decimal(&v))
        })
        .collect();
    writeln!(
        text,
        "\"odd multiples\": [{}],\n\"gadgets\": {{",
        odd_multiples.join(", ")
    )
    .unwrap();
    let gadgets = gadgets();
    for (position, (name, shape)) in gadgets.iter().enumerate() {
        let mut columns: BTreeMap<Column, String> = BTreeMap::new();
        for (column, _) in shape
            .rows
            .iter()
            .flat_map(|row| row.sides())
            .flat_map(|side| side.iter())
        {
            let index = column as usize;
            let called = match index.checked_sub(shape.instances) {
                Some(witness) => shape.names[witness].to_owned(),
                None if index == 0 => continue,
                None => format!("input {}", index - 1),
            };
            columns.insert(column, called);
        }
        let columns: Vec<String> = columns
            .iter()
            .map(|(column, name)| format!("\"{column}\": \"{name}\""))
            .collect();
        let rows: Vec<String> = shape
            .rows
            .iter()
            .map(|row| format!("    [{}, {}, {}]", sum(row.a), sum(row.b), sum(row.c)))
            .collect();
        let comma = if position + 1 < gadgets.len() {
            ","
        } else {
            ""
        };
        writeln!(
            text,
            "\"{name}\": {{\n  \"columns\": {{{}}},\n  \"rows\": [\n{}\n  ]}}{comma}",
            columns.join(", "),
            rows.join(",\n")
        )
        .unwrap();
    }
    text.push_str("}}\n");
    text
}

#[test]
fn rows_are_as_committed() {
    let now = json();
    let committed = include_str!("../../smt/rows.json");
    if now != committed {
        let place = std::env::temp_dir().join("bauta-gadget-rows.json");
        std::fs::write(&place, now).unwrap();
        panic!(
            "a small gadget's rows changed. If that is meant, copy {} over circuits/smt/rows.json, and prove them: \
             cargo xtask test",
            place.display()
        );
    }
}
