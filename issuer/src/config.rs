//! The desk's configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One day, to which the desk rounds every start: a finer time would tell holders apart.
pub const DAY: u64 = 86_400;

/// What a desk needs to run. Paths are as the process sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The issuer's name in the issuer sets that name it.
    pub name: String,
    /// The trust domain whose administrators accept it.
    pub trust_domain: String,
    /// Where the desk's process listens; whoever calls [`crate::run`] binds it.
    pub listen: SocketAddr,
    /// Folder of the database and of the issuer's keys (mode 700; made if missing).
    pub folder: PathBuf,
    /// The schema: a signed file, or its JSON body alone.
    pub schema: PathBuf,
    /// The organisation's CAs whose client certificates are accepted (PEM, one or more).
    pub client_authorities: PathBuf,
    /// The desk's own TLS certificate chain (PEM).
    pub tls_certificate: PathBuf,
    /// And its key (PEM).
    pub tls_key: PathBuf,
    /// The longest that a credential lasts.
    #[serde(default = "Config::default_maximum_lifetime")]
    pub maximum_lifetime_seconds: u64,
    /// The scope periods of all policies that accept this issuer: a reset starts when the last of those now open has ended.
    #[serde(default = "Config::default_scope_periods")]
    pub scope_periods_seconds: Vec<u64>,
    /// The longest that a revoked credential may still be used: lead, epoch and certificate lifetime together.
    #[serde(default = "Config::default_revocation_delay")]
    pub revocation_delay_seconds: u64,
    /// How long a revocation list counts; it is signed anew at half of it.
    #[serde(default = "Config::default_list_lifetime")]
    pub revocation_list_lifetime_seconds: u64,
}

/// What is wrong in a configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// An empty name or trust domain.
    #[error("`{0}` is empty: give it the value that the issuer set has")]
    Empty(&'static str),
    /// A lifetime of nothing, or beyond reason.
    #[error("`{field}` is {value}: choose a value from {low} to {high} seconds")]
    Range {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
}

impl Config {
    fn default_maximum_lifetime() -> u64 {
        366 * DAY
    }

    fn default_scope_periods() -> Vec<u64> {
        vec![DAY]
    }

    fn default_revocation_delay() -> u64 {
        3 * 3_600
    }

    fn default_list_lifetime() -> u64 {
        7 * DAY
    }

    /// Checks what can be checked without opening a file.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() {
            return Err(ConfigError::Empty("name"));
        }
        if self.trust_domain.is_empty() {
            return Err(ConfigError::Empty("trust_domain"));
        }
        let range = |field, value, low, high| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::Range {
                    field,
                    value,
                    low,
                    high,
                })
            }
        };
        range(
            "maximum_lifetime_seconds",
            self.maximum_lifetime_seconds,
            DAY,
            3_660 * DAY,
        )?;
        for period in &self.scope_periods_seconds {
            range("scope_periods_seconds", *period, 1, 366 * DAY)?;
        }
        range(
            "revocation_delay_seconds",
            self.revocation_delay_seconds,
            0,
            7 * DAY,
        )?;
        range(
            "revocation_list_lifetime_seconds",
            self.revocation_list_lifetime_seconds,
            3_600,
            366 * DAY,
        )
    }

    /// When a credential after a reset at `now` may start: once every scope that the old one could still be used in has
    /// ended, rounded up to a day. Periods are counted from the Unix epoch.
    pub fn start_after_reset(&self, now: u64) -> u64 {
        let last_use = now.saturating_add(self.revocation_delay_seconds);
        let end = self
            .scope_periods_seconds
            .iter()
            .map(|period| (last_use / period + 1).saturating_mul(*period))
            .max()
            .unwrap_or(last_use);
        end.div_ceil(DAY).saturating_mul(DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        serde_json::from_value(serde_json::json!({
            "name": "acme", "trust_domain": "example.org", "listen": "127.0.0.1:0", "folder": "d", "schema": "s", "client_authorities": "c",
            "tls_certificate": "t", "tls_key": "k",
        }))
        .unwrap()
    }

    #[test]
    fn reset_waits_for_the_longest_open_scope() {
        let mut c = config();
        let day = 20_000 * DAY;
        // Mid-day: the day's scope ends at midnight.
        assert_eq!(c.start_after_reset(day + 40_000), day + DAY);
        // An hour before midnight, the old credential may still be shown after it: one day more.
        assert_eq!(c.start_after_reset(day + DAY - 3_600), day + 2 * DAY);
        c.scope_periods_seconds = vec![3_600, 7 * DAY];
        assert_eq!(c.start_after_reset(day + 40_000) % (7 * DAY), 0);
        // Rounded up even where periods end within a day.
        c.scope_periods_seconds = vec![3_600];
        assert_eq!(c.start_after_reset(day + 1), day + DAY);
    }

    #[test]
    fn bad_settings_are_named() {
        let mut c = config();
        assert_eq!(c.check(), Ok(()));
        c.maximum_lifetime_seconds = 1;
        assert!(
            c.check()
                .unwrap_err()
                .to_string()
                .contains("maximum_lifetime_seconds")
        );
        c = config();
        c.scope_periods_seconds = vec![0];
        assert!(
            c.check()
                .unwrap_err()
                .to_string()
                .contains("scope_periods_seconds")
        );
        c = config();
        c.name.clear();
        assert_eq!(c.check(), Err(ConfigError::Empty("name")));
    }
}
