//! What a relying party reads from a leaf, after its TLS library has verified the chain.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::OctetString;
use der::{Decode, Tag, Tagged};
use thiserror::Error;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};

use super::{DisclosedAttribute, LARGEST_ARC, Pseudonym, TbsCertificate, disassemble};
use crate::file::text::is_trust_domain;
use crate::note::Digest;
use crate::schema::is_name;
use crate::vector::AttributeValue;

/// Who presents a certificate: a pseudonym under a policy, and nothing else but what the policy discloses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedIdentity {
    /// The SPIFFE trust domain.
    pub trust_domain: String,
    /// The policy that the holder satisfied.
    pub policy: String,
    /// The holder's pseudonym.
    pub pseudonym: Pseudonym,
    /// SHA-256 of the policy's signed text.
    pub policy_digest: Digest,
    /// The disclosed attributes, name and value, in the policy's order.
    pub disclosed: Vec<(String, AttributeValue)>,
    /// The certificate's first second, Unix seconds.
    pub not_before: u64,
    /// The certificate's last second.
    pub not_after: u64,
    /// The enterprise number under which policy digest and attributes stand.
    pub enterprise_number: u32,
}

/// Why a certificate is none of Bauta's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the certificate is not one of Bauta's profile ({0}): check which CA the relying party trusts"
)]
pub struct NotOurs(&'static str);

impl PresentedIdentity {
    /// Reads a leaf certificate in DER. Its chain must have been verified: nothing here says who signed it.
    ///
    /// # Errors
    /// [`NotOurs`] says what is missing or malformed.
    pub fn from_der(certificate: &[u8]) -> Result<Self, NotOurs> {
        let (tbs, _) = disassemble(certificate).map_err(|_| NotOurs("not signed with Ed25519"))?;
        let tbs = TbsCertificate::from_der(&tbs)
            .map_err(|_| NotOurs("not a certificate of version 3"))?;
        if tbs.version != 2 || !tbs.subject.value().is_empty() {
            return Err(NotOurs("the subject is not empty"));
        }
        let mut found = Found::default();
        for extension in &tbs.extensions {
            let value = extension.extn_value.as_bytes();
            if extension.extn_id == rfc5280::ID_CE_SUBJECT_ALT_NAME {
                set(&mut found.name, spiffe_id(value)?)?;
            }
            match enterprise(extension.extn_id) {
                Some((number, 1)) => set(&mut found.digest, (number, policy_digest(value)?))?,
                Some((number, 2)) => set(&mut found.disclosed, (number, disclosed(value)?))?,
                _ => {}
            }
        }
        let (trust_domain, policy, pseudonym) = found.name.ok_or(NotOurs("no SPIFFE ID"))?;
        let (enterprise_number, policy_digest) = found.digest.ok_or(NotOurs("no policy digest"))?;
        let disclosed = match found.disclosed {
            Some((number, disclosed)) if number == enterprise_number => disclosed,
            Some(_) => return Err(NotOurs("two enterprise numbers")),
            None => Vec::new(),
        };
        Ok(Self {
            trust_domain,
            policy,
            pseudonym,
            policy_digest,
            disclosed,
            not_before: tbs.validity.not_before.to_unix_duration().as_secs(),
            not_after: tbs.validity.not_after.to_unix_duration().as_secs(),
            enterprise_number,
        })
    }
}

#[derive(Default)]
struct Found {
    name: Option<(String, String, Pseudonym)>,
    digest: Option<(u32, Digest)>,
    disclosed: Option<(u32, Vec<(String, AttributeValue)>)>,
}

/// An extension that occurs twice could be read one way here and another way elsewhere.
fn set<T>(place: &mut Option<T>, value: T) -> Result<(), NotOurs> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(NotOurs("an extension occurs twice")),
    }
}

/// N and k of 1.3.6.1.4.1.N.1.k.
fn enterprise(oid: ObjectIdentifier) -> Option<(u32, u32)> {
    let arcs: Vec<u32> = oid.arcs().collect();
    match arcs.as_slice() {
        [1, 3, 6, 1, 4, 1, number @ 1..=LARGEST_ARC, 1, which] => Some((*number, *which)),
        _ => None,
    }
}

/// Exactly one name: `spiffe://trust-domain/policy/pseudonym`.
fn spiffe_id(value: &[u8]) -> Result<(String, String, Pseudonym), NotOurs> {
    const WRONG: NotOurs =
        NotOurs("the name is not one SPIFFE ID of trust domain, policy and pseudonym");
    let names = GeneralNames::from_der(value).map_err(|_| WRONG)?;
    let [GeneralName::UniformResourceIdentifier(uri)] = names.as_slice() else {
        return Err(WRONG);
    };
    let path: Vec<&str> = uri
        .as_str()
        .strip_prefix("spiffe://")
        .ok_or(WRONG)?
        .split('/')
        .collect();
    match path.as_slice() {
        [domain, policy, pseudonym] if is_trust_domain(domain) && is_name(policy) => {
            let pseudonym = Pseudonym::parse(pseudonym).ok_or(WRONG)?;
            Ok(((*domain).to_owned(), (*policy).to_owned(), pseudonym))
        }
        _ => Err(WRONG),
    }
}

fn policy_digest(value: &[u8]) -> Result<Digest, NotOurs> {
    const WRONG: NotOurs = NotOurs("the policy digest is not 32 bytes");
    OctetString::from_der(value)
        .map_err(|_| WRONG)?
        .as_bytes()
        .try_into()
        .map_err(|_| WRONG)
}

fn disclosed(value: &[u8]) -> Result<Vec<(String, AttributeValue)>, NotOurs> {
    const WRONG: NotOurs = NotOurs("the disclosed attributes are malformed");
    let attributes = Vec::<DisclosedAttribute>::from_der(value).map_err(|_| WRONG)?;
    attributes
        .into_iter()
        .map(|DisclosedAttribute { name, value }| {
            let value = match value.tag() {
                Tag::Integer => value.decode_as::<u64>().ok().map(AttributeValue::Integer),
                Tag::Utf8String => value.decode_as::<String>().ok().map(AttributeValue::Text),
                _ => None,
            };
            Ok((name, value.ok_or(WRONG)?))
        })
        .collect()
}
