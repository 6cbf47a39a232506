//! What is secret at rest: KEK → DEK → secret (DESIGN section 5). A [`KeySeal`] holds the key-encryption key and wraps one
//! data key; the [`Vault`] seals everything else under that. A PKCS#11 token is one ([`crate::token`]); the embedded one is a
//! passphrase, which production mode refuses.

use std::{fmt, fs, path::Path};

use age::secrecy::{ExposeSecret as _, SecretString};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    files::{self, FileError},
    token::TokenError,
};

/// The data key: 32 bytes that never lie on disk unwrapped.
pub type DataKey = Zeroizing<[u8; 32]>;

/// Name of the data key in a signer's key folder, where a passphrase wraps it.
pub const DATA_KEY_FILE: &str = "dek.age";

/// scrypt's cost for a passphrase that a person chose: 2^17 iterations, about half a second.
pub const WORK_FACTOR: u8 = 17;
/// scrypt's cost for a passphrase in a file, which a machine chose and no guessing finds.
pub const FILE_WORK_FACTOR: u8 = 13;
/// The highest cost that is accepted when opening, so that a planted file cannot hold the process for hours.
const MAX_WORK_FACTOR: u8 = 20;

/// Why a secret could not be sealed or opened.
#[derive(Debug, Error)]
pub enum SealError {
    /// The passphrase does not open the data key.
    #[error(
        "the passphrase does not open {DATA_KEY_FILE}: check the passphrase file, or what you typed"
    )]
    Passphrase,
    /// The sealed bytes were changed, or belong to another purpose or node.
    #[error(
        "the sealed {0} was changed or belongs to another signer: restore it from its backup, or re-enrol this signer"
    )]
    Damaged(String),
    /// The holder is away.
    #[error("the data key is locked away until this attended signer's holder comes")]
    Locked,
    /// The seal itself failed.
    #[error("the seal failed: {0}")]
    Seal(String),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// What holds the key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealKind {
    /// A passphrase, for a first run; refused in production mode.
    Passphrase,
    /// A key that a token does not let out.
    Token,
}

/// The holder of the key-encryption key.
pub trait KeySeal: Send + Sync {
    /// What it is.
    fn kind(&self) -> SealKind;
    /// Name of the wrapped data key's file in a signer's key folder.
    fn file(&self) -> &'static str;
    /// Wraps a data key for the disk.
    ///
    /// # Errors
    /// [`SealError::Seal`] if the token refuses.
    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, SealError>;
    /// Opens what [`Self::wrap`] gave.
    ///
    /// # Errors
    /// [`SealError::Passphrase`] for the wrong key, [`SealError::Damaged`] for changed bytes.
    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, SealError>;
}

/// The embedded seal: an age file under a passphrase (scrypt).
pub struct PassphraseSeal {
    passphrase: SecretString,
    work_factor: u8,
}

impl PassphraseSeal {
    /// Seals under `passphrase`; `work_factor` is log₂ of scrypt's N and counts for wrapping alone.
    pub fn new(passphrase: impl Into<String>, work_factor: u8) -> Self {
        Self {
            passphrase: SecretString::from(passphrase.into()),
            work_factor: work_factor.clamp(1, MAX_WORK_FACTOR),
        }
    }
}

impl KeySeal for PassphraseSeal {
    fn kind(&self) -> SealKind {
        SealKind::Passphrase
    }

    fn file(&self) -> &'static str {
        DATA_KEY_FILE
    }

    fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, SealError> {
        let mut recipient = age::scrypt::Recipient::new(self.passphrase.clone());
        recipient.set_work_factor(self.work_factor);
        age::encrypt(&recipient, key.as_slice()).map_err(|error| SealError::Seal(error.to_string()))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, SealError> {
        let identity = passphrase_identity(self.passphrase.expose_secret());
        let opened =
            Zeroizing::new(age::decrypt(&identity, wrapped).map_err(|_| SealError::Passphrase)?);
        let mut key = DataKey::default();
        if opened.len() != key.len() {
            return Err(SealError::Damaged(DATA_KEY_FILE.to_owned()));
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}

/// Seals secrets under the data key: AES-256-GCM with a random nonce, the purpose as associated data, so that one sealed
/// secret cannot be put in another's place.
pub struct Vault {
    /// `None` while it is locked.
    key: Option<RandomizedNonceKey>,
    kind: SealKind,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(redacted)")
    }
}

impl Vault {
    /// Makes a data key and keeps it, wrapped, in `folder`. An existing one is never overwritten.
    ///
    /// # Errors
    /// [`SealError`] if the seal or the disk fails.
    pub fn create(folder: &Path, seal: &dyn KeySeal) -> Result<Self, SealError> {
        let mut key = DataKey::default();
        aws_lc_rs::rand::fill(key.as_mut_slice())
            .map_err(|_| SealError::Seal("no randomness".to_owned()))?;
        files::write_new(&folder.join(seal.file()), &seal.wrap(&key)?, files::PRIVATE)?;
        Self::new(&key, seal.kind())
    }

    /// Opens the data key of `folder`.
    ///
    /// # Errors
    /// [`SealError`] if the file is missing or the seal does not open it.
    pub fn open(folder: &Path, seal: &dyn KeySeal) -> Result<Self, SealError> {
        let wrapped = files::read(&folder.join(seal.file()))?;
        Self::new(&seal.unwrap(&wrapped)?, seal.kind())
    }

    fn new(key: &DataKey, kind: SealKind) -> Result<Self, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())
            .map_err(|_| SealError::Seal("the data key was refused".to_owned()))?;
        Ok(Self {
            key: Some(key),
            kind,
        })
    }

    /// Forgets the data key: nothing is sealed or opened until another vault takes this one's place.
    pub fn lock(&mut self) {
        self.key = None;
    }

    fn key(&self) -> Result<&RandomizedNonceKey, SealError> {
        self.key.as_ref().ok_or(SealError::Locked)
    }

    /// What holds the key above this vault.
    pub fn kind(&self) -> SealKind {
        self.kind
    }

    /// Seals `secret` for `purpose`: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes).
    ///
    /// # Errors
    /// [`SealError::Seal`] if the cipher fails.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut text = Zeroizing::new(secret.to_vec());
        text.reserve_exact(AES_256_GCM.tag_len());
        let nonce = self
            .key()?
            .seal_in_place_append_tag(aad(purpose), &mut *text)
            .map_err(|_| SealError::Seal("AES-256-GCM refused".to_owned()))?;
        Ok([nonce.as_ref().as_slice(), text.as_slice()].concat())
    }

    /// Opens what [`Self::seal`] gave for the same purpose.
    ///
    /// # Errors
    /// [`SealError::Damaged`] if a bit, the purpose or the data key differs.
    pub fn open_sealed(
        &self,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let damaged = || SealError::Damaged(purpose.to_owned());
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key()?
            .open_in_place(nonce, aad(purpose), &mut text)
            .map_err(|_| damaged())?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn aad(purpose: &str) -> Aad<Vec<u8>> {
    Aad::from([b"bauta/v1/sealed\n".as_slice(), purpose.as_bytes()].concat())
}

/// Reads a passphrase from a file: its first line, without the line end.
///
/// # Errors
/// [`SealError`] if there is no such file, or it is empty.
pub fn passphrase_from_file(path: &Path) -> Result<Zeroizing<String>, SealError> {
    let text = Zeroizing::new(
        fs::read_to_string(path).map_err(|error| FileError::new("read", path, &error))?,
    );
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(SealError::Seal(format!(
            "{} holds no passphrase",
            path.display()
        )));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The passphrase from `file`, else asked for at the terminal (twice if `new`). Never from the environment: other processes
/// of the same user read that.
///
/// # Errors
/// [`SealError`] if there is none, or the two that were typed differ.
pub fn find_passphrase(file: Option<&Path>, new: bool) -> Result<Zeroizing<String>, SealError> {
    let passphrase = find_secret(file, "Passphrase of this signer's keys: ")?;
    if file.is_none() && new && ask("The same again: ")? != passphrase {
        return Err(SealError::Seal("the two passphrases differ".to_owned()));
    }
    Ok(passphrase)
}

/// A passphrase from `file`, else asked for at the terminal in the words of `prompt`.
///
/// # Errors
/// [`SealError`] if there is none.
pub fn find_secret(file: Option<&Path>, prompt: &str) -> Result<Zeroizing<String>, SealError> {
    if let Some(file) = file {
        return passphrase_from_file(file);
    }
    let passphrase = ask(prompt)?;
    if passphrase.is_empty() {
        return Err(SealError::Seal("the passphrase is empty".to_owned()));
    }
    Ok(passphrase)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, SealError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| {
            SealError::Seal(format!(
                "no passphrase ({error}): name a passphrase file, or start from a terminal"
            ))
        })
}

/// What opens an age file under `passphrase`; a file that asks for more work than anyone's is refused.
pub fn passphrase_identity(passphrase: &str) -> age::scrypt::Identity {
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_again_only_with_the_passphrase_for_the_purpose_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::create(folder.path(), &PassphraseSeal::new("right", 2)).unwrap();
        let sealed = vault.seal("share", b"secret").unwrap();
        assert_ne!(sealed, vault.seal("share", b"secret").unwrap());

        let again = Vault::open(folder.path(), &PassphraseSeal::new("right", 2)).unwrap();
        assert_eq!(
            again.open_sealed("share", &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert!(matches!(
            again.open_sealed("tls", &sealed),
            Err(SealError::Damaged(_))
        ));
        for bit in [0, 8 * NONCE_LEN, 8 * sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(
                again.open_sealed("share", &changed),
                Err(SealError::Damaged(_))
            ));
        }
        assert!(matches!(
            again.open_sealed("share", b"short"),
            Err(SealError::Damaged(_))
        ));
        assert!(matches!(
            Vault::open(folder.path(), &PassphraseSeal::new("wrong", 2)),
            Err(SealError::Passphrase)
        ));
    }

    #[test]
    fn a_data_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let seal = PassphraseSeal::new("one", 2);
        Vault::create(folder.path(), &seal).unwrap();
        assert!(matches!(
            Vault::create(folder.path(), &seal),
            Err(SealError::File(_))
        ));
    }

    #[test]
    fn a_costly_planted_file_is_refused() {
        let mut recipient = age::scrypt::Recipient::new(SecretString::from("p".to_owned()));
        recipient.set_work_factor(2);
        let wrapped = age::encrypt(&recipient, &[7; 32]).unwrap();
        let planted = String::from_utf8_lossy(&wrapped).replacen(" 2\n", " 40\n", 1);
        assert!(matches!(
            PassphraseSeal::new("p", 2).unwrap(planted.as_bytes()),
            Err(SealError::Passphrase)
        ));
    }
}
