//! A vector file of `vectors/presentation/`, and the verdict on it: all that a verifier does, from the file's text alone.
//! The format and the reasons are in `docs/spec/presentation.md`, section "Test vectors".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ark_bn254::Fr;
use bauta_statement::context::Context;
use bauta_statement::field;
use bauta_statement::group::PointError;
use bauta_statement::policy::{EpochRoots, Policy};
use bauta_statement::presentation::{
    DecodeError, Opening, OpeningError, Presentation, Statement, Usage,
};
use bauta_statement::scope::{period_start, scope};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::tree::{ISSUER_SET_DEPTH, RevocationTree, members_root};
use bauta_statement::vector::{AttributeValue, Format};
use bauta_statement::verifying_key::{UnsafeKey, VerifyingKey};
use bauta_verifier::batch::verify_batch;
use bauta_verifier::keys::{Keys, KeysError};
use bauta_verifier::presentation::{
    Item, PolicyContext, Refusal, VerifiedClaim, verify, verify_bytes,
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) description: String,
    pub(crate) keys: KeyBytes,
    pub(crate) formats: Vec<u8>,
    pub(crate) policy: Value,
    pub(crate) epoch: EpochData,
    pub(crate) time: u64,
    pub(crate) context: ContextBytes,
    pub(crate) presentation: String,
    pub(crate) openings: String,
    pub(crate) expected: Expected,
    /// What a verifier computes on the way, to look for the place where two differ. Only in good vectors; no input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) computed: Option<Computed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBytes {
    /// By the format's code.
    pub(crate) possession: BTreeMap<String, String>,
    pub(crate) policy: String,
    pub(crate) nullifier: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpochData {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Accepted origins, in their order.
    pub(crate) origins: Vec<String>,
    /// Revoked handles, in the order of insertion.
    pub(crate) revoked: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextBytes {
    pub(crate) policy_digest: String,
    pub(crate) nonce: String,
    pub(crate) expiry: u64,
    pub(crate) trust_domain: String,
    pub(crate) ca_name: String,
    pub(crate) log_origin: String,
    pub(crate) spki_sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) valid: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nullifier: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) disclosed: Vec<Disclosed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disclosed {
    pub(crate) slot: u8,
    /// A number, a string, or null for *absent*.
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Computed {
    pub(crate) key_digests: Vec<String>,
    pub(crate) issuer_root: String,
    pub(crate) revocation_root: String,
    pub(crate) operands: Vec<Option<usize>>,
    pub(crate) disclosed: Vec<usize>,
    pub(crate) policy_inputs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    pub(crate) challenge: String,
    pub(crate) weight_seed: String,
}

/// Why a vector is refused; see the specification.
pub(crate) type Reason = &'static str;

/// What a verifier has before it reads the presentation.
pub(crate) struct Prepared {
    pub(crate) policy: Policy,
    pub(crate) roots: EpochRoots,
    pub(crate) usage: Option<Usage>,
    pub(crate) context: Context,
    pub(crate) verifier: PolicyContext,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Hexadecimal of a fixed length: a vector that is not well-formed JSON of this format is a mistake of its maker.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn fixed<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

fn key_reason(error: &UnsafeKey) -> Reason {
    match error {
        UnsafeKey::Infinity(_) => "key-encoding",
        UnsafeKey::DeltaIsGamma => "key-gamma-is-delta",
        UnsafeKey::Generator(_) => "key-generator",
        UnsafeKey::DeltaMismatch => "key-delta-mismatch",
        UnsafeKey::RepeatedInput(..) => "key-repeated-input",
        UnsafeKey::InputCount { .. } => "key-input-count",
        UnsafeKey::NotOneSet(_) => "key-set",
    }
}

fn decode_reason(error: &DecodeError) -> Reason {
    match error {
        DecodeError::Version(_) => "version",
        DecodeError::Header(_) => "header",
        DecodeError::Length { .. } => "length",
        DecodeError::Scalar(_) => "scalar",
        DecodeError::Point { source, .. } => match source {
            PointError::NotOnCurve | PointError::NotCanonical => "point",
            PointError::Infinity => "point-infinity",
            PointError::NotInSubgroup => "point-subgroup",
        },
    }
}

fn refusal_reason(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Malformed(error) => decode_reason(error),
        Refusal::Format(_) => "format",
        Refusal::FormatUnderScope(_) => "format-under-scope",
        Refusal::Usage => "usage",
        Refusal::NullifierMissing => "nullifier-missing",
        Refusal::NullifierUnasked => "nullifier-unasked",
        Refusal::Disclosures { .. } => "disclosures",
        Refusal::Unproven => "unproven",
    }
}

fn opening_reason(error: &OpeningError) -> Reason {
    match error {
        OpeningError::Malformed(_) => "opening-encoding",
        OpeningError::Slots => "opening-slots",
        OpeningError::Mismatch(_) => "opening-mismatch",
    }
}

/// The keys, checked. Most vectors have the same: they are prepared once.
fn keys_of(bytes: &KeyBytes) -> Result<Arc<Keys>, Reason> {
    static KNOWN: Mutex<Vec<(KeyBytes, Arc<Keys>)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap();
    if let Some((_, keys)) = known.iter().find(|(other, _)| other == bytes) {
        return Ok(keys.clone());
    }
    let key = |text: &String| VerifyingKey::decode(&unhex(text)).map_err(|_| "key-encoding");
    let possession = bytes
        .possession
        .iter()
        .map(|(code, text)| {
            let format = code.parse().ok().and_then(Format::from_code);
            Ok((format.ok_or("key-set")?, key(text)?))
        })
        .collect::<Result<Vec<_>, Reason>>()?;
    let keys =
        Keys::new(possession, key(&bytes.policy)?, key(&bytes.nullifier)?).map_err(|error| {
            match &error {
                KeysError::Unsafe { source, .. } | KeysError::Set(source) => key_reason(source),
                KeysError::Formats => "key-set",
            }
        })?;
    known.push((bytes.clone(), keys.clone()));
    Ok(keys)
}

impl Vector {
    /// Keys, policy, epoch and context, checked.
    pub(crate) fn prepare(&self) -> Result<Prepared, Reason> {
        let keys = keys_of(&self.keys)?;
        let policy: Policy = serde_json::from_value(self.policy.clone()).map_err(|_| "policy")?;
        let formats: Vec<Format> = self
            .formats
            .iter()
            .map(|code| Format::from_code(*code).ok_or("policy"))
            .collect::<Result<_, _>>()?;
        let origins: Vec<Fr> = self
            .epoch
            .origins
            .iter()
            .map(|text| field::from_bytes(&fixed(text)).map_err(|_| "epoch"))
            .collect::<Result<_, _>>()?;
        let mut revoked = RevocationTree::new();
        revoked.extend(&self.epoch.revoked).map_err(|_| "epoch")?;
        let roots = EpochRoots {
            start: self.epoch.start,
            end: self.epoch.end,
            issuer_root: members_root(&origins, ISSUER_SET_DEPTH).map_err(|_| "epoch")?,
            revocation_root: revoked.root(),
        };
        let usage = policy.scope.as_ref().map(|counted| Usage {
            scope: scope(
                &self.context.trust_domain,
                &counted.name,
                period_start(self.time, counted.period_seconds),
            ),
            bound: counted.bound,
        });
        let verifier = PolicyContext::new(
            keys,
            &formats,
            policy.slot_map(),
            policy
                .disclose
                .iter()
                .map(|d| usize::from(d.slot))
                .collect(),
            &policy.public(&roots),
            usage.is_some(),
        )
        .map_err(|_| "policy")?;
        Ok(Prepared {
            policy,
            roots,
            usage,
            context: self.context.to_context(),
            verifier,
        })
    }

    /// The whole verdict.
    pub(crate) fn verdict(&self) -> Result<Expected, Reason> {
        let prepared = self.prepare()?;
        let bytes = unhex(&self.presentation);
        // Straight from the bytes, and alone in a batch where they decode: one verdict.
        let from_bytes = verify_bytes(
            &prepared.verifier,
            &prepared.context,
            &bytes,
            prepared.usage,
        )
        .map(drop);
        let decoded = Presentation::decode(&bytes);
        if let Ok(presentation) = &decoded {
            let item = Item {
                policy: &prepared.verifier,
                context: &prepared.context,
                presentation,
                usage: prepared.usage,
            };
            let in_batch = verify_batch(&[item]).remove(0).map(drop);
            assert_eq!(in_batch, from_bytes);
        }
        from_bytes.map_err(|refusal| refusal_reason(&refusal))?;
        let presentation = decoded.map_err(|error| decode_reason(&error))?;
        let claim: VerifiedClaim = verify(
            &prepared.verifier,
            &prepared.context,
            &presentation,
            prepared.usage,
        )
        .map_err(|refusal| refusal_reason(&refusal))?;
        let openings =
            Opening::decode_list(&unhex(&self.openings)).map_err(|error| opening_reason(&error))?;
        claim
            .open(&openings)
            .map_err(|error| opening_reason(&error))?;
        Ok(Expected {
            valid: true,
            reason: None,
            nullifier: claim.nullifier().map(|n| hex(&field::to_bytes(n))),
            disclosed: openings
                .iter()
                .map(|opening| Disclosed {
                    slot: opening.slot,
                    value: match &opening.value {
                        AttributeValue::Integer(value) => Value::from(*value),
                        AttributeValue::Text(text) => Value::from(text.as_str()),
                        AttributeValue::Absent => Value::Null,
                    },
                })
                .collect(),
        })
    }

    /// The values on the way, of a vector that is well-formed.
    pub(crate) fn compute(&self) -> Result<Computed, Reason> {
        let Prepared {
            policy,
            roots,
            usage,
            context,
            verifier,
        } = self.prepare()?;
        let presentation = Presentation::decode(&unhex(&self.presentation))
            .map_err(|error| decode_reason(&error))?;
        let Statement {
            keys,
            operands,
            disclosed,
            policy_inputs,
            ..
        } = verifier
            .statement(presentation.format, usage)
            .ok_or("format")?;
        let statement = verifier
            .statement(presentation.format, usage)
            .ok_or("format")?;
        let challenged =
            PresentationTranscript::new(&statement, presentation.nullifier(), &context)
                .challenge(&presentation);
        let element = |value: &Fr| hex(&field::to_bytes(value));
        debug_assert_eq!(policy.slot_map(), operands);
        Ok(Computed {
            key_digests: keys.iter().map(|digest| hex(digest)).collect(),
            issuer_root: element(&roots.issuer_root),
            revocation_root: element(&roots.revocation_root),
            operands: operands.to_vec(),
            disclosed,
            policy_inputs: policy_inputs.iter().map(element).collect(),
            scope: usage.map(|usage| element(&usage.scope)),
            challenge: element(&challenged.challenge()),
            weight_seed: hex(&challenged.weight_seed(&presentation)),
        })
    }
}

impl ContextBytes {
    pub(crate) fn to_context(&self) -> Context {
        Context {
            policy_digest: fixed(&self.policy_digest),
            nonce: fixed(&self.nonce),
            expiry: self.expiry,
            trust_domain: self.trust_domain.clone(),
            ca_name: self.ca_name.clone(),
            log_origin: self.log_origin.clone(),
            spki_sha256: fixed(&self.spki_sha256),
        }
    }
}
