//! The same over a token that the environment names: a second implementation, or an operator's own.

use bauta_signer::token::{self, Report, SlotName, Token, TokenConfig};
use rustix::process::{Pid, Signal, kill_process};

use crate::{keys::use_all_in, softhsm::opening};

#[test]
#[ignore = "needs a token: BAUTA_TEST_MODULE, BAUTA_TEST_SLOT, BAUTA_TEST_PIN_FILE, BAUTA_TEST_MODULE_ENV (NAME=VALUE)"]
fn a_token_of_any_module_holds_a_signers_keys() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(module), Some(slot), Some(pin_file)) = (
        variable("BAUTA_TEST_MODULE"),
        variable("BAUTA_TEST_SLOT"),
        variable("BAUTA_TEST_PIN_FILE"),
    ) else {
        println!("no token is named: nothing is tested");
        return;
    };
    let slot: SlotName = slot.parse().expect("a slot");
    let environment = variable("BAUTA_TEST_MODULE_ENV");
    let environment = environment.iter().filter_map(|line| line.split_once('='));
    let config = TokenConfig {
        module: Some(module.into()),
        slot: Some(slot),
        pin_file: Some(pin_file.into()),
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        shared: None,
    };
    let token = Token::open(&config, opening()).unwrap();
    let tokens = token::list(&config, &opening()).unwrap();
    let report = Report::new(tokens, Some(token.probe().unwrap()));
    println!("{}", report.text());
    assert_eq!(report.usable, Some(true));

    // Its keys stay in the token, under a name of their own.
    let name = format!("test-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let public = token::create(&keys, &name, &token).unwrap();
    assert!(token::create(&folder.path().join("again"), &name, &token).is_err());
    drop(token);
    let token = Token::open(&config, opening()).unwrap();
    use_all_in(&keys, &token, &public);
    let process = i32::try_from(token.process_id().unwrap()).unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    use_all_in(&keys, &token, &public);
}
