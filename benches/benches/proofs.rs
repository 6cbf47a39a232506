//! Proving each relation, showing, verifying one and a batch of 64; plain ark-groth16 verification of the same three proofs,
//! nothing hidden and nothing tied together, stands beside.

#![allow(missing_docs, reason = "criterion_group! makes public items")]

// The same holder's story as in the prover's tests.
#[path = "../../prover/tests/common/mod.rs"]
#[allow(dead_code, reason = "the tests use parts that the benches do not")]
mod common;

use std::hint::black_box;

use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, PreparedVerifyingKey, Proof, prepare_verifying_key};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use bauta_circuits::Circuit;
use bauta_circuits::nullifier::NullifierWitness;
use bauta_circuits::policy::PolicyWitness;
use bauta_circuits::possession::native::NativeWitness;
use bauta_prover::keys::{HolderKeys, Tables};
use bauta_prover::prepare::native_witness;
use bauta_prover::prove::{RelationProof, prove};
use bauta_prover::show::{Holding, Prepared};
use bauta_statement::presentation::Presentation;
use bauta_statement::vector::Format;
use bauta_verifier::batch::verify_batch;
use bauta_verifier::presentation::{Item, verify_bytes};
use common::{context, rng, story};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Each relation, and "prepare": the two that every policy needs, possession and policy. On one thread; on all cores with the
/// feature `parallel`.
fn proving(c: &mut Criterion) {
    let story = story();
    let mut rng = rng(1);
    let mut group = c.benchmark_group("prove");
    group.sample_size(10);
    let native = native_witness(&story.credential);
    group.bench_function("possession-native", |b| {
        b.iter(|| prove(&story.native, &native, &mut rng).unwrap())
    });
    group.bench_function("policy", |b| {
        b.iter(|| prove(&story.policy_prover, &story.policy_witness, &mut rng).unwrap())
    });
    group.bench_function("prepare: possession-native and policy", |b| {
        b.iter(|| {
            let possession = prove(&story.native, &native, &mut rng).unwrap();
            let policy = prove(&story.policy_prover, &story.policy_witness, &mut rng).unwrap();
            (possession, policy)
        })
    });
    group.bench_function("nullifier", |b| {
        b.iter(|| prove(&story.nullifier, &story.use_witness, &mut rng).unwrap())
    });
}

fn showing(c: &mut Criterion) {
    let story = story();
    let mut rng = rng(2);
    let context = context();
    let plain_keys = HolderKeys::new(
        &[(Format::Native, story.native.verifying_key().clone())],
        story.policy_prover.verifying_key(),
        story.nullifier.verifying_key(),
        Tables::None,
    )
    .unwrap();
    let prepared = |keys, scoped: bool| {
        let used = scoped.then_some(&story.use_proof);
        let holding = Holding::from(&story.credential);
        Prepared::new(
            keys,
            holding,
            &story.possession,
            &story.policy_proof,
            used,
            story.slots(),
        )
        .unwrap()
    };
    let mut group = c.benchmark_group("show");
    for (name, keys, scoped) in [
        ("three proofs, tables", &story.holder_keys, true),
        ("three proofs, no tables", &plain_keys, true),
        ("two proofs, tables", &story.holder_keys, false),
    ] {
        let prepared = prepared(keys, scoped);
        group.bench_function(name, |b| {
            b.iter(|| prepared.show(&mut rng, keys, &context).unwrap())
        });
    }
}

fn verifying(c: &mut Criterion) {
    let story = story();
    let mut rng = rng(3);
    let context = context();
    let shown: Vec<Vec<u8>> = (0..64)
        .map(|_| {
            story
                .prepared
                .show(&mut rng, &story.holder_keys, &context)
                .unwrap()
                .0
                .encode()
        })
        .collect();
    println!(
        "presentation, three proofs, one disclosure: {} bytes",
        shown[0].len()
    );
    println!(
        "presentation, two proofs, one disclosure: {} bytes",
        Presentation::encoded_len(false, 1)
    );
    let two_proofs = {
        let holding = Holding::from(&story.credential);
        let keys = &story.holder_keys;
        Prepared::new(
            keys,
            holding,
            &story.possession,
            &story.policy_proof,
            None,
            story.slots(),
        )
        .unwrap()
        .show(&mut rng, keys, &context)
        .unwrap()
        .0
        .encode()
    };
    let unscoped = story
        .context_for(story.operands, vec![5], &story.public, false)
        .unwrap();

    let mut group = c.benchmark_group("verify");
    group.bench_function("decode", |b| {
        b.iter(|| Presentation::decode_for_verifier(black_box(&shown[0])).unwrap())
    });
    group.bench_function("one, three proofs", |b| {
        b.iter(|| {
            verify_bytes(
                &story.policy,
                &context,
                black_box(&shown[0]),
                Some(story.usage),
            )
            .unwrap()
        })
    });
    group.bench_function("one, two proofs", |b| {
        b.iter(|| verify_bytes(&unscoped, &context, black_box(&two_proofs), None).unwrap())
    });
    group.throughput(Throughput::Elements(64));
    group.sample_size(20);
    group.bench_function("batch of 64, three proofs", |b| {
        b.iter(|| {
            let presentations: Vec<_> = shown
                .iter()
                .map(|bytes| Presentation::decode_for_verifier(black_box(bytes)).unwrap())
                .collect();
            let items: Vec<_> = presentations
                .iter()
                .map(|presentation| Item {
                    policy: &story.policy,
                    context: &context,
                    presentation,
                    usage: Some(story.usage),
                })
                .collect();
            assert!(verify_batch(&items).iter().all(Result::is_ok));
        })
    });
}

/// What anyone would get from arkworks alone, with every hidden input given away.
fn peer(c: &mut Criterion) {
    let story = story();
    let one = |proof: &RelationProof, key: PreparedVerifyingKey<Bn254>, inputs: Vec<Fr>| {
        let proof = Proof::<Bn254> {
            a: proof.a,
            b: proof.b,
            c: proof.c,
        };
        let mut bytes = Vec::new();
        proof.serialize_compressed(&mut bytes).unwrap();
        (bytes, key, inputs)
    };
    let native = native_witness(&story.credential);
    let proofs = [
        one(
            &story.possession,
            prepare_verifying_key(&common::parameters::<NativeWitness>().vk),
            native.instances(),
        ),
        one(
            &story.policy_proof,
            prepare_verifying_key(&common::parameters::<PolicyWitness>().vk),
            story.policy_witness.instances(),
        ),
        one(
            &story.use_proof,
            prepare_verifying_key(&common::parameters::<NullifierWitness>().vk),
            story.use_witness.instances(),
        ),
    ];
    c.bench_function("peer: ark-groth16, the same three proofs", |b| {
        b.iter(|| {
            for (bytes, key, inputs) in &proofs {
                let proof =
                    Proof::<Bn254>::deserialize_compressed(black_box(bytes).as_slice()).unwrap();
                assert!(Groth16::<Bn254>::verify_proof(key, &proof, inputs).unwrap());
            }
        })
    });
}

criterion_group!(benches, proving, showing, verifying, peer);
criterion_main!(benches);
