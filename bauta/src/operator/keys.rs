//! `bauta keys new`: note keys of administrators, the service's keys, TLS identities.

use std::{net::IpAddr, path::Path};

use anyhow::Context;
use bauta_statement::note::NoteSigner;
use rand::rngs::OsRng;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde::Serialize;

use crate::{
    cli::{KeysNew, Purpose},
    files,
    print::Printer,
};

/// What was made, for printing.
#[derive(Serialize)]
struct Made {
    /// The public key, or the file of the public certificate.
    public: String,
    files: Vec<String>,
}

pub(crate) fn new(arguments: &KeysNew, printer: Printer) -> anyhow::Result<()> {
    let folder = &arguments.out;
    files::private_folder(folder)?;
    let made = match arguments.purpose {
        Purpose::Administrator => {
            let path = folder.join(format!("{}.key", arguments.name));
            let public = administrator(&path, &arguments.name)?;
            Made {
                public,
                files: vec![path.display().to_string()],
            }
        }
        Purpose::Service => {
            let keys = bauta_service::keys::create(folder, &arguments.name)?;
            Made {
                public: keys.log_vkey,
                files: vec![folder.display().to_string()],
            }
        }
        Purpose::Tls => {
            tls_server(folder, &arguments.name)?;
            let file = |name: &str| folder.join(name).display().to_string();
            Made {
                public: file("ca.pem"),
                files: vec![file("server.pem"), file("server.key")],
            }
        }
    };
    printer.result(
        &made,
        format!("{}\n(written: {})", made.public, made.files.join(", ")),
    )
}

/// Makes an administrator's note key; gives its verifier key.
pub(crate) fn administrator(path: &Path, name: &str) -> anyhow::Result<String> {
    let signer = NoteSigner::generate(&mut OsRng, name)?;
    let mut line = signer.to_skey();
    line.push('\n');
    files::new_secret(path, line.as_bytes())?;
    let public = signer.verifier().to_string();
    files::write(
        &path.with_extension("pub"),
        format!("{public}\n").as_bytes(),
    )?;
    Ok(public)
}

/// Reads an administrator's key.
pub(crate) fn read_administrator(path: &Path) -> anyhow::Result<NoteSigner> {
    let bytes = zeroize::Zeroizing::new(files::read(path, 1024)?);
    let text = std::str::from_utf8(&bytes)
        .ok()
        .with_context(|| format!("{} is no note key", path.display()))?;
    NoteSigner::parse(text.trim_end()).with_context(|| format!("{} is no note key", path.display()))
}

/// Makes `ca.pem`, `server.pem` and `server.key` for a TLS server of this name or address. The small CA's key is thrown
/// away: a new identity is a new CA.
pub(crate) fn tls_server(folder: &Path, name: &str) -> anyhow::Result<()> {
    files::private_folder(folder)?;
    let ca_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("TLS CA key")?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, format!("TLS CA of {name}"));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_certificate = ca.self_signed(&ca_key).context("TLS CA certificate")?;
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("TLS key")?;
    let mut server = CertificateParams::default();
    server.distinguished_name.push(DnType::CommonName, name);
    server.subject_alt_names = match name.parse::<IpAddr>() {
        Ok(address) => vec![
            SanType::IpAddress(address),
            SanType::DnsName("localhost".try_into()?),
        ],
        Err(_) => vec![SanType::DnsName(name.try_into()?)],
    };
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &issuer).context("TLS certificate")?;
    files::new_secret(&folder.join("server.key"), key.serialize_pem().as_bytes())?;
    files::write(&folder.join("server.pem"), certificate.pem().as_bytes())?;
    files::write(&folder.join("ca.pem"), ca_certificate.pem().as_bytes())
}
