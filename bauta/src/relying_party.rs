//! A relying party: a TLS server that knows nothing of Bauta but its CA certificate, and what it learns from a client.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, bail};
use bauta_statement::certificate::PresentedIdentity;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A real mutual-TLS 1.3 handshake over loopback: the holder's certificate as the client's, against a server that trusts only
/// `ca`. Gives what the server read in the client's certificate.
pub(crate) async fn handshake(
    ca: &Path,
    certificate: &Path,
    key: &Path,
) -> anyhow::Result<PresentedIdentity> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_file(ca).context("Bauta's CA certificate")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider.clone()).build()?;
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .context("the server's own certificate")?;
    let own_key =
        PrivateKeyDer::try_from(own.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![own.cert.der().clone()], own_key)?;

    let mut servers = RootCertStore::empty();
    servers.add(own.cert.der().clone())?;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("certificates in {}", certificate.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("key in {}", key.display()))?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(servers)
        .with_client_auth_cert(chain, key)?;

    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let (served, shown) = tokio::join!(serve(listener, server), connect(address, client));
    let leaf = served.context("the relying party refused the certificate")?;
    shown.context("the client's side of the handshake")?;
    PresentedIdentity::from_der(&leaf).context("what the relying party reads in the certificate")
}

async fn serve(listener: TcpListener, config: ServerConfig) -> anyhow::Result<Vec<u8>> {
    let (stream, _) = listener.accept().await?;
    let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
    let Some(leaf) = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
    else {
        bail!("the client showed no certificate");
    };
    let leaf = leaf.as_ref().to_vec();
    stream.write_all(b"welcome\n").await?;
    stream.shutdown().await?;
    Ok(leaf)
}

async fn connect(address: SocketAddr, config: ClientConfig) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let mut greeting = Vec::new();
    // In TLS 1.3 the client learns only here whether its certificate was accepted.
    stream.read_to_end(&mut greeting).await?;
    if greeting != b"welcome\n" {
        bail!("the server said something else");
    }
    Ok(())
}
