//! Dishonest provers of attributes: hints chosen otherwise as they are made, and all that follows computed anew.

use std::collections::{BTreeMap, BTreeSet};

use ark_ff::Field;

use super::*;
use crate::system::{Assignment, Column, PRODUCT};

/// A prover's run: the assignment, and the slots with the schema rule.
fn run(tbs: &[u8], schema: &Schemas, forger: Option<Forger>) -> (Assignment, ([Fr; COUNT], Fr)) {
    let (system, found) = build((SMALL_ROOM, &SMALL), tbs, schema, false, forger);
    let values = found.values.each_ref().map(Lc::value);
    (system.into_assignment(), (values, found.rule.value()))
}

/// Two attributes and two names, of which each is read, and a number in an extension.
fn certificate() -> Vec<u8> {
    let ada = tlv(
        0x31,
        &[attribute(CN, 0x0c, b"Ada"), attribute(O, 0x13, b"Acme")].concat(),
    );
    let names = alternative(&[(0x82, b"a.example"), (0x81, b"ada@example.org")]);
    tbs(&ada, &[extension(LEVEL, true, &[2, 1, 9]), names].concat())
}

fn schema() -> [Attribute; 2] {
    [subject(5, Text, O), from_extension(7, Integer, LEVEL)]
}

/// Values of some hints, by name and by how many of that name were before.
fn forger(change: impl Fn(&str, usize, Fr) -> Option<Fr> + 'static) -> Option<Forger> {
    let mut met: BTreeMap<&'static str, usize> = BTreeMap::new();
    Some(Box::new(move |_, name, honest| {
        let count = met.entry(name).or_default();
        *count += 1;
        change(name, *count - 1, honest).unwrap_or(honest)
    }))
}

/// The parts in which rows fail.
fn failing(assignment: &Assignment) -> BTreeSet<&'static str> {
    let rows = small().failing(assignment);
    rows.map(|row| small().region_of(row)).collect()
}

/// Refused by rows of exactly these parts: without them the prover would get through.
fn refused_by(parts: &[&'static str], tbs: &[u8], schema: &Schemas, forger: Option<Forger>) {
    let (assignment, values) = run(tbs, schema, forger);
    let expected: BTreeSet<&str> = parts.iter().copied().collect();
    assert_eq!(failing(&assignment), expected, "{values:?}");
}

fn refused(what: &str, tbs: &[u8], schema: &Schemas, forger: Option<Forger>) {
    let (honest, _) = run(tbs, schema, None);
    let (assignment, values) = run(tbs, schema, forger);
    assert_ne!(
        honest.values(),
        assignment.values(),
        "{what} changes nothing"
    );
    assert!(small().check(&assignment).is_err(), "{what}: {values:?}");
}

fn accepted(tbs: &[u8], schema: &Schemas) {
    assert_eq!(small().check(&run(tbs, schema, None).0), Ok(()));
}

/// The first, the last and some of each name, several wrong values, all that follows computed anew.
#[test]
fn no_hint_alone_can_be_another() {
    let (shape, tbs) = (small(), certificate());
    let (honest, (_, rule)) = run(&tbs, &schema(), None);
    let mut hints: BTreeMap<&str, Vec<Column>> = BTreeMap::new();
    let bytes = shape
        .names
        .iter()
        .rposition(|name| *name == "end of a string");
    for (index, name) in shape.names.iter().enumerate().skip(bytes.unwrap()) {
        if *name != PRODUCT {
            let column = (shape.instances + index) as Column;
            hints.entry(name).or_default().push(column);
        }
    }
    assert!(hints.len() > 20);
    let mut tried = 0;
    for (name, columns) in hints {
        let end = columns.len() - 1;
        let chosen = [0, end / 3, end / 2, end - end / 5, end].map(|index| columns[index]);
        for column in BTreeSet::from(chosen) {
            let value = honest.values()[column as usize];
            for wrong in [value + Fr::from(1), -value, Fr::ZERO, Fr::from(1)] {
                if wrong == value {
                    continue;
                }
                let forger: Forger = Box::new(move |other, _, honest| match other == column {
                    true => wrong,
                    false => honest,
                });
                let (assignment, (_, other)) = run(&tbs, &schema(), Some(forger));
                // The walk before was not forged; and another rule may be true as well.
                let same = assignment.values() == honest.values() || other != rule;
                tried += usize::from(!same);
                assert!(
                    same || shape.check(&assignment).is_err(),
                    "{name}, column {column}"
                );
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

/// Nobody leaves out what is there.
#[test]
fn absence_is_proven() {
    let tbs = certificate();
    accepted(&tbs, &schema());
    let candidates = SMALL.attributes + SMALL.extensions + SMALL.names;
    refused(
        "nothing picked",
        &tbs,
        &schema(),
        forger(move |name, count, _| {
            (name == "pick of a candidate" && count < candidates).then_some(Fr::ZERO)
        }),
    );
    // Whether each candidate is the rule's, said to be not: whatever else is zero is said so as well.
    let zeros = small()
        .names
        .iter()
        .filter(|name| **name == "whether it is 0")
        .count();
    for place in 0..zeros {
        let forged = forger(move |name, count, honest| {
            let here = count == place && honest != Fr::ZERO;
            (name == "whether it is 0" && here).then_some(Fr::ZERO)
        });
        let (assignment, _) = run(&tbs, &schema(), forged);
        let (honest, _) = run(&tbs, &schema(), None);
        let same = assignment.values() == honest.values();
        assert!(same || small().check(&assignment).is_err(), "{place}");
    }
    // The rule taken apart otherwise: the same field element, another occurrence or source and an identifier to fit.
    for (part, bits) in [("occurrence and one", 8u64), ("source less one", 16)] {
        refused(
            part,
            &tbs,
            &schema(),
            forger(move |name, count, honest| match name {
                _ if count > 0 => None,
                "identifier and length" => {
                    Some(honest - Fr::from(2).pow([bits]).inverse().unwrap())
                }
                _ => (name == part).then_some(honest + Fr::from(1)),
            }),
        );
    }
    // Steps that say to be at the end.
    for step in 0..SMALL.attributes {
        let what = format!("step {step} is said to be the last");
        let forged = forger(move |name, count, honest| match name {
            "whether it is 0" if count == step => Some(Fr::from(1) - honest),
            "inverse of what may be 0" if count == step => Some(Fr::ZERO),
            _ => None,
        });
        refused(&what, &tbs, &schema(), forged);
    }
}

/// What is refused of honest provers, and of those who lie once: by one part alone.
#[test]
fn one_part_carries_the_burden() {
    let other = || extension(&[0x55, 0x1d, 0x0e], false, &[5, 0]);
    let of = |sets: &[u8], extensions: &[u8]| tbs(sets, extensions);
    let ada = alone(CN, 0x0c, b"Ada");
    let (text, number) = ([subject(5, Text, CN)], [from_extension(5, Integer, LEVEL)]);
    let usage = extension(&KEY_USAGE, false, &[3, 2, 7, 128]);
    let mut long = ada.clone();
    long[1] += 1;
    let strange = extension(&[0x2a, 3], true, &[5, 0]);
    let level = |content: &[u8]| extension(LEVEL, false, content);
    for (part, tbs, schema) in [
        ("critical", of(&ada, &strange), &text),
        (
            "candidates",
            of(&[ada.clone(), ada.clone()].concat(), &other()),
            &text,
        ),
        ("values", of(&alone(CN, 0x0c, b"a\0b"), &other()), &text),
        ("values", of(&alone(CN, 0x0c, &[b'x'; 65]), &other()), &text),
        ("values", of(&alone(CN, 0x1e, b"x"), &other()), &text),
        ("values", of(&ada, &level(&[2, 1, 1, 0])), &number),
        ("values", of(&ada, &level(&[2, 2, 0, 1])), &number),
        ("values", of(&ada, &level(&[2, 1, 0x80])), &number),
        ("extensions", of(&ada, &usage.repeat(2)), &text),
        ("subject", of(&long, &other()), &text),
    ] {
        let (assignment, _) = run(&tbs, schema, None);
        assert_eq!(failing(&assignment), BTreeSet::from([part]), "{tbs:02x?}");
    }
    let tbs = certificate();
    let candidates = SMALL.attributes + SMALL.extensions + SMALL.names;
    let nothing = forger(move |name, count, _| {
        (name == "pick of a candidate" && count < candidates).then_some(Fr::ZERO)
    });
    refused_by(&["candidates"], &tbs, &schema(), nothing);
    let readers_of_one = forger(move |name, count, _| {
        let here = count == 0 || count == COUNT;
        (name == "slot of a reader").then_some(Fr::from(here))
    });
    refused_by(&["slots"], &tbs, &schema(), readers_of_one);
    for (part, bits) in [("occurrence and one", 8u64), ("source less one", 16)] {
        let alias = forger(move |name, count, honest| match name {
            _ if count > 0 => None,
            "identifier and length" => Some(honest - Fr::from(2).pow([bits]).inverse().unwrap()),
            _ => (name == part).then_some(honest + Fr::from(1)),
        });
        refused_by(&["rules"], &tbs, &schema(), alias);
    }
}

/// Of two that match, the one that counts.
#[test]
fn another_occurrence_is_not_picked() {
    let sets = [alone(O, 0x0c, b"first"), alone(O, 0x0c, b"second")];
    let tbs = tbs(&sets.concat(), &other());
    let picks = |first: Fr, second: Fr| {
        forger(move |name, count, _| match (name, count) {
            ("pick of a candidate", 0) => Some(first),
            ("pick of a candidate", 1) => Some(second),
            _ => None,
        })
    };
    let (one, half) = (Fr::from(1), Fr::from(2).inverse().unwrap());
    for number in [0, 1] {
        let schema = [nth(subject(5, Text, O), number)];
        accepted(&tbs, &schema);
        for (first, second) in [
            (
                Fr::from(u8::from(number == 1)),
                Fr::from(u8::from(number == 0)),
            ),
            (one, one),
            (half, half),
            (-one, Fr::from(2)),
            (Fr::ZERO, Fr::ZERO),
        ] {
            refused("another pick", &tbs, &schema, picks(first, second));
        }
    }
    // Without an occurrence none of them counts.
    let schema = [subject(5, Text, O)];
    assert!(small().check(&run(&tbs, &schema, None).0).is_err());
    for (first, second) in [(one, Fr::ZERO), (Fr::ZERO, one), (Fr::ZERO, Fr::ZERO)] {
        let (assignment, _) = run(&tbs, &schema, picks(first, second));
        assert!(small().check(&assignment).is_err());
    }
}

#[test]
fn slots_are_taken_once() {
    let tbs = certificate();
    let slots = |chosen: Vec<(usize, Fr)>| {
        forger(move |name, count, _| {
            let chosen = chosen.iter().find(|(place, _)| *place == count);
            let value = chosen.map_or(Fr::ZERO, |(_, value)| *value);
            (name == "slot of a reader").then_some(value)
        })
    };
    let one = Fr::from(1);
    for (what, chosen) in [
        (
            "two slots of a reader",
            vec![(0, one), (1, one), (COUNT + 2, one)],
        ),
        ("two readers in a slot", vec![(0, one), (COUNT, one)]),
        ("a rule without a slot", vec![(0, one)]),
        (
            "one more and one less",
            vec![(0, one), (1, one), (2, -one), (COUNT + 2, one)],
        ),
        ("two", vec![(0, Fr::from(2)), (COUNT + 2, one)]),
    ] {
        refused(what, &tbs, &schema(), slots(chosen));
    }
}

/// An entry, a value or a name elsewhere: another row, and everything else as it then is.
#[test]
fn nothing_is_read_elsewhere() {
    let tbs = certificate();
    for choice in [
        "row of an entry",
        "place in an entry",
        "row of a window",
        "place in a row",
    ] {
        let all = small().names.iter().filter(|name| **name == choice).count();
        for place in (0..all).step_by(7) {
            let forged = forger(move |name, count, honest| {
                // This one, and none of those around it.
                let near = count.abs_diff(place) < 6;
                (name == choice && near).then_some(match count == place {
                    true => Fr::from(1),
                    false => honest - honest,
                })
            });
            let (honest, _) = run(&tbs, &schema(), None);
            let (assignment, _) = run(&tbs, &schema(), forged);
            let same = assignment.values() == honest.values();
            assert!(
                same || small().check(&assignment).is_err(),
                "{choice} {place}"
            );
        }
    }
}

/// Values of another length or kind.
#[test]
fn a_value_is_what_it_is() {
    let tbs = certificate();
    for end in 1..64 {
        let forged = forger(move |name, count, _| {
            (name == "end of a value" && count < 63).then_some(Fr::from(u8::from(count + 1 == end)))
        });
        if end != 4 {
            refused("another length", &tbs, &schema(), forged);
        }
    }
    for reader in 0..2 {
        let forged = forger(move |name, count, honest| {
            (name == "whether it is a DER INTEGER" && count == reader)
                .then_some(Fr::from(1) - honest)
        });
        refused("another kind", &tbs, &schema(), forged);
        let forged = forger(move |name, count, honest| {
            (name == "whether it is text" && count == reader).then_some(Fr::from(1) - honest)
        });
        let (assignment, _) = run(&tbs, &schema(), forged);
        // An honest proof by another schema, whose rule it has; but an INTEGER is no text, nor a text a number.
        assert!(small().check(&assignment).is_err());
    }
}
