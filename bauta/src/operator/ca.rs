//! `bauta ca authority|init`: founding a CA. The authority file comes first, because everyone pins its digest; then the log
//! begins with it, the signers generate the key among themselves, and sign their CA's certificate.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bauta_log::{CosignatureVerifier, LogPolicy, LogVerifier};
use bauta_service::admin::{Client, Status};
use bauta_statement::{
    file::{
        self, Authority, Body, Header, KeyOperation, Kind, SignedFile,
        authority::{Administrators, LogIdentity, Mode, Quorum, Signer},
        custody::Custodian,
        hierarchy::Purpose,
        key_operation::{CaSubject, GenerateKey, Participant, SignCaCertificate},
    },
    note::{self, NoteKey, NoteSigner},
};
use serde::Deserialize;

use super::keys::read_administrator;
use crate::{
    clock, files, hex,
    print::{Exit, Failure, Printer},
};

const DAY: u64 = 86_400;
/// How long signers have to dial in.
const SIGNERS: std::time::Duration = std::time::Duration::from_secs(60);
/// The name of a CA's first key.
pub(crate) const FIRST_KEY: &str = "key-1";

/// What a person writes to found a CA (`--plan`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    trust_domain: String,
    ca_name: String,
    mode: Mode,
    enterprise_number: u32,
    epoch_seconds: u32,
    /// The log key, as `bauta keys new service` printed it; its name is the log's origin.
    log: NoteKey,
    administrators: Administrators,
    /// The files `signer.json` that `bauta signer keys` wrote, relative to the plan.
    signers: Vec<PathBuf>,
    quorum: Quorum,
    /// Who keeps backups of whose shares, if anyone does (docs/keys.md).
    #[serde(default)]
    custodians: Vec<Custodian>,
    /// Days until the authority file expires.
    #[serde(default = "ten_years")]
    valid_days: u64,
}

fn ten_years() -> u64 {
    3660
}

/// Signs the first authority with all administrators' keys; writes it and its log-policy; gives its digest.
pub(crate) fn authority(
    plan: &Path,
    keys: &[PathBuf],
    out: &Path,
    log_policy: &Path,
    printer: Printer,
) -> anyhow::Result<()> {
    let authority = read_plan(plan)?;
    let signers = keys
        .iter()
        .map(|key| read_administrator(key))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let text = authority.to_text()?;
    let note = note::sign(&text, &signers.iter().collect::<Vec<_>>())?;
    let file = SignedFile::parse(&note)?;
    let all = &authority.administrators.keys;
    file.note
        .require(all, all.len())
        .context("the first authority is signed by all administrators; give each one's --key")?;
    files::write(out, &note)?;
    files::write(log_policy, &policy_of(&authority)?.to_bytes())?;
    let digest = hex(&file.digest());
    let fingerprints: Vec<(&str, String)> = authority
        .signers
        .iter()
        .map(|signer| (signer.name.as_str(), signer.fingerprint().to_string()))
        .collect();
    let value = serde_json::json!({
        "authority": digest,
        "trust_domain": authority.trust_domain,
        "signers": fingerprints.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let mut text = format!(
        "authority {digest}\nPin this digest in every signer's configuration and every wallet. Compare the signers' \
         fingerprints with what their operators read (`bauta-signer keys show`):\n"
    );
    for (name, fingerprint) in fingerprints {
        text.push_str(&format!("  {fingerprint}   {name}\n"));
    }
    printer.result(&value, text)
}

fn read_plan(path: &Path) -> anyhow::Result<Authority> {
    let plan: Plan = serde_json::from_slice(&files::read(path, 1 << 20)?).with_context(|| {
        format!(
            "{} is no plan; docs/walkthrough.md shows one",
            path.display()
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let signers = plan
        .signers
        .iter()
        .map(|file| read_signer(&folder.join(file)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    check_recipients(&plan.custodians)?;
    Ok(Authority {
        trust_domain: plan.trust_domain,
        version: 1,
        expires: clock::now() / DAY * DAY + plan.valid_days * DAY,
        ca_name: plan.ca_name,
        mode: plan.mode,
        enterprise_number: plan.enterprise_number,
        epoch_seconds: plan.epoch_seconds,
        log: LogIdentity {
            origin: plan.log.name().to_owned(),
            key: plan.log,
        },
        administrators: plan.administrators,
        signers,
        quorum: plan.quorum,
        custodians: plan.custodians,
        ca_keys: Vec::new(),
    })
}

/// A signer's public file, as `bauta signer keys` and `bauta ca accept` write it.
pub(super) fn read_signer(file: &Path) -> anyhow::Result<Signer> {
    serde_json::from_slice(&files::read(file, 65_536)?)
        .with_context(|| format!("{} is no signer's public file", file.display()))
}

/// The authority file's own check knows a recipient by its form; a mistyped one is better found now than at the first backup.
pub(super) fn check_recipients(custodians: &[Custodian]) -> anyhow::Result<()> {
    for custodian in custodians {
        custodian
            .recipient
            .parse::<age::x25519::Recipient>()
            .map_err(|reason| anyhow::anyhow!("custodian {:?}: {reason}", custodian.name))?;
    }
    Ok(())
}

/// The C2SP tlog-policy that an authority gives: its log, cosigned by q of its signers.
pub(crate) fn policy_of(authority: &Authority) -> anyhow::Result<LogPolicy> {
    let log: LogVerifier = authority.log.key.to_string().parse().context("log key")?;
    let cosigners = authority
        .signers
        .iter()
        .map(|signer| {
            signer
                .cosignature
                .to_string()
                .parse::<CosignatureVerifier>()
                .context("cosignature key")
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(LogPolicy::quorum_of(log, &cosigners, authority.quorum.q)?)
}

/// What `ca init` needs to know.
pub(crate) struct Founding<'a> {
    pub(crate) socket: &'a Path,
    pub(crate) authority: &'a Path,
    pub(crate) keys: &'a [PathBuf],
    pub(crate) years: u32,
    pub(crate) organization: Option<String>,
    /// For a root: how many CAs may stand between it and a leaf.
    pub(crate) root: Option<u8>,
    pub(crate) out: &'a Path,
}

/// Begins the log, makes the CA key and its certificate, each step unless it is done already.
pub(crate) async fn init(founding: &Founding<'_>, printer: Printer) -> anyhow::Result<()> {
    let note = files::read(founding.authority, note::MAX_NOTE_BYTES as u64)?;
    let first =
        SignedFile::parse(&note).with_context(|| founding.authority.display().to_string())?;
    let Body::Authority(plan) = &first.body else {
        bail!("{} is no authority file", founding.authority.display());
    };
    let signers = founding
        .keys
        .iter()
        .map(|key| read_administrator(key))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let service = Client::new(founding.socket);

    if settled(&service).await?.authority.is_none() {
        service
            .submit_file(&note)
            .await
            .context("logging the authority")?;
        printer
            .note("the log begins with the authority; the signers cosigned its first checkpoint");
    }
    let mut status = service.status().await?;
    if status.ca_keys.is_empty() {
        if !status.key_generation_logged {
            let purpose = match founding.root {
                Some(_) => Purpose::Root,
                None => Purpose::Issuing,
            };
            let operation = generate_key(plan, FIRST_KEY, purpose);
            let operation = sign_operation(plan, "generate-key-1", 1, &operation, &signers)?;
            service
                .submit_file(&operation)
                .await
                .context("logging the key generation")?;
        }
        all_signers(&service, &plan.signers, "key generation needs every signer").await?;
        let transcript = service
            .generate_key()
            .await
            .context("distributed key generation")?;
        status = service.status().await?;
        printer.note(format!(
            "{} signers generated the CA key among them; no machine ever held it. All signed this, and the log keeps it:\n{}",
            plan.quorum.n,
            super::transcript::read(&transcript)?.1
        ));
    }
    let Some(key) = status.ca_keys.first().cloned() else {
        bail!("the service names no CA key after the key generation; look into its log");
    };
    if status.ca_certificate.is_none() {
        let group_key: [u8; 32] = key.group_key;
        if !status.ca_operation_logged {
            let operation = sign_certificate(plan, group_key, founding);
            let operation = sign_operation(plan, "sign-ca-1", 1, &operation, &signers)?;
            service
                .submit_file(&operation)
                .await
                .context("logging the CA certificate's key operation")?;
        }
        service
            .sign_ca_certificate()
            .await
            .context("threshold signature of the CA certificate")?;
        status = service.status().await?;
    }
    let Some(pem) = status.ca_certificate else {
        bail!("the service has no CA certificate after it was signed; look into its log");
    };
    files::write(founding.out, pem.as_bytes())?;
    let value = serde_json::json!({ "ca": founding.out.display().to_string(), "key": key.name });
    printer.result(
        &value,
        format!("CA certificate: {}", founding.out.display()),
    )
}

/// What is logged, once nothing waits for cosignatures any more: what a killed service left is published first.
pub(super) async fn settled(service: &Client) -> anyhow::Result<Status> {
    let deadline = tokio::time::Instant::now() + SIGNERS;
    loop {
        let status = service.status().await?;
        if status.pending == 0 {
            return Ok(status);
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Failure::new(
                Exit::Later,
                format!(
                    "{} entries wait for their cosignatures: start the signers, then run this again",
                    status.pending
                ),
            ));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Waits until every signer has dialled in: a run needs all its members, and the service lets signers in only from the moment
/// when the authority is logged. `why` is said if they do not.
pub(super) async fn all_signers(
    service: &Client,
    signers: &[Signer],
    why: &str,
) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + SIGNERS;
    loop {
        let status = service.status().await?;
        let connected = |signer: &Signer| {
            status
                .signers
                .iter()
                .any(|one| one.connected && one.name == signer.name)
        };
        let missing: Vec<&str> = signers
            .iter()
            .filter(|one| !connected(one))
            .map(|one| one.name.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Failure::new(
                Exit::Later,
                format!(
                    "{why}, and {} did not dial in: start them, then run this again",
                    missing.join(", ")
                ),
            ));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub(super) fn generate_key(authority: &Authority, key: &str, purpose: Purpose) -> KeyOperation {
    let participants = (1_u16..)
        .zip(&authority.signers)
        .map(|(identifier, signer)| Participant {
            identifier,
            signer: signer.name.clone(),
            approval: signer.approval.clone(),
        })
        .collect();
    let Quorum { n, t, q, .. } = authority.quorum;
    KeyOperation::GenerateKey(GenerateKey {
        key: key.to_owned(),
        purpose,
        participants,
        n,
        t,
        q,
    })
}

fn sign_certificate(
    authority: &Authority,
    group_key: [u8; 32],
    founding: &Founding<'_>,
) -> KeyOperation {
    let not_before = clock::now() / DAY * DAY;
    KeyOperation::SignCaCertificate(SignCaCertificate {
        key: FIRST_KEY.to_owned(),
        group_key,
        subject: CaSubject {
            country: None,
            organization: founding.organization.clone(),
            common_name: authority.ca_name.clone(),
        },
        not_before,
        not_after: not_before + u64::from(founding.years) * 365 * DAY,
        path_length: founding.root.unwrap_or(0),
    })
}

pub(super) fn sign_operation(
    authority: &Authority,
    name: &str,
    version: u64,
    operation: &KeyOperation,
    signers: &[NoteSigner],
) -> anyhow::Result<Vec<u8>> {
    let header = Header {
        kind: Kind::KeyOperation,
        trust_domain: authority.trust_domain.clone(),
        name: name.to_owned(),
        version,
        expires: authority.expires,
    };
    let text = file::to_text(&header, operation)?;
    Ok(note::sign(&text, &signers.iter().collect::<Vec<_>>())?)
}
