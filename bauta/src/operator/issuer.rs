//! `bauta issuer x509`: what an issuer set says of an X.509 CA, from its certificate.

use std::path::Path;

use anyhow::Context;
use bauta_statement::file::Kind;
use bauta_statement::file::issuer_set::{Issuer, IssuerSet, X509RsaIssuer};
use bauta_statement::rsa_key::{RsaKeyError, RsaPublicKey};
use der::Decode;
use der::oid::ObjectIdentifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::sign;
use crate::{
    cli::X509Issuer,
    clock, files,
    print::{Exit, Failure, Printer},
};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// More than any CA certificate.
const LIMIT: u64 = 1 << 20;

/// Why a certificate's owner cannot be an issuer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each is
pub(crate) enum CaError {
    #[error("it holds no certificate in PEM or DER: give the CA's certificate")]
    NoCertificate,
    #[error(
        "it holds {0} certificates: give that of the CA alone which signs the holders' certificates and their CRL"
    )]
    Several(usize),
    #[error("its certificate does not parse ({0}): look at it with `openssl x509 -noout -text`")]
    Malformed(String),
    #[error(
        "its certificate is no CA's (basicConstraints): give the certificate of the CA that issues to holders, not a holder's"
    )]
    NoCa,
    #[error(
        "the CA may not sign {0} (keyUsage): give a CA whose one key signs the holders' certificates and their CRL, or let holders enrol at a desk (`bauta issuer`)"
    )]
    Usage(&'static str),
    #[error(
        "the CA's key is of algorithm {0}, and only RSA-2048 can be an issuer's: let its holders enrol at a desk (`bauta issuer`), which takes any CA"
    )]
    NoRsa(String),
    #[error("{0}; or let its holders enrol at a desk (`bauta issuer`), which takes any CA")]
    Key(#[from] RsaKeyError),
}

pub(crate) fn x509(arguments: &X509Issuer, printer: Printer) -> anyhow::Result<()> {
    let set = set_of(
        &arguments.ca,
        &arguments.name,
        &arguments.schema,
        arguments.quota,
    )?;
    let issuer = set.issuers.first();
    let issuer = issuer.context("an issuer set of one CA")?.clone();
    let set = serde_json::to_vec_pretty(&set)?;
    // Name, schema and quota are judged by the same rules as in the log.
    sign::text_of(
        &set,
        Kind::IssuerSet,
        "example.org",
        Some("example"),
        1,
        clock::now(),
    )?;
    if let Some(path) = &arguments.issuer_set {
        files::write(path, &set).with_context(|| path.display().to_string())?;
    }
    printer.result(&issuer, serde_json::to_string_pretty(&issuer)?)
}

/// An issuer set with the CA alone whose certificate is in a file.
pub(crate) fn set_of(
    path: &Path,
    name: &str,
    schema: &str,
    revocation_quota: u32,
) -> anyhow::Result<IssuerSet> {
    let public_key = ca_key(&files::read(path, LIMIT)?)
        .map_err(|error| Failure::new(Exit::Wrong, format!("{}: {error}", path.display())))?;
    let issuer = Issuer::X509Rsa(X509RsaIssuer {
        name: name.to_owned(),
        public_key,
        schema: schema.to_owned(),
        revocation_quota,
    });
    Ok(IssuerSet {
        issuers: vec![issuer],
    })
}

/// The key of the one certificate in a file, if its owner can be an issuer.
pub(crate) fn ca_key(bytes: &[u8]) -> Result<RsaPublicKey, CaError> {
    let malformed = |error: &dyn std::fmt::Display| CaError::Malformed(error.to_string());
    let der = match certificates(bytes)?.as_slice() {
        [] => return Err(CaError::NoCertificate),
        [one] => one.clone(),
        more => return Err(CaError::Several(more.len())),
    };
    let certificate = Certificate::from_der(&der).map_err(|error| malformed(&error))?;
    let tbs = certificate.tbs_certificate();
    let constraints = tbs
        .get_extension::<BasicConstraints>()
        .map_err(|error| malformed(&error))?;
    if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(CaError::NoCa);
    }
    let usage = tbs
        .get_extension::<KeyUsage>()
        .map_err(|error| malformed(&error))?;
    if let Some((_, usage)) = usage {
        if !usage.key_cert_sign() {
            return Err(CaError::Usage("certificates"));
        }
        if !usage.crl_sign() {
            return Err(CaError::Usage("CRLs"));
        }
    }
    let spki = tbs.subject_public_key_info();
    if spki.algorithm.oid != RSA_ENCRYPTION {
        return Err(CaError::NoRsa(spki.algorithm.oid.to_string()));
    }
    Ok(RsaPublicKey::from_pkcs1(
        spki.subject_public_key.raw_bytes(),
    )?)
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, CaError> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| CaError::Malformed(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let path = format!("{}/../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    #[test]
    fn the_key_is_the_certificates() {
        let pem = vector("crl/ca.pem");
        let key = ca_key(&pem).unwrap();
        let der = CertificateDer::from_pem_slice(&pem).unwrap();
        assert_eq!(ca_key(&der).unwrap(), key);
        assert_ne!(ca_key(&vector("crl/other.pem")).unwrap(), key);
    }

    #[test]
    fn errors_name_the_remedy() {
        let both = [vector("crl/ca.pem"), vector("crl/other.pem")].concat();
        for (bytes, remedy) in [
            (vector("crl/bad_rsa3072.pem"), "at a desk"),
            (vector("crl/bad_exponent3.pem"), "65537"),
            (vector("crl/bad_no_crl_sign.pem"), "CRLs"),
            (vector("x509/root.pem"), "only RSA-2048"),
            (vector("x509/rsa2048.pem"), "not a holder's"),
            (vector("crl/ca.key"), "give the CA's certificate"),
            (vector("crl/two.der"), "openssl x509"),
            (both, "2 certificates"),
        ] {
            let error = ca_key(&bytes).unwrap_err().to_string();
            assert!(error.contains(remedy), "{error}");
        }
    }
}
