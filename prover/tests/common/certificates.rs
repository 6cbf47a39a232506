//! The CA of `vectors/x509_rsa`, as every test of certificates knows it: its key, and a schema.

use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::schema::Schema;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

/// A certificate in PEM, in DER.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    Certificate::from_pem(pem).unwrap().to_der().unwrap()
}

/// The CA's key.
pub(crate) fn issuer() -> RsaPublicKey {
    let ca = include_str!("../../../vectors/x509_rsa/ca.pem");
    let ca = Certificate::from_pem(ca).unwrap();
    let key = ca.tbs_certificate().subject_public_key_info();
    RsaPublicKey::from_pkcs1(key.subject_public_key.raw_bytes()).unwrap()
}

/// One with each kind of source.
pub(crate) fn schema() -> Schema {
    let json = r#"{"name": "employee", "subject_key": "email", "attributes": [
        {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}},
        {"slot": 6, "name": "department", "type": "text", "source": {"subject": "2.5.4.11"}},
        {"slot": 7, "name": "level", "type": "integer", "source": {"subject": "1.3.6.1.4.1.32473.9"}},
        {"slot": 8, "name": "email", "type": "text", "source": {"san": "email"}, "required": true},
        {"slot": 12, "name": "clearance", "type": "integer", "source": {"extension": "1.3.6.1.4.1.32473.9"}}
    ]}"#;
    Schema::from_json(json.as_bytes()).unwrap()
}
