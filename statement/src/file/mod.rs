//! Signed files: what administrators, signers and issuers decide, as C2SP signed notes. Header lines under a domain tag,
//! a blank line, and a JSON body:
//!
//! ```text
//! bauta/v1/policy
//! trust-domain: example.org
//! name: example
//! version: 1
//! expires: 2027-11-22T00:00:00Z
//!
//! { …body… }
//! ```
//!
//! A file's *digest* is SHA-256 of that text; its *object* is the whole note, signatures included, which lies under
//! `objects/<sha256 of the note>` beside the log's tiles.
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::note::{Digest, NoteError, SignedNote};
use crate::policy::Policy;
use crate::schema::Schema;

pub mod authority;
pub mod custody;
pub mod fingerprint;
pub mod hierarchy;
mod in_words;
pub mod issuer_set;
pub mod key_operation;
pub mod parameters;
pub mod revocation_list;
pub mod text;
pub mod tombstone;

pub use authority::Authority;
pub use issuer_set::IssuerSet;
pub use key_operation::KeyOperation;
pub use parameters::Parameters;
pub use revocation_list::RevocationList;
pub use tombstone::Tombstone;

/// Type of a signed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Who decides and who signs.
    Authority,
    /// What must be proved, and what certificate that earns.
    Policy,
    /// Which attribute is in which slot.
    Schema,
    /// Whose credentials count.
    IssuerSet,
    /// An issuer's revoked serials.
    RevocationList,
    /// What signers may do with CA keys.
    KeyOperation,
    /// Verifying keys of the relations.
    Parameters,
    /// A name retired for good.
    Tombstone,
}

impl Kind {
    /// The type's word in the first line, after `bauta/v1/`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Policy => "policy",
            Self::Schema => "schema",
            Self::IssuerSet => "issuer-set",
            Self::RevocationList => "revocation-list",
            Self::KeyOperation => "key-operation",
            Self::Parameters => "parameters",
            Self::Tombstone => "tombstone",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [
            Self::Authority,
            Self::Policy,
            Self::Schema,
            Self::IssuerSet,
            Self::RevocationList,
            Self::KeyOperation,
            Self::Parameters,
            Self::Tombstone,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// The lines above the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Type of the file.
    pub kind: Kind,
    /// The trust domain it is for.
    pub trust_domain: String,
    /// Its name, one per thing.
    pub name: String,
    /// Its version, from 1; it only goes up.
    pub version: u64,
    /// Unix seconds from which on it counts no more.
    pub expires: u64,
}

/// A file's body by type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// See [`Authority`].
    Authority(Box<Authority>),
    /// See [`Policy`].
    Policy(Box<Policy>),
    /// See [`Schema`].
    Schema(Box<Schema>),
    /// See [`IssuerSet`].
    IssuerSet(Box<IssuerSet>),
    /// See [`RevocationList`].
    RevocationList(Box<RevocationList>),
    /// See [`KeyOperation`].
    KeyOperation(Box<KeyOperation>),
    /// See [`Parameters`].
    Parameters(Box<Parameters>),
    /// See [`Tombstone`].
    Tombstone(Box<Tombstone>),
}

/// Why bytes are no signed file, or its body contradicts itself.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum FileError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A header line is missing, out of order or malformed.
    #[error("header: expected {0}")]
    Header(&'static str),
    /// The body does not parse.
    #[error("body: {0}")]
    Json(String),
    /// The name in the body is not the header's.
    #[error("the body is named {body:?}, the header says {header:?}; they must agree")]
    Name {
        /// Name in the body.
        body: String,
        /// Name in the header.
        header: String,
    },
    /// A quorum breaks an inequality.
    #[error("quorum: {0}")]
    Quorum(#[from] authority::QuorumError),
    /// An authority file contradicts itself.
    #[error("authority: {0}")]
    Authority(String),
    /// A schema is refused by its own check.
    #[error("schema: {0}")]
    Schema(String),
    /// An issuer set is refused.
    #[error("issuer set: {0}")]
    IssuerSet(String),
    /// A revocation list is refused.
    #[error("revocation list: {0}")]
    RevocationList(String),
    /// A key operation is refused.
    #[error("key operation: {0}")]
    KeyOperation(String),
    /// A parameters file is refused.
    #[error("parameters: {0}")]
    Parameters(String),
    /// The type has no names to retire.
    #[error("a tombstone retires policies, schemas, issuer sets and key operations, not {0:?}")]
    Tombstone(Kind),
}

impl Header {
    /// The header lines and the blank line after them.
    ///
    /// # Errors
    /// [`FileError::Header`] if a value is not allowed.
    pub fn to_text(&self) -> Result<String, FileError> {
        if !text::is_trust_domain(&self.trust_domain) {
            return Err(FileError::Header("a trust domain of [a-z0-9._-]"));
        }
        if !text::is_name(&self.name) {
            return Err(FileError::Header("a name of 1 to 64 of [a-zA-Z0-9._-]"));
        }
        if self.version == 0 {
            return Err(FileError::Header("a version from 1"));
        }
        let expires = text::format_time(self.expires)
            .map_err(|_| FileError::Header("an expiry before the year 10000"))?;
        Ok(format!(
            "bauta/v1/{}\ntrust-domain: {}\nname: {}\nversion: {}\nexpires: {expires}\n\n",
            self.kind.as_str(),
            self.trust_domain,
            self.name,
            self.version
        ))
    }

    /// Splits a text into its header and its body.
    fn parse(text: &str) -> Result<(Self, &str), FileError> {
        let (head, body) = text
            .split_once("\n\n")
            .ok_or(FileError::Header("header lines, a blank line and a body"))?;
        let mut lines = head.split('\n');
        let mut field = |prefix: &str, what| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(prefix))
                .ok_or(FileError::Header(what))
        };
        let kind = Kind::parse(field("bauta/v1/", "the line bauta/v1/<type>")?)
            .ok_or(FileError::Header("a known type after bauta/v1/"))?;
        let trust_domain = field("trust-domain: ", "the line trust-domain: <domain>")?.to_owned();
        let name = field("name: ", "the line name: <name>")?.to_owned();
        let version = field("version: ", "the line version: <number>")?
            .parse()
            .map_err(|_| FileError::Header("a version from 1"))?;
        let expires = text::parse_time(field("expires: ", "the line expires: <time>")?)
            .map_err(|_| FileError::Header("an expiry of the form 2026-11-22T00:00:00Z"))?;
        let header = Self {
            kind,
            trust_domain,
            name,
            version,
            expires,
        };
        // One text per header: leading zeros, signs and further lines do not print the same again.
        if header.to_text()?.strip_suffix("\n\n") != Some(head) {
            return Err(FileError::Header(
                "five lines in the one form, and no other",
            ));
        }
        Ok((header, body))
    }
}

/// The text to be signed for a header and a body.
///
/// # Errors
/// [`FileError::Header`] and [`FileError::Json`].
pub fn to_text(header: &Header, body: &impl Serialize) -> Result<String, FileError> {
    let body =
        serde_json::to_string_pretty(body).map_err(|error| FileError::Json(error.to_string()))?;
    Ok(format!("{}{body}\n", header.to_text()?))
}

/// A parsed and self-consistent signed file. Whether those signed who must is known only after
/// [`SignedNote::require`] on [`SignedFile::note`].
#[derive(Debug)]
pub struct SignedFile {
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: Body,
    /// Text and signatures.
    pub note: SignedNote,
}

impl SignedFile {
    /// Reads a signed file and checks what can be checked by itself.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let note = SignedNote::parse(bytes)?;
        let (header, body) = parse_text(note.text())?;
        Ok(Self { header, body, note })
    }

    /// Digest of the signed text.
    pub fn digest(&self) -> Digest {
        self.note.digest()
    }
}

/// Reads the text of a file, before or after it is signed, and checks what can be checked by itself.
///
/// # Errors
/// See [`FileError`].
pub fn parse_text(text: &str) -> Result<(Header, Body), FileError> {
    let (header, json) = Header::parse(text)?;
    let body = match header.kind {
        Kind::Authority => {
            let mut authority: Authority = parse_json(json)?;
            authority.check(&header)?;
            Body::Authority(Box::new(authority))
        }
        Kind::Policy => {
            let policy: Policy = parse_json(json)?;
            same_name(&policy.name, &header)?;
            Body::Policy(Box::new(policy))
        }
        Kind::Schema => {
            let schema: Schema = parse_json(json)?;
            same_name(&schema.name, &header)?;
            schema
                .check()
                .map_err(|error| FileError::Schema(error.to_string()))?;
            Body::Schema(Box::new(schema))
        }
        Kind::IssuerSet => {
            let set: IssuerSet = parse_json(json)?;
            set.check()?;
            Body::IssuerSet(Box::new(set))
        }
        Kind::RevocationList => {
            let list: RevocationList = parse_json(json)?;
            list.check()?;
            Body::RevocationList(Box::new(list))
        }
        Kind::KeyOperation => {
            let operation: KeyOperation = parse_json(json)?;
            operation.check()?;
            Body::KeyOperation(Box::new(operation))
        }
        Kind::Parameters => {
            let parameters: Parameters = parse_json(json)?;
            parameters.check(&header.name)?;
            Body::Parameters(Box::new(parameters))
        }
        Kind::Tombstone => {
            let tombstone: Tombstone = parse_json(json)?;
            tombstone.check()?;
            Body::Tombstone(Box::new(tombstone))
        }
    };
    Ok((header, body))
}

fn parse_json<T: DeserializeOwned>(json: &str) -> Result<T, FileError> {
    serde_json::from_str(json).map_err(|error| FileError::Json(error.to_string()))
}

fn same_name(body: &str, header: &Header) -> Result<(), FileError> {
    if body != header.name {
        return Err(FileError::Name {
            body: body.to_owned(),
            header: header.name.clone(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
