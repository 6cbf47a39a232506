//! Skeleton of field.
