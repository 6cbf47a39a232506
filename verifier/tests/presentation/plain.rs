//! The verification equations one by one, on arkworks' own pairing and without weights: what the joint equation is held
//! against.

use ark_bn254::{Bn254, G1Projective, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use bauta_statement::group::Pedersen;
use bauta_statement::presentation::{Presentation, Statement};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::verifying_key::VerifyingKey;

use crate::format::Prepared;
use crate::layout::bases;
use crate::testing::{hidden_sum, slots_of};

/// Equations (1) to (3) of the specification's section 9, and nothing else: no key, policy or shape is checked.
pub(crate) fn equations_hold(
    prepared: &Prepared,
    keys: &[VerifyingKey; 3],
    presentation: &Presentation,
) -> bool {
    let statement: Statement = prepared
        .verifier
        .statement(presentation.format, prepared.usage)
        .unwrap();
    let c = PresentationTranscript::new(&statement, presentation.nullifier(), &prepared.context)
        .challenge(presentation)
        .challenge();
    equations_hold_for(&statement, c, keys, presentation)
}

/// The same, for a challenge that is given.
pub(crate) fn equations_hold_for(
    statement: &Statement,
    c: ark_bn254::Fr,
    keys: &[VerifyingKey; 3],
    presentation: &Presentation,
) -> bool {
    failing(statement, c, keys, presentation).is_empty()
}

/// The equations that fail, by number, each with the proof's or the disclosure's place.
fn failing(
    statement: &Statement,
    c: ark_bn254::Fr,
    keys: &[VerifyingKey; 3],
    presentation: &Presentation,
) -> Vec<(u8, usize)> {
    let mut public = vec![Vec::new(), statement.policy_inputs.clone()];
    if let (Some(usage), Some(nullifier)) = (&statement.usage, presentation.nullifier()) {
        public.push(vec![*nullifier, usage.scope, usage.bound.into()]);
    }
    let slots = slots_of(&statement.operands);
    let s = &presentation.responses;
    let mut failing = Vec::new();
    for (place, proof) in presentation.proofs().enumerate() {
        let (key, slots) = (&keys[place], &slots[place]);
        let inputs: G1Projective = key.l[0]
            + key.l[1 + slots.len()..]
                .iter()
                .zip(&public[place])
                .map(|(l, p)| *l * p)
                .sum::<G1Projective>();
        let right = Bn254::pairing(key.alpha_g1, key.beta_g2)
            + Bn254::pairing((inputs + proof.v).into_affine(), G2Affine::generator())
            + Bn254::pairing(proof.c, key.delta_g2);
        if Bn254::pairing(proof.a, proof.b) != right {
            failing.push((1, place));
        }
        if hidden_sum(key, slots, s) + key.delta_g1 * proof.z_response != proof.t + proof.v * c {
            failing.push((2, place));
        }
    }
    let Pedersen { value, blinding } = *Pedersen::get();
    for (place, disclosure) in presentation.disclosures.iter().enumerate() {
        let slot = statement.disclosed[place];
        if value * s[slot] + blinding * disclosure.blinding_response
            != disclosure.first_message + disclosure.commitment * c
        {
            failing.push((3, place));
        }
    }
    failing
}

/// Each cheat's vector fails in the equations that it is named for, and in no other.
#[test]
fn cheats_fail_where_they_say() {
    let vectors = crate::vectors::read();
    for cheat in crate::good::cheats() {
        let base = crate::layout::Base::new(cheat.name, &vectors[cheat.name]);
        let statement = base
            .prepared
            .verifier
            .statement(base.presentation.format, base.prepared.usage)
            .unwrap();
        let c = PresentationTranscript::new(
            &statement,
            base.presentation.nullifier(),
            &base.prepared.context,
        )
        .challenge(&base.presentation)
        .challenge();
        let mut found = failing(&statement, c, &base.keys, &base.presentation);
        found.sort_unstable();
        assert_eq!(found, cheat.fails, "{}", cheat.name);
    }
}

#[test]
fn good_vectors_hold_equation_by_equation() {
    for base in bases() {
        assert!(
            equations_hold(&base.prepared, &base.keys, &base.presentation),
            "{}",
            base.name
        );
    }
}
