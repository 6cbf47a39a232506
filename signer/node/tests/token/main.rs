//! Signers' keys in tokens of SoftHSM2 (Debian: softhsm2), or of kryoptic (`cargo xtask kryoptic` says how), through module
//! processes that are killed, stopped and robbed of their token on the way. Each test has a token folder of its own.

mod administration;
mod any_module;
mod attended;
mod keys;
mod misuse;
mod pin;
mod program;
mod recovery;
mod soft_token;
mod weak;
