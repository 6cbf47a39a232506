//! TLS of the service: its own HTTPS, and the signers' streams, where each side knows the other by its key. TLS 1.3 alone.

use std::{
    fmt,
    path::Path,
    sync::{Arc, RwLock},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
pub type Pin = [u8; 32];

/// Why TLS could not be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that is not there, or not PEM.
    #[error(
        "{path}: {reason}; write a PEM certificate chain (leaf first) and a PKCS#8, SEC1 or PKCS#1 key"
    )]
    File {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS does not take.
    #[error("TLS refuses certificate or key: {0}")]
    Refused(#[from] Error),
}

/// The pin of a certificate.
///
/// # Errors
/// rustls', if it is no X.509 version 3 certificate.
pub fn pin(certificate: &CertificateDer<'_>) -> Result<Pin, Error> {
    Ok(Sha256::digest(ParsedCertificate::try_from(certificate)?.subject_public_key_info()).into())
}

/// Reads a PEM chain and a PEM key.
///
/// # Errors
/// [`TlsError::File`], by file.
pub fn read_identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let bad = |path: &Path, reason: String| TlsError::File {
        path: path.display().to_string(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(bad(certificate, "no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error.to_string()))?;
    Ok((chain, key))
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, Error> {
    ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])
}

/// The public API: HTTP/2 and HTTP/1.1, no client certificate. No session tickets: a resumed session would tie a holder's
/// requests together.
///
/// # Errors
/// [`TlsError`].
pub fn https(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let (chain, key) = read_identity(certificate, key)?;
    let mut config = builder(Arc::new(aws_lc_rs::default_provider()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// The signers' streams: HTTP/2, and a client certificate with a key that `pins` knows.
///
/// # Errors
/// [`TlsError`].
pub fn coordinator(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pins: Pins,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(PinnedClients {
        pins,
        provider: provider.clone(),
    });
    let mut config = builder(provider)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// The keys of those who may connect, from the newest logged authority. Clones share them.
///
/// Before the first authority is logged there are none, and whoever dials is let in and waits: nothing is said to them until
/// the authority names their key.
#[derive(Clone, Debug, Default)]
pub struct Pins(Arc<RwLock<Option<Vec<Pin>>>>);

impl Pins {
    /// Replaces them.
    pub fn set(&self, pins: Vec<Pin>) {
        *self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(pins);
    }

    /// Whether this key may connect.
    pub fn admits(&self, pin: &Pin) -> bool {
        let pins = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        pins.as_ref().is_none_or(|pins| pins.contains(pin))
    }
}

#[derive(Error)]
#[error(
    "no signer in the authority has the key {0}: log an authority that names it, or correct the signer's keys"
)]
struct UnknownSigner(String);

/// rustls writes the reason of a refusal by `Debug` alone.
impl fmt::Debug for UnknownSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug)]
struct PinnedClients {
    pins: Pins,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let pin = pin(end_entity)?;
        if self.pins.admits(&pin) {
            return Ok(ClientCertVerified::assertion());
        }
        let reason = UnknownSigner(data_encoding::HEXLOWER.encode(&pin));
        Err(Error::InvalidCertificate(CertificateError::Other(
            OtherError(Arc::new(reason)),
        )))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_authority_s_keys_are_let_in_once_there_is_one() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let pins = Pins::default();
        let verifier = PinnedClients {
            pins: pins.clone(),
            provider: Arc::new(aws_lc_rs::default_provider()),
        };
        let verify = || verifier.verify_client_cert(certificate.der(), &[], UnixTime::now());
        assert!(verify().is_ok());
        pins.set(vec![[7; 32]]);
        assert!(
            verify()
                .unwrap_err()
                .to_string()
                .contains("no signer in the authority")
        );
        pins.set(vec![[7; 32], pin(certificate.der()).unwrap()]);
        assert!(verify().is_ok());
    }
}
