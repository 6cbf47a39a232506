//! From a parsed request to a certificate: verification on a bounded number of threads before anything is spent, one
//! transaction that admits it, then waiting for the sequencer. A caller that goes away loses nothing: the entry goes on, and the
//! byte-identical request finds it again.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use bauta_statement::{certificate::to_pem, entry::Issuance, presentation::Opening, scope};
use bauta_verifier::{
    certificate::{self, EarnError},
    csr::{self, CsrError},
    ledger::InvalidIssuance,
};
use thiserror::Error;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::{
    ca::{CaDocuments, ServedChain},
    clock,
    sequencer::{Admission, AdmitError, EntryId, Handle, Outcome, SharedLedger},
    store::StoreError,
};

/// How long a caller waits for its certificate before it is told to repeat the request.
const PATIENCE: Duration = Duration::from_secs(8);
/// What callers are told to wait, in seconds, while signers are missing.
const SIGNERS_RETRY: u64 = 5;
/// The same where the service has too much to do.
const BUSY_RETRY: u64 = 1;

/// A request for a certificate, parsed; its challenge is authenticated.
#[derive(Debug)]
pub struct Request {
    /// SHA-256 of the request's bytes.
    pub hash: [u8; 32],
    /// What would be logged.
    pub issuance: Issuance,
    /// The policy's name.
    pub policy_name: String,
    /// The CSR, DER.
    pub csr: Vec<u8>,
    /// The openings of disclosed attributes.
    pub openings: Vec<Opening>,
}

/// A certificate and its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Index of its entry.
    pub index: u64,
    /// PEM, leaf first.
    pub certificate_chain: String,
    /// C2SP tlog-proof, with entry and openings as extra data.
    pub tlog_proof: String,
}

/// Why there is no certificate. Nothing is spent, but where it says so.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The rules of the log.
    #[error(transparent)]
    Invalid(#[from] InvalidIssuance),
    /// The certificate signing request.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// The openings, or a value that no certificate can hold.
    #[error("{0}")]
    Openings(EarnError),
    /// Another request used the challenge.
    #[error(
        "the challenge has been used by another request; ask for a new one and show again with the same key"
    )]
    NonceSpent,
    /// The nullifier is spent on another key or policy.
    #[error(
        "this use is spent on another key; show with the next counter, or wait for the next period"
    )]
    NullifierSpent,
    /// The entry earned no certificate in its time, or did not get into the log.
    #[error(
        "the request lapsed ({0}): ask for a new challenge and show again with the same key; it uses up nothing more"
    )]
    Lapsed(String),
    /// A quorum of signers is not there. What was admitted stays so.
    #[error(
        "too few signers are there; repeat the identical request in {retry_after} s: within 120 s it resumes the same entry"
    )]
    Signers {
        /// Seconds.
        retry_after: u64,
    },
    /// The queue is full.
    #[error("the service is busy; repeat the identical request in {retry_after} s")]
    Busy {
        /// Seconds.
        retry_after: u64,
    },
    /// The service's own fault.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for IssueError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Issues certificates.
pub struct Issuer {
    sequencer: Handle,
    ledger: SharedLedger,
    certificates: CaDocuments,
    chain: ServedChain,
    /// Requests that are verified or wait for it.
    queue: Arc<Semaphore>,
    /// Requests that are verified.
    verifying: Arc<Semaphore>,
}

impl Issuer {
    /// An issuer that verifies at most as many requests at once as there are processors, with `queue` of them in all.
    pub fn new(
        sequencer: Handle,
        ledger: SharedLedger,
        certificates: CaDocuments,
        chain: ServedChain,
        queue: usize,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            sequencer,
            ledger,
            certificates,
            chain,
            queue: Arc::new(Semaphore::new(queue)),
            verifying: Arc::new(Semaphore::new(processors)),
        }
    }

    /// What became, or becomes, of a request that was admitted before; `None` for any other.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn resume(&self, hash: &[u8; 32]) -> Result<Option<Issued>, IssueError> {
        match self.sequencer.known(hash).await? {
            Some(id) => self.outcome(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Verifies, admits, and waits for the certificate.
    ///
    /// # Errors
    /// [`IssueError`], by culprit.
    pub async fn issue(self: Arc<Self>, request: Request) -> Result<Issued, IssueError> {
        if let Some(issued) = self.resume(&request.hash).await? {
            return Ok(issued);
        }
        let admission = self.verify(request).await?;
        let id = self
            .sequencer
            .admit(&admission)
            .await
            .map_err(|error| match error {
                AdmitError::NonceSpent => IssueError::NonceSpent,
                AdmitError::NullifierSpent => IssueError::NullifierSpent,
                AdmitError::Full => IssueError::Busy {
                    retry_after: BUSY_RETRY,
                },
                AdmitError::Store(error) => error.into(),
            })?;
        self.outcome(id).await
    }

    /// Runs every check that the log's rules and the signers will run, on a thread of its own.
    async fn verify(&self, request: Request) -> Result<Admission, IssueError> {
        let internal = |error: &dyn std::fmt::Display| IssueError::Internal(error.to_string());
        let _place = self.queue.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => IssueError::Busy {
                retry_after: BUSY_RETRY,
            },
            TryAcquireError::Closed => internal(&error),
        })?;
        let turn = self
            .verifying
            .clone()
            .acquire_owned()
            .await
            .map_err(|error| internal(&error))?;
        let ledger = self.ledger.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            verify(&ledger, request)
        });
        verified.await.map_err(|error| internal(&error))?
    }

    async fn outcome(&self, id: EntryId) -> Result<Issued, IssueError> {
        let Ok(outcome) = tokio::time::timeout(PATIENCE, self.sequencer.outcome(id)).await else {
            return Err(IssueError::Signers {
                retry_after: SIGNERS_RETRY,
            });
        };
        match outcome? {
            Outcome::Signed {
                index,
                certificate,
                proof,
            } => {
                let above = {
                    let ledger = self.ledger.read().unwrap_or_else(PoisonError::into_inner);
                    self.certificates
                        .above(&ledger, &certificate, self.chain, clock::now())
                };
                let above = above.ok_or_else(|| {
                    IssueError::Internal(
                        "the CA's own certificate is missing; run `bauta ca init` again".to_owned(),
                    )
                })?;
                let tlog_proof = String::from_utf8(proof)
                    .map_err(|error| IssueError::Internal(error.to_string()))?;
                Ok(Issued {
                    index,
                    certificate_chain: above
                        .iter()
                        .fold(to_pem(&certificate), |chain, one| chain + &to_pem(one)),
                    tlog_proof,
                })
            }
            Outcome::Lapsed { reason } | Outcome::Dropped { reason } => {
                Err(IssueError::Lapsed(reason))
            }
        }
    }
}

fn verify(ledger: &SharedLedger, request: Request) -> Result<Admission, IssueError> {
    let Request {
        hash,
        issuance,
        policy_name,
        csr,
        openings,
    } = request;
    // What is cheap first.
    csr::verify_for(&csr, &issuance.key)?;
    let valid = {
        let ledger = ledger.read().unwrap_or_else(PoisonError::into_inner);
        // The entry gets its time when its batch closes, and is never earlier than the one before it.
        ledger.check_issuance(clock::now().max(ledger.last_time()), &issuance)?
    };
    // The certificate that it would earn is made before anything is spent: openings that fit nothing end here.
    certificate::tbs(&valid, &openings).map_err(IssueError::Openings)?;
    let nullifier = valid
        .nullifier()
        .zip(valid.policy.scope.as_ref())
        .map(|(nullifier, scope)| {
            let start = scope::period_start(valid.time, scope.period_seconds);
            (nullifier, start.saturating_add(scope.period_seconds))
        });
    Ok(Admission {
        request: hash,
        issuance,
        nullifier,
        policy_name,
        csr,
        openings: Opening::encode_list(&openings),
    })
}
