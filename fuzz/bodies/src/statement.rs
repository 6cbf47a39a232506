//! Targets of the statement crate's binary encodings, and of note keys.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arbitrary::Unstructured;
use bauta_log::{CosignatureSigner, CosignatureVerifier, LogSigner, LogVerifier};
use bauta_statement::approval::ApprovalKey;
use bauta_statement::certificate::{Ca, Evidence, PresentedIdentity, Pseudonym, disassemble};
use bauta_statement::challenge::{Challenge, ChallengeKey, ENCODED_LENGTH};
use bauta_statement::credential::{
    CredentialError, HolderSecret, IssuedCredential, NativeCredential,
};
use bauta_statement::crl::Crl;
use bauta_statement::csr::{LONGEST_REQUEST, PublicKey, Request};
use bauta_statement::eddsa;
use bauta_statement::entry::{Body, Entry, MAX_ENTRY_BYTES, MAX_OBJECT_BYTES};
use bauta_statement::file::fingerprint::Fingerprint;
use bauta_statement::file::text as written;
use bauta_statement::group::{
    PointError, g1_from_bytes, g1_to_bytes, g2_from_bytes, g2_in_subgroup, g2_to_bytes,
};
use bauta_statement::note::{CosignatureKey, MAX_NOTE_BYTES, NoteKey, NoteSigner, SignedNote};
use bauta_statement::presentation::{
    DecodeError, MAX_DISCLOSURES, MAX_TEXT, Opening, Presentation,
};
use bauta_statement::relation::Relation;
use bauta_statement::rsa_key::{PACK_LEN, RsaPublicKey};
use bauta_statement::vector::{AttributeValue, Format, Serial};
use bauta_statement::verifying_key::VerifyingKey;
use bauta_statement::{babyjubjub, field as scalars};

use crate::edit::{self, Kind};
use crate::seeds;

/// The first N bytes, filled up with zeros.
fn array<const N: usize>(data: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| data.get(i).copied().unwrap_or_default())
}

pub(crate) fn field(data: &[u8]) {
    let bytes = array(data);
    if let Ok(value) = scalars::from_bytes(&bytes) {
        assert_eq!(scalars::to_bytes(&value), bytes);
        assert_eq!(scalars::low_u64(&value).to_le_bytes(), bytes[..8]);
    }
}

pub(crate) fn babyjubjub_point(data: &[u8]) {
    let bytes = array(data);
    if let Ok(point) = babyjubjub::unpack(&bytes) {
        assert_eq!(babyjubjub::pack(&point), bytes);
        assert_eq!(babyjubjub::from_coordinates(point.x, point.y), Ok(point));
    }
    let second = array(data.get(32..).unwrap_or_default());
    if let (Ok(x), Ok(y)) = (scalars::from_bytes(&bytes), scalars::from_bytes(&second))
        && let Ok(point) = babyjubjub::from_coordinates(x, y)
    {
        assert_eq!(babyjubjub::unpack(&babyjubjub::pack(&point)), Ok(point));
    }
}

pub(crate) fn eddsa(data: &[u8]) {
    let bytes = array(data);
    if let Ok(key) = eddsa::PublicKey::from_bytes(&bytes) {
        assert_eq!(key.to_bytes(), bytes);
        let [x, y] = key.coordinates();
        assert_eq!(eddsa::PublicKey::from_coordinates(x, y), Ok(key));
    }
    if let Ok(key) = eddsa::SigningKey::from_bytes(&bytes) {
        assert_eq!(key.to_bytes().as_slice(), bytes);
    }
    let bytes = array(data);
    if let Ok(signature) = eddsa::Signature::from_bytes(&bytes) {
        assert_eq!(signature.to_bytes(), bytes);
    }
}

pub(crate) fn group_points(data: &[u8]) {
    if let Ok(bytes) = data.try_into()
        && let Ok(point) = g1_from_bytes(bytes)
    {
        assert_eq!(g1_to_bytes(&point), *bytes);
        assert!(point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve());
    }
    if let Ok(bytes) = data.try_into()
        && let Ok(point) = g2_from_bytes(bytes)
    {
        assert_eq!(g2_to_bytes(&point), *bytes);
        // The fast subgroup test, and arkworks' slow one.
        assert!(g2_in_subgroup(&point) && point.is_on_curve());
        assert!(point.is_in_correct_subgroup_assuming_on_curve());
    }
}

pub(crate) fn codes(data: &[u8]) {
    let code = data.first().copied().unwrap_or_default();
    assert!(Format::from_code(code).is_none_or(|format| format.code() == code));
    assert!(Relation::from_code(code).is_none_or(|relation| relation.code() == code));
    if let Ok(name) = std::str::from_utf8(data) {
        assert!(Relation::from_name(name).is_none_or(|relation| relation.name() == name));
    }
}

pub(crate) fn serial(data: &[u8]) {
    if let Ok(serial) = Serial::from_be_bytes(data) {
        assert_eq!(serial.as_be_bytes(), data);
    }
    if let Ok(serial) = Serial::from_der_contents(data) {
        // The one DER encoding: a zero byte where the top bit is set.
        let top = serial
            .as_be_bytes()
            .first()
            .is_some_and(|byte| byte & 0x80 != 0);
        let sign: &[u8] = if top { &[0] } else { &[] };
        assert_eq!([sign, serial.as_be_bytes()].concat(), data);
    }
}

pub(crate) fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(seconds) = written::parse_time(text) {
        assert_eq!(written::format_time(seconds).as_deref(), Ok(text));
    }
    if let Ok(bytes) = written::parse_hex::<4>(text) {
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), text);
    }
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        // People type it as they like; it is printed in one way.
        let printed = fingerprint.to_string();
        assert_eq!(printed.parse(), Ok(fingerprint));
        let typed = |text: &str| text.split_whitespace().collect::<String>().to_uppercase();
        assert_eq!(typed(&printed), typed(text));
    }
    if written::is_trust_domain(text) || written::is_name(text) {
        assert!(text.is_ascii() && !text.contains(['/', '\\', ' ']));
    }
}

/// Where the points of a verifying key of `count` bases are.
fn key_layout(count: usize) -> Vec<edit::Field> {
    let head = [
        (0, Kind::G1),
        (32, Kind::G2),
        (96, Kind::G1),
        (128, Kind::G2),
    ];
    let bases = (0..count).map(|i| (194 + 32 * i, Kind::G1));
    head.into_iter().chain(bases).collect()
}

pub(crate) fn verifying_key(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let edited = if how & 1 == 0 {
        rest.to_vec()
    } else {
        static KEY: LazyLock<Vec<u8>> = LazyLock::new(seeds::verifying_key);
        let mut key = KEY.clone();
        edit::fields(
            &mut key,
            &key_layout((KEY.len() - 194) / 32),
            &mut Unstructured::new(rest),
        );
        key
    };
    if let Ok(key) = VerifyingKey::decode(&edited) {
        assert_eq!(key.encode(), edited);
        assert_eq!(key.inputs() + 1, key.l.len());
        // Its pairings cost milliseconds, so only on some inputs; it must not panic, and no count but one passes.
        if how & 0xfe == 0xfe && key.validate(key.inputs()).is_ok() {
            assert!(key.validate(key.inputs() + 1).is_err());
        }
    }
}

/// Where the fields of a presentation of this shape are.
pub(crate) fn presentation_layout(scoped: bool, disclosures: usize) -> Vec<edit::Field> {
    let proof = [
        Kind::G1,
        Kind::G2,
        Kind::G1,
        Kind::G1,
        Kind::G1,
        Kind::Scalar,
    ];
    let mut kinds = [proof, proof].concat();
    if scoped {
        kinds.push(Kind::Scalar);
        kinds.extend(proof);
    }
    for _ in 0..disclosures {
        kinds.extend([Kind::G1, Kind::G1, Kind::Scalar]);
    }
    kinds.extend([Kind::Scalar; 16]);
    let mut at = 4;
    kinds
        .into_iter()
        .map(|kind| {
            let field = (at, kind);
            at += if kind == Kind::G2 { 64 } else { 32 };
            field
        })
        .collect()
}

pub(crate) fn presentation(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let edited = if how & 1 == 0 {
        rest.to_vec()
    } else {
        static GOOD: LazyLock<Vec<u8>> = LazyLock::new(seeds::presentation);
        static LAYOUT: LazyLock<Vec<edit::Field>> =
            LazyLock::new(|| presentation_layout(GOOD[2] == 1, usize::from(GOOD[3])));
        let mut object = GOOD.clone();
        edit::fields(&mut object, &LAYOUT, &mut Unstructured::new(rest));
        object
    };
    let strict = Presentation::decode(&edited);
    match (&strict, Presentation::decode_for_verifier(&edited)) {
        (Ok(strict), lenient) => assert_eq!(Some(strict), lenient.as_ref().ok()),
        // The one test that the verifier makes by itself.
        (Err(refused), Ok(_)) => assert!(matches!(
            refused,
            DecodeError::Point {
                source: PointError::NotInSubgroup,
                ..
            }
        )),
        (Err(_), Err(_)) => {}
    }
    if let Ok(presentation) = strict {
        assert_eq!(presentation.encode(), edited);
        assert!(presentation.disclosures.len() <= MAX_DISCLOSURES);
        assert_eq!(
            presentation.proofs().count(),
            2 + usize::from(presentation.nullifier().is_some())
        );
    }
}

pub(crate) fn openings(data: &[u8]) {
    if let Ok(openings) = Opening::decode_list(data) {
        assert_eq!(Opening::encode_list(&openings), data);
        assert!(openings.len() <= MAX_DISCLOSURES);
        for opening in &openings {
            assert!(!matches!(&opening.value, AttributeValue::Text(text) if text.len() > MAX_TEXT));
        }
    }
}

pub(crate) fn credential(data: &[u8]) {
    let Ok(issued) = IssuedCredential::decode(data) else {
        // The wallet's form is 64 bytes and this one.
        if let Ok(kept) = NativeCredential::decode(data) {
            assert_eq!(kept.encode().as_slice(), data);
        }
        return;
    };
    assert_eq!(issued.encode(), data);
    // Whatever was decoded, the wrong secret does not open it.
    let other = HolderSecret {
        secret: issued.commitment,
        blinding: issued.rule,
    };
    assert!(matches!(
        issued.clone().accept(other),
        Err(CredentialError::OtherSecret)
    ));
}

pub(crate) fn challenge(data: &[u8]) {
    if let Ok(challenge) = Challenge::decode(data) {
        assert_eq!(data.len(), ENCODED_LENGTH);
        assert_eq!(challenge.encode(), data);
        // Nobody guesses an authenticator: no input but the seed, which the key gave, passes.
        static GIVEN: LazyLock<Vec<u8>> = LazyLock::new(seeds::challenge);
        let known = ChallengeKey::new(seeds::CHALLENGE_KEY).check(
            &challenge,
            challenge.expiry,
            &challenge.policy_digest,
        );
        assert_eq!(known.is_ok(), data == GIVEN.as_slice());
    }
}

pub(crate) fn public_key(data: &[u8]) {
    if let Ok(key) = PublicKey::from_spki(data) {
        assert_eq!(key.spki(), data);
        assert!(data.ends_with(key.bits()));
        if let (bauta_statement::csr::KeyType::Ed25519, Ok(bits)) =
            (key.kind(), key.bits().try_into())
        {
            assert_canonical(bits);
        }
    }
}

/// One encoding per key: y below 2^255 − 19, and no set sign on x = 0.
fn assert_canonical(public: &[u8; 32]) {
    let key = ed25519_dalek::VerifyingKey::from_bytes(public).expect("a decoded key is a point");
    assert_eq!(
        key.to_edwards().compress().to_bytes(),
        *public,
        "a second encoding of one key"
    );
    assert!(!key.is_weak());
}

pub(crate) fn csr(data: &[u8]) {
    if let Ok(request) = Request::from_der(data) {
        assert!(data.len() <= LONGEST_REQUEST);
        assert_eq!(
            PublicKey::from_spki(request.key.spki()).as_ref(),
            Ok(&request.key)
        );
        let verified = bauta_verifier::csr::verify(data);
        assert!(
            verified.is_ok_and(|key| key == request.key)
                || bauta_verifier::csr::verify_for(data, request.key.spki()).is_err()
        );
    } else {
        assert!(bauta_verifier::csr::verify(data).is_err());
    }
}

pub(crate) fn leaf(data: &[u8]) {
    if let Ok((tbs, signature)) = disassemble(data) {
        // One DER: the parts are the certificate's own bytes.
        let rest = data
            .strip_suffix(&signature)
            .expect("the signature ends it");
        assert!(rest.windows(tbs.len()).any(|window| window == tbs));
    }
    if let Ok(identity) = PresentedIdentity::from_der(data) {
        assert!(
            written::is_trust_domain(&identity.trust_domain) && written::is_name(&identity.policy)
        );
        assert!(identity.enterprise_number > 0);
        assert!(
            identity
                .disclosed
                .iter()
                .all(|(_, value)| *value != AttributeValue::Absent)
        );
    }
}

pub(crate) fn ca_certificate(data: &[u8]) {
    if let Ok(ca) = Ca::from_certificate(data, 32_473) {
        assert!(disassemble(data).is_ok());
        assert_eq!(Ca::from_certificate(data, 32_473).as_ref(), Ok(&ca));
    }
}

/// Certificates of any CA; beside them what is read of requests, which have the same outer form.
pub(crate) fn outside_certificate(data: &[u8]) {
    use bauta_statement::certificate::{OutsideCertificate, Shape, request};
    let read = OutsideCertificate::from_der(data);
    if let Ok(read) = &read {
        assert_eq!(Shape::of(&read.signed), Some(Shape::Certificate));
        assert!(Request::from_der(data).is_err());
        if let Ok(key) = read.public_key() {
            assert_eq!(key.spki(), read.key);
        }
        // Whatever issued it, it did not sign itself by accident: the seeds alone are signed.
        let _ = bauta_verifier::certificate::is_issued_by(read, read);
    }
    if let Ok((subject, key)) = request::read(data) {
        assert_eq!(request::check(data, &subject, &key), Ok(()));
        let parsed = Request::from_der(data).expect("it was read");
        assert_eq!(Shape::of(&parsed.signed), Some(Shape::Request));
        assert!(read.is_err());
    }
}

pub(crate) fn crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else {
        return;
    };
    assert!(Crl::is_one(data) && data.len() <= MAX_OBJECT_BYTES as usize);
    // What is signed is a part of the list, as it stands there.
    assert!(data.windows(crl.signed.len()).any(|one| one == crl.signed));
    assert!(crl.this_update < crl.next_update);
    let serials: BTreeSet<&[u8]> = crl.serials.iter().map(Serial::as_be_bytes).collect();
    assert_eq!(serials.len(), crl.serials.len());
    let handles = crl.handles(scalars::Fr::from(1));
    assert_eq!(handles.len(), crl.serials.len());
    assert!(handles.iter().all(|handle| (1..u64::MAX).contains(handle)));
}

pub(crate) fn rsa_key(data: &[u8]) {
    let Ok(key) = RsaPublicKey::from_be_bytes(data) else {
        return;
    };
    assert_eq!(key.modulus(), data);
    let pkcs1 = key.to_pkcs1().expect("it encodes");
    assert_eq!(RsaPublicKey::from_pkcs1(&pkcs1).as_ref(), Ok(&key));
    // What is hashed says every octet: two keys with one digest would have one origin, and one handle for a serial number.
    let packed: Vec<u8> = key
        .packed()
        .iter()
        .rev()
        .flat_map(|element| {
            let octets = scalars::to_bytes(element);
            octets.into_iter().take(PACK_LEN).rev()
        })
        .collect();
    assert_eq!(packed.strip_prefix(&[0; 14]), Some(data));
    let mut other = data.to_vec();
    if let Some(lowest) = other.last_mut() {
        *lowest ^= 1;
    }
    let other = RsaPublicKey::from_be_bytes(&other).expect("the highest bit stays");
    assert_ne!(other.digest(), key.digest());
}

pub(crate) fn pseudonym(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(pseudonym) = Pseudonym::parse(text)
    {
        assert_eq!(pseudonym.to_string(), text);
    }
}

pub(crate) fn evidence(data: &[u8]) {
    if let Ok(evidence) = Evidence::decode(data) {
        assert_eq!(evidence.encode(), data);
    }
}

pub(crate) fn entry(data: &[u8]) {
    if let Ok(entry) = Entry::decode(data) {
        assert!(data.len() <= MAX_ENTRY_BYTES);
        assert_eq!(entry.encode().as_deref(), Ok(data));
    }
}

/// An entry that begins as an epoch's does, so that all of the input is its body.
pub(crate) fn epoch(data: &[u8]) {
    let bytes = [&[1, 0, 0, 0, 0, 0, 0, 0, 1, 4], data].concat();
    if let Ok(entry) = Entry::decode(&bytes) {
        assert_eq!(entry.encode(), Ok(bytes));
        let Body::Epoch(epoch) = entry.body else {
            panic!("kind 4 is an epoch");
        };
        assert!(epoch.end() >= epoch.start && !epoch.contains(epoch.end()));
        for policy in &epoch.policies {
            assert_eq!(
                epoch.policy(&policy.policy).map(|one| one.policy),
                Some(policy.policy)
            );
        }
        let _ = bauta_statement::epoch::check_bounds(
            epoch.number,
            epoch.start,
            epoch.length,
            epoch.length,
        );
    }
}

pub(crate) fn note(data: &[u8]) {
    if let Ok(note) = SignedNote::parse(data) {
        assert!(data.len() <= MAX_NOTE_BYTES);
        assert!(data.starts_with(note.text().as_bytes()) && note.text().ends_with('\n'));
        static KEYS: LazyLock<Vec<NoteKey>> = LazyLock::new(|| {
            let signers = seeds::note_signers();
            signers.iter().map(NoteSigner::verifier).collect()
        });
        // Nobody but the keys' owners signs: what the seed's keys are found to have signed is the seed's text.
        if note.count(&KEYS).is_ok_and(|found| found > 0) {
            assert_eq!(note.text(), seeds::NOTE_TEXT);
        }
    }
}

pub(crate) fn note_keys(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let note = NoteKey::parse(text);
    if let Ok(key) = &note {
        assert_eq!(key.to_string(), text);
        assert_canonical(&key.public());
    }
    let cosignature = CosignatureKey::parse(text);
    if let Ok(key) = &cosignature {
        assert_eq!(key.to_string(), text);
        assert_canonical(&key.public());
    }
    // The log crate reads the same strings, and says the same of each.
    let log: Result<LogVerifier, _> = text.parse();
    let cosigner: Result<CosignatureVerifier, _> = text.parse();
    assert_eq!(
        log.as_ref().map(ToString::to_string).ok(),
        note.as_ref().map(ToString::to_string).ok()
    );
    assert_eq!(
        cosigner.as_ref().map(ToString::to_string).ok(),
        cosignature.map(|key| key.to_string()).ok()
    );
    // An approval key is that, or of P-256.
    let approval = ApprovalKey::parse(text);
    if let Ok(key) = &approval {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = &note {
        assert_eq!(
            approval.as_ref().map(ToString::to_string),
            Ok(key.to_string())
        );
    }
    let skey = NoteSigner::parse(text);
    if let Ok(key) = &skey {
        assert_eq!(key.to_skey().as_str(), text);
    }
    if let Ok(key) = text.parse::<LogSigner>() {
        assert_eq!(key.to_secret_string().as_str(), text);
        assert!(skey.is_ok());
    }
    if let Ok(key) = text.parse::<CosignatureSigner>() {
        assert_eq!(key.to_secret_string().as_str(), text);
    }
}
