//! Keys that are in the token under a signer's label, and may do more than they should.

use bauta_signer::token::{self, Failure};
use cryptoki::{
    mechanism::{Mechanism, MechanismType},
    object::Attribute,
    session::Session,
};

use crate::{administration::Task, soft_token::SoftToken};

/// Puts another key in the place of signer `one`'s that seals, with one thing wrong with it.
pub(crate) fn plant(session: &Session, fault: &str) {
    let label = Attribute::Label(b"bauta:one:seal".to_vec());
    for object in session.find_objects(std::slice::from_ref(&label)).unwrap() {
        session.destroy_object(object).unwrap();
    }
    let is = |name: &str| fault == name;
    let mut template = vec![
        label,
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::ValueLen(32.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(is("derive")),
        Attribute::Sensitive(!is("not sensitive")),
        Attribute::Extractable(is("extractable")),
        Attribute::Wrap(is("wrap")),
        Attribute::Unwrap(is("unwrap")),
        Attribute::Modifiable(is("modifiable")),
        Attribute::Copyable(is("copyable")),
    ];
    if is("two mechanisms") {
        template.push(Attribute::AllowedMechanisms(vec![
            MechanismType::AES_GCM,
            MechanismType::AES_CBC,
        ]));
    } else {
        template.push(Attribute::AllowedMechanisms(vec![MechanismType::AES_GCM]));
    }
    session
        .generate_key(&Mechanism::AesKeyGen, &template)
        .unwrap();
}

#[test]
fn a_key_that_may_do_more_is_refused_at_start() {
    let soft = SoftToken::new();
    token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
    let plant = |fault: &str| {
        soft.administer(&Task::Plant {
            fault: fault.into(),
        });
    };
    let load = || token::load(&soft.keys("one"), &soft.open().unwrap());
    for fault in [
        "not sensitive",
        "extractable",
        "wrap",
        "unwrap",
        "derive",
        "modifiable",
        "copyable",
        "two mechanisms",
    ] {
        plant(fault);
        match load() {
            Err(bauta_signer::keys::KeysError::Token(error)) => {
                assert_eq!(error.failure(), Failure::WeakKey, "{fault}: {error}");
            }
            other => panic!("{fault}: {:?}", other.err()),
        }
    }
    // One without a fault is found, and is not the key that sealed.
    plant("none");
    assert!(matches!(
        load(),
        Err(bauta_signer::keys::KeysError::Seal(_))
    ));
}
