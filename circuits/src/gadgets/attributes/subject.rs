//! RDNSequence (RFC 5280, 4.1.2.4), walked: SETs one after the other, each of one AttributeTypeAndValue or more.

use bauta_statement::field::Fr;

use super::{
    Candidate, NEVER,
    entry::{Before, Entry, entry},
    source::SUBJECT,
};
use crate::{
    gadgets::{
        compare,
        der::{Element, HEADER, element},
        tbs::is_zero,
    },
    system::{Lc, System},
};

/// The attributes of a name, in its order, at most `most` of them.
///
/// A step is active while the place is not the name's end. It reads an entry there: a SET with its first attribute, or the next one
/// of a SET. A SET begins only where the one before ends (f·(p − S) = 0), and the name ends where its last SET does. An attribute that
/// follows a SET's end without a SET of its own is never accepted: places only grow, so no later one is that end again. The value's header is
/// read with the entry, and the value ends where the entry does.
///
/// A step that is not active reads `elsewhere`, where there must be an entry too, so no row needs to know of it; what it
/// finds is no candidate.
pub(crate) fn walk(
    system: &mut System,
    bytes: &[Lc],
    [start, end]: [&Lc; 2],
    elsewhere: &Lc,
    most: usize,
) -> Vec<Candidate> {
    let one = Lc::constant(Fr::from(1));
    let (mut next, mut set_end) = (start.clone(), start.clone());
    let mut found = Vec::new();
    for _ in 0..most {
        let active = &one - &is_zero(system, &(&next - end));
        let moved = system.product(&active, &(&next - elsewhere));
        let entry = Entry::read(system, bytes, &(elsewhere + &moved), Before::Set, HEADER);
        let value = Element::parse(system, &entry.after, &entry.place);
        system.enforce_equal(&value.end, &entry.sequence.end);

        let new = system.product(&active, &entry.set);
        compare::either_is_zero(system, &new, &(&next - &set_end));
        let longer = system.product(&new, &(&entry.first.end - &set_end));
        set_end = &set_end + &longer;
        next = &next + &system.product(&active, &(&entry.sequence.end - &next));
        found.push(Candidate::new(
            system,
            SUBJECT,
            &active,
            &entry.identifier,
            &entry.place,
        ));
    }
    system.enforce_equal(&next, end);
    system.enforce_equal(&set_end, end);
    found
}

/// The same natively: the identifier of each, behind which its value begins.
pub(super) fn attributes(
    bytes: &[u8],
    (start, end): (usize, usize),
    elsewhere: usize,
    most: usize,
) -> Result<Vec<(usize, usize)>, Refused> {
    let (mut next, mut set_end) = (start, start);
    let mut found = Vec::new();
    let read = |offset: usize| {
        let entry = entry(bytes, offset, Before::Set)?;
        let value = element(bytes, entry.identifier.1)?;
        (value.2 == entry.end).then_some(entry)
    };
    while next != end {
        if found.len() == most {
            return Err(Refused::TooMany);
        }
        let entry = read(next).ok_or(Refused::NotWalked)?;
        if entry.set {
            if next != set_end {
                return Err(Refused::NotWalked);
            }
            set_end = entry.first_end;
        }
        if entry.end > end {
            return Err(Refused::NotWalked);
        }
        next = entry.end;
        found.push(entry.identifier);
    }
    if set_end != end {
        return Err(Refused::NotWalked);
    }
    if found.len() < most && read(elsewhere).is_none() {
        return Err(Refused::Elsewhere);
    }
    Ok(found)
}

/// Why a name is not walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    TooMany,
    NotWalked,
    Elsewhere,
}

const _: () = assert!(NEVER != SUBJECT);
