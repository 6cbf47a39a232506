//! Signers that come, go, and were put back: with real processes' disks and TLS.

use std::path::Path;

use bauta_service::admin::SignerState;
use bauta_statement::note;

use crate::world::World;

/// A signer is replaced; then it is gone for good, everything is started anew, and the CA's key is made among those that
/// the newest authority names: each of them must know that the change took effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_signer_is_replaced_and_nobody_waits_for_the_old_one() {
    let mut world = World::begun().await;
    world.until_connected(5).await;
    let (sixth, keys) = world.add_signer();
    world.start_signer(sixth);
    world.authority.version = 2;
    world.authority.signers.pop();
    world.authority.signers.push(keys);
    let text = world.authority.to_text().unwrap();
    // What no administrator signed changes nobody.
    let stranger = note::NoteSigner::generate(&mut rand::rngs::OsRng, "administrator-1").unwrap();
    let forged = note::sign(&text, &[&stranger]).unwrap();
    assert!(world.client().submit_file(&forged).await.is_err());
    let note = note::sign(&text, &[&world.administrator]).unwrap();
    world.client().submit_file(&note).await.unwrap();
    world
        .until("the new signer signs", async || {
            let signing = world.signers_that_are(SignerState::Signing).await;
            signing.len() == 5 && signing.contains(&"signer-6".to_owned())
        })
        .await;
    world.stop_signer(5).await;
    for number in [1, 2, 3, 4, 6] {
        world.stop_signer(number).await;
    }
    world.stop_service().await;
    world.start_service();
    for number in [1, 2, 3, 4, 6] {
        world.start_signer(number);
    }
    world.until_up().await;
    let certificate = world.make_ca().await;
    assert!(certificate.contains("BEGIN CERTIFICATE"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_whose_disk_is_put_back_is_out_and_the_others_go_on() {
    let mut world = World::begun().await;
    let signing = async |world: &World, count: usize| {
        world
            .until("the signers sign", async || {
                world.signers_that_are(SignerState::Signing).await.len() == count
            })
            .await;
    };
    signing(&world, 5).await;
    world.stop_signer(2).await;
    let disk = world.path().join("signer-2");
    let image = world.path().join("image");
    copy(&disk, &image);
    world.start_signer(2);
    signing(&world, 5).await;
    world.make_ca().await;
    world.stop_signer(2).await;
    std::fs::remove_dir_all(&disk).unwrap();
    copy(&image, &disk);
    // Once it was found out it stays so.
    for _ in 0..2 {
        world.start_signer(2);
        world
            .until("the signer is out", async || {
                world.signers_that_are(SignerState::Out).await == ["signer-2"]
            })
            .await;
        world.stop_signer(2).await;
    }
    let client = world.client();
    let generation = world.generation("key-2");
    client.submit_file(&generation).await.unwrap();
}
