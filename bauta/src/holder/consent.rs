//! What a holder is told before anything is shown: what will be proved and disclosed, and to whom.

use bauta_statement::policy::{Literal, Policy, Predicate, Test};

use super::Refused;
use super::wallet::{PreparedPolicy, confirm};

/// Asks, unless `yes` was said already.
pub(crate) fn ask(
    policy: &Policy,
    prepared: &PreparedPolicy,
    service: &str,
    yes: bool,
) -> anyhow::Result<()> {
    if yes || confirm(&format!("{}\nGo on?", describe(policy, prepared, service)))? {
        return Ok(());
    }
    Err(Refused::Declined.into())
}

/// The policy in words.
pub(crate) fn describe(policy: &Policy, prepared: &PreparedPolicy, service: &str) -> String {
    let mut text = format!(
        "To {service} ({:?} of {}), for policy {:?}, this will prove that\n  - you hold a valid, unrevoked credential of an \
         issuer in {:?} (which one stays hidden)\n",
        prepared.ca_name, prepared.trust_domain, policy.name, policy.issuer_set
    );
    let (any_of, required): (Vec<&Predicate>, Vec<&Predicate>) = policy
        .predicates
        .iter()
        .partition(|predicate| predicate.any_of);
    for predicate in required {
        text.push_str(&format!("  - {}\n", in_words(predicate)));
    }
    if !any_of.is_empty() {
        let alternatives: Vec<String> = any_of.into_iter().map(in_words).collect();
        text.push_str(&format!(
            "  - {} (which stays hidden)\n",
            alternatives.join(", or ")
        ));
    }
    match &policy.scope {
        Some(scope) => text.push_str(&format!(
            "  - this is one of at most {} keys in {} seconds (which one stays hidden)\n",
            scope.bound, scope.period_seconds
        )),
        None => text.push_str("  (uses are not counted)\n"),
    }
    let disclosed: Vec<&str> = policy
        .disclose
        .iter()
        .map(|one| one.attribute.as_str())
        .collect();
    match disclosed.as_slice() {
        [] => text.push_str("and disclose nothing of you."),
        names => text.push_str(&format!(
            "and DISCLOSE your {}: in the certificate, for everyone who sees it.",
            names.join(", ")
        )),
    }
    text
}

fn in_words(predicate: &Predicate) -> String {
    let name = &predicate.attribute;
    let value = |literal: &Literal| match literal {
        Literal::Integer(value) => value.to_string(),
        Literal::Text(value) => format!("{value:?}"),
    };
    match &predicate.test {
        Test::Equals(literal) => format!("your {name} is {}", value(literal)),
        Test::NotEquals(literal) => format!("your {name} is not {}", value(literal)),
        Test::AtLeast(low) => format!("your {name} is {low} or more"),
        Test::AtMost(high) => format!("your {name} is {high} or less"),
        Test::Between(low, high) => format!("your {name} is from {low} to {high}"),
        Test::OneOf(literals) => {
            let values: Vec<String> = literals.iter().map(value).collect();
            format!("your {name} is one of {}", values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_proved_and_disclosed_is_named() {
        let policy: Policy = serde_json::from_value(serde_json::json!({
            "name": "staff", "issuer_set": "members", "schema": "employee",
            "predicates": [
                {"attribute": "organisation", "slot": 5, "type": "text", "equals": "Acme"},
                {"attribute": "department", "slot": 6, "type": "text", "equals": "Research", "any_of": true},
                {"attribute": "level", "slot": 7, "type": "integer", "at_least": 5, "any_of": true},
            ],
            "disclose": [{"attribute": "country", "slot": 9, "type": "text"}],
            "scope": {"name": "daily", "period_seconds": 86400, "bound": 5},
        }))
        .unwrap();
        let prepared = PreparedPolicy {
            name: "staff".into(),
            text: String::new(),
            epoch: 1,
            starts: 0,
            ends: 1,
            trust_domain: "example.org".into(),
            ca_name: "Example CA".into(),
            log_origin: "log".into(),
            enterprise_number: 1,
            ca_text: String::new(),
        };
        let text = describe(&policy, &prepared, "https://ca.example.org");
        for said in [
            "https://ca.example.org",
            "example.org",
            "Example CA",
            "\"members\"",
            "organisation is \"Acme\"",
            "department is \"Research\", or your level is 5 or more",
            "at most 5 keys",
            "DISCLOSE your country",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
