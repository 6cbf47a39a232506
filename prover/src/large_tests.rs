//! What a relation of the size of possession by an X.509 certificate costs, until that relation is here: a TBSCertificate of up to
//! 1,079 bytes is hashed, two RSA-2048 signatures are verified, and some more is hashed. Prints the times; for release builds:
//!
//!     cargo test --release --workspace --lib half_a_million_constraints -- --ignored --nocapture

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    time::Instant,
};

use ark_bn254::{Bn254, Fr};
use ark_ff::{PrimeField, UniformRand};
use ark_groth16::ProvingKey;
use ark_serialize::CanonicalDeserialize;
use bauta_circuits::{
    gadgets::{
        bytes::Bytes,
        der::element,
        natural::Natural,
        rsa::{LIMBS_2048, PublicKey, verify},
        sha256, spki, tbs,
    },
    system::{Lc, System},
};
use num_bigint::BigUint;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{msm::Digits, prove, quotient::Sides};

/// The signed part of a certificate, and the signature.
fn parts(certificate: &[u8]) -> (&[u8], BigUint) {
    let (_, start, _) = element(certificate, 0).unwrap();
    let (_, _, end) = element(certificate, start).unwrap();
    let (_, _, next) = element(certificate, end).unwrap();
    let (_, bits, last) = element(certificate, next).unwrap();
    let signature = BigUint::from_bytes_be(&certificate[bits + 1..last]);
    (&certificate[start..end], signature)
}

fn synthesize(recording: bool) -> System {
    let (signed, signature) = parts(include_bytes!("../../vectors/tbs/serial_1_octet.der"));
    let (authority, _) = parts(include_bytes!("../../vectors/tbs/ca.der"));
    let (start, end) = tbs::fields(authority, &tbs::SHA256_WITH_RSA).unwrap().key;
    let modulus = BigUint::from_bytes_be(spki::modulus(&authority[start..end], 256).unwrap());

    let length = Fr::from(signed.len() as u64);
    let mut system = System::new(&[length, Fr::from(100u64)], recording);
    let hashed = |system: &mut System, length: &Lc, bytes: &[u8], room: usize| {
        let bytes: Vec<Lc> = (0..room)
            .map(|place| system.witness(Fr::from(bytes.get(place).copied().unwrap_or_default())))
            .collect();
        let string = Bytes::new(system, &bytes, length);
        sha256::hash(system, &string)
    };
    let (length, hundred) = (system.instance(0), system.instance(1));
    let digest = hashed(&mut system, &length, signed, 1079);
    for _ in 0..2 {
        let modulus = Natural::witness(&mut system, "modulus", &modulus, LIMBS_2048);
        let signature = Natural::witness(&mut system, "signature", &signature, LIMBS_2048);
        let key = PublicKey::new(&mut system, &modulus);
        verify(&mut system, &key, &signature, &digest);
    }
    hashed(&mut system, &hundred, &signed[..100], 183);
    system
}

/// The most memory that the process has had, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    number.unwrap_or_default() / 1024
}

/// Seconds of processor time, of all threads: what a machine that others use too says.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = times
        .skip(11)
        .take(2)
        .filter_map(|time| time.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), processor())
    }

    fn lap(&mut self, what: &str) {
        let (wall, cpu) = (self.0.elapsed().as_secs_f64(), processor() - self.1);
        println!(
            "{what}: {wall:.2} s, processor {cpu:.2} s, peak {} MB",
            peak()
        );
        *self = Self::start();
    }
}

#[test]
#[ignore = "a measurement: half a minute, a gigabyte of memory, 0.2 GB of disk"]
fn half_a_million_constraints() {
    let mut clock = Clock::start();
    let shape = synthesize(true).into_r1cs();
    clock.lap("record the shape");
    println!(
        "{} constraints, {} terms, {} witnesses",
        shape.rows.len(),
        shape.rows.terms(),
        shape.witnesses
    );
    shape.digest();
    clock.lap("its digest");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let trapdoor = bauta_setup::Trapdoor {
        alpha: Fr::from(3u64),
        beta: Fr::from(5u64),
        delta: Fr::from(7u64),
        tau: ChaCha20Rng::seed_from_u64(1),
    };
    let mut file = BufWriter::new(File::create(&path).unwrap());
    bauta_setup::generate(&shape, trapdoor, &mut file, &mut |_| ()).unwrap();
    drop(file);
    clock.lap("make the keys");
    println!(
        "{} MB on disk",
        std::fs::metadata(&path).unwrap().len() >> 20
    );
    let mut file = BufReader::with_capacity(1 << 20, File::open(&path).unwrap());
    let key = ProvingKey::<Bn254>::deserialize_uncompressed_unchecked(&mut file).unwrap();
    clock.lap("read them");

    let mut whole = Clock::start();
    let assignment = synthesize(false).into_assignment();
    clock.lap("values");
    let sides = Sides::of(&shape, &assignment).unwrap();
    clock.lap("rows");
    let quotient = sides.quotient();
    clock.lap("quotient");
    let digits = Digits::new(&quotient[..key.h_query.len()]);
    clock.lap("its digits");
    let h = digits.multiply(&key.h_query);
    clock.lap("h");
    drop((digits, quotient));
    let digits = Digits::new(&assignment.values()[assignment.instances()..]);
    clock.lap("the witnesses' digits");
    let l = digits.multiply(&key.l_query);
    clock.lap("l");
    let digits = Digits::new(assignment.values());
    let a = digits.multiply(&key.a_query);
    clock.lap("a");
    let b1 = digits.multiply(&key.b_g1_query);
    clock.lap("b in G1");
    let b2 = digits.multiply(&key.b_g2_query);
    clock.lap("b in G2");
    whole.lap("all of it");
    let _ = std::hint::black_box((h, l, a, b1, b2));
    let large = assignment
        .values()
        .iter()
        .filter(|value| value.into_bigint().0[1..] != [0; 3]);
    println!("{} witnesses beyond 64 bits", large.count());

    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let randomness = [Fr::rand(&mut rng), Fr::rand(&mut rng)];
    let sides = Sides::of(&shape, &assignment).unwrap();
    let proof = prove::groth16(&key, &assignment, sides, randomness);
    clock.lap("rows, quotient and proof once more");
    let verifying = crate::keys::verifying_key(&key).unwrap();
    let instances = &assignment.values()[1..assignment.instances()];
    assert!(prove::verifies(
        &verifying, instances, &proof.a, &proof.b, &proof.c
    ));
}
