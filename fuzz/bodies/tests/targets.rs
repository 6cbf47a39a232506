//! The list of targets against the sources, the wrappers and `fuzz/Cargo.toml`: a decoder without a target is found here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bauta_fuzz_bodies::TARGETS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Crates whose decoders read what comes from outside the process.
const CRATES: [&str; 5] = ["statement", "log", "verifier", "signer/protocol", "prover"];

/// Begins the name of whatever makes a value of bytes or text.
const PREFIXES: [&str; 9] = [
    "decode",
    "parse",
    "from_bytes",
    "from_der",
    "from_spki",
    "from_json",
    "from_str",
    "unpack",
    "from_be_bytes",
];

/// Functions with such a name that no target needs, with the reason.
const NONE_NEEDED: [(&str, &str); 0] = [];

/// `file::Type::function` of every public decoder of a source file, tests left out.
fn decoders(file: &str, source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    let mut owner = String::new();
    for line in code.lines() {
        let text = line.trim_start();
        if line.starts_with('}') || line.starts_with("        }") && owner.starts_with('$') {
            owner.clear();
        }
        if text.starts_with("impl") || text.starts_with("pub trait ") {
            let head = text.trim_end_matches(" {");
            let named = head.rsplit(" for ").next().unwrap_or_default();
            let named = named.strip_prefix("pub trait ").unwrap_or(named);
            let named = match named.strip_prefix("impl<") {
                Some(rest) => rest.split_once("> ").map_or(rest, |(_, rest)| rest),
                None => named.strip_prefix("impl ").unwrap_or(named),
            };
            let end = named.find(|c: char| !(c.is_alphanumeric() || "_$".contains(c)));
            owner = format!("{}::", &named[..end.unwrap_or(named.len())]);
        }
        // A trait's functions are public without saying so.
        let Some(rest) = text
            .strip_prefix("pub fn ")
            .or_else(|| text.strip_prefix("fn "))
        else {
            continue;
        };
        let public =
            text.starts_with("pub") || text.starts_with("fn from_str") || owner == "Message::";
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let decodes = PREFIXES.iter().any(|prefix| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        });
        if public && (decodes || name.ends_with("_from_bytes")) {
            found.insert(format!("{file}::{owner}{name}"));
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).expect("a folder of sources") {
        let path = item.expect("an item").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "tests" {
            sources(&path, into);
        } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_decoder_has_a_target() {
    let root = root();
    let mut known: BTreeSet<&str> = TARGETS
        .iter()
        .flat_map(|target| target.decoders)
        .copied()
        .collect();
    let mut found = BTreeSet::new();
    for name in CRATES {
        let mut files = Vec::new();
        sources(&root.join(name).join("src"), &mut files);
        for path in files {
            let file = path
                .strip_prefix(&root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            found.extend(decoders(
                &file,
                &fs::read_to_string(&path).expect("a source"),
            ));
        }
    }
    known.extend(NONE_NEEDED.map(|(decoder, _)| decoder));
    let missing: Vec<_> = found
        .iter()
        .filter(|one| !known.contains(one.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "write a target in fuzz/bodies for {missing:#?}"
    );
    // What the list names is there: a renamed function does not keep its target by its old name.
    for decoder in known {
        let (file, rest) = decoder.split_once(".rs::").expect("file::function");
        let source = fs::read_to_string(root.join(format!("{file}.rs"))).expect(decoder);
        let function = rest.rsplit("::").next().expect("a function");
        assert!(
            source.contains(&format!("fn {function}")),
            "{decoder} is gone: correct the list of targets"
        );
    }
}

#[test]
fn the_search_finds_a_decoder() {
    let source = "pub fn decode(b: &[u8]) {}\nimpl<const A: u8> Key<A> {\n    pub fn from_bytes_strict() {}\n}\nimpl FromStr for Key {\n    fn from_str() {}\n}\nfn parse() {}\n";
    let found: Vec<_> = decoders("a.rs", source).into_iter().collect();
    assert_eq!(
        found,
        [
            "a.rs::Key::from_bytes_strict",
            "a.rs::Key::from_str",
            "a.rs::decode"
        ]
    );
}

#[test]
fn every_target_has_its_wrapper_its_line_and_its_seeds() {
    let fuzz = root().join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    let in_manifest: BTreeSet<&str> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|bin| bin.split('"').nth(1))
        .collect();
    let wrappers: BTreeSet<String> = fs::read_dir(fuzz.join("fuzz_targets"))
        .expect("fuzz/fuzz_targets")
        .filter_map(|item| Some(item.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len(), "a target stands twice");
    assert_eq!(in_manifest, names);
    assert_eq!(
        wrappers.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        names
    );
    for name in &names {
        let wrapper =
            fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).expect("a wrapper");
        assert!(
            wrapper.contains(&format!("bauta_fuzz_bodies::{name}(data)")),
            "{name}"
        );
    }
    let seeds = bauta_fuzz_bodies::seeds::all();
    assert_eq!(seeds.keys().copied().collect::<BTreeSet<_>>(), names);
}
