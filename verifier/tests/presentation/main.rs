//! Presentations as outsiders meet them: test vectors, hostile bytes, hostile keys, hostile batches.

#[path = "../../src/testing.rs"]
mod testing;

mod defects;
mod format;
mod good;
mod vectors;
