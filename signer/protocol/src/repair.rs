//! Repair of a lost share, one node's side: t helpers make it again for its signer, and learn nothing by it (the scheme of
//! Laing and Stinson, ePrint 2017/1155, as frost-core has it). Nothing public changes, so no authority file does.
//!
//! Round 1 brings the keys to seal to; in round 2 each helper sends each helper one addend of its part (*deltas*); in round 3
//! it sends the patient the sum of those that it got (*sigma*). All addends of a part but one are random, so fewer than t
//! helpers learn nothing of the others' shares, and the patient nothing but its own.
//!
//! A helper that lies is not noticed by the scheme: the sum is another share then, and frost-core returns it. So the patient
//! compares it with the *published* verifying share before it keeps it.

use std::collections::BTreeMap;

use frost_ed25519::{
    self as frost,
    keys::repairable::{self, Delta, Sigma},
};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::{
    exchange::{
        Heard, Participant, Round, RunError, SealingPublicKey, Station, cheater, find, other,
    },
    keys::{Approver, KeyShare},
    messages::{DkgRound1, DkgRound2, DkgRun},
    order::{Repair, RunOrder},
};

type Deltas = BTreeMap<frost::Identifier, Delta>;

enum Stage {
    Round1 {
        /// A helper's part, in addends; the patient has none.
        deltas: Option<Deltas>,
    },
    Round2 {
        /// The addend that a helper keeps.
        kept: Option<Delta>,
        keys: BTreeMap<String, SealingPublicKey>,
    },
    Round3 {
        own: DkgRound2,
    },
    Done,
}

/// One run of repair at one node, helper or patient.
pub struct Repairing {
    pub(crate) station: Station,
    order: Repair,
    stage: Stage,
}

impl Repairing {
    /// Round 1. A helper has a share in force.
    pub fn start<R: RngCore + CryptoRng>(
        run: DkgRun,
        me: &str,
        order: Repair,
        share: Option<&KeyShare>,
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<Self, RunError> {
        let members = RunOrder::Repair(order.clone()).members();
        let mut station = Station::new(run, me, members, approval, rng)?;
        let deltas = if order.patient.name == me {
            None
        } else {
            let share = share
                .filter(|share| share.matches(me, &order.public))
                .ok_or_else(|| other("a helper holds no share of the sharing in force"))?;
            let helpers = order
                .helpers
                .iter()
                .map(Participant::frost_identifier)
                .collect::<Result<Vec<_>, _>>()?;
            let patient = order.patient.frost_identifier()?;
            Some(
                frost_core::keys::repairable::repair_share_part1(
                    &helpers,
                    share.package(),
                    rng,
                    patient,
                )
                .map_err(other)?,
            )
        };
        station.say_round1(Vec::new(), approval)?;
        Ok(Self {
            station,
            order,
            stage: Stage::Round1 { deltas },
        })
    }

    /// Round 2, once everybody's round 1 is here: a helper seals an addend for each other helper; the patient says only what
    /// it saw.
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
        let Stage::Round1 { deltas } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        let helpers = &self.order.helpers;
        let part = |id: &_| deltas.as_ref().and_then(|deltas| deltas.get(id));
        let sealed =
            self.station
                .seal_each(helpers, &keys, |id| Some(part(id)?.serialize()), rng)?;
        let kept = match find(helpers, self.station.me()) {
            Ok(me) => part(&me.frost_identifier()?).copied(),
            Err(_) => None,
        };
        let own = self.station.say_round2(echo, sealed, approval)?;
        self.stage = Stage::Round2 { kept, keys };
        Ok(own)
    }

    /// A helper's round 3, once everybody's round 2 is here and every echo is its own.
    pub fn round3<R: RngCore + CryptoRng>(
        &mut self,
        messages: &[DkgRound2],
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<DkgRound2, RunError> {
        if let Stage::Round3 { own } = &self.stage {
            return Ok(own.clone());
        }
        let Stage::Round2 {
            kept: Some(kept),
            keys,
        } = &self.stage
        else {
            return Err(RunError::OutOfTurn);
        };
        let members = RunOrder::Repair(self.order.clone()).members();
        self.station.check_round2(Round::Two, &members, messages)?;
        let mut deltas = vec![*kept];
        for message in messages {
            if message.name == self.station.me() || message.name == self.order.patient.name {
                continue;
            }
            let delta = Delta::deserialize(&self.station.open(message)?)
                .map_err(|_| cheater(&message.name, "malformed addend"))?;
            deltas.push(delta);
        }
        let sigma = Zeroizing::new(repairable::repair_share_part2(&deltas).serialize());
        let patient = &self.order.patient.name;
        let sealed = self.station.seal(patient, keys, &sigma, rng)?;
        let own = self.station.say_round3(vec![sealed], approval)?;
        self.stage = Stage::Round3 { own: own.clone() };
        Ok(own)
    }

    /// The patient's share, once every helper's round 3 is here: the one whose public half is published, or none.
    pub fn finish(&mut self, messages: &[DkgRound2]) -> Result<KeyShare, RunError> {
        let Stage::Round2 { kept: None, .. } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        self.station
            .check_round2(Round::Three, &self.order.helpers, messages)?;
        let sigmas = messages
            .iter()
            .map(|message| {
                Sigma::deserialize(&self.station.open(message)?)
                    .map_err(|_| cheater(&message.name, "malformed part"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let package = repairable::repair_share_part3(
            &sigmas,
            self.order.patient.frost_identifier()?,
            &self.order.public.to_frost().map_err(other)?,
        )
        .map_err(other)?;
        let share = KeyShare::new(package);
        if !share.matches(self.station.me(), &self.order.public) {
            let helpers = self.order.helpers.iter();
            return Err(RunError::WrongShare {
                helpers: helpers.map(|helper| helper.name.clone()).collect(),
            });
        }
        self.stage = Stage::Done;
        Ok(share)
    }
}

#[cfg(test)]
mod tests;
