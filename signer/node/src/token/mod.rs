//! PKCS#11: keys that a token does not let out (DESIGN section 5).
//!
//! A token guards a signer's share at rest, and signs what authenticates the signer: checkpoints, approvals, TLS. It cannot
//! compute a FROST share, no stock PKCS#11 can: while the signer runs, the share is in its locked memory
//! (`docs/threat-model.md`). `docs/tokens.md` is the operator's page.
//!
//! Downwards: [`Token`] starts and asks a process of its own ([`module`]), in which the vendor's module is loaded
//! ([`objects`]: what its keys may do); frames between the two are in [`wire`]. Upwards: a [`crate::seal::KeySeal`], Ed25519
//! keys and a TLS identity, made and found by [`keys`].

mod check;
mod client;
mod config;
mod error;
mod keys;
pub(crate) mod marker;
mod module;
mod objects;
mod pin;
mod seal;
mod shared;
mod signing;
mod wire;

pub use check::{Outcome, Probe, Report, TokenReport, Tokens};
pub use client::{Opening, Token, list};
pub use config::{SlotName, TokenConfig};
pub use error::{Failure, PIN_EXIT_STATUS, TokenError};
pub use keys::{Kind, PLAN_FILE, Place, Plan, create, load, serial, vault};
pub use module::{SUBCOMMAND, serve};
pub use pin::{CREDENTIAL, pin_from_file};
pub use seal::SealBy;
pub use shared::share;

/// A module process that answers what a test wants.
#[cfg(test)]
mod fake {
    use std::{os::unix::net::UnixListener, sync::Arc};

    use super::{
        Opening, Token, TokenConfig,
        wire::{self, Reply, Request},
    };

    pub(super) fn token(
        answer: impl Fn(Request) -> Reply + Send + 'static,
    ) -> (tempfile::TempDir, Arc<Token>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                while let Ok(Some(request)) = wire::read(&mut stream) {
                    if wire::write(&mut stream, &answer(request)).is_err() {
                        break;
                    }
                }
            }
        });
        let config = TokenConfig {
            shared: Some(socket),
            ..TokenConfig::default()
        };
        let token = Token::open(&config, Opening::default()).unwrap();
        (folder, token)
    }
}
