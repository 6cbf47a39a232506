//! What is deployed: the signer links no more than a signer needs, and its systemd unit says what the documentation promises.

mod tests {
    use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

    use crate::tools::repository;

    /// Crates of which one in a signer would make it something else: web servers, databases, circuits and provers.
    const FOREIGN: [&str; 12] = [
        "axum",
        "axum-server",
        "actix-web",
        "sqlx",
        "sqlx-core",
        "libsqlite3-sys",
        "rusqlite",
        "ark-groth16",
        "ark-relations",
        "ark-r1cs-std",
        "bauta-circuits",
        "bauta-prover",
    ];

    fn linked(package: &str) -> BTreeSet<String> {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                package,
            ])
            .current_dir(repository())
            .output()
            .expect("cargo tree runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_signer_links_no_web_server_database_or_circuits() {
        let signer = linked("bauta-signer");
        let found: Vec<_> = FOREIGN.iter().filter(|it| signer.contains(**it)).collect();
        assert!(found.is_empty(), "bauta-signer links {found:?}");
        // The names are those that Cargo knows: the program that has them all does have them.
        let all = linked("bauta");
        for name in ["axum", "sqlx", "bauta-circuits", "ark-groth16"] {
            assert!(all.contains(name), "{name}");
        }
    }

    fn unit() -> PathBuf {
        repository().join("deploy/bauta-signer.service")
    }

    #[test]
    fn the_unit_restarts_after_no_failed_pin_and_is_hardened() {
        let text = fs::read_to_string(unit()).expect("the unit");
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_else(|| panic!("{key} is not set"))
                .to_owned()
        };
        // The exit status is written down in signer/node/src/token/error.rs and in docs/tokens.md.
        assert!(
            value("RestartPreventExitStatus")
                .split(' ')
                .any(|it| it == "77")
        );
        for (key, wanted) in [
            ("LimitMEMLOCK", "infinity"),
            ("LimitCORE", "0"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("KillMode", "mixed"),
            ("CapabilityBoundingSet", ""),
            ("MemoryDenyWriteExecute", "yes"),
        ] {
            assert_eq!(value(key), wanted, "{key}");
        }
        assert!(value("LoadCredential").starts_with("token-pin:"));
        assert!(!text.to_lowercase().contains("environment=") && !text.contains("--pin "));
    }

    #[test]
    fn systemd_understands_the_unit() {
        let available = Command::new("systemd-analyze")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !available {
            return; // not every machine has systemd; the Debian that runs this for the project has
        }
        // The program need not be installed here.
        let folder = std::env::temp_dir().join(format!("bauta-unit-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let copy = folder.join("bauta-signer.service");
        let text = fs::read_to_string(unit()).expect("the unit");
        fs::write(
            &copy,
            text.replace("/usr/local/bin/bauta-signer", "/bin/true"),
        )
        .expect("a copy");
        let output = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&copy)
            .output()
            .expect("systemd-analyze runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let _ = fs::remove_dir_all(&folder);
        assert!(
            output.status.success() && !said.contains("bauta-signer.service:"),
            "{said}"
        );
    }
}
