//! `bauta authenticate`: shows, sends a CSR for a fresh key, and accepts a certificate that is what its log entry earns.
//!
//! The key and the use of the scope are written to the wallet before the first request leaves, and kept until the
//! certificate is there: whatever happens in between, the next run repeats the same request, or shows again with the same
//! key and nullifier, and uses up nothing more. A key that was sent with one nullifier is never sent with another.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bauta_log::LogPolicy;
use bauta_prover::keys::HolderKeys;
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_statement::challenge::{Challenge, LONGEST_LIFE};
use bauta_statement::context::{Context, key_digest};
use bauta_statement::csr::Request;
use bauta_statement::field;
use bauta_statement::file;
use bauta_statement::file::text::{parse_hex, parse_time};
use bauta_statement::note::sha256;
use bauta_statement::policy::Policy;
use bauta_statement::relation::Relation;
use bauta_statement::scope;
use data_encoding::BASE64;
use rand::rngs::OsRng;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

mod proofs;
mod wire;

pub(super) use proofs::{native, prove_use, verifying_key};

use super::client::{CallError, Server};
use super::prepare::{Wish, later, ready};
use super::verify::{Verified, verify};
use super::wallet::{
    Hidden, Pending, PendingRequest, PendingUse, PreparedPolicy, ScopeUse, Wallet,
};
use super::{Refused, consent, guard, time};
use crate::print::{Exit, Failure};
use crate::{cli, clock, files, hex};
use proofs::{in_stock, keys};
use wire::{
    CertificateAnswer, CertificateOpenings, CertificateRequest, ChallengeAnswer, ChallengeRequest,
    Next, next, written,
};

/// For how long the same request may resume its entry after its challenge expired.
const RESUME: u64 = 120;
/// The most shows of one run: each is a challenge of its own.
const MOST_SHOWS: usize = 8;

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct AuthenticateReport {
    /// Index of the log entry.
    pub(crate) index: u64,
    /// The name in the certificate.
    pub(crate) spiffe_id: String,
    /// The policy's name.
    pub(crate) policy: String,
    /// The certificate's last second.
    pub(crate) not_after: String,
    /// Attributes that the certificate discloses.
    pub(crate) disclosed: Vec<(String, String)>,
    /// How long the show took; 0 if an earlier request was resumed.
    pub(crate) show_microseconds: u64,
    /// From sending the request to the certificate.
    pub(crate) round_trip_milliseconds: u64,
}

impl AuthenticateReport {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}\n  good until {}, entry {} of the log\n  shown in {}.{:03} ms, certified in {} ms\n",
            self.spiffe_id,
            self.not_after,
            self.index,
            self.show_microseconds / 1000,
            self.show_microseconds % 1000,
            self.round_trip_milliseconds
        );
        for (name, value) in &self.disclosed {
            text.push_str(&format!("  discloses {name}: {value}\n"));
        }
        text
    }
}

/// Authenticates.
pub(crate) async fn authenticate(
    arguments: &cli::Authenticate,
) -> anyhow::Result<AuthenticateReport> {
    let server = Server::new(&arguments.remote.service, &arguments.remote.service_ca)?;
    let mut wallet = Wallet::open(&arguments.wallet, false)?;
    let mut run = Run {
        arguments,
        server,
        wallet: &mut wallet,
        consented: false,
    };
    run.authenticate().await
}

struct Run<'a> {
    arguments: &'a cli::Authenticate,
    server: Server,
    wallet: &'a mut Wallet,
    consented: bool,
}

impl Run<'_> {
    async fn authenticate(&mut self) -> anyhow::Result<AuthenticateReport> {
        let mut prepared = self.prepared(false).await?;
        let mut policy = policy_of(&prepared)?;
        self.consent(&policy, &prepared)?;
        let mut show_microseconds = 0;
        let mut shows = 0;
        let begun = Instant::now();
        let wait = Duration::from_secs(self.arguments.wait);
        loop {
            let mut pending = self.pending(&policy, &prepared).await?;
            if pending.request.is_none() {
                if shows == MOST_SHOWS {
                    return Err(Failure::new(
                        Exit::Later,
                        "the service lapsed every request: try again later",
                    ));
                }
                shows += 1;
                match self.show(&policy, &prepared, &mut pending).await {
                    Ok(microseconds) => show_microseconds = microseconds,
                    Err(ShowFailure::Moved) if shows < MOST_SHOWS => {
                        prepared = self.prepared(true).await?;
                        policy = policy_of(&prepared)?;
                        continue;
                    }
                    Err(ShowFailure::Moved) => bail!(
                        "the service names another policy than its log does: do not prove for it"
                    ),
                    Err(ShowFailure::Other(error)) => return Err(error),
                }
                // Before the request leaves, or a crash would use the key twice.
                self.keep(pending.clone())?;
            }
            let request = pending
                .request
                .clone()
                .context("a request was made above")?;
            let began = Instant::now();
            // A connection of its own: nothing but the presentation is on it.
            let connection = self.server.connect(None)?;
            let answer: Result<CertificateAnswer, CallError> = connection
                .post_bytes("v1/certificates", request.body.0.clone().into_bytes())
                .await;
            let round_trip = began.elapsed();
            let error = match answer {
                Ok(answer) => {
                    let verified = self.accept(&answer, &pending, &request, &prepared)?;
                    self.write(&answer, &pending)?;
                    self.forget(&pending)?;
                    return Ok(AuthenticateReport {
                        index: verified.report.index,
                        spiffe_id: verified.report.spiffe_id,
                        policy: verified.identity.policy,
                        not_after: verified.report.not_after,
                        disclosed: verified.report.disclosed,
                        show_microseconds,
                        round_trip_milliseconds: u64::try_from(round_trip.as_millis())
                            .unwrap_or(u64::MAX),
                    });
                }
                Err(error) => error,
            };
            match next(&error) {
                Next::Repeat(seconds) => {
                    let last = request.expiry.saturating_add(RESUME);
                    let pause = Duration::from_secs(seconds);
                    if begun.elapsed().saturating_add(pause) > wait || clock::now() > last {
                        // The wallet keeps the request; the next run begins with it.
                        return Err(later(error));
                    }
                    tokio::time::sleep(pause).await;
                }
                Next::ShowAgain => {
                    pending.request = None;
                    self.keep(pending)?;
                }
                Next::AnotherUse => self.forget(&pending)?,
                Next::Prepare => {
                    pending.request = None;
                    self.keep(pending)?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    prepared = self.prepared(true).await?;
                    policy = policy_of(&prepared)?;
                    shows += 1;
                }
                Next::Stop => {
                    pending.request = None;
                    self.keep(pending)?;
                    return Err(later(error)).context("the service refuses");
                }
            }
        }
    }

    /// The proof for now: the wallet's, or a new one.
    async fn prepared(&mut self, anew: bool) -> anyhow::Result<PreparedPolicy> {
        let name = &self.arguments.policy;
        let now = clock::now();
        let usable = |contents: &super::wallet::Contents| contents.prepared(name, now).cloned();
        if !anew
            && self.same_pins()?
            && let Some(prepared) = usable(&self.wallet.contents)
        {
            return Ok(prepared);
        }
        let wish = Wish {
            offered: None,
            policy: name,
            uses: 1,
            remote: &self.arguments.remote,
            parameters: self.arguments.parameters.as_deref(),
            progress: &|_| {},
        };
        ready(self.wallet, &wish).await?;
        self.wallet
            .contents
            .prepared(name, clock::now())
            .cloned()
            .context("the epoch ended while preparing: try again")
    }

    /// Whether the command line pins what the wallet has pinned; [`ready`] says what is wrong otherwise.
    fn same_pins(&self) -> anyhow::Result<bool> {
        let Some(pins) = &self.wallet.contents.pins else {
            return Ok(false);
        };
        let remote = &self.arguments.remote;
        let log_policy = remote
            .log_policy
            .as_ref()
            .map(|path| files::read(path, 1 << 20))
            .transpose()?;
        Ok(remote
            .authority
            .as_ref()
            .is_none_or(|named| *named == pins.authority)
            && log_policy.is_none_or(|named| named == pins.log_policy.as_bytes()))
    }

    fn consent(&mut self, policy: &Policy, prepared: &PreparedPolicy) -> anyhow::Result<()> {
        if !self.consented {
            consent::ask(
                policy,
                prepared,
                &self.arguments.remote.service,
                self.arguments.yes,
            )?;
            self.consented = true;
        }
        Ok(())
    }

    /// The key that waits for its certificate under this policy, or a new one with the next use of the scope.
    async fn pending(
        &mut self,
        policy: &Policy,
        prepared: &PreparedPolicy,
    ) -> anyhow::Result<Pending> {
        let now = clock::now();
        self.wallet.contents.prune(now)?;
        let period = policy.scope.as_ref().map(|wanted| {
            let start = scope::period_start(now, wanted.period_seconds);
            let element = scope::scope(&prepared.trust_domain, &wanted.name, start);
            let ends = start.saturating_add(wanted.period_seconds);
            (hex(&field::to_bytes(&element)), ends, wanted)
        });
        // What waits under another scope, of a version of the policy before this one, earns nothing any more; its key goes
        // with its nullifier.
        if let Some(pending) = self.wallet.contents.pending.iter().find(|one| {
            one.policy == policy.name
                && one.usage.as_ref().map(|used| &used.scope)
                    == period.as_ref().map(|(name, ..)| name)
        }) {
            return Ok(pending.clone());
        }
        let usage = match period {
            None => None,
            Some((name, ends, wanted)) => {
                let state = self
                    .wallet
                    .contents
                    .scopes
                    .entry(name.clone())
                    .or_insert(ScopeUse { next: 0, ends });
                if state.next >= wanted.bound {
                    return Err(Refused::Exhausted {
                        policy: policy.name.clone(),
                        bound: wanted.bound,
                        until: time(ends),
                    }
                    .into());
                }
                let counter = state.next;
                state.next += 1;
                Some(PendingUse {
                    scope: name,
                    counter,
                    ends,
                })
            }
        };
        let (key, csr) = fresh_key()?;
        let pending = Pending {
            policy: policy.name.clone(),
            key: Hidden(key.serialize_pem()),
            csr: BASE64.encode(&csr),
            usage,
            request: None,
        };
        self.keep(pending.clone())?;
        Ok(pending)
    }

    /// Writes what waits to the wallet.
    fn keep(&mut self, pending: Pending) -> anyhow::Result<()> {
        let all = &mut self.wallet.contents.pending;
        all.retain(|one| one.policy != pending.policy);
        all.push(pending);
        self.wallet.save()
    }

    /// The key has its certificate, or will never have one; its use of the scope is gone either way.
    fn forget(&mut self, pending: &Pending) -> anyhow::Result<()> {
        let contents = &mut self.wallet.contents;
        contents.pending.retain(|one| one.policy != pending.policy);
        if let Some(used) = &pending.usage {
            let mut stored = contents.stored()?;
            stored.uses.retain(|one| {
                let scope = one
                    .proof
                    .public
                    .get(1)
                    .map(|scope| hex(&field::to_bytes(scope)));
                one.counter != used.counter || scope.as_ref() != Some(&used.scope)
            });
            contents.store(&stored);
        }
        self.wallet.save()
    }

    /// Asks for a challenge and shows for it; gives the time that the show took, in microseconds.
    async fn show(
        &mut self,
        policy: &Policy,
        prepared: &PreparedPolicy,
        pending: &mut Pending,
    ) -> Result<u64, ShowFailure> {
        let csr = BASE64
            .decode(pending.csr.as_bytes())
            .context("the wallet is damaged")?;
        let key = Request::from_der(&csr)
            .context("the wallet is damaged")?
            .key;
        let digest = sha256(prepared.text.as_bytes());
        let ready_to_show = self
            .ready_to_show(policy, pending, digest, prepared.epoch)
            .await?;

        let connection = self.server.connect(None)?;
        let answer: ChallengeAnswer = connection
            .post(
                "v1/challenges",
                &ChallengeRequest {
                    policy: &policy.name,
                },
            )
            .await
            .map_err(|error| match next(&error) {
                Next::Prepare => ShowFailure::Moved,
                _ => ShowFailure::Other(later(error)),
            })?;
        if parse_hex(&answer.policy_digest).ok() != Some(digest) {
            return Err(ShowFailure::Moved);
        }
        let token = BASE64
            .decode(answer.challenge.as_bytes())
            .context("the service's challenge is not base64")?;
        let challenge = Challenge::decode(&token).context("the service's challenge")?;
        let now = clock::now();
        if challenge.policy_digest != digest
            || parse_time(&answer.expiry).ok() != Some(challenge.expiry)
        {
            return Err(
                anyhow::anyhow!("the service's challenge contradicts itself: report it").into(),
            );
        }
        // The expiry is logged: one far off would be a mark of the service's own choice.
        if challenge.expiry > now.saturating_add(LONGEST_LIFE + RESUME) {
            return Err(anyhow::anyhow!(
                "the service's challenge expires at {}, later than any may: correct this machine's clock, or do not prove for this service",
                time(challenge.expiry)
            )
            .into());
        }

        let context = Context {
            policy_digest: digest,
            nonce: challenge.nonce,
            expiry: challenge.expiry,
            trust_domain: prepared.trust_domain.clone(),
            ca_name: prepared.ca_name.clone(),
            log_origin: prepared.log_origin.clone(),
            spki_sha256: key_digest(key.spki()),
        };
        let (keys, parts) = ready_to_show;
        let began = Instant::now();
        let (presentation, openings) = parts.show(&mut OsRng, &keys, &context).context("show")?;
        let took = began.elapsed();
        let body = CertificateRequest {
            challenge: answer.challenge,
            epoch: prepared.epoch,
            csr: pending.csr.clone(),
            presentation: BASE64.encode(&presentation.encode()),
            openings: written(&openings)?,
        };
        pending.request = Some(PendingRequest {
            body: Hidden(serde_json::to_string(&body).context("request")?),
            nonce: hex(&challenge.nonce),
            expiry: challenge.expiry,
        });
        Ok(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
    }

    /// Keys and proofs, put together for one show; proves the use of the scope if none is in stock.
    async fn ready_to_show(
        &mut self,
        policy: &Policy,
        pending: &Pending,
        digest: [u8; 32],
        epoch: u64,
    ) -> anyhow::Result<(HolderKeys, Prepared)> {
        let mut stored = self.wallet.contents.stored()?;
        let mut usage = None;
        if let (Some(used), Some(wanted)) = (&pending.usage, &policy.scope) {
            let key = verifying_key(&self.wallet.contents.keys, Relation::Nullifier)?;
            let proof = match in_stock(&stored.uses, used, wanted.bound, &key) {
                Some(proof) => proof.clone(),
                None => {
                    let parameters = self.arguments.parameters.as_deref();
                    let made = prove_use(&stored, used, wanted.bound, &key, parameters)?;
                    stored.uses.push(made.clone());
                    self.wallet.contents.store(&stored);
                    made
                }
            };
            usage = Some(proof);
        }
        let keys = keys(&self.wallet.contents.keys)?;
        let missing = "the wallet lacks a proof that it had: prepare again";
        let possession = stored.possession.as_ref().context(missing)?;
        let proof = stored
            .policies
            .iter()
            .find(|one| one.policy == digest && one.epoch == epoch)
            .context(missing)?;
        let slots = SlotMap::from(policy);
        let prepared = Prepared::new(
            &keys,
            Holding::from(&stored.credential),
            possession,
            &proof.proof,
            usage.as_ref().map(|one| &one.proof),
            slots,
        )?;
        Ok((keys, prepared))
    }

    /// Checks offline that the certificate is what our entry earns, for our key and challenge.
    fn accept(
        &self,
        answer: &CertificateAnswer,
        pending: &Pending,
        request: &PendingRequest,
        prepared: &PreparedPolicy,
    ) -> anyhow::Result<Verified> {
        let wrong = |text: String| Failure::new(Exit::Wrong, text);
        let leaf = CertificateDer::from_pem_slice(answer.certificate_chain.as_bytes())
            .map_err(|_| wrong("the service sent no certificate in PEM: report it".to_owned()))?;
        let pins = self
            .wallet
            .contents
            .pins
            .as_ref()
            .context("the wallet has no pins: prepare again")?;
        let policy =
            LogPolicy::parse(pins.log_policy.as_bytes()).context("the pinned log-policy")?;
        let ca = guard::ca_of(
            &prepared.ca_text,
            &prepared.trust_domain,
            prepared.enterprise_number,
        )?;
        let verified = verify(&leaf, answer.tlog_proof.as_bytes(), &ca, &policy).map_err(|e| {
            wrong(format!(
                "the service sent a certificate that is not accepted: {e}"
            ))
        })?;
        let csr = BASE64
            .decode(pending.csr.as_bytes())
            .context("the wallet is damaged")?;
        let key = Request::from_der(&csr)
            .context("the wallet is damaged")?
            .key;
        let sent: CertificateOpenings =
            serde_json::from_str(&request.body.0).context("the wallet is damaged")?;
        let openings = written(&verified.evidence.openings)?;
        if verified.issuance.key != key.spki()
            || hex(&verified.issuance.nonce) != request.nonce
            || openings != sent.openings
        {
            return Err(wrong(
                "the service sent a certificate for another request: report it".to_owned(),
            ));
        }
        Ok(verified)
    }

    /// Writes the three files, the key first: a certificate without its key is worth nothing.
    fn write(&self, answer: &CertificateAnswer, pending: &Pending) -> anyhow::Result<()> {
        let out: &Path = &self.arguments.out;
        files::write_secret(&out.join("key.pem"), pending.key.0.as_bytes())?;
        files::write(
            &out.join("certificate.pem"),
            answer.certificate_chain.as_bytes(),
        )?;
        // With its openings it is not for publication.
        files::write_secret(
            &out.join("certificate.tlog-proof"),
            answer.tlog_proof.as_bytes(),
        )
    }
}

/// Why there is no show.
enum ShowFailure {
    /// The service has another policy or epoch in force than the wallet prepared for.
    Moved,
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for ShowFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

pub(super) fn policy_of(prepared: &PreparedPolicy) -> anyhow::Result<Policy> {
    match file::parse_text(&prepared.text)?.1 {
        file::Body::Policy(policy) => Ok(*policy),
        _ => bail!("the wallet holds another file for the policy: prepare again"),
    }
}

/// A P-256 key and a request for it that says nothing else.
fn fresh_key() -> anyhow::Result<(KeyPair, Vec<u8>)> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("key generation")?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    let csr = parameters
        .serialize_request(&key)
        .context("certificate request")?;
    Ok((key, csr.der().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_asks_for_nothing_but_itself() {
        let (one, csr) = fresh_key().unwrap();
        let (two, _) = fresh_key().unwrap();
        assert_ne!(one.serialize_pem(), two.serialize_pem());
        assert!(
            one.serialize_pem()
                .starts_with("-----BEGIN PRIVATE KEY-----")
        );
        let key = Request::from_der(&csr).unwrap().key;
        assert!(bauta_verifier::csr::verify(&csr).is_ok_and(|verified| verified == key));
    }
}
