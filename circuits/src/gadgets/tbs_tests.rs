//! The walk against its native twin, and that against x509-cert: on certificates of openssl, and on those changed.

use ark_ff::PrimeField;
use der::{Decode, Encode};
use x509_cert::{
    Certificate,
    certificate::{TbsCertificate, Version},
};

use super::*;
use crate::{
    hunt::{
        assert_determined,
        samples::{self, tlv},
        undetermined,
    },
    system::R1cs,
};

const CERTIFICATES: [(&str, &[u8]); 6] = [
    (
        "serial_20_octets",
        include_bytes!("../../../vectors/tbs/serial_20_octets.der"),
    ),
    (
        "serial_1_octet",
        include_bytes!("../../../vectors/tbs/serial_1_octet.der"),
    ),
    (
        "serial_0",
        include_bytes!("../../../vectors/tbs/serial_0.der"),
    ),
    (
        "serial_of_a_high_octet",
        include_bytes!("../../../vectors/tbs/serial_of_a_high_octet.der"),
    ),
    (
        "generalized_time",
        include_bytes!("../../../vectors/tbs/generalized_time.der"),
    ),
    (
        "long_subject",
        include_bytes!("../../../vectors/tbs/long_subject.der"),
    ),
];

const ROOM: usize = 900;

fn build(tbs: &[u8], recording: bool) -> (System, Fields<Element>) {
    let mut system = System::new(&[Fr::from(tbs.len() as u64)], recording);
    let bytes = samples::hinted(&mut system, tbs, ROOM);
    let length = system.instance(0);
    let string = Bytes::new(&mut system, &bytes, &length);
    system.region("walk");
    let fields = walk(&mut system, &string, &SHA256_WITH_RSA);
    (system, fields)
}

fn shape() -> &'static R1cs {
    static SHAPE: std::sync::LazyLock<R1cs> =
        std::sync::LazyLock::new(|| build(&[], true).0.into_r1cs());
    &SHAPE
}

fn all<E>(fields: Fields<E>) -> [E; 6] {
    let Fields {
        serial,
        issuer,
        validity,
        subject,
        key,
        extensions,
    } = fields;
    [serial, issuer, validity, subject, key, extensions]
}

/// What the circuit finds, if it accepts.
fn walked(tbs: &[u8]) -> Option<[(usize, usize); 6]> {
    let (system, fields) = build(tbs, false);
    let number = |number: &Lc| number.value().into_bigint().0[0] as usize;
    let found = all(fields).map(|field| (number(&field.start), number(&field.end)));
    shape()
        .check(&system.into_assignment())
        .is_ok()
        .then_some(found)
}

fn twin(tbs: &[u8]) -> Option<[(usize, usize); 6]> {
    fields(tbs, &SHA256_WITH_RSA).ok().map(all)
}

#[test]
fn fields_are_where_x509_cert_finds_them() {
    for (name, certificate) in CERTIFICATES {
        let tbs = samples::tbs(certificate);
        let found = twin(tbs).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(walked(tbs), Some(found), "{name}");
        compare_with(tbs, found, &TbsCertificate::from_der(tbs).unwrap());
        let theirs = Certificate::from_der(certificate).unwrap();
        assert_eq!(theirs.tbs_certificate().to_der().unwrap(), tbs, "{name}");
    }
}

fn compare_with(tbs: &[u8], found: [(usize, usize); 6], theirs: &TbsCertificate) {
    let contents = found.map(|(start, end)| &tbs[start..end]);
    let content = |encoded: Vec<u8>| {
        let (_, start, end) = element(&encoded, 0).unwrap();
        encoded[start..end].to_vec()
    };
    assert_eq!(
        contents[0],
        content(theirs.serial_number().to_der().unwrap())
    );
    assert_eq!(contents[1], content(theirs.issuer().to_der().unwrap()));
    assert_eq!(contents[2], content(theirs.validity().to_der().unwrap()));
    assert_eq!(contents[3], content(theirs.subject().to_der().unwrap()));
    assert_eq!(
        contents[4],
        content(theirs.subject_public_key_info().to_der().unwrap())
    );
    assert_eq!(
        contents[5],
        content(theirs.extensions().unwrap().to_der().unwrap())
    );
}

/// Every octet of a certificate changed in several ways. Whoever finds fields finds the same ones; where only x509-cert does, it is for a
/// reason that is meant.
#[test]
fn a_changed_certificate_is_walked_as_x509_cert_does_or_refused() {
    let mut walks = 0;
    let (mut both, mut stricter) = (0, 0);
    for (name, certificate) in CERTIFICATES {
        let honest = samples::tbs(certificate);
        for place in 0..honest.len() {
            for change in [1u8, 0x80, 0xff, 0x02, 0x20] {
                let mut tbs = honest.to_vec();
                tbs[place] ^= change;
                let found = twin(&tbs);
                let theirs = TbsCertificate::from_der(&tbs);
                match (found, &theirs) {
                    // Where it does not keep the octets, as those of an explicit default, there is nothing to compare.
                    (Some(found), Ok(theirs))
                        if theirs.to_der().is_ok_and(|octets| octets == tbs) =>
                    {
                        compare_with(&tbs, found, theirs);
                        both += 1;
                    }
                    (None, Ok(theirs)) => {
                        let serial = theirs.serial_number().as_bytes();
                        let meant = theirs.version() != Version::V3
                            || theirs.signature().to_der().unwrap() != SHA256_WITH_RSA
                            || theirs.extensions().is_none()
                            || serial.first().is_some_and(|octet| *octet >= 0x80);
                        assert!(meant, "{name}, octet {place} by {change:02x}");
                        stricter += 1;
                    }
                    // x509-cert looks into the fields, and this is no more than their places.
                    _ => {}
                }
                // The circuit says what the twin says: near the start and at each header, and now and then.
                if place < 60 && name == "serial_of_a_high_octet"
                    || (place * 31 + usize::from(change)) % 311 == 0
                {
                    assert_eq!(walked(&tbs), found, "{name}, octet {place} by {change:02x}");
                    walks += 1;
                }
            }
        }
    }
    assert!(
        walks > 300 && both > 1000 && stricter > 10,
        "{walks} {both} {stricter}"
    );
}

/// Beginnings that are wrong as a whole, with every length around them right.
#[test]
fn what_is_not_meant_is_refused() {
    let honest = samples::tbs(CERTIFICATES[1].1);
    let places = twin(honest).unwrap();
    let (serial, issuer) = (places[0], places[1]);
    let rest = &honest[serial.1..];
    let with = |before: &[u8], serial: &[u8], rest: &[u8]| {
        tlv(SEQUENCE, &[before, &tlv(INTEGER, serial), rest].concat())
    };
    let refused = |what: &str, tbs: Vec<u8>| {
        assert_eq!((twin(&tbs), walked(&tbs)), (None, None), "{what}");
    };
    assert_eq!(with(&VERSION_3, &[1], rest), honest);
    for good in [
        vec![0],
        vec![0x7f],
        vec![0, 0x80],
        vec![0, 0xff, 0],
        vec![1; 20],
    ] {
        let tbs = with(&VERSION_3, &good, rest);
        assert!(twin(&tbs).is_some());
        assert_eq!(walked(&tbs), twin(&tbs));
    }
    for bad in [
        vec![],
        vec![0x80],
        vec![0xff],
        vec![0, 0x7f],
        vec![0, 0],
        vec![1; 21],
        vec![0x80; 20],
    ] {
        refused("a serial number", with(&VERSION_3, &bad, rest));
    }
    refused("version 1", with(&[], &[1], rest));
    refused(
        "version 2",
        with(&[0xa0, 0x03, 0x02, 0x01, 0x01], &[1], rest),
    );
    refused(
        "version in two octets",
        with(&[0xa0, 0x04, 0x02, 0x02, 0x00, 0x02], &[1], rest),
    );
    let mut algorithm = rest.to_vec();
    algorithm[12] = 0x0c;
    refused("SHA-384", with(&VERSION_3, &[1], &algorithm));
    let without_null = [&tlv(SEQUENCE, &SHA256_WITH_RSA[2..13]), &rest[15..]].concat();
    refused("no NULL", with(&VERSION_3, &[1], &without_null));
    refused(
        "a field twice",
        with(
            &VERSION_3,
            &[1],
            &[
                &rest[..15],
                &honest[issuer.0 - 2..issuer.1],
                &honest[issuer.0 - 2..],
            ]
            .concat(),
        ),
    );
    let end = honest.len();
    refused(
        "something after the extensions",
        with(&VERSION_3, &[1], &[rest, &[0x05, 0x00]].concat()),
    );
    refused(
        "no extensions",
        with(&VERSION_3, &[1], &honest[serial.1..places[4].1]),
    );
    let unique = [
        &honest[serial.1..places[4].1],
        &[0x81, 0x02, 0x00, 0x01],
        &honest[places[4].1..],
    ]
    .concat();
    refused("a unique identifier", with(&VERSION_3, &[1], &unique));
    refused("an octet less", honest[..end - 1].to_vec());
    refused("an octet more", [honest, &[0]].concat());
    refused("nothing", Vec::new());
    // A length that is right but not minimal.
    let mut long = vec![SEQUENCE, 0x83, 0x00];
    long.extend_from_slice(&honest[2..]);
    refused("three octets of length", long);
    let mut indefinite = honest.to_vec();
    indefinite[1] = 0x80;
    refused("an indefinite length", indefinite);
}

/// A name that contains the octets of a whole other beginning: nothing inside of a field is taken for a field.
#[test]
fn what_looks_like_a_field_inside_of_one_is_none() {
    let honest = samples::tbs(CERTIFICATES[5].1);
    let found = twin(honest).unwrap();
    let mut disguised = honest.to_vec();
    let (start, end) = found[3];
    let inside = &honest[found[2].0 - 2..found[2].1];
    assert!(end - start > inside.len() + 20);
    disguised[start + 15..start + 15 + inside.len()].copy_from_slice(inside);
    assert_eq!(twin(&disguised), Some(found));
    assert_eq!(walked(&disguised), Some(found));
}

/// What the circuit says of a validity's contents, which the twin must say too.
fn validity_of(tbs: &[u8], places: (usize, usize)) -> Option<[u64; 2]> {
    let build = |tbs: &[u8], (start, end): (usize, usize), recording| {
        let ends = [start, end].map(|place| Fr::from(place as u64));
        let mut system = System::new(&ends, recording);
        let bytes = samples::hinted(&mut system, tbs, ROOM);
        let [start, end] = [0, 1].map(|index| system.instance(index));
        let element = Element {
            tag: Lc::constant(Fr::from(SEQUENCE)),
            length: &end - &start,
            start,
            end,
        };
        let string = Bytes::of(bytes, Lc::constant(Fr::ZERO));
        let times = validity(&mut system, &string, &element);
        (system, times)
    };
    static SHAPE: std::sync::OnceLock<R1cs> = std::sync::OnceLock::new();
    let shape = SHAPE.get_or_init(|| build(&[], (0, 0), true).0.into_r1cs());
    let (system, times) = build(tbs, places, false);
    let found = times.map(|time| time.value().into_bigint().0[0]);
    let found = shape
        .check(&system.into_assignment())
        .is_ok()
        .then_some(found);
    assert_eq!(found, times_of(tbs, places));
    found
}

fn times_of(tbs: &[u8], places: (usize, usize)) -> Option<[u64; 2]> {
    super::times(tbs, places)
}

#[test]
fn times_are_those_of_x509_cert() {
    for (name, certificate) in CERTIFICATES {
        let tbs = samples::tbs(certificate);
        let places = twin(tbs).unwrap()[2];
        let theirs = TbsCertificate::from_der(tbs).unwrap();
        let theirs = [theirs.validity().not_before, theirs.validity().not_after];
        let theirs = theirs.map(|time| time.to_unix_duration().as_secs());
        assert_eq!(validity_of(tbs, places), Some(theirs), "{name}");
        // A time less, a time more, an octet less, an octet more.
        let (start, end) = places;
        let (_, next) = seconds(tbs, start).unwrap();
        for other in [
            (start, next),
            (next, end),
            (start, end - 1),
            (start, end + 1),
            (start + 1, end),
        ] {
            assert_eq!(validity_of(tbs, other), None, "{name}");
        }
        assert_eq!(validity_of(tbs, (start, end + 15)), None);
    }
}

#[test]
fn nothing_is_left_open() {
    for (name, certificate) in CERTIFICATES {
        let (system, _) = build(samples::tbs(certificate), false);
        let assignment = system.into_assignment();
        assert_eq!(undetermined(shape(), &assignment).len(), 0, "{name}");
        assert_determined(shape(), &assignment);
    }
}

#[test]
fn a_walk_costs_what_is_written() {
    assert_eq!(shape().counts(), [("walk", 1_827)]);
}
