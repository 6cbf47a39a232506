//! The signer's half: it starts the module process, logs in, and asks. If that process dies, hangs or loses its token, it is
//! ended and another one started, which loads the module, logs in and finds the keys again: the way of every start. What must
//! not be done twice is not: a PIN that was refused is never tried again, and no key is made by a request that is repeated.

use std::{
    collections::BTreeMap,
    io,
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{
    check::{Probe, Tokens},
    config::{Access, SlotName, TokenConfig},
    error::{Answer, Failure, TokenError, fail},
    module,
    pin::{self, Pin},
    wire::{self, Load, LogIn, Reply, Request, Secret, bytes, text},
};

/// How long a key's use may take before the module counts as hung: below the five seconds within which it must be back.
const USE: Duration = Duration::from_secs(4);
/// How long loading and logging in may take: some modules find their HSMs over a network.
const START: Duration = Duration::from_secs(30);
/// How long a card may take to make a key.
const MAKE: Duration = Duration::from_secs(120);
/// After a failed start, how long the next one waits.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a module process may take to let go.
const GRACE: Duration = Duration::from_millis(500);

/// How a token is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The serial number that the token had when its keys were made.
    pub serial: Option<String>,
    /// Production: the module process must be hardened, and the module nobody else's to write.
    pub strict: bool,
    /// Log in although a PIN failed before; the operator has said so.
    pub despite_failed_pins: bool,
    /// Keys will be made.
    pub write: bool,
    /// The program whose subcommand [`module::SUBCOMMAND`] runs the module: this one, if nothing is said.
    pub program: Option<PathBuf>,
}

/// An open token.
pub struct Token {
    access: Access,
    opening: Opening,
    pin: Pin,
    state: Mutex<State>,
    /// The answer for good, once a PIN was refused.
    refused: OnceLock<TokenError>,
    refusal: CancellationToken,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Of the token that was logged in to.
    serial: Option<String>,
    failed: Option<(Instant, TokenError)>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// Lists what is there. Needs no PIN.
///
/// # Errors
/// [`TokenError`] if there is no module, or it does not answer.
pub fn list(config: &TokenConfig, opening: &Opening) -> Result<Tokens, TokenError> {
    let Access::Own {
        module,
        environment,
        ..
    } = config.access()?
    else {
        return fail(
            Failure::Setup,
            "a shared token is checked where it is: name its module",
        );
    };
    let mut connection = Connection::load(&module, &environment, opening)?;
    match connection.ask(&Request::List)? {
        Reply::Tokens(json) => parse(json.as_slice()),
        _ => Err(unexpected()),
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Answer<T> {
    serde_json::from_slice(json).map_err(|error| {
        TokenError::new(Failure::Process, format!("an answer is no JSON: {error}"))
    })
}

pub(super) fn unexpected() -> TokenError {
    TokenError::new(
        Failure::Process,
        "its process gave an answer to something else",
    )
}

impl Token {
    /// Finds the PIN, starts the module process and logs in.
    ///
    /// # Errors
    /// [`TokenError`]. After [`Failure::Pin`], do not try again.
    pub fn open(config: &TokenConfig, opening: Opening) -> Result<Arc<Self>, TokenError> {
        Self::open_by(config, opening, || pin::find(config.pin_file.as_deref()))
    }

    /// As [`Self::open`], with a PIN that somebody typed. It logs in in a module process of its own, so the token checks it
    /// though this program is logged in already.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_with(
        config: &TokenConfig,
        opening: Opening,
        pin: &str,
    ) -> Result<Arc<Self>, TokenError> {
        Self::open_by(config, opening, || Ok(Pin::new(pin.to_owned())))
    }

    fn open_by(
        config: &TokenConfig,
        opening: Opening,
        pin: impl FnOnce() -> Answer<Pin>,
    ) -> Result<Arc<Self>, TokenError> {
        let access = config.access()?;
        let pin = match &access {
            Access::Own { slot: None, .. } => {
                return fail(
                    Failure::Setup,
                    "name the token: its label, or serial:NUMBER (`slot`)",
                );
            }
            // A module that is not there is said before anybody is asked for a PIN.
            Access::Own { module, .. } if !module.exists() => {
                return fail(
                    Failure::Module,
                    format!("there is no module {}", module.display()),
                );
            }
            Access::Own { .. } => pin()?,
            Access::Shared(_) => Pin::default(),
        };
        let token = Arc::new(Self {
            access,
            opening,
            pin,
            state: Mutex::default(),
            refused: OnceLock::new(),
            refusal: CancellationToken::new(),
        });
        token.connected(&mut token.lock())?;
        Ok(token)
    }

    /// The serial number of the token that is logged in to; unknown of a shared one.
    pub fn serial(&self) -> Option<String> {
        self.lock().serial.clone()
    }

    /// Cancelled once a PIN was refused: the program must end, and nobody start it again.
    pub fn refusal(&self) -> CancellationToken {
        self.refusal.clone()
    }

    /// Why, after [`Self::refusal`].
    pub fn refused(&self) -> Option<TokenError> {
        self.refused.get().cloned()
    }

    /// Makes and uses each kind of key, and leaves none.
    ///
    /// # Errors
    /// [`TokenError`] if the process does not answer.
    pub fn probe(&self) -> Result<Probe, TokenError> {
        match self.call(&Request::Probe)? {
            Reply::Probed(json) => parse(json.as_slice()),
            _ => Err(unexpected()),
        }
    }

    /// The id of the module process, for tests that end it.
    pub fn process_id(&self) -> Option<u32> {
        let state = self.lock();
        let connection = state.connection.as_ref()?;
        connection.child.as_ref().map(Child::id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in between leaves at worst a connection in the middle of an answer, which the next request finds out.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks; once more, with a fresh process, if the one that was there is gone or has lost its token.
    pub(super) fn call(&self, request: &Request) -> Answer<Reply> {
        blocking(|| {
            let mut state = self.lock();
            loop {
                let fresh = self.connected(&mut state)?;
                let Some(connection) = &mut state.connection else {
                    return Err(unexpected());
                };
                let error = match connection.ask(request) {
                    Ok(reply) => return Ok(reply),
                    Err(error) => error,
                };
                self.notice(&error);
                match error.failure() {
                    Failure::Process | Failure::Refused | Failure::NoKey | Failure::Absent => {}
                    _ => return Err(error),
                }
                let hung = error.failure() == Failure::Process;
                if (hung || !fresh)
                    && let Some(connection) = state.connection.take()
                {
                    connection.end(!hung);
                }
                if fresh || !again(request) {
                    return Err(error);
                }
                warn!(%error, "the token's module is started again");
            }
        })
    }

    /// Connects if there is no connection; whether it did.
    fn connected(&self, state: &mut State) -> Answer<bool> {
        if let Some(error) = self.refused.get() {
            return Err(error.clone());
        }
        if state.connection.is_some() {
            return Ok(false);
        }
        if let Some((when, error)) = &state.failed
            && when.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.connect(state) {
            Ok(connection) => {
                if state.failed.take().is_some() {
                    info!("the token is back");
                }
                state.connection = Some(connection);
                Ok(true)
            }
            Err(error) => {
                self.notice(&error);
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Remembers a refused PIN.
    fn notice(&self, error: &TokenError) {
        if error.failure() == Failure::Pin {
            let _ = self.refused.set(error.clone());
            self.refusal.cancel();
        }
    }

    fn connect(&self, state: &mut State) -> Answer<Connection> {
        match &self.access {
            Access::Shared(socket) => Connection::share(socket),
            Access::Own {
                module,
                slot: Some(slot),
                environment,
            } => {
                let mut connection = Connection::load(module, environment, &self.opening)?;
                // The token that was there first, whatever its label: another one's PIN is not tried.
                let expected = match (slot, &self.opening.serial) {
                    (SlotName::Label(_), Some(serial)) => Some(serial),
                    _ => state.serial.as_ref(),
                };
                let (by_serial, slot) = match slot {
                    SlotName::Label(label) => (0, label),
                    SlotName::Serial(serial) => (1, serial),
                };
                let known = state.serial.is_some();
                let login = Request::LogIn(LogIn {
                    by_serial,
                    slot: bytes(slot),
                    serial: bytes(expected.map_or("", String::as_str)),
                    pin: Secret(Zeroizing::new(self.pin.as_bytes().to_vec())),
                    despite_failures: u8::from(self.opening.despite_failed_pins),
                    write: u8::from(self.opening.write),
                });
                let reply = connection.ask(&login).map_err(|error| {
                    if known || error.failure() != Failure::Process {
                        return error;
                    }
                    // Perhaps it was tried, and failed: a PIN that has never worked here is not tried twice.
                    TokenError::new(
                        Failure::Pin,
                        format!(
                            "while it was given the PIN, {error}; whether that failed is not known, so it is not tried again: make sure of it, then log in once with `bauta-signer token check`"
                        ),
                    )
                })?;
                let Reply::LoggedIn(serial) = reply else {
                    return Err(unexpected());
                };
                state.serial = Some(text(&serial));
                Ok(connection)
            }
            Access::Own { slot: None, .. } => fail(Failure::Setup, "the token is not named"),
        }
    }
}

/// Whether a request may be made again after a process ended in the middle of it.
fn again(request: &Request) -> bool {
    !matches!(request, Request::Generate(_) | Request::Destroy(_))
}

fn patience(request: &Request) -> Duration {
    match request {
        Request::Load(_) | Request::List | Request::LogIn(_) => START,
        Request::Generate(_) | Request::Probe | Request::Destroy(_) => MAKE,
        _ => USE,
    }
}

/// Lets an asynchronous runtime put its other work elsewhere meanwhile.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(work)
        }
        _ => work(),
    }
}

/// A stream to a module process, with the process if it is this program's own.
struct Connection {
    stream: UnixStream,
    child: Option<Child>,
}

impl Connection {
    /// Starts a process and loads the module.
    fn load(
        module: &Path,
        environment: &BTreeMap<String, String>,
        opening: &Opening,
    ) -> Answer<Self> {
        let start = || -> io::Result<Self> {
            let (ours, theirs) = UnixStream::pair()?;
            let mut command = match &opening.program {
                Some(program) => Command::new(program),
                // By this name it is found even if its file was replaced meanwhile.
                None => Command::new("/proc/self/exe"),
            };
            let child = command
                .arg0("bauta-signer")
                .arg(module::SUBCOMMAND)
                .envs(environment)
                .stdin(OwnedFd::from(theirs))
                // Some modules print; the log is for the signer.
                .stdout(Stdio::null())
                // Ctrl-C is for the signer, which still has a share to give.
                .process_group(0)
                .spawn()?;
            Ok(Self {
                stream: ours,
                child: Some(child),
            })
        };
        let mut connection = start().map_err(|error| {
            TokenError::new(
                Failure::Process,
                format!("the module's process did not start: {error}"),
            )
        })?;
        let load = Request::Load(Load {
            module: bytes(module.as_os_str().as_encoded_bytes()),
            strict: u8::from(opening.strict),
        });
        match connection.ask(&load)? {
            Reply::Done => Ok(connection),
            _ => Err(unexpected()),
        }
    }

    fn share(socket: &Path) -> Answer<Self> {
        match UnixStream::connect(socket) {
            Ok(stream) => Ok(Self {
                stream,
                child: None,
            }),
            Err(error) => fail(
                Failure::Absent,
                format!(
                    "nobody shares a token at {}: {error}; start `bauta-signer token share`",
                    socket.display()
                ),
            ),
        }
    }

    /// One request and its reply.
    fn ask(&mut self, request: &Request) -> Answer<Reply> {
        let patience = patience(request);
        let mut exchange = || -> io::Result<Option<Reply>> {
            self.stream.set_write_timeout(Some(patience))?;
            self.stream.set_read_timeout(Some(patience))?;
            wire::write(&mut self.stream, request)?;
            wire::read(&mut self.stream)
        };
        let gone = |reason: String| TokenError::new(Failure::Process, reason);
        match exchange() {
            Ok(Some(Reply::Failed(failed))) => Err(failed.into()),
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(gone(format!("the module's process ended{}", self.how()))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Err(gone(format!(
                    "the module did not answer within {} s",
                    patience.as_secs()
                )))
            }
            Err(error) => Err(gone(format!(
                "the module's process is gone{}: {error}",
                self.how()
            ))),
        }
    }

    /// How the process ended, if it has.
    fn how(&mut self) -> String {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
            .map_or_else(String::new, |status| format!(" ({status})"))
    }

    /// Ends the process: by the end of its stream if there is reason to believe that it notices.
    fn end(mut self, orderly: bool) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let Some(child) = &mut self.child else { return };
        let deadline = Instant::now() + GRACE;
        while orderly && Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.end(true);
        }
    }
}
