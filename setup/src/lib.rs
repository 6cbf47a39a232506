//! Parameter sets: made, written, checked and loaded.
//!
//! A set is a folder with `proving-key.bin` (arkworks, uncompressed), `verifying-key.bin` (see
//! `bauta_statement::verifying_key`) and `manifest.json`, which names the relation, the provenance, the digest of the constraint
//! system and the SHA-256 of both keys. *Development* sets are made here from a fixed public seed: everyone gets the same
//! keys, and everyone can forge under them.

mod development;
mod folder;
mod generator;

pub use development::{
    DEVELOPMENT_PROVING_KEYS, MakeError, development, verifying_key, write_development,
};
pub use folder::{LoadError, Manifest, ParameterSet, Provenance, Step, load, load_or_make, save};
pub use generator::{Progress, Trapdoor, generate};
