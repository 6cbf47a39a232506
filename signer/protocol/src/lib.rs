//! The issuance protocol between the signers of a Bauta CA and its coordinator, as pure state machines: a message
//! goes in, an outbox comes out. No clock, no file, no network, no environment.
//!
//! - [`node::Node`]: one signer. What it says by a cosignature and by a signature share is in [`cosign`] and [`signing`].
//! - [`boot`]: what signers say to each other when one starts, so that a disk that was put back is found out.
//! - [`coordinator::Coordinator`]: drives the signers; trusted for liveness only.
//! - [`messages`]: what they say to each other, byte for byte.
//! - [`rulebook::Rulebook`]: which entries are valid; the real one is [`ledger_rulebook::LedgerRulebook`].
//!
//! The shell around a node has one duty that everything rests on: what [`node::Output::persist`] holds is durable,
//! in one transaction, *before* anything of [`node::Output::send`] leaves. If it cannot persist, it must stop.
//! `docs/spec/signing.md` is the specification.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod appends;
pub mod attended;
pub mod boot;
pub mod coordinator;
pub mod cosign;
pub mod dkg;
pub mod exchange;
pub mod frost_scheme;
pub mod generation;
pub mod key_generation;
pub mod keys;
pub mod ledger_rulebook;
pub mod memory;
pub mod messages;
pub mod node;
pub mod nonces;
pub mod order;
mod relay;
pub mod repair;
pub mod reshare;
pub mod rulebook;
pub mod sessions;
mod settling;
pub mod signing;
mod welcome;
