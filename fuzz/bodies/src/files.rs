//! Targets of signed files: what parses is written again and read as the same, no key stands twice in one object, and a
//! policy that passes its checks has public inputs that make sense.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use arbitrary::Unstructured;
use bauta_statement::csr::KeyType;
use bauta_statement::field::Fr;
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::{self, Body, FileError, Header, Kind, SignedFile};
use bauta_statement::policy::{
    CertificateProfile, Disclosure, EpochRoots, KeyDigest, Literal, MOST_VALUE_SETS, Policy,
    PolicyBody, Predicate, RelationName, Scope, Test,
};
use bauta_statement::relation::{PREDICATES, PredicateTest, Relation};
use bauta_statement::schema::{ATTRIBUTE_SLOTS, AttributeType, Schema};
use bauta_statement::vector::Format;
use serde_json::Value;

use crate::edit::{self, below, byte};
use crate::seeds;

/// The bodies of good files, by type and name, as JSON values.
static GOOD: LazyLock<BTreeMap<Kind, Vec<(String, Value)>>> = LazyLock::new(|| {
    let mut good: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for text in seeds::file_texts() {
        let (header, _) = file::parse_text(&text).expect("a seed parses");
        let (_, json) = text.split_once("\n\n").expect("a file has a body");
        let body = serde_json::from_str(json).expect("a body is JSON");
        good.entry(header.kind)
            .or_default()
            .push((header.name, body));
    }
    good
});

/// The text of a file of this type: the input as its body, or a good body with the edits that the input names.
fn text_of(kind: Kind, data: &[u8]) -> Option<String> {
    let (how, rest) = data.split_first()?;
    let good = GOOD.get(&kind)?;
    let (name, body) = good.get(usize::from(how >> 1) % good.len())?;
    let json = if how & 1 == 0 {
        std::str::from_utf8(rest).ok()?.to_owned()
    } else {
        let mut body = body.clone();
        edit::json(&mut body, &mut Unstructured::new(rest));
        body.to_string()
    };
    let header = Header {
        kind,
        trust_domain: "example.org".into(),
        name: name.clone(),
        version: 2,
        expires: 1_795_305_600,
    };
    Some(header.to_text().ok()? + &json)
}

/// Reads the text; what it says is written again, in the one form, and read as the same. That form is the last of the three.
fn read(text: &str) -> Result<(Header, Body, String), FileError> {
    let (header, body) = file::parse_text(text)?;
    let (_, json) = text.split_once("\n\n").expect("a file has a body");
    assert!(
        serde_json::from_str::<Unique>(json).is_ok(),
        "a key stands twice in one object: another reader may take the other value"
    );
    let again = match &body {
        Body::Authority(body) => file::to_text(&header, body),
        Body::Policy(body) => file::to_text(&header, body),
        Body::Schema(body) => file::to_text(&header, body),
        Body::IssuerSet(body) => file::to_text(&header, body),
        Body::RevocationList(body) => file::to_text(&header, body),
        Body::KeyOperation(body) => file::to_text(&header, body),
        Body::Parameters(body) => file::to_text(&header, body),
        Body::Tombstone(body) => file::to_text(&header, body),
        other => panic!("a new type of file: {other:?}"),
    }
    .expect("what was read can be written");
    let (same_header, same_body) = file::parse_text(&again).expect("what was written can be read");
    assert_eq!((&header, &body), (&same_header, &same_body));
    Ok((header, body, again))
}

/// Any JSON in which no object has a key twice.
struct Unique;

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

impl<'de> serde::de::Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated keys")
    }
    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, Self)) = members.next_entry::<String, Self>()? {
            if !keys.insert(key) {
                return Err(serde::de::Error::custom("a key twice"));
            }
        }
        Ok(self)
    }
}

/// Headers, and whole notes.
pub(crate) fn signed_file(data: &[u8]) {
    if let Ok(file) = SignedFile::parse(data) {
        assert!(data.starts_with(file.note.text().as_bytes()));
        assert!(read(file.note.text()).is_ok());
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok((header, ..)) = read(text)
    {
        let (head, _) = text.split_once("\n\n").expect("a file has a header");
        assert_eq!(
            header.to_text().as_deref(),
            Ok(format!("{head}\n\n").as_str())
        );
    }
}

fn parsed(kind: Kind, data: &[u8]) -> Option<Body> {
    let text = text_of(kind, data)?;
    let (header, body, again) = read(&text).ok()?;
    assert_eq!(header.kind, kind);
    if let Body::Authority(authority) = &body {
        assert_eq!(authority.to_text().as_deref(), Ok(again.as_str()));
    }
    Some(body)
}

pub(crate) fn authority(data: &[u8]) {
    if let Some(Body::Authority(authority)) = parsed(Kind::Authority, data) {
        let quorum = authority.quorum;
        assert_eq!(quorum.n, authority.signers.len());
        assert!(2 * quorum.q > quorum.n + quorum.f && quorum.t > quorum.f);
    }
}

pub(crate) fn policy(data: &[u8]) {
    if let Some(Body::Policy(policy)) = parsed(Kind::Policy, data) {
        check_policy(&policy);
    }
}

/// A policy put together by the input rather than written.
pub(crate) fn policy_check(data: &[u8]) {
    let body = arbitrary_policy(&mut Unstructured::new(data));
    let findings = body.check();
    let json = serde_json::to_vec(&body).expect("a policy is JSON");
    assert_eq!(
        serde_json::from_slice::<PolicyBody>(&json).ok().as_ref(),
        Some(&body)
    );
    match Policy::try_from(body) {
        Ok(policy) => {
            assert_eq!(findings.errors, []);
            assert_eq!(
                serde_json::from_slice::<Policy>(&json).ok().as_ref(),
                Some(&policy)
            );
            check_policy(&policy);
        }
        Err(error) => {
            // Only what needs hashing is found after `check`.
            assert_eq!(findings.errors.first(), Some(&error));
            assert!(serde_json::from_slice::<Policy>(&json).is_err());
        }
    }
}

/// What every policy that passed its checks keeps to.
fn check_policy(policy: &Policy) {
    assert_eq!(policy.check().errors, []);
    assert_ne!(policy.scope.is_some(), policy.unbounded);
    let roots = EpochRoots {
        start: 3600,
        end: 7200,
        issuer_root: Fr::from(1),
        revocation_root: Fr::from(2),
    };
    let public = policy.public(&roots);
    assert_eq!(public.to_inputs().len(), Relation::Policy.public_inputs());
    assert!(policy.valid_until(roots.end) > roots.end);
    for (position, (predicate, slot)) in public
        .predicates()
        .iter()
        .zip(policy.slot_map())
        .enumerate()
    {
        assert_eq!(predicate.test == PredicateTest::None, slot.is_none());
        assert!(
            slot.is_none_or(
                |slot| ATTRIBUTE_SLOTS.contains(&u8::try_from(slot).unwrap_or_default())
            )
        );
        assert!(
            position < MOST_VALUE_SETS || !matches!(predicate.test, PredicateTest::Member { .. })
        );
    }
    assert!(
        policy
            .slots_read()
            .iter()
            .all(|slot| ATTRIBUTE_SLOTS.contains(slot))
    );
    let counted = policy.scope.is_some();
    assert_eq!(policy.check_formats([Format::X509Rsa]).is_err(), counted);
    assert!(policy.check_formats([Format::Native]).is_ok());
    let named = |relation| policy.parameter(relation).is_some();
    let all = named(Relation::Policy)
        && named(Relation::PossessionNative)
        && (!counted || named(Relation::Nullifier));
    assert_eq!(policy.check_production().is_ok(), all);
}

fn arbitrary_policy(input: &mut Unstructured<'_>) -> PolicyBody {
    let scope = (!byte(input).is_multiple_of(3)).then(|| Scope {
        name: name(input),
        period_seconds: number(input),
        bound: byte(input).into(),
    });
    PolicyBody {
        name: name(input),
        description: (byte(input) & 1 == 1).then(|| name(input)),
        issuer_set: name(input),
        schema: name(input),
        predicates: (0..below(input, PREDICATES + 2))
            .map(|_| predicate(input))
            .collect(),
        disclose: (0..below(input, 4))
            .map(|_| Disclosure {
                attribute: name(input),
                slot: slot(input),
                kind: kind(input),
            })
            .collect(),
        unbounded: scope.is_none() ^ (byte(input) % 8 == 7),
        scope,
        certificate: CertificateProfile {
            lifetime_seconds: number(input),
            keys: (0..1 + below(input, 3))
                .map(|_| {
                    [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa][below(input, 4)]
                })
                .collect(),
        },
        parameters: (0..below(input, 4))
            .map(|_| {
                (
                    RelationName(Relation::BASIC[below(input, 3)]),
                    KeyDigest([byte(input); 32]),
                )
            })
            .collect(),
    }
}

fn predicate(input: &mut Unstructured<'_>) -> Predicate {
    let test = match byte(input) % 7 {
        0 => Test::Equals(literal(input)),
        1 => Test::NotEquals(literal(input)),
        2 => Test::AtLeast(number(input)),
        3 => Test::AtMost(number(input)),
        4 => Test::Between(number(input), number(input)),
        _ => Test::OneOf((0..below(input, 8)).map(|_| literal(input)).collect()),
    };
    Predicate {
        attribute: name(input),
        slot: slot(input),
        kind: kind(input),
        test,
        any_of: byte(input) & 1 == 1,
    }
}

fn name(input: &mut Unstructured<'_>) -> String {
    let bad = byte(input) % 8 == 7;
    let names = if bad {
        ["", "..", "x y"]
    } else {
        ["a", "b", "role"]
    };
    names[below(input, 3)].to_owned()
}

fn slot(input: &mut Unstructured<'_>) -> u8 {
    5 + byte(input) % 12
}

fn kind(input: &mut Unstructured<'_>) -> AttributeType {
    if byte(input) & 1 == 1 {
        AttributeType::Integer
    } else {
        AttributeType::Text
    }
}

fn number(input: &mut Unstructured<'_>) -> u64 {
    match byte(input) % 4 {
        0 => input.arbitrary().unwrap_or_default(),
        1 => u64::MAX,
        _ => 60 * (1 + u64::from(byte(input))),
    }
}

fn literal(input: &mut Unstructured<'_>) -> Literal {
    match byte(input) % 4 {
        0 => Literal::Integer(number(input)),
        1 => Literal::Text("x".repeat(below(input, 300))),
        2 => Literal::Integer(byte(input).into()),
        _ => Literal::Text(name(input)),
    }
}

pub(crate) fn schema(data: &[u8]) {
    if let Some(text) = text_of(Kind::Schema, data) {
        let (_, json) = text.split_once("\n\n").expect("a file has a body");
        let alone = Schema::from_json(json.as_bytes());
        if let Ok((_, Body::Schema(schema), _)) = read(&text) {
            assert_eq!(alone.as_ref(), Ok(&*schema));
            assert!(
                schema
                    .attribute(&schema.subject_key)
                    .is_some_and(|key| key.required)
            );
            for attribute in &schema.attributes {
                assert_eq!(schema.in_slot(attribute.slot), Some(attribute));
                assert_eq!(schema.attribute(&attribute.name), Some(attribute));
            }
            let _ = schema.rule();
        }
    }
}

pub(crate) fn issuer_set(data: &[u8]) {
    if let Some(Body::IssuerSet(set)) = parsed(Kind::IssuerSet, data) {
        for issuer in &set.issuers {
            match issuer {
                Issuer::Native(native) => assert_eq!(
                    native.key().map(|key| key.to_bytes()),
                    Ok(native.public_key)
                ),
                Issuer::X509Rsa(ca) => assert_eq!(issuer.public_key(), ca.public_key.modulus()),
            }
            assert!(issuer.origin(Fr::from(1)).is_ok());
        }
    }
}

pub(crate) fn revocation_list(data: &[u8]) {
    if let Some(Body::RevocationList(list)) = parsed(Kind::RevocationList, data) {
        let handles = list.handles().expect("a parsed list has a key");
        assert_eq!(handles.len(), list.serials.len());
        assert!(handles.iter().all(|handle| (1..u64::MAX).contains(handle)));
        assert!(list.extends(&list));
    }
}

pub(crate) fn key_operation(data: &[u8]) {
    if let Some(Body::KeyOperation(operation)) = parsed(Kind::KeyOperation, data) {
        use bauta_statement::certificate::{Ca, Document, OutsideCertificate, Shape, request};
        use bauta_statement::file::KeyOperation;
        // What administrators may sign can be signed by the key: it is made, has its shape, and is read again.
        let document = Document::ordered(&operation, &[1; 32], "example.org")
            .expect("a checked operation gives what is to be signed");
        let signed = document.map(|document| {
            assert_eq!(Shape::of(document.as_bytes()), Some(document.shape()));
            document.assemble(&[2; 64]).expect("a signed document")
        });
        match (&*operation, signed) {
            (KeyOperation::SignCaCertificate(sign), Some(certificate)) => {
                let ca = Ca::new(sign, "example.org", 32_473);
                assert_eq!(Ca::from_certificate(&certificate, 32_473), ca);
                assert_eq!(ca.is_ok(), sign.path_length == 0);
            }
            (KeyOperation::SignSubordinateCa(sign), Some(certificate)) => {
                let read = OutsideCertificate::from_der(&certificate).expect("a certificate");
                assert_eq!(
                    (read.not_before, read.not_after),
                    (sign.not_before, sign.not_after)
                );
                assert_ne!(read.subject, read.issuer);
                let (subject, key) = request::read(&sign.request.0).expect("it proves possession");
                assert_eq!((subject, key), (sign.subject.clone(), sign.subject_key));
            }
            (KeyOperation::RequestCaCertificate(_), Some(request)) => {
                assert!(OutsideCertificate::from_der(&request).is_err());
            }
            (KeyOperation::InstallCaCertificate(install), None) => {
                let read = install.read().expect("a checked certificate");
                assert!(read.not_before < read.not_after);
            }
            (
                KeyOperation::GenerateKey(_)
                | KeyOperation::ReshareKey(_)
                | KeyOperation::RepairShare(_),
                None,
            ) => {}
            (operation, signed) => panic!("{operation:?}: {signed:?}"),
        }
    }
}

pub(crate) fn parameters(data: &[u8]) {
    if let Some(Body::Parameters(parameters)) = parsed(Kind::Parameters, data) {
        for one in &parameters.relations {
            assert_eq!(parameters.verifying_key(one.relation), Some(one));
        }
    }
}

pub(crate) fn tombstone(data: &[u8]) {
    if let Some(Body::Tombstone(tombstone)) = parsed(Kind::Tombstone, data) {
        assert_ne!(tombstone.retires, Kind::Authority);
    }
}
