//! The calls that `js/run.mjs` makes, natively and on one thread: what the module's times are to be compared with.

use std::rc::Rc;
use std::time::Instant;

use bauta_prover_wasm::holder::{Holder, ProvingKeys, ShowingKeys};
use bauta_prover_wasm::policy::{Files, PolicyInForce};
use serde_json::json;

use super::Folder;

/// Prints medians in milliseconds, as JSON, under the names that `js/run.mjs` gives them.
pub(crate) fn print(folder: &Folder, runs: usize, shows: usize) -> anyhow::Result<()> {
    let plan = folder.plan()?;
    let now = plan.now.parse()?;
    let files = [
        "epoch.bin",
        "authority.txt",
        "parameters.txt",
        "policy.txt",
        "origins.bin",
    ]
    .map(|name| folder.read(name));
    let [entry, authority, parameters, policy, origins] = files;
    let policy = PolicyInForce::open(
        Files {
            entry: &entry?,
            authority: &authority?,
            parameters: &parameters?,
            policy: &policy?,
            origins: &origins?,
            revoked: &folder.revoked()?,
        },
        now,
    )?;
    let began = Instant::now();
    let mut proving = ProvingKeys::default();
    for relation in &plan.relations {
        let file = |name| folder.read(&format!("keys/{relation}/{name}"));
        proving.add(
            relation,
            &file("manifest.json")?,
            &file("verifying-key.bin")?,
            &file("proving-key.bin")?,
        )?;
    }
    let keys = milliseconds(began);
    let mut holder = Holder::open(&folder.read("wallet.bin")?)?;
    let possession = median(
        runs,
        || Ok(holder.prove_possession(&proving, &policy, now)?),
    )?;
    let policy_proof = median(runs, || Ok(holder.prove_policy(&proving, &policy, now)?))?;
    let counter = plan.counter;
    let nullifier = median(runs, || {
        Ok(holder.prove_use(&proving, &policy, counter, now)?)
    })?;
    let (challenge, spki) = (folder.read("challenge.bin")?, folder.read("spki.der")?);
    let show = |tables: bool| -> anyhow::Result<(f64, f64)> {
        let key = |relation: &str| folder.read(&format!("keys/{relation}/verifying-key.bin"));
        let verifying = [key("possession-native")?, key("policy")?, key("nullifier")?];
        let [possession, policy_key, nullifier] = &verifying;
        let began = Instant::now();
        let keys = Rc::new(ShowingKeys::new(possession, policy_key, nullifier, tables)?);
        let ready = holder.ready(&keys, &policy, Some(counter), now)?;
        let made = milliseconds(began);
        let shown = median(shows, || {
            ready.show(&challenge, &spki, now)?;
            Ok(())
        })?;
        Ok((made, shown))
    };
    let (tables, show_tables) = show(true)?;
    let (plain, show_plain) = show(false)?;
    println!(
        "{}",
        json!({
            "host": "native, one thread",
            "keys": keys,
            "possession": possession,
            "policy": policy_proof,
            "nullifier": nullifier,
            "ready_tables": tables,
            "ready_plain": plain,
            "show_tables": show_tables,
            "show_plain": show_plain,
        })
    );
    Ok(())
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn median(runs: usize, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let began = Instant::now();
        call()?;
        times.push(milliseconds(began));
    }
    times.sort_by(f64::total_cmp);
    times
        .get(times.len() / 2)
        .copied()
        .ok_or_else(|| anyhow::anyhow!("give 1 or more for RUNS and SHOWS"))
}
