//! Validity of `authority`, `parameters` and `file` entries.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bauta_statement::entry::ObjectRef;
use bauta_statement::epoch::{
    MAX_ISSUER_SETS, MAX_ISSUERS, MAX_POLICIES, MAX_REVOKED, MAX_SCHEMAS,
};
use bauta_statement::file::authority::{Authority, CaKey, Mode};
use bauta_statement::file::key_operation::{GenerateKey, Participant, RepairShare, ReshareKey};
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{
    Body, Header, IssuerSet, KeyOperation, Kind, Parameters, RevocationList, SignedFile, Tombstone,
};
use bauta_statement::note::{Digest, NoteKey};
use bauta_statement::policy::{Policy, RelationName};
use bauta_statement::relation::{DEVELOPMENT_VERIFYING_KEYS, Relation};
use bauta_statement::schema::Schema;
use bauta_statement::vector::Format;
use bauta_statement::verifying_key::VerifyingKey;

use super::Objects;
use super::error::Refusal;
use super::hierarchy;
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
    fn file(&self) -> Result<SignedFile, Refusal> {
        let file = SignedFile::parse(&self.bytes(&self.object)?)?;
        if file.header.expires <= self.time {
            return Err(Refusal::Expired {
                name: file.header.name,
                expires: file.header.expires,
            });
        }
        Ok(file)
    }

    fn logged<T>(&self, file: &SignedFile, body: &T) -> Logged<T>
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

/// The first entry: the pinned authority, version 1, signed by all administrators.
pub(super) fn first_authority(
    files: &mut Files,
    pinned: &bauta_statement::note::Digest,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    let file = place.file()?;
    let Body::Authority(authority) = &file.body else {
        return Err(Refusal::NotPinned);
    };
    if file.digest() != *pinned {
        return Err(Refusal::NotPinned);
    }
    if file.header.version != 1 || !authority.ca_keys.is_empty() {
        return Err(Refusal::FirstAuthority);
    }
    let keys = &authority.administrators.keys;
    signed(&file, keys, keys.len(), "all administrators")?;
    let logged = place.logged(&file, authority.as_ref());
    files.quorums = vec![Arc::clone(&logged.body)];
    files.first_authority = Some(logged.clone());
    files.authority = Some(logged);
    Ok(())
}

/// A later authority: signed by k of the old and k of the new administrators, or, if it only records the result of a key
/// generation or resharing, by all its participants; after a resharing also by the key itself.
pub(super) fn authority(files: &mut Files, place: &Place<'_>) -> Result<(), Refusal> {
    let file = place.file()?;
    let Body::Authority(new) = &file.body else {
        return Err(Refusal::WrongKind(file.header.kind));
    };
    let old = files.authority.as_ref().ok_or(Refusal::NotPinned)?;
    same_domain(&old.body, &file.header)?;
    upward(&file.header, Some(old.header.version))?;
    if old.body.ca_name != new.ca_name {
        return Err(Refusal::AuthorityChange("ca_name is for the life of a log"));
    }
    if old.body.mode != new.mode {
        return Err(Refusal::AuthorityChange("mode is for the life of a log"));
    }
    if old.body.log != new.log {
        return Err(Refusal::AuthorityChange(
            "origin and log key are for the life of a log",
        ));
    }
    if old.body.epoch_seconds != new.epoch_seconds {
        return Err(Refusal::AuthorityChange(
            "epoch_seconds is for the life of a log",
        ));
    }
    let made = match new.ca_keys.split_last() {
        Some((key, before)) if before == old.body.ca_keys.as_slice() => {
            records_key(files, &old.body, &file, key, place.time)?;
            Some(key)
        }
        _ => match shared_anew(&old.body, new) {
            Some(key) => {
                records_sharing(files, &old.body, &file, key, place.time)?;
                Some(key)
            }
            None => {
                changed(&old.body, new, &file)?;
                None
            }
        },
    };
    let made = made.map(|key| (key.operation, key.name.clone()));
    let logged = place.logged(&file, new.as_ref());
    for key in &old.body.ca_keys {
        if new
            .ca_keys
            .iter()
            .all(|kept| kept.group_key != key.group_key)
        {
            files.retired_keys.insert(key.group_key, place.index);
        }
    }
    if let Some((operation, name)) = made {
        files.used_operations.insert(operation);
        files.used_key_names.insert(name);
    }
    // The same signers in the same numbers are the same quorum.
    if files
        .quorums
        .last()
        .is_some_and(|last| last.signers == new.signers && last.quorum == new.quorum)
    {
        files.quorums.pop();
    }
    files.quorums.push(Arc::clone(&logged.body));
    files.authority = Some(logged);
    Ok(())
}

/// The version that records a key generation: a function of the version before and the key, signed by all participants.
fn records_key(
    files: &Files,
    old: &Authority,
    file: &SignedFile,
    key: &CaKey,
    time: u64,
) -> Result<(), Refusal> {
    let generate = generation(files, old, key, time)?;
    if file.note.text() != old.with_ca_key(key.clone())? {
        return Err(Refusal::CaKey(
            "the file differs from the version before in more than the key",
        ));
    }
    all_signed(
        file,
        &generate.participants,
        "all participants of the key generation",
    )
}

/// The version that records a resharing: a function of the version before and the new shares, signed by all who got one, and
/// by the key itself. Shares that cannot sign are never in force: the key would be lost with the old ones.
fn records_sharing(
    files: &Files,
    old: &Authority,
    file: &SignedFile,
    key: &CaKey,
    time: u64,
) -> Result<(), Refusal> {
    let reshare = resharing(files, old, key, time)?;
    if file.note.text() != old.with_sharing(key.clone())? {
        return Err(Refusal::CaKey(
            "the file differs from the version before in more than the key's shares",
        ));
    }
    all_signed(
        file,
        &reshare.participants,
        "all participants of the resharing",
    )?;
    let own = key.note_key()?;
    signed(
        file,
        std::slice::from_ref(&own),
        1,
        "the CA key itself, by its new shares",
    )
}

/// A version that administrators made. They may take a key away; only a key generation adds one, only a resharing alters one.
fn changed(old: &Authority, new: &Authority, file: &SignedFile) -> Result<(), Refusal> {
    let mut rest = old.ca_keys.iter();
    if !new.ca_keys.iter().all(|key| rest.any(|old| old == key)) {
        return Err(Refusal::AuthorityChange(
            "CA keys are added by key generation alone, and altered by resharing alone",
        ));
    }
    let administrators = &old.administrators;
    signed(
        file,
        &administrators.keys,
        administrators.k,
        "k of the administrators before",
    )?;
    signed(
        file,
        &new.administrators.keys,
        new.administrators.k,
        "k of the new administrators",
    )
}

/// The one key that is the same and has other shares, if no other key differs.
fn shared_anew<'a>(old: &Authority, new: &'a Authority) -> Option<&'a CaKey> {
    if old.ca_keys.len() != new.ca_keys.len() {
        return None;
    }
    let mut differing = old
        .ca_keys
        .iter()
        .zip(&new.ca_keys)
        .filter(|(old, new)| old != new);
    match (differing.next(), differing.next()) {
        (Some((old, new)), None)
            if (&old.name, old.purpose, old.group_key)
                == (&new.name, new.purpose, new.group_key) =>
        {
            Some(new)
        }
        _ => None,
    }
}

/// The logged, unexpired and unused key operation that asked for this key, or for its shares.
fn asked_for<'a>(files: &'a Files, key: &CaKey, time: u64) -> Result<&'a KeyOperation, Refusal> {
    let logged = files
        .operations
        .values()
        .find(|operation| operation.digest == key.operation)
        .ok_or(Refusal::CaKey(
            "no such key operation is logged, or it was superseded",
        ))?;
    if logged.header.expires <= time {
        return Err(Refusal::CaKey("the key operation has expired"));
    }
    if files.retired(Kind::KeyOperation, &logged.header.name) {
        return Err(Refusal::CaKey("the key operation was retired"));
    }
    if files.used_operations.contains(&key.operation) {
        return Err(Refusal::CaKey("the key operation was used before"));
    }
    Ok(&logged.body)
}

/// The key generation that made this key, if the key is as it asked.
fn generation<'a>(
    files: &'a Files,
    authority: &Authority,
    key: &CaKey,
    time: u64,
) -> Result<&'a GenerateKey, Refusal> {
    let KeyOperation::GenerateKey(generate) = asked_for(files, key, time)? else {
        return Err(Refusal::CaKey("the key operation generates no key"));
    };
    if files.used_key_names.contains(&key.name) {
        return Err(Refusal::CaKey("the key's name was used before"));
    }
    check_generation(authority, generate).map_err(Refusal::CaKey)?;
    if key.name != generate.key
        || key.purpose != generate.purpose
        || key.t != generate.t
        || !holders_fit(key, &generate.participants)
    {
        return Err(Refusal::CaKey(
            "name, purpose, threshold or holders are not the operation's",
        ));
    }
    Ok(generate)
}

/// The resharing that made these shares, if they are as it asked.
fn resharing<'a>(
    files: &'a Files,
    authority: &Authority,
    key: &CaKey,
    time: u64,
) -> Result<&'a ReshareKey, Refusal> {
    let KeyOperation::ReshareKey(reshare) = asked_for(files, key, time)? else {
        return Err(Refusal::CaKey("the key operation shares no key anew"));
    };
    check_resharing(authority, reshare).map_err(Refusal::CaKey)?;
    if key.name != reshare.key
        || key.group_key != reshare.group_key
        || key.t != reshare.t
        || !holders_fit(key, &reshare.participants)
    {
        return Err(Refusal::CaKey(
            "key, threshold or holders are not the operation's",
        ));
    }
    Ok(reshare)
}

fn holders_fit(key: &CaKey, participants: &[Participant]) -> bool {
    key.verifying_shares.len() == participants.len()
        && key
            .verifying_shares
            .iter()
            .zip(participants)
            .all(|(share, participant)| {
                share.identifier == participant.identifier && share.signer == participant.signer
            })
}

fn all_signers(authority: &Authority, participants: &[Participant]) -> bool {
    participants.iter().all(|participant| {
        authority.signers.iter().any(|signer| {
            signer.name == participant.signer && signer.approval == participant.approval
        })
    })
}

/// The CA key that a resharing or repair names, in the sharing in force.
fn key_in_force<'a>(
    authority: &'a Authority,
    name: &str,
    group_key: &[u8; 32],
    sharing: &Digest,
) -> Result<&'a CaKey, &'static str> {
    let key = authority
        .ca_keys
        .iter()
        .find(|key| key.name == name)
        .ok_or("no CA key of this name is in the authority file")?;
    if key.group_key != *group_key {
        return Err("the CA key of this name is another one");
    }
    if key.sharing() != *sharing {
        return Err("the sharing that it names is not the one in force");
    }
    Ok(key)
}

/// Exactly t signers that hold a share.
fn are_t_holders(authority: &Authority, key: &CaKey, names: &[String]) -> bool {
    names.len() == key.t
        && names.iter().all(|name| {
            authority.signers.iter().any(|signer| signer.name == *name)
                && key
                    .verifying_shares
                    .iter()
                    .any(|share| share.signer == *name)
        })
}

/// A resharing fits an authority if it is of a key's sharing in force, t holders deal, the participants are signers, and its
/// numbers keep the authority's inequalities.
pub(super) fn check_resharing(
    authority: &Authority,
    reshare: &ReshareKey,
) -> Result<(), &'static str> {
    let key = key_in_force(authority, &reshare.key, &reshare.group_key, &reshare.from)?;
    let quorum = &authority.quorum;
    if reshare.q != quorum.q {
        return Err("q is not the authority's");
    }
    if !are_t_holders(authority, key, &reshare.dealers) {
        return Err("the dealers are not t signers that hold a share");
    }
    if !all_signers(authority, &reshare.participants) {
        return Err("a participant is no signer, or has another approval key");
    }
    if reshare.t < quorum.f.saturating_add(1) {
        return Err("t ≥ f+1 does not hold");
    }
    if reshare.t.saturating_add(quorum.c) > reshare.n {
        return Err("t ≤ n−c does not hold");
    }
    Ok(())
}

/// A repair fits an authority if it is of a key's sharing in force, its signer holds a share of it by the file, and t others
/// help.
pub(super) fn check_repair(
    authority: &Authority,
    repair: &RepairShare,
) -> Result<(), &'static str> {
    let key = key_in_force(authority, &repair.key, &repair.group_key, &repair.sharing)?;
    let is_holder = key
        .verifying_shares
        .iter()
        .any(|share| share.signer == repair.signer);
    if !is_holder
        || !authority
            .signers
            .iter()
            .any(|one| one.name == repair.signer)
    {
        return Err("the signer is none that holds a share");
    }
    if !are_t_holders(authority, key, &repair.helpers) {
        return Err("the helpers are not t signers that hold a share");
    }
    Ok(())
}

/// A key generation fits an authority if its participants are all signers, and n, t, q the quorum's.
fn check_generation(authority: &Authority, generate: &GenerateKey) -> Result<(), &'static str> {
    let quorum = &authority.quorum;
    if (generate.n, generate.t, generate.q) != (quorum.n, quorum.t, quorum.q) {
        return Err("n, t and q are not the authority's");
    }
    // Names and keys are distinct on both sides and n is the same: all participants are then all signers.
    if !all_signers(authority, &generate.participants) {
        return Err("a participant is no signer, or has another approval key");
    }
    Ok(())
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

fn decoded_keys(keys: &BTreeMap<RelationName, VerifyingKey>) -> Result<Arc<Keys>, Refusal> {
    let get = |relation: Relation| {
        keys.get(&RelationName(relation)).cloned().ok_or_else(|| {
            Refusal::Parameters(format!("the relation {} is missing", relation.name()))
        })
    };
    Keys::new(
        vec![(Format::Native, get(Relation::PossessionNative)?)],
        get(Relation::Policy)?,
        get(Relation::Nullifier)?,
    )
    .map_err(|error| Refusal::Parameters(error.to_string()))
}

/// Every other signed file.
pub(super) fn file(files: &mut Files, place: &Place<'_>) -> Result<(), Refusal> {
    let file = place.file()?;
    let name = file.header.name.clone();
    if files.retired(file.header.kind, &name) {
        return Err(Refusal::Retired { name });
    }
    match &file.body {
        Body::Policy(body) => policy(files, place, &file, body),
        Body::Schema(body) => schema(files, place, &file, body),
        Body::IssuerSet(body) => issuer_set(files, place, &file, body),
        Body::RevocationList(body) => revocation_list(files, place, &file, body),
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
            (known.name == issuer.name) != (known.public_key == issuer.public_key)
                || (known.name == issuer.name && known.format != issuer.format)
        });
        if clash {
            return Err(Refusal::IssuerSet(format!(
                "issuer {:?} had another key or format, or its key another name; a new key takes a new name",
                issuer.name
            )));
        }
        issuers.insert(issuer.name.clone(), Arc::new(issuer.clone()));
    }
    if issuers.len() > MAX_ISSUERS {
        return Err(Refusal::TooMany("issuers", MAX_ISSUERS));
    }
    let quotas: u64 = issuers
        .values()
        .map(|issuer| u64::from(issuer.revocation_quota))
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
    set.issuers
        .iter()
        .map(|issuer| issuer.format.format())
        .collect()
}

fn revocation_list(
    files: &mut Files,
    place: &Place<'_>,
    file: &SignedFile,
    list: &RevocationList,
) -> Result<(), Refusal> {
    let name = &file.header.name;
    let authority = files.authority.as_ref().ok_or(Refusal::NotPinned)?;
    same_domain(&authority.body, &file.header)?;
    let issuer = files
        .issuers
        .get(name)
        .cloned()
        .ok_or_else(|| Refusal::UnknownIssuer(name.clone()))?;
    signed(
        file,
        std::slice::from_ref(&issuer.note_key),
        1,
        "the issuer's note key",
    )?;
    if list.issuer_key != issuer.public_key {
        return Err(Refusal::ForeignKey(name.clone()));
    }
    let former = files.lists.get(name);
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
    // Two serials of one handle (64 bits) are one leaf.
    let mut seen = BTreeSet::new();
    let new: Vec<u64> = handles
        .into_iter()
        .skip(known)
        .filter(|handle| !files.revoked.contains(*handle) && seen.insert(*handle))
        .collect();
    if !new.is_empty() {
        Arc::make_mut(&mut files.revoked)
            .extend(&new)
            .map_err(|error| Refusal::IssuerSet(error.to_string()))?;
        Arc::make_mut(&mut files.handles).extend_from_slice(&new);
    }
    let logged = place.logged(file, list);
    files.lists.insert(name.clone(), logged);
    Ok(())
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

fn all_signed(
    file: &SignedFile,
    participants: &[Participant],
    who: &'static str,
) -> Result<(), Refusal> {
    let keys: Vec<NoteKey> = participants
        .iter()
        .map(|participant| participant.approval.clone())
        .collect();
    signed(file, &keys, keys.len(), who)
}

fn signed(
    file: &SignedFile,
    keys: &[NoteKey],
    needed: usize,
    who: &'static str,
) -> Result<(), Refusal> {
    file.note
        .require(keys, needed)
        .map_err(|source| Refusal::Unsigned { who, source })
}

fn same_domain(authority: &Authority, header: &Header) -> Result<(), Refusal> {
    if authority.trust_domain != header.trust_domain {
        return Err(Refusal::TrustDomain(header.trust_domain.clone()));
    }
    Ok(())
}

fn upward(header: &Header, last: Option<u64>) -> Result<(), Refusal> {
    match last {
        Some(last) if header.version <= last => Err(Refusal::Version {
            name: header.name.clone(),
            found: header.version,
            last,
        }),
        _ => Ok(()),
    }
}
