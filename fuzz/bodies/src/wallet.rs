//! Targets of the wallet's bytes.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use bauta_prover::credential::X509RsaCredential;
use bauta_prover::prove::RelationProof;
use bauta_prover::wallet::Stored;
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::schema::Schema;

use crate::certificates;
use crate::edit;
use crate::seeds;

/// The input after its first byte, or a good object with the edits that it names.
fn edited(data: &[u8], good: &LazyLock<Vec<u8>>) -> Vec<u8> {
    match data.split_first() {
        Some((how, rest)) if how & 1 == 1 => {
            let mut object = LazyLock::force(good).clone();
            edit::bytes(&mut object, &mut Unstructured::new(rest));
            object
        }
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    }
}

pub(crate) fn wallet(data: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(seeds::wallet);
    let bytes = edited(data, &GOOD);
    if let Ok(stored) = Stored::decode(&bytes) {
        assert_eq!(stored.encode().as_slice(), bytes);
        assert!(!format!("{stored:?}").contains("secret:"));
    }
}

/// A certificate, or one that its CA signed with edits: it is read natively as the relation reads it, before its signature is looked at.
pub(crate) fn x509_credential(data: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(seeds::client_certificate);
    static CA: LazyLock<RsaPublicKey> = LazyLock::new(certificates::issuer);
    static SCHEMA: LazyLock<Schema> = LazyLock::new(certificates::schema);
    let bytes = edited(data, &GOOD);
    let is_good = bytes == *GOOD;
    let read = X509RsaCredential::read(bytes, CA.clone(), SCHEMA.clone());
    // Nobody else has the CA's key.
    assert_eq!(read.is_ok(), is_good);
}

pub(crate) fn relation_proof(data: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(seeds::relation_proof);
    let bytes = edited(data, &GOOD);
    if let Ok(proof) = RelationProof::decode(&bytes) {
        assert_eq!(proof.encode(), bytes);
        assert_eq!(proof.public.len(), proof.relation.public_inputs());
    }
}
