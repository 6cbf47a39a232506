//! Backups of a signer's shares, and what is done with one. A backup holds the shares of the CA keys in force and nothing else: no
//! key of the node, no nonce, no head, so that putting one back brings nothing back that must never be said twice. It is encrypted to
//! the signer's custodian, an age recipient, whom the logged authority file names; nobody can name another. t backups of one sharing
//! are the key, and the authority file lets no custodian have them.
//!
//! It is the last resort: a share that is lost alone is repaired by t others ([`bauta_signer_protocol::repair`]). A backup is put back
//! into a node that the log lists under the share's signer, is compared with the published verifying share, and is worthless after the
//! next refresh.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bauta_signer_protocol::{
    keys::{KeyShare, PublicShares},
    ledger_rulebook::LedgerRulebook,
    messages::SharedKey,
    node::{Node, NodeConfig, Record, RestoreError, StoredShare},
    rulebook::Rulebook as _,
};
use bauta_statement::file::{Authority, text};
use clap::Args;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    SignerConfig, admission,
    config::ConfigError,
    files::{self, FileError},
    keys::{Keys, KeysError},
    process,
    run::open_keys,
    store::{DiskStore, StoreError},
    token::Token,
};

/// The longest backup that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// What a backup's first field says.
const FORMAT: &str = "bauta backup of shares, version 1";

/// Why there is no backup, or none was put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's copy.
    #[error(transparent)]
    Replay(#[from] RestoreError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Shares would not be safe in this process's memory.
    #[error(transparent)]
    NotHardened(#[from] process::NotHardened),
    /// The log says nothing yet.
    #[error("this signer's log is empty: let it run until it has caught up, and stop it")]
    Empty,
    /// The authority names no custodian.
    #[error(
        "the authority file in force names no custodian for {0}: administrators log one that does (bauta ca change --custodians)"
    )]
    NoCustodian(String),
    /// The custodian's recipient is none.
    #[error("the recipient of custodian {custodian:?} is no age recipient: {reason}")]
    Recipient {
        /// Whose.
        custodian: String,
        /// What age says.
        reason: String,
    },
    /// Nothing to back up.
    #[error("{0} holds no share of a key in force: there is nothing to back up")]
    NoShare(String),
    /// Encryption failed.
    #[error("age: {0}")]
    Encrypt(String),
    /// The backup does not open.
    #[error(
        "{0} does not open with this identity: is it the custodian's that the backup was made for?"
    )]
    Closed(String),
    /// Not a backup.
    #[error("this is no backup of a signer's shares: {0}")]
    Malformed(String),
    /// Of another signer or CA.
    #[error("the backup is of {found}, and this node is {own}: a share is of one signer of one CA")]
    Another {
        /// In the backup.
        found: String,
        /// This node.
        own: String,
    },
    /// Not the published share.
    #[error(
        "the share of {0} in this backup is not the one whose public half is published: it was altered, or is no share of this signer"
    )]
    WrongShare(String),
    /// Nothing was put back.
    #[error(
        "none of the shares in this backup is of a sharing in force: the keys were shared anew since, and it is worthless; use a newer one, or have the share repaired"
    )]
    Stale,
}

/// Arguments of `backup`.
#[derive(Args, Clone, Debug)]
pub struct BackupArguments {
    /// The signer's configuration. The signer must be stopped.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// File for the backup; it must not be there.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `restore`.
#[derive(Args, Clone, Debug)]
pub struct RestoreArguments {
    /// The signer's configuration. The signer must have caught up with the log, and be stopped.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The backup. Without it, what `age --decrypt` made of one is read from standard input, so that an identity in a token
    /// serves as well.
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub backup: Option<PathBuf>,
    /// File (mode 600) with the custodian's age identity.
    #[arg(long, value_name = "FILE", requires = "backup")]
    pub identity: Option<PathBuf>,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// The signer.
    pub signer: String,
    /// The custodian, of a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custodian: Option<String>,
    /// Names of the CA keys whose shares were backed up or put back.
    pub keys: Vec<String>,
    /// Names of those that were not: not held, or of a sharing that is not in force.
    pub without: Vec<String>,
}

impl Done {
    /// For people.
    pub fn text(&self) -> String {
        let keys = self.keys.join(", ");
        let mut text = match &self.custodian {
            Some(custodian) => {
                format!(
                    "backup of {}'s share of {keys}, for {custodian} alone",
                    self.signer
                )
            }
            None => format!("{} has its share of {keys} again; start it", self.signer),
        };
        if !self.without.is_empty() {
            text.push_str(&format!("\nnot of {}", self.without.join(", ")));
        }
        text
    }
}

/// What is encrypted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    format: String,
    trust_domain: String,
    log: String,
    signer: String,
    shares: Vec<Share>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Share {
    key: String,
    #[serde(with = "text::hex")]
    group_key: [u8; 32],
    #[serde(with = "text::hex")]
    sharing: [u8; 32],
    /// The FROST key package, base64.
    share: String,
}

/// A stopped signer: its name, the log as it holds it, and its open store.
struct Stopped {
    name: String,
    node: Node<LedgerRulebook>,
    store: DiskStore,
    /// Keeps the session that the node's keys are in.
    _token: Option<Arc<Token>>,
}

impl Stopped {
    fn open(config: &Path) -> Result<Self, BackupError> {
        let config = SignerConfig::read(config)?;
        let checked = config.check()?;
        process::harden_for(checked.mode)?;
        let (keys, token) = open_keys(&config, &checked)?;
        let Keys {
            node,
            vault,
            public,
            ..
        } = keys;
        let node_config = NodeConfig {
            name: public.name.clone(),
            log: checked.log.clone(),
            cosignature: public
                .to_signer()?
                .cosignature
                .to_string()
                .parse()
                .map_err(|error: bauta_log::key::KeyError| {
                    BackupError::Malformed(error.to_string())
                })?,
            attended: false,
        };
        let store = DiskStore::open(&checked.data, vault)?;
        let node = Node::restore(
            node_config,
            node,
            LedgerRulebook::new(checked.authority),
            store.head()?,
            Vec::new(),
            &store,
            &mut OsRng,
        )?;
        Ok(Self {
            name: public.name,
            node,
            store,
            _token: token,
        })
    }

    fn authority(&self) -> Result<&Authority, BackupError> {
        let authority = self.node.rulebook().ledger().authority();
        Ok(authority.ok_or(BackupError::Empty)?.as_ref())
    }

    /// The keys in force of which this signer has a share by the log, with their names.
    fn keys(&self) -> Result<Vec<(String, PublicShares)>, BackupError> {
        let names: Vec<String> = self
            .authority()?
            .ca_keys
            .iter()
            .map(|key| key.name.clone())
            .collect();
        let public = self.node.rulebook().keys();
        let held = names.into_iter().zip(public);
        Ok(held
            .filter(|(_, key)| key.of(&self.name).is_some())
            .collect())
    }
}

/// Writes the backup of a stopped signer's shares, for its custodian.
///
/// # Errors
/// [`BackupError`].
pub fn backup(arguments: &BackupArguments) -> Result<Done, BackupError> {
    let signer = Stopped::open(&arguments.config)?;
    let authority = signer.authority()?;
    let (custodian, recipient) = custodian(authority, &signer.name)?;
    let in_force = signer.keys()?;
    let contents = collect(&signer.name, authority, &in_force, &signer.store.shares()?)?;
    let plain = serde_json::to_vec(&contents)
        .map(Zeroizing::new)
        .map_err(|error| BackupError::Malformed(error.to_string()))?;
    let sealed = age::encrypt(&recipient, &plain)
        .map_err(|error| BackupError::Encrypt(error.to_string()))?;
    files::write_new(&arguments.out, &sealed, files::PRIVATE)?;
    let keys: Vec<String> = contents.shares.iter().map(|one| one.key.clone()).collect();
    let without = in_force.into_iter().map(|(name, _)| name);
    let without = without.filter(|name| !keys.contains(name)).collect();
    Ok(Done {
        custodian: Some(custodian),
        signer: signer.name,
        keys,
        without,
    })
}

/// To whom this signer's backups go: whom the authority names, and nobody else.
fn custodian(
    authority: &Authority,
    signer: &str,
) -> Result<(String, age::x25519::Recipient), BackupError> {
    let custodian = authority
        .custodian(signer)
        .ok_or_else(|| BackupError::NoCustodian(signer.to_owned()))?;
    match custodian.recipient.parse() {
        Ok(recipient) => Ok((custodian.name.clone(), recipient)),
        Err(reason) => Err(BackupError::Recipient {
            custodian: custodian.name.clone(),
            reason: str::to_owned(reason),
        }),
    }
}

/// The shares in force that are held.
fn collect(
    signer: &str,
    authority: &Authority,
    in_force: &[(String, PublicShares)],
    stored: &[StoredShare],
) -> Result<Backup, BackupError> {
    let mut shares = Vec::new();
    for (name, public) in in_force {
        let fits =
            |held: &&StoredShare| held.key == public.id() && held.share.matches(signer, public);
        let Some(held) = stored.iter().find(fits) else {
            continue;
        };
        let secret = held
            .share
            .to_bytes()
            .map_err(|error| BackupError::Malformed(error.to_string()))?;
        shares.push(Share {
            key: name.clone(),
            group_key: held.key.group_key,
            sharing: held.key.sharing,
            share: data_encoding::BASE64.encode(&secret),
        });
    }
    if shares.is_empty() {
        return Err(BackupError::NoShare(signer.to_owned()));
    }
    Ok(Backup {
        format: FORMAT.to_owned(),
        trust_domain: authority.trust_domain.clone(),
        log: authority.log.origin.clone(),
        signer: signer.to_owned(),
        shares,
    })
}

/// Puts the shares of a backup back into a stopped signer, each compared with the published verifying share.
///
/// # Errors
/// [`BackupError`].
pub fn restore(arguments: &RestoreArguments) -> Result<Done, BackupError> {
    let mut signer = Stopped::open(&arguments.config)?;
    let contents = read(arguments)?;
    let born = signer.node.head().size;
    let fitting = fitting(
        &contents,
        &signer.name,
        signer.authority()?,
        &signer.keys()?,
    )?;
    let (mut keys, mut records) = (Vec::new(), Vec::new());
    for (name, key, secret) in fitting {
        records.push(Record::KeyShare { key, born, secret });
        keys.push(name);
    }
    signer.store.persist(&records)?;
    let without = contents.shares.iter().map(|share| share.key.clone());
    let without = without.filter(|name| !keys.contains(name)).collect();
    Ok(Done {
        custodian: None,
        signer: signer.name,
        keys,
        without,
    })
}

/// A share by the name of its key.
type Named = (String, SharedKey, Zeroizing<Vec<u8>>);

/// The shares in a backup that are of sharings in force: each this signer's, and the one whose public half is published.
fn fitting(
    contents: &Backup,
    signer: &str,
    authority: &Authority,
    in_force: &[(String, PublicShares)],
) -> Result<Vec<Named>, BackupError> {
    let described = |signer: &str, domain: &str, log: &str| format!("{signer} of {domain} ({log})");
    let found = described(&contents.signer, &contents.trust_domain, &contents.log);
    let own = described(signer, &authority.trust_domain, &authority.log.origin);
    if found != own {
        return Err(BackupError::Another { found, own });
    }
    let mut fitting = Vec::new();
    for share in &contents.shares {
        let key = SharedKey {
            group_key: share.group_key,
            sharing: share.sharing,
        };
        let Some((name, public)) = in_force.iter().find(|(_, public)| public.id() == key) else {
            continue;
        };
        let wrong = || BackupError::WrongShare(name.clone());
        let secret = data_encoding::BASE64
            .decode(share.share.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| wrong())?;
        let read = KeyShare::from_bytes(&secret).map_err(|_| wrong())?;
        if !read.matches(signer, public) {
            return Err(wrong());
        }
        fitting.push((name.clone(), key, secret));
    }
    if fitting.is_empty() {
        return Err(BackupError::Stale);
    }
    Ok(fitting)
}

fn read(arguments: &RestoreArguments) -> Result<Backup, BackupError> {
    let plain = match (&arguments.backup, &arguments.identity) {
        (Some(file), Some(identity)) => {
            let identity = admission::read_identity(identity)?
                .ok_or_else(|| BackupError::Closed(file.display().to_string()))?;
            let sealed = files::read_bounded(file, LONGEST)?;
            age::decrypt(&identity, &sealed)
                .map(Zeroizing::new)
                .map_err(|_| BackupError::Closed(file.display().to_string()))?
        }
        _ => {
            let mut plain = Zeroizing::new(Vec::with_capacity(1 << 16));
            std::io::stdin()
                .take(LONGEST)
                .read_to_end(&mut plain)
                .map_err(|error| FileError::new("read", Path::new("standard input"), &error))?;
            plain
        }
    };
    // What is wrong with it is not said in its own words: they are secret.
    let contents: Backup = serde_json::from_slice(&plain)
        .map_err(|error| BackupError::Malformed(format!("line {}", error.line())))?;
    if contents.format != FORMAT {
        return Err(BackupError::Malformed("it is of another format".to_owned()));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests;
