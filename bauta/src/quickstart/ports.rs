//! Where each part listens: loopback ports, the same as last time where they are free, so that yesterday's `curl` line works.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::files;

/// `endpoints.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Endpoints {
    /// The service's REST API.
    pub(super) service: String,
    /// Where signers dial in.
    pub(super) coordinator: String,
    /// The organisation's enrolment desk, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    /// The service's admin socket.
    pub(super) admin_socket: String,
}

/// Addresses to listen on.
pub(super) struct Ports {
    pub(super) service: SocketAddr,
    pub(super) coordinator: SocketAddr,
    pub(super) issuer: Option<SocketAddr>,
}

/// Chooses free ports and writes `endpoints.json`; `desk` says whether there is one.
pub(super) fn choose(layout: &Layout, desk: bool) -> anyhow::Result<Ports> {
    let former: Option<Endpoints> = std::fs::read(layout.endpoints())
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut held = Vec::new(); // until all are chosen, so that no two are the same
    let mut port = |former: Option<&String>| -> anyhow::Result<SocketAddr> {
        let last = former
            .and_then(|text| text.rsplit(':').next())
            .and_then(|port| port.parse().ok());
        let listener = last
            .and_then(|port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
            .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
            .context("no free port on loopback")?;
        let address = listener.local_addr().context("no free port on loopback")?;
        held.push(listener);
        Ok(address)
    };
    let ports = Ports {
        service: port(former.as_ref().map(|endpoints| &endpoints.service))?,
        coordinator: port(former.as_ref().map(|endpoints| &endpoints.coordinator))?,
        issuer: desk
            .then(|| {
                port(
                    former
                        .as_ref()
                        .and_then(|endpoints| endpoints.issuer.as_ref()),
                )
            })
            .transpose()?,
    };
    let endpoints = Endpoints {
        service: format!("https://{}", ports.service),
        coordinator: ports.coordinator.to_string(),
        issuer: ports.issuer.map(|address| format!("https://{address}")),
        admin_socket: layout.admin_socket().display().to_string(),
    };
    files::write(
        &layout.endpoints(),
        serde_json::to_string_pretty(&endpoints)?.as_bytes(),
    )?;
    Ok(ports)
}
