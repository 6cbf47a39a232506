//! `bauta audit`: from the public files alone, everything that a log claims. The checkpoint and its cosignatures, every tile
//! and inclusion, every entry by the rules that signers run, every presentation, and the signers' own copies.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bauta_log::{
    CosignedCheckpoint, FolderStorage, LogPolicy, LogReader, SignedCheckpoint, TileSource,
    reader::AuditError,
    storage::{StorageError, get_object},
};
use bauta_statement::{
    entry::{Body, Entry},
    file::{SignedFile, text::parse_hex},
    note::Digest,
};
use bauta_verifier::{
    audit::{Finding, Summary},
    ledger::Objects,
};
use serde::Serialize;

use crate::{
    cli, files, hex,
    operator::ca::policy_of,
    print::{Exit, Failure, Printer},
};

/// Entries whose presentations are verified together.
const BATCH: usize = 256;
/// The most bytes that are read of one file of a log over HTTP.
const LARGEST_FILE: usize = 32 << 20;

/// What an audit found.
#[derive(Serialize)]
pub(crate) struct Report {
    origin: String,
    size: u64,
    root: String,
    cosigners: Vec<String>,
    authority: String,
    /// Whether the caller said which authority is the right one; else the log's own was taken at its word.
    authority_pinned: bool,
    /// Whether the log-policy is the caller's own; else the service's was taken at its word.
    log_policy_pinned: bool,
    issued: u64,
    /// Invalid issuances that the service logged; no certificate may exist for them.
    faults: Vec<String>,
    /// Signers' copies that agree.
    copies: Vec<String>,
}

impl Report {
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "log {}: {} entries, root {}…",
                self.origin,
                self.size,
                &self.root[..16]
            ),
            format!("checkpoint cosigned by {}", self.cosigners.join(", ")),
            format!(
                "{} certificate(s) issued, each with a presentation that verifies",
                self.issued
            ),
        ];
        if !self.copies.is_empty() {
            lines.push(format!(
                "{} signers' own copies hold the same log",
                self.copies.len()
            ));
        }
        if !self.authority_pinned {
            lines.push(format!("taken at the log's word: its first authority is {}; compare, and give it with --authority", self.authority));
        }
        if !self.log_policy_pinned {
            lines.push(
                "taken at the service's word: its log-policy; give your own with --log-policy"
                    .to_owned(),
            );
        }
        for fault in &self.faults {
            lines.push(format!("fault of the service: {fault}"));
        }
        lines.join("\n")
    }
}

pub(crate) async fn run(arguments: &cli::Audit, printer: Printer) -> anyhow::Result<()> {
    let report = audit(arguments).await?;
    printer.result(&report, report.text())?;
    if report.faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Wrong,
            "the service logged issuances that are not valid; signers gave no shares for them",
        ))
    }
}

/// Audits a log; an error names the first thing that is wrong. Faults of the service are in the report.
pub(crate) async fn audit(arguments: &cli::Audit) -> anyhow::Result<Report> {
    let told = arguments.log_policy.clone();
    let pinned = arguments
        .authority
        .as_deref()
        .map(parse_hex)
        .transpose()
        .context("--authority")?;
    let log = arguments.log.clone();
    let service_ca = arguments.service_ca.clone();
    let compare = arguments.compare.clone();
    // Files are read and presentations verified on a thread that may block.
    tokio::task::spawn_blocking(move || {
        if log.starts_with("https://") {
            let source = HttpSource::new(&log, service_ca.as_deref())?;
            let policy = match &told {
                Some(path) => files::read(path, 1 << 20)?,
                None => source
                    .fetch("log-policy")?
                    .context("the service has no log-policy: give yours with --log-policy FILE")?,
            };
            let policy = LogPolicy::parse(&policy).context("log-policy")?;
            examine(source, &policy, told.is_some(), pinned, &compare)
        } else {
            let folder = Path::new(&log);
            if !folder.is_dir() {
                bail!("{log} is neither a folder nor an https:// address");
            }
            // Whoever keeps the folder keeps the policy beside it, out of the log's reach.
            let path = told.unwrap_or_else(|| folder.join("../log-policy"));
            let policy = LogPolicy::parse(
                &files::read(&path, 1 << 20)
                    .context("give the log-policy with --log-policy FILE")?,
            )
            .with_context(|| path.display().to_string())?;
            examine(
                FolderStorage::read_only(folder),
                &policy,
                true,
                pinned,
                &compare,
            )
        }
    })
    .await?
}

fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(Exit::Wrong, error.to_string())
}

fn examine<S: TileSource>(
    source: S,
    policy: &LogPolicy,
    policy_pinned: bool,
    pinned: Option<Digest>,
    copies: &[PathBuf],
) -> anyhow::Result<Report> {
    let reader = LogReader::new(source);
    let signed = published(&reader)?;
    let checkpoint = policy.check(&signed).map_err(wrong)?;
    let authority = match pinned {
        Some(digest) => digest,
        None => first_authority(&reader, &checkpoint)?,
    };
    let summary = verify_entries(&reader, &checkpoint, policy, authority)?;
    let compared = copies
        .iter()
        .map(|folder| compare(&reader, &checkpoint, policy, folder))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let head = checkpoint.head();
    Ok(Report {
        origin: checkpoint.checkpoint().origin().to_owned(),
        size: head.size,
        root: hex(&head.root),
        cosigners: checkpoint
            .cosigners()
            .iter()
            .map(|(key, _)| key.name().to_owned())
            .collect(),
        authority: hex(&authority),
        authority_pinned: pinned.is_some(),
        log_policy_pinned: policy_pinned,
        issued: summary.issued,
        faults: summary
            .faults
            .iter()
            .map(|(index, fault)| format!("entry {index}: {fault}"))
            .collect(),
        copies: compared,
    })
}

pub(crate) fn published<S: TileSource>(reader: &LogReader<S>) -> anyhow::Result<SignedCheckpoint> {
    match reader.checkpoint()? {
        Some(signed) => signed.map_err(wrong),
        None => bail!("the log has no checkpoint"),
    }
}

/// The digest of the log's own first authority file, for an auditor who was told none.
fn first_authority<S: TileSource>(
    reader: &LogReader<S>,
    checkpoint: &CosignedCheckpoint,
) -> anyhow::Result<Digest> {
    let (first, _) = reader.entry(0, checkpoint).map_err(wrong)?;
    let Body::Authority(object) = Entry::decode(first.entry()).map_err(wrong)?.body else {
        return Err(wrong("the log does not begin with an authority"));
    };
    let note = get_object(reader.source(), &object.digest)?
        .context("the first authority file is not among the objects")?;
    Ok(SignedFile::parse(&note).map_err(wrong)?.digest())
}

/// Objects of the log that is audited.
pub(crate) struct LogObjects<'a, S>(pub(crate) &'a S);

impl<S: TileSource> Objects for LogObjects<'_, S> {
    fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        get_object(self.0, digest).ok().flatten()
    }
}

fn verify_entries<S: TileSource>(
    reader: &LogReader<S>,
    checkpoint: &CosignedCheckpoint,
    policy: &LogPolicy,
    authority: Digest,
) -> anyhow::Result<Summary> {
    let objects = LogObjects(reader.source());
    let mut audit = bauta_verifier::audit::Audit::new(authority);
    let mut batch: Vec<Vec<u8>> = Vec::new();
    let mut verify = |batch: &mut Vec<Vec<u8>>| -> anyhow::Result<Vec<Finding>> {
        let findings = audit
            .next_entries(batch, &objects)
            .map_err(|(index, refusal)| {
                wrong(format!("entry {index} must not be in the log: {refusal}"))
            });
        batch.clear();
        findings
    };
    reader.audit(&checkpoint.head(), |_, entry| -> Result<(), AuditFailure> {
        batch.push(entry.to_vec());
        if batch.len() == BATCH {
            verify(&mut batch).map_err(AuditFailure)?;
        }
        Ok(())
    })?;
    verify(&mut batch)?;
    let last = audit
        .ledger()
        .authority()
        .context("the log has no authority")?;
    if policy_of(last)? != *policy {
        return Err(wrong(
            "the log-policy does not name the log, signers and quorum of the log's newest authority",
        ));
    }
    Ok(audit.summary().clone())
}

/// An error from inside the reading of a log.
#[derive(Debug)]
struct AuditFailure(anyhow::Error);

impl From<AuditError> for AuditFailure {
    fn from(error: AuditError) -> Self {
        Self(wrong(error))
    }
}

impl From<AuditFailure> for anyhow::Error {
    fn from(failure: AuditFailure) -> Self {
        failure.0
    }
}

/// Compares a signer's own copy: whole by itself, and the same log as far as both go.
fn compare<S: TileSource>(
    reader: &LogReader<S>,
    checkpoint: &CosignedCheckpoint,
    policy: &LogPolicy,
    folder: &Path,
) -> anyhow::Result<String> {
    let name = folder.display().to_string();
    let copy = LogReader::new(FolderStorage::read_only(folder));
    let signed = published(&copy).with_context(|| name.clone())?;
    let logs = policy.logs().any(|log| log.verify(&signed).is_ok());
    if !logs {
        return Err(wrong(format!(
            "{name}: its checkpoint is not signed by the log"
        )));
    }
    let (ours, theirs) = (checkpoint.head(), signed.checkpoint().head());
    copy.audit(&theirs, |_, _| Ok::<(), AuditError>(()))
        .map_err(|error| wrong(format!("{name}: {error}")))?;
    let agrees = if theirs.size <= ours.size {
        reader.head_at(&ours, theirs.size).map_err(wrong)? == theirs
    } else {
        copy.head_at(&theirs, ours.size).map_err(wrong)? == ours
    };
    if !agrees {
        return Err(wrong(format!(
            "{name} holds another log: the service has forked it; keep both, and tell the administrators"
        )));
    }
    Ok(name)
}

/// A log over HTTPS, file by file.
struct HttpSource {
    client: reqwest::blocking::Client,
    base: String,
}

impl HttpSource {
    fn new(base: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = reqwest::blocking::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(60));
        if let Some(path) = ca {
            let pem = files::read(path, 1 << 20)?;
            builder = builder.tls_certs_only(
                reqwest::Certificate::from_pem_bundle(&pem)
                    .with_context(|| path.display().to_string())?,
            );
        }
        Ok(Self {
            client: builder.build()?,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    fn fetch(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        use std::io::Read as _;
        let response = self.client.get(format!("{}/{path}", self.base)).send()?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        response
            .error_for_status()?
            .take(LARGEST_FILE as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > LARGEST_FILE {
            bail!("it is larger than {LARGEST_FILE} bytes");
        }
        Ok(Some(bytes))
    }
}

impl TileSource for HttpSource {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.fetch(path).map_err(|error| StorageError::Unavailable {
            path: path.to_owned(),
            reason: format!("{error:#}"),
        })
    }
}
