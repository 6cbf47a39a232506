//! Distributed key generation, one node's side: Pedersen's protocol as frost-core has it, and around it what it
//! leaves to us.
//!
//! - The messages travel through the coordinator, who may alter, drop, replay and mix them. Each is signed by its
//!   sender's approval key over the run's name, and a share is sealed (HPKE, RFC 9180: X25519, HKDF-SHA-256,
//!   ChaCha20-Poly1305) to a key that its receiver made for this run and signed in round 1, so that an approval key
//!   stolen later opens nothing.
//! - **Echo.** frost-core does not notice a participant who sends each node another round 1. Every node signs, with its
//!   round 2, a hash of all round-1 messages that it saw, and nobody goes on unless all n hashes are one.
//! - **Agreement.** A node signs the next authority file, which names the group key and every verifying share, after
//!   its share is durable. The file counts with all n signatures, so the key exists for the log only when every
//!   participant holds its share of it.

use std::collections::{BTreeMap, BTreeSet};

use frost_ed25519::{self as frost, keys::dkg};
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tls_codec::Serialize as _;
use zeroize::Zeroizing;

use crate::{
    keys::{Ed25519Key, KeyError, KeyShare, PublicShares, identifier, verify_ed25519},
    messages::{Bytes, Digest, DkgRound1, DkgRound2, DkgRun, SealedPackage},
};

const ROUND_1: &str = "bauta/v1/dkg-round-1";
const ROUND_2: &str = "bauta/v1/dkg-round-2";
const ECHO: &str = "bauta/v1/dkg-echo";
const SEAL: &str = "bauta/v1/dkg-seal";

type SealingKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;
type SealingPublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// Why a run stops here. Nothing that it made so far is used again; the coordinator may start another.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DkgError {
    /// This message belongs to another stage.
    #[error("a key-generation message out of turn: start the run anew")]
    OutOfTurn,
    /// Not exactly one message from each participant.
    #[error("not exactly one message from each participant of the logged file")]
    Participants,
    /// A message that its sender did not sign, or for another run.
    #[error("{0}'s message does not bear its approval key's signature for this run")]
    Signature(String),
    /// Somebody saw another round 1 than this node.
    #[error(
        "{0} saw other round-1 messages than this node: a participant equivocated; compare the nodes' logs"
    )]
    Equivocation(String),
    /// A participant's proof, commitment or share is wrong.
    #[error("{name} misbehaved in key generation: {what}")]
    Cheater {
        /// Who.
        name: String,
        /// How.
        what: String,
    },
    /// The run's parameters do not fit.
    #[error("key generation: {0}")]
    Frost(String),
    /// This node's approval key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn other(error: impl core::fmt::Display) -> DkgError {
    DkgError::Frost(error.to_string())
}

/// Who takes part, as the logged key-generation file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participants {
    /// All participants; their FROST identifiers run from 1.
    pub list: Vec<Participant>,
    /// Signature threshold t.
    pub threshold: u16,
}

/// One participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// FROST identifier, from 1.
    pub identifier: u16,
    /// The signer's name.
    pub name: String,
    /// Its Ed25519 approval key.
    pub approval_key: [u8; 32],
}

impl Participants {
    fn count(&self) -> Result<u16, DkgError> {
        u16::try_from(self.list.len()).map_err(other)
    }

    fn get(&self, name: &str) -> Result<&Participant, DkgError> {
        self.list
            .iter()
            .find(|participant| participant.name == name)
            .ok_or(DkgError::Participants)
    }

    fn identifier(&self, name: &str) -> Result<frost::Identifier, DkgError> {
        identifier(self.get(name)?.identifier).map_err(other)
    }

    /// The name whose identifier this is.
    fn name(&self, id: &frost::Identifier) -> String {
        self.list
            .iter()
            .find(|participant| identifier(participant.identifier).is_ok_and(|own| own == *id))
            .map(|participant| participant.name.clone())
            .unwrap_or_default()
    }

    /// Names the culprit that frost-core found.
    fn blame(&self, error: &frost::Error) -> DkgError {
        match error.culprits().first() {
            Some(id) => DkgError::Cheater {
                name: self.name(id),
                what: error.to_string(),
            },
            None => other(error),
        }
    }

    fn check_signature(
        &self,
        name: &str,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), DkgError> {
        let key = &self.get(name)?.approval_key;
        if verify_ed25519(key, message, signature) {
            Ok(())
        } else {
            Err(DkgError::Signature(name.into()))
        }
    }
}

/// What the approval key signs: a length-prefixed domain tag, then the message with its signature field zero.
fn signed_bytes(domain: &str, message: &impl tls_codec::Serialize) -> Result<Vec<u8>, DkgError> {
    let mut bytes = Bytes::from(domain.as_bytes().to_vec())
        .tls_serialize_detached()
        .map_err(other)?;
    message.tls_serialize(&mut bytes).map_err(other)?;
    Ok(bytes)
}

impl DkgRound1 {
    fn signed_bytes(&self) -> Result<Vec<u8>, DkgError> {
        signed_bytes(
            ROUND_1,
            &Self {
                signature: [0; 64],
                ..self.clone()
            },
        )
    }

    /// Is it `name`'s own, for `run`? The coordinator asks too, to name who is late and who is wrong.
    pub(crate) fn check_sender(
        &self,
        run: &DkgRun,
        participants: &Participants,
    ) -> Result<(), DkgError> {
        if self.run != *run {
            return Err(DkgError::Signature(self.name.clone()));
        }
        participants.check_signature(&self.name, &self.signed_bytes()?, &self.signature)
    }
}

impl DkgRound2 {
    fn signed_bytes(&self) -> Result<Vec<u8>, DkgError> {
        signed_bytes(
            ROUND_2,
            &Self {
                signature: [0; 64],
                ..self.clone()
            },
        )
    }

    pub(crate) fn check_sender(
        &self,
        run: &DkgRun,
        participants: &Participants,
    ) -> Result<(), DkgError> {
        if self.run != *run {
            return Err(DkgError::Signature(self.name.clone()));
        }
        participants.check_signature(&self.name, &self.signed_bytes()?, &self.signature)
    }
}

fn echo(run: &DkgRun, round1: &[DkgRound1]) -> Result<Digest, DkgError> {
    let mut hash = Sha256::new();
    hash.update(signed_bytes(ECHO, run)?);
    for message in round1 {
        hash.update(message.tls_serialize_detached().map_err(other)?);
    }
    Ok(hash.finalize().into())
}

/// Binds a sealed share to its run, sender and receiver.
fn seal_info(run: &DkgRun, from: &str, to: &str) -> Result<Vec<u8>, DkgError> {
    let mut info = signed_bytes(SEAL, run)?;
    for name in [from, to] {
        Bytes::from(name.as_bytes().to_vec())
            .tls_serialize(&mut info)
            .map_err(other)?;
    }
    Ok(info)
}

enum Stage {
    Round1 {
        secret: dkg::round1::SecretPackage,
        own: DkgRound1,
    },
    Round2 {
        secret: dkg::round2::SecretPackage,
        echo: Digest,
        round1: BTreeMap<frost::Identifier, dkg::round1::Package>,
        own: DkgRound2,
    },
    Done,
}

/// One run of key generation at one node. Its secrets live in memory alone: a restart ends the run.
pub struct KeyGeneration {
    run: DkgRun,
    me: String,
    participants: Participants,
    sealing_key: SealingKey,
    stage: Stage,
}

impl KeyGeneration {
    /// Round 1.
    pub fn start<R: RngCore + CryptoRng>(
        run: DkgRun,
        me: &str,
        participants: Participants,
        approval: &dyn Ed25519Key,
        rng: &mut R,
    ) -> Result<Self, DkgError> {
        if participants.get(me)?.approval_key != approval.public_key() {
            return Err(DkgError::Participants);
        }
        let (secret, package) = dkg::part1(
            participants.identifier(me)?,
            participants.count()?,
            participants.threshold,
            &mut *rng,
        )
        .map_err(other)?;
        let (sealing_key, sealing_public) = X25519HkdfSha256::gen_keypair(rng);
        let mut own = DkgRound1 {
            run,
            name: me.into(),
            package: package.serialize().map_err(other)?.into(),
            sealing_key: sealing_public.to_bytes().into(),
            signature: [0; 64],
        };
        own.signature = approval.sign(&own.signed_bytes()?)?;
        Ok(Self {
            run,
            me: me.into(),
            participants,
            sealing_key,
            stage: Stage::Round1 { secret, own },
        })
    }

    /// Which run this is.
    pub fn run(&self) -> &DkgRun {
        &self.run
    }

    /// This node's round-1 message, as long as the run is there.
    pub fn round1(&self) -> Option<&DkgRound1> {
        match &self.stage {
            Stage::Round1 { own, .. } => Some(own),
            Stage::Round2 { .. } | Stage::Done => None,
        }
    }

    /// Round 2, once everybody's round 1 is here. The same messages again give the same answer again; other ones do
    /// not: the coefficients were used.
    pub fn round2<R: RngCore + CryptoRng>(
        &mut self,
        messages: &[DkgRound1],
        approval: &dyn Ed25519Key,
        rng: &mut R,
    ) -> Result<DkgRound2, DkgError> {
        let echo = echo(&self.run, messages)?;
        if let Stage::Round2 {
            echo: seen, own, ..
        } = &self.stage
        {
            return if *seen == echo {
                Ok(own.clone())
            } else {
                Err(DkgError::OutOfTurn)
            };
        }
        let Stage::Round1 {
            secret,
            own: own_round1,
        } = &self.stage
        else {
            return Err(DkgError::OutOfTurn);
        };
        one_each(messages.iter().map(|m| m.name.as_str()), &self.participants)?;
        if !messages.iter().any(|message| message == own_round1) {
            return Err(DkgError::Signature(self.me.clone()));
        }
        let mut round1 = BTreeMap::new();
        let mut sealing_keys = BTreeMap::new();
        for message in messages.iter().filter(|m| m.name != self.me) {
            message.check_sender(&self.run, &self.participants)?;
            let cheater = |what: &str| DkgError::Cheater {
                name: message.name.clone(),
                what: what.into(),
            };
            let package = dkg::round1::Package::deserialize(message.package.as_slice())
                .map_err(|_| cheater("malformed round-1 package"))?;
            if package.commitment().coefficients().len() != usize::from(self.participants.threshold)
            {
                return Err(cheater("a polynomial of another degree"));
            }
            let id = self.participants.identifier(&message.name)?;
            let key = SealingPublicKey::from_bytes(&message.sealing_key)
                .map_err(|_| cheater("malformed sealing key"))?;
            sealing_keys.insert(id, (message.name.clone(), key));
            round1.insert(id, package);
        }
        let (secret, packages) =
            dkg::part2(secret.clone(), &round1).map_err(|e| self.participants.blame(&e))?;
        let mut sealed = Vec::new();
        for (id, package) in packages {
            let (to, key) = sealing_keys.get(&id).ok_or(DkgError::Participants)?;
            let plain = Zeroizing::new(package.serialize().map_err(other)?);
            let (encapsulated, ciphertext) =
                hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, _>(
                    &OpModeS::Base,
                    key,
                    &seal_info(&self.run, &self.me, to)?,
                    &plain,
                    &[],
                    rng,
                )
                .map_err(other)?;
            sealed.push(SealedPackage {
                to: to.clone(),
                encapsulated: encapsulated.to_bytes().to_vec().into(),
                ciphertext: ciphertext.into(),
            });
        }
        sealed.sort_by(|a, b| a.to.cmp(&b.to));
        let mut own = DkgRound2 {
            run: self.run,
            name: self.me.clone(),
            echo,
            packages: sealed,
            signature: [0; 64],
        };
        own.signature = approval.sign(&own.signed_bytes()?)?;
        self.stage = Stage::Round2 {
            secret,
            echo,
            round1,
            own: own.clone(),
        };
        Ok(own)
    }

    /// The key share and the key's public side, once everybody's round 2 is here and every echo is this node's own.
    pub fn finish(&mut self, messages: &[DkgRound2]) -> Result<(KeyShare, PublicShares), DkgError> {
        let Stage::Round2 {
            secret,
            echo,
            round1,
            ..
        } = &self.stage
        else {
            return Err(DkgError::OutOfTurn);
        };
        one_each(messages.iter().map(|m| m.name.as_str()), &self.participants)?;
        // All signatures and echoes first: nothing is opened for a run in which two nodes saw different things.
        for message in messages {
            message.check_sender(&self.run, &self.participants)?;
            if message.echo != *echo {
                return Err(DkgError::Equivocation(message.name.clone()));
            }
        }
        let mut round2 = BTreeMap::new();
        for message in messages.iter().filter(|m| m.name != self.me) {
            let cheater = |what: &str| DkgError::Cheater {
                name: message.name.clone(),
                what: what.into(),
            };
            let mut mine = message.packages.iter().filter(|p| p.to == self.me);
            let (Some(sealed), None) = (mine.next(), mine.next()) else {
                return Err(cheater("not one sealed share for this node"));
            };
            let encapsulated = Encapsulated::from_bytes(sealed.encapsulated.as_slice())
                .map_err(|_| cheater("malformed encapsulated key"))?;
            let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &self.sealing_key,
                &encapsulated,
                &seal_info(&self.run, &message.name, &self.me)?,
                sealed.ciphertext.as_slice(),
                &[],
            )
            .map(Zeroizing::new)
            .map_err(|_| cheater("a sealed share that does not open"))?;
            let package = dkg::round2::Package::deserialize(&plain)
                .map_err(|_| cheater("malformed round-2 package"))?;
            round2.insert(self.participants.identifier(&message.name)?, package);
        }
        let (package, public) =
            dkg::part3(secret, round1, &round2).map_err(|e| self.participants.blame(&e))?;
        let signers = self
            .participants
            .list
            .iter()
            .map(|p| (p.identifier, p.name.as_str()));
        let public = PublicShares::from_frost(&public, signers, self.participants.threshold)
            .map_err(other)?;
        self.stage = Stage::Done;
        Ok((KeyShare::new(package), public))
    }
}

fn one_each<'a>(
    names: impl Iterator<Item = &'a str>,
    participants: &Participants,
) -> Result<(), DkgError> {
    let names: Vec<&str> = names.collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let expected: BTreeSet<&str> = participants.list.iter().map(|p| p.name.as_str()).collect();
    if names.len() == expected.len() && distinct == expected {
        Ok(())
    } else {
        Err(DkgError::Participants)
    }
}

#[cfg(test)]
mod tests;
