//! `POST /v1/certificates`: a presentation, a CSR and the openings of disclosed values, for a certificate chain and its
//! tlog-proof. Everything is parsed and authenticated here; verifying, spending, logging and signing are `issue`'s.

use std::sync::Arc;

use axum::{Json, extract::State as Shared};
use bauta_statement::{
    challenge::{Challenge, ChallengeError},
    entry, field,
    file::text,
    presentation::Opening,
    vector::AttributeValue,
};
use bauta_verifier::csr;
use serde::{Deserialize, Serialize};

use super::{
    challenges::unknown_policy,
    json::{Base64, Body},
    problem::Problem,
};
use crate::{
    State, clock,
    issue::{Issued, Request},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    challenge: Base64,
    epoch: u64,
    presentation: Base64,
    csr: Base64,
    #[serde(default)]
    openings: Vec<WrittenOpening>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOpening {
    slot: u8,
    value: WrittenValue,
    #[serde(with = "text::hex")]
    blinding: [u8; 32],
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WrittenValue {
    Integer(u64),
    Text(String),
}

#[derive(Serialize)]
pub(super) struct Answer {
    index: u64,
    certificate_chain: String,
    tlog_proof: String,
}

impl From<Issued> for Answer {
    fn from(issued: Issued) -> Self {
        Self {
            index: issued.index,
            certificate_chain: issued.certificate_chain,
            tlog_proof: issued.tlog_proof,
        }
    }
}

pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    body: Body<Asked>,
) -> Result<Json<Answer>, Problem> {
    let asked = body.value;
    let challenge = Challenge::decode(&asked.challenge.0)?;
    let now = clock::now();
    match state
        .challenge_key
        .check(&challenge, now, &challenge.policy_digest)
    {
        Ok(()) => {}
        // A request that was admitted in time may be repeated after its challenge expired.
        Err(error @ ChallengeError::Expired { .. }) => {
            return match state.issuer.resume(&body.sha256).await? {
                Some(issued) => Ok(Json(issued.into())),
                None => Err(error.into()),
            };
        }
        Err(error) => return Err(error.into()),
    }
    let openings = asked
        .openings
        .into_iter()
        .map(opening)
        .collect::<Result<Vec<_>, _>>()?;
    let key = csr::verify(&asked.csr.0)?;
    let (policy_name, ca_key) = {
        let ledger = state.ledger();
        // An epoch gone by is refused by the ledger's own check, with its own words; here it only gives the names.
        let Some(epoch) = ledger.epoch(asked.epoch) else {
            return Err(bauta_verifier::ledger::InvalidIssuance::Epoch(asked.epoch).into());
        };
        let Some(policy) = epoch.policies.get(&challenge.policy_digest) else {
            return Err(unknown_policy("", true));
        };
        (policy.policy.name.clone(), epoch.ca.key.id())
    };
    let issuance = entry::Issuance {
        policy: challenge.policy_digest,
        epoch: asked.epoch,
        ca_key,
        nonce: challenge.nonce,
        expiry: challenge.expiry,
        key: key.spki().to_vec(),
        presentation: asked.presentation.0,
    };
    let request = Request {
        hash: body.sha256,
        issuance,
        policy_name,
        csr: asked.csr.0,
        openings,
    };
    Ok(Json(state.issuer.clone().issue(request).await?.into()))
}

fn opening(written: WrittenOpening) -> Result<Opening, Problem> {
    let blinding = field::from_bytes(&written.blinding).map_err(|_| {
        Problem::bad_request(
            "openings-malformed",
            "an opening's blinding is no canonical field element",
        )
    })?;
    let value = match written.value {
        WrittenValue::Integer(value) => AttributeValue::Integer(value),
        WrittenValue::Text(text) => AttributeValue::Text(text),
    };
    Ok(Opening {
        slot: written.slot,
        value,
        blinding,
    })
}
