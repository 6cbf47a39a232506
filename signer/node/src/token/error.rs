//! Why a token did not do its part: a kind, on which it depends what is done about it, and a sentence with the remedy.

use bauta_signer_protocol::keys::KeyError;
use cryptoki::error::{Error, RvError};
use thiserror::Error as ThisError;

pub use super::wire::Failure;
use super::wire::{Failed, KeyKind, bytes, text};

/// The longest reason: a module's words are not trusted to be short.
const MAX_REASON: usize = 2000;

/// A token, its module or its process did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("token: {reason}")]
pub struct TokenError {
    failure: Failure,
    reason: String,
}

pub(super) type Answer<T> = Result<T, TokenError>;

impl TokenError {
    pub(crate) fn new(failure: Failure, reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        if reason.len() > MAX_REASON {
            let end = (0..=MAX_REASON)
                .rev()
                .find(|at| reason.is_char_boundary(*at));
            reason.truncate(end.unwrap_or(0));
        }
        Self { failure, reason }
    }

    /// What kind of failure it is.
    pub fn failure(&self) -> Failure {
        self.failure
    }

    /// The exit status that fits: 3 where something is missing on this machine, 75 where a token may come back, 77 after a PIN
    /// that failed, which no supervisor may try again, else 1.
    pub fn exit_status(&self) -> u8 {
        match self.failure {
            Failure::Module => 3,
            Failure::Absent | Failure::Process | Failure::Refused => 75,
            Failure::Pin => PIN_EXIT_STATUS,
            Failure::OtherToken
            | Failure::NoKey
            | Failure::KeyExists
            | Failure::WeakKey
            | Failure::Unsupported
            | Failure::NotHardened
            | Failure::Setup => 1,
        }
    }
}

/// The exit status after a PIN that failed (sysexits' EX_NOPERM): a supervisor must not start the program again.
pub const PIN_EXIT_STATUS: u8 = 77;

impl From<TokenError> for KeyError {
    fn from(error: TokenError) -> Self {
        Self::Unavailable(error.reason)
    }
}

impl From<Failed> for TokenError {
    fn from(failed: Failed) -> Self {
        Self::new(failed.failure, text(&failed.reason))
    }
}

impl From<TokenError> for Failed {
    fn from(error: TokenError) -> Self {
        Self {
            failure: error.failure,
            reason: bytes(error.reason),
        }
    }
}

pub(super) fn fail<T>(failure: Failure, reason: impl Into<String>) -> Answer<T> {
    Err(TokenError::new(failure, reason))
}

/// The token said no while `doing`.
pub(super) fn refused(doing: &str, error: &Error) -> TokenError {
    TokenError::new(
        Failure::Refused,
        format!("it failed {doing}: {}", words(error)),
    )
}

/// The token made no key: because it cannot, or for another reason.
pub(super) fn of_generation(kind: KeyKind, error: &Error) -> TokenError {
    let failure = if cannot(error) {
        Failure::Unsupported
    } else {
        Failure::Refused
    };
    TokenError::new(
        failure,
        format!("it makes no key of kind {kind:?}: {}", words(error)),
    )
}

/// Whether an error says that the token cannot, not that it does not just now.
pub(super) fn cannot(error: &Error) -> bool {
    matches!(
        error,
        Error::NullFunctionPointer
            | Error::NotSupported
            | Error::Pkcs11(
                RvError::MechanismInvalid
                    | RvError::MechanismParamInvalid
                    | RvError::FunctionNotSupported
                    | RvError::CurveNotSupported
                    | RvError::DomainParamsInvalid
                    | RvError::KeySizeRange
                    | RvError::KeyTypeInconsistent
                    | RvError::TemplateInconsistent
                    | RvError::TemplateIncomplete
                    | RvError::AttributeReadOnly
                    | RvError::AttributeTypeInvalid
                    | RvError::AttributeValueInvalid
                    | RvError::SessionReadOnly
                    | RvError::TokenWriteProtected,
                _
            )
    )
}

/// The standard's name of an error: cryptoki's own text is a paragraph of the standard.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function:?} gave {code:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_pin_has_an_exit_status_of_its_own() {
        let status = |failure| TokenError::new(failure, "").exit_status();
        assert_eq!(status(Failure::Pin), 77);
        for other in [
            Failure::Module,
            Failure::Absent,
            Failure::OtherToken,
            Failure::NoKey,
            Failure::KeyExists,
            Failure::WeakKey,
            Failure::Unsupported,
            Failure::Refused,
            Failure::Process,
            Failure::NotHardened,
            Failure::Setup,
        ] {
            assert_ne!(status(other), PIN_EXIT_STATUS, "{other:?}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let error = TokenError::new(Failure::Refused, "é".repeat(2000));
        assert!(error.to_string().len() <= MAX_REASON + "token: ".len());
    }
}
