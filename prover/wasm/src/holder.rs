//! Keys, the wallet's credential and proofs, and showing them. What takes time is a call of its own, so that a page can say
//! what it is doing: `prove_*` take seconds, [`Ready::show`] milliseconds.

use std::rc::Rc;

use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::{PolicyError, PolicyWitness};
use bauta_circuits::possession::native::NativeWitness;
use bauta_prover::keys::{HolderKeys, Prover, Tables};
use bauta_prover::prepare::{native_witness, satisfies};
use bauta_prover::prove::{ProveError, prove};
use bauta_prover::show::{Holding, Prepared, SlotMap};
use bauta_prover::wallet::{Stored, StoredPolicy, StoredUse};
use bauta_setup::ParameterSet;
use bauta_statement::challenge::{Challenge, ChallengeError, LONGEST_LIFE};
use bauta_statement::context::{Context, key_digest};
use bauta_statement::credential::NativeCredential;
use bauta_statement::csr::PublicKey;
use bauta_statement::field::{self, Fr};
use bauta_statement::note::Digest;
use bauta_statement::policy::{Policy, Scope};
use bauta_statement::presentation::Opening;
use bauta_statement::relation::{NullifierPublic, Relation};
use bauta_statement::scope;
use bauta_statement::vector::{AttributeValue, Format};
use bauta_statement::verifying_key::VerifyingKey;
use data_encoding::HEXLOWER;
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use crate::Refusal;
use crate::policy::PolicyInForce;

/// How far the service's clock may be ahead of this one, in seconds: as in the native wallet.
const SLACK: u64 = 120;

/// The system's randomness, after it was seen to answer: [`OsRng`] itself can only panic, which would end the module.
fn randomness() -> Result<OsRng, Refusal> {
    OsRng
        .try_fill_bytes(&mut [0; 1])
        .map_err(|_| Refusal::Randomness)?;
    Ok(OsRng)
}

/// The proving keys of a parameter set, as far as they were given: 0.15 MB (nullifier), 1.5 MB (possession) and 3.1 MB
/// (policy). Needed to prove, not to show.
#[derive(Default)]
pub struct ProvingKeys {
    possession: Option<Prover<NativeWitness>>,
    policy: Option<Prover<PolicyWitness>>,
    nullifier: Option<Prover<NullifierWitness>>,
}

impl ProvingKeys {
    /// Adds the set of a relation: `manifest.json`, `verifying-key.bin` and `proving-key.bin` of its folder, whose digests
    /// are checked as the native wallet checks them. Whether the epoch names the key is checked when it proves.
    ///
    /// # Errors
    /// [`Refusal::Relation`], [`Refusal::Parameters`], [`Refusal::Key`].
    pub fn add(
        &mut self,
        relation: &str,
        manifest: &[u8],
        verifying_key: &[u8],
        proving_key: &[u8],
    ) -> Result<(), Refusal> {
        let relation =
            Relation::from_name(relation).ok_or_else(|| Refusal::Relation(relation.to_owned()))?;
        let key = ParameterSet::from_bytes(relation, manifest, verifying_key, proving_key)?
            .into_proving_key();
        match relation {
            Relation::PossessionNative => self.possession = Some(Prover::new(key)?),
            Relation::Policy => self.policy = Some(Prover::new(key)?),
            Relation::Nullifier => self.nullifier = Some(Prover::new(key)?),
            // Their keys are larger than a browser gives a page.
            Relation::PossessionX509Rsa | Relation::PossessionX509RsaLong => {
                return Err(Refusal::Relation(relation.name().to_owned()));
            }
        }
        Ok(())
    }
}

/// The verifying keys of a parameter set, ready to show with.
pub struct ShowingKeys {
    keys: HolderKeys,
    digests: [(Relation, Digest); 3],
}

impl ShowingKeys {
    /// Checks the three encoded keys. Tables take 5 MB and as long to make as some ten shows; with them, a show takes a
    /// quarter of the time or less.
    ///
    /// # Errors
    /// [`Refusal::VerifyingKey`], [`Refusal::Key`].
    pub fn new(
        possession: &[u8],
        policy: &[u8],
        nullifier: &[u8],
        tables: bool,
    ) -> Result<Self, Refusal> {
        let possession = VerifyingKey::decode(possession)?;
        let policy = VerifyingKey::decode(policy)?;
        let nullifier = VerifyingKey::decode(nullifier)?;
        let digests = [
            (Relation::PossessionNative, possession.digest()),
            (Relation::Policy, policy.digest()),
            (Relation::Nullifier, nullifier.digest()),
        ];
        let tables = if tables { Tables::Small } else { Tables::None };
        let possession = [(Format::Native, possession)];
        Ok(Self {
            keys: HolderKeys::new(&possession, &policy, &nullifier, tables)?,
            digests,
        })
    }
}

/// A credential, and the proofs made with it.
pub struct Holder {
    stored: Stored,
}

impl Holder {
    /// Opens the wallet's bytes (`bauta_prover::wallet`), checking the credential's signature.
    ///
    /// # Errors
    /// [`Refusal::Wallet`].
    pub fn open(stored: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {
            stored: Stored::decode(stored)?,
        })
    }

    /// The wallet's bytes, with the proofs made since. They hold the holder secret: seal them at rest.
    pub fn stored(&self) -> Zeroizing<Vec<u8>> {
        self.stored.encode()
    }

    /// The native credential: possession of another format's is proved by relations that are too large for a page.
    fn native(&self) -> Result<&NativeCredential, Refusal> {
        let unknown = || Refusal::Relation("possession-x509-rsa".to_owned());
        self.stored.credential.native().ok_or_else(unknown)
    }

    /// Proves possession of the credential: once per credential and parameter set.
    ///
    /// # Errors
    /// [`Refusal`] names what is missing or wrong.
    pub fn prove_possession(
        &mut self,
        keys: &ProvingKeys,
        policy: &PolicyInForce,
        now: u64,
    ) -> Result<(), Refusal> {
        let prover = given(
            &keys.possession,
            Relation::PossessionNative,
            policy.at(now)?,
        )?;
        let witness = native_witness(self.native()?);
        let proof = prove(prover, &witness, &mut randomness()?)
            .map_err(|error| Refusal::Unproved(error.to_string()))?;
        self.stored.possession = Some(proof);
        Ok(())
    }

    /// Proves that the credential satisfies the policy: once per policy and epoch.
    ///
    /// # Errors
    /// [`Refusal::Unmet`] names the attribute.
    pub fn prove_policy(
        &mut self,
        keys: &ProvingKeys,
        policy: &PolicyInForce,
        now: u64,
    ) -> Result<(), Refusal> {
        let prover = given(&keys.policy, Relation::Policy, policy.at(now)?)?;
        let witness = satisfies(
            &self.stored.credential.vector(),
            &policy.policy,
            &policy.public,
            &policy.issuers,
            &policy.revoked,
        )?;
        let proof = prove(prover, &witness, &mut randomness()?)
            .map_err(|error| unmet(&error, &policy.policy))?;
        let (digest, epoch) = (policy.digest, policy.epoch.number);
        let policies = &mut self.stored.policies;
        policies.retain(|one| one.policy != digest || one.epoch != epoch);
        policies.push(StoredPolicy {
            policy: digest,
            epoch,
            proof,
        });
        Ok(())
    }

    /// Proves one use of the policy's scope in the period of `now`. `counter`, below the bound, is the number of the use;
    /// the caller never gives one twice in a period with another key.
    ///
    /// # Errors
    /// [`Refusal::Use`] for a policy without a scope, and beyond its bound.
    pub fn prove_use(
        &mut self,
        keys: &ProvingKeys,
        policy: &PolicyInForce,
        counter: u32,
        now: u64,
    ) -> Result<(), Refusal> {
        let prover = given(&keys.nullifier, Relation::Nullifier, policy.at(now)?)?;
        let usage = Usage::of(policy, counter, now)?;
        let witness = NullifierWitness::new(
            self.native()?.holder().secret,
            usage.scope,
            counter,
            usage.bound,
        );
        let proof = prove(prover, &witness, &mut randomness()?)
            .map_err(|error| Refusal::Unproved(error.to_string()))?;
        let uses = &mut self.stored.uses;
        uses.retain(|one| !usage.is(one));
        uses.push(StoredUse { counter, proof });
        Ok(())
    }

    /// Puts the proofs together to be shown; `counter` if and only if the policy has a scope.
    ///
    /// # Errors
    /// [`Refusal::Missing`] names the proof to make first.
    pub fn ready(
        &self,
        keys: &Rc<ShowingKeys>,
        policy: &PolicyInForce,
        counter: Option<u32>,
        now: u64,
    ) -> Result<Ready, Refusal> {
        policy.at(now)?;
        for (relation, digest) in keys.digests {
            policy.accept(relation, digest)?;
        }
        let possession = self.stored.possession.as_ref();
        let possession = possession.ok_or(Refusal::Missing("possession"))?;
        let proof = self
            .stored
            .policies
            .iter()
            .find(|one| one.policy == policy.digest && one.epoch == policy.epoch.number)
            // The public inputs were made from the entry given then.
            .filter(|one| one.proof.public == policy.public.to_inputs())
            .ok_or(Refusal::Missing("policy"))?;
        let used = match (counter, &policy.policy.scope) {
            (None, Some(_)) => {
                return Err(use_refused(policy, "counts uses; give the counter of one"));
            }
            (None, None) => None,
            (Some(counter), _) => {
                let usage = Usage::of(policy, counter, now)?;
                let found = self.stored.uses.iter().find(|one| usage.is(one));
                Some(&found.ok_or(Refusal::Missing("nullifier"))?.proof)
            }
        };
        let prepared = Prepared::new(
            &keys.keys,
            Holding::from(&self.stored.credential),
            possession,
            &proof.proof,
            used,
            SlotMap::from(&policy.policy),
        )?;
        Ok(Ready {
            keys: Rc::clone(keys),
            prepared,
            policy: policy.digest,
            trust_domain: policy.authority.trust_domain.clone(),
            ca_name: policy.authority.ca_name.clone(),
            log_origin: policy.authority.log.origin.clone(),
        })
    }
}

/// Proofs ready to be shown for one policy in one epoch, and one use of its scope if it has one.
pub struct Ready {
    keys: Rc<ShowingKeys>,
    prepared: Prepared,
    policy: Digest,
    trust_domain: String,
    ca_name: String,
    log_origin: String,
}

/// What a show gives.
pub struct Shown {
    /// The presentation's bytes.
    pub presentation: Vec<u8>,
    /// What is disclosed, in the policy's order.
    pub openings: Vec<Opening>,
}

impl Ready {
    /// The nullifier that a show carries.
    pub fn nullifier(&self) -> Option<&NullifierPublic> {
        self.prepared.nullifier()
    }

    /// Shows for the service's challenge and the key to be certified (SubjectPublicKeyInfo, DER). Fresh randomness each time:
    /// make one when it is asked for, never in stock.
    ///
    /// # Errors
    /// [`Refusal::Challenge`], [`Refusal::LongChallenge`], [`Refusal::PublicKey`].
    pub fn show(&self, challenge: &[u8], spki: &[u8], now: u64) -> Result<Shown, Refusal> {
        let challenge = Challenge::decode(challenge)?;
        if challenge.policy_digest != self.policy {
            return Err(ChallengeError::OtherPolicy.into());
        }
        let expiry = challenge.expiry;
        if now > expiry {
            return Err(ChallengeError::Expired { expiry, now }.into());
        }
        // The expiry is logged: one far off would be a mark of the service's own choice.
        if expiry > now.saturating_add(LONGEST_LIFE + SLACK) {
            return Err(Refusal::LongChallenge(expiry));
        }
        let context = Context {
            policy_digest: self.policy,
            nonce: challenge.nonce,
            expiry,
            trust_domain: self.trust_domain.clone(),
            ca_name: self.ca_name.clone(),
            log_origin: self.log_origin.clone(),
            spki_sha256: key_digest(PublicKey::from_spki(spki)?.spki()),
        };
        let (presentation, openings) =
            self.prepared
                .show(&mut randomness()?, &self.keys.keys, &context)?;
        Ok(Shown {
            presentation: presentation.encode(),
            openings,
        })
    }
}

impl Shown {
    /// The openings as the body of a certificate request has them.
    ///
    /// # Errors
    /// [`Refusal::Absent`]: with an absent attribute, no certificate can be made.
    pub fn openings_json(&self) -> Result<String, Refusal> {
        let written = |opening: &Opening| {
            let value = match &opening.value {
                AttributeValue::Integer(value) => serde_json::json!({ "integer": value }),
                AttributeValue::Text(value) => serde_json::json!({ "text": value }),
                AttributeValue::Absent => return Err(Refusal::Absent(opening.slot)),
            };
            let blinding = HEXLOWER.encode(&field::to_bytes(&opening.blinding));
            Ok(serde_json::json!({ "slot": opening.slot, "value": value, "blinding": blinding }))
        };
        let all: Vec<_> = self
            .openings
            .iter()
            .map(written)
            .collect::<Result<_, _>>()?;
        Ok(serde_json::Value::Array(all).to_string())
    }
}

/// One use of a scope.
struct Usage {
    scope: Fr,
    counter: u32,
    bound: u32,
}

impl Usage {
    fn of(policy: &PolicyInForce, counter: u32, now: u64) -> Result<Self, Refusal> {
        let Some(Scope {
            name,
            period_seconds,
            bound,
        }) = &policy.policy.scope
        else {
            return Err(use_refused(policy, "counts no uses; give no counter"));
        };
        if counter >= *bound {
            let reason = format!("allows {bound} uses a period; wait for the next period");
            return Err(use_refused(policy, &reason));
        }
        let start = scope::period_start(now, *period_seconds);
        Ok(Self {
            scope: scope::scope(&policy.authority.trust_domain, name, start),
            counter,
            bound: *bound,
        })
    }

    fn is(&self, stored: &StoredUse) -> bool {
        let public = &stored.proof.public;
        stored.counter == self.counter
            && public.get(1) == Some(&self.scope)
            && public.get(2) == Some(&self.bound.into())
    }
}

fn use_refused(policy: &PolicyInForce, reason: &str) -> Refusal {
    Refusal::Use {
        policy: policy.policy.name.clone(),
        reason: reason.to_owned(),
    }
}

/// A relation's prover, if it was given and the epoch names its key.
fn given<'a, C: bauta_circuits::Circuit>(
    prover: &'a Option<Prover<C>>,
    relation: Relation,
    policy: &PolicyInForce,
) -> Result<&'a Prover<C>, Refusal> {
    let prover = prover
        .as_ref()
        .ok_or(Refusal::NoParameters(relation.name()))?;
    policy.accept(relation, prover.verifying_key().digest())?;
    Ok(prover)
}

/// Why the policy is not met, by the attribute's name.
fn unmet(error: &ProveError<PolicyError>, policy: &Policy) -> Refusal {
    if let ProveError::Untrue(PolicyError::Predicate(position)) = error
        && let Some(predicate) = policy.places().get(*position).copied().flatten()
    {
        return Refusal::Unmet {
            policy: policy.name.clone(),
            attribute: predicate.attribute.clone(),
        };
    }
    Refusal::Unproved(error.to_string())
}
