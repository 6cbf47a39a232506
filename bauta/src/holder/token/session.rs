//! A module loaded, the token chosen, a session on it, the PIN: and all of it let go of at the end.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::error::{Answer, TokenKeyError, failed, words};
use super::uri::{self, TokenName, TokenUri};

/// What became of the PIN. Once one is refused, none is tried: a card counts wrong ones, and locks.
#[derive(Default)]
pub(super) enum Pin {
    #[default]
    NotTried,
    Accepted(Zeroizing<String>),
    Refused,
}

/// A session on the token that a URI names.
pub(super) struct Open {
    // Dropped in this order: a session cannot be closed once its library is finalised.
    pub(super) session: Session,
    library: Library,
    slot: Slot,
    token: TokenInfo,
}

/// A module that is initialised.
struct Library(Pkcs11);

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.0.clone().finalize();
    }
}

impl Open {
    /// Loads the module and opens a session that changes nothing. Nobody is logged in yet.
    pub(super) fn new(uri: &TokenUri) -> Answer<Self> {
        let library = load(&uri.module)?;
        let (slot, token) = choose(&library.0, &uri.token)?;
        let session = library
            .0
            .open_ro_session(slot)
            .map_err(failed("opening a session"))?;
        Ok(Self {
            session,
            library,
            slot,
            token,
        })
    }

    /// The token, for messages.
    pub(super) fn name(&self) -> String {
        format!("the token {:?}", self.token.label().trim())
    }

    /// What the token can do, by its own list.
    pub(super) fn mechanisms(&self) -> Answer<Vec<MechanismType>> {
        self.library
            .0
            .get_mechanism_list(self.slot)
            .map_err(failed("listing its mechanisms"))
    }

    /// Logs the user in, if the token asks for it: by the keypad of the reader where there is one, else by a PIN from the URI's file or
    /// the terminal.
    pub(super) fn log_in(&self, uri: &TokenUri, pin: &Mutex<Pin>) -> Answer<()> {
        if !self.token.login_required() {
            return Ok(());
        }
        self.give_pin(UserType::User, uri, pin)
    }

    /// Gives the PIN once more, for the one signature that was begun: what a key with CKA_ALWAYS_AUTHENTICATE asks for.
    pub(super) fn confirm(&self, uri: &TokenUri, pin: &Mutex<Pin>) -> Answer<()> {
        self.give_pin(UserType::ContextSpecific, uri, pin)
    }

    fn give_pin(&self, user: UserType, uri: &TokenUri, pin: &Mutex<Pin>) -> Answer<()> {
        let mut pin = pin.lock().unwrap_or_else(PoisonError::into_inner);
        let keypad = self.token.protected_authentication_path();
        let found = match &*pin {
            Pin::Refused => return Err(TokenKeyError::WrongPin(self.name())),
            Pin::Accepted(known) => Some(known.clone()),
            // It goes no other way than by the keypad, so a pin-source has no say.
            Pin::NotTried if keypad => {
                eprintln!("Type the PIN of {} on the reader's keypad.", self.name());
                None
            }
            Pin::NotTried => Some(self.find_pin(uri.pin_source.as_deref())?),
        };
        let given = found.as_ref().map(|pin| AuthPin::from(pin.as_str()));
        let judged = self.judged(self.session.login(user, given.as_ref()));
        match &judged {
            Ok(()) => {
                if let Some(found) = found {
                    *pin = Pin::Accepted(found);
                }
            }
            Err(TokenKeyError::WrongPin(_) | TokenKeyError::PinLocked(_)) => *pin = Pin::Refused,
            // Not the PIN's fault.
            Err(_) => {}
        }
        judged
    }

    fn judged(&self, login: cryptoki::error::Result<()>) -> Answer<()> {
        match login {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => Err(TokenKeyError::WrongPin(self.name())),
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenKeyError::PinLocked(self.name())),
            Err(Error::Pkcs11(RvError::PinExpired | RvError::UserPinNotInitialized, _)) => {
                Err(TokenKeyError::PinToSet(self.name()))
            }
            Err(other) => Err(failed("logging in")(other)),
        }
    }

    /// A PIN that may be tried.
    fn find_pin(&self, file: Option<&Path>) -> Answer<Zeroizing<String>> {
        if self.token.user_pin_locked() {
            return Err(TokenKeyError::PinLocked(self.name()));
        }
        if !self.token.user_pin_initialized() || self.token.user_pin_to_be_changed() {
            return Err(TokenKeyError::PinToSet(self.name()));
        }
        let state = if self.token.user_pin_final_try() {
            Some("one try is left before it locks")
        } else if self.token.user_pin_count_low() {
            Some("a PIN failed since the last login")
        } else {
            None
        };
        let pin = match (file, state) {
            (Some(file), None) => bauta_signer::token::pin_from_file(file)?,
            // Whoever starts this again and again with a wrong file would lock the card.
            (Some(file), Some(state)) => {
                return Err(TokenKeyError::PinAtRisk {
                    token: self.name(),
                    state,
                    file: file.to_owned(),
                });
            }
            (None, state) => {
                let state = state.map_or_else(String::new, |state| format!(" ({state})"));
                let prompt = format!("PIN of {}{state}: ", self.name());
                Zeroizing::new(
                    rpassword::prompt_password(prompt).map_err(TokenKeyError::NoTerminal)?,
                )
            }
        };
        if pin.is_empty() {
            return Err(TokenKeyError::EmptyPin);
        }
        Ok(pin)
    }
}

fn load(path: &Path) -> Answer<Library> {
    let missing = |reason: String| TokenKeyError::Module {
        path: path.to_owned(),
        reason,
    };
    // A name without a slash would be looked for in the system's folders by the loader: what is loaded is what was named.
    let absolute = std::path::absolute(path).map_err(|error| missing(error.to_string()))?;
    let metadata = std::fs::metadata(&absolute).map_err(|error| missing(error.to_string()))?;
    if !metadata.is_file() {
        return Err(missing("it is no file".to_owned()));
    }
    let library = Pkcs11::new(&absolute).map_err(|error| missing(words(&error)))?;
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(failed("starting"))?;
    Ok(Library(library))
}

/// The one token that fits.
fn choose(library: &Pkcs11, wanted: &TokenName) -> Answer<(Slot, TokenInfo)> {
    let present: Vec<_> = library
        .get_slots_with_token()
        .map_err(failed("listing tokens"))?
        .into_iter()
        // One that is being pulled out, or is damaged, does not hide the others.
        .filter_map(|slot| Some((slot, library.get_token_info(slot).ok()?)))
        .filter(|(_, token)| token.token_initialized())
        .collect();
    let (mut fitting, others): (Vec<_>, Vec<_>) = present
        .into_iter()
        .partition(|(slot, token)| fits(*slot, token, wanted));
    let shown = |tokens: &[(Slot, TokenInfo)]| -> Vec<String> {
        tokens
            .iter()
            .map(|(slot, token)| {
                format!(
                    "{:?} (token={};serial={};slot-id={slot})",
                    token.label().trim(),
                    uri::text(token.label().trim().as_bytes()),
                    uri::text(token.serial_number().trim().as_bytes()),
                )
            })
            .collect()
    };
    if fitting.len() > 1 {
        return Err(TokenKeyError::SeveralTokens(shown(&fitting)));
    }
    fitting.pop().ok_or_else(|| TokenKeyError::NoToken {
        wanted: in_words(wanted),
        present: match shown(&others).join(", ") {
            none if none.is_empty() => "is none at all".to_owned(),
            some => format!("is {some}"),
        },
    })
}

/// The standard pads these with blanks; what is left are the names.
fn fits(slot: Slot, token: &TokenInfo, wanted: &TokenName) -> bool {
    let same = |wanted: &Option<String>, its: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.trim_end() == its.trim_end())
    };
    same(&wanted.label, token.label())
        && same(&wanted.serial, token.serial_number())
        && same(&wanted.manufacturer, token.manufacturer_id())
        && same(&wanted.model, token.model())
        && wanted.slot.is_none_or(|id| id == slot.id())
}

fn in_words(wanted: &TokenName) -> String {
    let TokenName {
        label,
        serial,
        manufacturer,
        model,
        slot,
    } = wanted;
    let named: Vec<String> = [
        ("label", label),
        ("serial number", serial),
        ("manufacturer", manufacturer),
        ("model", model),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {:?}", value.as_ref()?)))
    .chain(slot.map(|id| format!("slot {id}")))
    .collect();
    if named.is_empty() {
        "any".to_owned()
    } else {
        named.join(", ")
    }
}
