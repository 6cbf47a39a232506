//! The service: takes presentations, logs them, and has the signers certify them.

pub mod log_store;
pub mod sequencer;
pub mod store;
