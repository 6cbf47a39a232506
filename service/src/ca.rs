//! The CA's own certificates: made once per key by a logged key operation, kept in the store, read by everybody.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use bauta_statement::certificate;

use crate::store::{Store, StoreError};

/// All CA certificates, by group key. Clones share them.
#[derive(Clone)]
pub struct CaCertificates {
    store: Store,
    known: Arc<RwLock<BTreeMap<[u8; 32], Vec<u8>>>>,
}

impl CaCertificates {
    /// Reads them from the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(store: Store) -> Result<Self, StoreError> {
        let known = store.ca_certificates().await?.into_iter().collect();
        Ok(Self {
            store,
            known: Arc::new(RwLock::new(known)),
        })
    }

    /// Keeps the certificate of a key; the first one stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, group_key: [u8; 32], der: Vec<u8>) -> Result<(), StoreError> {
        self.store.put_ca_certificate(&group_key, &der).await?;
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(group_key)
            .or_insert(der);
        Ok(())
    }

    /// The certificate of a key, DER.
    pub fn get(&self, group_key: &[u8; 32]) -> Option<Vec<u8>> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(group_key)
            .cloned()
    }

    /// All of them: group key and DER.
    pub fn all(&self) -> Vec<([u8; 32], Vec<u8>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(key, der)| (*key, der.clone())).collect()
    }

    /// The certificate whose key signed a leaf.
    pub fn issuer_of(&self, leaf: &[u8]) -> Option<Vec<u8>> {
        let (tbs, signature) = certificate::disassemble(leaf).ok()?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let issuer = known.iter().find(|(key, _)| {
            ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| {
                key.verify_strict(&tbs, &ed25519_dalek::Signature::from_bytes(&signature))
                    .is_ok()
            })
        });
        issuer.map(|(_, der)| der.clone())
    }
}
