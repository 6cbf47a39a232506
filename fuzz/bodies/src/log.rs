//! Targets of the log crate.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use bauta_log::merkle::{EMPTY_ROOT, check_consistency, check_inclusion, leaf_hash, node_hash};
use bauta_log::reader::{AuditError, LogReader, paths};
use bauta_log::sequencer::Batch;
use bauta_log::tile::{decode_bundle, decode_hashes, encode_bundle, encode_hashes};
use bauta_log::{
    Checkpoint, Hash, Head, LogPolicy, MemoryStorage, SignedCheckpoint, Storage, Tile, TileSource,
    TlogProof, Tree,
};

use crate::edit::{self, below, byte};
use crate::seeds;

pub(crate) fn checkpoint(data: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::parse(data) {
        assert_eq!(checkpoint.text().as_bytes(), data);
        assert!(
            checkpoint.extension().is_empty() || data.ends_with(checkpoint.extension().as_bytes())
        );
    }
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.to_bytes(), data);
        assert_eq!(
            Checkpoint::parse(signed.checkpoint().text().as_bytes()).as_ref(),
            Ok(signed.checkpoint())
        );
    }
}

struct Logged {
    policy: LogPolicy,
    note: Vec<u8>,
    proof: TlogProof,
    proof_file: Vec<u8>,
    entry: Vec<u8>,
}

static LOGGED: LazyLock<Logged> = LazyLock::new(|| {
    let (policy, proof, entry) = seeds::tlog_proof();
    Logged {
        policy,
        note: proof.checkpoint.to_bytes(),
        proof_file: proof.to_bytes(),
        proof,
        entry,
    }
});

/// A good note with edits: what still has its quorum says what was signed.
pub(crate) fn cosigned(data: &[u8]) {
    let mut note = LOGGED.note.clone();
    edit::bytes(&mut note, &mut Unstructured::new(data));
    let Ok(signed) = SignedCheckpoint::parse(&note) else {
        return;
    };
    assert_eq!(signed.to_bytes(), note);
    match LOGGED.policy.check(&signed) {
        Ok(cosigned) => assert_eq!(cosigned.checkpoint(), LOGGED.proof.checkpoint.checkpoint()),
        Err(_) => assert_ne!(note, LOGGED.note),
    }
}

pub(crate) fn log_policy(data: &[u8]) {
    if let Ok(policy) = LogPolicy::parse(data) {
        let written = policy.to_bytes();
        assert_eq!(LogPolicy::parse(&written).as_ref(), Ok(&policy));
        assert_eq!(
            LogPolicy::parse(&written).map(|again| again.to_bytes()),
            Ok(written)
        );
        // It may be met or not; deciding it ends, whatever its groups are.
        let _ = policy.check(&LOGGED.proof.checkpoint);
    }
}

pub(crate) fn tlog_proof(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let edited = if how & 1 == 0 {
        rest.to_vec()
    } else {
        let mut file = LOGGED.proof_file.clone();
        edit::bytes(&mut file, &mut Unstructured::new(rest));
        file
    };
    let Ok(proof) = TlogProof::parse(&edited) else {
        return;
    };
    assert_eq!(proof.to_bytes(), edited);
    if let Ok(logged) = proof.verify(LOGGED.entry.clone(), &LOGGED.policy) {
        // Extra data is nobody's word; all else is as it was.
        assert_eq!(
            (proof.index, &proof.hashes),
            (LOGGED.proof.index, &LOGGED.proof.hashes)
        );
        assert_eq!(
            logged.checkpoint().checkpoint(),
            LOGGED.proof.checkpoint.checkpoint()
        );
    }
}

pub(crate) fn tile_path(data: &[u8]) {
    if let Ok(path) = std::str::from_utf8(data)
        && let Some(tile) = Tile::parse(path)
    {
        assert_eq!(tile.path(), path);
        assert!((1..=256).contains(&tile.width) && !path.contains(".."));
    }
}

pub(crate) fn tiles(data: &[u8]) {
    if let Ok(entries) = decode_bundle(data) {
        assert_eq!(encode_bundle(&entries).as_deref(), Ok(data));
    }
    if let Ok(hashes) = decode_hashes(data) {
        assert_eq!(encode_hashes(&hashes), data);
    }
}

pub(crate) fn batch(data: &[u8]) {
    if let Ok(batch) = Batch::from_bytes(data) {
        assert_eq!(batch.to_bytes().as_deref(), Ok(data));
    }
}

/// RFC 6962, 2.1, as it is written.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962, 2.1.1.
fn naive_inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if index < left.len() {
        (naive_inclusion(left, index), naive_root(right))
    } else {
        (naive_inclusion(right, index - left.len()), naive_root(left))
    };
    proof.push(sibling);
    proof
}

/// RFC 6962, 2.1.2: the proof of `old` leaves, `whole` while the old tree is a subtree whose root the reader knows.
fn naive_consistency(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (naive_consistency(left, old, whole), naive_root(right))
    } else {
        (
            naive_consistency(right, old - left.len(), false),
            naive_root(left),
        )
    };
    proof.push(sibling);
    proof
}

/// What the standard says of a tree of each size up to [`LARGEST`].
struct Trees {
    leaves: Vec<Hash>,
    /// By size − 1.
    heads: Vec<Head>,
    /// By size − 1, then by index.
    inclusion: Vec<Vec<Vec<Hash>>>,
    /// By size − 1, then by the old size − 1.
    consistency: Vec<Vec<Vec<Hash>>>,
}

const LARGEST: usize = 40;

static TREES: LazyLock<Trees> = LazyLock::new(|| {
    let leaves: Vec<Hash> = (0..LARGEST).map(|i| leaf_hash(&[i as u8])).collect();
    let sizes = || (1..=LARGEST).map(|size| &leaves[..size]);
    Trees {
        heads: sizes()
            .map(|leaves| Head {
                size: leaves.len() as u64,
                root: naive_root(leaves),
            })
            .collect(),
        inclusion: sizes()
            .map(|leaves| {
                let indices = 0..leaves.len();
                indices
                    .map(|index| naive_inclusion(leaves, index))
                    .collect()
            })
            .collect(),
        consistency: sizes()
            .map(|leaves| {
                let old = 1..=leaves.len();
                old.map(|old| naive_consistency(leaves, old, true))
                    .collect()
            })
            .collect(),
        leaves,
    }
});

/// The proofs of the standard, written out, pass; edited ones do not.
pub(crate) fn merkle_proofs(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let size = 1 + below(&mut input, LARGEST);
    let Trees {
        leaves,
        heads,
        inclusion,
        consistency,
    } = &*TREES;
    let (index, old) = (below(&mut input, size), 1 + below(&mut input, size));
    let (head, old_head) = (heads[size - 1], heads[old - 1]);
    let inclusion = &inclusion[size - 1][index];
    let consistency = &consistency[size - 1][old - 1];
    let edited = |good: &[Hash], input: &mut Unstructured<'_>| {
        let mut proof = good.to_vec();
        match byte(input) % 5 {
            0 => {}
            1 => proof.push([byte(input); 32]),
            2 => drop(proof.pop()),
            3 => {
                let at = below(input, proof.len());
                proof
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|hash| hash[below(input, 32)] ^= 1 + (byte(input) & 0x7f));
            }
            _ => proof.reverse(),
        }
        proof
    };
    let proof = edited(inclusion, &mut input);
    let place = if byte(&mut input) & 1 == 1 {
        below(&mut input, size + 2)
    } else {
        index
    };
    let same = proof == *inclusion && place == index;
    assert_eq!(
        check_inclusion(place as u64, &leaves[index], &proof, &head).is_ok(),
        same
    );
    let proof = edited(consistency, &mut input);
    assert_eq!(
        check_consistency(&old_head, &head, &proof).is_ok(),
        proof == *consistency
    );
}

const ENTRIES: u16 = 259;

static STORED: LazyLock<(MemoryStorage, Head, Vec<String>)> = LazyLock::new(|| {
    let mut tree = Tree::new(MemoryStorage::new());
    for batch in [0..3u16, 3..ENTRIES] {
        let entries: Vec<_> = batch.map(|i| i.to_be_bytes()).collect();
        tree.append(&entries).expect("memory takes it");
    }
    let head = tree.head();
    (tree.storage().clone(), head, paths(head.size).collect())
});

/// A stored log with one file edited or gone: what an audit accepts is what was logged.
pub(crate) fn stored_log(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (good, head, paths) = &*STORED;
    let path = &paths[below(&mut input, paths.len())];
    let mut bad = good.clone();
    let mut bytes = good.get(path).ok().flatten().unwrap_or_default();
    edit::bytes(&mut bytes, &mut input);
    let same = good.get(path).ok().flatten().as_ref() == Some(&bytes);
    bad.discard(path).expect("memory discards");
    if byte(&mut input) != 1 {
        bad.put_immutable(path, &bytes).expect("the place is free");
    } else if !same {
        return;
    }
    let mut seen = Vec::new();
    let audited = LogReader::new(&bad).audit(head, |index, entry| {
        seen.push((index, entry.to_vec()));
        Ok::<(), AuditError>(())
    });
    if audited.is_ok() {
        let logged = (0..ENTRIES).map(|i| (u64::from(i), i.to_be_bytes().to_vec()));
        assert!(seen.into_iter().eq(logged));
    } else {
        assert!(!same || bad.get(path).ok().flatten().is_none());
    }
}
