//! RFC 6962 hashing, tree heads, and the checking of inclusion and consistency proofs.
//!
//! A leaf and an interior node are hashed under different prefixes, so that neither can be passed off as the other.

use tlog_tiles::tlog;

/// A SHA-256 hash of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

/// The root of the tree without entries: SHA-256 of the empty string (RFC 6962, section 2.1).
pub const EMPTY_ROOT: Hash = tlog::EMPTY_HASH.0;

/// The largest tree this crate handles. It is far beyond any log, and keeps every shift and sum below within 64 bits.
pub const MAX_TREE_SIZE: u64 = 1 << 48;

/// How many entries a tree has, and its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 Merkle tree hash over them.
    pub root: Hash,
}

impl Head {
    /// The head of the tree without entries.
    pub const EMPTY: Head = Head {
        size: 0,
        root: EMPTY_ROOT,
    };
}

/// Why a Merkle proof was refused. The prover is the culprit in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the tree's size.
    #[error("entry {index} is outside a tree of size {size}")]
    OutsideTree {
        /// Claimed index.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The new head is smaller than the old one.
    #[error(
        "the log went back from size {old} to {new}; its history was cut, keep both checkpoints as evidence"
    )]
    WentBack {
        /// Size known before.
        old: u64,
        /// Size offered now.
        new: u64,
    },
    /// Two roots for one size.
    #[error(
        "two different roots for the one size {size}; the log has forked, keep both checkpoints as evidence"
    )]
    Forked {
        /// The size in question.
        size: u64,
    },
    /// A size beyond [`MAX_TREE_SIZE`].
    #[error("tree size {0} is beyond what any log reaches")]
    TooLarge(u64),
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Mismatch,
}

/// Hash of an entry as a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    tlog::record_hash(entry).0
}

/// Hash of an interior node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    tlog::node_hash(tlog::Hash(*left), tlog::Hash(*right)).0
}

/// Checks that the leaf `leaf` is entry `index` of the tree `head` (RFC 6962, section 2.1.1).
///
/// # Errors
/// [`ProofError`] names what is wrong with the proof.
pub fn check_inclusion(
    index: u64,
    leaf: &Hash,
    proof: &[Hash],
    head: &Head,
) -> Result<(), ProofError> {
    if head.size > MAX_TREE_SIZE {
        return Err(ProofError::TooLarge(head.size));
    }
    if index >= head.size {
        return Err(ProofError::OutsideTree {
            index,
            size: head.size,
        });
    }
    let proof = proof.iter().copied().map(tlog::Hash).collect();
    tlog::check_record(
        &proof,
        head.size,
        tlog::Hash(head.root),
        index,
        tlog::Hash(*leaf),
    )
    .map_err(|_| ProofError::Mismatch)
}

/// Checks that the tree `new` begins with all entries of the tree `old`, in order (RFC 6962, section 2.1.2).
/// Every tree begins with the empty one, for which the proof is empty.
///
/// # Errors
/// [`ProofError`] names what is wrong; [`ProofError::WentBack`] and [`ProofError::Forked`] are evidence against the log.
pub fn check_consistency(old: &Head, new: &Head, proof: &[Hash]) -> Result<(), ProofError> {
    if new.size > MAX_TREE_SIZE {
        return Err(ProofError::TooLarge(new.size));
    }
    if new.size < old.size {
        return Err(ProofError::WentBack {
            old: old.size,
            new: new.size,
        });
    }
    if new.size == old.size && new.root != old.root {
        return Err(ProofError::Forked { size: old.size });
    }
    if old.size == 0 {
        let sound = old.root == EMPTY_ROOT && proof.is_empty();
        return if sound {
            Ok(())
        } else {
            Err(ProofError::Mismatch)
        };
    }
    let proof = proof.iter().copied().map(tlog::Hash).collect();
    tlog::check_tree(
        &proof,
        new.size,
        tlog::Hash(new.root),
        old.size,
        tlog::Hash(old.root),
    )
    .map_err(|_| ProofError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962's reference tree (the eight inputs of Certificate Transparency's own test data).
    fn reference_inputs() -> Vec<Vec<u8>> {
        [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
        .collect()
    }

    fn hash(hex: &str) -> Hash {
        data_encoding::HEXLOWER
            .decode(hex.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => *one,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..split]), &naive_root(&leaves[split..]))
            }
        }
    }

    #[test]
    fn roots_of_the_certificate_transparency_reference_tree() {
        let leaves: Vec<Hash> = reference_inputs().iter().map(|e| leaf_hash(e)).collect();
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(
                naive_root(&leaves[..=size]),
                hash(root),
                "size {}",
                size + 1
            );
        }
    }

    #[test]
    fn inclusion_and_consistency_of_the_reference_tree() {
        // RFC 6962 reference: path of leaf 0 in the tree of 8, and consistency of 1 with 8.
        let head = Head {
            size: 8,
            root: hash("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        };
        let path = [
            hash("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
            hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
            hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
        ];
        let leaf = leaf_hash(b"");
        assert_eq!(check_inclusion(0, &leaf, &path, &head), Ok(()));
        let one = Head {
            size: 1,
            root: leaf,
        };
        assert_eq!(check_consistency(&one, &head, &path), Ok(()));

        // bad_*: each defect by its name.
        assert_eq!(
            check_inclusion(1, &leaf, &path, &head),
            Err(ProofError::Mismatch)
        );
        assert_eq!(
            check_inclusion(8, &leaf, &path, &head),
            Err(ProofError::OutsideTree { index: 8, size: 8 })
        );
        assert_eq!(
            check_inclusion(0, &leaf, &path[..2], &head),
            Err(ProofError::Mismatch)
        );
        let mut longer = path.to_vec();
        longer.push([0; 32]);
        assert_eq!(
            check_inclusion(0, &leaf, &longer, &head),
            Err(ProofError::Mismatch)
        );
        for (i, byte) in [(0, 0), (1, 17), (2, 31)] {
            let mut flipped = path;
            flipped[i][byte] ^= 1;
            assert_eq!(
                check_inclusion(0, &leaf, &flipped, &head),
                Err(ProofError::Mismatch)
            );
            assert_eq!(
                check_consistency(&one, &head, &flipped),
                Err(ProofError::Mismatch)
            );
        }
        let wrong_size = Head { size: 9, ..head };
        assert_eq!(
            check_inclusion(0, &leaf, &path, &wrong_size),
            Err(ProofError::Mismatch)
        );
    }

    #[test]
    fn bad_interior_node_as_leaf() {
        // A tree of four, read as a tree of two whose "entries" are the interior nodes' preimages.
        let leaves: Vec<Hash> = reference_inputs()[..4]
            .iter()
            .map(|e| leaf_hash(e))
            .collect();
        let (left, right) = (
            node_hash(&leaves[0], &leaves[1]),
            node_hash(&leaves[2], &leaves[3]),
        );
        let root = node_hash(&left, &right);
        let preimage = [leaves[0], leaves[1]].concat();
        let short = Head { size: 2, root };
        assert_eq!(
            check_inclusion(0, &leaf_hash(&preimage), &[right], &short),
            Err(ProofError::Mismatch)
        );
        let prefixed = [&[1u8][..], &preimage].concat();
        assert_eq!(
            check_inclusion(0, &leaf_hash(&prefixed), &[right], &short),
            Err(ProofError::Mismatch)
        );
    }

    #[test]
    fn bad_consistency_by_name() {
        let a = Head {
            size: 4,
            root: [1; 32],
        };
        let b = Head {
            size: 4,
            root: [2; 32],
        };
        let c = Head {
            size: 3,
            root: [1; 32],
        };
        assert_eq!(
            check_consistency(&a, &b, &[]),
            Err(ProofError::Forked { size: 4 })
        );
        assert_eq!(
            check_consistency(&a, &c, &[]),
            Err(ProofError::WentBack { old: 4, new: 3 })
        );
        assert_eq!(check_consistency(&a, &a, &[]), Ok(()));
        assert_eq!(
            check_consistency(&a, &a, &[[0; 32]]),
            Err(ProofError::Mismatch)
        );
        assert_eq!(check_consistency(&Head::EMPTY, &a, &[]), Ok(()));
        assert_eq!(
            check_consistency(&Head::EMPTY, &a, &[[0; 32]]),
            Err(ProofError::Mismatch)
        );
        let not_empty = Head {
            size: 0,
            root: [9; 32],
        };
        assert_eq!(
            check_consistency(&not_empty, &a, &[]),
            Err(ProofError::Mismatch)
        );
        assert_eq!(
            check_consistency(
                &a,
                &Head {
                    size: u64::MAX,
                    root: [0; 32]
                },
                &[]
            ),
            Err(ProofError::TooLarge(u64::MAX))
        );
    }
}
