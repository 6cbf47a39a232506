//! `vectors/presentation/`: every file gets its verdict, for its reason; every bad one is the good one with its defect.
//!
//! `UPDATE_VECTORS=1 cargo test -p bauta-verifier --test presentation -- --ignored vectors` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bauta_statement::field;

use crate::defects::defects;
use crate::format::{Vector, hex};
use crate::good::Maker;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors/presentation")
}

pub(crate) fn read() -> BTreeMap<String, Vector> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.strip_suffix(".json").expect(name).to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (name.clone(), serde_json::from_str(&text).expect(&name))
        })
        .collect()
}

fn check(name: &str, vector: &Vector) {
    let expected = &vector.expected;
    assert_eq!(name.starts_with("good_"), expected.valid, "{name}");
    match vector.verdict() {
        Ok(claim) => {
            assert_eq!(&claim, expected, "{name}");
            assert_eq!(
                vector.compute().ok().as_ref(),
                vector.computed.as_ref(),
                "{name}"
            );
        }
        Err(reason) => assert_eq!(Some(reason), expected.reason.as_deref(), "{name}"),
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    let vectors = read();
    assert!(vectors.len() > 100, "{} vectors", vectors.len());
    for (name, vector) in &vectors {
        check(name, vector);
    }
}

#[test]
fn bad_vectors_are_good_ones_with_their_defect() {
    let vectors = read();
    let mut expected: BTreeSet<&str> = BTreeSet::from(["bad_key_gamma_is_delta"]);
    expected.extend(crate::good::cheats().iter().map(|cheat| cheat.name));
    for defect in defects() {
        assert!(expected.insert(defect.name), "{} twice", defect.name);
        let found = vectors.get(defect.name);
        assert_eq!(
            found,
            Some(&defect.apply(&vectors)),
            "{}: write the vectors anew (see this file's head)",
            defect.name
        );
    }
    let found: BTreeSet<&str> = vectors
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("bad_"))
        .collect();
    assert_eq!(found, expected);
}

/// Makes all vectors with real proofs. Without `UPDATE_VECTORS` they are checked and dropped: another prover may draw its
/// randomness in another order, so their bytes need not be those of the files.
#[test]
#[ignore = "makes proofs under the development parameters; some ten seconds"]
fn vectors_can_be_made_anew() {
    let maker = Maker::new();
    let mut vectors = maker.make();
    let first = &vectors["good_scope_one_disclosure"];
    let scope = first.prepare().unwrap().usage.unwrap().scope;
    assert_eq!(
        first.expected.nullifier,
        Some(hex(&field::to_bytes(&maker.expected_nullifier(scope))))
    );
    for defect in defects() {
        let bad = defect.apply(&vectors);
        vectors.insert(defect.name.into(), bad);
    }
    let write = std::env::var_os("UPDATE_VECTORS").is_some();
    for (name, vector) in &vectors {
        check(name, vector);
        if write {
            let text = serde_json::to_string_pretty(vector).unwrap() + "\n";
            std::fs::write(folder().join(format!("{name}.json")), text).unwrap();
        }
    }
}
