//! `docs/walkthrough.md` and `docs/ceremony.md`: their lines are run as they stand, in an empty folder, but for the ports.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::program::{Ended, bauta, folder};

/// The document's `sh` blocks, in order.
fn blocks(page: &str) -> String {
    let mut script = String::new();
    for block in page.split("```sh\n").skip(1) {
        let (lines, _) = block.split_once("```").expect("the block ends");
        script.push_str(lines);
        script.push('\n');
    }
    script
}

/// As many free ports; they may be lost to another process before they are used, which is the price of a script.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.each_ref()
        .map(|listener| listener.local_addr().expect("an address").port())
}

/// Runs the blocks of a page of `docs/`, with free ports for those that it names; the log files are shown if it fails.
fn walk<const N: usize>(page: &str, ports: [&str; N], logs: &[&str]) -> Ended {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let mut script = blocks(&fs::read_to_string(&path).expect("the page"));
    for (fixed, free) in ports.iter().zip(free_ports::<N>()) {
        assert!(script.contains(fixed), "the document uses port {fixed}");
        script = script.replace(fixed, &free.to_string());
    }
    let folder = folder();
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_bauta"), programs.join("bauta")).unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    let script = format!(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\nset -x\n{script}"
    );

    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let cache = bauta()
        .get_envs()
        .find(|(name, _)| *name == "BAUTA_CACHE")
        .and_then(|(_, value)| value)
        .unwrap()
        .to_owned();
    let mut bash = Command::new("bash");
    bash.arg("-c")
        .arg(&script)
        .current_dir(&here)
        .env("PATH", path)
        .env("BAUTA_CACHE", cache)
        .stdin(Stdio::null());
    // A group of its own, so that nothing outlives a walk that fails.
    bash.process_group(0);
    let walked: Ended = bash.output().expect("bash").into();
    if walked.code != Some(0) {
        let logs: Vec<_> = logs
            .iter()
            .map(|name| fs::read_to_string(here.join(name)).unwrap_or_default())
            .collect();
        panic!(
            "the walk ends with {:?}:\n{}\n{}\n{}",
            walked.code,
            walked.out,
            walked.err,
            logs.join("\n")
        );
    }
    walked
}

#[test]
fn the_walkthrough_can_be_walked() {
    let walked = walk(
        "walkthrough.md",
        ["18441", "18442", "18443"],
        &["service.log", "issuer.log", "signer-1.log"],
    );
    assert!(
        walked
            .out
            .contains("each with a presentation that verifies"),
        "{}",
        walked.out
    );
    assert!(
        walked.out.contains("1 credential(s) revoked"),
        "{}",
        walked.out
    );
    assert!(
        walked.out.contains("certificate/certificate.pem: OK"),
        "{}",
        walked.out
    );
}

#[test]
fn a_ceremony_can_be_held() {
    let walked = walk(
        "ceremony.md",
        ["18451", "18452"],
        &["service.log", "holders/1/signer.log"],
    );
    assert!(
        walked.out.contains("CN = Example Ceremony CA"),
        "{}",
        walked.out
    );
}
