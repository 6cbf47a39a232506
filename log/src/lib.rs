//! The transparency log: an append-only Merkle tree whose every head is signed by the log and cosigned by a quorum.
//!
//! Formats are C2SP's, byte for byte: tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature (Ed25519, `cosignature/v1`),
//! tlog-proof and tlog-policy; hashing is RFC 6962's with SHA-256. The crate knows nothing of what an entry means.
//!
//! | what | where |
//! | --- | --- |
//! | hashes, heads, checking of inclusion and consistency | [`merkle`] |
//! | tiles: paths, entry bundles, which ones a tree has | [`tile`] |
//! | where tiles are kept | [`storage`], and `folder` behind the feature of that name |
//! | growing a tree, proving from its tiles | [`tree`] |
//! | reading a log again, as an auditor does | [`reader`] |
//! | keys of the log and of its cosigners | [`key`] |
//! | checkpoints and cosignatures | [`checkpoint`] |
//! | who must have cosigned | [`policy`] |
//! | an entry that is known to be logged, and the proof file for it | [`logged`], [`tlog_proof`] |
//! | one batch after the other: stage, swap, write, cosign, publish | [`sequencer`] |
//!
//! Nothing here reads a clock, a file, the network or the environment (the `folder` feature adds files).
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod checkpoint;
#[cfg(feature = "folder")]
pub mod folder;
pub mod key;
pub mod logged;
pub mod merkle;
pub mod policy;
pub mod reader;
pub mod sequencer;
pub mod storage;
pub mod tile;
pub mod tlog_proof;
pub mod tree;

pub use checkpoint::{Checkpoint, NoteSignature, SignedCheckpoint};
#[cfg(feature = "folder")]
pub use folder::FolderStorage;
pub use key::{CosignatureSigner, CosignatureVerifier, LogSigner, LogVerifier};
pub use logged::LoggedEntry;
pub use merkle::{Hash, Head};
pub use policy::{CosignedCheckpoint, LogPolicy};
pub use reader::LogReader;
pub use sequencer::Sequencer;
pub use storage::{MemoryStorage, Storage, TileSource};
pub use tile::Tile;
pub use tlog_proof::TlogProof;
pub use tree::{Edge, Tree};

/// The longest entry: an entry bundle counts its bytes in 16 bits (C2SP tlog-tiles, "Log entries").
pub const MAX_ENTRY_LEN: usize = 65_535;
