//! Presentations as outsiders meet them: test vectors, hostile bytes, hostile keys, hostile batches.

#[path = "../../src/testing.rs"]
mod testing;

mod batches;
mod bytes;
mod context;
mod defects;
mod forgery;
mod format;
mod good;
mod layout;
mod mutants;
mod plain;
mod shows;
mod vectors;
