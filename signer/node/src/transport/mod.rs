//! The signer's stream to its coordinator: it dials out, so no signer has an open port. One gRPC stream over one TLS 1.3
//! connection; a frame is one message of the protocol, an empty frame a heartbeat.

#[rustfmt::skip] // as `cargo xtask codegen` wrote it
#[allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)] // generated
mod generated;

use std::{sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rand::Rng as _;
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Endpoint, Uri},
};

use bauta_signer_protocol::messages::MAX_FRAME;
pub use generated::Frame;
use generated::coordinator_client::CoordinatorClient;

/// How often an idle side sends an empty frame.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// A stream on which nothing came for so long is given up.
pub const SILENCE: Duration = Duration::from_secs(35);
const CONNECT: Duration = Duration::from_secs(10);
/// How long a signer that stops waits for its last words to arrive.
const FAREWELL: Duration = Duration::from_secs(2);
/// Frames that wait for the network before the node waits too.
const QUEUE: usize = 64;

/// Why there is no stream.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The address in the configuration.
    #[error("{0:?} is no address: write host:port, as in 127.0.0.1:7443")]
    Address(String),
    /// No connection, or no handshake: the reason names an unknown key.
    #[error("no connection to the coordinator at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The coordinator refused or ended the stream.
    #[error("the coordinator ended the stream: {0}")]
    Ended(String),
    /// Nothing came for [`SILENCE`].
    #[error("the coordinator was silent for {} s", SILENCE.as_secs())]
    Silent,
}

/// An open stream.
pub struct Session {
    outgoing: mpsc::Sender<Frame>,
    incoming: Streaming<Frame>,
}

/// Dials `address` (host:port).
///
/// # Errors
/// [`TransportError`], with the TLS reason where it is one.
pub async fn dial(address: &str, config: Arc<ClientConfig>) -> Result<Session, TransportError> {
    let bad_address = || TransportError::Address(address.to_owned());
    let unreachable = |reason: String| TransportError::Unreachable {
        address: address.to_owned(),
        reason,
    };
    let host = address
        .rsplit_once(':')
        .ok_or_else(bad_address)?
        .0
        .trim_matches(['[', ']']);
    // Sent in no certificate check: the peer is known by its pin.
    let name = ServerName::try_from(host.to_owned()).map_err(|_| bad_address())?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| bad_address())?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(CONNECT)
        .keep_alive_while_idle(true);
    let target = address.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let (config, name, target) = (config.clone(), name.clone(), target.clone());
        async move {
            let stream = TcpStream::connect(&target).await?;
            stream.set_nodelay(true)?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    let channel = endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| unreachable(chain(&error)))?;
    let (outgoing, receiver) = mpsc::channel(QUEUE);
    // Room for the protobuf framing around the longest message.
    let mut client = CoordinatorClient::new(channel).max_decoding_message_size(MAX_FRAME + 64);
    let response = tokio::time::timeout(CONNECT, client.connect(ReceiverStream::new(receiver)))
        .await
        .map_err(|_| TransportError::Silent)?
        .map_err(|status| unreachable(status.message().to_owned()))?;
    Ok(Session {
        outgoing,
        incoming: response.into_inner(),
    })
}

/// The sending half of a [`Session`].
#[derive(Clone)]
pub struct Sender(mpsc::Sender<Frame>);

impl Sender {
    /// Sends one message, an empty one as a heartbeat; waits while the network is slow.
    ///
    /// # Errors
    /// [`TransportError::Ended`] if the stream is gone.
    pub async fn send(&self, message: Vec<u8>) -> Result<(), TransportError> {
        self.0
            .send(Frame { message })
            .await
            .map_err(|_| TransportError::Ended("the connection closed".to_owned()))
    }
}

impl Session {
    /// The sending half.
    pub fn sender(&self) -> Sender {
        Sender(self.outgoing.clone())
    }

    /// Ends the stream in good order: what was sent reaches the coordinator, which then ends its side.
    pub async fn finish(self) {
        let Self {
            outgoing,
            mut incoming,
        } = self;
        drop(outgoing);
        let ended = async { while let Ok(Some(_)) = incoming.message().await {} };
        // One that does not end its side has had its chance.
        let _ = tokio::time::timeout(FAREWELL, ended).await;
    }

    /// The next message, heartbeats left out.
    ///
    /// Safe to drop and call again: nothing is lost in between.
    ///
    /// # Errors
    /// [`TransportError`] if the stream ends or is silent for too long.
    pub async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        loop {
            let frame = tokio::time::timeout(SILENCE, self.incoming.message())
                .await
                .map_err(|_| TransportError::Silent)?
                .map_err(|status| TransportError::Ended(status.message().to_owned()))?
                .ok_or_else(|| TransportError::Ended("it closed it".to_owned()))?;
            if !frame.message.is_empty() {
                return Ok(frame.message);
            }
        }
    }
}

/// The whole chain of causes, so that "the coordinator's key is …, pinned is …" reaches the operator.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Waiting times between attempts: doubling from a quarter second to five seconds, each between half and whole of its value,
/// so that signers do not come back all at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LAST: Duration = Duration::from_secs(5);

    /// Forgets the failures: a stream worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure.
    pub fn next(&mut self, rng: &mut impl rand::RngCore) -> Duration {
        let whole = Self::FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(Self::LAST);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(rng.gen_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_to_a_bound_and_starts_again() {
        let mut backoff = Backoff::default();
        let mut rng = rand::rngs::mock::StepRng::new(u64::MAX, 0);
        let waits: Vec<_> = (0..12).map(|_| backoff.next(&mut rng)).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(
            waits[0] <= Backoff::FIRST
                && waits[11] <= Backoff::LAST
                && waits[11] > Duration::from_secs(2)
        );
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Backoff::FIRST);
    }
}
