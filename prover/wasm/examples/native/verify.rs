//! What the module presented, before the service's own verifier: accepted as it is, refused when anything is altered.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use bauta_statement::challenge::Challenge;
use bauta_statement::context::{Context, key_digest};
use bauta_statement::entry::{Body, Entry};
use bauta_statement::field;
use bauta_statement::file::{self, SignedFile};
use bauta_statement::policy::EpochRoots;
use bauta_statement::presentation::{Opening, Usage};
use bauta_statement::scope;
use bauta_statement::vector::{AttributeValue, Format};
use bauta_statement::verifying_key::VerifyingKey;
use bauta_verifier::keys::Keys;
use bauta_verifier::presentation::{PolicyContext, verify_bytes};
use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;

use super::Folder;

/// The part of a host's result that is verified.
#[derive(Deserialize)]
struct Presented {
    presentation: String,
    /// JSON, as it would stand in the certificate request.
    openings: String,
    /// The nullifier, in hexadecimal.
    presented: String,
}

#[derive(Deserialize)]
struct WrittenOpening {
    slot: u8,
    value: WrittenValue,
    blinding: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenValue {
    Integer(u64),
    Text(String),
}

/// Fails unless the presentation is verified, and every altered one refused.
pub(crate) fn verify(folder: &Folder, result: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(result).with_context(|| format!("reading {}", result.display()))?;
    let presented: Presented = serde_json::from_slice(&bytes)?;
    let presentation = BASE64.decode(presented.presentation.as_bytes())?;
    let openings = openings(&presented.openings)?;
    let (policy, context, usage) = expected(folder)?;

    let claim = verify_bytes(&policy, &context, &presentation, Some(usage))
        .context("the module's presentation")?;
    claim.open(&openings).context("the module's openings")?;
    let nullifier = claim
        .nullifier()
        .map(|nullifier| HEXLOWER.encode(&field::to_bytes(nullifier)));
    ensure!(
        nullifier.as_deref() == Some(&presented.presented),
        "the module names another nullifier than it presents"
    );
    ensure!(
        openings.first().map(|opening| &opening.value)
            == Some(&AttributeValue::Text("Arsenale".into())),
        "the module discloses another organisation"
    );

    // Every field of the presentation is some 32 bytes long, so each is hit.
    let mut altered = 0;
    for position in (0..presentation.len()).step_by(29) {
        let mut bad = presentation.clone();
        if let Some(byte) = bad.get_mut(position) {
            *byte ^= 1;
        }
        if verify_bytes(&policy, &context, &bad, Some(usage)).is_ok() {
            bail!("a presentation with byte {position} altered is accepted");
        }
        altered += 1;
    }
    let other = Context {
        spki_sha256: [0; 32],
        ..context.clone()
    };
    ensure!(
        verify_bytes(&policy, &other, &presentation, Some(usage)).is_err(),
        "the presentation is accepted for another key"
    );
    let lie: Vec<Opening> = openings
        .into_iter()
        .map(|opening| Opening {
            value: AttributeValue::Text("Rialto".into()),
            ..opening
        })
        .collect();
    ensure!(
        claim.open(&lie).is_err(),
        "an opening to another value is accepted"
    );
    println!(
        "   {}: {} bytes verified, {altered} altered ones refused",
        result.display(),
        presentation.len()
    );
    Ok(())
}

/// Policy, context and usage as a service computes them from its own files.
fn expected(folder: &Folder) -> anyhow::Result<(PolicyContext, Context, Usage)> {
    let Body::Epoch(epoch) = Entry::decode(&folder.read("epoch.bin")?)?.body else {
        bail!("epoch.bin is no epoch");
    };
    let file = SignedFile::parse(&folder.read("policy.txt")?)?;
    let digest = file.digest();
    let file::Body::Policy(policy) = file.body else {
        bail!("policy.txt is no policy");
    };
    let file::Body::Authority(authority) = SignedFile::parse(&folder.read("authority.txt")?)?.body
    else {
        bail!("authority.txt is no authority");
    };
    let place = epoch
        .policy(&digest)
        .context("the epoch lacks the policy")?;
    let public = policy.public(&EpochRoots {
        start: epoch.start,
        end: epoch.end(),
        issuer_root: field::from_bytes(&place.issuer_root)?,
        revocation_root: field::from_bytes(&epoch.revocation_root)?,
    });
    let key = |relation: &str| -> anyhow::Result<VerifyingKey> {
        let bytes = folder.read(&format!("keys/{relation}/verifying-key.bin"))?;
        Ok(VerifyingKey::decode(&bytes)?)
    };
    let keys = Keys::new(
        vec![(Format::Native, key("possession-native")?)],
        key("policy")?,
        key("nullifier")?,
    )?;
    let wanted = policy.scope.as_ref().context("the policy has a scope")?;
    let start = scope::period_start(folder.plan()?.now.parse()?, wanted.period_seconds);
    let usage = Usage {
        scope: scope::scope(&authority.trust_domain, &wanted.name, start),
        bound: wanted.bound,
    };
    let disclosed = policy.disclose.iter();
    let disclosed = disclosed.map(|one| usize::from(one.slot)).collect();
    let operands = policy.slot_map();
    let challenge = Challenge::decode(&folder.read("challenge.bin")?)?;
    let context = Context {
        policy_digest: digest,
        nonce: challenge.nonce,
        expiry: challenge.expiry,
        trust_domain: authority.trust_domain,
        ca_name: authority.ca_name,
        log_origin: authority.log.origin,
        spki_sha256: key_digest(&folder.read("spki.der")?),
    };
    let policy = PolicyContext::new(keys, &[Format::Native], operands, disclosed, &public, true)?;
    Ok((policy, context, usage))
}

fn openings(json: &str) -> anyhow::Result<Vec<Opening>> {
    let written: Vec<WrittenOpening> = serde_json::from_str(json).context("the openings")?;
    written
        .into_iter()
        .map(|opening| {
            let blinding: [u8; 32] = HEXLOWER
                .decode(opening.blinding.as_bytes())?
                .try_into()
                .map_err(|_| anyhow::anyhow!("a blinding has 32 bytes"))?;
            Ok(Opening {
                slot: opening.slot,
                value: match opening.value {
                    WrittenValue::Integer(value) => AttributeValue::Integer(value),
                    WrittenValue::Text(value) => AttributeValue::Text(value),
                },
                blinding: field::from_bytes(&blinding)?,
            })
        })
        .collect()
}
