//! Each rule of `docs/spec/log.md` with the case that breaks it.
mod files;
mod hierarchy;
mod issuances;
mod resharing;
pub(crate) mod world;
