//! Scopes: within what a holder is counted. A scope is computed by everyone alike and never sent (DESIGN 3.1), so that no
//! service can give each holder a scope of their own.

use crate::field::Fr;
use crate::poseidon;

/// The longest period of a scope, in seconds: 366 days, since nullifiers are carried over for a year.
pub const LONGEST_PERIOD: u64 = 366 * 86_400;

/// The start of the period that a time is in: periods are counted from the Unix epoch. A period of 0, which
/// [`crate::policy::Policy::check`] refuses, has every time for its start.
pub fn period_start(time: u64, period_seconds: u64) -> u64 {
    time - time.checked_rem(period_seconds).unwrap_or(0)
}

/// The scope: hash of trust domain, scope name and start of the period, the first two with their lengths.
pub fn scope(trust_domain: &str, name: &str, period_start: u64) -> Fr {
    let mut bytes = Vec::with_capacity(24 + trust_domain.len() + name.len());
    for text in [trust_domain, name] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&period_start.to_be_bytes());
    poseidon::hash_bytes("bauta/v1/scope", &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_starts_at_a_multiple_of_its_length() {
        assert_eq!(period_start(0, 86_400), 0);
        assert_eq!(period_start(86_399, 86_400), 0);
        assert_eq!(period_start(86_400, 86_400), 86_400);
        assert_eq!(period_start(u64::MAX, 86_400) % 86_400, 0);
        assert_eq!(period_start(7, 0), 7);
    }

    #[test]
    fn each_part_matters_and_its_length_too() {
        let day = scope("example.org", "keys", 86_400);
        assert_eq!(day, scope("example.org", "keys", 86_400));
        for other in [
            scope("example.com", "keys", 86_400),
            scope("example.org", "key", 86_400),
            scope("example.org", "keys", 0),
            scope("example.orgk", "eys", 86_400),
        ] {
            assert_ne!(other, day);
        }
    }
}
