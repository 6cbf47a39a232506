//! `bauta-signer token check`: what tokens are there, what they can do, and what a signer would use of it.

use bauta_signer_protocol::messages::Bytes;
use cryptoki::{
    context::Pkcs11,
    mechanism::MechanismType,
    slot::{Slot, TokenInfo},
};
use serde::{Deserialize, Serialize};

use super::{
    error::{Answer, Failure, TokenError, refused},
    keys::Plan,
    module::PinState,
};

/// A module and the tokens that are plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The module's vendor.
    pub manufacturer: String,
    /// What the module says it is.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Initialised tokens.
    pub tokens: Vec<TokenReport>,
}

/// What one token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReport {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its vendor.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Version of its hardware.
    pub hardware: String,
    /// What keeps a signer from logging in, in words; empty if nothing does.
    pub pin: Vec<String>,
    /// The mechanisms it lists, by their names in the standard.
    pub mechanisms: Vec<String>,
}

/// What came of making and using a kind of key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It works, and the key is held as it was asked to be, with what the token knows less of.
    Works {
        /// What it knows less of.
        notes: Vec<String>,
    },
    /// It does not.
    Fails {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    pub(super) fn works(&self) -> bool {
        matches!(self, Self::Works { .. })
    }
}

/// What came of each kind of key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Sealing by AES-256-GCM.
    pub aes_gcm: Outcome,
    /// Sealing by P-256 ECDH.
    pub ecdh: Outcome,
    /// EdDSA.
    pub ed25519: Outcome,
    /// ECDSA P-256.
    pub p256: Outcome,
}

/// The whole report on one token.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The module, with the one token.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// What was tried; nothing without a PIN.
    pub probe: Option<Probe>,
    /// What a signer's keys would be, if anything was tried and the token is good enough.
    pub plan: Option<Plan>,
    /// What is missing, with its remedy.
    pub remedies: Vec<String>,
    /// Whether a signer can use this token.
    pub usable: Option<bool>,
}

impl Report {
    /// Draws the conclusions.
    pub fn new(tokens: Tokens, probe: Option<Probe>) -> Self {
        let mut remedies = Vec::new();
        let plan = probe.as_ref().map(Plan::of);
        if let Some(probe) = &probe {
            remedies = missing(probe);
        }
        let (plan, usable) = match plan {
            None => (None, None),
            Some(Ok(plan)) => (Some(plan), Some(true)),
            Some(Err(error)) => {
                remedies.push(error.to_string());
                (None, Some(false))
            }
        };
        Self {
            tokens,
            probe,
            plan,
            remedies,
            usable,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "module    {} ({}), version {}",
            self.tokens.description, self.tokens.manufacturer, self.tokens.version
        )];
        for token in &self.tokens.tokens {
            lines.push(format!(
                "token     {:?}, serial:{}, {} {}, firmware {}, hardware {}",
                token.label,
                token.serial,
                token.manufacturer,
                token.model,
                token.firmware,
                token.hardware
            ));
            lines.push(format!("lists     {}", token.mechanisms.join(" ")));
            lines.extend(token.pin.iter().map(|reason| format!("PIN       {reason}")));
        }
        if self.tokens.tokens.is_empty() {
            lines.push(
                "token     none: plug one in, or initialise one with the vendor's tool".into(),
            );
        }
        if let Some(probe) = &self.probe {
            for (what, outcome) in [
                ("AES-256-GCM", &probe.aes_gcm),
                ("ECDH P-256", &probe.ecdh),
                ("EdDSA", &probe.ed25519),
                ("ECDSA P-256", &probe.p256),
            ] {
                lines.push(match outcome {
                    Outcome::Works { notes } if notes.is_empty() => {
                        format!("tried     {what}: works")
                    }
                    Outcome::Works { notes } => {
                        format!("tried     {what}: works; {}", notes.join("; "))
                    }
                    Outcome::Fails { reason } => format!("tried     {what}: no ({reason})"),
                });
            }
        }
        if let Some(plan) = &self.plan {
            lines.extend(
                plan.lines()
                    .into_iter()
                    .map(|line| format!("use       {line}")),
            );
        }
        lines.extend(self.remedies.iter().map(|line| format!("remedy    {line}")));
        lines.push(match self.usable {
            Some(true) => "a signer can use this token".into(),
            Some(false) => "a signer cannot use this token".into(),
            None => {
                "nothing was tried: name a token by --slot and its PIN by --pin-file or --ask-pin to try"
                    .into()
            }
        });
        lines.join("\n")
    }
}

/// What a token lacks, and what to do about it.
fn missing(probe: &Probe) -> Vec<String> {
    let mut remedies = Vec::new();
    if !probe.aes_gcm.works() && probe.ecdh.works() {
        remedies.push(
            "without AES-GCM the data key is sealed by ECDH, HKDF and AES-GCM outside the token: nothing to do"
                .to_owned(),
        );
    }
    if !probe.ed25519.works() {
        remedies.push(
            "without EdDSA the cosignature and approval keys are sealed like the share, and in memory while the signer runs; newer firmware may have CKM_EDDSA"
                .to_owned(),
        );
    }
    remedies
}

/// The initialised tokens that are plugged in.
pub(super) fn present(library: &Pkcs11) -> Answer<Vec<(Slot, TokenInfo)>> {
    let slots = library
        .get_slots_with_token()
        .map_err(|error| refused("listing tokens", &error))?;
    Ok(slots
        .into_iter()
        // One that is being pulled out, or is damaged, does not hide the others.
        .filter_map(|slot| Some((slot, library.get_token_info(slot).ok()?)))
        .filter(|(_, token)| token.token_initialized())
        .collect())
}

/// [`Tokens`] as JSON.
pub(super) fn tokens(library: &Pkcs11) -> Answer<Bytes> {
    let info = library
        .get_library_info()
        .map_err(|error| refused("saying what it is", &error))?;
    let mut tokens = Vec::new();
    for (slot, token) in present(library)? {
        let mechanisms = library.get_mechanism_list(slot).unwrap_or_default();
        tokens.push(TokenReport {
            label: token.label().trim().to_owned(),
            serial: token.serial_number().trim().to_owned(),
            manufacturer: token.manufacturer_id().trim().to_owned(),
            model: token.model().trim().to_owned(),
            firmware: token.firmware_version().to_string(),
            hardware: token.hardware_version().to_string(),
            pin: in_words(PinState::from(&token)),
            mechanisms: mechanisms.iter().map(MechanismType::to_string).collect(),
        });
    }
    let tokens = Tokens {
        manufacturer: info.manufacturer_id().trim().to_owned(),
        description: info.library_description().trim().to_owned(),
        version: info.library_version().to_string(),
        tokens,
    };
    serde_json::to_vec(&tokens)
        .map(Bytes::from)
        .map_err(|error| TokenError::new(Failure::Process, error.to_string()))
}

fn in_words(pin: PinState) -> Vec<String> {
    [
        (pin.locked, "is locked"),
        (pin.final_try, "has one try left"),
        (pin.failed_before, "failed since the last login"),
        (pin.to_be_changed, "must be changed"),
        (pin.unset, "is not set"),
        (pin.not_asked_for, "is not asked for"),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, words)| words.to_owned())
    .collect()
}
