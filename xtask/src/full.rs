//! What `cargo xtask test --full` runs besides the long tests: unit tests of parsers, codecs and trees under Miri.
//!
//! Our crates have no unsafe code; what Miri watches is what they call with bytes from outside. It interprets, hundreds of
//! times slower than the machine, so tests are named one by one, and those of many cases take a few there (`cfg!(miri)`).
//! All of it took 17 minutes of processor time on 26 November 2026, about half of them for compiling the first time (aws-lc's
//! C is compiled too, though never called); a part takes ten seconds to two minutes of one core. Left out are
//! - Poseidon, whose constants alone take minutes: whatever hashes a text, so most of policies, and schemas' rules;
//! - curves, but for a few Ed25519 keys and signatures and one presentation: credentials, verifying keys, files with a
//!   dozen keys, a policy's cosigners, FROST;
//! - the sequencer's and readers' tests of whole logs, and entries of 64 KiB: thousands of hashes;
//! - foreign code, which Miri cannot run: aws-lc (the verifier's CSRs and certificates), and OpenSSL as an oracle;
//! - `bauta-verifier` and `bauta-prover`, whose unit tests are proofs, curves, arithmetic or foreign code.

use std::{
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::tools::{must, repository, target};

/// How many at once.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Parts at once, each of which takes one core; without it, as many as there are cores.
    #[arg(long)]
    jobs: Option<usize>,
}

/// Tests of one crate that one process runs: modules or tests by prefix, less those that have a part of a name.
struct Part {
    package: &'static str,
    tests: &'static [&'static str],
    left_out: &'static [&'static str],
}

/// The longest first.
const PARTS: [Part; 11] = [
    Part {
        package: "bauta-log",
        tests: &[
            "key::",
            "storage::",
            "policy::tests::bad_policies",
            "policy::tests::names_are_octets",
            "tlog_proof::tests::a_proof_round_trips",
        ],
        left_out: &[],
    },
    Part {
        package: "bauta-log",
        tests: &["sequencer::tests::bad_recovery_states"],
        left_out: &[],
    },
    Part {
        package: "bauta-log",
        tests: &["merkle::", "tile::", "checkpoint::"],
        // Hundreds of Ed25519 verifications.
        left_out: &["altered"],
    },
    Part {
        package: "bauta-statement",
        tests: &[
            "certificate::tests::a_relying_party",
            "certificate::tests::certificates_are_the_golden_bytes",
            "certificate::tests::enterprise_numbers",
            "certificate::tests::pem",
            "certificate::tests::pseudonyms",
            "certificate::tests::serials",
            "certificate::tests::years",
        ],
        left_out: &[],
    },
    Part {
        package: "bauta-statement",
        tests: &["note::"],
        // Of the tests of notes, those with a dozen signatures.
        left_out: &["count"],
    },
    Part {
        package: "bauta-statement",
        tests: &["presentation::tests::a_presentation_is_read_back"],
        left_out: &[],
    },
    Part {
        package: "bauta-statement",
        tests: &["csr::"],
        left_out: &[],
    },
    Part {
        package: "bauta-statement",
        tests: &["challenge::", "context::"],
        left_out: &[],
    },
    Part {
        package: "bauta-statement",
        tests: &[
            "entry::",
            "field::",
            "file::authority::",
            "file::text::",
            "file::tests::tombstones",
            "group::tests::a_coordinate",
            "group::tests::infinity",
            "policy::tests::a_relation",
            "relation::tests::input_counts",
            "relation::tests::refuses",
            "scope::tests::a_period",
            "vector::tests::debug",
            "vector::tests::serials",
        ],
        // An entry of 64 KiB.
        left_out: &["entries_stay"],
    },
    Part {
        package: "bauta-statement",
        tests: &[
            "presentation::tests::a_header",
            "presentation::tests::another_length",
            "schema::tests::every_check",
        ],
        left_out: &[],
    },
    Part {
        package: "bauta-signer-protocol",
        tests: &["messages::"],
        left_out: &[],
    },
];

pub(crate) fn run(options: &Options) -> Result<()> {
    install_miri()?;
    let mut packages = PARTS.map(|part| part.package).to_vec();
    packages.sort_unstable();
    packages.dedup();
    for package in packages {
        must(miri(package).arg("--no-run"))?;
    }
    let jobs = match options.jobs {
        Some(jobs) => jobs.max(1),
        None => std::thread::available_parallelism()?.get(),
    };
    let (queue, failures) = (Mutex::new(PARTS.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                // The lock is free again before the part runs.
                let next = || queue.lock().ok()?.next();
                while let Some(part) = next() {
                    match interpret(part) {
                        Ok((said, time)) => println!("{said}   {:.0} s\n", time.as_secs_f64()),
                        Err(error) => {
                            println!("{error:#}");
                            if let Ok(mut failures) = failures.lock() {
                                failures.push(part.tests);
                            }
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    if !failures.is_empty() {
        bail!("failed under Miri: {failures:?}");
    }
    Ok(())
}

/// Runs one part; what it said, in one piece, and how long it took.
fn interpret(part: &Part) -> Result<(String, Duration)> {
    let start = Instant::now();
    let output = miri(part.package)
        .arg("--")
        .args(part.tests)
        .args(part.left_out.iter().flat_map(|name| ["--skip", name]))
        .output()
        .context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    // A test that got another name would otherwise be left out from then on, and nobody told.
    let unmatched = |name: &&&str| !said.contains(&format!("test {name}"));
    if let Some(name) = part.tests.iter().find(unmatched) {
        bail!("{said}{} has no test {name}", part.package);
    }
    Ok((said, start.elapsed()))
}

fn miri(package: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "miri", "test", "--package", package, "--lib"])
        .current_dir(repository())
        .env("CARGO_TARGET_DIR", target().join("miri"))
        // Tests read their vectors from the tree, and time is nobody's secret here.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    command
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
