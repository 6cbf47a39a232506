//! Skeleton of scope.
