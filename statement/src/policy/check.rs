//! What makes a policy good: alone, beside its schema, beside the formats of its issuer set, and in production.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{
    Disclosure, Literal, MOST_PREDICATES, MOST_VALUE_SETS, MOST_VALUES, Policy, PolicyBody,
    Predicate, RelationName, Test,
};
use crate::relation::{PolicyPublicError, Relation};
use crate::schema::{ATTRIBUTE_SLOTS, AttributeType, LONGEST_TEXT, Schema, is_name};
use crate::scope::LONGEST_PERIOD;
use crate::tree::TreeError;
use crate::vector::Format;

/// The shortest and the longest certificate lifetime, in seconds: a minute, and seven days, since nothing revokes one.
const LIFETIMES: std::ops::RangeInclusive<u64> = 60..=7 * 86_400;

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum PolicyError {
    #[error(
        "{what} {name:?} is not allowed: use 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', and neither \".\" nor \"..\""
    )]
    Name { what: &'static str, name: String },
    #[error(
        "the policy has {0} predicates: at most {MOST_PREDICATES} fit; split it into two policies"
    )]
    TooManyPredicates(usize),
    #[error(
        "the policy has {0} one_of predicates: at most {MOST_VALUE_SETS} fit; use between or equals for the others"
    )]
    TooManyValueSets(usize),
    #[error("attribute {attribute:?} is in slot {slot}: attributes are in slots 5 to 15")]
    SlotOutOfRange { attribute: String, slot: u8 },
    #[error("slot {slot} is called {first:?} and {second:?}: use the schema's name")]
    SlotNamedTwice {
        slot: u8,
        first: String,
        second: String,
    },
    #[error(
        "attribute {attribute:?} is of type {kind:?} and is compared with {value:?}: write a value of its type"
    )]
    OtherType {
        attribute: String,
        kind: AttributeType,
        value: Literal,
    },
    #[error("attribute {0:?} is text, which has no order: use equals, not_equals or one_of")]
    OrderOfText(String),
    #[error(
        "attribute {attribute:?} is compared with a text of {length} bytes: use 1 to {LONGEST_TEXT}"
    )]
    TextLength { attribute: String, length: usize },
    #[error("nothing is between {low} and {high} for {attribute:?}: write the lower bound first")]
    EmptyInterval {
        attribute: String,
        low: u64,
        high: u64,
    },
    #[error("one_of for {attribute:?} has {count} values: use 1 to {MOST_VALUES}")]
    ValueCount { attribute: String, count: usize },
    #[error("one_of for {attribute:?} has {value:?} twice: write it once")]
    ValueTwice { attribute: String, value: Literal },
    #[error(
        "the any-of group has one predicate, {0:?}: add another to it, or take \"any_of\" away to require it"
    )]
    AnyOfAlone(String),
    #[error("{0:?} is disclosed twice: disclose it once")]
    DisclosedTwice(String),
    #[error("the policy has a scope and says \"unbounded\": true: keep one of the two")]
    ScopeAndUnbounded,
    #[error(
        "the policy has no scope: give it one, or write \"unbounded\": true if a holder may have any number of certificates"
    )]
    NeitherScopeNorUnbounded,
    #[error("the scope's period is {0} seconds: use 1 to {LONGEST_PERIOD} (366 days)")]
    Period(u64),
    #[error("the scope's bound is 0, so nobody would earn a certificate: use 1 or more")]
    Bound,
    #[error(
        "the certificate's lifetime is {0} seconds: use 60 to 604800 (7 days), since nothing revokes a certificate"
    )]
    Lifetime(u64),
    #[error(
        "the policy names no kind of key: list at least one, or leave \"keys\" out to take all"
    )]
    NoKeys,
    #[error("the policy names a kind of key twice: list it once")]
    KeyTwice,
    #[error(
        "the policy is for schema {policy:?}, and this is {schema:?}: give the schema that it names"
    )]
    OtherSchema { policy: String, schema: String },
    #[error("attribute {attribute:?} is not in schema {schema:?}: use one of its names")]
    UnknownAttribute { attribute: String, schema: String },
    #[error(
        "attribute {attribute:?} is in slot {right} of schema {schema:?}, not in {written}: correct \"slot\""
    )]
    WrongSlot {
        attribute: String,
        schema: String,
        right: u8,
        written: u8,
    },
    #[error(
        "attribute {attribute:?} is of type {right:?} in schema {schema:?}, not {written:?}: correct \"type\""
    )]
    WrongType {
        attribute: String,
        schema: String,
        right: AttributeType,
        written: AttributeType,
    },
    #[error(
        "the policy has a scope and its issuer set takes {0:?} credentials, on which no nullifier can rest: let holders \
         enrol for native ones and take that format out of the issuer set, or make the policy unbounded"
    )]
    ScopeWithFormat(Format),
    #[error(
        "in production a policy names the verifying key of every relation, and {0} is missing: add it to \"parameters\""
    )]
    NoParameters(RelationName),
    #[error(transparent)]
    ValueSet(#[from] TreeError),
    #[error(transparent)]
    Public(#[from] PolicyPublicError),
}

/// What is allowed and seldom meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // the message says what each is
pub enum PolicyWarning {
    #[error(
        "{0:?} not_equals a text: any other spelling of it passes (a space, a capital); prefer one_of with what is allowed"
    )]
    NotEqualsText(String),
    #[error(
        "the policy is unbounded: one holder may have any number of certificates, and none can be told to be theirs"
    )]
    Unbounded,
    #[error("the policy has no predicate: every credential of its issuer set passes")]
    NoPredicate,
    #[error(
        "one_of for {0:?} has one value: equals says the same, and leaves a value set for another predicate"
    )]
    OneOfOne(String),
    #[error("a certificate lives {0} seconds: nothing revokes it before; consider a day or less")]
    LongLifetime(u64),
    #[error(
        "the policy discloses {0:?}: whoever sees the certificate can link all that show the same value"
    )]
    Discloses(String),
}

/// All that [`PolicyBody::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it is refused; empty if it is not.
    pub errors: Vec<PolicyError>,
    /// What its authors should look at.
    pub warnings: Vec<PolicyWarning>,
}

impl PolicyBody {
    /// Checks the policy by itself, and finds all that is wrong at once.
    pub fn check(&self) -> Findings {
        let mut findings = Findings::default();
        self.check_names(&mut findings.errors);
        self.check_predicates(&mut findings);
        self.check_disclosures(&mut findings);
        self.check_scope(&mut findings);
        self.check_certificate(&mut findings);
        findings
    }

    fn check_names(&self, errors: &mut Vec<PolicyError>) {
        let mut names = vec![
            ("the policy's name", &self.name),
            ("the issuer set's name", &self.issuer_set),
            ("the schema's name", &self.schema),
        ];
        names.extend(self.scope.as_ref().map(|s| ("the scope's name", &s.name)));
        names.extend(
            self.predicates
                .iter()
                .map(|p| ("the attribute name", &p.attribute)),
        );
        names.extend(
            self.disclose
                .iter()
                .map(|d| ("the attribute name", &d.attribute)),
        );
        errors.extend(
            names
                .into_iter()
                .filter(|(_, n)| !is_name(n))
                .map(|(what, n)| PolicyError::Name {
                    what,
                    name: n.clone(),
                }),
        );
        let mut seen: Vec<(u8, &String)> = Vec::new();
        for (slot, name) in self.attributes().map(|(name, slot, _)| (slot, name)) {
            if !ATTRIBUTE_SLOTS.contains(&slot) {
                errors.push(PolicyError::SlotOutOfRange {
                    attribute: name.clone(),
                    slot,
                });
            }
            match seen.iter().find(|(s, _)| *s == slot) {
                Some((_, first)) if *first != name => errors.push(PolicyError::SlotNamedTwice {
                    slot,
                    first: (*first).clone(),
                    second: name.clone(),
                }),
                _ => seen.push((slot, name)),
            }
        }
    }

    fn check_predicates(&self, findings: &mut Findings) {
        let Findings { errors, warnings } = findings;
        if self.predicates.is_empty() {
            warnings.push(PolicyWarning::NoPredicate);
        }
        if self.predicates.len() > MOST_PREDICATES {
            errors.push(PolicyError::TooManyPredicates(self.predicates.len()));
        }
        let sets = self
            .predicates
            .iter()
            .filter(|p| matches!(p.test, Test::OneOf(_)))
            .count();
        if sets > MOST_VALUE_SETS {
            errors.push(PolicyError::TooManyValueSets(sets));
        }
        let mut group = self.predicates.iter().filter(|p| p.any_of);
        if let (Some(alone), None) = (group.next(), group.next()) {
            errors.push(PolicyError::AnyOfAlone(alone.attribute.clone()));
        }
        for predicate in &self.predicates {
            check_predicate(predicate, errors, warnings);
        }
    }

    fn check_disclosures(&self, findings: &mut Findings) {
        let mut slots = BTreeSet::new();
        for Disclosure {
            attribute, slot, ..
        } in &self.disclose
        {
            if !slots.insert(*slot) {
                findings
                    .errors
                    .push(PolicyError::DisclosedTwice(attribute.clone()));
            }
            findings
                .warnings
                .push(PolicyWarning::Discloses(attribute.clone()));
        }
    }

    fn check_scope(&self, findings: &mut Findings) {
        let errors = &mut findings.errors;
        match (&self.scope, self.unbounded) {
            (Some(_), true) => errors.push(PolicyError::ScopeAndUnbounded),
            (None, false) => errors.push(PolicyError::NeitherScopeNorUnbounded),
            (None, true) => findings.warnings.push(PolicyWarning::Unbounded),
            (Some(_), false) => {}
        }
        if let Some(scope) = &self.scope {
            if !(1..=LONGEST_PERIOD).contains(&scope.period_seconds) {
                errors.push(PolicyError::Period(scope.period_seconds));
            }
            if scope.bound == 0 {
                errors.push(PolicyError::Bound);
            }
        }
    }

    fn check_certificate(&self, findings: &mut Findings) {
        let lifetime = self.certificate.lifetime_seconds;
        if !LIFETIMES.contains(&lifetime) {
            findings.errors.push(PolicyError::Lifetime(lifetime));
        } else if lifetime > 86_400 {
            findings
                .warnings
                .push(PolicyWarning::LongLifetime(lifetime));
        }
        let keys = &self.certificate.keys;
        if keys.is_empty() {
            findings.errors.push(PolicyError::NoKeys);
        }
        if keys.iter().collect::<BTreeSet<_>>().len() != keys.len() {
            findings.errors.push(PolicyError::KeyTwice);
        }
    }

    /// Every attribute that the policy speaks of, with slot and type.
    fn attributes(&self) -> impl Iterator<Item = (&String, u8, AttributeType)> {
        let predicates = self
            .predicates
            .iter()
            .map(|p| (&p.attribute, p.slot, p.kind));
        predicates.chain(self.disclose.iter().map(|d| (&d.attribute, d.slot, d.kind)))
    }
}

fn check_predicate(
    predicate: &Predicate,
    errors: &mut Vec<PolicyError>,
    warnings: &mut Vec<PolicyWarning>,
) {
    let attribute = || predicate.attribute.clone();
    let literals: &[Literal] = match &predicate.test {
        Test::Equals(value) | Test::NotEquals(value) => std::slice::from_ref(value),
        Test::OneOf(values) => values,
        Test::AtLeast(_) | Test::AtMost(_) | Test::Between(..) => &[],
    };
    for value in literals {
        if value.kind() != predicate.kind {
            errors.push(PolicyError::OtherType {
                attribute: attribute(),
                kind: predicate.kind,
                value: value.clone(),
            });
        }
        if let Literal::Text(text) = value
            && !(1..=LONGEST_TEXT).contains(&text.len())
        {
            errors.push(PolicyError::TextLength {
                attribute: attribute(),
                length: text.len(),
            });
        }
    }
    match &predicate.test {
        Test::NotEquals(Literal::Text(_)) => {
            warnings.push(PolicyWarning::NotEqualsText(attribute()))
        }
        Test::AtLeast(_) | Test::AtMost(_) | Test::Between(..)
            if predicate.kind == AttributeType::Text =>
        {
            errors.push(PolicyError::OrderOfText(attribute()));
        }
        Test::Between(low, high) if low > high => {
            errors.push(PolicyError::EmptyInterval {
                attribute: attribute(),
                low: *low,
                high: *high,
            });
        }
        Test::OneOf(values) => {
            if !(1..=MOST_VALUES).contains(&values.len()) {
                errors.push(PolicyError::ValueCount {
                    attribute: attribute(),
                    count: values.len(),
                });
            }
            if values.len() == 1 {
                warnings.push(PolicyWarning::OneOfOne(attribute()));
            }
            let mut seen = BTreeSet::new();
            if let Some(value) = values.iter().find(|v| !seen.insert(*v)) {
                errors.push(PolicyError::ValueTwice {
                    attribute: attribute(),
                    value: value.clone(),
                });
            }
        }
        Test::Equals(_)
        | Test::NotEquals(_)
        | Test::AtLeast(_)
        | Test::AtMost(_)
        | Test::Between(..) => {}
    }
}

impl Policy {
    /// Checks that every attribute is what the schema says: known, in that slot, of that type. The ledger and `policy check`
    /// both ask this.
    ///
    /// # Errors
    /// The first [`PolicyError`].
    pub fn check_schema(&self, schema: &Schema) -> Result<(), PolicyError> {
        if self.schema != schema.name {
            return Err(PolicyError::OtherSchema {
                policy: self.schema.clone(),
                schema: schema.name.clone(),
            });
        }
        for (name, slot, kind) in self.attributes() {
            let (attribute, schema_name) = (name.clone(), schema.name.clone());
            match schema.attribute(name) {
                None => {
                    return Err(PolicyError::UnknownAttribute {
                        attribute,
                        schema: schema_name,
                    });
                }
                Some(right) if right.slot != slot => {
                    return Err(PolicyError::WrongSlot {
                        attribute,
                        schema: schema_name,
                        right: right.slot,
                        written: slot,
                    });
                }
                Some(right) if right.kind != kind => {
                    return Err(PolicyError::WrongType {
                        attribute,
                        schema: schema_name,
                        right: right.kind,
                        written: kind,
                    });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Refuses a scope over an issuer set that takes an X.509 format: whoever owns such a key can make many valid signatures
    /// on one message, so no nullifier can rest on it (DESIGN 3.1). The ledger and `policy check` both ask this.
    ///
    /// # Errors
    /// [`PolicyError::ScopeWithFormat`].
    pub fn check_formats(
        &self,
        formats: impl IntoIterator<Item = Format>,
    ) -> Result<(), PolicyError> {
        if self.scope.is_none() {
            return Ok(());
        }
        match formats.into_iter().find(|f| *f != Format::Native) {
            Some(format) => Err(PolicyError::ScopeWithFormat(format)),
            None => Ok(()),
        }
    }

    /// Whether the policy takes credentials whose possession this relation proves: where it names possession relations, those alone.
    pub fn takes(&self, possession: Relation) -> bool {
        let mut named = self.parameters.keys().map(|RelationName(one)| *one);
        let chooses = named.clone().any(|one| one.format().is_some());
        !chooses || named.any(|one| one == possession)
    }

    /// What production asks besides: the verifying key of every relation that the policy uses is named. Of the possession relations it may
    /// be any, under a scope the native one: credentials of the formats whose relation is not named are not accepted.
    ///
    /// # Errors
    /// [`PolicyError::NoParameters`].
    pub fn check_production(&self) -> Result<(), PolicyError> {
        let named = |relation: Relation| self.parameters.contains_key(&RelationName(relation));
        let nullifier = self.scope.as_ref().map(|_| Relation::Nullifier);
        let mut needed = [Relation::Policy].into_iter().chain(nullifier);
        let takes = |format: Format| self.scope.is_none() || format == Format::Native;
        let any = Relation::ALL
            .into_iter()
            .any(|relation| relation.format().is_some_and(takes) && named(relation));
        let missing = needed.find(|relation| !named(*relation));
        let missing = missing.or((!any).then_some(Relation::PossessionNative));
        missing.map_or(Ok(()), |relation| {
            Err(PolicyError::NoParameters(RelationName(relation)))
        })
    }
}
