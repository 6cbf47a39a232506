//! Skeleton of presentation.
