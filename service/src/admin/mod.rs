//! The admin socket: a Unix-domain socket (mode 600) over which operators submit what administrators signed, and set key
//! generation going. It decides nothing: what is not validly signed is refused by the ledger, here and by every signer.

mod client;
mod hierarchy;
mod server;
mod wire;

pub use client::{AdminError, Client};
pub(crate) use server::{bind, serve};
pub use wire::{
    CaKeyStatus, CaState, EpochState, OperationState, SignerState, SignerStatus, Status,
};
