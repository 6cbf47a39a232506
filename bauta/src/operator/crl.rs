//! A CA's CRL as its tools leave it, and as the log takes it.

use std::path::Path;

use bauta_statement::crl::Crl;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;

use crate::print::{Exit, Failure};

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
