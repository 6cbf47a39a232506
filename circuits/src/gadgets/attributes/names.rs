//! GeneralNames of a subject alternative name (RFC 5280, 4.2.1.6), walked.

use bauta_statement::field::Fr;

use super::{
    Candidate, NEVER,
    entry::SEQUENCE,
    source::{SAN_DNS, SAN_EMAIL},
};
use crate::{
    gadgets::{
        compare,
        der::{Element, element},
        tbs::is_zero,
    },
    system::{Lc, System},
};

/// \[1\] IMPLICIT IA5String.
const RFC822_NAME: u8 = 0x81;
/// \[2\] IMPLICIT IA5String.
const DNS_NAME: u8 = 0x82;

/// The names, in order, at most `most` of them; e-mail and host names are candidates, others are passed over.
///
/// `there` is 1 if there are contents, from `start` to `end`, which are 0 where there are none. Then, and in a step that is not active, what is
/// read is a SEQUENCE's header: `elsewhere`, or the names' own. Its tag is neither of the two.
pub(crate) fn walk(
    system: &mut System,
    bytes: &[Lc],
    there: &Lc,
    [start, end]: [&Lc; 2],
    elsewhere: &Lc,
    most: usize,
) -> Vec<Candidate> {
    let one = Lc::constant(Fr::from(1));
    let place = start + &system.product(&(&one - there), elsewhere);
    let names = Element::read(system, bytes, &place);
    names.has_tag(system, SEQUENCE);
    compare::either_is_zero(system, there, &(&names.end - end));
    let last = &names.start + &system.product(there, &names.length);
    let mut next = names.start.clone();
    let mut found = Vec::new();
    for _ in 0..most {
        let active = &one - &is_zero(system, &(&next - &last));
        let moved = system.product(&active, &(&next - &place));
        let name = Element::read(system, bytes, &(&place + &moved));
        let [email, dns] =
            [RFC822_NAME, DNS_NAME].map(|tag| is_zero(system, &(&name.tag - Fr::from(tag))));
        let key = Lc::combine([
            (&one, Fr::from(NEVER)),
            (&email, Fr::from(SAN_EMAIL) - Fr::from(NEVER)),
            (&dns, Fr::from(SAN_DNS) - Fr::from(NEVER)),
        ]);
        next = &next + &system.product(&active, &(&name.end - &next));
        let place = &place + &moved;
        found.push(Candidate { key, place });
    }
    system.enforce_equal(&next, &last);
    found
}

/// The same natively: source and place of each that is a candidate; none where they are not walked, or more than `most`.
pub(super) fn names(
    bytes: &[u8],
    (start, end): (usize, usize),
    most: usize,
) -> Option<Vec<(u8, usize)>> {
    let (tag, mut next, last) = element(bytes, start)?;
    if tag != SEQUENCE || last != end {
        return None;
    }
    let (mut found, mut count) = (Vec::new(), 0);
    while next != end {
        let (tag, _, to) = element(bytes, next)?;
        count += 1;
        if to > end || count > most {
            return None;
        }
        match tag {
            RFC822_NAME => found.push((SAN_EMAIL, next)),
            DNS_NAME => found.push((SAN_DNS, next)),
            _ => {}
        }
        next = to;
    }
    Some(found)
}
