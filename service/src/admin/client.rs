//! The admin socket's client, for the command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use data_encoding::BASE64;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::wire::{self, CaState, EpochLogged, Logged, Refusal, Signed, Status};

/// The longest that an operation takes: a key generation among slow signers.
const PATIENCE: Duration = Duration::from_secs(300);
const LONGEST_ANSWER: usize = 16 << 20;

/// Speaks to a service's admin socket; a new connection for each request.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why an admin request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody listens.
    #[error(
        "cannot reach the service at {socket}: {reason}; is it running, and may you open its socket?"
    )]
    Unreachable {
        /// The socket.
        socket: String,
        /// Why.
        reason: String,
    },
    /// The service said no.
    #[error("{0}")]
    Refused(String),
    /// The answer is not one.
    #[error(
        "the service's answer is not understood: {0}; are program and service of the same version?"
    )]
    Answer(String),
    /// It took too long.
    #[error("the service did not answer within {} s; see its log", PATIENCE.as_secs())]
    Slow,
}

impl Client {
    /// A client of the socket at this path.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// How the CA stands.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn status(&self) -> Result<Status, AdminError> {
        self.ask(Method::GET, wire::STATUS, &[]).await
    }

    /// Logs a signed file; returns its index once it is in a checkpoint with q cosignatures.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with the ledger's reason.
    pub async fn submit_file(&self, note: &[u8]) -> Result<u64, AdminError> {
        let logged: Logged = self.ask(Method::POST, wire::FILES, note).await?;
        Ok(logged.index)
    }

    /// Stores an object that a file will name, such as a verifying key.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn submit_object(&self, object: &[u8]) -> Result<(), AdminError> {
        self.ask(Method::POST, wire::OBJECTS, object).await
    }

    /// Runs the logged key generation; returns when the authority that names the new key is logged, with the run's transcript.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if a signer is away, or cheated.
    pub async fn generate_key(&self) -> Result<Vec<u8>, AdminError> {
        self.run(wire::KEY_GENERATION).await
    }

    async fn run(&self, path: &str) -> Result<Vec<u8>, AdminError> {
        let made: wire::SharesMade = self.ask(Method::POST, path, &[]).await?;
        let transcript = made.transcript.unwrap_or_default();
        BASE64
            .decode(transcript.as_bytes())
            .map_err(|error| AdminError::Answer(error.to_string()))
    }

    /// Runs the newest logged resharing; returns when the authority that names the new shares is logged, with the run's
    /// transcript.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if a member is away, or cheated.
    pub async fn reshare_key(&self) -> Result<Vec<u8>, AdminError> {
        self.run(wire::RESHARING).await
    }

    /// Runs the newest logged repair; returns when the signer has its share back.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if a member is away, or cheated.
    pub async fn repair_share(&self) -> Result<(), AdminError> {
        self.run(wire::SHARE_REPAIR).await.map(drop)
    }

    /// Has the signers sign the CA certificate that a logged key operation asks for.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if fewer than t signers are there.
    pub async fn sign_ca_certificate(&self) -> Result<(), AdminError> {
        self.ask(Method::POST, wire::CA_CERTIFICATE, &[]).await
    }

    /// All that is logged about CA keys.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if the log has not begun.
    pub async fn ca(&self) -> Result<CaState, AdminError> {
        self.ask(Method::GET, wire::CA, &[]).await
    }

    /// Has the signers sign what the logged key operation with this file digest (hexadecimal) orders, unless it is signed
    /// already; gives it, PEM.
    ///
    /// # Errors
    /// [`AdminError::Refused`] if fewer than t signers are there, or they refuse.
    pub async fn sign_operation(&self, digest: &str) -> Result<String, AdminError> {
        let signed: Signed = self
            .ask(Method::POST, wire::SIGNATURES, digest.as_bytes())
            .await?;
        Ok(signed.document)
    }

    /// Logs the epoch that is due; gives the number of the epoch that is in force or was logged.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with what is missing.
    pub async fn publish_epoch(&self) -> Result<u64, AdminError> {
        let epoch: EpochLogged = self.ask(Method::POST, wire::EPOCHS, &[]).await?;
        Ok(epoch.number)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<T, AdminError> {
        tokio::time::timeout(PATIENCE, self.exchange(method, path, body))
            .await
            .map_err(|_| AdminError::Slow)?
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<T, AdminError> {
        let unreachable = |reason: &dyn std::fmt::Display| AdminError::Unreachable {
            socket: self.socket.display().to_string(),
            reason: reason.to_string(),
        };
        let answer = |reason: &dyn std::fmt::Display| AdminError::Answer(reason.to_string());
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        let driver = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .body(Body::from(body.to_vec()))
            .map_err(|error| answer(&error))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| unreachable(&error))?;
        let status = response.status();
        let bytes = to_bytes(Body::new(response.into_body()), LONGEST_ANSWER)
            .await
            .map_err(|error| answer(&error))?;
        driver.abort();
        if status != StatusCode::OK {
            return Err(match serde_json::from_slice::<Refusal>(&bytes) {
                Ok(refusal) => AdminError::Refused(refusal.detail),
                Err(_) => AdminError::Answer(status.to_string()),
            });
        }
        serde_json::from_slice(&bytes).map_err(|error| answer(&error))
    }
}
