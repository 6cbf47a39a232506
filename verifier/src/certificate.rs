//! Certificates: what a valid issuance earns ([`tbs`]), and whether a certificate is what its entry earns ([`verify`]).
//!
//! [`verify`] works offline, from the CA's certificate and the extra data of its tlog-proof: that the CA signed it, and
//! that it is what its entry earns. That the entry is logged is the rest of the tlog-proof's to say (`bauta-log`).

use bauta_statement::certificate::evidence::EvidenceError;
use bauta_statement::certificate::identity::NotOurs;
use bauta_statement::certificate::{
    Ca, Evidence, LeafFacts, OutsideCertificate, PresentedIdentity, ProfileError, Pseudonym, Tbs,
    disassemble, leaf,
};
use bauta_statement::presentation::{Opening, OpeningError};
use thiserror::Error;

use crate::ledger::ValidIssuance;

/// Why a valid issuance earns no certificate with these openings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum EarnError {
    #[error(transparent)]
    Opening(#[from] OpeningError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// The TBS of the certificate that a valid issuance earns, the same as `statement::certificate::leaf::tbs` makes from the
/// entry's bytes, without decoding the presentation again. Signers sign this; the service makes it before it logs the entry,
/// so that an entry with unfit openings never gets that far.
///
/// # Errors
/// [`EarnError`]: openings that do not open, or are not what the policy discloses; a time outside the CA's validity.
pub fn tbs(valid: &ValidIssuance, openings: &[Opening]) -> Result<Tbs, EarnError> {
    valid.claim.open(openings)?;
    let pseudonym = match valid.claim.nullifier() {
        Some(nullifier) => Pseudonym::from_nullifier(nullifier),
        None => Pseudonym::from_key(&valid.issuance.nonce, valid.key.spki()),
    };
    let facts = LeafFacts {
        entry: &valid.entry,
        time: valid.time,
        policy: &valid.policy.name,
        policy_digest: valid.issuance.policy,
        lifetime: valid.policy.certificate.lifetime_seconds,
        pseudonym,
        key: &valid.key,
        disclosed: leaf::named(&valid.policy.disclose, openings)?,
    };
    let authority = &valid.authority;
    let ca = Ca::new(
        &valid.ca.certificate,
        &authority.trust_domain,
        authority.enterprise_number,
    )?;
    Ok(facts.tbs(&ca)?)
}

/// A certificate that is what its entry earns. Made only by [`verify`].
#[derive(Debug)]
pub struct VerifiedCertificate {
    identity: PresentedIdentity,
    entry: Vec<u8>,
}

impl VerifiedCertificate {
    /// Whom it certifies, and for how long.
    pub fn identity(&self) -> &PresentedIdentity {
        &self.identity
    }

    /// The entry, whose inclusion the tlog-proof must now prove.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum CertificateError {
    #[error(
        "the CA certificate is not one of Bauta's, or its own signature does not verify: use the ca.pem of this CA"
    )]
    Ca,
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    #[error(
        "the certificate's signature does not verify under the CA's key: it is of another CA, or was changed"
    )]
    Signature,
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error(
        "the certificate is not the one that the entry in the proof earns: it was issued outside the log, or the proof is another's"
    )]
    NotTheEntrys,
}

/// Checks a certificate (DER) against the CA's certificate (DER), which the caller trusts, and the extra data of its
/// tlog-proof. It says nothing of the time: whether the certificate is still good, compare
/// [`PresentedIdentity::not_after`].
///
/// # Errors
/// [`CertificateError`], by culprit.
pub fn verify(
    certificate: &[u8],
    ca: &[u8],
    extra_data: &[u8],
) -> Result<VerifiedCertificate, CertificateError> {
    let identity = PresentedIdentity::from_der(certificate)?;
    let ca = checked_ca(ca, identity.enterprise_number)?;
    let (tbs, signature) = disassemble(certificate).map_err(|_| CertificateError::Signature)?;
    if !is_signed(&ca.key, &tbs, &signature) {
        return Err(CertificateError::Signature);
    }
    let evidence = Evidence::decode(extra_data)?;
    if evidence.tbs(&ca)?.as_bytes() != tbs {
        return Err(CertificateError::NotTheEntrys);
    }
    Ok(VerifiedCertificate {
        identity,
        entry: evidence.entry,
    })
}

/// The CA of a self-signed certificate whose signature verifies.
fn checked_ca(certificate: &[u8], enterprise_number: u32) -> Result<Ca, CertificateError> {
    let ca =
        Ca::from_certificate(certificate, enterprise_number).map_err(|_| CertificateError::Ca)?;
    let (tbs, signature) = disassemble(certificate).map_err(|_| CertificateError::Ca)?;
    if is_signed(&ca.key, &tbs, &signature) {
        Ok(ca)
    } else {
        Err(CertificateError::Ca)
    }
}

/// Whether `issuer`, a certificate of any CA, issued `certificate`: the names follow, and the signature verifies, by the
/// algorithms that TLS libraries use. Nothing is said of time, nor of what the issuer may do.
pub fn is_issued_by(certificate: &OutsideCertificate, issuer: &OutsideCertificate) -> bool {
    let Ok(key) = issuer.public_key() else {
        return false;
    };
    certificate.issuer == issuer.subject
        && webpki::ALL_VERIFICATION_ALGS
            .iter()
            .filter(|one| {
                one.public_key_alg_id().as_ref() == key.algorithm()
                    && one.signature_alg_id().as_ref() == certificate.signature_algorithm
            })
            .any(|one| {
                one.verify_signature(key.bits(), &certificate.signed, &certificate.signature)
                    .is_ok()
            })
}

fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    webpki::aws_lc_rs::ED25519
        .verify_signature(key, message, signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use bauta_statement::certificate::{assemble, ca};
    use bauta_statement::csr::PublicKey;
    use bauta_statement::entry::{Body, Entry, Issuance};
    use bauta_statement::file::key_operation::{CaSubject, SignCaCertificate};
    use bauta_statement::file::{self};
    use bauta_statement::note::sha256;
    use ed25519_dalek::{Signer as _, SigningKey};
    use rustls_pki_types::{CertificateDer, UnixTime};
    use webpki::{EndEntityCert, KeyUsage};

    const NOW: u64 = 1_795_305_600;
    const POLICY: &str = "bauta/v1/policy\ntrust-domain: example.org\nname: open\nversion: 1\n\
        expires: 2027-11-22T00:00:00Z\n\n\
        {\"name\":\"open\",\"issuer_set\":\"members\",\"schema\":\"employee\",\"unbounded\":true}\n";

    struct World {
        ca_key: SigningKey,
        operation: SignCaCertificate,
        evidence: Evidence,
    }

    impl World {
        fn new() -> Self {
            let ca_key = SigningKey::from_bytes(&[3; 32]);
            let operation = SignCaCertificate {
                key: "2026".into(),
                group_key: ca_key.verifying_key().to_bytes(),
                subject: CaSubject {
                    country: None,
                    organization: None,
                    common_name: "Bauta example CA".into(),
                },
                not_before: NOW - 86_400,
                not_after: NOW + 86_400,
                path_length: 0,
            };
            let request = std::fs::read(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../vectors/csr/p256.der"
            ))
            .unwrap();
            let key = crate::csr::verify(&request).unwrap();
            Self {
                ca_key,
                operation,
                evidence: evidence(&key, NOW),
            }
        }

        fn ca(&self) -> Ca {
            Ca::new(&self.operation, "example.org", 32_473).unwrap()
        }

        fn sign(&self, tbs: &Tbs) -> Vec<u8> {
            assemble(tbs, &self.ca_key.sign(tbs.as_bytes()).to_bytes()).unwrap()
        }

        fn ca_certificate(&self) -> Vec<u8> {
            self.sign(&ca::tbs(&self.operation, &[6; 32], "example.org").unwrap())
        }

        fn leaf(&self) -> Vec<u8> {
            self.sign(&self.evidence.tbs(&self.ca()).unwrap())
        }
    }

    fn evidence(key: &PublicKey, time: u64) -> Evidence {
        let issuance = Issuance {
            policy: sha256(POLICY.as_bytes()),
            epoch: 1,
            ca_key: [0; 32],
            nonce: [9; 32],
            expiry: time + 100,
            key: key.spki().to_vec(),
            presentation: include_bytes!("../../vectors/certificate/presentation.bin").to_vec(),
        };
        let entry = Entry::new(time, Body::Issuance(issuance)).encode().unwrap();
        Evidence {
            entry,
            openings: vec![],
            policy: POLICY.to_owned(),
        }
    }

    /// What signers make from a valid issuance, and what an auditor makes from the entry's bytes, are the same.
    #[test]
    fn a_valid_issuance_earns_what_its_entry_earns() {
        let mut world = crate::ledger::tests::world::World::running();
        let key = crate::ledger::tests::world::ed25519_spki(1);
        for policy in ["guests", "staff"] {
            let issuance = world.show(policy, &key, 7, 0);
            let index = world.ledger.size();
            world.issue(issuance);
            let valid = world.ledger.valid_issuance(index).unwrap();
            if policy == "staff" {
                let error = tbs(valid, &[]).unwrap_err();
                assert_eq!(
                    error,
                    EarnError::Opening(OpeningError::Slots),
                    "it discloses the country"
                );
                continue;
            }
            let ca = Ca::new(
                &valid.ca.certificate,
                &valid.authority.trust_domain,
                valid.authority.enterprise_number,
            )
            .unwrap();
            let of_entry = leaf::tbs(&valid.entry, &valid.policy, &[], &ca).unwrap();
            assert_eq!(tbs(valid, &[]).unwrap(), of_entry);
        }
    }

    #[test]
    fn a_certificate_verifies_with_its_own_evidence() {
        let world = World::new();
        let verified = verify(
            &world.leaf(),
            &world.ca_certificate(),
            &world.evidence.encode(),
        )
        .unwrap();
        assert_eq!(verified.identity().policy, "open");
        assert_eq!(verified.entry(), world.evidence.entry);
    }

    #[test]
    fn with_anothers_evidence_it_does_not() {
        let world = World::new();
        let (leaf, ca) = (world.leaf(), world.ca_certificate());
        let key = PublicKey::from_spki(&{
            let Body::Issuance(issuance) = Entry::decode(&world.evidence.entry).unwrap().body
            else {
                panic!()
            };
            issuance.key
        })
        .unwrap();
        let later = evidence(&key, NOW + 1).encode();
        assert_eq!(
            verify(&leaf, &ca, &later).unwrap_err(),
            CertificateError::NotTheEntrys
        );
        let mut other_policy = world.evidence.clone();
        other_policy.policy = other_policy.policy.replace("members", "friends");
        let error = verify(&leaf, &ca, &other_policy.encode()).unwrap_err();
        assert_eq!(
            error,
            CertificateError::Evidence(EvidenceError::OtherPolicy)
        );
        assert_eq!(
            verify(&leaf, &ca, &[]).unwrap_err(),
            CertificateError::Evidence(EvidenceError::Malformed)
        );
    }

    /// A colluding quorum that signs what the log does not have is found out here.
    #[test]
    fn a_certificate_that_its_entry_does_not_earn_is_refused() {
        let world = World::new();
        let file::Body::Policy(policy) = file::parse_text(POLICY).unwrap().1 else {
            panic!()
        };
        let mut longer = world.ca();
        longer.not_after = NOW + 10 * 86_400;
        let tbs = leaf::tbs(&world.evidence.entry, &policy, &[], &longer).unwrap();
        assert_eq!(
            tbs,
            world.evidence.tbs(&world.ca()).unwrap(),
            "lifetime, not the CA's end, is the limit here"
        );
        let mut misnamed = world.ca();
        misnamed.trust_domain = "example.com".into();
        let tbs = leaf::tbs(&world.evidence.entry, &policy, &[], &misnamed).unwrap();
        let error = verify(
            &world.sign(&tbs),
            &world.ca_certificate(),
            &world.evidence.encode(),
        )
        .unwrap_err();
        assert_eq!(error, CertificateError::NotTheEntrys);
    }

    #[test]
    fn another_ca_or_a_changed_certificate_is_refused() {
        let mut world = World::new();
        let (leaf, ca, extra) = (
            world.leaf(),
            world.ca_certificate(),
            world.evidence.encode(),
        );
        for at in 0..leaf.len() {
            let mut bad = leaf.clone();
            bad[at] ^= 1;
            assert!(verify(&bad, &ca, &extra).is_err(), "{at}");
        }
        for at in (0..ca.len()).rev() {
            let mut bad = ca.clone();
            bad[at] ^= 1;
            assert_eq!(
                verify(&leaf, &bad, &extra).unwrap_err(),
                CertificateError::Ca,
                "{at}"
            );
        }
        world.ca_key = SigningKey::from_bytes(&[4; 32]);
        world.operation.group_key = world.ca_key.verifying_key().to_bytes();
        assert_eq!(
            verify(&leaf, &world.ca_certificate(), &extra).unwrap_err(),
            CertificateError::Signature
        );
    }

    /// webpki, as rustls uses it, accepts leaf under CA for both uses, and not past its end.
    #[test]
    fn webpki_builds_the_chain() {
        let world = World::new();
        let (leaf, ca) = (
            CertificateDer::from(world.leaf()),
            CertificateDer::from(world.ca_certificate()),
        );
        let anchor = webpki::anchor_from_trusted_cert(&ca).unwrap();
        let end_entity = EndEntityCert::try_from(&leaf).unwrap();
        let at = |seconds: u64, usage| {
            end_entity
                .verify_for_usage(
                    &[webpki::aws_lc_rs::ED25519],
                    std::slice::from_ref(&anchor),
                    &[],
                    UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                    usage,
                    None,
                    None,
                )
                .map(drop)
        };
        at(NOW, KeyUsage::client_auth()).unwrap();
        at(NOW, KeyUsage::server_auth()).unwrap();
        at(NOW - 60, KeyUsage::client_auth()).unwrap();
        at(NOW + 600, KeyUsage::client_auth()).unwrap();
        at(NOW - 61, KeyUsage::client_auth()).unwrap_err();
        at(NOW + 601, KeyUsage::client_auth()).unwrap_err();
    }

    /// The vectors' hierarchy, as rustls sees it: a leaf, the issuing CA as a root certified it, and the root; and in the time of
    /// two CA keys under one name, each leaf under its own.
    #[test]
    fn webpki_builds_the_chain_to_a_root_and_over_a_rotation() {
        let vector = |name: &str| {
            let path = format!(
                "{}/../vectors/certificate/{name}.hex",
                env!("CARGO_MANIFEST_DIR")
            );
            let hex = std::fs::read_to_string(path).unwrap();
            CertificateDer::from(
                data_encoding::HEXLOWER
                    .decode(hex.trim().as_bytes())
                    .unwrap(),
            )
        };
        let verify = |leaf: &CertificateDer<'_>,
                      roots: &[CertificateDer<'_>],
                      above: &[CertificateDer<'_>]| {
            let anchors: Vec<_> = roots
                .iter()
                .map(|root| webpki::anchor_from_trusted_cert(root).unwrap())
                .collect();
            EndEntityCert::try_from(leaf)
                .unwrap()
                .verify_for_usage(
                    &[webpki::aws_lc_rs::ED25519],
                    &anchors,
                    above,
                    UnixTime::since_unix_epoch(Duration::from_secs(NOW)),
                    KeyUsage::client_auth(),
                    None,
                    None,
                )
                .map(drop)
        };
        let [leaf, subordinate, root] = ["leaf", "subordinate", "root"].map(vector);
        verify(&leaf, std::slice::from_ref(&root), &[subordinate]).unwrap();
        verify(&leaf, &[root], &[]).unwrap_err();

        let old = World::new();
        let mut new = World::new();
        new.ca_key = SigningKey::from_bytes(&[4; 32]);
        new.operation.group_key = new.ca_key.verifying_key().to_bytes();
        let both = [&old, &new].map(|world| CertificateDer::from(world.ca_certificate()));
        for world in [&old, &new] {
            let leaf = CertificateDer::from(world.leaf());
            verify(&leaf, &both, &[]).unwrap();
        }
        verify(&CertificateDer::from(new.leaf()), &both[..1], &[]).unwrap_err();
    }
}
