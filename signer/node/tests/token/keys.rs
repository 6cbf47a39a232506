//! Keys are made, found again and used; by whatever the token can do; and nothing is overwritten or left behind.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use bauta_log::key::CosignatureVerifier;
use bauta_signer::{
    keys::{KeysError, PublicKeys},
    seal::{SealError, SealKind},
    token::{self, Failure, Kind, Place, Plan, SealBy, Token},
};
use bauta_signer_protocol::keys::verify_ed25519;
use bauta_statement::approval::ApprovalKey;
use rustls::SignatureScheme;

use crate::soft_token::SoftToken;

fn plan(token: &SoftToken, name: &str) -> Plan {
    let text = fs::read(token.keys(name).join(token::PLAN_FILE)).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    json.as_object_mut().unwrap().remove("serial").unwrap();
    serde_json::from_value(json).unwrap()
}

#[track_caller]
pub(crate) fn failure<T>(result: Result<T, KeysError>) -> Failure {
    match result.err().expect("refused") {
        KeysError::Token(error) | KeysError::Seal(SealError::Token(error)) => error.failure(),
        other => panic!("{other}"),
    }
}

/// Loads the keys, and uses each.
#[track_caller]
pub(crate) fn use_all(soft: &SoftToken, token: &Arc<Token>, name: &str, public: &PublicKeys) {
    use_all_in(&soft.keys(name), token, public);
}

#[track_caller]
pub(crate) fn use_all_in(folder: &Path, token: &Arc<Token>, public: &PublicKeys) {
    let keys = token::load(folder, token).unwrap();
    assert_eq!(&keys.public, public);
    assert_eq!(keys.vault.kind(), SealKind::Token);
    let sealed = keys.vault.seal("share", b"secret").unwrap();
    assert_eq!(
        keys.vault.open_sealed("share", &sealed).unwrap().as_slice(),
        b"secret"
    );
    let cosignature: CosignatureVerifier = public.cosignature.parse().unwrap();
    let (cosigner, published) = (&keys.node.cosignature, cosignature.public_key());
    assert_eq!(cosigner.public_key(), *published);
    let signature = cosigner.sign(b"message").unwrap();
    assert!(verify_ed25519(published, b"message", &signature));
    let approval = ApprovalKey::parse(&public.approval).unwrap().public();
    assert_eq!(keys.node.approval.approval_key(), approval);
    // ECDSA's s is in either half by chance: each counts.
    for number in 0..16_u8 {
        let signature = keys.node.approval.approve(&[number]).unwrap();
        assert!(approval.verify(&[number], &signature));
    }
    let certified = keys.identity.resolve(
        &[],
        &[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
        ],
    );
    let certified = certified.expect("an identity");
    let pin = bauta_signer::tls::pin(&certified.cert[0]).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&pin), public.tls);
    let signer = certified
        .key
        .choose_scheme(&[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
        ])
        .expect("a scheme");
    assert!(
        certified
            .key
            .choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
            .is_none()
    );
    assert!(!signer.sign(b"handshake").unwrap().is_empty());
}

#[test]
fn what_a_token_lacks_is_made_up_for() {
    let all = Plan {
        seal: SealBy::AesGcm,
        cosignature: Place::Token,
        approval: Kind::Ed25519,
        tls: Kind::P256,
    };
    for (mechanisms, expected) in [
        (&[] as &[&str], all),
        (
            &["CKM_AES_GCM"],
            Plan {
                seal: SealBy::Ecdh,
                ..all
            },
        ),
        (
            &["CKM_EDDSA"],
            Plan {
                cosignature: Place::Sealed,
                approval: Kind::P256,
                ..all
            },
        ),
        (
            &["CKM_ECDSA"],
            Plan {
                tls: Kind::Ed25519,
                ..all
            },
        ),
    ] {
        let soft = SoftToken::without(mechanisms);
        let public = token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
        assert_eq!(plan(&soft, "one"), expected, "{mechanisms:?}");
        let sealed = soft.keys("one").join("cosignature.key").exists();
        assert_eq!(sealed, expected.cosignature == Place::Sealed);
        assert!(!soft.keys("one").join("approval.key").exists());
        let mode = fs::metadata(soft.keys("one").join("dek.token"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        use_all(&soft, &soft.open().unwrap(), "one", &public);
        let probe = soft.open().unwrap().probe().unwrap();
        let tokens = token::list(&soft.config(), &crate::soft_token::opening()).unwrap();
        let report = token::Report::new(tokens, Some(probe));
        assert_eq!(report.plan, Some(expected), "what `token check` promised");
    }
}

#[test]
fn one_token_holds_the_keys_of_several_signers_and_none_is_overwritten() {
    let soft = SoftToken::new();
    let token = soft.open().unwrap();
    let one = token::create(&soft.keys("one"), "one", &token).unwrap();
    let two = token::create(&soft.keys("two"), "two", &token).unwrap();
    assert_ne!(one.cosignature, two.cosignature);
    // The files may be elsewhere, the labels are the same.
    let elsewhere = soft.path().join("elsewhere");
    assert_eq!(
        failure(token::create(&elsewhere, "one", &token)),
        Failure::KeyExists
    );
    assert!(!elsewhere.join("signer.json").exists());
    // The name is another, the files are there.
    assert!(matches!(
        token::create(&soft.keys("one"), "three", &token),
        Err(KeysError::Exists(_))
    ));
    drop(token);
    let token = soft.open().unwrap();
    use_all(&soft, &token, "one", &one);
    use_all(&soft, &token, "two", &two);
}

#[test]
fn keys_are_made_all_or_not_at_all() {
    // Everything works but signing for TLS, which comes last.
    let soft = SoftToken::without(&["CKM_ECDSA", "CKM_EDDSA"]);
    let token = soft.open().unwrap();
    assert_eq!(
        failure(token::create(&soft.keys("one"), "one", &token)),
        Failure::Unsupported
    );
    let left: Vec<_> = fs::read_dir(soft.keys("one")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    drop(token);
    // No key is left in the token either, or this would be refused.
    soft.take_away(&[]);
    let public = token::create(&soft.keys("one"), "one", &soft.open().unwrap()).unwrap();
    use_all(&soft, &soft.open().unwrap(), "one", &public);

    // A name that no note can bear is refused before anything is made.
    let token = soft.open().unwrap();
    assert!(matches!(
        token::create(&soft.keys("bad"), "a b+c", &token),
        Err(KeysError::Name { .. })
    ));
    assert!(!soft.keys("bad").exists());
}

#[test]
fn a_changed_or_borrowed_file_does_not_open() {
    for mechanisms in [&[] as &[&str], &["CKM_AES_GCM"]] {
        let soft = SoftToken::without(mechanisms);
        let token = soft.open().unwrap();
        token::create(&soft.keys("one"), "one", &token).unwrap();
        token::create(&soft.keys("two"), "two", &token).unwrap();
        let (one, two) = (soft.keys("one"), soft.keys("two"));
        let path = one.join("dek.token");
        let good = fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            failure(token::load(&one, &token));
        };
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut changed = good.clone();
            changed[at] ^= 1;
            refused(&changed);
        }
        refused(&good[..good.len() - 1]);
        refused(b"");
        // Sealed in the same token, for another signer.
        refused(&fs::read(two.join("dek.token")).unwrap());
        fs::write(&path, &good).unwrap();
        token::load(&one, &token).unwrap();

        // Another's public description: the token's keys are not those.
        let mut other: PublicKeys =
            serde_json::from_slice(&fs::read(two.join("signer.json")).unwrap()).unwrap();
        let own: PublicKeys =
            serde_json::from_slice(&fs::read(one.join("signer.json")).unwrap()).unwrap();
        other.name.clone_from(&own.name);
        for field in 0..3 {
            let mut mixed = own.clone();
            match field {
                0 => mixed.cosignature.clone_from(&other.cosignature),
                1 => mixed.approval.clone_from(&other.approval),
                _ => mixed.tls.clone_from(&other.tls),
            }
            fs::write(one.join("signer.json"), serde_json::to_vec(&mixed).unwrap()).unwrap();
            assert_eq!(
                failure(token::load(&one, &token)),
                Failure::OtherToken,
                "field {field}"
            );
        }
    }
}
