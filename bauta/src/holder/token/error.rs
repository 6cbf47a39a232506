//! Why a key on a token was not used: who is to blame, and the remedy.

use std::path::PathBuf;

use cryptoki::error::{Error, RvError};

use super::uri::UriError;
use crate::print::{Exit, Failure};

pub(super) type Answer<T> = Result<T, TokenKeyError>;

/// A key on a token could not be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each is
pub(super) enum TokenKeyError {
    #[error("this PKCS#11 URI is not taken: {0}")]
    Uri(#[from] UriError),
    #[error(
        "{} is no PKCS#11 module that can be loaded ({reason}): check module-path, and install the package that has it (`opensc` for \
         most cards)", .path.display()
    )]
    Module { path: PathBuf, reason: String },
    #[error(
        "there is no such token: the URI asks for {wanted}; there {present}. Put the card in, or correct the URI"
    )]
    NoToken { wanted: String, present: String },
    #[error("{} tokens fit the URI: {}. Name one by serial=… or slot-id=…", .0.len(), .0.join(", "))]
    SeveralTokens(Vec<String>),
    #[error("{token} has no {what} that fits the URI; {present}. Correct object=… and id=… in it")]
    NoObject {
        token: String,
        what: &'static str,
        present: String,
    },
    #[error("{} {what}s on {token} fit the URI: {}. Name one by id=…, or by object=… and id=…", .fitting.len(), .fitting.join(", "))]
    SeveralObjects {
        token: String,
        what: &'static str,
        fitting: Vec<String>,
    },
    #[error(
        "the URI names a certificate (type=cert), which does not sign: name the key by type=private, or leave type out"
    )]
    CertificateForKey,
    #[error(
        "{key} is no RSA key but {kind}: name one of RSA-2048, which is the only kind that this signature is made with"
    )]
    NotRsa { key: String, kind: String },
    #[error("{key} cannot be used: {reason}")]
    WrongKey { key: String, reason: String },
    #[error(
        "{0} may not sign: by its card it is for something else, such as decryption; name the one for authentication"
    )]
    MayNotSign(String),
    #[error(
        "{token} makes no RSA signatures of SHA-256 by PKCS#1 version 1.5 ({reason}): take a card that has CKM_SHA256_RSA_PKCS or \
         CKM_RSA_PKCS"
    )]
    Unsupported { token: String, reason: String },
    #[error(
        "{0} gave a signature that its own public key does not verify: it is not used. The card or its module is faulty"
    )]
    FalseSignature(String),
    #[error(
        "{0} refused the PIN, and no second one is tried, since cards lock after a few. Make sure of the PIN before you start this again"
    )]
    WrongPin(String),
    #[error(
        "{0} has locked its PIN after too many wrong ones: unblock it with the vendor's tool and its PUK"
    )]
    PinLocked(String),
    #[error("{0} has no PIN yet, or one that must be changed first: set it with the vendor's tool")]
    PinToSet(String),
    #[error(
        "{token}: {state}, so the PIN of the file {} is not tried. Make sure of it, then leave pin-source out once and type it: \
         a login that works clears this", .file.display()
    )]
    PinAtRisk {
        token: String,
        state: &'static str,
        file: PathBuf,
    },
    #[error(
        "no PIN can be asked for here ({0}): start this from a terminal, or add &pin-source=file:FILE to the URI"
    )]
    NoTerminal(std::io::Error),
    #[error("the PIN is empty: nothing was tried")]
    EmptyPin,
    #[error(transparent)]
    PinFile(#[from] bauta_signer::token::TokenError),
    #[error("the token is gone ({reason}): put it back in, and start this again")]
    Gone { reason: String },
    #[error("the module failed {doing}: {reason}")]
    Failed { doing: &'static str, reason: String },
}

impl TokenKeyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Module { .. } => Exit::Missing,
            Self::NoToken { .. } | Self::Gone { .. } => Exit::Later,
            Self::WrongPin(_) | Self::PinLocked(_) | Self::PinToSet(_) | Self::PinAtRisk { .. } => {
                Exit::Pin
            }
            Self::Uri(_)
            | Self::SeveralTokens(_)
            | Self::NoObject { .. }
            | Self::SeveralObjects { .. }
            | Self::CertificateForKey
            | Self::NotRsa { .. }
            | Self::WrongKey { .. }
            | Self::MayNotSign(_)
            | Self::Unsupported { .. }
            | Self::FalseSignature(_)
            | Self::NoTerminal(_)
            | Self::EmptyPin
            | Self::PinFile(_)
            | Self::Failed { .. } => Exit::Failed,
        }
    }

    /// With the exit status that fits, for the program's end.
    pub(super) fn into_failure(self) -> anyhow::Error {
        Failure::new(self.exit(), self.to_string())
    }
}

/// The module said no while `doing`.
pub(super) fn failed(doing: &'static str) -> impl Fn(Error) -> TokenKeyError {
    move |error| {
        let reason = words(&error);
        if let Error::Pkcs11(
            RvError::TokenNotPresent
            | RvError::DeviceRemoved
            | RvError::TokenNotRecognized
            | RvError::SessionHandleInvalid
            | RvError::ObjectHandleInvalid,
            _,
        ) = error
        {
            TokenKeyError::Gone { reason }
        } else {
            TokenKeyError::Failed { doing, reason }
        }
    }
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
    fn what_starts_again_by_itself_is_told_about_pins() {
        let card = || "the card".to_owned();
        for error in [
            TokenKeyError::WrongPin(card()),
            TokenKeyError::PinLocked(card()),
            TokenKeyError::PinToSet(card()),
            TokenKeyError::PinAtRisk {
                token: card(),
                state: "one try is left before it locks",
                file: "pin".into(),
            },
        ] {
            assert_eq!(error.exit() as u8, 77, "{error}");
        }
        let gone = failed("signing")(Error::Pkcs11(
            RvError::DeviceRemoved,
            cryptoki::context::Function::Sign,
        ));
        assert_eq!(gone.exit(), Exit::Later, "{gone}");
        let other = failed("signing")(Error::Pkcs11(
            RvError::GeneralError,
            cryptoki::context::Function::Sign,
        ));
        assert_eq!(
            other.to_string(),
            "the module failed signing: Sign gave GeneralError"
        );
    }
}
