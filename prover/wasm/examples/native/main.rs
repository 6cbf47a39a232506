//! The native side of the module's test (`cargo xtask wasm`): writes what a page would fetch into a folder, makes the same
//! calls natively to time them, and verifies with `bauta-verifier` what the module presented.

mod inputs;
mod times;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// `plan.json`: what is no file of its own. Numbers that JavaScript would round are strings.
#[derive(Serialize, Deserialize)]
struct Plan {
    /// The time of the whole story, Unix seconds.
    now: String,
    /// Which use of the scope.
    counter: u32,
    /// Revoked handles.
    revoked: Vec<String>,
    /// Where the page finds each relation's parameters, below `keys/`.
    relations: Vec<String>,
}

/// The input folder.
struct Folder(PathBuf);

impl Folder {
    fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.0.join(name);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.0.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        serde_json::from_slice(&self.read("plan.json")?).context("plan.json")
    }

    fn revoked(&self) -> anyhow::Result<Vec<u64>> {
        let handles = self.plan()?.revoked;
        Ok(handles
            .iter()
            .map(|handle| handle.parse())
            .collect::<Result<_, _>>()?)
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["inputs", folder, parameters] => {
            inputs::write(&Folder(folder.into()), Path::new(parameters))
        }
        ["times", folder, runs, shows] => {
            times::print(&Folder(folder.into()), runs.parse()?, shows.parse()?)
        }
        ["verify", folder, result] => verify::verify(&Folder(folder.into()), Path::new(result)),
        _ => bail!(
            "usage: native inputs DIR PARAMETERS | native times DIR RUNS SHOWS | native verify DIR RESULT.json"
        ),
    }
}
