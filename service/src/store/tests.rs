//! Races, spending, and what survives being opened again.

use std::sync::Arc;

use bauta_log::sequencer::Batch;
use bauta_statement::entry::Body;
use sqlx::{Executor as _, SqlSafeStr as _};

use super::*;

fn issuance(nonce: u8, key: u8) -> Issuance {
    Issuance {
        policy: [1; 32],
        epoch: 7,
        ca_key: [2; 32],
        nonce: [nonce; 32],
        expiry: 1_800_000_300,
        key: vec![key; 91],
        presentation: vec![9; 1300],
    }
}

/// A request: `number` makes it another one, with a nonce of its own.
fn request(number: u32, nullifier: Option<u8>, key: u8) -> Admission {
    let mut request = [0; 32];
    request[..4].copy_from_slice(&number.to_be_bytes());
    let mut issuance = issuance(0, key);
    issuance.nonce = request;
    Admission {
        request,
        issuance,
        nullifier: nullifier.map(|byte| ([byte; 32], 1_800_086_400)),
        policy_name: "members".to_owned(),
        csr: vec![3; 200],
        openings: vec![0],
    }
}

const NOW: u64 = 1_800_000_000;

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("service.sqlite"))
        .await
        .unwrap();
    (folder, store)
}

async fn statuses(store: &Store) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT status, COUNT(*) FROM entries GROUP BY status ORDER BY status")
        .fetch_all(&store.readers)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_database_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.sqlite");
    std::fs::write(&file, []).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&file).await.unwrap();
    store.admit(&request(1, None, 1), NOW, 10).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn every_statement_prepares_on_a_migrated_database() {
    let (_folder, store) = store().await;
    let mut connection = store.writer.acquire().await.unwrap();
    for (name, statement) in sql::ALL {
        if let Err(error) = (&mut *connection)
            .prepare(sqlx::AssertSqlSafe(*statement).into_sql_str())
            .await
        {
            panic!("{name}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_identical_requests_one_is_admitted() {
    let (_folder, store) = store().await;
    let admission = Arc::new(request(1, Some(1), 1));
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let (store, admission) = (store.clone(), Arc::clone(&admission));
            tokio::spawn(async move { store.admit(&admission, NOW, 4096).await.unwrap() })
        })
        .collect();
    let mut new = Vec::new();
    let mut known = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Admitted::New(id) => new.push(id),
            Admitted::Known(id) => known.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new.len(), 1);
    assert!(known.len() == 999 && known.iter().all(|id| *id == new[0]));
    assert_eq!(statuses(&store).await, [("pooled".to_owned(), 1)]);
    assert_eq!(store.known(&admission.request).await.unwrap(), Some(new[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_five_admits_exactly_five_keys() {
    let (_folder, store) = store().await;
    // A bound of five is five nullifiers; each is raced for by forty keys.
    let tasks: Vec<_> = (0..200u32)
        .map(|number| {
            let store = store.clone();
            let admission = request(number, Some((number % 5) as u8), (number / 5) as u8);
            tokio::spawn(async move { store.admit(&admission, NOW, 4096).await.unwrap() })
        })
        .collect();
    let mut admitted = 0;
    for task in tasks {
        match task.await.unwrap() {
            Admitted::New(_) => admitted += 1,
            Admitted::NullifierSpent => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(admitted, 5);
    assert_eq!(statuses(&store).await, [("pooled".to_owned(), 5)]);
}

#[tokio::test]
async fn a_nonce_is_good_for_one_request_and_a_refused_request_spends_nothing() {
    let (_folder, store) = store().await;
    assert!(matches!(
        store.admit(&request(1, Some(1), 1), NOW, 10).await.unwrap(),
        Admitted::New(_)
    ));
    // Another request with the first one's nonce.
    let mut reused = request(2, Some(2), 1);
    reused.issuance.nonce = request(1, None, 1).issuance.nonce;
    assert_eq!(
        store.admit(&reused, NOW, 10).await.unwrap(),
        Admitted::NonceSpent
    );
    // Its nullifier is still free, for another key even.
    assert!(matches!(
        store.admit(&request(3, Some(2), 9), NOW, 10).await.unwrap(),
        Admitted::New(_)
    ));
    // A spent nullifier refuses another key and another policy, and leaves the nonce alone.
    assert_eq!(
        store.admit(&request(4, Some(1), 2), NOW, 10).await.unwrap(),
        Admitted::NullifierSpent
    );
    let mut elsewhere = request(4, Some(1), 1);
    elsewhere.policy_name = "others".to_owned();
    assert_eq!(
        store.admit(&elsewhere, NOW, 10).await.unwrap(),
        Admitted::NullifierSpent
    );
    // The same key and policy again, for a new challenge, is fine: that is how a lapsed entry is repeated.
    assert!(matches!(
        store.admit(&request(4, Some(1), 1), NOW, 10).await.unwrap(),
        Admitted::New(_)
    ));
    // Without a scope only the nonce counts.
    assert!(matches!(
        store.admit(&request(5, None, 1), NOW, 10).await.unwrap(),
        Admitted::New(_)
    ));
    // A full pool refuses, and spends nothing; a known request is known all the same.
    assert_eq!(
        store.admit(&request(6, Some(6), 6), NOW, 4).await.unwrap(),
        Admitted::Full
    );
    assert!(matches!(
        store.admit(&request(1, Some(1), 1), NOW, 4).await.unwrap(),
        Admitted::Known(_)
    ));
    assert!(matches!(
        store.admit(&request(6, Some(6), 7), NOW, 5).await.unwrap(),
        Admitted::New(_)
    ));
}

fn head(size: u64) -> Head {
    Head {
        size,
        root: [size as u8; 32],
    }
}

#[tokio::test]
async fn the_head_is_swapped_by_one_and_survives() {
    let (folder, store) = store().await;
    let Admitted::New(id) = store.admit(&request(1, Some(1), 1), NOW, 10).await.unwrap() else {
        panic!()
    };
    let batch = Batch {
        from: Head::EMPTY,
        to: head(1),
        entries: vec![vec![1, 2, 3]],
    };
    store.stage(&batch).await.unwrap();
    store.stage(&batch).await.unwrap();
    assert!(
        store
            .swap_head(Head::EMPTY, head(1), &[id], NOW)
            .await
            .unwrap()
    );
    assert!(
        !store
            .swap_head(
                Head::EMPTY,
                Head {
                    size: 1,
                    root: [7; 32]
                },
                &[id],
                NOW
            )
            .await
            .unwrap()
    );
    assert!(
        store
            .swap_head_back(head(2), head(1), "")
            .await
            .unwrap()
            .is_none()
    );
    store.close().await;

    // Started anew, the sequencer notes what is published, and may crash again before the locked head is.
    let store = Store::open(&folder.path().join("service.sqlite"))
        .await
        .unwrap();
    assert_eq!(store.published(0).await.unwrap(), []);
    assert_eq!(store.staged(&head(1)).await.unwrap(), Some(batch.clone()));
    assert_eq!(
        store.locked_head().await.unwrap(),
        LockedHead {
            head: head(1),
            time: NOW
        }
    );
    assert_eq!(store.staged(&head(1)).await.unwrap(), Some(batch));
    assert_eq!(store.staged(&head(2)).await.unwrap(), None);
    assert_eq!(statuses(&store).await, [("locked".to_owned(), 1)]);
    assert!(store.published(1).await.unwrap().is_empty());
    assert_eq!(store.staged(&head(1)).await.unwrap(), None);
    assert_eq!(
        store.status(id).await.unwrap(),
        Some(Status::Logged { index: 0 })
    );
    let unsigned = store.unsigned().await.unwrap();
    assert_eq!(
        (unsigned.len(), unsigned[0].index, unsigned[0].time),
        (1, 0, NOW)
    );
    store.sign(id, b"certificate", b"proof").await.unwrap();
    // Whoever comes later does not take it back.
    store.lapse(id, "too late").await.unwrap();
    assert!(matches!(
        store.status(id).await.unwrap(),
        Some(Status::Signed { index: 0, .. })
    ));
    assert!(store.unsigned().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_head_returns_issuances_and_drops_the_rest() {
    let (_folder, store) = store().await;
    let Admitted::New(kept) = store.admit(&request(1, Some(1), 1), NOW, 10).await.unwrap() else {
        panic!()
    };
    let object = bauta_statement::entry::ObjectRef {
        digest: [5; 32],
        length: 7,
    };
    let refused = store
        .submit([9; 32], Body::Parameters(object), NOW)
        .await
        .unwrap();
    // Submitted again after a crash it is one entry, not a second one that does not fit: in the pool and in the batch.
    let again = |number| store.submit([number; 32], Body::Parameters(object), NOW + 1);
    assert_eq!(again(8).await.unwrap(), refused);
    assert_eq!(store.pooled(10).await.unwrap().len(), 2);
    assert!(
        store
            .swap_head(Head::EMPTY, head(2), &[kept, refused], NOW)
            .await
            .unwrap()
    );
    assert_eq!(again(7).await.unwrap(), refused);
    assert_eq!(
        store
            .swap_head_back(head(2), Head::EMPTY, "refused")
            .await
            .unwrap(),
        Some(vec![refused])
    );
    assert_eq!(store.locked_head().await.unwrap().head, Head::EMPTY);
    assert_eq!(store.status(kept).await.unwrap(), Some(Status::Waiting));
    assert_eq!(
        store.status(refused).await.unwrap(),
        Some(Status::Dropped {
            reason: "refused".to_owned()
        })
    );
    let pooled = store.pooled(10).await.unwrap();
    assert_eq!(
        pooled
            .iter()
            .map(|one| (one.id, one.issuance))
            .collect::<Vec<_>>(),
        [(kept, true)]
    );
    // What was refused may be submitted again.
    assert_ne!(again(6).await.unwrap(), refused);
}

#[tokio::test]
async fn a_dropped_entry_frees_its_nullifier_and_a_logged_one_never_does() {
    let (_folder, store) = store().await;
    let Admitted::New(first) = store.admit(&request(1, Some(1), 1), NOW, 10).await.unwrap() else {
        panic!()
    };
    let Admitted::New(second) = store.admit(&request(2, Some(1), 1), NOW, 10).await.unwrap() else {
        panic!()
    };
    // The other entry still holds it.
    store.drop_pooled(first, "late").await.unwrap();
    assert_eq!(
        store.admit(&request(3, Some(1), 2), NOW, 10).await.unwrap(),
        Admitted::NullifierSpent
    );
    store.drop_pooled(second, "late").await.unwrap();
    let Admitted::New(third) = store.admit(&request(3, Some(1), 2), NOW, 10).await.unwrap() else {
        panic!()
    };
    assert!(
        store
            .swap_head(Head::EMPTY, head(1), &[third], NOW)
            .await
            .unwrap()
    );
    // Dropping is for the pool alone.
    store.drop_pooled(third, "late").await.unwrap();
    store.published(1).await.unwrap();
    store.lapse(third, "nobody signed").await.unwrap();
    let Admitted::New(fourth) = store.admit(&request(4, Some(1), 2), NOW, 10).await.unwrap() else {
        panic!()
    };
    store.drop_pooled(fourth, "late").await.unwrap();
    assert_eq!(
        store.admit(&request(5, Some(1), 1), NOW, 10).await.unwrap(),
        Admitted::NullifierSpent
    );
}

#[tokio::test]
async fn what_is_over_is_pruned_and_what_is_not_stays() {
    let (_folder, store) = store().await;
    let Admitted::New(done) = store.admit(&request(1, Some(1), 1), NOW, 10).await.unwrap() else {
        panic!()
    };
    let Admitted::New(waiting) = store.admit(&request(2, Some(2), 1), NOW, 10).await.unwrap()
    else {
        panic!()
    };
    store.drop_pooled(done, "late").await.unwrap();
    store.prune(NOW + 300).await.unwrap();
    assert!(store.status(done).await.unwrap().is_some());
    store.prune(NOW + 200_000).await.unwrap();
    assert_eq!(store.status(done).await.unwrap(), None);
    assert_eq!(store.status(waiting).await.unwrap(), Some(Status::Waiting));
    let count = |table: &str| {
        let statement = format!("SELECT COUNT(*) FROM {table}");
        let store = store.clone();
        async move {
            sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(statement))
                .fetch_one(&store.readers)
                .await
                .unwrap()
        }
    };
    assert_eq!((count("nonces").await, count("nullifiers").await), (0, 0));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (folder, store) = store().await;
    sqlx::raw_sql("PRAGMA user_version = 99")
        .execute(&store.writer)
        .await
        .unwrap();
    store.close().await;
    let again = Store::open(&folder.path().join("service.sqlite")).await;
    assert!(matches!(again, Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn the_first_signature_of_a_document_stays() {
    let (_folder, store) = store().await;
    assert!(store.ca_documents().await.unwrap().is_empty());
    store.put_ca_document(&[1; 32], b"one").await.unwrap();
    store.put_ca_document(&[1; 32], b"two").await.unwrap();
    assert_eq!(store.ca_documents().await.unwrap(), [b"one".to_vec()]);
}

/// A database of the first version keeps its CA certificate.
#[tokio::test]
async fn a_ca_certificate_survives_the_second_migration() {
    let (folder, store) = store().await;
    sqlx::raw_sql(
        "DROP TABLE ca_documents;
         CREATE TABLE ca_certificates (ca_key BLOB PRIMARY KEY, certificate BLOB NOT NULL);
         INSERT INTO ca_certificates VALUES (X'01', X'0203');
         PRAGMA user_version = 1",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;
    let again = Store::open(&folder.path().join("service.sqlite"))
        .await
        .unwrap();
    assert_eq!(again.ca_documents().await.unwrap(), [vec![2, 3]]);
}
