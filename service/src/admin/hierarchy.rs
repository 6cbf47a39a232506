//! What operators do with CA keys beside making the first: read the key operations that are logged, and have the signers sign
//! what one of them orders.

use std::sync::Arc;

use axum::{Json, extract::State as Shared};
use bauta_statement::{certificate::Document, file::KeyOperation, note::Digest};
use bauta_verifier::ledger::Logged;
use tokio::sync::oneshot;

use super::{
    server::{Admin, Failure, failed, proof, refused},
    wire::{CaState, EpochState, OperationState, Signed},
};
use crate::{
    State, clock,
    sequencer::{self, Signing, SigningTask},
};

/// Seconds that the signers have for a key operation.
const PATIENCE: u64 = 60;

/// Everything about CA keys that is logged and published.
pub(super) async fn ca_state(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<CaState>, Failure> {
    let state = Arc::clone(&admin.state);
    let read = tokio::task::spawn_blocking(move || read_ca_state(&state));
    read.await.map_err(failed)?.map(Json)
}

fn read_ca_state(state: &State) -> Result<CaState, Failure> {
    let size = state.logs.size();
    let ledger = state.ledger();
    let text_of = |digest: &Digest| {
        let note = state
            .logs
            .object(digest)
            .ok_or_else(|| failed("a file that the log names is not in its folder"))?;
        String::from_utf8(note).map_err(failed)
    };
    let authority = ledger
        .authority_file()
        .filter(|file| file.index < size)
        .ok_or_else(|| refused("the log has not begun"))?;
    let pending: Vec<Digest> = ledger
        .pending_generations(clock::now())
        .into_iter()
        .map(|(one, _)| one.digest)
        .collect();
    let mut logged: Vec<_> = ledger
        .key_operations()
        .filter(|one| one.index < size)
        .collect();
    logged.sort_by_key(|one| one.index);
    let operations = logged
        .into_iter()
        .map(|one| {
            let document = state
                .certificates
                .ordered(one)
                .map_err(failed)?
                .and_then(|(document, made)| made.map(|der| document.to_pem(&der)));
            Ok(OperationState {
                note: text_of(&one.object.digest)?,
                pending: pending.contains(&one.digest),
                document,
            })
        })
        .collect::<Result<_, Failure>>()?;
    Ok(CaState {
        authority: text_of(&authority.object.digest)?,
        operations,
        epoch: ledger.epoch_at(clock::now()).map(|one| EpochState {
            number: one.epoch.number,
            key: one.ca.key.name.clone(),
        }),
    })
}

/// Has the signers sign what one operation orders; what is made already is given again.
pub(super) async fn sign_operation(
    Shared(admin): Shared<Arc<Admin>>,
    digest: String,
) -> Result<Json<Signed>, Failure> {
    let digest: Digest = bauta_statement::file::text::parse_hex(&digest).map_err(refused)?;
    let find =
        |ledger: &bauta_verifier::ledger::Ledger| ledger.key_operation_by_digest(&digest).cloned();
    let operation = find(&admin.state.ledger()).ok_or_else(|| {
        refused("no such key operation is logged, or it was superseded or retired")
    })?;
    let (document, der) = signed(&admin.state, &operation).await?;
    Ok(Json(Signed {
        document: document.to_pem(&der),
    }))
}

/// Has the signers sign the CA certificate that is ordered and not made yet.
pub(super) async fn sign_ca_certificate(
    Shared(admin): Shared<Arc<Admin>>,
) -> Result<Json<()>, Failure> {
    let state = &admin.state;
    let operation = {
        let ledger = state.ledger();
        let mut all = ledger.key_operations();
        all.find(|logged| {
            matches!(*logged.body, KeyOperation::SignCaCertificate(_))
                && matches!(state.certificates.ordered(logged), Ok(Some((_, None))))
        })
        .cloned()
    };
    let operation = operation.ok_or_else(|| {
        refused("no key operation is logged that asks for a CA certificate which is not made yet")
    })?;
    signed(state, &operation).await?;
    Ok(Json(()))
}

/// What an operation orders, and the document (DER): from the store, or by the signers.
async fn signed(
    state: &Arc<State>,
    operation: &Logged<KeyOperation>,
) -> Result<(Document, Vec<u8>), Failure> {
    if operation.index >= state.logs.size() {
        return Err(refused(
            "the key operation is not published yet; its head waits for cosignatures",
        ));
    }
    let (Some((document, made)), Some(group_key)) = (
        state.certificates.ordered(operation).map_err(failed)?,
        operation.body.group_key(),
    ) else {
        return Err(refused("this key operation orders no signature"));
    };
    if let Some(der) = made {
        return Ok((document, der));
    }
    let task = SigningTask {
        index: operation.index,
        proof: proof(state, operation.index).await?,
        csr: Vec::new(),
        openings: Vec::new(),
        tbs: document.as_bytes().to_vec(),
        group_key: *group_key,
        deadline: clock::now().saturating_add(PATIENCE),
    };
    let (reply, answer) = oneshot::channel();
    state
        .coordinator
        .orders()
        .send(sequencer::Command::Sign { task, reply })
        .await
        .map_err(failed)?;
    let signature = match answer.await.map_err(failed)? {
        Signing::Signed(signature) => signature,
        Signing::Refused { reason } => {
            return Err(refused(format!("the signers refuse to sign: {reason}")));
        }
        Signing::Lapsed => {
            return Err(refused(format!(
                "too few signers were there within {PATIENCE} s, or too few holders of attended ones agreed (`bauta-signer approve`); ask again when they are"
            )));
        }
    };
    let der = document.assemble(&signature).map_err(failed)?;
    state
        .certificates
        .put(&document, der.clone())
        .await
        .map_err(failed)?;
    Ok((document, der))
}
