//! What operators and administrators do: keys, founding a CA, signed files, epochs, parameters.

pub(crate) mod ca;
pub(crate) mod change;
pub(crate) mod crl;
pub(crate) mod hierarchy;
pub(crate) mod invite;
pub(crate) mod issuer;
pub(crate) mod keys;
pub(crate) mod life;
pub(crate) mod parameters;
pub(crate) mod publish;
pub(crate) mod sign;
pub(crate) mod transcript;

/// Serials that an issuer may revoke in one log, where nothing else is agreed.
pub(crate) const QUOTA: u32 = 1000;

/// JSON body of an issuer set with one issuer.
pub(crate) fn issuer_set(profile: &bauta_issuer::IssuerProfile) -> serde_json::Value {
    serde_json::json!({ "issuers": [{
        "name": profile.name,
        "format": "native",
        "public_key": profile.public_key,
        "proof_of_possession": profile.proof_of_possession,
        "schema": profile.schema.name,
        "note_key": profile.note_key,
        "revocation_quota": QUOTA,
    }]})
}
