//! The program `bauta-signer`: makes a signer's keys, and runs it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use bauta_signer::{
    SignerConfig,
    admission::{self, AdmitArguments, EnrolArguments},
    approve::{self, ApproveArguments},
    backup::{self, BackupArguments, RestoreArguments},
    commands::{CheckToken, NewKeys, ShareToken},
    config::Mode,
    exit_status, keys, process, seal, token,
};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

const AFTER_HELP: &str = "\
Exit status: 0 done, or stopped when asked · 1 refused or failed · 2 command line not understood · 3 the token's module is
missing · 4 the token checked is not good enough · 75 the token is away: try again later · 77 the token refused its PIN, or
might lock if it were tried: no supervisor may start this again by itself (systemd: RestartPreventExitStatus=77).";

/// A signer of a Bauta CA: cosigns the log, and holds a share of the CA's key.
#[derive(Parser)]
#[command(name = "bauta-signer", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the signer until SIGINT or SIGTERM.
    Run {
        /// JSON configuration; its paths are relative to its folder.
        #[arg(long)]
        config: PathBuf,
        /// End when the process PID, which started this one, ends, however that happens. For demonstrations and tests.
        #[arg(long, value_name = "PID")]
        die_with_parent: Option<u32>,
        /// Write log lines as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keys of this signer.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Take part from elsewhere: open the founder's package, make this node's keys here, write the answer.
    Enrol(EnrolArguments),
    /// Check the signed authority file for this node, and write its configuration once you agree.
    Admit(AdmitArguments),
    /// At an attended signer: see what administrators ordered, agree to it, and open the shares for five minutes.
    Approve(ApproveArguments),
    /// Back up this stopped signer's shares, for the custodian that the authority file names.
    Backup(BackupArguments),
    /// Put shares back from a backup, into this stopped signer. A share that is lost alone is better repaired.
    Restore(RestoreArguments),
    /// PKCS#11 tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Runs a vendor's module, for the signer that started it.
    #[command(name = token::SUBCOMMAND, hide = true)]
    TokenModule,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Print the fingerprint of a node's public keys, to be compared with what the authority file lists.
    Show {
        /// Folder of the keys.
        #[arg(long)]
        keys: PathBuf,
    },
    /// Make cosignature, TLS and approval key, in a token or sealed by a passphrase; print the public description for `authority`.
    New {
        #[command(flatten)]
        new: NewKeys,
        /// log2 of scrypt's cost; lower it only for a passphrase that a machine chose.
        #[arg(long, default_value_t = seal::WORK_FACTOR, value_parser = clap::value_parser!(u8).range(1..=20))]
        work_factor: u8,
    },
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Say which tokens are there and, with a PIN, try what a signer needs of one; nothing is left in it.
    Check {
        #[command(flatten)]
        check: CheckToken,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hold one token for several signers on this machine.
    Share(ShareToken),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    if matches!(command, Command::TokenModule) {
        return token::serve();
    }
    match perform(command) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("bauta-signer: {problem:#}");
            ExitCode::from(exit_status(&problem))
        }
    }
}

fn perform(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run {
            config,
            die_with_parent,
            json,
        } => {
            start_logging(json);
            if let Some(parent) = die_with_parent {
                process::die_with_parent(Some(parent))?;
            }
            let config = SignerConfig::read(&config)?;
            process::harden_for(config.mode)?;
            run(config)?;
        }
        Command::Keys(KeysCommand::Show { keys }) => {
            let signer = keys::read_public(&keys)?.to_signer()?;
            println!("{}   {}", signer.fingerprint(), signer.name);
        }
        Command::Enrol(arguments) => {
            start_logging(false);
            process::harden_for(Mode::Development)?;
            println!("{}", admission::enrol(&arguments)?.text());
        }
        Command::Admit(arguments) => {
            let admission = admission::admit(&arguments, admission::ask)?;
            if arguments.yes {
                print!("{}", admission.text());
            }
            println!("the configuration is in {}", arguments.folder.display());
        }
        Command::Approve(arguments) => {
            process::harden_for(Mode::Development)?;
            println!(
                "{}",
                approve::approve(&arguments, approve::ask_holder)?.text()
            );
        }
        Command::Backup(arguments) => {
            start_logging(false);
            println!("{}", backup::backup(&arguments)?.text());
        }
        Command::Restore(arguments) => {
            start_logging(false);
            println!("{}", backup::restore(&arguments)?.text());
        }
        Command::Keys(KeysCommand::New { new, work_factor }) => {
            start_logging(false);
            process::harden_for(Mode::Development)?;
            let public = new.run(Some(work_factor))?;
            println!("{}", serde_json::to_string_pretty(&public)?);
        }
        Command::Token(TokenCommand::Check { check, json }) => {
            process::harden_for(Mode::Development)?;
            let report = check.run()?;
            if json {
                println!("{}", serde_json::to_string_pretty(&report)?);
            } else {
                println!("{}", report.text());
            }
            if report.usable == Some(false) {
                return Ok(ExitCode::from(4));
            }
        }
        Command::Token(TokenCommand::Share(share)) => {
            start_logging(false);
            process::harden_for(Mode::Development)?;
            runtime()?.block_on(async { anyhow::Ok(share.run(&until_asked()?).await?) })?;
        }
        Command::TokenModule => return Ok(token::serve()),
    }
    Ok(ExitCode::SUCCESS)
}

fn start_logging(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr);
    if json {
        builder.json().init()
    } else {
        builder.init()
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime did not start")
}

/// Cancelled at the first SIGINT or SIGTERM.
fn until_asked() -> Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(shutdown)
}

fn run(config: SignerConfig) -> Result<()> {
    runtime()?.block_on(async { Ok(bauta_signer::run(config, until_asked()?).await?) })
}
