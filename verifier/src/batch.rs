//! The verification equation, for one presentation and for many.
//!
//! Per proof, e(A',B') = e(α,β) · e(L₀ + Σ pₖLₖ + V, G₂) · e(C'',δ₂); per proof and per commitment, one Schnorr equation in
//! G1. All are joined by random weights, those of the pairing equations made to sum to 1, so that e(α,β) is a constant and no
//! pairing; the G1 equations ride in the argument that is paired with G₂. One Miller loop, one final exponentiation.
//!
//! Why weights that sum to 1 are sound: let eᵢ be the errors of the pairing equations (as exponents in the target group) and
//! w₁…wₙ₋₁ free. The sum is eₙ + Σ wᵢ(eᵢ − eₙ): if some eᵢ ≠ eₙ it vanishes for one value of wᵢ in 2^128, and if all are equal
//! it is eₙ. This needs *one* such sum for all items, so items of different parameter sets get equations of their own.

use std::sync::Arc;

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, g1};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Zero};

use bauta_statement::additions::Lists;
use bauta_statement::field;
use bauta_statement::group::PointError;
use bauta_statement::presentation::{
    DecodeError, HiddenProof, NULLIFIER_SLOTS, POSSESSION_SLOTS, policy_slots,
};
use bauta_statement::relation::NullifierPublic;

use crate::keys::{Keys, RelationKey};
use crate::pairing::{Lines, Outside, miller_loop};
use crate::presentation::{Examined, Item, Refusal, VerifiedClaim};
use crate::sums::{Halves, Term, Weight, Weights, sums};

/// Verifies many presentations together; the answers are in the order of the items. What is malformed for its policy is
/// named at once; if the joint equation fails, halves are tried until the bad items are found.
pub fn verify_batch(items: &[Item<'_>]) -> Vec<Result<VerifiedClaim, Refusal>> {
    verify_batch_counting(items).0
}

/// [`verify_batch`], and the number of joint equations that it took: the price of finding bad items, for tests and metrics.
pub fn verify_batch_counting(items: &[Item<'_>]) -> (Vec<Result<VerifiedClaim, Refusal>>, usize) {
    let examined: Vec<_> = items.iter().map(|item| Examined::new(*item)).collect();
    let mut verdicts = vec![Err(Refusal::Unproven); items.len()];
    let mut sets: Vec<(&Arc<Keys>, Vec<Member<'_>>)> = Vec::new();
    for (index, item) in examined.iter().enumerate() {
        let Ok(item) = item else { continue };
        let keys = &item.item.policy.keys;
        match sets.iter_mut().find(|(known, _)| Arc::ptr_eq(known, keys)) {
            Some((_, members)) => members.push((index, item)),
            None => sets.push((keys, vec![(index, item)])),
        }
    }
    let mut equations = 0;
    for (_, members) in sets {
        judge(members, &mut verdicts, &mut equations);
    }
    let answers = examined
        .into_iter()
        .zip(verdicts)
        .map(|(examined, verdict)| {
            let examined = examined?;
            verdict.map(|()| examined.claim())
        })
        .collect();
    (answers, equations)
}

/// An item and its place in the batch.
type Member<'a> = (usize, &'a Examined<'a>);

/// Writes the verdicts of items that hold, and of those with a point outside G2, which the Miller loop names; the others keep
/// theirs. A batch with b bad items of n costs about b·log n equations.
fn judge(
    mut members: Vec<Member<'_>>,
    verdicts: &mut [Result<(), Refusal>],
    equations: &mut usize,
) {
    loop {
        *equations += usize::from(!members.is_empty());
        let items: Vec<_> = members.iter().map(|(_, item)| *item).collect();
        let mut write = |index: usize, verdict| {
            if let Some(place) = verdicts.get_mut(index) {
                *place = verdict;
            }
        };
        match check(&items) {
            Ok(true) => members.iter().for_each(|(index, _)| write(*index, Ok(()))),
            Ok(false) if members.len() > 1 => {
                let right = members.split_off(members.len() / 2);
                judge(members, verdicts, equations);
                judge(right, verdicts, equations);
            }
            Ok(false) => {}
            Err(culprits) => {
                let mut place = 0;
                members.retain(|(index, _)| {
                    let culprit = culprits.contains(&place);
                    place += 1;
                    if culprit {
                        write(*index, Err(outside_subgroup()));
                    }
                    !culprit
                });
                continue;
            }
        }
        return;
    }
}

/// The refusal of a B' that is not in G2.
pub(crate) fn outside_subgroup() -> Refusal {
    Refusal::Malformed(DecodeError::Point {
        what: "B",
        source: PointError::NotInSubgroup,
    })
}

/// Coefficients of one relation's fixed bases, and the weighted C''.
struct RelationSum<'a> {
    key: &'a RelationKey,
    l: Vec<Fr>,
    delta: Fr,
    c: Vec<Term>,
}

impl<'a> RelationSum<'a> {
    fn new(key: &'a RelationKey) -> Self {
        Self {
            key,
            l: vec![Fr::ZERO; key.l.len()],
            delta: Fr::ZERO,
            c: Vec::new(),
        }
    }

    fn add_to_base(&mut self, index: usize, coefficient: Fr) {
        if let Some(sum) = self.l.get_mut(index) {
            *sum += coefficient;
        }
    }

    fn list_fixed(&self, list: &mut Lists<g1::Config>) {
        for (base, coefficient) in self.key.l.iter().zip(&self.l) {
            if !coefficient.is_zero() {
                base.push_multiple(list, coefficient);
            }
        }
        self.key.delta_g1.push_multiple(list, &self.delta);
    }
}

/// Whether the joint equation of items *of one parameter set* holds; or the places of items that have a B' outside G2, of which
/// no equation says anything.
pub(crate) fn check(items: &[&Examined<'_>]) -> Result<bool, Vec<usize>> {
    check_in_parts(items, &mut |_| ())
}

fn check_in_parts(items: &[&Examined<'_>], done: &mut dyn FnMut(Part)) -> Result<bool, Vec<usize>> {
    let Some(first) = items.first() else {
        return Ok(true);
    };
    let keys = &first.item.policy.keys;
    let mut equation = Equation::new(keys, items);
    let mut owners = Vec::with_capacity(3 * items.len());
    for (place, item) in items.iter().enumerate() {
        equation.add(item);
        owners.resize(equation.b.len(), place);
    }
    let (pairs, fixed) = equation.pairs();
    done(Part::Sums);
    let product = miller_loop(&pairs, &fixed).map_err(|Outside(points)| {
        let mut culprits: Vec<_> = points
            .iter()
            .filter_map(|point| owners.get(*point).copied())
            .collect();
        culprits.dedup();
        culprits
    })?;
    done(Part::MillerLoop);
    let holds = product.finish() == keys.alpha_beta;
    done(Part::FinalExponentiation);
    Ok(holds)
}

/// A part of the work on one joint equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Shapes, transcripts, challenges.
    Transcripts,
    /// Weights and sums in G1.
    Sums,
    /// The Miller loop, which tests the subgroup of each B'.
    MillerLoop,
    /// The final exponentiation.
    FinalExponentiation,
}

/// Checks one joint equation of items of one parameter set and calls `done` after each part, for benches that see where time
/// goes. The answer is whether all hold; it earns no claim.
pub fn check_all_in_parts(items: &[Item<'_>], done: &mut dyn FnMut(Part)) -> bool {
    let examined: Result<Vec<_>, _> = items.iter().map(|item| Examined::new(*item)).collect();
    done(Part::Transcripts);
    examined.is_ok_and(|examined| {
        check_in_parts(&examined.iter().collect::<Vec<_>>(), done) == Ok(true)
    })
}

/// [`check`], where tests need no culprits.
#[cfg(test)]
pub(crate) fn holds(items: &[&Examined<'_>]) -> bool {
    check(items) == Ok(true)
}

struct Equation<'a> {
    keys: &'a Keys,
    weights: Weights,
    /// What is left of 1, and of the pairing equations.
    remainder: Weight,
    proofs_left: usize,
    /// wA', and the B' it is paired with.
    a: Vec<Term>,
    b: Vec<G2Affine>,
    possession: Vec<RelationSum<'a>>,
    policy: RelationSum<'a>,
    nullifier: RelationSum<'a>,
    disclosure_value: Fr,
    disclosure_blinding: Fr,
    /// Everything else that is paired with G₂.
    terms: Vec<Term>,
}

impl<'a> Equation<'a> {
    fn new(keys: &'a Keys, items: &[&Examined<'_>]) -> Self {
        let seeds: Vec<_> = items.iter().map(|item| item.seed).collect();
        Self {
            keys,
            weights: Weights::new(seeds.iter()),
            remainder: Weight::ONE,
            proofs_left: items
                .iter()
                .map(|item| item.item.presentation.proofs().count())
                .sum(),
            a: Vec::new(),
            b: Vec::new(),
            possession: keys
                .possession
                .iter()
                .map(|(_, key)| RelationSum::new(key))
                .collect(),
            policy: RelationSum::new(&keys.policy),
            nullifier: RelationSum::new(&keys.nullifier),
            disclosure_value: Fr::ZERO,
            disclosure_blinding: Fr::ZERO,
            terms: Vec::new(),
        }
    }

    /// The weight of the next pairing equation: the last one is what is left of 1.
    fn pairing_weight(&mut self) -> Weight {
        self.proofs_left = self.proofs_left.saturating_sub(1);
        if self.proofs_left == 0 {
            return self.remainder;
        }
        let weight = self.weights.next();
        self.remainder = self.remainder.minus(weight);
        weight
    }

    fn add(&mut self, examined: &Examined<'_>) {
        let Item {
            policy,
            presentation,
            usage,
            ..
        } = examined.item;
        let challenge = examined.challenge;
        let responses = &presentation.responses;

        let weight = self.proof(&presentation.possession, challenge);
        if let Some(sum) = self
            .possession
            .iter_mut()
            .find(|sum| sum.key.digest == examined.possession.digest)
        {
            sum.add_to_base(0, weight.pairing.scalar());
            add_hidden(
                sum,
                &presentation.possession,
                &weight,
                &POSSESSION_SLOTS,
                responses,
            );
        }

        let weight = self.proof(&presentation.policy, challenge);
        self.terms.push(Term {
            point: policy.policy_known,
            k: weight.pairing.halves(),
        });
        let slots = policy_slots(policy.operands());
        add_hidden(
            &mut self.policy,
            &presentation.policy,
            &weight,
            &slots,
            responses,
        );

        if let (Some(used), Some(usage)) = (&presentation.nullifier, usage) {
            let weight = self.proof(&used.proof, challenge);
            let public = NullifierPublic {
                nullifier: used.nullifier,
                scope: usage.scope,
                bound: usage.bound,
            };
            let scalar = weight.pairing.scalar();
            self.nullifier.add_to_base(0, scalar);
            for (index, input) in public.to_inputs().iter().enumerate() {
                self.nullifier
                    .add_to_base(1 + NULLIFIER_SLOTS.len() + index, scalar * input);
            }
            add_hidden(
                &mut self.nullifier,
                &used.proof,
                &weight,
                &NULLIFIER_SLOTS,
                responses,
            );
        }

        for (disclosure, slot) in presentation.disclosures.iter().zip(policy.disclosed()) {
            let weight = self.weights.next();
            let scalar = weight.scalar();
            if let Some(response) = responses.get(*slot) {
                self.disclosure_value += scalar * response;
            }
            self.disclosure_blinding += scalar * disclosure.blinding_response;
            self.terms.push(Term {
                point: disclosure.first_message,
                k: weight.negated().halves(),
            });
            self.terms.push(Term {
                point: disclosure.commitment,
                k: Halves::of(&-(scalar * challenge)),
            });
        }
    }

    /// Adds what all relations have in common: wA' with B', (w − uc)V, −uT.
    fn proof(&mut self, proof: &HiddenProof, challenge: Fr) -> ProofWeights {
        let pairing = self.pairing_weight();
        let schnorr = self.weights.next();
        self.a.push(Term {
            point: proof.a,
            k: pairing.halves(),
        });
        self.b.push(proof.b);
        self.terms.push(Term {
            point: proof.v,
            k: Halves::of(&(pairing.scalar() - schnorr.scalar() * challenge)),
        });
        self.terms.push(Term {
            point: proof.t,
            k: schnorr.negated().halves(),
        });
        ProofWeights {
            pairing,
            schnorr: schnorr.scalar(),
        }
    }

    /// The pairs whose product of pairings must be e(α,β): those with a presentation's point, and those with a key's.
    fn pairs(mut self) -> (VariablePairs, FixedPairs<'a>) {
        let keys = self.keys;
        let mut fixed = Lists::with_capacity(32 * keys.disclosure_value.points_per_multiple());
        keys.disclosure_value
            .push_multiple(&mut fixed, &self.disclosure_value);
        keys.disclosure_blinding
            .push_multiple(&mut fixed, &self.disclosure_blinding);
        let relations: Vec<_> = self
            .possession
            .iter()
            .chain([&self.policy, &self.nullifier])
            .collect();
        for relation in &relations {
            relation.list_fixed(&mut fixed);
        }
        fixed.close();
        self.terms
            .extend(fixed.sums().into_iter().map(|point| Term {
                point,
                k: Weight::ONE.halves(),
            }));
        let groups: Vec<&[Term]> = self
            .a
            .chunks(1)
            .chain([self.terms.as_slice()])
            .chain(relations.iter().map(|relation| relation.c.as_slice()))
            .collect();
        let mut points = sums(&groups);
        // Those with a key's point are on the other side of the equation.
        for point in points.iter_mut().skip(self.b.len()) {
            *point = -*point;
        }
        let points: Vec<G1Affine> = G1Projective::normalize_batch(&points);
        let (variable, fixed) = points.split_at(self.b.len());
        let pairs = variable.iter().copied().zip(self.b).collect();
        let lines = [&keys.generator_g2]
            .into_iter()
            .chain(relations.iter().map(|relation| &relation.key.delta_g2));
        (pairs, fixed.iter().copied().zip(lines).collect())
    }
}

type VariablePairs = Vec<(G1Affine, G2Affine)>;
type FixedPairs<'a> = Vec<(G1Affine, &'a Lines)>;

struct ProofWeights {
    pairing: Weight,
    schnorr: Fr,
}

/// Adds a proof's C'' and the left side of its Schnorr equation, u(Σ s·L + s_z·δ₁).
fn add_hidden(
    sum: &mut RelationSum<'_>,
    proof: &HiddenProof,
    weight: &ProofWeights,
    slots: &[Option<usize>],
    responses: &[field::Fr],
) {
    sum.c.push(Term {
        point: proof.c,
        k: weight.pairing.halves(),
    });
    sum.delta += weight.schnorr * proof.z_response;
    for (input, slot) in slots.iter().enumerate() {
        if let Some(response) = slot.and_then(|slot| responses.get(slot)) {
            sum.add_to_base(1 + input, weight.schnorr * response);
        }
    }
}
