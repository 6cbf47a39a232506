//! The key and the certificate on a token, found by what a URI says of them, and the signature.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use bauta_statement::rsa_key::{MODULUS_LEN, RsaPublicKey, SHA256_DIGEST_INFO};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{
    Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle,
};
use zeroize::Zeroizing;

use super::error::{Answer, TokenKeyError, failed, words};
use super::session::Open;
use super::uri::{self, ObjectName};

/// A private key that signs as it is wanted here.
pub(super) struct Key {
    handle: ObjectHandle,
    /// Token and key, for messages.
    name: String,
    /// CKA_ID.
    pub(super) id: Vec<u8>,
    /// Whether it asks for the PIN for each signature.
    asks_each_time: bool,
    public: RsaPublicKey,
}

/// The one private key that fits, if it is of RSA-2048 and may sign.
pub(super) fn find_key(open: &Open, wanted: &ObjectName) -> Answer<Key> {
    let (handle, shown) = find(
        open,
        "private key",
        &[Attribute::Class(ObjectClass::PRIVATE_KEY)],
        wanted,
    )?;
    let name = format!("the key {shown} on {}", open.name());
    let mut key_type = None;
    let mut may_sign = true;
    let mut asks_each_time = false;
    let mut id = Vec::new();
    let mut modulus = None;
    let mut exponent = None;
    for attribute in open
        .session
        .get_attributes(
            handle,
            &[
                AttributeType::KeyType,
                AttributeType::Sign,
                AttributeType::AlwaysAuthenticate,
                AttributeType::Id,
                AttributeType::Modulus,
                AttributeType::PublicExponent,
            ],
        )
        .map_err(failed("reading the key's attributes"))?
    {
        match attribute {
            Attribute::KeyType(its) => key_type = Some(its),
            Attribute::Sign(its) => may_sign = its,
            Attribute::AlwaysAuthenticate(its) => asks_each_time = its,
            Attribute::Id(its) => id = its,
            Attribute::Modulus(its) => modulus = Some(its),
            Attribute::PublicExponent(its) => exponent = Some(its),
            _ => {}
        }
    }
    if key_type != Some(KeyType::RSA) {
        return Err(TokenKeyError::NotRsa {
            key: name,
            kind: key_type.map_or_else(|| "of no kind".to_owned(), |kind| kind.to_string()),
        });
    }
    if !may_sign {
        return Err(TokenKeyError::MayNotSign(name));
    }
    let wrong = |reason: &str| TokenKeyError::WrongKey {
        key: name.clone(),
        reason: reason.to_owned(),
    };
    let modulus = modulus.ok_or_else(|| wrong("the token does not tell its modulus"))?;
    // Some tokens do not tell a private key's exponent; the signature is verified with the only one that there may be.
    if exponent.is_some_and(|exponent| unpadded(&exponent) != [1, 0, 1]) {
        return Err(wrong(
            &bauta_statement::rsa_key::RsaKeyError::Exponent.to_string(),
        ));
    }
    let public = RsaPublicKey::from_be_bytes(unpadded(&modulus))
        .map_err(|error| wrong(&error.to_string()))?;
    Ok(Key {
        handle,
        name,
        id,
        asks_each_time,
        public,
    })
}

/// Without the zeros that some tokens put before a number.
fn unpadded(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number.get(zeros..).unwrap_or_default()
}

impl Key {
    /// RSASSA-PKCS1-v1_5 with SHA-256, verified. `confirm` gives the PIN once more, to a key that asks for it.
    pub(super) fn sign(
        &self,
        open: &Open,
        message: &[u8],
        confirm: impl Fn() -> Answer<()>,
    ) -> Answer<Zeroizing<[u8; MODULUS_LEN]>> {
        let listed = open.mechanisms()?;
        let by_digest = || [&SHA256_DIGEST_INFO, digest(&SHA256, message).as_ref()].concat();
        let mut tried = None;
        for (of_type, mechanism, data) in [
            (
                MechanismType::SHA256_RSA_PKCS,
                Mechanism::Sha256RsaPkcs,
                message.to_vec(),
            ),
            // The token signs what it is given; we hash and encode.
            (MechanismType::RSA_PKCS, Mechanism::RsaPkcs, by_digest()),
        ] {
            if !listed.contains(&of_type) {
                continue;
            }
            match self.attempt(open, &mechanism, &data, &confirm) {
                // By its list the token has it, and not for this key.
                Err(Attempt::Mechanism(reason)) => tried = Some(reason),
                Err(Attempt::Other(error)) => return Err(error),
                Ok(signature) => return self.verified(message, &signature),
            }
        }
        Err(TokenKeyError::Unsupported {
            token: open.name(),
            reason: tried.unwrap_or_else(|| "its list of mechanisms has none".to_owned()),
        })
    }

    fn attempt(
        &self,
        open: &Open,
        mechanism: &Mechanism,
        data: &[u8],
        confirm: impl Fn() -> Answer<()>,
    ) -> Result<Zeroizing<Vec<u8>>, Attempt> {
        let session = &open.session;
        let refused = |error| self.refused(error);
        let signature = if self.asks_each_time {
            // The PIN belongs between the beginning of a signature and its data.
            session.sign_init(mechanism, self.handle).map_err(refused)?;
            confirm().map_err(Attempt::Other)?;
            session.sign_update(data).map_err(refused)?;
            session.sign_final()
        } else {
            session.sign(mechanism, self.handle, data)
        };
        signature.map(Zeroizing::new).map_err(refused)
    }

    fn refused(&self, error: Error) -> Attempt {
        match error {
            Error::Pkcs11(
                RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported
                // CKM_RSA_PKCS in parts, as it must be where the PIN comes in between: not every token does that.
                | RvError::OperationNotInitialized,
                _,
            ) => Attempt::Mechanism(words(&error)),
            Error::Pkcs11(RvError::KeyFunctionNotPermitted | RvError::KeyTypeInconsistent, _) => {
                Attempt::Other(TokenKeyError::MayNotSign(self.name.clone()))
            }
            other => Attempt::Other(failed("signing")(other)),
        }
    }

    /// The signature is good for ever and is kept: a false one would be found out only when a proof cannot be made.
    fn verified(&self, message: &[u8], signature: &[u8]) -> Answer<Zeroizing<[u8; MODULUS_LEN]>> {
        let false_signature = || TokenKeyError::FalseSignature(self.name.clone());
        let public = self.public.to_pkcs1().map_err(|_| false_signature())?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(message, signature)
            .map_err(|_| false_signature())?;
        let mut octets = Zeroizing::new([0; MODULUS_LEN]);
        if signature.len() != octets.len() {
            return Err(false_signature());
        }
        octets.copy_from_slice(signature);
        Ok(octets)
    }
}

/// Why there is no signature.
enum Attempt {
    /// Another mechanism may do.
    Mechanism(String),
    Other(TokenKeyError),
}

/// What of a URI's object names a certificate that lies beside the key with this id.
pub(super) fn beside(id: Vec<u8>) -> ObjectName {
    ObjectName {
        id: Some(id),
        ..ObjectName::default()
    }
}

/// The one X.509 certificate that fits, in DER.
pub(super) fn find_certificate(open: &Open, wanted: &ObjectName) -> Answer<Vec<u8>> {
    let (handle, shown) = find(
        open,
        "certificate",
        &[
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
        ],
        wanted,
    )?;
    let value = open
        .session
        .get_attributes(handle, &[AttributeType::Value])
        .map_err(failed("reading the certificate"))?;
    match value.into_iter().next() {
        Some(Attribute::Value(der)) if !der.is_empty() => Ok(der),
        // The standard allows a URL in its place.
        _ => Err(TokenKeyError::WrongKey {
            key: format!("the certificate {shown} on {}", open.name()),
            reason: "its value is not on the token: give it as a file".to_owned(),
        }),
    }
}

/// The one object of a class that fits, and how it is written in a URI.
fn find(
    open: &Open,
    what: &'static str,
    class: &[Attribute],
    wanted: &ObjectName,
) -> Answer<(ObjectHandle, String)> {
    let mut template = class.to_vec();
    template.extend(wanted.label.clone().map(Attribute::Label));
    template.extend(wanted.id.clone().map(Attribute::Id));
    let mut fitting = search(open, &template)?;
    if fitting.len() > 1 {
        return Err(TokenKeyError::SeveralObjects {
            token: open.name(),
            what,
            fitting: fitting.into_iter().map(|(_, shown)| shown).collect(),
        });
    }
    if let Some(found) = fitting.pop() {
        return Ok(found);
    }
    let others: Vec<_> = search(open, class)?
        .into_iter()
        .map(|(_, shown)| shown)
        .collect();
    Err(TokenKeyError::NoObject {
        token: open.name(),
        what,
        present: if others.is_empty() {
            "it shows none at all".to_owned()
        } else {
            format!("it has {}", others.join(", "))
        },
    })
}

fn search(open: &Open, template: &[Attribute]) -> Answer<Vec<(ObjectHandle, String)>> {
    let handles = open
        .session
        .find_objects(template)
        .map_err(failed("looking for objects"))?;
    Ok(handles
        .into_iter()
        .map(|handle| (handle, shown(open, handle)))
        .collect())
}

/// An object as a URI names it.
fn shown(open: &Open, handle: ObjectHandle) -> String {
    let names: Vec<String> = open
        .session
        .get_attributes(handle, &[AttributeType::Label, AttributeType::Id])
        .unwrap_or_default()
        .into_iter()
        .filter_map(|attribute| match attribute {
            Attribute::Label(label) => Some(format!("object={}", uri::text(&label))),
            Attribute::Id(id) => Some(format!("id={}", uri::id(&id))),
            _ => None,
        })
        .collect();
    names.join(";")
}
