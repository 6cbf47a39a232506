//! What the signer asks of the operating system for its secrets: no swap, no core dump, no debugger of another user's,
//! and no life after the parent that started it.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{
        DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit,
    },
};
use thiserror::Error;
use tracing::warn;

use crate::config::Mode;

/// What the operating system did not grant.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("key shares in this process are not protected as they should be: {}", .0.join("; "))]
pub struct NotHardened(Vec<String>);

/// Locks the memory and forbids dumps: an error in production mode, where a share could reach swap or a core file; a warning
/// else, since a demonstration runs where `RLIMIT_MEMLOCK` is small.
///
/// # Errors
/// [`NotHardened`], in production mode alone.
pub fn harden_for(mode: Mode) -> Result<(), NotHardened> {
    match (mode, harden()) {
        (Mode::Production, Err(problem)) => Err(problem),
        (Mode::Development, Err(problem)) => {
            warn!("{problem}");
            Ok(())
        }
        (_, Ok(())) => Ok(()),
    }
}

/// Locks the memory, forbids dumps.
///
/// # Errors
/// [`NotHardened`]: all that the system did not grant. The rest is done nevertheless.
pub fn harden() -> Result<(), NotHardened> {
    let mut missing = Vec::new();
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        missing.push(format!("core dumps could not be switched off ({error})"));
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        missing.push(format!("the process stays dumpable ({error})"));
    }
    let limit = getrlimit(Resource::Memlock);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if limit.current != limit.maximum {
        // If this fails, so does what follows.
        let _ = setrlimit(Resource::Memlock, raised);
    }
    // ONFAULT: pages that are never touched (thread stacks, arenas) are not pulled in.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = mlockall(flags) {
        missing.push(format!(
            "memory is not locked and could reach swap ({error}): grant CAP_IPC_LOCK or raise `ulimit -l` (LimitMEMLOCK=infinity)"
        ));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(NotHardened(missing))
    }
}

/// Asks the kernel to end this process when its parent ends, however that happens. `expected` is the parent's process id, if
/// it told: a parent that died before this call is noticed by it.
///
/// The kernel looks at the *thread* that started the process: whoever uses this starts signers from a thread that lives
/// as long as the program.
///
/// # Errors
/// The system's, if it knows no such signal; "gone" if the parent is gone already.
pub fn die_with_parent(expected: Option<u32>) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid()
        .map(Pid::as_raw_nonzero)
        .map(std::num::NonZero::get);
    let gone = match expected {
        Some(expected) => parent.and_then(|parent| u32::try_from(parent).ok()) != Some(expected),
        None => parent.is_none_or(|parent| parent == 1),
    };
    if gone {
        return Err(std::io::Error::other(
            "the process that started this signer is gone",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_parent_that_is_not_ours_is_gone() {
        // The test process's own id is never its parent's. The death signal is taken back at once.
        let result = super::die_with_parent(Some(std::process::id()));
        rustix::process::set_parent_process_death_signal(None).unwrap();
        assert!(result.is_err());
    }
}
