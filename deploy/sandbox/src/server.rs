//! How every stand-in listens: on 127.0.0.1 only, with or without TLS, with connections that a fault can break.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::faults::{ConnectionFate, Faults, System};

/// How long open requests may take to finish after the end was asked for; then connections are cut.
const GRACE: Duration = Duration::from_secs(1);

/// Binds `port` of 127.0.0.1 (0: any free one) for a system. A taken port is an error that names both.
pub async fn bind(system: System, port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {port} of 127.0.0.1, wanted by the sandbox's {system} server, is taken; end the other program or choose another port"
        ),
        _ => anyhow::anyhow!("the sandbox's {system} server cannot listen on 127.0.0.1:{port}: {error}"),
    })
}

/// Serves `routes` with the faults of `system` before them until `end` is cancelled.
///
/// With `tls` each connection starts with a handshake. The returned task ends at most a second after `end`.
pub fn serve(
    system: System,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Router,
    faults: &Faults,
    end: &CancellationToken,
) -> JoinHandle<()> {
    let cut = CancellationToken::new();
    let incoming = Incoming::start(system, listener, tls, faults.clone(), end.clone(), cut.clone());
    let service = faults
        .around(system, routes)
        .into_make_service_with_connect_info::<ConnectionFate>();
    let ended = end.clone();
    tokio::spawn(async move {
        let serving = axum::serve(incoming, service).with_graceful_shutdown(ended.clone().cancelled_owned());
        let deadline = async {
            ended.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = serving => if let Err(error) = result {
                tracing::error!(%system, %error, "a sandbox server ended by itself");
            },
            () = deadline => {}
        }
        cut.cancel();
    })
}

/// Connections that are ready to be read: handshakes are done beside, so that a slow one holds up nobody.
struct Incoming {
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
    address: io::Result<SocketAddr>,
}

impl Incoming {
    fn start(
        system: System,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        faults: Faults,
        end: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let address = listener.local_addr();
        let (sender, ready) = mpsc::channel(64);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = end.cancelled() => return,
                };
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, usually: wait for some to come back instead of spinning.
                        tracing::warn!(%system, %error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                if faults.refuses(system) {
                    let _ = stream.set_zero_linger();
                    continue;
                }
                let _ = stream.set_nodelay(true);
                let (sender, tls, cut) = (sender.clone(), tls.clone(), cut.clone());
                let life = faults.life(system);
                tokio::spawn(async move {
                    let transport = match tls {
                        None => Transport::Plain(stream),
                        Some(tls) => match tokio::time::timeout(Duration::from_secs(10), tls.accept(stream)).await {
                            Ok(Ok(stream)) => Transport::Tls(Box::new(stream)),
                            Ok(Err(error)) => {
                                tracing::debug!(%system, %error, "a TLS handshake failed");
                                return;
                            }
                            Err(_) => return,
                        },
                    };
                    let cut = Box::pin(cut.cancelled_owned());
                    let connection = Connection {
                        transport,
                        fate: ConnectionFate::default(),
                        cut,
                        death: Box::pin(life.cancelled_owned()),
                    };
                    let _ = sender.send((connection, peer)).await;
                });
            }
        });
        Self { ready, address }
    }
}

impl Listener for Incoming {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The acceptor ended, so the server is about to.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.address
            .as_ref()
            .copied()
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

/// A client's connection that its own requests, or the end of the sandbox, can break.
struct Connection {
    transport: Transport,
    fate: ConnectionFate,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    death: Pin<Box<WaitForCancellationFutureOwned>>,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected<IncomingStream<'_, Incoming>> for ConnectionFate {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        stream.io().fate.clone()
    }
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.fate.is_broken() || self.death.as_mut().poll(cx).is_ready() {
            let socket = match &self.transport {
                Transport::Plain(stream) => stream,
                Transport::Tls(stream) => stream.get_ref().0,
            };
            // Closing then sends a reset, not a polite end.
            let _ = socket.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.cut.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fate.is_broken() || self.death.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
