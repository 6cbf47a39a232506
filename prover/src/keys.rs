//! The holder's keys: a relation's proving key, and the verifying keys that a show needs, each checked before use. A key
//! whose δ₁ is not δ₂'s, or whose γ is not the generator, would let whoever made it see through a show.

use std::marker::PhantomData;

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::AffineRepr;
/// A proving key as arkworks has it.
pub type ProvingKey = ark_groth16::ProvingKey<Bn254>;

use bauta_circuits::{Circuit, compiled};
use bauta_statement::group::{FixedG1, FixedG2, Pedersen};
use bauta_statement::relation::Relation;
use bauta_statement::vector::{Format, SLOTS};
use bauta_statement::verifying_key::{UnsafeKey, VerifyingKey};

/// Why keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// γ is not the generator of G2.
    #[error("the proving key of {0} has another γ than the generator; use a phase-2 parameter set")]
    Gamma(&'static str),
    /// The verifying key is unsafe.
    #[error("the key of {relation} is refused: {source}")]
    Unsafe {
        /// The relation.
        relation: &'static str,
        /// What is wrong.
        source: UnsafeKey,
    },
    /// The proving key was made for another constraint system.
    #[error(
        "the proving key of {0} was made for another version of the relation; fetch the matching parameters"
    )]
    OtherRelation(&'static str),
    /// Keys of two parameter sets, or two possession keys of one format.
    #[error("the verifying keys are not of one parameter set: {0}")]
    Set(#[from] UnsafeKey),
}

/// The verifying key of a proving key, in our own type. `None` if γ is not the generator.
pub fn verifying_key(key: &ProvingKey) -> Option<VerifyingKey> {
    (key.vk.gamma_g2 == G2Affine::generator()).then(|| VerifyingKey {
        alpha_g1: key.vk.alpha_g1,
        beta_g2: key.vk.beta_g2,
        delta_g1: key.delta_g1,
        delta_g2: key.vk.delta_g2,
        l: key.vk.gamma_abc_g1.clone(),
    })
}

/// A relation's proving key, checked.
pub struct Prover<C: Circuit> {
    pub(crate) proving: ProvingKey,
    pub(crate) verifying: VerifyingKey,
    pub(crate) digest: [u8; 32],
    circuit: PhantomData<fn(C)>,
}

impl<C: Circuit> Prover<C> {
    /// Checks the key: γ, δ, the number of inputs, and that it is as large as the constraint system.
    pub fn new(proving: ProvingKey) -> Result<Self, KeyError> {
        let relation = C::RELATION;
        let verifying = verifying_key(&proving).ok_or(KeyError::Gamma(relation.name()))?;
        validate(relation.name(), &verifying, relation.key_points() - 1)?;
        let shape = compiled::<C>();
        let columns = shape.instances + shape.witnesses;
        // Multi-scalar multiplication would silently cut off what is too long.
        let fits = proving.a_query.len() == columns
            && proving.b_g1_query.len() == columns
            && proving.b_g2_query.len() == columns
            && proving.l_query.len() == shape.witnesses
            && proving.h_query.len() + 1 == shape.size().next_power_of_two();
        if !fits {
            return Err(KeyError::OtherRelation(relation.name()));
        }
        Ok(Self {
            digest: verifying.digest(),
            verifying,
            proving,
            circuit: PhantomData,
        })
    }

    /// The verifying key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }
}

/// Whether fixed bases get tables: made in some 50 ms and 5 MB, they halve the time of each show. A program that shows
/// once does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// None: ready at once.
    None,
    /// Windows of six bits.
    Small,
}

impl Tables {
    pub(crate) fn g1(self, point: G1Affine) -> FixedG1 {
        match self {
            Self::None => FixedG1::plain(point),
            Self::Small => FixedG1::with_table(point, 6),
        }
    }

    pub(crate) fn g2(self, point: G2Affine) -> FixedG2 {
        match self {
            Self::None => FixedG2::plain(point),
            Self::Small => FixedG2::with_table(point, 6),
        }
    }
}

/// What a show needs of one verifying key.
#[derive(Debug)]
pub(crate) struct HidingKey {
    pub(crate) digest: [u8; 32],
    /// L of the hidden inputs.
    pub(crate) hidden: Vec<FixedG1>,
    pub(crate) delta_g1: FixedG1,
    pub(crate) delta_g2: FixedG2,
}

impl HidingKey {
    fn new(key: &VerifyingKey, hidden: usize, tables: Tables) -> Self {
        Self {
            digest: key.digest(),
            hidden: key
                .l
                .iter()
                .skip(1)
                .take(hidden)
                .map(|point| tables.g1(*point))
                .collect(),
            delta_g1: tables.g1(key.delta_g1),
            delta_g2: tables.g2(key.delta_g2),
        }
    }
}

/// The verifying keys of a parameter set as a holder uses them, checked.
#[derive(Debug)]
pub struct HolderKeys {
    possession: Vec<(Format, HidingKey)>,
    pub(crate) policy: HidingKey,
    pub(crate) nullifier: HidingKey,
    pub(crate) generator: FixedG1,
    pub(crate) disclosure_value: FixedG1,
    pub(crate) disclosure_blinding: FixedG1,
    pub(crate) tables: Tables,
}

impl HolderKeys {
    /// Checks every key and that they are of one set.
    pub fn new(
        possession: &[(Format, VerifyingKey)],
        policy: &VerifyingKey,
        nullifier: &VerifyingKey,
        tables: Tables,
    ) -> Result<Self, KeyError> {
        for (_, key) in possession {
            validate("possession", key, SLOTS)?;
        }
        for (relation, key) in [(Relation::Policy, policy), (Relation::Nullifier, nullifier)] {
            validate(relation.name(), key, relation.key_points() - 1)?;
        }
        let all: Vec<_> = possession
            .iter()
            .map(|(_, key)| key)
            .chain([policy, nullifier])
            .collect();
        VerifyingKey::of_one_set(&all)?;
        let generators = Pedersen::get();
        Ok(Self {
            possession: possession
                .iter()
                .map(|(format, key)| (*format, HidingKey::new(key, SLOTS, tables)))
                .collect(),
            policy: HidingKey::new(policy, Relation::Policy.hidden_inputs(), tables),
            nullifier: HidingKey::new(nullifier, Relation::Nullifier.hidden_inputs(), tables),
            generator: tables.g1(G1Affine::generator()),
            disclosure_value: tables.g1(generators.value),
            disclosure_blinding: tables.g1(generators.blinding),
            tables,
        })
    }

    pub(crate) fn possession(&self, format: Format) -> Option<&HidingKey> {
        self.possession
            .iter()
            .find(|(known, _)| *known == format)
            .map(|(_, key)| key)
    }
}

fn validate(relation: &'static str, key: &VerifyingKey, inputs: usize) -> Result<(), KeyError> {
    key.validate(inputs)
        .map_err(|source| KeyError::Unsafe { relation, source })
}
