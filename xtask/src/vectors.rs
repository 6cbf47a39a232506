//! The independent verifier (`vectors/verify.py`, written from the specification alone) judges the test vectors of
//! presentations: each good one must verify, each bad one must be refused for the reason that it names, and none of the
//! alterations that `vectors/mutate.py` makes of the good ones may verify.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{must, python, repository};

/// How many vectors there are at least: a folder that lost some proves less.
const GOOD: usize = 5;
const BAD: usize = 130;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many altered presentations are tried.
    #[arg(long, default_value_t = 100)]
    alterations: usize,
    /// Another seed, other alterations.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (good, bad) = vectors()?;
    let mut verify = script("verify.py")?;
    verify.arg("--vectors").args(&good).args(&bad);
    let output = verify.output().context("cannot start verify.py")?;
    let said = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        bail!(
            "verify.py: {}\n{said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // The exit status is not taken at its word: one line for each file, and the right one.
    let lines: Vec<&str> = said.lines().collect();
    let expected = good
        .iter()
        .map(|path| (path, "verifies"))
        .chain(bad.iter().map(|path| (path, "refused: ")));
    ensure!(
        lines.len() == good.len() + bad.len(),
        "verify.py says\n{said}"
    );
    for (line, (path, verdict)) in lines.iter().zip(expected) {
        let start = format!("{}: {verdict}", path.display());
        ensure!(line.starts_with(&start), "verify.py says {line}");
    }
    println!(
        "   {} good vectors verify, {} bad ones are refused for their reason",
        good.len(),
        bad.len()
    );
    exit_statuses(&good, &bad)?;
    must(
        script("mutate.py")?
            .args(["--count", &options.alterations.to_string()])
            .args(["--seed", &options.seed.to_string()])
            .args(&good),
    )
}

/// What the verifier says to a shell when it is not told what to expect: 0, 1 for one bad file among good ones, 2.
fn exit_statuses(good: &[PathBuf], bad: &[PathBuf]) -> Result<()> {
    for (files, expected) in [
        (vec![&good[0]], 0),
        (vec![&good[0], &bad[0]], 1),
        (vec![&bad[0], &good[0]], 1),
        (vec![], 2),
    ] {
        let output = script("verify.py")?.args(&files).output()?;
        ensure!(
            output.status.code() == Some(expected),
            "verify.py {files:?}: {}, not {expected}",
            output.status
        );
    }
    Ok(())
}

fn script(name: &str) -> Result<Command> {
    let mut command = Command::new(python()?);
    command.arg(repository().join("vectors").join(name));
    Ok(command)
}

/// The good and the bad vectors; another file among them is an error.
fn vectors() -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let folder = repository().join("vectors/presentation");
    let mut files = fs::read_dir(&folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    let begins = |path: &PathBuf, start: &str| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(start) && name.ends_with(".json"))
    };
    let (good, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| begins(path, "good_"));
    let (bad, strange): (Vec<_>, Vec<_>) = rest.into_iter().partition(|path| begins(path, "bad_"));
    ensure!(strange.is_empty(), "{strange:?}: neither good_ nor bad_");
    ensure!(
        good.len() >= GOOD && bad.len() >= BAD,
        "{} has {} good and {} bad vectors, fewer than {GOOD} and {BAD}",
        folder.display(),
        good.len(),
        bad.len()
    );
    Ok((good, bad))
}
