//! Parameter sets as folders.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
};

use ark_bn254::Bn254;
use ark_groth16::ProvingKey;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use bauta_circuits::constraint_system_digest;
use bauta_statement::{
    relation::{DEVELOPMENT_VERIFYING_KEYS, Relation},
    verifying_key::{KeyDecodeError, UnsafeKey, VerifyingKey},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::development::{
    DEVELOPMENT_PROVING_KEYS, MakeError, hex, pinned, verifying_key, write_development,
};
use crate::generator::Progress;

const PROVING_KEY: &str = "proving-key.bin";
const VERIFYING_KEY: &str = "verifying-key.bin";
const MANIFEST: &str = "manifest.json";

/// Where a parameter set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// From the fixed public seed: everyone can forge. Refused in production.
    Development,
    /// From a multi-party ceremony.
    Ceremony,
}

/// `manifest.json`. Digests are SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The relation's name.
    pub relation: String,
    /// Where the set comes from.
    pub provenance: Provenance,
    /// Digest of the constraint system that it is made for.
    pub constraint_system: String,
    /// Digest of `proving-key.bin`.
    pub proving_key: String,
    /// Digest of `verifying-key.bin`, by which policies and the log name it.
    pub verifying_key: String,
}

/// A checked parameter set.
pub struct ParameterSet {
    manifest: Manifest,
    proving_key: ProvingKey<Bn254>,
    verifying_key: VerifyingKey,
    size: u64,
}

impl ParameterSet {
    /// What the folder says of itself, checked against its files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The proving key.
    pub fn proving_key(&self) -> &ProvingKey<Bn254> {
        &self.proving_key
    }

    /// The proving key, by value.
    pub fn into_proving_key(self) -> ProvingKey<Bn254> {
        self.proving_key
    }

    /// Bytes of both keys' files.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The verifying key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }
}

impl fmt::Debug for ParameterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterSet")
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

/// What [`load_or_make`] is doing: for a progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading and checking the cached set.
    Loading,
    /// The cached set is damaged, and is made anew.
    Damaged,
    /// Making the keys, and writing them to the cache as they come.
    Making(Progress),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loading => f.write_str("loading"),
            Self::Damaged => f.write_str("the cached keys are damaged, making them anew"),
            Self::Making(Progress { done, total }) => {
                let percent = 100 * done / total.max(&1);
                write!(f, "making the keys from the public seed, {percent} %")
            }
        }
    }
}

/// The parameter set cannot be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{path} is no manifest of this version ({source}); fetch the parameter set again")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The set is another relation's.
    #[error(
        "the parameter set is for the relation `{found}`, not `{wanted}`; name the other folder"
    )]
    Relation {
        /// Which was asked for.
        wanted: &'static str,
        /// Which the manifest names.
        found: String,
    },
    /// The set is for another version of the constraint system.
    #[error(
        "the parameter set is for another version of the relation {0}; fetch the one that fits this program"
    )]
    ConstraintSystem(&'static str),
    /// A file is not what the manifest says, or a development key is not the pinned one.
    #[error(
        "{path} is damaged: its SHA-256 is {found}, not {expected}; delete the folder, or fetch it again"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Digest that it should have.
        expected: String,
        /// Digest that it has.
        found: String,
    },
    /// The verifying key cannot be read.
    #[error("the verifying key cannot be read ({0}); fetch the parameter set again")]
    Decode(#[from] KeyDecodeError),
    /// The verifying key is not safe to use.
    #[error("the verifying key is not safe: {0}; fetch the parameter set again")]
    Unsafe(#[from] UnsafeKey),
    /// The proving key cannot be read, or belongs to another verifying key.
    #[error(
        "the proving key of {0} cannot be read or does not belong to its verifying key; fetch the set again"
    )]
    ProvingKey(&'static str),
    /// A key marked as a ceremony's is one of the development keys.
    #[error(
        "the set of {0} says `ceremony`, but its key is a development key; refuse whoever gave it to you"
    )]
    Disguised(&'static str),
    /// The keys could not be made.
    #[error(transparent)]
    Make(#[from] MakeError),
}

/// Loads a relation's development set from a cache folder, or makes it there. A damaged one is made anew.
///
/// The set lies in `<cache>/<relation>-<first 16 digits of the constraint system's digest>`, so another version of the
/// program has a folder of its own. `progress` hears each step; what is made is loaded, and so checked, like what was there.
///
/// # Errors
/// [`LoadError`] if the cache cannot be written, or the keys made are not the pinned ones.
pub fn load_or_make(
    cache: &Path,
    relation: Relation,
    progress: &mut dyn FnMut(Step),
) -> Result<ParameterSet, LoadError> {
    let digest = hex(&constraint_system_digest(relation));
    let folder = cache.join(format!(
        "{}-{}",
        relation.name(),
        digest.get(..16).unwrap_or(&digest)
    ));
    if folder.exists() {
        progress(Step::Loading);
        match load(&folder, relation) {
            Ok(set) if set.manifest.provenance == Provenance::Development => return Ok(set),
            _ => {
                progress(Step::Damaged);
                fs::remove_dir_all(&folder).map_err(|source| LoadError::File {
                    path: folder.clone(),
                    source,
                })?;
            }
        }
    }
    // Written aside and renamed: a crash leaves no half set under the final name, and of two processes that make it at
    // once the second finds the first one's.
    let aside = cache.join(format!(".{}-{digest}-{}", relation.name(), process::id()));
    write_set(&aside, relation, Provenance::Development, |out| {
        write_development(relation, out, &mut |state| progress(Step::Making(state)))
    })?;
    if let Err(source) = fs::rename(&aside, &folder) {
        fs::remove_dir_all(&aside).map_err(|source| LoadError::File {
            path: aside,
            source,
        })?;
        if !folder.exists() {
            return Err(LoadError::File {
                path: folder,
                source,
            });
        }
    }
    progress(Step::Loading);
    load(&folder, relation)
}

/// Writes a parameter set into a folder.
///
/// # Errors
/// [`LoadError::File`], or [`LoadError::Make`] if γ is not 1.
pub fn save(
    folder: &Path,
    relation: Relation,
    provenance: Provenance,
    proving_key: &ProvingKey<Bn254>,
) -> Result<Manifest, LoadError> {
    let verifying = verifying_key(proving_key)?;
    write_set(folder, relation, provenance, |out| {
        let written = proving_key.serialize_uncompressed(out);
        written.map_err(|error| MakeError::Write(io::Error::other(error)))?;
        Ok(verifying)
    })
}

/// Writes a folder whose proving key `write` writes, and whose verifying key it gives.
fn write_set(
    folder: &Path,
    relation: Relation,
    provenance: Provenance,
    write: impl FnOnce(&mut dyn Write) -> Result<VerifyingKey, MakeError>,
) -> Result<Manifest, LoadError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::File { path, source }
    };
    fs::create_dir_all(folder).map_err(at(folder))?;
    let path = folder.join(PROVING_KEY);
    let file = Hashing::new(File::create(&path).map_err(at(&path))?);
    let mut file = BufWriter::with_capacity(BUFFER, file);
    let verifying = write(&mut file)?.encode();
    let file = file.into_inner();
    let file = file.map_err(|error| at(&path)(error.into_error()))?;
    let manifest = Manifest {
        relation: relation.name().to_owned(),
        provenance,
        constraint_system: hex(&constraint_system_digest(relation)),
        proving_key: hex(&file.digest()),
        verifying_key: hex(&Sha256::digest(&verifying)),
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|source| LoadError::Manifest {
        path: folder.join(MANIFEST),
        source,
    })?;
    for (name, bytes) in [(VERIFYING_KEY, verifying), (MANIFEST, text)] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(at(&path))?;
    }
    Ok(manifest)
}

/// Loads a parameter set: digests as in the manifest, for this version of the relation, the verifying key safe. Of a
/// development set, both keys are the pinned ones; of a ceremony's, whoever names the verifying key by its digest (a signed
/// policy, the log) says whether it is to be trusted.
///
/// # Errors
/// [`LoadError`] names the file and what is wrong with it.
pub fn load(folder: &Path, relation: Relation) -> Result<ParameterSet, LoadError> {
    let at = |name: &str| {
        let path = folder.join(name);
        move |source| LoadError::File { path, source }
    };
    let read = |name: &str| fs::read(folder.join(name)).map_err(at(name));
    // The manifest first: another relation's set is told by it, without reading megabytes.
    let manifest = Manifest::parse(folder, relation, &read(MANIFEST)?)?;
    let verifying = read(VERIFYING_KEY)?;
    let proving = File::open(folder.join(PROVING_KEY)).map_err(at(PROVING_KEY))?;
    check(folder, relation, manifest, &verifying, proving)
}

impl ParameterSet {
    /// [`load`] for a program without folders: the bytes of `manifest.json`, `verifying-key.bin` and `proving-key.bin`.
    ///
    /// # Errors
    /// As [`load`]'s; the path is the file's name.
    pub fn from_bytes(
        relation: Relation,
        manifest: &[u8],
        verifying_key: &[u8],
        proving_key: &[u8],
    ) -> Result<Self, LoadError> {
        let nowhere = Path::new("");
        let manifest = Manifest::parse(nowhere, relation, manifest)?;
        let proving_key = io::Cursor::new(proving_key);
        check(nowhere, relation, manifest, verifying_key, proving_key)
    }
}

impl Manifest {
    /// Reads a manifest, which must be for this version of the relation.
    fn parse(folder: &Path, relation: Relation, bytes: &[u8]) -> Result<Self, LoadError> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|source| LoadError::Manifest {
                path: folder.join(MANIFEST),
                source,
            })?;
        if manifest.relation != relation.name() {
            return Err(LoadError::Relation {
                wanted: relation.name(),
                found: manifest.relation,
            });
        }
        if manifest.constraint_system != hex(&constraint_system_digest(relation)) {
            return Err(LoadError::ConstraintSystem(relation.name()));
        }
        Ok(manifest)
    }
}

/// The checks of [`load`]; `folder` is for messages.
///
/// A large relation's proving key has hundreds of megabytes. It is read as a stream, and twice: first for its SHA-256 alone, since what
/// reads points believes the lengths that it reads; then to be kept, by the same digest again, since a file may be another by then.
fn check(
    folder: &Path,
    relation: Relation,
    manifest: Manifest,
    verifying: &[u8],
    mut proving: impl Read + Seek,
) -> Result<ParameterSet, LoadError> {
    let as_said = |name: &str, found: [u8; 32], said: &str, pins: &[(Relation, [u8; 32])]| {
        let found = hex(&found);
        let pin = pinned(pins, relation).map(|digest| hex(&digest));
        let expected = match (manifest.provenance, pin) {
            (Provenance::Development, Some(pin)) => pin,
            (Provenance::Ceremony, Some(pin)) if pin == found => {
                return Err(LoadError::Disguised(relation.name()));
            }
            _ => said.to_owned(),
        };
        if found != expected || found != said {
            return Err(LoadError::Damaged {
                path: folder.join(name),
                expected,
                found,
            });
        }
        Ok(())
    };
    as_said(
        VERIFYING_KEY,
        Sha256::digest(verifying).into(),
        &manifest.verifying_key,
        &DEVELOPMENT_VERIFYING_KEYS,
    )?;
    let key = VerifyingKey::decode(verifying)?;
    key.validate(relation.hidden_inputs() + relation.public_inputs())?;

    let file = |source| LoadError::File {
        path: folder.join(PROVING_KEY),
        source,
    };
    let is_pinned = |found| {
        as_said(
            PROVING_KEY,
            found,
            &manifest.proving_key,
            &DEVELOPMENT_PROVING_KEYS,
        )
    };
    let mut hash = Sha256::new();
    let length = io::copy(&mut proving, &mut hash).map_err(file)?;
    is_pinned(hash.finalize().into())?;
    proving.rewind().map_err(file)?;
    let mut read = Hashing::new(BufReader::with_capacity(BUFFER, proving));
    // Unchecked, because the bytes' SHA-256 has been checked, and checking each point takes as long as making them; what a
    // bad proving key would make is verified under the checked verifying key before anyone stores it.
    let proving_key = ProvingKey::<Bn254>::deserialize_uncompressed_unchecked(&mut read)
        .map_err(|_| LoadError::ProvingKey(relation.name()))?;
    let rest = read.read(&mut [0]).map_err(file)?;
    is_pinned(read.digest())?;
    if rest != 0 || verifying_key(&proving_key)? != key {
        return Err(LoadError::ProvingKey(relation.name()));
    }
    Ok(ParameterSet {
        manifest,
        proving_key,
        verifying_key: key,
        size: length + verifying.len() as u64,
    })
}

/// Bytes between the file and what reads or writes points one by one.
const BUFFER: usize = 1 << 20;

/// Hashes what passes through.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        let hash = Sha256::new();
        Self { inner, hash }
    }

    fn digest(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELATION: Relation = Relation::Nullifier;

    /// What is loaded or made, the folder, and the steps, those of one kind as one.
    fn made(cache: &Path) -> (ParameterSet, PathBuf, Vec<&'static str>) {
        let mut steps = Vec::new();
        let set = load_or_make(cache, RELATION, &mut |step| {
            steps.push(match step {
                Step::Loading => "load",
                Step::Damaged => "damaged",
                Step::Making(_) => "make",
            });
        })
        .unwrap();
        steps.dedup();
        let folder = fs::read_dir(cache).unwrap().next().unwrap().unwrap().path();
        (set, folder, steps)
    }

    #[test]
    fn the_second_run_loads_and_a_damaged_set_is_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        let (first, folder, steps) = made(cache.path());
        assert_eq!(steps, ["make", "load"]);
        let (second, _, steps) = made(cache.path());
        assert_eq!(steps, ["load"]);
        assert_eq!(first.proving_key(), second.proving_key());
        assert_eq!(
            fs::read_dir(cache.path()).unwrap().count(),
            1,
            "nothing is left aside"
        );
        for name in [PROVING_KEY, VERIFYING_KEY, MANIFEST] {
            let path = folder.join(name);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(load(&folder, RELATION).is_err(), "{name}");
            let (third, _, steps) = made(cache.path());
            assert_eq!(steps, ["load", "damaged", "make", "load"], "{name}");
            assert_eq!(first.verifying_key(), third.verifying_key());
        }
    }

    #[test]
    fn a_step_says_how_far_it_is() {
        let state = |done, total| Step::Making(Progress { done, total }).to_string();
        assert!(state(1, 3).ends_with(", 33 %") && state(3, 3).ends_with(", 100 %"));
        assert!(state(0, 0).ends_with(", 0 %"));
    }

    #[test]
    fn refuses_what_is_not_the_set_asked_for() {
        let cache = tempfile::tempdir().unwrap();
        let (set, folder, _) = made(cache.path());
        assert!(matches!(
            load(&folder, Relation::Policy),
            Err(LoadError::Relation { .. })
        ));
        let rewrite = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = set.manifest().clone();
            change(&mut manifest);
            fs::write(
                folder.join(MANIFEST),
                serde_json::to_vec(&manifest).unwrap(),
            )
            .unwrap();
            load(&folder, RELATION)
        };
        let other = hex(&[7; 32]);
        assert!(matches!(
            rewrite(&|m| m.constraint_system = other.clone()),
            Err(LoadError::ConstraintSystem(_))
        ));
        assert!(matches!(
            rewrite(&|m| m.verifying_key = other.clone()),
            Err(LoadError::Damaged { .. })
        ));
        assert!(matches!(
            rewrite(&|m| m.proving_key = other.clone()),
            Err(LoadError::Damaged { .. })
        ));
        assert!(matches!(
            rewrite(&|m| m.provenance = Provenance::Ceremony),
            Err(LoadError::Disguised(_))
        ));
        assert!(rewrite(&|_| ()).is_ok());
        fs::write(
            folder.join(MANIFEST),
            b"{\"relation\":\"nullifier\",\"other\":1}",
        )
        .unwrap();
        assert!(matches!(
            load(&folder, RELATION),
            Err(LoadError::Manifest { .. })
        ));
    }

    #[test]
    fn bytes_are_checked_as_files_are() {
        let cache = tempfile::tempdir().unwrap();
        let (set, folder, _) = made(cache.path());
        let files =
            [MANIFEST, VERIFYING_KEY, PROVING_KEY].map(|name| fs::read(folder.join(name)).unwrap());
        let from = |[manifest, verifying, proving]: &[Vec<u8>; 3]| {
            ParameterSet::from_bytes(RELATION, manifest, verifying, proving)
        };
        assert_eq!(from(&files).unwrap().proving_key(), set.proving_key());
        for file in 0..files.len() {
            let mut bad = files.clone();
            let middle = bad[file].len() / 2;
            bad[file][middle] ^= 1;
            assert!(from(&bad).is_err(), "file {file}");
        }
    }

    #[test]
    fn another_development_seed_is_not_the_pinned_one() {
        let cache = tempfile::tempdir().unwrap();
        let mut key = crate::development(RELATION).unwrap();
        key.vk.gamma_abc_g1.swap(1, 2);
        save(cache.path(), RELATION, Provenance::Development, &key).unwrap();
        assert!(matches!(
            load(cache.path(), RELATION),
            Err(LoadError::Damaged { .. })
        ));
    }
}
