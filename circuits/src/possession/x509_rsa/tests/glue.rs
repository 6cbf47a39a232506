//! What ties the gadgets to each other. They are hunted one by one; here it is that none is missing, and that nothing of the whole can be
//! another by itself.

use std::collections::BTreeMap;

use super::*;
use crate::hunt::assert_rigid_at;

/// The parts, in order: all of the relation.
#[test]
fn every_part_is_there() {
    let parts: Vec<&str> = reduced().counts().iter().map(|(part, _)| *part).collect();
    assert_eq!(
        parts,
        [
            "bytes",
            "hash",
            "fields",
            "validity",
            "serial number",
            "subject",
            "extensions",
            "names",
            "rules",
            "candidates",
            "values",
            "slots",
            "critical",
            "usage",
            "schema rule",
            "issuer's signature",
            "issuer's key",
            "holder's key",
            "holder's signature",
            "origin",
            "revocation handle",
            "slots of the credential",
        ]
    );
}

/// The first and the last witness of every name, and some of all: no other value goes unnoticed.
#[test]
fn no_witness_is_the_prover_s_to_change() {
    let shape = reduced();
    let sample = Sample::of(pem!("openssl.pem"));
    let assignment = sample.attempt::<Reduced>().assignment();
    let mut ends: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (index, name) in shape.names.iter().enumerate() {
        let column = shape.instances + index;
        ends.entry(name).or_insert([column; 2])[1] = column;
    }
    let all = shape.instances..shape.instances + shape.witnesses;
    let columns: Vec<usize> = ends
        .into_values()
        .flatten()
        .chain(all.step_by(997))
        .collect();
    assert_rigid_at(shape, &assignment, columns, 11);
}
