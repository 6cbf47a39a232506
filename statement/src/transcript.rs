//! Skeleton of transcript.
