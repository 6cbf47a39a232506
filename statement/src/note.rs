//! Skeleton of note.
