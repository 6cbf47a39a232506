//! Validity of the key operations by which CAs certify each other, and what a key's certificates are in the log.
use bauta_statement::file::KeyOperation;
use bauta_statement::file::authority::{Authority, CaKey};
use bauta_statement::file::hierarchy::{
    InstallCaCertificate, Purpose, RequestCaCertificate, SignSubordinateCa,
};
use bauta_statement::file::key_operation::{CaSubject, SignCaCertificate};

use super::authority::listed;
use super::state::{Files, Logged};

/// The key's own certificate, as it was ordered last: it says what the CA is called.
pub(super) fn own_certificate<'a>(
    files: &'a Files,
    group_key: &[u8; 32],
) -> Option<(&'a Logged<KeyOperation>, &'a SignCaCertificate)> {
    files
        .key_operations()
        .filter_map(|logged| match logged.body.as_ref() {
            KeyOperation::SignCaCertificate(sign) if sign.group_key == *group_key => {
                Some((logged, sign))
            }
            _ => None,
        })
        .max_by_key(|(logged, _)| logged.index)
}

/// The certificates that other CAs made for the key, the last one logged first.
pub(super) fn installed<'a>(
    files: &'a Files,
    group_key: &[u8; 32],
) -> Vec<(&'a Logged<KeyOperation>, &'a InstallCaCertificate)> {
    let mut all: Vec<_> = files
        .key_operations()
        .filter_map(|logged| match logged.body.as_ref() {
            KeyOperation::InstallCaCertificate(install) if install.group_key == *group_key => {
                Some((logged, install))
            }
            _ => None,
        })
        .collect();
    all.sort_by_key(|(logged, _)| std::cmp::Reverse(logged.index));
    all
}

const PATH_LENGTH: &str = "an issuing key has path length 0, a root's key 1 or more";
const NO_CERTIFICATE: &str =
    "the key has no certificate of its own, which says what the CA is called: order that first";

/// The key's own name; every certificate of the key has it, since it is the issuer's name in leaves.
fn own_name<'a>(files: &'a Files, key: &CaKey) -> Result<&'a SignCaCertificate, &'static str> {
    own_certificate(files, &key.group_key)
        .map(|(_, sign)| sign)
        .ok_or(NO_CERTIFICATE)
}

pub(super) fn check_self_signed(
    authority: &Authority,
    sign: &SignCaCertificate,
    time: u64,
) -> Result<(), &'static str> {
    let key = listed(authority, &sign.key, &sign.group_key)?;
    if !key.purpose.fits(sign.path_length) {
        return Err(PATH_LENGTH);
    }
    // A root may stand beside issuing keys in one log, and then needs a name of its own.
    if key.purpose.is_issuing() && sign.subject.common_name != authority.ca_name {
        return Err("the certificate's common name is not the authority's ca_name");
    }
    if sign.not_after <= time {
        return Err("the certificate would have expired");
    }
    Ok(())
}

pub(super) fn check_request(
    files: &Files,
    authority: &Authority,
    request: &RequestCaCertificate,
) -> Result<(), &'static str> {
    let key = listed(authority, &request.key, &request.group_key)?;
    if !key.purpose.fits(request.path_length) {
        return Err(PATH_LENGTH);
    }
    same_name(&request.subject, &own_name(files, key)?.subject)
}

pub(super) fn check_subordinate(
    files: &Files,
    authority: &Authority,
    sign: &SignSubordinateCa,
    time: u64,
) -> Result<(), &'static str> {
    let root = listed(authority, &sign.key, &sign.group_key)?;
    if root.purpose != Purpose::Root {
        return Err("an issuing key certifies no CA; a key is a root from its generation on");
    }
    let own = own_name(files, root)?;
    same_name(&sign.issuer, &own.subject)?;
    if sign.path_length >= own.path_length {
        return Err("the path length is not below the root's");
    }
    if sign.not_before < own.not_before || sign.not_after > own.not_after {
        return Err("the validity is not within the root certificate's");
    }
    if sign.not_after <= time {
        return Err("the certificate would have expired");
    }
    // A key of this log is known for what it is.
    if let Some(key) = authority
        .ca_keys
        .iter()
        .find(|key| key.group_key == sign.subject_key)
    {
        if !key.purpose.fits(sign.path_length) {
            return Err(PATH_LENGTH);
        }
        if sign.trust_domain != authority.trust_domain {
            return Err("the certified key is this log's, and the trust domain is not");
        }
    }
    Ok(())
}

pub(super) fn check_install(
    files: &Files,
    authority: &Authority,
    install: &InstallCaCertificate,
    time: u64,
) -> Result<(), &'static str> {
    let key = listed(authority, &install.key, &install.group_key)?;
    let own = own_name(files, key)?;
    same_name(&install.subject, &own.subject)?;
    let certificate = install
        .read()
        .map_err(|_| "the certificate does not decode")?;
    // Under such a certificate, what a root certified would verify for nobody.
    if certificate
        .path_length
        .is_some_and(|found| found < own.path_length)
    {
        return Err("the certificate's path length is below that of the key's own");
    }
    if certificate.not_after <= time {
        return Err("the certificate has expired");
    }
    Ok(())
}

fn same_name(said: &CaSubject, own: &CaSubject) -> Result<(), &'static str> {
    if said != own {
        return Err("the CA's name is not that of its own certificate");
    }
    Ok(())
}
