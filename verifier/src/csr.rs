//! Proof that whoever asks for a certificate holds the key: the self-signature of a PKCS#10 request, verified by the same
//! algorithms that TLS libraries use (rustls-webpki on AWS-LC).

use bauta_statement::csr::{PublicKey, Request, RequestError};
use thiserror::Error;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum CsrError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(
        "the request is signed with an algorithm that is not accepted for its key: use SHA-256, SHA-384 or SHA-512 (Ed25519 as it is)"
    )]
    Algorithm,
    #[error(
        "the request's signature does not verify under its key: sign it with the private key of the key that it names"
    )]
    Signature,
    #[error(
        "the request is for another key than the entry: send the request that the presentation was made for"
    )]
    OtherKey,
}

/// Reads a request in DER and verifies its signature under its own key. What else it asks for is ignored.
///
/// # Errors
/// [`CsrError`], by culprit.
pub fn verify(request: &[u8]) -> Result<PublicKey, CsrError> {
    let request = Request::from_der(request)?;
    let key = &request.key;
    let fitting: Vec<_> = webpki::ALL_VERIFICATION_ALGS
        .iter()
        .filter(|a| {
            a.public_key_alg_id().as_ref() == key.algorithm()
                && a.signature_alg_id().as_ref() == request.signature_algorithm
        })
        .collect();
    if fitting.is_empty() {
        return Err(CsrError::Algorithm);
    }
    let verifies = fitting.iter().any(|a| {
        a.verify_signature(key.bits(), &request.signed, &request.signature)
            .is_ok()
    });
    if verifies {
        Ok(request.key)
    } else {
        Err(CsrError::Signature)
    }
}

/// As [`verify`], and the request must be for this key (SubjectPublicKeyInfo, DER): the entry's.
///
/// # Errors
/// [`CsrError`], by culprit.
pub fn verify_for(request: &[u8], spki: &[u8]) -> Result<PublicKey, CsrError> {
    let key = verify(request)?;
    if key.spki() == spki {
        Ok(key)
    } else {
        Err(CsrError::OtherKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_statement::csr::KeyType;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType};

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/../vectors/csr/{name}.der", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    #[test]
    fn requests_of_openssl_verify() {
        for name in [
            "p256",
            "p256_sha512",
            "p384",
            "ed25519",
            "rsa2048",
            "rsa2048_pss",
            "rsa4096",
            "asks_for_everything",
        ] {
            let key = verify(&fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(verify_for(&fixture(name), key.spki()), Ok(key));
        }
        assert_eq!(verify(&fixture("bad_rsa_sha1")), Err(CsrError::Algorithm));
        assert_eq!(
            verify_for(
                &fixture("p256"),
                PublicKey::from_spki(verify(&fixture("p384")).unwrap().spki())
                    .unwrap()
                    .spki()
            ),
            Err(CsrError::OtherKey)
        );
    }

    #[test]
    fn requests_of_rcgen_verify_whatever_they_ask_for() {
        for (algorithm, kind) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, KeyType::P256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, KeyType::P384),
            (&rcgen::PKCS_ED25519, KeyType::Ed25519),
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let mut asked = CertificateParams::new(vec!["example.org".into()]).unwrap();
            asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            asked
                .distinguished_name
                .push(DnType::CommonName, "evil\0admin");
            asked.subject_alt_names.push(SanType::URI(
                "spiffe://example.org/admin".try_into().unwrap(),
            ));
            let request = asked.serialize_request(&key).unwrap();
            assert_eq!(verify(request.der()).unwrap().kind(), kind);
        }
    }

    /// BUGS 19.
    #[test]
    fn another_keys_signature_is_refused() {
        let (mine, other) = (fixture("ed25519"), {
            let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
            let params = CertificateParams::new(vec![]).unwrap();
            params.serialize_request(&key).unwrap().der().to_vec()
        });
        let mut spliced = mine.clone();
        let at = mine.len() - 64;
        spliced[at..].copy_from_slice(&other[other.len() - 64..]);
        assert_eq!(verify(&spliced), Err(CsrError::Signature));
        spliced[at..].fill(0);
        assert_eq!(verify(&spliced), Err(CsrError::Signature));
    }

    #[test]
    fn each_changed_byte_is_refused() {
        for name in ["p256", "ed25519", "rsa2048"] {
            let bytes = fixture(name);
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(verify(&bad).is_err(), "{name} {at}");
            }
        }
    }
}
