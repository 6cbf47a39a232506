//! Decoders against bytes: every length, every field in every form that is not its one encoding, declared counts, noise.

use ark_bn254::{Fq, Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInteger, PrimeField};
use bauta_statement::credential::IssuedCredential;
use bauta_statement::group::{PointError, g1_to_bytes, g2_to_bytes};
use bauta_statement::presentation::{DecodeError, MAX_DISCLOSURES, Opening, Presentation};
use bauta_statement::verifying_key::VerifyingKey;
use rand_chacha::rand_core::RngCore;

use crate::defects::{off_twist, outside};
use crate::layout::{Field, Kind, bases, scoped};
use crate::testing::rng;

/// All lengths, from nothing to one byte more, of every good presentation, and of every kind of thing.
#[test]
fn only_the_exact_length_is_read() {
    for base in bases() {
        let mut longer = base.bytes.clone();
        longer.push(0);
        for cut in 0..=longer.len() {
            assert_eq!(
                Presentation::decode(&longer[..cut]).is_ok(),
                cut == base.bytes.len(),
                "{}: {cut}",
                base.name
            );
        }
        for key in &base.keys {
            let mut longer = key.encode();
            let exact = longer.len();
            longer.push(0);
            for cut in 0..=longer.len() {
                assert_eq!(VerifyingKey::decode(&longer[..cut]).is_ok(), cut == exact);
            }
        }
    }
}

/// `change` applied to a field, and what decoding says of it.
fn with(field: Field, new: &[u8]) -> Result<Presentation, DecodeError> {
    let mut bytes = scoped().bytes.clone();
    bytes[field.at..field.at + field.len()].copy_from_slice(new);
    Presentation::decode(&bytes)
}

fn plus(bytes: &[u8], more: impl BigInteger) -> Option<Vec<u8>> {
    let mut sum = Vec::new();
    let mut carry = 0u16;
    for (byte, more) in bytes.iter().zip(more.to_bytes_le()) {
        carry += u16::from(*byte) + u16::from(more);
        sum.push(carry as u8);
        carry >>= 8;
    }
    (carry == 0).then_some(sum)
}

#[test]
fn every_scalar_is_below_the_modulus() {
    let base = scoped();
    let mut seen = 0;
    for field in base
        .fields
        .iter()
        .filter(|field| field.kind == Kind::Scalar)
    {
        let value = &base.bytes[field.at..field.at + 32];
        for bad in [
            Some(Fr::MODULUS.to_bytes_le()),
            plus(value, Fr::MODULUS),
            Some(vec![0xff; 32]),
            Some([&[0; 31][..], &[0x40]].concat()),
        ] {
            let verdict = with(*field, &bad.unwrap());
            assert!(matches!(verdict, Err(DecodeError::Scalar(_))), "{field:?}");
        }
        seen += 1;
    }
    // s_z three times, the nullifier, s_b, sixteen responses.
    assert_eq!(seen, 3 + 1 + 1 + 16);
}

#[test]
fn every_point_of_g1_is_on_the_curve_in_its_one_encoding() {
    let base = scoped();
    let point = |source| move |verdict: &Result<Presentation, DecodeError>| matches!(verdict, Err(DecodeError::Point { source: found, .. }) if *found == source);
    let small = |x: u8| [&[x][..], &[0; 31]].concat();
    let mut seen = 0;
    for field in base.fields.iter().filter(|field| field.kind == Kind::G1) {
        let value = &base.bytes[field.at..field.at + 32];
        let flagged = |set: u8, clear: u8| {
            let mut bytes = value.to_vec();
            bytes[31] = bytes[31] & !clear | set;
            bytes
        };
        let mut dressed = g1_to_bytes(&G1Affine::identity()).to_vec();
        let naked = dressed.clone();
        dressed[0] = 1;
        for (bad, expected) in [
            (Fq::MODULUS.to_bytes_le(), PointError::NotOnCurve),
            (
                plus(&small(1), Fq::MODULUS).unwrap(),
                PointError::NotOnCurve,
            ),
            (small(4), PointError::NotOnCurve),
            (small(0), PointError::NotOnCurve),
            (flagged(0xc0, 0), PointError::NotOnCurve),
            (vec![0xff; 32], PointError::NotOnCurve),
            (naked, PointError::Infinity),
            (dressed, PointError::Infinity),
            (flagged(0x40, 0x80), PointError::Infinity),
        ] {
            let verdict = with(*field, &bad);
            assert!(point(expected)(&verdict), "{field:?} {bad:?}: {verdict:?}");
        }
        // The other sign is another point, and is read as such.
        let negated = with(*field, &flagged(!value[31] & 0x80, 0x80)).unwrap();
        assert_ne!(negated, base.presentation);
        seen += 1;
    }
    assert_eq!(seen, 3 * 4 + 2);
}

#[test]
fn every_point_of_g2_is_in_the_subgroup_in_its_one_encoding() {
    let base = scoped();
    let small = |c0: u8, c1: u8| [&[c0][..], &[0; 31], &[c1], &[0; 31]].concat();
    let modulus = Fq::MODULUS.to_bytes_le();
    let torsion = g2_to_bytes(&outside().mul_bigint(Fr::MODULUS).into());
    let mut infinity = vec![0; 64];
    infinity[63] = 0x40;
    let mut dressed = small(1, 1);
    dressed[63] = 0x40;
    let mut seen = 0;
    for field in base.fields.iter().filter(|field| field.kind == Kind::G2) {
        let value = &base.bytes[field.at..field.at + 64];
        let mut both = value.to_vec();
        both[63] |= 0xc0;
        for (bad, expected) in [
            (
                [&modulus[..], &value[32..]].concat(),
                PointError::NotOnCurve,
            ),
            (
                [&value[..32], &modulus[..]].concat(),
                PointError::NotOnCurve,
            ),
            (
                [&[0xff; 32][..], &value[32..]].concat(),
                PointError::NotOnCurve,
            ),
            (off_twist().to_vec(), PointError::NotOnCurve),
            (both, PointError::NotOnCurve),
            (infinity.clone(), PointError::Infinity),
            (dressed.clone(), PointError::Infinity),
            (g2_to_bytes(&outside()).to_vec(), PointError::NotInSubgroup),
            (torsion.to_vec(), PointError::NotInSubgroup),
        ] {
            let verdict = with(*field, &bad);
            assert!(
                matches!(&verdict, Err(DecodeError::Point { source, .. }) if *source == expected),
                "{field:?} {bad:?}: {verdict:?}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// What a header or a count declares is held against the length before anything is read, or set aside, for it.
#[test]
fn declared_counts_are_checked_first() {
    let base = scoped();
    for format in 0..=255u8 {
        for scoped in 0..=2u8 {
            for count in [
                0,
                1,
                2,
                MAX_DISCLOSURES as u8,
                MAX_DISCLOSURES as u8 + 1,
                255,
            ] {
                let mut bytes = base.bytes.clone();
                bytes[1..4].copy_from_slice(&[format, scoped, count]);
                let right = (1..=4).contains(&format) && scoped == 1 && count == 1;
                assert_eq!(Presentation::decode(&bytes).is_ok(), right);
            }
        }
    }
    let key = base.keys[2].encode();
    for count in 0..=u16::MAX {
        let mut bytes = key.clone();
        bytes[192..194].copy_from_slice(&count.to_be_bytes());
        assert_eq!(VerifyingKey::decode(&bytes).is_ok(), count == 5);
    }
}

/// Whatever is read is what would be written: no value has a second encoding. And nothing panics on noise.
#[test]
fn noise_is_refused_or_is_an_encoding() {
    let mut rng = rng(3);
    for round in 0..10_000usize {
        let base = &bases()[round % bases().len()];
        let mut bytes = match round % 4 {
            // Noise under a header that fits its length; noise; a good thing with noise in it.
            0 => {
                let mut bytes = vec![0; base.bytes.len()];
                rng.fill_bytes(&mut bytes);
                bytes[..4].copy_from_slice(&base.bytes[..4]);
                bytes
            }
            1 => {
                let mut bytes = vec![0; rng.next_u32() as usize % 3_000];
                rng.fill_bytes(&mut bytes);
                bytes
            }
            _ => base.bytes.clone(),
        };
        if !bytes.is_empty() {
            let at = rng.next_u32() as usize % bytes.len();
            bytes[at] ^= rng.next_u32() as u8;
        }
        if let Ok(read) = Presentation::decode(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
        if let Ok(read) = VerifyingKey::decode(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
        if let Ok(read) = Opening::decode_list(&bytes) {
            assert_eq!(Opening::encode_list(&read), bytes);
        }
        if let Ok(read) = IssuedCredential::decode(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
    }
}
