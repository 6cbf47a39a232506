//! `bauta ca invite|accept`: a node whose holder is elsewhere. The package goes out, an answer comes back, and people compare
//! fingerprints; what travels holds no share of any key.

use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use anyhow::{Context, bail};
use bauta_service::keys::PublicKeys;
use bauta_signer::{
    config::Mode,
    enrolment::{Answer, Deployment, EnrolmentToken, Package},
    seal,
};
use bauta_statement::{
    file::{fingerprint::Fingerprint, text},
    note::NoteKey,
};
use qrcode::{QrCode, render};
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use crate::{
    cli::{Accept, Invite},
    clock, files,
    print::{Exit, Failure, Printer},
};

const DAY: u64 = 86_400;

pub(crate) fn invite(arguments: &Invite, printer: Printer) -> anyhow::Result<()> {
    let public: PublicKeys = {
        let path = arguments.service_keys.join("service.json");
        serde_json::from_slice(&files::read(&path, 65_536)?)
            .with_context(|| format!("{} is no service's public file", path.display()))?
    };
    if !text::is_name(&arguments.name) {
        bail!("--name: 1 to 64 letters, digits, dots, hyphens and underscores");
    }
    if !text::is_trust_domain(&arguments.trust_domain) {
        bail!("--trust-domain: lower-case letters, digits, dots, hyphens and underscores");
    }
    let package = Package {
        deployment: Deployment {
            name: arguments.name.clone(),
            trust_domain: arguments.trust_domain.clone(),
            mode: if arguments.development {
                Mode::Development
            } else {
                Mode::Production
            },
            coordinator: arguments.coordinator.clone(),
            coordinator_spki_sha256: text::parse_hex(&public.coordinator_spki_sha256)
                .context("the coordinator's pin")?,
            log: NoteKey::parse(&public.log_vkey).context("the log's key")?,
            expires: clock::now() + arguments.days * DAY,
        },
        token: EnrolmentToken::generate(&mut OsRng),
    };
    let fingerprint = package.deployment.fingerprint();
    let code = QrCode::new(fingerprint.to_string().as_bytes()).context("QR code")?;
    let picture = code.render::<render::svg::Color<'_>>().build();
    let sealed = match (&arguments.recipient, &arguments.passphrase_file) {
        (Some(recipient), _) => {
            let recipient: age::x25519::Recipient = recipient
                .parse()
                .map_err(|reason| anyhow::anyhow!("--recipient: {reason}"))?;
            package.pack(&recipient, &picture)?
        }
        (None, Some(file)) => {
            files::only_ours(file)?;
            let passphrase = seal::passphrase_from_file(file)?;
            let secret = SecretString::from(passphrase.as_str().to_owned());
            package.pack(&age::scrypt::Recipient::new(secret), &picture)?
        }
        (None, None) => unreachable!("clap asks for one of them"),
    };
    files::private_folder(&arguments.invitations)?;
    let kept = Zeroizing::new(serde_json::to_vec_pretty(&package)?);
    files::new_secret(&invitation(&arguments.invitations, &arguments.name), &kept)?;
    files::write_secret(&arguments.out, &sealed)?;
    let value = serde_json::json!({
        "name": arguments.name,
        "package": arguments.out,
        "deployment_fingerprint": fingerprint.to_string(),
    });
    let drawn = code
        .render::<render::unicode::Dense1x2>()
        .dark_color(render::unicode::Dense1x2::Light)
        .light_color(render::unicode::Dense1x2::Dark)
        .build();
    printer.result(
        &value,
        format!(
            "{drawn}\n{fingerprint}\nThe package for {} is in {}. Its holder sees the same fingerprint: compare, and send the \
             package by any way.",
            arguments.name,
            arguments.out.display()
        ),
    )
}

fn invitation(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

pub(crate) fn accept(arguments: &Accept, printer: Printer) -> anyhow::Result<()> {
    let answer: Answer = serde_json::from_slice(&files::read(&arguments.answer, 65_536)?)
        .with_context(|| format!("{} is no answer", arguments.answer.display()))?;
    let name = answer.signer.name.clone();
    if !text::is_name(&name) {
        bail!("the answer's name is no signer's");
    }
    let kept = invitation(&arguments.invitations, &name);
    if !kept.exists() {
        bail!(
            "{} holds no open invitation of {name:?}: it was answered already, or nobody of this name was invited",
            arguments.invitations.display()
        );
    }
    files::only_ours(&kept)?;
    let bytes = Zeroizing::new(files::read(&kept, 65_536)?);
    let package: Package = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no invitation", kept.display()))?;
    let signer = answer
        .accept(&package, clock::now())
        .map_err(|refusal| Failure::new(Exit::Wrong, refusal.to_string()))?;
    let found = signer.fingerprint();
    compare(arguments.fingerprint, found)?;
    files::write(&arguments.out, &serde_json::to_vec_pretty(&signer)?)?;
    // One answer per invitation: the token is gone with it.
    std::fs::remove_file(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
    let value = serde_json::json!({ "name": name, "fingerprint": found.to_string(), "signer": arguments.out });
    let compared = if arguments.fingerprint.is_some() {
        "as its holder read it"
    } else {
        "compare it with what its holder reads to you, before anyone signs the authority"
    };
    printer.result(
        &value,
        format!(
            "{found}   {name}: {compared}.\nIts public keys are in {}, for the plan.",
            arguments.out.display()
        ),
    )
}

fn compare(read: Option<Fingerprint>, found: Fingerprint) -> anyhow::Result<()> {
    match read {
        Some(read) if read != found => Err(Failure::new(
            Exit::Wrong,
            format!(
                "the answer's keys have the fingerprint {found}, and the holder read {read}: somebody exchanged the answer; \
                 do not use it"
            ),
        )),
        _ => Ok(()),
    }
}
