//! What the tests do with a token that no signer does. It is done in a process of its own: a module finds its token by a
//! variable of its process, and to change one's own is unsafe code.

use std::{path::Path, process::Command};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    object::Attribute,
    session::{Session, UserType},
    types::AuthPin,
};
use serde::{Deserialize, Serialize};

use crate::{
    misuse,
    soft_token::{LABEL, PIN},
    weak,
};

/// Names the module, and the task as JSON.
const MODULE: &str = "BAUTA_TEST_ADMINISTRATION_MODULE";
const TASK: &str = "BAUTA_TEST_ADMINISTRATION_TASK";
const OFFICER_PIN: &str = "00000000";

/// What to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Make a token where there is none yet.
    Initialise { pin: String },
    /// Give the token another PIN, as its security officer.
    ChangePin { pin: String },
    /// Put another key in the place of the one that seals ([`weak::plant`]).
    Plant { fault: String },
    /// Try to misuse the keys of signer `one` ([`misuse::attempt`]).
    Misuse { sealed_by_ecdh: bool },
    /// See that the user has no key with this label.
    HasNone { label: String },
}

/// Starts this very program for a task, and waits for its end.
#[track_caller]
pub(crate) fn start(module: &Path, (variable, value): (&str, String), task: &Task) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "administration::perform"])
        .env(MODULE, module)
        .env(TASK, serde_json::to_string(task).unwrap())
        .env(variable, value)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{task:?} with {}: {said}",
        module.display()
    );
}

/// The other half of [`start`]; started otherwise, it has nothing to do.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn perform() {
    let Some((module, task)) = std::env::var_os(MODULE).zip(std::env::var(TASK).ok()) else {
        return;
    };
    let library = Pkcs11::new(module).unwrap();
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    match serde_json::from_str(&task).unwrap() {
        Task::Initialise { pin } => {
            let mut slots = library.get_slots_with_token().unwrap().into_iter();
            let free = |slot| !library.get_token_info(slot).unwrap().token_initialized();
            let slot = slots.find(|slot| free(*slot)).expect("a free slot");
            library
                .init_token(slot, &AuthPin::from(OFFICER_PIN), LABEL)
                .unwrap();
            // Some modules give an initialised token another slot.
            let unset = |slot| !library.get_token_info(slot).unwrap().user_pin_initialized();
            set_pin(&log_in(&library, UserType::So, OFFICER_PIN, unset), &pin);
        }
        Task::ChangePin { pin } => {
            set_pin(&log_in(&library, UserType::So, OFFICER_PIN, |_| true), &pin);
        }
        Task::Plant { fault } => {
            weak::plant(&log_in(&library, UserType::User, PIN, |_| true), &fault);
        }
        Task::Misuse { sealed_by_ecdh } => {
            let session = log_in(&library, UserType::User, PIN, |_| true);
            misuse::attempt(&session, sealed_by_ecdh);
        }
        Task::HasNone { label } => {
            let session = log_in(&library, UserType::User, PIN, |_| true);
            let label = Attribute::Label(label.into_bytes());
            assert_eq!(session.find_objects(&[label]).unwrap(), []);
        }
    }
}

fn set_pin(session: &Session, pin: &str) {
    session.init_pin(&AuthPin::from(pin)).unwrap();
}

/// A session with the first token of the tests' label that fits.
fn log_in(
    library: &Pkcs11,
    user: UserType,
    pin: &str,
    fits: impl Fn(cryptoki::slot::Slot) -> bool,
) -> Session {
    let slots = library.get_slots_with_initialized_token().unwrap();
    let slot = slots
        .into_iter()
        .find(|slot| library.get_token_info(*slot).unwrap().label() == LABEL && fits(*slot))
        .expect("a token");
    let session = library.open_rw_session(slot).unwrap();
    session.login(user, Some(&AuthPin::from(pin))).unwrap();
    session
}
