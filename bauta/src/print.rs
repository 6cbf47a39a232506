//! What the program prints and how it ends: text for people or one JSON object for programs, and exit statuses that mean
//! something.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde::Serialize;

/// Exit statuses; 2 is clap's, for a command line that does not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The operation was refused, or failed.
    Failed = 1,
    /// Something this machine should have is not there.
    Missing = 3,
    /// What was checked is wrong: a certificate, a log, a policy.
    Wrong = 4,
    /// It may go better later (sysexits' EX_TEMPFAIL).
    Later = 75,
}

/// An error that says which exit status fits it; others end with [`Exit::Failed`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        Self { exit, message: message.into() }.into()
    }
}

/// Prints the error in one line (or as JSON on standard error) and gives the exit status.
pub(crate) fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let exit = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(Exit::Failed, |failure| failure.exit);
    let text = format!("{error:#}");
    if json {
        let line = serde_json::json!({ "error": text, "exit": exit as u8 });
        let _ = writeln!(io::stderr(), "{line}");
    } else {
        let _ = writeln!(io::stderr(), "bauta: {text}");
    }
    ExitCode::from(exit as u8)
}

/// How a command gives its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
    silent: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, silent: false }
    }

    /// Prints nothing: for a command that is a step of another.
    pub(crate) fn silent() -> Self {
        Self { json: false, silent: true }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// The command's result: `text` for people, `value` for programs, on standard output.
    pub(crate) fn result(self, value: &impl Serialize, text: impl AsRef<str>) -> anyhow::Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, value)?;
            writeln!(out)?;
        } else {
            let text = text.as_ref();
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') {
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }

    /// A line on the way, for people alone.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        if !self.json && !self.silent {
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }
}
