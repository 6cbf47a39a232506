//! "This nullifier is made of my holder secret, for this scope, with a counter below the bound."
//!
//! Hidden input: x₁. Public: nullifier, scope, bound. Witness: the counter.
//!
//! 1. nullifier = Poseidon(domain, x₁, scope, counter)
//! 2. counter ∈ \[0, 2^32), bound − counter − 1 ∈ \[0, 2^32)

use ark_ff::AdditiveGroup;
use bauta_statement::{
    field::Fr,
    relation::{self, NullifierPublic, Relation},
};
use thiserror::Error;
use zeroize::Zeroize;

use crate::{
    gadgets::{compare, poseidon},
    relation::{Circuit, constraint_synthesizer},
    system::{Lc, System},
};

/// One use of a scope.
#[derive(Clone)]
pub struct NullifierWitness {
    /// The holder secret, slot 1.
    pub secret: Fr,
    /// Which of the holder's uses in the scope this is; hidden.
    pub counter: u32,
    /// What the verifier sees.
    pub public: NullifierPublic,
}

/// Why there is no such nullifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NullifierError {
    /// It is the hash of something else.
    #[error("the nullifier is not that of this secret, scope and counter; compute it anew")]
    Nullifier,
    /// All uses are spent.
    #[error(
        "the counter {counter} is not below the policy's bound {bound}; wait for the scope's next period"
    )]
    Bound {
        /// The counter.
        counter: u32,
        /// The bound.
        bound: u32,
    },
}

impl NullifierWitness {
    /// The witness of a use, with its nullifier computed.
    pub fn new(secret: Fr, scope: Fr, counter: u32, bound: u32) -> Self {
        let nullifier = relation::nullifier(secret, scope, counter);
        Self {
            secret,
            counter,
            public: NullifierPublic {
                nullifier,
                scope,
                bound,
            },
        }
    }
}

impl Circuit for NullifierWitness {
    const RELATION: Relation = Relation::Nullifier;
    type Error = NullifierError;

    fn blank() -> Self {
        Self::new(Fr::ZERO, Fr::ZERO, 0, 1)
    }

    fn check(&self) -> Result<(), NullifierError> {
        let NullifierPublic {
            nullifier,
            scope,
            bound,
        } = self.public;
        if nullifier != relation::nullifier(self.secret, scope, self.counter) {
            return Err(NullifierError::Nullifier);
        }
        if self.counter >= bound {
            return Err(NullifierError::Bound {
                counter: self.counter,
                bound,
            });
        }
        Ok(())
    }

    fn instances(&self) -> Vec<Fr> {
        let mut instances = vec![self.secret];
        instances.extend(self.public.to_inputs());
        instances
    }

    fn synthesize(&self, system: &mut System) {
        let [secret, nullifier, scope, bound] = std::array::from_fn(|index| system.instance(index));
        let counter = system.hint("counter", Fr::from(self.counter));

        system.region("hash");
        let domain = Lc::constant(relation::nullifier_domain());
        let hash = poseidon::hash(system, &[domain, secret, scope, counter.clone()]);
        system.enforce_equal(&hash, &nullifier);

        system.region("bound");
        compare::range(system, &counter, 32);
        compare::range(system, &(&(&bound - &counter) - Fr::from(1)), 32);
    }
}

constraint_synthesizer!(NullifierWitness);

impl Drop for NullifierWitness {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.counter.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled;
    use ark_ff::UniformRand;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    fn sample(seed: u64, counter: u32, bound: u32) -> NullifierWitness {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        NullifierWitness::new(Fr::rand(&mut rng), Fr::rand(&mut rng), counter, bound)
    }

    fn agree(witness: &NullifierWitness) -> bool {
        let native = witness.check().is_ok();
        assert_eq!(
            compiled::<NullifierWitness>()
                .check(&witness.assignment())
                .is_ok(),
            native
        );
        native
    }

    #[test]
    fn counters_below_the_bound_and_no_others() {
        for (counter, bound, holds) in [
            (0, 1, true),
            (4, 5, true),
            (5, 5, false),
            (6, 5, false),
            (0, 0, false),
            (u32::MAX, 5, false),
            (u32::MAX - 1, u32::MAX, true),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(
                agree(&sample(1, counter, bound)),
                holds,
                "{counter} < {bound}"
            );
        }
    }

    #[test]
    fn each_broken_input_is_refused() {
        let good = sample(2, 3, 9);
        assert!(agree(&good));
        let one = Fr::from(1);
        let change = |f: &dyn Fn(&mut NullifierWitness)| {
            let mut bad = good.clone();
            f(&mut bad);
            bad
        };
        for bad in [
            change(&|w| w.secret += one),
            change(&|w| w.counter += 1),
            change(&|w| w.public.scope += one),
            change(&|w| w.public.nullifier += one),
        ] {
            assert!(!agree(&bad));
        }
    }

    #[test]
    fn a_counter_beyond_32_bits_is_refused() {
        // counter = −1 would be "below" every bound if only the difference were ranged.
        let (secret, scope) = (Fr::from(7), Fr::from(8));
        let counter = -Fr::from(1);
        let nullifier = bauta_statement::poseidon::hash(&[
            relation::nullifier_domain(),
            secret,
            scope,
            counter,
        ]);
        let instances = [secret, nullifier, scope, Fr::from(5)];
        let mut system = System::new(&instances, false);
        let wires: [Lc; 4] = std::array::from_fn(|index| system.instance(index));
        let counter = system.witness(counter);
        let hash = poseidon::hash(
            &mut system,
            &[
                Lc::constant(relation::nullifier_domain()),
                wires[0].clone(),
                wires[2].clone(),
                counter.clone(),
            ],
        );
        system.enforce_equal(&hash, &wires[1]);
        compare::range(&mut system, &counter, 32);
        compare::range(&mut system, &(&(&wires[3] - &counter) - Fr::from(1)), 32);
        let error = compiled::<NullifierWitness>()
            .check(&system.into_assignment())
            .unwrap_err();
        assert_eq!(error.region, "bound");
    }

    #[test]
    fn equal_inputs_give_equal_nullifiers() {
        assert_eq!(
            sample(3, 1, 5).public.nullifier,
            sample(3, 1, 7).public.nullifier
        );
        assert_ne!(
            sample(3, 1, 5).public.nullifier,
            sample(3, 2, 5).public.nullifier
        );
    }
}
