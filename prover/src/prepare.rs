//! From what a wallet holds and fetches to the witnesses of the relations. Nothing here proves; [`crate::prove`] does, and
//! names what does not hold.

use bauta_circuits::policy::PolicyWitness;
use bauta_circuits::possession::native::NativeWitness;
use bauta_statement::credential::NativeCredential;
use bauta_statement::field::{Fr, low_u64};
use bauta_statement::policy::{Policy, Test};
use bauta_statement::presentation::policy_slots;
use bauta_statement::relation::{MEMBER_PREDICATES, Mode, PolicyPublic};
use bauta_statement::tree::{QuaternaryTree, RevocationTree, VALUE_SET_DEPTH};
use bauta_statement::vector::{AttributeVector, HANDLE, NOT_AFTER, NOT_BEFORE, ORIGIN};

/// Why there is no witness for the policy relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The issuer set does not have the credential's origin.
    #[error(
        "the policy does not accept this credential's issuer and schema; use a credential of an accepted issuer"
    )]
    Issuer,
    /// The handle is in the revocation tree.
    #[error("the credential is revoked; enrol again, or have another certificate issued")]
    Revoked,
    /// No alternative of the any-of group holds.
    #[error(
        "none of the policy's alternatives holds for this credential; it does not satisfy the policy"
    )]
    AnyOf,
}

/// The witness of possession.
pub fn native_witness(credential: &NativeCredential) -> NativeWitness {
    let issued = credential.issued();
    NativeWitness {
        vector: credential.vector(),
        issuer_key: issued.issuer,
        signature: issued.signature,
        blinding: credential.holder().blinding,
        schema_rule: issued.rule,
    }
}

/// [`policy_witness`] for a policy in words: slots and value sets are the policy's.
///
/// # Errors
/// [`PrepareError`].
pub fn satisfies(
    vector: &AttributeVector,
    policy: &Policy,
    public: &PolicyPublic,
    issuers: &QuaternaryTree,
    revoked: &RevocationTree,
) -> Result<PolicyWitness, PrepareError> {
    let sets = policy
        .places()
        .map(|place| match place.map(|predicate| &predicate.test) {
            Some(Test::OneOf(values)) => {
                let members: Vec<_> = values.iter().map(|value| value.to_field()).collect();
                QuaternaryTree::of_members(&members, VALUE_SET_DEPTH).ok()
            }
            _ => None,
        });
    let [first, second, ..] = &sets;
    policy_witness(
        vector,
        &policy.slot_map(),
        public,
        issuers,
        revoked,
        [first.as_ref(), second.as_ref()],
    )
}

/// The witness that a vector satisfies a policy: its places in the issuer set, the revocation tree and the value sets of
/// predicates 0 and 1 where they ask membership, and the first alternative of the any-of group that holds. Which one it is
/// stays hidden.
pub fn policy_witness(
    vector: &AttributeVector,
    operands: &[Option<usize>; 4],
    public: &PolicyPublic,
    issuers: &QuaternaryTree,
    revoked: &RevocationTree,
    value_sets: [Option<&QuaternaryTree>; MEMBER_PREDICATES],
) -> Result<PolicyWitness, PrepareError> {
    let origin = vector.get(ORIGIN);
    let value = |slot: Option<usize>| slot.map_or_else(|| Fr::from(0u64), |slot| vector.get(slot));
    let [_, _, _, _, first, second, third, fourth] = policy_slots(operands).map(value);
    let values = [first, second, third, fourth];
    let issuer_path = issuers
        .position(origin)
        .and_then(|index| issuers.path(index))
        .ok_or(PrepareError::Issuer)?;
    let handle = vector.get(HANDLE);
    let gap = revoked
        .witness(low_u64(&handle))
        .ok_or(PrepareError::Revoked)?;
    let [set_0, set_1] = value_sets;
    let path = |set: Option<&QuaternaryTree>, value: Fr| {
        set.and_then(|set| set.path(set.position(value)?))
    };
    let mut witness = PolicyWitness {
        origin,
        not_before: vector.get(NOT_BEFORE),
        not_after: vector.get(NOT_AFTER),
        handle,
        operands: values,
        issuer_path,
        gap,
        value_paths: [path(set_0, first), path(set_1, second)],
        picked: None,
        public: *public,
    };
    let alternatives: Vec<_> = public
        .predicates()
        .iter()
        .enumerate()
        .filter(|(_, predicate)| predicate.mode == Mode::AnyOf)
        .map(|(position, _)| position)
        .collect();
    witness.picked = alternatives
        .iter()
        .copied()
        .find(|position| witness.holds(*position));
    if witness.picked.is_none() && !alternatives.is_empty() {
        return Err(PrepareError::AnyOf);
    }
    Ok(witness)
}
