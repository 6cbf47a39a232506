//! The desk's SQLite database. All SQL is here, and each change runs in one write transaction: `BEGIN IMMEDIATE`, so that
//! the service and the operator's `bauta issuer revoke`, which are two processes, take turns.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_desk.sql")];

const SUBJECT: &str = "SELECT commitment, starts, barred, leaked FROM subject WHERE subject = ?1";
const SUBJECTS_OF_COMMITMENT: &str = "SELECT subject FROM subject WHERE commitment = ?1";
const SUBJECT_OF_SERIAL: &str = "SELECT subject FROM credential WHERE serial = ?1";
const NEW_SUBJECT: &str =
    "INSERT INTO subject (subject, commitment, starts, enrolled) VALUES (?1, ?2, ?3, ?4)";
const RESET_SUBJECT: &str =
    "UPDATE subject SET commitment = ?2, starts = ?3, leaked = 0 WHERE subject = ?1";
const BAR_SUBJECT: &str = "UPDATE subject SET barred = ?2 WHERE subject = ?1";
const LEAK_SUBJECT: &str = "UPDATE subject SET leaked = 1 WHERE subject = ?1";
const SAME_CREDENTIAL: &str = "SELECT bytes FROM credential c WHERE subject = ?1 AND commitment = ?2 AND source = ?3 \
     AND issued >= ?4 AND NOT EXISTS (SELECT 1 FROM revocation r WHERE r.serial = c.serial) ORDER BY issued DESC LIMIT 1";
const NEW_CREDENTIAL: &str = "INSERT INTO credential (serial, subject, commitment, source, issued, not_after, bytes) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const UNREVOKED: &str = "SELECT serial FROM credential c WHERE subject = ?1 AND not_after >= ?2 \
     AND NOT EXISTS (SELECT 1 FROM revocation r WHERE r.serial = c.serial) ORDER BY issued, serial";
const REVOKE: &str = "INSERT OR IGNORE INTO revocation (serial, revoked) VALUES (?1, ?2)";
const REVOKED: &str = "SELECT serial FROM revocation ORDER BY position";
const NEWEST_LIST: &str =
    "SELECT version, expires, note FROM revocation_list ORDER BY version DESC LIMIT 1";
const NEW_LIST: &str = "INSERT INTO revocation_list (version, expires, note) VALUES (?1, ?2, ?3)";

#[cfg(test)]
const STATEMENTS: &[&str] = &[
    SUBJECT,
    SUBJECTS_OF_COMMITMENT,
    SUBJECT_OF_SERIAL,
    NEW_SUBJECT,
    RESET_SUBJECT,
    BAR_SUBJECT,
    LEAK_SUBJECT,
    SAME_CREDENTIAL,
    NEW_CREDENTIAL,
    UNREVOKED,
    REVOKE,
    REVOKED,
    NEWEST_LIST,
    NEW_LIST,
];

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own error.
    #[error("the desk's database failed ({0}): check the disk and the rights of its folder")]
    Database(#[from] sqlx::Error),
    /// Made by a newer program.
    #[error(
        "the desk's database has schema version {0}, newer than this program: use the newer program"
    )]
    Newer(i64),
    /// A column that this program did not write.
    #[error("the desk's database holds a damaged {0}: restore it from a backup")]
    Damaged(&'static str),
}

/// A subject as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubjectRow {
    pub(crate) commitment: [u8; 32],
    pub(crate) starts: u64,
    pub(crate) barred: bool,
    pub(crate) leaked: bool,
}

/// A credential as stored.
pub(crate) struct CredentialRow<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) subject: &'a str,
    pub(crate) commitment: &'a [u8; 32],
    pub(crate) source: &'a [u8; 32],
    pub(crate) issued: u64,
    pub(crate) not_after: u64,
    pub(crate) bytes: &'a [u8],
}

/// The newest revocation list as stored.
pub(crate) struct ListRow {
    pub(crate) version: u64,
    pub(crate) expires: u64,
    pub(crate) note: Vec<u8>,
}

/// The database.
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens `path`, makes it if missing, and brings it to this program's version.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await?;
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await?
            .try_get(0)?;
        let done = usize::try_from(version)
            .ok()
            .filter(|done| *done <= MIGRATIONS.len())
            .ok_or(StoreError::Newer(version))?;
        for migration in &MIGRATIONS[done..] {
            sqlx::raw_sql(*migration).execute(&mut *tx).await?;
        }
        // A pragma takes no parameter; the number is ours.
        let pragma = format!("PRAGMA user_version = {}", MIGRATIONS.len());
        sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// One write transaction. What is not committed is undone when it is dropped.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(Tx(self.pool.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// The newest revocation list, if one was ever made.
    pub(crate) async fn newest_list(&self) -> Result<Option<ListRow>, StoreError> {
        let row = sqlx::query(NEWEST_LIST).fetch_optional(&self.pool).await?;
        row.as_ref().map(list).transpose()
    }

    /// Ends all connections, so that the write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A write transaction.
pub(crate) struct Tx(Transaction<'static, Sqlite>);

impl Tx {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    pub(crate) async fn subject(
        &mut self,
        subject: &str,
    ) -> Result<Option<SubjectRow>, StoreError> {
        let row = sqlx::query(SUBJECT)
            .bind(subject)
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|row| {
            Ok(SubjectRow {
                commitment: row
                    .try_get::<Vec<u8>, _>(0)?
                    .try_into()
                    .map_err(|_| StoreError::Damaged("commitment"))?,
                starts: unsigned(row.try_get(1)?)?,
                barred: row.try_get::<i64, _>(2)? != 0,
                leaked: row.try_get::<i64, _>(3)? != 0,
            })
        })
        .transpose()
    }

    pub(crate) async fn subjects_of_commitment(
        &mut self,
        commitment: &[u8; 32],
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(SUBJECTS_OF_COMMITMENT)
            .bind(&commitment[..])
            .fetch_all(&mut *self.0)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    pub(crate) async fn subject_of_serial(
        &mut self,
        serial: &[u8],
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(SUBJECT_OF_SERIAL)
            .bind(serial)
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    pub(crate) async fn add_subject(
        &mut self,
        subject: &str,
        commitment: &[u8; 32],
        starts: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(NEW_SUBJECT)
            .bind(subject)
            .bind(&commitment[..])
            .bind(signed(starts))
            .bind(signed(now))
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    pub(crate) async fn reset_subject(
        &mut self,
        subject: &str,
        commitment: &[u8; 32],
        starts: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(RESET_SUBJECT)
            .bind(subject)
            .bind(&commitment[..])
            .bind(signed(starts))
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    pub(crate) async fn bar(&mut self, subject: &str, barred: bool) -> Result<bool, StoreError> {
        let done = sqlx::query(BAR_SUBJECT)
            .bind(subject)
            .bind(i64::from(barred))
            .execute(&mut *self.0)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    pub(crate) async fn mark_leaked(&mut self, subject: &str) -> Result<(), StoreError> {
        sqlx::query(LEAK_SUBJECT)
            .bind(subject)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// An unrevoked credential read from the same certificate for the same commitment since `since`.
    pub(crate) async fn same_credential(
        &mut self,
        subject: &str,
        commitment: &[u8; 32],
        source: &[u8; 32],
        since: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query(SAME_CREDENTIAL)
            .bind(subject)
            .bind(&commitment[..])
            .bind(&source[..])
            .bind(signed(since))
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    pub(crate) async fn add_credential(
        &mut self,
        row: &CredentialRow<'_>,
    ) -> Result<(), StoreError> {
        sqlx::query(NEW_CREDENTIAL)
            .bind(row.serial)
            .bind(row.subject)
            .bind(&row.commitment[..])
            .bind(&row.source[..])
            .bind(signed(row.issued))
            .bind(signed(row.not_after))
            .bind(row.bytes)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Revokes one serial number; `false` if it was revoked already.
    pub(crate) async fn revoke(&mut self, serial: &[u8], now: u64) -> Result<bool, StoreError> {
        let done = sqlx::query(REVOKE)
            .bind(serial)
            .bind(signed(now))
            .execute(&mut *self.0)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Revokes what a subject holds that has not ended by itself; how many that were.
    pub(crate) async fn revoke_all(
        &mut self,
        subject: &str,
        now: u64,
    ) -> Result<usize, StoreError> {
        let rows = sqlx::query(UNREVOKED)
            .bind(subject)
            .bind(signed(now))
            .fetch_all(&mut *self.0)
            .await?;
        for row in &rows {
            let serial: Vec<u8> = row.try_get(0)?;
            self.revoke(&serial, now).await?;
        }
        Ok(rows.len())
    }

    /// All revoked serial numbers, in the order of their revocation.
    pub(crate) async fn revoked(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query(REVOKED).fetch_all(&mut *self.0).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    pub(crate) async fn newest_list(&mut self) -> Result<Option<ListRow>, StoreError> {
        let row = sqlx::query(NEWEST_LIST)
            .fetch_optional(&mut *self.0)
            .await?;
        row.as_ref().map(list).transpose()
    }

    pub(crate) async fn add_list(
        &mut self,
        version: u64,
        expires: u64,
        note: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query(NEW_LIST)
            .bind(signed(version))
            .bind(signed(expires))
            .bind(note)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}

fn list(row: &sqlx::sqlite::SqliteRow) -> Result<ListRow, StoreError> {
    Ok(ListRow {
        version: unsigned(row.try_get(0)?)?,
        expires: unsigned(row.try_get(1)?)?,
        note: row.try_get(2)?,
    })
}

/// SQLite has signed integers; a time beyond them is as good as the last one.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged("time or version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Executor;

    /// Every statement fits the migrated schema, and migrating twice changes nothing.
    #[tokio::test]
    async fn statements_prepare() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.db");
        Store::open(&path).await.unwrap().close().await;
        let store = Store::open(&path).await.unwrap();
        for statement in STATEMENTS {
            (&store.pool)
                .prepare(sqlx::SqlSafeStr::into_sql_str(*statement))
                .await
                .unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
    }

    #[tokio::test]
    async fn newer_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.db");
        let store = Store::open(&path).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 99")
            .execute(&store.pool)
            .await
            .unwrap();
        store.close().await;
        assert!(matches!(
            Store::open(&path).await,
            Err(StoreError::Newer(99))
        ));
    }

    #[tokio::test]
    async fn uncommitted_changes_are_undone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("desk.db")).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.add_subject("a", &[1; 32], 5, 5).await.unwrap();
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.subject("a").await.unwrap(), None);
    }
}
