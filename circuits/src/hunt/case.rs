//! What is hunted in: a constraint system with a maker of satisfied witnesses, and dishonest assignments that a single
//! row refuses.

use std::borrow::Cow;

use ark_ff::AdditiveGroup;
use bauta_statement::field::Fr;

use crate::{
    relation::{Circuit, compiled},
    system::{Assignment, Column, Forger, Lc, R1cs, System},
};

/// What a relation needs beside its constraints; none can be registered without it (`relation.rs`).
pub(crate) trait Hunted: Circuit {
    /// A witness that satisfies the relation. Any 36 consecutive seeds take every branch and meet every edge.
    fn sample(seed: u64) -> Self;

    /// Dishonest assignments, each refused by one row alone: for the rows that rank does not need.
    fn forgeries(shape: &R1cs) -> Vec<Forgery>;

    /// Rows that neither rank nor a forgery shows to be needed in the whole relation.
    fn excuses() -> Vec<Excuse> {
        Vec::new()
    }

    /// Cases of gadgets whose rows need not be shown to be needed a second time here.
    fn copies() -> Vec<&'static str> {
        Vec::new()
    }
}

/// A dishonest assignment with changes of it. Each change, with its name, is refused by exactly one row.
pub(crate) struct Forgery {
    pub(crate) base: Assignment,
    pub(crate) changes: Vec<(String, Vec<(Column, Fr)>)>,
}

impl Forgery {
    /// An assignment that needs no further change.
    pub(crate) fn of(name: impl Into<String>, base: Assignment) -> Self {
        Self {
            base,
            changes: vec![(name.into(), Vec::new())],
        }
    }

    /// A range, from row `first` on, of a value outside it: each bit in turn takes all of the value, the others being 0, and at
    /// last the one that is no witness.
    pub(crate) fn overflow(
        shape: &R1cs,
        mut base: Assignment,
        first: usize,
        bits: usize,
        name: &str,
    ) -> Self {
        let last = first + bits - 1;
        assert!(last < shape.rows.len(), "{name}: there is no such range");
        let columns: Vec<Column> = (first..last)
            .map(|row| shape.rows.at(row).a.first())
            .collect();
        for column in &columns {
            base.values_mut()[*column as usize] = Fr::ZERO;
        }
        let mut share = shape.rows.at(last).a.evaluate(base.values());
        let mut changes = vec![(format!("{name}: the last bit takes it"), Vec::new())];
        for (position, column) in columns.iter().enumerate().rev() {
            share.double_in_place();
            changes.push((
                format!("{name}: bit {position} takes it"),
                vec![(*column, share)],
            ));
        }
        Self { base, changes }
    }
}

/// Why rows are allowed that nothing shows to be needed here: a gadget's forgeries show it of the same rows there.
pub(crate) struct Excuse {
    /// The case in which they are forged.
    pub(crate) case: &'static str,
    /// Why they cannot be forged here.
    pub(crate) reason: &'static str,
    /// The rows, here and there.
    pub(crate) rows: fn(&R1cs) -> Vec<usize>,
}

/// Makes the satisfied assignment of a seed.
type Sample = dyn Fn(u64) -> Assignment + Send + Sync;
/// Makes forgeries for a shape.
type Forge = dyn Fn(&R1cs) -> Vec<Forgery> + Send + Sync;

/// A constraint system to hunt in.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) shape: Cow<'static, R1cs>,
    pub(crate) sample: Box<Sample>,
    pub(crate) forgeries: Box<Forge>,
    pub(crate) excuses: Vec<Excuse>,
    /// Smaller gadgets, all of whose rows are needed: copies of them here are.
    pub(crate) copies: Vec<&'static str>,
}

impl Case {
    /// A relation.
    pub(crate) fn relation<C: Hunted + 'static>() -> Self {
        Self {
            name: C::RELATION.name().into(),
            shape: Cow::Borrowed(compiled::<C>()),
            sample: Box::new(|seed| {
                let witness = C::sample(seed);
                if let Err(error) = witness.check() {
                    panic!("sample {seed} is refused natively: {error}");
                }
                witness.assignment()
            }),
            forgeries: Box::new(C::forgeries),
            excuses: C::excuses(),
            copies: C::copies(),
        }
    }
}

/// The assignment of a dishonest prover, who runs the relation's code with other instances and replaces hints.
pub(crate) fn forged<C: Circuit>(witness: &C, instances: &[Fr], forger: Forger) -> Assignment {
    let mut system = System::new(instances, false);
    system.forge(forger);
    witness.synthesize(&mut system);
    system.into_assignment()
}

/// Replaces the value of these columns.
pub(crate) fn columns(replacements: Vec<(Column, Fr)>) -> Forger {
    Box::new(move |column, _, honest| {
        let found = replacements.iter().find(|(other, _)| *other == column);
        found.map_or(honest, |(_, value)| *value)
    })
}

/// Changes the values of all hints of this name, by their index among those.
pub(crate) fn named(
    name: &'static str,
    mut change: impl FnMut(usize, Fr) -> Fr + 'static,
) -> Forger {
    let mut met = 0;
    Box::new(move |_, other, honest| {
        if other != name {
            return honest;
        }
        met += 1;
        change(met - 1, honest)
    })
}

/// Changes nothing.
pub(crate) fn honest() -> Forger {
    Box::new(|_, _, value| value)
}

/// The first row of each part of this name.
pub(crate) fn starts(shape: &R1cs, region: &str) -> Vec<usize> {
    let parts = shape.regions.iter().filter(|(_, name)| *name == region);
    parts.map(|(start, _)| *start).collect()
}

/// The columns of the hints of this name.
pub(crate) fn hints(shape: &R1cs, name: &str) -> Vec<Column> {
    let named = shape.names.iter().enumerate().filter(|(_, n)| **n == name);
    named
        .map(|(index, _)| (shape.instances + index) as Column)
        .collect()
}

/// Why a gadget's inputs are listed as free.
pub(crate) const INPUT: &str = "input of the gadget: what it is part of determines it";

/// A gadget by itself. Its inputs are witnesses listed as free, so that a row is needed by rank if it ties them to each
/// other or determines something from them.
pub(crate) struct Gadget<H> {
    /// File and function.
    pub(crate) name: &'static str,
    /// Which size or kind, if there are several.
    pub(crate) variant: String,
    /// Satisfying inputs for a seed, and what else the prover knows.
    pub(crate) inputs: fn(u64) -> (Vec<Fr>, H),
    /// The gadget.
    pub(crate) build: fn(&mut System, &[Lc], &H),
    /// Its forgeries.
    pub(crate) forgeries: fn(&Gadget<H>, &R1cs) -> Vec<Forgery>,
}

impl<H: 'static> Gadget<H> {
    fn run(&self, (inputs, known): &(Vec<Fr>, H), recording: bool, forger: Forger) -> System {
        let mut system = System::new(&[], recording);
        let wires: Vec<Lc> = inputs
            .iter()
            .map(|input| system.free(*input, INPUT))
            .collect();
        system.forge(forger);
        (self.build)(&mut system, &wires, known);
        system
    }

    /// The assignment of a dishonest prover.
    pub(crate) fn forged(&self, inputs: &(Vec<Fr>, H), forger: Forger) -> Assignment {
        self.run(inputs, false, forger).into_assignment()
    }

    pub(crate) fn case(self) -> Case {
        let gadget = std::sync::Arc::new(self);
        let shape = gadget.run(&(gadget.inputs)(0), true, honest()).into_r1cs();
        let name = match gadget.variant.as_str() {
            "" => gadget.name.to_owned(),
            variant => format!("{} ({variant})", gadget.name),
        };
        let same = gadget.clone();
        Case {
            name,
            shape: Cow::Owned(shape),
            sample: Box::new(move |seed| gadget.forged(&(gadget.inputs)(seed), honest())),
            forgeries: Box::new(move |shape| (same.forgeries)(&same, shape)),
            excuses: Vec::new(),
            copies: Vec::new(),
        }
    }
}
