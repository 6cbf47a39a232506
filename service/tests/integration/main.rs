//! The service with five signers, over real sockets: each signer a task with its own store and its own TLS connection.

mod ca;
mod hierarchy;
mod holder;
mod issuance;
mod signers;
mod world;
