//! Skeleton of policy.
