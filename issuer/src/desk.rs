//! What the desk decides: who gets a credential, from when until when, and what is revoked. It knows a *subject* by the
//! schema's subject key, and each subject's commitment to one holder secret, which renewal keeps and only a reset changes.

use std::fs;
use std::path::PathBuf;

use bauta_statement::credential::{ATTRIBUTES, IssuedCredential};
use bauta_statement::field;
use bauta_statement::file::{self, Body, FileError, Header, Kind, RevocationList, SignedFile};
use bauta_statement::note;
use bauta_statement::schema::Schema;
use bauta_statement::vector::{self, AttributeValue, FIRST_ATTRIBUTE, Serial};
use data_encoding::{BASE64, HEXLOWER};
use rand::{CryptoRng, RngCore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::chain::{Anchors, ChainError, rfc3339};
use crate::config::{Config, ConfigError, DAY};
use crate::issued::{Enrolment, EnrolmentRequest, IssuerProfile, LeakReport};
use crate::keys::{self, IssuerKeys, KeysError};
use crate::reading::{self, Reading, ReadingError};
use crate::store::{CredentialRow, Store, StoreError, SubjectRow, Tx};

/// The enrolment desk: its schema, CAs, keys and database.
pub struct Desk {
    config: Config,
    schema: Schema,
    anchors: Anchors,
    keys: IssuerKeys,
    store: Store,
}

/// Why the desk does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// See [`ConfigError`].
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// See [`KeysError`].
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the configuration cannot be read.
    #[error("{path}: {reason}: check the path in the configuration")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One of the CAs' certificates.
    #[error("{path}: {source}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ChainError,
    },
}

/// Why nothing is issued.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The client certificate.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What it says.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// Not a field element.
    #[error(
        "the commitment is not a canonical field element: use the `bauta` program, or 32 little-endian bytes below the modulus"
    )]
    Commitment,
    /// Another wallet is enrolled for this subject.
    #[error(
        "this subject is enrolled with another wallet: renew from that wallet, or, if it is lost, start anew with `bauta enrol --reset`, \
         which revokes what it holds and counts from {starts}"
    )]
    OtherCommitment {
        /// When a reset made now would start.
        starts: String,
    },
    /// The secret is known to others.
    #[error(
        "the secret of this wallet was reported as leaked: start anew with `bauta enrol --reset`"
    )]
    Leaked,
    /// The operator revoked the subject.
    #[error("this subject was revoked by the desk: ask its operator, who can reinstate it")]
    Barred,
    /// A reset that has not started is not reset again, or a credential could be revoked and renewed without end.
    #[error(
        "this subject was reset already, and its credentials start on {starts}: wait until then, or use the wallet of that reset"
    )]
    ResetPending {
        /// When it starts.
        starts: String,
    },
    /// A reset with the commitment that there is.
    #[error(
        "a reset needs a new holder secret, and this wallet still has the old one: renew with `bauta enrol`, without `--reset`"
    )]
    ResetWithSameSecret,
    /// The certificate ends before the credential would start.
    #[error(
        "the certificate ends on {ends}, before a credential could start on {starts}: renew the certificate first"
    )]
    TooShort {
        /// Its notAfter.
        ends: String,
        /// The start.
        starts: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was stored does not read back.
    #[error(
        "a stored credential does not read back ({0}): restore the desk's database from a backup"
    )]
    Stored(String),
    /// The new list after a reset.
    #[error(transparent)]
    List(#[from] FileError),
}

/// What to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One credential. Its subject may renew.
    Serial(Serial),
    /// All credentials of a subject, who cannot enrol again until reinstated.
    Subject(String),
}

/// Why nothing is revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// No such serial or subject.
    #[error("the desk never issued to {0}: check the spelling; serial numbers are lower-case hex")]
    Unknown(String),
    /// Not field elements.
    #[error(
        "secret and blinding must be canonical field elements, 32 little-endian bytes in hex each"
    )]
    Malformed,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list does not serialize.
    #[error(transparent)]
    List(#[from] FileError),
}

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// How many credentials; 0 if all had been revoked or had ended.
    pub credentials: usize,
    /// Version of the revocation list that says so.
    pub version: u64,
    /// The signed list, to be published in the log: until it is there, nothing is revoked for a verifier.
    pub list: Vec<u8>,
}

impl Desk {
    /// Opens the desk: reads schema and CAs, loads or makes keys, opens the database.
    pub async fn open(
        config: Config,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, OpenError> {
        config.check()?;
        let schema = read_schema(&config)?;
        let anchors = read_anchors(&config)?;
        keys::create_folder(&config.folder)?;
        let keys = IssuerKeys::load_or_create(&config.folder, &config.name, rng)?;
        let store = Store::open(&config.folder.join("desk.db")).await?;
        Ok(Self {
            config,
            schema,
            anchors,
            keys,
            store,
        })
    }

    /// What administrators need to admit this issuer, and wallets to know it.
    pub fn profile(&self) -> IssuerProfile {
        IssuerProfile {
            name: self.config.name.clone(),
            trust_domain: self.config.trust_domain.clone(),
            format: "native".into(),
            public_key: HEXLOWER.encode(&self.keys.public_key().to_bytes()),
            proof_of_possession: HEXLOWER.encode(&self.keys.proof_of_possession().to_bytes()),
            note_key: self.keys.note_key().to_string(),
            schema: self.schema.clone(),
            schema_rule: HEXLOWER.encode(&field::to_bytes(&self.schema.rule())),
        }
    }

    /// Issues a credential to whoever holds the key of `chain`'s first certificate, which TLS has proved.
    ///
    /// The same certificate and commitment on the same day receive the same credential again.
    pub async fn enrol(
        &self,
        chain: &[CertificateDer<'_>],
        request: &EnrolmentRequest,
        now: u64,
        rng: &mut (impl RngCore + CryptoRng + Send),
    ) -> Result<Enrolment, EnrolError> {
        let certificate = self.anchors.verify(chain, now)?;
        let reading = reading::read(certificate.certificate(), &self.schema)?;
        let commitment =
            field::from_bytes(&request.commitment).map_err(|_| EnrolError::Commitment)?;
        let today = now - now % DAY;

        let mut tx = self.store.begin().await?;
        let starts = self.admit(&mut tx, &reading.subject, request, now).await?;
        let source = certificate.sha256();
        if let Some(bytes) = tx
            .same_credential(&reading.subject, &request.commitment, source, today)
            .await?
        {
            return serde_json::from_slice(&bytes).map_err(|e| EnrolError::Stored(e.to_string()));
        }
        let not_before = starts.max(today);
        let not_after = certificate
            .not_after()
            .min(not_before.saturating_add(self.config.maximum_lifetime_seconds));
        if not_after <= not_before {
            return Err(EnrolError::TooShort {
                ends: rfc3339(not_after),
                starts: rfc3339(not_before),
            });
        }
        let mut serial = [0; 16];
        rng.fill_bytes(&mut serial);
        // Positive and in its shortest form, whatever was drawn.
        serial[0] = serial[0] & 0x3f | 0x40;
        let serial =
            Serial::from_be_bytes(&serial).map_err(|_| StoreError::Damaged("serial number"))?;
        let key = self.keys.credential();
        let credential = IssuedCredential::sign(
            key,
            rng,
            self.schema.rule(),
            not_before,
            not_after,
            vector::handle(key.public_key().digest(), &serial),
            slots(&reading),
            commitment,
        );
        let enrolment = Enrolment {
            issuer: self.config.name.clone(),
            trust_domain: self.config.trust_domain.clone(),
            serial: HEXLOWER.encode(serial.as_be_bytes()),
            schema: self.schema.clone(),
            credential: BASE64.encode(&credential.encode()),
        };
        let bytes =
            serde_json::to_vec(&enrolment).map_err(|e| EnrolError::Stored(e.to_string()))?;
        tx.add_credential(&CredentialRow {
            serial: serial.as_be_bytes(),
            subject: &reading.subject,
            commitment: &request.commitment,
            source,
            issued: now,
            not_after,
            bytes: &bytes,
        })
        .await?;
        tx.commit().await?;
        Ok(enrolment)
    }

    /// Whether the subject may have a credential under this commitment, and from when on.
    async fn admit(
        &self,
        tx: &mut Tx,
        subject: &str,
        request: &EnrolmentRequest,
        now: u64,
    ) -> Result<u64, EnrolError> {
        let today = now - now % DAY;
        let Some(SubjectRow {
            commitment,
            starts,
            barred,
            leaked,
        }) = tx.subject(subject).await?
        else {
            tx.add_subject(subject, &request.commitment, today, now)
                .await?;
            return Ok(today);
        };
        if barred {
            return Err(EnrolError::Barred);
        }
        let same = commitment == request.commitment;
        match (same, request.reset) {
            (true, true) => Err(EnrolError::ResetWithSameSecret),
            (true, false) if leaked => Err(EnrolError::Leaked),
            (true, false) => Ok(starts),
            (false, false) => Err(EnrolError::OtherCommitment {
                starts: rfc3339(self.config.start_after_reset(now)),
            }),
            // Whoever enrolled knows the secret and can report it: a leak lifts no limit.
            (false, true) if starts > now => Err(EnrolError::ResetPending {
                starts: rfc3339(starts),
            }),
            (false, true) => {
                tx.revoke_all(subject, now).await?;
                let starts = self.config.start_after_reset(now);
                tx.reset_subject(subject, &request.commitment, starts)
                    .await?;
                self.renew_list(tx, now).await?;
                Ok(starts)
            }
        }
    }

    /// Revokes, and signs the list that says so, one version up.
    pub async fn revoke(&self, target: &Target, now: u64) -> Result<Revoked, RevokeError> {
        let mut tx = self.store.begin().await?;
        let credentials = match target {
            Target::Serial(serial) => {
                let bytes = serial.as_be_bytes();
                if tx.subject_of_serial(bytes).await?.is_none() {
                    return Err(RevokeError::Unknown(HEXLOWER.encode(bytes)));
                }
                usize::from(tx.revoke(bytes, now).await?)
            }
            Target::Subject(subject) => {
                if !tx.bar(subject, true).await? {
                    return Err(RevokeError::Unknown(subject.clone()));
                }
                tx.revoke_all(subject, now).await?
            }
        };
        let (version, list) = self.renew_list(&mut tx, now).await?;
        tx.commit().await?;
        Ok(Revoked {
            credentials,
            version,
            list,
        })
    }

    /// Lets a revoked subject enrol again. What was revoked stays revoked.
    pub async fn reinstate(&self, subject: &str) -> Result<(), RevokeError> {
        let mut tx = self.store.begin().await?;
        if !tx.bar(subject, false).await? {
            return Err(RevokeError::Unknown(subject.to_owned()));
        }
        Ok(tx.commit().await?)
    }

    /// Revokes all that was issued under the commitment that `report` opens: whoever can open it can show with it.
    pub async fn report_leak(&self, report: &LeakReport, now: u64) -> Result<Revoked, RevokeError> {
        let open = |bytes| field::from_bytes(bytes).map_err(|_| RevokeError::Malformed);
        let commitment = field::to_bytes(&vector::commitment(
            open(&report.secret)?,
            open(&report.blinding)?,
        ));
        let mut tx = self.store.begin().await?;
        let subjects = tx.subjects_of_commitment(&commitment).await?;
        if subjects.is_empty() {
            return Err(RevokeError::Unknown("this secret".into()));
        }
        let mut credentials = 0;
        for subject in &subjects {
            tx.mark_leaked(subject).await?;
            credentials += tx.revoke_all(subject, now).await?;
        }
        let (version, list) = self.renew_list(&mut tx, now).await?;
        tx.commit().await?;
        Ok(Revoked {
            credentials,
            version,
            list,
        })
    }

    /// The newest revocation list, signed anew when half of its time is over, so that it never expires while the desk runs.
    pub async fn revocation_list(&self, now: u64) -> Result<Vec<u8>, RevokeError> {
        let fresh_until = now.saturating_add(self.config.revocation_list_lifetime_seconds / 2);
        if let Some(list) = self.store.newest_list().await?
            && list.expires > fresh_until
        {
            return Ok(list.note);
        }
        let mut tx = self.store.begin().await?;
        if let Some(list) = tx.newest_list().await?
            && list.expires > fresh_until
        {
            return Ok(list.note);
        }
        let (_, note) = self.renew_list(&mut tx, now).await?;
        tx.commit().await?;
        Ok(note)
    }

    /// Signs what is revoked now as the next version.
    async fn renew_list(&self, tx: &mut Tx, now: u64) -> Result<(u64, Vec<u8>), ListError> {
        let version = tx
            .newest_list()
            .await?
            .map_or(1, |list| list.version.saturating_add(1));
        let serials = tx
            .revoked()
            .await?
            .iter()
            .map(|bytes| Serial::from_be_bytes(bytes))
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Damaged("serial number"))?;
        let expires = now.saturating_add(self.config.revocation_list_lifetime_seconds);
        let header = Header {
            kind: Kind::RevocationList,
            trust_domain: self.config.trust_domain.clone(),
            name: self.config.name.clone(),
            version,
            expires,
        };
        let list = RevocationList {
            issuer_key: self.keys.public_key().to_bytes(),
            serials,
        };
        let text = file::to_text(&header, &list)?;
        let note = note::sign(&text, &[self.keys.note()]).map_err(FileError::from)?;
        tx.add_list(version, expires, &note).await?;
        Ok((version, note))
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Why a list is not signed.
enum ListError {
    Store(StoreError),
    File(FileError),
}

impl From<StoreError> for ListError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<FileError> for ListError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<ListError> for EnrolError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            ListError::File(error) => error.into(),
        }
    }
}

impl From<ListError> for RevokeError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            ListError::File(error) => error.into(),
        }
    }
}

/// The reading, slot by slot from 5 to 15.
fn slots(reading: &Reading) -> [AttributeValue; ATTRIBUTES] {
    std::array::from_fn(|position| {
        reading
            .values
            .iter()
            .find(|(slot, _)| usize::from(*slot) == FIRST_ATTRIBUTE + position)
            .map_or(AttributeValue::Absent, |(_, value)| value.clone())
    })
}

fn read_schema(config: &Config) -> Result<Schema, OpenError> {
    let failed = |reason: String| OpenError::File {
        path: config.schema.clone(),
        reason,
    };
    let bytes = fs::read(&config.schema).map_err(|e| failed(e.to_string()))?;
    if !bytes.starts_with(b"bauta/v1/") {
        return Schema::from_json(&bytes).map_err(failed);
    }
    match SignedFile::parse(&bytes)
        .map_err(|e| failed(e.to_string()))?
        .body
    {
        Body::Schema(schema) => Ok(*schema),
        _ => Err(failed("it is a signed file, but not a schema".into())),
    }
}

fn read_anchors(config: &Config) -> Result<Anchors, OpenError> {
    let path = &config.client_authorities;
    let failed = |reason: String| OpenError::File {
        path: path.clone(),
        reason,
    };
    let pem = fs::read(path).map_err(|e| failed(e.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| failed(e.to_string()))?;
    let anchors = Anchors::new(&certificates).map_err(|source| OpenError::Authority {
        path: path.clone(),
        source,
    })?;
    if anchors.is_empty() {
        return Err(failed("it holds no certificate in PEM".into()));
    }
    Ok(anchors)
}
