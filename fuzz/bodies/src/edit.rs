//! Reads an input as a list of edits of a valid object, so that most of what is tried still decodes: a mutated point is no
//! point, but another point in its place is.

use arbitrary::Unstructured;
use ark_bn254::{Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use bauta_statement::field;
use bauta_statement::group::{g1_to_bytes, g2_to_bytes};
use serde_json::{Value, json};

/// The most edits of one input; more only make it sure that nothing decodes.
const MOST: usize = 4;

/// What stands at a place of an encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A scalar of 32 bytes.
    Scalar,
    /// A compressed G1 point.
    G1,
    /// A compressed G2 point.
    G2,
}

/// A field of an encoding: where it begins and what it is.
pub(crate) type Field = (usize, Kind);

fn length(kind: Kind) -> usize {
    if kind == Kind::G2 { 64 } else { 32 }
}

/// An index below `end`; 0 when the input is used up.
pub(crate) fn below(input: &mut Unstructured<'_>, end: usize) -> usize {
    input
        .int_in_range(0..=end.saturating_sub(1))
        .unwrap_or_default()
}

/// The next byte; 0 when the input is used up.
pub(crate) fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or_default()
}

/// Edits bytes without knowing what they mean.
pub(crate) fn bytes(object: &mut Vec<u8>, input: &mut Unstructured<'_>) {
    for _ in 0..MOST {
        if input.is_empty() {
            return;
        }
        let at = below(input, object.len());
        match byte(input) % 6 {
            0 => object
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|one| *one ^= 1 << (byte(input) & 7)),
            1 => object
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|one| *one = byte(input)),
            2 => object.truncate(at),
            3 => object.insert(at.min(object.len()), byte(input)),
            4 => {
                let end = (at + 1 + below(input, 64)).min(object.len());
                object.drain(at.min(end)..end);
            }
            _ => {
                let end = (at + 1 + below(input, 64)).min(object.len());
                let copied = object.get(at..end).unwrap_or_default().to_vec();
                let to = below(input, object.len() + 1);
                object.splice(to..to, copied);
            }
        }
    }
}

/// Edits an encoding of points and scalars such that most of it stays points and scalars.
pub(crate) fn fields(object: &mut Vec<u8>, layout: &[Field], input: &mut Unstructured<'_>) {
    for _ in 0..MOST {
        if input.is_empty() || layout.is_empty() {
            return;
        }
        let (at, kind) = layout[below(input, layout.len())];
        let here = at..at + length(kind);
        if here.end > object.len() {
            return; // an edit before this one cut the object
        }
        match byte(input) % 7 {
            0 => bytes(object, input),
            // Another field of its kind.
            1 => {
                let alike: Vec<&Field> =
                    layout.iter().filter(|(_, other)| *other == kind).collect();
                let (from, _) = alike[below(input, alike.len())];
                if from + length(kind) <= object.len() {
                    object.copy_within(*from..from + length(kind), at);
                }
            }
            // −P: both coordinates' encodings have the sign in their top bit. Of a scalar it makes an alias or another one.
            2 => object[here.end - 1] ^= 0x80,
            // A small multiple of the generator, or a small scalar.
            3 => {
                let k = Fr::from(1 + u64::from(byte(input)));
                let new = match kind {
                    Kind::Scalar => field::to_bytes(&k).to_vec(),
                    Kind::G1 => g1_to_bytes(&(G1Affine::generator() * k).into_affine()).to_vec(),
                    Kind::G2 => g2_to_bytes(&(G2Affine::generator() * k).into_affine()).to_vec(),
                };
                object[here].copy_from_slice(&new);
            }
            // A scalar, and a small number more.
            4 => {
                let mut scalar = [0; 32];
                scalar.copy_from_slice(&object[at..at + 32]);
                if let (Kind::Scalar, Ok(value)) = (kind, field::from_bytes(&scalar)) {
                    let new = field::to_bytes(&(value + Fr::from(byte(input))));
                    object[here].copy_from_slice(&new);
                }
            }
            // A point of the twist outside the group of prime order, as almost all of it is.
            5 if kind == Kind::G2 => {
                let first = u64::from(byte(input));
                let point = (first..first + 64)
                    .find_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false));
                if let Some(point) = point {
                    object[here].copy_from_slice(&g2_to_bytes(&point));
                }
            }
            // Zero, the point at infinity and their aliases.
            5 => {
                object[here.clone()].fill(0);
                object[here.end - 1] = byte(input) & 0xc0;
            }
            _ => {
                let new: Vec<u8> = here.clone().map(|_| byte(input)).collect();
                object[here].copy_from_slice(&new);
            }
        }
    }
}

/// Edits a JSON value: a node is replaced, removed, doubled or put elsewhere, or a member is added.
pub(crate) fn json(object: &mut Value, input: &mut Unstructured<'_>) {
    for _ in 0..MOST {
        if input.is_empty() {
            return;
        }
        let from = {
            let mut at = below(input, count(object));
            node(object, &mut at).cloned().unwrap_or_default()
        };
        let (operation, new) = (byte(input) % 4, scalar(input));
        let mut at = below(input, count(object));
        let Some(place) = node(object, &mut at) else {
            continue;
        };
        match (operation, place) {
            (0, Value::Object(members)) => {
                members.insert(name(input), new);
            }
            (0, Value::Array(items)) => items.push(from),
            (1, Value::Object(members)) => {
                let gone = members.keys().nth(below(input, members.len())).cloned();
                gone.map(|key| members.remove(&key));
            }
            (1, Value::Array(items)) if !items.is_empty() => {
                let at = below(input, items.len());
                items.remove(at);
            }
            (2, place) => *place = from,
            (_, place) => *place = new,
        }
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn node<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|one| node(one, at)),
        Value::Object(members) => members.values_mut().find_map(|one| node(one, at)),
        _ => None,
    }
}

const NAMES: [&str; 16] = [
    "at_least",
    "at_most",
    "between",
    "equals",
    "not_equals",
    "one_of",
    "any_of",
    "unbounded",
    "scope",
    "parameters",
    "occurrence",
    "required",
    "description",
    "country",
    "disclose",
    "unknown",
];

fn name(input: &mut Unstructured<'_>) -> String {
    NAMES[below(input, NAMES.len())].to_owned()
}

fn scalar(input: &mut Unstructured<'_>) -> Value {
    match byte(input) % 10 {
        0 => Value::Null,
        1 => json!(byte(input) & 1 == 1),
        2 => json!(u64::MAX),
        3 => json!(-1),
        4 => json!(0.5),
        5 => json!(byte(input)),
        6 => json!(input.arbitrary::<u64>().unwrap_or_default()),
        7 => json!([5, 9]),
        8 => json!(NAMES[below(input, NAMES.len())]),
        _ => {
            let length = below(input, 70);
            let text: String = (0..length).map(|_| char::from(byte(input))).collect();
            json!(text)
        }
    }
}
