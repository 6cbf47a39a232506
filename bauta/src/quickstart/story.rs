//! The story, step by step: what the operators, the organisation, the holder, a relying party and an auditor do.

use std::time::Duration;

use anyhow::{Context, bail};
use bauta_service::admin::Client;

use super::{
    authorities::{self, POLICY, SIGNERS},
    custody::Custody,
    layout::Layout,
    organisation::{self, PEOPLE, Person},
    ports::{self, Ports},
    processes::Processes,
    teller::Teller,
};
use crate::{
    audit,
    cli::{Audit, Authenticate, Enrol, Prepare, Remote, Wallet},
    files,
    holder::{self, Refused},
    operator::{ca, parameters, publish},
    print::Printer,
    relying_party,
};

/// How long a part has to come up.
const START: Duration = Duration::from_secs(60);

pub(super) async fn tell(
    layout: &Layout,
    custody: &Custody,
    processes: &mut Processes,
    printer: Printer,
) -> anyhow::Result<()> {
    let mut teller = Teller::new(printer);
    printer.note(format!(
        "Bauta's quickstart; everything is in {}",
        layout.root().display()
    ));
    let keys = make_parameters(&mut teller)?;
    let ports = ports::choose(layout)?;
    start_ca(&mut teller, layout, custody, processes, &ports).await?;
    open_service(&mut teller, layout, processes, &ports, &keys).await?;
    let person = authenticate_someone(&mut teller, layout, &ports).await?;
    use_certificate(&mut teller, layout, person).await?;
    check_everything(&mut teller, layout).await?;
    printer.note(format!("\nAll of it took {:.1} s.", teller.seconds()));
    Ok(())
}

fn make_parameters(teller: &mut Teller) -> anyhow::Result<parameters::Made> {
    let step = teller.step("Development parameters for the proofs, from a fixed public seed");
    let made =
        parameters::load_or_make(None, parameters::relations(false), &|what| step.doing(what))?;
    for line in &made.lines {
        step.fact(line);
    }
    step.done();
    Ok(made)
}

async fn start_ca(
    teller: &mut Teller,
    layout: &Layout,
    custody: &Custody,
    processes: &mut Processes,
    ports: &Ports,
) -> anyhow::Result<()> {
    let step = teller.step("A certification authority whose key no machine ever holds");
    if !layout.authority().exists() {
        custody.share(layout)?;
    }
    if layout.sharing().exists() {
        step.doing("the process that holds the token starts");
        let _ = std::fs::remove_file(layout.token_socket());
        processes.start("token", &["signer", "token", "share"], &layout.sharing())?;
        wait(processes, "the process that holds the token", async || {
            layout.token_socket().exists()
        })
        .await?;
    }
    authorities::found(layout, custody, &|what| step.doing(what))?;
    authorities::configure(layout, ports)?;
    step.fact("3 administrators sign the authority file (2 of them decide from now on); everyone pins its digest:");
    step.fact(format!("  {}", authorities::authority_digest(layout)?));
    processes.start("service", &["service"], &layout.service_config())?;
    for number in 1..=SIGNERS {
        processes.start(
            &format!("signer-{number}"),
            &["signer"],
            &layout.signer(number).join("config.json"),
        )?;
    }
    step.doing("service and signers start");
    let client = Client::new(&layout.admin_socket());
    wait(processes, "the service and its signers", async || {
        client.status().await.is_ok_and(|status| {
            status.signers_connected() == SIGNERS || status.size + status.pending == 0
        })
    })
    .await?;
    step.doing("log, distributed key generation, CA certificate");
    let authority = layout.authority();
    let administrators = authorities::administrator_keys(layout);
    let out = layout.ca();
    let founding = ca::Founding {
        socket: &layout.admin_socket(),
        authority: &authority,
        keys: &administrators[..2],
        years: 10,
        organization: Some("Example Organisation".to_owned()),
        root: None,
        out: &out,
    };
    ca::init(&founding, Printer::silent()).await?;
    step.fact("5 signer processes dialled out to the coordinator, cosigned the log (4 must), and generated the CA key 3-of-5");
    step.fact(Custody::sentence(layout));
    step.fact(format!(
        "the CA certificate, signed by three of them: {}",
        out.display()
    ));
    step.done();
    Ok(())
}

async fn open_service(
    teller: &mut Teller,
    layout: &Layout,
    processes: &mut Processes,
    ports: &Ports,
    keys: &parameters::Made,
) -> anyhow::Result<()> {
    let step = teller.step("An organisation, its enrolment desk, and what its members may get");
    organisation::make(&layout.organisation())?;
    step.fact("the organisation's own X.509 CA and client certificates are made; Bauta changes nothing about them");
    let (issuer, list) = authorities::desk(layout, ports.issuer).await?;
    processes.start("issuer", &["issuer"], &layout.issuer_config())?;
    let list_path = layout.files().join("revocation-list");
    files::write(&list_path, &list)?;
    let mut paths = authorities::sign_files(layout, &issuer, &keys.file_body)?;
    paths.push(list_path);
    let client = Client::new(&layout.admin_socket());
    step.doing("signed files go into the log");
    for key in &keys.verifying_keys {
        client.submit_object(key).await.context("a verifying key")?;
    }
    publish::missing(&paths, &client).await?;
    step.fact("2 of 3 administrators signed parameters, schema, issuer set and policy; the issuer its revocation list");
    let epoch = client.publish_epoch().await.context("the epoch")?;
    step.fact(format!(
        "epoch {epoch} is in force: what is accepted in this hour, the same for everyone, logged"
    ));
    step.doing("the desk opens");
    wait(processes, "the organisation's desk", async || {
        tokio::net::TcpStream::connect(ports.issuer).await.is_ok()
    })
    .await?;
    step.fact(format!(
        "the service's API: https://{}  (TLS 1.3, CA {})",
        ports.service,
        layout.tls_ca().display()
    ));
    step.done();
    Ok(())
}

fn remote(layout: &Layout, ports: &Ports) -> anyhow::Result<Remote> {
    Ok(Remote {
        service: format!("https://{}", ports.service),
        service_ca: layout.tls_ca(),
        log_policy: Some(layout.log_policy()),
        authority: Some(authorities::authority_digest(layout)?),
    })
}

/// The first person who may have one more key today gets a certificate.
async fn authenticate_someone(
    teller: &mut Teller,
    layout: &Layout,
    ports: &Ports,
) -> anyhow::Result<&'static Person> {
    for person in &PEOPLE {
        let wallet = layout.wallet(person.name);
        enrol(teller, layout, ports, person, &wallet).await?;
        if authenticate(teller, layout, ports, person, &wallet).await? {
            return Ok(person);
        }
    }
    bail!(
        "both demonstration people have had their five keys of today; come back tomorrow, or take another folder with --data"
    )
}

async fn enrol(
    teller: &mut Teller,
    layout: &Layout,
    ports: &Ports,
    person: &Person,
    wallet: &Wallet,
) -> anyhow::Result<()> {
    let step = teller.step(&format!(
        "{} ({}, level {}) enrols with an ordinary X.509 certificate ({})",
        person.name,
        person.department,
        person.level,
        person.key_type()
    ));
    let folder = layout.organisation();
    let arguments = Enrol {
        cert: person.certificate(&folder),
        key: person.key(&folder),
        issuer: format!("https://{}", ports.issuer),
        issuer_ca: layout.issuer_tls().join("ca.pem"),
        reset: false,
        wallet: wallet.clone(),
    };
    let report = holder::enrol(&arguments).await?;
    for line in report.text().lines() {
        step.fact(line);
    }
    step.done();
    Ok(())
}

/// Whether a certificate was issued; `false` if the person's keys of today are used up.
async fn authenticate(
    teller: &mut Teller,
    layout: &Layout,
    ports: &Ports,
    person: &Person,
    wallet: &Wallet,
) -> anyhow::Result<bool> {
    let step = teller.step(&format!(
        "{} proves in advance what the policy {POLICY:?} asks",
        person.name
    ));
    let remote = remote(layout, ports)?;
    let prepare = Prepare {
        policy: POLICY.to_owned(),
        x509: None,
        key: None,
        uses: 1,
        parameters: None,
        remote: remote.clone(),
        wallet: wallet.clone(),
    };
    let prepared = match holder::prepare(&prepare, &|line| step.doing(line)).await {
        Err(error) if exhausted(&error) => {
            step.fact(format!("refused, as it should be: {error:#}"));
            step.done();
            return Ok(false);
        }
        other => other?,
    };
    for line in prepared.text().lines() {
        step.fact(line);
    }
    step.done();

    let step = teller.step(&format!(
        "{} shows, and gets a certificate for a fresh P-256 key",
        person.name
    ));
    let arguments = Authenticate {
        policy: POLICY.to_owned(),
        out: layout.holder(),
        yes: true,
        wait: 60,
        parameters: None,
        remote,
        wallet: wallet.clone(),
    };
    match holder::authenticate(&arguments).await {
        Ok(report) => {
            for line in report.text().lines() {
                step.fact(line);
            }
            step.done();
            Ok(true)
        }
        Err(error) if exhausted(&error) => {
            step.fact(format!("refused, as it should be: {error:#}"));
            step.done();
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn exhausted(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref::<Refused>(),
            Some(Refused::Exhausted { .. })
        )
    })
}

async fn use_certificate(
    teller: &mut Teller,
    layout: &Layout,
    person: &Person,
) -> anyhow::Result<()> {
    let step = teller.step("A relying party that trusts only Bauta's CA accepts the certificate in a mutual-TLS handshake");
    let learnt = relying_party::handshake(
        &layout.ca(),
        &layout.certificate(),
        &layout.certificate_key(),
    )
    .await?;
    step.fact(format!(
        "it learnt: policy {:?}, pseudonym {}",
        learnt.policy, learnt.pseudonym
    ));
    step.fact(format!(
        "it did not learn: {}'s name, e-mail address or level, nor which part of the policy was met, nor who else {} is",
        person.name, person.name
    ));
    step.done();
    Ok(())
}

async fn check_everything(teller: &mut Teller, layout: &Layout) -> anyhow::Result<()> {
    let step = teller.step("An auditor re-verifies the whole history from public files");
    let arguments = Audit {
        log: layout.log().display().to_string(),
        log_policy: Some(layout.log_policy()),
        authority: Some(authorities::authority_digest(layout)?),
        compare: (1..=SIGNERS)
            .map(|number| layout.signer(number).join("log"))
            .collect(),
        service_ca: None,
    };
    let report = audit::audit(&arguments).await?;
    for line in report.text().lines() {
        step.fact(line);
    }
    step.done();
    Ok(())
}

/// The lines to try next.
pub(super) fn what_next(layout: &Layout, printer: Printer) -> anyhow::Result<()> {
    let endpoints: ports::Endpoints =
        serde_json::from_slice(&files::read(&layout.endpoints(), 65_536)?)?;
    let root = layout.root().display();
    printer.note(format!(
        "\nIt stays up. Try, in another terminal:\n\
         \n  curl --cacert {root}/tls/ca.pem {service}/v1/policies\
         \n  curl --cacert {root}/tls/ca.pem {service}/checkpoint\
         \n  openssl x509 -in {root}/holder/certificate.pem -noout -text\
         \n  bauta verify-certificate {root}/holder/certificate.pem --proof {root}/holder/certificate.tlog-proof --ca {root}/ca.pem --log-policy {root}/log-policy\
         \n  bauta audit {root}/log --log-policy {root}/log-policy\
         \n\nCtrl-C ends it.",
        service = endpoints.service
    ));
    Ok(())
}

/// Waits until `ready`, and ends at once if a child does.
async fn wait(
    processes: &mut Processes,
    what: &str,
    ready: impl AsyncFn() -> bool,
) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + START;
    while !ready().await {
        processes.check()?;
        if tokio::time::Instant::now() > deadline {
            bail!(
                "{what} did not come up within {} s; see the folder logs/",
                START.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
