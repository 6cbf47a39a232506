//! Runs that nodes do together, the coordinator's side: key generation, resharing, repair. It carries the messages, and repeats
//! them until everybody has answered. It reads no share, and what it could alter is signed by those who sent it.
//!
//! | run | after rounds 1 and 2, by all | then | ends with |
//! | --- | --- | --- | --- |
//! | key generation | | agreements of all | the authority file to be logged |
//! | resharing | | agreements of those who get a share; the new shares sign the file once | the same |
//! | repair | | round 3 of the helpers | the patient's word |

use std::collections::BTreeMap;

use bauta_statement::run::transcript;
use rand_core::{CryptoRng, RngCore};

use crate::{
    coordinator::{Coordinator, CoordinatorOutput, Event},
    exchange::{Participant, Round, check_round1, find},
    keys::PublicShares,
    messages::{
        Code, Digest, DkgAgreement, DkgRound1, DkgRound1s, DkgRound2, DkgRound2s, DkgRun, DkgStart,
        Refused, ToNode,
    },
    order::RunOrder,
    reshare,
    sessions::SignTask,
};

/// One run to be done.
#[derive(Debug, Clone)]
pub struct GenerationTask {
    /// Digest of the key operation's file.
    pub operation: Digest,
    /// Index of its entry.
    pub index: u64,
    /// C2SP tlog-proof of the entry under q cosignatures.
    pub proof: Vec<u8>,
    /// What it orders, and who takes part: all of them must.
    pub order: RunOrder,
}

/// How often a run is begun anew because a node lost its part of it, before a person is asked.
const MAX_ATTEMPTS: u32 = 16;
/// How long the new shares have to sign, in multiples of the patience with one message.
const TEST_PATIENCE: u64 = 6;

/// A run, and what has come of it.
pub(crate) struct Generation {
    task: GenerationTask,
    run: DkgRun,
    members: Vec<Participant>,
    round1: BTreeMap<String, DkgRound1>,
    round2: BTreeMap<String, DkgRound2>,
    round3: BTreeMap<String, DkgRound2>,
    agreements: BTreeMap<String, DkgAgreement>,
    /// The authority file that all agreed to, while the new shares sign it.
    testing: Option<String>,
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
            members: task.order.members(),
            task,
            run,
            round1: BTreeMap::new(),
            round2: BTreeMap::new(),
            round3: BTreeMap::new(),
            agreements: BTreeMap::new(),
            testing: None,
            resend,
            attempts: 1,
        }
    }

    pub(crate) fn deadline(&self) -> u64 {
        self.resend
    }

    fn round1_is_complete(&self) -> bool {
        self.round1.len() == self.members.len()
    }

    fn round2_is_complete(&self) -> bool {
        self.round2.len() == self.members.len()
    }

    /// Those who agree at the end.
    fn receivers(&self) -> usize {
        let members = self.members.iter();
        members
            .filter(|member| self.task.order.gets_share(&member.name))
            .count()
    }

    /// What this node is to be told now, if its answer is what the run waits for.
    fn message_for(&self, node: &str) -> Option<ToNode> {
        if !self.round1_is_complete() {
            return (!self.round1.contains_key(node)).then(|| {
                ToNode::DkgStart(DkgStart {
                    run: self.run,
                    proof: self.task.proof.clone().into(),
                })
            });
        }
        if !self.round2_is_complete() {
            return (!self.round2.contains_key(node)).then(|| {
                ToNode::DkgRound1s(DkgRound1s {
                    run: self.run,
                    round1: self.round1.values().cloned().collect(),
                })
            });
        }
        let all = |round2: &BTreeMap<String, DkgRound2>| DkgRound2s {
            run: self.run,
            round2: round2.values().cloned().collect(),
        };
        if let RunOrder::Repair(repair) = &self.task.order {
            if self.round3.len() < repair.helpers.len() {
                let waits = node != repair.patient.name && !self.round3.contains_key(node);
                return waits.then(|| ToNode::DkgRound2s(all(&self.round2)));
            }
            return (node == repair.patient.name).then(|| ToNode::RepairRound3s(all(&self.round3)));
        }
        (self.task.order.gets_share(node) && !self.agreements.contains_key(node))
            .then(|| ToNode::DkgRound2s(all(&self.round2)))
    }

    fn tell_all(&self, output: &mut CoordinatorOutput) {
        for member in &self.members {
            if let Some(message) = self.message_for(&member.name) {
                output.to(&member.name, message);
            }
        }
    }

    fn missing(&self) -> Vec<String> {
        let members = self.members.iter();
        members
            .filter(|member| self.message_for(&member.name).is_some())
            .map(|member| member.name.clone())
            .collect()
    }
}

impl Coordinator {
    /// Has a key made or shared anew, or a share repaired. A run that is under way ends.
    pub fn generate_key<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        task: GenerationTask,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        self.end_test();
        let generation = Generation::new(task, now.saturating_add(self.patience.generation), rng);
        generation.tell_all(&mut output);
        self.generation = Some(generation);
        output
    }

    /// Is a run under way?
    pub fn is_generating(&self) -> bool {
        self.generation.is_some()
    }

    pub(crate) fn resume_generation(&self, node: &str, output: &mut CoordinatorOutput) {
        let Some(generation) = &self.generation else {
            return;
        };
        if find(&generation.members, node).is_ok()
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
            // While new shares sign, the session has deadlines of its own.
            if generation.testing.is_none() {
                output.events.push(Event::GenerationWaits {
                    run: generation.run,
                    missing: generation.missing(),
                });
                generation.tell_all(output);
            }
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
            || check_round1(&round1, &generation.run, &generation.members).is_err()
        {
            return output.culprit(node, "a round-1 message of a run that it did not sign");
        }
        // The first word counts: another one later would be an equivocation of our own making.
        let complete = generation.round1_is_complete();
        generation.round1.entry(node.into()).or_insert(round1);
        if !complete && generation.round1_is_complete() {
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
                .check_sender(Round::Two, &generation.run, &generation.members)
                .is_err()
        {
            return output.culprit(node, "a round-2 message of a run that it did not sign");
        }
        let complete = generation.round2_is_complete();
        generation.round2.entry(node.into()).or_insert(round2);
        if !complete && generation.round2_is_complete() {
            generation.resend = now.saturating_add(self.patience.generation);
            generation.tell_all(output);
        }
    }

    pub(crate) fn repair_round3(
        &mut self,
        now: u64,
        node: &str,
        round3: DkgRound2,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.as_mut().filter(|g| g.run == round3.run) else {
            return;
        };
        let RunOrder::Repair(repair) = &generation.task.order else {
            return;
        };
        if round3.name != node
            || round3
                .check_sender(Round::Three, &generation.run, &repair.helpers)
                .is_err()
        {
            return output.culprit(node, "a round-3 message of a repair that it did not sign");
        }
        let needed = repair.helpers.len();
        let complete = generation.round3.len() == needed;
        generation.round3.entry(node.into()).or_insert(round3);
        if !complete && generation.round3.len() == needed {
            generation.resend = now.saturating_add(self.patience.generation);
            generation.tell_all(output);
        }
    }

    pub(crate) fn repaired(&mut self, node: &str, run: DkgRun, output: &mut CoordinatorOutput) {
        let ends = |generation: &mut Generation| {
            generation.run == run
                && matches!(&generation.task.order, RunOrder::Repair(repair) if repair.patient.name == node)
        };
        if self.generation.take_if(ends).is_some() {
            output.events.push(Event::ShareRepaired {
                run,
                node: node.into(),
            });
        }
    }

    pub(crate) fn dkg_agreement<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        node: &str,
        agreement: DkgAgreement,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.as_mut().filter(|g| g.run == agreement.run) else {
            return;
        };
        let member = find(&generation.members, node);
        let Some(participant) = member
            .ok()
            .filter(|_| generation.task.order.gets_share(node))
        else {
            return;
        };
        if !participant
            .approval_key
            .verify(agreement.text.as_slice(), &agreement.signature)
        {
            return output.culprit(node, "an agreement that it did not sign");
        }
        generation.agreements.insert(node.into(), agreement);
        if generation.agreements.len() < generation.receivers() || generation.testing.is_some() {
            return;
        }
        let mut agreements = generation.agreements.iter();
        let Some((_, first)) = agreements.next() else {
            return;
        };
        let group_key = first.group_key;
        let differing = agreements
            .find(|(_, other)| other.text != first.text || other.group_key != group_key)
            .map(|(name, _)| name.clone());
        let text = String::from_utf8(first.text.as_slice().to_vec());
        let (None, Ok(text)) = (&differing, text) else {
            let run = generation.run;
            self.generation = None;
            return output.events.push(Event::GenerationFailed {
                run,
                node: differing.unwrap_or_default(),
                code: Code::Equivocation,
                reason: "the participants agree to different authority files: compare their logs"
                    .into(),
            });
        };
        let RunOrder::Reshare(order) = &generation.task.order else {
            return self.agreed(group_key, text, None, output);
        };
        let round1: Vec<DkgRound1> = generation.round1.values().cloned().collect();
        match reshare::public_shares(order, &round1) {
            Ok(public) => self.test(now, rng, public, text, output),
            // Every receiver checked the same, and agreed.
            Err(error) => {
                let run = generation.run;
                self.generation = None;
                output.events.push(Event::GenerationFailed {
                    run,
                    node: String::new(),
                    code: Code::Cheater,
                    reason: error.to_string(),
                });
            }
        }
    }

    /// The new shares sign the authority file that would put them in force.
    fn test<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        public: PublicShares,
        text: String,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = &mut self.generation else {
            return;
        };
        let patience = self.patience.generation.saturating_mul(TEST_PATIENCE);
        let asked = SignTask {
            index: generation.run.index,
            proof: generation.task.proof.clone(),
            csr: Vec::new(),
            openings: Vec::new(),
            tbs: text.as_bytes().to_vec(),
            group_key: public.group_key,
            deadline: now.saturating_add(patience),
        };
        generation.testing = Some(text);
        let number = generation.run.index;
        self.tasks.remove(&number);
        self.add_task(now, rng, number, asked, Some(public), output);
    }

    /// Forgets the test of a run that ends.
    fn end_test(&mut self) {
        if let Some(generation) = &self.generation
            && generation.testing.is_some()
        {
            self.tasks.remove(&generation.run.index);
        }
    }

    /// What came of the test is told as the run's result: its task is of nobody else's making.
    pub(crate) fn take_test(&mut self, output: &mut CoordinatorOutput) {
        let Some(generation) = self.generation.as_ref().filter(|g| g.testing.is_some()) else {
            return;
        };
        let run = generation.run;
        let of_test = |event: &Event| {
            matches!(event,
                Event::Signed { task, .. } | Event::SignRefused { task, .. } | Event::Lapsed { task }
                | Event::SignersMissing { task, .. } if *task == run.index)
        };
        let events = std::mem::take(&mut output.events);
        for event in events {
            if !of_test(&event) {
                output.events.push(event);
                continue;
            }
            match event {
                Event::Signed { signature, .. } => {
                    let testing = self.generation.as_mut().and_then(|g| g.testing.take());
                    let group_key = self.generation.as_ref().and_then(|generation| {
                        let first = generation.agreements.values().next();
                        first.map(|agreement| agreement.group_key)
                    });
                    if let (Some(text), Some(group_key)) = (testing, group_key) {
                        self.agreed(group_key, text, Some(signature), output);
                    }
                }
                Event::SignRefused { code, reason, .. } => {
                    self.generation = None;
                    output.events.push(Event::GenerationFailed {
                        run,
                        node: String::new(),
                        code,
                        reason: format!("the new shares do not sign: {reason}"),
                    });
                }
                Event::Lapsed { .. } => {
                    self.generation = None;
                    output.events.push(Event::GenerationFailed {
                        run,
                        node: String::new(),
                        code: Code::OutOfTurn,
                        reason: "too few of the nodes that have new shares signed with them in time: start the run again"
                            .into(),
                    });
                }
                // The deadline tells.
                _ => {}
            }
        }
    }

    fn agreed(
        &mut self,
        group_key: [u8; 32],
        text: String,
        key_signature: Option<[u8; 64]>,
        output: &mut CoordinatorOutput,
    ) {
        let Some(generation) = self.generation.take() else {
            return;
        };
        let round1: Vec<DkgRound1> = generation.round1.into_values().collect();
        // Each arrived in a frame, so it can be written; the ledger would refuse a key whose transcript is empty.
        let transcript = transcript(&generation.run, &round1).unwrap_or_default();
        output.events.push(Event::KeyAgreed {
            run: generation.run,
            group_key,
            text,
            signatures: generation
                .agreements
                .iter()
                .map(|(name, agreement)| (name.clone(), agreement.signature))
                .collect(),
            key_signature,
            transcript,
        });
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
        // Once everybody has agreed, a late refusal says nothing of the run.
        let ours = |generation: &mut Generation| {
            generation.run == run
                && generation.testing.is_none()
                && find(&generation.members, node).is_ok()
        };
        let Some(generation) = self.generation.take_if(ours) else {
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
