//! Revocation lists: a native issuer's signed note, and the CRL of an X.509 CA.
//!
//! A note only grows. A CRL drops certificates that have expired, in any order, while the log's tree of handles only grows: what
//! is new in a CRL is appended, in its order, and what a later one drops stays revoked for the rest of the log. So that a wallet
//! can recompute the tree from the files that an epoch names, an epoch names besides a CA's newest CRL the earlier ones that have
//! what no later named one has.
use std::collections::BTreeSet;
use std::sync::Arc;

use bauta_statement::crl::Crl;
use bauta_statement::entry::ObjectRef;
use bauta_statement::epoch::{MAX_EARLIER_CRLS, MAX_EARLIER_CRLS_OF_ONE};
use bauta_statement::file::issuer_set::{Issuer, X509RsaIssuer};
use bauta_statement::file::{RevocationList, SignedFile};

use super::error::{CrlRefusal, Refusal};
use super::files::{Place, same_domain, signed, upward};
use super::state::{Files, Logged};
use crate::crl;

/// Seconds by which a CRL's thisUpdate may be after its entry's time: as far as clocks may differ elsewhere.
const AHEAD: u64 = 120;

/// The revocation lists of one issuer that count.
#[derive(Debug, Clone)]
pub enum IssuerLists {
    /// The newest list of a native issuer.
    Native(Logged<RevocationList>),
    /// The CRLs of an X.509 CA.
    X509(CrlHistory),
}

/// The newest CRL of a CA, and what earlier ones revoked.
#[derive(Debug, Clone)]
pub struct CrlHistory {
    /// cRLNumber of the newest.
    pub number: u64,
    /// nextUpdate of the newest, Unix seconds.
    pub next_update: u64,
    newest: ObjectRef,
    newest_handles: Arc<BTreeSet<u64>>,
    /// Earlier CRLs, each kept when the next one dropped what none of those kept before had. With the newest they have every
    /// handle that the CA ever revoked in this log.
    earlier: Vec<ObjectRef>,
    earlier_handles: Arc<BTreeSet<u64>>,
}

impl IssuerLists {
    /// Unix seconds from which on the issuer is out until it logs a newer list.
    pub fn expires(&self) -> u64 {
        match self {
            Self::Native(list) => list.header.expires,
            Self::X509(history) => history.next_update,
        }
    }

    /// How many serials the issuer revoked in this log.
    pub fn revoked(&self) -> usize {
        match self {
            Self::Native(list) => list.body.serials.len(),
            Self::X509(history) => history.revoked(),
        }
    }

    /// The lists from which every handle of this issuer follows; the newest is the last.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        let (earlier, newest) = match self {
            Self::Native(list) => (&[][..], &list.object),
            Self::X509(history) => (history.earlier.as_slice(), &history.newest),
        };
        earlier.iter().chain([newest])
    }
}

impl CrlHistory {
    fn first(crl: &Crl, object: ObjectRef, handles: BTreeSet<u64>) -> Self {
        Self {
            number: crl.number,
            next_update: crl.next_update,
            newest: object,
            newest_handles: Arc::new(handles),
            earlier: Vec::new(),
            earlier_handles: Arc::default(),
        }
    }

    /// The history with a newer CRL. The one before it is kept if it alone has what the newer one drops: so each of the earlier
    /// has something of its own, and they are as few as can be (points that stab intervals).
    fn then(&self, crl: &Crl, object: ObjectRef, handles: BTreeSet<u64>) -> Self {
        let mut history = Self {
            earlier: self.earlier.clone(),
            earlier_handles: Arc::clone(&self.earlier_handles),
            ..Self::first(crl, object, handles)
        };
        let dropped = self.newest_handles.difference(&history.newest_handles);
        if !dropped
            .copied()
            .all(|one| self.earlier_handles.contains(&one))
        {
            history.earlier.push(self.newest);
            Arc::make_mut(&mut history.earlier_handles).extend(self.newest_handles.iter());
        }
        history
    }

    fn revoked(&self) -> usize {
        let again = self.newest_handles.intersection(&self.earlier_handles);
        self.newest_handles.len() + self.earlier_handles.len() - again.count()
    }
}

/// A signed note of a native issuer.
pub(super) fn note(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    list: &RevocationList,
) -> Result<(), Refusal> {
    let name = &file.header.name;
    let authority = files.authority.as_ref().ok_or(Refusal::NotPinned)?;
    same_domain(&authority.body, &file.header)?;
    let known = files
        .issuers
        .get(name)
        .cloned()
        .ok_or_else(|| Refusal::UnknownIssuer(name.clone()))?;
    let Issuer::Native(issuer) = known.as_ref() else {
        return Err(Refusal::NoCrl(name.clone()));
    };
    signed(
        file,
        std::slice::from_ref(&issuer.note_key),
        1,
        "the issuer's note key",
    )?;
    if list.issuer_key != issuer.public_key {
        return Err(Refusal::ForeignKey(name.clone()));
    }
    let former = match files.lists.get(name) {
        Some(IssuerLists::Native(former)) => Some(former),
        // A name means one key, so one format, throughout a log.
        _ => None,
    };
    upward(&file.header, former.map(|former| former.header.version))?;
    if former.is_some_and(|former| !list.extends(&former.body)) {
        return Err(Refusal::NotAppended(name.clone()));
    }
    if list.serials.len() > issuer.revocation_quota as usize {
        return Err(Refusal::Quota {
            name: name.clone(),
            found: list.serials.len(),
            quota: issuer.revocation_quota,
        });
    }
    let known = former.map_or(0, |former| former.body.serials.len());
    let handles = list.handles()?;
    revoke(files, handles.into_iter().skip(known))?;
    let logged = IssuerLists::Native(place.logged(file, list));
    files.lists.insert(name.clone(), logged);
    Ok(())
}

/// A CRL, in DER.
pub(super) fn crl(files: &mut Files, place: &Place<'_>, bytes: &[u8]) -> Result<(), Refusal> {
    let crl = Crl::from_der(bytes)?;
    let issuer = signer(files, &crl).ok_or(Refusal::UnknownCa)?;
    let refused = |reason: CrlRefusal| Refusal::CrlOf {
        name: issuer.name.clone(),
        reason,
    };
    let time = place.time;
    if crl.this_update > time.saturating_add(AHEAD) {
        return Err(refused(CrlRefusal::Early {
            this_update: crl.this_update,
            time,
        }));
    }
    if crl.next_update <= time {
        return Err(refused(CrlRefusal::Expired {
            next_update: crl.next_update,
            time,
        }));
    }
    let former = match files.lists.get(&issuer.name) {
        Some(IssuerLists::X509(former)) => Some(former),
        _ => None,
    };
    if let Some(former) = former
        && crl.number <= former.number
    {
        return Err(refused(CrlRefusal::Number {
            found: crl.number,
            last: former.number,
        }));
    }
    let in_order = crl.handles(issuer.public_key.digest());
    let handles: BTreeSet<u64> = in_order.iter().copied().collect();
    let history = match former {
        Some(former) => former.then(&crl, place.object, handles),
        None => CrlHistory::first(&crl, place.object, handles),
    };
    let found = history.revoked();
    if found > issuer.revocation_quota as usize {
        return Err(refused(CrlRefusal::Quota {
            found,
            quota: issuer.revocation_quota,
        }));
    }
    let more = history.earlier.len() - former.map_or(0, |former| former.earlier.len());
    let of_all = more + files.lists.values().map(earlier).sum::<usize>();
    if history.earlier.len() > MAX_EARLIER_CRLS_OF_ONE || of_all > MAX_EARLIER_CRLS {
        return Err(refused(CrlRefusal::Drops));
    }
    // What the CA revoked before is in the tree already, and is not put there again.
    revoke(files, in_order.into_iter())?;
    files
        .lists
        .insert(issuer.name.clone(), IssuerLists::X509(history));
    Ok(())
}

/// The X.509 issuer whose key signed a CRL. Each of the log's is tried, at most 1,024 of some 20 µs: the CA's name in a CRL is
/// not bound to a key by anything that the administrators signed.
fn signer(files: &Files, signed: &Crl) -> Option<X509RsaIssuer> {
    files.issuers.values().find_map(|issuer| match &**issuer {
        Issuer::X509Rsa(ca) if crl::verifies(signed, &ca.public_key) => Some(ca.clone()),
        Issuer::X509Rsa(_) | Issuer::Native(_) => None,
    })
}

fn earlier(lists: &IssuerLists) -> usize {
    match lists {
        IssuerLists::Native(_) => 0,
        IssuerLists::X509(history) => history.earlier.len(),
    }
}

/// Appends the handles that are not revoked yet.
fn revoke(files: &mut Files, handles: impl Iterator<Item = u64>) -> Result<(), Refusal> {
    // Two serials of one handle (64 bits) are one leaf.
    let mut seen = BTreeSet::new();
    let new: Vec<u64> = handles
        .filter(|handle| !files.revoked.contains(*handle) && seen.insert(*handle))
        .collect();
    if !new.is_empty() {
        Arc::make_mut(&mut files.revoked)
            .extend(&new)
            .map_err(|error| Refusal::IssuerSet(error.to_string()))?;
        Arc::make_mut(&mut files.handles).extend_from_slice(&new);
    }
    Ok(())
}
