//! Pages of `docs/`: their lines are run as they stand, in an empty folder, but for the ports.

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

/// Walks a page; gives what it printed. The logs named are shown if it fails.
#[track_caller]
fn walk<const N: usize>(page: &str, fixed: [&str; N], logs: &[&str]) -> Ended {
    let page = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let mut script = blocks(&fs::read_to_string(&page).expect("the page"));
    assert!(
        script.lines().count() > 40,
        "the document's blocks are found"
    );
    for (fixed, free) in fixed.iter().zip(free_ports::<N>()) {
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
            .map(|log| fs::read_to_string(here.join(log)).unwrap_or_default())
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

/// The page's own words, so that a step that does nothing is noticed.
#[track_caller]
fn says(walked: &Ended, words: &[&str]) {
    for words in words {
        assert!(
            walked.out.contains(words),
            "{words:?} is not in {}",
            walked.out
        );
    }
}

#[test]
fn the_walkthrough_can_be_walked() {
    let walked = walk(
        "walkthrough.md",
        ["18441", "18442", "18443"],
        &["service.log", "issuer.log", "signer-1.log"],
    );
    says(
        &walked,
        &[
            "each with a presentation that verifies",
            "1 credential(s) revoked",
            "\"format\": \"x509-rsa\"",
            "CRL number 1 is well-formed",
            "certificate/certificate.pem: OK",
        ],
    );
}

#[test]
fn the_hierarchy_can_be_built() {
    let walked = walk(
        "hierarchy.md",
        ["18451", "18452"],
        &["quickstart.log", "openssl.log", "root-service.log"],
    );
    says(
        &walked,
        &[
            "by-organisation/certificate.pem: OK",
            "by-root/certificate.pem: OK",
            "issued chains have it from now on",
            "certificate(s) issued",
            "\"name\":\"key-2\"",
        ],
    );
    assert!(
        walked.err.contains("it issues in the epoch in force"),
        "{}",
        walked.err
    );
}

#[test]
fn a_ceremony_can_be_held() {
    let walked = walk(
        "ceremony.md",
        ["18451", "18452"],
        &["service.log", "holders/1/signer.log"],
    );
    says(&walked, &["CN = Example Ceremony CA"]);
}

/// Refresh, repair after a re-enrolment, another set of signers, backup and restore, through real service and signers.
#[test]
fn a_key_can_be_kept_alive() {
    let walked = walk(
        "keys.md",
        ["18461", "18462"],
        &[
            "service.log",
            "signers/1/signer.log",
            "signers/6b/signer.log",
        ],
    );
    says(
        &walked,
        &[
            "commits to",
            "signer-4 has its share of key-1 back",
            "of 5: signer-1, signer-2, signer-4, signer-6, signer-7",
            "lyon keeps the backups of signer-4, signer-6",
            "backup of signer-6's share of key-1, for lyon alone",
            "signer-6 has its share of key-1 again",
        ],
    );
    assert!(walked.err.contains("it is worthless"), "{}", walked.err);
}
