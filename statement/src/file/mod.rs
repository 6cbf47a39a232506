//! Skeleton of file.
