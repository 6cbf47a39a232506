//! What the revocation lists that an epoch names say: signed notes of native issuers, CRLs of X.509 CAs.

use std::collections::{BTreeMap, BTreeSet};

use bauta_statement::crl::Crl;
use bauta_statement::epoch::Epoch;
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::{self, Authority, IssuerSet};
use bauta_statement::note::Digest;
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_verifier::crl;

use super::{Guard, GuardError, Read, Stop};
use crate::hex;

/// What follows from all lists of an epoch.
#[derive(Default)]
pub(super) struct Lists {
    /// Every handle that they revoke.
    pub(super) handles: Vec<u64>,
    /// Names of the issuers whose newest list is unexpired at the epoch's end.
    pub(super) current: BTreeSet<String>,
}

/// cRLNumber and nextUpdate of each CA's newest CRL. An epoch may name earlier ones too, for what they revoked.
type Newest = BTreeMap<String, (u64, u64)>;

impl Guard<'_> {
    pub(super) fn lists(
        &self,
        epoch: &Epoch,
        authority: &Authority,
        sets: &[Read<IssuerSet>],
        ca_keys: &[RsaPublicKey],
    ) -> Result<Lists, Stop> {
        let issuers: Vec<&Issuer> = sets.iter().flat_map(|set| &set.body.issuers).collect();
        let mut lists = Lists::default();
        let mut newest = Newest::new();
        for digest in &epoch.revocation_lists {
            if Crl::is_one(self.object("revocation list", digest)?) {
                self.crl(digest, &issuers, ca_keys, &mut lists, &mut newest)?;
            } else {
                self.note(digest, epoch, authority, &issuers, &mut lists)?;
            }
        }
        let fresh = newest
            .into_iter()
            .filter(|(_, (_, next_update))| *next_update >= epoch.end());
        lists.current.extend(fresh.map(|(name, _)| name));
        Ok(lists)
    }

    fn note(
        &self,
        digest: &Digest,
        epoch: &Epoch,
        authority: &Authority,
        issuers: &[&Issuer],
        lists: &mut Lists,
    ) -> Result<(), Stop> {
        let read = self.file(
            "revocation list",
            digest,
            &authority.trust_domain,
            |body| match body {
                file::Body::RevocationList(list) => Some((**list).clone()),
                _ => None,
            },
        )?;
        // A list of an issuer that no set in force names: no accepted credential is its, and its handles count all the same.
        for issuer in issuers.iter().filter(|issuer| issuer.name() == read.name) {
            let unsigned = |reason: String| GuardError::ListUnsigned {
                name: read.name.clone(),
                reason,
            };
            let Issuer::Native(issuer) = issuer else {
                return Err(unsigned("it is an X.509 CA, which signs a CRL".to_owned()).into());
            };
            read.file
                .note
                .require(std::slice::from_ref(&issuer.note_key), 1)
                .map_err(|e| unsigned(e.to_string()))?;
            if issuer.public_key != read.body.issuer_key {
                return Err(unsigned("it is for another issuer's key".to_owned()).into());
            }
        }
        if read.file.header.expires >= epoch.end() {
            lists.current.insert(read.name);
        }
        let handles = read.body.handles().map_err(|e| GuardError::Malformed {
            what: "revocation list",
            reason: e.to_string(),
        })?;
        lists.handles.extend(handles);
        Ok(())
    }

    fn crl(
        &self,
        digest: &Digest,
        issuers: &[&Issuer],
        ca_keys: &[RsaPublicKey],
        lists: &mut Lists,
        newest: &mut Newest,
    ) -> Result<(), Stop> {
        let bytes = self.object("revocation list", digest)?;
        let crl = Crl::from_der(bytes).map_err(|e| GuardError::Malformed {
            what: "revocation list",
            reason: e.to_string(),
        })?;
        let cas = issuers.iter().filter_map(|issuer| match issuer {
            Issuer::X509Rsa(ca) => Some(ca),
            Issuer::Native(_) => None,
        });
        let signer = cas
            .clone()
            .map(|ca| &ca.public_key)
            .chain(ca_keys)
            .find(|key| crl::verifies(&crl, key))
            .ok_or_else(|| GuardError::CrlUnsigned {
                digest: hex(digest),
            })?;
        lists.handles.extend(crl.handles(signer.digest()));
        // One CA may be in several sets. One that is in none in force has no accepted credential.
        for ca in cas.filter(|ca| ca.public_key == *signer) {
            let last = newest.entry(ca.name.clone()).or_default();
            *last = (*last).max((crl.number, crl.next_update));
        }
        Ok(())
    }
}
