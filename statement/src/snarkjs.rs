//! Verifying keys, proofs and public inputs in the JSON of snarkjs, which gnark's, rapidsnark's and many other Groth16
//! verifiers read too. Numbers are decimal strings, points are projective with a last coordinate of one.
//!
//! snarkjs checks e(A, B) = e(α, β)·e(IC₀ + Σ kᵢICᵢ, γ)·e(C, δ): our equation before anything is hidden, with γ = G₂. Hidden
//! inputs are public inputs to it, so whoever has these files learns them: they are for the holder's own checks.

use ark_bn254::{Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use serde_json::{Value, json};

use crate::verifying_key::VerifyingKey;

/// `verification_key.json`.
pub fn verifying_key(key: &VerifyingKey) -> Value {
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": key.inputs(),
        "vk_alpha_1": g1(&key.alpha_g1),
        "vk_beta_2": g2(&key.beta_g2),
        "vk_gamma_2": g2(&G2Affine::generator()),
        "vk_delta_2": g2(&key.delta_g2),
        "IC": key.l.iter().map(g1).collect::<Vec<_>>(),
    })
}

/// `proof.json`.
pub fn proof(a: &G1Affine, b: &G2Affine, c: &G1Affine) -> Value {
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "pi_a": g1(a),
        "pi_b": g2(b),
        "pi_c": g1(c),
    })
}

/// `public.json`: all public inputs, the hidden ones first.
pub fn public(inputs: &[Fr]) -> Value {
    inputs.iter().map(ToString::to_string).collect()
}

// Neither stands for infinity: keys are validated, and no proof with such a point is stored.
fn g1(point: &G1Affine) -> Value {
    json!([point.x.to_string(), point.y.to_string(), "1"])
}

fn g2(point: &G2Affine) -> Value {
    let pair = |value: &Fq2| [value.c0.to_string(), value.c1.to_string()];
    json!([pair(&point.x), pair(&point.y), ["1", "0"]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_those_that_snarkjs_has() {
        let key = verifying_key(&VerifyingKey {
            alpha_g1: G1Affine::generator(),
            beta_g2: G2Affine::generator(),
            delta_g1: G1Affine::generator(),
            delta_g2: G2Affine::generator(),
            l: vec![-G1Affine::generator()],
        });
        assert_eq!(key["vk_alpha_1"], json!(["1", "2", "1"]));
        // EIP-197's P2, real parts first.
        assert_eq!(
            key["vk_gamma_2"],
            json!([
                [
                    "10857046999023057135944570762232829481370756359578518086990519993285655852781",
                    "11559732032986387107991004021392285783925812861821192530917403151452391805634"
                ],
                [
                    "8495653923123431417604973247489272438418190587263600148770280649306958101930",
                    "4082367875863433681332203403145435568316851327593401208105741076214120093531"
                ],
                ["1", "0"]
            ])
        );
        assert_eq!(key["nPublic"], 0);
        assert_eq!(
            key["IC"][0][1],
            "21888242871839275222246405745257275088696311157297823662689037894645226208581"
        );
    }

    #[test]
    fn zero_is_a_number() {
        assert_eq!(
            public(&[Fr::from(0), -Fr::from(1)]),
            json!([
                "0",
                "21888242871839275222246405745257275088548364400416034343698204186575808495616"
            ])
        );
    }
}
