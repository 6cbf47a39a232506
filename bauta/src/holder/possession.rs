//! Possession of an ordinary certificate: from the holder's files to the credential that the relation reads, and the one signature that it
//! wants of the certificate's key.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bauta_circuits::possession::x509_rsa::X509RsaError;
use bauta_prover::credential::{Credential, X509RsaCredential};
use bauta_prover::wallet::Stored;
use bauta_statement::rsa_key::{MODULUS_LEN, POSSESSION_MESSAGE, RsaPublicKey};
use bauta_statement::schema::Schema;
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::x509;

/// A CA of the policy's issuer set, and the schema by which its certificates are read.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) name: String,
    pub(crate) key: RsaPublicKey,
    pub(crate) schema: Schema,
}

/// A certificate that the holder offers, with its key.
pub(crate) struct Identity {
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads both files, which must belong together.
    pub(crate) fn load(certificate: &str, key: &str, now: u64) -> anyhow::Result<Self> {
        let identity = x509::load(Path::new(certificate), Path::new(key), now)?;
        Ok(Self {
            certified: identity.certified_key(),
        })
    }

    /// The certificate as a credential of the CA that issued it.
    pub(crate) fn credential(
        &self,
        authorities: &[Authority],
    ) -> anyhow::Result<X509RsaCredential> {
        let leaf = self
            .certified
            .cert
            .first()
            .context("there is no certificate")?;
        if authorities.is_empty() {
            bail!(
                "the policy accepts no X.509 CA that has a current revocation list: enrol at a desk, or choose another policy"
            );
        }
        let mut reason = None;
        for authority in authorities {
            let (key, schema) = (authority.key.clone(), authority.schema.clone());
            match X509RsaCredential::read(leaf.to_vec(), key, schema) {
                Ok(credential) => return Ok(credential),
                Err(X509RsaError::IssuerSignature) => {}
                // Of another CA's schema it may be another; what the certificate is matters more than whose it is.
                Err(error) => reason = Some(error),
            }
        }
        match reason {
            Some(error) => Err(error.into()),
            None => {
                let names: Vec<&str> = authorities.iter().map(|one| one.name.as_str()).collect();
                bail!(
                    "none of the CAs that the policy accepts ({}) issued this certificate: use one of theirs, or another policy",
                    names.join(", ")
                )
            }
        }
    }

    /// The signature of the fixed message by the certificate's key.
    pub(crate) fn sign(&self) -> anyhow::Result<Zeroizing<[u8; MODULUS_LEN]>> {
        let signer = self
            .certified
            .key
            .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
            .context("the private key is not RSA: use the one that belongs to the certificate")?;
        let signature = Zeroizing::new(signer.sign(POSSESSION_MESSAGE)?);
        let mut octets = Zeroizing::new([0; MODULUS_LEN]);
        if signature.len() != MODULUS_LEN {
            bail!("the private key is not RSA-2048: use a certificate with such a key");
        }
        octets.copy_from_slice(&signature);
        Ok(octets)
    }
}

/// What a wallet holds once this certificate is in it: what it held, if that was the same one. A wallet has one credential.
pub(crate) fn stored(
    before: Option<Stored>,
    credential: X509RsaCredential,
) -> anyhow::Result<Stored> {
    let credential = Credential::X509Rsa(Box::new(credential));
    match before {
        Some(before) if before.credential.native().is_some() => bail!(
            "this wallet holds an enrolled credential: name another folder with --wallet for the certificate"
        ),
        Some(before) if before.credential == credential => Ok(before),
        _ => Ok(Stored {
            credential,
            possession: None,
            policies: Vec::new(),
            uses: Vec::new(),
        }),
    }
}
