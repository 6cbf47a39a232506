//! The program under test and what it leaves: runs that end, a quickstart that stays up, its processes.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The policy of the example.
pub(crate) const POLICY: &str = "research-or-senior";

/// An empty folder. Its path is short: a Unix socket's path has at most 107 bytes.
pub(crate) fn folder() -> TempDir {
    away_from_the_epochs_end();
    tempfile::Builder::new()
        .prefix("bauta-")
        .tempdir()
        .expect("a temporary folder")
}

/// Waits out the end of an hour: an epoch that ends during a test is a story of its own (prepare again), which tests about
/// other things should not meet by chance.
fn away_from_the_epochs_end() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs();
    let left = 3600 - now % 3600;
    if left < 150 {
        std::thread::sleep(Duration::from_secs(left + 1));
    }
}

/// `bauta`, with the parameter cache that all tests share.
pub(crate) fn bauta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bauta"));
    command
        .env(
            "BAUTA_CACHE",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        )
        .env_remove("BAUTA_WALLET")
        .env_remove("BAUTA_LOG");
    command.stdin(Stdio::null());
    command
}

/// What a run printed and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ended {
    /// The run ended with this status, or the test fails with what it printed.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit status; it printed:\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    /// What was printed on standard output is one JSON object.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.out));
        assert!(value.is_object(), "no object: {value}");
        value
    }

    /// Something was printed on standard error.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.err.contains(words),
            "{words:?} is not in {:?}",
            self.err
        );
        self
    }
}

/// Runs a command to its end.
pub(crate) fn end(command: &mut Command) -> Ended {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
        .into()
}

/// Runs `bauta ARGUMENTS…` to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    end(bauta().args(arguments))
}

/// Runs another program, which must succeed.
#[track_caller]
pub(crate) fn tool(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let ended: Ended = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: install it"))
        .into();
    assert_eq!(
        ended.code,
        Some(0),
        "{program} {}: {}",
        arguments.join(" "),
        ended.err
    );
    ended.out
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A quickstart's folder and what is asked of it.
pub(crate) struct Data(pub(crate) PathBuf);

impl Data {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// `bauta quickstart --once` to its end.
    pub(crate) fn once(&self) -> Ended {
        self.once_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn once_with(&self, arguments: &[&str]) -> Ended {
        end(bauta()
            .args(["quickstart", "--once", "--data"])
            .arg(&self.0)
            .args(arguments))
    }

    /// What `endpoints.json` says.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        let text = fs::read(self.path("endpoints.json")).expect("endpoints.json");
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        value[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} in endpoints.json"))
            .to_owned()
    }

    /// `bauta verify-certificate` for what is in a folder.
    pub(crate) fn verify(&self, folder: &Path) -> Ended {
        end(bauta()
            .args(["--json", "verify-certificate"])
            .arg(folder.join("certificate.pem"))
            .arg("--proof")
            .arg(folder.join("certificate.tlog-proof"))
            .arg("--ca")
            .arg(self.path("ca.pem"))
            .arg("--log-policy")
            .arg(self.path("log-policy")))
    }

    /// Audits the log from its folder, and each signer's copy. Gives the report.
    #[track_caller]
    pub(crate) fn audit(&self) -> Value {
        let mut command = bauta();
        command
            .args(["--json", "audit"])
            .arg(self.path("log"))
            .arg("--log-policy")
            .arg(self.path("log-policy"));
        for number in 1..=5 {
            command
                .arg("--compare")
                .arg(self.path(&format!("signers/{number}/log")));
        }
        let report = end(&mut command).with(0).json();
        assert_eq!(report["faults"], serde_json::json!([]), "{report}");
        report
    }

    /// Wallet options of one of the demonstration's people.
    pub(crate) fn wallet(&self, person: &str) -> Vec<String> {
        vec![
            "--wallet".into(),
            self.text(&format!("holder/wallets/{person}")),
            "--identity".into(),
            self.text("holder/wallets/identity.age"),
        ]
    }

    /// `bauta authenticate`, whose certificate goes to `out`.
    pub(crate) fn authenticate(&self, person: &str, out: &Path) -> Command {
        let mut command = bauta();
        command
            .args([
                "--json",
                "authenticate",
                "--policy",
                POLICY,
                "--yes",
                "--out",
            ])
            .arg(out)
            .args([
                "--service",
                &self.endpoint("service"),
                "--service-ca",
                &self.text("tls/ca.pem"),
            ])
            .args(self.wallet(person));
        command
    }

    /// Ids of the living processes that have this folder in their command line, and those command lines.
    pub(crate) fn processes(&self) -> Vec<(Pid, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
                .and_then(Pid::from_raw)
            else {
                continue;
            };
            // A zombie's command line is empty.
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&*self.0.to_string_lossy()) {
                found.push((pid, line));
            }
        }
        found
    }

    /// The process that runs from this configuration file.
    pub(crate) fn process(&self, config: &str) -> Option<Pid> {
        let config = format!("--config {}", self.text(config));
        self.processes()
            .into_iter()
            .find(|(_, line)| line.contains(&config))
            .map(|(pid, _)| pid)
    }

    /// `kill -9` of the process that runs from this configuration file.
    #[track_caller]
    pub(crate) fn kill(&self, config: &str) {
        let pid = self
            .process(config)
            .unwrap_or_else(|| panic!("nothing runs from {config}"));
        kill_process(pid, Signal::KILL).expect("kill -9");
        until("a killed process is gone", 10, || {
            self.process(config).is_none()
        });
    }

    /// Starts a part again by hand, as an operator would.
    pub(crate) fn start(&self, part: &str, config: &str) -> Running {
        let log =
            fs::File::create(self.path(&format!("logs/by-hand-{}.log", config.replace('/', "-"))))
                .expect("log");
        let mut command = bauta();
        command.args([
            part,
            "--config",
            &self.text(config),
            "--die-with-parent",
            &std::process::id().to_string(),
        ]);
        command.stderr(log);
        Running(command.spawn().expect("bauta starts"))
    }

    /// Nothing of the quickstart is left a few seconds after its end.
    #[track_caller]
    pub(crate) fn nothing_left(&self) {
        until("no process is left behind", 5, || {
            self.processes().is_empty()
        });
    }
}

/// A process that is killed when the test is done with it.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A quickstart that stays up.
pub(crate) struct Up {
    pub(crate) process: Running,
    said: Arc<Mutex<String>>,
}

impl Up {
    /// Starts it without waiting for anything.
    pub(crate) fn start(data: &Data) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts it with more arguments.
    fn start_with(data: &Data, arguments: &[&str]) -> Self {
        let mut child = bauta()
            .args(["quickstart", "--data"])
            .arg(&data.0)
            .args(arguments)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("bauta starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (
            BufReader::new(child.stderr.take().expect("piped")),
            said.clone(),
        );
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut heard = heard.lock().expect("no panic");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Self {
            process: Running(child),
            said,
        }
    }

    /// Starts it and waits until it says that it stays up.
    #[track_caller]
    pub(crate) fn ready(data: &Data) -> Self {
        Self::ready_with(data, &[])
    }

    /// The same with more arguments.
    #[track_caller]
    pub(crate) fn ready_with(data: &Data, arguments: &[&str]) -> Self {
        let mut up = Self::start_with(data, arguments);
        let deadline = Instant::now() + Duration::from_secs(90);
        while !up.said().contains("Ctrl-C ends it") {
            let ended = up.process.0.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the quickstart does not stay up ({ended:?}):\n{}",
                up.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        up
    }

    /// What it has printed.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process.0);
        kill_process(pid, signal).expect("signal");
    }

    /// Ctrl-C, and how it ended.
    #[track_caller]
    pub(crate) fn interrupt(mut self) -> ExitStatus {
        self.signal(Signal::INT);
        let mut status = None;
        until("the quickstart ends after Ctrl-C", 15, || {
            status = self.process.0.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("it ended")
    }
}
