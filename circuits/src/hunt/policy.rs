//! The hunt in the policy relation.

use ark_ff::{AdditiveGroup, Field, UniformRand};
use bauta_statement::{
    field::Fr,
    relation::{MEMBER_PREDICATES, Mode, PREDICATES, PolicyPublic, PredicatePublic, PredicateTest},
    tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree, VALUE_SET_DEPTH},
    vector::absent,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::case::{Forgery, Hunted, columns, forged, hints, named, starts};
use crate::{
    policy::PolicyWitness,
    relation::Circuit,
    system::{Assignment, Column, R1cs},
};

/// Kinds of predicates that a sample draws from.
const KINDS: u64 = 6;

impl Hunted for PolicyWitness {
    fn sample(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |n: u64| rng.next_u64() % n;
        let count = [1, 2, 5, 18, 40][below(5) as usize];
        let position = below(count) as usize;
        let (low_bits, grouped) = (below(64), below(16));
        let members: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
        let issuers = QuaternaryTree::of_members(&members, ISSUER_SET_DEPTH).unwrap();
        let (revoked, handle) = revocation(seed, &mut rng);
        let (epoch_start, valid_until) = match seed % 5 {
            0 => (0, u64::MAX),
            1 => (u64::MAX, u64::MAX),
            2 => (0, 0),
            _ => (rng.next_u64() >> low_bits, rng.next_u64() >> low_bits),
        };
        let early = |time: u64, rng: &mut ChaCha20Rng| match rng.next_u32() % 3 {
            0 => time,
            1 => 0,
            _ => (u128::from(rng.next_u64()) % (u128::from(time) + 1)) as u64,
        };

        let mut predicates = [PredicatePublic::NONE; PREDICATES];
        let mut operands = [Fr::ZERO; PREDICATES];
        let mut value_paths = [None, None];
        for position in 0..PREDICATES {
            // All kinds at every place in any six seeds from a multiple of six on, in changing company.
            let kind = (seed + position as u64 * (seed / KINDS)) % KINDS;
            let set = QuaternaryTree::of_members(
                &(0..1 + rng.next_u64() % 20)
                    .map(|_| Fr::rand(&mut rng))
                    .collect::<Vec<_>>(),
                VALUE_SET_DEPTH,
            )
            .unwrap();
            let (test, holding) = predicate(kind, position, &set, &mut rng);
            predicates[position].test = test;
            operands[position] = holding;
            if grouped >> position & 1 == 1 && test != PredicateTest::None {
                predicates[position].mode = Mode::AnyOf;
            }
            if position < MEMBER_PREDICATES && matches!(test, PredicateTest::Member { .. }) {
                value_paths[position] = set.path(set.position(holding).unwrap());
            }
        }
        let group: Vec<usize> = (0..PREDICATES)
            .filter(|position| predicates[*position].mode == Mode::AnyOf)
            .collect();
        let picked = group
            .get(rng.next_u32() as usize % group.len().max(1))
            .copied();
        // Half of those of the group that are not picked do not hold.
        for position in group {
            if picked != Some(position) && rng.next_u32().is_multiple_of(2) {
                operands[position] = absent();
                if let Some(path) = value_paths.get_mut(position) {
                    *path = None;
                }
            }
        }
        Self {
            origin: members[position],
            not_before: Fr::from(early(epoch_start, &mut rng)),
            not_after: Fr::from(u64::MAX - early(u64::MAX - valid_until, &mut rng)),
            handle: Fr::from(handle),
            operands,
            issuer_path: issuers.path(position).unwrap(),
            gap: revoked.witness(handle).unwrap(),
            value_paths,
            picked,
            public: PolicyPublic::new(
                predicates,
                epoch_start,
                valid_until,
                issuers.root(),
                revoked.root(),
            )
            .unwrap(),
        }
    }

    fn forgeries(shape: &R1cs) -> Vec<Forgery> {
        let mut all = validity(shape);
        for position in 0..PREDICATES {
            all.extend(interval(shape, position));
            all.extend(unequal(shape, position));
            all.extend(picks(shape, position));
        }
        for position in 0..MEMBER_PREDICATES {
            let gate = shape
                .rows
                .at(starts(shape, "value set")[position])
                .c
                .first();
            let set = QuaternaryTree::of_members(&[Fr::from(5)], VALUE_SET_DEPTH).unwrap();
            let test = PredicateTest::Member { root: set.root() };
            let stranger = with(position, test, Fr::from(6));
            all.push(shut(
                &stranger,
                gate,
                &format!("{position}: not in the value set"),
            ));
        }
        all.push(Forgery::of(
            "a group, and nothing picked",
            group(0, 1, None).assignment(),
        ));
        all
    }
}

/// A tree and a handle that is not in it: far from others, next to them on one side or both, the least and the greatest.
fn revocation(seed: u64, rng: &mut ChaCha20Rng) -> (RevocationTree, u64) {
    let handle = match seed % 4 {
        0 => 1,
        1 => u64::MAX - 1,
        _ => 1 + (rng.next_u64() >> (seed % 40)) % (u64::MAX - 2),
    };
    let mut handles: Vec<u64> = (0..[0, 3, 30][(seed / 4 % 3) as usize])
        .map(|_| 1 + rng.next_u64() % (u64::MAX - 2))
        .collect();
    if (seed / 12).is_multiple_of(2) {
        handles.extend([handle - 1, handle + 1]);
    }
    handles.retain(|other| *other != handle && *other != 0 && *other != u64::MAX);
    handles.sort_unstable();
    handles.dedup();
    let mut revoked = RevocationTree::new();
    revoked.extend(&handles).unwrap();
    (revoked, handle)
}

/// A predicate of this kind, and an operand of which it holds.
fn predicate(
    kind: u64,
    position: usize,
    set: &QuaternaryTree,
    rng: &mut ChaCha20Rng,
) -> (PredicateTest, Fr) {
    let any = |rng: &mut ChaCha20Rng| match rng.next_u32() % 5 {
        0 => Fr::ZERO,
        1 => Fr::from(u64::MAX),
        2 => Fr::from(rng.next_u64()),
        _ => Fr::rand(rng),
    };
    let (value, edge) = (any(rng), rng.next_u32() % 4);
    match kind {
        0 => {
            let operands = [absent(), Fr::ZERO, value, Fr::from(9)];
            (PredicateTest::None, operands[edge as usize])
        }
        1 => (PredicateTest::Equal(value), value),
        2 => {
            let others = [
                value + Fr::ONE,
                -value - Fr::ONE,
                Fr::from(3),
                value - Fr::ONE,
            ];
            // One more than the greatest integer is *absent*, which is not "not equal".
            let fits = |other: &&Fr| **other != value && **other != absent();
            let mut from_edge = others.iter().cycle().skip(edge as usize);
            let other = from_edge.find(fits).copied().unwrap_or(-value);
            (PredicateTest::NotEqual(value), other)
        }
        3 if position < MEMBER_PREDICATES => {
            let path = |index| {
                let family: Option<[Fr; 4]> = set.path(index).map(|path| path.families[0]);
                family.map_or(Fr::ZERO, |family| family[index % 4])
            };
            let member = path(rng.next_u64() as usize % 20);
            (PredicateTest::Member { root: set.root() }, member)
        }
        4 => {
            let (low, high) =
                [(0, u64::MAX), (0, 0), (u64::MAX, u64::MAX), (0, 1 << 63)][edge as usize];
            let operand = if rng.next_u32().is_multiple_of(2) {
                low
            } else {
                high
            };
            (PredicateTest::Range { low, high }, Fr::from(operand))
        }
        _ => {
            let (one, two) = (rng.next_u64(), rng.next_u64());
            let (low, high) = (one.min(two), one.max(two));
            let between = low + rng.next_u64() % (high - low).max(1);
            let operand = [low, high, between, between][edge as usize];
            (PredicateTest::Range { low, high }, Fr::from(operand))
        }
    }
}

/// A holder in a small world, whom a policy with one required predicate asks.
fn with(position: usize, test: PredicateTest, operand: Fr) -> PolicyWitness {
    let mut predicates = [PredicatePublic::NONE; PREDICATES];
    predicates[position].test = test;
    let mut operands = [absent(); PREDICATES];
    operands[position] = operand;
    asked(predicates, operands, None)
}

fn asked(
    predicates: [PredicatePublic; PREDICATES],
    operands: [Fr; PREDICATES],
    picked: Option<usize>,
) -> PolicyWitness {
    let (start, until) = (1_000_000, 1_004_200);
    let origin = Fr::from(77);
    let issuers = QuaternaryTree::of_members(&[origin], ISSUER_SET_DEPTH).unwrap();
    let revoked = RevocationTree::new();
    let public =
        PolicyPublic::new(predicates, start, until, issuers.root(), revoked.root()).unwrap();
    PolicyWitness {
        origin,
        not_before: Fr::from(start),
        not_after: Fr::from(until),
        handle: Fr::from(12_345u64),
        operands,
        issuer_path: issuers.path(0).unwrap(),
        gap: revoked.witness(12_345).unwrap(),
        value_paths: [None, None],
        picked,
        public,
    }
}

/// A policy with two alternatives of which none holds.
fn group(one: usize, two: usize, picked: Option<usize>) -> PolicyWitness {
    let mut predicates = [PredicatePublic::NONE; PREDICATES];
    for position in [one, two] {
        predicates[position] = PredicatePublic {
            test: PredicateTest::Range { low: 10, high: 20 },
            mode: Mode::AnyOf,
        };
    }
    asked(predicates, [Fr::from(9); PREDICATES], picked)
}

/// A dishonest run with one column replaced.
fn replaced(witness: &PolicyWitness, column: Column, value: Fr) -> Assignment {
    assert!(witness.check().is_err(), "what is to be forged is false");
    forged(
        witness,
        &witness.instances(),
        columns(vec![(column, value)]),
    )
}

/// A predicate that does not hold, with its gate said to be shut.
fn shut(witness: &PolicyWitness, gate: Column, name: &str) -> Forgery {
    Forgery::of(
        format!("{name}: the gate is shut"),
        replaced(witness, gate, Fr::ZERO),
    )
}

fn validity(shape: &R1cs) -> Vec<Forgery> {
    let first = starts(shape, "validity")[0];
    let good = with(0, PredicateTest::None, Fr::ZERO);
    let (mut early, mut late) = (good.clone(), good);
    early.not_before += Fr::ONE;
    late.not_after -= Fr::ONE;
    vec![
        Forgery::overflow(shape, early.assignment(), first, 64, "not yet valid"),
        Forgery::overflow(shape, late.assignment(), first + 64, 64, "no longer valid"),
    ]
}

/// Rows of a range: gate, o − low, span, then two ranges.
fn interval(shape: &R1cs, position: usize) -> Vec<Forgery> {
    let first = starts(shape, "range")[position];
    let [gate, above, span] = [0, 1, 2].map(|row| shape.rows.at(first + row).c.first());
    let test = PredicateTest::Range { low: 10, high: 20 };
    let (short, beyond) = (
        with(position, test, Fr::from(9)),
        with(position, test, Fr::from(23)),
    );
    let name = |what: &str| format!("{position}: {what}");
    vec![
        shut(&beyond, gate, &name("above the interval")),
        Forgery::of(
            name("above the interval, and said to be its low end"),
            replaced(&beyond, above, Fr::ZERO),
        ),
        Forgery::of(
            name("above the interval, which is said to be wider"),
            replaced(&beyond, span, Fr::from(13)),
        ),
        Forgery::overflow(
            shape,
            short.assignment(),
            first + 3,
            64,
            &name("below the interval"),
        ),
        Forgery::overflow(
            shape,
            beyond.assignment(),
            first + 3 + 64,
            64,
            &name("above the interval"),
        ),
    ]
}

/// Rows of ≠: gate, product of the differences, product · hint, hint · (1 − gate).
fn unequal(shape: &R1cs, position: usize) -> Vec<Forgery> {
    let first = starts(shape, "not equal")[position];
    let [gate, product] = [0, 1].map(|row| shape.rows.at(first + row).c.first());
    let equal = with(position, PredicateTest::NotEqual(Fr::from(3)), Fr::from(3));
    let gone = with(position, PredicateTest::NotEqual(Fr::from(3)), absent());
    let name = |what: &str| format!("{position}: {what}");
    vec![
        shut(&equal, gate, &name("the value that must not be")),
        Forgery::of(
            name("absent, and the product said to be 1"),
            replaced(&gone, product, Fr::ONE),
        ),
        Forgery::of(name("the value that must not be"), equal.assignment()),
    ]
}

/// Rows of a pick: boolean, and only in the group.
fn picks(shape: &R1cs, position: usize) -> Vec<Forgery> {
    let others: Vec<usize> = (0..PREDICATES).filter(|other| *other != position).collect();
    let picks = hints(shape, "pick");
    assert_eq!(picks.len(), PREDICATES);
    // This one −1, two others 1: they add up to one. (With the other picks boolean, no false statement has such a sum: this row
    // is needed only together with the others, whose forgeries are these too.)
    let mut predicates = [PredicatePublic::NONE; PREDICATES];
    let mut operands = [Fr::ZERO; PREDICATES];
    for place in [position, others[0], others[1]] {
        predicates[place] = PredicatePublic {
            test: PredicateTest::Equal(Fr::from(7)),
            mode: Mode::AnyOf,
        };
        operands[place] = Fr::from(7);
    }
    let three = asked(predicates, operands, Some(others[0]));
    let minus = named("pick", {
        let chosen = [others[0], others[1]];
        move |index, _| match index {
            index if index == position => -Fr::ONE,
            index if chosen.contains(&index) => Fr::ONE,
            _ => Fr::ZERO,
        }
    });
    let stranger = group(others[0], others[1], Some(position));
    assert!(stranger.check().is_err());
    vec![
        Forgery::of(
            format!("{position}: picked −1 times, two others once"),
            forged(&three, &three.instances(), minus),
        ),
        Forgery::of(
            format!("{position}: picked, and not of the group"),
            stranger.assignment(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use bauta_statement::tree::Path;

    /// The samples that every run uses meet every branch.
    #[test]
    fn samples_cover_every_branch() {
        let mut met: BTreeSet<String> = BTreeSet::new();
        let place = |path: &Path, mut node: Fr, what: &str, met: &mut BTreeSet<String>| {
            for (level, family) in path.families.iter().enumerate() {
                let child = family.iter().position(|child| *child == node).unwrap();
                met.insert(format!("{what}: child {child} at level {level}"));
                node = bauta_statement::poseidon::hash(family);
            }
        };
        for seed in 0..super::super::deletion::RELATION.witnesses {
            let sample = PolicyWitness::sample(seed);
            met.insert(format!("picked {:?}", sample.picked));
            place(&sample.issuer_path, sample.origin, "issuer", &mut met);
            place(&sample.gap.path, sample.gap.leaf(), "revocation", &mut met);
            for (position, predicate) in sample.public.predicates().iter().enumerate() {
                let kind = match predicate.test {
                    PredicateTest::None => "none",
                    PredicateTest::Equal(_) => "equal",
                    PredicateTest::NotEqual(_) => "not equal",
                    PredicateTest::Range { .. } => "range",
                    PredicateTest::Member { .. } => "member",
                };
                let mode = predicate.mode;
                met.insert(format!("{position}: {kind}"));
                met.insert(format!(
                    "{kind}: {mode:?}, holds: {}",
                    sample.holds(position)
                ));
                if let Some(Some(path)) = sample.value_paths.get(position) {
                    place(path, sample.operands[position], "value", &mut met);
                }
            }
            for (name, is) in [
                ("least handle", sample.handle == Fr::ONE),
                ("greatest handle", sample.handle == Fr::from(u64::MAX - 1)),
                ("start of the list", sample.gap.low == 0),
                ("end of the list", sample.gap.next.is_none()),
                (
                    "next to a revoked one",
                    sample.handle == Fr::from(sample.gap.low) + Fr::ONE && sample.gap.low > 0,
                ),
                (
                    "valid from the epoch's start",
                    sample.not_before == Fr::from(sample.public.epoch_start),
                ),
                ("valid from the first second", sample.not_before == Fr::ZERO),
                (
                    "valid until the last second",
                    sample.not_after == Fr::from(sample.public.valid_until),
                ),
                ("epoch at 0", sample.public.epoch_start == 0),
                ("epoch at the end", sample.public.epoch_start == u64::MAX),
            ] {
                if is {
                    met.insert(name.into());
                }
            }
        }
        let mut wanted: Vec<String> = (0..PREDICATES)
            .flat_map(|position| {
                let kinds = ["none", "equal", "not equal", "range"];
                kinds.map(|kind| format!("{position}: {kind}"))
            })
            .collect();
        wanted.extend(["0: member", "1: member"].map(String::from));
        for kind in ["equal", "not equal", "range", "member"] {
            wanted.push(format!("{kind}: Required, holds: true"));
            wanted.push(format!("{kind}: AnyOf, holds: true"));
            wanted.push(format!("{kind}: AnyOf, holds: false"));
        }
        wanted.push("picked None".into());
        wanted.extend((0..PREDICATES).map(|position| format!("picked Some({position})")));
        for what in ["issuer", "revocation", "value"] {
            wanted.extend((0..4).map(|child| format!("{what}: child {child} at level 0")));
        }
        for name in [
            "least handle",
            "greatest handle",
            "start of the list",
            "end of the list",
            "next to a revoked one",
            "valid from the epoch's start",
            "valid from the first second",
            "valid until the last second",
            "epoch at 0",
            "epoch at the end",
        ] {
            wanted.push(name.into());
        }
        let missing: Vec<&String> = wanted.iter().filter(|what| !met.contains(*what)).collect();
        assert!(missing.is_empty(), "no sample of: {missing:?}");
    }
}
