//! What administrators say beside `bauta ca`: keys, signed files, epochs, parameters.

use std::path::PathBuf;

use bauta_statement::file::Kind;
use clap::{Args, Subcommand, ValueEnum};

/// `bauta keys`.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make keys; files are mode 600 and never overwritten.
    New(KeysNew),
}

/// `bauta keys new`.
#[derive(Args)]
pub(crate) struct KeysNew {
    /// What the keys are for.
    #[arg(value_enum)]
    pub(crate) purpose: Purpose,
    /// The key's name: an administrator's name; for the service, the log's origin; for TLS, a host name or address.
    #[arg(long)]
    pub(crate) name: String,
    /// Folder for the keys.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Purpose {
    /// A note key that signs policies, issuer sets and key operations.
    Administrator,
    /// The service's log key and challenge key.
    Service,
    /// A TLS server's key and certificate, with a small CA for them.
    Tls,
}

/// `bauta policy`.
#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Check a policy or another file, signed or only its JSON body, or a CA's CRL, and warn of what is likely a mistake.
    Check {
        /// The file.
        file: PathBuf,
        /// Its type, where it is only a JSON body.
        #[arg(long = "type", value_parser = kind, default_value = "policy")]
        kind: Kind,
    },
    /// Sign a JSON body as a file, or add signatures to one that is signed already.
    Sign(SignFile),
    /// Log signed files, and CRLs of X.509 CAs, through the service's admin socket.
    Publish {
        /// The signed files and CRLs (PEM or DER), in order.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Folder of verifying keys that a `parameters` file names (what `bauta parameters --out` wrote).
        #[arg(long, value_name = "DIR")]
        objects: Option<PathBuf>,
        /// The service's admin socket.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
    },
}

/// `bauta policy sign`.
#[derive(Args)]
pub(crate) struct SignFile {
    /// A JSON body, or a signed file that more sign.
    pub(crate) file: PathBuf,
    /// Its type: policy, schema, issuer-set, key-operation, parameters or tombstone.
    #[arg(long = "type", value_parser = kind, default_value = "policy")]
    pub(crate) kind: Kind,
    /// The trust domain it is for.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) trust_domain: Option<String>,
    /// Its name; a policy's or schema's is in its body.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its version.
    #[arg(long, default_value_t = 1)]
    pub(crate) version: u64,
    /// When it stops counting (RFC 3339, UTC); a year from now where it is not said.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// An administrator's key; repeatable.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// File for the signed file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `bauta epoch`.
#[derive(Subcommand)]
pub(crate) enum Epoch {
    /// Log the epoch that is due.
    Publish {
        /// The service's admin socket.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
    },
}

/// `bauta parameters`.
#[derive(Args)]
pub(crate) struct Parameters {
    /// Also those of X.509 certificates (possession-x509-rsa, possession-x509-rsa-long): keys of about 200 MB and 370 MB on
    /// disk, made once (the first in some 20 s). Without it the three that every CA needs, of 5 MB together.
    #[arg(long)]
    pub(crate) x509: bool,
    /// Folder of parameter sets; made there if they are missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) parameters: Option<PathBuf>,
    /// Write the verifying keys and the JSON body of a `parameters` file here.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

fn kind(word: &str) -> Result<Kind, String> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| {
        "expected policy, schema, issuer-set, revocation-list, key-operation, parameters, authority or tombstone".to_owned()
    })
}
