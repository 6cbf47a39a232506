//! What the program prints and how it ends: text for people or one JSON object for programs, and exit statuses that mean
//! something.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
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
    /// A PIN was refused, or would be a risk: starting this again by itself could lock a card.
    Pin = bauta_signer::token::PIN_EXIT_STATUS,
}

/// An error that says which exit status fits it; others end with [`Exit::Failed`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    #[allow(clippy::new_ret_no_self)] // every use wants it as the error that it becomes
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        Self {
            exit,
            message: message.into(),
        }
        .into()
    }
}

/// Prints the error in one line (or as JSON on standard error) and gives the exit status.
pub(crate) fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let exit = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or_else(
            || bauta_signer::exit_status(error),
            |failure| failure.exit as u8,
        );
    let text = chain(error);
    if json {
        let line = serde_json::json!({ "error": text, "exit": exit });
        let _ = writeln!(io::stderr(), "{line}");
    } else {
        let _ = writeln!(io::stderr(), "bauta: {text}");
    }
    ExitCode::from(exit)
}

/// An error and its causes in one line; a cause that its error quotes already is not said twice.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// How a command gives its result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
    silent: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            silent: false,
        }
    }

    /// Prints nothing: for a command that is a step of another.
    pub(crate) fn silent() -> Self {
        Self {
            json: false,
            silent: true,
        }
    }

    /// The command's result: `text` for people, `value` for programs, on standard output.
    pub(crate) fn result(
        self,
        value: &impl Serialize,
        text: impl AsRef<str>,
    ) -> anyhow::Result<()> {
        if self.silent {
            return Ok(());
        }
        let mut line = if self.json {
            serde_json::to_string(value)?
        } else {
            text.as_ref().to_owned()
        };
        if !line.ends_with('\n') {
            line.push('\n');
        }
        let mut out = io::stdout().lock();
        match out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads it, `head -n 1` say, has what they wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// A line that changes while something goes on: for people, and on a terminal alone.
    pub(crate) fn spinner(self) -> ProgressBar {
        if self.json || self.silent {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("   {spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    }

    /// A line on the way, for people alone.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        if !self.json && !self.silent {
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("file: {0}")]
        struct Quotes(#[source] io::Error);
        let error = anyhow::Error::from(Quotes(io::Error::other("gone"))).context("keys");
        assert_eq!(chain(&error), "keys: file: gone");
        let error: anyhow::Error = Err::<(), _>(io::Error::other("gone"))
            .context("keys")
            .unwrap_err();
        assert_eq!(chain(&error), "keys: gone");
    }
}
