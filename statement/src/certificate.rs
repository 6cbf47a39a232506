//! Skeleton of certificate.
