//! Certificate revocation lists (RFC 5280, section 5): the revocation list of an X.509 CA that is an issuer. The log takes the
//! CRL as the CA signed it, in DER.
//!
//! A CRL that leaves out a part would free what that part revokes, so only one that is complete for its CA's end-entity
//! certificates is read: no delta, no indirect list, no shard by distribution point or by reason. The CA's name in it is
//! compared with nothing: the key that signed it says whose it is. That signature is verified in `bauta-verifier`.
use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_CERTIFICATE_ISSUER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_DELTA_CRL_INDICATOR,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use const_oid::db::rfc5912::{
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use der::asn1::{AnyRef, Null};
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use x509_cert::Version;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::crl::{CrlNumber, CrlReason};

use crate::entry::MAX_OBJECT_BYTES;
use crate::field::Fr;
use crate::vector::{self, Serial, SerialError};

/// Hash of the CA's RSASSA-PKCS1-v1_5 signature (RFC 4055, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// sha256WithRSAEncryption.
    Sha256,
    /// sha384WithRSAEncryption.
    Sha384,
    /// sha512WithRSAEncryption.
    Sha512,
}

/// Why bytes are no CRL that a log takes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CrlError {
    /// More bytes than an object of the log may have.
    #[error(
        "the CRL has {0} bytes, above the {MAX_OBJECT_BYTES} that a log's object may have; have the CA drop expired certificates from it"
    )]
    TooLong(usize),
    /// It does not parse.
    #[error(
        "it is no CRL of version 2 in DER ({0}): give what `openssl crl -in FILE -outform DER` writes of the CA's complete CRL"
    )]
    NotCrl(String),
    /// It parses and has other bytes than DER gives it.
    #[error("the CRL is not in DER, which has one encoding of each list; have the CA encode it so")]
    NotDer,
    /// Another version than 2.
    #[error(
        "the CRL is not of version 2, so it can have no number; have the CA issue it in version 2"
    )]
    Version,
    /// The algorithm that is signed and the one beside the signature differ.
    #[error(
        "the CRL names two signature algorithms, one inside and another outside of what is signed; have the CA sign it anew"
    )]
    TwoAlgorithms,
    /// Not RSASSA-PKCS1-v1_5 with SHA-256, SHA-384 or SHA-512 and parameters NULL.
    #[error(
        "the CRL is signed with algorithm {0}; have the CA sign it with sha256WithRSAEncryption (or SHA-384 or SHA-512)"
    )]
    Algorithm(ObjectIdentifier),
    /// No nextUpdate.
    #[error(
        "the CRL has no nextUpdate, so nobody could tell that it is withheld; have the CA set one"
    )]
    NoNextUpdate,
    /// thisUpdate is not before nextUpdate.
    #[error(
        "the CRL's thisUpdate {this_update} is not before its nextUpdate {next_update}; have the CA issue it anew"
    )]
    Times {
        /// Unix seconds.
        this_update: u64,
        /// Unix seconds.
        next_update: u64,
    },
    /// No cRLNumber, or none that fits 64 bits.
    #[error(
        "the CRL has no cRLNumber from 0 to 2^64 - 1, by which an older one is told from a newer; have the CA number its CRLs (RFC 5280, section 5.2.3)"
    )]
    Number,
    /// An extension that does not decode.
    #[error("the CRL's extension {0} is not what RFC 5280 says of it; have the CA encode it so")]
    Extension(ObjectIdentifier),
    /// An extension stands twice.
    #[error("the CRL has extension {0} twice in one place; have the CA write it once")]
    Repeated(ObjectIdentifier),
    /// A critical extension that changes what the list means.
    #[error(
        "the CRL has the critical extension {0}, which is not understood here; have the CA leave it out"
    )]
    Critical(ObjectIdentifier),
    /// Only what changed since another list.
    #[error("the CRL is a delta CRL, which says only what changed; give the CA's complete CRL")]
    Delta,
    /// A list of certificates of several CAs.
    #[error(
        "the CRL is indirect, of certificates of several CAs; give the CRL that this CA signs for its own certificates alone"
    )]
    Indirect,
    /// A list for one distribution point.
    #[error(
        "the CRL is for one distribution point and may be one shard of many, of which each leaves out what the others revoke; have the CA issue a complete CRL, without distributionPoint in its issuingDistributionPoint"
    )]
    Shard,
    /// A list of other certificates than credentials, or for some reasons alone.
    #[error(
        "the CRL has {0} in its issuingDistributionPoint, so it leaves out revoked credentials; give the CA's complete CRL"
    )]
    Partial(&'static str),
    /// A serial that no certificate has.
    #[error("entry {position} of the CRL: {source}")]
    Serial {
        /// Its place in the list, from 0.
        position: usize,
        /// What is wrong.
        source: SerialError,
    },
    /// A serial stands twice.
    #[error("the CRL lists serial {0} twice; have the CA issue it anew")]
    Duplicate(String),
    /// An entry of a delta CRL.
    #[error(
        "the CRL's entry for serial {0} has the reason removeFromCRL, which belongs in delta CRLs; give the CA's complete CRL"
    )]
    Removed(String),
    /// An entry with a critical extension that changes what it means, or one that does not decode.
    #[error(
        "the CRL's entry for serial {serial} has the extension {extension}, critical or malformed; have the CA leave it out"
    )]
    Entry {
        /// Which entry.
        serial: String,
        /// Which extension.
        extension: ObjectIdentifier,
    },
}

/// A CRL, read and checked but for its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    /// cRLNumber: its version.
    pub number: u64,
    /// thisUpdate, Unix seconds.
    pub this_update: u64,
    /// nextUpdate, Unix seconds: its expiry.
    pub next_update: u64,
    /// The revoked serials, each once, in the CRL's order.
    pub serials: Vec<Serial>,
    /// The signature's hash.
    pub hash: SignatureHash,
    /// What is signed: the TBSCertList in DER.
    pub signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Crl {
    /// Whether an object of the log is a CRL and not a signed file: DER begins with the tag of a SEQUENCE, a file with text.
    pub fn is_one(object: &[u8]) -> bool {
        object.first() == Some(&0x30)
    }

    /// Reads a CRL in DER. Its signature is not verified.
    ///
    /// # Errors
    /// [`CrlError`], naming what is wrong and what the CA can do.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CrlError> {
        if bytes.len() > MAX_OBJECT_BYTES as usize {
            return Err(CrlError::TooLong(bytes.len()));
        }
        let list = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(bytes)
            .map_err(|error| CrlError::NotCrl(error.to_string()))?;
        // What a lenient parser let through does not come out the same.
        if list.to_der().ok().as_deref() != Some(bytes) {
            return Err(CrlError::NotDer);
        }
        let tbs = &list.tbs_cert_list;
        if tbs.version != Version::V2 {
            return Err(CrlError::Version);
        }
        if tbs.signature != list.signature_algorithm {
            return Err(CrlError::TwoAlgorithms);
        }
        let hash = signature_hash(&tbs.signature)?;
        let this_update = tbs.this_update.to_unix_duration().as_secs();
        let next_update = tbs
            .next_update
            .ok_or(CrlError::NoNextUpdate)?
            .to_unix_duration()
            .as_secs();
        if this_update >= next_update {
            return Err(CrlError::Times {
                this_update,
                next_update,
            });
        }
        let extensions = tbs.crl_extensions.as_deref().unwrap_or_default();
        let number = list_extensions(extensions)?;
        let revoked = tbs.revoked_certificates.as_deref().unwrap_or_default();
        let serials = revoked_serials(revoked)?;
        let not_der = |_| CrlError::NotDer;
        Ok(Self {
            number,
            this_update,
            next_update,
            serials,
            hash,
            signed: tbs.to_der().map_err(not_der)?,
            signature: list.signature.as_bytes().ok_or(CrlError::NotDer)?.to_vec(),
        })
    }

    /// The handles that it revokes, in its order.
    pub fn handles(&self, key_digest: Fr) -> Vec<u64> {
        self.serials
            .iter()
            .map(|serial| vector::handle(key_digest, serial))
            .collect()
    }
}

fn signature_hash(algorithm: &AlgorithmIdentifierOwned) -> Result<SignatureHash, CrlError> {
    let null = algorithm.parameters.as_ref().map(AnyRef::from) == Some(AnyRef::from(Null));
    match algorithm.oid {
        SHA_256_WITH_RSA_ENCRYPTION if null => Ok(SignatureHash::Sha256),
        SHA_384_WITH_RSA_ENCRYPTION if null => Ok(SignatureHash::Sha384),
        SHA_512_WITH_RSA_ENCRYPTION if null => Ok(SignatureHash::Sha512),
        other => Err(CrlError::Algorithm(other)),
    }
}

/// Reads an extension's value, which must be in the one encoding of DER.
fn exact<'a, T: Decode<'a> + Encode>(extension: &'a Extension) -> Option<T> {
    let bytes = extension.extn_value.as_bytes();
    let value = T::from_der(bytes).ok()?;
    (value.to_der().ok()?.as_slice() == bytes).then_some(value)
}

/// What each extension says; the cRLNumber.
fn list_extensions(extensions: &[Extension]) -> Result<u64, CrlError> {
    let mut number = None;
    let mut seen = BTreeSet::new();
    for extension in extensions {
        let oid = extension.extn_id;
        if !seen.insert(oid) {
            return Err(CrlError::Repeated(oid));
        }
        match oid {
            ID_CE_DELTA_CRL_INDICATOR => return Err(CrlError::Delta),
            ID_CE_ISSUING_DISTRIBUTION_POINT => {
                complete(&exact(extension).ok_or(CrlError::Extension(oid))?)?;
            }
            _ if extension.critical => return Err(CrlError::Critical(oid)),
            ID_CE_CRL_NUMBER => {
                let CrlNumber(value) = exact(extension).ok_or(CrlError::Extension(oid))?;
                number = u64_from(value.as_bytes());
            }
            _ => {}
        }
    }
    number.ok_or(CrlError::Number)
}

/// A distribution point may only say that the list has no CA certificates, which are no credentials.
fn complete(point: &IssuingDistributionPoint) -> Result<(), CrlError> {
    if point.indirect_crl {
        return Err(CrlError::Indirect);
    }
    if point.distribution_point.is_some() {
        return Err(CrlError::Shard);
    }
    if point.only_some_reasons.is_some() {
        return Err(CrlError::Partial("onlySomeReasons"));
    }
    if point.only_contains_ca_certs {
        return Err(CrlError::Partial("onlyContainsCACerts"));
    }
    if point.only_contains_attribute_certs {
        return Err(CrlError::Partial("onlyContainsAttributeCerts"));
    }
    Ok(())
}

fn u64_from(big_endian: &[u8]) -> Option<u64> {
    let mut padded = [0; 8];
    let start = padded.len().checked_sub(big_endian.len())?;
    padded.get_mut(start..)?.copy_from_slice(big_endian);
    Some(u64::from_be_bytes(padded))
}

fn revoked_serials(revoked: &[RevokedCert]) -> Result<Vec<Serial>, CrlError> {
    let mut seen = BTreeSet::new();
    let mut serials = Vec::with_capacity(revoked.len());
    for (position, entry) in revoked.iter().enumerate() {
        let serial = Serial::from_der_contents(entry.serial_number.as_bytes())
            .map_err(|source| CrlError::Serial { position, source })?;
        let written = data_encoding::HEXLOWER.encode(serial.as_be_bytes());
        entry_extensions(
            entry.crl_entry_extensions.as_deref().unwrap_or_default(),
            &written,
        )?;
        if !seen.insert(serial.clone()) {
            return Err(CrlError::Duplicate(written));
        }
        serials.push(serial);
    }
    Ok(serials)
}

/// Whatever the reason, a listed certificate counts as revoked, one on hold too: a log only ever adds.
fn entry_extensions(extensions: &[Extension], serial: &str) -> Result<(), CrlError> {
    let mut seen = BTreeSet::new();
    for extension in extensions {
        let oid = extension.extn_id;
        let refused = || CrlError::Entry {
            serial: serial.to_owned(),
            extension: oid,
        };
        if !seen.insert(oid) {
            return Err(CrlError::Repeated(oid));
        }
        match oid {
            ID_CE_CERTIFICATE_ISSUER => return Err(CrlError::Indirect),
            ID_CE_CRL_REASONS => match exact(extension).ok_or_else(refused)? {
                CrlReason::RemoveFromCRL => return Err(CrlError::Removed(serial.to_owned())),
                CrlReason::Unspecified
                | CrlReason::KeyCompromise
                | CrlReason::CaCompromise
                | CrlReason::AffiliationChanged
                | CrlReason::Superseded
                | CrlReason::CessationOfOperation
                | CrlReason::CertificateHold
                | CrlReason::PrivilegeWithdrawn
                | CrlReason::AaCompromise => {}
            },
            _ if extension.critical => return Err(refused()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
