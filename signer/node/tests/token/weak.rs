//! Keys that are in the token under a signer's label, and may do more than they should.

use std::process::Command;

use bauta_signer::token::{self, Failure};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::{Mechanism, MechanismType},
    object::Attribute,
    session::UserType,
    types::AuthPin,
};

use crate::softhsm::{LABEL, MODULE, PIN, SoftHsm};

/// Tells the helper what is wrong with the key that it makes.
const FAULT: &str = "BAUTA_TEST_KEY_FAULT";

/// A part of the test below, which starts it by name in a process of its own: the module finds its token by a variable of its
/// process, and to change one's own is unsafe code. It makes a key in that token; started otherwise, it has nothing to do.
#[test]
#[ignore = "started by `a_key_that_may_do_more_is_refused_at_start`, in a process of its own"]
fn make_a_key() {
    let Ok(fault) = std::env::var(FAULT) else {
        return;
    };
    let library = Pkcs11::new(MODULE).unwrap();
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slots = library.get_slots_with_initialized_token().unwrap();
    let slot = slots
        .into_iter()
        .find(|slot| library.get_token_info(*slot).unwrap().label() == LABEL)
        .unwrap();
    let session = library.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::from(PIN)))
        .unwrap();
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
    let softhsm = SoftHsm::new();
    token::create(&softhsm.keys("one"), "one", &softhsm.open().unwrap()).unwrap();
    let plant = |fault: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "weak::make_a_key"])
            .env(FAULT, fault)
            .env("SOFTHSM2_CONF", softhsm.conf())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
    };
    let load = || token::load(&softhsm.keys("one"), &softhsm.open().unwrap());
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
