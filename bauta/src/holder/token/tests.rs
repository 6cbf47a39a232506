//! Against SoftHSM2, with the holder's key of `vectors/x509_rsa`. A module finds its token by a variable of its process, and to
//! change one's own is unsafe code: so each thing is done in a process of its own, which is this program started once more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use bauta_statement::rsa_key::POSSESSION_MESSAGE;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, CertificateType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::TokenKey;
use crate::holder::possession::{Identity, tests::authority};

/// Debian's path of SoftHSM2's module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const LABEL: &str = "Ada's card";
const PIN: &str = "7316049582";
/// The id of the key that is imported.
const ID: &str = "%0A%01";
/// Names the steps for [`perform`].
const STEPS: &str = "BAUTA_TEST_TOKEN_STEPS";
/// What [`perform`] prints before an outcome.
const OUTCOME: &str = "outcome: ";
/// Within the certificates' validity.
const NOW: u64 = 1_800_000_000;

/// What is done in a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Step {
    /// The key that the next steps use.
    Key(String),
    Sign,
    Certificate,
    /// What `bauta prepare` does with --x509 and --key: the certificate is accepted as its CA's, and the signature made.
    Prepare(String, String),
    /// Puts another PIN into the file, or takes it away.
    Pin(PathBuf, Option<String>),
    /// Makes a key pair in the token.
    Generate {
        label: String,
        id: u8,
        kind: Kind,
    },
    /// Puts a certificate into the token.
    Store {
        label: String,
        id: Vec<u8>,
        der: Vec<u8>,
        private: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Rsa {
        bits: u64,
    },
    /// CKA_SIGN is false.
    MayNotSign,
    AlwaysAuthenticate,
    P256,
}

type Outcome = Result<Option<Vec<u8>>, String>;

/// The other half of [`Card::perform`]; started otherwise, it has nothing to do.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn perform() {
    let Ok(steps) = std::env::var(STEPS) else {
        return;
    };
    let steps: Vec<Step> = serde_json::from_str(&steps).unwrap();
    let mut key = None;
    for step in steps {
        let used = || key.as_ref().expect("a key is named first");
        let outcome: anyhow::Result<Option<Vec<u8>>> = match step {
            Step::Key(uri) => {
                key = Some(TokenKey::parse(&uri).unwrap());
                continue;
            }
            Step::Sign => used()
                .sign(POSSESSION_MESSAGE)
                .map(|signature| Some(signature.to_vec())),
            Step::Certificate => used().certificate(),
            Step::Prepare(certificate, key) => prepare(&certificate, &key),
            Step::Pin(path, Some(pin)) => {
                write_pin(&path, &pin);
                continue;
            }
            Step::Pin(path, None) => {
                fs::remove_file(path).unwrap();
                continue;
            }
            other => {
                administer(other);
                continue;
            }
        };
        let outcome: Outcome = outcome.map_err(|error| error.to_string());
        println!("\n{OUTCOME}{}", serde_json::to_string(&outcome).unwrap());
    }
}

fn prepare(certificate: &str, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let identity = Identity::load(certificate, key, NOW)?;
    let credential = identity.credential(&[authority("acme", "ca.pem")])?;
    assert_eq!(credential.certificate(), self::certificate());
    Ok(Some(identity.sign()?.to_vec()))
}

fn administer(step: Step) {
    let library = Pkcs11::new(MODULE).unwrap();
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = library.get_slots_with_initialized_token().unwrap()[0];
    let session = library.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::from(PIN)))
        .unwrap();
    match step {
        Step::Generate { label, id, kind } => {
            let named = [
                Attribute::Token(true),
                Attribute::Label(label.into_bytes()),
                Attribute::Id(vec![id]),
            ];
            let bits = match kind {
                Kind::Rsa { bits } => bits,
                _ => 2048,
            };
            let (mechanism, of_kind) = if kind == Kind::P256 {
                // The curve's object identifier.
                let curve = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
                (Mechanism::EccKeyPairGen, vec![Attribute::EcParams(curve)])
            } else {
                let of_kind = vec![
                    Attribute::ModulusBits(bits.into()),
                    Attribute::PublicExponent(vec![1, 0, 1]),
                ];
                (Mechanism::RsaPkcsKeyPairGen, of_kind)
            };
            let public = [&named[..], &of_kind].concat();
            let private = [
                &named[..],
                &[
                    Attribute::Private(true),
                    Attribute::Sensitive(true),
                    Attribute::Sign(kind != Kind::MayNotSign),
                    Attribute::AlwaysAuthenticate(kind == Kind::AlwaysAuthenticate),
                ],
            ]
            .concat();
            session
                .generate_key_pair(&mechanism, &public, &private)
                .unwrap();
        }
        Step::Store {
            label,
            id,
            der,
            private,
        } => {
            session
                .create_object(&[
                    Attribute::Class(ObjectClass::CERTIFICATE),
                    Attribute::CertificateType(CertificateType::X_509),
                    Attribute::Token(true),
                    Attribute::Private(private),
                    Attribute::Label(label.into_bytes()),
                    Attribute::Id(id),
                    Attribute::Subject(vec![0x30, 0]),
                    Attribute::Value(der),
                ])
                .unwrap();
        }
        other => panic!("{other:?} is not administration"),
    }
    drop(session);
    library.finalize().unwrap();
}

fn write_pin(path: &Path, pin: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, format!("{pin}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors/x509_rsa")
        .join(name)
}

fn certificate() -> Vec<u8> {
    CertificateDer::from_pem_file(vector("openssl.pem"))
        .unwrap()
        .to_vec()
}

/// What the key in the file signs: signatures of this kind are the same whoever makes them.
fn expected() -> Vec<u8> {
    let key = PrivatePkcs8KeyDer::from_pem_file(vector("client.key")).unwrap();
    let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        POSSESSION_MESSAGE,
        &mut signature,
    )
    .unwrap();
    signature
}

/// A card in a temporary folder.
struct Card(TempDir);

impl Card {
    /// With the holder's key, called "auth".
    fn new() -> Self {
        let card = Self::blank();
        card.import("auth", "0a01");
        card
    }

    fn blank() -> Self {
        let card = Self(tempfile::tempdir().unwrap());
        fs::create_dir(card.0.path().join("tokens")).unwrap();
        card.without(&[]);
        card.initialise();
        write_pin(&card.pin(), PIN);
        card
    }

    fn without(&self, mechanisms: &[&str]) {
        let mut text = format!(
            "directories.tokendir = {}\n",
            self.0.path().join("tokens").display()
        );
        if !mechanisms.is_empty() {
            // SoftHSM2 2.6.1 does not heed the first of a list.
            let list = mechanisms.join(",");
            text.push_str(&format!("slots.mechanisms = -CKM_MD5,{list}\n"));
        }
        fs::write(self.conf(), text).unwrap();
    }

    fn initialise(&self) {
        self.softhsm2(&[
            "--init-token",
            "--free",
            "--label",
            LABEL,
            "--so-pin",
            "00000000",
            "--pin",
            PIN,
        ]);
    }

    fn import(&self, label: &str, id: &str) {
        let key = vector("client.key").display().to_string();
        self.softhsm2(&[
            "--import", &key, "--token", LABEL, "--label", label, "--id", id, "--pin", PIN,
        ]);
    }

    fn softhsm2(&self, arguments: &[&str]) {
        let output = Command::new("softhsm2-util")
            .args(arguments)
            .env("SOFTHSM2_CONF", self.conf())
            .output()
            .expect("softhsm2-util: apt install softhsm2");
        assert!(output.status.success(), "{output:?}");
    }

    fn conf(&self) -> PathBuf {
        self.0.path().join("softhsm2.conf")
    }

    fn pin(&self) -> PathBuf {
        self.0.path().join("pin")
    }

    /// A URI with this path, and the PIN's file.
    fn uri(&self, path: &str) -> String {
        format!(
            "pkcs11:{path}?module-path={MODULE}&pin-source=file:{}",
            self.pin().display()
        )
    }

    /// A URI with this path, and no PIN: the process that uses it has no terminal.
    fn without_pin(path: &str) -> String {
        format!("pkcs11:{path}?module-path={MODULE}")
    }

    #[track_caller]
    fn perform(&self, steps: &[Step]) -> Vec<Outcome> {
        // In a session of its own it has no terminal: a PIN that is asked for is an error, not a test that waits.
        let mut command = Command::new("setsid");
        command
            .arg("--wait")
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("holder::token::tests::perform")
            .env(STEPS, serde_json::to_string(steps).unwrap())
            .env("SOFTHSM2_CONF", self.conf());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{steps:?}: {output:?}"
        );
        said.lines()
            .filter_map(|line| line.strip_prefix(OUTCOME))
            .map(|json| serde_json::from_str(json).unwrap())
            .collect()
    }

    #[track_caller]
    fn one(&self, uri: &str, step: Step) -> Outcome {
        let mut outcomes = self.perform(&[Step::Key(uri.to_owned()), step]);
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    #[track_caller]
    fn sign(&self, path: &str) -> Outcome {
        self.one(&self.uri(path), Step::Sign)
    }

    #[track_caller]
    fn certificate(&self, uri: &str) -> Outcome {
        self.one(uri, Step::Certificate)
    }

    fn generate(&self, label: &str, id: u8, kind: Kind) {
        let label = label.to_owned();
        self.perform(&[Step::Generate { label, id, kind }]);
    }

    fn store(&self, label: &str, id: &[u8], private: bool) {
        self.perform(&[Step::Store {
            label: label.to_owned(),
            id: id.to_vec(),
            der: certificate(),
            private,
        }]);
    }
}

#[track_caller]
fn said(outcome: Outcome, words: &[&str]) {
    let error = outcome.expect_err("refused");
    for words in words {
        assert!(error.contains(words), "no {words:?} in: {error}");
    }
}

#[test]
fn the_key_on_the_card_signs_as_the_key_in_the_file_does() {
    let card = Card::new();
    for path in [
        "token=Ada's%20card;object=auth;type=private",
        "object=auth",
        "id=%0a%01",
        "model=SoftHSM%20v2;manufacturer=SoftHSM%20project",
    ] {
        assert_eq!(card.sign(path), Ok(Some(expected())), "{path}");
    }
    // Each time the module is let go of: it would not start a second time otherwise.
    let twice = card.perform(&[Step::Key(card.uri("")), Step::Sign, Step::Sign]);
    assert_eq!(twice, vec![Ok(Some(expected())); 2]);
}

/// A certificate in a file with its key on the card; both on the card, by one URI and by two.
#[test]
fn a_card_is_prepared_with() {
    let card = Card::new();
    let key = card.uri("object=auth");
    let file = vector("openssl.pem").display().to_string();
    let prepare = |certificate: &str| {
        let step = Step::Prepare(certificate.to_owned(), key.clone());
        card.perform(&[step]).remove(0)
    };
    assert_eq!(prepare(&file), Ok(Some(expected())));
    said(prepare(&key), &["no certificate beside the key", "--x509"]);
    card.store("certificate", &[0x0a, 1], false);
    assert_eq!(prepare(&key), Ok(Some(expected())));
    let named = Card::without_pin("type=cert;object=certificate");
    assert_eq!(prepare(&named), Ok(Some(expected())));
    // The other way round there is nothing to be had.
    let key_file = vector("client.key").display().to_string();
    let outcome = card.perform(&[Step::Prepare(named, key_file)]).remove(0);
    said(outcome, &["the key on the token", "the certificate's file"]);
}

#[test]
fn a_uri_is_told_from_a_file() {
    for uri in ["pkcs11:object=auth", "PKCS11:"] {
        assert!(TokenKey::is_uri(uri), "{uri}");
    }
    for file in ["client.key", "pkcs11", "./pkcs11:object=auth", ""] {
        assert!(!TokenKey::is_uri(file), "{file}");
    }
    // What is wrong with one is said before a card is touched.
    let error = TokenKey::parse("pkcs11:object=auth").unwrap_err();
    assert!(error.to_string().contains("module-path=FILE"), "{error}");
}

#[test]
fn a_card_that_does_not_hash_signs_the_same() {
    let card = Card::new();
    card.without(&["CKM_SHA256_RSA_PKCS"]);
    assert_eq!(card.sign("object=auth"), Ok(Some(expected())));
    card.without(&["CKM_SHA256_RSA_PKCS", "CKM_RSA_PKCS"]);
    said(card.sign("object=auth"), &["CKM_RSA_PKCS", "Ada's card"]);
}

#[test]
fn the_certificate_is_read_back() {
    let card = Card::new();
    assert_eq!(card.certificate(&card.uri("object=auth")), Ok(None));
    card.store("certificate", &[0x0a, 1], false);
    card.store("another's", &[0x0a, 2], false);
    let found = Ok(Some(certificate()));
    assert_eq!(card.certificate(&card.uri("object=auth")), found);
    // Nobody is asked for a PIN where the card shows it to anyone.
    for path in [&format!("id={ID}"), "type=cert;object=certificate"] {
        assert_eq!(card.certificate(&Card::without_pin(path)), found, "{path}");
    }
    said(
        card.certificate(&card.uri("type=cert;object=none")),
        &["no certificate", "object=certificate;id=%0A%01"],
    );
    said(
        card.certificate(&card.uri("type=cert")),
        &["2 certificates", "object=another%27s;id=%0A%02"],
    );
    said(card.sign("type=cert;object=certificate"), &["type=private"]);
}

#[test]
fn a_certificate_that_only_the_holder_sees_is_found_with_the_pin() {
    let card = Card::new();
    card.store("certificate", &[0x0a, 1], true);
    let path = format!("id={ID}");
    assert_eq!(card.certificate(&card.uri(&path)), Ok(Some(certificate())));
    said(
        card.certificate(&Card::without_pin(&path)),
        &["&pin-source=file:FILE"],
    );
}

#[test]
fn the_pin_is_asked_for_once() {
    let card = Card::new();
    card.store("certificate", &[0x0a, 1], false);
    let outcomes = card.perform(&[
        Step::Key(card.uri("object=auth")),
        Step::Certificate,
        Step::Pin(card.pin(), None),
        Step::Sign,
    ]);
    assert_eq!(outcomes, [Ok(Some(certificate())), Ok(Some(expected()))]);
}

#[test]
fn a_wrong_pin_is_the_only_one_that_is_tried() {
    let card = Card::new();
    write_pin(&card.pin(), "00000000");
    let outcomes = card.perform(&[
        Step::Key(card.uri("object=auth")),
        Step::Sign,
        Step::Pin(card.pin(), Some(PIN.to_owned())),
        Step::Sign,
        Step::Certificate,
    ]);
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        said(outcome, &["refused the PIN", "Ada's card"]);
    }
    // The right one now, but the card says that one failed: it could be a file's that fails again and again.
    said(
        card.sign("object=auth"),
        &["failed since the last login", "leave pin-source out"],
    );
    let fresh = Card::new();
    fs::set_permissions(fresh.pin(), fs::Permissions::from_mode(0o644)).unwrap();
    said(fresh.sign("object=auth"), &["chmod 600"]);
    said(
        fresh.one(&Card::without_pin("object=auth"), Step::Sign),
        &["terminal"],
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let card = Card::new();
    said(
        card.sign("object=signature"),
        &["no private key", "object=auth;id=%0A%01"],
    );
    said(
        card.sign("token=Ada"),
        &["\"Ada\"", "Ada's card", "token=Ada%27s%20card;serial="],
    );
    said(card.sign("slot-id=4000000000"), &["slot 4000000000"]);
    let with_module = |module: &str| card.one(&format!("pkcs11:?module-path={module}"), Step::Sign);
    said(with_module("/nowhere/module.so"), &["/nowhere/module.so"]);
    said(with_module("/usr/lib"), &["it is no file"]);
    said(
        with_module(&card.pin().display().to_string()),
        &["no PKCS#11 module"],
    );
    said(Card::blank().sign(""), &["it shows none at all"]);
}

#[test]
fn what_fits_twice_is_refused_with_what_tells_them_apart() {
    let card = Card::new();
    card.generate("auth", 7, Kind::Rsa { bits: 2048 });
    said(
        card.sign("object=auth"),
        &["2 private keys", "id=%0A%01", "id=%07"],
    );
    assert_eq!(
        card.sign(&format!("object=auth;id={ID}")),
        Ok(Some(expected()))
    );
    card.initialise();
    said(
        card.sign("object=auth"),
        &["2 tokens", "serial=", "slot-id="],
    );
}

#[test]
fn a_key_that_will_not_do_is_told_from_one_that_will() {
    let card = Card::blank();
    card.generate("curve", 1, Kind::P256);
    card.generate("small", 2, Kind::Rsa { bits: 1024 });
    card.generate("decrypts", 3, Kind::MayNotSign);
    said(card.sign("object=curve"), &["no RSA key", "id=%01"]);
    said(card.sign("object=small"), &["RSA-2048", "id=%02"]);
    said(card.sign("object=decrypts"), &["may not sign", "id=%03"]);
}

#[test]
fn a_key_that_asks_for_the_pin_each_time_gets_it() {
    let card = Card::blank();
    card.generate("signature", 1, Kind::AlwaysAuthenticate);
    // It was verified with the key's own public key.
    let signature = card.sign("object=signature").unwrap().unwrap();
    assert_eq!(signature.len(), 256);
    // SoftHSM2 takes the data of CKM_RSA_PKCS in one part only, before which no PIN can be given by cryptoki.
    card.without(&["CKM_SHA256_RSA_PKCS"]);
    said(card.sign("object=signature"), &["CKM_SHA256_RSA_PKCS"]);
}
