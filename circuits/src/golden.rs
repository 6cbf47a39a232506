//! Pins the shape of every relation: a change shows in review, and means new parameters.

use std::fmt::Write;

use bauta_statement::relation::Relation;

use crate::constraint_system;

fn describe() -> String {
    let mut text = String::new();
    for relation in Relation::ALL {
        let shape = constraint_system(relation);
        let digest: String = shape
            .digest()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
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
        writeln!(text, "  sha256 {digest}\n").unwrap();
    }
    text
}

#[test]
fn shapes_are_as_committed() {
    let now = describe();
    assert!(
        now == include_str!("../golden.txt"),
        "a relation's shape changed. If that is meant, put this into circuits/golden.txt, and renew the development \
         verifying keys (statement/src/relation.rs):\n{now}"
    );
}

#[test]
fn shapes_are_as_declared_and_as_small_as_aimed() {
    for (relation, aim) in [
        (Relation::PossessionNative, 4096),
        (Relation::Policy, 8192),
        (Relation::Nullifier, 512),
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
                [&row.a, &row.b, &row.c]
                    .into_iter()
                    .flatten()
                    .any(|(c, _)| *c == column)
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
    assert!(sorted(theirs) == sorted(shape.matrices()));
}
