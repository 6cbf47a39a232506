//! Whose a CRL is: the X.509 CA under whose key its signature verifies, by the same algorithms that TLS libraries use
//! (rustls-webpki on AWS-LC).

use bauta_statement::crl::{Crl, SignatureHash};
use bauta_statement::rsa_key::RsaPublicKey;
use der::asn1::UintRef;
use der::{Encode, Sequence};
use webpki::aws_lc_rs::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};

/// The public exponent of every CA: [`RsaPublicKey`] has no other.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// RFC 8017, A.1.1.
#[derive(Sequence)]
struct RsaPublicKeyDer<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Whether this key signed the CRL (RSASSA-PKCS1-v1_5).
pub fn verifies(crl: &Crl, key: &RsaPublicKey) -> bool {
    let algorithm = match crl.hash {
        SignatureHash::Sha256 => RSA_PKCS1_2048_8192_SHA256,
        SignatureHash::Sha384 => RSA_PKCS1_2048_8192_SHA384,
        SignatureHash::Sha512 => RSA_PKCS1_2048_8192_SHA512,
    };
    encoded(key).is_ok_and(|key| {
        algorithm
            .verify_signature(&key, &crl.signed, &crl.signature)
            .is_ok()
    })
}

fn encoded(key: &RsaPublicKey) -> der::Result<Vec<u8>> {
    RsaPublicKeyDer {
        modulus: UintRef::new(key.modulus())?,
        public_exponent: UintRef::new(&EXPONENT)?,
    }
    .to_der()
}
