//! HTTP as a wallet speaks it: TLS 1.3 to a pinned CA, no session tickets, no redirects, no proxy, bounded answers, and a
//! connection of its own for each thing that must not be linked with another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The largest answer that is read: an object of the log is at most a megabyte.
const LIMIT: usize = 4 << 20;

/// A server and the CA of its TLS certificate.
pub(crate) struct Server {
    base: String,
    roots: Arc<RootCertStore>,
}

/// A problem document (RFC 9457), as far as a wallet reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Problem {
    /// What follows the last colon of its type.
    pub(crate) name: String,
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u64>,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The server says why.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// It did not answer, or not in the form agreed.
    #[error("{0}")]
    Transport(String),
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// Connections to a server that are used for one purpose.
pub(crate) struct Connection {
    client: reqwest::Client,
    base: String,
}

impl Server {
    pub(crate) fn new(url: &str, ca: &Path) -> anyhow::Result<Self> {
        if !url.starts_with("https://") {
            bail!("{url} is not an https:// address: a wallet speaks TLS only");
        }
        let mut roots = RootCertStore::empty();
        let about = || format!("{} holds no CA certificate in PEM", ca.display());
        for certificate in CertificateDer::pem_file_iter(ca).with_context(about)? {
            roots
                .add(certificate.with_context(about)?)
                .with_context(about)?;
        }
        if roots.is_empty() {
            bail!(about());
        }
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            roots: Arc::new(roots),
        })
    }

    /// Fresh connections, on which `identity` is shown if there is one.
    pub(crate) fn connect(
        &self,
        identity: Option<Arc<CertifiedKey>>,
    ) -> anyhow::Result<Connection> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots.clone());
        let mut tls = match identity {
            Some(key) => builder.with_client_cert_resolver(Arc::new(Present(key))),
            None => builder.with_no_client_auth(),
        };
        // A ticket would link a show to whatever was done on the connection that it came from.
        tls.resumption = Resumption::disabled();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .build()
            .context("cannot set up TLS")?;
        Ok(Connection {
            client,
            base: self.base.clone(),
        })
    }
}

/// Shows one certificate, whatever names the server hints at.
#[derive(Debug)]
struct Present(Arc<CertifiedKey>);

impl ResolvesClientCert for Present {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Connection {
    /// The body of a GET; `None` for 404.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, CallError> {
        match self.send(self.client.get(self.url(path))).await {
            Ok(body) => Ok(Some(body)),
            Err(CallError::Problem(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A GET that is answered in JSON.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let body = self.send(self.client.get(self.url(path))).await?;
        self.json(path, &body)
    }

    /// A POST of JSON that is answered in JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(|e| CallError::Transport(e.to_string()))?;
        self.post_bytes(path, body).await
    }

    /// The same with the bytes as they are: a repeated request is the same request only if its bytes are.
    pub(crate) async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, CallError> {
        let request = self
            .client
            .post(self.url(path))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let answer = self.send(request).await?;
        self.json(path, &answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn json<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, CallError> {
        serde_json::from_slice(body).map_err(|e| {
            CallError::Transport(format!(
                "{} answered in a form that is not understood ({e}): use matching versions",
                self.url(path)
            ))
        })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, CallError> {
        let failed = |e: reqwest::Error| {
            // The innermost cause says what happened; reqwest's own line only that something did.
            let mut cause: &dyn std::error::Error = &e;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            CallError::Transport(format!(
                "{} cannot be reached ({cause}): check the address and the CA file",
                self.base
            ))
        };
        let mut response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LIMIT {
                return Err(CallError::Transport(format!(
                    "{} sent more than {LIMIT} bytes",
                    self.base
                )));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            Ok(body)
        } else {
            Err(problem(status, &headers, &body).into())
        }
    }
}

fn problem(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Problem {
    let document: Option<Document> = serde_json::from_slice(body).ok();
    let (name, detail) = match document {
        Some(one) => {
            let name = one.kind.rsplit(':').next().unwrap_or_default().to_owned();
            (
                name,
                if one.detail.is_empty() {
                    one.title
                } else {
                    one.detail
                },
            )
        }
        None => (String::new(), format!("the server answered {status}")),
    };
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Problem {
        name,
        status: status.as_u16(),
        detail,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "3".parse().unwrap());
        let body = br#"{"type":"urn:bauta:problem:lapsed","title":"Lapsed","status":409,"detail":"show again"}"#;
        let read = problem(StatusCode::CONFLICT, &headers, body);
        assert_eq!(
            (read.name.as_str(), read.status, read.retry_after),
            ("lapsed", 409, Some(3))
        );
        let read = problem(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>");
        assert!(read.detail.contains("502"));
    }

    #[test]
    fn only_tls_is_spoken() {
        assert!(Server::new("http://127.0.0.1", Path::new("x")).is_err());
    }
}
