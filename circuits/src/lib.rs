//! Bauta's relations as rank-1 constraint systems over BN254's scalar field, with the gadgets they are made of.
//!
//! Each relation has a witness type with a native check and a constraint system that must agree: `NativeWitness`
//! (possession of a native credential), `PolicyWitness`, `NullifierWitness`. `docs/spec/relations.md` says what each
//! proves and why each trick is sound.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod digests;
pub mod gadgets;
pub mod iden3;
pub mod nullifier;
pub mod policy;
pub mod possession;
mod relation;
mod shape;
pub mod system;

#[cfg(test)]
mod counterfactual;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hunt;

pub use digests::constraint_system_digest;
pub use relation::{Circuit, compiled, constraint_system};
