//! Checks presentations, singly and in batches, and log entries against the state that the log before them gives.
//! No clock, no I/O, no circuits.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

#[cfg(test)]
mod attacks;
pub mod audit;
pub mod batch;
pub mod certificate;
pub mod crl;
pub mod csr;
pub mod keys;
pub mod ledger;
mod pairing;
pub mod presentation;
pub mod sharing;
mod sums;
#[cfg(test)]
mod testing;
mod tower;
