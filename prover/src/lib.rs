//! The holder's side: prove each relation once ([`prove`]), keep the proofs ([`wallet`]), and show them, re-randomized and
//! tied together, any number of times ([`show`]). No clock, no I/O; builds for wasm32.
//!
//! Proving and showing take time that depends on secret scalars (multi-scalar multiplication and table look-ups): run them
//! where nobody measures them.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod credential;
pub mod keys;
#[cfg(test)]
mod large_tests;
mod msm;
pub mod prepare;
pub mod prove;
mod quotient;
pub mod show;
pub mod wallet;
