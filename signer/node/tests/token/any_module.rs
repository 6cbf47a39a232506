//! All that a signer needs of a token, over whichever module the environment names, such as an operator's own. Where none is
//! named it is the other tests' module.

use bauta_signer::token::{self, Report, SlotName, Token, TokenConfig};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    keys::use_all_in,
    soft_token::{SoftToken, opening},
};

/// The token that BAUTA_TEST_MODULE, BAUTA_TEST_SLOT, BAUTA_TEST_PIN_FILE and BAUTA_TEST_MODULE_ENV (NAME=VALUE) name.
fn named() -> Option<TokenConfig> {
    let variable = |name: &str| std::env::var(name).ok();
    let module = variable("BAUTA_TEST_MODULE")?;
    let needed = |name| variable(name).unwrap_or_else(|| panic!("{name} is missing"));
    let slot: SlotName = needed("BAUTA_TEST_SLOT").parse().expect("a slot");
    let environment = variable("BAUTA_TEST_MODULE_ENV");
    let environment = environment.iter().filter_map(|line| line.split_once('='));
    Some(TokenConfig {
        module: Some(module.into()),
        slot: Some(slot),
        pin_file: Some(needed("BAUTA_TEST_PIN_FILE").into()),
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        shared: None,
    })
}

#[test]
fn a_token_of_any_module_holds_a_signers_keys() {
    let soft = SoftToken::new();
    let config = named().unwrap_or_else(|| soft.config());
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
