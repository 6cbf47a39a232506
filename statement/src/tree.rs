//! Poseidon trees with four children to a node: sets of members (issuers, values), and the indexed tree of revoked
//! handles, in which *not* being a member is proved by the gap between two neighbours.
//!
//! What the circuits assume, this file enforces: sets are padded with copies of a member (a zero would be one); no
//! value set holds *absent*; every leaf of the revocation tree has low < 2^64 and next ≤ 2^64, the end of the list is
//! 2^64 and never 0, and empty places hold (2^64 − 1, 2^64), between which nothing lies.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::{field::Fr, poseidon, vector::absent};

/// Children of a node.
pub const ARITY: usize = 4;
/// Depth of an issuer set's tree: 1,024 origins.
pub const ISSUER_SET_DEPTH: usize = 5;
/// Depth of a value set's tree: 256 values.
pub const VALUE_SET_DEPTH: usize = 4;
/// Depth of the revocation tree: 2^20 leaves, the first of which is the start of the list.
pub const REVOCATION_DEPTH: usize = 10;

/// The tree cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A set without members.
    #[error("the set is empty; name at least one member")]
    Empty,
    /// More members than leaves.
    #[error("the set has {members} members, and its tree takes {capacity}; split the set")]
    Full {
        /// How many were given.
        members: usize,
        /// How many fit.
        capacity: usize,
    },
    /// *Absent* as a member: an attribute that is not there would satisfy the predicate.
    #[error("a set must not contain the constant `absent`; remove it")]
    Absent,
    /// 0 and 2^64 − 1 are no revocation handles.
    #[error("{0} is no revocation handle; handles are computed by `vector::handle`")]
    NoHandle(u64),
    /// The handle is in the tree.
    #[error("the handle {0} is already revoked; leave out the repetition")]
    AlreadyRevoked(u64),
}

/// The children of each node on a leaf's way to the root, from the leaf's own family upwards. There are no path bits:
/// the circuit shows that the current node is one of its family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// One family of four per level, the lowest first.
    pub families: Vec<[Fr; ARITY]>,
}

impl Path {
    /// The root that this path leads to from a leaf, or `None` if a node is not in its family.
    pub fn root(&self, leaf: Fr) -> Option<Fr> {
        self.families.iter().try_fold(leaf, |node, family| {
            family.contains(&node).then(|| poseidon::hash(family))
        })
    }
}

/// A tree of fixed depth whose unused leaves are all one constant, so that an unused subtree costs nothing.
#[derive(Debug, Clone)]
pub struct QuaternaryTree {
    /// Explicit nodes per level, leaves first; what lies beyond them is `padding` of that level.
    levels: Vec<Vec<Fr>>,
    padding: Vec<Fr>,
}

impl QuaternaryTree {
    /// A tree whose leaves all hold `padding`.
    pub fn new(depth: usize, padding: Fr) -> Self {
        let padding: Vec<Fr> =
            std::iter::successors(Some(padding), |node| Some(poseidon::hash(&[*node; ARITY])))
                .take(depth + 1)
                .collect();
        Self {
            levels: vec![Vec::new(); depth + 1],
            padding,
        }
    }

    /// The tree of a set's members in this order, padded with copies of the last one.
    ///
    /// # Errors
    /// [`TreeError`] if there is no member, too many, or *absent* among them.
    pub fn of_members(members: &[Fr], depth: usize) -> Result<Self, TreeError> {
        let last = members.last().ok_or(TreeError::Empty)?;
        let mut tree = Self::new(depth, *last);
        if members.len() > tree.capacity() {
            return Err(TreeError::Full {
                members: members.len(),
                capacity: tree.capacity(),
            });
        }
        if members.contains(&absent()) {
            return Err(TreeError::Absent);
        }
        tree.set_leaves(members.iter().copied().enumerate());
        Ok(tree)
    }

    /// Number of leaves.
    pub fn capacity(&self) -> usize {
        ARITY.pow(self.depth() as u32)
    }

    /// Number of levels above the leaves.
    pub fn depth(&self) -> usize {
        self.padding.len() - 1
    }

    /// The root.
    pub fn root(&self) -> Fr {
        self.node(self.depth(), 0)
    }

    /// The path from the leaf at `index`; `None` beyond the last leaf.
    pub fn path(&self, index: usize) -> Option<Path> {
        (index < self.capacity()).then(|| Path {
            families: (0..self.depth())
                .map(|level| self.family(level, index / ARITY.pow(level as u32 + 1)))
                .collect(),
        })
    }

    /// The index of the first explicit leaf with this value.
    pub fn position(&self, leaf: Fr) -> Option<usize> {
        self.levels.first()?.iter().position(|node| *node == leaf)
    }

    fn node(&self, level: usize, index: usize) -> Fr {
        let explicit = self.levels.get(level).and_then(|nodes| nodes.get(index));
        explicit
            .or(self.padding.get(level))
            .copied()
            .unwrap_or_default()
    }

    fn family(&self, level: usize, parent: usize) -> [Fr; ARITY] {
        std::array::from_fn(|child| self.node(level, parent * ARITY + child))
    }

    fn set(&mut self, level: usize, index: usize, value: Fr) {
        let filler = self.padding.get(level).copied().unwrap_or_default();
        if let Some(nodes) = self.levels.get_mut(level) {
            if nodes.len() <= index {
                nodes.resize(index + 1, filler);
            }
            if let Some(node) = nodes.get_mut(index) {
                *node = value;
            }
        }
    }

    /// Sets leaves, then computes each changed node above them once.
    fn set_leaves(&mut self, leaves: impl IntoIterator<Item = (usize, Fr)>) {
        let mut changed = BTreeSet::new();
        for (index, value) in leaves {
            self.set(0, index, value);
            changed.insert(index / ARITY);
        }
        for level in 0..self.depth() {
            for parent in &changed {
                let hash = poseidon::hash(&self.family(level, *parent));
                self.set(level + 1, *parent, hash);
            }
            changed = changed.iter().map(|parent| parent / ARITY).collect();
        }
    }
}

/// The root of a set's tree. See [`QuaternaryTree::of_members`].
///
/// # Errors
/// [`TreeError`] if there is no member, too many, or *absent* among them.
pub fn members_root(members: &[Fr], depth: usize) -> Result<Fr, TreeError> {
    Ok(QuaternaryTree::of_members(members, depth)?.root())
}

/// A leaf of the revocation tree with its path: `low` < handle < `next`, and nothing revoked lies between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonMembership {
    /// A revoked handle, or 0 for the start of the list.
    pub low: u64,
    /// The next revoked handle, or `None` for the end, 2^64.
    pub next: Option<u64>,
    /// The leaf's path.
    pub path: Path,
}

impl NonMembership {
    /// The leaf's hash.
    pub fn leaf(&self) -> Fr {
        leaf(self.low, self.next)
    }

    /// `next` as a field element: the end of the list is 2^64.
    pub fn next_field(&self) -> Fr {
        next_field(self.next)
    }
}

fn next_field(next: Option<u64>) -> Fr {
    next.map_or_else(|| Fr::from(1u128 << 64), Fr::from)
}

fn leaf(low: u64, next: Option<u64>) -> Fr {
    poseidon::hash(&[Fr::from(low), next_field(next)])
}

/// The indexed Merkle tree of revoked handles: a linked list in ascending order, its leaves in order of insertion, so
/// that an insertion changes two of them.
#[derive(Debug, Clone)]
pub struct RevocationTree {
    tree: QuaternaryTree,
    /// Handle (0 for the start) to leaf index.
    index: BTreeMap<u64, usize>,
}

impl Default for RevocationTree {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationTree {
    /// The tree in which nothing is revoked.
    pub fn new() -> Self {
        let mut tree = QuaternaryTree::new(REVOCATION_DEPTH, leaf(u64::MAX, None));
        tree.set_leaves([(0, leaf(0, None))]);
        Self {
            tree,
            index: BTreeMap::from([(0, 0)]),
        }
    }

    /// Revokes a handle.
    ///
    /// # Errors
    /// [`TreeError`] if it is no handle, is in the tree, or the tree is full; the tree is then as before.
    pub fn insert(&mut self, handle: u64) -> Result<(), TreeError> {
        self.extend(&[handle])
    }

    /// Revokes handles in this order: the same tree as by inserting each, and much faster for many.
    ///
    /// # Errors
    /// [`TreeError`] as for [`Self::insert`]; the tree is then as before.
    pub fn extend(&mut self, handles: &[u64]) -> Result<(), TreeError> {
        let mut seen = BTreeSet::new();
        for handle in handles {
            if *handle == 0 || *handle == u64::MAX {
                return Err(TreeError::NoHandle(*handle));
            }
            if self.contains(*handle) || !seen.insert(*handle) {
                return Err(TreeError::AlreadyRevoked(*handle));
            }
        }
        let members = self.index.len() + handles.len();
        if members > self.tree.capacity() {
            return Err(TreeError::Full {
                members,
                capacity: self.tree.capacity(),
            });
        }
        let mut touched = BTreeSet::new();
        for handle in handles {
            let position = self.index.len();
            touched.extend(self.index.range(..handle).next_back().map(|(low, _)| *low));
            touched.insert(*handle);
            self.index.insert(*handle, position);
        }
        let leaves: Vec<_> = touched
            .into_iter()
            .filter_map(|low| Some((*self.index.get(&low)?, leaf(low, self.next_after(low)))))
            .collect();
        self.tree.set_leaves(leaves);
        Ok(())
    }

    /// Whether the handle is revoked.
    pub fn contains(&self, handle: u64) -> bool {
        handle != 0 && self.index.contains_key(&handle)
    }

    /// How many handles are revoked.
    pub fn len(&self) -> usize {
        self.index.len() - 1
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    pub fn root(&self) -> Fr {
        self.tree.root()
    }

    /// What shows that a handle is not revoked; `None` if it is, or is no handle.
    pub fn witness(&self, handle: u64) -> Option<NonMembership> {
        if handle == 0 || handle == u64::MAX {
            return None;
        }
        let (low, position) = self.index.range(..=handle).next_back()?;
        (*low != handle).then(|| {
            Some(NonMembership {
                low: *low,
                next: self.next_after(*low),
                path: self.tree.path(*position)?,
            })
        })?
    }

    fn next_after(&self, low: u64) -> Option<u64> {
        self.index
            .range(low.checked_add(1)?..)
            .next()
            .map(|(next, _)| *next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: all leaves written out, and hashed level by level.
    fn slow_root(mut nodes: Vec<Fr>, depth: usize, padding: Fr) -> Fr {
        nodes.resize(ARITY.pow(depth as u32), padding);
        while nodes.len() > 1 {
            nodes = nodes
                .chunks(ARITY)
                .map(|c| poseidon::hash(&[c[0], c[1], c[2], c[3]]))
                .collect();
        }
        nodes[0]
    }

    #[test]
    fn a_set_is_padded_with_a_member_and_nothing_else() {
        let members: Vec<Fr> = (10..17).map(Fr::from).collect();
        let tree = QuaternaryTree::of_members(&members, 2).unwrap();
        assert_eq!(tree.root(), slow_root(members.clone(), 2, members[6]));
        assert_eq!(tree.path(16), None);
        for (index, member) in members.iter().enumerate() {
            assert_eq!(tree.path(index).unwrap().root(*member), Some(tree.root()));
        }
        for index in 0..tree.capacity() {
            assert_eq!(
                tree.path(index).unwrap().root(Fr::from(0)),
                None,
                "zero is no member"
            );
        }
    }

    #[test]
    fn sets_refuse_what_would_be_unsound() {
        assert_eq!(members_root(&[], 2), Err(TreeError::Empty));
        assert_eq!(
            members_root(&[Fr::from(1), absent()], 2),
            Err(TreeError::Absent)
        );
        assert_eq!(
            members_root(&[Fr::from(1); 17], 2),
            Err(TreeError::Full {
                members: 17,
                capacity: 16
            })
        );
        assert!(members_root(&[Fr::from(1); 16], 2).is_ok());
    }

    #[test]
    fn revocation_refuses_both_ends_and_repetitions() {
        let mut tree = RevocationTree::new();
        assert_eq!(tree.insert(0), Err(TreeError::NoHandle(0)));
        assert_eq!(tree.insert(u64::MAX), Err(TreeError::NoHandle(u64::MAX)));
        tree.insert(5).unwrap();
        let before = tree.root();
        assert_eq!(tree.extend(&[6, 5]), Err(TreeError::AlreadyRevoked(5)));
        assert_eq!(tree.extend(&[7, 7]), Err(TreeError::AlreadyRevoked(7)));
        assert_eq!(tree.root(), before, "a refused batch changes nothing");
        assert_eq!(
            (tree.witness(0), tree.witness(5), tree.witness(u64::MAX)),
            (None, None, None)
        );
        assert!(!tree.contains(0));
    }

    #[test]
    fn the_empty_leaf_has_no_gap() {
        // low = 2^64 − 1 and next = 2^64: no integer lies strictly between.
        let empty = leaf(u64::MAX, None);
        assert_eq!(
            RevocationTree::new().tree.path(1).unwrap().families[0],
            [leaf(0, None), empty, empty, empty]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn one_by_one_is_as_all_at_once(handles in prop::collection::hash_set(1u64..60, 1..20)) {
            let handles: Vec<u64> = handles.into_iter().collect();
            let mut one_by_one = RevocationTree::new();
            for handle in &handles {
                one_by_one.insert(*handle).unwrap();
            }
            let mut at_once = RevocationTree::new();
            at_once.extend(&handles).unwrap();
            prop_assert_eq!(one_by_one.root(), at_once.root());
            prop_assert_eq!(at_once.len(), handles.len());
            for handle in 1u64..64 {
                match at_once.witness(handle) {
                    None => prop_assert!(handles.contains(&handle)),
                    Some(witness) => {
                        prop_assert!(!handles.contains(&handle));
                        prop_assert!(witness.low < handle && witness.next.is_none_or(|next| handle < next));
                        prop_assert_eq!(witness.path.root(witness.leaf()), Some(at_once.root()));
                    }
                }
            }
        }

        #[test]
        fn the_sparse_tree_is_the_full_tree(leaves in prop::collection::vec(0u64..100, 1..60)) {
            let members: Vec<Fr> = leaves.iter().map(|leaf| Fr::from(*leaf)).collect();
            let root = slow_root(members.clone(), 3, *members.last().unwrap());
            prop_assert_eq!(members_root(&members, 3).unwrap(), root);
        }
    }
}
