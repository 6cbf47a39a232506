//! What bad input gets, row by row. A holder whose claim is not true has no proof of it; what a liar can send instead, a true
//! proof of something else, is refused.

use bauta_statement::{policy::Scope, presentation::Presentation, vector::Format};

use super::*;

/// One predicate of each kind that a member of "Example" at level 7 without a grade does not meet.
fn unmet() -> Vec<Value> {
    let organisation = |test: Value| {
        merged(
            json!({"attribute": "organisation", "slot": 5, "type": "text"}),
            test,
        )
    };
    let level = |test: Value| {
        merged(
            json!({"attribute": "level", "slot": 6, "type": "integer"}),
            test,
        )
    };
    let grade = |test: Value| {
        merged(
            json!({"attribute": "grade", "slot": 7, "type": "integer"}),
            test,
        )
    };
    vec![
        unbounded("equals", json!([organisation(json!({"equals": "Other"}))])),
        unbounded("not-equals", json!([level(json!({"not_equals": 7}))])),
        unbounded("at-least", json!([level(json!({"at_least": 8}))])),
        unbounded("at-most", json!([level(json!({"at_most": 6}))])),
        unbounded("between", json!([level(json!({"between": [8, 9]}))])),
        unbounded(
            "one-of",
            json!([organisation(json!({"one_of": ["Other", "Third"]}))]),
        ),
        unbounded("absent-at-least", json!([grade(json!({"at_least": 0}))])),
        unbounded(
            "absent-not-equals",
            json!([grade(json!({"not_equals": 3}))]),
        ),
        unbounded(
            "any-of",
            json!([
                organisation(json!({"equals": "Other", "any_of": true})),
                level(json!({"at_least": 8, "any_of": true}))
            ]),
        ),
    ]
}

fn merged(mut one: Value, other: Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        one[name] = value.clone();
    }
    one
}

fn easy() -> Value {
    unbounded(
        "easy",
        json!([{"attribute": "organisation", "slot": 5, "type": "text", "equals": "Example"}]),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_are_not_true_earn_nothing() {
    let mut policies = unmet();
    policies.push(easy());
    let issuing = Issuing::ready(&policies).await;
    let origin = issuing.holder.origin();
    let set = issuers(&[origin]);
    let public = issuing.public("easy", &[origin], &issuing.revoked);
    let true_claim = issuing
        .holder
        .claim(issuing.policy("easy"), &public, &set, &issuing.revoked)
        .unwrap();
    let key = csr();
    let request = async |holder: &Holder, claim: &Claim, policy: &str| {
        holder.request(
            &Show::new(claim, None, &key),
            &issuing.challenge(policy).await,
            issuing.epoch.number,
        )
    };

    // Each kind of predicate, an absent attribute, an any-of group with none met.
    for policy in unmet() {
        let name = policy["name"].as_str().unwrap();
        let public = issuing.public(name, &[origin], &issuing.revoked);
        let claim = issuing
            .holder
            .claim(issuing.policy(name), &public, &set, &issuing.revoked);
        assert!(claim.is_err(), "{name} was proved");
        let sent = request(&issuing.holder, &true_claim, name).await;
        issuing.refused(name, &sent, "presentation-refused").await;
    }

    // Credentials: expired, not yet valid, revoked, of another issuer, under another schema.
    let today = now() / DAY * DAY;
    let stranger = SigningKey::generate(&mut OsRng);
    let good = || Written {
        issuer: &issuing.desk,
        rule: issuing.schema.rule(),
        serial: 0x2c,
        not_before: today,
        not_after: today + 30 * DAY,
    };
    let other_rule = issuing.schema.rule() + Fr::from(1u64);
    let bad = [
        (
            "expired",
            Written {
                not_before: today - 9 * DAY,
                not_after: today,
                ..good()
            },
        ),
        (
            "not yet valid",
            Written {
                not_before: today + DAY,
                ..good()
            },
        ),
        (
            "revoked",
            Written {
                serial: REVOKED,
                ..good()
            },
        ),
        (
            "another issuer",
            Written {
                issuer: &stranger,
                ..good()
            },
        ),
        (
            "another schema",
            Written {
                rule: other_rule,
                ..good()
            },
        ),
    ];
    for (what, written) in bad {
        let holder = Holder::enrolled(&written);
        let claim = holder.claim(issuing.policy("easy"), &public, &set, &issuing.revoked);
        assert!(claim.is_err(), "{what} was proved");
        // True of the liar's own epoch, issuer set and revocation tree.
        let nothing = RevocationTree::new();
        let own = issuing.policy("easy").public(&EpochRoots {
            start: written.not_before,
            end: written.not_after.saturating_sub(DAY),
            issuer_root: issuers(&[holder.origin()]).root(),
            revocation_root: nothing.root(),
        });
        let lie = holder
            .claim(
                issuing.policy("easy"),
                &own,
                &issuers(&[holder.origin()]),
                &nothing,
            )
            .unwrap();
        let sent = request(&holder, &lie, "easy").await;
        issuing.refused(what, &sent, "presentation-refused").await;
    }

    // Nothing of that was spent, and the key that all of them asked for is certified for a true claim.
    let sent = request(&issuing.holder, &true_claim, "easy").await;
    issuing.issued(&sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_fit_earn_nothing() {
    let issuing = Issuing::ready(&[easy(), unbounded("brief", easy()["predicates"].clone())]).await;
    let number = issuing.epoch.number;
    let scope = issuing.policy("staff").scope.clone().unwrap();
    let key = csr();

    // Challenges: altered, expired, of another service, of a policy that is superseded, unknown or expired.
    let good = issuing.request(0, &key).await;
    issuing
        .refused(
            "an altered nonce",
            &edited(&good, "challenge", |token| token[5] ^= 1),
            "challenge-forged",
        )
        .await;
    issuing
        .refused(
            "no challenge",
            &edited(&good, "challenge", Vec::clear),
            "challenge-malformed",
        )
        .await;
    let keys = bauta_service::keys::load(&issuing.world.path().join("service"))
        .unwrap()
        .challenge;
    let staff_digest = issuing.policies["staff"].1;
    let under = |challenge: bauta_statement::challenge::Challenge| {
        let show = Show::new(&issuing.staff, Some((&scope, 0)), &key);
        issuing.holder.request(&show, &challenge.encode(), number)
    };
    let expired = under(keys.issue(&mut OsRng, now() - 400, 300, staff_digest));
    issuing
        .refused("an expired challenge", &expired, "challenge-expired")
        .await;
    let another = bauta_statement::challenge::ChallengeKey::new([1; 32]);
    let foreign = under(another.issue(&mut OsRng, now(), 300, staff_digest));
    issuing
        .refused("another service's challenge", &foreign, "challenge-forged")
        .await;
    for (what, digest) in [
        ("a superseded policy", issuing.superseded),
        ("an unknown policy", [9; 32]),
    ] {
        let sent = under(keys.issue(&mut OsRng, now(), 300, digest));
        issuing.refused(what, &sent, "unknown-policy").await;
    }
    for name in ["brief", "nobody", "../staff", ""] {
        let (status, body) = issuing
            .world
            .request(
                "POST",
                "/v1/challenges",
                &json!({ "policy": name }).to_string(),
            )
            .await;
        assert_eq!(status, 404, "{name}: {body}");
    }

    // Epochs gone by or to come.
    for epoch in [number - 1, number + 1, 0, u64::MAX] {
        let mut sent = good.clone();
        sent["epoch"] = epoch.into();
        issuing.refused("another epoch", &sent, "epoch-gone").await;
    }

    // Another audience, another key than shown for, another key in the request.
    let challenge = issuing.challenge("staff").await;
    let show = Show {
        ca_name: "Another CA",
        ..Show::new(&issuing.staff, Some((&scope, 0)), &key)
    };
    issuing
        .refused(
            "another audience",
            &issuing.holder.request(&show, &challenge, number),
            "presentation-refused",
        )
        .await;
    let mut sent = good.clone();
    sent["csr"] = BASE64.encode(&csr()).into();
    issuing
        .refused("another key", &sent, "presentation-refused")
        .await;

    // The bound: the sixth use has no proof, and one under a bound of the holder's own does not fit.
    assert!(issuing.holder.used(&scope, scope.bound).is_err());
    let wider = Scope {
        bound: scope.bound + 1,
        ..scope.clone()
    };
    let show = Show::new(&issuing.staff, Some((&wider, scope.bound)), &key);
    issuing
        .refused(
            "an exhausted bound",
            &issuing.holder.request(&show, &challenge, number),
            "presentation-refused",
        )
        .await;

    // The presentation: a bit changed anywhere, cut, lengthened, of an X.509 format under a scope.
    let length = BASE64
        .decode(good["presentation"].as_str().unwrap().as_bytes())
        .unwrap()
        .len();
    for at in (0..length).step_by(97) {
        let (status, answer) = issuing
            .send(&edited(&good, "presentation", |bytes| bytes[at] ^= 4))
            .await;
        assert!(status == 400 || status == 403, "byte {at}: {answer}");
    }
    issuing
        .refused(
            "a cut one",
            &edited(&good, "presentation", |b| b.truncate(200)),
            "presentation-malformed",
        )
        .await;
    issuing
        .refused(
            "a long one",
            &edited(&good, "presentation", |b| b.push(0)),
            "presentation-malformed",
        )
        .await;
    let x509 = edited(&good, "presentation", |bytes| {
        let mut presentation = Presentation::decode(bytes).unwrap();
        presentation.format = Format::X509Rsa;
        *bytes = presentation.encode();
    });
    issuing
        .refused(
            "an X.509 format under a scope",
            &x509,
            "format-not-accepted",
        )
        .await;

    // Openings: another value, none, another slot.
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut sent = good.clone();
        edit(&mut sent["openings"]);
        sent
    };
    issuing
        .refused(
            "another value",
            &with(&|o| o[0]["value"] = json!({ "integer": 8 })),
            "openings-refused",
        )
        .await;
    issuing
        .refused("no opening", &with(&|o| *o = json!([])), "openings-refused")
        .await;
    issuing
        .refused(
            "another slot",
            &with(&|o| o[0]["slot"] = 5.into()),
            "openings-refused",
        )
        .await;

    // CSRs: a bad self-signature, weak or unusual keys, a kind that the policy does not certify.
    let end = BASE64
        .decode(good["csr"].as_str().unwrap().as_bytes())
        .unwrap()
        .len()
        - 3;
    issuing
        .refused(
            "a bad self-signature",
            &edited(&good, "csr", |bytes| bytes[end] ^= 1),
            "csr-signature",
        )
        .await;
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/csr");
    for (file, problem) in [
        ("bad_rsa1024.der", "csr-refused"),
        ("bad_rsa2047.der", "csr-refused"),
        ("bad_secp256k1.der", "csr-refused"),
        ("bad_ed448.der", "csr-refused"),
        ("bad_rsa_sha1.der", "csr-algorithm"),
        ("ed25519.der", "key-refused"),
    ] {
        let mut sent = good.clone();
        sent["csr"] = BASE64
            .encode(&std::fs::read(vectors.join(file)).unwrap())
            .into();
        issuing.refused(file, &sent, problem).await;
    }

    // JSON: duplicate and unknown keys, depth, size, base64 that is none.
    for (body, expected) in [
        (good.to_string().replacen("{", r#"{"epoch":1,"#, 1), 400),
        (good.to_string().replacen("{", r#"{"more":1,"#, 1), 400),
        ("[".repeat(60_000), 400),
        ("x".repeat(100_000), 413),
        (
            good.to_string().replacen("\"csr\":\"", "\"csr\":\"*", 1),
            400,
        ),
    ] {
        let (status, answer) = issuing
            .world
            .request("POST", "/v1/certificates", &body)
            .await;
        assert_eq!(status, expected, "{answer}");
        assert!(answer.contains("urn:bauta:problem:"), "{answer}");
    }

    // Nothing of all that was spent: the good request still is.
    issuing.issued(&good).await;
}
