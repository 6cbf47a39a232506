//! How values stand in JSON bodies and headers: times as RFC 3339 in UTC, bytes as lower-case hex, names.
use der::DateTime;

/// Why a written value is not one.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum TextError {
    /// No time of the one form.
    #[error("{0:?} is no time of the form 2026-11-22T00:00:00Z")]
    Time(String),
    /// Not lower-case hex of the right length.
    #[error("expected lower-case hex of the right length")]
    Hex,
}

/// Unix seconds of `YYYY-MM-DDTHH:MM:SSZ`, the one accepted form.
///
/// # Errors
/// [`TextError::Time`].
pub fn parse_time(text: &str) -> Result<u64, TextError> {
    let bad = || TextError::Time(text.to_owned());
    let time: DateTime = text.parse().map_err(|_| bad())?;
    let seconds = time.unix_duration().as_secs();
    // One encoding per value: what does not print the same again is refused.
    if format_time(seconds)? != text {
        return Err(bad());
    }
    Ok(seconds)
}

/// `YYYY-MM-DDTHH:MM:SSZ` of Unix seconds.
///
/// # Errors
/// [`TextError::Time`] beyond the year 9999.
pub fn format_time(seconds: u64) -> Result<String, TextError> {
    DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))
        .map(|time| time.to_string())
        .map_err(|_| TextError::Time(seconds.to_string()))
}

/// Whether `name` may name a file, a policy, an issuer or a signer: `[a-zA-Z0-9._-]{1,64}`, neither `.` nor `..`.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether `domain` may be a SPIFFE trust domain: `[a-z0-9._-]{1,255}`.
pub fn is_trust_domain(domain: &str) -> bool {
    (1..=255).contains(&domain.len())
        && domain.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
        })
}

/// Lower-case hex of exactly N bytes.
///
/// # Errors
/// [`TextError::Hex`].
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], TextError> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(TextError::Hex)
}

/// `#[serde(with = "time")]`: Unix seconds as RFC 3339.
pub mod time {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    /// Writes the time.
    ///
    /// # Errors
    /// Beyond the year 9999.
    pub fn serialize<S: Serializer>(seconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_time(*seconds).map_err(ser::Error::custom)?)
    }

    /// Reads the time.
    ///
    /// # Errors
    /// Any other form.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        super::parse_time(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `#[serde(with = "hex")]`: a byte array as lower-case hex.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the bytes.
    ///
    /// # Errors
    /// Only the serializer's.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Any other form or length.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        super::parse_hex(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(1));
        assert_eq!(format_time(1_795_305_600).unwrap(), "2026-11-22T00:00:00Z");
        for bad in [
            "2026-11-22T00:00:00",
            "2026-11-22 00:00:00Z",
            "2026-11-22T00:00:00.0Z",
            "2026-11-22T00:00:00+00:00",
            "2026-02-30T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "",
        ] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_plain() {
        for good in ["a", "example-1.2_x", "..."] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_trust_domain("example.org"));
        assert!(!is_trust_domain("Example.org"));
        assert!(!is_trust_domain(""));
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(parse_hex::<2>("00ff"), Ok([0, 255]));
        assert!(parse_hex::<2>("00FF").is_err());
        assert!(parse_hex::<2>("00").is_err());
    }
}
