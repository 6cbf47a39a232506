//! Keys with which anyone can forge: the forgery is made, a plain Groth16 verifier accepts it, and we refuse the key.

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_groth16::{Groth16, Proof, VerifyingKey as PlainKey, prepare_verifying_key};
use bauta_statement::presentation::Presentation;
use bauta_statement::relation::Relation;
use bauta_statement::vector::Format;
use bauta_statement::verifying_key::{UnsafeKey, VerifyingKey};
use bauta_verifier::keys::{Keys, KeysError};

use crate::format::unhex;
use crate::layout::scoped;
use crate::plain::equations_hold_for;
use crate::testing::{Toy, g1, g2, rng};
use crate::vectors;

fn plain(key: &VerifyingKey) -> PlainKey<Bn254> {
    PlainKey {
        alpha_g1: key.alpha_g1,
        beta_g2: key.beta_g2,
        gamma_g2: G2Affine::generator(),
        delta_g2: key.delta_g2,
        gamma_abc_g1: key.l.clone(),
    }
}

fn plain_accepts(key: &VerifyingKey, inputs: &[Fr], proof: &Proof<Bn254>) -> bool {
    Groth16::<Bn254>::verify_proof(&prepare_verifying_key(&plain(key)), proof, inputs).unwrap()
}

fn accepted([possession, policy, nullifier]: [VerifyingKey; 3]) -> Result<(), KeysError> {
    Keys::new(vec![(Format::Native, possession)], policy, nullifier).map(drop)
}

/// BUGS 7. γ = ±δ: A = α, B = β, C = ∓(L₀ + Σ xₖLₖ) proves any inputs; ark-groth16 accepts it for inputs that no witness has.
#[test]
fn a_key_with_gamma_and_delta_equal_is_refused_and_would_let_anyone_forge() {
    let good = scoped().keys.clone();
    assert_eq!(accepted(good.clone()), Ok(()));
    for (relation, name) in ["possession", "policy", "nullifier"]
        .into_iter()
        .enumerate()
    {
        for sign in [Fr::from(1u64), -Fr::from(1u64)] {
            let mut keys = good.clone();
            let key = &mut keys[relation];
            (key.delta_g1, key.delta_g2) = (g1(sign), g2(sign));
            let inputs: Vec<Fr> = (0..key.inputs())
                .map(|i| Fr::from(1_000 + i as u64))
                .collect();
            let sum = key.known_part(0, &inputs).unwrap();
            let forged = Proof {
                a: key.alpha_g1,
                b: key.beta_g2,
                c: (sum * -sign).into_affine(),
            };
            assert!(
                plain_accepts(key, &inputs, &forged),
                "{name}: the forgery is real"
            );
            assert!(!plain_accepts(&good[relation], &inputs, &forged));
            assert_eq!(
                accepted(keys),
                Err(KeysError::Unsafe {
                    relation: name,
                    source: UnsafeKey::DeltaIsGamma
                })
            );
        }
    }
}

/// The same as a whole presentation (`bad_key_gamma_is_delta`): every equation of the protocol holds for it, for a policy that
/// the credential does not meet. The check of the key is all that is in the way.
#[test]
fn the_forged_presentation_satisfies_every_equation() {
    let vectors = vectors::read();
    let vector = &vectors["bad_key_gamma_is_delta"];
    let decode = |text: &String| VerifyingKey::decode(&unhex(text)).unwrap();
    let keys = [
        decode(&vector.keys.possession["1"]),
        decode(&vector.keys.policy),
        decode(&vector.keys.nullifier),
    ];
    let presentation = Presentation::decode(&unhex(&vector.presentation)).unwrap();
    // The statement under the bad key is computed with a good one in its place, and the digests put right.
    let mut healed = vector.clone();
    healed.keys.policy = vectors["good_no_scope_no_disclosure"].keys.policy.clone();
    let prepared = healed.prepare().unwrap();
    let mut statement = prepared.verifier.statement(Format::Native, None).unwrap();
    statement.keys = keys[..2].iter().map(VerifyingKey::digest).collect();
    let c = bauta_statement::transcript::PresentationTranscript::new(
        &statement,
        None,
        &prepared.context,
    )
    .challenge(&presentation)
    .challenge();
    assert!(equations_hold_for(&statement, c, &keys, &presentation));
    assert_eq!(vector.verdict(), Err("key-gamma-is-delta"));
}

/// Equal bases: a proof for inputs (x, y) is one for (y, x), and for any with the same sum. Opposite bases: for (x + 1, y + 1).
/// No base: for any value of that input. ark-groth16 accepts all three.
#[test]
fn repeated_opposite_and_missing_bases_trade_inputs_and_are_refused() {
    let mut rng = rng(5);
    let inputs: Vec<Fr> = (0..4u64).map(|i| Fr::from(10 + i)).collect();
    let moved = |changes: [(usize, i64); 2]| {
        let mut other = inputs.clone();
        for (index, by) in changes {
            other[index] += Fr::from(by);
        }
        other
    };
    type Case = (&'static str, fn(&mut Toy), [(usize, i64); 2]);
    let cases: [Case; 3] = [
        (
            "equal",
            |toy| toy.relations[2].l[3] = toy.relations[2].l[2],
            [(1, 5), (2, -5)],
        ),
        (
            "opposite",
            |toy| toy.relations[2].l[3] = -toy.relations[2].l[2],
            [(1, 5), (2, 5)],
        ),
        (
            "none",
            |toy| toy.relations[2].l[3] = Fr::from(0u64),
            [(2, 77), (2, 1)],
        ),
    ];
    for (what, change, moves) in cases {
        let mut toy = Toy::new(&mut rng);
        assert_eq!(accepted(toy.keys()), Ok(()));
        change(&mut toy);
        let key = toy.keys()[2].clone();
        let proof = toy.prove(2, &inputs, &mut rng);
        let proof = Proof {
            a: proof.a,
            b: proof.b,
            c: proof.c,
        };
        assert!(plain_accepts(&key, &inputs, &proof));
        assert!(
            plain_accepts(&key, &moved(moves), &proof),
            "{what}: the trade is real"
        );
        let refused = accepted(toy.keys());
        assert!(
            matches!(
                refused,
                Err(KeysError::Unsafe {
                    source: UnsafeKey::RepeatedInput(2, 3) | UnsafeKey::Infinity("L"),
                    ..
                })
            ),
            "{what}: {refused:?}"
        );
    }
}

/// BUGS 2. ark-groth16 takes fewer inputs than the key has, where the rest are 0, and more; here the counts are the relation's.
#[test]
fn a_wrong_number_of_inputs_or_bases_is_refused() {
    let mut rng = rng(6);
    let toy = Toy::new(&mut rng);
    let good = toy.keys();
    let mut inputs: Vec<Fr> = (0..4u64).map(|i| Fr::from(10 + i)).collect();
    inputs[3] = Fr::from(0u64);
    let proof = toy.prove(2, &inputs, &mut rng);
    let proof = Proof {
        a: proof.a,
        b: proof.b,
        c: proof.c,
    };
    let zip = |inputs: &[Fr]| {
        // What ark-groth16 does with the inputs: zipped, whatever their number.
        let prepared = prepare_verifying_key(&plain(&good[2]));
        Groth16::<Bn254>::verify_proof(&prepared, &proof, inputs).unwrap_or(false)
    };
    assert!(zip(&inputs));
    assert!(zip(&inputs[..3]), "ark-groth16 takes too few");
    assert_eq!(good[2].known_part(0, &inputs[..3]), None);
    let longer: Vec<Fr> = inputs.iter().copied().chain([Fr::from(9u64)]).collect();
    assert!(zip(&longer), "ark-groth16 takes too many");
    assert_eq!(good[2].known_part(0, &longer), None);
    for (index, relation) in [
        Relation::PossessionNative,
        Relation::Policy,
        Relation::Nullifier,
    ]
    .into_iter()
    .enumerate()
    {
        for wrong in [
            0,
            1,
            relation.key_points() - 1,
            relation.key_points() + 1,
            100,
        ] {
            let mut keys = good.clone();
            keys[index]
                .l
                .resize_with(wrong, || g1(rand_scalar(wrong as u64)));
            let refused = accepted(keys);
            assert!(
                matches!(
                    refused,
                    Err(KeysError::Unsafe {
                        source: UnsafeKey::InputCount { .. },
                        ..
                    })
                ),
                "{relation:?} {wrong}: {refused:?}"
            );
        }
    }
}

fn rand_scalar(seed: u64) -> Fr {
    use ark_ff::UniformRand;
    Fr::rand(&mut rng(seed))
}

/// δ₁ that is not δ₂'s: the prover opens V to one thing in the Schnorr proof and to another in the pairing equation.
#[test]
fn a_delta_of_its_own_in_each_group_is_refused() {
    let good = scoped().keys.clone();
    for change in [
        |key: &mut VerifyingKey| {
            key.delta_g1 = (key.delta_g1 + G1Affine::generator()).into_affine()
        },
        |key: &mut VerifyingKey| key.delta_g1 = -key.delta_g1,
        |key: &mut VerifyingKey| key.delta_g2 = -key.delta_g2,
        |key: &mut VerifyingKey| key.delta_g1 = key.l[1],
    ] {
        for relation in 0..3 {
            let mut keys = good.clone();
            change(&mut keys[relation]);
            assert!(matches!(
                accepted(keys),
                Err(KeysError::Unsafe {
                    source: UnsafeKey::DeltaMismatch,
                    ..
                })
            ));
        }
    }
}
