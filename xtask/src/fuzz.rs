//! `cargo xtask fuzz`: every target of `fuzz/` for its share of the time, and a line of what came of it.
//!
//! cargo-fuzz builds (nightly, optimised, dependencies once for all targets), the programs are then called as they are.
//! No sanitizer: unsafe code is forbidden in ours, and what AddressSanitizer would find in others' costs half the speed;
//! a panic, a hang or too much memory is what a target waits for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::tools::{must, repository, target};

/// How long, and what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds in all, shared by the targets.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Only this target (more than once for several); all without it.
    #[arg(long = "target")]
    targets: Vec<String>,
    /// Each target ends after this many executions, if its share of the time lasts so long.
    #[arg(long)]
    runs: Option<u64>,
    /// Each target ends when it has had this many executions in all, those of earlier calls among them.
    #[arg(long, conflicts_with = "runs")]
    total: Option<u64>,
}

/// What one target did.
struct Outcome {
    name: String,
    executions: u64,
    /// With those of earlier calls.
    total: u64,
    seconds: f64,
    edges: String,
    crashes: Vec<PathBuf>,
    /// The program ended badly, or was stopped by itself.
    failed: bool,
}

const INSTALL: &str = "cargo install cargo-fuzz --locked";

pub(crate) fn run(options: &Options) -> Result<()> {
    install_cargo_fuzz()?;
    let all = names()?;
    let chosen = if options.targets.is_empty() {
        all.clone()
    } else {
        options.targets.clone()
    };
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
        bail!("no target is named {unknown}; there are: {}", all.join(" "));
    }
    let mut build = fuzz("build");
    if let [one] = chosen.as_slice() {
        build.arg(one);
    }
    must(build.current_dir(repository()))?;
    let share = (options.seconds / chosen.len() as u64).max(1);
    println!(
        "| target | executions | in all | per second | edges | found |\n| --- | ---: | ---: | ---: | ---: | --- |"
    );
    let mut found = Vec::new();
    for name in &chosen {
        let missing = options.total.map(|total| total.saturating_sub(had(name)));
        if missing == Some(0) {
            continue;
        }
        let outcome = execute(name, share, options.runs.or(missing))?;
        println!(
            "| {} | {} | {} | {:.0} | {} | {} |",
            outcome.name,
            outcome.executions,
            outcome.total,
            outcome.executions as f64 / outcome.seconds.max(0.001),
            outcome.edges,
            if outcome.failed { "a crash" } else { "" }
        );
        if outcome.failed {
            found.push(outcome);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    for outcome in &found {
        for crash in &outcome.crashes {
            let (name, crash) = (&outcome.name, crash.display());
            println!(
                "{name}: mend it, then keep the input: mkdir -p fuzz/regressions/{name} && cp {crash} fuzz/regressions/{name}/"
            );
        }
    }
    let names: Vec<_> = found.iter().map(|outcome| outcome.name.as_str()).collect();
    bail!("crashes in {}", names.join(", "))
}

fn install_cargo_fuzz() -> Result<()> {
    let there = Command::new("cargo")
        .args(["+nightly", "fuzz", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    println!(
        "missing: cargo-fuzz ({INSTALL}), which needs the nightly toolchain (rustup toolchain install nightly)"
    );
    // Not under the nightly toolchain of `fuzz/`, nor into its target folder.
    must(Command::new("cargo").args(INSTALL.split_whitespace().skip(1)))
        .with_context(|| format!("install it by hand: {INSTALL}"))
}

/// `cargo fuzz` with the options that building and everything else must share, or all is built twice.
fn fuzz(task: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "fuzz", task, "--release", "--sanitizer", "none"])
        .env("CARGO_TARGET_DIR", folder())
        .env("RUSTC_WRAPPER", repository().join("fuzz/rustc.sh"))
        // Set by `cargo xtask` for its own toolchain.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    command
}

fn folder() -> PathBuf {
    target().join("fuzz")
}

/// The folder of a file per target with the number of its executions so far, beside the corpora, and lost with them.
const EXECUTIONS: &str = "executions";

/// How many executions a target has had.
fn had(name: &str) -> u64 {
    fs::read_to_string(folder().join(EXECUTIONS).join(name))
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// The targets, by the wrappers' files.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in fs::read_dir(repository().join("fuzz/fuzz_targets")).context("fuzz/fuzz_targets")? {
        let path = item?.path();
        if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The host's triple, in whose folder cargo-fuzz builds.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("rustc does not name its host")
}

fn execute(name: &str, seconds: u64, runs: Option<u64>) -> Result<Outcome> {
    let program = folder().join(host()?).join("release").join(name);
    let (corpus, artifacts) = (
        folder().join("corpus").join(name),
        folder().join("artifacts").join(name),
    );
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let before = files(&artifacts);
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=60"])
        .arg(&corpus);
    command.args(runs.map(|runs| format!("-runs={runs}")));
    for folder in ["seeds", "regressions"] {
        let folder = repository().join("fuzz").join(folder).join(name);
        command.args(folder.is_dir().then_some(folder));
    }
    let start = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    let elapsed: Duration = start.elapsed();
    let log = String::from_utf8_lossy(&output.stderr);
    let failed = !output.status.success();
    if failed {
        println!("{log}");
    }
    let executions = after(&log, "stat::number_of_executed_units:")
        .parse()
        .unwrap_or_default();
    let total = had(name).saturating_add(executions);
    fs::create_dir_all(folder().join(EXECUTIONS))?;
    fs::write(folder().join(EXECUTIONS).join(name), total.to_string())?;
    Ok(Outcome {
        name: name.to_owned(),
        executions,
        total,
        seconds: elapsed.as_secs_f64(),
        edges: after(&log, " cov:"),
        crashes: files(&artifacts)
            .into_iter()
            .filter(|file| !before.contains(file))
            .collect(),
        failed,
    })
}

/// The word after the last occurrence of a label.
fn after(log: &str, label: &str) -> String {
    log.rsplit_once(label)
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .unwrap_or_default()
        .to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|item| Some(item.ok()?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libfuzzer_s_words_are_read() {
        let log = "#2 INITED cov: 17 ft: 18\n#9 DONE   cov: 19 ft: 21 corp: 5\nstat::number_of_executed_units: 10000\n";
        assert_eq!(after(log, " cov:"), "19");
        assert_eq!(after(log, "stat::number_of_executed_units:"), "10000");
        assert_eq!(after("", " cov:"), "");
    }

    #[test]
    fn every_target_of_the_folder_is_named() {
        let names = names().unwrap();
        assert!(names.len() > 40 && names.contains(&"verify_bytes".to_owned()));
    }
}
