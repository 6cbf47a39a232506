//! From a logged issuance to its certificate: one task per entry, which waits for the threshold signature.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::rules::Rules;
use super::{Command, LAPSES_AFTER, Parts, Signing, SigningTask};
use crate::log_store::LogStoreError;
use crate::store::{StoreError, Unsigned};

/// How long until a coordinator that went away is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// Seconds that the coordinator has, beyond the deadline, to say that it went by.
const GRACE: u64 = 2;

/// Why an entry got no certificate now.
enum Failure {
    /// It never will: say so to the holder.
    Lapsed(String),
    /// The store or the folder failed: the next start takes the entry up again.
    Later(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Later(error.to_string())
    }
}

impl From<LogStoreError> for Failure {
    fn from(error: LogStoreError) -> Self {
        Failure::Later(error.to_string())
    }
}

/// Starts a task for each logged issuance without a certificate that has none yet.
pub(super) async fn start_all<R: Rules>(
    parts: &Parts<R>,
    tasks: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    for entry in parts.store.unsigned().await? {
        let new = parts
            .signing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(entry.id);
        if new {
            let parts = parts.clone();
            tasks.spawn(async move {
                let id = entry.id;
                complete(&parts, entry).await;
                parts
                    .signing
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&id);
            });
        }
    }
    Ok(())
}

async fn complete<R: Rules>(parts: &Parts<R>, entry: Unsigned) {
    let (id, index) = (entry.id, entry.index);
    let result = match certify(parts, entry).await {
        Err(Failure::Lapsed(reason)) => {
            tracing::warn!(index, reason, "an entry has lapsed");
            parts.store.lapse(id, &reason).await.map_err(Failure::from)
        }
        result => result,
    };
    match result {
        Ok(()) => parts.waiters.done(id),
        Err(Failure::Later(error) | Failure::Lapsed(error)) => {
            tracing::error!(
                index,
                error,
                "a certificate could not be stored; the next start takes it up again"
            );
        }
    }
}

async fn certify<R: Rules>(parts: &Parts<R>, entry: Unsigned) -> Result<(), Failure> {
    let Unsigned {
        id,
        index,
        time,
        csr,
        openings,
    } = entry;
    let deadline = time.saturating_add(LAPSES_AFTER);
    if (parts.clock)() > deadline {
        return Err(Failure::Lapsed(
            "it was not signed within 120 seconds".to_owned(),
        ));
    }
    let (rules, log) = (parts.rules.clone(), parts.log.clone());
    let beside = openings.clone();
    let (to_sign, mut proof) = tokio::task::spawn_blocking(move || {
        let to_sign = rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .to_sign(index, &beside)
            .map_err(Failure::Lapsed)?;
        Ok::<_, Failure>((to_sign, log.tlog_proof(index, None)?))
    })
    .await
    .map_err(|error| Failure::Later(error.to_string()))??;
    let task = SigningTask {
        index,
        proof: proof.to_bytes(),
        csr,
        openings,
        tbs: to_sign.tbs,
        group_key: to_sign.group_key,
        deadline,
    };
    let signature = match sign(parts, task).await {
        Some(Signing::Signed(signature)) => signature,
        Some(Signing::Refused { reason }) => {
            return Err(Failure::Lapsed(format!("the signers refused: {reason}")));
        }
        Some(Signing::Lapsed) | None => {
            return Err(Failure::Lapsed(
                "too few signers were there within 120 seconds".to_owned(),
            ));
        }
    };
    let certificate = (to_sign.assemble)(&signature).map_err(Failure::Lapsed)?;
    proof.extra = Some(to_sign.extra);
    parts
        .store
        .sign(id, &certificate, &proof.to_bytes())
        .await?;
    Ok(())
}

/// Asks until there is an answer or the deadline has gone by; a coordinator that goes away meanwhile is asked again.
async fn sign<R: Rules>(parts: &Parts<R>, task: SigningTask) -> Option<Signing> {
    loop {
        let left = task
            .deadline
            .saturating_add(GRACE)
            .saturating_sub((parts.clock)());
        if left == 0 {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        let command = Command::Sign {
            task: task.clone(),
            reply,
        };
        let asked = async {
            parts.commands.send(command).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(Duration::from_secs(left), asked).await {
            Ok(Some(signing)) => return Some(signing),
            Ok(None) => tokio::time::sleep(RETRY).await,
            Err(_) => return None,
        }
    }
}
