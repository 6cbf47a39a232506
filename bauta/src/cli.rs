//! The command line: what may be said, in the words of the design. What is done stands in `operator/`, `holder/`,
//! `quickstart/` and `audit`.

use clap::{Parser, Subcommand};

mod administrator;
mod ca;
mod holder;
mod processes;

pub(crate) use administrator::*;
pub(crate) use ca::*;
pub(crate) use holder::*;
pub(crate) use processes::*;

const AFTER_HELP: &str = "\
Exit status: 0 done · 1 refused or failed · 2 command line not understood · 3 something is missing on this machine ·
4 what was checked is wrong · 75 try again later · 77 a token refused its PIN: nobody may try again unattended.

Start with: bauta quickstart";

/// Prove what you are without saying who you are, and get a certificate for it.
#[derive(Parser)]
#[command(name = "bauta", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Print the result as one JSON object on standard output, and errors as JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole story on this machine: CA, signers, issuer, holder, relying party, auditor.
    Quickstart(Quickstart),

    /// Enrol at an organisation's desk with an X.509 client certificate; the wallet gets a native credential.
    #[command(display_order = 10)]
    Enrol(Enrol),
    /// Prove in advance what a policy asks, so that authenticating takes milliseconds.
    #[command(display_order = 11)]
    Prepare(Prepare),
    /// Show that you meet a policy, and get a short-lived certificate for a fresh key.
    #[command(display_order = 12)]
    Authenticate(Authenticate),
    /// Check a certificate offline: its CA, its log entry under a quorum of cosignatures, and that it is the entry's.
    #[command(display_order = 13)]
    VerifyCertificate(VerifyCertificate),
    /// Re-verify a whole log: checkpoint, cosignatures, every entry, every presentation.
    #[command(display_order = 14)]
    Audit(Audit),

    /// Write what other people's tools read: keys and proofs as snarkjs JSON, constraint systems as .r1cs.
    #[command(display_order = 15, subcommand)]
    Export(Export),

    /// Run the REST service: sequencer, log and coordinator of the signers.
    #[command(display_order = 20)]
    Service(Run),
    /// Run a signer node (the same code as the program bauta-signer).
    #[command(display_order = 21)]
    Signer(Signer),
    /// Run an organisation's enrolment desk, or act for it.
    #[command(display_order = 22)]
    Issuer(Issuer),

    /// Make keys: administrator, service, TLS.
    #[command(display_order = 30, subcommand)]
    Keys(Keys),
    /// Found a CA: sign its authority file, then drive distributed key generation and its certificate. Certify it by another CA,
    /// or others by a root; rotate its key.
    #[command(display_order = 31, subcommand)]
    Ca(Ca),
    /// Check, sign and publish policies and every other signed file.
    #[command(display_order = 32, subcommand)]
    Policy(Policy),
    /// Log the next epoch now, instead of when the service would.
    #[command(display_order = 33, subcommand)]
    Epoch(Epoch),
    /// Make or list the proofs' parameters.
    #[command(display_order = 34)]
    Parameters(Parameters),

    /// Runs a vendor's module, for the signer that started it.
    #[command(name = bauta_signer::token::SUBCOMMAND, hide = true)]
    TokenModule,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
