//! Skeleton of csr.
