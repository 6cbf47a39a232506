//! Showing: re-randomize the stored proofs, hide their inputs, and tie everything together with one Schnorr proof, for one
//! context. Steps and letters are those of DESIGN 3.2 and `docs/spec/presentation.md`.

use ark_bn254::{Fr, G1Affine, G1Projective, g1, g2};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field, UniformRand, Zero};
use merlin::TranscriptRng;
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, Zeroizing};

use bauta_statement::additions::Lists;
use bauta_statement::context::Context;
use bauta_statement::credential::NativeCredential;
use bauta_statement::field;
use bauta_statement::group::{FixedG1, FixedG2};
use bauta_statement::policy::Policy;
use bauta_statement::presentation::{
    Disclosure, HiddenProof, MAX_DISCLOSURES, NULLIFIER_SLOTS, NullifierProof, Opening,
    POSSESSION_SLOTS, Presentation, Statement, Usage, policy_slots,
};
use bauta_statement::relation::{NullifierPublic, Relation};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::{AttributeValue, AttributeVector, Format, SECRET, SLOTS};

use crate::credential::Credential;
use crate::keys::{HidingKey, HolderKeys};
use crate::prove::RelationProof;

/// Why nothing can be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShowError {
    /// A stored proof is of another relation, or under another key.
    #[error("the stored {0} proof was made with other parameters; prepare again")]
    OtherKey(&'static str),
    /// No possession key for this format.
    #[error("there are no parameters for {0:?} credentials; fetch them")]
    Format(Format),
    /// An X.509 credential with a nullifier.
    #[error("{0:?} credentials have no nullifiers; enrol for a native credential")]
    FormatUnderScope(Format),
    /// The nullifier proof's public inputs are not those of a nullifier.
    #[error("the stored nullifier proof is damaged; prepare again")]
    Use,
    /// A slot that is no attribute of the credential, or named twice.
    #[error("slot {0} cannot be disclosed; the policy names it wrongly")]
    Slot(usize),
}

/// A credential, of whatever format, read into its vector.
#[derive(Clone)]
pub struct Holding {
    /// The format.
    pub format: Format,
    /// The vector; slot 1 is the holder secret.
    pub vector: AttributeVector,
    /// The attributes behind slots 5..=15, which openings carry.
    pub attributes: Vec<AttributeValue>,
}

impl From<&Credential> for Holding {
    fn from(credential: &Credential) -> Self {
        Self {
            format: credential.format(),
            vector: credential.vector(),
            attributes: credential.attributes(),
        }
    }
}

impl From<&NativeCredential> for Holding {
    fn from(credential: &NativeCredential) -> Self {
        Self {
            format: Format::Native,
            vector: credential.vector(),
            attributes: credential.issued().attributes.to_vec(),
        }
    }
}

impl Holding {
    fn attribute(&self, slot: usize) -> Option<&AttributeValue> {
        slot.checked_sub(bauta_statement::vector::FIRST_ATTRIBUTE)
            .and_then(|index| self.attributes.get(index))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.vector.0.zeroize();
    }
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holding")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// What the policy says of the vector's slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMap {
    /// The slot of each predicate's operand.
    pub operands: [Option<usize>; 4],
    /// The slots to disclose, in the policy's order.
    pub disclosed: Vec<usize>,
}

impl From<&Policy> for SlotMap {
    fn from(policy: &Policy) -> Self {
        Self {
            operands: policy.slot_map(),
            disclosed: policy
                .disclose
                .iter()
                .map(|one| usize::from(one.slot))
                .collect(),
        }
    }
}

/// A stored proof with what does not change from show to show.
struct Ready {
    relation: Relation,
    slots: Vec<Option<usize>>,
    a: FixedG1,
    b: FixedG2,
    c: G1Affine,
    /// Σ hᵢLᵢ over the hidden inputs.
    hidden: G1Affine,
}

/// Everything ready to be shown for one policy in one epoch, and for one use of its scope if it has one.
pub struct Prepared {
    holding: Holding,
    slots: SlotMap,
    policy_inputs: Vec<Fr>,
    used: Option<(NullifierPublic, Ready)>,
    possession: Ready,
    policy: Ready,
}

/// Without the stored proofs and Σ hᵢLᵢ, against which guesses of the hidden inputs can be tested.
impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Puts a credential and its stored proofs together. `used` is the nullifier proof of the next free counter, if and only
    /// if the policy has a scope.
    pub fn new(
        keys: &HolderKeys,
        holding: Holding,
        possession: &RelationProof,
        policy: &RelationProof,
        used: Option<&RelationProof>,
        slots: SlotMap,
    ) -> Result<Self, ShowError> {
        let possession_key = keys
            .possession(holding.format)
            .ok_or(ShowError::Format(holding.format))?;
        if used.is_some() && holding.format != Format::Native {
            return Err(ShowError::FormatUnderScope(holding.format));
        }
        for (position, slot) in slots.disclosed.iter().enumerate() {
            let again = slots
                .disclosed
                .iter()
                .skip(position + 1)
                .any(|other| other == slot);
            if again || position >= MAX_DISCLOSURES || holding.attribute(*slot).is_none() {
                return Err(ShowError::Slot(*slot));
            }
        }
        let ready =
            |name, relation, key: &HidingKey, proof: &RelationProof, slots: &[Option<usize>]| {
                if proof.relation != relation || proof.key != key.digest {
                    return Err(ShowError::OtherKey(name));
                }
                Ok(Ready {
                    relation,
                    slots: slots.to_vec(),
                    a: keys.tables.g1(proof.a),
                    b: keys.tables.g2(proof.b),
                    c: proof.c,
                    hidden: combine(key, slots, &holding.vector.0).into_affine(),
                })
            };
        let used = used
            .map(|proof| {
                let ready = ready(
                    "nullifier",
                    Relation::Nullifier,
                    &keys.nullifier,
                    proof,
                    &NULLIFIER_SLOTS,
                )?;
                Ok((
                    nullifier_public(&proof.public).ok_or(ShowError::Use)?,
                    ready,
                ))
            })
            .transpose()?;
        Ok(Self {
            possession: ready(
                "possession",
                Relation::possession(holding.format).ok_or(ShowError::Format(holding.format))?,
                possession_key,
                possession,
                &POSSESSION_SLOTS,
            )?,
            policy: ready(
                "policy",
                Relation::Policy,
                &keys.policy,
                policy,
                &policy_slots(&slots.operands),
            )?,
            policy_inputs: policy.public.clone(),
            used,
            slots,
            holding,
        })
    }

    /// The nullifier that a show will carry.
    pub fn nullifier(&self) -> Option<&NullifierPublic> {
        self.used.as_ref().map(|(public, _)| public)
    }

    /// What will be shown, but for the context.
    fn statement(&self, keys: &HolderKeys) -> Result<Statement, ShowError> {
        let possession = keys
            .possession(self.holding.format)
            .ok_or(ShowError::Format(self.holding.format))?;
        let mut digests = vec![possession.digest, keys.policy.digest];
        if self.used.is_some() {
            digests.push(keys.nullifier.digest);
        }
        Ok(Statement {
            format: self.holding.format,
            keys: digests,
            operands: self.slots.operands,
            disclosed: self.slots.disclosed.clone(),
            policy_inputs: self.policy_inputs.clone(),
            usage: self.nullifier().map(|public| Usage {
                scope: public.scope,
                bound: public.bound,
            }),
        })
    }

    /// A presentation for `context`, and the openings of what the policy asks to disclose. Make one when it is asked for, never
    /// in stock; each call draws fresh randomness, keyed by the whole context, by the stored proofs and by the vector.
    pub fn show(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        keys: &HolderKeys,
        context: &Context,
    ) -> Result<(Presentation, Vec<Opening>), ShowError> {
        let statement = self.statement(keys)?;
        let nullifier = self.nullifier().map(|public| public.nullifier);
        let transcript = PresentationTranscript::new(&statement, nullifier.as_ref(), context);
        let proofs = [&self.possession, &self.policy]
            .into_iter()
            .chain(self.used.iter().map(|(_, ready)| ready))
            .map(|ready| (*ready.a.point(), *ready.b.point(), ready.c));
        let mut rng = transcript.show_rng(proofs, &self.holding.vector.0, rng);
        self.show_with(&mut rng, keys, transcript)
    }

    /// Not generic, so that it is compiled here, where development builds are optimised too.
    fn show_with(
        &self,
        rng: &mut TranscriptRng,
        keys: &HolderKeys,
        transcript: PresentationTranscript,
    ) -> Result<(Presentation, Vec<Opening>), ShowError> {
        let possession_key = keys
            .possession(self.holding.format)
            .ok_or(ShowError::Format(self.holding.format))?;
        let nullifier = self.nullifier().map(|public| public.nullifier);
        let vector = &self.holding.vector.0;

        // The first messages' secrets: one mask per slot, common to all relations and commitments.
        let masks: Zeroizing<[Fr; SLOTS]> = Zeroizing::new(std::array::from_fn(|_| Fr::rand(rng)));
        // Everything is a sum of entries of tables; all sums are taken together.
        let capacity = 64 * keys.generator.points_per_multiple();
        let mut sums = Sums {
            g1: Lists::with_capacity(capacity),
            g2: Lists::with_capacity(capacity / 8),
        };
        let mut hidings = Vec::with_capacity(3);
        let (possession, policy) = (&self.possession, &self.policy);
        hidings.push(sums.hide(rng, keys, possession_key, possession, &masks));
        hidings.push(sums.hide(rng, keys, &keys.policy, policy, &masks));
        if let Some((_, ready)) = &self.used {
            hidings.push(sums.hide(rng, keys, &keys.nullifier, ready, &masks));
        }
        let mut commitments = Vec::with_capacity(self.slots.disclosed.len());
        for slot in &self.slots.disclosed {
            let (Some(value), Some(mask)) = (vector.get(*slot), masks.get(*slot)) else {
                return Err(ShowError::Slot(*slot));
            };
            commitments.push(sums.commit(rng, keys, value, mask));
        }
        let points = sums.g1.sums();
        let b = sums.g2.sums();
        let mut points = points.into_iter();
        let mut next = || points.next().unwrap_or_default();
        let mut proofs = Vec::with_capacity(3);
        for b in b {
            proofs.push(HiddenProof {
                a: next(),
                b,
                c: next(),
                v: next(),
                t: next(),
                z_response: Fr::ZERO,
            });
        }
        let disclosures = commitments
            .iter()
            .map(|_| Disclosure {
                commitment: next(),
                first_message: next(),
                blinding_response: Fr::ZERO,
            })
            .collect();
        let mut proofs = proofs.into_iter();
        let (Some(possession), Some(policy)) = (proofs.next(), proofs.next()) else {
            return Err(ShowError::OtherKey("possession"));
        };
        let mut presentation = Presentation {
            format: self.holding.format,
            possession,
            policy,
            nullifier: nullifier
                .zip(proofs.next())
                .map(|(nullifier, proof)| NullifierProof { nullifier, proof }),
            disclosures,
            responses: [Fr::ZERO; SLOTS],
        };

        // Responses: mask + challenge · secret.
        let challenge = transcript.challenge(&presentation).challenge();
        for ((response, mask), value) in presentation
            .responses
            .iter_mut()
            .zip(masks.iter())
            .zip(vector)
        {
            *response = *mask + challenge * value;
        }
        let mut hidings = hidings.into_iter();
        let mut z_response = || {
            hidings
                .next()
                .map_or(Fr::ZERO, |h| h.z_mask + challenge * h.z)
        };
        presentation.possession.z_response = z_response();
        presentation.policy.z_response = z_response();
        if let Some(used) = &mut presentation.nullifier {
            used.proof.z_response = z_response();
        }
        let mut openings = Vec::with_capacity(commitments.len());
        for ((disclosure, secret), slot) in presentation
            .disclosures
            .iter_mut()
            .zip(&commitments)
            .zip(&self.slots.disclosed)
        {
            disclosure.blinding_response = secret.blinding_mask + challenge * secret.blinding;
            openings.push(Opening {
                slot: u8::try_from(*slot).map_err(|_| ShowError::Slot(*slot))?,
                value: self
                    .holding
                    .attribute(*slot)
                    .cloned()
                    .ok_or(ShowError::Slot(*slot))?,
                blinding: secret.blinding,
            });
        }
        Ok((presentation, openings))
    }
}

/// The secrets that a hidden proof's response needs.
struct Hiding {
    z: Fr,
    z_mask: Fr,
}

impl Drop for Hiding {
    fn drop(&mut self) {
        self.z.zeroize();
        self.z_mask.zeroize();
    }
}

/// The secrets that a commitment's response and opening need.
struct Commitment {
    blinding: Fr,
    blinding_mask: Fr,
}

impl Drop for Commitment {
    fn drop(&mut self) {
        self.blinding.zeroize();
        self.blinding_mask.zeroize();
    }
}

/// The points of a presentation as sums: in G1 A', C'', V, T of each proof, then D and T_D of each disclosure; in G2 each B'.
struct Sums {
    g1: Lists<g1::Config>,
    g2: Lists<g2::Config>,
}

impl Sums {
    fn hide(
        &mut self,
        rng: &mut TranscriptRng,
        keys: &HolderKeys,
        key: &HidingKey,
        ready: &Ready,
        masks: &[Fr; SLOTS],
    ) -> Hiding {
        debug_assert!(key.hidden.len() == ready.relation.hidden_inputs());
        let (r1, r1_inverse) = loop {
            let r1 = Fr::rand(rng);
            if let Some(inverse) = r1.inverse() {
                break (Zeroizing::new(r1), Zeroizing::new(inverse));
            }
        };
        let r2 = Zeroizing::new(Fr::rand(rng));
        let (z, z_mask) = (Fr::rand(rng), Fr::rand(rng));
        let Self { g1, g2 } = self;
        // A'
        ready.a.push_multiple(g1, &r1_inverse);
        g1.close();
        // C''
        ready.a.push_multiple(g1, &r2);
        g1.push(ready.c);
        keys.generator.push_multiple(g1, &-z);
        g1.close();
        // V
        g1.push(ready.hidden);
        key.delta_g1.push_multiple(g1, &z);
        g1.close();
        // T
        for (base, slot) in key.hidden.iter().zip(&ready.slots) {
            if let Some(mask) = slot.and_then(|slot| masks.get(slot)) {
                base.push_multiple(g1, mask);
            }
        }
        key.delta_g1.push_multiple(g1, &z_mask);
        g1.close();
        // B'
        ready.b.push_multiple(g2, &r1);
        key.delta_g2.push_multiple(g2, &Zeroizing::new(*r1 * *r2));
        g2.close();
        Hiding { z, z_mask }
    }

    fn commit(
        &mut self,
        rng: &mut TranscriptRng,
        keys: &HolderKeys,
        value: &Fr,
        mask: &Fr,
    ) -> Commitment {
        let (blinding, blinding_mask) = (Fr::rand(rng), Fr::rand(rng));
        for (value, blinding) in [(value, &blinding), (mask, &blinding_mask)] {
            keys.disclosure_value.push_multiple(&mut self.g1, value);
            keys.disclosure_blinding
                .push_multiple(&mut self.g1, blinding);
            self.g1.close();
        }
        Commitment {
            blinding,
            blinding_mask,
        }
    }
}

/// Σ x[slot]·L over the hidden inputs; an input without a slot is zero.
fn combine(key: &HidingKey, slots: &[Option<usize>], vector: &[Fr; SLOTS]) -> G1Projective {
    let mut sum = G1Projective::zero();
    for (base, slot) in key.hidden.iter().zip(slots) {
        if let Some(value) = slot.and_then(|slot| vector.get(slot)) {
            base.add_multiple(&mut sum, value);
        }
    }
    sum
}

/// Nullifier, scope and bound of a nullifier proof's public inputs.
fn nullifier_public(inputs: &[Fr]) -> Option<NullifierPublic> {
    let &[nullifier, scope, bound] = inputs else {
        return None;
    };
    let public = NullifierPublic {
        nullifier,
        scope,
        bound: u32::try_from(field::low_u64(&bound)).ok()?,
    };
    (public.to_inputs() == inputs).then_some(public)
}

/// The hidden inputs of a relation, as the slot map reads them from a vector: what a witness must have been made with.
pub fn hidden_inputs(
    relation: Relation,
    operands: &[Option<usize>; 4],
    vector: &AttributeVector,
) -> Vec<Fr> {
    let slots = match relation {
        Relation::Policy => policy_slots(operands).to_vec(),
        Relation::Nullifier => vec![Some(SECRET)],
        _ => POSSESSION_SLOTS.to_vec(),
    };
    slots
        .into_iter()
        .map(|slot| slot.map_or(Fr::ZERO, |slot| vector.get(slot)))
        .collect()
}
