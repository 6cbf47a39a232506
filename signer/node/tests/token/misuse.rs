//! What nobody makes of a signer's keys in the token, though he has the PIN: to do with a key what it is not for, and to change,
//! copy or take it out. A key without our template lets him do all of it, so what is refused is refused because of the template.

use bauta_signer::token;
use cryptoki::{
    error::Result,
    mechanism::{
        Mechanism, MechanismType,
        elliptic_curve::{EcKdf, Ecdh1DeriveParams},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};

use crate::{administration::Task, soft_token::SoftToken};

/// prime256v1, as CKA_EC_PARAMS has it.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

#[test]
fn who_has_the_pin_cannot_misuse_the_keys() {
    for (mechanisms, sealed_by_ecdh) in [(&[] as &[&str], false), (&["CKM_AES_GCM"], true)] {
        let soft = SoftToken::without(mechanisms);
        token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
        soft.administer(&Task::Misuse { sealed_by_ecdh });
        // Nothing came of it.
        token::load(&soft.keys("one"), &soft.open().unwrap()).unwrap();
    }
}

/// Tries all of it, on keys of signer `one`'s and on others, in a process with the PIN.
pub(crate) fn attempt(session: &Session, sealed_by_ecdh: bool) {
    let ours = |name: &str| {
        let mut found = session
            .find_objects(&[
                Attribute::Label(format!("bauta:one:{name}").into_bytes()),
                Attribute::Sensitive(true),
            ])
            .unwrap();
        assert_eq!(found.len(), 1, "{name}");
        found.remove(0)
    };
    let wrapping = loose_aes(session);
    if sealed_by_ecdh {
        let (other, point) = loose_p256(session);
        let uses = |key| p256_uses(session, key, &point, &[MechanismType::ECDH1_DERIVE]);
        refused(session, ours("seal"), other, &uses);
    } else {
        // AES-ECB is the worst: it gives the key stream under which AES-GCM sealed.
        let uses = |key| aes_uses(session, key, wrapping);
        refused(session, ours("seal"), loose_aes(session), &uses);
    }
    let (other, point) = loose_p256(session);
    let uses = |key| p256_uses(session, key, &point, &[MechanismType::ECDSA]);
    refused(session, ours("tls"), other, &uses);
    for key in ["seal", "cosignature", "approval", "tls"] {
        stays(session, ours(key), wrapping, key);
    }
}

type Uses = Vec<(&'static str, Result<()>)>;

/// Every use that works with `other` is refused with `ours`.
fn refused(
    session: &Session,
    ours: ObjectHandle,
    other: ObjectHandle,
    uses: &dyn Fn(ObjectHandle) -> Uses,
) {
    let works: Vec<bool> = uses(other).iter().map(|(_, done)| done.is_ok()).collect();
    // A token need not have every mechanism; without any, nothing would be tested.
    assert!(works.iter().any(|works| *works), "{:?}", uses(other));
    for ((name, done), works) in uses(ours).into_iter().zip(works) {
        println!("{name}: {works} with another key, {done:?} with ours");
        assert!(done.is_err(), "{name}");
    }
    session.destroy_object(other).unwrap();
}

fn aes_uses(session: &Session, key: ObjectHandle, wrapped: ObjectHandle) -> Uses {
    let block = [7; 16];
    let iv = [0; 16];
    let encrypt = |mechanism| session.encrypt(&mechanism, key, &block).map(drop);
    let decrypt = |mechanism| session.decrypt(&mechanism, key, &block).map(drop);
    let wrap = |mechanism| session.wrap_key(&mechanism, key, wrapped).map(drop);
    vec![
        ("encrypt AES-ECB", encrypt(Mechanism::AesEcb)),
        ("encrypt AES-CBC", encrypt(Mechanism::AesCbc(iv))),
        ("decrypt AES-ECB", decrypt(Mechanism::AesEcb)),
        ("decrypt AES-CBC", decrypt(Mechanism::AesCbc(iv))),
        ("wrap AES-KW", wrap(Mechanism::AesKeyWrap)),
        ("wrap AES-CBC-PAD", wrap(Mechanism::AesCbcPad(iv))),
        (
            "sign AES-CMAC",
            session.sign(&Mechanism::AesCMac, key, &block).map(drop),
        ),
    ]
}

fn p256_uses(
    session: &Session,
    key: ObjectHandle,
    point: &[u8],
    without: &[MechanismType],
) -> Uses {
    let hash = [7; 32];
    let derive = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
    let derived = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::ValueLen(32.into()),
    ];
    let mut uses = Uses::new();
    if !without.contains(&MechanismType::ECDH1_DERIVE) {
        let done = session.derive_key(&derive, key, &derived).map(drop);
        uses.push(("derive ECDH", done));
    }
    if !without.contains(&MechanismType::ECDSA) {
        let done = session.sign(&Mechanism::Ecdsa, key, &hash).map(drop);
        uses.push(("sign ECDSA", done));
    }
    let done = session.sign(&Mechanism::EcdsaSha256, key, &hash).map(drop);
    uses.push(("sign ECDSA-SHA256", done));
    uses
}

/// The key cannot be read, wrapped, changed or copied.
#[track_caller]
fn stays(session: &Session, key: ObjectHandle, wrapping: ObjectHandle, name: &str) {
    let read = |attribute| session.get_attributes(key, &[attribute]).unwrap();
    assert_eq!(read(AttributeType::Value), [], "{name}");
    for mechanism in [Mechanism::AesKeyWrap, Mechanism::AesCbcPad([0; 16])] {
        assert!(
            session.wrap_key(&mechanism, wrapping, key).is_err(),
            "{name}"
        );
    }
    for change in [
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Modifiable(true),
        Attribute::Copyable(true),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Sign(true),
        Attribute::Derive(true),
        Attribute::AllowedMechanisms(vec![MechanismType::AES_GCM, MechanismType::AES_ECB]),
    ] {
        let attribute = change.attribute_type();
        let before = read(attribute);
        let _ = session.update_attributes(key, std::slice::from_ref(&change));
        assert_eq!(read(attribute), before, "{name}: {change:?}");
        let copy = session.copy_object(key, &[Attribute::Token(false), change]);
        assert!(copy.is_err(), "{name}");
    }
}

/// What anybody would ask for who does not ask for much.
fn loose() -> Vec<Attribute> {
    vec![
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Sign(true),
        Attribute::Derive(true),
    ]
}

fn loose_aes(session: &Session) -> ObjectHandle {
    let mut template = loose();
    template.extend([
        Attribute::ValueLen(32.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
    ]);
    session
        .generate_key(&Mechanism::AesKeyGen, &template)
        .unwrap()
}

fn loose_p256(session: &Session) -> (ObjectHandle, Vec<u8>) {
    let public = [
        Attribute::Token(false),
        Attribute::Verify(true),
        Attribute::EcParams(P256.to_vec()),
    ];
    let (public, secret) = session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &loose())
        .unwrap();
    match session
        .get_attributes(public, &[AttributeType::EcPoint])
        .unwrap()
        .pop()
    {
        Some(Attribute::EcPoint(point)) => (secret, point),
        other => panic!("{other:?}"),
    }
}
