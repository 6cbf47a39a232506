//! Skeleton of entry.
