//! The CRL of the demonstration's CA in the field, as a CA's own tools publish one: for a month, and anew well before it ends.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bauta_statement::crl::Crl;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason,
    RevokedCertParams, SerialNumber,
};

use super::organisation::{Organisation, ca_certificate, ca_key, time};
use crate::{files, operator::crl};

const DAY: u64 = 86_400;
/// From thisUpdate to nextUpdate.
const VALID: u64 = 30 * DAY;
/// A CRL with less left is followed by the next.
const RENEW: u64 = 7 * DAY;

/// The organisation's newest CRL, in PEM; made where there is none, or where it ends soon.
pub(super) fn publish(
    organisation: &Organisation,
    folder: &Path,
    now: u64,
) -> anyhow::Result<PathBuf> {
    let path = folder.join("crl.pem");
    let former = path.exists().then(|| read(&path)).transpose()?;
    if former
        .as_ref()
        .is_some_and(|crl| crl.next_update > now + RENEW)
    {
        return Ok(path);
    }
    let number = former.map_or(1, |crl| crl.number + 1);
    let text = |path: PathBuf| -> anyhow::Result<String> {
        String::from_utf8(files::read(&path, 65_536)?)
            .with_context(|| format!("{} is no PEM", path.display()))
    };
    let key = KeyPair::from_pem(&text(ca_key(folder))?).context("the CA's key")?;
    let ca = Issuer::from_ca_cert_pem(&text(ca_certificate(folder))?, key)
        .context("the CA's certificate")?;
    let list = CertificateRevocationListParams {
        this_update: time(now).into(),
        next_update: time(now + VALID).into(),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: organisation
            .revoked
            .iter()
            .map(|person| RevokedCertParams {
                serial_number: SerialNumber::from(person.serial),
                revocation_time: time(now).into(),
                reason_code: Some(RevocationReason::AffiliationChanged),
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&ca).context("the CRL")?;
    files::write(&path, list.pem().context("the CRL")?.as_bytes())?;
    Ok(path)
}

fn read(path: &Path) -> anyhow::Result<Crl> {
    let bytes = files::read(path, crl::LARGEST_FILE)?;
    let der =
        crl::of_file(&bytes, path)?.with_context(|| format!("{} is no CRL", path.display()))?;
    Ok(Crl::from_der(&der)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quickstart::organisation::IN_THE_FIELD;

    #[test]
    fn a_crl_is_one_that_the_log_takes_and_is_renewed_in_time() {
        let folder = tempfile::tempdir().unwrap();
        IN_THE_FIELD.make(folder.path()).unwrap();
        let now = 1_800_000_000;
        let at = |now| read(&publish(&IN_THE_FIELD, folder.path(), now).unwrap()).unwrap();
        let first = at(now);
        assert_eq!((first.number, first.this_update), (1, now));
        assert_eq!(first.next_update, now + VALID);
        assert_eq!(first.serials.len(), 1);
        assert_eq!(at(now + VALID - RENEW - 1).number, 1);
        let second = at(now + VALID - RENEW);
        assert_eq!((second.number, second.serials), (2, first.serials));
    }
}
