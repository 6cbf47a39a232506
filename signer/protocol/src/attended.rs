//! A node that a person attends, as those of a root CA: between visits it holds no share in memory and signs nothing. Its
//! holder is shown what administrators ordered, agrees to some of it, and opens the shares for as long as a session
//! lasts; whatever else is asked meanwhile is refused. Cosigning goes on without anybody.

use std::collections::BTreeSet;

use rand_core::{CryptoRng, RngCore};

use crate::{
    messages::{Code, GroupKey},
    node::{HeldKey, Node, NodeEvent, Output, StoredShare},
    rulebook::Rulebook,
};

/// How long a session lasts, in seconds.
pub const SESSION: u64 = 300;

/// Something that administrators ordered, which an attended node does only if its holder agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Index of the logged key operation.
    pub index: u64,
    /// Name and version of its file.
    pub file: String,
    /// What it orders, for a person to read.
    pub what: String,
    /// The key that signs; `None` where one is to be made, or shares of it.
    pub group_key: Option<GroupKey>,
}

/// What a holder agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval {
    /// Key operations, by the index of their entries.
    pub operations: BTreeSet<u64>,
    /// Issuances under a policy of this name, and how many at most.
    pub issuances: Option<(String, u32)>,
}

/// Who is at the node.
#[derive(Debug, Default)]
pub(crate) enum Attendance {
    /// Nobody needs to be.
    #[default]
    NotNeeded,
    /// The holder is away: no share is in memory.
    Away,
    /// The holder opened the shares.
    Present {
        approval: Approval,
        /// Issuances that were given a share: asked again, they count no second time.
        issued: BTreeSet<u64>,
        /// Unix seconds.
        until: u64,
    },
}

impl<B: Rulebook> Node<B> {
    /// The holder opens the shares, until `now` + [`SESSION`].
    pub fn attend<R: RngCore + CryptoRng>(
        &mut self,
        now: u64,
        rng: &mut R,
        shares: Vec<StoredShare>,
        approval: Approval,
    ) -> Output {
        let mut output = Output::default();
        if matches!(self.attendance, Attendance::NotNeeded) {
            return output;
        }
        self.record_start(&mut output);
        self.attendance = Attendance::Present {
            approval,
            issued: BTreeSet::new(),
            until: now.saturating_add(SESSION),
        };
        for stored in shares {
            // A session that follows another keeps its nonces: each is used once, whoever is asked.
            let boot = self.boot;
            self.held
                .entry(stored.key)
                .or_insert_with(|| HeldKey::new(stored.share, stored.born, boot));
        }
        self.activate(&mut output);
        self.fill_stocks(rng, &mut Output::default());
        output.send.push(self.hello());
        self.offer_nonces(&mut output);
        output.events.push(NodeEvent::Attended {
            until: now.saturating_add(SESSION),
        });
        output
    }

    /// The holder leaves, or the session is over: shares and nonces are erased from memory.
    pub fn leave(&mut self) -> Output {
        let mut output = Output::default();
        if matches!(self.attendance, Attendance::Present { .. }) {
            self.record_start(&mut output);
            self.attendance = Attendance::Away;
            // Shares and nonces erase themselves.
            self.held.clear();
            self.joint = None;
            output.send.push(self.hello());
            output.events.push(NodeEvent::Left);
        }
        output
    }

    /// To be called now and then, so that a session ends in time though nobody asks for anything.
    pub fn end_session(&mut self, now: u64) -> Output {
        match self.attendance {
            Attendance::Present { until, .. } if now >= until => self.leave(),
            _ => Output::default(),
        }
    }

    /// Are the shares of an attended node open?
    pub fn holder_is_there(&self) -> bool {
        matches!(self.attendance, Attendance::Present { .. })
    }

    /// Are the shares open, as far as the holder is concerned?
    pub(crate) fn require_holder(&self) -> Result<(), (Code, String)> {
        match self.attendance {
            Attendance::Away => Err((
                Code::Away,
                "this signer is attended, and its holder is away: ask for `bauta-signer approve`"
                    .into(),
            )),
            Attendance::NotNeeded | Attendance::Present { .. } => Ok(()),
        }
    }

    /// Did the holder agree to this? `policy` is that of an issuance; without one it is a key operation.
    pub(crate) fn require_approval(
        &self,
        index: u64,
        policy: Option<&str>,
    ) -> Result<(), (Code, String)> {
        let Attendance::Present {
            approval, issued, ..
        } = &self.attendance
        else {
            return self.require_holder();
        };
        let approved = match policy {
            None => approval.operations.contains(&index),
            Some(policy) => {
                issued.contains(&index)
                    || approval.issuances.as_ref().is_some_and(|(name, most)| {
                        name == policy && (issued.len() as u64) < u64::from(*most)
                    })
            }
        };
        if approved {
            return Ok(());
        }
        let what = match policy {
            None => format!("the key operation at entry {index}"),
            Some(policy) => format!("one more issuance under {policy}"),
        };
        Err((
            Code::NotApproved,
            format!(
                "this signer's holder has not agreed to {what}: ask for `bauta-signer approve`, then ask again"
            ),
        ))
    }

    /// A share was given.
    pub(crate) fn count_issuance(&mut self, index: u64, policy: Option<&str>) {
        if let (Attendance::Present { issued, .. }, Some(_)) = (&mut self.attendance, policy) {
            issued.insert(index);
        }
    }
}
