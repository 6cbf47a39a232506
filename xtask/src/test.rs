//! `cargo xtask test`: what is missing, then format, lints, tests and doc tests, one step after the other, each with its
//! time. Nothing here is timed against a limit: figures are for `benches/`.

use std::{process::Command, time::Instant};

use anyhow::{Context, bail};

use crate::tools::{install, on_path};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also run the tests marked `ignored`, which take long.
    #[arg(long)]
    full: bool,
}

/// Programs the tests call beside Cargo, with the Debian package that has each.
const PROGRAMS: &[(&str, &str)] = &[
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("cc", "build-essential"),
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("go", "golang-go"),
    ("softhsm2-util", "softhsm2"),
    ("age", "age"),
];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    install_missing_programs()?;
    step("rustfmt", cargo(&["fmt", "--all", "--check"]))?;
    step(
        "clippy",
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    step(
        "generated code is fresh",
        cargo(&["xtask", "codegen", "--check"]),
    )?;
    step(
        "doc tests",
        cargo(&["test", "--workspace", "--doc", "--quiet"]),
    )?;
    step("small gadgets proved", cargo(&["xtask", "smt"]))?;
    step("other people's tools", cargo(&["xtask", "interop"]))?;
    step("the verifier in Python", cargo(&["xtask", "vectors"]))?;
    step("the prover in Node and Chromium", cargo(&["xtask", "wasm"]))?;
    step(
        "tests",
        cargo(&[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ]),
    )?;
    // Marked as long, because they make keys of 200 and 370 MB; but two minutes there are here.
    step(
        "X.509 certificates proved and shown",
        cargo(&[
            "test",
            "--workspace",
            "--test",
            "presentation",
            "x509::",
            "--",
            "--ignored",
        ]),
    )?;
    if options.full {
        step("parsers under Miri", cargo(&["xtask", "miri"]))?;
        step(
            "tokens in kryoptic",
            cargo(&["xtask", "kryoptic", "--test"]),
        )?;
        step(
            "altered presentations",
            cargo(&["xtask", "vectors", "--alterations", "2000", "--seed", "1"]),
        )?;
        step(
            "long tests",
            cargo(&[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--",
                "--ignored",
            ]),
        )?;
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments);
    command
}

fn step(name: &str, mut command: Command) -> anyhow::Result<()> {
    println!("── {name}");
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{name}: cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    println!("── {name}: {:.0} s\n", start.elapsed().as_secs_f64());
    Ok(())
}

fn install_missing_programs() -> anyhow::Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    install(&missing)
}
