//! What a signer's operator writes down.

use std::path::{Path, PathBuf};

use bauta_log::LogVerifier;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{files, token::TokenConfig};

/// A signer's configuration, a JSON file. Paths are relative to the folder it lies in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerConfig {
    /// Folder for everything durable: `state.redb` and `log/`.
    pub data: PathBuf,
    /// Folder that `bauta-signer keys new` made; `data`/keys if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// Where the coordinator listens, host:port.
    pub coordinator: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the coordinator's certificate, hexadecimal.
    pub coordinator_spki_sha256: String,
    /// The log's verifier key, as in the log-policy file.
    pub log: String,
    /// SHA-256 of the text of the first authority file, hexadecimal: what this signer's trust begins with.
    pub authority_sha256: String,
    /// Development or production.
    pub mode: Mode,
    /// File whose first line is the passphrase of the embedded seal; without it, the terminal is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// The token that holds the keys; without it, a passphrase seals them, which production mode refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenConfig>,
    /// A person attends: shares are opened by `bauta-signer approve`, for a session, and are in memory at no other time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attended: bool,
}

/// Whether the embedded seal is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A first run: a passphrase may seal the keys.
    Development,
    /// Only a token may.
    Production,
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// Not a configuration.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which file.
        path: String,
        /// Line and cause.
        reason: String,
    },
    /// A value that cannot be.
    #[error("{field}: {reason}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// A configuration whose values were checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Folder for everything durable.
    pub data: PathBuf,
    /// Folder of the keys.
    pub keys: PathBuf,
    /// host:port.
    pub coordinator: String,
    /// The coordinator's pin.
    pub pin: [u8; 32],
    /// The log's key.
    pub log: LogVerifier,
    /// Digest of the first authority file.
    pub authority: [u8; 32],
    /// Development or production.
    pub mode: Mode,
    /// Whether shares are open only while the holder is there.
    pub attended: bool,
}

impl SignerConfig {
    /// Reads a JSON file and resolves its paths.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and cause.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes = files::read(path)?;
        let mut config: Self =
            serde_json::from_slice(&bytes).map_err(|error| ConfigError::Malformed {
                path: path.display().to_string(),
                reason: error.to_string(),
            })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.data = folder.join(&config.data);
        config.keys = config.keys.map(|keys| folder.join(keys));
        config.passphrase_file = config.passphrase_file.map(|file| folder.join(file));
        if let Some(token) = &mut config.token {
            token.relative_to(folder);
        }
        Ok(config)
    }

    /// The folder of the keys.
    pub fn keys_folder(&self) -> PathBuf {
        self.keys.clone().unwrap_or_else(|| self.data.join("keys"))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`] by field.
    pub fn check(&self) -> Result<Checked, ConfigError> {
        let log = self
            .log
            .parse()
            .map_err(|error: bauta_log::key::KeyError| ConfigError::Value {
                field: "log",
                reason: error.to_string(),
            })?;
        if self.token.is_some() && self.passphrase_file.is_some() {
            return Err(ConfigError::Value {
                field: "passphrase_file",
                reason: "the keys are in the token, which has a PIN: leave the passphrase out"
                    .to_owned(),
            });
        }
        if self.attended
            && self
                .token
                .as_ref()
                .is_some_and(|token| token.shared.is_some())
        {
            return Err(ConfigError::Value {
                field: "attended",
                reason: "whoever may use a shared token has no PIN of their own: give an attended signer its own token"
                    .to_owned(),
            });
        }
        Ok(Checked {
            data: self.data.clone(),
            keys: self.keys_folder(),
            coordinator: self.coordinator.clone(),
            pin: digest("coordinator_spki_sha256", &self.coordinator_spki_sha256)?,
            log,
            authority: digest("authority_sha256", &self.authority_sha256)?,
            mode: self.mode,
            attended: self.attended,
        })
    }
}

fn digest(field: &'static str, text: &str) -> Result<[u8; 32], ConfigError> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ConfigError::Value {
            field,
            reason: "SHA-256 is 64 hexadecimal digits".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_or_a_bad_value_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signer.json");
        let mut config = serde_json::json!({
            "data": "data", "coordinator": "127.0.0.1:1", "coordinator_spki_sha256": "00".repeat(32),
            "log": "nonsense", "authority_sha256": "12", "mode": "development",
        });
        std::fs::write(&path, config.to_string()).unwrap();
        let read = SignerConfig::read(&path).unwrap();
        assert_eq!(read.keys_folder(), folder.path().join("data/keys"));
        assert!(matches!(
            read.check(),
            Err(ConfigError::Value { field: "log", .. })
        ));
        config["quorum"] = 3.into();
        std::fs::write(&path, config.to_string()).unwrap();
        let error = SignerConfig::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("signer.json") && error.contains("quorum"),
            "{error}"
        );
    }
}
