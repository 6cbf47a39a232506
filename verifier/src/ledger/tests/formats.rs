//! Which formats of credentials a policy takes: those of its issuers for which there are parameters.
use bauta_statement::file::Kind;
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::parameters::Provenance;
use bauta_statement::relation::Relation;
use bauta_statement::vector::Format;
use serde_json::json;

use super::crls::{Ca, partners, policy, vector, world};
use super::world::World;
use crate::ledger::Refusal;

const CERTIFICATES: [Format; 2] = [Format::X509Rsa, Format::X509RsaLong];

/// The formats that "visitors" takes in the next epoch; none if it is not in force.
fn formats(world: &mut World) -> Option<Vec<Format>> {
    match world.ledger.epoch_at(world.time) {
        Some(_) => {
            world.turn();
        }
        None => {
            world.next_epoch().unwrap();
        }
    }
    let epoch = world.ledger.epoch_at(world.time).unwrap();
    let policy = epoch.policy_named("visitors")?;
    Some(policy.context.formats().to_vec())
}

/// A log whose set of partners has the CA "acme", and, if so wished, a native issuer.
fn with(native: bool) -> World {
    let ca = Ca::of_vectors("ca");
    let mut world = world(&ca);
    world.submit(vector("empty.der")).unwrap();
    if native {
        let desk = Issuer::Native(world.issuer.clone());
        let note = world.by_administrators(&partners(2, &[ca.issuer("acme", 3), desk]));
        world.submit(note).unwrap();
        let list = world.by_desk(&world.list_text(1, super::world::FAR, &[]));
        world.submit(list).unwrap();
    }
    world
}

/// The policy's next version, which names the keys of these relations.
fn naming(world: &mut World, relations: &[Relation]) {
    let named = relations.iter().map(|relation| {
        let digest = data_encoding::HEXLOWER.encode(&world.verifying_key(*relation));
        (relation.name().to_owned(), json!(digest))
    });
    let named: serde_json::Map<_, _> = named.collect();
    let body = policy();
    let (_, body) = body.split_once("\n\n").unwrap();
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["parameters"] = named.into();
    let text = World::json_text(Kind::Policy, "visitors", 2, &body);
    let note = world.by_administrators(&text);
    world.submit(note).unwrap();
}

#[test]
fn a_policy_takes_the_formats_of_its_issuers() {
    assert_eq!(formats(&mut with(false)), Some(CERTIFICATES.to_vec()));
    let all = [Format::Native, Format::X509Rsa, Format::X509RsaLong];
    assert_eq!(formats(&mut with(true)), Some(all.to_vec()));
}

#[test]
fn parameters_may_leave_certificates_out() {
    for (native, expected) in [(false, None), (true, Some(vec![Format::Native]))] {
        let mut world = with(native);
        world.keep_keys(|relation| Relation::BASIC.contains(&relation));
        let note = world.parameters(2, Provenance::Development);
        world.submit(note).unwrap();
        assert_eq!(formats(&mut world), expected);
    }
    // But not what every policy needs.
    let mut world = with(false);
    world.keep_keys(|relation| relation != Relation::PossessionNative);
    let note = world.parameters(2, Provenance::Development);
    let error = world.submit(note).unwrap_err();
    assert!(
        matches!(&error, Refusal::Parameters(reason) if reason.contains("possession-native")),
        "{error}"
    );
}

/// Where a policy names possession relations, it takes what those prove alone.
#[test]
fn a_policy_may_choose_among_formats() {
    for (named, expected) in [
        (&[Relation::Policy][..], CERTIFICATES.to_vec()),
        (
            &[Relation::Policy, Relation::PossessionX509Rsa],
            vec![Format::X509Rsa],
        ),
        (
            &[Relation::PossessionX509RsaLong],
            vec![Format::X509RsaLong],
        ),
    ] {
        let mut world = with(false);
        naming(&mut world, named);
        assert_eq!(formats(&mut world), Some(expected));
    }
    // None that its issuers have.
    let mut world = with(false);
    naming(&mut world, &[Relation::PossessionNative]);
    assert_eq!(formats(&mut world), None);
}
