//! `POST /v1/challenges`: a nonce for a policy. Nothing is stored: the challenge authenticates itself, and only spent ones
//! are remembered.

use std::sync::Arc;

use axum::{Json, extract::State as Shared, http::StatusCode};
use bauta_statement::file::text::{format_time, is_name};
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};

use super::{json::Body, problem::Problem};
use crate::{State, clock};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    policy: String,
}

#[derive(Serialize)]
pub(super) struct Given {
    challenge: String,
    nonce: String,
    expires: String,
    policy: String,
    policy_digest: String,
    epoch: u64,
}

pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    body: Body<Wanted>,
) -> Result<Json<Given>, Problem> {
    let name = body.value.policy;
    let now = clock::now();
    let (policy_digest, epoch) = {
        let ledger = state.ledger();
        let found = is_name(&name)
            .then(|| ledger.policy_at(&name, now))
            .flatten();
        match found {
            Some((epoch, policy)) => (policy.digest, epoch.epoch.number),
            None => return Err(unknown_policy(&name, ledger.epoch_at(now).is_some())),
        }
    };
    let challenge = state.challenge_key.issue(
        &mut OsRng,
        now,
        state.config.challenge_seconds,
        policy_digest,
    );
    Ok(Json(Given {
        challenge: BASE64.encode(&challenge.encode()),
        nonce: HEXLOWER.encode(&challenge.nonce),
        expires: format_time(challenge.expiry).map_err(|error| Problem::internal(&error))?,
        policy: name,
        policy_digest: HEXLOWER.encode(&policy_digest),
        epoch,
    }))
}

/// The policy is not in force: unknown, superseded, expired, or there is no epoch.
pub(super) fn unknown_policy(name: &str, epoch: bool) -> Problem {
    if !epoch {
        return Problem::unavailable(
            "no-epoch",
            "no epoch is in force yet; try again in a minute",
            60,
        );
    }
    let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    let detail = format!(
        "no policy named {shown:?} is in force in this epoch; GET /v1/policies lists those that are"
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown-policy", detail)
}
