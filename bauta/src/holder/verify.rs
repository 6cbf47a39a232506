//! `bauta verify-certificate`, and the same check by which `authenticate` accepts what it was sent: offline, from the
//! certificate, its tlog-proof, the CA and the log-policy.

use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use bauta_log::{LogPolicy, TlogProof};
use bauta_statement::certificate::{Ca, Evidence, PresentedIdentity, disassemble};
use bauta_statement::entry::{Body, Entry, Issuance};
use bauta_statement::vector::AttributeValue;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use super::time;
use crate::print::{Exit, Failure};
use crate::{cli, files};

/// More than any certificate chain, proof or policy.
const LIMIT: u64 = 2 << 20;

/// What a verified certificate says.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyReport {
    /// The name in the certificate.
    pub(crate) spiffe_id: String,
    pub(crate) trust_domain: String,
    pub(crate) policy: String,
    pub(crate) pseudonym: String,
    /// SHA-256 of the policy's signed text.
    pub(crate) policy_digest: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// Disclosed attributes, name and value.
    pub(crate) disclosed: Vec<(String, String)>,
    /// Origin of the log.
    pub(crate) log: String,
    /// Index of the entry.
    pub(crate) index: u64,
    /// Who cosigned the checkpoint.
    pub(crate) cosigners: Vec<String>,
}

impl VerifyReport {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}\n  policy {} (sha256 {})\n  valid from {} to {}\n  entry {} of {}, cosigned by {}\n  the certificate is \
             the entry's, byte for byte, and signed by the CA\n",
            self.spiffe_id,
            self.policy,
            self.policy_digest,
            self.not_before,
            self.not_after,
            self.index,
            self.log,
            self.cosigners.join(", ")
        );
        for (name, value) in &self.disclosed {
            text.push_str(&format!("  discloses {name}: {value}\n"));
        }
        if self.disclosed.is_empty() {
            text.push_str("  discloses nothing\n");
        }
        text
    }
}

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    #[error("the certificate is not of Bauta's profile: {0}")]
    Profile(String),
    #[error("the CA's signature on the certificate does not verify: it is not this CA's")]
    Signature,
    #[error("the tlog-proof does not hold: {0}")]
    Log(String),
    #[error(
        "the tlog-proof's extra data does not give the certificate ({0}): use the .tlog-proof file that came with it"
    )]
    Evidence(String),
    #[error(
        "the certificate is not the one that its log entry earns: it differs from the entry's profile"
    )]
    Other,
}

/// A certificate that is what its log entry earns.
pub(crate) struct Verified {
    pub(crate) identity: PresentedIdentity,
    pub(crate) issuance: Issuance,
    pub(crate) evidence: Evidence,
    pub(crate) report: VerifyReport,
}

/// Checks a leaf: CA signature, profile byte for byte, and the entry's inclusion under the log-policy's quorum.
pub(crate) fn verify(
    leaf: &[u8],
    proof: &[u8],
    ca: &Ca,
    policy: &LogPolicy,
) -> Result<Verified, VerifyError> {
    let identity =
        PresentedIdentity::from_der(leaf).map_err(|e| VerifyError::Profile(e.to_string()))?;
    let (tbs, signature) = disassemble(leaf).map_err(|e| VerifyError::Profile(e.to_string()))?;
    UnparsedPublicKey::new(&ED25519, &ca.key)
        .verify(&tbs, &signature)
        .map_err(|_| VerifyError::Signature)?;
    let proof = TlogProof::parse(proof).map_err(|e| VerifyError::Log(e.to_string()))?;
    let extra = proof.extra.clone().unwrap_or_default();
    let evidence = Evidence::decode(&extra).map_err(|e| VerifyError::Evidence(e.to_string()))?;
    let logged = proof
        .verify(evidence.entry.clone(), policy)
        .map_err(|e| VerifyError::Log(e.to_string()))?;
    let earned = evidence
        .tbs(ca)
        .map_err(|e| VerifyError::Evidence(e.to_string()))?;
    if earned.as_bytes() != tbs {
        return Err(VerifyError::Other);
    }
    let Ok(Entry {
        body: Body::Issuance(issuance),
        ..
    }) = Entry::decode(logged.entry())
    else {
        return Err(VerifyError::Other);
    };
    let report = VerifyReport {
        spiffe_id: format!(
            "spiffe://{}/{}/{}",
            identity.trust_domain, identity.policy, identity.pseudonym
        ),
        trust_domain: identity.trust_domain.clone(),
        policy: identity.policy.clone(),
        pseudonym: identity.pseudonym.to_string(),
        policy_digest: crate::hex(&identity.policy_digest),
        not_before: time(identity.not_before),
        not_after: time(identity.not_after),
        disclosed: identity
            .disclosed
            .iter()
            .map(|(name, value)| (name.clone(), disclosed_text(value)))
            .collect(),
        log: logged.checkpoint().checkpoint().origin().to_owned(),
        index: logged.index(),
        cosigners: logged
            .checkpoint()
            .cosigners()
            .iter()
            .map(|(key, _)| key.name().to_owned())
            .collect(),
    };
    Ok(Verified {
        identity,
        issuance,
        evidence,
        report,
    })
}

/// `bauta verify-certificate`.
pub(crate) fn verify_certificate(
    arguments: &cli::VerifyCertificate,
) -> anyhow::Result<VerifyReport> {
    let first = |path: &std::path::Path| -> anyhow::Result<CertificateDer<'static>> {
        let pem = files::read(path, LIMIT)?;
        CertificateDer::from_pem_slice(&pem)
            .map_err(|_| anyhow::anyhow!("{} holds no certificate in PEM", path.display()))
    };
    let wrong = |error: VerifyError| Failure::new(Exit::Wrong, error.to_string());
    let leaf = first(&arguments.certificate)?;
    let ca_path = named_or_near(
        arguments.ca.as_deref(),
        &arguments.certificate,
        "ca.pem",
        "--ca",
    )?;
    let policy_path = named_or_near(
        arguments.log_policy.as_deref(),
        &arguments.certificate,
        "log-policy",
        "--log-policy",
    )?;
    let proof = files::read(&arguments.proof, LIMIT)?;
    let policy = LogPolicy::parse(&files::read(&policy_path, LIMIT)?)
        .with_context(|| format!("{}", policy_path.display()))?;
    let identity = PresentedIdentity::from_der(&leaf)
        .map_err(|e| wrong(VerifyError::Profile(e.to_string())))?;
    // While a CA rotates its key, the file holds the certificates of both.
    let pem = files::read(&ca_path, LIMIT)?;
    let mut refusal = None;
    for der in CertificateDer::pem_slice_iter(&pem) {
        let not_a_ca = || format!("{} is not the certificate of a Bauta CA", ca_path.display());
        let ca = Ca::from_certificate(&der.with_context(not_a_ca)?, identity.enterprise_number)
            .with_context(not_a_ca)?;
        match verify(&leaf, &proof, &ca, &policy) {
            Ok(verified) => return Ok(verified.report),
            // Another key's certificate; what any other refusal says is of the CA that did sign.
            Err(error @ VerifyError::Signature) => {
                refusal.get_or_insert(error);
            }
            Err(error) => return Err(wrong(error)),
        }
    }
    Err(match refusal {
        Some(error) => wrong(error),
        None => anyhow::anyhow!("{} holds no certificate in PEM", ca_path.display()),
    })
}

/// The file that was named, or the one of this name in the certificate's folder or the folder above it.
fn named_or_near(
    named: Option<&Path>,
    certificate: &Path,
    name: &str,
    option: &str,
) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let folder = certificate.parent().unwrap_or(Path::new(""));
    [folder.join(name), folder.join("..").join(name)]
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| {
            format!("no {name} beside the certificate or above it: name it with {option} FILE")
        })
}
/// A disclosed value, for people.
pub(crate) fn disclosed_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Integer(value) => value.to_string(),
        AttributeValue::Text(value) => value.clone(),
        AttributeValue::Absent => String::new(),
    }
}
