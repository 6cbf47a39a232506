//! The signer's half of mutual TLS: TLS 1.3 alone, and a peer that is known by its key, not by a name or an authority. The
//! pin is SHA-256 of the certificate's SubjectPublicKeyInfo, so a renewed certificate for the same key is the same peer.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
pub type Pin = [u8; 32];

/// Why a peer was refused.
#[derive(Debug, Error)]
#[error(
    "the coordinator's key is {found}, pinned is {pinned}: correct `coordinator_spki_sha256`, or someone is in between"
)]
struct WrongKey {
    found: String,
    pinned: String,
}

/// The pin of a certificate.
///
/// # Errors
/// rustls', if it is no X.509 version 3 certificate.
pub fn pin(certificate: &CertificateDer<'_>) -> Result<Pin, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Sha256::digest(parsed.subject_public_key_info()).into())
}

/// Accepts one key and no other.
#[derive(Debug)]
struct PinnedServer {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = pin(end_entity)?;
        if found == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        let hex = |pin: &Pin| data_encoding::HEXLOWER.encode(pin);
        let reason = WrongKey {
            found: hex(&found),
            pinned: hex(&self.pin),
        };
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

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

/// TLS 1.3 to the coordinator with the pinned key, HTTP/2 by ALPN, as whoever `identity` says: a key in a token is another
/// `identity`, and nothing else changes. No session is resumed, so each connection proves both keys.
///
/// # Errors
/// rustls', if the provider lacks TLS 1.3.
pub fn client_config(
    pin: Pin,
    identity: Arc<dyn ResolvesClientCert>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer { pin, provider }))
        .with_client_cert_resolver(identity);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
