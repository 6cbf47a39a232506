//! Nothing: this package is a list of what `cargo xtask kryoptic` builds.
