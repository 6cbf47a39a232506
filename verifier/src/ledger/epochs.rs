//! What is in force in an epoch, computed from the files logged before it; and validity of `epoch` entries.
use std::collections::BTreeMap;
use std::sync::Arc;

use bauta_statement::epoch::{self, Epoch, MAX_POLICIES, PolicyInForce, RootError, encode_root};
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::{IssuerSet, KeyOperation, Kind};
use bauta_statement::policy::{EpochRoots, Policy, RelationName};
use bauta_statement::relation::Relation;
use bauta_statement::schema::Schema;
use bauta_statement::vector::Format;

use super::error::{EpochUnavailable, Refusal};
use super::revocations::IssuerLists;
use super::state::{CaInForce, EpochInForce, Files, Logged, LoggedParameters, PolicyInEpoch};
use crate::presentation::PolicyContext;

/// A policy that an epoch does not have, though its newest version is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The policy's name.
    pub policy: String,
    /// Why.
    pub reason: String,
}

/// An epoch as it follows from the log.
pub(super) struct Computed {
    pub(super) in_force: EpochInForce,
    pub(super) left_out: Vec<LeftOut>,
}

/// Computes the epoch with this number from everything logged so far.
pub(super) fn compute(
    files: &Files,
    number: u64,
    index: u64,
) -> Result<Computed, EpochUnavailable> {
    let authority = files
        .authority
        .as_ref()
        .ok_or(EpochUnavailable::Authority)?;
    let length = authority.body.epoch_seconds;
    let start = number
        .checked_mul(u64::from(length))
        .ok_or(EpochUnavailable::Clock)?;
    let end = start
        .checked_add(u64::from(length))
        .ok_or(EpochUnavailable::Clock)?;
    if !authority.lasts(end) {
        return Err(EpochUnavailable::Authority);
    }
    let parameters = files
        .parameters
        .as_ref()
        .filter(|parameters| parameters.file.lasts(end))
        .ok_or(EpochUnavailable::Parameters)?;
    let (ca, certificate) = ca_in_force(files, start, end).ok_or(EpochUnavailable::Ca)?;

    let schemas = lasting(&files.schemas, Kind::Schema, files, end);
    let issuer_sets = lasting(&files.issuer_sets, Kind::IssuerSet, files, end);
    let schema_bodies: BTreeMap<String, &Schema> = schemas
        .iter()
        .map(|(name, schema)| ((*name).clone(), schema.body.as_ref()))
        .collect();
    let current = |issuer: &Issuer| {
        files
            .lists
            .get(issuer.name())
            .is_some_and(|lists| lists.expires() >= end)
    };
    let revocation_root = files.revoked.root();
    let mut named = Vec::new();
    let mut policies = BTreeMap::new();
    let mut left_out = Vec::new();
    for (name, logged) in &files.policies {
        let policy = &logged.body;
        let mut leave = |reason: String| {
            left_out.push(LeftOut {
                policy: name.clone(),
                reason,
            });
        };
        if files.retired(Kind::Policy, name) {
            continue;
        }
        if !logged.lasts(end) {
            leave("its newest version expires before the epoch ends".to_owned());
            continue;
        }
        let Some(schema) = schema_bodies.get(&policy.schema) else {
            leave(format!(
                "schema {:?} is missing, retired or expired",
                policy.schema
            ));
            continue;
        };
        let Some(set) = issuer_sets.get(&policy.issuer_set) else {
            leave(format!(
                "issuer set {:?} is missing, retired or expired",
                policy.issuer_set
            ));
            continue;
        };
        if let Err(error) = policy.check_schema(schema) {
            leave(error.to_string());
            continue;
        }
        let other = policy
            .parameters
            .iter()
            .find(|(relation, digest)| parameters.digests.get(*relation) != Some(&digest.0));
        if let Some((relation, _)) = other {
            let RelationName(relation) = relation;
            leave(format!("it names other parameters for {}", relation.name()));
            continue;
        }
        let issuer_root = match epoch::issuer_root(policy, &set.body, &schema_bodies, &current) {
            Ok(root) => root,
            Err(RootError::NoIssuer) => {
                leave(RootError::NoIssuer.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let public = policy.public(&EpochRoots {
            start,
            end,
            issuer_root,
            revocation_root,
        });
        let formats = accepted_formats(policy, &set.body, parameters);
        if formats.is_empty() {
            leave(
                "there are no parameters, or none that it names, for the formats of its issuers"
                    .to_owned(),
            );
            continue;
        }
        let disclosed = policy
            .disclose
            .iter()
            .map(|one| usize::from(one.slot))
            .collect();
        let context = PolicyContext::new(
            Arc::clone(&parameters.keys),
            &formats,
            policy.slot_map(),
            disclosed,
            &public,
            policy.scope.is_some(),
        )
        .map_err(|error| EpochUnavailable::Context {
            name: name.clone(),
            reason: error.to_string(),
        })?;
        named.push(PolicyInForce {
            policy: logged.digest,
            object: logged.object.digest,
            issuer_root: encode_root(&issuer_root),
        });
        policies.insert(
            logged.digest,
            Arc::new(PolicyInEpoch {
                policy: Arc::clone(policy),
                digest: logged.digest,
                context,
            }),
        );
    }
    debug_assert!(
        named.len() <= MAX_POLICIES,
        "bounded when a policy is logged"
    );
    let epoch = Epoch {
        number,
        start,
        length,
        authority: authority.object.digest,
        parameters: parameters.file.object.digest,
        ca_key: ca.key.id(),
        ca_certificate: certificate,
        schemas: schemas.values().map(|one| one.object.digest).collect(),
        issuer_sets: issuer_sets.values().map(|one| one.object.digest).collect(),
        policies: named,
        revocation_lists: files
            .lists
            .values()
            .flat_map(IssuerLists::objects)
            .map(|object| object.digest)
            .collect(),
        revocation_root: encode_root(&revocation_root),
        revocation_count: u32::try_from(files.handles.len()).map_err(|_| RootError::Full)?,
    };
    Ok(Computed {
        in_force: EpochInForce {
            epoch,
            index,
            authority: Arc::clone(&authority.body),
            ca: Arc::new(ca),
            policies,
        },
        left_out,
    })
}

/// The formats of credentials that a policy takes: those of its issuers for which there are parameters, and where the policy names possession
/// relations, those alone. (Under a scope its issuers are all native: `Policy::check_formats`.)
fn accepted_formats(
    policy: &Policy,
    set: &IssuerSet,
    parameters: &LoggedParameters,
) -> Vec<Format> {
    let issued = |format: &Format| {
        let mut issuers = set.issuers.iter();
        issuers.any(|issuer| issuer.format() == format.of_origin())
    };
    let taken =
        |format: &Format| Relation::possession(*format).is_some_and(|one| policy.takes(one));
    let formats = parameters.keys.formats();
    formats
        .filter(|format| issued(format) && taken(format))
        .collect()
}

/// The newest issuing key that has a certificate operation, logged and not retired, whose certificate is good from the epoch's
/// first second to its last; of several such operations, the last one logged. So a new key takes over in the first epoch that
/// its certificate covers, and is in everybody's sight before. That the operation's file has expired since does not matter: its
/// expiry bounds when the certificate may be signed, the certificate's own dates how long it serves.
fn ca_in_force(
    files: &Files,
    start: u64,
    end: u64,
) -> Option<(CaInForce, bauta_statement::note::Digest)> {
    let authority = files.authority.as_ref()?;
    let mut issuing = authority
        .body
        .ca_keys
        .iter()
        .rev()
        .filter(|key| key.purpose.is_issuing());
    issuing.find_map(|key| {
        files
            .operations
            .values()
            .filter(|operation| !files.retired(Kind::KeyOperation, &operation.header.name))
            .filter_map(|operation| match operation.body.as_ref() {
                KeyOperation::SignCaCertificate(sign)
                    if sign.group_key == key.group_key
                        && sign.not_before <= start
                        && sign.not_after >= end =>
                {
                    Some((operation, sign))
                }
                _ => None,
            })
            .max_by_key(|(operation, _)| operation.index)
            .map(|(operation, sign)| {
                (
                    CaInForce {
                        key: key.clone(),
                        certificate: sign.clone(),
                        operation: operation.digest,
                    },
                    operation.object.digest,
                )
            })
    })
}

/// Newest versions by name, those left out that are retired or expire before `end`. An older version never comes back.
fn lasting<'a, T>(
    logged: &'a BTreeMap<String, Logged<T>>,
    kind: Kind,
    files: &Files,
    end: u64,
) -> BTreeMap<&'a String, &'a Logged<T>> {
    logged
        .iter()
        .filter(|(name, one)| one.lasts(end) && !files.retired(kind, name))
        .collect()
}

/// Checks an epoch entry, and keeps it.
pub(super) fn append(
    files: &mut Files,
    entry: &Epoch,
    time: u64,
    index: u64,
) -> Result<(), Refusal> {
    let authority = files.authority.as_ref().ok_or(Refusal::NotPinned)?;
    epoch::check_bounds(
        entry.number,
        entry.start,
        entry.length,
        authority.body.epoch_seconds,
    )?;
    if let Some(last) = files.last_epoch().map(|last| last.epoch.number)
        && entry.number <= last
    {
        return Err(Refusal::EpochNumber {
            number: entry.number,
            last,
        });
    }
    if !timely(files, entry.start, entry.length, time) {
        return Err(Refusal::EpochTime {
            time,
            start: entry.start,
        });
    }
    let computed = compute(files, entry.number, index)?.in_force;
    if let Some(part) = difference(entry, &computed.epoch) {
        return Err(Refusal::EpochContent(part));
    }
    files.epochs.push(Arc::new(computed));
    // The one in force and the next one: what is before those is gone by for good, since time does not go back.
    if files.epochs.len() > 2 {
        files.epochs.remove(0);
    }
    Ok(())
}

/// Whether an epoch may be logged at a time.
pub(super) fn timely(files: &Files, start: u64, length: u32, time: u64) -> bool {
    let length = u64::from(length);
    match files.epoch_at(time) {
        Some(_) => {
            // At least a tenth: ten leads are no less than a length.
            start
                .checked_sub(time)
                .is_some_and(|lead| lead <= length && lead.saturating_mul(10) >= length)
        }
        None => start <= time && time - start < length,
    }
}

/// The first part in which an entry is not what was computed.
fn difference(entry: &Epoch, computed: &Epoch) -> Option<&'static str> {
    // Exhaustive on purpose: a new field is compared here or does not compile.
    let Epoch {
        number,
        start,
        length,
        authority,
        parameters,
        ca_key,
        ca_certificate,
        schemas,
        issuer_sets,
        policies,
        revocation_lists,
        revocation_root,
        revocation_count,
    } = entry;
    [
        (*number == computed.number, "number"),
        (*start == computed.start, "start"),
        (*length == computed.length, "length"),
        (*authority == computed.authority, "authority"),
        (*parameters == computed.parameters, "parameters"),
        (*ca_key == computed.ca_key, "CA key"),
        (*ca_certificate == computed.ca_certificate, "CA certificate"),
        (*schemas == computed.schemas, "list of schemas"),
        (*issuer_sets == computed.issuer_sets, "list of issuer sets"),
        (
            *policies == computed.policies,
            "list of policies and issuer roots",
        ),
        (
            *revocation_lists == computed.revocation_lists,
            "list of revocation lists",
        ),
        (
            *revocation_root == computed.revocation_root,
            "revocation root",
        ),
        (
            *revocation_count == computed.revocation_count,
            "count of revoked handles",
        ),
    ]
    .into_iter()
    .find_map(|(same, part)| (!same).then_some(part))
}
