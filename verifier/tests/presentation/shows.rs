//! Honest shows of random shape under one parameter set: operands used or not, none to eleven disclosures, with and without a
//! scope. All are accepted, alone and in one batch across policies, and equation by equation; an altered one is not.

use ark_bn254::Fr;
use ark_ff::{UniformRand, Zero};
use bauta_statement::context::Context;
use bauta_statement::presentation::{Presentation, Statement, Usage};
use bauta_statement::relation::{Mode, PolicyPublic, PredicatePublic, PredicateTest};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::{FIRST_ATTRIBUTE, Format, SLOTS};
use bauta_statement::verifying_key::VerifyingKey;
use bauta_verifier::batch::verify_batch;
use bauta_verifier::keys::Keys;
use bauta_verifier::presentation::{Item, PolicyContext, Refusal, verify_bytes};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use crate::plain::equations_hold_for;
use crate::testing::{Draft, Toy, masks, rng};

struct Show {
    policy: PolicyContext,
    context: Context,
    usage: Option<Usage>,
    statement: Statement,
    presentation: Presentation,
}

fn show(
    toy: &Toy,
    verifying: &[VerifyingKey; 3],
    keys: &std::sync::Arc<Keys>,
    rng: &mut ChaCha20Rng,
) -> Show {
    let slot = |rng: &mut ChaCha20Rng| {
        FIRST_ATTRIBUTE + rng.next_u32() as usize % (SLOTS - FIRST_ATTRIBUTE)
    };
    let coin = |rng: &mut ChaCha20Rng| rng.next_u32() & 1 == 0;
    let operands: [Option<usize>; 4] = std::array::from_fn(|_| coin(rng).then(|| slot(rng)));
    let mut disclosed: Vec<usize> = (FIRST_ATTRIBUTE..SLOTS).filter(|_| coin(rng)).collect();
    if coin(rng) {
        disclosed.reverse();
    }
    let usage = coin(rng).then(|| Usage {
        scope: Fr::rand(rng),
        bound: rng.next_u32(),
    });
    let nullifier = usage.map(|_| Fr::rand(rng));
    let predicates = operands.map(|operand| match operand {
        None => PredicatePublic::NONE,
        Some(_) => PredicatePublic {
            test: PredicateTest::NotEqual(Fr::from(rng.next_u64())),
            mode: Mode::Required,
        },
    });
    let public = PolicyPublic::new(
        predicates,
        rng.next_u64(),
        rng.next_u64(),
        Fr::rand(rng),
        Fr::rand(rng),
    )
    .unwrap();
    let policy = PolicyContext::new(
        keys.clone(),
        &[Format::Native],
        operands,
        disclosed,
        &public,
        usage.is_some(),
    )
    .unwrap();
    let statement = policy.statement(Format::Native, usage).unwrap();
    let context = Context {
        policy_digest: Fr::rand(rng).to_string().as_bytes()[..32]
            .try_into()
            .unwrap(),
        nonce: [rng.next_u32() as u8; 32],
        expiry: rng.next_u64(),
        trust_domain: "example.org".into(),
        ca_name: "Bauta".into(),
        log_origin: "log.example.org".into(),
        spki_sha256: [rng.next_u32() as u8; 32],
    };
    // Every kind of value a slot can have, 0 among them.
    let mut vector = masks(rng);
    vector[slot(rng)] = Fr::zero();
    let proofs = toy.proofs(&statement, &vector, nullifier, rng);
    let mask = masks(rng);
    let used: Vec<&VerifyingKey> = verifying.iter().take(proofs.len()).collect();
    let draft = Draft::new(&used, &statement, &vector, &proofs, nullifier, mask, rng);
    Show {
        presentation: draft.show(&statement, &context),
        policy,
        context,
        usage,
        statement,
    }
}

#[test]
fn random_honest_shows_are_accepted_and_altered_ones_are_not() {
    let mut rng = rng(21);
    let toy = Toy::new(&mut rng);
    let verifying = toy.keys();
    let [possession, policy, nullifier] = verifying.clone();
    let keys = Keys::new(vec![(Format::Native, possession)], policy, nullifier).unwrap();
    let shows: Vec<Show> = (0..40)
        .map(|_| show(&toy, &verifying, &keys, &mut rng))
        .collect();
    for one in &shows {
        let bytes = one.presentation.encode();
        let verdict = verify_bytes(&one.policy, &one.context, &bytes, one.usage);
        assert!(verdict.is_ok(), "{verdict:?}");
        let c =
            PresentationTranscript::new(&one.statement, one.presentation.nullifier(), &one.context)
                .challenge(&one.presentation)
                .challenge();
        assert!(equations_hold_for(
            &one.statement,
            c,
            &verifying,
            &one.presentation
        ));
    }
    let altered: Vec<Presentation> = shows
        .iter()
        .map(|one| {
            let mut altered = one.presentation.clone();
            altered.responses[rng.next_u32() as usize % SLOTS] += Fr::rand(&mut rng);
            altered
        })
        .collect();
    for bad in [None, Some(0), Some(17), Some(39)] {
        let items: Vec<Item<'_>> = shows
            .iter()
            .zip(&altered)
            .enumerate()
            .map(|(index, (one, altered))| Item {
                policy: &one.policy,
                context: &one.context,
                presentation: if bad == Some(index) {
                    altered
                } else {
                    &one.presentation
                },
                usage: one.usage,
            })
            .collect();
        for (index, verdict) in verify_batch(&items).into_iter().enumerate() {
            let expected = (bad == Some(index)).then_some(Refusal::Unproven);
            assert_eq!(verdict.err(), expected, "{index}");
        }
    }
    let shapes: std::collections::BTreeSet<_> = shows
        .iter()
        .map(|one| (one.usage.is_some(), one.presentation.disclosures.len()))
        .collect();
    assert!(shapes.len() > 8, "{shapes:?}");
}
