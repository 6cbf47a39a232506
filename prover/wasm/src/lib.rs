//! The holder's side in a browser: `bauta-prover` as a WebAssembly module.
//!
//! [`policy`] holds what an epoch's files say of a policy, [`holder`] the keys, the credential and the proofs, and
//! [`binding`] gives both to JavaScript by wasm-bindgen. All but `binding` is plain Rust, so that it is tested and timed
//! natively too. The module asks for no clock (`now` is an argument), no file and no network; its randomness is
//! `crypto.getRandomValues`.
//!
//! **What is left to the program around it:** that the epoch's entry is logged under the pinned quorum, in a log that begins
//! with the pinned authority, and that its roots follow from the signed files (DESIGN 3.5). Natively that is
//! `bauta/src/holder/guard.rs`.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod binding;
mod error;
pub mod holder;
pub mod policy;

pub use error::Refusal;
