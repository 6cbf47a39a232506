//! Properties of codecs, trees and notes over arbitrary values, against models written for this page.

use std::collections::BTreeSet;

use ark_ff::{BigInteger, PrimeField};
use bauta_statement::field::{self, Fr};
use bauta_statement::file::text;
use bauta_statement::note::{NoteError, NoteSigner, SignedNote, add_signatures, sign};
use bauta_statement::poseidon;
use bauta_statement::presentation::Opening;
use bauta_statement::tree::{ARITY, QuaternaryTree, REVOCATION_DEPTH, RevocationTree};
use bauta_statement::vector::{AttributeValue, absent};
use bauta_statement::{babyjubjub, eddsa};
use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng as _;

fn element() -> impl Strategy<Value = Fr> {
    prop_oneof![
        any::<u64>().prop_map(Fr::from),
        any::<[u8; 32]>().prop_map(|bytes| Fr::from_le_bytes_mod_order(&bytes)),
        (0u64..4).prop_map(|k| -Fr::from(k)),
    ]
}

/// A handle that is one; small ones are often neighbours.
fn handle() -> impl Strategy<Value = u64> {
    prop_oneof![1..40u64, 1..u64::MAX]
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<u64>().prop_map(AttributeValue::Integer),
        "\\PC{0,40}".prop_map(AttributeValue::Text),
        Just(AttributeValue::Absent),
    ]
}

/// The root of all leaves, written out; what lies beyond them is `padding`.
fn naive_root(leaves: &[Fr], padding: Fr, depth: usize) -> Fr {
    if depth == 0 {
        return leaves.first().copied().unwrap_or(padding);
    }
    let family = |four: &[Fr]| std::array::from_fn(|i| four.get(i).copied().unwrap_or(padding));
    let below: Vec<Fr> = leaves
        .chunks(ARITY)
        .map(|four| poseidon::hash::<ARITY>(&family(four)))
        .collect();
    naive_root(&below, poseidon::hash(&[padding; ARITY]), depth - 1)
}

/// The indexed tree as its specification says it, with nothing remembered: leaf 0 begins the list, each handle has the leaf
/// of its turn, and each leaf names the next greater handle.
fn naive_revocation_root(handles: &[u64]) -> Fr {
    let end = Fr::from(1u128 << 64);
    let leaf = |low: u64| {
        let next = handles.iter().filter(|other| **other > low).min();
        poseidon::hash(&[Fr::from(low), next.map_or(end, |next| Fr::from(*next))])
    };
    let leaves: Vec<Fr> = std::iter::once(0)
        .chain(handles.iter().copied())
        .map(leaf)
        .collect();
    naive_root(
        &leaves,
        poseidon::hash(&[Fr::from(u64::MAX), end]),
        REVOCATION_DEPTH,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn field_elements_have_one_encoding(value in element(), bytes in any::<[u8; 32]>()) {
        prop_assert_eq!(field::from_bytes(&field::to_bytes(&value)), Ok(value));
        let below_the_modulus = bytes.iter().rev().lt(Fr::MODULUS.to_bytes_le().iter().rev());
        prop_assert_eq!(field::from_bytes(&bytes).is_ok(), below_the_modulus);
    }

    #[test]
    fn points_and_signatures_have_one_encoding(secret in 1u64.., message in element(), at in 0usize..64, bit in 0u8..8) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&secret.to_le_bytes());
        let key = eddsa::SigningKey::from_bytes(&bytes).unwrap();
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        let signature = key.sign(&mut rng, &message);
        prop_assert_eq!(eddsa::Signature::from_bytes(&signature.to_bytes()), Ok(signature));
        prop_assert!(key.public_key().verify(&message, &signature).is_ok());
        let mut altered = signature.to_bytes();
        altered[at] ^= 1 << bit;
        if let Ok(other) = eddsa::Signature::from_bytes(&altered) {
            prop_assert_eq!(other.to_bytes(), altered);
            prop_assert!(key.public_key().verify(&message, &other).is_err());
        }
        let packed = key.public_key().to_bytes();
        prop_assert_eq!(babyjubjub::unpack(&packed).map(|point| babyjubjub::pack(&point)), Ok(packed));
    }

    #[test]
    fn openings_come_back(values in prop::collection::vec((5u8..16, value(), element()), 0..=11)) {
        let openings: Vec<_> = values
            .into_iter()
            .map(|(slot, value, blinding)| Opening { slot, value, blinding })
            .collect();
        let mut bytes = Opening::encode_list(&openings);
        prop_assert_eq!(Opening::decode_list(&bytes), Ok(openings));
        bytes.push(0);
        prop_assert!(Opening::decode_list(&bytes).is_err());
    }

    #[test]
    fn times_come_back(seconds in 0u64..253_402_300_800) {
        let written = text::format_time(seconds).unwrap();
        prop_assert_eq!(text::parse_time(&written), Ok(seconds));
    }

    #[test]
    fn a_set_s_tree_is_the_naive_one(members in prop::collection::vec(element(), 1..40), at in any::<prop::sample::Index>()) {
        prop_assume!(!members.contains(&absent()));
        let tree = QuaternaryTree::of_members(&members, 3).unwrap();
        prop_assert_eq!(tree.root(), naive_root(&members, *members.last().unwrap(), 3));
        let index = at.index(members.len());
        let path = tree.path(index).unwrap();
        prop_assert_eq!(path.root(members[index]), Some(tree.root()));
        prop_assert_eq!(members[tree.position(members[index]).unwrap()], members[index]);
        // Nothing but a member, or its padding's copy, leads to the root.
        let stranger = members.iter().copied().sum::<Fr>() + Fr::from(1);
        if !members.contains(&stranger) {
            prop_assert_ne!(path.root(stranger), Some(tree.root()));
        }
    }

    #[test]
    fn the_revocation_tree_is_the_naive_list(handles in prop::collection::vec(handle(), 0..24), cut in any::<prop::sample::Index>(), asked in handle()) {
        let mut once = Vec::new();
        for handle in handles {
            if !once.contains(&handle) {
                once.push(handle);
            }
        }
        let mut tree = RevocationTree::new();
        let cut = cut.index(once.len() + 1);
        tree.extend(&once[..cut]).unwrap();
        for handle in &once[cut..] {
            tree.insert(*handle).unwrap();
        }
        prop_assert_eq!(tree.root(), naive_revocation_root(&once));
        prop_assert_eq!(tree.len(), once.len());
        let model: BTreeSet<u64> = once.iter().copied().collect();
        prop_assert_eq!(tree.contains(asked), model.contains(&asked));
        match tree.witness(asked) {
            None => prop_assert!(model.contains(&asked)),
            Some(gap) => {
                prop_assert_eq!(gap.low, model.range(..asked).next_back().copied().unwrap_or(0));
                prop_assert_eq!(gap.next, model.range(asked..).next().copied());
                prop_assert_eq!(gap.path.root(gap.leaf()), Some(tree.root()));
            }
        }
        // A refused extension changes nothing, not even by what came before the culprit.
        let (root, twice) = (tree.root(), [model.iter().next_back().map_or(41, |last| last / 2 + 43), 0]);
        prop_assert!(tree.extend(&twice).is_err());
        prop_assert_eq!(tree.root(), root);
    }

    #[test]
    fn a_note_is_signed_by_its_signers_and_says_what_they_signed(
        body in "[a-z0-9 ]{0,30}", signers in prop::collection::btree_set(0u8..5, 1..4), at in any::<prop::sample::Index>(), bit in 0u8..8
    ) {
        let text = format!("bauta/v1/test\n\n{body}\n");
        let all: Vec<_> = (0..5).map(|i| NoteSigner::from_secret(&format!("key-{i}"), &[i + 1; 32]).unwrap()).collect();
        let keys: Vec<_> = all.iter().map(NoteSigner::verifier).collect();
        let of = |i: &u8| &all[usize::from(*i)];
        let note = sign(&text, &signers.iter().map(of).collect::<Vec<_>>()).unwrap();
        let parsed = SignedNote::parse(&note).unwrap();
        prop_assert_eq!(parsed.text(), text.as_str());
        prop_assert_eq!(parsed.count(&keys), Ok(signers.len()));
        prop_assert_eq!(
            parsed.require(&keys, signers.len() + 1),
            Err(NoteError::TooFew { found: signers.len(), needed: signers.len() + 1 })
        );
        // Signing again adds nobody twice.
        let again = add_signatures(&note, &all.iter().collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(SignedNote::parse(&again).unwrap().count(&keys), Ok(all.len()));
        let mut altered = note.clone();
        altered[at.index(note.len())] ^= 1 << bit;
        if let Ok(other) = SignedNote::parse(&altered)
            && other.count(&keys) == Ok(signers.len())
        {
            prop_assert_eq!(other.text(), text.as_str());
        }
    }
}
