//! Possession of a native credential: an EdDSA-Poseidon signature of the vector's hash, the holder secret blinded.
//!
//! Hidden inputs: x₀..x₁₅. Witness: issuer's key A, signature (R8, S), blinding ρ, schema rule.
//!
//! 1. x₀ = Poseidon(format, Poseidon(A.x, A.y), rule)
//! 2. c = Poseidon(x₁, ρ), M = Poseidon(x₀, c, x₂, …, x₁₅)
//! 3. h = Poseidon(R8.x, R8.y, A.x, A.y, M), S·B8 = R8 + 8h·A

use ark_ff::{AdditiveGroup, PrimeField};
use bauta_statement::{
    babyjubjub::{self, Point},
    eddsa::{self, PublicKey, Signature},
    field::Fr,
    relation::Relation,
    vector::{self, AttributeVector, Format, ORIGIN, SECRET, SLOTS},
};
use thiserror::Error;

use crate::{
    gadgets::{
        babyjubjub::{Montgomery, is_provable, response},
        poseidon,
    },
    relation::{Circuit, constraint_synthesizer},
    system::{Lc, System},
};

/// A native credential, as its holder keeps it.
#[derive(Clone)]
pub struct NativeWitness {
    /// The vector, holder secret included.
    pub vector: AttributeVector,
    /// The issuer's key.
    pub issuer_key: PublicKey,
    /// The issuer's signature of [`vector::native_message`].
    pub signature: Signature,
    /// The blinding of the holder secret's commitment.
    pub blinding: Fr,
    /// The rule of the schema that the issuer issues under.
    pub schema_rule: Fr,
}

/// Why a native credential proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NativeError {
    /// Slot 0 is not that of format, issuer's key and schema rule.
    #[error("the credential's origin is not that of its issuer and schema; enrol again")]
    Origin,
    /// The issuer's signature is of something else.
    #[error("the issuer's signature does not fit the credential's attributes; enrol again")]
    Signature,
    /// The challenge hash is one of the one in 2^62 for which the relation has no proof, or R8 is the neutral element, which
    /// has no Montgomery coordinates.
    #[error(
        "this signature is of a kind, rarer than one in 2^61, that cannot be proved; enrol again"
    )]
    Unprovable,
}

impl Circuit for NativeWitness {
    const RELATION: Relation = Relation::PossessionNative;
    type Error = NativeError;

    fn blank() -> Self {
        Self {
            vector: AttributeVector([Fr::ZERO; SLOTS]),
            issuer_key: PublicKey::placeholder(),
            signature: Signature {
                r8: babyjubjub::base(),
                s: babyjubjub::Scalar::ZERO,
            },
            blinding: Fr::ZERO,
            schema_rule: Fr::ZERO,
        }
    }

    fn check(&self) -> Result<(), NativeError> {
        if self.vector.get(ORIGIN)
            != vector::origin(Format::Native, self.issuer_key.digest(), self.schema_rule)
        {
            return Err(NativeError::Origin);
        }
        let message = self.message();
        self.issuer_key
            .verify(&message, &self.signature)
            .map_err(|_| NativeError::Signature)?;
        let challenge = eddsa::challenge(&self.signature.r8, &self.issuer_key, &message);
        if !is_provable(&challenge) || self.signature.r8 == Point::default() {
            return Err(NativeError::Unprovable);
        }
        Ok(())
    }

    fn instances(&self) -> Vec<Fr> {
        self.vector.0.to_vec()
    }

    fn synthesize(&self, system: &mut System) {
        let slots: [Lc; SLOTS] = std::array::from_fn(|slot| system.instance(slot));
        let [x, y] = self.issuer_key.coordinates().map(|coordinate| {
            system.free(
                coordinate,
                "issuer's key: fixed by the origin, Poseidon being collision resistant",
            )
        });
        let rule = system.free(
            self.schema_rule,
            "schema rule: fixed by the origin, Poseidon being collision resistant",
        );
        let blinding = system.free(
            self.blinding,
            "blinding: the holder's, fixed by the message that the issuer signed",
        );

        system.region("origin");
        let key_digest = poseidon::hash(system, &[x.clone(), y.clone()]);
        let format = Lc::constant(Fr::from(Format::Native.code()));
        let origin = poseidon::hash(system, &[format, key_digest, rule]);
        system.enforce_equal(&origin, &slots[ORIGIN]);

        system.region("message");
        let commitment = poseidon::hash(system, &[slots[SECRET].clone(), blinding]);
        let mut signed = slots;
        signed[SECRET] = commitment;
        let message = poseidon::hash(system, &signed);

        system.region("signature");
        let h = eddsa::challenge(&self.signature.r8, &self.issuer_key, &self.message());
        let key = Montgomery::from_edwards(system, &x, &y);
        let q = key.double(system).double(system);
        let ([r8_x, r8_y], digits) = response(system, &q, &h.into_bigint(), &self.signature.s);

        system.region("challenge");
        let h = poseidon::hash(system, &[r8_x, r8_y, x, y, message]);
        system.enforce(&q.v, &(&(&h * Fr::from(2)) + Fr::from(1)), &digits);
    }
}

constraint_synthesizer!(NativeWitness);

impl NativeWitness {
    /// What the issuer signed.
    fn message(&self) -> Fr {
        let commitment = vector::commitment(self.vector.get(SECRET), self.blinding);
        vector::native_message(&self.vector, commitment)
    }
}

impl Drop for NativeWitness {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.vector.0.zeroize();
        self.blinding.zeroize();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compiled;
    use ark_ff::{BigInteger, UniformRand};
    use bauta_statement::eddsa::SigningKey;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    /// A random valid credential.
    pub(crate) fn sample(seed: u64) -> NativeWitness {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = SigningKey::generate(&mut rng);
        let schema_rule = Fr::rand(&mut rng);
        let mut vector = AttributeVector(std::array::from_fn(|_| Fr::rand(&mut rng)));
        vector.0[ORIGIN] = vector::origin(Format::Native, key.public_key().digest(), schema_rule);
        let mut witness = NativeWitness {
            vector,
            issuer_key: key.public_key(),
            signature: NativeWitness::blank().signature,
            blinding: Fr::rand(&mut rng),
            schema_rule,
        };
        witness.signature = key.sign(&mut rng, &witness.message());
        witness
    }

    fn proves(witness: &NativeWitness) -> bool {
        compiled::<NativeWitness>()
            .check(&witness.assignment())
            .is_ok()
    }

    #[test]
    fn native_check_and_constraints_agree() {
        for seed in 0..4 {
            let good = sample(seed);
            assert_eq!(good.check(), Ok(()));
            assert_eq!(
                compiled::<NativeWitness>().check(&good.assignment()),
                Ok(())
            );
        }
    }

    #[test]
    fn each_broken_part_is_refused_by_both() {
        let good = sample(10);
        let other = sample(11);
        let mut cases: Vec<(String, NativeWitness)> = Vec::new();
        for slot in 0..SLOTS {
            let mut bad = good.clone();
            bad.vector.0[slot] += Fr::from(1);
            cases.push((format!("slot {slot}"), bad));
        }
        cases.push((
            "blinding".into(),
            NativeWitness {
                blinding: other.blinding,
                ..good.clone()
            },
        ));
        cases.push((
            "rule".into(),
            NativeWitness {
                schema_rule: other.schema_rule,
                ..good.clone()
            },
        ));
        cases.push((
            "key".into(),
            NativeWitness {
                issuer_key: other.issuer_key,
                ..good.clone()
            },
        ));
        cases.push((
            "signature".into(),
            NativeWitness {
                signature: other.signature,
                ..good.clone()
            },
        ));
        let s = Signature {
            s: good.signature.s + babyjubjub::Scalar::from(1),
            ..good.signature
        };
        cases.push((
            "S".into(),
            NativeWitness {
                signature: s,
                ..good.clone()
            },
        ));
        // Another issuer's key with an origin of its own, and the first issuer's signature.
        let mut stolen = NativeWitness {
            issuer_key: other.issuer_key,
            ..good.clone()
        };
        stolen.vector.0[ORIGIN] =
            vector::origin(Format::Native, other.issuer_key.digest(), good.schema_rule);
        cases.push(("key and origin".into(), stolen));
        for (name, bad) in cases {
            assert!(bad.check().is_err(), "{name}");
            assert!(!proves(&bad), "{name}");
        }
    }

    #[test]
    fn a_neutral_commitment_is_refused_by_both() {
        // S = 8h·a with R8 = 0 verifies natively; only the issuer can make it.
        let mut rng = ChaCha20Rng::seed_from_u64(13);
        let key = SigningKey::generate(&mut rng);
        let mut bad = sample(13);
        bad.issuer_key = key.public_key();
        bad.vector.0[ORIGIN] =
            vector::origin(Format::Native, bad.issuer_key.digest(), bad.schema_rule);
        let r8 = Point::default();
        let h = eddsa::challenge(&r8, &bad.issuer_key, &bad.message());
        let reduced = |bytes: &[u8]| babyjubjub::Scalar::from_le_bytes_mod_order(bytes);
        let h = reduced(&bauta_statement::field::to_bytes(&h));
        bad.signature = Signature {
            r8,
            s: babyjubjub::Scalar::from(8) * h * reduced(key.to_bytes().as_ref()),
        };
        assert_eq!(
            bad.issuer_key.verify(&bad.message(), &bad.signature),
            Ok(())
        );
        assert_eq!(bad.check(), Err(NativeError::Unprovable));
        assert!(!proves(&bad));
    }

    #[test]
    fn the_challenge_digits_have_no_alias() {
        // The digits of h + r instead of h give (2(h + r) + 1)·Q, another point; only the top bits' check stops it.
        let good = sample(12);
        let h = eddsa::challenge(&good.signature.r8, &good.issuer_key, &good.message());
        let mut alias = h.into_bigint();
        alias.add_with_carry(&Fr::MODULUS);
        let shape = {
            let mut system = System::new(&[], true);
            tests_ladder(&mut system, &good.issuer_key, &h.into_bigint(), h);
            system.into_r1cs()
        };
        let run = |digits: &ark_ff::BigInt<4>| {
            let mut system = System::new(&[], false);
            tests_ladder(&mut system, &good.issuer_key, digits, h);
            shape.check(&system.into_assignment())
        };
        assert_eq!(run(&h.into_bigint()), Ok(()));
        // Only an alias below 2^254 fits the digits at all; take a challenge small enough to have one.
        if alias.num_bits() <= 254 {
            assert!(run(&alias).is_err());
        }
        let small = Fr::from(5);
        let mut alias = small.into_bigint();
        alias.add_with_carry(&Fr::MODULUS);
        let mut system = System::new(&[], false);
        tests_ladder(&mut system, &good.issuer_key, &alias, small);
        let error = shape.check(&system.into_assignment()).unwrap_err();
        assert_eq!(
            error.region, "ladder",
            "the recomposition modulo r holds; the range does not"
        );
    }

    fn tests_ladder(system: &mut System, key: &PublicKey, digits: &ark_ff::BigInt<4>, h: Fr) {
        let [x, y] = key.coordinates().map(|c| system.free(c, "test"));
        let h = system.free(h, "test");
        let key = Montgomery::from_edwards(system, &x, &y);
        system.region("ladder");
        let ladder = crate::gadgets::babyjubjub::ladder(system, &key, digits);
        system.region("recomposition");
        system.enforce(&key.v, &(&(&h * Fr::from(2)) + Fr::from(1)), &ladder.digits);
    }
}
