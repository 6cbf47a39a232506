//! The transcript that a CA key, or a new sharing of one, names: what its makers committed to gives group key and verifying
//! shares as the authority file has them. The transcript is an object of the log.
use std::collections::BTreeSet;

use bauta_statement::entry::MAX_OBJECT_BYTES;
use bauta_statement::file::authority::{Authority, CaKey};
use bauta_statement::file::key_operation::{GenerateKey, ReshareKey};
use bauta_statement::note::sha256;
use bauta_statement::run::{DkgRound1, decode_transcript};

use super::error::Refusal;
use super::files::Place;
use crate::sharing::{self, Commitments, Dealer};

fn refused(why: impl ToString) -> Refusal {
    Refusal::Transcript(why.to_string())
}

/// The key is what the participants of its generation committed to.
pub(super) fn of_generation(
    place: &Place<'_>,
    authority: &Authority,
    operation: u64,
    generate: &GenerateKey,
    key: &CaKey,
) -> Result<(), Refusal> {
    let names: BTreeSet<&str> = generate
        .participants
        .iter()
        .map(|participant| participant.signer.as_str())
        .collect();
    let round1 = messages(place, authority, operation, &names, key)?;
    let participants = generate
        .participants
        .iter()
        .map(|participant| (participant.identifier, participant.signer.as_str()));
    let commitments =
        sharing::generated(participants, threshold(key)?, &round1).map_err(refused)?;
    gives(&commitments, key)
}

/// The shares are what the dealers of the resharing committed to, each to its share of before.
pub(super) fn of_resharing(
    place: &Place<'_>,
    authority: &Authority,
    operation: u64,
    reshare: &ReshareKey,
    before: &CaKey,
    key: &CaKey,
) -> Result<(), Refusal> {
    let names: BTreeSet<&str> = reshare
        .participants
        .iter()
        .map(|participant| &participant.signer)
        .chain(&reshare.dealers)
        .map(String::as_str)
        .collect();
    let round1 = messages(place, authority, operation, &names, key)?;
    let dealers: Vec<Dealer<'_>> = before
        .verifying_shares
        .iter()
        .filter(|share| reshare.dealers.contains(&share.signer))
        .map(|share| Dealer {
            identifier: share.identifier,
            name: &share.signer,
            share: &share.share,
        })
        .collect();
    let commitments = sharing::dealt(&dealers, threshold(key)?, &round1).map_err(refused)?;
    gives(&commitments, key)
}

fn threshold(key: &CaKey) -> Result<u16, Refusal> {
    u16::try_from(key.t).map_err(refused)
}

/// The first messages of the run, one of each member, each signed by the member's approval key.
fn messages(
    place: &Place<'_>,
    authority: &Authority,
    operation: u64,
    members: &BTreeSet<&str>,
    key: &CaKey,
) -> Result<Vec<DkgRound1>, Refusal> {
    let bytes = place
        .objects
        .get(&key.transcript)
        .ok_or(Refusal::MissingObject(key.transcript))?;
    if bytes.len() > MAX_OBJECT_BYTES as usize || sha256(&bytes) != key.transcript {
        return Err(Refusal::WrongObject(key.transcript));
    }
    let (run, round1) = decode_transcript(&bytes).map_err(refused)?;
    if run.operation != key.operation || run.index != operation {
        return Err(refused("it is of another key operation"));
    }
    // In order of names, so each is there once.
    if !round1
        .iter()
        .map(|message| message.name.as_str())
        .eq(members.iter().copied())
    {
        return Err(refused("not one message from each member"));
    }
    for message in &round1 {
        let signer = authority
            .signers
            .iter()
            .find(|one| one.name == message.name);
        let signed = message.signed_bytes().map_err(refused)?;
        if !signer
            .is_some_and(|signer| signer.approval.public().verify(&signed, &message.signature))
        {
            return Err(refused(format!(
                "{}'s message does not bear its approval key's signature",
                message.name
            )));
        }
    }
    Ok(round1)
}

/// The commitments' group key and verifying shares are the file's.
fn gives(commitments: &Commitments, key: &CaKey) -> Result<(), Refusal> {
    let shares = &key.verifying_shares;
    let holders =
        sharing::identifiers(shares.iter().map(|share| share.identifier)).map_err(refused)?;
    let public = sharing::public(commitments, &holders).map_err(refused)?;
    let group_key = public.verifying_key().serialize().map_err(refused)?;
    let mut same = group_key.as_slice() == key.group_key;
    for share in shares {
        let holder = sharing::identifier(share.identifier).map_err(refused)?;
        let computed = public
            .verifying_shares()
            .get(&holder)
            .and_then(|computed| computed.serialize().ok());
        same &= computed.is_some_and(|computed| computed.as_slice() == share.share);
    }
    if same {
        Ok(())
    } else {
        Err(refused("what was committed to gives other shares"))
    }
}
