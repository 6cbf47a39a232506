//! The desk's HTTP API, over TLS 1.3. Errors are problem documents (RFC 9457) whose detail names the remedy.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rand::rngs::OsRng;

use crate::chain::ChainError;
use crate::desk::{Desk, EnrolError, RevokeError};
use crate::issued::{Enrolment, EnrolmentRequest, IssuerProfile, LeakReport};
use crate::tls::PeerChain;

/// No request of the desk is larger.
const MAX_BODY: usize = 4_096;

/// The routes: `GET /v1/issuer`, `POST /v1/enrolments`, `GET /v1/revocation-list`, `POST /v1/leaks`, `GET /healthz`.
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/issuer", get(profile))
        .route("/v1/enrolments", post(enrol))
        .route("/v1/revocation-list", get(revocation_list))
        .route("/v1/leaks", post(leak))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async {
            Problem::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "Not found",
                "this desk has /v1/issuer, /v1/enrolments, /v1/revocation-list and /v1/leaks",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(desk)
}

async fn profile(State(desk): State<Arc<Desk>>) -> Json<IssuerProfile> {
    Json(desk.profile())
}

async fn enrol(
    State(desk): State<Arc<Desk>>,
    Extension(PeerChain(chain)): Extension<PeerChain>,
    request: Result<Json<EnrolmentRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Enrolment>), Problem> {
    let Json(request) = request?;
    let enrolment = desk.enrol(&chain, &request, now(), &mut OsRng).await?;
    tracing::info!(serial = %enrolment.serial, "credential issued");
    Ok((StatusCode::CREATED, Json(enrolment)))
}

async fn revocation_list(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let list = desk.revocation_list(now()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], list).into_response())
}

async fn leak(
    State(desk): State<Arc<Desk>>,
    request: Result<Json<LeakReport>, JsonRejection>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Json(report) = request?;
    let revoked = desk.report_leak(&report, now()).await?;
    tracing::warn!(
        credentials = revoked.credentials,
        "a leaked secret was shown and revoked"
    );
    Ok(Json(serde_json::json!({
        "revoked": revoked.credentials,
        "list_version": revoked.version,
    })))
}

/// Unix seconds; a clock before 1970 reads as 0, at which no certificate is valid.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A problem document.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
}

impl Problem {
    fn new(
        status: StatusCode,
        name: &'static str,
        title: &'static str,
        detail: impl ToString,
    ) -> Self {
        Self {
            status,
            name,
            title,
            detail: detail.to_string(),
        }
    }

    /// Something of the desk's own: the log has it, the client does not.
    fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "the desk failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The desk failed",
            "nothing was issued or revoked; try again, and tell the desk's operator, whose log has the cause",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": format!("urn:bauta:problem:{}", self.name),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        (
            self.status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body.to_string(),
        )
            .into_response()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "Body too large",
                format!("a request has at most {MAX_BODY} bytes"),
            );
        }
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "Malformed request",
            format!(
                "{}: send JSON as the documentation says, with Content-Type: application/json",
                rejection.body_text()
            ),
        )
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        let (status, name, title) = match &error {
            EnrolError::Chain(ChainError::Absent) => (
                StatusCode::UNAUTHORIZED,
                "client-certificate-missing",
                "No client certificate",
            ),
            EnrolError::Chain(_) => (
                StatusCode::FORBIDDEN,
                "client-certificate",
                "Client certificate refused",
            ),
            EnrolError::Reading(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "certificate-attributes",
                "The certificate does not fit the schema",
            ),
            EnrolError::Commitment => {
                (StatusCode::BAD_REQUEST, "malformed", "Malformed commitment")
            }
            EnrolError::OtherCommitment { .. } | EnrolError::Leaked => {
                (StatusCode::CONFLICT, "reset-required", "A reset is needed")
            }
            EnrolError::Barred => (StatusCode::FORBIDDEN, "revoked", "Revoked"),
            EnrolError::ResetPending { .. } => {
                (StatusCode::CONFLICT, "reset-pending", "Already reset")
            }
            EnrolError::ResetWithSameSecret => (
                StatusCode::CONFLICT,
                "reset-same-secret",
                "A reset needs a new secret",
            ),
            EnrolError::TooShort { .. } => (
                StatusCode::CONFLICT,
                "certificate-ends",
                "The certificate ends too soon",
            ),
            EnrolError::Store(_) | EnrolError::Stored(_) | EnrolError::List(_) => {
                return Self::internal(&error);
            }
        };
        Self::new(status, name, title, error)
    }
}

impl From<RevokeError> for Problem {
    fn from(error: RevokeError) -> Self {
        match &error {
            RevokeError::Unknown(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown", "Unknown", error)
            }
            RevokeError::Malformed => {
                Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed", error)
            }
            RevokeError::Store(_) | RevokeError::List(_) => Self::internal(&error),
        }
    }
}
