//! The head that is locked: its batch is staged, then it is swapped in, and back if the signers refuse it.

use bauta_log::{Head, sequencer::Batch};

use super::{EntryId, LockedHead, Store, StoreError, signed, sql, unsigned};

impl Store {
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
}
