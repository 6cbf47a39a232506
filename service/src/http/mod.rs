//! The REST API: what holders ask for and what everyone may read. Requests are bounded before they are read, parsed before
//! they touch anything, and every refusal is a problem document.

mod ca;
mod certificates;
mod challenges;
mod files;
mod json;
pub mod problem;
mod public;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::timeout::TimeoutLayer;

use crate::State;
use problem::Problem;

/// The most bytes of a request's body: a presentation, a CSR for RSA-4096 and openings fit many times over.
pub const LARGEST_BODY: usize = 64 * 1024;
/// The longest that a request takes, signers' time included.
const PATIENCE: Duration = Duration::from_secs(30);

/// All routes.
pub fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/challenges", post(challenges::create))
        .route("/v1/certificates", post(certificates::create))
        .route("/v1/policies", get(public::policies))
        .route("/v1/policies/{name}", get(public::policy))
        .route("/v1/epochs", get(public::epochs))
        .route("/v1/epochs/{number}/revocations", get(public::revocations))
        .route("/v1/authority", get(public::authority))
        .route("/v1/ca", get(ca::certificates))
        .route("/v1/trust-bundle", get(public::trust_bundle))
        .route("/log-policy", get(files::log_policy))
        .route("/checkpoint", get(files::checkpoint))
        .route("/tile/{*path}", get(files::tile))
        .route("/objects/{digest}", get(files::object))
        .route("/healthz", get(files::healthy))
        .route("/readyz", get(files::ready))
        .fallback(async || {
            Problem::not_found(
                "there is nothing under this address; the API's paths are in docs/api.md",
            )
        })
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            PATIENCE,
        ))
        .layer(middleware::map_response(timed_out_is_a_problem))
        .layer(middleware::from_fn(never_cached))
        .with_state(state)
}

/// What the time-out layer answers has no body yet.
async fn timed_out_is_a_problem(response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE
        && !response.headers().contains_key(header::CONTENT_TYPE)
    {
        return Problem::unavailable("timed-out", "the request took too long", 1).into_response();
    }
    response
}

/// Nothing that is made for one holder, and nothing that changes, is kept by a cache on the way; immutable files say so
/// themselves.
async fn never_cached(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(header::HeaderValue::from_static("no-store"));
    response
}
