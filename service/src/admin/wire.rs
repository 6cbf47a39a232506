//! What is said over the admin socket, in JSON. Bodies that are signed files or objects travel as they are.

use bauta_statement::file::text;
use serde::{Deserialize, Serialize};

/// `GET /status`.
pub(crate) const STATUS: &str = "/status";
/// `POST /files`: a signed file; answers [`Logged`] once it is in a published checkpoint.
pub(crate) const FILES: &str = "/files";
/// `POST /objects`: an object that a file will name.
pub(crate) const OBJECTS: &str = "/objects";
/// `POST /key-generation`: runs the logged key generation that was not run yet; answers [`SharesMade`].
pub(crate) const KEY_GENERATION: &str = "/key-generation";
/// `POST /resharing`: runs the newest logged resharing (or refresh), and logs its result; answers [`SharesMade`].
pub(crate) const RESHARING: &str = "/resharing";
/// `POST /share-repair`: runs the newest logged repair of a share.
pub(crate) const SHARE_REPAIR: &str = "/share-repair";
/// `POST /ca-certificate`: has the signers sign the CA certificate of the logged key operation.
pub(crate) const CA_CERTIFICATE: &str = "/ca-certificate";
/// `GET /ca`: all that is logged about CA keys.
pub(crate) const CA: &str = "/ca";
/// `POST /signatures`: the file digest (hexadecimal) of a logged key operation; has the signers sign what it orders, unless it
/// is signed already; answers [`Signed`].
pub(crate) const SIGNATURES: &str = "/signatures";
/// `POST /epochs`: logs the epoch that is due; answers [`EpochLogged`].
pub(crate) const EPOCHS: &str = "/epochs";

/// How the CA stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Digest of the newest authority file (hexadecimal), if the log has begun.
    pub authority: Option<String>,
    /// Whether a key generation is logged.
    pub key_generation_logged: bool,
    /// CA keys, oldest first.
    pub ca_keys: Vec<CaKeyStatus>,
    /// Whether the key operation that asks for the CA certificate is logged.
    pub ca_operation_logged: bool,
    /// The CA certificate (PEM), once it is signed.
    pub ca_certificate: Option<String>,
    /// Entries under the published checkpoint.
    pub size: u64,
    /// Entries that wait for their quorum of cosignatures, after a start those that the last run left; what they change is
    /// not told above yet.
    pub pending: u64,
    /// The epoch in force.
    pub epoch: Option<u64>,
    /// The signers that the authority names.
    pub signers: Vec<SignerStatus>,
    /// Object digests (hexadecimal) of all signed files that are logged.
    pub files: Vec<String>,
}

/// A CA key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaKeyStatus {
    /// Its name.
    pub name: String,
    /// Its Ed25519 group key.
    #[serde(with = "text::hex")]
    pub group_key: [u8; 32],
}

/// A signer, as the coordinator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerStatus {
    /// Its name.
    pub name: String,
    /// Whether it has dialled in.
    pub connected: bool,
    /// What it does.
    pub state: SignerState,
}

/// What a signer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignerState {
    /// It has not dialled in, or not said yet where it is.
    Away,
    /// It has started, and waits for the other signers to say that it goes on from where it was.
    Waiting,
    /// It cosigns and signs.
    Signing,
    /// The others proved that its disk was put back or copied. It signs nothing until it is re-enrolled under new keys.
    Out,
}

impl Status {
    /// How many signers have dialled in.
    pub fn signers_connected(&self) -> usize {
        self.signers
            .iter()
            .filter(|signer| signer.connected)
            .count()
    }
}

/// What came of a run of the signers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharesMade {
    /// The run's transcript (base64), which the log keeps; none of a repair.
    pub(crate) transcript: Option<String>,
}

/// A file's place in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logged {
    pub(crate) index: u64,
}

/// The epoch that is in force, or was logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpochLogged {
    pub(crate) number: u64,
}

/// Why something was not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) detail: String,
}

/// All that is logged about CA keys, as it was signed: the client reads the files, not a summary of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaState {
    /// The newest authority file.
    pub authority: String,
    /// Key operations that were neither superseded nor retired, in the order of the log.
    pub operations: Vec<OperationState>,
    /// The epoch in force.
    pub epoch: Option<EpochState>,
}

/// A logged key operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationState {
    /// The signed file.
    pub note: String,
    /// Whether it is a key generation that was not run yet.
    pub pending: bool,
    /// What it ordered (PEM), once it is signed.
    pub document: Option<String>,
}

/// The epoch in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochState {
    /// Its number.
    pub number: u64,
    /// Name of the CA key that issues in it.
    pub key: String,
}

/// What the signers signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    /// PEM.
    pub(crate) document: String,
}
