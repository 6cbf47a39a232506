//! `bauta enrol`: from an X.509 client certificate to a native credential in the wallet. The desk sees a commitment to the
//! holder secret, never the secret, which is written to the wallet before its commitment leaves the machine.

use anyhow::Context;
use bauta_issuer::{Enrolment, EnrolmentRequest};
use bauta_prover::credential::Credential;
use bauta_prover::wallet::Stored;
use bauta_statement::field;
use bauta_statement::vector::AttributeValue;
use serde::Serialize;

use super::client::{CallError, Connection, Server};
use super::wallet::{Secret, Wallet};
use super::{time, x509};
use crate::print::{Exit, Failure};
use crate::{cli, clock};

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct EnrolReport {
    /// The issuer's name.
    pub(crate) issuer: String,
    /// The certificate's subject.
    pub(crate) subject: String,
    /// The credential's serial number.
    pub(crate) serial: String,
    /// Its first second.
    pub(crate) not_before: String,
    /// Its last second.
    pub(crate) not_after: String,
    /// Its attributes, name and value.
    pub(crate) attributes: Vec<(String, String)>,
    /// Whether the wallet had one before, under the same secret.
    pub(crate) renewed: bool,
}

impl EnrolReport {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} issued a credential for {}\n  valid from {} to {} (serial {})\n",
            self.issuer, self.subject, self.not_before, self.not_after, self.serial
        );
        for (name, value) in &self.attributes {
            text.push_str(&format!("  {name}: {value}\n"));
        }
        if self.renewed {
            text.push_str("  renewed under the same holder secret\n");
        }
        text
    }
}

/// Enrols, or renews what the wallet has.
pub(crate) async fn enrol(arguments: &cli::Enrol) -> anyhow::Result<EnrolReport> {
    let now = clock::now();
    let identity = x509::load(&arguments.cert, &arguments.key, now)?;
    let server = Server::new(&arguments.issuer, &arguments.issuer_ca)?;
    let mut wallet = Wallet::open(&arguments.wallet, true)?;

    // A secret whose commitment may have reached a desk is not drawn again: the desk may know it already.
    let unanswered = wallet.contents.next_holder.clone();
    let secret = match (&unanswered, &wallet.contents.holder) {
        (Some(secret), _) => secret.clone(),
        (None, Some(secret)) if !arguments.reset => secret.clone(),
        _ => Secret::generate(),
    };
    let holder = secret.holder()?;
    let known = wallet
        .contents
        .holder
        .as_ref()
        .map(Secret::holder)
        .transpose()?;
    let renewed = known.as_ref() == Some(&holder);
    if !renewed {
        wallet.contents.next_holder = Some(secret.clone());
        wallet.save()?;
    }

    let connection = server.connect(Some(identity.certified_key()))?;
    let mut request = EnrolmentRequest {
        commitment: field::to_bytes(&holder.commitment()),
        reset: arguments.reset,
    };
    let mut answer = ask(&connection, &request).await;
    if let Err(CallError::Problem(problem)) = &answer
        && problem.name == "reset-same-secret"
        && unanswered.is_some()
    {
        // The reset that this wallet asked for before was done; only its answer was lost.
        request.reset = false;
        answer = ask(&connection, &request).await;
    }
    let enrolment = answer.map_err(|error| match error {
        CallError::Problem(problem) => Failure::new(
            Exit::Failed,
            format!("the desk refuses: {}", problem.detail),
        ),
        CallError::Transport(text) => Failure::new(Exit::Later, text),
    })?;
    let credential = enrolment.accept(holder).context("the desk's answer")?;

    let issued = credential.issued();
    let attributes = enrolment
        .schema
        .attributes
        .iter()
        .filter_map(|attribute| {
            let text = match credential.attribute(usize::from(attribute.slot))? {
                AttributeValue::Integer(value) => value.to_string(),
                AttributeValue::Text(value) => value,
                AttributeValue::Absent => "(absent)".to_owned(),
            };
            Some((attribute.name.clone(), text))
        })
        .collect();
    let report = EnrolReport {
        issuer: enrolment.issuer.clone(),
        subject: identity.subject().to_owned(),
        serial: enrolment.serial.clone(),
        not_before: time(issued.not_before),
        not_after: time(issued.not_after),
        attributes,
        renewed,
    };
    keep(&mut wallet, enrolment, secret, credential, renewed)?;
    Ok(report)
}

async fn ask(connection: &Connection, request: &EnrolmentRequest) -> Result<Enrolment, CallError> {
    connection.post("v1/enrolments", request).await
}

/// Puts the credential into the wallet. Proofs of possession and of policies are the old credential's; proofs of uses are the
/// secret's, and stay with it.
fn keep(
    wallet: &mut Wallet,
    enrolment: Enrolment,
    secret: Secret,
    credential: bauta_statement::credential::NativeCredential,
    renewed: bool,
) -> anyhow::Result<()> {
    let contents = &mut wallet.contents;
    let before = contents.stored().ok().filter(|_| renewed);
    let same = before
        .as_ref()
        .is_some_and(|before| before.credential.native() == Some(&credential));
    if !same {
        contents.store(&Stored {
            credential: Credential::Native(credential),
            possession: None,
            policies: Vec::new(),
            uses: before.map(|before| before.uses).unwrap_or_default(),
        });
        contents.prepared.clear();
    }
    if !renewed {
        contents.scopes.clear();
        contents.pending.clear();
    }
    contents.enrolment = Some(enrolment);
    contents.holder = Some(secret);
    contents.next_holder = None;
    wallet.save()
}
