//! Which token, as the operator writes it: `"token": {…}` in the configuration, the same words on the command line.

use std::{collections::BTreeMap, fmt, path::Path, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::error::{Answer, Failure, fail};

/// A token, in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Path of the vendor's PKCS#11 module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<PathBuf>,
    /// The token: its label, or `serial:` and its serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<SlotName>,
    /// File (mode 600 or 400, this user's own) whose first line is the user's PIN. Without it, the systemd credential `token-pin`;
    /// without that, the terminal is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_file: Option<PathBuf>,
    /// Variables that the module alone gets, as vendors ask for: `SOFTHSM2_CONF`, `KRYOPTIC_CONF`, `ChrystokiConfigurationPath`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Instead of all of these: the socket of `bauta-signer token share`, which holds the token for several signers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<PathBuf>,
}

/// A token's name: what stands on it, or its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SlotName {
    /// CKA_LABEL of the token.
    Label(String),
    /// Its serial number.
    Serial(String),
}

impl FromStr for SlotName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest): (fn(String) -> Self, &str) = match text.split_once(':') {
            Some(("serial", rest)) => (Self::Serial, rest),
            Some(("label", rest)) => (Self::Label, rest),
            _ => (Self::Label, text),
        };
        if rest.is_empty() {
            return Err("a token is named by its label, or by serial:NUMBER".to_owned());
        }
        Ok(name(rest.to_owned()))
    }
}

impl TryFrom<String> for SlotName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial:{serial}"),
            // A label that looks like a number, or has a prefix, keeps its own.
            Self::Label(label) if label.starts_with("serial:") || label.starts_with("label:") => {
                write!(f, "label:{label}")
            }
            Self::Label(label) => f.write_str(label),
        }
    }
}

impl From<SlotName> for String {
    fn from(name: SlotName) -> Self {
        name.to_string()
    }
}

/// A [`TokenConfig`] that holds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A module process of this program's own.
    Own {
        module: PathBuf,
        slot: Option<SlotName>,
        environment: BTreeMap<String, String>,
    },
    /// Another program's, through its socket.
    Shared(PathBuf),
}

impl TokenConfig {
    /// Resolves paths against the folder that the configuration lies in.
    pub(crate) fn relative_to(&mut self, folder: &Path) {
        for path in [&mut self.module, &mut self.pin_file, &mut self.shared]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
    }

    pub(super) fn access(&self) -> Answer<Access> {
        match (&self.shared, &self.module) {
            (Some(socket), None) if self.slot.is_none() && self.pin_file.is_none() => {
                Ok(Access::Shared(socket.clone()))
            }
            (None, Some(module)) => Ok(Access::Own {
                // The loader looks elsewhere for a name without a slash.
                module: std::path::absolute(module).unwrap_or_else(|_| module.clone()),
                slot: self.slot.clone(),
                environment: self.environment.clone(),
            }),
            (Some(_), _) => fail(
                Failure::Setup,
                "`shared` stands alone: module, slot and PIN are those of the program that shares the token",
            ),
            (None, None) => fail(
                Failure::Setup,
                "name the vendor's PKCS#11 module (`module`) and the token (`slot`), or the socket of a shared one (`shared`)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_label_or_a_serial_number_and_comes_back() {
        for text in ["bauta 1", "serial:948dc4dc31489869", "label:serial:7"] {
            let name: SlotName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        assert_eq!(
            "label:serial:7".parse(),
            Ok(SlotName::Label("serial:7".into()))
        );
        for text in ["", "serial:", "label:"] {
            assert!(text.parse::<SlotName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn half_a_configuration_and_a_contradiction_are_refused() {
        let parse = |text: &str| serde_json::from_str::<TokenConfig>(text);
        let access = |text: &str| parse(text).unwrap().access();
        assert!(access("{}").is_err());
        assert!(access(r#"{"slot": "one"}"#).is_err());
        assert!(access(r#"{"module": "/m.so", "shared": "/s"}"#).is_err());
        assert!(access(r#"{"shared": "/s", "pin_file": "/p"}"#).is_err());
        assert!(access(r#"{"shared": "/s"}"#).is_ok());
        assert!(access(r#"{"module": "/m.so", "slot": "one"}"#).is_ok());
        // A PIN in the configuration is no configuration.
        assert!(parse(r#"{"module": "/m.so", "slot": "one", "pin": "1234"}"#).is_err());
    }
}
