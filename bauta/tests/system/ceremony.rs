//! Packages for remote holders, and their answers: what is refused, and that an invitation takes one answer.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::program::{Ended, bauta, folder};

/// Runs a command line in this folder.
fn run(here: &Path, line: &str) -> Ended {
    let mut command = bauta();
    command.args(line.split_whitespace()).current_dir(here);
    command.output().expect("bauta").into()
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_answer_is_taken_once_unaltered_and_as_it_was_read_out() {
    let folder = folder();
    let here = folder.path();
    secret(&here.join("passphrase"), "to the package\n");
    secret(&here.join("seal"), "of the keys\n");
    run(
        here,
        "keys new service --name example.org/log --out service",
    )
    .with(0);
    const INVITE: &str = "--trust-domain example.org --coordinator 127.0.0.1:7443 --service-keys service --development \
                          --passphrase-file passphrase --invitations invitations";
    for name in ["signer-1", "signer-2"] {
        run(
            here,
            &format!("ca invite --name {name} {INVITE} --out {name}.age"),
        )
        .with(0);
    }
    // A second invitation of one name would make two answers possible.
    run(
        here,
        &format!("ca invite --name signer-1 {INVITE} --out again.age"),
    )
    .with(1);
    let kept = fs::metadata(here.join("invitations/signer-1.json")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);

    // The wrong passphrase opens nothing, and leaves nothing behind.
    const ENROL: &str = "signer enrol --package signer-1.age --passphrase-file seal";
    let refused = run(
        here,
        &format!("{ENROL} --package-passphrase-file seal --out node"),
    )
    .with(1);
    assert!(refused.err.contains("does not open"), "{}", refused.err);
    assert!(!here.join("node").exists());
    let enrolled = run(
        here,
        &format!("--json {ENROL} --package-passphrase-file passphrase --out node"),
    )
    .with(0);
    let enrolled: Value = serde_json::from_str(&enrolled.out).unwrap();
    let read_out = enrolled["fingerprint"].as_str().unwrap().replace(' ', "");

    let accept = |answer: &str, fingerprint: &str| {
        run(
            here,
            &format!(
                "ca accept {answer} --invitations invitations --fingerprint {fingerprint} --out signer-1.json"
            ),
        )
    };
    let other = "A".repeat(32);
    let refused = accept("node/answer.json", &other).with(4);
    assert!(refused.err.contains("exchanged"), "{}", refused.err);
    let answer: Value =
        serde_json::from_slice(&fs::read(here.join("node/answer.json")).unwrap()).unwrap();
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut altered = answer.clone();
        change(&mut altered);
        fs::write(here.join("altered.json"), altered.to_string()).unwrap();
        accept("altered.json", &read_out)
    };
    altered(&|answer| answer["signer"]["tls"] = "00".repeat(32).into()).with(4);
    altered(&|answer| answer["authenticator"] = "00".repeat(32).into()).with(4);
    // Another invitation's name: its token is another.
    altered(&|answer| answer["signer"]["name"] = "signer-2".into()).with(4);
    altered(&|answer| answer["signer"]["name"] = "../signer-1".into()).with(1);
    assert!(!here.join("signer-1.json").exists());

    accept("node/answer.json", &read_out).with(0);
    let public: Value =
        serde_json::from_slice(&fs::read(here.join("signer-1.json")).unwrap()).unwrap();
    assert_eq!(public, answer["signer"]);
    let again = accept("node/answer.json", &read_out).with(1);
    assert!(again.err.contains("no open invitation"), "{}", again.err);
}
