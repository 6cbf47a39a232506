//! The relation in whole: certificates as they are in the field are accepted, and what is read of them is in the slots; what attackers would
//! have read as one is refused, by the native check in words and by the constraints in the part that is there for it.

use std::sync::LazyLock;

use ark_ff::PrimeField;
use bauta_statement::{
    rsa_key::{POSSESSION_MESSAGE, SHA256_DIGEST_INFO},
    vector::{self, Serial, absent},
};
use data_encoding::BASE64;

use super::*;
use crate::{hunt::samples, system::R1cs};

mod accepted;
mod attacks;
mod glue;

/// Of the size that most certificates of this test have: the same code and the same keys, and fewer blocks to hash.
#[derive(Clone, Copy)]
pub(super) enum Reduced {}

impl Variant for Reduced {
    // Never asked for: the shape is recorded here.
    const RELATION: Relation = Relation::PossessionX509Rsa;
    const BLOCKS: usize = 11;
}

type Witness = X509RsaWitness<Reduced>;

fn reduced() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> = LazyLock::new(Witness::record);
    &SHAPE
}

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../vectors/x509_rsa/",
            $name
        ))
    };
}
use pem;

/// What is between the lines of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    BASE64.decode(lines.collect::<String>().as_bytes()).unwrap()
}

/// A private key, with which tests sign what no CA would.
struct Key {
    modulus: BigUint,
    exponent: BigUint,
}

impl Key {
    /// PrivateKeyInfo (RFC 5208) with RSAPrivateKey (RFC 8017, A.1.2).
    fn of(pem: &str) -> Self {
        let der = der(pem);
        let integers = |bytes: &[u8], mut next: usize| {
            let mut all = Vec::new();
            while let Some((tag, start, end)) =
                element(bytes, next).filter(|(_, _, end)| *end <= bytes.len())
            {
                all.push((tag, bytes[start..end].to_vec()));
                next = end;
            }
            all
        };
        let (_, start, _) = element(&der, 0).unwrap();
        let octets = integers(&der, start)[2].1.clone();
        let (_, start, _) = element(&octets, 0).unwrap();
        let fields = integers(&octets, start);
        let number = |index: usize| BigUint::from_bytes_be(&fields[index].1);
        Self {
            modulus: number(1),
            exponent: number(3),
        }
    }

    /// EM^d: whatever is to be signed, padded in any way.
    fn power(&self, encoded: &[u8]) -> [u8; MODULUS_LEN] {
        let number = BigUint::from_bytes_be(encoded).modpow(&self.exponent, &self.modulus);
        octets(&number)
    }

    fn sign(&self, message: &[u8]) -> [u8; MODULUS_LEN] {
        self.power(&encoded(message))
    }

    fn public(&self) -> RsaPublicKey {
        RsaPublicKey::from_be_bytes(&octets(&self.modulus)).unwrap()
    }
}

fn octets(number: &BigUint) -> [u8; MODULUS_LEN] {
    let bytes = number.to_bytes_be();
    let mut octets = [0; MODULUS_LEN];
    octets[MODULUS_LEN - bytes.len()..].copy_from_slice(&bytes);
    octets
}

/// EMSA-PKCS1-v1_5 (RFC 8017, 9.2).
fn encoded(message: &[u8]) -> Vec<u8> {
    let end = [&SHA256_DIGEST_INFO[..], &Sha256::digest(message)].concat();
    let ones = vec![0xff; MODULUS_LEN - 3 - end.len()];
    [&[0, 1][..], &ones, &[0], &end].concat()
}

static CA: LazyLock<Key> = LazyLock::new(|| Key::of(pem!("ca.key")));
static HOLDER: LazyLock<Key> = LazyLock::new(|| Key::of(pem!("client.key")));

fn schema() -> Schema {
    let json = r#"{"name": "employee", "subject_key": "email", "attributes": [
        {"slot": 5, "name": "organisation", "type": "text", "source": {"subject": "2.5.4.10"}},
        {"slot": 6, "name": "department", "type": "text", "source": {"subject": "2.5.4.11"}},
        {"slot": 7, "name": "level", "type": "integer", "source": {"subject": "1.3.6.1.4.1.32473.9"}},
        {"slot": 8, "name": "email", "type": "text", "source": {"san": "email"}, "required": true},
        {"slot": 12, "name": "clearance", "type": "integer", "source": {"extension": "1.3.6.1.4.1.32473.9"}}
    ]}"#;
    Schema::from_json(json.as_bytes()).unwrap()
}

/// A certificate with everything that its holder has.
#[derive(Clone)]
struct Sample {
    tbs: Vec<u8>,
    signature: [u8; MODULUS_LEN],
    issuer: RsaPublicKey,
    possession: [u8; MODULUS_LEN],
    schema: Schema,
}

impl Sample {
    /// A certificate of openssl.
    fn of(pem: &str) -> Self {
        let der = der(pem);
        let Parts { tbs, signature } = Parts::of(&der).unwrap();
        Self {
            tbs: tbs.to_vec(),
            signature,
            ..Self::signed(tbs.to_vec())
        }
    }

    /// Of bytes that the CA signs, whatever they are.
    fn signed(tbs: Vec<u8>) -> Self {
        Self {
            signature: CA.sign(&tbs),
            tbs,
            issuer: CA.public(),
            possession: HOLDER.sign(POSSESSION_MESSAGE),
            schema: schema(),
        }
    }

    fn witness<V: Variant>(&self, vector: AttributeVector) -> X509RsaWitness<V> {
        let parts = Parts {
            tbs: &self.tbs,
            signature: self.signature,
        };
        let (issuer, possession) = (self.issuer.clone(), Zeroizing::new(self.possession));
        X509RsaWitness::new(&parts, vector, issuer, possession, self.schema.clone())
    }

    /// The witness of a prover who takes whatever slots come of it.
    fn attempt<V: Variant>(&self) -> X509RsaWitness<V> {
        let nothing = AttributeVector([Fr::ZERO; SLOTS]);
        let mut system = System::new(&nothing.0, false);
        let slots = self.witness::<V>(nothing).slots(&mut system);
        self.witness(AttributeVector(slots.map(|slot| slot.value())))
    }

    /// The parts of the relation that refuse the attempt.
    fn refused_by(&self) -> Vec<&'static str> {
        refused_by(reduced(), &self.attempt::<Reduced>())
    }
}

fn refused_by<V: Variant>(shape: &R1cs, witness: &X509RsaWitness<V>) -> Vec<&'static str> {
    let assignment = witness.assignment();
    let mut parts: Vec<&str> = shape
        .failing(&assignment)
        .map(|row| shape.region_of(row))
        .collect();
    parts.dedup();
    parts
}
