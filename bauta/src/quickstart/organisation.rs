//! The demonstration's organisations: an ordinary X.509 CA and people with client certificates, made by rcgen as any
//! organisation's own PKI would have made them. Bauta changes nothing about it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};

use crate::{clock, files};

/// The organisation's name, in its certificates and in the example policy.
pub(super) const NAME: &str = "Example Organisation";
const DAY: u64 = 86_400;

/// An organisation's PKI.
pub(super) struct Organisation {
    /// Whether its CA has an RSA-2048 key; else P-256.
    rsa: bool,
    /// People who meet the example policy.
    pub(super) people: &'static [Person],
    /// Those whose certificates the CA has revoked, and who would meet it otherwise.
    pub(super) revoked: &'static [Person],
}

/// A person with a client certificate.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) department: &'static str,
    pub(super) level: &'static str,
    pub(super) email: &'static str,
    pub(super) serial: u64,
    rsa: bool,
}

/// An organisation with an enrolment desk, and two people who meet its policy, each by another branch of its any-of group. A desk takes
/// any CA and any key.
pub(super) const AT_A_DESK: Organisation = Organisation {
    rsa: false,
    people: &[
        Person {
            name: "Ada",
            department: "Research",
            level: "3",
            email: "ada@example.org",
            serial: 1001,
            rsa: false,
        },
        Person {
            name: "Grace",
            department: "Operations",
            level: "7",
            email: "grace@example.org",
            serial: 1002,
            rsa: true,
        },
    ],
    revoked: &[],
};

/// An organisation that knows nothing of Bauta. Its CA and its people have RSA-2048 keys, as the relation takes them.
pub(super) const IN_THE_FIELD: Organisation = Organisation {
    rsa: true,
    people: &[Person {
        name: "Ada",
        department: "Research",
        level: "3",
        email: "ada@example.org",
        serial: 1001,
        rsa: true,
    }],
    revoked: &[Person {
        name: "Barbara",
        department: "Research",
        level: "4",
        email: "barbara@example.org",
        serial: 1002,
        rsa: true,
    }],
};

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

/// Its key, with which it signs CRLs.
pub(super) fn ca_key(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

impl Organisation {
    /// Makes the CA and the client certificates, unless they are there: the CA's certificate is written last.
    pub(super) fn make(&self, folder: &Path) -> anyhow::Result<()> {
        if ca_certificate(folder).exists() {
            return Ok(());
        }
        files::private_folder(folder)?;
        let key = new_key(self.rsa).context("organisation's CA key")?;
        files::write_secret(&ca_key(folder), key.serialize_pem().as_bytes())?;
        let mut ca = CertificateParams::default();
        ca.distinguished_name = name("Example Organisation People CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate_pem = ca
            .self_signed(&key)
            .context("organisation's CA certificate")?
            .pem();
        let issuer = Issuer::new(ca, key);
        let now = clock::now();
        for person in self.people.iter().chain(self.revoked) {
            let key = new_key(person.rsa).with_context(|| format!("{}'s key", person.name))?;
            let certificate = client(person, now)
                .signed_by(&key, &issuer)
                .with_context(|| format!("{}'s certificate", person.name))?;
            files::write_secret(&person.key(folder), key.serialize_pem().as_bytes())?;
            files::write(&person.certificate(folder), certificate.pem().as_bytes())?;
        }
        files::write(&ca_certificate(folder), ca_certificate_pem.as_bytes())
    }
}

fn new_key(rsa: bool) -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(if rsa {
        &rcgen::PKCS_RSA_SHA256
    } else {
        &rcgen::PKCS_ECDSA_P256_SHA256
    })
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

/// A certificate as people have them: valid since yesterday, because one that is valid since after an epoch's start waits for the next,
/// and for a year.
fn client(person: &Person, now: u64) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut subject = name(person.name);
    subject.push(DnType::OrganizationalUnitName, person.department);
    subject.push(DnType::CustomDnType(vec![2, 5, 4, 12]), person.level); // title: the pay level
    parameters.distinguished_name = subject;
    parameters.serial_number = Some(SerialNumber::from(person.serial));
    parameters.not_before = time(now.saturating_sub(DAY)).into();
    parameters.not_after = time(now + 365 * DAY).into();
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if let Ok(email) = person.email.try_into() {
        parameters.subject_alt_names = vec![SanType::Rfc822Name(email)];
    }
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

/// Unix seconds as rcgen takes them.
pub(super) fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use bauta_circuits::possession::x509_rsa::{Parts, Readable, X509RsaError};
    use bauta_statement::{
        schema::Schema,
        vector::{AttributeValue, Format, NOT_BEFORE},
    };
    use rustls_pki_types::{CertificateDer, pem::PemObject};

    use super::*;
    use crate::operator::issuer;

    #[test]
    fn certificates_in_the_field_are_credentials_by_the_demonstrations_schema() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        IN_THE_FIELD.make(folder).unwrap();
        let schema: Schema =
            serde_json::from_str(include_str!("../../../docs/examples/schema.json")).unwrap();
        let ca = issuer::ca_key(&std::fs::read(ca_certificate(folder)).unwrap()).unwrap();
        for person in IN_THE_FIELD.people.iter().chain(IN_THE_FIELD.revoked) {
            let der = CertificateDer::from_pem_file(person.certificate(folder)).unwrap();
            let parts = Parts::of(&der).unwrap();
            assert_eq!(parts.format(), Format::X509Rsa, "{} bytes", der.len());
            let readable = Readable::of(&parts, &ca, &schema).unwrap();
            let text = |slot| {
                let (_, value) = readable.attributes.iter().find(|(one, _)| *one == slot)?;
                match value {
                    AttributeValue::Text(text) => Some(text.as_str()),
                    _ => None,
                }
            };
            assert_eq!(text(5), Some(NAME));
            assert_eq!(text(6), Some(person.department));
            assert_eq!(text(8), Some(person.email));
            // At or before the start of the epoch that is published right away.
            let epoch = clock::now() / 3600 * 3600;
            assert!(readable.vector.get(NOT_BEFORE) <= epoch.into());
        }
        let [ada, barbara] = [&IN_THE_FIELD.people[0], &IN_THE_FIELD.revoked[0]]
            .map(|person| person.certificate(folder));
        assert_ne!(
            std::fs::read(&ada).unwrap(),
            std::fs::read(&barbara).unwrap()
        );
        // Made once.
        let before = std::fs::read(&ada).unwrap();
        IN_THE_FIELD.make(folder).unwrap();
        assert_eq!(std::fs::read(&ada).unwrap(), before);
    }

    #[test]
    fn a_certificate_of_a_desks_organisation_is_none() {
        let folder = tempfile::tempdir().unwrap();
        AT_A_DESK.make(folder.path()).unwrap();
        for person in AT_A_DESK.people {
            let der = CertificateDer::from_pem_file(person.certificate(folder.path())).unwrap();
            assert_eq!(Parts::of(&der), Err(X509RsaError::Certificate));
        }
    }
}
