//! A CA's CRL as its tools leave it, and as the log takes it.

use std::path::Path;

use bauta_statement::crl::Crl;
use bauta_statement::file::text::format_time;
use bauta_statement::note;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;

use crate::hex;
use crate::print::{Exit, Failure, Printer};

/// The largest file in which the largest CRL that the log takes may be: PEM is a third longer than DER.
pub(crate) const LARGEST_FILE: u64 = 2 * note::MAX_NOTE_BYTES as u64;

/// A CRL in a file, as the log takes it: in DER, whether it is in PEM or in DER there. `None` if the file holds no CRL.
pub(crate) fn of_file(bytes: &[u8], path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let der = if Crl::is_one(bytes) {
        bytes.to_vec()
    } else if bytes.starts_with(b"bauta/v1/") {
        return Ok(None);
    } else {
        let lists = CertificateRevocationListDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new(Exit::Wrong, format!("{}: {error:?}", path.display())))?;
        match lists.as_slice() {
            [] => return Ok(None),
            [one] => one.to_vec(),
            more => {
                return Err(Failure::new(
                    Exit::Wrong,
                    format!(
                        "{} holds {} CRLs: give each in a file of its own",
                        path.display(),
                        more.len()
                    ),
                ));
            }
        }
    };
    Crl::from_der(&der)
        .map_err(|error| Failure::new(Exit::Wrong, format!("{}: {error}", path.display())))?;
    Ok(Some(der))
}

/// Prints what a CRL says, and by which digest the log will name it. Whose it is only the log's issuer sets tell.
pub(crate) fn describe(der: &[u8], printer: Printer) -> anyhow::Result<()> {
    let crl = Crl::from_der(der)?;
    let (from, until) = (format_time(crl.this_update)?, format_time(crl.next_update)?);
    let digest = hex(&note::sha256(der));
    let value = serde_json::json!({
        "type": "crl", "number": crl.number, "serials": crl.serials.len(), "this_update": from, "next_update": until,
        "digest": digest,
    });
    printer.result(
        &value,
        format!(
            "CRL number {} is well-formed: {} serials, from {from} to {until}, digest {digest}; its signature is judged in the log",
            crl.number,
            crl.serials.len()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let path = format!("{}/../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_crl_is_taken_in_both_forms() {
        let path = Path::new("list");
        let der = vector("crl/two.der");
        assert_eq!(of_file(&der, path).unwrap(), Some(der.clone()));
        assert_eq!(of_file(&vector("crl/two.pem"), path).unwrap(), Some(der));
        assert_eq!(of_file(b"bauta/v1/policy\n", path).unwrap(), None);
        assert_eq!(of_file(b"{}", path).unwrap(), None);
        let two = vector("crl/two.pem").repeat(2);
        for (bytes, what) in [
            (two, "2 CRLs"),
            (vector("crl/bad_delta.der"), "complete CRL"),
        ] {
            let error = of_file(&bytes, path).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("list"), "{error}");
        }
    }
}
