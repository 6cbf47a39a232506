//! The hunt in one case: rank and deletion at many witnesses, forgeries, mutation; what is wrong comes back as complaints.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    case::{Case, INPUT},
    copies::copies,
    gadgets,
    jacobian::{Analysis, Elimination},
    mutation::mutate,
    probe::{Mentions, Probe},
    rank::describe,
};
use crate::{relation, system::R1cs};

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) witnesses: u64,
    pub(crate) mutations: usize,
    pub(crate) seed: u64,
}

/// In the ordinary run.
pub(crate) const RELATION: Effort = Effort {
    witnesses: 36,
    mutations: 100_000,
    seed: 0,
};
/// A gadget is small; it runs with many others.
pub(crate) const GADGET: Effort = Effort {
    witnesses: 8,
    mutations: 4_000,
    seed: 0,
};

/// What the hunt found in one case.
pub(crate) struct Findings {
    pub(crate) name: String,
    pub(crate) rows: usize,
    /// Rows without which there is one way more to move.
    pub(crate) by_rank: usize,
    /// Other rows that alone refuse a named forgery.
    pub(crate) by_forgery: usize,
    /// Other rows that a gadget's forgeries show to be needed.
    pub(crate) by_gadget: usize,
    /// Other rows that are a smaller gadget's, needed there.
    pub(crate) by_copy: usize,
    /// Ways to move, and at how many witnesses.
    pub(crate) freedom: BTreeMap<usize, usize>,
    /// The most rows that peeling left.
    pub(crate) core: usize,
    pub(crate) mutations: usize,
    /// Mutations that were accepted because a listed column moved too.
    pub(crate) mutations_listed: usize,
    /// What is wrong. Empty if all is well.
    pub(crate) complaints: Vec<String>,
    /// The rows that are needed, by rank or by a forgery.
    pub(crate) shown: BTreeSet<usize>,
}

/// Runs the hunt.
pub(crate) fn hunt(case: &Case, effort: Effort, gadgets: &[(Case, Findings)]) -> Findings {
    let shape = case.shape.as_ref();
    let mentions = Mentions::new(shape);
    let mut found = Findings {
        name: case.name.clone(),
        rows: shape.rows.len(),
        by_rank: 0,
        by_forgery: 0,
        by_gadget: 0,
        by_copy: 0,
        freedom: BTreeMap::new(),
        core: 0,
        mutations: 0,
        mutations_listed: 0,
        complaints: Vec::new(),
        shown: BTreeSet::new(),
    };
    rank(case, effort, &mut found);
    found.by_rank = found.shown.len();
    forgeries(case, &mentions, &mut found);
    found.by_forgery = found.shown.len() - found.by_rank;
    excuses(case, gadgets, &mut found);

    let mutations = mutate(case, &mentions, effort.mutations, effort.seed);
    found.mutations = mutations.tried;
    found.mutations_listed = mutations.listed;
    let holes = mutations.holes.into_iter();
    found
        .complaints
        .extend(holes.map(|hole| format!("accepted though changed: {hole}")));
    let idle = mutations.idle_inputs.into_iter();
    found
        .complaints
        .extend(idle.map(|input| format!("input {input} matters nowhere")));
    found
}

fn rank(case: &Case, effort: Effort, found: &mut Findings) {
    let shape = case.shape.as_ref();
    let mut movable = BTreeSet::new();
    for seed in effort.seed..effort.seed + effort.witnesses {
        let assignment = (case.sample)(seed);
        if let Err(error) = shape.check(&assignment) {
            found.complaints.push(format!("sample {seed}: {error}"));
            continue;
        }
        let elimination = Elimination::new(shape, &assignment);
        found.core = found.core.max(elimination.core);
        let Analysis {
            loose,
            freedom,
            movable: listed,
            needed,
        } = elimination.analyse(seed);
        let free = loose.into_iter().map(|column| describe(shape, column));
        let complaint = |column| format!("at sample {seed} nothing determines column {column}");
        found.complaints.extend(free.map(complaint));
        *found.freedom.entry(freedom).or_default() += 1;
        movable.extend(listed);
        let rows = needed.iter().enumerate().filter(|(_, needed)| **needed);
        found.shown.extend(rows.map(|(row, _)| row));
    }
    for (column, reason) in &shape.free {
        // The input of a range by itself cannot move, only jump.
        if !movable.contains(column) && *reason != INPUT {
            found.complaints.push(format!(
                "column {column} is listed as free ({reason}) and is not, at any witness"
            ));
        }
    }
}

fn forgeries(case: &Case, mentions: &Mentions, found: &mut Findings) {
    let shape = case.shape.as_ref();
    for forgery in (case.forgeries)(shape) {
        let probe = Probe::new(shape, mentions, &forgery.base);
        for (name, changes) in &forgery.changes {
            let failing = probe.failing_with(changes);
            match failing.iter().collect::<Vec<_>>().as_slice() {
                [row] => {
                    found.shown.insert(**row);
                }
                [] => found
                    .complaints
                    .push(format!("the forgery \"{name}\" is accepted")),
                rows => found.complaints.push(format!(
                    "the forgery \"{name}\" is refused by {} rows, not by one: {}",
                    rows.len(),
                    places(shape, rows.iter().map(|row| **row))
                )),
            }
        }
    }
}

/// What is left after rank and forgeries: excuses and copies.
fn excuses(case: &Case, gadgets: &[(Case, Findings)], found: &mut Findings) {
    let shape = case.shape.as_ref();
    let mut rest: BTreeSet<usize> = (0..shape.rows.len())
        .filter(|row| !found.shown.contains(row))
        .collect();
    for excuse in &case.excuses {
        let Some((gadget, shown)) = gadgets.iter().find(|(other, _)| other.name == excuse.case)
        else {
            found
                .complaints
                .push(format!("there is no case {}", excuse.case));
            continue;
        };
        let (here, there) = ((excuse.rows)(shape), (excuse.rows)(&gadget.shape));
        if here.len() != there.len() || !there.iter().all(|row| shown.shown.contains(row)) {
            found.complaints.push(format!(
                "{} does not show what it is to excuse ({})",
                excuse.case, excuse.reason
            ));
        }
        for row in here {
            if rest.remove(&row) {
                found.by_gadget += 1;
            } else {
                found.complaints.push(format!(
                    "row {row} is excused ({}) and needs none",
                    excuse.reason
                ));
            }
        }
    }
    for name in &case.copies {
        let part = gadgets.iter().find(|(other, _)| other.name == *name);
        let Some((part, shown)) = part.filter(|(_, shown)| shown.shown.len() == shown.rows) else {
            let complaint = format!("there is no case {name} all of whose rows are needed");
            found.complaints.push(complaint);
            continue;
        };
        let rows = copies(&part.shape, shape);
        if rows.is_empty() {
            let complaint = format!("{} has no copy here", shown.name);
            found.complaints.push(complaint);
        }
        let before = rest.len();
        rest.retain(|row| !rows.contains(row));
        found.by_copy += before - rest.len();
    }
    if !rest.is_empty() {
        found.complaints.push(format!(
            "{} rows that nothing shows to be needed: {}",
            rest.len(),
            places(shape, rest.into_iter())
        ));
    }
}

/// Rows with their parts, runs of them shortened.
fn places(shape: &R1cs, rows: impl Iterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some((start, end))
                if *end == row && shape.region_of(*start) == shape.region_of(row) =>
            {
                *end += 1;
            }
            _ => runs.push((row, row + 1)),
        }
    }
    let runs = runs
        .into_iter()
        .map(|(start, end)| format!("{start}..{end} ({})", shape.region_of(start)));
    runs.collect::<Vec<_>>().join(", ")
}

/// The hunt in every gadget, once for all tests.
pub(crate) fn gadget_findings() -> &'static [(Case, Findings)] {
    static FOUND: LazyLock<Vec<(Case, Findings)>> = LazyLock::new(|| {
        let mut found = Vec::new();
        for case in gadgets::all() {
            // Of a large one each column is changed too, in each of the pool's assignments.
            let mutations = GADGET.mutations.max(8 * case.shape.witnesses);
            let witnesses = match case.shape.rows.len() {
                ..10_000 => GADGET.witnesses,
                _ => GADGET.witnesses / 2,
            };
            let effort = Effort {
                witnesses,
                mutations,
                ..GADGET
            };
            let findings = hunt(&case, effort, &found);
            found.push((case, findings));
        }
        found
    });
    &FOUND
}

/// The hunt in every relation, once for all tests.
pub(crate) fn relation_findings() -> &'static [Findings] {
    static FOUND: LazyLock<Vec<Findings>> = LazyLock::new(|| {
        let cases = relation::hunted().into_iter();
        cases
            .map(|case| hunt(&case, RELATION, gadget_findings()))
            .collect()
    });
    &FOUND
}
