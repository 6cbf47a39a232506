//! Skeleton of vector.
