//! Skeleton of poseidon.
