//! The log's tree against RFC 6962 as it is written, and its formats over arbitrary values.

use bauta_log::merkle::{EMPTY_ROOT, check_consistency, check_inclusion, leaf_hash, node_hash};
use bauta_log::reader::AuditError;
use bauta_log::tile::{decode_bundle, encode_bundle};
use bauta_log::{
    Checkpoint, CosignatureSigner, Edge, Hash, Head, LogPolicy, LogReader, LogSigner,
    MemoryStorage, SignedCheckpoint, Tile, TlogProof, Tree,
};
use proptest::prelude::*;

/// RFC 6962, 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962, 2.1.1.
fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = match index.checked_sub(left.len()) {
        None => (inclusion(left, index), root(right)),
        Some(index) => (inclusion(right, index), root(left)),
    };
    proof.push(sibling);
    proof
}

/// RFC 6962, 2.1.2.
fn consistency(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (consistency(left, old, whole), root(right))
    } else {
        (consistency(right, old - left.len(), false), root(left))
    };
    proof.push(sibling);
    proof
}

fn entries(sizes: &[usize]) -> Vec<Vec<Vec<u8>>> {
    let mut next = 0u32;
    sizes
        .iter()
        .map(|size| {
            let batch = (next..)
                .take(*size)
                .map(|i| i.to_be_bytes()[4 - (i as usize % 4)..].to_vec())
                .collect();
            next += *size as u32;
            batch
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_tree_grown_in_batches_is_the_standard_s(
        sizes in prop::collection::vec(0usize..300, 1..5), at in any::<prop::sample::Index>(), before in any::<prop::sample::Index>()
    ) {
        let batches = entries(&sizes);
        let leaves: Vec<Hash> = batches.iter().flatten().map(|entry| leaf_hash(entry)).collect();
        prop_assume!(!leaves.is_empty());
        let mut tree = Tree::new(MemoryStorage::new());
        for batch in &batches {
            tree.append(batch).unwrap();
        }
        let head = tree.head();
        prop_assert_eq!(head, Head { size: leaves.len() as u64, root: root(&leaves) });
        let (index, old) = (at.index(leaves.len()), 1 + before.index(leaves.len()));
        let proof = tree.prove_inclusion(index as u64, head.size).unwrap();
        prop_assert_eq!(&proof, &inclusion(&leaves, index));
        prop_assert!(check_inclusion(index as u64, &leaves[index], &proof, &head).is_ok());
        let old_head = Head { size: old as u64, root: root(&leaves[..old]) };
        prop_assert_eq!(tree.head_at(old_head.size).unwrap(), old_head);
        let proof = tree.prove_consistency(old_head.size, head.size).unwrap();
        prop_assert_eq!(&proof, &consistency(&leaves, old, true));
        prop_assert!(check_consistency(&old_head, &head, &proof).is_ok());
        // Whoever reads the tiles again finds the same entries, and can go on from them.
        let mut read = Vec::new();
        LogReader::new(tree.storage()).audit(&head, |_, entry| {
            read.push(entry.to_vec());
            Ok::<(), AuditError>(())
        }).unwrap();
        prop_assert_eq!(read, batches.concat());
        prop_assert_eq!(&Edge::load(tree.storage(), &head).unwrap(), tree.edge());
    }

    #[test]
    fn bundles_come_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), cut in any::<prop::sample::Index>()) {
        let bytes = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bytes).unwrap(), entries);
        if let Ok(shorter) = decode_bundle(&bytes[..cut.index(bytes.len() + 1)]) {
            prop_assert!(encode_bundle(&shorter).unwrap().len() <= bytes.len());
        }
    }

    #[test]
    fn tile_paths_come_back(level in 0u8..64, index in any::<u64>(), width in 1u16..=256, of_entries in any::<bool>()) {
        use bauta_log::tile::Content;
        let content = if of_entries { Content::Entries } else { Content::Hashes(level) };
        let tile = Tile { content, index, width };
        prop_assert_eq!(Tile::parse(&tile.path()), Some(tile));
    }

    #[test]
    fn q_of_n_cosigners_are_a_quorum_and_fewer_are_none(
        n in 1usize..6, q in any::<prop::sample::Index>(), signed in prop::collection::btree_set(0u8..6, 0..6),
        size in 0u64..1 << 40, hash in any::<[u8; 32]>(), at in any::<prop::sample::Index>()
    ) {
        let log = LogSigner::from_seed("log.example", &[99; 32]).unwrap();
        let all: Vec<_> = (0..n as u8).map(|i| CosignatureSigner::from_seed(&format!("signer-{i}"), &[i; 32]).unwrap()).collect();
        let keys: Vec<_> = all.iter().map(|one| one.verifier().clone()).collect();
        let q = 1 + q.index(n);
        let policy = LogPolicy::quorum_of(log.verifier().clone(), &keys, q).unwrap();
        prop_assert_eq!(LogPolicy::parse(&policy.to_bytes()).unwrap(), policy.clone());
        let mut note = log.sign(Checkpoint::new("log.example", Head { size, root: hash }).unwrap()).unwrap();
        let by: Vec<_> = all.iter().enumerate().filter(|(i, _)| signed.contains(&(*i as u8))).collect();
        for (i, cosigner) in &by {
            note.add(cosigner.cosign(note.checkpoint(), *i as u64).unwrap());
        }
        prop_assert_eq!(policy.check(&note).is_ok(), by.len() >= q);
        let bytes = note.to_bytes();
        prop_assert_eq!(SignedCheckpoint::parse(&bytes).unwrap(), note.clone());
        // In a proof file, and with one byte altered, it says the same or nothing.
        let proof = TlogProof { extra: Some(hash.to_vec()), index: size, hashes: vec![hash; 3], checkpoint: note.clone() };
        prop_assert_eq!(TlogProof::parse(&proof.to_bytes()).unwrap(), proof);
        let mut altered = bytes;
        let at = at.index(altered.len());
        altered[at] ^= 4;
        if let Ok(other) = SignedCheckpoint::parse(&altered)
            && policy.check(&other).is_ok()
        {
            prop_assert_eq!(other.checkpoint(), note.checkpoint());
        }
    }
}
