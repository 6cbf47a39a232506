//! The holder's X.509 client certificate and key, in whatever form openssl left them, with what a desk would refuse anyway
//! said here, where the remedy is near.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use der::{Decode, Encode};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use zeroize::Zeroizing;

/// More than any certificate chain or key.
const LIMIT: u64 = 1 << 20;

/// A client certificate with its intermediates, and its key.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    key: Arc<CertifiedKey>,
    subject: String,
}

impl ClientIdentity {
    /// Chain (leaf first) and signing key, for TLS.
    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    /// The certificate's subject, for people.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each is
pub(crate) enum X509Error {
    #[error("{path}: {source}: check the path")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0} is larger than a megabyte: that is no certificate or key")]
    Large(PathBuf),
    #[error(
        "{0} holds a private key and no certificate: give the certificate with --cert, the key with --key"
    )]
    KeyForCertificate(PathBuf),
    #[error("{0} holds a certificate request, not a certificate: have your CA sign it first")]
    Request(PathBuf),
    #[error(
        "{path} holds no certificate in PEM or DER: if it is a PKCS#12 file, unpack it with \
         `openssl pkcs12 -in {path} -nokeys -out client.pem` and `openssl pkcs12 -in {path} -nocerts -nodes -out client.key`"
    )]
    NoCertificate { path: PathBuf },
    #[error(
        "certificate {position} in {path} does not parse ({reason}): look at it with `openssl x509 -in {path} -noout -text`"
    )]
    Malformed {
        path: PathBuf,
        position: usize,
        reason: String,
    },
    #[error(
        "the certificate in {path} is X.509 version {version}, which has no extensions and so cannot say what it is for: have it \
         issued as version 3, with `openssl x509 -req … -extfile client.ext`, where client.ext holds \
         `basicConstraints=critical,CA:FALSE` and `extendedKeyUsage=clientAuth`"
    )]
    OldVersion { path: PathBuf, version: u8 },
    #[error("the certificate in {path} expired on {since}: have your CA renew it")]
    Expired { path: PathBuf, since: String },
    #[error(
        "the certificate in {path} is not valid before {from}: wait until then, or correct this machine's clock"
    )]
    NotYetValid { path: PathBuf, from: String },
    #[error("{0} holds a certificate and no key: give the key that belongs to it with --key")]
    CertificateForKey(PathBuf),
    #[error(
        "the key in {path} is encrypted: decrypt it for this command with `openssl pkey -in {path} -out client.key` (mode 600), and remove that afterwards"
    )]
    Encrypted { path: PathBuf },
    #[error(
        "{path} holds no private key that is understood (PKCS#8, PKCS#1 or SEC1, in PEM or DER): convert it with `openssl pkcs8 -topk8 -nocrypt -in {path} -out client.key`"
    )]
    NoKey { path: PathBuf },
    #[error(
        "the key in {path} is not usable ({reason}): use RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519"
    )]
    UnusableKey { path: PathBuf, reason: String },
    #[error(
        "no certificate in {certificate} belongs to the key in {key}: compare `openssl x509 -in {certificate} -noout -pubkey` with `openssl pkey -in {key} -pubout`"
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

/// Loads a client certificate and its key, and checks that they belong together and are in time.
///
/// The chain may be in any order; the certificate that belongs to the key becomes the first.
pub(crate) fn load(certificate: &Path, key: &Path, now: u64) -> Result<ClientIdentity, X509Error> {
    let mut chain = certificates(certificate)?;
    let signing = signing_key(key)?;
    let spki = signing.public_key().map(|spki| spki.as_ref().to_vec());
    let mut leaf = None;
    for (position, der) in chain.iter().enumerate() {
        let parsed = Certificate::from_der(der).map_err(|e| X509Error::Malformed {
            path: certificate.to_owned(),
            position: position + 1,
            reason: e.to_string(),
        })?;
        let its = parsed
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .ok();
        if its.is_some() && its == spki {
            leaf = Some((position, parsed));
            break;
        }
    }
    let (position, parsed) = leaf.ok_or_else(|| X509Error::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    })?;
    chain[..=position].rotate_right(1);
    check(&parsed, certificate, now)?;
    Ok(ClientIdentity {
        // Not `CertifiedKey::from_der`: what the desk says of a certificate is clearer than what that would.
        key: Arc::new(CertifiedKey::new(chain, signing)),
        subject: parsed.tbs_certificate().subject().to_string(),
    })
}

/// The first certificate of a file, whose key is elsewhere.
pub(super) fn certificate(path: &Path) -> Result<Vec<u8>, X509Error> {
    let missing = || X509Error::NoCertificate {
        path: path.to_owned(),
    };
    let chain = certificates(path)?;
    Ok(chain.first().ok_or_else(missing)?.to_vec())
}

/// Whether a certificate from anywhere is in time; the path is for messages.
pub(super) fn in_time(der: &[u8], path: &Path, now: u64) -> Result<(), X509Error> {
    let parsed = Certificate::from_der(der).map_err(|e| X509Error::Malformed {
        path: path.to_owned(),
        position: 1,
        reason: e.to_string(),
    })?;
    check(&parsed, path, now)
}

fn check(certificate: &Certificate, path: &Path, now: u64) -> Result<(), X509Error> {
    let path = || path.to_owned();
    let tbs = certificate.tbs_certificate();
    match tbs.version() {
        Version::V3 => {}
        Version::V2 => {
            return Err(X509Error::OldVersion {
                path: path(),
                version: 2,
            });
        }
        Version::V1 => {
            return Err(X509Error::OldVersion {
                path: path(),
                version: 1,
            });
        }
    }
    let (from, until) = (tbs.validity().not_before, tbs.validity().not_after);
    if now < from.to_unix_duration().as_secs() {
        return Err(X509Error::NotYetValid {
            path: path(),
            from: from.to_date_time().to_string(),
        });
    }
    if now > until.to_unix_duration().as_secs() {
        return Err(X509Error::Expired {
            path: path(),
            since: until.to_date_time().to_string(),
        });
    }
    Ok(())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, X509Error> {
    let failed = |source| X509Error::File {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > LIMIT {
        return Err(X509Error::Large(path.to_owned()));
    }
    Ok(Zeroizing::new(std::fs::read(path).map_err(failed)?))
}

/// The labels of all PEM sections: what is in a file that does not hold what was expected.
fn labels(bytes: &[u8]) -> Vec<&str> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter_map(|line| {
            line.trim_end()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .collect()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, X509Error> {
    let bytes = read(path)?;
    let labels = labels(&bytes);
    if labels.is_empty() {
        // One certificate in DER.
        if Certificate::from_der(&bytes).is_ok() {
            return Ok(vec![CertificateDer::from(bytes.to_vec())]);
        }
        return Err(X509Error::NoCertificate {
            path: path.to_owned(),
        });
    }
    let chain = CertificateDer::pem_slice_iter(&bytes)
        .enumerate()
        .map(|(position, der)| {
            der.map_err(|e: pem::Error| X509Error::Malformed {
                path: path.to_owned(),
                position: position + 1,
                reason: format!("{e:?}"),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err(
            if labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
                X509Error::KeyForCertificate(path.to_owned())
            } else if labels
                .iter()
                .any(|label| label.ends_with("CERTIFICATE REQUEST"))
            {
                X509Error::Request(path.to_owned())
            } else {
                X509Error::NoCertificate {
                    path: path.to_owned(),
                }
            },
        );
    }
    Ok(chain)
}

fn signing_key(path: &Path) -> Result<Arc<dyn SigningKey>, X509Error> {
    let bytes = read(path)?;
    let labels = labels(&bytes);
    let encrypted = || X509Error::Encrypted {
        path: path.to_owned(),
    };
    let missing = || X509Error::NoKey {
        path: path.to_owned(),
    };
    let key = if labels.is_empty() {
        PrivateKeyDer::try_from(bytes.as_slice())
            .map_err(|_| missing())?
            .clone_key()
    } else {
        let traditional = bytes
            .windows(22)
            .any(|line| line == b"Proc-Type: 4,ENCRYPTED");
        if traditional || labels.contains(&"ENCRYPTED PRIVATE KEY") {
            return Err(encrypted());
        }
        match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) if labels.contains(&"CERTIFICATE") => {
                return Err(X509Error::CertificateForKey(path.to_owned()));
            }
            Err(_) => return Err(missing()),
        }
    };
    rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).map_err(|e| X509Error::UnusableKey {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn vector(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../vectors/x509")
            .join(name)
    }

    fn error(certificate: &str, key: &str) -> String {
        load(&vector(certificate), &vector(key), NOW)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_form_loads() {
        for (certificate, key) in [
            ("p256.pem", "p256.key"),
            ("p256.der", "p256.pkcs8.der"),
            ("p256.pem", "p256.sec1.pem"),
            ("p256.der", "p256.sec1.der"),
            ("p256.pem", "p256.ecparam.pem"),
            ("p384.pem", "p384.key"),
            ("ed25519.pem", "ed25519.key"),
            ("rsa2048.pem", "rsa2048.key"),
            ("rsa2048.pem", "rsa2048.pkcs1.pem"),
            ("rsa2048.pem", "rsa2048.pkcs1.der"),
            ("rsa4096.pem", "rsa4096.key"),
        ] {
            let identity = load(&vector(certificate), &vector(key), NOW)
                .unwrap_or_else(|e| panic!("{certificate} {key}: {e}"));
            assert!(identity.subject().contains("Ada"), "{}", identity.subject());
        }
    }

    #[test]
    fn a_chain_comes_leaf_first_whatever_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name| std::fs::read_to_string(vector(name)).unwrap();
        let reversed = folder.path().join("chain.pem");
        std::fs::write(&reversed, read("intermediate.pem") + &read("leaf.pem")).unwrap();
        let chain = |path: &Path| {
            load(path, &vector("p256.key"), NOW)
                .unwrap()
                .certified_key()
                .cert
                .clone()
        };
        assert_eq!(chain(&vector("chain.pem")), chain(&reversed));
        assert_eq!(chain(&reversed).len(), 2);
        // Key and certificate in one file, as some tools write.
        let both = folder.path().join("both.pem");
        std::fs::write(&both, read("p256.key") + &read("p256.pem")).unwrap();
        assert!(load(&both, &both, NOW).is_ok());
    }

    #[test]
    fn errors_name_the_remedy() {
        for (certificate, key, remedy) in [
            ("bad_version1.pem", "p256.key", "-extfile client.ext"),
            (
                "bad_expired.pem",
                "p256.key",
                "expired on 2020-01-02T00:00:00Z",
            ),
            (
                "bad_not_yet_valid.pem",
                "p256.key",
                "not valid before 2099-01-01T00:00:00Z",
            ),
            ("bad_rsa1024.pem", "rsa1024.key", "RSA of 2048"),
            ("p256.key", "p256.key", "give the certificate with --cert"),
            ("p256.pem", "p256.pem", "with --key"),
            ("p256.pem", "p256.encrypted.pem", "openssl pkey"),
            ("p256.pem", "p384.key", "-pubkey"),
            ("p256.pem", "make.sh", "openssl pkcs8"),
            ("make.sh", "p256.key", "openssl pkcs12"),
            ("none.pem", "p256.key", "check the path"),
        ] {
            let error = error(certificate, key);
            assert!(error.contains(remedy), "{certificate} {key}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let cut = folder.path().join("cut.pem");
        std::fs::write(
            &cut,
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let error = load(&cut, &vector("p256.key"), NOW)
            .unwrap_err()
            .to_string();
        assert!(error.contains("openssl x509"), "{error}");
    }
}
