//! Validity of `authority` entries: who may change what in the file, and that a key or its shares are what a logged operation
//! asked for.
use std::sync::Arc;

use bauta_statement::file::authority::{Authority, CaKey};
use bauta_statement::file::key_operation::{GenerateKey, Participant, RepairShare, ReshareKey};
use bauta_statement::file::{Body, KeyOperation, Kind, SignedFile};
use bauta_statement::note::Digest;

use super::error::Refusal;
use super::files::{Place, all_signed, same_domain, signed, upward};
use super::state::{Files, Logged};
use super::transcript;

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
            records_key(files, &old.body, &file, key, place)?;
            Some(key)
        }
        _ => match shared_anew(&old.body, new) {
            Some(key) => {
                records_sharing(files, &old.body, &file, key, place)?;
                Some(key)
            }
            None => {
                changed(&old.body, new, &file)?;
                None
            }
        },
    };
    let made = made.map(|key| (key.operation, key.name.clone()));
    files.custody.take_in(new)?;
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

/// The version that records a key generation: a function of the version before and the key, signed by all participants; the
/// key is what the transcript gives.
fn records_key(
    files: &Files,
    old: &Authority,
    file: &SignedFile,
    key: &CaKey,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    let (operation, generate) = generation(files, old, key, place.time)?;
    if file.note.text() != old.with_ca_key(key.clone())? {
        return Err(Refusal::CaKey(
            "the file differs from the version before in more than the key",
        ));
    }
    all_signed(
        file,
        &generate.participants,
        "all participants of the key generation",
    )?;
    transcript::of_generation(place, old, operation, generate, key)
}

/// The version that records a resharing: a function of the version before and the new shares, signed by all who got one, and
/// by the key itself; the shares are what the transcript gives. Shares that cannot sign are never in force: the key would be
/// lost with the old ones.
fn records_sharing(
    files: &Files,
    old: &Authority,
    file: &SignedFile,
    key: &CaKey,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    let (operation, reshare, before) = resharing(files, old, key, place.time)?;
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
    )?;
    transcript::of_resharing(place, old, operation, reshare, before, key)
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
fn asked_for<'a>(
    files: &'a Files,
    key: &CaKey,
    time: u64,
) -> Result<&'a Logged<KeyOperation>, Refusal> {
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
    Ok(logged)
}

/// The key generation that made this key, by its entry's index, if the key is as it asked.
fn generation<'a>(
    files: &'a Files,
    authority: &Authority,
    key: &CaKey,
    time: u64,
) -> Result<(u64, &'a GenerateKey), Refusal> {
    let logged = asked_for(files, key, time)?;
    let KeyOperation::GenerateKey(generate) = logged.body.as_ref() else {
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
    Ok((logged.index, generate))
}

/// The resharing that made these shares, by its entry's index, and the sharing before it, if they are as it asked.
fn resharing<'a>(
    files: &'a Files,
    authority: &'a Authority,
    key: &CaKey,
    time: u64,
) -> Result<(u64, &'a ReshareKey, &'a CaKey), Refusal> {
    let logged = asked_for(files, key, time)?;
    let KeyOperation::ReshareKey(reshare) = logged.body.as_ref() else {
        return Err(Refusal::CaKey("the key operation shares no key anew"));
    };
    let before = check_resharing(authority, reshare).map_err(Refusal::CaKey)?;
    if key.name != reshare.key
        || key.group_key != reshare.group_key
        || key.t != reshare.t
        || !holders_fit(key, &reshare.participants)
    {
        return Err(Refusal::CaKey(
            "key, threshold or holders are not the operation's",
        ));
    }
    Ok((logged.index, reshare, before))
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

fn kept_by_one(authority: &Authority, participants: &[Participant], t: usize) -> bool {
    let holders = participants.iter().map(|one| one.signer.as_str());
    authority.custodian_of(holders, t).is_some()
}

/// The CA key of the authority that an operation names, twice: by name for the reader, by value for the signature.
pub(super) fn listed<'a>(
    authority: &'a Authority,
    name: &str,
    group_key: &[u8; 32],
) -> Result<&'a CaKey, &'static str> {
    let key = authority
        .ca_keys
        .iter()
        .find(|key| key.name == name)
        .ok_or("no CA key of this name is in the authority file")?;
    if key.group_key != *group_key {
        return Err("the CA key of this name is another one");
    }
    Ok(key)
}

/// The CA key that a resharing or repair names, in the sharing in force.
fn key_in_force<'a>(
    authority: &'a Authority,
    name: &str,
    group_key: &[u8; 32],
    sharing: &Digest,
) -> Result<&'a CaKey, &'static str> {
    let key = listed(authority, name, group_key)?;
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
/// numbers keep the authority's inequalities. Gives the key in that sharing.
pub(super) fn check_resharing<'a>(
    authority: &'a Authority,
    reshare: &ReshareKey,
) -> Result<&'a CaKey, &'static str> {
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
    if kept_by_one(authority, &reshare.participants, reshare.t) {
        return Err("a custodian would keep the backups of t participants");
    }
    Ok(key)
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
pub(super) fn check_generation(
    authority: &Authority,
    generate: &GenerateKey,
) -> Result<(), &'static str> {
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
