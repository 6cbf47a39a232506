//! What the service keeps in SQL: spent nonces and nullifiers, the pool of entries and what became of each, the locked head,
//! staged batches, and the CA's certificates. Signed files and other objects are not here: they lie beside the tiles.
//!
//! All writing goes through [`Store::run_tx`], one named transaction that is repeated where the database asks for it. One
//! transaction spends nonce and nullifier and admits the entry, so that of a thousand requests at once the right number wins.
//!
//! Growth: a nonce (some 60 bytes) stays until its challenge expires, at most 300 s; a nullifier (some 150 bytes) until its
//! scope's period ends, so a million issuances a day under a daily scope are 150 MB; an entry with its certificate (some 8 kB)
//! for a day, in which the same request returns it, so a million a day are 8 GB. Staged batches go with the next publication.
//! The log itself grows without end, in tiles (see `log_store`).

use std::future::Future;
use std::marker::PhantomData;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bauta_log::Head;
use bauta_log::sequencer::Batch;
use bauta_statement::entry::{Body, Entry, EntryError, Issuance};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};

mod sql;
#[cfg(test)]
mod tests;

/// Schema versions in order; one that was released is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_pool_and_head.sql"),
    include_str!("migrations/0002_ca_documents.sql"),
];

/// How long after its admission an entry that is done with is kept, in seconds.
const KEEP_DONE: u64 = 86_400;

/// How long what has expired is kept beyond that, in seconds: clocks differ, and go back.
const KEEP_EXPIRED: u64 = 600;

/// How often a transaction is repeated where the database was busy.
const ATTEMPTS: u32 = 8;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error(
        "the database failed in `{transaction}`: {source}; check the disk and the database, then repeat the request: nothing is spent twice"
    )]
    Database {
        /// Which transaction.
        transaction: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
    /// The database was written by a newer program.
    #[error(
        "the database has schema version {found}, and this program knows {known}; update Bauta"
    )]
    Newer {
        /// Version found.
        found: i64,
        /// Newest version known.
        known: usize,
    },
    /// Something is stored that this program does not write.
    #[error("the database holds {0}; restore it from a backup")]
    Damaged(&'static str),
    /// The entry cannot be encoded.
    #[error("the entry cannot be encoded: {0}")]
    Entry(#[from] EntryError),
}

/// The number of an admitted entry in this store. It is no index in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(i64);

/// A verified request for a certificate, as it enters the pool.
#[derive(Clone, Debug)]
pub struct Admission {
    /// SHA-256 of the request's bytes.
    pub request: [u8; 32],
    /// The entry's body.
    pub issuance: Issuance,
    /// The nullifier and the end of its scope's period (Unix seconds), where the policy has a scope.
    pub nullifier: Option<([u8; 32], u64)>,
    /// The policy's name: a nullifier is spent on it and on the key.
    pub policy_name: String,
    /// The CSR, DER; not logged.
    pub csr: Vec<u8>,
    /// The openings of disclosed attributes, encoded; not logged.
    pub openings: Vec<u8>,
}

/// What became of an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is in the pool.
    New(EntryId),
    /// The byte-identical request was admitted before; this is its entry.
    Known(EntryId),
    /// Another request has spent the nonce. Nothing is spent by this one.
    NonceSpent,
    /// The nullifier is spent on another key or policy. Nothing is spent by this request.
    NullifierSpent,
    /// The pool is full. Nothing is spent.
    Full,
}

/// An entry of the pool.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// Its number.
    pub id: EntryId,
    /// Whether it is an issuance.
    pub issuance: bool,
    /// The entry; its time is given when the batch closes.
    pub entry: Entry,
}

/// A logged issuance that has no certificate yet.
#[derive(Clone, Debug)]
pub struct Unsigned {
    /// Its number.
    pub id: EntryId,
    /// Its index in the log.
    pub index: u64,
    /// Its time.
    pub time: u64,
    /// The CSR.
    pub csr: Vec<u8>,
    /// The openings, encoded.
    pub openings: Vec<u8>,
}

/// How an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the pool, or in a batch that is being sequenced.
    Waiting,
    /// Published; an issuance still lacks its certificate, and any other entry is done.
    Logged {
        /// Index in the log.
        index: u64,
    },
    /// The certificate is there.
    Signed {
        /// Index in the log.
        index: u64,
        /// The leaf certificate, DER.
        certificate: Vec<u8>,
        /// The tlog-proof file.
        proof: Vec<u8>,
    },
    /// Logged, and not signed in time: show again with the same key; it uses up nothing more.
    Lapsed {
        /// Why.
        reason: String,
    },
    /// Not logged.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// The head that the sequencer holds, and the time of its newest entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedHead {
    /// Size and root.
    pub head: Head,
    /// Time of the newest entry.
    pub time: u64,
}

/// A transaction. `'a` is what its closure borrows: it lets the closure's future hold on to more than the connection.
struct Tx<'a> {
    inner: Transaction<'static, Sqlite>,
    borrows: PhantomData<&'a ()>,
}

type TxFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    /// One writer: writers wait in turn rather than meet in the database.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the database file, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Newer`].
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A committed nonce or head must survive the loss of power.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let failed = |source| StoreError::Database {
            transaction: "open",
            source,
        };
        // Disclosed values are in it, beside the entries that they belong to. SQLite gives its other files the same mode.
        private(file).map_err(|error| failed(sqlx::Error::Io(error)))?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let store = Store {
            readers: SqlitePoolOptions::new()
                .max_connections(4)
                .connect_lazy_with(options),
            writer,
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Waits for transactions under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let version = self
            .run_tx("migrate", |tx| {
                Box::pin(async move {
                    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
                        .fetch_one(&mut *tx.inner)
                        .await?;
                    let done = usize::try_from(version).unwrap_or(usize::MAX);
                    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
                        sqlx::raw_sql(*migration).execute(&mut *tx.inner).await?;
                        // A pragma takes no parameters; the number is ours.
                        let statement =
                            sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", number + 1));
                        sqlx::raw_sql(statement).execute(&mut *tx.inner).await?;
                    }
                    sqlx::query(sql::FIRST_HEAD)
                        .bind(&Head::EMPTY.root[..])
                        .execute(&mut *tx.inner)
                        .await?;
                    Ok(version)
                })
            })
            .await?;
        if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) {
            Ok(())
        } else {
            Err(StoreError::Newer {
                found: version,
                known: MIGRATIONS.len(),
            })
        }
    }

    /// Runs `body` in one transaction that writes; all of it is durable when this returns `Ok`, nothing of it otherwise. It is
    /// repeated where the database was busy or found a conflict, so `body` must have no effect but through `tx`.
    async fn run_tx<'a, T>(
        &self,
        transaction: &'static str,
        body: impl for<'c> Fn(&'c mut Tx<'a>) -> TxFuture<'c, T>,
    ) -> Result<T, StoreError> {
        let mut attempt = 0;
        loop {
            let result = async {
                let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
                let mut tx = Tx {
                    inner,
                    borrows: PhantomData,
                };
                let value = body(&mut tx).await?;
                tx.inner.commit().await?;
                Ok(value)
            }
            .await;
            match result {
                Ok(value) => return Ok(value),
                Err(source) if attempt < ATTEMPTS && is_transient(&source) => {
                    attempt += 1;
                    tracing::debug!(transaction, attempt, error = %source, "repeating a transaction");
                    tokio::time::sleep(Duration::from_millis(5 << attempt.min(6))).await;
                }
                Err(source) => {
                    return Err(StoreError::Database {
                        transaction,
                        source,
                    });
                }
            }
        }
    }

    /// Admits a verified request: spends its nonce and its nullifier and puts its entry into the pool, all or nothing. The
    /// byte-identical request again gives the entry that it has. `limit` bounds the pool.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was admitted is then open, and the same request again finds out.
    pub async fn admit(
        &self,
        admission: &Admission,
        now: u64,
        limit: u32,
    ) -> Result<Admitted, StoreError> {
        let body = Entry::new(0, Body::Issuance(admission.issuance.clone())).encode()?;
        let key: [u8; 32] = Sha256::digest(&admission.issuance.key).into();
        let (body, key) = (&body, &key);
        self.run_tx("admit", |tx| {
            Box::pin(async move {
                let known: Option<i64> = sqlx::query_scalar(sql::KNOWN_REQUEST)
                    .bind(&admission.request[..])
                    .fetch_optional(&mut *tx.inner)
                    .await?;
                if let Some(id) = known {
                    return Ok(Admitted::Known(EntryId(id)));
                }
                let pooled: i64 = sqlx::query_scalar(sql::COUNT_POOLED)
                    .fetch_one(&mut *tx.inner)
                    .await?;
                if pooled >= i64::from(limit) {
                    return Ok(Admitted::Full);
                }
                // The nullifier is looked at before the nonce is spent, so that a refusal leaves nothing behind.
                let mut fresh = None;
                if let Some((nullifier, until)) = &admission.nullifier {
                    let spent: Option<(String, Vec<u8>)> = sqlx::query_as(sql::NULLIFIER)
                        .bind(&nullifier[..])
                        .fetch_optional(&mut *tx.inner)
                        .await?;
                    match spent {
                        Some((policy, spent_on))
                            if policy != admission.policy_name || spent_on != key =>
                        {
                            return Ok(Admitted::NullifierSpent);
                        }
                        Some(_) => {}
                        None => fresh = Some((nullifier, until)),
                    }
                }
                let spent = sqlx::query(sql::SPEND_NONCE)
                    .bind(&admission.issuance.nonce[..])
                    .bind(signed(admission.issuance.expiry))
                    .execute(&mut *tx.inner)
                    .await?;
                if spent.rows_affected() == 0 {
                    return Ok(Admitted::NonceSpent);
                }
                if let Some((nullifier, until)) = fresh {
                    sqlx::query(sql::SPEND_NULLIFIER)
                        .bind(&nullifier[..])
                        .bind(&admission.policy_name)
                        .bind(&key[..])
                        .bind(signed(*until))
                        .execute(&mut *tx.inner)
                        .await?;
                }
                let id: i64 = sqlx::query_scalar(sql::ADMIT)
                    .bind(&admission.request[..])
                    .bind("issuance")
                    .bind(body)
                    .bind(
                        admission
                            .nullifier
                            .as_ref()
                            .map(|(nullifier, _)| &nullifier[..]),
                    )
                    .bind(&admission.csr)
                    .bind(&admission.openings)
                    .bind(signed(now))
                    .fetch_one(&mut *tx.inner)
                    .await?;
                Ok(Admitted::New(EntryId(id)))
            })
        })
        .await
    }

    /// The entry of a byte-identical request, if there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known(&self, request: &[u8; 32]) -> Result<Option<EntryId>, StoreError> {
        let id: Option<i64> = sqlx::query_scalar(sql::KNOWN_REQUEST)
            .bind(&request[..])
            .fetch_optional(&self.readers)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "known request",
                source,
            })?;
        Ok(id.map(EntryId))
    }

    /// Puts an entry other than an issuance into the pool. Two are the same if `request` is, or if the first one still waits there and
    /// says the same.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn submit(
        &self,
        request: [u8; 32],
        body: Body,
        now: u64,
    ) -> Result<EntryId, StoreError> {
        let body = &Entry::new(0, body).encode()?;
        self.run_tx("submit", |tx| {
            Box::pin(async move {
                let known: Option<i64> = sqlx::query_scalar(sql::KNOWN_REQUEST)
                    .bind(&request[..])
                    .fetch_optional(&mut *tx.inner)
                    .await?;
                if let Some(id) = known {
                    return Ok(EntryId(id));
                }
                // Whoever submitted it was killed, or the service was: it waits, and the same once more would be refused.
                let waits: Option<i64> = sqlx::query_scalar(sql::POOLED_SAME)
                    .bind(body)
                    .fetch_optional(&mut *tx.inner)
                    .await?;
                if let Some(id) = waits {
                    return Ok(EntryId(id));
                }
                let id = sqlx::query_scalar(sql::ADMIT)
                    .bind(&request[..])
                    .bind("other")
                    .bind(body)
                    .bind(None::<&[u8]>)
                    .bind(&[][..])
                    .bind(&[][..])
                    .bind(signed(now))
                    .fetch_one(&mut *tx.inner)
                    .await?;
                Ok(EntryId(id))
            })
        })
        .await
    }

    /// The first entries of the pool, in order of admission.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pooled(&self, limit: u32) -> Result<Vec<Pooled>, StoreError> {
        let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as(sql::POOLED)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "pooled",
                source,
            })?;
        rows.into_iter()
            .map(|(id, kind, body)| {
                Ok(Pooled {
                    id: EntryId(id),
                    issuance: kind == "issuance",
                    entry: Entry::decode(&body)?,
                })
            })
            .collect()
    }

    /// The head that the sequencer holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn locked_head(&self) -> Result<LockedHead, StoreError> {
        let (size, root, time): (i64, Vec<u8>, i64) = sqlx::query_as(sql::HEAD)
            .fetch_one(&self.writer)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "locked head",
                source,
            })?;
        let root = root
            .try_into()
            .map_err(|_| StoreError::Damaged("a head whose root is no hash"))?;
        Ok(LockedHead {
            head: Head {
                size: unsigned(size)?,
                root,
            },
            time: unsigned(time)?,
        })
    }

    /// Stages a batch under the head that it leads to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stage(&self, batch: &Batch) -> Result<(), StoreError> {
        let bytes = &batch
            .to_bytes()
            .map_err(|_| StoreError::Damaged("an entry that is too long"))?;
        self.run_tx("stage", |tx| {
            Box::pin(async move {
                sqlx::query(sql::STAGE)
                    .bind(&batch.to.root[..])
                    .bind(bytes)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The batch that is staged under a head, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn staged(&self, head: &Head) -> Result<Option<Batch>, StoreError> {
        let bytes: Option<Vec<u8>> = sqlx::query_scalar(sql::STAGED)
            .bind(&head.root[..])
            .fetch_optional(&self.writer)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "staged",
                source,
            })?;
        bytes
            .map(|bytes| {
                Batch::from_bytes(&bytes)
                    .map_err(|_| StoreError::Damaged("a staged batch that does not decode"))
            })
            .transpose()
    }

    /// The compare-and-swap: sets the locked head to `to` if it is `from`, and in the same transaction gives the entries `ids`
    /// their indices and their time. `false`: somebody else holds the log.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was swapped is then open.
    pub async fn swap_head(
        &self,
        from: Head,
        to: Head,
        ids: &[EntryId],
        time: u64,
    ) -> Result<bool, StoreError> {
        self.run_tx("swap head", |tx| {
            Box::pin(async move {
                let swapped = sqlx::query(sql::SWAP_HEAD)
                    .bind(signed(to.size))
                    .bind(&to.root[..])
                    .bind(signed(time))
                    .bind(signed(from.size))
                    .bind(&from.root[..])
                    .execute(&mut *tx.inner)
                    .await?;
                if swapped.rows_affected() == 0 {
                    return Ok(false);
                }
                for (id, index) in ids.iter().zip(from.size..) {
                    sqlx::query(sql::LOCK)
                        .bind(signed(index))
                        .bind(signed(time))
                        .bind(id.0)
                        .execute(&mut *tx.inner)
                        .await?;
                }
                Ok(true)
            })
        })
        .await
    }

    /// Takes the locked head back from `from`, which the quorum refused, to `to`. Issuances go back to the pool; other entries,
    /// one of which must be what was refused, are dropped. Gives the dropped ones; `None`: somebody else holds the log.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was swapped is then open.
    pub async fn swap_head_back(
        &self,
        from: Head,
        to: Head,
        reason: &str,
    ) -> Result<Option<Vec<EntryId>>, StoreError> {
        self.run_tx("swap head back", |tx| {
            Box::pin(async move {
                let swapped = sqlx::query(sql::SWAP_HEAD_BACK)
                    .bind(signed(to.size))
                    .bind(&to.root[..])
                    .bind(signed(from.size))
                    .bind(&from.root[..])
                    .execute(&mut *tx.inner)
                    .await?;
                if swapped.rows_affected() == 0 {
                    return Ok(None);
                }
                let dropped: Vec<i64> = sqlx::query_scalar(sql::DROP_LOCKED_OTHERS)
                    .bind(reason)
                    .fetch_all(&mut *tx.inner)
                    .await?;
                sqlx::query(sql::UNLOCK_ISSUANCES)
                    .execute(&mut *tx.inner)
                    .await?;
                sqlx::query(sql::UNSTAGE_ALL)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(Some(dropped.into_iter().map(EntryId).collect()))
            })
        })
        .await
    }

    /// Notes that everything below `size` is published. Gives the entries that are done with it: all but issuances, which
    /// wait for their certificates.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn published(&self, size: u64) -> Result<Vec<EntryId>, StoreError> {
        self.run_tx("published", |tx| {
            Box::pin(async move {
                let logged: Vec<(i64, String)> = sqlx::query_as(sql::LOGGED)
                    .bind(signed(size))
                    .fetch_all(&mut *tx.inner)
                    .await?;
                sqlx::query(sql::NULLIFIERS_LOGGED)
                    .execute(&mut *tx.inner)
                    .await?;
                // After a crash the locked head may be ahead of what is published; its batch is all that leads there, and a
                // second crash would find it gone.
                sqlx::query(sql::UNSTAGE_PUBLISHED)
                    .bind(signed(size))
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(logged
                    .into_iter()
                    .filter(|(_, kind)| kind == "other")
                    .map(|(id, _)| EntryId(id))
                    .collect())
            })
        })
        .await
    }

    /// Drops an entry of the pool that no longer fits; its nullifier is free again if nothing else spent it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_pooled(&self, id: EntryId, reason: &str) -> Result<(), StoreError> {
        self.run_tx("drop", |tx| {
            Box::pin(async move {
                sqlx::query(sql::DROP)
                    .bind(reason)
                    .bind(id.0)
                    .execute(&mut *tx.inner)
                    .await?;
                sqlx::query(sql::FREE_NULLIFIER)
                    .bind(id.0)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Logged issuances that have no certificate yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unsigned(&self) -> Result<Vec<Unsigned>, StoreError> {
        let rows = sqlx::query(sql::UNSIGNED)
            .fetch_all(&self.writer)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "unsigned",
                source,
            })?;
        rows.into_iter()
            .map(|row| {
                Ok(Unsigned {
                    id: EntryId(row.get(0)),
                    index: unsigned(row.get(1))?,
                    time: unsigned(row.get(2))?,
                    csr: row.get(3),
                    openings: row.get(4),
                })
            })
            .collect()
    }

    /// Keeps an entry's certificate and proof.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign(
        &self,
        id: EntryId,
        certificate: &[u8],
        proof: &[u8],
    ) -> Result<(), StoreError> {
        self.run_tx("sign", |tx| {
            Box::pin(async move {
                sqlx::query(sql::SIGNED)
                    .bind(certificate)
                    .bind(proof)
                    .bind(id.0)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Notes that a logged entry was not signed in time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lapse(&self, id: EntryId, reason: &str) -> Result<(), StoreError> {
        self.run_tx("lapse", |tx| {
            Box::pin(async move {
                sqlx::query(sql::LAPSE)
                    .bind(reason)
                    .bind(id.0)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// How an entry stands; `None` if it is not, or no longer, here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn status(&self, id: EntryId) -> Result<Option<Status>, StoreError> {
        let row = sqlx::query(sql::ENTRY)
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "status",
                source,
            })?;
        let Some(row) = row else { return Ok(None) };
        let index = || unsigned(row.get::<Option<i64>, _>(2).unwrap_or(-1));
        let reason = || row.get::<Option<String>, _>(3).unwrap_or_default();
        Ok(Some(match row.get::<String, _>(1).as_str() {
            "pooled" | "locked" => Status::Waiting,
            "logged" => Status::Logged { index: index()? },
            "signed" => Status::Signed {
                index: index()?,
                certificate: row.get::<Option<Vec<u8>>, _>(4).unwrap_or_default(),
                proof: row.get::<Option<Vec<u8>>, _>(5).unwrap_or_default(),
            },
            "lapsed" => Status::Lapsed { reason: reason() },
            "dropped" => Status::Dropped { reason: reason() },
            _ => return Err(StoreError::Damaged("an entry of unknown status")),
        }))
    }

    /// Deletes what can matter no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, now: u64) -> Result<(), StoreError> {
        self.run_tx("prune", |tx| {
            Box::pin(async move {
                for (statement, before) in [
                    (sql::PRUNE_NONCES, now.saturating_sub(KEEP_EXPIRED)),
                    (sql::PRUNE_NULLIFIERS, now.saturating_sub(KEEP_EXPIRED)),
                    (sql::PRUNE_ENTRIES, now.saturating_sub(KEEP_DONE)),
                ] {
                    sqlx::query(statement)
                        .bind(signed(before))
                        .execute(&mut *tx.inner)
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Keeps what a CA key signed by a key operation, under the SHA-256 of what was signed; the first one stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_ca_document(
        &self,
        signed: &[u8; 32],
        document: &[u8],
    ) -> Result<(), StoreError> {
        self.run_tx("put CA document", |tx| {
            Box::pin(async move {
                sqlx::query(sql::PUT_CA_DOCUMENT)
                    .bind(&signed[..])
                    .bind(document)
                    .execute(&mut *tx.inner)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// All that CA keys signed by key operations, DER.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ca_documents(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        sqlx::query_scalar(sql::CA_DOCUMENTS)
            .fetch_all(&self.readers)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "CA documents",
                source,
            })
    }
}

/// Makes a file that its owner alone may read, or makes it so.
fn private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?
        .set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// SQL has signed integers; every number here is far below their end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged("a negative size, index or time"))
}

/// Whether the same transaction may succeed when it is repeated: SQLite's busy and locked, PostgreSQL's serialization
/// failure and deadlock.
fn is_transient(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.code() {
        Some(code) => matches!(
            code.as_ref(),
            "5" | "6" | "261" | "262" | "517" | "40001" | "40P01"
        ),
        None => false,
    }
}
