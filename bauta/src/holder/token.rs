//! A holder's key on a smart card or another PKCS#11 token, named by a URI of RFC 7512 where a file's path could stand.
//!
//! The vendor's module is loaded into this process, as by every other program that uses a card. A signer does not do that
//! (`bauta_signer::token`): it runs for months with a share in its memory, which must outlive a module's crash. Here one command
//! makes one signature and ends; if the module takes it down, nothing is lost but the attempt, since the wallet is replaced as a
//! whole or not at all. And what is asked here, any object by its label or id, with a PIN from a terminal or a keypad, a signer's
//! module process should not answer: it knows the signer's own four keys, and nothing else.
//!
//! [`uri`] is what may be written, [`session`] the module, the token and the PIN, [`objects`] the key and the certificate.

mod error;
mod objects;
mod session;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt;
use std::sync::Mutex;

use bauta_statement::rsa_key::MODULUS_LEN;
use zeroize::Zeroizing;

use error::{Answer, TokenKeyError};
use session::{Open, Pin};
use uri::{Class, TokenUri};

/// A private key on a PKCS#11 token, as an RFC 7512 URI names it.
///
/// The PIN is asked for when it is first needed, and kept until this is dropped. One that the token refused is not tried again, and no
/// other one either.
pub(crate) struct TokenKey {
    uri: TokenUri,
    pin: Mutex<Pin>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl TokenKey {
    /// Whether a command's argument names something on a token, rather than a file.
    pub(crate) fn is_uri(argument: &str) -> bool {
        uri::is_uri(argument)
    }

    /// Reads a URI such as `pkcs11:token=Ada;object=auth?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin`.
    /// The token is not touched yet.
    ///
    /// # Errors
    /// What is wrong with the URI; a PIN in it is not repeated.
    pub(crate) fn parse(uri: &str) -> anyhow::Result<Self> {
        let uri =
            TokenUri::parse(uri).map_err(|error| TokenKeyError::from(error).into_failure())?;
        Ok(Self {
            uri,
            pin: Mutex::default(),
        })
    }

    /// Signs by RSASSA-PKCS1-v1_5 with SHA-256: 256 bytes, big-endian. The signature verifies.
    ///
    /// It blocks, for as long as somebody takes to type a PIN.
    ///
    /// # Errors
    /// What is wrong with the module, the token, the PIN or the key, and the remedy.
    pub(crate) fn sign(&self, message: &[u8]) -> anyhow::Result<Zeroizing<[u8; MODULUS_LEN]>> {
        self.signed(message).map_err(TokenKeyError::into_failure)
    }

    /// The certificate that lies beside the key on the token, in DER, if there is one: that with the key's CKA_ID, or, where the URI
    /// says `type=cert`, the one that it names.
    ///
    /// Certificates can be read by whoever has the card, but to find the id of a key that is named otherwise, the PIN is needed.
    ///
    /// # Errors
    /// As [`sign`](Self::sign); and if several certificates fit.
    pub(crate) fn certificate(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.certificate_beside()
            .map_err(TokenKeyError::into_failure)
    }

    fn signed(&self, message: &[u8]) -> Answer<Zeroizing<[u8; MODULUS_LEN]>> {
        if self.uri.object.class == Some(Class::Certificate) {
            return Err(TokenKeyError::CertificateForKey);
        }
        let open = Open::new(&self.uri)?;
        open.log_in(&self.uri, &self.pin)?;
        let key = objects::find_key(&open, &self.uri.object)?;
        key.sign(&open, message, || open.confirm(&self.uri, &self.pin))
    }

    fn certificate_beside(&self) -> Answer<Option<Vec<u8>>> {
        let open = Open::new(&self.uri)?;
        let object = &self.uri.object;
        let (wanted, mut logged_in) = match (object.class, &object.id) {
            (Some(Class::Certificate), _) => (object.clone(), false),
            (_, Some(id)) => (objects::beside(id.clone()), false),
            (_, None) => {
                open.log_in(&self.uri, &self.pin)?;
                let id = objects::find_key(&open, object)?.id;
                if id.is_empty() {
                    // Nothing ties a certificate to this key.
                    return Ok(None);
                }
                (objects::beside(id), true)
            }
        };
        loop {
            match objects::find_certificate(&open, &wanted) {
                Ok(der) => return Ok(Some(der)),
                // A few cards show their certificates to their holder alone.
                Err(TokenKeyError::NoObject { .. }) if !logged_in => {
                    open.log_in(&self.uri, &self.pin)?;
                    logged_in = true;
                }
                Err(error @ TokenKeyError::NoObject { .. }) => {
                    // A certificate that was named must be there; one beside the key need not.
                    return match object.class {
                        Some(Class::Certificate) => Err(error),
                        Some(Class::Private) | None => Ok(None),
                    };
                }
                Err(error) => return Err(error),
            }
        }
    }
}
