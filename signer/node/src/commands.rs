//! Commands that `bauta-signer` and `bauta signer` share: making keys, checking and sharing a token.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    files,
    keys::{self, KeysError, PublicKeys},
    process,
    token::{self, Failure, Opening, Report, SlotName, Token, TokenConfig, TokenError},
};

/// A token on the command line. The PIN is never on it.
#[derive(Args, Clone, Debug, Default)]
pub struct TokenArguments {
    /// The token: its label, or serial:NUMBER.
    #[arg(long, value_name = "LABEL")]
    pub slot: Option<SlotName>,
    /// File with the token's PIN (mode 600 or 400, your own); else the systemd credential token-pin, else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// A variable that the module alone gets, such as SOFTHSM2_CONF=/etc/softhsm2.conf; repeatable.
    #[arg(long = "module-env", value_name = "NAME=VALUE", value_parser = variable)]
    pub environment: Vec<(String, String)>,
    /// Log in although a PIN failed before. Make sure of the PIN: tokens lock.
    #[arg(long)]
    pub despite_failed_pins: bool,
}

/// Reads NAME=VALUE.
///
/// # Errors
/// What was expected.
pub fn variable(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

impl TokenArguments {
    /// As a configuration has it.
    pub fn config(&self, module: PathBuf) -> TokenConfig {
        TokenConfig {
            module: Some(module),
            slot: self.slot.clone(),
            pin_file: self.pin_file.clone(),
            environment: self.environment.iter().cloned().collect::<BTreeMap<_, _>>(),
            shared: None,
        }
    }
}

/// Where a signer's keys are made, and what seals them.
#[derive(Args, Clone, Debug, Default)]
pub struct KeyPlace {
    /// Make the keys in a token, through the vendor's PKCS#11 module at this path. The token must be initialised; no object in it
    /// is overwritten.
    #[arg(long, value_name = "MODULE", conflicts_with_all = ["passphrase_file", "shared"])]
    pub token: Option<PathBuf>,
    /// Make the keys in a token that `token share` holds, through its socket.
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["passphrase_file", "slot", "pin_file"])]
    pub shared: Option<PathBuf>,
    #[allow(missing_docs)] // clap would print a comment here as the whole command's description
    #[command(flatten)]
    pub arguments: TokenArguments,
    /// File (mode 600) whose first line is the passphrase that seals the keys, where no token does; without it, the terminal is
    /// asked.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl KeyPlace {
    /// The token, as a configuration has it; `None` where a passphrase seals.
    ///
    /// # Errors
    /// [`TokenError`] for a slot or a PIN without a token.
    pub fn token_config(&self) -> Result<Option<TokenConfig>, TokenError> {
        match (&self.token, &self.shared) {
            (Some(module), _) => Ok(Some(self.arguments.config(module.clone()))),
            (None, Some(socket)) => Ok(Some(TokenConfig {
                shared: Some(socket.clone()),
                ..TokenConfig::default()
            })),
            (None, None) if self.arguments.slot.is_some() || self.arguments.pin_file.is_some() => {
                Err(TokenError::new(
                    Failure::Setup,
                    "a slot and a PIN are of a token: name the vendor's module by --token",
                ))
            }
            (None, None) => Ok(None),
        }
    }

    /// Makes the keys of `name` in `folder`; where a passphrase seals them, at this cost ([`keys::create_sealed`]).
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn create(
        &self,
        folder: &Path,
        name: &str,
        work_factor: Option<u8>,
    ) -> Result<PublicKeys, KeysError> {
        let Some(config) = self.token_config()? else {
            let passphrase = self.passphrase_file.as_deref();
            return keys::create_sealed_at(folder, name, passphrase, work_factor);
        };
        let opening = Opening {
            despite_failed_pins: self.arguments.despite_failed_pins,
            write: true,
            ..Opening::default()
        };
        token::create(folder, name, &Token::open(&config, opening)?)
    }
}

/// Arguments of `keys new`.
#[derive(Args, Clone, Debug)]
pub struct NewKeys {
    /// Folder to make them in; keys that are there are never overwritten.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The signer's name: one per CA, as a key name (no spaces, no plus sign).
    #[arg(long)]
    pub name: String,
    #[allow(missing_docs)] // clap would print a comment here as the whole command's description
    #[command(flatten)]
    pub place: KeyPlace,
}

impl NewKeys {
    /// Makes the keys ([`KeyPlace::create`]).
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn run(&self, work_factor: Option<u8>) -> Result<PublicKeys, KeysError> {
        self.place.create(&self.out, &self.name, work_factor)
    }
}

/// Arguments of `token check`.
#[derive(Args, Clone, Debug)]
pub struct CheckToken {
    /// The vendor's PKCS#11 module.
    #[arg(long, value_name = "MODULE")]
    pub module: PathBuf,
    #[allow(missing_docs)] // clap would print a comment here as the whole command's description
    #[command(flatten)]
    pub arguments: TokenArguments,
    /// Ask for the PIN at the terminal, and try what the token can do.
    #[arg(long)]
    pub ask_pin: bool,
}

impl CheckToken {
    /// Lists tokens; with a PIN, tries one out.
    ///
    /// # Errors
    /// [`TokenError`]. A token that a signer cannot use is no error, but says so ([`Report::usable`]).
    pub fn run(&self) -> Result<Report, TokenError> {
        let config = self.arguments.config(self.module.clone());
        let opening = Opening {
            despite_failed_pins: self.arguments.despite_failed_pins,
            // Some make keys of a session only in a session that may write.
            write: true,
            ..Opening::default()
        };
        let pin = self.ask_pin
            || self.arguments.pin_file.is_some()
            || std::env::var_os("CREDENTIALS_DIRECTORY").is_some();
        // Before a vendor's code runs, which may have a reason of its own not to start.
        if pin && self.arguments.slot.is_none() {
            return Err(TokenError::new(
                Failure::Setup,
                "name the token that the PIN is for by --slot: it must not be tried on another",
            ));
        }
        let mut tokens = token::list(&config, &opening)?;
        if let Some(slot) = &self.arguments.slot {
            tokens.tokens.retain(|token| match slot {
                SlotName::Label(label) => token.label == *label,
                SlotName::Serial(serial) => token.serial == *serial,
            });
        }
        if !pin {
            return Ok(Report::new(tokens, None));
        }
        let token = Token::open(&config, opening)?;
        Ok(Report::new(tokens, Some(token.probe()?)))
    }
}

/// Arguments of `token share`.
#[derive(Args, Clone, Debug)]
pub struct ShareToken {
    /// JSON configuration: {"token": {"module": …, "slot": …, "pin_file": …}, "socket": …}; its paths are relative to its folder,
    /// and the socket's folder must be mode 700. Signers name the socket: "token": {"shared": …}.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// End with the process that started this one, whose id this is, however that one ends.
    #[arg(long, value_name = "PID")]
    pub die_with_parent: Option<u32>,
}

/// The configuration of `token share`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// The token.
    pub token: TokenConfig,
    /// Where signers ask.
    pub socket: PathBuf,
}

impl ShareToken {
    /// Holds a token for several signers until `shutdown`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn run(&self, shutdown: &CancellationToken) -> Result<(), TokenError> {
        let setup = |reason: String| TokenError::new(Failure::Setup, reason);
        if let Some(parent) = self.die_with_parent {
            process::die_with_parent(Some(parent)).map_err(|error| setup(error.to_string()))?;
        }
        let bytes = files::read(&self.config).map_err(|error| setup(error.to_string()))?;
        let mut config: Sharing = serde_json::from_slice(&bytes)
            .map_err(|error| setup(format!("{}: {error}", self.config.display())))?;
        let folder = self.config.parent().unwrap_or(Path::new(""));
        config.token.relative_to(folder);
        let opening = Opening {
            write: true,
            ..Opening::default()
        };
        let token: Arc<Token> = Token::open(&config.token, opening)?;
        token::share(&token, &folder.join(config.socket), shutdown).await
    }
}
