//! Dishonest provers.
mod rows;
