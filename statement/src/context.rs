//! Skeleton of context.
