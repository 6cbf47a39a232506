//! Certificates as they are in the field.

use super::*;
use crate::{constraint_system, hunt::assert_determined};

fn text(text: &str) -> AttributeValue {
    AttributeValue::Text(text.into())
}

/// Each is read as people would, and the relation of its length accepts it with those slots.
fn is_accepted<V: Variant>(name: &str, pem: &str, shape: &R1cs, expected: &[(u8, AttributeValue)]) {
    let certificate = der(pem);
    let parts = Parts::of(&certificate).unwrap();
    let readable = Readable::of(&parts, &CA.public(), &schema()).unwrap();
    assert_eq!(readable.attributes, expected, "{name}");
    assert_eq!(readable.modulus, octets(&HOLDER.modulus));
    let witness: X509RsaWitness<V> = Sample::of(pem).witness(readable.vector);
    assert_eq!(witness.check(), Ok(()), "{name}");
    assert_eq!(shape.check(&witness.assignment()), Ok(()), "{name}");
    for (slot, value) in expected {
        let slot = usize::from(*slot);
        assert_eq!(
            readable.vector.get(slot),
            value.to_field(),
            "{name}, {slot}"
        );
    }
}

fn person(department: &str) -> Vec<(u8, AttributeValue)> {
    vec![
        (5, text("Example Organisation")),
        (6, text(department)),
        (7, AttributeValue::Absent),
        (8, text("ada@example.org")),
        (12, AttributeValue::Absent),
    ]
}

#[test]
fn a_certificate_of_openssl_is_possessed() {
    let mut expected = person("Research");
    expected[2].1 = AttributeValue::Integer(7);
    is_accepted::<Reduced>("openssl", pem!("openssl.pem"), reduced(), &expected);
    let witness = Sample::of(pem!("openssl.pem")).attempt::<Reduced>();
    assert_determined(reduced(), &witness.assignment());

    // The fixed slots, by what openssl prints.
    let key = CA.public().digest();
    let serial = Serial::from_be_bytes(&[0x4d, 0x58]).unwrap();
    let origin = vector::origin(Format::X509Rsa, key, schema().rule());
    assert_eq!(witness.vector.get(0), origin);
    assert_eq!(witness.vector.get(1), Fr::ZERO);
    // 2020-01-01 and 2120-01-01.
    assert_eq!(witness.vector.get(2), Fr::from(1_577_836_800u64));
    assert_eq!(witness.vector.get(3), Fr::from(4_733_510_400u64));
    let handle = vector::handle(key, &serial);
    assert_eq!(witness.vector.get(4), Fr::from(handle));
    for slot in [9, 10, 11, 13, 14, 15] {
        assert_eq!(witness.vector.get(slot), absent());
    }
}

#[test]
fn a_certificate_like_step_ca_s_is_possessed() {
    let mut expected = person("");
    expected[0].1 = AttributeValue::Absent;
    expected[1].1 = AttributeValue::Absent;
    is_accepted::<Reduced>("step", pem!("step.pem"), reduced(), &expected);
}

/// A smart card's fits the standard relation; nothing of that is left open either.
#[test]
fn a_certificate_of_a_smart_card_is_possessed() {
    let mut expected = person("Zürich");
    expected[4].1 = AttributeValue::Integer(7);
    let shape = constraint_system(Relation::PossessionX509Rsa);
    is_accepted::<Standard>("smart card", pem!("smart_card.pem"), shape, &expected);
    let witness = Sample::of(pem!("smart_card.pem")).attempt::<Standard>();
    assert_determined(shape, &witness.assignment());
}

#[test]
fn a_long_certificate_is_possessed_by_the_long_relation() {
    let mut expected = person("Research");
    expected[4].1 = AttributeValue::Integer(7);
    let shape = constraint_system(Relation::PossessionX509RsaLong);
    let certificate = der(pem!("long.pem"));
    let parts = Parts::of(&certificate).unwrap();
    assert_eq!(parts.format(), Format::X509RsaLong);
    is_accepted::<Long>("long", pem!("long.pem"), shape, &expected);
}

/// One byte more than there is room for; and what has room has it to the last byte.
#[test]
fn a_certificate_one_byte_too_long_is_refused() {
    assert_eq!((Standard::ROOM, Long::ROOM), (1_079, 2_615));
    let of_length = |length: usize| {
        let with = |name: &[u8]| {
            let name = samples::tlv(0x86, name);
            attacks::certificate(&attacks::subject(b"Ada"), &[&name])
        };
        let short = with(&[b'a'; 300]).len();
        with(&vec![b'a'; 300 + length - short])
    };
    let rooms = [
        (Standard::ROOM, Format::X509Rsa),
        (Long::ROOM, Format::X509RsaLong),
    ];
    for (room, format) in rooms {
        let tbs = of_length(room);
        assert_eq!(tbs.len(), room);
        let parts = Parts {
            tbs: &tbs,
            signature: CA.sign(&tbs),
        };
        assert_eq!(parts.format(), format);
        assert!(Readable::of(&parts, &CA.public(), &schema()).is_ok());
    }
    let full = Sample::signed(of_length(Standard::ROOM)).attempt::<Standard>();
    assert_eq!(full.check(), Ok(()));
    let shape = constraint_system(Relation::PossessionX509Rsa);
    assert_eq!(shape.check(&full.assignment()), Ok(()));

    let longer = Sample::signed(of_length(Standard::ROOM + 1));
    let error = longer.attempt::<Standard>().check().unwrap_err();
    let long = |length, most| X509RsaError::from(BodyError::Long { length, most });
    assert_eq!(error, long(1_080, 1_079));
    let words = "has 1080 bytes, and this relation takes 1079";
    assert!(error.to_string().contains(words));
    let parts = refused_by(shape, &longer.attempt::<Standard>());
    assert!(parts.contains(&"bytes"), "{parts:?}");
    let longest = Sample::signed(of_length(Long::ROOM + 1));
    let error = longest.attempt::<Long>().check().unwrap_err();
    assert_eq!(error, long(2_616, 2_615));
}

/// The one purpose that a schema names.
#[test]
fn a_schema_may_name_the_purpose() {
    let mut sample = Sample::of(pem!("openssl.pem"));
    let unnamed = sample.attempt::<Reduced>().vector.get(0);
    let named = |purpose: &str| {
        let mut json = serde_json::to_value(schema()).unwrap();
        json["extended_key_usage"] = purpose.into();
        Schema::from_json(json.to_string().as_bytes()).unwrap()
    };
    sample.schema = named("1.3.6.1.5.5.7.3.2");
    let witness = sample.attempt::<Reduced>();
    assert_eq!(witness.check(), Ok(()));
    assert_eq!(reduced().check(&witness.assignment()), Ok(()));
    assert_ne!(witness.vector.get(0), unnamed);
    assert_determined(reduced(), &witness.assignment());
    sample.schema = named("1.3.6.1.5.5.7.3.4");
    let error = sample.attempt::<Reduced>().check();
    assert!(matches!(
        error,
        Err(X509RsaError::Body(BodyError::Usage(_)))
    ));
    assert_eq!(sample.refused_by(), ["usage"]);
}
