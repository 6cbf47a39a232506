//! OpenSSL and Go verify the vectors' hierarchy: a leaf, the issuing CA as its root certified it, and the root; and the leaf
//! under the CA's own certificate. Where a program is missing the test says so and passes. (rustls-webpki is asked in
//! `bauta-verifier`.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bauta_statement::certificate::to_pem;

/// 2026-11-22T00:00:00Z, inside the leaf's ten minutes.
const NOW: &str = "1795305600";

fn pem(name: &str) -> String {
    let path = format!(
        "{}/../vectors/certificate/{name}.hex",
        env!("CARGO_MANIFEST_DIR")
    );
    let hex = std::fs::read_to_string(path).unwrap();
    to_pem(
        &data_encoding::HEXLOWER
            .decode(hex.trim().as_bytes())
            .unwrap(),
    )
}

/// `NAME.pem` of each, and `chain.pem`, `direct.pem`: leaf and what is above it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, pem: String| std::fs::write(folder.join(name), pem).unwrap();
    for one in ["leaf", "ca", "subordinate", "root"] {
        write(&format!("{one}.pem"), pem(one));
    }
    write("chain.pem", pem("leaf") + &pem("subordinate"));
    write("direct.pem", pem("leaf") + &pem("ca"));
    folder
}

fn ended(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Root, chain, and whether it verifies.
const CASES: [(&str, &str, bool); 4] = [
    ("root.pem", "chain.pem", true),
    ("ca.pem", "direct.pem", true),
    // The CA's own certificate leads to no root, and the root's to no leaf without what is between.
    ("root.pem", "direct.pem", false),
    ("root.pem", "leaf.pem", false),
];

#[test]
fn openssl_verifies_leaf_subordinate_and_root() {
    let folder = folder("hierarchy-openssl");
    for (root, chain, good) in CASES {
        for purpose in ["sslclient", "sslserver"] {
            let verified = Command::new("openssl")
                .args([
                    "verify",
                    "-x509_strict",
                    "-attime",
                    NOW,
                    "-purpose",
                    purpose,
                ])
                .args(["-CAfile", root, "-untrusted", chain, chain])
                .current_dir(&folder)
                .output();
            let Ok(verified) = verified else {
                eprintln!("no openssl on this machine: this oracle is left out");
                return;
            };
            let (ok, said) = ended(&verified);
            assert_eq!(ok, good, "{root} {chain} {purpose}: {said}");
        }
    }
}

#[test]
fn go_verifies_leaf_subordinate_and_root() {
    let folder = folder("hierarchy-go");
    let program = folder.join("x509check");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../vectors/go/x509check"
        ))
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .output();
    let Ok(built) = built else {
        eprintln!("no Go on this machine: this oracle is left out");
        return;
    };
    assert!(built.status.success(), "{}", ended(&built).1);
    for (root, chain, good) in CASES {
        let verified = Command::new(&program)
            .args([root, NOW, chain])
            .current_dir(&folder)
            .output()
            .unwrap();
        let (ok, said) = ended(&verified);
        assert_eq!(ok, good, "{root} {chain}: {said}");
        if good {
            let length = if root == "root.pem" { 3 } else { 2 };
            assert!(
                said.contains(&format!("verified chain of {length}")),
                "{said}"
            );
        }
    }
}
