//! The story, step by step: what the operators, the organisation and an auditor do. What holders do is in [`holders`].

use std::time::Duration;

use anyhow::{Context, bail};
use bauta_service::admin::Client;

use super::{
    authorities::{self, SIGNERS},
    custody::Custody,
    demonstration::Demonstration,
    holders::Holders,
    layout::Layout,
    ports::{self, Ports},
    processes::Processes,
    teller::Teller,
};
use crate::{
    audit,
    cli::Audit,
    files,
    operator::{ca, parameters, publish},
    print::Printer,
};

/// How long a part has to come up.
const START: Duration = Duration::from_secs(60);

pub(super) async fn tell(
    layout: &Layout,
    custody: &Custody,
    demonstration: Demonstration,
    processes: &mut Processes,
    printer: Printer,
) -> anyhow::Result<()> {
    let mut teller = Teller::new(printer);
    printer.note(format!(
        "Bauta's quickstart; everything is in {}",
        layout.root().display()
    ));
    let keys = make_parameters(&mut teller, demonstration)?;
    let ports = ports::choose(layout, demonstration == Demonstration::Native)?;
    start_ca(&mut teller, layout, custody, processes, &ports).await?;
    open_service(&mut teller, layout, demonstration, processes, &ports, &keys).await?;
    Holders {
        layout,
        demonstration,
        ports: &ports,
    }
    .tell(&mut teller)
    .await?;
    check_everything(&mut teller, layout).await?;
    printer.note(format!("\nAll of it took {:.1} s.", teller.seconds()));
    Ok(())
}

fn make_parameters(
    teller: &mut Teller,
    demonstration: Demonstration,
) -> anyhow::Result<parameters::Made> {
    let step = teller.step("Development parameters for the proofs, from a fixed public seed");
    if demonstration == Demonstration::X509 {
        step.fact(format!(
            "those for X.509 certificates are a key of about 200 MB: made once, in some 20 s, and kept in {}",
            parameters::cache_folder(None)?.display()
        ));
    }
    let made = parameters::load_or_make(None, demonstration.relations(), &|what| step.doing(what))?;
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
    demonstration: Demonstration,
    processes: &mut Processes,
    ports: &Ports,
    keys: &parameters::Made,
) -> anyhow::Result<()> {
    let step = teller.step(match demonstration {
        Demonstration::Native => {
            "An organisation, its enrolment desk, and what its members may get"
        }
        Demonstration::X509 => {
            "An organisation that knows nothing of Bauta, and what its members may get"
        }
    });
    let organisation = demonstration.organisation();
    organisation.make(&layout.organisation())?;
    step.fact("the organisation's own X.509 CA and client certificates are made; Bauta changes nothing about them");
    let (issuing, its_list) = match ports.issuer {
        Some(listen) => {
            let issuing = authorities::desk(layout, listen).await?;
            processes.start("issuer", &["issuer"], &layout.issuer_config())?;
            (issuing, "the issuer its revocation list")
        }
        None => {
            let issuing = authorities::ca_in_the_field(layout, organisation)?;
            step.fact(
                "the issuer set names the CA's RSA-2048 key; nobody enrols, and no desk runs",
            );
            for person in organisation.revoked {
                step.fact(format!(
                    "the CA has revoked {}'s certificate: its CRL, {}, goes into the log as it is",
                    person.name,
                    issuing.revocation_list.display()
                ));
            }
            (issuing, "the CA its CRL")
        }
    };
    let mut paths =
        authorities::sign_files(layout, demonstration, &issuing.issuer_set, &keys.file_body)?;
    paths.push(issuing.revocation_list);
    let client = Client::new(&layout.admin_socket());
    step.doing("signed files go into the log");
    for key in &keys.verifying_keys {
        client.submit_object(key).await.context("a verifying key")?;
    }
    publish::missing(&paths, &client).await?;
    step.fact(format!(
        "2 of 3 administrators signed parameters, schema, issuer set and policy; {its_list}"
    ));
    let epoch = client.publish_epoch().await.context("the epoch")?;
    step.fact(format!(
        "epoch {epoch} is in force: what is accepted in this hour, the same for everyone, logged"
    ));
    if let Some(desk) = ports.issuer {
        step.doing("the desk opens");
        wait(processes, "the organisation's desk", async || {
            tokio::net::TcpStream::connect(desk).await.is_ok()
        })
        .await?;
    }
    step.fact(format!(
        "the service's API: https://{}  (TLS 1.3, CA {})",
        ports.service,
        layout.tls_ca().display()
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
