//! The parts that relations are made of. The equation stands above the code; why it is sound, in
//! `docs/spec/relations.md`.

pub mod babyjubjub;
pub mod bytes;
pub mod compare;
pub mod merkle;
pub mod poseidon;
pub mod sha256;
pub mod words;
