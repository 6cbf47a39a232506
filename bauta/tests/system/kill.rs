//! `kill -9` at any moment: of the service and of a signer while certificates are issued, and of the whole quickstart. After
//! each, nothing that was accepted is lost, no key is used up for nothing, and no certificate is without its entry.

use std::{fs, path::Path, process::Stdio, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::process::Signal;

use crate::program::{Data, Ended, Running, Up, end, folder};

/// The bound of the example policy: a person's keys of a day.
const BOUND: usize = 5;

/// Asks until there is a certificate, as a person would after "try again later". Gives the entry's index.
#[track_caller]
fn insist(data: &Data, person: &str, out: &Path) -> u64 {
    for _ in 0..20 {
        let ended = end(&mut data.authenticate(person, out));
        if ended.code == Some(75) {
            std::thread::sleep(Duration::from_millis(500));
            continue;
        }
        return ended.with(0).json()["index"].as_u64().expect("an index");
    }
    panic!("no certificate after twenty requests");
}

/// A certificate is the one of the entry that it claims, and of the key beside it.
#[track_caller]
fn check(data: &Data, out: &Path, index: u64) {
    assert_eq!(data.verify(out).with(0).json()["index"], index);
    let of_key = crate::program::tool(out, "openssl", &["pkey", "-in", "key.pem", "-pubout"]);
    assert_eq!(
        of_key,
        crate::program::tool(
            out,
            "openssl",
            &["x509", "-in", "certificate.pem", "-noout", "-pubkey"]
        )
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Service,
    ServiceAndHolder,
    Signers,
}

/// Uses up a person's keys of the day, and in each attempt kills someone after a few milliseconds. Whatever was killed, the
/// person ends with as many certificates as the policy allows: none was lost, and none was counted twice.
fn issue_under_kills(
    data: &Data,
    person: &str,
    already: usize,
    random: &mut StdRng,
    victims: &[Victim],
) {
    let mut by_hand: Vec<(String, Running)> = Vec::new();
    let mut indices = Vec::new();
    for round in already..BOUND {
        let victim = victims[round % victims.len()];
        let out = data.path(&format!("out-{person}-{round}"));
        let mut holder = Running(
            data.authenticate(person, &out)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("bauta starts"),
        );
        let moment = random.gen_range(0..400);
        std::thread::sleep(Duration::from_millis(moment));
        let config = match victim {
            Victim::Signers => vec![
                "signers/1/config.json".to_owned(),
                format!("signers/{}/config.json", random.gen_range(2..=5)),
            ],
            _ => vec!["service/config.json".to_owned()],
        };
        if victim == Victim::ServiceAndHolder {
            let _ = holder.0.kill();
        }
        for config in &config {
            data.kill(config);
        }
        std::thread::sleep(Duration::from_millis(random.gen_range(0..300)));
        for config in config {
            by_hand.retain(|(running, _)| *running != config);
            let part = if config.starts_with("service") {
                "service"
            } else {
                "signer"
            };
            let running = data.start(part, &config);
            by_hand.push((config, running));
        }
        // The first request either has its certificate, or leaves one that waits: the next run ends it.
        let status = holder.0.wait().expect("a child");
        let index = if status.success() {
            data.verify(&out).with(0).json()["index"]
                .as_u64()
                .expect("an index")
        } else {
            insist(data, person, &out)
        };
        check(data, &out, index);
        data.audit();
        eprintln!(
            "round {round}: {victim:?} killed after {moment} ms; first run {status}; entry {index}"
        );
        indices.push(index);
    }
    let all = indices.len();
    indices.dedup();
    assert_eq!(
        indices.len(),
        all,
        "each certificate has an entry of its own"
    );
    // All keys of the day were had, and not one more.
    let refused = end(&mut data.authenticate(person, &data.path("out-none")));
    refused.with(1).says("all 5 keys");
    drop(by_hand);
}

#[test]
fn service_and_signers_killed_while_issuing() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let up = Up::ready(&data);
    let mut random = StdRng::seed_from_u64(3);
    let victims = [
        Victim::Service,
        Victim::Service,
        Victim::ServiceAndHolder,
        Victim::Signers,
        Victim::ServiceAndHolder,
    ];
    issue_under_kills(&data, "ada", 1, &mut random, &victims);
    assert_eq!(
        data.audit()["issued"].as_u64(),
        Some(BOUND as u64),
        "one valid entry for each key, however often it was asked for"
    );
    assert_eq!(up.interrupt().code(), Some(0));
    data.nothing_left();
    // And the whole of it starts again; Grace has her keys.
    assert!(data.once().with(0).err.contains("Grace"));
    data.nothing_left();
}

/// Kills the whole quickstart at `moments` and finds that it works in the same folder afterwards.
fn survives(data: &Data, moments: impl IntoIterator<Item = u64>) -> Ended {
    for moment in moments {
        let mut up = Up::start(data);
        std::thread::sleep(Duration::from_millis(moment));
        // It must not have given up by itself.
        assert_eq!(
            up.process.0.try_wait().expect("a child"),
            None,
            "{}",
            up.said()
        );
        up.signal(Signal::KILL);
        let _ = up.process.0.wait();
        data.nothing_left();
        // A certificate that lies there is whole, with its proof and key.
        if data.path("holder/certificate.pem").exists() {
            data.verify(&data.path("holder")).with(0);
        }
        eprintln!(
            "killed after {moment} ms, having said:\n{}",
            up.said().lines().last().unwrap_or_default()
        );
    }
    let ended = data.once();
    data.nothing_left();
    ended
}

#[test]
fn the_quickstart_killed_at_random_moments_works_in_the_same_folder() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let mut random = StdRng::seed_from_u64(11);
    // Early ones first, or the founding would only be met once.
    let mut moments: Vec<u64> = (0..8).map(|_| random.gen_range(50..5_000)).collect();
    moments.sort_unstable();
    let ended = survives(&data, moments).with(0);
    assert!(ended.err.contains("All of it took"), "{}", ended.err);
    data.audit();
    assert!(fs::metadata(data.path("holder/key.pem")).is_ok());
}

#[test]
#[ignore = "long: cargo xtask test --full"]
fn the_quickstart_killed_at_many_random_moments() {
    for seed in 0..12 {
        let folder = folder();
        let data = Data(folder.path().join("data"));
        let mut random = StdRng::seed_from_u64(seed);
        let moments: Vec<u64> = (0..8).map(|_| random.gen_range(10..6_000)).collect();
        survives(&data, moments).with(0);
        data.audit();
    }
}

#[test]
#[ignore = "long: cargo xtask test --full"]
fn service_and_signers_killed_many_times_while_issuing() {
    for seed in 0..6 {
        let folder = folder();
        let data = Data(folder.path().join("data"));
        let _up = Up::ready(&data);
        let mut random = StdRng::seed_from_u64(seed);
        let victims = [Victim::Service, Victim::ServiceAndHolder, Victim::Signers];
        issue_under_kills(&data, "ada", 1, &mut random, &victims);
    }
}
