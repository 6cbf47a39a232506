//! Development parameters: Groth16 with γ = 1 and the standard generators, all randomness from a fixed public seed.

use std::io::{self, Write};

use ark_bn254::{Bn254, Fr};
use ark_ec::AffineRepr;
use ark_ff::PrimeField;
use ark_groth16::ProvingKey;
use ark_serialize::{CanonicalDeserialize, SerializationError};
use bauta_circuits::constraint_system;
use bauta_statement::{relation::Relation, verifying_key::VerifyingKey};
use data_encoding::HEXLOWER;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;

use crate::generator::{Progress, Trapdoor, generate};

/// SHA-256 of the development proving keys as they are written: what a cached one must be.
pub const DEVELOPMENT_PROVING_KEYS: [(Relation, [u8; 32]); 5] = [
    (
        Relation::PossessionNative,
        [
            0x09, 0xab, 0x2f, 0x28, 0x6e, 0xc5, 0x1a, 0x85, 0xbe, 0x48, 0xf4, 0x68, 0x1b, 0x67,
            0xae, 0x0f, 0xec, 0xa2, 0x80, 0x46, 0x1c, 0xaa, 0x43, 0x66, 0x40, 0x32, 0x01, 0x39,
            0xdd, 0xa1, 0x34, 0xf1,
        ],
    ),
    (
        Relation::Policy,
        [
            0xce, 0xb3, 0x30, 0xd9, 0x9a, 0x32, 0x25, 0x43, 0x90, 0x28, 0xa1, 0x09, 0xa8, 0x9e,
            0x6f, 0xd6, 0xa9, 0x31, 0x67, 0x78, 0xa2, 0x61, 0x13, 0xfa, 0x97, 0x27, 0xc9, 0x33,
            0x07, 0xbb, 0x89, 0xf7,
        ],
    ),
    (
        Relation::Nullifier,
        [
            0xb1, 0x57, 0xab, 0xeb, 0xab, 0x77, 0x4e, 0x46, 0x76, 0x30, 0x29, 0x0a, 0xb9, 0xa5,
            0xcb, 0xad, 0xfd, 0xf9, 0x5b, 0x77, 0xec, 0x5d, 0x29, 0xeb, 0x2a, 0x59, 0xb9, 0xca,
            0xcc, 0x7d, 0xea, 0x3f,
        ],
    ),
    (
        Relation::PossessionX509Rsa,
        [
            0xcb, 0xee, 0x0d, 0x3f, 0x32, 0xf8, 0xc7, 0x87, 0x5e, 0xff, 0xc6, 0xdd, 0x26, 0x7a,
            0xcd, 0x3b, 0x69, 0x15, 0xb5, 0x83, 0x10, 0x08, 0x69, 0x3c, 0x64, 0xf3, 0xcd, 0x09,
            0x69, 0x0e, 0x08, 0x80,
        ],
    ),
    (
        Relation::PossessionX509RsaLong,
        [
            0xa1, 0xc3, 0xbd, 0xef, 0x61, 0xad, 0xac, 0xdf, 0x55, 0xe9, 0xd8, 0x25, 0xae, 0xb5,
            0xa8, 0x4c, 0x3f, 0xd1, 0x78, 0xb0, 0x60, 0xdf, 0x6e, 0x65, 0x80, 0x6f, 0x28, 0x9d,
            0xc9, 0x44, 0x58, 0x0f,
        ],
    ),
];

/// No parameters could be made, or they are none of ours.
#[derive(Debug, Error)]
pub enum MakeError {
    /// More rows than the field has roots of unity for.
    #[error("{0} constraints and inputs are more than the 2^28 that a key can be made for")]
    TooLarge(usize),
    /// The key cannot be written.
    #[error("the proving key cannot be written ({0}); free some space, or choose another folder")]
    Write(io::Error),
    /// The key written cannot be read.
    #[error("the key made cannot be read ({0}); this is a fault of this version, report it")]
    Read(SerializationError),
    /// γ is not 1.
    #[error(
        "the proving key has a γ other than 1; make it with a phase-2 ceremony or `bauta parameters`"
    )]
    Gamma,
}

/// Writes the development proving key of a relation, in the form of `proving-key.bin`: seconds for half a million rows.
///
/// α, β and the evaluation point are common to all relations, as after one phase 1; δ is each relation's own. `progress` hears
/// how far it is.
///
/// # Errors
/// [`MakeError::Write`]; [`MakeError::TooLarge`] does not happen for the relations of this version.
pub fn write_development(
    relation: Relation,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyingKey, MakeError> {
    let trapdoor = Trapdoor {
        alpha: scalar("alpha"),
        beta: scalar("beta"),
        delta: scalar(&format!("delta {}", relation.name())),
        tau: ChaCha20Rng::from_seed(Sha256::digest(seed("tau")).into()),
    };
    generate(constraint_system(relation), trapdoor, out, progress)
}

/// [`write_development`] into memory, for a relation that is small.
///
/// # Errors
/// [`MakeError`], which does not happen for the relations of this version.
pub fn development(relation: Relation) -> Result<ProvingKey<Bn254>, MakeError> {
    let mut bytes = Vec::new();
    write_development(relation, &mut bytes, &mut |_| ())?;
    ProvingKey::deserialize_uncompressed_unchecked(bytes.as_slice()).map_err(MakeError::Read)
}

fn seed(what: &str) -> Vec<u8> {
    format!("bauta/v1/development-parameters/{what}").into_bytes()
}

fn scalar(what: &str) -> Fr {
    Fr::from_le_bytes_mod_order(&Sha512::digest(seed(what)))
}

/// The verifying key in Bauta's own form.
///
/// # Errors
/// [`MakeError::Gamma`] if γ is not the generator.
pub fn verifying_key(proving_key: &ProvingKey<Bn254>) -> Result<VerifyingKey, MakeError> {
    let key = &proving_key.vk;
    if key.gamma_g2 != ark_bn254::G2Affine::generator() {
        return Err(MakeError::Gamma);
    }
    Ok(VerifyingKey {
        alpha_g1: key.alpha_g1,
        beta_g2: key.beta_g2,
        delta_g1: proving_key.delta_g1,
        delta_g2: key.delta_g2,
        l: key.gamma_abc_g1.clone(),
    })
}

/// The pinned digest of a relation's development key in one of the two tables.
pub(crate) fn pinned(table: &[(Relation, [u8; 32])], relation: Relation) -> Option<[u8; 32]> {
    table
        .iter()
        .find(|(known, _)| *known == relation)
        .map(|(_, digest)| *digest)
}

/// For messages.
pub(crate) fn hex(digest: &[u8]) -> String {
    HEXLOWER.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_statement::relation::DEVELOPMENT_VERIFYING_KEYS;

    /// Hashes what is written.
    struct Hash(Sha256);

    impl io::Write for Hash {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn are_as_pinned(relations: impl IntoIterator<Item = Relation>) {
        let mut keys = Vec::new();
        let (mut proving, mut verifying) = (String::new(), String::new());
        let mut as_pinned = true;
        for relation in relations {
            let mut hash = Hash(Sha256::new());
            let key = write_development(relation, &mut hash, &mut |_| ()).unwrap();
            key.validate(relation.hidden_inputs() + relation.public_inputs())
                .unwrap();
            assert_eq!(VerifyingKey::decode(&key.encode()).unwrap(), key);
            let digest = hash.0.finalize().into();
            as_pinned &= pinned(&DEVELOPMENT_PROVING_KEYS, relation) == Some(digest);
            as_pinned &= pinned(&DEVELOPMENT_VERIFYING_KEYS, relation) == Some(key.digest());
            proving += &format!("{}: {}\n", relation.name(), hex(&digest));
            verifying += &format!("{}: {}\n", relation.name(), hex(&key.digest()));
            keys.push(key);
        }
        VerifyingKey::of_one_set(&keys.iter().collect::<Vec<_>>()).unwrap();
        assert!(
            as_pinned,
            "the development keys changed with the relations. If that is meant, renew DEVELOPMENT_PROVING_KEYS here:\n\
             {proving}and DEVELOPMENT_VERIFYING_KEYS in statement/src/relation.rs:\n{verifying}"
        );
    }

    #[test]
    fn keys_are_as_pinned_safe_and_of_one_set() {
        are_as_pinned(Relation::BASIC);
    }

    #[test]
    #[ignore = "makes keys of half a gigabyte: in `test --full`"]
    fn the_large_keys_are_as_pinned_too() {
        are_as_pinned(Relation::ALL);
    }

    #[test]
    fn another_gamma_is_refused() {
        let mut key = development(Relation::Nullifier).unwrap();
        key.vk.gamma_g2 = key.vk.delta_g2;
        assert!(matches!(verifying_key(&key), Err(MakeError::Gamma)));
    }
}
