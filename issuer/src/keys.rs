//! The issuer's two keys, each with one purpose: EdDSA over Baby Jubjub signs credentials, an Ed25519 note key signs
//! revocation lists. At rest each is a file that only its owner may read; a file that others can read is refused.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bauta_statement::eddsa;
use bauta_statement::note::{NoteKey, NoteSigner};
use data_encoding::HEXLOWER;
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

const CREDENTIAL_KEY: &str = "credential.key";
const NOTE_KEY: &str = "revocation-list.key";
const POSSESSION: &str = "credential.possession";

/// An issuer's keys. They stay in the desk's process and in its key files.
pub struct IssuerKeys {
    credential: eddsa::SigningKey,
    note: NoteSigner,
    possession: eddsa::Signature,
}

/// Why the keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file system refuses.
    #[error("{path}: {source}: check that the folder exists and is writable for this user")]
    File {
        /// The file.
        path: PathBuf,
        /// Its error.
        source: std::io::Error,
    },
    /// Group or others may read a secret key.
    #[error(
        "{0} can be read by others: run `chmod 600` on it, and think about who may have read it"
    )]
    Readable(PathBuf),
    /// Not what this program wrote.
    #[error(
        "{0} does not hold a key in the form that this program writes: restore it from a backup"
    )]
    Malformed(PathBuf),
    /// One of the key files is there and another is not.
    #[error(
        "{0} is missing while other key files are there: restore it from a backup, or remove them all to start as a new issuer"
    )]
    Missing(PathBuf),
    /// A name that a note key cannot have.
    #[error("issuer name {0:?} cannot name a key: use letters, digits, '.', '_' and '-'")]
    Name(String),
}

impl IssuerKeys {
    /// Loads the keys of issuer `name` from `folder`, or makes them where there are none.
    pub fn load_or_create(
        folder: &Path,
        name: &str,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, KeysError> {
        let files = [CREDENTIAL_KEY, POSSESSION, NOTE_KEY].map(|file| folder.join(file));
        let present: Vec<bool> = files.iter().map(|file| file.exists()).collect();
        if present.contains(&true) {
            if let Some(missing) = present.iter().position(|there| !there) {
                return Err(KeysError::Missing(files[missing].clone()));
            }
            return Self::load(&files);
        }
        Self::create(folder, &files, name, rng)
    }

    fn load([credential, possession, note]: &[PathBuf; 3]) -> Result<Self, KeysError> {
        let key = hex::<32>(credential, &read_secret(credential)?)?;
        let proof = hex::<64>(possession, &read_secret(possession)?)?;
        let keys = Self {
            credential: eddsa::SigningKey::from_bytes(&key)
                .map_err(|_| KeysError::Malformed(credential.clone()))?,
            possession: eddsa::Signature::from_bytes(&proof)
                .map_err(|_| KeysError::Malformed(possession.clone()))?,
            note: NoteSigner::parse(read_secret(note)?.trim())
                .map_err(|_| KeysError::Malformed(note.clone()))?,
        };
        keys.public_key()
            .verify_possession(&keys.possession)
            .map_err(|_| KeysError::Malformed(possession.clone()))?;
        Ok(keys)
    }

    fn create(
        folder: &Path,
        [credential, possession, note]: &[PathBuf; 3],
        name: &str,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, KeysError> {
        let key = eddsa::SigningKey::generate(rng);
        let keys = Self {
            possession: key.prove_possession(rng),
            note: NoteSigner::generate(rng, name).map_err(|_| KeysError::Name(name.to_owned()))?,
            credential: key,
        };
        create_folder(folder)?;
        let secret = Zeroizing::new(HEXLOWER.encode(keys.credential.to_bytes().as_ref()) + "\n");
        write_secret(credential, &secret)?;
        write_secret(
            possession,
            &(HEXLOWER.encode(&keys.possession.to_bytes()) + "\n"),
        )?;
        write_secret(note, &Zeroizing::new(format!("{}\n", *keys.note.to_skey())))?;
        Ok(keys)
    }

    /// The key that signs credentials.
    pub(crate) fn credential(&self) -> &eddsa::SigningKey {
        &self.credential
    }

    /// The key that signs revocation lists.
    pub(crate) fn note(&self) -> &NoteSigner {
        &self.note
    }

    /// The public key that issuer sets name.
    pub fn public_key(&self) -> eddsa::PublicKey {
        self.credential.public_key()
    }

    /// The proof, for whoever admits the key to an issuer set, that the secret key is known.
    pub fn proof_of_possession(&self) -> eddsa::Signature {
        self.possession
    }

    /// The verifier key of revocation lists.
    pub fn note_key(&self) -> NoteKey {
        self.note.verifier()
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn create_folder(folder: &Path) -> Result<(), KeysError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| KeysError::File {
            path: folder.to_owned(),
            source,
        })
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let failed = |source| KeysError::File {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeysError::Readable(path.to_owned()));
    }
    Ok(Zeroizing::new(fs::read_to_string(path).map_err(failed)?))
}

/// Writes a new file, whole or not at all: a crash leaves at most a temporary file beside it.
fn write_secret(path: &Path, text: &str) -> Result<(), KeysError> {
    let write = || {
        let temporary = path.with_extension("new");
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|source| KeysError::File {
        path: path.to_owned(),
        source,
    })
}

fn hex<const N: usize>(path: &Path, text: &str) -> Result<Zeroizing<[u8; N]>, KeysError> {
    let malformed = || KeysError::Malformed(path.to_owned());
    let bytes = Zeroizing::new(
        HEXLOWER
            .decode(text.trim().as_bytes())
            .map_err(|_| malformed())?,
    );
    Ok(Zeroizing::new(
        bytes.as_slice().try_into().map_err(|_| malformed())?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::OsRng;

    #[test]
    fn keys_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let first = IssuerKeys::load_or_create(&path, "acme", &mut OsRng).unwrap();
        let again = IssuerKeys::load_or_create(&path, "acme", &mut OsRng).unwrap();
        assert_eq!(first.public_key(), again.public_key());
        assert_eq!(first.note_key(), again.note_key());
        assert!(
            again
                .public_key()
                .verify_possession(&again.proof_of_possession())
                .is_ok()
        );
        for file in [CREDENTIAL_KEY, NOTE_KEY] {
            let mode = fs::metadata(path.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn open_damaged_and_missing_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        IssuerKeys::load_or_create(path, "acme", &mut OsRng).unwrap();
        let key = path.join(CREDENTIAL_KEY);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = |e: fn(&KeysError) -> bool| {
            IssuerKeys::load_or_create(path, "acme", &mut OsRng)
                .err()
                .is_some_and(|error| e(&error))
        };
        assert!(refused(|e| matches!(e, KeysError::Readable(_))));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        // Another key than the one that proved possession.
        fs::write(&key, "01".to_owned() + &"00".repeat(31)).unwrap();
        assert!(refused(|e| matches!(e, KeysError::Malformed(_))));
        fs::remove_file(&key).unwrap();
        assert!(refused(|e| matches!(e, KeysError::Missing(_))));
    }
}
