//! The desk over real loopback TLS: enrolment with each kind of key, and every refusal with its remedy.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bauta_issuer::config::DAY;
use bauta_issuer::{Config, Desk, Enrolment, EnrolmentRequest, IssuerProfile, LeakReport, Target};
use bauta_statement::credential::{HolderSecret, NativeCredential};
use bauta_statement::eddsa::{PublicKey, Signature};
use bauta_statement::field;
use bauta_statement::file::{Body, SignedFile};
use bauta_statement::note::NoteKey;
use bauta_statement::vector::{AttributeValue, Serial};
use rand::rngs::OsRng;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/x509")
}

fn certificates(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(vectors().join(format!("{name}.pem")))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(vectors().join(format!("{name}.key"))).unwrap()
}

/// A configuration in `folder`, with a TLS identity for 127.0.0.1.
fn config(folder: &Path) -> Config {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(folder.join("tls.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/schema.json");
    serde_json::from_value(json!({
        "name": "acme", "trust_domain": "example.org", "listen": "127.0.0.1:0",
        "folder": folder.join("desk"),
        "schema": schema,
        "client_authorities": vectors().join("root.pem"),
        "tls_certificate": folder.join("tls.pem"),
        "tls_key": folder.join("tls.key"),
        "maximum_lifetime_seconds": 30 * DAY,
    }))
    .unwrap()
}

/// Presents one chain whatever it looks like: rustls' own resolver refuses version 1 before the server can explain.
#[derive(Debug)]
struct Present(Arc<CertifiedKey>);

impl ResolvesClientCert for Present {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
    fn has_certs(&self) -> bool {
        true
    }
}

/// A running desk and what its clients trust.
struct Running {
    address: SocketAddr,
    roots: Arc<RootCertStore>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), bauta_issuer::RunError>>,
}

impl Running {
    async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&config.tls_certificate).unwrap())
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(bauta_issuer::run(config, listener, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            roots: Arc::new(roots),
            stop,
            task,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// One request on a connection of its own; status and body.
    async fn request(
        &self,
        client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), std::io::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match client {
            Some((chain, key)) => {
                let key = provider.key_provider.load_private_key(key).unwrap();
                builder.with_client_cert_resolver(Arc::new(Present(Arc::new(CertifiedKey::new(
                    chain, key,
                )))))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("127.0.0.1").unwrap(), stream)
            .await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        tls.write_all(head.as_bytes()).await?;
        tls.write_all(body).await?;
        let mut answer = Vec::new();
        match tls.read_to_end(&mut answer).await {
            Err(e) if answer.is_empty() => return Err(e),
            _ => {}
        }
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(!head.to_lowercase().contains("chunked"), "{head}");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, answer[end + 4..].to_vec()))
    }

    async fn enrol(
        &self,
        certificate: &str,
        secret: &str,
        holder: &HolderSecret,
        reset: bool,
    ) -> (u16, Value) {
        let request = EnrolmentRequest {
            commitment: field::to_bytes(&holder.commitment()),
            reset,
        };
        let (status, body) = self
            .request(
                Some((certificates(certificate), key(secret))),
                "POST",
                "/v1/enrolments",
                &serde_json::to_vec(&request).unwrap(),
            )
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn accept(answer: Value, holder: &HolderSecret) -> NativeCredential {
    serde_json::from_value::<Enrolment>(answer)
        .unwrap()
        .accept(holder.clone())
        .unwrap()
}

fn holder() -> HolderSecret {
    HolderSecret::generate(&mut OsRng)
}

fn with_desk<F: Future<Output = ()>>(test: impl FnOnce(Arc<Running>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let running = Arc::new(Running::start(config(folder.path())).await);
        test(running.clone()).await;
        Arc::into_inner(running).unwrap().stop().await;
    });
}

#[test]
fn every_kind_of_key_enrols() {
    // One subject, so the commitment stays: each is a renewal of the one before.
    with_desk(|desk| async move {
        let holder = holder();
        for (certificate, secret) in [
            ("p256", "p256"),
            ("p384", "p384"),
            ("ed25519", "ed25519"),
            ("rsa2048", "rsa2048"),
            ("rsa4096", "rsa4096"),
            ("chain", "p256"),
            ("no_extended_key_usage", "p256"),
        ] {
            let (status, answer) = desk.enrol(certificate, secret, &holder, false).await;
            assert_eq!(status, 201, "{certificate}: {answer}");
            let credential = accept(answer, &holder);
            assert_eq!(
                credential.attribute(5),
                Some(AttributeValue::Text("Example Organisation".into()))
            );
            assert_eq!(credential.attribute(7), Some(AttributeValue::Integer(7)));
            let issued = credential.issued();
            assert_eq!(issued.not_before % DAY, 0);
            assert_eq!(issued.not_after, issued.not_before + 30 * DAY);
        }
    });
}

#[test]
fn the_same_certificate_gets_the_same_credential_and_another_secret_gets_none() {
    with_desk(|desk| async move {
        let first = holder();
        let (_, one) = desk.enrol("p256", "p256", &first, false).await;
        let (_, again) = desk.enrol("p256", "p256", &first, false).await;
        assert_eq!(one, again);
        let (_, renewed) = desk.enrol("second", "p256", &first, false).await;
        assert_ne!(one["serial"], renewed["serial"]);
        // Another person is another subject.
        let (status, _) = desk.enrol("bob", "p384", &holder(), false).await;
        assert_eq!(status, 201);

        let (status, problem) = desk.enrol("p256", "p256", &holder(), false).await;
        assert_eq!(status, 409);
        assert_eq!(problem["type"], "urn:bauta:problem:reset-required");
        assert!(problem["detail"].as_str().unwrap().contains("--reset"));
        // A reset by the wallet that is still there.
        let (status, problem) = desk.enrol("p256", "p256", &first, true).await;
        assert_eq!(
            (status, &problem["type"]),
            (409, &json!("urn:bauta:problem:reset-same-secret"))
        );
    });
}

#[test]
fn a_reset_revokes_and_starts_later() {
    with_desk(|desk| async move {
        let lost = holder();
        let (_, old) = desk.enrol("p256", "p256", &lost, false).await;
        let old_start = accept(old.clone(), &lost).issued().not_before;
        let new = holder();
        let (status, answer) = desk.enrol("p256", "p256", &new, true).await;
        assert_eq!(status, 201, "{answer}");
        let start = accept(answer, &new).issued().not_before;
        assert!(start > old_start && start.is_multiple_of(DAY));
        assert_eq!(
            list(&desk).await,
            vec![old["serial"].as_str().unwrap().to_owned()]
        );
        // The lost wallet, found again, is no longer the subject's; nor is a third one before the reset starts.
        let (status, _) = desk.enrol("p256", "p256", &lost, false).await;
        assert_eq!(status, 409);
        let (status, problem) = desk.enrol("p256", "p256", &holder(), true).await;
        assert_eq!(
            (status, &problem["type"]),
            (409, &json!("urn:bauta:problem:reset-pending"))
        );
        // The new wallet renews, and its start stays.
        let (_, answer) = desk.enrol("second", "p256", &new, false).await;
        assert_eq!(accept(answer, &new).issued().not_before, start);
    });
}

/// Serials of the list that the desk publishes, after its signature is checked.
async fn list(desk: &Running) -> Vec<String> {
    let (_, profile) = desk.request(None, "GET", "/v1/issuer", b"").await.unwrap();
    let profile: IssuerProfile = serde_json::from_slice(&profile).unwrap();
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let proof = hex(&profile.proof_of_possession).try_into().unwrap();
    PublicKey::from_bytes(&hex(&profile.public_key).try_into().unwrap())
        .unwrap()
        .verify_possession(&Signature::from_bytes(&proof).unwrap())
        .unwrap();
    let (status, note) = desk
        .request(None, "GET", "/v1/revocation-list", b"")
        .await
        .unwrap();
    assert_eq!(status, 200);
    let file = SignedFile::parse(&note).unwrap();
    file.note
        .require(&[NoteKey::parse(&profile.note_key).unwrap()], 1)
        .unwrap();
    assert_eq!(
        (file.header.name.as_str(), file.header.trust_domain.as_str()),
        ("acme", "example.org")
    );
    let Body::RevocationList(list) = file.body else {
        panic!("not a revocation list");
    };
    list.serials
        .iter()
        .map(|serial| data_encoding::HEXLOWER.encode(serial.as_be_bytes()))
        .collect()
}

#[test]
fn a_leaked_secret_is_revoked_by_showing_it() {
    with_desk(|desk| async move {
        let leaked = holder();
        let (_, old) = desk.enrol("p256", "p256", &leaked, false).await;
        let report = |holder: &HolderSecret| {
            serde_json::to_vec(&LeakReport {
                secret: field::to_bytes(&holder.secret),
                blinding: field::to_bytes(&holder.blinding),
            })
            .unwrap()
        };
        let (status, _) = desk
            .request(None, "POST", "/v1/leaks", &report(&holder()))
            .await
            .unwrap();
        assert_eq!(status, 404);
        assert!(list(&desk).await.is_empty());
        let (status, _) = desk
            .request(None, "POST", "/v1/leaks", &report(&leaked))
            .await
            .unwrap();
        assert_eq!(status, 200);
        assert_eq!(
            list(&desk).await,
            vec![old["serial"].as_str().unwrap().to_owned()]
        );
        let (status, problem) = desk.enrol("second", "p256", &leaked, false).await;
        assert_eq!(
            (status, &problem["type"]),
            (409, &json!("urn:bauta:problem:reset-required"))
        );
        let again = holder();
        let (status, _) = desk.enrol("second", "p256", &again, true).await;
        assert_eq!(status, 201);
        // Reporting one's own secret does not lift the limit of one reset at a time, or the issuer's quota of
        // revocations would be at every holder's mercy.
        let (status, _) = desk
            .request(None, "POST", "/v1/leaks", &report(&again))
            .await
            .unwrap();
        assert_eq!(status, 200);
        let (status, problem) = desk.enrol("second", "p256", &holder(), true).await;
        assert_eq!(
            (status, &problem["type"]),
            (409, &json!("urn:bauta:problem:reset-pending"))
        );
    });
}

#[test]
fn bad_certificates_get_the_remedy() {
    with_desk(|desk| async move {
        let who = holder();
        for (certificate, status, kind, remedy) in [
            ("bad_version1", 403, "client-certificate", "-extfile"),
            ("bad_other_ca", 403, "client-certificate", "Example root CA"),
            (
                "leaf",
                403,
                "client-certificate",
                "put the intermediate after it",
            ),
            (
                "bad_signature",
                403,
                "client-certificate",
                "made anew under the same name",
            ),
            (
                "bad_no_client_auth",
                403,
                "client-certificate",
                "extendedKeyUsage=clientAuth",
            ),
            (
                "bad_no_digital_signature",
                403,
                "client-certificate",
                "keyUsage=critical,digitalSignature",
            ),
            ("bad_ca", 403, "client-certificate", "CA:FALSE"),
            ("bad_sha1", 403, "client-certificate", "SHA-256 or better"),
            (
                "bad_expired",
                403,
                "client-certificate",
                "expired on 2020-01-02T00:00:00Z",
            ),
            (
                "bad_not_yet_valid",
                403,
                "client-certificate",
                "2099-01-01T00:00:00Z",
            ),
            (
                "bad_two_departments",
                422,
                "certificate-attributes",
                "occurrence",
            ),
            (
                "bad_level",
                422,
                "certificate-attributes",
                "plain decimal digits",
            ),
            (
                "bad_no_organisation",
                422,
                "certificate-attributes",
                "no organisation",
            ),
        ] {
            let (got, problem) = desk.enrol(certificate, "p256", &who, false).await;
            let detail = problem["detail"].as_str().unwrap();
            assert_eq!(got, status, "{certificate}: {detail}");
            assert_eq!(
                problem["type"],
                format!("urn:bauta:problem:{kind}"),
                "{certificate}"
            );
            assert!(detail.contains(remedy), "{certificate}: {detail}");
        }
    });
}

#[test]
fn requests_without_certificate_key_or_sense_are_refused() {
    with_desk(|desk| async move {
        let body = serde_json::to_vec(&EnrolmentRequest {
            commitment: field::to_bytes(&holder().commitment()),
            reset: false,
        })
        .unwrap();
        let (status, problem) = desk
            .request(None, "POST", "/v1/enrolments", &body)
            .await
            .unwrap();
        assert_eq!(status, 401);
        assert!(
            String::from_utf8(problem)
                .unwrap()
                .contains("--cert client.pem")
        );
        // A certificate without its key does not pass TLS.
        let stolen = (certificates("rsa2048"), key("rsa4096"));
        assert!(
            desk.request(Some(stolen), "POST", "/v1/enrolments", &body)
                .await
                .is_err()
        );
        let client = || Some((certificates("p256"), key("p256")));
        for (body, status) in [
            (b"{".to_vec(), 400),
            (
                json!({"commitment": "ff".repeat(32)})
                    .to_string()
                    .into_bytes(),
                400,
            ),
            (
                json!({"commitment": "00".repeat(32), "more": 1})
                    .to_string()
                    .into_bytes(),
                400,
            ),
            (vec![b' '; 5_000], 413),
        ] {
            let (got, problem) = desk
                .request(client(), "POST", "/v1/enrolments", &body)
                .await
                .unwrap();
            assert_eq!(got, status, "{}", String::from_utf8_lossy(&problem));
        }
        let (status, _) = desk.request(None, "GET", "/v2", b"").await.unwrap();
        assert_eq!(status, 404);
    });
}

#[tokio::test]
async fn revocation_lists_grow_and_are_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.revocation_list_lifetime_seconds = DAY;
    let desk = Desk::open(config.clone(), &mut OsRng).await.unwrap();
    let now = 1_795_300_000;
    let request = |holder: &HolderSecret| EnrolmentRequest {
        commitment: field::to_bytes(&holder.commitment()),
        reset: false,
    };
    let (ada, bob) = (holder(), holder());
    let one = desk
        .enrol(&certificates("p256"), &request(&ada), now, &mut OsRng)
        .await
        .unwrap();
    desk.enrol(&certificates("bob"), &request(&bob), now, &mut OsRng)
        .await
        .unwrap();
    let version = |note: &[u8]| SignedFile::parse(note).unwrap().header.version;
    let first = desk.revocation_list(now).await.unwrap();
    assert_eq!(version(&first), 1);
    assert_eq!(desk.revocation_list(now + DAY / 4).await.unwrap(), first);
    assert_eq!(
        version(&desk.revocation_list(now + DAY / 2).await.unwrap()),
        2
    );

    let unknown = Serial::from_be_bytes(&[7]).unwrap();
    assert!(desk.revoke(&Target::Serial(unknown), now).await.is_err());
    let serial = Serial::from_be_bytes(
        &data_encoding::HEXLOWER
            .decode(one.serial.as_bytes())
            .unwrap(),
    )
    .unwrap();
    let revoked = desk
        .revoke(&Target::Serial(serial.clone()), now)
        .await
        .unwrap();
    assert_eq!((revoked.credentials, revoked.version), (1, 3));
    // Another process, such as the operator's, sees the same.
    let other = Desk::open(config, &mut OsRng).await.unwrap();
    let revoked = other
        .revoke(&Target::Subject("bob@example.org".into()), now)
        .await
        .unwrap();
    assert_eq!((revoked.credentials, revoked.version), (1, 4));
    let Body::RevocationList(list) = SignedFile::parse(&revoked.list).unwrap().body else {
        panic!("not a revocation list");
    };
    assert_eq!(list.serials.first(), Some(&serial));
    assert_eq!(list.serials.len(), 2);
    // A revoked serial is not returned again: its subject renews. A revoked subject does not, until reinstated.
    let renewed = desk
        .enrol(&certificates("p256"), &request(&ada), now, &mut OsRng)
        .await
        .unwrap();
    assert_ne!(renewed.serial, one.serial);
    let barred = desk
        .enrol(&certificates("bob"), &request(&bob), now, &mut OsRng)
        .await;
    assert!(barred.unwrap_err().to_string().contains("reinstate"));
    desk.reinstate("bob@example.org").await.unwrap();
    desk.enrol(&certificates("bob"), &request(&bob), now, &mut OsRng)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_credential_ends_with_its_certificate_and_starts_on_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.maximum_lifetime_seconds = 3_660 * DAY;
    let desk = Desk::open(config, &mut OsRng).await.unwrap();
    let chain = certificates("p256");
    let until = bauta_issuer::chain::Anchors::new(&certificates("root"))
        .unwrap()
        .verify(&chain, 1_800_000_000)
        .unwrap()
        .not_after();
    let who = holder();
    let mut request = EnrolmentRequest {
        commitment: field::to_bytes(&who.commitment()),
        reset: false,
    };
    let now = until - DAY / 2;
    let issued = desk
        .enrol(&chain, &request, now, &mut OsRng)
        .await
        .unwrap()
        .credential()
        .unwrap();
    assert_eq!(issued.not_after, until);
    assert_eq!(issued.not_before, now - now % DAY);
    // After a reset it would start when the certificate is over.
    request.commitment = field::to_bytes(&holder().commitment());
    request.reset = true;
    let refused = desk.enrol(&chain, &request, now, &mut OsRng).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("renew the certificate first")
    );
    // And nothing of it was kept.
    request = EnrolmentRequest {
        commitment: field::to_bytes(&who.commitment()),
        reset: false,
    };
    assert!(desk.enrol(&chain, &request, now, &mut OsRng).await.is_ok());
}
