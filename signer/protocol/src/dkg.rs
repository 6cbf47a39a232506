//! Distributed key generation, one node's side: Pedersen's protocol as frost-core has it, and around it what it
//! leaves to us.
//!
//! - The messages travel signed and sealed, and with an **echo** ([`crate::exchange`]): frost-core does not notice a
//!   participant who sends each node another round 1.
//! - **Agreement.** A node signs the next authority file, which names the group key and every verifying share, after
//!   its share is durable. The file counts with all n signatures, so the key exists for the log only when every
//!   participant holds its share of it.

use std::collections::BTreeMap;

use frost_ed25519::{self as frost, keys::dkg};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::{
    exchange::{Heard, Round, RunError, Station, cheater, find, other},
    keys::{Approver, KeyShare, PublicShares},
    messages::{DkgRound1, DkgRound2, DkgRun},
};

pub use crate::exchange::Participant;

/// Who gets a share, as the logged key operation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participants {
    /// All participants; their FROST identifiers run from 1.
    pub list: Vec<Participant>,
    /// Signature threshold t.
    pub threshold: u16,
}

impl Participants {
    fn count(&self) -> Result<u16, RunError> {
        u16::try_from(self.list.len()).map_err(other)
    }

    pub(crate) fn identifier(&self, name: &str) -> Result<frost::Identifier, RunError> {
        find(&self.list, name)?.frost_identifier()
    }

    /// The name whose identifier this is.
    fn name(&self, id: &frost::Identifier) -> String {
        self.list
            .iter()
            .find(|participant| participant.frost_identifier().is_ok_and(|own| own == *id))
            .map(|participant| participant.name.clone())
            .unwrap_or_default()
    }

    /// Names the culprit that frost-core found.
    fn blame(&self, error: &frost::Error) -> RunError {
        match error.culprits().first() {
            Some(id) => cheater(&self.name(id), &error.to_string()),
            None => other(error),
        }
    }

    /// The public side of a sharing among these.
    pub(crate) fn public_shares(
        &self,
        package: &frost::keys::PublicKeyPackage,
    ) -> Result<PublicShares, RunError> {
        let signers = self.list.iter().map(|p| (p.identifier, p.name.as_str()));
        PublicShares::from_frost(package, signers, self.threshold).map_err(other)
    }
}

enum Stage {
    Round1 {
        secret: dkg::round1::SecretPackage,
    },
    Round2 {
        secret: dkg::round2::SecretPackage,
        round1: BTreeMap<frost::Identifier, dkg::round1::Package>,
    },
    Done,
}

/// One run of key generation at one node.
pub struct KeyGeneration {
    pub(crate) station: Station,
    participants: Participants,
    stage: Stage,
}

impl KeyGeneration {
    /// Round 1.
    pub fn start<R: RngCore + CryptoRng>(
        run: DkgRun,
        me: &str,
        participants: Participants,
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<Self, RunError> {
        let mut station = Station::new(run, me, participants.list.clone(), approval, rng)?;
        let (secret, package) = dkg::part1(
            participants.identifier(me)?,
            participants.count()?,
            participants.threshold,
            rng,
        )
        .map_err(other)?;
        station.say_round1(package.serialize().map_err(other)?, approval)?;
        Ok(Self {
            station,
            participants,
            stage: Stage::Round1 { secret },
        })
    }

    /// Round 2, once everybody's round 1 is here.
    pub fn round2<R: RngCore + CryptoRng>(
        &mut self,
        messages: &[DkgRound1],
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<DkgRound2, RunError> {
        let (echo, keys) = match self.station.hear(messages)? {
            Heard::Again(said) => return Ok(said),
            Heard::First { echo, keys } => (echo, keys),
        };
        let Stage::Round1 { secret } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        let mut round1 = BTreeMap::new();
        for message in messages.iter().filter(|m| m.name != self.station.me()) {
            let wrong = |what: &str| cheater(&message.name, what);
            let package = dkg::round1::Package::deserialize(message.package.as_slice())
                .map_err(|_| wrong("malformed round-1 package"))?;
            if package.commitment().coefficients().len() != usize::from(self.participants.threshold)
            {
                return Err(wrong("a polynomial of another degree"));
            }
            round1.insert(self.participants.identifier(&message.name)?, package);
        }
        let (secret, packages) =
            dkg::part2(secret.clone(), &round1).map_err(|e| self.participants.blame(&e))?;
        let mut sealed = Vec::new();
        for (id, package) in packages {
            let plain = Zeroizing::new(package.serialize().map_err(other)?);
            let to = self.participants.name(&id);
            sealed.push(self.station.seal(&to, &keys, &plain, rng)?);
        }
        let own = self.station.say_round2(echo, sealed, approval)?;
        self.stage = Stage::Round2 { secret, round1 };
        Ok(own)
    }

    /// The key share and the key's public side, once everybody's round 2 is here and every echo is this node's own.
    pub fn finish(&mut self, messages: &[DkgRound2]) -> Result<(KeyShare, PublicShares), RunError> {
        let Stage::Round2 { secret, round1 } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        self.station
            .check_round2(Round::Two, &self.participants.list, messages)?;
        let mut round2 = BTreeMap::new();
        for message in messages.iter().filter(|m| m.name != self.station.me()) {
            let package = dkg::round2::Package::deserialize(&self.station.open(message)?)
                .map_err(|_| cheater(&message.name, "malformed round-2 package"))?;
            round2.insert(self.participants.identifier(&message.name)?, package);
        }
        let (package, public) =
            dkg::part3(secret, round1, &round2).map_err(|e| self.participants.blame(&e))?;
        let public = self.participants.public_shares(&public)?;
        self.stage = Stage::Done;
        Ok((KeyShare::new(package), public))
    }
}

#[cfg(test)]
mod tests;
