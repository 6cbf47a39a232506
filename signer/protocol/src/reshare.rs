//! Resharing, one node's side: new shares of a key that stays what it is. A *refresh* is a resharing to the same signers with
//! the same threshold; then an old share is worth nothing beside the new ones.
//!
//! The secret is s = Σ λᵢ·sᵢ over any t holders (Lagrange at 0). So each of t *dealers* deals λᵢ·sᵢ by a fresh polynomial of
//! degree t′−1 (Feldman's verifiable secret sharing, as frost-core has it), and the new share of a *receiver* is the sum of
//! what it is dealt (Desmedt and Jajodia 1997; Wong, Wang and Wing 2002). What each node checks:
//!
//! - The constant term of a dealer's commitment is λᵢ times the dealer's *published* verifying share: nobody deals another
//!   secret. Then the sum's constant term is the group key, which is compared all the same.
//! - The degree is exactly t′−1: nobody raises the threshold for all, or lowers it.
//! - What is dealt to this node lies on the committed polynomial.
//!
//! The new verifying shares follow from the commitments alone. One honest dealer is enough for the new polynomial to be
//! independent of the old one, and t ≥ f+1 dealers have one.

use std::collections::{BTreeMap, BTreeSet};

use bauta_verifier::sharing::{self, Commitments, Dealer, SharingError};
use frost_ed25519 as frost;
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::{
    exchange::{Heard, Participant, Round, RunError, Station, cheater, find, other},
    keys::{Approver, KeyShare, PublicShares},
    messages::{DkgRound1, DkgRound2, DkgRun},
    order::{Reshare, RunOrder},
};

type Dealt = BTreeMap<frost::Identifier, frost::keys::SecretShare>;

fn ids(participants: &[Participant]) -> Result<BTreeSet<frost::Identifier>, RunError> {
    participants
        .iter()
        .map(Participant::frost_identifier)
        .collect()
}

/// Splits this dealer's part of the secret among the receivers.
fn deal<R: RngCore + CryptoRng>(
    order: &Reshare,
    share: &KeyShare,
    rng: &mut R,
) -> Result<Dealt, RunError> {
    let package = share.package();
    let lambda = frost_core::compute_lagrange_coefficient(
        &ids(&order.dealers)?,
        None,
        *package.identifier(),
    )
    .map_err(other)?;
    let part = Zeroizing::new(lambda * package.signing_share().to_scalar());
    let receivers: Vec<_> = ids(&order.receivers.list)?.into_iter().collect();
    let (dealt, _) = frost::keys::split(
        &frost::SigningKey::from_scalar(*part).map_err(other)?,
        u16::try_from(receivers.len()).map_err(other)?,
        order.receivers.threshold,
        frost::keys::IdentifierList::Custom(&receivers),
        rng,
    )
    .map_err(other)?;
    Ok(dealt)
}

impl From<SharingError> for RunError {
    fn from(error: SharingError) -> Self {
        match error {
            SharingError::Member { name, what } => cheater(&name, what),
            SharingError::Members => Self::Participants,
            SharingError::Parameters(what) => Self::Frost(what),
        }
    }
}

/// The dealers' commitments, each checked against the dealer's published share; by dealer's name.
fn commitments(order: &Reshare, messages: &[DkgRound1]) -> Result<Commitments, RunError> {
    let dealers = order
        .dealers
        .iter()
        .map(|dealer| {
            let published = order.from.of(&dealer.name);
            let published = published.filter(|one| one.identifier == dealer.identifier);
            Ok(Dealer {
                identifier: dealer.identifier,
                name: &dealer.name,
                share: &published.ok_or(RunError::Participants)?.share,
            })
        })
        .collect::<Result<Vec<_>, RunError>>()?;
    Ok(sharing::dealt(
        &dealers,
        order.receivers.threshold,
        messages,
    )?)
}

/// The public side of the new sharing: it follows from the commitments alone.
fn public(order: &Reshare, commitments: &Commitments) -> Result<PublicShares, RunError> {
    let package = sharing::public(commitments, &ids(&order.receivers.list)?)?;
    let public = order.receivers.public_shares(&package)?;
    if public.group_key != order.from.group_key {
        return Err(other("the published shares do not give the group key"));
    }
    Ok(public)
}

/// The public side of the sharing that these round-1 messages make.
///
/// # Errors
/// [`RunError::Cheater`] if a dealer's commitment is not what it must be.
pub fn public_shares(order: &Reshare, messages: &[DkgRound1]) -> Result<PublicShares, RunError> {
    public(order, &commitments(order, messages)?)
}

enum Stage {
    Round1 {
        /// What this node deals, if it is a dealer.
        dealt: Option<Dealt>,
    },
    Round2 {
        /// What this node deals itself.
        kept: Option<frost::keys::SecretShare>,
        commitments: Commitments,
    },
    Done,
}

/// One run of resharing at one node, dealer or receiver or both.
pub struct Resharing {
    pub(crate) station: Station,
    order: Reshare,
    stage: Stage,
}

impl Resharing {
    /// Round 1: a dealer, who has a share in force, commits to its polynomial.
    pub fn start<R: RngCore + CryptoRng>(
        run: DkgRun,
        me: &str,
        order: Reshare,
        share: Option<&KeyShare>,
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<Self, RunError> {
        let members = RunOrder::Reshare(order.clone()).members();
        let mut station = Station::new(run, me, members, approval, rng)?;
        let is_dealer = order.dealers.iter().any(|dealer| dealer.name == me);
        let dealt = match share.filter(|_| is_dealer) {
            Some(share) if share.matches(me, &order.from) => Some(deal(&order, share, rng)?),
            _ if is_dealer => return Err(other("a dealer holds no share of the sharing in force")),
            _ => None,
        };
        let commitment = dealt
            .as_ref()
            .and_then(|dealt| dealt.values().next())
            .map(|share| share.commitment().serialize_whole())
            .transpose()
            .map_err(other)?;
        station.say_round1(commitment.unwrap_or_default(), approval)?;
        Ok(Self {
            station,
            order,
            stage: Stage::Round1 { dealt },
        })
    }

    /// Round 2, once everybody's round 1 is here: a dealer seals what it deals.
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
        let Stage::Round1 { dealt } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        let commitments = commitments(&self.order, messages)?;
        let receivers = &self.order.receivers;
        let part = |id: &_| dealt.as_ref().and_then(|dealt| dealt.get(id));
        let sealed = self.station.seal_each(
            &receivers.list,
            &keys,
            |id| Some(part(id)?.signing_share().serialize()),
            rng,
        )?;
        let kept = match find(&receivers.list, self.station.me()) {
            Ok(me) => part(&me.frost_identifier()?).cloned(),
            Err(_) => None,
        };
        let own = self.station.say_round2(echo, sealed, approval)?;
        self.stage = Stage::Round2 { kept, commitments };
        Ok(own)
    }

    /// A receiver's new share and the public side of the new sharing, once everybody's round 2 is here and every echo is this
    /// node's own.
    pub fn finish(&mut self, messages: &[DkgRound2]) -> Result<(KeyShare, PublicShares), RunError> {
        let Stage::Round2 { kept, commitments } = &self.stage else {
            return Err(RunError::OutOfTurn);
        };
        let members = RunOrder::Reshare(self.order.clone()).members();
        self.station.check_round2(Round::Two, &members, messages)?;
        let public = public(&self.order, commitments)?;
        let id = self.order.receivers.identifier(self.station.me())?;
        let mut sum = Zeroizing::new(<frost::Ed25519ScalarField as frost_core::Field>::zero());
        for (name, commitment) in commitments {
            let share = match kept {
                Some(kept) if name == self.station.me() => kept.clone(),
                _ => {
                    let message = messages
                        .iter()
                        .find(|message| message.name == *name)
                        .ok_or(RunError::Participants)?;
                    let plain = self.station.open(message)?;
                    let share = frost::keys::SigningShare::deserialize(&plain)
                        .map_err(|_| cheater(name, "malformed share"))?;
                    frost::keys::SecretShare::new(id, share, commitment.clone())
                }
            };
            share
                .verify()
                .map_err(|_| cheater(name, "a share that does not lie on its polynomial"))?;
            *sum += share.signing_share().to_scalar();
        }
        let share = frost::keys::SigningShare::new(*sum);
        let package = frost::keys::KeyPackage::new(
            id,
            share,
            share.into(),
            frost::VerifyingKey::deserialize(&public.group_key).map_err(other)?,
            public.threshold,
        );
        let share = KeyShare::new(package);
        self.stage = Stage::Done;
        Ok((share, public))
    }
}

#[cfg(test)]
mod tests;
