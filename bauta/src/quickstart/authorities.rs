//! What administrators and operators prepare: keys, the authority file, configurations. Everything is made once and kept.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use bauta_issuer::Desk;
use bauta_signer::config::{Mode, SignerConfig};
use bauta_statement::file::{Kind, SignedFile};

use super::{
    crl,
    custody::{self, Custody},
    demonstration::Demonstration,
    layout::Layout,
    organisation::{self, Organisation},
    ports::Ports,
};
use crate::{
    clock, files, hex,
    operator::{self, ca, keys, sign},
    print::Printer,
};

/// The trust domain of the demonstration.
pub(super) const TRUST_DOMAIN: &str = "example.org";
pub(super) const SIGNERS: usize = 5;
const ADMINISTRATORS: usize = 3;
const ORIGIN: &str = "example.org/bauta-demonstration";
const YEAR: u64 = 366 * 86_400;

const EXAMPLE_SCHEMA: &[u8] = include_bytes!("../../../docs/examples/schema.json");

fn quiet() -> Printer {
    Printer::silent()
}

/// The administrators' keys, in the order of their names.
pub(super) fn administrator_keys(layout: &Layout) -> Vec<PathBuf> {
    (1..=ADMINISTRATORS)
        .map(|number| {
            layout
                .administrators()
                .join(format!("administrator-{number}.key"))
        })
        .collect()
}

/// Administrators', service's and signers' keys, and the authority that names them.
pub(super) fn found(
    layout: &Layout,
    custody: &Custody,
    doing: &dyn Fn(String),
) -> anyhow::Result<()> {
    if layout.authority().exists() {
        return Ok(());
    }
    let mut administrators = Vec::new();
    for path in administrator_keys(layout) {
        let _ = std::fs::remove_file(&path); // of a start that was cut short: nothing was signed with it that anyone saw
        let name = path
            .file_stem()
            .context("name of a key")?
            .to_string_lossy()
            .into_owned();
        administrators.push(keys::administrator(&path, &name)?);
    }
    if !layout.tls_ca().exists() {
        renew(&layout.tls())?;
        keys::tls_server(&layout.tls(), "127.0.0.1")?;
    }
    renew(&layout.service())?;
    let service = bauta_service::keys::create(&layout.service(), ORIGIN)?;
    let mut public = Vec::new();
    for number in 1..=SIGNERS {
        doing(format!("keys of signer {number}"));
        custody.make_keys(layout, number)?;
        let folder = layout.signer(number);
        public.push(folder.join("keys/signer.json").display().to_string());
    }
    let plan = serde_json::json!({
        "trust_domain": TRUST_DOMAIN,
        "ca_name": "Example Bauta CA",
        "mode": "development",
        "enterprise_number": 32473,
        "epoch_seconds": 3600,
        "log": service.log_vkey,
        "administrators": { "k": 2, "keys": administrators },
        "signers": public,
        "quorum": { "n": SIGNERS, "t": 3, "q": 4, "f": 2, "c": 1 },
    });
    files::write(
        &layout.plan(),
        serde_json::to_string_pretty(&plan)?.as_bytes(),
    )?;
    ca::authority(
        &layout.plan(),
        &administrator_keys(layout),
        &layout.authority(),
        &layout.log_policy(),
        quiet(),
    )
}

/// An empty folder in the place of what a cut-short start left.
pub(super) fn renew(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    files::private_folder(folder)
}

pub(super) fn random_secret() -> String {
    use rand::RngCore;
    let mut bytes = [0; 16];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    hex(&bytes)
}

/// The digest of the authority's text, which signers and wallets pin.
pub(super) fn authority_digest(layout: &Layout) -> anyhow::Result<String> {
    let note = files::read(&layout.authority(), 1 << 20)?;
    Ok(hex(&SignedFile::parse(&note)?.digest()))
}

/// Writes the configurations of service and signers for the ports of this start.
pub(super) fn configure(layout: &Layout, ports: &Ports) -> anyhow::Result<()> {
    let config = serde_json::json!({
        "data": layout.service(),
        "keys": layout.service(),
        "log": layout.log(),
        "listen": ports.service,
        "coordinator": ports.coordinator,
        "admin_socket": layout.admin_socket(),
        "tls_certificate": layout.tls().join("server.pem"),
        "tls_key": layout.tls().join("server.key"),
        "authority_sha256": authority_digest(layout)?,
    });
    files::write(
        &layout.service_config(),
        serde_json::to_string_pretty(&config)?.as_bytes(),
    )?;
    let service = bauta_service::keys::public(&layout.service())?;
    for number in 1..=SIGNERS {
        let folder = layout.signer(number);
        let token = custody::token_of(layout, number)?;
        let config = SignerConfig {
            data: folder.clone(),
            keys: Some(folder.join("keys")),
            coordinator: ports.coordinator.to_string(),
            coordinator_spki_sha256: service.coordinator_spki_sha256.clone(),
            log: service.log_vkey.clone(),
            authority_sha256: authority_digest(layout)?,
            mode: Mode::Development,
            passphrase_file: token.is_none().then(|| folder.join("passphrase")),
            token,
            attended: false,
        };
        files::write(
            &folder.join("config.json"),
            serde_json::to_string_pretty(&config)?.as_bytes(),
        )?;
    }
    Ok(())
}

/// What makes an issuer's credentials count.
pub(super) struct Issuing {
    /// JSON body of an issuer set with it alone.
    pub(super) issuer_set: Vec<u8>,
    /// File with its newest revocation list.
    pub(super) revocation_list: PathBuf,
}

/// Writes the desk's configuration; makes its keys at the first start.
pub(super) async fn desk(layout: &Layout, listen: SocketAddr) -> anyhow::Result<Issuing> {
    files::private_folder(&layout.issuer())?;
    if !layout.issuer_tls().join("ca.pem").exists() {
        renew(&layout.issuer_tls())?;
        keys::tls_server(&layout.issuer_tls(), "127.0.0.1")?;
    }
    let schema = layout.issuer().join("schema.json");
    files::write(&schema, EXAMPLE_SCHEMA)?;
    let config = serde_json::json!({
        "name": "example-organisation",
        "trust_domain": TRUST_DOMAIN,
        "listen": listen,
        "folder": layout.issuer().join("desk"),
        "schema": schema,
        "client_authorities": organisation::ca_certificate(&layout.organisation()),
        "tls_certificate": layout.issuer_tls().join("server.pem"),
        "tls_key": layout.issuer_tls().join("server.key"),
    });
    files::write(
        &layout.issuer_config(),
        serde_json::to_string_pretty(&config)?.as_bytes(),
    )?;
    let desk = Desk::open(serde_json::from_value(config)?, &mut rand::rngs::OsRng).await?;
    let profile = desk.profile();
    let list = desk.revocation_list(clock::now()).await;
    desk.close().await;
    let revocation_list = layout.files().join("revocation-list");
    files::write(&revocation_list, &list?)?;
    Ok(Issuing {
        issuer_set: serde_json::to_vec(&operator::issuer_set(&profile))?,
        revocation_list,
    })
}

/// What administrators and log learn of a CA in the field: its key and its CRL.
pub(super) fn ca_in_the_field(
    layout: &Layout,
    organisation: &Organisation,
) -> anyhow::Result<Issuing> {
    let folder = layout.organisation();
    let path = organisation::ca_certificate(&folder);
    let set = operator::issuer::set_of(&path, "example-ca", "employee", operator::QUOTA)?;
    Ok(Issuing {
        issuer_set: serde_json::to_vec(&set)?,
        revocation_list: crl::publish(organisation, &folder, clock::now())?,
    })
}

/// The administrators' signed files, in the order in which they are logged; each is signed once and kept.
pub(super) fn sign_files(
    layout: &Layout,
    demonstration: Demonstration,
    issuer_set: &[u8],
    parameters: &[u8],
) -> anyhow::Result<Vec<PathBuf>> {
    let wanted: [(&str, Kind, Option<&str>, &[u8]); 4] = [
        ("parameters", Kind::Parameters, None, parameters),
        ("schema", Kind::Schema, None, EXAMPLE_SCHEMA),
        ("issuer-set", Kind::IssuerSet, Some("members"), issuer_set),
        ("policy", Kind::Policy, None, demonstration.policy_body()),
    ];
    let signers = administrator_keys(layout)
        .iter()
        .take(2)
        .map(|path| keys::read_administrator(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut paths = Vec::new();
    for (file, kind, name, body) in wanted {
        let path = layout.files().join(file);
        if !path.exists() {
            let expires = clock::now() / 86_400 * 86_400 + YEAR;
            let text = sign::text_of(body, kind, TRUST_DOMAIN, name, 1, expires)?;
            let note = bauta_statement::note::sign(&text, &signers.iter().collect::<Vec<_>>())?;
            files::write(&path, &note)?;
        }
        paths.push(path);
    }
    Ok(paths)
}
