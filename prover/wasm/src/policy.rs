//! A policy in its epoch, from the epoch's log entry and the files that it names by digest.

use bauta_statement::entry::{Body, Entry};
use bauta_statement::epoch::{Epoch, check_bounds, encode_root};
use bauta_statement::field;
use bauta_statement::file::authority::Mode;
use bauta_statement::file::parameters::Provenance;
use bauta_statement::file::{self, Authority, Parameters, SignedFile};
use bauta_statement::note::{Digest, sha256};
use bauta_statement::policy::{EpochRoots, Policy, RelationName};
use bauta_statement::relation::{DEVELOPMENT_VERIFYING_KEYS, PolicyPublic, Relation};
use bauta_statement::tree::{ISSUER_SET_DEPTH, QuaternaryTree, RevocationTree};
use data_encoding::HEXLOWER;

use crate::Refusal;

/// A policy in its epoch. It can only be made from files whose digests are in the epoch's entry.
#[derive(Debug)]
pub struct PolicyInForce {
    pub(crate) policy: Policy,
    /// SHA-256 of its signed text.
    pub(crate) digest: Digest,
    pub(crate) public: PolicyPublic,
    pub(crate) issuers: QuaternaryTree,
    pub(crate) revoked: RevocationTree,
    pub(crate) epoch: Epoch,
    pub(crate) authority: Authority,
    parameters: Parameters,
}

/// What [`PolicyInForce::open`] reads: bytes as the service gives them.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The epoch's log entry, which the caller has found in the log.
    pub entry: &'a [u8],
    /// The signed note of each file.
    pub authority: &'a [u8],
    /// Verifying keys by digest.
    pub parameters: &'a [u8],
    /// The policy.
    pub policy: &'a [u8],
    /// The origins that the policy accepts, 32 bytes each, in the issuer set's order.
    pub origins: &'a [u8],
    /// The revoked handles in the order of their insertion.
    pub revoked: &'a [u64],
}

impl PolicyInForce {
    /// Reads the files, each of which must be the one that the entry names; computes the roots, which must be the entry's.
    ///
    /// # Errors
    /// [`Refusal`] names the file.
    pub fn open(files: Files<'_>, now: u64) -> Result<Self, Refusal> {
        let entry =
            Entry::decode(files.entry).map_err(|error| Refusal::Entry(error.to_string()))?;
        let Body::Epoch(epoch) = entry.body else {
            return Err(Refusal::Entry("it is another entry".to_owned()));
        };
        let authority = authority(&epoch, files.authority)?;
        let trust_domain = authority.trust_domain.as_str();
        check_bounds(
            epoch.number,
            epoch.start,
            epoch.length,
            authority.epoch_seconds,
        )?;
        in_force(&epoch, now)?;

        let parameters = match named(
            "parameters",
            files.parameters,
            &epoch.parameters,
            trust_domain,
            &epoch,
        )?
        .body
        {
            file::Body::Parameters(parameters) => *parameters,
            _ => return Err(other("parameters")),
        };
        let development = |key: &Digest| DEVELOPMENT_VERIFYING_KEYS.iter().any(|(_, d)| d == key);
        if authority.mode == Mode::Production
            && parameters.relations.iter().any(|one| {
                one.provenance == Provenance::Development || development(&one.verifying_key)
            })
        {
            return Err(Refusal::DevelopmentParameters);
        }

        let object = sha256(files.policy);
        let place = epoch
            .policies
            .iter()
            .find(|place| place.object == object)
            .ok_or(Refusal::Object("policy"))?;
        let file = named("policy", files.policy, &object, trust_domain, &epoch)?;
        let digest = file.digest();
        if digest != place.policy {
            return Err(Refusal::Object("policy"));
        }
        let policy = match file.body {
            file::Body::Policy(policy) => *policy,
            _ => return Err(other("policy")),
        };
        for (relation, wanted) in &policy.parameters {
            if parameters
                .verifying_key(*relation)
                .map(|one| one.verifying_key)
                != Some(wanted.0)
            {
                return Err(Refusal::PolicyParameters(relation.to_string()));
            }
        }

        let issuers = issuers(files.origins)?;
        if encode_root(&issuers.root()) != place.issuer_root {
            return Err(Refusal::Root("the accepted issuers' origins"));
        }
        let mut revoked = RevocationTree::new();
        revoked
            .extend(files.revoked)
            .map_err(|source| Refusal::Tree {
                what: "the revoked handles",
                source,
            })?;
        if encode_root(&revoked.root()) != epoch.revocation_root
            || u32::try_from(files.revoked.len()) != Ok(epoch.revocation_count)
        {
            return Err(Refusal::Root("the revoked handles"));
        }
        let public = policy.public(&EpochRoots {
            start: epoch.start,
            end: epoch.end(),
            issuer_root: issuers.root(),
            revocation_root: revoked.root(),
        });
        Ok(Self {
            policy,
            digest,
            public,
            issuers,
            revoked,
            epoch,
            authority,
            parameters,
        })
    }

    /// What was written.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The first second at which the proof counts no more.
    pub fn ends(&self) -> u64 {
        self.epoch.end()
    }

    pub(crate) fn at(&self, now: u64) -> Result<&Self, Refusal> {
        in_force(&self.epoch, now)?;
        Ok(self)
    }

    /// Refuses a key that the epoch does not name for the relation.
    pub(crate) fn accept(&self, relation: Relation, key: Digest) -> Result<(), Refusal> {
        let named = self
            .parameters
            .verifying_key(RelationName(relation))
            .map(|one| one.verifying_key);
        if named == Some(key) {
            return Ok(());
        }
        Err(Refusal::OtherParameters {
            relation: relation.name(),
            named: named.map_or_else(|| "none".to_owned(), |named| HEXLOWER.encode(&named)),
        })
    }
}

fn in_force(epoch: &Epoch, now: u64) -> Result<(), Refusal> {
    if epoch.contains(now) {
        return Ok(());
    }
    Err(Refusal::Epoch {
        number: epoch.number,
        now,
    })
}

fn other(what: &'static str) -> Refusal {
    Refusal::File {
        what,
        reason: "it is a file of another type".to_owned(),
    }
}

/// The authority file, by whose trust domain the others are judged.
fn authority(epoch: &Epoch, bytes: &[u8]) -> Result<Authority, Refusal> {
    if sha256(bytes) != epoch.authority {
        return Err(Refusal::Object("authority"));
    }
    match SignedFile::parse(bytes)
        .map_err(Refusal::file("authority"))?
        .body
    {
        file::Body::Authority(authority) if authority.expires < epoch.end() => {
            Err(Refusal::Unfit {
                what: "authority",
                reason: "expires before the epoch ends",
            })
        }
        file::Body::Authority(authority) => Ok(*authority),
        _ => Err(other("authority")),
    }
}

/// A file that the epoch names: of this trust domain, unexpired at the epoch's end.
fn named(
    what: &'static str,
    bytes: &[u8],
    digest: &Digest,
    trust_domain: &str,
    epoch: &Epoch,
) -> Result<SignedFile, Refusal> {
    if sha256(bytes) != *digest {
        return Err(Refusal::Object(what));
    }
    let file = SignedFile::parse(bytes).map_err(Refusal::file(what))?;
    let unfit = |reason| Err(Refusal::Unfit { what, reason });
    if file.header.trust_domain != trust_domain {
        return unfit("is for another trust domain");
    }
    if file.header.expires < epoch.end() {
        return unfit("expires before the epoch ends");
    }
    Ok(file)
}

fn issuers(origins: &[u8]) -> Result<QuaternaryTree, Refusal> {
    const WHAT: &str = "the accepted issuers' origins";
    let (origins, rest) = origins.as_chunks::<{ field::ENCODED_LEN }>();
    if !rest.is_empty() {
        return Err(Refusal::Root(WHAT));
    }
    let origins = origins
        .iter()
        .map(field::from_bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Refusal::Root(WHAT))?;
    QuaternaryTree::of_members(&origins, ISSUER_SET_DEPTH)
        .map_err(|source| Refusal::Tree { what: WHAT, source })
}
