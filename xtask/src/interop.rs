//! Other people's tools judge what Bauta proves: snarkjs, circomlibjs and gnark read what `bauta export snarkjs` writes after a
//! quickstart, must accept it, and must refuse every altered copy of it. `docs/interoperability.md` has the commands.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::tools;

const RELATIONS: [&str; 3] = ["possession-native", "policy", "nullifier"];

pub(crate) fn run() -> Result<()> {
    let folder = tools::target().join("tmp/interoperation");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let vectors = tools::node()?;
    let export = export(&folder)?;
    let proofs = altered_proofs(&export, &folder.join("altered"))?;

    let bases = proofs.iter().map(|case| &case.path);
    judge(
        "snarkjs",
        node(&vectors, "snarkjs/verify.mjs").args(bases.clone()),
        &proofs,
    )?;
    judge("gnark", gnark()?.arg("verify").args(bases), &proofs)?;
    command_line(&vectors, &export)?;
    for relation in RELATIONS {
        let system = export.join(format!("{relation}.r1cs"));
        let witnesses = altered_witnesses(&export, relation, &folder)?;
        let mut check = node(&vectors, "snarkjs/verify.mjs");
        check.arg("--witness").arg(system);
        check.args(witnesses.iter().map(|case| &case.path));
        judge(
            &format!("snarkjs wtns check, {relation}"),
            &mut check,
            &witnesses,
        )?;
    }
    let credentials = altered_credentials(&export, &folder)?;
    let mut check = node(&vectors, "circomlib-credential.mjs");
    check.args(credentials.iter().map(|case| &case.path));
    judge("circomlibjs", &mut check, &credentials)?;
    fresh(&vectors, "circomlib")?;
    fresh(&vectors, "circomlib-credential")?;
    // What was exported is secret in earnest, if only a demonstration's.
    Ok(fs::remove_dir_all(&folder)?)
}

/// Something to judge, and what must be said of it.
struct Case {
    path: PathBuf,
    accepted: bool,
}

impl Case {
    fn good(path: PathBuf) -> Self {
        Self {
            path,
            accepted: true,
        }
    }

    fn bad(path: PathBuf) -> Self {
        Self {
            path,
            accepted: false,
        }
    }
}

/// A quickstart, and its export with witnesses.
fn export(folder: &Path) -> Result<PathBuf> {
    // As the tests build it: any other selection of packages gives dependencies other features, and builds half of them again.
    const AS_FOR_TESTS: [&str; 6] = [
        "test",
        "--quiet",
        "--workspace",
        "--test",
        "system",
        "--no-run",
    ];
    tools::must(Command::new(env!("CARGO")).args(AS_FOR_TESTS))?;
    let bauta = || Command::new(tools::target().join("debug/bauta"));
    let (data, out) = (folder.join("data"), folder.join("export"));
    text(bauta().args(["quickstart", "--once", "--data"]).arg(&data))?;
    let mut export = bauta();
    export.args(["export", "snarkjs", "--witness", "--data"]);
    text(export.arg(&data).arg("--out").arg(&out))?;
    Ok(out)
}

fn node(vectors: &Path, script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(vectors.join(script)).current_dir(vectors);
    command
}

/// The program in `vectors/go/gnark`, built.
fn gnark() -> Result<Command> {
    let program = tools::target().join("tools/gnark");
    let mut build = Command::new("go");
    build
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".");
    tools::must(build.current_dir(tools::repository().join("vectors/go/gnark")))?;
    Ok(Command::new(program))
}

/// What a command prints; its failure is an error with what it said.
fn text(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?} failed ({}): {said}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a judge, which says "accepted PATH" or "refused PATH: why" of each case in turn, and compares.
fn judge(who: &str, command: &mut Command, cases: &[Case]) -> Result<()> {
    let said = text(command)?;
    let lines: Vec<&str> = said.lines().collect();
    ensure!(
        lines.len() == cases.len(),
        "{who} judged {} of {}:\n{said}",
        lines.len(),
        cases.len()
    );
    let mut accepted = 0;
    for (line, case) in lines.iter().zip(cases) {
        let path = case.path.display();
        let good = *line == format!("accepted {path}");
        if !good && !line.starts_with(&format!("refused {path}: ")) {
            bail!("{who} says {line:?} of {path}");
        }
        ensure!(good == case.accepted, "{who} must not have {line}");
        accepted += usize::from(good);
    }
    println!(
        "   {who}: {accepted} accepted, {} altered refused",
        cases.len() - accepted
    );
    Ok(())
}

fn read(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

/// The three files that a verifier reads.
#[derive(Clone)]
struct Proof {
    vkey: Value,
    public: Value,
    proof: Value,
}

impl Proof {
    fn read(folder: &Path, relation: &str) -> Result<Self> {
        let part = |kind: &str| read(folder.join(format!("{relation}.{kind}.json")));
        Ok(Self {
            vkey: part("vkey")?,
            public: part("public")?,
            proof: part("proof")?,
        })
    }

    fn write(&self, base: &Path) -> Result<()> {
        for (kind, value) in [
            ("vkey", &self.vkey),
            ("public", &self.public),
            ("proof", &self.proof),
        ] {
            fs::write(
                base.with_extension(format!("{kind}.json")),
                value.to_string(),
            )?;
        }
        Ok(())
    }
}

/// The proofs as they are, and copies with one thing altered in each.
fn altered_proofs(export: &Path, folder: &Path) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = RELATIONS.map(|name| Case::good(export.join(name))).into();
    let all = RELATIONS
        .iter()
        .map(|relation| Proof::read(export, relation))
        .collect::<Result<Vec<_>>>()?;
    for (relation, good) in RELATIONS.iter().zip(&all) {
        let folder = folder.join(relation);
        fs::create_dir_all(&folder)?;
        for (name, copy) in alterations(good, &all)? {
            let base = folder.join(name);
            copy.write(&base)?;
            cases.push(Case::bad(base));
        }
    }
    Ok(cases)
}

fn alterations(good: &Proof, all: &[Proof]) -> Result<Vec<(String, Proof)>> {
    let mut altered = Vec::new();
    let mut alter = |name: String, change: &dyn Fn(&mut Proof)| {
        let mut copy = good.clone();
        change(&mut copy);
        altered.push((name, copy));
    };
    let inputs = good.public.as_array().context("public inputs are a list")?;
    for (index, value) in inputs.iter().enumerate() {
        let other = if *value == "7" { "8" } else { "7" };
        alter(format!("input-{index}"), &|copy| {
            copy.public[index] = other.into()
        });
        // x + r has the same points; only a verifier that checks the range tells it from x.
        let alias = plus_order(value.as_str().context("an input is a string")?);
        alter(format!("input-{index}-alias"), &|copy| {
            copy.public[index] = alias.as_str().into()
        });
    }
    alter("input-more".into(), &|copy| push(&mut copy.public, "7"));
    let one = json!(["1", "2", "1"]);
    for point in ["pi_a", "pi_c"] {
        alter(format!("{point}-generator"), &|copy| {
            copy.proof[point] = one.clone()
        });
        alter(format!("{point}-off-the-curve"), &|copy| {
            copy.proof[point][1] = "3".into()
        });
        alter(format!("{point}-negated"), &|copy| {
            let y = copy.proof[point][1].as_str().unwrap_or_default();
            copy.proof[point][1] = subtract(BASE_MODULUS, y).into();
        });
    }
    alter("pi_b-generator".into(), &|copy| {
        copy.proof["pi_b"] = copy.vkey["vk_gamma_2"].clone()
    });
    alter("a-and-c-swapped".into(), &|copy| {
        let a = copy.proof["pi_a"].take();
        copy.proof["pi_a"] = copy.proof["pi_c"].take();
        copy.proof["pi_c"] = a;
    });
    alter("delta-generator".into(), &|copy| {
        copy.vkey["vk_delta_2"] = copy.vkey["vk_gamma_2"].clone();
    });
    alter("base-swapped".into(), &|copy| {
        if let Some(bases) = copy.vkey["IC"].as_array_mut() {
            bases.swap(0, 1);
        }
    });
    let others = all
        .iter()
        .zip(RELATIONS)
        .filter(|(other, _)| other.vkey != good.vkey);
    for (other, relation) in others {
        alter(format!("proof-of-{relation}"), &|copy| {
            copy.proof = other.proof.clone()
        });
        alter(format!("key-of-{relation}"), &|copy| {
            copy.vkey = other.vkey.clone()
        });
        alter(format!("inputs-of-{relation}"), &|copy| {
            copy.public = other.public.clone()
        });
    }
    Ok(altered)
}

fn push(list: &mut Value, value: &str) {
    if let Some(list) = list.as_array_mut() {
        list.push(value.into());
    }
}

/// BN254's base field, whose elements are coordinates.
const BASE_MODULUS: &str =
    "21888242871839275222246405745257275088696311157297823662689037894645226208583";
/// BN254's group order, the modulus of inputs.
const ORDER: &str = "21888242871839275222246405745257275088548364400416034343698204186575808495617";

/// Decimal digits, the lowest first, 80 of them.
fn digits(number: &str) -> Vec<i8> {
    let mut digits: Vec<i8> = number
        .bytes()
        .rev()
        .map(|digit| (digit - b'0') as i8)
        .collect();
    digits.resize(80, 0);
    digits
}

fn decimal(mut digits: Vec<i8>) -> String {
    let mut carry = 0;
    for digit in &mut digits {
        let sum = *digit + carry;
        (*digit, carry) = (sum.rem_euclid(10), sum.div_euclid(10));
    }
    let text: String = digits.iter().rev().map(ToString::to_string).collect();
    text.trim_start_matches('0').to_owned()
}

fn plus_order(number: &str) -> String {
    decimal(
        digits(number)
            .iter()
            .zip(digits(ORDER))
            .map(|(a, b)| a + b)
            .collect(),
    )
}

fn subtract(from: &str, number: &str) -> String {
    decimal(
        digits(from)
            .iter()
            .zip(digits(number))
            .map(|(a, b)| a - b)
            .collect(),
    )
}

/// The commands that the documentation gives: `snarkjs groth16 verify`, and `snarkjs r1cs info` with our pinned counts.
fn command_line(vectors: &Path, export: &Path) -> Result<()> {
    let snarkjs = || node(vectors, "node_modules/snarkjs/build/cli.cjs");
    let golden = fs::read_to_string(tools::repository().join("circuits/golden.txt"))?;
    for relation in RELATIONS {
        let file = |kind: &str| export.join(format!("{relation}.{kind}"));
        let mut verify = snarkjs();
        verify.args(["groth16", "verify"]);
        verify.args(["vkey.json", "public.json", "proof.json"].map(file));
        let said = text(&mut verify)?;
        ensure!(
            said.contains("OK!"),
            "snarkjs groth16 verify, {relation}: {said}"
        );

        let info = text(snarkjs().args(["r1cs", "info"]).arg(file("r1cs")))?;
        let theirs = |what: &str| number_after(&info, &format!("# of {what}: "));
        let ours = golden
            .split("\n\n")
            .find(|block| block.starts_with(relation))
            .with_context(|| format!("{relation} in circuits/golden.txt"))?;
        let ours = |what: &str| number_after(ours, &format!("{what} "));
        let (instances, witnesses) = (ours("instances")?, ours("witnesses")?);
        let expected = [
            ("Constraints", ours("constraints")?),
            ("Public Inputs", instances - 1),
            ("Private Inputs", witnesses),
            ("Wires", instances + witnesses),
            ("Outputs", 0),
        ];
        for (what, count) in expected {
            let found = theirs(what)?;
            ensure!(
                found == count,
                "{relation}: snarkjs counts {found} {what}, golden.txt {count}"
            );
        }
    }
    println!("   snarkjs r1cs info: the counts of circuits/golden.txt");
    Ok(())
}

fn number_after(text: &str, words: &str) -> Result<usize> {
    let rest = text
        .split_once(words)
        .with_context(|| format!("no {words:?} in {text:?}"))?
        .1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// The witness of a relation, copies with one value altered, and another relation's.
fn altered_witnesses(export: &Path, relation: &str, folder: &Path) -> Result<Vec<Case>> {
    /// Bytes before the first value: the container's header, the first section, the second one's header.
    const HEADER: usize = 12 + (12 + 40) + 12;
    let path = export.join(format!("{relation}.wtns"));
    let bytes = fs::read(&path)?;
    let wires = (bytes.len() - HEADER) / 32;
    let mut cases = vec![Case::good(path)];
    // The first hidden input, a wire in the middle, the last one.
    for wire in [1, wires / 2, wires - 1] {
        let mut copy = bytes.clone();
        copy[HEADER + 32 * wire] ^= 1;
        let path = folder.join(format!("{relation}-wire-{wire}.wtns"));
        fs::write(&path, copy)?;
        cases.push(Case::bad(path));
    }
    let others = RELATIONS.iter().filter(|other| **other != relation);
    cases.extend(others.map(|other| Case::bad(export.join(format!("{other}.wtns")))));
    Ok(cases)
}

/// The credential that the demonstration's desk signed, and copies with one thing altered.
fn altered_credentials(export: &Path, folder: &Path) -> Result<Vec<Case>> {
    let path = export.join("credential.json");
    let good = read(&path)?;
    let theirs = read(tools::repository().join("vectors/circomlib-credential.json"))?;
    let mut cases = vec![Case::good(path)];
    let places = (0..16)
        .filter(|slot| *slot != 1)
        .map(|slot| format!("/slots/{slot}"))
        .chain(["/commitment", "/rule", "/signature/S", "/signature/R8/0"].map(String::from));
    for place in places {
        let mut copy = good.clone();
        let value = copy.pointer_mut(&place).with_context(|| place.clone())?;
        *value = if *value == "7" { "8" } else { "7" }.into();
        let path = folder.join(format!("credential{}.json", place.replace('/', "-")));
        fs::write(&path, copy.to_string())?;
        cases.push(Case::bad(path));
    }
    for part in ["issuer", "signature"] {
        let mut copy = good.clone();
        copy[part] = theirs["credential"][part].clone();
        let path = folder.join(format!("credential-other-{part}.json"));
        fs::write(&path, copy.to_string())?;
        cases.push(Case::bad(path));
    }
    Ok(cases)
}

/// A vector is what its script makes.
fn fresh(vectors: &Path, name: &str) -> Result<()> {
    let made = text(&mut node(vectors, &format!("{name}.mjs")))?;
    let path = vectors.join(format!("{name}.json"));
    ensure!(
        fs::read_to_string(&path)? == made,
        "{name}.json is not what {name}.mjs makes: run `node {name}.mjs > {name}.json` in vectors/"
    );
    Ok(())
}
