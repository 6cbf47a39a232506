//! Skeleton of epoch.
