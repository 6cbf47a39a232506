//! What `cargo xtask test --full` runs besides the long tests: unit tests of parsers, codecs and trees under Miri.
//!
//! Miri interprets, hundreds of times slower than the machine, so modules are named one by one: curve arithmetic and
//! Poseidon take hours there, and files and foreign code are none of its matter. Our crates have no unsafe code; what
//! Miri watches is what they call with bytes from outside. Of the statement crate and the signers' messages nothing is
//! listed yet.

use std::process::Command;

use anyhow::{Context, Result};

use crate::tools::{must, repository, target};

/// What of a crate is run: modules by prefix, and tests left out by a part of their names.
struct Crate {
    package: &'static str,
    modules: &'static [&'static str],
    left_out: &'static [&'static str],
}

const CRATES: [Crate; 1] = [Crate {
    package: "bauta-log",
    modules: &["merkle::", "tile::", "checkpoint::"],
    // Hundreds of Ed25519 verifications, each of which takes seconds here.
    left_out: &["altered"],
}];

pub(crate) fn run() -> Result<()> {
    install_miri()?;
    for one in &CRATES {
        let mut command = Command::new("cargo");
        command
            .args([
                "+nightly",
                "miri",
                "test",
                "--package",
                one.package,
                "--lib",
                "--",
            ])
            .args(one.modules)
            .args(one.left_out.iter().flat_map(|name| ["--skip", name]))
            .current_dir(repository())
            .env("CARGO_TARGET_DIR", target().join("miri"))
            // Tests read their vectors from the tree, and time is nobody's secret here.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO");
        must(&mut command)?;
    }
    Ok(())
}

fn install_miri() -> Result<()> {
    let there = Command::new("cargo")
        .args(["+nightly", "miri", "--version"])
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    let line = "rustup toolchain install nightly --component miri,rust-src";
    println!("missing: Miri ({line})");
    must(Command::new("rustup").args(line.split_whitespace().skip(1)))
        .with_context(|| format!("install it by hand: {line}"))
}
