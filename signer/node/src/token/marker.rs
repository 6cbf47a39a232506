//! What a signer remembers of a PIN that failed. Tokens tell the next start that one did, or should: some tell only when few tries
//! are left. A supervisor that starts the signer again and again would lock those; so the signer leaves a file beside its keys, and
//! tries no PIN while it is there. A person who typed the PIN is no supervisor, and tries again as they like.

use std::path::Path;

use super::{
    config::TokenConfig,
    error::{Answer, Failure, TokenError, fail},
    pin,
};
use crate::files;

/// Name of the file in a signer's key folder.
const FILE: &str = "pin-failed";

/// Refuses to try a PIN that nobody types while an earlier one failed.
///
/// # Errors
/// [`Failure::Pin`], naming the file to be removed.
pub(crate) fn check(folder: &Path, config: &TokenConfig) -> Answer<()> {
    let file = folder.join(FILE);
    if pin::is_typed(config.pin_file.as_deref()) || !file.exists() {
        return Ok(());
    }
    fail(
        Failure::Pin,
        format!(
            "a PIN failed at an earlier start, and none is tried: correct it, see that it is right by `bauta-signer token check`, \
             and remove {}",
            file.display()
        ),
    )
}

/// Remembers a PIN that failed.
pub(crate) fn remember(folder: &Path, config: &TokenConfig, error: &TokenError) {
    if error.failure() == Failure::Pin && !pin::is_typed(config.pin_file.as_deref()) {
        let text = format!("{error}\n");
        // If it is there already, it says enough.
        if let Err(problem) = files::write_new(&folder.join(FILE), text.as_bytes(), files::PRIVATE)
        {
            tracing::warn!(%problem, "the failed PIN could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_failed_unattended_is_tried_by_no_later_start() {
        let folder = tempfile::tempdir().unwrap();
        let unattended = TokenConfig {
            pin_file: Some(folder.path().join("pin")),
            ..TokenConfig::default()
        };
        let typed = TokenConfig::default();
        let refused = TokenError::new(Failure::Pin, "it refused the PIN");
        let away = TokenError::new(Failure::Absent, "it is away");
        let check = |config| check(folder.path(), config);
        remember(folder.path(), &typed, &refused);
        remember(folder.path(), &unattended, &away);
        check(&unattended).unwrap();
        remember(folder.path(), &unattended, &refused);
        remember(folder.path(), &unattended, &refused);
        let error = check(&unattended).unwrap_err();
        assert_eq!((error.failure(), error.exit_status()), (Failure::Pin, 77));
        assert!(error.to_string().contains("remove "), "{error}");
        check(&typed).unwrap();
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
        check(&unattended).unwrap();
    }
}
