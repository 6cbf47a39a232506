//! Small gadgets proved over the field by an SMT solver: `circuits/smt/prove.py`, on the rows that the circuits' code makes.

use std::process::Command;

use crate::tools::{must, python, repository};

pub(crate) fn run() -> anyhow::Result<()> {
    must(Command::new(python()?).arg(repository().join("circuits/smt/prove.py")))
}
