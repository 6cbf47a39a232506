//! What everyone may read, and every holder reads alike: policies, epochs, revoked handles, authority, trust bundle.
//! Whoever needs to trust it checks it under the log's cosignatures.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State as Shared},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bauta_statement::{file::text::format_time, note::Digest};
use bauta_verifier::ledger::EpochInForce;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::problem::Problem;
use crate::{State, clock};

/// The most handles in one answer; a longer list is fetched in pages, in order, by everyone alike.
const HANDLES_PER_PAGE: usize = 1 << 16;

pub(super) async fn policies(Shared(state): Shared<Arc<State>>) -> Json<serde_json::Value> {
    let ledger = state.ledger();
    let mut policies: Vec<_> = ledger
        .epoch_at(clock::now())
        .into_iter()
        .flat_map(|epoch| epoch.policies.values())
        .filter_map(|policy| {
            let logged = ledger.newest_policy(&policy.policy.name)?;
            let header = &logged.header;
            // The newest file may be of a later epoch than the one in force: its version is then not this one's.
            let newest = logged.digest == policy.digest;
            Some(json!({
                "name": policy.policy.name,
                "description": policy.policy.description,
                "digest": HEXLOWER.encode(&policy.digest),
                "version": newest.then_some(header.version),
                "expires": newest.then(|| format_time(header.expires).ok()).flatten(),
            }))
        })
        .collect();
    policies.sort_by_key(|policy| policy["name"].to_string());
    Json(json!({ "policies": policies }))
}

pub(super) async fn policy(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let object = {
        let ledger = state.ledger();
        let Some((epoch, policy)) = ledger.policy_at(&name, clock::now()) else {
            return Err(super::challenges::unknown_policy(
                &name,
                ledger.epoch_at(clock::now()).is_some(),
            ));
        };
        epoch
            .epoch
            .policy(&policy.digest)
            .map(|in_force| in_force.object)
    };
    note(&state, object)
}

fn note(state: &State, object: Option<Digest>) -> Result<Response, Problem> {
    let Some(bytes) = object.and_then(|digest| state.logs.object(&digest)) else {
        return Err(Problem::internal(
            &"a file that the log names is not in its folder",
        ));
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response())
}

/// An epoch and the proof that it is logged.
#[derive(Serialize)]
struct Epoch {
    number: u64,
    start: String,
    length_seconds: u32,
    index: u64,
    entry: String,
    tlog_proof: String,
}

pub(super) async fn epochs(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let now = clock::now();
    let (current, next) = {
        let ledger = state.ledger();
        (
            ledger.epoch_at(now).cloned(),
            ledger.epoch_after(now).cloned(),
        )
    };
    let read = tokio::task::spawn_blocking(move || -> Result<_, Problem> {
        Ok(json!({ "current": epoch(&state, current)?, "next": epoch(&state, next)? }))
    });
    let value = read.await.map_err(|error| Problem::internal(&error))??;
    Ok(Json(value).into_response())
}

/// `None` also for an epoch that is not published yet: its head waits for cosignatures.
fn epoch(state: &State, epoch: Option<Arc<EpochInForce>>) -> Result<Option<Epoch>, Problem> {
    let Some(epoch) = epoch else { return Ok(None) };
    let Some((entry, tlog_proof)) = logged(state, epoch.index)? else {
        return Ok(None);
    };
    Ok(Some(Epoch {
        number: epoch.epoch.number,
        start: format_time(epoch.epoch.start).map_err(|error| Problem::internal(&error))?,
        length_seconds: epoch.epoch.length,
        index: epoch.index,
        entry,
        tlog_proof,
    }))
}

/// Entry (base64) and tlog-proof of an index, if it is published.
fn logged(state: &State, index: u64) -> Result<Option<(String, String)>, Problem> {
    let Some(entry) = state.logs.entry(index) else {
        return Ok(None);
    };
    let proof = state
        .logs
        .tlog_proof(index, None)
        .map_err(|error| Problem::internal(&error))?
        .to_bytes();
    let proof = String::from_utf8(proof).map_err(|error| Problem::internal(&error))?;
    Ok(Some((BASE64.encode(&entry), proof)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    from: usize,
}

pub(super) async fn revocations(
    Shared(state): Shared<Arc<State>>,
    Path(number): Path<u64>,
    Query(From { from }): Query<From>,
) -> Result<Response, Problem> {
    let ledger = state.ledger();
    let Some(epoch) = ledger.epoch(number) else {
        return Err(Problem::not_found(
            "this epoch is not in force; GET /v1/epochs names the one that is",
        ));
    };
    let count =
        usize::try_from(epoch.epoch.revocation_count).map_err(|error| Problem::internal(&error))?;
    let handles: Vec<String> = ledger
        .revoked_handles()
        .iter()
        .take(count)
        .skip(from)
        .take(HANDLES_PER_PAGE)
        .map(u64::to_string)
        .collect();
    let ca_keys: Vec<String> = ledger
        .revoking_keys()
        .map(|key| HEXLOWER.encode(key.modulus()))
        .collect();
    Ok(Json(json!({
        "epoch": number, "count": count, "from": from, "handles": handles, "ca_keys": ca_keys
    }))
    .into_response())
}

pub(super) async fn authority(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let found = {
        let ledger = state.ledger();
        ledger
            .first_authority_file()
            .cloned()
            .zip(ledger.authority_file().cloned())
    };
    let Some((first, current)) = found else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no-authority",
            "the log has not begun",
        ));
    };
    let item = move |logged_file: bauta_verifier::ledger::Logged<_>,
                     state: &State|
          -> Result<Option<serde_json::Value>, Problem> {
        let Some((entry, tlog_proof)) = logged(state, logged_file.index)? else {
            return Ok(None);
        };
        let note = state
            .logs
            .object(&logged_file.object.digest)
            .and_then(|note| String::from_utf8(note).ok());
        Ok(Some(json!({
            "index": logged_file.index,
            "entry": entry,
            "digest": HEXLOWER.encode(&logged_file.digest),
            "file": note,
            "tlog_proof": tlog_proof,
        })))
    };
    let read = tokio::task::spawn_blocking(move || -> Result<_, Problem> {
        Ok(json!({ "first": item(first, &state)?, "current": item(current, &state)? }))
    });
    let value = read.await.map_err(|error| Problem::internal(&error))??;
    Ok(Json(value).into_response())
}

/// The trust domain's bundle (SPIFFE Trust Domain and Bundle, section 4): a JWK set with the CA certificate.
pub(super) async fn trust_bundle(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let certificates = state.ca_certificates();
    if certificates.is_empty() {
        return Err(Problem::unavailable(
            "ca-not-ready",
            "the CA has no certificate yet",
            60,
        ));
    }
    // It only goes up, and changes with every change of what follows.
    let versions = state.ledger().authority().map_or(0, |one| one.version);
    let sequence = versions.saturating_add(state.certificates.len() as u64);
    let keys: Vec<_> = certificates
        .iter()
        .map(|(group_key, certificate)| {
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": BASE64URL_NOPAD.encode(group_key),
                "use": "x509-svid",
                "x5c": [BASE64.encode(certificate)],
            })
        })
        .collect();
    Ok(
        Json(json!({ "spiffe_sequence": sequence, "spiffe_refresh_hint": 300, "keys": keys }))
            .into_response(),
    )
}
