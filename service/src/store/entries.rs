//! Requests and other entries from the pool to their end: what is spent, what waits, what was signed.

use bauta_statement::entry::{Body, Entry};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::{
    Admission, Admitted, EntryId, Pooled, Status, Store, StoreError, Unsigned, signed, sql,
    unsigned,
};

/// How long after its admission an entry that is done with is kept, in seconds.
const KEEP_DONE: u64 = 86_400;

/// How long what has expired is kept beyond that, in seconds: clocks differ, and go back.
const KEEP_EXPIRED: u64 = 600;

impl Store {
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

    /// Puts an entry other than an issuance into the pool, or finds the one that says the same and waits: whoever was killed while
    /// it waited submits it again. `request` is this call's alone.
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
                let waiting: Option<i64> = sqlx::query_scalar(sql::WAITING)
                    .bind(body)
                    .fetch_optional(&mut *tx.inner)
                    .await?;
                if let Some(id) = waiting {
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
}
