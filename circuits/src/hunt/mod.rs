//! Under-constraint, hunted by machine (DESIGN 3.3), in every relation that is registered (`relation.rs`) and every gadget
//! (`gadgets.rs`): nothing else names what is hunted in.
//!
//! - *Rank* (`jacobian.rs`), at many random witnesses: nothing can move but what the relation lists as free, with its reason;
//!   each listed column can; and in how many ways all together can is pinned in `golden.txt`.
//! - *Deletion*: each row is in no linear dependency of rows at some witness (so that without it there is one way more to
//!   move, and the pinned number is another), or it is the only one that refuses some named forgery, or it is excused: a gadget
//!   alone shows what the whole relation cannot, or it is one of a smaller gadget's (`copies.rs`). All are counted in `golden.txt`.
//! - *Mutation* (`mutation.rs`): 10^5 changes of satisfied assignments for each relation.
//!
//! Rank and mutation do not see the discrete alternatives: `counterfactual/` tries those.

mod case;
mod copies;
mod deletion;
mod gadgets;
mod jacobian;
mod mutation;
mod native;
mod nullifier;
mod policy;
mod probe;
mod rank;
pub(crate) mod samples;
mod tests;

pub(crate) use case::Case;
pub(crate) use deletion::{Findings, gadget_findings, relation_findings};
pub(crate) use jacobian::Elimination;
pub(crate) use rank::{
    assert_determined, assert_rigid, assert_rigid_at, dispensable, undetermined,
};
