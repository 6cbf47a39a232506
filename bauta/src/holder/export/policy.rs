//! The witness behind a stored policy proof. The wallet does not keep it, so the trees that the epoch named are built again
//! from the quickstart's log; whether they are the same, the comparison with the stored proof's inputs says.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use bauta_circuits::policy::PolicyWitness;
use bauta_log::reader::AuditError;
use bauta_log::storage::get_object;
use bauta_log::{FolderStorage, LogPolicy, LogReader};
use bauta_prover::prepare::satisfies;
use bauta_prover::wallet::Stored;
use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::{Epoch, accepted_origins};
use bauta_statement::file::text::parse_hex;
use bauta_statement::file::{self, SignedFile};
use bauta_statement::note::Digest;
use bauta_statement::policy::{EpochRoots, Policy};
use bauta_statement::schema::Schema;
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use bauta_verifier::ledger::Ledger;

use crate::audit::{LogObjects, published};
use crate::holder::wallet::{Contents, PreparedPolicy};

/// Builds the witness from the log in a folder.
pub(super) fn witness(
    log: &Path,
    contents: &Contents,
    stored: &Stored,
    prepared: &PreparedPolicy,
    policy: &Policy,
) -> anyhow::Result<PolicyWitness> {
    let pins = contents.pins.as_ref().context("the wallet has no pins")?;
    let reader = LogReader::new(FolderStorage::read_only(log));
    let checkpoint = LogPolicy::parse(pins.log_policy.as_bytes())?.check(&published(&reader)?)?;
    let mut entries = Vec::new();
    reader.audit(&checkpoint.head(), |_, entry| -> Result<(), AuditError> {
        entries.push(entry.to_vec());
        Ok(())
    })?;
    let (before, epoch) = find(&entries, prepared.epoch)?;
    let objects = LogObjects(reader.source());
    let mut ledger = Ledger::new(parse_hex(&pins.authority)?);
    ledger
        .append_all(before, &objects)
        .map_err(|(index, refusal)| anyhow::anyhow!("entry {index} of the log: {refusal}"))?;

    let read = |digest: &Digest| -> anyhow::Result<SignedFile> {
        let note = get_object(reader.source(), digest)?;
        Ok(SignedFile::parse(&note.context(
            "the log lacks an object that its epoch names",
        )?)?)
    };
    let issuers = issuers(&epoch, policy, &ledger, &read)?;
    let mut revoked = RevocationTree::new();
    revoked.extend(ledger.revoked_handles())?;
    let public = policy.public(&EpochRoots {
        start: epoch.start,
        end: epoch.end(),
        issuer_root: issuers.root(),
        revocation_root: revoked.root(),
    });
    let vector = stored.credential.vector();
    Ok(satisfies(&vector, policy, &public, &issuers, &revoked)?)
}

/// The epoch's entry, and those before it.
fn find(entries: &[Vec<u8>], number: u64) -> anyhow::Result<(&[Vec<u8>], Epoch)> {
    for (index, entry) in entries.iter().enumerate() {
        if let Body::Epoch(epoch) = Entry::decode(entry)?.body
            && epoch.number == number
        {
            return Ok((&entries[..index], epoch));
        }
    }
    bail!("the log has no epoch {number}, for which the wallet's proof is")
}

/// The origins that the policy accepts in the epoch.
fn issuers(
    epoch: &Epoch,
    policy: &Policy,
    ledger: &Ledger,
    read: &dyn Fn(&Digest) -> anyhow::Result<SignedFile>,
) -> anyhow::Result<QuaternaryTree> {
    let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
    for digest in &epoch.schemas {
        let file = read(digest)?;
        if let file::Body::Schema(schema) = file.body {
            schemas.insert(file.header.name, *schema);
        }
    }
    let schemas = schemas
        .iter()
        .map(|(name, one)| (name.clone(), one))
        .collect();
    for digest in &epoch.issuer_sets {
        let file = read(digest)?;
        if let file::Body::IssuerSet(set) = file.body
            && file.header.name == policy.issuer_set
        {
            let is_current = |one: &file::issuer_set::Issuer| {
                ledger
                    .revocation_lists(one.name())
                    .is_some_and(|lists| lists.expires() >= epoch.end())
            };
            let origins = accepted_origins(policy, &set, &schemas, &is_current)?;
            return Ok(QuaternaryTree::of_members(&origins, ISSUER_SET_DEPTH)?);
        }
    }
    bail!("the epoch names no issuer set {:?}", policy.issuer_set)
}
