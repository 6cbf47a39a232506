//! A node whose holder is elsewhere: what the founder sends ([`Package`], an age archive), and what comes back
//! ([`Answer`]). No share travels, ever: the node takes part in key generation from where it is.
//!
//! The archive is a secret for one reason: it holds the *enrolment token*, by which the founder knows the answer for that of
//! whoever got the archive. What the token cannot do is vouch for the way the archive took, so both sides also compare
//! fingerprints: the holder that of the deployment, the founder that of the node's keys.

use std::io::Read as _;

use bauta_statement::{
    file::{authority::Signer, fingerprint::Fingerprint, text},
    note::{Digest, NoteKey},
};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::config::Mode;

/// Name of what the program reads in the archive.
const PACKAGE: &str = "package.json";
/// Name of the instructions in the archive.
const INSTRUCTIONS: &str = "README.txt";
/// Name of the QR code in the archive.
const QR_CODE: &str = "fingerprint.svg";
/// The longest archive, encrypted or not, in bytes: it holds three short files.
pub const LONGEST_PACKAGE: usize = 256 << 10;

/// What the founder sends to a node's holder, and keeps until the answer is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Of which CA the node will be, and where.
    pub deployment: Deployment,
    /// Proves that an answer is from whoever got the archive.
    pub token: EnrolmentToken,
}

/// Of which CA a node will be, and where it dials: nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The node's name: one per CA.
    pub name: String,
    /// Trust domain of the CA.
    pub trust_domain: String,
    /// Development or production.
    pub mode: Mode,
    /// Where the coordinator listens, host:port.
    pub coordinator: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the coordinator's certificate.
    #[serde(with = "text::hex")]
    pub coordinator_spki_sha256: Digest,
    /// The log's key; its name is the log's origin.
    pub log: NoteKey,
    /// Until when the founder takes an answer, Unix seconds.
    #[serde(with = "text::time")]
    pub expires: u64,
}

/// 32 random bytes that the founder gives to one holder, for one answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct EnrolmentToken(#[serde(with = "text::hex")] [u8; 32]);

impl EnrolmentToken {
    /// A fresh one.
    pub fn generate(rng: &mut (impl rand::RngCore + rand::CryptoRng)) -> Self {
        let mut token = [0; 32];
        rng.fill_bytes(&mut token);
        Self(token)
    }

    fn mac(&self, signer: &Signer) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(b"bauta/v1/enrolment-answer\0");
        mac.update(signer.fingerprint().to_string().as_bytes());
        Some(mac)
    }
}

impl std::fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnrolmentToken(redacted)")
    }
}

/// Why a package or an answer was refused.
#[derive(Debug, Error)]
pub enum EnrolmentError {
    /// Not encrypted to this reader, or damaged on its way.
    #[error(
        "the package does not open: it is for another identity or passphrase, or was damaged on its way; ask for a new one"
    )]
    Sealed,
    /// It opens, and is no package.
    #[error("the package is not one of `bauta ca invite`: {0}")]
    Package(String),
    /// The package could not be made.
    #[error("the package could not be made: {0}")]
    Make(String),
    /// The answer bears another token's authenticator, or its keys were exchanged.
    #[error(
        "the answer was not made from the package of this invitation, or was altered on its way: ask the holder to send it again, and if it stays so, invite anew"
    )]
    Authenticator,
    /// The answer is for another name.
    #[error("the answer is of {found:?}, and {expected:?} was invited")]
    Name {
        /// Whom it names.
        found: String,
        /// Who was invited.
        expected: String,
    },
    /// Too late.
    #[error("the invitation expired at {0}: invite anew")]
    Expired(String),
}

impl Deployment {
    /// What holder and founder compare.
    pub fn fingerprint(&self) -> Fingerprint {
        let mode = match self.mode {
            Mode::Development => "development",
            Mode::Production => "production",
        };
        Fingerprint::of(
            "bauta/v1/deployment-fingerprint",
            &[
                self.name.as_bytes(),
                self.trust_domain.as_bytes(),
                mode.as_bytes(),
                self.coordinator.as_bytes(),
                &self.coordinator_spki_sha256,
                self.log.to_string().as_bytes(),
                &self.expires.to_be_bytes(),
            ],
        )
    }

    fn instructions(&self) -> String {
        let Self {
            name,
            trust_domain,
            coordinator,
            ..
        } = self;
        let fingerprint = self.fingerprint();
        format!(
            "You are to hold {name}, a signer of the CA of {trust_domain}.

1. Install bauta-signer on the machine that will run it. It dials out to {coordinator}
   and needs no open port.
2. Where the package lies:
     bauta-signer enrol --package FILE --out {name}
   It asks for what opens the package, makes the node's keys on your machine, and prints
   two fingerprints. Compare the first with the founder, by telephone or from paper:
     {fingerprint}
   (fingerprint.svg beside this text is the same as a QR code.)
3. Send {name}/answer.json back, by any way, and read the second fingerprint to the founder.
4. When the authority file is signed, you get it with its digest:
     bauta-signer admit --folder {name} --authority FILE
   It shows who decides and who signs, with everybody's fingerprints. Compare before you say yes.
5. Run it:
     bauta-signer run --config {name}/config.json

No share of a key is in this package, and none is ever sent to you: your node makes its own.
The package is of no use once you have answered. Erase it.
"
        )
    }
}

impl Package {
    /// The archive: package, instructions and a QR code of the fingerprint, encrypted to `recipient`.
    ///
    /// # Errors
    /// [`EnrolmentError::Make`].
    pub fn pack(
        &self,
        recipient: &impl age::Recipient,
        qr_code: &str,
    ) -> Result<Vec<u8>, EnrolmentError> {
        let make = |error: &dyn std::fmt::Display| EnrolmentError::Make(error.to_string());
        let json =
            zeroize::Zeroizing::new(serde_json::to_vec_pretty(self).map_err(|error| make(&error))?);
        let mut archive = tar::Builder::new(Vec::new());
        for (name, bytes) in [
            (INSTRUCTIONS, self.deployment.instructions().as_bytes()),
            (QR_CODE, qr_code.as_bytes()),
            (PACKAGE, json.as_slice()),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            archive
                .append_data(&mut header, name, bytes)
                .map_err(|error| make(&error))?;
        }
        let archive = zeroize::Zeroizing::new(archive.into_inner().map_err(|error| make(&error))?);
        age::encrypt(recipient, &archive).map_err(|error| make(&error))
    }

    /// Opens an archive that [`Self::pack`] made. Nothing of it is written to disk, so no path in it matters.
    ///
    /// # Errors
    /// [`EnrolmentError::Sealed`], [`EnrolmentError::Package`].
    pub fn unpack(package: &[u8], identity: &impl age::Identity) -> Result<Self, EnrolmentError> {
        let wrong = |reason: &dyn std::fmt::Display| EnrolmentError::Package(reason.to_string());
        if package.len() > LONGEST_PACKAGE {
            return Err(wrong(&format!("{} bytes are too many", package.len())));
        }
        let opened = zeroize::Zeroizing::new(
            age::decrypt(identity, package).map_err(|_| EnrolmentError::Sealed)?,
        );
        let mut archive = tar::Archive::new(opened.as_slice());
        for entry in archive.entries().map_err(|error| wrong(&error))? {
            let entry = entry.map_err(|error| wrong(&error))?;
            if entry.path_bytes().as_ref() != PACKAGE.as_bytes() {
                continue;
            }
            let mut json = zeroize::Zeroizing::new(Vec::new());
            entry
                .take(LONGEST_PACKAGE as u64)
                .read_to_end(&mut json)
                .map_err(|error| wrong(&error))?;
            let package: Self = serde_json::from_slice(&json).map_err(|error| wrong(&error))?;
            // They become the name of a folder and a line on the terminal.
            return if text::is_name(&package.deployment.name)
                && text::is_trust_domain(&package.deployment.trust_domain)
            {
                Ok(package)
            } else {
                Err(wrong(&"its node's name or trust domain is not allowed"))
            };
        }
        Err(wrong(&format!("{PACKAGE} is not in it")))
    }
}

/// What the holder sends back: the node's public keys, authenticated by the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The item of `signers` in the authority file.
    pub signer: Signer,
    /// HMAC-SHA-256 under the enrolment token over a domain tag and the fingerprint of `signer`.
    #[serde(with = "text::hex")]
    authenticator: [u8; 32],
}

impl Answer {
    /// The answer to a package.
    ///
    /// # Errors
    /// [`EnrolmentError::Name`] if the keys were made for another node.
    pub fn new(signer: Signer, package: &Package) -> Result<Self, EnrolmentError> {
        check_name(&signer, &package.deployment.name)?;
        let mac = package
            .token
            .mac(&signer)
            .ok_or(EnrolmentError::Authenticator)?;
        Ok(Self {
            signer,
            authenticator: mac.finalize().into_bytes().into(),
        })
    }

    /// The signer, if the answer is from whoever got the archive, in time.
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn accept(self, invitation: &Package, now: u64) -> Result<Signer, EnrolmentError> {
        invitation
            .token
            .mac(&self.signer)
            .ok_or(EnrolmentError::Authenticator)?
            .verify_slice(&self.authenticator)
            .map_err(|_| EnrolmentError::Authenticator)?;
        let Package { deployment, .. } = invitation;
        check_name(&self.signer, &deployment.name)?;
        if now >= deployment.expires {
            let at = text::format_time(deployment.expires).unwrap_or_default();
            return Err(EnrolmentError::Expired(at));
        }
        Ok(self.signer)
    }
}

fn check_name(signer: &Signer, expected: &str) -> Result<(), EnrolmentError> {
    let names = [
        signer.name.as_str(),
        signer.cosignature.name(),
        signer.approval.name(),
    ];
    match names.into_iter().find(|name| *name != expected) {
        None => Ok(()),
        Some(found) => Err(EnrolmentError::Name {
            found: found.to_owned(),
            expected: expected.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use bauta_statement::note::NoteSigner;

    use super::*;
    use crate::{keys, seal::PassphraseSeal};

    fn package(name: &str) -> Package {
        let log = NoteSigner::generate(&mut rand::rngs::OsRng, "example.org/bauta").unwrap();
        Package {
            deployment: Deployment {
                name: name.into(),
                trust_domain: "example.org".into(),
                mode: Mode::Development,
                coordinator: "ca.example.org:7443".into(),
                coordinator_spki_sha256: [7; 32],
                log: log.verifier(),
                expires: 2_000,
            },
            token: EnrolmentToken::generate(&mut rand::rngs::OsRng),
        }
    }

    fn signer(name: &str) -> Signer {
        let folder = tempfile::tempdir().unwrap();
        let seal = PassphraseSeal::new("passphrase", 2);
        let public = keys::create(
            &folder.path().join("keys"),
            name,
            &seal,
            &mut rand::rngs::OsRng,
        )
        .unwrap();
        public.to_signer().unwrap()
    }

    #[test]
    fn a_package_opens_for_its_recipient_alone_and_unchanged() {
        let (identity, other) = (
            age::x25519::Identity::generate(),
            age::x25519::Identity::generate(),
        );
        let sent = package("signer-4");
        let sealed = sent.pack(&identity.to_public(), "<svg/>").unwrap();
        assert_eq!(Package::unpack(&sealed, &identity).unwrap(), sent);
        let refused = |sealed: &[u8], identity: &age::x25519::Identity| {
            matches!(
                Package::unpack(sealed, identity),
                Err(EnrolmentError::Sealed)
            )
        };
        assert!(refused(&sealed, &other));
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(refused(&changed, &identity));
        assert!(refused(&sealed[..sealed.len() - 1], &identity));
    }

    #[test]
    fn what_opens_and_is_no_package_is_refused() {
        let identity = age::x25519::Identity::generate();
        let unpack = |bytes: &[u8]| {
            let sealed = age::encrypt(&identity.to_public(), bytes).unwrap();
            Package::unpack(&sealed, &identity)
        };
        assert!(matches!(unpack(b""), Err(EnrolmentError::Package(_))));
        assert!(matches!(
            unpack(&[1; 1024]),
            Err(EnrolmentError::Package(_))
        ));
        let bad = package("../signer")
            .pack(&identity.to_public(), "")
            .unwrap();
        let refusal = Package::unpack(&bad, &identity).unwrap_err();
        assert!(refusal.to_string().contains("name"), "{refusal}");
        assert!(matches!(
            Package::unpack(&vec![0; LONGEST_PACKAGE + 1], &identity),
            Err(EnrolmentError::Package(_))
        ));
    }

    #[test]
    fn an_answer_counts_for_its_token_name_keys_and_time() {
        let invitation = package("signer-4");
        let good = Answer::new(signer("signer-4"), &invitation).unwrap();
        assert_eq!(
            good.clone().accept(&invitation, 1_999).unwrap(),
            good.signer
        );
        assert!(matches!(
            good.clone().accept(&invitation, 2_000),
            Err(EnrolmentError::Expired(_))
        ));
        assert!(matches!(
            good.clone().accept(&package("signer-4"), 1),
            Err(EnrolmentError::Authenticator)
        ));
        // Another's keys under the same authenticator, whole or one of them.
        let other = signer("signer-4");
        for signer in [
            Signer {
                approval: other.approval.clone(),
                ..good.signer.clone()
            },
            Signer {
                tls: other.tls,
                ..good.signer.clone()
            },
            Signer {
                cosignature: other.cosignature.clone(),
                ..good.signer.clone()
            },
            other,
        ] {
            let altered = Answer {
                signer,
                ..good.clone()
            };
            assert!(matches!(
                altered.accept(&invitation, 1),
                Err(EnrolmentError::Authenticator)
            ));
        }
        assert!(matches!(
            Answer::new(signer("signer-5"), &invitation),
            Err(EnrolmentError::Name { .. })
        ));
    }

    #[test]
    fn a_holder_who_answers_under_another_name_is_refused() {
        let invitation = package("signer-4");
        let mut elsewhere = invitation.clone();
        elsewhere.deployment.name = "signer-5".into();
        let answer = Answer::new(signer("signer-5"), &elsewhere).unwrap();
        assert!(matches!(
            answer.accept(&invitation, 1),
            Err(EnrolmentError::Name { .. })
        ));
    }

    #[test]
    fn the_fingerprint_is_of_everything_that_decides_where_the_node_dials() {
        let one = package("signer-4").deployment;
        for other in [
            Deployment {
                name: "signer-5".into(),
                ..one.clone()
            },
            Deployment {
                trust_domain: "example.net".into(),
                ..one.clone()
            },
            Deployment {
                mode: Mode::Production,
                ..one.clone()
            },
            Deployment {
                coordinator: "evil.example:7443".into(),
                ..one.clone()
            },
            Deployment {
                coordinator_spki_sha256: [8; 32],
                ..one.clone()
            },
            Deployment {
                log: package("signer-4").deployment.log,
                ..one.clone()
            },
            Deployment {
                expires: 2_001,
                ..one.clone()
            },
        ] {
            assert_ne!(one.fingerprint(), other.fingerprint());
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let package = package("signer-4");
        let token = serde_json::to_string(&package.token).unwrap();
        assert!(!format!("{package:?}").contains(token.trim_matches('"')));
    }
}
