//! `GET /v1/ca`: every certificate of every CA key that the authority lists. Whoever trusts none of them takes one from here
//! only after comparing it with what the operator announced.

use std::sync::Arc;

use axum::{Json, extract::State as Shared};
use bauta_statement::{
    certificate::{OutsideCertificate, to_pem},
    file::text::format_time,
};
use bauta_verifier::ledger::Logged;
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::{State, clock};

/// The CA's keys and their certificates.
#[derive(Serialize)]
pub(super) struct Ca {
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    name: String,
    key_id: String,
    purpose: bauta_statement::file::hierarchy::Purpose,
    /// Whether the epoch in force issues under it.
    issues: bool,
    certificates: Vec<Certificate>,
}

#[derive(Serialize)]
struct Certificate {
    /// `itself`, or `another CA`.
    issued_by: &'static str,
    not_before: Option<String>,
    not_after: Option<String>,
    /// PEM: the certificate, and what is known above it.
    chain: String,
}

fn certificate(issued_by: &'static str, chain: &[&[u8]]) -> Option<Certificate> {
    let read = OutsideCertificate::from_der(chain.first()?).ok()?;
    Some(Certificate {
        issued_by,
        not_before: format_time(read.not_before).ok(),
        not_after: format_time(read.not_after).ok(),
        chain: chain.iter().map(|one| to_pem(one)).collect(),
    })
}

pub(super) async fn certificates(Shared(state): Shared<Arc<State>>) -> Json<Ca> {
    let ledger = state.ledger();
    let issuing = ledger
        .epoch_at(clock::now())
        .map(|epoch| epoch.epoch.ca_key);
    let published = state.logs.size();
    let keys = ledger
        .authority_file()
        .filter(|file| file.index < published)
        .map(|file| file.body.ca_keys.clone())
        .unwrap_or_default();
    let keys = keys
        .into_iter()
        .map(|key| {
            let own = state.certificates.own(&ledger, &key.group_key);
            let mut certificates: Vec<_> = own
                .iter()
                .filter_map(|own| certificate("itself", &[own]))
                .collect();
            let installed = ledger.installed_certificates(&key.group_key);
            certificates.extend(
                installed
                    .into_iter()
                    .filter(|(logged, _): &(&Logged<_>, _)| logged.index < published)
                    .filter_map(|(_, install)| {
                        let mut chain = vec![install.certificate.0.as_slice()];
                        chain.extend(install.chain.iter().map(|one| one.0.as_slice()));
                        certificate("another CA", &chain)
                    }),
            );
            Key {
                key_id: HEXLOWER.encode(&key.id()),
                issues: issuing == Some(key.id()),
                name: key.name,
                purpose: key.purpose,
                certificates,
            }
        })
        .collect();
    Json(Ca { keys })
}
