//! Key generation as the node drives it: only for a logged key-generation file, one run at a time; the share is
//! durable before the agreement leaves.

use rand_core::{CryptoRng, RngCore};

use crate::{
    dkg::{DkgError, KeyGeneration},
    messages::{
        Code, DkgAgreement, DkgRound1s, DkgRound2s, DkgRun, DkgStart, Subject, ToCoordinator,
    },
    node::{HeldKey, Node, NodeEvent, Output, Record},
    nonces::NonceStock,
    rulebook::{Rulebook, Store},
};

/// The most shares of unborn keys that a node holds: a run that all but one finished leaves its shares behind, and a
/// coordinator may try again. Beyond, administrators look first.
pub const MAX_WAITING_SHARES: usize = 32;

impl DkgError {
    fn code(&self) -> Code {
        match self {
            Self::OutOfTurn => Code::OutOfTurn,
            Self::Equivocation(_) => Code::Equivocation,
            Self::Cheater { .. } | Self::Signature(_) => Code::Cheater,
            Self::Participants | Self::Frost(_) => Code::Malformed,
            Self::Key(_) => Code::Internal,
        }
    }
}

impl<B: Rulebook> Node<B> {
    pub(crate) fn dkg_start<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        store: &dyn Store,
        start: DkgStart,
        output: &mut Output,
    ) {
        let run = start.run;
        // The request again, because the answer was lost.
        if let Some(generation) = self.generation.as_ref().filter(|g| *g.run() == run) {
            if let Some(round1) = generation.round1() {
                output.send.push(ToCoordinator::DkgRound1(round1.clone()));
            }
            return;
        }
        match self.begin(now, rng, store, &start) {
            Ok(generation) => {
                output
                    .send
                    .extend(generation.round1().cloned().map(ToCoordinator::DkgRound1));
                self.generation = Some(generation);
            }
            Err((code, reason)) => output.refuse(Subject::Dkg(run), code, reason),
        }
    }

    fn begin<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        store: &dyn Store,
        start: &DkgStart,
    ) -> Result<KeyGeneration, (Code, String)> {
        let run = start.run;
        self.require_welcome()?;
        self.require_holder()?;
        self.logged(store, run.index, start.proof.as_slice())?;
        self.require_approval(run.index, None)?;
        let participants = self
            .rulebook
            .key_generation(run.index, &run.operation, now)
            .map_err(|error| (Code::Operation, error.to_string()))?;
        let waiting = self
            .held
            .values()
            .filter(|held| held.public.is_none())
            .count();
        if waiting >= MAX_WAITING_SHARES {
            let reason = "too many runs of key generation without a result: remove the waiting shares of keys that were never logged";
            return Err((Code::Operation, reason.into()));
        }
        KeyGeneration::start(
            run,
            &self.config.name,
            participants,
            &*self.keys.approval,
            rng,
        )
        .map_err(|error| (error.code(), error.to_string()))
    }

    pub(crate) fn dkg_round1s<R: RngCore + CryptoRng>(
        &mut self,
        rng: &mut R,
        all: &DkgRound1s,
        output: &mut Output,
    ) {
        let round2 = match self.generation_of(&all.run) {
            Ok((generation, approval)) => generation.round2(&all.round1, approval, rng),
            Err(error) => Err(error),
        };
        match round2 {
            Ok(round2) => output.send.push(ToCoordinator::DkgRound2(round2)),
            Err(error) => output.refuse(Subject::Dkg(all.run), error.code(), error),
        }
    }

    pub(crate) fn dkg_round2s(&mut self, all: &DkgRound2s, output: &mut Output) {
        if let Some(agreement) = self.agreements.get(&all.run) {
            return output
                .send
                .push(ToCoordinator::DkgAgreement(agreement.clone()));
        }
        if let Err((code, reason)) = self.agree(all, output) {
            output.refuse(Subject::Dkg(all.run), code, reason);
        }
    }

    fn agree(&mut self, all: &DkgRound2s, output: &mut Output) -> Result<(), (Code, String)> {
        let internal = |error: &dyn core::fmt::Display| (Code::Internal, error.to_string());
        let (share, public) = self
            .generation_of(&all.run)
            .and_then(|(generation, _)| generation.finish(&all.round2))
            .map_err(|error| (error.code(), error.to_string()))?;
        let text = self
            .rulebook
            .next_authority(&all.run.operation, &public)
            .map_err(|error| (Code::Operation, error.to_string()))?;
        let signature = self
            .keys
            .approval
            .sign(text.as_bytes())
            .map_err(|error| internal(&error))?;
        let secret = share.to_bytes().map_err(|error| internal(&error))?;
        let group_key = public.group_key;
        output.persist.push(Record::KeyShare { group_key, secret });
        let agreement = DkgAgreement {
            run: all.run,
            group_key,
            text: text.into_bytes().into(),
            signature,
        };
        output
            .send
            .push(ToCoordinator::DkgAgreement(agreement.clone()));
        output.events.push(NodeEvent::KeyMade(group_key));
        self.agreements.insert(all.run, agreement);
        let stock = NonceStock::new(self.boot);
        self.held.insert(
            group_key,
            HeldKey {
                share,
                stock,
                public: None,
            },
        );
        self.generation = None;
        Ok(())
    }

    fn generation_of(
        &mut self,
        run: &DkgRun,
    ) -> Result<(&mut KeyGeneration, &dyn crate::keys::Ed25519Key), DkgError> {
        match &mut self.generation {
            Some(generation) if generation.run() == run => Ok((generation, &*self.keys.approval)),
            _ => Err(DkgError::OutOfTurn),
        }
    }
}
