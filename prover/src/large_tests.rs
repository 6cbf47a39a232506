//! What possession of an X.509 certificate costs, part by part. Prints the times; for release builds:
//!
//!     cargo test --release -p bauta-prover --features parallel --lib half_a_million_constraints -- --ignored --nocapture
//!     cargo test --release -p bauta-prover --features parallel --lib twice_as_many -- --ignored --nocapture

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
    Circuit,
    possession::x509_rsa::{Long, Standard, Variant, X509RsaWitness},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::{credential::X509RsaCredential, msm::Digits, prove, quotient::Sides};

#[path = "../tests/common/certificates.rs"]
mod certificates;

fn witness<V: Variant>(pem: &str) -> X509RsaWitness<V> {
    let (der, issuer, schema) = (
        certificates::der(pem),
        certificates::issuer(),
        certificates::schema(),
    );
    let credential = X509RsaCredential::read(der, issuer, schema).unwrap();
    let possession = Zeroizing::new(*include_bytes!("../../vectors/x509_rsa/possession.sig"));
    let witness = credential.witness(possession).unwrap();
    witness.check().unwrap();
    witness
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
    measure::<Standard>(include_str!("../../vectors/x509_rsa/smart_card.pem"));
}

#[test]
#[ignore = "a measurement: a minute, two gigabytes of memory, 0.4 GB of disk"]
fn twice_as_many() {
    measure::<Long>(include_str!("../../vectors/x509_rsa/long.pem"));
}

fn measure<V: Variant>(pem: &str) {
    let witness = witness::<V>(pem);
    let mut clock = Clock::start();
    let shape = X509RsaWitness::<V>::record();
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
    let assignment = witness.assignment();
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
