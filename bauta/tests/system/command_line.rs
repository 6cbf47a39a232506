//! Exit statuses, `--json`, `--help`, and errors that name the remedy.

use std::fs;

use serde_json::Value;

use crate::program::{Data, bauta, end, folder, run, tool};

/// Every command there is.
const COMMANDS: [&str; 32] = [
    "",
    "quickstart",
    "enrol",
    "prepare",
    "authenticate",
    "verify-certificate",
    "audit",
    "service",
    "signer",
    "signer keys",
    "signer enrol",
    "signer admit",
    "signer approve",
    "signer token check",
    "signer token share",
    "export snarkjs",
    "issuer",
    "issuer keys",
    "issuer revoke",
    "issuer list",
    "issuer x509",
    "keys",
    "keys new",
    "ca invite",
    "ca accept",
    "ca authority",
    "ca init",
    "policy check",
    "policy sign",
    "policy publish",
    "epoch publish",
    "parameters",
];

#[test]
fn every_command_helps() {
    for command in COMMANDS {
        let ended = run(command.split_whitespace().chain(["--help"])).with(0);
        assert!(
            ended.out.contains("Usage: bauta"),
            "{command}: {}",
            ended.out
        );
    }
    let help = run(["--help"]).with(0).out;
    for command in COMMANDS.iter().filter(|command| !command.is_empty()) {
        let first = command.split(' ').next().unwrap();
        assert!(
            help.contains(&format!("\n  {first}")),
            "{first} is not in `bauta --help`"
        );
    }
    assert!(help.contains("Exit status"), "{help}");
}

#[test]
fn a_command_line_that_is_not_understood_is_2() {
    for line in [
        "",
        "quickstart --twice",
        "signer",
        "issuer revoke --config x --out y",
        "audit",
        "policy sign x --type nonsense",
        "export snarkjs",
    ] {
        run(line.split_whitespace()).with(2);
    }
}

#[test]
fn a_file_that_is_not_there_is_1_and_named() {
    for line in [
        "policy check nowhere.json",
        "enrol --cert nowhere.pem --key nowhere.key --issuer https://127.0.0.1:1 --issuer-ca nowhere.pem",
        "verify-certificate nowhere.pem --proof nowhere --ca nowhere --log-policy nowhere",
        "audit nowhere --log-policy nowhere-policy",
        "service --config nowhere.json",
        "signer --config nowhere.json",
        "issuer --config nowhere.json",
        "ca authority --plan nowhere.json --key nowhere.key --out a --log-policy b",
    ] {
        run(line.split_whitespace()).with(1).says("nowhere");
        let ended = run(["--json"].into_iter().chain(line.split_whitespace())).with(1);
        let error: Value = ended
            .err
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .expect(&ended.err);
        assert_eq!(error["exit"], 1);
        assert!(
            error["error"].as_str().unwrap().contains("nowhere"),
            "{error}"
        );
        assert_eq!(ended.out, "", "{line}");
    }
}

#[test]
fn an_export_without_a_quickstart_is_3_and_help_says_what_it_reveals() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let line = [
        "export",
        "snarkjs",
        "--data",
        &at("data"),
        "--out",
        &at("out"),
    ]
    .map(str::to_owned);
    run(line.iter().map(String::as_str))
        .with(3)
        .says("bauta quickstart --once --data");
    assert!(!folder.path().join("out").exists());
    let help = run(["export", "snarkjs", "--help"]).with(0).out;
    assert!(help.contains("reveal"), "{help}");
}

#[test]
fn keys_and_parameters_answer_in_json_and_are_never_overwritten() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for purpose in ["administrator", "service", "tls"] {
        let line = [
            "--json",
            "keys",
            "new",
            purpose,
            "--name",
            if purpose == "tls" {
                "127.0.0.1"
            } else {
                "example.org/one"
            },
            "--out",
        ];
        let out = at(purpose);
        let again = || run(line.into_iter().chain([out.as_str()]));
        again().with(0).json();
        again().with(1).says("never overwritten");
    }
    let passphrase = at("passphrase");
    fs::write(&passphrase, "correct horse\n").unwrap();
    let keys = at("signer");
    let signer = || {
        run([
            "--json",
            "signer",
            "keys",
            "--name",
            "one",
            "--out",
            &keys,
            "--passphrase-file",
            &passphrase,
        ])
    };
    signer().with(1).says("600");
    tool(folder.path(), "chmod", &["600", "passphrase"]);
    signer().with(0).json();
    signer().with(1);
    run(["--json", "parameters", "--out", &at("parameters")])
        .with(0)
        .json();
}

#[test]
fn a_policy_with_a_mistake_is_wrong_and_says_where() {
    let folder = folder();
    let path = folder.path().join("policy.json");
    let example = include_str!("../../../docs/examples/policy.json");
    fs::write(&path, example).unwrap();
    let check = || end(bauta().args(["--json", "policy", "check"]).arg(&path));
    check().with(0).json();
    fs::write(&path, example.replace("at_least", "at_leest")).unwrap();
    let ended = check();
    assert!(matches!(ended.code, Some(1 | 4)), "{:?}", ended.code);
    ended.says("at_leest");
    fs::write(&path, example.replace("\"slot\": 7", "\"slot\": 77")).unwrap();
    check().says("slot");
}

/// `verify-certificate` and `audit` end with 4 for whatever was altered.
#[test]
fn what_is_checked_and_wrong_is_4() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    data.once().with(0);
    let holder = data.path("holder");
    let copy = folder.path().join("copy");
    let renew = || {
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir(&copy).unwrap();
        for name in ["certificate.pem", "certificate.tlog-proof"] {
            fs::copy(holder.join(name), copy.join(name)).unwrap();
        }
    };
    renew();
    data.verify(&copy).with(0);

    // A line of the proof altered, one after the other: the entry (extra data), the index, a hash, the checkpoint, a signature.
    let proof = fs::read_to_string(copy.join("certificate.tlog-proof")).unwrap();
    let lines: Vec<&str> = proof.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        // The middle of a line: neither base64's spare bits nor a cosignature that the quorum can spare.
        let Some(middle) = line.char_indices().nth(line.chars().count() / 2) else {
            continue;
        };
        let (at, old) = middle;
        let new = if old == 'A' { "B" } else { "A" };
        let altered = format!("{}{new}{}", &line[..at], &line[at + old.len_utf8()..]);
        let mut lines = lines.clone();
        lines[number] = &altered;
        let cosignature = line.starts_with('\u{2014}');
        fs::write(copy.join("certificate.tlog-proof"), lines.join("\n") + "\n").unwrap();
        let ended = data.verify(&copy);
        if cosignature && ended.code == Some(0) {
            continue; // one of five, of which four must be there
        }
        let said = ended.err.clone();
        assert_eq!(ended.code, Some(4), "line {number} ({line}): {said}");
    }
    fs::write(copy.join("certificate.tlog-proof"), "").unwrap();
    data.verify(&copy).with(4);

    // The certificate altered, or another one.
    renew();
    let der = folder.path().join("leaf.der");
    tool(
        &copy,
        "openssl",
        &[
            "x509",
            "-in",
            "certificate.pem",
            "-outform",
            "DER",
            "-out",
            der.to_str().unwrap(),
        ],
    );
    let good = fs::read(&der).unwrap();
    for at in [40, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            data_encoding::BASE64.encode(&bytes)
        );
        fs::write(copy.join("certificate.pem"), pem).unwrap();
        data.verify(&copy).with(4);
    }
    fs::copy(
        data.path("organisation/ada.pem"),
        copy.join("certificate.pem"),
    )
    .unwrap();
    data.verify(&copy).with(4);

    // Another CA, of the same make: a second folder's.
    let other = Data(folder.path().join("other"));
    other.once().with(0);
    other.verify(&holder).with(4);
    let mixed = end(bauta()
        .args(["verify-certificate"])
        .arg(holder.join("certificate.pem"))
        .arg("--proof")
        .arg(holder.join("certificate.tlog-proof"))
        .arg("--ca")
        .arg(other.path("ca.pem"))
        .arg("--log-policy")
        .arg(data.path("log-policy")));
    mixed.with(4).says("not this CA");

    audits_that_fail(&data, &other);
}

/// A log that was altered, forked, or is another one.
fn audits_that_fail(data: &Data, other: &Data) {
    let audit = |log: &str, policy: &Data, extra: &[&str]| {
        end(bauta()
            .args(["audit", log, "--log-policy"])
            .arg(policy.path("log-policy"))
            .args(extra))
    };
    let log = data.text("log");
    audit(&log, data, &[]).with(0);
    audit(&log, other, &[]).with(4);
    audit(&log, data, &["--compare", &other.text("signers/1/log")]).with(4);
    audit(&log, data, &["--authority", &"00".repeat(32)]).with(4);
    // One byte of the entries, of the authority's file, and of a tile. Partial tiles of smaller sizes may lie there still.
    let size = fs::read_to_string(data.path("log/checkpoint"))
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .to_owned();
    let authority = tool(&data.0, "sha256sum", &["files/authority"]);
    let authority = &authority[..64];
    for file in [
        format!("log/tile/entries/000.p/{size}"),
        format!("log/objects/{authority}"),
        format!("log/tile/0/000.p/{size}"),
    ] {
        let file = data.path(&file);
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&file, bad).unwrap();
        let ended = audit(&log, data, &[]);
        fs::write(&file, good).unwrap();
        assert_ne!(
            ended.code,
            Some(0),
            "{} was altered, and the audit is content",
            file.display()
        );
    }
    audit(&log, data, &[]).with(0);
}
