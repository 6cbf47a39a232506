//! Skeleton of verifying_key.
