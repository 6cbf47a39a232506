//! `bauta ca request|install|certify|rotate|retire`: a CA among CAs, and a CA's keys one after the other. Each command reads the
//! signed files that the log has, logs what is missing, and has it signed; run again, it goes on from where it stopped.

use std::path::Path;

use anyhow::{Context, bail};
use bauta_service::admin::{CaState, Client, EpochState};
use bauta_statement::{
    certificate::{OutsideCertificate, outside, request},
    file::{
        Authority, Body, Header, KeyOperation, SignedFile,
        authority::CaKey,
        hierarchy::{Der, InstallCaCertificate, Purpose, RequestCaCertificate, SignSubordinateCa},
        key_operation::SignCaCertificate,
        text,
    },
    note::{self, NoteSigner},
};
use bauta_verifier::certificate::is_issued_by;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, pem::PemObject};

use super::{ca, keys::read_administrator};
use crate::{
    cli::{CaCertify, CaInstall, CaOperator, CaRequest, CaRetire, CaRotate},
    clock, files, hex,
    print::{Exit, Failure, Printer},
};

const DAY: u64 = 86_400;
/// The longest that a certificate lives which a policy may ask for.
const LONGEST_LIFETIME: u64 = 7 * DAY;
/// More than any certificate with its chain.
const LIMIT: u64 = 1 << 17;

/// A logged key operation.
struct Operation {
    header: Header,
    body: KeyOperation,
    digest: String,
    /// A key generation that was not run yet.
    pending: bool,
    /// What it ordered, PEM.
    document: Option<String>,
}

/// A CA as its log shows it, and those who decide about it.
struct Ca {
    service: Client,
    administrators: Vec<NoteSigner>,
    authority: Authority,
    operations: Vec<Operation>,
    epoch: Option<EpochState>,
}

impl Ca {
    async fn read(operator: &CaOperator) -> anyhow::Result<Self> {
        let administrators = operator
            .keys
            .iter()
            .map(|key| read_administrator(key))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let service = Client::new(&operator.socket);
        let state = service.ca().await?;
        Self::of(service, administrators, state)
    }

    fn of(
        service: Client,
        administrators: Vec<NoteSigner>,
        state: CaState,
    ) -> anyhow::Result<Self> {
        let Body::Authority(authority) = SignedFile::parse(state.authority.as_bytes())?.body else {
            bail!("the service's authority file is none; look into its log");
        };
        let mut operations = Vec::new();
        for one in state.operations {
            let file = SignedFile::parse(one.note.as_bytes())?;
            let digest = hex(&file.digest());
            let Body::KeyOperation(body) = file.body else {
                bail!("the service's key operation is none; look into its log");
            };
            operations.push(Operation {
                header: file.header,
                body: *body,
                digest,
                pending: one.pending,
                document: one.document,
            });
        }
        Ok(Self {
            service,
            administrators,
            authority: *authority,
            operations,
            epoch: state.epoch,
        })
    }

    async fn again(self) -> anyhow::Result<Self> {
        let state = self.service.ca().await?;
        Self::of(self.service, self.administrators, state)
    }

    /// The key of this name, or the newest one of this purpose.
    fn key(&self, named: Option<&str>, purpose: Purpose) -> anyhow::Result<&CaKey> {
        let keys = &self.authority.ca_keys;
        match named {
            Some(name) => keys.iter().find(|key| key.name == name).with_context(|| {
                let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
                format!("this CA has no key {name:?}; it has {}", names.join(", "))
            }),
            None => keys
                .iter()
                .rev()
                .find(|key| key.purpose == purpose)
                .with_context(|| match purpose {
                    Purpose::Root => {
                        "this CA has no root key: it was not founded with `bauta ca init --root`"
                    }
                    Purpose::Issuing => "this CA has no issuing key yet; run `bauta ca init` first",
                }),
        }
    }

    /// A key's own certificate, as it was ordered last.
    fn own(&self, key: &CaKey) -> Option<(&Operation, &SignCaCertificate)> {
        self.operations
            .iter()
            .rev()
            .find_map(|one| match &one.body {
                KeyOperation::SignCaCertificate(sign) if sign.group_key == key.group_key => {
                    Some((one, sign))
                }
                _ => None,
            })
    }

    fn own_or_fail(&self, key: &CaKey) -> anyhow::Result<&SignCaCertificate> {
        self.own(key).map(|(_, sign)| sign).with_context(|| {
            format!(
                "CA key {:?} has no certificate of its own yet; run `bauta ca init` or `bauta ca rotate` to its end",
                key.name
            )
        })
    }

    /// Logs a key operation as the next version of this name; gives its digest.
    async fn log(&self, name: &str, operation: &KeyOperation) -> anyhow::Result<String> {
        let before = self.operations.iter().find(|one| one.header.name == name);
        let version = before.map_or(1, |one| one.header.version + 1);
        let note = ca::sign_operation(
            &self.authority,
            name,
            version,
            operation,
            &self.administrators,
        )?;
        let digest = hex(&SignedFile::parse(&note)?.digest());
        self.service
            .submit_file(&note)
            .await
            .with_context(|| format!("logging the key operation {name:?}"))?;
        Ok(digest)
    }
}

/// `bauta ca request`.
pub(crate) async fn request(arguments: &CaRequest, printer: Printer) -> anyhow::Result<()> {
    let ca = Ca::read(&arguments.operator).await?;
    let key = ca.key(arguments.ca_key.as_deref(), Purpose::Issuing)?;
    let own = ca.own_or_fail(key)?;
    let operation = KeyOperation::RequestCaCertificate(RequestCaCertificate {
        key: key.name.clone(),
        group_key: key.group_key,
        subject: own.subject.clone(),
        path_length: own.path_length,
    });
    let now = clock::now();
    let logged = ca
        .operations
        .iter()
        .find(|one| one.body == operation && one.header.expires > now);
    let digest = match logged {
        Some(one) => one.digest.clone(),
        None => ca.log(&format!("request-{}", key.name), &operation).await?,
    };
    let pem = ca
        .service
        .sign_operation(&digest)
        .await
        .context("threshold signature of the request")?;
    files::write(&arguments.out, pem.as_bytes())?;
    let value = serde_json::json!({ "request": arguments.out, "key": key.name });
    printer.result(
        &value,
        format!(
            "request for {}: {}\nLet the other CA certify it with its extensions copied, then run `bauta ca install`.",
            key.name,
            arguments.out.display()
        ),
    )
}

/// `bauta ca install`.
pub(crate) async fn install(arguments: &CaInstall, printer: Printer) -> anyhow::Result<()> {
    let ca = Ca::read(&arguments.operator).await?;
    let mut all = certificates(&arguments.certificate)?;
    if let Some(chain) = &arguments.chain {
        all.extend(certificates(chain)?);
    }
    let roots = certificates(&arguments.root)?;
    let (certificate, chain) = all.split_first().context("no certificate")?;
    let read = OutsideCertificate::from_der(certificate).with_context(|| {
        format!(
            "{} is no certificate of version 3",
            arguments.certificate.display()
        )
    })?;
    let wrong = |error: String| Failure::new(Exit::Wrong, error);
    let key = ca
        .authority
        .ca_keys
        .iter()
        .find(|key| read.public_key().is_ok_and(|one| one.bits() == key.group_key))
        .ok_or_else(|| wrong("the certificate is for none of this CA's keys: install the one that was made for `bauta ca request`'s request".into()))?;
    let own = ca.own_or_fail(key)?;
    let above: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    outside::check(certificate, &above, &own.subject, &key.group_key)
        .map_err(|error| wrong(error.to_string()))?;
    verify_chain(&all, &roots).map_err(|error| wrong(format!("{error:#}")))?;
    let operation = KeyOperation::InstallCaCertificate(InstallCaCertificate {
        key: key.name.clone(),
        group_key: key.group_key,
        subject: own.subject.clone(),
        certificate: Der(certificate.clone()),
        chain: chain.iter().cloned().map(Der).collect(),
    });
    if !ca.operations.iter().any(|one| one.body == operation) {
        let digest = hex(&note::sha256(certificate));
        let name = format!(
            "install-{}-{}",
            key.name,
            digest.get(..8).unwrap_or_default()
        );
        ca.log(&name, &operation).await?;
    }
    let until = text::format_time(read.not_after)?;
    let value = serde_json::json!({ "key": key.name, "not_after": until });
    printer.result(
        &value,
        format!(
            "installed for {}, until {until}; issued chains have it from now on",
            key.name
        ),
    )
}

/// Each signed by the next, the last by one of the roots. A root at the chain's end is one of `roots` itself.
fn verify_chain(chain: &[Vec<u8>], roots: &[Vec<u8>]) -> anyhow::Result<()> {
    let read =
        |der: &[u8]| OutsideCertificate::from_der(der).context("no certificate of version 3");
    let mut current = chain.first().context("no certificate")?;
    for next in chain.iter().skip(1) {
        if !is_issued_by(&read(current)?, &read(next)?) {
            bail!(
                "a certificate of the chain is not signed by the one after it; is a certificate missing?"
            );
        }
        current = next;
    }
    let last = read(current)?;
    for root in roots {
        if current == root || is_issued_by(&last, &read(root)?) {
            return Ok(());
        }
    }
    bail!(
        "the chain does not end in the root that was given with --root: its signature does not verify; give what stands between with --chain"
    )
}

/// `bauta ca certify`.
pub(crate) async fn certify(arguments: &CaCertify, printer: Printer) -> anyhow::Result<()> {
    let ca = Ca::read(&arguments.operator).await?;
    let root = ca.key(arguments.ca_key.as_deref(), Purpose::Root)?;
    let own = ca.own_or_fail(root)?;
    let pem = files::read(&arguments.request, LIMIT)?;
    let asked = CertificateSigningRequestDer::from_pem_slice(&pem)
        .ok()
        .with_context(|| format!("{} holds no request in PEM", arguments.request.display()))?;
    let (subject, subject_key) = request::read(&asked)
        .map_err(|error| Failure::new(Exit::Wrong, error.to_string()))
        .with_context(|| format!("{}", arguments.request.display()))?;
    let not_before = (clock::now() / DAY * DAY).max(own.not_before);
    let until = not_before.saturating_add(u64::from(arguments.years) * 365 * DAY);
    let order = SignSubordinateCa {
        key: root.name.clone(),
        group_key: root.group_key,
        issuer: own.subject.clone(),
        subject,
        subject_key,
        trust_domain: arguments.trust_domain.clone(),
        request: Der(asked.to_vec()),
        not_before,
        not_after: until.min(own.not_after),
        path_length: arguments.path_length,
    };
    let fingerprint = hex(&subject_key);
    let name = format!("certify-{}", fingerprint.get(..16).unwrap_or_default());
    // What was logged before and is not signed yet is taken up; what is signed is a certificate of before, and this its renewal.
    let under_way = ca.operations.iter().find(|one| {
        one.header.name == name
            && one.document.is_none()
            && matches!(&one.body, KeyOperation::SignSubordinateCa(logged)
                if (&logged.request, &logged.trust_domain, logged.path_length)
                    == (&order.request, &order.trust_domain, order.path_length))
    });
    printer.note(format!(
        "to be certified: {:?} for the trust domain {:?}\n  key {fingerprint}\n  compare the key with what its operators read in `GET /v1/ca` or their request",
        order.subject.common_name, order.trust_domain
    ));
    let digest = match under_way {
        Some(one) => one.digest.clone(),
        None => {
            ca.log(&name, &KeyOperation::SignSubordinateCa(order))
                .await?
        }
    };
    let pem = ca
        .service
        .sign_operation(&digest)
        .await
        .context("threshold signature of the certificate")?;
    files::write(&arguments.out, pem.as_bytes())?;
    let value = serde_json::json!({ "certificate": arguments.out, "key": fingerprint });
    printer.result(
        &value,
        format!(
            "certificate: {}\nIts CA installs it with `bauta ca install`.",
            arguments.out.display()
        ),
    )
}

/// `bauta ca rotate`.
pub(crate) async fn rotate(arguments: &CaRotate, printer: Printer) -> anyhow::Result<()> {
    let mut ca = Ca::read(&arguments.operator).await?;
    let newest = ca.key(None, Purpose::Issuing)?;
    // The subject stays: leaves name their issuer by it, and the key identifier tells the two apart.
    let subject = ca
        .authority
        .ca_keys
        .iter()
        .rev()
        .filter(|key| key.purpose.is_issuing())
        .find_map(|key| ca.own(key))
        .map(|(_, sign)| sign.subject.clone())
        .context("this CA has no certificate yet; run `bauta ca init` to its end first")?;
    let pending = ca.operations.iter().any(
        |one| matches!(&one.body, KeyOperation::GenerateKey(generate) if one.pending && generate.purpose.is_issuing()),
    );
    let in_force = ca.epoch.as_ref().map(|epoch| epoch.key.clone());
    let certified = ca
        .own(newest)
        .is_some_and(|(operation, _)| operation.document.is_some());
    let announced = certified && in_force.as_ref() != Some(&newest.name);
    if pending || (certified && !announced) {
        if !pending {
            let name = next_name(&ca);
            let operation = ca::generate_key(&ca.authority, &name, Purpose::Issuing);
            ca.log(&format!("generate-{name}"), &operation).await?;
        }
        ca::all_signers(
            &ca.service,
            &ca.authority.signers,
            "key generation needs every signer",
        )
        .await?;
        let transcript = ca
            .service
            .generate_key()
            .await
            .context("distributed key generation")?;
        printer.note(super::transcript::read(&transcript)?.1);
        ca = ca.again().await?;
    }
    let key = ca.key(None, Purpose::Issuing)?;
    let digest = match ca.own(key) {
        Some((operation, _)) => operation.digest.clone(),
        None => {
            let not_before = clock::now() / DAY * DAY + u64::from(arguments.notice_days) * DAY;
            let operation = KeyOperation::SignCaCertificate(SignCaCertificate {
                key: key.name.clone(),
                group_key: key.group_key,
                subject,
                not_before,
                not_after: not_before + u64::from(arguments.years) * 365 * DAY,
                path_length: 0,
            });
            ca.log(&format!("sign-{}", key.name), &operation).await?
        }
    };
    let pem = ca
        .service
        .sign_operation(&digest)
        .await
        .context("threshold signature of the CA certificate")?;
    files::write(&arguments.out, pem.as_bytes())?;
    let name = key.name.clone();
    let ca = ca.again().await?;
    let own = ca.own_or_fail(ca.key(Some(&name), Purpose::Issuing)?)?;
    let from = text::format_time(own.not_before)?;
    let value = serde_json::json!({
        "ca": arguments.out, "key": name, "issues_from": from, "issuing_now": in_force,
    });
    printer.result(
        &value,
        format!(
            "CA certificate of {name}: {}\nIt issues from the first epoch that starts at or after {from}; until then it is announced in the log, and relying parties add it.",
            arguments.out.display()
        ),
    )
}

/// A name that no key of this log ever had.
fn next_name(ca: &Ca) -> String {
    let taken = |name: &str| {
        ca.authority.ca_keys.iter().any(|key| key.name == name)
            || ca.operations.iter().any(|one| one.body.key() == name)
    };
    (1_u32..)
        .map(|number| format!("key-{number}"))
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// `bauta ca retire`.
pub(crate) async fn retire(arguments: &CaRetire, printer: Printer) -> anyhow::Result<()> {
    let ca = Ca::read(&arguments.operator).await?;
    let key = ca.key(Some(&arguments.ca_key), Purpose::Issuing)?;
    if !arguments.at_once {
        still_needed(&ca, key)?;
    }
    let mut next = ca.authority.clone();
    next.version += 1;
    next.ca_keys.retain(|one| one.name != arguments.ca_key);
    let signers: Vec<&NoteSigner> = ca.administrators.iter().collect();
    let note = note::sign(&next.to_text()?, &signers)?;
    ca.service
        .submit_file(&note)
        .await
        .context("logging the authority without the key")?;
    let value =
        serde_json::json!({ "retired": arguments.ca_key, "authority_version": next.version });
    printer.result(
        &value,
        format!(
            "{} is retired: nothing is signed by it any more, and each signer erases its share when it next sees a quorum",
            arguments.ca_key
        ),
    )
}

/// Whether somebody still relies on a key.
fn still_needed(ca: &Ca, key: &CaKey) -> anyhow::Result<()> {
    let refuse = |why: String| {
        Err(Failure::new(
            Exit::Later,
            format!("{why}; --at-once retires it all the same, as after a compromise"),
        ))
    };
    if key.purpose == Purpose::Root {
        return refuse("it is a root, and what it certified is trusted through it".into());
    }
    let Some(epoch) = &ca.epoch else {
        return refuse("no epoch is in force, so it is not known which key issues".into());
    };
    if epoch.key == key.name {
        return refuse("it issues in the epoch in force: rotate first".into());
    }
    let successor = ca.key(Some(&epoch.key), Purpose::Issuing)?;
    let takeover = ca.own_or_fail(successor)?.not_before;
    let own = ca.own(key).map_or(0, |(_, sign)| sign.not_before);
    if own > takeover {
        return refuse("it is announced, and issues later".into());
    }
    let free = takeover
        .saturating_add(u64::from(ca.authority.epoch_seconds))
        .saturating_add(LONGEST_LIFETIME);
    if clock::now() < free {
        return refuse(format!(
            "certificates that it signed may be in use until {}",
            text::format_time(free)?
        ));
    }
    Ok(())
}

/// All certificates of a PEM file.
fn certificates(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let pem = files::read(path, LIMIT)?;
    let all = CertificateDer::pem_slice_iter(&pem)
        .map(|one| one.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|all| !all.is_empty());
    all.with_context(|| format!("{} holds no certificates in PEM", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let path = format!(
            "{}/../vectors/certificate/{name}.hex",
            env!("CARGO_MANIFEST_DIR")
        );
        let hex = std::fs::read_to_string(path).unwrap();
        data_encoding::HEXLOWER
            .decode(hex.trim().as_bytes())
            .unwrap()
    }

    #[test]
    fn a_chain_is_installed_only_if_it_verifies_up_to_the_root_that_was_named() {
        let [leaf, own, subordinate, root] = ["leaf", "ca", "subordinate", "root"].map(vector);
        let verify = |chain: &[&Vec<u8>], roots: &[&Vec<u8>]| {
            let owned = |all: &[&Vec<u8>]| all.iter().map(|one| (*one).clone()).collect::<Vec<_>>();
            verify_chain(&owned(chain), &owned(roots))
        };
        verify(&[&subordinate], &[&root]).unwrap();
        verify(&[&subordinate, &root], &[&root]).unwrap();
        verify(&[&subordinate], &[&own, &root]).unwrap();
        verify(&[&subordinate], &[&own]).unwrap_err();
        verify(&[&subordinate], &[]).unwrap_err();
        verify(&[&own, &root], &[&root]).unwrap_err();
        // A link whose signature does not verify, though the names follow.
        let mut forged = subordinate.clone();
        *forged.last_mut().unwrap() ^= 1;
        verify(&[&forged], &[&root]).unwrap_err();
        verify(&[&leaf, &forged, &root], &[&root]).unwrap_err();
        verify(&[&leaf, &subordinate, &root], &[&root]).unwrap();
    }
}
