//! The client certificate's path to the organisation's CA, checked in the handler and not in TLS, so that a refusal
//! carries its cause and its remedy instead of an alert.

use std::time::Duration;

use const_oid::db::rfc5280::ID_KP_CLIENT_AUTH;
use der::{DateTime, Decode, Encode};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix;

/// A client certificate whose path to one of the desk's CAs was checked, and whose key TLS has shown to be held.
/// Minted by [`Anchors::verify`] alone.
#[derive(Debug)]
pub struct VerifiedCertificate {
    certificate: Certificate,
    sha256: [u8; 32],
}

impl VerifiedCertificate {
    /// The parsed certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// SHA-256 of its DER, by which the desk knows a certificate again.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Its notAfter, in Unix seconds.
    pub fn not_after(&self) -> u64 {
        self.certificate
            .tbs_certificate()
            .validity()
            .not_after
            .to_unix_duration()
            .as_secs()
    }
}

/// Why a client certificate is refused, each with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// TLS ran without one.
    #[error("no client certificate was presented: enrol with `--cert client.pem --key client.key`")]
    Absent,
    /// Not a certificate.
    #[error(
        "the client certificate does not parse ({0}): check it with `openssl x509 -in client.pem -noout -text`"
    )]
    Malformed(String),
    /// What `openssl x509 -req` makes by default.
    #[error(
        "the {which} certificate is X.509 version {version}, which has no extensions and so cannot say what it is for: issue it \
         again as version 3, with `openssl x509 -req … -extfile client.ext`, where client.ext holds \
         `basicConstraints=critical,CA:{ca}` and `{usage}`"
    )]
    OldVersion {
        /// "client" or "intermediate".
        which: &'static str,
        /// 1 or 2.
        version: u8,
        /// What its basicConstraints should say.
        ca: &'static str,
        /// What else its extension file should hold.
        usage: &'static str,
    },
    /// Its notBefore is ahead.
    #[error("the {which} is not valid before {from}: wait until then, or correct the clock")]
    NotYetValid {
        /// Which certificate of the chain.
        which: String,
        /// Its notBefore.
        from: String,
    },
    /// Its notAfter is past.
    #[error("the {which} expired on {since}: have your CA renew it, then enrol again")]
    Expired {
        /// Which certificate of the chain.
        which: String,
        /// Its notAfter.
        since: String,
    },
    /// No path to a CA of the desk.
    #[error(
        "the certificate's issuer, `{issuer}`, leads to none of the CAs that this desk accepts ({accepted}): use a certificate of \
         one of these, and if it was issued through an intermediate, put the intermediate after it in the same PEM file"
    )]
    UnknownIssuer {
        /// Issuer name of the last certificate of the chain.
        issuer: String,
        /// Subjects of the desk's CAs.
        accepted: String,
    },
    /// A name matches, the signature does not.
    #[error(
        "a signature in the certificate's chain does not verify under its issuer's key: the CA was probably made anew under the \
         same name; have the certificate issued again by the CA in use"
    )]
    BadSignature,
    /// Extended key usage without clientAuth.
    #[error(
        "the certificate is not for client authentication (its extended key usage lacks clientAuth): issue one with \
         `extendedKeyUsage=clientAuth`"
    )]
    NotForClients,
    /// Key usage without digitalSignature.
    #[error(
        "the certificate's key usage lacks digitalSignature: issue one with `keyUsage=critical,digitalSignature`"
    )]
    NotForSignatures,
    /// A CA certificate.
    #[error(
        "this is a CA's certificate: enrol with the end-entity certificate of a person (`basicConstraints=CA:FALSE`)"
    )]
    Authority,
    /// SHA-1, MD5 and the like.
    #[error(
        "a certificate in the chain is signed with an algorithm that is not accepted: have it issued again with SHA-256 or better"
    )]
    WeakAlgorithm,
    /// More than any real chain has.
    #[error(
        "the chain has {0} certificates: send the certificate and its intermediates only, at most 8"
    )]
    TooLong(usize),
    /// Everything else that path building finds.
    #[error(
        "the certificate's path to the CA is not valid ({0}): check it with `openssl verify -CAfile ca.pem -untrusted chain.pem client.pem`"
    )]
    Path(webpki::Error),
}

/// The organisation's CAs: trust anchors, and their names for messages.
pub struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    names: String,
}

impl Anchors {
    /// Reads the CAs' certificates. A version 1 root is taken, as TLS libraries do.
    pub fn new(certificates: &[CertificateDer<'_>]) -> Result<Self, ChainError> {
        let mut anchors = Vec::new();
        let mut names = Vec::new();
        for der in certificates {
            let anchor = webpki::anchor_from_trusted_cert(der)
                .map_err(|e| ChainError::Malformed(e.to_string()))?;
            anchors.push(anchor.to_owned());
            names.push(format!("`{}`", parse(der)?.tbs_certificate().subject()));
        }
        Ok(Self {
            anchors,
            names: names.join(", "),
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Checks `chain` (leaf first, then intermediates in any order) at `now`, for client authentication.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        now: u64,
    ) -> Result<VerifiedCertificate, ChainError> {
        let (leaf, intermediates) = chain.split_first().ok_or(ChainError::Absent)?;
        if chain.len() > 8 {
            return Err(ChainError::TooLong(chain.len()));
        }
        let certificate = parse(leaf)?;
        check_version(&certificate, "client")?;
        let mut parsed = vec![certificate];
        for der in intermediates {
            parsed.push(parse(der)?);
        }
        let end_entity =
            EndEntityCert::try_from(leaf).map_err(|e| self.explain(e, &parsed, now))?;
        end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &self.anchors,
                intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(now)),
                KeyUsage::required_if_present(ID_KP_CLIENT_AUTH.as_bytes_static()),
                None,
                None,
            )
            .map_err(|e| self.explain(e, &parsed, now))?;
        check_key_usage(&parsed[0])?;
        Ok(VerifiedCertificate {
            certificate: parsed.swap_remove(0),
            sha256: Sha256::digest(leaf.as_ref()).into(),
        })
    }

    /// Names the cause. Path building reports the last thing it met, so dates and versions, which a reader can act on, are
    /// looked at first.
    fn explain(&self, error: webpki::Error, chain: &[Certificate], now: u64) -> ChainError {
        for (position, certificate) in chain.iter().enumerate() {
            let validity = certificate.tbs_certificate().validity();
            let which = if position == 0 {
                "client certificate".to_owned()
            } else {
                format!(
                    "intermediate certificate `{}`",
                    certificate.tbs_certificate().subject()
                )
            };
            let from = validity.not_before.to_unix_duration().as_secs();
            let until = validity.not_after.to_unix_duration().as_secs();
            if now < from {
                return ChainError::NotYetValid {
                    which,
                    from: rfc3339(from),
                };
            }
            if now > until {
                return ChainError::Expired {
                    which,
                    since: rfc3339(until),
                };
            }
            if position > 0
                && let Err(refused) = check_version(certificate, "intermediate")
            {
                return refused;
            }
        }
        use webpki::Error;
        match error {
            Error::UnknownIssuer => ChainError::UnknownIssuer {
                issuer: chain
                    .last()
                    .map(|c| c.tbs_certificate().issuer().to_string())
                    .unwrap_or_default(),
                accepted: self.names.clone(),
            },
            Error::RequiredEkuNotFoundContext(_) => ChainError::NotForClients,
            Error::CaUsedAsEndEntity => ChainError::Authority,
            Error::InvalidSignatureForPublicKey => ChainError::BadSignature,
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                ChainError::WeakAlgorithm
            }
            other => ChainError::Path(other),
        }
    }
}

/// Access to an OID constant's content octets, as webpki's [`KeyUsage`] wants them.
trait StaticOid {
    fn as_bytes_static(&'static self) -> &'static [u8];
}

impl StaticOid for const_oid::ObjectIdentifier {
    fn as_bytes_static(&'static self) -> &'static [u8] {
        self.as_bytes()
    }
}

/// DER to a parsed certificate, without looking at what it says.
pub(crate) fn parse(der: &CertificateDer<'_>) -> Result<Certificate, ChainError> {
    Certificate::from_der(der.as_ref()).map_err(|e| ChainError::Malformed(e.to_string()))
}

/// The SubjectPublicKeyInfo in DER.
pub(crate) fn public_key_info(der: &CertificateDer<'_>) -> Result<Vec<u8>, ChainError> {
    parse(der)?
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .map_err(|e| ChainError::Malformed(e.to_string()))
}

fn check_version(certificate: &Certificate, which: &'static str) -> Result<(), ChainError> {
    let version = match certificate.tbs_certificate().version() {
        Version::V3 => return Ok(()),
        Version::V2 => 2,
        Version::V1 => 1,
    };
    let (ca, usage) = if which == "client" {
        ("FALSE", "extendedKeyUsage=clientAuth")
    } else {
        ("TRUE", "keyUsage=critical,keyCertSign")
    };
    Err(ChainError::OldVersion {
        which,
        version,
        ca,
        usage,
    })
}

fn check_key_usage(certificate: &Certificate) -> Result<(), ChainError> {
    let usage = certificate
        .tbs_certificate()
        .get_extension::<pkix::KeyUsage>()
        .map_err(|e| ChainError::Malformed(e.to_string()))?;
    match usage {
        Some((_, usage)) if !usage.digital_signature() => Err(ChainError::NotForSignatures),
        _ => Ok(()),
    }
}

/// Unix seconds in RFC 3339, UTC; the bare number where a calendar has no such day.
pub(crate) fn rfc3339(seconds: u64) -> String {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .map(|t| t.to_string())
        .unwrap_or_else(|_| seconds.to_string())
}
