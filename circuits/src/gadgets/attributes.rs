//! A certificate's attributes by a schema: eleven slots, and the schema rule by which they were read.
//!
//! Everything that an attribute may come from is *walked*: all attributes of the subject, all extensions, all names of the subject
//! alternative name, from the first octet to the last. Each is a candidate, with its source and identifier in one element, and every reader
//! compares its rule with every candidate. So *absent* is a statement about all of them, and whatever fits is read or refused:
//! a prover cannot leave out what is long, or of a type that is not read.

use ark_ff::AdditiveGroup;
use bauta_statement::{field::Fr, schema::ATTRIBUTE_SLOTS, vector::absent};

use super::{
    bytes::Bytes,
    compare,
    der::Element,
    poseidon,
    tbs::{Fields, is_zero},
    window,
};
use crate::system::{Lc, System};

pub(crate) mod entry;
pub(crate) mod extensions;
pub(crate) mod names;
mod native;
pub(crate) mod reader;
pub(crate) mod subject;
pub(crate) mod value;

pub(crate) use entry::packed;
pub use native::{AttributesError, Reading, Value, attributes};
pub use value::LONGEST_VALUE;

/// The first of them.
const FIRST: usize = *ATTRIBUTE_SLOTS.start() as usize;
/// Slots that a schema gives to attributes.
pub const COUNT: usize = *ATTRIBUTE_SLOTS.end() as usize - FIRST + 1;

/// How much there may be of everything. More is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Attributes of the subject.
    pub attributes: usize,
    /// Extensions.
    pub extensions: usize,
    /// Names of any kind in the subject alternative name.
    pub names: usize,
    /// Slots that are read.
    pub readers: usize,
}

impl Bounds {
    /// The relation's. A directory's longest names (domain components, units, common name, e-mail) have eight or nine
    /// attributes, and X.520's of a person a dozen; a smart card's certificate has thirteen extensions.
    pub const STANDARD: Self = Self {
        attributes: 12,
        extensions: 14,
        names: 8,
        readers: 6,
    };
}

/// Sources as `Attribute::rule` has them.
pub(crate) mod source {
    pub(crate) const SUBJECT: u8 = 1;
    pub(crate) const EXTENSION: u8 = 2;
    pub(crate) const SAN_EMAIL: u8 = 3;
    pub(crate) const SAN_DNS: u8 = 4;
}

/// The key of a candidate that is none. No rule has this source.
const NEVER: u8 = 5;

/// Something that an attribute may be read from.
pub(crate) struct Candidate {
    /// Source and identifier, as [`reader::Rule`]'s.
    pub(crate) key: Lc,
    /// Where its value's header is.
    pub(crate) place: Lc,
}

impl Candidate {
    fn new(system: &mut System, source: u8, active: &Lc, identifier: &Lc, place: &Lc) -> Self {
        let source = Lc::constant(Fr::from(source));
        let key = &reader::key(&source, identifier) - Fr::from(NEVER);
        Self {
            key: &system.product(active, &key) + Fr::from(NEVER),
            place: place.clone(),
        }
    }
}

/// An extension that was looked for: the contents of its OCTET STRING.
pub struct Found<E> {
    /// 1 if it is there, else 0.
    pub there: E,
    /// Its first content octet; 0 if it is not there.
    pub start: E,
    /// The octet after it; 0 if it is not there.
    pub end: E,
}

/// The extensions of RFC 5280 that this relation knows.
pub struct Known<E> {
    /// keyUsage.
    pub key_usage: Found<E>,
    /// extKeyUsage.
    pub extended_key_usage: Found<E>,
    /// basicConstraints.
    pub basic_constraints: Found<E>,
    /// subjectAltName.
    pub subject_alternative_name: Found<E>,
}

/// DER contents of their identifiers (RFC 5280, 4.2.1).
pub(crate) const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
pub(crate) const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
pub(crate) const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
pub(crate) const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
/// Whoever starts from any policy and asks for none, as here, processes it by doing nothing (RFC 5280, 6.1.1).
pub(crate) const CERTIFICATE_POLICIES: [u8; 3] = [0x55, 0x1d, 0x20];

/// What was read.
pub struct Attributes {
    /// Slots 5 to 15.
    pub values: [Lc; COUNT],
    /// The schema rule, as `Schema::rule`.
    pub rule: Lc,
    /// The extensions that others read.
    pub known: Known<Lc>,
}

/// Reads a TBSCertificate's attributes: of those that the prover says, each with its slot and its rule (`Attribute::rule`), as many as
/// there are readers. The result says by which schema rule.
///
/// `fields` must be shown to be those of `string`, as [`super::tbs::walk`] does.
pub fn read(
    system: &mut System,
    string: &Bytes,
    fields: &Fields<Element>,
    schema: &[(u8, Fr)],
    bounds: &Bounds,
) -> Attributes {
    let bytes = string.values();
    system.region("subject");
    let (subject, all) = (&fields.subject, &fields.extensions);
    let issuer = &fields.issuer.start;
    let ends = [&subject.start, &subject.end];
    let subject = subject::walk(system, bytes, ends, issuer, bounds.attributes);

    system.region("extensions");
    let ends = [&all.start, &all.end];
    let extensions = extensions::walk(system, bytes, ends, bounds.extensions);
    let mut understood = vec![Lc::constant(Fr::ZERO); extensions.len()];
    let mut known = |system: &mut System, identifier: &[u8]| {
        let (found, matches) = find(system, &extensions, identifier);
        add(&mut understood, &matches);
        found
    };
    let known = {
        let found = Known {
            key_usage: known(system, &KEY_USAGE),
            extended_key_usage: known(system, &EXTENDED_KEY_USAGE),
            basic_constraints: known(system, &BASIC_CONSTRAINTS),
            subject_alternative_name: known(system, &SUBJECT_ALTERNATIVE_NAME),
        };
        known(system, &CERTIFICATE_POLICIES);
        found
    };

    system.region("names");
    let found = &known.subject_alternative_name;
    let ends = [&found.start, &found.end];
    // There is an extension, so this is a SEQUENCE's header.
    let elsewhere = &fields.extensions.start;
    let names = names::walk(system, bytes, &found.there, ends, elsewhere, bounds.names);

    let mut slots = Slots::new();
    for reader in 0..bounds.readers {
        let (slot, rule) = match schema.get(reader) {
            Some((slot, rule)) => (Some(*slot), *rule),
            None => (None, Fr::ZERO),
        };
        system.region("rules");
        let (chosen, active) = slots.choose(system, slot);
        let rule = reader::Rule::new(system, rule, &active);
        system.region("candidates");
        let (value, matches) = one(system, bytes, &rule, [&subject, &names], &extensions);
        add(&mut understood, &matches);
        system.region("slots");
        slots.put(system, &chosen, &rule.whole, &value);
    }

    system.region("critical");
    for (extension, understood) in extensions.iter().zip(&understood) {
        critical(system, &extension.critical, understood);
    }
    system.region("slots");
    let (values, rules) = slots.finish(system);
    Attributes {
        values,
        rule: poseidon::hash(system, &rules),
        known,
    }
}

fn add(sums: &mut [Lc], more: &[Lc]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = &*sum + more;
    }
}

/// The extension with this identifier, and which it is; one at most.
pub(crate) fn find(
    system: &mut System,
    extensions: &[extensions::Extension],
    identifier: &[u8],
) -> (Found<Lc>, Vec<Lc>) {
    let source = Lc::constant(Fr::from(source::EXTENSION));
    let key = reader::key(&source, &Lc::constant(entry::packed(identifier)));
    let matches: Vec<Lc> = extensions
        .iter()
        .map(|extension| is_zero(system, &(&extension.candidate.key - &key)))
        .collect();
    let there = Lc::combine(matches.iter().map(|matched| (matched, Fr::from(1))));
    compare::either_is_zero(system, &there, &(&there - Fr::from(1)));
    let places = extensions
        .iter()
        .map(|extension| &extension.candidate.place);
    let found = Found {
        start: chosen(system, &matches, places),
        end: chosen(
            system,
            &matches,
            extensions.iter().map(|extension| &extension.end),
        ),
        there,
    };
    (found, matches)
}

/// Σ cᵢ·vᵢ, of which one cᵢ is 1 at most.
fn chosen<'a>(system: &mut System, choices: &[Lc], values: impl Iterator<Item = &'a Lc>) -> Lc {
    let mut sum = Lc::constant(Fr::ZERO);
    for (choice, value) in choices.iter().zip(values) {
        sum = &sum + &system.product(choice, value);
    }
    sum
}

/// An extension that nobody here understands is not critical (RFC 5280, 4.2: a system must reject it): what it forbids nobody
/// would see. u + 1 − c has an inverse, with u counting who reads it.
pub(crate) fn critical(system: &mut System, critical: &Lc, understood: &Lc) {
    let one = Lc::constant(Fr::from(1));
    system.quotient(
        "inverse of who understands it",
        &one,
        &(&(understood + &one) - critical),
    );
}

/// What one rule reads, and which extension.
fn one(
    system: &mut System,
    bytes: &[Lc],
    rule: &reader::Rule,
    [subject, names]: [&[Candidate]; 2],
    extensions: &[extensions::Extension],
) -> (Lc, Vec<Lc>) {
    let own = extensions.iter().map(|extension| &extension.candidate);
    let candidates: Vec<&Candidate> = subject.iter().chain(own).chain(names).collect();
    let choice = reader::choose(system, rule, &candidates);
    let (_, picks) = choice.picks.split_at(subject.len());
    let (extension, name) = picks.split_at(extensions.len());
    let sum = |picks: &[Lc]| Lc::combine(picks.iter().map(|pick| (pick, Fr::from(1))));

    let places = candidates.iter().map(|candidate| &candidate.place);
    let place = chosen(system, &choice.picks, places);
    system.region("values");
    let octets = window::read(system, bytes, &place, value::READ);
    let asked = value::Asked {
        text: &rule.text,
        found: &choice.found,
        name: &sum(name),
        extension: &sum(extension),
    };
    let (value, length) = value::value(system, &octets, &asked);
    // The one value of an extension ends with it; that of an attribute does, and of a name.
    let end = &(&place + &length) + Fr::from(2);
    for (pick, extension) in extension.iter().zip(extensions) {
        compare::either_is_zero(system, pick, &(&extension.end - &end));
    }
    let matches = choice.matches.into_iter().skip(subject.len());
    (value, matches.take(extensions.len()).collect())
}

/// Slots, filled by readers: at most one each.
pub(crate) struct Slots {
    taken: [Lc; COUNT],
    values: [Lc; COUNT],
    rules: [Lc; COUNT],
}

impl Slots {
    pub(crate) fn new() -> Self {
        let zeros = || std::array::from_fn(|_| Lc::constant(Fr::ZERO));
        Self {
            taken: zeros(),
            values: std::array::from_fn(|_| Lc::constant(absent())),
            rules: zeros(),
        }
    }

    /// The slot of a reader, as eleven bits, of which one is 1 at most, and whether one is.
    pub(crate) fn choose(&mut self, system: &mut System, slot: Option<u8>) -> (Vec<Lc>, Lc) {
        let chosen: Vec<Lc> = ATTRIBUTE_SLOTS
            .map(|other| system.boolean("slot of a reader", slot == Some(other)))
            .collect();
        let active = Lc::combine(chosen.iter().map(|chosen| (chosen, Fr::from(1))));
        compare::either_is_zero(system, &active, &(&active - Fr::from(1)));
        add(&mut self.taken, &chosen);
        (chosen, active)
    }

    /// Puts a reader's rule and value there.
    pub(crate) fn put(&mut self, system: &mut System, chosen: &[Lc], rule: &Lc, value: &Lc) {
        let value = value - absent();
        for ((chosen, slot), rules) in chosen.iter().zip(&mut self.values).zip(&mut self.rules) {
            *slot = &*slot + &system.product(chosen, &value);
            *rules = &*rules + &system.product(chosen, rule);
        }
    }

    /// Values and rules, once no slot is taken twice.
    pub(crate) fn finish(self, system: &mut System) -> ([Lc; COUNT], [Lc; COUNT]) {
        for taken in &self.taken {
            compare::either_is_zero(system, taken, &(taken - Fr::from(1)));
        }
        (self.values, self.rules)
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
