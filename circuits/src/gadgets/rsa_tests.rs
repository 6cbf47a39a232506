//! Signatures against Wycheproof's vectors and num-bigint; forgeries of paddings; integers at the ends.

use std::sync::LazyLock;

use ark_ff::Field;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    hunt::assert_determined,
    system::{Assignment, R1cs},
};

/// Of RSA-2048.
const BYTES: usize = 2 * LIMBS_2048;

fn build(modulus: &BigUint, signature: &BigUint, digest: [Fr; 8], recording: bool) -> System {
    run(System::new(&digest, recording), modulus, signature)
}

/// A dishonest prover's.
fn forge(
    modulus: &BigUint,
    signature: &BigUint,
    digest: &[u8],
    mut forger: impl FnMut(&'static str, Fr) -> Fr + 'static,
) -> Assignment {
    let mut system = System::new(&words(digest), false);
    system.forge(Box::new(move |_, name, honest| forger(name, honest)));
    run(system, modulus, signature).into_assignment()
}

fn run(mut system: System, modulus: &BigUint, signature: &BigUint) -> System {
    let words: [Lc; 8] = std::array::from_fn(|word| system.instance(word));
    for word in &words {
        compare::range(&mut system, word, 32);
    }
    let modulus = Natural::witness(&mut system, "modulus", modulus, LIMBS_2048);
    let signature = Natural::witness(&mut system, "signature", signature, LIMBS_2048);
    system.region("signature");
    let key = PublicKey::new(&mut system, &modulus);
    verify(&mut system, &key, &signature, &words);
    system
}

fn shape() -> &'static R1cs {
    static SHAPE: LazyLock<R1cs> =
        LazyLock::new(|| build(&BigUint::ZERO, &BigUint::ZERO, [Fr::from(0); 8], true).into_r1cs());
    &SHAPE
}

fn words(digest: &[u8]) -> [Fr; 8] {
    std::array::from_fn(|word| {
        let bytes = digest[4 * word..].first_chunk().unwrap();
        Fr::from(u32::from_be_bytes(*bytes))
    })
}

fn assignment(modulus: &BigUint, signature: &BigUint, digest: &[u8]) -> Assignment {
    build(modulus, signature, words(digest), false).into_assignment()
}

/// Circuit and native check, which must agree.
fn accepts(modulus: &BigUint, signature: &BigUint, digest: &[u8]) -> bool {
    let circuit = shape()
        .check(&assignment(modulus, signature, digest))
        .is_ok();
    // The circuit sees the lowest 2,048 bits only; a caller that has more must refuse them.
    let native = is_signature(modulus, signature, digest.try_into().unwrap());
    assert!(
        circuit == native || signature.bits() > 2048,
        "{circuit}, {native}"
    );
    native
}

/// A key made for these tests (openssl genrsa 2048).
struct Key {
    modulus: BigUint,
    secret: BigUint,
}

const P: &str = "fcfe95cebd8e472cbef1f01b423054ec0035eac1ecaaab1103b1f1dc4a63901f74c116cf908c333ad0968b1003ec93c22640e8a28eb8c7f8021e974c69017af17396e66ee06e3a08ff3e2f9a7206a393f0f69e0d07c1835f77a5c56afc7ddd61dafa6735fe5494efa27e233a4216de6087d1263b7f02922c410b43f35d621f45";
const Q: &str = "e68e62a27c4cc3d1f029e611647aae819b634812dcd969ca421afb14381586c6d3919f4ed7db39234f70e0fb2ea37f05f8dda60918c25408e19ec70e598adb3708cb90947381fa152d21efca4b0fc2a3b71fb06b870b6cabc0fb08253e7168a1dd26e65929f9fd0939a17b0a877da76496b0a8859546a187c206f8bdbf4a58f9";

fn key() -> &'static Key {
    static KEY: LazyLock<Key> = LazyLock::new(|| {
        let [p, q] = [P, Q].map(|prime| BigUint::parse_bytes(prime.as_bytes(), 16).unwrap());
        let order = (&p - 1u8) * (&q - 1u8);
        Key {
            modulus: &p * &q,
            secret: BigUint::from(EXPONENT).modinv(&order).unwrap(),
        }
    });
    &KEY
}

impl Key {
    /// The number whose power is these bytes, whatever they are.
    fn root(&self, encoded: &[u8]) -> BigUint {
        BigUint::from_bytes_be(encoded).modpow(&self.secret, &self.modulus)
    }

    fn sign(&self, digest: &[u8]) -> BigUint {
        self.root(&[&padding(BYTES), digest].concat())
    }
}

#[test]
fn costs_74_003_without_the_ranges_of_key_and_signature() {
    // 2,048 more for each that is not made of proven bytes. Published: 149,251 (zk-email, ranges included).
    assert_eq!(
        shape().counts().last(),
        Some(&("signature", 73_831 + 157 + 15))
    );
    let with_ranges = 73_831 + 157 + 15 + 2 * 2048;
    assert!(with_ranges <= 80_000);
}

#[test]
fn a_signature_is_accepted_and_nothing_like_it() {
    let (key, digest) = (key(), Sha256::digest(b"of this message"));
    let signature = key.sign(&digest);
    let n = &key.modulus;
    assert!(accepts(n, &signature, &digest));
    let one = BigUint::from(1u8);
    for wrong in [
        BigUint::ZERO,
        one.clone(),
        2u8.into(),
        n - 1u8,
        n - 2u8,
        n.clone(),
        n - &signature,
        &signature + 1u8,
        &signature - 1u8,
        &signature ^ (&one << 2040),
        (&one << 2048) - 1u8,
    ] {
        assert!(!accepts(n, &wrong, &digest), "{wrong:x}");
    }
    // Of another message, by another key.
    assert!(!accepts(n, &signature, &Sha256::digest(b"of that message")));
    assert!(!accepts(&(n + 2u8), &signature, &digest));
}

/// The rank at full size: nothing is open, whatever the number of limbs (the hunt goes through 512 bits row by row).
#[test]
fn nothing_is_left_open_in_2048_bits() {
    let (key, digest) = (key(), Sha256::digest(b"of this message"));
    let assignment = assignment(&key.modulus, &key.sign(&digest), &digest);
    assert_determined(shape(), &assignment);
}

/// s + N has the same power, and room in 2,048 bits if s is small.
#[test]
fn a_signature_is_reduced() {
    let key = key();
    let room = (BigUint::from(1u8) << 2048) - &key.modulus;
    let small = (0u32..200).find_map(|message| {
        let digest = Sha256::digest(message.to_be_bytes());
        let signature = key.sign(&digest);
        (signature < room).then_some((digest, signature))
    });
    let (digest, signature) = small.unwrap();
    assert!(accepts(&key.modulus, &signature, &digest));
    let alias = &signature + &key.modulus;
    assert!(!accepts(&key.modulus, &alias, &digest));
    // It is the order alone that refuses it: without it, every row holds.
    let shape = shape();
    let assignment = assignment(&key.modulus, &alias, &digest);
    let failing = shape.failing(&assignment).collect::<Vec<_>>();
    let start = shape.regions.last().unwrap().0;
    assert!(!failing.is_empty());
    assert!(
        failing
            .iter()
            .all(|row| (start + 15..start + 15 + 157).contains(row)),
        "{failing:?}"
    );
}

#[test]
fn a_modulus_has_its_highest_bit() {
    let digest = Sha256::digest(b"message");
    for modulus in [
        BigUint::ZERO,
        1u8.into(),
        BigUint::from(3u8) << 1024,
        (BigUint::from(1u8) << 2047) - 1u8,
    ] {
        for signature in [BigUint::ZERO, 1u8.into()] {
            assert!(!accepts(&modulus, &signature, &digest));
        }
    }
}

/// Why: modulo a prime of half the size anybody takes roots, and a padded message that is larger than the modulus is congruent to
/// its remainder. The highest bit alone refuses it.
#[test]
fn a_small_modulus_would_be_forged() {
    let digest = Sha256::digest(b"message");
    let prime = BigUint::parse_bytes(P.as_bytes(), 16).unwrap();
    let encoded = BigUint::from_bytes_be(&[&padding(BYTES), &digest[..]].concat());
    let root = BigUint::from(EXPONENT).modinv(&(&prime - 1u8)).unwrap();
    let forged = encoded.modpow(&root, &prime);
    assert!(!accepts(&prime, &forged, &digest));
    // The last quotient leaves all of the padded message, and not what is below the modulus.
    let power = forged.modpow(&BigUint::from(1u32 << 16), &prime);
    let quotient = (power * &forged - &encoded) / &prime;
    let bytes = quotient.to_bytes_le();
    let mut met = 0;
    let assignment = forge(&prime, &forged, &digest, move |name, honest| {
        if name != "limb of a quotient" {
            return honest;
        }
        met += 1;
        let limb = match usize::checked_sub(met - 1, 16 * LIMBS_2048) {
            Some(limb) => 2 * limb,
            None => return honest,
        };
        let byte = |place: usize| bytes.get(place).copied().unwrap_or_default();
        Fr::from(u16::from_le_bytes([byte(limb), byte(limb + 1)]))
    });
    let shape = shape();
    let failing = shape.failing(&assignment).collect::<Vec<_>>();
    let start = shape.regions.last().unwrap().0;
    assert!(!failing.is_empty());
    assert!(
        failing.iter().all(|row| (start..start + 15).contains(row)),
        "{failing:?}"
    );
}

/// The padded message, changed in every way that has fooled a verifier, and truly the power of the signature.
#[test]
fn the_padding_is_checked_whole() {
    let key = key();
    let digest = Sha256::digest(b"message");
    let honest = [&padding(BYTES), &digest[..]].concat();
    assert!(accepts(&key.modulus, &key.root(&honest), &digest));
    let mut wrong: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut changed = |what, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = honest.clone();
        change(&mut bytes);
        assert!(bytes.len() == BYTES && bytes != honest);
        wrong.push((what, bytes));
    };
    changed("block type 2", &|bytes| bytes[1] = 2);
    changed("block type 0", &|bytes| bytes[1] = 0);
    changed("first byte 1, still below N", &|bytes| bytes[0] = 1);
    changed("first ff", &|bytes| bytes[2] = 0xfe);
    changed("an ff in the middle", &|bytes| bytes[100] = 0);
    changed("last ff", &|bytes| bytes[203] = 0xee);
    changed("no separator", &|bytes| bytes[204] = 0xff);
    changed("the object identifier of SHA-384", &|bytes| bytes[219] = 2);
    changed("a digest of 33 bytes", &|bytes| bytes[223] = 0x21);
    changed("first byte of the digest", &|bytes| bytes[224] ^= 1);
    changed("last byte of the digest", &|bytes| bytes[255] ^= 1);
    changed("NULL that is an OCTET STRING", &|bytes| bytes[220] = 4);
    // Bleichenbacher 2006: a short padding, and after the digest what makes it a power.
    let mut trailing = vec![
        0x00, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
    ];
    trailing.extend_from_slice(&SHA256_DIGEST_INFO);
    trailing.extend_from_slice(&digest);
    trailing.resize(BYTES, 0xa5);
    wrong.push(("garbage after the digest", trailing));
    // The same inside of DigestInfo: its length, and parameters of garbage.
    let mut inside = vec![0x00, 0x01];
    inside.resize(40, 0xff);
    inside.push(0x00);
    inside.extend_from_slice(&[0x30, 0x81, 211, 0x30, 0x81, 174, 0x06, 0x09]);
    inside.extend_from_slice(&SHA256_DIGEST_INFO[6..15]);
    inside.extend_from_slice(&[0x04, 0x81, 160]);
    inside.resize(BYTES - 34, 0x5a);
    inside.extend_from_slice(&[0x04, 0x20]);
    inside.extend_from_slice(&digest);
    wrong.push(("garbage in the parameters", inside));
    // Without NULL, as some old signers did.
    let mut missing = vec![0x00, 0x01];
    missing.resize(206, 0xff);
    missing.extend_from_slice(&[0x00, 0x30, 0x2f, 0x30, 0x0b]);
    missing.extend_from_slice(&SHA256_DIGEST_INFO[4..15]);
    missing.extend_from_slice(&[0x04, 0x20]);
    missing.extend_from_slice(&digest);
    wrong.push(("without NULL", missing));
    // The digest alone.
    let mut bare = vec![0; BYTES - 32];
    bare.extend_from_slice(&digest);
    wrong.push(("no padding", bare));
    for (what, encoded) in wrong {
        assert_eq!(encoded.len(), BYTES, "{what}");
        let signature = key.root(&encoded);
        assert_eq!(
            signature.modpow(&BigUint::from(EXPONENT), &key.modulus),
            BigUint::from_bytes_be(&encoded),
            "{what}"
        );
        assert!(!accepts(&key.modulus, &signature, &digest), "{what}");
    }
}

/// e = 3: the cube root of a padded message is no signature here.
#[test]
fn another_exponent_is_refused() {
    let digest = Sha256::digest(b"message");
    let key = key();
    let cube = BigUint::from_bytes_be(&[&padding(BYTES), &digest[..]].concat());
    assert!(!accepts(&key.modulus, &cube.cbrt(), &digest));
    // EM itself, which has the power 1.
    assert!(!accepts(&key.modulus, &cube, &digest));
}

/// One integer has many forms if words may be too large: 2^32 more in one, one less in the next. Their ranges refuse it.
#[test]
fn a_digest_has_one_form() {
    let key = key();
    let digest = Sha256::digest(b"message");
    let signature = key.sign(&digest);
    let shape = shape();
    let end = Fr::from(1u64 << 32);
    for word in 1..8 {
        let mut alias = words(&digest);
        alias[word] += end;
        alias[word - 1] -= Fr::ONE;
        let assignment = build(&key.modulus, &signature, alias, false).into_assignment();
        let failing = shape.failing(&assignment).collect::<Vec<_>>();
        // Nothing but the words' ranges, which whoever makes the words must show.
        assert!(
            !failing.is_empty() && failing.iter().all(|row| *row < 8 * 32),
            "{word}"
        );
    }
}

#[derive(Deserialize)]
struct Vectors {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    exponent: String,
    modulus: String,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    tc_id: u32,
    comment: String,
    msg: String,
    sig: String,
    result: String,
}

/// Of those that must be refused, one of a kind in the circuit too: NULL left out, BER, garbage after DigestInfo and after the digest, another
/// hash, none, encryption padding, an ff that is none, short padding, not reduced, 0, N − 1, N, N + 1, PSS, e = 3.
const IN_CIRCUIT: [u32; 16] = [
    8, 9, 30, 198, 217, 236, 238, 240, 243, 244, 248, 251, 252, 253, 255, 258,
];

/// Wycheproof's cases (`vectors/wycheproof/`, which names the source). Signatures of more than 2,048 bits, and those of another length
/// than the modulus, are a parser's to refuse: here they are integers.
#[test]
fn wycheproof() {
    let vectors: Vectors = serde_json::from_str(include_str!(
        "../../../vectors/wycheproof/rsa_pkcs1_2048_sha256.json"
    ))
    .unwrap();
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &vectors.groups {
        let modulus = BigUint::from_bytes_be(&hex(&group.modulus));
        for vector in &group.tests {
            let signature = BigUint::from_bytes_be(&hex(&vector.sig));
            let digest = Sha256::digest(hex(&vector.msg));
            // "Acceptable" is DigestInfo without NULL, which RFC 8017 has not; e = 3 is valid there and no exponent here.
            let expected = vector.result == "valid" && group.exponent == "010001";
            let in_circuit = expected || IN_CIRCUIT.contains(&vector.tc_id);
            let found = match in_circuit {
                true => accepts(&modulus, &signature, &digest),
                false => is_signature(&modulus, &signature, &digest.into()),
            };
            assert_eq!(found, expected, "{}: {}", vector.tc_id, vector.comment);
            *if found { &mut accepted } else { &mut refused } += 1;
        }
    }
    assert_eq!((accepted, refused), (7, 65));
}
