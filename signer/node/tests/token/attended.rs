//! The PIN that a holder types at an attended signer is checked by the token, though the signer is logged in already.

use bauta_signer::{
    keys::KeysError,
    seal::Vault,
    token::{self, Failure, Token},
};

use crate::{
    keys::{failure, use_all},
    soft_token::{PIN, SoftToken, opening},
};

#[test]
fn a_typed_pin_opens_the_data_key_beside_a_signer_that_goes_on() {
    let soft = SoftToken::new();
    let signer = soft.open().unwrap();
    let folder = soft.keys("signer-1");
    let public = token::create(&folder, "signer-1", &signer).unwrap();
    let sealed = token::load(&folder, &signer)
        .unwrap()
        .vault
        .seal("share", b"secret")
        .unwrap();
    let typed = |pin: &str| -> Result<Vault, KeysError> {
        token::vault(&folder, &Token::open_with(&soft.config(), opening(), pin)?)
    };
    for _ in 0..3 {
        let mut vault = typed(PIN).unwrap();
        assert_eq!(
            vault.open_sealed("share", &sealed).unwrap().as_slice(),
            b"secret"
        );
        vault.lock();
        assert!(vault.open_sealed("share", &sealed).is_err());
        use_all(&soft, &signer, "signer-1", &public);
    }
    for _ in 0..soft.failed_pins_until_it_tells() {
        assert_eq!(failure(typed("00000000")), Failure::Pin);
    }
    // Not even the right one is tried now; the signer, which logged in before, goes on.
    assert_eq!(failure(typed(PIN)), Failure::Pin);
    use_all(&soft, &signer, "signer-1", &public);
}
