//! Skeleton of credential.
