//! Where the PIN comes from: a file that only this user can have written and can read, a systemd credential, or the terminal.
//! Never the command line or the environment, which other processes read, and never a log.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::error::{Answer, Failure, TokenError, fail};

/// The name of the systemd credential.
pub const CREDENTIAL: &str = "token-pin";
/// The longest file that is read.
const LONGEST: u64 = 1024;

/// A user's PIN.
pub(super) type Pin = Zeroizing<String>;

/// The PIN from a file of the operator's, which only this user can have written and can read.
///
/// # Errors
/// [`TokenError`], naming what is wrong with the file.
pub fn pin_from_file(file: &Path) -> Result<Zeroizing<String>, TokenError> {
    read(file, &|metadata| strict(metadata))
}

/// The systemd credential, if there is one.
fn credential_file() -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    let path = Path::new(&folder).join(CREDENTIAL);
    path.exists().then_some(path)
}

/// Whether a person will be asked for the PIN.
pub(super) fn is_typed(file: Option<&Path>) -> bool {
    file.is_none() && credential_file().is_none()
}

/// The PIN from `file`, else from the systemd credential, else from the terminal.
pub(super) fn find(file: Option<&Path>) -> Answer<Pin> {
    if let Some(file) = file {
        return pin_from_file(file);
    }
    if let Some(path) = credential_file() {
        return read(&path, &|metadata| credential(metadata));
    }
    let pin = rpassword::prompt_password("PIN of the token: ")
        .map(Zeroizing::new)
        .map_err(|error| {
            TokenError::new(
                Failure::Setup,
                format!(
                    "there is no PIN ({error}): name a PIN file, load the systemd credential {CREDENTIAL}, or start from a terminal"
                ),
            )
        })?;
    if pin.is_empty() {
        return fail(Failure::Setup, "the PIN is empty");
    }
    Ok(pin)
}

/// What is wrong with a file of the operator's.
fn strict(metadata: &Metadata) -> Option<&'static str> {
    let mode = metadata.mode() & 0o7777;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        Some("belongs to another user: change its owner to the one that this program runs as")
    } else if mode != 0o600 && mode != 0o400 {
        Some("can be read or written by others: run `chmod 600` on it, and change the PIN")
    } else if metadata.nlink() != 1 {
        Some("has a second name (hard link): keep the PIN in a file of its own")
    } else {
        None
    }
}

/// What is wrong with a credential: systemd gives it to root, and to this user by an access list, which shows as the group's.
fn credential(metadata: &Metadata) -> Option<&'static str> {
    let own = rustix::process::geteuid().as_raw();
    if ![0, own].contains(&metadata.uid()) {
        Some("belongs to another user: let systemd make it (LoadCredential=)")
    } else if metadata.mode() & 0o137 != 0 {
        Some("can be read or written by others: let systemd make it (LoadCredential=)")
    } else {
        None
    }
}

/// Opens first and looks at what was opened, so that no other file is put in its place between the two.
fn read(path: &Path, wrong: &dyn Fn(&Metadata) -> Option<&'static str>) -> Answer<Pin> {
    let stop = |reason: &dyn std::fmt::Display| {
        TokenError::new(Failure::Setup, format!("{} {reason}", path.display()))
    };
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path)
        .map_err(|error| {
            if path.is_symlink() {
                stop(&"is a symbolic link: name the file itself")
            } else {
                stop(&format!("cannot be read: {error}"))
            }
        })?;
    let metadata = file.metadata().map_err(|error| stop(&error))?;
    if !metadata.is_file() {
        return Err(stop(&"is no file"));
    }
    if let Some(reason) = wrong(&metadata) {
        return Err(stop(&reason));
    }
    if metadata.len() > LONGEST {
        return Err(stop(&"is too long for a PIN"));
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| stop(&format!("cannot be read: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(stop(&"holds no PIN: its first line is empty"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn reason(path: &Path) -> String {
        let error = find(Some(path)).expect_err("refused");
        assert_eq!(error.failure(), Failure::Setup);
        error.to_string()
    }

    #[test]
    fn only_a_file_of_ones_own_that_nobody_else_reads_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234\nrest\n").unwrap();
        let chmod = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o600, 0o400] {
            chmod(mode);
            assert_eq!(find(Some(&path)).unwrap().as_str(), "1234");
        }
        for mode in [0o644, 0o640, 0o660, 0o604, 0o700, 0o4600] {
            chmod(mode);
            assert!(reason(&path).contains("chmod 600"), "{mode:o}");
        }
        chmod(0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(reason(&link).contains("symbolic link"));
        let hard = folder.path().join("hard");
        fs::hard_link(&path, &hard).unwrap();
        assert!(reason(&path).contains("second name"));
        fs::remove_file(&hard).unwrap();
        assert!(reason(folder.path()).contains("no file"));
        assert!(reason(&folder.path().join("none")).contains("cannot be read"));
        fs::write(&path, "\n1234\n").unwrap();
        assert!(reason(&path).contains("first line is empty"));
        fs::write(&path, "1".repeat(2000)).unwrap();
        assert!(reason(&path).contains("too long"));
    }

    #[test]
    fn a_file_of_another_users_is_refused() {
        // Only root can make one.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, "1234\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        assert!(reason(&path).contains("another user"));
        let metadata = fs::metadata(&path).unwrap();
        assert!(credential(&metadata).is_some());
    }

    #[test]
    fn a_credential_may_be_roots_and_have_an_access_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token-pin");
        fs::write(&path, "1234").unwrap();
        for (mode, good) in [(0o400, true), (0o440, true), (0o444, false), (0o460, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                credential(&fs::metadata(&path).unwrap()).is_none(),
                good,
                "{mode:o}"
            );
        }
    }
}
