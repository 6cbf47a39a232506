//! Batches: a bad item is found wherever it stands, named, and at logarithmic cost.

use ark_bn254::Fr;
use ark_ec::AffineRepr;
use ark_ff::PrimeField;
use bauta_statement::group::PointError;
use bauta_statement::presentation::{DecodeError, Presentation};
use bauta_verifier::batch::{verify_batch, verify_batch_counting};
use bauta_verifier::presentation::{Item, Refusal, verify};

use crate::layout::{Base, bases};

fn item<'a>(base: &'a Base, presentation: &'a Presentation) -> Item<'a> {
    Item {
        policy: &base.prepared.verifier,
        context: &base.prepared.context,
        presentation,
        usage: base.prepared.usage,
    }
}

/// One bad item in each of 64 positions: found and named, by at most 1 + 2·log₂ 64 joint equations.
#[test]
fn one_bad_item_of_64_is_found_in_each_position() {
    let base = bases()
        .iter()
        .find(|base| base.name == "good_no_scope_no_disclosure")
        .unwrap();
    let mut bad = base.presentation.clone();
    bad.responses[3] += Fr::from(1u64);
    let all_good = vec![item(base, &base.presentation); 64];
    let (verdicts, equations) = verify_batch_counting(&all_good);
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(equations, 1);
    for position in 0..64 {
        let mut items = all_good.clone();
        items[position] = item(base, &bad);
        let (verdicts, equations) = verify_batch_counting(&items);
        assert!(equations <= 1 + 2 * 6, "{position}: {equations} equations");
        for (index, verdict) in verdicts.into_iter().enumerate() {
            let expected = (index == position).then_some(Refusal::Unproven);
            assert_eq!(verdict.err(), expected, "{position}: {index}");
        }
    }
}

/// Items of several parameter sets and policies in one batch; good, bad and misfit.
#[test]
fn a_mixed_batch_names_each_item() {
    let bases = bases();
    let altered: Vec<Presentation> = bases
        .iter()
        .map(|base| {
            let mut altered = base.presentation.clone();
            altered.policy.z_response += Fr::from(1u64);
            altered
        })
        .collect();
    let mut items = Vec::new();
    let mut expected = Vec::new();
    for (base, altered) in bases.iter().zip(&altered) {
        items.push(item(base, &base.presentation));
        expected.push(None);
        items.push(item(base, altered));
        expected.push(Some(Refusal::Unproven));
    }
    // A presentation of another policy, whose shape tells.
    let (scoped, unscoped) = (
        bases.iter().find(|b| b.prepared.usage.is_some()).unwrap(),
        bases.iter().find(|b| b.prepared.usage.is_none()).unwrap(),
    );
    items.push(item(scoped, &unscoped.presentation));
    expected.push(Some(Refusal::NullifierMissing));
    let found: Vec<_> = verify_batch(&items).into_iter().map(Result::err).collect();
    assert_eq!(found, expected);
    assert!(verify_batch(&[]).is_empty());
    assert_eq!(verify_batch_counting(&[]).1, 0);
}

/// Errors that cancel where weights are equal, or known beforehand, in one item and across two.
#[test]
fn errors_do_not_cancel() {
    let base = crate::layout::scoped();
    let generator = crate::testing::g1(Fr::from(1u64));
    let shift = |presentation: &Presentation, by: Fr| {
        let mut shifted = presentation.clone();
        shifted.policy.c = (shifted.policy.c + generator * by).into();
        shifted
    };
    let response = |presentation: &Presentation, by: Fr| {
        let mut shifted = presentation.clone();
        shifted.responses[8] += by;
        shifted
    };
    let one = Fr::from(1u64);
    for (first, second) in [
        (
            shift(&base.presentation, one),
            shift(&base.presentation, -one),
        ),
        (
            response(&base.presentation, one),
            response(&base.presentation, -one),
        ),
        // Equal errors, which weights that sum to 1 must not lose.
        (
            shift(&base.presentation, one),
            shift(&base.presentation, one),
        ),
    ] {
        let verdicts = verify_batch(&[item(base, &first), item(base, &second)]);
        assert!(
            verdicts
                .iter()
                .all(|verdict| verdict == &Err(Refusal::Unproven))
        );
    }
}

/// A caller may hand over points that no decoder saw: outside the subgroup they are refused all the same, in each proof, alone
/// and in a batch, and the others are not.
#[test]
fn a_point_outside_the_subgroup_is_found_by_the_verifier() {
    let base = crate::layout::scoped();
    let small = crate::defects::outside().mul_bigint(Fr::MODULUS);
    for which in 0..3 {
        for alone in [true, false] {
            let mut bad = base.presentation.clone();
            let proof = crate::testing::proofs_mut(&mut bad).remove(which);
            // Of the cofactor's order, or that and the good point: e(A', B') is then the same.
            proof.b = if alone { small } else { small + proof.b }.into();
            let outside = |verdict: &Result<_, Refusal>| {
                matches!(
                    verdict,
                    Err(Refusal::Malformed(DecodeError::Point {
                        source: PointError::NotInSubgroup,
                        ..
                    }))
                )
            };
            let (policy, context) = (&base.prepared.verifier, &base.prepared.context);
            assert!(outside(
                &verify(policy, context, &bad, base.prepared.usage).map(drop)
            ));
            let mut items = vec![item(base, &base.presentation); 5];
            items[3] = item(base, &bad);
            for (index, verdict) in verify_batch(&items).into_iter().enumerate() {
                let verdict = verdict.map(drop);
                assert_eq!(verdict.is_ok(), index != 3);
                assert_eq!(outside(&verdict), index == 3);
            }
        }
    }
}
