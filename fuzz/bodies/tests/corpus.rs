//! Every target over its seeds, its regressions and a few mutations of both, on the ordinary toolchain: a found input stays
//! found, and a target that stopped holding is seen without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bauta_fuzz_bodies::{TARGETS, Target};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What all mutations of one target may cost: the slow targets get fewer.
const SHARE: Duration = Duration::from_millis(150);
/// The most mutations of one target.
const MUTATIONS: usize = 200;

fn inputs(folder: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder)
        .join(target);
    let mut inputs: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let path = item.ok()?.path();
            Some((path.clone(), fs::read(path).ok()?))
        })
        .collect();
    inputs.sort();
    inputs
}

/// A few bytes changed, taken away or put in.
fn mutate(input: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.next_u32() % 3 {
        let at = rng.next_u32() as usize % (bytes.len() + 1);
        match rng.next_u32() % 4 {
            0 => bytes.insert(at, rng.next_u32() as u8),
            1 => bytes.truncate(at),
            _ => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << (rng.next_u32() % 8)),
        }
    }
    bytes
}

fn check(target: &Target) {
    (target.body)(&[]);
    let mut known = inputs("seeds", target.name);
    assert!(
        !known.is_empty(),
        "no seeds of {}: cargo run -p bauta-fuzz-bodies --example seeds",
        target.name
    );
    known.extend(inputs("regressions", target.name));
    for (path, input) in &known {
        println!("{}", path.display());
        (target.body)(input);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let start = Instant::now();
    for i in 0..MUTATIONS {
        if start.elapsed() > SHARE {
            break;
        }
        let (_, input) = &known[i % known.len()];
        let input = mutate(input, &mut rng);
        println!("{} on {input:?}", target.name);
        (target.body)(&input);
    }
}

#[test]
fn every_target_holds_over_seeds_and_regressions() {
    for target in TARGETS {
        println!("── {}", target.name);
        check(target);
    }
}

/// A regression belongs to a target, or nobody ever runs it again.
#[test]
fn every_regression_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../regressions");
    for item in fs::read_dir(folder).into_iter().flatten() {
        let path = item.expect("an item").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(
            bauta_fuzz_bodies::target(name).is_some(),
            "{name} is no target"
        );
    }
}

#[test]
fn the_seeds_in_the_tree_are_those_that_the_code_makes() {
    for (target, seeds) in bauta_fuzz_bodies::seeds::all() {
        for (name, bytes) in seeds {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../seeds")
                .join(target)
                .join(&name);
            let stored = fs::read(&path).unwrap_or_default();
            assert!(
                stored == bytes,
                "{} is stale: cargo run -p bauta-fuzz-bodies --example seeds",
                path.display()
            );
        }
    }
}
