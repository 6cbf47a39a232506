//! Proving the three relations beside gnark and snarkjs: the same rows and the same witness, which they read as `.r1cs` and
//! `.wtns`, in one run. Each makes keys of its own. Prints a table of medians; all use the cores that the process may use, so
//! for one core run it under `taskset -c 0`.

// The same holder's story as in the prover's tests.
#[path = "../../prover/tests/common/mod.rs"]
#[allow(dead_code, reason = "the tests use parts that the benches do not")]
mod common;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use bauta_circuits::{Circuit, compiled, iden3};
use bauta_prover::keys::Prover;
use bauta_prover::prepare::native_witness;
use bauta_prover::prove::prove;
use common::{rng, story};

/// Proofs of each relation that count; one more warms up.
const RUNS: usize = 11;

fn main() {
    let story = story();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ours = [
        measure(&story.nullifier, &story.use_witness, folder.path()),
        measure(
            &story.native,
            &native_witness(&story.credential),
            folder.path(),
        ),
        measure(&story.policy_prover, &story.policy_witness, folder.path()),
    ];
    let bases: Vec<PathBuf> = ours
        .iter()
        .map(|one| folder.path().join(one.relation))
        .collect();
    let gnark = medians(gnark().arg("prove").arg(RUNS.to_string()).args(&bases));
    let mut snarkjs = Command::new("node");
    snarkjs
        .arg(vectors().join("snarkjs/prove.mjs"))
        .arg(RUNS.to_string());
    let snarkjs = medians(snarkjs.arg(tools().join("snarkjs-parameters")).args(&bases));

    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("medians of {RUNS} proofs, in ms; the process may use {cores} core(s)\n");
    println!(
        "| relation | constraints | ours | gnark | its time by ours | snarkjs | its time by ours |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (one, base) in ours.iter().zip(&bases) {
        let peer = |peers: &HashMap<PathBuf, (usize, f64)>| {
            let (constraints, median) = peers[base];
            assert_eq!(constraints, one.constraints, "a peer proves other rows");
            format!("{median:.0} | {:.1}", median / one.median)
        };
        let (relation, constraints, median) = (one.relation, one.constraints, one.median);
        let (gnark, snarkjs) = (peer(&gnark), peer(&snarkjs));
        println!("| {relation} | {constraints} | {median:.0} | {gnark} | {snarkjs} |");
    }
}

struct Measured {
    relation: &'static str,
    constraints: usize,
    median: f64,
}

/// Times our prover, and writes what the peers read.
fn measure<C: Circuit>(prover: &Prover<C>, witness: &C, folder: &Path) -> Measured {
    let relation = C::RELATION.name();
    let base = folder.join(relation);
    let write = |kind: &str, bytes: &[u8]| {
        fs::write(base.with_extension(kind), bytes).expect("the temporary folder can be written");
    };
    write("r1cs", &iden3::r1cs(compiled::<C>()));
    write("wtns", &iden3::wtns(&witness.assignment()));
    let mut rng = rng(1);
    let mut times: Vec<f64> = (0..=RUNS)
        .map(|_| {
            let start = Instant::now();
            prove(prover, witness, &mut rng).expect("the story's witness is good");
            start.elapsed().as_secs_f64() * 1000.0
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    Measured {
        relation,
        constraints: compiled::<C>().rows.len(),
        median: times[RUNS / 2],
    }
}

/// Runs a peer, which prints "BASE CONSTRAINTS MEDIAN" of each.
fn medians(peer: &mut Command) -> HashMap<PathBuf, (usize, f64)> {
    eprintln!("running {:?}", peer.get_program());
    let output = peer
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{:?}: {error}", peer.get_program()));
    assert!(
        output.status.success(),
        "{peer:?} failed; snarkjs needs `npm ci` in vectors/, gnark needs Go"
    );
    let text = String::from_utf8(output.stdout).expect("peers print text");
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words");
            let base = PathBuf::from(word());
            let constraints = word().parse().expect("a count");
            (base, (constraints, word().parse().expect("a time")))
        })
        .collect()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors")
}

/// Where `cargo xtask test` keeps other people's tools.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools")
}

/// The program in `vectors/go/gnark`, built.
fn gnark() -> Command {
    let program = tools().join("gnark");
    let mut build = Command::new("go");
    build
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".");
    let built = build.current_dir(vectors().join("go/gnark")).status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "cannot build vectors/go/gnark with Go"
    );
    Command::new(program)
}
