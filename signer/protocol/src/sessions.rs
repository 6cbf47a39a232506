//! Signatures: a task is one certificate to be signed; a session is one try at it, with t signers and a fresh nonce of
//! each. A silent, refusing or cheating signer costs the session, never the task: the next one prefers others, so that
//! the signature comes about if t honest signers are live, whatever the rest do. (The idea is ROAST's, ePrint 2022/550;
//! with nonces in stock a restarted session is one round trip.)

use std::collections::{BTreeMap, BTreeSet};

use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};

use crate::{
    coordinator::{Coordinator, CoordinatorOutput, Event},
    frost_scheme::{FROST_ED25519, FrostError, aggregate},
    keys::PublicShares,
    messages::{
        Code, FrostPackage, FrostSigner, GroupKey, Refused, SignRequest, SignatureShare, Subject,
        ToNode,
    },
};

/// One certificate to be signed.
#[derive(Debug, Clone)]
pub struct SignTask {
    /// Index of the entry.
    pub index: u64,
    /// C2SP tlog-proof of the entry under q cosignatures.
    pub proof: Vec<u8>,
    /// The CSR (DER), for an issuance.
    pub csr: Vec<u8>,
    /// The openings of disclosed attributes, encoded.
    pub openings: Vec<u8>,
    /// What is to be signed, as the caller computes it from the entry.
    pub tbs: Vec<u8>,
    /// By which key.
    pub group_key: GroupKey,
    /// Unix milliseconds: after this the entry has lapsed.
    pub deadline: u64,
}

/// A task and how it stands.
pub(crate) struct Task {
    asked: SignTask,
    /// The sharing to be used, if it is not the one in force: a test of new shares.
    key: Option<PublicShares>,
    session: Option<Session>,
    /// Silences, per signer: the least silent are asked first.
    failures: BTreeMap<String, u32>,
    /// Signers that refused or cheated; they are not asked again for this task.
    out: BTreeSet<String>,
    /// Attended signers whose holders have not agreed to it; asked again when they next say where they are, as they do when a
    /// holder has agreed to something.
    undecided: BTreeSet<String>,
    starved: bool,
}

struct Session {
    id: [u8; 16],
    /// The sharing that its signers' nonces are of. A new one may come into force meanwhile; the group key is the same.
    key: PublicShares,
    package: FrostPackage,
    shares: BTreeMap<String, Vec<u8>>,
    deadline: u64,
}

impl Task {
    pub(crate) fn deadline(&self) -> u64 {
        let session = self
            .session
            .as_ref()
            .map_or(u64::MAX, |session| session.deadline);
        session.min(self.asked.deadline)
    }
}

impl Session {
    fn waits_for(&self, node: &str) -> bool {
        !self.shares.contains_key(node)
            && self
                .package
                .signers
                .iter()
                .any(|signer| signer.name == node)
    }
}

impl Coordinator {
    /// Has a certificate signed. `number` names the task in events; the same number again, while it is under way,
    /// changes nothing.
    pub fn sign<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        number: u64,
        asked: SignTask,
    ) -> CoordinatorOutput {
        let mut output = CoordinatorOutput::default();
        self.add_task(now, rng, number, asked, None, &mut output);
        output
    }

    pub(crate) fn add_task<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        number: u64,
        asked: SignTask,
        key: Option<PublicShares>,
        output: &mut CoordinatorOutput,
    ) {
        self.tasks.entry(number).or_insert_with(|| Task {
            asked,
            key,
            session: None,
            failures: BTreeMap::new(),
            out: BTreeSet::new(),
            undecided: BTreeSet::new(),
            starved: false,
        });
        self.start_session(now, rng, number, output);
    }

    /// The sharing that a task's signatures come from now.
    fn key_of<'a>(&'a self, task: &'a Task) -> Option<&'a PublicShares> {
        let in_force = || {
            let keys = &mut self.membership.keys.iter();
            keys.find(|key| key.group_key == task.asked.group_key)
        };
        task.key.as_ref().or_else(in_force)
    }

    /// Forgets a task.
    pub fn cancel(&mut self, number: u64) {
        self.tasks.remove(&number);
    }

    /// Sessions for all tasks that have none.
    pub(crate) fn start_waiting<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        output: &mut CoordinatorOutput,
    ) {
        let waiting: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.session.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in waiting {
            self.start_session(now, rng, number, output);
        }
    }

    fn start_session<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        number: u64,
        output: &mut CoordinatorOutput,
    ) {
        let Some(task) = self.tasks.get(&number) else {
            return;
        };
        if task.session.is_some() {
            return;
        }
        let key = self.key_of(task).map(|key| (key.id(), key.clone()));
        let Some(task) = self.tasks.get_mut(&number) else {
            return;
        };
        let needed = key
            .as_ref()
            .map_or(0, |(_, key)| usize::from(key.threshold));
        let mut able: Vec<(u32, u32, usize, &str)> = key
            .iter()
            .flat_map(|(id, key)| key.shares.iter().map(move |share| (id, share)))
            .filter(|(_, share)| {
                !task.out.contains(&share.signer) && !task.undecided.contains(&share.signer)
            })
            .filter_map(|(id, share)| {
                let peer = self.peers.get(&share.signer)?;
                let stock = peer.pool.get(id).map_or(0, |pool| pool.len());
                (stock > 0 && peer.size > task.asked.index).then(|| {
                    let failures = task.failures.get(&share.signer).copied().unwrap_or(0);
                    (
                        failures,
                        peer.strikes,
                        usize::MAX - stock,
                        share.signer.as_str(),
                    )
                })
            })
            .collect();
        able.sort_unstable();
        let chosen: Vec<String> = able
            .iter()
            .take(needed)
            .map(|(.., name)| (*name).to_owned())
            .collect();
        let available = able.len();
        let Some((id, key)) = key.filter(|_| available >= needed) else {
            if !task.starved {
                task.starved = true;
                output.events.push(Event::SignersMissing {
                    task: number,
                    available,
                    needed,
                    retry_after: self.patience.retry_after,
                });
            }
            return;
        };
        task.starved = false;
        let mut signers = Vec::new();
        for name in chosen {
            let pool = self
                .peers
                .get_mut(&name)
                .and_then(|peer| peer.pool.get_mut(&id));
            if let Some((slot, commitment)) = pool.and_then(|pool| pool.pop_front()) {
                signers.push(FrostSigner {
                    name,
                    slot,
                    commitment,
                });
            }
        }
        let package = FrostPackage { signers };
        let Ok(payload) = package.encode() else {
            return;
        };
        let mut session = [0; 16];
        rng.fill_bytes(&mut session);
        let request = SignRequest {
            session,
            index: task.asked.index,
            proof: task.asked.proof.clone().into(),
            csr: task.asked.csr.clone().into(),
            openings: task.asked.openings.clone().into(),
            key: id,
            tbs_digest: Sha256::digest(&task.asked.tbs).into(),
            scheme: FROST_ED25519,
            round: 1,
            payload: payload.into(),
        };
        for signer in &package.signers {
            output.to(&signer.name, ToNode::Sign(request.clone()));
        }
        task.session = Some(Session {
            id: session,
            key,
            package,
            shares: BTreeMap::new(),
            deadline: now.saturating_add(self.patience.share),
        });
    }

    fn task_of(&self, node: &str, session: [u8; 16]) -> Option<u64> {
        self.tasks
            .iter()
            .find(|(_, task)| {
                task.session
                    .as_ref()
                    .is_some_and(|s| s.id == session && s.waits_for(node))
            })
            .map(|(number, _)| *number)
    }

    pub(crate) fn share<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        node: &str,
        share: &SignatureShare,
        output: &mut CoordinatorOutput,
    ) {
        // A share that nobody waits for any more is late, not wrong.
        let Some(number) = self.task_of(node, share.session) else {
            return;
        };
        let Some(task) = self.tasks.get_mut(&number) else {
            return;
        };
        let Some(session) = &mut task.session else {
            return;
        };
        session
            .shares
            .insert(node.into(), share.payload.as_slice().to_vec());
        if session.shares.len() < session.package.signers.len() {
            return;
        }
        let key = &session.key;
        match aggregate(&session.package, key, &task.asked.tbs, &session.shares) {
            Ok(signature) => {
                self.tasks.remove(&number);
                output.events.push(Event::Signed {
                    task: number,
                    signature,
                });
                return;
            }
            Err(FrostError::Culprits { culprits }) => {
                for culprit in culprits {
                    if let Some(peer) = self.peers.get_mut(&culprit) {
                        peer.strikes += 1;
                    }
                    output.culprit(&culprit, "a signature share that does not verify");
                    task.out.insert(culprit);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                self.tasks.remove(&number);
                output.events.push(Event::SignRefused {
                    task: number,
                    code: Code::Internal,
                    reason,
                });
                return;
            }
        }
        task.session = None;
        self.give_up_or_go_on(
            now,
            rng,
            number,
            Code::Cheater,
            "too many bad shares",
            output,
        );
    }

    // All of these belong to one refusal; a struct for them would be named after it.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn session_refused<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        node: &str,
        session: [u8; 16],
        refused: Refused,
        output: &mut CoordinatorOutput,
    ) {
        output.events.push(Event::Refused {
            node: node.into(),
            subject: Subject::Session(session),
            code: refused.code,
            reason: refused.reason.clone(),
        });
        let Some(number) = self.task_of(node, session) else {
            return;
        };
        let Some(task) = self.tasks.get_mut(&number) else {
            return;
        };
        task.session = None;
        *task.failures.entry(node.into()).or_default() += 1;
        match refused.code {
            Code::NonceSpent | Code::Behind | Code::NoKey | Code::Away => {
                // It is elsewhere than was thought, or another sharing is in force there: its stock and its size are asked for
                // again.
                if let Some(peer) = self.peers.get_mut(node) {
                    peer.pool.clear();
                    peer.hello = None;
                    peer.resend = Some(now.saturating_add(self.patience.append));
                    output.to(node, ToNode::Ping);
                }
            }
            Code::NotApproved => {
                task.undecided.insert(node.into());
            }
            _ => {
                task.out.insert(node.into());
            }
        }
        self.give_up_or_go_on(now, rng, number, refused.code, &refused.reason, output);
    }

    /// A node said where it is: perhaps its holder has agreed to what it refused.
    pub(crate) fn may_have_decided(&mut self, node: &str) {
        for task in self.tasks.values_mut() {
            task.undecided.remove(node);
        }
    }

    /// If t signers are left who have not refused, the task goes on; else it is over.
    fn give_up_or_go_on<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        number: u64,
        code: Code,
        reason: &str,
        output: &mut CoordinatorOutput,
    ) {
        let Some(task) = self.tasks.get(&number) else {
            return;
        };
        let key = self.key_of(task);
        let left = key.map_or(0, |key| {
            key.shares
                .iter()
                .filter(|share| !task.out.contains(&share.signer))
                .count()
        });
        if key.is_some_and(|key| left < usize::from(key.threshold)) {
            self.tasks.remove(&number);
            output.events.push(Event::SignRefused {
                task: number,
                code,
                reason: reason.into(),
            });
        } else {
            self.start_session(now, rng, number, output);
        }
    }

    /// Ends sessions whose deadline went by, or that wait for `gone`, and tasks whose entry has lapsed.
    pub(crate) fn replace_silent<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        gone: Option<&str>,
        output: &mut CoordinatorOutput,
    ) {
        let lapsed: Vec<u64> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.asked.deadline <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in lapsed {
            self.tasks.remove(&number);
            output.events.push(Event::Lapsed { task: number });
        }
        let mut again = Vec::new();
        for (number, task) in &mut self.tasks {
            let Some(session) = &task.session else {
                continue;
            };
            let over = session.deadline <= now || gone.is_some_and(|node| session.waits_for(node));
            if !over {
                continue;
            }
            for signer in &session.package.signers {
                if session.waits_for(&signer.name) {
                    *task.failures.entry(signer.name.clone()).or_default() += 1;
                }
            }
            task.session = None;
            again.push(*number);
        }
        for number in again {
            self.start_session(now, rng, number, output);
        }
    }
}
