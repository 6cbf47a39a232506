//! Mutated presentations: none is accepted, neither alone nor among good ones. Mutations know the layout, so that most of
//! them decode and reach the equations; some know the algebra, and keep the equations true for the old challenge.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field as _, UniformRand, Zero};
use bauta_statement::field;
use bauta_statement::group::{g1_from_bytes, g1_to_bytes, g2_from_bytes, g2_to_bytes};
use bauta_statement::presentation::Presentation;
use bauta_statement::transcript::PresentationTranscript;
use bauta_verifier::batch::verify_batch;
use bauta_verifier::presentation::{Item, Refusal, verify, verify_bytes};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use crate::layout::{Base, Field, Kind, bases};
use crate::plain::equations_hold;
use crate::testing::{proofs_mut, rng};

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}

fn pick<'a, T>(rng: &mut ChaCha20Rng, from: &'a [T]) -> &'a T {
    &from[below(rng, from.len())]
}

/// A random field of a kind, of any good presentation.
fn donor(rng: &mut ChaCha20Rng, kind: Kind) -> Vec<u8> {
    let base = pick(rng, bases());
    loop {
        let field = pick(rng, &base.fields);
        if field.kind == kind {
            return base.bytes[field.at..field.at + field.len()].to_vec();
        }
    }
}

/// Another value of the same kind.
fn other(rng: &mut ChaCha20Rng, kind: Kind, old: &[u8]) -> Vec<u8> {
    let way = below(rng, 6);
    match kind {
        _ if way == 0 => donor(rng, kind),
        Kind::Scalar => {
            let x = field::from_bytes(old.try_into().unwrap()).unwrap_or_default();
            let new = match way {
                1 => x + Fr::from(1u64),
                2 => -x,
                3 => Fr::zero(),
                4 => x + Fr::from(2u64).pow([u64::from(rng.next_u32() % 253)]),
                _ => Fr::rand(rng),
            };
            field::to_bytes(&new).to_vec()
        }
        Kind::G1 => {
            let p = g1_from_bytes(old.try_into().unwrap()).unwrap_or(G1Affine::generator());
            let q = g1_from_bytes(&donor(rng, kind).try_into().unwrap()).unwrap();
            let new = match way {
                1 => -p,
                2 => (p + q).into_affine(),
                3 => (p + p).into_affine(),
                4 => (p + G1Affine::generator()).into_affine(),
                _ => (G1Affine::generator() * Fr::rand(rng)).into_affine(),
            };
            g1_to_bytes(&new).to_vec()
        }
        Kind::G2 => {
            let p = g2_from_bytes(old.try_into().unwrap()).unwrap_or(G2Affine::generator());
            let q = g2_from_bytes(&donor(rng, kind).try_into().unwrap()).unwrap();
            let new = match way {
                1 => -p,
                2 => (p + q).into_affine(),
                3 => (p + p).into_affine(),
                4 => (p + G2Affine::generator()).into_affine(),
                _ => (G2Affine::generator() * Fr::rand(rng)).into_affine(),
            };
            g2_to_bytes(&new).to_vec()
        }
    }
}

/// Changes that keep equations true for the old challenge: what a stranger can do to a presentation that passed by.
fn algebra(rng: &mut ChaCha20Rng, base: &Base, shown: &mut Presentation) {
    let prepared = &base.prepared;
    let statement = prepared
        .verifier
        .statement(shown.format, prepared.usage)
        .unwrap();
    let c = PresentationTranscript::new(&statement, shown.nullifier(), &prepared.context)
        .challenge(shown)
        .challenge();
    let k = Fr::rand(rng);
    let way = below(rng, 5);
    let which = below(rng, 3);
    for (index, (proof, key)) in proofs_mut(shown).into_iter().zip(&base.keys).enumerate() {
        if which != index && which != 2 {
            continue;
        }
        match way {
            0 => {
                proof.a = (proof.a * k).into_affine();
                proof.b = (proof.b * k.inverse().unwrap()).into_affine();
            }
            1 => {
                proof.v = (proof.v + key.delta_g1 * k).into_affine();
                proof.c = (proof.c - G1Affine::generator() * k).into_affine();
                proof.z_response += k * c;
            }
            2 => {
                proof.t = (proof.t + key.delta_g1 * k).into_affine();
                proof.z_response += k;
            }
            3 => {
                proof.a = -proof.a;
                proof.b = -proof.b;
            }
            _ => {
                proof.b = (proof.b + key.delta_g2 * k).into_affine();
                proof.c = (proof.c + proof.a * k).into_affine();
            }
        }
    }
}

/// One to three mutations of a good presentation.
fn mutate(rng: &mut ChaCha20Rng, base: &Base) -> Vec<u8> {
    let mut bytes = base.bytes.clone();
    for _ in 0..1 + below(rng, 3) {
        let field: Field = *pick(rng, &base.fields);
        let range = field.at..(field.at + field.len()).min(bytes.len());
        match below(rng, 16) {
            0 => {
                let at = below(rng, bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(rng, 8);
                }
            }
            1 => match below(rng, 4) {
                0 => bytes.truncate(below(rng, bytes.len() + 1)),
                1 => bytes.push(rng.next_u32() as u8),
                _ => {
                    let at = below(rng, 4);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = rng.next_u32() as u8 % 16;
                    }
                }
            },
            2 | 3 => {
                // Two fields of a kind in each other's place.
                let twin = *pick(rng, &base.fields);
                if twin.kind == field.kind && bytes.len() == base.bytes.len() {
                    let (one, two) = (
                        bytes[field.at..field.at + field.len()].to_vec(),
                        bytes[twin.at..twin.at + twin.len()].to_vec(),
                    );
                    bytes[field.at..field.at + field.len()].copy_from_slice(&two);
                    bytes[twin.at..twin.at + twin.len()].copy_from_slice(&one);
                }
            }
            4..=7 => {
                if let Ok(mut shown) = Presentation::decode(&bytes)
                    && shown.format == base.presentation.format
                {
                    algebra(rng, base, &mut shown);
                    bytes = shown.encode();
                }
            }
            _ => {
                if bytes.len() == base.bytes.len() {
                    let new = other(rng, field.kind, &bytes[range.clone()]);
                    bytes[range].copy_from_slice(&new);
                }
            }
        }
    }
    bytes
}

/// Verifies this many mutants, and returns how many reached the equations.
fn hunt(rng: &mut ChaCha20Rng, mutants: usize) -> usize {
    let mut reached = 0;
    let mut tried = 0;
    while tried < mutants {
        let base = pick(rng, bases());
        let bytes = mutate(rng, base);
        if bytes == base.bytes {
            continue;
        }
        tried += 1;
        let prepared = &base.prepared;
        let verdict = verify_bytes(
            &prepared.verifier,
            &prepared.context,
            &bytes,
            prepared.usage,
        );
        let Err(refusal) = verdict else {
            panic!("accepted, {}: {}", base.name, crate::format::hex(&bytes));
        };
        if refusal == Refusal::Unproven {
            reached += 1;
            // The joint equation agrees with the plain ones: refused by both.
            if reached % 64 == 0 {
                let shown = Presentation::decode(&bytes).unwrap();
                assert!(!equations_hold(prepared, &base.keys, &shown));
            }
        }
    }
    reached
}

/// Batches of 16 in which one to three are mutants: they are found, and they alone.
fn hunt_in_batches(rng: &mut ChaCha20Rng, batches: usize) -> usize {
    let mut seen = 0;
    for _ in 0..batches {
        let base = pick(rng, bases());
        let mutants: Vec<Presentation> = (0..1 + below(rng, 3))
            .filter_map(|_| Presentation::decode(&mutate(rng, base)).ok())
            .filter(|mutant| *mutant != base.presentation)
            .collect();
        let mut shown = [&base.presentation; 16];
        for mutant in &mutants {
            shown[below(rng, 16)] = mutant;
        }
        let items: Vec<Item<'_>> = shown
            .iter()
            .map(|presentation| Item {
                policy: &base.prepared.verifier,
                context: &base.prepared.context,
                presentation,
                usage: base.prepared.usage,
            })
            .collect();
        for (presentation, verdict) in shown.iter().zip(verify_batch(&items)) {
            assert_eq!(verdict.is_ok(), **presentation == base.presentation);
            seen += usize::from(verdict.is_err());
        }
    }
    seen
}

#[test]
fn no_mutant_is_accepted() {
    let mut rng = rng(11);
    let reached = hunt(&mut rng, 2_000);
    assert!(reached > 1_000, "{reached} of 2,000 reached the equations");
    assert!(hunt_in_batches(&mut rng, 30) > 20);
}

#[test]
#[ignore = "10^5 mutants, some minutes"]
fn none_of_a_hundred_thousand_mutants_is_accepted() {
    let mut rng = rng(12);
    let reached = hunt(&mut rng, 100_000);
    let in_batches = hunt_in_batches(&mut rng, 2_000);
    println!(
        "{reached} of 100,000 mutants reached the equations; {in_batches} more in batches of 16"
    );
    assert!(reached > 50_000, "{reached}");
}

/// Arguments that a caller could get wrong, at random: every answer is an answer, and none is "accepted".
#[test]
fn verification_never_panics() {
    let mut rng = rng(13);
    for _ in 0..400 {
        let (base, other) = (pick(&mut rng, bases()), pick(&mut rng, bases()));
        let mut context = base.prepared.context.clone();
        context.expiry = u64::from(rng.next_u32());
        context.ca_name = "\u{10ffff}".repeat(below(&mut rng, 100));
        let mut shown = other.presentation.clone();
        if below(&mut rng, 2) == 0 {
            shown.nullifier = base.presentation.nullifier.clone();
        }
        if below(&mut rng, 2) == 0 {
            // More than any encoding carries: a caller may make a presentation of parts.
            let own = &base.presentation.disclosures;
            shown.disclosures = (0..below(&mut rng, 20)).flat_map(|_| own.clone()).collect();
        }
        let zero = below(&mut rng, 40);
        for (index, proof) in proofs_mut(&mut shown).into_iter().enumerate() {
            // Points that no decoder lets through.
            match zero.checked_sub(4 * index) {
                Some(0) => proof.a = G1Affine::identity(),
                Some(1) => proof.b = G2Affine::identity(),
                Some(2) => proof.c = G1Affine::identity(),
                Some(3) => proof.v = G1Affine::identity(),
                _ => {}
            }
        }
        let usage = *pick(&mut rng, &[base.prepared.usage, other.prepared.usage, None]);
        assert!(verify(&base.prepared.verifier, &context, &shown, usage).is_err());
    }
}
