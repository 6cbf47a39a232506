//! The verifying keys of a parameter set, checked, and prepared once for any number of presentations: tables for the
//! bases that responses multiply, lines of the fixed G2 points, and e(α,β).

use std::sync::Arc;

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::{Pairing, PairingOutput};

use bauta_statement::group::{FixedG1, Pedersen};
use bauta_statement::relation::Relation;
use bauta_statement::vector::{Format, SLOTS};
use bauta_statement::verifying_key::{UnsafeKey, VerifyingKey};

use crate::pairing::Lines;

/// Bits of a table's window: 128 points for each of 32 windows, 0.25 MB a base, 7 MB in all.
const WINDOW: usize = 8;

/// Why verifying keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// One key is unsafe or not its relation's.
    #[error("the verifying key of {relation} is refused: {source}")]
    Unsafe {
        /// The relation.
        relation: &'static str,
        /// What is wrong.
        source: UnsafeKey,
    },
    /// The keys do not belong together.
    #[error(transparent)]
    Set(#[from] UnsafeKey),
    /// There is no possession key, or two of one format.
    #[error("exactly one possession key per credential format is needed; name each format once")]
    Formats,
}

/// One relation's key, prepared.
#[derive(Debug)]
pub(crate) struct RelationKey {
    pub(crate) digest: [u8; 32],
    pub(crate) verifying: VerifyingKey,
    /// L₀ and the L of inputs whose coefficients change with each presentation.
    pub(crate) l: Vec<FixedG1>,
    pub(crate) delta_g1: FixedG1,
    pub(crate) delta_g2: Lines,
}

impl RelationKey {
    /// `tabled` is the number of L-points, from L₀, that get tables.
    fn new(verifying: VerifyingKey, tabled: usize) -> Self {
        let table = |point: &G1Affine| FixedG1::with_table(*point, WINDOW);
        Self {
            digest: verifying.digest(),
            l: verifying.l.iter().take(tabled).map(table).collect(),
            delta_g1: table(&verifying.delta_g1),
            delta_g2: Lines::new(&verifying.delta_g2),
            verifying,
        }
    }
}

/// A parameter set's verifying keys, checked and prepared. Made once per process (about 0.1 s) and shared.
#[derive(Debug)]
pub struct Keys {
    pub(crate) possession: Vec<(Format, RelationKey)>,
    pub(crate) policy: RelationKey,
    pub(crate) nullifier: RelationKey,
    /// e(α,β), common to all relations.
    pub(crate) alpha_beta: PairingOutput<Bn254>,
    pub(crate) generator_g2: Lines,
    pub(crate) disclosure_value: FixedG1,
    pub(crate) disclosure_blinding: FixedG1,
}

impl Keys {
    /// Checks each key by itself ([`VerifyingKey::validate`]) and that they are of one set, then prepares them.
    pub fn new(
        possession: Vec<(Format, VerifyingKey)>,
        policy: VerifyingKey,
        nullifier: VerifyingKey,
    ) -> Result<Arc<Self>, KeysError> {
        for (position, (format, key)) in possession.iter().enumerate() {
            if possession
                .iter()
                .skip(position + 1)
                .any(|(other, _)| other == format)
            {
                return Err(KeysError::Formats);
            }
            check("possession", key, SLOTS)?;
        }
        for (relation, key) in [
            (Relation::Policy, &policy),
            (Relation::Nullifier, &nullifier),
        ] {
            check(relation.name(), key, relation.key_points() - 1)?;
        }
        if possession.is_empty() {
            return Err(KeysError::Formats);
        }
        let all: Vec<_> = possession
            .iter()
            .map(|(_, key)| key)
            .chain([&policy, &nullifier])
            .collect();
        VerifyingKey::of_one_set(&all)?;
        let generators = Pedersen::get();
        Ok(Arc::new(Self {
            alpha_beta: Bn254::pairing(policy.alpha_g1, policy.beta_g2),
            possession: possession
                .into_iter()
                .map(|(format, key)| (format, RelationKey::new(key, 1 + SLOTS)))
                .collect(),
            policy: RelationKey::new(policy, 1 + Relation::Policy.hidden_inputs()),
            nullifier: RelationKey::new(nullifier, Relation::Nullifier.key_points()),
            generator_g2: Lines::new(&G2Affine::generator()),
            disclosure_value: FixedG1::with_table(generators.value, WINDOW),
            disclosure_blinding: FixedG1::with_table(generators.blinding, WINDOW),
        }))
    }

    /// The possession key of a format.
    pub(crate) fn possession(&self, format: Format) -> Option<&RelationKey> {
        self.possession
            .iter()
            .find(|(known, _)| *known == format)
            .map(|(_, key)| key)
    }

    /// The formats that there is a possession key for.
    pub fn formats(&self) -> impl Iterator<Item = Format> + '_ {
        self.possession.iter().map(|(format, _)| *format)
    }

    /// Digest of a format's possession key.
    pub fn possession_digest(&self, format: Format) -> Option<[u8; 32]> {
        self.possession(format).map(|key| key.digest)
    }

    /// Digest of the policy relation's key.
    pub fn policy_digest(&self) -> [u8; 32] {
        self.policy.digest
    }

    /// Digest of the nullifier relation's key.
    pub fn nullifier_digest(&self) -> [u8; 32] {
        self.nullifier.digest
    }
}

fn check(relation: &'static str, key: &VerifyingKey, inputs: usize) -> Result<(), KeysError> {
    key.validate(inputs)
        .map_err(|source| KeysError::Unsafe { relation, source })
}
