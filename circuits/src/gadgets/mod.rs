//! The parts that relations are made of. The equation stands above the code; why it is sound, in
//! `docs/spec/relations.md`.

pub mod attributes;
pub mod babyjubjub;
mod bounds;
pub mod bytes;
pub mod compare;
pub mod der;
pub mod handle;
pub mod holder;
pub mod merkle;
pub mod modular;
pub mod natural;
pub mod poseidon;
pub mod rsa;
pub mod rsa_key;
pub mod sha256;
pub mod spki;
pub mod tbs;
pub mod time;
pub mod usage;
pub mod window;
pub mod words;

#[cfg(test)]
#[path = "together_tests.rs"]
mod together;
