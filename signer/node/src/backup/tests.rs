use bauta_signer_protocol::keys::PublicShare;
use bauta_statement::{
    file::{
        authority::{Administrators, LogIdentity, Mode, Quorum},
        custody::Custodian,
    },
    note::NoteSigner,
};
use frost_ed25519::keys::{IdentifierList, KeyPackage, generate_with_dealer};

use super::*;

/// A key dealt to three signers, any two of which sign: its public side, and the stored share of each.
fn dealt() -> (PublicShares, Vec<StoredShare>) {
    let (shares, package) = generate_with_dealer(3, 2, IdentifierList::Default, OsRng).unwrap();
    let public = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).unwrap();
    let numbered: Vec<_> = (1_u16..).zip(shares.into_values()).collect();
    let key = PublicShares {
        group_key: public(package.verifying_key().serialize().unwrap()),
        threshold: 2,
        shares: numbered
            .iter()
            .map(|(number, share)| {
                let own = frost_ed25519::keys::VerifyingShare::from(*share.signing_share());
                PublicShare {
                    identifier: *number,
                    signer: format!("signer-{number}"),
                    share: public(own.serialize().unwrap()),
                }
            })
            .collect(),
    };
    let stored = numbered
        .into_iter()
        .map(|(_, share)| {
            let package = KeyPackage::try_from(share).unwrap();
            StoredShare {
                key: key.id(),
                born: 5,
                share: KeyShare::from_bytes(&package.serialize().unwrap()).unwrap(),
            }
        })
        .collect();
    (key, stored)
}

fn authority(custodians: Vec<Custodian>) -> Authority {
    let key = |name: &str| NoteSigner::from_secret(name, &[3; 32]).unwrap().verifier();
    Authority {
        trust_domain: "example.org".into(),
        version: 1,
        expires: 2_000_000_000,
        ca_name: "Example CA".into(),
        mode: Mode::Development,
        enterprise_number: 32_473,
        epoch_seconds: 3600,
        log: LogIdentity {
            origin: "example.org/log".into(),
            key: key("example.org/log"),
        },
        administrators: Administrators {
            k: 1,
            keys: vec![key("one")],
        },
        signers: Vec::new(),
        quorum: Quorum::FIVE,
        custodians,
        ca_keys: Vec::new(),
    }
}

#[test]
fn a_backup_goes_to_the_custodian_of_the_log_or_to_nobody() {
    let identity = age::x25519::Identity::generate();
    let named = |recipient: String| {
        authority(vec![Custodian {
            name: "paris".into(),
            recipient,
            signers: vec!["signer-1".into()],
        }])
    };
    let good = named(identity.to_public().to_string());
    let (name, recipient) = custodian(&good, "signer-1").unwrap();
    assert_eq!(name, "paris");
    assert_eq!(recipient.to_string(), identity.to_public().to_string());
    assert!(matches!(
        custodian(&good, "signer-2"),
        Err(BackupError::NoCustodian(_))
    ));
    let mistyped = named(format!("age1{}", "q".repeat(58)));
    assert!(matches!(
        custodian(&mistyped, "signer-1"),
        Err(BackupError::Recipient { .. })
    ));
}

#[test]
fn what_is_put_back_is_this_signer_s_published_share_of_a_sharing_in_force() {
    let (key, stored) = dealt();
    let authority = authority(Vec::new());
    let in_force = [("key-1".to_owned(), key.clone())];
    let read = |backup: &Backup| -> Backup {
        serde_json::from_slice(&serde_json::to_vec(backup).unwrap()).unwrap()
    };
    let good = read(&collect("signer-2", &authority, &in_force, &stored).unwrap());
    let fits = fitting(&good, "signer-2", &authority, &in_force).unwrap();
    let secret = stored[1].share.to_bytes().unwrap();
    assert_eq!(fits, [("key-1".to_owned(), key.id(), secret)]);

    // Another signer's, or of another CA or log.
    assert!(matches!(
        fitting(&good, "signer-1", &authority, &in_force),
        Err(BackupError::Another { .. })
    ));
    for change in [
        (|backup| backup.trust_domain.push('x')) as fn(&mut Backup),
        |backup| backup.log.push('x'),
        |backup| backup.signer = "signer-1".into(),
    ] {
        let mut other = read(&good);
        change(&mut other);
        assert!(matches!(
            fitting(&other, "signer-2", &authority, &in_force),
            Err(BackupError::Another { .. })
        ));
    }
    // Another share under the right name: a custodian who alters what it keeps.
    let foreign = collect("signer-1", &authority, &in_force, &stored).unwrap();
    let mut altered = read(&good);
    altered.shares[0].share.clone_from(&foreign.shares[0].share);
    assert!(matches!(
        fitting(&altered, "signer-2", &authority, &in_force),
        Err(BackupError::WrongShare(_))
    ));
    altered.shares[0].share.truncate(8);
    assert!(matches!(
        fitting(&altered, "signer-2", &authority, &in_force),
        Err(BackupError::WrongShare(_))
    ));
    // The key was shared anew.
    let (mut anew, _) = dealt();
    anew.group_key = key.group_key;
    assert!(matches!(
        fitting(&good, "signer-2", &authority, &[("key-1".to_owned(), anew)]),
        Err(BackupError::Stale)
    ));
    // Only what is held is backed up.
    assert!(matches!(
        collect("signer-2", &authority, &in_force, &stored[..1]),
        Err(BackupError::NoShare(_))
    ));
}
