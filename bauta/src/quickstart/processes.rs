//! The quickstart's processes: service, signers and issuer, each a child of its own, as they would be on machines of
//! their own. A child asks the kernel to be killed with its parent, so not even `kill -9` leaves one behind.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// How long a child has to end after it was asked.
const GRACE: Duration = Duration::from_secs(5);

/// Children by name, ended in the opposite order of their start.
pub(super) struct Processes {
    program: PathBuf,
    logs: PathBuf,
    children: Vec<Part>,
}

/// One child.
struct Part {
    name: String,
    /// What starts it again by hand.
    line: String,
    child: Child,
}

impl Processes {
    /// Children run this same program; what they print goes to `logs`.
    pub(super) fn new(logs: &Path) -> anyhow::Result<Self> {
        crate::files::private_folder(logs)?;
        Ok(Self {
            program: std::env::current_exe().context("cannot find this program's file")?,
            logs: logs.to_owned(),
            children: Vec::new(),
        })
    }

    /// Starts `bauta ARGUMENTS…` under a name.
    pub(super) fn start(
        &mut self,
        name: &str,
        arguments: &[&str],
        config: &Path,
    ) -> anyhow::Result<()> {
        let path = self.logs.join(format!("{name}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let child = Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(config)
            .arg("--die-with-parent")
            .arg(std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("log file")?)
            .stderr(log)
            .kill_on_drop(true)
            .process_group(0) // Ctrl-C reaches the quickstart alone, which ends its children in order
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let line = format!(
            "{} {} --config {}",
            self.program.display(),
            arguments.join(" "),
            config.display()
        );
        self.children.push(Part {
            name: name.to_owned(),
            line,
            child,
        });
        Ok(())
    }

    /// A sentence for each child that has ended since the last call, with the line that starts it again. The others go on:
    /// what the loss of a part does is one of the things to try.
    pub(super) fn ended(&mut self) -> anyhow::Result<Vec<String>> {
        let mut sentences = Vec::new();
        let mut alive = Vec::new();
        for mut part in self.children.drain(..) {
            match part
                .child
                .try_wait()
                .with_context(|| format!("cannot watch {}", part.name))?
            {
                Some(status) => sentences.push(format!(
                    "{} ended ({status}); start it again with\n  {}",
                    part.name, part.line
                )),
                None => alive.push(part),
            }
        }
        self.children = alive;
        Ok(sentences)
    }

    /// An error naming the first child that has ended, with the end of what it printed.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for Part { name, child, .. } in &mut self.children {
            if let Some(status) = child
                .try_wait()
                .with_context(|| format!("cannot watch {name}"))?
            {
                let path = self.logs.join(format!("{name}.log"));
                let printed = std::fs::read_to_string(&path).unwrap_or_default();
                let mut last: Vec<&str> = printed.lines().rev().take(3).collect();
                last.reverse();
                bail!(
                    "{name} ended ({status}): {} (all of it in {})",
                    last.join(" / "),
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// Asks every child to end, last started first, and kills what does not.
    pub(super) async fn stop(mut self) {
        for Part { child, .. } in self.children.iter().rev() {
            if let Some(pid) = child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        for Part { child, .. } in self.children.iter_mut().rev() {
            if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
    }
}
