//! The story with the signers' keys in PKCS#11 tokens (SoftHSM2): one token for each, made by the quickstart, and one for all, made by
//! somebody else. Tokens are taken out and put back while certificates are issued.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{Data, Up, bauta, end, folder, tool, until};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Processes that have this folder in their environment: the module processes, whose command lines name nothing.
fn module_processes(data: &Data) -> Vec<String> {
    fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter(|entry| {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let conf = format!("SOFTHSM2_CONF={}", data.0.display());
            String::from_utf8_lossy(&environment).contains(&conf)
        })
        .map(|entry| entry.path().display().to_string())
        .collect()
}

fn check_certificate(data: &Data) {
    data.verify(&data.path("holder")).with(0);
    tool(
        &data.0,
        "openssl",
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca.pem",
            &data.text("holder/certificate.pem"),
        ],
    );
}

#[test]
fn five_tokens_are_made_and_the_whole_story_runs_with_them() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let once = || {
        end(bauta()
            .args(["quickstart", "--once", "--token", "softhsm2", "--data"])
            .arg(&data.0))
    };
    let told = once().with(0).err;
    assert!(told.contains("each has a PKCS#11 token"), "{told}");
    check_certificate(&data);
    assert_eq!(data.audit()["issued"], 1);
    for number in 1..=5 {
        let signer = data.path(&format!("signers/{number}"));
        assert!(!signer.join("passphrase").exists());
        let keys: Vec<_> = fs::read_dir(signer.join("keys"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        // The cosignature, approval and TLS keys are in the token alone.
        assert!(!keys.iter().any(|name| name.ends_with(".key")), "{keys:?}");
        let pin = fs::read_to_string(signer.join("softhsm2/pin")).unwrap();
        let log = fs::read_to_string(data.path(&format!("logs/signer-{number}.log"))).unwrap();
        assert!(!log.contains(pin.trim()) && !told.contains(pin.trim()));
    }
    // The folder knows where its keys are.
    let told = data.once().with(0).err;
    assert!(told.contains("each has a PKCS#11 token"), "{told}");
    assert_eq!(data.audit()["issued"], 2);
    data.nothing_left();
    until("no module process is left behind", 5, || {
        module_processes(&data).is_empty()
    });
}

#[test]
fn where_softhsm2_is_absent_the_line_that_installs_it_is_said() {
    let folder = folder();
    let data = folder.path().join("data");
    let quickstart = || {
        let mut command = bauta();
        command.args(["quickstart", "--once", "--data"]).arg(&data);
        command
    };
    end(quickstart()
        .args(["--token", "softhsm2"])
        .env("PATH", "/nowhere"))
    .with(3)
    .says("apt install softhsm2");
    end(quickstart().args(["--token", "/nowhere/module.so"])).with(3);
    assert!(!data.exists(), "nothing was made");
    // A module needs tokens: one, or five.
    end(quickstart().args(["--token", MODULE]))
        .with(1)
        .says("--slot");
    end(quickstart().args([
        "--token",
        MODULE,
        "--slot",
        "one",
        "--slot",
        "two",
        "--pin-file",
        "one",
        "--pin-file",
        "two",
    ]))
    .with(1)
    .says("5 of each");
    // What has begun with passphrases stays with them.
    end(quickstart().env("PATH", std::env::var_os("PATH").unwrap())).with(0);
    end(quickstart().args(["--token", "softhsm2"]))
        .with(1)
        .says("--data");
}

#[test]
fn tokens_are_taken_out_and_put_back_while_it_runs() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let up = Up::ready_with(&data, &["--token", "softhsm2"]);
    assert_eq!(module_processes(&data).len(), 5);
    let out = folder.path().join("out");
    // Two signers without their tokens cosign nothing; three are not enough.
    let tokens = |number: usize| data.path(&format!("signers/{number}/softhsm2/tokens"));
    let away = |number: usize| data.path(&format!("signers/{number}/softhsm2/away"));
    for number in [2, 4] {
        fs::rename(tokens(number), away(number)).unwrap();
    }
    end(data.authenticate("ada", &out).args(["--wait", "3"])).with(75);
    for number in [2, 4] {
        fs::rename(away(number), tokens(number)).unwrap();
    }
    // The same request has its certificate as soon as the tokens are found again: no signer was started anew.
    let issued = end(data.authenticate("ada", &out).args(["--wait", "60"]))
        .with(0)
        .json();
    assert_eq!(data.verify(&out).with(0).json()["index"], issued["index"]);
    assert!(!up.said().contains("ended"), "{}", up.said());
    data.audit();
    assert_eq!(up.interrupt().code(), Some(0));
    data.nothing_left();
    until("no module process is left behind", 5, || {
        module_processes(&data).is_empty()
    });
}

/// Somebody's token, which is there before Bauta is.
fn somebodys_token(folder: &Path) -> (PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let conf = folder.join("softhsm2.conf");
    let tokens = folder.join("tokens");
    fs::create_dir(&tokens).unwrap();
    fs::write(
        &conf,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    let pin = folder.join("pin");
    fs::write(&pin, "48151623\n").unwrap();
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "somebody's",
            "--so-pin",
            "00000000",
            "--pin",
            "48151623",
        ])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .expect("softhsm2-util: apt install softhsm2");
    assert!(made.status.success());
    (conf, pin)
}

fn listed(conf: &Path) -> serde_json::Value {
    let mut command = bauta();
    command
        .args([
            "--json",
            "signer",
            "token",
            "check",
            "--module",
            MODULE,
            "--module-env",
        ])
        .arg(format!("SOFTHSM2_CONF={}", conf.display()));
    end(&mut command).with(0).json()["tokens"].clone()
}

#[test]
fn one_token_that_was_there_serves_all_five_signers() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let (conf, pin) = somebodys_token(folder.path());
    let before = listed(&conf);
    let once = || {
        end(bauta()
            .args([
                "quickstart",
                "--once",
                "--token",
                MODULE,
                "--slot",
                "somebody's",
                "--data",
            ])
            .arg(&data.0)
            .arg("--pin-file")
            .arg(&pin)
            .arg("--module-env")
            .arg(format!("SOFTHSM2_CONF={}", conf.display())))
    };
    let told = once().with(0).err;
    assert!(told.contains("in one PKCS#11 token"), "{told}");
    check_certificate(&data);
    // It was not initialised: its number is the same.
    assert_eq!(listed(&conf), before);
    let told = data.once().with(0).err;
    assert!(told.contains("in one PKCS#11 token"), "{told}");
    assert_eq!(data.audit()["issued"], 2);
    data.nothing_left();
}
