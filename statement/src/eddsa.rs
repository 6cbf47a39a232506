//! EdDSA over Baby Jubjub with Poseidon as the challenge hash, as circomlib verifies it: S·B8 = R8 + 8h·A with
//! h = Poseidon(R8.x, R8.y, A.x, A.y, M). Issuers sign attribute vectors with it, so that a circuit can verify cheaply.
//!
//! Signing keys are uniform scalars here (circomlib derives its own from a seed by BLAKE-512); what is signed verifies
//! with circomlib's verifiers and the other way round.

use std::fmt;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, PrimeField};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest, Sha512};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    babyjubjub::{self, Point, PointError, Scalar},
    field::{self, Fr},
    poseidon,
};

/// Length of an encoded signature, in bytes: R8 packed, then S.
pub const SIGNATURE_LEN: usize = 64;

/// An issuer's secret key. It must not leave the issuer's process but to its own key file.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SigningKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// An issuer's public key: a point of the prime-order subgroup, never the neutral element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    point: Point,
}

/// A signature. R8 is a point on the curve, S an integer below the subgroup's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The commitment R8.
    pub r8: Point,
    /// The response S.
    pub s: Scalar,
}

/// The signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the issuer's signature does not verify; ask the issuer for the credential again")]
pub struct InvalidSignature;

/// The bytes are no signature or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The point is not acceptable.
    #[error("bad point: {0}")]
    Point(#[from] PointError),
    /// The scalar is zero where that is no key, or not below the subgroup's order.
    #[error("the scalar is not canonical (below the order of Baby Jubjub's subgroup) or zero")]
    Scalar,
}

impl SigningKey {
    /// A fresh key.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        loop {
            let mut wide = Zeroizing::new([0; 64]);
            rng.fill_bytes(wide.as_mut());
            if let Some(key) = Self::from_scalar(Scalar::from_le_bytes_mod_order(wide.as_ref())) {
                return key;
            }
        }
    }

    /// The key of a stored scalar, 32 bytes little-endian.
    ///
    /// # Errors
    /// [`DecodeError::Scalar`] unless it is canonical and not zero.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, DecodeError> {
        scalar_from_bytes(bytes)
            .and_then(Self::from_scalar)
            .ok_or(DecodeError::Scalar)
    }

    /// The scalar, for the issuer's sealed key file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(scalar_to_bytes(&self.scalar))
    }

    fn from_scalar(scalar: Scalar) -> Option<Self> {
        let point = (babyjubjub::base() * scalar).into_affine();
        (scalar != Scalar::ZERO).then_some(Self {
            scalar,
            public: PublicKey { point },
        })
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a field element. The nonce is a hash of key, message and fresh randomness, so that neither a bad generator
    /// nor a repeated message gives the key away.
    pub fn sign(&self, rng: &mut (impl RngCore + CryptoRng), message: &Fr) -> Signature {
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(fresh.as_mut());
        let wide = Zeroizing::new(<[u8; 64]>::from(
            Sha512::new()
                .chain_update(b"bauta/v1/eddsa-nonce")
                .chain_update(self.to_bytes().as_ref())
                .chain_update(fresh.as_ref())
                .chain_update(field::to_bytes(message))
                .finalize(),
        ));
        let nonce = Zeroizing::new(Scalar::from_le_bytes_mod_order(wide.as_ref()));
        let r8 = (babyjubjub::base() * *nonce).into_affine();
        let h = challenge(&r8, &self.public, message);
        let h8 = Scalar::from_le_bytes_mod_order(&field::to_bytes(&h)) * Scalar::from(8u64);
        Signature {
            r8,
            s: *nonce + h8 * self.scalar,
        }
    }

    /// Proves to whoever admits the public key to an issuer set that its secret is known: a signature of a message
    /// that no credential can have.
    pub fn prove_possession(&self, rng: &mut (impl RngCore + CryptoRng)) -> Signature {
        self.sign(rng, &self.public.possession_message())
    }
}

impl PublicKey {
    /// The key with these coordinates.
    ///
    /// # Errors
    /// [`PointError`] unless it is a point of the subgroup other than the neutral element.
    pub fn from_coordinates(x: Fr, y: Fr) -> Result<Self, PointError> {
        Ok(Self {
            point: babyjubjub::from_coordinates(x, y)?,
        })
    }

    /// The key of the secret 1: a value of the right form where a shape is wanted and no key, as in set-up.
    pub fn placeholder() -> Self {
        Self {
            point: babyjubjub::base(),
        }
    }

    /// Decodes circomlib's 32-byte packing.
    ///
    /// # Errors
    /// [`PointError`] as [`Self::from_coordinates`], or if the packing is not canonical.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PointError> {
        Ok(Self {
            point: babyjubjub::unpack(bytes)?,
        })
    }

    /// circomlib's 32-byte packing.
    pub fn to_bytes(&self) -> [u8; 32] {
        babyjubjub::pack(&self.point)
    }

    /// x and y.
    pub fn coordinates(&self) -> [Fr; 2] {
        [self.point.x, self.point.y]
    }

    /// The point.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Poseidon(x, y): what stands for the key in origins and revocation handles.
    pub fn digest(&self) -> Fr {
        poseidon::hash(&self.coordinates())
    }

    /// Verifies a signature of a field element.
    ///
    /// # Errors
    /// [`InvalidSignature`] unless S·B8 = R8 + 8h·A.
    pub fn verify(&self, message: &Fr, signature: &Signature) -> Result<(), InvalidSignature> {
        if !signature.r8.is_on_curve() {
            return Err(InvalidSignature);
        }
        let h = challenge(&signature.r8, self, message);
        let eight_a = self.point.mul_bigint([8u64]).into_affine();
        let left = babyjubjub::base().mul_bigint(signature.s.into_bigint());
        let right = babyjubjub::multiply_by_integer(&eight_a, &h) + signature.r8;
        if left == right {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    /// Verifies [`SigningKey::prove_possession`].
    ///
    /// # Errors
    /// [`InvalidSignature`].
    pub fn verify_possession(&self, proof: &Signature) -> Result<(), InvalidSignature> {
        self.verify(&self.possession_message(), proof)
    }

    fn possession_message(&self) -> Fr {
        poseidon::hash_bytes("bauta/v1/issuer-key-possession", &self.to_bytes())
    }
}

impl Signature {
    /// R8 packed as circomlib packs points, then S, 32 bytes little-endian.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_LEN] {
        let mut bytes = [0; SIGNATURE_LEN];
        let (r8, s) = bytes.split_at_mut(32);
        r8.copy_from_slice(&babyjubjub::pack(&self.r8));
        s.copy_from_slice(&scalar_to_bytes(&self.s));
        bytes
    }

    /// Decodes 64 bytes.
    ///
    /// # Errors
    /// [`DecodeError`] unless R8 is a canonically packed point of the subgroup and S is below its order, so that nobody
    /// makes a second encoding of a signature.
    pub fn from_bytes(bytes: &[u8; SIGNATURE_LEN]) -> Result<Self, DecodeError> {
        let (mut r8, mut s) = ([0; 32], [0; 32]);
        let (first, second) = bytes.split_at(32);
        r8.copy_from_slice(first);
        s.copy_from_slice(second);
        // The cheap one first.
        let s = scalar_from_bytes(&s).ok_or(DecodeError::Scalar)?;
        let r8 = babyjubjub::unpack(&r8)?;
        Ok(Self { r8, s })
    }
}

/// h = Poseidon(R8.x, R8.y, A.x, A.y, M).
pub fn challenge(r8: &Point, key: &PublicKey, message: &Fr) -> Fr {
    let [x, y] = key.coordinates();
    poseidon::hash(&[r8.x, r8.y, x, y, *message])
}

fn scalar_to_bytes(scalar: &Scalar) -> [u8; 32] {
    field::integer_to_bytes(scalar.into_bigint())
}

fn scalar_from_bytes(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_bigint(field::integer(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{BigInteger as _, UniformRand};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    #[test]
    fn signs_and_verifies() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        let message = Fr::rand(&mut rng);
        let signature = key.sign(&mut rng, &message);
        assert_eq!(key.public_key().verify(&message, &signature), Ok(()));
        assert_eq!(Signature::from_bytes(&signature.to_bytes()), Ok(signature));
        assert_eq!(
            key.public_key()
                .verify(&(message + Fr::from(1)), &signature),
            Err(InvalidSignature)
        );
        let other = SigningKey::generate(&mut rng).public_key();
        assert_eq!(other.verify(&message, &signature), Err(InvalidSignature));
        let again = key.sign(&mut rng, &message);
        assert_ne!(again.r8, signature.r8, "the nonce is hedged");
        let bad = Signature {
            s: signature.s + Scalar::from(1),
            ..signature
        };
        assert_eq!(
            key.public_key().verify(&message, &bad),
            Err(InvalidSignature)
        );
    }

    #[test]
    fn refuses_a_second_encoding_of_s() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = SigningKey::from_bytes(&SigningKey::generate(&mut rng).to_bytes()).unwrap();
        let mut bytes = key.sign(&mut rng, &Fr::from(7)).to_bytes();
        let mut carry = 0u16;
        for (byte, order) in bytes[32..].iter_mut().zip(Scalar::MODULUS.to_bytes_le()) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert_eq!(Signature::from_bytes(&bytes), Err(DecodeError::Scalar));
        assert_eq!(
            SigningKey::from_bytes(&[0; 32]).unwrap_err(),
            DecodeError::Scalar
        );
    }

    #[test]
    fn possession_is_of_this_key() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (a, b) = (
            SigningKey::generate(&mut rng),
            SigningKey::generate(&mut rng),
        );
        let proof = a.prove_possession(&mut rng);
        assert_eq!(a.public_key().verify_possession(&proof), Ok(()));
        assert_eq!(
            b.public_key().verify_possession(&proof),
            Err(InvalidSignature)
        );
    }

    #[test]
    fn verifies_what_circomlibjs_signs() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../vectors/circomlib.json")).unwrap();
        let element = |value: &serde_json::Value| value.as_str().unwrap().parse::<Fr>().unwrap();
        let bytes = |value: &serde_json::Value| {
            data_encoding::HEXLOWER
                .decode(value.as_str().unwrap().as_bytes())
                .unwrap()
        };
        for point in vectors["points"].as_array().unwrap() {
            let key =
                PublicKey::from_coordinates(element(&point["x"]), element(&point["y"])).unwrap();
            assert_eq!(key.to_bytes().as_slice(), bytes(&point["packed"]));
            assert_eq!(PublicKey::from_bytes(&key.to_bytes()), Ok(key));
        }
        for vector in vectors["signatures"].as_array().unwrap() {
            let [x, y] = [0, 1].map(|i| element(&vector["public_key"][i]));
            let key = PublicKey::from_coordinates(x, y).unwrap();
            let [x, y] = [0, 1].map(|i| element(&vector["r8"][i]));
            let r8 = babyjubjub::from_coordinates(x, y).unwrap();
            let s = vector["s"].as_str().unwrap().parse::<Scalar>().unwrap();
            let signature = Signature { r8, s };
            assert_eq!(key.verify(&element(&vector["message"]), &signature), Ok(()));
            assert_eq!(signature.to_bytes().as_slice(), bytes(&vector["packed"]));
            assert_eq!(Signature::from_bytes(&signature.to_bytes()), Ok(signature));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(4));
        assert!(!format!("{key:?}").contains("scalar"));
    }
}
