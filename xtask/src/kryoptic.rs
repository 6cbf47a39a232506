//! `cargo xtask kryoptic`: the PKCS#11 module of kryoptic, a second implementation on which the signers' token tests run.
//!
//! It is built from source, with the OpenSSL and the SQLite that it needs, at the versions of `kryoptic/Cargo.lock`, outside
//! the workspace and into a folder of its own. That takes minutes the first time, so only `cargo xtask test --full` does it.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::tools::{install, must, on_path, repository, target};

/// What to do with it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run the signers' token tests on it, instead of printing where it is.
    #[arg(long)]
    test: bool,
}

/// The variable by which the tests find the module (signer/node/tests/token/soft_token.rs).
const VARIABLE: &str = "BAUTA_TEST_KRYOPTIC";

pub(crate) fn run(options: &Options) -> Result<()> {
    let module = build()?;
    if !options.test {
        println!("{}", module.display());
        return Ok(());
    }
    // `--workspace` as everywhere, so that dependencies have the features with which they were built before.
    must(
        Command::new(env!("CARGO"))
            .args(["test", "--workspace", "--test", "token", "--no-fail-fast"])
            .current_dir(repository())
            .env(VARIABLE, module),
    )
}

/// Builds the module unless it is there, and gives its path. All that is said goes to stderr.
fn build() -> Result<PathBuf> {
    install_missing_tools()?;
    let folder = target().join("tools/kryoptic");
    eprintln!("   kryoptic's module, built in {}", folder.display());
    must(
        Command::new(env!("CARGO"))
            .args(["build", "--locked", "--package", "kryoptic"])
            .arg("--manifest-path")
            .arg(repository().join("xtask/kryoptic/Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder)
            .stdout(Stdio::null()),
    )
    .context("kryoptic's module was not built; what Cargo said above has the reason")?;
    let module = folder.join("debug/libkryoptic_pkcs11.so");
    module
        .canonicalize()
        .with_context(|| format!("Cargo built no {}", module.display()))
}

/// OpenSSL's build calls perl, make and a C compiler; the bindings to it are made with libclang.
fn install_missing_tools() -> Result<()> {
    let programs = [
        ("perl", "perl"),
        ("make", "make"),
        ("cc", "build-essential"),
    ];
    let mut missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if !has_libclang() {
        missing.push("libclang-dev");
    }
    install(&missing)
}

/// Whether libclang is where bindgen looks for it, by the name that it has with its headers: in LIBCLANG_PATH, or where
/// distributions put it.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten();
    libraries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"llvm"))
        .map(|entry| entry.path().join("lib"))
        .chain([PathBuf::from("/usr/lib64"), PathBuf::from("/usr/lib")])
        .any(|folder| folder.join("libclang.so").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_heed_the_variable() {
        // Under another name they would run on SoftHSM2 once more, and nobody be told.
        let source = repository().join("signer/node/tests/token/soft_token.rs");
        let source = std::fs::read_to_string(source).expect("the tests' source");
        assert!(source.contains(&format!("{VARIABLE:?}")));
    }
}
