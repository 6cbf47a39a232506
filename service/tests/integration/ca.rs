//! From the first checkpoint to the CA's certificate, and on without a signer, without a quorum, after a restart.

use std::process::Command;

use bauta_log::{FolderStorage, LogPolicy, LogReader, SignedCheckpoint, TileSource as _};
use bauta_service::admin::AdminError;

use super::world::World;

fn checkpoint(folder: &std::path::Path) -> SignedCheckpoint {
    let note = FolderStorage::read_only(folder)
        .get("checkpoint")
        .unwrap()
        .unwrap();
    SignedCheckpoint::parse(&note).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_comes_up_and_lives_on_through_stops() {
    let mut world = World::begun().await;
    let client = world.client();

    // The first checkpoint bears its quorum, by the public files alone.
    let (status, policy) = world.request("GET", "/log-policy", "").await;
    assert_eq!(status, 200);
    let policy = LogPolicy::parse(policy.as_bytes()).unwrap();
    let first = policy
        .check(&checkpoint(&world.path().join("log")))
        .unwrap();
    assert_eq!(first.head().size, 1);
    assert!(first.cosigners().len() >= 4);

    // Key generation among all five; the authority that names the key is signed by all; the CA certificate by three.
    let pem = world.make_ca().await;
    let path = world.path().join("ca.pem");
    std::fs::write(&path, &pem).unwrap();
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-CAfile"])
        .arg(&path)
        .arg(&path)
        .output();
    match verified {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        // A machine without openssl still has the check by the group key below.
        Err(error) => eprintln!("openssl is not here: {error}"),
    }
    let (status, bundle) = world.request("GET", "/v1/trust-bundle", "").await;
    assert_eq!(status, 200);
    assert!(bundle.contains("x509-svid"));

    // One signer down is what the quorum allows.
    world.stop_signer(2).await;
    let size = client.status().await.unwrap().size;
    client
        .submit_file(&world.generation("key-2"))
        .await
        .unwrap();
    assert_eq!(client.status().await.unwrap().size, size + 1);

    // Two are not: the head waits, and is published when one is back.
    world.stop_signer(3).await;
    let note = world.generation("key-3");
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.submit_file(&note).await }
    });
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(
        !waiting.is_finished(),
        "a head was published without its quorum"
    );
    assert_eq!(client.status().await.unwrap().size, size + 1);
    assert_eq!(world.request("GET", "/readyz", "").await.0, 503);
    world.start_signer(3);
    waiting.await.unwrap().unwrap();

    // A service that stops and starts keeps its head, and the signers come back by themselves.
    let before = checkpoint(&world.path().join("log")).checkpoint().head();
    world.stop_service().await;
    world.start_service();
    world.until_connected(4).await;
    assert_eq!(client.status().await.unwrap().size, before.size);
    client
        .submit_file(&world.generation("key-4"))
        .await
        .unwrap();

    // The signer that was away catches up, and all copies are the same log.
    world.start_signer(2);
    world.until_connected(5).await;
    client
        .submit_file(&world.generation("key-5"))
        .await
        .unwrap();
    let head = checkpoint(&world.path().join("log")).checkpoint().head();
    for number in 1..=5 {
        let folder = world.signer_log(number);
        world
            .until("a signer holds the whole log", async || {
                checkpoint(&folder).checkpoint().head() == head
            })
            .await;
        let reader = LogReader::new(FolderStorage::read_only(&folder));
        assert_eq!(
            reader.head_at(&head, before.size).unwrap(),
            before,
            "signer {number}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_signed_is_refused_and_halts_nothing() {
    let world = World::begun().await;
    world.until_connected(5).await;
    let client = world.client();
    let refused = |result: Result<u64, AdminError>, why: &str| match result {
        Err(AdminError::Refused(reason)) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{why}: {other:?}"),
    };

    // Not signed by an administrator; not a file at all; the same version again.
    let note = world.generation("key-1");
    let text = String::from_utf8(note.clone()).unwrap();
    let forged = text.replace("key-1", "key-9");
    refused(client.submit_file(forged.as_bytes()).await, "");
    refused(client.submit_file(b"hello").await, "");
    client.submit_file(&note).await.unwrap();
    refused(client.submit_file(&note).await, "version");
    assert!(matches!(
        client.sign_ca_certificate().await,
        Err(AdminError::Refused(_))
    ));
    assert!(matches!(
        client.publish_epoch().await,
        Err(AdminError::Refused(_))
    ));
    // After each, the next good request succeeds.
    client
        .submit_file(&world.generation("key-2"))
        .await
        .unwrap();
    assert_eq!(client.status().await.unwrap().size, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_problem_documents() {
    let world = World::begun().await;
    let problem = async |method: &str, path: &str, body: &str| {
        let (status, body) = world.request(method, path, body).await;
        let document: serde_json::Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let kind = document["type"].as_str().unwrap().to_owned();
        assert!(kind.starts_with("urn:bauta:problem:"), "{kind}");
        assert!(!document["detail"].as_str().unwrap().is_empty());
        assert_eq!(document["status"], status);
        status
    };
    assert_eq!(world.request("GET", "/healthz", "").await.0, 200);
    assert_eq!(problem("GET", "/nothing", "").await, 404);
    assert_eq!(problem("GET", "/v1/challenges", "").await, 405);
    assert_eq!(problem("POST", "/v1/challenges", "{").await, 400);
    assert_eq!(
        problem("POST", "/v1/challenges", r#"{"policy":"a","policy":"b"}"#).await,
        400
    );
    assert_eq!(
        problem("POST", "/v1/challenges", r#"{"policy":"a","more":1}"#).await,
        400
    );
    assert_eq!(
        problem("POST", "/v1/challenges", &"[".repeat(60_000)).await,
        400
    );
    assert_eq!(
        problem("POST", "/v1/certificates", &"x".repeat(100_000)).await,
        413
    );
    let unknown = problem("POST", "/v1/challenges", r#"{"policy":"engineering"}"#).await;
    assert!(unknown >= 400);
    assert_eq!(
        problem("GET", &format!("/objects/{}", "00".repeat(32)), "").await,
        404
    );
    assert_eq!(problem("GET", "/tile/../service/log.key", "").await, 404);
}
