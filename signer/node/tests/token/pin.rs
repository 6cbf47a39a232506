//! One failed PIN stops: no start after it tries another, until someone says so.

use bauta_signer::token::{Failure, Token};

use crate::soft_token::{PIN, SoftToken, opening};

#[test]
fn after_a_failed_pin_none_is_tried_until_someone_says_so() {
    let soft = SoftToken::new();
    soft.write_pin("00000000");
    for _ in 0..soft.failed_pins_until_it_tells() {
        let error = soft.open().unwrap_err();
        assert_eq!((error.failure(), error.exit_status()), (Failure::Pin, 77));
        assert!(error.to_string().contains("it refused the PIN"), "{error}");
        assert!(
            error.to_string().contains("--despite-failed-pins"),
            "{error}"
        );
    }
    // The right one now: it would log in if it were tried.
    soft.write_pin(PIN);
    for _ in 0..2 {
        let error = soft.open().unwrap_err();
        assert_eq!(error.failure(), Failure::Pin);
        assert!(error.to_string().contains("none is tried"), "{error}");
    }
    let said_so = || bauta_signer::token::Opening {
        despite_failed_pins: true,
        ..opening()
    };
    Token::open(&soft.config(), said_so()).unwrap();
    // A login that worked clears it.
    soft.open().unwrap();
}

#[test]
fn a_token_without_its_pin_set_or_a_slot_without_a_token_is_named() {
    let soft = SoftToken::new();
    let mut config = soft.config();
    config.slot = Some("serial:0000".parse().unwrap());
    let error = Token::open(&config, opening()).unwrap_err();
    assert_eq!(
        (error.failure(), error.exit_status()),
        (Failure::Absent, 75)
    );
    assert!(
        error.to_string().contains("bauta test"),
        "names what is there: {error}"
    );
    config.slot = None;
    assert_eq!(
        Token::open(&config, opening()).unwrap_err().failure(),
        Failure::Setup
    );
    config = soft.config();
    config.module = Some("/nowhere/module.so".into());
    let error = Token::open(&config, opening()).unwrap_err();
    assert_eq!((error.failure(), error.exit_status()), (Failure::Module, 3));
    // Something that is no module.
    config.module = Some(soft.pin_file());
    assert_eq!(
        Token::open(&config, opening()).unwrap_err().failure(),
        Failure::Module
    );
    // Two of one label.
    soft.initialise(PIN);
    let error = soft.open().unwrap_err();
    assert_eq!(error.failure(), Failure::OtherToken);
    assert!(error.to_string().contains("serial:NUMBER"), "{error}");
}

#[test]
fn a_module_that_dies_while_it_is_given_a_pin_is_not_given_it_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let soft = SoftToken::new();
    // It says that the module is loaded, and dies when it is asked to log in.
    let program = soft.path().join("module");
    let count = soft.path().join("count");
    let script = format!(
        "#!/bin/sh\necho >> '{}'\nprintf '\\000\\000\\000\\001\\002' >&0\nsleep 0.5\nexit 139\n",
        count.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let dying = bauta_signer::token::Opening {
        program: Some(program),
        ..opening()
    };
    let error = Token::open(&soft.config(), dying).unwrap_err();
    assert_eq!((error.failure(), error.exit_status()), (Failure::Pin, 77));
    assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 1);
}
