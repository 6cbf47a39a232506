//! A signer's own keys, each with one purpose (DESIGN section 5): cosignature, approval, TLS. `keys new` makes them and the
//! public description that administrators put into `authority`.

use std::{path::Path, sync::Arc};

use bauta_log::key::CosignatureVerifier;
use bauta_signer_protocol::keys::NodeKeys;
use bauta_statement::{
    approval::{ApprovalKey, ApprovalPublicKey},
    file::authority::Signer,
    note::NoteKey,
};
use ed25519_dalek::SigningKey;
use rand::{CryptoRng, RngCore};
use rustls::{
    client::ResolvesClientCert,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    files::{self, FileError, PRIVATE, PUBLIC},
    seal::{self, KeySeal, PassphraseSeal, SealError, Vault},
    tls,
    token::TokenError,
};

pub(crate) const COSIGNATURE: &str = "cosignature.key";
pub(crate) const APPROVAL: &str = "approval.key";
const TLS_KEY: &str = "tls.key";
pub(crate) const TLS_CERTIFICATE: &str = "tls.pem";
/// Name of the public description in a signer's key folder.
pub const PUBLIC_FILE: &str = "signer.json";

/// Why keys could not be made or loaded.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The name cannot be a key's name.
    #[error("{name:?} cannot name a signer: {reason}")]
    Name {
        /// As given.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Keys are there already.
    #[error("{0} holds a signer's keys already: they are never overwritten; name another folder")]
    Exists(String),
    /// A file is not what `keys new` wrote.
    #[error(
        "{file} is damaged: {reason}; restore it from its backup, or re-enrol this signer under new keys"
    )]
    Damaged {
        /// Which file.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl KeysError {
    /// The exit status that fits: the token's own ([`TokenError::exit_status`]), else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Token(error) | Self::Seal(SealError::Token(error)) => error.exit_status(),
            _ => 1,
        }
    }
}

/// What the world may know of a signer: one item of `signers` in `authority`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeys {
    /// The signer's name, one per CA.
    pub name: String,
    /// C2SP cosignature/v1 verifier key.
    pub cosignature: String,
    /// SHA-256 of the TLS certificate's SubjectPublicKeyInfo, hexadecimal.
    pub tls: String,
    /// Note key of approvals, Ed25519 or ECDSA P-256.
    pub approval: String,
}

impl PublicKeys {
    /// As the authority file lists it, each key checked.
    ///
    /// # Errors
    /// [`KeysError::Damaged`], naming what does not parse.
    pub fn to_signer(&self) -> Result<Signer, KeysError> {
        serde_json::to_value(self)
            .and_then(serde_json::from_value)
            .map_err(|error| damaged(PUBLIC_FILE, &error))
    }
}

/// The keys of a running signer.
pub struct Keys {
    /// Cosignature and approval key.
    pub node: NodeKeys,
    /// TLS certificate and key.
    pub identity: Arc<dyn ResolvesClientCert>,
    /// Seals the shares.
    pub vault: Vault,
    /// The public side.
    pub public: PublicKeys,
}

/// Makes a signer's keys in `folder`, sealed by `seal`, and returns their public side.
///
/// # Errors
/// [`KeysError::Exists`] if keys are there, [`KeysError::Name`] for a name that C2SP forbids, or disk and seal.
pub fn create(
    folder: &Path,
    name: &str,
    seal: &dyn KeySeal,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<PublicKeys, KeysError> {
    refuse_others(folder)?;
    let cosignature = SigningKey::generate(rng);
    let approval = SigningKey::generate(rng);
    let tls_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .map_err(|error| bad_name(name, &error))?;
    let certificate = self_signed(name, &tls_key)?;
    let public = describe(
        name,
        cosignature.verifying_key().as_bytes(),
        ApprovalPublicKey::Ed25519(approval.verifying_key().to_bytes()),
        &certificate,
    )?;

    files::private_folder(folder)?;
    let vault = Vault::create(folder, seal)?;
    write_sealed(&vault, folder, COSIGNATURE, &cosignature.to_bytes())?;
    write_sealed(&vault, folder, APPROVAL, &approval.to_bytes())?;
    let tls_key = Zeroizing::new(tls_key.serialize_der());
    write_sealed(&vault, folder, TLS_KEY, &tls_key)?;
    publish(folder, &certificate, &public)?;
    Ok(public)
}

fn bad_name(name: &str, reason: &dyn std::fmt::Display) -> KeysError {
    KeysError::Name {
        name: name.to_owned(),
        reason: reason.to_string(),
    }
}

/// Keys are never overwritten.
pub(crate) fn refuse_others(folder: &Path) -> Result<(), KeysError> {
    if folder.join(PUBLIC_FILE).exists() {
        return Err(KeysError::Exists(folder.display().to_string()));
    }
    Ok(())
}

/// The TLS certificate of a key: peers know the key by its pin, so nothing else in it matters.
pub(crate) fn self_signed(
    name: &str,
    key: &impl rcgen::SigningKey,
) -> Result<rcgen::Certificate, KeysError> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    // The dates mean nothing, and must not stop a signer one day.
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    params
        .self_signed(key)
        .map_err(|error| bad_name(name, &error))
}

/// The public side of keys; refuses a name that cannot stand in a note.
pub(crate) fn describe(
    name: &str,
    cosignature: &[u8; 32],
    approval: ApprovalPublicKey,
    certificate: &rcgen::Certificate,
) -> Result<PublicKeys, KeysError> {
    let pin = tls::pin(certificate.der()).map_err(|error| bad_name(name, &error))?;
    Ok(PublicKeys {
        name: name.to_owned(),
        cosignature: CosignatureVerifier::new(name, cosignature)
            .map_err(|error| bad_name(name, &error))?
            .to_string(),
        tls: data_encoding::HEXLOWER.encode(&pin),
        approval: ApprovalKey::new(name, approval)
            .map_err(|error| bad_name(name, &error))?
            .to_string(),
    })
}

/// Refuses a name that cannot stand in a note, before anything is made for it.
pub(crate) fn check_name(name: &str) -> Result<(), KeysError> {
    NoteKey::new(
        name,
        SigningKey::from_bytes(&[1; 32]).verifying_key().as_bytes(),
    )
    .map(drop)
    .map_err(|error| bad_name(name, &error))
}

/// Writes a secret, sealed for its file's name.
pub(crate) fn write_sealed(
    vault: &Vault,
    folder: &Path,
    file: &str,
    secret: &[u8],
) -> Result<(), KeysError> {
    Ok(files::write_new(
        &folder.join(file),
        &vault.seal(file, secret)?,
        PRIVATE,
    )?)
}

/// Writes certificate and public description; the latter last, so that its presence says that all keys are there.
pub(crate) fn publish(
    folder: &Path,
    certificate: &rcgen::Certificate,
    public: &PublicKeys,
) -> Result<(), KeysError> {
    files::write_new(
        &folder.join(TLS_CERTIFICATE),
        certificate.pem().as_bytes(),
        PUBLIC,
    )?;
    let text = serde_json::to_string_pretty(public)
        .map_err(|error| bad_name(&public.name, &error))?
        + "\n";
    files::write_new(&folder.join(PUBLIC_FILE), text.as_bytes(), PUBLIC)?;
    Ok(())
}

/// As [`create`], sealed by the passphrase in a file (its first line), or one that is asked for at the terminal.
///
/// # Errors
/// As of [`create`], and if there is no passphrase.
pub fn create_sealed(
    folder: &Path,
    name: &str,
    passphrase_file: Option<&Path>,
) -> Result<PublicKeys, KeysError> {
    create_sealed_at(folder, name, passphrase_file, None)
}

/// The same at this cost of guessing; unless it is said, one that fits where the passphrase comes from.
pub(crate) fn create_sealed_at(
    folder: &Path,
    name: &str,
    passphrase_file: Option<&Path>,
    work_factor: Option<u8>,
) -> Result<PublicKeys, KeysError> {
    let passphrase = seal::find_passphrase(passphrase_file, true)?;
    let work_factor = work_factor.unwrap_or(if passphrase_file.is_some() {
        seal::FILE_WORK_FACTOR
    } else {
        seal::WORK_FACTOR
    });
    create(
        folder,
        name,
        &PassphraseSeal::new(passphrase.as_str(), work_factor),
        &mut rand::rngs::OsRng,
    )
}

/// Reads the public side alone.
///
/// # Errors
/// [`KeysError::File`] if there are no keys, [`KeysError::Damaged`].
pub fn read_public(folder: &Path) -> Result<PublicKeys, KeysError> {
    let bytes = files::read(&folder.join(PUBLIC_FILE))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(PUBLIC_FILE, &error))
}

/// Opens the keys in `folder`.
///
/// # Errors
/// [`KeysError`], naming the file that is missing, sealed otherwise, or damaged.
pub fn load(folder: &Path, seal: &dyn KeySeal) -> Result<Keys, KeysError> {
    let public = read_public(folder)?;
    let vault = Vault::open(folder, seal)?;
    let node = NodeKeys::in_memory(
        sealed_key(&vault, folder, COSIGNATURE)?,
        sealed_key(&vault, folder, APPROVAL)?,
    );
    let tls_key = vault.open_sealed(TLS_KEY, &files::read(&folder.join(TLS_KEY))?)?;
    let tls_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(tls_key.to_vec()));
    let certified = CertifiedKey::from_der(
        vec![certificate(folder)?],
        tls_key,
        &rustls::crypto::aws_lc_rs::default_provider(),
    )
    .map_err(|error| damaged(TLS_CERTIFICATE, &error))?;
    Ok(Keys {
        node,
        identity: Arc::new(SingleCertAndKey::from(certified)),
        vault,
        public,
    })
}

/// Opens an Ed25519 key that lies sealed.
pub(crate) fn sealed_key(
    vault: &Vault,
    folder: &Path,
    file: &'static str,
) -> Result<SigningKey, KeysError> {
    let secret = vault.open_sealed(file, &files::read(&folder.join(file))?)?;
    let secret: &[u8; 32] = secret
        .as_slice()
        .try_into()
        .map_err(|_| damaged(file, &"an Ed25519 seed has 32 bytes"))?;
    Ok(SigningKey::from_bytes(secret))
}

/// Reads the TLS certificate.
pub(crate) fn certificate(folder: &Path) -> Result<CertificateDer<'static>, KeysError> {
    let pem = files::read(&folder.join(TLS_CERTIFICATE))?;
    CertificateDer::from_pem_slice(&pem).map_err(|error| damaged(TLS_CERTIFICATE, &error))
}

pub(crate) fn damaged(file: &'static str, reason: &dyn std::fmt::Display) -> KeysError {
    KeysError::Damaged {
        file,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn keys_come_back_and_are_never_overwritten_or_readable_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let seal = PassphraseSeal::new("passphrase", 2);
        let public = create(&folder, "signer-1", &seal, &mut rand::rngs::OsRng).unwrap();
        let keys = load(&folder, &seal).unwrap();
        assert_eq!(keys.public, public);
        let vkey: CosignatureVerifier = public.cosignature.parse().unwrap();
        assert_eq!(&keys.node.cosignature.public_key(), vkey.public_key());
        let approval = ApprovalKey::parse(&public.approval).unwrap();
        assert_eq!(keys.node.approval.approval_key(), approval.public());
        assert_ne!(
            approval.public(),
            ApprovalPublicKey::Ed25519(keys.node.cosignature.public_key())
        );
        for file in [COSIGNATURE, APPROVAL, TLS_KEY, crate::seal::DATA_KEY_FILE] {
            assert_eq!(
                fs::metadata(folder.join(file))
                    .unwrap()
                    .permissions()
                    .mode()
                    & 0o777,
                0o600,
                "{file}"
            );
        }
        assert!(matches!(
            create(&folder, "signer-1", &seal, &mut rand::rngs::OsRng),
            Err(KeysError::Exists(_))
        ));
        assert!(matches!(
            load(&folder, &PassphraseSeal::new("another", 2)),
            Err(KeysError::Seal(SealError::Passphrase))
        ));
    }

    #[test]
    fn one_key_in_the_place_of_another_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let seal = PassphraseSeal::new("passphrase", 2);
        create(folder.path(), "signer-1", &seal, &mut rand::rngs::OsRng).unwrap();
        fs::copy(
            folder.path().join(APPROVAL),
            folder.path().join(COSIGNATURE),
        )
        .unwrap();
        assert!(matches!(
            load(folder.path(), &seal),
            Err(KeysError::Seal(SealError::Damaged(_)))
        ));
    }

    #[test]
    fn a_name_that_cannot_stand_in_a_note_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let seal = PassphraseSeal::new("passphrase", 2);
        let result = create(
            &folder.path().join("k"),
            "a b+c",
            &seal,
            &mut rand::rngs::OsRng,
        );
        assert!(matches!(result, Err(KeysError::Name { .. })));
        assert!(!folder.path().join("k").exists());
    }
}
