//! What JavaScript sees. Every refusal is thrown as an `Error` with [`Refusal`]'s text; times are Unix seconds as `bigint`.
//! Proving blocks its thread for seconds: call it in a Web Worker.

use std::rc::Rc;

use bauta_statement::field;
use data_encoding::HEXLOWER;
use wasm_bindgen::prelude::*;

use crate::holder;
use crate::policy::{Files, PolicyInForce};

/// A policy in its epoch.
#[wasm_bindgen]
pub struct Policy(PolicyInForce);

#[wasm_bindgen]
impl Policy {
    /// Reads an epoch's entry and the files that it names: the signed notes of authority, parameters and policy, the
    /// accepted origins (32 bytes each), and the revoked handles in the order of their insertion. That the entry is in the
    /// log is for the caller to check.
    #[wasm_bindgen(constructor)]
    pub fn new(
        entry: &[u8],
        authority: &[u8],
        parameters: &[u8],
        policy: &[u8],
        origins: &[u8],
        revoked: &[u64],
        now: u64,
    ) -> Result<Policy, JsError> {
        let files = Files {
            entry,
            authority,
            parameters,
            policy,
            origins,
            revoked,
        };
        Ok(Self(PolicyInForce::open(files, now)?))
    }

    /// The policy's name.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.policy().name.clone()
    }

    /// The policy as JSON: for a page that asks for consent.
    #[wasm_bindgen(getter)]
    pub fn json(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(self.0.policy())?)
    }

    /// The second at which the epoch, and so what is proved for it, ends.
    #[wasm_bindgen(getter)]
    pub fn ends(&self) -> u64 {
        self.0.ends()
    }
}

/// Proving keys, as far as they were added.
#[wasm_bindgen]
#[derive(Default)]
pub struct ProvingKeys(holder::ProvingKeys);

#[wasm_bindgen]
impl ProvingKeys {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> ProvingKeys {
        Self::default()
    }

    /// Adds the parameter set of a relation (`possession-native`, `policy`, `nullifier`) from its folder's three files:
    /// `manifest.json`, `verifying-key.bin`, `proving-key.bin`.
    pub fn add(
        &mut self,
        relation: &str,
        manifest: &[u8],
        verifying_key: &[u8],
        proving_key: &[u8],
    ) -> Result<(), JsError> {
        Ok(self.0.add(relation, manifest, verifying_key, proving_key)?)
    }
}

/// Verifying keys, ready to show with.
#[wasm_bindgen]
pub struct ShowingKeys(Rc<holder::ShowingKeys>);

#[wasm_bindgen]
impl ShowingKeys {
    /// From the three `verifying-key.bin`. With tables a show takes a quarter of the time or less; making them takes as long
    /// as some ten shows without.
    #[wasm_bindgen(constructor)]
    pub fn new(
        possession: &[u8],
        policy: &[u8],
        nullifier: &[u8],
        tables: bool,
    ) -> Result<ShowingKeys, JsError> {
        let keys = holder::ShowingKeys::new(possession, policy, nullifier, tables)?;
        Ok(Self(Rc::new(keys)))
    }
}

/// A credential, and the proofs made with it.
#[wasm_bindgen]
pub struct Holder(holder::Holder);

#[wasm_bindgen]
impl Holder {
    /// Opens the wallet's bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(stored: &[u8]) -> Result<Holder, JsError> {
        Ok(Self(holder::Holder::open(stored)?))
    }

    /// The wallet's bytes, with the proofs made since. They hold the holder secret: seal them at rest.
    pub fn stored(&self) -> Vec<u8> {
        self.0.stored().to_vec()
    }

    /// Proves possession: once per credential.
    #[wasm_bindgen(js_name = provePossession)]
    pub fn prove_possession(
        &mut self,
        keys: &ProvingKeys,
        policy: &Policy,
        now: u64,
    ) -> Result<(), JsError> {
        Ok(self.0.prove_possession(&keys.0, &policy.0, now)?)
    }

    /// Proves that the policy is satisfied: once per policy and epoch.
    #[wasm_bindgen(js_name = provePolicy)]
    pub fn prove_policy(
        &mut self,
        keys: &ProvingKeys,
        policy: &Policy,
        now: u64,
    ) -> Result<(), JsError> {
        Ok(self.0.prove_policy(&keys.0, &policy.0, now)?)
    }

    /// Proves one use of the policy's scope; never give a counter twice in a period with another key.
    #[wasm_bindgen(js_name = proveUse)]
    pub fn prove_use(
        &mut self,
        keys: &ProvingKeys,
        policy: &Policy,
        counter: u32,
        now: u64,
    ) -> Result<(), JsError> {
        Ok(self.0.prove_use(&keys.0, &policy.0, counter, now)?)
    }

    /// Puts the proofs together to be shown; with a counter if and only if the policy has a scope.
    pub fn ready(
        &self,
        keys: &ShowingKeys,
        policy: &Policy,
        counter: Option<u32>,
        now: u64,
    ) -> Result<Ready, JsError> {
        Ok(Ready(self.0.ready(&keys.0, &policy.0, counter, now)?))
    }
}

/// Proofs ready to be shown.
#[wasm_bindgen]
pub struct Ready(holder::Ready);

#[wasm_bindgen]
impl Ready {
    /// Shows for the service's challenge and the key to be certified (SubjectPublicKeyInfo in DER, as WebCrypto exports
    /// `spki`). Fresh randomness each time: make one when it is asked for.
    pub fn show(&self, challenge: &[u8], spki: &[u8], now: u64) -> Result<Shown, JsError> {
        Ok(Shown(self.0.show(challenge, spki, now)?))
    }

    /// The nullifier that a show carries, in hexadecimal.
    #[wasm_bindgen(getter)]
    pub fn nullifier(&self) -> Option<String> {
        self.0
            .nullifier()
            .map(|public| HEXLOWER.encode(&field::to_bytes(&public.nullifier)))
    }
}

/// A presentation, and what it discloses.
#[wasm_bindgen]
pub struct Shown(holder::Shown);

#[wasm_bindgen]
impl Shown {
    /// The presentation's bytes.
    #[wasm_bindgen(getter)]
    pub fn presentation(&self) -> Vec<u8> {
        self.0.presentation.clone()
    }

    /// The openings, in JSON as `POST /v1/certificates` takes them.
    #[wasm_bindgen(getter)]
    pub fn openings(&self) -> Result<String, JsError> {
        Ok(self.0.openings_json()?)
    }
}
