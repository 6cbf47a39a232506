//! Counterfactual provers: for each value that the prover chooses, the one that the honest code would never choose, with
//! everything that follows from it computed anew by that same code ([`System::forge`]). Rank and mutation cannot see these:
//! another root, x + r, a point off the curve, a wrong branch.
//!
//! Each relation has a table of cases. A case says which hints are chosen otherwise, and which parts of the relation
//! refuse it: *exactly* those, so that most cases show that one part carries the burden alone, and a part that no longer does
//! its work shows here ([`weakened`] makes such). A hint that no case changes fails a test, and so does a relation without a table.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use bauta_statement::{field::Fr, relation::Relation};

use crate::{
    Circuit, constraint_system,
    system::{Assignment, Column, PRODUCT, R1cs, System},
};

mod native;
mod nullifier;
mod policy;
mod rows;
mod weakened;

/// A part of a relation and what a hint is called there; of a free witness, the first words of its reason.
type Hint = (&'static str, &'static str);

/// A relation's shape, and where its hints are.
struct Layout {
    shape: &'static R1cs,
    hints: BTreeMap<Hint, Vec<Column>>,
    /// Each part's products: a dishonest prover may choose those too.
    products: BTreeMap<&'static str, Vec<Column>>,
}

impl Layout {
    fn of(relation: Relation) -> Self {
        let shape = constraint_system(relation);
        let mut part = vec![""; shape.instances + shape.witnesses];
        for (index, row) in shape.rows.iter().enumerate().rev() {
            for (column, _) in row.sides().into_iter().flat_map(|side| side.iter()) {
                part[column as usize] = shape.region_of(index);
            }
        }
        let mut hints: BTreeMap<Hint, Vec<Column>> = BTreeMap::new();
        for (index, name) in shape.names.iter().enumerate() {
            let column = shape.instances + index;
            let hint = (part[column], label(name));
            hints.entry(hint).or_default().push(column as Column);
        }
        let products = hints
            .iter()
            .filter(|((_, name), _)| *name == PRODUCT)
            .map(|((part, _), columns)| (*part, columns.clone()))
            .collect();
        hints.retain(|(_, name), _| *name != PRODUCT);
        Self {
            shape,
            hints,
            products,
        }
    }

    /// The columns of a hint, in order.
    fn columns(&self, part: &'static str, name: &'static str) -> &[Column] {
        self.hints.get(&(part, name)).unwrap_or_else(|| {
            panic!(
                "no hint {name} in {part}; there are {:?}",
                self.hints.keys()
            )
        })
    }
}

/// A hint's name; of a reason, what stands before the colon.
fn label(name: &'static str) -> &'static str {
    name.split(':').next().unwrap_or(name)
}

/// The run of a dishonest prover, who has these values in the place of the honest ones.
fn forged<C: Circuit>(witness: &C, instances: &[Fr], values: Vec<(Column, Fr)>) -> Assignment {
    let values: HashMap<Column, Fr> = values.into_iter().collect();
    forged_by(witness, instances, move |column, honest| {
        values.get(&column).copied().unwrap_or(honest)
    })
}

fn forged_by<C: Circuit>(
    witness: &C,
    instances: &[Fr],
    mut choose: impl FnMut(Column, Fr) -> Fr + 'static,
) -> Assignment {
    let mut system = System::new(instances, false);
    system.forge(Box::new(move |column, _, honest| choose(column, honest)));
    witness.synthesize(&mut system);
    system.into_assignment()
}

/// The lowest bits of x + r, for the columns of a range's bits: the integer that is x modulo r too.
fn alias_bits(columns: &[Column], value: Fr) -> Vec<(Column, Fr)> {
    let mut integer = value.into_bigint();
    integer.add_with_carry(&Fr::MODULUS);
    bits(columns, integer)
}

fn bits(columns: &[Column], integer: impl BigInteger) -> Vec<(Column, Fr)> {
    let bits = columns.iter().enumerate();
    bits.map(|(position, column)| (*column, Fr::from(integer.get_bit(position))))
        .collect()
}

/// Two of a range's bits changed so that the sum stays what it is.
fn carried(columns: &[Column], honest: &Assignment) -> Vec<(Column, Fr)> {
    let [low, next] = [columns[0], columns[1]];
    let value = |column: Column| honest.values()[column as usize];
    vec![
        (low, value(low) + Fr::from(2)),
        (next, value(next) - Fr::ONE),
    ]
}

/// A range's bits with all of the value in one of them, and nothing in the others, the one that is no witness included.
fn heaped(columns: &[Column], value: Fr, position: usize) -> Vec<(Column, Fr)> {
    let share = value / Fr::from(1u128 << position);
    let place = |index| if index == position { share } else { Fr::ZERO };
    let columns = columns.iter().enumerate();
    columns
        .map(|(index, column)| (*column, place(index)))
        .collect()
}

/// What becomes of an attempt.
enum End {
    /// Rows of exactly these parts fail.
    RefusedBy(BTreeSet<&'static str>),
    /// All rows hold, and this is why it does no harm.
    Harmless(&'static str),
}

/// One attempt.
struct Case {
    what: String,
    hints: Vec<Hint>,
    end: End,
    /// The rows that fail.
    failing: Vec<usize>,
    assignment: Assignment,
}

/// A relation's attempts.
struct Table {
    relation: Relation,
    layout: Layout,
    /// A satisfied assignment to compare with.
    honest: Assignment,
    cases: Vec<Case>,
}

impl Table {
    fn new<C: Circuit>(honest: &C) -> Self {
        let layout = Layout::of(C::RELATION);
        let honest = honest.assignment();
        assert_eq!(layout.shape.check(&honest), Ok(()));
        Self {
            relation: C::RELATION,
            layout,
            honest,
            cases: Vec::new(),
        }
    }

    fn push(&mut self, what: String, hints: &[Hint], end: End, assignment: Assignment) {
        let failing = self.layout.shape.failing(&assignment).collect();
        self.cases.push(Case {
            what,
            hints: hints.to_vec(),
            end,
            failing,
            assignment,
        });
    }

    fn refused(
        &mut self,
        what: impl Into<String>,
        hints: &[Hint],
        by: &[&'static str],
        assignment: Assignment,
    ) {
        let end = End::RefusedBy(by.iter().copied().collect());
        self.push(what.into(), hints, end, assignment);
    }

    fn harmless(
        &mut self,
        what: impl Into<String>,
        hints: &[Hint],
        why: &'static str,
        assignment: Assignment,
    ) {
        self.push(what.into(), hints, End::Harmless(why), assignment);
    }

    /// The parts in which rows of the relation fail, of those rows that `stands` keeps.
    fn parts(&self, case: &Case, stands: impl Fn(usize) -> bool) -> BTreeSet<&'static str> {
        let rows = case.failing.iter().filter(|row| stands(**row));
        rows.map(|row| self.layout.shape.region_of(*row)).collect()
    }

    /// Whether a case ends as it is written, if only these rows stand.
    fn ends_as_written(&self, case: &Case, stands: impl Fn(usize) -> bool) -> Result<(), String> {
        let parts = self.parts(case, stands);
        match &case.end {
            End::RefusedBy(expected) if parts == *expected && !parts.is_empty() => Ok(()),
            End::RefusedBy(expected) => Err(format!(
                "{}: {}: refused by {parts:?}, not {expected:?}",
                self.relation.name(),
                case.what
            )),
            End::Harmless(why) if parts.is_empty() && !why.is_empty() => Ok(()),
            End::Harmless(_) => Err(format!(
                "{}: {}: refused by {parts:?}, which was not known",
                self.relation.name(),
                case.what
            )),
        }
    }
}

/// The attempts at each relation. A new relation does not compile without.
fn tables() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
        Relation::ALL
            .into_iter()
            .filter_map(|relation| match relation {
                Relation::PossessionNative => Some(native::table()),
                Relation::Policy => Some(policy::table()),
                Relation::Nullifier => Some(nullifier::table()),
                // Made of gadgets whose hints are each chosen otherwise in the gadget's own tests; the relation's are in
                // `possession/x509_rsa_tests/`.
                Relation::PossessionX509Rsa | Relation::PossessionX509RsaLong => None,
            })
            .collect()
    });
    &TABLES
}

#[test]
fn every_attempt_ends_as_written() {
    let mut wrong = Vec::new();
    for table in tables() {
        for case in &table.cases {
            wrong.extend(table.ends_as_written(case, |_| true).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every hint of every relation is chosen otherwise in some case that says so, and truly is there.
#[test]
fn every_hint_is_attempted() {
    for table in tables() {
        let mut open: BTreeSet<Hint> = table.layout.hints.keys().copied().collect();
        let named = open.iter().all(|(_, name)| !name.is_empty());
        assert!(named, "a witness without a name: use `System::hint`");
        for case in &table.cases {
            for (part, name) in &case.hints {
                let changed = table.layout.columns(part, name).iter().any(|column| {
                    let value = |a: &Assignment| a.values()[*column as usize];
                    value(&case.assignment) != value(&table.honest)
                });
                assert!(changed, "{}: {name} is the honest one", case.what);
                open.remove(&(*part, *name));
            }
        }
        assert!(
            open.is_empty(),
            "{}: hints that no counterfactual prover chooses: {open:?}",
            table.relation.name()
        );
    }
}

/// One hint at a time: the first and the last of each name, several wrong values, all that follows computed anew.
#[test]
fn no_hint_alone_can_be_another() {
    fn sweep<C: Circuit>(witness: &C) {
        let layout = Layout::of(C::RELATION);
        let (instances, honest) = (witness.instances(), witness.assignment());
        for ((part, name), columns) in &layout.hints {
            for column in BTreeSet::from([columns[0], columns[columns.len() - 1]]) {
                let value = honest.values()[column as usize];
                for wrong in [value + Fr::ONE, -value, Fr::ZERO, Fr::ONE, value.square()] {
                    if wrong == value {
                        continue;
                    }
                    let assignment = forged(witness, &instances, vec![(column, wrong)]);
                    assert!(
                        layout.shape.check(&assignment).is_err(),
                        "{name} in {part}: {value} may be {wrong}"
                    );
                }
            }
        }
    }
    sweep(&native::honest());
    sweep(&policy::honest());
    sweep(&nullifier::honest());
}
