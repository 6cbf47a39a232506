//! Nodes and coordinator on a simulated network: what they refuse, what they survive, and what misbehaving ones of
//! them cannot do. Every run is seeded; a run that once failed stays as a test by its seed.

mod approvals;
mod attended;
mod boots;
mod byzantine;
mod change;
mod cosignatures;
mod kept;
mod ledger;
mod network;
mod resharing;
mod shares;
mod toy;
mod world;
