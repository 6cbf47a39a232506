//! Key generation, the coordinator's side: it carries the messages, and repeats them until everybody has answered. It
//! reads no share, and what it could alter is signed by those who sent it.

use std::collections::BTreeMap;

use rand_core::{CryptoRng, RngCore};

use crate::{
    coordinator::{Coordinator, CoordinatorOutput, Event},
    dkg::Participants,
    keys::verify_ed25519,
    messages::{
        Code, Digest, DkgAgreement, DkgRound1, DkgRound1s, DkgRound2, DkgRound2s, DkgRun, DkgStart,
        Refused, ToNode,
    },
};

/// One key to be made.
#[derive(Debug, Clone)]
pub struct GenerationTask {
    /// Digest of the key-generation file.
    pub operation: Digest,
    /// Index of its entry.
    pub index: u64,
    /// C2SP tlog-proof of the entry under q cosignatures.
    pub proof: Vec<u8>,
    /// Who takes part: all of them must.
    pub participants: Participants,
}

/// How often a run is begun anew because a node lost its part of it, before a person is asked.
const MAX_ATTEMPTS: u32 = 16;

/// A run, and what has come of it.
pub(crate) struct Generation {
    task: GenerationTask,
    run: DkgRun,
    round1: BTreeMap<String, DkgRound1>,
    round2: BTreeMap<String, DkgRound2>,
    agreements: BTreeMap<String, DkgAgreement>,
    resend: u64,
    attempts: u32,
}

impl Generation {
    fn new<R: RngCore + CryptoRng>(task: GenerationTask, resend: u64, rng: &mut R) -> Self {
        let mut attempt = [0; 16];
        rng.fill_bytes(&mut attempt);
        let run = DkgRun {
            operation: task.operation,
            index: task.index,
            attempt,
        };
        Self {
            task,
            run,
            round1: BTreeMap::new(),
            round2: BTreeMap::new(),
            agreements: BTreeMap::new(),
            resend,
            attempts: 1,
        }
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.resend
    }

    fn count(&self) -> usize {
        self.task.participants.list.len()
    }

    /// What this node is to be told now, if its answer is what the run waits for.
    fn message_for(&self, node: &str) -> Option<ToNode> {
        if self.round1.len() < self.count() {
            return (!self.round1.contains_key(node)).then(|| {
                ToNode::DkgStart(DkgStart {
                    run: self.run,
                    proof: self.task.proof.clone().into(),
                })
            });
        }
        if self.round2.len() < self.count() {
            return (!self.round2.contains_key(node)).then(|| {
                ToNode::DkgRound1s(DkgRound1s {
                    run: self.run,
                    round1: self.round1.values().cloned().collect(),
                })
            });
        }
        (!self.agreements.contains_key(node)).then(|| {
            ToNode::DkgRound2s(DkgRound2s {
                run: self.run,
                round2: self.round2.values().cloned().collect(),
            })
        })
    }

    fn tell_all(&self, output: &mut CoordinatorOutput) {
        for participant in &self.task.participants.list {
            if let Some(message) = self.message_for(&participant.name) {
                output.to(&participant.name, message);
            }
        }
    }

    fn missing(&self) -> Vec<String> {
        let participants = self.task.participants.list.iter();
        participants
            .filter(|participant| self.message_for(&participant.name).is_some())
            .map(|participant| participant.name.clone())
            .collect()
    }
}

impl Coordinator {
    /// Has a key made. A run that is under way ends.
    pub fn generate_key<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        task: GenerationTask,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        let generation = Generation::new(task, now.saturating_add(self.patience.generation), rng);
        generation.tell_all(&mut output);
        self.generation = Some(generation);
        output
    }

    /// Is a key being made?
    pub fn is_generating(&self) -> bool {
        self.generation.is_some()
    }

    pub(crate) fn resume_generation(&self, node: &str, output: &mut CoordinatorOutput) {
        let Some(generation) = &self.generation else {
            return;
        };
        if generation
            .task
            .participants
            .list
            .iter()
            .any(|p| p.name == node)
            && let Some(message) = generation.message_for(node)
        {
            output.to(node, message);
        }
    }

    pub(crate) fn tick_generation(&mut self, now: u64, output: &mut CoordinatorOutput) {
        let Some(generation) = &mut self.generation else {
            return;
        };
        if generation.resend <= now {
            generation.resend = now.saturating_add(self.patience.generation);
            output.events.push(Event::GenerationWaits {
                run: generation.run,
                missing: generation.missing(),
            });
            generation.tell_all(output);
        }
    }

    pub(crate) fn dkg_round1(
        &mut self,
        now: u64,
        node: &str,
        round1: DkgRound1,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.as_mut().filter(|g| g.run == round1.run) else {
            return;
        };
        if round1.name != node
            || round1
                .check_sender(&generation.run, &generation.task.participants)
                .is_err()
        {
            return output.culprit(
                node,
                "a round-1 message of key generation that it did not sign",
            );
        }
        // The first word counts: another one later would be an equivocation of our own making.
        let complete = generation.round1.len() == generation.count();
        generation.round1.entry(node.into()).or_insert(round1);
        if !complete && generation.round1.len() == generation.count() {
            generation.resend = now.saturating_add(self.patience.generation);
            generation.tell_all(output);
        }
    }

    pub(crate) fn dkg_round2(
        &mut self,
        now: u64,
        node: &str,
        round2: DkgRound2,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.as_mut().filter(|g| g.run == round2.run) else {
            return;
        };
        if round2.name != node
            || round2
                .check_sender(&generation.run, &generation.task.participants)
                .is_err()
        {
            return output.culprit(
                node,
                "a round-2 message of key generation that it did not sign",
            );
        }
        let complete = generation.round2.len() == generation.count();
        generation.round2.entry(node.into()).or_insert(round2);
        if !complete && generation.round2.len() == generation.count() {
            generation.resend = now.saturating_add(self.patience.generation);
            generation.tell_all(output);
        }
    }

    pub(crate) fn dkg_agreement(
        &mut self,
        node: &str,
        agreement: DkgAgreement,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.as_mut().filter(|g| g.run == agreement.run) else {
            return;
        };
        let participants = &generation.task.participants.list;
        let Some(participant) = participants.iter().find(|p| p.name == node) else {
            return;
        };
        if !verify_ed25519(
            &participant.approval_key,
            agreement.text.as_slice(),
            &agreement.signature,
        ) {
            return output.culprit(node, "an agreement that it did not sign");
        }
        generation.agreements.insert(node.into(), agreement);
        if generation.agreements.len() < generation.count() {
            return;
        }
        let Some(generation) = self.generation.take() else {
            return;
        };
        let mut agreements = generation.agreements.iter();
        let Some((_, first)) = agreements.next() else {
            return;
        };
        let differing = agreements
            .find(|(_, other)| other.text != first.text || other.group_key != first.group_key);
        let text = String::from_utf8(first.text.as_slice().to_vec());
        match (differing, text) {
            (None, Ok(text)) => output.events.push(Event::KeyAgreed {
                run: generation.run,
                group_key: first.group_key,
                text,
                signatures: generation
                    .agreements
                    .iter()
                    .map(|(name, agreement)| (name.clone(), agreement.signature))
                    .collect(),
            }),
            (differing, _) => output.events.push(Event::GenerationFailed {
                run: generation.run,
                node: differing.map_or_else(String::new, |(name, _)| name.clone()),
                code: Code::Equivocation,
                reason: "the participants agree to different authority files: compare their logs"
                    .into(),
            }),
        }
    }

    pub(crate) fn dkg_refused<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        node: &str,
        run: DkgRun,
        refused: Refused,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.take_if(|g| g.run == run) else {
            return;
        };
        match refused.code {
            // It waits for the log, which is on its way, or for its welcome; the next deadline asks again.
            // As it is for a holder who is on the way.
            Code::Behind | Code::NotLogged | Code::Unwelcome | Code::Away | Code::NotApproved => {
                self.generation = Some(generation);
            }
            // It was started anew and lost its secrets: everybody begins again.
            Code::OutOfTurn if generation.attempts < MAX_ATTEMPTS => {
                let again = self.generate_key(now, rng, generation.task);
                if let Some(begun) = &mut self.generation {
                    begun.attempts = generation.attempts + 1;
                }
                output.send.extend(again.send);
            }
            code => output.events.push(Event::GenerationFailed {
                run,
                node: node.into(),
                code,
                reason: refused.reason,
            }),
        }
    }
}
