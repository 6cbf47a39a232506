//! X.509 CAs as issuers, and their CRLs as revocation lists.
use std::collections::BTreeSet;
use std::time::Duration;

use bauta_statement::crl::Crl;
use bauta_statement::epoch::{self, MAX_EARLIER_CRLS, MAX_EARLIER_CRLS_OF_ONE};
use bauta_statement::file::authority::Mode;
use bauta_statement::file::issuer_set::{Issuer, IssuerSet, X509RsaIssuer};
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{Kind, to_text};
use bauta_statement::note::sha256;
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::vector::{Serial, handle};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use serde_json::json;

use super::files::refused;
use super::world::{FAR, HOUR, START, World};
use crate::ledger::{CrlRefusal, Refusal};

pub(super) fn vector(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/../vectors/crl/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

/// A CA that signs whatever CRL a test needs.
pub(super) struct Ca {
    key: RsaPublicKey,
    signer: rcgen::Issuer<'static, KeyPair>,
}

impl Ca {
    pub(super) fn of_vectors(name: &str) -> Self {
        let pem = String::from_utf8(vector(&format!("{name}.pem"))).unwrap();
        let key = String::from_utf8(vector(&format!("{name}.key"))).unwrap();
        let key = KeyPair::from_pem(&key).unwrap();
        Self {
            key: RsaPublicKey::from_pkcs1(key.public_key_raw()).unwrap(),
            signer: rcgen::Issuer::from_ca_cert_pem(&pem, key).unwrap(),
        }
    }

    fn generate() -> Self {
        let key =
            KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        Self {
            key: RsaPublicKey::from_pkcs1(key.public_key_raw()).unwrap(),
            signer: rcgen::Issuer::new(rcgen::CertificateParams::default(), key),
        }
    }

    /// A CRL of these serials, from thisUpdate to nextUpdate (Unix seconds).
    fn crl_for(&self, number: u64, serials: &[u64], from: u64, until: u64) -> Vec<u8> {
        let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        let list = CertificateRevocationListParams {
            this_update: at(from),
            next_update: at(until),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: at(START),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.signer).unwrap().der().to_vec()
    }

    fn crl(&self, number: u64, serials: &[u64]) -> Vec<u8> {
        self.crl_for(number, serials, START, FAR)
    }

    pub(super) fn issuer(&self, name: &str, quota: u32) -> Issuer {
        Issuer::X509Rsa(X509RsaIssuer {
            name: name.into(),
            public_key: self.key.clone(),
            schema: "employee".into(),
            revocation_quota: quota,
        })
    }

    fn handles(&self, serials: &[&[u8]]) -> Vec<u64> {
        serials
            .iter()
            .map(|one| handle(self.key.digest(), &Serial::from_be_bytes(one).unwrap()))
            .collect()
    }
}

pub(super) fn partners(version: u64, issuers: &[Issuer]) -> String {
    let set = IssuerSet {
        issuers: issuers.to_vec(),
    };
    to_text(
        &World::header(Kind::IssuerSet, "partners", version, FAR),
        &set,
    )
    .unwrap()
}

/// A policy without a scope over the set of partners.
pub(super) fn policy() -> String {
    World::json_text(
        Kind::Policy,
        "visitors",
        1,
        &json!({
            "name": "visitors", "issuer_set": "partners", "schema": "employee", "unbounded": true,
            "predicates": [{"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"}]
        }),
    )
}

/// A log whose one issuer is the CA "acme", which may revoke three serials, and has not logged a CRL.
pub(super) fn world(ca: &Ca) -> World {
    let mut world = World::with_ca(Mode::Development, Provenance::Development);
    for text in [
        world.schema_text(1),
        partners(1, &[ca.issuer("acme", 3)]),
        policy(),
    ] {
        let note = world.by_administrators(&text);
        world.submit(note).unwrap();
    }
    world
}

fn reason(refusal: &Refusal) -> Option<&CrlRefusal> {
    match refusal {
        Refusal::CrlOf { name, reason } if name == "acme" => Some(reason),
        _ => None,
    }
}

const LONG: [u8; 20] = [
    0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
];

#[test]
fn what_a_later_crl_drops_stays_revoked() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    for name in ["empty.der", "two.der", "dropped.der"] {
        world.submit(vector(name)).unwrap();
    }
    // In the order of the CRLs and of their entries; the log's order is not the CRL's of today.
    let handles = ca.handles(&[&[0x0a], &LONG, &[0x0b]]);
    assert_eq!(world.ledger.revoked_handles(), handles);
    let epoch = world.next_epoch().unwrap();
    // The empty one has nothing of its own; the second has what the third dropped.
    let named = [sha256(&vector("two.der")), sha256(&vector("dropped.der"))];
    assert_eq!(epoch.revocation_lists, named);
    assert_eq!((epoch.policies.len(), epoch.revocation_count), (1, 3));
    // What a wallet does: the tree follows from the files that the epoch names.
    let from_files = named.iter().flat_map(|digest| {
        Crl::from_der(&world.objects[digest])
            .unwrap()
            .handles(ca.key.digest())
    });
    let tree = epoch::check_revocations(&handles, from_files).unwrap();
    assert_eq!(epoch::encode_root(&tree.root()), epoch.revocation_root);
    let keys: Vec<_> = world.ledger.revoking_keys().cloned().collect();
    assert_eq!(keys, [ca.key]);
}

#[test]
fn an_earlier_crl_is_named_only_while_something_is_in_no_later_one() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    let lists: Vec<Vec<u8>> = [&[1][..], &[2, 1], &[2], &[2, 3], &[1, 3], &[]]
        .iter()
        .zip(1..)
        .map(|(serials, number)| ca.crl(number, serials))
        .collect();
    let mut named = Vec::new();
    for list in &lists {
        world.submit(list.clone()).unwrap();
        let (epoch, _) = world.ledger.preview_epoch(world.time / HOUR).unwrap();
        let of = |digest| lists.iter().position(|one| sha256(one) == digest).unwrap();
        named.push(
            epoch
                .revocation_lists
                .into_iter()
                .map(of)
                .collect::<Vec<_>>(),
        );
        let all: BTreeSet<u64> = world.ledger.revoked_handles().iter().copied().collect();
        let lists = world.ledger.revocation_lists("acme").unwrap();
        assert_eq!(all.len(), lists.revoked());
    }
    assert_eq!(
        named,
        [
            vec![0],
            vec![1],
            vec![1, 2],
            vec![1, 3],
            vec![1, 4],
            vec![1, 4, 5]
        ]
    );
    assert_eq!(world.ledger.revoked_handles().len(), 3);
}

#[test]
fn numbers_go_up_and_no_crl_comes_back() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    world.submit(vector("two.der")).unwrap();
    for (list, found) in [
        (vector("empty.der"), 1),
        (vector("two.der"), 2),
        (ca.crl(2, &[7]), 2),
        (ca.crl(0, &[]), 0),
    ] {
        refused(&mut world, list, |r| {
            reason(r) == Some(&CrlRefusal::Number { found, last: 2 })
        });
    }
    let mark = world.ledger.mark();
    let list = ca.crl(u64::MAX, &[10, 11]);
    world.submit(list.clone()).unwrap();
    refused(&mut world, ca.crl(3, &[]), |r| {
        matches!(reason(r), Some(CrlRefusal::Number { .. }))
    });
    // A head that got no quorum takes its CRL with it.
    world.ledger.rollback(&mark).unwrap();
    assert_eq!(world.ledger.revoked_handles().len(), 2);
    world.submit(list).unwrap();
}

#[test]
fn a_crl_is_by_the_key_of_the_set() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    // Of the same name, and its key in no set.
    refused(&mut world, vector("other.der"), |r| {
        *r == Refusal::UnknownCa && r.to_string().contains("bauta issuer x509")
    });
    let good = vector("two.der");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        refused(&mut world, bad, |_| true);
    }
    let mut longer = good.clone();
    longer.push(0);
    refused(&mut world, longer, |r| matches!(r, Refusal::Crl(_)));
    // The right issuer among several.
    let other = Ca::of_vectors("other");
    let set = partners(2, &[ca.issuer("acme", 3), other.issuer("zenith", 3)]);
    let note = world.by_administrators(&set);
    world.submit(note).unwrap();
    for name in ["other.der", "sha384.der", "sha512.der"] {
        world.submit(vector(name)).unwrap();
    }
    let revoked = |name| world.ledger.revocation_lists(name).unwrap().revoked();
    assert_eq!((revoked("acme"), revoked("zenith")), (1, 1));
    // One serial of two CAs is two handles.
    assert_eq!(world.ledger.revoked_handles().len(), 2);
}

#[test]
fn what_leaves_something_out_is_no_list() {
    let mut world = world(&Ca::of_vectors("ca"));
    for name in [
        "version1",
        "no_number",
        "number_of_65_bits",
        "sha1",
        "pss",
        "critical",
        "delta",
        "indirect",
        "shard",
        "some_reasons",
        "cas_only",
        "attributes_only",
        "removed",
    ] {
        refused(&mut world, vector(&format!("bad_{name}.der")), |r| {
            matches!(r, Refusal::Crl(_))
        });
    }
    let ca = Ca::of_vectors("ca");
    refused(&mut world, ca.crl(8, &[1, 2, 1]), |r| {
        r.to_string().contains("serial 01 twice")
    });
    world.submit(vector("users_only.der")).unwrap();
}

#[test]
fn a_crl_is_of_today() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    let time = world.time;
    refused(&mut world, ca.crl_for(1, &[], time + 121, FAR), |r| {
        matches!(reason(r), Some(CrlRefusal::Early { .. }))
    });
    refused(&mut world, ca.crl_for(1, &[], time - 9, time), |r| {
        matches!(reason(r), Some(CrlRefusal::Expired { .. }))
    });
    world
        .submit(ca.crl_for(1, &[], time + 120, time + 121))
        .unwrap();
    world
        .submit(ca.crl_for(2, &[], time - 9, time + 1))
        .unwrap();
}

#[test]
fn the_quota_is_of_all_serials_ever() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    refused(&mut world, ca.crl(1, &[1, 2, 3, 4]), |r| {
        reason(r) == Some(&CrlRefusal::Quota { found: 4, quota: 3 })
    });
    world.submit(ca.crl(1, &[1, 2])).unwrap();
    world.submit(ca.crl(2, &[3])).unwrap();
    let fourth = ca.crl(3, &[4]);
    refused(&mut world, fourth.clone(), |r| {
        reason(r) == Some(&CrlRefusal::Quota { found: 4, quota: 3 })
            && r.to_string().contains("higher quota")
    });
    // What is revoked already is not counted again.
    let set = |world: &World, version, quota| {
        world.by_administrators(&partners(version, &[ca.issuer("acme", quota)]))
    };
    let note = set(&world, 2, 2);
    refused(
        &mut world,
        note,
        |r| matches!(r, Refusal::IssuerSet(reason) if reason.contains("below the 3 serials")),
    );
    let note = set(&world, 2, 4);
    world.submit(note).unwrap();
    world.submit(fourth).unwrap();
    world.submit(ca.crl(4, &[1, 2, 3, 4])).unwrap();
    assert_eq!(world.ledger.revoked_handles().len(), 4);
}

#[test]
fn a_missing_or_expired_crl_takes_its_ca_out() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    let number = world.time / HOUR;
    let end = (number + 1) * HOUR;
    let in_force = |world: &World| {
        let (epoch, left_out) = world.ledger.preview_epoch(number).unwrap();
        assert_eq!(epoch.policies.len() + left_out.len(), 1);
        (epoch.policies.len(), epoch.revocation_count)
    };
    assert_eq!(in_force(&world), (0, 0));
    // Unexpired when it is logged, and not at the epoch's end; what it revoked stays revoked.
    world
        .submit(ca.crl_for(1, &[1], START - 9, end - 1))
        .unwrap();
    assert_eq!(in_force(&world), (0, 1));
    world.submit(ca.crl_for(2, &[], START - 9, end)).unwrap();
    assert_eq!(in_force(&world), (1, 1));
    // A newer list that ends sooner is the one that counts.
    world
        .submit(ca.crl_for(3, &[], START - 9, end - 1))
        .unwrap();
    assert_eq!(in_force(&world), (0, 1));
}

#[test]
fn a_note_is_no_list_of_a_ca() {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    let header = World::header(Kind::RevocationList, "acme", 1, FAR);
    let body = json!({
        "issuer_key": data_encoding::HEXLOWER.encode(&world.issuer.public_key), "serials": [],
    });
    let note = world.by_desk(&to_text(&header, &body).unwrap());
    refused(&mut world, note, |r| {
        *r == Refusal::NoCrl("acme".into()) && r.to_string().contains("CRL")
    });
}

#[test]
fn a_name_means_one_key_of_one_kind() {
    let (ca, other) = (Ca::of_vectors("ca"), Ca::of_vectors("other"));
    let mut world = world(&ca);
    let mut native = world.issuer.clone();
    native.name = "acme".into();
    for issuer in [
        ca.issuer("zenith", 3),
        other.issuer("acme", 3),
        Issuer::Native(native),
    ] {
        let note = world.by_administrators(&partners(2, &[issuer]));
        refused(&mut world, note, |r| matches!(r, Refusal::IssuerSet(_)));
    }
}

#[test]
fn a_scope_and_an_x509_issuer_never_meet() {
    let ca = Ca::of_vectors("ca");
    // "members" is the set of "staff", which has a scope.
    let mut scoped = World::running();
    let note = scoped.by_administrators(&World::issuers_text(
        2,
        &[Issuer::Native(scoped.issuer.clone()), ca.issuer("acme", 3)],
    ));
    refused(
        &mut scoped,
        note,
        |r| matches!(r, Refusal::IssuerSet(reason) if reason.contains("scope")),
    );
    let mut world = world(&ca);
    let mut policy = World::policy_body("staff");
    policy["issuer_set"] = json!("partners");
    let note = world.by_administrators(&World::json_text(Kind::Policy, "staff", 1, &policy));
    refused(
        &mut world,
        note,
        |r| matches!(r, Refusal::Policy(reason) if reason.contains("scope")),
    );
}

#[test]
fn earlier_crls_are_few_enough_for_an_epoch() {
    let cas = [
        Ca::of_vectors("ca"),
        Ca::of_vectors("other"),
        Ca::generate(),
    ];
    let mut world = world(&cas[0]);
    let set = partners(
        2,
        &[
            cas[0].issuer("acme", 20_000),
            cas[1].issuer("second", 20_000),
            cas[2].issuer("third", 20_000),
        ],
    );
    let note = world.by_administrators(&set);
    world.submit(note).unwrap();
    let drops = |r: &Refusal| {
        matches!(
            r,
            Refusal::CrlOf {
                reason: CrlRefusal::Drops,
                ..
            }
        )
    };
    // Each CRL drops the one serial of the CRL before.
    let most = u64::try_from(MAX_EARLIER_CRLS_OF_ONE).unwrap() + 1;
    for ca in &cas[..2] {
        for number in 1..=most {
            world.submit(ca.crl(number, &[number])).unwrap();
        }
        refused(&mut world, ca.crl(most + 1, &[]), drops);
        // One that drops nothing is taken.
        world.submit(ca.crl(most + 1, &[most])).unwrap();
    }
    world.submit(cas[2].crl(1, &[1])).unwrap();
    refused(&mut world, cas[2].crl(2, &[]), drops);
    let (epoch, _) = world.ledger.preview_epoch(world.time / HOUR).unwrap();
    assert_eq!(epoch.revocation_lists.len(), MAX_EARLIER_CRLS + cas.len());
}
