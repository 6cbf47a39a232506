//! The module process is killed or hangs; the token goes and comes back, or another comes in its place.

use std::{
    fs,
    time::{Duration, Instant},
};

use bauta_signer::token::{self, Failure, Token};
use bauta_signer_protocol::keys::{Ed25519Key, KeyError};
use rustix::process::{Pid, Signal, kill_process};

use crate::{keys::use_all, soft_token::SoftToken};

fn signal(process: Option<u32>, signal: Signal) {
    let pid = i32::try_from(process.expect("a module process")).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Takes the token out. A module that does not notice, because it keeps the file open, is ended, so that it must find it again.
fn take_out<'a>(soft: &'a SoftToken, token: &Token) -> impl FnOnce() + use<'a> {
    let put_back = soft.take_out();
    if !soft.notices_what_is_taken_out() {
        signal(token.process_id(), Signal::KILL);
    }
    put_back
}

fn exists(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_killed_or_stopped_module_process_is_replaced_and_the_keys_found_again() {
    let soft = SoftToken::new();
    let token = soft.open().unwrap();
    let public = token::create(&soft.keys("one"), "one", &token).unwrap();
    let keys = token::load(&soft.keys("one"), &token).unwrap();
    let mut processes = vec![token.process_id().unwrap()];
    for how in [Signal::KILL, Signal::ABORT, Signal::STOP] {
        signal(token.process_id(), how);
        let start = Instant::now();
        keys.node.cosignature.sign(b"message").unwrap();
        assert!(start.elapsed() < Duration::from_secs(15), "{how:?}");
        processes.push(token.process_id().unwrap());
    }
    let last = processes.pop().unwrap();
    assert!(
        processes
            .iter()
            .all(|process| *process != last && !exists(*process))
    );
    use_all(&soft, &token, "one", &public);
    // It ends with its signer.
    drop((keys, token));
    assert!(!exists(last));
}

#[test]
fn a_token_that_was_taken_out_is_found_again_when_it_is_back() {
    let soft = SoftToken::new();
    let token = soft.open().unwrap();
    token::create(&soft.keys("one"), "one", &token).unwrap();
    let keys = token::load(&soft.keys("one"), &token).unwrap();
    let sign = |key: &dyn Ed25519Key| key.sign(b"message");
    for _ in 0..2 {
        let put_back = take_out(&soft, &token);
        for _ in 0..3 {
            // It says so each time, and does not hang.
            let start = Instant::now();
            let error = sign(&*keys.node.cosignature).unwrap_err();
            assert!(matches!(error, KeyError::Unavailable(_)), "{error}");
            assert!(start.elapsed() < Duration::from_secs(4));
        }
        put_back();
        let start = Instant::now();
        while let Err(error) = sign(&*keys.node.cosignature) {
            assert!(start.elapsed() < Duration::from_secs(5), "{error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        keys.node.approval.approve(b"message").unwrap();
    }
}

#[test]
fn another_token_of_the_same_label_is_refused_and_its_pin_not_tried() {
    let soft = SoftToken::new();
    let token = soft.open().unwrap();
    token::create(&soft.keys("one"), "one", &token).unwrap();
    let keys = token::load(&soft.keys("one"), &token).unwrap();
    let put_back = take_out(&soft, &token);
    // The same label and another PIN: had ours been tried on it, it would say that one failed.
    soft.initialise("another pin");
    assert!(keys.node.cosignature.sign(b"message").is_err());
    let tokens = token::list(&soft.config(), &crate::soft_token::opening()).unwrap();
    assert_eq!(tokens.tokens[0].pin, Vec::<String>::new());
    // So does a start with the keys of the token that is gone.
    let opening = token::Opening {
        serial: token::serial(&soft.keys("one")).unwrap(),
        ..crate::soft_token::opening()
    };
    let error = Token::open(&soft.config(), opening.clone()).unwrap_err();
    assert_eq!(error.failure(), Failure::OtherToken);
    assert!(error.to_string().contains("serial:"), "{error}");
    put_back();
    soft.write_pin(crate::soft_token::PIN);
    std::thread::sleep(Duration::from_millis(300));
    keys.node.cosignature.sign(b"message").unwrap();
    Token::open(&soft.config(), opening).unwrap();
}

#[test]
fn a_pin_that_fails_while_the_signer_runs_is_never_tried_again() {
    let soft = SoftToken::new();
    let token = soft.open().unwrap();
    token::create(&soft.keys("one"), "one", &token).unwrap();
    let keys = token::load(&soft.keys("one"), &token).unwrap();
    soft.change_pin("another pin");
    signal(token.process_id(), Signal::KILL);
    assert!(!token.refusal().is_cancelled());
    assert!(keys.node.cosignature.sign(b"message").is_err());
    let refused = token.refused().expect("the PIN was refused");
    assert_eq!(refused.failure(), Failure::Pin);
    assert_eq!(refused.exit_status(), 77);
    assert!(token.refusal().is_cancelled(), "the signer is told to end");
    // Even if it were right again.
    soft.change_pin(crate::soft_token::PIN);
    std::thread::sleep(Duration::from_millis(300));
    assert!(keys.node.cosignature.sign(b"message").is_err());
    assert_eq!(token.process_id(), None);
}
