//! What a logged key operation has nodes do together: [`RunOrder`]. Who takes part is read from the log, by node and coordinator
//! each for itself.

use crate::{
    dkg::Participants,
    exchange::{Participant, find},
    keys::PublicShares,
};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOrder {
    /// Make a key.
    Generate(Participants),
    /// Share a key anew, to the same signers (a refresh) or others.
    Reshare(Reshare),
    /// Make one lost share again.
    Repair(Repair),
}

/// A resharing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshare {
    /// The sharing in force.
    pub from: PublicShares,
    /// Whose shares the new ones are made of: as many as the threshold in force; their identifiers are those of that sharing.
    pub dealers: Vec<Participant>,
    /// Who gets a new share.
    pub receivers: Participants,
}

/// A repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The sharing in force.
    pub public: PublicShares,
    /// Whose share is lost.
    pub patient: Participant,
    /// Who make it again: as many as the threshold.
    pub helpers: Vec<Participant>,
}

impl RunOrder {
    /// All nodes that take part, each once, by name. An identifier here may be one of the old or of the new sharing.
    pub fn members(&self) -> Vec<Participant> {
        let mut members: Vec<Participant> = match self {
            Self::Generate(participants) => participants.list.clone(),
            Self::Reshare(reshare) => reshare
                .dealers
                .iter()
                .chain(&reshare.receivers.list)
                .cloned()
                .collect(),
            Self::Repair(repair) => repair
                .helpers
                .iter()
                .chain([&repair.patient])
                .cloned()
                .collect(),
        };
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup_by(|a, b| a.name == b.name);
        members
    }

    /// Those who agree to what comes of it; for a repair the one who has its share back.
    pub(crate) fn gets_share(&self, name: &str) -> bool {
        match self {
            Self::Generate(participants) => find(&participants.list, name).is_ok(),
            Self::Reshare(reshare) => find(&reshare.receivers.list, name).is_ok(),
            Self::Repair(repair) => repair.patient.name == name,
        }
    }
}
