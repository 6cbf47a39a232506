//! Runs as the node drives them: key generation, resharing, repair; only for a logged key operation, one run at a time. A new
//! share is durable before the agreement leaves.

use rand_core::{CryptoRng, RngCore};

use crate::{
    dkg::KeyGeneration,
    exchange::{Participant, RunError, Station},
    keys::{Approver, KeyShare, PublicShares},
    messages::{
        Code, DkgAgreement, DkgRound1, DkgRound1s, DkgRound2, DkgRound2s, DkgRun, DkgStart,
        SharedKey, Subject, ToCoordinator,
    },
    node::{HeldKey, Node, NodeEvent, Output, Record, Test},
    order::RunOrder,
    repair::Repairing,
    reshare::Resharing,
    rulebook::{Rulebook, Store},
};

/// The most shares of unborn keys and sharings that a node holds: a run that all but one finished leaves its shares behind,
/// and a coordinator may try again. None of them may go before it is sure that its sharing is never logged. Beyond,
/// administrators look first.
pub const MAX_WAITING_SHARES: usize = 32;

impl RunError {
    fn code(&self) -> Code {
        match self {
            Self::OutOfTurn => Code::OutOfTurn,
            Self::Equivocation(_) => Code::Equivocation,
            Self::Cheater { .. } | Self::Signature(_) | Self::WrongShare { .. } => Code::Cheater,
            Self::Participants | Self::Frost(_) => Code::Malformed,
            Self::Key(_) => Code::Internal,
        }
    }
}

/// The run that a node is in.
pub(crate) enum Run {
    Generation(KeyGeneration),
    Resharing(Resharing),
    /// With the sharing that the share is of.
    Repair(Repairing, PublicShares),
}

impl Run {
    fn station(&self) -> &Station {
        match self {
            Self::Generation(run) => &run.station,
            Self::Resharing(run) => &run.station,
            Self::Repair(run, _) => &run.station,
        }
    }

    fn run(&self) -> &DkgRun {
        self.station().run()
    }

    fn round1(&self) -> Option<&DkgRound1> {
        self.station().round1()
    }

    fn round2<R: RngCore + CryptoRng>(
        &mut self,
        messages: &[DkgRound1],
        approval: &dyn Approver,
        rng: &mut R,
    ) -> Result<DkgRound2, RunError> {
        match self {
            Self::Generation(run) => run.round2(messages, approval, rng),
            Self::Resharing(run) => run.round2(messages, approval, rng),
            Self::Repair(run, _) => run.round2(messages, approval, rng),
        }
    }
}

fn refusal(error: &RunError) -> (Code, String) {
    (error.code(), error.to_string())
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
        if let Some(joint) = self.joint.as_ref().filter(|joint| *joint.run() == run) {
            if let Some(round1) = joint.round1() {
                output.send.push(ToCoordinator::DkgRound1(round1.clone()));
            }
            return;
        }
        match self.begin(now, rng, store, &start) {
            Ok(joint) => {
                output
                    .send
                    .extend(joint.round1().cloned().map(ToCoordinator::DkgRound1));
                self.joint = Some(joint);
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
    ) -> Result<Run, (Code, String)> {
        let run = start.run;
        self.require_welcome()?;
        self.require_holder()?;
        self.logged(store, run.index, start.proof.as_slice())?;
        self.require_approval(run.index, None)?;
        let order = self
            .rulebook
            .run_order(run.index, &run.operation, now)
            .map_err(|error| (Code::Operation, error.to_string()))?;
        let waiting = self
            .held
            .values()
            .filter(|held| held.public.is_none())
            .count();
        if waiting >= MAX_WAITING_SHARES && order.gets_share(&self.config.name) {
            let reason = "too many runs without a result: remove the waiting shares of keys and sharings that were never logged";
            return Err((Code::Operation, reason.into()));
        }
        let me = &self.config.name;
        let approval = &*self.keys.approval;
        let joint = match order {
            RunOrder::Generate(participants) => {
                KeyGeneration::start(run, me, participants, approval, rng).map(Run::Generation)
            }
            RunOrder::Reshare(order) => {
                let share = self.in_force(&order.from.id()).map(|held| &held.share);
                self.can_give(&order.dealers, &order.from, share)?;
                Resharing::start(run, me, order, share, approval, rng).map(Run::Resharing)
            }
            RunOrder::Repair(order) => {
                let share = self.in_force(&order.public.id()).map(|held| &held.share);
                self.can_give(&order.helpers, &order.public, share)?;
                if order.patient.name == *me && share.is_some() {
                    let reason = "this node holds the share already: there is nothing to repair";
                    return Err((Code::Operation, reason.into()));
                }
                let public = order.public.clone();
                Repairing::start(run, me, order, share, approval, rng)
                    .map(|repairing| Run::Repair(repairing, public))
            }
        };
        joint.map_err(|error| refusal(&error))
    }

    /// A dealer or helper without its share says so, before it looks like a fault of the run.
    fn can_give(
        &self,
        givers: &[Participant],
        public: &PublicShares,
        share: Option<&KeyShare>,
    ) -> Result<(), (Code, String)> {
        let gives = givers.iter().any(|giver| giver.name == self.config.name);
        if gives && share.is_none_or(|share| !share.matches(&self.config.name, public)) {
            let reason = "this node holds no share of the sharing in force: have others deal or help, or its share repaired";
            return Err((Code::NoKey, reason.into()));
        }
        Ok(())
    }

    pub(crate) fn dkg_round1s<R: RngCore + CryptoRng>(
        &mut self,
        rng: &mut R,
        all: &DkgRound1s,
        output: &mut Output,
    ) {
        let round2 = match self.joint_of(&all.run) {
            Ok((joint, approval)) => joint.round2(&all.round1, approval, rng),
            Err(error) => Err(error),
        };
        match round2 {
            Ok(round2) => output.send.push(ToCoordinator::DkgRound2(round2)),
            Err(error) => output.refuse(Subject::Dkg(all.run), error.code(), error),
        }
    }

    /// Everybody's round 2: the end of a key generation or resharing; a helper's round 3 of a repair.
    pub(crate) fn dkg_round2s<R: RngCore + CryptoRng>(
        &mut self,
        rng: &mut R,
        all: &DkgRound2s,
        output: &mut Output,
    ) {
        if let Some(agreement) = self.agreements.get(&all.run) {
            return output
                .send
                .push(ToCoordinator::DkgAgreement(agreement.clone()));
        }
        let finished = self
            .joint_of(&all.run)
            .and_then(|(joint, approval)| match joint {
                Run::Generation(run) => run.finish(&all.round2).map(|made| Some((made, false))),
                Run::Resharing(run) => run.finish(&all.round2).map(|made| Some((made, true))),
                Run::Repair(run, _) => {
                    let round3 = run.round3(&all.round2, approval, rng)?;
                    output.send.push(ToCoordinator::RepairRound3(round3));
                    Ok(None)
                }
            })
            .map_err(|error| refusal(&error));
        let result = finished.and_then(|made| match made {
            Some((made, test)) => self.agree(&all.run, made, test, output),
            None => Ok(()),
        });
        if let Err((code, reason)) = result {
            output.refuse(Subject::Dkg(all.run), code, reason);
        }
    }

    /// Keeps the new share, and signs the authority file that names it.
    fn agree(
        &mut self,
        run: &DkgRun,
        (share, public): (KeyShare, PublicShares),
        test: bool,
        output: &mut Output,
    ) -> Result<(), (Code, String)> {
        let transcript = self
            .joint_of(run)
            .and_then(|(joint, _)| joint.station().echo())
            .map_err(|error| refusal(&error))?;
        let text = self
            .rulebook
            .next_authority(&run.operation, &public, &transcript)
            .map_err(|error| (Code::Operation, error.to_string()))?;
        let signature = self
            .keys
            .approval
            .approve(text.as_bytes())
            .map_err(|error| (Code::Internal, error.to_string()))?;
        let key = public.id();
        let agreement = DkgAgreement {
            run: *run,
            group_key: key.group_key,
            text: text.as_bytes().to_vec().into(),
            signature,
        };
        let test = test.then_some(Test { public, text });
        self.keep(key, share, test, output)?;
        output
            .send
            .push(ToCoordinator::DkgAgreement(agreement.clone()));
        output.events.push(NodeEvent::KeyMade(key));
        self.agreements.insert(*run, agreement);
        self.joint = None;
        Ok(())
    }

    fn keep(
        &mut self,
        key: SharedKey,
        share: KeyShare,
        test: Option<Test>,
        output: &mut Output,
    ) -> Result<(), (Code, String)> {
        let secret = share
            .to_bytes()
            .map_err(|error| (Code::Internal, error.to_string()))?;
        let born = self.head.size;
        output.persist.push(Record::KeyShare { key, born, secret });
        let held = HeldKey {
            test,
            ..HeldKey::new(share, born, self.boot)
        };
        self.held.insert(key, held);
        Ok(())
    }

    /// Everybody's round 3 of a repair, for whom it is made: the share counts from now on, if it is the published one and its
    /// sharing is still in force.
    pub(crate) fn repair_round3s(&mut self, all: &DkgRound2s, output: &mut Output) {
        if self.repaired.contains(&all.run) {
            return output.send.push(ToCoordinator::Repaired(all.run));
        }
        let finished = self
            .joint_of(&all.run)
            .and_then(|(joint, _)| match joint {
                Run::Repair(run, public) => Ok((run.finish(&all.round2)?, public.id())),
                Run::Generation(_) | Run::Resharing(_) => Err(RunError::OutOfTurn),
            })
            .map_err(|error| refusal(&error));
        let result = finished.and_then(|(share, key)| {
            self.keep(key, share, None, output)?;
            output.events.push(NodeEvent::ShareRepaired(key));
            output.send.push(ToCoordinator::Repaired(all.run));
            self.repaired.insert(all.run);
            self.joint = None;
            self.activate(output);
            Ok(())
        });
        if let Err((code, reason)) = result {
            output.refuse(Subject::Dkg(all.run), code, reason);
        }
    }

    fn joint_of(&mut self, run: &DkgRun) -> Result<(&mut Run, &dyn Approver), RunError> {
        match &mut self.joint {
            Some(joint) if joint.run() == run => Ok((joint, &*self.keys.approval)),
            _ => Err(RunError::OutOfTurn),
        }
    }
}
