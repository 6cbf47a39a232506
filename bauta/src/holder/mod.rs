//! What the holder's commands do: enrol, prepare, authenticate, verify a certificate, export. Files and HTTP are here; what is
//! proved is in `bauta-prover`, and what is believed of a service is decided in [`guard`].

mod authenticate;
mod client;
mod consent;
mod enrol;
mod export;
mod guard;
mod possession;
mod prepare;
mod token;
mod verify;
mod wallet;
mod x509;

pub(crate) use authenticate::authenticate;
pub(crate) use enrol::enrol;
pub(crate) use export::export_snarkjs;
pub(crate) use prepare::prepare;
pub(crate) use verify::{disclosed_text, verify_certificate};

/// Refusals that callers act on; they are in the chain of the error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// All uses of the scope's period are taken.
    #[error(
        "all {bound} keys that policy {policy:?} allows in this period are used: wait until {until}"
    )]
    Exhausted {
        policy: String,
        bound: u32,
        until: String,
    },
    /// The holder said no.
    #[error("nothing was proved or sent, as you wished")]
    Declined,
}

/// RFC 3339 in UTC; the bare number beyond the year 9999.
fn time(seconds: u64) -> String {
    bauta_statement::file::text::format_time(seconds).unwrap_or_else(|_| seconds.to_string())
}
