//! Keys in a token: what each may do, and the check that the token made what was asked for. A key that seals can also be
//! made to give away what it sealed, by wrapping and decrypting, unless the token holds it to one purpose; some tokens
//! accept such a template and keep another. So every attribute is read back, and forbidden changes are tried.

use bauta_signer_protocol::messages::Bytes;
use cryptoki::{
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};

use super::{
    error::{Answer, TokenError, fail, of_generation, refused},
    wire::{Failure, Key, KeyKind, text},
};

/// id-Ed25519 and prime256v1, as CKA_EC_PARAMS has curves.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// The curve's name as a PrintableString: what PKCS#11 3.0 says of Edwards curves, and some tokens insist on.
const EDWARDS25519: [u8; 14] = *b"\x13\x0cedwards25519";

impl KeyKind {
    /// The mechanism that makes such a key, and the one it is made for.
    pub(super) fn mechanisms(self) -> [MechanismType; 2] {
        match self {
            Self::Aes => [MechanismType::AES_KEY_GEN, MechanismType::AES_GCM],
            Self::Ecdh => [MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDH1_DERIVE],
            Self::Ed25519 => [
                MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
                MechanismType::EDDSA,
            ],
            Self::P256 => [MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA],
        }
    }

    fn class(self) -> ObjectClass {
        match self {
            Self::Aes => ObjectClass::SECRET_KEY,
            Self::Ecdh | Self::Ed25519 | Self::P256 => ObjectClass::PRIVATE_KEY,
        }
    }

    fn key_type(self) -> KeyType {
        match self {
            Self::Aes => KeyType::AES,
            Self::Ecdh | Self::P256 => KeyType::EC,
            Self::Ed25519 => KeyType::EC_EDWARDS,
        }
    }

    /// What the secret half may do: one thing.
    fn usage(self) -> Vec<Attribute> {
        match self {
            Self::Aes => vec![
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Sign(false),
                Attribute::Verify(false),
                Attribute::Derive(false),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
            ],
            Self::Ecdh => vec![
                Attribute::Derive(true),
                Attribute::Sign(false),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
            ],
            Self::Ed25519 | Self::P256 => vec![
                Attribute::Sign(true),
                Attribute::Derive(false),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
            ],
        }
    }

    /// All that must be true of the secret half, as read back. A token need not know these attributes at all
    /// ([`optional`]); it may not know them otherwise.
    fn wanted(self) -> Vec<Attribute> {
        let mut wanted = vec![
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::AlwaysSensitive(true),
            Attribute::NeverExtractable(true),
            Attribute::Private(true),
            Attribute::Modifiable(false),
            Attribute::Copyable(false),
        ];
        wanted.extend(self.usage());
        wanted
    }
}

/// Attributes that a token may not know: then what they forbid is tried instead ([`forbidden`]).
fn optional(attribute: AttributeType) -> bool {
    matches!(
        attribute,
        AttributeType::Modifiable | AttributeType::Copyable
    )
}

/// A key that was found or made.
pub(super) struct Found {
    pub(super) kind: KeyKind,
    pub(super) secret: ObjectHandle,
    other: Option<ObjectHandle>,
    /// The public half, as [`super::wire::Reply::Public`] has it.
    pub(super) public: Vec<u8>,
}

impl Found {
    /// Destroys both halves.
    pub(super) fn destroy(&self, session: &Session) -> Result<(), cryptoki::error::Error> {
        if let Some(public) = self.other {
            session.destroy_object(public)?;
        }
        session.destroy_object(self.secret)
    }
}

/// What a token did less than it might have, for `token check`.
pub(super) type Notes = Vec<String>;

/// Makes a key, in the token if it is to stay, else in the session. What is not as it should be is destroyed again.
pub(super) fn generate(session: &Session, key: &Key, stays: bool) -> Answer<(Found, Notes)> {
    let label = key.label.as_slice();
    if stays
        && !session
            .find_objects(&[Attribute::Label(label.to_vec())])
            .map_err(|error| refused("looking for keys", &error))?
            .is_empty()
    {
        return fail(
            Failure::KeyExists,
            format!(
                "the token holds an object labelled {:?} already, and keys are never overwritten: choose another signer name, or, if no signer uses it, delete it with the vendor's tool",
                text(&key.label)
            ),
        );
    }
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| TokenError::new(Failure::Refused, "no randomness"))?;
    // The attributes that older tokens do not know are left out only if the token refuses them.
    let (secret, public, allowed) = match make(session, key, &id, stays, true) {
        Ok((secret, public)) => (secret, public, true),
        Err(error) if error.failure() == Failure::Unsupported => {
            let (secret, public) = make(session, key, &id, stays, false)?;
            (secret, public, false)
        }
        Err(error) => return Err(error),
    };
    let checked = check(session, key, secret, allowed).and_then(|notes| {
        forbidden(session, key, secret)?;
        let point = public.map_or(Ok(Vec::new()), |public| point(session, key, public))?;
        let found = Found {
            kind: key.kind,
            secret,
            other: public,
            public: point,
        };
        Ok((found, notes))
    });
    if checked.is_err() {
        for object in [Some(secret), public].into_iter().flatten() {
            let _ = session.destroy_object(object);
        }
    }
    checked
}

fn make(
    session: &Session,
    key: &Key,
    id: &[u8],
    stays: bool,
    full: bool,
) -> Answer<(ObjectHandle, Option<ObjectHandle>)> {
    let kind = key.kind;
    let named = || {
        vec![
            Attribute::Token(stays),
            Attribute::Label(key.label.as_slice().to_vec()),
            Attribute::Id(id.to_vec()),
        ]
    };
    let mut secret = named();
    secret.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
    ]);
    secret.extend(kind.usage());
    if full {
        secret.push(Attribute::Copyable(false));
        secret.push(Attribute::AllowedMechanisms(vec![kind.mechanisms()[1]]));
    }
    let pair = |mechanism: &Mechanism, curve: &[u8]| {
        let mut public = named();
        public.extend([
            Attribute::Private(false),
            Attribute::EcParams(curve.to_vec()),
        ]);
        if !matches!(kind, KeyKind::Ecdh) {
            public.push(Attribute::Verify(true));
        }
        session
            .generate_key_pair(mechanism, &public, &secret)
            .map(|(public, secret)| (secret, Some(public)))
    };
    let made = match kind {
        KeyKind::Aes => {
            secret.push(Attribute::ValueLen(32.into()));
            session
                .generate_key(&Mechanism::AesKeyGen, &secret)
                .map(|secret| (secret, None))
        }
        KeyKind::Ecdh | KeyKind::P256 => pair(&Mechanism::EccKeyPairGen, &P256),
        KeyKind::Ed25519 => pair(&Mechanism::EccEdwardsKeyPairGen, &ED25519)
            .or_else(|_| pair(&Mechanism::EccEdwardsKeyPairGen, &EDWARDS25519)),
    };
    made.map_err(|error| of_generation(kind, &error))
}

/// Compares the secret half's attributes with what they must be. `allowed`: the token took a list of allowed mechanisms,
/// so it must have it.
fn check(session: &Session, key: &Key, secret: ObjectHandle, allowed: bool) -> Answer<Notes> {
    let wanted = key.kind.wanted();
    let mut types: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
    types.push(AttributeType::AllowedMechanisms);
    let found = session
        .get_attributes(secret, &types)
        .map_err(|error| refused("reading a key's attributes", &error))?;
    verdict(key.kind, &wanted, &found, allowed).map_err(|what| {
        TokenError::new(
            Failure::WeakKey,
            format!(
                "the token does not keep the key {:?} as it was asked to ({what}): it could be made to give the key or what it seals away; use another token or newer firmware",
                text(&key.label)
            ),
        )
    })
}

/// The rule of [`check`], over attributes.
fn verdict(
    kind: KeyKind,
    wanted: &[Attribute],
    found: &[Attribute],
    allowed: bool,
) -> Result<Notes, String> {
    let mut notes = Notes::new();
    for want in wanted {
        let attribute = want.attribute_type();
        match found
            .iter()
            .find(|found| found.attribute_type() == attribute)
        {
            Some(found) if found == want => {}
            Some(found) => return Err(format!("{found:?} instead of {want:?}")),
            None if optional(attribute) => notes.push(format!("does not know {attribute}")),
            None => return Err(format!("{attribute} cannot be read")),
        }
    }
    let only = [kind.mechanisms()[1]];
    let mechanisms = found.iter().find_map(|found| match found {
        Attribute::AllowedMechanisms(mechanisms) => Some(mechanisms.as_slice()),
        _ => None,
    });
    match mechanisms {
        Some(mechanisms) if mechanisms == only => {}
        None | Some([]) if !allowed => notes.push(format!(
            "does not know {}: with the PIN, the key can be used by other mechanisms of its kind",
            AttributeType::AllowedMechanisms
        )),
        _ => return Err(format!("allowed mechanisms are {mechanisms:?}")),
    }
    Ok(notes)
}

/// Tries what must not be possible: to let the key wrap or leave the token, and to copy it with other attributes.
fn forbidden(session: &Session, key: &Key, secret: ObjectHandle) -> Answer<()> {
    let changes = |change: &Attribute| {
        session
            .update_attributes(secret, std::slice::from_ref(change))
            .is_ok()
            // Some answer "done" and change nothing.
            && session
                .get_attributes(secret, &[change.attribute_type()])
                .is_ok_and(|now| now.contains(change))
    };
    let copies =
        |change: Attribute| match session.copy_object(secret, &[Attribute::Token(false), change]) {
            Ok(copy) => {
                let _ = session.destroy_object(copy);
                true
            }
            Err(_) => false,
        };
    lets(key.kind, &changes, &copies).map_or(Ok(()), |what| {
        fail(
            Failure::WeakKey,
            format!(
                "the token lets {what} of the key {:?}, which was made so that nobody can: use another token or newer firmware",
                text(&key.label)
            ),
        )
    })
}

/// What forbidden thing a token lets one do.
fn lets(
    kind: KeyKind,
    changes: &dyn Fn(&Attribute) -> bool,
    copies: &dyn Fn(Attribute) -> bool,
) -> Option<&'static str> {
    let more = match kind {
        KeyKind::Aes => Attribute::Wrap(true),
        KeyKind::Ecdh | KeyKind::Ed25519 | KeyKind::P256 => Attribute::Unwrap(true),
    };
    if changes(&more) || changes(&Attribute::Extractable(true)) {
        Some("anyone change attributes")
    } else if copies(more) {
        Some("anyone make a copy with other attributes")
    } else {
        None
    }
}

/// Finds a key by label and checks that it is still held as it was made.
pub(super) fn find(session: &Session, key: &Key) -> Answer<Found> {
    let secret = one(session, key, key.kind.class())?;
    check(session, key, secret, false)?;
    let (other, public) = match key.kind {
        KeyKind::Aes => (None, Vec::new()),
        KeyKind::Ecdh | KeyKind::Ed25519 | KeyKind::P256 => {
            let public = one(session, key, ObjectClass::PUBLIC_KEY)?;
            (Some(public), point(session, key, public)?)
        }
    };
    Ok(Found {
        kind: key.kind,
        secret,
        other,
        public,
    })
}

fn one(session: &Session, key: &Key, class: ObjectClass) -> Answer<ObjectHandle> {
    let found = session
        .find_objects(&[
            Attribute::Class(class),
            Attribute::KeyType(key.kind.key_type()),
            Attribute::Token(true),
            Attribute::Label(key.label.as_slice().to_vec()),
        ])
        .map_err(|error| refused("looking for a key", &error))?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => fail(
            Failure::NoKey,
            format!(
                "the token holds no key labelled {:?} of the kind that is needed ({:?}): is it the right token? If its keys are lost, re-enrol this signer",
                text(&key.label),
                key.kind
            ),
        ),
        several => fail(
            Failure::NoKey,
            format!(
                "the token holds {} keys labelled {:?}: delete those that are not this signer's with the vendor's tool",
                several.len(),
                text(&key.label)
            ),
        ),
    }
}

fn point(session: &Session, key: &Key, public: ObjectHandle) -> Answer<Vec<u8>> {
    let attributes = session
        .get_attributes(public, &[AttributeType::EcPoint])
        .map_err(|error| refused("reading a public key", &error))?;
    let bytes = attributes.iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    bytes
        .and_then(|bytes| normal_point(key.kind, bytes))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| {
            TokenError::new(
                Failure::Unsupported,
                format!(
                    "the token gives the public half of {:?} in no form that is known",
                    text(&key.label)
                ),
            )
        })
}

/// CKA_EC_POINT without what some tokens put around it (an OCTET STRING in DER) and others do not.
fn normal_point(kind: KeyKind, bytes: &[u8]) -> Option<&[u8]> {
    let (length, first): (u8, Option<u8>) = match kind {
        KeyKind::Aes => return None,
        KeyKind::Ed25519 => (32, None),
        KeyKind::Ecdh | KeyKind::P256 => (65, Some(0x04)),
    };
    let raw = match bytes {
        [0x04, size, rest @ ..] if *size == length && rest.len() == usize::from(length) => rest,
        raw => raw,
    };
    (raw.len() == usize::from(length) && first.is_none_or(|first| raw.first() == Some(&first)))
        .then_some(raw)
}

/// A key by what it is for and its label.
pub(super) fn key(kind: KeyKind, label: &str) -> Key {
    Key {
        kind,
        label: Bytes::from(label.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_the_same_with_and_without_der_around_it() {
        let raw: Vec<u8> = (0..32).collect();
        let der = [&[0x04, 0x20], raw.as_slice()].concat();
        for bytes in [&raw, &der] {
            assert_eq!(normal_point(KeyKind::Ed25519, bytes), Some(raw.as_slice()));
        }
        // A raw key may begin like DER.
        let mut unlucky = raw.clone();
        unlucky[..2].copy_from_slice(&[0x04, 0x20]);
        assert_eq!(
            normal_point(KeyKind::Ed25519, &unlucky),
            Some(unlucky.as_slice())
        );
        let point = [&[0x04], [7; 64].as_slice()].concat();
        let der = [&[0x04, 0x41], point.as_slice()].concat();
        for bytes in [&point, &der] {
            assert_eq!(normal_point(KeyKind::P256, bytes), Some(point.as_slice()));
        }
        // A compressed point, another curve's, nothing.
        for bytes in [&point[..33], &der[..66], &[], raw.as_slice()] {
            assert_eq!(normal_point(KeyKind::P256, bytes), None);
        }
    }

    #[test]
    fn each_attribute_that_a_token_weakens_is_noticed() {
        for kind in [KeyKind::Aes, KeyKind::Ecdh, KeyKind::Ed25519, KeyKind::P256] {
            let wanted = kind.wanted();
            let allowed = Attribute::AllowedMechanisms(vec![kind.mechanisms()[1]]);
            let good: Vec<Attribute> = wanted.iter().cloned().chain([allowed]).collect();
            assert_eq!(verdict(kind, &wanted, &good, true), Ok(Vec::new()));
            for (at, want) in wanted.iter().enumerate() {
                let mut weak = good.clone();
                weak[at] = flipped(want);
                assert!(verdict(kind, &wanted, &weak, true).is_err(), "{want:?}");
                // Not there at all.
                weak.remove(at);
                assert_eq!(
                    verdict(kind, &wanted, &weak, true).is_ok(),
                    optional(want.attribute_type()),
                    "{want:?}"
                );
            }
            let others = |mechanisms: Vec<MechanismType>| {
                let mut weak = good.clone();
                *weak.last_mut().unwrap() = Attribute::AllowedMechanisms(mechanisms);
                weak
            };
            let [_, right] = kind.mechanisms();
            let more = others(vec![right, MechanismType::AES_CBC]);
            assert!(verdict(kind, &wanted, &more, true).is_err());
            assert!(verdict(kind, &wanted, &more, false).is_err());
            // A list that was taken and is gone is a weakened one; a token that knows no list says so when asked.
            assert!(verdict(kind, &wanted, &others(Vec::new()), true).is_err());
            assert_eq!(
                verdict(kind, &wanted, &others(Vec::new()), false).map(|notes| notes.len()),
                Ok(1)
            );
        }
    }

    #[test]
    fn a_token_that_lets_a_key_be_changed_or_copied_is_noticed() {
        for kind in [KeyKind::Aes, KeyKind::Ecdh, KeyKind::Ed25519, KeyKind::P256] {
            assert_eq!(lets(kind, &|_| false, &|_| false), None);
            let extracts = |change: &Attribute| *change == Attribute::Extractable(true);
            assert!(lets(kind, &extracts, &|_| false).is_some());
            let wraps = |change: &Attribute| {
                [Attribute::Wrap(true), Attribute::Unwrap(true)].contains(change)
            };
            assert!(lets(kind, &wraps, &|_| false).is_some());
            assert!(lets(kind, &|_| false, &|change| wraps(&change)).is_some());
        }
    }

    fn flipped(attribute: &Attribute) -> Attribute {
        match *attribute {
            Attribute::Sensitive(it) => Attribute::Sensitive(!it),
            Attribute::Extractable(it) => Attribute::Extractable(!it),
            Attribute::AlwaysSensitive(it) => Attribute::AlwaysSensitive(!it),
            Attribute::NeverExtractable(it) => Attribute::NeverExtractable(!it),
            Attribute::Private(it) => Attribute::Private(!it),
            Attribute::Modifiable(it) => Attribute::Modifiable(!it),
            Attribute::Copyable(it) => Attribute::Copyable(!it),
            Attribute::Encrypt(it) => Attribute::Encrypt(!it),
            Attribute::Decrypt(it) => Attribute::Decrypt(!it),
            Attribute::Sign(it) => Attribute::Sign(!it),
            Attribute::Verify(it) => Attribute::Verify(!it),
            Attribute::Derive(it) => Attribute::Derive(!it),
            Attribute::Wrap(it) => Attribute::Wrap(!it),
            Attribute::Unwrap(it) => Attribute::Unwrap(!it),
            ref other => panic!("{other:?} is not wanted of any key"),
        }
    }
}
