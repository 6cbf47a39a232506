//! Skeleton of babyjubjub.
