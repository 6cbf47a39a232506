//! A CA among CAs over real sockets: requests for an organisation's own root, RSA and ECDSA, and what is served of them; one key
//! after the other.

use std::{path::Path, process::Command};

use bauta_service::admin::{AdminError, Client};
use bauta_statement::{
    certificate::OutsideCertificate,
    file::{
        Authority, KeyOperation, Kind, SignedFile,
        hierarchy::{Der, InstallCaCertificate, RequestCaCertificate},
        key_operation::CaSubject,
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;

use super::world::{CA_NAME, World};

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let ended = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl: install it");
    assert!(
        ended.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    String::from_utf8(ended.stdout).unwrap()
}

fn subject() -> CaSubject {
    CaSubject {
        country: None,
        organization: None,
        common_name: CA_NAME.to_owned(),
    }
}

fn der(folder: &Path, name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(folder.join(name))
        .unwrap()
        .to_vec()
}

/// Logs a key operation and has it signed: PEM.
async fn signed(world: &World, client: &Client, name: &str, operation: &KeyOperation) -> String {
    let note = world.sign(Kind::KeyOperation, name, operation);
    client.submit_file(&note).await.unwrap();
    let digest = data_encoding::HEXLOWER.encode(&SignedFile::parse(&note).unwrap().digest());
    let pem = client.sign_operation(&digest).await.unwrap();
    assert_eq!(client.sign_operation(&digest).await.unwrap(), pem, "once");
    pem
}

async fn ca(world: &World) -> Value {
    let (status, body) = world.request("GET", "/v1/ca", "").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_s_root_certifies_the_ca_by_its_own_tools() {
    let mut world = World::begun().await;
    let own = world.make_ca().await;
    let client = world.client();
    let group_key = client.status().await.unwrap().ca_keys[0].group_key;
    let folder = world.path().join("organisation");
    std::fs::create_dir(&folder).unwrap();
    let asked = KeyOperation::RequestCaCertificate(RequestCaCertificate {
        key: "key-1".to_owned(),
        group_key,
        subject: subject(),
        path_length: 0,
    });
    let request = signed(&world, &client, "request-key-1", &asked).await;
    std::fs::write(folder.join("ca.csr"), request).unwrap();
    std::fs::write(folder.join("own.pem"), &own).unwrap();
    openssl(&folder, &["req", "-in", "ca.csr", "-noout", "-verify"]);

    // `openssl x509 -req` under an RSA root, and `openssl ca` under an ECDSA one.
    let root = |name: &str, key: &[&str]| {
        let (key_file, root_file) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/O=Example/CN={name} root");
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-newkey"];
        arguments.extend(key);
        arguments.extend(["-keyout", &key_file, "-out", &root_file, "-subj", &subject]);
        arguments.extend(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        openssl(&folder, &arguments);
    };
    root("rsa", &["rsa:2048"]);
    root("ec", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let by_rsa = [
        "x509",
        "-req",
        "-in",
        "ca.csr",
        "-CA",
        "rsa.pem",
        "-CAkey",
        "rsa.key",
        "-CAcreateserial",
        "-days",
        "30",
    ];
    let copying = [
        &by_rsa[..],
        &["-copy_extensions", "copyall", "-out", "by-rsa.pem"],
    ]
    .concat();
    openssl(&folder, &copying);
    let bare = [&by_rsa[..], &["-out", "bare.pem"]].concat();
    openssl(&folder, &bare);
    std::fs::write(
        folder.join("ca.conf"),
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\nprivate_key=ec.key\ncertificate=ec.pem\n\
         default_md=sha384\ndefault_days=40\npolicy=p\ncopy_extensions=copyall\nunique_subject=no\n[p]\ncommonName=supplied\n",
    )
    .unwrap();
    std::fs::write(folder.join("index.txt"), "").unwrap();
    std::fs::write(folder.join("serial"), "01\n").unwrap();
    openssl(
        &folder,
        &[
            "ca",
            "-config",
            "ca.conf",
            "-batch",
            "-notext",
            "-in",
            "ca.csr",
            "-out",
            "by-ec.pem",
        ],
    );
    for (root, made) in [("rsa.pem", "by-rsa.pem"), ("ec.pem", "by-ec.pem")] {
        openssl(&folder, &["verify", "-x509_strict", "-CAfile", root, made]);
        let read = |name: &str| OutsideCertificate::from_der(&der(&folder, name)).unwrap();
        assert!(bauta_verifier::certificate::is_issued_by(
            &read(made),
            &read(root)
        ));
    }

    let install = |certificate: &str, chain: &[&str]| InstallCaCertificate {
        key: "key-1".to_owned(),
        group_key,
        subject: subject(),
        certificate: Der(der(&folder, certificate)),
        chain: chain.iter().map(|one| Der(der(&folder, one))).collect(),
    };
    let submit = async |name: &str, one: InstallCaCertificate| {
        let operation = KeyOperation::InstallCaCertificate(one);
        let note = world.sign(Kind::KeyOperation, name, &operation);
        client.submit_file(&note).await
    };
    // Without the request's extensions it is no CA's certificate.
    for (certificate, why) in [
        ("bare.pem", "version 3"),
        ("own.pem", "self-issued"),
        ("rsa.pem", "another key"),
    ] {
        match submit("bad", install(certificate, &[])).await {
            Err(AdminError::Refused(reason)) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{certificate}: {other:?}"),
        }
    }
    submit("by-rsa", install("by-rsa.pem", &["rsa.pem"]))
        .await
        .unwrap();
    submit("by-ec", install("by-ec.pem", &[])).await.unwrap();

    let told = ca(&world).await;
    let certificates = told["keys"][0]["certificates"].as_array().unwrap();
    let issued_by: Vec<_> = certificates
        .iter()
        .map(|one| one["issued_by"].clone())
        .collect();
    assert_eq!(issued_by, ["itself", "another CA", "another CA"]);
    assert_eq!(certificates[0]["chain"], own);
    assert_eq!(
        certificates[1]["chain"],
        std::fs::read_to_string(folder.join("by-ec.pem")).unwrap(),
        "the last one logged first"
    );
    // All is there again after a restart.
    world.stop_service().await;
    world.start_service();
    world
        .until("the service is up", async || client.status().await.is_ok())
        .await;
    world.until_connected(5).await;
    assert_eq!(ca(&world).await, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_is_announced_and_the_first_taken_away() {
    let world = World::begun().await;
    let first = world.make_ca().await;
    let client = world.client();
    client
        .submit_file(&world.generation("key-2"))
        .await
        .unwrap();
    client.generate_key().await.unwrap();
    let keys = client.status().await.unwrap().ca_keys;
    client
        .submit_file(&world.certificate_order("key-2", keys[1].group_key))
        .await
        .unwrap();
    client.sign_ca_certificate().await.unwrap();

    // Both are served while the authority has both.
    let chains = |told: &Value| -> Vec<String> {
        let keys = told["keys"].as_array().unwrap().iter();
        keys.map(|key| key["certificates"][0]["chain"].as_str().unwrap().to_owned())
            .collect()
    };
    let both = chains(&ca(&world).await);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], first);
    let bundle = async || -> Value {
        let (status, body) = world.request("GET", "/v1/trust-bundle", "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let before = bundle().await;
    assert_eq!(before["keys"].as_array().unwrap().len(), 2);

    let state = client.ca().await.unwrap();
    let file = SignedFile::parse(state.authority.as_bytes()).unwrap();
    let bauta_statement::file::Body::Authority(authority) = file.body else {
        panic!("no authority")
    };
    let mut without: Authority = *authority;
    without.version += 1;
    without.ca_keys.remove(0);
    client
        .submit_file(&world.sign_text(&without.to_text().unwrap()))
        .await
        .unwrap();
    assert_eq!(chains(&ca(&world).await), both[1..]);
    let after = bundle().await;
    assert_eq!(after["keys"].as_array().unwrap().len(), 1);
    assert!(
        after["spiffe_sequence"].as_u64() > before["spiffe_sequence"].as_u64(),
        "the sequence only goes up"
    );
    // Nothing is signed by the key any more; signing by the other goes on.
    let order = |key: &str, group_key| {
        KeyOperation::RequestCaCertificate(RequestCaCertificate {
            key: key.to_owned(),
            group_key,
            subject: subject(),
            path_length: 0,
        })
    };
    let note = world.sign(
        Kind::KeyOperation,
        "late",
        &order("key-1", keys[0].group_key),
    );
    assert!(matches!(
        client.submit_file(&note).await,
        Err(AdminError::Refused(_))
    ));
    signed(
        &world,
        &client,
        "request-2",
        &order("key-2", keys[1].group_key),
    )
    .await;
}
