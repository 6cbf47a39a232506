//! `bauta policy publish` and `bauta epoch publish`: clients of the service's admin socket.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bauta_service::admin::Client;
use bauta_statement::note;

use super::crl;
use crate::{files, print::Printer};

const LARGEST_OBJECT: u64 = 1 << 20;

/// Logs signed files, in order; each is in the log under q cosignatures when this returns.
pub(crate) async fn files(
    paths: &[PathBuf],
    objects: Option<&Path>,
    socket: &Path,
    printer: Printer,
) -> anyhow::Result<()> {
    let service = Client::new(socket);
    for path in objects.map(verifying_keys).transpose()?.unwrap_or_default() {
        service
            .submit_object(&files::read(&path, LARGEST_OBJECT)?)
            .await
            .with_context(|| path.display().to_string())?;
    }
    let mut logged = Vec::new();
    for path in paths {
        let bytes = to_log(path)?;
        let index = service
            .submit_file(&bytes)
            .await
            .with_context(|| format!("{} was not logged", path.display()))?;
        logged.push(serde_json::json!({ "file": path.display().to_string(), "index": index }));
        printer.note(format!("{} is entry {index}", path.display()));
    }
    printer.result(&logged, "")
}

/// What the log takes of a file: a signed file as it is, a CA's CRL in DER.
fn to_log(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = files::read(path, crl::LARGEST_FILE)?;
    Ok(crl::of_file(&bytes, path)?.unwrap_or(bytes))
}

/// The verifying keys that `bauta parameters` wrote in a folder.
fn verifying_keys(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut keys = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "verifying-key")
        {
            keys.push(path);
        }
    }
    Ok(keys)
}

/// Logs those of the files that are not logged yet.
pub(crate) async fn missing(paths: &[PathBuf], service: &Client) -> anyhow::Result<()> {
    let logged = service.status().await?.files;
    for path in paths {
        let bytes = to_log(path)?;
        if !logged.contains(&crate::hex(&note::sha256(&bytes))) {
            service
                .submit_file(&bytes)
                .await
                .with_context(|| format!("{} was not logged", path.display()))?;
        }
    }
    Ok(())
}

/// Logs the epoch that is due.
pub(crate) async fn epoch(socket: &Path, printer: Printer) -> anyhow::Result<()> {
    let number = Client::new(socket).publish_epoch().await?;
    printer.result(
        &serde_json::json!({ "epoch": number }),
        format!("epoch {number} is logged"),
    )
}
