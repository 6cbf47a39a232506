//! The bad vectors: each is a good one with one defect, by which it is named.

use std::collections::BTreeMap;

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField, UniformRand};
use bauta_statement::field;
use bauta_statement::group::g2_to_bytes;
use bauta_statement::presentation::{Opening, Presentation};
use bauta_statement::transcript::PresentationTranscript;
use bauta_statement::vector::AttributeValue;
use bauta_statement::verifying_key::VerifyingKey;
use serde_json::json;

use crate::format::{Expected, Reason, Vector, hex, unhex};
use crate::testing::{g1, g2, proofs_mut, rng};

const SCOPED: &str = "good_scope_one_disclosure";
const UNSCOPED: &str = "good_no_scope_no_disclosure";
const SETS: &str = "good_two_value_sets";
const X509: &str = "good_x509_format";

/// Offsets in a presentation with a scope and one disclosure: the possession proof, the nullifier, the disclosure.
const FIRST: usize = 4;
const PROOF: usize = 224;
const NULLIFIER: usize = FIRST + 2 * PROOF;
const DISCLOSURE: usize = NULLIFIER + 32 + PROOF;
/// Offsets in a proof.
const B: usize = 32;
const T: usize = 160;
const Z: usize = 192;

/// One defect.
pub(crate) struct Defect {
    pub(crate) name: &'static str,
    base: &'static str,
    pub(crate) reason: Reason,
    description: &'static str,
    change: fn(&mut Vector),
}

impl Defect {
    /// The bad vector.
    pub(crate) fn apply(&self, good: &BTreeMap<String, Vector>) -> Vector {
        let mut vector = good[self.base].clone();
        (self.change)(&mut vector);
        assert_ne!(vector, good[self.base], "{} changes nothing", self.name);
        vector.description = format!("{}: {}", self.base, self.description);
        vector.computed = None;
        vector.expected = Expected {
            valid: false,
            reason: Some(self.reason.into()),
            nullifier: None,
            disclosed: Vec::new(),
        };
        vector
    }
}

fn bytes(vector: &mut Vector, change: impl FnOnce(&mut Vec<u8>)) {
    let mut raw = unhex(&vector.presentation);
    change(&mut raw);
    vector.presentation = hex(&raw);
}

fn put(vector: &mut Vector, at: usize, new: &[u8]) {
    bytes(vector, |raw| raw[at..at + new.len()].copy_from_slice(new));
}

fn add(vector: &mut Vector, at: usize, more: impl BigInteger) {
    bytes(vector, |raw| {
        let mut carry = 0u16;
        for (byte, more) in raw[at..at + 32].iter_mut().zip(more.to_bytes_le()) {
            carry += u16::from(*byte) + u16::from(more);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert_eq!(carry, 0, "the sum fits in 32 bytes");
    });
}

fn shown(vector: &mut Vector, change: impl FnOnce(&mut Presentation)) {
    let mut presentation = Presentation::decode(&unhex(&vector.presentation)).unwrap();
    change(&mut presentation);
    vector.presentation = hex(&presentation.encode());
}

fn key(text: &mut String, change: impl FnOnce(&mut VerifyingKey)) {
    let mut key = VerifyingKey::decode(&unhex(text)).unwrap();
    change(&mut key);
    *text = hex(&key.encode());
}

fn flip(text: &mut String) {
    let mut raw = unhex(text);
    raw[0] ^= 1;
    *text = hex(&raw);
}

fn openings(vector: &mut Vector, change: impl FnOnce(&mut Vec<Opening>)) {
    let mut list = Opening::decode_list(&unhex(&vector.openings)).unwrap();
    change(&mut list);
    vector.openings = hex(&Opening::encode_list(&list));
}

fn opening_bytes(vector: &mut Vector, change: impl FnOnce(&mut Vec<u8>)) {
    let mut raw = unhex(&vector.openings);
    change(&mut raw);
    vector.openings = hex(&raw);
}

/// A point of the twist outside the group of prime order.
pub(crate) fn outside() -> G2Affine {
    let mut rng = rng(12);
    (0..)
        .find_map(|_| G2Affine::get_point_from_x_unchecked(Fq2::rand(&mut rng), true))
        .unwrap()
}

/// 32 bytes with this first one.
fn small(first: u8) -> [u8; 32] {
    let mut raw = [0; 32];
    raw[0] = first;
    raw
}

/// An x of G2's field, 64 bytes, with no point.
pub(crate) fn off_twist() -> [u8; 64] {
    (0u64..)
        .find_map(|c| {
            let x = Fq2::new(Fq::from(c), Fq::from(1u64));
            let mut raw = [0; 64];
            raw[..8].copy_from_slice(&c.to_le_bytes());
            raw[32] = 1;
            G2Affine::get_point_from_x_unchecked(x, false)
                .is_none()
                .then_some(raw)
        })
        .unwrap()
}

fn challenge(vector: &Vector) -> Fr {
    let prepared = vector.prepare().unwrap();
    let presentation = Presentation::decode(&unhex(&vector.presentation)).unwrap();
    let statement = prepared
        .verifier
        .statement(presentation.format, prepared.usage)
        .unwrap();
    PresentationTranscript::new(&statement, presentation.nullifier(), &prepared.context)
        .challenge(&presentation)
        .challenge()
}

macro_rules! defects {
    ($($name:literal, $base:expr, $reason:literal, $description:literal, $change:expr;)*) => {
        vec![$(Defect { name: $name, base: $base, reason: $reason, description: $description, change: $change }),*]
    };
}

/// Every defect, in the order of the specification.
pub(crate) fn defects() -> Vec<Defect> {
    [
        encodings(),
        statements(),
        presentations(),
        shapes(),
        keys(),
        opened(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn encodings() -> Vec<Defect> {
    defects! {
        "bad_version", SCOPED, "version", "version 2", |v| put(v, 0, &[2]);
        "bad_format_byte", SCOPED, "header", "format 0", |v| put(v, 1, &[0]);
        "bad_format_byte_unknown", SCOPED, "header", "format 5", |v| put(v, 1, &[5]);
        "bad_scope_flag", SCOPED, "header", "scope flag 2", |v| put(v, 2, &[2]);
        "bad_scope_flag_cleared", SCOPED, "length", "scope flag 0 before three proofs", |v| put(v, 2, &[0]);
        "bad_count_of_disclosures", SCOPED, "length", "two disclosures declared, one there", |v| put(v, 3, &[2]);
        "bad_count_above_maximum", SCOPED, "header", "twelve disclosures declared", |v| put(v, 3, &[12]);
        "bad_trailing_byte", SCOPED, "length", "a zero byte after the last", |v| bytes(v, |b| b.push(0));
        "bad_cut", SCOPED, "length", "without its last byte", |v| bytes(v, |b| b.truncate(1315));
        "bad_empty", SCOPED, "length", "no byte at all", |v| v.presentation.clear();
        "bad_scalar_is_modulus", SCOPED, "scalar", "the last response is r",
            |v| put(v, 1316 - 32, &Fr::MODULUS.to_bytes_le());
        "bad_response_plus_modulus", SCOPED, "scalar", "the first response x is written x + r",
            |v| add(v, 1316 - 512, Fr::MODULUS);
        "bad_z_response_plus_modulus", SCOPED, "scalar", "the first s_z is written s_z + r", |v| add(v, FIRST + Z, Fr::MODULUS);
        "bad_nullifier_plus_modulus", SCOPED, "scalar", "the nullifier n is written n + r", |v| add(v, NULLIFIER, Fr::MODULUS);
        "bad_blinding_response_plus_modulus", SCOPED, "scalar", "s_b is written s_b + r",
            |v| add(v, DISCLOSURE + 64, Fr::MODULUS);
        "bad_scalar_all_ones", SCOPED, "scalar", "the last response is 2^256 − 1", |v| put(v, 1316 - 32, &[0xff; 32]);
        "bad_g1_x_is_modulus", SCOPED, "point", "A has x = p", |v| put(v, FIRST, &Fq::MODULUS.to_bytes_le());
        "bad_g1_x_plus_modulus", SCOPED, "point", "T is the generator, its x = 1 written 1 + p", |v| {
            put(v, FIRST + T, &small(1));
            add(v, FIRST + T, Fq::MODULUS);
        };
        "bad_g1_off_curve", SCOPED, "point", "A has x = 4, and 4³ + 3 is no square", |v| put(v, FIRST, &small(4));
        "bad_g1_infinity", SCOPED, "point-infinity", "A is infinity: bit 6 of the last byte, and zeros", |v| {
            put(v, FIRST, &[0; 32]);
            put(v, FIRST + 31, &[0x40]);
        };
        "bad_g1_infinity_with_x", SCOPED, "point-infinity", "A keeps its x and has bit 6 set", |v| bytes(v, |b| {
            b[FIRST + 31] = b[FIRST + 31] & 0x3f | 0x40;
        });
        "bad_g1_zeros", SCOPED, "point", "A is 32 zero bytes, infinity in other systems: x = 0, and 3 is no square",
            |v| put(v, FIRST, &[0; 32]);
        "bad_g1_both_flags", SCOPED, "point", "A has bits 6 and 7 set", |v| bytes(v, |b| b[FIRST + 31] |= 0xc0);
        "bad_g1_big_endian", SCOPED, "point", "A has its bytes in reverse order", |v| bytes(v, |b| b[FIRST..FIRST + 32].reverse());
        "bad_g2_x_plus_modulus", SCOPED, "point", "B has c₁ of x written c₁ + p", |v| {
            // A point with a small c₁, so that the sum fits under the flags; it is refused before its subgroup is looked at.
            put(v, FIRST + B, &[0; 64]);
            put(v, FIRST + B + 32, &small(1));
            add(v, FIRST + B + 32, Fq::MODULUS);
        };
        "bad_g2_off_curve", SCOPED, "point", "B has an x with no point", |v| put(v, FIRST + B, &off_twist());
        "bad_g2_infinity", SCOPED, "point-infinity", "B is infinity", |v| {
            put(v, FIRST + B, &[0; 64]);
            put(v, FIRST + B + 63, &[0x40]);
        };
        "bad_g2_outside_subgroup", SCOPED, "point-subgroup", "B is on the twist and outside the group of order r",
            |v| put(v, FIRST + B, &g2_to_bytes(&outside()));
        "bad_g2_small_order", SCOPED, "point-subgroup", "B + a point of the cofactor's order", |v| shown(v, |p| {
            let small = outside().mul_bigint(Fr::MODULUS);
            p.possession.b = (p.possession.b + small).into_affine();
        });
        "bad_g1_sign_flipped", SCOPED, "unproven", "−A for A", |v| bytes(v, |b| b[FIRST + 31] ^= 0x80);
        "bad_g2_sign_flipped", SCOPED, "unproven", "−B for B", |v| bytes(v, |b| b[FIRST + B + 63] ^= 0x80);
    }
}

fn statements() -> Vec<Defect> {
    defects! {
        "bad_other_policy_digest", SCOPED, "unproven", "another policy text", |v| flip(&mut v.context.policy_digest);
        "bad_other_nonce", SCOPED, "unproven", "another challenge", |v| flip(&mut v.context.nonce);
        "bad_other_expiry", SCOPED, "unproven", "a challenge that expires a second later", |v| v.context.expiry += 1;
        "bad_other_trust_domain", UNSCOPED, "unproven", "another audience", |v| v.context.trust_domain = "example.com".into();
        "bad_other_trust_domain_scoped", SCOPED, "unproven", "another audience, and so another scope",
            |v| v.context.trust_domain = "example.com".into();
        "bad_other_ca_name", SCOPED, "unproven", "another CA of the trust domain", |v| v.context.ca_name = "Bauta".into();
        "bad_names_moved", SCOPED, "unproven", "a letter moved from the end of one name to the start of the next", |v| {
            let moved = v.context.ca_name.pop().unwrap();
            v.context.log_origin.insert(0, moved);
        };
        "bad_other_log", SCOPED, "unproven", "another log", |v| v.context.log_origin = "log.example.org/2027h2".into();
        "bad_other_key", SCOPED, "unproven", "another SubjectPublicKeyInfo", |v| flip(&mut v.context.spki_sha256);
        "bad_epoch_start", SCOPED, "unproven", "an epoch that starts a second later", |v| v.epoch.start += 1;
        "bad_next_epoch", SCOPED, "unproven", "the next epoch", |v| {
            v.epoch.start += 3_600;
            v.epoch.end += 3_600;
        };
        "bad_epoch_end", SCOPED, "unproven", "an epoch that ends a second later, so another valid_until", |v| v.epoch.end += 1;
        "bad_issuer_removed", SCOPED, "unproven", "without the holder's issuer", |v| drop(v.epoch.origins.pop());
        "bad_issuers_reordered", UNSCOPED, "unproven", "the origins in another order", |v| v.epoch.origins.swap(0, 1);
        "bad_origin_plus_modulus", UNSCOPED, "epoch", "an origin x written x + r", |v| {
            let mut raw = Fr::MODULUS;
            raw.add_with_carry(&Fr::from(1_000u64).into_bigint());
            v.epoch.origins[0] = hex(&raw.to_bytes_le());
        };
        "bad_origin_absent", UNSCOPED, "epoch", "the constant absent among the origins", |v| {
            v.epoch.origins[1] = hex(&field::to_bytes(&AttributeValue::Absent.to_field()));
        };
        "bad_no_issuer", UNSCOPED, "epoch", "an empty issuer set", |v| v.epoch.origins.clear();
        "bad_revoked", SCOPED, "unproven", "the holder's handle is in the revocation tree", |v| v.epoch.revoked.push(5_000);
        "bad_revocations_reordered", SCOPED, "unproven", "the handles in another order of insertion", |v| v.epoch.revoked.swap(0, 1);
        "bad_revoked_twice", SCOPED, "epoch", "a handle revoked twice", |v| v.epoch.revoked.push(77);
        "bad_revoked_zero", SCOPED, "epoch", "the handle 0", |v| v.epoch.revoked.push(0);
        "bad_next_period", SCOPED, "unproven", "the scope's next period", |v| v.time += 86_400;
        "bad_other_scope_name", SCOPED, "unproven", "another scope", |v| v.policy["scope"]["name"] = json!("doors");
        "bad_other_bound", SCOPED, "unproven", "a greater bound", |v| v.policy["scope"]["bound"] = json!(6);
        "bad_other_value", SCOPED, "unproven", "at_least 6 for at_least 7", |v| v.policy["predicates"][0]["at_least"] = json!(6);
        "bad_other_text", SCOPED, "unproven", "another spelling of the text that is asked for",
            |v| v.policy["predicates"][1]["equals"] = json!("Carpenter");
        "bad_range_for_equality", UNSCOPED, "unproven", "between [4, 4] for not_equals 4", |v| {
            let predicate = v.policy["predicates"][0].as_object_mut().unwrap();
            predicate.remove("not_equals");
            predicate.insert("between".into(), json!([4, 4]));
        };
        "bad_other_slot", SCOPED, "unproven", "the same value asked of slot 9, which holds it too",
            |v| v.policy["predicates"][1]["slot"] = json!(9);
        "bad_required_for_any_of", SCOPED, "unproven", "both predicates of the group required", |v| {
            for index in 0..2 {
                v.policy["predicates"][index].as_object_mut().unwrap().remove("any_of");
            }
        };
        "bad_predicates_reordered", UNSCOPED, "unproven", "the predicates in another order", |v| {
            v.policy["predicates"].as_array_mut().unwrap().swap(0, 1);
        };
        "bad_value_set_longer", SCOPED, "unproven", "one value more in the set",
            |v| v.policy["predicates"][2]["one_of"].as_array_mut().unwrap().push(json!("Dorsoduro"));
        "bad_value_set_reordered", SCOPED, "unproven", "the set's values in another order",
            |v| v.policy["predicates"][2]["one_of"].as_array_mut().unwrap().swap(0, 1);
        "bad_value_sets_swapped", SETS, "unproven", "the two value sets in each other's place", |v| {
            v.policy["predicates"].as_array_mut().unwrap().swap(1, 3);
        };
        "bad_other_disclosed_slot", SCOPED, "unproven", "slot 7 asked in place of slot 5",
            |v| v.policy["disclose"][0] = json!({ "attribute": "trade", "slot": 7, "type": "text" });
        "bad_disclosures_reordered", SETS, "unproven", "the disclosures in another order",
            |v| v.policy["disclose"].as_array_mut().unwrap().swap(0, 2);
        "bad_three_value_sets", SETS, "policy", "a third value set", |v| {
            let predicate = v.policy["predicates"][2].as_object_mut().unwrap();
            predicate.remove("at_least");
            predicate.insert("one_of".into(), json!([7]));
        };
        "bad_empty_interval", UNSCOPED, "policy", "between [5, 2]", |v| v.policy["predicates"][1]["between"] = json!([5, 2]);
        "bad_any_of_alone", SCOPED, "policy", "an any-of group of one",
            |v| drop(v.policy["predicates"][0].as_object_mut().unwrap().remove("any_of"));
        "bad_slot_below_attributes", SCOPED, "policy", "a predicate over the handle, slot 4",
            |v| v.policy["predicates"][0]["slot"] = json!(4);
        "bad_disclosed_twice", SETS, "policy", "a slot disclosed twice", |v| {
            let again = v.policy["disclose"][0].clone();
            v.policy["disclose"].as_array_mut().unwrap().push(again);
        };
        "bad_five_predicates", UNSCOPED, "policy", "a fifth predicate", |v| {
            let again = v.policy["predicates"][0].clone();
            v.policy["predicates"].as_array_mut().unwrap().push(again);
        };
    }
}

fn presentations() -> Vec<Defect> {
    defects! {
        "bad_a_altered", SCOPED, "unproven", "another A", |v| shown(v, |p| p.possession.a = g1(2.into()));
        "bad_b_altered", SCOPED, "unproven", "another B", |v| shown(v, |p| p.policy.b = g2(2.into()));
        "bad_c_altered", SCOPED, "unproven", "another C''", |v| shown(v, |p| p.policy.c = g1(2.into()));
        "bad_v_altered", SCOPED, "unproven", "another V", |v| shown(v, |p| p.policy.v = g1(2.into()));
        "bad_t_altered", SCOPED, "unproven", "another T", |v| shown(v, |p| p.possession.t = g1(2.into()));
        "bad_z_response_altered", SCOPED, "unproven", "s_z + 1", |v| shown(v, |p| p.policy.z_response += Fr::from(1u64));
        "bad_nullifier_z_response_altered", SCOPED, "unproven", "s_z + 1 in the nullifier's proof: equation (2) fails there alone",
            |v| shown(v, |p| p.nullifier.as_mut().unwrap().proof.z_response += Fr::from(1u64));
        "bad_response_altered", SCOPED, "unproven", "s₈ + 1, of a slot that only possession reads",
            |v| shown(v, |p| p.responses[8] += Fr::from(1u64));
        "bad_secret_response_altered", SCOPED, "unproven", "s₁ + 1", |v| shown(v, |p| p.responses[1] += Fr::from(1u64));
        "bad_commitment_altered", SCOPED, "unproven", "another D",
            |v| shown(v, |p| p.disclosures[0].commitment = g1(2.into()));
        "bad_commitment_first_message_altered", SCOPED, "unproven", "another T_D",
            |v| shown(v, |p| p.disclosures[0].first_message = g1(2.into()));
        "bad_blinding_response_altered", SCOPED, "unproven", "s_b + 1",
            |v| shown(v, |p| p.disclosures[0].blinding_response += Fr::from(1u64));
        "bad_nullifier_altered", SCOPED, "unproven", "the nullifier + 1",
            |v| shown(v, |p| p.nullifier.as_mut().unwrap().nullifier += Fr::from(1u64));
        "bad_nullifier_zero", SCOPED, "unproven", "the nullifier 0",
            |v| shown(v, |p| p.nullifier.as_mut().unwrap().nullifier = Fr::from(0u64));
        "bad_proofs_swapped", SCOPED, "unproven", "possession and policy in each other's place",
            |v| shown(v, |p| std::mem::swap(&mut p.possession, &mut p.policy));
        "bad_policy_proof_repeated", SCOPED, "unproven", "the policy proof in place of the nullifier's",
            |v| shown(v, |p| p.nullifier.as_mut().unwrap().proof = p.policy.clone());
        "bad_rescaled", SCOPED, "unproven", "2A and ½B: the same product, another transcript", |v| shown(v, |p| {
            p.policy.a = (p.policy.a * Fr::from(2u64)).into_affine();
            p.policy.b = (p.policy.b * (Fr::from(1u64) / Fr::from(2u64))).into_affine();
        });
        "bad_shifted", SCOPED, "unproven", "V + δ₁, C'' − G₁ and s_z + c: every equation for the old c holds, another transcript", |v| {
            let c = challenge(v);
            let key = VerifyingKey::decode(&unhex(&v.keys.policy)).unwrap();
            shown(v, |p| {
                p.policy.v = (p.policy.v + key.delta_g1).into_affine();
                p.policy.c = (p.policy.c - G1Affine::generator()).into_affine();
                p.policy.z_response += c;
            });
        };
        "bad_reblinded", SCOPED, "unproven", "T + δ₁ and s_z + 1: every equation for the old c holds, another transcript", |v| {
            let key = VerifyingKey::decode(&unhex(&v.keys.policy)).unwrap();
            shown(v, |p| {
                p.policy.t = (p.policy.t + key.delta_g1).into_affine();
                p.policy.z_response += Fr::from(1u64);
            });
        };
        "bad_errors_that_cancel", SCOPED, "unproven", "C'' + G₁ in one proof and − G₁ in another", |v| shown(v, |p| {
            p.possession.c = (p.possession.c + G1Affine::generator()).into_affine();
            p.policy.c = (p.policy.c - G1Affine::generator()).into_affine();
        });
        "bad_all_negated", SCOPED, "unproven", "−A and −B of every proof: the same products, another transcript",
            |v| shown(v, |p| for proof in proofs_mut(p) {
                proof.a = -proof.a;
                proof.b = -proof.b;
            });
    }
}

fn shapes() -> Vec<Defect> {
    defects! {
        "bad_nullifier_missing", SCOPED, "nullifier-missing", "no nullifier, where the policy has a scope", |v| bytes(v, |b| {
            b[2] = 0;
            b.drain(NULLIFIER..DISCLOSURE);
        });
        "bad_nullifier_unasked", SCOPED, "nullifier-unasked", "a nullifier, where the policy has no scope", |v| {
            let policy = v.policy.as_object_mut().unwrap();
            policy.remove("scope");
            policy.insert("unbounded".into(), json!(true));
        };
        "bad_disclosure_missing", SCOPED, "disclosures", "no disclosure, where one is asked", |v| bytes(v, |b| {
            b[3] = 0;
            b.drain(DISCLOSURE..DISCLOSURE + 96);
        });
        "bad_disclosure_unasked", SCOPED, "disclosures", "a disclosure, where none is asked",
            |v| v.policy["disclose"] = json!([]);
        "bad_format_not_accepted", UNSCOPED, "format", "format 2, where the policy takes native credentials alone", |v| put(v, 1, &[2]);
        "bad_format_native_for_x509", X509, "format", "format 1, where the policy takes format 2 alone", |v| put(v, 1, &[1]);
        "bad_format_under_scope", SCOPED, "format-under-scope", "format 2 under a policy with a scope", |v| put(v, 1, &[2]);
    }
}

fn keys() -> Vec<Defect> {
    defects! {
        "bad_key_gamma_is_minus_delta", SCOPED, "key-gamma-is-delta", "δ = −1 in the policy key", |v| key(&mut v.keys.policy, |k| {
            (k.delta_g1, k.delta_g2) = (-G1Affine::generator(), -G2Affine::generator());
        });
        "bad_key_delta2_is_generator", SCOPED, "key-gamma-is-delta", "δ₂ = G₂, δ₁ as it was",
            |v| key(&mut v.keys.policy, |k| k.delta_g2 = G2Affine::generator());
        "bad_key_delta1_is_generator", SCOPED, "key-gamma-is-delta", "δ₁ = G₁, δ₂ as it was",
            |v| key(&mut v.keys.nullifier, |k| k.delta_g1 = G1Affine::generator());
        "bad_key_delta_mismatch", SCOPED, "key-delta-mismatch", "δ₁ + G₁ with the old δ₂",
            |v| key(&mut v.keys.policy, |k| k.delta_g1 = (k.delta_g1 + G1Affine::generator()).into_affine());
        "bad_key_delta1_negated", SCOPED, "key-delta-mismatch", "−δ₁ with δ₂", |v| key(&mut v.keys.policy, |k| k.delta_g1 = -k.delta_g1);
        "bad_key_alpha_is_generator", SCOPED, "key-generator", "α₁ = G₁", |v| {
            key(&mut v.keys.policy, |k| k.alpha_g1 = G1Affine::generator());
        };
        "bad_key_beta_is_generator", SCOPED, "key-generator", "β₂ = −G₂", |v| {
            key(&mut v.keys.policy, |k| k.beta_g2 = -G2Affine::generator());
        };
        "bad_key_repeated_l", SCOPED, "key-repeated-input", "two inputs with one base", |v| key(&mut v.keys.nullifier, |k| k.l[4] = k.l[3]);
        "bad_key_negated_l", SCOPED, "key-repeated-input", "an input whose base is another's negative",
            |v| key(&mut v.keys.nullifier, |k| k.l[4] = -k.l[3]);
        "bad_key_constant_repeated", SCOPED, "key-repeated-input", "an input with L₀'s base",
            |v| key(&mut v.keys.policy, |k| k.l[37] = k.l[0]);
        "bad_key_zero_l", SCOPED, "key-encoding", "an input whose base is infinity", |v| {
            let mut raw = unhex(&v.keys.nullifier);
            let last = raw.len() - 32;
            raw[last..].fill(0);
            raw[last + 31] = 0x40;
            v.keys.nullifier = hex(&raw);
        };
        "bad_key_outside_subgroup", SCOPED, "key-encoding", "δ₂ outside the group of order r", |v| {
            let mut raw = unhex(&v.keys.policy);
            raw[128..192].copy_from_slice(&g2_to_bytes(&outside()));
            v.keys.policy = hex(&raw);
        };
        "bad_key_missing_l", SCOPED, "key-input-count", "one base too few", |v| key(&mut v.keys.nullifier, |k| k.l.truncate(4));
        "bad_key_extra_l", SCOPED, "key-input-count", "one base too many", |v| key(&mut v.keys.nullifier, |k| k.l.push(g1(9.into())));
        "bad_key_other_relation", SCOPED, "key-input-count", "the nullifier's key as the policy's", |v| v.keys.policy = v.keys.nullifier.clone();
        "bad_key_trailing_byte", SCOPED, "key-encoding", "a byte after the last base", |v| v.keys.policy.push_str("00");
        "bad_key_count", SCOPED, "key-encoding", "more bases declared than there are", |v| {
            let mut raw = unhex(&v.keys.policy);
            raw[192..194].copy_from_slice(&u16::MAX.to_be_bytes());
            v.keys.policy = hex(&raw);
        };
        "bad_key_other_set", SCOPED, "key-set", "one key with another α",
            |v| key(&mut v.keys.nullifier, |k| k.alpha_g1 = (k.alpha_g1 + G1Affine::generator()).into_affine());
        "bad_key_shared_delta", SCOPED, "key-set", "two relations with one δ", |v| {
            let policy = VerifyingKey::decode(&unhex(&v.keys.policy)).unwrap();
            key(&mut v.keys.nullifier, |k| (k.delta_g1, k.delta_g2) = (policy.delta_g1, policy.delta_g2));
        };
        "bad_key_opposite_delta", SCOPED, "key-set", "two relations with δ and −δ", |v| {
            let policy = VerifyingKey::decode(&unhex(&v.keys.policy)).unwrap();
            key(&mut v.keys.nullifier, |k| (k.delta_g1, k.delta_g2) = (-policy.delta_g1, -policy.delta_g2));
        };
        "bad_key_other", SCOPED, "unproven", "a policy key that differs in the base of an input that is 0 here: every equation for the \
            old c holds, another digest", |v| key(&mut v.keys.policy, |k| k.l[37] = g1(9.into()));
    }
}

fn opened() -> Vec<Defect> {
    defects! {
        "bad_opening_value", SCOPED, "opening-mismatch", "another text", |v| openings(v, |o| o[0].value = AttributeValue::Text("Rialto".into()));
        "bad_opening_kind", SCOPED, "opening-mismatch", "an integer for a text", |v| openings(v, |o| o[0].value = AttributeValue::Integer(7));
        "bad_opening_blinding", SCOPED, "opening-mismatch", "the blinding + 1", |v| openings(v, |o| o[0].blinding += Fr::from(1u64));
        "bad_opening_slot", SCOPED, "opening-slots", "of slot 6", |v| openings(v, |o| o[0].slot = 6);
        "bad_opening_missing", SCOPED, "opening-slots", "no opening, where one is asked", |v| openings(v, |o| o.clear());
        "bad_opening_twice", SCOPED, "opening-slots", "the opening twice", |v| openings(v, |o| o.push(o[0].clone()));
        "bad_openings_reordered", SETS, "opening-slots", "in another order", |v| openings(v, |o| o.swap(0, 1));
        "bad_opening_blinding_plus_modulus", SCOPED, "opening-encoding", "the blinding b written b + r", |v| opening_bytes(v, |raw| {
            let last = raw.len() - 32;
            let mut carry = 0u16;
            for (byte, more) in raw[last..].iter_mut().zip(Fr::MODULUS.to_bytes_le()) {
                carry += u16::from(*byte) + u16::from(more);
                *byte = carry as u8;
                carry >>= 8;
            }
        });
        "bad_opening_trailing_byte", SCOPED, "opening-encoding", "a byte after the last", |v| opening_bytes(v, |raw| raw.push(0));
        "bad_opening_cut", SCOPED, "opening-encoding", "without its last byte", |v| opening_bytes(v, |raw| raw.truncate(raw.len() - 1));
        "bad_opening_count", SCOPED, "opening-encoding", "255 declared, one there", |v| opening_bytes(v, |raw| raw[0] = 255);
        "bad_opening_kind_unknown", SCOPED, "opening-encoding", "kind 4", |v| opening_bytes(v, |raw| raw[2] = 4);
        "bad_opening_not_utf8", SCOPED, "opening-encoding", "a text that is not UTF-8", |v| opening_bytes(v, |raw| raw[5] = 0xff);
        "bad_opening_text_too_long", SCOPED, "opening-encoding", "a text of 4,097 bytes", |v| opening_bytes(v, |raw| {
            raw[3..5].copy_from_slice(&4_097u16.to_be_bytes());
            raw.splice(5..5 + 8, [b'x'; 4_097]);
        });
    }
}
