//! What a remote holder does with a package, and later with the authority file: the node's keys are made where the node
//! will run, and its configuration is written only after its holder has seen who decides, who signs, and that the keys
//! listed for this node are its own.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use bauta_statement::{
    file::{
        Authority, Body, FileError as SignedFileError, SignedFile, authority::Signer,
        fingerprint::Fingerprint,
    },
    note::{Digest, NoteError},
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{
    SignerConfig,
    commands::KeyPlace,
    config::Mode,
    enrolment::{Answer, Deployment, EnrolmentError, LONGEST_PACKAGE, Package},
    files::{self, FileError, PRIVATE, PUBLIC},
    keys::{self, KeysError},
    seal::{self, SealError},
    token::TokenConfig,
};

const DEPLOYMENT: &str = "deployment.json";
/// Where the keys are: paths, no secrets.
const PLACE: &str = "place.json";
const ANSWER: &str = "answer.json";
const CONFIG: &str = "config.json";
const KEYS: &str = "keys";

/// Why a holder's step was not done.
#[derive(Debug, Error)]
pub enum AdmissionError {
    /// The package.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The node's keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A passphrase.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The age identity.
    #[error("{0} holds no age identity (AGE-SECRET-KEY-1…)")]
    Identity(String),
    /// Not a signed file.
    #[error("{path}: {reason}")]
    Authority {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: SignedFileError,
    },
    /// A signed file of another type.
    #[error("{0} is no authority file")]
    NotAuthority(String),
    /// The authority is not signed by those whom it names.
    #[error("{path} does not bear the signatures of {who}: {reason}")]
    Signatures {
        /// Which file.
        path: String,
        /// Whose.
        who: &'static str,
        /// What is missing.
        reason: NoteError,
    },
    /// The digest is another than the holder was told.
    #[error(
        "the first authority's digest is {found}, and you were told {told}: ask the founder, by a way you trust, which is right"
    )]
    Digest {
        /// Of the file.
        found: String,
        /// By the holder.
        told: String,
    },
    /// A later authority without the first.
    #[error(
        "{0} is version {1} of the authority: name the first one too, by --first-authority, for its digest is what this node pins"
    )]
    First(String, u64),
    /// The authority does not list this node as it is.
    #[error(
        "the authority lists {found} for {name}, and its keys here are {own}: do not run it; tell the founder"
    )]
    NotListed {
        /// The node's name.
        name: String,
        /// What it lists.
        found: String,
        /// This node's fingerprint.
        own: Fingerprint,
    },
    /// The authority is of another CA than the package.
    #[error(
        "the authority's {0} is not the package's: it is of another CA, or one of the two is forged"
    )]
    OtherCa(&'static str),
    /// The holder did not say yes.
    #[error("nothing was written")]
    Declined,
}

/// What [`enrol`] needs to know.
#[derive(Clone, Debug, clap::Args)]
pub struct EnrolArguments {
    /// The package that the founder sent.
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    /// File (mode 600) with the age identity that the package is encrypted to; without it, a passphrase is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "package_passphrase_file")]
    pub identity: Option<PathBuf>,
    /// File whose first line is the package's passphrase.
    #[arg(long, value_name = "FILE")]
    pub package_passphrase_file: Option<PathBuf>,
    /// Folder for the node, which will hold its keys, its configuration and everything durable.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[allow(missing_docs)] // clap would print a comment here as the whole command's description
    #[command(flatten)]
    pub place: KeyPlace,
}

/// Where the node's keys are, between [`enrol`] and [`admit`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    passphrase_file: Option<PathBuf>,
    token: Option<TokenConfig>,
}

impl Place {
    /// Wherever the signer will be started, the files are where they are now.
    fn of(place: &KeyPlace) -> Result<Self, AdmissionError> {
        let here = std::env::current_dir()
            .map_err(|error| FileError::new("find", Path::new("."), &error))?;
        let mut token = place.token_config().map_err(KeysError::from)?;
        if let Some(token) = &mut token {
            token.relative_to(&here);
        }
        Ok(Self {
            passphrase_file: place.passphrase_file.as_ref().map(|file| here.join(file)),
            token,
        })
    }
}

/// What was made of a package.
#[derive(Clone, Debug, Serialize)]
pub struct Enrolled {
    /// The node's name.
    pub name: String,
    /// To be compared with what the founder says of the package.
    pub deployment_fingerprint: String,
    /// To be read to the founder.
    pub fingerprint: String,
    /// To be sent to the founder.
    pub answer: PathBuf,
}

impl Enrolled {
    /// In words.
    pub fn text(&self) -> String {
        format!(
            "compare with the founder: this package is   {}\nread to the founder: {} has the keys   {}\n\
             and send back {}, by any way",
            self.deployment_fingerprint,
            self.name,
            self.fingerprint,
            self.answer.display()
        )
    }
}

/// Reads an age identity from a file that only its owner can read; `None` if there is none in it.
pub(crate) fn read_identity(path: &Path) -> Result<Option<age::x25519::Identity>, FileError> {
    files::only_ours(path)?;
    let text = zeroize::Zeroizing::new(files::read_bounded(path, 4096)?);
    Ok(std::str::from_utf8(&text)
        .unwrap_or_default()
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .and_then(|line| line.parse().ok()))
}

/// Opens a package, makes the node's keys, and writes the answer.
///
/// # Errors
/// [`AdmissionError`]; keys that are there are never overwritten.
pub fn enrol(arguments: &EnrolArguments) -> Result<Enrolled, AdmissionError> {
    let sealed = files::read_bounded(&arguments.package, LONGEST_PACKAGE as u64)?;
    let package = match &arguments.identity {
        Some(path) => {
            let identity = read_identity(path)?
                .ok_or_else(|| AdmissionError::Identity(path.display().to_string()))?;
            Package::unpack(&sealed, &identity)?
        }
        None => {
            let passphrase = seal::find_secret(
                arguments.package_passphrase_file.as_deref(),
                "Passphrase of the package: ",
            )?;
            let identity = seal::passphrase_identity(&passphrase);
            Package::unpack(&sealed, &identity)?
        }
    };
    let Package { deployment, .. } = &package;
    files::private_folder(&arguments.out)?;
    let place = Place::of(&arguments.place)?;
    arguments
        .place
        .create(&arguments.out.join(KEYS), &deployment.name, None)?;
    let signer = own(&arguments.out)?;
    let fingerprint = signer.fingerprint();
    let answer = Answer::new(signer, &package)?;
    write_json(&arguments.out.join(DEPLOYMENT), deployment, PUBLIC)?;
    write_json(&arguments.out.join(PLACE), &place, PRIVATE)?;
    let path = arguments.out.join(ANSWER);
    write_json(&path, &answer, PUBLIC)?;
    Ok(Enrolled {
        name: deployment.name.clone(),
        deployment_fingerprint: deployment.fingerprint().to_string(),
        fingerprint: fingerprint.to_string(),
        answer: path,
    })
}

fn own(folder: &Path) -> Result<Signer, AdmissionError> {
    Ok(keys::read_public(&folder.join(KEYS))?.to_signer()?)
}

fn write_json(path: &Path, value: &impl Serialize, mode: u32) -> Result<(), FileError> {
    let json = serde_json::to_vec_pretty(value)
        .map_err(|error| FileError::new("write", path, &std::io::Error::other(error)))?;
    files::write_new(path, &json, mode)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    serde_json::from_slice(&files::read_bounded(path, 65_536)?)
        .map_err(|error| FileError::new("read", path, &std::io::Error::other(error)))
}

/// What [`admit`] needs to know.
#[derive(Clone, Debug, clap::Args)]
pub struct AdmitArguments {
    /// The node's folder, which `enrol` made.
    #[arg(long, value_name = "DIR")]
    pub folder: PathBuf,
    /// The signed authority file that lists this node.
    #[arg(long, value_name = "FILE")]
    pub authority: PathBuf,
    /// The first authority file, where the node is listed by a later one.
    #[arg(long, value_name = "FILE")]
    pub first_authority: Option<PathBuf>,
    /// The first authority's SHA-256 (hex) as you were told, to be compared.
    #[arg(long, value_name = "HEX")]
    pub authority_sha256: Option<String>,
    /// This node is attended: it signs only what you agree to by `bauta-signer approve`, as the signers of a root CA do.
    #[arg(long)]
    pub attended: bool,
    /// Do not ask before the configuration is written.
    #[arg(long)]
    pub yes: bool,
}

/// What a holder is asked to agree to.
#[derive(Clone, Debug, Serialize)]
pub struct Admission {
    /// SHA-256 of the first authority file: what the node will pin.
    pub authority_sha256: String,
    /// Trust domain.
    pub trust_domain: String,
    /// Signers, threshold, cosignatures.
    pub quorum: String,
    /// Administrators' keys.
    pub administrators: Vec<String>,
    /// How many of them decide.
    pub deciding: usize,
    /// Name and fingerprint of each signer.
    pub signers: Vec<(String, String)>,
    /// This node.
    pub name: String,
    /// Who keeps backups of this node's shares, and to whom they are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custodian: Option<(String, String)>,
}

impl Admission {
    /// In words, to be compared with what the others read.
    pub fn text(&self) -> String {
        let mut text = format!(
            "authority of {}\n  SHA-256 {}\n  {}\n  {} of these administrators decide:\n",
            self.trust_domain, self.authority_sha256, self.quorum, self.deciding
        );
        for key in &self.administrators {
            let _ = writeln!(text, "    {key}");
        }
        text.push_str("  signers:\n");
        for (name, fingerprint) in &self.signers {
            let own = if *name == self.name {
                "   this node"
            } else {
                ""
            };
            let _ = writeln!(text, "    {fingerprint}   {name}{own}");
        }
        if let Some((custodian, recipient)) = &self.custodian {
            let _ = writeln!(
                text,
                "  backups of this node's shares are for {custodian}\n    {recipient}"
            );
        }
        text
    }
}

/// Checks the authority for this node, and writes the node's configuration if `agrees` says yes to it.
///
/// # Errors
/// [`AdmissionError`]; a configuration that is there is never overwritten.
pub fn admit(
    arguments: &AdmitArguments,
    agrees: impl FnOnce(&Admission) -> bool,
) -> Result<Admission, AdmissionError> {
    let folder = &arguments.folder;
    let deployment: Deployment = read_json(&folder.join(DEPLOYMENT))?;
    let Place {
        passphrase_file,
        token,
    } = read_json(&folder.join(PLACE))?;
    let signer = own(folder)?;
    let (digest, authority) = read_authority(&arguments.authority)?;
    let pinned = match (&arguments.first_authority, authority.version) {
        (None, 1) => digest,
        (None, version) => {
            return Err(AdmissionError::First(
                arguments.authority.display().to_string(),
                version,
            ));
        }
        (Some(path), _) => {
            let (digest, first) = read_authority(path)?;
            if first.version != 1 {
                return Err(AdmissionError::First(
                    path.display().to_string(),
                    first.version,
                ));
            }
            same_ca(&first, &deployment)?;
            digest
        }
    };
    let found = HEXLOWER.encode(&pinned);
    if let Some(told) = &arguments.authority_sha256
        && !told.eq_ignore_ascii_case(&found)
    {
        return Err(AdmissionError::Digest {
            found,
            told: told.clone(),
        });
    }
    same_ca(&authority, &deployment)?;
    listed(&authority, &signer)?;
    let quorum = authority.quorum;
    let admission = Admission {
        authority_sha256: found.clone(),
        trust_domain: authority.trust_domain.clone(),
        quorum: format!(
            "{} signers, {} of them sign, {} cosign",
            quorum.n, quorum.t, quorum.q
        ),
        administrators: authority
            .administrators
            .keys
            .iter()
            .map(ToString::to_string)
            .collect(),
        deciding: authority.administrators.k,
        signers: authority
            .signers
            .iter()
            .map(|signer| (signer.name.clone(), signer.fingerprint().to_string()))
            .collect(),
        custodian: authority
            .custodian(&signer.name)
            .map(|one| (one.name.clone(), one.recipient.clone())),
        name: signer.name,
    };
    if !arguments.yes && !agrees(&admission) {
        return Err(AdmissionError::Declined);
    }
    let config = SignerConfig {
        data: PathBuf::from("."),
        keys: Some(PathBuf::from(KEYS)),
        coordinator: deployment.coordinator,
        coordinator_spki_sha256: HEXLOWER.encode(&deployment.coordinator_spki_sha256),
        log: deployment.log.to_string(),
        authority_sha256: found,
        mode: deployment.mode,
        passphrase_file,
        token,
        attended: arguments.attended,
    };
    write_json(&folder.join(CONFIG), &config, PRIVATE)?;
    Ok(admission)
}

/// Shows the admission on the terminal and asks.
pub fn ask(admission: &Admission) -> bool {
    eprint!(
        "{}Compare all of it with the others, by a way you trust. Is it right? Type yes: ",
        admission.text()
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).is_ok() && line.trim() == "yes"
}

/// An authority file with the signatures that it needs by its own word: all administrators' for the first, k for a later one.
fn read_authority(path: &Path) -> Result<(Digest, Authority), AdmissionError> {
    let bytes = files::read_bounded(path, bauta_statement::note::MAX_NOTE_BYTES as u64)?;
    let file = SignedFile::parse(&bytes).map_err(|reason| AdmissionError::Authority {
        path: path.display().to_string(),
        reason,
    })?;
    let Body::Authority(authority) = &file.body else {
        return Err(AdmissionError::NotAuthority(path.display().to_string()));
    };
    let administrators = &authority.administrators;
    let (needed, who) = if authority.version == 1 {
        (
            administrators.keys.len(),
            "all administrators that it names",
        )
    } else {
        (administrators.k, "k of the administrators that it names")
    };
    file.note
        .require(&administrators.keys, needed)
        .map_err(|reason| AdmissionError::Signatures {
            path: path.display().to_string(),
            who,
            reason,
        })?;
    Ok((file.digest(), (**authority).clone()))
}

fn same_ca(authority: &Authority, deployment: &Deployment) -> Result<(), AdmissionError> {
    use bauta_statement::file::authority::Mode as CaMode;
    if authority.trust_domain != deployment.trust_domain {
        return Err(AdmissionError::OtherCa("trust domain"));
    }
    if authority.log.key != deployment.log {
        return Err(AdmissionError::OtherCa("log key"));
    }
    let mode = match authority.mode {
        CaMode::Development => Mode::Development,
        CaMode::Production => Mode::Production,
    };
    if mode != deployment.mode {
        return Err(AdmissionError::OtherCa("mode"));
    }
    Ok(())
}

fn listed(authority: &Authority, own: &Signer) -> Result<(), AdmissionError> {
    let found = authority
        .signers
        .iter()
        .find(|signer| signer.name == own.name);
    if found == Some(own) {
        return Ok(());
    }
    Err(AdmissionError::NotListed {
        name: own.name.clone(),
        found: found.map_or_else(
            || "nothing".to_owned(),
            |signer| signer.fingerprint().to_string(),
        ),
        own: own.fingerprint(),
    })
}

#[cfg(test)]
mod tests;
