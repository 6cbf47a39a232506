//! What the relations have in common: from a witness to its instances, values and constraint system.

use std::sync::OnceLock;

use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError};
use bauta_statement::{field::Fr, relation::Relation};

use crate::{
    nullifier::NullifierWitness,
    policy::PolicyWitness,
    possession::{
        native::NativeWitness,
        x509_rsa::{Long, Standard, X509RsaWitness},
    },
    system::{Assignment, R1cs, System},
};

/// A relation's witness: everything that its proof needs.
pub trait Circuit: Sized {
    /// Which relation.
    const RELATION: Relation;
    /// Why the native check refuses.
    type Error: std::error::Error;

    /// A witness of the right shape, which need not satisfy anything: for set-up.
    fn blank() -> Self;

    /// The native check, which accepts exactly what the constraint system accepts.
    ///
    /// # Errors
    /// The relation's own, which names what does not hold.
    fn check(&self) -> Result<(), Self::Error>;

    /// Hidden inputs, then public inputs, in the order of [`bauta_statement::relation`].
    fn instances(&self) -> Vec<Fr>;

    /// Builds rows and values. The rows must not depend on the values.
    fn synthesize(&self, system: &mut System);

    /// The values of all columns.
    fn assignment(&self) -> Assignment {
        let mut system = System::new(&self.instances(), false);
        self.synthesize(&mut system);
        system.into_assignment()
    }

    /// The shape, made anew; [`constraint_system`] keeps it.
    fn record() -> R1cs {
        let blank = Self::blank();
        let mut system = System::new(&blank.instances(), true);
        blank.synthesize(&mut system);
        system.into_r1cs()
    }

    /// For arkworks: shape, and values unless `cs` is set up.
    ///
    /// # Errors
    /// Those of arkworks.
    fn emit(&self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let assignment = (!cs.is_in_setup_mode()).then(|| self.assignment());
        compiled::<Self>().emit(assignment.as_ref(), &cs)
    }
}

/// The constraint system of a witness type, recorded once and kept.
pub fn compiled<C: Circuit>() -> &'static R1cs {
    constraint_system(C::RELATION)
}

/// Every relation and its witness type. Shapes, golden file and the hunt for under-constraint derive from this one list: a
/// relation that is not in it, or whose witness type is not [`crate::hunt::Hunted`], does not compile. Those after `in parts` are too
/// large to be hunted in whole: each of their gadgets is hunted by itself, and what ties those together has its own tests.
macro_rules! relations {
    (whole: $($relation:ident: $witness:ty),+; in parts: $($large:ident: $large_witness:ty),+ $(;)?) => {
        /// The constraint system of a relation, recorded once and kept.
        pub fn constraint_system(relation: Relation) -> &'static R1cs {
            match relation {
                $(Relation::$relation => {
                    static SHAPE: OnceLock<R1cs> = OnceLock::new();
                    SHAPE.get_or_init(<$witness>::record)
                })+
                $(Relation::$large => {
                    static SHAPE: OnceLock<R1cs> = OnceLock::new();
                    SHAPE.get_or_init(<$large_witness>::record)
                })+
            }
        }

        /// All that are hunted in whole, in this order.
        #[cfg(test)]
        pub(crate) const REGISTERED: &[Relation] = &[$(<$witness as Circuit>::RELATION),+];

        /// The others.
        #[cfg(test)]
        pub(crate) const IN_PARTS: &[Relation] = &[$(<$large_witness as Circuit>::RELATION),+];

        /// What is hunted in, in the same order.
        #[cfg(test)]
        pub(crate) fn hunted() -> Vec<crate::hunt::Case> {
            vec![$(crate::hunt::Case::relation::<$witness>()),+]
        }
    };
}

relations! {
    whole: PossessionNative: NativeWitness, Policy: PolicyWitness, Nullifier: NullifierWitness;
    in parts: PossessionX509Rsa: X509RsaWitness<Standard>, PossessionX509RsaLong: X509RsaWitness<Long>;
}

/// Lets arkworks' generator and prover take a witness.
macro_rules! constraint_synthesizer {
    ($witness:ty) => {
        impl ark_relations::gr1cs::ConstraintSynthesizer<bauta_statement::field::Fr> for $witness {
            fn generate_constraints(
                self,
                cs: ark_relations::gr1cs::ConstraintSystemRef<bauta_statement::field::Fr>,
            ) -> Result<(), ark_relations::gr1cs::SynthesisError> {
                $crate::Circuit::emit(&self, cs)
            }
        }
    };
}
pub(crate) use constraint_synthesizer;
