//! What the CA's keys signed by logged key operations: their own certificates, other CAs' certificates, requests. Each is made
//! once, kept in the store, and found by what was signed, which anyone computes from the operation.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use bauta_statement::{
    certificate::{self, Document, OutsideCertificate, ProfileError, Shape},
    file::{KeyOperation, hierarchy::InstallCaCertificate},
    note::{Digest, sha256},
};
use bauta_verifier::ledger::{Ledger, Logged};
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

/// Which CA certificates follow a leaf in an issued chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServedChain {
    /// The newest installed one that is good from now to the leaf's end, with its chain but without a root; where there is none,
    /// the CA's own. For relying parties that trust an organisation's root or a Bauta root.
    #[default]
    Installed,
    /// The CA's own, always. For relying parties that trust it alone.
    SelfSigned,
}

/// All documents, by the SHA-256 of what was signed. Clones share them.
#[derive(Clone)]
pub struct CaDocuments {
    store: Store,
    known: Arc<RwLock<BTreeMap<Digest, Vec<u8>>>>,
}

/// What a key operation orders, and the document if it is made.
pub(crate) type Ordered = (Document, Option<Vec<u8>>);

impl CaDocuments {
    /// Reads them from the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(store: Store) -> Result<Self, StoreError> {
        let known = store
            .ca_documents()
            .await?
            .into_iter()
            .map(|document| match certificate::disassemble(&document) {
                Ok((signed, _)) => Ok((sha256(&signed), document)),
                Err(_) => Err(StoreError::Damaged("a CA certificate that does not decode")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            store,
            known: Arc::new(RwLock::new(known)),
        })
    }

    /// Keeps a document; the first signature under the same bytes stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, ordered: &Document, der: Vec<u8>) -> Result<(), StoreError> {
        let signed = ordered.digest();
        self.store.put_ca_document(&signed, &der).await?;
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(signed)
            .or_insert(der);
        Ok(())
    }

    /// What a logged operation orders, if it orders a signature, and the document if it is made.
    ///
    /// # Errors
    /// [`ProfileError`], which a logged file never gives.
    pub(crate) fn ordered(
        &self,
        operation: &Logged<KeyOperation>,
    ) -> Result<Option<Ordered>, ProfileError> {
        let document = Document::ordered(
            &operation.body,
            &operation.digest,
            &operation.header.trust_domain,
        )?;
        Ok(document.map(|document| {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let made = known.get(&document.digest()).cloned();
            (document, made)
        }))
    }

    /// The CA key's own certificate as it was ordered last, if it is made: DER.
    pub fn own(&self, ledger: &Ledger, group_key: &[u8; 32]) -> Option<Vec<u8>> {
        let (operation, _) = ledger.own_certificate(group_key)?;
        self.ordered(operation).ok()??.1
    }

    /// How many there are; it only goes up.
    pub(crate) fn len(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.len()
    }

    /// What follows a leaf in its chain: DER, the leaf's issuer first.
    pub(crate) fn above(
        &self,
        ledger: &Ledger,
        leaf: &[u8],
        served: ServedChain,
        now: u64,
    ) -> Option<Vec<Vec<u8>>> {
        let read = OutsideCertificate::from_der(leaf).ok()?;
        let (key, own) = self.issuer_of(leaf, &read)?;
        let installed = ledger.installed_certificates(&key);
        let installed = installed.into_iter().map(|(_, install)| install);
        Some(chain(own, installed, &read, served, now))
    }

    /// The key that signed a leaf, and of that key's own certificates (it has several when it was renewed) the one that ends
    /// last. It is looked for among documents, not in the authority, so that a leaf of a retired key is still served.
    fn issuer_of(&self, leaf: &[u8], read: &OutsideCertificate) -> Option<([u8; 32], Vec<u8>)> {
        let (tbs, signature) = certificate::disassemble(leaf).ok()?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let issuers = known.values().filter_map(|der| {
            let (signed, _) = certificate::disassemble(der).ok()?;
            if Shape::of(&signed) != Some(Shape::Certificate) {
                return None;
            }
            let ca = OutsideCertificate::from_der(der).ok()?;
            if ca.subject != read.issuer || ca.issuer != ca.subject {
                return None;
            }
            let key: [u8; 32] = ca.public_key().ok()?.bits().try_into().ok()?;
            ed25519_dalek::VerifyingKey::from_bytes(&key)
                .is_ok_and(|key| key.verify_strict(&tbs, &signature).is_ok())
                .then_some((ca.not_after, key, der))
        });
        issuers
            .max_by_key(|(not_after, _, _)| *not_after)
            .map(|(_, key, der)| (key, der.clone()))
    }
}

/// What follows a leaf: an installed certificate, the last one logged first, that is under the leaf's issuer's name and good from
/// now to the leaf's end; else the CA's own.
fn chain<'a>(
    own: Vec<u8>,
    mut installed: impl Iterator<Item = &'a InstallCaCertificate>,
    leaf: &OutsideCertificate,
    served: ServedChain,
    now: u64,
) -> Vec<Vec<u8>> {
    let found = installed.find(|install| {
        served == ServedChain::Installed
            && install.read().is_ok_and(|one| {
                one.subject == leaf.issuer
                    && one.not_before <= now
                    && one.not_after >= leaf.not_after
            })
    });
    let Some(install) = found else {
        return vec![own];
    };
    let mut above = vec![install.certificate.0.clone()];
    // Whoever trusts a root has it; a chain that brings it along proves nothing by it.
    above.extend(install.chain.iter().map(|one| one.0.clone()).filter(|one| {
        OutsideCertificate::from_der(one).is_ok_and(|one| one.subject != one.issuer)
    }));
    above
}

#[cfg(test)]
mod tests {
    use bauta_statement::file::{hierarchy::Der, key_operation::CaSubject};

    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let path = format!(
            "{}/../vectors/certificate/{name}.hex",
            env!("CARGO_MANIFEST_DIR")
        );
        let hex = std::fs::read_to_string(path).unwrap();
        data_encoding::HEXLOWER
            .decode(hex.trim().as_bytes())
            .unwrap()
    }

    #[test]
    fn an_installed_certificate_is_served_while_it_carries_the_leaf() {
        let [leaf, own, subordinate, root] = ["leaf", "ca", "subordinate", "root"].map(vector);
        let leaf = OutsideCertificate::from_der(&leaf).unwrap();
        let one = OutsideCertificate::from_der(&subordinate).unwrap();
        let install = InstallCaCertificate {
            key: "2026".to_owned(),
            group_key: [0; 32],
            subject: CaSubject {
                country: Some("IT".to_owned()),
                organization: Some("Example Organisation".to_owned()),
                common_name: "Bauta example CA".to_owned(),
            },
            certificate: Der(subordinate.clone()),
            chain: vec![Der(root)],
        };
        let install = InstallCaCertificate {
            group_key: one.public_key().unwrap().bits().try_into().unwrap(),
            ..install
        };
        let above = |leaf: &OutsideCertificate, served, now| {
            chain(own.clone(), [&install].into_iter(), leaf, served, now)
        };
        let now = leaf.not_before + 60;
        // The root itself is left out.
        assert_eq!(
            above(&leaf, ServedChain::Installed, now),
            std::slice::from_ref(&subordinate)
        );
        assert_eq!(
            above(&leaf, ServedChain::SelfSigned, now),
            std::slice::from_ref(&own)
        );
        let none = chain(
            own.clone(),
            std::iter::empty(),
            &leaf,
            ServedChain::Installed,
            now,
        );
        assert_eq!(none, std::slice::from_ref(&own));
        // Not valid yet; ends before the leaf; under another name.
        let early = above(&leaf, ServedChain::Installed, one.not_before - 1);
        assert_eq!(early, std::slice::from_ref(&own));
        let mut longer = leaf.clone();
        longer.not_after = one.not_after + 1;
        assert_eq!(
            above(&longer, ServedChain::Installed, now),
            std::slice::from_ref(&own)
        );
        let mut other = leaf;
        other.issuer = other.subject.clone();
        assert_eq!(
            above(&other, ServedChain::Installed, now),
            std::slice::from_ref(&own)
        );
    }
}
