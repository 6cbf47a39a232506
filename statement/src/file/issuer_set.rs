//! `issuer-set`: the issuers whose credentials a policy accepts, each with its key, its schema and how much it may revoke.
//! A Bauta issuer signs its revocation lists with a note key of its own; an X.509 CA signs its CRL with the key that signs
//! the certificates.
use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FileError, revocation_list::MAX_QUOTA, text};
use crate::eddsa;
use crate::field::Fr;
use crate::note::NoteKey;
use crate::rsa_key::RsaPublicKey;
use crate::vector::{self, Format};

/// The most issuers in a set: 4^5, the leaves of its tree.
pub const MAX_ISSUERS: usize = 1024;

/// Body of an `issuer-set` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSet {
    /// Its members, in any order.
    pub issuers: Vec<Issuer>,
}

/// One issuer, by the format of its credentials (`format` in JSON).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum Issuer {
    /// A Bauta issuer: EdDSA-Poseidon over Baby Jubjub.
    Native(NativeIssuer),
    /// An X.509 CA that signs with RSA-2048.
    X509Rsa(X509RsaIssuer),
}

/// A Bauta issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NativeIssuer {
    /// Its name, the same in every set, and the name of its revocation lists.
    pub name: String,
    /// Its Baby Jubjub key, 32 bytes in circomlib's packing.
    #[serde(with = "text::hex")]
    pub public_key: [u8; 32],
    /// Its signature over its own key ([`eddsa::SigningKey::prove_possession`]): the circuit's incomplete additions rely on it.
    #[serde(with = "text::hex")]
    pub proof_of_possession: [u8; 64],
    /// Name of the schema that it signs under.
    pub schema: String,
    /// Key that signs its revocation lists.
    pub note_key: NoteKey,
    /// How many serials it may revoke in one log.
    pub revocation_quota: u32,
}

/// An X.509 CA. Its key needs no proof of possession: no equation adds keys of several CAs, and its CRL proves it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X509RsaIssuer {
    /// Its name, the same in every set.
    pub name: String,
    /// The modulus of its RSA-2048 key, whose exponent is 65537: in JSON what `openssl x509 -modulus` prints, in lower case.
    /// This key signs the certificates and the CRL.
    #[serde(deserialize_with = "modulus")]
    pub public_key: RsaPublicKey,
    /// Name of the schema that its certificates are read by.
    pub schema: String,
    /// How many serials it may revoke in one log, those that have left its CRL since included.
    pub revocation_quota: u32,
}

impl NativeIssuer {
    /// The issuer's key, checked to be on the curve and in the subgroup.
    ///
    /// # Errors
    /// [`FileError::IssuerSet`].
    pub fn key(&self) -> Result<eddsa::PublicKey, FileError> {
        eddsa::PublicKey::from_bytes(&self.public_key)
            .map_err(|error| FileError::IssuerSet(format!("the key of {:?}: {error}", self.name)))
    }

    fn check_possession(&self) -> Result<(), FileError> {
        let key = self.key()?;
        let proved = eddsa::Signature::from_bytes(&self.proof_of_possession)
            .is_ok_and(|proof| key.verify_possession(&proof).is_ok());
        if proved {
            Ok(())
        } else {
            Err(FileError::IssuerSet(format!(
                "{:?} has not proved possession of its key; let its desk make the proof again",
                self.name
            )))
        }
    }
}

impl Issuer {
    /// Its name, the same in every set.
    pub fn name(&self) -> &str {
        match self {
            Self::Native(issuer) => &issuer.name,
            Self::X509Rsa(issuer) => &issuer.name,
        }
    }

    /// Name of the schema of its credentials.
    pub fn schema(&self) -> &str {
        match self {
            Self::Native(issuer) => &issuer.schema,
            Self::X509Rsa(issuer) => &issuer.schema,
        }
    }

    /// How many serials it may revoke in one log.
    pub fn revocation_quota(&self) -> u32 {
        match self {
            Self::Native(issuer) => issuer.revocation_quota,
            Self::X509Rsa(issuer) => issuer.revocation_quota,
        }
    }

    /// The format's number in the vector's origin.
    pub fn format(&self) -> Format {
        match self {
            Self::Native(_) => Format::Native,
            Self::X509Rsa(_) => Format::X509Rsa,
        }
    }

    /// The key as the set writes it: 32 bytes of a native issuer, 256 of an X.509 CA. So no two kinds share one.
    pub fn public_key(&self) -> &[u8] {
        match self {
            Self::Native(issuer) => &issuer.public_key,
            Self::X509Rsa(issuer) => issuer.public_key.modulus(),
        }
    }

    /// What stands for the key in origins and in revocation handles.
    ///
    /// # Errors
    /// [`FileError::IssuerSet`] if a native key is no point of the subgroup, which that of no parsed set is.
    pub fn key_digest(&self) -> Result<Fr, FileError> {
        match self {
            Self::Native(issuer) => Ok(issuer.key()?.digest()),
            Self::X509Rsa(issuer) => Ok(issuer.public_key.digest()),
        }
    }

    /// Slot 0 of the credentials that this issuer signs under a schema with this rule.
    ///
    /// # Errors
    /// As [`Issuer::key_digest`].
    pub fn origin(&self, schema_rule: Fr) -> Result<Fr, FileError> {
        Ok(vector::origin(
            self.format(),
            self.key_digest()?,
            schema_rule,
        ))
    }
}

impl IssuerSet {
    pub(super) fn check(&self) -> Result<(), FileError> {
        let wrong = |what: String| Err(FileError::IssuerSet(what));
        if self.issuers.is_empty() || self.issuers.len() > MAX_ISSUERS {
            return wrong(format!("a set has 1 to {MAX_ISSUERS} issuers"));
        }
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for issuer in &self.issuers {
            let name = issuer.name();
            if !text::is_name(name) || !names.insert(name) {
                return wrong(format!("{name:?} stands twice or is no name"));
            }
            if !keys.insert(issuer.public_key()) {
                return wrong(format!("{name:?} shares its key with another"));
            }
            if !text::is_name(issuer.schema()) {
                return wrong(format!("{name:?} names no schema"));
            }
            if issuer.revocation_quota() > MAX_QUOTA {
                return wrong(format!("the quota of {name:?} is above {MAX_QUOTA}"));
            }
            if let Issuer::Native(issuer) = issuer {
                issuer.check_possession()?;
            }
        }
        Ok(())
    }
}

fn modulus<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RsaPublicKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .map_err(|error| {
            de::Error::custom(format!(
                "the modulus of an X.509 CA is 512 lower-case hexadecimal digits, as `bauta issuer x509` prints them ({error})"
            ))
        })?;
    RsaPublicKey::from_be_bytes(&bytes).map_err(de::Error::custom)
}

/// An issuer as it is written: the members of both kinds in one order, which is that of sets signed before there were two.
#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    format: &'static str,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_possession: Option<String>,
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note_key: Option<&'a NoteKey>,
    revocation_quota: u32,
}

impl Serialize for Issuer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let (format, native) = match self {
            Self::Native(native) => ("native", Some(native)),
            Self::X509Rsa(_) => ("x509-rsa", None),
        };
        Written {
            name: self.name(),
            format,
            public_key: hex(self.public_key()),
            proof_of_possession: native.map(|one| hex(&one.proof_of_possession)),
            schema: self.schema(),
            note_key: native.map(|one| &one.note_key),
            revocation_quota: self.revocation_quota(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eddsa::SigningKey;
    use crate::file::{Body, parse_text};
    use crate::note::NoteSigner;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use serde_json::{Value, json};

    const HEADER: &str = "bauta/v1/issuer-set\ntrust-domain: example.org\nname: members\nversion: 1\nexpires: 2027-11-22T00:00:00Z\n\n";

    fn native() -> Value {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        json!({
            "name": "desk", "format": "native", "public_key": hex(&key.public_key().to_bytes()),
            "proof_of_possession": hex(&key.prove_possession(&mut rng).to_bytes()), "schema": "employee",
            "note_key": NoteSigner::from_secret("desk", &[1; 32]).unwrap().verifier().to_string(), "revocation_quota": 3
        })
    }

    fn x509() -> Value {
        json!({
            "name": "acme", "format": "x509-rsa", "public_key": "c1".repeat(256), "schema": "employee",
            "revocation_quota": 1000
        })
    }

    fn parse(issuers: &[Value]) -> Result<IssuerSet, FileError> {
        let text = format!("{HEADER}{}\n", json!({ "issuers": issuers }));
        match parse_text(&text)?.1 {
            Body::IssuerSet(set) => Ok(*set),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_kinds_are_written_as_they_are_read() {
        let set = parse(&[native(), x509()]).unwrap();
        assert_eq!(
            serde_json::to_value(&set).unwrap(),
            json!({ "issuers": [native(), x509()] })
        );
        // Byte for byte: administrators who sign the same body with programs of different age sign the same text.
        let written = serde_json::to_string(&set.issuers).unwrap();
        let order = |members: &[&str]| {
            let places: Vec<_> = members
                .iter()
                .map(|one| written.find(&format!("\"{one}\":")).unwrap())
                .collect();
            assert!(places.is_sorted(), "{written}");
        };
        order(&[
            "name",
            "format",
            "public_key",
            "proof_of_possession",
            "schema",
            "note_key",
            "revocation_quota",
        ]);
        let [desk, acme] = &set.issuers[..] else {
            panic!("two issuers");
        };
        assert_eq!((desk.format(), desk.name()), (Format::Native, "desk"));
        assert_eq!((acme.format(), acme.name()), (Format::X509Rsa, "acme"));
        assert_eq!(acme.public_key(), [0xc1; 256]);
        let rule = Fr::from(5);
        let key = RsaPublicKey::from_be_bytes(&[0xc1; 256]).unwrap();
        assert_eq!(
            acme.origin(rule),
            Ok(vector::origin(Format::X509Rsa, key.digest(), rule))
        );
    }

    #[test]
    fn a_kind_has_its_own_members_and_no_other() {
        let refused = |issuer: &Value, word: &str| {
            let error = parse(std::slice::from_ref(issuer)).unwrap_err().to_string();
            assert!(error.contains(word), "{issuer}: {error}");
        };
        for member in ["note_key", "proof_of_possession"] {
            let mut issuer = x509();
            issuer[member] = native()[member].clone();
            refused(&issuer, member);
            let mut issuer = native();
            issuer.as_object_mut().unwrap().remove(member);
            refused(&issuer, member);
        }
        for member in ["name", "public_key", "schema", "revocation_quota", "format"] {
            let mut issuer = x509();
            issuer.as_object_mut().unwrap().remove(member);
            refused(&issuer, member);
        }
        for (member, value, word) in [
            ("format", json!("x509-p256"), "x509-p256"),
            ("public_key", json!("C1".repeat(256)), "512 lower-case"),
            ("public_key", json!("c1".repeat(128)), "RSA-2048"),
            ("public_key", json!("41".repeat(256)), "2,048 bits"),
            ("public_key", native()["public_key"].clone(), "RSA-2048"),
            ("revocation_quota", json!(20_001), "20000"),
            ("schema", json!(""), "names no schema"),
            ("name", json!(".."), "no name"),
        ] {
            let mut issuer = x509();
            issuer[member] = value;
            refused(&issuer, word);
        }
        for repeated in ["\"name\": \"a\"", "\"format\": \"x509-rsa\""] {
            let body = json!({ "issuers": [x509()] }).to_string().replacen(
                "{\"format",
                &format!("{{{repeated}, \"format"),
                1,
            );
            let error = parse_text(&format!("{HEADER}{body}\n")).unwrap_err();
            assert!(error.to_string().contains("duplicate field"), "{error}");
        }
    }

    #[test]
    fn names_and_keys_are_of_one_issuer_across_kinds() {
        let mut namesake = x509();
        namesake["name"] = json!("desk");
        for issuers in [[native(), namesake.clone()], [namesake, native()]] {
            let error = parse(&issuers).unwrap_err().to_string();
            assert!(error.contains("stands twice"), "{error}");
        }
        let mut twin = x509();
        twin["name"] = json!("other");
        let error = parse(&[x509(), twin]).unwrap_err().to_string();
        assert!(error.contains("shares its key"), "{error}");
    }
}
