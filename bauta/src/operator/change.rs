//! `bauta ca change`: the next version of the authority file, with other signers, other numbers or other custodians. Administrators
//! sign it, k of them; it takes effect at a head that q signers of before and q of after have cosigned.

use anyhow::{Context, bail};
use bauta_service::admin::Client;
use bauta_statement::{
    file::{Authority, Body, SignedFile, custody::Custodian},
    note,
};

use super::{
    ca::{check_recipients, policy_of, read_signer, settled},
    keys::read_administrator,
};
use crate::{cli::CaChange, files, hex, print::Printer};

/// Logs the next version.
pub(crate) async fn change(arguments: &CaChange, printer: Printer) -> anyhow::Result<()> {
    let service = Client::new(&arguments.operator.socket);
    settled(&service).await?;
    let note = service.ca().await?.authority;
    let file = SignedFile::parse(note.as_bytes()).context("the service's authority file")?;
    let Body::Authority(before) = file.body else {
        bail!("the service's authority file is none");
    };
    let next = next(*before, arguments)?;
    let signers = arguments
        .operator
        .keys
        .iter()
        .map(|key| read_administrator(key))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let text = next.to_text()?;
    let note = note::sign(&text, &signers.iter().collect::<Vec<_>>())?;
    service
        .submit_file(&note)
        .await
        .context("logging the authority")?;
    if let Some(file) = &arguments.log_policy {
        files::write(file, &policy_of(&next)?.to_bytes())?;
    }
    let digest = hex(&SignedFile::parse(&note)?.digest());
    let names: Vec<&str> = next.signers.iter().map(|one| one.name.as_str()).collect();
    let value = serde_json::json!({
        "authority": digest, "version": next.version, "signers": names, "quorum": next.quorum,
    });
    let mut text = format!(
        "authority version {}, digest {digest}\nsigners: {}\n",
        next.version,
        names.join(", ")
    );
    for custodian in &next.custodians {
        text.push_str(&format!(
            "{} keeps the backups of {}\n",
            custodian.name,
            custodian.signers.join(", ")
        ));
    }
    printer.result(&value, text)
}

/// The version after this one, with the changes that were asked for.
fn next(mut next: Authority, arguments: &CaChange) -> anyhow::Result<Authority> {
    next.version += 1;
    for name in &arguments.without {
        let before = next.signers.len();
        next.signers.retain(|signer| signer.name != *name);
        if next.signers.len() == before {
            bail!("the authority names no signer {name:?}");
        }
        for custodian in &mut next.custodians {
            custodian.signers.retain(|signer| signer != name);
        }
    }
    for file in &arguments.signers {
        let signer = read_signer(file)?;
        match next.signers.iter_mut().find(|one| one.name == signer.name) {
            Some(place) => *place = signer,
            None => next.signers.push(signer),
        }
    }
    next.quorum.n = next.signers.len();
    if let Some(quorum) = arguments.quorum {
        next.quorum = quorum;
    }
    if let Some(file) = &arguments.custodians {
        next.custodians = serde_json::from_slice::<Vec<Custodian>>(&files::read(file, 65_536)?)
            .with_context(|| format!("{} is no list of custodians", file.display()))?;
        check_recipients(&next.custodians)?;
    }
    Ok(next)
}
