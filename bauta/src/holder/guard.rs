//! The wallet defends its holder (DESIGN 3.5). A hostile service could give each person a policy, an issuer set, a
//! revocation list or an epoch of their own, and learn from who can answer. So before anything is proved, this page checks
//! that the epoch is logged under the pinned quorum, in a log that begins with the pinned authority and contains all that
//! was seen before; that its bounds are the standard ones and fit the clock; and that its roots are those which this wallet
//! computes itself from the signed files.
//!
//! It is a function of what was fetched: it asks for what it misses, and the caller fetches and calls again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bauta_log::merkle::check_consistency;
use bauta_log::storage::{StorageError, TileSource};
use bauta_log::{CosignedCheckpoint, Head, LogPolicy, LogReader, TlogProof};
use bauta_statement::certificate::Ca;
use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::{self, Epoch, encode_root};
use bauta_statement::file::authority::{Mode, ca_key_id};
use bauta_statement::file::issuer_set::Issuer;
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{self, Authority, IssuerSet, KeyOperation, Parameters, SignedFile};
use bauta_statement::note::{Digest, sha256};
use bauta_statement::policy::{EpochRoots, Policy};
use bauta_statement::relation::{DEVELOPMENT_VERIFYING_KEYS, PolicyPublic};
use bauta_statement::rsa_key::RsaPublicKey;
use bauta_statement::schema::Schema;
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use serde::{Deserialize, Serialize};

use super::possession::Authority as CertificateAuthority;
use crate::hex;

/// What the holder pinned, once and for all, from a place other than the service.
pub(crate) struct Pins {
    /// SHA-256 of the first authority file's signed text.
    pub(crate) authority: Digest,
    /// The log's and the signers' keys, and the quorum.
    pub(crate) log_policy: LogPolicy,
}

/// The newest that this wallet has seen: nothing older is taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// Size of the newest checkpoint.
    pub(crate) size: u64,
    /// Its root.
    #[serde(with = "file::text::hex")]
    pub(crate) root: [u8; 32],
    /// Number of the newest epoch.
    pub(crate) epoch: u64,
    /// SHA-256 of its entry.
    #[serde(with = "file::text::hex")]
    pub(crate) entry: Digest,
}

/// An epoch's entry and its tlog-proof, as the service gives them.
pub(crate) struct Offered {
    pub(crate) entry: Vec<u8>,
    pub(crate) proof: Vec<u8>,
}

/// What was fetched so far, none of it trusted.
#[derive(Default)]
pub(crate) struct Fetched {
    /// Objects by their SHA-256.
    pub(crate) objects: BTreeMap<Digest, Vec<u8>>,
    /// Files of the tile log by path; `None` where there is none.
    pub(crate) files: BTreeMap<String, Option<Vec<u8>>>,
    /// What the service says of the revoked handles, by epoch.
    pub(crate) revoked: BTreeMap<u64, RevokedHint>,
}

/// Of the revoked handles what the files do not say.
#[derive(Debug, Clone, Default)]
pub(crate) struct RevokedHint {
    /// All of them, in the order of their insertion.
    pub(crate) in_order: Vec<u64>,
    /// Keys of X.509 CAs whose CRL an epoch names, for those that are in no issuer set in force.
    pub(crate) ca_keys: Vec<RsaPublicKey>,
}

/// What is to be fetched next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Objects(Vec<Digest>),
    Files(Vec<String>),
    Revoked(u64),
}

/// A policy in its epoch, everything about it checked. Minted by [`check`] alone, and the only thing from which this wallet
/// proves.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) epoch: Epoch,
    pub(crate) authority: Authority,
    pub(crate) parameters: Parameters,
    pub(crate) policy: Policy,
    /// The policy's signed text.
    pub(crate) policy_text: String,
    /// And its digest.
    pub(crate) policy_digest: Digest,
    pub(crate) public: PolicyPublic,
    /// Origins of the accepted issuers.
    pub(crate) issuers: QuaternaryTree,
    /// Those of them that are X.509 CAs.
    pub(crate) authorities: Vec<CertificateAuthority>,
    pub(crate) revoked: RevocationTree,
    /// The signed text of the key operation that the CA's certificate is made from.
    pub(crate) ca_text: String,
    pub(crate) seen: Seen,
}

/// The X.509 CAs of a set whose list is current, each with its schema.
fn authorities(
    set: &IssuerSet,
    schemas: &BTreeMap<String, &Schema>,
    current: &dyn Fn(&Issuer) -> bool,
) -> Vec<CertificateAuthority> {
    let current = set.issuers.iter().filter(|issuer| current(issuer));
    let authority = |issuer: &Issuer| match issuer {
        Issuer::X509Rsa(authority) => Some(CertificateAuthority {
            name: authority.name.clone(),
            key: authority.public_key.clone(),
            schema: (*schemas.get(issuer.schema())?).clone(),
        }),
        Issuer::Native(_) => None,
    };
    current.filter_map(authority).collect()
}

/// What came of a check.
#[derive(Debug)]
pub(crate) enum Outcome {
    Checked(Box<Checked>),
    Missing(Missing),
}

/// Why this wallet does not prove. All but the first two mean that the service is wrong or hostile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    #[error(
        "no epoch that the service offers is in force now ({0}): correct this machine's clock, or try again when the service has logged the next epoch"
    )]
    NoEpoch(String),
    #[error(
        "policy {0:?} is not in force in this epoch: ask which policies are with GET /v1/policies"
    )]
    PolicyNotInForce(String),
    #[error(
        "the epoch is not logged under the pinned log-policy ({0}): do not prove for this service; if its signers changed, get the new log-policy from its administrators"
    )]
    NotLogged(String),
    #[error("the epoch's bounds are not the standard ones ({0}): do not prove for this service")]
    Bounds(String),
    #[error(
        "the service offers epoch {offered}, and this wallet has seen epoch {seen} already: do not prove for this service"
    )]
    Older { offered: u64, seen: u64 },
    #[error(
        "the service offers another entry for epoch {0} than this wallet has seen: keep both as evidence, and do not prove for this service"
    )]
    Changed(u64),
    #[error(
        "the log does not contain all that this wallet has seen of it ({0}): keep its checkpoint as evidence, and do not prove for this service"
    )]
    Forked(String),
    #[error(
        "the log does not begin with the pinned authority ({0}): check the digest that you pinned with --authority"
    )]
    OtherAuthority(String),
    #[error(
        "{what} {digest}, which the epoch names, is not what the service sent: try again, then report the service"
    )]
    Object { what: &'static str, digest: String },
    #[error("{what} that the epoch names is malformed ({reason}): report the service")]
    Malformed { what: &'static str, reason: String },
    #[error("{what} {name:?} is for another trust domain, {found:?}: report the service")]
    TrustDomain {
        what: &'static str,
        name: String,
        found: String,
    },
    #[error("{what} {name:?} expires before the epoch ends: report the service")]
    Expired { what: &'static str, name: String },
    #[error(
        "{what} {name:?} is not signed by enough administrators ({reason}): do not prove for this service"
    )]
    Unsigned {
        what: &'static str,
        name: String,
        reason: String,
    },
    #[error(
        "the revocation list of issuer {name:?} is not signed by it ({reason}): do not prove for this service"
    )]
    ListUnsigned { name: String, reason: String },
    #[error(
        "the CRL {digest} is not signed by a CA of an issuer set in force, nor by another that the service names: do not prove for this service"
    )]
    CrlUnsigned { digest: String },
    #[error("the policy needs {0}, which the epoch does not name: do not prove for this service")]
    Incomplete(String),
    #[error("{0} is not what the signed files give: do not prove for this service")]
    Root(&'static str),
    #[error(
        "the parameters are of a development set, with which anyone can forge, and this CA is in production: do not prove for this service"
    )]
    DevelopmentParameters,
    #[error(
        "the policy names other parameters for {0} than the epoch's: do not prove for this service"
    )]
    Parameters(String),
    #[error("the log's key is not the authority's: check the pinned log-policy")]
    LogKey,
}

enum Stop {
    Missing(Missing),
    Refused(GuardError),
}

impl From<GuardError> for Stop {
    fn from(error: GuardError) -> Self {
        Self::Refused(error)
    }
}

/// Checks everything of DESIGN 3.5 for one policy at `now`.
pub(crate) fn check(
    pins: &Pins,
    seen: Option<&Seen>,
    offered: &[Offered],
    policy: &str,
    fetched: &Fetched,
    now: u64,
) -> Result<Outcome, GuardError> {
    match (Guard {
        pins,
        seen,
        fetched,
        now,
    })
    .check(offered, policy)
    {
        Ok(checked) => Ok(Outcome::Checked(Box::new(checked))),
        Err(Stop::Missing(missing)) => Ok(Outcome::Missing(missing)),
        Err(Stop::Refused(error)) => Err(error),
    }
}

struct Guard<'a> {
    pins: &'a Pins,
    seen: Option<&'a Seen>,
    fetched: &'a Fetched,
    now: u64,
}

/// A signed file's header name, text digest and whole note.
struct Read<T> {
    name: String,
    body: T,
    file: SignedFile,
}

impl Guard<'_> {
    fn check(&self, offered: &[Offered], wanted: &str) -> Result<Checked, Stop> {
        let (epoch, entry, checkpoint) = self.logged_epoch(offered)?;
        self.not_older(&epoch, &entry)?;
        let first = self.first_authority(&checkpoint)?;
        let authority = self.authority(&epoch, &first)?;
        epoch::check_bounds(
            epoch.number,
            epoch.start,
            epoch.length,
            authority.epoch_seconds,
        )
        .map_err(|e| GuardError::Bounds(e.to_string()))?;

        self.fetch_all(&epoch)?;
        let administrators = [&first, &authority];
        let parameters = self.parameters(&epoch, &authority, &administrators)?;
        let (policy, place) = self.policy(&epoch, wanted, &authority, &administrators)?;
        let schemas = self.schemas(&epoch, &administrators)?;
        let sets = self.issuer_sets(&epoch, &administrators)?;
        let by_name: BTreeMap<String, &Schema> = schemas
            .iter()
            .map(|schema| (schema.name.clone(), &schema.body))
            .collect();
        let own = by_name
            .get(&policy.body.schema)
            .ok_or_else(|| GuardError::Incomplete(format!("schema {:?}", policy.body.schema)))?;
        policy
            .body
            .check_schema(own)
            .map_err(|e| GuardError::Malformed {
                what: "policy",
                reason: e.to_string(),
            })?;
        let set = sets
            .iter()
            .find(|set| set.name == policy.body.issuer_set)
            .ok_or_else(|| {
                GuardError::Incomplete(format!("issuer set {:?}", policy.body.issuer_set))
            })?;
        for (relation, digest) in &policy.body.parameters {
            if parameters
                .verifying_key(*relation)
                .map(|one| one.verifying_key)
                != Some(digest.0)
            {
                return Err(GuardError::Parameters(relation.to_string()).into());
            }
        }

        let (revoked, current) = self.revocations(&epoch, &authority, &sets)?;
        let is_current = |issuer: &Issuer| current.contains(issuer.name());
        let origins = epoch::accepted_origins(&policy.body, &set.body, &by_name, &is_current)
            .map_err(|e| GuardError::Malformed {
                what: "issuer set",
                reason: e.to_string(),
            })?;
        let issuers = QuaternaryTree::of_members(&origins, ISSUER_SET_DEPTH)
            .map_err(|_| GuardError::Root("the policy's issuer root"))?;
        if encode_root(&issuers.root()) != place {
            return Err(GuardError::Root("the policy's issuer root").into());
        }
        let public = policy.body.public(&EpochRoots {
            start: epoch.start,
            end: epoch.end(),
            issuer_root: issuers.root(),
            revocation_root: revoked.root(),
        });
        let ca_text = self.ca(&epoch, &authority, &administrators)?;
        Ok(Checked {
            seen: Seen {
                size: checkpoint.head().size,
                root: checkpoint.head().root,
                epoch: epoch.number,
                entry: sha256(&entry),
            },
            policy_digest: policy.file.digest(),
            policy_text: policy.file.note.text().to_owned(),
            policy: policy.body,
            epoch,
            authority,
            parameters,
            public,
            authorities: authorities(&set.body, &by_name, &is_current),
            issuers,
            revoked,
            ca_text,
        })
    }

    /// The epoch that is in force now, its entry, and the cosigned checkpoint that has it.
    fn logged_epoch(
        &self,
        offered: &[Offered],
    ) -> Result<(Epoch, Vec<u8>, CosignedCheckpoint), Stop> {
        let mut numbers = Vec::new();
        for one in offered {
            let Ok(Entry {
                body: Body::Epoch(epoch),
                ..
            }) = Entry::decode(&one.entry)
            else {
                continue;
            };
            if !epoch.contains(self.now) {
                numbers.push(epoch.number.to_string());
                continue;
            }
            let proof =
                TlogProof::parse(&one.proof).map_err(|e| GuardError::NotLogged(e.to_string()))?;
            let logged = proof
                .verify(one.entry.clone(), &self.pins.log_policy)
                .map_err(|e| GuardError::NotLogged(e.to_string()))?;
            return Ok((epoch, one.entry.clone(), logged.checkpoint().clone()));
        }
        Err(GuardError::NoEpoch(match numbers.len() {
            0 => "none is offered".to_owned(),
            _ => format!("it offers {}", numbers.join(", ")),
        })
        .into())
    }

    fn not_older(&self, epoch: &Epoch, entry: &[u8]) -> Result<(), Stop> {
        let Some(seen) = self.seen else { return Ok(()) };
        if epoch.number < seen.epoch {
            return Err(GuardError::Older {
                offered: epoch.number,
                seen: seen.epoch,
            }
            .into());
        }
        if epoch.number == seen.epoch && sha256(entry) != seen.entry {
            return Err(GuardError::Changed(epoch.number).into());
        }
        Ok(())
    }

    /// The log's first entry is the pinned authority, and the log contains all that was seen of it.
    fn first_authority(&self, checkpoint: &CosignedCheckpoint) -> Result<Authority, Stop> {
        let source = Source {
            files: &self.fetched.files,
            missed: RefCell::default(),
        };
        let reader = LogReader::new(source);
        if let Some(seen) = self.seen {
            let old = Head {
                size: seen.size,
                root: seen.root,
            };
            let new = checkpoint.head();
            let proof = if old.size < new.size && old.size > 0 {
                reader
                    .consistency(&new, old.size)
                    .map_err(|e| reader.source().stop(&e, GuardError::Forked))?
            } else {
                Vec::new()
            };
            check_consistency(&old, &new, &proof).map_err(|e| GuardError::Forked(e.to_string()))?;
        }
        let (logged, _) = reader
            .entry(0, checkpoint)
            .map_err(|e| reader.source().stop(&e, GuardError::OtherAuthority))?;
        let wrong = |why: &str| Stop::Refused(GuardError::OtherAuthority(why.to_owned()));
        let Ok(Entry {
            body: Body::Authority(object),
            ..
        }) = Entry::decode(logged.entry())
        else {
            return Err(wrong("its first entry is no authority"));
        };
        let bytes = self.object("first authority", &object.digest)?;
        let file = SignedFile::parse(bytes).map_err(|e| wrong(&e.to_string()))?;
        if file.digest() != self.pins.authority {
            return Err(wrong(&format!("it begins with {}", hex(&file.digest()))));
        }
        match file.body {
            file::Body::Authority(authority) => Ok(*authority),
            _ => Err(wrong("its first entry names no authority")),
        }
    }

    /// The authority that the epoch names: of the same trust domain and log as the pinned one.
    fn authority(&self, epoch: &Epoch, first: &Authority) -> Result<Authority, Stop> {
        let bytes = self.object("authority", &epoch.authority)?;
        let malformed = |reason: String| GuardError::Malformed {
            what: "authority",
            reason,
        };
        let file = SignedFile::parse(bytes).map_err(|e| malformed(e.to_string()))?;
        let file::Body::Authority(authority) = file.body else {
            return Err(malformed("it is another file".to_owned()).into());
        };
        if authority.trust_domain != first.trust_domain {
            return Err(GuardError::TrustDomain {
                what: "authority",
                name: file.header.name,
                found: authority.trust_domain,
            }
            .into());
        }
        if authority.expires < epoch.end() {
            return Err(GuardError::Expired {
                what: "authority",
                name: file.header.name,
            }
            .into());
        }
        let known = |key: &bauta_log::LogVerifier| *key.public_key() == authority.log.key.public();
        if !self.pins.log_policy.logs().any(known) {
            return Err(GuardError::LogKey.into());
        }
        Ok(*authority)
    }

    /// Names all objects of the epoch that are still to be fetched, so that it takes one round.
    fn fetch_all(&self, epoch: &Epoch) -> Result<(), Stop> {
        let mut digests = vec![epoch.parameters, epoch.ca_certificate];
        digests.extend(&epoch.schemas);
        digests.extend(&epoch.issuer_sets);
        digests.extend(epoch.policies.iter().map(|policy| policy.object));
        digests.extend(&epoch.revocation_lists);
        digests.retain(|digest| !self.fetched.objects.contains_key(digest));
        if digests.is_empty() {
            Ok(())
        } else {
            Err(Stop::Missing(Missing::Objects(digests)))
        }
    }

    fn object(&self, what: &'static str, digest: &Digest) -> Result<&[u8], Stop> {
        let bytes = self
            .fetched
            .objects
            .get(digest)
            .ok_or_else(|| Stop::Missing(Missing::Objects(vec![*digest])))?;
        if sha256(bytes) != *digest {
            return Err(GuardError::Object {
                what,
                digest: hex(digest),
            }
            .into());
        }
        Ok(bytes)
    }

    /// A file that the epoch names: of this trust domain, unexpired at the epoch's end.
    fn file<T>(
        &self,
        what: &'static str,
        digest: &Digest,
        domain: &str,
        body: impl FnOnce(&file::Body) -> Option<T>,
    ) -> Result<Read<T>, Stop> {
        let bytes = self.object(what, digest)?;
        let file = SignedFile::parse(bytes).map_err(|e| GuardError::Malformed {
            what,
            reason: e.to_string(),
        })?;
        let name = file.header.name.clone();
        if file.header.trust_domain != domain {
            return Err(GuardError::TrustDomain {
                what,
                name,
                found: file.header.trust_domain,
            }
            .into());
        }
        let body = body(&file.body).ok_or_else(|| GuardError::Malformed {
            what,
            reason: "it is another file".to_owned(),
        })?;
        Ok(Read { name, body, file })
    }

    /// The same, signed by k of m administrators: today's, or those of the pinned authority.
    fn administered<T>(
        &self,
        what: &'static str,
        digest: &Digest,
        end: u64,
        administrators: &[&Authority; 2],
        body: impl FnOnce(&file::Body) -> Option<T>,
    ) -> Result<Read<T>, Stop> {
        let read = self.file(what, digest, &administrators[0].trust_domain, body)?;
        // A key operation's expiry bounds when it may be carried out, not how long its certificate serves.
        if what != "key operation" && read.file.header.expires < end {
            return Err(GuardError::Expired {
                what,
                name: read.name,
            }
            .into());
        }
        let mut reason = String::new();
        for authority in administrators {
            let Authority { administrators, .. } = authority;
            match read
                .file
                .note
                .require(&administrators.keys, administrators.k)
            {
                Ok(()) => return Ok(read),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(GuardError::Unsigned {
            what,
            name: read.name,
            reason,
        }
        .into())
    }

    fn parameters(
        &self,
        epoch: &Epoch,
        authority: &Authority,
        administrators: &[&Authority; 2],
    ) -> Result<Parameters, Stop> {
        let read = self.administered(
            "parameters",
            &epoch.parameters,
            epoch.end(),
            administrators,
            |body| match body {
                file::Body::Parameters(parameters) => Some((**parameters).clone()),
                _ => None,
            },
        )?;
        let development = |one: &file::parameters::RelationParameters| {
            one.provenance == Provenance::Development
                || DEVELOPMENT_VERIFYING_KEYS
                    .iter()
                    .any(|(_, digest)| *digest == one.verifying_key)
        };
        if authority.mode == Mode::Production && read.body.relations.iter().any(development) {
            return Err(GuardError::DevelopmentParameters.into());
        }
        Ok(read.body)
    }

    /// The policy of this name, and the issuer root that the epoch gives it.
    fn policy(
        &self,
        epoch: &Epoch,
        wanted: &str,
        authority: &Authority,
        administrators: &[&Authority; 2],
    ) -> Result<(Read<Policy>, [u8; 32]), Stop> {
        for place in &epoch.policies {
            let read =
                self.file(
                    "policy",
                    &place.object,
                    &authority.trust_domain,
                    |body| match body {
                        file::Body::Policy(policy) => Some((**policy).clone()),
                        _ => None,
                    },
                )?;
            if read.name != wanted {
                continue;
            }
            if read.file.digest() != place.policy {
                return Err(GuardError::Object {
                    what: "policy",
                    digest: hex(&place.policy),
                }
                .into());
            }
            let read =
                self.administered("policy", &place.object, epoch.end(), administrators, |_| {
                    Some(read.body)
                })?;
            return Ok((read, place.issuer_root));
        }
        Err(GuardError::PolicyNotInForce(wanted.to_owned()).into())
    }

    fn schemas(
        &self,
        epoch: &Epoch,
        administrators: &[&Authority; 2],
    ) -> Result<Vec<Read<Schema>>, Stop> {
        epoch
            .schemas
            .iter()
            .map(|digest| {
                self.administered(
                    "schema",
                    digest,
                    epoch.end(),
                    administrators,
                    |body| match body {
                        file::Body::Schema(schema) => Some((**schema).clone()),
                        _ => None,
                    },
                )
            })
            .collect()
    }

    fn issuer_sets(
        &self,
        epoch: &Epoch,
        administrators: &[&Authority; 2],
    ) -> Result<Vec<Read<IssuerSet>>, Stop> {
        epoch
            .issuer_sets
            .iter()
            .map(|digest| {
                self.administered("issuer set", digest, epoch.end(), administrators, |body| {
                    match body {
                        file::Body::IssuerSet(set) => Some((**set).clone()),
                        _ => None,
                    }
                })
            })
            .collect()
    }

    /// The tree of revoked handles, rebuilt from whole lists, and the issuers whose list is unexpired at the epoch's end.
    fn revocations(
        &self,
        epoch: &Epoch,
        authority: &Authority,
        sets: &[Read<IssuerSet>],
    ) -> Result<(RevocationTree, BTreeSet<String>), Stop> {
        let hint = self
            .fetched
            .revoked
            .get(&epoch.number)
            .ok_or(Stop::Missing(Missing::Revoked(epoch.number)))?;
        let lists = self.lists(epoch, authority, sets, &hint.ca_keys)?;
        let tree = epoch::check_revocations(&hint.in_order, lists.handles)
            .map_err(|_| GuardError::Root("the list of revoked handles"))?;
        let count = u32::try_from(hint.in_order.len()).ok();
        if encode_root(&tree.root()) != epoch.revocation_root
            || count != Some(epoch.revocation_count)
        {
            return Err(GuardError::Root("the revocation root").into());
        }
        Ok((tree, lists.current))
    }

    /// The key operation of the CA's certificate, under a key that the authority lists.
    fn ca(
        &self,
        epoch: &Epoch,
        authority: &Authority,
        administrators: &[&Authority; 2],
    ) -> Result<String, Stop> {
        let end = epoch.end();
        let read = self.administered(
            "key operation",
            &epoch.ca_certificate,
            end,
            administrators,
            |body| match body {
                file::Body::KeyOperation(operation) => match &**operation {
                    KeyOperation::SignCaCertificate(sign) => Some(sign.clone()),
                    _ => None,
                },
                _ => None,
            },
        )?;
        let listed = authority
            .ca_keys
            .iter()
            .any(|key| key.group_key == read.body.group_key && key.purpose.is_issuing());
        if !listed || ca_key_id(&read.body.group_key) != epoch.ca_key {
            return Err(GuardError::Root("the CA key").into());
        }
        Ok(read.file.note.text().to_owned())
    }
}

/// The CA of a key operation's signed text, which [`check`] has seen to.
pub(crate) fn ca_of(text: &str, trust_domain: &str, enterprise_number: u32) -> anyhow::Result<Ca> {
    match file::parse_text(text)?.1 {
        file::Body::KeyOperation(operation) => match *operation {
            KeyOperation::SignCaCertificate(sign) => {
                Ok(Ca::new(&sign, trust_domain, enterprise_number)?)
            }
            _ => {
                anyhow::bail!("the wallet's key operation makes no certificate: prepare again")
            }
        },
        _ => anyhow::bail!("the wallet holds no key operation: prepare again"),
    }
}

/// The fetched files as a source of tiles; it notes what it was asked for in vain.
struct Source<'a> {
    files: &'a BTreeMap<String, Option<Vec<u8>>>,
    missed: RefCell<Vec<String>>,
}

impl TileSource for Source<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match self.files.get(path) {
            Some(found) => Ok(found.clone()),
            None => {
                self.missed.borrow_mut().push(path.to_owned());
                Err(StorageError::Unavailable {
                    path: path.to_owned(),
                    reason: "not fetched yet".to_owned(),
                })
            }
        }
    }
}

impl Source<'_> {
    /// What a failed reading means: files to fetch, or else a refusal.
    fn stop(&self, error: &dyn std::fmt::Display, refusal: fn(String) -> GuardError) -> Stop {
        let missed = self.missed.take();
        if missed.is_empty() {
            Stop::Refused(refusal(error.to_string()))
        } else {
            Stop::Missing(Missing::Files(missed))
        }
    }
}

mod revocations;
#[cfg(test)]
mod tests;
