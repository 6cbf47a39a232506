//! `bauta ca transcript`: what the signers said in public when they made or shared a CA key, to be read, printed and filed. The log
//! keeps it as an object, and whoever audits the log recomputes the key from it.

use std::path::Path;

use anyhow::Context;
use bauta_statement::{
    note::{MAX_NOTE_BYTES, sha256},
    run::decode_transcript,
};
use bauta_verifier::sharing;
use serde_json::{Value, json};

use crate::{files, hex, print::Printer};

/// Prints a transcript that lies in a file.
pub(crate) fn show(file: &Path, printer: Printer) -> anyhow::Result<()> {
    let bytes = files::read(file, MAX_NOTE_BYTES as u64)?;
    let (value, text) = read(&bytes).with_context(|| file.display().to_string())?;
    printer.result(&value, text)
}

/// A transcript for programs and for people.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<(Value, String)> {
    let (run, messages) = decode_transcript(bytes)?;
    let digest = hex(&sha256(bytes));
    let mut text = format!(
        "transcript {digest}\n  of the key operation {}, entry {} of the log, run {}\n",
        hex(&run.operation),
        run.index,
        hex(&run.attempt)
    );
    let mut said = Vec::new();
    for message in &messages {
        let points: Vec<String> = sharing::points(message)
            .iter()
            .map(|one| hex(one))
            .collect();
        text.push_str(&format!("  {}\n", message.name));
        match points.split_first() {
            Some((first, rest)) => {
                text.push_str(&format!("    commits to  {first}\n"));
                for point in rest {
                    text.push_str(&format!("                {point}\n"));
                }
            }
            None => text.push_str("    commits to nothing, and gets a share\n"),
        }
        let (first, second) = message.signature.split_at(32);
        text.push_str(&format!(
            "    signed      {}\n                {}\n",
            hex(first),
            hex(second)
        ));
        said.push(json!({
            "signer": message.name,
            "commits_to": points,
            "sealing_key": hex(&message.sealing_key),
            "signature": hex(&message.signature),
        }));
    }
    let value = json!({
        "transcript": digest,
        "operation": hex(&run.operation),
        "entry": run.index,
        "run": hex(&run.attempt),
        "said": said,
    });
    Ok((value, text))
}
