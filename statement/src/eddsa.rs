//! Skeleton of eddsa.
