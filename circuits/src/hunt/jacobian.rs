//! The Jacobian of a constraint system at a satisfied assignment, eliminated once.
//!
//! Row i is d(aᵢ·bᵢ − cᵢ) = bᵢ·daᵢ + aᵢ·dbᵢ − dcᵢ over the witnesses; the inputs are fixed. Two kinds of witnesses: *listed* ones,
//! which the relation says the constraints do not determine, and the others. Elimination gives all of this at once:
//!
//! - the other columns that get no pivot while the listed ones are held fixed: free variables (`loose`);
//! - how many ways there are to move when the listed ones move too (`freedom`), and which listed ones can (`movable`);
//! - which rows are in no linear dependency (`needed`): remove such a row and there is one way more to move.
//!
//! The last is deletion of every row in one go. Removing row i leaves the rank as it was exactly if some λ with λᵀJ = 0 has
//! λᵢ ≠ 0; and *one* λ drawn at random from the left kernel has λᵢ ≠ 0 wherever any has, but with probability 1/r.
//!
//! Cost: peeling is linear in the number of entries. It settles row by row what has one unknown left, as a prover computes
//! its values. What resists (a window's u, u², u³, u⁴, of which none comes first) is a core, eliminated by the shortest row
//! first; it falls apart into small blocks here, and once a block is solved the rows after it are short again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ark_ff::{AdditiveGroup, Field, UniformRand, Zero, fields::batch_inversion};
use bauta_statement::field::Fr;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::system::{Assignment, Column, R1cs, Row};

type Entry = (Column, Fr);

/// What one elimination says.
pub(crate) struct Analysis {
    /// Columns that nothing determines, listed ones held fixed.
    pub(crate) loose: Vec<Column>,
    /// Dimension of the right kernel, nothing held fixed.
    pub(crate) freedom: usize,
    /// Listed columns that are not zero in all of the right kernel.
    pub(crate) movable: Vec<Column>,
    /// For each row, whether the freedom grows without it.
    pub(crate) needed: Vec<bool>,
}

/// The elimination with the listed columns held fixed.
pub(crate) struct Elimination<'a> {
    shape: &'a R1cs,
    gradients: Vec<Vec<Entry>>,
    /// Row, column, and the inverse of the entry, in the order of settling.
    peeled: Vec<(usize, Column, Fr)>,
    /// Row operations on the core, in order: row r lost m times row i.
    operations: Vec<(usize, usize, Fr)>,
    /// Rows that the others imply.
    spare: Vec<usize>,
    /// Columns without a pivot.
    pub(crate) loose: Vec<Column>,
    /// Rows in the core.
    pub(crate) core: usize,
}

impl<'a> Elimination<'a> {
    pub(crate) fn new(shape: &'a R1cs, assignment: &Assignment) -> Self {
        let gradients: Vec<Vec<Entry>> = shape
            .rows
            .iter()
            .map(|row| gradient(row, assignment.values(), shape.instances))
            .collect();
        let columns = shape.instances + shape.witnesses;
        // Inputs and listed columns are known from the start.
        let mut open = vec![true; columns];
        open[..shape.instances].fill(false);
        for (column, _) in &shape.free {
            open[*column as usize] = false;
        }

        let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); columns];
        let mut unknowns = vec![0usize; gradients.len()];
        for (index, row) in gradients.iter().enumerate() {
            for (column, _) in row.iter().filter(|(column, _)| open[*column as usize]) {
                rows_of[*column as usize].push(index as u32);
                unknowns[index] += 1;
            }
        }
        let mut ready: VecDeque<usize> = (0..gradients.len())
            .filter(|row| unknowns[*row] == 1)
            .collect();
        let mut pivots: Vec<(usize, Column, Fr)> = Vec::new();
        let mut is_pivot = vec![false; gradients.len()];
        while let Some(row) = ready.pop_front() {
            let settles = gradients[row]
                .iter()
                .find(|(column, _)| open[*column as usize]);
            let Some((column, coefficient)) = settles.copied() else {
                continue;
            };
            open[column as usize] = false;
            is_pivot[row] = true;
            pivots.push((row, column, coefficient));
            for other in &rows_of[column as usize] {
                let other = *other as usize;
                unknowns[other] -= 1;
                if unknowns[other] == 1 {
                    ready.push_back(other);
                }
            }
        }
        let mut inverses: Vec<Fr> = pivots.iter().map(|(_, _, entry)| *entry).collect();
        batch_inversion(&mut inverses);
        let peeled = pivots
            .into_iter()
            .zip(inverses)
            .map(|((row, column, _), inverse)| (row, column, inverse))
            .collect();

        let mut spare: Vec<usize> = (0..gradients.len())
            .filter(|row| unknowns[*row] == 0 && !is_pivot[*row])
            .collect();
        let core: BTreeMap<usize, Vec<Entry>> = (0..gradients.len())
            .filter(|row| unknowns[*row] > 0)
            .map(|row| {
                let unknown = |entry: &&Entry| open[entry.0 as usize];
                (
                    row,
                    gradients[row].iter().filter(unknown).copied().collect(),
                )
            })
            .collect();
        let size = core.len();
        let mut operations = Vec::new();
        eliminate(core, &mut open, &mut operations, &mut spare);
        let loose = (0..columns as Column)
            .filter(|column| open[*column as usize])
            .collect();
        Self {
            shape,
            gradients,
            peeled,
            operations,
            spare,
            loose,
            core: size,
        }
    }

    /// The one combination of rows that has these factors on the spare rows and vanishes on every column that is not
    /// listed; and what it leaves of all columns.
    fn combine(&self, factors: &[Fr]) -> (Vec<Fr>, Vec<Fr>) {
        let mut lambda = vec![Fr::ZERO; self.gradients.len()];
        for (row, factor) in self.spare.iter().zip(factors) {
            lambda[*row] = *factor;
        }
        for (row, from, factor) in self.operations.iter().rev() {
            let share = *factor * lambda[*row];
            lambda[*from] -= share;
        }
        let mut left = vec![Fr::ZERO; self.shape.instances + self.shape.witnesses];
        let add = |left: &mut Vec<Fr>, row: usize, factor: Fr| {
            for (column, entry) in &self.gradients[row] {
                left[*column as usize] += *entry * factor;
            }
        };
        for (row, factor) in lambda.iter().enumerate().filter(|(_, f)| !f.is_zero()) {
            add(&mut left, row, *factor);
        }
        for (row, column, inverse) in self.peeled.iter().rev() {
            let entry = left[*column as usize];
            if !entry.is_zero() {
                lambda[*row] = -entry * inverse;
                add(&mut left, *row, lambda[*row]);
            }
        }
        (lambda, left)
    }

    /// Lets the listed columns move too.
    ///
    /// Each combination of spare rows that vanishes elsewhere leaves a row over the listed columns. A dependency of all rows
    /// is a combination of those that vanishes. Where there are more spare rows than listed columns, as many random
    /// combinations of them as there are columns, and one more, have the same rank and a random dependency.
    pub(crate) fn analyse(self, seed: u64) -> Analysis {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let listed: Vec<Column> = self.shape.free.iter().map(|(column, _)| *column).collect();
        let spare = self.spare.len();
        let few = spare.min(listed.len() + 1);
        let weights: Vec<Vec<Fr>> = (0..few)
            .map(|position| {
                if few == spare {
                    let mut unit = vec![Fr::ZERO; spare];
                    unit[position] = Fr::ONE;
                    unit
                } else {
                    (0..spare).map(|_| Fr::rand(&mut rng)).collect()
                }
            })
            .collect();
        let residues = weights
            .iter()
            .map(|factors| {
                let (_, left) = self.combine(factors);
                listed.iter().map(|column| left[*column as usize]).collect()
            })
            .collect();
        let reduced = Reduced::new(residues, listed.len());
        let mut factors = vec![Fr::ZERO; spare];
        for dependency in &reduced.dependencies {
            let share = Fr::rand(&mut rng);
            for (weight, row) in dependency.iter().zip(&weights) {
                for (factor, entry) in factors.iter_mut().zip(row) {
                    *factor += share * weight * entry;
                }
            }
        }
        let (lambda, left) = self.combine(&factors);
        assert!(
            left.iter().all(Zero::is_zero),
            "a dependency of all rows vanishes on all columns"
        );
        Analysis {
            freedom: self.loose.len() + listed.len() - reduced.rank,
            movable: reduced.movable.iter().map(|index| listed[*index]).collect(),
            needed: lambda.iter().map(Zero::is_zero).collect(),
            loose: self.loose,
        }
    }
}

/// d(a·b − c) at this assignment over the witnesses, by column, without zeros.
fn gradient(row: Row<'_>, values: &[Fr], instances: usize) -> Vec<Entry> {
    let (a, b) = (row.a.evaluate(values), row.b.evaluate(values));
    let mut entries: Vec<Entry> = Vec::with_capacity(row.a.len() + row.b.len() + row.c.len());
    for (terms, factor) in [(row.a, b), (row.b, a), (row.c, -Fr::ONE)] {
        if !factor.is_zero() {
            let witnesses = terms
                .iter()
                .filter(|(column, _)| *column as usize >= instances);
            entries.extend(witnesses.map(|(column, entry)| (column, entry * factor)));
        }
    }
    entries.sort_unstable_by_key(|(column, _)| *column);
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    entries.retain(|(_, entry)| !entry.is_zero());
    entries
}

/// Eliminates the core: the shortest row next, by the column of it that is in the fewest rows. Closes the columns that get a
/// pivot; rows that vanish are spare.
fn eliminate(
    mut rows: BTreeMap<usize, Vec<Entry>>,
    open: &mut [bool],
    operations: &mut Vec<(usize, usize, Fr)>,
    spare: &mut Vec<usize>,
) {
    let mut rows_of: BTreeMap<Column, BTreeSet<usize>> = BTreeMap::new();
    for (index, row) in &rows {
        for (column, _) in row {
            rows_of.entry(*column).or_default().insert(*index);
        }
    }
    let mut by_length: BTreeSet<(usize, usize)> = rows
        .iter()
        .map(|(index, row)| (row.len(), *index))
        .collect();
    while let Some((_, index)) = by_length.pop_first() {
        let pivot_row = rows.remove(&index).unwrap_or_default();
        let count = |column: &Column| rows_of.get(column).map_or(0, BTreeSet::len);
        let pivot = pivot_row.iter().min_by_key(|(column, _)| count(column));
        let Some((column, entry)) = pivot.copied() else {
            spare.push(index);
            continue;
        };
        open[column as usize] = false;
        let inverse = entry.inverse().unwrap_or_default();
        for (other, _) in &pivot_row {
            if let Some(rows) = rows_of.get_mut(other) {
                rows.remove(&index);
            }
        }
        for target in rows_of.remove(&column).unwrap_or_default() {
            let row = rows.entry(target).or_default();
            by_length.remove(&(row.len(), target));
            let held = row.iter().find(|(other, _)| *other == column);
            let factor = held.map_or(Fr::ZERO, |(_, entry)| *entry * inverse);
            operations.push((target, index, factor));
            let reduced = subtract(row, &pivot_row, factor, column);
            for (other, _) in &reduced {
                rows_of.entry(*other).or_default().insert(target);
            }
            for (other, _) in row.iter() {
                if reduced.binary_search_by_key(other, |(c, _)| *c).is_err()
                    && let Some(rows) = rows_of.get_mut(other)
                {
                    rows.remove(&target);
                }
            }
            by_length.insert((reduced.len(), target));
            *row = reduced;
        }
    }
}

/// row − factor·pivot, without the pivot's column, where they cancel.
fn subtract(row: &[Entry], pivot: &[Entry], factor: Fr, column: Column) -> Vec<Entry> {
    let mut sum = Vec::with_capacity(row.len() + pivot.len());
    let (mut left, mut right) = (row.iter().peekable(), pivot.iter().peekable());
    loop {
        let entry = match (left.peek(), right.peek()) {
            (Some((a, x)), Some((b, y))) if a == b => {
                let entry = (*a, *x - factor * y);
                left.next();
                right.next();
                entry
            }
            (Some(entry), Some((b, _))) if entry.0 < *b => {
                let entry = **entry;
                left.next();
                entry
            }
            (Some(entry), None) => {
                let entry = **entry;
                left.next();
                entry
            }
            (_, Some((b, y))) => {
                let entry = (*b, -factor * y);
                right.next();
                entry
            }
            (None, None) => break,
        };
        if entry.0 != column && !entry.1.is_zero() {
            sum.push(entry);
        }
    }
    sum
}

/// A small dense matrix in reduced echelon form.
struct Reduced {
    rank: usize,
    /// Basis of the left kernel.
    dependencies: Vec<Vec<Fr>>,
    /// Columns in the support of the right kernel.
    movable: Vec<usize>,
}

impl Reduced {
    fn new(mut matrix: Vec<Vec<Fr>>, columns: usize) -> Self {
        let height = matrix.len();
        for (position, row) in matrix.iter_mut().enumerate() {
            row.extend((0..height).map(|other| Fr::from(other == position)));
        }
        let mut pivots: Vec<usize> = Vec::new();
        for column in 0..columns {
            let rank = pivots.len();
            let Some(found) = (rank..height).find(|row| !matrix[*row][column].is_zero()) else {
                continue;
            };
            matrix.swap(rank, found);
            let inverse = matrix[rank][column].inverse().unwrap_or_default();
            matrix[rank].iter_mut().for_each(|entry| *entry *= inverse);
            let pivot = matrix[rank].clone();
            for (_, row) in matrix
                .iter_mut()
                .enumerate()
                .filter(|(row, _)| *row != rank)
            {
                let factor = row[column];
                if !factor.is_zero() {
                    for (entry, from) in row.iter_mut().zip(&pivot) {
                        *entry -= factor * from;
                    }
                }
            }
            pivots.push(column);
        }
        let is_free = |column: usize| !pivots.contains(&column);
        // A pivot's column moves if a free one moves it.
        let movable = (0..columns)
            .filter(
                |column| match pivots.iter().position(|pivot| pivot == column) {
                    None => true,
                    Some(row) => (0..columns).any(|c| is_free(c) && !matrix[row][c].is_zero()),
                },
            )
            .collect();
        Self {
            rank: pivots.len(),
            dependencies: matrix
                .drain(pivots.len()..)
                .map(|row| row[columns..].to_vec())
                .collect(),
            movable,
        }
    }
}
