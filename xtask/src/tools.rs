//! Other people's tools that the checks call, at pinned versions: Python packages of `vectors/requirements.txt` in an
//! environment of their own, and npm packages of `vectors/package-lock.json`. Both live outside what is committed, and
//! are installed once. So are Debian packages, where the tasks may.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where Cargo builds, which is where the tools go too.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// A Python interpreter that has the packages of `vectors/requirements.txt`.
pub(crate) fn python() -> Result<PathBuf> {
    let environment = target().join("tools/python");
    let interpreter = environment.join("bin/python3");
    let requirements = repository().join("vectors/requirements.txt");
    once(&requirements, &environment.join("installed"), || {
        println!("   installing {}", requirements.display());
        must(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment),
        )?;
        must(
            Command::new(&interpreter)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                ])
                .arg(&requirements),
        )
    })?;
    Ok(interpreter)
}

/// The folder `vectors/`, with its `node_modules` as `package-lock.json` has them.
pub(crate) fn node() -> Result<PathBuf> {
    let folder = repository().join("vectors");
    once(
        &folder.join("package-lock.json"),
        &folder.join("node_modules/installed"),
        || {
            println!(
                "   installing {}",
                folder.join("package-lock.json").display()
            );
            must(
                Command::new("npm")
                    .args(["ci", "--silent", "--no-audit", "--no-fund"])
                    .current_dir(&folder),
            )
        },
    )?;
    Ok(folder)
}

/// Installs Debian packages, if any are named. What is said goes to stderr, since some tasks print a result.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes {}", packages.join(" "));
    eprintln!("missing: {} ({line})", packages.join(", "));
    let apt = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let options = ["install", "--yes", "--no-install-recommends"];
    if !apt(&["update"]) || !apt(&[options.as_slice(), packages].concat()) {
        bail!("cannot install what is needed; as root run: {line}");
    }
    Ok(())
}

/// Whether the shell would find this program.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Runs a command to its end; its failure is an error that names it.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

/// Installs unless `stamp` says that this very list was installed.
fn once(list: &Path, stamp: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = fs::read(list).with_context(|| format!("reading {}", list.display()))?;
    if fs::read(stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}
