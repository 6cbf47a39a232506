//! A SoftHSM2 token in a temporary folder.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use bauta_signer::token::{Opening, SlotName, Token, TokenConfig, TokenError};
use tempfile::TempDir;

/// Debian's path of the module.
pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const LABEL: &str = "bauta test";
pub(crate) const PIN: &str = "7316049582";

/// A token.
pub(crate) struct SoftHsm {
    folder: TempDir,
}

impl SoftHsm {
    pub(crate) fn new() -> Self {
        Self::without(&[])
    }

    /// A token that lacks some mechanisms.
    pub(crate) fn without(mechanisms: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let token = Self { folder };
        token.take_away(mechanisms);
        token.initialise(PIN);
        token
    }

    pub(crate) fn take_away(&self, mechanisms: &[&str]) {
        let mechanisms = match mechanisms {
            [] => "ALL".to_owned(),
            // SoftHSM2 2.6.1 does not heed the first of a list.
            some => format!("-CKM_MD5,{}", some.join(",")),
        };
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.mechanisms = {mechanisms}\n",
            self.tokens().display()
        );
        fs::write(self.conf(), text).expect("softhsm2.conf");
    }

    /// Makes a token in the folder, and a PIN file.
    pub(crate) fn initialise(&self, pin: &str) {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.tokens())
            .expect("token folder");
        self.util(&[
            "--init-token",
            "--free",
            "--label",
            LABEL,
            "--so-pin",
            "00000000",
            "--pin",
            pin,
        ]);
        self.write_pin(pin);
    }

    /// Makes the same token anew, by its number, under this PIN; the PIN file stays as it is.
    pub(crate) fn initialise_again(&self, pin: &str) {
        self.util(&[
            "--init-token",
            "--token",
            LABEL,
            "--label",
            LABEL,
            "--so-pin",
            "00000000",
            "--pin",
            pin,
        ]);
    }

    pub(crate) fn util(&self, arguments: &[&str]) -> String {
        let output = Command::new("softhsm2-util")
            .args(arguments)
            .env("SOFTHSM2_CONF", self.conf())
            .output()
            .unwrap_or_else(|error| panic!("softhsm2-util: {error}: apt install softhsm2"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    pub(crate) fn write_pin(&self, pin: &str) {
        let path = self.pin_file();
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("{pin}\n")).expect("PIN file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.path().join("softhsm2.conf")
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.path().join("tokens")
    }

    pub(crate) fn pin_file(&self) -> PathBuf {
        self.path().join("pin")
    }

    pub(crate) fn keys(&self, name: &str) -> PathBuf {
        self.path().join("keys").join(name)
    }

    pub(crate) fn config(&self) -> TokenConfig {
        TokenConfig {
            module: Some(MODULE.into()),
            slot: Some(SlotName::Label(LABEL.into())),
            pin_file: Some(self.pin_file()),
            environment: [(
                "SOFTHSM2_CONF".to_owned(),
                self.conf().display().to_string(),
            )]
            .into(),
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

/// The program under test runs the module; the test program cannot.
pub(crate) fn opening() -> Opening {
    Opening {
        write: true,
        program: Some(env!("CARGO_BIN_EXE_bauta-signer").into()),
        ..Opening::default()
    }
}
