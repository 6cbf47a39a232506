//! Attributes in the circuit against the native twin, which must agree: what is read of DER by hand, good and bad; of certificates of openssl
//! and rcgen, as x509-cert reads them; and by dishonest provers.

use std::sync::LazyLock;

use bauta_statement::schema::{
    Attribute,
    AttributeType::{Integer, Text},
    SanKind, Schema,
};

use super::{native::within, samples::*, *};
use crate::{
    gadgets::tbs::{self as walked, SHA256_WITH_RSA},
    hunt::{assert_determined, samples::hinted},
    system::{Forger, R1cs},
};

mod certificates;
mod forgeries;
mod forms;
mod values;

/// Room of 17 blocks of SHA-256.
const ROOM: usize = 1079;
/// Of dishonest provers, who run often.
const SMALL: Bounds = Bounds {
    attributes: 3,
    extensions: 3,
    names: 2,
    readers: 2,
};
const SMALL_ROOM: usize = 320;
/// Of certificates with little in them.
const FEW: Bounds = Bounds {
    attributes: 5,
    extensions: 3,
    names: 5,
    readers: 3,
};
const FEW_ROOM: usize = 420;

type Schemas = [Attribute];
type Size<'a> = (usize, &'a Bounds);

fn build(
    (room, bounds): Size,
    tbs: &[u8],
    schema: &Schemas,
    recording: bool,
    forger: Option<Forger>,
) -> (System, Attributes) {
    let mut system = System::new(&[Fr::from(tbs.len() as u64)], recording);
    let bytes = hinted(&mut system, tbs, room);
    let length = system.instance(0);
    system.region("bytes");
    let string = Bytes::new(&mut system, &bytes, &length);
    system.region("walk");
    let fields = walked::walk(&mut system, &string, &SHA256_WITH_RSA);
    if let Some(forger) = forger {
        system.forge(forger);
    }
    let schema: Vec<(u8, Fr)> = schema.iter().map(|a| (a.slot, a.rule())).collect();
    let found = read(&mut system, &string, &fields, &schema, bounds);
    (system, found)
}

fn record(size: Size) -> R1cs {
    build(size, &[], &[], true, None).0.into_r1cs()
}

fn standard() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> = LazyLock::new(|| record((ROOM, &Bounds::STANDARD)));
    &SHAPE
}

fn few() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> = LazyLock::new(|| record((FEW_ROOM, &FEW)));
    &SHAPE
}

fn small() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> = LazyLock::new(|| record((SMALL_ROOM, &SMALL)));
    &SHAPE
}

type Outcome = ([Fr; COUNT], Vec<[usize; 3]>);

/// What the circuit finds, if it accepts.
fn circuit(size: Size, shape: &R1cs, tbs: &[u8], schema: &Schemas) -> Option<Outcome> {
    let (system, found) = build(size, tbs, schema, false, None);
    shape.check(&system.into_assignment()).ok()?;
    let body = Schema {
        name: "x".into(),
        description: None,
        subject_key: "x".into(),
        extended_key_usage: None,
        attributes: schema.to_vec(),
    };
    assert_eq!(found.rule.value(), body.rule());
    let values = found.values.each_ref().map(Lc::value);
    Some((values, known(found.known, |number| entry::number(&number))))
}

fn known<E>(known: Known<E>, number: impl Fn(E) -> usize) -> Vec<[usize; 3]> {
    let all = [
        known.key_usage,
        known.extended_key_usage,
        known.basic_constraints,
        known.subject_alternative_name,
    ];
    let all = all.into_iter();
    all.map(|found| [found.there, found.start, found.end].map(&number))
        .collect()
}

fn twin(tbs: &[u8], schema: &Schemas, bounds: &Bounds) -> Result<Reading, AttributesError> {
    let fields = walked::fields(tbs, &SHA256_WITH_RSA).expect("a TBSCertificate");
    let schema: Vec<&Attribute> = schema.iter().collect();
    within(tbs, &fields, &schema, bounds)
}

/// Circuit and twin, which agree: within the standard bounds, or within a few where there is no more.
fn both(what: &str, tbs: &[u8], schema: &Schemas) -> Result<[Value; COUNT], AttributesError> {
    use AttributesError::{Extensions, LongSubject, Names, TooManyReaders};
    let mut size = (FEW_ROOM, &FEW);
    let mut shape = few();
    let mut twin = twin(tbs, schema, &FEW);
    let more = matches!(
        twin,
        Err(Extensions(_) | LongSubject(_) | Names(_) | TooManyReaders(..))
    );
    if more || tbs.len() > FEW_ROOM {
        size = (ROOM, &Bounds::STANDARD);
        shape = standard();
        twin = self::twin(tbs, schema, &Bounds::STANDARD);
    }
    let twin = twin.map(|reading| {
        let elements = reading.values.each_ref().map(Value::to_field);
        let outcome = (elements, known(reading.known, |number| number));
        (outcome, reading.values)
    });
    let expected = twin.as_ref().ok().map(|(outcome, _)| outcome.clone());
    let error = twin.as_ref().err();
    let found = circuit(size, shape, tbs, schema);
    assert_eq!(found, expected, "{what}: {error:?}");
    twin.map(|(_, values)| values)
}

fn one(what: &str, tbs: &[u8], attribute: Attribute) -> Result<Value, AttributesError> {
    let slot = usize::from(attribute.slot) - 5;
    both(what, tbs, &[attribute]).map(|values| values[slot].clone())
}

fn text(value: &[u8]) -> Result<Value, AttributesError> {
    Ok(Value::Text(value.to_vec()))
}

/// Some extension that nothing reads.
fn other() -> Vec<u8> {
    extension(&[0x55, 0x1d, 0x0e], false, &[0x04, 0x02, 7, 8])
}

/// A certificate of this subject.
fn of_subject(sets: &[Vec<u8>]) -> Vec<u8> {
    tbs(&sets.concat(), &other())
}

/// A certificate with these extensions.
fn of_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    tbs(&alone(CN, 0x0c, b"Ada"), &extensions.concat())
}
#[test]
fn reading_costs_what_is_written() {
    let counts: Vec<_> = standard().counts().into_iter().skip(2).collect();
    let expected = [
        ("subject", 10_862),
        ("extensions", 12_354),
        ("names", 2_469),
        ("rules", 1_488),
        ("candidates", 1_104),
        ("values", 14_826),
        ("slots", 608),
        ("critical", 14),
    ];
    assert_eq!(counts, expected);
}
#[test]
fn nothing_is_left_open() {
    let schema = [
        subject(5, Text, O),
        nth(subject(6, Text, OU), 1),
        from_name(7, SanKind::Email),
        from_extension(8, Integer, LEVEL),
        from_extension(9, Text, &[&LEVEL[..8], &[10]].concat()),
    ];
    for (name, tbs) in certificates::certificates() {
        let size = (ROOM, &Bounds::STANDARD);
        let count = if name == "smart_card" { 0 } else { 5 };
        let (system, _) = build(size, &tbs, &schema[..count], false, None);
        assert_determined(standard(), &system.into_assignment());
    }
}
