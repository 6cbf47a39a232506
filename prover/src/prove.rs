//! Proving a relation, once: the native check, the constraint system's own check, Groth16, and verification of the result
//! before anyone stores it.

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{UniformRand, Zero};
use ark_groth16::{Proof, ProvingKey};
use rand_core::{CryptoRng, RngCore};

use bauta_circuits::system::{Assignment, Unsatisfied};
use bauta_circuits::{Circuit, compiled};
use bauta_statement::field;
use bauta_statement::group::{PointError, g1_from_bytes, g1_to_bytes, g2_from_bytes, g2_to_bytes};
use bauta_statement::relation::Relation;
use bauta_statement::verifying_key::VerifyingKey;

use crate::keys::Prover;
use crate::msm::Digits;
use crate::quotient::Sides;

/// A proof as the wallet keeps it. It is never sent: [`crate::show`] sends a re-randomized one. It does not hide its
/// hidden inputs from who can guess them, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RelationProof {
    /// Which relation.
    pub relation: Relation,
    /// Digest of the verifying key.
    pub key: [u8; 32],
    /// The public inputs that are not hidden.
    pub public: Vec<Fr>,
    /// A.
    pub a: G1Affine,
    /// B.
    pub b: G2Affine,
    /// C.
    pub c: G1Affine,
}

impl std::fmt::Debug for RelationProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelationProof")
            .field("relation", &self.relation)
            .finish_non_exhaustive()
    }
}

/// Why there is no proof. `E` is the relation's own reason.
#[derive(Debug, thiserror::Error)]
pub enum ProveError<E: std::error::Error> {
    /// The native check says no.
    #[error(transparent)]
    Untrue(E),
    /// The constraints say no where the native check said yes: a fault of ours.
    #[error("native check and constraints disagree; report this: {0}")]
    Disagreement(#[from] Unsatisfied),
    /// The proof made does not verify.
    #[error(
        "the proof that was made does not verify; the parameters are damaged, fetch them again"
    )]
    DoesNotVerify,
}

/// Why bytes are not a stored proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofDecodeError {
    /// Length, relation or scalars.
    #[error("the stored proof is malformed ({0}); prepare again")]
    Malformed(&'static str),
    /// A point.
    #[error("a point of the stored proof is refused ({0}); prepare again")]
    Point(#[from] PointError),
}

/// Proves that `witness` satisfies its relation.
pub fn prove<C: Circuit>(
    prover: &Prover<C>,
    witness: &C,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<RelationProof, ProveError<C::Error>> {
    witness.check().map_err(ProveError::Untrue)?;
    let shape = compiled::<C>();
    let assignment = witness.assignment();
    let sides = Sides::of(shape, &assignment)?;
    let randomness = [Fr::rand(rng), Fr::rand(rng)];
    let proof = groth16(&prover.proving, &assignment, sides, randomness);
    let instances = witness.instances();
    if !verifies(&prover.verifying, &instances, &proof.a, &proof.b, &proof.c) {
        return Err(ProveError::DoesNotVerify);
    }
    Ok(RelationProof {
        relation: C::RELATION,
        key: prover.digest,
        public: instances
            .into_iter()
            .skip(C::RELATION.hidden_inputs())
            .collect(),
        a: proof.a,
        b: proof.b,
        c: proof.c,
    })
}

/// Groth16's prover as arkworks has it, step by step (`ark_groth16::Groth16::create_proof_with_assignment`), with this crate's
/// quotient and multi-scalar multiplication, which go one after the other: each uses all cores, and its memory is free before the
/// next. Not generic, so that it is compiled here, where development builds are optimised too.
pub(crate) fn groth16(
    key: &ProvingKey<Bn254>,
    assignment: &Assignment,
    sides: Sides,
    [r, s]: [Fr; 2],
) -> Proof<Bn254> {
    // The keys' lengths were checked when the prover was made; the quotient has one coefficient more, which is 0.
    let h = {
        let quotient = sides.quotient();
        let coefficients = quotient.get(..key.h_query.len()).unwrap_or_default();
        Digits::new(coefficients).multiply(&key.h_query)
    };
    let values = assignment.values();
    let hidden = values.get(assignment.instances()..).unwrap_or_default();
    let l = Digits::new(hidden).multiply(&key.l_query);
    let digits = Digits::new(values);
    let a = digits.multiply(&key.a_query) + key.vk.alpha_g1 + key.delta_g1 * r;
    let b_g1 = digits.multiply(&key.b_g1_query) + key.beta_g1 + key.delta_g1 * s;
    let b = digits.multiply(&key.b_g2_query) + key.vk.beta_g2 + key.vk.delta_g2 * s;
    let c = h + l + a * s + b_g1 * r - key.delta_g1 * (r * s);
    Proof {
        a: a.into_affine(),
        b: b.into_affine(),
        c: c.into_affine(),
    }
}

/// The plain Groth16 equation with γ = 1; a proof with a point at infinity is refused, because it could not be shown.
pub(crate) fn verifies(
    key: &VerifyingKey,
    instances: &[Fr],
    a: &G1Affine,
    b: &G2Affine,
    c: &G1Affine,
) -> bool {
    let Some(inputs) = key.known_part(0, instances) else {
        return false;
    };
    if a.is_zero() || b.is_zero() || c.is_zero() {
        return false;
    }
    let left = [*a, -key.alpha_g1, -inputs, -*c];
    let right = [*b, key.beta_g2, G2Affine::generator(), key.delta_g2];
    Bn254::multi_pairing(left, right).is_zero()
}

impl RelationProof {
    /// Whether it is an ordinary Groth16 proof under `key`, of these hidden inputs and of the public ones that it names.
    pub fn verifies(&self, key: &VerifyingKey, hidden: &[Fr]) -> bool {
        let instances = [hidden, &self.public].concat();
        key.digest() == self.key && verifies(key, &instances, &self.a, &self.b, &self.c)
    }

    /// The wallet's bytes: relation (1), key digest (32), number of public inputs (16 bits, big-endian) and inputs (32
    /// each), A (32), B (64), C (32).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.relation.code()];
        out.extend(self.key);
        debug_assert!(
            self.public.len() <= usize::from(u16::MAX),
            "relations have few inputs"
        );
        out.extend((self.public.len() as u16).to_be_bytes());
        for input in &self.public {
            out.extend(field::to_bytes(input));
        }
        out.extend(g1_to_bytes(&self.a));
        out.extend(g2_to_bytes(&self.b));
        out.extend(g1_to_bytes(&self.c));
        out
    }

    /// Reads [`Self::encode`]'s bytes; nothing may follow.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofDecodeError> {
        const SHORT: ProofDecodeError = ProofDecodeError::Malformed("too short");
        let (&code, rest) = bytes.split_first().ok_or(SHORT)?;
        let relation =
            Relation::from_code(code).ok_or(ProofDecodeError::Malformed("unknown relation"))?;
        let (key, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (count, mut rest) = rest.split_first_chunk().ok_or(SHORT)?;
        if usize::from(u16::from_be_bytes(*count)) != relation.public_inputs() {
            return Err(ProofDecodeError::Malformed("number of public inputs"));
        }
        let mut public = Vec::with_capacity(relation.public_inputs());
        for _ in 0..relation.public_inputs() {
            let (input, tail) = rest.split_first_chunk().ok_or(SHORT)?;
            rest = tail;
            public.push(
                field::from_bytes(input)
                    .map_err(|_| ProofDecodeError::Malformed("public input"))?,
            );
        }
        let (a, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (b, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (c, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        if !rest.is_empty() {
            return Err(ProofDecodeError::Malformed("trailing bytes"));
        }
        Ok(Self {
            relation,
            key: *key,
            public,
            a: g1_from_bytes(a)?,
            b: g2_from_bytes(b)?,
            c: g1_from_bytes(c)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::One;
    use ark_groth16::Groth16;
    use bauta_circuits::nullifier::NullifierWitness;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    /// Arkworks' proof, point by point, for the same randomness.
    #[test]
    fn the_proof_is_arkworks() {
        let mut rng = ChaCha20Rng::seed_from_u64(81);
        let witness = NullifierWitness::new(Fr::rand(&mut rng), Fr::from(7u64), 2, 5);
        let key = bauta_setup::development(Relation::Nullifier).unwrap();
        let prover = Prover::<NullifierWitness>::new(key).unwrap();
        let shape = compiled::<NullifierWitness>();
        let assignment = witness.assignment();
        let key = &prover.proving;
        for [r, s] in [
            [Fr::rand(&mut rng), Fr::rand(&mut rng)],
            [Fr::zero(), Fr::zero()],
        ] {
            let circuit = witness.clone();
            let expected =
                Groth16::<Bn254>::create_proof_with_reduction(circuit, key, r, s).unwrap();
            let sides = Sides::of(shape, &assignment).unwrap();
            let proof = groth16(key, &assignment, sides, [r, s]);
            assert_eq!(proof, expected);
        }
    }

    #[test]
    fn no_quotient_of_what_is_not_satisfied() {
        let witness = NullifierWitness::new(Fr::from(3u64), Fr::from(7u64), 2, 5);
        let shape = compiled::<NullifierWitness>();
        for column in 0..shape.instances + shape.witnesses {
            let mut bad = witness.assignment();
            bad.values_mut()[column] += Fr::one();
            let expected = shape.check(&bad).unwrap_err();
            assert_eq!(Sides::of(shape, &bad).err(), Some(expected), "{column}");
        }
    }
}
