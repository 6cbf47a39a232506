//! What runs for long, and what is done beside it: service, signer, desk.

use std::path::PathBuf;

use bauta_signer::{
    admission::{AdmitArguments, EnrolArguments},
    approve::ApproveArguments,
    backup::{BackupArguments, RestoreArguments},
    commands::{CheckToken, NewKeys, ShareToken},
};
use bauta_statement::file::revocation_list::MAX_QUOTA;
use clap::{Args, Subcommand};

/// A process with a configuration file.
#[derive(Args)]
pub(crate) struct Run {
    /// Configuration file (JSON).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// End with the process that started this one, whose id this is, however that one ends.
    #[arg(long, value_name = "PID")]
    pub(crate) die_with_parent: Option<u32>,
}

/// `bauta signer`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Signer {
    #[command(flatten)]
    pub(crate) run: Option<Run>,
    #[command(subcommand)]
    pub(crate) command: Option<SignerCommand>,
}

#[derive(Subcommand)]
pub(crate) enum SignerCommand {
    /// Take part from elsewhere: open the founder's package, make this node's keys here, write the answer.
    Enrol(EnrolArguments),
    /// Check the signed authority file for this node, and write its configuration once you agree.
    Admit(AdmitArguments),
    /// At an attended signer: see what administrators ordered, agree to it, and open the shares for five minutes.
    Approve(ApproveArguments),
    /// Back up a stopped node's shares, for the custodian that the authority file names.
    Backup(BackupArguments),
    /// Put shares back from a backup, into a stopped node. A share that is lost alone is better repaired.
    Restore(RestoreArguments),
    /// Make a node's keys: cosignature, TLS, approval; in a token, or sealed by a passphrase.
    Keys(NewKeys),
    /// PKCS#11 tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// `bauta signer token`.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Say which tokens are there and, with a PIN, try what a signer needs of one; nothing is left in it.
    Check(CheckToken),
    /// Hold one token for several signers on this machine.
    Share(ShareToken),
}

/// `bauta issuer`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Issuer {
    #[command(flatten)]
    pub(crate) run: Option<Run>,
    #[command(subcommand)]
    pub(crate) command: Option<IssuerCommand>,
}

#[derive(Subcommand)]
pub(crate) enum IssuerCommand {
    /// Make the desk's keys and print what an issuer set says of it.
    Keys {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Also write the JSON body of an issuer set with this issuer alone.
        #[arg(long, value_name = "FILE")]
        issuer_set: Option<PathBuf>,
    },
    /// Revoke a subject's credentials, or one by serial, and write the new signed revocation list.
    Revoke {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The subject's key (what the schema's subject_key holds).
        #[arg(long, required_unless_present = "serial", conflicts_with = "serial")]
        subject: Option<String>,
        /// One credential's serial (hex).
        #[arg(long)]
        serial: Option<String>,
        /// File for the new list; publish it with `bauta policy publish`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print what an issuer set says of an existing X.509 CA, from its certificate.
    X509(X509Issuer),
    /// Write the newest signed revocation list.
    List {
        /// Configuration file (JSON).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// File for the list.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `bauta issuer x509`.
#[derive(Args)]
pub(crate) struct X509Issuer {
    /// The CA's certificate (PEM or DER): RSA-2048, and the key signs the CRL too.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// The issuer's name, the same in every issuer set.
    #[arg(long)]
    pub(crate) name: String,
    /// Name of the schema that the CA's certificates are read by.
    #[arg(long)]
    pub(crate) schema: String,
    /// How many serials the CA may revoke in one log, those that leave its CRL meanwhile included.
    #[arg(long, value_name = "SERIALS", value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_QUOTA)))]
    pub(crate) quota: u32,
    /// Also write the JSON body of an issuer set with this issuer alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer_set: Option<PathBuf>,
}
