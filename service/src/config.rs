//! What the service's operator writes down: a JSON file.

use std::{net::SocketAddr, path::PathBuf};

use bauta_statement::{file::text::parse_hex, note::Digest};
use serde::{Deserialize, Serialize};

use crate::ca::ServedChain;

/// The service's configuration. Paths are as the process sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Folder of the database.
    pub data: PathBuf,
    /// Folder that `bauta keys new service` made: log key, challenge key, coordinator's TLS identity.
    pub keys: PathBuf,
    /// Folder of the public log: checkpoint, tiles, objects. A plain web server can publish it.
    pub log: PathBuf,
    /// Where the REST API listens (TLS 1.3).
    pub listen: SocketAddr,
    /// Where signers dial in (mutual TLS 1.3).
    pub coordinator: SocketAddr,
    /// The admin socket: whoever may open it (mode 600) may submit signed files.
    pub admin_socket: PathBuf,
    /// The REST API's certificate chain (PEM).
    pub tls_certificate: PathBuf,
    /// Its key (PEM).
    pub tls_key: PathBuf,
    /// SHA-256 of the text of the first authority file, hexadecimal.
    pub authority_sha256: String,
    /// Entries at which a batch closes.
    #[serde(default = "default_batch_entries")]
    pub batch_entries: usize,
    /// Milliseconds after which a batch closes while others are in flight; an idle service closes at once.
    #[serde(default = "default_batch_delay")]
    pub batch_delay_milliseconds: u64,
    /// Requests verified or waiting at once; beyond it the answer is 503 with Retry-After.
    #[serde(default = "default_queue")]
    pub queue: usize,
    /// How long a challenge is good, at most 300 seconds.
    #[serde(default = "default_challenge_life")]
    pub challenge_seconds: u64,
    /// Which CA certificates follow a leaf in its chain: `installed` (where there is one) or `self-signed`.
    #[serde(default)]
    pub ca_chain: ServedChain,
}

fn default_batch_entries() -> usize {
    64
}

fn default_batch_delay() -> u64 {
    5
}

fn default_queue() -> usize {
    256
}

fn default_challenge_life() -> u64 {
    bauta_statement::challenge::LONGEST_LIFE
}

/// A value that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("configuration: {field}: {reason}")]
pub struct ConfigError {
    field: &'static str,
    reason: &'static str,
}

impl ServiceConfig {
    /// Checks what can be checked without opening a file; gives the pinned authority digest.
    ///
    /// # Errors
    /// [`ConfigError`], naming the field.
    pub fn check(&self) -> Result<Digest, ConfigError> {
        let wrong = |field, reason| Err(ConfigError { field, reason });
        if !(1..=1024).contains(&self.batch_entries) {
            return wrong("batch_entries", "choose from 1 to 1024");
        }
        if self.batch_delay_milliseconds > 1_000 {
            return wrong("batch_delay_milliseconds", "choose at most 1000");
        }
        if !(1..=65_536).contains(&self.queue) {
            return wrong("queue", "choose from 1 to 65536");
        }
        if !(10..=bauta_statement::challenge::LONGEST_LIFE).contains(&self.challenge_seconds) {
            return wrong("challenge_seconds", "choose from 10 to 300");
        }
        match parse_hex(&self.authority_sha256) {
            Ok(digest) => Ok(digest),
            Err(_) => wrong(
                "authority_sha256",
                "expected 64 lower-case hexadecimal digits: what `bauta ca authority` printed",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> serde_json::Value {
        serde_json::json!({
            "data": "d", "keys": "k", "log": "l", "listen": "127.0.0.1:1", "coordinator": "127.0.0.1:2",
            "admin_socket": "s", "tls_certificate": "c", "tls_key": "t", "authority_sha256": "00".repeat(32),
        })
    }

    #[test]
    fn each_bound_is_named() {
        let read = |value: serde_json::Value| {
            serde_json::from_value::<ServiceConfig>(value)
                .unwrap()
                .check()
        };
        assert_eq!(read(config()), Ok([0; 32]));
        for (field, value) in [
            ("batch_entries", serde_json::json!(0)),
            ("batch_delay_milliseconds", serde_json::json!(1_001)),
            ("queue", serde_json::json!(0)),
            ("challenge_seconds", serde_json::json!(301)),
            ("authority_sha256", serde_json::json!("zz")),
        ] {
            let mut changed = config();
            changed[field] = value;
            assert_eq!(read(changed).unwrap_err().field, field);
        }
        let mut unknown = config();
        unknown["speed"] = serde_json::json!(1);
        assert!(serde_json::from_value::<ServiceConfig>(unknown).is_err());
    }
}
