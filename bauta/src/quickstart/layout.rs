//! What lies where in the quickstart's folder, under names that other tools can be pointed at.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use rustix::fs::FlockOperation;

use crate::{cli::Wallet, files};

/// The most bytes of a Unix socket's path (sockaddr_un).
const LONGEST_SOCKET_PATH: usize = 107;

/// The folder, held by a lock so that two quickstarts never share it.
pub(super) struct Layout {
    root: PathBuf,
    _lock: File,
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident => $path:literal;)*) => {
        $($(#[$doc])* pub(super) fn $name(&self) -> PathBuf { self.root.join($path) })*
    };
}

impl Layout {
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        files::private_folder(root)?;
        let root = root
            .canonicalize()
            .with_context(|| format!("cannot find {}", root.display()))?;
        let path = root.join(".lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "a quickstart runs in {} already: end it first, or take another folder with --data",
                root.display()
            );
        }
        let layout = Self { root, _lock: lock };
        if layout.admin_socket().as_os_str().len() > LONGEST_SOCKET_PATH {
            bail!(
                "the path {} is too long for a Unix socket in it: take a shorter one with --data",
                layout.root.display()
            );
        }
        Ok(layout)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    places! {
        /// Bauta's CA.
        ca => "ca.pem";
        /// Which of the demonstrations it is.
        demonstration => "demonstration.json";
        /// Where each part listens.
        endpoints => "endpoints.json";
        /// The CA of the service's HTTPS, for curl.
        tls_ca => "tls/ca.pem";
        /// Its server key and certificate.
        tls => "tls";
        /// The C2SP tile log.
        log => "log";
        /// The C2SP tlog-policy.
        log_policy => "log-policy";
        /// What the children print.
        logs => "logs";
        /// The service's own files.
        service => "service";
        service_config => "service/config.json";
        admin_socket => "service/admin.sock";
        /// What holds one token for all signers, where one does.
        sharing => "token/config.json";
        token_socket => "token/socket";
        /// Administrators' keys.
        administrators => "administrators";
        /// Signed files.
        files => "files";
        authority => "files/authority";
        plan => "files/plan.json";
        /// The demonstration organisation's own PKI.
        organisation => "organisation";
        /// Its enrolment desk.
        issuer => "issuer";
        issuer_config => "issuer/config.json";
        issuer_tls => "issuer/tls";
        /// The holder's certificate and key.
        holder => "holder";
        certificate => "holder/certificate.pem";
        certificate_key => "holder/key.pem";
    }

    /// The token of signer `number`, from 1, as its configuration has it; only where there is one.
    pub(super) fn signer_token(&self, number: usize) -> PathBuf {
        self.signer(number).join("token.json")
    }

    /// The folder of signer `number`, from 1.
    pub(super) fn signer(&self, number: usize) -> PathBuf {
        self.root.join("signers").join(number.to_string())
    }

    /// A person's wallet, and the age identity that opens the demonstration's wallets unattended.
    pub(super) fn wallet(&self, person: &str) -> Wallet {
        wallet(&self.root, person)
    }
}

/// [`Layout::wallet`] without holding the folder.
pub(super) fn wallet(root: &Path, person: &str) -> Wallet {
    let wallets = root.join("holder/wallets");
    Wallet {
        wallet: wallets.join(person.to_lowercase()),
        passphrase_file: None,
        identity: Some(wallets.join("identity.age")),
    }
}
