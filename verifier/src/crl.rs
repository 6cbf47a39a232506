//! Whose a CRL is: the X.509 CA under whose key its signature verifies, by the same algorithms that TLS libraries use
//! (rustls-webpki on AWS-LC).

use bauta_statement::crl::{Crl, SignatureHash};
use bauta_statement::rsa_key::RsaPublicKey;
use webpki::aws_lc_rs::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};

/// Whether this key signed the CRL (RSASSA-PKCS1-v1_5). Some 20 µs.
pub fn verifies(crl: &Crl, key: &RsaPublicKey) -> bool {
    let algorithm = match crl.hash {
        SignatureHash::Sha256 => RSA_PKCS1_2048_8192_SHA256,
        SignatureHash::Sha384 => RSA_PKCS1_2048_8192_SHA384,
        SignatureHash::Sha512 => RSA_PKCS1_2048_8192_SHA512,
    };
    key.to_pkcs1().is_ok_and(|key| {
        algorithm
            .verify_signature(&key, &crl.signed, &crl.signature)
            .is_ok()
    })
}
