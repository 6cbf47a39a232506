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

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ec::bn::G2Prepared;
use ark_ff::{AdditiveGroup, Zero};

use bauta_statement::field;
use bauta_statement::presentation::{HiddenProof, NULLIFIER_SLOTS, POSSESSION_SLOTS, policy_slots};
use bauta_statement::relation::NullifierPublic;

use crate::keys::{Keys, RelationKey};
use crate::pairing;
use crate::presentation::{Examined, Item, Refusal, VerifiedClaim};
use crate::sums::{Halves, Term, Weight, Weights, sum};

/// Verifies many presentations together; the answers are in the order of the items. What is malformed for its policy is
/// named at once; if the joint equation fails, halves are tried until the bad items are found.
pub fn verify_batch(items: &[Item<'_>]) -> Vec<Result<VerifiedClaim, Refusal>> {
    let examined: Vec<_> = items.iter().map(|item| Examined::new(*item)).collect();
    let mut good = vec![false; items.len()];
    let mut sets: Vec<(&Arc<Keys>, Vec<Member<'_>>)> = Vec::new();
    for (index, item) in examined.iter().enumerate() {
        let Ok(item) = item else { continue };
        let keys = &item.item.policy.keys;
        match sets.iter_mut().find(|(known, _)| Arc::ptr_eq(known, keys)) {
            Some((_, members)) => members.push((index, item)),
            None => sets.push((keys, vec![(index, item)])),
        }
    }
    for (_, members) in &sets {
        find_good(members, &mut good);
    }
    examined
        .into_iter()
        .zip(good)
        .map(|(examined, good)| {
            let examined = examined?;
            if good {
                Ok(examined.claim())
            } else {
                Err(Refusal::Unproven)
            }
        })
        .collect()
}

/// An item and its place in the batch.
type Member<'a> = (usize, &'a Examined<'a>);

/// Marks the items that hold. A batch with b bad items of n costs about b·log n equations.
fn find_good(members: &[Member<'_>], good: &mut [bool]) {
    let items: Vec<_> = members.iter().map(|(_, item)| *item).collect();
    if items.is_empty() {
        return;
    }
    if holds(&items) {
        for (index, _) in members {
            if let Some(mark) = good.get_mut(*index) {
                *mark = true;
            }
        }
    } else if members.len() > 1 {
        let (left, right) = members.split_at(members.len() / 2);
        find_good(left, good);
        find_good(right, good);
    }
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

    fn add_fixed(&self, total: &mut G1Projective) {
        for (base, coefficient) in self.key.l.iter().zip(&self.l) {
            if !coefficient.is_zero() {
                base.add_multiple(total, coefficient);
            }
        }
        self.key.delta_g1.add_multiple(total, &self.delta);
    }
}

/// Whether the joint equation of items *of one parameter set* holds.
pub(crate) fn holds(items: &[&Examined<'_>]) -> bool {
    let Some(first) = items.first() else {
        return true;
    };
    let keys = &first.item.policy.keys;
    let mut equation = Equation::new(keys, items);
    for item in items {
        equation.add(item);
    }
    equation.holds()
}

struct Equation<'a> {
    keys: &'a Keys,
    weights: Weights,
    /// What is left of 1, and of the pairing equations.
    remainder: Weight,
    proofs_left: usize,
    /// wA', and the B' it is paired with.
    a: Vec<G1Projective>,
    b: Vec<G2Prepared<ark_bn254::Config>>,
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
        self.a.push(sum(&[Term {
            point: proof.a,
            k: pairing.halves(),
        }]));
        self.b.push(proof.b.into());
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

    fn holds(self) -> bool {
        let mut with_generator = sum(&self.terms);
        self.keys
            .disclosure_value
            .add_multiple(&mut with_generator, &self.disclosure_value);
        self.keys
            .disclosure_blinding
            .add_multiple(&mut with_generator, &self.disclosure_blinding);
        let relations: Vec<_> = self
            .possession
            .iter()
            .chain([&self.policy, &self.nullifier])
            .collect();
        for relation in &relations {
            relation.add_fixed(&mut with_generator);
        }
        let mut points = self.a;
        points.push(-with_generator);
        points.extend(relations.iter().map(|relation| -sum(&relation.c)));
        let points: Vec<G1Affine> = G1Projective::normalize_batch(&points);
        let partners = self
            .b
            .iter()
            .chain([&self.keys.generator_g2])
            .chain(relations.iter().map(|relation| &relation.key.delta_g2));
        let pairs: Vec<_> = points.into_iter().zip(partners).collect();
        pairing::equals(pairing::product(&pairs), &self.keys.alpha_beta)
    }
}

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
