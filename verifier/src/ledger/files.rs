//! Validity of `parameters` and `file` entries; what all entries of files have in common.
use std::collections::BTreeMap;
use std::sync::Arc;

use bauta_statement::approval::ApprovalKey;
use bauta_statement::crl::Crl;
use bauta_statement::entry::ObjectRef;
use bauta_statement::epoch::{
    MAX_ISSUER_SETS, MAX_ISSUERS, MAX_POLICIES, MAX_REVOKED, MAX_SCHEMAS,
};
use bauta_statement::file::authority::{Authority, Mode};
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::key_operation::Participant;
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{
    Body, Header, IssuerSet, KeyOperation, Kind, Parameters, SignedFile, Tombstone,
};
use bauta_statement::note::SigningParty;
use bauta_statement::policy::{Policy, RelationName};
use bauta_statement::relation::{DEVELOPMENT_VERIFYING_KEYS, Relation};
use bauta_statement::schema::Schema;
use bauta_statement::vector::Format;
use bauta_statement::verifying_key::VerifyingKey;

use super::Objects;
use super::authority::{check_generation, check_repair, check_resharing};
use super::error::Refusal;
use super::hierarchy;
use super::revocations::{self, IssuerLists};
use super::state::{Files, Logged, LoggedParameters};
use crate::keys::Keys;

/// An entry of a file, with where it stands.
pub(super) struct Place<'a> {
    pub(super) object: ObjectRef,
    pub(super) time: u64,
    pub(super) index: u64,
    pub(super) objects: &'a dyn Objects,
}

impl Place<'_> {
    fn bytes(&self, object: &ObjectRef) -> Result<Vec<u8>, Refusal> {
        let bytes = self
            .objects
            .get(&object.digest)
            .ok_or(Refusal::MissingObject(object.digest))?;
        if !object.fits(&bytes) {
            return Err(Refusal::WrongObject(object.digest));
        }
        Ok(bytes)
    }

    /// The file, if it has not expired.
    pub(super) fn file(&self) -> Result<SignedFile, Refusal> {
        self.read(&self.bytes(&self.object)?)
    }

    fn read(&self, bytes: &[u8]) -> Result<SignedFile, Refusal> {
        let file = SignedFile::parse(bytes)?;
        if file.header.expires <= self.time {
            return Err(Refusal::Expired {
                name: file.header.name,
                expires: file.header.expires,
            });
        }
        Ok(file)
    }

    pub(super) fn logged<T>(&self, file: &SignedFile, body: &T) -> Logged<T>
    where
        T: Clone,
    {
        Logged {
            header: file.header.clone(),
            body: Arc::new(body.clone()),
            digest: file.digest(),
            object: self.object,
            index: self.index,
        }
    }
}

/// Parameters: signed by k of m administrators, with all keys at hand, sound, and none that production refuses.
pub(super) fn parameters(files: &mut Files, place: &Place<'_>) -> Result<(), Refusal> {
    let file = place.file()?;
    let Body::Parameters(parameters) = &file.body else {
        return Err(Refusal::WrongKind(file.header.kind));
    };
    let authority = administrators_signed(files, &file)?;
    let last = files
        .parameters
        .as_ref()
        .map(|last| last.file.header.version);
    upward(&file.header, last)?;
    let production = authority.mode == Mode::Production;
    let mut keys = BTreeMap::new();
    for one in &parameters.relations {
        let object = ObjectRef {
            digest: one.verifying_key,
            length: one.length,
        };
        let wrong = |reason: String| Refusal::Parameters(format!("{}: {reason}", one.relation));
        let key = VerifyingKey::decode(&place.bytes(&object)?)
            .map_err(|error| wrong(error.to_string()))?;
        let known_waste = DEVELOPMENT_VERIFYING_KEYS
            .iter()
            .any(|(_, digest)| *digest == key.digest() || *digest == one.verifying_key);
        if production && (known_waste || one.provenance != Provenance::Ceremony) {
            return Err(wrong(
                "development parameters, under which anyone can forge, are refused in production"
                    .to_owned(),
            ));
        }
        keys.insert(one.relation, key);
    }
    let digests = keys
        .iter()
        .map(|(name, key)| (*name, key.digest()))
        .collect();
    let decoded = decoded_keys(&keys)?;
    let file = place.logged(&file, parameters.as_ref() as &Parameters);
    files.parameters = Some(LoggedParameters {
        file,
        keys: decoded,
        digests,
    });
    Ok(())
}

/// The basic relations must be there; of the possession relations of X.509 each may.
fn decoded_keys(keys: &BTreeMap<RelationName, VerifyingKey>) -> Result<Arc<Keys>, Refusal> {
    let get = |relation: Relation| {
        keys.get(&RelationName(relation)).cloned().ok_or_else(|| {
            Refusal::Parameters(format!("the relation {} is missing", relation.name()))
        })
    };
    for relation in Relation::BASIC {
        get(relation)?;
    }
    let possession = keys.iter().filter_map(|(RelationName(relation), key)| {
        let format = relation.format()?;
        Some((format, key.clone()))
    });
    Keys::new(
        possession.collect(),
        get(Relation::Policy)?,
        get(Relation::Nullifier)?,
    )
    .map_err(|error| Refusal::Parameters(error.to_string()))
}

/// Every other signed file, and CRLs.
pub(super) fn file(files: &mut Files, place: &Place<'_>) -> Result<(), Refusal> {
    let bytes = place.bytes(&place.object)?;
    if Crl::is_one(&bytes) {
        return revocations::crl(files, place, &bytes);
    }
    let file = place.read(&bytes)?;
    let name = file.header.name.clone();
    if files.retired(file.header.kind, &name) {
        return Err(Refusal::Retired { name });
    }
    match &file.body {
        Body::Policy(body) => policy(files, place, &file, body),
        Body::Schema(body) => schema(files, place, &file, body),
        Body::IssuerSet(body) => issuer_set(files, place, &file, body),
        Body::RevocationList(body) => revocations::note(files, place, &file, body),
        Body::KeyOperation(body) => key_operation(files, place, &file, body),
        Body::Tombstone(body) => tombstone(files, &file, body),
        _ => Err(Refusal::WrongKind(file.header.kind)),
    }
}

fn policy(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    policy: &Policy,
) -> Result<(), Refusal> {
    let authority = administrators_signed(files, file)?;
    let last = files.policies.get(&file.header.name);
    upward(&file.header, last.map(|last| last.header.version))?;
    if authority.mode == Mode::Production {
        policy
            .check_production()
            .map_err(|error| Refusal::Policy(error.to_string()))?;
    }
    if let Some(set) = files.issuer_sets.get(&policy.issuer_set) {
        policy
            .check_formats(formats(&set.body))
            .map_err(|error| Refusal::Policy(error.to_string()))?;
    }
    // Periods of different lengths can have one start, and so one scope: a nullifier could be spent again, on another key,
    // after the shorter one.
    if let Some(scope) = &policy.scope
        && let Some(period) = files.periods.get(&scope.name)
        && *period != scope.period_seconds
    {
        return Err(Refusal::Policy(format!(
            "scope {:?} has a period of {period} seconds throughout this log; give a scope with another period another name",
            scope.name
        )));
    }
    if last.is_none() && live(&files.policies, Kind::Policy, files) >= MAX_POLICIES {
        return Err(Refusal::TooMany("policies", MAX_POLICIES));
    }
    let logged = place.logged(file, policy);
    if let Some(scope) = &policy.scope {
        files
            .periods
            .insert(scope.name.clone(), scope.period_seconds);
    }
    files.policies.insert(file.header.name.clone(), logged);
    Ok(())
}

fn schema(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    schema: &Schema,
) -> Result<(), Refusal> {
    administrators_signed(files, file)?;
    let last = files.schemas.get(&file.header.name);
    upward(&file.header, last.map(|last| last.header.version))?;
    if last.is_none() && live(&files.schemas, Kind::Schema, files) >= MAX_SCHEMAS {
        return Err(Refusal::TooMany("schemas", MAX_SCHEMAS));
    }
    let logged = place.logged(file, schema);
    files.schemas.insert(file.header.name.clone(), logged);
    Ok(())
}

fn issuer_set(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    set: &IssuerSet,
) -> Result<(), Refusal> {
    administrators_signed(files, file)?;
    let last = files.issuer_sets.get(&file.header.name);
    upward(&file.header, last.map(|last| last.header.version))?;
    if last.is_none() && live(&files.issuer_sets, Kind::IssuerSet, files) >= MAX_ISSUER_SETS {
        return Err(Refusal::TooMany("issuer sets", MAX_ISSUER_SETS));
    }
    let users = files.policies.values().filter(|policy| {
        policy.body.issuer_set == file.header.name
            && !files.retired(Kind::Policy, &policy.header.name)
    });
    for policy in users {
        policy
            .body
            .check_formats(formats(set))
            .map_err(|error| Refusal::IssuerSet(error.to_string()))?;
    }
    // A name means one key and a key has one name, throughout the log: lists are looked up by name, handles by key.
    let mut issuers = files.issuers.clone();
    for issuer in &set.issuers {
        let clash = issuers.values().any(|known| {
            (known.name() == issuer.name()) != (known.public_key() == issuer.public_key())
        });
        if clash {
            return Err(Refusal::IssuerSet(format!(
                "issuer {:?} had another key or format, or its key another name; a new key takes a new name",
                issuer.name()
            )));
        }
        // Or the quotas would no longer bound the tree.
        let revoked = files
            .lists
            .get(issuer.name())
            .map_or(0, IssuerLists::revoked);
        if revoked > issuer.revocation_quota() as usize {
            return Err(Refusal::IssuerSet(format!(
                "the quota of {:?}, {}, is below the {revoked} serials that it revoked in this log already; leave it at that or more",
                issuer.name(),
                issuer.revocation_quota()
            )));
        }
        issuers.insert(issuer.name().to_owned(), Arc::new(issuer.clone()));
    }
    if issuers.len() > MAX_ISSUERS {
        return Err(Refusal::TooMany("issuers", MAX_ISSUERS));
    }
    let quotas: u64 = issuers
        .values()
        .map(|issuer| u64::from(issuer.revocation_quota()))
        .sum();
    if quotas > u64::from(MAX_REVOKED) {
        return Err(Refusal::IssuerSet(format!(
            "the quotas of all issuers add up to {quotas}, above the tree's {MAX_REVOKED}; lower some"
        )));
    }
    let logged = place.logged(file, set);
    files.issuers = issuers;
    files.issuer_sets.insert(file.header.name.clone(), logged);
    Ok(())
}

fn formats(set: &IssuerSet) -> Vec<Format> {
    set.issuers.iter().map(Issuer::format).collect()
}

fn key_operation(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    operation: &KeyOperation,
) -> Result<(), Refusal> {
    let authority = administrators_signed(files, file)?;
    let last = files.operations.get(&file.header.name);
    upward(&file.header, last.map(|last| last.header.version))?;
    match operation {
        KeyOperation::GenerateKey(generate) => {
            check_generation(&authority, generate).map_err(Refusal::KeyOperation)?;
            if files.used_key_names.contains(&generate.key) {
                return Err(Refusal::KeyOperation("a key of this name was made before"));
            }
        }
        KeyOperation::SignCaCertificate(sign) => {
            hierarchy::check_self_signed(&authority, sign, place.time)
                .map_err(Refusal::KeyOperation)?;
        }
        KeyOperation::RequestCaCertificate(request) => {
            hierarchy::check_request(files, &authority, request).map_err(Refusal::KeyOperation)?;
        }
        KeyOperation::SignSubordinateCa(sign) => {
            hierarchy::check_subordinate(files, &authority, sign, place.time)
                .map_err(Refusal::KeyOperation)?;
        }
        KeyOperation::InstallCaCertificate(install) => {
            hierarchy::check_install(files, &authority, install, place.time)
                .map_err(Refusal::KeyOperation)?;
        }
        KeyOperation::ReshareKey(reshare) => {
            check_resharing(&authority, reshare).map_err(Refusal::KeyOperation)?;
        }
        KeyOperation::RepairShare(repair) => {
            check_repair(&authority, repair).map_err(Refusal::KeyOperation)?;
        }
    }
    let logged = place.logged(file, operation);
    files.operations.insert(file.header.name.clone(), logged);
    Ok(())
}

fn tombstone(files: &mut Files, file: &SignedFile, stone: &Tombstone) -> Result<(), Refusal> {
    administrators_signed(files, file)?;
    let retired = (stone.retires, file.header.name.clone());
    if !files.tombstones.insert(retired) {
        return Err(Refusal::Retired {
            name: file.header.name.clone(),
        });
    }
    Ok(())
}

fn live<T>(logged: &BTreeMap<String, Logged<T>>, kind: Kind, files: &Files) -> usize {
    logged
        .keys()
        .filter(|name| !files.retired(kind, name))
        .count()
}

/// Checks trust domain and the signatures of k of m administrators.
fn administrators_signed(files: &Files, file: &SignedFile) -> Result<Arc<Authority>, Refusal> {
    let authority = files.authority.as_ref().ok_or(Refusal::NotPinned)?;
    same_domain(&authority.body, &file.header)?;
    let administrators = &authority.body.administrators;
    signed(
        file,
        &administrators.keys,
        administrators.k,
        "k of the administrators",
    )?;
    Ok(Arc::clone(&authority.body))
}

pub(super) fn all_signed(
    file: &SignedFile,
    participants: &[Participant],
    who: &'static str,
) -> Result<(), Refusal> {
    let keys: Vec<ApprovalKey> = participants
        .iter()
        .map(|participant| participant.approval.clone())
        .collect();
    signed(file, &keys, keys.len(), who)
}

pub(super) fn signed<K: SigningParty>(
    file: &SignedFile,
    keys: &[K],
    needed: usize,
    who: &'static str,
) -> Result<(), Refusal> {
    file.note
        .require(keys, needed)
        .map_err(|source| Refusal::Unsigned { who, source })
}

pub(super) fn same_domain(authority: &Authority, header: &Header) -> Result<(), Refusal> {
    if authority.trust_domain != header.trust_domain {
        return Err(Refusal::TrustDomain(header.trust_domain.clone()));
    }
    Ok(())
}

pub(super) fn upward(header: &Header, last: Option<u64>) -> Result<(), Refusal> {
    match last {
        Some(last) if header.version <= last => Err(Refusal::Version {
            name: header.name.clone(),
            found: header.version,
            last,
        }),
        _ => Ok(()),
    }
}
