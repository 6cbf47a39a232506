//! Bauta's service: takes presentations, logs them, has the signers sign, and hands out certificates. It decides nothing that a
//! signer or an auditor does not decide again, and is trusted for liveness only.
//!
//! Requests come in by [`http`], an operator's by [`admin`]; [`sequencer`] takes admitted entries into the log and to their
//! certificates; [`coordinator`] speaks with the signers; [`store`] and [`log_store`] keep what must last.

pub mod admin;
pub mod ca;
mod clock;
pub mod config;
pub mod coordinator;
pub mod epochs;
pub mod http;
pub mod issue;
pub mod keys;
pub mod log_store;
mod run;
pub mod sequencer;
mod state;
pub mod store;
pub mod tls;

pub use config::ServiceConfig;
pub use run::{RunError, run};
pub use state::State;
