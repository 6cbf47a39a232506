//! An X.509 CA among the issuers: the CRLs that an epoch names, and what of them a service could get wrong.

use bauta_statement::file::issuer_set::X509RsaIssuer;

use super::*;

/// A world whose set has a CA besides, with these CRLs in the epoch.
fn with_ca(names: &[&str]) -> World {
    let mut world = World::new();
    world.set.issuers.push(Issuer::X509Rsa(X509RsaIssuer {
        name: "acme".into(),
        public_key: ca_key(),
        schema: "employee".into(),
        revocation_quota: 10,
    }));
    world.crls = names
        .iter()
        .map(|name| crl_vector(&format!("{name}.der")))
        .collect();
    world
}

#[test]
fn crls_are_their_cas_and_the_tree_follows_from_them() {
    // Three native serials and three of the CA, of which the newest CRL has two.
    let checked = with_ca(&["two", "dropped"]).check().unwrap();
    assert_eq!(checked.revoked.len(), 6);
    // Without the earlier CRL nobody could tell who revoked what the newest does not have.
    let mut world = with_ca(&["two", "dropped"]);
    world.epoch = |epoch| {
        epoch.revocation_lists.remove(0);
    };
    refused!(
        world.check(),
        GuardError::Root("the list of revoked handles")
    );
    for names in [&["other"][..], &["dropped", "other"]] {
        refused!(with_ca(names).check(), GuardError::CrlUnsigned { .. });
    }
    let mut world = with_ca(&["two"]);
    *world.crls[0].last_mut().unwrap() ^= 1;
    refused!(world.check(), GuardError::CrlUnsigned { .. });
    // Objects are only read when they are what the epoch names, and then in full.
    let mut world = with_ca(&[]);
    world.epoch = |epoch| {
        epoch
            .revocation_lists
            .push(sha256(&crl_vector("bad_delta.der")))
    };
    let mut served = world.serve();
    let bad = crl_vector("bad_delta.der");
    served.everything.objects.insert(sha256(&bad), bad);
    refused!(served.check(None, NOW), GuardError::Malformed { .. });
}

#[test]
fn a_ca_without_a_fresh_crl_is_in_no_root() {
    // `serve` computes the root as if every list were fresh.
    refused!(
        with_ca(&[]).check(),
        GuardError::Root("the policy's issuer root")
    );
    // The newest counts, though an earlier one ends later.
    let pem = |name| String::from_utf8(crl_vector(name)).unwrap();
    let key = rcgen::KeyPair::from_pem(&pem("ca.key")).unwrap();
    let signer = rcgen::Issuer::from_ca_cert_pem(&pem("ca.pem"), key).unwrap();
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds);
    for (until, fresh) in [(START + 3599, false), (START + 3600, true)] {
        let newest = rcgen::CertificateRevocationListParams {
            this_update: at(START),
            next_update: at(until),
            crl_number: 9u64.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        for reversed in [false, true] {
            let mut world = with_ca(&["two"]);
            world
                .crls
                .push(newest.signed_by(&signer).unwrap().der().to_vec());
            if reversed {
                world.crls.reverse();
            }
            let checked = world.check();
            if fresh {
                assert_eq!(checked.unwrap().revoked.len(), 5);
            } else {
                refused!(checked, GuardError::Root("the policy's issuer root"));
            }
        }
    }
}

#[test]
fn a_ca_that_is_in_no_set_still_revoked() {
    let mut world = World::new();
    world.crls = vec![crl_vector("two.der")];
    refused!(world.check(), GuardError::CrlUnsigned { .. });
    world.ca_keys = vec![ca_key()];
    assert_eq!(world.check().unwrap().revoked.len(), 5);
}

#[test]
fn a_note_is_no_list_of_a_ca() {
    let mut world = with_ca(&["two"]);
    let Some(Issuer::X509Rsa(ca)) = world.set.issuers.last_mut() else {
        panic!("the CA");
    };
    // The desk's note bears the CA's name.
    ca.name = "desk".into();
    world.set.issuers.remove(0);
    refused!(world.check(), GuardError::ListUnsigned { .. });
}
