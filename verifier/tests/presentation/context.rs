//! A presentation is worth nothing in another context: each byte of each field.

use bauta_statement::context::Context;
use bauta_verifier::presentation::{Refusal, verify};

use crate::layout::scoped;

/// A part of the context, by name.
type Part<T> = (&'static str, fn(&mut Context) -> &mut T);

#[test]
fn each_byte_of_the_context_counts() {
    let base = scoped();
    let check = |context: &Context| {
        verify(
            &base.prepared.verifier,
            context,
            &base.presentation,
            base.prepared.usage,
        )
        .map(drop)
    };
    assert_eq!(check(&base.prepared.context), Ok(()));
    let mut refused = 0;
    let mut refuse = |what: String, context: &Context| {
        assert_eq!(check(context), Err(Refusal::Unproven), "{what}");
        refused += 1;
    };
    let digests: [Part<[u8; 32]>; 3] = [
        ("policy digest", |c| &mut c.policy_digest),
        ("nonce", |c| &mut c.nonce),
        ("key", |c| &mut c.spki_sha256),
    ];
    for (name, field) in digests {
        for byte in 0..32 {
            let mut other = base.prepared.context.clone();
            field(&mut other)[byte] ^= 1 << (byte % 8);
            refuse(format!("{name}, byte {byte}"), &other);
        }
    }
    for bit in 0..64 {
        let mut other = base.prepared.context.clone();
        other.expiry ^= 1 << bit;
        refuse(format!("expiry, bit {bit}"), &other);
    }
    let texts: [Part<String>; 3] = [
        ("trust domain", |c| &mut c.trust_domain),
        ("CA name", |c| &mut c.ca_name),
        ("log origin", |c| &mut c.log_origin),
    ];
    for (name, field) in texts {
        let mut other = base.prepared.context.clone();
        let length = field(&mut other).chars().count();
        for position in 0..length {
            let mut other = base.prepared.context.clone();
            let text = field(&mut other);
            *text = text
                .chars()
                .enumerate()
                .map(|(i, c)| if i == position { '?' } else { c })
                .collect();
            refuse(format!("{name}, character {position}"), &other);
        }
        for change in [String::pop, |text: &mut String| {
            text.push('\0');
            None
        }] {
            let mut other = base.prepared.context.clone();
            change(field(&mut other));
            refuse(format!("{name}, length"), &other);
        }
    }
    assert!(refused > 200, "{refused}");
}
