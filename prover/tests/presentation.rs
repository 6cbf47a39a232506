//! The three real relations end to end: prove, show, verify, and every way in which a presentation must fail.

mod common;
#[path = "presentation/x509.rs"]
mod x509;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::UniformRand;
use bauta_prover::credential::Credential;
use bauta_prover::keys::{HolderKeys, KeyError, Prover, Tables};
use bauta_prover::prove::{ProveError, RelationProof, prove};
use bauta_prover::show::{Holding, Prepared, ShowError};
use bauta_prover::wallet::{Stored, StoredPolicy, StoredUse};
use bauta_statement::context::Context;
use bauta_statement::presentation::{Opening, OpeningError, Presentation, Usage};
use bauta_statement::relation::PolicyPublic;
use bauta_statement::vector::{AttributeValue, Format};
use bauta_verifier::batch::verify_batch;
use bauta_verifier::keys::{Keys, KeysError};
use bauta_verifier::presentation::{
    Item, PolicyContext, PolicyError, Refusal, VerifiedClaim, verify, verify_bytes,
};
use common::{Story, context, rng, story};

fn check(
    story: &Story,
    context: &Context,
    presentation: &Presentation,
) -> Result<VerifiedClaim, Refusal> {
    verify(&story.policy, context, presentation, Some(story.usage))
}

fn shown(seed: u64) -> (Presentation, Vec<Opening>) {
    let story = story();
    story
        .prepared
        .show(&mut rng(seed), &story.holder_keys, &context())
        .unwrap()
}

#[test]
fn a_show_verifies_and_opens() {
    let story = story();
    let (presentation, openings) = shown(1);
    let bytes = presentation.encode();
    assert!(bytes.len() <= 1344, "{} bytes", bytes.len());
    let claim = verify_bytes(&story.policy, &context(), &bytes, Some(story.usage)).unwrap();
    assert_eq!(claim.format(), Format::Native);
    assert_eq!(claim.context(), &context());
    assert_eq!(claim.nullifier(), presentation.nullifier());
    assert_eq!(claim.open(&openings), Ok(()));
    assert_eq!(openings[0].value, AttributeValue::Text("Arsenale".into()));
}

#[test]
fn shows_of_one_credential_have_nothing_in_common_but_the_nullifier() {
    let (first, _) = shown(1);
    let (second, _) = shown(2);
    assert_eq!(first.nullifier(), second.nullifier());
    for (one, other) in first.proofs().zip(second.proofs()) {
        assert_ne!(one.a, other.a);
        assert_ne!(one.b, other.b);
        assert_ne!(one.c, other.c);
        assert_ne!(one.v, other.v);
        assert_ne!(one.t, other.t);
        assert_ne!(one.z_response, other.z_response);
    }
    assert_ne!(
        first.disclosures[0].commitment,
        second.disclosures[0].commitment
    );
    assert!(
        first
            .responses
            .iter()
            .zip(&second.responses)
            .all(|(one, other)| one != other)
    );
    // A cloned machine (the same rng state) in another context repeats nothing either.
    let story = story();
    let mut other = context();
    other.nonce[0] ^= 1;
    let (third, _) = story
        .prepared
        .show(&mut rng(1), &story.holder_keys, &other)
        .unwrap();
    assert_ne!(first.possession.t, third.possession.t);
}

/// The same clone, the same challenge and key, and a policy proof that was made anew (by threads that took the randomness
/// in another order, say): the challenge differs, so the masks must, or the difference of responses gives the secret.
#[test]
fn a_clone_with_another_stored_proof_repeats_no_mask() {
    let story = story();
    let anew = prove(&story.policy_prover, &story.policy_witness, &mut rng(70)).unwrap();
    let prepared = Prepared::new(
        &story.holder_keys,
        Holding::from(&story.credential),
        &story.possession,
        &anew,
        Some(&story.use_proof),
        story.slots(),
    )
    .unwrap();
    let (first, _) = shown(1);
    let (second, _) = prepared
        .show(&mut rng(1), &story.holder_keys, &context())
        .unwrap();
    assert!(check(story, &context(), &second).is_ok());
    assert_ne!(first.possession.t, second.possession.t);
    assert_ne!(first.policy.t, second.policy.t);
}

/// Neither the holder secret nor anything against which attributes can be guessed is in a debug print.
#[test]
fn debug_prints_of_what_is_stored_show_neither_proof_nor_secret() {
    let story = story();
    let shown = format!("{:?} {:?}", story.prepared, story.possession);
    let secret = story.credential.holder().secret.to_string();
    assert!(!shown.contains(&secret), "{shown}");
    for coordinate in [
        story.possession.a.x,
        story.policy_proof.c.x,
        story.use_proof.a.x,
    ] {
        assert!(!shown.contains(&coordinate.to_string()), "{shown}");
    }
}

/// BUGS 3: every bit of every field of the context that a hostile party could move.
#[test]
fn another_context_is_refused() {
    let story = story();
    let (presentation, _) = shown(1);
    let changes: [fn(&mut Context); 8] = [
        |c| c.policy_digest[0] ^= 1,
        |c| c.nonce[31] ^= 128,
        |c| c.expiry += 1,
        |c| c.trust_domain.push('x'),
        |c| c.ca_name.clear(),
        |c| c.log_origin.push('/'),
        |c| c.spki_sha256[0] ^= 1,
        |c| c.spki_sha256[31] ^= 1,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = context();
        change(&mut other);
        assert_eq!(
            check(story, &other, &presentation),
            Err(Refusal::Unproven),
            "{index}"
        );
    }
}

/// Each element of a presentation, changed alone to another valid one.
#[test]
fn every_part_of_a_presentation_counts() {
    let story = story();
    let (presentation, _) = shown(1);
    type Change = Box<dyn Fn(&mut Presentation)>;
    let mut changes: Vec<(String, Change)> = Vec::new();
    fn proof(
        p: &mut Presentation,
        index: usize,
    ) -> &mut bauta_statement::presentation::HiddenProof {
        match index {
            0 => &mut p.possession,
            1 => &mut p.policy,
            _ => &mut p.nullifier.as_mut().unwrap().proof,
        }
    }
    let g1 = || G1Affine::generator();
    for index in 0..3 {
        changes.push((
            format!("A {index}"),
            Box::new(move |p| proof(p, index).a = g1()),
        ));
        changes.push((
            format!("B {index}"),
            Box::new(move |p| proof(p, index).b = G2Affine::generator()),
        ));
        changes.push((
            format!("C {index}"),
            Box::new(move |p| proof(p, index).c = g1()),
        ));
        changes.push((
            format!("V {index}"),
            Box::new(move |p| proof(p, index).v = g1()),
        ));
        changes.push((
            format!("T {index}"),
            Box::new(move |p| proof(p, index).t = g1()),
        ));
        changes.push((
            format!("z {index}"),
            Box::new(move |p| proof(p, index).z_response += Fr::from(1u64)),
        ));
    }
    for slot in 0..16 {
        changes.push((
            format!("response {slot}"),
            Box::new(move |p| p.responses[slot] += Fr::from(1u64)),
        ));
    }
    changes.push((
        "commitment".into(),
        Box::new(move |p| p.disclosures[0].commitment = g1()),
    ));
    changes.push((
        "its first message".into(),
        Box::new(move |p| p.disclosures[0].first_message = g1()),
    ));
    changes.push((
        "its response".into(),
        Box::new(|p| p.disclosures[0].blinding_response += Fr::from(1u64)),
    ));
    changes.push((
        "nullifier".into(),
        Box::new(|p| p.nullifier.as_mut().unwrap().nullifier += Fr::from(1u64)),
    ));
    changes.push((
        "proofs swapped".into(),
        Box::new(|p| std::mem::swap(&mut p.possession, &mut p.policy)),
    ));
    // BUGS 5: (rA, B/r, C) verifies as a bare Groth16 proof; here A' and B' are under the transcript.
    changes.push((
        "re-randomized again".into(),
        Box::new(|p| {
            p.policy.a = (p.policy.a + p.policy.a).into_affine();
            p.policy.b = (p.policy.b * (Fr::from(1u64) / Fr::from(2u64))).into_affine();
        }),
    ));
    // The weights must be drawn after the responses: errors that cancel for weights known beforehand.
    changes.push((
        "cancelling responses".into(),
        Box::new(|p| {
            p.possession.z_response += Fr::from(1u64);
            p.policy.z_response -= Fr::from(1u64);
        }),
    ));
    changes.push((
        "cancelling C".into(),
        Box::new(|p| {
            p.possession.c = (p.possession.c + G1Affine::generator()).into_affine();
            p.policy.c = (p.policy.c - G1Affine::generator()).into_affine();
        }),
    ));
    for (what, change) in changes {
        let mut changed = presentation.clone();
        change(&mut changed);
        assert_eq!(
            check(story, &context(), &changed),
            Err(Refusal::Unproven),
            "{what}"
        );
    }
}

/// BUGS 2 and 4: other public inputs, fewer, more.
#[test]
fn other_public_inputs_are_refused() {
    let story = story();
    let (presentation, _) = shown(1);
    for usage in [
        Usage {
            bound: story.usage.bound + 1,
            ..story.usage
        },
        Usage {
            scope: story.usage.scope + Fr::from(1u64),
            ..story.usage
        },
    ] {
        assert_eq!(
            verify(&story.policy, &context(), &presentation, Some(usage)).err(),
            Some(Refusal::Unproven)
        );
    }
    let public = story.public;
    let (start, until, one) = (public.epoch_start, public.valid_until, Fr::from(1u64));
    let (issuers, revoked) = (public.issuer_root, public.revocation_root);
    for (start, until, issuers, revoked) in [
        (start + 1, until, issuers, revoked),
        (start, until - 1, issuers, revoked),
        (start, until, issuers + one, revoked),
        (start, until, issuers, revoked + one),
    ] {
        let other =
            PolicyPublic::new(*public.predicates(), start, until, issuers, revoked).unwrap();
        let policy = story
            .context_for(story.operands, vec![5], &other, true)
            .unwrap();
        assert_eq!(
            verify(&policy, &context(), &presentation, Some(story.usage)).err(),
            Some(Refusal::Unproven)
        );
    }
    // Another slot for an operand, or for the disclosure.
    let operands = [story.operands[0], story.operands[1], Some(9), None];
    let policy = story.context_for(operands, vec![5], &public, true).unwrap();
    assert_eq!(
        verify(&policy, &context(), &presentation, Some(story.usage)).err(),
        Some(Refusal::Unproven)
    );
    let policy = story
        .context_for(story.operands, vec![6], &public, true)
        .unwrap();
    assert_eq!(
        verify(&policy, &context(), &presentation, Some(story.usage)).err(),
        Some(Refusal::Unproven)
    );
}

#[test]
fn a_presentation_of_another_shape_is_refused_by_name() {
    let story = story();
    let (presentation, _) = shown(1);
    assert_eq!(
        verify(&story.policy, &context(), &presentation, None).err(),
        Some(Refusal::Usage)
    );
    let mut changed = presentation.clone();
    changed.nullifier = None;
    assert_eq!(
        check(story, &context(), &changed).err(),
        Some(Refusal::NullifierMissing)
    );
    let unscoped = story
        .context_for(story.operands, vec![5], &story.public, false)
        .unwrap();
    assert_eq!(
        verify(&unscoped, &context(), &presentation, None).err(),
        Some(Refusal::NullifierUnasked)
    );
    assert_eq!(
        verify(&unscoped, &context(), &changed, Some(story.usage)).err(),
        Some(Refusal::Usage)
    );
    let mut changed = presentation.clone();
    changed.disclosures.clear();
    assert_eq!(
        check(story, &context(), &changed).err(),
        Some(Refusal::Disclosures {
            expected: 1,
            found: 0
        })
    );
    let mut changed = presentation.clone();
    changed.format = Format::X509Rsa;
    assert_eq!(
        check(story, &context(), &changed).err(),
        Some(Refusal::FormatUnderScope(Format::X509Rsa))
    );
    let mut changed = presentation.clone();
    (changed.format, changed.nullifier) = (Format::X509P256, None);
    assert_eq!(
        verify(&unscoped, &context(), &changed, None).err(),
        Some(Refusal::Format(Format::X509P256))
    );
    for cut in [0, 3, 4, 1000] {
        let bytes = &presentation.encode()[..cut];
        assert!(matches!(
            verify_bytes(&story.policy, &context(), bytes, Some(story.usage)),
            Err(Refusal::Malformed(_))
        ));
    }
}

/// BUGS 5 and 9: one use, one nullifier, whatever the key that it is spent on.
#[test]
fn a_use_has_one_nullifier_for_every_key() {
    let story = story();
    let mut other = context();
    other.spki_sha256 = [99; 32];
    let (first, _) = shown(1);
    let (second, _) = story
        .prepared
        .show(&mut rng(2), &story.holder_keys, &other)
        .unwrap();
    assert!(check(story, &other, &second).is_ok());
    assert_eq!(first.nullifier(), second.nullifier());
    // The first presentation's proof of use does not carry over to the other key.
    let mut moved = second.clone();
    moved.nullifier = first.nullifier.clone();
    assert_eq!(check(story, &other, &moved).err(), Some(Refusal::Unproven));
}

/// Proofs of two holders do not combine: the vector is one.
#[test]
fn proofs_of_two_vectors_do_not_mix() {
    let story = story();
    let other = common::second_holder();
    let mixed = Prepared::new(
        &story.holder_keys,
        Holding::from(&other.credential),
        &other.possession,
        &story.policy_proof,
        Some(&story.use_proof),
        story.slots(),
    )
    .unwrap();
    let (presentation, _) = mixed
        .show(&mut rng(5), &story.holder_keys, &context())
        .unwrap();
    assert_eq!(
        check(story, &context(), &presentation).err(),
        Some(Refusal::Unproven)
    );
    let mixed = Prepared::new(
        &story.holder_keys,
        Holding::from(&story.credential),
        &story.possession,
        &story.policy_proof,
        Some(&other.use_proof),
        story.slots(),
    )
    .unwrap();
    let (presentation, _) = mixed
        .show(&mut rng(5), &story.holder_keys, &context())
        .unwrap();
    assert_eq!(
        check(story, &context(), &presentation).err(),
        Some(Refusal::Unproven)
    );
}

#[test]
fn openings_are_those_of_the_claim() {
    let story = story();
    let (presentation, openings) = shown(1);
    let claim = check(story, &context(), &presentation).unwrap();
    assert_eq!(claim.open(&[]), Err(OpeningError::Slots));
    let twice = [openings[0].clone(), openings[0].clone()];
    assert_eq!(claim.open(&twice), Err(OpeningError::Slots));
    let mut other = openings.clone();
    other[0].slot = 6;
    assert_eq!(claim.open(&other), Err(OpeningError::Slots));
    let mut other = openings.clone();
    other[0].value = AttributeValue::Text("Dorsoduro".into());
    assert_eq!(claim.open(&other), Err(OpeningError::Mismatch(5)));
    let mut other = openings;
    other[0].blinding += Fr::from(1u64);
    assert_eq!(claim.open(&other), Err(OpeningError::Mismatch(5)));
}

#[test]
fn a_batch_names_its_bad_items_and_them_alone() {
    let story = story();
    let context = context();
    let mut presentations: Vec<_> = (0..9).map(|seed| shown(seed).0).collect();
    let run = |presentations: &[Presentation]| -> Vec<Option<Refusal>> {
        let items: Vec<_> = presentations
            .iter()
            .map(|presentation| Item {
                policy: &story.policy,
                context: &context,
                presentation,
                usage: Some(story.usage),
            })
            .collect();
        verify_batch(&items).into_iter().map(Result::err).collect()
    };
    assert!(verify_batch(&[]).is_empty());
    assert!(run(&presentations).iter().all(Option::is_none));
    // BUGS 21: one bad item in each position.
    for bad in 0..presentations.len() {
        let mut changed = presentations.clone();
        changed[bad].responses[3] += Fr::from(1u64);
        for (index, refusal) in run(&changed).into_iter().enumerate() {
            assert_eq!(
                refusal,
                (index == bad).then_some(Refusal::Unproven),
                "{bad} {index}"
            );
        }
    }
    // Errors that cancel between two items when weights are equal.
    presentations[2].possession.z_response += Fr::from(1u64);
    presentations[6].possession.z_response -= Fr::from(1u64);
    presentations[4].nullifier = None;
    let refusals = run(&presentations);
    for (index, refusal) in refusals.into_iter().enumerate() {
        let expected = match index {
            2 | 6 => Some(Refusal::Unproven),
            4 => Some(Refusal::NullifierMissing),
            _ => None,
        };
        assert_eq!(refusal, expected, "{index}");
    }
}

/// Without a scope: two proofs, and nothing to count. And a show from a plain key, without tables.
#[test]
fn a_policy_without_a_scope_takes_two_proofs() {
    let story = story();
    let keys = HolderKeys::new(
        &[(Format::Native, story.native.verifying_key().clone())],
        story.policy_prover.verifying_key(),
        story.nullifier.verifying_key(),
        Tables::None,
    )
    .unwrap();
    let prepared = Prepared::new(
        &keys,
        Holding::from(&story.credential),
        &story.possession,
        &story.policy_proof,
        None,
        story.slots(),
    )
    .unwrap();
    let (presentation, openings) = prepared.show(&mut rng(3), &keys, &context()).unwrap();
    let policy = story
        .context_for(story.operands, vec![5], &story.public, false)
        .unwrap();
    let claim = verify(&policy, &context(), &presentation, None).unwrap();
    assert_eq!(claim.nullifier(), None);
    assert_eq!(claim.open(&openings), Ok(()));
    assert_eq!(
        presentation.encode().len(),
        Presentation::encoded_len(false, 1)
    );
    assert_eq!(
        check(story, &context(), &presentation).err(),
        Some(Refusal::NullifierMissing)
    );
}

#[test]
fn a_wallet_is_read_back_and_still_shows() {
    let story = story();
    let stored = Stored {
        credential: Credential::Native(story.credential.clone()),
        possession: Some(story.possession.clone()),
        policies: vec![StoredPolicy {
            policy: [4; 32],
            epoch: 7,
            proof: story.policy_proof.clone(),
        }],
        uses: vec![StoredUse {
            counter: 2,
            proof: story.use_proof.clone(),
        }],
    };
    let bytes = stored.encode();
    let read = Stored::decode(&bytes).unwrap();
    assert_eq!(read, stored);
    for cut in (0..bytes.len()).step_by(7) {
        assert!(Stored::decode(&bytes[..cut]).is_err(), "{cut}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(Stored::decode(&longer).is_err());
    let empty = Stored {
        possession: None,
        policies: Vec::new(),
        uses: Vec::new(),
        ..read
    };
    assert_eq!(Stored::decode(&empty.encode()).unwrap(), empty);
    // A proof in the place of another relation's.
    let wrong = Stored {
        possession: Some(story.policy_proof.clone()),
        ..empty
    };
    assert!(Stored::decode(&wrong.encode()).is_err());
    let proof = story.policy_proof.encode();
    assert_eq!(
        RelationProof::decode(&proof).as_ref(),
        Ok(&story.policy_proof)
    );
    assert!(RelationProof::decode(&proof[..proof.len() - 1]).is_err());
}

#[test]
fn nothing_untrue_is_proved() {
    let story = story();
    let mut rng = rng(8);
    let over =
        bauta_circuits::nullifier::NullifierWitness::new(Fr::from(1u64), Fr::from(2u64), 5, 5);
    assert!(matches!(
        prove(&story.nullifier, &over, &mut rng),
        Err(ProveError::Untrue(_))
    ));
    let mut witness = bauta_prover::prepare::native_witness(&story.credential);
    witness.vector.0[9] += Fr::from(1u64);
    assert!(matches!(
        prove(&story.native, &witness, &mut rng),
        Err(ProveError::Untrue(_))
    ));
    let mut witness = story.policy_witness.clone();
    witness.operands[0] += Fr::from(1u64);
    assert!(matches!(
        prove(&story.policy_prover, &witness, &mut rng),
        Err(ProveError::Untrue(_))
    ));
    let mut witness = story.use_witness.clone();
    witness.public.nullifier += Fr::from(1u64);
    assert!(matches!(
        prove(&story.nullifier, &witness, &mut rng),
        Err(ProveError::Untrue(_))
    ));
}

/// BUGS 7, on the holder's and on the verifier's side.
#[test]
fn unsafe_keys_are_refused() {
    let story = story();
    let mut rng = rng(9);
    let good = [
        story.native.verifying_key(),
        story.policy_prover.verifying_key(),
        story.nullifier.verifying_key(),
    ];
    let verifier = |keys: [&bauta_statement::verifying_key::VerifyingKey; 3]| {
        let [native, policy, nullifier] = keys.map(Clone::clone);
        Keys::new(vec![(Format::Native, native)], policy, nullifier).map(drop)
    };
    let holder = |keys: [&bauta_statement::verifying_key::VerifyingKey; 3]| {
        let [native, policy, nullifier] = keys;
        HolderKeys::new(
            &[(Format::Native, native.clone())],
            policy,
            nullifier,
            Tables::None,
        )
        .map(drop)
    };
    assert!(verifier(good).is_ok() && holder(good).is_ok());
    let mut forged = good[1].clone();
    (forged.delta_g1, forged.delta_g2) = (G1Affine::generator(), G2Affine::generator());
    assert!(matches!(
        verifier([good[0], &forged, good[2]]),
        Err(KeysError::Unsafe { .. })
    ));
    assert!(matches!(
        holder([good[0], &forged, good[2]]),
        Err(KeyError::Unsafe { .. })
    ));
    let mut blind = good[1].clone();
    blind.delta_g1 = (G1Affine::generator() * Fr::rand(&mut rng)).into_affine();
    assert!(holder([good[0], &blind, good[2]]).is_err());
    assert!(verifier([good[0], good[2], good[1]]).is_err());
    assert_eq!(
        Keys::new(Vec::new(), good[1].clone(), good[2].clone()).map(drop),
        Err(KeysError::Formats)
    );
    // A proving key whose γ is not the generator, and one of another relation.
    let mut proving = common::parameters::<bauta_circuits::nullifier::NullifierWitness>();
    proving.vk.gamma_g2 = proving.vk.delta_g2;
    assert!(matches!(
        Prover::<bauta_circuits::nullifier::NullifierWitness>::new(proving).map(drop),
        Err(KeyError::Gamma(_))
    ));
    let proving = common::parameters::<bauta_circuits::nullifier::NullifierWitness>();
    assert!(
        Prover::<bauta_circuits::possession::native::NativeWitness>::new(proving.clone()).is_err()
    );
    let mut short = proving;
    short.h_query.pop();
    assert!(matches!(
        Prover::<bauta_circuits::nullifier::NullifierWitness>::new(short).map(drop),
        Err(KeyError::OtherRelation(_))
    ));
}

#[test]
fn misfit_policies_and_proofs_are_refused() {
    let story = story();
    let context_for = |operands, disclosed| {
        story
            .context_for(operands, disclosed, &story.public, true)
            .map(drop)
    };
    assert_eq!(
        context_for([Some(4), Some(6), Some(7), None], vec![]),
        Err(PolicyError::Slot(4))
    );
    assert_eq!(
        context_for(story.operands, vec![1]),
        Err(PolicyError::Slot(1))
    );
    assert_eq!(
        context_for(story.operands, vec![5, 5]),
        Err(PolicyError::Slot(5))
    );
    assert_eq!(
        context_for(story.operands, vec![16]),
        Err(PolicyError::Slot(16))
    );
    // A predicate whose operand is no slot would be met by the constant zero.
    assert_eq!(
        context_for([Some(5), Some(6), None, None], vec![]),
        Err(PolicyError::Operand(2))
    );
    assert_eq!(
        context_for([Some(5), Some(6), Some(7), Some(8)], vec![]),
        Err(PolicyError::Operand(3))
    );
    assert!(matches!(
        PolicyContext::new(
            story.keys.clone(),
            &[Format::X509Rsa],
            story.operands,
            vec![],
            &story.public,
            true
        ),
        Err(PolicyError::NoFormat)
    ));
    assert!(matches!(
        PolicyContext::new(
            story.keys.clone(),
            &[Format::X509Rsa],
            story.operands,
            vec![],
            &story.public,
            false
        ),
        Err(PolicyError::Format(Format::X509Rsa))
    ));
    let other_key = RelationProof {
        key: [0; 32],
        ..story.possession.clone()
    };
    let prepared = Prepared::new(
        &story.holder_keys,
        Holding::from(&story.credential),
        &other_key,
        &story.policy_proof,
        None,
        story.slots(),
    );
    assert_eq!(prepared.map(drop), Err(ShowError::OtherKey("possession")));
}
