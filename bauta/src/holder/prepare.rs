//! `bauta prepare`: fetches what is public, lets [`guard`] decide whether to believe it, and makes the proofs that the
//! wallet lacks: possession once per credential, policy once per epoch, and one per use of a scope.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::{PolicyError, PolicyWitness};
use bauta_circuits::possession::native::NativeWitness;
use bauta_circuits::possession::x509_rsa::{Long, Standard, Variant, X509RsaWitness};
use bauta_circuits::{Circuit as _, constraint_system};
use bauta_log::LogPolicy;
use bauta_prover::credential::{Credential, X509RsaCredential};
use bauta_prover::keys::{Prover, ProvingKey};
use bauta_prover::prepare::{native_witness, satisfies};
use bauta_prover::prove::{ProveError, RelationProof, prove};
use bauta_prover::wallet::{Stored, StoredPolicy, StoredUse};
use bauta_setup::ParameterSet;
use bauta_statement::field;
use bauta_statement::file::text::parse_hex;
use bauta_statement::note::{Digest, sha256};
use bauta_statement::policy::{Policy, RelationName};
use bauta_statement::relation::{DEVELOPMENT_VERIFYING_KEYS, Relation};
use bauta_statement::rsa_key::MODULUS_LEN;
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::scope;
use bauta_statement::vector::Format;
use data_encoding::{BASE64, HEXLOWER};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::authenticate::{native, verifying_key};
use super::client::{CallError, Connection, Server};
use super::guard::{
    self, Checked, Fetched, GuardError, Missing, Offered, Outcome, Pins, RevokedHint, Seen,
};
use super::possession::{self, Identity};
use super::time;
use super::wallet::{Contents, Pinned, PreparedPolicy, ScopeUse, Wallet};
use crate::print::{Exit, Failure};
use crate::{cli, clock, files, hex, operator};

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct PrepareReport {
    /// The policy's name.
    pub(crate) policy: String,
    /// The epoch that the proof is for.
    pub(crate) epoch: u64,
    /// When the epoch, and so the proof, ends.
    pub(crate) until: String,
    /// Uses of the scope that are ready; nothing where the policy has no scope.
    pub(crate) uses: Option<usize>,
    /// Proofs made now, with their times in milliseconds; nothing if all were there.
    pub(crate) proofs: Vec<(String, u64)>,
}

impl PrepareReport {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "ready for policy {:?} until {} (epoch {})\n",
            self.policy, self.until, self.epoch
        );
        for (relation, milliseconds) in &self.proofs {
            text.push_str(&format!("  proved {relation} in {milliseconds} ms\n"));
        }
        match self.uses {
            Some(0) => text.push_str("  no use of the scope is left in this period\n"),
            Some(uses) => text.push_str(&format!("  {uses} use(s) of the scope ready\n")),
            None => {}
        }
        text
    }
}

/// Prepares a policy.
pub(crate) async fn prepare(
    arguments: &cli::Prepare,
    progress: &dyn Fn(&str),
) -> anyhow::Result<PrepareReport> {
    let offered = match (&arguments.x509, &arguments.key) {
        (Some(certificate), Some(key)) => Some(Identity::load(certificate, key, clock::now())?),
        _ => None,
    };
    let mut wallet = Wallet::open(&arguments.wallet, offered.is_some())?;
    let wish = Wish {
        offered: offered.as_ref(),
        policy: &arguments.policy,
        uses: arguments.uses,
        remote: &arguments.remote,
        parameters: arguments.parameters.as_deref(),
        progress,
    };
    ready(&mut wallet, &wish).await
}

/// What is to be prepared, and from where.
pub(crate) struct Wish<'a> {
    /// A certificate to prove with; what the wallet holds, if there is none.
    pub(crate) offered: Option<&'a Identity>,
    pub(crate) policy: &'a str,
    pub(crate) uses: u32,
    pub(crate) remote: &'a cli::Remote,
    pub(crate) parameters: Option<&'a Path>,
    pub(crate) progress: &'a dyn Fn(&str),
}

/// Makes the wallet ready for a policy, and saves it.
pub(crate) async fn ready(wallet: &mut Wallet, wish: &Wish<'_>) -> anyhow::Result<PrepareReport> {
    let held = match wish.offered {
        None => Some(wallet.contents.stored()?),
        Some(_) => wallet.contents.held()?,
    };
    let pinned = pinned(&wallet.contents, wish.remote)?;
    let pins = Pins {
        authority: parse_hex(&pinned.authority)
            .context("the authority's digest is not 64 lower-case hex digits: give --authority as it was announced")?,
        log_policy: LogPolicy::parse(pinned.log_policy.as_bytes()).context("the log-policy does not parse")?,
    };
    let server = Server::new(&wish.remote.service, &wish.remote.service_ca)?;
    (wish.progress)("checking the epoch, its log and the signed files");
    let now = clock::now();
    let checked = look(
        &server,
        &pins,
        wallet.contents.seen.as_ref(),
        wish.policy,
        now,
    )
    .await?;
    wallet.contents.pins = Some(pinned);
    wallet.contents.seen = Some(checked.seen.clone());
    wallet.contents.prune(now)?;
    // What was seen counts even if nothing can be proved.
    wallet.save()?;
    let stored = match (wish.offered, held) {
        (Some(offered), held) => {
            possession::stored(held, offered.credential(&checked.authorities)?)?
        }
        (None, Some(held)) => held,
        (None, None) => wallet.contents.stored()?,
    };
    let report = make(wallet, stored, &checked, wish, now)?;
    wallet.save()?;
    Ok(report)
}

/// The pins of the wallet, or the first time those of the command line. A log-policy that the holder names replaces the one
/// before it, since signers change; the authority is for good.
fn pinned(contents: &Contents, remote: &cli::Remote) -> anyhow::Result<Pinned> {
    let named = remote
        .log_policy
        .as_ref()
        .map(|path| {
            String::from_utf8(files::read(path, 1 << 20)?).context("the log-policy is not text")
        })
        .transpose()?;
    match (&contents.pins, &remote.authority) {
        (Some(pins), Some(authority)) if pins.authority != *authority => bail!(
            "this wallet is pinned to the CA that began with authority {}: use another wallet for another CA",
            pins.authority
        ),
        (Some(pins), _) => Ok(Pinned {
            authority: pins.authority.clone(),
            log_policy: named.unwrap_or_else(|| pins.log_policy.clone()),
        }),
        (None, Some(authority)) => {
            let log_policy = named
                .context("the first time, name the log-policy to pin with --log-policy FILE")?;
            Ok(Pinned {
                authority: authority.clone(),
                log_policy,
            })
        }
        (None, None) => bail!(
            "the first time, name what to pin, from a place other than the service: --authority HEX (SHA-256 of the first \
             authority file) and --log-policy FILE"
        ),
    }
}

#[derive(Deserialize)]
struct Epochs {
    current: Option<EpochAnswer>,
    next: Option<EpochAnswer>,
}

#[derive(Deserialize)]
struct EpochAnswer {
    entry: String,
    tlog_proof: String,
}

#[derive(Deserialize)]
struct Revocations {
    count: usize,
    handles: Vec<String>,
    /// Keys of X.509 CAs, in hexadecimal.
    ca_keys: Vec<String>,
}

/// More pages than a full tree of revoked handles has.
const MOST_PAGES: usize = 64;

/// Fetches until [`guard::check`] has what it needs, on connections of its own.
async fn look(
    server: &Server,
    pins: &Pins,
    seen: Option<&Seen>,
    policy: &str,
    now: u64,
) -> anyhow::Result<Checked> {
    let connection = server.connect(None)?;
    let epochs: Epochs = connection.get_json("v1/epochs").await.map_err(later)?;
    let offered = [epochs.current, epochs.next]
        .into_iter()
        .flatten()
        .map(|one| {
            let entry = BASE64
                .decode(one.entry.as_bytes())
                .context("the service sent an epoch that is not base64")?;
            Ok(Offered {
                entry,
                proof: one.tlog_proof.into_bytes(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut fetched = Fetched::default();
    // Each round fetches something new; honest logs need a handful.
    for _ in 0..200 {
        match guard::check(pins, seen, &offered, policy, &fetched, now).map_err(refused)? {
            Outcome::Checked(checked) => return Ok(*checked),
            Outcome::Missing(missing) => fetch(&connection, missing, &mut fetched).await?,
        }
    }
    bail!("the service makes this wallet fetch without end: report it")
}

async fn fetch(
    connection: &Connection,
    missing: Missing,
    fetched: &mut Fetched,
) -> anyhow::Result<()> {
    match missing {
        Missing::Objects(digests) => {
            for digest in digests {
                let path = format!("objects/{}", hex(&digest));
                let bytes = connection
                    .get(&path)
                    .await
                    .map_err(later)?
                    .filter(|bytes| sha256(bytes) == digest)
                    .with_context(|| {
                        format!("the service does not have {path}, which its log names: report it")
                    })?;
                fetched.objects.insert(digest, bytes);
            }
        }
        Missing::Files(paths) => {
            for path in paths {
                let found = connection.get(&path).await.map_err(later)?;
                fetched.files.insert(path, found);
            }
        }
        Missing::Revoked(epoch) => {
            let hint = revoked(connection, epoch).await?;
            fetched.revoked.insert(epoch, hint);
        }
    }
    Ok(())
}

/// The revoked handles of an epoch, page after page, and the keys of X.509 CAs that revoked some.
async fn revoked(connection: &Connection, epoch: u64) -> anyhow::Result<RevokedHint> {
    let mut hint = RevokedHint::default();
    for _ in 0..MOST_PAGES {
        let from = hint.in_order.len();
        let page: Revocations = connection
            .get_json(&format!("v1/epochs/{epoch}/revocations?from={from}"))
            .await
            .map_err(later)?;
        let handles = page
            .handles
            .iter()
            .map(|handle| handle.parse())
            .collect::<Result<Vec<u64>, _>>()
            .context("the service sent a revoked handle that is no number")?;
        let last = handles.is_empty() || from + handles.len() >= page.count;
        hint.in_order.extend(handles);
        if last {
            hint.ca_keys = page
                .ca_keys
                .iter()
                .map(|key| {
                    let modulus = HEXLOWER.decode(key.as_bytes())?;
                    Ok(RsaPublicKey::from_be_bytes(&modulus)?)
                })
                .collect::<anyhow::Result<_>>()
                .context("the service sent a CA's key that is none of RSA-2048")?;
            return Ok(hint);
        }
    }
    bail!("the service sends more pages of revoked handles than a log can have: report it")
}

/// A call that failed, as an error of the program: what did not answer may answer later.
pub(crate) fn later(error: CallError) -> anyhow::Error {
    let exit = match &error {
        CallError::Problem(problem) if problem.status < 500 => Exit::Failed,
        _ => Exit::Later,
    };
    Failure::new(exit, error.to_string())
}

/// What the guard refuses is wrong, but for an epoch that may yet come and a policy that is not offered.
fn refused(error: GuardError) -> anyhow::Error {
    let exit = match &error {
        GuardError::NoEpoch(_) => Exit::Later,
        GuardError::PolicyNotInForce(_) => Exit::Failed,
        _ => Exit::Wrong,
    };
    Failure::new(exit, error.to_string())
}

/// The proofs that are not there yet.
fn make(
    wallet: &mut Wallet,
    mut stored: Stored,
    checked: &Checked,
    wish: &Wish<'_>,
    now: u64,
) -> anyhow::Result<PrepareReport> {
    let folder = operator::parameters::cache_folder(wish.parameters)?;
    let mut proofs = Vec::new();
    let mut done = |name: &str, began: Instant| {
        proofs.push((
            name.to_owned(),
            u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ));
    };

    let format = stored.credential.format();
    let relation = Relation::possession(format)
        .with_context(|| format!("{format:?} credentials cannot be proved yet: enrol at a desk"))?;
    if checked.policy.scope.is_some() && stored.credential.native().is_none() {
        bail!(
            "policy {:?} counts uses, which no X.509 certificate can: enrol at a desk for it",
            wish.policy
        );
    }
    if !checked.policy.takes(relation) {
        bail!(
            "policy {:?} does not take credentials of this kind: among its parameters is no {}",
            wish.policy,
            relation.name()
        );
    }
    // What cannot be shown is told before anything long begins.
    let number = checked.epoch.number;
    let policy = parameters(&folder, checked, Relation::Policy, wish.progress)?;
    let digest = policy.verifying_key().digest();
    let there = |one: &StoredPolicy| {
        one.policy == checked.policy_digest
            && one.epoch == number
            && one.proof.key == digest
            && one.proof.public == checked.public.to_inputs()
    };
    let unproved = match stored.policies.iter().any(there) {
        true => None,
        false => {
            let witness = satisfies(
                &stored.credential.vector(),
                &checked.policy,
                &checked.public,
                &checked.issuers,
                &checked.revoked,
            )?;
            let met = witness.check().map_err(ProveError::Untrue);
            met.map_err(|error| unmet(error, &checked.policy))?;
            Some(witness)
        }
    };

    let nullifier = parameters(&folder, checked, Relation::Nullifier, wish.progress)?;
    for (relation, set) in [
        (Relation::Policy, &policy),
        (Relation::Nullifier, &nullifier),
    ] {
        let key = BASE64.encode(&set.verifying_key().encode());
        wallet.contents.keys.insert(relation.name().to_owned(), key);
    }

    let key = named(checked, relation)?;
    let known = verifying_key(&wallet.contents.keys, relation).is_ok_and(|one| one.digest() == key);
    let proved = stored
        .possession
        .as_ref()
        .is_some_and(|proof| proof.key == key && proof.relation == relation);
    if !(known && proved) {
        // A large relation takes two seconds to record, as its key does to be read: at once, on two cores.
        std::thread::spawn(move || {
            constraint_system(relation);
        });
        let possession = parameters(&folder, checked, relation, wish.progress)?;
        let text = BASE64.encode(&possession.verifying_key().encode());
        wallet
            .contents
            .keys
            .insert(relation.name().to_owned(), text);
        (wish.progress)("proving possession of the credential");
        let began = Instant::now();
        stored.possession = Some(possess(&stored.credential, possession, wish.offered)?);
        done("possession", began);
    }

    if let Some(witness) = unproved {
        (wish.progress)("proving that the credential satisfies the policy");
        let began = Instant::now();
        let prover = Prover::<PolicyWitness>::new(policy.into_proving_key())?;
        let proof =
            prove(&prover, &witness, &mut OsRng).map_err(|error| unmet(error, &checked.policy))?;
        stored
            .policies
            .retain(|one| one.policy != checked.policy_digest || one.epoch != number);
        stored.policies.push(StoredPolicy {
            policy: checked.policy_digest,
            epoch: number,
            proof,
        });
        done("policy", began);
    }

    let mut uses = None;
    if let Some(wanted) = &checked.policy.scope {
        let start = scope::period_start(now, wanted.period_seconds);
        let element = scope::scope(&checked.authority.trust_domain, &wanted.name, start);
        let name = hex(&field::to_bytes(&element));
        let ends = start.saturating_add(wanted.period_seconds);
        let state = wallet
            .contents
            .scopes
            .entry(name)
            .or_insert(ScopeUse { next: 0, ends });
        let key = nullifier.verifying_key().digest();
        let ready = |stored: &Stored, counter: u32| {
            stored.uses.iter().any(|one| {
                one.counter == counter
                    && one.proof.key == key
                    && one.proof.public.get(1) == Some(&element)
                    && one.proof.public.get(2) == Some(&wanted.bound.into())
            })
        };
        let until = state.next.saturating_add(wish.uses).min(wanted.bound);
        if (state.next..until).any(|counter| !ready(&stored, counter)) {
            (wish.progress)("proving uses of the scope");
            let prover = Prover::<NullifierWitness>::new(nullifier.into_proving_key())?;
            for counter in state.next..until {
                if ready(&stored, counter) {
                    continue;
                }
                let began = Instant::now();
                let witness = NullifierWitness::new(
                    native(&stored)?.holder().secret,
                    element,
                    counter,
                    wanted.bound,
                );
                let proof = prove(&prover, &witness, &mut OsRng)?;
                stored.uses.push(StoredUse { counter, proof });
                done("nullifier", began);
            }
        }
        uses = Some(
            (state.next..wanted.bound)
                .filter(|counter| ready(&stored, *counter))
                .count(),
        );
    }

    let contents = &mut wallet.contents;
    contents.store(&stored);
    contents.prepared.retain(|one| one.name != wish.policy);
    contents.prepared.push(PreparedPolicy {
        name: wish.policy.to_owned(),
        text: checked.policy_text.clone(),
        epoch: number,
        starts: checked.epoch.start,
        ends: checked.epoch.end(),
        trust_domain: checked.authority.trust_domain.clone(),
        ca_name: checked.authority.ca_name.clone(),
        log_origin: checked.authority.log.origin.clone(),
        enterprise_number: checked.authority.enterprise_number,
        ca_text: checked.ca_text.clone(),
    });
    Ok(PrepareReport {
        policy: wish.policy.to_owned(),
        epoch: number,
        until: time(checked.epoch.end()),
        uses,
        proofs,
    })
}

/// The proof of possession, by the relation of the credential's format.
fn possess(
    credential: &Credential,
    parameters: ParameterSet,
    offered: Option<&Identity>,
) -> anyhow::Result<RelationProof> {
    let key = parameters.into_proving_key();
    let certificate = match credential {
        Credential::Native(credential) => {
            let prover = Prover::<NativeWitness>::new(key)?;
            return Ok(prove(&prover, &native_witness(credential), &mut OsRng)?);
        }
        Credential::X509Rsa(certificate) => certificate,
    };
    let signature = offered
        .context(
            "possession must be proved anew, for the CA has other parameters: prepare again with --x509 and --key",
        )?
        .sign()?;
    match credential.format() {
        Format::X509RsaLong => certified::<Long>(key, certificate, signature),
        _ => certified::<Standard>(key, certificate, signature),
    }
}

fn certified<V: Variant>(
    key: ProvingKey,
    certificate: &X509RsaCredential,
    signature: Zeroizing<[u8; MODULUS_LEN]>,
) -> anyhow::Result<RelationProof> {
    let prover = Prover::<X509RsaWitness<V>>::new(key)?;
    Ok(prove(
        &prover,
        &certificate.witness(signature)?,
        &mut OsRng,
    )?)
}

/// The proving key of a relation whose verifying key the epoch names.
fn parameters(
    folder: &Path,
    checked: &Checked,
    relation: Relation,
    progress: &dyn Fn(&str),
) -> anyhow::Result<ParameterSet> {
    parameter_set(folder, relation, &named(checked, relation)?, progress)
}

/// Digest of the verifying key that the epoch names for a relation.
fn named(checked: &Checked, relation: Relation) -> anyhow::Result<Digest> {
    let named = checked
        .parameters
        .verifying_key(RelationName(relation))
        .with_context(|| {
            format!(
                "this CA takes no credentials of this kind: the epoch's parameters lack {}",
                relation.name()
            )
        })?;
    Ok(named.verifying_key)
}

/// The parameter set with this verifying key, from a folder of sets (each in `<relation>-…`). One that everyone can make,
/// which [`guard`] lets through in development alone, is made where it is not there.
pub(crate) fn parameter_set(
    folder: &Path,
    relation: Relation,
    key: &Digest,
    progress: &dyn Fn(&str),
) -> anyhow::Result<ParameterSet> {
    let name = relation.name();
    if DEVELOPMENT_VERIFYING_KEYS.contains(&(relation, *key)) {
        return bauta_setup::load_or_make(folder, relation, &mut |step| {
            progress(&format!("parameters of {name}: {step}"));
        })
        .with_context(|| format!("parameters of {name} in {}", folder.display()));
    }
    let about = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(about)? {
        let entry = entry.with_context(about)?;
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{name}-"))
        {
            continue;
        }
        if let Ok(set) = bauta_setup::load(&entry.path(), relation)
            && set.verifying_key().digest() == *key
        {
            return Ok(set);
        }
    }
    bail!(
        "no parameters of {name} in {} have the verifying key {} that the epoch names: fetch the CA's parameters, and give \
         their folder with --parameters",
        folder.display(),
        hex(key)
    )
}

/// Why the policy is not met, by the attribute's name.
fn unmet(error: ProveError<PolicyError>, policy: &Policy) -> anyhow::Error {
    if let ProveError::Untrue(PolicyError::Predicate(position)) = &error
        && let Some(predicate) = policy.places().get(*position).copied().flatten()
    {
        return anyhow::anyhow!(
            "your credential does not meet what policy {:?} asks of {:?}: use a credential that does, or another policy",
            policy.name,
            predicate.attribute
        );
    }
    error.into()
}
