//! Checks presentations. [`verify`] is the one place where a [`VerifiedClaim`] is made; its equation, for one and for many,
//! is in [`crate::batch`].

use std::sync::Arc;

use ark_bn254::{Fr, G1Affine};

use bauta_statement::context::Context;
use bauta_statement::presentation::{
    DecodeError, MAX_DISCLOSURES, Opening, OpeningError, Presentation, Statement, Usage,
};
use bauta_statement::relation::{PolicyPublic, PredicateTest, Relation};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::{FIRST_ATTRIBUTE, Format, SLOTS};

use crate::batch::{check, outside_subgroup};
use crate::keys::{Keys, RelationKey};

/// Why a presentation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a presentation.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The policy does not take this credential format.
    #[error(
        "the policy does not accept {0:?} credentials; present a credential of a format it names"
    )]
    Format(Format),
    /// An X.509 format under a policy with a scope, where no nullifier can be sound.
    #[error(
        "{0:?} credentials cannot be counted, and this policy counts uses; enrol for a native credential"
    )]
    FormatUnderScope(Format),
    /// The verifier was called with a scope for a policy that has none, or without one for a policy that has one.
    #[error(
        "scope and policy do not go together; give scope and bound if and only if the policy counts uses"
    )]
    Usage,
    /// The policy has a scope, and there is no nullifier.
    #[error(
        "the policy counts uses and the presentation has no nullifier; show again for this policy"
    )]
    NullifierMissing,
    /// There is a nullifier, and the policy has no scope.
    #[error(
        "the presentation has a nullifier and the policy counts no uses; show again for this policy"
    )]
    NullifierUnasked,
    /// Another number of disclosures than the policy asks.
    #[error(
        "the policy asks {expected} disclosures and the presentation has {found}; show again for this policy"
    )]
    Disclosures {
        /// Disclosures that the policy asks.
        expected: usize,
        /// Disclosures found.
        found: usize,
    },
    /// The equation does not hold: a forged or altered presentation, or one for another context, policy or epoch.
    #[error(
        "the presentation does not prove its claim in this context; show again, for this challenge and this key"
    )]
    Unproven,
}

/// Why a policy's shape is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No key for a format that the policy names.
    #[error(
        "there are no parameters for {0:?} credentials; install them or take the format out of the policy"
    )]
    Format(Format),
    /// A policy that no credential satisfies.
    #[error(
        "the policy accepts no credential format that it could verify; X.509 formats go with policies without a scope"
    )]
    NoFormat,
    /// A slot outside 5..=15, or disclosed twice, or too many.
    #[error(
        "slot {0} cannot be read or disclosed; policies read slots 5 to 15, and disclose each once"
    )]
    Slot(usize),
    /// A predicate without an operand, which the constant zero would stand for; or an operand without a predicate.
    #[error(
        "predicate {0} and its operand do not go together; name a slot for each predicate, and none without one"
    )]
    Operand(usize),
    /// The public inputs do not fit the relation.
    #[error(
        "the policy's public inputs do not fit the policy relation; use the parameters that the policy names"
    )]
    Inputs,
}

/// A policy in an epoch, prepared to verify many presentations. Made once per policy and epoch (about 1 ms).
#[derive(Debug)]
pub struct PolicyContext {
    pub(crate) keys: Arc<Keys>,
    formats: Vec<Format>,
    operands: [Option<usize>; 4],
    disclosed: Vec<usize>,
    policy_inputs: Vec<Fr>,
    /// L₀ + Σ pₖLₖ of the policy relation.
    pub(crate) policy_known: G1Affine,
    scoped: bool,
}

impl PolicyContext {
    /// Prepares a policy in an epoch.
    ///
    /// `formats` are the credential formats it accepts; X.509 ones are dropped if it is `scoped`. `operands` is the slot of
    /// each predicate's operand, `disclosed` the slots that it asks to disclose, in its order.
    pub fn new(
        keys: Arc<Keys>,
        formats: &[Format],
        operands: [Option<usize>; 4],
        disclosed: Vec<usize>,
        public: &PolicyPublic,
        scoped: bool,
    ) -> Result<Self, PolicyError> {
        let formats: Vec<_> = formats
            .iter()
            .copied()
            .filter(|format| *format == Format::Native || !scoped)
            .collect();
        if formats.is_empty() {
            return Err(PolicyError::NoFormat);
        }
        if let Some(unknown) = formats
            .iter()
            .find(|format| keys.possession(**format).is_none())
        {
            return Err(PolicyError::Format(*unknown));
        }
        for slot in operands.iter().flatten().chain(&disclosed) {
            if !(FIRST_ATTRIBUTE..SLOTS).contains(slot) {
                return Err(PolicyError::Slot(*slot));
            }
        }
        for (position, (predicate, operand)) in
            public.predicates().iter().zip(&operands).enumerate()
        {
            if (predicate.test == PredicateTest::None) != operand.is_none() {
                return Err(PolicyError::Operand(position));
            }
        }
        for (position, slot) in disclosed.iter().enumerate() {
            if disclosed
                .iter()
                .skip(position + 1)
                .any(|other| other == slot)
                || position >= MAX_DISCLOSURES
            {
                return Err(PolicyError::Slot(*slot));
            }
        }
        let policy_inputs = public.to_inputs();
        let policy_known = keys
            .policy
            .verifying
            .known_part(Relation::Policy.hidden_inputs(), &policy_inputs)
            .ok_or(PolicyError::Inputs)?;
        Ok(Self {
            keys,
            formats,
            operands,
            disclosed,
            policy_inputs,
            policy_known,
            scoped,
        })
    }

    /// The formats of credentials that the policy takes.
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// Whether the policy counts uses, so that presentations carry a nullifier.
    pub fn scoped(&self) -> bool {
        self.scoped
    }

    /// The slots that the policy asks to disclose, in its order.
    pub fn disclosed(&self) -> &[usize] {
        &self.disclosed
    }

    /// The statement of a presentation of this format; what the holder must have built too.
    pub fn statement(&self, format: Format, usage: Option<Usage>) -> Option<Statement> {
        let mut keys = vec![
            self.keys.possession_digest(format)?,
            self.keys.policy_digest(),
        ];
        if usage.is_some() {
            keys.push(self.keys.nullifier_digest());
        }
        Some(Statement {
            format,
            keys,
            operands: self.operands,
            disclosed: self.disclosed.clone(),
            policy_inputs: self.policy_inputs.clone(),
            usage,
        })
    }

    pub(crate) fn operands(&self) -> &[Option<usize>; 4] {
        &self.operands
    }
}

/// A presentation to verify, and what it is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The policy in its epoch.
    pub policy: &'a PolicyContext,
    /// The context, rebuilt from what the verifier knows.
    pub context: &'a Context,
    /// The presentation.
    pub presentation: &'a Presentation,
    /// Scope and bound, computed by the verifier, if and only if the policy counts uses.
    pub usage: Option<Usage>,
}

/// What a verified presentation says. Made by [`verify`] and [`crate::batch::verify_batch`] alone: it cannot be made of
/// parts, cloned or decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedClaim {
    format: Format,
    context: Context,
    nullifier: Option<Fr>,
    disclosed: Vec<(usize, G1Affine)>,
}

impl VerifiedClaim {
    /// The credential's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The context that the presentation is bound to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The nullifier, if the policy has a scope.
    pub fn nullifier(&self) -> Option<&Fr> {
        self.nullifier.as_ref()
    }

    /// Slots whose values can be opened, in the policy's order.
    pub fn disclosed(&self) -> impl Iterator<Item = usize> + '_ {
        self.disclosed.iter().map(|(slot, _)| *slot)
    }

    /// Checks that `openings` are exactly those of the disclosed slots, in order, and open their commitments.
    pub fn open(&self, openings: &[Opening]) -> Result<(), OpeningError> {
        if openings.len() != self.disclosed.len() {
            return Err(OpeningError::Slots);
        }
        for (opening, (slot, commitment)) in openings.iter().zip(&self.disclosed) {
            if usize::from(opening.slot) != *slot {
                return Err(OpeningError::Slots);
            }
            if !opening.opens(commitment) {
                return Err(OpeningError::Mismatch(opening.slot));
            }
        }
        Ok(())
    }
}

/// An item whose shape fits its policy, with its challenge drawn.
pub(crate) struct Examined<'a> {
    pub(crate) item: Item<'a>,
    pub(crate) possession: &'a RelationKey,
    pub(crate) challenge: Fr,
    pub(crate) seed: [u8; 32],
}

impl<'a> Examined<'a> {
    /// Checks all that needs no pairing.
    pub(crate) fn new(item: Item<'a>) -> Result<Self, Refusal> {
        let Item {
            policy,
            context,
            presentation,
            usage,
        } = item;
        let format = presentation.format;
        if policy.scoped && format != Format::Native {
            return Err(Refusal::FormatUnderScope(format));
        }
        if !policy.formats.contains(&format) {
            return Err(Refusal::Format(format));
        }
        if policy.scoped != usage.is_some() {
            return Err(Refusal::Usage);
        }
        match (policy.scoped, presentation.nullifier()) {
            (true, None) => return Err(Refusal::NullifierMissing),
            (false, Some(_)) => return Err(Refusal::NullifierUnasked),
            _ => {}
        }
        if presentation.disclosures.len() != policy.disclosed.len() {
            return Err(Refusal::Disclosures {
                expected: policy.disclosed.len(),
                found: presentation.disclosures.len(),
            });
        }
        let possession = policy
            .keys
            .possession(format)
            .ok_or(Refusal::Format(format))?;
        let statement = policy
            .statement(format, usage)
            .ok_or(Refusal::Format(format))?;
        let challenged = PresentationTranscript::new(&statement, presentation.nullifier(), context)
            .challenge(presentation);
        Ok(Self {
            item,
            possession,
            challenge: challenged.challenge(),
            seed: challenged.weight_seed(presentation),
        })
    }

    /// The claim. Call only after the equation was found to hold.
    pub(crate) fn claim(&self) -> VerifiedClaim {
        let Item {
            policy,
            context,
            presentation,
            ..
        } = self.item;
        VerifiedClaim {
            format: presentation.format,
            context: context.clone(),
            nullifier: presentation.nullifier().copied(),
            disclosed: policy
                .disclosed
                .iter()
                .copied()
                .zip(
                    presentation
                        .disclosures
                        .iter()
                        .map(|disclosure| disclosure.commitment),
                )
                .collect(),
        }
    }
}

/// Verifies one presentation. `usage` is scope and bound, which the verifier computes, if and only if the policy counts uses.
///
/// Pure: no randomness is asked for, the weights of its equations come from a hash of everything read. Each B' is tested to be
/// in G2 here, whatever its decoder tested.
pub fn verify(
    policy: &PolicyContext,
    context: &Context,
    presentation: &Presentation,
    usage: Option<Usage>,
) -> Result<VerifiedClaim, Refusal> {
    let examined = Examined::new(Item {
        policy,
        context,
        presentation,
        usage,
    })?;
    match check(&[&examined]) {
        Ok(true) => Ok(examined.claim()),
        Ok(false) => Err(Refusal::Unproven),
        Err(_) => Err(outside_subgroup()),
    }
}

/// [`verify`] from bytes.
pub fn verify_bytes(
    policy: &PolicyContext,
    context: &Context,
    presentation: &[u8],
    usage: Option<Usage>,
) -> Result<VerifiedClaim, Refusal> {
    let presentation = Presentation::decode_for_verifier(presentation)?;
    verify(policy, context, &presentation, usage)
}
