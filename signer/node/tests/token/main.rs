//! Signers' keys in SoftHSM2 tokens (Debian: softhsm2), through module processes that are killed, stopped and robbed of their
//! token on the way. Each test has a token folder of its own.

mod any_module;
mod attended;
mod keys;
mod pin;
mod program;
mod recovery;
mod softhsm;
mod weak;
