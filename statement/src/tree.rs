//! Skeleton of tree.
