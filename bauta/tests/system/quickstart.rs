//! `bauta quickstart --once`, from an empty folder and again in the same one.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::program::{Data, folder, tool};

/// What the listing in the documentation promises; folders end with a slash.
const LISTING: [&str; 14] = [
    "ca.pem",
    "endpoints.json",
    "tls/ca.pem",
    "log/",
    "log/checkpoint",
    "log/tile/0/",
    "log/tile/entries/",
    "log/objects/",
    "log-policy",
    "signers/1/log/",
    "signers/5/log/checkpoint",
    "holder/certificate.pem",
    "holder/key.pem",
    "holder/certificate.tlog-proof",
];

fn check_listing(data: &Data) {
    for name in LISTING {
        let found = fs::metadata(data.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.is_dir(), name.ends_with('/'), "{name}");
        assert!(found.is_dir() || found.len() > 0, "{name} is empty");
    }
    let mode = |name: &str| fs::metadata(data.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("holder/key.pem"), 0o600);
    assert_eq!(mode("holder/certificate.pem"), 0o644);
    // Who else is on the machine reads no key of the demonstration.
    assert_eq!(
        fs::metadata(&data.0).unwrap().permissions().mode() & 0o077,
        0
    );
    for name in ["service", "coordinator", "admin_socket"] {
        assert!(!data.endpoint(name).is_empty());
    }
}

/// The certificate, by the eyes of openssl.
fn check_certificate(data: &Data, policy: &str) {
    let certificate = data.text("holder/certificate.pem");
    tool(
        &data.0,
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca.pem",
            "-purpose",
            "sslclient",
            &certificate,
        ],
    );
    let text = tool(
        &data.0,
        "openssl",
        &["x509", "-in", &certificate, "-noout", "-text"],
    );
    assert!(
        text.contains(&format!("spiffe://example.org/{policy}/")),
        "{text}"
    );
    // Leaf first, then the issuing CA.
    let chain = fs::read_to_string(data.path("holder/certificate.pem")).unwrap();
    assert_eq!(chain.matches("-----BEGIN CERTIFICATE-----").count(), 2);
    let ca = fs::read_to_string(data.path("ca.pem")).unwrap();
    assert!(chain.replace('\n', "").ends_with(&ca.replace('\n', "")));
    // The key is the certificate's.
    let of_key = tool(
        &data.0,
        "openssl",
        &["pkey", "-in", "holder/key.pem", "-pubout"],
    );
    let of_certificate = tool(
        &data.0,
        "openssl",
        &["x509", "-in", &certificate, "-noout", "-pubkey"],
    );
    assert_eq!(of_key, of_certificate);
}

#[test]
fn from_an_empty_folder_and_again_until_the_sixth_key_is_refused() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let mut pseudonyms = Vec::new();
    for number in 1..=6 {
        let told = data.once().with(0).err;
        check_listing(&data);
        assert!(!data.endpoint("issuer").is_empty());
        check_certificate(&data, crate::program::POLICY);
        let verified = data.verify(&data.path("holder")).with(0).json();
        assert_eq!(verified["policy"], crate::program::POLICY);
        assert_eq!(verified["disclosed"], serde_json::json!([]));
        let report = data.audit();
        assert_eq!(report["issued"], number, "{report}");
        assert_eq!(report["copies"].as_array().unwrap().len(), 5);
        assert_eq!(
            told.contains("refused, as it should be"),
            number == 6,
            "run {number}:\n{told}"
        );
        assert_eq!(
            told.contains("Grace (Operations, level 7) enrols"),
            number == 6,
            "run {number}:\n{told}"
        );
        let learnt = told
            .lines()
            .find(|line| line.contains("it learnt: policy"))
            .unwrap_or_else(|| panic!("{told}"));
        pseudonyms.push(learnt.to_owned());
        data.nothing_left();
    }
    data.once_with(&["--x509"])
        .with(1)
        .says("was begun without --x509");
    // A name for each key, and none for the person.
    let all = pseudonyms.len();
    pseudonyms.sort();
    pseudonyms.dedup();
    assert_eq!(pseudonyms.len(), all);
}

#[test]
#[ignore = "makes a proving key of 200 MB: cargo xtask test --full"]
fn with_an_x509_certificate_from_an_empty_folder_and_again() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    for number in 1..=2 {
        let told = data.once_with(&["--x509"]).with(0).err;
        check_listing(&data);
        check_certificate(&data, "researcher");
        let verified = data.verify(&data.path("holder")).with(0).json();
        assert_eq!(verified["policy"], "researcher");
        assert_eq!(
            verified["disclosed"],
            serde_json::json!([["organisation", "Example Organisation"]])
        );
        assert_eq!(data.audit()["issued"], number);
        for words in [
            "nobody enrols",
            "its CRL",
            "organisation: Example Organisation",
            "refused, as it should be",
            "revoked",
        ] {
            assert!(told.contains(words), "{words:?} is not in:\n{told}");
        }
        data.nothing_left();
    }
    data.once().with(1).says("was begun with --x509");
}

#[test]
fn two_at_once_in_one_folder_are_refused_and_a_long_path_named() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let first = crate::program::Up::start(&data);
    crate::program::until("the first holds its folder", 30, || {
        data.path("endpoints.json").exists()
    });
    data.once().with(1).says("--data");
    drop(first);
    let long = Data(folder.path().join("long".repeat(30)));
    long.once().with(1).says("too long for a Unix socket");
}
