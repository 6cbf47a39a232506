//! A signer's keys in a token: which of them are there, made all or not at all, found again at every start.

use std::{path::Path, sync::Arc};

use bauta_log::key::CosignatureVerifier;
use bauta_signer_protocol::keys::{Approver as _, Ed25519Key as _, NodeKeys};
use bauta_statement::approval::{ApprovalKey, ApprovalPublicKey};
use ed25519_dalek::SigningKey;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    check::{Outcome, Probe},
    client::{Token, unexpected},
    error::{Answer, Failure, TokenError, fail},
    objects,
    seal::{FILE, SealBy, TokenSeal},
    signing::{P256Approval, TlsKey, TokenKey},
    wire::{Key, KeyKind, Reply, Request},
};
use crate::{
    files::{self, PUBLIC},
    keys::{
        self, APPROVAL, COSIGNATURE, Keys, KeysError, PublicKeys, certificate, check_name, damaged,
        describe, publish, refuse_others, sealed_key, self_signed, write_sealed,
    },
    seal::{SealError, Vault},
};

/// Name of the file that says which keys are where; in a signer's key folder.
pub const PLAN_FILE: &str = "token.json";

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the token, which signs.
    Token,
    /// Sealed on disk as the share is, and in memory while the signer runs.
    Sealed,
}

/// Of which kind a key is that is in the token always: of approvals, of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// ECDSA P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

/// Which keys are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// By what the data key is sealed, which seals the shares.
    pub seal: SealBy,
    /// The cosignature key: Ed25519, since C2SP has no other cosignature of this kind.
    pub cosignature: Place,
    /// The approval key: Ed25519 where the token has it.
    pub approval: Kind,
    /// The TLS key: P-256 where the token has it, which every TLS library takes.
    pub tls: Kind,
}

/// What `token.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    /// Of the token that the keys were made in; not known of a shared one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(flatten)]
    plan: Plan,
}

impl Plan {
    /// What a signer uses of a token.
    pub(super) fn of(probe: &Probe) -> Answer<Self> {
        let seal = match (&probe.aes_gcm, &probe.ecdh) {
            (Outcome::Works { .. }, _) => SealBy::AesGcm,
            (_, Outcome::Works { .. }) => SealBy::Ecdh,
            _ => {
                return fail(
                    Failure::Unsupported,
                    "it seals neither by AES-GCM nor by ECDH: use another token, or one that is set up to allow it",
                );
            }
        };
        let tls = match (&probe.p256, &probe.ed25519) {
            (Outcome::Works { .. }, _) => Kind::P256,
            (_, Outcome::Works { .. }) => Kind::Ed25519,
            _ => return signs_neither(),
        };
        let (cosignature, approval) = if probe.ed25519.works() {
            (Place::Token, Kind::Ed25519)
        } else {
            (Place::Sealed, Kind::P256)
        };
        Ok(Self {
            seal,
            cosignature,
            approval,
            tls,
        })
    }

    /// For people.
    pub(super) fn lines(self) -> Vec<String> {
        let kind = |kind| match kind {
            Kind::P256 => "ECDSA P-256 in the token",
            Kind::Ed25519 => "Ed25519 in the token",
        };
        let cosignature = match self.cosignature {
            Place::Token => "Ed25519 in the token",
            Place::Sealed => "Ed25519, sealed like the share",
        };
        vec![
            match self.seal {
                SealBy::AesGcm => "share: sealed by AES-256-GCM in the token".to_owned(),
                SealBy::Ecdh => {
                    "share: sealed by ECDH P-256 in the token and AES-256-GCM outside".to_owned()
                }
            },
            format!("cosignature key: {cosignature}"),
            format!("approval key: {}", kind(self.approval)),
            format!("TLS key: {}", kind(self.tls)),
        ]
    }
}

fn signs_neither<T>() -> Answer<T> {
    fail(
        Failure::Unsupported,
        "it signs neither by ECDSA P-256 nor by EdDSA: use another token",
    )
}

/// The labels by which one token holds the keys of any number of signers.
fn label(name: &str, purpose: &str) -> String {
    format!("bauta:{name}:{purpose}")
}

const COSIGN: &str = "cosignature";
const APPROVE: &str = "approval";

/// Makes a signer's keys in the token and in `folder`, and returns their public side. Whatever fails, the token is left as it
/// was; it is never initialised, and no object in it is overwritten.
///
/// # Errors
/// [`KeysError`], naming what the token lacks or what is there already.
pub fn create(folder: &Path, name: &str, token: &Arc<Token>) -> Result<PublicKeys, KeysError> {
    refuse_others(folder)?;
    check_name(name)?;
    let files = [
        FILE,
        COSIGNATURE,
        APPROVAL,
        PLAN_FILE,
        keys::TLS_CERTIFICATE,
    ];
    if let Some(file) = files
        .iter()
        .map(|file| folder.join(file))
        .find(|file| file.exists())
    {
        return Err(KeysError::Exists(file.display().to_string()));
    }
    let mut maker = Maker {
        token,
        name,
        made: Vec::new(),
    };
    let made = maker.make(folder);
    if made.is_err() {
        maker.abandon();
        for file in files {
            let _ = std::fs::remove_file(folder.join(file));
        }
    }
    made
}

/// Makes keys, and knows which.
struct Maker<'a> {
    token: &'a Arc<Token>,
    name: &'a str,
    made: Vec<Key>,
}

impl Maker<'_> {
    fn make(&mut self, folder: &Path) -> Result<PublicKeys, KeysError> {
        files::private_folder(folder)?;
        let (by, vault) = self.vault(folder)?;
        let (cosignature, cosignature_key) = match self.supported(KeyKind::Ed25519, COSIGN)? {
            Some(key) => (Place::Token, key.public_key()),
            None => (Place::Sealed, sealed_ed25519(&vault, folder, COSIGNATURE)?),
        };
        let (approval, approval_key) = self.approval()?;
        let (tls, tls_key) = self.tls()?;
        let certificate = self_signed(self.name, &tls_key)?;
        let public = describe(self.name, &cosignature_key, approval_key, &certificate)?;
        let made = Made {
            serial: self.token.serial(),
            plan: Plan {
                seal: by,
                cosignature,
                approval,
                tls,
            },
        };
        let json =
            serde_json::to_string_pretty(&made).map_err(|error| damaged(PLAN_FILE, &error))?;
        files::write_new(
            &folder.join(PLAN_FILE),
            format!("{json}\n").as_bytes(),
            PUBLIC,
        )?;
        publish(folder, &certificate, &public)?;
        Ok(public)
    }

    /// The key that seals, the better kind first, and what it seals.
    fn vault(&mut self, folder: &Path) -> Result<(SealBy, Vault), KeysError> {
        match self.vault_by(folder, SealBy::AesGcm) {
            Ok(vault) => Ok((SealBy::AesGcm, vault)),
            Err(KeysError::Token(error) | KeysError::Seal(SealError::Token(error)))
                if error.failure() == Failure::Unsupported =>
            {
                // A key that was made, but does not seal as it should, goes again.
                self.abandon();
                Ok((SealBy::Ecdh, self.vault_by(folder, SealBy::Ecdh)?))
            }
            Err(error) => Err(error),
        }
    }

    fn vault_by(&mut self, folder: &Path, by: SealBy) -> Result<Vault, KeysError> {
        let (key, public) = self.generate(by.kind(), "seal")?;
        let seal = TokenSeal::new(self.token.clone(), key, public, self.name);
        Ok(Vault::create(folder, &seal)?)
    }

    fn approval(&mut self) -> Answer<(Kind, ApprovalPublicKey)> {
        if let Some(key) = self.supported(KeyKind::Ed25519, APPROVE)? {
            return Ok((Kind::Ed25519, key.approval_key()));
        }
        match self.supported(KeyKind::P256, APPROVE)? {
            Some(key) => Ok((Kind::P256, P256Approval::new(key)?.approval_key())),
            None => signs_neither(),
        }
    }

    fn tls(&mut self) -> Answer<(Kind, TlsKey)> {
        if let Some(key) = self.supported(KeyKind::P256, "tls")? {
            return Ok((Kind::P256, TlsKey::new(key)));
        }
        match self.supported(KeyKind::Ed25519, "tls")? {
            Some(key) => Ok((Kind::Ed25519, TlsKey::new(key))),
            None => signs_neither(),
        }
    }

    /// A key that signs in the token, if the token has its kind.
    fn supported(&mut self, kind: KeyKind, purpose: &str) -> Answer<Option<TokenKey>> {
        match self.signing(kind, purpose) {
            Ok(key) => Ok(Some(key)),
            Err(error) if error.failure() == Failure::Unsupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn signing(&mut self, kind: KeyKind, purpose: &str) -> Answer<TokenKey> {
        let (key, public) = self.generate(kind, purpose)?;
        let key = TokenKey::new(self.token.clone(), key, public);
        key.try_out()?;
        Ok(key)
    }

    fn generate(&mut self, kind: KeyKind, purpose: &str) -> Answer<(Key, Vec<u8>)> {
        let key = objects::key(kind, &label(self.name, purpose));
        let public = public_half(self.token.call(&Request::Generate(key.clone())))?;
        self.made.push(key.clone());
        Ok((key, public))
    }

    /// Destroys what was made. If that fails too, the next attempt names what is there.
    fn abandon(&mut self) {
        for key in self.made.drain(..) {
            let _ = self.token.call(&Request::Destroy(key));
        }
    }
}

/// A key that lies sealed.
fn sealed_ed25519(vault: &Vault, folder: &Path, file: &str) -> Result<[u8; 32], KeysError> {
    let key = SigningKey::generate(&mut rand::rngs::OsRng);
    write_sealed(vault, folder, file, &Zeroizing::new(key.to_bytes())[..])?;
    Ok(key.verifying_key().to_bytes())
}

fn public_half(reply: Answer<Reply>) -> Answer<Vec<u8>> {
    match reply? {
        Reply::Public(public) => Ok(public.into_vec()),
        _ => Err(unexpected()),
    }
}

fn find(token: &Arc<Token>, key: &Key) -> Answer<Vec<u8>> {
    public_half(token.call(&Request::Find(key.clone())))
}

/// The serial number of the token that the keys in `folder` were made in.
///
/// # Errors
/// [`KeysError`] if there are no keys of a token.
pub fn serial(folder: &Path) -> Result<Option<String>, KeysError> {
    Ok(read(folder)?.serial)
}

fn read(folder: &Path) -> Result<Made, KeysError> {
    let path = folder.join(PLAN_FILE);
    if !path.exists() {
        return Err(TokenError::new(
            Failure::Setup,
            format!(
                "{} holds no keys of a token: make them with `bauta-signer keys new --token …`",
                folder.display()
            ),
        )
        .into());
    }
    serde_json::from_slice(&files::read(&path)?).map_err(|error| damaged(PLAN_FILE, &error))
}

/// Opens the data key of `folder` alone.
///
/// # Errors
/// [`KeysError`], if the sealing key is not in the token, is weakened, or another.
pub fn vault(folder: &Path, token: &Arc<Token>) -> Result<Vault, KeysError> {
    let public = keys::read_public(folder)?;
    let name = public.name.as_str();
    let key = objects::key(read(folder)?.plan.seal.kind(), &label(name, "seal"));
    let half = find(token, &key)?;
    Ok(Vault::open(
        folder,
        &TokenSeal::new(token.clone(), key, half, name),
    )?)
}

/// Opens the keys in `folder` and in the token. Each key's public half must be the one that is published.
///
/// # Errors
/// [`KeysError`], naming the key that is missing, weakened or another.
pub fn load(folder: &Path, token: &Arc<Token>) -> Result<Keys, KeysError> {
    let public = keys::read_public(folder)?;
    let name = public.name.as_str();
    let plan = read(folder)?.plan;
    let vault = vault(folder, token)?;

    let another = |what: &str| {
        TokenError::new(
            Failure::OtherToken,
            format!(
                "its {what} key is not the one that {} publishes: is it the right token, and are the files this signer's?",
                keys::PUBLIC_FILE
            ),
        )
    };
    let in_token = |kind, purpose| {
        let key = objects::key(kind, &label(name, purpose));
        let half = find(token, &key)?;
        Ok::<_, TokenError>(TokenKey::new(token.clone(), key, half))
    };
    let cosignature: CosignatureVerifier = public
        .cosignature
        .parse()
        .map_err(|error| damaged(keys::PUBLIC_FILE, &error))?;
    let approval =
        ApprovalKey::parse(&public.approval).map_err(|error| damaged(keys::PUBLIC_FILE, &error))?;
    let node = NodeKeys {
        cosignature: match plan.cosignature {
            Place::Token => Box::new(in_token(KeyKind::Ed25519, COSIGN)?),
            Place::Sealed => Box::new(sealed_key(&vault, folder, COSIGNATURE)?),
        },
        approval: match plan.approval {
            Kind::Ed25519 => Box::new(in_token(KeyKind::Ed25519, APPROVE)?),
            Kind::P256 => Box::new(P256Approval::new(in_token(KeyKind::P256, APPROVE)?)?),
        },
    };
    if node.cosignature.public_key() != *cosignature.public_key() {
        return Err(another(COSIGN).into());
    }
    if node.approval.approval_key() != approval.public() {
        return Err(another(APPROVE).into());
    }
    let kind = match plan.tls {
        Kind::P256 => KeyKind::P256,
        Kind::Ed25519 => KeyKind::Ed25519,
    };
    let tls = TlsKey::new(in_token(kind, "tls")?);
    let certificate = certificate(folder)?;
    let presented =
        crate::tls::pin(&certificate).map_err(|error| damaged(keys::TLS_CERTIFICATE, &error))?;
    let held = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&tls));
    if presented != *held || data_encoding::HEXLOWER.encode(&held) != public.tls {
        return Err(another("TLS").into());
    }
    let certified = CertifiedKey::new(vec![certificate], Arc::new(tls));
    Ok(Keys {
        node,
        identity: Arc::new(SingleCertAndKey::from(certified)),
        vault,
        public,
    })
}
