//! Skeleton of schema.
