//! The machine's clock, read in one place; the libraries are given `now`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Unix seconds.
pub(crate) fn now() -> u64 {
    since_epoch().as_secs()
}

/// Unix milliseconds.
pub(crate) fn now_milliseconds() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}
