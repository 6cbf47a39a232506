//! `bauta ca refresh|reshare|repair`: the life of a CA key after it is made. Each is a key operation that administrators sign;
//! it is logged first, then the signers do it among themselves. The key and its certificate stay what they are.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bauta_service::admin::{Client, Status};
use bauta_statement::{
    file::{
        self, Authority, Body, Header, KeyOperation, Kind, SignedFile,
        authority::CaKey,
        key_operation::{Participant, RepairShare, ReshareKey},
    },
    note,
};

use super::{
    ca::{all_signers, settled},
    keys::read_administrator,
};
use crate::{clock, hex, print::Printer};

/// For how long an order counts: it is carried out at once, or signed anew.
const VALID: u64 = 86_400;

/// What all three need to know.
pub(crate) struct Order<'a> {
    /// The service's admin socket.
    pub(crate) socket: &'a Path,
    /// Administrators' keys.
    pub(crate) keys: &'a [PathBuf],
    /// Name of the CA key; the only one if it is not said.
    pub(crate) ca_key: Option<&'a str>,
    /// Whose present shares are used; t that are connected if it is not said.
    pub(crate) givers: &'a [String],
}

/// Where the CA stands.
struct Standing {
    service: Client,
    authority: Authority,
    key: CaKey,
    status: Status,
}

impl Order<'_> {
    async fn standing(&self) -> anyhow::Result<Standing> {
        let service = Client::new(self.socket);
        let status = settled(&service).await?;
        let note = service.ca().await?.authority;
        let file = SignedFile::parse(note.as_bytes()).context("the service's authority file")?;
        let Body::Authority(authority) = file.body else {
            bail!("the service's authority file is none");
        };
        let key = match (self.ca_key, authority.ca_keys.as_slice()) {
            (None, [key]) => key,
            (None, []) => bail!("the CA has no key yet: run bauta ca init"),
            (None, keys) => bail!(
                "the CA has {} keys: say which by --ca-key: {}",
                keys.len(),
                names(keys.iter().map(|key| key.name.as_str()))
            ),
            (Some(name), keys) => keys
                .iter()
                .find(|key| key.name == name)
                .with_context(|| format!("the CA has no key {name:?}"))?,
        };
        let key = key.clone();
        Ok(Standing {
            service,
            authority: *authority,
            key,
            status,
        })
    }

    /// t holders whose shares are used: those that were named, or the first that are connected.
    fn givers(&self, standing: &Standing, but: Option<&str>) -> anyhow::Result<Vec<String>> {
        if !self.givers.is_empty() {
            return Ok(self.givers.to_vec());
        }
        let Standing { key, status, .. } = standing;
        let connected = |name: &str| {
            let mut signers = status.signers.iter();
            signers.any(|signer| signer.connected && signer.name == name)
        };
        let there: Vec<String> = key
            .verifying_shares
            .iter()
            .map(|share| share.signer.clone())
            .filter(|name| but != Some(name.as_str()) && connected(name))
            .take(key.t)
            .collect();
        if there.len() < key.t {
            bail!(
                "{} holders of the key {:?} are needed, and only {} are connected: start more",
                key.t,
                key.name,
                names(there.iter().map(String::as_str))
            );
        }
        Ok(there)
    }

    /// Signs the order and logs it.
    async fn log(
        &self,
        standing: &Standing,
        what: &str,
        operation: &KeyOperation,
    ) -> anyhow::Result<()> {
        let signers = self
            .keys
            .iter()
            .map(|key| read_administrator(key))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let now = clock::now();
        let header = Header {
            kind: Kind::KeyOperation,
            trust_domain: standing.authority.trust_domain.clone(),
            name: format!("{what}-{}", standing.key.name),
            // Versions only go up, and so does the clock.
            version: now,
            expires: now + VALID,
        };
        let text = file::to_text(&header, operation)?;
        let note = note::sign(&text, &signers.iter().collect::<Vec<_>>())?;
        standing
            .service
            .submit_file(&note)
            .await
            .with_context(|| format!("logging the {what}"))?;
        Ok(())
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// New shares for the signers that have one now, by the same threshold: what was stolen of the old ones is worthless then.
pub(crate) async fn refresh(order: &Order<'_>, printer: Printer) -> anyhow::Result<()> {
    let standing = order.standing().await?;
    let holders = standing.key.verifying_shares.iter();
    let holders: Vec<String> = holders.map(|share| share.signer.clone()).collect();
    let t = standing.key.t;
    share_anew(order, standing, "refresh", &holders, t, printer).await
}

/// New shares for these signers, by this threshold.
pub(crate) async fn reshare(
    order: &Order<'_>,
    signers: &[String],
    threshold: Option<usize>,
    printer: Printer,
) -> anyhow::Result<()> {
    let standing = order.standing().await?;
    let all = standing.authority.signers.iter();
    let all: Vec<String> = all.map(|signer| signer.name.clone()).collect();
    let signers = if signers.is_empty() { &all } else { signers };
    let t = threshold.unwrap_or(standing.authority.quorum.t);
    share_anew(order, standing, "reshare", signers, t, printer).await
}

async fn share_anew(
    order: &Order<'_>,
    standing: Standing,
    what: &str,
    receivers: &[String],
    t: usize,
    printer: Printer,
) -> anyhow::Result<()> {
    let Standing {
        service,
        authority,
        key,
        ..
    } = &standing;
    let dealers = order.givers(&standing, None)?;
    let participants = (1_u16..)
        .zip(receivers)
        .map(|(identifier, name)| {
            let mut signers = authority.signers.iter();
            let signer = signers
                .find(|signer| signer.name == *name)
                .with_context(|| {
                    format!("the authority names no signer {name:?}: log one that does first")
                })?;
            Ok(Participant {
                identifier,
                signer: signer.name.clone(),
                approval: signer.approval.clone(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let operation = KeyOperation::ReshareKey(ReshareKey {
        key: key.name.clone(),
        group_key: key.group_key,
        from: key.sharing(),
        dealers: dealers.clone(),
        n: participants.len(),
        participants,
        t,
        q: authority.quorum.q,
    });
    let taking_part = authority.signers.iter();
    let taking_part: Vec<_> = taking_part
        .filter(|signer| dealers.contains(&signer.name) || receivers.contains(&signer.name))
        .cloned()
        .collect();
    all_signers(service, &taking_part, "a resharing needs every member").await?;
    order.log(&standing, what, &operation).await?;
    let transcript = service
        .reshare_key()
        .await
        .context("sharing the key anew")?;
    printer.note(super::transcript::read(&transcript)?.1);
    let after = order.standing().await?.key;
    let value = serde_json::json!({
        "key": after.name,
        "group_key": hex(&after.group_key),
        "sharing": hex(&after.sharing()),
        "holders": receivers,
        "threshold": after.t,
    });
    printer.result(
        &value,
        format!(
            "{} has new shares, {} of {}: {}. The key and its certificate are the same.",
            after.name,
            after.t,
            receivers.len(),
            names(receivers.iter().map(String::as_str))
        ),
    )
}

/// The share that a signer lost, made again by others.
pub(crate) async fn repair(
    order: &Order<'_>,
    signer: &str,
    printer: Printer,
) -> anyhow::Result<()> {
    let standing = order.standing().await?;
    let Standing {
        service,
        authority,
        key,
        ..
    } = &standing;
    let helpers = order.givers(&standing, Some(signer))?;
    let operation = KeyOperation::RepairShare(RepairShare {
        key: key.name.clone(),
        group_key: key.group_key,
        sharing: key.sharing(),
        signer: signer.to_owned(),
        helpers: helpers.clone(),
    });
    let taking_part = authority.signers.iter();
    let taking_part: Vec<_> = taking_part
        .filter(|one| helpers.contains(&one.name) || one.name == signer)
        .cloned()
        .collect();
    all_signers(service, &taking_part, "a repair needs every member").await?;
    order.log(&standing, "repair", &operation).await?;
    service
        .repair_share()
        .await
        .context("repairing the share")?;
    let value = serde_json::json!({ "key": key.name, "signer": signer, "helpers": helpers });
    printer.result(
        &value,
        format!(
            "{signer} has its share of {} back, by the help of {}.",
            key.name,
            names(helpers.iter().map(String::as_str))
        ),
    )
}
