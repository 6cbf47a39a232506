//! "An issuer signed a credential whose vector is x": one relation per credential format.

pub mod native;
mod x509;
pub mod x509_rsa;
