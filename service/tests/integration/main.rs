//! The service with five signers, over real sockets: each signer a task with its own store and its own TLS connection.

mod ca;
mod holder;
mod issuance;
mod world;
