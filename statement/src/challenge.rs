//! Skeleton of challenge.
