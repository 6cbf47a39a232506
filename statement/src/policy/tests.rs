//! Tests of policies; and a small validator of JSON Schema, enough for the published ones.

use serde_json::{Value, json};

use super::*;
use crate::schema::tests::example as example_schema;
use crate::vector::Format;

const EXAMPLE: &str = include_str!("../../../docs/examples/policy.json");
const PUBLISHED: &str = include_str!("../../../docs/schema/policy.json");

fn example() -> Policy {
    serde_json::from_str(EXAMPLE).unwrap()
}

/// The example, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = serde_json::from_str(EXAMPLE).unwrap();
    change(&mut value);
    value
}

fn errors(value: Value) -> Vec<PolicyError> {
    serde_json::from_value::<PolicyBody>(value)
        .unwrap()
        .check()
        .errors
}

#[test]
fn the_example_is_accepted_by_serde_by_the_published_schema_and_by_its_schema() {
    let policy = example();
    assert_eq!(policy.check().warnings, []);
    accepts(PUBLISHED, &serde_json::from_str(EXAMPLE).unwrap()).unwrap();
    let written = serde_json::to_value(&policy).unwrap();
    accepts(PUBLISHED, &written).unwrap();
    assert_eq!(serde_json::from_value::<Policy>(written).unwrap(), policy);
    policy.check_schema(&example_schema()).unwrap();
    policy.check_formats([Format::Native]).unwrap();
    assert_eq!(policy.slots_read(), [5, 6, 7]);
    assert_eq!(policy.slot_map(), [Some(5), Some(6), Some(7), None]);
}

#[test]
fn every_kind_of_predicate_round_trips_and_is_in_the_published_schema() {
    let policy = changed(|p| {
        p["predicates"] = json!([
            { "attribute": "level", "slot": 7, "type": "integer", "between": [0, u64::MAX] },
            { "attribute": "level", "slot": 7, "type": "integer", "at_most": 9 },
            { "attribute": "country", "slot": 9, "type": "text", "one_of": ["IT", "AT"] },
            { "attribute": "level", "slot": 7, "type": "integer", "one_of": [1, 2, 3] },
        ]);
        p["disclose"] = json!([{ "attribute": "country", "slot": 9, "type": "text" }]);
        p["parameters"] = json!({ "policy": "ab".repeat(32) });
    });
    accepts(PUBLISHED, &policy).unwrap();
    let read: Policy = serde_json::from_value(policy.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap()["predicates"],
        policy["predicates"]
    );
    assert_eq!(
        read.slot_map(),
        [Some(9), Some(7), Some(7), Some(7)],
        "value sets come first"
    );
    assert_eq!(read.slots_read(), [7, 9]);
}

#[test]
fn what_serde_refuses_the_published_schema_refuses_too() {
    let cases: [fn(&mut Value); 22] = [
        |p| p["unknown"] = json!(1),
        |p| p["name"] = json!(".."),
        |p| p["name"] = json!("a/b"),
        |p| p["name"] = json!("a".repeat(65)),
        |p| p["predicates"][0]["slot"] = json!(4),
        |p| p["predicates"][0]["slot"] = json!(16),
        |p| p["predicates"][0]["at_least"] = json!(1),
        |p| p["predicates"][0]["equals"] = json!(1),
        |p| p["predicates"][0]["equals"] = json!(""),
        |p| p["predicates"][2]["at_least"] = json!(-1),
        |p| p["predicates"][2]["at_least"] = json!("5"),
        |p| p["predicates"][2]["type"] = json!("text"),
        |p| p["predicates"] = json!(vec![p["predicates"][0].clone(); 5]),
        |p| p["scope"]["bound"] = json!(0),
        |p| p["scope"]["period_seconds"] = json!(366 * 86_400 + 1),
        |p| p["unbounded"] = json!(true),
        |p| {
            p.as_object_mut().unwrap().remove("scope");
        },
        |p| p["certificate"]["lifetime_seconds"] = json!(59),
        |p| p["certificate"]["keys"] = json!([]),
        |p| p["certificate"]["keys"] = json!(["p256", "p256"]),
        |p| p["certificate"]["keys"] = json!(["p521"]),
        |p| p["parameters"] = json!({ "policy": "AB".repeat(32) }),
    ];
    for (i, change) in cases.into_iter().enumerate() {
        let bad = changed(change);
        assert!(
            serde_json::from_value::<Policy>(bad.clone()).is_err(),
            "case {i}"
        );
        assert!(accepts(PUBLISHED, &bad).is_err(), "case {i}");
    }
}

/// serde keeps the last of two entries of a map; the fuzz target `policy` asks that no key stands twice.
#[test]
fn a_relation_that_stands_twice_in_parameters_is_refused() {
    let (one, other) = ("ab".repeat(32), "cd".repeat(32));
    let policy = |parameters: &str| {
        let json = format!(
            r#"{{"name": "p", "issuer_set": "i", "schema": "s", "unbounded": true, "parameters": {{{parameters}}}}}"#
        );
        serde_json::from_str::<Policy>(&json)
    };
    assert!(policy(&format!(r#""policy": "{one}", "nullifier": "{other}""#)).is_ok());
    let error = policy(&format!(r#""policy": "{one}", "policy": "{other}""#)).unwrap_err();
    assert!(error.to_string().contains("stands twice"), "{error}");
}

#[test]
fn every_error_is_found() {
    type Change = fn(&mut Value);
    type Expect = fn(&PolicyError) -> bool;
    let cases: Vec<(Change, Expect)> = vec![
        (
            |p| p["schema"] = json!("."),
            |e| {
                matches!(
                    e,
                    PolicyError::Name {
                        what: "the schema's name",
                        ..
                    }
                )
            },
        ),
        (
            |p| p["scope"]["name"] = json!(""),
            |e| {
                matches!(
                    e,
                    PolicyError::Name {
                        what: "the scope's name",
                        ..
                    }
                )
            },
        ),
        (
            |p| p["predicates"][0]["attribute"] = json!("a b"),
            |e| matches!(e, PolicyError::Name { .. }),
        ),
        (
            |p| p["predicates"] = json!(vec![p["predicates"][0].clone(); 5]),
            |e| *e == PolicyError::TooManyPredicates(5),
        ),
        (
            |p| {
                p["predicates"] = json!(vec![
                    json!({ "attribute": "a", "slot": 5, "type": "text", "one_of": ["x"] });
                    3
                ])
            },
            |e| *e == PolicyError::TooManyValueSets(3),
        ),
        (
            |p| p["predicates"][0]["slot"] = json!(3),
            |e| matches!(e, PolicyError::SlotOutOfRange { slot: 3, .. }),
        ),
        (
            |p| p["predicates"][0]["slot"] = json!(7),
            |e| matches!(e, PolicyError::SlotNamedTwice { slot: 7, .. }),
        ),
        (
            |p| p["predicates"][0]["equals"] = json!(3),
            |e| matches!(e, PolicyError::OtherType { .. }),
        ),
        (
            |p| p["predicates"][2]["type"] = json!("text"),
            |e| matches!(e, PolicyError::OrderOfText(_)),
        ),
        (
            |p| p["predicates"][0]["equals"] = json!("x".repeat(257)),
            |e| matches!(e, PolicyError::TextLength { length: 257, .. }),
        ),
        (
            |p| p["predicates"][2] = json!({ "attribute": "level", "slot": 7, "type": "integer", "between": [2, 1], "any_of": true }),
            |e| {
                matches!(
                    e,
                    PolicyError::EmptyInterval {
                        low: 2,
                        high: 1,
                        ..
                    }
                )
            },
        ),
        (
            |p| {
                p["predicates"][0] =
                    json!({ "attribute": "organisation", "slot": 5, "type": "text", "one_of": [] })
            },
            |e| matches!(e, PolicyError::ValueCount { count: 0, .. }),
        ),
        (
            |p| {
                let values: Vec<u64> = (0..257).collect();
                p["predicates"][0] = json!({ "attribute": "organisation", "slot": 5, "type": "integer", "one_of": values });
            },
            |e| matches!(e, PolicyError::ValueCount { count: 257, .. }),
        ),
        (
            |p| p["predicates"][0] = json!({ "attribute": "organisation", "slot": 5, "type": "text", "one_of": ["x", "x"] }),
            |e| matches!(e, PolicyError::ValueTwice { .. }),
        ),
        (
            |p| p["predicates"][1]["any_of"] = json!(false),
            |e| *e == PolicyError::AnyOfAlone("level".into()),
        ),
        (
            |p| {
                p["disclose"] = json!(vec![
                    json!({ "attribute": "level", "slot": 7, "type": "integer" });
                    2
                ])
            },
            |e| *e == PolicyError::DisclosedTwice("level".into()),
        ),
        (
            |p| p["unbounded"] = json!(true),
            |e| *e == PolicyError::ScopeAndUnbounded,
        ),
        (
            |p| p["scope"] = Value::Null,
            |e| *e == PolicyError::NeitherScopeNorUnbounded,
        ),
        (
            |p| p["scope"]["period_seconds"] = json!(0),
            |e| *e == PolicyError::Period(0),
        ),
        (
            |p| p["scope"]["period_seconds"] = json!(31_622_401),
            |e| *e == PolicyError::Period(31_622_401),
        ),
        (
            |p| p["scope"]["bound"] = json!(0),
            |e| *e == PolicyError::Bound,
        ),
        (
            |p| p["certificate"]["lifetime_seconds"] = json!(604_801),
            |e| *e == PolicyError::Lifetime(604_801),
        ),
        (
            |p| p["certificate"]["keys"] = json!([]),
            |e| *e == PolicyError::NoKeys,
        ),
        (
            |p| p["certificate"]["keys"] = json!(["rsa", "rsa"]),
            |e| *e == PolicyError::KeyTwice,
        ),
    ];
    for (i, (change, expected)) in cases.into_iter().enumerate() {
        let found = errors(changed(change));
        assert!(found.iter().any(expected), "case {i}: {found:?}");
        assert!(
            serde_json::from_value::<Policy>(changed(change)).is_err(),
            "case {i}"
        );
    }
}

#[test]
fn a_predicate_has_exactly_one_test() {
    for bad in [
        json!({ "attribute": "level", "slot": 7, "type": "integer" }),
        json!({ "attribute": "level", "slot": 7, "type": "integer", "at_least": 1, "at_most": 2 }),
    ] {
        let error = serde_json::from_value::<Predicate>(bad)
            .unwrap_err()
            .to_string();
        assert!(error.contains("exactly one of"), "{error}");
    }
}

#[test]
fn warnings_name_what_is_seldom_meant() {
    let policy = changed(|p| {
        p["scope"] = Value::Null;
        p["unbounded"] = json!(true);
        p["predicates"] = json!([
            { "attribute": "country", "slot": 9, "type": "text", "not_equals": "IT" },
            { "attribute": "level", "slot": 7, "type": "integer", "one_of": [1] },
        ]);
        p["disclose"] = json!([{ "attribute": "level", "slot": 7, "type": "integer" }]);
        p["certificate"] = json!({ "lifetime_seconds": 90_000 });
    });
    let findings = serde_json::from_value::<PolicyBody>(policy)
        .unwrap()
        .check();
    assert_eq!(findings.errors, []);
    assert_eq!(
        findings.warnings,
        [
            PolicyWarning::NotEqualsText("country".into()),
            PolicyWarning::OneOfOne("level".into()),
            PolicyWarning::Discloses("level".into()),
            PolicyWarning::Unbounded,
            PolicyWarning::LongLifetime(90_000),
        ]
    );
    let empty = changed(|p| p["predicates"] = json!([]));
    assert_eq!(
        serde_json::from_value::<PolicyBody>(empty)
            .unwrap()
            .check()
            .warnings,
        [PolicyWarning::NoPredicate]
    );
}

#[test]
fn a_policy_must_agree_with_its_schema() {
    let policy = example();
    let against = |change: fn(&mut crate::schema::Schema)| {
        let mut schema = example_schema();
        change(&mut schema);
        policy.check_schema(&schema)
    };
    assert!(matches!(
        against(|s| s.name = "other".into()),
        Err(PolicyError::OtherSchema { .. })
    ));
    assert!(matches!(
        against(|s| s.attributes[2].slot = 10),
        Err(PolicyError::WrongSlot { right: 10, .. })
    ));
    assert!(matches!(
        against(|s| s.attributes[2].kind = AttributeType::Text),
        Err(PolicyError::WrongType { .. })
    ));
    assert!(matches!(
        against(|s| {
            s.attributes.remove(2);
        }),
        Err(PolicyError::UnknownAttribute { .. })
    ));
    let disclosing = changed(|p| {
        p["disclose"] = json!([{ "attribute": "shoe-size", "slot": 14, "type": "integer" }])
    });
    let disclosing: Policy = serde_json::from_value(disclosing).unwrap();
    assert!(matches!(
        disclosing.check_schema(&example_schema()),
        Err(PolicyError::UnknownAttribute { .. })
    ));
}

#[test]
fn a_scope_over_an_x509_format_is_refused() {
    let policy = example();
    for format in [Format::X509Rsa, Format::X509P256] {
        assert_eq!(
            policy.check_formats([Format::Native, format]),
            Err(PolicyError::ScopeWithFormat(format))
        );
    }
    let unbounded = changed(|p| {
        p["scope"] = Value::Null;
        p["unbounded"] = json!(true);
    });
    let unbounded: Policy = serde_json::from_value(unbounded).unwrap();
    unbounded
        .check_formats([Format::Native, Format::X509Rsa])
        .unwrap();
}

#[test]
fn production_wants_every_parameter_named() {
    let digest = "ab".repeat(32);
    let mut value =
        changed(|p| p["parameters"] = json!({ "possession-native": digest, "policy": digest }));
    let policy: Policy = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(
        policy.check_production(),
        Err(PolicyError::NoParameters(RelationName(Relation::Nullifier)))
    );
    value["parameters"]["nullifier"] = json!(digest);
    let policy: Policy = serde_json::from_value(value).unwrap();
    assert_eq!(policy.check_production(), Ok(()));
    assert_eq!(policy.parameter(Relation::Policy), Some([0xab; 32]));

    // Any possession relation will do, but under a scope the native one.
    let native = RelationName(Relation::PossessionNative);
    let mut value = serde_json::to_value(&policy).unwrap();
    let named = value["parameters"].as_object_mut().unwrap();
    let digest = named.remove("possession-native").unwrap();
    let check = |value: &serde_json::Value| {
        let policy: Policy = serde_json::from_value(value.clone()).unwrap();
        policy.check_production()
    };
    assert_eq!(check(&value), Err(PolicyError::NoParameters(native)));
    value["parameters"]["possession-x509-rsa-long"] = digest;
    assert_eq!(check(&value), Err(PolicyError::NoParameters(native)));
    value.as_object_mut().unwrap().remove("scope");
    value["unbounded"] = true.into();
    assert_eq!(check(&value), Ok(()));
}

#[test]
fn public_inputs_follow_the_predicates() {
    let epoch = EpochRoots {
        start: 7_200,
        end: 10_800,
        issuer_root: Fr::from(1u64),
        revocation_root: Fr::from(2u64),
    };
    let policy = example();
    let public = policy.public(&epoch);
    assert_eq!(public.epoch_start, 7_200);
    assert_eq!(public.valid_until, 10_800 + 600);
    assert_eq!(
        (public.issuer_root, public.revocation_root),
        (Fr::from(1u64), Fr::from(2u64))
    );
    let organisation = poseidon::hash_bytes("bauta/v1/text", b"Example Organisation");
    assert_eq!(
        public.predicates()[0].test,
        PredicateTest::Equal(organisation)
    );
    assert_eq!(public.predicates()[0].mode, Mode::Required);
    assert_eq!(public.predicates()[1].mode, Mode::AnyOf);
    assert_eq!(
        public.predicates()[2].test,
        PredicateTest::Range {
            low: 5,
            high: u64::MAX
        }
    );
    assert_eq!(public.predicates()[3].test, PredicateTest::None);

    let sets = changed(|p| {
        p["predicates"] = json!([
            { "attribute": "level", "slot": 7, "type": "integer", "at_most": 9 },
            { "attribute": "level", "slot": 7, "type": "integer", "not_equals": 3 },
            { "attribute": "level", "slot": 7, "type": "integer", "between": [1, 2] },
            { "attribute": "level", "slot": 7, "type": "integer", "one_of": [1, 2, 3] },
        ]);
    });
    let sets: Policy = serde_json::from_value(sets).unwrap();
    let tests = sets.public(&epoch).predicates().map(|p| p.test);
    let root = tree::members_root(&[1u64, 2, 3].map(Fr::from), VALUE_SET_DEPTH).unwrap();
    assert_eq!(tests[0], PredicateTest::Member { root });
    assert_eq!(tests[1], PredicateTest::Range { low: 0, high: 9 });
    assert_eq!(tests[2], PredicateTest::NotEqual(Fr::from(3u64)));
    assert_eq!(tests[3], PredicateTest::Range { low: 1, high: 2 });
}

/// Validates by a published schema: the words of JSON Schema that ours use, and a panic on any other, so that no word is
/// thought to be checked that is not.
pub(crate) fn accepts(schema: &str, value: &Value) -> Result<(), String> {
    let root: Value = serde_json::from_str(schema).unwrap();
    validate(&root, &root, value)
}

fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let no = |why: &str| Err(format!("{why}: {value} by {schema}"));
    let is = |part: &Value| validate(root, part, value).is_ok();
    let list = |v: &Value| v.as_array().unwrap().clone();
    for (word, rule) in schema.as_object().unwrap() {
        let good = match (word.as_str(), value) {
            ("$schema" | "$id" | "$defs" | "title" | "description" | "then" | "else", _) => true,
            ("$ref", _) => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                is(root.pointer(pointer).unwrap())
            }
            ("type", _) => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64() || value.is_i64(),
                other => panic!("type {other}"),
            },
            ("enum", _) => list(rule).contains(value),
            ("const", _) => rule == value,
            ("not", _) => !is(rule),
            ("oneOf", _) => list(rule).iter().filter(|s| is(s)).count() == 1,
            ("anyOf", _) => list(rule).iter().any(is),
            ("if", _) => {
                let branch = if is(rule) { "then" } else { "else" };
                schema.get(branch).is_none_or(is)
            }
            ("required", Value::Object(map)) => list(rule)
                .iter()
                .all(|k| map.contains_key(k.as_str().unwrap())),
            ("properties", Value::Object(map)) => map
                .iter()
                .all(|(k, v)| rule.get(k).is_none_or(|s| validate(root, s, v).is_ok())),
            ("additionalProperties", Value::Object(map)) => {
                assert_eq!(rule, &Value::Bool(false));
                map.keys().all(|k| schema["properties"].get(k).is_some())
            }
            ("items", Value::Array(values)) => {
                values.iter().all(|v| validate(root, rule, v).is_ok())
            }
            ("minItems", Value::Array(values)) => values.len() as u64 >= rule.as_u64().unwrap(),
            ("maxItems", Value::Array(values)) => values.len() as u64 <= rule.as_u64().unwrap(),
            ("uniqueItems", Value::Array(values)) => values
                .iter()
                .enumerate()
                .all(|(i, v)| !values[..i].contains(v)),
            ("minLength", Value::String(text)) => {
                text.chars().count() as u64 >= rule.as_u64().unwrap()
            }
            ("maxLength", Value::String(text)) => {
                text.chars().count() as u64 <= rule.as_u64().unwrap()
            }
            ("pattern", Value::String(text)) => matches_pattern(rule.as_str().unwrap(), text),
            ("minimum", Value::Number(n)) => {
                n.as_u64().is_some_and(|n| n >= rule.as_u64().unwrap())
            }
            ("maximum", Value::Number(n)) => {
                n.as_u64().is_some_and(|n| n <= rule.as_u64().unwrap())
            }
            (
                "required"
                | "properties"
                | "additionalProperties"
                | "items"
                | "minItems"
                | "maxItems"
                | "uniqueItems"
                | "minLength"
                | "maxLength"
                | "pattern"
                | "minimum"
                | "maximum",
                _,
            ) => true,
            (other, _) => panic!("the validator does not know {other:?}"),
        };
        if !good {
            return no(word);
        }
    }
    Ok(())
}

/// The three patterns that the published schemas use, as code.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match pattern {
        "^[a-zA-Z0-9._-]{1,64}$" => {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        "^[0-9a-f]{64}$" => {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        "^[0-2](\\.[0-9]+)+$" => {
            let (first, rest) = text.split_once('.').unwrap_or((text, ""));
            matches!(first, "0" | "1" | "2") && rest.split('.').all(digits)
        }
        other => panic!("the validator does not know the pattern {other}"),
    }
}
