//! The quickstart that stays up: what may be asked of it, what the loss of signers does, and that nothing is left of it.

use std::time::Duration;

use rustix::process::Signal;

use crate::program::{Data, Up, bauta, end, folder, tool, until};

#[test]
fn it_stays_up_loses_signers_gets_them_back_and_ends_cleanly() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let up = Up::ready(&data);
    let service = data.endpoint("service");
    assert_eq!(
        data.processes().len(),
        1 + 1 + 5 + 1,
        "{:?}",
        data.processes()
    );

    // The lines that it prints are true.
    let said = up.said();
    assert!(
        said.contains(&format!(
            "curl --cacert {} {service}/v1/policies",
            data.text("tls/ca.pem")
        )),
        "{said}"
    );
    let ca = data.text("tls/ca.pem");
    let curl = |path: &str| {
        tool(
            &data.0,
            "curl",
            &[
                "--silent",
                "--show-error",
                "--fail",
                "--cacert",
                &ca,
                &format!("{service}{path}"),
            ],
        )
    };
    assert!(curl("/v1/policies").contains("research-or-senior"));
    assert!(curl("/checkpoint").starts_with("example.org/"));
    for path in [
        "/v1/epochs",
        "/v1/trust-bundle",
        "/v1/authority",
        "/log-policy",
        "/healthz",
        "/readyz",
    ] {
        curl(path);
    }
    let audit = || {
        end(bauta()
            .args([
                "--json",
                "audit",
                &service,
                "--service-ca",
                &ca,
                "--log-policy",
            ])
            .arg(data.path("log-policy")))
    };
    assert_eq!(audit().with(0).json()["issued"], 1);

    // One signer may be missing.
    let out = folder.path().join("out");
    data.kill("signers/2/config.json");
    end(&mut data.authenticate("ada", &out)).with(0);
    data.verify(&out).with(0);

    // Two may not: 503 with Retry-After, and exit 75.
    data.kill("signers/4/config.json");
    let first = end(data.authenticate("ada", &out).args(["--wait", "4"])).with(75);
    assert!(first.err.contains("\"exit\":75"), "{}", first.err);
    // Nothing was spent twice: asked again it is the same request, which waits for its certificate.
    end(data.authenticate("ada", &out).args(["--wait", "1"])).with(75);
    until(
        "the quickstart says what ended and how to start it again",
        10,
        || {
            let said = up.said();
            said.contains("signer-2 ended")
                && said.contains("signer-4 ended")
                && said.contains("signers/4/config.json")
        },
    );

    let _again = data.start("signer", "signers/4/config.json");
    let resumed = end(data.authenticate("ada", &out).args(["--wait", "30"]))
        .with(0)
        .json();
    let verified = data.verify(&out).with(0).json();
    assert_eq!(verified["index"], resumed["index"]);
    // The one that was away catches up.
    let _too = data.start("signer", "signers/2/config.json");
    until(
        "a signer that was away holds the whole log again",
        20,
        || {
            let of = |name: &str| {
                std::fs::read_to_string(data.path(name))
                    .unwrap_or_default()
                    .lines()
                    .nth(1)
                    .map(str::to_owned)
            };
            of("signers/2/log/checkpoint") == of("log/checkpoint")
        },
    );
    assert_eq!(audit().with(0).json()["issued"], 3);
    data.audit();

    drop((_again, _too));
    let status = up.interrupt();
    assert_eq!(status.code(), Some(0));
    data.nothing_left();
}

#[test]
fn kill_9_of_it_leaves_nothing_behind() {
    let folder = folder();
    let data = Data(folder.path().join("data"));
    let mut up = Up::start(&data);
    until("all its parts run", 60, || {
        data.process("issuer/config.json").is_some()
    });
    assert!(data.processes().len() >= 8);
    up.signal(Signal::KILL);
    let _ = up.process.0.wait();
    data.nothing_left();

    // Ctrl-C in the middle of the story ends it as cleanly, and names the remedy.
    let up = Up::start(&data);
    until("its service runs again", 60, || {
        data.process("service/config.json").is_some()
    });
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(up.interrupt().code(), Some(1));
    data.nothing_left();
}
