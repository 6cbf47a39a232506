//! A token in a temporary folder: SoftHSM2's, or kryoptic's where [`KRYOPTIC`] names that module. What the tests say of one
//! they say of both; where the modules differ, this file says how.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bauta_signer::token::{Opening, SlotName, Token, TokenConfig, TokenError};
use tempfile::TempDir;

use crate::administration::{self, Task};

/// Names kryoptic's module; `cargo xtask kryoptic` builds it.
const KRYOPTIC: &str = "BAUTA_TEST_KRYOPTIC";
/// Debian's path of SoftHSM2's module.
const SOFTHSM2: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const LABEL: &str = "bauta test";
pub(crate) const PIN: &str = "7316049582";

/// Which module the tests run on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    SoftHsm2,
    Kryoptic(PathBuf),
}

/// A token.
pub(crate) struct SoftToken {
    folder: TempDir,
    kind: Kind,
}

impl SoftToken {
    pub(crate) fn new() -> Self {
        Self::without(&[])
    }

    /// A token that lacks some mechanisms.
    pub(crate) fn without(mechanisms: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kind = std::env::var_os(KRYOPTIC)
            .map_or(Kind::SoftHsm2, |module| Kind::Kryoptic(module.into()));
        let token = Self { folder, kind };
        token.take_away(mechanisms);
        token.initialise(PIN);
        token
    }

    pub(crate) fn take_away(&self, mechanisms: &[&str]) {
        let text = match self.kind {
            Kind::SoftHsm2 => softhsm2_conf(&self.tokens(), mechanisms),
            Kind::Kryoptic(_) => kryoptic_conf(&self.tokens(), mechanisms),
        };
        fs::write(self.conf(), text).expect("the module's configuration");
    }

    /// Makes a token in the folder, and a PIN file.
    pub(crate) fn initialise(&self, pin: &str) {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.tokens())
            .expect("token folder");
        self.administer(&Task::Initialise { pin: pin.into() });
        self.write_pin(pin);
    }

    /// Gives the token another PIN; the PIN file stays as it is.
    pub(crate) fn change_pin(&self, pin: &str) {
        self.administer(&Task::ChangePin { pin: pin.into() });
    }

    /// Has a process of its own do something with the token that no signer does ([`administration`]).
    pub(crate) fn administer(&self, task: &Task) {
        administration::start(&self.module(), self.variable(), task);
    }

    pub(crate) fn write_pin(&self, pin: &str) {
        let path = self.pin_file();
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("{pin}\n")).expect("PIN file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    }

    /// How many PINs fail until the token says that one failed since the last login. By the standard, one; kryoptic 1.5.4 says
    /// it where three tries of ten are left.
    pub(crate) fn failed_pins_until_it_tells(&self) -> usize {
        match self.kind {
            Kind::SoftHsm2 => 1,
            Kind::Kryoptic(_) => 7,
        }
    }

    /// Whether a module that runs notices that the token's folder is gone. kryoptic 1.5.4 goes on with the file it has open.
    pub(crate) fn notices_what_is_taken_out(&self) -> bool {
        self.kind == Kind::SoftHsm2
    }

    /// What the token says it is.
    pub(crate) fn model(&self) -> &'static str {
        match self.kind {
            Kind::SoftHsm2 => "SoftHSM v2",
            Kind::Kryoptic(_) => "v1",
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn module(&self) -> PathBuf {
        match &self.kind {
            Kind::SoftHsm2 => SOFTHSM2.into(),
            Kind::Kryoptic(module) => module.clone(),
        }
    }

    fn conf(&self) -> PathBuf {
        self.path().join("module.conf")
    }

    /// The variable by which the module finds its configuration.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        let name = match self.kind {
            Kind::SoftHsm2 => "SOFTHSM2_CONF",
            Kind::Kryoptic(_) => "KRYOPTIC_CONF",
        };
        (name, self.conf().display().to_string())
    }

    fn tokens(&self) -> PathBuf {
        self.path().join("tokens")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.path().join("pin")
    }

    pub(crate) fn keys(&self, name: &str) -> PathBuf {
        self.path().join("keys").join(name)
    }

    pub(crate) fn config(&self) -> TokenConfig {
        let (name, value) = self.variable();
        TokenConfig {
            module: Some(self.module()),
            slot: Some(SlotName::Label(LABEL.into())),
            pin_file: Some(self.pin_file()),
            environment: [(name.to_owned(), value)].into(),
            shared: None,
        }
    }

    /// Opens the token, to make keys in it.
    pub(crate) fn open(&self) -> Result<Arc<Token>, TokenError> {
        Token::open(&self.config(), opening())
    }

    /// Takes the token out, and gives what puts it back.
    pub(crate) fn take_out(&self) -> impl FnOnce() + '_ {
        let elsewhere = self.path().join("taken out");
        fs::rename(self.tokens(), &elsewhere).expect("taken out");
        move || {
            let _ = fs::remove_dir_all(self.tokens());
            fs::rename(elsewhere, self.tokens()).expect("put back");
        }
    }
}

fn softhsm2_conf(tokens: &Path, without: &[&str]) -> String {
    let mechanisms = match without {
        [] => "ALL".to_owned(),
        // SoftHSM2 2.6.1 does not heed the first of a list.
        some => format!("-CKM_MD5,{}", some.join(",")),
    };
    format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.mechanisms = {mechanisms}\n",
        tokens.display()
    )
}

/// Two slots, each a file: like SoftHSM2, it always has one where another token can be made.
fn kryoptic_conf(tokens: &Path, without: &[&str]) -> String {
    let mechanisms: Vec<&str> = ["DENY"].iter().chain(without).copied().collect();
    let mechanisms = match without {
        [] => String::new(),
        _ => format!("mechanisms = {mechanisms:?}\n"),
    };
    [1, 2]
        .map(|slot| {
            let file = tokens.join(format!("{slot}.sql"));
            format!(
                "[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = {file:?}\n{mechanisms}"
            )
        })
        .concat()
}

/// The program under test runs the module; the test program cannot.
pub(crate) fn opening() -> Opening {
    Opening {
        write: true,
        program: Some(env!("CARGO_BIN_EXE_bauta-signer").into()),
        ..Opening::default()
    }
}
