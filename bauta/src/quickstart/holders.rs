//! The holders' part of the story: a credential, or the certificate that somebody has; what is proved with it; what a relying party
//! learns; and who is refused.

use anyhow::bail;
use bauta_prover::prepare::PrepareError;

use super::{
    authorities,
    demonstration::Demonstration,
    layout::Layout,
    organisation::Person,
    ports::Ports,
    teller::{Step, Teller},
};
use crate::{
    cli::{Authenticate, Enrol, Prepare, Remote},
    holder::{self, Refused},
    relying_party,
};

/// The people of a demonstration, before its service.
pub(super) struct Holders<'a> {
    pub(super) layout: &'a Layout,
    pub(super) demonstration: Demonstration,
    pub(super) ports: &'a Ports,
}

impl Holders<'_> {
    pub(super) async fn tell(&self, teller: &mut Teller) -> anyhow::Result<()> {
        let person = self.authenticate_someone(teller).await?;
        self.use_certificate(teller, person).await?;
        for person in self.demonstration.organisation().revoked {
            self.refuse_revoked(teller, person).await?;
        }
        Ok(())
    }

    fn remote(&self) -> anyhow::Result<Remote> {
        Ok(Remote {
            service: format!("https://{}", self.ports.service),
            service_ca: self.layout.tls_ca(),
            log_policy: Some(self.layout.log_policy()),
            authority: Some(authorities::authority_digest(self.layout)?),
        })
    }

    /// The first person who may have one more key today gets a certificate.
    async fn authenticate_someone(&self, teller: &mut Teller) -> anyhow::Result<&'static Person> {
        for person in self.demonstration.organisation().people {
            self.enrol(teller, person).await?;
            if self.prepare(teller, person).await? && self.authenticate(teller, person).await? {
                return Ok(person);
            }
        }
        bail!(
            "both demonstration people have had their five keys of today; come back tomorrow, or take another folder with --data"
        )
    }

    /// Where there is a desk.
    async fn enrol(&self, teller: &mut Teller, person: &Person) -> anyhow::Result<()> {
        let Some(desk) = self.ports.issuer else {
            return Ok(());
        };
        let step = teller.step(&format!(
            "{} ({}, level {}) enrols with an ordinary X.509 certificate ({})",
            person.name,
            person.department,
            person.level,
            person.key_type()
        ));
        let folder = self.layout.organisation();
        let arguments = Enrol {
            cert: person.certificate(&folder),
            key: person.key(&folder),
            issuer: format!("https://{desk}"),
            issuer_ca: self.layout.issuer_tls().join("ca.pem"),
            reset: false,
            wallet: self.layout.wallet(person.name),
        };
        say(&step, &holder::enrol(&arguments).await?.text());
        step.done();
        Ok(())
    }

    fn preparation(&self, person: &Person) -> anyhow::Result<Prepare> {
        let folder = self.layout.organisation();
        let x509 = self.demonstration == Demonstration::X509;
        let given = |path: std::path::PathBuf| x509.then(|| path.display().to_string());
        Ok(Prepare {
            policy: self.demonstration.policy().to_owned(),
            x509: given(person.certificate(&folder)),
            key: given(person.key(&folder)),
            uses: 1,
            parameters: None,
            remote: self.remote()?,
            wallet: self.layout.wallet(person.name),
        })
    }

    /// Whether everything is proved; `false` if the person's keys of today are used up.
    async fn prepare(&self, teller: &mut Teller, person: &Person) -> anyhow::Result<bool> {
        let policy = self.demonstration.policy();
        let step = match self.demonstration {
            Demonstration::Native => teller.step(&format!(
                "{} proves in advance what the policy {policy:?} asks",
                person.name
            )),
            Demonstration::X509 => {
                let step = teller.step(&format!(
                    "{} ({}) proves in advance what the policy {policy:?} asks, with an ordinary X.509 certificate ({})",
                    person.name,
                    person.department,
                    person.key_type()
                ));
                step.fact("that she has it and its key is proved once and takes seconds; it holds for every policy and epoch");
                step
            }
        };
        let preparation = self.preparation(person)?;
        let prepared = holder::prepare(&preparation, &|line| step.doing(line)).await;
        finish(step, prepared.map(|report| report.text()))
    }

    /// Whether a certificate was issued; `false` if the person's keys of today are used up.
    async fn authenticate(&self, teller: &mut Teller, person: &Person) -> anyhow::Result<bool> {
        let step = teller.step(&format!(
            "{} shows, and gets a certificate for a fresh P-256 key",
            person.name
        ));
        let arguments = Authenticate {
            policy: self.demonstration.policy().to_owned(),
            out: self.layout.holder(),
            yes: true,
            wait: 60,
            parameters: None,
            remote: self.remote()?,
            wallet: self.layout.wallet(person.name),
        };
        let report = holder::authenticate(&arguments).await;
        finish(step, report.map(|report| report.text()))
    }

    async fn use_certificate(&self, teller: &mut Teller, person: &Person) -> anyhow::Result<()> {
        let step = teller.step("A relying party that trusts only Bauta's CA accepts the certificate in a mutual-TLS handshake");
        let learnt = relying_party::handshake(
            &self.layout.ca(),
            &self.layout.certificate(),
            &self.layout.certificate_key(),
        )
        .await?;
        step.fact(format!(
            "it learnt: policy {:?}, pseudonym {}",
            learnt.policy, learnt.pseudonym
        ));
        for (name, value) in &learnt.disclosed {
            step.fact(format!(
                "  and what the policy discloses, {name}: {}",
                holder::disclosed_text(value)
            ));
        }
        let name = person.name;
        step.fact(match self.demonstration {
            Demonstration::Native => format!(
                "it did not learn: {name}'s name, e-mail address or level, nor which part of the policy was met, nor who else {name} is"
            ),
            Demonstration::X509 => format!(
                "it did not learn: {name}'s name, e-mail address, level or key, nor which of the CA's certificates {name} has"
            ),
        });
        step.done();
        Ok(())
    }

    /// Somebody whose certificate is on the CRL gets nothing, though it is in time and says what the policy asks.
    async fn refuse_revoked(&self, teller: &mut Teller, person: &Person) -> anyhow::Result<()> {
        let step = teller.step(&format!(
            "{} ({}), whose certificate the CA has revoked, is refused",
            person.name, person.department
        ));
        let preparation = self.preparation(person)?;
        match holder::prepare(&preparation, &|line| step.doing(line)).await {
            Err(error) if is_revoked(&error) => {
                step.fact(format!("refused, as it should be: {error:#}"));
                step.done();
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => bail!(
                "{}'s revoked certificate was accepted: report this",
                person.name
            ),
        }
    }
}

fn say(step: &Step<'_>, text: &str) {
    for line in text.lines() {
        step.fact(line);
    }
}

/// Ends a step with its report; `false` if the person's keys of today are used up.
fn finish(step: Step<'_>, report: anyhow::Result<String>) -> anyhow::Result<bool> {
    match report {
        Ok(text) => {
            say(&step, &text);
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

fn is_revoked(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<PrepareError>() == Some(&PrepareError::Revoked))
}
