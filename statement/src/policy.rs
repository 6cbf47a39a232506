//! A policy says what must be proved, and what certificate that earns. It is the JSON body of a signed file, written by
//! people: `docs/schema/policy.json` is its published JSON Schema, `docs/spec/policy.md` its description.
//!
//! [`PolicyBody`] is what was written; [`Policy`] is one that passed [`PolicyBody::check`], and the only kind from which
//! public inputs are made.

mod check;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::check::{Findings, PolicyError, PolicyWarning};
use crate::csr::KeyType;
use crate::field::Fr;
use crate::poseidon;
use crate::relation::{self, Mode, PolicyPublic, PredicatePublic, PredicateTest, Relation};
use crate::schema::AttributeType;
use crate::tree::{self, TreeError, VALUE_SET_DEPTH};

/// The most predicates a policy may have: what the policy relation has room for.
pub const MOST_PREDICATES: usize = relation::PREDICATES;
/// The most of them that may be `one_of`.
pub const MOST_VALUE_SETS: usize = relation::MEMBER_PREDICATES;
/// The most values in one `one_of`.
pub const MOST_VALUES: usize = 256;
/// The certificate lifetime where a policy names none, in seconds.
pub const DEFAULT_LIFETIME: u64 = 600;

/// A policy as it was written: what serde could check, and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// The policy's name: a segment of the SPIFFE ID, and the same as in the signed file's header.
    pub name: String,
    /// What the policy is for; shown to holders before they consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name of the issuer set whose credentials count.
    pub issuer_set: String,
    /// The name of the schema by whose names and slots the policy speaks.
    pub schema: String,
    /// What must hold of the attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predicates: Vec<Predicate>,
    /// The attributes whose values the certificate shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclose: Vec<Disclosure>,
    /// Within what a holder is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Written `true` where there is no scope: a holder may have as many certificates as they like.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbounded: bool,
    /// The certificate that is earned.
    #[serde(default)]
    pub certificate: CertificateProfile,
    /// SHA-256 of each relation's verifying key; mandatory in production.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "each_once"
    )]
    pub parameters: BTreeMap<RelationName, KeyDigest>,
}

/// One thing that must hold of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPredicate", into = "WrittenPredicate")]
pub struct Predicate {
    /// The attribute's name in the schema.
    pub attribute: String,
    /// Its slot, written out so that the policy stands by itself.
    pub slot: u8,
    /// Its type.
    pub kind: AttributeType,
    /// What must hold.
    pub test: Test,
    /// Whether it belongs to the any-of group, of which at least one must hold; otherwise it is required.
    pub any_of: bool,
}

/// What must hold of an attribute. An absent attribute meets none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is this value.
    Equals(Literal),
    /// It is present and not this value.
    NotEquals(Literal),
    /// It is this or more.
    AtLeast(u64),
    /// It is this or less.
    AtMost(u64),
    /// It is neither below the first nor above the second.
    Between(u64, u64),
    /// It is one of these values.
    OneOf(Vec<Literal>),
}

/// A value as a policy writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// An unsigned 64-bit integer.
    Integer(u64),
    /// A UTF-8 string, compared byte by byte.
    Text(String),
}

/// An attribute whose value the certificate shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// The attribute's name in the schema; the certificate shows it under this name.
    pub attribute: String,
    /// Its slot.
    pub slot: u8,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
}

/// Within what a holder is counted: at most `bound` keys in each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Policies that name the same scope count together.
    pub name: String,
    /// The length of a period, counted from the Unix epoch; at most 366 days.
    pub period_seconds: u64,
    /// How many keys a holder may have certified in one period.
    pub bound: u32,
}

/// The certificate that a policy earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateProfile {
    /// How long a certificate is good, from the entry's time.
    #[serde(default = "default_lifetime")]
    pub lifetime_seconds: u64,
    /// The kinds of key that may be certified.
    #[serde(default = "all_keys")]
    pub keys: Vec<KeyType>,
}

impl Default for CertificateProfile {
    fn default() -> Self {
        Self {
            lifetime_seconds: DEFAULT_LIFETIME,
            keys: all_keys(),
        }
    }
}

fn default_lifetime() -> u64 {
    DEFAULT_LIFETIME
}

fn all_keys() -> Vec<KeyType> {
    vec![KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa]
}

/// A relation, as a policy's `parameters` name it: by [`Relation::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationName(pub Relation);

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Serialize for RelationName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for RelationName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Relation::from_name(&name).map(Self).ok_or_else(|| {
            let known: Vec<_> = Relation::ALL.iter().map(|r| r.name()).collect();
            de::Error::custom(format!(
                "{name:?} is no relation: use one of {}",
                known.join(", ")
            ))
        })
    }
}

/// SHA-256 of a verifying key; lower-case hexadecimal in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl Serialize for KeyDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|b| b.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                de::Error::custom(format!(
                    "{text:?} is not a SHA-256 digest: write 64 lower-case hexadecimal digits"
                ))
            })
    }
}

/// What an epoch gives a policy: its bounds, and the roots computed from the files in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRoots {
    /// The epoch's start, Unix seconds.
    pub start: u64,
    /// Its end, that is start + length.
    pub end: u64,
    /// The root of the origins of the policy's issuer set.
    pub issuer_root: Fr,
    /// The root of the revocation tree.
    pub revocation_root: Fr,
}

/// A policy that passed every check. It dereferences to what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    body: PolicyBody,
    /// The public inputs of the policy relation in an epoch of zeros.
    public: PolicyPublic,
}

impl Deref for Policy {
    type Target = PolicyBody;

    fn deref(&self) -> &PolicyBody {
        &self.body
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl TryFrom<PolicyBody> for Policy {
    type Error = PolicyError;

    fn try_from(body: PolicyBody) -> Result<Self, PolicyError> {
        if let Some(error) = body.check().errors.into_iter().next() {
            return Err(error);
        }
        let mut predicates = [PredicatePublic::NONE; MOST_PREDICATES];
        for (public, place) in predicates.iter_mut().zip(body.places()) {
            if let Some(predicate) = place {
                *public = predicate.public()?;
            }
        }
        let zero = Fr::from(0u64);
        let public = PolicyPublic::new(predicates, 0, 0, zero, zero)?;
        Ok(Self { body, public })
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PolicyBody::deserialize(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}

impl PolicyBody {
    /// The predicates in the order of the relation's four places: those with a value set first, since only the first two
    /// places can have one, and otherwise as written.
    pub fn places(&self) -> [Option<&Predicate>; MOST_PREDICATES] {
        let is_set = |p: &&Predicate| matches!(p.test, Test::OneOf(_));
        let mut ordered = self
            .predicates
            .iter()
            .filter(is_set)
            .chain(self.predicates.iter().filter(|p| !is_set(p)));
        std::array::from_fn(|_| ordered.next())
    }
}

impl Policy {
    /// Which slot of the vector is the operand of each place; `None` for a place that is not used.
    pub fn slot_map(&self) -> [Option<usize>; MOST_PREDICATES] {
        self.places()
            .map(|place| place.map(|p| usize::from(p.slot)))
    }

    /// The slots that the policy reads, in predicates and disclosures: those on which the schemas of an issuer set must agree.
    pub fn slots_read(&self) -> Vec<u8> {
        let predicates = self.predicates.iter().map(|p| p.slot);
        let mut slots: Vec<u8> = predicates
            .chain(self.disclose.iter().map(|d| d.slot))
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The second after which a credential may not end before, for this policy in that epoch: a certificate issued in the
    /// epoch's last second never outlives the credential.
    pub fn valid_until(&self, epoch_end: u64) -> u64 {
        epoch_end.saturating_add(self.certificate.lifetime_seconds)
    }

    /// The public inputs of the policy relation in that epoch.
    pub fn public(&self, epoch: &EpochRoots) -> PolicyPublic {
        let mut public = self.public;
        public.epoch_start = epoch.start;
        public.valid_until = self.valid_until(epoch.end);
        public.issuer_root = epoch.issuer_root;
        public.revocation_root = epoch.revocation_root;
        public
    }

    /// SHA-256 of the verifying key that the policy names for a relation.
    pub fn parameter(&self, relation: Relation) -> Option<[u8; 32]> {
        self.parameters
            .get(&RelationName(relation))
            .map(|digest| digest.0)
    }
}

impl Predicate {
    /// The predicate as the policy relation has it. Every order is an interval, and text is compared by its hash.
    fn public(&self) -> Result<PredicatePublic, TreeError> {
        let test = match &self.test {
            Test::Equals(value) => PredicateTest::Equal(value.to_field()),
            Test::NotEquals(value) => PredicateTest::NotEqual(value.to_field()),
            Test::AtLeast(low) => PredicateTest::Range {
                low: *low,
                high: u64::MAX,
            },
            Test::AtMost(high) => PredicateTest::Range {
                low: 0,
                high: *high,
            },
            Test::Between(low, high) => PredicateTest::Range {
                low: *low,
                high: *high,
            },
            Test::OneOf(values) => {
                let values: Vec<Fr> = values.iter().map(Literal::to_field).collect();
                PredicateTest::Member {
                    root: tree::members_root(&values, VALUE_SET_DEPTH)?,
                }
            }
        };
        let mode = if self.any_of {
            Mode::AnyOf
        } else {
            Mode::Required
        };
        Ok(PredicatePublic { test, mode })
    }
}

impl Literal {
    /// The value as it stands in an attribute vector.
    pub fn to_field(&self) -> Fr {
        match self {
            Self::Integer(value) => Fr::from(*value),
            Self::Text(text) => poseidon::hash_bytes(crate::vector::TEXT_TAG, text.as_bytes()),
        }
    }

    /// The type of attribute that it can be compared with.
    pub fn kind(&self) -> AttributeType {
        match self {
            Self::Integer(_) => AttributeType::Integer,
            Self::Text(_) => AttributeType::Text,
        }
    }
}

/// A predicate as it is written: one of the six tests stands beside the attribute.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPredicate {
    attribute: String,
    slot: u8,
    #[serde(rename = "type")]
    kind: AttributeType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_equals: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    between: Option<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<Literal>>,
    #[serde(default, skip_serializing_if = "is_false")]
    any_of: bool,
}

impl TryFrom<WrittenPredicate> for Predicate {
    type Error = String;

    fn try_from(written: WrittenPredicate) -> Result<Self, String> {
        let tests = [
            written.equals.map(Test::Equals),
            written.not_equals.map(Test::NotEquals),
            written.at_least.map(Test::AtLeast),
            written.at_most.map(Test::AtMost),
            written.between.map(|(low, high)| Test::Between(low, high)),
            written.one_of.map(Test::OneOf),
        ];
        let mut tests = tests.into_iter().flatten();
        let (Some(test), None) = (tests.next(), tests.next()) else {
            return Err(format!(
                "the predicate on {:?} needs exactly one of equals, not_equals, at_least, at_most, between and one_of",
                written.attribute
            ));
        };
        let WrittenPredicate {
            attribute,
            slot,
            kind,
            any_of,
            ..
        } = written;
        Ok(Self {
            attribute,
            slot,
            kind,
            test,
            any_of,
        })
    }
}

impl From<Predicate> for WrittenPredicate {
    fn from(predicate: Predicate) -> Self {
        let Predicate {
            attribute,
            slot,
            kind,
            test,
            any_of,
        } = predicate;
        let mut written = Self {
            attribute,
            slot,
            kind,
            equals: None,
            not_equals: None,
            at_least: None,
            at_most: None,
            between: None,
            one_of: None,
            any_of,
        };
        match test {
            Test::Equals(value) => written.equals = Some(value),
            Test::NotEquals(value) => written.not_equals = Some(value),
            Test::AtLeast(low) => written.at_least = Some(low),
            Test::AtMost(high) => written.at_most = Some(high),
            Test::Between(low, high) => written.between = Some((low, high)),
            Test::OneOf(values) => written.one_of = Some(values),
        }
        written
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Reads `parameters`, each relation once: of two entries serde would keep the last, and another reader perhaps the first.
fn each_once<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<RelationName, KeyDigest>, D::Error> {
    struct EachOnce;

    impl<'de> de::Visitor<'de> for EachOnce {
        type Value = BTreeMap<RelationName, KeyDigest>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with a digest for each relation")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut read = BTreeMap::new();
            while let Some((relation, digest)) = entries.next_entry::<RelationName, _>()? {
                if read.insert(relation, digest).is_some() {
                    return Err(de::Error::custom(format!(
                        "relation {relation} stands twice in \"parameters\": name its verifying key once"
                    )));
                }
            }
            Ok(read)
        }
    }

    deserializer.deserialize_map(EachOnce)
}
