//! Small files that must not be lost, overwritten or read by others: keys and their public descriptions.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use thiserror::Error;

/// Mode of a file with a secret in it.
pub const PRIVATE: u32 = 0o600;
/// Mode of a public file.
pub const PUBLIC: u32 = 0o644;

/// A file that could not be read or written.
#[derive(Debug, Error)]
#[error("cannot {verb} {path}: {reason}")]
pub struct FileError {
    verb: &'static str,
    path: String,
    reason: String,
}

impl FileError {
    pub(crate) fn new(verb: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self {
            verb,
            path: path.display().to_string(),
            reason: reason.to_string(),
        }
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError`], naming the path.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|error| FileError::new("read", path, &error))
}

/// Reads a file of at most `limit` bytes: for what others sent.
///
/// # Errors
/// [`FileError`], also if it is longer.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    use std::io::Read as _;
    let error = |error: std::io::Error| FileError::new("read", path, &error);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(error(std::io::Error::other(format!(
            "longer than {limit} bytes"
        ))));
    }
    Ok(bytes)
}

/// Refuses a secret that others than its owner can read.
///
/// # Errors
/// [`FileError`], naming the remedy.
pub fn only_ours(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let error = |error: std::io::Error| FileError::new("read", path, &error);
    let mode = fs::metadata(path).map_err(error)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(error(std::io::Error::other(
            "others can read it: chmod 600 it, and think about who may have read it",
        )));
    }
    Ok(())
}

/// Writes a file that must not exist yet, durably (file and folder).
///
/// # Errors
/// [`FileError`], also if the file is there.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let error = |error: std::io::Error| FileError::new("write", path, &error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(error)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(error)?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(error)?;
    }
    Ok(())
}

/// Makes a folder that only its owner may enter, with its parents.
///
/// # Errors
/// [`FileError`], naming the path.
pub fn private_folder(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| FileError::new("make", path, &error))
}
