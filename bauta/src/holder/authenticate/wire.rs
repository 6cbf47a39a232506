//! What is said to the service over HTTPS, and what to do when it says no.

use anyhow::bail;
use bauta_statement::field;
use bauta_statement::presentation::Opening;
use bauta_statement::vector::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::hex;
use crate::holder::client::CallError;

#[derive(Serialize)]
pub(super) struct ChallengeRequest<'a> {
    pub(super) policy: &'a str,
}

#[derive(Deserialize)]
pub(super) struct ChallengeAnswer {
    pub(super) challenge: String,
    #[serde(alias = "expires")]
    pub(super) expiry: String,
    pub(super) policy_digest: String,
}

#[derive(Serialize)]
pub(super) struct CertificateRequest {
    pub(super) challenge: String,
    pub(super) epoch: u64,
    pub(super) csr: String,
    pub(super) presentation: String,
    pub(super) openings: Vec<WrittenOpening>,
}

/// An opening as it travels.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WrittenOpening {
    pub(super) slot: u8,
    pub(super) value: IssuedValue,
    pub(super) blinding: String,
}

/// An attribute's value in JSON: `{"integer": 7}` or `{"text": "CH"}`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum IssuedValue {
    Integer(u64),
    Text(String),
}

/// Absent attributes are not disclosed: with one, no certificate can be made.
pub(super) fn written(openings: &[Opening]) -> anyhow::Result<Vec<WrittenOpening>> {
    openings
        .iter()
        .map(|opening| {
            let value = match &opening.value {
                AttributeValue::Integer(value) => IssuedValue::Integer(*value),
                AttributeValue::Text(value) => IssuedValue::Text(value.clone()),
                AttributeValue::Absent => bail!(
                    "the policy discloses slot {}, which your credential does not have: use another credential",
                    opening.slot
                ),
            };
            Ok(WrittenOpening { slot: opening.slot, value, blinding: hex(&field::to_bytes(&opening.blinding)) })
        })
        .collect()
}

#[derive(Deserialize)]
pub(super) struct CertificateAnswer {
    pub(super) certificate_chain: String,
    pub(super) tlog_proof: String,
}

/// What to do after a request that earned nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same bytes again, after this many seconds.
    Repeat(u64),
    /// A new challenge, the same key and use.
    ShowAgain,
    /// The use was taken with another key: the next one, and a new key.
    AnotherUse,
    /// The epoch or the policy moved on: prepare, then show again.
    Prepare,
    /// Nothing helps.
    Stop,
}

pub(super) fn next(error: &CallError) -> Next {
    let problem = match error {
        CallError::Transport(_) => return Next::Repeat(1),
        CallError::Problem(problem) => problem,
    };
    match problem.name.as_str() {
        "lapsed" | "show-again" | "nonce-spent" | "challenge-expired" => Next::ShowAgain,
        "nullifier-spent" => Next::AnotherUse,
        "epoch-gone" | "policy-not-in-force" | "unknown-policy" | "challenge-other-policy" => {
            Next::Prepare
        }
        _ if matches!(problem.status, 429 | 502 | 503 | 504) => {
            Next::Repeat(problem.retry_after.unwrap_or(1).clamp(1, 10))
        }
        _ => Next::Stop,
    }
}

#[derive(Deserialize)]
pub(super) struct CertificateOpenings {
    pub(super) openings: Vec<WrittenOpening>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::client::Problem;

    fn problem(name: &str, status: u16, retry_after: Option<u64>) -> CallError {
        Problem {
            name: name.into(),
            status,
            detail: String::new(),
            retry_after,
        }
        .into()
    }

    #[test]
    fn each_refusal_has_its_next_step() {
        assert_eq!(next(&CallError::Transport("gone".into())), Next::Repeat(1));
        assert_eq!(
            next(&problem("signers-unavailable", 503, Some(3))),
            Next::Repeat(3)
        );
        assert_eq!(
            next(&problem("signers-unavailable", 503, Some(9999))),
            Next::Repeat(10)
        );
        assert_eq!(next(&problem("lapsed", 409, None)), Next::ShowAgain);
        assert_eq!(
            next(&problem("challenge-expired", 400, None)),
            Next::ShowAgain
        );
        assert_eq!(
            next(&problem("nullifier-spent", 409, None)),
            Next::AnotherUse
        );
        assert_eq!(next(&problem("epoch-gone", 409, None)), Next::Prepare);
        assert_eq!(next(&problem("bad-request", 400, None)), Next::Stop);
    }
}
