//! Possession of an ordinary X.509 certificate, as it is in the field: an RSA-2048 key signed it, and the prover has its own RSA-2048 key. Nobody
//! helps, and nobody learns of it: neither the CA nor whoever made the certificate.
//!
//! Hidden inputs: x₀..x₁₅. Witness: the TBSCertificate, the issuer's modulus and signature, the holder's signature, what the schema reads.
//!
//! 1. The bytes hash to d, and s^65537 = EMSA-PKCS1-v1_5(d) modulo the issuer's modulus N.
//! 2. They are a TBSCertificate of a client ([`x509`](super::x509)), whose key has the modulus M.
//! 3. t^65537 = EMSA-PKCS1-v1_5(SHA-256(`POSSESSION_MESSAGE`)) modulo M.
//! 4. x₀ = Poseidon(format, digest of N, schema rule), x₁ = 0, x₂ … x₁₅ are what the certificate says.

use std::marker::PhantomData;

use ark_ff::AdditiveGroup;
use bauta_statement::{
    field::Fr,
    relation::Relation,
    rsa_key::{MODULUS_LEN, RsaPublicKey},
    schema::Schema,
    vector::{AttributeValue, AttributeVector, Format, SLOTS},
};
use num_bigint::BigUint;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

pub use super::x509::BodyError;
use super::x509::{Body, Reading};
use crate::{
    gadgets::{
        der::element,
        holder::{has_signed, is_possession},
        natural::Natural,
        rsa::{LIMBS_2048, PublicKey, is_signature, verify},
        rsa_key, spki,
        tbs::SHA256_WITH_RSA,
    },
    relation::Circuit,
    system::{Lc, System},
};

/// How long a certificate may be.
pub trait Variant: 'static {
    /// Its relation.
    const RELATION: Relation;
    /// Blocks of SHA-256.
    const BLOCKS: usize;
    /// Bytes of the longest TBSCertificate: what fits the blocks together with its padding of nine bytes or more (FIPS 180-4, 5.1.1).
    const ROOM: usize = 64 * Self::BLOCKS - 9;
}

/// Certificates of people: the relation fits an FFT domain of 2^19.
#[derive(Clone, Copy)]
pub enum Standard {}

impl Variant for Standard {
    const RELATION: Relation = Relation::PossessionX509Rsa;
    const BLOCKS: usize = 17;
}

/// Longer ones: the relation fits an FFT domain of 2^20.
#[derive(Clone, Copy)]
pub enum Long {}

impl Variant for Long {
    const RELATION: Relation = Relation::PossessionX509RsaLong;
    const BLOCKS: usize = 41;
}

/// A certificate and a signature by its key, as the relation of a variant takes them.
pub struct X509RsaWitness<V> {
    /// The vector.
    pub vector: AttributeVector,
    /// TBSCertificate, DER.
    pub tbs: Vec<u8>,
    /// The issuer's signature of it, big-endian.
    pub signature: [u8; MODULUS_LEN],
    /// The issuer's key.
    pub issuer: RsaPublicKey,
    /// The holder's signature of `rsa_key::POSSESSION_MESSAGE`, big-endian. As good as the holder's key.
    pub possession: Zeroizing<[u8; MODULUS_LEN]>,
    /// By which the certificate is read.
    pub schema: Schema,
    variant: PhantomData<V>,
}

impl<V> Clone for X509RsaWitness<V> {
    fn clone(&self) -> Self {
        Self {
            vector: self.vector,
            tbs: self.tbs.clone(),
            signature: self.signature,
            issuer: self.issuer.clone(),
            possession: self.possession.clone(),
            schema: self.schema.clone(),
            variant: PhantomData,
        }
    }
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum X509RsaError {
    /// It is no certificate.
    #[error(
        "the file is no X.509 certificate in DER that is signed with RSA-2048 and SHA-256 (PKCS#1 v1.5); look at it with `openssl x509 -text`"
    )]
    Certificate,
    /// What is signed is not a client's, or not readable.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The holder's key is another.
    #[error(
        "the certificate's key is not RSA with 2,048 bits and the exponent 65537; use a certificate with such a key, or enrol at a desk"
    )]
    Key,
    /// Another CA signed it, or nobody.
    #[error(
        "the certificate's signature does not verify under this issuer's key; name the certificate of the CA that issued it"
    )]
    IssuerSignature,
    /// Somebody else's certificate.
    #[error(
        "the signature that shows possession is not by the certificate's key; use the private key that belongs to the certificate"
    )]
    Possession,
    /// A slot holds something else than the certificate says.
    #[error("slot {0} is not what the certificate says there; prepare again")]
    Slot(usize),
}

/// A certificate taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// TBSCertificate.
    pub tbs: &'a [u8],
    /// The signature, big-endian.
    pub signature: [u8; MODULUS_LEN],
}

impl<'a> Parts<'a> {
    /// Of a certificate in DER that says of itself that it is signed with RSA-2048, SHA-256 and PKCS#1 v1.5. Nothing is verified.
    ///
    /// # Errors
    /// [`X509RsaError::Certificate`].
    pub fn of(certificate: &'a [u8]) -> Result<Self, X509RsaError> {
        let parse = || {
            let (0x30, start, end) = element(certificate, 0)? else {
                return None;
            };
            let (_, _, next) = element(certificate, start)?;
            let tbs = certificate.get(start..next)?;
            let rest = certificate
                .get(next..)
                .filter(|_| end == certificate.len())?;
            let rest = rest.strip_prefix(&SHA256_WITH_RSA)?;
            let (0x03, bits, last) = element(rest, 0)? else {
                return None;
            };
            let signature = rest.get(bits..).filter(|_| last == rest.len())?;
            let signature = signature.strip_prefix(&[0])?.try_into().ok()?;
            Some(Self { tbs, signature })
        };
        parse().ok_or(X509RsaError::Certificate)
    }

    /// The format whose relation has room for it: the shorter one, if that has.
    pub fn format(&self) -> Format {
        match self.tbs.len() <= Standard::ROOM {
            true => Format::X509Rsa,
            false => Format::X509RsaLong,
        }
    }
}

/// A certificate that is a credential, before it is proved. `Debug` shows nothing of it.
pub struct Readable {
    /// What it says, by slot of the schema.
    pub attributes: Vec<(u8, AttributeValue)>,
    /// The vector.
    pub vector: AttributeVector,
    /// The modulus of the holder's key, big-endian.
    pub modulus: [u8; MODULUS_LEN],
}

impl std::fmt::Debug for Readable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readable").finish_non_exhaustive()
    }
}

impl Readable {
    /// Reads a certificate as the relation does, verifies that the issuer signed it, and that it has what the schema requires. A certificate too
    /// long for the longest relation is refused.
    ///
    /// # Errors
    /// [`X509RsaError`]: what it is instead.
    pub fn of(
        parts: &Parts<'_>,
        issuer: &RsaPublicKey,
        schema: &Schema,
    ) -> Result<Self, X509RsaError> {
        let reading = Reading::new(parts.tbs, Long::ROOM, &SHA256_WITH_RSA, schema)?;
        let modulus = modulus(parts.tbs, &reading)?;
        is_issued(parts.tbs, &parts.signature, issuer)?;
        Ok(Self {
            attributes: reading.attributes(schema)?,
            vector: reading.vector(Format::X509Rsa, issuer.digest())?,
            modulus,
        })
    }
}

fn modulus(tbs: &[u8], reading: &Reading) -> Result<[u8; MODULUS_LEN], X509RsaError> {
    let (start, end) = reading.key;
    let key = tbs.get(start..end).unwrap_or_default();
    let modulus = spki::modulus(key, MODULUS_LEN).and_then(|modulus| modulus.try_into().ok());
    let modulus: [u8; MODULUS_LEN] = modulus.ok_or(X509RsaError::Key)?;
    // A modulus has its highest bit.
    RsaPublicKey::from_be_bytes(&modulus).map_err(|_| X509RsaError::Key)?;
    Ok(modulus)
}

fn is_issued(tbs: &[u8], signature: &[u8], issuer: &RsaPublicKey) -> Result<(), X509RsaError> {
    let [issuer, signature] = [issuer.modulus(), signature].map(BigUint::from_bytes_be);
    match is_signature(&issuer, &signature, &Sha256::digest(tbs).into()) {
        true => Ok(()),
        false => Err(X509RsaError::IssuerSignature),
    }
}

impl<V: Variant> X509RsaWitness<V> {
    /// The witness of a certificate; whether it proves anything is for [`Circuit::check`].
    pub fn new(
        parts: &Parts<'_>,
        vector: AttributeVector,
        issuer: RsaPublicKey,
        possession: Zeroizing<[u8; MODULUS_LEN]>,
        schema: Schema,
    ) -> Self {
        Self {
            vector,
            tbs: parts.tbs.to_vec(),
            signature: parts.signature,
            issuer,
            possession,
            schema,
            variant: PhantomData,
        }
    }
}

impl<V: Variant> Circuit for X509RsaWitness<V> {
    const RELATION: Relation = V::RELATION;
    type Error = X509RsaError;

    fn blank() -> Self {
        let parts = Parts {
            tbs: &[],
            signature: [0; MODULUS_LEN],
        };
        let schema = Schema {
            name: String::new(),
            description: None,
            subject_key: String::new(),
            extended_key_usage: None,
            attributes: Vec::new(),
        };
        let vector = AttributeVector([Fr::ZERO; SLOTS]);
        let possession = Zeroizing::new([0; MODULUS_LEN]);
        Self::new(
            &parts,
            vector,
            RsaPublicKey::placeholder(),
            possession,
            schema,
        )
    }

    fn check(&self) -> Result<(), X509RsaError> {
        let reading = Reading::new(&self.tbs, V::ROOM, &SHA256_WITH_RSA, &self.schema)?;
        let modulus = modulus(&self.tbs, &reading)?;
        is_issued(&self.tbs, &self.signature, &self.issuer)?;
        let [holder, possession] = [&modulus, &*self.possession].map(|n| BigUint::from_bytes_be(n));
        if !is_possession(&holder, &possession) {
            return Err(X509RsaError::Possession);
        }
        let vector = reading.vector(Format::X509Rsa, self.issuer.digest())?;
        let slots = vector.0.iter().zip(&self.vector.0);
        match slots.into_iter().position(|(read, said)| read != said) {
            Some(slot) => Err(X509RsaError::Slot(slot)),
            None => Ok(()),
        }
    }

    fn instances(&self) -> Vec<Fr> {
        self.vector.0.to_vec()
    }

    fn synthesize(&self, system: &mut System) {
        let slots = self.slots(system);
        system.region("slots of the credential");
        for (slot, value) in slots.iter().enumerate() {
            let hidden = system.instance(slot);
            system.enforce_equal(value, &hidden);
        }
    }
}

impl<V: Variant> X509RsaWitness<V> {
    /// What the relation finds for each slot.
    fn slots(&self, system: &mut System) -> [Lc; SLOTS] {
        let body = Body::new(system, &self.tbs, V::ROOM, &SHA256_WITH_RSA, &self.schema);

        system.region("issuer's signature");
        let modulus = BigUint::from_bytes_be(self.issuer.modulus());
        let modulus = Natural::witness(system, "issuer's modulus", &modulus, LIMBS_2048);
        let issuer = PublicKey::new(system, &modulus);
        let signature = BigUint::from_bytes_be(&self.signature);
        let signature = Natural::witness(system, "issuer's signature", &signature, LIMBS_2048);
        verify(system, &issuer, &signature, &body.digest);
        system.region("issuer's key");
        let issuer = rsa_key::digest(system, &issuer);

        system.region("holder's key");
        let bytes = body.string.values();
        let modulus = spki::rsa_modulus(system, bytes, &body.key, MODULUS_LEN);
        let holder = PublicKey::new(system, &modulus);
        system.region("holder's signature");
        let possession = BigUint::from_bytes_be(&*self.possession);
        has_signed(system, &holder, &possession);
        body.slots(system, Format::X509Rsa, &issuer)
    }
}

impl<V> Drop for X509RsaWitness<V> {
    fn drop(&mut self) {
        self.vector.0.zeroize();
        self.tbs.zeroize();
        self.signature.zeroize();
    }
}

#[cfg(test)]
mod tests;
