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
use bauta_statement::entry::{Entry, EntryError, Issuance};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

mod entries;
mod head;
mod sql;
#[cfg(test)]
mod tests;

/// Schema versions in order; one that was released is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_pool_and_head.sql"),
    include_str!("migrations/0002_ca_documents.sql"),
];

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
