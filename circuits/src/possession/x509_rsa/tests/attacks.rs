//! What attackers would have taken for a certificate of theirs. The CA signs whatever it is here, so that it is not the signature alone that
//! refuses it.

use super::*;
use crate::{
    gadgets::{
        attributes::AttributesError,
        tbs::{TbsError, fields as tbs_fields},
        usage::twin::UsageError,
    },
    hunt::samples::tlv,
};

/// organizationName, organizationalUnitName, commonName.
const O: &[u8] = &[0x55, 0x04, 0x0a];
const OU: &[u8] = &[0x55, 0x04, 0x0b];
const CN: &[u8] = &[0x55, 0x04, 0x03];

fn identifier(octets: &[u8]) -> Vec<u8> {
    tlv(0x06, octets)
}

/// A set of one attribute.
fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    let pair = [identifier(kind), tlv(0x0c, value)].concat();
    tlv(0x31, &tlv(0x30, &pair))
}

/// organizationName and commonName.
pub(super) fn subject(name: &[u8]) -> Vec<u8> {
    let organisation = attribute(O, b"Example Organisation");
    tlv(0x30, &[organisation, attribute(CN, name)].concat())
}

fn extension(kind: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[identifier(kind), tlv(0x04, value)].concat())
}

/// The fields of a client's certificate of the holder's key, to be changed.
struct Fields {
    serial: Vec<u8>,
    validity: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    extensions: Vec<u8>,
}

impl Fields {
    fn new() -> Self {
        let original = Sample::of(pem!("openssl.pem")).tbs;
        let (start, end) = tbs_fields(&original, &SHA256_WITH_RSA).unwrap().key;
        let key = tlv(0x30, &original[start..end]);
        let times = [tlv(0x17, b"200101000000Z"), tlv(0x18, b"21200101000000Z")];
        Self {
            serial: vec![0x02, 0x02, 0x4d, 0x55],
            validity: tlv(0x30, &times.concat()),
            subject: subject(b"Ada Lovelace"),
            key,
            extensions: extensions(&[]),
        }
    }

    fn tbs(&self) -> Vec<u8> {
        let all = [
            vec![0xa0, 0x03, 0x02, 0x01, 0x02],
            self.serial.clone(),
            SHA256_WITH_RSA.to_vec(),
            subject(b"Example CA"),
            self.validity.clone(),
            self.subject.clone(),
            self.key.clone(),
            tlv(0xa3, &tlv(0x30, &self.extensions)),
        ];
        tlv(0x30, &all.concat())
    }
}

/// keyUsage, clientAuth, and an e-mail address with more names beside it.
fn extensions(names: &[&[u8]]) -> Vec<u8> {
    let email = tlv(0x81, b"ada@example.org");
    let names = [vec![&email[..]], names.to_vec()].concat().concat();
    let client = identifier(&[0x2b, 6, 1, 5, 5, 7, 3, 2]);
    [
        extension(&[0x55, 0x1d, 0x0f], &[0x03, 0x02, 0x07, 0x80]),
        extension(&[0x55, 0x1d, 0x25], &tlv(0x30, &client)),
        extension(&[0x55, 0x1d, 0x11], &tlv(0x30, &names)),
    ]
    .concat()
}

/// A certificate with this subject and these names.
pub(super) fn certificate(subject: &[u8], names: &[&[u8]]) -> Vec<u8> {
    let fields = Fields {
        subject: subject.to_vec(),
        extensions: extensions(names),
        ..Fields::new()
    };
    fields.tbs()
}

/// Accepted by both; what it says.
fn accepted(sample: &Sample) -> AttributeVector {
    let witness = sample.attempt::<Reduced>();
    assert_eq!(witness.check(), Ok(()));
    assert_eq!(reduced().check(&witness.assignment()), Ok(()));
    witness.vector
}

/// Refused natively for this reason, and by exactly these parts of the relation.
fn is_refused(sample: &Sample, error: impl Into<X509RsaError>, parts: &[&str]) {
    let error = error.into();
    assert_eq!(sample.attempt::<Reduced>().check(), Err(error.clone()));
    assert_eq!(sample.refused_by(), parts, "{error}");
}

/// The same, where what fails first makes others fail too.
fn is_refused_among(sample: &Sample, error: impl Into<X509RsaError>, part: &str) {
    let error = error.into();
    assert_eq!(sample.attempt::<Reduced>().check(), Err(error.clone()));
    let found = sample.refused_by();
    assert!(found.contains(&part), "{error}: {found:?}");
}

fn body(error: impl Into<BodyError>) -> X509RsaError {
    X509RsaError::Body(error.into())
}

#[test]
fn what_is_made_here_by_hand_is_accepted() {
    accepted(&Sample::signed(Fields::new().tbs()));
}

/// Of the same name, with another key. The origin is that key's, so claiming the right one is no use.
#[test]
fn a_certificate_of_another_authority_is_refused() {
    let other = Sample::of(pem!("bad_other_ca.pem"));
    is_refused(
        &other,
        X509RsaError::IssuerSignature,
        &["issuer's signature"],
    );
    let own = Sample {
        issuer: Key::of(pem!("other_ca.key")).public(),
        ..other
    };
    let mut vector = accepted(&own);
    let honest = accepted(&Sample::of(pem!("openssl.pem")));
    assert_ne!(vector.get(0), honest.get(0));
    vector.0[0] = honest.get(0);
    let claimed: Witness = own.witness(vector);
    assert_eq!(claimed.check(), Err(X509RsaError::Slot(0)));
    assert_eq!(refused_by(reduced(), &claimed), ["slots of the credential"]);
}

/// A bit anywhere: every byte natively, and some in each field by the constraints.
#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let good = Sample::of(pem!("openssl.pem"));
    let vector = good.attempt::<Reduced>().vector;
    for place in 0..good.tbs.len() {
        let mut bad = good.clone();
        bad.tbs[place] ^= 1 << (place % 8);
        let refused = bad.witness::<Reduced>(vector).check().is_err();
        assert!(refused, "byte {place}");
        if place % 97 == 0 {
            let parts = bad.refused_by();
            assert!(parts.contains(&"issuer's signature"), "byte {place}");
        }
    }
    for place in (0..MODULUS_LEN).step_by(127) {
        let mut bad = good.clone();
        bad.signature[place] ^= 0x10;
        is_refused(&bad, X509RsaError::IssuerSignature, &["issuer's signature"]);
        let mut bad = good.clone();
        bad.possession[place] ^= 0x10;
        is_refused(&bad, X509RsaError::Possession, &["holder's signature"]);
    }
}

/// s + N verifies as s does, where nobody asks whether s < N: another signature of the same certificate.
#[test]
fn a_signature_above_the_modulus_is_refused() {
    // Of the messages that the CA signs, one whose signature has room for N above it.
    let mut fields = Fields::new();
    let samples = (1..=127u8).map(|serial| {
        fields.serial = vec![0x02, 0x01, serial];
        let mut sample = Sample::signed(fields.tbs());
        let above = BigUint::from_bytes_be(&sample.signature) + &CA.modulus;
        let fits = above.bits() <= 2_048;
        if fits {
            sample.signature = octets(&above);
        }
        (sample, fits)
    });
    let (sample, _) = samples
        .into_iter()
        .find(|(_, fits)| *fits)
        .expect("a small signature");
    is_refused(
        &sample,
        X509RsaError::IssuerSignature,
        &["issuer's signature"],
    );
}

/// The octets of another attribute, of an extension and of a name in somebody's common name: they stay a name.
#[test]
fn what_looks_like_der_inside_of_a_value_is_none() {
    // Octets below 0x20 are read of nobody's name, but its owner's is not asked for.
    let department = attribute(OU, b"Board");
    let level: &[u8] = &[0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 9];
    let clearance = extension(level, &[0x02, 0x01, 0x09]);
    for value in [&department, &clearance, &tlv(0x81, b"eve@example.org")] {
        let sample = Sample::signed(certificate(&subject(value), &[]));
        let vector = accepted(&sample);
        let ada = AttributeValue::Text("ada@example.org".into());
        let found = [6, 8, 12].map(|slot| vector.get(slot));
        assert_eq!(found, [absent(), ada.to_field(), absent()]);
        let claims = [
            (6, AttributeValue::Text("Board".into())),
            (8, AttributeValue::Text("eve@example.org".into())),
            (12, AttributeValue::Integer(9)),
        ];
        for (slot, value) in claims {
            let mut claimed = vector;
            claimed.0[slot] = value.to_field();
            let claimed: Witness = sample.witness(claimed);
            assert_eq!(claimed.check(), Err(X509RsaError::Slot(slot)));
            assert_eq!(refused_by(reduced(), &claimed), ["slots of the credential"]);
        }
    }
}

/// Lengths that are indefinite, longer than they need be, or wrong; and something behind the last field.
#[test]
fn lengths_have_one_form() {
    let good = Fields::new().tbs();
    let (start, _) = tbs_fields(&good, &SHA256_WITH_RSA).unwrap().subject;
    let mut indefinite = good.clone();
    indefinite[start - 1] = 0x80;
    let no_subject = || body(TbsError::Field("subject"));
    is_refused_among(&Sample::signed(indefinite), no_subject(), "fields");
    let mut fields = Fields::new();
    let contents = fields.subject[2..].to_vec();
    fields.subject = [&[0x30, 0x81, contents.len() as u8][..], &contents].concat();
    is_refused_among(&Sample::signed(fields.tbs()), no_subject(), "fields");
    let mut fields = Fields::new();
    fields.validity[1] += 1;
    is_refused_among(&Sample::signed(fields.tbs()), no_subject(), "fields");
    let mut longer = good;
    longer.push(0);
    is_refused_among(&Sample::signed(longer), body(TbsError::Whole), "fields");
}

#[test]
fn serial_numbers_have_one_form() {
    use bauta_statement::vector::SerialError::NotPositive;
    let with = |serial: &[u8]| {
        let fields = Fields {
            serial: tlv(0x02, serial),
            ..Fields::new()
        };
        Sample::signed(fields.tbs())
    };
    let long = [&[1][..], &[0; 20]].concat();
    for serial in [&[0x80][..], &[0xff, 0x01], &[0x00, 0x01], &[], &long] {
        is_refused_among(&with(serial), body(TbsError::Serial), "fields");
    }
    is_refused(&with(&[0]), body(NotPositive), &["serial number"]);
}

/// Bleichenbacher's forgery of 2006 puts the hash before the end, and behind it what makes the whole a power; here the CA itself signs such.
#[test]
fn padding_with_anything_else_in_it_is_refused() {
    let tbs = Fields::new().tbs();
    let right = encoded(&tbs);
    let (_, end) = right.split_at(MODULUS_LEN - SHA256_DIGEST_INFO.len() - 32);
    let garbage = [&[0, 1][..], &[0xff; 8], &[0], end, &[0x5a; 194]].concat();
    let mut tried = vec![garbage];
    // Another block type, a padding that is shorter or has another octet, no separator, a digest of another kind and length.
    for (place, octet) in [
        (1, 2),
        (2, 0xfe),
        (100, 0),
        (204, 1),
        (206, 0x30),
        (221, 0x06),
    ] {
        let mut other = right.clone();
        other[place] = octet;
        tried.push(other);
    }
    // The parameters left out.
    let info: &[u8] = &[
        0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x04, 0x20,
    ];
    let digest = &right[MODULUS_LEN - 32..];
    tried.push([&[0, 1][..], &[0xff; 204], &[0], info, digest].concat());
    for encoded in tried {
        assert_eq!(encoded.len(), MODULUS_LEN);
        let sample = Sample {
            signature: CA.power(&encoded),
            ..Sample::signed(tbs.clone())
        };
        is_refused(
            &sample,
            X509RsaError::IssuerSignature,
            &["issuer's signature"],
        );
    }
}

/// With the exponent 3 signatures can be forged by taking roots, where padding is read loosely; no key has it here.
#[test]
fn keys_with_another_exponent_are_refused() {
    let by_ca = Sample {
        issuer: Key::of(pem!("ca_3.key")).public(),
        ..Sample::of(pem!("bad_ca_3.pem"))
    };
    is_refused(
        &by_ca,
        X509RsaError::IssuerSignature,
        &["issuer's signature"],
    );
    let holder = Key::of(pem!("client_3.key"));
    let of_holder = Sample {
        possession: holder.sign(POSSESSION_MESSAGE),
        ..Sample::of(pem!("bad_client_3.pem"))
    };
    is_refused_among(&of_holder, X509RsaError::Key, "holder's key");
}

/// What the same CA issues to others, whose keys sign too.
#[test]
fn certificates_that_are_no_client_s_are_refused() {
    for (pem, error) in [
        (pem!("bad_server.pem"), UsageError::Server),
        (pem!("bad_authority.pem"), UsageError::Authority),
        (pem!("bad_responder.pem"), UsageError::OcspResponder),
    ] {
        is_refused(&Sample::of(pem), body(error), &["usage"]);
    }
    // The CA's own, by its own key.
    let own = Sample {
        possession: CA.sign(POSSESSION_MESSAGE),
        ..Sample::of(pem!("ca.pem"))
    };
    is_refused(&own, body(UsageError::Authority), &["usage"]);
}

#[test]
fn an_attribute_that_occurs_twice_is_refused() {
    let twice = |attribute: &str| {
        let attribute = attribute.to_owned();
        body(AttributesError::Twice {
            attribute,
            count: 2,
        })
    };
    let emails = Sample::of(pem!("bad_two_emails.pem"));
    is_refused(&emails, twice("email"), &["candidates"]);
    let department = attribute(OU, b"Research");
    let names = [department.clone(), attribute(CN, b"Ada"), department];
    let departments = Sample::signed(certificate(&tlv(0x30, &names.concat()), &[]));
    is_refused(&departments, twice("department"), &["candidates"]);
}

/// A certificate is public; who has it and not its key has nothing. Nor does a signature of something else do.
#[test]
fn a_stolen_certificate_is_refused() {
    let good = Sample::of(pem!("openssl.pem"));
    let thief = Key::of(pem!("other_client.key"));
    for possession in [
        thief.sign(POSSESSION_MESSAGE),
        HOLDER.sign(b"bauta/v1/x509-possession\n"),
        HOLDER.sign(b""),
        // The CA's signature of the certificate is public too.
        good.signature,
        [0; MODULUS_LEN],
        octets(&BigUint::from(1u8)),
    ] {
        let stolen = Sample {
            possession,
            ..good.clone()
        };
        is_refused(&stolen, X509RsaError::Possession, &["holder's signature"]);
    }
}

/// The first and the last second that a certificate can say, and what is none.
#[test]
fn validity_is_what_the_certificate_says() {
    let with = |first: &[u8], last: &[u8]| {
        let time = |time: &[u8]| tlv(if time.len() == 13 { 0x17 } else { 0x18 }, time);
        let fields = Fields {
            validity: tlv(0x30, &[time(first), time(last)].concat()),
            ..Fields::new()
        };
        Sample::signed(fields.tbs())
    };
    let good: [(&[u8], &[u8], [u64; 2]); 4] = [
        (b"700101000000Z", b"491231235959Z", [0, 2_524_607_999]),
        (b"19700101000000Z", b"99991231235959Z", [0, 253_402_300_799]),
        (
            b"240229235959Z",
            b"20240301000000Z",
            [1_709_251_199, 1_709_251_200],
        ),
        (b"20500101000000Z", b"20500101000000Z", [2_524_608_000; 2]),
    ];
    for (first, last, expected) in good {
        let vector = accepted(&with(first, last));
        let found = [2, 3].map(|slot| vector.get(slot).into_bigint().0[0]);
        assert_eq!(found, expected);
    }
    let bad: [(&[u8], &[u8]); 6] = [
        (b"500101000000Z", b"491231235959Z"),
        (b"230229000000Z", b"491231235959Z"),
        (b"200101000000Z", b"20201301000000Z"),
        (b"200101240000Z", b"20210101000000Z"),
        (b"200101000060Z", b"20210101000000Z"),
        (b"200101000000+", b"20210101000000Z"),
    ];
    for (first, last) in bad {
        let error = body(BodyError::Validity);
        is_refused_among(&with(first, last), error, "validity");
    }
}

/// Each slot by itself: another value than the certificate has is refused by the one row that is there for it.
#[test]
fn no_slot_is_the_prover_s_to_choose() {
    let sample = Sample::of(pem!("openssl.pem"));
    let good = sample.attempt::<Reduced>().vector;
    let mut rows = std::collections::BTreeSet::new();
    for slot in 0..SLOTS {
        let mut vector = good;
        vector.0[slot] += Fr::from(1);
        let other: Witness = sample.witness(vector);
        assert_eq!(other.check(), Err(X509RsaError::Slot(slot)));
        let failing: Vec<usize> = reduced().failing(&other.assignment()).collect();
        assert_eq!(failing.len(), 1, "slot {slot}");
        assert_eq!(reduced().region_of(failing[0]), "slots of the credential");
        rows.insert(failing[0]);
    }
    assert_eq!(rows.len(), SLOTS);
}
