//! Signers' streams: TCP, TLS 1.3 with the signer's key, gRPC. What a stream says reaches the actor as an [`Event`] with the key
//! that TLS authenticated; what the actor says to it goes through a bounded queue, and a signer that does not read is cut off.

use std::{
    io,
    pin::Pin as StdPin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bauta_signer_protocol::messages::MAX_FRAME;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::Connected},
};
use tracing::{debug, warn};

use super::{
    Command,
    generated::{
        Frame,
        coordinator_server::{Coordinator, CoordinatorServer},
    },
};
use crate::tls::{self, Pin};

/// How often an idle side sends an empty frame.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A stream on which nothing came for so long is given up.
const SILENCE: Duration = Duration::from_secs(35);
/// How long a client may take for TCP and TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections at a time: 64 signers, and as many that come back before their old connection is noticed as dead.
const MAX_CONNECTIONS: usize = 128;
/// Frames that wait for one signer's network.
const QUEUE: usize = 256;

/// Messages of one signer that wait for the actor. Beyond it nothing is read from the stream, and the signer's own window fills.
const UNHEARD: usize = 16;

/// What happens on a stream.
pub(crate) enum Event {
    /// A stream is open.
    Opened {
        /// Its number; never given twice.
        stream: u64,
        /// The signer's key.
        pin: Pin,
        /// To the signer. Dropping it ends the stream.
        outbox: Outbox,
    },
    /// A message came.
    Frame {
        /// On which stream.
        stream: u64,
        /// The message.
        message: Vec<u8>,
        /// Its place among those that wait for the actor.
        place: OwnedSemaphorePermit,
    },
    /// The stream ended.
    Closed {
        /// Which.
        stream: u64,
    },
}

/// To one signer.
pub(crate) struct Outbox {
    frames: mpsc::Sender<Result<Frame, Status>>,
    /// Ends the stream's reader with this handle.
    _open: CancellationGuard,
}

struct CancellationGuard(CancellationToken);

impl Drop for CancellationGuard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Outbox {
    /// Queues a message; `false` if the signer does not read, or is gone.
    pub(crate) fn send(&self, message: Vec<u8>) -> bool {
        self.frames.try_send(Ok(Frame { message })).is_ok()
    }
}

/// Serves signers until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    commands: mpsc::UnboundedSender<Command>,
    shutdown: CancellationToken,
) {
    let (accepted, incoming) = mpsc::channel::<io::Result<Connection>>(16);
    tokio::spawn(accept(
        listener,
        TlsAcceptor::from(Arc::new(config)),
        accepted,
        shutdown.clone(),
    ));
    let endpoint = Endpoint {
        commands,
        streams: Arc::default(),
        shutdown: shutdown.clone(),
    };
    // Room for the protobuf framing around the longest message.
    let service = CoordinatorServer::new(endpoint).max_decoding_message_size(MAX_FRAME + 64);
    let served = Server::builder()
        .http2_keepalive_interval(Some(HEARTBEAT))
        .http2_keepalive_timeout(Some(HANDSHAKE))
        .max_concurrent_streams(4)
        .serve_with_incoming_shutdown(service, ReceiverStream::new(incoming), shutdown.cancelled())
        .await;
    if let Err(error) = served {
        warn!(%error, "the signers' server ended");
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<io::Result<Connection>>,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = shutdown.cancelled() => return,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => return,
            connection = listener.accept() => match connection {
                Ok(connection) => connection,
                Err(error) => {
                    // Out of file descriptors, or a client that went away: neither ends the listener.
                    debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    if let Some(pin) = peer_pin(&stream) {
                        let _ = accepted
                            .send(Ok(Connection {
                                stream,
                                pin,
                                _place: place,
                            }))
                            .await;
                    }
                }
                Ok(Err(error)) => warn!(%peer, %error, "a signer's connection was refused"),
                Err(_) => debug!(%peer, "a connection without a handshake"),
            }
        });
    }
}

fn peer_pin(stream: &TlsStream<TcpStream>) -> Option<Pin> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    tls::pin(certificate).ok()
}

/// An authenticated connection.
struct Connection {
    stream: TlsStream<TcpStream>,
    pin: Pin,
    /// Given back when the connection ends.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Whom TLS authenticated.
#[derive(Clone, Copy)]
struct Peer(Pin);

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(self.pin)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: StdPin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: StdPin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        StdPin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: StdPin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: StdPin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        StdPin::new(&mut self.stream).poll_shutdown(context)
    }
}

struct Endpoint {
    commands: mpsc::UnboundedSender<Command>,
    streams: Arc<AtomicU64>,
    shutdown: CancellationToken,
}

#[tonic::async_trait]
impl Coordinator for Endpoint {
    type ConnectStream = ReceiverStream<Result<Frame, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let Some(Peer(pin)) = request.extensions().get::<Peer>().copied() else {
            return Err(Status::unauthenticated("no client certificate"));
        };
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        let (frames, receiver) = mpsc::channel(QUEUE);
        let closed = self.shutdown.child_token();
        let outbox = Outbox {
            frames: frames.clone(),
            _open: CancellationGuard(closed.clone()),
        };
        let opened = Event::Opened {
            stream,
            pin,
            outbox,
        };
        self.commands
            .send(Command::Stream(opened))
            .map_err(|_| Status::unavailable("the service is stopping"))?;
        tokio::spawn(read(
            request.into_inner(),
            stream,
            frames,
            self.commands.clone(),
            closed,
        ));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Carries a stream's messages to the actor, and heartbeats back, until it ends.
async fn read(
    mut incoming: Streaming<Frame>,
    stream: u64,
    frames: mpsc::Sender<Result<Frame, Status>>,
    commands: mpsc::UnboundedSender<Command>,
    closed: CancellationToken,
) {
    let beats = async {
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            beat.tick().await;
            if frames.send(Ok(Frame::default())).await.is_err() {
                return;
            }
        }
    };
    let places = Arc::new(Semaphore::new(UNHEARD));
    let messages = async {
        while let Ok(Ok(Some(frame))) = tokio::time::timeout(SILENCE, incoming.message()).await {
            if !frame.message.is_empty() {
                // Fails only when the semaphore is closed, which nobody does.
                let Ok(place) = places.clone().acquire_owned().await else {
                    return;
                };
                let event = Event::Frame {
                    stream,
                    message: frame.message,
                    place,
                };
                if commands.send(Command::Stream(event)).is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = beats => {}
        () = messages => {}
        () = closed.cancelled() => {}
    }
    let _ = commands.send(Command::Stream(Event::Closed { stream }));
}
