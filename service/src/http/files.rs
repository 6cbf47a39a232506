//! The log as files (C2SP tlog-tiles), objects beside it, and health. A plain web server over the log's folder serves the
//! same bytes.

use std::sync::Arc;

use axum::{
    extract::{Path, State as Shared},
    http::header,
    response::{IntoResponse, Response},
};
use bauta_statement::file::text::parse_hex;

use super::problem::Problem;
use crate::State;

const IMMUTABLE: (header::HeaderName, &str) =
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
const BYTES: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/octet-stream");
const TEXT: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain; charset=utf-8");

pub(super) async fn checkpoint(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    match state.logs.published() {
        Some(checkpoint) => Ok(([TEXT], checkpoint.signed().to_bytes()).into_response()),
        None => Err(Problem::not_found("no checkpoint is published yet")),
    }
}

pub(super) async fn log_policy(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    match state.log_policy() {
        Some(policy) => Ok(([TEXT], policy.to_bytes()).into_response()),
        None => Err(Problem::not_found("the log has not begun")),
    }
}

pub(super) async fn tile(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let path = format!("tile/{path}");
    // Only names that a tile can have reach the folder; the log store checks that.
    let found = tokio::task::spawn_blocking(move || state.logs.file(&path))
        .await
        .map_err(|error| Problem::internal(&error))?;
    match found {
        Ok(Some(bytes)) => Ok(([BYTES, IMMUTABLE], bytes).into_response()),
        Ok(None) => Err(Problem::not_found("there is no such tile")),
        Err(error) => Err(Problem::internal(&error)),
    }
}

pub(super) async fn object(
    Shared(state): Shared<Arc<State>>,
    Path(digest): Path<String>,
) -> Result<Response, Problem> {
    let found = match parse_hex(&digest) {
        Ok(digest) => tokio::task::spawn_blocking(move || state.logs.object(&digest))
            .await
            .map_err(|error| Problem::internal(&error))?,
        Err(_) => None,
    };
    match found {
        Some(bytes) => Ok(([BYTES, IMMUTABLE], bytes).into_response()),
        None => Err(Problem::not_found(
            "there is no such object; objects are named by their SHA-256 in lower-case hexadecimal",
        )),
    }
}

/// The process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// Certificates can be issued: an epoch is in force, and a quorum of signers is connected.
pub(super) async fn ready(Shared(state): Shared<Arc<State>>) -> Result<&'static str, Problem> {
    state
        .ready()
        .map_err(|reason| Problem::unavailable("not-ready", reason, 5))?;
    Ok("ready\n")
}
