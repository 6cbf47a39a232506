//! "These values satisfy the policy in this epoch": one relation for all policies and all credential formats.
//!
//! Hidden inputs: slots 0, 2, 3, 4 and four operands o₁..o₄, which the Schnorr proof ties to the slots that the policy names.
//! Public: see [`PolicyPublic::to_inputs`].
//!
//! 1. slot 0 is a member of the issuer set
//! 2. slot 4 lies strictly between the two ends of a leaf of the revocation tree
//! 3. slot 2 ≤ epoch start, `valid_until` ≤ slot 3
//! 4. each predicate that is required, and each that the holder picked among the any-of group, holds; exactly one is
//!    picked if there is a group

use ark_ff::{AdditiveGroup, Field, PrimeField};
use bauta_statement::{
    field::Fr,
    poseidon as native_poseidon,
    relation::{
        MEMBER_PREDICATES, Mode, PREDICATES, PolicyPublic, PredicatePublic, PredicateTest, Relation,
    },
    tree::{ARITY, ISSUER_SET_DEPTH, NonMembership, Path, REVOCATION_DEPTH, VALUE_SET_DEPTH},
    vector::absent,
};
use thiserror::Error;
use zeroize::Zeroize;

use crate::{
    gadgets::{compare, merkle, poseidon},
    relation::{Circuit, constraint_synthesizer},
    system::{Lc, System},
};

/// What a holder needs to show that a credential satisfies a policy.
#[derive(Clone)]
pub struct PolicyWitness {
    /// Slot 0.
    pub origin: Fr,
    /// Slot 2.
    pub not_before: Fr,
    /// Slot 3.
    pub not_after: Fr,
    /// Slot 4.
    pub handle: Fr,
    /// The slots that the policy's predicates read, in their order; any value where a predicate is none.
    pub operands: [Fr; PREDICATES],
    /// Path of the origin in the issuer set.
    pub issuer_path: Path,
    /// The gap of the revocation list in which the handle lies.
    pub gap: NonMembership,
    /// Paths of the operands in the value sets, where predicates 0 and 1 ask membership and it holds.
    pub value_paths: [Option<Path>; MEMBER_PREDICATES],
    /// Which predicate of the any-of group is shown to hold; hidden. `None` if there is no group.
    pub picked: Option<usize>,
    /// What the verifier sees.
    pub public: PolicyPublic,
}

/// Why the policy is not satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The credential's origin is not in the issuer set, or the path is of another set.
    #[error(
        "the policy does not accept this credential's issuer and schema; use a credential of an accepted issuer"
    )]
    Issuer,
    /// The handle is revoked, or the gap is not in this tree.
    #[error(
        "the credential is revoked, or the revocation list is not this epoch's; update the lists, or enrol again"
    )]
    Revoked,
    /// The epoch began before the credential's first second.
    #[error("the credential was not yet valid when the epoch began; wait for the next epoch")]
    NotYetValid,
    /// The certificate would outlive the credential.
    #[error("the credential ends before a certificate under this policy would; renew it")]
    Expired,
    /// A required predicate does not hold, or the picked one does not.
    #[error("predicate {0} of the policy does not hold for this credential")]
    Predicate(usize),
    /// There is an any-of group and nothing picked from it, or the other way round.
    #[error("none of the policy's alternatives was picked; pick one that holds")]
    AnyOf,
}

impl PolicyWitness {
    /// Whether predicate `position` holds of its operand (for membership: has a path to the set's root). What a wallet
    /// asks before it picks one of the any-of group.
    pub fn holds(&self, position: usize) -> bool {
        let (Some(predicate), Some(operand)) = (
            self.public.predicates().get(position),
            self.operands.get(position),
        ) else {
            return false;
        };
        let integer = |value: &Fr| {
            let limbs = value.into_bigint().0;
            (limbs[1..] == [0; 3]).then_some(limbs[0])
        };
        match predicate.test {
            PredicateTest::None => true,
            PredicateTest::Equal(value) => *operand == value,
            PredicateTest::NotEqual(value) => *operand != value && *operand != absent(),
            PredicateTest::Range { low, high } => {
                integer(operand).is_some_and(|value| (low..=high).contains(&value))
            }
            PredicateTest::Member { root } => {
                let path = self.value_paths.get(position).and_then(Option::as_ref);
                path.is_some_and(|path| leads_to(path, VALUE_SET_DEPTH, *operand, root))
            }
        }
    }
}

fn leads_to(path: &Path, depth: usize, leaf: Fr, root: Fr) -> bool {
    path.families.len() == depth && path.root(leaf) == Some(root)
}

/// low ≤ high < 2^64 + low, in the field: what the range of the difference says.
fn ordered(low: Fr, high: Fr) -> bool {
    (high - low).into_bigint().0[1..] == [0; 3]
}

impl Circuit for PolicyWitness {
    const RELATION: Relation = Relation::Policy;
    type Error = PolicyError;

    fn blank() -> Self {
        let empty = |depth| Path {
            families: vec![[Fr::ZERO; ARITY]; depth],
        };
        // Empty roots and no predicates: a witness of the right shape that proves nothing.
        let public = PolicyPublic::unused();
        Self {
            origin: Fr::ZERO,
            not_before: Fr::ZERO,
            not_after: Fr::ZERO,
            handle: Fr::ZERO,
            operands: [Fr::ZERO; PREDICATES],
            issuer_path: empty(ISSUER_SET_DEPTH),
            gap: NonMembership {
                low: 0,
                next: None,
                path: empty(REVOCATION_DEPTH),
            },
            value_paths: [None, None],
            picked: None,
            public,
        }
    }

    fn check(&self) -> Result<(), PolicyError> {
        let public = &self.public;
        if !leads_to(
            &self.issuer_path,
            ISSUER_SET_DEPTH,
            self.origin,
            public.issuer_root,
        ) {
            return Err(PolicyError::Issuer);
        }
        let above = ordered(Fr::from(self.gap.low) + Fr::ONE, self.handle);
        let below = ordered(self.handle + Fr::ONE, self.gap.next_field());
        let known = leads_to(
            &self.gap.path,
            REVOCATION_DEPTH,
            self.gap.leaf(),
            public.revocation_root,
        );
        if !(above && below && known) {
            return Err(PolicyError::Revoked);
        }
        if !ordered(self.not_before, Fr::from(public.epoch_start)) {
            return Err(PolicyError::NotYetValid);
        }
        if !ordered(Fr::from(public.valid_until), self.not_after) {
            return Err(PolicyError::Expired);
        }
        let grouped = |predicate: &PredicatePublic| predicate.mode == Mode::AnyOf;
        let pick_is_grouped = match self.picked {
            None => !public.predicates().iter().any(grouped),
            Some(position) => public.predicates().get(position).is_some_and(grouped),
        };
        if !pick_is_grouped {
            return Err(PolicyError::AnyOf);
        }
        for (position, predicate) in public.predicates().iter().enumerate() {
            let enforced = predicate.mode == Mode::Required || self.picked == Some(position);
            if enforced && !self.holds(position) {
                return Err(PolicyError::Predicate(position));
            }
        }
        Ok(())
    }

    fn instances(&self) -> Vec<Fr> {
        let mut instances = vec![self.origin, self.not_before, self.not_after, self.handle];
        instances.extend(self.operands);
        instances.extend(self.public.to_inputs());
        instances
    }

    fn synthesize(&self, system: &mut System) {
        let mut count = 0;
        let mut next = || {
            count += 1;
            count - 1
        };
        let [origin, not_before, not_after, handle] =
            std::array::from_fn(|_| system.instance(next()));
        let operands: [Lc; PREDICATES] = std::array::from_fn(|_| system.instance(next()));
        // The order of PolicyPublic::to_inputs.
        let [epoch_start, valid_until, issuer_root, revocation_root] =
            std::array::from_fn(|_| system.instance(next()));
        let value_roots: [Lc; MEMBER_PREDICATES] = std::array::from_fn(|_| system.instance(next()));
        let group = system.instance(next());
        let predicates: [PredicateWires; PREDICATES] = std::array::from_fn(|position| {
            let [low, span, range, not_equal, any_of] =
                std::array::from_fn(|_| system.instance(next()));
            let member = (position < MEMBER_PREDICATES).then(|| system.instance(next()));
            PredicateWires {
                low,
                span,
                range,
                not_equal,
                any_of,
                member,
            }
        });

        system.region("issuer set");
        let root = merkle::root(system, &origin, &self.issuer_path, ISSUER_SET_DEPTH);
        system.enforce_equal(&root, &issuer_root);

        system.region("revocation");
        let root = not_revoked(system, &handle, &self.gap);
        system.enforce_equal(&root, &revocation_root);

        system.region("validity");
        compare::at_most(system, &not_before, &epoch_start);
        compare::at_most(system, &valid_until, &not_after);

        let mut picks = Lc::constant(Fr::ZERO);
        for (position, (wires, operand)) in predicates.iter().zip(&operands).enumerate() {
            system.region("any-of");
            let picked = system.boolean("pick", self.picked == Some(position));
            system.enforce(
                &picked,
                &(&Lc::constant(Fr::ONE) - &wires.any_of),
                &Lc::constant(Fr::ZERO),
            );
            picks = &picks + &picked;
            // 1 if the predicate is required, or in the group and picked.
            let enforced = &(&Lc::constant(Fr::ONE) - &wires.any_of) + &picked;
            wires.range(system, operand, &enforced);
            wires.not_equal(system, operand, &enforced);
            if let (Some(member), Some(root)) = (&wires.member, value_roots.get(position)) {
                let path = self.value_paths.get(position).and_then(Option::as_ref);
                membership(system, operand, path, member, root, &enforced);
            }
        }
        system.region("any-of");
        system.enforce_equal(&picks, &group);
    }
}

constraint_synthesizer!(PolicyWitness);

/// low < handle < next, strictly; the root of the tree that the leaf (low, next) is in.
pub(crate) fn not_revoked(system: &mut System, handle: &Lc, gap: &NonMembership) -> Lc {
    let [low, next] =
        [Fr::from(gap.low), gap.next_field()].map(|end| system.hint("end of a gap", end));
    compare::strictly_between(system, &low, handle, &next);
    let leaf = poseidon::hash(system, &[low, next]);
    merkle::root(system, &leaf, &gap.path, REVOCATION_DEPTH)
}

/// One predicate's public inputs.
pub(crate) struct PredicateWires {
    pub(crate) low: Lc,
    pub(crate) span: Lc,
    pub(crate) range: Lc,
    pub(crate) not_equal: Lc,
    pub(crate) any_of: Lc,
    pub(crate) member: Option<Lc>,
}

impl PredicateWires {
    /// g = enforced·range; g·(o − low) and g·span − g·(o − low) both in \[0, 2^64). Where g = 0 both are 0. Two differences
    /// in \[0, 2^64) that add up to the span leave no room for a wrap-around, so this is sound even if o is a string's
    /// hash, and with span 0 it is o = low.
    pub(crate) fn range(&self, system: &mut System, operand: &Lc, enforced: &Lc) {
        system.region("range");
        let gate = system.product(enforced, &self.range);
        let above = system.product(&gate, &(operand - &self.low));
        let span = system.product(&gate, &self.span);
        compare::within(system, &above, &span);
    }

    /// g = enforced·not_equal; (o − low)(o − absent)·y = g, y·(1 − g) = 0. With g = 1 the product has an inverse, so it is not 0;
    /// with g = 0 the hint y is 0 and nothing is asked.
    pub(crate) fn not_equal(&self, system: &mut System, operand: &Lc, enforced: &Lc) {
        system.region("not equal");
        let gate = system.product(enforced, &self.not_equal);
        let product = system.product(&(operand - &self.low), &(operand - absent()));
        let inverse = product.value().inverse().unwrap_or_default();
        let hint = system.hint("inverse of ≠", gate.value() * inverse);
        system.enforce(&product, &hint, &gate);
        system.enforce(
            &hint,
            &(&Lc::constant(Fr::ONE) - &gate),
            &Lc::constant(Fr::ZERO),
        );
    }
}

/// g = enforced·member; g·(root of the operand's path − root) = 0. Where g = 0 the path is any: the prover makes one of
/// copies of the operand.
pub(crate) fn membership(
    system: &mut System,
    operand: &Lc,
    path: Option<&Path>,
    member: &Lc,
    root: &Lc,
    enforced: &Lc,
) {
    system.region("value set");
    let gate = system.product(enforced, member);
    let any;
    let path = match path {
        Some(path) => path,
        None => {
            any = copies(operand.value());
            &any
        }
    };
    let top = merkle::root(system, operand, path, VALUE_SET_DEPTH);
    system.enforce(&gate, &(&top - root), &Lc::constant(Fr::ZERO));
}

/// A path from a leaf in a tree of nothing but its copies.
fn copies(leaf: Fr) -> Path {
    let nodes = std::iter::successors(Some(leaf), |node| {
        Some(native_poseidon::hash(&[*node; ARITY]))
    });
    Path {
        families: nodes
            .take(VALUE_SET_DEPTH)
            .map(|node| [node; ARITY])
            .collect(),
    }
}

impl Drop for PolicyWitness {
    fn drop(&mut self) {
        self.handle.zeroize();
        self.operands.zeroize();
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
