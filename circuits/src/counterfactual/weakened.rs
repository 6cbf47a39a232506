//! Weakened copies: each relation with one constraint of one gadget left out, and which detector notices.
//!
//! - *rank*: there is one way more to move than the listed witnesses have;
//! - *mutation*: a single witness can be another, and no row notices;
//! - *counterfactual*: an attempt of the tables no longer ends as it is written.
//!
//! A copy that nobody notices fails, and so does one that others notice than is written here. What row is meant is said by
//! the part of the relation and the names of all that the row mentions.

use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, Field};
use bauta_statement::{field::Fr, relation::Relation};

use super::{Table, label, tables};
use crate::{
    hunt::Elimination,
    shape::editing::Draft,
    system::{Column, R1cs, Row},
};

const RANK: &str = "rank";
const MUTATION: &str = "mutation";
const COUNTERFACTUAL: &str = "counterfactual";
const ALL: &[&str] = &[RANK, MUTATION, COUNTERFACTUAL];
/// Something moves, but not one witness alone.
const MOVES: &[&str] = &[RANK, COUNTERFACTUAL];
/// Some witness can be another, but not nearby.
const JUMPS: &[&str] = &[MUTATION, COUNTERFACTUAL];
/// Several witnesses can be others.
const ALIAS: &[&str] = &[COUNTERFACTUAL];

/// A row: part of the relation, what it mentions, and which of those rows.
struct Weakness {
    what: &'static str,
    relation: Relation,
    part: &'static str,
    mentions: &'static [&'static str],
    /// Which of the rows that mention these; from the last if negative.
    which: isize,
    noticed: &'static [&'static str],
}

fn weaknesses() -> Vec<Weakness> {
    let native = |what, part, mentions, which, noticed| Weakness {
        what,
        relation: Relation::PossessionNative,
        part,
        mentions,
        which,
        noticed,
    };
    let policy = |what, part, mentions, which, noticed| Weakness {
        what,
        relation: Relation::Policy,
        part,
        mentions,
        which,
        noticed,
    };
    let nullifier = |what, part, mentions, which, noticed| Weakness {
        what,
        relation: Relation::Nullifier,
        part,
        mentions,
        which,
        noticed,
    };
    vec![
        native(
            "the origin is not compared",
            "origin",
            &["input", "product"],
            -1,
            MOVES,
        ),
        native(
            "y of the key is not tied to u",
            "signature",
            &["issuer's key", "u of a key"],
            0,
            MOVES,
        ),
        native(
            "x of the key is not tied to v: the wrong root is accepted",
            "signature",
            &["issuer's key", "u of a key", "v of a key"],
            0,
            MOVES,
        ),
        native(
            "the key need not be on the curve",
            "signature",
            &["product", "u of a key", "v of a key"],
            0,
            MOVES,
        ),
        native(
            "the tangent's slope",
            "signature",
            &["product", "slope of a tangent", "u of a key", "v of a key"],
            0,
            MOVES,
        ),
        native(
            "the tangent's u",
            "signature",
            &["slope of a tangent", "u of a key", "u of a sum"],
            0,
            MOVES,
        ),
        native(
            "the tangent's v",
            "signature",
            &[
                "slope of a tangent",
                "u of a key",
                "u of a sum",
                "v of a key",
                "v of a sum",
            ],
            0,
            MOVES,
        ),
        native(
            "the middle of double and add",
            "signature",
            &["slope", "u of a middle sum", "u of a sum"],
            0,
            MOVES,
        ),
        native(
            "the second slope of double and add",
            "signature",
            &[
                "second slope",
                "slope",
                "u of a middle sum",
                "u of a sum",
                "v of a sum",
            ],
            0,
            MOVES,
        ),
        native(
            "a table point need not be on the curve",
            "signature",
            &["product", "u of a table point", "v of a table point"],
            0,
            MOVES,
        ),
        native(
            "a digit may be anything",
            "signature",
            &["digit of h", "product"],
            -1,
            MOVES,
        ),
        native(
            "the top of h is not compared with its digits",
            "signature",
            &["digit of h", "top of h", "v of a sum"],
            0,
            ALIAS,
        ),
        native(
            "the top of h may be that of r and more: no canonicity",
            "signature",
            &["bit", "top of h"],
            0,
            JUMPS,
        ),
        native(
            "a bit of the top of h is none",
            "signature",
            &["bit"],
            0,
            ALIAS,
        ),
        native(
            "a table point need not be in the table",
            "signature",
            &["product", "u of a table point"],
            2,
            MOVES,
        ),
        native(
            "the first sum's slope",
            "signature",
            &["slope", "u of a sum", "v of a sum"],
            0,
            MOVES,
        ),
        native(
            "x of R8",
            "signature",
            &["u of a sum", "v of a sum", "x of a commitment"],
            0,
            MOVES,
        ),
        native(
            "y of R8",
            "signature",
            &["u of a sum", "y of a commitment"],
            0,
            MOVES,
        ),
        native(
            "the challenge is not that of the digits",
            "challenge",
            &["digit of h", "product", "v of a sum"],
            0,
            MOVES,
        ),
        policy(
            "the issuer set's root",
            "issuer set",
            &["input", "product"],
            -1,
            MOVES,
        ),
        policy(
            "a member of the issuer set need not be one of the family",
            "issuer set",
            &["child of a tree node", "input", "product"],
            2,
            MOVES,
        ),
        policy(
            "low may be the handle or above",
            "revocation",
            &["bit", "end of a gap", "input"],
            0,
            ALL,
        ),
        policy(
            "next may be the handle or below, 0 and all: the end of the list is anything",
            "revocation",
            &["bit", "end of a gap", "input"],
            1,
            ALL,
        ),
        policy("a bit of the gap is none", "revocation", &["bit"], 0, MOVES),
        policy(
            "the revocation root",
            "revocation",
            &["input", "product"],
            -1,
            MOVES,
        ),
        policy("not before", "validity", &["bit", "input"], 0, JUMPS),
        policy("not after", "validity", &["bit", "input"], 1, JUMPS),
        policy("a bit of a time is none", "validity", &["bit"], 63, ALIAS),
        policy("a pick need not be 0 or 1", "any-of", &["pick"], 1, ALIAS),
        policy(
            "a pick may be outside the group",
            "any-of",
            &["input", "pick"],
            0,
            ALIAS,
        ),
        policy(
            "the picks need not add up to one",
            "any-of",
            &["input", "pick"],
            4,
            ALIAS,
        ),
        policy(
            "above an interval's low end",
            "range",
            &["bit", "product"],
            0,
            JUMPS,
        ),
        policy(
            "below an interval's high end",
            "range",
            &["bit", "product"],
            1,
            JUMPS,
        ),
        policy("a bit of an interval is none", "range", &["bit"], 0, ALIAS),
        policy(
            "an interval's gate",
            "range",
            &["input", "pick", "product"],
            0,
            ALIAS,
        ),
        policy(
            "≠ asks for no inverse: 0·y",
            "not equal",
            &["inverse of ≠", "product"],
            6,
            ALL,
        ),
        policy(
            "the inverse of ≠ where none is asked for",
            "not equal",
            &["inverse of ≠", "product"],
            1,
            ALIAS,
        ),
        policy(
            "the value set's root",
            "value set",
            &["input", "product"],
            -1,
            MOVES,
        ),
        nullifier(
            "the counter may be negative",
            "bound",
            &["bit", "counter"],
            0,
            JUMPS,
        ),
        nullifier(
            "the counter may be the bound",
            "bound",
            &["bit", "counter", "input"],
            0,
            JUMPS,
        ),
        nullifier("a bit of the counter is none", "bound", &["bit"], 0, ALIAS),
        nullifier("an S-box", "hash", &["product"], -1, ALIAS),
        nullifier(
            "the nullifier is not compared",
            "hash",
            &["input", "product"],
            -1,
            ALIAS,
        ),
    ]
}

/// What a row mentions: names of hints, "product", "input".
fn mentions(shape: &R1cs, row: Row<'_>) -> BTreeSet<&'static str> {
    columns(row)
        .into_iter()
        .filter(|column| *column != 0)
        .map(|column| {
            let witness = (column as usize).checked_sub(shape.instances);
            witness.map_or("input", |index| label(shape.names[index]))
        })
        .collect()
}

fn columns(row: Row<'_>) -> BTreeSet<Column> {
    let terms = row.sides().into_iter().flat_map(|side| side.iter());
    terms.map(|(column, _)| column).collect()
}

impl Weakness {
    fn row(&self, shape: &R1cs) -> Option<usize> {
        let wanted: BTreeSet<&str> = self.mentions.iter().copied().collect();
        let rows: Vec<usize> = (0..shape.rows.len())
            .filter(|row| {
                shape.region_of(*row) == self.part && mentions(shape, shape.rows.at(*row)) == wanted
            })
            .collect();
        let index = match usize::try_from(self.which) {
            Ok(index) => Some(index),
            Err(_) => rows.len().checked_sub(self.which.unsigned_abs()),
        };
        rows.get(index?).copied()
    }

    /// Who notices that this row is gone.
    fn noticed_by(&self, table: &Table, gone: usize) -> BTreeSet<&'static str> {
        let shape = table.layout.shape;
        let mut weak = shape.clone();
        weak.rows.edit(|rows| rows[gone] = Draft::default());
        let mut noticed = BTreeSet::new();
        let freedom = |shape| Elimination::new(shape, &table.honest).analyse(0).freedom;
        if freedom(&weak) > freedom(shape) {
            noticed.insert(RANK);
        }
        if unnoticed_change(&weak, table, shape.rows.at(gone)) {
            noticed.insert(MUTATION);
        }
        let differs = |case| table.ends_as_written(case, |row| row != gone).is_err();
        if table.cases.iter().any(differs) {
            noticed.insert(COUNTERFACTUAL);
        }
        noticed
    }
}

/// Whether some witness of the row that is gone, not listed as free, can be another.
fn unnoticed_change(weak: &R1cs, table: &Table, gone: Row<'_>) -> bool {
    let free: BTreeSet<Column> = weak.free.iter().map(|(column, _)| *column).collect();
    let mut values = table.honest.values().to_vec();
    columns(gone)
        .into_iter()
        .filter(|column| *column as usize >= weak.instances && !free.contains(column))
        .any(|column| {
            let rows: Vec<Row<'_>> = weak
                .rows
                .iter()
                .filter(|row| columns(*row).contains(&column))
                .collect();
            let honest = values[column as usize];
            let found = [honest + Fr::ONE, -honest, Fr::ZERO, Fr::from(2)]
                .into_iter()
                .filter(|value| *value != honest)
                .any(|value| {
                    values[column as usize] = value;
                    rows.iter().all(|row| row.holds(&values))
                });
            values[column as usize] = honest;
            found
        })
}

#[test]
fn every_weakened_copy_is_noticed() {
    let mut wrong = Vec::new();
    for weakness in weaknesses() {
        let table = tables()
            .iter()
            .find(|table| table.relation == weakness.relation)
            .unwrap();
        let gone = weakness.row(table.layout.shape);
        let noticed = gone.map(|row| weakness.noticed_by(table, row));
        let expected: BTreeSet<&str> = weakness.noticed.iter().copied().collect();
        if expected.is_empty() || noticed.as_ref() != Some(&expected) {
            wrong.push(format!(
                "{}: {}: noticed by {noticed:?}, not {expected:?}",
                table.relation.name(),
                weakness.what
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
