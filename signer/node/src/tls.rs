//! The signer's half of mutual TLS: TLS 1.3 alone, and a peer that is known by its key, not by a name or an authority. The
//! pin is SHA-256 of the certificate's SubjectPublicKeyInfo, so a renewed certificate for the same key is the same peer.

use std::{fmt, sync::Arc};

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
#[derive(Error)]
#[error(
    "the coordinator's key is {found}, pinned is {pinned}: correct `coordinator_spki_sha256`, or someone is in between"
)]
struct WrongKey {
    found: String,
    pinned: String,
}

/// rustls writes the reason of a refusal by `Debug` alone.
impl fmt::Debug for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_is_refused_with_both_pins_in_the_reason() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let own = pin(certificate.der()).unwrap();
        let verify = |pin| {
            let provider = Arc::new(aws_lc_rs::default_provider());
            let name = ServerName::try_from("127.0.0.1").unwrap();
            PinnedServer { pin, provider }.verify_server_cert(
                certificate.der(),
                &[],
                &name,
                &[],
                UnixTime::now(),
            )
        };
        assert!(verify(own).is_ok());
        let reason = verify([7; 32]).unwrap_err().to_string();
        assert!(
            reason.contains(&"07".repeat(32))
                && reason.contains(&data_encoding::HEXLOWER.encode(&own)),
            "{reason}"
        );
        assert!(reason.contains("coordinator_spki_sha256"), "{reason}");
    }
}
