//! The process that a vendor's module runs in: modules crash, hang and print, and the signer must not. It answers one request
//! after the other until the stream to the signer ends, and holds nothing but its session. Whatever goes wrong, it is ended and
//! another one started: there is one way to come back, the one of every start.

use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::AsFd as _,
        unix::{fs::MetadataExt as _, net::UnixStream},
    },
    path::Path,
    process::ExitCode,
    sync::mpsc,
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        aead::GcmParams,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        elliptic_curve::{EcKdf, Ecdh1DeriveParams},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass},
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};
use zeroize::Zeroizing;

use super::{
    check::{self, Outcome, Probe},
    error::{Answer, TokenError, cannot, fail, refused, words},
    objects::{self, Found},
    wire::{
        self, Failure, Key, KeyKind, Load, LogIn, Reply, Request, Seal, Sealed, Secret, Sign,
        bytes, text,
    },
};
use crate::process;

/// The name of the hidden subcommand that runs this.
pub const SUBCOMMAND: &str = "token-module";
/// How long a module may take to let go once the signer is gone.
const GRACE: Duration = Duration::from_secs(2);
/// Tag of AES-GCM.
const TAG: usize = 16;

/// Serves the signer that started this process and holds the other end of its standard input, a socket.
pub fn serve() -> ExitCode {
    let hardened = process::harden();
    let stream = io::stdin().as_fd().try_clone_to_owned();
    let stream = match stream.map(UnixStream::from) {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!(
                "token-module: no stream to a signer: {error}; signers start this themselves"
            );
            return ExitCode::FAILURE;
        }
    };
    match answer(
        stream,
        Module::new(hardened.err().map(|error| error.to_string())),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("token-module: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads requests on a thread of its own, so that the end of the signer is noticed while the module hangs.
fn answer(stream: UnixStream, mut module: Module) -> io::Result<()> {
    let (requests, waiting) = mpsc::channel::<Request>();
    let mut reader = stream.try_clone()?;
    std::thread::spawn(move || {
        while let Ok(Some(request)) = wire::read(&mut reader) {
            if requests.send(request).is_err() {
                break;
            }
        }
        drop(requests);
        std::thread::sleep(GRACE);
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    });
    let mut writer = stream;
    for request in waiting {
        let reply = module
            .perform(request)
            .unwrap_or_else(|error| Reply::Failed(error.into()));
        wire::write(&mut writer, &reply)?;
    }
    module.end();
    Ok(())
}

/// What the process holds.
struct Module {
    /// Why the operating system did not harden this process, if it did not.
    unhardened: Option<String>,
    library: Option<Pkcs11>,
    session: Option<Session>,
    slot: Option<Slot>,
    /// Keys that were found or made, by label. Their handles are good for as long as this process is.
    known: BTreeMap<Vec<u8>, Found>,
    /// Labels of those that this process made.
    made: Vec<Vec<u8>>,
}

impl Module {
    fn new(unhardened: Option<String>) -> Self {
        Self {
            unhardened,
            library: None,
            session: None,
            slot: None,
            known: BTreeMap::new(),
            made: Vec::new(),
        }
    }

    fn end(mut self) {
        drop(self.session.take());
        if let Some(library) = self.library.take() {
            let _ = library.finalize();
        }
    }

    fn perform(&mut self, request: Request) -> Answer<Reply> {
        match request {
            Request::Load(load) => self.load(&load),
            Request::List => check::tokens(self.library()?).map(Reply::Tokens),
            Request::LogIn(login) => self.log_in(&login),
            Request::Probe => self.probe(),
            Request::Generate(key) => self.generate(&key),
            Request::Find(key) => self.with(&key, |_, found| {
                Ok(Reply::Public(found.public.clone().into()))
            }),
            Request::Sign(Sign { key, message }) => self.with(&key, |session, found| {
                sign(session, key.kind, found, message.as_slice())
                    .map(|signature| Reply::Signature(signature.into()))
            }),
            Request::Seal(Seal { key, aad, secret }) => self.with(&key, |session, found| {
                seal(session, found, aad.as_slice(), &secret.0).map(Reply::Sealed)
            }),
            Request::Unseal(unseal) => self.with(&unseal.key, |session, found| {
                let (aad, sealed) = (unseal.aad.as_slice(), unseal.sealed.as_slice());
                open(session, found, aad, unseal.iv, sealed).map(Reply::Secret)
            }),
            Request::Agree(request) => self.with(&request.key, |session, found| {
                agree(session, found, request.point.as_slice()).map(Reply::Secret)
            }),
            Request::Destroy(key) => self.destroy(&key),
        }
    }

    /// Does something with a key, which is looked for and checked the first time.
    fn with(
        &mut self,
        key: &Key,
        act: impl FnOnce(&Session, &Found) -> Answer<Reply>,
    ) -> Answer<Reply> {
        let label = key.label.as_slice();
        if !self
            .known
            .get(label)
            .is_some_and(|found| found.kind == key.kind)
        {
            let found = objects::find(self.session()?.0, key)?;
            self.known.insert(label.to_vec(), found);
        }
        let (session, _) = self.session()?;
        match self.known.get(label) {
            Some(found) => act(session, found),
            None => fail(Failure::NoKey, "a key that was found is gone"),
        }
    }

    fn generate(&mut self, key: &Key) -> Answer<Reply> {
        let (session, slot) = self.session()?;
        supported(self.library()?, slot, key.kind)?;
        let (found, _) = objects::generate(session, key, true)?;
        let public = found.public.clone();
        let label = key.label.as_slice().to_vec();
        self.made.push(label.clone());
        self.known.insert(label, found);
        Ok(Reply::Public(public.into()))
    }

    /// Destroys a key, if this process made it: one that a signer may be using is not destroyed by any request.
    fn destroy(&mut self, key: &Key) -> Answer<Reply> {
        let label = key.label.as_slice();
        let made = self.made.iter().position(|made| made == label);
        if let Some((at, found)) = made.zip(self.known.remove(label)) {
            found
                .destroy(self.session()?.0)
                .map_err(|error| refused("destroying a key that is not wanted", &error))?;
            self.made.remove(at);
        }
        Ok(Reply::Done)
    }

    fn library(&self) -> Answer<&Pkcs11> {
        self.library
            .as_ref()
            .ok_or_else(|| TokenError::new(Failure::Process, "no module is loaded yet"))
    }

    fn session(&self) -> Answer<(&Session, Slot)> {
        self.session
            .as_ref()
            .zip(self.slot)
            .ok_or_else(|| TokenError::new(Failure::Process, "nobody is logged in yet"))
    }

    fn load(&mut self, load: &Load) -> Answer<Reply> {
        if load.strict == 1
            && let Some(reason) = &self.unhardened
        {
            return fail(Failure::NotHardened, reason.clone());
        }
        let path = text(&load.module);
        let path = Path::new(&path);
        trusted(path, load.strict == 1)?;
        let missing = |error: &Error| {
            TokenError::new(
                Failure::Module,
                format!(
                    "{} is no PKCS#11 module that can be loaded: {}",
                    path.display(),
                    words(error)
                ),
            )
        };
        let library = Pkcs11::new(path).map_err(|error| missing(&error))?;
        library
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            // Its HSM or folder may be away.
            .map_err(|error| refused("starting the module", &error))?;
        self.library = Some(library);
        Ok(Reply::Done)
    }

    fn log_in(&mut self, login: &LogIn) -> Answer<Reply> {
        let library = self.library()?;
        let (slot, token) = choose(library, login)?;
        let serial = token.serial_number().trim().to_owned();
        let expected = text(&login.serial);
        if !expected.is_empty() && expected != serial {
            return fail(
                Failure::OtherToken,
                format!(
                    "the token in this slot has the serial number {serial:?}, and this signer's keys were made in {expected:?}; its PIN was not tried. If the token was replaced from its backup on purpose, name it: \"slot\": \"serial:{serial}\""
                ),
            );
        }
        may_try(PinState::from(&token), login.despite_failures == 1)?;
        let session = if login.write == 1 {
            library.open_rw_session(slot)
        } else {
            library.open_ro_session(slot)
        };
        let session = session.map_err(|error| refused("opening a session", &error))?;
        let pin = Zeroizing::new(String::from_utf8(login.pin.0.to_vec()).map_err(|_| {
            TokenError::new(Failure::Setup, "the PIN is not UTF-8, as PKCS#11 wants it")
        })?);
        session
            .login(UserType::User, Some(&AuthPin::from(pin.as_str())))
            .map_err(|error| match error {
                Error::Pkcs11(
                    RvError::PinIncorrect
                    | RvError::PinInvalid
                    | RvError::PinLenRange
                    | RvError::PinExpired
                    | RvError::PinLocked
                    | RvError::UserPinNotInitialized,
                    _,
                ) => TokenError::new(
                    Failure::Pin,
                    format!(
                        "it refused the PIN ({}): this program tries no second time, since tokens lock. Correct the PIN, then log in once with `bauta-signer token check --despite-failed-pins`",
                        words(&error)
                    ),
                ),
                other => refused("logging in", &other),
            })?;
        self.session = Some(session);
        self.slot = Some(slot);
        Ok(Reply::LoggedIn(bytes(serial)))
    }

    /// Makes and uses each kind of key. The keys are the session's, and destroyed at once.
    fn probe(&self) -> Answer<Reply> {
        let (session, slot) = self.session()?;
        let library = self.library()?;
        let tried = |kind: KeyKind, test: &dyn Fn(&Found) -> Answer<()>| -> Outcome {
            let key = objects::key(kind, "bauta:probe");
            let attempt = supported(library, slot, kind)
                .and_then(|()| objects::generate(session, &key, false))
                .and_then(|(found, notes)| {
                    let tested = test(&found);
                    let _ = found.destroy(session);
                    tested.map(|()| notes)
                });
            match attempt {
                Ok(notes) => Outcome::Works { notes },
                Err(error) => Outcome::Fails {
                    reason: error.to_string(),
                },
            }
        };
        let probe = Probe {
            aes_gcm: tried(KeyKind::Aes, &|found| {
                let sealed = seal(session, found, b"aad", &[7; 32])?;
                let opened = open(session, found, b"aad", sealed.iv, sealed.text.as_slice())?;
                let other = open(
                    session,
                    found,
                    b"another",
                    sealed.iv,
                    sealed.text.as_slice(),
                );
                same(opened.0.as_slice() == [7; 32] && other.is_err(), "AES-GCM")
            }),
            ecdh: tried(KeyKind::Ecdh, &|found| {
                let one = agree(session, found, &found.public)?;
                let two = agree(session, found, &found.public)?;
                same(one.0 == two.0 && one.0.len() == 32, "ECDH")
            }),
            ed25519: tried(KeyKind::Ed25519, &|found| {
                let signature = sign(session, KeyKind::Ed25519, found, b"probe")?;
                same(
                    super::signing::verify(KeyKind::Ed25519, &found.public, b"probe", &signature),
                    "EdDSA",
                )
            }),
            p256: tried(KeyKind::P256, &|found| {
                let signature = sign(session, KeyKind::P256, found, b"probe")?;
                same(
                    super::signing::verify(KeyKind::P256, &found.public, b"probe", &signature),
                    "ECDSA",
                )
            }),
        };
        serde_json::to_vec(&probe)
            .map(|json| Reply::Probed(json.into()))
            .map_err(|error| TokenError::new(Failure::Process, error.to_string()))
    }
}

fn same(holds: bool, what: &str) -> Answer<()> {
    if holds {
        Ok(())
    } else {
        fail(
            Failure::Unsupported,
            format!("its {what} gives wrong results"),
        )
    }
}

/// In production, code that others could have put there is not loaded.
fn trusted(path: &Path, strict: bool) -> Answer<()> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        TokenError::new(
            Failure::Module,
            format!("there is no module {}: {error}", path.display()),
        )
    })?;
    let own = rustix::process::geteuid().as_raw();
    if strict && (metadata.mode() & 0o022 != 0 || ![0, own].contains(&metadata.uid())) {
        return fail(
            Failure::Module,
            format!(
                "{} can be written by others than root and this user, so whoever they are could take every key: correct its owner and mode",
                path.display()
            ),
        );
    }
    Ok(())
}

/// The one token with this label or serial number.
fn choose(library: &Pkcs11, login: &LogIn) -> Answer<(Slot, TokenInfo)> {
    let wanted = text(&login.slot);
    let mut seen = Vec::new();
    let mut fitting = Vec::new();
    for (slot, token) in check::present(library)? {
        let (label, serial) = (token.label().trim(), token.serial_number().trim());
        if wanted == if login.by_serial == 1 { serial } else { label } {
            fitting.push((slot, token));
        } else {
            seen.push(format!("{label:?} (serial:{serial})"));
        }
    }
    let by = if login.by_serial == 1 {
        "serial number"
    } else {
        "label"
    };
    match fitting.len() {
        0 => fail(
            Failure::Absent,
            format!(
                "no token with the {by} {wanted:?} is there; there are: {}",
                if seen.is_empty() {
                    "none".to_owned()
                } else {
                    seen.join(", ")
                }
            ),
        ),
        1 => Ok(fitting.remove(0)),
        several => fail(
            Failure::OtherToken,
            format!("{several} tokens have the {by} {wanted:?}: name one by serial:NUMBER"),
        ),
    }
}

/// What a token says of its PIN.
#[derive(Clone, Copy, Default)]
pub(super) struct PinState {
    pub(super) locked: bool,
    pub(super) unset: bool,
    pub(super) to_be_changed: bool,
    pub(super) not_asked_for: bool,
    pub(super) final_try: bool,
    pub(super) failed_before: bool,
}

impl From<&TokenInfo> for PinState {
    fn from(token: &TokenInfo) -> Self {
        Self {
            locked: token.user_pin_locked(),
            unset: !token.user_pin_initialized(),
            to_be_changed: token.user_pin_to_be_changed(),
            not_asked_for: !token.login_required(),
            final_try: token.user_pin_final_try(),
            failed_before: token.user_pin_count_low(),
        }
    }
}

/// Whether the PIN may be tried at all: never where a failure could lock the token, unless someone said so.
fn may_try(pin: PinState, despite_failures: bool) -> Answer<()> {
    let stop = |reason: &str| fail(Failure::Pin, reason);
    if pin.locked {
        return stop(
            "its PIN is locked: unlock it with the vendor's tool and the security officer's PIN",
        );
    }
    if pin.unset {
        return stop("it has no user PIN yet: set one with the vendor's tool");
    }
    if pin.to_be_changed {
        return stop("its PIN must be changed first, with the vendor's tool");
    }
    if pin.not_asked_for {
        return fail(
            Failure::Unsupported,
            "it asks for no PIN, so it guards nothing: set it up so that it does",
        );
    }
    if !despite_failures && (pin.failed_before || pin.final_try) {
        let left = if pin.final_try {
            "one try is left before it locks"
        } else {
            "a PIN failed since the last login"
        };
        return stop(&format!(
            "{left}, so none is tried: make sure of the PIN, then log in once with `bauta-signer token check --despite-failed-pins`"
        ));
    }
    Ok(())
}

/// Whether the token lists the mechanisms that a kind of key needs.
fn supported(library: &Pkcs11, slot: Slot, kind: KeyKind) -> Answer<()> {
    let listed = library
        .get_mechanism_list(slot)
        .map_err(|error| refused("listing mechanisms", &error))?;
    match kind
        .mechanisms()
        .into_iter()
        .find(|mechanism| !listed.contains(mechanism))
    {
        None => Ok(()),
        Some(mechanism) => fail(Failure::Unsupported, format!("it has no {mechanism}")),
    }
}

fn sign(session: &Session, kind: KeyKind, found: &Found, message: &[u8]) -> Answer<Vec<u8>> {
    let failed = |error| refused("signing", &error);
    match kind {
        KeyKind::Ed25519 => {
            let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            session.sign(&mechanism, found.secret, message)
        }
        // Not every token hashes; every one signs a hash.
        KeyKind::P256 => session.sign(
            &Mechanism::Ecdsa,
            found.secret,
            digest(&SHA256, message).as_ref(),
        ),
        KeyKind::Aes | KeyKind::Ecdh => {
            return fail(Failure::Unsupported, "this key does not sign");
        }
    }
    .map_err(failed)
}

/// Seals under a nonce of ours, or, where the token insists on one of its own, under that.
fn seal(session: &Session, found: &Found, aad: &[u8], secret: &[u8]) -> Answer<Sealed> {
    let mut iv = [0; 12];
    aws_lc_rs::rand::fill(&mut iv)
        .map_err(|_| TokenError::new(Failure::Refused, "no randomness"))?;
    let attempt = |iv: &mut [u8; 12]| {
        let params = GcmParams::new(iv, aad, (8 * TAG as u64).into())?;
        session.encrypt(&Mechanism::AesGcm(params), found.secret, secret)
    };
    let sealed = match attempt(&mut iv) {
        Err(error) if cannot(&error) => {
            // In FIPS mode some take no nonce, and write theirs where ours was.
            iv = [0; 12];
            attempt(&mut iv).and_then(|sealed| {
                if iv == [0; 12] {
                    Err(Error::InvalidValue)
                } else {
                    Ok(sealed)
                }
            })
        }
        other => other,
    }
    .map_err(|error| refused("sealing with AES-GCM", &error))?;
    if sealed.len() != secret.len() + TAG {
        return fail(
            Failure::Unsupported,
            "its AES-GCM gives something else than ciphertext and tag: seal by ECDH",
        );
    }
    Ok(Sealed {
        iv,
        text: sealed.into(),
    })
}

fn open(
    session: &Session,
    found: &Found,
    aad: &[u8],
    mut iv: [u8; 12],
    sealed: &[u8],
) -> Answer<Secret> {
    let params = GcmParams::new(&mut iv, aad, (8 * TAG as u64).into())
        .map_err(|error| refused("opening with AES-GCM", &error))?;
    session
        .decrypt(&Mechanism::AesGcm(params), found.secret, sealed)
        .map(|opened| Secret(Zeroizing::new(opened)))
        .map_err(|error| refused("opening with AES-GCM what it sealed", &error))
}

fn agree(session: &Session, found: &Found, point: &[u8]) -> Answer<Secret> {
    let failed = |error| refused("agreeing on a key by ECDH", &error);
    let params = Ecdh1DeriveParams::new(EcKdf::null(), point);
    let derived = session
        .derive_key(
            &Mechanism::Ecdh1Derive(params),
            found.secret,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::GENERIC_SECRET),
                Attribute::Token(false),
                Attribute::Sensitive(false),
                Attribute::Extractable(true),
                Attribute::ValueLen(32.into()),
            ],
        )
        .map_err(failed)?;
    let value = session.get_attributes(derived, &[AttributeType::Value]);
    let _ = session.destroy_object(derived);
    match value.map_err(failed)?.pop() {
        Some(Attribute::Value(value)) if value.len() == 32 => Ok(Secret(Zeroizing::new(value))),
        _ => fail(
            Failure::Unsupported,
            "it does not give out what ECDH agreed on",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_not_tried_where_it_cannot_work_or_might_lock() {
        let none = PinState::default();
        assert!(may_try(none, false).is_ok());
        let failure = |pin, despite| may_try(pin, despite).err().map(|error| error.failure());
        for hopeless in [
            PinState {
                locked: true,
                ..none
            },
            PinState {
                unset: true,
                ..none
            },
            PinState {
                to_be_changed: true,
                ..none
            },
        ] {
            assert_eq!(failure(hopeless, false), Some(Failure::Pin));
            assert_eq!(failure(hopeless, true), Some(Failure::Pin));
        }
        let open = PinState {
            not_asked_for: true,
            ..none
        };
        assert_eq!(failure(open, true), Some(Failure::Unsupported));
        for risky in [
            PinState {
                final_try: true,
                ..none
            },
            PinState {
                failed_before: true,
                ..none
            },
        ] {
            assert_eq!(failure(risky, false), Some(Failure::Pin));
            assert_eq!(failure(risky, true), None);
        }
    }
}
