//! RSA keys of X.509 credentials: what stands for one in an origin and in a revocation handle, and what a holder signs with one.

use ark_ff::PrimeField;
use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    field::{Fr, from_tag},
    poseidon,
};

/// Octets of the modulus: RSA-2048.
pub const MODULUS_LEN: usize = 256;
/// Octets of the modulus that go into one field element: 240 bits, which are 15 limbs of 16 bits.
pub const PACK_LEN: usize = 30;
/// The public exponent of every key, 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// Field elements of a packed modulus: eight of [`PACK_LEN`] octets, and one of 16.
pub const PACKED: usize = MODULUS_LEN.div_ceil(PACK_LEN);

/// What a holder signs with the key of its certificate, by RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2), to show that the key is its own.
///
/// What else a client's key signs begins otherwise: the handshake of TLS 1.2 with an octet of 1 (RFC 5246, 7.4.8), TLS 1.3 with 64 spaces
/// (RFC 8446, 4.4.3), requests and certificates with 0x30, JOSE with base64url, which has no slash. The signature is as good as the
/// key: whoever has it, and the certificate, can prove possession from then on. So it is made for the one proof, shown to nobody and not
/// kept.
pub const POSSESSION_MESSAGE: &[u8] = b"bauta/v1/x509-possession";

/// DigestInfo for SHA-256 up to the digest (RFC 8017, 9.2, note 1): what EMSA-PKCS1-v1_5 puts before it.
pub const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// SHA-256 of [`POSSESSION_MESSAGE`]: a constant of the relation.
pub fn possession_digest() -> [u8; 32] {
    Sha256::digest(POSSESSION_MESSAGE).into()
}

/// The octets are no modulus of RSA-2048.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RsaKeyError {
    /// Not 256 octets.
    #[error(
        "the RSA modulus has {0} octets instead of 256: only RSA-2048 keys are accepted; have the certificate issued for one"
    )]
    Length(usize),
    /// Its highest bit is 0.
    #[error(
        "the highest bit of the RSA modulus is 0, so the key has fewer than 2,048 bits; have the certificate issued for a whole one"
    )]
    Short,
    /// Its exponent is another than 65537.
    #[error(
        "the RSA key's public exponent is not 65537, the only one accepted; have the certificate issued for a key with that"
    )]
    Exponent,
    /// The octets are no RSAPublicKey.
    #[error(
        "the key is not the one DER encoding of an RSAPublicKey (RFC 8017, appendix A.1.1); encode it anew"
    )]
    Encoding,
}

/// RFC 8017, appendix A.1.1.
#[derive(Sequence)]
struct Pkcs1<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// An RSA public key with a modulus of exactly 2,048 bits and the exponent 65537. Nothing is known of its factors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RsaPublicKey([u8; MODULUS_LEN]);

impl RsaPublicKey {
    /// Of the modulus, the highest octet first, without DER's octet of 0 before it.
    ///
    /// # Errors
    /// [`RsaKeyError`], if it has not 2,048 bits.
    pub fn from_be_bytes(modulus: &[u8]) -> Result<Self, RsaKeyError> {
        let modulus: [u8; MODULUS_LEN] = modulus
            .try_into()
            .map_err(|_| RsaKeyError::Length(modulus.len()))?;
        match modulus.first() {
            Some(0x80..) => Ok(Self(modulus)),
            _ => Err(RsaKeyError::Short),
        }
    }

    /// Of the modulus 2^2048 − 1: a value of the right form where a shape is wanted and no key, as in set-up.
    pub fn placeholder() -> Self {
        Self([0xff; MODULUS_LEN])
    }

    /// Of an RSAPublicKey in DER: what the bit string of an RSA key's SubjectPublicKeyInfo holds.
    ///
    /// # Errors
    /// [`RsaKeyError`] says what the key should be.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, RsaKeyError> {
        let key = Pkcs1::from_der(der).map_err(|_| RsaKeyError::Encoding)?;
        if key.public_exponent.as_bytes() != EXPONENT {
            return Err(RsaKeyError::Exponent);
        }
        Self::from_be_bytes(key.modulus.as_bytes())
    }

    /// The key as an RSAPublicKey in DER: what verifiers of signatures take.
    ///
    /// # Errors
    /// Those of the encoder, which no key of this size has.
    pub fn to_pkcs1(&self) -> der::Result<Vec<u8>> {
        Pkcs1 {
            modulus: UintRef::new(&self.0)?,
            public_exponent: UintRef::new(&EXPONENT)?,
        }
        .to_der()
    }

    /// The modulus, the highest octet first.
    pub fn modulus(&self) -> &[u8; MODULUS_LEN] {
        &self.0
    }

    /// The modulus as field elements, the lowest first: octets 0 to 29 from the low end in the first, and so on; the last one has the
    /// highest 16.
    pub fn packed(&self) -> [Fr; PACKED] {
        let mut packed = [Fr::from(0); PACKED];
        for (element, octets) in packed.iter_mut().zip(self.0.rchunks(PACK_LEN)) {
            *element = Fr::from_be_bytes_mod_order(octets);
        }
        packed
    }

    /// What stands for the key in an origin (`vector::origin`) and in a revocation handle (`vector::handle`):
    /// Poseidon([`digest_domain`], the [`packed`](Self::packed) modulus).
    pub fn digest(&self) -> Fr {
        let [a, b, c, d, e, f, g, h, i] = self.packed();
        poseidon::hash(&[digest_domain(), a, b, c, d, e, f, g, h, i])
    }
}

/// The first input of a key's digest. It names the exponent too, which is the same for all keys and is not hashed otherwise.
pub fn digest_domain() -> Fr {
    from_tag("bauta/v1/rsa-2048-65537")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        field::to_bytes,
        vector::{Format, origin},
    };
    use data_encoding::HEXLOWER;

    /// Octets 255, 254, …, 0: each differs.
    fn key() -> RsaPublicKey {
        let modulus: Vec<u8> = (0..=255).rev().collect();
        RsaPublicKey::from_be_bytes(&modulus).unwrap()
    }

    #[test]
    fn digests_are_pinned() {
        let digest = key().digest();
        assert_eq!(
            HEXLOWER.encode(&to_bytes(&digest)),
            "327922a93168279a6257df7fbf8bd4c85743ac6518554e7820f9323bf82c272c"
        );
        let origin = origin(Format::X509Rsa, digest, Fr::from(7));
        assert_eq!(
            HEXLOWER.encode(&to_bytes(&origin)),
            "75d31a5191496b2ffe95c83a137a654f7861275216358bd63eddaf54f688902a"
        );
        assert_eq!(
            HEXLOWER.encode(&possession_digest()),
            "021a0095ae2cd2c73842465ec7ac2624aec992913e1843823c7b2e455b47b0db"
        );
    }

    /// The packing, said otherwise: Σ elementᵢ·2^(240i) is the modulus, and each element is below 2^240, so no two moduli pack alike.
    #[test]
    fn every_octet_has_its_place() {
        let mut octets: Vec<u8> = Vec::new();
        for element in key().packed() {
            let bytes = to_bytes(&element);
            assert_eq!(bytes[PACK_LEN..], [0, 0]);
            octets.extend(&bytes[..PACK_LEN]);
        }
        octets.reverse();
        let zeros = octets.len() - MODULUS_LEN;
        assert!(octets[..zeros].iter().all(|octet| *octet == 0));
        assert_eq!(octets[zeros..], *key().modulus());
    }

    #[test]
    fn a_bit_anywhere_is_another_digest() {
        let digest = key().digest();
        for place in 0..MODULUS_LEN {
            let mut other = *key().modulus();
            other[place] ^= 1;
            assert_ne!(RsaPublicKey(other).digest(), digest, "octet {place}");
        }
    }

    #[test]
    fn the_exponent_is_65537() {
        let der = key().to_pkcs1().unwrap();
        assert_eq!(RsaPublicKey::from_pkcs1(&der), Ok(key()));
        assert_eq!(der[der.len() - 5..], [2, 3, 1, 0, 1]);
        for other in [3, 0] {
            let mut der = der.clone();
            *der.last_mut().unwrap() = other;
            assert_eq!(RsaPublicKey::from_pkcs1(&der), Err(RsaKeyError::Exponent));
        }
        let error = Err(RsaKeyError::Encoding);
        assert_eq!(RsaPublicKey::from_pkcs1(&der[..der.len() - 1]), error);
        assert_eq!(RsaPublicKey::from_pkcs1(&[der, vec![0]].concat()), error);
    }

    #[test]
    fn other_sizes_are_refused() {
        for octets in [0, 1, 128, 255, 257, 512] {
            let modulus = vec![0xff; octets];
            let error = RsaKeyError::Length(octets);
            assert_eq!(RsaPublicKey::from_be_bytes(&modulus), Err(error));
        }
        let mut modulus = [0xff; MODULUS_LEN];
        for (top, accepted) in [(0x80, true), (0xff, true), (0x7f, false), (0, false)] {
            modulus[0] = top;
            assert_eq!(RsaPublicKey::from_be_bytes(&modulus).is_ok(), accepted);
        }
    }
}
