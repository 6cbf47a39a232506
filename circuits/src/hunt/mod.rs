//! Under-constraint, hunted by machine (DESIGN 3.3), in every gadget and every relation that is registered.

mod rank;

pub(crate) use rank::{assert_determined, assert_rigid, dispensable, undetermined};
