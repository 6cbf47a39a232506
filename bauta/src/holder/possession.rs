//! Possession of an ordinary certificate: from the holder's files to the credential that the relation reads, and the one signature that it
//! wants of the certificate's key.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bauta_circuits::possession::x509_rsa::X509RsaError;
use bauta_prover::credential::{Credential, X509RsaCredential};
use bauta_prover::wallet::Stored;
use bauta_statement::rsa_key::{MODULUS_LEN, POSSESSION_MESSAGE, RsaPublicKey};
use bauta_statement::schema::Schema;
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::token::TokenKey;
use super::x509;

/// A CA of the policy's issuer set, and the schema by which its certificates are read.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) name: String,
    pub(crate) key: RsaPublicKey,
    pub(crate) schema: Schema,
}

/// A certificate that the holder offers, with its key.
pub(crate) struct Identity {
    certificate: Vec<u8>,
    key: Key,
}

enum Key {
    File(Arc<CertifiedKey>),
    Token(Box<TokenKey>),
}

impl Identity {
    /// Reads a certificate and its key: from files, which must belong together, or from a PKCS#11 token (RFC 7512), where the certificate
    /// may be too.
    pub(crate) fn load(certificate: &str, key: &str, now: u64) -> anyhow::Result<Self> {
        if !TokenKey::is_uri(key) {
            if TokenKey::is_uri(certificate) {
                bail!(
                    "the certificate is on a token and its key is said to be in a file: name the key on the token, or the certificate's file"
                );
            }
            let identity = x509::load(Path::new(certificate), Path::new(key), now)?;
            let key = identity.certified_key();
            let leaf = key.cert.first().context("there is no certificate")?;
            return Ok(Self {
                certificate: leaf.to_vec(),
                key: Key::File(key),
            });
        }
        let token = TokenKey::parse(key)?;
        let found = if certificate == key {
            token.certificate()?
        } else if TokenKey::is_uri(certificate) {
            TokenKey::parse(certificate)?.certificate()?
        } else {
            Some(x509::certificate(Path::new(certificate))?)
        };
        let found = found.context(
            "the token has no certificate beside the key: give its file with --x509, or the URI of another object",
        )?;
        x509::in_time(&found, Path::new(certificate), now)?;
        Ok(Self {
            certificate: found,
            key: Key::Token(Box::new(token)),
        })
    }

    /// The certificate as a credential of the CA that issued it.
    pub(crate) fn credential(
        &self,
        authorities: &[Authority],
    ) -> anyhow::Result<X509RsaCredential> {
        if authorities.is_empty() {
            bail!(
                "the policy accepts no X.509 CA that has a current revocation list: enrol at a desk, or choose another policy"
            );
        }
        let mut reason = None;
        for authority in authorities {
            let (key, schema) = (authority.key.clone(), authority.schema.clone());
            match X509RsaCredential::read(self.certificate.clone(), key, schema) {
                Ok(credential) => return Ok(credential),
                Err(X509RsaError::IssuerSignature) => {}
                // Of another CA's schema it may be another; what the certificate is matters more than whose it is.
                Err(error) => reason = Some(error),
            }
        }
        match reason {
            Some(error) => Err(error.into()),
            None => {
                let names: Vec<&str> = authorities.iter().map(|one| one.name.as_str()).collect();
                bail!(
                    "none of the CAs that the policy accepts ({}) issued this certificate: use one of theirs, or another policy",
                    names.join(", ")
                )
            }
        }
    }

    /// The signature of the fixed message by the certificate's key.
    pub(crate) fn sign(&self) -> anyhow::Result<Zeroizing<[u8; MODULUS_LEN]>> {
        let key = match &self.key {
            Key::Token(token) => return token.sign(POSSESSION_MESSAGE),
            Key::File(key) => key,
        };
        let signer = key
            .key
            .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
            .context("the private key is not RSA: use the one that belongs to the certificate")?;
        let signature = Zeroizing::new(signer.sign(POSSESSION_MESSAGE)?);
        let mut octets = Zeroizing::new([0; MODULUS_LEN]);
        if signature.len() != MODULUS_LEN {
            bail!("the private key is not RSA-2048: use a certificate with such a key");
        }
        octets.copy_from_slice(&signature);
        Ok(octets)
    }
}

/// What a wallet holds once this certificate is in it: what it held, if that was the same one. A wallet has one credential.
pub(crate) fn stored(
    before: Option<Stored>,
    credential: X509RsaCredential,
) -> anyhow::Result<Stored> {
    let credential = Credential::X509Rsa(Box::new(credential));
    match before {
        Some(before) if before.credential.native().is_some() => bail!(
            "this wallet holds an enrolled credential: name another folder with --wallet for the certificate"
        ),
        Some(before) if before.credential == credential => Ok(before),
        _ => Ok(Stored {
            credential,
            possession: None,
            policies: Vec::new(),
            uses: Vec::new(),
        }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bauta_circuits::Circuit as _;
    use bauta_circuits::possession::x509_rsa::Standard;
    use bauta_prover::prove::RelationProof;
    use bauta_prover::wallet::StoredPolicy;
    use bauta_statement::credential::{HolderSecret, IssuedCredential};
    use bauta_statement::eddsa::SigningKey;
    use bauta_statement::field::Fr;
    use bauta_statement::relation::Relation;
    use bauta_statement::vector::AttributeValue;
    use x509_cert::Certificate;
    use x509_cert::der::DecodePem;

    const NOW: u64 = 1_800_000_000;

    fn path(name: &str) -> String {
        format!("{}/../vectors/x509_rsa/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    pub(in crate::holder) fn authority(name: &str, file: &str) -> Authority {
        let pem = std::fs::read(path(file)).unwrap();
        let certificate = Certificate::from_pem(pem).unwrap();
        let key = certificate.tbs_certificate().subject_public_key_info();
        let schema = r#"{"name": "employee", "subject_key": "email", "attributes": [
            {"slot": 6, "name": "department", "type": "text", "source": {"subject": "2.5.4.11"}},
            {"slot": 8, "name": "email", "type": "text", "source": {"san": "email"}, "required": true}
        ]}"#;
        Authority {
            name: name.into(),
            key: RsaPublicKey::from_pkcs1(key.subject_public_key.raw_bytes()).unwrap(),
            schema: Schema::from_json(schema.as_bytes()).unwrap(),
        }
    }

    fn loaded(certificate: &str) -> Identity {
        Identity::load(&path(certificate), &path("client.key"), NOW).unwrap()
    }

    #[test]
    fn a_certificate_is_its_ca_s_and_signs_once() {
        let authorities = [
            authority("other", "other_ca.pem"),
            authority("acme", "ca.pem"),
        ];
        let identity = loaded("openssl.pem");
        let credential = identity.credential(&authorities).unwrap();
        let department = AttributeValue::Text("Research".into());
        let found = Credential::X509Rsa(Box::new(credential.clone())).attributes();
        assert_eq!(found.get(1), Some(&department));
        let expected = std::fs::read(path("possession.sig")).unwrap();
        assert_eq!(identity.sign().unwrap().as_slice(), expected);
        // The relation's own native check takes it.
        let witness = credential.witness::<Standard>(identity.sign().unwrap());
        assert_eq!(witness.unwrap().check(), Ok(()));
    }

    #[test]
    fn what_is_refused_says_why() {
        let acme = || [authority("acme", "ca.pem")];
        let refused = |certificate: &str, authorities: &[Authority]| {
            let error = loaded(certificate).credential(authorities).unwrap_err();
            error.to_string()
        };
        assert!(
            refused("bad_other_ca.pem", &acme())
                .contains("none of the CAs that the policy accepts (acme)")
        );
        assert!(refused("bad_server.pem", &acme()).contains("certificate of a server"));
        assert!(refused("bad_two_emails.pem", &acme()).contains("2 values for email"));
        assert!(refused("openssl.pem", &[]).contains("enrol at a desk"));
        let stolen = Identity::load(&path("openssl.pem"), &path("other_client.key"), NOW);
        let error = stolen.err().unwrap().to_string();
        assert!(error.contains("belongs to the key"), "{error}");
        let late = Identity::load(&path("openssl.pem"), &path("client.key"), 4_800_000_000);
        assert!(late.is_err());
    }

    /// A wallet has one credential: an enrolled one is not lost to a certificate, and the proofs of a certificate are not another's.
    #[test]
    fn a_wallet_keeps_what_it_has() {
        let read = |name: &str| {
            let credential = loaded(name).credential(&[authority("acme", "ca.pem")]);
            credential.unwrap()
        };
        let mut before = stored(None, read("openssl.pem")).unwrap();
        before.policies.push(StoredPolicy {
            policy: [1; 32],
            epoch: 1,
            proof: proof(),
        });
        let same = stored(Some(before.clone()), read("openssl.pem")).unwrap();
        assert_eq!(same, before);
        let renewed = stored(Some(before), read("step.pem")).unwrap();
        assert!(renewed.policies.is_empty());

        let mut rng = rand::rngs::OsRng;
        let holder = HolderSecret::generate(&mut rng);
        let issued = IssuedCredential::sign(
            &SigningKey::generate(&mut rng),
            &mut rng,
            Fr::from(8u64),
            1,
            2,
            3,
            std::array::from_fn(|_| AttributeValue::Absent),
            holder.commitment(),
        );
        let enrolled = Stored {
            credential: Credential::Native(issued.accept(holder).unwrap()),
            possession: None,
            policies: Vec::new(),
            uses: Vec::new(),
        };
        let error = stored(Some(enrolled), read("openssl.pem")).unwrap_err();
        assert!(error.to_string().contains("--wallet"));
    }

    fn proof() -> RelationProof {
        let key = bauta_setup::development(Relation::Nullifier).unwrap();
        RelationProof {
            relation: Relation::Policy,
            key: [0; 32],
            public: Vec::new(),
            a: key.vk.alpha_g1,
            b: key.vk.beta_g2,
            c: key.vk.alpha_g1,
        }
    }
}
