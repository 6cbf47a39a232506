//! What is claimed in Bauta, and how it is written down: the attribute vector, schemas, policies, signed files, log
//! entries, presentations, the certificate profile, and the native cryptography under them. No I/O and no clock.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod additions;
pub mod approval;
pub mod babyjubjub;
pub mod certificate;
pub mod challenge;
pub mod codec;
pub mod context;
pub mod credential;
pub mod crl;
pub mod csr;
pub mod eddsa;
pub mod entry;
pub mod epoch;
pub mod field;
pub mod file;
pub mod fp2;
pub mod group;
pub mod note;
pub mod policy;
pub mod poseidon;
pub mod presentation;
pub mod relation;
pub mod rsa_key;
pub mod run;
pub mod schema;
pub mod scope;
pub mod snarkjs;
pub mod transcript;
pub mod tree;
pub mod vector;
pub mod verifying_key;
