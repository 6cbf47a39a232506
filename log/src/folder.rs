//! A log in a folder of files, which any static web server can serve as it is (feature `folder`).
//!
//! A file appears under its name only once it is whole and on disk: it is written and synced under `.tmp/`, linked to its name
//! (linking refuses a name that is taken, so nothing is overwritten, even by a second writer), and the folder is synced. A crash
//! leaves at most rubbish in `.tmp/`, which is swept when the folder is opened.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::{CHECKPOINT_PATH, Storage, StorageError, TileSource};
use crate::tile::TileFile;

/// Where files are while they are written.
const TEMPORARY: &str = ".tmp";

/// A folder that holds one log: `checkpoint`, `tile/…`, `objects/…`. Clones share the folder.
#[derive(Clone, Debug)]
pub struct FolderStorage {
    root: PathBuf,
    serial: Arc<AtomicU64>,
}

impl FolderStorage {
    /// Opens the folder for writing; makes it if it is not there, and sweeps what a crash left half-written.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the folder cannot be made or written.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let storage = Self::read_only(root);
        let temporary = storage.root.join(TEMPORARY);
        let prepare = || -> io::Result<()> {
            fs::create_dir_all(&temporary)?;
            for file in fs::read_dir(&temporary)? {
                fs::remove_file(file?.path())?;
            }
            sync_folder(&storage.root)
        };
        prepare().map_err(|error| unavailable(&storage.root.display().to_string(), &error))?;
        Ok(storage)
    }

    /// A reader of the folder; nothing is made or swept.
    pub fn read_only(root: impl Into<PathBuf>) -> Self {
        FolderStorage {
            root: root.into(),
            serial: Arc::default(),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a path; `None` for what could lead out of the folder or into `.tmp/`.
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let plain = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0'])
        };
        path.split('/').all(plain).then(|| self.root.join(path))
    }

    /// Writes and syncs `bytes` under a temporary name.
    fn write_temporary(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let name = format!(
            "{}-{}",
            std::process::id(),
            self.serial.fetch_add(1, Ordering::Relaxed)
        );
        let path = self.root.join(TEMPORARY).join(name);
        let mut file = File::create_new(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(path)
    }

    /// Puts a file in place and notes the folders that must be synced for it to stay.
    fn place(
        &self,
        path: &str,
        bytes: &[u8],
        touched: &mut BTreeSet<PathBuf>,
    ) -> Result<(), StorageError> {
        let target = self.resolve(path).ok_or_else(|| {
            unavailable(
                path,
                &io::Error::new(
                    ErrorKind::InvalidInput,
                    "not a path inside the log's folder",
                ),
            )
        })?;
        let mut place = || -> io::Result<bool> {
            if let Some(same) = compare(&target, bytes)? {
                // It may be there from a run that crashed before it synced the folder.
                touched.extend(target.parent().map(Path::to_owned));
                return Ok(same);
            }
            let folder = target.parent().unwrap_or(&self.root);
            let mut missing = folder;
            while !missing.exists() {
                let Some(parent) = missing.parent() else {
                    break;
                };
                touched.insert(parent.to_owned());
                missing = parent;
            }
            fs::create_dir_all(folder)?;
            let temporary = self.write_temporary(bytes)?;
            let linked = fs::hard_link(&temporary, &target);
            fs::remove_file(&temporary)?;
            touched.insert(folder.to_owned());
            match linked {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    Ok(compare(&target, bytes)?.unwrap_or(false))
                }
                Err(error) => Err(error),
            }
        };
        match place() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StorageError::Conflict {
                path: path.to_owned(),
            }),
            Err(error) => Err(unavailable(path, &error)),
        }
    }
}

fn unavailable(path: &str, error: &io::Error) -> StorageError {
    StorageError::Unavailable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Whether the file has these bytes; `None` if there is no file.
fn compare(path: &Path, bytes: &[u8]) -> io::Result<Option<bool>> {
    match fs::read(path) {
        Ok(stored) => Ok(Some(stored == bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

fn sync_all(folders: &BTreeSet<PathBuf>) -> Result<(), StorageError> {
    folders.iter().try_for_each(|f| {
        sync_folder(f).map_err(|error| unavailable(&f.display().to_string(), &error))
    })
}

impl TileSource for FolderStorage {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(file) = self.resolve(path) else {
            return Ok(None);
        };
        match fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable(path, &error)),
        }
    }
}

impl Storage for FolderStorage {
    fn put_immutable(&mut self, path: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let mut touched = BTreeSet::new();
        self.place(path, bytes, &mut touched)?;
        sync_all(&touched)
    }

    /// Syncs each folder once for all files.
    fn put_tiles(&mut self, files: &[TileFile]) -> Result<(), StorageError> {
        let mut touched = BTreeSet::new();
        files
            .iter()
            .try_for_each(|file| self.place(&file.tile.path(), &file.bytes, &mut touched))?;
        sync_all(&touched)
    }

    fn put_checkpoint(&mut self, note: &[u8]) -> Result<(), StorageError> {
        let replace = || -> io::Result<()> {
            let temporary = self.write_temporary(note)?;
            fs::rename(temporary, self.root.join(CHECKPOINT_PATH))?;
            sync_folder(&self.root)
        };
        replace().map_err(|error| unavailable(CHECKPOINT_PATH, &error))
    }

    fn discard(&mut self, path: &str) -> Result<(), StorageError> {
        let Some(target) = self.resolve(path) else {
            return Ok(());
        };
        let removed = match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&target),
            Ok(_) => fs::remove_file(&target),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => target
                .parent()
                .map_or(Ok(()), sync_folder)
                .map_err(|error| unavailable(path, &error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unavailable(path, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::AuditError;
    use crate::{LogReader, Tree};

    #[test]
    fn a_log_in_a_folder_survives_being_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(FolderStorage::open(folder.path()).unwrap());
        tree.append(&(0..300u32).map(|i| i.to_be_bytes()).collect::<Vec<_>>())
            .unwrap();
        let head = tree.append(&[b"more"]).unwrap();
        tree.storage_mut().put_checkpoint(b"one").unwrap();
        tree.storage_mut().put_checkpoint(b"two").unwrap();
        // What a crash leaves in .tmp is swept.
        fs::write(folder.path().join(".tmp/1-1"), b"half").unwrap();
        let storage = FolderStorage::open(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
        assert_eq!(storage.get("checkpoint").unwrap().unwrap(), b"two");
        assert!(folder.path().join("tile/entries/001.p/45").is_file());
        let mut seen = 0;
        LogReader::new(&storage)
            .audit(&head, |_, _| {
                seen += 1;
                Ok::<(), AuditError>(())
            })
            .unwrap();
        assert_eq!(seen, 301);
        assert_eq!(Tree::load(storage, &head).unwrap().head(), head);
    }

    #[test]
    fn bad_writes_and_paths() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = FolderStorage::open(folder.path().join("log")).unwrap();
        storage.put_immutable("tile/0/000.p/1", b"a").unwrap();
        storage.put_immutable("tile/0/000.p/1", b"a").unwrap();
        assert!(matches!(
            storage.put_immutable("tile/0/000.p/1", b"b"),
            Err(StorageError::Conflict { .. })
        ));
        assert_eq!(storage.get("tile/0/000.p/1").unwrap().unwrap(), b"a");
        fs::write(folder.path().join("secret"), b"s").unwrap();
        for path in [
            "../secret",
            "tile/../../secret",
            "/etc/hostname",
            ".tmp/x",
            "",
            "tile//0",
            "tile\\0",
            "tile",
        ] {
            assert_eq!(storage.get(path).unwrap(), None, "{path}");
        }
        assert!(storage.put_immutable("../outside", b"x").is_err());
        storage.discard("tile/0/000.p").unwrap();
        storage.discard("tile/0/000.p").unwrap();
        assert_eq!(storage.get("tile/0/000.p/1").unwrap(), None);
    }
}
