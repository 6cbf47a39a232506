//! The program `bauta-signer`: makes a signer's keys, and runs it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use bauta_signer::{
    SignerConfig,
    admission::{self, AdmitArguments, EnrolArguments},
    keys, process, seal,
};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A signer of a Bauta CA: cosigns the log, and holds a share of the CA's key.
///
/// Exit status: 0 after a requested stop, 1 for an error, 2 for wrong arguments.
#[derive(Parser)]
#[command(name = "bauta-signer", version, max_term_width = 100)]
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
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Print the fingerprint of a node's public keys, to be compared with what the authority file lists.
    Show {
        /// Folder of the keys.
        #[arg(long)]
        keys: PathBuf,
    },
    /// Make cosignature, TLS and approval key, sealed by a passphrase; print the public description for `authority`.
    New {
        /// Folder to make them in; keys that are there are never overwritten.
        #[arg(long)]
        out: PathBuf,
        /// The signer's name: one per CA, as a key name (no spaces, no plus sign).
        #[arg(long)]
        name: String,
        /// File whose first line is the passphrase; without it, the terminal is asked.
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
        /// log2 of scrypt's cost; lower it only for a passphrase that a machine chose.
        #[arg(long, default_value_t = seal::WORK_FACTOR, value_parser = clap::value_parser!(u8).range(1..=20))]
        work_factor: u8,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bauta-signer: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> Result<()> {
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
            process::harden();
            run(SignerConfig::read(&config)?)
        }
        Command::Keys(KeysCommand::Show { keys }) => {
            let signer = keys::read_public(&keys)?.to_signer()?;
            println!("{}   {}", signer.fingerprint(), signer.name);
            Ok(())
        }
        Command::Enrol(arguments) => {
            process::harden();
            println!("{}", admission::enrol(&arguments)?.text());
            Ok(())
        }
        Command::Admit(arguments) => {
            let admission = admission::admit(&arguments, admission::ask)?;
            if arguments.yes {
                print!("{}", admission.text());
            }
            println!("the configuration is in {}", arguments.folder.display());
            Ok(())
        }
        Command::Keys(KeysCommand::New {
            out,
            name,
            passphrase_file,
            work_factor,
        }) => {
            process::harden();
            let passphrase = seal::find_passphrase(passphrase_file.as_deref(), true)?;
            let seal = seal::PassphraseSeal::new(passphrase.as_str(), work_factor);
            let public = keys::create(&out, &name, &seal, &mut rand::rngs::OsRng)?;
            println!("{}", serde_json::to_string_pretty(&public)?);
            Ok(())
        }
    }
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

fn run(config: SignerConfig) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime did not start")?;
    runtime.block_on(async {
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
        Ok(bauta_signer::run(config, shutdown).await?)
    })
}
