//! Problem documents (RFC 9457): the one mapping from every refusal to what the holder is told. A document names the
//! cause and the remedy, and nothing that the holder did not send or may not know.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bauta_statement::challenge::ChallengeError;
use bauta_verifier::{csr::CsrError, ledger::InvalidIssuance, presentation::Refusal};
use serde::Serialize;

use crate::issue::IssueError;

/// A problem document.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// `urn:bauta:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status's own words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong, and what to do.
    pub detail: String,
    /// Seconds after which trying again makes sense; also the header.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:bauta:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(super) fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this address does not take this method",
        )
    }

    pub(super) fn unavailable(code: &str, detail: impl Into<String>, retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }

    /// Something of the service's own went wrong; the cause is in its log, not in the answer.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed inside the service");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the service failed; try again, and tell its operator",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<ChallengeError> for Problem {
    fn from(error: ChallengeError) -> Self {
        let code = match error {
            ChallengeError::Malformed => "challenge-malformed",
            ChallengeError::Forged => "challenge-forged",
            ChallengeError::Expired { .. } => "challenge-expired",
            ChallengeError::OtherPolicy => "challenge-other-policy",
        };
        Self::bad_request(code, error.to_string())
    }
}

impl From<CsrError> for Problem {
    fn from(error: CsrError) -> Self {
        let code = match error {
            CsrError::Request(_) => "csr-refused",
            CsrError::Algorithm => "csr-algorithm",
            CsrError::Signature => "csr-signature",
            CsrError::OtherKey => "csr-other-key",
        };
        Self::bad_request(code, error.to_string())
    }
}

impl From<InvalidIssuance> for Problem {
    fn from(error: InvalidIssuance) -> Self {
        use InvalidIssuance as E;
        let detail = error.to_string();
        match error {
            // What is right now and was not when the holder began: show again, with the same key.
            E::Epoch(_) | E::TimeOutsideEpoch { .. } => {
                Self::new(StatusCode::CONFLICT, "epoch-gone", detail)
            }
            E::TimeBack { .. } | E::ChallengeEarly { .. } => {
                Self::new(StatusCode::CONFLICT, "show-again", detail)
            }
            E::ChallengeExpired { .. } => Self::bad_request("challenge-expired", detail),
            E::UnknownPolicy => Self::new(StatusCode::CONFLICT, "policy-not-in-force", detail),
            E::Retired(_) => Self::new(StatusCode::GONE, "policy-retired", detail),
            E::CaKey | E::OutsideCa => Self::unavailable("ca-not-ready", detail, 60),
            E::Key(_) | E::KeyType(_) => Self::bad_request("key-refused", detail),
            E::NonceSpent => Self::new(StatusCode::CONFLICT, "nonce-spent", detail),
            E::NullifierSpent => Self::new(StatusCode::CONFLICT, "nullifier-spent", detail),
            E::Decode(_) | E::Presentation(Refusal::Malformed(_)) => {
                Self::bad_request("presentation-malformed", detail)
            }
            E::Presentation(Refusal::Format(_) | Refusal::FormatUnderScope(_)) => {
                Self::new(StatusCode::FORBIDDEN, "format-not-accepted", detail)
            }
            E::Presentation(_) => Self::new(StatusCode::FORBIDDEN, "presentation-refused", detail),
            // A rule that the ledger gained after this list was written.
            _ => Self::new(StatusCode::FORBIDDEN, "issuance-refused", detail),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        let detail = error.to_string();
        match error {
            IssueError::Invalid(error) => error.into(),
            IssueError::Csr(error) => error.into(),
            IssueError::Openings(_) => Self::new(StatusCode::FORBIDDEN, "openings-refused", detail),
            IssueError::NonceSpent => InvalidIssuance::NonceSpent.into(),
            IssueError::NullifierSpent => InvalidIssuance::NullifierSpent.into(),
            IssueError::Lapsed(_) => Self::new(StatusCode::CONFLICT, "lapsed", detail),
            IssueError::Signers { retry_after } => {
                Self::unavailable("signers-missing", detail, retry_after)
            }
            IssueError::Busy { retry_after } => Self::unavailable("busy", detail, retry_after),
            IssueError::Internal(error) => Self::internal(&error),
        }
    }
}
