//! The service's own keys, each with one purpose: the log key signs checkpoints of one origin, the challenge key
//! authenticates challenges, and a TLS key is the coordinator's identity towards signers. None of them can issue anything.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use bauta_log::LogSigner;
use bauta_statement::challenge::ChallengeKey;
use data_encoding::HEXLOWER;
use rand::{RngCore as _, rngs::OsRng};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const LOG_KEY: &str = "log.key";
const CHALLENGE_KEY: &str = "challenge.key";
const COORDINATOR_KEY: &str = "coordinator.key";
const COORDINATOR_CERTIFICATE: &str = "coordinator.pem";
const PUBLIC: &str = "service.json";

/// What others are told of the keys (`service.json`).
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PublicKeys {
    /// The log's verifier key; its name is the origin.
    pub log_vkey: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the coordinator's certificate, hexadecimal: what signers pin.
    pub coordinator_spki_sha256: String,
}

/// The keys, loaded.
pub struct Keys {
    /// Signs checkpoints.
    pub log: LogSigner,
    /// Authenticates challenges.
    pub challenge: ChallengeKey,
    /// The coordinator's TLS certificate and key.
    pub coordinator: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

/// Why keys were not made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Its reason.
        source: std::io::Error,
    },
    /// There is a key already.
    #[error(
        "{path} is there already; keys are never overwritten: choose another folder, or move it away"
    )]
    Exists {
        /// The file.
        path: String,
    },
    /// The content is not a key.
    #[error("{path}: {reason}; make new keys with `bauta keys new service`, or restore the file")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Others may read it.
    #[error(
        "{0} can be read by others than its owner: chmod 600 it, and make new keys if somebody could have read it"
    )]
    Exposed(String),
    /// Key generation failed, or the origin is no key name.
    #[error("cannot make keys: {0}")]
    Make(String),
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> KeysError + '_ {
    move |source| KeysError::File {
        path: path.display().to_string(),
        source,
    }
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> KeysError {
    KeysError::Damaged {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

/// Makes all keys in an empty or new folder; `origin` is the log's. Nothing is overwritten.
///
/// # Errors
/// [`KeysError`].
pub fn create(folder: &Path, origin: &str) -> Result<PublicKeys, KeysError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(file_error(folder))?;
    let make = |error: &dyn std::fmt::Display| KeysError::Make(error.to_string());
    let log = LogSigner::generate(origin, &mut OsRng).map_err(|error| make(&error))?;
    let mut challenge = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(challenge.as_mut());
    let tls = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|error| make(&error))?;
    let certificate = rcgen::CertificateParams::new(vec!["coordinator.invalid".to_owned()])
        .and_then(|parameters| parameters.self_signed(&tls))
        .map_err(|error| make(&error))?;

    write_new(
        &folder.join(LOG_KEY),
        log.to_secret_string().as_bytes(),
        0o600,
    )?;
    write_new(
        &folder.join(CHALLENGE_KEY),
        HEXLOWER.encode(challenge.as_ref()).as_bytes(),
        0o600,
    )?;
    write_new(
        &folder.join(COORDINATOR_KEY),
        tls.serialize_pem().as_bytes(),
        0o600,
    )?;
    write_new(
        &folder.join(COORDINATOR_CERTIFICATE),
        certificate.pem().as_bytes(),
        0o644,
    )?;
    let public = PublicKeys {
        log_vkey: log.verifier().to_string(),
        coordinator_spki_sha256: HEXLOWER.encode(&Sha256::digest(
            rcgen::PublicKeyData::subject_public_key_info(&tls),
        )),
    };
    let json = serde_json::to_string_pretty(&public).map_err(|error| make(&error))?;
    write_new(&folder.join(PUBLIC), json.as_bytes(), 0o644)?;
    Ok(public)
}

/// What others are told of the keys in a folder.
///
/// # Errors
/// [`KeysError`].
pub fn public(folder: &Path) -> Result<PublicKeys, KeysError> {
    let path = folder.join(PUBLIC);
    let bytes = fs::read(&path).map_err(file_error(&path))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error))
}

/// Loads the keys.
///
/// # Errors
/// [`KeysError`]; a secret that others may read is refused.
pub fn load(folder: &Path) -> Result<Keys, KeysError> {
    let log_path = folder.join(LOG_KEY);
    let log = read_secret(&log_path)?
        .trim_end()
        .parse()
        .map_err(|error| damaged(&log_path, error))?;
    let challenge_path = folder.join(CHALLENGE_KEY);
    let challenge = HEXLOWER
        .decode(read_secret(&challenge_path)?.trim_end().as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| damaged(&challenge_path, "expected 64 hexadecimal digits"))?;
    let key_path = folder.join(COORDINATOR_KEY);
    let key = PrivateKeyDer::from_pem_slice(read_secret(&key_path)?.as_bytes())
        .map_err(|error| damaged(&key_path, error))?;
    let path = folder.join(COORDINATOR_CERTIFICATE);
    let certificate =
        CertificateDer::from_pem_file(&path).map_err(|error| damaged(&path, error))?;
    Ok(Keys {
        log,
        challenge: ChallengeKey::new(challenge),
        coordinator: (certificate, key),
    })
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let metadata = fs::metadata(path).map_err(file_error(path))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(KeysError::Exposed(path.display().to_string()));
    }
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(file_error(path))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeysError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeysError::Exists {
                path: path.display().to_string(),
            },
            _ => file_error(path)(error),
        })?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(file_error(path))?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(file_error(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_refused_when_exposed() {
        let folder = tempfile::tempdir().unwrap();
        let made = create(folder.path(), "example.org/log").unwrap();
        assert_eq!(public(folder.path()).unwrap(), made);
        let keys = load(folder.path()).unwrap();
        assert_eq!(keys.log.verifier().to_string(), made.log_vkey);
        assert!(
            create(folder.path(), "example.org/log").is_err(),
            "keys were overwritten"
        );
        let path = folder.path().join(LOG_KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(folder.path()), Err(KeysError::Exposed(_))));
    }
}
