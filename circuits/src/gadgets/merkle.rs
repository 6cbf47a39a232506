//! Membership in a tree with four children to a node, without path bits.

use ark_ff::AdditiveGroup;
use bauta_statement::{
    field::Fr,
    tree::{ARITY, Path},
};

use super::poseidon;
use crate::system::{Lc, System};

/// The root that a leaf's path leads to; 300 constraints a level.
///
/// Per level the whole family c₀..c₃ is witness; the current node n is [`one_of`] it, and n becomes
/// Poseidon(c₀, c₁, c₂, c₃). There is no bit to be non-boolean.
pub fn root(system: &mut System, leaf: &Lc, path: &Path, depth: usize) -> Lc {
    let mut node = leaf.clone();
    for level in 0..depth {
        let values = path
            .families
            .get(level)
            .copied()
            .unwrap_or([Fr::ZERO; ARITY]);
        let family = values.map(|child| {
            system.free(
                child,
                "child of a tree node: fixed by the root, Poseidon being collision resistant",
            )
        });
        one_of(system, &node, &family);
        node = poseidon::hash(system, &family);
    }
    node
}

/// (n − c₀)(n − c₁)(n − c₂)(n − c₃) = 0: a field has no zero divisors, so the node is a member of the family. 3 constraints.
pub(crate) fn one_of(system: &mut System, node: &Lc, family: &[Lc; ARITY]) {
    let mut product = node - &family[0];
    for child in &family[1..ARITY - 1] {
        product = system.product(&product, &(node - child));
    }
    system.enforce(
        &product,
        &(node - &family[ARITY - 1]),
        &Lc::constant(Fr::ZERO),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt;
    use bauta_statement::tree::QuaternaryTree;

    fn is_member(leaf: Fr, path: &Path, root_value: Fr) -> bool {
        let run = |recording| {
            let mut system = System::new(&[leaf, root_value], recording);
            let leaf = system.instance(0);
            let top = root(&mut system, &leaf, path, 2);
            let expected = system.instance(1);
            system.enforce_equal(&top, &expected);
            system
        };
        let shape = run(true).into_r1cs();
        assert_eq!(shape.rows.len(), 601);
        shape.check(&run(false).into_assignment()).is_ok()
    }

    #[test]
    fn only_members_in_any_place() {
        let members: Vec<Fr> = (1..=7).map(Fr::from).collect();
        let tree = QuaternaryTree::of_members(&members, 2).unwrap();
        for (index, member) in members.iter().enumerate() {
            let path = tree.path(index).unwrap();
            assert!(is_member(*member, &path, tree.root()));
            assert!(!is_member(Fr::from(8), &path, tree.root()), "not a member");
            assert!(
                !is_member(Fr::ZERO, &path, tree.root()),
                "zero is no member"
            );
            assert!(
                !is_member(*member, &path, tree.root() + Fr::from(1)),
                "another root"
            );
            for level in 0..2 {
                for child in 0..ARITY {
                    let mut broken = path.clone();
                    broken.families[level][child] += Fr::from(1);
                    assert!(
                        !is_member(*member, &broken, tree.root()),
                        "family {level}, child {child}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_inner_node_is_no_leaf_of_the_same_path() {
        let members: Vec<Fr> = (1..=7).map(Fr::from).collect();
        let tree = QuaternaryTree::of_members(&members, 2).unwrap();
        let path = tree.path(0).unwrap();
        assert!(!is_member(path.families[1][0], &path, tree.root()));
    }

    /// Constraint deletion at one level: each factor of the product, and each S-box.
    #[test]
    fn every_constraint_of_a_level_is_needed() {
        let family = [3, 5, 7, 9].map(Fr::from);
        let path = Path {
            families: vec![family],
        };
        let build = |leaf: u64, recording: bool| {
            let mut system = System::new(&[Fr::from(leaf)], recording);
            let leaf = system.instance(0);
            root(&mut system, &leaf, &path, 1);
            system
        };
        let shape = build(7, true).into_r1cs();
        // 6 is no member: the honest products, and a zero put in place of the first, the second, or neither. The columns
        // are 0 one, 1 leaf, 2 to 5 family, 6 and 7 products.
        let honest = build(6, false).into_assignment();
        let mut first = honest.clone();
        first.values_mut()[6..8].fill(Fr::ZERO);
        let mut second = honest.clone();
        second.values_mut()[7] = Fr::ZERO;
        for good in [3, 5, 7, 9] {
            let good = build(good, false).into_assignment();
            let bad = [honest.clone(), first.clone(), second.clone()];
            let none: Vec<usize> = Vec::new();
            assert_eq!(hunt::dispensable(&shape, &good, &bad), none);
        }
    }
}
