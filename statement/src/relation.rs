//! Skeleton of relation.
