//! Keys and proofs of the wallet's that a show is made of.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use bauta_prover::keys::{HolderKeys, Tables};
use bauta_statement::field;
use bauta_statement::file::text::parse_hex;
use bauta_statement::relation::Relation;
use bauta_statement::verifying_key::VerifyingKey;
use data_encoding::BASE64;
use rand::rngs::OsRng;

use crate::hex;
use crate::holder::prepare::parameter_set;
use crate::holder::wallet::PendingUse;

/// The verifying key of a relation, as [`ready`] stored it.
pub(in crate::holder) fn verifying_key(
    stored: &BTreeMap<String, String>,
    relation: Relation,
) -> anyhow::Result<VerifyingKey> {
    let text = stored
        .get(relation.name())
        .context("the wallet lacks verifying keys: prepare again")?;
    let bytes = BASE64
        .decode(text.as_bytes())
        .context("the wallet is damaged")?;
    VerifyingKey::decode(&bytes).context("the wallet's verifying keys")
}

pub(super) fn keys(stored: &BTreeMap<String, String>) -> anyhow::Result<HolderKeys> {
    let key = |relation| verifying_key(stored, relation);
    // The wallet has that of its credential's format.
    let possession = Relation::ALL
        .into_iter()
        .filter(|relation| stored.contains_key(relation.name()))
        .filter_map(|relation| Some((relation.format()?, key(relation))))
        .map(|(format, key)| Ok((format, key?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (policy, nullifier) = (key(Relation::Policy)?, key(Relation::Nullifier)?);
    Ok(HolderKeys::new(
        &possession,
        &policy,
        &nullifier,
        Tables::None,
    )?)
}

/// The proof of this use in stock, if it is for the policy's present bound and under the present key: both are public
/// inputs of what the service verifies, and a policy's next version may have others.
pub(super) fn in_stock<'a>(
    uses: &'a [bauta_prover::wallet::StoredUse],
    used: &PendingUse,
    bound: u32,
    key: &VerifyingKey,
) -> Option<&'a bauta_prover::wallet::StoredUse> {
    let key = key.digest();
    uses.iter().find(|one| {
        let public = &one.proof.public;
        let scope = public.get(1).map(|scope| hex(&field::to_bytes(scope)));
        one.counter == used.counter
            && scope.as_ref() == Some(&used.scope)
            && public.get(2) == Some(&bound.into())
            && one.proof.key == key
    })
}

/// The proof of one use, where `prepare` left none in stock.
pub(in crate::holder) fn prove_use(
    stored: &bauta_prover::wallet::Stored,
    used: &PendingUse,
    bound: u32,
    key: &VerifyingKey,
    parameters: Option<&Path>,
) -> anyhow::Result<bauta_prover::wallet::StoredUse> {
    use bauta_circuits::nullifier::NullifierWitness;
    let folder = crate::operator::parameters::cache_folder(parameters)?;
    let set = parameter_set(&folder, Relation::Nullifier, &key.digest(), &|_| {})?;
    let element = parse_hex(&used.scope)
        .ok()
        .and_then(|bytes| field::from_bytes(&bytes).ok())
        .context("the wallet is damaged")?;
    let witness = NullifierWitness::new(
        native(stored)?.holder().secret,
        element,
        used.counter,
        bound,
    );
    let prover = bauta_prover::keys::Prover::<NullifierWitness>::new(set.into_proving_key())?;
    let proof = bauta_prover::prove::prove(&prover, &witness, &mut OsRng)?;
    Ok(bauta_prover::wallet::StoredUse {
        counter: used.counter,
        proof,
    })
}

/// The native credential, which alone has a holder secret.
pub(in crate::holder) fn native(
    stored: &bauta_prover::wallet::Stored,
) -> anyhow::Result<&bauta_statement::credential::NativeCredential> {
    stored.credential.native().context(
        "the wallet holds an X.509 certificate, which has no holder secret: use a wallet that was enrolled",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy's next version may have another bound, a parameters file another key: a proof made before would be refused
    /// again and again until the scope's period ends.
    #[test]
    fn a_use_in_stock_is_for_this_bound_and_key() {
        use bauta_prover::prove::RelationProof;
        use bauta_prover::wallet::StoredUse;
        use bauta_statement::relation::NullifierPublic;
        let set = bauta_setup::development(Relation::Nullifier).unwrap();
        let key = bauta_setup::verifying_key(&set).unwrap();
        let public = NullifierPublic {
            nullifier: 1u64.into(),
            scope: 2u64.into(),
            bound: 5,
        };
        let stock = [StoredUse {
            counter: 3,
            proof: RelationProof {
                relation: Relation::Nullifier,
                key: key.digest(),
                public: public.to_inputs(),
                a: set.vk.alpha_g1,
                b: set.vk.beta_g2,
                c: set.delta_g1,
            },
        }];
        let used = |scope: u64, counter| PendingUse {
            scope: hex(&field::to_bytes(&scope.into())),
            counter,
            ends: 0,
        };
        let mut other = key.clone();
        other.l.swap(0, 1);
        assert!(in_stock(&stock, &used(2, 3), 5, &key).is_some());
        for (used, bound, key) in [
            (used(2, 3), 10, &key),
            (used(2, 3), 5, &other),
            (used(2, 4), 5, &key),
            (used(9, 3), 5, &key),
        ] {
            assert!(in_stock(&stock, &used, bound, key).is_none());
        }
    }
}
