//! The verifier's own test world, borrowed: a ledger under keys whose trapdoors are known, so that presentations that
//! verify are made without a circuit.
#![allow(
    dead_code,
    reason = "the verifier's tests use more of it than the targets do"
)]

#[path = "../../../verifier/src/ledger/tests/world.rs"]
mod borrowed;

pub(crate) use borrowed::*;
