//! The native credential: what a Bauta issuer signs, what it sends, and what a wallet keeps.
//!
//! The issuer signs the vector with the holder secret blinded: M = Poseidon₁₆(x₀, commitment, x₂, …, x₁₅) with
//! commitment = Poseidon(secret, blinding), by EdDSA-Poseidon over Baby Jubjub. It never sees the secret.

use ark_ff::UniformRand;
use rand_core::{CryptoRng, RngCore};
use zeroize::{Zeroize, Zeroizing};

use crate::eddsa::{PublicKey, SIGNATURE_LEN, Signature, SigningKey};
use crate::field::{self, Fr};
use crate::presentation::MAX_TEXT;
use crate::vector::{
    self, AttributeValue, AttributeVector, FIRST_ATTRIBUTE, Format, SLOTS, native_message, origin,
};

/// Attribute slots, 5..=15.
pub const ATTRIBUTES: usize = SLOTS - FIRST_ATTRIBUTE;
/// Version of both encodings.
const VERSION: u8 = 1;

/// A credential as the issuer sends it: everything but the holder's secret and blinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCredential {
    /// The issuer's key.
    pub issuer: PublicKey,
    /// The schema's rule ([`crate::schema::Schema::rule`]).
    pub rule: Fr,
    /// Not-before, Unix seconds.
    pub not_before: u64,
    /// Not-after, Unix seconds.
    pub not_after: u64,
    /// Revocation handle ([`crate::vector::handle`]).
    pub handle: u64,
    /// Slots 5..=15.
    pub attributes: [AttributeValue; ATTRIBUTES],
    /// The holder's commitment, Poseidon(secret, blinding).
    pub commitment: Fr,
    /// The issuer's signature over [`Self::message`].
    pub signature: Signature,
}

/// The two secrets behind a commitment. They stay in the wallet.
#[derive(Clone, PartialEq, Eq)]
pub struct HolderSecret {
    /// The nullifier key, slot 1.
    pub secret: Fr,
    /// The commitment's blinding.
    pub blinding: Fr,
}

/// A credential as the wallet keeps it. Its bytes hold the holder secret: keep them sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct NativeCredential {
    issued: IssuedCredential,
    holder: HolderSecret,
}

/// Why a credential is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The bytes are not one credential.
    #[error("the credential's bytes are malformed ({0}); enrol again")]
    Malformed(&'static str),
    /// The issuer signed another commitment than this secret's.
    #[error(
        "the credential is for another holder secret; enrol again with this wallet's commitment"
    )]
    OtherSecret,
    /// The signature does not verify.
    #[error(
        "the issuer's signature on the credential does not verify; ask the issuer for a new one"
    )]
    Signature,
}

impl HolderSecret {
    /// A fresh secret and blinding.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self {
            secret: Fr::rand(rng),
            blinding: Fr::rand(rng),
        }
    }

    /// What the issuer learns: Poseidon(secret, blinding).
    pub fn commitment(&self) -> Fr {
        vector::commitment(self.secret, self.blinding)
    }
}

impl Drop for HolderSecret {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.blinding.zeroize();
    }
}

impl std::fmt::Debug for HolderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HolderSecret(redacted)")
    }
}

impl std::fmt::Debug for NativeCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeCredential")
            .field("handle", &self.issued.handle)
            .finish_non_exhaustive()
    }
}

impl IssuedCredential {
    /// Signs a credential: the issuer's side. `attributes` are slots 5..=15.
    #[allow(
        clippy::too_many_arguments,
        reason = "one per thing that is signed; a builder would hide none of them"
    )]
    pub fn sign(
        key: &SigningKey,
        rng: &mut (impl RngCore + CryptoRng),
        rule: Fr,
        not_before: u64,
        not_after: u64,
        handle: u64,
        attributes: [AttributeValue; ATTRIBUTES],
        commitment: Fr,
    ) -> Self {
        let issuer = key.public_key();
        let vector = make_vector(
            &issuer,
            rule,
            Fr::from(0u64),
            not_before,
            not_after,
            handle,
            &attributes,
        );
        let signature = key.sign(rng, &native_message(&vector, commitment));
        Self {
            issuer,
            rule,
            not_before,
            not_after,
            handle,
            attributes,
            commitment,
            signature,
        }
    }

    /// The signed message.
    pub fn message(&self) -> Fr {
        native_message(&self.vector(Fr::from(0u64)), self.commitment)
    }

    fn vector(&self, secret: Fr) -> AttributeVector {
        make_vector(
            &self.issuer,
            self.rule,
            secret,
            self.not_before,
            self.not_after,
            self.handle,
            &self.attributes,
        )
    }

    /// Checks the signature.
    pub fn verify(&self) -> Result<(), CredentialError> {
        self.issuer
            .verify(&self.message(), &self.signature)
            .map_err(|_| CredentialError::Signature)
    }

    /// The holder's side: checks that the credential is for this secret and that the signature verifies.
    pub fn accept(self, holder: HolderSecret) -> Result<NativeCredential, CredentialError> {
        if holder.commitment() != self.commitment {
            return Err(CredentialError::OtherSecret);
        }
        self.verify()?;
        Ok(NativeCredential {
            issued: self,
            holder,
        })
    }

    /// The bytes an issuer sends: version (1), issuer key (32, packed), rule (32), not-before, not-after, handle (8 each,
    /// big-endian), eleven attributes (kind 1; 1: 8 bytes, 2: 16-bit length and UTF-8, 3: none), commitment (32),
    /// signature (64).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.issuer.to_bytes());
        out.extend(field::to_bytes(&self.rule));
        for number in [self.not_before, self.not_after, self.handle] {
            out.extend(number.to_be_bytes());
        }
        for attribute in &self.attributes {
            match attribute {
                AttributeValue::Integer(value) => {
                    out.push(1);
                    out.extend(value.to_be_bytes());
                }
                AttributeValue::Text(text) => {
                    debug_assert!(text.len() <= MAX_TEXT, "issuers refuse longer texts");
                    out.push(2);
                    out.extend((text.len() as u16).to_be_bytes());
                    out.extend(text.as_bytes());
                }
                AttributeValue::Absent => out.push(3),
            }
        }
        out.extend(field::to_bytes(&self.commitment));
        out.extend(self.signature.to_bytes());
        out
    }

    /// Reads [`Self::encode`]'s bytes; nothing may follow. The signature is checked by [`Self::accept`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut reader = Reader { rest: bytes };
        if reader.take::<1>()? != [VERSION] {
            return Err(CredentialError::Malformed("unknown version"));
        }
        let issuer = reader.take()?;
        let rule = reader.scalar()?;
        let [not_before, not_after, handle] =
            [reader.number()?, reader.number()?, reader.number()?];
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        for attribute in &mut attributes {
            *attribute = match reader.take()? {
                [1] => AttributeValue::Integer(reader.number()?),
                [2] => AttributeValue::Text(reader.text()?),
                [3] => AttributeValue::Absent,
                _ => return Err(CredentialError::Malformed("unknown kind of attribute")),
            };
        }
        let commitment = reader.scalar()?;
        let signature = reader.take::<SIGNATURE_LEN>()?;
        if !reader.rest.is_empty() {
            return Err(CredentialError::Malformed("trailing bytes"));
        }
        // The points last: each costs more than all the rest.
        let issuer =
            PublicKey::from_bytes(&issuer).map_err(|_| CredentialError::Malformed("issuer key"))?;
        let signature = Signature::from_bytes(&signature)
            .map_err(|_| CredentialError::Malformed("signature"))?;
        Ok(Self {
            issuer,
            rule,
            not_before,
            not_after,
            handle,
            attributes,
            commitment,
            signature,
        })
    }
}

impl NativeCredential {
    /// What the issuer signed.
    pub fn issued(&self) -> &IssuedCredential {
        &self.issued
    }

    /// The holder's secrets, for the prover.
    pub fn holder(&self) -> &HolderSecret {
        &self.holder
    }

    /// The attribute vector, the holder secret in slot 1.
    pub fn vector(&self) -> AttributeVector {
        self.issued.vector(self.holder.secret)
    }

    /// The attribute in a slot 5..=15, or the dates and handle of 2, 3, 4. `None` for the slots that are no attribute.
    pub fn attribute(&self, slot: usize) -> Option<AttributeValue> {
        match slot {
            2 => Some(AttributeValue::Integer(self.issued.not_before)),
            3 => Some(AttributeValue::Integer(self.issued.not_after)),
            4 => Some(AttributeValue::Integer(self.issued.handle)),
            _ => self
                .issued
                .attributes
                .get(slot.checked_sub(FIRST_ATTRIBUTE)?)
                .cloned(),
        }
    }

    /// The wallet's bytes: secret (32), blinding (32), then [`IssuedCredential::encode`]. Secret: seal them.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let issued = self.issued.encode();
        let mut out = Zeroizing::new(Vec::with_capacity(64 + issued.len()));
        let mut secret = field::to_bytes(&self.holder.secret);
        let mut blinding = field::to_bytes(&self.holder.blinding);
        out.extend(secret);
        out.extend(blinding);
        secret.zeroize();
        blinding.zeroize();
        out.extend(issued);
        out
    }

    /// Reads [`Self::encode`]'s bytes and checks commitment and signature again.
    pub fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut reader = Reader { rest: bytes };
        let holder = HolderSecret {
            secret: reader.scalar()?,
            blinding: reader.scalar()?,
        };
        IssuedCredential::decode(reader.rest)?.accept(holder)
    }
}

fn make_vector(
    issuer: &PublicKey,
    rule: Fr,
    secret: Fr,
    not_before: u64,
    not_after: u64,
    handle: u64,
    attributes: &[AttributeValue; ATTRIBUTES],
) -> AttributeVector {
    let fixed = [
        origin(Format::Native, issuer.digest(), rule),
        secret,
        Fr::from(not_before),
        Fr::from(not_after),
        Fr::from(handle),
    ];
    let mut slots = [Fr::from(0u64); SLOTS];
    let values = fixed
        .into_iter()
        .chain(attributes.iter().map(AttributeValue::to_field));
    for (slot, value) in slots.iter_mut().zip(values) {
        *slot = value;
    }
    AttributeVector(slots)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CredentialError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(CredentialError::Malformed("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<u64, CredentialError> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    fn scalar(&mut self) -> Result<Fr, CredentialError> {
        field::from_bytes(&self.take()?).map_err(|_| CredentialError::Malformed("field element"))
    }

    fn text(&mut self) -> Result<String, CredentialError> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        if length > MAX_TEXT {
            return Err(CredentialError::Malformed("text too long"));
        }
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(CredentialError::Malformed("too short"))?;
        self.rest = rest;
        let text = std::str::from_utf8(text)
            .map_err(|_| CredentialError::Malformed("text is not UTF-8"))?;
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn issue() -> (IssuedCredential, HolderSecret) {
        let mut rng = ChaCha20Rng::seed_from_u64(21);
        let key = SigningKey::generate(&mut rng);
        let holder = HolderSecret::generate(&mut rng);
        let mut attributes = std::array::from_fn(|_| AttributeValue::Absent);
        attributes[0] = AttributeValue::Text("Rialto".into());
        attributes[2] = AttributeValue::Integer(7);
        let commitment = holder.commitment();
        let issued = IssuedCredential::sign(
            &key,
            &mut rng,
            Fr::from(8u64),
            10,
            20,
            30,
            attributes,
            commitment,
        );
        (issued, holder)
    }

    #[test]
    fn a_credential_goes_from_issuer_to_wallet_and_back() {
        let (issued, holder) = issue();
        assert_eq!(
            IssuedCredential::decode(&issued.encode()),
            Ok(issued.clone())
        );
        let credential = issued.accept(holder.clone()).unwrap();
        assert_eq!(
            NativeCredential::decode(&credential.encode()).unwrap(),
            credential
        );
        let vector = credential.vector().0;
        assert_eq!(vector[1], holder.secret);
        assert_eq!(vector[7], Fr::from(7u64));
        assert_eq!(vector[6], AttributeValue::Absent.to_field());
        assert_eq!(
            credential.attribute(5),
            Some(AttributeValue::Text("Rialto".into()))
        );
        assert_eq!(credential.attribute(1), None);
        assert_eq!(credential.attribute(16), None);
    }

    #[test]
    fn another_secret_or_a_changed_value_is_refused() {
        let (issued, holder) = issue();
        let mut rng = ChaCha20Rng::seed_from_u64(22);
        assert_eq!(
            issued
                .clone()
                .accept(HolderSecret::generate(&mut rng))
                .err(),
            Some(CredentialError::OtherSecret)
        );
        let changes: [fn(&mut IssuedCredential); 5] = [
            |c| c.rule += Fr::from(1u64),
            |c| c.not_before -= 1,
            |c| c.not_after += 1,
            |c| c.handle += 1,
            |c| c.attributes[10] = AttributeValue::Integer(1),
        ];
        for change in changes {
            let mut changed = issued.clone();
            change(&mut changed);
            assert_eq!(
                changed.accept(holder.clone()).err(),
                Some(CredentialError::Signature)
            );
        }
    }

    /// Each field element, written as the modulus; each count and kind, with another meaning.
    #[test]
    fn a_second_encoding_is_refused() {
        let (issued, _) = issue();
        let bytes = issued.encode();
        let with = |at: usize, new: &[u8]| {
            let mut bad = bytes.clone();
            bad[at..at + new.len()].copy_from_slice(new);
            IssuedCredential::decode(&bad).err()
        };
        let mut modulus = [0; 32];
        modulus.copy_from_slice(&field::to_bytes(&-Fr::from(1u64)));
        modulus[0] += 1;
        let (rule, commitment) = (33, bytes.len() - 96);
        for at in [rule, commitment] {
            let refused = Some(CredentialError::Malformed("field element"));
            assert_eq!(with(at, &modulus), refused);
            assert_eq!(with(at, &[0xff; 32]), refused);
        }
        let signature = Some(CredentialError::Malformed("signature"));
        assert_eq!(with(bytes.len() - 32, &modulus), signature, "S");
        assert_eq!(with(bytes.len() - 64, &[0xff; 32]), signature, "R8");
        assert_eq!(
            with(1, &[0xff; 32]),
            Some(CredentialError::Malformed("issuer key"))
        );
        // The first attribute is a text of six bytes.
        let kind = 1 + 32 + 32 + 24;
        assert_eq!(
            with(kind, &[0]),
            Some(CredentialError::Malformed("unknown kind of attribute"))
        );
        assert_eq!(
            with(kind + 1, &(MAX_TEXT as u16 + 1).to_be_bytes()),
            Some(CredentialError::Malformed("text too long"))
        );
        assert_eq!(
            with(kind + 3, &[0xff]),
            Some(CredentialError::Malformed("text is not UTF-8"))
        );
    }

    #[test]
    fn bytes_that_are_cut_or_followed_are_refused() {
        let (issued, holder) = issue();
        let bytes = issued.clone().accept(holder).unwrap().encode();
        for cut in 0..bytes.len() {
            assert!(NativeCredential::decode(&bytes[..cut]).is_err());
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(
            NativeCredential::decode(&longer).err(),
            Some(CredentialError::Malformed("trailing bytes"))
        );
        let mut other = issued.encode();
        other[0] = 2;
        assert!(IssuedCredential::decode(&other).is_err());
    }
}
