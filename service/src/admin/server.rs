//! The admin socket's server. What arrives here is judged by the ledger, and by every signer; the socket only says who may bring
//! it: whoever may open it, that is its owner (mode 600).

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bauta_signer_protocol::{generation::GenerationTask, ledger_rulebook};
use bauta_statement::{
    certificate,
    crl::Crl,
    entry::{Body, Entry, MAX_OBJECT_BYTES, ObjectRef},
    file::{self, KeyOperation, SignedFile},
    note::Digest,
};
use data_encoding::{BASE64, HEXLOWER};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use bauta_signer_protocol::messages::Stage;

use super::hierarchy;
use super::wire::{
    self, CaKeyStatus, EpochLogged, Logged, Refusal, SharesMade, SignerState, SignerStatus, Status,
};
use crate::{State, clock, coordinator::Outcome, epochs::Epochs};

/// What the handlers work with.
pub(super) struct Admin {
    pub(super) state: Arc<State>,
    epochs: Epochs,
    files: Mutex<Files>,
}

/// The objects of logged files, as far as the log was read.
#[derive(Default)]
struct Files {
    read: u64,
    objects: Vec<Digest>,
}

/// Anything that went wrong, as the client is told.
pub(super) struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(Refusal { detail: self.1 })).into_response()
    }
}

/// The caller's fault.
pub(super) fn refused(detail: impl std::fmt::Display) -> Failure {
    Failure(StatusCode::UNPROCESSABLE_ENTITY, detail.to_string())
}

/// The service's fault.
pub(super) fn failed(detail: impl std::fmt::Display) -> Failure {
    Failure(StatusCode::INTERNAL_SERVER_ERROR, detail.to_string())
}

/// Makes the socket, mode 600, in the place of one that nobody listens on.
///
/// # Errors
/// If another process listens on it, or the folder cannot be written.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let text = format!(
            "another service listens on {}; stop it first",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    // Made where nobody else may enter and moved when its mode is set, so that it is never open to others.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let hidden = folder.join(format!(".admin-{}", std::process::id()));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&hidden)?;
    let made = hidden.join("s");
    let _ = fs::remove_file(&made);
    let result = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    fs::remove_dir(&hidden)?;
    result
}

/// Serves the admin socket until `shutdown`.
pub(crate) async fn serve(
    listener: UnixListener,
    state: Arc<State>,
    epochs: Epochs,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let admin = Arc::new(Admin {
        state,
        epochs,
        files: Mutex::default(),
    });
    let router = Router::new()
        .route(wire::STATUS, get(status))
        .route(wire::FILES, post(log_file))
        .route(wire::OBJECTS, post(put_object))
        .route(wire::KEY_GENERATION, post(generate_key))
        .route(wire::RESHARING, post(reshare_key))
        .route(wire::SHARE_REPAIR, post(repair_share))
        .route(wire::CA_CERTIFICATE, post(hierarchy::sign_ca_certificate))
        .route(wire::CA, get(hierarchy::ca_state))
        .route(wire::SIGNATURES, post(hierarchy::sign_operation))
        .route(wire::EPOCHS, post(publish_epoch))
        .layer(DefaultBodyLimit::max(MAX_OBJECT_BYTES as usize))
        .with_state(admin);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
}

async fn status(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<Status>, Failure> {
    let status = tokio::task::spawn_blocking(move || read_status(&admin));
    status.await.map(Json).map_err(failed)
}

fn read_status(admin: &Admin) -> Status {
    let state = &admin.state;
    let size = state.logs.size();
    let files = logged_files(admin, size);
    let certificates = state.ca_certificates();
    let ledger = state.ledger();
    let authority = ledger.authority_file().filter(|file| file.index < size);
    let ca_keys = authority
        .map(|file| file.body.ca_keys.clone())
        .unwrap_or_default();
    let operations = || {
        ledger
            .key_operations()
            .filter(|operation| operation.index < size)
    };
    let newest = ca_keys.last().and_then(|key| {
        certificates
            .iter()
            .find(|(group_key, _)| *group_key == key.group_key)
    });
    Status {
        authority: authority.map(|file| HEXLOWER.encode(&file.digest)),
        key_generation_logged: operations()
            .any(|one| matches!(*one.body, KeyOperation::GenerateKey(_))),
        ca_operation_logged: operations()
            .any(|one| matches!(*one.body, KeyOperation::SignCaCertificate(_))),
        ca_certificate: newest.map(|(_, der)| certificate::to_pem(der)),
        ca_keys: ca_keys
            .into_iter()
            .map(|key| CaKeyStatus {
                name: key.name,
                group_key: key.group_key,
            })
            .collect(),
        size,
        pending: ledger.size().saturating_sub(size),
        epoch: ledger.epoch_at(clock::now()).map(|one| one.epoch.number),
        signers: state
            .coordinator
            .signers()
            .into_iter()
            .map(|signer| SignerStatus {
                name: signer.name,
                connected: signer.size.is_some(),
                state: match signer.stage {
                    None => SignerState::Away,
                    Some(Stage::Waiting) => SignerState::Waiting,
                    Some(Stage::Welcome) => SignerState::Signing,
                    Some(Stage::Out) => SignerState::Out,
                },
            })
            .collect(),
        files: files.iter().map(|digest| HEXLOWER.encode(digest)).collect(),
    }
}

/// Reads what was published since the last time.
fn logged_files(admin: &Admin, size: u64) -> Vec<Digest> {
    let mut files = admin.files.lock().unwrap_or_else(PoisonError::into_inner);
    while files.read < size {
        let Some(bytes) = admin.state.logs.entry(files.read) else {
            break;
        };
        if let Ok(Entry {
            body: Body::Authority(object) | Body::Parameters(object) | Body::File(object),
            ..
        }) = Entry::decode(&bytes)
        {
            files.objects.push(object.digest);
        }
        files.read += 1;
    }
    files.objects.clone()
}

async fn log_file(Shared(admin): Shared<Arc<Admin>>, note: Bytes) -> Result<Json<Logged>, Failure> {
    let index = submit_file(&admin.state, note.to_vec()).await?;
    Ok(Json(Logged { index }))
}

/// Stores a signed file or a CA's CRL as an object and logs an entry that names it.
async fn submit_file(state: &Arc<State>, bytes: Vec<u8>) -> Result<u64, Failure> {
    let object = ObjectRef::of(&bytes).map_err(refused)?;
    let body = if Crl::is_one(&bytes) {
        Crl::from_der(&bytes).map_err(refused)?;
        Body::File(object)
    } else {
        match SignedFile::parse(&bytes).map_err(refused)?.body {
            file::Body::Authority(_) => Body::Authority(object),
            file::Body::Parameters(_) => Body::Parameters(object),
            _ => Body::File(object),
        }
    };
    // Judged before it is stored, so that the folder holds nothing that the log will not name.
    store_object(state, bytes).await?;
    state.sequencer.submit(body).await.map_err(refused)
}

async fn store_object(state: &Arc<State>, bytes: Vec<u8>) -> Result<(), Failure> {
    let logs = state.logs.clone();
    let stored = tokio::task::spawn_blocking(move || logs.put_object(&bytes));
    stored.await.map_err(failed)?.map(drop).map_err(failed)
}

async fn put_object(Shared(admin): Shared<Arc<Admin>>, bytes: Bytes) -> Result<Json<()>, Failure> {
    store_object(&admin.state, bytes.to_vec()).await.map(Json)
}

async fn generate_key(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<SharesMade>, Failure> {
    run_pending(
        &admin.state,
        |operation| matches!(operation, KeyOperation::GenerateKey(_)),
        "no key generation is logged that was not run yet; log a signed key operation first",
    )
    .await
}

async fn reshare_key(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<SharesMade>, Failure> {
    run_pending(
        &admin.state,
        |operation| matches!(operation, KeyOperation::ReshareKey(_)),
        "no resharing of the sharing in force is logged that was not run yet; log a signed key operation first",
    )
    .await
}

async fn repair_share(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<SharesMade>, Failure> {
    run_pending(
        &admin.state,
        |operation| matches!(operation, KeyOperation::RepairShare(_)),
        "no repair of a share of the sharing in force is logged; log a signed key operation first",
    )
    .await
}

/// Has the signers do what the newest pending key operation of a kind orders, and logs what comes of it.
async fn run_pending(
    state: &Arc<State>,
    wanted: fn(&KeyOperation) -> bool,
    none: &str,
) -> Result<Json<SharesMade>, Failure> {
    let mut task = {
        let ledger = state.ledger();
        let pending = ledger.pending_operations(clock::now());
        let published = |index| index < state.logs.size();
        let newest = pending
            .into_iter()
            .filter(|logged| published(logged.index) && wanted(&logged.body))
            .max_by_key(|logged| logged.index);
        let (Some(logged), Some(authority)) = (newest, ledger.authority()) else {
            return Err(refused(none));
        };
        GenerationTask {
            operation: logged.digest,
            index: logged.index,
            proof: Vec::new(),
            order: ledger_rulebook::order(authority, &logged.body)
                .ok_or_else(|| refused("its numbers are out of range"))?,
        }
    };
    task.proof = proof(state, task.index).await?;
    let outcome = state
        .coordinator
        .generate_key(task)
        .await
        .map_err(refused)?;
    let Outcome::Agreed(agreed) = outcome else {
        return Ok(Json(SharesMade { transcript: None }));
    };
    let own = agreed.key_signature.as_ref();
    let own = own.map(|signature| (&agreed.group_key, signature));
    let note =
        ledger_rulebook::authority_note(&agreed.text, &agreed.signatures, own).map_err(failed)?;
    let transcript = Some(BASE64.encode(&agreed.transcript));
    store_object(state, agreed.transcript).await?;
    submit_file(state, note).await?;
    Ok(Json(SharesMade { transcript }))
}

async fn publish_epoch(Shared(admin): Shared<Arc<Admin>>) -> Result<Json<EpochLogged>, Failure> {
    let number = admin.epochs.publish().await.map_err(refused)?;
    Ok(Json(EpochLogged { number }))
}

/// The tlog-proof of a published entry, without extra data.
pub(super) async fn proof(state: &Arc<State>, index: u64) -> Result<Vec<u8>, Failure> {
    let logs = state.logs.clone();
    let proof = tokio::task::spawn_blocking(move || logs.tlog_proof(index, None));
    Ok(proof.await.map_err(failed)?.map_err(failed)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owner_s_alone_and_replaces_only_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.socket");
        let listener = bind(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind(&path).unwrap();
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "something was left behind"
        );
    }
}
