//! What a certificate may be used for, natively: accepts exactly what the circuit does, and says to people why not.

use ark_ff::AdditiveGroup;
use bauta_statement::{field::Fr, schema::LONGEST_OID};
use thiserror::Error;

use super::{OBJECT_IDENTIFIER, PURPOSES, SEQUENCE, counts, packed};
use crate::gadgets::der::element;

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1: contents.
const SERVER_AUTH: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
/// id-kp-OCSPSigning, 1.3.6.1.5.5.7.3.9: contents.
const OCSP_SIGNING: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];
/// anyExtendedKeyUsage, 2.5.29.37.0: contents.
const ANY_PURPOSE: [u8; 4] = [0x55, 0x1d, 0x25, 0x00];
/// TRUE: BOOLEAN.
const TRUE: [u8; 3] = [0x01, 0x01, 0xff];
/// FALSE: BOOLEAN.
const FALSE: [u8; 3] = [0x01, 0x01, 0x00];

/// What is proved of keyUsage, basicConstraints and extKeyUsage: each the contents of its OCTET STRING, where there is one. `named` is the
/// purpose that the schema names (`Schema::purpose`), or 0.
///
/// # Errors
/// [`UsageError`]: what the certificate is, if not a client's.
pub fn is_for_clients(
    key_usage: Option<&[u8]>,
    basic_constraints: Option<&[u8]>,
    purposes: Option<&[u8]>,
    named: Fr,
) -> Result<(), UsageError> {
    basic_constraints.map_or(Ok(()), is_end_entity)?;
    key_usage.map_or(Ok(()), signs)?;
    has_client_purpose(purposes.ok_or(UsageError::NoPurposes)?, named)
}

/// [`key_usage`](super::key_usage), where the extension is there.
///
/// # Errors
/// [`UsageError`], with one of the three names of keyUsage.
pub fn signs(contents: &[u8]) -> Result<(), UsageError> {
    let bits = match *contents {
        [0x03, 0x02, unused, bits] if bits.trailing_zeros() == u32::from(unused) => bits,
        // The ninth bit, decipherOnly.
        [0x03, 0x03, 0x07, bits, 0x80] => bits,
        // No bit at all.
        [0x03, 0x01, 0x00] => 0,
        _ => return Err(UsageError::KeyUsage),
    };
    if bits & 0x80 == 0 {
        return Err(UsageError::NoSignature);
    }
    if bits & 0x04 != 0 {
        return Err(UsageError::CertificateSigner);
    }
    Ok(())
}

/// [`basic_constraints`](super::basic_constraints), where the extension is there.
///
/// # Errors
/// [`UsageError`], with one of the four names of basicConstraints.
pub fn is_end_entity(contents: &[u8]) -> Result<(), UsageError> {
    let inside = match element(contents, 0) {
        Some((SEQUENCE, start, end)) if end == contents.len() => contents.get(start..),
        _ => None,
    };
    match inside.ok_or(UsageError::BasicConstraints)? {
        [] => Ok(()),
        inside if inside.starts_with(&TRUE) => Err(UsageError::Authority),
        inside if inside == FALSE => Err(UsageError::FalseWritten),
        [0x02, ..] => Err(UsageError::PathLength),
        _ => Err(UsageError::BasicConstraints),
    }
}

/// [`client_purpose`](super::client_purpose), where the extension is there.
///
/// # Errors
/// [`UsageError`], with one of the names of extKeyUsage: what the certificate is for instead, if only that is wrong.
pub fn has_client_purpose(contents: &[u8], named: Fr) -> Result<(), UsageError> {
    let purposes = purposes(contents).ok_or(UsageError::Purposes)?;
    if purposes.len() > PURPOSES {
        return Err(UsageError::TooManyPurposes(purposes.len()));
    }
    let has = |purpose: &[u8]| purposes.contains(&purpose);
    let short = purposes
        .iter()
        .filter(|one| (1..=LONGEST_OID).contains(&one.len()));
    if short.map(|one| packed(one)).any(|one| counts(one, named)) {
        Ok(())
    } else if named != Fr::ZERO {
        Err(UsageError::NotNamed)
    } else if has(&SERVER_AUTH) {
        Err(UsageError::Server)
    } else if has(&OCSP_SIGNING) {
        Err(UsageError::OcspResponder)
    } else if has(&ANY_PURPOSE) {
        Err(UsageError::AnyPurpose)
    } else {
        Err(UsageError::OtherPurposes)
    }
}

/// The contents of each OBJECT IDENTIFIER of a SEQUENCE that is all there is. None where it is none, or one of them has 128 octets or more.
fn purposes(contents: &[u8]) -> Option<Vec<&[u8]>> {
    let (tag, mut next, end) = element(contents, 0)?;
    if tag != SEQUENCE || end != contents.len() {
        return None;
    }
    let mut purposes = Vec::new();
    while next != end {
        let [OBJECT_IDENTIFIER, length @ 0..0x80] = *contents.get(next..)?.first_chunk()? else {
            return None;
        };
        let start = next + 2;
        next = start + usize::from(length);
        purposes.push(contents.get(start..next)?);
    }
    Some(purposes)
}

/// The certificate is not a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UsageError {
    /// basicConstraints: cA is TRUE.
    #[error(
        "this is the certificate of a certification authority (basicConstraints has cA TRUE), not of a client; take the one that was issued to you"
    )]
    Authority,
    /// basicConstraints: a pathLenConstraint without cA.
    #[error(
        "basicConstraints has a path length, which only a certification authority's may have (RFC 5280, 4.2.1.9); have the certificate issued anew"
    )]
    PathLength,
    /// basicConstraints: cA FALSE, which DER leaves out.
    #[error(
        "basicConstraints writes cA FALSE out, which DER leaves out (X.690, 11.5), so the certificate cannot be proved here; have it issued anew"
    )]
    FalseWritten,
    /// basicConstraints: no such thing.
    #[error("basicConstraints is not DER; have the certificate issued anew")]
    BasicConstraints,
    /// keyUsage: keyCertSign is 1.
    #[error(
        "the key may sign certificates (keyUsage has keyCertSign), so this is the certificate of a certification authority, not of a client; take the one that was issued to you"
    )]
    CertificateSigner,
    /// keyUsage: digitalSignature is 0.
    #[error(
        "the key may not sign (keyUsage has no digitalSignature), so it cannot show that it is yours; take a certificate for authentication"
    )]
    NoSignature,
    /// keyUsage: no such thing.
    #[error(
        "keyUsage is not DER (a BIT STRING of at most nine bits, without zeros at its end: X.690, 11.2); have the certificate issued anew"
    )]
    KeyUsage,
    /// No extKeyUsage.
    #[error(
        "the certificate does not say what it is for (no extKeyUsage); only one for client authentication or smart card logon is accepted"
    )]
    NoPurposes,
    /// extKeyUsage: more than are looked at.
    #[error(
        "the certificate has {0} purposes (extKeyUsage), of which at most {PURPOSES} can be proved; have it issued with fewer"
    )]
    TooManyPurposes(usize),
    /// extKeyUsage: no such thing.
    #[error("extKeyUsage is not DER; have the certificate issued anew")]
    Purposes,
    /// extKeyUsage: a server's.
    #[error(
        "this is the certificate of a server (extKeyUsage has serverAuth), not of a client; only clientAuth and smart card logon count"
    )]
    Server,
    /// extKeyUsage: an OCSP responder's.
    #[error(
        "this is the certificate of an OCSP responder (extKeyUsage has OCSPSigning), not of a client; only clientAuth and smart card logon count"
    )]
    OcspResponder,
    /// extKeyUsage: anyExtendedKeyUsage without a purpose that counts.
    #[error(
        "the certificate is for any purpose (anyExtendedKeyUsage), and does not say that its holder is a client; only clientAuth and smart card logon count"
    )]
    AnyPurpose,
    /// extKeyUsage: not the purpose that the schema names.
    #[error(
        "the certificate does not have the purpose that the schema names (extKeyUsage); take one that was issued for it"
    )]
    NotNamed,
    /// extKeyUsage: others.
    #[error(
        "the certificate is for neither client authentication nor smart card logon (extKeyUsage); take one that is"
    )]
    OtherPurposes,
}
