//! Pins the shape of every relation, and what the hunt for under-constraint shows of each constraint: a change shows in
//! review, and means new parameters.

use std::{collections::BTreeMap, fmt::Write};

use bauta_statement::relation::Relation;

use crate::{
    constraint_system, constraint_system_digest,
    hunt::{Findings, gadget_findings, relation_findings},
    relation::{IN_PARTS, REGISTERED},
};

fn describe() -> String {
    let mut text = String::new();
    let findings = relation_findings().iter().map(Some);
    let whole = REGISTERED.iter().zip(findings);
    let large = IN_PARTS.iter().map(|relation| (relation, None));
    for (relation, findings) in whole.chain(large) {
        let shape = constraint_system(*relation);
        let digest = shape.digest();
        if digest != constraint_system_digest(*relation) {
            writeln!(text, "  (renew it in circuits/src/digests.rs)").unwrap();
        }
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{}", relation.name()).unwrap();
        writeln!(
            text,
            "  constraints {}, instances {}, together {}",
            shape.rows.len(),
            shape.instances,
            shape.size()
        )
        .unwrap();
        writeln!(
            text,
            "  witnesses {}, of which listed as free {}",
            shape.witnesses,
            shape.free.len()
        )
        .unwrap();
        for (part, count) in shape.counts() {
            writeln!(text, "  {part}: {count}").unwrap();
        }
        if let Some(findings) = findings {
            writeln!(text, "  {}", hunted(findings)).unwrap();
            writeln!(
                text,
                "  mutations refused {}, accepted with a listed witness {}",
                findings.mutations - findings.mutations_listed,
                findings.mutations_listed
            )
            .unwrap();
        }
        writeln!(text, "  sha256 {digest}\n").unwrap();
    }
    writeln!(text, "gadgets by themselves").unwrap();
    for (_, findings) in gadget_findings() {
        writeln!(text, "  {}: {}", findings.name, hunted(findings)).unwrap();
    }
    text
}

/// How each constraint is shown to be needed, in how many ways a witness can move (at how many of the witnesses), and how many
/// rows peeling leaves.
fn hunted(findings: &Findings) -> String {
    let Findings {
        rows,
        by_rank,
        by_forgery,
        by_gadget,
        by_copy,
        freedom,
        core,
        ..
    } = findings;
    let ways: Vec<String> = freedom
        .iter()
        .map(|(ways, witnesses)| format!("{ways} ({witnesses})"))
        .collect();
    let shown: Vec<String> = [
        (by_rank, "rank"),
        (by_forgery, "a forgery"),
        (by_gadget, "a gadget's forgery"),
        (by_copy, "a smaller gadget's rows"),
    ]
    .iter()
    .filter(|(count, _)| **count > 0)
    .map(|(count, what)| format!("{count} by {what}"))
    .collect();
    let core = match core {
        0 => String::new(),
        rows => format!("; in the core {rows}"),
    };
    format!(
        "{rows} needed: {}; ways to move: {}{core}",
        shown.join(", "),
        ways.join(", ")
    )
}

#[test]
fn shapes_are_as_committed() {
    let now = describe();
    assert!(
        now == include_str!("../golden.txt"),
        "a relation changed, or what the hunt says of it. If that is meant, put this into circuits/golden.txt; and if a \
         digest changed, renew the development verifying keys (statement/src/relation.rs):\n{now}"
    );
}

/// The list of relations here is that of `statement/`.
#[test]
fn every_relation_is_registered_once() {
    let all: BTreeMap<u8, Relation> = Relation::ALL.iter().map(|r| (r.code(), *r)).collect();
    let both = REGISTERED.iter().chain(IN_PARTS);
    let registered: BTreeMap<u8, Relation> = both.map(|r| (r.code(), *r)).collect();
    assert_eq!(registered.len(), REGISTERED.len() + IN_PARTS.len());
    assert_eq!(all, registered);
    assert_eq!(all.len(), Relation::ALL.len());
    for (relation, findings) in REGISTERED.iter().zip(relation_findings()) {
        assert_eq!(findings.name, relation.name());
    }
}

#[test]
fn shapes_are_as_declared_and_as_small_as_aimed() {
    for (relation, aim) in [
        (Relation::PossessionNative, 4096),
        (Relation::Policy, 8192),
        (Relation::Nullifier, 512),
        (Relation::PossessionX509Rsa, 1 << 19),
        (Relation::PossessionX509RsaLong, 1 << 20),
    ] {
        let shape = constraint_system(relation);
        assert_eq!(shape.instances, relation.key_points());
        assert!(
            shape.size() <= aim,
            "{}: {} of {aim}",
            relation.name(),
            shape.size()
        );
        // Every input is constrained, so no point L of the verifying key is a mere basis polynomial.
        for column in 1..shape.instances as u32 {
            let used = shape.rows.iter().any(|row| {
                let mut terms = row.sides().into_iter().flat_map(|side| side.iter());
                terms.any(|(other, _)| other == column)
            });
            assert!(
                used,
                "{}: input {column} is in no constraint",
                relation.name()
            );
        }
        let mut reasons: Vec<_> = shape.free.iter().map(|(_, reason)| *reason).collect();
        reasons.dedup();
        assert!(reasons.iter().all(|reason| !reason.is_empty()));
    }
}

/// arkworks sees the very matrices that this crate checks and hashes.
#[test]
fn arkworks_has_the_same_matrices() {
    use ark_relations::gr1cs::{
        ConstraintSystem, OptimizationGoal, R1CS_PREDICATE_LABEL, SynthesisMode,
    };
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Setup);
    let shape = constraint_system(Relation::Nullifier);
    shape.emit(None, &cs).unwrap();
    cs.finalize();
    let theirs = cs
        .to_matrices()
        .unwrap()
        .remove(R1CS_PREDICATE_LABEL)
        .unwrap();
    let sorted = |mut matrices: Vec<Vec<Vec<(bauta_statement::field::Fr, usize)>>>| {
        matrices
            .iter_mut()
            .flatten()
            .for_each(|row| row.sort_by_key(|(_, column)| *column));
        matrices
    };
    let ours: [Vec<Vec<_>>; 3] = [0, 1, 2].map(|side| {
        let rows = shape.rows.iter().map(|row| {
            let terms = row.sides()[side].iter();
            terms
                .map(|(column, factor)| (factor, column as usize))
                .collect()
        });
        rows.collect()
    });
    assert!(sorted(theirs) == ours);
}
