//! A signer's process around the pure state machine of `bauta-signer-protocol`: disk, keys, network, operating system.
//!
//! It dials out to its coordinator and has no open port. What it must not forget is durable before it answers
//! ([`store`]); what is secret is sealed at rest ([`seal`]), under a token's key ([`token`]), and unsealed only in locked memory ([`process`]).

pub mod admission;
pub mod approve;
pub mod backup;
pub mod commands;
pub mod config;
pub mod enrolment;
pub mod files;
pub mod keys;
pub mod process;
pub mod run;
pub mod seal;
pub mod store;
pub mod tls;
pub mod token;
pub mod transport;
mod worker;

pub use config::SignerConfig;
pub use run::{RunError, run, run_with};

/// The exit status that fits an error of this crate; 1 for any other.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            let token = || cause.downcast_ref().map(token::TokenError::exit_status);
            let keys = || cause.downcast_ref().map(keys::KeysError::exit_status);
            let run = || cause.downcast_ref().map(RunError::exit_status);
            let approve = || cause.downcast_ref().map(approve::ApproveError::exit_status);
            let admission = || match cause.downcast_ref() {
                Some(admission::AdmissionError::Keys(error)) => Some(error.exit_status()),
                _ => None,
            };
            let backup = || match cause.downcast_ref() {
                Some(backup::BackupError::Keys(error)) => Some(error.exit_status()),
                _ => None,
            };
            token()
                .or_else(keys)
                .or_else(run)
                .or_else(approve)
                .or_else(admission)
                .or_else(backup)
        })
        .unwrap_or(1)
}
