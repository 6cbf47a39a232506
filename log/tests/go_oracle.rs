//! Go's own transparency-log code reads a log that this crate wrote (feature `folder`), and proves the same things by the
//! same hashes. Runs where `go` and its module golang.org/x/mod are installed; elsewhere it says so and passes.
#![cfg(feature = "folder")]

use std::process::Command;

use bauta_log::{Checkpoint, CosignatureSigner, FolderStorage, Hash, LogSigner, Storage, Tree};
use data_encoding::BASE64;

fn go(arguments: &[&str]) -> Option<std::process::Output> {
    Command::new("go")
        .args(arguments)
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../vectors/go/tlogcheck"
        ))
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local")
        .output()
        .ok()
}

fn list(hashes: &[Hash]) -> String {
    format!(
        "[{}]",
        hashes
            .iter()
            .map(|h| BASE64.encode(h))
            .collect::<Vec<_>>()
            .join(" ")
    )
}

#[test]
fn go_s_sumdb_accepts_a_log_folder() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tlogcheck");
    let built = go(&["build", "-o", program.to_str().unwrap(), "."]);
    if !built.is_some_and(|b| b.status.success()) {
        eprintln!(
            "skipped: needs Go and golang.org/x/mod (`go mod download` in vectors/go/tlogcheck)"
        );
        return;
    }
    let origin = "log.example/2026h2";
    let log = LogSigner::from_seed(origin, &[1; 32]).unwrap();
    let cosigners: Vec<_> = (1..=3u8)
        .map(|i| CosignatureSigner::from_seed(&format!("signer-{i}"), &[i + 1; 32]).unwrap())
        .collect();
    let logs = folder.path().join("log");
    let mut tree = Tree::new(FolderStorage::open(&logs).unwrap());
    let mut next = 0u32;
    for batch in [1, 3, 252, 1, 300, 44] {
        let entries: Vec<Vec<u8>> = (next..next + batch)
            .map(|i| format!("entry {i}").repeat(1 + i as usize % 7).into_bytes())
            .collect();
        next += batch;
        tree.append(&entries).unwrap();
    }
    // As the sequencer prunes them.
    tree.storage_mut().discard("tile/entries/000.p").unwrap();
    tree.storage_mut().discard("tile/0/000.p").unwrap();
    let mut checkpoint = log
        .sign(Checkpoint::new(origin, tree.head()).unwrap())
        .unwrap();
    for cosigner in &cosigners {
        checkpoint.add(
            cosigner
                .cosign(checkpoint.checkpoint(), 1_800_000_000)
                .unwrap(),
        );
    }
    tree.storage_mut()
        .put_checkpoint(&checkpoint.to_bytes())
        .unwrap();

    let output = Command::new(&program)
        .arg(&logs)
        .arg(log.verifier().to_string())
        .args(cosigners.iter().map(|c| c.verifier().to_string()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let size = u64::from(next);
    let ours: String = (0..size)
        .map(|i| {
            let inclusion = list(&tree.prove_inclusion(i, size).unwrap());
            let old = BASE64.encode(&tree.head_at(i + 1).unwrap().root);
            format!(
                "{i} {inclusion} {old} {}\n",
                list(&tree.prove_consistency(i + 1, size).unwrap())
            )
        })
        .collect();
    assert_eq!(printed, ours);
}
