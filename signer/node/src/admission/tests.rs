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
