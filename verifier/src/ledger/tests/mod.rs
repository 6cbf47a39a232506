//! Each rule of `docs/spec/log.md` with the case that breaks it.
mod crls;
mod custody;
mod files;
mod formats;
mod hierarchy;
mod issuances;
mod resharing;
mod transcripts;
pub(crate) mod world;
