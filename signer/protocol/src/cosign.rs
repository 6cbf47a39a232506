//! What a cosignature says: *the log is append-only, I durably hold every entry and every object that it names, every
//! entry other than an issuance is valid, and no entry's time is more than 120 s ahead of my clock.*
//!
//! The node trusts no consistency proof: it holds every entry, and hashes the root itself. It never cosigns below its
//! head, nor another root at its head's size. Entries, objects and head are persisted before the cosignature leaves,
//! so a node that crashes in between has said nothing that it does not hold.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use bauta_log::{Edge, SignedCheckpoint, tile::TileFile};
use sha2::{Digest as _, Sha256};

use crate::{
    memory::Memory,
    messages::{
        Append, Bytes, Code, Cosigned, Digest, MAX_OBJECT, Object, ObjectWanted, Received, Stage,
        Subject, ToCoordinator,
    },
    node::{CLOCK_WINDOW, DurableHead, Node, NodeEvent, Output, Record},
    rulebook::{ExtendError, Objects, Rulebook, Store},
};

/// The most bytes of entries and objects that wait for their checkpoint to be reached.
pub const MAX_STAGED: usize = 512 << 20;

/// What waits in memory: entries after the head that a signed checkpoint covers, and the objects that they need.
pub(crate) struct Staging {
    /// The newest checkpoint that the entries lead to.
    signed: SignedCheckpoint,
    note: Vec<u8>,
    entries: Vec<Vec<u8>>,
    objects: BTreeMap<Digest, Vec<u8>>,
    /// Objects asked for, and what has come of them.
    wanted: BTreeMap<Digest, Vec<u8>>,
}

impl Staging {
    fn bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(Vec::len).sum();
        let objects = self.objects.values().chain(self.wanted.values());
        entries + objects.map(Vec::len).sum::<usize>()
    }
}

/// The store with the staged objects over it; it remembers which were read, for those alone are kept.
struct Overlay<'a> {
    store: &'a dyn Store,
    staged: &'a BTreeMap<Digest, Vec<u8>>,
    read: RefCell<BTreeSet<Digest>>,
}

impl Objects for Overlay<'_> {
    fn object(&self, digest: &Digest) -> Option<Vec<u8>> {
        match self.staged.get(digest) {
            Some(bytes) => {
                self.read.borrow_mut().insert(*digest);
                Some(bytes.clone())
            }
            None => self.store.object(digest),
        }
    }
}

impl<B: Rulebook> Node<B> {
    pub(crate) fn append(
        &mut self,
        now: u64,
        store: &dyn Store,
        append: Append,
        output: &mut Output,
    ) {
        let note = append.checkpoint.as_slice();
        let signed = match SignedCheckpoint::parse(note) {
            Ok(signed) => signed,
            Err(error) => return output.refuse(Subject::Append(0), Code::LogSignature, error),
        };
        let head = signed.checkpoint().head();
        let subject = Subject::Append(head.size);
        if self.standing.stage == Stage::Out
            && let Err((code, reason)) = self.require_welcome()
        {
            return output.refuse(subject, code, reason);
        }
        if let Err(error) = self.config.log.verify(&signed) {
            return output.refuse(subject, Code::LogSignature, error);
        }
        if !signed.checkpoint().extension().is_empty() {
            return output.refuse(
                subject,
                Code::LogSignature,
                "this log's checkpoints have no extension lines",
            );
        }
        if head.size < self.head.size {
            let reason = format!("this node cosigned size {} already", self.head.size);
            return output.refuse(subject, Code::GoesBack, reason);
        }
        if head.size == self.head.size {
            if head.root != self.head.root {
                output.events.push(NodeEvent::Fork {
                    ours: self.checkpoint.clone(),
                    theirs: note.to_vec(),
                });
                let reason = "another root at a size that this node cosigned: the log has forked";
                return output.refuse(subject, Code::Forked, reason);
            }
            self.observe(store, &signed, output);
            // The head is durable: saying it again, with the time of now, adds nothing.
            return self.cosign(now, &signed, output);
        }
        if let Err(reason) = self.stage(signed, append) {
            self.staging = None;
            return output.refuse(subject, Code::Malformed, reason);
        }
        self.close(now, store, output);
    }

    /// Adds to what is staged. Entries that are held already are skipped: if they are other ones, the root will tell.
    fn stage(&mut self, signed: SignedCheckpoint, append: Append) -> Result<(), String> {
        let note = append.checkpoint.as_slice().to_vec();
        let size = signed.checkpoint().head().size;
        let staging = match &mut self.staging {
            Some(staging) => {
                staging.signed = signed;
                staging.note = note;
                staging
            }
            None => self.staging.insert(Staging {
                signed,
                note,
                entries: Vec::new(),
                objects: BTreeMap::new(),
                wanted: BTreeMap::new(),
            }),
        };
        let next = self.head.size + staging.entries.len() as u64;
        if append.first <= next {
            let skip = usize::try_from(next - append.first).unwrap_or(usize::MAX);
            let fresh = append.entries.into_iter().skip(skip);
            staging.entries.extend(fresh.map(Bytes::into_vec));
        }
        let wanted = usize::try_from(size - self.head.size).unwrap_or(usize::MAX);
        staging.entries.truncate(wanted);
        for object in append.objects {
            let bytes = object.into_vec();
            staging.objects.insert(Sha256::digest(&bytes).into(), bytes);
        }
        if staging.bytes() > MAX_STAGED {
            return Err(format!(
                "more than {MAX_STAGED} bytes wait for their checkpoint: send one of a smaller size first"
            ));
        }
        Ok(())
    }

    pub(crate) fn object(
        &mut self,
        now: u64,
        store: &dyn Store,
        object: Object,
        output: &mut Output,
    ) {
        let subject = Subject::Object(object.digest);
        // An object that was not asked for, or comes twice, is nothing to complain of: messages cross.
        let Some(staging) = &mut self.staging else {
            return;
        };
        let Some(part) = staging.wanted.get_mut(&object.digest) else {
            return;
        };
        if object.offset == part.len() as u64 {
            part.extend_from_slice(object.bytes.as_slice());
        }
        let length = part.len() as u64;
        if length > MAX_OBJECT || length > object.length {
            staging.wanted.remove(&object.digest);
            return output.refuse(
                subject,
                Code::Object,
                "longer than it may be or was said to be",
            );
        }
        if length < object.length {
            return output.send.push(ToCoordinator::ObjectWanted(ObjectWanted {
                digest: object.digest,
                offset: length,
            }));
        }
        let bytes = staging.wanted.remove(&object.digest).unwrap_or_default();
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != object.digest {
            return output.refuse(
                subject,
                Code::Object,
                "the bytes are not the object of this digest",
            );
        }
        staging.objects.insert(object.digest, bytes);
        if staging.wanted.is_empty() {
            self.close(now, store, output);
        }
    }

    /// If the staged entries reach their checkpoint: check everything, persist, cosign.
    fn close(&mut self, now: u64, store: &dyn Store, output: &mut Output) {
        let Some(mut staging) = self.staging.take() else {
            return;
        };
        let head = staging.signed.checkpoint().head();
        let subject = Subject::Append(head.size);
        let next = self.head.size + staging.entries.len() as u64;
        if next < head.size {
            output.send.push(ToCoordinator::Received(Received { next }));
            self.staging = Some(staging);
            return;
        }
        // The cheap check that binds everything comes first: these are the bytes that the log signed.
        let (edge, tiles): (Edge, Vec<TileFile>) = match self.edge.extend(&staging.entries) {
            Ok(extended) => extended,
            Err(error) => return output.refuse(subject, Code::WrongRoot, error),
        };
        if edge.head() != head {
            let reason = format!("the entries do not hash to the root of size {}", head.size);
            return output.refuse(subject, Code::WrongRoot, reason);
        }
        let limit = now.saturating_add(CLOCK_WINDOW);
        let times = staging
            .entries
            .iter()
            .map(|entry| self.rulebook.claimed_time(entry));
        if let Some(time) = times.flatten().find(|time| *time > limit) {
            let reason = format!(
                "an entry's time, {time}, is more than {CLOCK_WINDOW} s ahead of this node's clock, {now}: compare the clocks"
            );
            return output.refuse(subject, Code::Ahead, reason);
        }
        let overlay = Overlay {
            store,
            staged: &staging.objects,
            read: RefCell::default(),
        };
        match self.rulebook.extend(&staging.entries, &overlay) {
            Ok(_) => {}
            Err(ExtendError::Missing(digests)) => {
                for digest in digests {
                    let part = staging.wanted.entry(digest).or_default();
                    output.send.push(ToCoordinator::ObjectWanted(ObjectWanted {
                        digest,
                        offset: part.len() as u64,
                    }));
                }
                self.staging = Some(staging);
                return;
            }
            Err(error @ ExtendError::Invalid { .. }) => {
                return output.refuse(subject, Code::InvalidEntry, error);
            }
        }
        let before = self.edge.clone();
        self.mark_change(&before, &staging.entries);
        self.mark_roots(&before, &staging.entries);
        let read = overlay.read.into_inner();
        for digest in read {
            if let Some(bytes) = staging.objects.remove(&digest) {
                output.persist.push(Record::Object { digest, bytes });
            }
        }
        output.persist.push(Record::Entries {
            first: self.head.size,
            entries: staging.entries,
        });
        output.persist.push(Record::Tiles(tiles));
        output.persist.push(Record::Head(DurableHead {
            head,
            checkpoint: staging.note.clone(),
        }));
        self.edge = edge;
        self.head = head;
        self.checkpoint = staging.note;
        // A head that was published may come with its quorums.
        self.observe(store, &staging.signed, output);
        self.activate(output);
        self.cosign(now, &staging.signed, output);
    }

    pub(crate) fn cosign(&mut self, now: u64, signed: &SignedCheckpoint, output: &mut Output) {
        let checkpoint = signed.checkpoint();
        let head = checkpoint.head();
        if let Err((code, reason)) = self.require_welcome() {
            return output.refuse(Subject::Append(head.size), code, reason);
        }
        if head != self.standing.cosigned {
            self.standing.cosigned = head;
            output.persist.push(Record::Remember {
                name: Memory::Cosigned,
                value: crate::welcome::encode_head(&head),
            });
        }
        let line = self
            .keys
            .cosignature
            .sign(&checkpoint.cosignature_message(now))
            .map_err(|error| error.to_string())
            .and_then(|signature| {
                self.config
                    .cosignature
                    .cosignature(now, &signature)
                    .map_err(|error| error.to_string())
            });
        match line {
            Ok(line) => {
                output.events.push(NodeEvent::Cosigned(head));
                output.send.push(ToCoordinator::Cosigned(Cosigned {
                    size: head.size,
                    root: head.root,
                    line: line.to_bytes().into(),
                }));
            }
            Err(reason) => output.refuse(Subject::Append(head.size), Code::Internal, reason),
        }
    }
}
