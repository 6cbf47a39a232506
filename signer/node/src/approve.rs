//! The holder of an attended node and the node that runs: a Unix socket in the node's folder, which only its user may enter. The
//! holder's program asks what administrators ordered, shows it, and sends the holder's agreement with the PIN; the node opens
//! the shares by it, and for no longer than a session. One request and one answer on each connection, a line of JSON each.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    SignerConfig,
    config::ConfigError,
    files::FileError,
    seal::{self, SealError},
    token::{self, PIN_EXIT_STATUS, TokenError},
};

/// Name of the socket in a node's data folder.
pub const SOCKET: &str = "approve.sock";
/// The longest request or answer, in bytes.
const LONGEST: u64 = 256 << 10;
/// How long a connection may take over its one line.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a waiting holder's program asks again.
const AGAIN: Duration = Duration::from_millis(500);

/// What the holder's program asks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// What is ordered and not done by this node.
    Orders,
    /// Open the shares for this.
    Approve(Agreement),
}

/// What a holder agreed to, and the PIN.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agreement {
    /// Key operations by the index of their entries.
    pub(crate) operations: Vec<u64>,
    /// A policy's name, and how many issuances under it.
    pub(crate) issuances: Option<(String, u32)>,
    pub(crate) pin: Pin,
    pub(crate) despite_failed_pins: bool,
}

/// A PIN or passphrase on its way, erased on drop.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub(crate) struct Pin(pub(crate) String);

/// What the node answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// The orders, oldest first.
    Orders(Vec<Ordered>),
    /// The shares are open until this time (Unix seconds).
    Approved(u64),
    /// Not done.
    Refused {
        /// Why.
        reason: String,
        /// The PIN failed: nobody may try it again unasked.
        pin: bool,
    },
}

/// One order, as the holder is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// Index of the logged key operation.
    pub index: u64,
    /// Name and version of its file.
    pub file: String,
    /// What it orders.
    pub what: String,
}

/// A request on its way to the thread that owns the node.
pub(crate) struct Visit {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// Listens on the socket in `data` on a thread of its own, as long as the node runs.
///
/// # Errors
/// The system's, for instance for a path of more than 107 bytes.
pub(crate) fn listen<T: Send + 'static>(
    data: &Path,
    inbox: mpsc::WeakSender<T>,
    visit: fn(Visit) -> T,
) -> Result<Listening, FileError> {
    let path = data.join(SOCKET);
    let error = |error: io::Error| FileError::new("listen on", &path, &error);
    // A node that was killed left it; the database's lock says that there is no other.
    match fs::remove_file(&path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(error(problem)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(error)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(error)?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(inbox) = inbox.upgrade() else { return };
            if let Ok(stream) = stream {
                let _ = answer(stream, &inbox, visit);
            }
        }
    });
    Ok(Listening { path })
}

/// The socket's file, removed on drop; a connection to it wakes the thread, which then finds the node gone.
pub(crate) struct Listening {
    path: PathBuf,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
    }
}

fn answer<T>(stream: UnixStream, inbox: &mpsc::Sender<T>, visit: fn(Visit) -> T) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let line = read_line(&stream)?;
    let gone = || io::Error::other("the signer is stopping");
    let reply = match serde_json::from_slice(line.as_bytes()) {
        Ok(request) => {
            let (reply, answer) = oneshot::channel();
            inbox
                .blocking_send(visit(Visit { request, reply }))
                .map_err(|_| gone())?;
            answer.blocking_recv().map_err(|_| gone())?
        }
        // Not the parser's words: they may quote a PIN.
        Err(_) => Reply::Refused {
            reason: "not a request of this program: are the two of the same version?".to_owned(),
            pin: false,
        },
    };
    write_line(&stream, &reply)
}

fn read_line(stream: &UnixStream) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(4096));
    BufReader::new(stream)
        .take(LONGEST)
        .read_line(&mut line)
        .map(|_| line)
}

fn write_line(mut stream: &UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(value)?);
    line.push(b'\n');
    stream.write_all(&line)
}

/// What [`approve`] needs to know.
#[derive(Clone, Debug, clap::Args)]
pub struct ApproveArguments {
    /// The node's configuration (JSON).
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Agree to this key operation alone, by the index of its entry; repeatable. All that is shown, where it is not said.
    #[arg(long = "operation", value_name = "INDEX")]
    pub operations: Vec<u64>,
    /// Agree to issuances under this policy too.
    #[arg(long, value_name = "NAME", requires = "count")]
    pub policy: Option<String>,
    /// How many issuances.
    #[arg(long, value_name = "N", requires = "policy", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: Option<u32>,
    /// Wait so long for something to be ordered.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
    /// File (mode 600) whose first line is the PIN, or the passphrase that seals the keys; without it, the terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Try the PIN although one failed before. Make sure of it: tokens lock.
    #[arg(long)]
    pub despite_failed_pins: bool,
    /// Do not ask before the shares are opened.
    #[arg(long)]
    pub yes: bool,
}

/// Why nothing was opened.
#[derive(Debug, Error)]
pub enum ApproveError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The node is not attended.
    #[error(
        "this node is not attended: it signs by itself; \"attended\": true in its configuration changes that"
    )]
    NotAttended,
    /// No node answers.
    #[error("no signer answers at {path}: {reason}; start it first, as this user")]
    Away {
        /// The socket.
        path: String,
        /// The system's words.
        reason: io::Error,
    },
    /// Nothing is ordered.
    #[error("nothing is ordered that this signer has not done")]
    Nothing,
    /// It is not among the orders.
    #[error("no key operation at entry {0} waits for this signer")]
    NotOrdered(u64),
    /// The holder did not say yes.
    #[error("nothing was opened")]
    Declined,
    /// The PIN could not be found.
    #[error(transparent)]
    Pin(#[from] SealError),
    /// The PIN file.
    #[error(transparent)]
    PinFile(#[from] TokenError),
    /// The node refused.
    #[error("{reason}")]
    Refused {
        /// In its words.
        reason: String,
        /// Because of the PIN.
        pin: bool,
    },
}

impl ApproveError {
    /// The exit status that fits: 75 where there is nothing yet, 77 after a PIN that failed, else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Nothing | Self::Away { .. } => 75,
            Self::Refused { pin: true, .. } => PIN_EXIT_STATUS,
            _ => 1,
        }
    }
}

/// What a holder agreed to, and until when the shares are open.
#[derive(Clone, Debug, Serialize)]
pub struct Approved {
    /// Key operations.
    pub operations: Vec<Ordered>,
    /// A policy, and how many issuances under it.
    pub issuances: Option<(String, u32)>,
    /// Unix seconds.
    pub until: u64,
}

impl Approved {
    /// In words.
    pub fn text(&self) -> String {
        let seconds = bauta_signer_protocol::attended::SESSION;
        format!(
            "the shares are open for {seconds} s: {} key operation(s){}",
            self.operations.len(),
            self.issuances
                .as_ref()
                .map_or_else(String::new, |(policy, count)| format!(
                    ", {count} issuance(s) under {policy}"
                ))
        )
    }
}

/// Shows what is ordered, asks for agreement and PIN, and has the node open its shares. `agrees` is shown the orders in words.
///
/// # Errors
/// [`ApproveError`].
pub fn approve(
    arguments: &ApproveArguments,
    agrees: impl FnOnce(&str) -> bool,
) -> Result<Approved, ApproveError> {
    let config = SignerConfig::read(&arguments.config)?;
    if !config.attended {
        return Err(ApproveError::NotAttended);
    }
    // A file that is not as it must be is told before anybody is asked for anything.
    let written = arguments
        .pin_file
        .as_deref()
        .map(token::pin_from_file)
        .transpose()?;
    let socket = config.data.join(SOCKET);
    let issuances = arguments.policy.clone().zip(arguments.count);
    let deadline = Instant::now() + Duration::from_secs(arguments.wait);
    let orders = loop {
        match ask(&socket, &Request::Orders) {
            Ok(Reply::Orders(orders)) if !orders.is_empty() || issuances.is_some() => break orders,
            Ok(Reply::Orders(_)) if Instant::now() >= deadline => {
                return Err(ApproveError::Nothing);
            }
            Err(away @ ApproveError::Away { .. }) if Instant::now() >= deadline => {
                return Err(away);
            }
            Ok(Reply::Orders(_)) | Err(ApproveError::Away { .. }) => std::thread::sleep(AGAIN),
            Ok(other) => return Err(unexpected(other)),
            Err(error) => return Err(error),
        }
    };
    let operations = match arguments.operations.as_slice() {
        [] => orders,
        chosen => chosen
            .iter()
            .map(|index| {
                let found = orders.iter().find(|order| order.index == *index);
                found.cloned().ok_or(ApproveError::NotOrdered(*index))
            })
            .collect::<Result<_, _>>()?,
    };
    if !arguments.yes && !agrees(&in_words(&config, &operations, issuances.as_ref())) {
        return Err(ApproveError::Declined);
    }
    let pin = match written {
        Some(pin) => pin,
        None => seal::find_secret(None, "PIN of the token, or passphrase of the keys: ")?,
    };
    let agreement = Agreement {
        operations: operations.iter().map(|order| order.index).collect(),
        issuances: issuances.clone(),
        pin: Pin(pin.as_str().to_owned()),
        despite_failed_pins: arguments.despite_failed_pins,
    };
    match ask(&socket, &Request::Approve(agreement))? {
        Reply::Approved(until) => Ok(Approved {
            operations,
            issuances,
            until,
        }),
        other => Err(unexpected(other)),
    }
}

fn unexpected(reply: Reply) -> ApproveError {
    match reply {
        Reply::Refused { reason, pin } => ApproveError::Refused { reason, pin },
        Reply::Orders(_) | Reply::Approved(_) => ApproveError::Refused {
            reason: "the signer answered something else than was asked".to_owned(),
            pin: false,
        },
    }
}

fn in_words(
    config: &SignerConfig,
    operations: &[Ordered],
    issuances: Option<&(String, u32)>,
) -> String {
    let origin = config.log.split('+').next().unwrap_or_default();
    let mut words = format!("The CA whose log is {origin} asks this signer to\n");
    for order in operations {
        words.push_str(&format!(
            "  {}\n    (entry {}, {})\n",
            order.what, order.index, order.file
        ));
    }
    if let Some((policy, count)) = issuances {
        words.push_str(&format!(
            "  sign certificates under the policy {policy}, {count} at most\n"
        ));
    }
    words
}

/// Asks at the terminal.
pub fn ask_holder(words: &str) -> bool {
    eprint!("{words}Type yes to agree: ");
    let mut line = String::new();
    io::stdin().read_line(&mut line).is_ok() && line.trim() == "yes"
}

fn ask(socket: &Path, request: &Request) -> Result<Reply, ApproveError> {
    let away = |reason: io::Error| ApproveError::Away {
        path: socket.display().to_string(),
        reason,
    };
    let stream = UnixStream::connect(socket).map_err(away)?;
    write_line(&stream, request).map_err(away)?;
    let line = read_line(&stream).map_err(away)?;
    serde_json::from_str(&line).map_err(|error| away(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that answers as it is told, on a socket of a folder of its own.
    fn node(answers: Vec<Reply>) -> (tempfile::TempDir, std::thread::JoinHandle<Vec<Request>>) {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut inbox) = mpsc::channel::<Visit>(1);
        let listening = listen(folder.path(), sender.downgrade(), |visit| visit).unwrap();
        let socket = fs::metadata(folder.path().join(SOCKET)).unwrap();
        assert_eq!(socket.permissions().mode() & 0o777, 0o600);
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let visit = inbox.blocking_recv().unwrap();
                asked.push(visit.request);
                visit.reply.send(answer).unwrap();
            }
            drop((sender, inbox));
            drop(listening);
            asked
        });
        (folder, thread)
    }

    fn arguments(folder: &Path, attended: bool) -> ApproveArguments {
        let config = serde_json::json!({
            "data": ".", "coordinator": "127.0.0.1:1", "coordinator_spki_sha256": "00".repeat(32),
            "log": "example.org/log+00000000+AA", "authority_sha256": "00".repeat(32), "mode": "development",
            "attended": attended,
        });
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        fs::write(folder.join("pin"), "1234\n").unwrap();
        fs::set_permissions(folder.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
        ApproveArguments {
            config: folder.join("config.json"),
            operations: vec![],
            policy: None,
            count: None,
            wait: 0,
            pin_file: Some(folder.join("pin")),
            despite_failed_pins: false,
            yes: false,
        }
    }

    fn orders() -> Reply {
        let order = |index, what: &str| Ordered {
            index,
            file: "sign-root, version 1".into(),
            what: what.into(),
        };
        Reply::Orders(vec![order(4, "sign the one"), order(7, "sign the other")])
    }

    #[test]
    fn a_holder_is_shown_the_orders_and_agrees_to_those_and_no_others() {
        let (folder, node) = node(vec![orders(), Reply::Approved(300)]);
        let chosen = ApproveArguments {
            operations: vec![7],
            ..arguments(folder.path(), true)
        };
        let mut shown = String::new();
        let approved = approve(&chosen, |words| {
            shown = words.to_owned();
            true
        })
        .unwrap();
        assert!(shown.contains("example.org/log") && shown.contains("sign the other"));
        assert!(!shown.contains("sign the one"));
        assert_eq!((approved.until, approved.operations[0].index), (300, 7));
        let asked = node.join().unwrap();
        let [Request::Orders, Request::Approve(agreement)] = asked.as_slice() else {
            panic!("two requests")
        };
        assert_eq!(agreement.operations, [7]);
        assert_eq!(
            (agreement.pin.0.as_str(), agreement.issuances.is_none()),
            ("1234", true)
        );
        assert!(!folder.path().join(SOCKET).exists());
    }

    #[test]
    fn without_agreement_order_or_attendance_no_pin_is_sent() {
        let (folder, node) = node(vec![orders(), orders(), Reply::Orders(vec![])]);
        let good = arguments(folder.path(), true);
        assert!(matches!(
            approve(&good, |_| false),
            Err(ApproveError::Declined)
        ));
        let other = ApproveArguments {
            operations: vec![5],
            ..good.clone()
        };
        assert!(matches!(
            approve(&other, |_| true),
            Err(ApproveError::NotOrdered(5))
        ));
        let nothing = approve(&good, |_| true).unwrap_err();
        assert_eq!(
            (
                nothing.exit_status(),
                matches!(nothing, ApproveError::Nothing)
            ),
            (75, true)
        );
        assert!(
            node.join()
                .unwrap()
                .iter()
                .all(|asked| matches!(asked, Request::Orders))
        );
        let away = approve(&good, |_| true).unwrap_err();
        assert!(matches!(away, ApproveError::Away { .. }), "{away}");
        let unattended = arguments(folder.path(), false);
        assert!(matches!(
            approve(&unattended, |_| true),
            Err(ApproveError::NotAttended)
        ));
    }

    #[test]
    fn a_pin_that_failed_ends_it_with_its_own_status_and_is_read_from_no_open_file() {
        let refused = Reply::Refused {
            reason: "the PIN is wrong".into(),
            pin: true,
        };
        let (folder, node) = node(vec![orders(), refused]);
        let good = arguments(folder.path(), true);
        let failed = approve(&good, |_| true).unwrap_err();
        assert_eq!(failed.exit_status(), PIN_EXIT_STATUS);
        assert_eq!(node.join().unwrap().len(), 2, "it is tried once");
        fs::set_permissions(folder.path().join("pin"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            approve(&good, |_| true),
            Err(ApproveError::PinFile(_))
        ));
    }

    #[test]
    fn what_is_no_request_is_refused_without_quoting_it() {
        let (folder, node) = node(vec![orders()]);
        let socket = folder.path().join(SOCKET);
        let stream = UnixStream::connect(&socket).unwrap();
        write_line(
            &stream,
            &serde_json::json!({ "approve": { "pin": "secret" } }),
        )
        .unwrap();
        let line = read_line(&stream).unwrap();
        assert!(
            line.contains("refused") && !line.contains("secret"),
            "{}",
            *line
        );
        assert!(matches!(
            ask(&socket, &Request::Orders),
            Ok(Reply::Orders(_))
        ));
        node.join().unwrap();
    }
}
