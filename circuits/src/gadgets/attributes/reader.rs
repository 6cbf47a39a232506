//! A reader: a rule, and which of the candidates it means, or that there is none.

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use bauta_statement::{field::Fr, schema::LONGEST_OID};

use super::Candidate;
use crate::{
    gadgets::{compare, tbs::is_zero},
    system::{Lc, System},
};

/// Bits of a rule below the identifier with its length: type, source, occurrence.
const BELOW: u32 = 24;
/// Bits of an identifier with its length.
const IDENTIFIER: u32 = 8 * (LONGEST_OID as u32 + 1);

/// What a schema says of one slot (`Attribute::rule`), taken apart.
pub(crate) struct Rule {
    /// 0 if the reader is idle.
    pub(crate) whole: Lc,
    /// 1 for text, 0 for an integer.
    pub(crate) text: Lc,
    /// Source and identifier, as a candidate's; 0 if the reader is idle.
    pub(crate) key: Lc,
    /// The occurrence + 1, or 0.
    pub(crate) occurrence: Lc,
}

/// What is below an identifier in a rule, and the factor of a key there.
const SOURCE_BITS: u32 = 8;
const OCCURRENCE_BITS: u32 = 8;

impl Rule {
    /// A rule that is a hint.
    ///
    /// type + 2^8·source + 2^16·occurrence + 2^24·identifier, with a type of 1 or 2, a source of 1 to 4, an occurrence of 8 bits and an
    /// identifier of 224: below 2^248, so there is one way to take it apart. Otherwise a prover would find an identifier that no
    /// certificate has, and with it that an attribute is absent. Of an idle reader all is 0.
    pub(crate) fn new(system: &mut System, rule: Fr, active: &Lc) -> Self {
        let whole = rule.into_bigint();
        let byte = |place: u32| {
            (0..8).fold(0u64, |byte, bit| {
                byte | u64::from(whole.get_bit(8 * place as usize + bit)) << bit
            })
        };
        let text = system.boolean("whether it is text", byte(0) == 2);
        let source = system.hint("source less one", Fr::from(byte(1).saturating_sub(1)));
        compare::range(system, &source, 2);
        let occurrence = system.hint("occurrence and one", Fr::from(byte(2)));
        compare::range(system, &occurrence, OCCURRENCE_BITS);
        let identifier = Fr::from_bigint(whole >> BELOW).unwrap_or_default();
        let identifier = system.hint("identifier and length", identifier);
        compare::range(system, &identifier, IDENTIFIER);

        let source = &source + active;
        let power = |bits: u32| Fr::from(2).pow([u64::from(bits)]);
        let whole = Lc::combine([
            (&(active + &text), Fr::from(1)),
            (&source, power(8)),
            (&occurrence, power(8 + SOURCE_BITS)),
            (&identifier, power(BELOW)),
        ]);
        let one = Lc::constant(Fr::from(1));
        compare::either_is_zero(system, &(&one - active), &whole);
        Self {
            key: key(&source, &identifier),
            whole,
            text,
            occurrence,
        }
    }
}

/// Source and identifier in one element.
pub(super) fn key(source: &Lc, identifier: &Lc) -> Lc {
    let above = Fr::from(1u64 << (SOURCE_BITS + OCCURRENCE_BITS));
    Lc::combine([(source, Fr::from(1)), (identifier, above)])
}

/// Which candidates a rule fits, and which of those counts.
pub(crate) struct Choice {
    /// For each candidate 1 if it has the rule's source and identifier, else 0.
    pub(crate) matches: Vec<Lc>,
    /// For each candidate 1 if it is the one that counts, else 0.
    pub(crate) picks: Vec<Lc>,
    /// 1 if there is one, else 0: *absent*.
    pub(crate) found: Lc,
}

/// More than counts and occurrences differ by.
const APART: u64 = 1 << 10;

/// The candidate that a rule means: of those that match, the only one, or the one that the occurrence says.
///
/// With mᵢ shown to be whether candidate i matches, Cᵢ = Σ_{j≤i} mⱼ and the target t, the occurrence + 1, or 1 where the rule has none:
///
/// - pᵢ·(Cᵢ − t + 2^10(1 − mᵢ)) = 0, and f = Σ pᵢ is 0 or 1. Cᵢ and t are below 2^9, so pᵢ is 0 but for the match that is the t-th; there is
///   one at most.
/// - (1 − f)(t − C − 1) is in \[0, 2^8), with C the number of matches: who says that there is none shows that there are fewer.
/// - z(C − f) = 0 with z = 1 for a rule without an occurrence: then there is no second one.
pub(crate) fn choose(system: &mut System, rule: &Rule, candidates: &[&Candidate]) -> Choice {
    assert!(candidates.len() < 256, "counts below 2^9");
    let (zero, one) = (Lc::constant(Fr::ZERO), Lc::constant(Fr::from(1)));
    let matches: Vec<Lc> = candidates
        .iter()
        .map(|candidate| is_zero(system, &(&candidate.key - &rule.key)))
        .collect();
    let any = is_zero(system, &rule.occurrence);
    let target = &rule.occurrence + &any;
    let mut count = zero.clone();
    let mut picks = Vec::new();
    for matched in &matches {
        count = &count + matched;
        let off = Lc::combine([
            (&count, Fr::from(1)),
            (&target, -Fr::from(1)),
            (&(&one - matched), Fr::from(APART)),
        ]);
        let pick = system.hint("pick of a candidate", Fr::from(off.value() == Fr::ZERO));
        compare::either_is_zero(system, &pick, &off);
        picks.push(pick);
    }
    let found = Lc::combine(picks.iter().map(|pick| (pick, Fr::from(1))));
    compare::either_is_zero(system, &found, &(&found - &one));
    let fewer = system.product(&(&one - &found), &(&(&target - &count) - &one));
    compare::range(system, &fewer, OCCURRENCE_BITS);
    compare::either_is_zero(system, &any, &(&count - &found));
    Choice {
        matches,
        picks,
        found,
    }
}
