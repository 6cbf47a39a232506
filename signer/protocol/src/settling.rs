//! What q signers have cosigned, as a node learns it: the coordinator passes every published checkpoint on.
//!
//! - **A change of signers** takes effect at a head that q of the old and q of the new have cosigned. The checkpoint
//!   that shows it is durable here, so that a node which is started anew does not wait for signers that are gone. It
//!   counts for this node's own log alone: its head, or the head that the change was logged at.
//! - **What each signer held.** The largest checkpoint with a signer's valid cosignature is remembered; the line proves
//!   it. It is written with the next record that has to be durable anyway, since no answer rests on it.

use std::collections::BTreeMap;

use bauta_log::{CosignedCheckpoint, Edge, Head, SignedCheckpoint, checkpoint::CheckpointError};

use bauta_statement::approval::ApprovalPublicKey;

use crate::{
    memory::Memory,
    messages::{Code, MAX_SIGNERS, Published, Subject},
    node::{Node, NodeEvent, Output, Record, RestoreError},
    rulebook::{Rulebook, Store},
};

/// What a node knows of others' cosignatures.
#[derive(Default)]
pub(crate) struct Settling {
    /// The head at which the change of signers that waits for its quorums was logged.
    change: Option<Head>,
    /// How many changes were settled: the number of the next row.
    settled: u64,
    /// What each signer was seen to hold, by its approval key.
    seen: BTreeMap<ApprovalPublicKey, Seen>,
}

struct Seen {
    size: u64,
    note: Vec<u8>,
    saved: bool,
}

/// The checkpoint, if all of these policies are satisfied.
fn quorums<B: Rulebook>(rulebook: &B, signed: &SignedCheckpoint) -> Option<CosignedCheckpoint> {
    let checked: Result<Vec<_>, _> = rulebook
        .log_policies()
        .iter()
        .map(|policy| policy.check(signed))
        .collect();
    checked.ok()?.pop()
}

impl<B: Rulebook> Node<B> {
    /// A checkpoint that was published.
    pub(crate) fn published(
        &mut self,
        store: &dyn Store,
        published: &Published,
        output: &mut Output,
    ) {
        match self.own_log(published.checkpoint.as_slice()) {
            Ok(signed) => self.observe(store, &signed, output),
            Err(reason) => output.refuse(Subject::Append(0), Code::LogSignature, reason),
        }
    }

    /// A checkpoint of this log, signed by its key.
    pub(crate) fn own_log(&self, note: &[u8]) -> Result<SignedCheckpoint, String> {
        let signed = SignedCheckpoint::parse(note).map_err(|error| error.to_string())?;
        self.config
            .log
            .verify(&signed)
            .map_err(|error| error.to_string())?;
        Ok(signed)
    }

    /// Learns from the cosignatures on a checkpoint that bears the log's own signature.
    pub(crate) fn observe(
        &mut self,
        store: &dyn Store,
        signed: &SignedCheckpoint,
        output: &mut Output,
    ) {
        self.remember_lines(store, signed);
        let head = signed.checkpoint().head();
        let of_this_log = head == self.head || Some(head) == self.settling.change;
        let settles = self
            .rulebook
            .unsettled()
            .is_some_and(|size| head.size >= size);
        let old = self.old_shares(head.size);
        if !of_this_log || !(settles || self.rulebook.awaits_quorum() || !old.is_empty()) {
            return;
        }
        let Some(checkpoint) = quorums(&self.rulebook, signed) else {
            return;
        };
        self.rulebook.quorum_seen(&checkpoint);
        self.erase(old, output);
        if settles {
            self.settling.change = None;
            output.persist.push(Record::Remember {
                name: Memory::Settled(self.settling.settled),
                value: signed.to_bytes(),
            });
            self.settling.settled += 1;
            output.events.push(NodeEvent::SignersChanged(head));
        }
    }

    fn remember_lines(&mut self, store: &dyn Store, signed: &SignedCheckpoint) {
        let checkpoint = signed.checkpoint();
        let size = checkpoint.head().size;
        for signer in self.rulebook.authorities().iter().flat_map(|a| &a.signers) {
            let Some(line) = signed
                .signatures()
                .iter()
                .find(|line| signer.cosignature.verify(checkpoint, line).is_ok())
            else {
                continue;
            };
            let before = match self.settling.seen.get(&signer.approval) {
                Some(seen) => seen.size,
                None => match self.seen(store, &signer.approval) {
                    Ok(seen) => seen.map_or(0, |signed| signed.checkpoint().head().size),
                    Err(_) => continue,
                },
            };
            if size <= before {
                continue;
            }
            // The log's own line, and this signer's: what the proof needs.
            let mut note = checkpoint.text().into_bytes();
            note.push(b'\n');
            let log = |other: &&bauta_log::NoteSignature| {
                other.name() == self.config.log.name() && other.id() == self.config.log.id()
            };
            note.extend(
                signed
                    .signatures()
                    .iter()
                    .find(log)
                    .into_iter()
                    .chain([line])
                    .flat_map(bauta_log::NoteSignature::to_bytes),
            );
            let seen = Seen {
                size,
                note,
                saved: false,
            };
            self.settling.seen.insert(signer.approval, seen);
        }
    }

    /// The largest checkpoint on which this signer's cosignature was seen.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn seen(
        &self,
        store: &dyn Store,
        approval: &ApprovalPublicKey,
    ) -> Result<Option<SignedCheckpoint>, CheckpointError> {
        let note = match self.settling.seen.get(approval) {
            Some(seen) => Some(seen.note.clone()),
            None => store.remembered(&Memory::Seen(*approval)),
        };
        note.map(|note| SignedCheckpoint::parse(&note)).transpose()
    }

    /// What was seen and is not durable yet goes along with what has to be.
    pub(crate) fn save_seen(&mut self, output: &mut Output) {
        for (approval, seen) in &mut self.settling.seen {
            if !seen.saved {
                seen.saved = true;
                output.persist.push(Record::Remember {
                    name: Memory::Seen(*approval),
                    value: seen.note.clone(),
                });
            }
        }
        // The rows stay; in memory there are those of signers that still sign.
        if self.settling.seen.len() <= MAX_SIGNERS {
            return;
        }
        let authorities = self.rulebook.authorities();
        self.settling.seen.retain(|approval, _| {
            let signers = authorities.iter().flat_map(|a| &a.signers);
            signers
                .into_iter()
                .any(|signer| signer.approval == *approval)
        });
    }

    /// Entries were appended: where is the head that holds the change which now waits?
    pub(crate) fn mark_change(&mut self, before: &Edge, entries: &[Vec<u8>]) {
        let Some(size) = self.rulebook.unsettled() else {
            self.settling.change = None;
            return;
        };
        if size > before.size() {
            let count = usize::try_from(size - before.size()).unwrap_or(usize::MAX);
            self.settling.change = before
                .extend(entries.get(..count).unwrap_or_default())
                .ok()
                .map(|(edge, _)| edge.head());
        }
    }

    /// The checkpoint that settled the next change, as it was remembered.
    pub(crate) fn next_settled(
        &self,
        store: &dyn Store,
    ) -> Result<Option<SignedCheckpoint>, RestoreError> {
        store
            .remembered(&Memory::Settled(self.settling.settled))
            .map(|note| SignedCheckpoint::parse(&note).map_err(|_| RestoreError::Settled))
            .transpose()
    }

    /// The replay has come to where a change was settled.
    pub(crate) fn settle_again(&mut self, signed: &SignedCheckpoint) -> Result<(), RestoreError> {
        let checkpoint = Some(self.edge.head())
            .filter(|head| *head == signed.checkpoint().head())
            .and_then(|_| quorums(&self.rulebook, signed))
            .ok_or(RestoreError::Settled)?;
        self.rulebook.quorum_seen(&checkpoint);
        self.settling.change = None;
        self.settling.settled += 1;
        Ok(())
    }
}
