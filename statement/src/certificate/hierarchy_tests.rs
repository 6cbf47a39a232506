//! Roots, requests and certificates of other CAs: golden bytes, each refusal by name, and OpenSSL as an oracle.

use der::Encode;
use der::asn1::{Ia5String, OctetString};
use ed25519_dalek::{Signer as _, SigningKey};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, NameConstraints};

use super::ca::{distinguished_name, extensions, read_name};
use super::outside::{self, InstallError};
use super::request::{self, PossessionError};
use super::tests::{NOW, golden, openssl};
use super::*;
use crate::file::hierarchy::{
    Der, InstallCaCertificate, MAX_CERTIFICATE_BYTES, Purpose, RequestCaCertificate,
    SignSubordinateCa,
};
use crate::file::key_operation::{CaSubject, SignCaCertificate};
use crate::file::{FileError, Header, KeyOperation, Kind, parse_text, to_text};

const DAY: u64 = 86_400;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

/// The root's key is of seed 11, the issuing CA's of seed 3.
fn name(common_name: &str) -> CaSubject {
    CaSubject {
        country: Some("IT".into()),
        organization: Some("Example Organisation".into()),
        common_name: common_name.into(),
    }
}

fn root() -> SignCaCertificate {
    SignCaCertificate {
        key: "root-1".into(),
        group_key: public(11),
        subject: name("Bauta example root"),
        not_before: NOW - DAY,
        not_after: NOW + 20 * 365 * DAY,
        path_length: 1,
    }
}

fn asked() -> RequestCaCertificate {
    RequestCaCertificate {
        key: "2026".into(),
        group_key: public(3),
        subject: name("Bauta example CA"),
        path_length: 0,
    }
}

fn sign(document: &Document, seed: u8) -> Vec<u8> {
    let signature = key(seed).sign(document.as_bytes()).to_bytes();
    document.assemble(&signature).unwrap()
}

fn request_der() -> Vec<u8> {
    let info = request::info(&asked(), "example.org").unwrap();
    sign(&Document::Request(info), 3)
}

fn subordinate() -> SignSubordinateCa {
    SignSubordinateCa {
        key: "root-1".into(),
        group_key: public(11),
        issuer: root().subject,
        subject: asked().subject,
        subject_key: public(3),
        trust_domain: "example.org".into(),
        request: Der(request_der()),
        not_before: NOW,
        not_after: NOW + 5 * 365 * DAY,
        path_length: 0,
    }
}

fn text(operation: &KeyOperation) -> String {
    let header = Header {
        kind: Kind::KeyOperation,
        trust_domain: "example.org".into(),
        name: "one".into(),
        version: 1,
        expires: NOW,
    };
    to_text(&header, operation).unwrap()
}

/// Why a file with this operation is refused.
fn refusal(operation: &KeyOperation) -> Option<String> {
    match parse_text(&text(operation)) {
        Ok(_) => None,
        Err(FileError::KeyOperation(reason)) => Some(reason),
        Err(other) => panic!("{other}"),
    }
}

fn ordered(operation: KeyOperation) -> Document {
    Document::ordered(&operation, &[6; 32], "example.org")
        .unwrap()
        .unwrap()
}

#[test]
fn roots_requests_and_subordinates_are_the_golden_bytes() {
    let root = ordered(KeyOperation::SignCaCertificate(root()));
    golden("root", &sign(&root, 11));
    golden("request", &request_der());
    let subordinate = ordered(KeyOperation::SignSubordinateCa(subordinate()));
    golden("subordinate", &sign(&subordinate, 11));
}

#[test]
fn everything_in_the_order_matters_and_nothing_else() {
    let expected = ca::subordinate_tbs(&subordinate(), &[6; 32]).unwrap();
    let changes: [fn(&mut SignSubordinateCa); 8] = [
        |s| s.group_key = [1; 32],
        |s| s.issuer.organization = None,
        |s| s.subject.organization = None,
        |s| s.subject_key = [1; 32],
        |s| s.trust_domain = "example.com".into(),
        |s| s.not_before += 1,
        |s| s.not_after += 1,
        |s| s.path_length = 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut other = subordinate();
        change(&mut other);
        let other = ca::subordinate_tbs(&other, &[6; 32]).unwrap();
        assert_ne!(other, expected, "{number}");
    }
    let other = ca::subordinate_tbs(&subordinate(), &[7; 32]).unwrap();
    assert_ne!(other, expected, "the serial is of the file");
    // Of the request only the proof counts.
    let mut same = subordinate();
    same.request = Der(vec![]);
    assert_eq!(ca::subordinate_tbs(&same, &[6; 32]).unwrap(), expected);

    let expected = request::info(&asked(), "example.org").unwrap();
    let changes: [fn(&mut RequestCaCertificate); 3] = [
        |r| r.group_key = [1; 32],
        |r| r.subject.country = None,
        |r| r.path_length = 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut other = asked();
        change(&mut other);
        assert_ne!(
            request::info(&other, "example.org").unwrap(),
            expected,
            "{number}"
        );
    }
    assert_ne!(request::info(&asked(), "example.com").unwrap(), expected);
}

/// A request and a certificate have one outer form, so the bytes that are signed must be of one kind alone.
#[test]
fn what_is_signed_is_a_certificate_or_a_request_and_never_both() {
    let certificate = ordered(KeyOperation::SignSubordinateCa(subordinate()));
    let request = ordered(KeyOperation::RequestCaCertificate(asked()));
    for (document, shape) in [
        (&certificate, Shape::Certificate),
        (&request, Shape::Request),
    ] {
        assert_eq!(document.shape(), shape);
        assert_eq!(Shape::of(document.as_bytes()), Some(shape));
        let bytes = document.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Shape::of(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(Shape::of(&[bytes, &[0]].concat()), None);
        let mut set = bytes.to_vec();
        set[0] = 0x31;
        assert_eq!(Shape::of(&set), None);
        // Any other version, or any other first element.
        let first = if bytes[1] == 0x82 { 4 } else { 3 };
        for at in first..first + 3 {
            let mut other = bytes.to_vec();
            other[at] ^= 0x40;
            assert_eq!(Shape::of(&other), None, "{shape:?} {at}");
        }
    }
    assert_eq!(Shape::of(b"bauta/v1/authority\n"), None);
    assert_eq!(Shape::of(&[0x30, 0]), None);
    // Signed, neither is taken for the other.
    let request = request_der();
    assert!(OutsideCertificate::from_der(&request).is_err());
    assert!(crate::csr::Request::from_der(&sign(&certificate, 11)).is_err());
}

#[test]
fn nothing_is_signed_for_generations_and_installations() {
    let install = KeyOperation::InstallCaCertificate(install());
    assert_eq!(
        Document::ordered(&install, &[6; 32], "example.org"),
        Ok(None)
    );
}

#[test]
fn a_root_is_no_ca_of_leaves() {
    let made = ordered(KeyOperation::SignCaCertificate(root()));
    let refused = ProfileError::Root;
    assert_eq!(
        Ca::new(&root(), "example.org", 32_473),
        Err(refused.clone())
    );
    assert_eq!(Ca::from_certificate(&sign(&made, 11), 32_473), Err(refused));
    // A CA that a root certified is one, under the root's certificate as under its own.
    let made = ordered(KeyOperation::SignSubordinateCa(subordinate()));
    let of_root = Ca::from_certificate(&sign(&made, 11), 32_473).unwrap();
    assert_eq!(of_root.key, public(3));
    assert_eq!(of_root.trust_domain, "example.org");
    assert!(Purpose::Issuing.fits(0) && !Purpose::Issuing.fits(1));
    assert!(!Purpose::Root.fits(0) && Purpose::Root.fits(1) && !Purpose::Root.fits(5));
}

#[test]
fn a_subordinate_is_ordered_with_a_request_that_proves_possession() {
    let order = |change: fn(&mut SignSubordinateCa)| {
        let mut one = subordinate();
        change(&mut one);
        refusal(&KeyOperation::SignSubordinateCa(one))
    };
    assert_eq!(order(|_| ()), None);
    for (change, why) in [
        (
            (|s| s.key = "a b".into()) as fn(&mut SignSubordinateCa),
            "name is not allowed",
        ),
        (|s| s.issuer.country = Some("it".into()), "country"),
        (|s| s.subject.common_name.clear(), "common_name"),
        (|s| s.trust_domain = "Example".into(), "trust_domain"),
        (|s| s.subject_key = s.group_key, "does not certify itself"),
        (|s| s.issuer = s.subject.clone(), "the same name"),
        (|s| s.not_after = s.not_before, "not_before"),
        (|s| s.path_length = 4, "path_length"),
        (|s| s.subject_key = public(4), "for another key"),
        (|s| s.subject.organization = None, "another subject"),
        (|s| s.request = Der(vec![0x30, 0]), "not PKCS#10"),
        (|s| *s.request.0.last_mut().unwrap() ^= 1, "does not verify"),
    ] {
        let refused = order(change).unwrap_or_default();
        assert!(refused.contains(why), "{why:?} is not in {refused:?}");
    }
}

#[test]
fn a_request_is_read_back_and_proves_possession() {
    assert_eq!(
        request::read(&request_der()),
        Ok((asked().subject, public(3)))
    );
    // Signed by another key than the one that it names.
    let info = request::info(&asked(), "example.org").unwrap();
    let stolen = sign(&Document::Request(info), 4);
    assert_eq!(request::read(&stolen), Err(PossessionError::Signature));
    let outside = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../vectors/csr/p256.der"
    ));
    assert_eq!(
        request::read(&outside.unwrap()),
        Err(PossessionError::OtherKey)
    );
    // A name has one form.
    for subject in [
        name("Città"),
        CaSubject {
            country: None,
            organization: None,
            common_name: "x".into(),
        },
    ] {
        let der = distinguished_name(&subject).unwrap();
        assert_eq!(read_name(&der), Some(subject));
        let mut printable = der.clone();
        let at = printable.len() - 3;
        if printable[at] == 0x0c {
            printable[at] = 0x13;
            assert_eq!(read_name(&printable), None);
        }
    }
}

/// What an outside CA (of seed 12) says of the issuing key.
struct Outside {
    issuer: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    not_after: u64,
    extensions: Extensions,
}

fn outside_certificate(change: impl Fn(&mut Outside)) -> Vec<u8> {
    let mut says = Outside {
        issuer: distinguished_name(&name("Outside root")).unwrap(),
        subject: distinguished_name(&asked().subject).unwrap(),
        key: ed25519_spki(&public(3)).unwrap(),
        not_after: NOW + DAY,
        extensions: extensions(&public(3), 0, "example.org").unwrap(),
    };
    change(&mut says);
    let parts = Parts {
        serial: serial(&[9; 32]).unwrap(),
        issuer: &says.issuer,
        not_before: NOW,
        not_after: says.not_after,
        subject: &says.subject,
        key: &says.key,
        extensions: says.extensions,
    };
    let tbs = parts.into_tbs().unwrap();
    assemble(&tbs, &key(12).sign(tbs.as_bytes()).to_bytes()).unwrap()
}

fn install() -> InstallCaCertificate {
    InstallCaCertificate {
        key: "2026".into(),
        group_key: public(3),
        subject: asked().subject,
        certificate: Der(outside_certificate(|_| ())),
        chain: vec![],
    }
}

fn checked(certificate: &[u8]) -> Result<(), InstallError> {
    outside::check(certificate, &[], &asked().subject, &public(3)).map(drop)
}

#[test]
fn an_installed_certificate_is_one_that_chains_can_be_built_over() {
    assert_eq!(checked(&outside_certificate(|_| ())), Ok(()));
    let replaced = |oid, critical, value: &dyn Fn() -> OctetString| {
        outside_certificate(|parts| {
            parts.extensions.retain(|one| one.extn_id != oid);
            parts.extensions.push(Extension {
                extn_id: oid,
                critical,
                extn_value: value(),
            });
        })
    };
    let without = |oid| outside_certificate(|parts| parts.extensions.retain(|e| e.extn_id != oid));
    let wrap = |value: Vec<u8>| OctetString::new(value).unwrap();
    let not_a_ca = BasicConstraints {
        ca: false,
        path_len_constraint: None,
    };
    let constraints = |base: GeneralName| {
        let tree = GeneralSubtree {
            base,
            minimum: 0,
            maximum: None,
        };
        let constraints = NameConstraints {
            permitted_subtrees: Some(vec![tree]),
            excluded_subtrees: None,
        };
        constraints.to_der().unwrap()
    };
    let text = |text: &str| Ia5String::new(text).unwrap();
    let uri = constraints(GeneralName::UniformResourceIdentifier(text("example.org")));
    let dns = constraints(GeneralName::DnsName(text("example.org")));
    let client_only = ExtendedKeyUsage(vec![const_oid::db::rfc5912::ID_KP_CLIENT_AUTH]);
    let both = ExtendedKeyUsage(vec![
        const_oid::db::rfc5912::ID_KP_CLIENT_AUTH,
        const_oid::db::rfc5912::ID_KP_SERVER_AUTH,
    ]);
    let oid = |oid: &str| ObjectIdentifier::new(oid).unwrap();
    let other_spki = ed25519_spki(&public(4)).unwrap();
    let other_name = distinguished_name(&name("Another CA")).unwrap();
    let own_name = distinguished_name(&asked().subject).unwrap();
    for (what, certificate, expected) in [
        (
            "another key",
            outside_certificate(|parts| parts.key = other_spki.clone()),
            Err(InstallError::OtherKey),
        ),
        (
            "another subject",
            outside_certificate(|parts| parts.subject = other_name.clone()),
            Err(InstallError::OtherSubject),
        ),
        (
            "self-issued",
            outside_certificate(|parts| parts.issuer = own_name.clone()),
            Err(InstallError::SelfIssued),
        ),
        (
            "empty validity",
            outside_certificate(|parts| parts.not_after = NOW),
            Err(InstallError::Validity),
        ),
        (
            "no basicConstraints",
            without(rfc5280::ID_CE_BASIC_CONSTRAINTS),
            Err(InstallError::NotACa),
        ),
        (
            "CA:FALSE",
            replaced(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &|| {
                wrap(not_a_ca.to_der().unwrap())
            }),
            Err(InstallError::NotACa),
        ),
        (
            "no keyUsage",
            without(rfc5280::ID_CE_KEY_USAGE),
            Err(InstallError::KeyUsage),
        ),
        (
            "digitalSignature",
            replaced(rfc5280::ID_CE_KEY_USAGE, true, &|| {
                key_usage(0x80).unwrap().extn_value
            }),
            Err(InstallError::KeyUsage),
        ),
        (
            "another key identifier",
            replaced(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &|| {
                wrap(key_identifier(&public(4)).unwrap().to_der().unwrap())
            }),
            Err(InstallError::KeyIdentifier),
        ),
        (
            "no key identifier",
            without(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER),
            Ok(()),
        ),
        (
            "clientAuth alone",
            replaced(rfc5280::ID_CE_EXT_KEY_USAGE, false, &|| {
                wrap(client_only.to_der().unwrap())
            }),
            Err(InstallError::ExtendedKeyUsage),
        ),
        (
            "both uses",
            replaced(rfc5280::ID_CE_EXT_KEY_USAGE, true, &|| {
                wrap(both.to_der().unwrap())
            }),
            Ok(()),
        ),
        (
            "URI constraints",
            replaced(rfc5280::ID_CE_NAME_CONSTRAINTS, true, &|| wrap(uri.clone())),
            Err(InstallError::NameConstraints),
        ),
        (
            "DNS constraints",
            replaced(rfc5280::ID_CE_NAME_CONSTRAINTS, true, &|| wrap(dns.clone())),
            Ok(()),
        ),
        (
            "an unknown extension",
            replaced(oid("1.2.3.4"), false, &|| wrap(vec![5, 0])),
            Ok(()),
        ),
        (
            "an unknown critical extension",
            replaced(oid("1.2.3.4"), true, &|| wrap(vec![5, 0])),
            Err(InstallError::Critical("1.2.3.4".into())),
        ),
        (
            "an extension twice",
            outside_certificate(|parts| {
                let twice = parts.extensions[0].clone();
                parts.extensions.push(twice);
            }),
            Err(InstallError::Malformed("the certificate")),
        ),
    ] {
        assert_eq!(checked(&certificate), expected, "{what}");
        let mut file = install();
        file.certificate = Der(certificate);
        let refused = refusal(&KeyOperation::InstallCaCertificate(file));
        assert_eq!(
            refused,
            expected.err().map(|error| error.to_string()),
            "{what}"
        );
    }
    let good = outside_certificate(|_| ());
    for cut in 0..good.len() {
        assert!(checked(&good[..cut]).is_err(), "{cut}");
    }
    assert!(checked(&[&good[..], &[0]].concat()).is_err());
}

#[test]
fn a_chain_follows_and_is_short() {
    let above = |subject: &str, issuer: &str| {
        let (subject, issuer) = (
            distinguished_name(&name(subject)).unwrap(),
            distinguished_name(&name(issuer)).unwrap(),
        );
        Der(outside_certificate(|says| {
            (says.subject, says.issuer) = (subject.clone(), issuer.clone());
        }))
    };
    let file = |chain: Vec<Der>| {
        let mut file = install();
        file.chain = chain;
        refusal(&KeyOperation::InstallCaCertificate(file)).unwrap_or_default()
    };
    let (outside, top) = (above("Outside root", "Top"), above("Top", "Top"));
    assert_eq!(file(vec![outside.clone()]), "");
    assert_eq!(file(vec![outside.clone(), top.clone()]), "");
    assert!(file(vec![top.clone()]).contains("certificate 1 of the chain"));
    assert!(file(vec![outside.clone(), outside.clone()]).contains("certificate 2 of the chain"));
    assert!(file(vec![Der(vec![0x30, 0])]).contains("a certificate of the chain"));
    assert!(
        file(vec![outside, top.clone(), top.clone(), top.clone(), top]).contains("more than 4")
    );
}

#[test]
fn der_in_a_file_has_one_form_and_a_bound() {
    let read = |text: &str| serde_json::from_str::<Der>(&format!("\"{text}\""));
    assert_eq!(read("MAA=").unwrap(), Der(vec![0x30, 0]));
    assert!(read("MAA").is_err(), "no padding");
    assert!(read("MA==MAA=").is_err(), "two padded pieces");
    let long = data_encoding::BASE64.encode(&vec![0; MAX_CERTIFICATE_BYTES + 1]);
    assert!(read(&long).is_err());
}

/// OpenSSL makes a request's certificate, copying its extensions, and verifies leaf, subordinate and root.
#[test]
fn openssl_reads_requests_and_verifies_the_hierarchy() {
    let folder = std::env::temp_dir().join(format!("bauta-hierarchy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let request = ordered(KeyOperation::RequestCaCertificate(asked()));
    let pem = request.to_pem(&request_der());
    std::fs::write(path("request.pem"), &pem).unwrap();
    let Some(text) = openssl(&["req", "-text", "-noout", "-verify"], pem.as_bytes()) else {
        return;
    };
    for expected in [
        "Subject: C = IT, O = Example Organisation, CN = Bauta example CA",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "URI:spiffe://example.org",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let root = ordered(KeyOperation::SignCaCertificate(root()));
    let subordinate = ordered(KeyOperation::SignSubordinateCa(subordinate()));
    std::fs::write(path("root.pem"), root.to_pem(&sign(&root, 11))).unwrap();
    std::fs::write(path("sub.pem"), subordinate.to_pem(&sign(&subordinate, 11))).unwrap();
    let at = NOW.to_string();
    let verified = openssl(
        &[
            "verify",
            "-x509_strict",
            "-attime",
            &at,
            "-CAfile",
            &path("root.pem"),
            &path("sub.pem"),
        ],
        b"",
    )
    .unwrap();
    assert!(verified.contains("sub.pem: OK"), "{verified}");
    std::fs::remove_dir_all(&folder).unwrap();
}
