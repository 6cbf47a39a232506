//! `bauta parameters`: the proofs' proving and verifying keys, made once and cached by digest.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use bauta_statement::{
    file::parameters::{Parameters, Provenance, RelationParameters},
    policy::RelationName,
    relation::Relation,
};

use crate::{
    cli, files, hex,
    print::{Exit, Failure, Printer},
};

/// Parameter sets that are there.
pub(crate) struct Made {
    /// A line per relation, for people.
    pub(crate) lines: Vec<String>,
    /// JSON body of the `parameters` file.
    pub(crate) file_body: Vec<u8>,
    /// The encoded verifying keys, which are objects of the log.
    pub(crate) verifying_keys: Vec<Vec<u8>>,
    /// What their keys take on disk, in bytes.
    pub(crate) size: u64,
}

/// The relations whose parameters are made: those that every CA needs, and for X.509 certificates those of X.509 too.
pub(crate) fn relations(x509: bool) -> &'static [Relation] {
    if x509 {
        &Relation::ALL
    } else {
        &Relation::BASIC
    }
}

/// Where parameter sets are cached: `$BAUTA_CACHE`, else `$XDG_CACHE_HOME/bauta`, else `~/.cache/bauta`.
pub(crate) fn cache_folder(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = chosen {
        return Ok(folder.to_owned());
    }
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("BAUTA_CACHE") {
        return Ok(folder.join("parameters"));
    }
    let Some(cache) = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    else {
        return Err(Failure::new(
            Exit::Missing,
            "neither BAUTA_CACHE nor XDG_CACHE_HOME nor HOME says where to cache parameters: give --parameters DIR",
        ));
    };
    Ok(cache.join("bauta/parameters"))
}

/// Loads the development parameters of these relations, or makes them.
pub(crate) fn load_or_make(
    folder: Option<&Path>,
    relations: &[Relation],
    doing: &dyn Fn(String),
) -> anyhow::Result<Made> {
    let folder = cache_folder(folder)?;
    let mut made = Made {
        lines: Vec::new(),
        file_body: Vec::new(),
        verifying_keys: Vec::new(),
        size: 0,
    };
    let mut parameters = Vec::new();
    for &relation in relations {
        doing(format!("parameters of {}", relation.name()));
        let set = bauta_setup::load_or_make(&folder, relation, &mut |what| {
            doing(format!("{}: {what}", relation.name()))
        })
        .with_context(|| format!("parameters of {} in {}", relation.name(), folder.display()))?;
        let verifying_key = set.verifying_key().encode();
        made.lines.push(format!(
            "{}: verifying key {}… ({} bytes)",
            relation.name(),
            hex(&set.verifying_key().digest()[..6]),
            verifying_key.len()
        ));
        parameters.push(RelationParameters {
            relation: RelationName(relation),
            verifying_key: set.verifying_key().digest(),
            length: u32::try_from(verifying_key.len())?,
            provenance: Provenance::Development,
        });
        made.size += set.size();
        made.verifying_keys.push(verifying_key);
    }
    made.file_body = serde_json::to_vec_pretty(&Parameters {
        relations: parameters,
    })?;
    Ok(made)
}

pub(crate) fn run(arguments: &cli::Parameters, printer: Printer) -> anyhow::Result<()> {
    let start = Instant::now();
    let spinner = printer.spinner();
    let doing = |what| spinner.set_message(what);
    let relations = relations(arguments.x509);
    let made = load_or_make(arguments.parameters.as_deref(), relations, &doing);
    spinner.finish_and_clear();
    let made = made?;
    printer.note(cost(
        start.elapsed().as_secs_f64(),
        made.size,
        peak_memory(),
    ));
    if let Some(out) = &arguments.out {
        files::write(&out.join("parameters.json"), &made.file_body)?;
        for (relation, key) in relations.iter().zip(&made.verifying_keys) {
            files::write(
                &out.join(format!(
                    "{}.verifying-key",
                    relation.name().replace('/', "-")
                )),
                key,
            )?;
        }
    }
    let value: serde_json::Value = serde_json::from_slice(&made.file_body)?;
    printer.result(&value, made.lines.join("\n"))
}

/// What it took, for people.
fn cost(seconds: f64, disk: u64, memory: Option<u64>) -> String {
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    let mut text = format!("{seconds:.1} s, {} MB on disk", megabytes(disk));
    if let Some(memory) = memory {
        text.push_str(&format!(", {} MB of memory at the most", megabytes(memory)));
    }
    text
}

/// The most memory that this process has had, in bytes, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_took_is_told_as_far_as_it_is_known() {
        assert_eq!(cost(12.34, 190_500_000, None), "12.3 s, 191 MB on disk");
        let whole = cost(0.0, 1, Some(300_000_000));
        assert_eq!(whole, "0.0 s, 1 MB on disk, 300 MB of memory at the most");
        if cfg!(target_os = "linux") {
            assert!(peak_memory().is_some_and(|bytes| bytes > 1_000_000));
        }
    }
}
