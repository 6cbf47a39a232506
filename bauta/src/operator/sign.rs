//! `bauta policy check|sign`: signed files, from the JSON body that a person writes to the note that the log takes.

use std::path::Path;

use anyhow::{Context, bail};
use bauta_statement::{
    file::{self, Body, Header, Kind, SignedFile},
    note::{self, NoteSigner},
};
use serde_json::Value;

use super::{crl, keys::read_administrator};
use crate::{
    cli::SignFile,
    clock, files, hex,
    print::{Exit, Failure, Printer},
};

/// The largest file that is read; larger ones the log would refuse.
const LIMIT: u64 = note::MAX_NOTE_BYTES as u64;
const YEAR: u64 = 366 * 86_400;

pub(crate) fn check(path: &Path, kind: Kind, printer: Printer) -> anyhow::Result<()> {
    let bytes = files::read(path, crl::LARGEST_FILE)?;
    if let Some(der) = crl::of_file(&bytes, path)? {
        return crl::describe(&der, printer);
    }
    let mut digest = None;
    let (header, body) = if is_note(&bytes) {
        let file = SignedFile::parse(&bytes).map_err(|error| wrong(path, &error))?;
        digest = Some(hex(&file.digest()));
        (file.header, file.body)
    } else {
        let text = text_of(&bytes, kind, "example.org", None, 1, clock::now() + YEAR)
            .with_context(|| path.display().to_string())?;
        file::parse_text(&text).map_err(|error| wrong(path, &error))?
    };
    let mut warnings: Vec<String> = Vec::new();
    if let Body::Policy(policy) = &body {
        warnings = policy
            .check()
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect();
    }
    let value = serde_json::json!({ "type": header.kind, "name": header.name, "digest": digest, "warnings": warnings });
    let mut text = format!("{} {:?} is well-formed", header.kind.as_str(), header.name);
    if let Some(digest) = &digest {
        text.push_str(&format!(", digest {digest}"));
    }
    for warning in &warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    printer.result(&value, text)
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    Failure::new(Exit::Wrong, format!("{}: {error}", path.display()))
}

fn is_note(bytes: &[u8]) -> bool {
    bytes.starts_with(b"bauta/v1/")
}

pub(crate) fn sign(arguments: &SignFile, printer: Printer) -> anyhow::Result<()> {
    let signers = arguments
        .keys
        .iter()
        .map(|path| read_administrator(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let signers: Vec<&NoteSigner> = signers.iter().collect();
    let bytes = files::read(&arguments.file, LIMIT)?;
    let signed = if is_note(&bytes) {
        note::add_signatures(&bytes, &signers)?
    } else {
        let Some(trust_domain) = &arguments.trust_domain else {
            bail!("--trust-domain is needed to sign a JSON body");
        };
        let expires = match &arguments.expires {
            Some(text) => file::text::parse_time(text)?,
            None => clock::now() / 86_400 * 86_400 + YEAR,
        };
        let text = text_of(
            &bytes,
            arguments.kind,
            trust_domain,
            arguments.name.as_deref(),
            arguments.version,
            expires,
        )
        .with_context(|| arguments.file.display().to_string())?;
        note::sign(&text, &signers)?
    };
    let parsed = SignedFile::parse(&signed).map_err(|error| wrong(&arguments.file, &error))?;
    files::write(&arguments.out, &signed)?;
    let digest = hex(&parsed.digest());
    let value = serde_json::json!({ "type": parsed.header.kind, "name": parsed.header.name, "version": parsed.header.version, "digest": digest });
    printer.result(
        &value,
        format!(
            "{} {:?} version {}, digest {digest}",
            parsed.header.kind.as_str(),
            parsed.header.name,
            parsed.header.version
        ),
    )
}

/// Header and body as they are signed. The body is printed by serde from its parsed type, so what is signed is what was
/// understood.
pub(crate) fn text_of(
    json: &[u8],
    kind: Kind,
    trust_domain: &str,
    name: Option<&str>,
    version: u64,
    expires: u64,
) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(json).context("no JSON")?;
    let own = body.get("name").and_then(Value::as_str);
    let name = match (kind, name, own) {
        (Kind::Parameters, None, _) => file::parameters::NAME,
        (Kind::Authority, _, _) => file::authority::NAME,
        (_, Some(name), _) => name,
        (Kind::Policy | Kind::Schema, None, Some(own)) => own,
        _ => bail!("--name is needed for this type"),
    };
    let header = Header {
        kind,
        trust_domain: trust_domain.to_owned(),
        name: name.to_owned(),
        version,
        expires,
    };
    let written = std::str::from_utf8(json).context("no UTF-8")?;
    // Parse what was written (unknown and doubled fields are refused there), then print it in serde's one form.
    let (header, body) = file::parse_text(&format!("{}{}\n", header.to_text()?, written.trim()))
        .map_err(|error| Failure::new(Exit::Wrong, error.to_string()))?;
    Ok(match &body {
        Body::Policy(body) => file::to_text(&header, body)?,
        Body::Schema(body) => file::to_text(&header, body)?,
        Body::IssuerSet(body) => file::to_text(&header, body)?,
        Body::RevocationList(body) => file::to_text(&header, body)?,
        Body::KeyOperation(body) => file::to_text(&header, body)?,
        Body::Parameters(body) => file::to_text(&header, body)?,
        Body::Tombstone(body) => file::to_text(&header, body)?,
        Body::Authority(body) => file::to_text(&header, body)?,
        _ => bail!("this type cannot be signed here"),
    })
}
