//! The CA, and CAs' certificates: each a function of the key operation that administrators signed, the CA's own of the group
//! key that the signers made, another CA's of the key that it proved to hold.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};
use der::asn1::{Any, Ia5String, PrintableStringRef, SetOfVec};
use der::{Decode, Encode, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints};
use x509_cert::time::Time;

use super::{
    Parts, ProfileError, Tbs, TbsCertificate, disassemble, ed25519_spki, extension, key_identifier,
    key_usage, serial, tagged,
};
use crate::file::hierarchy::SignSubordinateCa;
use crate::file::key_operation::{CaSubject, SignCaCertificate};
use crate::note::Digest;

/// keyUsage keyCertSign and cRLSign: bits 5 and 6.
const CERTIFICATES_AND_LISTS: u8 = 0x06;

/// The CA as a leaf's profile needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    /// Its distinguished name, DER.
    name: Vec<u8>,
    /// Its Ed25519 group key.
    pub key: [u8; 32],
    /// Its certificate's first second, Unix seconds.
    pub not_before: u64,
    /// Its certificate's last second.
    pub not_after: u64,
    /// The SPIFFE trust domain.
    pub trust_domain: String,
    /// The operator's enterprise number.
    pub enterprise_number: u32,
}

impl Ca {
    /// The CA whose certificate that key operation asked for.
    ///
    /// # Errors
    /// [`ProfileError::Root`] if it is a root's; [`ProfileError::Encoding`] if the name cannot be encoded.
    pub fn new(
        operation: &SignCaCertificate,
        trust_domain: &str,
        enterprise_number: u32,
    ) -> Result<Self, ProfileError> {
        if operation.path_length != 0 {
            return Err(ProfileError::Root);
        }
        Ok(Self {
            name: distinguished_name(&operation.subject)?,
            key: operation.group_key,
            not_before: operation.not_before,
            not_after: operation.not_after,
            trust_domain: trust_domain.to_owned(),
            enterprise_number,
        })
    }

    /// The CA of a certificate that [`tbs`] or, for another CA's log, [`subordinate_tbs`] made, in DER. Whether to trust it is
    /// for the caller to know.
    ///
    /// # Errors
    /// [`ProfileError::Root`] if it may certify CAs; [`ProfileError::Encoding`] if it is no CA certificate of this profile.
    pub fn from_certificate(
        certificate: &[u8],
        enterprise_number: u32,
    ) -> Result<Self, ProfileError> {
        let malformed = || ProfileError::Encoding(der::ErrorKind::Failed.into());
        let (tbs, _) = disassemble(certificate)?;
        let tbs = TbsCertificate::from_der(&tbs)?;
        let find = |oid: ObjectIdentifier| {
            tbs.extensions
                .iter()
                .find(|e| e.extn_id == oid)
                .ok_or_else(malformed)
        };
        let constraints = BasicConstraints::from_der(
            find(rfc5280::ID_CE_BASIC_CONSTRAINTS)?
                .extn_value
                .as_bytes(),
        )?;
        let names =
            GeneralNames::from_der(find(rfc5280::ID_CE_SUBJECT_ALT_NAME)?.extn_value.as_bytes())?;
        let trust_domain = match names.as_slice() {
            [GeneralName::UniformResourceIdentifier(uri)] => uri.as_str().strip_prefix("spiffe://"),
            _ => None,
        };
        let spki = spki::SubjectPublicKeyInfoOwned::from_der(&tbs.key.to_der()?)?;
        let key = spki
            .subject_public_key
            .as_bytes()
            .and_then(|bits| bits.try_into().ok());
        // A leaf directly under a root would have been issued past every log.
        if constraints.ca && constraints.path_len_constraint != Some(0) {
            return Err(ProfileError::Root);
        }
        match (key, trust_domain) {
            (Some(key), Some(trust_domain))
                if constraints.ca && ed25519_spki(&key)? == tbs.key.to_der()? =>
            {
                Ok(Self {
                    name: tbs.subject.to_der()?,
                    key,
                    not_before: seconds(tbs.validity.not_before),
                    not_after: seconds(tbs.validity.not_after),
                    trust_domain: trust_domain.to_owned(),
                    enterprise_number,
                })
            }
            _ => Err(malformed()),
        }
    }

    /// The distinguished name, DER.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }
}

/// The TBS of the CA's self-signed certificate. `operation_digest` is the key operation's file digest: the serial is of it
/// and of the key.
///
/// # Errors
/// [`ProfileError::Encoding`] if the name or the trust domain cannot be encoded.
pub fn tbs(
    operation: &SignCaCertificate,
    operation_digest: &Digest,
    trust_domain: &str,
) -> Result<Tbs, ProfileError> {
    let name = distinguished_name(&operation.subject)?;
    let parts = Parts {
        serial: serial(&tagged(
            "bauta/v1/ca-serial",
            &[operation_digest, &operation.group_key],
        ))?,
        issuer: &name,
        not_before: operation.not_before,
        not_after: operation.not_after,
        subject: &name,
        key: &ed25519_spki(&operation.group_key)?,
        extensions: extensions(&operation.group_key, operation.path_length, trust_domain)?,
    };
    parts.into_tbs()
}

/// The TBS of the certificate by which a root certifies another CA. Of the request only the proof of possession counts, which
/// was checked with the file.
///
/// # Errors
/// [`ProfileError::Encoding`] if a name or the trust domain cannot be encoded.
pub fn subordinate_tbs(
    operation: &SignSubordinateCa,
    operation_digest: &Digest,
) -> Result<Tbs, ProfileError> {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(key_identifier(&operation.group_key)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let mut all = vec![extension(
        rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
        false,
        &authority,
    )?];
    all.extend(extensions(
        &operation.subject_key,
        operation.path_length,
        &operation.trust_domain,
    )?);
    let parts = Parts {
        serial: serial(&tagged(
            "bauta/v1/subordinate-serial",
            &[operation_digest, &operation.subject_key],
        ))?,
        issuer: &distinguished_name(&operation.issuer)?,
        not_before: operation.not_before,
        not_after: operation.not_after,
        subject: &distinguished_name(&operation.subject)?,
        key: &ed25519_spki(&operation.subject_key)?,
        extensions: all,
    };
    parts.into_tbs()
}

/// What every CA certificate has, and every request for one asks for. There are no name constraints: rustls-webpki refuses
/// every URI under one.
pub(super) fn extensions(
    key: &[u8; 32],
    path_length: u8,
    trust_domain: &str,
) -> Result<Extensions, ProfileError> {
    let constraints = BasicConstraints {
        ca: true,
        path_len_constraint: Some(path_length),
    };
    // A SPIFFE signing certificate is named by its trust domain alone (X509-SVID, 2).
    let names = vec![GeneralName::UniformResourceIdentifier(Ia5String::new(
        &format!("spiffe://{trust_domain}"),
    )?)];
    Ok(vec![
        extension(
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
            false,
            &key_identifier(key)?,
        )?,
        key_usage(CERTIFICATES_AND_LISTS)?,
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &constraints)?,
        extension(rfc5280::ID_CE_SUBJECT_ALT_NAME, false, &names)?,
    ])
}

/// Country, organisation and common name, each in an RDN of its own, in that order.
pub(super) fn distinguished_name(subject: &CaSubject) -> Result<Vec<u8>, der::Error> {
    let mut rdns = Vec::new();
    let mut push = |oid, value: Any| -> Result<(), der::Error> {
        let mut rdn = SetOfVec::new();
        rdn.insert(AttributeTypeAndValue { oid, value })?;
        rdns.push(rdn);
        Ok(())
    };
    if let Some(country) = &subject.country {
        push(
            rfc4519::COUNTRY_NAME,
            Any::encode_from(&PrintableStringRef::new(country)?)?,
        )?;
    }
    if let Some(organization) = &subject.organization {
        push(
            rfc4519::ORGANIZATION_NAME,
            Any::new(Tag::Utf8String, organization.as_bytes())?,
        )?;
    }
    push(
        rfc4519::COMMON_NAME,
        Any::new(Tag::Utf8String, subject.common_name.as_bytes())?,
    )?;
    rdns.to_der()
}

/// Reads what [`distinguished_name`] wrote, and nothing else.
pub(super) fn read_name(name: &[u8]) -> Option<CaSubject> {
    let rdns = Vec::<SetOfVec<AttributeTypeAndValue>>::from_der(name).ok()?;
    let mut subject = CaSubject {
        country: None,
        organization: None,
        common_name: String::new(),
    };
    for one in rdns.iter().flat_map(|rdn| rdn.iter()) {
        let text = String::from_utf8(one.value.value().to_vec()).ok()?;
        match one.oid {
            rfc4519::COUNTRY_NAME => subject.country = Some(text),
            rfc4519::ORGANIZATION_NAME => subject.organization = Some(text),
            rfc4519::COMMON_NAME => subject.common_name = text,
            _ => return None,
        }
    }
    // Other orders, repetitions and string types do not come out the same.
    (distinguished_name(&subject).ok()? == name).then_some(subject)
}

fn seconds(time: Time) -> u64 {
    time.to_unix_duration().as_secs()
}
