//! Where each field of a presentation is, by the table of the specification's section 7: for tests that change one.

use std::sync::LazyLock;

use bauta_statement::presentation::Presentation;
use bauta_statement::verifying_key::VerifyingKey;

use crate::format::{Prepared, Vector, unhex};
use crate::vectors;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    G1,
    G2,
}

/// A field: where it starts, and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

impl Field {
    pub(crate) fn len(self) -> usize {
        match self.kind {
            Kind::Scalar | Kind::G1 => 32,
            Kind::G2 => 64,
        }
    }
}

/// The fields of a presentation of this shape, in order, without gaps from byte 4 to the last.
pub(crate) fn fields(scoped: bool, disclosures: usize) -> Vec<Field> {
    use Kind::{G1, G2, Scalar};
    let proof = [G1, G2, G1, G1, G1, Scalar];
    let mut kinds = [proof, proof].concat();
    if scoped {
        kinds.push(Scalar);
        kinds.extend(proof);
    }
    for _ in 0..disclosures {
        kinds.extend([G1, G1, Scalar]);
    }
    kinds.extend([Scalar; 16]);
    let mut at = 4;
    kinds
        .into_iter()
        .map(|kind| {
            let field = Field { at, kind };
            at += field.len();
            field
        })
        .collect()
}

/// A good presentation to start from.
pub(crate) struct Base {
    pub(crate) name: String,
    pub(crate) prepared: Prepared,
    /// Possession, policy, nullifier.
    pub(crate) keys: [VerifyingKey; 3],
    pub(crate) bytes: Vec<u8>,
    pub(crate) presentation: Presentation,
    pub(crate) fields: Vec<Field>,
}

impl Base {
    pub(crate) fn new(name: &str, vector: &Vector) -> Self {
        let bytes = unhex(&vector.presentation);
        let presentation = Presentation::decode(&bytes).unwrap();
        let possession = vector.keys.possession.values().next().unwrap();
        Self {
            name: name.into(),
            prepared: vector.prepare().unwrap(),
            keys: [possession, &vector.keys.policy, &vector.keys.nullifier]
                .map(|text| VerifyingKey::decode(&unhex(text)).unwrap()),
            fields: fields(
                presentation.nullifier.is_some(),
                presentation.disclosures.len(),
            ),
            presentation,
            bytes,
        }
    }
}

/// The good vectors, prepared once.
pub(crate) fn bases() -> &'static [Base] {
    static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
        vectors::read()
            .iter()
            .filter(|(name, _)| name.starts_with("good_"))
            .map(|(name, vector)| Base::new(name, vector))
            .collect()
    });
    &BASES
}

/// The one with a scope and a disclosure.
pub(crate) fn scoped() -> &'static Base {
    bases()
        .iter()
        .find(|base| base.name == "good_scope_one_disclosure")
        .unwrap()
}

#[test]
fn the_layout_is_the_encoding() {
    for base in bases() {
        let last = base.fields.last().unwrap();
        assert_eq!(last.at + last.len(), base.bytes.len(), "{}", base.name);
    }
}
