//! The demonstration organisation: an ordinary X.509 CA and two people with client certificates, made by rcgen as any
//! organisation's own PKI would have made them. Bauta changes nothing about it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};

use crate::files;

/// The organisation's name, in its certificates and in the example policy.
pub(super) const NAME: &str = "Example Organisation";

/// A person with a client certificate.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) department: &'static str,
    pub(super) level: &'static str,
    pub(super) email: &'static str,
    rsa: bool,
}

/// Two people who meet the example policy, each by another branch of its any-of group.
pub(super) const PEOPLE: [Person; 2] = [
    Person {
        name: "Ada",
        department: "Research",
        level: "3",
        email: "ada@example.org",
        rsa: false,
    },
    Person {
        name: "Grace",
        department: "Operations",
        level: "7",
        email: "grace@example.org",
        rsa: true,
    },
];

impl Person {
    pub(super) fn certificate(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.pem", self.name.to_lowercase()))
    }

    pub(super) fn key(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.key", self.name.to_lowercase()))
    }

    pub(super) fn key_type(&self) -> &'static str {
        if self.rsa { "RSA-2048" } else { "P-256" }
    }
}

/// The organisation's CA certificate in its folder.
pub(super) fn ca_certificate(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// Makes the CA and the client certificates, unless they are there: the CA's certificate is written last.
pub(super) fn make(folder: &Path) -> anyhow::Result<()> {
    if ca_certificate(folder).exists() {
        return Ok(());
    }
    files::private_folder(folder)?;
    let ca_key =
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).context("organisation's CA key")?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name = name("Example Organisation People CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate_pem = ca
        .self_signed(&ca_key)
        .context("organisation's CA certificate")?
        .pem();
    let issuer = Issuer::new(ca, ca_key);
    for (number, person) in (1_u64..).zip(PEOPLE.iter()) {
        let algorithm = if person.rsa {
            &rcgen::PKCS_RSA_SHA256
        } else {
            &rcgen::PKCS_ECDSA_P256_SHA256
        };
        let key =
            KeyPair::generate_for(algorithm).with_context(|| format!("{}'s key", person.name))?;
        let certificate = client(person, number)
            .signed_by(&key, &issuer)
            .with_context(|| format!("{}'s certificate", person.name))?;
        files::write_secret(&person.key(folder), key.serialize_pem().as_bytes())?;
        files::write(&person.certificate(folder), certificate.pem().as_bytes())?;
    }
    files::write(&ca_certificate(folder), ca_certificate_pem.as_bytes())
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(
        DnType::CountryName,
        DnValue::PrintableString("FR".try_into().expect("two letters")),
    );
    name.push(DnType::OrganizationName, NAME);
    name.push(DnType::CommonName, common);
    name
}

fn client(person: &Person, number: u64) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut subject = name(person.name);
    subject.push(DnType::OrganizationalUnitName, person.department);
    subject.push(DnType::CustomDnType(vec![2, 5, 4, 12]), person.level); // title: the pay level
    parameters.distinguished_name = subject;
    parameters.serial_number = Some(SerialNumber::from(1000 + number));
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if let Ok(email) = person.email.try_into() {
        parameters.subject_alt_names = vec![SanType::Rfc822Name(email)];
    }
    parameters.use_authority_key_identifier_extension = true;
    parameters
}
