//! The wallet: one folder, of which every file is encrypted with age. `wallet.age` holds everything and is replaced as a
//! whole, so a crash leaves the old one or the new one. It is encrypted to an X25519 identity, which lies beside it under a
//! passphrase (`identity.age`), or in a file of the holder's (mode 600) for unattended use.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use anyhow::{Context, bail};
use bauta_issuer::Enrolment;
use bauta_prover::wallet::Stored;
use bauta_statement::credential::HolderSecret;
use bauta_statement::field;
use data_encoding::{BASE64, HEXLOWER};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::guard::Seen;
use crate::{cli, files};

const WALLET: &str = "wallet.age";
const IDENTITY: &str = "identity.age";
/// More than any wallet: proofs are a kilobyte each.
const LIMIT: u64 = 16 << 20;

/// An open wallet, held by a lock.
pub(crate) struct Wallet {
    folder: PathBuf,
    identity: age::x25519::Identity,
    pub(crate) contents: Contents,
    _lock: File,
}

/// All that a wallet keeps.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    /// The secret behind the enrolled commitment.
    pub(crate) holder: Option<Secret>,
    /// A secret whose commitment was sent to a desk that has not answered yet.
    pub(crate) next_holder: Option<Secret>,
    /// What the desk gave.
    pub(crate) enrolment: Option<Enrolment>,
    /// Credential and proofs: [`Stored`]'s bytes in base64.
    stored: Option<Hidden>,
    /// What was pinned.
    pub(crate) pins: Option<Pinned>,
    /// The newest seen.
    pub(crate) seen: Option<Seen>,
    /// Verifying keys by relation name, base64.
    pub(crate) keys: BTreeMap<String, String>,
    /// Policies with a proof.
    pub(crate) prepared: Vec<PreparedPolicy>,
    /// What was used of each scope (lower-case hex of the scope).
    pub(crate) scopes: BTreeMap<String, ScopeUse>,
    /// Requests that have earned no certificate yet.
    pub(crate) pending: Vec<Pending>,
}

/// A string that is erased on drop, and not shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) String);

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A holder secret and the blinding of its commitment, in hex.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secret {
    secret: Hidden,
    blinding: Hidden,
}

impl Secret {
    pub(crate) fn generate() -> Self {
        let holder = HolderSecret::generate(&mut rand::rngs::OsRng);
        let hex = |value| Hidden(HEXLOWER.encode(Zeroizing::new(field::to_bytes(value)).as_ref()));
        Self {
            secret: hex(&holder.secret),
            blinding: hex(&holder.blinding),
        }
    }

    pub(crate) fn holder(&self) -> anyhow::Result<HolderSecret> {
        let read = |text: &Hidden| -> Option<_> {
            let bytes = Zeroizing::new(HEXLOWER.decode(text.0.as_bytes()).ok()?);
            field::from_bytes(bytes.as_slice().try_into().ok()?).ok()
        };
        match (read(&self.secret), read(&self.blinding)) {
            (Some(secret), Some(blinding)) => Ok(HolderSecret { secret, blinding }),
            _ => bail!("the wallet's secret is damaged: restore the wallet from a backup"),
        }
    }
}

/// What the holder pinned of a CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    /// SHA-256 of the first authority file, hex.
    pub(crate) authority: String,
    /// The log-policy's text.
    pub(crate) log_policy: String,
}

/// A policy that a proof was made for, with all that a show needs: a show fetches nothing but its challenge.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreparedPolicy {
    pub(crate) name: String,
    /// The signed text; its SHA-256 is the policy's digest.
    pub(crate) text: String,
    pub(crate) epoch: u64,
    pub(crate) starts: u64,
    /// The first second that is not in the epoch.
    pub(crate) ends: u64,
    pub(crate) trust_domain: String,
    pub(crate) ca_name: String,
    pub(crate) log_origin: String,
    pub(crate) enterprise_number: u32,
    /// The signed text of the key operation that the CA's certificate is made from.
    pub(crate) ca_text: String,
}

/// Which uses of a scope are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeUse {
    /// The lowest counter that no key was made for.
    pub(crate) next: u32,
    /// When the period ends.
    pub(crate) ends: u64,
}

/// A key that a certificate was asked for, and the last request. It is kept until the certificate is there, so that
/// whatever happens the same key and nullifier are used again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    pub(crate) policy: String,
    /// PKCS#8 in PEM.
    pub(crate) key: Hidden,
    /// PKCS#10 in base64.
    pub(crate) csr: String,
    /// The use of a scope that was taken for it.
    pub(crate) usage: Option<PendingUse>,
    /// The bytes last sent, and until when they may be repeated.
    pub(crate) request: Option<PendingRequest>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingUse {
    /// The scope, hex.
    pub(crate) scope: String,
    pub(crate) counter: u32,
    /// When the scope's period ends.
    pub(crate) ends: u64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingRequest {
    /// The body, as sent.
    pub(crate) body: Hidden,
    /// The challenge's nonce, hex.
    pub(crate) nonce: String,
    /// The challenge's expiry.
    pub(crate) expiry: u64,
}

impl Wallet {
    /// Opens the wallet, or makes an empty one if `create` says so.
    pub(crate) fn open(arguments: &cli::Wallet, create: bool) -> anyhow::Result<Self> {
        let folder = &arguments.wallet;
        let path = folder.join(WALLET);
        if !path.exists() && !create {
            bail!(
                "there is no wallet in {}: enrol first with `bauta enrol`, or name its folder with --wallet",
                folder.display()
            );
        }
        files::private_folder(folder)?;
        let lock = File::create(folder.join(".lock"))
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "another process uses the wallet in {}: wait until it ends",
                folder.display()
            );
        }
        let identity = identity(arguments, path.exists())?;
        let contents = if path.exists() {
            let sealed = files::read(&path, LIMIT)?;
            let plain = Zeroizing::new(age::decrypt(&identity, &sealed).map_err(|e| {
                anyhow::anyhow!("the wallet in {} does not open ({e}): give the --identity or passphrase that it was made with", folder.display())
            })?);
            serde_json::from_slice(&plain).context(
                "the wallet was written by another version of this program: use that one",
            )?
        } else {
            Contents::default()
        };
        Ok(Self {
            folder: folder.clone(),
            identity,
            contents,
            _lock: lock,
        })
    }

    /// Writes the wallet, durably, before anything that depends on it leaves the machine.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let plain = Zeroizing::new(serde_json::to_vec(&self.contents)?);
        let sealed =
            age::encrypt(&self.identity.to_public(), &plain).context("cannot seal the wallet")?;
        files::write_secret(&self.folder.join(WALLET), &sealed)
    }
}

impl Contents {
    /// Credential and proofs.
    pub(crate) fn stored(&self) -> anyhow::Result<Stored> {
        self.held()?.context(
            "the wallet has no credential: enrol first with `bauta enrol`, or prepare with an X.509 certificate (`bauta prepare --x509`)",
        )
    }

    /// The same, if there is any.
    pub(crate) fn held(&self) -> anyhow::Result<Option<Stored>> {
        let Some(hidden) = &self.stored else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(
            BASE64
                .decode(hidden.0.as_bytes())
                .context("the wallet is damaged")?,
        );
        Ok(Some(Stored::decode(&bytes)?))
    }

    pub(crate) fn store(&mut self, stored: &Stored) {
        self.stored = Some(Hidden(BASE64.encode(&stored.encode())));
    }

    /// The prepared policy of this name whose epoch has `now`.
    pub(crate) fn prepared(&self, name: &str, now: u64) -> Option<&PreparedPolicy> {
        self.prepared
            .iter()
            .find(|one| one.name == name && one.starts <= now && now < one.ends)
    }

    /// Forgets what time has made useless.
    pub(crate) fn prune(&mut self, now: u64) -> anyhow::Result<()> {
        self.prepared.retain(|one| now < one.ends);
        self.scopes.retain(|_, scope| now < scope.ends);
        self.pending
            .retain(|one| one.usage.as_ref().is_none_or(|used| now < used.ends));
        if self.stored.is_some() {
            let mut stored = self.stored()?;
            stored
                .policies
                .retain(|proof| self.prepared.iter().any(|one| one.epoch == proof.epoch));
            stored.uses.retain(|one| {
                let scope = one
                    .proof
                    .public
                    .get(1)
                    .map(|scope| HEXLOWER.encode(&field::to_bytes(scope)));
                scope.is_some_and(|scope| self.scopes.contains_key(&scope))
            });
            self.store(&stored);
        }
        Ok(())
    }
}

/// The identity that the wallet is sealed to: from the holder's file, or from beside the wallet under a passphrase.
fn identity(arguments: &cli::Wallet, exists: bool) -> anyhow::Result<age::x25519::Identity> {
    if let Some(path) = &arguments.identity {
        return if path.exists() {
            parse_identity(&read_secret(path)?).with_context(|| {
                format!(
                    "{} holds no age identity (AGE-SECRET-KEY-…): make one with age-keygen",
                    path.display()
                )
            })
        } else if exists {
            bail!(
                "{} is not there, and the wallet is: give the identity that it was made with",
                path.display()
            );
        } else {
            let identity = age::x25519::Identity::generate();
            let text = Zeroizing::new(format!("{}\n", identity.to_string().expose_secret()));
            files::new_secret(path, text.as_bytes())?;
            Ok(identity)
        };
    }
    let sealed = arguments.wallet.join(IDENTITY);
    if sealed.exists() {
        let passphrase = passphrase(arguments, false)?;
        let bytes = files::read(&sealed, 1 << 16)?;
        let plain = age::decrypt(&age::scrypt::Identity::new(passphrase), &bytes)
            .map_err(|_| anyhow::anyhow!("the passphrase is not the wallet's"))?;
        let text =
            Zeroizing::new(String::from_utf8(plain).context("the wallet's identity is damaged")?);
        return parse_identity(&text).context("the wallet's identity is damaged");
    }
    if exists {
        bail!(
            "this wallet opens with an identity file and not with a passphrase: give it with --identity"
        );
    }
    let passphrase = passphrase(arguments, true)?;
    let identity = age::x25519::Identity::generate();
    let sealed_bytes = age::encrypt(
        &age::scrypt::Recipient::new(passphrase),
        identity.to_string().expose_secret().as_bytes(),
    )
    .context("cannot seal the wallet's identity")?;
    files::write_secret(&sealed, &sealed_bytes)?;
    Ok(identity)
}

fn parse_identity(text: &str) -> Option<age::x25519::Identity> {
    text.lines()
        .map(str::trim)
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))?
        .parse()
        .ok()
}

fn passphrase(arguments: &cli::Wallet, new: bool) -> anyhow::Result<SecretString> {
    if let Some(path) = &arguments.passphrase_file {
        let text = read_secret(path)?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            bail!(
                "{} is empty: its first line is the passphrase",
                path.display()
            );
        }
        return Ok(SecretString::from(line.to_owned()));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .context("no passphrase can be asked for here: give --passphrase-file or --identity")
    };
    let first = Zeroizing::new(ask(if new {
        "Passphrase for the new wallet: "
    } else {
        "Passphrase of the wallet: "
    })?);
    if new {
        if first.len() < 8 {
            bail!("the passphrase is shorter than 8 characters: choose a longer one");
        }
        if *first != *Zeroizing::new(ask("Again: ")?) {
            bail!("the two passphrases differ: try again");
        }
    }
    Ok(SecretString::from(first.as_str().to_owned()))
}

/// Reads a secret file of at most 64 kB, and refuses one that others can read.
fn read_secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let about = || format!("cannot read {}", path.display());
    let mode = std::fs::metadata(path)
        .with_context(about)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!(
            "{} can be read by others: run `chmod 600` on it, and think about who may have read it",
            path.display()
        );
    }
    let bytes = files::read(path, 1 << 16)?;
    Ok(Zeroizing::new(
        String::from_utf8(bytes).with_context(about)?,
    ))
}

/// Asks a yes-or-no question on the terminal; anything but yes is no.
pub(crate) fn confirm(question: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stderr().lock();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(folder: &Path, identity: Option<&str>, passphrase: Option<&str>) -> cli::Wallet {
        cli::Wallet {
            wallet: folder.join("wallet"),
            passphrase_file: passphrase.map(|name| folder.join(name)),
            identity: identity.map(|name| folder.join(name)),
        }
    }

    #[test]
    fn what_is_saved_is_sealed_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let how = arguments(folder.path(), Some("identity"), None);
        assert!(Wallet::open(&how, false).is_err());
        let mut wallet = Wallet::open(&how, true).unwrap();
        wallet.contents.holder = Some(Secret::generate());
        let secret = wallet.contents.holder.as_ref().unwrap().secret.0.clone();
        wallet.save().unwrap();
        // One process at a time.
        assert!(
            Wallet::open(&how, false)
                .err()
                .unwrap()
                .to_string()
                .contains("another process")
        );
        drop(wallet);
        let again = Wallet::open(&how, false).unwrap();
        assert_eq!(again.contents.holder.as_ref().unwrap().secret.0, secret);
        drop(again);
        for file in std::fs::read_dir(folder.path().join("wallet")).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{}",
                path.display()
            );
            assert!(
                bytes.is_empty() || bytes.starts_with(b"age-encryption.org/v1"),
                "{}",
                path.display()
            );
        }
        std::fs::remove_file(folder.path().join("identity")).unwrap();
        assert!(Wallet::open(&how, false).is_err());
    }

    #[test]
    fn a_passphrase_opens_its_own_wallet_only() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("right", "correct horse"), ("wrong", "battery staple")] {
            files::write_secret(&folder.path().join(name), text.as_bytes()).unwrap();
        }
        let right = arguments(folder.path(), None, Some("right"));
        Wallet::open(&right, true).unwrap().save().unwrap();
        assert!(Wallet::open(&right, false).is_ok());
        let wrong = Wallet::open(&arguments(folder.path(), None, Some("wrong")), false);
        assert!(
            wrong
                .err()
                .unwrap()
                .to_string()
                .contains("passphrase is not")
        );
        let open = folder.path().join("open");
        files::write(&open, b"correct horse").unwrap();
        let open = Wallet::open(&arguments(folder.path(), None, Some("open")), false);
        assert!(open.err().unwrap().to_string().contains("chmod 600"));
    }

    #[test]
    fn secrets_round_trip() {
        let secret = Secret::generate();
        let (one, two) = (secret.holder().unwrap(), secret.holder().unwrap());
        assert!(one == two);
        assert!(Secret::generate().holder().unwrap() != one);
    }
}
