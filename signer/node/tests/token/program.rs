//! The program `bauta-signer`: its reports and exit statuses, where the PIN is not, and that nothing outlives it.

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    administration::Task,
    soft_token::{LABEL, PIN, SoftToken},
};

fn signer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bauta-signer"));
    command
        .stdin(Stdio::null())
        .env_remove("CREDENTIALS_DIRECTORY")
        .env("RUST_LOG", "trace");
    command
}

fn module_env(soft: &SoftToken) -> String {
    let (name, value) = soft.variable();
    format!("{name}={value}")
}

fn token_arguments(soft: &SoftToken) -> Vec<String> {
    vec![
        "--slot".into(),
        LABEL.into(),
        "--pin-file".into(),
        soft.pin_file().display().to_string(),
        "--module-env".into(),
        module_env(soft),
    ]
}

#[track_caller]
fn with(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}\n{said}");
    assert!(
        !text.contains(PIN) && !said.contains(PIN),
        "the PIN was printed: {said}"
    );
    format!("{text}{said}")
}

#[test]
fn token_check_says_what_a_token_can_do_and_what_to_do_about_it() {
    let soft = SoftToken::new();
    let check = |soft: &SoftToken| {
        let mut command = signer();
        command
            .args(["token", "check", "--module"])
            .arg(soft.module())
            .args(token_arguments(soft));
        command
    };
    let report = |soft: &SoftToken, code| -> Value {
        let output = check(soft).arg("--json").output().unwrap();
        with(&output, code);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let good = report(&soft, 0);
    assert_eq!(good["usable"], true, "{good}");
    assert_eq!(good["plan"]["seal"], "aes-gcm");
    assert_eq!(good["plan"]["cosignature"], "token");
    assert_eq!(good["tokens"][0]["model"], soft.model());
    assert!(
        good["tokens"][0]["mechanisms"]
            .as_array()
            .unwrap()
            .contains(&"CKM_AES_GCM".into())
    );
    let text = with(&check(&soft).output().unwrap(), 0);
    assert!(text.contains("a signer can use this token"), "{text}");

    // It left nothing there.
    soft.administer(&Task::HasNone {
        label: "bauta:probe".into(),
    });

    // Without a PIN nothing is tried, and that is no failure.
    let mut command = signer();
    command
        .args(["token", "check", "--json", "--module"])
        .arg(soft.module())
        .arg("--module-env")
        .arg(module_env(&soft));
    let output = command.output().unwrap();
    with(&output, 0);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["usable"], Value::Null);
    assert_eq!(listed["tokens"][0]["label"], LABEL);

    // A PIN is for one token, which must be named; that is said before any module is loaded.
    let mut command = signer();
    command
        .args(["token", "check", "--module", "/nowhere.so", "--pin-file"])
        .arg(soft.pin_file());
    assert!(with(&command.output().unwrap(), 1).contains("--slot"));

    // A token that is not good enough: 4, with the reason.
    let poor = SoftToken::without(&["CKM_ECDSA", "CKM_EDDSA"]);
    let bad = report(&poor, 4);
    assert_eq!(bad["usable"], false);
    assert!(
        bad["remedies"].to_string().contains("use another token"),
        "{bad}"
    );

    // No module: 3. No token: 75. A wrong PIN: 77, and again.
    let output = signer()
        .args(["token", "check", "--module", "/nowhere.so"])
        .output()
        .unwrap();
    with(&output, 3);
    let put_back = soft.take_out();
    with(&check(&soft).output().unwrap(), 75);
    put_back();
    soft.write_pin("0000000");
    for _ in 0..soft.failed_pins_until_it_tells() {
        with(&check(&soft).output().unwrap(), 77);
    }
    soft.write_pin(PIN);
    let said = with(&check(&soft).output().unwrap(), 77);
    assert!(said.contains("none is tried"), "{said}");
    with(
        &check(&soft).arg("--despite-failed-pins").output().unwrap(),
        0,
    );
    with(&check(&soft).output().unwrap(), 0);
}

#[test]
fn keys_new_makes_keys_in_a_token_and_overwrites_none() {
    let soft = SoftToken::new();
    let new = |folder: &str, name: &str| {
        let mut command = signer();
        command
            .args(["keys", "new", "--name", name, "--token"])
            .arg(soft.module())
            .arg("--out")
            .arg(soft.keys(folder))
            .args(token_arguments(&soft));
        command.output().unwrap()
    };
    with(&new("one", "one"), 0);
    assert!(with(&new("one", "one"), 1).contains("never overwritten"));
    assert!(with(&new("again", "one"), 1).contains("never overwritten"));
    with(&new("two", "two"), 0);
    // A PIN on the command line is not understood.
    let mut command = signer();
    command.args([
        "keys", "new", "--token", "/x", "--name", "x", "--out", "/x", "--pin", PIN,
    ]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

/// Whatever starts the signer again, and whatever the token tells: no PIN is tried after one that failed.
#[test]
fn a_signer_that_is_started_again_tries_no_pin_until_a_person_looked() {
    let soft = SoftToken::new();
    bauta_signer::token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
    let config = soft.path().join("config.json");
    let log = bauta_log::LogSigner::from_seed("example.org/log", &[1; 32]).unwrap();
    let mut settings = serde_json::json!({
        "data": "data", "keys": soft.keys("one"), "coordinator": "127.0.0.1:1",
        "coordinator_spki_sha256": "00".repeat(32), "log": log.verifier().to_string(),
        "authority_sha256": "00".repeat(32), "mode": "development", "token": soft.config(),
    });
    let write = |settings: &Value| fs::write(&config, settings.to_string()).unwrap();
    write(&settings);
    let start = || {
        let mut command = signer();
        command.args(["run", "--config"]).arg(&config);
        command
    };
    soft.write_pin("0000000");
    assert!(with(&start().output().unwrap(), 77).contains("it refused the PIN"));
    let marker = soft.keys("one").join("pin-failed");
    // No module is even looked for.
    settings["token"]["module"] = "/nowhere.so".into();
    write(&settings);
    for _ in 0..2 {
        let said = with(&start().output().unwrap(), 77);
        assert!(said.contains(&marker.display().to_string()), "{said}");
    }
    settings["token"] = serde_json::to_value(soft.config()).unwrap();
    write(&settings);
    soft.write_pin(PIN);
    // A person corrected the PIN, logged in once, and took the note away.
    bauta_signer::token::Token::open(
        &soft.config(),
        bauta_signer::token::Opening {
            despite_failed_pins: true,
            ..crate::soft_token::opening()
        },
    )
    .unwrap();
    fs::remove_file(&marker).unwrap();
    let log = fs::File::create(soft.path().join("log")).unwrap();
    let _running = Shared(start().stderr(log).spawn().unwrap());
    until("the signer is up", || {
        fs::read_to_string(soft.path().join("log")).is_ok_and(|said| said.contains("signer is up"))
    });
}

/// `token share`, ended with the test.
struct Shared(Child);

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process: &u32| {
            fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
                let rest = stat.rsplit(") ").next().unwrap_or_default();
                rest.split(' ').nth(1) == Some(&parent.to_string())
            })
        })
        .collect()
}

#[test]
fn a_shared_token_serves_several_signers_keeps_its_pin_and_leaves_no_process() {
    use std::os::unix::fs::DirBuilderExt as _;
    let soft = SoftToken::new();
    let folder = soft.path().join("socket");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let socket = folder.join("token.sock");
    let sharing = soft.path().join("sharing.json");
    let text = serde_json::json!({ "token": soft.config(), "socket": "socket/token.sock" });
    fs::write(&sharing, text.to_string()).unwrap();
    let start = || {
        let mut command = signer();
        command.args(["token", "share", "--config"]).arg(&sharing);
        command
    };
    let log = fs::File::create(soft.path().join("log")).unwrap();
    let shared = Shared(start().stderr(log).spawn().unwrap());
    until("the token is shared", || socket.exists());
    let module = children(shared.0.id());
    assert_eq!(module.len(), 1);
    for process in [shared.0.id(), module[0]] {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(PIN), "{file}");
        }
    }
    // A second on the same socket is refused.
    assert!(with(&start().output().unwrap(), 1).contains("already"));

    let new = |name: &str| {
        let mut command = signer();
        command
            .args(["keys", "new", "--name", name, "--shared"])
            .arg(&socket)
            .arg("--out")
            .arg(soft.keys(name));
        command.output().unwrap()
    };
    let config = bauta_signer::token::TokenConfig {
        shared: Some(socket.clone()),
        ..Default::default()
    };
    for name in ["one", "two", "three", "four", "five"] {
        with(&new(name), 0);
        let token = bauta_signer::token::Token::open(&config, Default::default()).unwrap();
        let keys = bauta_signer::token::load(&soft.keys(name), &token).unwrap();
        keys.node.cosignature.sign(b"message").unwrap();
    }
    // The module process dies under them: nobody notices.
    let token = bauta_signer::token::Token::open(&config, Default::default()).unwrap();
    let keys = bauta_signer::token::load(&soft.keys("one"), &token).unwrap();
    let pid = Pid::from_raw(i32::try_from(module[0]).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    keys.node.cosignature.sign(b"message").unwrap();
    let module = children(shared.0.id());

    // Killed, it takes its module process with it; a new start takes the socket over, and the signer goes on.
    drop(shared);
    until("the module process is gone", || {
        !fs::exists(format!("/proc/{}", module[0])).unwrap()
    });
    assert!(keys.node.cosignature.sign(b"message").is_err());
    let log = fs::read_to_string(soft.path().join("log")).unwrap();
    assert!(log.contains("shared") && !log.contains(PIN));
    let _shared = Shared(start().stderr(Stdio::null()).spawn().unwrap());
    until("the signer signs again", || {
        keys.node.cosignature.sign(b"message").is_ok()
    });

    // A folder that others may enter.
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let other = start().output().unwrap();
    assert!(with(&other, 1).contains("mode 700"));
}

fn configuration(soft: &SoftToken, mode: &str, token: bool) -> std::path::PathBuf {
    let log = bauta_log::LogSigner::from_seed("example.org/log", &[7; 32]).unwrap();
    let mut config = serde_json::json!({
        "data": "data", "keys": soft.keys("one"), "coordinator": "127.0.0.1:1",
        "coordinator_spki_sha256": "00".repeat(32), "authority_sha256": "00".repeat(32), "mode": mode,
        "log": log.verifier().to_string(),
    });
    if token {
        config["token"] = serde_json::to_value(soft.config()).unwrap();
    } else {
        config["passphrase_file"] = "passphrase".into();
        fs::write(soft.path().join("passphrase"), "passphrase").unwrap();
    }
    let path = soft.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    path
}

#[test]
fn production_refuses_a_passphrase_unlocked_memory_and_a_module_of_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let soft = SoftToken::new();
    bauta_signer::token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
    // One that starts after all is ended, and fails the test by its status.
    let run = |config: &std::path::Path| {
        let mut command = Command::new("timeout");
        command
            .args(["20", env!("CARGO_BIN_EXE_bauta-signer"), "run", "--config"])
            .arg(config)
            .stdin(Stdio::null());
        command
    };
    let config = configuration(&soft, "production", false);
    assert!(with(&run(&config).output().unwrap(), 1).contains("production mode refuses"));

    let config = configuration(&soft, "production", true);
    // Without the right to lock memory it does not start in production, and does in development.
    let locked_out = |config: &std::path::Path| {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(r#"ulimit -l 64; drop=""; [ "$(id -u)" = 0 ] && drop="setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock"; exec timeout 10 $drop "$0" run --config "$1""#)
            .arg(env!("CARGO_BIN_EXE_bauta-signer"))
            .arg(config)
            .stdin(Stdio::null());
        command.output().unwrap()
    };
    let said = with(&locked_out(&config), 1);
    assert!(said.contains("LimitMEMLOCK"), "{said}");

    // A module that others can write.
    let module = soft.path().join("module.so");
    fs::copy(soft.module(), &module).unwrap();
    fs::set_permissions(&module, fs::Permissions::from_mode(0o666)).unwrap();
    let mut loose: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    loose["token"]["module"] = module.display().to_string().into();
    let path = soft.path().join("loose.json");
    fs::write(&path, loose.to_string()).unwrap();
    let said = with(&run(&path).output().unwrap(), 3);
    assert!(said.contains("written by others"), "{said}");

    // A wrong PIN ends it with the status that no supervisor restarts.
    soft.write_pin("00000000");
    with(&run(&config).output().unwrap(), 77);
}
