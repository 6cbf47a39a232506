//! "An issuer signed a credential whose vector is x": one relation per credential format.

pub mod native;
