//! `bauta service|signer|issuer`: the long-running processes, each from a configuration file until SIGINT or SIGTERM.

use std::path::Path;

use anyhow::Context;
use bauta_issuer::{Desk, Target};
use bauta_signer::{
    admission, approve, backup,
    config::{Mode, SignerConfig},
};
use bauta_statement::vector::Serial;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Issuer, IssuerCommand, Run, Signer, SignerCommand, TokenCommand},
    clock, files, operator,
    print::{Exit, Failure, Printer},
};

pub(crate) async fn service(arguments: &Run) -> anyhow::Result<()> {
    let config = start(arguments)?;
    bauta_service::run(config, until_asked()?)
        .await
        .context("service")
}

pub(crate) async fn signer(arguments: Signer, printer: Printer) -> anyhow::Result<()> {
    match (arguments.command, arguments.run) {
        (Some(SignerCommand::Enrol(arguments)), _) => {
            let enrolled = admission::enrol(&arguments)?;
            printer.result(&enrolled, enrolled.text())
        }
        (Some(SignerCommand::Admit(arguments)), _) => {
            let admission = admission::admit(&arguments, admission::ask)?;
            let text = if arguments.yes {
                admission.text()
            } else {
                format!("the configuration is in {}", arguments.folder.display())
            };
            printer.result(&admission, text)
        }
        (Some(SignerCommand::Approve(arguments)), _) => {
            let approved = approve::approve(&arguments, approve::ask_holder)?;
            printer.result(&approved, approved.text())
        }
        (Some(SignerCommand::Backup(arguments)), _) => {
            start_log();
            let done = backup::backup(&arguments)?;
            printer.result(&done, done.text())
        }
        (Some(SignerCommand::Restore(arguments)), _) => {
            start_log();
            let done = backup::restore(&arguments)?;
            printer.result(&done, done.text())
        }
        (Some(SignerCommand::Keys(new)), _) => {
            new.place
                .passphrase_file
                .as_deref()
                .map(files::only_ours)
                .transpose()?;
            let public = new.run(None)?;
            printer.result(
                &public,
                format!("keys of {} are in {}", new.name, new.out.display()),
            )
        }
        (Some(SignerCommand::Token(TokenCommand::Check(check))), _) => {
            let report = check.run()?;
            printer.result(&report, report.text())?;
            if report.usable == Some(false) {
                return Err(Failure::new(Exit::Wrong, "a signer cannot use this token"));
            }
            Ok(())
        }
        (Some(SignerCommand::Token(TokenCommand::Share(share))), _) => {
            start_log();
            bauta_signer::process::harden_for(Mode::Development)?;
            Ok(share.run(&until_asked()?).await?)
        }
        (None, Some(run)) => {
            begin(&run)?;
            let config = SignerConfig::read(&run.config)?;
            config
                .passphrase_file
                .as_deref()
                .map(files::only_ours)
                .transpose()?;
            bauta_signer::process::harden_for(config.mode)?;
            bauta_signer::run(config, until_asked()?)
                .await
                .context("signer")
        }
        (None, None) => unreachable!("clap asks for --config where there is no subcommand"),
    }
}

pub(crate) async fn issuer(arguments: Issuer, printer: Printer) -> anyhow::Result<()> {
    match (arguments.command, arguments.run) {
        (Some(IssuerCommand::Keys { config, issuer_set }), _) => {
            let desk = desk(&config).await?;
            let profile = desk.profile();
            desk.close().await;
            if let Some(path) = issuer_set {
                files::write(
                    &path,
                    &serde_json::to_vec_pretty(&operator::issuer_set(&profile))?,
                )?;
            }
            printer.result(&profile, serde_json::to_string_pretty(&profile)?)
        }
        (
            Some(IssuerCommand::Revoke {
                config,
                subject,
                serial,
                out,
            }),
            _,
        ) => {
            let target = match (subject, serial) {
                (Some(subject), _) => Target::Subject(subject),
                (None, serial) => Target::Serial(serial_of(&serial.unwrap_or_default())?),
            };
            let desk = desk(&config).await?;
            let revoked = desk.revoke(&target, clock::now()).await;
            desk.close().await;
            let revoked = revoked?;
            files::write(&out, &revoked.list)?;
            let value = serde_json::json!({ "credentials": revoked.credentials, "version": revoked.version });
            printer.result(
                &value,
                format!(
                    "{} credential(s) revoked; list version {} is in {}: publish it with `bauta policy publish`",
                    revoked.credentials,
                    revoked.version,
                    out.display()
                ),
            )
        }
        (Some(IssuerCommand::X509(arguments)), _) => operator::issuer::x509(&arguments, printer),
        (Some(IssuerCommand::List { config, out }), _) => {
            let desk = desk(&config).await?;
            let list = desk.revocation_list(clock::now()).await;
            desk.close().await;
            files::write(&out, &list?)?;
            printer.result(
                &serde_json::json!({ "list": out }),
                format!("the newest list is in {}", out.display()),
            )
        }
        (None, Some(run)) => {
            let config: bauta_issuer::Config = start(&run)?;
            let listener = std::net::TcpListener::bind(config.listen)
                .with_context(|| format!("cannot listen on {}", config.listen))?;
            let shutdown = until_asked()?;
            bauta_issuer::run(config, listener, async move { shutdown.cancelled().await })
                .await
                .context("issuer")
        }
        (None, None) => unreachable!("clap asks for --config where there is no subcommand"),
    }
}

fn serial_of(text: &str) -> anyhow::Result<Serial> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok();
    bytes
        .and_then(|bytes| Serial::from_be_bytes(&bytes).ok())
        .context("--serial is 1 to 20 bytes in hexadecimal, positive, without leading zeros")
}

async fn desk(config: &Path) -> anyhow::Result<Desk> {
    Ok(Desk::open(read(config)?, &mut rand::rngs::OsRng).await?)
}

/// [`begin`], then the configuration.
fn start<C: DeserializeOwned>(arguments: &Run) -> anyhow::Result<C> {
    begin(arguments)?;
    read(&arguments.config)
}

/// Ties this process to its parent if asked, and starts its log.
fn begin(arguments: &Run) -> anyhow::Result<()> {
    if let Some(parent) = arguments.die_with_parent {
        bauta_signer::process::die_with_parent(Some(parent)).context("--die-with-parent")?;
    }
    start_log();
    Ok(())
}

fn start_log() {
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("BAUTA_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
}

fn read<C: DeserializeOwned>(path: &Path) -> anyhow::Result<C> {
    serde_json::from_slice(&files::read(path, 1 << 20)?)
        .with_context(|| format!("{} is no configuration for this", path.display()))
}

/// Cancelled at the first SIGINT or SIGTERM.
pub(crate) fn until_asked() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let asked = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        asked.cancel();
    });
    Ok(token)
}
