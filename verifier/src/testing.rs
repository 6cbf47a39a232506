//! For tests: a holder that runs the protocol of `docs/spec/presentation.md` step by step, so that a test can cheat between
//! the steps, and a parameter set whose toxic waste is known, under which every statement has a proof. With the second, what
//! a test sees is the presentation protocol alone, not the circuits.
//!
//! Written apart from `prover/`, so that the two are held against each other. Shared by unit tests (as a module) and by
//! integration tests (by path).
#![allow(dead_code, reason = "each test binary uses a part of it")]

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, UniformRand, Zero};
use bauta_statement::context::Context;
use bauta_statement::group::Pedersen;
use bauta_statement::presentation::{
    Disclosure, HiddenProof, NULLIFIER_SLOTS, NullifierProof, POSSESSION_SLOTS, Presentation,
    Statement, policy_slots,
};
use bauta_statement::relation::Relation;
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::{Format, SLOTS};
use bauta_statement::verifying_key::VerifyingKey;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A Groth16 proof, as it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Proof {
    pub(crate) a: G1Affine,
    pub(crate) b: G2Affine,
    pub(crate) c: G1Affine,
}

/// k·G₁.
pub(crate) fn g1(k: Fr) -> G1Affine {
    (G1Affine::generator() * k).into_affine()
}

/// k·G₂.
pub(crate) fn g2(k: Fr) -> G2Affine {
    (G2Affine::generator() * k).into_affine()
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The secrets behind one proof's part of a presentation.
#[derive(Clone, Copy)]
pub(crate) struct Hiding {
    pub(crate) z: Fr,
    pub(crate) z_mask: Fr,
}

/// The secrets behind one commitment.
#[derive(Clone, Copy)]
pub(crate) struct Blinding {
    pub(crate) blinding: Fr,
    pub(crate) mask: Fr,
}

/// A presentation before its challenge, with all secrets. A test may change any of it.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) presentation: Presentation,
    pub(crate) vector: [Fr; SLOTS],
    pub(crate) masks: [Fr; SLOTS],
    pub(crate) hidings: Vec<Hiding>,
    pub(crate) blindings: Vec<Blinding>,
}

/// The slots of each relation's hidden inputs, in the order of the proofs.
pub(crate) fn slots_of(operands: &[Option<usize>; 4]) -> [Vec<Option<usize>>; 3] {
    [
        POSSESSION_SLOTS.to_vec(),
        policy_slots(operands).to_vec(),
        NULLIFIER_SLOTS.to_vec(),
    ]
}

/// Σ x[slot]·L over the hidden inputs.
pub(crate) fn hidden_sum(
    key: &VerifyingKey,
    slots: &[Option<usize>],
    vector: &[Fr; SLOTS],
) -> G1Projective {
    slots
        .iter()
        .zip(&key.l[1..])
        .filter_map(|(slot, base)| slot.map(|slot| *base * vector[slot]))
        .sum()
}

impl Draft {
    /// Steps 1 and 2 of the specification's "Show": hides the proofs, commits, makes the first messages. `masks` are given
    /// where a test wants some of them equal.
    pub(crate) fn new(
        keys: &[&VerifyingKey],
        statement: &Statement,
        vector: &[Fr; SLOTS],
        proofs: &[Proof],
        nullifier: Option<Fr>,
        masks: [Fr; SLOTS],
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let slots = slots_of(&statement.operands);
        let mut hidings = Vec::new();
        let mut hidden = Vec::new();
        for ((key, proof), slots) in keys.iter().zip(proofs).zip(&slots) {
            let hiding = Hiding {
                z: Fr::rand(rng),
                z_mask: Fr::rand(rng),
            };
            let (r1, r2) = (Fr::rand(rng), Fr::rand(rng));
            let inverse = r1.inverse().unwrap();
            let v = hidden_sum(key, slots, vector) + key.delta_g1 * hiding.z;
            let t = hidden_sum(key, slots, &masks) + key.delta_g1 * hiding.z_mask;
            let c = proof.a * r2 + proof.c - G1Affine::generator() * hiding.z;
            hidden.push(HiddenProof {
                a: (proof.a * inverse).into_affine(),
                b: (proof.b * r1 + key.delta_g2 * (r1 * r2)).into_affine(),
                c: c.into_affine(),
                v: v.into_affine(),
                t: t.into_affine(),
                z_response: Fr::zero(),
            });
            hidings.push(hiding);
        }
        let pedersen = Pedersen::get();
        let mut blindings = Vec::new();
        let mut disclosures = Vec::new();
        for slot in &statement.disclosed {
            let blinding = Blinding {
                blinding: Fr::rand(rng),
                mask: Fr::rand(rng),
            };
            disclosures.push(Disclosure {
                commitment: pedersen.commit(&vector[*slot], &blinding.blinding),
                first_message: pedersen.commit(&masks[*slot], &blinding.mask),
                blinding_response: Fr::zero(),
            });
            blindings.push(blinding);
        }
        let mut hidden = hidden.into_iter();
        Self {
            presentation: Presentation {
                format: statement.format,
                possession: hidden.next().unwrap(),
                policy: hidden.next().unwrap(),
                nullifier: nullifier.map(|nullifier| NullifierProof {
                    nullifier,
                    proof: hidden.next().unwrap(),
                }),
                disclosures,
                responses: [Fr::zero(); SLOTS],
            },
            vector: *vector,
            masks,
            hidings,
            blindings,
        }
    }

    /// Step 4: the responses to a challenge.
    pub(crate) fn respond(&self, challenge: Fr) -> Presentation {
        let mut shown = self.presentation.clone();
        for (hidden, hiding) in proofs_mut(&mut shown).into_iter().zip(&self.hidings) {
            hidden.z_response = hiding.z_mask + challenge * hiding.z;
        }
        for (disclosure, secret) in shown.disclosures.iter_mut().zip(&self.blindings) {
            disclosure.blinding_response = secret.mask + challenge * secret.blinding;
        }
        for ((response, mask), value) in shown
            .responses
            .iter_mut()
            .zip(&self.masks)
            .zip(&self.vector)
        {
            *response = *mask + challenge * value;
        }
        shown
    }

    /// Steps 3 and 4, with the protocol's own transcript.
    pub(crate) fn show(&self, statement: &Statement, context: &Context) -> Presentation {
        let transcript =
            PresentationTranscript::new(statement, self.presentation.nullifier(), context);
        self.respond(transcript.challenge(&self.presentation).challenge())
    }
}

/// The proofs, to change.
pub(crate) fn proofs_mut(presentation: &mut Presentation) -> Vec<&mut HiddenProof> {
    let Presentation {
        possession,
        policy,
        nullifier,
        ..
    } = presentation;
    [possession, policy]
        .into_iter()
        .chain(nullifier.iter_mut().map(|used| &mut used.proof))
        .collect()
}

/// One mask for each slot.
pub(crate) fn masks(rng: &mut ChaCha20Rng) -> [Fr; SLOTS] {
    std::array::from_fn(|_| Fr::rand(rng))
}

/// A relation's toxic waste, but for α and β: the logarithms of δ and of the L.
#[derive(Clone)]
pub(crate) struct Waste {
    pub(crate) delta: Fr,
    pub(crate) l: Vec<Fr>,
}

/// A parameter set whose toxic waste is known.
#[derive(Clone)]
pub(crate) struct Toy {
    pub(crate) alpha: Fr,
    pub(crate) beta: Fr,
    /// Possession, policy, nullifier.
    pub(crate) relations: [Waste; 3],
}

impl Toy {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        Self {
            alpha: Fr::rand(rng),
            beta: Fr::rand(rng),
            relations: [
                Relation::PossessionNative,
                Relation::Policy,
                Relation::Nullifier,
            ]
            .map(|relation| Waste {
                delta: Fr::rand(rng),
                l: (0..relation.key_points()).map(|_| Fr::rand(rng)).collect(),
            }),
        }
    }

    /// Its verifying keys: possession, policy, nullifier.
    pub(crate) fn keys(&self) -> [VerifyingKey; 3] {
        self.relations.clone().map(|waste| VerifyingKey {
            alpha_g1: g1(self.alpha),
            beta_g2: g2(self.beta),
            delta_g1: g1(waste.delta),
            delta_g2: g2(waste.delta),
            l: waste.l.into_iter().map(g1).collect(),
        })
    }

    /// A proof of any statement, as Groth16's simulator makes it. `inputs` are hidden, then public.
    pub(crate) fn prove(&self, relation: usize, inputs: &[Fr], rng: &mut ChaCha20Rng) -> Proof {
        let waste = &self.relations[relation];
        assert_eq!(waste.l.len(), 1 + inputs.len());
        let (a, b) = (Fr::rand(rng), Fr::rand(rng));
        let sum: Fr = waste.l[0]
            + waste.l[1..]
                .iter()
                .zip(inputs)
                .map(|(l, x)| *l * x)
                .sum::<Fr>();
        Proof {
            a: g1(a),
            b: g2(b),
            c: g1((a * b - self.alpha * self.beta - sum) / waste.delta),
        }
    }

    /// Proofs for a vector under a statement: possession, policy, and nullifier if there is one.
    pub(crate) fn proofs(
        &self,
        statement: &Statement,
        vector: &[Fr; SLOTS],
        nullifier: Option<Fr>,
        rng: &mut ChaCha20Rng,
    ) -> Vec<Proof> {
        let slots = slots_of(&statement.operands);
        let mut public = vec![Vec::new(), statement.policy_inputs.clone()];
        if let (Some(usage), Some(nullifier)) = (&statement.usage, nullifier) {
            public.push(vec![nullifier, usage.scope, Fr::from(usage.bound)]);
        }
        public
            .into_iter()
            .enumerate()
            .map(|(relation, public)| {
                let mut inputs: Vec<Fr> = slots[relation]
                    .iter()
                    .map(|slot| slot.map_or(Fr::zero(), |slot| vector[slot]))
                    .collect();
                inputs.extend(public);
                self.prove(relation, &inputs, rng)
            })
            .collect()
    }
}

/// The format of all that is made here.
pub(crate) const FORMAT: Format = Format::Native;
