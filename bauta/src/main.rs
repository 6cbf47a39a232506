//! The program `bauta`: thin. It reads the command line, calls the libraries, and prints.

mod audit;
mod cli;
mod clock;
mod files;
mod holder;
mod operator;
mod print;
mod processes;
mod quickstart;
mod relying_party;

use std::process::ExitCode;

use clap::Parser;
use cli::{Arguments, Ca, Command, Epoch, Export, Keys, Policy};
use print::Printer;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::TokenModule) {
        return bauta_signer::token::serve();
    }
    let json = arguments.json;
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return print::fail(
            &anyhow::anyhow!("a TLS provider is installed already"),
            json,
        );
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print::fail(&error, json),
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let printer = Printer::new(arguments.json);
    // Before any thread: what a signer does to its process must hold for all of them.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(dispatch(arguments.command, printer))
}

async fn dispatch(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Quickstart(arguments) => quickstart::run(&arguments, printer).await,
        Command::Enrol(arguments) => {
            let report = holder::enrol(&arguments).await?;
            printer.result(&report, report.text())
        }
        Command::Prepare(arguments) => {
            let spinner = printer.spinner();
            let progress = |what: &str| spinner.set_message(what.to_owned());
            let report = holder::prepare(&arguments, &progress).await;
            spinner.finish_and_clear();
            let report = report?;
            printer.result(&report, report.text())
        }
        Command::Authenticate(arguments) => {
            let report = holder::authenticate(&arguments).await?;
            printer.result(&report, report.text())
        }
        Command::VerifyCertificate(arguments) => {
            let report = holder::verify_certificate(&arguments)?;
            printer.result(&report, report.text())
        }
        Command::Audit(arguments) => audit::run(&arguments, printer).await,
        Command::Export(Export::Snarkjs(arguments)) => {
            let report = holder::export_snarkjs(&arguments)?;
            printer.result(&report, report.text())
        }
        Command::Service(arguments) => processes::service(&arguments).await,
        Command::Signer(arguments) => processes::signer(arguments, printer).await,
        Command::Issuer(arguments) => processes::issuer(arguments, printer).await,
        Command::Keys(Keys::New(arguments)) => operator::keys::new(&arguments, printer),
        Command::Ca(Ca::Invite(arguments)) => operator::invite::invite(&arguments, printer),
        Command::Ca(Ca::Accept(arguments)) => operator::invite::accept(&arguments, printer),
        Command::Ca(Ca::Authority {
            plan,
            keys,
            out,
            log_policy,
        }) => operator::ca::authority(&plan, &keys, &out, &log_policy, printer),
        Command::Ca(Ca::Init {
            socket,
            authority,
            keys,
            years,
            organization,
            root,
            path_length,
            out,
        }) => {
            let founding = operator::ca::Founding {
                socket: &socket,
                authority: &authority,
                keys: &keys,
                years,
                organization,
                root: root.then_some(path_length),
                out: &out,
            };
            operator::ca::init(&founding, printer).await
        }
        Command::Ca(Ca::Transcript { file }) => operator::transcript::show(&file, printer),
        Command::Ca(Ca::Request(arguments)) => {
            operator::hierarchy::request(&arguments, printer).await
        }
        Command::Ca(Ca::Install(arguments)) => {
            operator::hierarchy::install(&arguments, printer).await
        }
        Command::Ca(Ca::Certify(arguments)) => {
            operator::hierarchy::certify(&arguments, printer).await
        }
        Command::Ca(Ca::Rotate(arguments)) => {
            operator::hierarchy::rotate(&arguments, printer).await
        }
        Command::Ca(Ca::Retire(arguments)) => {
            operator::hierarchy::retire(&arguments, printer).await
        }
        Command::Ca(Ca::Change(arguments)) => operator::change::change(&arguments, printer).await,
        Command::Ca(Ca::Refresh { order, dealers }) => {
            operator::life::refresh(&order.with(&dealers), printer).await
        }
        Command::Ca(Ca::Reshare {
            order,
            signers,
            threshold,
            dealers,
        }) => {
            let order = order.with(&dealers);
            operator::life::reshare(&order, &signers, threshold, printer).await
        }
        Command::Ca(Ca::Repair {
            order,
            signer,
            helpers,
        }) => operator::life::repair(&order.with(&helpers), &signer, printer).await,
        Command::Policy(Policy::Check { file, kind }) => {
            operator::sign::check(&file, kind, printer)
        }
        Command::Policy(Policy::Sign(arguments)) => operator::sign::sign(&arguments, printer),
        Command::Policy(Policy::Publish {
            files,
            objects,
            socket,
        }) => operator::publish::files(&files, objects.as_deref(), &socket, printer).await,
        Command::Epoch(Epoch::Publish { socket }) => {
            operator::publish::epoch(&socket, printer).await
        }
        Command::Parameters(arguments) => operator::parameters::run(&arguments, printer),
        Command::TokenModule => unreachable!("main runs it before anything else"),
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
