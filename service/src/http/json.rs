//! Reading JSON bodies: bounded, typed, and refused as a problem document. serde's derived types refuse fields that are
//! doubled or unknown, and serde_json stops at 128 levels.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{StatusCode, header},
};
use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

/// A JSON body and the SHA-256 of its bytes, by which a retry is known.
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) sha256: [u8; 32],
}

impl<S: Send + Sync, T: for<'de> Deserialize<'de>> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
        if !json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "send Content-Type: application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(unreadable)?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::bad_request("malformed", format!("the body: {error}")))?;
        Ok(Self {
            value,
            sha256: Sha256::digest(&bytes).into(),
        })
    }
}

fn unreadable(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!(
            "the body is larger than {} bytes, the most that is read",
            super::LARGEST_BODY
        );
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail);
    }
    Problem::bad_request(
        "malformed",
        "the body could not be read to its end; send it again",
    )
}

/// Bytes in base64 with padding (RFC 4648, section 4).
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        BASE64
            .decode(text.as_bytes())
            .map(Self)
            .map_err(|_| de::Error::custom("expected base64 with padding (RFC 4648, section 4)"))
    }
}
