//! `bauta export snarkjs`: the demonstration holder's stored proofs, the keys and the constraint systems, as files that other
//! people's tools check. What is exported is what the wallet keeps and never sends: to an ordinary Groth16 verifier the
//! hidden inputs are public.

mod policy;

use std::path::{Path, PathBuf};

use anyhow::Context;
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::system::Assignment;
use bauta_circuits::{Circuit, constraint_system, iden3};
use bauta_prover::prepare::native_witness;
use bauta_prover::prove::RelationProof;
use bauta_prover::wallet::{Stored, StoredUse};
use bauta_statement::credential::NativeCredential;
use bauta_statement::field::{self, Fr};
use bauta_statement::note::sha256;
use bauta_statement::policy::Policy;
use bauta_statement::presentation::{NULLIFIER_SLOTS, policy_slots};
use bauta_statement::relation::Relation;
use bauta_statement::vector::{Format, SECRET, SLOTS};
use bauta_statement::verifying_key::VerifyingKey;
use bauta_statement::{scope, snarkjs};
use serde::Serialize;
use serde_json::{Value, json};

use super::authenticate::{native, policy_of, prove_use, verifying_key};
use super::wallet::{Contents, PendingUse, PreparedPolicy, Wallet};
use crate::print::{Exit, Failure};
use crate::{cli, files, hex, quickstart};

const REVEALS: &str = "these files reveal the credential, every attribute and the holder secret, to whoever gets them: they are \
                       for checking on this machine; erase them after use";

/// What was written.
#[derive(Debug, Serialize)]
pub(crate) struct ExportReport {
    /// The folder.
    pub(crate) out: PathBuf,
    /// The policy whose proof it is.
    pub(crate) policy: String,
    /// And the epoch.
    pub(crate) epoch: u64,
    /// The shape of each relation, by name.
    pub(crate) relations: Vec<Shape>,
    /// The files, in the folder.
    pub(crate) files: Vec<String>,
    /// What whoever gets them learns.
    pub(crate) warning: &'static str,
}

/// The counts of a constraint system.
#[derive(Debug, Serialize)]
pub(crate) struct Shape {
    pub(crate) relation: &'static str,
    pub(crate) constraints: usize,
    /// Hidden and public inputs, without the constant one.
    pub(crate) public_inputs: usize,
    /// The constant one, inputs and witnesses.
    pub(crate) wires: usize,
}

impl ExportReport {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "exported to {} (policy {:?}, epoch {}):\n",
            self.out.display(),
            self.policy,
            self.epoch
        );
        for name in &self.files {
            text.push_str(&format!("  {name}\n"));
        }
        text.push_str(&format!("take care: {}\n", self.warning));
        text
    }
}

/// Exports the proofs of the first person of the demonstration who has them.
pub(crate) fn export_snarkjs(arguments: &cli::ExportSnarkjs) -> anyhow::Result<ExportReport> {
    let lost = || {
        let data = arguments.data.display();
        Failure::new(
            Exit::Missing,
            format!(
                "no wallet with proofs in {data}: run `bauta quickstart --once --data {data}` first"
            ),
        )
    };
    let wallet = demonstration_wallet(&arguments.data)?.ok_or_else(lost)?;
    let contents = &wallet.contents;
    let stored = contents.stored()?;
    let newest = contents.prepared.iter().max_by_key(|one| one.epoch);
    let prepared = newest.ok_or_else(lost)?;
    let policy = policy_of(prepared)?;
    let digest = sha256(prepared.text.as_bytes());
    let satisfied = stored
        .policies
        .iter()
        .find(|one| one.policy == digest && one.epoch == prepared.epoch)
        .ok_or_else(lost)?;
    let possession = stored.possession.as_ref().ok_or_else(lost)?;
    let usage = usage(contents, &stored, prepared, &policy)?;

    let assignments = if arguments.witness {
        let log = arguments.data.join("log");
        let of_policy = policy::witness(&log, contents, &stored, prepared, &policy)?;
        [
            Some(native_witness(native(&stored)?).assignment()),
            Some(of_policy.assignment()),
            Some(use_witness(&stored, &usage)?.assignment()),
        ]
    } else {
        [None, None, None]
    };
    let proofs = [possession, &satisfied.proof, &usage.proof];
    let slots = [
        (0..SLOTS).map(Some).collect(),
        policy_slots(&policy.slot_map()).to_vec(),
        NULLIFIER_SLOTS.to_vec(),
    ];

    let vector = stored.credential.vector();
    let mut writer = Writer::new(&arguments.out)?;
    let mut relations = Vec::new();
    for ((proof, slots), assignment) in proofs.into_iter().zip(slots).zip(assignments) {
        let key = verifying_key(&contents.keys, proof.relation)?;
        // An operand that no predicate uses is the constant 0.
        let hidden: Vec<Fr> = slots
            .into_iter()
            .map(|slot| slot.map_or_else(Fr::default, |slot| vector.get(slot)))
            .collect();
        relations.push(writer.relation(&key, proof, &hidden, assignment.as_ref())?);
    }
    writer.json("credential.json", &credential(native(&stored)?))?;
    Ok(ExportReport {
        out: arguments.out.clone(),
        policy: policy.name.clone(),
        epoch: prepared.epoch,
        relations,
        files: writer.written,
        warning: REVEALS,
    })
}

/// The first wallet of the demonstration that is prepared for a policy.
fn demonstration_wallet(data: &Path) -> anyhow::Result<Option<Wallet>> {
    for arguments in quickstart::wallets(data) {
        if arguments.wallet.is_dir() {
            let wallet = Wallet::open(&arguments, false)?;
            if !wallet.contents.prepared.is_empty() {
                return Ok(Some(wallet));
            }
        }
    }
    Ok(None)
}

/// A use of the policy's scope: one in stock; else the last that was taken, proved once more, because a wallet forgets a
/// proof when its certificate is there.
fn usage(
    contents: &Contents,
    stored: &Stored,
    prepared: &PreparedPolicy,
    policy: &Policy,
) -> anyhow::Result<StoredUse> {
    let wanted = policy.scope.as_ref().with_context(|| {
        format!(
            "policy {:?} has no scope, so there is no nullifier to export: prepare one that has",
            policy.name
        )
    })?;
    let start = scope::period_start(prepared.starts, wanted.period_seconds);
    let element = scope::scope(&prepared.trust_domain, &wanted.name, start);
    let key = verifying_key(&contents.keys, Relation::Nullifier)?;
    let public = [element, wanted.bound.into()];
    let stocked = stored
        .uses
        .iter()
        .find(|one| one.proof.key == key.digest() && one.proof.public.get(1..) == Some(&public));
    if let Some(found) = stocked {
        return Ok(found.clone());
    }
    let name = hex(&field::to_bytes(&element));
    let taken = contents.scopes.get(&name);
    let last = PendingUse {
        counter: taken.map_or(0, |one| one.next.saturating_sub(1)),
        ends: start.saturating_add(wanted.period_seconds),
        scope: name,
    };
    prove_use(stored, &last, wanted.bound, &key, None)
}

/// The witness behind a nullifier proof.
fn use_witness(stored: &Stored, usage: &StoredUse) -> anyhow::Result<NullifierWitness> {
    let [_, scope, bound] = usage.proof.public[..] else {
        anyhow::bail!("the stored nullifier proof has another number of inputs: prepare again");
    };
    let bound = u32::try_from(field::low_u64(&bound)).context("the bound of the stored proof")?;
    let secret = native(stored)?.holder().secret;
    Ok(NullifierWitness::new(secret, scope, usage.counter, bound))
}

/// The credential's signature, as circomlibjs checks it: the issuer's key, the slots but the holder secret, whose commitment
/// the issuer signed in its place, and R8 and S.
fn credential(credential: &NativeCredential) -> Value {
    let issued = credential.issued();
    let text = |value: &Fr| value.to_string();
    let vector = credential.vector();
    let slots: Vec<Value> = (0..SLOTS)
        .map(|slot| match slot {
            SECRET => Value::Null,
            _ => text(&vector.get(slot)).into(),
        })
        .collect();
    json!({
        "format": Format::Native.code(),
        "issuer": issued.issuer.coordinates().each_ref().map(text),
        "rule": text(&issued.rule),
        "slots": slots,
        "commitment": text(&issued.commitment),
        "signature": {
            "R8": [text(&issued.signature.r8.x), text(&issued.signature.r8.y)],
            "S": issued.signature.s.to_string(),
        },
    })
}

/// Writes files that only their owner reads, and keeps their names.
struct Writer<'a> {
    folder: &'a Path,
    written: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(folder: &'a Path) -> anyhow::Result<Self> {
        files::private_folder(folder)?;
        Ok(Self {
            folder,
            written: Vec::new(),
        })
    }

    /// The files of one relation; nothing is written of a proof or a witness that does not hold.
    fn relation(
        &mut self,
        key: &VerifyingKey,
        proof: &RelationProof,
        hidden: &[Fr],
        assignment: Option<&Assignment>,
    ) -> anyhow::Result<Shape> {
        let name = proof.relation.name();
        let wrong = |what: String| Failure::new(Exit::Wrong, format!("{name}: {what}"));
        if !proof.verifies(key, hidden) {
            return Err(wrong(
                "the stored proof does not verify; prepare again".to_owned(),
            ));
        }
        let shape = constraint_system(proof.relation);
        let instances = [hidden, &proof.public].concat();
        if let Some(assignment) = assignment {
            shape
                .check(assignment)
                .map_err(|error| wrong(error.to_string()))?;
            if assignment.values().get(1..shape.instances) != Some(&instances[..]) {
                return Err(wrong(
                    "the witness is not the stored proof's; prepare again".to_owned(),
                ));
            }
        }
        self.json(&format!("{name}.vkey.json"), &snarkjs::verifying_key(key))?;
        let json = snarkjs::proof(&proof.a, &proof.b, &proof.c);
        self.json(&format!("{name}.proof.json"), &json)?;
        self.json(&format!("{name}.public.json"), &snarkjs::public(&instances))?;
        self.file(&format!("{name}.r1cs"), &iden3::r1cs(shape))?;
        if let Some(assignment) = assignment {
            self.file(&format!("{name}.wtns"), &iden3::wtns(assignment))?;
        }
        Ok(Shape {
            relation: name,
            constraints: shape.rows.len(),
            public_inputs: shape.instances - 1,
            wires: shape.instances + shape.witnesses,
        })
    }

    fn json(&mut self, name: &str, value: &Value) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.file(name, text.as_bytes())
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        files::write_secret(&self.folder.join(name), bytes)?;
        self.written.push(name.to_owned());
        Ok(())
    }
}
