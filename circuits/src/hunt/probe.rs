//! Which rows notice a change: only those that mention a changed column are evaluated again.

use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, Zero};
use bauta_statement::field::Fr;

use crate::system::{Assignment, Column, R1cs};

/// Where each column stands: row, side (a, b, c) and factor, rows ascending.
pub(crate) struct Mentions(Vec<Vec<(u32, u8, Fr)>>);

impl Mentions {
    pub(crate) fn new(shape: &R1cs) -> Self {
        let mut mentions = vec![Vec::new(); shape.instances + shape.witnesses];
        for (index, row) in shape.rows.iter().enumerate() {
            for (side, terms) in row.sides().into_iter().enumerate() {
                for (column, factor) in terms.iter() {
                    mentions[column as usize].push((index as u32, side as u8, factor));
                }
            }
        }
        Self(mentions)
    }
}

/// An assignment with the value of every row's three sides.
pub(crate) struct Probe<'a> {
    mentions: &'a Mentions,
    pub(crate) values: Vec<Fr>,
    sides: Vec<[Fr; 3]>,
    failing: BTreeSet<usize>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(shape: &R1cs, mentions: &'a Mentions, assignment: &Assignment) -> Self {
        let values = assignment.values().to_vec();
        let sides: Vec<[Fr; 3]> = shape
            .rows
            .iter()
            .map(|row| row.sides().map(|side| side.evaluate(&values)))
            .collect();
        let failing = (0..sides.len())
            .filter(|row| !holds(&sides[*row]))
            .collect();
        Self {
            mentions,
            values,
            sides,
            failing,
        }
    }

    /// The rows that fail as it is.
    pub(crate) fn failing(&self) -> &BTreeSet<usize> {
        &self.failing
    }

    /// The rows that fail with these columns changed. No column may stand twice.
    pub(crate) fn failing_with(&self, changes: &[(Column, Fr)]) -> BTreeSet<usize> {
        let mut moved: Vec<(u32, u8, Fr)> = Vec::new();
        for (column, value) in changes {
            let difference = *value - self.values[*column as usize];
            if !difference.is_zero() {
                let mentions = &self.mentions.0[*column as usize];
                moved.extend(
                    mentions
                        .iter()
                        .map(|(row, side, f)| (*row, *side, *f * difference)),
                );
            }
        }
        moved.sort_by_key(|(row, _, _)| *row);
        let mut failing = self.failing.clone();
        for group in moved.chunk_by(|one, next| one.0 == next.0) {
            let row = group.first().map_or(0, |(row, _, _)| *row as usize);
            let mut sides = self.sides[row];
            for (_, side, difference) in group {
                sides[usize::from(*side)] += *difference;
            }
            if holds(&sides) {
                failing.remove(&row);
            } else {
                failing.insert(row);
            }
        }
        failing
    }
}

fn holds([a, b, c]: &[Fr; 3]) -> bool {
    *a * b - c == Fr::ZERO
}
