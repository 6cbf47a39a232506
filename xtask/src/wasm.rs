//! The prover as a WebAssembly module: built, given its JavaScript, and run in Node and in headless Chromium; what it
//! presents is verified natively. `cargo xtask wasm` runs it once; with `--measure` it repeats, and prints a table.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use wasm_bindgen_cli_support::Bindgen;

use crate::tools::{must, repository, target};

const TRIPLE: &str = "wasm32-unknown-unknown";
const MODULE: &str = "bauta_prover_wasm";

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print a table of medians, native as it is shipped beside.
    #[arg(long)]
    measure: bool,
    /// With --measure, how often each proof is made.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// With --measure, how often each show is made.
    #[arg(long, default_value_t = 50)]
    shows: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.measure {
        return measure(options.runs, options.shows);
    }
    let story = Story::prepare(native_for_tests()?)?;
    for host in ["node", "chromium"] {
        story.run(host, 1, 3)?;
    }
    Ok(())
}

fn measure(runs: usize, shows: usize) -> Result<()> {
    let story = Story::prepare(native_for_times()?)?;
    let output = Command::new(&story.native)
        .arg("times")
        .arg(&story.inputs)
        .args([runs.to_string(), shows.to_string()])
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut columns = vec![serde_json::from_slice(&output.stdout).context("the native times")?];
    for host in ["node", "chromium"] {
        columns.push(story.run(host, runs, shows)?);
    }
    print!("{}", table(&columns));
    println!("{}", size(&story.site)?);
    Ok(())
}

/// Everything that is built and written before a host runs.
struct Story {
    /// Module, bindings and scripts.
    site: PathBuf,
    /// What a page would fetch.
    inputs: PathBuf,
    /// The native side's program.
    native: PathBuf,
}

impl Story {
    fn prepare(native: PathBuf) -> Result<Self> {
        let story = Self {
            site: target().join("wasm/site"),
            inputs: target().join("wasm/inputs"),
            native,
        };
        module(&story.site)?;
        // The parameters are those of the other tests' cache.
        must(
            Command::new(&story.native)
                .arg("inputs")
                .args([&story.inputs, &target().join("tmp")]),
        )?;
        Ok(story)
    }

    /// Proves and shows in a host, and verifies what it presents.
    fn run(&self, host: &str, runs: usize, shows: usize) -> Result<Value> {
        let result = target().join(format!("wasm/{host}.json"));
        if result.exists() {
            fs::remove_file(&result)?;
        }
        must(
            Command::new("node")
                .arg(self.site.join(format!("{host}.mjs")))
                .args([&self.inputs, &result])
                .args([runs.to_string(), shows.to_string()]),
        )?;
        must(
            Command::new(&self.native)
                .arg("verify")
                .args([&self.inputs, &result]),
        )?;
        serde_json::from_slice(&fs::read(&result)?).context("the host's result")
    }
}

/// The native side, on the dependencies that the other tests have built: `--workspace` gives them the same features.
fn native_for_tests() -> Result<PathBuf> {
    must(&mut cargo(&["build", "--workspace", "--example", "native"]))?;
    Ok(target().join("debug/examples/native"))
}

/// The native side as it is shipped, and alone, without the feature that proves on all cores.
fn native_for_times() -> Result<PathBuf> {
    const PACKAGE: &[&str] = &["build", "--package", "bauta-prover-wasm"];
    must(cargo(PACKAGE).args(["--example", "native", "--profile", "dist"]))?;
    Ok(target().join("dist/examples/native"))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(arguments)
        .arg("--quiet")
        .current_dir(repository());
    command
}

/// Builds the module as it is shipped, and writes it with its JavaScript and our scripts into `site`.
fn module(site: &Path) -> Result<()> {
    install_target()?;
    must(
        cargo(&["build", "--package", "bauta-prover-wasm", "--lib"]).args([
            "--target",
            TRIPLE,
            "--profile",
            "dist",
        ]),
    )?;
    fs::create_dir_all(site)?;
    // The library of the program `wasm-bindgen`. Cargo itself sees to it that its version is the module's: both link
    // `wasm-bindgen-shared`, of which there can be but one.
    Bindgen::new()
        .input_path(
            target()
                .join(TRIPLE)
                .join("dist")
                .join(format!("{MODULE}.wasm")),
        )
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .generate(site)
        .context("writing the module's JavaScript")?;
    let scripts = repository().join("prover/wasm/js");
    for script in fs::read_dir(&scripts)? {
        let script = script?;
        fs::copy(script.path(), site.join(script.file_name()))?;
    }
    Ok(())
}

fn install_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TRIPLE])
        .current_dir(repository())
        .output()?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    must(
        Command::new("rustup")
            .args(["target", "add", TRIPLE])
            .current_dir(repository()),
    )
    .with_context(|| format!("install Rust's target {TRIPLE}"))
}

/// Medians in milliseconds, native first, each with its multiple of the native time.
fn table(columns: &[Value]) -> String {
    const ROWS: [(&str, &str); 9] = [
        ("keys", "load three proving keys"),
        ("possession", "prove possession-native"),
        ("policy", "prove policy"),
        ("nullifier", "prove nullifier"),
        ("ready_plain", "make ready to show, no tables"),
        ("ready_tables", "make ready to show, tables"),
        ("show_plain", "show, three proofs, no tables"),
        ("show_tables", "show, three proofs, tables"),
        ("module", "compile and start the module"),
    ];
    let number = |column: &Value, key: &str| column.get(key).and_then(Value::as_f64);
    let mut text = String::from("|");
    for column in columns {
        let host = column.get("host").and_then(Value::as_str);
        text.push_str(&format!(" | {}", host.unwrap_or_default()));
    }
    text.push_str(&format!(" |\n|{}\n", " --- |".repeat(columns.len() + 1)));
    for (key, name) in ROWS {
        text.push_str(&format!("| {name}"));
        let native = columns.first().and_then(|column| number(column, key));
        for (position, column) in columns.iter().enumerate() {
            let cell = match (number(column, key), native) {
                (None, _) => String::new(),
                (Some(time), Some(native)) if position > 0 => {
                    format!("{} ms (×{:.1})", digits(time), time / native)
                }
                (Some(time), _) => format!("{} ms", digits(time)),
            };
            text.push_str(&format!(" | {cell}"));
        }
        text.push_str(" |\n");
    }
    text.push_str("| memory of the module");
    for column in columns {
        let cell = number(column, "memory")
            .map_or_else(String::new, |bytes| format!("{:.0} MiB", bytes / 1048576.0));
        text.push_str(&format!(" | {cell}"));
    }
    text.push_str(" |\n");
    text
}

/// Three significant digits.
fn digits(time: f64) -> String {
    match time {
        time if time >= 100.0 => format!("{time:.0}"),
        time if time >= 10.0 => format!("{time:.1}"),
        time => format!("{time:.2}"),
    }
}

/// The module's size as it is and as a server would send it.
fn size(site: &Path) -> Result<String> {
    let script = "const { readFileSync } = require('fs'); const zlib = require('zlib'); \
        const bytes = readFileSync(process.argv[1]); const kB = (part) => Math.round(part.length / 1000) + ' kB'; \
        console.log(`module: ${kB(bytes)}, gzip ${kB(zlib.gzipSync(bytes, { level: 9 }))}, ` + \
        `brotli ${kB(zlib.brotliCompressSync(bytes))}`)";
    let output = Command::new("node")
        .args(["-e", script])
        .arg(site.join(format!("{MODULE}_bg.wasm")))
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
