//! One CA on loopback, in a temporary folder: keys, authority, a service, five signers. Parts are stopped and started at will.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bauta_service::{
    ServiceConfig,
    admin::{Client, SignerState},
};
use bauta_signer::{
    config::{Mode as SignerMode, SignerConfig},
    token::TokenConfig,
};
use bauta_statement::{
    file::{
        self, Authority, Header, KeyOperation, Kind, SignedFile,
        authority::{Administrators, LogIdentity, Mode, Quorum, Signer},
        hierarchy::Purpose,
        key_operation::{CaSubject, GenerateKey, Participant, ReshareKey, SignCaCertificate},
    },
    note::{self, NoteKey, NoteSigner},
};
use rand::rngs::OsRng;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(crate) const TRUST_DOMAIN: &str = "example.org";
pub(crate) const ORIGIN: &str = "example.org/log";
/// The CA's name, part of the audience.
pub(crate) const CA_NAME: &str = "Example Bauta CA";
pub(crate) const DAY: u64 = 86_400;

/// A part that runs.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), String>>,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(15), self.task)
            .await
            .expect("a part did not stop")
            .unwrap()
            .unwrap();
    }
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) administrator: NoteSigner,
    pub(crate) authority: Authority,
    authority_note: Vec<u8>,
    pub(crate) config: ServiceConfig,
    signer_configs: Vec<SignerConfig>,
    service: Option<Running>,
    signers: BTreeMap<usize, Running>,
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Waits out the end of an hour: an epoch that ends during a test is a story of its own (prepare again), which tests about
/// other things should not meet by chance.
fn away_from_the_epochs_end() {
    let left = 3600 - now() % 3600;
    if left < 150 {
        std::thread::sleep(std::time::Duration::from_secs(left + 1));
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

impl World {
    /// Keys, configurations and the first authority; nothing runs yet.
    pub(crate) fn found() -> Self {
        Self::found_with(&|_, keys, name| {
            let passphrase = keys.with_file_name("passphrase");
            std::fs::write(&passphrase, "a passphrase\n").unwrap();
            bauta_signer::keys::create_sealed(keys, name, Some(&passphrase)).unwrap();
            None
        })
    }

    /// The same with signers' keys as `make_keys` makes them: it is told the signer's number, the folder for the keys, and the
    /// name, and gives the token that they are in.
    pub(crate) fn found_with(
        make_keys: &dyn Fn(usize, &Path, &str) -> Option<TokenConfig>,
    ) -> Self {
        away_from_the_epochs_end();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let administrator = NoteSigner::generate(&mut OsRng, "administrator-1").unwrap();
        let service = bauta_service::keys::create(&path.join("service"), ORIGIN).unwrap();
        let mut tokens = Vec::new();
        let signers: Vec<Signer> = (1..=5)
            .map(|number| {
                let keys = path.join(format!("signer-{number}/keys"));
                std::fs::create_dir_all(keys.parent().unwrap()).unwrap();
                tokens.push(make_keys(number, &keys, &format!("signer-{number}")));
                serde_json::from_slice(&std::fs::read(keys.join("signer.json")).unwrap()).unwrap()
            })
            .collect();
        let authority = Authority {
            trust_domain: TRUST_DOMAIN.to_owned(),
            version: 1,
            expires: now() / DAY * DAY + 1000 * DAY,
            ca_name: CA_NAME.to_owned(),
            mode: Mode::Development,
            enterprise_number: 32473,
            epoch_seconds: 3600,
            log: LogIdentity {
                origin: ORIGIN.to_owned(),
                key: NoteKey::parse(&service.log_vkey).unwrap(),
            },
            administrators: Administrators {
                k: 1,
                keys: vec![administrator.verifier()],
            },
            signers,
            quorum: Quorum::FIVE,
            custodians: Vec::new(),
            ca_keys: Vec::new(),
        };
        let authority_note = note::sign(&authority.to_text().unwrap(), &[&administrator]).unwrap();
        let digest =
            data_encoding::HEXLOWER.encode(&SignedFile::parse(&authority_note).unwrap().digest());

        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        std::fs::write(path.join("tls.pem"), certificate.pem()).unwrap();
        std::fs::write(path.join("tls.key"), key.serialize_pem()).unwrap();
        let coordinator = free_address();
        let config = serde_json::from_value(serde_json::json!({
            "data": path.join("service"),
            "keys": path.join("service"),
            "log": path.join("log"),
            "listen": free_address(),
            "coordinator": coordinator,
            "admin_socket": path.join("admin.socket"),
            "tls_certificate": path.join("tls.pem"),
            "tls_key": path.join("tls.key"),
            "authority_sha256": digest,
        }))
        .unwrap();
        let signer_configs = (1..=5)
            .zip(tokens)
            .map(|(number, token)| SignerConfig {
                data: path.join(format!("signer-{number}")),
                keys: None,
                coordinator: coordinator.to_string(),
                coordinator_spki_sha256: service.coordinator_spki_sha256.clone(),
                log: service.log_vkey.clone(),
                authority_sha256: digest.clone(),
                mode: SignerMode::Development,
                passphrase_file: token
                    .is_none()
                    .then(|| path.join(format!("signer-{number}/passphrase"))),
                token,
                attended: false,
            })
            .collect();
        Self {
            administrator,
            authority,
            authority_note,
            config,
            signer_configs,
            service: None,
            signers: BTreeMap::new(),
            folder,
        }
    }

    /// A CA whose service and five signers run, and whose log has begun.
    pub(crate) async fn begun() -> Self {
        Self::found().begin().await
    }

    /// Starts everything; the log begins.
    pub(crate) async fn begin(self) -> Self {
        let mut world = self;
        world.start_service();
        for number in 1..=5 {
            world.start_signer(number);
        }
        let client = world.until_up().await;
        client.submit_file(&world.authority_note).await.unwrap();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn signer_log(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("signer-{number}/log"))
    }

    /// One more signer, with keys of its own; it is nobody until an authority names it.
    pub(crate) fn add_signer(&mut self) -> (usize, Signer) {
        let number = self.signer_configs.len() + 1;
        let data = self.folder.path().join(format!("signer-{number}"));
        let first = self.signer_configs[0].clone();
        bauta_signer::keys::create_sealed(
            &data.join("keys"),
            &format!("signer-{number}"),
            first.passphrase_file.as_deref(),
        )
        .unwrap();
        let public = std::fs::read(data.join("keys/signer.json")).unwrap();
        self.signer_configs.push(SignerConfig { data, ..first });
        (number, serde_json::from_slice(&public).unwrap())
    }

    /// Signers by state, as the service sees them.
    pub(crate) async fn signers_that_are(&self, state: SignerState) -> Vec<String> {
        let status = self.client().status().await.unwrap();
        let signers = status.signers.into_iter();
        signers
            .filter(|signer| signer.state == state)
            .map(|signer| signer.name)
            .collect()
    }

    pub(crate) fn start_service(&mut self) {
        let stop = CancellationToken::new();
        let run = bauta_service::run(self.config.clone(), stop.clone());
        let task = tokio::spawn(async move { run.await.map_err(|error| error.to_string()) });
        assert!(self.service.replace(Running { stop, task }).is_none());
    }

    pub(crate) async fn stop_service(&mut self) {
        self.service.take().unwrap().end().await;
    }

    pub(crate) fn start_signer(&mut self, number: usize) {
        let stop = CancellationToken::new();
        let run = bauta_signer::run(self.signer_configs[number - 1].clone(), stop.clone());
        let task = tokio::spawn(async move { run.await.map_err(|error| error.to_string()) });
        assert!(
            self.signers
                .insert(number, Running { stop, task })
                .is_none()
        );
    }

    pub(crate) async fn stop_signer(&mut self, number: usize) {
        self.signers.remove(&number).unwrap().end().await;
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config.admin_socket)
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while !so().await {
            assert!(tokio::time::Instant::now() < end, "never: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many signers are connected.
    /// The service answers on its admin socket.
    pub(crate) async fn until_up(&self) -> Client {
        let client = self.client();
        self.until("the admin socket is there", async || {
            client.status().await.is_ok()
        })
        .await;
        client
    }

    pub(crate) async fn until_connected(&self, count: usize) {
        let client = self.client();
        self.until("the signers are connected", async || {
            client
                .status()
                .await
                .is_ok_and(|status| status.signers_connected() == count)
        })
        .await;
    }

    /// A file signed by the administrator, version 1.
    pub(crate) fn sign(&self, kind: Kind, name: &str, body: &impl serde::Serialize) -> Vec<u8> {
        self.sign_as(
            &self.administrator,
            kind,
            name,
            (1, self.authority.expires),
            body,
        )
    }

    /// A file of this version and expiry, signed by the administrator.
    pub(crate) fn sign_version(
        &self,
        kind: Kind,
        name: &str,
        version: (u64, u64),
        body: &impl serde::Serialize,
    ) -> Vec<u8> {
        self.sign_as(&self.administrator, kind, name, version, body)
    }

    /// Any text, signed by the administrator.
    pub(crate) fn sign_text(&self, text: &str) -> Vec<u8> {
        note::sign(text, &[&self.administrator]).unwrap()
    }

    /// A file of this version and expiry, signed by anybody.
    pub(crate) fn sign_as(
        &self,
        signer: &NoteSigner,
        kind: Kind,
        name: &str,
        (version, expires): (u64, u64),
        body: &impl serde::Serialize,
    ) -> Vec<u8> {
        let header = Header {
            kind,
            trust_domain: TRUST_DOMAIN.to_owned(),
            name: name.to_owned(),
            version,
            expires,
        };
        note::sign(&file::to_text(&header, body).unwrap(), &[signer]).unwrap()
    }

    /// A key generation among all signers.
    pub(crate) fn generation(&self, key: &str) -> Vec<u8> {
        let participants = (1..)
            .zip(&self.authority.signers)
            .map(|(identifier, signer)| Participant {
                identifier,
                signer: signer.name.clone(),
                approval: signer.approval.clone(),
            });
        let Quorum { n, t, q, .. } = self.authority.quorum;
        let body = KeyOperation::GenerateKey(GenerateKey {
            key: key.to_owned(),
            participants: participants.collect(),
            n,
            t,
            q,
            purpose: Purpose::Issuing,
        });
        self.sign(Kind::KeyOperation, &format!("generate-{key}"), &body)
    }

    /// New shares for all signers, made of those of the first three.
    pub(crate) async fn refresh(&self) -> Vec<u8> {
        let note = self.client().ca().await.unwrap().authority;
        let file::Body::Authority(authority) = SignedFile::parse(note.as_bytes()).unwrap().body
        else {
            panic!("no authority")
        };
        let key = &authority.ca_keys[0];
        let participants = (1..)
            .zip(&authority.signers)
            .map(|(identifier, signer)| Participant {
                identifier,
                signer: signer.name.clone(),
                approval: signer.approval.clone(),
            });
        let body = KeyOperation::ReshareKey(ReshareKey {
            key: key.name.clone(),
            group_key: key.group_key,
            from: key.sharing(),
            dealers: (1..=3).map(|number| format!("signer-{number}")).collect(),
            participants: participants.collect(),
            n: 5,
            t: key.t,
            q: authority.quorum.q,
        });
        self.sign(Kind::KeyOperation, "refresh", &body)
    }

    /// An order to sign the CA certificate of a key.
    pub(crate) fn certificate_order(&self, key: &str, group_key: [u8; 32]) -> Vec<u8> {
        self.certificate_order_as(&format!("certify-{key}"), key, group_key)
    }

    /// The same as a file of this name.
    pub(crate) fn certificate_order_as(
        &self,
        name: &str,
        key: &str,
        group_key: [u8; 32],
    ) -> Vec<u8> {
        let not_before = now() / DAY * DAY;
        let body = KeyOperation::SignCaCertificate(SignCaCertificate {
            key: key.to_owned(),
            group_key,
            subject: CaSubject {
                country: None,
                organization: None,
                common_name: CA_NAME.to_owned(),
            },
            not_before,
            not_after: not_before + 900 * DAY,
            path_length: 0,
        });
        self.sign(Kind::KeyOperation, name, &body)
    }

    /// Makes the CA's first key and its certificate; gives the certificate, PEM.
    pub(crate) async fn make_ca(&self) -> String {
        self.until_connected(5).await;
        let client = self.client();
        client.submit_file(&self.generation("key-1")).await.unwrap();
        client.generate_key().await.unwrap();
        let status = client.status().await.unwrap();
        client
            .submit_file(&self.certificate_order("key-1", status.ca_keys[0].group_key))
            .await
            .unwrap();
        client.sign_ca_certificate().await.unwrap();
        client.status().await.unwrap().ca_certificate.unwrap()
    }

    /// A request to the API over TLS 1.3: status and body.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.folder.path().join("tls.pem")).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(self.config.listen)
            .await
            .unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes without close_notify after a complete answer is fine here.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }
}
