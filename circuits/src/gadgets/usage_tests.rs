//! Usage against the native twin, the twin against x509-cert; certificates of openssl; what is nearly accepted.

use std::sync::LazyLock;

use der::{Decode, asn1::ObjectIdentifier};
use proptest::prelude::*;
use x509_cert::{
    Certificate,
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages},
};

use super::{twin::*, *};
use crate::{
    hunt::{assert_determined, assert_rigid, samples::tlv},
    system::{Forger, R1cs},
};

const ROOM: usize = 300;

type Gadget = fn(&mut System, &[Lc], &Element, &Lc);

/// A gadget of contents somewhere in a buffer, or of an extension that is not there.
struct Tried {
    gadget: Gadget,
    shape: LazyLock<R1cs>,
    twin: fn(&[u8]) -> Result<(), UsageError>,
}

impl Tried {
    fn build(
        gadget: Gadget,
        bytes: &[u8],
        [start, length]: [u64; 2],
        present: bool,
        recording: bool,
        forger: Option<Forger>,
    ) -> System {
        let mut inputs: Vec<Fr> = bytes.iter().map(|byte| Fr::from(*byte)).collect();
        inputs.resize(ROOM, Fr::ZERO);
        inputs.extend([Fr::from(start), Fr::from(length), Fr::from(present)]);
        let mut system = System::new(&inputs, recording);
        if let Some(forger) = forger {
            system.forge(forger);
        }
        let wires: Vec<Lc> = (0..ROOM).map(|place| system.instance(place)).collect();
        let [start, length, present] = [0, 1, 2].map(|index| system.instance(ROOM + index));
        let contents = Element {
            tag: Lc::constant(Fr::from(4)),
            end: &start + &length,
            start,
            length,
        };
        gadget(&mut system, &wires, &contents, &present);
        system
    }

    fn at(&self, contents: &[u8], offset: usize, forger: Option<Forger>) -> System {
        let buffer = [&vec![0x55; offset][..], contents, &[0x66; 20]].concat();
        let place = [offset, contents.len()].map(|number| number as u64);
        Self::build(self.gadget, &buffer, place, true, false, forger)
    }

    /// Circuit and twin, which must agree.
    fn check(&self, contents: &[u8]) -> Result<(), UsageError> {
        let twin = (self.twin)(contents);
        for offset in [0, 9, ROOM - 20 - contents.len()] {
            let system = self.at(contents, offset, None);
            let circuit = self.shape.check(&system.into_assignment());
            assert_eq!(circuit.is_ok(), twin.is_ok(), "{contents:02x?}");
        }
        // At the very end of the buffer.
        let offset = ROOM - contents.len();
        let buffer = [&vec![0x55; offset][..], contents].concat();
        let place = [offset, contents.len()].map(|number| number as u64);
        let system = Self::build(self.gadget, &buffer, place, true, false, None);
        let circuit = self.shape.check(&system.into_assignment());
        assert_eq!(circuit.is_ok(), twin.is_ok(), "{contents:02x?}");
        twin
    }

    /// No assignment of these hints makes it hold.
    fn refuses(
        &self,
        contents: &[u8],
        choose: impl FnMut(&'static str, usize, Fr) -> Fr + 'static,
    ) {
        let mut choose = choose;
        let mut met = std::collections::HashMap::new();
        let forger: Forger = Box::new(move |_, name, honest| {
            let index = met.entry(name).or_insert(0);
            *index += 1;
            choose(name, *index - 1, honest)
        });
        let system = self.at(contents, 9, Some(forger));
        assert!(self.shape.check(&system.into_assignment()).is_err());
    }
}

macro_rules! tried {
    ($name:ident, $gadget:expr, $twin:expr) => {
        static $name: Tried = Tried {
            gadget: $gadget,
            shape: LazyLock::new(|| {
                Tried::build($gadget, &[], [0, 0], false, true, None).into_r1cs()
            }),
            twin: $twin,
        };
    };
}
tried!(KEY_USAGE, key_usage, signs);
tried!(BASIC_CONSTRAINTS, basic_constraints, is_end_entity);
tried!(CLIENT_PURPOSE, unnamed, |contents| has_client_purpose(
    contents,
    Fr::ZERO
));
tried!(NAMED_PURPOSE, other_named, |contents| has_client_purpose(
    contents,
    packed(&OTHER[2..])
));

/// By a schema that names no purpose.
fn unnamed(system: &mut System, bytes: &[Lc], contents: &Element, present: &Lc) {
    let named = system.hint("named purpose", Fr::ZERO);
    client_purpose(system, bytes, contents, present, &named);
}

/// By a schema that names another one.
fn other_named(system: &mut System, bytes: &[Lc], contents: &Element, present: &Lc) {
    let named = system.hint("named purpose", packed(&OTHER[2..]));
    client_purpose(system, bytes, contents, present, &named);
}

fn object_identifier(contents: &[u8]) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, contents)
}

static CLIENT: LazyLock<Vec<u8>> = LazyLock::new(|| object_identifier(&CLIENT_AUTH));
static LOGON: LazyLock<Vec<u8>> = LazyLock::new(|| object_identifier(&SMART_CARD_LOGON));

macro_rules! certificates {
    ($($name:literal)+) => {
        [$(($name, include_bytes!(concat!("../../../vectors/usage/", $name, ".der")) as &[u8])),+]
    };
}

/// The contents of three extensions by x509-cert, in order.
fn extensions(certificate: &[u8]) -> [Option<Vec<u8>>; 3] {
    let certificate = Certificate::from_der(certificate).unwrap();
    let extensions = certificate.tbs_certificate().extensions().unwrap();
    ["2.5.29.15", "2.5.29.19", "2.5.29.37"].map(|id| {
        let id = ObjectIdentifier::new_unwrap(id);
        let found = extensions.iter().find(|extension| extension.extn_id == id);
        found.map(|extension| extension.extn_value.as_bytes().to_vec())
    })
}

/// The whole certificate, by twin and circuits.
fn judged(certificate: &[u8]) -> Result<(), UsageError> {
    let found = extensions(certificate);
    let [usage, constraints, purposes] = found.each_ref().map(Option::as_deref);
    let twin = is_for_clients(usage, constraints, purposes, Fr::ZERO);
    let circuits = [
        (&KEY_USAGE, usage),
        (&BASIC_CONSTRAINTS, constraints),
        (&CLIENT_PURPOSE, purposes),
    ];
    let holds = circuits.iter().all(|(tried, contents)| match contents {
        Some(contents) => tried.check(contents).is_ok(),
        None => {
            let absent = Tried::build(tried.gadget, &[0x55; 40], [3, 9], false, false, None);
            tried.shape.check(&absent.into_assignment()).is_ok()
        }
    });
    assert_eq!(holds, twin.is_ok());
    twin
}

#[test]
fn certificates_of_clients_are_accepted() {
    for (name, certificate) in certificates!(
        "client" "client_of_few_words" "client_of_many_words" "smart_card" "client_and_server" "nine_bits" "eight_purposes"
    ) {
        assert_eq!(judged(certificate), Ok(()), "{name}");
    }
    // Those of the walk.
    let walked = include_bytes!("../../../vectors/tbs/serial_1_octet.der");
    assert_eq!(judged(walked), Ok(()));
}

/// Each by its name, and in words that say it.
#[test]
fn other_certificates_of_the_same_authority_are_refused() {
    let found: Vec<(&str, UsageError)> = certificates!(
        "bad_server" "bad_authority" "bad_authority_for_clients" "bad_path_length" "bad_certificate_signer" "bad_ocsp_responder"
        "bad_any_purpose" "bad_no_purpose" "bad_no_signature" "bad_nine_purposes" "bad_false_written" "bad_padded_bits"
    )
    .map(|(name, certificate)| (name, judged(certificate).unwrap_err()))
    .to_vec();
    let expected = [
        ("bad_server", UsageError::Server),
        ("bad_authority", UsageError::Authority),
        ("bad_authority_for_clients", UsageError::Authority),
        ("bad_path_length", UsageError::Authority),
        ("bad_certificate_signer", UsageError::CertificateSigner),
        ("bad_ocsp_responder", UsageError::OcspResponder),
        ("bad_any_purpose", UsageError::AnyPurpose),
        ("bad_no_purpose", UsageError::NoPurposes),
        ("bad_no_signature", UsageError::NoSignature),
        ("bad_nine_purposes", UsageError::TooManyPurposes(9)),
        ("bad_false_written", UsageError::FalseWritten),
        ("bad_padded_bits", UsageError::KeyUsage),
    ];
    assert_eq!(found, expected);
    assert!(UsageError::Server.to_string().contains("of a server"));
    assert!(
        UsageError::Authority
            .to_string()
            .contains("certification authority")
    );
    assert!(
        UsageError::OcspResponder
            .to_string()
            .contains("OCSP responder")
    );
}

/// Each refusal in the one gadget that is there for it.
#[test]
fn each_extension_refuses_by_itself() {
    let all =
        certificates!("bad_authority_for_clients" "bad_certificate_signer" "bad_ocsp_responder");
    let [constraints, usage, purposes] = all.map(|(_, certificate)| {
        let [usage, constraints, purposes] = extensions(certificate);
        [
            KEY_USAGE.check(&usage.unwrap()).is_ok(),
            BASIC_CONSTRAINTS.check(&constraints.unwrap()).is_ok(),
            CLIENT_PURPOSE.check(&purposes.unwrap()).is_ok(),
        ]
    });
    assert_eq!(constraints, [true, false, true]);
    assert_eq!(usage, [false, true, true]);
    assert_eq!(purposes, [true, true, false]);
}

#[test]
fn costs_are_as_written() {
    let cost = |gadget: Gadget| {
        let mut system = System::new(&[Fr::ZERO], true);
        let zero = system.instance(0);
        let contents = Element {
            tag: zero.clone(),
            start: zero.clone(),
            length: zero.clone(),
            end: zero.clone(),
        };
        gadget(&mut system, &vec![zero.clone(); 1079], &contents, &zero);
        system.into_r1cs().rows.len()
    };
    let costs = [key_usage, basic_constraints, unnamed].map(cost);
    assert_eq!(costs, [290, 228, 2904]);
}

#[test]
fn nothing_is_left_open() {
    let purposes = [&[0x30, 24][..], &[0x06, 0x00], &CLIENT, &LOGON].concat();
    let cases: [(&Tried, &[u8]); 5] = [
        (&KEY_USAGE, &[0x03, 0x02, 0x05, 0xa0]),
        (&KEY_USAGE, &[0x03, 0x02, 0x07, 0x80]),
        (&KEY_USAGE, &[0x03, 0x03, 0x07, 0x88, 0x80]),
        (&BASIC_CONSTRAINTS, &[0x30, 0x00]),
        (&CLIENT_PURPOSE, &purposes),
    ];
    for (tried, contents) in cases {
        assert_eq!(tried.check(contents), Ok(()));
        let assignment = tried.at(contents, 40, None).into_assignment();
        assert_determined(&tried.shape, &assignment);
        assert_rigid(&tried.shape, &assignment, 3);
    }
    // Not there, wherever it is said to be.
    for tried in [&KEY_USAGE, &BASIC_CONSTRAINTS] {
        for place in [[0, 0], [7, 4], [1 << 30, 77]] {
            let absent = Tried::build(tried.gadget, &[0x55; 40], place, false, false, None);
            assert_determined(&tried.shape, &absent.into_assignment());
        }
    }
    let absent = Tried::build(unnamed, &purposes, [0, 26], false, false, None);
    assert!(
        CLIENT_PURPOSE
            .shape
            .check(&absent.into_assignment())
            .is_err()
    );
}

/// All octets of bits with all numbers of unused ones, of one octet and of two. Where x509-cert finds no digitalSignature, or no flags, neither
/// does the twin; it does not mind zeros at the end.
#[test]
fn key_usage_is_in_its_one_form() {
    assert!(KeyUsage::from_der(&[0x03, 0x02, 0x00, 0x80]).is_ok());
    assert_eq!(signs(&[0x03, 0x02, 0x00, 0x80]), Err(UsageError::KeyUsage));
    let mut accepted = 0;
    for bits in 0..=255u8 {
        for unused in 0..=9u8 {
            for contents in [
                vec![0x03, 0x02, unused, bits],
                vec![0x03, 0x03, unused, bits, 0x80],
            ] {
                let found = signs(&contents);
                let theirs = KeyUsage::from_der(&contents);
                let flags = theirs.map(|usage| {
                    usage.0.contains(KeyUsages::DigitalSignature)
                        && !usage.0.contains(KeyUsages::KeyCertSign)
                });
                assert!(found.is_err() || flags == Ok(true), "{contents:02x?}");
                let minimal = match contents.len() {
                    4 => bits.trailing_zeros() == u32::from(unused),
                    _ => unused == 7,
                };
                assert_eq!(found.is_ok(), minimal && bits & 0x84 == 0x80);
                accepted += usize::from(found.is_ok());
                if bits % 16 < 5 || bits >= 0xfc {
                    KEY_USAGE.check(&contents).ok();
                }
            }
        }
    }
    // 64 of each, but 0x80 … 0xff without keyCertSign.
    assert_eq!(accepted, 128);
}

#[test]
fn other_key_usages_are_refused() {
    for contents in [
        &[][..],
        &[0x03],
        &[0x03, 0x00],
        &[0x03, 0x01, 0x00],
        &[0x03, 0x02, 0x07],
        &[0x04, 0x02, 0x07, 0x80],
        &[0x23, 0x02, 0x07, 0x80],
        &[0x03, 0x81, 0x02, 0x07, 0x80],
        &[0x03, 0x02, 0x07, 0x80, 0x00],
        &[0x03, 0x03, 0x07, 0x80, 0x80, 0x00],
        &[0x03, 0x03, 0x00, 0x80, 0x01],
        &[0x03, 0x03, 0x06, 0x80, 0xc0],
        &[0x03, 0x03, 0x07, 0x80, 0x00],
        &[0x03, 0x04, 0x07, 0x80, 0x80, 0x80],
    ] {
        assert!(KEY_USAGE.check(contents).is_err(), "{contents:02x?}");
    }
}

/// The count of unused bits is not the prover's to choose.
#[test]
fn unused_bits_are_not_chosen() {
    for (contents, chosen) in [
        ([0x03, 0x02, 0x06, 0x80], [7, 7]),
        ([0x03, 0x02, 0x06, 0x80], [6, 6]),
        ([0x03, 0x02, 0x00, 0x81], [7, 7]),
        ([0x03, 0x02, 0x07, 0x81], [0, 7]),
        ([0x03, 0x02, 0x07, 0x40], [7, 6]),
    ] {
        let values = [
            [Fr::ONE, Fr::ZERO],
            [Fr::from(2), -Fr::ONE],
            [Fr::ONE, Fr::ONE],
        ];
        for value in values {
            KEY_USAGE.refuses(&contents, move |name, index, honest| match name {
                "unused bits" if index == chosen[0] => value[0],
                "unused bits" if index == chosen[1] => value[1],
                "unused bits" => Fr::ZERO,
                _ => honest,
            });
        }
    }
}

/// All that is not an empty SEQUENCE, near one.
#[test]
fn basic_constraints_are_empty() {
    use UsageError::{Authority, BasicConstraints as Other, FalseWritten, PathLength};
    for (contents, expected) in [
        (&[0x30, 0x00][..], Ok(())),
        (&[0x30, 0x03, 0x01, 0x01, 0xff], Err(Authority)),
        (
            &[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00],
            Err(Authority),
        ),
        (&[0x30, 0x03, 0x01, 0x01, 0x00], Err(FalseWritten)),
        (&[0x30, 0x03, 0x02, 0x01, 0x00], Err(PathLength)),
        (&[0x30, 0x03, 0x01, 0x01, 0x01], Err(Other)),
        (&[], Err(Other)),
        (&[0x30], Err(Other)),
        (&[0x31, 0x00], Err(Other)),
        (&[0x30, 0x01], Err(Other)),
        (&[0x30, 0x80], Err(Other)),
        (&[0x30, 0x81, 0x00], Err(Other)),
        (&[0x30, 0x00, 0x00], Err(Other)),
        (&[0x30, 0x01, 0x00], Err(Other)),
    ] {
        assert_eq!(
            BASIC_CONSTRAINTS.check(contents),
            expected,
            "{contents:02x?}"
        );
        if expected.is_ok() || expected == Err(Authority) {
            let theirs = BasicConstraints::from_der(contents).unwrap();
            assert_eq!(theirs.ca, expected.is_err());
        }
    }
}

fn sequence(purposes: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &purposes.concat())
}

const SERVER: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const OTHER: &[u8] = &[0x06, 0x03, 0x2a, 0x03, 0x04];

/// A purpose that counts at each of the eight places; none at the ninth.
#[test]
fn any_of_eight_purposes_counts() {
    for client in [&CLIENT[..], &LOGON] {
        for others in 0..=8 {
            for place in 0..=others {
                let mut purposes = vec![OTHER; others];
                purposes.insert(place, client);
                let found = CLIENT_PURPOSE.check(&sequence(&purposes));
                assert_eq!(found.is_ok(), others < 8);
            }
        }
    }
    assert!(CLIENT_PURPOSE.check(&sequence(&[&CLIENT[..]; 8])).is_ok());
    assert!(CLIENT_PURPOSE.check(&sequence(&[&CLIENT, SERVER])).is_ok());
    // A SEQUENCE whose length has the long form.
    let long = [&[0x06, 0x7f][..], &[0x2a; 127]].concat();
    assert!(CLIENT_PURPOSE.check(&sequence(&[&long, &CLIENT])).is_ok());
}

/// Where the schema names a purpose, that one counts and no other.
#[test]
fn the_purpose_that_is_named_counts() {
    for (purposes, expected) in [
        (&[OTHER][..], Ok(())),
        (&[SERVER, OTHER], Ok(())),
        (&[&CLIENT, OTHER, &LOGON], Ok(())),
        (&[&CLIENT], Err(UsageError::NotNamed)),
        (&[&LOGON, SERVER], Err(UsageError::NotNamed)),
        // One arc more, one less.
        (
            &[&[0x06, 0x04, 0x2a, 0x03, 0x04, 0x05]],
            Err(UsageError::NotNamed),
        ),
        (&[&[0x06, 0x02, 0x2a, 0x03]], Err(UsageError::NotNamed)),
    ] {
        assert_eq!(NAMED_PURPOSE.check(&sequence(purposes)), expected);
        let by_none = CLIENT_PURPOSE.check(&sequence(purposes));
        assert_eq!(
            by_none.is_ok(),
            purposes
                .iter()
                .any(|one| *one == CLIENT.as_slice() || *one == LOGON.as_slice())
        );
    }
    // As long as an identifier may be, and longer.
    let longest = object_identifier(&[0x2a; LONGEST_OID]);
    let longer = object_identifier(&[0x2a; LONGEST_OID + 1]);
    for other in [&longest, &longer] {
        assert!(CLIENT_PURPOSE.check(&sequence(&[other])).is_err());
        assert!(CLIENT_PURPOSE.check(&sequence(&[other, &CLIENT])).is_ok());
        assert!(NAMED_PURPOSE.check(&sequence(&[other, OTHER])).is_ok());
    }
    // Another number of octets, and an element that is the sum of two.
    let half = Fr::from(2).inverse().unwrap();
    let contents = sequence(&[&[0x06, 0x04, 0x2a, 0x03, 0x04, 0x05]]);
    for choices in [vec![2], vec![3], vec![2, 3], vec![]] {
        let value = if choices.len() == 2 { half } else { Fr::ONE };
        NAMED_PURPOSE.refuses(&contents, move |name, index, honest| match name {
            "identifier of a purpose" => packed(&OTHER[2..]),
            "octets of a purpose" if choices.contains(&index) => value,
            "octets of a purpose" => Fr::ZERO,
            "place of a purpose" => Fr::from(11),
            "purpose that counts" => Fr::from(index == 0),
            _ => honest,
        });
    }
}

/// The octets of a purpose that counts, where they are none; walks that do not end where the SEQUENCE does.
#[test]
fn what_looks_like_a_purpose_is_none() {
    let whole = sequence(&[SERVER, &CLIENT]);
    assert!(CLIENT_PURPOSE.check(&whole).is_ok());
    let inside = [&[0x06, 0x0a][..], &CLIENT].concat();
    let across = [&[0x06, 0x05][..], &CLIENT[..5]].concat();
    let long = [&[0x06, 0x81, 0x80][..], &[0x2a; 128]].concat();
    let mut wrong: Vec<Vec<u8>> = vec![
        vec![],
        vec![0x30],
        sequence(&[]),
        sequence(&[SERVER]),
        sequence(&[&inside]),
        sequence(&[&across, &CLIENT[5..]]),
        sequence(&[&long, &CLIENT]),
        sequence(&[&CLIENT, &[0x06]]),
        sequence(&[&CLIENT, &[0x06, 0x02, 0x2a]]),
        sequence(&[&CLIENT, &[0x04, 0x01, 0x2a]]),
        sequence(&[&CLIENT, &[0x00]]),
        sequence(&[&CLIENT[..9]]),
        // 1.3.6.1.5.5.7.3.2.1, and the one before it without its last arc.
        sequence(&[&[
            0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02, 0x01,
        ]]),
        sequence(&[&[0x06, 0x07, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03]]),
        [&CLIENT[..]].concat(),
        [&[0x31, 0x0a][..], &CLIENT].concat(),
        [&[0x30, 0x80][..], &CLIENT, &[0, 0]].concat(),
        [&[0x30, 0x81, 0x0a][..], &CLIENT].concat(),
        // More after the SEQUENCE, and less than it says.
        [&sequence(&[&CLIENT])[..], &[0]].concat(),
        [&sequence(&[SERVER])[..], &CLIENT].concat(),
        [&[0x30, 0x14][..], &CLIENT].concat(),
        [&[0x30, 0x0b][..], &CLIENT].concat(),
    ];
    // The long form at each place of the walk: nothing else refuses it where the length is read as 129 and more.
    for before in 0..8 {
        let mut purposes: Vec<&[u8]> = vec![&CLIENT; before];
        let misread = [&[0x06, 0x81][..], &[0x80; 129]].concat();
        purposes.push(&misread);
        if before == 0 {
            purposes.push(&CLIENT);
        }
        wrong.push(sequence(&purposes));
        // And another tag.
        purposes[before] = &[0x04, 0x01, 0x2a];
        wrong.push(sequence(&purposes));
    }
    for contents in &wrong {
        assert!(CLIENT_PURPOSE.check(contents).is_err(), "{contents:02x?}");
    }
    // All octets near one that counts.
    for place in 0..LOGON.len() {
        for bit in 0..8 {
            let mut other = LOGON.clone();
            other[place] ^= 1 << bit;
            assert!(CLIENT_PURPOSE.check(&sequence(&[&other])).is_err());
        }
    }
}

/// A place that the prover chooses: behind the end, in the middle of a purpose, before the extension; and picks that are none.
#[test]
fn no_other_place_is_picked() {
    // After the SEQUENCE, in the same buffer, the octets of clientAuth; and inside of a purpose.
    let inside = [&[0x06, 0x0a][..], &CLIENT].concat();
    let contents = sequence(&[&inside, OTHER]);
    let half = Fr::from(2).inverse().unwrap();
    for place in [9u64 + 4, 9 + 2, 9 + 2 + 12, 9 + 2 + 17] {
        for picks in [
            vec![Fr::ONE],
            vec![Fr::ZERO, Fr::ONE],
            vec![Fr::ZERO, Fr::ZERO, Fr::ONE],
            vec![Fr::ZERO; 7],
            vec![half, half],
            vec![Fr::from(2), -Fr::ONE],
        ] {
            CLIENT_PURPOSE.refuses(&contents, move |name, index, honest| match name {
                "place of a purpose" => Fr::from(place),
                "purpose that counts" => picks.get(index).copied().unwrap_or_default(),
                _ => honest,
            });
        }
    }
    // Behind the SEQUENCE stands what counts: the walk is at its end there, and idle.
    let shorter = sequence(&[OTHER]);
    let buffer = [&shorter[..], &CLIENT].concat();
    let end = shorter.len() as u64;
    for pick in 0..8 {
        let mut met = 0;
        let forger: Forger = Box::new(move |_, name, honest| match name {
            "place of a purpose" => Fr::from(end),
            "purpose that counts" => {
                met += 1;
                Fr::from(met - 1 == pick)
            }
            _ => honest,
        });
        let system = Tried::build(unnamed, &buffer, [0, end], true, false, Some(forger));
        let assignment = system.into_assignment();
        assert!(CLIENT_PURPOSE.shape.check(&assignment).is_err(), "{pick}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever x509-cert reads as purposes with clientAuth is accepted, and what it cannot read is not, but for OBJECT IDENTIFIERs
    /// that are none, which nobody looks into.
    #[test]
    fn purposes_are_those_of_x509_cert(
        kinds in prop::collection::vec(0..4usize, 0..10), change in prop::option::of((any::<usize>(), any::<u8>()))
    ) {
        let known: [&[u8]; 4] = [SERVER, OTHER, &CLIENT, &LOGON];
        let purposes: Vec<&[u8]> = kinds.iter().map(|kind| known[*kind]).collect();
        let mut contents = sequence(&purposes);
        if let Some((place, octet)) = change {
            let length = contents.len();
            contents[place % length] = octet;
        }
        let found = CLIENT_PURPOSE.check(&contents);
        let ids = ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"].map(ObjectIdentifier::new_unwrap);
        match ExtendedKeyUsage::from_der(&contents) {
            Ok(theirs) => {
                let counts = theirs.0.iter().any(|id| ids.contains(id));
                prop_assert_eq!(found.is_ok(), counts && theirs.0.len() <= PURPOSES);
            }
            Err(_) => prop_assert!(found.is_err() || change.is_some()),
        }
    }

    #[test]
    fn basic_constraints_are_those_of_x509_cert(contents in prop::collection::vec(
        prop::sample::select(vec![0u8, 1, 2, 3, 0x30, 0xff]), 0..8)
    ) {
        if BASIC_CONSTRAINTS.check(&contents).is_ok() {
            let theirs = BasicConstraints::from_der(&contents);
            let end_entity = BasicConstraints { ca: false, path_len_constraint: None };
            prop_assert_eq!(theirs, Ok(end_entity));
        }
    }
}
