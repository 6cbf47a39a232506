//! Enrolment at a real desk, over mutual TLS, with certificates and keys in every form that openssl leaves them in.

use std::{fs, net::TcpListener, path::Path};

use serde_json::json;

use crate::program::{Ended, Running, bauta, end, folder, run, tool, until};

/// A desk of its own, and the organisation's PKI made by openssl: a root, an intermediate below it.
struct Organisation {
    folder: tempfile::TempDir,
    url: String,
    _desk: Running,
}

impl Organisation {
    fn new() -> Self {
        let folder = folder();
        let root = folder.path();
        let make = |arguments: &[&str]| tool(root, "openssl", arguments);
        make(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "30",
            "-subj",
            "/O=Example Organisation/CN=Root",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]);
        fs::write(
            root.join("intermediate.ext"),
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n",
        )
        .unwrap();
        make(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "intermediate.key",
            "-out",
            "intermediate.csr",
            "-subj",
            "/O=Example Organisation/CN=People",
        ]);
        make(&[
            "x509",
            "-req",
            "-in",
            "intermediate.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            "intermediate.ext",
            "-out",
            "intermediate.pem",
        ]);
        fs::write(
            root.join("schema.json"),
            include_str!("../../../docs/examples/schema.json"),
        )
        .unwrap();
        run([
            "keys",
            "new",
            "tls",
            "--name",
            "127.0.0.1",
            "--out",
            root.join("tls").to_str().unwrap(),
        ])
        .with(0);
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = json!({
            "name": "example-organisation", "trust_domain": "example.org", "listen": format!("127.0.0.1:{port}"),
            "folder": root.join("desk"), "schema": root.join("schema.json"), "client_authorities": root.join("ca.pem"),
            "tls_certificate": root.join("tls/server.pem"), "tls_key": root.join("tls/server.key"),
        });
        fs::write(root.join("config.json"), config.to_string()).unwrap();
        let log = fs::File::create(root.join("desk.log")).unwrap();
        let desk = Running(
            bauta()
                .args(["issuer", "--config"])
                .arg(root.join("config.json"))
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        until("the desk opens", 20, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            folder,
            url: format!("https://127.0.0.1:{port}"),
            _desk: desk,
        }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        tool(self.folder.path(), "openssl", arguments)
    }

    /// A client certificate `NAME.pem` and key `NAME.key`, made with `openssl req -newkey ALGORITHM…`.
    fn client(&self, name: &str, algorithm: &[&str], signer: &str, extensions: bool) {
        let (key, csr, certificate) = (
            format!("{name}.key"),
            format!("{name}.csr"),
            format!("{name}.pem"),
        );
        let subject = format!("/C=FR/O=Example Organisation/OU=Research/title=3/CN={name}");
        let mut request = vec!["req", "-newkey"];
        request.extend_from_slice(algorithm);
        request.extend_from_slice(&["-nodes", "-keyout", &key, "-out", &csr, "-subj", &subject]);
        self.openssl(&request);
        let file = format!("{name}.ext");
        fs::write(
            self.at(&file),
            format!("extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\nsubjectAltName=email:{name}@example.org\n"),
        )
        .unwrap();
        let (ca, ca_key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let mut sign = vec![
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            "10",
            "-out",
            &certificate,
        ];
        if extensions {
            sign.extend_from_slice(&["-extfile", &file]);
        }
        self.openssl(&sign);
    }

    fn enrol(&self, wallet: &str, certificate: &str, key: &str) -> Ended {
        end(bauta()
            .args([
                "--json",
                "enrol",
                "--issuer",
                &self.url,
                "--issuer-ca",
                &self.at("tls/ca.pem"),
            ])
            .args(["--cert", &self.at(certificate), "--key", &self.at(key)])
            .args([
                "--wallet",
                &self.at(wallet),
                "--identity",
                &self.at("identity.age"),
            ]))
    }
}

const RSA_2048: &[&str] = &["rsa:2048"];
const RSA_4096: &[&str] = &["rsa:4096"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const ED25519: &[&str] = &["ed25519"];

#[test]
fn whatever_openssl_makes_enrols() {
    let organisation = Organisation::new();
    let kinds = [
        ("rsa2048", RSA_2048),
        ("rsa4096", RSA_4096),
        ("p256", P256),
        ("p384", P384),
        ("ed25519", ED25519),
    ];
    for (name, algorithm) in kinds {
        organisation.client(name, algorithm, "ca", true);
        let report = organisation
            .enrol(
                &format!("wallet-{name}"),
                &format!("{name}.pem"),
                &format!("{name}.key"),
            )
            .with(0)
            .json();
        assert_eq!(report["issuer"], "example-organisation");
        assert!(
            report["attributes"]
                .to_string()
                .contains(&format!("{name}@example.org")),
            "{report}"
        );
        assert_eq!(report["renewed"], false);
    }

    // The same in DER, and keys as PKCS#1 and SEC1, PEM and DER. The wallet knows its secret: these renew.
    for (name, old) in [("rsa2048", "PKCS#1"), ("p256", "SEC1"), ("p384", "SEC1")] {
        let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
        let wallet = format!("wallet-{name}");
        organisation.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", "client.der"]);
        organisation.openssl(&["pkey", "-in", &key, "-outform", "DER", "-out", "pkcs8.der"]);
        organisation.openssl(&[
            "pkey",
            "-in",
            &key,
            "-traditional",
            "-out",
            "traditional.pem",
        ]);
        organisation.openssl(&[
            "pkey",
            "-in",
            &key,
            "-traditional",
            "-outform",
            "DER",
            "-out",
            "traditional.der",
        ]);
        let header = fs::read_to_string(organisation.at("traditional.pem")).unwrap();
        assert!(
            header.contains(if old == "SEC1" {
                "BEGIN EC PRIVATE KEY"
            } else {
                "BEGIN RSA PRIVATE KEY"
            }),
            "{old}"
        );
        for key in ["pkcs8.der", "traditional.pem", "traditional.der"] {
            assert_eq!(
                organisation
                    .enrol(&wallet, "client.der", key)
                    .with(0)
                    .json()["renewed"],
                true,
                "{name} {key}"
            );
        }
    }
    // `openssl ecparam -genkey` puts the parameters in front of the key.
    organisation.openssl(&[
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-out",
        "parameters.key",
    ]);
    organisation.openssl(&[
        "req",
        "-new",
        "-key",
        "parameters.key",
        "-out",
        "parameters.csr",
        "-subj",
        "/O=Example Organisation/CN=Param",
    ]);
    fs::copy(
        organisation.at("p256.ext"),
        organisation.at("parameters.ext"),
    )
    .unwrap();
    let ext = fs::read_to_string(organisation.at("parameters.ext"))
        .unwrap()
        .replace("p256@", "parameters@");
    fs::write(organisation.at("parameters.ext"), ext).unwrap();
    organisation.openssl(&[
        "x509",
        "-req",
        "-in",
        "parameters.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "10",
        "-extfile",
        "parameters.ext",
        "-out",
        "parameters.pem",
    ]);
    organisation
        .enrol("wallet-parameters", "parameters.pem", "parameters.key")
        .with(0);

    // A chain with an intermediate, in either order; without it the desk cannot build a path.
    organisation.client("below", P256, "intermediate", true);
    let read = |name: &str| fs::read_to_string(organisation.at(name)).unwrap();
    fs::write(
        organisation.at("chain.pem"),
        read("below.pem") + &read("intermediate.pem"),
    )
    .unwrap();
    fs::write(
        organisation.at("reversed.pem"),
        read("intermediate.pem") + &read("below.pem"),
    )
    .unwrap();
    organisation
        .enrol("wallet-below", "chain.pem", "below.key")
        .with(0);
    organisation
        .enrol("wallet-below", "reversed.pem", "below.key")
        .with(0);
    let alone = organisation.enrol("wallet-alone", "below.pem", "below.key");
    assert_ne!(alone.code, Some(0));
}

#[test]
fn what_cannot_enrol_is_told_why() {
    let organisation = Organisation::new();
    organisation.client("ada", P256, "ca", true);
    // Made without -extfile: version 1.
    organisation.client("old", P256, "ca", false);
    let text = organisation.openssl(&["x509", "-in", "old.pem", "-noout", "-text"]);
    if text.contains("Version: 1") {
        organisation
            .enrol("wallet", "old.pem", "old.key")
            .with(1)
            .says("-extfile");
    } else {
        // OpenSSL from 3.4 on makes version 3 by itself; an older one's is in the unit tests.
        assert_ne!(
            organisation.enrol("wallet", "old.pem", "old.key").code,
            Some(0)
        );
    }
    // Swapped, not there, no certificate, another's key, encrypted.
    organisation
        .enrol("wallet", "ada.key", "ada.pem")
        .with(1)
        .says("--cert");
    organisation
        .enrol("wallet", "ada.csr", "ada.key")
        .with(1)
        .says("request");
    organisation
        .enrol("wallet", "ada.pem", "old.key")
        .with(1)
        .says("belongs");
    organisation
        .enrol("wallet", "config.json", "ada.key")
        .with(1)
        .says("pkcs12");
    organisation.openssl(&[
        "pkey",
        "-in",
        "ada.key",
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        "encrypted.key",
    ]);
    organisation
        .enrol("wallet", "ada.pem", "encrypted.key")
        .with(1)
        .says("openssl pkey");
    // Expired.
    organisation.openssl(&[
        "x509",
        "-req",
        "-in",
        "ada.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        "-1",
        "-extfile",
        "ada.ext",
        "-out",
        "expired.pem",
    ]);
    organisation
        .enrol("wallet", "expired.pem", "ada.key")
        .with(1)
        .says("expired");
    // Another organisation's: the desk says so.
    organisation.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        "other.key",
        "-out",
        "other.pem",
        "-days",
        "10",
        "-subj",
        "/O=Other/CN=Other",
        "-addext",
        "extendedKeyUsage=clientAuth",
    ]);
    assert_ne!(
        organisation.enrol("wallet", "other.pem", "other.key").code,
        Some(0)
    );
    // Not for clients.
    fs::write(
        organisation.at("server.ext"),
        "extendedKeyUsage=serverAuth\nsubjectAltName=email:ada@example.org\n",
    )
    .unwrap();
    organisation.openssl(&[
        "x509",
        "-req",
        "-in",
        "ada.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        "10",
        "-extfile",
        "server.ext",
        "-out",
        "server.pem",
    ]);
    assert_ne!(
        organisation.enrol("wallet", "server.pem", "ada.key").code,
        Some(0)
    );
    // A wrong TLS CA of the desk is no reason to go on.
    let other = end(bauta()
        .args([
            "enrol",
            "--issuer",
            &organisation.url,
            "--issuer-ca",
            &organisation.at("ca.pem"),
        ])
        .args([
            "--cert",
            &organisation.at("ada.pem"),
            "--key",
            &organisation.at("ada.key"),
        ])
        .args([
            "--wallet",
            &organisation.at("wallet"),
            "--identity",
            &organisation.at("identity.age"),
        ]));
    assert_ne!(other.code, Some(0));
    other.says("check the address and the CA file");
    // And after all that, the good one.
    organisation.enrol("wallet", "ada.pem", "ada.key").with(0);

    // A second wallet for the same person is refused, with the way out; --reset is that way.
    organisation
        .enrol("second", "ada.pem", "ada.key")
        .with(1)
        .says("--reset");
    assert!(!Path::new(&organisation.at("second/nothing")).exists());
}
