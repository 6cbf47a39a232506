//! An ordinary certificate as a credential: kept, proved, shown. The proof itself takes a proving key of 200 MB and seconds; what does not need
//! it runs always.

use bauta_circuits::possession::x509_rsa::{Long, Standard, Variant, X509RsaWitness};
use bauta_prover::credential::{CredentialDecodeError, X509DecodeError, X509RsaCredential};
use bauta_prover::prepare::policy_witness;
use bauta_prover::show::SlotMap;
use bauta_prover::wallet::WalletError;
use bauta_statement::relation::{Mode, PredicatePublic, PredicateTest, Relation};
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use bauta_statement::vector::ORIGIN;
use zeroize::Zeroizing;

use super::*;
use crate::common::parameters;

#[path = "../common/certificates.rs"]
mod certificates;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../vectors/x509_rsa/",
            $name
        ))
    };
}

fn credential(pem: &str) -> X509RsaCredential {
    let (der, issuer, schema) = (
        certificates::der(pem),
        certificates::issuer(),
        certificates::schema(),
    );
    X509RsaCredential::read(der, issuer, schema).unwrap()
}

fn possession() -> Zeroizing<[u8; 256]> {
    Zeroizing::new(*include_bytes!("../../../vectors/x509_rsa/possession.sig"))
}

fn empty(credential: X509RsaCredential) -> Stored {
    Stored {
        credential: Credential::X509Rsa(Box::new(credential)),
        possession: None,
        policies: Vec::new(),
        uses: Vec::new(),
    }
}

#[test]
fn a_wallet_keeps_a_certificate() {
    for (pem, format) in [
        (file!("openssl.pem"), Format::X509Rsa),
        (file!("long.pem"), Format::X509RsaLong),
    ] {
        let mut stored = empty(credential(pem));
        assert_eq!(stored.credential.format(), format);
        let relation = Relation::possession(format).unwrap();
        stored.possession = Some(RelationProof {
            relation,
            ..story().possession.clone()
        });
        let bytes = stored.encode();
        assert_eq!(Stored::decode(&bytes), Ok(stored.clone()));
        for cut in (0..bytes.len()).step_by(41) {
            assert!(Stored::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        // The proof of another format's relation.
        stored.possession = Some(story().possession.clone());
        assert!(Stored::decode(&stored.encode()).is_err());
    }
}

/// What was changed in the wallet is no certificate of the CA any more.
#[test]
fn a_changed_certificate_is_not_read_back() {
    let stored = empty(credential(file!("openssl.pem")));
    let bytes = stored.encode().to_vec();
    let name = bytes
        .windows(3)
        .position(|octets| octets == b"Ada")
        .unwrap();
    let mut other = bytes;
    other[name] = b'E';
    let error = Stored::decode(&other).unwrap_err();
    let WalletError::Credential(CredentialDecodeError::X509(error)) = error else {
        panic!("{error}");
    };
    assert!(matches!(error, X509DecodeError::Certificate(_)));
    assert!(error.to_string().contains("does not verify"));
}

/// No nullifier rests on an RSA signature.
#[test]
fn a_certificate_is_not_shown_under_a_scope() {
    let story = story();
    let credential = empty(credential(file!("openssl.pem"))).credential;
    let keys = HolderKeys::new(
        &[(Format::X509Rsa, story.native.verifying_key().clone())],
        story.policy_prover.verifying_key(),
        story.nullifier.verifying_key(),
        Tables::None,
    );
    let shown = Prepared::new(
        &keys.unwrap(),
        Holding::from(&credential),
        &story.possession,
        &story.policy_proof,
        Some(&story.use_proof),
        story.slots(),
    );
    let error = shown.err();
    assert_eq!(error, Some(ShowError::FormatUnderScope(Format::X509Rsa)));
}

/// Proves, shows twice, verifies; nothing but the format is common to both shows.
fn is_shown<V: Variant>(pem: &str, format: Format, department: &str) {
    let story = story();
    let credential = credential(pem);
    let prover = Prover::<X509RsaWitness<V>>::new(parameters::<X509RsaWitness<V>>()).unwrap();
    let witness = credential.witness::<V>(possession()).unwrap();
    let possession = prove(&prover, &witness, &mut rng(1)).unwrap();
    // By somebody who does not have the key.
    let stolen = credential
        .witness::<V>(Zeroizing::new([0x21; 256]))
        .unwrap();
    let refused = prove(&prover, &stolen, &mut rng(1));
    assert!(matches!(refused, Err(ProveError::Untrue(_))));

    let credential = empty(credential).credential;
    let vector = credential.vector();
    let origins = [Fr::from(1u64), vector.get(ORIGIN)];
    let issuers = QuaternaryTree::of_members(&origins, ISSUER_SET_DEPTH).unwrap();
    let mut revoked = RevocationTree::new();
    revoked.extend(&[77, 1_000_000]).unwrap();
    let text = |text: &str| AttributeValue::Text(text.into()).to_field();
    let mut predicates = [PredicatePublic::NONE; 4];
    let is = |test| PredicatePublic {
        test,
        mode: Mode::Required,
    };
    let (start, until) = (1_800_000_000, 1_800_004_200);
    predicates[0] = is(PredicateTest::Equal(text("Example Organisation")));
    predicates[1] = is(PredicateTest::NotEqual(text("Board")));
    let (issuers_root, revoked_root) = (issuers.root(), revoked.root());
    let public = PolicyPublic::new(predicates, start, until, issuers_root, revoked_root).unwrap();
    let operands = [Some(5), Some(6), None, None];
    let witness = policy_witness(
        &vector,
        &operands,
        &public,
        &issuers,
        &revoked,
        [None, None],
    );
    let policy = prove(&story.policy_prover, &witness.unwrap(), &mut rng(2)).unwrap();

    let possession_keys = vec![(format, prover.verifying_key().clone())];
    let policy_key = story.policy_prover.verifying_key();
    let nullifier_key = story.nullifier.verifying_key();
    let holder_keys =
        HolderKeys::new(&possession_keys, policy_key, nullifier_key, Tables::None).unwrap();
    let slots = SlotMap {
        operands,
        disclosed: vec![6],
    };
    let holding = Holding::from(&credential);
    let prepared = Prepared::new(&holder_keys, holding, &possession, &policy, None, slots).unwrap();
    let keys = Keys::new(possession_keys, policy_key.clone(), nullifier_key.clone()).unwrap();
    let known = PolicyContext::new(keys, &[format], operands, vec![6], &public, false).unwrap();
    let show = |seed| {
        prepared
            .show(&mut rng(seed), &holder_keys, &context())
            .unwrap()
    };
    let ((first, openings), (second, _)) = (show(3), show(4));
    for presentation in [&first, &second] {
        let claim = verify_bytes(&known, &context(), &presentation.encode(), None).unwrap();
        assert_eq!(claim.format(), format);
        assert_eq!(claim.nullifier(), None);
    }
    let claim = verify(&known, &context(), &first, None).unwrap();
    assert_eq!(claim.open(&openings), Ok(()));
    assert_eq!(openings[0].value, AttributeValue::Text(department.into()));
    for (one, other) in first.proofs().zip(second.proofs()) {
        assert!(one.a != other.a && one.b != other.b && one.c != other.c);
    }
    let (one, other) = (first.encode(), second.encode());
    let common = one
        .windows(16)
        .filter(|bytes| other.windows(16).any(|o| o == *bytes));
    assert_eq!(common.count(), 0, "octets that link two shows");
    // Another context.
    let elsewhere = Context {
        nonce: [6; 32],
        ..context()
    };
    assert!(verify(&known, &elsewhere, &first, None).is_err());
}

#[test]
#[ignore = "makes and uses a proving key of 200 MB: a step of its own in `cargo xtask test`"]
fn a_certificate_is_proved_and_shown() {
    is_shown::<Standard>(file!("smart_card.pem"), Format::X509Rsa, "Zürich");
}

#[test]
#[ignore = "makes and uses a proving key of 370 MB: a step of its own in `cargo xtask test`"]
fn a_long_certificate_is_proved_and_shown() {
    is_shown::<Long>(file!("long.pem"), Format::X509RsaLong, "Research");
}
