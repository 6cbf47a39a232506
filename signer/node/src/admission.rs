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
mod tests {
    use bauta_statement::{
        file::authority::{Administrators, LogIdentity, Mode as CaMode, Quorum},
        note::{self, NoteSigner},
    };
    use rand::rngs::OsRng;

    use super::*;
    use crate::enrolment::EnrolmentToken;

    /// A founder with one log, three administrators and the other two signers; a holder with an enrolled node.
    struct Founding {
        folder: tempfile::TempDir,
        log: NoteSigner,
        administrators: Vec<NoteSigner>,
        authority: Authority,
    }

    fn sealed_by(passphrase_file: PathBuf) -> KeyPlace {
        KeyPlace {
            passphrase_file: Some(passphrase_file),
            ..KeyPlace::default()
        }
    }

    fn note_signer(name: &str) -> NoteSigner {
        NoteSigner::generate(&mut OsRng, name).unwrap()
    }

    fn stranger(name: &str) -> Signer {
        let folder = tempfile::tempdir().unwrap();
        let seal = crate::seal::PassphraseSeal::new("p", 2);
        keys::create(&folder.path().join("k"), name, &seal, &mut OsRng)
            .unwrap()
            .to_signer()
            .unwrap()
    }

    impl Founding {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let log = note_signer("example.org/bauta");
            let package = Package {
                deployment: Deployment {
                    name: "signer-1".into(),
                    trust_domain: "example.org".into(),
                    mode: Mode::Development,
                    coordinator: "127.0.0.1:7443".into(),
                    coordinator_spki_sha256: [7; 32],
                    log: log.verifier(),
                    expires: 2_000_000_000,
                },
                token: EnrolmentToken::generate(&mut OsRng),
            };
            let identity = age::x25519::Identity::generate();
            let sealed = package.pack(&identity.to_public(), "").unwrap();
            files::write_new(&at("package"), &sealed, PRIVATE).unwrap();
            use age::secrecy::ExposeSecret as _;
            let secret = identity.to_string();
            files::write_new(&at("identity"), secret.expose_secret().as_bytes(), PRIVATE).unwrap();
            files::write_new(&at("passphrase"), b"sealed\n", PRIVATE).unwrap();
            let enrolled = enrol(&EnrolArguments {
                package: at("package"),
                identity: Some(at("identity")),
                package_passphrase_file: None,
                out: at("node"),
                place: sealed_by(at("passphrase")),
            })
            .unwrap();
            let answer: Answer =
                serde_json::from_slice(&files::read(&enrolled.answer).unwrap()).unwrap();
            let signer = answer.accept(&package, 1).unwrap();
            assert_eq!(enrolled.fingerprint, signer.fingerprint().to_string());
            assert_eq!(
                enrolled.deployment_fingerprint,
                package.deployment.fingerprint().to_string()
            );
            let administrators: Vec<_> = ["one", "two", "three"].map(note_signer).into();
            let authority = Authority {
                trust_domain: "example.org".into(),
                version: 1,
                expires: 2_000_000_000,
                ca_name: "Example CA".into(),
                mode: CaMode::Development,
                enterprise_number: 32_473,
                epoch_seconds: 3600,
                log: LogIdentity {
                    origin: "example.org/bauta".into(),
                    key: log.verifier(),
                },
                administrators: Administrators {
                    k: 2,
                    keys: administrators.iter().map(NoteSigner::verifier).collect(),
                },
                signers: vec![signer, stranger("signer-2"), stranger("signer-3")],
                quorum: Quorum {
                    n: 3,
                    t: 2,
                    q: 3,
                    f: 1,
                    c: 0,
                },
                custodians: Vec::new(),
                ca_keys: vec![],
            };
            Self {
                folder,
                log,
                administrators,
                authority,
            }
        }

        fn admit(
            &self,
            authority: &Authority,
            signed_by: usize,
            change: impl FnOnce(&mut AdmitArguments),
        ) -> Result<Admission, AdmissionError> {
            let path = self.write("authority", authority, signed_by);
            let mut arguments = AdmitArguments {
                folder: self.folder.path().join("node"),
                authority: path,
                first_authority: None,
                authority_sha256: None,
                attended: false,
                yes: true,
            };
            change(&mut arguments);
            admit(&arguments, |_| false)
        }

        fn write(&self, name: &str, authority: &Authority, signed_by: usize) -> PathBuf {
            let signers: Vec<_> = self.administrators.iter().take(signed_by).collect();
            let note = note::sign(&authority.to_text().unwrap(), &signers).unwrap();
            let path = self.folder.path().join(name);
            std::fs::write(&path, note).unwrap();
            path
        }

        fn config(&self) -> PathBuf {
            self.folder.path().join("node").join(CONFIG)
        }
    }

    #[test]
    fn a_holder_is_told_who_keeps_the_backups() {
        let founding = Founding::new();
        let node = founding.authority.signers[0].name.clone();
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let mut authority = founding.authority.clone();
        let without = founding.admit(&authority, 3, |_| {}).unwrap();
        assert!(!without.text().contains("backups"), "{}", without.text());
        std::fs::remove_file(founding.config()).unwrap();
        authority.custodians = vec![bauta_statement::file::custody::Custodian {
            name: "paris".into(),
            recipient: recipient.clone(),
            signers: vec![node],
        }];
        let text = founding.admit(&authority, 3, |_| {}).unwrap().text();
        assert!(
            text.contains("for paris") && text.contains(&recipient),
            "{text}"
        );
    }

    #[test]
    fn a_node_is_admitted_by_the_authority_that_lists_it_and_pins_the_first_one() {
        let founding = Founding::new();
        let admission = founding.admit(&founding.authority, 3, |_| {}).unwrap();
        let config = SignerConfig::read(&founding.config()).unwrap();
        assert_eq!(config.authority_sha256, admission.authority_sha256);
        let checked = config.check().unwrap();
        assert_eq!(checked.pin, [7; 32]);
        assert_eq!(checked.log.to_string(), founding.log.verifier().to_string());
        assert_eq!(checked.keys, founding.folder.path().join("node/keys"));
        // Nothing is written over.
        assert!(matches!(
            founding.admit(&founding.authority, 3, |_| {}),
            Err(AdmissionError::File(_))
        ));
    }

    #[test]
    fn nothing_is_written_for_an_authority_of_others_or_with_other_keys() {
        let founding = Founding::new();
        let authority = || founding.authority.clone();
        let with = |change: &dyn Fn(&mut Authority)| {
            let mut changed = authority();
            change(&mut changed);
            changed
        };
        // Two of three administrators do for a later authority, not for the first.
        let unsigned = founding.admit(&authority(), 2, |_| {});
        assert!(matches!(unsigned, Err(AdmissionError::Signatures { .. })));
        let other_log = note_signer("example.org/bauta").verifier();
        for (changed, what) in [
            (
                with(&|a| a.trust_domain = "example.net".into()),
                "trust domain",
            ),
            (with(&|a| a.log.key = other_log.clone()), "log key"),
            (
                with(&|a| {
                    a.mode = CaMode::Production;
                    a.enterprise_number = 99;
                }),
                "mode",
            ),
        ] {
            let refusal = founding.admit(&changed, 3, |_| {}).unwrap_err();
            assert!(
                matches!(refusal, AdmissionError::OtherCa(found) if found == what),
                "{refusal}"
            );
        }
        for changed in [
            with(&|a| a.signers[0] = stranger("signer-1")),
            with(&|a| a.signers[0] = stranger("signer-4")),
            with(&|a| a.signers[0].tls = [9; 32]),
        ] {
            assert!(matches!(
                founding.admit(&changed, 3, |_| {}),
                Err(AdmissionError::NotListed { .. })
            ));
        }
        let other = founding.admit(&authority(), 3, |arguments| {
            arguments.authority_sha256 = Some("00".repeat(32));
        });
        assert!(matches!(other, Err(AdmissionError::Digest { .. })));
        let declined = founding.admit(&authority(), 3, |arguments| arguments.yes = false);
        assert!(matches!(declined, Err(AdmissionError::Declined)));
        assert!(!founding.config().exists());
    }

    #[test]
    fn a_node_of_a_later_authority_pins_the_first() {
        let founding = Founding::new();
        let mut first = founding.authority.clone();
        first.signers[0] = stranger("signer-9");
        let later = Authority {
            version: 2,
            ..founding.authority.clone()
        };
        let first_path = founding.write("first", &first, 3);
        assert!(matches!(
            founding.admit(&later, 2, |_| {}),
            Err(AdmissionError::First(_, 2))
        ));
        let again = founding.write("again", &later, 3);
        assert!(matches!(
            founding.admit(&later, 2, |arguments| arguments.first_authority =
                Some(again)),
            Err(AdmissionError::First(_, 2))
        ));
        let admission = founding
            .admit(&later, 2, |arguments| {
                arguments.first_authority = Some(first_path.clone());
            })
            .unwrap();
        let (digest, _) = read_authority(&first_path).unwrap();
        assert_eq!(admission.authority_sha256, HEXLOWER.encode(&digest));
    }

    #[test]
    fn an_identity_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let founding = Founding::new();
        let at = |name: &str| founding.folder.path().join(name);
        std::fs::set_permissions(at("identity"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let refusal = enrol(&EnrolArguments {
            package: at("package"),
            identity: Some(at("identity")),
            package_passphrase_file: None,
            out: at("other"),
            place: sealed_by(at("passphrase")),
        })
        .unwrap_err();
        assert!(refusal.to_string().contains("chmod 600"), "{refusal}");
        assert!(!at("other").exists());
    }
}
