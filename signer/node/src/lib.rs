//! A signer's process around the pure state machine of `bauta-signer-protocol`: disk, keys, network, operating system.
//!
//! It dials out to its coordinator and has no open port. What it must not forget is durable before it answers
//! ([`store`]); what is secret is sealed at rest ([`seal`]), and unsealed only in locked memory ([`process`]).

pub mod admission;
pub mod config;
pub mod enrolment;
pub mod files;
pub mod keys;
pub mod process;
pub mod run;
pub mod seal;
pub mod store;
pub mod tls;
pub mod transport;

pub use config::SignerConfig;
pub use run::{RunError, run, run_with};
